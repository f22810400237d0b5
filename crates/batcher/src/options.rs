//! What an operator decides, and which decisions cannot work.

use crate::event::Millis;
use alloy_primitives::B256;
use doppio_protocol::{
    blob::MAX_BLOB_DATA_SIZE,
    config::{ChainConfig, Fork},
    frame::FRAME_OVERHEAD,
};
use thiserror::Error;

/// Most blobs of a transaction: L1 refuses more since Fusaka (EIP-7594).
// spec: opstack 7.6
pub const MAX_BLOBS_PER_TX: usize = 6;
/// Bytes of a frame in a blob, header included: the version byte stands beside it.
// spec: opstack 7.6
pub const BLOB_FRAME_SIZE: usize = MAX_BLOB_DATA_SIZE - 1;
/// Most bytes of calldata: L1 nodes pass on no transaction of more than 131,072 bytes, and what is
/// around the calldata needs some.
pub const MAX_CALLDATA_SIZE: usize = 130_000;
/// Fewest bytes of calldata: a frame's header, and something behind it.
const MIN_CALLDATA_SIZE: usize = 64;

/// How blocks become batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BatchType {
    /// A batch for each block (`0`).
    #[default]
    Singular,
    /// One batch for many blocks (`1`), from Delta on. A block that a span cannot carry has a
    /// singular batch all the same.
    Span,
}

/// How it is known when a channel has the size that is aimed at.
// spec: opstack 7.4
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compressor {
    /// By compressing: the channel is as large as can be without exceeding the size. The ratio of
    /// the channel before says how many blocks are tried.
    #[default]
    Shadow,
    /// By the bytes that go in, times `approx_compr_ratio`.
    Ratio,
    /// Nothing is compressed; the channel is a valid zlib stream.
    None,
}

/// How channels are compressed.
// spec: opstack 5.4
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CompressionAlgo {
    /// zlib at level 9.
    Zlib,
    /// brotli, from Fjord on, with the quality (0 to 11; op-batcher takes 9, 10 and 11).
    Brotli(u32),
    /// brotli, with the best quality at which the backlog is compressed within an L1 slot.
    BrotliAdaptive,
}

/// Where data goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DaKind {
    /// Calldata: a frame in each transaction.
    Calldata,
    /// Blobs, from Ecotone on: a frame in each blob.
    Blobs,
}

/// Who decides where data goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataAvailability {
    /// The operator.
    Fixed(DaKind),
    /// What a byte costs, for each channel. Blobs while the sequencer is throttled.
    Auto {
        /// How much cheaper the other kind must be before it is changed to, in hundredths of what
        /// the present one costs. op-batcher: 0.
        hysteresis_percent: u32,
    },
}

/// How far block builders are throttled.
// spec: opstack 7.5
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ThrottleController {
    /// Fully from the lower threshold on.
    Step,
    /// In proportion between the thresholds.
    Linear,
    /// The square of that.
    Quadratic,
    /// A PID controller.
    Pid(PidParams),
}

/// A PID controller's parameters.
// spec: opstack 7.5
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PidParams {
    /// Proportional gain.
    pub kp: f64,
    /// Integral gain.
    pub ki: f64,
    /// Derivative gain.
    pub kd: f64,
    /// Largest integral, either way.
    pub integral_max: f64,
    /// Largest output.
    pub output_max: f64,
    /// Time between two samples.
    pub sample: Millis,
}

impl Default for PidParams {
    fn default() -> Self {
        Self {
            kp: 0.33,
            ki: 0.01,
            kd: 0.05,
            integral_max: 1000.0,
            output_max: 1.0,
            sample: 2000,
        }
    }
}

/// When and how far block builders are throttled (`--throttle.*`).
// spec: opstack 7.5, opstack 5.4
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThrottleOptions {
    /// By which rule.
    pub controller: ThrottleController,
    /// Unsafe bytes from which on they are; 0: never.
    pub lower_threshold: u64,
    /// Unsafe bytes from which on they are fully.
    pub upper_threshold: u64,
    /// Largest transaction when throttled fully; 0 for no limit ever.
    pub tx_size_lower: u64,
    /// Largest transaction when throttled the least.
    pub tx_size_upper: u64,
    /// Largest block when throttled fully; 0 for no limit ever.
    pub block_size_lower: u64,
    /// Largest block when not throttled.
    pub block_size_upper: u64,
}

impl Default for ThrottleOptions {
    fn default() -> Self {
        Self {
            controller: ThrottleController::Quadratic,
            lower_threshold: 3_200_000,
            upper_threshold: 12_800_000,
            tx_size_lower: 150,
            tx_size_upper: 20_000,
            block_size_lower: 2_000,
            block_size_upper: 130_000,
        }
    }
}

