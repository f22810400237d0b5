//! An L1 on one machine, and the L2 chains on it, for tests and for trying things out.
//!
//! ```text
//!   node, batcher ── Faults ──► Front ─┬─ JSON-RPC ────► anvil (genuine OP contracts, from supersim)
//!                                      └─ beacon node ──► BlobStore      ▲
//!   test ──► DevL1: mine, reorg, deposit, … ──► Miner ───────────────────┘
//! ```
//!
//! ```no_run
//! # async fn example() -> Result<(), doppio_devnet::DevnetError> {
//! use doppio_devnet::{ChainOptions, DevL1, DevL1Options, Reorg};
//! let l1 = DevL1::start(DevL1Options::default()).await?;
//! let chain = l1.chain("target/devnet".as_ref(), ChainOptions::default()).await?;
//! println!("--l1 {} --l1.beacon {}", l1.rpc_url(), l1.beacon_url());
//! println!("--rollup.config {}", chain.rollup_path.display());
//! l1.reorg(3, Reorg::Same).await?;
//! l1.faults().beacon_down(true);
//! # Ok(())
//! # }
//! ```
//!
//! anvil and supersim come from npm: `npm ci --ignore-scripts` in the repository's folder. Everything
//! here is a child of this process, on this machine, and ends with it. [`network`] runs a whole chain on
//! such an L1, as `doppio devnet` does; [`testing`] has what only tests want.

mod anvil;
mod blobs;
mod chain;
mod contracts;
mod error;
mod folder;
mod front;
mod hardforks;
mod keys;
mod l1;
mod miner;
pub mod network;
mod process;
mod programs;
mod rpc;
mod service;
mod supersim;
pub mod testing;
mod wallet;

pub use blobs::versioned_hash;
pub use chain::{Chain, ChainOptions};
pub use contracts::{ConfigChange, Deposit};
pub use error::DevnetError;
pub use front::Faults;
pub use hardforks::{ForkSchedule, L1Hardfork};
pub use keys::{Account, ChainKeys, MNEMONIC};
pub use l1::{DevL1, DevL1Options, ROLLUP_START};
pub use miner::{Mining, Reorg};
pub use programs::{PEERS_VARIABLE, Programs, ProgramsError};
pub use rpc::{Receipt, Rpc};
pub use supersim::{Contracts, L1_CHAIN_ID, L2_CHAIN_IDS, Supersim, SupersimError};
pub use wallet::{Call, SidecarForm, SignedTransaction, Wallet};
