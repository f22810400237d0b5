//! Blocks of the safe chain that span batches are compared with.

use crate::{pull::Stop, step::Request};
use alloy_primitives::{B256, keccak256};
use doppio_protocol::{
    L2BlockRef, batch::TransactionList, config::ChainConfig, deposit::DEPOSIT_TX_TYPE, l2::L2Block,
};
use std::collections::BTreeMap;

/// What a comparison needs of a block: a span may overlap tens of thousands of them, so their
/// transactions are kept as a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SafeBlock {
    /// None if the block's first transaction does not tell its L1 origin.
    pub(crate) block_ref: Option<L2BlockRef>,
    /// Number of transactions that are no deposits.
    pub(crate) transaction_count: usize,
    /// Hash of the transactions that are no deposits, as a batch holds them.
    pub(crate) transactions_hash: B256,
}

impl SafeBlock {
    /// Deposits are taken to be in front: the reference counts them and skips as many.
    // spec: opstack-2026-09 3.7 *4
    pub(crate) fn new(chain: &ChainConfig, block: &L2Block) -> Self {
        let deposits = block
            .transactions
            .iter()
            .filter(|tx| tx.first() == Some(&DEPOSIT_TX_TYPE))
            .count();
        let transactions: TransactionList = block.transactions.iter().skip(deposits).collect();
        Self {
            block_ref: block.block_ref(chain).ok(),
            transaction_count: transactions.len(),
            transactions_hash: keccak256(transactions.rlp_payload()),
        }
    }
}

/// Blocks that were asked for and supplied.
///
/// A span cannot overlap more of them than fit into a sequencing window, and they are forgotten
/// when the safe head moves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SafeBlocks {
    blocks: BTreeMap<u64, SafeBlock>,
}

impl SafeBlocks {
    /// The safe block of a number, or the request for it.
    pub(crate) fn get(&self, number: u64) -> Result<&SafeBlock, Stop> {
        self.blocks
            .get(&number)
            .ok_or(Stop::Need(Request::L2Block(number)))
    }

    pub(crate) fn insert(&mut self, number: u64, block: SafeBlock) {
        self.blocks.insert(number, block);
    }

    /// Forgets all blocks.
    pub(crate) fn clear(&mut self) {
        self.blocks.clear();
    }
}
