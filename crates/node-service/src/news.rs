//! News of L1: its head, its safe and its finalized block, whenever they change; and how its endpoints
//! fare.

use crate::{meters, requests::labelled};
use core::time::Duration;
use doppio_l1::{L1Source, verify::Label};
use doppio_protocol::L1BlockRef;
use tokio::{sync::mpsc, time::sleep};
use tracing::warn;

/// News of L1.
#[derive(Clone, Copy, Debug)]
pub(crate) enum News {
    Head(L1BlockRef),
    Safe(L1BlockRef),
    Finalized(L1BlockRef),
}

/// How often the metrics of L1's endpoints are brought up to date. Prometheus asks less often.
const ENDPOINTS_INTERVAL: Duration = Duration::from_secs(2);

/// Brings the metrics of L1's endpoints up to date, again and again.
pub(crate) async fn measure_endpoints(l1: L1Source) {
    loop {
        meters::endpoints(&l1);
        sleep(ENDPOINTS_INTERVAL).await;
    }
}

/// Tells of L1's head whenever it changes.
pub(crate) async fn poll_head(l1: L1Source, interval: Duration, news: mpsc::Sender<News>) {
    let mut last = None;
    loop {
        match labelled(&l1, Label::Latest).await {
            Ok(Some(head)) if Some(head) != last => {
                last = Some(head);
                if news.send(News::Head(head)).await.is_err() {
                    return;
                }
            }
            Ok(_) => {}
            Err(error) => warn!(%error, "L1's head is not known"),
        }
        sleep(interval).await;
    }
}

/// Tells of L1's safe and finalized blocks whenever they change.
pub(crate) async fn poll_labels(l1: L1Source, interval: Duration, news: mpsc::Sender<News>) {
    let mut last = [None; 2];
    loop {
        for (last, label) in last.iter_mut().zip([Label::Safe, Label::Finalized]) {
            match labelled(&l1, label).await {
                Ok(Some(block)) if Some(block) != *last => {
                    *last = Some(block);
                    let told = match label {
                        Label::Safe => News::Safe(block),
                        _ => News::Finalized(block),
                    };
                    if news.send(told).await.is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                Err(error) => warn!(%error, "L1's {} block is not known", label.as_str()),
            }
        }
        sleep(interval).await;
    }
}
