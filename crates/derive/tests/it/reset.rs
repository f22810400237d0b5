//! A reset equals a fresh pipeline, and every run of one L1 is the same (opstack 3.14).

use crate::{plans::*, support::*};
use doppio_derive::{Pipeline, ResetPoint, Response, Step};
use proptest::prelude::*;
use std::sync::Arc;

/// Everything that a run shows.
#[derive(Debug, PartialEq)]
struct Trace {
    derived: Vec<Arc<doppio_derive::DerivedAttributes>>,
    drops: Vec<doppio_derive::Drop>,
    verdicts: Vec<doppio_derive::InboxVerdict>,
    requests: Vec<doppio_derive::Request>,
    safe_head: doppio_protocol::L2BlockRef,
    config: doppio_protocol::system_config::SystemConfig,
    counts: std::collections::BTreeMap<&'static str, u64>,
}

fn trace(mut node: Node) -> Trace {
    node.run_to_end();
    Trace {
        derived: std::mem::take(&mut node.derived),
        drops: std::mem::take(&mut node.drops),
        verdicts: std::mem::take(&mut node.verdicts),
        requests: std::mem::take(&mut node.requests),
        safe_head: *node.pipeline.safe_head(),
        config: *node.pipeline.system_config(),
        counts: node.pipeline.drops().counts().clone(),
    }
}

/// Takes `steps` steps, whatever they are.
fn wander(node: &mut Node, steps: usize) {
    for _ in 0..steps {
        match node.pipeline.step().unwrap() {
            Step::Need(request) => {
                let answer = node.answer(&request).unwrap();
                node.pipeline.supply(answer).unwrap();
            }
            Step::Attributes(derived) => {
                let outcome = node.engine.execute(&derived);
                node.pipeline.executed(outcome).unwrap();
            }
            Step::Exhausted(origin) => {
                let Some(next) = node.l1.by_number(origin.number + 1) else {
                    return;
                };
                let next = Response::NextL1Block(next.clone());
                node.pipeline.supply(next).unwrap();
            }
        }
    }
}

/// A place to start from in the middle: as if everything up to `l1` had been derived.
fn point_in_the_middle(planned: &Planned, l1: usize) -> (ResetPoint, Engine) {
    let mut node = planned.node();
    let blocks = node.l1.blocks.len();
    node.l1.blocks.truncate(l1.clamp(1, blocks));
    node.run_to_end();
    let chain = &planned.l1.chain;
    let safe_head = *node.pipeline.safe_head();
    let config = |number: u64| node.engine.blocks[&number].system_config(chain).unwrap();
    // as FindResetPoint does it
    let mut start = safe_head;
    let genesis = chain.rollup.genesis;
    loop {
        let time = node.l1.by_number(start.l1_origin.number).unwrap();
        let timeout = chain.channel_timeout(time.header.timestamp);
        if start.number == genesis.l2.number
            || start.l1_origin == genesis.l1
            || start.l1_origin.number + timeout <= safe_head.l1_origin.number
        {
            break;
        }
        start = node.engine.at(start.number - 1);
    }
    let point = ResetPoint {
        safe_head,
        safe_config: config(safe_head.number),
        l1_start: start.l1_origin,
        l1_start_config: config(start.number),
    };
    (point, node.engine)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 5))]

    #[test]
    fn the_same_l1_gives_the_same_chain_drops_and_requests(chain in chains(), plan in plan()) {
        let planned = carry_out(&chain, &plan);
        prop_assert_eq!(trace(planned.node()), trace(planned.node()));
    }

    #[test]
    fn a_reset_equals_a_fresh_pipeline(
        chain in chains(),
        plan in plan(),
        steps in 0usize..120,
        middle in 1usize..30,
    ) {
        let planned = carry_out(&chain, &plan);
        let (point, engine) = point_in_the_middle(&planned, middle);
        let started = |pipeline| Node {
            pipeline,
            engine: engine.clone(),
            ..planned.node()
        };
        let mut used = planned.node();
        wander(&mut used, steps);
        used.pipeline.reset(point);
        let fresh = Pipeline::new(Arc::clone(&chain), point);
        prop_assert_eq!(trace(started(used.pipeline)), trace(started(fresh)));
    }

    /// Starting again in the middle leads to the same chain: nothing that matters is older than
    /// the reset point.
    #[test]
    fn a_restart_continues_the_same_chain(
        chain in chains(),
        plan in plan(),
        middle in 1usize..30,
    ) {
        let planned = carry_out(&chain, &plan);
        let (point, engine) = point_in_the_middle(&planned, middle);
        let mut restarted = Node {
            pipeline: Pipeline::new(Arc::clone(&chain), point),
            engine,
            ..planned.node()
        };
        restarted.run_to_end();
        let mut whole = planned.node();
        whole.run_to_end();
        prop_assert_eq!(restarted.pipeline.safe_head(), whole.pipeline.safe_head());
    }
}
