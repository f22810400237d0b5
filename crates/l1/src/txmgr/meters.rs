//! What is measured. Names are op-service's.

use alloy_primitives::B256;
use core::time::Duration;
use doppio_txmgr::{Inclusion, Market, Millis, RequestId, TxKind};
use metrics::{counter, gauge, histogram};
use std::collections::{HashMap, HashSet};

const WEI_OF_A_GWEI: f64 = 1e9;

/// Numbers of wei and heights are shown, and not reckoned with.
#[expect(clippy::cast_precision_loss, reason = "see above")]
const fn number(value: u128) -> f64 {
    value as f64
}

/// A request that was handed in.
#[derive(Debug)]
struct Sent {
    since: Millis,
    versions: HashSet<B256>,
    kind: TxKind,
}

/// The meters of one manager.
#[derive(Debug)]
pub(crate) struct Meters {
    /// Such as `op_batcher_default`.
    namespace: &'static str,
    sent: HashMap<RequestId, Sent>,
}

impl Meters {
    pub(crate) fn new(namespace: &'static str) -> Self {
        Self {
            namespace,
            sent: HashMap::new(),
        }
    }

    fn name(&self, name: &str) -> String {
        format!("{}_txmgr_{name}", self.namespace)
    }

    fn set(&self, name: &str, value: f64) {
        gauge!(self.name(name)).set(value);
    }

    pub(crate) fn pending(&self, pending: usize, next_nonce: Option<u64>) {
        self.set("pending_txs", number(pending as u128));
        if let Some(last) = next_nonce.and_then(|next| next.checked_sub(1)) {
            self.set("current_nonce", number(last.into()));
        }
    }

    pub(crate) fn market(&self, market: &Market) {
        self.set("basefee_wei", number(market.base_fee));
        self.set("tipcap_wei", number(market.tip));
        self.set("blob_tipcap_wei", number(market.blob_tip));
        if let Some(blob_base_fee) = market.blob_base_fee {
            self.set("blob_basefee_wei", number(blob_base_fee));
        }
    }

    pub(crate) fn publishing(&mut self, id: RequestId, hash: B256, kind: TxKind, now: Millis) {
        let sent = self.sent.entry(id).or_insert_with(|| Sent {
            since: now,
            versions: HashSet::new(),
            kind,
        });
        sent.versions.insert(hash);
    }

    pub(crate) fn published(&self, now: Millis) {
        counter!(self.name("publish_total")).increment(1);
        self.set(
            "last_publish_unix",
            Duration::from_millis(now).as_secs_f64(),
        );
    }

    pub(crate) fn not_published(&self, error: &'static str) {
        counter!(self.name("tx_publish_error_count"), "error" => error).increment(1);
    }

    pub(crate) fn rpc_error(&self) {
        counter!(self.name("rpc_error_count")).increment(1);
    }

    /// It is mined, and buried.
    pub(crate) fn confirmed(&self, id: RequestId, inclusion: &Inclusion, now: Millis) {
        let status = if inclusion.success {
            "success"
        } else {
            "failed"
        };
        counter!(self.name("confirm_total"), "status" => status).increment(1);
        gauge!(self.name("last_confirm_unix"), "status" => status)
            .set(Duration::from_millis(now).as_secs_f64());
        // Of gas alone, as op-service has it.
        let fee = u128::from(inclusion.gas_used).saturating_mul(inclusion.gas_price);
        let fee = number(fee) / WEI_OF_A_GWEI;
        self.set("tx_fee_gwei", fee);
        self.set("tx_cost_gwei", number(inclusion.cost()) / WEI_OF_A_GWEI);
        gauge!(self.name("tx_fee_gwei_total")).increment(fee);
        histogram!(self.name("tx_fee_histogram_gwei")).record(fee);
        let Some(sent) = self.sent.get(&id) else {
            return;
        };
        let tx_type = match sent.kind {
            TxKind::Plain => 2,
            TxKind::Blob => 3,
        };
        self.set("tx_type", number(tx_type));
        let bumps = sent.versions.len().saturating_sub(1);
        self.set("tx_gas_bump", number(bumps as u128));
        let latency = now.saturating_sub(sent.since);
        self.set("tx_confirmed_latency_ms", number(latency.into()));
    }

    pub(crate) fn forget(&mut self, id: RequestId) {
        self.sent.remove(&id);
    }
}
