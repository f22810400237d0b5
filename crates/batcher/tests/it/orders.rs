//! Order on L1: what happens when transactions fail, come late, or are taken out again.

use crate::{
    model::{World, plain},
    support::rollup,
};
use doppio_batcher::{BatcherOptions, Event, Report, ResendReason, Submission, TxId, TxOutcome};
use doppio_protocol::{
    block::BlockId,
    config::{Fork, RollupConfig},
};

fn config(last: Fork) -> RollupConfig {
    RollupConfig {
        seq_window_size: 500,
        ..rollup(last)
    }
}

/// Frames of 200 bytes, so that a channel has some of them.
fn small_frames() -> BatcherOptions {
    BatcherOptions {
        max_l1_tx_size_bytes: 200,
        target_num_frames: 20,
        ..plain()
    }
}

/// A channel of some frames has been sent, and a second one.
fn two_channels(last: Fork) -> World {
    let mut world = World::new(config(last), small_frames());
    for _ in 0..2 {
        world.l2_blocks(4, 2);
        world.derive();
        world.poll();
        world.tell(Event::Flush);
    }
    let sent = |channel: usize| channels(&world.submissions)[channel].len();
    assert!(sent(0) >= 3 && sent(1) >= 2, "{:?}", world.submissions);
    world
}

/// The frames sent of each channel, by their numbers, in the order of the channels.
fn channels(submissions: &[Submission]) -> Vec<Vec<u16>> {
    let mut names = Vec::new();
    let mut frames: Vec<Vec<u16>> = Vec::new();
    for submission in submissions {
        let index = names.iter().position(|name| *name == submission.channel);
        let index = index.unwrap_or_else(|| {
            names.push(submission.channel);
            frames.push(Vec::new());
            names.len() - 1
        });
        frames[index].extend(submission.frames.clone());
    }
    frames
}

fn finish(mut world: World) -> World {
    assert!(world.settle(30).is_some(), "{:#?}", world.reports);
    world.assert_derived();
    assert_eq!(world.adopted, 0);
    world
}

#[test]
fn every_frame_is_sent_once_when_nothing_fails() {
    let mut world = two_channels(Fork::Isthmus);
    let sent = world.submissions.clone();
    world.l1_block(3);
    world.tell_outcomes(|_| true, 0);
    assert!(world.settle(10).is_some());
    world.assert_derived();
    assert_eq!(world.submissions, sent);
    for frames in channels(&sent) {
        assert!(
            frames
                .iter()
                .copied()
                .eq(0..u16::try_from(frames.len()).unwrap())
        );
    }
}

#[test]
fn receipts_in_any_order_change_nothing() {
    for order in 0..20 {
        let mut world = two_channels(Fork::Isthmus);
        let sent = world.submissions.len();
        world.l1_block(usize::MAX);
        world.tell_outcomes(|_| true, order);
        let world = finish(world);
        assert_eq!(world.submissions.len(), sent);
    }
}

