//! Records a live chain: what its nodes say becomes a folder that anyone can derive again.
//!
//! [`record`] asks L1 (through `doppio-l1`, which believes nobody), the chain's rollup node and its
//! execution engine, and writes the folder of `doppio-recorded`. Derivation runs along: it names
//! the blocks that it looks up, and is compared with the chain at once.

mod error;
mod follow;
mod l1;
mod l2;
mod peers;
mod range;
mod record;

pub use error::RecordError;
pub use peers::{Peers, RollupNode};
pub use record::{RecordOptions, RecordProgress, RecordSummary, record};
