//! L2 as others see it: an execution engine's blocks ([`L2Client`]), a rollup node's heads
//! ([`RollupNode`]), and of several sequencers the one that is active ([`ActiveSequencer`]).
//!
//! Blocks are checked against their hashes; which are canonical, and what a rollup node says, is
//! trusted.

mod active;
mod client;
mod rollup;
mod status;

pub use active::{ActiveSequencer, Sequencer, SequencerError};
pub use client::{L2Client, L2Error};
pub use rollup::{OutputAtBlock, RollupError, RollupNode};
pub use status::SyncStatus;
