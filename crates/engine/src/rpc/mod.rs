//! What can be called over JSON-RPC, as sets of methods for the servers of `doppio-rpc`.
//!
//! [`ChainApi`] reads the chain, and [`EngineApi`](crate::EngineApi) is what the rollup node calls.
//! Answers are those of op-geth.

mod access_list;
mod accounts;
mod block_json;
mod blocks;
mod call;
mod chain;
mod clock;
mod error;
mod feed;
mod fees;
mod filters;
mod logs;
mod methods;
mod node;
mod overrides;
mod pool;
mod receipt_json;
mod subscription;
mod trace;

pub use methods::{ChainApi, Settings};
