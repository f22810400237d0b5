//! Whether a certificate counts.
//!
//! The verdict is a function of the certificate and of the L1 block that includes it. It is the one of
//! `checkDACert` on EigenDA's verifier, of a rule that a reference block lies before the inclusion
//! block, of the recency rule, and of whether any blob can be what is certified. Three answers:
//! it counts; it does not, and then on no node; or something is lacking that must be fetched first.
//!
//! Reading goes by stages. A stage asks for everything that it needs before it concludes anything, so
//! that the answer never depends on what happened to be known already.
// spec: eigenda 5.1, eigenda 5.4

use crate::{
    assignment::BlobParameters,
    certificate::{Certificate, Version},
    commitment::KnownDifference,
    merkle,
    network::{Network, Rules, Verifier},
    signatures::{self, Signed},
    state::{At, KnownState, Query, Reader, element, key, mapped, variable},
};
use alloy_primitives::{Address, B256, U256, keccak256};
use doppio_bn254::{G1, PointError};
use thiserror::Error;

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The certificate counts.
    Valid(Box<Accepted>),
    /// It does not, on any node.
    Invalid(Invalid),
    /// It cannot be told yet.
    Needs(Needs),
}

/// What a certificate that counts says of its blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The name under which relays and validators have the blob.
    pub blob_key: B256,
    /// The commitment against which it is checked.
    pub commitment: G1,
    /// Its symbols: a power of two.
    pub length: usize,
    /// The L1 block by whose operators it is kept.
    pub reference_block: u32,
    /// The quorums that keep it.
    pub quorums: Vec<u8>,
    /// The relays that have it.
    pub relay_keys: Vec<u32>,
    /// How it is spread.
    pub parameters: BlobParameters,
}

/// What is lacking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Values of storage slots.
    State(Vec<Query>),
    /// The router names a verifier that the configuration does not know: the node must be upgraded
    /// or configured. Nothing may be concluded meanwhile.
    Verifier(Address),
    /// L1 knows a version of blobs' parameters that the configuration does not know.
    BlobVersion(u16),
}

/// Why a certificate does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Invalid {
    /// Operators and stakes of a block that was not there yet.
    #[error("reference block {reference} is not before the inclusion block {inclusion}")]
    ReferenceBlock {
        /// Of the certificate.
        reference: u32,
        /// Of the transaction.
        inclusion: u64,
    },
    /// A list of the attestation has another length than it must have.
    #[error("the attestation's list {0} has the wrong length")]
    ListLength(&'static str),
    /// More than the contract reads.
    #[error("the certificate has {found} {what}, and {most} are allowed")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// How much there is.
        found: usize,
        /// How much may be.
        most: usize,
    },
    /// Quorums that do not ascend.
    #[error("the {0} quorums do not ascend")]
    QuorumOrder(&'static str),
    /// The blob is not in the batch.
    #[error("the blob certificate is not in the batch")]
    Inclusion,
    /// Non-signers that do not ascend: one could count twice.
    #[error("non-signer {0} is not behind the one before")]
    NonSignerOrder(usize),
    /// Numbers that are no point.
    #[error("{what} {index} is no point: {error}")]
    Point {
        /// Of which kind.
        what: &'static str,
        /// Which of them.
        index: usize,
        /// What is wrong.
        error: PointError,
    },
    /// The router names no verifier.
    #[error("no verifier is in force at the reference block")]
    NoVerifier,
    /// The verifier in force judges certificates of a newer version.
    #[error("the verifier in force judges certificates of version {expected}")]
    VerifierVersion {
        /// That version.
        expected: u8,
    },
    /// The verifier in force wants other off-chain rules.
    #[error("the verifier in force wants off-chain rules {expected}, the certificate has {found}")]
    OffchainVersion {
        /// The verifier's.
        expected: u16,
        /// The certificate's.
        found: u16,
    },
    /// L1 does not know the version of the blob's parameters, or not yet.
    #[error("blob version {0} is not known")]
    BlobVersion(u16),
    /// The parameters and thresholds do not protect the blob.
    #[error("the parameters of the blob's version are not safe with the verifier's thresholds")]
    Security,
    /// A signed quorum that there is not.
    #[error("there is no quorum {0}")]
    UnknownQuorum(u8),
    /// The certificate names an entry of a history that does not hold at the reference block.
    #[error("{0}: the entry that the certificate names does not hold at the reference block")]
    History(HistoryOf),
    /// A quorum's key is not the one on L1.
    #[error("the key of quorum {0} is not the one on L1")]
    QuorumKey(u8),
    /// A quorum's stakes were not updated for too long.
    #[error("the stakes of quorum {0} are stale")]
    StaleStakes(u8),
    /// Non-signers have more stake than there is.
    #[error("the non-signers of quorum {0} have more stake than the quorum")]
    StakeSum(u8),
    /// The operators' signature does not hold.
    #[error("the operators' signature does not hold")]
    Signature,
    /// Too little stake of one of the blob's quorums signed.
    #[error("the blob's quorum {0} is not confirmed")]
    NotConfirmed(u8),
    /// The blob is not kept by a quorum that the verifier requires.
    #[error("the required quorum {0} is none of the blob's")]
    Required(u8),
    /// Included too long after its reference block.
    #[error("included at {inclusion}, after the last block {last} that is allowed")]
    Recency {
        /// Of the transaction.
        inclusion: u64,
        /// The last block in which it would count.
        last: u64,
    },
    /// The off-chain rules are unknown, so their recency window is, too.
    #[error("the off-chain rules {0} are unknown")]
    UnknownRules(u16),
    /// No blob has this number of symbols.
    #[error("no blob has {0} symbols")]
    Length(u32),
    /// No blob has this commitment.
    #[error("the blob's commitment is no point: {0}")]
    Commitment(PointError),
}

