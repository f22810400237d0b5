//! The driver on recorded chains, with the embedded engine.

mod driver;
mod origin;
mod unsafe_blocks;
mod world;
