//! What the batcher wants done, and what it says of itself.

use crate::{
    encode::EncodeJob,
    options::DaKind,
    route::Price,
    sync::{OutOfSync, ResetReason},
};
use alloy_primitives::Bytes;
use core::{fmt, ops::RangeInclusive};
use doppio_protocol::{block::BlockId, frame::ChannelId};

/// Names a request for blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LoadId(pub u64);

/// Names a transaction. Grows with every transaction, also over resets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TxId(pub u64);

impl fmt::Display for TxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What is to be done.
#[derive(Clone, Debug)]
pub enum Action {
    /// Read L2 blocks, and bring each by [`Event::Block`](crate::Event::Block), in order, or
    /// [`Event::BlockUnavailable`](crate::Event::BlockUnavailable). A new request makes the one
    /// before it void.
    Load {
        /// Goes into the answers.
        request: LoadId,
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// Run this, best on a thread for computing, and bring the result by
    /// [`Event::Encoded`](crate::Event::Encoded). There is one at a time.
    Encode(EncodeJob),
    /// Send a transaction. Nonces are given out in the order of these actions.
    Submit(Submission),
    /// These transactions are not wanted any more: what was not sent is not sent, what was is
    /// cancelled if it can be. Each still has an outcome, and nothing is submitted before all are
    /// known.
    Abandon(Vec<TxId>),
    /// Tell every block builder how much data it may take (`miner_setMaxDASize`), until it has
    /// acknowledged it.
    Throttle(DaLimits),
    /// For logs and metrics.
    Report(Report),
}

/// A transaction to the batch inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// Goes into the outcome.
    pub id: TxId,
    /// What it carries.
    pub payload: Payload,
    /// What it costs at the newest fees, in wei: none before there were any.
    pub cost: Option<u128>,
    /// The channel.
    pub channel: ChannelId,
    /// The channel's frames in it, by their numbers.
    pub frames: RangeInclusive<u16>,
    /// The L2 blocks of the channel.
    pub blocks: RangeInclusive<u64>,
}

/// What a transaction carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// As it is.
    Calldata(Bytes),
    /// Each in a blob of its own, to be encoded by `doppio_protocol::blob::encode_blob`, which takes
    /// all of them.
    Blobs(Vec<Bytes>),
}

impl Payload {
    /// Where it goes.
    pub const fn kind(&self) -> DaKind {
        match self {
            Self::Calldata(_) => DaKind::Calldata,
            Self::Blobs(_) => DaKind::Blobs,
        }
    }

    /// Bytes of data, without what blobs add.
    pub fn len(&self) -> usize {
        match self {
            Self::Calldata(data) => data.len(),
            Self::Blobs(blobs) => blobs.iter().map(|data| data.len()).sum(),
        }
    }

    /// Whether there are none. No payload of a submission is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How much data a block builder may take, in estimated bytes on L1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DaLimits {
    /// Of one transaction; 0 for no limit.
    pub max_tx_size: u64,
    /// Of one block; 0 for no limit.
    pub max_block_size: u64,
}

/// Why a channel was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// It has the size that was aimed at.
    Full,
    /// Its batches would be longer than derivation reads of a channel.
    RlpBytes,
    /// `max_channel_duration` has passed.
    Duration,
    /// The sequencing window of its first block ends.
    Window,
    /// [`Event::Flush`](crate::Event::Flush).
    Flush,
    /// No more blocks are loaded before some are safe: see
    /// [`BatcherOptions::max_loaded_bytes`](crate::BatcherOptions::max_loaded_bytes).
    Memory,
}

/// Why a channel is sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResendReason {
    /// A transaction failed.
    Failed(String),
    /// Its frames are too far apart on L1, or will be.
    TimedOut,
    /// A channel before it is sent again.
    Earlier,
}

/// What happened, for logs and metrics.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// It posts.
    Started,
    /// It posts no more, and nothing is under way.
    Stopped,
    /// The node's status cannot be used now, and why. Said when it begins.
    OutOfSync(OutOfSync),
    /// Blocks were loaded.
    BlocksLoaded {
        /// Their heights.
        blocks: RangeInclusive<u64>,
        /// Their size as op-batcher counts it.
        bytes: u64,
    },
    /// A block is no block that could be posted; it is asked for again.
    BlockRefused {
        /// The block.
        block: BlockId,
        /// What is wrong with it.
        error: String,
    },
    /// A channel has been begun: there are blocks that are in none.
    ChannelOpened {
        /// The first block.
        first: u64,
    },
    /// A channel was closed and compressed.
    ChannelClosed {
        /// The channel.
        channel: ChannelId,
        /// Its blocks.
        blocks: RangeInclusive<u64>,
        /// Why.
        reason: CloseReason,
        /// Bytes of its batches.
        input_bytes: u64,
        /// Bytes of the channel.
        output_bytes: u64,
    },
    /// L1 has all of a channel.
    ChannelSubmitted {
        /// The channel.
        channel: ChannelId,
        /// Its frames.
        frames: u16,
        /// L1 blocks between its first and its last frame.
        l1_blocks: u64,
    },
    /// A channel is sent again.
    ChannelResent {
        /// Its name from now on; another one if it begins anew.
        channel: ChannelId,
        /// The first frame that is sent.
        from_frame: u16,
        /// Why.
        reason: ResendReason,
    },
    /// The node has read all of a channel on L1 and did not derive it. Its blocks are put into new
    /// channels.
    NotDerived {
        /// The channel.
        channel: ChannelId,
        /// Its blocks.
        blocks: RangeInclusive<u64>,
        /// How often this has happened since the safe head moved.
        times: u32,
    },
    /// Blocks, channels and frames are forgotten, and loaded again from the safe head on.
    Reset(ResetReason),
    /// Something does not fit the safe head. Nothing is submitted until it does again, or has not
    /// for [`BatcherOptions::safe_reorg_patience`](crate::BatcherOptions::safe_reorg_patience).
    Suspicion(ResetReason),
    /// The oldest block that is not safe has to be on L1 soon.
    WindowWarning {
        /// The block.
        block: u64,
        /// L1 blocks that are left.
        left: u64,
    },
    /// The sequencing window of blocks has passed. Derivation puts blocks without users'
    /// transactions in their places.
    WindowExpired {
        /// The blocks.
        blocks: RangeInclusive<u64>,
        /// Whether they are other blocks than derivation's, so that none of the chain behind them
        /// will be derived: nothing is posted until the sequencer has a chain that can be.
        is_lost: bool,
    },
    /// Data goes elsewhere from now on.
    DaSwitched {
        /// Where.
        to: DaKind,
        /// What a byte of data costs there and there; none if the fees are not known.
        prices: Option<Price>,
        /// Whether blobs were chosen because the sequencer is throttled.
        is_throttled: bool,
    },
    /// Block builders are throttled otherwise.
    Throttle {
        /// From 0, not at all, to 1.
        intensity: f64,
        /// What it follows.
        unsafe_da_bytes: u64,
        /// What is asked of block builders.
        limits: DaLimits,
    },
    /// Something that cannot be by this program's own rules. Everything is rebuilt from the safe
    /// head.
    Bug(&'static str),
}