/// A history on L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HistoryOf {
    /// Of an operator's quorums.
    #[error("quorums of non-signer {0}")]
    Bitmap(usize),
    /// Of a quorum's key.
    #[error("key of quorum {0}")]
    Key(u8),
    /// Of a quorum's stake.
    #[error("stake of quorum {0}")]
    TotalStake(u8),
    /// Of an operator's stake.
    #[error("stake of non-signer {non_signer} in quorum {quorum}")]
    Stake {
        /// The quorum.
        quorum: u8,
        /// The non-signer's place.
        non_signer: usize,
    },
}

impl Invalid {
    /// Where other readers of the same certificate are known to do otherwise.
    pub const fn known_difference(&self) -> Option<KnownDifference> {
        match self {
            Self::UnknownRules(_) => Some(KnownDifference::UnknownRules),
            Self::Length(_) | Self::Commitment(_) => Some(KnownDifference::ImpossibleBlob),
            _ => None,
        }
    }
}

/// Why judging ends early.
#[derive(Debug)]
pub(crate) enum Stop {
    Invalid(Invalid),
    Needs(Needs),
}

impl From<Invalid> for Stop {
    fn from(reason: Invalid) -> Self {
        Self::Invalid(reason)
    }
}

/// Ends a stage: what was read is there, or is asked for.
pub(crate) fn all_known(reader: &Reader<'_>) -> Result<(), Stop> {
    match reader.missing() {
        Some(missing) => Err(Stop::Needs(Needs::State(missing))),
        None => Ok(()),
    }
}

/// Limits of the fourth version of the verifier.
const MAX_ABI_BYTES: usize = 262_144;
const MAX_QUORUMS: usize = 5;
const MAX_NON_SIGNERS: usize = 415;
/// Entries that a router can have; none comes near.
const MAX_ROUTER_ENTRIES: u64 = 65_536;
/// The largest blob for which lengths can be proven, in symbols.
const MAX_LENGTH: u32 = 1 << 27;

/// Judges a certificate that L1 block `inclusion_block` includes. What is not in `state` is asked for.
pub fn judge(
    certificate: &Certificate,
    inclusion_block: u64,
    network: &Network,
    state: &KnownState,
) -> Verdict {
    match run(certificate, inclusion_block, network, state) {
        Ok(accepted) => Verdict::Valid(Box::new(accepted)),
        Err(Stop::Invalid(reason)) => Verdict::Invalid(reason),
        Err(Stop::Needs(needs)) => Verdict::Needs(needs),
    }
}

