//! Every form is recognised by itself. The same genuine data is given layer by layer.

use crate::support::*;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use doppio_explain::{
    CommitmentKind, Compression, Content, Explanation, Form, Options, explain, parse_input,
};
use doppio_protocol::{
    blob::encode_blob,
    commitment::Commitment,
    deposit::DepositTx,
    frame::{parse_frames, split_channel},
    rlp,
};
use doppio_recorded::{OpenOptions, RecordedChain};
use doppio_test_vectors::Vectors;
use std::io::Read;

/// The third item of the calldata chain, which has transactions in singular batches.
fn singular_item() -> Option<Bytes> {
    let vectors = Vectors::find("recorded")?;
    let folder = vectors.path("calldata-singular-zlib");
    let chain = RecordedChain::open(&folder, OpenOptions::default()).unwrap();
    let mut blocks = chain.l1_blocks().unwrap().map(Result::unwrap);
    blocks.find_map(|block| {
        let input = block.inbox.first()?.transaction.input();
        (input.len() > 20_000).then_some(input)
    })
}

fn span_item() -> Option<Bytes> {
    let vectors = Vectors::find("opstack")?;
    let channel = parse_input(&vectors.bytes("channels/zlib_channel.hex")).remove(0);
    Some(item_of(&channel))
}

fn assert_form(bytes: impl Into<Bytes>, form: Form) -> Explanation {
    let explanation = explain_one(bytes);
    assert_eq!(explanation.form, Some(form), "{explanation}");
    assert!(explanation.sound, "{explanation}");
    // the other forms are told, in order
    let tried: Vec<Form> = explanation.tried.iter().map(|tried| tried.form).collect();
    let mut others = Form::ALL.to_vec();
    others.retain(|other| *other != form);
    assert_eq!(tried, others);
    explanation
}

/// All layers of one item, each given by itself, with the same batches in each.
fn assert_layers(item: &Bytes) {
    let frames = parse_frames(item, 1_000_000).unwrap();
    let compressed: Vec<u8> = frames
        .iter()
        .flat_map(|frame| frame.data.to_vec())
        .collect();
    let mut plain = Vec::new();
    flate2::read::ZlibDecoder::new(compressed.as_slice())
        .read_to_end(&mut plain)
        .unwrap();
    let mut rest = plain.as_slice();
    let first_batch = rlp::next_item(&mut rest).unwrap();

    let as_item = assert_form(item.clone(), Form::Inbox);
    let expected = batches(&as_item);
    assert!(!expected.is_empty());
    if item.len() < 130_044 {
        let blob = assert_form(encode_blob(item).unwrap().to_vec(), Form::Blob);
        assert_eq!(batches(&blob), expected);
    }
    let as_channel = assert_form(compressed, Form::Channel);
    assert_eq!(batches(&as_channel), expected);
    let as_plain = assert_form(plain.clone(), Form::Decompressed);
    assert_eq!(batches(&as_plain), expected);
    // one batch, wrapped in an RLP string, is a channel of one batch
    let wrapped = assert_form(first_batch.raw.to_vec(), Form::Decompressed);
    assert_eq!(batches(&wrapped), expected[..1]);
    let alone = assert_form(first_batch.payload.to_vec(), Form::Batch);
    assert_eq!(batches(&alone), expected[..1]);
}

#[test]
fn each_layer_of_singular_batches_is_recognised() {
    let Some(item) = singular_item() else {
        return;
    };
    assert_layers(&item);
}

#[test]
fn each_layer_of_a_span_batch_is_recognised() {
    let Some(item) = span_item() else {
        return;
    };
    assert_layers(&item);
}

#[test]
fn each_transaction_of_a_batch_is_recognised() {
    let Some(item) = singular_item() else {
        return;
    };
    let explanation = explain_one(item.clone());
    let frames = parse_frames(&item, 1_000_000).unwrap();
    let mut plain = Vec::new();
    flate2::read::ZlibDecoder::new(frames[0].data.as_ref())
        .read_to_end(&mut plain)
        .unwrap();
    let mut rest = plain.as_slice();
    let mut seen = std::collections::BTreeSet::new();
    for batch in batches(&explanation) {
        let string = rlp::next_item(&mut rest).unwrap().payload;
        let decoded =
            doppio_protocol::batch::SingularBatch::decode(&Bytes::copy_from_slice(&string[1..]))
                .unwrap();
        let (_, _, told) = blocks(batch)[0];
        for (bytes, told) in decoded.transactions.iter().zip(told) {
            let alone = assert_form(bytes, Form::Transaction);
            let Some(Content::Transaction(alone)) = &alone.content else {
                panic!();
            };
            assert_eq!(alone.fields, told.fields);
            assert_eq!(alone.hash, told.hash);
            seen.insert(told.tx_type);
        }
    }
    assert!(seen.into_iter().eq([Some(0), Some(1), Some(2)]));
}

#[test]
fn a_deposit_is_recognised() {
    let deposit = DepositTx {
        source_hash: B256::repeat_byte(1),
        from: Address::repeat_byte(2),
        value: U256::from(3),
        gas: 4,
        data: Bytes::from_static(&[5; 6]),
        ..DepositTx::default()
    };
    let explanation = assert_form(deposit.encode(), Form::Transaction);
    let Some(Content::Transaction(transaction)) = &explanation.content else {
        panic!();
    };
    assert_eq!(transaction.hash, Some(deposit.hash()));
    let fields = transaction.fields.as_ref().unwrap();
    assert_eq!((fields.from, fields.to), (Some(deposit.from), None));
    // init code has no selector
    assert_eq!((fields.data_length, fields.selector), (6, None));
}

