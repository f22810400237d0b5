//! One case for each rule that can break: the reason, the rule, the place and the byte are told.

use crate::support::*;
use alloy_primitives::{Address, B256, Bytes};
use doppio_explain::{AltDa, Chain, Content, Explanation, Form, Options, Rules, explain};
use doppio_protocol::{
    batch::{SingularBatch, put_uvarint},
    blob::{BLOB_SIZE, encode_blob},
    config::{ChainProfile, CommitmentType, Fork, ForkTimes},
    deposit::DepositTx,
    rlp,
};

/// Reason, rule, path, byte.
type Expected<'a> = (&'a str, &'a str, &'a str, Option<u64>);

fn assert_break(explanation: &Explanation, (reason, rule, path, offset): Expected<'_>) {
    let broken = only_break(explanation);
    let found = (broken.rule, broken.path.as_str(), broken.offset);
    assert_eq!(found, (rule, path, offset), "{explanation}");
    assert_eq!(broken.reason.unwrap_or_default(), reason);
    assert!(!broken.effect.is_empty() && !broken.message.is_empty());
    // the text tells it where it happens, and again at the end
    let text = explanation.to_string();
    assert_eq!(text.matches(&broken.to_string()).count(), 2, "{text}");
}

fn inbox_breaks(data: impl Into<Bytes>, expected: Expected<'_>) {
    assert_break(&explain_as(Form::Inbox, data), expected);
}

fn with(change: impl FnOnce(&mut Options)) -> Options {
    let mut options = Options {
        form: Some(Form::Inbox),
        ..Options::default()
    };
    change(&mut options);
    options
}

#[test]
fn items_that_are_no_frames() {
    let version = "opstack 2.1 |3";
    inbox_breaks([], ("frames", version, "items[0]", Some(0)));
    inbox_breaks([2, 1], ("frames", version, "items[0]", Some(0)));
    inbox_breaks([0], ("frames", "opstack 2.1 |1", "items[0]", Some(1)));
}

#[test]
fn frames_that_are_cut_off_break_at_the_field_that_is() {
    let whole = item(&[frame(1, 0, b"abcde", false), frame(1, 1, b"fgh", true)]);
    // first byte of the second frame's fields
    let second = 1 + 23 + 5;
    let fields = [
        ("channel_id", 0),
        ("frame_number", 16),
        ("frame_data_length", 18),
        ("frame_data", 22),
        ("is_last", 25),
    ];
    for length in second + 1..whole.len() {
        let explanation = explain_as(Form::Inbox, whole.slice(..length));
        let (field, start) = fields
            .into_iter()
            .rev()
            .find(|(_, start)| second + start <= length && (length > second || *start == 0))
            .unwrap();
        let path = format!("items[0].frames[1].{field}");
        let offset = Some((second + start) as u64);
        assert_break(&explanation, ("frames", "opstack 2.4", &path, offset));
        // the frame before is kept
        assert_eq!(inbox(&explanation).items.items[0].frames.count, 1);
    }
}

#[test]
fn frames_with_impossible_fields() {
    let mut bytes = item(&[frame(1, 0, b"abc", false)]).to_vec();
    *bytes.last_mut().unwrap() = 2;
    let path = "items[0].frames[0].is_last";
    inbox_breaks(bytes, ("frames", "opstack 2.4", path, Some(26)));

    let long = item(&[frame(1, 0, &[0; 1_000_001], false)]);
    let path = "items[0].frames[0].frame_data_length";
    let expected = ("frames", "opstack 2.4", path, Some(19));
    inbox_breaks(long.clone(), expected);
    // on Celo it is not too long
    let options = with(|options| options.rules = Rules::newest(&ChainProfile::celo()));
    assert!(explain(&[long], &options).sound);
}

