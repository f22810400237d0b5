//! L1 and the sequencer change their minds.

use crate::{
    engines::Model,
    l1::{self, Form},
    world::World,
};
use doppio_derive::{Found, Lookup, Request};
use doppio_node::{Event, Next, SequencerOptions};
use doppio_protocol::{config::Fork, l1::L1Block};

fn plan(count: usize) -> Vec<L1Block> {
    l1::l1(std::iter::repeat_n(12, count))
}

/// Another L1 from a block on.
fn other(blocks: &[L1Block], kept: usize, salt: u8, count: usize) -> Vec<L1Block> {
    let mut other = blocks[..kept].to_vec();
    l1::extend(&mut other, salt, std::iter::repeat_n(12, count));
    other
}

const FORMS: [Form; 2] = [Form::Singular, Form::SpanPerEpoch];

#[track_caller]
fn assert_engine(world: &World<'_, Model>) {
    let heads = world.heads();
    assert_eq!(world.labels().safe, heads.safe.hash);
    assert_eq!(world.labels().head, heads.unsafe_head.hash);
}

/// The L1 block with the batch is orphaned, and the batch comes again later.
// opstack 11 L, ReorgOrphanBlock, batch_in_orphaned_l1_block_is_not_derived
#[test]
fn reorg_orphan_block() {
    for form in FORMS {
        let plan = plan(8);
        let chain = l1::chain(Fork::Karst, |_| {});
        let mut sequencer = World::model(&chain, &plan);
        sequencer.start_sequencing(SequencerOptions::default());
        let end = plan[1].header.timestamp * 1_000;
        sequencer.run_until(end, &plan).unwrap();
        let made = sequencer.chain_of();
        let data = l1::item(1, &l1::strings(&chain, form, &made));
        let mut first = plan[..3].to_vec();
        l1::post(&chain, &mut first[2], data.clone());
        let mut world = World::verifier(&chain, &first);
        let safe = world.heads().safe;
        assert_eq!(safe.number, made.len() as u64);
        // the block is another one, without the batch
        let mut second = other(&first, 2, 1, 4);
        world.set_l1(second[..4].to_vec());
        world.run().unwrap();
        assert_eq!(world.heads().safe.number, 0);
        // what was derived refers to no orphan, and stays as the sequencer's own
        assert_eq!(world.heads().unsafe_head.hash, safe.hash);
        assert_engine(&world);
        // the batch once more
        l1::post(&chain, &mut second[4], data);
        world.set_l1(second[..5].to_vec());
        world.run().unwrap();
        assert_eq!(world.heads().safe, safe);
        assert_engine(&world);
        let derived = |event: &Event| matches!(event, Event::Derived(_));
        assert_eq!(world.count(derived), made.len(), "nothing is built twice");
    }
}

/// L1 goes to another chain, whose L2 is another one, and back.
// opstack 11 L, ReorgFlipFlop
#[test]
fn reorg_flip_flop() {
    for form in FORMS {
        let chain = l1::chain(Fork::Karst, |_| {});
        let a = plan(16);
        let b = other(&a, 4, 1, 16);
        let on = |plan: &[L1Block], count: usize| {
            let world = World::sequencer(&chain, plan, form, count);
            (world.l1.clone(), world.heads().safe)
        };
        let (a1, safe_a1) = on(&a, 8);
        let (b1, safe_b1) = on(&b, 10);
        let (a2, safe_a2) = on(&a, 12);
        let mut world = World::verifier(&chain, &a1);
        assert_eq!(world.heads().safe, safe_a1);
        for (l1, safe) in [(&b1, safe_b1), (&a2, safe_a2)] {
            world.set_l1(l1.clone());
            world.run().unwrap();
            assert_eq!(world.heads().safe, safe);
            assert_engine(&world);
        }
        assert!(world.resets() >= 2);
    }
}

/// The chain between has nothing.
// opstack 11 L, reorg_flip_flop_empty_middle_fork
#[test]
fn reorg_flip_flop_empty_middle_fork() {
    let chain = l1::chain(Fork::Karst, |_| {});
    let a = plan(16);
    let first = World::sequencer(&chain, &a, Form::Singular, 8);
    let second = World::sequencer(&chain, &a, Form::Singular, 13);
    let mut world = World::verifier(&chain, &first.l1);
    // the first batch is in the fifth block, for blocks whose origins are before it
    let empty = other(&a, 4, 1, 8);
    world.set_l1(empty);
    world.run().unwrap();
    let safe = world.heads().safe;
    assert!(safe.l1_origin.number < l1::GENESIS_L1 + 4);
    assert!(safe.number < first.heads().safe.number);
    world.set_l1(second.l1.clone());
    world.run().unwrap();
    assert_eq!(world.heads().safe, second.heads().safe);
    assert_engine(&world);
}

