//! Who may post batches: five rules (opstack 2.9; espresso 5; opstack 11 I, Espresso).

use crate::support::*;
use alloy_consensus::TxEip4844;
use alloy_primitives::{Address, B256, Bytes, keccak256};
use doppio_derive::{
    BATCH_INFO_AUTHENTICATED, BATCH_INFO_AUTHENTICATED_BY, InboxRefusal, Request, Step,
    batch_commitment,
};
use doppio_protocol::{
    config::{AuthProfile, AuthRule, ChainConfig, ChainProfile, Fork, Overrides},
    deposit::{DepositSource, DepositTx, encode_deposit_log},
};
use std::sync::Arc;

/// L1 time of the `index`-th block after genesis.
const fn l1_time(index: u64) -> u64 {
    GENESIS_TIME + L1_BLOCK_TIME * index
}

/// Generation 2, with its window.
fn generation_2(window: Option<u64>, from: u64) -> Arc<ChainConfig> {
    let mut rollup = rollup(Fork::Jovian);
    rollup.espresso_enforcement_time = Some(from);
    rollup.batch_authenticator_address = Some(AUTHENTICATOR);
    rollup.batch_auth_lookback_window = window;
    chain(rollup)
}

/// Generation 3, by profile.
fn generation_3(from: u64) -> Arc<ChainConfig> {
    let mut rollup = rollup(Fork::Jovian);
    rollup.batch_authenticator_address = Some(AUTHENTICATOR);
    by_profile(rollup, AuthRule::AuthEventCaller, from)
}

/// Generation 4.
fn generation_4(from: u64) -> Arc<ChainConfig> {
    let mut rollup = rollup(Fork::Jovian);
    rollup.espresso_time = Some(from);
    rollup.batch_authenticator_address = Some(AUTHENTICATOR);
    chain(rollup)
}

fn by_profile(
    rollup: doppio_protocol::config::RollupConfig,
    rule: AuthRule,
    from: u64,
) -> Arc<ChainConfig> {
    let profile = ChainProfile {
        batch_auth: Some(AuthProfile {
            rule,
            from: Some(from),
        }),
        ..ChainProfile::upstream()
    };
    let overrides = Overrides {
        profile: Some(profile),
        ..Overrides::default()
    };
    chain_with(rollup, overrides)
}

fn data(n: u64) -> Bytes {
    [&[0xee], n.to_be_bytes().as_slice()].concat().into()
}

/// Generation 2's event.
fn authenticated(commitment: B256) -> L1Tx {
    let topics = vec![BATCH_INFO_AUTHENTICATED, commitment];
    L1Tx::with_logs(vec![log(AUTHENTICATOR, topics, Bytes::new())])
}

/// Generation 3's and 4's event.
fn authenticated_by(commitment: B256, caller: Key) -> L1Tx {
    let topics = vec![BATCH_INFO_AUTHENTICATED_BY, caller.address().into_word()];
    L1Tx::with_logs(vec![log(AUTHENTICATOR, topics, commitment)])
}

/// The verdicts on all inbox transactions of an L1.
fn verdicts(l1: &L1) -> Vec<Result<(), InboxRefusal>> {
    let mut node = Node::new(l1);
    for blob in (0..9).map(|n| blob(&data(n))) {
        node.blobs.insert(blob.0, blob.1);
    }
    node.run_to_end();
    node.verdicts
        .iter()
        .map(|verdict| verdict.verdict)
        .collect()
}

fn accepted(l1: &L1) -> Vec<bool> {
    verdicts(l1).iter().map(Result::is_ok).collect()
}

#[test]
fn topics_are_the_hashes_of_the_events() {
    for (topic, event) in [
        (BATCH_INFO_AUTHENTICATED, "BatchInfoAuthenticated(bytes32)"),
        (
            BATCH_INFO_AUTHENTICATED_BY,
            "BatchInfoAuthenticated(bytes32,address)",
        ),
    ] {
        assert_eq!(topic, keccak256(event));
    }
}

