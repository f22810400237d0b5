//! Whatever happens, what L1 holds derives to exactly the sequencer's chain.

use crate::{model::World, support::rollup};
use doppio_batcher::{
    BatchType, BatcherOptions, CompressionAlgo, DaKind, DataAvailability, Event, Report,
};
use doppio_protocol::config::{Fork, RollupConfig};
use proptest::prelude::*;

/// What happens.
#[derive(Clone, Copy, Debug)]
enum Op {
    L2 { blocks: u64, transactions: u64 },
    L1 { most: usize },
    Derive,
    Poll,
    Outcomes { mask: u64, order: u64 },
    Fail(usize),
    Cancel(usize),
    L1Reorg(usize),
    L2Reorg(u64),
    Restart,
    Fees { calldata: u128, blobs: u128 },
    Flush,
    StopAndStart,
    BlocksAreServed(bool),
}

fn op(reorgs_l2: bool) -> impl Strategy<Value = Op> {
    let l2_reorg = (1..6_u64).prop_map(move |depth| {
        if reorgs_l2 {
            Op::L2Reorg(depth)
        } else {
            Op::Poll
        }
    });
    prop_oneof![
        6 => (1..5_u64, 0..4_u64).prop_map(|(blocks, transactions)| Op::L2 { blocks, transactions }),
        8 => (0..4_usize).prop_map(|most| Op::L1 { most }),
        3 => Just(Op::Derive),
        8 => Just(Op::Poll),
        6 => (any::<u64>(), any::<u64>()).prop_map(|(mask, order)| Op::Outcomes { mask, order }),
        3 => any::<usize>().prop_map(Op::Fail),
        2 => (1..3_usize).prop_map(Op::Cancel),
        1 => (1..4_usize).prop_map(Op::L1Reorg),
        1 => l2_reorg,
        1 => Just(Op::Restart),
        2 => (1..1000_u128, 1..1000_u128).prop_map(|(calldata, blobs)| Op::Fees { calldata, blobs }),
        1 => Just(Op::Flush),
        1 => Just(Op::StopAndStart),
        1 => any::<bool>().prop_map(Op::BlocksAreServed),
    ]
}

fn apply(world: &mut World, op: Op) {
    match op {
        Op::L2 {
            blocks,
            transactions,
        } => world.l2_blocks(blocks, transactions),
        Op::L1 { most } => world.l1_block(most),
        Op::Derive => world.derive(),
        Op::Poll => world.poll(),
        Op::Outcomes { mask, order } => {
            world.tell_outcomes(|id| mask >> (id % 64) & 1 == 1, order);
        }
        Op::Fail(which) => world.fail(which),
        Op::Cancel(every) => world.cancel(every),
        Op::L1Reorg(depth) => world.l1_reorg(depth),
        Op::L2Reorg(depth) => world.l2_reorg(depth),
        Op::Restart => world.restart(),
        Op::Fees { calldata, blobs } => world.fees(calldata, blobs),
        Op::Flush => world.tell(Event::Flush),
        Op::StopAndStart => {
            world.tell(Event::Stop);
            world.tell(Event::Start);
        }
        Op::BlocksAreServed(served) => world.serves_blocks = served,
    }
}

fn any_options() -> impl Strategy<Value = BatcherOptions> {
    let da = prop_oneof![
        Just(DataAvailability::Fixed(DaKind::Calldata)),
        Just(DataAvailability::Fixed(DaKind::Blobs)),
        Just(DataAvailability::Auto {
            hysteresis_percent: 10
        }),
    ];
    let batches = prop_oneof![Just(BatchType::Singular), Just(BatchType::Span)];
    let algo = prop_oneof![
        Just(CompressionAlgo::Zlib),
        Just(CompressionAlgo::Brotli(5)),
    ];
    (
        da,
        batches,
        algo,
        1..4_usize,
        100..400_usize,
        0..5_u64,
        0..3_u64,
    )
        .prop_map(
            |(data_availability, batch_type, compression_algo, frames, size, pending, span)| {
                BatcherOptions {
                    max_channel_duration: 2,
                    sub_safety_margin: 4,
                    max_l1_tx_size_bytes: size,
                    max_blob_frame_size: size + 40,
                    target_num_frames: frames,
                    data_availability,
                    batch_type,
                    compression_algo,
                    max_pending_tx: pending,
                    max_blocks_per_span_batch: span * 3,
                    safe_reorg_patience: 3000,
                    node_patience: 20_000,
                    ..BatcherOptions::default()
                }
            },
        )
}

fn config(last: Fork) -> RollupConfig {
    RollupConfig {
        seq_window_size: 2000,
        channel_timeout: 50,
        ..rollup(last)
    }
}

/// Runs a schedule, and then lets everything come to rest.
fn run(last: Fork, options: BatcherOptions, ops: &[Op]) -> Result<(), TestCaseError> {
    let mut world = World::new(config(last), options);
    let (mut reorgs_l1, mut reorgs_l2) = (false, false);
    for op in ops {
        reorgs_l1 |= matches!(op, Op::L1Reorg(_));
        reorgs_l2 |= matches!(op, Op::L2Reorg(_));
        apply(&mut world, *op);
    }
    world.serves_blocks = true;
    world.l2_blocks(1, 1);
    let took = world.settle(150);
    prop_assert!(
        took.is_some(),
        "safe {} of {}; {:#?}; {:?}",
        world.safe().number,
        world.sequencer.head.number,
        world.batcher.status(),
        world.reports.iter().rev().take(12).collect::<Vec<_>>()
    );
    world.assert_derived();
    if !reorgs_l2 {
        prop_assert_eq!(world.adopted, 0, "L1 held something else");
    }
    // the last resort is for what cannot be foreseen
    if !reorgs_l1 && !reorgs_l2 {
        let is_last_resort = |report: &&Report| matches!(report, Report::NotDerived { .. });
        let report = world.reports.iter().find(is_last_resort);
        prop_assert_eq!(report, None, "order was not kept");
    }
    Ok(())
}

fn cases(count: u32) -> ProptestConfig {
    ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").map_or(count, |cases| cases.parse().unwrap()),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn what_l1_holds_derives_to_the_sequencers_chain_under_holocene(
        options in any_options(),
        ops in proptest::collection::vec(op(false), 1..60),
    ) {
        run(Fork::Isthmus, options, &ops)?;
    }

    #[test]
    fn what_l1_holds_derives_to_the_sequencers_chain_before_holocene(
        options in any_options(),
        ops in proptest::collection::vec(op(false), 1..60),
    ) {
        run(Fork::Fjord, options, &ops)?;
    }

    #[test]
    fn what_l1_holds_derives_to_the_sequencers_chain_when_that_is_reorganised(
        options in any_options(),
        ops in proptest::collection::vec(op(true), 1..60),
    ) {
        run(Fork::Isthmus, options, &ops)?;
    }
}
