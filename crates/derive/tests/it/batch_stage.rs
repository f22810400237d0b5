//! The batch stage, over whole pipelines under Holocene (opstack 3.6, 3.7; opstack 11 G).

use crate::{support::*, world::*};
use doppio_derive::{
    BatchDrop, CriticalReason, DropReason, PipelineError, Request, ResetPoint, Undecided,
};
use doppio_protocol::{
    batch::SingularBatch,
    config::{ChainConfig, Fork},
};
use std::sync::Arc;

fn holocene() -> World {
    World::at(Fork::Holocene)
}

fn batch_drops(broken: BatchDrop) -> [DropReason; 2] {
    [DropReason::Batch(broken), DropReason::ChannelFlushed]
}

/// What a node makes of the strings of several channels, all in one L1 block.
fn read(world: &World, channels: &[&[Vec<u8>]]) -> Node {
    world.read(channels.iter().map(|strings| zlib(&plain(strings))))
}

/// What a node makes of strings of one channel.
fn read_one(world: &World, strings: &[Vec<u8>]) -> (u64, Vec<DropReason>) {
    let node = read(world, &[strings]);
    (node.safe_number(), node.reasons())
}

/// Strings of the world's batches in any order, counted from 1.
fn in_order(world: &World, order: &[usize]) -> Vec<Vec<u8>> {
    order
        .iter()
        .map(|number| world.batches[number - 1].encode())
        .collect()
}

// opstack 11 L, proofs: safe head before Holocene / under Holocene
#[test]
fn batches_ordered_and_disordered() {
    let cases: [(&[usize], u64, u64); 5] = [
        (&[1, 2, 3], 3, 3),
        (&[1, 3, 2], 3, 1),
        (&[2, 1, 3], 3, 0),
        (&[1, 1, 2, 3], 3, 3),
        (&[2, 2, 1, 3], 3, 0),
    ];
    for (order, before, under) in cases {
        for (fork, expected) in FORKS.into_iter().zip([before, under]) {
            let world = World::at(fork);
            let (derived, _) = read_one(&world, &in_order(&world, order));
            assert_eq!(derived, expected, "{fork}, {order:?}");
        }
    }
}

// kona's add_old_batch_drop_holocene, past_span_batch
#[test]
fn batches_of_the_past_are_passed_over_and_the_channel_goes_on() {
    let world = holocene();
    let first = in_order(&world, &[1, 2]);
    let again = in_order(&world, &[1, 2, 3]);
    let spans = [world.span(0..2), world.span(1..3), world.span(2..4)];
    let node = read(&world, &[&first, &again, &spans]);
    assert_eq!(node.safe_number(), 4);
    let past = vec![DropReason::BatchPast; 4];
    assert_eq!(node.reasons(), past);
}

// kona's holocene_add_batch_future
#[test]
fn a_batch_of_the_future_flushes_its_channel_and_no_other() {
    let world = holocene();
    for future in [world.batches[1].encode(), world.span(1..3)] {
        let is_span = future[0] == 1;
        let broken = if is_span {
            BatchDrop::SpanFuture
        } else {
            BatchDrop::Future
        };
        let mut strings = vec![future];
        strings.extend(in_order(&world, &[1, 2, 3]));
        let node = read(&world, &[&strings, &in_order(&world, &[1, 2])]);
        assert_eq!(node.reasons(), batch_drops(broken));
        assert_eq!(node.safe_number(), 2);
    }
}

/// A batch with a rule broken, behind a good one and before another.
fn with_invalid_second(world: &World, edit: impl FnOnce(&mut SingularBatch)) -> Vec<Vec<u8>> {
    let mut strings = in_order(world, &[1, 2, 2, 3]);
    let mut batch = world.batches[1].clone();
    edit(&mut batch);
    strings[1] = batch.encode();
    strings
}

// opstack 11 G, divergence: kona accepts (field 0.4b); opstack 11 L, invalid-parent-hash
#[test]
fn a_singular_batch_with_another_parent_hash_flushes_its_channel() {
    let world = holocene();
    let strings = with_invalid_second(&world, |batch| batch.parent_hash.0[31] ^= 1);
    let node = read(&world, &[&strings, &in_order(&world, &[2])]);
    assert_eq!(node.reasons(), batch_drops(BatchDrop::ParentHash));
    assert_eq!(node.safe_number(), 2);
}

