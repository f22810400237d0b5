//! Sequencing windows that end.

use crate::{
    model::{World, plain},
    support::rollup,
};
use doppio_batcher::{BatchType, BatcherOptions, Event, Report};
use doppio_protocol::config::{Fork, RollupConfig};

const WINDOW: u64 = 20;

fn config(last: Fork) -> RollupConfig {
    RollupConfig {
        seq_window_size: WINDOW,
        ..rollup(last)
    }
}

fn stopped(batch_type: BatchType) -> BatcherOptions {
    BatcherOptions {
        stopped: true,
        batch_type,
        ..plain()
    }
}

/// The batcher was stopped while L1 went on, and the sequencer made what derivation makes by itself.
/// Then, for the last L1 blocks, users came back.
fn after_an_outage(last: Fork, batch_type: BatchType, users_from: u64) -> World {
    let mut world = World::new(config(last), stopped(batch_type));
    for l1 in 0..WINDOW + 10 {
        world.l1_block(0);
        world.l2_until_l1(u64::from(l1 >= users_from));
    }
    world.tell(Event::Start);
    world
}

/// Posts until everything is safe, with each transaction in the L1 block after the next one.
fn recover(world: &mut World) -> bool {
    for round in 0..40 {
        world.l1_block(if round % 2 == 0 { 0 } else { usize::MAX });
        world.tell_outcomes(|_| true, 0);
        world.l2_until_l1(1);
        world.poll();
        world.derive();
        let lag = world.sequencer.head.number - world.safe().number;
        if lag < 30 {
            return true;
        }
    }
    false
}

#[test]
fn after_an_expired_window_what_is_still_in_it_is_posted_and_counts() {
    for last in [Fork::Fjord, Fork::Isthmus] {
        for batch_type in [BatchType::Singular, BatchType::Span] {
            let mut world = after_an_outage(last, batch_type, 12);
            assert!(
                recover(&mut world),
                "{last:?} {batch_type:?} {:?}",
                world.reports
            );
            assert_eq!(world.adopted, 0, "{last:?} {batch_type:?}");
            let expired = world.reports.iter().find_map(|report| match report {
                Report::WindowExpired {
                    blocks,
                    is_lost: false,
                } => Some(*blocks.end()),
                _ => None,
            });
            // what is too late is not paid for
            let first = *world.submissions[0].blocks.start();
            assert_eq!(expired, Some(first - 1));
        }
    }
}

#[test]
fn nothing_is_posted_behind_blocks_that_derivation_will_replace() {
    for batch_type in [BatchType::Singular, BatchType::Span] {
        // users' transactions are in expired blocks, and the node has not noticed yet
        let mut world = after_an_outage(Fork::Isthmus, batch_type, 0);
        world.poll();
        world.poll();
        let is_lost =
            |report: &Report| matches!(report, Report::WindowExpired { is_lost: true, .. });
        assert!(world.reports.iter().any(is_lost), "{:?}", world.reports);
        assert!(world.submissions.is_empty());
        assert!(recover(&mut world), "{:?}", world.reports);
        assert!(world.adopted > 0);
    }
}

#[test]
fn the_end_of_a_window_is_warned_of_once_and_before_it_comes() {
    let mut world = World::new(config(Fork::Isthmus), plain());
    world.l2_blocks(1, 1);
    world.derive();
    world.poll();
    let mut warnings = Vec::new();
    for _ in 0..WINDOW - 3 {
        world.l1_block(0);
        let warned = world.reports.iter().filter_map(|report| match report {
            Report::WindowWarning { block, left } => Some((*block, *left)),
            _ => None,
        });
        warnings = warned.collect();
        if !warnings.is_empty() {
            break;
        }
    }
    assert_eq!(warnings, [(1, WINDOW / 4)]);
    assert_eq!(world.batcher.status().window_left, Some(WINDOW / 4));
    assert!(world.submissions.is_empty());
}

/// The channel is closed `sub_safety_margin` before its first block is too late, and comes in time.
#[test]
fn a_channel_is_closed_before_its_window_ends() {
    let mut world = World::new(config(Fork::Isthmus), plain());
    world.l2_blocks(2, 1);
    world.derive();
    world.poll();
    let origin = world.engine().at(1).l1_origin.number;
    while world.submissions.is_empty() {
        world.l1_block(0);
    }
    let margin = plain().sub_safety_margin;
    assert_eq!(world.l1_height().number, origin + WINDOW - margin);
    assert!(world.settle(3).is_some());
    world.assert_derived();
    assert_eq!(world.adopted, 0);
}
