//! What the node's status does: op-batcher's `computeSyncActions`, case by case.

use crate::{
    model::{World, plain},
    support::rollup,
};
use alloy_primitives::B256;
use doppio_batcher::{
    BatcherOptions, Event, OutOfSync, Report, ResetReason, SyncStatus, TxId, TxOutcome,
};
use doppio_protocol::{L2BlockRef, block::BlockId, config::Fork};

fn at_once() -> BatcherOptions {
    BatcherOptions {
        safe_reorg_patience: 0,
        ..plain()
    }
}

/// A world whose batcher holds blocks 1 to `blocks`, in no channel.
fn loaded(options: BatcherOptions, blocks: u64) -> World {
    let mut world = World::new(rollup(Fork::Isthmus), options);
    world.l2_blocks(blocks, 1);
    world.derive();
    world.poll();
    assert_eq!(world.loads, [(1, blocks)]);
    world.loads.clear();
    world
}

fn tell(world: &mut World, change: impl FnOnce(&mut SyncStatus)) {
    let mut status = world.status();
    change(&mut status);
    world.tell(Event::Sync(status));
}

fn safe_at(world: &World, number: u64) -> L2BlockRef {
    world.engine().at(number)
}

#[test]
fn empty_sync_status_is_out_of_sync() {
    let mut world = loaded(plain(), 3);
    tell(&mut world, |status| *status = SyncStatus::default());
    assert_eq!(
        world.reports.last(),
        Some(&Report::OutOfSync(OutOfSync::Empty))
    );
    tell(&mut world, |status| status.current_l1 = <_>::default());
    tell(&mut world, |status| status.local_safe = <_>::default());
    assert!(world.loads.is_empty());
    assert_eq!(world.batcher.status().loaded_blocks, 3);
}

#[test]
fn local_safe_0_while_safe_is_not_is_out_of_sync() {
    let mut world = loaded(plain(), 3);
    tell(&mut world, |status| {
        status.local_safe = L2BlockRef::default()
    });
    assert_eq!(
        world.reports.last(),
        Some(&Report::OutOfSync(OutOfSync::Empty))
    );
}

#[test]
fn current_l1_reversed_is_out_of_sync_until_the_node_is_back_or_patience_ends() {
    let mut world = World::new(
        rollup(Fork::Isthmus),
        BatcherOptions {
            node_patience: 10_000,
            ..at_once()
        },
    );
    world.l1_block(0);
    world.l2_blocks(3, 1);
    world.derive();
    world.poll();
    let behind = |status: &mut SyncStatus| {
        status.current_l1.number -= 1;
        // would be a reorganisation
        status.local_safe.hash = B256::repeat_byte(1);
    };
    tell(&mut world, behind);
    assert!(matches!(
        world.reports.last(),
        Some(Report::OutOfSync(OutOfSync::Behind { .. }))
    ));
    assert_eq!(world.batcher.status().loaded_blocks, 3);
    world.pass(10_000);
    tell(&mut world, behind);
    assert!(matches!(world.reports.last(), Some(Report::Reset(_))));
}

#[test]
fn gap_between_safe_chain_and_state_clears_and_loads_from_the_safe_head() {
    let mut world = loaded(at_once(), 6);
    let safe = safe_at(&world, 4);
    tell(&mut world, |status| status.local_safe = safe);
    assert_eq!(world.batcher.status().loaded_blocks, 2);
    let safe = safe_at(&world, 1);
    tell(&mut world, |status| status.local_safe = safe);
    let reset = Report::Reset(ResetReason::SafeBehind { safe: 1, oldest: 5 });
    assert!(world.reports.contains(&reset));
    assert_eq!(world.loads, [(2, 6)]);
}

#[test]
fn unexpectedly_good_progress_clears() {
    let mut world = loaded(plain(), 3);
    world.l2_blocks(5, 1);
    let safe = safe_at(&world, 6);
    tell(&mut world, |status| status.local_safe = safe);
    let reset = Report::Reset(ResetReason::SafeAhead { safe: 6, newest: 3 });
    assert!(world.reports.contains(&reset));
    assert_eq!(world.loads, [(7, 8)]);
}

