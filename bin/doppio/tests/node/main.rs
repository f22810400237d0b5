//! `doppio node` on recorded chains behind sockets: endpoints that lie, DA servers that fail, deaths at
//! any time, configurations that are wrong, another node that differs. No anvil is needed, and what must
//! come out is op-node's word.

mod compare;
mod da;
mod engine_check;
mod hostile;
mod kills;
#[allow(dead_code, reason = "each program of tests uses a part of it")]
#[path = "../support/process.rs"]
mod process;
mod recorded;
mod refusals;
#[allow(dead_code, reason = "each program of tests uses a part of it")]
#[path = "../support/rpc.rs"]
mod rpc;
