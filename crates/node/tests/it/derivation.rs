//! End to end on a made-up chain: what a sequencer makes and a batcher posts, another node derives.

use crate::{
    engines::Model,
    l1::{self, Batcher, Form},
    world::World,
};
use alloy_primitives::{Address, B256};
use doppio_node::{Event, SequencerOptions};
use doppio_protocol::{
    config::{ChainConfig, Fork},
    deposit::DEPOSIT_TX_TYPE,
    l1::L1Block,
    l2::L2Block,
};
use std::sync::Arc;

const FORMS: [Form; 3] = [Form::Singular, Form::SpanPerEpoch, Form::Span];
/// Before and after the fork that makes batches strict.
const FORKS: [Fork; 2] = [Fork::Granite, Fork::Karst];

fn has_users(block: &L2Block) -> bool {
    let mut transactions = block.transactions.iter();
    transactions.any(|tx| tx.first() != Some(&DEPOSIT_TX_TYPE))
}

/// Another node derives the sequencer's chain from its L1, block by block.
#[track_caller]
fn assert_derived(sequencer: &World<'_, Model>) {
    let safe = sequencer.heads().safe;
    let verifier = World::verifier(&sequencer.chain, &sequencer.l1);
    assert_eq!(verifier.heads().safe, safe);
    for number in 1..=safe.number {
        assert_eq!(
            verifier.canonical(number),
            sequencer.canonical(number),
            "{number}"
        );
    }
    assert_eq!(verifier.resets(), 0);
}

// opstack 11 L, NormalBatcher, SyncBatchType (derivation)
#[test]
fn normal_batcher() {
    let plan = l1::l1(std::iter::repeat_n(12, 12));
    for fork in FORKS {
        for form in FORMS {
            let chain = l1::chain(fork, |_| {});
            let sequencer = World::sequencer(&chain, &plan, form, 11);
            let heads = sequencer.heads();
            assert_eq!(heads.unsafe_head.number, 66);
            // each L1 block brings what there was when it was made
            assert!(heads.safe.number >= 65, "{fork:?} {form:?}: {}", heads.safe);
            assert!((1..=66).all(|number| has_users(&sequencer.l2(number).unwrap())));
            let consolidated = |event: &Event| matches!(event, Event::Consolidated(_));
            assert_eq!(sequencer.count(consolidated) as u64, heads.safe.number);
            assert_derived(&sequencer);
        }
    }
}

/// A node starts with a safe head whose L1 origin is the first block after the rollup's.
// opstack 11 L, DeriveChainFromNearL1Genesis
#[test]
fn derive_chain_from_near_l1_genesis() {
    let plan = l1::l1(std::iter::repeat_n(12, 4));
    for fork in FORKS {
        let chain = l1::chain(fork, |_| {});
        let mut world = World::sequencer(&chain, &plan, Form::Singular, 2);
        world.driver.stop_sequencing();
        world.batcher = None;
        let finalized = world.l1[2].header.block_ref();
        world.driver.l1_finalized(finalized).unwrap();
        world.run().unwrap();
        let before = world.heads();
        assert_eq!(before.safe.l1_origin.number, l1::GENESIS_L1 + 1);
        assert_eq!(before.finalized, before.safe);
        world.events.clear();
        world.restart();
        world.run().unwrap();
        let after = world.heads();
        assert_eq!(
            (after.safe, after.finalized),
            (before.safe, before.finalized)
        );
        assert_eq!(world.resets(), 0);
    }
}

