//! What follows from each answer of the engine: the tables of the specification, row by row.

use crate::{
    engines::Model,
    l1::{self, Batcher, Form},
    world::World,
};
use doppio_node::{
    EngineAnswer, EngineCall, EngineError, EngineStatus, Event, Next, SequencerOptions,
};
use doppio_protocol::{
    attributes::PayloadAttributes,
    config::{Fork, ForkTimes},
    l1::L1Block,
    l2::L2Block,
};
use std::sync::Arc;

/// Whose block it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Derived,
    Sequenced,
    Outside,
}

/// What is asked of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Begin,
    Get,
    Insert,
    Adopt,
    /// The heads are told.
    Heads,
}

/// What the driver does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// It finds the heads again.
    Reset,
    /// It makes the same call.
    Again,
    /// It begins the block again.
    Rebuild,
    /// The block cannot be.
    Invalid,
    /// It makes the block the head, whatever the engine lacks.
    Adopt,
}

fn stage_of(call: &EngineCall, head: alloy_primitives::B256) -> Stage {
    match call {
        EngineCall::ForkChoice {
            attributes: Some(_),
            ..
        } => Stage::Begin,
        EngineCall::ForkChoice { head: named, .. } if *named == head => Stage::Heads,
        EngineCall::ForkChoice { .. } => Stage::Adopt,
        EngineCall::GetPayload { .. } => Stage::Get,
        EngineCall::NewPayload(_) => Stage::Insert,
    }
}

fn plan() -> Vec<L1Block> {
    l1::l1(std::iter::repeat_n(12, 12))
}

/// A sequencer that has made and posted a few blocks.
fn sequencing() -> World<'static, Model> {
    let plan = plan();
    let mut world = World::model(&l1::chain(Fork::Karst, |_| {}), &plan);
    world.start_sequencing(SequencerOptions::default());
    world.batcher = Some(Batcher::new(Form::Singular, 0));
    let end = world.now + 41_000;
    world.run_until(end, &plan).unwrap();
    world
}

/// A node for which there is something to do with a block.
fn world(whose: Whose) -> World<'static, Model> {
    let made = sequencing();
    if whose == Whose::Sequenced {
        return made;
    }
    let mut world = World::model(&made.chain, &plan());
    world.tell_l1();
    world.run().unwrap();
    match whose {
        Whose::Derived => world.set_l1(made.l1.clone()),
        _ => {
            let block = Arc::new(made.l2(1).unwrap());
            world.driver.unsafe_block(block).unwrap();
        }
    }
    world
}

/// Lets the engine answer at a stage; says what the driver does then, and after how many milliseconds.
fn effect(whose: Whose, stage: Stage, answer: EngineAnswer) -> (Effect, u64) {
    let mut world = world(whose);
    let head = |world: &World<'_, Model>| world.heads().unsafe_head.hash;
    let mut asked = None;
    while asked.is_none() {
        let next = world.until(|next| matches!(next, Next::Engine(_)));
        let Next::Engine(call) = &next else { continue };
        if stage_of(call, head(&world)) == stage {
            asked = Some(call.clone());
        } else {
            world.answer_next(next).unwrap();
        }
    }
    let asked = asked.unwrap();
    let (begun, now) = (world.events.len(), world.now);
    world.driver.engine(answer).unwrap();
    loop {
        world.events.extend(world.driver.events());
        let new = &world.events[begun..];
        let is_invalid = |event: &Event| {
            matches!(
                event,
                Event::Refused { .. }
                    | Event::SequencedInvalid { .. }
                    | Event::InvalidUnsafe { .. }
            )
        };
        if new.iter().any(|event| matches!(event, Event::Reset(_))) {
            return (Effect::Reset, world.now - now);
        }
        if new.iter().any(is_invalid) {
            return (Effect::Invalid, world.now - now);
        }
        let next = world.until(|next| {
            matches!(
                next,
                Next::Engine(_) | Next::Lookup(_) | Next::Derivation(_)
            )
        });
        if let Next::Engine(call) = &next {
            let effect = match stage_of(call, head(&world)) {
                _ if *call == asked => Some(Effect::Again),
                Stage::Begin => Some(Effect::Rebuild),
                Stage::Adopt => Some(Effect::Adopt),
                _ => None,
            };
            if let Some(effect) = effect {
                return (effect, world.now - now);
            }
        }
        world.answer_next(next).unwrap();
    }
}

