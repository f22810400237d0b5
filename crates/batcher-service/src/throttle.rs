//! Tells block builders how much data they may take.

use core::time::Duration;
use doppio_batcher::DaLimits;
use doppio_rpc::{CallError, Caller, quantity};
use serde_json::Value;
use std::sync::Arc;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tracing::{debug, error, warn};

const METHOD: &str = "miner_setMaxDASize";
/// How long until a builder is told the same again: one that was started anew has forgotten it.
const AGAIN: Duration = Duration::from_secs(12);
/// How long until a builder that did not take it is told again.
const RETRY: Duration = Duration::from_secs(10);

/// Tells one builder, for ever.
// spec: opstack 4.7, opstack 7.5
async fn tell(builder: Arc<dyn Caller>, mut limits: watch::Receiver<Option<DaLimits>>) {
    loop {
        let now = *limits.borrow_and_update();
        let mut wait = AGAIN;
        if let Some(DaLimits {
            max_tx_size,
            max_block_size,
        }) = now
        {
            let params = vec![quantity(max_tx_size), quantity(max_block_size)];
            match builder.call(METHOD, params).await {
                Ok(Value::Bool(true)) => debug!(
                    builder = builder.name(),
                    max_tx_size, max_block_size, "throttled"
                ),
                Ok(answer) => {
                    wait = RETRY;
                    warn!(builder = builder.name(), %answer, "{METHOD} was not taken");
                }
                Err(error @ CallError::Rpc { .. }) => {
                    wait = RETRY;
                    error!(
                        %error,
                        "block builders cannot be throttled: open the miner_ methods of this \
                         endpoint, or leave throttling off with \
                         --throttle.unsafe-da-bytes-lower-threshold 0"
                    );
                }
                Err(error) => {
                    wait = RETRY;
                    warn!(%error, "a block builder does not answer");
                }
            }
        }
        match timeout(wait, limits.changed()).await {
            Ok(Ok(())) | Err(_) => {}
            Ok(Err(_)) => return,
        }
        if wait == RETRY {
            // a builder that refuses is not asked at every change
            sleep(Duration::from_millis(500)).await;
        }
    }
}

/// Tells all builders what the returned sender is given, until it is dropped.
pub(crate) fn start(builders: Vec<Arc<dyn Caller>>) -> watch::Sender<Option<DaLimits>> {
    let (sender, limits) = watch::channel(None);
    for builder in builders {
        tokio::spawn(tell(builder, limits.clone()));
    }
    sender
}
