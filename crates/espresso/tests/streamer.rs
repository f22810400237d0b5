//! The streamer against batches that its enemies, or a batcher gone wrong, may write.

#![expect(
    clippy::cast_possible_truncation,
    reason = "a test's numbers are small"
)]

#[allow(dead_code, reason = "tests share it")]
mod local;
#[allow(dead_code, reason = "tests share it")]
#[path = "local/rollup.rs"]
mod rollup;

use alloy_primitives::{B256, Bytes};
use doppio_derive::BatchDrop;
use doppio_espresso::{
    batch::{ContentError, DecodeError, SIGNATURE, SignedBatch},
    namespace::Transaction,
    streamer::{
        Authorization, BatcherHistory, Confirmed, Drop, DropReason, HotShotBlock, Limits, Request,
        Step, Streamer, StreamerConfig, Wait,
    },
};
use doppio_protocol::L2BlockRef;
use local::{Recording, shuffled};
use proptest::{prelude::*, test_runner::TestRunner};
use rollup::{BATCHER, Rollup, STRANGER, Twist};
use std::collections::BTreeMap;

const NAMESPACE: u64 = 901;

fn rollup() -> Option<Rollup> {
    Recording::find().map(|recording| Rollup::new(&recording))
}

fn config(rollup: &Rollup, authorization: Authorization, limits: Limits) -> StreamerConfig {
    StreamerConfig {
        chain: rollup.chain.clone(),
        namespace: NAMESPACE,
        authorization,
        limits,
    }
}

fn transaction(payload: Bytes) -> Transaction {
    Transaction {
        namespace: NAMESPACE,
        payload,
    }
}

/// Blocks that hold these payloads and know this L1 block to be final.
fn blocks(rollup: &Rollup, payloads: &[Vec<Bytes>], l1: u64) -> Vec<HotShotBlock> {
    let block = |(height, list): (usize, &Vec<Bytes>)| HotShotBlock {
        height: height as u64,
        l1_finalized: Some(rollup.l1[l1 as usize]),
        transactions: list.iter().cloned().map(transaction).collect(),
    };
    payloads.iter().enumerate().map(block).collect()
}

struct Reader<'a> {
    rollup: &'a Rollup,
    blocks: BTreeMap<u64, HotShotBlock>,
    history: Vec<(u64, alloy_primitives::Address)>,
}

impl<'a> Reader<'a> {
    fn new(rollup: &'a Rollup, blocks: &[HotShotBlock]) -> Self {
        Self {
            rollup,
            blocks: blocks
                .iter()
                .map(|block| (block.height, block.clone()))
                .collect(),
            history: vec![(0, Rollup::address(BATCHER))],
        }
    }

    /// Reads on until a block is missing or L1 must be final; then L1 is final one block further, until
    /// `last`. `seed` decides what is given before its time.
    fn read(&self, mut streamer: Streamer, last: u64, seed: u64) -> (Vec<Confirmed>, Vec<Drop>) {
        let mut out = Vec::new();
        let mut finalized = 0;
        let mut early =
            shuffled(&self.blocks.values().cloned().collect::<Vec<_>>(), seed + 1).into_iter();
        loop {
            streamer.finalized(finalized);
            match streamer.step() {
                Step::Batch(batch) => out.push(*batch),
                Step::Need(Request::L1Block(number)) => {
                    streamer.l1_block(self.rollup.l1[number as usize])
                }
                Step::Need(Request::Batchers { to }) => {
                    let known = finalized.max(to);
                    streamer.history(BatcherHistory::new(self.history.clone(), known).unwrap());
                }
                Step::Need(Request::HotShot { from }) => {
                    if seed.is_multiple_of(2)
                        && let Some(block) = early.next()
                    {
                        let _ = streamer.feed(block);
                        continue;
                    }
                    match self.blocks.get(&from) {
                        Some(block) => streamer.feed(block.clone()).unwrap(),
                        None if finalized < last => finalized += 1,
                        None => return (out, streamer.take_drops().0),
                    }
                }
                Step::Wait(Wait::Finality(number)) if finalized < last => {
                    assert!(number > finalized);
                    finalized += 1;
                }
                Step::Wait(_) => return (out, streamer.take_drops().0),
            }
        }
    }
}

