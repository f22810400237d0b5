//! The rollup node as a service: around the pure driver of `doppio-node`, what does its I/O.
//!
//! ```text
//!   L1 ── L1Source, Follower ──┐                 ┌── optimism_*, admin_*, superroot_* (api.rs)
//!                              ├─► Service ──────┼── safe heads (safe_db.rs)
//!   engine ── L2Client ────────┘  owns the       └── metrics (meters.rs)
//!                                 Driver
//! ```
//!
//! [`Node::start`] begins; a [`NodeHandle`] is how everybody else reaches it.

mod api;
mod checks;
mod command;
mod compare;
mod da;
mod lane;
mod metered;
mod meters;
mod news;
mod persistence;
mod requests;
mod safe_db;
mod service;
mod status;

pub use api::{AdminApi, NodeApi, SetLog};
pub use checks::Checks;
pub use command::{CommandError, NodeHandle};
pub use compare::{CompareOptions, Compared, Comparison, NodeDifference};
pub use da::{DaOptions, DaSource};
pub use metered::MeteredEngine;
pub use meters::{l1_access as meter_l1, rpc_call as meter_call};
pub use persistence::{AdminState, AdminStateError};
pub use safe_db::{BecameSafe, SafeDb, SafeDbError, SafeHead};
pub use service::{Node, NodeError, NodeOptions, Polling, SequencerSettings};
pub use status::NodeStatus;
