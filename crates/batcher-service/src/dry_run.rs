//! `--dry-run`: beside a batcher that runs, what this one would have posted, and at what cost.
//!
//! Nothing is signed or sent. A transaction counts as included once the blocks that it carries are
//! safe, because the other batcher's data is on L1: so the machine goes on as if it had posted, at
//! the other's pace. What the other posts is read from L1. Both are counted at the fees of the same
//! L1 blocks.

use crate::poster::Became;
use alloy_primitives::Address;
use doppio_batcher::{Payload, Submission, TxId, TxOutcome};
use doppio_l1::{L1Source, txmgr::machine::data_gas_limit, verify::BlockAt};
use doppio_protocol::{L1BlockRef, config::ChainConfig, l1::L1Block};
use serde::Serialize;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::watch;
use tracing::{info, warn};

/// Gas of a blob (EIP-4844).
const GAS_PER_BLOB: u128 = 131_072;
/// L1 blocks that are read at most after a pause: beyond, the comparison begins anew.
const MOST_BEHIND: u64 = 256;

/// What was posted, or would have been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Posted {
    /// Transactions.
    pub transactions: u64,
    /// Blobs.
    pub blobs: u64,
    /// Bytes of calldata.
    pub calldata_bytes: u64,
    /// Gas, without blob gas.
    pub gas: u128,
    /// Wei, at base fee and blob base fee.
    pub cost: u128,
}

/// Both, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DryRunSummary {
    /// What this batcher would have posted.
    pub ours: Posted,
    /// What was posted to the inbox.
    pub theirs: Posted,
    /// L2 blocks that ours would have carried.
    pub l2_blocks: u64,
}

impl Posted {
    fn add(&mut self, gas: u64, bytes: usize, blobs: usize, base_fee: u128, blob_base_fee: u128) {
        let blobs = blobs as u64;
        self.transactions += 1;
        self.blobs += blobs;
        self.calldata_bytes += bytes as u64;
        self.gas = self.gas.saturating_add(u128::from(gas));
        let plain = u128::from(gas).saturating_mul(base_fee);
        let blob_gas = u128::from(blobs) * GAS_PER_BLOB;
        self.cost = self
            .cost
            .saturating_add(plain)
            .saturating_add(blob_gas.saturating_mul(blob_base_fee));
    }
}

/// What L1 costs at its head.
#[derive(Clone, Copy, Debug, Default)]
struct Prices {
    base_fee: u128,
    blob_base_fee: u128,
}

#[derive(Debug, Default)]
struct Account {
    summary: DryRunSummary,
    prices: Prices,
}

/// Posts nothing, and counts.
#[derive(Debug)]
pub(crate) struct DryRun {
    waiting: VecDeque<Submission>,
    known: VecDeque<Became>,
    safe: watch::Receiver<u64>,
    tip: watch::Receiver<Option<L1BlockRef>>,
    account: Arc<Mutex<Account>>,
}

/// Reads the sums of a dry run.
#[derive(Clone, Debug)]
pub(crate) struct Sums(Arc<Mutex<Account>>);

impl Sums {
    pub(crate) fn read(&self) -> DryRunSummary {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .summary
    }
}

impl DryRun {
    /// Counts until it is dropped. `safe` is the height of the safe L2 head.
    pub(crate) fn start(
        chain: Arc<ChainConfig>,
        l1: L1Source,
        safe: watch::Receiver<u64>,
        tip: watch::Receiver<Option<L1BlockRef>>,
    ) -> Self {
        let account = Arc::new(Mutex::new(Account::default()));
        let watching = watch_inbox(chain, l1, tip.clone(), Arc::clone(&account));
        tokio::spawn(watching);
        Self {
            waiting: VecDeque::new(),
            known: VecDeque::new(),
            safe,
            tip,
            account,
        }
    }

    pub(crate) fn sums(&self) -> Sums {
        Sums(Arc::clone(&self.account))
    }