/// As deep as a sequencing window: what was safe is derived again from what L1 has now.
// opstack 11 L, DeepReorg
#[test]
fn deep_reorg() {
    const WINDOW: u64 = 20;
    for form in FORMS {
        let chain = l1::chain(Fork::Karst, |rollup| {
            rollup.seq_window_size = WINDOW;
            rollup.channel_timeout = 120;
        });
        let a = l1::l1(std::iter::repeat_n(4, 70));
        let sequencer = World::sequencer(&chain, &a, form, 61);
        let mut world = World::verifier(&chain, &sequencer.l1);
        let before = world.chain_of();
        assert!(world.heads().safe.l1_origin.number >= l1::GENESIS_L1 + 60);
        // 22 blocks are undone; the new ones have nothing
        let mut b = sequencer.l1[..40].to_vec();
        l1::extend(&mut b, 1, std::iter::repeat_n(4, 23));
        assert_eq!(b.last().unwrap().header.number, l1::GENESIS_L1 + 62);
        world.set_l1(b.clone());
        world.run().unwrap();
        let safe = world.heads().safe;
        assert_eq!(safe.l1_origin.number, l1::GENESIS_L1 + 62 - WINDOW);
        assert_eq!(world.heads().unsafe_head, safe);
        assert_engine(&world);
        // blocks whose data is still on L1 are as they were, the others without users' transactions
        for block in &before {
            let block_ref = block.block_ref(&chain).unwrap();
            let Some(now) = world.l2(block_ref.number) else {
                continue;
            };
            if block_ref.l1_origin.number < l1::GENESIS_L1 + 39 {
                assert_eq!(now.hash, block.hash, "{block_ref}");
            }
            if block_ref.l1_origin.number > l1::GENESIS_L1 + 39 {
                assert_ne!(now.hash, block.hash, "{block_ref}");
                assert_eq!(now.transactions.len(), 1);
            }
        }
        // and a sequencer goes on from there
        let head = world.heads().unsafe_head.hash;
        world.now = b.last().unwrap().header.timestamp * 1_000;
        let options = SequencerOptions::default();
        world.driver.start_sequencing(options, head).unwrap();
        let now = world.now;
        world.run_until(now, &b).unwrap();
        assert!(world.heads().unsafe_head.number > safe.number);
        assert_engine(&world);
    }
}

/// A second sequencer's blocks do not come into a chain that is safe, neither by gossip nor by L1.
// opstack 11 L, ConflictingL2Blocks
#[test]
fn conflicting_l2_blocks() {
    for form in FORMS {
        let plan = plan(8);
        let chain = l1::chain(Fork::Karst, |_| {});
        let sequencer = World::sequencer(&chain, &plan, form, 3);
        // the other one has no users
        let mut second = World::model(&chain, &plan);
        second.engine.users = false;
        second.start_sequencing(SequencerOptions::default());
        let end = plan[3].header.timestamp * 1_000;
        second.run_until(end, &plan).unwrap();
        let conflicting = second.chain_of();
        let mut world = World::verifier(&chain, &sequencer.l1);
        let heads = world.heads();
        assert_ne!(conflicting[0].hash, world.canonical(1).unwrap());
        world.hear(conflicting.clone());
        assert_eq!(world.heads(), heads);
        let mut l1 = sequencer.l1.clone();
        l1.extend_from_slice(&plan[l1.len()..]);
        let data = l1::item(100, &l1::strings(&chain, form, &conflicting[..5]));
        l1::post(&chain, &mut l1[4], data);
        world.set_l1(l1);
        world.run().unwrap();
        assert_eq!(world.heads().safe, heads.safe);
        assert_eq!(world.resets(), 0);
    }
}

