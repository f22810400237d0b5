//! What HotShot's validators sign, and the certificates that their signatures add up to.
// spec: espresso 4.1

use crate::{
    commit::Builder,
    tagged::{BlsSignatureBytes, Commit, checksum},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What a vote is about.
pub trait VoteData {
    /// The commitment to it.
    fn commit(&self) -> [u8; 32];
}

/// That a leaf is proposed rightly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct QuorumData {
    /// The leaf.
    pub leaf_commit: Commit,
    /// The epoch, from 0.3 on.
    #[serde(default)]
    pub epoch: Option<u64>,
    /// Height of the leaf's block, from 0.4 on.
    #[serde(default)]
    pub block_number: Option<u64>,
}

impl VoteData for QuorumData {
    fn commit(&self) -> [u8; 32] {
        let mut builder = Builder::new("Quorum data").var(&self.leaf_commit.0);
        if let Some(epoch) = self.epoch {
            builder = builder.u64_field("epoch number", epoch);
        }
        if let Some(number) = self.block_number {
            builder = builder.u64_field("block number", number);
        }
        builder.finish()
    }
}

/// That a leaf is final, from 0.6 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FinalData {
    /// The leaf.
    pub leaf_commit: Commit,
    /// The epoch.
    pub epoch: u64,
    /// Height of the leaf's block.
    pub block_number: u64,
}

impl VoteData for FinalData {
    fn commit(&self) -> [u8; 32] {
        Builder::new("Vote2Data")
            .var(&self.leaf_commit.0)
            .u64(self.epoch)
            .u64(self.block_number)
            .name("Vote2")
            .finish()
    }
}

/// That a view ended without a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TimeoutData {
    /// The view.
    pub view: u64,
    /// The epoch, which the commitment does not cover.
    #[serde(default)]
    pub epoch: Option<u64>,
}

impl VoteData for TimeoutData {
    fn commit(&self) -> [u8; 32] {
        Builder::new("Timeout data").u64(self.view).finish()
    }
}

/// That the validators have met again in a view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ViewSyncData {
    /// Who gathered the votes.
    pub relay: u64,
    /// The view.
    pub round: u64,
    /// The epoch.
    #[serde(default)]
    pub epoch: Option<u64>,
}

impl VoteData for ViewSyncData {
    fn commit(&self) -> [u8; 32] {
        let mut builder = Builder::new("View Sync Finalize")
            .u64(self.round)
            .u64(self.relay);
        if let Some(epoch) = self.epoch {
            builder = builder.u64_field("epoch number", epoch);
        }
        builder.finish()
    }
}

/// That the protocol changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UpgradeData {
    /// The version until then.
    pub old_version: crate::header::Version,
    /// The version from then on.
    pub new_version: crate::header::Version,
    /// The view by which it is decided.
    pub decide_by: u64,
    /// What names the new version, as numbers of 8 bits.
    pub new_version_hash: Vec<u8>,
    /// The last view of the old version.
    pub old_version_last_view: u64,
    /// The first view of the new version.
    pub new_version_first_view: u64,
}

impl VoteData for UpgradeData {
    fn commit(&self) -> [u8; 32] {
        Builder::new("Upgrade data")
            .u64(self.decide_by)
            .u64(self.new_version_first_view)
            .u64(self.old_version_last_view)
            .var(&self.new_version_hash)
            .u16(self.new_version.minor)
            .u16(self.new_version.major)
            .u16(self.old_version.minor)
            .u16(self.old_version.major)
            .finish()
    }
}

