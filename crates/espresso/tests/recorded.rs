//! The chain that the fork's own batcher put on a stand-in for Espresso, with what its enemies added:
//! `recorded/espresso-gen2-batcher`.

#![expect(
    clippy::cast_possible_truncation,
    reason = "a test's numbers are small"
)]

#[allow(dead_code, reason = "tests share it")]
mod local;

use alloy_primitives::{B256, U256, address, keccak256};
use doppio_espresso::{
    batch::{DecodeError, SignedBatch},
    streamer::{
        Authorization, BatcherHistory, Checkpoint, Confirmed, Drop, DropReason, HotShotBlock,
        Limits, Request, Step, Streamer, StreamerConfig, Wait,
    },
};
use doppio_protocol::L1BlockRef;
use local::{Recording, shuffled};
use std::collections::BTreeMap;

/// Brings a streamer to the end of the recording. `order` is that in which blocks are offered whenever
/// the streamer needs one.
fn run(
    recording: &Recording,
    mut streamer: Streamer,
    order: &[HotShotBlock],
) -> (Vec<Confirmed>, Streamer) {
    let mut out = Vec::new();
    let mut offered = order.iter();
    let last = *recording.l1.keys().last().unwrap();
    streamer.finalized(last);
    loop {
        match streamer.step() {
            Step::Batch(batch) => out.push(*batch),
            Step::Need(Request::L1Block(number)) => streamer.l1_block(recording.l1[&number]),
            Step::Need(Request::Batchers { to }) => {
                streamer.history(BatcherHistory::always(recording.batcher, to));
            }
            Step::Need(Request::HotShot { from }) => match offered.next() {
                Some(block) => streamer.feed(block.clone()).unwrap(),
                // what was forgotten is read again
                None => match recording.hotshot.get(&from) {
                    Some(block) => streamer.feed(block.clone()).unwrap(),
                    None => return (out, streamer),
                },
            },
            // the last batches have origins behind the recording's end
            Step::Wait(Wait::Finality(_)) => return (out, streamer),
        }
    }
}

fn in_order(recording: &Recording) -> Vec<HotShotBlock> {
    recording.hotshot.values().cloned().collect()
}

fn numbers(batches: &[Confirmed]) -> Vec<(u64, B256)> {
    batches
        .iter()
        .map(|batch| (batch.block.number, batch.block.hash))
        .collect()
}

#[test]
fn every_payload_of_the_batcher_reads_and_writes_as_itself() {
    let Some(recording) = Recording::find() else {
        return;
    };
    let mut count = 0;
    for (transaction, hash, injected) in &recording.transactions {
        assert_eq!(transaction.commit().to_string(), *hash);
        if injected.is_none() {
            let signed = SignedBatch::decode(&transaction.payload).unwrap();
            assert_eq!(signed.encode(), transaction.payload);
            assert_eq!(signed.transaction(901), *transaction);
            assert_eq!(signed.batch.signing_hash(), signed.body_hash);
            assert_eq!(signed.signer, recording.batcher);
            assert_eq!(signed.batch.hash, signed.batch.header.hash_slow());
            count += 1;
        }
    }
    assert_eq!(count, 307);
}

#[test]
fn the_streamer_yields_the_recorded_chain() {
    let Some(recording) = Recording::find() else {
        return;
    };
    let (batches, _) = run(
        &recording,
        recording.streamer(Limits::default()),
        &in_order(&recording),
    );
    let found: BTreeMap<u64, B256> = numbers(&batches).into_iter().collect();
    assert_eq!(found.len(), batches.len());
    // all that the batcher put there is on the recorded chain, without a gap
    assert!(found.keys().copied().eq(1..=found.len() as u64));
    assert!(found.len() >= recording.l2.len() - 1);
    for (number, hash) in &recording.l2 {
        assert!(
            *number == 0 || found.get(number) == Some(hash),
            "block {number}"
        );
    }
}

