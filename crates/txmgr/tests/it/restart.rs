//! After a restart, and beside others who send from the account.

use crate::model::{GWEI, ME, World, unstarted, world};
use TxKind::{Blob, Plain};
use doppio_txmgr::{Action, Event, Notice, Outcome, RequestId, TxKind};

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

fn is_confirmed(world: &World, id: RequestId) -> bool {
    matches!(world.end(id), Some(Outcome::Confirmed(_)))
}

#[test]
fn what_is_in_the_pool_at_the_start_is_waited_for() {
    for is_open in [true, false] {
        let mut world = world(|_| {});
        world.room = 0;
        let old = [world.send(Blob), world.send(Blob)];
        world.pool_is_open = is_open;
        world.restart();
        assert_eq!(world.notices, [Notice::Leftovers { from: 0, until: 2 }]);
        assert_eq!(world.manager.next_nonce(), Some(2));
        // What comes new goes behind it.
        let new = world.send(Blob);
        assert_eq!(world.pool.len(), 3);
        world.room = 10;
        until_done(&mut world);
        assert_eq!(world.landed(), [old[0], old[1], new]);
        assert!(is_confirmed(&world, new));
    }
}

#[test]
fn what_is_stuck_in_the_pool_since_before_the_start_is_replaced() {
    for (kind, is_open) in [(Blob, true), (Plain, true), (Plain, false)] {
        let mut world = world(|_| {});
        let old = world.send(kind);
        world.base_fee = 25 * GWEI;
        world.pool_is_open = is_open;
        world.restart();
        let new = world.send(kind);
        until_done(&mut world);
        assert_eq!(world.landed(), [new], "{kind:?} {is_open}");
        assert!(is_confirmed(&world, new));
        assert_ne!(old, new);
        assert_eq!(world.nonce(), 2);
    }
}

#[test]
fn what_waits_is_of_the_other_kind_and_is_waited_for() {
    let mut world = world(|_| {});
    world.room = 0;
    world.send(Blob);
    world.pool_is_open = false;
    world.restart();
    let new = world.send(Plain);
    world.pass(20_000);
    assert_eq!(world.outcomes(new), []);
    world.room = 10;
    until_done(&mut world);
    assert!(is_confirmed(&world, new), "{:?}", world.outcomes(new));
}

#[test]
fn a_nonce_that_somebody_else_takes_is_told_and_what_was_not_handed_in_goes_on() {
    let mut world = world(|_| {});
    let hash = world.foreign(0, Plain, 100 * GWEI);
    world.add_block(vec![hash]);
    let id = world.send(Plain);
    until_done(&mut world);
    assert!(is_confirmed(&world, id));
    assert_eq!(world.versions(1).len(), 1);
    let shared = |notice: &Notice| matches!(notice, Notice::AccountShared { nonce: 0 });
    assert!(world.notices.iter().any(shared), "{:?}", world.notices);
}

#[test]
fn a_request_whose_nonce_is_taken_fails_and_those_after_it_are_cancelled() {
    let mut world = world(|_| {});
    world.room = 0;
    let ids = [world.send(Plain), world.send(Plain)];
    let foreign = world.foreign(0, Plain, 100 * GWEI);
    world.pool.remove(&0);
    world.add_block(vec![foreign]);
    world.announce();
    world.run();
    world.room = 10;
    // The second stays where it is for so long, as blocks are full.
    world.room = 0;
    world.blocks(4);
    let [Outcome::GivingUp(reason), ..] = world.outcomes(ids[0]) else {
        panic!("{:?}", world.outcomes(ids[0]));
    };
    assert_eq!(
        reason.to_string(),
        "nonce 0 was taken by a transaction of somebody else"
    );
    world.room = 10;
    until_done(&mut world);
    assert_eq!(world.landed(), []);
    assert!(world.notices.contains(&Notice::AccountShared { nonce: 0 }));
    // and then it goes on
    let after = world.send(Plain);
    until_done(&mut world);
    assert_eq!(world.landed(), [after]);
}

#[test]
fn somebody_elses_transactions_behind_ours_are_seen_and_passed() {
    let mut world = world(|_| {});
    let first = world.send(Plain);
    let foreign = world.foreign(1, Plain, 100 * GWEI);
    world.pool.insert(1, foreign);
    world.room = 0;
    world.blocks(1);
    assert!(world.notices.contains(&Notice::AccountShared { nonce: 1 }));
    let second = world.send(Plain);
    assert_eq!(world.versions(2).len(), 1);
    world.room = 10;
    until_done(&mut world);
    assert_eq!(world.landed(), [first, second]);
}

#[test]
fn nonces_below_the_first_that_come_free_again_are_used_up() {
    // The account's transactions of before the start are undone, and lost.
    let mut world = unstarted(|_| {});
    let before = [
        world.foreign(0, Plain, 100 * GWEI),
        world.foreign(1, Plain, 100 * GWEI),
    ];
    world.add_block(before.to_vec());
    world.announce();
    world.run();
    let id = world.send(Plain);
    assert_eq!(world.versions(2).len(), 1);
    world.unwind(1, true);
    // The pool kept ours, which cannot be mined.
    let ours = world.signed[0].hash;
    world.pool.insert(2, ours);
    world.add_block(vec![]);
    world.announce();
    world.run();
    until_done(&mut world);
    assert_eq!(world.landed(), [id]);
    assert_eq!(world.nonce(), 3);
    let last = world.versions(0);
    assert_eq!(last[0].to, Some(ME));
}

#[test]
fn an_endpoint_that_lies_about_nonces_costs_bounded_memory() {
    let mut world = unstarted(|_| {});
    world.announce();
    let call = loop {
        match world.manager.next_action(world.now) {
            Some(Action::FetchAccount(call)) => break call,
            Some(_) => {}
            None => panic!("the account is not asked for"),
        }
    };
    let account = doppio_txmgr::Account {
        latest: 5,
        pending: u64::MAX,
    };
    world.handle(Event::Account(call, Some(account)));
    assert_eq!(world.manager.next_nonce(), Some(5 + 1024));
}
