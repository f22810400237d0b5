//! The sequencer makes blocks on time, from what L1 says, whatever happens on the way.

use crate::{
    engines::Model,
    l1::{self, Batcher, Form},
    world::{Recorded, World},
};
use alloy_primitives::B256;
use doppio_node::{
    EngineAnswer, EngineCall, EngineError, Event, Millis, Next, SequencerAnswer, SequencerNeed,
    SequencerOptions, StartError, Stop,
};
use doppio_protocol::{L2BlockRef, config::Fork, l1::L1Block, l2::L2Block};
use std::sync::Arc;

/// A node at genesis, at the time of the first block.
fn start<'a>(recorded: &'a Recorded, options: SequencerOptions) -> World<'a> {
    let mut world = World::new(recorded);
    world.start_sequencing(options);
    world
}

fn block_ref(world: &World<'_>, block: &L2Block) -> L2BlockRef {
    block.block_ref(&world.chain).unwrap()
}

// opstack 11 K, Sequencer Build
#[test]
fn blocks_are_sealed_just_before_their_time_and_follow_l1() {
    let Some(recorded) = Recorded::open("calldata-singular-zlib") else {
        return;
    };
    let chain = &recorded.chain.chain;
    let genesis = chain.rollup.genesis;
    let block_time = chain.rollup.block_time;
    let mut world = start(&recorded, SequencerOptions::default());
    let l1 = recorded.quiet_l1();
    let mut known = 0;
    for number in 1..=150 {
        let time = genesis.l2_time + number * block_time;
        // not yet
        world.run_until(time * 1_000 - 51, &l1).unwrap();
        assert_eq!(
            world.sequenced().len(),
            known,
            "block {number} is too early"
        );
        world.run_until(time * 1_000 - 50, &l1).unwrap();
        known += 1;
        let blocks = world.sequenced();
        assert_eq!(blocks.len(), known, "block {number} is late");
        assert_eq!(blocks[known - 1].header.timestamp, time);
    }
    let blocks = world.sequenced();
    let refs: Vec<_> = blocks
        .iter()
        .map(|block| block_ref(&world, block))
        .collect();
    for (parent, child) in refs.iter().zip(&refs[1..]) {
        assert_eq!(child.parent_hash, parent.hash);
        let steps = child.l1_origin.number - parent.l1_origin.number;
        assert!(steps <= 1);
        let origin = l1
            .iter()
            .find(|block| block.header.number == child.l1_origin.number);
        assert!(origin.unwrap().header.timestamp <= child.timestamp);
        // the next one was taken as soon as it could be
        if let Some(next) = l1
            .iter()
            .find(|block| block.header.number == child.l1_origin.number + 1)
        {
            assert!(next.header.timestamp > child.timestamp - block_time);
        }
    }
    assert!(refs.last().unwrap().l1_origin.number > genesis.l1.number + 2);
    // deposits of L1 are in: every block with a new origin has those of the recorded L1
    let deposits: usize = blocks
        .iter()
        .map(|block| block.transactions.len() - 1)
        .sum();
    let last = refs.last().unwrap().l1_origin.number;
    let expected: usize = l1
        .iter()
        .filter(|block| (genesis.l1.number + 1..=last).contains(&block.header.number))
        .map(|block| {
            let updates = doppio_derive::EpochUpdates::of_block(chain, block);
            updates.deposits.unwrap().len()
        })
        .sum();
    assert_eq!(deposits, expected);
    assert!(expected > 0);
}

#[test]
fn a_sequencer_that_was_away_catches_up_at_once() {
    let Some(recorded) = Recorded::open("calldata-singular-zlib") else {
        return;
    };
    let genesis = recorded.chain.chain.rollup.genesis;
    let mut world = start(&recorded, SequencerOptions::default());
    let l1 = recorded.quiet_l1();
    world.now = (genesis.l2_time + 100) * 1_000;
    world.run_until(world.now, &l1).unwrap();
    let head = world.heads().unsafe_head;
    let block_time = recorded.chain.chain.rollup.block_time;
    // all whose time has come; the next one is on its way
    assert_eq!(
        head.timestamp,
        genesis.l2_time + 100 / block_time * block_time
    );
}