#[test]
fn every_invalid_batch_flushes_its_channel() {
    let world = holocene();
    let cases: [(Edit, BatchDrop); 6] = [
        (|batch| batch.epoch_num -= 1, BatchDrop::EpochTooOld),
        (|batch| batch.epoch_num += 2, BatchDrop::EpochTooNew),
        (|batch| batch.epoch_hash.0[0] ^= 1, BatchDrop::EpochHash),
        (
            |batch| batch.transactions = [b""].iter().collect(),
            BatchDrop::EmptyTransaction,
        ),
        (
            |batch| batch.transactions = [[0x7e]].iter().collect(),
            BatchDrop::DepositTransaction,
        ),
        (
            |batch| batch.transactions = [[0x04]].iter().collect(),
            BatchDrop::SetCodeTransaction,
        ),
    ];
    for (edit, broken) in cases {
        let outcome = read_one(&world, &with_invalid_second(&world, edit));
        assert_eq!(outcome, (1, batch_drops(broken).to_vec()));
    }
    // an origin that is younger than the block
    let next = world.l1.at(1);
    let strings = with_invalid_second(&world, |batch| {
        (batch.epoch_num, batch.epoch_hash) = (next.number, next.hash);
    });
    let outcome = read_one(&world, &strings);
    assert_eq!(outcome, (1, batch_drops(BatchDrop::BeforeOrigin).to_vec()));
}

/// A SetCode transaction, which spans can carry before Isthmus.
fn set_code_tx() -> alloy_primitives::Bytes {
    use alloy_eips::eip2718::Encodable2718;
    let tx = alloy_consensus::TxEip7702 {
        chain_id: L2_CHAIN_ID,
        ..alloy_consensus::TxEip7702::default()
    };
    STRANGER.sign(tx).encoded_2718().into()
}

/// Blocks of a span are judged one by one: what is before the bad one stays.
// opstack 3.7: singulars extracted from a span; opstack 11 L, BadTxInBatch
#[test]
fn a_bad_block_in_a_span_takes_those_behind_it() {
    let post_exec = alloy_primitives::Bytes::from_static(&[0x7d, 0xc0]);
    for (fork, transaction, broken) in [
        (Fork::Holocene, set_code_tx(), BatchDrop::SetCodeTransaction),
        (Fork::Karst, post_exec, BatchDrop::PostExecTransaction),
    ] {
        let world = World::at(fork);
        let mut batches = world.batches.clone();
        batches[2].transactions = [transaction.clone()].iter().collect();
        let strings = [span(&world.chain, 100, &batches), world.batches[2].encode()];
        let node = read(&world, &[&strings, &in_order(&world, &[3, 4])]);
        assert_eq!(node.reasons(), batch_drops(broken), "{fork}");
        assert_eq!(node.safe_number(), 4, "{fork}");
        // before Holocene the whole span goes, and nothing else
        let world = World::at(Fork::Granite);
        let mut batches = world.batches.clone();
        batches[2].transactions = [transaction].iter().collect();
        let strings = [span(&world.chain, 100, &batches), world.batches[0].encode()];
        let outcome = read_one(&world, &strings);
        assert_eq!(outcome, (1, vec![DropReason::Batch(broken)]));
    }
}

// opstack 11 L, seq-drift-span of 2,000 blocks: 0/1800
#[test]
fn a_span_that_exceeds_the_sequencer_drift() {
    for (fork, expected) in [(Fork::Granite, 0), (Fork::Holocene, 1800)] {
        let mut rollup = rollup(fork);
        rollup.block_time = 1;
        let chain = chain(rollup);
        let mut l1 = timeline(&chain, &[12]);
        let mut sequencer = Sequencer::new(&l1);
        let origin = l1.blocks[0].clone();
        let tx = l2_tx(0);
        let batches: Vec<_> = (0..2000)
            .map(|_| sequencer.block_at(&origin, [tx.clone()]))
            .collect();
        put(
            &mut l1,
            1,
            [L1Tx::inbox(item(1, &[span(&chain, 100, &batches)]))],
        );
        let node = derive(&l1);
        assert_eq!(node.safe_number(), expected, "{fork}");
        assert_eq!(node.reasons()[0], DropReason::Batch(BatchDrop::Drift));
    }
}

