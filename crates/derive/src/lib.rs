//! The OP Stack derivation pipeline, as a pure state machine.
//!
//! L1 blocks go in, attributes of L2 blocks come out: `retrieval → frames → channels → batches →
//! attributes`. The reference for every verdict is op-node. Nothing here awaits, reads a clock,
//! draws a random number or opens a socket: what is lacking is *asked for* ([`Step::Need`]), and
//! whoever drives the pipeline brings it.
//!
//! ```text
//!   supply(NextL1Block) ─► Traversal ─► Retrieval ─► FrameQueue ─► ChannelBank / ChannelAssembler
//!                                                                        │
//!   executed(outcome) ◄─ Attributes ◄─ BatchQueue / BatchStage ◄─ ChannelReader
//! ```
//!
//! Three kinds of trouble are kept apart. What is *invalid* is dropped with a typed reason, alike
//! on every node ([`DropReason`]). What is *unavailable* is asked for again, and nothing moves
//! until it comes. What *cannot be* stops derivation loudly ([`PipelineError`]).
//!
//! Around the pipeline, and as pure: [`reset_point::FindResetPoint`] (where to start the pipeline for a safe
//! head), [`sync_start::SyncStart`] (which heads to trust after a restart or an L1 reorganisation) and
//! [`finality::Finality`] (which L2 blocks an L1 finality signal makes final).

mod authorization;
mod batch_check;
mod batch_stages;
mod build;
mod channel_assembler;
mod channel_bank;
mod drops;
mod epochs;
mod frame_queue;
mod l1_window;
mod pipeline;
mod pull;
mod retrieval;
mod safe_blocks;
mod span_buffer;
mod step;

pub use authorization::{
    BATCH_INFO_AUTHENTICATED, BATCH_INFO_AUTHENTICATED_BY, INLINE_SIGNATURE_LENGTH,
    batch_commitment,
};
pub use batch_check::{BatchDrop, Undecided};
pub use build::{Built, Epoch, build_attributes};
pub use channel_bank::FrameRefusal;
pub use drops::{
    Drop, DropLog, DropReason, FrameOrder, InboxRefusal, InboxVerdict, MAX_DROPS_KEPT,
};
pub use epochs::{EpochUpdates, MAX_EPOCH_BYTES};
pub use pipeline::Pipeline;
pub use retrieval::foresee_commitments;
pub use step::{
    BlobRef, CriticalReason, DerivedAttributes, Outcome, PayloadAnswer, PayloadId, PayloadRequest,
    PipelineError, Request, ResetPoint, ResetReason, Response, Step, SupplyError,
};
