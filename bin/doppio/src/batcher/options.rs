//! What the flags say, as the batcher takes it.

use super::args::{BatcherArgs, ThrottleArgs};
use crate::output::CommandError;
use doppio_batcher::{
    BatchType, BatcherOptions, CompressionAlgo, Compressor, DaKind, DataAvailability, PidParams,
    ThrottleController, ThrottleOptions,
};

/// How much cheaper the other kind of data must be before `auto` changes to it, in percent.
const HYSTERESIS: u32 = 10;

/// The machine's options. The seed is drawn by the caller.
pub(super) fn batcher(
    args: &BatcherArgs,
    seed: alloy_primitives::B256,
) -> Result<BatcherOptions, CommandError> {
    let (posting, channels) = (&args.posting, &args.channels);
    let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    Ok(BatcherOptions {
        stopped: posting.stopped,
        max_channel_duration: channels.max_channel_duration,
        sub_safety_margin: posting.sub_safety_margin,
        max_l1_tx_size_bytes: size(posting.max_l1_tx_size),
        target_num_frames: size(posting.target_num_frames),
        approx_compr_ratio: channels.approx_compr_ratio,
        compressor: match channels.compressor.as_str() {
            "shadow" => Compressor::Shadow,
            "ratio" => Compressor::Ratio,
            "none" => Compressor::None,
            other => return Err(unknown("--compressor", other, "shadow, ratio, none")),
        },
        compression_algo: match channels.compression_algo.as_str() {
            "zlib" => CompressionAlgo::Zlib,
            // op-batcher's default quality
            "brotli" | "brotli-10" => CompressionAlgo::Brotli(10),
            "brotli-9" => CompressionAlgo::Brotli(9),
            "brotli-11" => CompressionAlgo::Brotli(11),
            "adaptive" => CompressionAlgo::BrotliAdaptive,
            other => {
                let known = "zlib, brotli, brotli-9, brotli-10, brotli-11, adaptive";
                return Err(unknown("--compression-algo", other, known));
            }
        },
        batch_type: match channels.batch_type.as_str() {
            "0" | "singular" => BatchType::Singular,
            "1" | "span" => BatchType::Span,
            other => return Err(unknown("--batch-type", other, "0 (singular), 1 (span)")),
        },
        max_blocks_per_span_batch: channels.max_blocks_per_span_batch,
        data_availability: match posting.da_type.as_str() {
            "calldata" => DataAvailability::Fixed(DaKind::Calldata),
            "blobs" => DataAvailability::Fixed(DaKind::Blobs),
            "auto" => DataAvailability::Auto {
                hysteresis_percent: HYSTERESIS,
            },
            other => {
                let known = "calldata, blobs, auto";
                return Err(unknown("--data-availability-type", other, known));
            }
        },
        // what a dry run has under way ends only with what the other batcher posts
        max_pending_tx: if args.dry_run {
            0
        } else {
            posting.max_pending_tx
        },
        throttle: throttle(&args.throttle)?,
        max_loaded_bytes: channels.max_loaded_mib.saturating_mul(1 << 20),
        seed,
        ..BatcherOptions::default()
    })
}

fn unknown(flag: &str, value: &str, known: &str) -> CommandError {
    format!("{flag} {value}: take one of {known}").into()
}

fn throttle(args: &ThrottleArgs) -> Result<ThrottleOptions, CommandError> {
    Ok(ThrottleOptions {
        controller: match args.controller_type.as_str() {
            "step" => ThrottleController::Step,
            "linear" => ThrottleController::Linear,
            "quadratic" => ThrottleController::Quadratic,
            "pid" => ThrottleController::Pid(PidParams {
                kp: args.pid_kp,
                ki: args.pid_ki,
                kd: args.pid_kd,
                integral_max: args.pid_integral_max,
                output_max: args.pid_output_max,
                sample: u64::try_from(args.pid_sample_time.as_millis()).unwrap_or(u64::MAX),
            }),
            other => {
                let known = "step, linear, quadratic, pid";
                return Err(unknown("--throttle.controller-type", other, known));
            }
        },
        lower_threshold: args.lower_threshold,
        upper_threshold: args.upper_threshold,
        tx_size_lower: args.tx_size_lower,
        tx_size_upper: args.tx_size_upper,
        block_size_lower: args.block_size_lower,
        block_size_upper: args.block_size_upper,
    })
}
