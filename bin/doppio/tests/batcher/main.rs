//! The batcher as its operators run it: the program itself, between a sequencer and a real L1 (anvil
//! with the genuine contracts of the OP Stack, from npm). A second node derives from L1 alone what it
//! posted.
//!
//! Without npm's packages the tests say loudly that nothing was tested.

mod faults;
#[allow(dead_code, reason = "each program of tests uses a part of it")]
#[path = "../support/net.rs"]
mod net;
mod operation;
mod poster;
mod posting;
#[allow(dead_code, reason = "each program of tests uses a part of it")]
#[path = "../support/process.rs"]
mod process;