// opstack 11 L, future-l1-origin-span (block 3): 0/2
#[test]
fn a_span_with_an_l1_origin_of_the_future() {
    for (fork, expected) in [(Fork::Granite, 0), (Fork::Holocene, 2)] {
        let world = World::at(fork);
        let mut batches = world.batches.clone();
        for batch in &mut batches[2..] {
            let next = world.l1.at(1);
            (batch.epoch_num, batch.epoch_hash) = (next.number, next.hash);
        }
        let (derived, reasons) = read_one(&world, &[span(&world.chain, 100, &batches)]);
        assert_eq!(derived, expected, "{fork}");
        assert_eq!(reasons[0], DropReason::Batch(BatchDrop::BeforeOrigin));
    }
}

/// An L1 and blocks up to the first of the epoch that begins with the third L1 block.
fn into_a_later_epoch(chain: &Arc<ChainConfig>) -> (L1, Vec<SingularBatch>) {
    let l1 = timeline(chain, &[6, 12, 18, 24]);
    let mut sequencer = Sequencer::new(&l1);
    let batches = (0..6).map(|n| sequencer.block([l2_tx(n)])).collect();
    (l1, batches)
}

// opstack 11 G, divergence: span "Undecided" under Holocene is consumed (field I37, optimism 22629)
#[test]
fn a_span_whose_last_origin_is_not_known_is_lost_without_a_flush() {
    let chain = chain(rollup(Fork::Holocene));
    let (mut l1, batches) = into_a_later_epoch(&chain);
    assert_eq!(batches[5].epoch_num, 102);
    // included in the L1 block before the last block's origin
    let strings = [span(&chain, 100, &batches), batches[0].encode()];
    put(&mut l1, 1, [L1Tx::inbox(item(1, &strings))]);
    let node = derive(&l1);
    // the channel goes on; the span is not tried again when the origin is known
    assert_eq!(times(&node), [(2, 0, 1)]);
    let undecided = DropReason::BatchUndecided(Undecided::LastOrigin);
    assert_eq!(node.reasons(), [undecided]);
}

/// The same span before Holocene waits for its origin.
#[test]
fn before_holocene_a_span_waits_for_its_last_origin() {
    let chain = chain(rollup(Fork::Granite));
    let (mut l1, batches) = into_a_later_epoch(&chain);
    put(
        &mut l1,
        1,
        [L1Tx::inbox(item(1, &[span(&chain, 100, &batches)]))],
    );
    let node = derive(&l1);
    assert_eq!(node.safe_number(), 6);
    assert!(times(&node).iter().all(|(_, _, from)| *from == 2));
}

// opstack 3.7 span #7
#[test]
fn a_span_from_genesis_on_is_lost_without_a_flush() {
    let world = holocene();
    let genesis = SingularBatch {
        timestamp: GENESIS_TIME,
        epoch_num: 100,
        ..SingularBatch::default()
    };
    let from_genesis = [&[genesis], &world.batches[..1]].concat();
    let mut strings = vec![span(&world.chain, 100, &from_genesis)];
    strings.extend(in_order(&world, &[1, 2]));
    let undecided = DropReason::BatchUndecided(Undecided::NoParent);
    assert_eq!(read_one(&world, &strings), (2, vec![undecided]));
}

/// The first block as the safe chain has it, and as a span tells it. `celo`: by Celo's rules.
fn overlap(
    celo: bool,
    safe: impl Fn(&mut Sequencer) -> SingularBatch,
    told: impl Fn(&mut SingularBatch),
) -> Node {
    let rollup = rollup(Fork::Holocene);
    let chain = if celo {
        celo_rules(rollup)
    } else {
        chain(rollup)
    };
    let mut l1 = timeline(&chain, &[6, 12, 18, 24]);
    let mut sequencer = Sequencer::new(&l1);
    let first = safe(&mut sequencer);
    let second = sequencer.block([l2_tx(2)]);
    let third = sequencer.block([l2_tx(3)]);
    let mut other_first = first.clone();
    told(&mut other_first);
    let conflicting = span(&chain, 100, &[other_first, second.clone()]);
    let sentinel = span(&chain, 100, &[first.clone(), second, third]);
    put(&mut l1, 1, channels_of(&[first.encode()]));
    put(&mut l1, 2, [L1Tx::inbox(item(1, &[conflicting, sentinel]))]);
    let mut node = Node::new(&l1);
    node.run_to_end();
    node
}

