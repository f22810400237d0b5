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
//! Around the pipeline, and as pure: [`SyncStart`] (which heads to trust after a restart or an L1
//! reorganisation), [`FindResetPoint`] (where to start the pipeline for a safe head), [`Finality`]
//! (which L2 blocks an L1 finality signal makes final) and [`read_da_answer`] (what a DA server's
//! answer means), [`differences`] (whether a block is what attributes give).

mod authorization;
mod batch_check;
mod batch_stages;
mod build;
mod challenges;
mod channel_assembler;
mod channel_bank;
mod commitments;
mod consolidation;
mod da_server;
mod drops;
mod epochs;
mod finality;
mod frame_queue;
mod l1_window;
mod lookup;
mod pipeline;
mod pull;
mod reset_point;
mod retrieval;
mod safe_blocks;
mod span_buffer;
mod step;
mod sync_start;

pub use authorization::{
    BATCH_INFO_AUTHENTICATED, BATCH_INFO_AUTHENTICATED_BY, INLINE_SIGNATURE_LENGTH,
    batch_commitment,
};
pub use batch_check::{BatchDrop, ConfirmedRefusal, Undecided, check_confirmed_batch};
pub use build::{Built, Epoch, build_attributes};
pub use challenges::Settled;
pub use channel_bank::FrameRefusal;
pub use commitments::foresee_commitments;
pub use consolidation::{Difference, differences};
pub use da_server::{DaServerError, da_request_path, read_da_answer};
pub use drops::{
    Drop, DropLog, DropReason, FrameOrder, InboxRefusal, InboxVerdict, MAX_DROPS_KEPT,
};
pub use epochs::{EpochUpdates, MAX_EPOCH_BYTES};
pub use finality::{Finality, FinalityMismatch, FinalityOptions, FinalityStep, OldSignal};
pub use lookup::{Found, L2Label, Lookup, NotAsked, Search};
pub use pipeline::Pipeline;
pub use reset_point::{FindResetPoint, ResetPointError};
pub use step::{
    BlobRef, CriticalReason, DerivedAttributes, Outcome, PayloadAnswer, PayloadId, PayloadRequest,
    PipelineError, Request, ResetPoint, ResetReason, Response, Step, SupplyError,
};
pub use sync_start::{Heads, SyncStart, SyncStartError, SyncStartOptions};
