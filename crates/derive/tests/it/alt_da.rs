//! Data behind commitments (opstack 11 I, Alt-DA; opstack 3.15).

use crate::support::*;
use alloy_primitives::{B256, Bytes, U256, keccak256};
use doppio_derive::{
    DropReason, PayloadAnswer, PipelineError, Request, ResetReason, Response, Settled, Step,
    SupplyError, foresee_commitments,
};
use doppio_protocol::{
    commitment::{Commitment, CommitmentError},
    config::{AltDaConfig, Fork},
    da_challenge::{CHALLENGE_STATUS_CHANGED, ChallengeError},
};

fn alt_da_chain(alt_da: AltDaConfig) -> std::sync::Arc<doppio_protocol::config::ChainConfig> {
    let mut rollup = rollup(Fork::Jovian);
    rollup.alt_da = Some(alt_da);
    chain(rollup)
}

fn keccak(data: &Bytes) -> Commitment {
    Commitment::Keccak(keccak256(data))
}

fn eigenda(content: u8) -> Commitment {
    Commitment::Generic(Bytes::from(vec![0x00, 0x03, content]))
}

fn words(words: &[u64]) -> Vec<u8> {
    words
        .iter()
        .flat_map(|word| U256::from(*word).to_be_bytes::<32>())
        .collect()
}

fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len().next_multiple_of(32), 0);
    padded
}

/// A transaction with which the challenge contract announces a status.
fn status(commitment: &Commitment, inclusion: u64, status: u64, calldata: Vec<u8>) -> L1Tx {
    let commitment = commitment.encode();
    let data = [
        words(&[64, status, commitment.len() as u64]),
        padded(&commitment),
    ]
    .concat();
    let topics = vec![CHALLENGE_STATUS_CHANGED, B256::from(U256::from(inclusion))];
    L1Tx {
        logs: vec![log(CHALLENGES, topics, data)],
        ..L1Tx::to(STRANGER, CHALLENGES, calldata)
    }
}

fn challenge(commitment: &Commitment, inclusion: u64) -> L1Tx {
    status(commitment, inclusion, 1, vec![1, 2, 3, 4])
}

fn resolve(commitment: &Commitment, inclusion: u64, data: &[u8]) -> L1Tx {
    let encoded = commitment.encode();
    let data_offset = 96 + 32 + encoded.len().next_multiple_of(32) as u64;
    let calldata = [
        vec![0; 4],
        words(&[inclusion, 96, data_offset, encoded.len() as u64]),
        padded(&encoded),
        words(&[data.len() as u64]),
        padded(data),
    ]
    .concat();
    status(commitment, inclusion, 2, calldata)
}

/// Three blocks, in one item each.
fn three_items(l1: &L1) -> (Sequencer, [Bytes; 3]) {
    let mut sequencer = Sequencer::new(l1);
    let items = [1, 2, 3].map(|n| {
        let batch = sequencer.block([l2_tx(u64::from(n))]);
        singular_item(n, &[batch])
    });
    (sequencer, items)
}

#[test]
fn commitments_and_frames_mix_and_keep_their_order() {
    for alt_da in [KECCAK_DA, GENERIC_DA] {
        let chain = alt_da_chain(alt_da);
        let mut l1 = L1::new(&chain);
        let (sequencer, [a, b, c]) = three_items(&l1);
        let commit = |item: &Bytes, n| match alt_da.da_challenge_window {
            3 => keccak(item),
            _ => eigenda(n),
        };
        let (first, third) = (commit(&a, 1), commit(&c, 3));
        l1.add([
            L1Tx::inbox(first.inbox_data()),
            // the batcher fell back to Ethereum
            L1Tx::inbox(b),
            L1Tx::inbox(third.inbox_data()),
        ]);
        let mut node = Node::new(&l1);
        node.payloads = [
            (first.encode(), PayloadAnswer::Payload(a)),
            (third.encode(), PayloadAnswer::Payload(c)),
        ]
        .into();
        node.run_to_end();
        assert_eq!(node.reasons(), []);
        assert_eq!(node.pipeline.safe_head(), &sequencer.head);
    }
}

