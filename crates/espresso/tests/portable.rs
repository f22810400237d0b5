//! Portable proofs of a network of four validators, whose blocks hold the batches of a rollup.

#![expect(
    clippy::cast_possible_truncation,
    reason = "a test's numbers are small"
)]

#[allow(dead_code, reason = "tests share it")]
mod local;
#[allow(dead_code, reason = "tests share it")]
#[path = "local/network.rs"]
mod network;
#[allow(dead_code, reason = "tests share it")]
#[path = "local/rollup.rs"]
mod rollup;

use alloy_primitives::{Bytes, address};
use doppio_espresso::{
    batch::SignedBatch,
    certificate::{Certificate, FinalData},
    epochs::{EpochError, Epochs, NextTable},
    finality::{Finality, FinalityError, LeafProof},
    light_client::LightClientState,
    portable::{
        Anchor, BatchPlace, BatcherError, Claim, FORMAT, Failure, FinalBlock, FormatError,
        HotShotEvidence, Outcome, PortableProof, RawHeader, Trust, TrustError, verify,
    },
    tagged::{MerkleCommitment, StakeTableHash},
};
use doppio_test_vectors::Vectors;
use local::Recording;
use network::{L1_BLOCKS, Network, l1};
use rollup::{BATCHER, Rollup, Twist};
use serde_json::Value;

const NAMESPACE: u64 = 901;
const TARGET: usize = 3;

/// L2 blocks 1 to 3 on HotShot blocks 2 to 5, 3 before 2, with blocks without the namespace between.
struct Case {
    network: Network,
    proof: PortableProof,
    trust: Trust,
}

/// The batches of the first L2 blocks, and a rival of the last.
fn genuine(rollup: &Rollup) -> (Vec<SignedBatch>, SignedBatch) {
    let mut parent = rollup.start.tip;
    let mut batches = Vec::new();
    let mut rival = None;
    for _ in 0..TARGET {
        let twist = Twist {
            salt: 66,
            ..Twist::default()
        };
        rival = Some(rollup.batch(&parent, 0, &twist).0);
        let (batch, block) = rollup.batch(&parent, 0, &Twist::default());
        batches.push(batch);
        parent = block;
    }
    (batches, rival.unwrap())
}

fn rollup() -> Option<Rollup> {
    Recording::find().map(|recording| Rollup::new(&recording))
}

fn payloads(batches: &[SignedBatch]) -> Vec<Vec<Bytes>> {
    let [one, two, three] = [0, 1, 2].map(|at| batches[at].encode());
    let junk = Bytes::from_static(b"junk");
    vec![
        vec![],
        vec![junk, one.clone()],
        vec![three],
        vec![],
        vec![two, one],
        vec![],
    ]
}

fn case() -> Option<Case> {
    let rollup = rollup()?;
    let (genuine, _) = genuine(&rollup);
    Some(build(&rollup, &genuine, &payloads(&genuine)))
}

fn build(rollup: &Rollup, genuine: &[SignedBatch], payloads: &[Vec<Bytes>]) -> Case {
    let network = Network::new(NAMESPACE, payloads);
    let target = &genuine[TARGET - 1];
    let header = |batch: &SignedBatch| RawHeader(alloy_rlp_encode(&batch.batch.header));
    let genesis = rollup.start.tip;
    let history = [(0, Rollup::address(BATCHER))];
    let place = payloads.iter().enumerate().find_map(|(at, list)| {
        let index = list
            .iter()
            .position(|payload| *payload == target.encode())?;
        Some(BatchPlace {
            height: at as u64 + 1,
            index,
        })
    });
    let proof = PortableProof {
        format: FORMAT.to_owned(),
        namespace: NAMESPACE,
        block: target.batch.hash,
        place: place.unwrap(),
        anchor: Anchor {
            number: 0,
            hash: genesis.hash,
            hotshot_height: 1,
        },
        l2_headers: genuine.iter().map(header).collect(),
        final_block: FinalBlock::Certificate(Box::new(network.leaf_proof())),
        hotshot: (1..=payloads.len() as u64)
            .map(|height| network.evidence(height))
            .collect(),
        complete: true,
        batcher: Some(l1::batcher_proof(&history)),
    };
    let trust = Trust {
        epochs: network.epochs(),
        light_client: None,
        l1_blocks: vec![l1::block_hash(&history)],
        namespace: NAMESPACE,
        authenticator: Some(l1::AUTHENTICATOR),
    };
    Case {
        network,
        proof,
        trust,
    }
}

