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
    // spec: opstack 3.7, opstack-2026-09 3.7 *5
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch_check::tests::chain;
    use alloy_primitives::{B256, Bytes};
    use doppio_protocol::{
        L1BlockRef,
        batch::{Batch, SpanBatchWriter, SpanParams},
    };
    use std::sync::Arc;

    /// Time of the first L2 block of the tests.
    const T: u64 = 1000;

    fn l1(number: u64) -> L1BlockRef {
        L1BlockRef {
            hash: B256::with_last_byte(u8::try_from(number).unwrap()),
            number,
            ..L1BlockRef::default()
        }
    }

    /// L1 blocks `first` to `last`.
    fn window(first: u64, last: u64) -> L1Window {
        let mut window = L1Window::new(l1(first));
        for number in first + 1..=last {
            window.update(&l1(number), &L2BlockRef::default());
        }
        window
    }

    fn head(timestamp: u64, origin: u64) -> L2BlockRef {
        L2BlockRef {
            hash: B256::repeat_byte(u8::try_from(timestamp - 900).unwrap()),
            timestamp,
            l1_origin: l1(origin).id(),
            ..L2BlockRef::default()
        }
    }

    /// A span from T on, of blocks with these origins.
    fn span(origins: &[u64]) -> SpanCursor {
        let params = SpanParams {
            genesis_time: 0,
            block_time: 2,
            chain_id: 1,
            post_exec: true,
            celo_dynamic_fee_v2: false,
        };
        let mut writer = SpanBatchWriter::new(params);
        for (index, origin) in (0u64..).zip(origins) {
            let batch = SingularBatch {
                timestamp: T + 2 * index,
                epoch_num: *origin,
                ..SingularBatch::default()
            };
            writer.push(&batch, 0).unwrap();
        }
        let string = Bytes::from(writer.encode().unwrap());
        let Ok(Batch::Span(span)) = Batch::decode(&string) else {
            panic!("the writer writes span batches");
        };
        SpanCursor::new(Arc::new(span), params)
    }

    fn filled(origins: &[u64], window: &L1Window, safe: &L2BlockRef) -> SpanBuffer {
        let mut buffer = SpanBuffer::default();
        buffer.fill(span(origins), window, safe).unwrap();
        buffer
    }

    #[test]
    fn blocks_come_one_by_one_with_the_hashes_that_spans_do_not_tell() {
        let chain = chain();
        let window = window(5, 7);
        let mut buffer = filled(&[5, 6, 6], &window, &head(T - 2, 5));
        let parents = [head(T - 2, 5), head(T, 5), head(T + 2, 6)];
        for (parent, (origin, is_last)) in parents.iter().zip([(5, false), (6, false), (6, true)]) {
            let Next::Block { batch, last } = buffer.next(&chain, &window, parent).unwrap() else {
                panic!("a block follows {parent:?}");
            };
            assert_eq!(batch.timestamp, parent.timestamp + 2);
            assert_eq!(batch.parent_hash, parent.hash);
            assert_eq!(batch.epoch(), l1(origin).id());
            assert_eq!(last, is_last);
        }
        let next = buffer.next(&chain, &window, &head(T + 4, 6)).unwrap();
        assert!(matches!(next, Next::Empty));
    }

    // opstack 11 G, OverlappingSpanBatch
    #[test]
    fn blocks_that_are_safe_already_are_passed_over() {
        let chain = chain();
        let (window, safe) = (window(6, 7), head(T + 2, 6));
        let mut buffer = filled(&[5, 6, 6, 7], &window, &safe);
        let Next::Block { batch, last } = buffer.next(&chain, &window, &safe).unwrap() else {
            panic!("a block follows the safe head");
        };
        assert_eq!((batch.timestamp, batch.epoch_num), (T + 4, 6));
        assert!(!last);
    }

    // opstack 3.7: extraction under Holocene; kona's singular_batches_outdated_l1_origin
    #[test]
    fn a_new_block_with_an_epoch_before_the_safe_heads_is_refused() {
        let mut buffer = SpanBuffer::default();
        let result = buffer.fill(span(&[5, 5, 6]), &window(6, 7), &head(T, 6));
        assert_eq!(result, Err(BatchDrop::SpanBlockEpochTooOld));
        assert!(!buffer.clear());
    }

    // opstack 3.7: extraction under Holocene; kona's singular_batches_missing_l1_origin
    #[test]
    fn a_new_block_with_an_epoch_that_is_not_known_is_refused() {
        let mut buffer = SpanBuffer::default();
        let result = buffer.fill(span(&[5, 6]), &window(6, 7), &head(T - 2, 5));
        assert_eq!(result, Err(BatchDrop::SpanBlockOriginUnknown));
        assert!(!buffer.clear());
    }

    /// What was safe already need not be known.
    #[test]
    fn epochs_of_blocks_that_are_passed_over_do_not_matter() {
        let mut buffer = SpanBuffer::default();
        let result = buffer.fill(span(&[3, 4, 5, 6]), &window(5, 6), &head(T + 2, 5));
        assert_eq!(result, Ok(()));
    }

    // opstack 3.6; TestBatchQueueResetSpan
    #[test]
    fn the_rest_is_discarded_when_the_parent_does_not_fit() {
        let chain = chain();
        let window = window(5, 7);
        for (parent, why) in [
            (head(T - 2, 5), "the block before was not accepted"),
            (head(T + 2, 5), "another block was"),
        ] {
            let mut buffer = filled(&[5, 5, 5], &window, &head(T - 2, 5));
            buffer.next(&chain, &window, &head(T - 2, 5)).unwrap();
            let next = buffer.next(&chain, &window, &parent).unwrap();
            assert!(matches!(next, Next::Discarded), "{why}");
            let next = buffer.next(&chain, &window, &head(T, 5)).unwrap();
            assert!(matches!(next, Next::Empty), "{why}");
        }
    }

    #[test]
    fn clearing_says_whether_there_was_a_span() {
        let window = window(5, 7);
        let mut buffer = filled(&[5], &window, &head(T - 2, 5));
        assert!(buffer.clear());
        assert!(!buffer.clear());
    }
}
