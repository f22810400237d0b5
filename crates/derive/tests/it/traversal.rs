//! From L1 block to L1 block (opstack 11 J; opstack 3.1, 3.2, 3.14).

use crate::support::*;
use alloy_primitives::{B256, Bytes};
use doppio_derive::{
    CriticalReason, DropReason, Outcome, Pipeline, PipelineError, Request, ResetReason, Response,
    Step, SupplyError,
};
use doppio_protocol::{config::Fork, l1::L1Block, system_config::CONFIG_UPDATE};

fn node(fork: Fork, blocks: usize) -> Node {
    let mut l1 = L1::new(&chain(rollup(fork)));
    l1.add_empty(blocks);
    Node::new(&l1)
}

fn next(block: &L1Block) -> Response {
    Response::NextL1Block(block.clone())
}

// TraversalAdvance: simple extension; not found; temporary
#[test]
fn the_next_block_extends_and_until_it_comes_nothing_changes() {
    let mut node = node(Fork::Jovian, 0);
    node.run_to_end();
    let at = node.l1.at(0);
    for _ in 0..3 {
        assert!(matches!(node.pipeline.step(), Ok(Step::Exhausted(origin)) if origin == at));
    }
    let block = node.l1.add([]);
    node.run_to_end();
    assert_eq!(node.pipeline.origin(), Some(&block));
}

// TraversalAdvance: reorg
#[test]
fn a_block_that_does_not_extend_is_a_reset_until_the_reset() {
    let mut node = node(Fork::Jovian, 3);
    node.run_to_end();
    let mut other = node.l1.reorganised(2);
    other.add_empty(2);
    node.pipeline.supply(next(&other.blocks[4])).unwrap();
    let expected = PipelineError::Reset(ResetReason::L1Reorg {
        current: node.l1.at(3).id(),
        next: other.at(4).id(),
    });
    for _ in 0..2 {
        assert_eq!(node.pipeline.step().unwrap_err(), expected);
    }
    // nothing is taken any more
    assert!(node.pipeline.supply(next(&node.l1.blocks[3])).is_err());
    node.pipeline.reset(genesis_point(&node.l1.chain));
    node.l1 = other;
    node.run_to_end();
    assert_eq!(node.pipeline.origin(), Some(&node.l1.at(4)));
}

#[test]
fn only_the_block_that_is_asked_for_is_taken() {
    let mut node = node(Fork::Jovian, 3);
    let genesis = node.l1.blocks[0].clone();
    // before anything was read
    assert!(matches!(
        node.pipeline.step(),
        Ok(Step::Need(Request::L1Block(hash))) if hash == genesis.header.hash
    ));
    assert_eq!(
        node.pipeline.supply(next(&node.l1.blocks[1])),
        Err(SupplyError::NotAsked("the next L1 block"))
    );
    assert!(matches!(
        node.pipeline
            .supply(Response::L1Block(node.l1.blocks[1].clone())),
        Err(SupplyError::OtherL1Block { .. })
    ));
    node.pipeline
        .supply(Response::L1Block(genesis.clone()))
        .unwrap();
    // while the block is being read
    assert_eq!(
        node.pipeline.supply(next(&node.l1.blocks[1])),
        Err(SupplyError::NotAsked("the next L1 block"))
    );
    assert!(matches!(node.pipeline.step(), Ok(Step::Exhausted(_))));
    // one that skips a height
    assert!(matches!(
        node.pipeline.supply(next(&node.l1.blocks[2])),
        Err(SupplyError::OtherL1Block { .. })
    ));
    assert_eq!(
        node.pipeline.supply(Response::L1Block(genesis)),
        Err(SupplyError::NotAsked("the L1 block"))
    );
    let outcome = Outcome::Accepted {
        hash: B256::ZERO,
        extra_data: Bytes::new(),
    };
    assert_eq!(
        node.pipeline.executed(outcome),
        Err(SupplyError::NotAsked("an outcome"))
    );
    assert!(matches!(node.pipeline.step(), Ok(Step::Exhausted(_))));
    node.run_to_end();
}

