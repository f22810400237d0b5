//! EigenDA certificates, field by field, with the verdict of each check that can be made without L1.

use crate::{
    certificate::{
        BlobContent, CertificateBreak, CertificateCheck, CertificateContent, CheckVerdict,
        FirstCertificate, FirstQuorum, L1State, NonSigner, SignedQuorum, StateOf,
    },
    tree::Certificate,
};
use alloy_primitives::{Bytes, U256};
use doppio_eigenda::{
    Certificate as Read, Parsed,
    blob_info::BlobInfo,
    certificate::Version,
    commitment::{KnownDifference, ParseError, parse_certificate},
    coordinates::{G1Coordinates, G2Coordinates},
    offline::{Check, Outcome},
    requests::signer,
    state::At,
};

fn numbers<const N: usize>(numbers: [U256; N]) -> Bytes {
    let bytes: Vec<u8> = numbers.iter().flat_map(U256::to_be_bytes::<32>).collect();
    bytes.into()
}

fn g1(point: &G1Coordinates) -> Bytes {
    numbers([point.x, point.y])
}

fn g2(point: &G2Coordinates) -> Bytes {
    let ([x1, x0], [y1, y0]) = (point.x, point.y);
    numbers([x1, x0, y1, y0])
}

impl Certificate {
    /// The certificate behind its version byte. That it does not count is no break of the item: a chain may
    /// believe another server than EigenDA's verifier.
    // spec: eigenda 1.1, eigenda 1.6
    pub(crate) fn read(version: u8, body: &[u8]) -> Self {
        let mut told = Self {
            version,
            name: match version {
                0 => Some("V1"),
                1 => Some("V2"),
                2 => Some("V3"),
                3 => Some("V4"),
                _ => None,
            },
            length: body.len() as u64,
            known_difference: None,
            content: None,
            checks: Vec::new(),
            needed: Vec::new(),
            broken: None,
        };
        match parse_certificate(version, body) {
            Ok(Parsed::Certificate(read)) => {
                told.checks = checks(read.offline_checks());
                told.needed = needed(&read);
                told.content = Some(CertificateContent::Blob(Box::new(content(&read))));
            }
            Ok(Parsed::BlobInfo(read)) => {
                told.checks = checks(read.offline_checks());
                told.known_difference = Some(KnownDifference::FirstVersion.name());
                told.content = Some(CertificateContent::First(Box::new(first(&read))));
            }
            Err(error) => {
                told.known_difference = error.known_difference().map(KnownDifference::name);
                told.broken = Some(CertificateBreak {
                    rule: rule(&error),
                    reason: error.to_string(),
                });
                return told;
            }
        }
        let broken = told.checks.iter().find_map(|check| match &check.verdict {
            CheckVerdict::Broken { reason } if check.decides => Some((check.rule, reason)),
            _ => None,
        });
        told.broken = broken.map(|(rule, reason)| CertificateBreak {
            rule,
            reason: reason.clone(),
        });
        told
    }
}

const fn rule(error: &ParseError) -> &'static str {
    match error {
        ParseError::Rlp(_) => "eigenda 1.2",
        _ => "eigenda 1.6",
    }
}

fn checks(checks: Vec<Check>) -> Vec<CertificateCheck> {
    let checks = checks.into_iter().map(|check| CertificateCheck {
        name: check.name,
        rule: check.rule,
        decides: check.decides,
        verdict: match check.outcome {
            Outcome::Holds => CheckVerdict::Holds,
            Outcome::Broken(reason) => CheckVerdict::Broken { reason },
            Outcome::NeedsL1 => CheckVerdict::NeedsL1,
        },
    });
    checks.collect()
}

/// Slots by contract, in the order in which contracts are asked first.
fn needed(read: &Read) -> Vec<L1State> {
    let mut told: Vec<L1State> = Vec::new();
    for needed in read.needed_of_l1() {
        let of = match needed.at {
            At::AnyLater => StateOf::AnyLaterBlock,
            At::Inclusion => StateOf::InclusionBlock,
        };
        let same = |state: &&mut L1State| state.contract == needed.contract && state.of == of;
        match told.iter_mut().find(same) {
            Some(state) => state.slots.push(needed.slot),
            None => told.push(L1State {
                contract: needed.contract,
                of,
                slots: vec![needed.slot],
            }),
        }
    }
    told
}

fn content(read: &Read) -> BlobContent {
    let blob = &read.blob;
    let header = &blob.certificate.header;
    let attestation = &read.attestation;
    let quorums = read.signed_quorums.iter().enumerate();
    let non_signers = attestation.non_signer_keys.iter().enumerate();
    BlobContent {
        batch_root: read.batch.batch_root,
        reference_block: read.batch.reference_block,
        batch_header_hash: read.batch.hash(),
        blob_index: blob.blob_index,
        inclusion_proof: blob.inclusion_proof.clone(),
        blob_key: header.blob_key(),
        blob_version: header.version,
        quorums: header.quorum_numbers.to_vec(),
        commitment: g1(&header.commitment.commitment),
        length_commitment: g2(&header.commitment.length_commitment),
        length_proof: g2(&header.commitment.length_proof),
        symbols: header.commitment.length,
        payment_header_hash: header.payment_header_hash,
        signature: blob.certificate.signature.clone(),
        account: signer(header, &blob.certificate.signature),
        relay_keys: blob.certificate.relay_keys.clone(),
        signed_quorums: quorums
            .map(|(place, number)| SignedQuorum {
                number: *number,
                key: attestation.quorum_keys.get(place).map(g1),
                key_index: attestation.quorum_key_indices.get(place).copied(),
                stake_index: attestation.total_stake_indices.get(place).copied(),
                non_signer_stake_indices: attestation
                    .non_signer_stake_indices
                    .get(place)
                    .cloned()
                    .unwrap_or_default(),
            })
            .collect(),
        signers_key: g2(&attestation.signers_key),
        signers_signature: g1(&attestation.signature),
        non_signers: non_signers
            .map(|(place, key)| NonSigner {
                id: key.hash(),
                key: g1(key),
                bitmap_index: attestation.non_signer_bitmap_indices.get(place).copied(),
            })
            .collect(),
        offchain_rules: match read.version {
            Version::V4 { offchain } => Some(offchain),
            Version::V2 | Version::V3 => None,
        },
        last_inclusion_block: read.last_inclusion_block(),
    }
}

fn first(read: &BlobInfo) -> FirstCertificate {
    FirstCertificate {
        commitment: [read.commitment_x.0, read.commitment_y.0].concat().into(),
        symbols: read.data_length,
        quorums: read
            .quorums
            .iter()
            .map(|quorum| FirstQuorum {
                number: quorum.number,
                adversary_threshold: quorum.adversary_threshold,
                confirmation_threshold: quorum.confirmation_threshold,
                chunk_length: quorum.chunk_length,
            })
            .collect(),
        batch_id: read.batch_id,
        blob_index: read.blob_index,
        batch_root: read.batch.batch_root,
        batch_quorums: read.batch.quorum_numbers.to_vec(),
        signed_percentages: read.batch.signed_percentages.to_vec(),
        reference_block: read.batch.reference_block,
        confirmation_block: read.batch.confirmation_block,
        metadata_hash: read.batch.metadata_hash(),
        inclusion_proof: read.inclusion_proof.clone(),
        quorum_places: read.quorum_indexes.to_vec(),
    }
}
