//! The driver on recorded chains with the embedded engine, and on made-up ones with a model.

mod driver;
mod engines;
mod l1;
mod origin;
mod recovery;
mod sequencer;
mod unsafe_blocks;
mod world;