#[test]
fn blobs_hold_commitments_too() {
    let chain = alt_da_chain(GENERIC_DA);
    let mut l1 = L1::new(&chain);
    let (sequencer, [a, b, c]) = three_items(&l1);
    let blobs = [
        blob(&eigenda(1).inbox_data()),
        blob(&b),
        blob(&eigenda(3).inbox_data()),
    ];
    l1.add([L1Tx::blobs(BATCHER, INBOX, &blobs)]);
    let mut node = Node::new(&l1);
    node.blobs = blobs.into();
    node.payloads = [
        (eigenda(1).encode(), PayloadAnswer::Payload(a)),
        (eigenda(3).encode(), PayloadAnswer::Payload(c)),
    ]
    .into();
    node.run_to_end();
    assert_eq!(node.reasons(), []);
    assert_eq!(node.pipeline.safe_head(), &sequencer.head);
}

/// A pipeline that waits for the payloads of three commitments.
fn waiting() -> (Sequencer, Node, [Bytes; 3]) {
    let chain = alt_da_chain(GENERIC_DA);
    let mut l1 = L1::new(&chain);
    let (sequencer, items) = three_items(&l1);
    l1.add([1, 2, 3].map(|n| L1Tx::inbox(eigenda(n).inbox_data())));
    let mut node = Node::new(&l1);
    assert!(matches!(node.run(), End::Unanswered(Request::Payload(_))));
    (sequencer, node, items)
}

#[test]
fn payloads_may_come_in_any_order_and_are_used_in_order() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let (sequencer, mut node, items) = waiting();
        let requests: Vec<_> = node.pipeline.payload_requests().collect();
        assert_eq!(requests.len(), 3);
        for index in order {
            let answer = PayloadAnswer::Payload(items[index].clone());
            let id = requests[index].id;
            node.pipeline
                .supply(Response::Payload { id, answer })
                .unwrap();
        }
        assert_eq!(node.pipeline.payload_requests().count(), 0);
        node.run_to_end();
        assert_eq!(node.pipeline.safe_head(), &sequencer.head);
    }
}

#[test]
fn later_changes_nothing_and_dropped_leaves_one_out() {
    let (_, mut node, items) = waiting();
    let requests: Vec<_> = node.pipeline.payload_requests().collect();
    let mut supply = |index: usize, answer| {
        let id = requests[index].id;
        node.pipeline
            .supply(Response::Payload { id, answer })
            .unwrap();
        node.pipeline.step().unwrap()
    };
    for answer in [PayloadAnswer::Later, PayloadAnswer::NotFound] {
        let step = supply(0, answer);
        // on a chain without challenges, a missing payload is never lost for good
        assert!(matches!(
            step,
            Step::Need(Request::Payload(request)) if request == requests[0]
        ));
    }
    supply(1, PayloadAnswer::Payload(items[1].clone()));
    supply(2, PayloadAnswer::Payload(items[2].clone()));
    supply(0, PayloadAnswer::Dropped("too old".to_owned()));
    node.run_to_end();
    // without the first block, the others have no parent
    assert_eq!(node.reasons()[0], DropReason::Payload("too old".to_owned()));
    assert_eq!(node.safe_number(), 0);
}

#[test]
fn a_payload_must_be_what_its_keccak_commitment_says() {
    let chain = alt_da_chain(KECCAK_DA);
    let mut l1 = L1::new(&chain);
    let (_, [item, ..]) = three_items(&l1);
    let commitment = keccak(&item);
    l1.add([L1Tx::inbox(commitment.inbox_data())]);
    let mut node = Node::new(&l1);
    let End::Unanswered(Request::Payload(request)) = node.run() else {
        panic!("no payload was asked for")
    };
    let id = request.id;
    let supply = |node: &mut Node, bytes: &Bytes| {
        let answer = PayloadAnswer::Payload(bytes.clone());
        node.pipeline.supply(Response::Payload { id, answer })
    };
    let forged = Bytes::from([item.as_ref(), &[0]].concat());
    assert_eq!(
        supply(&mut node, &forged),
        Err(SupplyError::PayloadMismatch)
    );
    assert_eq!(node.pipeline.payload_requests().count(), 1);
    supply(&mut node, &item).unwrap();
    node.run_to_end();
    assert_eq!(node.safe_number(), 1);
    // and nothing is taken that was not asked for
    assert_eq!(
        supply(&mut node, &item),
        Err(SupplyError::NotAsked("a payload"))
    );
}

