//! An L2 block that waits to be posted.

use crate::{da_size, event::LoadedBlock};
use alloy_primitives::{B256, Bytes};
use doppio_protocol::{
    batch::{SingularBatch, TransactionList},
    block::BlockId,
    config::ChainConfig,
    deposit::{DEPOSIT_TX_TYPE, DepositTx, DepositTxError},
    l1_info::{L1BlockInfo, L1InfoError, L1InfoLayout},
};
use std::{collections::VecDeque, sync::Arc};
use thiserror::Error;

/// Why a block cannot be posted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum BlockError {
    /// No transaction at all.
    #[error("it has no transactions, but every block has an L1-info transaction")]
    NoTransactions,
    /// The first one is no deposit.
    #[error("its first transaction: {0}")]
    Deposit(#[from] DepositTxError),
    /// The first one is not the L1 info.
    #[error("its first transaction: {0}")]
    L1Info(#[from] L1InfoError),
}

/// A block, without its deposits.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) id: BlockId,
    pub(crate) parent_hash: B256,
    pub(crate) timestamp: u64,
    pub(crate) origin: BlockId,
    /// Time of the L1 origin.
    pub(crate) origin_time: u64,
    pub(crate) sequence_number: u64,
    pub(crate) transactions: Vec<Bytes>,
    /// Bytes as op-batcher counts them.
    pub(crate) size: u64,
    /// Estimated bytes on L1.
    pub(crate) da_size: u64,
}

impl Block {
    // spec: opstack 7.2, opstack-2026-09 7 *1
    pub(crate) fn new(chain: &ChainConfig, block: LoadedBlock) -> Result<Self, BlockError> {
        let first = block.transactions.first();
        let deposit = DepositTx::decode(first.ok_or(BlockError::NoTransactions)?)?;
        let layout = L1InfoLayout::at(chain, block.timestamp);
        let info = L1BlockInfo::decode(layout, &deposit.data)?;
        let mut transactions = block.transactions;
        transactions.retain(|transaction| transaction.first() != Some(&DEPOSIT_TX_TYPE));
        Ok(Self {
            id: BlockId {
                hash: block.hash,
                number: block.number,
            },
            parent_hash: block.parent_hash,
            timestamp: block.timestamp,
            origin: BlockId {
                hash: info.block_hash,
                number: info.number,
            },
            origin_time: info.time,
            sequence_number: info.sequence_number,
            size: da_size::raw_size(&transactions),
            da_size: da_size::estimate(&transactions),
            transactions,
        })
    }

    /// The block as a batch of its own.
    pub(crate) fn batch(&self) -> SingularBatch {
        SingularBatch {
            parent_hash: self.parent_hash,
            epoch_num: self.origin.number,
            epoch_hash: self.origin.hash,
            timestamp: self.timestamp,
            transactions: self.transactions.iter().collect::<TransactionList>(),
        }
    }
}

/// The blocks that are held, one after another, and the cursor: what is before it is in a channel.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blocks {
    /// The block before the oldest one held.
    base: Option<BlockId>,
    held: VecDeque<Arc<Block>>,
    /// Height of the first block that is in no channel.
    cursor: u64,
    held_size: u64,
    pending_size: u64,
    pending_da_size: u64,
}

impl Blocks {
    /// No blocks, to be loaded from the one after `base` on.
    pub(crate) fn new(base: BlockId) -> Self {
        Self {
            base: Some(base),
            cursor: base.number.saturating_add(1),
            ..Self::default()
        }
    }

    /// The block before the oldest one held; none before anything is known.
    pub(crate) const fn base(&self) -> Option<BlockId> {
        self.base
    }

    /// The block that the next one must follow.
    pub(crate) fn newest(&self) -> Option<BlockId> {
        self.held.back().map(|block| block.id).or(self.base)
    }

    pub(crate) fn oldest(&self) -> Option<&Arc<Block>> {
        self.held.front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Arc<Block>> {
        let oldest = self.held.front()?.id.number;
        let index = number.checked_sub(oldest)?;
        self.held.get(usize::try_from(index).ok()?)
    }

    /// All blocks from the oldest on.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Block>> {
        self.held.iter()
    }

    /// The blocks in no channel.
    pub(crate) fn pending(&self) -> impl Iterator<Item = &Arc<Block>> {
        self.held.iter().skip(self.held.len() - self.pending_len())
    }

    pub(crate) fn pending_len(&self) -> usize {
        let Some(newest) = self.held.back() else {
            return 0;
        };
        let count = newest
            .id
            .number
            .saturating_add(1)
            .saturating_sub(self.cursor);
        usize::try_from(count).map_or(self.held.len(), |count| count.min(self.held.len()))
    }

    pub(crate) const fn cursor(&self) -> u64 {
        self.cursor
    }

    pub(crate) const fn held_size(&self) -> u64 {
        self.held_size
    }

    pub(crate) const fn pending_size(&self) -> u64 {
        self.pending_size
    }

    pub(crate) const fn pending_da_size(&self) -> u64 {
        self.pending_da_size
    }

    /// Appends the block that follows.
    pub(crate) fn push(&mut self, block: Block) {
        self.held_size += block.size;
        self.pending_size += block.size;
        self.pending_da_size += block.da_size;
        self.held.push_back(Arc::new(block));
    }

    /// Moves the cursor, back or forth.
    pub(crate) fn set_cursor(&mut self, number: u64) {
        self.cursor = number;
        let pending: (u64, u64) = self.pending().fold((0, 0), |(size, da_size), block| {
            (size + block.size, da_size + block.da_size)
        });
        (self.pending_size, self.pending_da_size) = pending;
    }

    /// Forgets the blocks up to `safe`.
    pub(crate) fn prune(&mut self, safe: u64) {
        while let Some(block) = self.held.pop_front_if(|block| block.id.number <= safe) {
            self.held_size -= block.size;
            self.base = Some(block.id);
            if block.id.number >= self.cursor {
                self.pending_size -= block.size;
                self.pending_da_size -= block.da_size;
            }
        }
        self.cursor = self.cursor.max(safe.saturating_add(1));
    }
}
