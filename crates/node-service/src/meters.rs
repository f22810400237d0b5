//! What is measured. Names are op-node's where it measures the same.

use crate::status::NodeStatus;
use alloy_primitives::B256;
use core::time::Duration;
use doppio_l1::{CacheKind, EndpointStatus, L1Source, Measured};
use doppio_protocol::{L1BlockRef, L2BlockRef};
use metrics::{Label, SharedString, counter, gauge, histogram};

/// Gauges take floating point numbers; heights and times are far below what those hold exactly.
#[expect(clippy::cast_precision_loss, reason = "see above")]
const fn number(value: u64) -> f64 {
    value as f64
}

/// Changes of a hash show as changes of a number.
fn hash_number(hash: B256) -> f64 {
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    number(u64::from_le_bytes(first))
}

fn reference(layer: &'static str, kind: &'static str, height: u64, time: u64, hash: B256) {
    gauge!("op_node_default_refs_number", "layer" => layer, "type" => kind).set(number(height));
    gauge!("op_node_default_refs_hash", "layer" => layer, "type" => kind).set(hash_number(hash));
    if time > 0 {
        gauge!("op_node_default_refs_time", "layer" => layer, "type" => kind).set(number(time));
    }
}

/// How old a block was when it was first seen, in seconds; negative, as op-node has it.
fn latency(layer: &'static str, kind: &'static str, time: u64, now: Duration) {
    gauge!("op_node_default_refs_latency", "layer" => layer, "type" => kind)
        .set(number(time) - now.as_secs_f64());
}

fn l1(kind: &'static str, new: &L1BlockRef, old: &L1BlockRef, now: Duration) {
    if new.hash != old.hash {
        reference("l1", kind, new.number, new.timestamp, new.hash);
        latency("l1", kind, new.timestamp, now);
    }
}

fn l2(kind: &'static str, new: &L2BlockRef, old: &L2BlockRef, now: Duration) {
    if new.hash != old.hash {
        reference("l2", kind, new.number, new.timestamp, new.hash);
        latency("l2", kind, new.timestamp, now);
        reference(
            "l1_origin",
            kind,
            new.l1_origin.number,
            0,
            new.l1_origin.hash,
        );
        gauge!("op_node_default_refs_seqnr", "type" => kind).set(number(new.sequence_number));
    }
}

/// The node runs.
pub(crate) fn up(version: &'static str) {
    gauge!("op_node_default_up").set(1.0);
    gauge!("op_node_default_info", "version" => version).set(1.0);
}

/// The heads changed.
pub(crate) fn status(new: &NodeStatus, old: &NodeStatus, now: Duration) {
    let (is_sequencing, new, old) = (new.is_sequencing, &new.sync, &old.sync);
    l1("l1_head", &new.head_l1, &old.head_l1, now);
    l1("l1_safe", &new.safe_l1, &old.safe_l1, now);
    l1("l1_finalized", &new.finalized_l1, &old.finalized_l1, now);
    l1("l1_derived", &new.current_l1, &old.current_l1, now);
    l2("l2_unsafe", &new.unsafe_l2, &old.unsafe_l2, now);
    l2(
        "l2_pending_safe",
        &new.pending_safe_l2,
        &old.pending_safe_l2,
        now,
    );
    l2("l2_local_safe", &new.local_safe_l2, &old.local_safe_l2, now);
    l2("l2_safe", &new.safe_l2, &old.safe_l2, now);
    l2("l2_finalized", &new.finalized_l2, &old.finalized_l2, now);
    gauge!("op_node_default_sequencer_active").set(f64::from(u8::from(is_sequencing)));
}

/// Whether derivation waits for L1.
pub(crate) fn idle(is_idle: bool) {
    gauge!("op_node_default_derivation_idle").set(f64::from(u8::from(is_idle)));
}

/// Something that is counted, with the time at which it happened last.
pub(crate) fn event(name: Happened, now: Duration) {
    let (total, last) = match name {
        Happened::Reset => (
            "op_node_default_pipeline_resets_total",
            "op_node_default_last_pipeline_resets_unix",
        ),
        Happened::UnsafePayload => (
            "op_node_default_unsafe_payloads_total",
            "op_node_default_last_unsafe_payloads_unix",
        ),
        Happened::DerivationError => (
            "op_node_default_derivation_errors_total",
            "op_node_default_last_derivation_errors_unix",
        ),
        Happened::SequencingError => (
            "op_node_default_sequencing_errors_total",
            "op_node_default_last_sequencing_errors_unix",
        ),
        Happened::DerivedBlock => (
            "op_node_default_derived_batches_total",
            "op_node_default_last_derived_batches_unix",
        ),
        Happened::SequencerReset => (
            "op_node_default_sequencer_resets_total",
            "op_node_default_last_sequencer_resets_unix",
        ),
    };
    counter!(total).increment(1);
    gauge!(last).set(now.as_secs_f64());
}

/// What is counted by [`event`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    Reset,
    UnsafePayload,
    DerivationError,
    SequencingError,
    DerivedBlock,
    SequencerReset,
}

/// A block of our own.
pub(crate) fn sequenced(transactions: usize, deposits: usize) {
    counter!("op_node_default_transactions_sequenced_total", "type" => "deposits")
        .increment(deposits as u64);
    counter!("op_node_default_transactions_sequenced_total", "type" => "txns")
        .increment((transactions - deposits) as u64);
}

/// How much later than its time a block of our own was the head; never negative.
pub(crate) fn lateness(late: Duration) {
    histogram!("doppio_node_sequencer_lateness_seconds").record(late);
}

/// How long sealing a block of our own took: from asking for it until it was the head.
pub(crate) fn sealed(took: Duration) {
    counter!("op_node_default_sequencer_sealing_total").increment(1);
    histogram!("op_node_default_sequencer_sealing_seconds").record(took);
}