#[test]
fn the_commitment_is_of_the_calldata_or_of_the_blob_hashes() {
    let calldata = L1Tx::inbox(data(1)).transaction;
    assert_eq!(batch_commitment(&calldata), keccak256(data(1)));
    let blobs = [blob(&data(1)), blob(&data(2))];
    let with_blobs = L1Tx::blobs(BATCHER, INBOX, &blobs).transaction;
    let hashes = [blobs[0].0, blobs[1].0].concat();
    assert_eq!(batch_commitment(&with_blobs), keccak256(hashes));
}

// Espresso B: authenticated calldata and blob tx accepted; any sender accepted with event; unknown
// sender and fallback batcher without event rejected; wrong inbox; mixed
#[test]
fn generation_2_wants_an_event_and_no_sender() {
    let mut l1 = L1::new(&generation_2(None, 0));
    let blobs = [blob(&data(3))];
    let blob_commitment = keccak256(blobs[0].0);
    l1.add([
        authenticated(keccak256(data(1))),
        authenticated(keccak256(data(2))),
        authenticated(blob_commitment),
    ]);
    l1.add([
        L1Tx::inbox(data(1)),
        L1Tx::to(STRANGER, INBOX, data(2)),
        // posted again
        L1Tx::to(STRANGER, INBOX, data(1)),
        L1Tx::blobs(STRANGER, INBOX, &blobs),
        L1Tx::to(STRANGER, INBOX, data(4)),
        L1Tx::inbox(data(4)),
        L1Tx::inbox(Bytes::new()),
        L1Tx::to(STRANGER, Address::repeat_byte(9), data(1)),
        L1Tx::set_code(BATCHER, INBOX, data(1)),
    ]);
    let missing = |n| Err(InboxRefusal::NotAuthenticated(keccak256(data(n))));
    assert_eq!(
        verdicts(&l1),
        [
            Ok(()),
            Ok(()),
            Ok(()),
            Ok(()),
            missing(4),
            missing(4),
            Err(InboxRefusal::NotAuthenticated(keccak256([]))),
            Err(InboxRefusal::Type(4)),
        ]
    );
}

#[test]
fn an_event_counts_only_as_the_authenticator_emits_it() {
    let commitment = |n| keccak256(data(n));
    let event = |address, topics, data: Bytes| L1Tx::with_logs(vec![log(address, topics, data)]);
    let two = [
        // another contract, a reverted transaction, another event, a topic too few
        event(
            PORTAL,
            vec![BATCH_INFO_AUTHENTICATED, commitment(1)],
            Bytes::new(),
        ),
        authenticated(commitment(2)).reverted(),
        event(
            AUTHENTICATOR,
            vec![BATCH_INFO_AUTHENTICATED_BY, commitment(3)],
            Bytes::new(),
        ),
        event(
            AUTHENTICATOR,
            vec![BATCH_INFO_AUTHENTICATED],
            commitment(4).into(),
        ),
        // a topic too many does not matter
        event(
            AUTHENTICATOR,
            vec![BATCH_INFO_AUTHENTICATED, commitment(5), commitment(6)],
            Bytes::new(),
        ),
    ];
    let mut l1 = L1::new(&generation_2(None, 0));
    l1.add(two.into_iter().chain((1..=6).map(|n| L1Tx::inbox(data(n)))));
    assert_eq!(accepted(&l1), [false, false, false, false, true, false]);

    let caller = BATCHER.address().into_word();
    let three = [
        event(
            PORTAL,
            vec![BATCH_INFO_AUTHENTICATED_BY, caller],
            commitment(1).into(),
        ),
        authenticated_by(commitment(2), BATCHER).reverted(),
        event(
            AUTHENTICATOR,
            vec![BATCH_INFO_AUTHENTICATED, caller],
            commitment(3).into(),
        ),
        event(
            AUTHENTICATOR,
            vec![BATCH_INFO_AUTHENTICATED_BY],
            commitment(4).into(),
        ),
        event(
            AUTHENTICATOR,
            vec![BATCH_INFO_AUTHENTICATED_BY, caller],
            Bytes::copy_from_slice(&commitment(5)[..31]),
        ),
        // only the first word of the data, and the low 20 bytes of the topic, are read
        event(
            AUTHENTICATOR,
            vec![
                BATCH_INFO_AUTHENTICATED_BY,
                caller | B256::right_padding_from(&[0xff; 12]),
            ],
            [commitment(6).as_slice(), &[7; 40]].concat().into(),
        ),
    ];
    let mut l1 = L1::new(&generation_3(0));
    l1.add(
        three
            .into_iter()
            .chain((1..=6).map(|n| L1Tx::inbox(data(n)))),
    );
    assert_eq!(accepted(&l1), [false, false, false, false, false, true]);
}

