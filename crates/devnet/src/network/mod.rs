//! A whole chain on one machine: L1, a sequencer with its engine, a batcher, and a second node that
//! derives the chain from L1 alone, each a process of its own.
//!
//! ```text
//!   run ── boot ──► Supervisor ── a process each ──► l1, engine, node, batcher, verifier-engine, verifier
//!    │                  │                               (`doppio` with ordinary flags, or others)
//!    ├── Screen ◄───────┴── devnet.json, logs/, chain/ ── NetworkFolder
//!    └── Exec (--exec)          traffic ──► L1, L2
//! ```
//!
//! A role that ends is not started again by itself: whoever ended it may want to start it by hand, or
//! something else in its place. That it has ended, how, and its command are said at once.

mod boot;
mod child;
mod description;
mod error;
mod exec;
mod folder;
mod l1;
mod ladder;
mod npm;
mod options;
mod ports;
mod roles;
mod run;
mod screen;
mod supervisor;
mod traffic;

pub use error::NetworkError;
pub use l1::{L1Options, run_l1};
pub use ladder::Ladder;
pub use options::{DataAvailability, ForkTime, NetworkOptions};
pub use ports::{Port, PortRange};
pub use roles::Role;
pub use run::{Ended, Interrupts, run};
pub use screen::Screen;
pub use traffic::{TrafficOptions, TrafficSummary, traffic};
