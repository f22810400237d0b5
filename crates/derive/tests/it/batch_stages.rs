//! What the batch queue and the batch stage both do, with batches of both forms (opstack 11 G,
//! TestBatchStages), by the reference's names. NewOrigin and ResetOneBlockBeforeOrigin are tests of
//! the window of L1 blocks.

use crate::{support::*, world::*};
use doppio_derive::DropReason;
use doppio_protocol::config::Fork;

/// Queue and stage, singular and span.
fn each(test: impl Fn(Fork, BatchForm)) {
    for fork in FORKS {
        for form in [BatchForm::Singular, BatchForm::Span] {
            test(fork, form);
        }
    }
}

/// Batches of one epoch come out at once.
#[test]
fn eager() {
    each(|fork, form| {
        let chain = chain(rollup(fork));
        let mut l1 = timeline(&chain, &[10, 20]);
        let mut sequencer = Sequencer::new(&l1);
        let origin = l1.blocks[0].clone();
        let batches: Vec<_> = (0..6)
            .map(|n| sequencer.block_at(&origin, [l2_tx(n)]))
            .collect();
        let strings = strings_of(&chain, form, &batches, &[1, 2, 3]);
        put(&mut l1, 1, channels_of(&strings));
        let node = derive(&l1);
        let expected: Vec<_> = (1..=6).map(|n| (2 * n, 0, 1)).collect();
        assert_eq!(times(&node), expected, "{fork} {form:?}");
        assert_eq!(node.pipeline.safe_head(), &sequencer.head);
        assert_eq!(node.reasons(), []);
    });
}

/// No epoch is left out when the chain goes on by itself.
#[test]
fn invalid_internal_advance() {
    each(|fork, form| {
        let mut rollup = rollup(fork);
        rollup.seq_window_size = 2;
        rollup.genesis.l2_time += 5;
        let chain = chain(rollup);
        let mut l1 = timeline(&chain, &[5, 10, 15, 20, 25]);
        let mut sequencer = Sequencer::new(&l1);
        let origin = l1.blocks[0].clone();
        let batches: Vec<_> = (0..6)
            .map(|n| sequencer.block_at(&origin, [l2_tx(n)]))
            .collect();
        let strings = strings_of(&chain, form, &batches, &[1, 2, 3]);
        put(&mut l1, 1, channels_of(&strings));
        let node = derive(&l1);
        let mut expected: Vec<_> = (1..=6).map(|n| (5 + 2 * n, 0, 1)).collect();
        // one block for each epoch as its window passes, none in the block where the first does
        expected.extend([(19, 1, 3), (21, 2, 4), (23, 3, 5)]);
        assert_eq!(times(&node), expected, "{fork} {form:?}");
        assert!(
            node.derived
                .iter()
                .all(|derived| derived.concluding
                    || form == BatchForm::Span && fork < Fork::Holocene)
        );
    });
}

/// Epochs advance with the batches, which come as their L1 origins do.
#[test]
fn advanced_epoch() {
    each(|fork, form| {
        let chain = chain(rollup(fork));
        let mut l1 = timeline(&chain, &[6, 12, 18, 24]);
        let mut sequencer = Sequencer::new(&l1);
        let batches: Vec<_> = (0..11).map(|n| sequencer.block([l2_tx(n)])).collect();
        let origins: Vec<_> = batches.iter().map(|batch| batch.epoch_num - 100).collect();
        assert_eq!(origins, [0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]);
        for (index, blocks) in [(1, 0..2), (2, 2..5), (3, 5..8), (4, 8..11)] {
            let batches = &batches[blocks];
            let strings = strings_of(&chain, form, batches, &[1, batches.len() - 1]);
            put(&mut l1, index, channels_of(&strings));
        }
        let node = derive(&l1);
        let expected: Vec<_> = (1..)
            .zip(origins)
            .map(|(n, origin)| (2 * n, origin, origin + 1))
            .collect();
        assert_eq!(times(&node), expected, "{fork} {form:?}");
    });
}

/// A gap that nobody fills ends with its sequencing window; a batch may come in the window's last
/// L1 block, and no later. kona's force_empty asks one block earlier, which must not matter.
// opstack 11 L, BatchInLastPossibleBlocks; opstack 3.6, empty batch generation
#[test]
fn a_batch_in_the_last_block_of_its_window_counts() {
    each(|fork, form| {
        let chain = chain(rollup(fork));
        for (included, expected) in [(20, vec![l2_tx(0)]), (21, vec![])] {
            let mut l1 = L1::new(&chain);
            l1.add_empty(22);
            let mut sequencer = Sequencer::new(&l1);
            let batch = sequencer.block([l2_tx(0)]);
            let strings = strings_of(&chain, form, &[batch], &[1]);
            put(&mut l1, included, channels_of(&strings));
            let node = derive(&l1);
            let first = &node.derived[0];
            let transactions: Vec<_> = first.attributes.transactions.iter().collect();
            assert_eq!(transactions, expected, "{fork} {form:?}");
            assert_eq!(first.derived_from.number, 120, "{fork} {form:?}");
        }
    });
}

