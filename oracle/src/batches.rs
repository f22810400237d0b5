//! The batches of a channel, in words that both programs can say.

use crate::Channel;
use alloy_primitives::{B256, Bytes};
use doppio_compression::ChannelReader;
use doppio_protocol::batch::{self, SpanCursor, SpanParams};
use std::sync::Arc;

/// A batch, read to its last transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Batch {
    /// Of one block.
    Singular {
        /// Hash of the L2 block before it.
        parent: B256,
        /// Hash of its L1 origin.
        epoch: B256,
        /// The block.
        block: BatchBlock,
    },
    /// Of a run of blocks.
    Span {
        /// First bytes of the hash of the first block's parent.
        parent: [u8; 20],
        /// First bytes of the hash of the last block's L1 origin.
        epoch: [u8; 20],
        /// The blocks.
        blocks: Vec<BatchBlock>,
    },
}

/// A block of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchBlock {
    /// Time of the block.
    pub timestamp: u64,
    /// Height of its L1 origin.
    pub epoch: u64,
    /// The transactions, without deposits.
    pub transactions: Vec<Bytes>,
}

/// The batches that Doppio reads out of a channel.
pub fn our_batches(channel: &Channel, params: SpanParams) -> Vec<Batch> {
    let mut batches = Vec::new();
    let Ok(mut reader) = ChannelReader::open(channel.data.clone(), channel.limits) else {
        return batches;
    };
    while let Ok(Some(string)) = reader.next_string() {
        match batch::Batch::decode(&Bytes::from(string)) {
            Ok(batch::Batch::Singular(batch)) => batches.push(Batch::Singular {
                parent: batch.parent_hash,
                epoch: batch.epoch_hash,
                block: BatchBlock {
                    timestamp: batch.timestamp,
                    epoch: batch.epoch_num,
                    transactions: batch.transactions.iter().collect(),
                },
            }),
            Ok(batch::Batch::Span(span)) => batches.extend(read_span(span, params)),
            // the rest of the channel is abandoned
            Err(_) => break,
        }
    }
    batches
}

/// None if the span's transactions cannot be put together: then it is left out, and the channel
/// goes on.
fn read_span(span: batch::SpanBatch, params: SpanParams) -> Option<Batch> {
    span.check_transactions(&params).ok()?;
    let (parent, epoch) = (*span.parent_check(), *span.l1_origin_check());
    let mut cursor = SpanCursor::new(Arc::new(span), params);
    let mut blocks = Vec::new();
    while let Some(block) = cursor.next_block() {
        let block = block.ok()?;
        blocks.push(BatchBlock {
            timestamp: block.timestamp,
            epoch: block.epoch_num,
            transactions: block.transactions.iter().collect(),
        });
    }
    Some(Batch::Span {
        parent,
        epoch,
        blocks,
    })
}