#[test]
fn an_event_after_the_transaction_in_the_same_block_counts() {
    let mut l1 = L1::new(&generation_2(None, 0));
    l1.add([L1Tx::inbox(data(1)), authenticated(keccak256(data(1)))]);
    assert_eq!(accepted(&l1), [true]);
    let mut l1 = L1::new(&generation_3(0));
    l1.add([
        L1Tx::inbox(data(1)),
        authenticated_by(keccak256(data(1)), BATCHER),
    ]);
    assert_eq!(accepted(&l1), [true]);
}

#[test]
fn an_event_of_a_later_block_does_not_count() {
    let mut l1 = L1::new(&generation_2(None, 0));
    l1.add([L1Tx::inbox(data(1))]);
    l1.add([authenticated(keccak256(data(1)))]);
    assert_eq!(accepted(&l1), [false]);
}

/// Whether a transaction counts that comes `distance` blocks after its authentication.
fn accepted_at(chain: &Arc<ChainConfig>, event: L1Tx, distance: usize) -> bool {
    let mut l1 = L1::new(chain);
    l1.add([event]);
    l1.add_empty(distance - 1);
    l1.add([L1Tx::inbox(data(1))]);
    accepted(&l1) == [true]
}

// window edges; event_in_earliest_window_block; event_outside_window_excluded
#[test]
fn the_window_is_its_number_of_blocks_before_the_transactions_own() {
    let event = || authenticated(keccak256(data(1)));
    for (window, last) in [(Some(5), 5), (Some(0), 100), (None, 100)] {
        let chain = generation_2(window, 0);
        assert!(accepted_at(&chain, event(), last), "{window:?}");
        assert!(!accepted_at(&chain, event(), last + 1), "{window:?}");
    }
    let event = || authenticated_by(keccak256(data(1)), BATCHER);
    for chain in [generation_3(0), generation_4(0)] {
        assert!(accepted_at(&chain, event(), 100));
        assert!(!accepted_at(&chain, event(), 101));
    }
}

#[test]
fn generation_2_begins_with_its_time() {
    let mut l1 = L1::new(&generation_2(None, l1_time(3)));
    for n in 1..=3 {
        l1.add([
            L1Tx::inbox(data(n)),
            authenticated(keccak256(data(n + 10))),
            L1Tx::to(STRANGER, INBOX, data(n + 10)),
        ]);
    }
    // sender, sender, event
    assert_eq!(accepted(&l1), [true, false, true, false, false, true]);
}

// Espresso C: matching_caller_accepted; caller_mismatch_rejected; no_event_rejected;
// sender_fallback_rejected
#[test]
fn from_generation_3_on_the_sender_must_be_the_events_caller() {
    for chain in [generation_3(0), generation_4(0)] {
        let mut l1 = L1::new(&chain);
        // generation 4's delay passes
        l1.add_empty(100);
        l1.add([
            authenticated_by(keccak256(data(1)), BATCHER),
            authenticated_by(keccak256(data(2)), STRANGER),
            authenticated_by(keccak256(data(3)), STRANGER),
            L1Tx::inbox(data(1)),
            L1Tx::to(STRANGER, INBOX, data(2)),
            L1Tx::inbox(data(3)),
            L1Tx::inbox(data(4)),
        ]);
        assert_eq!(
            verdicts(&l1),
            [
                Ok(()),
                Ok(()),
                Err(InboxRefusal::Caller {
                    found: Some(BATCHER.address()),
                    caller: STRANGER.address()
                }),
                Err(InboxRefusal::NotAuthenticated(keccak256(data(4)))),
            ]
        );
    }
}

