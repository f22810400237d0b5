//! EigenDA: payloads, certificates, and whether a certificate counts.
//!
//! A batcher posts a [commitment](mod@commitment) to L1: a [`Certificate`] of the EigenDA network that a
//! blob is kept. Whether it counts is a function of the commitment's bytes and the L1 block that
//! includes it: the [verdict](mod@verdict). It follows the rules of EigenDA's contracts on L1, whose
//! [state](mod@state) comes in as storage values that were proven against a state root. What lies
//! behind a good certificate is a blob: it is checked against the commitment and [decoded](payload).
//!
//! Nothing here awaits, connects or reads a clock. Every byte is an adversary's: reading is strict, and
//! an encoding that is accepted is the only one of its value.

pub mod abi;
pub mod assignment;
pub mod blob;
pub mod blob_info;
pub mod certificate;
pub mod commitment;
pub mod coordinates;
pub mod frame;
pub mod hashes;
pub mod merkle;
pub mod network;
pub mod offline;
pub mod payload;
pub mod requests;
mod rlp;
mod signatures;
pub mod state;
pub mod verdict;

pub use certificate::Certificate;
pub use commitment::{Parsed, parse};
pub use network::Network;
pub use verdict::{Invalid, Verdict, judge};
