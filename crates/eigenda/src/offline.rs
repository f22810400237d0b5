//! What can be told of a certificate without L1, and what L1 would have to be asked.
// spec: eigenda 5.1, eigenda 5.4

use crate::{
    blob::PolynomialForm,
    blob_info::{BatchFacts, BlobInfo},
    certificate::{Certificate, Version},
    network::{Network, RECENCY, Rules, StaleStakes, Verifier},
    signatures::{Signed, ascends},
    state::{At, KnownState, Query},
    verdict::{self, Invalid, Needs, Verdict, judge},
};
use alloy_primitives::{Address, B256, U256};
use doppio_bn254::{
    G2, bls,
    kzg::{BlobCommitments, VerifierKey},
    pairing_product_is_one,
};
use std::collections::BTreeMap;

/// A rule, and whether it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What is checked.
    pub name: &'static str,
    /// Page and section of the specification.
    pub rule: &'static str,
    /// Whether the verdict rests on it.
    pub decides: bool,
    /// Whether it holds.
    pub outcome: Outcome,
}

/// Whether a rule holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It does.
    Holds,
    /// It does not, and why.
    Broken(String),
    /// L1 must be asked.
    NeedsL1,
}

/// A storage slot that L1 would be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needed {
    /// The contract.
    pub contract: &'static str,
    /// In whose state.
    pub at: At,
    /// The slot.
    pub slot: B256,
}

const ON_CHAIN: &str = "eigenda 5.1";
const COMMITMENTS: &str = "eigenda 2.3";
const RECENT: &str = "eigenda 5.4";
const FIRST_VERSION: &str = "eigenda 1.4";

fn check<T, E: ToString>(name: &'static str, rule: &'static str, result: Result<T, E>) -> Check {
    Check {
        name,
        rule,
        decides: true,
        outcome: match result {
            Ok(_) => Outcome::Holds,
            Err(error) => Outcome::Broken(error.to_string()),
        },
    }
}

const fn open(name: &'static str, rule: &'static str) -> Check {
    Check {
        name,
        rule,
        decides: true,
        outcome: Outcome::NeedsL1,
    }
}

impl Certificate {
    /// Every check of the verdict, in its order: those that can be made, and those that need L1.
    pub fn offline_checks(&self) -> Vec<Check> {
        let header = &self.blob.certificate.header;
        let signed = Signed::read(self);
        vec![
            open(
                "the reference block is before the inclusion block",
                ON_CHAIN,
            ),
            self.limits_check(),
            check(
                "the blob is in the batch",
                ON_CHAIN,
                verdict::check_inclusion(self),
            ),
            check("lists and points of the attestation", ON_CHAIN, signed),
            open("the verifier in force judges this version", ON_CHAIN),
            open("the blob's parameters are safe", ON_CHAIN),
            open("keys and stakes stand in L1's histories", ON_CHAIN),
            check(
                "the signature holds under the key that is told",
                ON_CHAIN,
                self.check_named_key(),
            ),
            open("that key is the one of the operators on L1", ON_CHAIN),
            check(
                "the blob's quorums ascend and were signed",
                ON_CHAIN,
                self.check_quorums(),
            ),
            open(
                "enough stake of each of them signed, and all required are there",
                ON_CHAIN,
            ),
            self.recency_check(),
            check(
                "a blob can have this length",
                COMMITMENTS,
                verdict::check_length(header.commitment.length),
            ),
            check(
                "a blob can have this commitment",
                COMMITMENTS,
                header.commitment.commitment.point(),
            ),
            Check {
                decides: false,
                ..check(
                    "the length is proven, by the ceremony's SRS",
                    COMMITMENTS,
                    self.check_length_proof(),
                )
            },
        ]
    }

    /// Only a verifier of V4 has limits, and which one is in force L1 tells.
    fn limits_check(&self) -> Check {
        const NAME: &str = "not too large";
        match verdict::check_limits(self) {
            Err(_) if self.version.contract() == 4 => open(NAME, ON_CHAIN),
            _ => check::<_, Invalid>(NAME, ON_CHAIN, Ok(())),
        }
    }

    fn check_quorums(&self) -> Result<(), Invalid> {
        let quorums = &self.blob.certificate.header.quorum_numbers;
        if !ascends(quorums) {
            return Err(Invalid::QuorumOrder("blob's"));
        }
        let is_signed = |quorum: &u8| self.signed_quorums.contains(quorum);
        match quorums.iter().find(|quorum| !is_signed(quorum)) {
            Some(quorum) => Err(Invalid::NotConfirmed(*quorum)),
            None => Ok(()),
        }
    }

    fn check_named_key(&self) -> Result<(), Invalid> {
        let (key, signature) = (
            self.attestation.signers_key.point(),
            self.attestation.signature.point(),
        );
        let (Ok(key), Ok(signature)) = (key, signature) else {
            return Err(Invalid::Signature);
        };
        let message = bls::hash_to_point(&self.batch.hash().0);
        if pairing_product_is_one(&[(signature, -G2::generator()), (message, key)]) {
            Ok(())
        } else {
            Err(Invalid::Signature)
        }
    }