fn run(
    certificate: &Certificate,
    inclusion_block: u64,
    network: &Network,
    state: &KnownState,
) -> Result<Accepted, Stop> {
    let reference = certificate.batch.reference_block;
    if u64::from(reference) >= inclusion_block {
        return Err(Invalid::ReferenceBlock {
            reference,
            inclusion: inclusion_block,
        }
        .into());
    }
    check_inclusion(certificate)?;
    let signed = Signed::read(certificate)?;

    let address = verifier_in_force(network, reference, state)?;
    let verifier = network
        .verifiers
        .get(&address)
        .ok_or(Stop::Needs(Needs::Verifier(address)))?;
    // a verifier of V3 reads a V4 certificate, too: what the newer form adds stands behind what it reads
    if certificate.version.contract() < verifier.rules.certificate() {
        return Err(Invalid::VerifierVersion {
            expected: verifier.rules.certificate(),
        }
        .into());
    }
    if verifier.rules == Rules::V4 {
        check_limits(certificate)?;
    }

    let mut reader = Reader::new(state);
    let terms = Terms::read(&mut reader, address, verifier, certificate);
    let histories = signed.read_histories(&mut reader, verifier, network.stale_stakes);
    all_known(&reader)?;
    let (terms, histories) = (terms?, histories?);
    terms.check_version(certificate)?;
    let parameters = terms.check_parameters(certificate, inclusion_block, network, verifier)?;
    let stakes = signed.check(&histories, verifier, state)?;
    terms.check_quorums(certificate, &stakes)?;

    check_recency(certificate, inclusion_block, network)?;
    let header = &certificate.blob.certificate.header;
    let length = check_length(header.commitment.length)?;
    let commitment = header.commitment.commitment.point();
    Ok(Accepted {
        blob_key: header.blob_key(),
        commitment: commitment.map_err(Invalid::Commitment)?,
        length,
        reference_block: reference,
        quorums: header.quorum_numbers.to_vec(),
        relay_keys: certificate.blob.certificate.relay_keys.clone(),
        parameters,
    })
}

/// The fourth version reads no more than this.
pub(crate) fn check_limits(certificate: &Certificate) -> Result<(), Invalid> {
    let indices = &certificate.attestation.non_signer_stake_indices;
    let limits = [
        ("bytes", certificate.to_abi().len(), MAX_ABI_BYTES),
        ("quorums", certificate.signed_quorums.len(), MAX_QUORUMS),
        (
            "non-signers",
            indices.iter().map(Vec::len).sum(),
            MAX_NON_SIGNERS,
        ),
    ];
    for (what, found, most) in limits {
        if found > most {
            return Err(Invalid::TooLarge { what, found, most });
        }
    }
    Ok(())
}

/// Whether a blob can have so many symbols, and their proof.
pub(crate) fn check_length(symbols: u32) -> Result<usize, Invalid> {
    let length = usize::try_from(symbols).ok();
    length
        .filter(|_| symbols.is_power_of_two() && symbols <= MAX_LENGTH)
        .ok_or(Invalid::Length(symbols))
}

/// Whether the blob's certificate is a leaf of the batch.
pub fn check_inclusion(certificate: &Certificate) -> Result<(), Invalid> {
    let blob = &certificate.blob;
    let leaf = keccak256(blob.certificate.hash());
    match merkle::root_of(leaf, blob.blob_index, &blob.inclusion_proof) {
        Some(root) if root == certificate.batch.batch_root => Ok(()),
        _ => Err(Invalid::Inclusion),
    }
}

/// The verifier that the router names for the reference block: the newest entry not above it, or the
/// first.
fn verifier_in_force(
    network: &Network,
    reference: u32,
    state: &KnownState,
) -> Result<Address, Stop> {
    const VERIFIERS: u64 = 101;
    const BLOCKS: u64 = 102;
    /// Entries in a word of 32 bits each.
    const PER_WORD: u64 = 8;
    let mut reader = Reader::new(state);
    let count = reader.read(At::AnyLater, network.router, variable(BLOCKS));
    all_known(&reader)?;
    let count = u64::try_from(count)
        .ok()
        .filter(|count| (1..=MAX_ROUTER_ENTRIES).contains(count))
        .ok_or(Invalid::NoVerifier)?;
    let mut blocks: Vec<u32> = Vec::new();
    for word in 0..count.div_ceil(PER_WORD) {
        let slot = element(variable(BLOCKS), word);
        let value = reader.read(At::AnyLater, network.router, slot);
        // entries fill a word from its low end
        let (entries, _) = value.as_le_slice().as_chunks::<4>();
        blocks.extend(entries.iter().map(|bytes| u32::from_le_bytes(*bytes)));
    }
    all_known(&reader)?;
    blocks.truncate(usize::try_from(count).unwrap_or(usize::MAX));
    let newest = blocks.iter().rev().find(|block| **block <= reference);
    let block = newest.or(blocks.first()).ok_or(Invalid::NoVerifier)?;
    let slot = mapped(key(*block), variable(VERIFIERS));
    let verifier = reader.read(At::AnyLater, network.router, slot);
    all_known(&reader)?;
    let verifier = Address::from_word(B256::from(verifier));
    if verifier.is_zero() {
        return Err(Invalid::NoVerifier.into());
    }
    Ok(verifier)
}

