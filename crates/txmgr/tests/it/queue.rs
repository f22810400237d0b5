//! Several transactions at a time: op-service's queue tests by name, order, and what is given up with
//! what.

use crate::model::{Fate, GWEI, World, world};
use TxKind::{Blob, Plain};
use doppio_txmgr::{Event, FailReason, Outcome, RequestId, TxKind};

fn until_done(world: &mut World) {
    for _ in 0..200 {
        if world.manager.pending() == 0 {
            return;
        }
        world.blocks(1);
    }
    panic!(
        "{} requests do not end: {:?}",
        world.manager.pending(),
        world.notices
    );
}

fn confirmed(world: &World, ids: &[RequestId]) -> Vec<bool> {
    let is_confirmed = |id: &RequestId| matches!(world.end(*id), Some(Outcome::Confirmed(_)));
    ids.iter().map(is_confirmed).collect()
}

#[test]
fn queue_success_no_limit() {
    let mut world = world(|_| {});
    let ids: Vec<_> = (0..10).map(|_| world.send(Plain)).collect();
    assert_eq!(world.pool.len(), 10);
    until_done(&mut world);
    assert_eq!(world.landed(), ids);
    assert_eq!(confirmed(&world, &ids), [true; 10]);
}

#[test]
fn queue_single_threaded_blocking() {
    let mut world = world(|options| options.max_pending = 1);
    let ids = [world.send(Plain), world.send(Plain)];
    assert_eq!(world.signed.len(), 1);
    // The second begins when the first is confirmed.
    world.blocks(2);
    assert_eq!(world.signed.len(), 1);
    until_done(&mut world);
    assert_eq!(world.landed(), ids);
}

#[test]
fn queue_dual_threaded() {
    let mut world = world(|options| options.max_pending = 2);
    let ids = [world.send(Blob), world.send(Blob), world.send(Blob)];
    assert_eq!(world.signed.len(), 2);
    until_done(&mut world);
    assert_eq!(world.landed(), ids);
}

#[test]
fn queue_subsequent_txs_fail_after_tx_failure() {
    let mut world = world(|_| {});
    let first = world.send(Plain);
    world.refusals = [Some("oversized data")].into();
    let ids = [world.send(Plain), world.send(Plain)];
    assert!(matches!(
        world.end(ids[0]),
        Some(Outcome::Failed(FailReason::Refused(_)))
    ));
    // The third was sent after that, and goes its way.
    until_done(&mut world);
    assert_eq!(world.landed(), [first, ids[1]]);
}

#[test]
fn queue_send_after_failure() {
    let mut world = world(|_| {});
    world.gas = Err("execution reverted".to_owned());
    let failing = world.send_with(Plain, None);
    let behind = world.send(Plain);
    world.pass(61_000);
    assert!(matches!(
        world.end(failing),
        Some(Outcome::Failed(FailReason::GasEstimation(_)))
    ));
    let reason = FailReason::Earlier(failing);
    assert_eq!(world.end(behind), Some(&Outcome::Failed(reason)));
    let after = world.send(Plain);
    until_done(&mut world);
    assert_eq!(world.landed(), [after]);
}

#[test]
fn only_the_next_executable_nonce_is_bumped() {
    let mut world = world(|_| {});
    world.room = 0;
    for _ in 0..4 {
        world.send(Blob);
    }
    world.pass(49_000);
    let versions: Vec<usize> = (0..4).map(|nonce| world.versions(nonce).len()).collect();
    assert_eq!(versions, [2, 1, 1, 1]);
    // The next one has its own time, counted from when it is its turn.
    world.room = 1;
    world.blocks(1);
    world.room = 0;
    world.pass(40_000);
    assert_eq!(world.versions(1).len(), 1);
    world.pass(9_000);
    assert_eq!(world.versions(1).len(), 2);
    assert_eq!(world.versions(2).len(), 1);
}