fn read(rollup: &Rollup, payloads: &[Vec<Bytes>]) -> (Vec<L2BlockRef>, Vec<DropReason>) {
    let blocks = blocks(rollup, payloads, 5);
    let config = config(rollup, Authorization::AtHotShot, Limits::default());
    let streamer = Streamer::new(config, rollup.start);
    let (batches, drops) = Reader::new(rollup, &blocks).read(streamer, 60, 1);
    let blocks = batches.into_iter().map(|batch| batch.block).collect();
    (blocks, drops.into_iter().map(|drop| drop.reason).collect())
}

/// One batch that is dropped, and then the good one for the same number: the stream goes on.
#[track_caller]
fn is_dropped(rollup: &Rollup, bad: &SignedBatch) -> DropReason {
    let (good, block) = rollup.batch(
        &rollup.start.tip,
        0,
        &Twist {
            salt: 99,
            ..Twist::default()
        },
    );
    let (found, drops) = read(rollup, &[vec![bad.encode()], vec![good.encode()]]);
    assert_eq!(found, [block]);
    assert_eq!(drops.len(), 1);
    drops[0].clone()
}

#[test]
fn a_confirmed_batch_that_the_rules_forbid_is_skipped_with_its_reason() {
    let Some(rollup) = rollup() else { return };
    let tip = rollup.start.tip;
    let twist = |twist| is_dropped(&rollup, &rollup.batch(&tip, 0, &twist).0);
    let rule = DropReason::Rule;
    assert_eq!(
        twist(Twist {
            later: 1,
            ..Twist::default()
        }),
        DropReason::Time(1)
    );
    let deposit = Bytes::from_static(&[0x7e, 0xc0]);
    assert_eq!(
        twist(Twist {
            transactions: vec![deposit],
            ..Twist::default()
        }),
        rule(BatchDrop::DepositTransaction)
    );
    let hash = Some(B256::repeat_byte(1));
    assert_eq!(
        twist(Twist {
            origin_hash: hash,
            ..Twist::default()
        }),
        rule(BatchDrop::EpochHash)
    );
    assert_eq!(
        twist(Twist {
            sequence: Some(5),
            ..Twist::default()
        }),
        DropReason::SequenceNumber {
            expected: 1,
            found: 5
        }
    );
    assert_eq!(
        twist(Twist {
            transactions: vec![Bytes::from_static(b"\x02abc")],
            ..Twist::default()
        }),
        DropReason::Content(ContentError::Transaction(0))
    );
    // beyond the next epoch, and so far ahead that no L1 block is there yet
    let far = rollup.batch(&tip, 2, &Twist::default()).0;
    assert_eq!(is_dropped(&rollup, &far), rule(BatchDrop::EpochTooNew));
    // on a block that is not the last
    let other = L2BlockRef {
        hash: B256::repeat_byte(3),
        ..tip
    };
    let fork = rollup.batch(&other, 0, &Twist::default()).0;
    assert_eq!(is_dropped(&rollup, &fork), DropReason::Parent(other.hash));
    let stranger = Rollup::sign(rollup.block(&tip, 0, &Twist::default()).0, STRANGER);
    let expected = DropReason::Signer {
        signer: Rollup::address(STRANGER),
        batcher: Some(Rollup::address(BATCHER)),
    };
    assert_eq!(is_dropped(&rollup, &stranger), expected);
}

#[test]
fn a_batch_that_contradicts_itself_is_refused() {
    let Some(rollup) = rollup() else { return };
    let (plain, _) = rollup.block(&rollup.start.tip, 0, &Twist::default());
    assert!(plain.check_content(&rollup.chain).is_ok());
    let check = |change: &dyn Fn(&mut doppio_espresso::batch::EspressoBatch)| {
        let mut other = plain.clone();
        change(&mut other);
        other.check_content(&rollup.chain).unwrap_err()
    };
    assert_eq!(
        check(&|batch| batch.batch.parent_hash = B256::ZERO),
        ContentError::Parent
    );
    assert_eq!(
        check(&|batch| batch.batch.timestamp += 1),
        ContentError::Time
    );
    assert_eq!(
        check(&|batch| batch.batch.epoch_num += 1),
        ContentError::Origin
    );
    assert_eq!(
        check(&|batch| batch.batch.epoch_hash = B256::ZERO),
        ContentError::Origin
    );
    let other = check(&|batch| batch.l1_info_deposit = Bytes::from_static(&[2, 0xc0]));
    assert!(matches!(other, ContentError::Deposit(_)));
}

