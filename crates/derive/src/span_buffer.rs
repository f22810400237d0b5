//! An accepted span batch, handed out block by block.

use crate::{
    batch_check::BatchDrop,
    l1_window::L1Window,
    pull::{Stop, bug},
};
use doppio_protocol::{
    L2BlockRef,
    batch::{SingularBatch, SpanCursor},
    config::ChainConfig,
};

/// The blocks of an accepted span that have not been derived yet.
// spec: opstack 3.6
#[derive(Clone, Debug, Default)]
pub(crate) struct SpanBuffer {
    cursor: Option<SpanCursor>,
}

/// What the buffer has for a parent.
#[derive(Debug)]
pub(crate) enum Next {
    /// The next block; `last` if the span ends with it.
    Block { batch: SingularBatch, last: bool },
    /// The rest of the span does not follow the parent, and is gone.
    Discarded,
    /// Nothing.
    Empty,
}

impl SpanBuffer {
    /// Takes a valid span; its blocks up to the safe head are passed over. Fails if the first new
    /// block has an epoch that the rules for whole spans do not look at.
    ///
    /// Epochs grow by at most one from block to block, and a valid span's last one is known, so
    /// the first new block's epoch decides for all.
    // spec: opstack 3.7
    pub(crate) fn fill(
        &mut self,
        mut cursor: SpanCursor,
        window: &L1Window,
        safe_head: &L2BlockRef,
    ) -> Result<(), BatchDrop> {
        while let Some((timestamp, epoch_num)) = cursor.peek() {
            if timestamp <= safe_head.timestamp {
                cursor.skip_block();
                continue;
            }
            if epoch_num < safe_head.l1_origin.number {
                return Err(BatchDrop::SpanBlockEpochTooOld);
            }
            if window.block(epoch_num).is_none() {
                return Err(BatchDrop::SpanBlockOriginUnknown);
            }
            break;
        }
        self.cursor = Some(cursor);
        Ok(())
    }

    /// The next block, if it follows `parent`.
    // spec: opstack 3.6
    pub(crate) fn next(
        &mut self,
        chain: &ChainConfig,
        window: &L1Window,
        parent: &L2BlockRef,
    ) -> Result<Next, Stop> {
        let Some(cursor) = &mut self.cursor else {
            return Ok(Next::Empty);
        };
        match cursor.peek() {
            Some((timestamp, _)) if timestamp == parent.timestamp + chain.rollup.block_time => {}
            _ => {
                self.cursor = None;
                return Ok(Next::Discarded);
            }
        }
        let Some(Ok(block)) = cursor.next_block() else {
            return Err(bug("an accepted span does not read"));
        };
        let origin = window
            .block(block.epoch_num)
            .ok_or(bug("an accepted span's epoch is unknown"))?;
        let batch = SingularBatch {
            // the span's own check of its parent covers the first block, and the safe head is
            // what the others are derived on
            parent_hash: parent.hash,
            epoch_num: block.epoch_num,
            epoch_hash: origin.hash,
            timestamp: block.timestamp,
            transactions: block.transactions,
        };
        let last = cursor.remaining() == 0;
        if last {
            self.cursor = None;
        }
        Ok(Next::Block { batch, last })
    }

    /// Forgets the span; says whether there was one.
    pub(crate) fn clear(&mut self) -> bool {
        self.cursor.take().is_some()
    }
}