// newest_caller_wins; multiple_commitments
#[test]
fn the_newest_event_for_a_commitment_wins() {
    let commitment = keccak256(data(1));
    let mut l1 = L1::new(&generation_3(0));
    // later in a block, then in a later block
    l1.add([
        authenticated_by(commitment, STRANGER),
        authenticated_by(commitment, BATCHER),
    ]);
    l1.add([L1Tx::inbox(data(1)), L1Tx::to(STRANGER, INBOX, data(1))]);
    l1.add([authenticated_by(commitment, STRANGER)]);
    l1.add([L1Tx::inbox(data(1)), L1Tx::to(STRANGER, INBOX, data(1))]);
    assert_eq!(accepted(&l1), [true, false, false, true]);
}

#[test]
fn generation_3_begins_at_once_and_takes_blobs() {
    let mut l1 = L1::new(&generation_3(l1_time(2)));
    let blobs = [blob(&data(3))];
    let both = || {
        [
            authenticated_by(keccak256(data(1)), STRANGER),
            authenticated_by(keccak256(blobs[0].0), STRANGER),
            L1Tx::inbox(data(2)),
            L1Tx::to(STRANGER, INBOX, data(1)),
            L1Tx::blobs(STRANGER, INBOX, &blobs),
        ]
    };
    l1.add(both());
    l1.add(both());
    assert_eq!(accepted(&l1), [true, false, false, false, true, true]);
}

// pre_espresso_vanilla_sender_path; not_yet_active_ignores_auth_event; grace_window_uses_sender_path;
// 4844_blob_dropped_despite_auth; grace_window_4844_blob_dropped; mixed_block_keeps_calldata_batch;
// pre_fork_4844_blob_sender_path
#[test]
fn generation_4_has_three_phases() {
    let fork = 3;
    let enforced = fork + 100;
    let mut l1 = L1::new(&generation_4(l1_time(fork)));
    let blobs = [blob(&data(5))];
    for index in 1..=enforced {
        l1.add(
            [fork - 1, fork, enforced - 1, enforced]
                .contains(&index)
                .then(|| {
                    [
                        authenticated_by(keccak256(data(index)), STRANGER),
                        authenticated_by(keccak256(blobs[0].0), STRANGER),
                        L1Tx::inbox(data(index + 1_000)),
                        L1Tx::to(STRANGER, INBOX, data(index)),
                        L1Tx::blobs(BATCHER, INBOX, &blobs),
                        L1Tx::blobs(STRANGER, INBOX, &blobs),
                    ]
                })
                .into_iter()
                .flatten(),
        );
    }
    assert_eq!(
        accepted(&l1),
        [
            // before the fork: the batcher's, blobs too
            [true, false, true, false],
            // from the fork on: the batcher's, no blobs
            [true, false, false, false],
            [true, false, false, false],
            // enforced: the authenticated ones, no blobs
            [false, true, false, false],
        ]
        .concat()
    );
    let dropped = verdicts(&l1)
        .iter()
        .filter(|verdict| **verdict == Err(InboxRefusal::Blobs))
        .count();
    assert_eq!(dropped, 6);
}

// is_enforced_overflow_matches_op_node
#[test]
fn a_fork_at_the_end_of_time_is_never_reached_although_its_delay_wraps() {
    let mut l1 = L1::new(&generation_4(u64::MAX - 10));
    l1.add([L1Tx::inbox(data(1)), L1Tx::to(STRANGER, INBOX, data(2))]);
    assert_eq!(accepted(&l1), [true, false]);
}