fn alloy_rlp_encode(header: &alloy_consensus::Header) -> Bytes {
    alloy_rlp::encode(header).into()
}

#[track_caller]
fn failure(proof: &PortableProof, trust: &Trust, claim: Claim) -> Failure {
    match verify(proof, trust).outcome(claim) {
        Outcome::Fails(failure) => failure.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_complete_proof_carries_all_claims_and_reads_as_written() {
    let Some(Case { proof, trust, .. }) = case() else {
        return;
    };
    let report = verify(&proof, &trust);
    assert!(report.holds(&Claim::ALL), "{report:?}");
    let bytes = proof.encode().unwrap();
    let read = PortableProof::decode(&bytes).unwrap();
    assert_eq!(read, proof);
    assert_eq!(read.encode().unwrap(), bytes);
}

#[test]
fn a_short_proof_says_what_it_does_not_carry() {
    let Some(Case {
        mut proof, trust, ..
    }) = case()
    else {
        return;
    };
    proof.complete = false;
    let height = proof.place.height;
    proof
        .hotshot
        .retain(|evidence| evidence.header.height() == height);
    let report = verify(&proof, &trust);
    assert!(report.holds(&[Claim::Final, Claim::Included, Claim::Signed, Claim::Linked]));
    assert_eq!(*report.outcome(Claim::First), Outcome::NotCarried);
    proof.l2_headers.clear();
    proof.batcher = None;
    let report = verify(&proof, &trust);
    assert!(report.holds(&[Claim::Final, Claim::Included]));
    for claim in [Claim::Signed, Claim::Linked, Claim::First] {
        assert_eq!(*report.outcome(claim), Outcome::NotCarried);
    }
}

/// Contracts of generation 2 keep no history: whatever a proof holds, the claim is not carried.
#[test]
fn without_a_history_who_signed_is_never_shown() {
    let Some(Case {
        proof, mut trust, ..
    }) = case()
    else {
        return;
    };
    trust.authenticator = None;
    let report = verify(&proof, &trust);
    assert_eq!(*report.outcome(Claim::Signed), Outcome::NotCarried);
    assert_eq!(
        *report.outcome(Claim::First),
        Outcome::Fails(Failure::Needs(Claim::Signed))
    );
    assert!(report.holds(&[Claim::Final, Claim::Included, Claim::Linked]));
}

/// All numbers, texts and truths of a JSON value, each with another in its place.
fn mutate(value: &Value, path: &mut Vec<String>, out: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                path.push(key.clone());
                mutate(inner, path, out);
                path.pop();
            }
        }
        Value::Array(list) => {
            for (at, inner) in list.iter().enumerate() {
                path.push(at.to_string());
                mutate(inner, path, out);
                path.pop();
            }
        }
        Value::Number(number) => {
            out.push((
                format!("/{}", path.join("/")),
                (number.as_u64().unwrap() ^ 1).into(),
            ));
        }
        Value::Bool(truth) => out.push((format!("/{}", path.join("/")), (!truth).into())),
        Value::String(text) if !text.is_empty() => {
            // in the middle, where a checksum or a digest sees it, or does not
            let at = text.len() / 2;
            let other = if text.as_bytes()[at] == b'1' {
                "2"
            } else {
                "1"
            };
            let text = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            out.push((format!("/{}", path.join("/")), text.into()));
        }
        Value::String(_) | Value::Null => {}
    }
}

/// What no claim rests on: the builder's signature is not committed to, and the first certificate of
/// the new protocol adds nothing to the second.
const NOT_COVERED: [&str; 4] = ["builder_signature", "leaf_qc", "block_payload", "/nonce"];