/// What a verifier demands, and the parameters of the blob's version.
struct Terms {
    confirmation: u8,
    adversary: u8,
    required: Vec<u8>,
    /// If the verifier wants some.
    offchain: Option<u16>,
    next_blob_version: u16,
    parameters: BlobParameters,
}

/// The lowest byte or bytes of a word, from byte `place` on.
fn low<const N: usize>(word: &U256, place: usize) -> [u8; N] {
    let mut bytes = [0; N];
    for (to, from) in bytes.iter_mut().zip(word.as_le_slice().iter().skip(place)) {
        *to = *from;
    }
    bytes
}

impl Terms {
    fn read(
        reader: &mut Reader<'_>,
        address: Address,
        verifier: &Verifier,
        certificate: &Certificate,
    ) -> Result<Self, Stop> {
        const THRESHOLDS: u64 = 0;
        const OFFCHAIN: u64 = 2;
        const NEXT_BLOB_VERSION: u64 = 3;
        const BLOB_PARAMETERS: u64 = 4;
        let registry = verifier.threshold_registry;
        let thresholds = reader.read(At::AnyLater, address, variable(THRESHOLDS));
        let offchain = match verifier.rules {
            Rules::V4 => Some(reader.read(At::AnyLater, address, variable(OFFCHAIN))),
            Rules::V3_0 | Rules::V3_1 => None,
        };
        let next = reader.read(At::AnyLater, registry, variable(NEXT_BLOB_VERSION));
        let version = certificate.blob.certificate.header.version;
        let slot = mapped(key(version), variable(BLOB_PARAMETERS));
        let parameters = reader.read(At::AnyLater, registry, slot);
        let [confirmation, adversary] = low(&thresholds, 0);
        let [coding_rate] = low(&parameters, 8);
        Ok(Self {
            confirmation,
            adversary,
            required: required_quorums(reader, address)?,
            offchain: offchain.map(|word| u16::from_le_bytes(low(&word, 0))),
            next_blob_version: u16::from_le_bytes(low(&next, 0)),
            parameters: BlobParameters {
                max_operators: u32::from_le_bytes(low(&parameters, 0)),
                chunks: u32::from_le_bytes(low(&parameters, 4)),
                coding_rate,
            },
        })
    }

    fn check_version(&self, certificate: &Certificate) -> Result<(), Invalid> {
        match (certificate.version, self.offchain) {
            (Version::V4 { offchain: found }, Some(expected)) if found != expected => {
                Err(Invalid::OffchainVersion { expected, found })
            }
            _ => Ok(()),
        }
    }

    /// Whether so few chunks as an adversary leaves are enough to know the blob.
    fn check_parameters(
        &self,
        certificate: &Certificate,
        inclusion_block: u64,
        network: &Network,
        verifier: &Verifier,
    ) -> Result<BlobParameters, Stop> {
        let version = certificate.blob.certificate.header.version;
        if version >= self.next_blob_version {
            return Err(Invalid::BlobVersion(version).into());
        }
        match network.blob_versions.get(&version) {
            None => return Err(Stop::Needs(Needs::BlobVersion(version))),
            Some(from) if inclusion_block < *from => {
                return Err(Invalid::BlobVersion(version).into());
            }
            Some(_) => {}
        }
        let is_safe = match verifier.rules {
            Rules::V3_0 => self.is_safe_rounded(),
            Rules::V3_1 | Rules::V4 => self.is_safe(),
        };
        if is_safe == Some(true) {
            Ok(self.parameters)
        } else {
            Err(Invalid::Security.into())
        }
    }