fn forks(status: EngineStatus) -> EngineAnswer {
    EngineAnswer::ForkChoice {
        status,
        payload: None,
    }
}

fn invalid() -> EngineStatus {
    EngineStatus::Invalid("no".to_owned())
}

fn error(code: i64) -> EngineAnswer {
    EngineAnswer::Error(EngineError::from_code(code, "an error"))
}

const INVALID_FORK_CHOICE: i64 = -38002;
const INVALID_ATTRIBUTES: i64 = -38003;
const UNKNOWN_PAYLOAD: i64 = -38001;
/// Unsupported fork, as the others between -38099 and -38000.
const OTHER_ENGINE_ERROR: i64 = -38005;
const INVALID_PARAMS: i64 = -32602;
const INTERNAL_ERROR: i64 = -32603;
const SERVER_ERROR: i64 = -32000;
const ERRORS: [i64; 7] = [
    INVALID_FORK_CHOICE,
    INVALID_ATTRIBUTES,
    UNKNOWN_PAYLOAD,
    OTHER_ENGINE_ERROR,
    INVALID_PARAMS,
    INTERNAL_ERROR,
    SERVER_ERROR,
];

#[track_caller]
fn assert_effect(whose: Whose, stage: Stage, answer: EngineAnswer, expected: (Effect, u64)) {
    let found = effect(whose, stage, answer.clone());
    assert_eq!(found, expected, "{whose:?} {stage:?} {answer:?}");
}

// opstack 4.1, opstack-2026-09 4.1 *3
#[test]
fn a_block_that_is_begun() {
    for whose in [Whose::Derived, Whose::Sequenced] {
        // the sequencer pauses, and lets derivation go on
        let (second, half_a_minute) = match whose {
            Whose::Sequenced => (1_000, 30_000),
            _ => (0, 0),
        };
        for code in ERRORS {
            let expected = match code {
                INVALID_FORK_CHOICE | OTHER_ENGINE_ERROR => (Effect::Reset, 0),
                INVALID_ATTRIBUTES => (Effect::Invalid, 0),
                _ => (Effect::Again, second),
            };
            assert_effect(whose, Stage::Begin, error(code), expected);
        }
        // and what was derived is begun anew after a second
        let half_a_minute = half_a_minute.max(1_000);
        for (status, expected) in [
            (EngineStatus::Valid, (Effect::Again, 1_000)),
            (EngineStatus::Syncing, (Effect::Again, half_a_minute)),
            (EngineStatus::Accepted, (Effect::Again, half_a_minute)),
            (invalid(), (Effect::Invalid, 0)),
        ] {
            assert_effect(whose, Stage::Begin, forks(status), expected);
        }
    }
}

// opstack-2026-09 4.3: any error counts as an expired job
#[test]
fn a_block_that_is_fetched() {
    for code in ERRORS {
        let answer = error(code);
        assert_effect(
            Whose::Derived,
            Stage::Get,
            answer.clone(),
            (Effect::Rebuild, 0),
        );
        // after one block time
        assert_effect(
            Whose::Sequenced,
            Stage::Get,
            answer,
            (Effect::Rebuild, 2_000),
        );
    }
}

