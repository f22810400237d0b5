//! The sequencer: makes blocks on some head, and keeps what a batcher can post of them.

use crate::{engine, l1::L1, random::Random};
use alloy_primitives::Bytes;
use doppio_derive::{Epoch, EpochUpdates, build_attributes};
use doppio_protocol::{
    BlockId, L2BlockRef,
    batch::{SingularBatch, TransactionList},
    config::ChainConfig,
    system_config::SystemConfig,
};
use std::sync::Arc;

/// A block as a batch.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) batch: SingularBatch,
    pub(crate) block: BlockId,
    /// Whether it is the first block of its epoch.
    pub(crate) first_of_epoch: bool,
}

/// The sequencer.
#[derive(Clone, Debug)]
pub(crate) struct Sequencer {
    chain: Arc<ChainConfig>,
    pub(crate) head: L2BlockRef,
    config: SystemConfig,
    /// The last blocks that were made, in order.
    pub(crate) made: Vec<Made>,
    /// How many of them the batcher has taken.
    pub(crate) taken: usize,
}

/// Blocks that are kept for posting them again.
const KEPT: usize = 60;

impl Sequencer {
    pub(crate) const fn new(
        chain: Arc<ChainConfig>,
        head: L2BlockRef,
        config: SystemConfig,
    ) -> Self {
        Self {
            chain,
            head,
            config,
            made: Vec::new(),
            taken: 0,
        }
    }

    /// Goes on from another head. What was made stays available as what can be posted again.
    pub(crate) fn go_on_from(&mut self, head: L2BlockRef, config: SystemConfig) {
        self.head = head;
        self.config = config;
        self.taken = self.made.len();
    }

    /// Makes a block. None if it cannot be made on this L1.
    pub(crate) fn make(
        &mut self,
        random: &mut Random,
        l1: &L1,
        laziness: u64,
        transactions: TransactionList,
        refused: impl Fn(&Bytes) -> bool,
    ) -> Option<()> {
        let time = self.head.timestamp + self.chain.rollup.block_time;
        let current = l1.by_number(self.head.l1_origin.number)?;
        let next = l1.by_number(self.head.l1_origin.number + 1);
        // the newest origin, or late with it
        let advances = next.is_some_and(|next| next.header.timestamp <= time);
        let origin = match next {
            Some(next) if advances && !random.percent(laziness) => next,
            _ => current,
        };
        let updates;
        let first_of_epoch = origin.header.number != self.head.l1_origin.number;
        let epoch = if first_of_epoch {
            updates = EpochUpdates::of_block(&self.chain, origin);
            Epoch::Next(&origin.header, &updates)
        } else {
            Epoch::Same(&origin.header)
        };
        let mut built = build_attributes(&self.chain, &self.head, &self.config, epoch).ok()?;
        let batch = SingularBatch {
            parent_hash: self.head.hash,
            epoch_num: origin.header.number,
            epoch_hash: origin.header.hash,
            timestamp: built.attributes.timestamp,
            transactions: transactions.clone(),
        };
        built.attributes.no_tx_pool = true;
        // a sequencer that knows what an engine refuses goes on from the replacement
        if !transactions.iter().any(|tx| refused(&tx)) || random.percent(30) {
            built.attributes.transactions = transactions;
        }
        let block = engine::build(&self.chain, &self.head, &built.attributes);
        self.head = block.block_ref(&self.chain).ok()?;
        self.config = block.system_config(&self.chain).ok()?;
        self.made.push(Made {
            batch,
            block: self.head.id(),
            first_of_epoch,
        });
        if self.made.len() > KEPT {
            let gone = self.made.len() - KEPT;
            self.made.drain(..gone);
            self.taken = self.taken.saturating_sub(gone);
        }
        Some(())
    }
}
