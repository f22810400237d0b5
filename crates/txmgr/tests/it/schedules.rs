//! Schedules that properties found, each of which once kept requests from ending.

use crate::{
    model::{
        Fate::{self, Answered, Fails, Late, Silence},
        World,
    },
    property::{
        Run,
        Step::{self, *},
    },
};
use doppio_txmgr::RequestId;

const fn send(is_blob: bool) -> Step {
    Send {
        is_blob,
        estimates: false,
    }
}

const fn reorg(depth: usize, blocks: usize, loses: bool) -> Step {
    Reorg {
        depth,
        blocks,
        loses,
    }
}

fn fates(fates: &[Fate]) -> Step {
    Fates(fates.to_vec())
}

const PLAIN: Step = send(false);
const BLOB: Step = send(true);

#[track_caller]
fn ends(steps: &[Step]) -> World {
    let mut run = Run::new(None);
    for step in steps {
        run.take(step);
    }
    run.heal();
    run.check().unwrap();
    run.world
}

fn mine(rooms: &[usize]) -> impl Iterator<Item = Step> {
    rooms.iter().map(|room| Mine { room: *room })
}

/// The plain one must not get into a pool before the blobs that a reorganisation took back.
#[test]
fn blobs_and_what_came_after_them_are_lost_together() {
    let world = ends(&[
        BLOB,
        Mine { room: 1 },
        PLAIN,
        Pass { seconds: 1 },
        Mine { room: 1 },
        reorg(2, 0, true),
    ]);
    // nothing is given up: both are there again, in their order
    assert_eq!(world.landed(), [RequestId(0), RequestId(1)]);
}

/// What a stranger paid may be too dear to replace, and may be gone.
#[test]
fn leftovers_that_were_dear_and_are_gone_are_replaced_for_less() {
    ends(&[
        PLAIN,
        Mine { room: 1 },
        BaseFee { gwei: 26 },
        Mine { room: 0 },
        BLOB,
        PLAIN,
        Restart,
        DropPool,
    ]);
    ends(&[
        BLOB,
        Cancel { which: 0 },
        Pass { seconds: 13 },
        BaseFee { gwei: 1 },
        Pass { seconds: 35 },
        Restart,
        DropPool,
        Mine { room: 0 },
        PLAIN,
        Pass { seconds: 24 },
    ]);
}

/// What cannot be paid does not hold up the cancellations before it.
#[test]
fn a_cancellation_that_is_too_dear_holds_up_none() {
    ends(&[
        BaseFee { gwei: 26 },
        Mine { room: 0 },
        BLOB,
        Mine { room: 1 },
        Mine { room: 0 },
        Mine { room: 0 },
        PLAIN,
        fates(&[Answered, Answered, Answered, Answered, Answered, Late]),
        Pass { seconds: 12 },
        reorg(2, 2, false),
        PLAIN,
        BLOB,
        Mine { room: 1 },
        reorg(4, 0, true),
    ]);
}

/// A pool that says it has transactions of the other kind is believed, whatever it said of nonces.
#[test]
fn a_leftover_of_the_wrong_kind_is_replaced_by_one_of_the_right_kind() {
    ends(&[
        PLAIN,
        PLAIN,
        BLOB,
        PLAIN,
        Mine { room: 2 },
        PLAIN,
        Restart,
        Mine { room: 1 },
        reorg(2, 0, true),
        PLAIN,
    ]);
    ends(&[
        BaseFee { gwei: 1 },
        Mine { room: 0 },
        BLOB,
        Refusals(vec![
            Some("replacement transaction underpriced"),
            Some("address already reserved"),
        ]),
        Restart,
        Pass { seconds: 48 },
    ]);
}

/// It was mined before its cancellation, and then it was not.
#[test]
fn what_was_given_up_while_it_was_mined_is_cancelled_after_a_reorganisation() {
    ends(&[
        BLOB,
        Mine { room: 1 },
        PLAIN,
        PLAIN,
        fates(&[Fails, Answered, Answered, Answered, Answered, Late]),
        Mine { room: 1 },
        Cancel { which: 1 },
        PLAIN,
        reorg(2, 0, false),
    ]);
}

/// A block that is canonical says nothing about one that was found on another chain.
#[test]
fn a_question_for_a_block_that_is_lost_is_asked_again_for_each_chain() {
    let mut steps = vec![PLAIN; 5];
    steps.extend(mine(&[2, 0, 0]));
    steps.push(Pass { seconds: 1 });
    steps.extend(mine(&[0, 0, 1]));
    steps.extend([
        Restart,
        PLAIN,
        BLOB,
        reorg(1, 5, false),
        fates(&[Late, Answered, Answered, Fails, Answered, Silence]),
        reorg(4, 0, false),
        Mine { room: 0 },
    ]);
    ends(&steps);
}

/// While a question about it is open, nothing that a reorganisation may have taken back is forgotten.
#[test]
fn what_is_in_doubt_is_not_forgotten() {
    let mut answers = vec![Answered; 5];
    answers.extend([Late, Answered, Answered, Silence]);
    ends(&[
        PLAIN,
        reorg(1, 5, false),
        Fates(answers),
        Mine { room: 0 },
        reorg(5, 8, true),
        reorg(1, 8, false),
    ]);
}

/// A nonce that others used is theirs only while the account says so; and what was said to have failed
/// is not handed in again.
#[test]
fn a_nonce_that_others_used_and_that_is_free_again_is_used_up_for_nothing() {
    let mut steps = vec![BaseFee { gwei: 13 }, BLOB];
    steps.extend([Mine { room: 0 }, PLAIN, PLAIN, Mine { room: 1 }]);
    steps.extend([reorg(2, 0, false), Restart, PLAIN, PLAIN]);
    steps.extend([Mine { room: 2 }, reorg(1, 0, false)]);
    steps.extend([DropPool, reorg(1, 3, false)]);
    ends(&steps);
}
