//! Who makes L1's blocks, and at which times.
//!
//! anvil mines when it is told to. The clock tells it once each slot, so that block times are those of
//! a beacon chain: genesis + whole slots.

use crate::{
    DevnetError, ROLLUP_START,
    blobs::{self, BlobStore},
    rpc::Rpc,
};
use alloy_primitives::{Address, B256, Bytes};
use doppio_protocol::L1BlockRef;
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::{Mutex, MutexGuard};

/// Most blocks in one call: each takes anvil some milliseconds.
const BLOCKS_OF_A_CALL: u64 = 100;
/// Longest time until the clock looks again: the chain may have been changed meanwhile.
const LOOK: Duration = Duration::from_millis(100);
/// How long the clock waits after anvil gave no answer.
const RECOVERY: Duration = Duration::from_millis(500);

/// When blocks are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mining {
    /// One each slot, once its time has come. Slots in the past are made up for at once.
    #[default]
    Clock,
    /// The same, and one at once for each transaction. The chain's time may so run ahead of the
    /// clock, which then waits.
    Mixed,
    /// Only by [`DevL1::mine`](crate::DevL1::mine). The chain's time has nothing to do with the
    /// clock: it is one slot a block.
    OnDemand,
}

/// What the blocks of a reorganisation hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reorg {
    /// Nothing. Transactions of the blocks that they replace are lost.
    #[default]
    Empty,
    /// The transactions of the blocks that they replace, at the same heights.
    Same,
    /// These: for each, which of the new blocks, from 0, and its bytes.
    With(Vec<(u64, Bytes)>),
}

/// Makes blocks. All that changes the chain goes through it, one after the other.
#[derive(Debug)]
pub(crate) struct Miner {
    block_time: u64,
    blobs: BlobStore,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Slots without a block before the next block.
    skip: u64,
    /// The clock does not mine.
    is_paused: bool,
    /// Reorganisations so far.
    reorgs: u64,
    /// The newest block that is kept on disk, if blocks are.
    kept: Option<u64>,
}

impl State {
    /// What is kept from this block on is not the chain's any more.
    fn forget_from(&mut self, first: u64) {
        let below = first.saturating_sub(1);
        self.kept = self.kept.map(|kept| kept.min(below));
    }
}

/// Nobody else changes the chain while this is held.
#[derive(Debug)]
pub(crate) struct Alone<'a>(MutexGuard<'a, State>);

impl Alone<'_> {
    /// Blocks up to this one are kept on disk.
    pub(crate) fn set_kept(&mut self, number: u64) {
        self.0.kept = Some(number);
    }
}

/// Time since the Unix epoch.
pub(crate) fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

impl Miner {
    pub(crate) fn new(block_time: u64, blobs: BlobStore) -> Self {
        Self {
            block_time,
            blobs,
            state: Mutex::default(),
        }
    }

    /// Makes blocks. The next one leaves out the slots that are to be missed.
    pub(crate) async fn mine(&self, rpc: &Rpc, count: u64) -> Result<L1BlockRef, DevnetError> {
        let mut state = self.state.lock().await;
        self.mine_locked(rpc, &mut state, count).await
    }

    async fn mine_locked(
        &self,
        rpc: &Rpc,
        state: &mut MutexGuard<'_, State>,
        count: u64,
    ) -> Result<L1BlockRef, DevnetError> {
        if state.skip > 0 && count > 0 {
            let head = rpc.block_at("latest").await?;
            let slots = state.skip.saturating_add(1);
            let time = head.timestamp + slots.saturating_mul(self.block_time);
            rpc.call("evm_setNextBlockTimestamp", json!([time])).await?;
            state.skip = 0;
        }
        let mut left = count;
        while left > 0 {
            let now = left.min(BLOCKS_OF_A_CALL);
            rpc.call("anvil_mine", json!([format!("{now:#x}")])).await?;
            left -= now;
        }
        rpc.block_at("latest").await
    }

    /// Lets slots go by without a block before the next one.
    pub(crate) async fn skip(&self, slots: u64) {
        let mut state = self.state.lock().await;
        state.skip = state.skip.saturating_add(slots);
    }

    /// Stops the clock.
    pub(crate) async fn pause(&self) {
        self.state.lock().await.is_paused = true;
    }

    /// Starts the clock again. The slots that went by have no block.
    pub(crate) async fn resume(&self, rpc: &Rpc) -> Result<(), DevnetError> {
        let mut state = self.state.lock().await;
        if state.is_paused {
            let head = rpc.block_at("latest").await?;
            let missed = now().as_secs().saturating_sub(head.timestamp) / self.block_time.max(1);
            state.skip = state.skip.max(missed);
            state.is_paused = false;
        }
        Ok(())
    }

