//! The formats of the OP Stack, both ways, and the configuration that selects among them.
//!
//! This crate says what bytes *mean*; it never decides which bytes count. Who may post, in which
//! order, and what follows is [`doppio-derive`]'s business.
//!
//! In the order of the data, from L1 to an L2 block:
//! [`l1`] (what is read of an L1 block) → [`blob`], [`commitment`] (where an inbox transaction
//! keeps its data), [`da_challenge`] (who doubts that the data exists) → [`frame`] → the channel's compressed bytes (crate `doppio-compression`) →
//! [`batch`] → [`deposit`], [`l1_info`], [`system_config`], [`upgrades`] (what L1 and the protocol
//! add) → [`attributes`] → [`l2`] → [`output`].
//!
//! Everything here is pure. Decoders take bytes of any origin, never panic, allocate no more than
//! their input's size, and name the rule that was broken. `// spec:` comments cite the rows of
//! `docs/RULES.md`.
//!
//! [`doppio-derive`]: ../doppio_derive/index.html

pub mod attributes;
pub mod batch;
pub mod blob;
pub mod block;
pub mod commitment;
pub mod config;
pub mod da_challenge;
pub mod deposit;
pub mod duration;
pub mod extra_data;
pub mod frame;
pub mod l1;
pub mod l1_info;
pub mod l2;
pub mod output;
pub mod payload;
pub mod rlp;
pub mod system_config;
pub mod upgrades;

pub use block::{BlockId, L1BlockRef, L2BlockRef};
