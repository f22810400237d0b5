//! Blocks and sequencers behind scripted endpoints.

mod active;
mod blocks;
mod endpoint;
