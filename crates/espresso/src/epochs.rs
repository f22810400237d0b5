//! Epochs: which stake table signs for which block, and how the next table comes to count.
// spec: espresso 4.3

use crate::{
    finality::{FinalityError, LeafProof},
    stake_table::StakeTable,
    tagged::StakeTableHash,
    vid::VidParams,
};
use std::collections::BTreeMap;
use thiserror::Error;

/// The stake tables that are known to count, each for its epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epochs {
    blocks: u64,
    root: u64,
    tables: BTreeMap<u64, StakeTable>,
}

/// Why a stake table does not come to count.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EpochError {
    /// The block is not final.
    #[error(transparent)]
    Finality(#[from] FinalityError),
    /// The block is not the one that fixes a table.
    #[error("block {0} is not the root of its epoch")]
    NotRoot(u64),
    /// The block's header names no table, as headers before 0.4 do not.
    #[error("the header of block {0} does not name a stake table")]
    NoHash(u64),
    /// The block's header names another table.
    #[error(
        "the table for epoch {epoch} has the hash {found}, and the old validators signed {signed}"
    )]
    OtherTable {
        /// The epoch of the table.
        epoch: u64,
        /// What the header names.
        signed: StakeTableHash,
        /// That of the table at hand.
        found: StakeTableHash,
    },
    /// Another table is known to count in that epoch.
    #[error("another stake table counts in epoch {0} already")]
    Known(u64),
}

/// A stake table that somebody has, and the hash that follows from it.
///
/// The hash is over all that the stake table's contract on L1 has recorded: whoever replays the
/// contract's events computes both. It is not computed here.
#[derive(Clone, Debug)]
pub struct NextTable {
    /// The table.
    pub table: StakeTable,
    /// The hash of the contract's state from which it was made.
    pub hash: StakeTableHash,
}

impl Epochs {
    /// Epochs of so many blocks, of which the one so many before the end fixes the table of the epoch
    /// after the next: 5 on networks of 2026.
    pub const fn new(blocks: u64, root: u64) -> Self {
        Self {
            blocks,
            root,
            tables: BTreeMap::new(),
        }
    }

    /// A table that is known to count in an epoch without further proof.
    #[must_use]
    pub fn with(mut self, epoch: u64, table: StakeTable) -> Self {
        self.tables.insert(epoch, table);
        self
    }

    /// Blocks of an epoch.
    pub const fn blocks(&self) -> u64 {
        self.blocks
    }

    /// The epoch of a block. Epochs begin with 1; before there are epochs, and for the genesis block,
    /// it is 0.
    pub const fn epoch(&self, height: u64) -> u64 {
        if self.blocks == 0 {
            0
        } else {
            height.div_ceil(self.blocks)
        }
    }

    /// Whether a block is the last of its epoch.
    pub const fn is_last(&self, height: u64) -> bool {
        self.blocks != 0 && height != 0 && height.is_multiple_of(self.blocks)
    }

    /// Whether a block fixes the table of the epoch after the next.
    pub const fn is_root(&self, height: u64) -> bool {
        self.blocks != 0 && height.saturating_add(self.root).is_multiple_of(self.blocks)
    }

    /// The table of an epoch, if it is known.
    pub fn table(&self, epoch: u64) -> Option<&StakeTable> {
        self.tables.get(&epoch)
    }

    /// Into how many shares the payload of the block at this height is encoded.
    pub fn vid_params(&self, height: u64) -> Option<VidParams> {
        if height == 0 {
            return Some(VidParams::GENESIS);
        }
        self.table(self.epoch(height))?.vid_params()
    }

    /// Lets a table count in the epoch after the next: the validators of now have finalized a block
    /// whose header names it.
    ///
    /// # Errors
    ///
    /// If the block is not final by a table that counts, does not fix a table, or names another.
    pub fn learn(&mut self, root: &LeafProof, next: NextTable) -> Result<u64, EpochError> {
        let header = &root.verify(self)?.block_header;
        let height = header.height();
        if !self.is_root(height) {
            return Err(EpochError::NotRoot(height));
        }
        let epoch = self.epoch(height).saturating_add(2);
        let signed = header
            .fields()
            .next_stake_table_hash
            .ok_or(EpochError::NoHash(height))?;
        if signed != next.hash {
            return Err(EpochError::OtherTable {
                epoch,
                signed,
                found: next.hash,
            });
        }
        if self.table(epoch).is_some_and(|known| *known != next.table) {
            return Err(EpochError::Known(epoch));
        }
        self.tables.insert(epoch, next.table);
        Ok(epoch)
    }

    /// Forgets the tables of epochs before this one.
    pub fn forget_before(&mut self, epoch: u64) {
        self.tables = self.tables.split_off(&epoch);
    }
}
