//! Which options cannot work.

use crate::support::{GENESIS_TIME, chain, rollup};
use doppio_batcher::{
    BatchType, Batcher, BatcherOptions, CompressionAlgo, Compressor, DaKind, DataAvailability,
    OptionsError, PidParams, ThrottleController, ThrottleOptions,
};
use doppio_protocol::config::{Fork, RollupConfig};
use std::sync::Arc;

fn mainnet_like(last: Fork) -> RollupConfig {
    RollupConfig {
        seq_window_size: 3600,
        channel_timeout: 300,
        ..rollup(last)
    }
}

fn refused(last: Fork, options: BatcherOptions) -> Option<OptionsError> {
    let chain = chain(mainnet_like(last));
    Batcher::new(Arc::clone(&chain), options, GENESIS_TIME * 1000).err()
}

const BLOBS: DataAvailability = DataAvailability::Fixed(DaKind::Blobs);

/// opstack 5.4.
#[test]
fn the_defaults_are_op_batchers() {
    let options = BatcherOptions::default();
    assert_eq!(options.sub_safety_margin, 10);
    assert_eq!(options.max_pending_tx, 1);
    assert_eq!(options.max_channel_duration, 0);
    assert_eq!(options.max_l1_tx_size_bytes, 120_000);
    assert_eq!(options.max_blocks_per_span_batch, 0);
    assert_eq!(options.target_num_frames, 1);
    assert!((options.approx_compr_ratio - 0.6).abs() < f64::EPSILON);
    assert_eq!(options.compressor, Compressor::Shadow);
    assert_eq!(options.compression_algo, CompressionAlgo::Zlib);
    assert_eq!(options.batch_type, BatchType::Singular);
    assert_eq!(
        options.data_availability,
        DataAvailability::Fixed(DaKind::Calldata)
    );
    let throttle = options.throttle;
    assert_eq!(throttle.controller, ThrottleController::Quadratic);
    assert_eq!(
        (throttle.tx_size_lower, throttle.tx_size_upper),
        (150, 20_000)
    );
    assert_eq!(
        (throttle.block_size_lower, throttle.block_size_upper),
        (2000, 130_000)
    );
    assert_eq!(
        (throttle.lower_threshold, throttle.upper_threshold),
        (3_200_000, 12_800_000)
    );
    assert_eq!(options.max_frame_size(DaKind::Calldata), 119_999);
    assert_eq!(options.max_frame_size(DaKind::Blobs), 130_043);
    assert_eq!(refused(Fork::Isthmus, options), None);
}

#[test]
fn what_a_fork_brings_is_refused_before_it() {
    let cases = [
        (
            Fork::Delta,
            BatcherOptions {
                data_availability: BLOBS,
                ..<_>::default()
            },
            Fork::Ecotone,
        ),
        (
            Fork::Delta,
            BatcherOptions {
                data_availability: DataAvailability::Auto {
                    hysteresis_percent: 0,
                },
                ..<_>::default()
            },
            Fork::Ecotone,
        ),
        (
            Fork::Ecotone,
            BatcherOptions {
                compression_algo: CompressionAlgo::Brotli(10),
                ..<_>::default()
            },
            Fork::Fjord,
        ),
        (
            Fork::Ecotone,
            BatcherOptions {
                compression_algo: CompressionAlgo::BrotliAdaptive,
                ..<_>::default()
            },
            Fork::Fjord,
        ),
        (
            Fork::Canyon,
            BatcherOptions {
                batch_type: BatchType::Span,
                ..<_>::default()
            },
            Fork::Delta,
        ),
    ];
    for (last, options, needed) in cases {
        assert_eq!(refused(needed, options.clone()), None, "{needed:?}");
        let error = refused(last, options).unwrap();
        assert!(
            matches!(error, OptionsError::Fork { fork, .. } if fork == needed),
            "{error}"
        );
    }
}

#[test]
fn what_cannot_work_is_refused_with_what_to_change() {
    let default = BatcherOptions::default;
    let pid = |pid| ThrottleOptions {
        controller: ThrottleController::Pid(pid),
        ..ThrottleOptions::default()
    };
    let cases = [
        // I13: what L1 does not take is never posted
        (
            BatcherOptions {
                max_l1_tx_size_bytes: 10_000_000,
                ..default()
            },
            "max-l1-tx-size-bytes",
        ),
        (
            BatcherOptions {
                max_l1_tx_size_bytes: 63,
                ..default()
            },
            "max-l1-tx-size-bytes",
        ),
        (
            BatcherOptions {
                target_num_frames: 0,
                ..default()
            },
            "target-num-frames",
        ),
        (
            BatcherOptions {
                target_num_frames: 7,
                data_availability: BLOBS,
                ..default()
            },
            "at most 6",
        ),
        (
            BatcherOptions {
                max_channel_duration: 3590,
                ..default()
            },
            "max-channel-duration",
        ),
        (
            BatcherOptions {
                sub_safety_margin: 50,
                ..default()
            },
            "sub-safety-margin",
        ),
        (
            BatcherOptions {
                target_num_frames: 50,
                max_l1_tx_size_bytes: 1000,
                ..default()
            },
            "raise max-pending-tx to 2",
        ),
        (
            BatcherOptions {
                target_num_frames: 300,
                ..default()
            },
            "lower target-num-frames",
        ),
        (
            BatcherOptions {
                approx_compr_ratio: 0.0,
                ..default()
            },
            "approx-compr-ratio",
        ),
        (
            BatcherOptions {
                approx_compr_ratio: f64::NAN,
                ..default()
            },
            "approx-compr-ratio",
        ),
        (
            BatcherOptions {
                compression_algo: CompressionAlgo::Brotli(12),
                ..default()
            },
            "brotli-12",
        ),
        (
            BatcherOptions {
                max_loaded_bytes: 1000,
                ..default()
            },
            "raise the limit",
        ),
        (
            BatcherOptions {
                max_blob_frame_size: 130_044,
                ..default()
            },
            "130043",
        ),
        (
            BatcherOptions {
                throttle: ThrottleOptions {
                    upper_threshold: 3_200_000,
                    ..<_>::default()
                },
                ..default()
            },
            "thresholds",
        ),
        (
            BatcherOptions {
                throttle: ThrottleOptions {
                    tx_size_lower: 20_000,
                    ..<_>::default()
                },
                ..default()
            },
            "tx-size",
        ),
        (
            BatcherOptions {
                throttle: ThrottleOptions {
                    block_size_upper: 2000,
                    ..<_>::default()
                },
                ..default()
            },
            "block-size",
        ),
        (
            BatcherOptions {
                throttle: pid(PidParams {
                    kp: f64::NAN,
                    ..<_>::default()
                }),
                ..default()
            },
            "pid",
        ),
        (
            BatcherOptions {
                throttle: pid(PidParams {
                    sample: 0,
                    ..<_>::default()
                }),
                ..default()
            },
            "pid",
        ),
    ];
    for (options, what) in cases {
        let Some(error) = refused(Fork::Isthmus, options.clone()) else {
            panic!("{options:?} must be refused: {what}");
        };
        assert!(error.to_string().contains(what), "{error}");
    }
}