#[test]
fn no_field_of_a_proof_can_be_another() {
    let Some(Case { proof, trust, .. }) = case() else {
        return;
    };
    let json = serde_json::to_value(&proof).unwrap();
    let mut changes = Vec::new();
    mutate(&json, &mut Vec::new(), &mut changes);
    let mut refused = 0;
    for (path, other) in changes {
        if NOT_COVERED.iter().any(|part| path.contains(part)) {
            continue;
        }
        // of a hundred equal counters a few are enough
        if path.contains("leader_counts") && !path.ends_with("/7") {
            continue;
        }
        let mut changed = json.clone();
        *changed.pointer_mut(&path).unwrap() = other;
        let read = PortableProof::decode(&serde_json::to_vec(&changed).unwrap());
        let Ok(read) = read else {
            refused += 1;
            continue;
        };
        if read == proof {
            continue;
        }
        assert!(!verify(&read, &trust).holds(&Claim::ALL), "{path}");
        refused += 1;
    }
    assert!(refused > 150, "{refused}");
}

#[test]
fn an_earlier_batch_for_the_same_block_is_found() {
    let Some(rollup) = rollup() else { return };
    let (genuine, rival) = genuine(&rollup);
    let mut payloads = payloads(&genuine);
    payloads[0].push(rival.encode());
    let case = build(&rollup, &genuine, &payloads);
    let found = rival.batch.hash;
    let expected = Failure::NotFirst {
        number: 3,
        found,
        height: 1,
    };
    assert_eq!(failure(&case.proof, &case.trust, Claim::First), expected);
    let report = verify(&case.proof, &case.trust);
    assert!(report.holds(&[Claim::Final, Claim::Included, Claim::Signed, Claim::Linked]));
    // one that comes later is none
    payloads[0].pop();
    payloads[5].push(rival.encode());
    let case = build(&rollup, &genuine, &payloads);
    assert!(verify(&case.proof, &case.trust).holds(&Claim::ALL));
}

#[test]
fn hiding_a_block_or_a_namespace_is_seen() {
    let Some(Case { proof, trust, .. }) = case() else {
        return;
    };
    for at in 0..proof.hotshot.len() {
        let mut other = proof.clone();
        other.hotshot.remove(at);
        assert!(!verify(&other, &trust).holds(&Claim::ALL) || at + 1 == proof.hotshot.len());
        let mut other = proof.clone();
        if other.hotshot[at].namespace.take().is_some() {
            assert!(!verify(&other, &trust).holds(&Claim::ALL));
        }
    }
    // nor does it help to end before a batch that is needed
    let mut other = proof;
    other.hotshot.truncate(4);
    assert_eq!(failure(&other, &trust, Claim::First), Failure::NoBatch(2));
}

#[test]
fn a_batcher_that_was_replaced_before_is_refused() {
    let batcher = Rollup::address(BATCHER);
    let Some(Case {
        mut proof,
        mut trust,
        ..
    }) = case()
    else {
        return;
    };
    let other = address!("00000000000000000000000000000000000000aa");
    // replaced at L1 block 3: HotShot block 3 knows L1 block 3 to be final
    for (from, holds) in [(3, false), (4, true), (L1_BLOCKS - 1, true)] {
        let changes = [(0, batcher), (from, other)];
        proof.batcher = Some(l1::batcher_proof(&changes));
        trust.l1_blocks = vec![l1::block_hash(&changes)];
        let report = verify(&proof, &trust);
        assert_eq!(report.holds(&[Claim::Signed]), holds, "{from}");
        if !holds {
            let (signer, batcher) = (batcher, Some(other));
            let expected = Outcome::Fails(Failure::Signer { signer, batcher });
            assert_eq!(*report.outcome(Claim::Signed), expected);
        }
    }
    // without the neighbour that follows it is not shown that nobody followed
    let changes = [(0, batcher), (4, other)];
    proof.batcher = Some(l1::part_of_batcher_proof(&changes, 0, 1));
    trust.l1_blocks = vec![l1::block_hash(&changes)];
    assert_eq!(
        failure(&proof, &trust, Claim::Signed),
        BatcherError::NotCovered(3).into()
    );
    // and an L1 block that nobody vouches for shows nothing
    trust.l1_blocks.clear();
    assert!(failure(&proof, &trust, Claim::Signed).is_unavailable());
}

