//! Batches, down to their transactions.

use crate::{
    broken::{self, Place},
    transaction::Source,
    tree::{Batch, BatchContent, Listed, SingularBatch, SpanBatch, SpanBlock, Transaction},
    walk::{At, BATCH, Depth, Walker},
};
use alloy_primitives::Bytes;
use doppio_derive::DropReason;
use doppio_protocol::{
    batch::{self, BatchError, SpanCursor, SpanParams, TransactionList},
    rlp,
};
use std::sync::Arc;

impl Walker<'_> {
    /// A batch: type byte and content. Also whether its channel goes on behind it.
    // spec: opstack 2.5
    pub(crate) fn batch(&mut self, index: u64, offset: u64, string: &Bytes) -> (Batch, bool) {
        let mut batch = Batch {
            index,
            offset,
            length: string.len() as u64,
            content: BatchContent::Broken {
                batch_type: string.first().copied(),
                fields: Vec::new(),
            },
            trailing: 0,
            broken: None,
        };
        match batch::Batch::decode(string) {
            Ok(batch::Batch::Singular(singular)) => {
                self.reach(Depth::Batch);
                let mut content = string.get(1..).unwrap_or_default();
                // it was read before, so that it can be skipped
                let _ = rlp::next_item(&mut content);
                batch.trailing = content.len() as u64;
                batch.content = BatchContent::Singular(self.singular(&singular));
                (batch, true)
            }
            Ok(batch::Batch::Span(span)) => {
                self.reach(Depth::Batch);
                batch.trailing = broken::span_trailing(string);
                let content;
                (content, batch.broken) = self.span(span, string);
                batch.content = BatchContent::Span(content);
                (batch, true)
            }
            Err(error) => {
                let Place {
                    fields,
                    field,
                    offset,
                } = broken::find(string, &error);
                if matches!(error, BatchError::Singular(_)) && !fields.is_empty() {
                    // a hash where one must be is no chance; a span begins with anything
                    self.reach(Depth::Something);
                }
                if let BatchContent::Broken { fields: read, .. } = &mut batch.content {
                    *read = fields;
                }
                let at = At(offset as u64, BATCH);
                batch.broken = self.break_for(&DropReason::BatchDecode(error), field, Some(at));
                (batch, false)
            }
        }
    }

    // spec: opstack 2.6
    fn singular(&mut self, batch: &batch::SingularBatch) -> SingularBatch {
        SingularBatch {
            parent_hash: batch.parent_hash,
            epoch_number: batch.epoch_num,
            epoch_hash: batch.epoch_hash,
            timestamp: batch.timestamp,
            transactions: self.transactions(
                &batch.transactions,
                Source::Given,
                Some(batch.timestamp),
            ),
        }
    }

    // spec: opstack 2.7
    fn span(&mut self, span: batch::SpanBatch, string: &Bytes) -> (SpanBatch, Option<usize>) {
        let rules = self.options.rules;
        let chain = self.options.chain;
        let params = SpanParams {
            genesis_time: chain.genesis_l2_time.unwrap_or_default(),
            block_time: chain.block_time.unwrap_or_default(),
            chain_id: chain.chain_id.unwrap_or_default(),
            post_exec: rules.post_exec,
            celo_dynamic_fee_v2: rules.celo_dynamic_fee_v2,
        };
        let broken = if !rules.span_batches {
            self.break_for(&DropReason::SpanBeforeDelta, "", Some(At(0, BATCH)))
        } else if let Err(error) = span.check_transactions(&params) {
            let field = format!("tx_datas[{}]", error.index);
            let at = At(broken::tx_data_offset(string, error.index) as u64, BATCH);
            self.break_for(&DropReason::SpanTransactions(error), field, Some(at))
        } else {
            None
        };
        let mut content = SpanBatch {
            rel_timestamp: span.rel_timestamp(),
            timestamp: chain
                .genesis_l2_time
                .map(|genesis| genesis.wrapping_add(span.rel_timestamp())),
            l1_origin_number: span.last_epoch_num(),
            first_l1_origin_number: span.start_epoch_num(),
            first_origin_bit: span.first_origin_bit(),
            origin_changes: span
                .last_epoch_num()
                .wrapping_sub(span.start_epoch_num())
                .wrapping_add(span.first_origin_bit().into()),
            parent_check: span.parent_check().into(),
            l1_origin_check: span.l1_origin_check().into(),
            transaction_count: span.tx_count() as u64,
            rebuilt: chain.chain_id.is_some(),
            blocks: Listed::default(),
        };
        self.blocks(span, params, &mut content.blocks);
        (content, broken)
    }

    /// The blocks of a span, up to the first that cannot be put together.
    fn blocks(&mut self, span: batch::SpanBatch, params: SpanParams, list: &mut Listed<SpanBlock>) {
        let limit = self.options.detail.blocks;
        let chain = self.options.chain;
        let source = match chain.chain_id {
            Some(_) => Source::Given,
            None => Source::Rebuilt,
        };
        let count = span.block_count() as u64;
        let mut before = span
            .start_epoch_num()
            .wrapping_sub(span.first_origin_bit().into());
        let mut cursor = SpanCursor::new(Arc::new(span), params);
        while let Some(Ok(block)) = cursor.next_block() {
            self.entry("blocks", list, limit, |walk, index| {
                let time_offset = chain
                    .block_time
                    .map(|block_time| block_time.wrapping_mul(index));
                let timestamp = time_offset
                    .and(chain.genesis_l2_time)
                    .map(|_| block.timestamp);
                SpanBlock {
                    index,
                    time_offset,
                    timestamp,
                    epoch_number: block.epoch_num,
                    origin_bit: block.epoch_num != before,
                    transactions: walk.transactions(&block.transactions, source, timestamp),
                }
            });
            before = block.epoch_num;
        }
        // blocks behind one that cannot be put together are counted
        list.count = count;
    }

    fn transactions(
        &mut self,
        transactions: &TransactionList,
        source: Source,
        block_time: Option<u64>,
    ) -> Listed<Transaction> {
        let mut list = Listed::default();
        let limit = self.options.detail.transactions;
        for bytes in transactions.iter() {
            self.entry("transactions", &mut list, limit, |walk, index| {
                walk.block_transaction(index, &bytes, source, block_time)
            });
        }
        list
    }
}