#[test]
fn each_hostile_entry_is_dropped_by_its_reason() {
    let Some(recording) = Recording::find() else {
        return;
    };
    let (batches, mut streamer) = run(
        &recording,
        recording.streamer(Limits::default()),
        &in_order(&recording),
    );
    let (drops, forgotten) = streamer.take_drops();
    assert_eq!(forgotten, 0);
    let dropped: BTreeMap<_, _> = drops
        .into_iter()
        .map(|Drop { place, reason }| (place, reason))
        .collect();
    let mut count = 0;
    for (place, injected) in &recording.injected {
        let Some(reason) = dropped.get(place) else {
            // the copy stands before the batcher's own, and counts in its place
            assert!(
                injected.starts_with("genuine payload again"),
                "{injected} is not dropped"
            );
            assert!(
                batches.iter().any(|batch| batch.place == *place),
                "{injected}"
            );
            continue;
        };
        let is_right = match injected.as_str() {
            "genuine payload again" | "genuine payload again (older)" => {
                matches!(
                    reason,
                    DropReason::Duplicate | DropReason::Past(_) | DropReason::Superseded(_)
                )
            }
            "random 200 bytes" | "65 bytes" => matches!(reason, DropReason::Decode(_)),
            "genuine body signed by a stranger"
            | "genuine body, signature of another body"
            | "stranger, far-future L1 origin"
            | "stranger, far-future L2 number and origin"
            | "stranger signature, signer field set to the batcher" => {
                matches!(reason, DropReason::Signer { batcher: None, .. })
            }
            "genuine payload with a trailing byte" | "genuine payload cut by a byte" => {
                matches!(reason, DropReason::Decode(_) | DropReason::Signer { .. })
            }
            "genuine payload in another namespace" => *reason == DropReason::Namespace(902),
            "v = 27/28 instead of 0/1" => *reason == DropReason::Decode(DecodeError::Signature),
            "batcher signature, wrong L1 origin hash" => *reason == DropReason::Time(1_000_000),
            "batcher signature, empty deposit field" => {
                *reason == DropReason::Decode(DecodeError::NoDeposit)
            }
            "64 bytes" => *reason == DropReason::Decode(DecodeError::Short(64)),
            "empty" => *reason == DropReason::Decode(DecodeError::Short(0)),
            other => panic!("{other}"),
        };
        assert!(is_right, "{injected}: {reason:?}");
        count += 1;
    }
    // the recording's page counts those that were dropped there
    assert_eq!(recording.injected.len(), 19);
    assert!(count >= 17, "{count}");
}

/// Whatever order blocks come in, from `start` on.
fn agree_in_any_order(
    recording: &Recording,
    start: Checkpoint,
    blocks: &[HotShotBlock],
    orders: u64,
) {
    let fresh = || Streamer::new(recording.config(Limits::default()), start);
    let (expected, mut first) = run(recording, fresh(), blocks);
    let drops = first.take_drops();
    assert!(!expected.is_empty());
    for seed in 1..=orders {
        let (found, mut streamer) = run(recording, fresh(), &shuffled(blocks, seed));
        assert_eq!(numbers(&found), numbers(&expected), "seed {seed}");
        assert_eq!(streamer.take_drops(), drops, "seed {seed}");
    }
}

/// A thousand of the blocks that hold most of the hostile entries, and some of all blocks.
#[test]
fn a_thousand_orders_of_delivery_yield_the_same_chain() {
    let Some(mut recording) = Recording::find() else {
        return;
    };
    let blocks = in_order(&recording);
    agree_in_any_order(&recording, recording.start(), &blocks, 20);
    // from the last checkpoint before the hostile entries
    let mut streamer = recording.streamer(Limits::default());
    let mut checkpoint = streamer.checkpoint();
    let mut fed = blocks.iter();
    streamer.finalized(u64::MAX);
    while streamer.checkpoint().hotshot_height < 192 {
        checkpoint = streamer.checkpoint();
        match streamer.step() {
            Step::Need(Request::L1Block(number)) => streamer.l1_block(recording.l1[&number]),
            Step::Need(Request::Batchers { to }) => {
                streamer.history(BatcherHistory::always(recording.batcher, to));
            }
            Step::Need(Request::HotShot { .. }) => {
                streamer.feed(fed.next().unwrap().clone()).unwrap()
            }
            Step::Batch(_) => {}
            Step::Wait(wait) => panic!("{wait:?}"),
        }
    }
    recording
        .hotshot
        .retain(|height, _| (checkpoint.hotshot_height..208).contains(height));
    let blocks = in_order(&recording);
    agree_in_any_order(&recording, checkpoint, &blocks, 1000);
}

#[test]
fn little_memory_yields_the_same_chain() {
    let Some(recording) = Recording::find() else {
        return;
    };
    let blocks = in_order(&recording);
    let (expected, _) = run(&recording, recording.streamer(Limits::default()), &blocks);
    for limits in [
        Limits {
            ahead: 2,
            ..Limits::default()
        },
        Limits {
            batch_bytes: 1,
            ..Limits::default()
        },
        Limits {
            per_origin: 1,
            ..Limits::default()
        },
        Limits {
            per_number: 1,
            l1_blocks: 2,
            ..Limits::default()
        },
    ] {
        let (found, _) = run(&recording, recording.streamer(limits.clone()), &blocks);
        assert_eq!(numbers(&found), numbers(&expected), "{limits:?}");
    }
}

