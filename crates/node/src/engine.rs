//! What the engine is asked, and what its answers mean.

use crate::heads::Heads;
use alloy_primitives::B256;
use doppio_protocol::{attributes::PayloadAttributes, l2::L2Block};
use std::sync::Arc;
use thiserror::Error;

/// A call of the Engine API.
// spec: opstack 4.1
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineCall {
    /// `engine_forkchoiceUpdated`: the chain goes to a head; with attributes, a block is begun on it.
    ForkChoice {
        /// The head.
        head: B256,
        /// The safe block.
        safe: B256,
        /// The finalized block.
        finalized: B256,
        /// What to build, if anything.
        attributes: Option<Arc<PayloadAttributes>>,
    },
    /// `engine_getPayload`: the block that was begun.
    GetPayload {
        /// Its name.
        id: [u8; 8],
        /// Time of the block, by which the version of the call is chosen.
        timestamp: u64,
    },
    /// `engine_newPayload`: a block, to be executed.
    NewPayload(Arc<L2Block>),
}

impl EngineCall {
    /// The fork choice that tells the engine of these heads.
    pub(crate) const fn heads(heads: &Heads) -> Self {
        Self::fork_choice(heads.unsafe_head.hash, heads)
    }

    /// The fork choice that makes a block the head.
    pub(crate) const fn fork_choice(head: B256, heads: &Heads) -> Self {
        Self::ForkChoice {
            head,
            safe: heads.safe.hash,
            finalized: heads.finalized.hash,
            attributes: None,
        }
    }

    /// The head of a fork choice.
    pub(crate) const fn head(&self) -> Option<B256> {
        match self {
            Self::ForkChoice { head, .. } => Some(*head),
            _ => None,
        }
    }

    /// A fork choice without what is to be built.
    pub(crate) fn without_attributes(self) -> Self {
        match self {
            Self::ForkChoice {
                head,
                safe,
                finalized,
                ..
            } => Self::ForkChoice {
                head,
                safe,
                finalized,
                attributes: None,
            },
            other => other,
        }
    }
}

/// What the engine thinks of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineStatus {
    /// It is executed.
    Valid,
    /// It can never be: the engine's reason.
    Invalid(String),
    /// The engine does not know yet: it gets what it lacks.
    Syncing,
    /// The engine keeps the block, and does not execute it: it is not on its chain.
    Accepted,
}

/// An answer of the Engine API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineAnswer {
    /// To [`EngineCall::ForkChoice`].
    ForkChoice {
        /// What the engine thinks of the head.
        status: EngineStatus,
        /// The name of the block that was begun.
        payload: Option<[u8; 8]>,
    },
    /// To [`EngineCall::GetPayload`].
    Payload(Arc<L2Block>),
    /// To [`EngineCall::NewPayload`].
    Status(EngineStatus),
    /// To any call: an error.
    Error(EngineError),
}

/// An error of the engine, sorted by what follows from it. An engine that cannot be reached, or that
/// does not answer in time, has not answered: the call is made again.
// spec: opstack 4.1
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EngineError {
    /// The engine does not have what the fork choice names: find the heads again.
    #[error("the engine does not accept the fork choice: {0}")]
    InvalidForkChoice(String),
    /// No block can have these attributes.
    #[error("the engine does not accept the attributes: {0}")]
    InvalidAttributes(String),
    /// The block that was begun is gone: begin again.
    #[error("the engine has lost the block that it was building: {0}")]
    UnknownPayload(String),
    /// Another error of the Engine API. If it is the answer to attributes, the engine's state is not
    /// what it should be.
    #[error("the engine does not accept the call: {0}")]
    Input(String),
    /// Anything else: try again.
    #[error("the engine failed: {0}")]
    Temporary(String),
}

impl EngineError {
    /// Sorts an error of JSON-RPC by its code.
    // spec: opstack 4.1, opstack-2026-09 4.1 *3
    pub fn from_code(code: i64, message: impl Into<String>) -> Self {
        let message = message.into();
        match code {
            -38001 => Self::UnknownPayload(message),
            -38002 => Self::InvalidForkChoice(message),
            -38003 => Self::InvalidAttributes(message),
            -38099..=-38000 => Self::Input(message),
            _ => Self::Temporary(message),
        }
    }
}
