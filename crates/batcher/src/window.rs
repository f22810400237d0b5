//! Sequencing windows: which blocks derivation will not take from L1 any more, and what it makes in
//! their place.

use crate::block::Block;
use std::sync::Arc;

/// The blocks at the front whose sequencing window has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expired {
    /// How many. At least one.
    pub(crate) count: usize,
    /// Whether derivation makes other blocks in their place.
    pub(crate) is_lost: bool,
}

/// The first L1 block that derivation does not take a batch for a block of this L1 origin from.
// spec: opstack 3.7 #5
pub(crate) const fn closes(origin: u64, window: u64) -> u64 {
    origin.saturating_add(window).saturating_add(1)
}

/// The blocks at the front that can be in no later L1 block than `tip` in time; none if the oldest
/// one still can.
// spec: opstack 3.6
pub(crate) fn expired<'a>(
    blocks: impl Iterator<Item = &'a Arc<Block>>,
    tip: u64,
    window: u64,
) -> Option<Expired> {
    let mut blocks = blocks.peekable();
    let (mut count, mut is_lost) = (0, false);
    while let Some(block) =
        blocks.next_if(|block| closes(block.origin.number, window) <= tip.saturating_add(1))
    {
        count += 1;
        is_lost |= !is_derivations_own(block, blocks.peek().copied());
    }
    (count > 0).then_some(Expired { count, is_lost })
}

/// Whether the block is the one that derivation makes when there is no batch: without users'
/// transactions, and in the next epoch as soon as its time allows.
// spec: opstack 3.6
fn is_derivations_own(block: &Block, next: Option<&Arc<Block>>) -> bool {
    let is_late = |next: &Arc<Block>| {
        next.origin.number > block.origin.number
            && block.sequence_number > 0
            && block.timestamp >= next.origin_time
    };
    block.transactions.is_empty() && !next.is_some_and(is_late)
}
