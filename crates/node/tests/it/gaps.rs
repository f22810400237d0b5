//! Blocks from outside with blocks missing before them: the engine may know how to get those.

use crate::{
    engines::{Model, TestEngine},
    l1::{self, Batcher, Form},
    world::World,
};
use doppio_node::{EngineCall, Event, Next, SequencerOptions};
use doppio_protocol::{config::Fork, l1::L1Block, l2::L2Block};
use std::sync::Arc;

fn plan() -> Vec<L1Block> {
    l1::l1(std::iter::repeat_n(12, 20))
}

/// The sequencer's blocks, from the first.
fn made() -> Vec<Arc<L2Block>> {
    let plan = plan();
    let mut world = World::model(&l1::chain(Fork::Karst, |_| {}), &plan);
    world.start_sequencing(SequencerOptions::default());
    let end = world.now + 40_000;
    world.run_until(end, &plan).unwrap();
    (1..=world.heads().unsafe_head.number)
        .map(|number| Arc::new(world.l2(number).unwrap()))
        .collect()
}

fn follower() -> World<'static, Model> {
    let mut world = World::model(&l1::chain(Fork::Karst, |_| {}), &plan());
    world.now = l1::GENESIS_TIME * 1_000;
    world.tell_l1();
    world.run().unwrap();
    world
}

fn calls(world: &World<'_, Model>, method: &str) -> usize {
    world.calls.get(method).copied().unwrap_or_default()
}

/// The engine gets blocks from its own peers.
fn engine_gets(world: &mut World<'_, Model>, blocks: &[Arc<L2Block>]) {
    let chain = Arc::clone(&world.chain);
    for block in blocks {
        let call = EngineCall::NewPayload(Arc::clone(block));
        world.engine.call(&chain, &call);
    }
}

// opstack-2026-09 4.2 *3, 4.5 *1
#[test]
fn a_gap_is_the_engines_to_fill_once_the_head_stands_still() {
    let made = made();
    let mut world = follower();
    let start = world.now;
    world.driver.unsafe_block(Arc::clone(&made[9])).unwrap();
    // two block times
    world.run_until(start + 3_999, &plan()[..1]).unwrap();
    assert_eq!(calls(&world, "newPayload"), 0);
    world.run_until(start + 4_000, &plan()[..1]).unwrap();
    assert_eq!(calls(&world, "newPayload"), 1);
    // the engine is told to go there, and says that it does not know yet
    assert_eq!(world.heads().unsafe_head.number, 0);
    world.run_until(start + 7_999, &plan()[..1]).unwrap();
    assert_eq!(calls(&world, "newPayload"), 1);
    // it gets what is missing
    engine_gets(&mut world, &made[..9]);
    world.run_until(start + 8_000, &plan()[..1]).unwrap();
    assert_eq!(calls(&world, "newPayload"), 2);
    assert_eq!(world.heads().unsafe_head.hash, made[9].hash);
    assert_eq!(world.labels().head, made[9].hash);
    // and all goes on
    world.driver.unsafe_block(Arc::clone(&made[10])).unwrap();
    world.run().unwrap();
    assert_eq!(world.heads().unsafe_head.hash, made[10].hash);
}

#[test]
fn a_head_that_moves_is_not_disturbed() {
    let made = made();
    let mut world = follower();
    world.driver.unsafe_block(Arc::clone(&made[15])).unwrap();
    // one block each 3 seconds
    for block in &made[..6] {
        let end = world.now + 3_000;
        world.run_until(end, &plan()[..1]).unwrap();
        world.driver.unsafe_block(Arc::clone(block)).unwrap();
        world.run().unwrap();
    }
    assert_eq!(calls(&world, "newPayload"), 6);
    assert_eq!(world.heads().unsafe_head.number, 6);
}

#[test]
fn while_the_engine_gets_blocks_derivation_goes_on() {
    let made = made();
    let mut sequencer = World::model(&l1::chain(Fork::Karst, |_| {}), &plan());
    sequencer.start_sequencing(SequencerOptions::default());
    sequencer.batcher = Some(Batcher::new(Form::Singular, 0));
    let end = sequencer.now + 30_000;
    sequencer.run_until(end, &plan()).unwrap();
    let mut world = follower();
    world.driver.unsafe_block(Arc::clone(&made[18])).unwrap();
    let end = world.now + 5_000;
    world.run_until(end, &plan()[..1]).unwrap();
    assert_eq!(calls(&world, "newPayload"), 1);
    world.set_l1(sequencer.l1.clone());
    world.run().unwrap();
    assert_eq!(world.heads().safe.hash, sequencer.heads().safe.hash);
    assert_eq!(world.count(|event| matches!(event, Event::Reset(_))), 0);
    // what was derived meanwhile fills a part of the gap; the rest comes in
    for block in &made[..18] {
        let _ = world.driver.unsafe_block(Arc::clone(block));
    }
    world.run().unwrap();
    assert_eq!(world.heads().unsafe_head.hash, made[18].hash);
}

/// An invalid block behind a gap makes place for the next one.
#[test]
fn an_invalid_block_behind_a_gap_is_dropped() {
    let made = made();
    let mut world = follower();
    let mut lie = (*made[9]).clone();
    lie.header.state_root.0[0] ^= 1;
    lie.hash = lie.header.hash_slow();
    engine_gets(&mut world, &made[..9]);
    world.driver.unsafe_block(Arc::new(lie.clone())).unwrap();
    world.driver.unsafe_block(Arc::clone(&made[11])).unwrap();
    let end = world.now + 5_000;
    world.run_until(end, &plan()[..1]).unwrap();
    let is_lie = |event: &Event| matches!(event, Event::InvalidUnsafe { block, .. } if block.hash == lie.hash);
    assert_eq!(world.count(is_lie), 1);
    let first = world.driver.unsafe_blocks().first().unwrap();
    assert_eq!(first.hash, made[11].hash);
    engine_gets(&mut world, &made[9..11]);
    let end = world.now + 5_000;
    world.run_until(end, &plan()[..1]).unwrap();
    assert_eq!(world.heads().unsafe_head.hash, made[11].hash);
}

/// The block that is refused is the one that goes, even if a lower one has come meanwhile.
// opstack 11 K, InvalidPayloadForNonHead_NoDrop
#[test]
fn invalid_payload_for_non_head_no_drop() {
    let made = made();
    let mut world = follower();
    // blocks of a height are ordered by their hashes: one behind the honest block
    let lie = (1..=u8::MAX)
        .map(|salt| {
            let mut lie = (*made[0]).clone();
            lie.header.state_root.0[0] ^= salt;
            lie.hash = lie.header.hash_slow();
            lie
        })
        .find(|lie| lie.hash > made[0].hash)
        .unwrap();
    let (first, second) = (Arc::new(lie.clone()), Arc::clone(&made[0]));
    // the one that is begun is not the first one any more when the engine answers
    world.driver.unsafe_block(Arc::clone(&first)).unwrap();
    world.until(|next| matches!(next, Next::Engine(EngineCall::NewPayload(_))));
    world.driver.unsafe_block(Arc::clone(&second)).unwrap();
    world.run().unwrap();
    assert_eq!(world.heads().unsafe_head.hash, made[0].hash);
    let invalid: Vec<_> = world
        .events
        .iter()
        .filter_map(|event| match event {
            Event::InvalidUnsafe { block, .. } => Some(block.hash),
            _ => None,
        })
        .collect();
    assert_eq!(invalid, [lie.hash]);
}
