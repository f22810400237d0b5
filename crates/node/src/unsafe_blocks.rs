//! L2 blocks that came before their turn: gossiped, or handed over by an operator.

use alloy_primitives::B256;
use doppio_protocol::{L2BlockRef, l2::L2Block};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};
use thiserror::Error;

/// What a block is counted with beside its transactions, in bytes.
const BLOCK_OVERHEAD: usize = 800;
/// What a transaction is counted with beside its bytes.
const TRANSACTION_OVERHEAD: usize = 24;

/// Why a block is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refused {
    /// It is there.
    #[error("the block is known")]
    Known,
    /// It alone is above the limit.
    #[error("the block has {0} bytes, more than all blocks may have")]
    TooLarge(usize),
    /// There is no place for it: all others are of greater height.
    #[error("there is no place for a block of height {0}, and none is lower")]
    Full(u64),
    /// Its height is safe already.
    #[error("a block of height {0} is safe already")]
    Old(u64),
}

/// Blocks by height. When there are too many, the lowest go: they are the ones that come last from
/// those who are asked for a range.
// spec: opstack 4.2
#[derive(Debug)]
pub struct UnsafeBlocks {
    blocks: BTreeMap<(u64, B256), Arc<L2Block>>,
    hashes: HashSet<B256>,
    bytes: usize,
    most_bytes: usize,
}

impl Default for UnsafeBlocks {
    fn default() -> Self {
        Self::new(500 << 20)
    }
}

fn size(block: &L2Block) -> usize {
    let transactions = block.transactions.iter();
    transactions.fold(BLOCK_OVERHEAD, |sum, bytes| {
        sum + bytes.len() + TRANSACTION_OVERHEAD
    })
}

impl UnsafeBlocks {
    /// Keeps at most so many bytes.
    pub fn new(most_bytes: usize) -> Self {
        Self {
            blocks: BTreeMap::new(),
            hashes: HashSet::new(),
            bytes: 0,
            most_bytes,
        }
    }

    /// How many blocks there are.
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// What they are counted with, in bytes.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The lowest block.
    pub fn first(&self) -> Option<&Arc<L2Block>> {
        self.blocks.first_key_value().map(|(_, block)| block)
    }

    /// Keeps a block.
    pub fn push(&mut self, block: Arc<L2Block>, safe: &L2BlockRef) -> Result<(), Refused> {
        let number = block.header.number;
        if number <= safe.number {
            return Err(Refused::Old(number));
        }
        let bytes = size(&block);
        if bytes > self.most_bytes {
            return Err(Refused::TooLarge(bytes));
        }
        if !self.hashes.insert(block.hash) {
            return Err(Refused::Known);
        }
        let hash = block.hash;
        self.bytes += bytes;
        self.blocks.insert((number, hash), block);
        while self.bytes > self.most_bytes {
            if self.pop().is_some_and(|popped| popped.hash == hash) {
                return Err(Refused::Full(number));
            }
        }
        Ok(())
    }

    /// Takes the lowest block away.
    pub fn pop(&mut self) -> Option<Arc<L2Block>> {
        let (_, block) = self.blocks.pop_first()?;
        self.forget(&block);
        Some(block)
    }

    /// Takes a block away; says whether it was there.
    pub fn remove(&mut self, block: &L2Block) -> bool {
        let found = self.blocks.remove(&(block.header.number, block.hash));
        if let Some(block) = &found {
            self.forget(block);
        }
        found.is_some()
    }

    fn forget(&mut self, block: &L2Block) {
        self.bytes -= size(block);
        self.hashes.remove(&block.hash);
    }

    /// The block that extends the unsafe head, if it is there. Blocks that cannot extend the chain any
    /// more go.
    // spec: opstack 4.2
    pub fn next_after(
        &mut self,
        unsafe_head: &L2BlockRef,
        safe: &L2BlockRef,
    ) -> Option<Arc<L2Block>> {
        loop {
            let first = self.first()?;
            let number = first.header.number;
            let extends = first.header.parent_hash == unsafe_head.hash;
            if number == unsafe_head.number + 1 && extends {
                return Some(Arc::clone(first));
            }
            let stale = number <= safe.number
                || number <= unsafe_head.number
                || number == unsafe_head.number + 1;
            if !stale {
                return None;
            }
            self.pop();
        }
    }
}