/// Why a list of signers is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BitsError {
    /// Another order of bits, or words of another size.
    #[error("the signers' bits are not in words of 64, lowest first")]
    Layout,
    /// Not as many words as the bits need.
    #[error("{words} words do not hold {bits} bits")]
    Length {
        /// Bits announced.
        bits: u64,
        /// Words given.
        words: usize,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct BitsHead {
    width: u8,
    index: u8,
}

#[derive(Serialize, Deserialize)]
struct BitsJson {
    order: String,
    head: BitsHead,
    bits: u64,
    data: Vec<u64>,
}

const ORDER: &str = "bitvec::order::Lsb0";
const WIDTH: u8 = 64;

/// Which validators signed, in the order of the stake table.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "BitsJson", into = "BitsJson")]
pub struct Signers {
    bits: u64,
    words: Vec<u64>,
}

impl TryFrom<BitsJson> for Signers {
    type Error = BitsError;

    fn try_from(json: BitsJson) -> Result<Self, BitsError> {
        if json.order != ORDER || (json.head.width, json.head.index) != (WIDTH, 0) {
            return Err(BitsError::Layout);
        }
        let (bits, words) = (json.bits, json.data);
        if bits.div_ceil(u64::from(WIDTH)) != words.len() as u64 {
            let words = words.len();
            return Err(BitsError::Length { bits, words });
        }
        Ok(Self { bits, words })
    }
}

impl From<Signers> for BitsJson {
    fn from(signers: Signers) -> Self {
        Self {
            order: ORDER.to_owned(),
            head: BitsHead {
                width: WIDTH,
                index: 0,
            },
            bits: signers.bits,
            data: signers.words,
        }
    }
}

impl Signers {
    /// These validators, each by whether it signed.
    pub fn new(signed: &[bool]) -> Self {
        let word = |chunk: &[bool]| {
            let bits = chunk.iter().rev();
            bits.fold(0, |word, bit| word << 1 | u64::from(*bit))
        };
        Self {
            bits: signed.len() as u64,
            words: signed.chunks(usize::from(WIDTH)).map(word).collect(),
        }
    }

    /// How many validators there are.
    pub const fn length(&self) -> u64 {
        self.bits
    }

    /// Whether each validator signed.
    pub fn iter(&self) -> impl Iterator<Item = bool> + '_ {
        let bits = |word: &u64| {
            let word = *word;
            (0..u32::from(WIDTH)).map(move |bit| word >> bit & 1 == 1)
        };
        let all = self.words.iter().flat_map(bits);
        all.take(usize::try_from(self.bits).unwrap_or(usize::MAX))
    }
}

/// The sum of the validators' signatures, and whose they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Signatures(pub BlsSignatureBytes, pub Signers);

impl Signatures {
    /// The bytes that certificates are hashed with.
    fn committed(&self) -> Vec<u8> {
        let Self(signature, signers) = self;
        let tag = BlsSignatureBytes::TAG;
        let mut out = b"Yesbitvec proof".to_vec();
        let number = |out: &mut Vec<u8>, number: u64| out.extend_from_slice(&number.to_le_bytes());
        number(&mut out, ORDER.len() as u64);
        out.extend_from_slice(ORDER.as_bytes());
        out.extend_from_slice(&[WIDTH, 0]);
        number(&mut out, signers.bits);
        number(&mut out, signers.words.len() as u64);
        for word in &signers.words {
            number(&mut out, *word);
        }
        out.extend_from_slice(b"aggregated signature");
        // the signature as an object: its tag, its bytes and its checksum
        let length = 8 + tag.len() + 8 + signature.0.len() + 1;
        number(&mut out, length as u64);
        number(&mut out, tag.len() as u64);
        out.extend_from_slice(tag.as_bytes());
        number(&mut out, signature.0.len() as u64);
        out.extend_from_slice(&signature.0);
        out.push(checksum(tag, &signature.0));
        out
    }
}

/// A certificate: so many validators have signed that it holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Certificate<D> {
    /// What was voted on.
    pub data: D,
    /// What the service says was signed. It is compared, and never believed.
    pub vote_commitment: Commit,
    /// The view of the vote.
    pub view_number: u64,
    /// None at genesis, which nobody signed.
    pub signatures: Option<Signatures>,
    /// Always null.
    #[serde(default, rename = "_pd")]
    pub nothing: (),
}

/// That a leaf is proposed rightly.
pub type QuorumCertificate = Certificate<QuorumData>;

/// That a leaf is final: Certificate2.
pub type FinalCertificate = Certificate<FinalData>;

impl<D: VoteData> Certificate<D> {
    /// A certificate; what is signed follows from what is voted on.
    pub fn new(data: D, view_number: u64, signatures: Option<Signatures>) -> Self {
        let vote_commitment = Commit(vote(&data.commit(), view_number));
        Self {
            data,
            vote_commitment,
            view_number,
            signatures,
            nothing: (),
        }
    }

    /// What the validators sign.
    pub fn message(&self) -> [u8; 32] {
        vote(&self.data.commit(), self.view_number)
    }

    /// The commitment, which leaves hold.
    pub fn commit(&self) -> [u8; 32] {
        let signatures = self.signatures.as_ref().map(Signatures::committed);
        Builder::new("Certificate")
            .field("data", &self.data.commit())
            .field("vote_commitment", &self.vote_commitment.0)
            .field("view number", &view(self.view_number))
            .var_field("signatures", &signatures.unwrap_or_default())
            .finish()
    }
}

/// The commitment to a view's number.
fn view(number: u64) -> [u8; 32] {
    Builder::new("View Number Commitment").u64(number).finish()
}

/// The commitment that is signed, from 0.3 on.
fn vote(data: &[u8; 32], view: u64) -> [u8; 32] {
    Builder::new("Vote").var(data).u64(view).finish()
}
