//! An EigenDA network on paper: operators with keys and stakes, the storage of its contracts on L1, and
//! certificates that its operators sign.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use doppio_bn254::{
    G1, G2, Scalar,
    bls::{PublicKey, SecretKey},
    trapdoor::Trapdoor,
};
use doppio_eigenda::{
    Certificate, Network, Verdict,
    blob::PolynomialForm,
    certificate::{
        Attestation, BatchHeader, BlobCertificate, BlobCommitment, BlobHeader, BlobInclusion,
        Version,
    },
    coordinates::{G1Coordinates, G2Coordinates},
    judge,
    merkle::Tree,
    network::{Rules, StaleStakes, Verifier},
    payload,
    state::{At, KnownState, Query, element, key, mapped, variable},
    verdict::Needs,
};
use std::collections::BTreeMap;

pub(crate) const REFERENCE: u32 = 1_000;
pub(crate) const INCLUSION: u64 = 1_100;
/// When the histories change after the reference block.
const NEXT: u32 = 1_050;

pub(crate) const ROUTER: Address = Address::repeat_byte(0xa0);
pub(crate) const VERIFIER: Address = Address::repeat_byte(0xa1);
pub(crate) const OLD_VERIFIER: Address = Address::repeat_byte(0xa2);
pub(crate) const REGISTRY: Address = Address::repeat_byte(0xa3);
pub(crate) const MANAGER: Address = Address::repeat_byte(0xa4);
pub(crate) const COORDINATOR: Address = Address::repeat_byte(0xa5);
pub(crate) const KEYS: Address = Address::repeat_byte(0xa6);
pub(crate) const STAKES: Address = Address::repeat_byte(0xa7);
pub(crate) const DELEGATION: Address = Address::repeat_byte(0xa8);

pub(crate) struct Operator {
    secret: SecretKey,
    key: PublicKey,
    id: B256,
    /// By quorum.
    stakes: BTreeMap<u8, u64>,
}

impl Operator {
    pub(crate) fn stake(&self, quorum: u8) -> Option<u64> {
        self.stakes.get(&quorum).copied()
    }

    fn bitmap(&self) -> U256 {
        let quorums = self.stakes.keys();
        quorums.fold(U256::ZERO, |set, quorum| {
            set | U256::ONE << usize::from(*quorum)
        })
    }
}

pub(crate) struct Local {
    pub(crate) operators: Vec<Operator>,
    pub(crate) network: Network,
    pub(crate) storage: BTreeMap<(Address, B256), U256>,
    pub(crate) version: Version,
}

/// A history entry of a stake or bitmap.
fn entry(from: u32, until: u32, value: U256) -> U256 {
    U256::from(from) | U256::from(until) << 32 | value << 64
}

/// A small blob in quorums.
pub(crate) fn blob_certificate(quorums: &[u8]) -> BlobCertificate {
    let encoded = payload::encode(b"frames").unwrap();
    let coefficients = PolynomialForm::Values.coefficients(&encoded).unwrap();
    let blob = Trapdoor::new(Scalar::from(99)).unwrap();
    let blob = blob.commit_blob(&coefficients).unwrap();
    BlobCertificate {
        header: BlobHeader {
            version: 0,
            quorum_numbers: Bytes::copy_from_slice(quorums),
            commitment: BlobCommitment {
                commitment: G1Coordinates::of(&blob.commitment),
                length_commitment: G2Coordinates::of(&blob.length_commitment),
                length_proof: G2Coordinates::of(&blob.length_proof),
                length: u32::try_from(blob.length).unwrap(),
            },
            payment_header_hash: B256::repeat_byte(0x77),
        },
        signature: Bytes::from(vec![0x51; 65]),
        relay_keys: vec![3, 300],
    }
}

