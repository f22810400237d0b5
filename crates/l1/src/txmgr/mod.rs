//! The transaction manager of batcher and proposer: the shell around [`doppio_txmgr::TxManager`].
//!
//! ```text
//!   TxSender ── send, cancel, close, set ──► service: loop { manager.next_action }
//!   Outcomes ◄── what becomes of requests ──    │
//!                                               ├─► signer: key, keystore, remote signer
//!                                               ├─► endpoints: publish to all; ask the best
//!                                               └─► L1Source: inclusion, checked against the block
//! ```
//!
//! The service does what the machine asks for, and decides nothing. What an endpoint says of a receipt
//! is a hint where to look: that a transaction is in a block is read from the block, whose hash and
//! roots hold.

mod ask;
mod handle;
mod inclusion;
mod meters;
mod publish;
mod service;
mod sidecar;
mod signer;

pub use doppio_txmgr as machine;
pub use handle::{News, Outcomes, Outgoing, SendError, TxSender};
pub use publish::PublishTo;
pub use service::{StartError, TxmgrOptions, start};
pub use sidecar::{Sidecar, SidecarError, with_sidecar};
pub use signer::{
    LocalSigner, RemoteOptions, RemoteSigner, Signer, SignerError, Signing, TlsFiles,
};
