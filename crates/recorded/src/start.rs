//! start.json: where derivation of a recording begins that does not begin at genesis.
//!
//! It is what op-node would find after a restart: a safe head, and an L1 block so far before the
//! head's origin that no channel from before it still counts. All of it is checked against the
//! recording's blocks.

use crate::recording::{RecordedL2Block, RecordingError};
use doppio_derive::ResetPoint;
use doppio_protocol::{
    block::{BlockId, L2BlockRef},
    config::ChainConfig,
    l1::L1Block,
    system_config::SystemConfig,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use thiserror::Error;

/// The content of start.json.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// The block that is safe already, and that the first derived block extends.
    pub safe_head: L2BlockRef,
    /// System configuration as of the safe head.
    pub system_config: SystemConfig,
    /// The L1 block that derivation reads first. L1 blocks before it are there to be looked up, if
    /// there are any.
    pub l1_start: BlockId,
    /// System configuration as of the L2 block whose L1 origin that is.
    pub l1_start_config: SystemConfig,
}

/// How start.json contradicts the recording.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum StartError {
    /// A value is not the one of the recorded blocks.
    #[error("start.json says {name} {start}, but the recorded blocks say {recorded}")]
    Differs {
        /// The value's place in start.json.
        name: &'static str,
        /// In start.json.
        start: String,
        /// In the recording.
        recorded: String,
    },
    /// The recording does not hold the safe head.
    #[error("the recording does not hold L2 block {0}, the safe head of start.json")]
    NoSafeHead(BlockId),
    /// L2 blocks are missing from the safe head on.
    #[error("the recording does not hold L2 block {0}, but later ones")]
    Gap(u64),
    /// Channels from before the first L1 block may still count.
    #[error(
        "start.json begins at L1 block {l1_start}, but a channel may be open for {timeout} L1 \
         blocks before block {origin}, the origin of the safe head"
    )]
    TooLate {
        /// The first L1 block.
        l1_start: u64,
        /// The channel timeout at it, in L1 blocks.
        timeout: u64,
        /// The safe head's L1 origin.
        origin: u64,
    },
}

/// Fails unless a value of start.json is the recorded one.
fn compare<T: PartialEq + core::fmt::Debug>(
    name: &'static str,
    start: &T,
    recorded: &T,
) -> Result<(), StartError> {
    if start == recorded {
        return Ok(());
    }
    let [start, recorded] = [start, recorded].map(|value| format!("{value:?}"));
    Err(StartError::Differs {
        name,
        start,
        recorded,
    })
}

impl Start {
    /// Where the pipeline starts.
    pub const fn reset_point(&self) -> ResetPoint {
        ResetPoint {
            safe_head: self.safe_head,
            safe_config: self.system_config,
            l1_start: self.l1_start,
            l1_start_config: self.l1_start_config,
        }
    }

    /// Checks what the recorded L2 blocks say.
    pub(crate) fn check_l2(
        &self,
        chain: &ChainConfig,
        l2_blocks: &[RecordedL2Block],
    ) -> Result<(), RecordingError> {
        let id = self.safe_head.id();
        let at = l2_blocks
            .binary_search_by_key(&id.number, |block| block.number)
            .map_err(|_| StartError::NoSafeHead(id))?;
        let later = l2_blocks.get(at..).unwrap_or_default();
        for (block, number) in later.iter().zip(id.number..) {
            if block.number != number {
                return Err(StartError::Gap(number).into());
            }
        }
        let Some(recorded) = later.first() else {
            return Err(StartError::NoSafeHead(id).into());
        };
        let block = recorded.decode()?;
        let decoded = |error| RecordingError::L2 {
            number: id.number,
            error,
        };
        let (start, found) = (&self.safe_head, block.block_ref(chain).map_err(decoded)?);
        compare("safe_head.hash", &start.hash, &found.hash)?;
        compare(
            "safe_head.parentHash",
            &start.parent_hash,
            &found.parent_hash,
        )?;
        compare("safe_head.timestamp", &start.timestamp, &found.timestamp)?;
        compare("safe_head.l1origin", &start.l1_origin, &found.l1_origin)?;
        let numbers = (&start.sequence_number, &found.sequence_number);
        compare("safe_head.sequenceNumber", numbers.0, numbers.1)?;
        let config = block.system_config(chain).map_err(decoded)?;
        compare("system_config", &self.system_config, &config)?;
        Ok(())
    }
}

/// Checks start.json against the L1 blocks, one by one as they are read.
pub(crate) struct L1Check {
    chain: Arc<ChainConfig>,
    start: Start,
    /// System configuration as of the newest L1 block, from the first one on that derivation reads
    /// to the safe head's origin.
    config: Option<SystemConfig>,
}

impl L1Check {
    pub(crate) const fn new(chain: Arc<ChainConfig>, start: Start) -> Self {
        Self {
            chain,
            start,
            config: None,
        }
    }

    pub(crate) fn check(&mut self, block: &L1Block) -> Result<(), RecordingError> {
        let Start {
            l1_start,
            safe_head,
            ..
        } = &self.start;
        let id = block.header.id();
        let origin = safe_head.l1_origin;
        if id.number < l1_start.number || id.number > origin.number {
            return Ok(());
        }
        if id.number == l1_start.number {
            compare("l1_start.hash", &l1_start.hash, &id.hash)?;
            let timeout = self.chain.channel_timeout(block.header.timestamp);
            if *l1_start != self.chain.rollup.genesis.l1
                && l1_start.number.saturating_add(timeout) > origin.number
            {
                return Err(StartError::TooLate {
                    l1_start: l1_start.number,
                    timeout,
                    origin: origin.number,
                }
                .into());
            }
            self.config = Some(self.start.l1_start_config);
        } else {
            let config = self.config.as_mut();
            let config = config.ok_or(RecordingError::NoStart(*l1_start))?;
            config.apply_l1_block(&self.chain, block);
        }
        if id.number == origin.number {
            compare("safe_head.l1origin", &origin.hash, &id.hash)?;
            // the batcher alone is what derivation takes from this configuration, and the one
            // value that every L2 block carries as it was set
            if let Some(config) = self.config.take() {
                let expected = self.start.system_config.batcher;
                compare("l1_start_config.batcherAddr", &config.batcher, &expected)?;
            }
        }
        Ok(())
    }
}
