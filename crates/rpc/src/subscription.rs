//! `eth_subscribe`: news over WebSocket.

use crate::{
    method_set::{MethodSet, Subscription},
    server::{error_object, positional},
};
use core::time::Duration;
use jsonrpsee::{PendingSubscriptionSink, RpcModule, SubscriptionSink, core::RegisterMethodError};
use serde_json::value::to_raw_value;
use std::sync::Arc;
use tokio::{select, task::spawn_blocking};

/// How long a client may take for one message before it is dropped.
const PATIENCE: Duration = Duration::from_secs(30);

/// Adds `eth_subscribe` and `eth_unsubscribe`.
pub(crate) fn register(
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
async fn serve(mut subscription: Box<dyn Subscription>, sink: &SubscriptionSink) {
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