#[test]
fn safe_chain_reorg_clears() {
    let mut world = loaded(at_once(), 3);
    let mut safe = safe_at(&world, 2);
    safe.hash = B256::repeat_byte(7);
    tell(&mut world, |status| status.local_safe = safe);
    assert!(matches!(
        world
            .reports
            .iter()
            .rev()
            .find(|report| matches!(report, Report::Reset(_))),
        Some(Report::Reset(ResetReason::SafeReorg { .. }))
    ));
    assert_eq!(world.loads, [(3, 3)]);
}

/// op-batcher begins anew at once and throws away what is under way (opstack 7.10).
#[test]
fn a_transient_safe_head_mismatch_throws_nothing_away() {
    let mut world = loaded(plain(), 3);
    world.tell(Event::Flush);
    assert_eq!(world.submissions.len(), 1);
    let mut wrong = safe_at(&world, 2);
    wrong.hash = B256::repeat_byte(7);
    tell(&mut world, |status| status.local_safe = wrong);
    assert!(matches!(world.reports.last(), Some(Report::Suspicion(_))));
    // nothing new is sent while it lasts
    world.l2_blocks(2, 1);
    world.tell(Event::Flush);
    assert_eq!(world.submissions.len(), 1);
    world.poll();
    assert_eq!(world.batcher.status().loaded_blocks, 5);
    assert_eq!(world.batcher.status().channels, 1);
    assert!(world.abandoned.is_empty());
    // what lasts is believed
    world.pass(1000);
    tell(&mut world, |status| status.local_safe = wrong);
    world.pass(plain().safe_reorg_patience);
    tell(&mut world, |status| status.local_safe = wrong);
    assert_eq!(world.abandoned, [TxId(0)]);
}

/// L1 has all of a channel, the node has read further, and nothing became safe.
fn not_derived(world: &mut World, unsafe_is_safe: bool) {
    world.tell(Event::Flush);
    let block = BlockId {
        number: world.l1_height().number,
        ..BlockId::default()
    };
    world.tell(Event::Transaction {
        id: TxId(0),
        outcome: TxOutcome::Included(block),
    });
    tell(world, |status| {
        status.current_l1.number = block.number;
        if unsafe_is_safe {
            status.unsafe_head = status.local_safe;
        }
    });
    // that block may still be read
    assert!(
        !world
            .reports
            .iter()
            .any(|report| matches!(report, Report::NotDerived { .. }))
    );
    tell(world, |status| {
        status.current_l1.number = block.number + 1;
        if unsafe_is_safe {
            status.unsafe_head = status.local_safe;
        }
    });
}

#[test]
fn failed_to_make_expected_progress_puts_the_blocks_into_new_channels() {
    for unsafe_is_safe in [false, true] {
        let mut world = loaded(plain(), 3);
        not_derived(&mut world, unsafe_is_safe);
        assert_rebatched(&world);
    }
}

/// Whatever is wrong, L1 is not paid without end.
#[test]
fn what_is_never_derived_is_posted_ever_more_seldom() {
    let mut world = World::new(
        rollup(Fork::Isthmus),
        BatcherOptions {
            max_channel_duration: 1,
            ..plain()
        },
    );
    world.l2_blocks(3, 1);
    let genesis = world.status();
    for _ in 0..18 {
        world.l1_block(usize::MAX);
        world.tell_outcomes(|_| true, 0);
        let head = world.l1_height();
        world.tell(Event::Sync(SyncStatus {
            current_l1: head,
            head_l1: head,
            unsafe_head: world.sequencer.head,
            ..genesis
        }));
    }
    assert!(
        (2..=5).contains(&world.submissions.len()),
        "{}",
        world.submissions.len()
    );
}

#[track_caller]
fn assert_rebatched(world: &World) {
    let report = world.reports.iter().find_map(|report| match report {
        Report::NotDerived { blocks, times, .. } => Some((blocks.clone(), *times)),
        _ => None,
    });
    assert_eq!(report, Some((1..=3, 1)));
    assert_eq!(world.batcher.status().channels, 0);
    assert_eq!(world.batcher.status().pending_blocks, 3);
    assert!(world.loads.is_empty(), "the blocks are held");
}

#[test]
fn no_progress_loads_the_rest() {
    let mut world = loaded(plain(), 3);
    world.l2_blocks(4, 1);
    world.poll();
    assert_eq!(world.loads, [(4, 7)]);
    assert_eq!(world.batcher.status().loaded_blocks, 7);
}