#[test]
fn frames_out_of_order_within_an_item() {
    let first = frame(1, 0, b"\x78", false);
    let length = first.encoded_len() as u64;
    let rule = "opstack 3.3";
    let cases = [
        // the last frame of the channel came before
        (
            vec![frame(1, 0, &zlib(&[]), true), frame(1, 1, b"", false)],
            1,
            None,
        ),
        (
            vec![first.clone(), frame(1, 2, b"", true)],
            1,
            Some(1 + length),
        ),
        (
            vec![first.clone(), frame(2, 1, b"", true)],
            1,
            Some(1 + length),
        ),
        // the first channel is interrupted by a whole one
        (vec![first, frame(2, 0, &zlib(&[]), true)], 0, Some(1)),
    ];
    for (frames, broken, offset) in cases {
        let offset = offset.unwrap_or(1 + frames[0].encoded_len() as u64);
        let explanation = explain_as(Form::Inbox, item(&frames));
        let path = format!("items[0].frames[{broken}]");
        assert_break(&explanation, ("frame_order", rule, &path, Some(offset)));
        assert_eq!(inbox(&explanation).items.items[0].frames.count, 2);
    }
}

#[test]
fn frames_that_their_channel_refuses() {
    let begin = item(&[frame(1, 0, b"\x78", false)]);
    let again = item(&[frame(1, 0, &zlib(&[]), true)]);
    let options = with(|_| ());
    let case = |second: Bytes, expected| {
        let explanation = explain(&[begin.clone(), second], &options);
        assert_break(&explanation, expected);
    };
    let refused = ("frame", "opstack 3.4, 3.5", "items[1].frames[0]", Some(1));
    case(item(&[frame(1, 2, b"", true)]), refused);
    case(item(&[frame(2, 1, b"", true)]), refused);
    // a first frame opens a channel, whatever is open
    let replaced = ("channel_replaced", "opstack 3.5", "channels[0]", None);
    case(again.clone(), replaced);
    // no channel is open behind the end of one
    let explanation = explain(&[again, item(&[frame(1, 1, b"", true)])], &options);
    let expected = (
        "frame_without_channel",
        "opstack 3.5",
        "items[1].frames[0]",
        Some(1),
    );
    assert_break(&explanation, expected);
}

#[test]
fn a_channel_beyond_the_size_limit() {
    let options = with(|options| options.rules.max_rlp_bytes = 1_000);
    let large = item(&[frame(1, 0, &[0x78; 801], true)]);
    let expected = ("channel_too_large", "opstack 3.5", "channels[0]", None);
    let explanation = explain(&[large], &options);
    // it is not opened either: nothing else is told of it
    assert_eq!(channel(&explanation).compression, None);
    assert_break(&explanation, expected);
}

#[test]
fn before_holocene_frames_come_in_any_order() {
    let channel = zlib(&[]);
    let (begin, end) = channel.split_at(4);
    let frames = [frame(1, 1, end, true), frame(1, 0, begin, false)];
    let data = item(&frames);
    let options = with(|options| options.rules.in_order = false);
    assert!(explain(std::slice::from_ref(&data), &options).sound);
    assert!(!explain_as(Form::Inbox, data).sound);

    let twice = item(&[frames[1].clone(), frames[1].clone()]);
    let explanation = explain(&[twice], &options);
    let offset = 1 + frames[1].encoded_len() as u64;
    let expected = (
        "frame",
        "opstack 3.4, 3.5",
        "items[0].frames[1]",
        Some(offset),
    );
    assert_break(&explanation, expected);
}

#[test]
fn commitments() {
    let rule = "opstack 2.1 |2";
    let path = "items[0].commitment";
    inbox_breaks([1], ("commitment", rule, path, Some(1)));
    inbox_breaks([1, 2, 3], ("commitment", rule, path, Some(1)));
    inbox_breaks([1, 0, 3], ("commitment", rule, path, Some(2)));
    inbox_breaks([1, 1], ("commitment", rule, path, Some(2)));
    // without the derivation version byte
    let alone = explain_as(Form::Commitment, [0, 3]);
    let broken = only_break(&alone);
    assert_eq!((broken.reason, broken.rule), (Some("commitment"), rule));
    assert_eq!((broken.offset, broken.layer), (Some(1), "the commitment"));
}

