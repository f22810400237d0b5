//! The batch queue, over whole pipelines before Holocene (opstack 3.6; opstack 11 G), by the
//! reference's names. What both stages must do is in `batch_stages`.

use crate::{support::*, world::*};
use doppio_derive::{BatchDrop, DropReason, PipelineError, ResetPoint, ResetReason};
use doppio_protocol::{
    batch::SingularBatch,
    config::{ChainConfig, Fork},
};
use std::sync::Arc;

fn delta() -> Arc<ChainConfig> {
    chain(rollup(Fork::Delta))
}

/// L1 blocks six seconds apart, and eleven L2 blocks of four epochs.
fn eleven_blocks(chain: &Arc<ChainConfig>) -> (L1, Vec<SingularBatch>) {
    let l1 = timeline(chain, &[6, 12, 18, 24, 30]);
    let mut sequencer = Sequencer::new(&l1);
    let batches = (0..11).map(|n| sequencer.block([l2_tx(n)])).collect();
    (l1, batches)
}

const ELEVEN: [(u64, u64); 11] = [
    (2, 0),
    (4, 0),
    (6, 1),
    (8, 1),
    (10, 1),
    (12, 2),
    (14, 2),
    (16, 2),
    (18, 3),
    (20, 3),
    (22, 3),
];

/// Asserts that the eleven blocks are derived from the fifth L1 block.
#[track_caller]
fn assert_eleven(node: &Node) {
    let expected = ELEVEN.map(|(time, origin)| (time, origin, 5));
    assert_eq!(times(node), expected);
    let transactions: Vec<_> = (0..11).map(|n| vec![l2_tx(n)]).collect();
    assert_eq!(node.derived_transactions(), transactions);
}

// TestBatchQueue_Missing: a gap waits, is filled once its sequencing window has passed, and the
// batch behind it counts
#[test]
fn missing() {
    for form in [BatchForm::Singular, BatchForm::Span] {
        let mut rollup = rollup(Fork::Delta);
        rollup.seq_window_size = 2;
        let chain = chain(rollup);
        let mut l1 = timeline(&chain, &[5, 10, 15]);
        let mut sequencer = Sequencer::new(&l1);
        let origin = l1.blocks[0].clone();
        sequencer.block_at(&origin, []);
        sequencer.block_at(&origin, []);
        let sixth = sequencer.block_at(&origin, [l2_tx(6)]);
        sequencer.block_at(&origin, []);
        let next = l1.blocks[1].clone();
        sequencer.block_at(&next, []);
        // never comes to be: the block before it will not have this hash
        let twelfth = sequencer.block_at(&next, [l2_tx(12)]);
        let strings = strings_of(&chain, form, &[sixth, twelfth], &[1, 1]);
        put(&mut l1, 1, channels_of(&strings));
        let node = derive(&l1);
        let expected = [(2, 0, 2), (4, 0, 2), (6, 0, 2), (8, 1, 3)];
        assert_eq!(times(&node), expected, "{form:?}");
        assert_eq!(
            node.derived_transactions(),
            [vec![], vec![], vec![l2_tx(6)], vec![]]
        );
        assert_eq!(node.reasons(), [], "{form:?}");
    }
}

// TestBatchQueue_Shuffle
#[test]
fn shuffle_of_singular_batches() {
    let chain = delta();
    let (l1, batches) = eleven_blocks(&chain);
    let strings = strings_of(&chain, BatchForm::Singular, &batches, &[]);
    for order in 0..40 {
        let mut strings = strings.clone();
        // spread over all 39,916,800 orders
        shuffle(&mut strings, order * 997_921);
        let mut l1 = l1.clone();
        put(&mut l1, 5, channels_of(&strings));
        assert_eleven(&derive(&l1));
        // all in one channel
        put(&mut l1, 5, [L1Tx::inbox(item(1, &strings))]);
        assert_eleven(&derive(&l1));
    }
}

// TestBatchQueue_Shuffle
#[test]
fn shuffle_of_span_batches() {
    let chain = delta();
    let (l1, batches) = eleven_blocks(&chain);
    let strings = strings_of(&chain, BatchForm::Span, &batches, &[4, 2, 2, 3]);
    for order in 0..24 {
        let mut strings = strings.clone();
        shuffle(&mut strings, order);
        let mut l1 = l1.clone();
        put(&mut l1, 5, channels_of(&strings));
        let node = derive(&l1);
        assert_eleven(&node);
        assert_eq!(node.reasons(), []);
    }
}