#[test]
fn the_first_rule_that_is_broken_is_named() {
    let Some(rollup) = rollup() else { return };
    let good = rollup.batch(&rollup.start.tip, 0, &Twist::default()).0;
    let payload = good.encode();
    assert_eq!(SignedBatch::decode(&payload), Ok(good.clone()));
    for length in 0..SIGNATURE {
        let short = payload.slice(..length);
        assert_eq!(SignedBatch::decode(&short), Err(DecodeError::Short(length)));
    }
    let mut other = payload.to_vec();
    other[64] += 27;
    assert_eq!(
        SignedBatch::decode(&other.into()),
        Err(DecodeError::Signature)
    );
    let mut other = payload.to_vec();
    other[..64].fill(0);
    assert_eq!(
        SignedBatch::decode(&other.into()),
        Err(DecodeError::Signature)
    );
    // a signature is of all bytes, so whoever changes one is somebody else
    for at in SIGNATURE..payload.len() {
        let mut other = payload.to_vec();
        other[at] ^= 1;
        if let Ok(read) = SignedBatch::decode(&other.into()) {
            assert_ne!(read.signer, good.signer);
        }
    }
    // cut off or longer, and signed as it is
    let resign = |body: &[u8]| {
        let signature = alloy_consensus::crypto::secp256k1::sign_message(
            BATCHER,
            alloy_primitives::keccak256(body),
        )
        .unwrap();
        let mut out = signature.as_bytes().to_vec();
        out[64] -= 27;
        out.extend_from_slice(body);
        SignedBatch::decode(&out.into())
    };
    let body = good.batch.encode();
    assert_eq!(resign(&body), Ok(good));
    for length in 0..body.len() {
        assert!(matches!(
            resign(&body[..length]),
            Err(DecodeError::Rlp { part: "body", .. })
        ));
    }
    assert_eq!(
        resign(&[body.as_ref(), &[0]].concat()),
        Err(DecodeError::Trailing(1))
    );
}

/// The batcher's key signs two blocks for one height: the first on Espresso counts for every reader.
#[test]
fn of_two_batches_for_a_block_the_first_on_espresso_counts() {
    let Some(rollup) = rollup() else { return };
    let tip = rollup.start.tip;
    let salted = |parent: &L2BlockRef, salt| {
        rollup.batch(
            parent,
            0,
            &Twist {
                salt,
                ..Twist::default()
            },
        )
    };
    let (a, block_a) = salted(&tip, 1);
    let (b, block_b) = salted(&tip, 2);
    let (on_a, block_on_a) = salted(&block_a, 3);
    let (on_b, _) = salted(&block_b, 4);
    let [a, b, on_a, on_b] = [a, b, on_a, on_b].map(|batch| batch.encode());
    // the block on the losing fork stands first, and loses all the same
    let (found, drops) = read(
        &rollup,
        &[vec![on_b], vec![a.clone(), b], vec![on_a], vec![a]],
    );
    assert_eq!(found, [block_a, block_on_a]);
    assert!(drops.contains(&DropReason::Superseded(1)));
    assert!(drops.contains(&DropReason::Parent(block_b.hash)));
}