#[test]
fn without_news_of_l1_it_stops_at_the_drift_and_goes_on_with_l1() {
    let plan = l1::l1(std::iter::repeat_n(12, 60));
    let chain = l1::chain(Fork::Ecotone, |rollup| rollup.seq_window_size = 100);
    let mut world = World::model(&chain, &plan);
    world.start_sequencing(SequencerOptions::default());
    let first = plan[0].header.timestamp;
    let drift = chain.max_sequencer_drift(first);
    world.now = (first + drift + 90) * 1_000;
    world.run_until(world.now + 5_000, &plan[..1]).unwrap();
    let head = world.heads().unsafe_head;
    assert_eq!(head.timestamp, first + drift);
    let before = world.sequenced().len();
    world.run_until(world.now + 5_000, &plan).unwrap();
    assert!(world.sequenced().len() > before + 40);
    assert!((world.heads().unsafe_head.timestamp + 2) * 1_000 > world.now);
}

#[test]
fn it_waits_for_the_safe_head_as_far_as_it_is_told() {
    let Some(recorded) = Recorded::open("calldata-singular-zlib") else {
        return;
    };
    let options = SequencerOptions {
        max_safe_lag: 7,
        ..SequencerOptions::default()
    };
    let mut world = start(&recorded, options);
    let l1 = recorded.quiet_l1();
    let end: Millis = world.now + 60_000;
    world.run_until(end, &l1).unwrap();
    assert_eq!(world.heads().unsafe_head.number, 7);
}

#[test]
fn failures_delay_blocks_and_lose_none() {
    let Some(recorded) = Recorded::open("calldata-singular-zlib") else {
        return;
    };
    let mut world = start(&recorded, SequencerOptions::default());
    world.failures.one_in = 5;
    let l1 = recorded.quiet_l1();
    let genesis = recorded.chain.chain.rollup.genesis;
    world
        .run_until((genesis.l2_time + 120) * 1_000, &l1)
        .unwrap();
    world.failures.one_in = 0;
    world
        .run_until((genesis.l2_time + 140) * 1_000, &l1)
        .unwrap();
    let blocks = world.sequenced();
    for (number, block) in (1..).zip(&blocks) {
        assert_eq!(block.header.number, number);
    }
    let block_time = recorded.chain.chain.rollup.block_time;
    assert_eq!(blocks.len() as u64, 140 / block_time, "it has caught up");
}

// opstack 11 K, Sequencer StartStop
#[test]
fn it_starts_on_the_head_that_is_named_and_stops_with_one_to_go_on_from() {
    let Some(recorded) = Recorded::open("calldata-singular-zlib") else {
        return;
    };
    let mut world = start(&recorded, SequencerOptions::default());
    let l1 = recorded.quiet_l1();
    world.run_until(world.now + 21_000, &l1).unwrap();
    let head = world.heads().unsafe_head.hash;
    let again = world
        .driver
        .start_sequencing(SequencerOptions::default(), head);
    assert_eq!(again, Err(StartError::Running));
    assert_eq!(world.driver.stop_sequencing(), Stop::Stopped(head));
    assert_eq!(world.driver.stop_sequencing(), Stop::NotRunning);
    world.run_until(world.now + 20_000, &l1).unwrap();
    assert_eq!(world.heads().unsafe_head.hash, head, "it has stopped");
    let asked = B256::repeat_byte(1);
    let other = world
        .driver
        .start_sequencing(SequencerOptions::default(), asked);
    assert_eq!(other, Err(StartError::OtherHead { head, asked }));
    world
        .driver
        .start_sequencing(SequencerOptions::default(), head)
        .unwrap();
    world.run_until(world.now + 5_000, &l1).unwrap();
    assert_ne!(world.heads().unsafe_head.hash, head);
}

// opstack 11 K, Sequencer StaleBuild
#[test]
fn a_block_of_somebody_else_takes_the_place_of_one_that_is_being_made() {
    let Some(recorded) = Recorded::open("calldata-singular-zlib") else {
        return;
    };
    let mut world = start(&recorded, SequencerOptions::default());
    let l1 = recorded.quiet_l1();
    // the first block is begun, and waits for its time
    world.run_until(world.now + 500, &l1).unwrap();
    assert_eq!(world.sequenced().len(), 0);
    let other = recorded.l2(1).unwrap();
    world.driver.unsafe_block(Arc::clone(&other)).unwrap();
    world.run_until(world.now + 10_000, &l1).unwrap();
    let blocks = world.sequenced();
    assert_eq!(blocks[0].header.number, 2);
    assert_eq!(blocks[0].header.parent_hash, other.hash);
}