#[test]
fn commitments_that_the_chain_does_not_use() {
    let keccak = Bytes::from([vec![1, 0], vec![7; 32]].concat());
    let generic = Bytes::from_static(&[1, 1, 0, 3, 0xc0]);
    let on = |alt_da, data: &Bytes| {
        let options = with(|options| options.chain.alt_da = alt_da);
        explain(std::slice::from_ref(data), &options)
    };
    let mismatch = (
        "commitment_type",
        "opstack 3.15",
        "items[0].commitment",
        Some(1),
    );
    let none = ("frames", "opstack 2.1 |3", "items[0]", Some(0));
    for (data, own, other) in [
        (&keccak, CommitmentType::Keccak, CommitmentType::Generic),
        (&generic, CommitmentType::Generic, CommitmentType::Keccak),
    ] {
        assert!(on(AltDa::Unknown, data).sound);
        assert!(on(AltDa::Yes(own), data).sound);
        assert_break(&on(AltDa::Yes(other), data), mismatch);
        assert_break(&on(AltDa::No, data), none);
        // it is told all the same
        let explanation = on(AltDa::No, data);
        assert!(inbox(&explanation).items.items[0].commitment.is_some());
    }
    let empty = on(AltDa::Yes(CommitmentType::Keccak), &Bytes::new());
    assert_break(&empty, ("empty_item", "opstack 2.1", "items[0]", Some(0)));
}

#[test]
fn blobs() {
    let sound = *encode_blob(&item_of(&zlib(&[]))).unwrap();
    let broken = |change: &dyn Fn(&mut [u8; BLOB_SIZE])| {
        let mut blob = sound;
        change(&mut blob);
        explain_as(Form::Blob, blob.to_vec())
    };
    assert!(broken(&|_| ()).sound);
    let at = |offset| ("blob", "opstack 2.2", "", Some(offset));
    assert_break(&broken(&|blob| blob[1] = 1), at(1));
    // one more than fits
    let too_long = |blob: &mut [u8; BLOB_SIZE]| blob[2..5].copy_from_slice(&[1, 0xfb, 0xfd]);
    assert_break(&broken(&too_long), at(2));
    assert_break(&broken(&|blob| blob[64] = 0x40), at(64));
    // behind the data: within the round that holds its end, and in elements that are not read
    for offset in [60, 65, 96, 127, 128, 129, 4096, BLOB_SIZE - 1] {
        let explanation = broken(&|blob| blob[offset] |= 1);
        assert_break(&explanation, at(offset as u64));
    }
    // the high bits of an element behind the data count too
    assert_break(&broken(&|blob| blob[128 * 32] = 0x80), at(128 * 32));

    let short = only_break(&explain_as(Form::Blob, vec![0; BLOB_SIZE - 1])).clone();
    assert_eq!((short.rule, short.offset), ("opstack 2.2", None));
}

#[test]
fn channels_that_cannot_be_opened() {
    let cases: [(&[u8], &str); 4] = [
        (&[], "empty"),
        (&[0x42, 1], "0x42"),
        (&[0x78], "zlib header"),
        (&[0x78, 0x00], "zlib header"),
    ];
    for (channel, message) in cases {
        let explanation = explain_as(Form::Inbox, item_of(channel));
        let expected = ("channel_open", "opstack 2.5", "channels[0]", Some(0));
        assert_break(&explanation, expected);
        assert!(only_break(&explanation).message.contains(message));
    }
}

#[test]
fn brotli_before_fjord() {
    let options = with(|options| options.rules.brotli = false);
    let explanation = explain(&[item_of(&[1, 0x06])], &options);
    let expected = ("channel_open", "opstack 2.5", "channels[0]", Some(0));
    assert_break(&explanation, expected);
    assert!(explain_as(Form::Inbox, item_of(&[1, 0x06])).sound);
}

fn singular() -> SingularBatch {
    SingularBatch {
        parent_hash: B256::repeat_byte(1),
        epoch_num: 2,
        epoch_hash: B256::repeat_byte(3),
        timestamp: 4,
        ..SingularBatch::default()
    }
}

