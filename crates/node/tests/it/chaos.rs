//! Whatever fails, the chain keeps its schedule.

use crate::{
    engines::Model,
    l1::{self, Batcher, Form},
    world::World,
};
use doppio_node::{
    DriverError, EngineAnswer, EngineCall, EngineError, EngineStatus, Event, Next, SequencerOptions,
};
use doppio_protocol::{config::Fork, l1::L1Block};
use proptest::prelude::*;

/// How often what happens, in percent of the calls or questions.
#[derive(Clone, Copy, Debug)]
struct Chaos {
    seed: u64,
    /// The engine does not answer, or says that it cannot now; it may have done what it was asked.
    temporary: u64,
    /// Attributes, payloads or jobs are refused.
    refused: u64,
    /// Something makes everything begin again, in a quarter of a percent of the engine's calls.
    resets: u64,
    /// L1 or the engine's data does not answer.
    silence: u64,
    /// A call takes up to so many milliseconds.
    slow: u64,
}

fn chaos() -> impl Strategy<Value = Chaos> {
    (
        any::<u64>(),
        0u64..15,
        0u64..6,
        0u64..3,
        0u64..15,
        1u64..300,
    )
        .prop_map(|(seed, temporary, refused, resets, silence, slow)| Chaos {
            seed: seed >> 1,
            temporary,
            refused,
            resets,
            silence,
            slow,
        })
}

/// An engine's refusal of a call.
fn refusal(call: &EngineCall, number: u64) -> EngineAnswer {
    let invalid = || EngineStatus::Invalid("no".to_owned());
    let error = |code| EngineAnswer::Error(EngineError::from_code(code, "no"));
    match call {
        EngineCall::ForkChoice {
            attributes: Some(_),
            ..
        } => error([-38003, -32602, -32000][usize::try_from(number % 3).unwrap()]),
        EngineCall::ForkChoice { .. } => error(-32000),
        EngineCall::GetPayload { .. } => error(-38001),
        EngineCall::NewPayload(_) => EngineAnswer::Status(invalid()),
    }
}

/// One thing that the driver asks for, in a world where much goes wrong.
fn suffer(world: &mut World<'_, Model>, chaos: &Chaos, next: Next) -> Result<(), DriverError> {
    let mut happens = |percent: u64| world.failures.number() * 100 / 256 < percent;
    let is_silent = happens(chaos.silence);
    let is_reset = happens(chaos.resets) && happens(25) && matches!(next, Next::Engine(_));
    let (is_temporary, is_refused) = (happens(chaos.temporary), happens(chaos.refused));
    let took = world.failures.number() * chaos.slow / 256;
    if is_reset {
        world.driver.reset("chaos");
        return Ok(());
    }
    let Next::Engine(call) = next else {
        if is_silent {
            world.now += took;
            return Ok(());
        }
        return world.answer_next(next);
    };
    world.now += took;
    if is_temporary {
        // done or not, answered or not
        if world.failures.number().is_multiple_of(2) {
            world.call(&call);
        }
        if world.failures.number().is_multiple_of(2) {
            let error = EngineError::Temporary("chaos".to_owned());
            world.driver.engine(EngineAnswer::Error(error))?;
        }
        return Ok(());
    }
    if is_refused {
        let number = world.failures.number();
        return world.driver.engine(refusal(&call, number));
    }
    world.answer_next(Next::Engine(call))
}

/// Lets time pass until a time, with chaos.
fn run_until(world: &mut World<'_, Model>, plan: &[L1Block], chaos: &Chaos, end: u64) {
    while world.now < end {
        while let Some(block) = plan.get(world.l1.len())
            && block.header.timestamp * 1_000 <= world.now
        {
            world.grow(block);
        }
        let next = world.driver.step(world.now).unwrap();
        world.events.extend(world.driver.events());
        match next {
            Next::Wait { until } => {
                world.now = until.unwrap_or(u64::MAX).min(world.now + 250);
            }
            next => suffer(world, chaos, next).unwrap(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    // opstack 11 K, Sequencer Chaos
    #[test]
    fn the_chain_keeps_its_schedule(chaos in chaos()) {
        let plan = l1::l1(std::iter::repeat_n(12, 24));
        let chain = l1::chain(Fork::Karst, |_| {});
        let mut world = World::model(&chain, &plan);
        world.start_sequencing(SequencerOptions::default());
        world.batcher = Some(Batcher::new(Form::Singular, 1));
        world.failures.state = chaos.seed;
        let end = plan[16].header.timestamp * 1_000;
        run_until(&mut world, &plan, &chaos, end);
        // in the midst of it the chain is not far behind
        if let Some(heads) = world.driver.heads() {
            let lag = (world.now / 1_000).saturating_sub(heads.unsafe_head.timestamp);
            prop_assert!(lag < 60, "{lag} seconds behind");
        }
        // and once it is over, at its time
        let end = world.now + 30_000;
        world.run_until(end, &plan).unwrap();
        let heads = world.heads();
        prop_assert!((heads.unsafe_head.timestamp + 2) * 1_000 > world.now, "{}", heads.unsafe_head);
        prop_assert_eq!(world.labels().head, heads.unsafe_head.hash);
        // every block of the chain was made once, and is what another node derives
        let verifier = World::verifier(&chain, &world.l1);
        let safe = verifier.heads().safe;
        prop_assert_eq!(safe, heads.safe);
        prop_assert!(safe.number > 80, "{safe}");
        let replaced = |event: &Event| matches!(event, Event::Replaced { .. });
        prop_assert_eq!(world.count(replaced), 0);
    }
}
