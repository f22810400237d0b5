//! Espresso: HotShot's types and proofs, the portable proof, batches and their stream.
//!
//! A batcher puts each L2 block on Espresso before it goes to L1. Whoever follows the rollup there can
//! know within seconds what L1 will hold, if three things are checked that a query service could lie
//! about: that a HotShot block is [final](finality), that a [namespace](vid) of it holds these
//! transactions and no others, and [who](batch) may sign batches.
//!
//! Nothing here awaits, connects or reads a clock. Every byte is an adversary's: anybody may write to a
//! namespace, and every service may lie.

pub mod batch;
pub mod block_merkle;
pub mod bls;
pub mod certificate;
pub mod chain_config;
pub mod commit;
pub mod epochs;
pub mod finality;
pub mod header;
pub mod leaf;
pub mod light_client;
pub mod namespace;
mod number;
pub mod portable;
mod rescue;
mod rescue_keys;
pub mod stake_table;
pub mod streamer;
pub mod tagged;
pub mod vid;

pub use rescue::circuit_root;