#[test]
fn invalid_data_is_dropped_and_the_rest_counts() {
    let chain = alt_da_chain(KECCAK_DA);
    let mut l1 = L1::new(&chain);
    let (_, [item, ..]) = three_items(&l1);
    let limit = chain.keccak_max_input_size();
    assert_eq!(limit, 130_672);
    let size = usize::try_from(limit).unwrap();
    let (largest, too_large) = (Bytes::from(vec![0; size]), Bytes::from(vec![0; size + 1]));
    l1.add([
        L1Tx::inbox(Bytes::new()),
        L1Tx::inbox(vec![1]),
        L1Tx::inbox(vec![1, 0, 7]),
        L1Tx::inbox(vec![1, 9, 7]),
        L1Tx::inbox(eigenda(1).inbox_data()),
        L1Tx::inbox(keccak(&largest).inbox_data()),
        L1Tx::inbox(keccak(&too_large).inbox_data()),
        L1Tx::inbox(keccak(&item).inbox_data()),
    ]);
    let mut node = Node::new(&l1);
    for data in [largest, too_large, item] {
        node.payloads
            .insert(keccak(&data).encode(), PayloadAnswer::Payload(data));
    }
    node.run_to_end();
    let mut reasons = node.reasons();
    // the largest one is let through, and is no frame
    let frames = reasons
        .iter()
        .position(|reason| matches!(reason, DropReason::Frames(_)));
    reasons.remove(frames.unwrap());
    let size = size + 1;
    assert_eq!(
        reasons,
        [
            DropReason::EmptyItem,
            DropReason::Commitment(CommitmentError::Empty),
            DropReason::Commitment(CommitmentError::KeccakLength(1)),
            DropReason::Commitment(CommitmentError::Type(9)),
            DropReason::CommitmentType,
            DropReason::PayloadTooLarge { size, limit },
        ]
    );
    assert_eq!(node.safe_number(), 1);
}

// opstack-2026-09 2 *14
#[test]
fn a_generic_payload_has_no_limit_and_a_keccak_one_that_of_the_configuration() {
    let size = 200_000;
    let payload = Bytes::from(vec![0; size]);
    let dropped = |alt_da: AltDaConfig, commitment: Commitment| {
        let mut l1 = L1::new(&alt_da_chain(alt_da));
        l1.add([L1Tx::inbox(commitment.inbox_data())]);
        let mut node = Node::new(&l1);
        let answer = PayloadAnswer::Payload(payload.clone());
        node.payloads.insert(commitment.encode(), answer);
        node.run_to_end();
        node.reason_names()
    };
    assert_eq!(dropped(GENERIC_DA, eigenda(1)), ["frames"]);
    assert_eq!(dropped(KECCAK_DA, keccak(&payload)), ["payload_too_large"]);
    let large = AltDaConfig {
        da_max_input_size: Some(200_000),
        ..KECCAK_DA
    };
    assert_eq!(dropped(large, keccak(&payload)), ["frames"]);
}

#[test]
fn without_alt_da_a_commitment_is_no_frame() {
    let chain = chain(rollup(Fork::Jovian));
    let mut l1 = L1::new(&chain);
    l1.add([L1Tx::inbox(eigenda(1).inbox_data())]);
    assert_eq!(foresee_commitments(&chain, l1.head()), []);
    let mut node = Node::new(&l1);
    node.run_to_end();
    assert_eq!(node.reason_names(), ["frames"]);
}

