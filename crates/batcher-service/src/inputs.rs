//! What the batcher is told again and again: the rollup node's heads, L1's head and fees.

use alloy_primitives::Address;
use core::time::Duration;
use doppio_batcher::{Event, FeeSample, L1Tip, SyncStatus};
use doppio_l1::{L1Source, verify::BlockAt};
use doppio_l2::ActiveSequencer;
use doppio_protocol::{L1BlockRef, config::ChainConfig};
use std::sync::Arc;
use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval},
};
use tracing::{debug, info, warn};

/// What must have been read of L1 before anything is posted (`--wait-node-sync`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeSync {
    /// Nothing.
    NotAwaited,
    /// This L1 block: the head at the start, or the newest one with a transaction of ours.
    To(u64),
}

/// Where fees are known from.
#[derive(Clone, Debug)]
pub(crate) struct Fees {
    pub(crate) chain: Arc<ChainConfig>,
    /// Tips of who sends; without, the least that is ever given.
    pub(crate) sender: Option<doppio_l1::txmgr::TxSender>,
    pub(crate) least_tip: u128,
}

fn ticks(every: Duration) -> tokio::time::Interval {
    let mut ticks = interval(every.max(Duration::from_millis(10)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Asks the rollup node for its heads, until nobody listens.
pub(crate) async fn follow_node(
    sequencers: Arc<ActiveSequencer>,
    every: Duration,
    mut wait: NodeSync,
    inputs: mpsc::Sender<Event>,
    safe: watch::Sender<u64>,
) {
    let mut ticks = ticks(every);
    let mut failures = 0u32;
    loop {
        ticks.tick().await;
        let status = match sequencers.get().await {
            Err(error) => Err(error.to_string()),
            Ok(sequencer) => match sequencer.rollup.sync_status().await {
                Err(error) => Err(error.to_string()),
                Ok(status) => Ok(status),
            },
        };
        let status = match status {
            Ok(status) => status,
            Err(reason) => {
                // the first is said, and then one of many
                if failures.is_multiple_of(30) {
                    warn!(reason, "the rollup node does not say where it is");
                }
                failures = failures.wrapping_add(1);
                if inputs.is_closed() {
                    return;
                }
                continue;
            }
        };
        failures = 0;
        if let NodeSync::To(height) = wait {
            if status.current_l1.number < height {
                info!(
                    at = status.current_l1.number,
                    to = height,
                    "waiting for the rollup node to have read L1"
                );
                continue;
            }
            wait = NodeSync::NotAwaited;
        }
        safe.send_replace(status.local_safe_l2.number);
        let status = SyncStatus {
            current_l1: status.current_l1,
            head_l1: status.head_l1,
            local_safe: status.local_safe_l2,
            safe: status.safe_l2,
            unsafe_head: status.unsafe_l2,
            finalized: status.finalized_l2,
        };
        if inputs.send(Event::Sync(status)).await.is_err() {
            return;
        }
    }
}

impl Fees {
    fn sample(&self, time: u64, base_fee: u64, excess_blob_gas: Option<u64>) -> Option<FeeSample> {
        let market = self.sender.as_ref().and_then(|sender| sender.market());
        let blob_base_fee = match excess_blob_gas {
            None => 0,
            Some(excess) => {
                let fee = self.chain.l1_blob_schedule.blob_base_fee(time, excess);
                match fee {
                    Ok(fee) => fee.try_into().unwrap_or(u128::MAX),
                    Err(error) => {
                        warn!(%error, "L1's blob base fee is not known");
                        return None;
                    }
                }
            }
        };
        Some(FeeSample {
            base_fee: u128::from(base_fee),
            tip: market.map_or(self.least_tip, |market| market.tip),
            blob_base_fee,
        })
    }
}

/// Asks L1 for its head, until nobody listens.
pub(crate) async fn follow_l1(
    l1: L1Source,
    fees: Fees,
    every: Duration,
    inputs: mpsc::Sender<Event>,
    tip: watch::Sender<Option<L1BlockRef>>,
) {
    let mut ticks = ticks(every);
    loop {
        ticks.tick().await;
        let head = match l1.head().await {
            Ok(head) => head,
            Err(error) => {
                warn!(%error, "L1's head is not known");
                if inputs.is_closed() {
                    return;
                }
                continue;
            }
        };
        let block = head.block_ref();
        let is_new = tip.borrow().is_none_or(|known| known.hash != block.hash);
        if !is_new {
            continue;
        }
        debug!(number = block.number, hash = %block.hash, "L1 head");
        tip.send_replace(Some(block));
        let header = head.header();
        let mut events = vec![Event::L1Tip(L1Tip {
            number: block.number,
            time: block.timestamp,
        })];
        let base_fee = header.base_fee_per_gas.unwrap_or_default();
        let sample = fees.sample(block.timestamp, base_fee, header.excess_blob_gas);
        events.extend(sample.map(Event::Fees));
        for event in events {
            if inputs.send(event).await.is_err() {
                return;
            }
        }
    }
}

/// The newest of the last `depth` L1 blocks with a transaction of the account to the inbox. None if
/// there is none.
///
/// # Errors
///
/// If L1 does not answer.
pub async fn recent_transaction(
    l1: &L1Source,
    head: u64,
    depth: u64,
    chain_id: u64,
    account: Address,
) -> Result<Option<u64>, doppio_l1::L1Error> {
    for number in (head.saturating_sub(depth)..=head).rev() {
        let Some(block) = l1.block(BlockAt::Number(number)).await? else {
            continue;
        };
        let mut senders = block
            .inbox
            .iter()
            .map(|entry| entry.transaction.sender(chain_id));
        if senders.any(|sender| sender == Some(account)) {
            return Ok(Some(number));
        }
    }
    Ok(None)
}
