//! The verdict beside `checkDACert` on an EVM, with the contracts of `contracts/`: two implementations,
//! and on each certificate they agree.
//!
//! `DOPPIO_CERTIFICATES` is the number of certificates, `DOPPIO_SEED` the first network's seed.

#[expect(dead_code, reason = "other tests need more of it")]
mod local;
mod onchain;

use alloy_primitives::{Address, B256, Bytes, U256};
use doppio_bn254::{G1, G2, pairing_product_is_one};
use doppio_eigenda::{
    Certificate, Invalid, Parsed, Verdict,
    certificate::Version,
    coordinates::{G1Coordinates, G2Coordinates},
    parse,
    state::{element, key, mapped, variable},
};
use doppio_test_vectors::Vectors;
use onchain::{
    OnChain, QUORUMS, Wanted,
    chain::{artifact, contracts},
    draw::Draw,
};
use serde_json::Value;
use std::{collections::BTreeMap, io::Write, path::Path, process::Command};

/// How many certificates one network judges.
const PER_NETWORK: u64 = 100;

fn setting(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().unwrap())
}

#[test]
fn the_verdict_and_the_contracts_agree_on_whatever_is_certified() {
    let count = setting("DOPPIO_CERTIFICATES", 400);
    let seed = setting("DOPPIO_SEED", 1);
    let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
    for number in 0..count.div_ceil(PER_NETWORK) {
        let network = OnChain::new(seed + number);
        let mut draw = Draw::new((seed + number) << 32);
        for _ in 0..PER_NETWORK.min(count - number * PER_NETWORK) {
            let reason = judge_one(&network, &mut draw, seed + number);
            *reasons.entry(reason).or_default() += 1;
        }
    }
    let valid = reasons.get("Valid").copied().unwrap_or_default();
    let _ = writeln!(std::io::stderr(), "{count} certificates: {reasons:?}");
    assert!(valid * 8 > count, "too few were good: {reasons:#?}");
    assert!(reasons.len() > 15, "too little happened: {reasons:#?}");
}

/// Draws a certificate, and has it judged by both. Gives the verdict's kind.
fn judge_one(network: &OnChain, draw: &mut Draw, seed: u64) -> String {
    let wanted = want(network, draw);
    let mut inclusion = u64::from(wanted.reference) + 1 + draw.below(45);
    if draw.below(20) == 0 {
        inclusion = u64::from(wanted.reference) + 1 - draw.below(3).min(2);
    }
    if draw.below(25) == 0 {
        inclusion = u64::from(wanted.reference) + 49 + draw.below(4);
    }
    inclusion = inclusion.min(network.last());
    let mut certificate = network.certificate(&wanted);
    let mut change = "none".to_owned();
    let changes = [0, 0, 0, 1, 1, 2][draw.place(6)];
    for _ in 0..changes {
        change = alter(&mut certificate, draw);
    }
    let says = network.contract_says(&certificate, inclusion);
    let verdict = network.we_say(&certificate, inclusion, false);
    let context = || {
        format!(
            "seed {seed}, change {change}, inclusion {inclusion}, {wanted:?}: {verdict:?}, contract {says:?}"
        )
    };
    assert_eq!(
        verdict,
        network.we_say(&certificate, inclusion, true),
        "a later block gives another verdict: {}",
        context()
    );
    let counts = says == Ok(1);
    let kind = match &verdict {
        Verdict::Valid(_) => {
            assert!(counts, "{}", context());
            "Valid".to_owned()
        }
        // rules beside the contract's, which come after all of those
        Verdict::Invalid(
            reason @ (Invalid::Recency { .. }
            | Invalid::UnknownRules(_)
            | Invalid::Length(_)
            | Invalid::Commitment(_)),
        ) => {
            assert!(counts, "{}", context());
            format!("{reason:?}")
        }
        Verdict::Invalid(reason) => {
            assert!(!counts, "{}", context());
            // the contract is never asked whether the reference block is there yet, but by the router
            let reverted = matches!(reason, Invalid::ReferenceBlock { .. });
            assert!(matches!(says, Ok(6 | 7)) || reverted, "{}", context());
            format!("{reason:?}")
        }
        Verdict::Needs(_) => panic!("{}", context()),
    };
    if changes == 0 && kind == "Valid" {
        assert_enough(network, &wanted);
    }
    let name = kind.find(|c: char| !c.is_alphanumeric());
    kind[..name.unwrap_or(kind.len())].to_owned()
}

/// A third opinion on stakes, by the model that drew them.
fn assert_enough(network: &OnChain, wanted: &Wanted) {
    for quorum in &wanted.blob_quorums {
        let (total, absent) = network.stake_at(wanted.reference, *quorum, &wanted.absent);
        assert!((total - absent) * 100 >= total * 55, "{wanted:?}");
    }
}

