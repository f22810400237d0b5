//! What a rollup node says of both chains.

use doppio_protocol::{L1BlockRef, L2BlockRef};
use serde::{Deserialize, Serialize};

/// The heads of both chains, as `optimism_syncStatus` gives them. Zero where nothing is known yet.
// spec: opstack 5.1, opstack-2026-09 5 *1
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SyncStatus {
    /// The L1 block that derivation is at: lower ones are complete.
    pub current_l1: L1BlockRef,
    /// The same as `finalized_l1`; old programs read it.
    pub current_l1_finalized: L1BlockRef,
    /// The newest L1 block.
    pub head_l1: L1BlockRef,
    /// The newest safe L1 block.
    pub safe_l1: L1BlockRef,
    /// The newest finalized L1 block.
    pub finalized_l1: L1BlockRef,
    /// The newest L2 block.
    pub unsafe_l2: L2BlockRef,
    /// The newest L2 block that is derived from L1.
    pub safe_l2: L2BlockRef,
    /// The newest L2 block whose data is on finalized L1.
    pub finalized_l2: L2BlockRef,
    /// The newest L2 block that is derived, perhaps in the middle of a span.
    pub pending_safe_l2: L2BlockRef,
    /// The same as `safe_l2` for a chain that depends on no other.
    pub local_safe_l2: L2BlockRef,
}
