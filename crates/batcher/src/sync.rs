//! What the node's status means for what is held.

use crate::{block::Blocks, event::SyncStatus};
use alloy_primitives::B256;
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

/// Whether a head that is needed is not known.
// spec: opstack 7.2, opstack-2026-09 7 *2
pub(crate) fn is_empty(status: &SyncStatus) -> bool {
    let heads = [
        status.head_l1.hash,
        status.current_l1.hash,
        status.local_safe.hash,
        status.unsafe_head.hash,
    ];
    heads.contains(&B256::ZERO)
}

/// What the safe and the unsafe head mean for the blocks that are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// They are of the same chain.
    Fits,
    /// Nothing is held, and loading begins elsewhere.
    Rebase,
    /// They are not.
    Unfit(ResetReason),
}

/// Compares.
// spec: opstack 7.2
pub(crate) fn compare(status: &SyncStatus, blocks: &Blocks) -> Verdict {
    let safe = status.local_safe.id();
    let Some(base) = blocks.base() else {
        return Verdict::Rebase;
    };
    let Some(newest) = blocks.newest().filter(|_| !blocks.is_empty()) else {
        return if base == safe {
            Verdict::Fits
        } else {
            Verdict::Rebase
        };
    };
    if safe.number < base.number {
        return Verdict::Unfit(ResetReason::SafeBehind {
            safe: safe.number,
            oldest: base.number.saturating_add(1),
        });
    }
    if safe.number > newest.number {
        return Verdict::Unfit(ResetReason::SafeAhead {
            safe: safe.number,
            newest: newest.number,
        });
    }
    let held = |number| match blocks.get(number) {
        Some(block) => Some(block.id),
        None => Some(base).filter(|base| base.number == number),
    };
    if let Some(held) = held(safe.number).filter(|held| *held != safe) {
        return Verdict::Unfit(ResetReason::SafeReorg { safe, held });
    }
    let head = status.unsafe_head.id();
    match held(head.number).filter(|held| *held != head) {
        Some(held) => Verdict::Unfit(ResetReason::UnsafeReorg { head, held }),
        None => Verdict::Fits,
    }
}
