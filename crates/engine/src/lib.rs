//! An OP Stack execution layer: blocks in, state out; or attributes in, blocks out.
//!
//! [`Engine`] is the whole of it over a database, [`EngineApi`] is how a rollup node asks it.
//! [`build_block`] and [`import_block`] are the heart: one block on a parent's state, from whatever
//! holds that state ([`StateSource`]). The crate's README says which file does what.

mod block;
mod builder;
mod chain_spec;
mod engine;
mod engine_api;
mod execute;
mod genesis;
mod header;
mod memory;
mod memory_chain;
mod meters;
mod news;
mod payload_id;
mod pool;
pub mod rpc;
mod state;
mod store;
mod transaction;
mod trie;
mod view;

pub use block::{Attributes, BlockError, ExecutedBlock, build_block, encode_receipt, import_block};
pub use builder::BuildSettings;
pub use chain_spec::{ChainSpec, ChainSpecError};
pub use engine::{BuildRequest, Engine, EngineError, EngineSettings, ForkChoice, Status};
pub use engine_api::{CAPABILITIES, EngineApi};
pub use execute::{BlockExecution, BlockInput, ExecuteError, Executed};
pub use genesis::{Genesis, GenesisError};
pub use header::{HeaderError, check as check_header, extra_data, header_params, next_base_fee};
pub use memory::MemoryStore;
pub use memory_chain::MemoryChain;
pub use meters::call as meter_call;
pub use news::{HeadMoved, Journal, Missed, News};
pub use payload_id::PayloadId;
pub use pool::{
    BestTransactions, MAX_TRANSACTION_BYTES, Pool, PoolError, PoolHead, PoolHeadError, PoolLimits,
    PooledTransaction, SLOT_BYTES,
};
pub use state::{StateAt, StateError, StateSource, StateUpdate};
pub use store::{BranchOf, ChainUpdate, Labels, Store, StoreError, TransactionPlace};
pub use transaction::{
    BlockTransaction, TransactionError, decode_transaction, decode_transactions,
};
pub use trie::{
    Leaf, NEW, NO_PLACE, NewNode, Node, NodeSource, Root, SourceError, TrieError, Updated,
    decode_node, get, get_leaf, prove, update, update_leaves,
};
pub use view::View;
