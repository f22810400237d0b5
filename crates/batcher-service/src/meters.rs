//! What is measured. Names are op-batcher's where it measures the same.

use core::time::Duration;
use doppio_batcher::{CloseReason, DaKind, DaLimits, Status, ThrottleController};
use doppio_protocol::L1BlockRef;
use metrics::{counter, gauge, histogram};
use std::time::{SystemTime, UNIX_EPOCH};

/// Gauges take floating point numbers; heights and sizes are far below what those hold exactly.
#[expect(clippy::cast_precision_loss, reason = "see above")]
const fn number(value: u64) -> f64 {
    value as f64
}

fn switch(is_on: bool) -> f64 {
    f64::from(u8::from(is_on))
}

fn now() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs_f64()
}

/// The batcher runs.
pub(crate) fn up(version: &'static str) {
    gauge!("op_batcher_default_info", "version" => version).set(1.0);
    gauge!("op_batcher_default_up").set(1.0);
}

/// As op-batcher names where data goes.
pub(crate) const fn da_name(kind: DaKind) -> &'static str {
    match kind {
        DaKind::Calldata => "calldata",
        DaKind::Blobs => "blobs",
    }
}

/// As op-batcher names a rule of throttling.
pub(crate) const fn controller_name(controller: ThrottleController) -> &'static str {
    match controller {
        ThrottleController::Step => "step",
        ThrottleController::Linear => "linear",
        ThrottleController::Quadratic => "quadratic",
        ThrottleController::Pid(_) => "pid",
    }
}

/// What the batcher holds.
pub(crate) fn status(status: &Status) {
    gauge!("op_batcher_default_pending_blocks_bytes_current").set(number(status.pending_bytes));
    gauge!("op_batcher_default_pending_blocks_count", "stage" => "added")
        .set(number(status.pending_blocks));
    gauge!("op_batcher_default_channel_queue_length").set(number(status.channels));
    gauge!("op_batcher_default_unsafe_da_bytes").set(number(status.unsafe_da_bytes));
    gauge!("op_batcher_default_pending_da_bytes").set(number(status.pending_da_bytes));
    gauge!("op_batcher_default_txmgr_pending_txs").set(number(status.in_flight));
    let newest = [
        ("loaded", status.newest_loaded),
        ("added", status.newest_in_channel),
    ];
    for (kind, height) in newest {
        if let Some(height) = height {
            gauge!("op_batcher_default_refs_number", "layer" => "l2", "type" => kind)
                .set(number(height));
        }
    }
    gauge!("doppio_batcher_posting").set(switch(status.is_started));
    gauge!("doppio_batcher_held_bytes").set(number(status.loaded_bytes));
    if let Some(left) = status.window_left {
        gauge!("doppio_batcher_sequencing_window_left_blocks").set(number(left));
    }
}

/// L1's head.
pub(crate) fn l1_head(head: &L1BlockRef) {
    gauge!("op_batcher_default_refs_number", "layer" => "l1", "type" => "latest")
        .set(number(head.number));
    gauge!("op_batcher_default_refs_time", "layer" => "l1", "type" => "latest")
        .set(number(head.timestamp));
}

/// A stage of a channel's life: `opened`, `closed`, `fully_submitted` or `timed_out`.
pub(crate) fn channel(stage: &'static str) {
    counter!("op_batcher_default_channel_total", "stage" => stage).increment(1);
    gauge!("op_batcher_default_last_channel_unix", "stage" => stage).set(now());
}

/// Blocks were read.
pub(crate) fn loaded(bytes: u64) {
    counter!("op_batcher_default_pending_blocks_bytes_total").increment(bytes);
}

/// A channel was made.
pub(crate) fn channel_closed(reason: CloseReason, blocks: u64, input: u64, output: u64) {
    channel("closed");
    counter!("op_batcher_default_input_bytes_total").increment(input);
    counter!("op_batcher_default_output_bytes_total").increment(output);
    gauge!("op_batcher_default_input_bytes", "stage" => "closed").set(number(input));
    gauge!("op_batcher_default_output_bytes").set(number(output));
    gauge!("op_batcher_default_blocks_added_count").set(number(blocks));
    if input > 0 {
        histogram!("op_batcher_default_channel_compr_ratio").record(number(output) / number(input));
    }
    let reason = match reason {
        CloseReason::Full => "full",
        CloseReason::RlpBytes => "rlp_bytes",
        CloseReason::Duration => "max_duration",
        CloseReason::Window => "seq_window",
        CloseReason::Flush => "terminated",
        CloseReason::Memory => "memory",
    };
    counter!("doppio_batcher_channels_closed_total", "reason" => reason).increment(1);
}

/// L1 has all frames of a channel.
pub(crate) fn channel_submitted(frames: u16) {
    channel("fully_submitted");
    gauge!("op_batcher_default_channel_num_frames").set(f64::from(frames));
}

/// A transaction was handed to the transaction manager.
pub(crate) fn submitted(kind: &'static str, bytes: usize) {
    transaction("submitted");
    counter!("op_batcher_default_batch_sent_da_type_total", "da_type" => kind).increment(1);
    counter!("op_batcher_default_batch_stored_data_size_bytes_total", "da_type" => kind)
        .increment(bytes as u64);
}

/// A stage of a transaction's life: `submitted`, `success` or `failed`.
pub(crate) fn transaction(stage: &'static str) {
    counter!("op_batcher_default_batcher_tx_total", "stage" => stage).increment(1);
    gauge!("op_batcher_default_last_batcher_tx_unix", "stage" => stage).set(now());
}

/// Bytes of data in the last blob of a transaction.
pub(crate) fn blob_bytes(bytes: usize) {
    histogram!("op_batcher_default_blob_used_bytes").record(number(bytes as u64));
}

/// Block builders are throttled.
pub(crate) fn throttle(
    controller: ThrottleController,
    intensity: f64,
    limits: DaLimits,
    unsafe_bytes: u64,
    threshold: u64,
) {
    let name = controller_name(controller);
    gauge!("op_batcher_default_throttle_intensity", "type" => name).set(intensity);
    gauge!("op_batcher_default_throttle_max_tx_size").set(number(limits.max_tx_size));
    gauge!("op_batcher_default_throttle_max_block_size").set(number(limits.max_block_size));
    histogram!("op_batcher_default_throttle_intensity_history", "type" => name).record(intensity);
    if threshold > 0 {
        gauge!("op_batcher_default_unsafe_bytes_ratio", "type" => name)
            .set(number(unsafe_bytes) / number(threshold));
    }
}

/// Which rule throttles.
pub(crate) fn throttle_controller(controller: ThrottleController) {
    let all = ["step", "linear", "quadratic", "pid"];
    for name in all {
        gauge!("op_batcher_default_throttle_controller_type", "type" => name)
            .set(switch(name == controller_name(controller)));
    }
}

/// Everything was begun anew from the safe head.
pub(crate) fn reset() {
    counter!("doppio_batcher_resets_total").increment(1);
}

/// A call over the batcher's JSON-RPC: the [`Meter`](doppio_rpc::Meter) of its servers.
pub fn rpc_call(method: &'static str, succeeded: bool, took: Duration) {
    counter!("op_batcher_default_rpc_server_requests_total", "method" => method).increment(1);
    if !succeeded {
        counter!("op_batcher_default_rpc_server_failures_total", "method" => method).increment(1);
    }
    histogram!("op_batcher_default_rpc_server_request_duration_seconds", "method" => method)
        .record(took);
}