#[test]
fn a_reader_that_resumes_or_is_reset_yields_the_rest() {
    let Some(recording) = Recording::find() else {
        return;
    };
    let blocks = in_order(&recording);
    let (all, mut used) = run(&recording, recording.streamer(Limits::default()), &blocks);
    // stop after every tenth batch
    for count in (0..all.len()).step_by(10) {
        let mut streamer = recording.streamer(Limits::default());
        let mut checkpoint = streamer.checkpoint();
        let last = *recording.l1.keys().last().unwrap();
        streamer.finalized(last);
        streamer.history(BatcherHistory::always(recording.batcher, last));
        let mut taken = 0;
        while taken < count {
            match streamer.step() {
                Step::Batch(_) => {
                    taken += 1;
                    checkpoint = streamer.checkpoint();
                }
                Step::Need(Request::L1Block(number)) => streamer.l1_block(recording.l1[&number]),
                Step::Need(Request::HotShot { from }) => {
                    streamer.feed(recording.hotshot[&from].clone()).unwrap();
                }
                other => panic!("{other:?}"),
            }
        }
        let rest: Vec<_> = blocks
            .iter()
            .filter(|block| block.height >= checkpoint.hotshot_height)
            .cloned()
            .collect();
        let fresh = Streamer::new(recording.config(Limits::default()), checkpoint);
        let (found, _) = run(&recording, fresh, &rest);
        assert_eq!(numbers(&found), numbers(&all[count..]), "after {count}");
        used.reset(checkpoint);
        let (found, after) = run(&recording, used, &rest);
        assert_eq!(numbers(&found), numbers(&all[count..]), "after {count}");
        used = after;
    }
}

#[test]
fn version_2_yields_the_same_chain_and_refuses_a_batcher_that_was_replaced() {
    let Some(recording) = Recording::find() else {
        return;
    };
    // headers of HotShot that name the L1 block of their time
    let named = |block: &HotShotBlock| HotShotBlock {
        l1_finalized: Some(
            recording.l1[&recording
                .l1
                .keys()
                .last()
                .copied()
                .unwrap()
                .min(block.height)],
        ),
        ..block.clone()
    };
    let blocks: Vec<_> = recording.hotshot.values().map(named).collect();
    let config = StreamerConfig {
        authorization: Authorization::AtHotShot,
        ..recording.config(Limits::default())
    };
    let start = recording.start();
    let last = *recording.l1.keys().last().unwrap();
    let read = |history: BatcherHistory| {
        let mut streamer = Streamer::new(config.clone(), start);
        streamer.finalized(last);
        streamer.history(history);
        let mut out = Vec::new();
        loop {
            match streamer.step() {
                Step::Batch(batch) => out.push(*batch),
                Step::Need(Request::L1Block(number)) => streamer.l1_block(recording.l1[&number]),
                Step::Need(Request::HotShot { from }) => {
                    match blocks.iter().find(|block| block.height == from) {
                        Some(block) => streamer.feed(block.clone()).unwrap(),
                        None => return out,
                    }
                }
                Step::Wait(_) => return out,
                other => panic!("{other:?}"),
            }
        }
    };
    let all = read(BatcherHistory::always(recording.batcher, last));
    assert!(all.len() >= recording.l2.len() - 1);
    // replaced at L1 block 60: what came later to Espresso does not count, whatever its origin
    let other = address!("00000000000000000000000000000000000000aa");
    let replaced = BatcherHistory::new(vec![(0, recording.batcher), (60, other)], last).unwrap();
    let until = read(replaced);
    assert!(!until.is_empty() && until.len() < all.len());
    assert!(until.iter().all(|batch| batch.place.height < 60));
}

/// The attested key signs the commitment of each inbox transaction.
#[test]
fn the_recorded_authentications_recover_to_the_attested_key() {
    let Some(recording) = Recording::find() else {
        return;
    };
    let expected = address!("90F79bf6EB2c4f870365E785982E1f101E93b906");
    let domain = keccak256(
        [
            keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)").0,
            keccak256("EspressoTEEVerifier").0,
            keccak256("1").0,
            U256::from(900).to_be_bytes(),
            address!("00000000000000000000000000000000e5ba00ff").into_word().0,
        ]
        .as_flattened(),
    );
    let typehash = keccak256("EspressoTEEVerifier(bytes32 commitment)");
    for (commitment, signature) in &recording.authentications {
        let message = keccak256([typehash.0, commitment.0].as_flattened());
        let digest = keccak256([&[0x19, 0x01][..], domain.as_slice(), message.as_slice()].concat());
        let signature = alloy_primitives::Signature::from_raw(signature).unwrap();
        let signer = alloy_consensus::crypto::secp256k1::recover_signer(&signature, digest);
        assert_eq!(signer.unwrap(), expected);
    }
    assert_eq!(recording.authentications.len(), 78);
}

#[test]
fn a_block_too_far_ahead_waits_outside_and_a_contradiction_is_told() {
    let Some(recording) = Recording::find() else {
        return;
    };
    let mut streamer = recording.streamer(Limits {
        waiting_blocks: 4,
        ..Limits::default()
    });
    let block = |height| HotShotBlock {
        height,
        l1_finalized: None,
        transactions: Vec::new(),
    };
    let start = recording.start().hotshot_height;
    assert!(streamer.feed(block(start + 4)).is_err());
    assert_eq!(streamer.feed(block(start + 3)), Ok(()));
    assert_eq!(streamer.feed(block(start + 3)), Ok(()));
    let other = HotShotBlock {
        l1_finalized: Some(L1BlockRef::default()),
        ..block(start + 3)
    };
    assert!(streamer.feed(other).is_err());
    assert_eq!(streamer.next_height(), start);
    assert_eq!(streamer.feed(block(start)), Ok(()));
    assert_eq!(streamer.next_height(), start + 1);
}