fn want(network: &OnChain, draw: &mut Draw) -> Wanted {
    let reference = u32::try_from(110 + draw.below(network.last() - 115)).unwrap();
    let version = match draw.below(12) {
        0 => [
            Version::V2,
            Version::V3,
            Version::V4 { offchain: 0 },
            Version::V4 { offchain: 1 },
        ][draw.place(4)],
        _ => network.version_at(reference),
    };
    let mut signed_quorums = draw.some(0..QUORUMS, 8);
    match draw.below(40) {
        0 => signed_quorums.push(QUORUMS),
        1 => signed_quorums.reverse(),
        2 => signed_quorums = draw.some(0..QUORUMS, 2),
        _ => {}
    }
    let mut blob_quorums = draw.some(signed_quorums.iter().copied(), 12);
    match draw.below(40) {
        0 => blob_quorums.push(QUORUMS - 1),
        1 => blob_quorums.reverse(),
        2 => blob_quorums.push(200),
        _ => {}
    }
    let batch = u32::try_from(draw.below(9) + 1).unwrap();
    let least = draw.below(5);
    Wanted {
        version,
        reference,
        blob_version: match draw.below(20) {
            0 => 3,
            1..4 => 1,
            4..7 => 2,
            _ => 0,
        },
        length: if draw.below(30) == 0 { 3 } else { 2 },
        absent: (0..6).filter(|_| draw.below(10) < least).collect(),
        blob_quorums,
        signed_quorums,
        batch,
        place: u32::try_from(draw.below(batch.into())).unwrap(),
    }
}

/// Changes something of a signed certificate, without signing it anew.
fn alter(certificate: &mut Certificate, draw: &mut Draw) -> String {
    let attestation = &mut certificate.attestation;
    let blob = &mut certificate.blob;
    let kind = draw.below(30);
    let bit = |draw: &mut Draw| U256::ONE << draw.place(256);
    match kind {
        0 => certificate.batch.batch_root.0[draw.place(32)] ^= 1,
        1 => certificate.batch.reference_block ^= 1 << draw.below(10),
        2 => blob.certificate.header.version ^= 1,
        3 => blob.certificate.header.payment_header_hash.0[draw.place(32)] ^= 1,
        4 => blob.certificate.header.commitment.commitment.x ^= bit(draw),
        5 => blob.certificate.header.commitment.length ^= 1 << draw.below(32),
        6 => blob.certificate.relay_keys.push(7),
        7 => blob.blob_index ^= 1 << draw.below(6),
        8 => {
            let half = blob.inclusion_proof.len() / 2;
            blob.inclusion_proof = blob.inclusion_proof.slice(..half);
        }
        9 => blob.inclusion_proof = [blob.inclusion_proof.as_ref(), &[0; 32]].concat().into(),
        10 => swap(&mut attestation.non_signer_keys, draw),
        11 => drop(attestation.non_signer_keys.pop()),
        12 => nudge(&mut attestation.non_signer_bitmap_indices, draw),
        13 => nudge(&mut attestation.quorum_key_indices, draw),
        14 => nudge(&mut attestation.total_stake_indices, draw),
        15 => {
            if let Some(indices) = attestation.non_signer_stake_indices.first_mut() {
                nudge(indices, draw);
            }
        }
        16 => {
            if let Some(indices) = attestation.non_signer_stake_indices.last_mut() {
                indices.pop();
            }
        }
        // more than are needed are not read
        17 => {
            if let Some(indices) = attestation.non_signer_stake_indices.last_mut() {
                indices.push(9);
            }
        }
        18 => attestation.signature.x ^= bit(draw),
        19 => attestation.signature = G1Coordinates::of(&G1::generator()),
        20 => attestation.signature = G1Coordinates::default(),
        21 => attestation.signers_key.y[draw.place(2)] ^= bit(draw),
        22 => attestation.signers_key = G2Coordinates::of(&G2::generator()),
        23 => attestation.signers_key = G2Coordinates::default(),
        24 => swap(&mut attestation.quorum_keys, draw),
        25 => {
            if let Some(key) = attestation.quorum_keys.last_mut() {
                key.y ^= bit(draw);
            }
        }
        26 => drop(attestation.quorum_key_indices.pop()),
        27 => drop(attestation.total_stake_indices.pop()),
        28 => {
            let shorter = certificate.signed_quorums.len().saturating_sub(1);
            certificate.signed_quorums = certificate.signed_quorums.slice(..shorter);
        }
        _ => flip(certificate, draw),
    }
    format!("{kind}")
}