// TestBatchQueueComplex: singular batches and spans, with overlaps, in any order
#[test]
fn complex() {
    let chain = delta();
    let (l1, batches) = eleven_blocks(&chain);
    let span_of = |blocks: std::ops::Range<usize>| span(&chain, 100, &batches[blocks]);
    let strings = [
        span_of(0..4),
        batches[4].encode(),
        span_of(3..6),
        batches[6].encode(),
        span_of(6..8),
        span_of(8..11),
    ];
    for order in 0..60 {
        let mut strings = strings.clone();
        shuffle(&mut strings, order * 12);
        let mut l1 = l1.clone();
        put(&mut l1, 5, channels_of(&strings));
        assert_eleven(&derive(&l1));
    }
}

/// Where batches come from makes no difference as long as all are there in time.
#[test]
fn batches_may_be_spread_over_l1_blocks_in_any_order() {
    let chain = delta();
    let (l1, batches) = eleven_blocks(&chain);
    for order in 0..30 {
        let mut strings = strings_of(&chain, BatchForm::Singular, &batches, &[]);
        shuffle(&mut strings, order * 1_299_709);
        let mut l1 = l1.clone();
        let transactions = channels_of(&strings);
        // none can come before its own L1 origin
        l1.add(transactions[..4].to_vec());
        l1.add(transactions[4..8].to_vec());
        l1.add(transactions[8..].to_vec());
        let node = derive(&l1);
        let found: Vec<_> = times(&node)
            .iter()
            .map(|(time, origin, _)| (*time, *origin))
            .collect();
        assert_eq!(found, ELEVEN);
    }
}

// opstack 3.6: Undecided stops the scan
#[test]
fn a_batch_that_cannot_be_decided_holds_up_those_behind_it() {
    let chain = delta();
    let (l1, batches) = eleven_blocks(&chain);
    let span_of = |blocks: std::ops::Range<usize>| span(&chain, 100, &batches[blocks]);
    let [first, second, third] = [span_of(0..3), span_of(3..5), span_of(5..8)];
    // The batches of the first epoch's end are in the L1 block that is their origin, where the
    // next epoch is not known yet.
    for (strings, derived_from) in [
        ([&first, &second, &third], 1),
        ([&first, &third, &second], 2),
    ] {
        let mut l1 = l1.clone();
        put(&mut l1, 1, channels_of(&strings.map(Vec::clone)));
        let node = derive(&l1);
        let found = times(&node);
        assert_eq!(found[2], (6, 1, 1));
        assert_eq!(found[3], (8, 1, derived_from));
        assert_eq!(found[5], (12, 2, 2));
        assert_eq!(found.len(), 8);
    }
}

/// The reference never finds the block before genesis, stays undecided, and so do we. Only a
/// batcher can do this to its own chain.
#[test]
fn a_span_from_genesis_on_holds_up_the_queue_for_good() {
    let chain = delta();
    let (mut l1, batches) = eleven_blocks(&chain);
    let genesis = SingularBatch {
        timestamp: GENESIS_TIME,
        epoch_num: 100,
        ..SingularBatch::default()
    };
    let from_genesis = [&[genesis], &batches[..1]].concat();
    let strings = [span(&chain, 100, &from_genesis), batches[0].encode()];
    put(&mut l1, 1, channels_of(&strings));
    l1.add_empty(30);
    let node = derive(&l1);
    assert_eq!(node.safe_number(), 0);
    assert_eq!(node.reasons(), []);
}

/// A batch that is invalid costs nothing but itself.
#[test]
fn an_invalid_batch_in_between_is_left_out() {
    let chain = delta();
    let (l1, batches) = eleven_blocks(&chain);
    let invalid = |edit: Edit| {
        let mut batch = batches[1].clone();
        edit(&mut batch);
        batch.encode()
    };
    let mut strings = strings_of(&chain, BatchForm::Singular, &batches, &[]);
    let cases: [(Edit, BatchDrop); 4] = [
        (|batch| batch.parent_hash.0[0] ^= 1, BatchDrop::ParentHash),
        (|batch| batch.epoch_hash.0[0] ^= 1, BatchDrop::EpochHash),
        (|batch| batch.epoch_num += 2, BatchDrop::EpochTooNew),
        (
            |batch| batch.transactions = [[0x7e]].iter().collect(),
            BatchDrop::DepositTransaction,
        ),
    ];
    for (edit, broken) in cases {
        strings.insert(1, invalid(edit));
        let mut l1 = l1.clone();
        put(&mut l1, 5, [L1Tx::inbox(item(1, &strings))]);
        let node = derive(&l1);
        assert_eleven(&node);
        assert_eq!(node.reasons(), [DropReason::Batch(broken)]);
        strings.remove(1);
    }
}

/// Of two valid batches for one block the one that was included first counts.
#[test]
fn the_first_valid_batch_wins() {
    let chain = delta();
    let (mut l1, batches) = eleven_blocks(&chain);
    let other = Sequencer::new(&l1).block([l2_tx(99)]);
    let strings = [batches[1].encode(), other.encode(), batches[0].encode()];
    put(&mut l1, 5, channels_of(&strings));
    let node = derive(&l1);
    assert_eq!(node.derived_transactions(), [vec![l2_tx(99)]]);
    // neither the one that came later nor the one that was built on it
    let broken = [BatchDrop::Old, BatchDrop::ParentHash].map(DropReason::Batch);
    let mut reasons = node.reasons();
    reasons.sort_by_key(|reason| reason.name());
    assert_eq!(reasons, broken);
}

