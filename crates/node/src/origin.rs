//! Which L1 block the sequencer's next block takes its information from.

use doppio_protocol::{L1BlockRef, L2BlockRef, block::BlockId, config::ChainConfig};
use thiserror::Error;

/// What the choice depends on.
#[derive(Clone, Copy, Debug)]
pub struct OriginInput<'a> {
    /// The block that is built on.
    pub head: &'a L2BlockRef,
    /// The L1 origin of the head; none if L1 has no such block any more.
    pub current: Option<&'a L1BlockRef>,
    /// The L1 block after it, as deep as the sequencer wants it; none if there is none yet.
    pub next: Option<&'a L1BlockRef>,
    /// Whether the origin must be the one that derivation would choose for a block that it makes
    /// itself, when a sequencing window has expired: the next L1 block as soon as the block is not
    /// older than it. Then the next one must be known.
    pub recover: bool,
}

/// Why there is no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OriginError {
    /// L1 was reorganised: find the heads again.
    #[error("the L1 origin {origin} of the L2 head is not on L1's canonical chain")]
    Orphaned {
        /// Of the head.
        origin: BlockId,
    },
    /// The next block would be too far ahead of its L1 origin, or has to have the origin that derivation
    /// would choose, and the next L1 block is not there: wait for it.
    #[error("the next L1 origin after {current} is required, and not there yet")]
    NextRequired {
        /// Of the head.
        current: BlockId,
    },
}

/// The L1 origin of the block after the head.
// spec: opstack 4.4
pub fn select_origin(
    chain: &ChainConfig,
    input: OriginInput<'_>,
) -> Result<L1BlockRef, OriginError> {
    let origin = input.head.l1_origin;
    let current = input
        .current
        .filter(|current| current.hash == origin.hash)
        .ok_or(OriginError::Orphaned { origin })?;
    let required = OriginError::NextRequired {
        current: current.id(),
    };
    let time = input.head.timestamp.saturating_add(chain.rollup.block_time);
    let drift = chain.max_sequencer_drift(current.timestamp);
    let past_drift = time > current.timestamp.saturating_add(drift);
    match input.next {
        None if past_drift || input.recover => Err(required),
        None => Ok(*current),
        Some(next) if next.parent_hash != current.hash => Err(OriginError::Orphaned { origin }),
        // an origin is never ahead of its block, whatever the drift
        Some(next) if time >= next.timestamp => Ok(*next),
        Some(_) => Ok(*current),
    }
}