    fn recency_check(&self) -> Check {
        match self.version {
            Version::V2 | Version::V3 => {
                check::<_, Invalid>("recent (no rule for this version)", RECENT, Ok(()))
            }
            Version::V4 { offchain } if RECENCY.iter().all(|(known, _)| *known != offchain) => {
                check::<(), _>("recent", RECENT, Err(Invalid::UnknownRules(offchain)))
            }
            Version::V4 { .. } => open("recent", RECENT),
        }
    }

    fn check_length_proof(&self) -> Result<(), String> {
        let told = &self.blob.certificate.header.commitment;
        let commitments = BlobCommitments {
            commitment: told.commitment.point().map_err(|e| e.to_string())?,
            length_commitment: told.length_commitment.point().map_err(|e| e.to_string())?,
            length_proof: told.length_proof.point().map_err(|e| e.to_string())?,
            length: usize::try_from(told.length).map_err(|e| e.to_string())?,
        };
        let key = VerifierKey::ceremony().map_err(|e| e.to_string())?;
        commitments.verify(&key).map_err(|e| e.to_string())
    }

    /// The last inclusion block at which the recency rule holds, if there is such a rule.
    pub fn last_inclusion_block(&self) -> Option<u64> {
        let Version::V4 { offchain } = self.version else {
            return None;
        };
        let (_, window) = RECENCY.iter().find(|(known, _)| *known == offchain)?;
        Some(u64::from(self.batch.reference_block).saturating_add(*window))
    }

    /// The slots that L1 would be asked for, as far as they are known before the first answer. The
    /// stakes of non-signers come on top: where they stand depends on the quorums of each. Nothing is
    /// needed of a certificate that cannot count.
    pub fn needed_of_l1(&self) -> Vec<Needed> {
        const ROUTER: Address = Address::with_last_byte(1);
        const VERIFIER: Address = Address::with_last_byte(2);
        const CONTRACTS: [&str; 8] = [
            "certificate verifier router",
            "certificate verifier",
            "threshold registry",
            "service manager",
            "registry coordinator",
            "key registry",
            "stake registry",
            "delegation manager",
        ];
        let verifier = Verifier {
            rules: match self.version {
                Version::V2 | Version::V3 => Rules::V3_1,
                Version::V4 { .. } => Rules::V4,
            },
            threshold_registry: Address::with_last_byte(3),
            service_manager: Address::with_last_byte(4),
            registry_coordinator: Address::with_last_byte(5),
            key_registry: Address::with_last_byte(6),
            stake_registry: Address::with_last_byte(7),
            delegation_manager: Address::with_last_byte(8),
        };
        // a network of which nothing is known but that one verifier is in force
        let network = Network {
            router: ROUTER,
            verifiers: BTreeMap::from([(VERIFIER, verifier)]),
            blob_versions: BTreeMap::new(),
            recency: BTreeMap::from(RECENCY),
            stale_stakes: StaleStakes::AsAtInclusion,
            form: PolynomialForm::Values,
        };
        let inclusion = u64::from(self.batch.reference_block).saturating_add(1);
        let mut state = KnownState::default();
        let mut needed = Vec::new();
        // the router's length, its blocks, its address; then everything else
        let answers = [
            U256::ONE,
            U256::ZERO,
            U256::from_be_bytes(VERIFIER.into_word().0),
        ];
        for answer in answers.into_iter().map(Some).chain([None]) {
            let Verdict::Needs(Needs::State(queries)) = judge(self, inclusion, &network, &state)
            else {
                break;
            };
            for query in queries {
                needed.extend(name(&CONTRACTS, &query));
                state.insert(query, answer.unwrap_or_default());
            }
        }
        needed
    }
}

/// A query, with the name of the contract that has the place of its address.
fn name(contracts: &[&'static str], query: &Query) -> Option<Needed> {
    let [.., last] = query.address.into_array();
    let contract = contracts.get(usize::from(last).checked_sub(1)?)?;
    Some(Needed {
        contract,
        at: query.at,
        slot: query.slot,
    })
}

impl BlobInfo {
    /// Every check of the verdict on a certificate of the first version.
    pub fn offline_checks(&self) -> Vec<Check> {
        // had L1 confirmed this very batch
        let facts = BatchFacts {
            metadata_hash: self.batch.metadata_hash(),
            required: Vec::new(),
            confirmation_thresholds: Vec::new(),
        };
        vec![
            check(
                "the blob is in the batch, and its quorums signed",
                FIRST_VERSION,
                self.verify(&facts),
            ),
            open("L1 has confirmed this batch", FIRST_VERSION),
            open(
                "the network's thresholds are met, and all required quorums are there",
                FIRST_VERSION,
            ),
        ]
    }
}