/// The sequencer goes on through a reorganisation of L1, and nodes that saw it and nodes that did not
/// have the same chain afterwards.
// opstack 11 L, SyncAfterReorg
#[test]
fn sync_after_reorg() {
    for form in FORMS {
        let a = plan(24);
        let chain = l1::chain(Fork::Karst, |_| {});
        let mut sequencer = World::sequencer(&chain, &a, form, 6);
        let mut witness = World::verifier(&chain, &sequencer.l1);
        witness.hear(sequencer.chain_of());
        let b = other(&sequencer.l1, 4, 1, 16);
        sequencer.set_l1(b[..7].to_vec());
        let end = b[12].header.timestamp * 1_000;
        sequencer.run_until(end, &b).unwrap();
        assert!(sequencer.resets() >= 1);
        let heads = sequencer.heads();
        assert!(
            heads.safe.l1_origin.number > l1::GENESIS_L1 + 8,
            "{}",
            heads.safe
        );
        assert!((heads.unsafe_head.timestamp + 2) * 1_000 > sequencer.now);
        witness.set_l1(sequencer.l1.clone());
        witness.run().unwrap();
        assert_eq!(witness.heads().safe, heads.safe);
        let newcomer = World::verifier(&chain, &sequencer.l1);
        assert_eq!(newcomer.heads().safe, heads.safe);
    }
}

/// The sequencer has taken an L1 block as origin that is orphaned, and derivation has seen none of it:
/// the chain goes back to what refers to L1 as it is, and on from there.
// opstack 11 L, SequencerOnlyReorg
#[test]
fn sequencer_only_reorg() {
    let a = plan(16);
    let chain = l1::chain(Fork::Karst, |_| {});
    let mut world = World::model(&chain, &a);
    world.start_sequencing(SequencerOptions::default());
    let end = a[3].header.timestamp * 1_000 + 6_000;
    world.run_until(end, &a).unwrap();
    let before = world.heads();
    assert_eq!(before.safe.number, 0);
    assert_eq!(before.unsafe_head.l1_origin, a[3].header.id());
    let b = other(&a, 3, 1, 8);
    world.set_l1(b[..5].to_vec());
    let end = b[6].header.timestamp * 1_000 + 6_000;
    world.run_until(end, &b).unwrap();
    assert_eq!(world.resets(), 1);
    let head = world.heads().unsafe_head;
    assert_eq!(head.l1_origin, b[6].header.id());
    assert!((head.timestamp + 2) * 1_000 > world.now);
    // what referred to the orphan is gone, what did not has stayed
    let kept = world.canonical(17);
    let first_orphan = (1..)
        .find(|number| {
            let block = world.l2(*number).unwrap();
            block.block_ref(&chain).unwrap().l1_origin.number >= l1::GENESIS_L1 + 3
        })
        .unwrap();
    assert!(first_orphan >= 18, "{first_orphan}");
    assert!(kept.is_some());
}

/// The sequencer's chain is another one all of a sudden; a follower comes over to it without being
/// started again: with the block after the next, or with what is derived.
// field I7
#[test]
fn a_follower_recovers_from_an_unsafe_reorg() {
    for by_gossip in [true, false] {
        let plan = plan(16);
        let chain = l1::chain(Fork::Karst, |_| {});
        let mut first = World::model(&chain, &plan);
        first.engine.users = false;
        first.start_sequencing(SequencerOptions::default());
        let end = plan[3].header.timestamp * 1_000;
        first.run_until(end, &plan).unwrap();
        let second = World::sequencer(&chain, &plan, Form::Singular, 6);
        let mut world = World::model(&chain, &plan);
        world.now = l1::GENESIS_TIME * 1_000;
        world.tell_l1();
        world.hear(first.chain_of());
        let lost = world.heads().unsafe_head;
        assert!(lost.number > 10);
        let newer = second.chain_of();
        if by_gossip {
            // the engine has the others from its peers
            for block in &newer {
                let call = doppio_node::EngineCall::NewPayload(std::sync::Arc::new(block.clone()));
                world.call(&call);
            }
            world.hear(
                newer
                    .iter()
                    .skip(usize::try_from(lost.number).unwrap() + 2)
                    .cloned(),
            );
            let end = world.now + 10_000;
            world.run_until(end, &plan[..1]).unwrap();
        } else {
            world.hear(newer.clone());
            assert_eq!(world.heads().unsafe_head, lost);
            world.set_l1(second.l1.clone());
            world.run().unwrap();
            world.hear(newer.clone());
        }
        assert_eq!(world.heads().unsafe_head, second.heads().unsafe_head);
        assert_eq!(world.resets(), 0);
    }
}

