//! What is measured. Names are op-geth's where it measures the same.

use crate::pool::Pool;
use alloy_consensus::Header;
use core::time::Duration;
use metrics::{counter, gauge, histogram};

/// Gauges take floating point numbers; heights are far below what those hold exactly.
#[expect(clippy::cast_precision_loss, reason = "see above")]
const fn number(value: u64) -> f64 {
    value as f64
}

/// The newest block.
pub(crate) fn head(header: &Header) {
    gauge!("chain_head_block").set(number(header.number));
    gauge!("chain_head_timestamp").set(number(header.timestamp));
    gauge!("chain_head_base_fee").set(number(header.base_fee_per_gas.unwrap_or_default()));
}

/// Blocks that were canonical and are so no more, all at once.
pub(crate) fn reorg(dropped: usize, added: usize) {
    if dropped > 0 {
        counter!("chain_reorg_executes").increment(1);
        counter!("chain_reorg_drop").increment(dropped as u64);
        counter!("chain_reorg_add").increment(added as u64);
    }
}

/// Heights of the safe and the finalized block, if there are any.
pub(crate) fn labels(safe: Option<u64>, finalized: Option<u64>) {
    gauge!("chain_head_safe").set(number(safe.unwrap_or_default()));
    gauge!("chain_head_finalized").set(number(finalized.unwrap_or_default()));
}

/// A block that was executed because somebody else made it.
pub(crate) fn imported(header: &Header, took: Duration) {
    histogram!("chain_inserts_seconds").record(took);
    counter!("chain_gas_used_total").increment(header.gas_used);
}

/// A block that was refused.
pub(crate) fn refused() {
    counter!("chain_invalid_blocks_total").increment(1);
}

/// A block that was built here.
pub(crate) fn sealed(header: &Header, transactions: usize, took: Duration) {
    histogram!("miner_seal_seconds").record(took);
    histogram!("miner_block_gas").record(number(header.gas_used));
    histogram!("miner_block_transactions").record(number(transactions as u64));
}

/// What the pool holds.
pub(crate) fn pool(pool: &Pool) {
    let ready = pool.ready();
    gauge!("txpool_pending").set(number(ready as u64));
    gauge!("txpool_queued").set(number((pool.len() - ready) as u64));
    gauge!("txpool_bytes").set(number(pool.bytes() as u64));
}

/// A transaction that came to the pool.
pub(crate) fn transaction(taken: bool) {
    let outcome = if taken { "taken" } else { "refused" };
    counter!("txpool_transactions_total", "outcome" => outcome).increment(1);
}

/// A call over JSON-RPC: the [`Meter`](doppio_rpc::Meter) of an engine's servers.
pub fn call(method: &'static str, succeeded: bool, took: Duration) {
    counter!("rpc_requests_total", "method" => method).increment(1);
    if !succeeded {
        counter!("rpc_failures_total", "method" => method).increment(1);
    }
    histogram!("rpc_duration_seconds", "method" => method).record(took);
}