    /// In 32 bits, as the contract computes; none where it would overflow.
    fn is_safe(&self) -> Option<bool> {
        let BlobParameters {
            max_operators,
            chunks,
            coding_rate,
        } = self.parameters;
        let margin = u32::from(self.confirmation.checked_sub(self.adversary)?);
        let left = u32::from(coding_rate)
            .checked_mul(chunks.checked_sub(max_operators)?)?
            .checked_mul(margin)?;
        Some(left >= chunks.checked_mul(100)?)
    }

    /// The older form.
    fn is_safe_rounded(&self) -> Option<bool> {
        if self.confirmation <= self.adversary {
            return Some(false);
        }
        let margin = u64::from(self.confirmation - self.adversary);
        let lost = (1_000_000 / margin).checked_div(self.parameters.coding_rate.into())?;
        let left = 10_000u64
            .checked_sub(lost)?
            .checked_mul(self.parameters.chunks.into())?;
        Some(left >= u64::from(self.parameters.max_operators) * 10_000)
    }

    /// Whether the blob's quorums are confirmed, and are all that are required.
    fn check_quorums(
        &self,
        certificate: &Certificate,
        stakes: &[signatures::QuorumStake],
    ) -> Result<(), Invalid> {
        let threshold = U256::from(self.confirmation);
        let mut confirmed = [false; 256];
        for stake in stakes {
            let total = stake.total.checked_mul(threshold).filter(fits_96_bits);
            let total = total.ok_or(Invalid::StakeSum(stake.quorum))?;
            if let Some(place) = confirmed.get_mut(usize::from(stake.quorum)) {
                *place = stake.signed * U256::from(100) >= total;
            }
        }
        let blob = &certificate.blob.certificate.header.quorum_numbers;
        if !signatures::ascends(blob) {
            return Err(Invalid::QuorumOrder("blob's"));
        }
        for quorum in blob {
            if confirmed.get(usize::from(*quorum)) != Some(&true) {
                return Err(Invalid::NotConfirmed(*quorum));
            }
        }
        if !signatures::ascends(&self.required) {
            return Err(Invalid::QuorumOrder("required"));
        }
        match self.required.iter().find(|quorum| !blob.contains(quorum)) {
            Some(quorum) => Err(Invalid::Required(*quorum)),
            None => Ok(()),
        }
    }
}

/// The contract multiplies a stake with a threshold in 96 bits, and refuses what does not fit.
fn fits_96_bits(product: &U256) -> bool {
    product.bit_len() <= 96
}

/// The bytes of `quorumNumbersRequired`: in their own slot up to 31 of them, elsewhere if more.
fn required_quorums(reader: &mut Reader<'_>, address: Address) -> Result<Vec<u8>, Stop> {
    const REQUIRED: u64 = 1;
    const SHORT: usize = 31;
    /// The verifier's constructor allows no more.
    const MOST: usize = 256;
    let word = reader.read(At::AnyLater, address, variable(REQUIRED));
    let bytes = word.to_be_bytes::<32>();
    if !word.bit(0) {
        let [length] = low::<1>(&word, 0);
        let length = usize::from(length >> 1).min(SHORT);
        return Ok(bytes.iter().take(length).copied().collect());
    }
    let length = usize::try_from(word >> 1).unwrap_or(usize::MAX);
    if length > MOST {
        return Err(Invalid::TooLarge {
            what: "required quorums",
            found: length,
            most: MOST,
        }
        .into());
    }
    let mut required = Vec::new();
    for index in 0..length.div_ceil(32) as u64 {
        let part = reader.read(At::AnyLater, address, element(variable(REQUIRED), index));
        required.extend_from_slice(&part.to_be_bytes::<32>());
    }
    required.truncate(length);
    Ok(required)
}

/// The recency rule: a certificate included long after its reference block may be of a blob that the
/// network has forgotten.
// spec: eigenda 5.4
fn check_recency(
    certificate: &Certificate,
    inclusion_block: u64,
    network: &Network,
) -> Result<(), Invalid> {
    let Version::V4 { offchain } = certificate.version else {
        return Ok(());
    };
    let window = network.recency.get(&offchain);
    let window = window.ok_or(Invalid::UnknownRules(offchain))?;
    let last = u64::from(certificate.batch.reference_block).saturating_add(*window);
    if inclusion_block > last {
        return Err(Invalid::Recency {
            inclusion: inclusion_block,
            last,
        });
    }
    Ok(())
}
