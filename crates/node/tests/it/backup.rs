//! Spans that turn out to be invalid in their midst, before Holocene: what they had replaced is the
//! head again.

use crate::{
    engines::{Model, TestEngine, invalid_transaction, user_transaction},
    l1::{self, Form},
    world::World,
};
use alloy_primitives::B256;
use doppio_node::{
    EngineAnswer, EngineCall, EngineError, EngineStatus, Event, Next, SequencerOptions,
};
use doppio_protocol::{
    config::{ChainConfig, Fork},
    l1::L1Block,
    l2::L2Block,
};
use std::sync::Arc;

fn plan() -> Vec<L1Block> {
    l1::l1(std::iter::repeat_n(12, 6))
}

/// The sequencer's first blocks: A1, A2, ...
fn made(chain: &Arc<ChainConfig>, count: u64) -> Vec<L2Block> {
    let plan = plan();
    let mut world = World::model(chain, &plan);
    world.start_sequencing(SequencerOptions::default());
    let end = world.now + 2_000 * count;
    world.run_until(end, &plan).unwrap();
    (1..=count)
        .map(|number| world.l2(number).unwrap())
        .collect()
}

/// The same block with another transaction of a user in place of its own.
fn with(block: &L2Block, transaction: alloy_primitives::Bytes) -> L2Block {
    let mut block = block.clone();
    block.transactions.truncate(1);
    block.transactions.push(transaction);
    block
}

/// A span with another second block and an invalid third: A1, B2, and B3 to B5.
fn bad_span(made: &[L2Block]) -> Vec<L2Block> {
    let mut span = made.to_vec();
    span[1] = with(&span[1], user_transaction(1_000));
    span[2] = with(&span[2], invalid_transaction());
    span
}

/// L1 with spans in its newest blocks.
fn l1_with(chain: &ChainConfig, empty: usize, spans: &[&[L2Block]]) -> Vec<L1Block> {
    let mut l1 = plan()[..=empty + spans.len()].to_vec();
    for ((number, span), block) in (1..).zip(spans).zip(&mut l1[empty + 1..]) {
        let strings = l1::strings(chain, Form::Span, span);
        l1::post(chain, block, l1::item(number, &strings));
    }
    l1
}

/// A follower that has the sequencer's five blocks.
fn follower(fork: Fork) -> (World<'static, Model>, Vec<L2Block>) {
    let chain = l1::chain(fork, |_| {});
    let made = made(&chain, 5);
    let mut world = World::model(&chain, &plan());
    world.tell_l1();
    world.run().unwrap();
    for block in &made {
        let block = Arc::new(block.clone());
        world.driver.unsafe_block(block).unwrap();
    }
    world.run().unwrap();
    assert_eq!(world.heads().unsafe_head.number, 5);
    (world, made)
}

/// What happened, in short.
fn story(world: &World<'_, Model>) -> Vec<String> {
    let story = world.events.iter().filter_map(|event| match event {
        Event::Consolidated(block) => Some(format!("consolidated {}", block.number)),
        Event::Replaced { block, .. } => Some(format!("replaced {}", block.number)),
        Event::Derived(block) => Some(format!("derived {}", block.number)),
        Event::Refused { parent, .. } => Some(format!("refused {}", parent.number + 1)),
        Event::Restored(block) => Some(format!("restored {}", block.number)),
        Event::Safe { head, .. } => Some(format!("safe {}", head.number)),
        Event::Reset(_) => Some("reset".to_owned()),
        _ => None,
    });
    story.collect()
}

const BEFORE_THE_END: [&str; 4] = ["consolidated 1", "replaced 2", "derived 2", "refused 3"];

#[track_caller]
fn assert_restored(world: &mut World<'_, Model>, made: &[L2Block]) {
    let mut expected = BEFORE_THE_END.to_vec();
    expected.push("restored 5");
    assert_eq!(story(world), expected);
    let heads = world.heads();
    assert_eq!(heads.unsafe_head.hash, made[4].hash);
    assert_eq!((heads.pending_safe.number, heads.safe.number), (0, 0));
    assert_eq!(world.labels().head, made[4].hash);
    // what the sequencer made becomes safe as soon as it is posted
    let chain = Arc::clone(&world.chain);
    world.set_l1(l1_with(&chain, 0, &[&bad_span(made), made]));
    world.events.clear();
    world.run().unwrap();
    assert_eq!(world.heads().safe.hash, made[4].hash);
    assert_eq!(world.heads().unsafe_head.hash, made[4].hash);
    let replaced = |event: &Event| matches!(event, Event::Replaced { .. });
    assert_eq!(world.count(replaced), 0);
}