/// A channel whose stream breaks behind a sound batch.
#[test]
fn streams_that_break_keep_what_stands_before() {
    let batch = singular().encode();
    let mut plain = strings(std::slice::from_ref(&batch));
    let end = plain.len() as u64;
    let rule = "opstack 2.5";
    let path = "channels[0].batches[1]";
    let tails: [(&[u8], &str); 4] = [
        (&[0xc0], rule),
        (&[0xb8, 1, 0], rule),
        (&[0x83, 1, 2], rule),
        (&[0xbb, 0x7f, 0, 0, 0], "opstack 2.8 |1"),
    ];
    for (tail, rule) in tails {
        let explanation = explain_as(Form::Inbox, item_of(&zlib(&[&plain, tail].concat())));
        assert_break(&explanation, ("channel_read", rule, path, Some(end)));
        assert_eq!(batches(&explanation).len(), 1);
        // the same without compression
        let explanation = explain_as(Form::Decompressed, [&plain, tail].concat());
        assert_break(
            &explanation,
            ("channel_read", rule, "batches[1]", Some(end)),
        );
    }
    // what was read stays, whatever the checksum behind it says
    plain.extend(strings(&[batch]));
    let mut compressed = zlib(&plain);
    *compressed.last_mut().unwrap() ^= 1;
    let explanation = explain_as(Form::Channel, compressed);
    let expected = ("channel_read", rule, "batches[2]", Some(2 * end));
    assert_break(&explanation, expected);
    assert_eq!(batches(&explanation).len(), 2);
}

fn batch_breaks(batch: Vec<u8>, rule: &str, field: &str, offset: u64) {
    // by itself
    let explanation = explain_as(Form::Batch, batch.clone());
    assert_break(&explanation, ("batch_decode", rule, field, Some(offset)));
    // in a channel, between two others: what stands behind it is lost
    let sound = singular().encode();
    let explanation = explain_as(Form::Inbox, item_of_batches(&[sound.clone(), batch, sound]));
    let dot = if field.is_empty() { "" } else { "." };
    let path = format!("channels[0].batches[1]{dot}{field}");
    assert_break(&explanation, ("batch_decode", rule, &path, Some(offset)));
    assert_eq!(batches(&explanation).len(), 2);
}

#[test]
fn batches_of_no_type() {
    batch_breaks(Vec::new(), "opstack 2.5", "", 0);
    batch_breaks(vec![2, 0xc0], "opstack 2.5", "batch_type", 0);
}

/// A singular batch out of five encoded fields.
fn singular_of(fields: &[&[u8]]) -> Vec<u8> {
    let content = fields.concat();
    let mut batch = vec![0];
    rlp::put_list_header(content.len(), &mut batch);
    [batch, content].concat()
}

#[test]
fn singular_batches() {
    let hash = [&[0xa0][..], &[9; 32]].concat();
    let sound: [&[u8]; 5] = [
        &hash,
        &[0x05],
        &hash,
        &[0x82, 0x01, 0x00],
        &[0xc2, 0x81, 0x80],
    ];
    let rule = "opstack 2.6";
    // type byte and a header of two bytes
    let starts = [3, 36, 37, 70, 73];
    let names = [
        "parent_hash",
        "epoch_number",
        "epoch_hash",
        "timestamp",
        "transactions",
    ];
    for (index, (name, start)) in names.into_iter().zip(starts).enumerate() {
        let mut fields = sound;
        // a string of two zero bytes is no hash, no number and no list; a byte more keeps the
        // header's length
        fields[index] = &[0x82, 0, 0];
        let batch = singular_of(&fields);
        let header = batch.len() as u64 - 1 - fields.concat().len() as u64;
        batch_breaks(batch.clone(), rule, name, start - 2 + header);
        // the fields before are told
        let explanation = explain_as(Form::Batch, batch);
        let text = explanation.to_string();
        for before in &names[..index] {
            assert!(text.contains(&format!("{before:<24}")), "{text}");
        }
    }
    batch_breaks(vec![0], rule, "rlp", 1);
    batch_breaks(vec![0, 0x81, 0x80], rule, "rlp", 1);
    batch_breaks(vec![0, 0xc2, 0x80], rule, "rlp", 1);
    // a sixth field
    let six = singular_of(&[&sound[..], &[&[0x01]]].concat());
    batch_breaks(six, rule, "rlp", 76);
    // the second transaction is a list; behind the list's own header and one byte
    let mut fields = sound;
    fields[4] = &[0xc2, 0x05, 0xc0];
    batch_breaks(singular_of(&fields), rule, "transactions[1]", 75);
}

