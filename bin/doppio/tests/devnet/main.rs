//! `doppio devnet` as its users run it: the whole chain by one command, over real sockets.
//!
//! Without npm's packages the tests say loudly that nothing was tested; so do those that need programs
//! in the folder that `DOPPIO_PEERS` names, and the long one without `DOPPIO_SOAK`.

mod chain;
mod command;
mod foreign;
mod net;
mod pause;
#[allow(dead_code, reason = "each program of tests uses a part of it")]
#[path = "../support/process.rs"]
mod process;
mod soak;
