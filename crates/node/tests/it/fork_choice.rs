//! What the engine is told of the heads, and how often.

use crate::{
    engines::{Labels, Model, TestEngine},
    l1::{self, Batcher, Form},
    world::{Recorded, World},
};
use doppio_node::{
    EngineAnswer, EngineCall, EngineError, EngineStatus, Event, Next, SequencerOptions,
};
use doppio_protocol::{config::Fork, l1::L1Block};
use std::{cell::RefCell, rc::Rc, sync::Arc};

fn calls<E>(world: &World<'_, E>, method: &str) -> usize {
    world.calls.get(method).copied().unwrap_or_default()
}

/// Three calls for a block, and one for an L1 block that has some: begin it, fetch it, bring it in; the
/// next one that is begun makes it the head. op-node makes four for each block.
#[test]
fn while_catching_up_a_block_takes_three_calls() {
    for name in ["calldata-singular-zlib", "blobs-span-brotli-jovian"] {
        let Some(recorded) = Recorded::open(name) else {
            return;
        };
        let mut world = World::new(&recorded);
        world.set_l1(recorded.l1.clone());
        world.run().unwrap();
        let blocks = usize::try_from(world.heads().unsafe_head.number).unwrap();
        assert_eq!(calls(&world, "forkchoiceUpdated with attributes"), blocks);
        assert_eq!(calls(&world, "getPayload"), blocks);
        assert_eq!(calls(&world, "newPayload"), blocks);
        let mut from: Vec<u64> = world
            .events
            .iter()
            .filter_map(|event| match event {
                Event::Safe { derived_from, .. } => Some(derived_from.number),
                _ => None,
            })
            .collect();
        from.dedup();
        let told = calls(&world, "forkchoiceUpdated");
        // and once at the start
        assert!(told <= from.len() + 1, "{told} {}", from.len());
        assert_eq!(world.labels().head, world.heads().unsafe_head.hash);
        assert_eq!(world.labels().safe, world.heads().safe.hash);
    }
}

/// Blocks that were there are found safe without a call for each.
// TestConsolidation_BatchesFCUPerL1Block
#[test]
fn what_consolidates_is_told_once_for_an_l1_block() {
    let Some(recorded) = Recorded::open("calldata-singular-zlib") else {
        return;
    };
    let mut world = World::new(&recorded);
    world.tell_l1();
    world.run().unwrap();
    for number in (1..).map_while(|number| recorded.l2(number)) {
        world.driver.unsafe_block(number).unwrap();
    }
    world.run().unwrap();
    world.calls.clear();
    world.events.clear();
    world.set_l1(recorded.l1.clone());
    world.run().unwrap();
    let consolidated = world.count(|event| matches!(event, Event::Consolidated(_)));
    assert!(consolidated > 300);
    let told = calls(&world, "forkchoiceUpdated");
    assert!(told <= 27, "{told}");
    assert_eq!(
        world.calls.len(),
        1,
        "nothing else is asked: {:?}",
        world.calls
    );
    assert_eq!(world.labels().safe, world.heads().safe.hash);
}

/// Writes down the fork choices that the engine acknowledges.
fn acknowledged(world: &mut World<'_, Model>) -> Rc<RefCell<Vec<(Labels, bool)>>> {
    let log = Rc::new(RefCell::new(Vec::new()));
    let writer = Rc::clone(&log);
    let chain = Arc::clone(&world.chain);
    world.intercept = Some(Box::new(move |engine, call| {
        let answer = engine.call(&chain, call);
        let is_valid = matches!(
            answer,
            EngineAnswer::ForkChoice {
                status: EngineStatus::Valid,
                ..
            }
        );
        if let EngineCall::ForkChoice { attributes, .. } = call
            && is_valid
        {
            let entry = (engine.labels(), attributes.is_none());
            writer.borrow_mut().push(entry);
        }
        Some(answer)
    }));
    log
}

fn plan(count: usize) -> Vec<L1Block> {
    l1::l1(std::iter::repeat_n(12, count))
}

// opstack-2026-09 4.2 *2
#[test]
fn what_the_engine_knows_it_is_not_told_again() {
    let plan = plan(40);
    let mut world = World::model(&l1::chain(Fork::Karst, |_| {}), &plan);
    let log = acknowledged(&mut world);
    world.start_sequencing(SequencerOptions::default());
    world.batcher = Some(Batcher::new(Form::Singular, 1));
    let end = plan[39].header.timestamp * 1_000;
    world.run_until(end, &plan).unwrap();
    let log = log.borrow();
    assert!(log.len() > 400, "{}", log.len());
    for pair in log.windows(2) {
        let [(before, _), (now, is_told)] = pair else {
            panic!("two");
        };
        assert!(!(*is_told && before == now), "told twice: {now:?}");
    }
    assert_eq!(world.labels().safe, world.heads().safe.hash);
}