// opstack 11 L, BackupUnsafe
#[test]
fn backup_unsafe() {
    let (mut world, made) = follower(Fork::Granite);
    let chain = Arc::clone(&world.chain);
    world.events.clear();
    world.set_l1(l1_with(&chain, 0, &[&bad_span(&made)]));
    world.run().unwrap();
    assert_restored(&mut world, &made);
}

/// The block is refused only when it is brought in.
#[test]
fn backup_unsafe_with_a_block_that_is_invalid_once_it_is_built() {
    let (mut world, made) = follower(Fork::Granite);
    let chain = Arc::clone(&world.chain);
    world.events.clear();
    world.intercept = Some(Box::new(|_, call| match call {
        EngineCall::NewPayload(block) if block.header.number == 3 => {
            let invalid = EngineStatus::Invalid("no".to_owned());
            Some(EngineAnswer::Status(invalid))
        }
        _ => None,
    }));
    let mut span = bad_span(&made);
    span[2] = with(&span[2], user_transaction(1_001));
    world.set_l1(l1_with(&chain, 0, &[&span]));
    world.run().unwrap();
    world.intercept = None;
    assert_restored(&mut world, &made);
}

/// The fork choice that goes back to a block, up to the given one.
fn is_restore(call: &EngineCall, to: B256) -> bool {
    matches!(
        call,
        EngineCall::ForkChoice {
            head,
            attributes: None,
            ..
        } if *head == to
    )
}

/// Lets the engine answer the fork choices that would restore.
fn answers(
    world: &mut World<'_, Model>,
    to: B256,
    answers: impl IntoIterator<Item = EngineAnswer>,
) {
    let mut answers: Vec<_> = answers.into_iter().collect();
    answers.reverse();
    let is_mine = move |call: &EngineCall| is_restore(call, to);
    world.intercept = Some(Box::new(move |_, call| {
        is_mine(call).then(|| answers.pop()).flatten()
    }));
}

// opstack 11 L, BackupUnsafeReorgForkChoiceInputError
#[test]
fn backup_unsafe_reorg_fork_choice_input_error() {
    let (mut world, made) = follower(Fork::Granite);
    let chain = Arc::clone(&world.chain);
    world.events.clear();
    let error = EngineError::InvalidForkChoice("no".to_owned());
    answers(&mut world, made[4].hash, [EngineAnswer::Error(error)]);
    world.set_l1(l1_with(&chain, 0, &[&bad_span(&made)]));
    world.run().unwrap();
    let story = story(&world);
    assert_eq!(story[..4], BEFORE_THE_END);
    assert_eq!(story[4], "reset");
    // it is not tried again
    assert_eq!(world.count(|event| matches!(event, Event::Restored(_))), 0);
    let heads = world.heads();
    assert_eq!(heads.unsafe_head.number, 2);
    assert_ne!(heads.unsafe_head.hash, made[1].hash);
    assert_eq!(heads.safe.number, 0);
}

// opstack 11 L, BackupUnsafeReorgForkChoiceNotInputError
#[test]
fn backup_unsafe_reorg_fork_choice_not_input_error() {
    for code in [-32000, -32603, -38005] {
        let (mut world, made) = follower(Fork::Granite);
        let chain = Arc::clone(&world.chain);
        world.events.clear();
        let error = || EngineAnswer::Error(EngineError::from_code(code, "busy"));
        answers(&mut world, made[4].hash, [error(), error()]);
        world.set_l1(l1_with(&chain, 0, &[&bad_span(&made)]));
        world.run().unwrap();
        world.intercept = None;
        assert_restored(&mut world, &made);
    }
}