// opstack 4.1, opstack-2026-09 4.1 *4
#[test]
fn a_block_that_is_brought_in() {
    for whose in [Whose::Derived, Whose::Sequenced, Whose::Outside] {
        let second = if whose == Whose::Sequenced { 1_000 } else { 0 };
        for code in ERRORS {
            assert_effect(whose, Stage::Insert, error(code), (Effect::Again, second));
        }
        let status = EngineAnswer::Status;
        let expected = (Effect::Invalid, 0);
        assert_effect(whose, Stage::Insert, status(invalid()), expected);
        let accepted = status(EngineStatus::Accepted);
        let expected = match whose {
            Whose::Derived => (Effect::Rebuild, 1_000),
            _ => (Effect::Again, 1_000),
        };
        assert_effect(whose, Stage::Insert, accepted, expected);
        let expected = match whose {
            // begun anew once the engine says that it has the head
            Whose::Derived => (Effect::Rebuild, 1_000),
            Whose::Sequenced => (Effect::Again, 30_000),
            // the engine may get what it lacks
            Whose::Outside => (Effect::Adopt, 0),
        };
        let syncing = status(EngineStatus::Syncing);
        assert_effect(whose, Stage::Insert, syncing, expected);
    }
}

// opstack 4.1, opstack-2026-09 4.1 *3
#[test]
fn a_block_that_becomes_the_head() {
    for whose in [Whose::Sequenced, Whose::Outside] {
        let second = if whose == Whose::Sequenced { 1_000 } else { 0 };
        for code in ERRORS {
            let expected = match code {
                INVALID_FORK_CHOICE => (Effect::Reset, 0),
                _ => (Effect::Again, second),
            };
            assert_effect(whose, Stage::Adopt, error(code), expected);
        }
        assert_effect(whose, Stage::Adopt, forks(invalid()), (Effect::Invalid, 0));
        let expected = match whose {
            Whose::Sequenced => (Effect::Again, 30_000),
            // it is brought in again a second later
            _ => (Effect::Adopt, 1_000),
        };
        let syncing = forks(EngineStatus::Syncing);
        let (_, after) = effect(whose, Stage::Adopt, syncing);
        assert_eq!(after, expected.1);
    }
}

// opstack-2026-09 4.1 *3
#[test]
fn heads_that_are_told() {
    for code in ERRORS {
        let expected = match code {
            INVALID_FORK_CHOICE => Effect::Reset,
            _ => Effect::Again,
        };
        assert_effect(Whose::Derived, Stage::Heads, error(code), (expected, 0));
    }
    for status in [EngineStatus::Syncing, EngineStatus::Accepted, invalid()] {
        assert_effect(
            Whose::Derived,
            Stage::Heads,
            forks(status),
            (Effect::Reset, 0),
        );
    }
}

/// What the engine built is looked at before anyone gets it.
// opstack 4.1
#[test]
fn a_block_of_our_own_that_is_not_what_was_asked_for_is_not_taken() {
    type Edit = fn(&mut L2Block);
    let edits: [(&str, Edit); 7] = [
        ("empty", |block| block.transactions.clear()),
        ("without its first transaction", |block| {
            block.transactions.remove(0);
        }),
        ("a deposit behind users' transactions", |block| {
            let deposit = block.transactions[0].clone();
            block.transactions.push(deposit);
        }),
        ("another time", |block| block.header.timestamp += 1),
        ("another parent", |block| block.header.parent_hash.0[0] ^= 1),
        ("another gas limit", |block| block.header.gas_limit += 1),
        ("another fee recipient", |block| {
            block.header.beneficiary.0[0] ^= 1
        }),
    ];
    for (name, edit) in edits {
        let mut world = world(Whose::Sequenced);
        let head = world.heads().unsafe_head;
        let next = world.until(|next| matches!(next, Next::Engine(EngineCall::GetPayload { .. })));
        let Next::Engine(call) = next else {
            panic!("a call");
        };
        let EngineAnswer::Payload(block) = world.call(&call) else {
            panic!("a block");
        };
        let mut block = (*block).clone();
        edit(&mut block);
        let now = world.now;
        world
            .driver
            .engine(EngineAnswer::Payload(Arc::new(block)))
            .unwrap();
        world.events.extend(world.driver.events());
        let refused = |event: &Event| matches!(event, Event::SequencedInvalid { .. });
        assert_eq!(world.count(refused), 1, "{name}");
        // another one is begun after a block time
        world.until(|next| matches!(next, Next::Sequence(_)));
        assert_eq!(world.now, now + 2_000, "{name}");
        let end = world.now + 5_000;
        world.run_until(end, &plan()).unwrap();
        assert!(world.heads().unsafe_head.number > head.number, "{name}");
    }
}