/// The batches of an epoch in the last L1 block that its window has, and in the one after it.
// opstack 11 L, BatchInLastPossibleBlocks
#[test]
fn batch_in_last_possible_blocks() {
    const WINDOW: usize = 4;
    let plan = l1::l1(std::iter::repeat_n(4, 16));
    for fork in FORKS {
        let chain = l1::chain(fork, |rollup| rollup.seq_window_size = WINDOW as u64);
        let mut sequencer = World::model(&chain, &plan);
        sequencer.start_sequencing(SequencerOptions {
            posting_margin: Some(0),
            ..SequencerOptions::default()
        });
        // nothing has expired yet, as far as the sequencer sees
        let end = plan[3].header.timestamp * 1_000;
        sequencer.run_until(end, &plan).unwrap();
        let made = sequencer.chain_of();
        for form in FORMS {
            for late in [0, 1] {
                let mut l1 = plan.clone();
                let epoch = |block: &L2Block| block.block_ref(&chain).unwrap().l1_origin.number;
                for (number, blocks) in (1..).zip(made.chunk_by(|a, b| epoch(a) == epoch(b))) {
                    let index = usize::try_from(epoch(&blocks[0]) - l1::GENESIS_L1).unwrap();
                    let data = l1::item(number, &l1::strings(&chain, form, blocks));
                    l1::post(&chain, &mut l1[index + WINDOW + late], data);
                }
                let verifier = World::verifier(&chain, &l1);
                for block in &made {
                    let derived = verifier.l2(block.header.number).unwrap();
                    let is_there = derived.hash == block.hash;
                    assert_eq!(is_there, late == 0, "{fork:?} {form:?} {late}");
                    assert_eq!(has_users(&derived), late == 0);
                }
            }
        }
    }
}

/// An L1 block comes later than the sequencer may drift from the one before it: the sequencer waits for
/// it, and then makes blocks without users' transactions up to it.
// opstack 11 L, LargeL1Gaps, SequencerDrift
#[test]
fn large_l1_gaps() {
    const DRIFT: u64 = 32;
    let gaps = [4; 8].into_iter().chain([48]).chain([4; 6]);
    let plan = l1::l1(gaps);
    for form in FORMS {
        let chain = l1::chain(Fork::Ecotone, |rollup| {
            rollup.max_sequencer_drift = DRIFT;
        });
        let mut world = World::sequencer(&chain, &plan, form, 8);
        let gap = plan[8].header.timestamp;
        // just before the late block is there
        let end = plan[9].header.timestamp * 1_000 - 1;
        world.run_until(end, &plan).unwrap();
        assert_eq!(world.heads().unsafe_head.timestamp, gap + DRIFT);
        let end = plan[14].header.timestamp * 1_000;
        world.run_until(end, &plan).unwrap();
        for block in world.chain_of() {
            let origin = block.block_ref(&chain).unwrap().l1_origin.number;
            let l1_time = world.l1_block(origin).unwrap().header.timestamp;
            let is_beyond = block.header.timestamp > l1_time + DRIFT;
            assert_eq!(has_users(&block), !is_beyond, "{}", block.header.number);
        }
        assert!((world.heads().unsafe_head.timestamp + 2) * 1_000 > world.now);
        assert!(world.heads().safe.timestamp > plan[9].header.timestamp);
        assert_derived(&world);
    }
}

/// No batches at all: the L1 origin is forced in once its window has passed; and a reorganisation as
/// deep as the window is followed.
// opstack 11 L, L2Verifier_SequenceWindow
#[test]
fn l2_verifier_sequence_window() {
    const WINDOW: usize = 24;
    let chain = l1::chain(Fork::Karst, |rollup| rollup.seq_window_size = WINDOW as u64);
    let plan = l1::l1(std::iter::repeat_n(10, 2 * WINDOW));
    let mut world = World::model(&chain, &plan);
    let origin = |world: &World<'_, Model>| {
        usize::try_from(world.heads().safe.l1_origin.number - l1::GENESIS_L1).unwrap()
    };
    for count in 1..plan.len() {
        world.set_l1(plan[..=count].to_vec());
        world.run().unwrap();
        assert_eq!(origin(&world), count.saturating_sub(WINDOW));
    }
    let before = world.heads().safe;
    assert!(before.number > 100);
    // L1 goes back a window, and is another one from there
    let mut other = plan[..=WINDOW].to_vec();
    l1::extend(&mut other, 1, std::iter::repeat_n(10, WINDOW + 2));
    // as long as the other one is not longer, nobody sees it
    world.set_l1(other[..=2 * WINDOW].to_vec());
    world.run().unwrap();
    assert_eq!(world.heads().safe, before);
    world.set_l1(other.clone());
    world.run().unwrap();
    let safe = world.heads().safe;
    assert_eq!(origin(&world), other.len() - 1 - WINDOW);
    assert_eq!(safe.l1_origin, other[origin(&world)].header.id());
    assert_eq!(world.labels().safe, safe.hash);
}