// kona traversal: system_config_update_fails, updated
#[test]
fn malformed_configuration_updates_are_reported_and_the_others_count() {
    let update = |kind: u64, payload: [u8; 32]| {
        let mut data = vec![0; 64];
        (data[31], data[63]) = (32, 32);
        data.extend_from_slice(&payload);
        let kind = B256::from(alloy_primitives::U256::from(kind));
        log(SYSTEM_CONFIG, vec![CONFIG_UPDATE, B256::ZERO, kind], data)
    };
    let gas = B256::with_last_byte(200);
    let mut l1 = L1::new(&chain(rollup(Fork::Jovian)));
    l1.add([L1Tx::with_logs(vec![
        update(2, [0xff; 32]),
        update(2, gas.0),
        update(9, [0; 32]),
    ])]);
    let mut node = Node::new(&l1);
    node.run_to_end();
    let refused: Vec<_> = node
        .pipeline
        .refused_updates()
        .iter()
        .map(|refused| refused.log_index)
        .collect();
    assert_eq!(refused, [0, 2]);
    // the update reaches L2 with the first block of its epoch
    node.l1.add_empty(25);
    node.run_to_end();
    let limits: Vec<_> = node
        .derived
        .iter()
        .map(|derived| (derived.l1_origin.number, derived.attributes.gas_limit))
        .collect();
    assert!(limits.contains(&(100, 30_000_000)) && limits.contains(&(101, 200)));
    assert!(
        limits
            .iter()
            .all(|(origin, limit)| *limit == if *origin < 101 { 30_000_000 } else { 200 })
    );
    assert_eq!(node.pipeline.system_config().gas_limit, 200);
}

#[test]
fn an_answer_can_be_late_at_any_point_without_changing_the_outcome() {
    // every request is left unanswered a few times
    let chain = chain(rollup(Fork::Jovian));
    let mut l1 = L1::new(&chain);
    let mut sequencer = Sequencer::new(&l1);
    let batches: Vec<_> = (0..5).map(|n| sequencer.block([l2_tx(n)])).collect();
    let (first, second) = batches.split_at(2);
    let blobs = [
        blob(&singular_item(1, first)),
        // overlaps what is safe by then
        blob(&item(2, &[span(&chain, 100, &batches)])),
    ];
    l1.add([L1Tx::blobs(BATCHER, INBOX, &blobs)]);
    let mut prompt = Node::new(&l1);
    prompt.blobs = blobs.clone().into();
    prompt.run_to_end();
    assert_eq!(prompt.safe_number(), 5, "{:?}", second);
    assert!(
        prompt
            .requests
            .iter()
            .any(|request| matches!(request, Request::L2Block(_)))
    );

    let mut late = Node::new(&l1);
    late.blobs = blobs.into();
    loop {
        match late.pipeline.step().unwrap() {
            Step::Need(request) => {
                for _ in 0..3 {
                    let again = late.pipeline.step().unwrap();
                    assert!(matches!(again, Step::Need(again) if again == request));
                }
                let answer = late.answer(&request).unwrap();
                late.pipeline.supply(answer).unwrap();
            }
            Step::Attributes(derived) => {
                let again = late.pipeline.step().unwrap();
                assert!(matches!(again, Step::Attributes(again) if again == derived));
                let outcome = late.engine.execute(&derived);
                late.pipeline.executed(outcome).unwrap();
                late.derived.push(derived);
            }
            Step::Exhausted(origin) => {
                let Some(block) = late.l1.by_number(origin.number + 1).cloned() else {
                    break;
                };
                late.pipeline.supply(next(&block)).unwrap();
            }
        }
    }
    assert_eq!(late.derived, prompt.derived);
    assert_eq!(late.pipeline.safe_head(), prompt.pipeline.safe_head());
}

#[test]
fn what_a_stage_holds_is_lost_when_holocene_comes() {
    let mut rollup = rollup(Fork::Granite);
    rollup.forks.holocene = Some(GENESIS_TIME + 3 * L1_BLOCK_TIME);
    let chain = chain(rollup);
    let mut l1 = L1::new(&chain);
    let mut sequencer = Sequencer::new(&l1);
    let first = sequencer.block([l2_tx(1)]);
    let second = sequencer.block([l2_tx(2)]);
    let whole = channel(&[first.encode()]);
    let [opening, closing] = frames(1, &whole, 2).try_into().unwrap();
    let one = |frame| doppio_protocol::frame::encode_frames([frame]);
    l1.add([
        // a batch that waits for the one before it, and half a channel
        L1Tx::inbox(singular_item(2, std::slice::from_ref(&second))),
        L1Tx::inbox(one(&opening)),
    ]);
    l1.add([]);
    // Holocene is active from here on
    l1.add([L1Tx::inbox(one(&closing))]);
    l1.add([L1Tx::inbox(singular_item(3, &[first, second]))]);
    let mut node = Node::new(&l1);
    node.run_to_end();
    assert_eq!(
        node.reason_names(),
        [
            "holocene_transition",
            "holocene_transition",
            "frame_without_channel"
        ]
    );
    assert_eq!(node.pipeline.safe_head(), &sequencer.head);
}