/// Which version of a call a block's time asks for.
// opstack 4.1 |1 |2 |3; opstack 11 K
#[test]
fn the_version_of_a_call_is_the_one_of_the_blocks_fork() {
    use doppio_node::engine_request;
    let rows = [
        // fork, forkchoiceUpdated with attributes, getPayload, newPayload
        (Fork::Regolith, "V1", "V2", "V2"),
        (Fork::Canyon, "V2", "V2", "V2"),
        (Fork::Delta, "V2", "V2", "V2"),
        (Fork::Ecotone, "V3", "V3", "V3"),
        (Fork::Fjord, "V3", "V3", "V3"),
        (Fork::Granite, "V3", "V3", "V3"),
        (Fork::Holocene, "V3", "V3", "V3"),
        (Fork::Isthmus, "V3", "V4", "V4"),
        (Fork::Jovian, "V3", "V4", "V4"),
        (Fork::Karst, "V3", "V5", "V4"),
    ];
    // each fork an hour after the one before it
    let start = l1::GENESIS_TIME;
    let chain = l1::chain(Fork::Regolith, |rollup| {
        let mut at = start;
        for (fork, ..) in &rows[1..] {
            at += 3_600;
            set_fork(&mut rollup.forks, *fork, at);
        }
    });
    for (index, (fork, begin, get, insert)) in rows.into_iter().enumerate() {
        let activation = start + 3_600 * index as u64;
        // its first second, and its last
        for timestamp in [activation, activation + 3_599] {
            let attributes = PayloadAttributes {
                timestamp,
                ..PayloadAttributes::default()
            };
            let mut block = L2Block::default();
            block.header.timestamp = timestamp;
            let zero = alloy_primitives::B256::ZERO;
            let fork_choice = |attributes| EngineCall::ForkChoice {
                head: zero,
                safe: zero,
                finalized: zero,
                attributes,
            };
            let method = |call: EngineCall| engine_request(&chain, &call).0;
            assert_eq!(
                method(fork_choice(Some(Arc::new(attributes)))),
                format!("engine_forkchoiceUpdated{begin}"),
                "{fork:?}"
            );
            assert_eq!(method(fork_choice(None)), "engine_forkchoiceUpdatedV3");
            let id = [0; 8];
            assert_eq!(
                method(EngineCall::GetPayload { id, timestamp }),
                format!("engine_getPayload{get}"),
                "{fork:?}"
            );
            assert_eq!(
                method(EngineCall::NewPayload(Arc::new(block))),
                format!("engine_newPayload{insert}"),
                "{fork:?}"
            );
        }
    }
}

fn set_fork(forks: &mut ForkTimes, fork: Fork, time: u64) {
    let slot = match fork {
        Fork::Canyon => &mut forks.canyon,
        Fork::Delta => &mut forks.delta,
        Fork::Ecotone => &mut forks.ecotone,
        Fork::Fjord => &mut forks.fjord,
        Fork::Granite => &mut forks.granite,
        Fork::Holocene => &mut forks.holocene,
        Fork::Isthmus => &mut forks.isthmus,
        Fork::Jovian => &mut forks.jovian,
        Fork::Karst => &mut forks.karst,
        other => panic!("{other:?}"),
    };
    *slot = Some(time);
}
