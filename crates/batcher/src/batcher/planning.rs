//! How blocks become channels: when the open one is closed, with which blocks, and how it is
//! compressed.
//!
//! The *open channel* is nothing but the blocks from the cursor on. When it is closed, a job is given
//! out that encodes and compresses them; what comes back is a channel, and the cursor moves.

use super::{Batcher, Phase, WindowSaid};
use crate::{
    action::{Action, CloseReason, Report},
    block::Block,
    encode::{EncodeJob, Encoded, Form},
    options::{BatchType, BatcherOptions, CompressionAlgo, Compressor},
    sync::ResetReason,
    window::{self, Expired},
};
use doppio_compression::Algorithm;
use doppio_protocol::config::CHANNEL_TIMEOUT_GRANITE;
use std::sync::Arc;

/// One, for ratios in millionths.
const MILLION: u64 = 1_000_000;
/// How often a job is made again with more blocks because the channel was too small.
const RETRIES: u32 = 2;

/// Qualities of brotli, and bytes that each compresses in an L1 slot of 12 s on one core, about
/// (measured: see the README). Quality 10 makes the smallest channels that can be made in any
/// reasonable time; 9 costs 1.6 % more bytes, 5 costs 2.3 %.
const ADAPTIVE: [(u32, u64); 3] = [(10, 7_000_000), (9, 35_000_000), (6, 70_000_000)];
/// The quality beyond these.
const FASTEST: u32 = 5;

/// A job that was given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Job {
    id: u64,
    /// Height of the first block.
    first: u64,
    /// How many blocks were given to it.
    count: usize,
    reason: CloseReason,
    form: Form,
    /// How often it was made again.
    retries: u32,
}

/// The ratio to begin with.
pub(super) fn approximate_ratio(options: &BatcherOptions) -> u64 {
    match options.compressor {
        Compressor::None => MILLION,
        Compressor::Shadow | Compressor::Ratio => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the option was checked to be between 0 and 1"
            )]
            let ratio = (options.approx_compr_ratio * MILLION as f64) as u64;
            ratio.max(1)
        }
    }
}

impl Batcher {
    /// Closes the open channel if it is time.
    // spec: opstack 7.3
    pub(super) fn plan(&mut self) {
        let is_ready = self.phase == Phase::Running
            && self.job.is_none()
            && self.reset.is_none()
            && self.suspicion.is_none();
        let (Some(tip), true) = (self.tip, is_ready) else {
            return;
        };
        if !self.look_at_window(tip.number) || tip.number < self.hold_until {
            return;
        }
        let Some(first) = self.blocks.pending().next().cloned() else {
            self.is_open_said = false;
            return;
        };
        if !self.is_open_said {
            self.is_open_said = true;
            self.report(Report::ChannelOpened {
                first: first.id.number,
            });
        }
        if let Some(reason) = self.close_reason(&first, tip.number) {
            self.give_out(reason, tip.number, 0);
        }
    }

    /// Why the open channel is closed now, if it is.
    // spec: opstack 7.3, opstack-2026-09 7 *3
    fn close_reason(&self, first: &Block, tip: u64) -> Option<CloseReason> {
        let options = &self.options;
        if self.is_full(self.blocks.pending_size()) {
            return Some(CloseReason::Full);
        }
        let window = self.chain.rollup.seq_window_size;
        let last = first.origin.number.saturating_add(window);
        // what is on its way would make it larger
        let is_loading = self.load.is_some();
        if !is_loading && tip >= last.saturating_sub(options.sub_safety_margin) {
            return Some(CloseReason::Window);
        }
        if self.flush.is_some_and(|flush| flush >= first.id.number) {
            return Some(CloseReason::Flush);
        }
        // as long as it could not be sent at once, it may as well grow
        let may_end = !is_loading && self.posting.is_idle(options.max_pending_tx);
        let duration = options.max_channel_duration;
        if duration > 0 && may_end && tip >= self.last_origin.saturating_add(duration) {
            return Some(CloseReason::Duration);
        }
        // nothing more comes in, and nothing that is under way will change that
        let is_stuck = self.is_memory_full() && self.posting.channels().is_empty();
        is_stuck.then_some(CloseReason::Memory)
    }

    /// Whether blocks of this size make a channel of the size that is aimed at.
    // spec: opstack 7.4
    fn is_full(&self, size: u64) -> bool {
        let target = self.options.target_bytes() as u64;
        let aimed = match self.options.compressor {
            // no two channels compress alike: a bit less, so that it fits at once
            Compressor::Shadow => target - target / 64,
            Compressor::Ratio | Compressor::None => target,
        };
        size.saturating_mul(self.ratio) / MILLION >= aimed || size >= self.max_input()
    }