#[test]
fn a_follower_takes_what_was_sequenced() {
    let Some(recorded) = Recorded::open("blobs-span-brotli-jovian") else {
        return;
    };
    let mut world = start(&recorded, SequencerOptions::default());
    let l1 = recorded.quiet_l1();
    world.run_until(world.now + 80_000, &l1).unwrap();
    let blocks = world.sequenced();
    assert!(blocks.len() > 30, "{}", blocks.len());
    let mut follower = World::new(&recorded);
    follower.tell_l1();
    follower.run().unwrap();
    for block in &blocks {
        follower.driver.unsafe_block(Arc::clone(block)).unwrap();
    }
    follower.run().unwrap();
    assert_eq!(follower.heads().unsafe_head, world.heads().unsafe_head);
    assert_eq!(
        follower.count(|event| matches!(event, Event::InvalidUnsafe { .. })),
        0
    );
}

fn model() -> (World<'static, Model>, Vec<L1Block>) {
    let plan = l1::l1(std::iter::repeat_n(12, 20));
    let mut world = World::model(&l1::chain(Fork::Karst, |_| {}), &plan);
    world.start_sequencing(SequencerOptions::default());
    let end = world.now + 21_000;
    world.run_until(end, &plan).unwrap();
    (world, plan)
}

/// Another sequencer's block on the head.
fn rival(world: &World<'_, Model>) -> Arc<L2Block> {
    let (mut other, _) = model();
    assert_eq!(other.heads().unsafe_head, world.heads().unsafe_head);
    let next = other.until(|next| matches!(next, Next::Engine(EngineCall::GetPayload { .. })));
    let Next::Engine(call) = next else {
        panic!("a call");
    };
    let EngineAnswer::Payload(block) = other.call(&call) else {
        panic!("a block");
    };
    block
}

/// What was asked for on a head that is not the head any more is not looked at.
// opstack 11 K, Sequencer StaleBuild
#[test]
fn an_answer_for_another_head_is_not_looked_at() {
    let (mut world, plan) = model();
    let mut stale: Vec<SequencerAnswer> = Vec::new();
    for is_origins in [true, false] {
        let next = world.until(|next| match next {
            Next::Sequence(SequencerNeed::Origins(_)) => is_origins,
            Next::Sequence(SequencerNeed::Epoch { .. }) => !is_origins,
            _ => false,
        });
        let Next::Sequence(need) = next else {
            panic!("a need");
        };
        stale.push(world.sequencer_answer(&need));
    }
    // L1 goes on by a lot, and the head with it
    let end = world.now + 60_000;
    world.run_until(end, &plan).unwrap();
    for answer in &stale {
        let asked = world.until(|next| matches!(next, Next::Sequence(_)));
        world.driver.sequence(answer).unwrap();
        assert_eq!(world.driver.step(world.now).unwrap(), asked);
    }
    let end = world.now + 10_000;
    world.run_until(end, &plan).unwrap();
    assert_eq!(world.resets(), 0);
    assert!((world.heads().unsafe_head.timestamp + 2) * 1_000 > world.now);
}

/// A block that was fetched, and another one became the head meanwhile: it is not brought in any more.
// opstack 11 K, Sequencer StaleBuild; TestSequencerSealStale, TestProcessPayloadRejectsStaleParent
#[test]
fn a_fetched_block_whose_parent_is_not_the_head_any_more_is_dropped() {
    let (mut world, plan) = model();
    let rival = rival(&world);
    let next = world.until(|next| matches!(next, Next::Engine(EngineCall::NewPayload(_))));
    let Next::Engine(EngineCall::NewPayload(ours)) = next else {
        panic!("a block");
    };
    // it takes a second until ours is tried again
    let error = EngineError::Temporary("busy".to_owned());
    world.driver.engine(EngineAnswer::Error(error)).unwrap();
    let mut theirs = (*rival).clone();
    theirs.transactions.pop();
    theirs.header.state_root = alloy_primitives::keccak256(theirs.transactions.concat());
    theirs.hash = theirs.header.hash_slow();
    world.hear([theirs.clone()]);
    assert_eq!(world.heads().unsafe_head.hash, theirs.hash);
    let end = world.now + 10_000;
    world.run_until(end, &plan).unwrap();
    let number = ours.header.number;
    assert_eq!(world.canonical(number), Some(theirs.hash));
    assert_eq!(
        world.l2(number + 1).unwrap().header.parent_hash,
        theirs.hash
    );
    assert!((world.heads().unsafe_head.timestamp + 2) * 1_000 > world.now);
}

