//! What the batcher holds, for metrics.

use crate::action::DaLimits;

/// A snapshot.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Status {
    /// Whether it posts.
    pub is_started: bool,
    /// Whether nothing is submitted before what is under way has an outcome.
    pub is_settling: bool,
    /// Blocks that are in no channel (`pending_blocks_count`).
    pub pending_blocks: u64,
    /// Their bytes as op-batcher counts them (`pending_blocks_bytes_current`).
    pub pending_bytes: u64,
    /// Blocks held, those in channels too.
    pub loaded_blocks: u64,
    /// Bytes held: blocks and channels. At most
    /// [`BatcherOptions::max_loaded_bytes`](crate::BatcherOptions::max_loaded_bytes) one block and
    /// one channel.
    pub loaded_bytes: u64,
    /// The newest block held (`refs` of type `loaded`); none if none is.
    pub newest_loaded: Option<u64>,
    /// The newest block in a channel (`refs` of type `added`).
    pub newest_in_channel: Option<u64>,
    /// Estimated bytes on L1 of everything that is not safe (`unsafe_da_bytes`).
    pub unsafe_da_bytes: u64,
    /// The same of what is in no channel (`pending_da_bytes`).
    pub pending_da_bytes: u64,
    /// Channels that are not safe (`channel_queue_length`).
    pub channels: u64,
    /// Transactions under way.
    pub in_flight: u64,
    /// How far block builders are throttled, from 0 to 1 (`throttle_intensity`).
    pub throttle_intensity: f64,
    /// What is asked of block builders; none before anything was.
    pub throttle_limits: Option<DaLimits>,
    /// L1 blocks until the sequencing window of the oldest block that is not safe ends; none if
    /// there is no such block, or L1's head is not known. 0 if it has.
    pub window_left: Option<u64>,
}
