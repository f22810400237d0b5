//! Whether a batch is signed by the operators that L1 knows, and with how much stake.
//!
//! The signers of a quorum are all its operators at the reference block without the non-signers, so
//! their key is the quorum's key without theirs. An operator in several signed quorums signs once for
//! each. The certificate names the places in L1's histories; each place must hold at the reference
//! block.
// spec: eigenda 5.1

use crate::{
    certificate::{Attestation, Certificate},
    coordinates::{G1Coordinates, G2Coordinates},
    network::{StaleStakes, Verifier},
    state::{At, Entry, KnownState, Reader, key, mapped, variable},
    verdict::{HistoryOf, Invalid, Stop, all_known},
};
use alloy_primitives::{B256, U256, keccak256};
use doppio_bn254::{
    G1, G2, Scalar,
    bls::{self, PublicKey},
    scalar,
};

/// The stake of a quorum, and how much of it signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct QuorumStake {
    pub(crate) quorum: u8,
    pub(crate) total: U256,
    pub(crate) signed: U256,
}

/// Whether bytes ascend strictly: a set in its one order.
pub(crate) fn ascends(bytes: &[u8]) -> bool {
    bytes.is_sorted_by(|a, b| a < b)
}

/// An attestation whose lists have the right lengths and whose numbers are points.
pub(crate) struct Signed<'a> {
    attestation: &'a Attestation,
    quorums: &'a [u8],
    reference: u32,
    message: B256,
    signers_key: G2,
    signature: G1,
    quorum_keys: Vec<G1>,
    non_signers: Vec<NonSigner>,
}

struct NonSigner {
    id: B256,
    key: G1,
}

/// What L1 knows of the quorums and non-signers.
pub(crate) struct Histories {
    quorum_count: U256,
    keys: Vec<Entry>,
    totals: Vec<Entry>,
    bitmaps: Vec<Entry>,
    /// If stale stakes are forbidden: the block of each quorum's last update, and the delay.
    staleness: Option<(Vec<U256>, U256)>,
}

fn point(what: &'static str, index: usize, point: &G1Coordinates) -> Result<G1, Invalid> {
    point
        .point()
        .map_err(|error| Invalid::Point { what, index, error })
}

impl<'a> Signed<'a> {
    pub(crate) fn read(certificate: &'a Certificate) -> Result<Self, Invalid> {
        let attestation = &certificate.attestation;
        let quorums: &[u8] = &certificate.signed_quorums;
        check_lengths(attestation, quorums.len())?;
        if !ascends(quorums) {
            return Err(Invalid::QuorumOrder("signed"));
        }
        let mut non_signers: Vec<NonSigner> = Vec::new();
        for (index, coordinates) in attestation.non_signer_keys.iter().enumerate() {
            let id = coordinates.hash();
            if non_signers.last().is_some_and(|last| last.id >= id) {
                return Err(Invalid::NonSignerOrder(index));
            }
            let key = point("non-signer key", index, coordinates)?;
            non_signers.push(NonSigner { id, key });
        }
        let quorum_keys = attestation.quorum_keys.iter().enumerate();
        let signers_key = attestation.signers_key.point();
        Ok(Self {
            attestation,
            quorums,
            reference: certificate.batch.reference_block,
            message: certificate.batch.hash(),
            signature: point("signature", 0, &attestation.signature)?,
            quorum_keys: quorum_keys
                .map(|(index, key)| point("quorum key", index, key))
                .collect::<Result<_, _>>()?,
            signers_key: signers_key.map_err(|error| Invalid::Point {
                what: "signers' key",
                index: 0,
                error,
            })?,
            non_signers,
        })
    }

    /// Reads what L1 knows. The values are good only if nothing is missing in the end.
    pub(crate) fn read_histories(
        &self,
        reader: &mut Reader<'_>,
        verifier: &Verifier,
        stale_stakes: StaleStakes,
    ) -> Result<Histories, Stop> {
        const QUORUM_COUNT: u64 = 150;
        const BITMAPS: u64 = 152;
        const KEYS: u64 = 4;
        const TOTALS: u64 = 1;
        let coordinator = verifier.registry_coordinator;
        let quorums = || self.quorums.iter().map(|quorum| key(*quorum));
        let keys = quorums()
            .zip(&self.attestation.quorum_key_indices)
            .map(|(quorum, index)| {
                let history = mapped(quorum, variable(KEYS));
                reader.entry(verifier.key_registry, history, *index)
            })
            .collect();
        let totals = quorums()
            .zip(&self.attestation.total_stake_indices)
            .map(|(quorum, index)| {
                let history = mapped(quorum, variable(TOTALS));
                reader.entry(verifier.stake_registry, history, *index)
            })
            .collect();
        let bitmaps = self
            .non_signers
            .iter()
            .zip(&self.attestation.non_signer_bitmap_indices)
            .map(|(operator, index)| {
                reader.entry(coordinator, mapped(operator.id, variable(BITMAPS)), *index)
            })
            .collect();
        Ok(Histories {
            quorum_count: reader.read(At::AnyLater, coordinator, variable(QUORUM_COUNT)),
            keys,
            totals,
            bitmaps,
            staleness: self.read_staleness(reader, verifier, stale_stakes),
        })
    }

