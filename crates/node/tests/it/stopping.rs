//! A sequencer that stops says exactly where the chain is.

use crate::{
    engines::{Model, TestEngine},
    l1,
    world::World,
};
use alloy_primitives::B256;
use doppio_node::{
    EngineAnswer, EngineCall, EngineError, EngineStatus, Event, Next, SequencerOptions, StartError,
    Stop,
};
use doppio_protocol::{config::Fork, l1::L1Block};
use proptest::prelude::*;

fn plan() -> Vec<L1Block> {
    l1::l1(std::iter::repeat_n(12, 30))
}

/// A sequencer that has made a few blocks.
fn sequencing() -> World<'static, Model> {
    let plan = plan();
    let mut world = World::model(&l1::chain(Fork::Karst, |_| {}), &plan);
    world.start_sequencing(SequencerOptions::default());
    let end = world.now + 11_000;
    world.run_until(end, &plan).unwrap();
    assert!(world.heads().unsafe_head.number >= 5);
    world
}

const fn is_get(next: &Next) -> bool {
    matches!(next, Next::Engine(EngineCall::GetPayload { .. }))
}

const fn is_insert(next: &Next) -> bool {
    matches!(next, Next::Engine(EngineCall::NewPayload(_)))
}

const fn is_begin(next: &Next) -> bool {
    matches!(
        next,
        Next::Engine(EngineCall::ForkChoice {
            attributes: Some(_),
            ..
        })
    )
}

const fn is_adopt(next: &Next) -> bool {
    matches!(
        next,
        Next::Engine(EngineCall::ForkChoice {
            attributes: None,
            ..
        })
    )
}

fn stopped(world: &World<'_, Model>) -> Vec<B256> {
    let head = |event: &Event| match event {
        Event::Stopped(head) => Some(*head),
        _ => None,
    };
    world.events.iter().filter_map(head).collect()
}

/// Nothing moves any more, and another sequencer may go on from the head.
#[track_caller]
fn assert_stopped(world: &mut World<'_, Model>, head: B256) {
    let end = world.now + 20_000;
    world.run_until(end, &plan()).unwrap();
    assert_eq!(world.labels().head, head);
    assert_eq!(world.heads().unsafe_head.hash, head);
    assert_eq!(stopped(world), [head]);
    assert_eq!(world.driver.stop_sequencing(), Stop::NotRunning);
    let options = SequencerOptions::default();
    world.driver.start_sequencing(options, head).unwrap();
    let end = world.now + 10_000;
    world.run_until(end, &plan()).unwrap();
    let next = world.l2(world.heads().unsafe_head.number).unwrap();
    assert_ne!(next.hash, head, "it goes on");
}

#[test]
fn a_block_that_was_begun_is_given_up() {
    for stage in [is_begin, is_get] {
        let mut world = sequencing();
        let asked = world.until(stage);
        let head = world.heads().unsafe_head.hash;
        let generation = world.driver.generation();
        assert_eq!(world.driver.stop_sequencing(), Stop::Stopped(head));
        // what is under way to the engine is not wanted any more
        assert!(world.driver.generation() > generation);
        assert_ne!(world.driver.step(world.now).unwrap(), asked);
        assert_stopped(&mut world, head);
    }
}

#[test]
fn nothing_under_way_stays_wanted() {
    let mut world = sequencing();
    let head = world.heads().unsafe_head.hash;
    let generation = world.driver.generation();
    assert_eq!(world.driver.stop_sequencing(), Stop::Stopped(head));
    assert_eq!(world.driver.generation(), generation);
    assert_stopped(&mut world, head);
}

#[test]
fn a_block_that_was_fetched_becomes_the_head_first() {
    for stage in [is_insert, is_adopt] {
        let mut world = sequencing();
        let number = world.heads().unsafe_head.number;
        world.until(is_get);
        let next = world.until(stage);
        let block = match next {
            Next::Engine(EngineCall::NewPayload(block)) => block.hash,
            Next::Engine(EngineCall::ForkChoice { head, .. }) => head,
            _ => panic!("{next:?}"),
        };
        assert_eq!(world.driver.stop_sequencing(), Stop::Pending);
        assert_eq!(world.driver.stop_sequencing(), Stop::Pending);
        assert!(world.driver.is_sequencing());
        world.run().unwrap();
        assert_eq!(world.heads().unsafe_head.number, number + 1);
        assert_stopped(&mut world, block);
    }
}

