//! L1 access that verifies what it is told.
//!
//! ```text
//!   Follower ── blocks in order, reorganisations ──┐
//!   L1Source ── block, header, blobs, proof ───────┴─► driver, batcher, proposer
//!      │ ask: the best endpoint, then the next
//!      ├─► endpoints (JSON-RPC) ── answers ─► verify ─► cache
//!      └─► beacon nodes, archivers ─────────► verify
//! ```
//!
//! [`verify`] is a crate of its own: JSON in, checked values or a typed error out. Around it are here
//! the endpoints with their limits and failures, a bounded cache, and the [`Follower`] that reads
//! ahead.

mod beacon;
mod blob_flights;
mod cache;
mod endpoint;
mod failure;
mod fetch;
mod follower;
mod health;
mod meter;
mod options;
mod pool;
mod receipts_method;
mod rpc;
mod source;
pub mod txmgr;

pub use doppio_rpc::UrlError;
pub use doppio_verify as verify;
pub use endpoint::EndpointStatus;
pub use failure::{EndpointFailure, Failure, L1Error, OptionsError, SlotError};
pub use follower::{Follower, FollowerOptions, L1Event, Reorg};
pub use meter::{CacheKind, Measured, Meter};
pub use options::{BeaconOptions, L1Options};
pub use receipts_method::{RpcKind, UnknownRpcKind};
pub use source::L1Source;
