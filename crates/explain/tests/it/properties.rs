//! What holds for any bytes.

use crate::support::*;
use alloy_primitives::{Address, B256, Bytes};
use doppio_explain::{Chain, Detail, Explanation, Form, Options, explain, parse_input};
use doppio_protocol::{
    batch::{SingularBatch, put_uvarint},
    blob::encode_blob,
    deposit::DepositTx,
};
use proptest::{collection::vec, prelude::*, sample::select};

/// Every form, forced and found, with and without knowing the chain, each twice: nothing panics,
/// and both times the same is told.
fn assert_explained(data: &[Bytes]) {
    let forms = Form::ALL.into_iter().map(Some).chain([None]);
    for form in forms {
        for chain_id in [None, Some(10)] {
            for in_order in [true, false] {
                let mut options = Options {
                    form,
                    detail: Detail::SHORT,
                    chain: Chain {
                        chain_id,
                        block_time: chain_id,
                        ..Chain::default()
                    },
                    ..Options::default()
                };
                options.rules.in_order = in_order;
                options.rules.celo_dynamic_fee_v2 = in_order;
                let explanation = explain(data, &options);
                assert_consistent(&explanation);
                assert!(explanation == explain(data, &options));
            }
        }
    }
}

fn assert_consistent(explanation: &Explanation) {
    let breaks = explanation.breaks.len() as u64;
    assert!(breaks <= explanation.break_count);
    if explanation.sound {
        assert!(explanation.break_count == 0 && explanation.content.is_some());
    }
    let json = serde_json::to_value(explanation).unwrap();
    // every break that a node points to is there
    fn positions(value: &serde_json::Value, found: &mut Vec<u64>) {
        match value {
            serde_json::Value::Object(fields) => {
                fields
                    .iter()
                    .for_each(|(name, value)| match value.as_u64() {
                        Some(position) if name == "broken" => found.push(position),
                        _ => positions(value, found),
                    })
            }
            serde_json::Value::Array(values) => {
                values.iter().for_each(|value| positions(value, found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    positions(&json["content"], &mut found);
    assert!(
        found.iter().all(|position| *position < breaks),
        "{explanation}"
    );
    // no break is pointed to twice
    found.sort_unstable();
    assert!(found.is_sorted_by(|a, b| a < b), "{explanation}");
    assert!(!explanation.to_string().is_empty());
}

/// First bytes that lead somewhere.
fn lead() -> impl Strategy<Value = Vec<u8>> {
    let leads: Vec<Vec<u8>> = vec![
        vec![],
        vec![0],
        vec![1],
        vec![1, 0],
        vec![1, 1, 0, 3],
        vec![0x78, 0xda],
        vec![0x02, 0xf8],
        vec![0x7b, 0xf8],
        vec![0x7e, 0xf8],
        vec![0, 0xf8, 0x60, 0xa0],
        item(&[frame(1, 0, b"x", false)]).to_vec(),
        strings(&[SingularBatch::default().encode()]),
        strings(&[vec![1]]),
    ];
    select(leads)
}

/// A span batch with something in each field.
fn span() -> Vec<u8> {
    let mut batch = vec![1, 10, 100];
    batch.extend([7; 40]);
    batch.extend([2, 0b10, 1, 2, 0b010, 0b101]);
    batch.extend([9; 3 * 64 + 2 * 20]);
    batch.extend([0xc3, 1, 2, 0x80]);
    batch.extend([2, 0xc5, 1, 2, 3, 0x80, 0xc0]);
    batch.extend([0xc3, 1, 2, 0x80]);
    batch.extend([5, 6, 7, 8, 9, 10, 0b01]);
    batch
}

/// Sound data of each form.
fn sound() -> impl Strategy<Value = Vec<u8>> {
    let deposit = DepositTx::default().encode().to_vec();
    let singular = SingularBatch {
        transactions: [&deposit[..], &[2, 0xc0]].iter().collect(),
        ..SingularBatch::default()
    }
    .encode();
    let strings = strings(&[singular.clone(), span()]);
    let channel = zlib(&strings);
    let item = item(&[
        frame(1, 0, &channel[..10], false),
        frame(1, 1, &channel[10..], true),
    ]);
    select(vec![
        deposit,
        singular,
        span(),
        strings,
        channel,
        item.to_vec(),
        vec![1, 1, 0, 3, 0xc0],
    ])
}

#[test]
fn the_span_that_is_changed_below_is_sound() {
    let explanation = explain_one(span());
    assert_eq!(explanation.form, Some(Form::Batch));
    assert!(explanation.sound, "{explanation}");
    assert_eq!(batches(&explanation)[0].trailing, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_bytes_make_it_panic(lead in lead(), tail in vec(any::<u8>(), 0..400)) {
        assert_explained(&[[lead, tail].concat().into()]);
    }

    #[test]
    fn no_change_to_sound_bytes_makes_it_panic(
        mut bytes in sound(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        for (position, byte) in changes {
            let position = position.index(bytes.len());
            bytes[position] = byte;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        assert_explained(&[bytes.into()]);
    }

    #[test]
    fn no_several_items_make_it_panic(
        frames in vec((0u8..3, 0u16..4, any::<bool>(), vec(any::<u8>(), 0..30)), 0..12),
        size in 1usize..4,
    ) {
        let frames: Vec<_> = frames
            .into_iter()
            .map(|(id, number, is_last, data)| frame(id, number, &data, is_last))
            .collect();
        let items: Vec<Bytes> = frames.chunks(size).map(item).collect();
        assert_explained(&items);
    }

    #[test]
    fn no_text_makes_the_input_panic(text in "(0x|0|[0-9a-g]|\\s|ä){0,40}") {
        parse_input(text.as_bytes());
    }
}

#[test]
fn no_blob_makes_it_panic() {
    let mut blob = *encode_blob(&item_of_batches(&[span()])).unwrap();
    assert_explained(&[blob.to_vec().into()]);
    for position in [0, 1, 2, 3, 4, 40, 64, 200, 131_071] {
        blob[position] ^= 0x5a;
        assert_explained(&[blob.to_vec().into()]);
    }
}

/// A million transactions of one byte, each of which breaks: all are counted, a few are told.
#[test]
fn what_is_told_is_bounded_and_what_is_counted_is_not() {
    const COUNT: usize = 1_000_000;
    let batch = SingularBatch {
        transactions: std::iter::repeat_n([5u8], COUNT).collect(),
        ..SingularBatch::default()
    };
    let data = [item_of_batches(&[batch.encode()])];
    let options = Options {
        detail: Detail {
            total: 1_000,
            ..Detail::FULL
        },
        ..Options::default()
    };
    let explanation = explain(&data, &options);
    assert_eq!(explanation.break_count, COUNT as u64);
    assert_eq!(explanation.breaks.len(), 1_000);
    let (_, _, transactions) = blocks(batches(&explanation)[0])[0];
    assert!(transactions.len() <= 1_000);
    let text = explanation.to_string();
    assert!(text.contains("more transactions") && text.contains("1,000,000 breaks:"));
}

/// A span may claim ten million blocks in a few bytes per block; compressed they are nothing.
#[test]
fn a_span_of_a_million_blocks_costs_no_more_than_is_told() {
    const COUNT: u64 = 1_000_000;
    let mut batch = vec![1, 0, 100];
    batch.extend([7; 40]);
    put_uvarint(COUNT, &mut batch);
    batch.resize(batch.len() + 1_125_000, 0);
    let compressed = zlib(&strings(&[batch]));
    assert!(compressed.len() < 10_000);
    let options = Options {
        detail: Detail::SHORT,
        ..Options::default()
    };
    let explanation = explain(&[compressed.into()], &options);
    assert!(explanation.sound, "{explanation}");
    let span = crate::support::span(batches(&explanation)[0]);
    assert_eq!(span.blocks.count, COUNT);
    assert_eq!(span.blocks.items.len(), Detail::SHORT.blocks);
    assert_eq!(span.blocks.omitted(), COUNT - Detail::SHORT.blocks as u64);
    assert!(explanation.to_string().contains("… 999,994 more blocks"));
}

/// Whether something breaks does not depend on how much is told of it.
#[test]
fn a_break_is_told_however_far_behind_it_is() {
    let mut transactions: Vec<Vec<u8>> = vec![DepositTx::default().encode().to_vec(); 1];
    let sound = SingularBatch::default().encode();
    let broken = SingularBatch {
        parent_hash: B256::from(Address::ZERO.into_word()),
        transactions: transactions.drain(..).collect(),
        ..SingularBatch::default()
    };
    let mut all = vec![sound; 100];
    all.push(broken.encode());
    let options = Options {
        detail: Detail::SHORT,
        ..Options::default()
    };
    let explanation = explain(&[item_of_batches(&all)], &options);
    assert!(!explanation.sound);
    let told = batches(&explanation);
    assert_eq!(told.len(), Detail::SHORT.batches + 1);
    assert_eq!(told.last().unwrap().index, 100);
    assert_eq!(
        only_break(&explanation).path,
        "channels[0].batches[100].transactions[0]"
    );
}

/// Channels are bombs: each decompresses to the limit on one channel. The limit on all ends it.
#[test]
fn work_on_many_channels_is_bounded() {
    let plain = strings(&vec![SingularBatch::default().encode(); 1_000]);
    let frames: Vec<_> = (0..10)
        .map(|id| frame(id, 0, &zlib(&plain), true))
        .collect();
    let options = Options {
        max_decompressed: 3 * plain.len() as u64 - 1,
        ..Options::default()
    };
    let explanation = explain(&[item(&frames)], &options);
    let unread = |channel: &doppio_explain::Channel| channel.unread;
    let channels = &inbox(&explanation).channels.items;
    assert_eq!(channels.iter().position(unread), Some(3));
    assert!(channels[3..].iter().all(unread));
    // nothing breaks, but it was not all read either
    assert_eq!(explanation.break_count, 0);
    assert!(!explanation.sound);
}

/// The budget of a channel ends a bomb, and is the protocol's.
#[test]
fn a_bomb_ends_at_the_budget_of_its_channel() {
    let plain = strings(&vec![SingularBatch::default().encode(); 1_000]);
    let mut options = Options::default();
    options.rules.max_rlp_bytes = plain.len() as u64 / 2 + 3;
    let explanation = explain(&[zlib(&plain).into()], &options);
    let broken = only_break(&explanation);
    assert_eq!(broken.rule, "opstack 2.8 |1");
    let read = channel(&explanation).decompressed;
    assert!(read <= options.rules.max_rlp_bytes);
    assert_eq!(broken.offset, Some(read));
}

/// A few screens, whatever the data is.
#[test]
fn the_short_text_is_short() {
    let Some(vectors) = doppio_test_vectors::Vectors::find("opstack") else {
        return;
    };
    let data = parse_input(&vectors.bytes("channels/zlib_channel.hex"));
    let options = Options {
        detail: Detail::SHORT,
        ..Options::default()
    };
    let lines = |explanation: &Explanation| explanation.to_string().lines().count();
    assert!(lines(&explain(&data, &options)) < 100);
    // a line for each block, and three or two for each transaction
    let full = lines(&explain(&data, &Options::default()));
    assert!(full > 2 * 1_766 + 143, "{full}");
}
