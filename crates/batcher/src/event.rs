//! What the batcher is told.

use crate::{
    action::{LoadId, TxId},
    encode::Encoded,
    options::ThrottleController,
};
use alloy_primitives::{B256, Bytes};
use doppio_protocol::{L1BlockRef, L2BlockRef, block::BlockId, l2::L2Block};

/// Milliseconds since the Unix epoch.
pub type Millis = u64;

/// What happened. Every event may come at any time, late, twice, or for something that the batcher
/// has forgotten: it then changes nothing.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one at a time, and the largest comes most often"
)]
pub enum Event {
    /// What the rollup node says of itself (`optimism_syncStatus`). Polled; it drives loading,
    /// forgetting what is safe, and noticing reorganisations.
    Sync(SyncStatus),
    /// L1 has a new head. It may be lower than the one before.
    L1Tip(L1Tip),
    /// A block that [`Action::Load`](crate::Action::Load) asked for, in order.
    Block {
        /// Of the action.
        request: LoadId,
        /// The block.
        block: LoadedBlock,
    },
    /// A block cannot be had now; the request is over, and made again with a later
    /// [`Event::Sync`].
    BlockUnavailable {
        /// Of the action.
        request: LoadId,
        /// Its height.
        number: u64,
    },
    /// What L1 costs.
    Fees(FeeSample),
    /// What became of a transaction.
    Transaction {
        /// Of [`Action::Submit`](crate::Action::Submit).
        id: TxId,
        /// What became of it.
        outcome: TxOutcome,
    },
    /// An [`EncodeJob`](crate::EncodeJob) has been run.
    Encoded(Encoded),
    /// Post, after a [`Event::Stop`] or a start with
    /// [`BatcherOptions::stopped`](crate::BatcherOptions::stopped). What is posted begins with the
    /// block after the safe head.
    Start,
    /// Begin nothing new. A channel that L1 has a part of is finished; then
    /// [`Report::Stopped`](crate::Report::Stopped) comes.
    Stop,
    /// Close the channel with what is loaded, and post it.
    Flush,
    /// Throttle by another rule from now on.
    Throttle(ThrottleController),
}

/// The heads of the rollup node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncStatus {
    /// The L1 block that derivation reads. Those before it are complete.
    pub current_l1: L1BlockRef,
    /// The L1 head that the node knows.
    pub head_l1: L1BlockRef,
    /// Derived from L1. This is what the batcher goes by.
    pub local_safe: L2BlockRef,
    /// Derived from L1, with everything that it depends on.
    pub safe: L2BlockRef,
    /// The newest block.
    pub unsafe_head: L2BlockRef,
    /// Derived from what is final on L1.
    pub finalized: L2BlockRef,
}

/// The head of L1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct L1Tip {
    /// Height.
    pub number: u64,
    /// Seconds since the Unix epoch.
    pub time: u64,
}

/// An L2 block, as far as batches need it. The transactions stay opaque: types that nobody knows
/// survive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadedBlock {
    /// Height.
    pub number: u64,
    /// Hash.
    pub hash: B256,
    /// Hash of the block before it.
    pub parent_hash: B256,
    /// Seconds since the Unix epoch.
    pub timestamp: u64,
    /// EIP-2718 encoded, with the deposits; the first one is the L1 info.
    pub transactions: Vec<Bytes>,
}

impl From<L2Block> for LoadedBlock {
    fn from(block: L2Block) -> Self {
        Self {
            number: block.header.number,
            hash: block.hash,
            parent_hash: block.header.parent_hash,
            timestamp: block.header.timestamp,
            transactions: block.transactions,
        }
    }
}

/// What L1 costs now, in wei.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeeSample {
    /// Base fee of the next block, for a unit of gas.
    pub base_fee: u128,
    /// Tip, for a unit of gas.
    pub tip: u128,
    /// Blob base fee of the next block, for a unit of blob gas.
    pub blob_base_fee: u128,
}

/// What became of a transaction.
///
/// [`TxOutcome::Failed`] and [`TxOutcome::Cancelled`] mean that it will never be in a block: its
/// nonce is consumed by another transaction or was never used. As long as that is not certain, there
/// is no outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TxOutcome {
    /// It is in an L1 block, whatever its receipt's status is.
    Included(BlockId),
    /// It will never be, and why.
    Failed(String),
    /// It will never be, because the batcher abandoned it.
    Cancelled,
    /// A reorganisation of L1 took it out of its block. It is under way again: a later outcome
    /// follows.
    ReorgedOut,
}
