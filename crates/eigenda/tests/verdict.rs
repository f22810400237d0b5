//! The verdict on certificates of a network on paper: what counts, and that every change of what counts
//! is noticed.

mod local;

use alloy_primitives::{Address, Bytes, U256};
use doppio_bn254::{G1, G2, PointError};
use doppio_eigenda::{
    Certificate, Invalid, Parsed, Verdict,
    certificate::Version,
    commitment::KnownDifference,
    coordinates::{G1Coordinates, G2Coordinates},
    judge,
    network::StaleStakes,
    parse,
    state::{At, KnownState, key, mapped, variable},
    verdict::{HistoryOf, Needs},
};
use local::{
    COORDINATOR, DELEGATION, INCLUSION, Local, MANAGER, OLD_VERIFIER, REFERENCE, REGISTRY,
    VERIFIER, query,
};
use proptest::prelude::*;

const VERSIONS: [Version; 3] = [Version::V2, Version::V3, Version::V4 { offchain: 0 }];

/// Five operators; the third is in quorum 1 only, the fourth in quorum 2 as well.
fn local(version: Version) -> Local {
    Local::new(
        version,
        &[
            &[(0, 40), (1, 10)],
            &[(0, 30), (1, 50)],
            &[(1, 30)],
            &[(0, 20), (1, 5), (2, 100)],
            &[(0, 10), (1, 5)],
        ],
    )
}

/// Who may be absent without a quorum falling below 55 %.
fn spare(local: &Local) -> usize {
    (0..local.operators.len())
        .find(|absent| {
            let certificate = local.certificate(&[0, 1], &[0, 1], &[*absent]);
            matches!(local.verdict(&certificate), Verdict::Valid(_))
        })
        .unwrap()
}

