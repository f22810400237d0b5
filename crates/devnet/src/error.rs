//! What can go wrong.

use crate::{programs::ProgramsError, supersim::SupersimError};
use alloy_primitives::B256;
use doppio_engine::GenesisError;
use doppio_protocol::{
    batch::SpanWriteError,
    blob::BlobError,
    config::{ChainConfigError, L1ConfigError},
    frame::SplitError,
    l2::L2BlockError,
};
use doppio_rpc::{CallError, UrlError};
use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};
use thiserror::Error;

/// Why an L1 does not start, or does not do what it is told.
#[derive(Debug, Error)]
pub enum DevnetError {
    /// A program is missing.
    #[error(transparent)]
    Programs(#[from] ProgramsError),
    /// The contracts cannot be read.
    #[error(transparent)]
    Supersim(#[from] SupersimError),
    /// A file or folder cannot be used.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        error: io::Error,
    },
    /// A program does not start.
    #[error("{program} does not start: {error}")]
    Spawn {
        /// Its path.
        program: PathBuf,
        /// What is wrong.
        error: io::Error,
    },
    /// anvil ended by itself.
    #[error("anvil has ended ({status}). It printed last:\n{output}")]
    Ended {
        /// How it ended.
        status: String,
        /// The end of what it printed.
        output: String,
    },
    /// anvil does not listen in time.
    #[error("anvil does not listen after {after:?}. It printed last:\n{output}")]
    NotReady {
        /// How long was waited.
        after: Duration,
        /// The end of what it printed.
        output: String,
    },
    /// No server can be started on this machine.
    #[error("no port of this machine can be listened on: {0}")]
    Listen(io::Error),
    /// A URL that is none.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// A call that fails, or has no answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// An answer that is not what the method gives.
    #[error("{method} of {url} gives something else than was expected: {reason}")]
    Answer {
        /// The server.
        url: String,
        /// The method.
        method: String,
        /// What is wrong.
        reason: String,
    },
    /// A block that is not there.
    #[error("{url} has no block {at}")]
    NoBlock {
        /// The server.
        url: String,
        /// Its number or label.
        at: String,
    },
    /// A reorganisation or rollback beyond the first block of the rollup.
    #[error(
        "{depth} blocks below L1 block {head} is block {LOWEST} or lower, which must stay: the \
         rollup begins there",
        LOWEST = crate::ROLLUP_START
    )]
    TooDeep {
        /// How many blocks were to go.
        depth: u64,
        /// The newest block.
        head: u64,
    },
    /// A key that cannot be derived, or a signature that cannot be made.
    #[error("{0}")]
    Key(String),
    /// KZG fails: a blob with a field element that is none, or a proof that does not hold.
    #[error("KZG: {0}")]
    Kzg(String),
    /// A transaction is not in a block in time.
    #[error("transaction {hash} is in no block after {after:?}")]
    NotIncluded {
        /// The transaction.
        hash: B256,
        /// How long was waited.
        after: Duration,
    },
    /// A transaction is in a block and has failed.
    #[error("transaction {hash} has failed in block {block}")]
    Reverted {
        /// The transaction.
        hash: B256,
        /// The block.
        block: u64,
    },
    /// The contracts on L1 are of another chain.
    #[error("the SystemConfig on L1 is of chain {found}, not of {expected}")]
    OtherChain {
        /// The chain that was asked for.
        expected: u64,
        /// The contract's.
        found: u64,
    },
    /// The options make no rollup configuration that a node would take.
    #[error("rollup.json would be refused: {0}")]
    Chain(#[from] ChainConfigError),
    /// The L1's chain configuration is refused.
    #[error(transparent)]
    L1Config(#[from] L1ConfigError),
    /// The options make no genesis that can be executed.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The options make no L1.
    #[error("{0}")]
    Options(&'static str),
    /// The first L2 block, which no batch describes.
    #[error("L2 block {0} is the first one, and no batch describes it")]
    NoBatch(u64),
    /// The L2 chain has no block of this height, or no longer.
    #[error("there is no L2 block {0}; was the chain reorganised?")]
    NoL2Block(u64),
    /// An L2 block that cannot be read.
    #[error(transparent)]
    L2Block(#[from] L2BlockError),
    /// Blocks that make no span batch.
    #[error(transparent)]
    Span(#[from] SpanWriteError),
    /// A channel that cannot be cut into frames.
    #[error(transparent)]
    Split(#[from] SplitError),
    /// Data that does not fit into a blob.
    #[error(transparent)]
    Blob(#[from] BlobError),
}

impl DevnetError {
    /// A file or folder cannot be used.
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io {
            path: path.to_owned(),
            error,
        }
    }
}
