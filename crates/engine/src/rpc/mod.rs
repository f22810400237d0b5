//! JSON-RPC: what can be called, and the servers.
//!
//! [`MethodSet`]s answer calls and know nothing of sockets: [`ChainApi`] reads the chain, and
//! [`EngineApi`](crate::EngineApi) is what the rollup node calls. [`Server`] puts them on HTTP and
//! WebSocket, within [`Limits`] and behind a [`JwtSecret`] if need be. Answers are those of op-geth.

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
mod gate;
mod ids;
mod jwt;
mod logs;
mod methods;
mod node;
mod overrides;
mod params;
mod pool;
mod receipt_json;
mod server;
mod subscription;
mod trace;

pub use error::RpcError;
pub use jwt::{JwtSecret, JwtSecretError, TokenError};
pub use methods::{ChainApi, MethodSet, Settings};
pub use server::{Limits, Listen, Server, ServerError, Transport};
pub use subscription::Subscription;
