//! How blocks become channels and frames.

use crate::{
    model::{World, plain},
    support::rollup,
};
use alloy_primitives::{Bytes, keccak256};
use doppio_batcher::{
    BatchType, BatcherOptions, CloseReason, CompressionAlgo, Compressor, DaKind, DataAvailability,
    Event, Payload, Report,
};
use doppio_compression::{ChannelReader, Limits};
use doppio_protocol::{
    batch::Batch,
    config::{Fork, RollupConfig},
    frame::{Frame, parse_frames},
};

fn config() -> RollupConfig {
    RollupConfig {
        seq_window_size: 500,
        ..rollup(Fork::Isthmus)
    }
}

fn world(options: BatcherOptions) -> World {
    let mut world = World::new(config(), options);
    world.derive();
    world
}

/// The frames that were sent, transaction by transaction.
fn frames(world: &World) -> Vec<Vec<Frame>> {
    let parse = |item: &Bytes| parse_frames(item, 1_000_000).unwrap();
    let sent = world.submissions.iter();
    sent.map(|submission| match &submission.payload {
        Payload::Calldata(data) => parse(data),
        Payload::Blobs(blobs) => blobs.iter().flat_map(parse).collect(),
    })
    .collect()
}

/// The batches of the channels that were sent.
fn batches(world: &World) -> Vec<Vec<Batch>> {
    let mut channels = Vec::new();
    let mut data = Vec::new();
    for frame in frames(world).into_iter().flatten() {
        data.extend_from_slice(&frame.data);
        if frame.is_last {
            let channel = core::mem::take(&mut data);
            let mut reader = ChannelReader::open(channel, Limits::FJORD).unwrap();
            let mut batches = Vec::new();
            while let Some(string) = reader.next_string().unwrap() {
                batches.push(Batch::decode(&string.into()).unwrap());
            }
            channels.push(batches);
        }
    }
    channels
}

fn closed(world: &World) -> Vec<CloseReason> {
    let reasons = world.reports.iter().filter_map(|report| match report {
        Report::ChannelClosed { reason, .. } => Some(*reason),
        _ => None,
    });
    reasons.collect()
}

#[test]
fn a_single_block_larger_than_a_frame_spans_frames() {
    let mut world = world(BatcherOptions {
        max_l1_tx_size_bytes: 150,
        ..plain()
    });
    world.l2_blocks(1, 20);
    world.poll();
    let frames = frames(&world);
    assert!(frames.len() > 10);
    let last = frames.len() - 1;
    for (index, frame) in frames.iter().enumerate() {
        assert_eq!(frame.len(), 1, "a transaction of calldata has one frame");
        let [frame] = frame.as_slice() else { panic!() };
        assert_eq!(usize::from(frame.number), index);
        assert_eq!(frame.is_last, index == last);
        assert!(!frame.data.is_empty(), "no empty last frame");
        assert!(frame.encoded_len() < 150);
        assert!(index == last || frame.encoded_len() == 149);
    }
    assert_eq!(batches(&world).len(), 1);
}

#[test]
fn blobs_are_packed_into_transactions_by_target_num_frames() {
    let mut world = world(BatcherOptions {
        max_blob_frame_size: 200,
        target_num_frames: 3,
        data_availability: DataAvailability::Fixed(DaKind::Blobs),
        ..plain()
    });
    world.l2_blocks(1, 30);
    world.poll();
    let counts: Vec<usize> = frames(&world).iter().map(Vec::len).collect();
    let (last, full) = counts.split_last().unwrap();
    assert!(
        full.len() > 2 && full.iter().all(|count| *count == 3) && *last <= 3,
        "{counts:?}"
    );
    assert!(world.settle(5).is_some());
    world.assert_derived();
}

#[test]
fn duration_zero_never_closes() {
    let mut world = world(plain());
    world.l2_blocks(3, 1);
    world.poll();
    for _ in 0..100 {
        world.l1_block(0);
        world.poll();
    }
    assert!(world.submissions.is_empty());
}

#[test]
fn an_idle_open_channel_is_closed_by_duration() {
    let mut world = world(BatcherOptions {
        max_channel_duration: 4,
        ..plain()
    });
    world.l2_blocks(3, 1);
    world.poll();
    // counted from the safe head's L1 origin, which is genesis'; L1 is one block behind it
    for _ in 0..2 {
        world.l1_block(0);
        world.poll();
        assert!(world.submissions.is_empty());
    }
    world.l1_block(0);
    assert_eq!(closed(&world), [CloseReason::Duration]);
    // and then from the newest L1 origin in the channel
    world.l2_until_l1(1);
    world.poll();
    let origin = world.engine().at(3).l1_origin.number;
    while closed(&world).len() < 2 {
        world.l1_block(0);
    }
    assert!(world.l1_height().number >= origin + 4);
}