/// A span batch of two blocks with one legacy transaction each, in its fields.
#[derive(Clone)]
struct Span {
    fields: [Vec<u8>; 15],
}

const SPAN_FIELDS: [&str; 15] = [
    "rel_timestamp",
    "l1_origin_num",
    "parent_check",
    "l1_origin_check",
    "block_count",
    "origin_bits",
    "block_tx_counts",
    "contract_creation_bits",
    "y_parity_bits",
    "tx_sigs",
    "tx_tos",
    "tx_datas",
    "tx_nonces",
    "tx_gases",
    "protected_bits",
];

impl Span {
    fn sound() -> Self {
        let legacy = [0xc3, 0x01, 0x02, 0x80];
        Self {
            fields: [
                vec![10],
                vec![100],
                vec![1; 20],
                vec![2; 20],
                vec![2],
                vec![0b10],
                vec![1, 1],
                vec![0],
                vec![0b01],
                vec![3; 128],
                vec![4; 40],
                [legacy, legacy].concat(),
                vec![5, 6],
                vec![0x88, 0x27, 0x88, 0x27],
                vec![0b11],
            ],
        }
    }

    fn with(field: &str, bytes: &[u8]) -> Self {
        let mut span = Self::sound();
        span.fields[Self::index(field)] = bytes.to_vec();
        span
    }

    fn index(field: &str) -> usize {
        SPAN_FIELDS.iter().position(|name| *name == field).unwrap()
    }

    fn batch(&self) -> Vec<u8> {
        [&[1], self.fields.concat().as_slice()].concat()
    }

    /// Where a field begins in the batch.
    fn start(&self, field: &str) -> u64 {
        1 + self.fields[..Self::index(field)].concat().len() as u64
    }
}

#[test]
fn span_batches_that_end_too_early_break_at_the_field_that_does() {
    let span = Span::sound();
    assert!(explain_as(Form::Batch, span.batch()).sound);
    for (row, field) in (1..).zip(SPAN_FIELDS) {
        let start = span.start(field);
        let cut = span.batch()[..usize::try_from(start).unwrap()].to_vec();
        let path = match field {
            "block_tx_counts" | "tx_datas" | "tx_nonces" | "tx_gases" => format!("{field}[0]"),
            _ => field.to_owned(),
        };
        batch_breaks(cut.clone(), &format!("opstack 2.7 #{row}"), &path, start);
        let text = explain_as(Form::Batch, cut).to_string();
        for before in &SPAN_FIELDS[..row - 1] {
            assert!(text.contains(&format!("{before:<24}")), "{text}");
        }
    }
}

