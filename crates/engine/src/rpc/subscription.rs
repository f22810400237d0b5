//! What a client of `eth_subscribe` is told.

use super::{feed::Feed, methods::ChainApi};
use doppio_rpc::{Changed, RpcError, Subscription};
use serde_json::Value;
use tokio::sync::watch;

/// A client's subscription to a chain.
#[derive(Debug)]
pub(super) struct ChainSubscription {
    api: ChainApi,
    feed: Feed,
    changes: watch::Receiver<u64>,
}

impl ChainSubscription {
    pub(super) fn new(api: ChainApi, feed: Feed) -> Self {
        let mut changes = feed.watch(api.view());
        // something may have happened since the feed began
        changes.mark_changed();
        Self { api, feed, changes }
    }
}

impl Subscription for ChainSubscription {
    fn changed(&mut self) -> Changed<'_> {
        Box::pin(async { self.changes.changed().await.is_ok() })
    }

    fn next(&mut self) -> Result<Vec<Value>, RpcError> {
        self.feed.next(&self.api.chain())
    }
}