#[test]
fn commitments_can_be_foreseen_whoever_posted_them() {
    let chain = alt_da_chain(GENERIC_DA);
    let mut l1 = L1::new(&chain);
    l1.add([
        L1Tx::inbox(eigenda(1).inbox_data()),
        L1Tx::inbox(vec![0, 1, 2]),
        L1Tx::to(STRANGER, INBOX, eigenda(2).inbox_data()),
        L1Tx::inbox(keccak(&Bytes::new()).inbox_data()),
    ]);
    assert_eq!(
        foresee_commitments(&chain, l1.head()),
        [eigenda(1), eigenda(2)]
    );
}

/// A chain whose first block is behind a commitment in L1 block 101, challenged in 102.
struct Challenged {
    l1: L1,
    sequencer: Sequencer,
    item: Bytes,
    commitment: Commitment,
}

/// The L1 height of the commitment.
const INCLUSION: u64 = 101;

fn challenged() -> Challenged {
    let mut l1 = L1::new(&alt_da_chain(KECCAK_DA));
    let (sequencer, [item, ..]) = three_items(&l1);
    let commitment = keccak(&item);
    l1.add([L1Tx::inbox(commitment.inbox_data())]);
    l1.add([challenge(&commitment, INCLUSION)]);
    Challenged {
        l1,
        sequencer,
        item,
        commitment,
    }
}

fn missing(challenged: &Challenged) -> Node {
    let mut node = Node::new(&challenged.l1);
    let key = challenged.commitment.encode();
    node.payloads.insert(key, PayloadAnswer::NotFound);
    node
}

#[test]
fn missing_data_is_found_in_the_answer_to_a_challenge() {
    let mut challenged = challenged();
    let answer = resolve(&challenged.commitment, INCLUSION, &challenged.item);
    challenged.l1.add_empty(2);
    challenged.l1.add([answer]);
    challenged.l1.add_empty(3);
    let mut node = missing(&challenged);
    node.run_to_end();
    assert_eq!(node.safe_number(), 1);
    assert_eq!(node.reasons(), []);
    // asked again before each L1 block that is read ahead
    let kinds: Vec<_> = node
        .requests
        .iter()
        .filter_map(|request| match request {
            Request::Payload(request) => Some(request.l1_block.number),
            Request::LaterL1Block(number) => Some(*number),
            _ => None,
        })
        .collect();
    assert_eq!(kinds, [101, 102, 101, 103, 101, 104, 101, 105]);
}

#[test]
fn while_a_challenge_is_open_derivation_stalls() {
    let challenged = challenged();
    let mut node = missing(&challenged);
    assert_eq!(node.run(), End::Unanswered(Request::LaterL1Block(103)));
    assert_eq!(node.pipeline.origin().unwrap().number, INCLUSION);
    // the data turns up after all
    let answer = PayloadAnswer::Payload(challenged.item.clone());
    node.payloads
        .insert(challenged.commitment.encode(), answer.clone());
    let id = node.pipeline.payload_requests().next().unwrap().id;
    node.pipeline
        .supply(Response::Payload { id, answer })
        .unwrap();
    node.run_to_end();
    assert_eq!(node.safe_number(), 1);
}

#[test]
fn missing_data_whose_challenge_expires_never_counts() {
    let mut challenged = challenged();
    // the answer comes too late: the window of 4 blocks ends with block 106
    challenged.l1.add_empty(4);
    let late = resolve(&challenged.commitment, INCLUSION, &challenged.item);
    challenged.l1.add([late]);
    let mut node = missing(&challenged);
    node.run_to_end();
    assert_eq!(node.reasons()[0], DropReason::ChallengeExpired);
    assert_eq!(node.safe_number(), 0);
}