    /// Replaces the newest blocks by as many others; the new head.
    pub(crate) async fn reorg(
        &self,
        rpc: &Rpc,
        depth: u64,
        content: Reorg,
    ) -> Result<L1BlockRef, DevnetError> {
        let mut state = self.state.lock().await;
        let first = check_depth(rpc, depth).await?;
        state.forget_from(first);
        let transactions = match content {
            Reorg::Empty => Vec::new(),
            Reorg::Same => transactions(rpc, first, depth).await?,
            Reorg::With(transactions) => self.without_blobs(transactions).await?,
        };
        // A block is known by its content: without transactions, and once the base fee has come down
        // to its floor, anvil would make the same blocks again.
        state.reorgs += 1;
        let maker = Address::from_word(B256::left_padding_from(&state.reorgs.to_be_bytes()));
        rpc.call("anvil_setCoinbase", json!([maker])).await?;
        let pairs: Vec<_> = transactions
            .into_iter()
            .map(|(block, raw)| json!([raw, block]))
            .collect();
        rpc.call("anvil_reorg", json!([depth, pairs])).await?;
        rpc.block_at("latest").await
    }

    /// Takes the blobs off transactions.
    async fn without_blobs(
        &self,
        transactions: Vec<(u64, Bytes)>,
    ) -> Result<Vec<(u64, Bytes)>, DevnetError> {
        let blobs = self.blobs.clone();
        blobs::blocking(move || {
            let bare = transactions.into_iter().map(|(block, raw)| {
                let raw = blobs.take_off(raw);
                Ok((
                    block,
                    raw.map_err(|error| DevnetError::Kzg(error.to_string()))?,
                ))
            });
            bare.collect()
        })
        .await
    }

    /// Takes the newest blocks away; the new head.
    pub(crate) async fn rollback(&self, rpc: &Rpc, depth: u64) -> Result<L1BlockRef, DevnetError> {
        let mut state = self.state.lock().await;
        let first = check_depth(rpc, depth).await?;
        state.forget_from(first);
        rpc.call("anvil_rollback", json!([depth])).await?;
        rpc.block_at("latest").await
    }

    /// Does something to the chain while nobody mines.
    pub(crate) async fn alone(&self) -> Alone<'_> {
        Alone(self.state.lock().await)
    }

    /// The newest block that is kept on disk, if blocks are.
    pub(crate) async fn kept(&self) -> Option<u64> {
        self.state.lock().await.kept
    }

    /// Mines each slot's block once its time has come, for ever.
    pub(crate) async fn run(self: Arc<Self>, rpc: Rpc) {
        loop {
            let wait = match self.tick(&rpc).await {
                Ok(wait) => wait.min(LOOK),
                Err(error) => {
                    tracing::warn!("L1's clock cannot mine: {error}");
                    RECOVERY
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Mines if it is time; how long to wait until it is.
    async fn tick(&self, rpc: &Rpc) -> Result<Duration, DevnetError> {
        let mut state = self.state.lock().await;
        if state.is_paused {
            return Ok(LOOK);
        }
        let head = rpc.block_at("latest").await?;
        let slots = state.skip.saturating_add(1);
        let next = head.timestamp + slots.saturating_mul(self.block_time);
        let wait = Duration::from_secs(next).saturating_sub(now());
        if wait.is_zero() {
            self.mine_locked(rpc, &mut state, 1).await?;
        }
        Ok(wait)
    }
}

/// The first of the newest `depth` blocks. The rollup's first L1 block is none of them.
async fn check_depth(rpc: &Rpc, depth: u64) -> Result<u64, DevnetError> {
    let head = rpc.block_number().await?;
    match head.checked_sub(depth) {
        Some(below) if below >= ROLLUP_START => Ok(below + 1),
        _ => Err(DevnetError::TooDeep { depth, head }),
    }
}

/// The transactions of blocks, each with its block's distance from the first one.
async fn transactions(rpc: &Rpc, first: u64, count: u64) -> Result<Vec<(u64, Bytes)>, DevnetError> {
    const METHOD: &str = "eth_getBlockByNumber";
    let mut found = Vec::new();
    for offset in 0..count {
        let params = json!([format!("{:#x}", first + offset), false]);
        let block = rpc.call(METHOD, params).await?;
        let hashes = block.get("transactions").and_then(Value::as_array);
        let hashes = hashes.ok_or_else(|| rpc.unexpected(METHOD, "no transactions"))?;
        for hash in hashes {
            let raw: Bytes = rpc
                .get("eth_getRawTransactionByHash", json!([hash]))
                .await?;
            found.push((offset, raw));
        }
    }
    Ok(found)
}
