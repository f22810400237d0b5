//! Doppio beside kona, on recorded chains.
//!
//! kona is the other derivation of the OP Stack in Rust. Here it reads the same recordings of a
//! real op-node as Doppio does, from memory: [`kona`] drives kona's own pipeline, [`ours`] drives
//! Doppio's, and both say what they derive in the same words ([`Block`], [`Safe`]). The
//! differential test compares the two; the benches measure them.
//!
//! kona 0.4.5 ends at Isthmus, and knows neither alt-DA nor authentication events. [`Reach`] says
//! how far it can follow a chain.

mod batches;
mod channels;
mod derived;
pub mod kona;
mod l1;
pub mod ours;
mod reach;

pub use batches::{Batch, BatchBlock, our_batches};
pub use channels::{Channel, channels, data_items};
pub use derived::{Block, Payload, Safe};
pub use l1::WholeBlock;
pub use ours::Chain;
pub use reach::Reach;

/// Names of the recorded chains.
pub const RECORDED: [&str; 8] = [
    "calldata-singular-zlib",
    "blobs-span-brotli-jovian",
    "altda-span-brotli",
    "all-forks-calldata",
    "expired-windows",
    "hostile-inbox",
    "espresso-gen2-calldata",
    "espresso-gen2-batcher",
];
