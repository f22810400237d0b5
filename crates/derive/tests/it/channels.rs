//! From frames to channels, over whole pipelines (opstack 3.4, 3.5; opstack 11 C).

use crate::{support::*, world::*};
use alloy_primitives::Bytes;
use doppio_derive::{DropReason, FrameOrder, FrameRefusal};
use doppio_protocol::{
    config::Fork,
    frame::{Frame, encode_frames},
};

fn tx(frame: &Frame) -> L1Tx {
    L1Tx::inbox(encode_frames([frame]))
}

/// A channel of the world's first blocks, in frames.
fn frames_of(
    world: &World,
    letter: u8,
    blocks: std::ops::Range<usize>,
    count: usize,
) -> Vec<Frame> {
    let strings: Vec<_> = world.batches[blocks]
        .iter()
        .map(|batch| batch.encode())
        .collect();
    frames(letter, &Bytes::from(zlib(&plain(&strings))), count)
}

/// How many blocks are derived from frames, each in a transaction of its own, so many in an L1
/// block.
fn derived(world: &World, frames: &[&Frame], per_block: usize) -> u64 {
    let mut l1 = world.l1.clone();
    for frames in frames.chunks(per_block) {
        l1.add(frames.iter().map(|frame| tx(frame)));
    }
    derive(&l1).safe_number()
}

// opstack 3.4 *3, 3.5; kona once completed such channels under Holocene (optimism 20011)
#[test]
fn before_holocene_frames_come_in_any_order_and_under_holocene_in_theirs() {
    for fork in FORKS {
        let world = World::at(fork);
        let whole = frames_of(&world, 1, 0..4, 4);
        for order in 0..24 {
            let mut frames: Vec<_> = whole.iter().collect();
            shuffle(&mut frames, order);
            let in_order = frames.is_sorted_by_key(|frame| frame.number);
            let expected = if fork == Fork::Granite || in_order {
                4
            } else {
                0
            };
            for per_block in [1, 2, 4] {
                let found = derived(&world, &frames, per_block);
                assert_eq!(found, expected, "{fork}, {order}, {per_block}");
            }
        }
    }
}

// opstack 11 L, proofs: safe head before Holocene / under Holocene
#[test]
fn frames_ordered_and_disordered() {
    for (order, before, under) in [
        ([0, 1, 2, 2], 3, 3),
        ([2, 1, 0, 0], 3, 0),
        ([0, 1, 0, 2], 3, 0),
        ([0, 1, 1, 2], 3, 3),
    ] {
        for (fork, expected) in FORKS.into_iter().zip([before, under]) {
            let world = World::at(fork);
            let whole = frames_of(&world, 1, 0..3, 3);
            let frames = order.map(|number| &whole[number]);
            for per_block in [1, 4] {
                let found = derived(&world, &frames, per_block);
                assert_eq!(found, expected, "{fork}, {order:?}");
            }
        }
    }
}

// base: interleaved_channels_correctly_reassembled
#[test]
fn interleaved_channels() {
    for (fork, expected) in [
        (Fork::Regolith, 4),
        (Fork::Canyon, 4),
        (Fork::Granite, 4),
        // the second channel takes the first one's place, and its batches are of the future
        (Fork::Holocene, 0),
    ] {
        let world = World::at(fork);
        let first = frames_of(&world, 1, 0..2, 2);
        let second = frames_of(&world, 2, 2..4, 2);
        let frames = [&first[0], &second[0], &first[1], &second[1]];
        assert_eq!(derived(&world, &frames, 4), expected, "{fork}");
    }
}

/// Which L1 block the batches of a channel are derived from, where an older one is complete only
/// later.
// opstack 3.4 *3
#[test]
fn before_canyon_a_complete_channel_waits_for_those_that_are_older() {
    for (fork, first_derived_from) in [(Fork::Regolith, 5), (Fork::Canyon, 4)] {
        let world = World::at(fork);
        let older = frames_of(&world, 1, 2..4, 2);
        let younger = frames_of(&world, 2, 0..2, 1);
        let mut l1 = world.l1.clone();
        l1.add([tx(&older[0]), tx(&younger[0])]);
        l1.add([tx(&older[1])]);
        let node = derive(&l1);
        assert_eq!(node.safe_number(), 4, "{fork}");
        assert_eq!(times(&node)[0].2, first_derived_from, "{fork}");
    }
}

/// The number of L1 blocks between a channel's two frames, and what becomes of it.
fn after_blocks(world: &World, blocks: usize, resubmitted: bool) -> (u64, Vec<DropReason>) {
    let whole = frames_of(world, 1, 0..4, 2);
    let mut l1 = world.l1.clone();
    l1.add([tx(&whole[0])]);
    l1.add_empty(blocks - 1);
    l1.add([tx(&whole[1])]);
    if resubmitted {
        l1.add(frames_of(world, 2, 0..4, 2).iter().map(tx));
    }
    let node = derive(&l1);
    (node.safe_number(), node.reasons())
}