// opstack 3.6: concluding; before Holocene a span is safe as a whole or not at all
#[test]
fn a_span_is_safe_when_its_last_block_is() {
    let chain = delta();
    let (mut l1, batches) = eleven_blocks(&chain);
    let strings = strings_of(&chain, BatchForm::Span, &batches, &[4, 1, 6]);
    put(&mut l1, 5, channels_of(&strings));
    let node = derive(&l1);
    let concluding: Vec<_> = node
        .derived
        .iter()
        .map(|derived| u8::from(derived.concluding))
        .collect();
    assert_eq!(concluding, [0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 1]);
}

// TestBatchQueueResetSpan: the rest of a span goes when one of its blocks is refused, and the next
// batch on the safe head is tried
#[test]
fn a_span_with_a_refused_block_gives_way_to_the_next_batch() {
    let chain = delta();
    let (mut l1, batches) = eleven_blocks(&chain);
    let mut other = Sequencer::new(&l1);
    let replacement: Vec<_> = (20..23).map(|n| other.block([l2_tx(n)])).collect();
    let strings = [
        span(&chain, 100, &batches[..4]),
        span(&chain, 100, &replacement),
    ];
    put(&mut l1, 5, channels_of(&strings));
    let mut node = Node::new(&l1);
    node.engine.refuses = Some(l2_tx(1));
    node.run_to_end();
    let transactions = [0, 1, 20, 21, 22].map(|n| vec![l2_tx(n)]);
    assert_eq!(node.derived_transactions(), transactions);
    assert_eq!(node.pipeline.safe_head(), &other.head);
    assert_eq!(node.reasons(), [DropReason::SpanRest]);
}

// opstack 3.6: batches from before the safe head's L1 origin; kona's next_batch_origin_behind
#[test]
fn what_was_included_before_the_safe_heads_origin_is_read_and_left_out() {
    for fork in [Fork::Delta, Fork::Karst] {
        let chain = chain(rollup(fork));
        let (mut l1, batches) = eleven_blocks(&chain);
        put(&mut l1, 1, channels_of(&[batches[9].encode()]));
        let (early, late) = batches.split_at(6);
        let strings = strings_of(&chain, BatchForm::Singular, early, &[]);
        put(&mut l1, 2, channels_of(&strings));
        let strings = strings_of(&chain, BatchForm::Singular, late, &[]);
        put(&mut l1, 5, channels_of(&strings));
        let whole = derive(&l1);
        // Started again where the safe head is known and L1 is read from further back.
        let safe_head = whole.engine.at(6);
        assert_eq!(safe_head.l1_origin.number, 102, "{fork}");
        let mut restarted = Node::new(&l1);
        restarted.engine = whole.engine.clone();
        let genesis = genesis_point(&chain);
        restarted.pipeline.reset(ResetPoint {
            safe_head,
            safe_config: whole.engine.blocks[&6].system_config(&chain).unwrap(),
            ..genesis
        });
        restarted.run_to_end();
        assert_eq!(restarted.pipeline.safe_head(), whole.pipeline.safe_head());
        assert_eq!(restarted.safe_number(), 11, "{fork}");
        let behind = restarted
            .drops
            .iter()
            .filter(|drop| drop.reason == DropReason::BatchBehindOrigin);
        let blocks: Vec<_> = behind.map(|drop| drop.l1.number - 100).collect();
        let expected = if fork < Fork::Holocene {
            vec![1]
        } else {
            // a batch in the block that is its parent's origin can only be old, too
            vec![1, 2, 2, 2, 2, 2, 2]
        };
        assert_eq!(blocks, expected, "{fork}");
    }
}

// opstack 3.6: the window must begin where the safe head's epoch is
#[test]
fn a_start_too_far_ahead_is_a_reset() {
    let chain = delta();
    let l1 = timeline(&chain, &[6, 12, 18]);
    let started_at = |index: usize| {
        let mut node = Node::new(&l1);
        node.pipeline.reset(ResetPoint {
            l1_start: l1.at(index).id(),
            ..genesis_point(&chain)
        });
        node.run()
    };
    assert_eq!(started_at(0), End::Exhausted);
    assert_eq!(started_at(1), End::Exhausted);
    let mismatch = ResetReason::OriginMismatch {
        origin: l1.at(0).id(),
        first: l1.at(2).id(),
    };
    assert_eq!(started_at(2), End::Failed(PipelineError::Reset(mismatch)));
}