impl Local {
    /// Operators by their stakes in quorums; the verifier wants 55 % of quorums 0 and 1.
    pub(crate) fn new(version: Version, stakes: &[&[(u8, u64)]]) -> Self {
        let mut operators: Vec<Operator> = (1u64..)
            .zip(stakes)
            .map(|(secret, stakes)| {
                let secret = SecretKey::new(Scalar::from(secret * 7919)).unwrap();
                let key = secret.public();
                Operator {
                    id: G1Coordinates::of(&key.g1).hash(),
                    stakes: stakes.iter().copied().collect(),
                    secret,
                    key,
                }
            })
            .collect();
        operators.sort_by_key(|operator| operator.id);
        let verifier = |rules| Verifier {
            rules,
            threshold_registry: REGISTRY,
            service_manager: MANAGER,
            registry_coordinator: COORDINATOR,
            key_registry: KEYS,
            stake_registry: STAKES,
            delegation_manager: DELEGATION,
        };
        let (rules, old_rules) = match version {
            Version::V4 { .. } => (Rules::V4, Rules::V3_1),
            _ => (Rules::V3_0, Rules::V4),
        };
        let mut local = Self {
            operators,
            network: Network {
                router: ROUTER,
                verifiers: BTreeMap::from([
                    (VERIFIER, verifier(rules)),
                    (OLD_VERIFIER, verifier(old_rules)),
                ]),
                blob_versions: BTreeMap::from([(0, 0)]),
                recency: BTreeMap::from([(0, 14_400)]),
                stale_stakes: StaleStakes::AsAtInclusion,
                form: PolynomialForm::Values,
            },
            storage: BTreeMap::new(),
            version,
        };
        local.set_router(&[(5, OLD_VERIFIER), (900, VERIFIER), (1_001, OLD_VERIFIER)]);
        local.set_verifier(55, 33, &[0, 1]);
        local.set(REGISTRY, variable(3), U256::from(1));
        let parameters = U256::from(3537u64 | 8192 << 32) | U256::from(8) << 64;
        local.set(REGISTRY, mapped(key(0u16), variable(4)), parameters);
        local.set(COORDINATOR, variable(150), U256::from(3));
        local.write_histories();
        local
    }

    pub(crate) fn set(&mut self, address: Address, slot: B256, value: U256) {
        self.storage.insert((address, slot), value);
    }

    pub(crate) fn set_router(&mut self, entries: &[(u32, Address)]) {
        self.set(ROUTER, variable(102), U256::from(entries.len()));
        let words = entries.chunks(8).map(|entries| {
            let words = entries.iter().rev();
            words.fold(U256::ZERO, |word, (block, _)| {
                word << 32 | U256::from(*block)
            })
        });
        for (index, word) in (0..).zip(words.collect::<Vec<_>>()) {
            self.set(ROUTER, element(variable(102), index), word);
        }
        for (block, verifier) in entries {
            let slot = mapped(key(*block), variable(101));
            self.set(ROUTER, slot, U256::from_be_bytes(verifier.into_word().0));
        }
    }

    pub(crate) fn set_verifier(&mut self, confirmation: u64, adversary: u64, required: &[u8]) {
        self.set_thresholds(VERIFIER, confirmation, adversary, required);
    }

    pub(crate) fn set_thresholds(
        &mut self,
        verifier: Address,
        confirmation: u64,
        adversary: u64,
        required: &[u8],
    ) {
        let thresholds = U256::from(confirmation | adversary << 8);
        self.set(verifier, variable(0), thresholds);
        if required.len() < 32 {
            let mut word = [0; 32];
            word[..required.len()].copy_from_slice(required);
            word[31] = u8::try_from(required.len() * 2).unwrap();
            self.set(verifier, variable(1), U256::from_be_bytes(word));
        } else {
            self.set(verifier, variable(1), U256::from(required.len() * 2 + 1));
            for (index, part) in (0..).zip(required.chunks(32)) {
                let mut word = [0; 32];
                word[..part.len()].copy_from_slice(part);
                let slot = element(variable(1), index);
                self.set(verifier, slot, U256::from_be_bytes(word));
            }
        }
    }