#[test]
fn a_channel_that_is_full_does_not_wait_for_its_duration() {
    for compressor in [Compressor::Shadow, Compressor::Ratio, Compressor::None] {
        for batch_type in [BatchType::Singular, BatchType::Span] {
            let target = 3000;
            let mut world = world(BatcherOptions {
                max_channel_duration: 100,
                max_l1_tx_size_bytes: target + 24,
                compressor,
                batch_type,
                ..plain()
            });
            for _ in 0..12 {
                world.l2_blocks(10, 3);
                world.poll();
            }
            let reasons = closed(&world);
            assert!(reasons.len() > 2, "{compressor:?} {batch_type:?}");
            assert!(reasons.iter().all(|reason| *reason == CloseReason::Full));
            let sizes = world.reports.iter().filter_map(|report| match report {
                Report::ChannelClosed { output_bytes, .. } => usize::try_from(*output_bytes).ok(),
                _ => None,
            });
            let sizes: Vec<usize> = sizes.skip(1).collect();
            if compressor == Compressor::Shadow {
                let fits = |size: &usize| (target * 4 / 5..=target).contains(size);
                assert!(sizes.iter().all(fits), "{batch_type:?} {sizes:?}");
            }
            world.tell(Event::Flush);
            assert!(world.settle(10).is_some());
            world.assert_derived();
        }
    }
}

#[test]
fn a_flush_closes_with_what_is_there() {
    let mut world = world(plain());
    world.tell(Event::Flush);
    world.l2_blocks(3, 1);
    world.poll();
    world.tell(Event::Flush);
    assert_eq!(closed(&world), [CloseReason::Flush]);
    world.tell(Event::Flush);
    assert_eq!(closed(&world).len(), 1, "there is nothing more");
}

#[test]
fn spans_have_as_many_blocks_as_they_may() {
    for (most, expected) in [(0, vec![7]), (3, vec![3, 3, 1]), (7, vec![7])] {
        let mut world = world(BatcherOptions {
            batch_type: BatchType::Span,
            max_blocks_per_span_batch: most,
            ..plain()
        });
        world.l2_blocks(7, 2);
        world.poll();
        world.tell(Event::Flush);
        let batches = batches(&world);
        let counts: Vec<_> = batches[0]
            .iter()
            .map(|batch| match batch {
                Batch::Span(span) => span.block_count(),
                Batch::Singular(_) => panic!("a span was asked for"),
            })
            .collect();
        assert_eq!(counts, expected);
        assert!(world.settle(5).is_some());
        world.assert_derived();
    }
}

/// A type that nobody knows has no form in a span; it survives in a singular batch.
#[test]
fn unknown_transaction_types_survive() {
    for batch_type in [BatchType::Singular, BatchType::Span] {
        let mut world = world(BatcherOptions {
            batch_type,
            ..plain()
        });
        world.l2_blocks(2, 1);
        let unknown = Bytes::from_static(&[0x6a, 1, 2, 3]);
        world.sequencer.block([unknown.clone()]);
        world.l2_blocks(2, 1);
        world.poll();
        world.tell(Event::Flush);
        assert!(world.settle(5).is_some());
        world.assert_derived();
        assert!(world.engine().blocks[&3].transactions.contains(&unknown));
        if batch_type == BatchType::Span {
            let batches = batches(&world);
            let is_span: Vec<bool> = batches[0]
                .iter()
                .map(|batch| matches!(batch, Batch::Span(_)))
                .collect();
            assert_eq!(is_span, [true, false, true]);
        }
    }
}

#[test]
fn channel_names_follow_from_seed_count_and_contents() {
    let mut world = world(plain());
    world.l2_blocks(1, 1);
    world.poll();
    world.tell(Event::Flush);
    let frames = frames(&world);
    let [frame] = frames[0].as_slice() else {
        panic!("one frame")
    };
    let (seed, count, contents) = (plain().seed, [0; 8], keccak256(&frame.data));
    let preimage = [seed.as_slice(), &count, contents.as_slice()].concat();
    assert_eq!(frame.id.as_slice(), &keccak256(preimage)[..16]);
}