// TestBatchStage_OverlapContent (field I38, optimism 22215)
#[test]
fn a_span_that_tells_another_history_is_dropped_and_flushes_its_channel() {
    let none = |sequencer: &mut Sequencer| sequencer.block([]);
    let one = |sequencer: &mut Sequencer| sequencer.block([l2_tx(1)]);
    let with =
        |n: u64| move |batch: &mut SingularBatch| batch.transactions = [l2_tx(n)].iter().collect();
    // the safe block has none: its transactions were replaced by its deposits
    let node = overlap(false, none, with(1));
    assert_eq!(node.reasons(), batch_drops(BatchDrop::OverlapCount));
    assert_eq!(node.safe_number(), 1);
    let node = overlap(false, one, with(9));
    assert_eq!(node.reasons(), batch_drops(BatchDrop::OverlapTransactions));
    let without = |batch: &mut SingularBatch| batch.transactions = Default::default();
    let node = overlap(false, one, without);
    assert_eq!(node.reasons(), batch_drops(BatchDrop::OverlapCount));
    // matching overlap is accepted
    for node in [overlap(false, none, |_| ()), overlap(false, one, |_| ())] {
        assert_eq!(node.reasons(), []);
        assert_eq!(node.safe_number(), 3);
        // the parent, then the block; twice, as there are two spans
        let blocks: Vec<_> = node
            .requests
            .iter()
            .filter_map(|request| match request {
                Request::L2Block(number) => Some(*number),
                _ => None,
            })
            .collect();
        assert_eq!(blocks, [0, 1, 0, 1, 2]);
    }
}

/// Celo's lineage splices the rest of the span onto the safe chain.
#[test]
fn by_celo_rules_the_overlap_is_not_compared() {
    let none = |sequencer: &mut Sequencer| sequencer.block([]);
    let told = |batch: &mut SingularBatch| batch.transactions = [l2_tx(1)].iter().collect();
    let node = overlap(true, none, told);
    assert_eq!(node.reasons(), []);
    assert_eq!(node.safe_number(), 3);
}

/// The origin of the overlapped block differs; the transactions do not.
#[test]
fn an_overlapped_block_with_another_origin() {
    for celo in [false, true] {
        let node = overlap(
            celo,
            |sequencer| {
                // three blocks of the first epoch, told in one batch here: times 2, 4 and 6
                sequencer.block([])
            },
            |_| (),
        );
        assert_eq!(node.safe_number(), 3);
        let rollup = rollup(Fork::Holocene);
        let chain = if celo {
            celo_rules(rollup)
        } else {
            chain(rollup)
        };
        let mut l1 = timeline(&chain, &[6, 12, 18]);
        let mut sequencer = Sequencer::new(&l1);
        let safe: Vec<_> = (0..3).map(|n| sequencer.block([l2_tx(n)])).collect();
        assert_eq!(safe[2].epoch_num, 101);
        let next = sequencer.block([l2_tx(3)]);
        // by the span's word the third block is still of the first epoch, and so is the fourth
        let lagging = |batch: &SingularBatch| SingularBatch {
            epoch_num: 100,
            epoch_hash: l1.at(0).hash,
            ..batch.clone()
        };
        let last = sequencer.block([l2_tx(4)]);
        let told = span(&chain, 100, &[lagging(&safe[2]), lagging(&next), last]);
        let strings: Vec<_> = safe.iter().map(SingularBatch::encode).collect();
        put(
            &mut l1,
            2,
            [
                L1Tx::inbox(item(1, &strings)),
                L1Tx::inbox(item(2, &[told])),
            ],
        );
        let node = derive(&l1);
        // OverlappingSpanBatch, outdated origin: without the comparison it is found when the
        // blocks are taken out of the span
        let broken = if celo {
            BatchDrop::SpanBlockEpochTooOld
        } else {
            BatchDrop::OverlapOrigin
        };
        assert_eq!(node.reasons(), batch_drops(broken), "celo: {celo}");
        assert_eq!(node.safe_number(), 3);
    }
}

