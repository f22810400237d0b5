//! `eth_subscribe`: news over WebSocket.

use super::{
    error::RpcError,
    feed::Feed,
    methods::{ChainApi, MethodSet},
    server::{error_object, positional},
};
use core::time::Duration;
use jsonrpsee::{PendingSubscriptionSink, RpcModule, SubscriptionSink, core::RegisterMethodError};
use serde_json::{Value, value::to_raw_value};
use std::sync::Arc;
use tokio::{select, sync::watch, task::spawn_blocking};

/// How long a client may take for one message before it is dropped.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client's subscription: what is new, whenever something is.
#[derive(Debug)]
pub struct Subscription {
    api: ChainApi,
    feed: Feed,
    changes: watch::Receiver<u64>,
}

impl Subscription {
    pub(super) fn new(api: ChainApi, feed: Feed) -> Self {
        let mut changes = feed.watch(api.view());
        // something may have happened since the feed began
        changes.mark_changed();
        Self { api, feed, changes }
    }

    /// Waits until there may be something new. False if there never will be.
    async fn changed(&mut self) -> bool {
        self.changes.changed().await.is_ok()
    }

    /// What is new since the last time.
    fn next(&mut self) -> Result<Vec<Value>, RpcError> {
        self.feed.next(&self.api.chain())
    }
}

/// Adds `eth_subscribe` and `eth_unsubscribe`.
pub(super) fn register(
    module: &mut RpcModule<Arc<dyn MethodSet>>,
) -> Result<(), RegisterMethodError> {
    module.register_subscription(
        "eth_subscribe",
        "eth_subscription",
        "eth_unsubscribe",
        |params, pending: PendingSubscriptionSink, set, _| async move {
            let opened = positional(&params).and_then(|params| set.subscribe(params));
            match opened {
                Err(error) => pending.reject(error_object(error)).await,
                Ok(subscription) => {
                    // an error says that the client is gone
                    if let Ok(sink) = pending.accept().await {
                        serve(subscription, &sink).await;
                    }
                }
            }
        },
    )?;
    Ok(())
}

/// Tells a client what is new until one of both ends it.
async fn serve(mut subscription: Subscription, sink: &SubscriptionSink) {
    loop {
        let changed = select! {
            () = sink.closed() => false,
            changed = subscription.changed() => changed,
        };
        if !changed {
            return;
        }
        // the chain is read: not for a thread that others wait for
        let read = spawn_blocking(move || {
            let found = subscription.next();
            (subscription, found)
        });
        let Ok((same, found)) = read.await else {
            return;
        };
        subscription = same;
        let found = match found {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "a subscription ends");
                return;
            }
        };
        for value in found {
            let Ok(message) = to_raw_value(&value) else {
                return;
            };
            if sink.send_timeout(message, PATIENCE).await.is_err() {
                return;
            }
        }
    }
}
