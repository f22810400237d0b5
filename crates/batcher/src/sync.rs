//! What the node's status means for what is held.

use doppio_protocol::block::BlockId;
use thiserror::Error;

/// Why a status of the node is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
pub enum OutOfSync {
    /// A head is not known yet.
    #[error("the node does not know all heads yet")]
    Empty,
    /// The node reads L1 again that it had read.
    #[error("the node is at L1 block {at}, and was at {was}: it derives again")]
    Behind {
        /// Where it is.
        at: u64,
        /// Where it was.
        was: u64,
    },
}

/// Why everything that is held is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ResetReason {
    /// The safe head went back behind what was forgotten as safe.
    #[error("the safe head is at {safe}, and blocks are held from {oldest} on")]
    SafeBehind {
        /// The safe head.
        safe: u64,
        /// The oldest block held.
        oldest: u64,
    },
    /// The safe head is ahead of everything that is held.
    #[error("the safe head is at {safe}, and blocks are held up to {newest}")]
    SafeAhead {
        /// The safe head.
        safe: u64,
        /// The newest block held.
        newest: u64,
    },
    /// The safe head is another block than the one held.
    #[error("the safe head is {safe}, and the block held is {held}")]
    SafeReorg {
        /// The safe head.
        safe: BlockId,
        /// The block held.
        held: BlockId,
    },
    /// The unsafe head is another block than the one held.
    #[error("the unsafe head is {head}, and the block held is {held}")]
    UnsafeReorg {
        /// The unsafe head.
        head: BlockId,
        /// The block held.
        held: BlockId,
    },
    /// A block that was loaded does not follow the one before it.
    #[error("the block {block} does not follow the block {before}")]
    ParentMismatch {
        /// The block.
        block: BlockId,
        /// The one before it.
        before: BlockId,
    },
    /// It was stopped, and starts again.
    #[error("it starts again")]
    Restarted,
    /// Something that cannot be by this program's own rules.
    #[error("a bug: {0}")]
    Bug(&'static str),
}
