//! What L1 finalizes becomes final, on chains with and without alt-DA.

use crate::{
    engines::Model,
    l1::{self, Form},
    world::{Recorded, World},
};
use alloy_primitives::Address;
use doppio_node::Event;
use doppio_protocol::{
    commitment::Commitment,
    config::{AltDaConfig, ChainConfig, CommitmentType, Fork},
    l1::L1Block,
};
use std::sync::Arc;

fn finalized<E>(world: &World<'_, E>) -> Vec<u64> {
    let number = |event: &Event| match event {
        Event::Finalized(block) => Some(block.number),
        _ => None,
    };
    world.events.iter().filter_map(number).collect()
}

/// L1 is final far ahead of where derivation is; blocks become final as they are derived.
// opstack 11 L, FinalizeWhileSyncing
#[test]
fn finalize_while_syncing() {
    let plan = l1::l1(std::iter::repeat_n(12, 41));
    let chain = l1::chain(Fork::Karst, |_| {});
    let sequencer = World::sequencer(&chain, &plan, Form::Singular, 40);
    let mut world = World::model(&chain, &plan);
    world.options.finality.delay = Some(4);
    world.restart();
    world.set_l1(sequencer.l1.clone());
    let last = sequencer.l1[39].header.block_ref();
    world.driver.l1_finalized(last).unwrap();
    world.run().unwrap();
    let finalized = finalized(&world);
    assert!(finalized.len() > 5, "{finalized:?}");
    assert!(finalized.is_sorted());
    let heads = world.heads();
    assert!(heads.finalized.number < heads.safe.number);
    assert_eq!(heads.finalized.number, *finalized.last().unwrap());
    assert_eq!(world.labels().finalized, heads.finalized.hash);
}

/// L1's head is not final, and neither is what comes from it.
// opstack 11 L, finalization_advances, finalization_does_not_exceed_safe_head, finalization_does_not_regress
#[test]
fn finality_follows_l1_and_never_goes_back() {
    let plan = l1::l1(std::iter::repeat_n(12, 21));
    let chain = l1::chain(Fork::Karst, |_| {});
    let sequencer = World::sequencer(&chain, &plan, Form::Singular, 20);
    let mut world = World::model(&chain, &plan);
    let mut last = 0;
    for count in 2..sequencer.l1.len() {
        world.set_l1(sequencer.l1[..=count].to_vec());
        let block = sequencer.l1[count - 2].header.block_ref();
        world.driver.l1_finalized(block).unwrap();
        world.run().unwrap();
        let heads = world.heads();
        assert!(heads.finalized.number >= last);
        last = heads.finalized.number;
        // what an L1 block completed is final with it
        let behind = World::verifier(&chain, &sequencer.l1[..=count - 2]);
        assert_eq!(heads.finalized, behind.heads().safe);
    }
    // an older signal changes nothing
    let old = sequencer.l1[3].header.block_ref();
    world.driver.l1_finalized(old).unwrap_err();
    world.run().unwrap();
    assert_eq!(world.heads().finalized.number, last);
}

/// What was derived before a reorganisation is not called final for what came after it.
// opstack 11 L, finalization_reorg_clears_state
#[test]
fn finalization_reorg_clears_state() {
    let plan = l1::l1(std::iter::repeat_n(12, 21));
    let chain = l1::chain(Fork::Karst, |_| {});
    let sequencer = World::sequencer(&chain, &plan, Form::Singular, 12);
    let mut world = World::verifier(&chain, &sequencer.l1);
    let mut other = sequencer.l1[..8].to_vec();
    l1::extend(&mut other, 1, std::iter::repeat_n(12, 8));
    world.set_l1(other.clone());
    world.run().unwrap();
    let end = other.last().unwrap().header.block_ref();
    world.driver.l1_finalized(end).unwrap();
    world.run().unwrap();
    let heads = world.heads();
    assert_eq!(heads.finalized, heads.safe);
    let verifier = World::verifier(&chain, &other);
    assert_eq!(heads.safe, verifier.heads().safe);
}

