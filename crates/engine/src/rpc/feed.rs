//! What clients follow: new heads, logs, pending transactions. Told to them by a subscription, or
//! fetched by them with a filter.

use super::{block_json, chain::Chain, logs::Filter};
use crate::{news::Missed, view::View};
use doppio_rpc::{Params, RpcError};
use serde_json::{Value, json};
use tokio::sync::watch;

/// Something that is followed, and how far.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    pub(super) what: What,
    position: u64,
}

/// What is followed.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// Headers of blocks that become canonical.
    Heads,
    /// Their hashes.
    Blocks,
    /// Logs, and those that are undone.
    Logs(Filter),
    /// Transactions that may enter the next block: hashes, or whole.
    Pending {
        /// Whole.
        full: bool,
    },
}

impl What {
    /// What the arguments of `eth_subscribe` name.
    pub(super) fn parse(params: &mut Params) -> Result<Self, RpcError> {
        let name: String = params.required()?;
        match &*name {
            "newHeads" => Ok(Self::Heads),
            "logs" => {
                let filter: Option<Filter> = params.optional()?;
                Ok(Self::Logs(filter.unwrap_or_default()))
            }
            "newPendingTransactions" => {
                let full = params.optional()?.unwrap_or_default();
                Ok(Self::Pending { full })
            }
            _ => Err(RpcError::method_not_found(&format!(
                "eth_subscribe {name:?}"
            ))),
        }
    }
}

impl From<Missed> for RpcError {
    fn from(missed: Missed) -> Self {
        Self::failed(missed.to_string())
    }
}

impl Feed {
    /// Follows something from now on.
    pub(super) fn new(view: &View, what: What) -> Self {
        let news = view.news();
        let position = match what {
            What::Heads | What::Blocks | What::Logs(_) => news.heads.end(),
            What::Pending { .. } => news.pending.end(),
        };
        Self { what, position }
    }

    /// Changes whenever there may be something new.
    pub(super) fn watch(&self, view: &View) -> watch::Receiver<u64> {
        let news = view.news();
        match self.what {
            What::Heads | What::Blocks | What::Logs(_) => news.heads.watch(),
            What::Pending { .. } => news.pending.watch(),
        }
    }

    /// What is new since the last time.
    pub(super) fn next(&mut self, chain: &Chain<'_>) -> Result<Vec<Value>, RpcError> {
        let news = chain.view.news();
        let mut found = Vec::new();
        if let What::Pending { full } = self.what {
            let (hashes, position) = news.pending.since(self.position)?;
            self.position = position;
            if !full {
                return Ok(hashes.into_iter().map(|hash| json!(hash)).collect());
            }
            let pool = chain.view.pool();
            // what left the pool again in between is not told
            let transactions = hashes.into_iter().filter_map(|hash| pool.get(hash));
            return Ok(transactions
                .map(|transaction| block_json::pending(transaction.transaction()))
                .collect());
        }
        let (moves, position) = news.heads.since(self.position)?;
        self.position = position;
        for moved in moves {
            if let What::Logs(filter) = &self.what {
                for (_, hash) in moved.removed.iter().rev() {
                    filter.follow(chain, chain.stored(*hash)?, true, &mut found)?;
                }
            }
            for (_, hash) in &moved.added {
                match &self.what {
                    What::Blocks => found.push(json!(hash)),
                    What::Logs(filter) => {
                        filter.follow(chain, chain.stored(*hash)?, false, &mut found)?;
                    }
                    What::Heads | What::Pending { .. } => {
                        let header = block_json::header(&chain.stored(*hash)?);
                        found.push(Value::Object(header));
                    }
                }
            }
        }
        Ok(found)
    }
}