    fn read_staleness(
        &self,
        reader: &mut Reader<'_>,
        verifier: &Verifier,
        stale_stakes: StaleStakes,
    ) -> Option<(Vec<U256>, U256)> {
        const FORBIDDEN: u64 = 201;
        const UPDATE_BLOCKS: u64 = 155;
        const DELAY: u64 = 157;
        if stale_stakes == StaleStakes::Allowed {
            return None;
        }
        let flag = reader.read(At::Inclusion, verifier.service_manager, variable(FORBIDDEN));
        // a bool is the lowest byte of its slot
        if flag & U256::from(0xff) == U256::ZERO {
            return None;
        }
        let blocks = self
            .quorums
            .iter()
            .map(|quorum| {
                let slot = mapped(key(*quorum), variable(UPDATE_BLOCKS));
                reader.read(At::Inclusion, verifier.registry_coordinator, slot)
            })
            .collect();
        let delay = reader.read(At::Inclusion, verifier.delegation_manager, variable(DELAY));
        Some((blocks, delay))
    }

    /// Checks keys, stakes and the signature.
    pub(crate) fn check(
        &self,
        histories: &Histories,
        verifier: &Verifier,
        state: &KnownState,
    ) -> Result<Vec<QuorumStake>, Stop> {
        for quorum in self.quorums {
            if U256::from(*quorum) >= histories.quorum_count {
                return Err(Invalid::UnknownQuorum(*quorum).into());
            }
        }
        let bitmaps: Vec<U256> = histories
            .bitmaps
            .iter()
            .enumerate()
            .map(|(place, entry)| {
                let bitmap = entry.value_at(self.reference);
                bitmap.ok_or(Invalid::History(HistoryOf::Bitmap(place)))
            })
            .collect::<Result<_, _>>()?;
        self.check_keys(histories)?;
        let stakes = self.stakes(histories, &bitmaps, verifier, state)?;
        self.check_signature(&bitmaps)?;
        Ok(stakes)
    }

    fn check_keys(&self, histories: &Histories) -> Result<(), Invalid> {
        if let Some((blocks, delay)) = &histories.staleness {
            for (quorum, block) in self.quorums.iter().zip(blocks) {
                if block.saturating_add(*delay) <= U256::from(self.reference) {
                    return Err(Invalid::StaleStakes(*quorum));
                }
            }
        }
        let keys = self.attestation.quorum_keys.iter().zip(&histories.keys);
        for (quorum, (coordinates, entry)) in self.quorums.iter().zip(keys) {
            let hash = entry.key_hash_at(self.reference);
            let hash = hash.ok_or(Invalid::History(HistoryOf::Key(*quorum)))?;
            if coordinates.hash().first_chunk::<24>() != Some(&hash) {
                return Err(Invalid::QuorumKey(*quorum));
            }
        }
        Ok(())
    }

