//! The batcher of an OP Stack rollup, as one pure state machine: which L2 blocks go to L1, in which
//! transactions, in which order.
//!
//! [`Batcher`] is the entry. It is told what happened ([`Event`]) and says what is to be done
//! ([`Action`]); it does not await, read a clock, draw a random number or open a socket.

mod action;
mod batcher;
mod block;
mod da_size;
mod encode;
mod event;
mod options;
mod posting;
mod route;
mod status;
mod sync;
mod throttle;
mod window;

pub use action::{
    Action, CloseReason, DaLimits, LoadId, Payload, Report, ResendReason, Submission, TxId,
};
pub use batcher::Batcher;
pub use encode::{EncodeJob, Encoded};
pub use event::{Event, FeeSample, L1Tip, LoadedBlock, Millis, SyncStatus, TxOutcome};
pub use options::{
    BLOB_FRAME_SIZE, BatchType, BatcherOptions, CompressionAlgo, Compressor, DaKind,
    DataAvailability, MAX_BLOBS_PER_TX, MAX_CALLDATA_SIZE, OptionsError, PidParams,
    ThrottleController, ThrottleOptions,
};
pub use route::Price;
pub use status::Status;
pub use sync::{OutOfSync, ResetReason};