#[test]
fn dropped_blob_transactions_still_advance_the_blob_index() {
    let mut l1 = L1::new(&generation_2(None, 0));
    let blobs = [blob(&data(1)), blob(&data(2)), blob(&data(3))];
    l1.add([
        L1Tx::blobs(BATCHER, INBOX, &blobs[..2]),
        authenticated(keccak256(blobs[2].0)),
        L1Tx::blobs(BATCHER, INBOX, &blobs[2..]),
    ]);
    let mut node = Node::new(&l1);
    let End::Unanswered(Request::Blobs { blobs: refs, .. }) = node.run() else {
        panic!("no blobs were asked for")
    };
    assert_eq!(refs.len(), 1);
    assert_eq!(refs[0].index, 2);
}

/// A node that starts in the middle of L1, so that the window reaches back before its start.
fn late_start(chain: &Arc<ChainConfig>, l1: &L1, start: usize) -> Node {
    let mut node = Node::new(l1);
    let mut point = genesis_point(chain);
    point.l1_start = l1.at(start).id();
    point.safe_head.l1_origin = l1.at(start).id();
    node.pipeline = doppio_derive::Pipeline::new(Arc::clone(chain), point);
    node
}

#[test]
fn blocks_from_before_the_start_are_asked_for_and_nothing_is_decided_without_them() {
    let chain = generation_2(Some(5), 0);
    let mut l1 = L1::new(&chain);
    l1.add_empty(4);
    l1.add([authenticated(keccak256(data(1)))]);
    l1.add_empty(2);
    l1.add([L1Tx::inbox(data(1))]);
    let mut node = late_start(&chain, &l1, 7);
    let hidden = node.l1.blocks[6].clone();
    node.l1.blocks[6].header.hash = B256::ZERO;
    // the answer does not come: nothing is decided, and nothing moves
    let request = Request::AuthBlock(hidden.header.hash);
    assert_eq!(node.run(), End::Unanswered(request.clone()));
    assert_eq!(node.verdicts, []);
    assert!(matches!(node.pipeline.step(), Ok(Step::Need(again)) if again == request));
    // a block that is not on the chain is not taken
    let other = l1.reorganised(5).next_header();
    let mut wrong = hidden.clone();
    wrong.header = other;
    assert!(
        node.pipeline
            .supply(doppio_derive::Response::L1Block(wrong))
            .is_err()
    );
    node.l1.blocks[6] = hidden;
    node.run_to_end();
    assert_eq!(node.verdicts.len(), 1);
    assert_eq!(node.verdicts[0].verdict, Ok(()));
    // the window of 5 blocks before block 8, and no more
    let asked = node
        .requests
        .iter()
        .filter(|request| matches!(request, Request::AuthBlock(_)))
        .collect::<std::collections::HashSet<_>>();
    assert_eq!(asked.len(), 4);
}

// window_clamps_at_genesis
#[test]
fn the_window_ends_at_the_first_block_of_l1() {
    let mut rollup = rollup(Fork::Jovian);
    rollup.espresso_enforcement_time = Some(0);
    rollup.batch_authenticator_address = Some(AUTHENTICATOR);
    rollup.genesis.l1.number = 0;
    let chain = chain(rollup);
    let mut l1 = L1::new(&chain);
    l1.blocks[0].header.number = 0;
    l1.add([authenticated(keccak256(data(1))), L1Tx::inbox(data(1))]);
    assert_eq!(accepted(&l1), [true]);
}

// consecutive_windows_reuse_cache
#[test]
fn blocks_that_were_read_are_not_asked_for_again() {
    let chain = generation_2(Some(5), 0);
    let mut l1 = L1::new(&chain);
    l1.add_empty(7);
    for n in 0..10 {
        l1.add([L1Tx::inbox(data(n))]);
    }
    let mut node = late_start(&chain, &l1, 7);
    node.run_to_end();
    let asked = node
        .requests
        .iter()
        .filter(|request| matches!(request, Request::AuthBlock(_)))
        .count();
    assert_eq!(asked, 4);
}

#[test]
fn a_block_without_inbox_transactions_needs_no_window() {
    let chain = generation_2(Some(5), 0);
    let mut l1 = L1::new(&chain);
    l1.add_empty(20);
    let mut node = late_start(&chain, &l1, 7);
    node.run_to_end();
    assert_eq!(node.requests.len(), 1);
}