#[test]
fn span_batches_with_impossible_fields() {
    let case = |field: &str, bytes: &[u8], row: u8, path: &str, behind: u64| {
        let span = Span::with(field, bytes);
        let rule = format!("opstack 2.7 #{row}");
        batch_breaks(span.batch(), &rule, path, span.start(field) + behind);
    };
    let overflow = [0xff; 10];
    case("rel_timestamp", &overflow, 1, "rel_timestamp", 0);
    case("l1_origin_num", &overflow, 2, "l1_origin_num", 0);
    case("block_count", &[0], 5, "block_count", 0);
    let mut too_many = Vec::new();
    put_uvarint(10_000_001, &mut too_many);
    case("block_count", &too_many, 5, "block_count", 0);
    case("origin_bits", &[0b100], 6, "origin_bits", 0);
    let counts = [&[0], too_many.as_slice()].concat();
    case("block_tx_counts", &counts, 7, "block_tx_counts", 0);
    let counts = [&[0], &overflow[..]].concat();
    case("block_tx_counts", &counts, 7, "block_tx_counts[1]", 1);
    case(
        "contract_creation_bits",
        &[0b100],
        8,
        "contract_creation_bits",
        0,
    );
    case("y_parity_bits", &[0b100], 9, "y_parity_bits", 0);
    let nonces = [&[5], &overflow[..]].concat();
    case("tx_nonces", &nonces, 13, "tx_nonces[1]", 1);
    case("tx_gases", &nonces, 14, "tx_gases[1]", 1);
    case("protected_bits", &[0b100], 15, "protected_bits", 0);
    let legacy = [0xc3, 0x01, 0x02, 0x80];
    // a string where a list must be, bare and behind a type
    for second in [&[0x81, 0x80][..], &[2, 0x81, 0x80]] {
        let datas = [&legacy, second].concat();
        case("tx_datas", &datas, 12, "tx_datas[1]", 4);
    }
    // ten million bytes and a header, whether they are there or not
    let datas = [&legacy[..], &[0xfa, 0x98, 0x96, 0x80]].concat();
    case("tx_datas", &datas, 12, "tx_datas[1]", 4);
    let datas = [datas, vec![0; 10_000_000]].concat();
    case("tx_datas", &datas, 12, "tx_datas[1]", 4);
}

#[test]
fn a_span_batch_before_delta_is_dropped_by_itself() {
    let options = with(|options| options.rules.span_batches = false);
    let span = Span::sound().batch();
    let data = item_of_batches(&[span, singular().encode()]);
    let explanation = explain(&[data], &options);
    let path = "channels[0].batches[0]";
    let expected = ("span_before_delta", "opstack 2.5", path, Some(0));
    assert_break(&explanation, expected);
    // it is told, and the channel goes on
    assert_eq!(blocks(batches(&explanation)[0]).len(), 2);
    assert_eq!(batches(&explanation).len(), 2);
}

#[test]
fn a_span_batch_whose_transactions_cannot_be_put_together_is_dropped_by_itself() {
    let legacy = [0xc3, 0x01, 0x02, 0x80];
    // a type that no span holds; a list of two; a SetCode transaction below
    for second in [&[0x03, 0xc0][..], &[0xc2, 0x01, 0x02], &[0x7b, 0xc0]] {
        let mut span = Span::with("tx_datas", &[&legacy, second].concat());
        if second[0] < 0x80 {
            // one legacy transaction
            span.fields[Span::index("protected_bits")] = vec![1];
        }
        let data = item_of_batches(&[span.batch(), singular().encode()]);
        let explanation = explain_as(Form::Inbox, data);
        let path = "channels[0].batches[0].tx_datas[1]";
        let offset = span.start("tx_datas") + 4;
        let expected = ("span_transactions", "opstack 2.7", path, Some(offset));
        assert_break(&explanation, expected);
        let batches = batches(&explanation);
        assert_eq!(batches.len(), 2);
        // the first block can be put together
        assert_eq!(blocks(batches[0]).len(), 1);
        assert_eq!(crate::support::span(batches[0]).blocks.count, 2);
    }
}

#[test]
fn bytes_behind_a_batch_are_told_and_break_nothing() {
    for batch in [singular().encode(), Span::sound().batch()] {
        let explanation = explain_as(Form::Batch, [batch, vec![1, 2, 3]].concat());
        assert!(explanation.sound);
        assert_eq!(batches(&explanation)[0].trailing, 3);
        assert!(
            explanation
                .to_string()
                .contains("3 bytes behind the last field")
        );
    }
}

fn with_transaction(transaction: &[u8]) -> Bytes {
    let batch = SingularBatch {
        transactions: [transaction].iter().collect(),
        ..singular()
    };
    item_of_batches(&[batch.encode()])
}