    pub(crate) fn submit(&mut self, submission: Submission) {
        let (calldata, blobs): (&[u8], _) = match &submission.payload {
            Payload::Calldata(data) => (data, 0),
            Payload::Blobs(blobs) => (&[], blobs.len()),
        };
        let gas = data_gas_limit(calldata);
        let bytes = submission.payload.len();
        info!(
            tx = submission.id.0, channel = %submission.channel, frames = ?submission.frames,
            blocks = ?submission.blocks, bytes, blobs, gas, cost = submission.cost,
            "would be posted now"
        );
        let mut account = self.account.lock().unwrap_or_else(PoisonError::into_inner);
        let prices = account.prices;
        let ours = &mut account.summary.ours;
        ours.add(
            gas,
            calldata.len(),
            blobs,
            prices.base_fee,
            prices.blob_base_fee,
        );
        if *submission.frames.start() == 0 {
            let (first, last) = (*submission.blocks.start(), *submission.blocks.end());
            account.summary.l2_blocks += last.saturating_sub(first) + 1;
        }
        drop(account);
        self.waiting.push_back(submission);
    }

    pub(crate) fn abandon(&mut self, ids: &[TxId]) {
        let (abandoned, waiting) = self
            .waiting
            .drain(..)
            .partition::<VecDeque<_>, _>(|submission| ids.contains(&submission.id));
        self.waiting = waiting;
        let cancelled = |submission: Submission| (submission.id, TxOutcome::Cancelled);
        self.known.extend(abandoned.into_iter().map(cancelled));
    }

    /// As [`Poster::next`](crate::poster::Poster::next).
    pub(crate) async fn next(&mut self) -> Option<Became> {
        loop {
            if let Some(known) = self.known.pop_front() {
                return Some(known);
            }
            let safe = *self.safe.borrow_and_update();
            let block = *self.tip.borrow();
            if let Some(block) = block
                && let Some(first) = self.waiting.front()
                && *first.blocks.end() <= safe
            {
                let id = first.id;
                self.waiting.pop_front();
                return Some((id, TxOutcome::Included(block.id())));
            }
            self.safe.changed().await.ok()?;
        }
    }
}

/// Reads what is posted, from the head on, until nobody knows of a head any more.
async fn watch_inbox(
    chain: Arc<ChainConfig>,
    l1: L1Source,
    mut tip: watch::Receiver<Option<L1BlockRef>>,
    account: Arc<Mutex<Account>>,
) {
    let mut next: Option<u64> = None;
    while tip.changed().await.is_ok() {
        let Some(head) = *tip.borrow_and_update() else {
            continue;
        };
        let from = next.unwrap_or(head.number);
        let from = from.max(head.number.saturating_sub(MOST_BEHIND));
        for number in from..=head.number {
            match l1.block(BlockAt::Number(number)).await {
                Ok(Some(block)) => {
                    count(&chain, &block, &account);
                    next = Some(number + 1);
                }
                Ok(None) => break,
                Err(error) => {
                    warn!(%error, number, "an L1 block cannot be read now");
                    break;
                }
            }
        }
    }
}

fn count(chain: &ChainConfig, block: &L1Block, account: &Mutex<Account>) {
    let header = &block.header;
    let blob_base_fee = header.excess_blob_gas.and_then(|excess| {
        let fee = chain
            .l1_blob_schedule
            .blob_base_fee(header.timestamp, excess);
        fee.ok()?.try_into().ok()
    });
    let prices = Prices {
        base_fee: header.base_fee.try_into().unwrap_or(u128::MAX),
        blob_base_fee: blob_base_fee.unwrap_or_default(),
    };
    let mut account = account.lock().unwrap_or_else(PoisonError::into_inner);
    account.prices = prices;
    for entry in &block.inbox {
        let from: Option<Address> = entry.transaction.sender(chain.rollup.l1_chain_id);
        let input = entry.transaction.input();
        let blobs = entry.transaction.blob_versioned_hashes().len();
        let gas = data_gas_limit(&input);
        info!(
            l1 = header.number,
            ?from,
            bytes = input.len(),
            blobs,
            gas,
            "was posted by the other batcher"
        );
        let theirs = &mut account.summary.theirs;
        theirs.add(
            gas,
            input.len(),
            blobs,
            prices.base_fee,
            prices.blob_base_fee,
        );
    }
}