#[test]
fn a_failed_frame_is_sent_again_and_everything_behind_it_in_the_channel() {
    let mut world = World::new(config(Fork::Isthmus), small_frames());
    world.l2_blocks(6, 2);
    world.derive();
    world.poll();
    world.tell(Event::Flush);
    let sent = world.submissions.clone();
    assert!(sent.len() >= 4);
    world.fail(1);
    world.l1_block(usize::MAX);
    world.tell_outcomes(|_| true, 0);
    // the same data, from the failed frame on
    let payloads = |submissions: &[Submission]| {
        let all = submissions.iter();
        all.map(|sent| (sent.channel, sent.payload.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        payloads(&world.submissions[sent.len()..]),
        payloads(&sent[1..])
    );
    let resent = Report::ChannelResent {
        channel: sent[0].channel,
        from_frame: 1,
        reason: ResendReason::Failed("refused".to_owned()),
    };
    assert!(world.reports.contains(&resent));
    finish(world);
}

#[test]
fn nothing_is_sent_before_all_outcomes_are_known() {
    let mut world = two_channels(Fork::Isthmus);
    let sent = world.submissions.len();
    world.fail(1);
    world.tell_outcomes(|_| true, 0);
    assert!(world.batcher.status().is_settling);
    let later: Vec<TxId> = (2..sent as u64).map(TxId).collect();
    assert_eq!(world.abandoned, later);
    world.l1_block(usize::MAX);
    world.tell_outcomes(|id| id != 2, 0);
    assert_eq!(world.submissions.len(), sent);
    world.tell_outcomes(|_| true, 0);
    assert!(world.submissions.len() > sent);
    assert!(!world.batcher.status().is_settling);
    finish(world);
}

#[test]
fn what_was_not_sent_yet_waits_too_until_all_outcomes_are_known() {
    let options = BatcherOptions {
        max_pending_tx: 3,
        ..small_frames()
    };
    let mut world = World::new(config(Fork::Isthmus), options);
    world.l2_blocks(8, 2);
    world.derive();
    world.poll();
    world.tell(Event::Flush);
    world.fail(1);
    world.tell_outcomes(|_| true, 0);
    world.poll();
    assert_eq!(world.submissions.len(), 3);
    finish(world);
}

#[test]
fn an_earlier_failure_abandons_what_the_later_one_did_not() {
    let mut world = two_channels(Fork::Isthmus);
    let failed = |world: &mut World, id| {
        world.tell(Event::Transaction {
            id: TxId(id),
            outcome: TxOutcome::Failed(String::new()),
        });
    };
    failed(&mut world, 3);
    let first = world.abandoned.clone();
    assert_eq!(first[0], TxId(4));
    failed(&mut world, 1);
    assert_eq!(world.abandoned[first.len()..], [TxId(2)]);
}

/// L1 has a frame of the first channel, and then one of the second: strict order drops the first.
#[test]
fn a_channel_that_another_one_interrupted_begins_anew_under_another_name() {
    let mut world = two_channels(Fork::Isthmus);
    let first = world.submissions[0].channel;
    world.fail(1);
    world.l1_block(usize::MAX);
    world.tell_outcomes(|_| true, 7);
    let resent: Vec<u16> = world
        .reports
        .iter()
        .filter_map(|report| match report {
            Report::ChannelResent {
                channel,
                from_frame,
                ..
            } => {
                assert_ne!(*channel, first);
                Some(*from_frame)
            }
            _ => None,
        })
        .collect();
    assert_eq!(resent, [0, 0]);
    finish(world);
}

#[test]
fn before_holocene_only_the_frames_that_are_missing_are_sent_again() {
    let mut world = two_channels(Fork::Fjord);
    let sent = world.submissions.clone();
    world.fail(1);
    world.l1_block(usize::MAX);
    world.tell_outcomes(|_| true, 0);
    let again = &world.submissions[sent.len()..];
    assert!(again.iter().all(|again| again.channel == sent[0].channel));
    finish(world);
}

#[test]
fn a_failure_of_the_last_frame_loses_nothing() {
    let mut world = two_channels(Fork::Isthmus);
    world.fail(world.pool_len() - 1);
    world.l1_block(usize::MAX);
    world.tell_outcomes(|_| true, 0);
    finish(world);
}

#[test]
fn all_transactions_failed_sends_all_again() {
    let mut world = two_channels(Fork::Isthmus);
    let sent = world.submissions.clone();
    while world.pool_len() > 0 {
        world.fail(0);
    }
    world.tell_outcomes(|_| true, 3);
    assert_eq!(world.submissions.len(), 2 * sent.len());
    finish(world);
}

#[test]
fn channels_far_apart_on_l1_time_out_and_are_sent_again() {
    // Granite: 50 L1 blocks
    let mut world = two_channels(Fork::Isthmus);
    world.l1_block(1);
    world.tell_outcomes(|_| true, 0);
    for _ in 0..49 {
        world.l1_block(0);
    }
    assert!(world.abandoned.is_empty());
    world.l1_block(0);
    assert!(
        !world.abandoned.is_empty(),
        "what is missing comes too late"
    );
    world.cancel(1);
    world.tell_outcomes(|_| true, 0);
    let is_timed_out = |report: &Report| {
        matches!(
            report,
            Report::ChannelResent {
                from_frame: 0,
                reason: ResendReason::TimedOut,
                ..
            }
        )
    };
    assert!(world.reports.iter().any(is_timed_out));
    finish(world);
}

#[test]
fn only_what_is_confirmed_counts_for_the_timeout() {
    let mut world = two_channels(Fork::Isthmus);
    for _ in 0..60 {
        world.l1_block(0);
    }
    assert!(world.abandoned.is_empty(), "nothing of it is on L1");
    finish(world);
}

#[test]
fn what_a_reorganisation_took_out_is_waited_for() {
    let mut world = two_channels(Fork::Isthmus);
    let sent = world.submissions.len();
    world.l1_block(2);
    world.l1_block(usize::MAX);
    world.tell_outcomes(|_| true, 0);
    assert_eq!(world.batcher.status().in_flight, 0);
    world.l1_reorg(1);
    world.tell_outcomes(|_| true, 0);
    assert_eq!(world.batcher.status().in_flight, sent as u64 - 2);
    let world = finish(world);
    assert_eq!(world.submissions.len(), sent);
}

#[test]
fn outcomes_of_what_was_never_sent_do_nothing() {
    let mut world = two_channels(Fork::Isthmus);
    let before = world.batcher.status();
    for outcome in [
        TxOutcome::Included(BlockId::default()),
        TxOutcome::Failed(String::new()),
        TxOutcome::Cancelled,
        TxOutcome::ReorgedOut,
    ] {
        world.tell(Event::Transaction {
            id: TxId(1_000_000),
            outcome,
        });
    }
    assert_eq!(world.batcher.status(), before);
    finish(world);
}

#[test]
fn no_more_transactions_than_allowed_are_under_way_and_several_can_be() {
    for most in [1, 3] {
        let options = BatcherOptions {
            max_pending_tx: most,
            ..small_frames()
        };
        let mut world = World::new(config(Fork::Isthmus), options);
        world.l2_blocks(8, 2);
        world.derive();
        world.poll();
        world.tell(Event::Flush);
        assert_eq!(world.batcher.status().in_flight, most);
        assert_eq!(world.pool_len() as u64, most);
        finish(world);
    }
}

#[test]
fn channels_of_two_starts_have_different_names() {
    let mut world = two_channels(Fork::Isthmus);
    let first = world.submissions.clone();
    world.restart();
    world.poll();
    world.tell(Event::Flush);
    let again = &world.submissions[first.len()..];
    assert!(!again.is_empty());
    assert!(
        again
            .iter()
            .all(|tx| first.iter().all(|old| old.channel != tx.channel))
    );
    finish(world);
}

#[test]
fn stopping_finishes_what_has_begun_and_starting_begins_behind_the_safe_head() {
    let options = BatcherOptions {
        max_pending_tx: 1,
        ..small_frames()
    };
    let mut world = World::new(config(Fork::Isthmus), options);
    for _ in 0..2 {
        world.l2_blocks(4, 2);
        world.derive();
        world.poll();
        world.tell(Event::Flush);
    }
    world.tell(Event::Stop);
    assert!(!world.reports.contains(&Report::Stopped));
    for _ in 0..20 {
        world.l1_block(usize::MAX);
        world.tell_outcomes(|_| true, 0);
    }
    assert!(world.reports.contains(&Report::Stopped));
    assert!(!world.batcher.status().is_started);
    assert_eq!(
        channels(&world.submissions).len(),
        1,
        "the second was not begun"
    );
    world.derive();
    assert_eq!(world.safe().number, 4);
    world.poll();
    assert_eq!(world.batcher.status().loaded_blocks, 0);
    world.tell(Event::Start);
    world.poll();
    world.tell(Event::Flush);
    finish(world);
}
