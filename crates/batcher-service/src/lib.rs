//! The batcher as a service: around the pure machine of `doppio-batcher`, what does its I/O.
//!
//! ```text
//!   rollup node ── SyncStatus ──┐                     ┌── loader: L2 blocks
//!   L1 ── tip, fees ────────────┤                     ├── encoder: channels, on threads of their own
//!   loader, encoder ────────────┼─► Service: Batcher ─┼── poster: TxSender, or nothing (--dry-run)
//!   poster ── outcomes ─────────┤                     ├── throttlers: miner_setMaxDASize
//!   admin_* ── commands ────────┘                     └── reports: log and metrics
//! ```
//!
//! [`BatcherService::start`] begins; a [`BatcherHandle`] is how everybody else reaches it.

mod api;
mod checks;
mod dry_run;
mod handle;
mod inputs;
mod loader;
mod meters;
mod poster;
mod reports;
mod service;
mod throttle;

pub use api::{AdminApi, BatcherApi, SetLog, TxmgrApi};
pub use checks::BatcherChecks;
pub use dry_run::{DryRunSummary, Posted};
pub use handle::{BatcherHandle, CommandError};
pub use inputs::{NodeSync, recent_transaction};
pub use meters::rpc_call as meter_call;
pub use service::{BatcherService, Posting, Running, ServiceError, ServiceOptions};
