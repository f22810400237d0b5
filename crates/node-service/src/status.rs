//! What the node tells of itself.

use doppio_l2::SyncStatus;
use doppio_node::{Heads, L1Heads};
use doppio_protocol::{L1BlockRef, L2BlockRef};

/// What the node tells of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeStatus {
    /// The heads.
    pub sync: SyncStatus,
    /// Whether it makes blocks.
    pub is_sequencing: bool,
}

/// The heads, as they are told. `current` is the L1 block that derivation is at.
pub(crate) fn sync_status(
    heads: Option<&Heads>,
    l1: &L1Heads,
    current: Option<&L1BlockRef>,
) -> SyncStatus {
    let finalized_l1 = l1.finalized.unwrap_or_default();
    let l2 = |head: fn(&Heads) -> L2BlockRef| heads.map(head).unwrap_or_default();
    let safe = l2(|heads| heads.safe);
    SyncStatus {
        current_l1: current.copied().unwrap_or_default(),
        current_l1_finalized: finalized_l1,
        head_l1: l1.head.unwrap_or_default(),
        safe_l1: l1.safe.unwrap_or_default(),
        finalized_l1,
        unsafe_l2: l2(|heads| heads.unsafe_head),
        safe_l2: safe,
        finalized_l2: l2(|heads| heads.finalized),
        pending_safe_l2: l2(|heads| heads.pending_safe),
        local_safe_l2: safe,
    }
}