    /// Bytes of a channel's batches at most: half of what derivation reads, because kona refuses
    /// brotli channels from there on.
    // spec: opstack 2.5, opstack 2.8 |1
    fn max_input(&self) -> u64 {
        let time = self.tip.map(|tip| tip.time).unwrap_or_default();
        self.chain.max_rlp_bytes_per_channel(time) / 2
    }

    /// Looks for blocks that cannot be on L1 in time any more. Gives whether anything that is held
    /// can still be posted.
    // spec: opstack 3.6, opstack 3.7 #5
    fn look_at_window(&mut self, tip: u64) -> bool {
        let window = self.chain.rollup.seq_window_size;
        let Some(expired) = window::expired(self.blocks.iter(), tip, window) else {
            self.warn_of_window(window);
            return true;
        };
        let Some(first) = self.blocks.oldest().map(|block| block.id.number) else {
            return true;
        };
        let last = first.saturating_add((expired.count as u64).saturating_sub(1));
        // while blocks come in, each one would be news
        if self.load.is_none() && self.window_said.expired != Some(last) {
            self.window_said.expired = Some(last);
            self.report(Report::WindowExpired {
                blocks: first..=last,
                is_lost: expired.is_lost,
            });
        }
        self.drop_what_is_in_vain(expired, last);
        if expired.is_lost {
            return false;
        }
        // derivation makes these blocks by itself, when it has read the L1 blocks that there are
        if self.blocks.cursor() <= last {
            self.blocks.set_cursor(last.saturating_add(1));
        }
        true
    }

    /// Drops the channels that derivation will not take any more: those behind a block that it
    /// replaces, and those in which a batch covers an expired block, up to `last`, and others.
    fn drop_what_is_in_vain(&mut self, expired: Expired, last: u64) {
        let is_in_vain =
            |first: u64, is_separable: bool| expired.is_lost || (first <= last && !is_separable);
        let front = self.posting.channels().front();
        let is_channel =
            front.is_some_and(|channel| is_in_vain(*channel.blocks.start(), channel.is_separable));
        let is_job = self
            .job
            .is_some_and(|job| is_in_vain(job.first, job.form.is_separable()));
        if is_channel || is_job {
            self.rebatch();
        }
    }

    fn warn_of_window(&mut self, window: u64) {
        let Some((block, left)) = self.window_left() else {
            return;
        };
        let is_close = left <= self.options.warn_left(window);
        let warned = self.window_said.warned;
        self.window_said = WindowSaid {
            warned: is_close.then_some(warned.unwrap_or(block)),
            expired: None,
        };
        if is_close && warned.is_none() {
            self.report(Report::WindowWarning { block, left });
        }
    }

    /// Gives the job out that makes the channel.
    fn give_out(&mut self, reason: CloseReason, tip: u64, retries: u32) {
        let form = self.form(tip);
        let blocks = self.candidates();
        let Some(first) = blocks.first().map(|block| block.id.number) else {
            return;
        };
        let id = self.next_job;
        self.next_job += 1;
        self.job = Some(Job {
            id,
            first,
            count: blocks.len(),
            reason,
            form,
            retries,
        });
        let max_input = usize::try_from(self.max_input()).unwrap_or(usize::MAX);
        self.actions.push_back(Action::Encode(EncodeJob {
            id,
            params: self.span_params,
            form,
            blocks,
            target: match self.options.compressor {
                Compressor::Shadow => self.options.target_bytes(),
                // the ratio alone decides
                Compressor::Ratio | Compressor::None => usize::MAX,
            },
            max_input,
        }));
    }

    /// The blocks that should fill a channel.
    fn candidates(&self) -> Vec<Arc<Block>> {
        let mut size = 0;
        let mut blocks = Vec::new();
        for block in self.blocks.pending() {
            size += block.size;
            blocks.push(Arc::clone(block));
            if self.is_full(size) {
                break;
            }
        }
        blocks
    }