fn invalid(verdict: Verdict) -> Invalid {
    match verdict {
        Verdict::Invalid(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn signed_certificates_of_every_version_count() {
    for version in VERSIONS {
        let local = local(version);
        let absent = spare(&local);
        for absent in [vec![], vec![absent]] {
            let certificate = local.certificate(&[0, 1], &[0, 1, 2], &absent);
            let (verdict, rounds, _) = local.judge(&certificate, INCLUSION);
            let Verdict::Valid(accepted) = verdict else {
                panic!("{version:?} {absent:?}: {verdict:?}");
            };
            assert_eq!(accepted.quorums, [0, 1]);
            assert_eq!(accepted.relay_keys, [3, 300]);
            assert_eq!(accepted.length, 2);
            assert_eq!(accepted.reference_block, REFERENCE);
            assert_eq!(
                accepted.blob_key,
                certificate.blob.certificate.header.blob_key()
            );
            // router: length, entries, address; then everything; stakes of those who are absent
            assert!(rounds <= 6, "{rounds}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// The stakes are added up here once more; nothing else decides.
    #[test]
    fn a_blob_counts_exactly_if_enough_of_each_of_its_quorums_signed(
        stakes in proptest::collection::vec((0u64..50, 0u64..50, 0u64..50), 1..8),
        absent in any::<u8>(), threshold in 50u64..70, blob in 1u8..8, required in 0u8..8
    ) {
        let stakes: Vec<Vec<(u8, u64)>> = stakes
            .iter()
            .map(|(a, b, c)| [(0, *a), (1, *b), (2, *c)].into_iter().filter(|(_, s)| *s > 0).collect())
            .collect();
        let stakes: Vec<&[(u8, u64)]> = stakes.iter().map(Vec::as_slice).collect();
        let mut local = Local::new(Version::V4 { offchain: 0 }, &stakes);
        let set = |bits: u8| (0..3u8).filter(|q| bits >> q & 1 == 1).collect::<Vec<_>>();
        local.set_verifier(threshold, threshold - 22, &set(required));
        let absent: Vec<usize> = (0..8).filter(|place| absent >> place & 1 == 1).collect();
        let certificate = local.certificate(&set(blob), &[0, 1, 2], &absent);
        let present = Local::new(local.version, &stakes);
        let enough = set(blob).iter().all(|quorum| {
            let total = present.total(*quorum);
            let missing: u64 = present.stakes_of(*quorum, &absent);
            (total - missing) * 100 >= total * threshold
        });
        let verdict = local.verdict(&certificate);
        let expected = enough && required & !blob == 0;
        prop_assert_eq!(matches!(verdict, Verdict::Valid(_)), expected, "{:?}", verdict);
    }
}

impl Local {
    fn stakes_of(&self, quorum: u8, operators: &[usize]) -> u64 {
        operators
            .iter()
            .filter_map(|index| self.operators.get(*index)?.stake(quorum))
            .sum()
    }
}

/// I32: whatever byte of a commitment is changed, it does not count, or it says the same.
#[test]
fn i32_each_byte_of_a_commitment_counts() {
    for version in VERSIONS {
        let local = local(version);
        let certificate = local.certificate(&[0, 1], &[0, 1], &[spare(&local)]);
        let commitment = certificate.to_commitment();
        assert_eq!(
            parse(&commitment),
            Ok(Parsed::Certificate(Box::new(certificate.clone())))
        );
        let (_, _, state) = local.judge(&certificate, INCLUSION);
        let mut same = 0;
        for place in 0..commitment.len() {
            for mask in [0x01, 0x04, 0x80, 0xff] {
                let mut changed = commitment.clone();
                changed[place] ^= mask;
                let Ok(Parsed::Certificate(parsed)) = parse(&changed) else {
                    continue;
                };
                assert_eq!(parsed.to_commitment(), changed, "two encodings");
                if let Verdict::Valid(_) = judge(&parsed, INCLUSION, &local.network, &state) {
                    // bits of the index for which the proof has no sibling are read by nobody
                    let mut without = parsed.clone();
                    without.blob.blob_index &= 3;
                    assert_eq!(*without, certificate, "byte {place}");
                    same += 1;
                }
            }
        }
        assert!(same <= 4, "{same}");
    }
}

/// I32 again, by fields: each change has its own reason.
#[test]
fn i32_each_field_of_a_certificate_counts() {
    type Change = fn(&mut Certificate);
    let changes: [(&str, Change); 25] = [
        ("batch root", |c| c.batch.batch_root.0[0] ^= 1),
        ("reference block", |c| c.batch.reference_block -= 1),
        ("version", |c| c.blob.certificate.header.version = 1),
        ("blob quorums", |c| {
            c.blob.certificate.header.quorum_numbers = Bytes::from_static(&[0]);
        }),
        ("commitment", |c| {
            c.blob.certificate.header.commitment.commitment.x += U256::ONE;
        }),
        ("length commitment", |c| {
            c.blob.certificate.header.commitment.length_commitment.y[1] += U256::ONE;
        }),
        ("length proof", |c| {
            c.blob.certificate.header.commitment.length_proof.x[0] += U256::ONE;
        }),
        ("length", |c| {
            c.blob.certificate.header.commitment.length *= 2
        }),
        ("payment", |c| {
            c.blob.certificate.header.payment_header_hash.0[31] ^= 1;
        }),
        ("client's signature", |c| {
            c.blob.certificate.signature = Bytes::new();
        }),
        ("relays", |c| c.blob.certificate.relay_keys.push(0)),
        ("blob index", |c| c.blob.blob_index ^= 2),
        ("inclusion proof", |c| {
            let half = c.blob.inclusion_proof.slice(..32);
            c.blob.inclusion_proof = half;
        }),
        ("bitmap index", |c| {
            c.attestation.non_signer_bitmap_indices[0] = 2;
        }),
        ("non-signer key", |c| {
            c.attestation.non_signer_keys[0] = G1Coordinates::of(&G1::generator());
        }),
        ("no non-signer", |c| {
            c.attestation.non_signer_keys.clear();
            c.attestation.non_signer_bitmap_indices.clear();
        }),
        ("quorum key", |c| {
            c.attestation.quorum_keys[1] = G1Coordinates::of(&G1::generator());
        }),
        ("signers' key", |c| {
            c.attestation.signers_key = G2Coordinates::of(&G2::generator());
        }),
        ("signature", |c| {
            c.attestation.signature = G1Coordinates::of(&G1::generator());
        }),
        ("key index", |c| c.attestation.quorum_key_indices[0] = 0),
        ("stake index", |c| c.attestation.total_stake_indices[1] = 2),
        ("non-signer's stake index", |c| {
            c.attestation.non_signer_stake_indices[1][0] = 0;
        }),
        ("signed quorums", |c| {
            c.signed_quorums = Bytes::from_static(&[0, 2])
        }),
        ("swapped quorums", |c| {
            c.signed_quorums = Bytes::from_static(&[1, 0])
        }),
        ("history far away", |c| {
            c.attestation.quorum_key_indices[0] = u32::MAX;
        }),
    ];
    for version in VERSIONS {
        let local = local(version);
        let certificate = local.certificate(&[0, 1], &[0, 1], &[spare(&local)]);
        assert!(matches!(local.verdict(&certificate), Verdict::Valid(_)));
        for (name, change) in changes {
            let mut changed = certificate.clone();
            change(&mut changed);
            assert_ne!(changed, certificate, "{name}");
            assert!(
                matches!(local.verdict(&changed), Verdict::Invalid(_)),
                "{version:?} {name}"
            );
        }
    }
}

/// A certificate that is put together anew after a change, as colluding operators would, fails by the
/// rule that the change breaks.
#[test]
fn each_rule_has_its_reason() {
    let v4 = Version::V4 { offchain: 0 };
    let local = local(v4);
    let absent = spare(&local);
    let good = local.certificate(&[0, 1], &[0, 1], &[absent]);
    let reason = |certificate: &Certificate| invalid(local.verdict(certificate));

    for inclusion in [u64::from(REFERENCE), 5] {
        let (verdict, _, _) = local.judge(&good, inclusion);
        let reference = REFERENCE;
        assert_eq!(
            invalid(verdict),
            Invalid::ReferenceBlock {
                reference,
                inclusion
            }
        );
    }
    let last = u64::from(REFERENCE) + 14_400;
    assert!(matches!(local.judge(&good, last).0, Verdict::Valid(_)));
    assert_eq!(
        invalid(local.judge(&good, last + 1).0),
        Invalid::Recency {
            inclusion: last + 1,
            last
        }
    );

    let unconfirmed = local.certificate(&[0, 1, 2], &[0, 1], &[]);
    assert_eq!(reason(&unconfirmed), Invalid::NotConfirmed(2));
    let lacking = local.certificate(&[0], &[0, 1], &[]);
    assert_eq!(reason(&lacking), Invalid::Required(1));
    let disorder = local.certificate(&[1, 0], &[0, 1], &[]);
    assert_eq!(reason(&disorder), Invalid::QuorumOrder("blob's"));
    let none = local.certificate(&[0, 1], &[], &[]);
    assert_eq!(reason(&none), Invalid::ListLength("signed_quorums"));
    let unknown = local.certificate(&[0, 1], &[0, 1, 3], &[]);
    assert_eq!(reason(&unknown), Invalid::UnknownQuorum(3));

    let mut twice = good.clone();
    let non_signer = twice.attestation.non_signer_keys[0];
    twice.attestation.non_signer_keys.push(non_signer);
    twice.attestation.non_signer_bitmap_indices.push(1);
    assert_eq!(reason(&twice), Invalid::NonSignerOrder(1));

    let mut many = good.clone();
    many.attestation.non_signer_stake_indices[0].resize(415, 1);
    assert!(matches!(
        reason(&many),
        Invalid::TooLarge {
            what: "non-signers",
            ..
        }
    ));

    let mut beyond = good.clone();
    beyond.attestation.total_stake_indices[0] = 2;
    assert_eq!(reason(&beyond), Invalid::History(HistoryOf::TotalStake(0)));
    let mut beyond = good.clone();
    beyond.attestation.non_signer_bitmap_indices[0] = 3;
    assert_eq!(reason(&beyond), Invalid::History(HistoryOf::Bitmap(0)));

    let mut off_curve = good.clone();
    off_curve.attestation.signature.y += U256::ONE;
    assert_eq!(
        reason(&off_curve),
        Invalid::Point {
            what: "signature",
            index: 0,
            error: PointError::NotOnCurve
        }
    );
    let mut not_canonical = good.clone();
    not_canonical.attestation.signature.x = U256::MAX;
    assert_eq!(
        reason(&not_canonical),
        Invalid::Point {
            what: "signature",
            index: 0,
            error: PointError::NotCanonical
        }
    );
    let mut infinite = good.clone();
    infinite.attestation.signature = G1Coordinates::default();
    assert_eq!(reason(&infinite), Invalid::Signature);

    let mut impossible = good.clone();
    impossible.blob.certificate.header.commitment.length = 3;
    let impossible = local.sign(impossible, &[absent]);
    assert_eq!(reason(&impossible), Invalid::Length(3));
    let mut no_point = good;
    no_point.blob.certificate.header.commitment.commitment.x += U256::ONE;
    let no_point = local.sign(no_point, &[absent]);
    assert!(matches!(reason(&no_point), Invalid::Commitment(_)));
    assert_eq!(
        reason(&no_point).known_difference(),
        Some(KnownDifference::ImpossibleBlob)
    );
}

#[test]
fn the_verifier_in_force_at_the_reference_block_judges() {
    let mut local = local(Version::V3);
    let good = local.certificate(&[0, 1], &[0, 1], &[]);
    let mut judge_with = |entries: &[(u32, Address)]| {
        local.set_router(entries);
        local.verdict(&good)
    };
    // the newest that is not above the reference block, up to it itself
    let at = [(1, OLD_VERIFIER), (REFERENCE, VERIFIER)];
    assert!(matches!(judge_with(&at), Verdict::Valid(_)));
    let above = [(1, OLD_VERIFIER), (REFERENCE + 1, VERIFIER)];
    assert_eq!(
        invalid(judge_with(&above)),
        Invalid::VerifierVersion { expected: 4 }
    );
    // none is: the first
    let only_later = [(REFERENCE + 1, VERIFIER), (REFERENCE + 2, OLD_VERIFIER)];
    assert!(matches!(judge_with(&only_later), Verdict::Valid(_)));
    assert_eq!(invalid(judge_with(&[])), Invalid::NoVerifier);
    // more entries than a word has
    let mut many: Vec<(u32, Address)> = (0..20).map(|n| (n, OLD_VERIFIER)).collect();
    many.push((30, VERIFIER));
    assert!(matches!(judge_with(&many), Verdict::Valid(_)));
    // one that nobody told us of: nothing is concluded
    let unknown = Address::repeat_byte(0xee);
    assert_eq!(
        judge_with(&[(1, unknown)]),
        Verdict::Needs(Needs::Verifier(unknown))
    );
}

/// The third verifier reads what it knows of the fourth version's form; limits and off-chain rules of the
/// fourth verifier are not its.
#[test]
fn a_v3_verifier_reads_a_v4_certificate() {
    let mut local = local(Version::V4 { offchain: 0 });
    local.set_thresholds(OLD_VERIFIER, 55, 33, &[0, 1]);
    let good = local.certificate(&[0, 1], &[0, 1], &[spare(&local)]);
    let mut many = good.clone();
    many.attestation.non_signer_stake_indices[0].resize(415, 1);
    assert!(matches!(local.verdict(&good), Verdict::Valid(_)));
    assert!(matches!(
        invalid(local.verdict(&many)),
        Invalid::TooLarge { .. }
    ));
    local.set_router(&[(1, OLD_VERIFIER)]);
    assert!(matches!(local.verdict(&good), Verdict::Valid(_)));
    assert!(matches!(local.verdict(&many), Verdict::Valid(_)));
    // which recency window holds is a rule beside the contract's all the same
    let mut unknown = good;
    unknown.version = Version::V4 { offchain: 7 };
    assert_eq!(invalid(local.verdict(&unknown)), Invalid::UnknownRules(7));
}

#[test]
fn parameters_thresholds_and_rules_come_from_l1() {
    let v4 = Version::V4 { offchain: 0 };
    let fresh = || local(v4);
    let good = fresh().certificate(&[0, 1], &[0, 1], &[]);

    // 8 * (8192 - 3537) * 22 is just enough, and 21 is not
    let mut local = fresh();
    local.set_verifier(55, 34, &[0, 1]);
    assert_eq!(invalid(local.verdict(&good)), Invalid::Security);
    let mut local = fresh();
    local.set_verifier(33, 55, &[0, 1]);
    assert_eq!(invalid(local.verdict(&good)), Invalid::Security);

    let mut local = fresh();
    local.set(VERIFIER, variable(2), U256::from(7));
    assert_eq!(
        invalid(local.verdict(&good)),
        Invalid::OffchainVersion {
            expected: 7,
            found: 0
        }
    );
    // good on L1, and unknown here
    let mut seven = good.clone();
    seven.version = Version::V4 { offchain: 7 };
    let reason = invalid(local.verdict(&seven));
    assert_eq!(reason, Invalid::UnknownRules(7));
    assert_eq!(
        reason.known_difference(),
        Some(KnownDifference::UnknownRules)
    );

    let mut local = fresh();
    local.set(REGISTRY, variable(3), U256::ZERO);
    assert_eq!(invalid(local.verdict(&good)), Invalid::BlobVersion(0));
    let mut local = fresh();
    local.network.blob_versions.clear();
    assert_eq!(local.verdict(&good), Verdict::Needs(Needs::BlobVersion(0)));
    local.network.blob_versions.insert(0, INCLUSION + 1);
    assert_eq!(invalid(local.verdict(&good)), Invalid::BlobVersion(0));

    // required quorums that do not fit one slot
    let mut local = fresh();
    let many: Vec<u8> = (0..40).collect();
    local.set_verifier(55, 33, &many);
    assert_eq!(invalid(local.verdict(&good)), Invalid::Required(2));
}

#[test]
fn stale_stakes_count_as_the_flag_says_at_the_inclusion_block() {
    let mut local = local(Version::V4 { offchain: 0 });
    let good = local.certificate(&[0, 1], &[0, 1], &[]);
    let flag = query(At::Inclusion, MANAGER, variable(201));
    let (verdict, _, state) = local.judge(&good, INCLUSION);
    assert!(matches!(verdict, Verdict::Valid(_)));
    assert_eq!(state.get(&flag), Some(U256::ZERO));

    local.set(MANAGER, variable(201), U256::ONE);
    local.set(DELEGATION, variable(157), U256::from(50));
    for quorum in [0u8, 1] {
        let slot = mapped(key(quorum), variable(155));
        local.set(COORDINATOR, slot, U256::from(REFERENCE - 49));
    }
    assert!(matches!(local.verdict(&good), Verdict::Valid(_)));
    let slot = mapped(key(1u8), variable(155));
    local.set(COORDINATOR, slot, U256::from(REFERENCE - 50));
    assert_eq!(invalid(local.verdict(&good)), Invalid::StaleStakes(1));
    // a network that never forbids them is not asked
    local.network.stale_stakes = StaleStakes::Allowed;
    let (verdict, _, state) = local.judge(&good, INCLUSION);
    assert!(matches!(verdict, Verdict::Valid(_)));
    assert_eq!(state.get(&flag), None);
}

/// What is read is history: proofs from a later block give the same verdict.
#[test]
fn a_later_block_gives_the_same_verdict_as_the_inclusion_block() {
    for version in VERSIONS {
        let mut local = local(version);
        let absent = spare(&local);
        let good = local.certificate(&[0, 1], &[0, 1], &[absent]);
        let mut certificates = vec![good.clone()];
        certificates.push(local.certificate(&[0, 1], &[0, 1], &[0, 1, 2, 3, 4]));
        certificates.push(local.certificate(&[0, 1, 2], &[0, 1], &[]));
        // places in the histories that exist then and now, and one that exists only later
        for index in 0..5 {
            for list in 0..4 {
                let mut changed = good.clone();
                let attestation = &mut changed.attestation;
                match list {
                    0 => attestation.quorum_key_indices[0] = index,
                    1 => attestation.total_stake_indices[0] = index,
                    2 => attestation.non_signer_bitmap_indices[0] = index,
                    _ => attestation.non_signer_stake_indices[1][0] = index,
                }
                certificates.push(changed);
            }
        }
        let then: Vec<Verdict> = certificates.iter().map(|c| local.verdict(c)).collect();
        local.later();
        let now: Vec<Verdict> = certificates.iter().map(|c| local.verdict(c)).collect();
        assert_eq!(then, now);
        let valid = then.iter().filter(|v| matches!(v, Verdict::Valid(_)));
        // the good one, and the four that name the place that holds
        assert_eq!(valid.count(), 5);
    }
}

/// A verdict is not given before everything is known, whatever is known already.
#[test]
fn what_happens_to_be_known_does_not_change_the_verdict() {
    let local = local(Version::V4 { offchain: 0 });
    let good = local.certificate(&[0, 1], &[0, 1], &[spare(&local)]);
    let bad = local.certificate(&[0, 1], &[0, 1], &[0, 1, 2, 3, 4]);
    for certificate in [good, bad] {
        let (verdict, _, state) = local.judge(&certificate, INCLUSION);
        let (_, _, all) = local.judge(&certificate, INCLUSION);
        let mut queries = Vec::new();
        // ask from nothing, and collect what is asked
        let mut known = KnownState::default();
        while let Verdict::Needs(Needs::State(asked)) =
            judge(&certificate, INCLUSION, &local.network, &known)
        {
            for query in asked {
                known.insert(query, all.get(&query).unwrap());
                queries.push(query);
            }
        }
        assert_eq!(known, state);
        // without any one of them it is asked for again
        for lacking in &queries {
            let mut partial = KnownState::default();
            for query in &queries {
                if query != lacking {
                    partial.insert(*query, state.get(query).unwrap());
                }
            }
            let Verdict::Needs(Needs::State(asked)) =
                judge(&certificate, INCLUSION, &local.network, &partial)
            else {
                panic!("{verdict:?} without {lacking:?}");
            };
            assert!(asked.contains(lacking));
        }
    }
}
