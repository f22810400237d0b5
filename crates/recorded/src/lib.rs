//! Recorded chains: folders that hold what a real node read and derived, block by block.
//!
//! [`RecordedChain`] reads such a folder and believes nothing in it: L1 headers, transactions and
//! receipts are checked against their hashes and roots, L2 blocks against theirs. [`Replay`]
//! derives the chain again and compares every block. [`RecordingWriter`] writes such a folder.

mod execution;
mod files;
mod recording;
mod replay;
mod start;
mod writer;

pub use execution::{ExecutedBlock, Execution, ExecutionError, ExecutionOutcome};
pub use recording::{OpenOptions, RecordedChain, RecordedL2Block, RecordedPayload, RecordingError};
pub use replay::{Mismatch, Replay, ReplayError, ReplayProgress, ReplayReport};
pub use start::{Start, StartError};
pub use writer::{RecordingWriter, WriteError};