    /// How the next channel is made.
    // spec: opstack 7.3, opstack 5.4
    fn form(&self, tip: u64) -> Form {
        let options = &self.options;
        let (algorithm, quality) = match (options.compressor, options.compression_algo) {
            (Compressor::None, _) => (Algorithm::Zlib, 0),
            (_, CompressionAlgo::Zlib) => (Algorithm::Zlib, 9),
            (_, CompressionAlgo::Brotli(quality)) => (Algorithm::Brotli, quality),
            (_, CompressionAlgo::BrotliAdaptive) => {
                (Algorithm::Brotli, adaptive(self.blocks.pending_size()))
            }
        };
        // what was not derived as a span may be as what it is
        let batches = match options.batch_type {
            BatchType::Span if self.not_derived > 1 => BatchType::Singular,
            batches => batches,
        };
        Form {
            batches,
            is_per_origin: self.is_window_close(tip),
            max_span_blocks: options.max_blocks_per_span_batch,
            algorithm,
            quality,
        }
    }

    /// Whether the blocks that are not safe might come to L1 too late. Then a span ends with its L1
    /// origin: derivation refuses a span whose first block is too late, with all its others.
    // spec: opstack 3.7 span #9
    fn is_window_close(&self, tip: u64) -> bool {
        let window = self.chain.rollup.seq_window_size;
        let margin = self.options.sub_safety_margin;
        let time_for_a_channel = margin
            .saturating_add(CHANNEL_TIMEOUT_GRANITE)
            .min(window / 2);
        self.blocks.pending().next().is_some_and(|block| {
            let last = block.origin.number.saturating_add(window);
            tip.saturating_add(time_for_a_channel) >= last
        })
    }

    /// Takes in a channel.
    // spec: opstack 7.3, opstack 7.4
    pub(super) fn encoded(&mut self, encoded: Encoded) {
        let Some(job) = self.job.filter(|job| job.id == encoded.id) else {
            return;
        };
        self.job = None;
        if job.first != self.blocks.cursor() {
            return;
        }
        let target = self.options.target_bytes();
        self.learn(job.reason, &encoded);
        let is_small = encoded.channel.len() < target - target / 16;
        let has_more = self.blocks.pending_len() > job.count;
        let is_by_size = job.reason == CloseReason::Full
            && self.options.compressor == Compressor::Shadow
            && !encoded.is_input_limited;
        if is_by_size && is_small && encoded.blocks == job.count && job.retries < RETRIES {
            if !self.is_full(self.blocks.pending_size()) {
                // more blocks are needed; they come
                return;
            }
            if has_more && let Some(tip) = self.tip {
                return self.give_out(job.reason, tip.number, job.retries + 1);
            }
        }
        self.add_channel(&job, encoded);
    }

    fn add_channel(&mut self, job: &Job, encoded: Encoded) {
        let last = job
            .first
            .saturating_add((encoded.blocks as u64).saturating_sub(1));
        let Some(origin) = self.blocks.get(last).map(|block| block.origin.number) else {
            return self.bug("a channel was made of blocks that are not held");
        };
        let blocks = job.first..=last;
        let output_bytes = encoded.channel.len() as u64;
        let is_separable = job.form.is_separable();
        let channel = self
            .posting
            .push(blocks.clone(), encoded.channel, is_separable);
        self.blocks.set_cursor(last.saturating_add(1));
        self.last_origin = origin;
        self.is_open_said = false;
        if self.flush.is_some_and(|flush| flush <= last) {
            self.flush = None;
        }
        let reason = match job.reason {
            CloseReason::Full if encoded.is_input_limited => CloseReason::RlpBytes,
            reason => reason,
        };
        self.report(Report::ChannelClosed {
            channel,
            blocks,
            reason,
            input_bytes: encoded.input as u64,
            output_bytes,
        });
    }

    /// Remembers how well blocks compress. A few of them tell little.
    fn learn(&mut self, reason: CloseReason, encoded: &Encoded) {
        let output = encoded.channel.len() as u64;
        let is_telling =
            reason == CloseReason::Full || output >= self.options.target_bytes() as u64 / 4;
        if self.options.compressor == Compressor::Shadow && is_telling {
            let sizes = self
                .blocks
                .pending()
                .take(encoded.blocks)
                .map(|block| block.size);
            let input = sizes.sum::<u64>().max(1);
            self.ratio = (output.saturating_mul(MILLION) / input).max(1);
        }
    }

    pub(super) fn bug(&mut self, what: &'static str) {
        self.report(Report::Bug(what));
        self.reset_later(ResetReason::Bug(what));
    }
}

/// The quality at which the backlog is compressed within an L1 slot.
fn adaptive(backlog: u64) -> u32 {
    let fitting = ADAPTIVE.iter().find(|(_, bytes)| backlog <= *bytes);
    fitting.map_or(FASTEST, |(quality, _)| *quality)
}