/// An engine that does not have the old chain any more: it is tried once, and the new one goes on.
#[test]
fn what_the_engine_does_not_have_is_not_restored() {
    for status in [
        EngineStatus::Syncing,
        EngineStatus::Invalid("no".to_owned()),
    ] {
        let (mut world, made) = follower(Fork::Granite);
        let chain = Arc::clone(&world.chain);
        world.events.clear();
        let answer = EngineAnswer::ForkChoice {
            status,
            payload: None,
        };
        answers(&mut world, made[4].hash, [answer]);
        world.set_l1(l1_with(&chain, 0, &[&bad_span(&made)]));
        world.run().unwrap();
        assert_eq!(story(&world), BEFORE_THE_END);
        assert_eq!(world.heads().unsafe_head.number, 2);
        assert_eq!(world.labels().head, world.heads().unsafe_head.hash);
    }
}

/// From Holocene on what is derived stays: a block without users' transactions takes the place of the
/// invalid one.
#[test]
fn from_holocene_on_nothing_is_restored() {
    let (mut world, made) = follower(Fork::Karst);
    let chain = Arc::clone(&world.chain);
    world.events.clear();
    world.set_l1(l1_with(&chain, 0, &[&bad_span(&made)]));
    world.run().unwrap();
    let expected = [
        "consolidated 1",
        "safe 1",
        "replaced 2",
        "derived 2",
        "safe 2",
        "refused 3",
        "derived 3",
        "safe 3",
    ];
    assert_eq!(story(&world), expected);
    assert_eq!(world.heads().unsafe_head.number, 3);
    assert_eq!(world.l2(3).unwrap().transactions.len(), 1);
}

// opstack 11 L, InvalidPayloadInSpanBatch
#[test]
fn invalid_payload_in_span_batch() {
    let chain = l1::chain(Fork::Granite, |_| {});
    let made = made(&chain, 12);
    let mut first = made.clone();
    first[7] = with(&first[7], invalid_transaction());
    let mut second = made;
    second[0] = with(&second[0], user_transaction(1_000));
    let mut world = World::model(&chain, &plan());
    world.set_l1(l1_with(&chain, 2, &[&first]));
    world.run().unwrap();
    let heads = world.heads();
    assert_eq!((heads.unsafe_head.number, heads.safe.number), (7, 0));
    assert_eq!(heads.pending_safe.number, 0);
    // a block in the place of what is there: the span is taken as a whole
    world.set_l1(l1_with(&chain, 2, &[&first, &second]));
    world.run().unwrap();
    let heads = world.heads();
    assert_eq!((heads.unsafe_head.number, heads.safe.number), (12, 12));
    assert_eq!(
        world.l2(1).unwrap().transactions[1],
        user_transaction(1_000)
    );
    assert_eq!(world.count(|event| matches!(event, Event::Reset(_))), 0);
}

/// Before Holocene the safe head moves with the end of a span, whether its blocks were there or not.
// opstack 11 L, SpanBatchAtomicity_Consolidation, SpanBatchAtomicity_ForceAdvance
#[test]
fn span_batch_atomicity() {
    for is_there in [true, false] {
        let chain = l1::chain(Fork::Granite, |_| {});
        let made = made(&chain, 6);
        let mut world = World::model(&chain, &plan());
        world.tell_l1();
        world.run().unwrap();
        if is_there {
            for block in &made {
                let block = Arc::new(block.clone());
                world.driver.unsafe_block(block).unwrap();
            }
            world.run().unwrap();
        }
        world.set_l1(l1_with(&chain, 1, &[&made]));
        for pending in 1..=6 {
            loop {
                let next = world.until(|next| !matches!(next, Next::Wait { .. }));
                world.answer_next(next).unwrap();
                if world.heads().pending_safe.number == pending {
                    break;
                }
            }
            let heads = world.heads();
            let safe = if pending == 6 { 6 } else { 0 };
            assert_eq!(heads.safe.number, safe);
            let unsafe_head = if is_there { 6 } else { pending };
            assert_eq!(heads.unsafe_head.number, unsafe_head);
        }
        world.run().unwrap();
        assert_eq!(world.labels().safe, made[5].hash);
        assert_eq!(world.engine.labels().head, made[5].hash);
    }
}