fn swap<T>(elements: &mut [T], draw: &mut Draw) {
    if elements.len() > 1 {
        let place = draw.place(elements.len() - 1);
        elements.swap(place, place + 1);
    }
}

fn nudge(indices: &mut [u32], draw: &mut Draw) {
    if !indices.is_empty() {
        let place = draw.place(indices.len());
        indices[place] = match draw.below(4) {
            0 => indices[place].wrapping_add(1),
            1 => indices[place].wrapping_sub(1),
            2 => 0,
            _ => u32::MAX,
        };
    }
}

/// Changes a byte of the commitment, as often as it needs to be one still.
fn flip(certificate: &mut Certificate, draw: &mut Draw) {
    let commitment = certificate.to_commitment();
    for _ in 0..100 {
        let mut flipped = commitment.clone();
        flipped[draw.place(commitment.len())] ^= 1 << draw.below(8);
        if let Ok(Parsed::Certificate(parsed)) = parse(&flipped) {
            *certificate = *parsed;
            return;
        }
    }
}

/// The places at which an entry of a history stands, and what stands there: the entry holds from block 1
/// on.
fn history(network: &mut OnChain, address: Address, array: B256, index: u32, entry: U256) {
    network.write(address, array, U256::from(index) + U256::ONE);
    network.write(address, element(array, index.into()), entry);
}

fn real(vectors: &Vectors, name: &str) -> Certificate {
    let vector = vectors.exact_json(format!("certs/{name}.json"));
    let commitment = ["altdaCommitmentHex", "altdaCommitment"].map(|field| vector[field].as_str());
    let commitment = commitment.into_iter().flatten().next().unwrap();
    let commitment: Bytes = format!("0x{}", commitment.trim_start_matches("0x"))
        .parse()
        .unwrap();
    match parse(&commitment) {
        Ok(Parsed::Certificate(certificate)) => *certificate,
        other => panic!("{other:?}"),
    }
}

/// In which of two quorums each non-signer was. No vector has it, but with few non-signers only one
/// choice fits the signature.
fn quorums_of_non_signers(certificate: &Certificate) -> Option<Vec<u8>> {
    let attestation = &certificate.attestation;
    let keys: Vec<G1> = attestation
        .non_signer_keys
        .iter()
        .map(|k| k.point().unwrap())
        .collect();
    if keys.len() > 5 {
        return None;
    }
    let all: G1 = attestation
        .quorum_keys
        .iter()
        .map(|k| k.point().unwrap())
        .sum();
    let signers = attestation.signers_key.point().unwrap();
    let counts: Vec<usize> = attestation
        .non_signer_stake_indices
        .iter()
        .map(Vec::len)
        .collect();
    let all_choices = keys.iter().fold(vec![Vec::new()], |choices, _| {
        let longer = choices.into_iter().flat_map(|choice: Vec<u8>| {
            (1..=3u8).map(move |bitmap| [choice.as_slice(), &[bitmap]].concat())
        });
        longer.collect()
    });
    let mut choices = all_choices.into_iter();
    choices.find(|bitmaps| {
        let count = |bit: u8| bitmaps.iter().filter(|bitmap| *bitmap & bit != 0).count();
        let absent: G1 = keys
            .iter()
            .zip(bitmaps)
            .map(|(key, bitmap)| if *bitmap == 3 { *key + *key } else { *key })
            .sum();
        counts
            .iter()
            .zip([1, 2])
            .all(|(found, bit)| *found == count(bit))
            && pairing_product_is_one(&[
                (all - absent, G2::generator()),
                (-G1::generator(), signers),
            ])
    })
}

/// Puts what a certificate says of L1 into the contracts. Stakes are made up: each non-signer has one
/// part in a hundred.
fn put_into_contracts(network: &mut OnChain, certificate: &Certificate, bitmaps: &[u8]) {
    let verifier = *network.verifier();
    let attestation = &certificate.attestation;
    let quorums = certificate.signed_quorums.clone();
    for (place, quorum) in quorums.iter().enumerate() {
        let hash = attestation.quorum_keys[place].hash();
        let entry = U256::from_be_bytes(hash.0) >> 64 | U256::ONE << 192;
        let (array, index) = (
            mapped(key(*quorum), variable(4)),
            attestation.quorum_key_indices[place],
        );
        history(network, verifier.key_registry, array, index, entry);
        let entry = U256::ONE | U256::from(100) << 64;
        let (array, index) = (
            mapped(key(*quorum), variable(1)),
            attestation.total_stake_indices[place],
        );
        history(network, verifier.stake_registry, array, index, entry);
        let members = bitmaps
            .iter()
            .enumerate()
            .filter(|(_, bits)| *bits >> quorum & 1 == 1);
        let indices = &attestation.non_signer_stake_indices[place];
        for ((member, _), index) in members.zip(indices) {
            let id = attestation.non_signer_keys[member].hash();
            let array = mapped(key(*quorum), mapped(id, variable(2)));
            let entry = U256::ONE | U256::ONE << 64;
            history(network, verifier.stake_registry, array, *index, entry);
        }
    }
    for (place, bits) in bitmaps.iter().enumerate() {
        let id = attestation.non_signer_keys[place].hash();
        let index = attestation.non_signer_bitmap_indices[place];
        let entry = U256::ONE | U256::from(*bits) << 64;
        history(
            network,
            verifier.registry_coordinator,
            mapped(id, variable(152)),
            index,
            entry,
        );
    }
}