/// Everything that an operator decides. The defaults are op-batcher's where it has the option.
// spec: opstack 5.4
#[derive(Clone, Debug, PartialEq)]
pub struct BatcherOptions {
    /// `--stopped`: post nothing before [`Event::Start`](crate::Event::Start).
    pub stopped: bool,
    /// L1 blocks after which a channel is closed, counted from the newest L1 origin of the channel
    /// before; 0: only when it is full or the sequencing window ends.
    pub max_channel_duration: u64,
    /// L1 blocks by which everything is earlier than the protocol's own limits.
    pub sub_safety_margin: u64,
    /// Bytes of calldata in a transaction at most.
    pub max_l1_tx_size_bytes: usize,
    /// Frames that a channel is aimed at, and blobs of a transaction.
    pub target_num_frames: usize,
    /// Frames of any size smaller than a blob's, for tests; the default is a blob's.
    pub max_blob_frame_size: usize,
    /// Compressed size of a channel by the size of what goes in, before the first was compressed.
    pub approx_compr_ratio: f64,
    /// See [`Compressor`].
    pub compressor: Compressor,
    /// See [`CompressionAlgo`].
    pub compression_algo: CompressionAlgo,
    /// See [`BatchType`].
    pub batch_type: BatchType,
    /// Blocks of a span batch at most; 0 for any number. Further blocks go into another one of the
    /// same channel.
    pub max_blocks_per_span_batch: u64,
    /// See [`DataAvailability`].
    pub data_availability: DataAvailability,
    /// Transactions under way at most; 0 for any number.
    pub max_pending_tx: u64,
    /// See [`ThrottleOptions`].
    pub throttle: ThrottleOptions,
    /// Bytes of L2 blocks and of channels that are held at most. What is beyond stays with the
    /// node until something becomes safe.
    pub max_loaded_bytes: u64,
    /// How long something must not fit the safe head before all is begun anew: a node that starts
    /// again, or another one behind the same name, is no reason.
    pub safe_reorg_patience: Millis,
    /// How long a node may be behind what it had read of L1 before what it says counts.
    pub node_patience: Millis,
    /// L1 blocks before the end of a sequencing window from which on is warned; none for a quarter
    /// of it.
    pub window_warning: Option<u64>,
    /// Makes the names of channels differ from those of every other batcher and of every other start:
    /// 32 random bytes, drawn anew at each start.
    pub seed: B256,
}

impl Default for BatcherOptions {
    fn default() -> Self {
        Self {
            stopped: false,
            max_channel_duration: 0,
            sub_safety_margin: 10,
            max_l1_tx_size_bytes: 120_000,
            target_num_frames: 1,
            max_blob_frame_size: BLOB_FRAME_SIZE,
            approx_compr_ratio: 0.6,
            compressor: Compressor::Shadow,
            compression_algo: CompressionAlgo::Zlib,
            batch_type: BatchType::Singular,
            max_blocks_per_span_batch: 0,
            data_availability: DataAvailability::Fixed(DaKind::Calldata),
            max_pending_tx: 1,
            throttle: ThrottleOptions::default(),
            max_loaded_bytes: 256 << 20,
            safe_reorg_patience: 12_000,
            node_patience: 600_000,
            window_warning: None,
            seed: B256::ZERO,
        }
    }
}