    fn stakes(
        &self,
        histories: &Histories,
        bitmaps: &[U256],
        verifier: &Verifier,
        state: &KnownState,
    ) -> Result<Vec<QuorumStake>, Stop> {
        const STAKES: u64 = 2;
        let mut reader = Reader::new(state);
        let mut entries: Vec<Vec<(usize, Entry)>> = Vec::new();
        let indices = &self.attestation.non_signer_stake_indices;
        for (quorum, indices) in self.quorums.iter().zip(indices) {
            let mut indices = indices.iter();
            let mut of_quorum = Vec::new();
            for (place, (operator, bitmap)) in self.non_signers.iter().zip(bitmaps).enumerate() {
                if !bitmap.bit(usize::from(*quorum)) {
                    continue;
                }
                let index = indices
                    .next()
                    .ok_or(Invalid::ListLength("non_signer_stake_indices"))?;
                let of_operator = mapped(operator.id, variable(STAKES));
                let history = mapped(key(*quorum), of_operator);
                let entry = reader.entry(verifier.stake_registry, history, *index);
                of_quorum.push((place, entry));
            }
            entries.push(of_quorum);
        }
        all_known(&reader)?;
        let totals = histories.totals.iter().zip(entries);
        let mut stakes = Vec::new();
        for (quorum, (total, entries)) in self.quorums.iter().zip(totals) {
            let quorum = *quorum;
            let total = total.value_at(self.reference).map(stake);
            let total = total.ok_or(Invalid::History(HistoryOf::TotalStake(quorum)))?;
            let mut signed = total;
            for (non_signer, entry) in entries {
                let own = entry.value_at(self.reference).map(stake);
                let own = own.ok_or(Invalid::History(HistoryOf::Stake { quorum, non_signer }))?;
                let rest = signed.checked_sub(own);
                signed = rest.ok_or(Invalid::StakeSum(quorum))?;
            }
            stakes.push(QuorumStake {
                quorum,
                total,
                signed,
            });
        }
        Ok(stakes)
    }

    fn check_signature(&self, bitmaps: &[U256]) -> Result<(), Invalid> {
        let quorums = self.quorums.iter();
        let signed = quorums.fold(U256::ZERO, |set, quorum| {
            set | U256::ONE << usize::from(*quorum)
        });
        let absent: G1 = self
            .non_signers
            .iter()
            .zip(bitmaps)
            .map(|(operator, bitmap)| {
                let times = (*bitmap & signed).count_ones();
                operator.key * Scalar::from(times as u64)
            })
            .sum();
        let all: G1 = self.quorum_keys.iter().copied().sum();
        let key = PublicKey {
            g1: all - absent,
            g2: self.signers_key,
        };
        let weight = weight(
            &self.message,
            &G1Coordinates::of(&key.g1),
            &self.attestation.signers_key,
            &self.attestation.signature,
        );
        if bls::verify_with_both(&key, &self.message.0, &self.signature, weight) {
            Ok(())
        } else {
            Err(Invalid::Signature)
        }
    }
}

/// The 96 bits of a stake.
fn stake(value: U256) -> U256 {
    value & (U256::MAX >> (256 - 96))
}

/// The weight with which the contract joins its two equations.
pub(crate) fn weight(
    message: &B256,
    key: &G1Coordinates,
    key2: &G2Coordinates,
    signature: &G1Coordinates,
) -> Scalar {
    let ([x1, x0], [y1, y0]) = (key2.x, key2.y);
    let numbers = [key.x, key.y, x1, x0, y1, y0, signature.x, signature.y];
    let numbers = numbers.map(|number| number.to_be_bytes::<32>());
    let hash = keccak256([message.as_slice(), numbers.as_flattened()].concat());
    scalar::from_be_reduced(&hash.0)
}

fn check_lengths(attestation: &Attestation, quorums: usize) -> Result<(), Invalid> {
    let non_signers = attestation.non_signer_keys.len();
    let lists = [
        ("quorum_keys", attestation.quorum_keys.len(), quorums),
        (
            "quorum_key_indices",
            attestation.quorum_key_indices.len(),
            quorums,
        ),
        (
            "total_stake_indices",
            attestation.total_stake_indices.len(),
            quorums,
        ),
        (
            "non_signer_stake_indices",
            attestation.non_signer_stake_indices.len(),
            quorums,
        ),
        (
            "non_signer_bitmap_indices",
            attestation.non_signer_bitmap_indices.len(),
            non_signers,
        ),
    ];
    if quorums == 0 {
        return Err(Invalid::ListLength("signed_quorums"));
    }
    match lists.iter().find(|(_, found, expected)| found != expected) {
        Some((name, _, _)) => Err(Invalid::ListLength(name)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use doppio_bn254::bls::SecretKey;

    /// The known answer of the sheet's vectors (misc/hashes.json, imaginary parts first).
    #[test]
    fn the_weight_is_the_contracts() {
        let secret = SecretKey::new(Scalar::from(12345)).unwrap();
        let signature = G1::generator() * Scalar::from(67890);
        let weight = weight(
            &B256::repeat_byte(0x2a),
            &G1Coordinates::of(&secret.public().g1),
            &G2Coordinates::of(&secret.public().g2),
            &G1Coordinates::of(&signature),
        );
        let expected = "29f07b3f64497c2ebb191a382370729418848e8c8525506578c23494268c3e60";
        let bytes: String = scalar::to_be(&weight)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(bytes, expected);
    }
}