/// An engine that is started again and has lost its newest blocks; the node goes on.
// opstack 11 L, RestartOpGeth
#[test]
fn an_engine_that_has_lost_blocks_is_asked_where_it_is() {
    let plan = plan(30);
    for is_sequencing in [true, false] {
        for lost in [0, 1, 7] {
            let mut world = World::model(&l1::chain(Fork::Karst, |_| {}), &plan);
            world.start_sequencing(SequencerOptions::default());
            world.batcher = Some(Batcher::new(Form::Singular, 2));
            let end = plan[20].header.timestamp * 1_000;
            world.run_until(end, &plan).unwrap();
            world
                .driver
                .l1_finalized(world.l1[10].header.block_ref())
                .unwrap();
            world.run().unwrap();
            if !is_sequencing {
                world.driver.stop_sequencing();
            }
            let before = world.heads();
            assert!(before.finalized.number > 0);
            assert!(before.finalized.number < before.safe.number);
            assert!(before.safe.number + 7 < before.unsafe_head.number);
            let kept = before.unsafe_head.number - lost;
            let kept_hash = world.canonical(kept).unwrap();
            world.engine.restart(kept);
            let end = plan[29].header.timestamp * 1_000;
            world.run_until(end, &plan).unwrap();
            let after = world.heads();
            let case = format!("{is_sequencing} {lost}");
            assert_eq!(world.canonical(kept), Some(kept_hash), "{case}");
            assert_eq!(
                world.canonical(before.safe.number),
                Some(before.safe.hash),
                "{case}"
            );
            assert_eq!(world.labels().head, after.unsafe_head.hash, "{case}");
            assert_eq!(world.labels().safe, after.safe.hash, "{case}");
            if is_sequencing {
                assert!(
                    (after.unsafe_head.timestamp + 2) * 1_000 > world.now,
                    "{case}"
                );
            } else {
                assert!(after.safe.number >= before.safe.number, "{case}");
            }
        }
    }
}

/// op-node: 2, 4, 8, then 10 seconds.
#[test]
fn resets_that_lead_nowhere_are_paced() {
    let plan = plan(30);
    let mut world = World::model(&l1::chain(Fork::Karst, |_| {}), &plan);
    world.start_sequencing(SequencerOptions::default());
    let end = world.now + 20_000;
    world.run_until(end, &plan).unwrap();
    // for two minutes the engine does not know its own head
    let again = world.now + 120_000;
    let mut resets: Vec<u64> = Vec::new();
    world.driver.reset("an operator wants it");
    loop {
        let next = world.driver.step(world.now).unwrap();
        for event in world.driver.events() {
            if matches!(event, Event::Reset(_)) {
                resets.push(world.now);
            }
        }
        if world.now >= again {
            break;
        }
        match next {
            Next::Engine(EngineCall::ForkChoice { .. }) => {
                let answer = EngineAnswer::ForkChoice {
                    status: EngineStatus::Syncing,
                    payload: None,
                };
                world.driver.engine(answer).unwrap();
            }
            Next::Wait { until } => world.now = until.unwrap(),
            next => world.answer_next(next).unwrap(),
        }
    }
    let pauses: Vec<u64> = resets.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(pauses[..6], [0, 2_000, 4_000, 8_000, 10_000, 10_000]);
    assert!(pauses[6..].iter().all(|pause| *pause == 10_000));
    // then it does, and all goes on; the next reset is at once again
    let end = world.now + 30_000;
    world.run_until(end, &plan).unwrap();
    assert!((world.heads().unsafe_head.timestamp + 2) * 1_000 > world.now);
    let now = world.now;
    world.driver.reset("an operator wants it");
    assert!(matches!(world.driver.step(now).unwrap(), Next::Lookup(_)));
}

/// After a reset the sequencer lets a block time pass.
// opstack 4.3 #5
#[test]
fn after_a_reset_the_sequencer_waits_a_block_time() {
    let plan = plan(30);
    let mut world = World::model(&l1::chain(Fork::Karst, |_| {}), &plan);
    world.start_sequencing(SequencerOptions::default());
    let end = world.now + 21_000;
    world.run_until(end, &plan).unwrap();
    // the block of its time is not begun yet, so that there is one to make at once
    world.now += 10_000;
    world.driver.reset("an operator wants it");
    let now = world.now;
    world.until(|next| matches!(next, Next::Sequence(_)));
    assert_eq!(world.now, now + 2_000);
}

/// The heads after a start are told until the engine has them, and not used before.
#[test]
fn nothing_is_derived_before_the_engine_has_the_heads() {
    let plan = plan(5);
    let mut world = World::model(&l1::chain(Fork::Karst, |_| {}), &plan);
    world.tell_l1();
    let told = world.until(|next| matches!(next, Next::Engine(_)));
    for _ in 0..3 {
        let error = EngineError::Temporary("busy".to_owned());
        world.driver.engine(EngineAnswer::Error(error)).unwrap();
        assert_eq!(world.driver.step(world.now).unwrap(), told);
    }
    assert!(world.driver.heads().is_none());
    world.run().unwrap();
    assert!(world.driver.heads().is_some());
}
