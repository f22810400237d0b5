//! The rollup node as its users run it: the program itself, over real sockets, on a real L1 (anvil with
//! the genuine contracts of the OP Stack, from npm).
//!
//! One node sequences, with the embedded engine; the other derives the chain from L1 alone. A small
//! batcher of `doppio-devnet` posts what the first one made. Without npm's packages the tests say loudly
//! that nothing was tested. The recorded chains are followed as well, with their L1 served over HTTP.

mod admin;
mod chain;
mod faults;
mod kills;
#[allow(dead_code, reason = "each program of tests uses a part of it")]
#[path = "../support/net.rs"]
mod net;
#[allow(dead_code, reason = "each program of tests uses a part of it")]
#[path = "../support/process.rs"]
mod process;
mod proofs;
mod recorded;
#[path = "../support/recorded_node.rs"]
mod recorded_node;
mod reorgs;
