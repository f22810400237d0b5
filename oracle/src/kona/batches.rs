//! The batches that kona reads out of a channel.

use super::drive::message;
use crate::{Channel, batches::Batch, batches::BatchBlock};
use kona_genesis::RollupConfig;
use kona_protocol::BatchReader;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What kona reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batches {
    /// The batches.
    pub batches: Vec<Batch>,
    /// What kona panics with, where it does not just end.
    pub panic: Option<String>,
}

/// The batches of a channel, as far as kona reads it.
pub fn batches(channel: &Channel, config: &RollupConfig) -> Batches {
    let limit = usize::try_from(channel.limits.max_rlp_bytes).unwrap_or(usize::MAX);
    let mut reader = BatchReader::new(channel.data.clone(), limit);
    let mut batches = Vec::new();
    loop {
        match catch_unwind(AssertUnwindSafe(|| reader.next_batch(config))) {
            Ok(Some(batch)) => batches.push(convert(batch)),
            Ok(None) => {
                return Batches {
                    batches,
                    panic: None,
                };
            }
            Err(panic) => {
                return Batches {
                    batches,
                    panic: Some(message(&*panic)),
                };
            }
        }
    }
}

fn convert(batch: kona_protocol::Batch) -> Batch {
    match batch {
        kona_protocol::Batch::Single(batch) => Batch::Singular {
            parent: batch.parent_hash,
            epoch: batch.epoch_hash,
            block: BatchBlock {
                timestamp: batch.timestamp,
                epoch: batch.epoch_num,
                transactions: batch.transactions,
            },
        },
        kona_protocol::Batch::Span(span) => Batch::Span {
            parent: span.parent_check.0,
            epoch: span.l1_origin_check.0,
            blocks: span
                .batches
                .into_iter()
                .map(|block| BatchBlock {
                    timestamp: block.timestamp,
                    epoch: block.epoch_num,
                    transactions: block.transactions,
                })
                .collect(),
        },
    }
}