/// Kinds of updates of the system configuration.
const BATCHER: u8 = 0;
const GAS_CONFIG: u8 = 1;
const GAS_LIMIT: u8 = 2;

/// L1 where an update comes with the sixth block.
fn with_update(chain: &ChainConfig, kind: u8, value: &[B256]) -> Vec<L1Block> {
    let mut plan = l1::l1(std::iter::repeat_n(12, 16));
    l1::update(chain, &mut plan[6], kind, value);
    plan
}

// opstack 11 L, GasLimitChange
#[test]
fn gas_limit_change() {
    let chain = l1::chain(Fork::Karst, |_| {});
    let limit = B256::left_padding_from(&40_000_000_u64.to_be_bytes());
    let plan = with_update(&chain, GAS_LIMIT, &[limit]);
    let world = World::sequencer(&chain, &plan, Form::Singular, 12);
    for block in world.chain_of() {
        let origin = block.block_ref(&chain).unwrap().l1_origin.number;
        let is_new = origin >= plan[6].header.number;
        let expected = if is_new { 40_000_000 } else { 30_000_000 };
        assert_eq!(block.header.gas_limit, expected);
    }
    assert_derived(&world);
}

// opstack 11 L, GPOParamsChange
#[test]
fn gpo_params_change() {
    let chain = l1::chain(Fork::Karst, |_| {});
    let mut scalar = B256::with_last_byte(9);
    scalar.0[0] = 1;
    scalar.0[27] = 3;
    let plan = with_update(&chain, GAS_CONFIG, &[B256::ZERO, scalar]);
    let world = World::sequencer(&chain, &plan, Form::Singular, 12);
    for block in world.chain_of() {
        let info = block.l1_info(&chain).unwrap().unwrap();
        let is_new = info.number >= plan[6].header.number;
        let expected = if is_new { (9, 3) } else { (7, 0) };
        assert_eq!((info.base_fee_scalar, info.blob_base_fee_scalar), expected);
    }
    assert_derived(&world);
}

const NEW_BATCHER: Address = Address::repeat_byte(0xbb);

fn rotation(chain: &ChainConfig) -> Vec<L1Block> {
    with_update(chain, BATCHER, &[NEW_BATCHER.into_word()])
}

/// From the block that names another batcher on, its data counts, and the old one's does not.
// opstack 11 L, BatcherKeyRotation
#[test]
fn batcher_key_rotation() {
    let chain = l1::chain(Fork::Karst, |_| {});
    let plan = rotation(&chain);
    let mut world = World::sequencer(&chain, &plan, Form::Singular, 9);
    let stalled = world.heads().safe;
    assert!(stalled.l1_origin.number < plan[6].header.number);
    assert!(world.heads().unsafe_head.l1_origin.number > plan[6].header.number);
    let mut batcher = Batcher::new(Form::Singular, 0);
    batcher.address = Some(NEW_BATCHER);
    world.batcher = Some(batcher);
    let end = plan[12].header.timestamp * 1_000;
    world.run_until(end, &plan).unwrap();
    assert!(world.heads().safe.l1_origin.number > plan[6].header.number);
    assert_derived(&world);
}

