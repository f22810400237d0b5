//! What is told of an EigenDA certificate. Points are their coordinates, 32 bytes each, as the EVM's
//! precompiles take them.

use alloy_primitives::{Address, B256, Bytes};
use serde::Serialize;

/// The fields, by the version of EigenDA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CertificateContent {
    /// V2, V3 or V4.
    Blob(Box<BlobContent>),
    /// V1.
    First(Box<FirstCertificate>),
}

/// A certificate of versions 2 to 4.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BlobContent {
    /// Root of the tree of the batch's blobs.
    pub batch_root: B256,
    /// The L1 block by whose operators and stakes the batch is judged.
    pub reference_block: u32,
    /// What operators sign.
    pub batch_header_hash: B256,
    /// Number of the leaf.
    pub blob_index: u32,
    /// Siblings on the way to the root, 32 bytes each.
    pub inclusion_proof: Bytes,
    /// The name of the blob.
    pub blob_key: B256,
    /// Version of the blob's parameters.
    pub blob_version: u16,
    /// Quorums that keep it.
    pub quorums: Vec<u8>,
    /// Commitment in G1.
    pub commitment: Bytes,
    /// Commitment in G2.
    pub length_commitment: Bytes,
    /// Proof of the length.
    pub length_proof: Bytes,
    /// Length of the blob, in symbols of 32 bytes.
    pub symbols: u32,
    /// Hash of who pays, when, and how much.
    pub payment_header_hash: B256,
    /// The client's signature.
    pub signature: Bytes,
    /// The account whose signature it is, if it is one.
    pub account: Option<Address>,
    /// Numbers of the relays.
    pub relay_keys: Vec<u32>,
    /// The quorums that signed.
    pub signed_quorums: Vec<SignedQuorum>,
    /// The sum of the signers' keys, in G2.
    pub signers_key: Bytes,
    /// The sum of their signatures.
    pub signers_signature: Bytes,
    /// Who did not sign.
    pub non_signers: Vec<NonSigner>,
    /// Version of the rules that are not on L1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offchain_rules: Option<u16>,
    /// The last L1 block in which it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_inclusion_block: Option<u64>,
}

/// A quorum whose operators signed. What a certificate leaves out is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignedQuorum {
    /// Number of the quorum.
    pub number: u8,
    /// The sum of its operators' keys.
    pub key: Option<Bytes>,
    /// Place in the history of that key.
    pub key_index: Option<u32>,
    /// Place in the history of its stake.
    pub stake_index: Option<u32>,
    /// For each of its non-signers, the place in the history of the stake.
    pub non_signer_stake_indices: Vec<u32>,
}

/// An operator that did not sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NonSigner {
    /// Its id.
    pub id: B256,
    /// Its key.
    pub key: Bytes,
    /// Place in the history of its quorums.
    pub bitmap_index: Option<u32>,
}

/// A certificate of the first version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FirstCertificate {
    /// Commitment in G1.
    pub commitment: Bytes,
    /// Length of the blob, in symbols of 32 bytes.
    pub symbols: u32,
    /// What the blob asks of quorums.
    pub quorums: Vec<FirstQuorum>,
    /// Number of the batch.
    pub batch_id: u32,
    /// Number of the leaf.
    pub blob_index: u32,
    /// Root of the tree of blob headers.
    pub batch_root: B256,
    /// Quorums of the batch.
    pub batch_quorums: Vec<u8>,
    /// Percentage of stake that signed, for each of them.
    pub signed_percentages: Vec<u8>,
    /// The L1 block by whose operators it is judged.
    pub reference_block: u32,
    /// The L1 block that confirmed the batch.
    pub confirmation_block: u32,
    /// What L1 must have kept of the batch for it to count.
    pub metadata_hash: B256,
    /// Siblings on the way to the root, 32 bytes each.
    pub inclusion_proof: Bytes,
    /// For each of the blob's quorums, its place among the batch's.
    pub quorum_places: Vec<u8>,
}

/// What a blob of the first version asks of a quorum. Thresholds are percentages of stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FirstQuorum {
    /// Number of the quorum.
    pub number: u8,
    /// What an adversary may hold.
    pub adversary_threshold: u8,
    /// What must have signed.
    pub confirmation_threshold: u8,
    /// Symbols of a chunk.
    pub chunk_length: u32,
}

/// Why a certificate does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CertificateBreak {
    /// Page and section of the specification.
    pub rule: &'static str,
    /// What is wrong.
    pub reason: String,
}

/// A check of the verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CertificateCheck {
    /// What is checked.
    pub name: &'static str,
    /// Page and section of the specification.
    pub rule: &'static str,
    /// Whether the verdict rests on it.
    pub decides: bool,
    /// What came out.
    pub verdict: CheckVerdict,
}

/// What came out of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckVerdict {
    /// It holds.
    Holds,
    /// It does not.
    Broken {
        /// Why.
        reason: String,
    },
    /// L1 must be asked.
    NeedsL1,
}

/// Storage slots of a contract on L1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct L1State {
    /// The contract.
    pub contract: &'static str,
    /// In whose state.
    pub of: StateOf,
    /// The slots.
    pub slots: Vec<B256>,
}

/// The L1 block in whose state something is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StateOf {
    /// Any canonical block from the inclusion block on.
    AnyLaterBlock,
    /// The inclusion block.
    InclusionBlock,
}
