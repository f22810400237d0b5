//! Where other implementations went wrong, and where kona differs from op-node: ours does as
//! op-node (field 0.4, 0.4b, and the incidents I31 to I41; opstack 3.7, kona differences).
//!
//! I42 is about a proof program's blob opening, which derivation does not make.

use crate::{support::*, world::*};
use alloy_primitives::{B256, Bytes, U256};
use doppio_compression::{BrotliError, ReadErrorKind, StreamError};
use doppio_derive::{BatchDrop, DropReason, FrameRefusal, Request, Response, Step, Undecided};
use doppio_protocol::{
    config::Fork,
    frame::{Frame, FrameError, encode_frames},
    system_config::CONFIG_UPDATE,
};
use proptest::prelude::*;

/// I31: everything that is posted ends in blocks or in a drop with its reason, in bounded time;
/// nothing is waited for.
#[test]
fn i31_every_item_ends_in_a_batch_or_a_drop() {
    for fork in FORKS {
        let world = World::at(fork);
        let good = zlib(&plain(&world.strings(4)));
        let frame = |data: &[u8]| {
            encode_frames([&Frame {
                id: id(1),
                data: Bytes::copy_from_slice(data),
                is_last: true,
                ..Frame::default()
            }])
        };
        let mut items: Vec<Bytes> = vec![
            Bytes::new(),
            Bytes::from_static(&[0]),
            Bytes::from_static(&[1, 2, 3]),
            frame(&[]),
            frame(&[0x78]),
            frame(&[0x02]),
            frame(&zlib(&[0xc0])),
            frame(&zlib(&[0x80])),
            frame(&zlib(&[5])),
        ];
        // every byte of a good channel wrong in turn
        for at in 0..good.len() {
            let mut damaged = good.clone();
            damaged[at] ^= 0x55;
            items.push(frame(&damaged));
        }
        for item in items {
            let mut l1 = world.l1.clone();
            l1.add([L1Tx::inbox(item.clone())]);
            let node = derive(&l1);
            let drops = node.drops.len() as u64;
            assert!(drops > 0, "{fork}: {item}");
            // what is derived or dropped is part of what was posted
            assert!(node.safe_number() <= 4, "{fork}: {item}");
            assert!(drops <= 5, "{fork}: {item}");
            // nothing is asked for but the block that derivation starts from
            let start = Request::L1Block(l1.at(0).hash);
            assert_eq!(node.requests, [start], "{fork}: {item}");
        }
    }
}

/// I34: one blob for one payload. Bytes behind the data must be zero.
#[test]
fn i34_padding_that_is_not_zero() {
    let world = World::at(Fork::Karst);
    let data = item(1, &world.strings(2));
    let (hash, good) = blob(&data);
    let mut padded = good.clone();
    *padded.last_mut().unwrap() = 1;
    for (blob, expected) in [(good, 2), (padded, 0)] {
        let mut l1 = world.l1.clone();
        l1.add([L1Tx::blobs(BATCHER, INBOX, &[(hash, blob.clone())])]);
        let mut node = Node::new(&l1);
        node.blobs.insert(hash, blob);
        node.run_to_end();
        assert_eq!(node.safe_number(), expected);
        let dropped = node.reasons();
        assert!(
            dropped
                .iter()
                .all(|reason| matches!(reason, DropReason::Blob(_)))
        );
        assert_eq!(dropped.is_empty(), expected == 2);
    }
}

/// I37 (optimism 22629): a span that needs a block which the execution engine does not answer with
/// waits for it, where both clients lose the span. Nothing of the pipeline has changed meanwhile.
#[test]
fn i37_a_failed_lookup_leaves_the_pipeline_unchanged() {
    for fork in FORKS {
        let world = World::at(fork);
        let strings = [
            world.span(0..2),
            world.span(0..4),
            world.batches[0].encode(),
        ];
        let prompt = world.read([zlib(&plain(&strings))]);
        assert_eq!(prompt.safe_number(), 4, "{fork}");

        let mut node = Node::new(&prompt.l1);
        let mut unanswered = Vec::new();
        loop {
            match node.pipeline.step().unwrap() {
                Step::Need(request) => {
                    // the engine does not answer: asked again, the pipeline asks for the same
                    for _ in 0..3 {
                        let again = node.pipeline.step().unwrap();
                        assert!(matches!(again, Step::Need(again) if again == request));
                    }
                    let answer = node.answer(&request).unwrap();
                    node.pipeline.supply(answer).unwrap();
                    unanswered.push(request);
                }
                Step::Attributes(derived) => {
                    let outcome = node.engine.execute(&derived);
                    node.pipeline.executed(outcome).unwrap();
                    node.derived.push(derived);
                }
                Step::Exhausted(origin) => {
                    let Some(next) = node.l1.by_number(origin.number + 1).cloned() else {
                        break;
                    };
                    node.pipeline.supply(Response::NextL1Block(next)).unwrap();
                }
            }
        }
        for number in 0..=2 {
            assert!(unanswered.contains(&Request::L2Block(number)), "{fork}");
        }
        assert_eq!(node.derived, prompt.derived, "{fork}");
        assert_eq!(unanswered, prompt.requests, "{fork}");
        let mut prompt = prompt;
        assert_eq!(
            node.pipeline.drops().counts(),
            prompt.pipeline.drops().counts(),
            "{fork}"
        );
    }
}

