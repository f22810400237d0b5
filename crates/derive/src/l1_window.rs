//! The L1 blocks between the safe head's epoch and the block that is read.

use crate::step::{CriticalReason, ResetReason};
use doppio_protocol::{
    L1BlockRef, L2BlockRef,
    batch::{SingularBatch, TransactionList},
    config::ChainConfig,
};
use std::collections::VecDeque;

/// A window of consecutive L1 blocks. The first is the safe head's L1 origin, or the one after it
/// once all blocks of that epoch have been generated.
// spec: opstack 3.6
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct L1Window {
    blocks: VecDeque<L1BlockRef>,
    /// The L1 block that this stage was last asked at.
    origin: L1BlockRef,
}

impl L1Window {
    /// The window after a reset to `base`.
    pub(crate) fn new(base: L1BlockRef) -> Self {
        Self {
            blocks: VecDeque::from([base]),
            origin: base,
        }
    }

    pub(crate) const fn blocks(&self) -> &VecDeque<L1BlockRef> {
        &self.blocks
    }

    /// The L1 block of a number.
    pub(crate) fn block(&self, number: u64) -> Option<&L1BlockRef> {
        let first = self.blocks.front()?.number;
        self.blocks
            .get(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    pub(crate) const fn origin(&self) -> &L1BlockRef {
        &self.origin
    }

    /// Whether the L1 block that is read is before the safe head's L1 origin: then nothing in it
    /// can matter.
    pub(crate) const fn is_behind(origin: &L1BlockRef, parent: &L2BlockRef) -> bool {
        origin.number < parent.l1_origin.number
    }

    /// Follows the L1 block that is read, and the safe head.
    // spec: opstack 3.6
    pub(crate) fn update(&mut self, origin: &L1BlockRef, parent: &L2BlockRef) {
        if self.origin != *origin {
            self.origin = *origin;
            if Self::is_behind(origin, parent) {
                self.blocks.clear();
            } else {
                self.blocks.push_back(*origin);
            }
        }
        if let Some(first) = self.blocks.front()
            && parent.l1_origin.number > first.number
        {
            let passed = parent.l1_origin.number - first.number;
            if let Ok(passed) = usize::try_from(passed)
                && passed < self.blocks.len()
            {
                self.blocks.drain(..passed);
            }
        }
    }

    /// Checks that the window begins where the safe head's epoch is.
    // spec: opstack 3.6
    pub(crate) fn check_epoch(&self, parent: &L2BlockRef) -> Result<L1BlockRef, WindowError> {
        let first = self
            .blocks
            .front()
            .ok_or(WindowError::Critical(CriticalReason::Bug(
                "a batch is wanted before an L1 block was read",
            )))?;
        let origin = parent.l1_origin;
        if origin != first.id() && origin.number.checked_add(1) != Some(first.number) {
            return Err(WindowError::Reset(ResetReason::OriginMismatch {
                origin,
                first: first.id(),
            }));
        }
        Ok(*first)
    }

    /// A block without a batch, if the sequencing window of its epoch has passed; otherwise none,
    /// and the window may have advanced to the next epoch.
    // spec: opstack 3.6
    pub(crate) fn next_empty_batch(
        &mut self,
        chain: &ChainConfig,
        out_of_data: bool,
        parent: &L2BlockRef,
    ) -> Option<SingularBatch> {
        let epoch = *self.blocks.front()?;
        let expiry = epoch.number.saturating_add(chain.rollup.seq_window_size);
        let expired = expiry < self.origin.number || (expiry == self.origin.number && out_of_data);
        if !expired {
            return None;
        }
        let next_epoch = self.blocks.get(1)?;
        let timestamp = parent.timestamp + chain.rollup.block_time;
        // every epoch has at least one block
        let first_of_epoch = epoch.number == parent.l1_origin.number + 1;
        if timestamp < next_epoch.timestamp || first_of_epoch {
            return Some(SingularBatch {
                parent_hash: parent.hash,
                epoch_num: epoch.number,
                epoch_hash: epoch.hash,
                timestamp,
                transactions: TransactionList::default(),
            });
        }
        self.blocks.pop_front();
        None
    }
}

/// Why the window does not fit the safe head.
#[derive(Debug)]
pub(crate) enum WindowError {
    Reset(ResetReason),
    Critical(CriticalReason),
}

impl From<WindowError> for crate::pull::Stop {
    fn from(error: WindowError) -> Self {
        match error {
            WindowError::Reset(reason) => reason.into(),
            WindowError::Critical(reason) => reason.into(),
        }
    }
}