// opstack 2.8 |4; base: channel_timeout_triggers_channel_invalidation and _recovery_resubmits
#[test]
fn a_channel_times_out() {
    for (fork, timeout) in [(Fork::Fjord, 10), (Fork::Granite, 50), (Fork::Karst, 50)] {
        let mut rollup = rollup(fork);
        rollup.seq_window_size = 200;
        let world = World::new(chain(rollup));
        assert_eq!(after_blocks(&world, timeout, false), (4, vec![]), "{fork}");
        let (derived, reasons) = after_blocks(&world, timeout + 1, false);
        assert_eq!(derived, 0, "{fork}");
        let expected = if fork < Fork::Holocene {
            // its second frame finds no channel, and opens one
            vec![DropReason::ChannelTimedOut]
        } else {
            vec![DropReason::ChannelTimedOut, DropReason::FrameWithoutChannel]
        };
        assert_eq!(reasons, expected, "{fork}");
        let (derived, _) = after_blocks(&world, timeout + 1, true);
        assert_eq!(derived, 4, "{fork}");
    }
}

/// A channel that is complete, but behind an older one, times out like any other.
#[test]
fn before_canyon_a_complete_channel_may_time_out() {
    let mut rollup = rollup(Fork::Regolith);
    rollup.seq_window_size = 200;
    let world = World::new(chain(rollup));
    let older = frames_of(&world, 1, 0..2, 2);
    let younger = frames_of(&world, 2, 0..4, 1);
    for (blocks, expected) in [(0, 0), (9, 0), (10, 4)] {
        let mut l1 = world.l1.clone();
        l1.add([tx(&older[0]), tx(&younger[0])]);
        l1.add_empty(blocks);
        // after ten blocks the older one is gone, and the younger one with it
        l1.add(frames_of(&world, 3, 0..4, 1).iter().map(tx));
        assert_eq!(derive(&l1).safe_number(), expected, "{blocks}");
    }
}

// ChannelMux ActiveHolocene, kona's assembler_active: Holocene where derivation begins
#[test]
fn a_start_under_holocene_begins_with_one_channel_at_a_time() {
    let world = World::at(Fork::Holocene);
    let first = frames_of(&world, 1, 0..4, 2);
    let node = {
        let mut l1 = world.l1;
        l1.add([tx(&first[1]), tx(&first[0])]);
        derive(&l1)
    };
    assert_eq!(node.reasons(), [DropReason::FrameWithoutChannel]);
}

// ChannelMux LaterHolocene; opstack 11 L, HoloceneActivation
#[test]
fn a_channel_that_is_open_when_holocene_comes_is_lost() {
    let mut rollup = rollup(Fork::Granite);
    rollup.forks.holocene = Some(GENESIS_TIME + 5 * L1_BLOCK_TIME);
    let world = World::new(chain(rollup));
    let whole = frames_of(&world, 1, 0..4, 2);
    // both frames before, one on each side, both after
    for (first, second, expected) in [(4, 4, 4), (4, 5, 0), (5, 5, 4), (5, 6, 4)] {
        let mut l1 = world.l1.clone();
        l1.add_empty(5);
        if first == second {
            put(&mut l1, first, whole.iter().map(tx));
        } else {
            put(&mut l1, first, [tx(&whole[0])]);
            put(&mut l1, second, [tx(&whole[1])]);
        }
        assert_eq!(derive(&l1).safe_number(), expected, "{first}, {second}");
    }
}

/// A channel that is posted twice is read twice, and its batches are old by then.
#[test]
fn a_channel_may_be_posted_again() {
    for (fork, old) in FORKS.into_iter().zip(["batch_old", "batch_past"]) {
        let world = World::at(fork);
        let frames = frames_of(&world, 1, 0..3, 1);
        let mut l1 = world.l1.clone();
        l1.add([tx(&frames[0]), tx(&frames[0])]);
        let node = derive(&l1);
        assert_eq!(node.safe_number(), 3, "{fork}");
        assert_eq!(node.reason_names(), [old; 3], "{fork}");
    }
}

/// What is refused in one transaction does not harm what stands beside it.
#[test]
fn a_frame_that_is_refused_leaves_its_channel_as_it_was() {
    for fork in FORKS {
        let world = World::at(fork);
        let whole = frames_of(&world, 1, 0..4, 3);
        let forged = Frame {
            data: Bytes::from_static(b"forged"),
            ..whole[1].clone()
        };
        let mut l1 = world.l1.clone();
        l1.add([&whole[0], &whole[1], &forged].map(tx));
        l1.add([&forged, &whole[2]].map(tx));
        let node = derive(&l1);
        assert_eq!(node.safe_number(), 4, "{fork}");
        let duplicate = DropReason::Frame(FrameRefusal::Duplicate);
        assert_eq!(node.reasons(), vec![duplicate; 2], "{fork}");
    }
}

/// Frames of one transaction are put in order before any channel sees them, under Holocene only.
// opstack 3.3
#[test]
fn frames_of_one_transaction_are_put_in_order() {
    for fork in FORKS {
        let world = World::at(fork);
        let whole = frames_of(&world, 1, 0..4, 3);
        let mut l1 = world.l1.clone();
        let frames = [&whole[0], &whole[2], &whole[1], &whole[2]];
        l1.add([L1Tx::inbox(encode_frames(frames))]);
        let node = derive(&l1);
        assert_eq!(node.safe_number(), 4, "{fork}");
        let expected = if fork < Fork::Holocene {
            // the channel is read before the last frame, which then opens it again
            vec![]
        } else {
            vec![DropReason::FrameOrder(FrameOrder::NotContiguous)]
        };
        assert_eq!(node.reasons(), expected, "{fork}");
    }
}
