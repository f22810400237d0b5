//! Recovery after an expired sequencing window: no operator, no lost block, bounded time.

use crate::{
    engines::{Model, TestEngine},
    l1::{self, Batcher, Form},
    world::{Recorded, World},
};
use alloy_primitives::{B256, Bytes};
use doppio_node::{DriverOptions, Event, SequencerOptions, StartError, WindowState};
use doppio_protocol::{
    config::{ChainConfig, Fork},
    deposit::DEPOSIT_TX_TYPE,
    l1::L1Block,
    l2::L2Block,
};
use proptest::prelude::*;
use std::{collections::BTreeMap, sync::Arc};

fn has_users(block: &L2Block) -> bool {
    let is_users = |tx: &Bytes| tx.first() != Some(&DEPOSIT_TX_TYPE);
    block.transactions.iter().any(is_users)
}

/// Watches that what is safe stays.
#[derive(Default)]
struct Watch {
    events: usize,
    safe: BTreeMap<u64, B256>,
}

impl Watch {
    #[track_caller]
    fn look<E: TestEngine>(&mut self, world: &World<'_, E>) {
        for event in &world.events[self.events..] {
            if let Event::Safe { head, .. } = event {
                let before = self.safe.insert(head.number, head.hash);
                assert!(before.is_none_or(|before| before == head.hash), "{head}");
            }
        }
        self.events = world.events.len();
        if let Some((number, hash)) = self.safe.last_key_value() {
            assert_eq!(world.canonical(*number), Some(*hash), "block {number}");
        }
    }
}

/// Which blocks of our own are not in the chain any more.
fn lost<E: TestEngine>(world: &World<'_, E>, from_event: usize) -> Vec<u64> {
    let sequenced = world.events[from_event..].iter().filter_map(|event| {
        let Event::Sequenced(block) = event else {
            return None;
        };
        Some(block)
    });
    sequenced
        .filter(|block| world.canonical(block.header.number) != Some(block.hash))
        .map(|block| block.header.number)
        .collect()
}

fn recoveries<E>(world: &World<'_, E>) -> Vec<bool> {
    let active = |event: &Event| match event {
        Event::Recovery { active, .. } => Some(*active),
        _ => None,
    };
    world.events.iter().filter_map(active).collect()
}

fn windows<E>(world: &World<'_, E>) -> Vec<WindowState> {
    let state = |event: &Event| match event {
        Event::Window { state, .. } => Some(*state),
        _ => None,
    };
    world.events.iter().filter_map(state).collect()
}

/// What fails for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outage {
    /// The batcher posts nothing.
    Batcher,
    /// The node does not run, and so nothing is posted.
    Node,
}

#[derive(Clone, Debug)]
struct Case {
    fork: Fork,
    window: u64,
    margin: Option<u64>,
    /// Seconds between L1 blocks, again and again.
    gaps: Vec<u64>,
    form: Form,
    /// L1 blocks that posting takes.
    delay: usize,
    outage: Outage,
    /// In L1 blocks.
    length: usize,
}

impl Case {
    fn chain(&self) -> Arc<ChainConfig> {
        l1::chain(self.fork, |rollup| {
            rollup.seq_window_size = self.window;
        })
    }

    /// L1 blocks before the outage, and after it. Posting begins again with the first L1 block after
    /// it; what is posted then is on L1 after the delay.
    const BEFORE: usize = 6;

    const fn after(&self) -> usize {
        2 * self.delay + 6
    }

    fn plan(&self) -> Vec<L1Block> {
        let count = Self::BEFORE + self.length + self.after();
        l1::l1(self.gaps.iter().copied().cycle().take(count))
    }
}

/// Lets L1 grow up to a number of blocks.
#[track_caller]
fn run_to(world: &mut World<'_, Model>, plan: &[L1Block], count: usize, watch: &mut Watch) {
    let end = plan[count].header.timestamp * 1_000;
    world
        .run_until_each(end, plan, |world| {
            watch.look(world);
            Ok(())
        })
        .unwrap();
}

