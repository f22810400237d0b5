//! What was dropped, and why.

use super::Place;
use crate::batch::{ContentError, DecodeError};
use alloy_primitives::{Address, B256};
use doppio_derive::BatchDrop;
use std::collections::VecDeque;
use thiserror::Error;

/// Most drops that are kept until they are taken.
pub const MAX_DROPS: usize = 4096;

/// Why a transaction gives no L2 block.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DropReason {
    /// Another rollup's.
    #[error("it is in namespace {0}")]
    Namespace(u64),
    /// No batch.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Signed by somebody who may not.
    #[error("{signer} signed it, and the batcher is {batcher:?}")]
    Signer {
        /// Who signed.
        signer: Address,
        /// Who may; none if nobody, or if it is not one of those who ever could.
        batcher: Option<Address>,
    },
    /// At another time than the rollup's schedule has for its number.
    #[error("its time is not that of block {0}")]
    Time(u64),
    /// For a block that is there already.
    #[error("block {0} is there already")]
    Past(u64),
    /// The same batch, or a copy of one that was dropped.
    #[error("the same batch stands before it")]
    Duplicate,
    /// An earlier batch for the same block counts.
    #[error("an earlier batch for block {0} counts")]
    Superseded(u64),
    /// On another fork.
    #[error("it builds on {0}, which is not the last block")]
    Parent(B256),
    /// It contradicts itself.
    #[error(transparent)]
    Content(ContentError),
    /// Derivation would drop it.
    #[error(transparent)]
    Rule(BatchDrop),
    /// Its L1 info counts other blocks of the epoch than there are.
    #[error("it is block {found} of its epoch by its own account, and block {expected} in fact")]
    SequenceNumber {
        /// What follows from the block before.
        expected: u64,
        /// What the L1 info says.
        found: u64,
    },
}

impl DropReason {
    /// A name for counting.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Namespace(_) => "namespace",
            Self::Decode(_) => "decode",
            Self::Signer { .. } => "signer",
            Self::Time(_) => "time",
            Self::Past(_) => "past",
            Self::Duplicate => "duplicate",
            Self::Superseded(_) => "superseded",
            Self::Parent(_) => "parent",
            Self::Content(_) => "content",
            Self::Rule(broken) => broken.name(),
            Self::SequenceNumber { .. } => "sequence_number",
        }
    }
}

/// A transaction that was dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drop {
    /// Where it stands.
    pub place: Place,
    /// Why.
    pub reason: DropReason,
}

#[derive(Clone, Debug)]
pub(super) struct DropLog {
    kept: VecDeque<Drop>,
    forgotten: u64,
}

impl DropLog {
    pub(super) const fn new() -> Self {
        Self {
            kept: VecDeque::new(),
            forgotten: 0,
        }
    }

    pub(super) fn push(&mut self, drop: Drop) {
        if self.kept.len() >= MAX_DROPS {
            self.kept.pop_front();
            self.forgotten = self.forgotten.saturating_add(1);
        }
        self.kept.push_back(drop);
    }

    pub(super) fn take(&mut self) -> (Vec<Drop>, u64) {
        (
            std::mem::take(&mut self.kept).into(),
            std::mem::take(&mut self.forgotten),
        )
    }
}