// kona: transition_stage_backwards
#[test]
fn a_reset_to_before_holocene_brings_the_older_stages_back() {
    let mut rollup = rollup(Fork::Granite);
    rollup.forks.holocene = Some(GENESIS_TIME + 3 * L1_BLOCK_TIME);
    let mut l1 = L1::new(&chain(rollup));
    let mut sequencer = Sequencer::new(&l1);
    let first = sequencer.block([l2_tx(1)]);
    let second = sequencer.block([l2_tx(2)]);
    // out of order, which Holocene would not take
    l1.add([
        L1Tx::inbox(singular_item(1, &[second])),
        L1Tx::inbox(singular_item(2, &[first])),
    ]);
    l1.add_empty(4);
    let mut node = Node::new(&l1);
    node.run_to_end();
    assert_eq!(node.safe_number(), 2);
    node.pipeline.reset(genesis_point(&l1.chain));
    node.run_to_end();
    assert_eq!(node.safe_number(), 2);
}

#[test]
fn derivation_never_goes_past_lagoon() {
    let mut rollup = rollup(Fork::Karst);
    rollup.forks.lagoon = Some(GENESIS_TIME + 6);
    let mut l1 = L1::new(&chain(rollup));
    l1.add_empty(1);
    let mut sequencer = Sequencer::new(&l1);
    let batches: Vec<_> = (0..3).map(|_| sequencer.block([])).collect();
    l1.add([L1Tx::inbox(singular_item(1, &batches))]);
    let mut node = Node::new(&l1);
    let expected = End::Failed(PipelineError::Critical(CriticalReason::Lagoon {
        lagoon_time: GENESIS_TIME + 6,
        l2_time: GENESIS_TIME + 6,
    }));
    assert_eq!(node.run(), expected);
    assert_eq!(node.run(), expected);
    assert_eq!(node.safe_number(), 2);
}

#[test]
fn details_of_drops_are_kept_up_to_a_limit_and_counted_beyond() {
    use doppio_derive::MAX_DROPS_KEPT;
    let mut l1 = L1::new(&chain(rollup(Fork::Jovian)));
    let frames: Vec<_> = (0..=MAX_DROPS_KEPT)
        .map(|n| doppio_protocol::frame::Frame {
            id: id(u8::try_from(n % 256).unwrap()),
            // never the first of its channel
            number: 1,
            is_last: true,
            data: Bytes::new(),
        })
        .collect();
    let items: Vec<_> = frames
        .iter()
        .map(|frame| L1Tx::inbox(doppio_protocol::frame::encode_frames([frame])))
        .collect();
    l1.add(items);
    let mut node = Node::new(&l1);
    node.run_to_end();
    let total = MAX_DROPS_KEPT + 1;
    assert_eq!(node.drops.len(), MAX_DROPS_KEPT);
    let counted: u64 = node.pipeline.drops().counts().values().sum();
    assert_eq!(counted, total as u64);
}

#[test]
fn a_new_pipeline_says_where_it_is() {
    let chain = chain(rollup(Fork::Jovian));
    let point = genesis_point(&chain);
    let pipeline = Pipeline::new(chain, point);
    assert_eq!(pipeline.origin(), None);
    assert_eq!(pipeline.safe_head(), &point.safe_head);
    assert_eq!(pipeline.pending_safe_head(), &point.safe_head);
    assert_eq!(pipeline.system_config(), &point.safe_config);
}

#[test]
fn every_drop_names_where_it_happened_and_its_rule() {
    let mut l1 = L1::new(&chain(rollup(Fork::Jovian)));
    let block = l1.add([L1Tx::inbox(vec![9])]);
    let mut node = Node::new(&l1);
    node.run_to_end();
    let [drop] = node.drops.as_slice() else {
        panic!("{:?}", node.drops)
    };
    assert_eq!(drop.l1, block.id());
    assert!(matches!(drop.reason, DropReason::Frames(_)));
    assert_eq!(drop.reason.rule(), "opstack 2.4");
}
