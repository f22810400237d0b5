//! op-service's tests of one transaction, by name, and what ours does besides.

use crate::model::{Fate, GWEI, ME, World, world};
use TxKind::{Blob, Plain};
use doppio_txmgr::{
    Event, FailReason, Notice, Outcome, PublishFailure, SidecarVersion, SignFailure, TxKind,
    ZERO_BLOB_HASH,
};

/// Blocks until everything has ended.
fn until_done(world: &mut World) {
    for _ in 0..100 {
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

#[track_caller]
fn assert_confirmed(world: &World, id: doppio_txmgr::RequestId) {
    let end = world.end(id);
    assert!(
        matches!(end, Some(Outcome::Confirmed(_))),
        "{:?}",
        world.outcomes(id)
    );
}

#[track_caller]
fn assert_failed(world: &World, id: doppio_txmgr::RequestId, reason: &FailReason) {
    assert_eq!(
        world.end(id),
        Some(&Outcome::Failed(reason.clone())),
        "{:?}",
        world.outcomes(id)
    );
}

#[test]
fn tx_mgr_confirm_at_min_gas_price() {
    let mut world = world(|_| {});
    let id = world.send(Plain);
    world.blocks(4);
    assert_confirmed(&world, id);
    assert_eq!(world.signed.len(), 1);
    let fees = world.signed[0].tx.fees;
    // a tip of 1 gwei, a base fee of 10
    assert_eq!((fees.tip_cap, fees.fee_cap), (GWEI, 21 * GWEI));
    assert!(matches!(
        world.outcomes(id),
        [Outcome::Included(_), Outcome::Confirmed(_)]
    ));
}

#[test]
fn tx_mgr_confirms_at_higher_gas_price() {
    let mut world = world(|_| {});
    let id = world.send(Plain);
    world.base_fee = 30 * GWEI;
    until_done(&mut world);
    assert_confirmed(&world, id);
    let versions = world.versions(0);
    assert_eq!(versions.len(), 2);
    assert!(versions[1].fees.fee_cap >= 61 * GWEI);
    // 48 seconds: the bump comes with the fourth block
    assert_eq!(world.notices.len(), 1);
}

#[test]
fn tx_mgr_confirms_blob_tx_at_higher_gas_price() {
    let mut world = world(|_| {});
    let id = world.send(Blob);
    // a blob then costs 3 gwei and more
    world.excess = 3_338_477 * 22;
    until_done(&mut world);
    assert_confirmed(&world, id);
    let versions = world.versions(0);
    assert!(versions.len() >= 2);
    for two in versions.windows(2) {
        let (old, new) = (two[0].fees, two[1].fees);
        assert!(new.tip_cap >= 2 * old.tip_cap);
        assert!(new.fee_cap >= 2 * old.fee_cap);
        assert!(new.blob_fee_cap >= 2 * old.blob_fee_cap);
    }
}

#[test]
fn tx_mgr_never_confirm_cancel() {
    let mut world = world(|_| {});
    world.room = 0;
    let id = world.send(Plain);
    world.blocks(2);
    world.handle(Event::Cancel(id));
    world.run();
    assert_eq!(
        world.outcomes(id),
        [Outcome::GivingUp(FailReason::Cancelled)]
    );
    world.room = 10;
    until_done(&mut world);
    assert_eq!(world.end(id), Some(&Outcome::Cancelled));
    assert_eq!(world.landed(), []);
    // its nonce is used up by a transfer of nothing to ourselves
    assert_eq!(world.nonce(), 1);
    let last = &world.signed.last().unwrap().tx;
    assert_eq!(
        (last.to, last.value.is_zero(), last.data.is_empty()),
        (Some(ME), true, true)
    );
}

#[test]
fn what_was_not_handed_in_is_cancelled_at_once_and_leaves_no_nonce() {
    let mut world = world(|options| options.max_base_fee = Some(5 * GWEI));
    let id = world.send_with(Plain, None);
    let other = world.send(Plain);
    assert_eq!(world.signed.len(), 0);
    world.handle(Event::Cancel(id));
    world.run();
    assert_eq!(world.outcomes(id), [Outcome::Cancelled]);
    assert_failed(&world, other, &FailReason::Earlier(id));
    assert_eq!(world.manager.next_nonce(), Some(0));
}

#[test]
fn tx_mgr_tx_send_timeout() {
    let mut world = world(|options| options.send_timeout = 30_000);
    world.room = 0;
    let (first, second) = (world.send(Plain), world.send(Plain));
    world.pass(31_000);
    assert_eq!(
        world.outcomes(first),
        [Outcome::GivingUp(FailReason::SendTimeout)]
    );
    world.room = 10;
    until_done(&mut world);
    assert_failed(&world, first, &FailReason::SendTimeout);
    assert_failed(&world, second, &FailReason::Earlier(first));
    assert_eq!((world.nonce(), world.landed().len()), (2, 0));
}

#[test]
fn already_reserved_is_cleared_by_nothing_of_the_other_kind() {
    for (kind, other) in [(Plain, Blob), (Blob, Plain)] {
        let mut world = world(|_| {});
        // something of the other kind that nobody tells of
        let hash = world.foreign(0, other, 21 * GWEI);
        world.room = 0;
        world.pool.insert(0, hash);
        let id = world.send(kind);
        assert_failed(&world, id, &FailReason::AlreadyReserved);
        let after = world.send(kind);
        // Nothing new is handed in before the pool is clear.
        let last = &world.signed.last().unwrap().tx;
        assert_eq!((last.nonce, last.kind(), last.to), (0, other, Some(ME)));
        if other == Blob {
            assert_eq!(last.blob_hashes, [ZERO_BLOB_HASH]);
        }
        world.room = 10;
        until_done(&mut world);
        assert_confirmed(&world, after);
        assert_eq!(world.landed(), [after]);
        assert_eq!(world.nonce(), 2);
    }
}

#[test]
fn kinds_of_transactions_wait_for_each_other() {
    let mut world = world(|_| {});
    let ids = [world.send(Plain), world.send(Blob), world.send(Plain)];
    assert_eq!(world.pool.len(), 1);
    until_done(&mut world);
    assert_eq!(world.landed(), ids);
    assert!(world.notices.is_empty(), "{:?}", world.notices);
}

#[test]
fn tx_mgr_blocks_on_failing_rpc_calls() {
    let mut world = world(|_| {});
    world.refusals = vec![Some("internal error"); 5].into();
    let id = world.send(Plain);
    until_done(&mut world);
    assert_confirmed(&world, id);
    assert_eq!(world.handed_in.len(), 6);
}

#[test]
fn what_no_pool_takes_in_time_is_given_up() {
    let mut world = world(|_| {});
    world.refusals = vec![Some("internal error"); 1000].into();
    let id = world.send(Plain);
    let other = world.send(Plain);
    world.pass(119_000);
    assert_eq!(world.outcomes(id), []);
    world.pass(3_000);
    assert_failed(
        &world,
        id,
        &FailReason::NotInMempool("internal error".to_owned()),
    );
    assert_failed(&world, other, &FailReason::Earlier(id));
    assert_eq!(world.manager.next_nonce(), Some(0));
}

#[test]
fn what_no_pool_will_ever_take_is_given_up_at_once() {
    let mut world = world(|_| {});
    world.refusals = vec![Some(
        "oversized data: transaction size 200000, limit 131072",
    )]
    .into();
    let id = world.send(Plain);
    let reason = world.end(id).cloned();
    assert!(
        matches!(reason, Some(Outcome::Failed(FailReason::Refused(_)))),
        "{reason:?}"
    );
    assert_eq!(world.nonce(), 0);
}

#[test]
fn tx_mgr_only_one_publication_succeeds() {
    let mut world = world(|_| {});
    world.refusals = [
        None,
        Some("rpc failure"),
        Some("rpc failure"),
        Some("rpc failure"),
    ]
    .into();
    let id = world.send(Plain);
    world.base_fee = 30 * GWEI;
    world.blocks(2);
    world.base_fee = 10 * GWEI;
    until_done(&mut world);
    assert_confirmed(&world, id);
    assert_eq!(world.signed.len(), 1);
}

#[test]
fn tx_mgr_rebroadcasts_without_gas_price_increase() {
    let mut world = world(|_| {});
    world.room = 0;
    let id = world.send(Plain);
    world.pass(47_000);
    // at 0, 12, 24 and 36 seconds: "already known" each time but the first
    assert_eq!(world.handed_in.len(), 4);
    assert_eq!(world.signed.len(), 1);
    world.pass(2_000);
    assert_eq!(world.signed.len(), 2);
    world.room = 1;
    until_done(&mut world);
    assert_confirmed(&world, id);
}

#[test]
fn tx_mgr_confirms_min_gas_price_after_bumping() {
    let mut world = world(|_| {});
    world.room = 0;
    let id = world.send(Plain);
    world.pass(50_000);
    assert_eq!(world.signed.len(), 2);
    // The pool that makes the block has the first version only.
    let first = world.signed[0].hash;
    world.pool.clear();
    world.add_block(vec![first]);
    world.announce();
    world.run();
    world.blocks(3);
    let Some(Outcome::Confirmed(inclusion)) = world.end(id) else {
        panic!("{:?}", world.outcomes(id));
    };
    assert_eq!(inclusion.tx_hash, first);
}

#[test]
fn tx_mgr_retries_unbumpable_tx() {
    let mut world = world(|options| options.settings.fee_limit_threshold = None);
    world.room = 0;
    let id = world.send(Plain);
    world.pass(48_000 * 30);
    let versions = world.versions(0).len();
    // 110 % each, up to five times what is usual
    assert!((15..=18).contains(&versions), "{versions}");
    let last = world.versions(0).last().unwrap().fees;
    assert!(
        last.fee_cap <= 105 * GWEI && last.tip_cap <= 5 * GWEI,
        "{last:?}"
    );
    assert!(
        world
            .notices
            .iter()
            .any(|notice| matches!(notice, Notice::FeesTooHigh(_)))
    );
    world.room = 1;
    until_done(&mut world);
    assert_confirmed(&world, id);
}

#[test]
fn tx_mgr_doesnt_abort_nonce_too_low_after_mining_tx() {
    let mut world = world(|options| options.num_confirmations = 8);
    let id = world.send(Plain);
    world.refusals = vec![Some("nonce too low"); 20].into();
    // It is mined, but for a long time nobody says so.
    world.pass(1_000);
    world.mine();
    for _ in 0..6 {
        world.fates = vec![Fate::Fails; 1000].into();
        world.pass(12_000);
    }
    assert_eq!(world.outcomes(id), []);
    assert!(world.handed_in.len() > 4);
    world.fates.clear();
    world.refusals.clear();
    until_done(&mut world);
    assert_confirmed(&world, id);
}

#[test]
fn wait_mined_multiple_confs() {
    let mut world = world(|options| options.num_confirmations = 2);
    let id = world.send(Plain);
    world.blocks(1);
    assert!(matches!(world.outcomes(id), [Outcome::Included(_)]));
    world.blocks(1);
    assert_confirmed(&world, id);
}

#[test]
fn wait_mined_returns_receipt_after_failure() {
    let mut world = world(|options| options.num_confirmations = 1);
    let id = world.send(Plain);
    world.pass(12_000);
    world.mine();
    world.announce();
    // account, tip, look-up: none is answered
    world.fates = vec![Fate::Fails; 6].into();
    world.run();
    assert_eq!(world.outcomes(id), []);
    world.pass(14_000);
    assert_confirmed(&world, id);
}

#[test]
fn a_reverted_transaction_ends_as_such() {
    let mut world = world(|_| {});
    world.reverts = true;
    let id = world.send(Plain);
    until_done(&mut world);
    assert!(matches!(world.end(id), Some(Outcome::Reverted(_))));
}

#[test]
fn a_transaction_that_is_reorged_out_is_handed_in_again_as_it_was() {
    let mut world = world(|_| {});
    let ids = [world.send(Plain), world.send(Plain)];
    world.blocks(2);
    world.unwind(2, true);
    world.add_block(vec![]);
    world.announce();
    world.run();
    for id in ids {
        let [Outcome::Included(_), Outcome::ReorgedOut(_)] = world.outcomes(id) else {
            panic!("{:?}", world.outcomes(id));
        };
    }
    until_done(&mut world);
    assert_eq!(world.landed(), ids);
    assert_eq!(world.signed.len(), 2);
    for id in ids {
        assert_confirmed(&world, id);
    }
}

#[test]
fn a_confirmed_transaction_that_is_reorged_out_lives_again() {
    let mut world = world(|_| {});
    let id = world.send(Plain);
    world.blocks(5);
    assert_confirmed(&world, id);
    world.unwind(5, true);
    for _ in 0..6 {
        world.add_block(vec![]);
    }
    world.announce();
    world.run();
    assert!(matches!(
        world.outcomes(id).last(),
        Some(Outcome::ReorgedOut(_))
    ));
    assert_eq!(world.manager.pending(), 1);
    until_done(&mut world);
    assert_confirmed(&world, id);
    assert_eq!(world.landed(), [id]);
}

#[test]
fn nonce_reset_a_failure_before_handing_in_uses_no_nonce() {
    let mut world = world(|_| {});
    for _ in 0..3 {
        world.sign_failures = [SignFailure::Refused("no".to_owned())].into();
        let id = world.send(Plain);
        assert_failed(&world, id, &FailReason::Sign("no".to_owned()));
    }
    let id = world.send(Plain);
    until_done(&mut world);
    assert_confirmed(&world, id);
    assert_eq!(world.nonce(), 1);
}

#[test]
fn tx_mgr_signing_fails_for_a_while() {
    let mut world = world(|_| {});
    let failure = SignFailure::Unavailable("locked".to_owned());
    world.sign_failures = vec![failure; 5].into();
    let id = world.send(Plain);
    world.pass(11_000);
    until_done(&mut world);
    assert_confirmed(&world, id);
}

#[test]
fn tx_mgr_signing_fails_for_good() {
    let mut world = world(|_| {});
    let failure = SignFailure::Unavailable("locked".to_owned());
    world.sign_failures = vec![failure; 30].into();
    let id = world.send(Plain);
    world.pass(60_000);
    assert_failed(&world, id, &FailReason::Sign("locked".to_owned()));
}

#[test]
fn increase_gas_price_signing_error_hands_in_the_old_version() {
    let mut world = world(|_| {});
    world.room = 0;
    let id = world.send(Plain);
    world.sign_failures = vec![SignFailure::Refused("no".to_owned()); 2].into();
    world.pass(100_000);
    assert_eq!(world.signed.len(), 1);
    world.room = 1;
    until_done(&mut world);
    assert_confirmed(&world, id);
}

#[test]
fn tx_mgr_estimate_gas() {
    let mut world = world(|_| {});
    world.gas = Ok(77_000);
    let id = world.send_with(Plain, None);
    assert_eq!(world.signed[0].tx.gas_limit, 77_000);
    // On a bump it is estimated again, and only ever raised.
    world.room = 0;
    world.gas = Ok(50_000);
    world.pass(49_000);
    world.gas = Ok(88_000);
    world.pass(49_000);
    let limits: Vec<u64> = world.versions(0).iter().map(|tx| tx.gas_limit).collect();
    assert_eq!(limits, [77_000, 77_000, 88_000]);
    world.room = 1;
    until_done(&mut world);
    assert_confirmed(&world, id);
}

#[test]
fn tx_mgr_estimate_gas_fails() {
    let mut world = world(|_| {});
    world.gas = Err("execution reverted".to_owned());
    let id = world.send_with(Plain, None);
    world.pass(57_000);
    assert_eq!(world.outcomes(id), []);
    world.pass(3_000);
    assert_failed(
        &world,
        id,
        &FailReason::GasEstimation("execution reverted".to_owned()),
    );
    assert_eq!(world.signed.len(), 0);
}

#[test]
fn tx_mgr_custom_publish_error() {
    let mut world = world(|options| {
        options.already_published = vec!["the transaction was shielded".to_owned()];
    });
    world.room = 0;
    world.refusals = vec![Some("the transaction was shielded"); 100].into();
    let id = world.send(Plain);
    world.pass(200_000);
    // It counts as handed in, so it is not given up after two minutes.
    assert_eq!(world.outcomes(id), []);
}

#[test]
fn tx_mgr_retry_on_error_nonce_too_high() {
    let mut world = world(|_| {});
    world.refusals = vec![Some("nonce too high: tx nonce 1, gapped nonce 0"); 5].into();
    let id = world.send(Blob);
    // a second between attempts
    world.pass(6_000);
    assert_eq!(world.handed_in.len(), 6);
    until_done(&mut world);
    assert_confirmed(&world, id);
    world.refusals = vec![Some("nonce too high: tx nonce 1, gapped nonce 0"); 100].into();
    let id = world.send(Blob);
    world.pass(12_000);
    assert!(matches!(
        world.end(id),
        Some(Outcome::Failed(FailReason::Refused(_)))
    ));
}

#[test]
fn an_underpriced_transaction_is_bumped_at_once_and_only_once() {
    let mut world = world(|_| {});
    world.refusals = vec![Some("transaction underpriced"); 2].into();
    world.send(Plain);
    assert_eq!((world.signed.len(), world.handed_in.len()), (2, 2));
    world.pass(11_000);
    assert_eq!(world.handed_in.len(), 2);
    world.pass(2_000);
    assert_eq!(world.handed_in.len(), 3);
}

#[test]
fn close_lets_go_of_what_is_not_mined() {
    let mut world = world(|_| {});
    world.room = 1;
    let (mined, waiting) = (world.send(Plain), world.send(Plain));
    world.blocks(1);
    world.handle(Event::Close);
    world.run();
    assert_failed(&world, waiting, &FailReason::Closed);
    let late = world.send(Plain);
    assert_failed(&world, late, &FailReason::Closed);
    assert!(!world.manager.is_done());
    // close waiting for confirmation
    world.room = 0;
    world.blocks(3);
    assert_confirmed(&world, mined);
    assert!(world.manager.is_done());
}

#[test]
fn cell_proofs_are_sent_from_twelve_seconds_after_osaka() {
    let osaka = crate::model::START / 1000 + 1000;
    let mut world = world(|options| options.cell_proof_time = Some(osaka));
    world.room = 0;
    world.send(Blob);
    world.pass(1_040_000);
    let first = world
        .handed_in
        .iter()
        .position(|(_, form)| *form == SidecarVersion::Cells);
    let (old, new) = world.handed_in.split_at(first.unwrap());
    assert!(!old.is_empty());
    assert!(new.iter().all(|(_, form)| *form == SidecarVersion::Cells));
    // to the second
    for (seconds, expected) in [
        (1000, SidecarVersion::Blob),
        (1012, SidecarVersion::Blob),
        (1013, SidecarVersion::Cells),
    ] {
        let mut world = crate::model::world(|options| options.cell_proof_time = Some(osaka));
        world.pass(seconds * 1000);
        world.send(Blob);
        assert_eq!(world.handed_in[0].1, expected, "{seconds}");
    }
    // Without the flag on an L1 that is not known: never.
    let mut world = crate::model::world(|_| {});
    world.send(Blob);
    assert_eq!(world.handed_in[0].1, SidecarVersion::Blob);
}

#[test]
fn an_l1_without_a_known_blob_schedule_gets_no_blobs() {
    let mut world = world(|options| options.blob_schedule = Default::default());
    let id = world.send(Blob);
    world.blocks(3);
    assert_eq!((world.signed.len(), world.outcomes(id).len()), (0, 0));
    assert!(matches!(world.notices[0], Notice::NoBlobFee(_)));
}

#[test]
fn the_budget_of_an_hour_is_kept() {
    // one transaction offers 100,000 gas at 21 gwei
    let cost = 100_000 * 21 * GWEI;
    let mut world = world(|options| options.max_fee_per_hour = Some(2 * cost));
    let ids = [world.send(Plain), world.send(Plain), world.send(Plain)];
    assert_eq!(world.signed.len(), 2);
    assert!(
        world
            .notices
            .iter()
            .any(|notice| matches!(notice, Notice::BudgetUsedUp { .. }))
    );
    // What was mined cost 21,000 gas each: there is room again.
    until_done(&mut world);
    for id in ids {
        assert_confirmed(&world, id);
    }
    // What it takes for more comes back after an hour.
    let mut ids = Vec::new();
    for _ in 0..8 {
        ids.push(world.send(Plain));
        world.blocks(1);
    }
    assert!(world.signed.len() < 11);
    world.pass(3_600_000);
    until_done(&mut world);
    assert_eq!(world.landed().len(), 11);
}

#[test]
fn malformed_requests_are_refused() {
    let mut world = world(|_| {});
    let request = |to, blobs: usize| doppio_txmgr::TxRequest {
        to,
        value: Default::default(),
        data: Default::default(),
        blob_hashes: vec![ZERO_BLOB_HASH; blobs],
        gas_limit: Some(21_000),
    };
    for (name, request) in [request(None, 1), request(Some(ME), 7)]
        .into_iter()
        .enumerate()
    {
        let id = doppio_txmgr::RequestId(1000 + name as u64);
        world.handle(Event::Send { id, request });
        world.run();
        let end = world.end(id);
        assert!(
            matches!(end, Some(Outcome::Failed(FailReason::Malformed(_)))),
            "{end:?}"
        );
    }
}

#[test]
fn a_refusal_is_told_with_the_endpoints_words() {
    let mut world = world(|_| {});
    world.refusals = [Some(
        "insufficient funds for gas * price + value: balance 0",
    )]
    .into();
    world.send(Plain);
    let Notice::Refused { failure, words, .. } = &world.notices[0] else {
        panic!("{:?}", world.notices);
    };
    assert_eq!(*failure, PublishFailure::InsufficientFunds);
    assert!(words.contains("balance 0"));
}

#[test]
fn what_waits_for_a_nonce_goes_with_what_is_given_up_before_it() {
    let mut world = world(|options| options.max_pending = 1);
    let (first, second) = (world.send(Plain), world.send(Plain));
    assert_eq!(world.signed.len(), 1, "the second has no nonce yet");
    world.handle(Event::Cancel(first));
    world.run();
    assert_eq!(
        world.end(second),
        Some(&Outcome::Failed(FailReason::Earlier(first)))
    );
    until_done(&mut world);
    assert_eq!(world.end(first), Some(&Outcome::Cancelled));
    assert!(world.landed().is_empty());
}

#[test]
fn a_cancellation_is_of_the_kind_that_the_pool_has() {
    for kind in [Plain, Blob] {
        let mut world = world(|_| {});
        let id = world.send(kind);
        world.handle(Event::Cancel(id));
        world.run();
        let kinds: Vec<_> = world.signed.iter().map(|made| made.tx.kind()).collect();
        assert_eq!(kinds, [kind, kind]);
        until_done(&mut world);
        assert_eq!(world.end(id), Some(&Outcome::Cancelled));
    }
}

/// One endpoint refuses for good, and another, which gave no answer, has it.
#[test]
fn what_one_endpoint_refuses_another_may_have() {
    let mut world = world(|_| {});
    world.refusals = [None, Some("oversized data")].into();
    let id = world.send(Plain);
    world.pass(12_000);
    assert_eq!(world.outcomes(id), []);
    let mut world = self::world(|_| {});
    // account, tip and signature are answered; then the transaction is handed in
    world.fates = [Fate::Answered, Fate::Fails].into();
    world.refusals = [Some("oversized data")].into();
    let id = world.send(Plain);
    assert_eq!(world.outcomes(id), [], "it is not given up");
    until_done(&mut world);
    assert_confirmed(&world, id);
}

/// An endpoint that is behind is no reorganisation.
#[test]
fn a_nonce_that_one_endpoint_has_not_seen_yet_is_not_free() {
    let mut world = world(|_| {});
    let foreign = world.foreign(0, Plain, 100 * GWEI);
    world.add_block(vec![foreign]);
    world.announce();
    world.run();
    world.blocks(2);
    assert_eq!(world.manager.next_nonce(), Some(1));
    let signed = world.signed.len();
    world.behind = [0, 0].into();
    world.blocks(2);
    world.behind = [0, 0].into();
    world.blocks(4);
    assert_eq!(world.signed.len(), signed, "nothing is sent for nonce 0");
}

#[test]
fn once_closed_it_says_nothing_of_what_is_in_the_pools() {
    let mut world = world(|_| {});
    world.send(Plain);
    world.handle(Event::Close);
    world.run();
    world.blocks(0);
    world.pass(60_000);
    assert!(world.manager.is_done());
    assert_eq!(world.notices, []);
}