// TestBatchQueueOverlappingSpanBatch, on both stages
#[test]
fn spans_that_overlap_give_each_block_once() {
    for fork in FORKS {
        let chain = chain(rollup(fork));
        let mut l1 = timeline(&chain, &[10, 20]);
        let mut sequencer = Sequencer::new(&l1);
        let origin = l1.blocks[0].clone();
        let batches: Vec<_> = (0..6)
            .map(|n| sequencer.block_at(&origin, [l2_tx(n)]))
            .collect();
        let strings: Vec<_> = batches
            .windows(3)
            .map(|blocks| span(&chain, 100, blocks))
            .collect();
        put(&mut l1, 1, channels_of(&strings));
        let node = derive(&l1);
        let expected: Vec<_> = (1..=6).map(|n| (2 * n, 0, 1)).collect();
        assert_eq!(times(&node), expected, "{fork}");
        assert_eq!(node.reasons(), [], "{fork}");
        assert_eq!(node.pipeline.safe_head(), &sequencer.head, "{fork}");
    }
}

/// A span that only repeats what is safe.
#[test]
fn a_span_without_new_blocks() {
    for (fork, reason) in FORKS.into_iter().zip(["span_old", "batch_past"]) {
        let world = World::at(fork);
        let strings = [world.span(0..3), world.span(1..3), world.span(0..4)];
        let node = world.read([zlib(&plain(&strings))]);
        assert_eq!(node.reason_names(), [reason], "{fork}");
        assert_eq!(node.safe_number(), 4, "{fork}");
    }
}

/// The chain that derivation makes does not depend on the form of the batches.
// opstack 11 L, BatchEquivalence
#[test]
fn singular_batches_and_spans_give_the_same_blocks() {
    for fork in FORKS {
        let heads = [BatchForm::Singular, BatchForm::Span].map(|form| {
            let chain = chain(rollup(fork));
            let mut l1 = timeline(&chain, &[6, 12, 18, 24]);
            let mut sequencer = Sequencer::new(&l1);
            let batches: Vec<_> = (0..9)
                .map(|n| sequencer.block((0..n % 3).map(l2_tx)))
                .collect();
            let strings = strings_of(&chain, form, &batches, &[9]);
            put(&mut l1, 4, [L1Tx::inbox(item(1, &strings))]);
            let node = derive(&l1);
            assert_eq!(node.reasons(), []);
            assert_eq!(node.pipeline.safe_head(), &sequencer.head);
            *node.pipeline.safe_head()
        });
        assert_eq!(heads[0], heads[1], "{fork}");
    }
}

/// Empty batches whose time exceeds the drift: wanted as long as the next epoch is too young.
// opstack 3.7 #12 #13
#[test]
fn empty_batches_beyond_the_drift() {
    for fork in [Fork::Ecotone, Fork::Granite, Fork::Karst] {
        // the second L1 block is late
        let chain = chain(rollup(fork));
        let drift = chain.max_sequencer_drift(GENESIS_TIME);
        let late = drift + 11;
        let mut l1 = timeline(&chain, &[late, late + 12]);
        let mut sequencer = Sequencer::new(&l1);
        let origin = l1.blocks[0].clone();
        let count = late / 2;
        let batches: Vec<_> = (0..count)
            .map(|_| sequencer.block_at(&origin, []))
            .collect();
        assert_eq!(sequencer.head.timestamp, GENESIS_TIME + late - 1);
        // one more, although the next epoch could be adopted
        let beyond = sequencer.block_at(&origin, []);
        let mut strings = strings_of(&chain, BatchForm::Singular, &batches, &[]);
        strings.push(beyond.encode());
        put(&mut l1, 1, [L1Tx::inbox(item(1, &strings))]);
        let node = derive(&l1);
        assert_eq!(node.safe_number(), count, "{fork}");
        let reasons = node.reason_names();
        assert_eq!(reasons[0], "batch_drift_without_advance", "{fork}");
        let flushed = node.reasons().contains(&DropReason::ChannelFlushed);
        // it was the last string of its channel, which is open until the end is seen
        assert_eq!(flushed, fork >= Fork::Holocene, "{fork}");
    }
}