    /// Three entries: one before the reference block, one that holds, one after.
    fn history(&mut self, address: Address, array: B256, values: [U256; 3]) {
        self.set(address, array, U256::from(3));
        let spans = [(10, 600), (600, NEXT), (NEXT, 0)];
        for (index, ((from, until), value)) in (0..).zip(spans.into_iter().zip(values)) {
            self.set(address, element(array, index), entry(from, until, value));
        }
    }

    fn write_histories(&mut self) {
        for quorum in 0..3u8 {
            let total = U256::from(self.total(quorum));
            let array = mapped(key(quorum), variable(1));
            let other = total + U256::from(5);
            self.history(STAKES, array, [other, total, other]);

            let array = mapped(key(quorum), variable(4));
            self.set(KEYS, array, U256::from(3));
            let hash = G1Coordinates::of(&self.quorum_key(quorum)).hash();
            let hash = U256::from_be_bytes(hash.0) >> 64;
            let spans = [(10, 600, U256::ZERO), (600, NEXT, hash), (NEXT, 0, hash)];
            for (index, (from, until, hash)) in (0u64..).zip(spans) {
                let word = hash | U256::from(from) << 192 | U256::from(until) << 224;
                self.set(KEYS, element(array, index), word);
            }
        }
        let operators: Vec<(B256, U256, BTreeMap<u8, u64>)> = self
            .operators
            .iter()
            .map(|operator| (operator.id, operator.bitmap(), operator.stakes.clone()))
            .collect();
        for (id, bitmap, stakes) in operators {
            let array = mapped(id, variable(152));
            self.history(COORDINATOR, array, [U256::ZERO, bitmap, U256::ZERO]);
            for (quorum, stake) in stakes {
                let array = mapped(key(quorum), mapped(id, variable(2)));
                let stake = U256::from(stake);
                self.history(STAKES, array, [U256::ZERO, stake, U256::ZERO]);
            }
        }
    }

    pub(crate) fn total(&self, quorum: u8) -> u64 {
        let stakes = self.operators.iter().filter_map(|o| o.stakes.get(&quorum));
        stakes.sum()
    }

    fn quorum_key(&self, quorum: u8) -> G1 {
        self.operators
            .iter()
            .filter(|operator| operator.stakes.contains_key(&quorum))
            .map(|operator| operator.key.g1)
            .sum()
    }

    /// A certificate of a blob in `blob_quorums`, whose batch all operators of `signed_quorums` but
    /// those named signed.
    pub(crate) fn certificate(
        &self,
        blob_quorums: &[u8],
        signed_quorums: &[u8],
        absent: &[usize],
    ) -> Certificate {
        let certificate = blob_certificate(blob_quorums);
        let certificate = Certificate {
            version: self.version,
            batch: BatchHeader {
                batch_root: B256::ZERO,
                reference_block: REFERENCE,
            },
            blob: BlobInclusion {
                certificate,
                blob_index: 1,
                inclusion_proof: Bytes::new(),
            },
            attestation: Attestation::default(),
            signed_quorums: Bytes::copy_from_slice(signed_quorums),
        };
        self.sign(certificate, absent)
    }