/// The update is undone with its L1 block.
// opstack 11 L, batcher_config_update_rolled_back_on_reorg
#[test]
fn batcher_config_update_rolled_back_on_reorg() {
    let chain = l1::chain(Fork::Karst, |_| {});
    let plan = rotation(&chain);
    let mut world = World::sequencer(&chain, &plan, Form::Singular, 9);
    let stalled = world.heads().safe;
    let mut other = world.l1[..6].to_vec();
    l1::extend(&mut other, 1, std::iter::repeat_n(12, 12));
    world.set_l1(other[..=10].to_vec());
    let end = other[14].header.timestamp * 1_000;
    world.run_until(end, &other).unwrap();
    assert!(world.heads().safe.number > stalled.number);
    assert!(world.heads().safe.l1_origin.number >= other[12].header.number);
    assert_derived(&world);
}

/// Nobody sends anything, or hardly anybody.
// opstack 11 L, SpanBatchEmptyChain, LowThroughput
#[test]
fn span_batches_of_chains_with_few_transactions() {
    let plan = l1::l1(std::iter::repeat_n(12, 14));
    for fork in [Fork::Delta, Fork::Karst] {
        for every in [u64::MAX, 10] {
            let chain = l1::chain(fork, |_| {});
            let mut world = World::model(&chain, &plan);
            world.start_sequencing(SequencerOptions::default());
            world.batcher = Some(Batcher::new(Form::Span, 0));
            let end = plan[13].header.timestamp * 1_000;
            world
                .run_until_each(end, &plan, |world| {
                    let next = world.heads().unsafe_head.number + 1;
                    world.engine.users = next.is_multiple_of(every);
                    Ok(())
                })
                .unwrap();
            let with_users = world
                .chain_of()
                .iter()
                .filter(|block| has_users(block))
                .count();
            assert_eq!(with_users, if every == 10 { 7 } else { 0 });
            assert!(world.heads().safe.number > 70);
            assert_derived(&world);
        }
    }
}

/// Spans count if their first block's L1 origin is of Delta; singular batches always do.
// opstack 11 L, DropSpanBatchBeforeHardfork, HardforkMiddleOfSpanBatch, AcceptSingularAfterHardfork,
// MixOfBatches
#[test]
fn spans_count_from_delta_on() {
    let plan = l1::l1(std::iter::repeat_n(12, 12));
    let delta = plan[3].header.timestamp;
    let chain = l1::chain(Fork::Canyon, |rollup| rollup.forks.delta = Some(delta));
    let mut sequencer = World::model(&chain, &plan);
    sequencer.start_sequencing(SequencerOptions::default());
    let end = plan[6].header.timestamp * 1_000;
    sequencer.run_until(end, &plan).unwrap();
    let made = sequencer.chain_of();
    let first_of = |index: usize| {
        let is_of = |block: &L2Block| {
            let origin = block.block_ref(&chain).unwrap().l1_origin;
            origin == plan[index].header.id()
        };
        made.iter().position(is_of).unwrap()
    };
    // what was posted: each in an L1 block of its own, from the given one on
    let safe_after = |from: usize, posts: &[(Form, &[L2Block])]| {
        let mut l1 = plan.clone();
        for (number, (form, blocks)) in (1..).zip(posts) {
            let index = from + usize::try_from(number - 1).unwrap();
            let data = l1::item(number, &l1::strings(&chain, *form, blocks));
            l1::post(&chain, &mut l1[index], data);
        }
        let verifier = World::verifier(&chain, &l1);
        usize::try_from(verifier.heads().safe.number).unwrap()
    };
    let before = first_of(3);
    // in an L1 block of before
    assert_eq!(safe_after(2, &[(Form::Span, &made[..3])]), 0);
    // in one of Delta, with blocks of before
    assert_eq!(safe_after(7, &[(Form::Span, &made)]), 0);
    // singular batches, before and after
    assert_eq!(safe_after(2, &[(Form::Singular, &made[..3])]), 3);
    assert_eq!(safe_after(7, &[(Form::Singular, &made)]), made.len());
    // both
    let mixed = [
        (Form::Singular, &made[..before]),
        (Form::Span, &made[before..before + 8]),
        (Form::Singular, &made[before + 8..before + 12]),
        (Form::Span, &made[before + 12..]),
    ];
    assert_eq!(safe_after(7, &mixed), made.len());
}

