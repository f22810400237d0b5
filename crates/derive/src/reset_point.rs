//! Where on L1 the pipeline starts, for a given safe head.
//!
//! A channel whose frames complete after the safe head's L1 origin may have been opened up to a
//! channel timeout before it.

use crate::{
    lookup::{Answers, Found, Halt, Lookup, NotAsked, Search},
    step::ResetPoint,
};
use alloy_primitives::B256;
use doppio_protocol::{L1BlockRef, L2BlockRef, block::BlockId, config::ChainConfig};
use std::sync::Arc;
use thiserror::Error;

/// Why there is no reset point. Find the heads again: a chain has been reorganised meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ResetPointError {
    /// The engine does not have the parent of a block of its chain.
    #[error("L2 block {parent}, the parent of {child}, is not there")]
    L2Parent {
        /// Whose parent.
        child: BlockId,
        /// The parent's hash.
        parent: B256,
    },
    /// L1 does not know the origin of an L2 block.
    #[error("L1 block {origin}, the origin of L2 block {block}, is not there")]
    L1Origin {
        /// The L2 block.
        block: BlockId,
        /// Its origin.
        origin: BlockId,
    },
    /// The engine cannot tell the system configuration of a block of its chain.
    #[error("the system configuration as of L2 block {0} is not there")]
    SystemConfig(BlockId),
}

/// The search for the point at which the pipeline starts.
// spec: opstack 3.14
#[derive(Clone, Debug)]
pub struct FindResetPoint {
    chain: Arc<ChainConfig>,
    safe_head: L2BlockRef,
    /// How far back the walk is.
    block: L2BlockRef,
    /// The L1 origin of that block, or of one above it that has the same.
    origin: Option<L1BlockRef>,
    answers: Answers,
}

impl FindResetPoint {
    /// A search for where to start so that `safe_head` is extended.
    pub fn new(chain: Arc<ChainConfig>, safe_head: L2BlockRef) -> Self {
        Self {
            chain,
            safe_head,
            block: safe_head,
            origin: None,
            answers: Answers::default(),
        }
    }

    /// Goes on as far as possible.
    pub fn step(&mut self) -> Result<Search<ResetPoint>, ResetPointError> {
        loop {
            match self.round() {
                Ok(Some(point)) => return Ok(Search::Found(point)),
                Ok(None) => self.answers.next_round(),
                Err(Halt::Need(lookup)) => return Ok(Search::Need(lookup)),
                Err(Halt::Failed(error)) => return Err(error),
            }
        }
    }

    /// Takes the answer to the lookup that [`FindResetPoint::step`] asked for.
    pub fn supply(&mut self, found: Found) -> Result<(), NotAsked> {
        self.answers.supply(found)
    }

    /// Goes back one block, or ends.
    // spec: opstack 3.14
    fn round(&mut self) -> Result<Option<ResetPoint>, Halt<ResetPointError>> {
        let Self {
            chain,
            safe_head,
            block,
            answers,
            ..
        } = self;
        let origin = match self.origin {
            Some(origin) if origin.hash == block.l1_origin.hash => origin,
            _ => answers
                .l1(Lookup::L1ByHash(block.l1_origin.hash))?
                .ok_or_else(|| ResetPointError::L1Origin {
                    block: block.id(),
                    origin: block.l1_origin,
                })?,
        };
        let genesis = &chain.rollup.genesis;
        let timeout = chain.channel_timeout(origin.timestamp);
        if block.number > genesis.l2.number
            && block.l1_origin.number > genesis.l1.number
            && block.l1_origin.number.saturating_add(timeout) > safe_head.l1_origin.number
        {
            let parent = answers
                .l2(Lookup::L2ByHash(block.parent_hash))?
                .ok_or_else(|| ResetPointError::L2Parent {
                    child: block.id(),
                    parent: block.parent_hash,
                })?;
            self.origin = Some(origin);
            self.block = parent;
            return Ok(None);
        }
        let mut config = |block: &L2BlockRef| {
            answers
                .system_config(block.hash)?
                .ok_or_else(|| Halt::Failed(ResetPointError::SystemConfig(block.id())))
        };
        Ok(Some(ResetPoint {
            safe_head: *safe_head,
            safe_config: config(safe_head)?,
            l1_start: origin.id(),
            l1_start_config: config(block)?,
        }))
    }
}