/// Why a configuration cannot work, and what to change.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum OptionsError {
    /// A fork is needed that is not active.
    #[error("{what} is not possible before {fork:?}, which is not active: use {instead}")]
    Fork {
        /// What was asked for.
        what: &'static str,
        /// The fork that brings it.
        fork: Fork,
        /// What is possible.
        instead: &'static str,
    },
    /// No frame, or more blobs than L1 takes.
    #[error(
        "target-num-frames is {0}: it must be at least 1, and with blobs at most \
         {MAX_BLOBS_PER_TX}, because L1 refuses transactions with more blobs"
    )]
    TargetNumFrames(usize),
    /// L1 nodes would not take the transactions.
    #[error(
        "max-l1-tx-size-bytes is {0}: it must be from {MIN_CALLDATA_SIZE} to {MAX_CALLDATA_SIZE}, \
         because L1 nodes refuse larger transactions"
    )]
    TxSize(usize),
    /// A frame that does not fit into a blob.
    #[error(
        "frames of {0} bytes: a frame in a blob has from {MIN_CALLDATA_SIZE} to {BLOB_FRAME_SIZE} \
         bytes"
    )]
    BlobFrameSize(usize),
    /// The channel would be larger than derivation reads.
    #[error(
        "a channel of {target} bytes is aimed at, but derivation reads {limit} bytes at most: \
         lower target-num-frames or max-l1-tx-size-bytes"
    )]
    ChannelSize {
        /// Aimed at.
        target: u64,
        /// Allowed.
        limit: u64,
    },
    /// Channels would be closed too late for the sequencing window.
    #[error(
        "max-channel-duration is {duration} L1 blocks and sub-safety-margin {margin}, but a batch \
         must be on L1 within {window} L1 blocks of its origin (seq_window_size): lower them to \
         less than that together"
    )]
    Window {
        /// `max-channel-duration`.
        duration: u64,
        /// `sub-safety-margin`.
        margin: u64,
        /// Of the chain.
        window: u64,
    },
    /// Channels would be given up before they are begun.
    #[error(
        "sub-safety-margin is {margin} L1 blocks, but a channel must be complete within {timeout} \
         L1 blocks: lower it to less than that"
    )]
    Margin {
        /// `sub-safety-margin`.
        margin: u64,
        /// Of the chain.
        timeout: u64,
    },
    /// A channel has more transactions than may be under way within its timeout.
    #[error(
        "a channel of {transactions} transactions with {pending} under way at a time cannot be on \
         L1 within the {timeout} L1 blocks that it has: raise max-pending-tx to {needed}, or lower \
         target-num-frames"
    )]
    PendingTx {
        /// Of a channel.
        transactions: u64,
        /// `max-pending-tx`.
        pending: u64,
        /// Of the chain.
        timeout: u64,
        /// That would do.
        needed: u64,
    },
    /// No ratio.
    #[error("approx-compr-ratio is {0}: it must be above 0 and at most 1")]
    Ratio(f64),
    /// A quality that brotli does not have.
    #[error("compression-algo brotli-{0}: the quality goes from 0 to 11")]
    Quality(u32),
    /// Too little memory for a channel.
    #[error(
        "{limit} bytes of blocks and channels are allowed in memory, but a channel may need \
         {needed}: raise the limit"
    )]
    Memory {
        /// The option.
        limit: u64,
        /// What a channel needs.
        needed: u64,
    },
    /// Throttling between thresholds or sizes in the wrong order.
    #[error("throttle.{0}: the lower value is not below the upper one")]
    Throttle(&'static str),
    /// A PID controller with numbers that are none.
    #[error("throttle.pid: gains, integral-max, output-max and sample-time must be positive")]
    Pid,
}

impl BatcherOptions {
    /// Whether it can work on the chain at `l1_time` (seconds since the Unix epoch).
    // spec: opstack 5.4, opstack 7.6
    pub fn check(&self, chain: &ChainConfig, l1_time: u64) -> Result<(), OptionsError> {
        self.check_forks(chain, l1_time)?;
        self.check_sizes(chain, l1_time)?;
        self.check_times(chain, l1_time)?;
        self.throttle.check()
    }

    fn check_forks(&self, chain: &ChainConfig, l1_time: u64) -> Result<(), OptionsError> {
        let needs = |what, fork, instead| {
            if chain.active(fork, l1_time) {
                Ok(())
            } else {
                Err(OptionsError::Fork {
                    what,
                    fork,
                    instead,
                })
            }
        };
        if self.data_availability != DataAvailability::Fixed(DaKind::Calldata) {
            needs(
                "posting blobs",
                Fork::Ecotone,
                "data-availability-type calldata",
            )?;
        }
        if self.compression_algo != CompressionAlgo::Zlib && self.compressor != Compressor::None {
            needs("brotli", Fork::Fjord, "compression-algo zlib")?;
        }
        if self.batch_type == BatchType::Span {
            needs("a span batch", Fork::Delta, "batch-type 0")?;
        }
        Ok(())
    }