#[test]
fn what_is_given_up_is_cancelled_from_the_last_nonce_down() {
    let mut world = world(|_| {});
    world.room = 0;
    let ids: Vec<_> = (0..4).map(|_| world.send(Plain)).collect();
    let before = world.handed_in.len();
    world.handle(Event::Cancel(ids[1]));
    world.run();
    let nonces: Vec<u64> = world.handed_in[before..]
        .iter()
        .map(|(hash, _)| world.txs[hash].nonce)
        .collect();
    assert_eq!(nonces, [3, 2, 1]);
    // Nothing new is handed in before all of them are mined.
    let after = world.send(Plain);
    world.pass(10_000);
    assert_eq!(world.handed_in.len(), before + 3);
    world.room = 10;
    until_done(&mut world);
    assert_eq!(world.landed(), [ids[0], after]);
    assert_eq!(world.end(ids[1]), Some(&Outcome::Cancelled));
    let earlier = Outcome::Failed(FailReason::Earlier(ids[1]));
    assert_eq!(world.end(ids[2]), Some(&earlier));
    assert_eq!(world.nonce(), 5);
}

#[test]
fn what_is_mined_all_the_same_is_confirmed() {
    let mut world = world(|_| {});
    world.room = 0;
    let id = world.send(Plain);
    world.handle(Event::Cancel(id));
    world.run();
    let payload = world.signed[0].hash;
    world.pool.clear();
    world.add_block(vec![payload]);
    world.announce();
    world.run();
    until_done(&mut world);
    assert!(matches!(
        world.outcomes(id),
        [
            Outcome::GivingUp(_),
            Outcome::Included(_),
            Outcome::Confirmed(_)
        ]
    ));
    assert_eq!(world.landed(), [id]);
}

#[test]
fn a_lost_answer_is_no_lost_transaction() {
    for fate in [Fate::Fails, Fate::Silence, Fate::Late, Fate::Lost] {
        let mut world = world(|_| {});
        // signed, and then handed in with no answer
        world.fates = [Fate::Answered, fate].into();
        let id = world.send(Plain);
        world.pass(1_000);
        world.mine();
        world.announce();
        world.run();
        until_done(&mut world);
        assert_eq!(world.landed(), [id], "{fate:?}");
        assert_eq!(
            confirmed(&world, &[id]),
            [true],
            "{fate:?}: {:?}",
            world.outcomes(id)
        );
    }
}

#[test]
fn a_transaction_is_handed_in_only_after_the_one_before_it() {
    let mut world = world(|_| {});
    world.refusals = vec![Some("internal error"); 3].into();
    let ids = [world.send(Blob), world.send(Blob)];
    assert!(world.pool.is_empty());
    assert_eq!(world.handed_in.len(), 1);
    until_done(&mut world);
    assert_eq!(world.landed(), ids);
}

#[test]
fn what_a_pool_dropped_is_handed_in_again() {
    let mut world = world(|_| {});
    world.room = 0;
    let ids = [world.send(Blob), world.send(Blob)];
    world.pool.clear();
    world.pass(13_000);
    assert_eq!(world.pool.len(), 2);
    world.room = 10;
    until_done(&mut world);
    assert_eq!(world.landed(), ids);
    assert_eq!(world.signed.len(), 2);
}

#[test]
fn fees_rise_and_the_queue_goes_on_in_order() {
    let mut world = world(|_| {});
    let ids: Vec<_> = (0..5).map(|_| world.send(Plain)).collect();
    world.base_fee = 25 * GWEI;
    until_done(&mut world);
    assert_eq!(world.landed(), ids);
}

#[test]
fn what_cannot_be_cancelled_within_the_limits_is_let_land() {
    let mut world = world(|options| options.settings.fee_limit_threshold = None);
    world.room = 0;
    let id = world.send(Blob);
    // Two bumps, and a third would pay more than five times the usual tip.
    world.pass(49_000 * 2);
    assert_eq!(world.versions(0).len(), 3);
    world.handle(Event::Cancel(id));
    world.run();
    world.pool.clear();
    world.room = 10;
    until_done(&mut world);
    assert_eq!(world.landed(), [id]);
    assert_eq!(confirmed(&world, &[id]), [true]);
}