/// A batch in its own origin's L1 block is as good as any; but once the safe head has that origin,
/// the block gives nothing more than blocks of the past.
// opstack 3.6
#[test]
fn the_l1_block_that_is_the_safe_heads_origin_is_drained() {
    for form in [BatchForm::Singular, BatchForm::Span] {
        let chain = chain(rollup(Fork::Holocene));
        let (mut l1, batches) = into_a_later_epoch(&chain);
        // times 2 and 4 of the first epoch, 6, 8 and 10 of the second
        let strings = strings_of(&chain, form, &batches[..5], &[5]);
        put(&mut l1, 1, [L1Tx::inbox(item(1, &strings))]);
        let node = derive(&l1);
        let found = times(&node);
        assert_eq!(found[..3], [(2, 0, 1), (4, 0, 1), (6, 1, 1)], "{form:?}");
        match form {
            BatchForm::Singular => {
                assert_eq!(found.len(), 3);
                let behind = [const { DropReason::BatchBehindOrigin }; 2];
                assert_eq!(node.reasons(), behind);
            }
            // a span that was accepted goes on in the next L1 block
            BatchForm::Span => {
                assert_eq!(found[3..], [(8, 1, 2), (10, 1, 2)]);
                assert_eq!(node.reasons(), []);
            }
        }
    }
}

// opstack 3.6: concluding, under Holocene always
#[test]
fn every_block_is_safe_at_once() {
    let world = holocene();
    let node = read(&world, &[&[world.span(0..4)]]);
    assert_eq!(node.derived.len(), 4);
    assert!(node.derived.iter().all(|derived| derived.concluding));
}

// opstack 3.6: fewer than two L1 blocks
#[test]
fn a_start_behind_the_safe_heads_origin_stops_derivation() {
    let chain = chain(rollup(Fork::Holocene));
    let l1 = timeline(&chain, &[6, 12]);
    let mut node = Node::new(&l1);
    node.pipeline.reset(ResetPoint {
        l1_start: l1.at(1).id(),
        ..genesis_point(&chain)
    });
    assert!(matches!(
        node.run(),
        End::Failed(PipelineError::Critical(CriticalReason::Bug(_)))
    ));
}

/// Before Holocene batches wait for those before them, from then on they do not: wherever between
/// the L1 blocks Holocene comes.
// BatchMux LaterHolocene
#[test]
fn holocene_may_come_at_any_l1_block() {
    let order = [2, 1, 4, 3, 6, 5, 7];
    for activation in 3..=13 {
        let mut rollup = rollup(Fork::Granite);
        rollup.forks.holocene = Some(GENESIS_TIME + activation * L1_BLOCK_TIME);
        let chain = chain(rollup);
        let mut l1 = L1::new(&chain);
        l1.add_empty(3);
        let mut sequencer = Sequencer::new(&l1);
        let batches: Vec<_> = (0..7).map(|n| sequencer.block([l2_tx(n)])).collect();
        let (mut queue, mut safe, mut lost) = (vec![], 0, 0);
        for (index, number) in (4..).zip(order) {
            l1.add(channels_of(&[batches[number - 1].encode()]));
            if index == activation {
                lost = queue.len();
                queue.clear();
            }
            queue.push(number);
            while queue.contains(&(safe + 1)) {
                safe += 1;
                queue.retain(|queued| *queued != safe);
            }
            if index >= activation {
                queue.clear();
            }
        }
        let node = derive(&l1);
        assert_eq!(node.safe_number(), safe as u64, "{activation}");
        let transition = DropReason::HoloceneTransition;
        let found = node.reasons();
        let found = found.iter().filter(|reason| **reason == transition);
        assert_eq!(found.count(), lost, "{activation}");
    }
}