/// Holocene comes in the midst of a chain, and the node begins again before it, with it and after it.
// opstack 11 L, HoloceneLateActivationAndReset
#[test]
fn holocene_late_activation_and_reset() {
    let plan = l1::l1(std::iter::repeat_n(12, 14));
    for form in FORMS {
        for activation in [48, 50, 54] {
            for reset_at in [3, 4, 5, 8] {
                let chain = l1::chain(Fork::Granite, |rollup| {
                    rollup.forks.holocene = Some(l1::GENESIS_TIME + activation);
                });
                let mut world = World::sequencer(&chain, &plan, form, reset_at);
                world.driver.reset("an operator wants it");
                let end = plan[12].header.timestamp * 1_000;
                world.run_until(end, &plan).unwrap();
                let replaced = |event: &Event| matches!(event, Event::Replaced { .. });
                assert_eq!(world.count(replaced), 0);
                assert!(world.heads().safe.number > 65, "{}", world.heads().safe);
                assert_derived(&world);
            }
        }
    }
}

/// L1 has data, and nobody has said so.
// opstack 11 L, pipeline_idle_before_l1_signal_derives_after
#[test]
fn pipeline_idle_before_l1_signal_derives_after() {
    let plan = l1::l1(std::iter::repeat_n(12, 8));
    let chain = l1::chain(Fork::Karst, |_| {});
    let sequencer = World::sequencer(&chain, &plan, Form::Singular, 7);
    let mut world = World::model(&chain, &plan);
    world.l1 = sequencer.l1.clone();
    world.driver.l1_head(plan[0].header.block_ref());
    world.run().unwrap();
    assert_eq!(world.heads().safe.number, 0);
    world.tell_l1();
    world.run().unwrap();
    assert_eq!(world.heads().safe, sequencer.heads().safe);
}

/// Derivation stays as far behind L1's head as it is told.
#[test]
fn derivation_stays_behind_l1_as_far_as_it_is_told() {
    let plan = l1::l1(std::iter::repeat_n(12, 12));
    let chain = l1::chain(Fork::Karst, |_| {});
    let sequencer = World::sequencer(&chain, &plan, Form::Singular, 11);
    let mut world = World::model(&chain, &plan);
    world.options.l1_confirmations = 4;
    world.restart();
    for count in 1..sequencer.l1.len() {
        world.set_l1(sequencer.l1[..=count].to_vec());
        world.run().unwrap();
        let expected = count.saturating_sub(4);
        let at = world.driver.current_l1().unwrap().number;
        assert_eq!(at, l1::GENESIS_L1 + expected as u64);
        let behind = World::verifier(&chain, &sequencer.l1[..=expected]);
        assert_eq!(world.heads().safe, behind.heads().safe);
    }
}

/// Blocks of a batch are taken from a follower that has them already, and from one that does not.
// opstack 11 L, SyncBatchType (unsafe), UnsafeSync
#[test]
fn what_was_gossiped_is_what_is_derived() {
    let plan = l1::l1(std::iter::repeat_n(12, 8));
    for form in FORMS {
        let chain = l1::chain(Fork::Karst, |_| {});
        let sequencer = World::sequencer(&chain, &plan, form, 7);
        let mut world = World::model(&chain, &plan);
        world.tell_l1();
        world.run().unwrap();
        let mut heard = Vec::new();
        for block in sequencer.chain_of() {
            let number = block.header.number;
            heard.push(block.clone());
            world.hear([block]);
            assert_eq!(world.heads().unsafe_head.number, number);
        }
        world.set_l1(sequencer.l1.clone());
        world.run().unwrap();
        assert_eq!(world.heads().safe, sequencer.heads().safe);
        assert_eq!(world.count(|event| matches!(event, Event::Derived(_))), 0);
        assert_eq!(world.chain_of(), heard);
        let chain_of: Vec<Arc<L2Block>> = sequencer.sequenced();
        assert_eq!(chain_of.len(), heard.len());
    }
}