/// A node that waits for what nobody has.
fn waiting() -> (World<'static, Model>, Vec<L1Block>) {
    let chain = l1::chain(Fork::Karst, |_| {});
    let sequencer = World::sequencer(&chain, &plan(12), Form::Singular, 8);
    let mut world = World::model(&chain, &sequencer.l1);
    world.set_l1(sequencer.l1[..6].to_vec());
    world.until(|next| matches!(next, Next::Derivation(Request::L1Block(_))));
    (world, sequencer.l1)
}

/// Data that is not there may come later, as long as its L1 block is canonical; if it is not, everything
/// begins again.
// field I11
#[test]
fn data_that_is_not_there_is_waited_for_only_while_its_block_is_canonical() {
    // the pipeline waits for its first block, and is not at any yet
    let (mut world, l1) = waiting();
    let asked = world.driver.step(0).unwrap();
    world.driver.unavailable();
    assert_eq!(world.driver.step(0).unwrap(), asked);
    world.run().unwrap();
    // then for a block that it reads
    world.set_l1(l1);
    let next = world.until(|next| matches!(next, Next::L1Block(_)));
    world.answer_next(next).unwrap();
    let origin = *world.driver.current_l1().unwrap();
    world.driver.unavailable();
    // nothing is asked that could be lacking: nothing is looked up
    world.run().unwrap();
    assert_eq!(world.resets(), 0);
    assert!(world.driver.current_l1().unwrap().number > origin.number);
}

/// The same with a request that stands: the L1 block of a commitment is looked at again.
// field I11
#[test]
fn a_request_of_an_orphaned_block_ends_in_a_reset() {
    use doppio_protocol::{
        commitment::Commitment,
        config::{AltDaConfig, CommitmentType},
    };
    let chain = l1::chain(Fork::Karst, |rollup| {
        rollup.alt_da = Some(AltDaConfig {
            da_challenge_contract_address: alloy_primitives::Address::ZERO,
            da_commitment_type: CommitmentType::Generic,
            da_max_input_size: None,
            da_challenge_window: 1,
            da_resolve_window: 1,
        });
    });
    let blocks = plan(8);
    let mut l1 = blocks[..6].to_vec();
    let commitment = Commitment::Generic(vec![0, 3, 1, 2, 3].into());
    l1::post(&chain, &mut l1[3], commitment.inbox_data());
    let mut world = World::model(&chain, &l1);
    world.set_l1(l1.clone());
    let is_payload = |next: &Next| matches!(next, Next::Derivation(Request::Payload(_)));
    let asked = world.until(is_payload);
    // it is canonical: asked again, as often as it takes
    for _ in 0..3 {
        world.driver.unavailable();
        let lookup = world.driver.step(0).unwrap();
        assert_eq!(lookup, Next::Lookup(Lookup::L1ByNumber(l1::GENESIS_L1 + 3)));
        world.answer_next(lookup).unwrap();
        assert_eq!(world.driver.step(0).unwrap(), asked);
    }
    // L1 does not reach there for a moment
    world.driver.unavailable();
    world.driver.step(0).unwrap();
    world.driver.found(Found::Nothing).unwrap();
    assert_eq!(world.driver.step(0).unwrap(), asked);
    // it is orphaned
    world.set_l1(other(&l1, 3, 1, 5));
    world.driver.unavailable();
    let lookup = world.driver.step(0).unwrap();
    world.answer_next(lookup).unwrap();
    world.events.extend(world.driver.events());
    assert_eq!(world.resets(), 1);
    world.run().unwrap();
    assert_eq!(world.resets(), 1);
    assert_eq!(
        world.driver.current_l1().unwrap().number,
        l1::GENESIS_L1 + 7
    );
}

/// While heads are looked for, L1 does not have what it had: looked for again, not given up.
#[test]
fn l1_may_change_while_heads_are_looked_for() {
    let chain = l1::chain(Fork::Karst, |_| {});
    let plan = plan(12);
    let mut world = World::sequencer(&chain, &plan, Form::Singular, 8);
    world.driver.stop_sequencing();
    world.batcher = None;
    world.run().unwrap();
    let before = world.heads();
    world.restart();
    let by_hash = |next: &Next| matches!(next, Next::Lookup(Lookup::L1ByHash(_)));
    for _ in 0..3 {
        world.until(by_hash);
        world.driver.found(Found::Nothing).unwrap();
    }
    world.run().unwrap();
    assert_eq!(world.heads().safe, before.safe);
    assert_eq!(world.resets(), 3);
}
