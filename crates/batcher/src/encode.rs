//! Blocks become a channel.

use crate::{block::Block, options::BatchType};
use alloy_primitives::Bytes;
use doppio_compression::{Algorithm, compress};
use doppio_protocol::{
    batch::{SpanBatchWriter, SpanParams},
    rlp,
};
use std::sync::Arc;

/// How a channel is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) batches: BatchType,
    /// Whether a span ends with its L1 origin.
    pub(crate) is_per_origin: bool,
    /// Blocks of a span at most; 0 for any number.
    pub(crate) max_span_blocks: u64,
    pub(crate) algorithm: Algorithm,
    pub(crate) quality: u32,
}

impl Form {
    /// Whether each batch stands for itself: the first ones may come too late for derivation, and
    /// the others count all the same.
    pub(crate) fn is_separable(self) -> bool {
        self.is_per_origin || self.batches == BatchType::Singular
    }
}

/// Makes a channel of blocks. It is computing alone, for up to some seconds, so it can be done on
/// another thread: [`EncodeJob::run`] gives what the batcher is then told by
/// [`Event::Encoded`](crate::Event::Encoded).
#[derive(Clone, Debug)]
pub struct EncodeJob {
    pub(crate) id: u64,
    pub(crate) params: SpanParams,
    pub(crate) form: Form,
    /// One at least.
    pub(crate) blocks: Vec<Arc<Block>>,
    /// Bytes that the channel has at most, unless it has one block.
    pub(crate) target: usize,
    /// Bytes of the batches at most, unless it has one block.
    pub(crate) max_input: usize,
}

/// What came of an [`EncodeJob`].
#[derive(Clone, Debug)]
pub struct Encoded {
    pub(crate) id: u64,
    /// How many of the blocks are in it.
    pub(crate) blocks: usize,
    /// Bytes of the batches.
    pub(crate) input: usize,
    /// The channel.
    pub(crate) channel: Bytes,
    /// Whether a further block would have been too much for the batches' limit.
    pub(crate) is_input_limited: bool,
}

impl EncodeJob {
    /// Makes the channel: as many of the blocks as fit, one at least.
    // spec: opstack 7.4
    pub fn run(self) -> Encoded {
        let (mut count, mut is_input_limited) = (self.blocks.len().max(1), false);
        loop {
            let batches = self.batches(count);
            if batches.len() > self.max_input && count > 1 {
                is_input_limited = true;
                count = fewer(count, batches.len(), self.max_input);
                continue;
            }
            let channel = compress(self.form.algorithm, self.form.quality, &batches);
            if channel.len() > self.target && count > 1 {
                count = fewer(count, channel.len(), self.target);
                continue;
            }
            return Encoded {
                id: self.id,
                blocks: count,
                input: batches.len(),
                channel: channel.into(),
                is_input_limited,
            };
        }
    }

    /// The batches of the first blocks, as the RLP strings that a channel holds.
    // spec: opstack 2.5, opstack 2.6, opstack 2.7
    fn batches(&self, count: usize) -> Vec<u8> {
        let mut out = Vec::new();
        let mut span = SpanBatchWriter::new(self.params);
        let mut origin = None;
        for block in self.blocks.iter().take(count) {
            let batch = block.batch();
            if self.form.batches == BatchType::Singular {
                rlp::put_string(&batch.encode(), &mut out);
                continue;
            }
            let is_origin_done = self.form.is_per_origin && origin != Some(block.origin);
            let most = self.form.max_span_blocks;
            if is_origin_done || (most > 0 && span.block_count() == most) {
                self.close(&mut span, &mut out);
            }
            origin = Some(block.origin);
            if span.push(&batch, block.sequence_number).is_err() {
                // what a span has no form for, a singular batch carries as it is
                self.close(&mut span, &mut out);
                rlp::put_string(&batch.encode(), &mut out);
            }
        }
        self.close(&mut span, &mut out);
        out
    }

    /// Writes the span, if it has any blocks, and begins another one.
    fn close(&self, span: &mut SpanBatchWriter, out: &mut Vec<u8>) {
        let span = core::mem::replace(span, SpanBatchWriter::new(self.params));
        // an empty span has no encoding, and there is no other error
        if let Ok(bytes) = span.encode() {
            rlp::put_string(&bytes, out);
        }
    }
}

/// How many blocks to try after `count` of them made `size` bytes, which is more than `most`: in
/// proportion, and a bit less, so that the next try fits.
fn fewer(count: usize, size: usize, most: usize) -> usize {
    let fitting = count.saturating_mul(most) / size.max(1);
    (fitting - fitting / 64).clamp(1, count - 1)
}