#[test]
fn a_head_that_the_engine_took_without_saying_so_is_the_head() {
    let mut world = sequencing();
    world.until(is_get);
    let Next::Engine(call) = world.until(is_adopt) else {
        panic!("a fork choice");
    };
    world.call(&call);
    // the answer is lost
    let EngineCall::ForkChoice { head, .. } = call else {
        panic!("a fork choice");
    };
    assert_ne!(world.heads().unsafe_head.hash, head);
    assert_eq!(world.driver.stop_sequencing(), Stop::Pending);
    let error = EngineError::Temporary("no answer".to_owned());
    world.driver.engine(EngineAnswer::Error(error)).unwrap();
    assert_eq!(world.driver.stop_sequencing(), Stop::Pending);
    world.until(is_adopt);
    world.run().unwrap();
    assert_stopped(&mut world, head);
}

#[test]
fn a_block_that_was_fetched_and_is_invalid_is_not_the_head() {
    let mut world = sequencing();
    let head = world.heads().unsafe_head.hash;
    world.until(is_get);
    world.until(is_insert);
    assert_eq!(world.driver.stop_sequencing(), Stop::Pending);
    let invalid = EngineStatus::Invalid("no".to_owned());
    world.driver.engine(EngineAnswer::Status(invalid)).unwrap();
    world.run().unwrap();
    assert_stopped(&mut world, head);
}

#[test]
fn during_a_reset_the_head_is_the_one_that_is_found() {
    let mut world = sequencing();
    world.until(is_get);
    let Next::Engine(call) = world.until(is_adopt) else {
        panic!("a fork choice");
    };
    // the engine takes it, and nobody hears the answer
    world.call(&call);
    let generation = world.driver.generation();
    world.driver.reset("an operator wants it");
    assert!(world.driver.generation() > generation);
    assert_eq!(world.driver.stop_sequencing(), Stop::Pending);
    world.run().unwrap();
    let head = world.labels().head;
    assert_eq!(world.heads().unsafe_head.number, 6);
    assert_stopped(&mut world, head);
}

#[test]
fn an_answer_that_comes_too_late_changes_nothing() {
    let mut world = sequencing();
    world.until(is_get);
    let Next::Engine(call) = world.until(is_adopt) else {
        panic!("a fork choice");
    };
    world.driver.reset("an operator wants it");
    let lookup = world.driver.step(world.now).unwrap();
    let answer = world.call(&call);
    world.driver.engine(answer).unwrap();
    assert_eq!(world.driver.step(world.now).unwrap(), lookup);
    let end = world.now + 20_000;
    world.run_until(end, &plan()).unwrap();
    assert_eq!(world.labels().head, world.heads().unsafe_head.hash);
}

#[test]
fn while_a_block_becomes_the_head_none_starts() {
    let mut world = sequencing();
    assert!(matches!(world.driver.stop_sequencing(), Stop::Stopped(_)));
    let head = world.heads().unsafe_head;
    // another sequencer's block
    let mut other = sequencing();
    other.until(is_get);
    let Next::Engine(EngineCall::NewPayload(block)) = other.until(is_insert) else {
        panic!("a block");
    };
    assert_eq!(block.header.parent_hash, head.hash);
    let asked = block.hash;
    world.driver.unsafe_block(block).unwrap();
    world.until(is_adopt);
    let options = SequencerOptions::default();
    for hash in [head.hash, asked] {
        let started = world.driver.start_sequencing(options, hash);
        assert_eq!(started, Err(StartError::NotReady));
    }
    world.run().unwrap();
    world.driver.start_sequencing(options, asked).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// However far it is, and whatever fails on the way.
    #[test]
    fn the_head_that_is_told_is_the_engines_and_stays_it(
        steps in 0usize..400,
        seed in any::<u64>(),
        one_in in 3u64..9,
        resets in any::<bool>(),
    ) {
        let plan = plan();
        let mut world = sequencing();
        world.failures.state = seed >> 1;
        world.failures.one_in = one_in;
        for _ in 0..steps {
            let next = world.driver.step(world.now).unwrap();
            match next {
                Next::Wait { until } => world.now = until.unwrap_or(world.now + 500),
                Next::Engine(call) if world.failures.number().is_multiple_of(one_in) => {
                    // the engine may have taken it, or not
                    if world.failures.number().is_multiple_of(2) {
                        world.call(&call);
                    }
                    if world.failures.number().is_multiple_of(2) {
                        let error = EngineError::Temporary("busy".to_owned());
                        world.driver.engine(EngineAnswer::Error(error)).unwrap();
                    }
                }
                next => world.answer_next(next).unwrap(),
            }
        }
        if resets {
            world.driver.reset("an operator wants it");
        }
        world.failures.one_in = 0;
        let told = match world.driver.stop_sequencing() {
            Stop::Stopped(head) => {
                prop_assert_eq!(world.engine.labels().head, head);
                head
            }
            stop => {
                prop_assert_eq!(stop, Stop::Pending);
                let end = world.now + 30_000;
                world.run_until(end, &plan).unwrap();
                stopped(&world)[0]
            }
        };
        assert_stopped(&mut world, told);
    }
}
