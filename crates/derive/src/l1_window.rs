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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch_check::tests::chain;
    use alloy_primitives::B256;
    use doppio_protocol::BlockId;
    use proptest::prelude::*;

    /// An L1 chain from block 0 on, as the reference's tests have it.
    fn l1_chain(times: &[u64]) -> Vec<L1BlockRef> {
        let hash = |time| B256::left_padding_from(&u64::to_be_bytes(time));
        let mut parent_hash = B256::ZERO;
        let mut number = 0;
        let mut next = |timestamp| {
            let block = L1BlockRef {
                hash: hash(timestamp),
                number,
                parent_hash,
                timestamp,
            };
            (parent_hash, number) = (block.hash, number + 1);
            block
        };
        times.iter().map(|time| next(*time)).collect()
    }

    fn head(timestamp: u64, origin: &L1BlockRef) -> L2BlockRef {
        L2BlockRef {
            hash: B256::repeat_byte(0x22),
            timestamp,
            l1_origin: origin.id(),
            ..L2BlockRef::default()
        }
    }

    // opstack 11 G, NewOrigin
    #[test]
    fn new_origin() {
        let l1 = l1_chain(&[10, 15, 20, 25]);
        let safe = head(20, &l1[2]);
        let mut window = L1Window::new(l1[0]);
        assert_eq!(window.blocks, [l1[0]]);
        // the block of the reset stays as long as nothing newer came
        window.update(&l1[0], &safe);
        assert_eq!(window.blocks, [l1[0]]);
        window.update(&l1[1], &safe);
        assert_eq!(window.blocks, []);
        assert_eq!(window.origin(), &l1[1]);
        window.update(&l1[2], &safe);
        assert_eq!(window.blocks, [l1[2]]);
        // asked again, nothing changes
        window.update(&l1[2], &safe);
        assert_eq!(window.blocks, [l1[2]]);
        assert_eq!(window.origin(), &l1[2]);
    }

    // opstack 11 G, ResetOneBlockBeforeOrigin
    #[test]
    fn reset_one_block_before_origin() {
        let l1 = l1_chain(&[10, 15, 20, 25]);
        let safe = head(20, &l1[1]);
        let mut window = L1Window::new(l1[0]);
        window.update(&l1[0], &safe);
        assert_eq!(window.blocks, [l1[0]]);
        window.update(&l1[1], &safe);
        assert_eq!(window.blocks, [l1[1]]);
        window.update(&l1[2], &safe);
        assert_eq!(window.blocks, [l1[1], l1[2]]);
    }

    #[test]
    fn the_window_follows_the_safe_head_as_far_as_it_is_known() {
        let l1 = l1_chain(&[10, 15, 20, 25]);
        let mut window = L1Window::new(l1[0]);
        for block in &l1[1..3] {
            window.update(block, &head(10, &l1[0]));
        }
        window.update(&l1[2], &head(16, &l1[1]));
        assert_eq!(window.blocks, [l1[1], l1[2]]);
        // never back
        window.update(&l1[2], &head(10, &l1[0]));
        assert_eq!(window.blocks, [l1[1], l1[2]]);
        // a head whose origin has not been read leaves the window as it is
        window.update(&l1[2], &head(30, &l1[3]));
        assert_eq!(window.blocks, [l1[1], l1[2]]);
        assert_eq!(window.block(2), Some(&l1[2]));
        assert_eq!(window.block(0), None);
        assert_eq!(window.block(3), None);
    }

    // kona's l1_origin_mismatch
    #[test]
    fn a_window_that_begins_elsewhere_is_a_reset() {
        let l1 = l1_chain(&[10, 15, 20, 25]);
        let window = L1Window::new(l1[2]);
        let check = |origin: BlockId| {
            let parent = L2BlockRef {
                l1_origin: origin,
                ..L2BlockRef::default()
            };
            match window.check_epoch(&parent) {
                Ok(first) => Ok(first),
                Err(WindowError::Reset(reason)) => Err(reason),
                Err(WindowError::Critical(reason)) => panic!("{reason}"),
            }
        };
        let mismatch = |origin| {
            Err(ResetReason::OriginMismatch {
                origin,
                first: l1[2].id(),
            })
        };
        assert_eq!(check(l1[2].id()), Ok(l1[2]));
        // all blocks of the epoch before were generated; its hash is not compared
        assert_eq!(check(l1[1].id()), Ok(l1[2]));
        let other = BlockId {
            hash: B256::repeat_byte(9),
            ..l1[1].id()
        };
        assert_eq!(check(other), Ok(l1[2]));
        for origin in [
            l1[0].id(),
            l1[3].id(),
            BlockId {
                hash: B256::repeat_byte(9),
                ..l1[2].id()
            },
        ] {
            assert_eq!(check(origin), mismatch(origin));
        }
    }

    #[test]
    fn an_empty_window_stops_derivation() {
        let l1 = l1_chain(&[10, 15]);
        let mut window = L1Window::new(l1[0]);
        window.update(&l1[1], &head(30, &l1_chain(&[1, 2, 3, 4])[3]));
        let result = window.check_epoch(&head(10, &l1[0]));
        assert!(matches!(result, Err(WindowError::Critical(_))));
    }

    /// A window of L1 blocks that begins at `first`, at the newest of them.
    fn window(l1: &[L1BlockRef], first: usize, origin: usize) -> L1Window {
        let mut window = L1Window::new(l1[first]);
        for block in &l1[first + 1..=origin] {
            window.update(block, &head(0, &l1[0]));
        }
        window
    }

    // opstack 3.6: empty batch generation; the sequencing window has four blocks
    #[test]
    fn empty_blocks_wait_until_the_sequencing_window_has_passed() {
        let l1 = l1_chain(&[10, 20, 30, 40, 50, 60]);
        let chain = chain();
        let safe = head(10, &l1[0]);
        let next = |origin, out_of_data| {
            let batch = window(&l1, 0, origin).next_empty_batch(&chain, out_of_data, &safe);
            batch.map(|batch| batch.timestamp)
        };
        assert_eq!(next(3, true), None);
        // the last block of the window may still hold the batch
        assert_eq!(next(4, false), None);
        assert_eq!(next(4, true), Some(12));
        assert_eq!(next(5, false), Some(12));
        assert_eq!(next(5, true), Some(12));
    }

    #[test]
    fn an_empty_block_is_on_the_parent_and_in_the_windows_first_epoch() {
        let l1 = l1_chain(&[10, 20, 30, 40, 50]);
        let batch = window(&l1, 0, 4).next_empty_batch(&chain(), true, &head(12, &l1[0]));
        let expected = SingularBatch {
            parent_hash: B256::repeat_byte(0x22),
            epoch_num: 0,
            epoch_hash: l1[0].hash,
            timestamp: 14,
            transactions: TransactionList::default(),
        };
        assert_eq!(batch, Some(expected));
    }

    // kona's sequence_window_expired_advance_epoch
    #[test]
    fn an_epoch_ends_when_the_next_one_is_old_enough() {
        let l1 = l1_chain(&[10, 20, 30, 40, 50, 60]);
        let chain = chain();
        let mut window = window(&l1, 0, 4);
        let before = window.next_empty_batch(&chain, true, &head(17, &l1[0]));
        assert_eq!(before.map(|batch| batch.epoch_num), Some(0));
        // 18 + 2 is the time of the next epoch
        let safe = head(18, &l1[0]);
        assert_eq!(window.next_empty_batch(&chain, true, &safe), None);
        assert_eq!(window.blocks[0], l1[1]);
        // whose own window has not passed
        assert_eq!(window.next_empty_batch(&chain, true, &safe), None);
        window.update(&l1[5], &safe);
        let first = window.next_empty_batch(&chain, true, &safe);
        assert_eq!(first.map(|batch| batch.epoch_num), Some(1));
    }

    /// Even an epoch whose successor is old enough has a block: the batcher may have been slow.
    #[test]
    fn every_epoch_has_a_block() {
        let l1 = l1_chain(&[10, 20, 30, 40, 50, 60]);
        let window = &mut window(&l1, 1, 5);
        let batch = window.next_empty_batch(&chain(), true, &head(100, &l1[0]));
        assert_eq!(
            batch.map(|batch| (batch.epoch_num, batch.timestamp)),
            Some((1, 102))
        );
    }

    #[test]
    fn the_next_epoch_must_be_known() {
        let l1 = l1_chain(&[10, 20]);
        let mut window = window(&l1, 0, 0);
        window.origin.number = 9;
        let batch = window.next_empty_batch(&chain(), true, &head(10, &l1[0]));
        assert_eq!(batch, None);
    }

    proptest! {
        /// Without any batch the chain goes on by itself: a block every two seconds, none before
        /// its origin, and none of the L1 blocks left out.
        #[test]
        fn empty_blocks_make_a_valid_chain(steps in proptest::collection::vec(1u64..30, 6..40)) {
            let mut times = vec![100];
            for step in steps {
                times.push(times[times.len() - 1] + step);
            }
            let l1 = l1_chain(&times);
            let chain = chain();
            let mut window = L1Window::new(l1[0]);
            let mut safe = head(100, &l1[0]);
            let mut epochs = vec![0];
            for origin in &l1 {
                window.update(origin, &safe);
                while let Some(batch) = window.next_empty_batch(&chain, true, &safe) {
                    let epoch = &l1[usize::try_from(batch.epoch_num).unwrap()];
                    prop_assert_eq!(batch.timestamp, safe.timestamp + 2);
                    prop_assert!(batch.timestamp >= epoch.timestamp);
                    prop_assert!(batch.epoch_num + 4 <= origin.number);
                    safe = head(batch.timestamp, epoch);
                    epochs.push(batch.epoch_num);
                    window.update(origin, &safe);
                }
            }
            epochs.dedup();
            let last = l1.len() as u64 - 1;
            // all epochs whose window has passed; they end only when the next one is known to
            let expected: Vec<_> = (0..=last - 4).collect();
            prop_assert_eq!(epochs, expected);
        }
    }
}
