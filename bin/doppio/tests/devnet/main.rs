//! `doppio devnet` as its users run it: the whole chain by one command, over real sockets.
//!
//! Without npm's packages the tests say loudly that nothing was tested. The batcher is `doppio batcher`,
//! or op-batcher in the folder that `DOPPIO_PEERS` names.

mod chain;
mod command;
mod net;
mod pause;
#[allow(dead_code, reason = "each program of tests uses a part of it")]
#[path = "../support/process.rs"]
mod process;
