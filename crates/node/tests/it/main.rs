//! The driver on recorded chains, with the embedded engine.

mod driver;
mod origin;
mod sequencer;
mod unsafe_blocks;
mod world;