#[test]
fn the_light_clients_root_is_the_second_way() {
    let Some(Case {
        network,
        mut proof,
        mut trust,
        ..
    }) = case()
    else {
        return;
    };
    let tree = network.tree();
    let state = LightClientState {
        view: 9,
        height: tree.leaves(),
        root: doppio_espresso::circuit_root(&tree),
    };
    proof.final_block = FinalBlock::LightClient {
        height: state.height,
    };
    assert_eq!(
        failure(&proof, &trust, Claim::Final),
        Failure::NoLightClient(state.height)
    );
    trust.light_client = Some(state);
    assert!(verify(&proof, &trust).holds(&Claim::ALL));
    let wrong = MerkleCommitment::new([1; 32], 32, tree.leaves());
    trust.light_client = Some(LightClientState {
        root: doppio_espresso::circuit_root(&wrong),
        ..state
    });
    assert!(!verify(&proof, &trust).holds(&[Claim::Final]));
}

#[test]
fn other_rollups_and_unknown_tables_are_told_apart() {
    let Some(Case {
        proof, mut trust, ..
    }) = case()
    else {
        return;
    };
    trust.namespace = 902;
    let expected = Failure::Namespace {
        expected: 902,
        found: 901,
    };
    assert_eq!(failure(&proof, &trust, Claim::Final), expected);
    trust.namespace = 901;
    trust.epochs = Epochs::new(100, 5);
    let failure = failure(&proof, &trust, Claim::Final);
    assert_eq!(failure, FinalityError::NoTable(1).into());
    assert!(failure.is_unavailable());
}

#[test]
fn a_file_of_another_format_is_refused() {
    let Some(Case { mut proof, .. }) = case() else {
        return;
    };
    proof.format = "doppio-portable-proof-2".into();
    let bytes = proof.encode().unwrap();
    assert_eq!(PortableProof::decode(&bytes), Err(FormatError::Format));
    assert!(matches!(
        PortableProof::decode(b"{}"),
        Err(FormatError::Json(_))
    ));
    proof.format = FORMAT.into();
    proof.hotshot.clear();
    let bytes = proof.encode().unwrap();
    assert_eq!(PortableProof::decode(&bytes), Err(FormatError::HotShot(0)));
}

#[test]
fn the_block_that_carries_the_batch_may_be_the_final_one() {
    let Some(Case {
        network,
        mut proof,
        trust,
        ..
    }) = case()
    else {
        return;
    };
    proof.complete = false;
    let evidence = network.evidence(proof.place.height);
    proof.hotshot = vec![HotShotEvidence {
        path: None,
        ..evidence
    }];
    assert!(!verify(&proof, &trust).holds(&[Claim::Final]));
    let leaf_proof = network.leaf_proof_of(proof.place.height);
    proof.final_block = FinalBlock::Certificate(Box::new(leaf_proof));
    assert!(verify(&proof, &trust).holds(&[Claim::Final, Claim::Included, Claim::Signed]));
}

/// The old validators let the next table count, and nobody else does.
#[test]
fn a_new_stake_table_counts_if_the_old_one_finalized_its_hash() {
    if Vectors::find("espresso").is_none() {
        return;
    }
    let network = Network::new(NAMESPACE, &vec![vec![]; 12]);
    let hash = StakeTableHash([7; 32]);
    let table = network.other_table();
    let next = |hash| NextTable {
        table: table.clone(),
        hash,
    };
    // epochs of 10 blocks: block 5 is the root of the first
    let root = network.leaf_proof_with(5, |fields| fields.next_stake_table_hash = Some(hash));
    let mut epochs = network.epochs_of(10);
    assert_eq!(epochs.learn(&root, next(hash)), Ok(3));
    assert_eq!(epochs.table(3), Some(&table));
    let fresh = || network.epochs_of(10);
    let other = StakeTableHash([8; 32]);
    assert!(matches!(
        fresh().learn(&root, next(other)),
        Err(EpochError::OtherTable { .. })
    ));
    let not_root = network.leaf_proof_with(6, |fields| fields.next_stake_table_hash = Some(hash));
    assert_eq!(
        fresh().learn(&not_root, next(hash)),
        Err(EpochError::NotRoot(6))
    );
    let silent = network.leaf_proof_of(5);
    assert_eq!(
        fresh().learn(&silent, next(hash)),
        Err(EpochError::NoHash(5))
    );
    // signed by validators of the new table
    let forged = network.signed_by_others(&root);
    assert!(matches!(
        fresh().learn(&forged, next(hash)),
        Err(EpochError::Finality(_))
    ));
}