#[test]
fn happy_path_prunes_blocks_and_channels_and_loads() {
    let mut world = loaded(plain(), 3);
    world.tell(Event::Flush);
    world.l2_blocks(2, 1);
    world.poll();
    world.tell(Event::Flush);
    world.l2_blocks(1, 1);
    assert_eq!(world.batcher.status().channels, 2);
    // multiple channels: only the one that is passed goes
    let safe = safe_at(&world, 4);
    world.loads.clear();
    tell(&mut world, |status| status.local_safe = safe);
    let status = world.batcher.status();
    assert_eq!((status.channels, status.loaded_blocks), (1, 2));
    assert_eq!(world.loads, [(6, 6)]);
}

#[test]
fn no_progress_and_unsafe_equal_to_safe_does_nothing() {
    let mut world = World::new(rollup(Fork::Isthmus), plain());
    world.derive();
    world.poll();
    world.poll();
    assert!(world.loads.is_empty() && world.submissions.is_empty());
    let is_news = |report: &Report| !matches!(report, Report::Throttle { .. });
    assert!(!world.reports.iter().any(is_news), "{:?}", world.reports);
}

#[test]
fn unsafe_equal_to_safe_with_blocks_in_state_prunes_them() {
    let mut world = loaded(plain(), 3);
    let safe = safe_at(&world, 3);
    tell(&mut world, |status| status.local_safe = safe);
    assert_eq!(world.batcher.status().loaded_blocks, 0);
    assert!(world.loads.is_empty());
}

#[test]
fn local_safe_ahead_of_safe_is_what_counts() {
    let mut world = World::new(rollup(Fork::Isthmus), plain());
    world.l2_blocks(5, 1);
    world.derive();
    let local_safe = safe_at(&world, 3);
    tell(&mut world, |status| status.local_safe = local_safe);
    assert_eq!(world.loads, [(4, 5)]);
}

#[test]
fn a_block_that_does_not_follow_begins_anew_with_the_next_status() {
    let mut world = loaded(plain(), 3);
    world.tell(Event::Flush);
    world.sequencer_at(1);
    world.l2_blocks(3, 2);
    world.poll();
    // block 4 has another parent: the chain was reorganised
    world.poll();
    let is_mismatch =
        |report: &Report| matches!(report, Report::Reset(ResetReason::ParentMismatch { .. }));
    assert!(world.reports.iter().any(is_mismatch));
    assert_eq!(world.abandoned, [TxId(0)]);
    assert_eq!(world.loads, [(4, 4), (1, 4)]);
    assert_eq!(world.batcher.status().loaded_blocks, 4);
}

#[test]
fn a_block_that_cannot_be_had_is_asked_for_again() {
    let mut world = World::new(rollup(Fork::Isthmus), plain());
    world.l2_blocks(3, 1);
    world.derive();
    world.serves_blocks = false;
    world.poll();
    assert_eq!(world.batcher.status().loaded_blocks, 0);
    world.serves_blocks = true;
    world.poll();
    assert_eq!(world.loads, [(1, 3), (1, 3)]);
    assert_eq!(world.batcher.status().loaded_blocks, 3);
}

#[test]
fn a_block_without_l1_info_is_refused_and_asked_for_again() {
    let mut world = World::new(rollup(Fork::Isthmus), plain());
    world.l2_blocks(1, 1);
    world.derive();
    let whole = world.sequencer.engine.blocks[&1].clone();
    for spoilt in [vec![], vec![whole.transactions[1].clone()], {
        let mut deposit = whole.transactions.clone();
        deposit[0] = deposit[0].slice(..deposit[0].len() - 1);
        deposit
    }] {
        world
            .sequencer
            .engine
            .blocks
            .get_mut(&1)
            .unwrap()
            .transactions = spoilt;
        world.poll();
        assert!(matches!(
            world.reports.last(),
            Some(Report::BlockRefused { .. })
        ));
        assert_eq!(world.batcher.status().loaded_blocks, 0);
    }
    world.sequencer.engine.blocks.insert(1, whole);
    world.poll();
    assert_eq!(world.batcher.status().loaded_blocks, 1);
}