/// It goes on by itself once the safe head has come closer.
// opstack 4.3 #6; TestSequencerMaxSafeLagStall
#[test]
fn it_goes_on_when_the_safe_head_has_caught_up() {
    let plan = l1::l1(std::iter::repeat_n(12, 20));
    let mut world = World::model(&l1::chain(Fork::Karst, |_| {}), &plan);
    world.start_sequencing(SequencerOptions {
        max_safe_lag: 10,
        ..SequencerOptions::default()
    });
    let end = world.now + 60_000;
    world.run_until(end, &plan).unwrap();
    assert_eq!(world.heads().unsafe_head.number, 10);
    world.batcher = Some(Batcher::new(Form::Singular, 0));
    let mut most = 0;
    let end = plan[19].header.timestamp * 1_000;
    world
        .run_until_each(end, &plan, |world| {
            let heads = world.heads();
            most = most.max(heads.unsafe_head.number - heads.safe.number);
            Ok(())
        })
        .unwrap();
    assert!(world.heads().safe.number > 50);
    assert_eq!(most, 10);
}

/// Activation blocks of some forks have no users' transactions; those of Granite and Holocene may.
// opstack 4.3 #2
#[test]
fn activation_blocks_are_for_the_upgrade() {
    type Set = fn(&mut doppio_protocol::config::ForkTimes, u64);
    let forks: [(Fork, Fork, Set, bool); 7] = [
        (
            Fork::Delta,
            Fork::Ecotone,
            |forks, at| forks.ecotone = Some(at),
            false,
        ),
        (
            Fork::Ecotone,
            Fork::Fjord,
            |forks, at| forks.fjord = Some(at),
            false,
        ),
        (
            Fork::Fjord,
            Fork::Granite,
            |forks, at| forks.granite = Some(at),
            true,
        ),
        (
            Fork::Granite,
            Fork::Holocene,
            |forks, at| forks.holocene = Some(at),
            true,
        ),
        (
            Fork::Holocene,
            Fork::Isthmus,
            |forks, at| forks.isthmus = Some(at),
            false,
        ),
        (
            Fork::Isthmus,
            Fork::Jovian,
            |forks, at| forks.jovian = Some(at),
            false,
        ),
        (
            Fork::Jovian,
            Fork::Karst,
            |forks, at| forks.karst = Some(at),
            false,
        ),
    ];
    let plan = l1::l1(std::iter::repeat_n(12, 6));
    for (before, fork, set, has_users) in forks {
        let activation = l1::GENESIS_TIME + 30;
        let chain = l1::chain(before, |rollup| set(&mut rollup.forks, activation));
        let mut world = World::model(&chain, &plan);
        world.start_sequencing(SequencerOptions::default());
        let end = world.now + 40_000;
        world.run_until(end, &plan).unwrap();
        for block in world.chain_of() {
            let users = block.transactions.iter().filter(|tx| tx[0] != 0x7e).count();
            let is_activation = block.header.timestamp == activation;
            let expected = usize::from(!is_activation || has_users);
            assert_eq!(users, expected, "{fork:?} {}", block.header.number);
        }
    }
}

/// An engine that takes longer for a block than there is between two: the chain falls behind, and is
/// derived all the same.
#[test]
fn a_sequencer_that_is_behind_leaves_derivation_its_turn() {
    let plan = l1::l1(std::iter::repeat_n(12, 20));
    let chain = l1::chain(Fork::Karst, |rollup| rollup.seq_window_size = 100);
    let mut world = World::model(&chain, &plan);
    world.start_sequencing(SequencerOptions::default());
    world.batcher = Some(Batcher::new(Form::Singular, 0));
    let end = plan[18].header.timestamp * 1_000;
    while world.now < end {
        while let Some(next) = plan.get(world.l1.len())
            && next.header.timestamp * 1_000 <= world.now
        {
            world.grow(next);
        }
        let next = world.driver.step(world.now).unwrap();
        assert_eq!(world.driver.step(world.now).unwrap(), next);
        world.events.extend(world.driver.events());
        match &next {
            Next::Wait { until } => world.now = until.unwrap_or(world.now + 100),
            Next::Engine(_) => world.now += 600,
            _ => world.now += 5,
        }
        world.answer_next(next).unwrap();
    }
    let heads = world.heads();
    assert!(
        heads.unsafe_head.timestamp + 10 < end / 1_000,
        "it is behind"
    );
    assert!(heads.unsafe_head.number > 60, "{}", heads.unsafe_head);
    assert!(
        heads.safe.number + 20 > heads.unsafe_head.number,
        "{}",
        heads.safe
    );
}