#[test]
fn each_field_of_the_second_certificate_is_held_against_the_leaf() {
    if Vectors::find("espresso").is_none() {
        return;
    }
    let network = Network::new(NAMESPACE, &vec![vec![]; 3]);
    let epochs = network.epochs();
    let proof = network.leaf_proof_of(2);
    assert!(proof.verify(&epochs).is_ok());
    let Finality::NewProtocol { cert2, leaf_qc } = &proof.proof else {
        panic!()
    };
    // each signed by a quorum, as if the validators had voted so
    let with = |data: FinalData, view| LeafProof {
        leaves: proof.leaves.clone(),
        proof: Finality::NewProtocol {
            cert2: network.certify(data, view, &[0, 1, 2]),
            leaf_qc: leaf_qc.clone(),
        },
    };
    let (data, view) = (cert2.data, cert2.view_number);
    assert!(with(data, view).verify(&epochs).is_ok());
    let other = doppio_espresso::tagged::Commit([1; 32]);
    let error = |data, view| with(data, view).verify(&epochs).unwrap_err();
    assert!(matches!(
        error(
            FinalData {
                leaf_commit: other,
                ..data
            },
            view
        ),
        FinalityError::OtherLeaf { .. }
    ));
    assert!(matches!(
        error(FinalData { epoch: 2, ..data }, view),
        FinalityError::Epoch { .. }
    ));
    assert!(matches!(
        error(
            FinalData {
                block_number: 3,
                ..data
            },
            view
        ),
        FinalityError::Block { .. }
    ));
    assert!(matches!(error(data, view + 1), FinalityError::View { .. }));
    // two of four are too few, and one key twice is none
    let few = LeafProof {
        leaves: proof.leaves.clone(),
        proof: Finality::NewProtocol {
            cert2: network.certify(data, view, &[0, 1]),
            leaf_qc: leaf_qc.clone(),
        },
    };
    assert!(matches!(
        few.verify(&epochs),
        Err(FinalityError::Certificate { .. })
    ));
    let none: Certificate<FinalData> = Certificate::new(data, view, None);
    let unsigned = LeafProof {
        leaves: proof.leaves.clone(),
        proof: Finality::NewProtocol {
            cert2: none,
            leaf_qc: leaf_qc.clone(),
        },
    };
    assert!(matches!(
        unsigned.verify(&epochs),
        Err(FinalityError::Certificate { .. })
    ));
    let empty = LeafProof {
        leaves: Vec::new(),
        proof: proof.proof.clone(),
    };
    assert_eq!(empty.verify(&epochs), Err(FinalityError::Leaves(0)));
    let assumed = LeafProof {
        leaves: proof.leaves.clone(),
        proof: Finality::Assumption,
    };
    assert_eq!(assumed.verify(&epochs), Err(FinalityError::Assumption));
}

#[test]
fn what_to_believe_is_read_from_a_file() {
    let Some(Case { network, proof, .. }) = case() else {
        return;
    };
    let file = serde_json::json!({
        "namespace": NAMESPACE,
        "epoch_height": 100,
        "stake_tables": { "1": network.epochs().table(1).unwrap().entries() },
    });
    let trust = Trust::from_json(&file.to_string()).unwrap();
    let report = verify(&proof, &trust);
    assert!(report.holds(&[Claim::Final, Claim::Included, Claim::Linked]));
    assert_eq!(*report.outcome(Claim::Signed), Outcome::NotCarried);
    let misspelt = file.to_string().replace("epoch_height", "epoch_hight");
    assert!(matches!(
        Trust::from_json(&misspelt),
        Err(TrustError::Json(_))
    ));
    let none = file.to_string().replace("\"1\":", "\"one\":");
    assert_eq!(
        Trust::from_json(&none).unwrap_err(),
        TrustError::Epoch("one".into())
    );
}