#[test]
fn data_that_nobody_challenges_in_time_is_waited_for_and_said_to_be_lost() {
    let mut l1 = L1::new(&alt_da_chain(KECCAK_DA));
    let (_, [item, ..]) = three_items(&l1);
    let commitment = keccak(&item);
    l1.add([L1Tx::inbox(commitment.inbox_data())]);
    l1.add_empty(10);
    let mut node = Node::new(&l1);
    node.payloads
        .insert(commitment.encode(), PayloadAnswer::NotFound);
    let End::Unanswered(Request::Payload(request)) = node.run() else {
        panic!("the payload is not asked for")
    };
    assert!(request.lost);
    // only as far as needed: 101 and its window of 3, and one to be sure
    assert_eq!(
        node.requests
            .iter()
            .filter(|request| matches!(request, Request::LaterL1Block(_)))
            .count(),
        4
    );
    // an operator finds it
    let (id, answer) = (request.id, PayloadAnswer::Payload(item));
    node.pipeline
        .supply(Response::Payload { id, answer })
        .unwrap();
    node.run_to_end();
    assert_eq!(node.safe_number(), 1);
}

#[test]
fn used_data_whose_challenge_expires_makes_derivation_start_again_without_it() {
    let mut challenged = challenged();
    challenged.l1.add_empty(6);
    let payload = PayloadAnswer::Payload(challenged.item.clone());
    let key = challenged.commitment.encode();
    let mut node = Node::new(&challenged.l1);
    node.payloads.insert(key, payload);
    let l1_block = challenged.l1.at(1).id();
    let expired = PipelineError::Reset(ResetReason::ChallengeExpired { l1_block });
    assert_eq!(node.run(), End::Failed(expired));
    // used until the block with which the window ended: the challenge's height and 4
    assert_eq!(node.pipeline.origin().unwrap().number, 106);
    assert_eq!(node.safe_number(), 1);
    node.pipeline.reset(genesis_point(&challenged.l1.chain));
    node.derived.clear();
    node.run_to_end();
    assert_eq!(node.safe_number(), 0);
    assert_eq!(
        node.drops.last().unwrap().reason,
        DropReason::ChallengeExpired
    );
    // whoever comes later and never had the data agrees
    let mut late = missing(&challenged);
    late.run_to_end();
    assert_eq!(late.pipeline.safe_head(), node.pipeline.safe_head());
}

#[test]
fn an_answered_challenge_leaves_used_data_alone() {
    let mut challenged = challenged();
    let answer = resolve(&challenged.commitment, INCLUSION, &challenged.item);
    challenged.l1.add([answer]);
    challenged.l1.add_empty(10);
    let mut node = Node::new(&challenged.l1);
    let payload = PayloadAnswer::Payload(challenged.item.clone());
    node.payloads
        .insert(challenged.commitment.encode(), payload);
    node.run_to_end();
    assert_eq!(node.safe_number(), 1);
    assert_eq!(node.pipeline.safe_head().number, 1);
    assert_eq!(
        challenged.sequencer.engine.at(1).hash,
        node.pipeline.safe_head().hash
    );
}

#[test]
fn another_reset_forgets_what_l1_said() {
    let mut challenged = challenged();
    challenged.l1.add_empty(6);
    let mut node = missing(&challenged);
    node.run_to_end();
    assert_eq!(node.safe_number(), 0);
    // L1 is reorganised, and nobody challenges
    let mut l1 = challenged.l1.reorganised(1);
    l1.add_empty(8);
    node.l1 = l1;
    node.pipeline.reset(genesis_point(&challenged.l1.chain));
    let payload = PayloadAnswer::Payload(challenged.item.clone());
    node.payloads
        .insert(challenged.commitment.encode(), payload);
    node.run_to_end();
    assert_eq!(node.safe_number(), 1);
}

