//! What an answer must satisfy before it is believed. Pure: JSON in, checked values out.
//!
//! Trust starts from a block hash. The header must hash to it; transactions, receipts and
//! withdrawals must have the header's roots; accounts and storage come with a proof from the header's
//! state root; a blob must have the commitment that its transaction names. A field that no hash
//! covers (`from` of a transaction, `logIndex`, `size`, ...) is never read.
//!
//! Nothing here can tell whether a block is *canonical*: that stays the endpoint's word.

mod blobs;
mod block;
mod kept;
mod proof;
mod receipts;

pub use blobs::{read_blobs, versioned_hash};
pub use block::{
    BlockRead, CheckedBlock, CheckedHeader, PendingBlock, read_block, read_header,
    read_pending_block,
};
pub use kept::BlockJson;
pub use proof::{Account, AccountProof, read_proof};
pub use receipts::{ReceiptsAnswer, read_receipts, read_receipts_with_gas};

use alloy_primitives::{Address, B256};
use core::fmt;
use doppio_protocol::block::BlockId;
use serde::{Deserialize, de::DeserializeOwned};
use thiserror::Error;

/// What a block is asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlockAt {
    /// Its hash: the answer can be checked entirely.
    Hash(B256),
    /// Its height on the canonical chain, which is the endpoint's word.
    Number(u64),
    /// A label, which is the endpoint's word.
    Label(Label),
}

/// A block that L1 has a name for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Label {
    /// The newest block.
    Latest,
    /// The newest block that the beacon chain has justified.
    Safe,
    /// The newest block that the beacon chain has finalized.
    Finalized,
}

impl Label {
    /// As JSON-RPC has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Latest => "latest",
            Self::Safe => "safe",
            Self::Finalized => "finalized",
        }
    }
}

impl fmt::Display for BlockAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hash(hash) => write!(f, "{hash}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Label(label) => f.write_str(label.as_str()),
        }
    }
}

/// The rule that an answer breaks.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// Not the JSON that the method answers with.
    #[error("{what} cannot be read: {error}")]
    Json {
        /// What was read.
        what: &'static str,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// The header has another hash than the answer says.
    #[error(
        "the header of L1 block {number} hashes to {found}, not to {claimed}{}",
        unknown_fields(.unknown)
    )]
    HeaderHash {
        /// Height that the header has.
        number: u64,
        /// The answer's hash.
        claimed: B256,
        /// Hash of the header's fields.
        found: B256,
        /// Fields of the answer that this release does not know. A new L1 fork may have added them
        /// to the header.
        unknown: Vec<String>,
    },
    /// A block that was not asked for.
    #[error("asked for L1 block {asked}, got {found}")]
    OtherBlock {
        /// Asked for.
        asked: BlockAt,
        /// Given.
        found: BlockId,
    },
    /// A transaction that cannot be read.
    #[error("transaction {index} of L1 block {block}: {reason}")]
    Transaction {
        /// The block.
        block: BlockId,
        /// Position in the block.
        index: usize,
        /// What is wrong.
        reason: String,
    },
    /// The answer's list does not have the header's root.
    #[error("the {list} of L1 block {block} have root {found}, the header says {expected}")]
    Root {
        /// The block.
        block: BlockId,
        /// Which list.
        list: &'static str,
        /// Of the header; none if the header has no such root.
        expected: Maybe<B256>,
        /// Computed; none if the answer has no such list.
        found: Maybe<B256>,
    },
    /// A receipt that cannot be read.
    #[error("receipt {index} of L1 block {block}: {reason}")]
    Receipt {
        /// The block.
        block: BlockId,
        /// Position in the block.
        index: usize,
        /// What is wrong.
        reason: String,
    },
    /// More or fewer receipts than transactions.
    #[error("L1 block {block} has {transactions} transactions, the answer {receipts} receipts")]
    ReceiptCount {
        /// The block.
        block: BlockId,
        /// Transactions of the block.
        transactions: usize,
        /// Receipts of the answer.
        receipts: usize,
    },
    /// An account that was not asked for.
    #[error("asked for a proof of {asked}, got one of {found}")]
    OtherAccount {
        /// Asked for.
        asked: Address,
        /// Given.
        found: Address,
    },
    /// The storage slots are not those that were asked for.
    #[error("the proof of {0} is not of the storage slots that were asked for")]
    OtherSlots(Address),
    /// A proof that does not lead from the state root to the answer.
    #[error("the proof of {what} does not lead to state root {root}: {reason}")]
    Proof {
        /// An account or a slot.
        what: String,
        /// Root of the state or of the account's storage.
        root: B256,
        /// What is wrong.
        reason: String,
    },
    /// A blob of another size, or none at all by the rules of KZG.
    #[error("a blob of the answer is none: {0}")]
    BlobForm(String),
    /// A blob that nobody asked for.
    #[error("the answer has a blob whose versioned hash is {0}, which was not asked for")]
    OtherBlob(B256),
    /// A sidecar whose blob is not what its commitment says.
    #[error("a sidecar's blob has versioned hash {found}, its commitment {claimed}")]
    Sidecar {
        /// Of the sidecar's commitment.
        claimed: B256,
        /// Of the blob.
        found: B256,
    },
}

/// A value that may be absent, for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maybe<T>(pub Option<T>);

impl<T: fmt::Display> fmt::Display for Maybe<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("none"),
        }
    }
}

fn unknown_fields(names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    format!(
        "; it has fields that this release does not know ({}): if L1 has a new fork, upgrade",
        names.join(", ")
    )
}

fn parse<T: DeserializeOwned>(what: &'static str, json: &str) -> Result<T, VerifyError> {
    serde_json::from_str(json).map_err(|error| VerifyError::Json { what, error })
}

/// A number of at most 64 bits in hexadecimal.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "alloy_primitives::U256")]
struct Quantity(u64);

impl TryFrom<alloy_primitives::U256> for Quantity {
    type Error = String;

    fn try_from(value: alloy_primitives::U256) -> Result<Self, String> {
        u64::try_from(value)
            .map(Self)
            .map_err(|_| format!("{value} does not fit 64 bits"))
    }
}
