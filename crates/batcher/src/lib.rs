//! The batcher of an OP Stack rollup, as one pure state machine: which L2 blocks go to L1, in which
//! transactions, in which order.

mod action;
mod batcher;
mod encode;
mod event;
mod options;
mod route;
mod status;
mod sync;

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