/// I37: what no answer can decide is decided as both clients do: the span is consumed.
#[test]
fn i37_a_span_whose_last_origin_is_unknown_is_consumed() {
    let chain = chain(rollup(Fork::Holocene));
    let mut l1 = timeline(&chain, &[6, 12, 18]);
    let mut sequencer = Sequencer::new(&l1);
    let batches: Vec<_> = (0..6).map(|n| sequencer.block([l2_tx(n)])).collect();
    assert_eq!(batches[5].epoch_num, 102);
    put(
        &mut l1,
        1,
        [L1Tx::inbox(item(1, &[span(&chain, 100, &batches)]))],
    );
    let node = derive(&l1);
    assert_eq!(node.safe_number(), 0);
    let lost = DropReason::BatchUndecided(Undecided::LastOrigin);
    assert_eq!(node.reasons(), [lost]);
}

/// I38 (optimism 22215): the part of a span that is safe already is compared byte by byte, under
/// Holocene too.
#[test]
fn i38_the_overlap_is_compared() {
    for (fork, flushed) in FORKS.into_iter().zip([false, true]) {
        let world = World::at(fork);
        let mut told = world.batches.clone();
        // the same transaction but for its last byte, which belongs to the signature
        let mut transaction = l2_tx(0).to_vec();
        *transaction.last_mut().unwrap() ^= 1;
        told[0].transactions = [transaction].iter().collect();
        let strings = [world.batches[0].encode(), span(&world.chain, 100, &told)];
        let node = world.read([zlib(&plain(&strings))]);
        assert_eq!(node.safe_number(), 1, "{fork}");
        let mut expected = vec![DropReason::Batch(BatchDrop::OverlapTransactions)];
        if flushed {
            expected.push(DropReason::ChannelFlushed);
        }
        assert_eq!(node.reasons(), expected, "{fork}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// I39 (optimism 19494, 19511, 19491, 19510): bytes from outside never stop derivation, and
    /// never make it wait. kona returned a critical error, op-node retried with ever longer pauses.
    #[test]
    fn i39_malformed_spans_are_dropped(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::weighted(0.3, any::<prop::sample::Index>()),
    ) {
        for fork in FORKS {
            let world = World::at(fork);
            let mut span = world.span(0..4);
            for (index, value) in &edits {
                // behind the type byte, or it would be no span
                let at = 1 + index.index(span.len() - 1);
                span[at] = *value;
            }
            if let Some(cut) = cut {
                span.truncate(1 + cut.index(span.len() - 1));
            }
            let node = world.read([zlib(&plain(&[span])), zlib(&plain(&world.strings(4)))]);
            // what it was worth, then what came behind it: one chain of blocks or the other
            prop_assert!(node.safe_number() <= 4);
            if node.derived.is_empty() {
                prop_assert!(!node.drops.is_empty());
            }
        }
    }
}

/// I40 (optimism 21793): where a brotli stream is no longer one, and what of it still counts. The
/// verdicts are those of andybalholm/brotli 1.2.2, run on the same streams.
#[test]
fn i40_the_boundary_of_brotli() {
    for fork in FORKS {
        let world = World::at(fork);
        let good = brotli(&plain(&world.strings(3)));
        let with = |edit: &dyn Fn(&mut Vec<u8>)| {
            let mut channel = good.clone();
            edit(&mut channel);
            let (derived, reasons) = world.outcome(channel);
            let kind = match reasons.as_slice() {
                [] => None,
                [DropReason::ChannelRead(error)] => Some(error.kind),
                other => panic!("{other:?}"),
            };
            (derived, kind)
        };
        let brotli_error = |error| Some(ReadErrorKind::Stream(StreamError::Brotli(error)));
        assert_eq!(with(&|_| ()), (3, None), "{fork}");
        // the last meta-block is missing: the stream is cut off, but at the end of a string
        assert_eq!(
            with(&|channel| channel.truncate(channel.len() - 1)),
            (3, None)
        );
        // padding bits behind the last meta-block: found before its content is given out, which
        // is lost with it
        assert_eq!(
            with(&|channel| *channel.last_mut().unwrap() |= 0x80),
            (0, brotli_error(BrotliError::Padding2)),
            "{fork}"
        );
        // a byte behind the stream
        assert_eq!(
            with(&|channel| channel.push(0)),
            (3, brotli_error(BrotliError::ExcessiveInput)),
            "{fork}"
        );
    }
}

/// I40 (optimism 22834, 19333): how many of eight batches a broken channel gives. What a
/// decompressor has given out counts; what it gives out together with an error does not, and that
/// depends on sizes. The numbers are those of op-node 1.19.6, whose reader was run on the same
/// channels.
#[test]
fn i40_what_counts_of_a_broken_channel() {
    for (size, checksum, truncated, padding, excessive) in [
        (10, 8, 8, 0, 8),
        (1000, 8, 8, 3, 8),
        (4096, 8, 8, 0, 8),
        (5000, 8, 8, 7, 8),
        (20_000, 7, 7, 6, 7),
        (33_000, 8, 8, 7, 7),
    ] {
        let chain = chain(rollup(Fork::Karst));
        let mut l1 = L1::new(&chain);
        l1.add_empty(3);
        let mut sequencer = Sequencer::new(&l1);
        let tx = |n: u64| Bytes::from([vec![0x42; size], n.to_be_bytes().to_vec()].concat());
        let batches: Vec<_> = (0..8).map(|n| sequencer.block([tx(n)])).collect();
        let content = plain(&strings_of(&chain, BatchForm::Singular, &batches, &[]));
        let derived = |mut channel: Vec<u8>, edit: fn(&mut Vec<u8>)| {
            edit(&mut channel);
            let mut l1 = l1.clone();
            l1.add([L1Tx::inbox(item_of(1, channel))]);
            derive(&l1).safe_number()
        };
        let whole = [zlib(&content), brotli(&content)].map(|channel| derived(channel, |_| ()));
        assert_eq!(whole, [8, 8], "{size}");
        let found = (
            size,
            derived(zlib(&content), |channel| *channel.last_mut().unwrap() ^= 1),
            derived(zlib(&content), |channel| {
                channel.truncate(channel.len() - 2)
            }),
            derived(brotli(&content), |channel| {
                *channel.last_mut().unwrap() |= 0x80
            }),
            derived(brotli(&content), |channel| channel.push(0)),
        );
        assert_eq!(found, (size, checksum, truncated, padding, excessive));
    }
}

/// I41 (optimism 19335): `is_last` is 0 or 1, or all frames of the transaction are lost.
#[test]
fn i41_is_last_of_another_value() {
    for fork in FORKS {
        let world = World::at(fork);
        let whole = item(1, &world.strings(2));
        for value in [2, 0x80, 0xff] {
            let mut bad = whole.to_vec();
            *bad.last_mut().unwrap() = value;
            let mut l1 = world.l1.clone();
            l1.add([L1Tx::inbox(bad), L1Tx::inbox(item(2, &world.strings(1)))]);
            let node = derive(&l1);
            let error = FrameError::IsLast {
                index: 0,
                byte: value,
            };
            assert_eq!(node.reasons(), [DropReason::Frames(error)], "{fork}");
            assert_eq!(node.safe_number(), 1, "{fork}");
        }
    }
}

/// I41 (optimism 22833): a channel id that is used again in one transaction. kona drops the frames
/// of the complete channel too.
#[test]
fn i41_a_channel_id_that_is_used_again() {
    let world = World::at(Fork::Karst);
    let first = frames(1, &channel(&world.strings(1)), 2);
    let second = frames(2, &channel(&[world.batches[1].encode()]), 1);
    // channel 1 once more, not closed, then another one
    let again = frames(1, &channel(&[world.batches[2].encode()]), 2);
    let third = frames(3, &channel(&[world.batches[2].encode()]), 1);
    let frames = [&first[0], &first[1], &second[0], &again[0], &third[0]];
    let mut l1 = world.l1;
    l1.add([L1Tx::inbox(encode_frames(frames))]);
    let node = derive(&l1);
    assert_eq!(node.reason_names(), ["frame_order"]);
    assert_eq!(node.safe_number(), 3);
}

/// field 0.4b (a): a singular batch with the right time and epoch on an unknown parent. kona
/// overwrites the parent hash of every batch under Holocene; op-node of those out of spans only.
#[test]
fn kona_accepts_singular_batches_on_unknown_parents() {
    for fork in [Fork::Granite, Fork::Holocene, Fork::Karst] {
        let world = World::at(fork);
        let mut batch = world.batches[0].clone();
        batch.parent_hash = B256::repeat_byte(0x99);
        let (derived, reasons) = world.outcome(zlib(&plain(&[batch.encode()])));
        assert_eq!(derived, 0, "{fork}");
        let parent_hash = DropReason::Batch(BatchDrop::ParentHash);
        assert_eq!(reasons[0], parent_hash, "{fork}");
    }
    // of a span the first block's parent is checked, and the others' is filled in
    let world = World::at(Fork::Karst);
    let mut batches = world.batches.clone();
    for batch in &mut batches[1..] {
        batch.parent_hash = B256::repeat_byte(0x99);
    }
    let outcome = world.outcome(zlib(&plain(&[span(&world.chain, 100, &batches)])));
    assert_eq!(outcome, (4, vec![]));
}

/// field 0.4b (b): kona-derive 0.4.5 panics on a batch of unknown type.
#[test]
fn kona_panics_on_unknown_batch_types() {
    for fork in FORKS {
        let world = World::at(fork);
        for kind in 2..=u8::MAX {
            let strings = [world.batches[0].encode(), vec![kind, 0xc0]];
            let (derived, reasons) = world.outcome(zlib(&plain(&strings)));
            assert_eq!((derived, reasons.len()), (1, 1), "{fork}, {kind}");
            assert_eq!(reasons[0].name(), "batch_decode", "{fork}, {kind}");
        }
    }
}

/// optimism 20011: kona once completed channels whose frames came out of order, in transactions of
/// their own, where the frame queue does not see them together.
#[test]
fn kona_completed_channels_out_of_order() {
    let world = World::at(Fork::Karst);
    let whole = frames(1, &channel(&world.strings(2)), 3);
    let mut l1 = world.l1;
    for number in [0, 2, 1] {
        l1.add([L1Tx::inbox(encode_frames([&whole[number]]))]);
    }
    let node = derive(&l1);
    assert_eq!(node.safe_number(), 0);
    let not_next = DropReason::Frame(FrameRefusal::NotNext);
    assert_eq!(node.reasons(), [not_next]);
}

/// opstack 3.7: kona's attributes builder takes a malformed update of the system configuration for
/// a critical error; op-node leaves it out.
#[test]
fn kona_stops_at_malformed_configuration_updates() {
    let chain = chain(rollup(Fork::Karst));
    let mut l1 = timeline(&chain, &[6, 12, 18]);
    let update = |kind: u64, data: Vec<u8>| {
        let topics = vec![CONFIG_UPDATE, B256::ZERO, B256::from(U256::from(kind))];
        log(SYSTEM_CONFIG, topics, data)
    };
    let gas_limit = |limit: u64| {
        [32, 32, limit]
            .map(|word| U256::from(word).to_be_bytes::<32>())
            .concat()
    };
    let updates = vec![
        update(2, vec![1, 2, 3]),
        update(99, gas_limit(5)),
        update(2, gas_limit(40_000_000)),
    ];
    put(&mut l1, 1, [L1Tx::with_logs(updates)]);
    let mut sequencer = Sequencer::new(&l1);
    let batches: Vec<_> = (0..4).map(|n| sequencer.block([l2_tx(n)])).collect();
    assert_eq!(batches[2].epoch_num, 101);
    let strings = strings_of(&chain, BatchForm::Singular, &batches, &[]);
    put(&mut l1, 3, [L1Tx::inbox(item(1, &strings))]);
    let node = derive(&l1);
    assert_eq!(node.safe_number(), 4);
    let limits: Vec<_> = node
        .derived
        .iter()
        .map(|derived| derived.attributes.gas_limit)
        .collect();
    assert_eq!(limits, [30_000_000, 30_000_000, 40_000_000, 40_000_000]);
}

/// opstack 3.7: kona generates empty blocks in the L1 block in which a sequencing window ends, and
/// op-node only when that block has nothing more. The batch in it must win.
#[test]
fn kona_forces_empty_blocks_at_the_end_of_the_window() {
    for fork in FORKS {
        let chain = chain(rollup(fork));
        let mut l1 = L1::new(&chain);
        l1.add_empty(21);
        let mut sequencer = Sequencer::new(&l1);
        let batches: Vec<_> = (0..3).map(|n| sequencer.block([l2_tx(n)])).collect();
        let strings = strings_of(&chain, BatchForm::Singular, &batches, &[]);
        // in channels of their own, behind one that is empty and one that is of no use
        let mut transactions = channels_of(&strings);
        transactions.insert(0, L1Tx::inbox(item(9, &[])));
        transactions.insert(0, L1Tx::inbox(item(8, &[vec![7]])));
        put(&mut l1, 20, transactions);
        let node = derive(&l1);
        let transactions: Vec<_> = (0..3).map(|n| vec![l2_tx(n)]).collect();
        assert_eq!(node.derived_transactions()[..3], transactions, "{fork}");
    }
}