    fn check_sizes(&self, chain: &ChainConfig, l1_time: u64) -> Result<(), OptionsError> {
        let frames = self.target_num_frames;
        let is_calldata = self.data_availability == DataAvailability::Fixed(DaKind::Calldata);
        if frames == 0 || (frames > MAX_BLOBS_PER_TX && !is_calldata) {
            return Err(OptionsError::TargetNumFrames(frames));
        }
        if !(MIN_CALLDATA_SIZE..=MAX_CALLDATA_SIZE).contains(&self.max_l1_tx_size_bytes) {
            return Err(OptionsError::TxSize(self.max_l1_tx_size_bytes));
        }
        if !(MIN_CALLDATA_SIZE..=BLOB_FRAME_SIZE).contains(&self.max_blob_frame_size) {
            return Err(OptionsError::BlobFrameSize(self.max_blob_frame_size));
        }
        if let CompressionAlgo::Brotli(quality @ 12..) = self.compression_algo {
            return Err(OptionsError::Quality(quality));
        }
        if !(self.approx_compr_ratio > 0.0 && self.approx_compr_ratio <= 1.0) {
            return Err(OptionsError::Ratio(self.approx_compr_ratio));
        }
        let target = self.target_bytes() as u64;
        let limit = chain.max_rlp_bytes_per_channel(l1_time) / 4;
        if target > limit {
            return Err(OptionsError::ChannelSize { target, limit });
        }
        // blocks of a highly compressible channel, and the channel itself
        let needed = target.saturating_mul(4).max(1 << 20);
        if self.max_loaded_bytes < needed {
            return Err(OptionsError::Memory {
                limit: self.max_loaded_bytes,
                needed,
            });
        }
        Ok(())
    }

    fn check_times(&self, chain: &ChainConfig, l1_time: u64) -> Result<(), OptionsError> {
        let margin = self.sub_safety_margin;
        let window = chain.rollup.seq_window_size;
        let duration = self.max_channel_duration;
        if duration.saturating_add(margin) >= window {
            return Err(OptionsError::Window {
                duration,
                margin,
                window,
            });
        }
        let timeout = chain.channel_timeout(l1_time);
        if margin >= timeout {
            return Err(OptionsError::Margin { margin, timeout });
        }
        // an L1 block takes what is under way, at best
        let transactions = match self.data_availability {
            DataAvailability::Fixed(DaKind::Blobs) => 1,
            _ => self.target_bytes().div_ceil(self.calldata_room()) as u64,
        };
        let time = timeout - margin;
        let pending = self.max_pending_tx;
        if pending > 0 && transactions.div_ceil(pending) > time {
            return Err(OptionsError::PendingTx {
                transactions,
                pending,
                timeout,
                needed: transactions.div_ceil(time),
            });
        }
        Ok(())
    }

    /// Bytes of a channel in a frame in calldata.
    const fn calldata_room(&self) -> usize {
        self.max_l1_tx_size_bytes - 1 - FRAME_OVERHEAD
    }

    /// Largest frame, header included.
    // spec: opstack 7.6
    pub const fn max_frame_size(&self, kind: DaKind) -> usize {
        match kind {
            DaKind::Calldata => self.max_l1_tx_size_bytes - 1,
            DaKind::Blobs => self.max_blob_frame_size,
        }
    }

    /// Bytes of a channel that are aimed at: what fits into the frames. With
    /// [`DataAvailability::Auto`] the frames are blobs' ones.
    // spec: opstack 7.3
    pub const fn target_bytes(&self) -> usize {
        let frame = match self.data_availability {
            DataAvailability::Fixed(kind) => self.max_frame_size(kind),
            DataAvailability::Auto { .. } => self.max_frame_size(DaKind::Blobs),
        };
        self.target_num_frames * (frame - FRAME_OVERHEAD)
    }

    /// L1 blocks before the end of a sequencing window from which on is warned.
    pub(crate) fn warn_left(&self, window: u64) -> u64 {
        self.window_warning
            .unwrap_or_else(|| (window / 4).max(self.sub_safety_margin))
    }
}

impl ThrottleOptions {
    fn check(&self) -> Result<(), OptionsError> {
        let is_step = self.controller == ThrottleController::Step;
        let is_wrong = |lower: u64, upper: u64| lower > 0 && lower >= upper;
        if is_wrong(self.lower_threshold, self.upper_threshold) {
            return Err(OptionsError::Throttle("unsafe-da-bytes thresholds"));
        }
        if !is_step && is_wrong(self.tx_size_lower, self.tx_size_upper) {
            return Err(OptionsError::Throttle("tx-size limits"));
        }
        if is_wrong(self.block_size_lower, self.block_size_upper) {
            return Err(OptionsError::Throttle("block-size limits"));
        }
        match self.controller {
            ThrottleController::Pid(pid) => pid.check(),
            _ => Ok(()),
        }
    }
}

impl PidParams {
    /// Whether the numbers can control anything.
    pub fn check(&self) -> Result<(), OptionsError> {
        let gains = [self.kp, self.ki, self.kd];
        let limits = [self.integral_max, self.output_max];
        if gains.iter().all(|gain| gain.is_finite() && *gain >= 0.0)
            && limits.iter().all(|limit| limit.is_finite() && *limit > 0.0)
            && self.sample > 0
        {
            Ok(())
        } else {
            Err(OptionsError::Pid)
        }
    }
}