#[test]
fn l1_read_ahead_must_be_one_chain_and_the_one_that_is_derived_from() {
    let mut challenged = challenged();
    challenged.l1.add_empty(2);
    let mut node = missing(&challenged);
    assert_eq!(node.run(), End::Unanswered(Request::LaterL1Block(105)));
    // the next block does not extend what was read ahead
    let mut other = challenged.l1.reorganised(2);
    other.add_empty(4);
    node.l1 = other.clone();
    let read = challenged.l1.at(4).id();
    let next = other.at(5).id();
    let reorg = PipelineError::Reset(ResetReason::L1Reorg {
        current: read,
        next,
    });
    assert_eq!(node.run(), End::Failed(reorg));

    // derivation comes to a block other than the one read ahead
    let mut node = missing(&challenged);
    assert_eq!(node.run(), End::Unanswered(Request::LaterL1Block(105)));
    let payload = PayloadAnswer::Payload(challenged.item.clone());
    let id = node.pipeline.payload_requests().next().unwrap().id;
    let answer = payload;
    node.pipeline
        .supply(Response::Payload { id, answer })
        .unwrap();
    node.l1 = other.clone();
    let reorg = PipelineError::Reset(ResetReason::L1Reorg {
        current: challenged.l1.at(3).id(),
        next: other.at(3).id(),
    });
    assert_eq!(node.run(), End::Failed(reorg));
}

#[test]
fn events_that_say_nothing_are_reported_and_change_nothing() {
    let mut l1 = L1::new(&alt_da_chain(KECCAK_DA));
    let (_, [item, ..]) = three_items(&l1);
    let commitment = keccak(&item);
    l1.add([L1Tx::inbox(commitment.inbox_data())]);
    let forged = resolve(&commitment, INCLUSION, b"something else");
    let unasked = resolve(&commitment, INCLUSION, &item);
    let unknown = status(&commitment, INCLUSION, 3, Vec::new());
    let elsewhere = L1Tx {
        logs: challenge(&commitment, INCLUSION)
            .logs
            .into_iter()
            .map(|event| log(PORTAL, event.topics().to_vec(), event.data.data.clone()))
            .collect(),
        ..L1Tx::to(STRANGER, PORTAL, Bytes::new())
    };
    let reverted = challenge(&commitment, INCLUSION).reverted();
    l1.add([forged, unasked, unknown, elsewhere, reverted]);
    l1.add_empty(10);
    let mut node = Node::new(&l1);
    node.payloads
        .insert(commitment.encode(), PayloadAnswer::Payload(item));
    node.run_to_end();
    assert_eq!(
        node.reasons(),
        [
            DropReason::Challenge(ChallengeError::Mismatch),
            DropReason::Challenge(ChallengeError::NotChallenged),
            DropReason::Challenge(ChallengeError::Status(3)),
        ]
    );
    assert_eq!(node.safe_number(), 1);
}

#[test]
fn a_challenge_of_another_block_with_the_same_commitment_does_not_matter() {
    let mut l1 = L1::new(&alt_da_chain(KECCAK_DA));
    let (_, [item, ..]) = three_items(&l1);
    let commitment = keccak(&item);
    l1.add([L1Tx::inbox(commitment.inbox_data())]);
    l1.add([challenge(&commitment, INCLUSION - 1)]);
    l1.add_empty(10);
    let mut node = Node::new(&l1);
    node.payloads
        .insert(commitment.encode(), PayloadAnswer::Payload(item));
    node.run_to_end();
    assert_eq!(node.safe_number(), 1);
}

/// The settled L1 height after each L1 finality signal, once L1 is derived to its end.
fn settled(node: &mut Node, finalized: impl IntoIterator<Item = u64>) -> Vec<Settled> {
    finalized
        .into_iter()
        .map(|number| {
            let block = node.l1.by_number(number).unwrap().header.block_ref();
            node.pipeline.settle(&block)
        })
        .collect()
}

// TestFinalization, TestUpdateFinalizedHead, TestAltDAFinalityData
#[test]
fn without_alt_da_data_is_as_final_as_l1() {
    let mut l1 = L1::new(&chain(rollup(Fork::Jovian)));
    l1.add_empty(3);
    let mut node = Node::new(&l1);
    node.run_to_end();
    assert_eq!(settled(&mut node, [101, 103]), [Settled::WithL1; 2]);
}