/// The same header and deposit with other transactions: one identity for the Go programs.
#[test]
fn a_bad_batch_does_not_hide_a_good_one_of_the_same_identity() {
    let Some(rollup) = rollup() else { return };
    let tip = rollup.start.tip;
    let deposit = vec![Bytes::from_static(&[0x7e, 0xc0])];
    let (bad, _) = rollup.batch(
        &tip,
        0,
        &Twist {
            transactions: deposit,
            ..Twist::default()
        },
    );
    let (good, block) = rollup.batch(&tip, 0, &Twist::default());
    assert_eq!(bad.batch.id(), good.batch.id());
    let (found, drops) = read(&rollup, &[vec![bad.encode(), good.encode()]]);
    assert_eq!(found, [block]);
    assert_eq!(drops, [DropReason::Rule(BatchDrop::DepositTransaction)]);
}

/// A batch waits until its own L1 origin is final, and nothing later overtakes it.
#[test]
fn a_batch_waits_for_its_l1_origin_and_is_not_overtaken() {
    let Some(rollup) = rollup() else { return };
    let tip = rollup.start.tip;
    let late = (1..rollup.l1.len() as u64)
        .find(|at| rollup.l1[*at as usize].timestamp <= tip.timestamp + 1);
    // an L1 block that is not younger than the L2 block
    let Some(origin) = late else { return };
    let (first, block) = rollup.batch(&tip, origin.min(1), &Twist::default());
    let (second, _) = rollup.batch(
        &tip,
        0,
        &Twist {
            salt: 1,
            ..Twist::default()
        },
    );
    let blocks = blocks(&rollup, &[vec![first.encode(), second.encode()]], 0);
    let config = config(&rollup, Authorization::AtHotShot, Limits::default());
    let reader = Reader::new(&rollup, &blocks);
    let (found, _) = reader.read(Streamer::new(config.clone(), rollup.start), 0, 1);
    assert!(found.is_empty());
    let (found, _) = reader.read(Streamer::new(config, rollup.start), 1, 1);
    assert_eq!(found[0].block, block);
}

/// What an adversary does at one place of a namespace.
#[derive(Clone, Debug)]
enum Act {
    /// Block `at` of the chain, again and again.
    Genuine(usize),
    /// Another block on block `at`, by the batcher's key.
    Rival(usize, u8),
    /// One that a rule forbids.
    Forbidden(usize),
    Stranger(usize),
    Junk(Vec<u8>),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0_usize..8).prop_map(Act::Genuine),
        1 => (0_usize..8, 1_u8..4).prop_map(|(at, salt)| Act::Rival(at, salt)),
        1 => (0_usize..8).prop_map(Act::Forbidden),
        1 => (0_usize..8).prop_map(Act::Stranger),
        1 => proptest::collection::vec(any::<u8>(), 0..100).prop_map(Act::Junk),
    ]
}