/// A chain with an outage; it ends a while after the outage has ended.
#[track_caller]
fn run(case: &Case) -> World<'static, Model> {
    let plan = case.plan();
    let chain = case.chain();
    let mut world = World::model(&chain, &plan);
    let mut batcher = Batcher::new(case.form, case.delay);
    let mut watch = Watch::default();
    let options = SequencerOptions {
        posting_margin: case.margin,
        ..SequencerOptions::default()
    };
    world.start_sequencing(options);
    world.batcher = Some(batcher);
    let from = Case::BEFORE;
    run_to(&mut world, &plan, from, &mut watch);
    world.batcher.as_mut().unwrap().works = false;
    match case.outage {
        Outage::Batcher => run_to(&mut world, &plan, from + case.length, &mut watch),
        Outage::Node => {
            world.now = plan[from + case.length].header.timestamp * 1_000;
            run_to(&mut world, &plan, from + case.length, &mut watch);
        }
    }
    batcher = world.batcher.take().unwrap();
    batcher.works = true;
    world.batcher = Some(batcher);
    run_to(&mut world, &plan, plan.len() - 1, &mut watch);
    world
}

fn cases() -> impl Strategy<Value = Case> {
    let gaps = prop::collection::vec(prop_oneof![4 => 2u64..30, 1 => 30u64..200], 1..6);
    let form = prop_oneof![
        Just(Form::Singular),
        Just(Form::SpanPerEpoch),
        Just(Form::Span)
    ];
    (
        prop_oneof![Just(Fork::Granite), Just(Fork::Karst)],
        8u64..32,
        gaps,
        form,
        prop_oneof![Just(Outage::Batcher), Just(Outage::Node)],
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        prop::option::of(any::<prop::sample::Index>()),
    )
        .prop_map(
            |(fork, window, gaps, form, outage, delay, length, margin)| {
                let size = usize::try_from(window).unwrap();
                Case {
                    fork,
                    window,
                    margin: margin.map(|index| 1 + index.index(size / 2) as u64),
                    gaps,
                    form,
                    // a span that begins with an expired block is lost as a whole: it must be on L1 at once
                    delay: if form == Form::Span {
                        0
                    } else {
                        delay.index(size / 4)
                    },
                    outage,
                    length: length.index(3 * size),
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_chain_always_recovers_in_bounded_time_and_nothing_safe_is_lost(case in cases()) {
        let world = run(&case);
        let heads = world.heads();
        let block_time = world.chain.rollup.block_time;
        prop_assert!(!world.driver.is_recovering(), "{:?}", recoveries(&world));
        prop_assert!(
            (heads.unsafe_head.timestamp + block_time) * 1_000 > world.now,
            "the chain is at its time"
        );
        prop_assert!(has_users(&world.l2(heads.unsafe_head.number).unwrap()));
        // blocks are replaced when the window expires, and then no more
        let replaced = |event: &Event| matches!(event, Event::Replaced { .. });
        prop_assert!(world.count(replaced) <= 1);
        if let Some(expired) = world.events.iter().position(replaced) {
            prop_assert_eq!(lost(&world, expired), Vec::<u64>::new());
        }
        prop_assert_eq!(world.count(|event| matches!(event, Event::Reset(_))), 0);
        prop_assert!(matches!(recoveries(&world)[..], [] | [true, false]));
    }
}

/// A window of 20 L1 blocks of 12 seconds, and an outage.
fn usual(outage: Outage, length: usize) -> Case {
    Case {
        fork: Fork::Karst,
        window: 20,
        margin: None,
        gaps: vec![12],
        form: Form::Singular,
        delay: 2,
        outage,
        length,
    }
}

#[test]
fn a_batcher_that_comes_back_in_time_loses_nothing() {
    // 6 blocks before; the last batch was for blocks up to the third
    let world = run(&usual(Outage::Batcher, 14));
    assert_eq!(lost(&world, 0), Vec::<u64>::new());
    assert!(recoveries(&world).is_empty());
    assert_eq!(windows(&world), [WindowState::Closing, WindowState::Open]);
}

#[test]
fn an_expired_window_is_told_step_by_step_and_the_chain_recovers() {
    let world = run(&usual(Outage::Batcher, 30));
    assert_eq!(recoveries(&world), [true, false]);
    let [closing, expired, open] = windows(&world)[..] else {
        panic!("{:?}", windows(&world));
    };
    assert_eq!(closing, WindowState::Closing);
    assert_eq!(expired, WindowState::Expired);
    assert_eq!(open, WindowState::Open);
    assert_eq!(world.driver.window(), WindowState::Open);
}

#[test]
fn the_warning_comes_as_many_l1_blocks_before_the_end_as_is_asked_for() {
    let case = usual(Outage::Batcher, 30);
    let plan = case.plan();
    for (warning, expected) in [(None, 10), (Some(3), 3), (Some(17), 17)] {
        let mut world = World::model(&case.chain(), &plan);
        world.options = DriverOptions {
            window_warning: warning,
            ..DriverOptions::default()
        };
        world.restart();
        world.start_sequencing(SequencerOptions::default());
        run_to(&mut world, &plan, 19, &mut Watch::default());
        let left = world.events.iter().find_map(|event| match event {
            Event::Window {
                state: WindowState::Closing,
                left,
                ..
            } => Some(*left),
            _ => None,
        });
        assert_eq!(left, Some(expected));
    }
}

#[test]
fn while_the_batcher_fails_no_users_transaction_is_taken_in_that_would_be_lost() {
    let case = usual(Outage::Batcher, 100);
    let plan = case.plan();
    let mut world = World::model(&case.chain(), &plan);
    world.start_sequencing(SequencerOptions::default());
    let mut watch = Watch::default();
    run_to(&mut world, &plan, 90, &mut watch);
    let replaced = |event: &Event| matches!(event, Event::Replaced { .. });
    assert_eq!(world.count(replaced), 1);
    let expired = world.events.iter().position(replaced).unwrap();
    assert_eq!(lost(&world, expired), Vec::<u64>::new());
    // it goes on all the same, an L1 block behind its time
    let head = world.heads().unsafe_head;
    assert!((head.timestamp + 2 + 12) * 1_000 > world.now);
    let first = world.events[expired..]
        .iter()
        .find_map(|event| match event {
            Event::Sequenced(block) => Some(block.header.number),
            _ => None,
        });
    for number in first.unwrap()..=head.number {
        assert!(!has_users(&world.l2(number).unwrap()), "block {number}");
    }
    assert!(world.driver.is_recovering());
}

#[test]
fn blocks_of_the_past_are_made_at_once() {
    let case = usual(Outage::Node, 60);
    let plan = case.plan();
    let mut world = World::model(&case.chain(), &plan);
    world.start_sequencing(SequencerOptions::default());
    run_to(&mut world, &plan, Case::BEFORE, &mut Watch::default());
    world.now = plan[66].header.timestamp * 1_000;
    let now = world.now;
    world.run_until(now, &plan).unwrap();
    // no time has passed, and the head is where L1's is
    let head = world.heads().unsafe_head;
    assert!((head.timestamp + 2) * 1_000 > now, "{head}");
    // derivation went first: what it forces was not made before
    let replaced = |event: &Event| matches!(event, Event::Replaced { .. });
    let expired = world.events.iter().position(replaced).unwrap();
    assert!(lost(&world, 0).iter().all(|number| *number <= 36));
    assert_eq!(lost(&world, expired), Vec::<u64>::new());
}

#[test]
fn what_is_on_l1_already_comes_before_recovery() {
    // a node made all of it, and posted it
    let case = usual(Outage::Batcher, 0);
    let plan = l1::l1(std::iter::repeat_n(12, 80));
    let mut first = World::model(&case.chain(), &plan);
    first.start_sequencing(SequencerOptions::default());
    first.batcher = Some(Batcher::new(Form::Singular, 1));
    run_to(&mut first, &plan, 60, &mut Watch::default());
    // and lost its engine's data
    let mut second = World::model(&case.chain(), &plan);
    second.now = first.now;
    second.set_l1(first.l1.clone());
    while second.driver.heads().is_none() {
        let next = second.driver.step(second.now).unwrap();
        second.answer_next(next).unwrap();
    }
    let genesis = second.heads().unsafe_head.hash;
    second
        .driver
        .start_sequencing(SequencerOptions::default(), genesis)
        .unwrap();
    second.run().unwrap();
    let safe = first.heads().safe;
    assert!(safe.number > 200);
    assert_eq!(second.canonical(safe.number), Some(safe.hash));
    assert!(recoveries(&second).is_empty());
}

#[test]
fn a_margin_that_leaves_no_window_is_refused() {
    let case = usual(Outage::Batcher, 0);
    let plan = case.plan();
    let mut world = World::model(&case.chain(), &plan);
    world.tell_l1();
    world.run().unwrap();
    let head = world.heads().unsafe_head.hash;
    for (margin, is_refused) in [(19, false), (20, true), (u64::MAX, true)] {
        let options = SequencerOptions {
            posting_margin: Some(margin),
            ..SequencerOptions::default()
        };
        let started = world.driver.start_sequencing(options, head);
        let window = 20;
        if is_refused {
            assert_eq!(started, Err(StartError::PostingMargin { margin, window }));
        } else {
            started.unwrap();
            world.driver.stop_sequencing();
        }
    }
}

/// A transfer of the last of the accounts that everybody's development chain has.
fn transfer(nonce: u64) -> Bytes {
    use alloy_consensus::{SignableTransaction, TxEip1559, crypto::secp256k1::sign_message};
    use alloy_eips::Encodable2718;
    let key = "0x2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6";
    let transaction = TxEip1559 {
        chain_id: 901,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 10_000_000_000,
        max_priority_fee_per_gas: 1_000_000,
        to: alloy_primitives::TxKind::Call(alloy_primitives::Address::repeat_byte(0xbb)),
        ..TxEip1559::default()
    };
    let signature = sign_message(key.parse().unwrap(), transaction.signature_hash()).unwrap();
    transaction.into_signed(signature).encoded_2718().into()
}

/// The chain on which op-node's sequencer stayed behind for ever: up to the end of the recording, each
/// of its blocks from the expiry on is one that derivation forced.
#[test]
fn where_op_nodes_sequencer_stays_behind_for_ever_ours_catches_up() {
    let Some(recorded) = Recorded::open("expired-windows") else {
        return;
    };
    // the batches that counted, the expiry and the first forced blocks as they were recorded
    let taken_over = 110;
    let mut plan = recorded.quiet_l1();
    plan[..taken_over].clone_from_slice(&recorded.l1[..taken_over]);
    let mut world = World::new(&recorded);
    world.set_l1(plan[..taken_over].to_vec());
    world.now = plan[taken_over - 1].header.timestamp * 1_000;
    world.run().unwrap();
    let before = world.heads();
    let expected = recorded.chain.safe_head(taken_over as u64 - 1).unwrap();
    assert_eq!(before.safe.id(), expected);
    let lag = world.now / 1_000 - before.unsafe_head.timestamp;
    assert!(lag > 50, "op-node's chain is {lag} seconds behind");
    // our sequencer and a batcher take over; a user sends a transaction with each L1 block
    world.start_sequencing(SequencerOptions::default());
    world.batcher = Some(Batcher::new(Form::SpanPerEpoch, 1));
    let mut watch = Watch::default();
    let end = plan[taken_over + 15].header.timestamp * 1_000;
    let mut sent = 0;
    world
        .run_until_each(end, &plan, |world| {
            watch.look(world);
            if world.l1.len() > taken_over + sent {
                let transaction = doppio_engine::PooledTransaction::decode(transfer(sent as u64));
                let added = world.engine.view.add_transaction(transaction.unwrap());
                added.unwrap();
                sent += 1;
            }
            Ok(())
        })
        .unwrap();
    let heads = world.heads();
    assert!(
        heads.unsafe_head.timestamp * 1_000 >= end - 1_000,
        "it is at its time"
    );
    assert_eq!(recoveries(&world), [true, false]);
    assert_eq!(lost(&world, 0), Vec::<u64>::new());
    // users' transactions are in again, and safe
    let in_blocks = |last: u64| {
        (before.safe.number + 1..=last)
            .filter(|number| has_users(&world.l2(*number).unwrap()))
            .count()
    };
    assert!(sent > 10);
    assert!(in_blocks(heads.unsafe_head.number) >= sent / 2, "{sent}");
    assert!(in_blocks(heads.safe.number) > 0);
    // op-node's safe head at the same L1 block
    let theirs = recorded
        .chain
        .safe_head(world.l1.last().unwrap().header.number)
        .unwrap();
    assert!(
        heads.safe.number > theirs.number + 40,
        "{} {theirs}",
        heads.safe
    );
}