/// How many L1 blocks a reorganisation undid.
#[expect(clippy::cast_precision_loss, reason = "depths are small")]
pub(crate) fn l1_reorg(depth: u64) {
    histogram!("op_node_default_l1_reorg_depth").record(depth as f64);
}

/// A request to L1.
pub(crate) fn l1_request(what: &'static str, took: Duration) {
    histogram!("op_node_default_l1_request_seconds", "request" => what).record(took);
}

/// Blocks from outside that wait for their turn.
pub(crate) fn unsafe_blocks(count: usize, bytes: usize) {
    gauge!("op_node_default_unsafe_payloads_buffer_len").set(number(count as u64));
    gauge!("op_node_default_unsafe_payloads_buffer_mem_size").set(number(bytes as u64));
}

/// Whether blocks are made without users' transactions after an expired sequencing window.
pub(crate) fn recovering(is_recovering: bool) {
    gauge!("doppio_node_sequencer_recovering").set(f64::from(u8::from(is_recovering)));
}

/// Whom the node calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Callee {
    L1,
    Engine,
}

impl Callee {
    /// op-node's name for it.
    const fn name(self) -> &'static str {
        match self {
            Self::L1 => "l1",
            Self::Engine => "engine-api",
        }
    }
}

/// A call is made.
pub(crate) fn call_begins(of: Callee, method: SharedString) {
    counter!("op_node_default_rpc_client_requests_total", "rpc" => of.name(), "method" => method)
        .increment(1);
}

/// A call is over, with an answer or without.
pub(crate) fn call_ends(of: Callee, method: SharedString, took: Duration) {
    histogram!("op_node_default_rpc_client_request_duration_seconds", "rpc" => of.name(), "method" => method)
        .record(took);
}

/// A call was answered, perhaps with an error of this code.
pub(crate) fn call_answered(of: Callee, method: SharedString, error: Option<i64>) {
    let error = error.map_or_else(|| "<nil>".to_owned(), |code| format!("rpc_{code}"));
    counter!(
        "op_node_default_rpc_client_responses_total",
        "rpc" => of.name(), "method" => method, "error" => error
    )
    .increment(1);
}

/// What L1 access measures: the [`Meter`](doppio_l1::Meter) of its options.
pub fn l1_access(measured: Measured) {
    let kind = |cache| match cache {
        CacheKind::Blocks => "blocks",
        CacheKind::Headers => "headers",
    };
    let word = |is_so: bool| if is_so { "true" } else { "false" };
    match measured {
        Measured::Called { method } => call_begins(Callee::L1, method.into()),
        Measured::Done { method, took } => call_ends(Callee::L1, method.into(), took),
        Measured::Answered { method, error } => call_answered(Callee::L1, method.into(), error),
        Measured::CacheGet { cache, hit } => {
            counter!("op_node_default_l1_source_cache_get", "type" => kind(cache), "hit" => word(hit))
                .increment(1);
        }
        Measured::CacheAdd {
            cache,
            evicted,
            size,
        } => {
            counter!(
                "op_node_default_l1_source_cache_add",
                "type" => kind(cache), "evicted" => word(evicted)
            )
            .increment(1);
            gauge!("op_node_default_l1_source_cache_size", "type" => kind(cache))
                .set(number(size as u64));
        }
    }
}

/// How the endpoints of L1 fare.
pub(crate) fn endpoints(l1: &L1Source) {
    for (kind, all) in [("rpc", l1.endpoints()), ("beacon", l1.beacon_endpoints())] {
        for (position, status) in all.into_iter().enumerate() {
            endpoint(kind, position, status);
        }
    }
}

/// Two endpoints may be of one host, with a key each that is not shown: the place in the operator's
/// list tells them apart.
fn endpoint(kind: &'static str, position: usize, status: EndpointStatus) {
    let labels = [
        Label::new("kind", kind),
        Label::new("position", position.to_string()),
        Label::new("endpoint", status.endpoint),
    ];
    let flag = |is_so: bool| f64::from(u8::from(is_so));
    let labels = || labels.iter();
    gauge!("doppio_node_l1_endpoint_score", labels()).set(f64::from(status.score));
    gauge!("doppio_node_l1_endpoint_waiting", labels()).set(flag(status.is_waiting));
    gauge!("doppio_node_l1_endpoint_distrusted", labels()).set(flag(status.is_distrusted));
    gauge!("doppio_node_l1_endpoint_batch_limit", labels()).set(number(status.batch_limit as u64));
    counter!("doppio_node_l1_endpoint_falsehoods_total", labels()).absolute(status.falsehoods);
    counter!("doppio_node_l1_endpoint_requests_total", labels()).absolute(status.requests);
    counter!("doppio_node_l1_endpoint_calls_total", labels()).absolute(status.calls);
}

/// A call over the node's JSON-RPC: the [`Meter`](doppio_rpc::Meter) of its servers.
pub fn rpc_call(method: &'static str, succeeded: bool, took: Duration) {
    counter!("op_node_default_rpc_server_requests_total", "method" => method).increment(1);
    if !succeeded {
        counter!("op_node_default_rpc_server_failures_total", "method" => method).increment(1);
    }
    histogram!("op_node_default_rpc_server_request_duration_seconds", "method" => method)
        .record(took);
}

/// A height was compared with another node's.
pub(crate) fn compared(what: &'static str, height: u64) {
    gauge!("doppio_node_compared_height", "what" => what).set(number(height));
}

/// Another node differs.
pub(crate) fn compare_difference(what: &'static str) {
    counter!("doppio_node_compare_differences_total", "what" => what).increment(1);
}