#[test]
fn two_readers_agree_whatever_is_written_and_however_it_is_delivered() {
    let Some(rollup) = rollup() else { return };
    let mut parents = vec![rollup.start.tip];
    for _ in 0..8 {
        let parent = *parents.last().unwrap();
        parents.push(rollup.batch(&parent, 0, &Twist::default()).1);
    }
    let payload = |act: &Act| match act {
        Act::Genuine(at) => rollup.batch(&parents[*at], 0, &Twist::default()).0.encode(),
        Act::Rival(at, salt) => rollup
            .batch(
                &parents[*at],
                0,
                &Twist {
                    salt: *salt,
                    ..Twist::default()
                },
            )
            .0
            .encode(),
        Act::Forbidden(at) => rollup
            .batch(
                &parents[*at],
                0,
                &Twist {
                    later: 3,
                    ..Twist::default()
                },
            )
            .0
            .encode(),
        Act::Stranger(at) => Rollup::sign(
            rollup.block(&parents[*at], 0, &Twist::default()).0,
            STRANGER,
        )
        .encode(),
        Act::Junk(bytes) => bytes.clone().into(),
    };
    let acts = proptest::collection::vec(proptest::collection::vec(act(), 0..4), 1..12);
    let small = (1_u64..6, 1_usize..3, 1_usize..5, any::<u64>());
    let config_of = |limits| config(&rollup, Authorization::AtHotShot, limits);
    let runner = &mut TestRunner::new(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let result = runner.run(
        &(acts, small),
        |(acts, (ahead, per_number, per_origin, seed))| {
            let payloads: Vec<Vec<Bytes>> = acts
                .iter()
                .map(|list| list.iter().map(payload).collect())
                .collect();
            let blocks = blocks(&rollup, &payloads, 5);
            let reader = Reader::new(&rollup, &blocks);
            let large = Streamer::new(config_of(Limits::default()), rollup.start);
            let (expected, drops) = reader.read(large.clone(), 60, 1);
            // delivered otherwise
            let (found, others) = reader.read(large, 60, seed & !1);
            prop_assert_eq!(&found, &expected);
            prop_assert_eq!(others, drops);
            // with hardly any memory
            let limits = Limits {
                ahead,
                per_number,
                per_origin,
                batch_bytes: 4000,
                ..Limits::default()
            };
            let (found, _) = reader.read(Streamer::new(config_of(limits), rollup.start), 60, seed);
            prop_assert_eq!(&found, &expected);
            // each block builds on the one before, and is the first of its number to do so
            for (one, next) in expected.iter().zip(expected.iter().skip(1)) {
                prop_assert_eq!(one.block.hash, next.block.parent_hash);
            }
            Ok(())
        },
    );
    result.unwrap();
}

/// Copies of a batch that did not fit: the first one counts, although a later one is read again before it.
#[test]
fn of_copies_that_were_forgotten_the_first_one_counts() {
    let Some(rollup) = rollup() else { return };
    let mut parents = vec![rollup.start.tip];
    let mut batches = Vec::new();
    for _ in 0..8 {
        let parent = *parents.last().unwrap();
        let (batch, block) = rollup.batch(&parent, 0, &Twist::default());
        batches.push(batch.encode());
        parents.push(block);
    }
    let order: [&[usize]; 7] = [&[7], &[7, 4], &[6], &[2], &[0], &[3], &[1, 5]];
    let payloads = order.map(|list| list.iter().map(|at| batches[*at].clone()).collect());
    let blocks = blocks(&rollup, &payloads, 5);
    let reader = Reader::new(&rollup, &blocks);
    let places = |limits| {
        let config = config(&rollup, Authorization::AtHotShot, limits);
        let (found, _) = reader.read(Streamer::new(config, rollup.start), 60, 0);
        let places: Vec<_> = found.iter().map(|one| one.place).collect();
        places
    };
    let little = Limits {
        ahead: 4,
        per_number: 1,
        per_origin: 3,
        batch_bytes: 4000,
        ..Limits::default()
    };
    let expected = places(Limits::default());
    assert_eq!(expected.len(), 8);
    assert_eq!(places(little), expected);
}

/// Version 1: a signer who is unknown now may be the batcher at the batch's origin later.
#[test]
fn a_batcher_who_is_appointed_later_is_read_again() {
    let Some(rollup) = rollup() else { return };
    let tip = rollup.start.tip;
    let appointed = Rollup::sign(rollup.block(&tip, 1, &Twist::default()).0, STRANGER);
    let blocks = blocks(&rollup, &[vec![appointed.encode()]], 0);
    let config = config(&rollup, Authorization::AtOrigin, Limits::default());
    let mut reader = Reader::new(&rollup, &blocks);
    reader.history = vec![
        (0, Rollup::address(BATCHER)),
        (1, Rollup::address(STRANGER)),
    ];
    // one who knows of the appointment at once, and one who learns of it
    let mut late = Streamer::new(config.clone(), rollup.start);
    late.finalized(0);
    late.history(BatcherHistory::always(Rollup::address(BATCHER), 0));
    assert_eq!(late.step(), Step::Need(Request::HotShot { from: 0 }));
    late.feed(blocks[0].clone()).unwrap();
    assert_eq!(late.step(), Step::Need(Request::HotShot { from: 1 }));
    assert_eq!(late.checkpoint().hotshot_height, 0);
    late.finalized(1);
    late.history(BatcherHistory::new(reader.history.clone(), 1).unwrap());
    let (found, _) = reader.read(late, 1, 1);
    let mut early = Streamer::new(config, rollup.start);
    early.finalized(1);
    let (expected, _) = reader.read(early, 1, 1);
    assert_eq!(found, expected);
}
