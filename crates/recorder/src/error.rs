//! Why a chain cannot be recorded.

use doppio_derive::ResetPointError;
use doppio_l1::L1Error;
use doppio_protocol::{block::BlockId, commitment::Commitment};
use doppio_recorded::WriteError;
use doppio_rpc::CallError;
use thiserror::Error;

/// Why a chain cannot be recorded.
#[derive(Debug, Error)]
pub enum RecordError {
    /// L1.
    #[error(transparent)]
    L1(#[from] L1Error),
    /// A call to the rollup node or the engine.
    #[error(transparent)]
    Call(#[from] CallError),
    /// An answer that is none.
    #[error("{server}: the answer to {method} cannot be read: {reason}")]
    Answer {
        /// Who answered.
        server: String,
        /// The method.
        method: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The engine does not give whole blocks.
    #[error(
        "{0} has no debug_getRawBlock, which recording needs: give an L2 node that offers it \
         (op-geth: --http.api eth,debug)"
    )]
    NoRawBlocks(String),
    /// A node of another chain.
    #[error("{server} is of chain {found}, but {key} in the rollup configuration is {expected}")]
    ChainId {
        /// The node.
        server: String,
        /// The configuration's key.
        key: &'static str,
        /// The configuration's value.
        expected: u64,
        /// The node's.
        found: u64,
    },
    /// Nothing would be recorded.
    #[error("--from {from} must be before --to {to}, and not before the first L2 block, {genesis}")]
    Range {
        /// First block.
        from: u64,
        /// Last block.
        to: u64,
        /// The rollup's first block.
        genesis: u64,
    },
    /// The end is not safe yet.
    #[error("L2 block {to} is not safe yet: the rollup node's safe head is {safe}")]
    NotSafe {
        /// Last block.
        to: u64,
        /// The safe head.
        safe: u64,
    },
    /// An L2 block that is not what it should be.
    #[error("L2 block {number}: {reason}")]
    L2Block {
        /// Its height.
        number: u64,
        /// What is wrong.
        reason: String,
    },
    /// The rollup node and the engine do not have the same chain.
    #[error("L2 block {number} is {engine} to the L2 node, but {rollup} to the rollup node")]
    Disagreement {
        /// Its height.
        number: u64,
        /// The engine's block.
        engine: BlockId,
        /// The rollup node's.
        rollup: BlockId,
    },
    /// There is no place on L1 from which the start can be derived on.
    #[error(transparent)]
    Start(#[from] ResetPointError),
    /// L1 does not have a block that it must have.
    #[error("L1 block {0} is not there")]
    NoL1Block(u64),
    /// L1 was reorganised meanwhile.
    #[error("L1 block {next} does not extend {tip}: L1 was reorganised; record older blocks")]
    L1Reorg {
        /// The last block.
        tip: BlockId,
        /// What came after it.
        next: BlockId,
    },
    /// The DA server does not have what derivation needs.
    #[error("the DA server gives nothing for commitment {commitment:?} in L1 block {l1}: {reason}")]
    Payload {
        /// The commitment.
        commitment: Commitment,
        /// The L1 block.
        l1: u64,
        /// Why.
        reason: String,
    },
    /// The folder.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The program ends.
    #[error("the program ends")]
    Ending,
}

impl RecordError {
    /// Whether the same question may have an answer in a while.
    pub(crate) const fn is_passing(&self) -> bool {
        match self {
            Self::L1(error) => matches!(
                error,
                L1Error::NoAnswer { .. }
                    | L1Error::BlobsMissing { .. }
                    | L1Error::Disagreement { .. }
            ),
            Self::Call(error) => matches!(error, CallError::NoAnswer { .. }),
            Self::Payload { .. } => true,
            _ => false,
        }
    }
}