/// A SetCode transaction with its fields in order but without meaning.
fn set_code() -> Vec<u8> {
    let mut content = Vec::new();
    for number in [901_u64, 0, 1, 2, 21_000] {
        rlp::put_u64(number, &mut content);
    }
    rlp::put_string(&[7; 20], &mut content);
    rlp::put_u64(0, &mut content);
    rlp::put_string(b"data", &mut content);
    content.extend([0xc0, 0xc0]);
    for number in [1_u64, 2, 3] {
        rlp::put_u64(number, &mut content);
    }
    let mut transaction = vec![4];
    rlp::put_list_header(content.len(), &mut transaction);
    [transaction, content].concat()
}

#[test]
fn transactions_that_derivation_refuses() {
    let path = "channels[0].batches[0].transactions[0]";
    let drop = |reason, rule| (reason, rule, path, Some(0));
    let empty = drop("batch_empty_transaction", "opstack 3.7 #15");
    inbox_breaks(with_transaction(&[]), empty);
    let deposit = DepositTx::default().encode();
    let expected = drop("batch_deposit", "opstack 3.7 #16");
    inbox_breaks(with_transaction(&deposit), expected);
    let expected = drop("batch_post_exec", "opstack-2026-09 3.7 *1");
    inbox_breaks(with_transaction(&[0x7d, 0xc0]), expected);
    // what a deposit says is told all the same
    let explanation = explain_as(Form::Inbox, with_transaction(&deposit));
    let (_, _, transactions) = blocks(batches(&explanation)[0])[0];
    let fields = transactions[0].fields.as_ref().unwrap();
    assert_eq!(fields.from, Some(Address::ZERO));
}

/// Isthmus is asked with the time of the block, which is 4.
#[test]
fn set_code_transactions_wait_for_isthmus() {
    let data = with_transaction(&set_code());
    assert!(explain_as(Form::Inbox, data.clone()).sound);
    let path = "channels[0].batches[0].transactions[0]";
    for (isthmus, sound) in [(4, true), (5, false)] {
        let mut forks = ForkTimes::all_until(Fork::Holocene);
        forks.isthmus = Some(isthmus);
        let options = with(|options| options.chain.forks = Some(forks));
        let explanation = explain(std::slice::from_ref(&data), &options);
        assert_eq!(explanation.sound, sound);
        if !sound {
            let expected = ("batch_set_code", "opstack 3.7 #17", path, Some(0));
            assert_break(&explanation, expected);
        }
    }
}

#[test]
fn transactions_that_only_the_execution_layer_refuses() {
    let path = "channels[0].batches[0].transactions[0]";
    for transaction in [
        &[0x05][..],
        &[0x66, 0xc0],
        &[0x02, 0xc0],
        &[0xc0],
        &[0x7b, 0xc0],
    ] {
        inbox_breaks(
            with_transaction(transaction),
            ("", "opstack 3.8", path, Some(0)),
        );
    }
    // signed for another chain
    let options = with(|options| {
        options.chain = Chain {
            chain_id: Some(902),
            ..Chain::default()
        };
    });
    let explanation = explain(&[with_transaction(&set_code())], &options);
    assert_break(&explanation, ("", "opstack 3.8", path, Some(0)));
    assert!(only_break(&explanation).message.contains("902"));
}

#[test]
fn a_transaction_by_itself() {
    let explanation = explain_as(Form::Transaction, [0x02, 0xc0]);
    assert_break(&explanation, ("", "EIP-2718", "", Some(0)));
}

/// A blob within which the channel breaks: the path leads through all layers.
#[test]
fn a_break_deep_inside_is_told_with_its_whole_path() {
    let blob = encode_blob(&with_transaction(&[])).unwrap();
    let explanation = explain_one(blob.to_vec());
    assert!(matches!(explanation.content, Some(Content::Blob(_))));
    let path = "data.channels[0].batches[0].transactions[0]";
    let expected = ("batch_empty_transaction", "opstack 3.7 #15", path, Some(0));
    assert_break(&explanation, expected);
}