fn commitment(explanation: &Explanation) -> &doppio_explain::Commitment {
    match explanation.content.as_ref() {
        Some(Content::Commitment(commitment)) => commitment,
        _ => inbox(explanation).items.items[0]
            .commitment
            .as_ref()
            .unwrap(),
    }
}

#[test]
fn a_keccak_commitment_is_recognised_with_and_without_its_version_byte() {
    let hash = keccak256("data");
    let bytes = Commitment::Keccak(hash);
    for (bytes, form, with_version) in [
        (bytes.inbox_data(), Form::Inbox, true),
        (bytes.encode(), Form::Commitment, false),
    ] {
        let explanation = assert_form(bytes.clone(), form);
        let told = commitment(&explanation);
        assert_eq!(told.kind, CommitmentKind::Keccak { hash });
        assert_eq!(told.with_version, with_version);
        let named = explain_as(Form::Commitment, bytes);
        assert_eq!(commitment(&named), told);
    }
}

#[test]
fn other_layers_are_told_by_name() {
    for (layer, name) in [(0x0a, "Avail"), (0x0c, "Celestia")] {
        let bytes = Commitment::Generic(vec![layer, 0xee, 0xff].into());
        let explanation = assert_form(bytes.inbox_data(), Form::Inbox);
        let expected = CommitmentKind::Generic {
            layer,
            name: Some(name),
            length: 2,
            certificate: None,
        };
        assert_eq!(commitment(&explanation).kind, expected);
    }
}

/// Anything that begins with 1 could be a generic commitment; without anything else that speaks
/// for it, it is taken for one only when that is asked for.
#[test]
fn a_commitment_to_an_unknown_layer_is_not_guessed_without_its_version_byte() {
    let bytes = Commitment::Generic(vec![0xee, 1, 2, 3].into());
    assert_eq!(explain_one(bytes.encode()).form, None);
    assert!(explain_as(Form::Commitment, bytes.encode()).sound);
    assert_form(bytes.inbox_data(), Form::Inbox);
}

#[test]
fn what_fits_no_form_is_told_with_a_break_for_each() {
    let explanation = explain_one(vec![0x99; 100]);
    assert_eq!(explanation.form, None);
    assert!(!explanation.sound && explanation.content.is_none());
    let tried: Vec<Form> = explanation.tried.iter().map(|tried| tried.form).collect();
    assert_eq!(tried, Form::ALL);
    for attempt in &explanation.tried {
        let broken = attempt.broken.as_ref().unwrap();
        assert!(!broken.rule.is_empty() && !broken.message.is_empty());
    }
    let text = explanation.to_string();
    for form in Form::ALL {
        assert!(text.contains(&format!("{form}: ")), "{text}");
    }
}

/// Broken data of a form is still told as that form, if more of it can be read than as any other.
#[test]
fn the_deepest_reading_wins_even_if_it_breaks() {
    let Some(item) = singular_item() else {
        return;
    };
    // a whole item, and something behind it
    let explanation = explain_one([&item[..], &[1, 2, 3]].concat());
    assert_eq!(explanation.form, Some(Form::Inbox));
    let broken = only_break(&explanation);
    assert_eq!(broken.path, "items[0].frames[1].channel_id");
    assert_eq!(broken.offset, Some(item.len() as u64));
    // what stands before the break is told down to the bottom
    assert_eq!(batches(&explanation), batches(&explain_one(item)));
}

#[test]
fn frames_of_several_items_make_one_channel() {
    let Some(whole) = singular_item() else {
        return;
    };
    let frame = parse_frames(&whole, 1_000_000).unwrap().remove(0);
    let frames = split_channel(frame.id, &frame.data, 9_000).unwrap();
    assert!(frames.len() > 2);
    let items: Vec<Bytes> = frames
        .iter()
        .map(|frame| item(std::slice::from_ref(frame)))
        .collect();
    let explanation = explain(&items, &Options::default());
    assert!(explanation.sound, "{explanation}");
    assert_eq!(channel(&explanation).frames, Some(frames.len() as u64));
    let expected = explain_one(whole);
    assert_eq!(batches(&explanation), batches(&expected));

    // without its first item nothing breaks, but the channel cannot be read
    let explanation = explain(&items[1..], &Options::default());
    assert!(explanation.sound, "{explanation}");
    let channel = channel(&explanation);
    let missing = channel.missing.as_ref().unwrap();
    assert_eq!(
        (missing.ranges.as_slice(), missing.end),
        (&[(0, 0)][..], false)
    );
    assert_eq!(channel.batches.count, 0);
}

#[test]
fn names_of_forms_are_read_as_they_are_written() {
    for form in Form::ALL {
        assert_eq!(form.name().parse(), Ok(form));
        let json = serde_json::to_value(form).unwrap();
        assert_eq!(json, form.name());
    }
    assert!(
        "frame"
            .parse::<Form>()
            .unwrap_err()
            .to_string()
            .contains("decompressed")
    );
}

/// A channel of nothing compresses to something that opens.
#[test]
fn a_channel_without_batches_is_sound() {
    let explanation = explain_as(Form::Channel, zlib(&[]));
    assert!(explanation.sound);
    assert_eq!(channel(&explanation).compression, Some(Compression::Zlib));
    assert_eq!(channel(&explanation).batches.count, 0);
}