/// Generation 1.
fn generation_1(inline: bool, from: u64) -> Arc<ChainConfig> {
    let rule = if inline {
        AuthRule::InboxContractInline
    } else {
        AuthRule::InboxContract
    };
    by_profile(rollup(Fork::Jovian), rule, from)
}

#[test]
fn generation_1_drops_what_reverted_and_asks_for_no_sender() {
    let mut l1 = L1::new(&generation_1(false, l1_time(2)));
    for n in 1..=2 {
        l1.add([
            L1Tx::inbox(data(n)),
            L1Tx::inbox(data(n)).reverted(),
            L1Tx::to(STRANGER, INBOX, data(n)),
            L1Tx::to(STRANGER, INBOX, data(n)).reverted(),
            L1Tx::set_code(STRANGER, INBOX, data(n)),
        ]);
    }
    assert_eq!(
        accepted(&l1),
        [
            // before it: whoever is the batcher, whatever became of it
            [true, true, false, false, false],
            [true, false, true, false, false],
        ]
        .concat()
    );
    assert!(verdicts(&l1).contains(&Err(InboxRefusal::Reverted)));
}

#[test]
fn an_inline_signature_is_no_data() {
    let chain = generation_1(true, l1_time(2));
    let mut l1 = L1::new(&chain);
    let mut sequencer = Sequencer::new(&l1);
    let items = [1, 2, 3].map(|n| singular_item(n, &[sequencer.block([l2_tx(u64::from(n))])]));
    let signed = |item: &Bytes| Bytes::from([item.as_ref(), &[0x51; 65]].concat());
    let blobs = [blob(&items[2])];
    // before it, calldata is all data
    l1.add([L1Tx::inbox(items[0].clone())]);
    l1.add([
        L1Tx::to(STRANGER, INBOX, signed(&items[1])),
        L1Tx::to(STRANGER, INBOX, vec![0x51; 64]),
    ]);
    let with_blobs = STRANGER.sign(TxEip4844 {
        chain_id: L1_CHAIN_ID,
        to: INBOX,
        blob_versioned_hashes: vec![blobs[0].0],
        input: Bytes::from(vec![0x51; 65]),
        ..TxEip4844::default()
    });
    l1.add([L1Tx::signed(with_blobs)]);
    let mut node = Node::new(&l1);
    node.blobs = blobs.into();
    node.run_to_end();
    assert_eq!(node.reason_names(), ["inbox_signature_missing"]);
    assert_eq!(node.pipeline.safe_head(), &sequencer.head);
}

#[test]
fn a_signature_alone_is_an_empty_item() {
    let mut l1 = L1::new(&generation_1(true, 0));
    l1.add([L1Tx::inbox(vec![0x51; 65])]);
    let mut node = Node::new(&l1);
    node.run_to_end();
    assert_eq!(node.verdicts[0].verdict, Ok(()));
    assert_eq!(node.reason_names(), ["frames"]);
}

#[test]
fn deposits_and_updates_do_not_depend_on_who_may_post() {
    let deposit = DepositTx {
        source_hash: DepositSource::Upgrade { intent: "" }.hash(),
        from: STRANGER.address(),
        to: Some(Address::repeat_byte(5)),
        gas: 100_000,
        ..DepositTx::default()
    };
    for chain in [
        generation_1(false, 0),
        generation_2(None, 0),
        generation_4(0),
    ] {
        let mut l1 = L1::new(&chain);
        l1.add([L1Tx::with_logs(vec![encode_deposit_log(PORTAL, &deposit)])]);
        l1.add_empty(30);
        let mut node = Node::new(&l1);
        node.run_to_end();
        // the windows expire, and the deposit is in the first block of its epoch
        let deposits: Vec<_> = node
            .derived
            .iter()
            .map(|derived| derived.attributes.deposits.len())
            .collect();
        assert_eq!(deposits.iter().filter(|count| **count == 2).count(), 1);
    }
}
