//! The heads of both chains.

use doppio_protocol::{L1BlockRef, L2BlockRef};

/// The heads of the L2 chain: unsafe, pending safe, safe, finalized, each an ancestor of the one
/// before it or the same.
// spec: opstack 4.2
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// The newest block, whoever made it.
    pub unsafe_head: L2BlockRef,
    /// The newest block that was derived. Before Holocene it is ahead of the safe one within a span.
    pub pending_safe: L2BlockRef,
    /// The newest block that was derived and is complete.
    pub safe: L2BlockRef,
    /// The newest block whose data is on finalized L1.
    pub finalized: L2BlockRef,
}

/// What is known of L1; none before it was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct L1Heads {
    /// The newest block.
    pub head: Option<L1BlockRef>,
    /// The newest safe block.
    pub safe: Option<L1BlockRef>,
    /// The newest finalized block.
    pub finalized: Option<L1BlockRef>,
}
