//! What batcher and proposer hold.

use alloy_primitives::{Address, Bytes, U256};
use doppio_protocol::blob::Blob;
use doppio_txmgr::{Market, Notice, Outcome, RequestId, Settings};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use thiserror::Error;
use tokio::sync::{mpsc, watch};

/// A transaction that is wanted on L1. Those that are sent one after the other land in this order;
/// what happens if one does not: [`doppio_txmgr::TxRequest`].
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Recipient; none to create a contract.
    pub to: Option<Address>,
    /// Wei that are sent along.
    pub value: U256,
    /// Calldata, or init code.
    pub data: Bytes,
    /// Blobs, at most 6; none for a transaction without.
    pub blobs: Vec<Arc<Blob>>,
    /// Gas limit; none to have it estimated. For data see [`doppio_txmgr::data_gas_limit`].
    pub gas_limit: Option<u64>,
}

impl Outgoing {
    /// Data in calldata, with just enough gas for an account without code.
    pub fn calldata(to: Address, data: Bytes) -> Self {
        Self {
            to: Some(to),
            value: U256::ZERO,
            gas_limit: Some(doppio_txmgr::data_gas_limit(&data)),
            data,
            blobs: Vec::new(),
        }
    }

    /// Data in blobs, with just enough gas for an account without code.
    pub fn blobs(to: Address, blobs: Vec<Arc<Blob>>) -> Self {
        Self {
            blobs,
            ..Self::calldata(to, Bytes::new())
        }
    }

    /// Calls a contract, with the gas that this is estimated to take.
    pub const fn call(to: Address, data: Bytes) -> Self {
        Self {
            to: Some(to),
            value: U256::ZERO,
            data,
            blobs: Vec::new(),
            gas_limit: None,
        }
    }
}

/// Why a request is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// It was closed.
    #[error("the transaction manager is closed")]
    Closed,
}

/// What the service is told.
#[derive(Debug)]
pub(crate) enum Command {
    Send(RequestId, Outgoing),
    Cancel(RequestId),
    Set(Settings),
    Close,
}

/// What the service tells of itself.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    pub(crate) settings: Settings,
    pub(crate) market: Option<Market>,
    pub(crate) pending: usize,
    pub(crate) next_nonce: Option<u64>,
}

/// Sends transactions. Clones send from the same account, and their requests are in one order.
#[derive(Clone, Debug)]
pub struct TxSender {
    pub(crate) address: Address,
    pub(crate) chain_id: u64,
    pub(crate) commands: mpsc::UnboundedSender<Command>,
    pub(crate) status: watch::Receiver<Status>,
    pub(crate) next_id: Arc<AtomicU64>,
}

impl TxSender {
    /// Sends a transaction, and gives the name that it has in [`Outcomes`]. It waits for nothing:
    /// how many are under way is [`TxSender::pending`].
    ///
    /// # Errors
    ///
    /// If the manager was closed.
    pub fn send(&self, tx: Outgoing) -> Result<RequestId, SendError> {
        let id = RequestId(self.next_id.fetch_add(1, Ordering::Relaxed));
        self.commands
            .send(Command::Send(id, tx))
            .map_err(|_| SendError::Closed)?;
        Ok(id)
    }

    /// Gives up a request and all after it. What becomes of them is told in [`Outcomes`].
    pub fn cancel(&self, id: RequestId) {
        // A service that is gone has told all outcomes.
        let _ = self.commands.send(Command::Cancel(id));
    }

    /// Takes no more requests, waits for what is mined, and lets all else go.
    pub fn close(&self) {
        let _ = self.commands.send(Command::Close);
    }

    /// What the operator can change (`txmgr_get…`).
    pub fn settings(&self) -> Settings {
        self.status.borrow().settings.clone()
    }

    /// Changes it (`txmgr_set…`).
    pub fn set(&self, settings: Settings) {
        let _ = self.commands.send(Command::Set(settings));
    }

    /// What L1 asks for now; none if that is not known yet, or is more than is allowed.
    pub fn market(&self) -> Option<Market> {
        self.status.borrow().market
    }

    /// Requests that have not ended.
    pub fn pending(&self) -> usize {
        self.status.borrow().pending
    }

    /// The nonce that the next request gets; none if it is not known yet.
    pub fn next_nonce(&self) -> Option<u64> {
        self.status.borrow().next_nonce
    }

    /// The account.
    pub const fn address(&self) -> Address {
        self.address
    }

    /// Chain id of L1.
    pub const fn chain_id(&self) -> u64 {
        self.chain_id
    }
}

/// News of requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// What becomes of a request.
    Outcome(RequestId, Outcome),
    /// Something that the operator should know. It is in the log, too.
    Notice(Notice),
}

/// What becomes of requests, in the order in which it happens.
#[derive(Debug)]
pub struct Outcomes {
    pub(crate) news: mpsc::UnboundedReceiver<News>,
}

impl Outcomes {
    /// The next news; none once the manager was closed and all requests have ended.
    pub async fn next(&mut self) -> Option<News> {
        self.news.recv().await
    }
}
