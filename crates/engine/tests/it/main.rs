//! The engine on genuine chains and blocks.

mod building;
mod chain;
mod crash;
mod engine_api;
mod engine_calls;
mod exactness;
mod fees;
mod genesis;
mod karst_bundle;
mod payloads;
mod pool;
mod real_blocks;
mod recorded;
mod registry;
mod rpc;
mod rpc_blocks;
mod rpc_calls;
mod rpc_limits;
mod rpc_pool;
mod rpc_server;
mod rpc_trace;
mod small_chain;
mod t8n;
mod trie;