#[test]
fn with_nothing_open_data_is_final_a_challenge_window_behind_l1() {
    let mut l1 = L1::new(&alt_da_chain(KECCAK_DA));
    l1.add_empty(6);
    let mut node = Node::new(&l1);
    node.run_to_end();
    assert_eq!(
        settled(&mut node, [103, 106]),
        [Settled::UpToNumber(100), Settled::UpToNumber(103)]
    );
}

#[test]
fn a_used_commitment_is_final_when_nobody_can_challenge_it() {
    let mut l1 = L1::new(&alt_da_chain(KECCAK_DA));
    let (_, [a, b, c]) = three_items(&l1);
    for item in [&a, &b, &c] {
        l1.add([L1Tx::inbox(keccak(item).inbox_data())]);
    }
    l1.add_empty(6);
    let mut node = Node::new(&l1);
    for item in [a, b, c] {
        node.payloads
            .insert(keccak(&item).encode(), PayloadAnswer::Payload(item));
    }
    node.run_to_end();
    let up_to = |index| Settled::UpTo(l1.at(index));
    assert_eq!(
        settled(&mut node, [103, 104, 105, 106, 107]),
        [
            Settled::Unknown,
            up_to(1),
            up_to(2),
            up_to(3),
            // nothing is open any more
            Settled::UpToNumber(104)
        ]
    );
}

/// A signal with which no further commitment passes takes nothing back, even if it is repeated.
// opstack-2026-09 3.15 *4
#[test]
fn finality_stays_at_the_last_commitment_that_passed() {
    let mut l1 = L1::new(&alt_da_chain(KECCAK_DA));
    let (_, [a, b, _]) = three_items(&l1);
    l1.add([L1Tx::inbox(keccak(&a).inbox_data())]);
    l1.add_empty(3);
    l1.add([L1Tx::inbox(keccak(&b).inbox_data())]);
    l1.add_empty(6);
    let mut node = Node::new(&l1);
    for item in [a, b] {
        node.payloads
            .insert(keccak(&item).encode(), PayloadAnswer::Payload(item));
    }
    node.run_to_end();
    let first = Settled::UpTo(l1.at(1));
    assert_eq!(
        settled(&mut node, [104, 104, 107, 108]),
        [first, first, first, Settled::UpTo(l1.at(5))]
    );
}

#[test]
fn a_challenged_commitment_is_final_when_nobody_can_answer_any_more() {
    let mut challenged = challenged();
    let answer = resolve(&challenged.commitment, INCLUSION, &challenged.item);
    challenged.l1.add([answer]);
    challenged.l1.add_empty(8);
    let mut node = Node::new(&challenged.l1);
    let payload = PayloadAnswer::Payload(challenged.item.clone());
    node.payloads
        .insert(challenged.commitment.encode(), payload);
    node.run_to_end();
    assert_eq!(
        settled(&mut node, [104, 105, 106, 109]),
        [
            Settled::Unknown,
            Settled::Unknown,
            Settled::UpTo(challenged.l1.at(1)),
            Settled::UpToNumber(106)
        ]
    );
}

#[test]
fn a_reset_deeper_than_what_is_remembered_reads_l1_again() {
    let chain = alt_da_chain(KECCAK_DA);
    // two lookbacks of 20 blocks, and Granite's channel timeout of 50
    let remembered = 90;
    let mut l1 = L1::new(&chain);
    l1.add_empty(remembered + 10);
    let mut sequencer = Sequencer::new(&l1);
    let item = singular_item(1, &[sequencer.block([])]);
    let commitment = keccak(&item);
    let inclusion = l1.add([L1Tx::inbox(commitment.inbox_data())]);
    l1.add([challenge(&commitment, inclusion.number)]);
    l1.add_empty(6);
    let mut node = Node::new(&l1);
    node.payloads
        .insert(commitment.encode(), PayloadAnswer::Payload(item));
    let expired = End::Failed(PipelineError::Reset(ResetReason::ChallengeExpired {
        l1_block: inclusion.id(),
    }));
    assert_eq!(node.run(), expired);
    node.pipeline.reset(genesis_point(&chain));
    assert_eq!(node.run(), expired);
}