/// Real certificates, with L1's state as far as it follows from them.
#[test]
fn real_certificates_count_for_both() {
    let Some(vectors) = Vectors::find("eigenda") else {
        return;
    };
    let names = [
        ("hokulea_v2_calldata", true),
        ("sepolia_v2_tool", true),
        ("sepolia_v3_tool", true),
        ("sepolia_v3_tx1", true),
        ("sepolia_v3_tx2", true),
        ("synthetic_v4/sepolia_v3_tx1_as_v4", true),
        ("synthetic_v4/sepolia_v3_tx2_as_v4", true),
        // whose quorums its 48 non-signers were in, the certificate does not tell
        ("mainnet_v3_tool", false),
    ];
    for (name, counts) in names {
        let certificate = real(&vectors, name);
        let bitmaps = quorums_of_non_signers(&certificate);
        assert_eq!(bitmaps.is_some(), counts, "{name}");
        let guessed = bitmaps.unwrap_or_else(|| {
            let [first, second] =
                [0, 1].map(|q| certificate.attestation.non_signer_stake_indices[q].len());
            let count = certificate.attestation.non_signer_keys.len();
            let bit = |is: bool, bit| if is { bit } else { 0 };
            (0..count)
                .map(|n| bit(n < first, 1) | bit(n >= count - second, 2))
                .collect()
        });
        let mut network = OnChain::deploy();
        put_into_contracts(&mut network, &certificate, &guessed);
        if certificate.version.contract() == 3 {
            // without the entries of the fourth version
            let router = network.network.router;
            network.write(router, variable(102), U256::from(2));
        }
        let inclusion = u64::from(certificate.batch.reference_block) + 20;
        network.settle(inclusion);
        let says = network.contract_says(&certificate, inclusion);
        let verdict = network.we_say(&certificate, inclusion, false);
        if counts {
            assert!(matches!(verdict, Verdict::Valid(_)), "{name}: {verdict:?}");
            assert_eq!(says, Ok(1), "{name}");
        } else {
            assert_eq!(verdict, Verdict::Invalid(Invalid::Signature), "{name}");
            assert_eq!(says, Ok(6), "{name}");
        }
    }
}

/// What is committed of the contracts is what their sources give, and their own tests hold. Needs forge
/// and solc: `npm ci` in `contracts`.
#[test]
fn the_artifacts_are_those_of_the_sources_and_forges_tests_hold() {
    let folder = contracts();
    let forge = folder.join("node_modules/@foundry-rs/forge-linux-amd64/bin/forge");
    if !forge.is_file() {
        let _ = writeln!(
            std::io::stderr(),
            "\n*** NOT TESTED: the contracts' artifacts need forge; run `npm ci` in contracts ***"
        );
        return;
    }
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("forge");
    let output = Command::new(forge)
        .args(["test", "--out"])
        .arg(scratch.join("out"))
        .arg("--cache-path")
        .arg(scratch.join("cache"))
        .env("FORGE_SNAPSHOT_CHECK", "true")
        .current_dir(&folder)
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}");
    let mut compared = 0;
    for entry in std::fs::read_dir(folder.join("artifacts")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let committed = artifact(&name);
        let built = std::fs::read_dir(scratch.join("out"))
            .unwrap()
            .map(|source| source.unwrap().path().join(format!("{name}.json")))
            .find(|path| path.is_file())
            .unwrap();
        let built: Value = serde_json::from_slice(&std::fs::read(built).unwrap()).unwrap();
        assert_eq!(committed["abi"], built["abi"], "{name}: run artifacts.js");
        let bytecode = &built["bytecode"]["object"];
        assert_eq!(&committed["bytecode"], bytecode, "{name}: run artifacts.js");
        compared += 1;
    }
    assert_eq!(compared, 17);
}