/// op-batcher's estimate: of what is in no channel the Fjord estimate, of a channel its bytes, until
/// both are safe. An empty block counts 70.
#[test]
fn unsafe_bytes_follow_blocks_through_channels() {
    let mut world = world(plain());
    world.l2_blocks(1, 0);
    world.poll();
    assert_eq!(world.batcher.status().unsafe_da_bytes, 70);
    world.l2_blocks(1, 2);
    world.poll();
    // each transaction is small: 100
    assert_eq!(world.batcher.status().unsafe_da_bytes, 70 + 70 + 200);
    assert_eq!(world.batcher.status().pending_da_bytes, 340);
    world.tell(Event::Flush);
    let channel: usize = frames(&world)
        .concat()
        .iter()
        .map(|frame| frame.data.len())
        .sum();
    assert_eq!(world.batcher.status().unsafe_da_bytes, channel as u64);
    assert_eq!(world.batcher.status().pending_da_bytes, 0);
    world.l1_block(1);
    world.tell_outcomes(|_| true, 0);
    assert_eq!(world.batcher.status().unsafe_da_bytes, channel as u64);
    assert!(world.settle(3).is_some());
    world.poll();
    assert_eq!(world.batcher.status().unsafe_da_bytes, 0);
}

#[test]
fn memory_is_bounded_and_the_backlog_is_posted_all_the_same() {
    let limit = 1 << 20;
    let mut world = world(BatcherOptions {
        max_loaded_bytes: limit,
        max_l1_tx_size_bytes: 120_000,
        compression_algo: CompressionAlgo::Brotli(1),
        throttle: doppio_batcher::ThrottleOptions {
            lower_threshold: 100_000,
            upper_threshold: 500_000,
            ..Default::default()
        },
        ..plain()
    });
    // 4 MB of blocks that hardly become smaller
    for block in 0..160_u64 {
        let parts = (0..800_u64).map(|part| [block, part].map(u64::to_be_bytes).concat());
        let noise: Vec<u8> = parts.flat_map(|part| keccak256(part).0).collect();
        let mut transaction = vec![0x6a];
        transaction.extend(noise);
        world.sequencer.block([Bytes::from(transaction)]);
    }
    let mut most = 0;
    for _ in 0..200 {
        world.poll();
        most = most.max(world.batcher.status().loaded_bytes);
        world.l1_block(usize::MAX);
        world.tell_outcomes(|_| true, 0);
        world.derive();
        if world.safe() == world.sequencer.head.id() {
            break;
        }
        world.tell(Event::Flush);
    }
    world.assert_derived();
    assert!(most < limit + 200_000, "{most}");
    assert!(world.batcher.status().throttle_intensity < 1.0);
    assert!(
        world
            .throttles
            .iter()
            .any(|limits| limits.max_block_size == 2000)
    );
}

/// Blocks that are held are fewer than a channel needs, and no more come in: it is closed as it is.
#[test]
fn a_channel_that_memory_cannot_fill_is_closed() {
    let mut world = world(BatcherOptions {
        max_loaded_bytes: 1 << 20,
        max_l1_tx_size_bytes: 120_000,
        ..plain()
    });
    let zeros = Bytes::from([vec![0x6a], vec![0; 100_000]].concat());
    for _ in 0..25 {
        world.sequencer.block([zeros.clone()]);
    }
    for _ in 0..3 {
        world.poll();
        world.l1_block(usize::MAX);
        world.tell_outcomes(|_| true, 0);
        world.derive();
    }
    assert!(
        closed(&world).contains(&CloseReason::Memory),
        "{:?}",
        closed(&world)
    );
}

#[test]
fn auto_follows_the_price_channel_by_channel() {
    let mut world = world(BatcherOptions {
        data_availability: DataAvailability::Auto {
            hysteresis_percent: 10,
        },
        ..plain()
    });
    for (blob_base_fee, expected) in [
        (1, DaKind::Blobs),
        (1_000_000_000, DaKind::Calldata),
        (1, DaKind::Blobs),
    ] {
        world.fees(1_000_000, blob_base_fee);
        world.l2_blocks(2, 1);
        world.poll();
        world.tell(Event::Flush);
        let sent = world.submissions.last().unwrap();
        assert_eq!(sent.payload.kind(), expected);
        assert!(sent.cost.is_some_and(|cost| cost > 21_000 * 1_000_000));
        let switched = world.reports.iter().rev().find_map(|report| match report {
            Report::DaSwitched { to, prices, .. } => Some((*to, prices.is_some())),
            _ => None,
        });
        assert_eq!(switched, Some((expected, true)));
    }
    assert!(world.settle(5).is_some());
    world.assert_derived();
}