    /// Puts the blob into a batch of three, and has the batch signed.
    pub(crate) fn sign(&self, mut certificate: Certificate, absent: &[usize]) -> Certificate {
        let leaves = [
            keccak256("another blob"),
            certificate.blob.certificate.hash(),
            keccak256("a third blob"),
        ];
        let tree = Tree::new(&leaves).unwrap();
        certificate.batch.batch_root = tree.root();
        certificate.blob.inclusion_proof = tree.proof(1).unwrap().into();
        let quorums = certificate.signed_quorums.to_vec();
        let message = certificate.batch.hash();
        let signed = |operator: &Operator| -> u64 {
            let quorums = quorums.iter().filter(|q| operator.stakes.contains_key(*q));
            quorums.count() as u64
        };
        let (mut non_signers, mut signers) = (Vec::new(), Vec::new());
        for (index, operator) in self.operators.iter().enumerate() {
            if signed(operator) == 0 {
                continue;
            }
            if absent.contains(&index) {
                non_signers.push(operator);
            } else {
                signers.push(operator);
            }
        }
        let times = |operator: &Operator| Scalar::from(signed(operator));
        let signature: G1 = signers
            .iter()
            .map(|operator| operator.secret.sign(&message.0) * times(operator))
            .sum();
        let signers_key: G2 = signers
            .iter()
            .map(|operator| operator.key.g2 * times(operator))
            .sum();
        certificate.attestation = Attestation {
            non_signer_bitmap_indices: vec![1; non_signers.len()],
            non_signer_keys: non_signers
                .iter()
                .map(|operator| G1Coordinates::of(&operator.key.g1))
                .collect(),
            quorum_keys: quorums
                .iter()
                .map(|quorum| G1Coordinates::of(&self.quorum_key(*quorum)))
                .collect(),
            signers_key: G2Coordinates::of(&signers_key),
            signature: G1Coordinates::of(&signature),
            quorum_key_indices: vec![1; quorums.len()],
            total_stake_indices: vec![1; quorums.len()],
            non_signer_stake_indices: quorums
                .iter()
                .map(|quorum| {
                    let of_quorum = non_signers
                        .iter()
                        .filter(|operator| operator.stakes.contains_key(quorum));
                    vec![1; of_quorum.count()]
                })
                .collect(),
        };
        certificate
    }

    /// The verdict, with whatever it asks for; how often it asked; and what it knew in the end.
    pub(crate) fn judge(
        &self,
        certificate: &Certificate,
        inclusion: u64,
    ) -> (Verdict, u32, KnownState) {
        let mut state = KnownState::default();
        for round in 0..10 {
            match judge(certificate, inclusion, &self.network, &state) {
                Verdict::Needs(Needs::State(queries)) => {
                    assert!(!queries.is_empty());
                    for query in queries {
                        let value = self.storage.get(&(query.address, query.slot));
                        state.insert(query, value.copied().unwrap_or_default());
                    }
                }
                verdict => return (verdict, round, state),
            }
        }
        panic!("the verdict asks for ever");
    }

    pub(crate) fn verdict(&self, certificate: &Certificate) -> Verdict {
        self.judge(certificate, INCLUSION).0
    }

    /// The storage as it is long after: histories went on, there is a new quorum, a new blob version
    /// and a new verifier.
    pub(crate) fn later(&mut self) {
        let later = 50_000u32;
        self.set_router(&[
            (5, OLD_VERIFIER),
            (900, VERIFIER),
            (1_001, OLD_VERIFIER),
            (later + 1, Address::repeat_byte(0xff)),
        ]);
        self.set(REGISTRY, variable(3), U256::from(2));
        self.set(COORDINATOR, variable(150), U256::from(4));
        let mut arrays = Vec::new();
        for quorum in 0..4u8 {
            arrays.push((STAKES, mapped(key(quorum), variable(1)), false));
            arrays.push((KEYS, mapped(key(quorum), variable(4)), true));
            for operator in &self.operators {
                let array = mapped(key(quorum), mapped(operator.id, variable(2)));
                arrays.push((STAKES, array, false));
            }
        }
        for operator in &self.operators {
            arrays.push((COORDINATOR, mapped(operator.id, variable(152)), false));
        }
        for (address, array, key_first) in arrays {
            let (until, from) = if key_first { (224, 192) } else { (32, 0) };
            let length = self.storage.get(&(address, array)).copied();
            let length = length.unwrap_or_default().to::<u64>();
            if let Some(last) = length.checked_sub(1) {
                let slot = (address, element(array, last));
                *self.storage.get_mut(&slot).unwrap() |= U256::from(later) << until;
            }
            self.set(address, array, U256::from(length + 1));
            let word = U256::from(later) << from;
            self.set(address, element(array, length), word);
        }
    }
}

/// A query at the place and in the state that it names.
pub(crate) fn query(at: At, address: Address, slot: B256) -> Query {
    Query { at, address, slot }
}