fn alt_da_chain() -> Arc<ChainConfig> {
    l1::chain(Fork::Karst, |rollup| {
        rollup.alt_da = Some(AltDaConfig {
            da_challenge_contract_address: Address::ZERO,
            da_commitment_type: CommitmentType::Generic,
            da_max_input_size: None,
            da_challenge_window: 1,
            da_resolve_window: 1,
        });
    })
}

/// An L1 whose batches are behind commitments up to a block, and as they are from there on.
fn with_commitments(
    chain: &Arc<ChainConfig>,
    blocks: usize,
    until: usize,
) -> (Vec<L1Block>, World<'static, Model>) {
    let plan = l1::l1(std::iter::repeat_n(12, blocks));
    let sequencer = World::sequencer(chain, &plan, Form::Singular, blocks);
    let mut world = World::model(chain, &plan);
    let mut l1 = sequencer.l1;
    for (index, block) in l1.iter_mut().enumerate().take(until) {
        let Some(posted) = block.inbox.pop() else {
            continue;
        };
        block.receipts.pop();
        let number = u8::try_from(index).unwrap();
        let commitment = Commitment::Generic(vec![0, 3, number].into());
        let data = posted.transaction.input();
        world.payloads.insert(commitment.encode().to_vec(), data);
        l1::post(chain, block, commitment.inbox_data());
    }
    (l1, world)
}

/// With commitments that cannot be challenged, finality is a little behind L1's.
// opstack 11 L, altda Finalization
#[test]
fn alt_da_finalization() {
    let chain = alt_da_chain();
    let (l1, mut world) = with_commitments(&chain, 20, usize::MAX);
    for count in 4..l1.len() {
        world.set_l1(l1[..=count].to_vec());
        world.run().unwrap();
        let block = l1[count - 2].header.block_ref();
        world.driver.l1_finalized(block).unwrap();
        world.run().unwrap();
        // by the challenge window behind what L1 finalized
        let settled = l1[..count - 2].to_vec();
        let mut behind = World::model(&chain, &l1);
        behind.payloads = world.payloads.clone();
        behind.set_l1(settled);
        behind.run().unwrap();
        assert_eq!(world.heads().finalized, behind.heads().safe, "{count}");
    }
    assert!(world.heads().finalized.number > 80);
}

/// The chain goes over to Ethereum's own data: finality goes on.
// opstack 11 L, altda FinalizationAfterEthDAFailover; field I30
#[test]
fn alt_da_finalization_after_eth_da_failover() {
    let chain = alt_da_chain();
    let (l1, mut world) = with_commitments(&chain, 30, 10);
    world.set_l1(l1.clone());
    world.run().unwrap();
    let mut last = 0;
    for count in [8, 14, 20, 26, 29] {
        let block = l1[count].header.block_ref();
        world.driver.l1_finalized(block).unwrap();
        world.run().unwrap();
        let finalized = world.heads().finalized;
        assert!(finalized.number > last, "after L1 block {count}");
        last = finalized.number;
    }
    let safe = world.heads().safe.number;
    assert!(last + 18 > safe, "{last} {safe}");
}

#[test]
fn a_recorded_chain_with_alt_da_becomes_final() {
    let Some(recorded) = Recorded::open("altda-span-brotli") else {
        return;
    };
    let mut world = World::new(&recorded);
    let (middle, end) = (recorded.l1.len() / 2, recorded.l1.len() - 1);
    let mut last = 0;
    for index in [middle, end] {
        world.set_l1(recorded.l1[..=index].to_vec());
        world.run().unwrap();
        let block = recorded.l1[index].header.block_ref();
        world.driver.l1_finalized(block).unwrap();
        world.run().unwrap();
        let heads = world.heads();
        assert!(heads.finalized.number > last);
        assert!(heads.finalized.number <= heads.safe.number);
        last = heads.finalized.number;
    }
    assert_eq!(world.labels().finalized, world.heads().finalized.hash);
}
