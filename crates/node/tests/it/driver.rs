//! The driver follows recorded chains to op-node's blocks, whatever happens on the way.

use crate::world::{Recorded, World};
use alloy_primitives::B256;
use doppio_node::{DriverError, Event, Refused};
use doppio_protocol::{l1::L1Block, l2::L2Block};
use std::sync::Arc;

/// The node's safe chain is the recorded one, as far as that goes.
#[track_caller]
fn assert_recorded(world: &World<'_>) {
    let recorded = &world.recorded().chain;
    let last = world.recorded().l1.last().unwrap().header.number;
    let safe = world.heads().safe;
    let expected = recorded.safe_head(last).expect("a recorded safe head");
    assert!(
        safe.number >= expected.number,
        "{safe} is behind {expected}"
    );
    for number in 1..=expected.number {
        let ours = world.canonical(number);
        assert_eq!(
            ours,
            recorded.l2_block(number).map(|block| block.hash),
            "block {number}"
        );
    }
    assert_eq!(world.labels().safe, safe.hash, "the engine knows");
}

/// Each recorded chain, by its name.
mod every_recorded_chain_is_followed_block_by_block_as_l1_grows {
    use super::assert_followed;

    macro_rules! chains {
        ($($test:ident $name:literal)*) => {
            $(#[test]
            fn $test() {
                assert_followed($name);
            })*
        };
    }

    chains! {
        all_forks_calldata "all-forks-calldata"
        altda_span_brotli "altda-span-brotli"
        blobs_span_brotli_jovian "blobs-span-brotli-jovian"
        calldata_singular_zlib "calldata-singular-zlib"
        espresso_gen2_batcher "espresso-gen2-batcher"
        espresso_gen2_calldata "espresso-gen2-calldata"
        expired_windows "expired-windows"
        hostile_inbox "hostile-inbox"
    }
}

#[track_caller]
fn assert_followed(name: &str) {
    let Some(recorded) = Recorded::open(name) else {
        return;
    };
    let mut world = World::new(&recorded);
    for count in 1..=recorded.l1.len() {
        world.set_l1(recorded.l1[..count].to_vec());
        world.run().unwrap();
        let number = recorded.l1[count - 1].header.number;
        if let Some(expected) = recorded.chain.safe_head(number)
            && recorded.chain.l2_block(expected.number).is_some()
        {
            assert_eq!(world.heads().safe.id(), expected, "after L1 block {number}");
        }
    }
    assert_recorded(&world);
    assert_eq!(world.count(|event| matches!(event, Event::Reset(_))), 0);
    assert_eq!(
        world.l1_read,
        recorded.l1.len() - 1,
        "each L1 block is read once"
    );
}

#[test]
fn blocks_that_came_before_are_kept_where_derivation_agrees() {
    for name in [
        "calldata-singular-zlib",
        "blobs-span-brotli-jovian",
        "hostile-inbox",
    ] {
        let Some(recorded) = Recorded::open(name) else {
            return;
        };
        let mut world = World::new(&recorded);
        world.tell_l1();
        world.run().unwrap();
        // backwards, so that each waits for its turn
        let newest = (1..)
            .take_while(|number| recorded.l2(*number).is_some())
            .count() as u64;
        for number in (1..=newest).rev() {
            world
                .driver
                .unsafe_block(recorded.l2(number).unwrap())
                .unwrap();
        }
        world.run().unwrap();
        assert_eq!(world.heads().unsafe_head.number, newest);
        assert_eq!(world.heads().safe.number, 0);
        world.set_l1(recorded.l1.clone());
        world.run().unwrap();
        assert_recorded(&world);
        let built = world.count(|event| matches!(event, Event::Derived(_)));
        let safe = usize::try_from(world.heads().pending_safe.number).unwrap();
        let kept = world.count(|event| matches!(event, Event::Consolidated(_)));
        assert_eq!(built + kept, safe, "{name}");
        let replaced = world.count(|event| matches!(event, Event::Replaced { .. }));
        assert_eq!((built, replaced), (0, 0), "{name}");
        let refused = world.count(|event| matches!(event, Event::Refused { .. }));
        // its sequencer held what L1 has replaced by deposits alone; the engine is asked to find out
        assert_eq!(refused > 0, name == "hostile-inbox", "{name}");
    }
}

#[test]
fn another_block_than_the_derived_one_is_replaced() {
    let Some(recorded) = Recorded::open("calldata-singular-zlib") else {
        return;
    };
    // the sequencer's own chain: the recorded blocks without their last transaction
    let mut world = World::new(&recorded);
    world.set_l1(recorded.l1.clone());
    world.run().unwrap();
    let honest = world.heads().safe;
    let number = (1..honest.number)
        .find(|number| recorded.l2(*number).unwrap().transactions.len() > 2)
        .unwrap();
    let other = other_block(&world, number);
    let mut world = World::new(&recorded);
    world.tell_l1();
    world.run().unwrap();
    for below in 1..number {
        world
            .driver
            .unsafe_block(recorded.l2(below).unwrap())
            .unwrap();
    }
    world.driver.unsafe_block(Arc::new(other.clone())).unwrap();
    world.run().unwrap();
    assert_eq!(world.heads().unsafe_head.hash, other.hash);
    world.set_l1(recorded.l1.clone());
    world.run().unwrap();
    assert_recorded(&world);
    let differences: Vec<_> = world
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Replaced { block, differences } => Some((block.hash, differences.len())),
            _ => None,
        })
        .collect();
    assert_eq!(differences, [(other.hash, 1)], "its number of transactions");
}

/// A valid block in the place of the recorded one: without its last transaction.
fn other_block(world: &World<'_>, number: u64) -> L2Block {
    let recorded = world.recorded().l2(number).unwrap();
    let parent = recorded.header.parent_hash;
    let store = world.engine.view.store();
    let header = store.header(parent).unwrap().unwrap();
    let attributes = doppio_engine::Attributes {
        timestamp: recorded.header.timestamp,
        fee_recipient: recorded.header.beneficiary,
        prev_randao: recorded.header.mix_hash,
        gas_limit: recorded.header.gas_limit,
        parent_beacon_block_root: recorded.header.parent_beacon_block_root,
        eip1559_params: recorded
            .header
            .extra_data
            .get(1..9)
            .map(alloy_primitives::B64::from_slice),
        min_base_fee: recorded
            .header
            .extra_data
            .get(9..17)
            .map(|bytes| u64::from_be_bytes(bytes.try_into().unwrap())),
    };
    let source = doppio_engine::BranchOf::new(Arc::clone(store), (header.number, parent));
    let mut transactions = recorded.transactions.clone();
    transactions.pop();
    let block = doppio_engine::build_block(
        &world.recorded().genesis.spec,
        source,
        (&header, parent),
        &attributes,
        &transactions,
    )
    .unwrap();
    L2Block {
        hash: block.hash,
        header: block.header,
        transactions,
    }
}

#[test]
fn failures_on_the_way_change_nothing() {
    for name in ["hostile-inbox", "altda-span-brotli"] {
        let Some(recorded) = Recorded::open(name) else {
            return;
        };
        let mut world = World::new(&recorded);
        world.failures.one_in = 3;
        world.set_l1(recorded.l1.clone());
        world.run().unwrap();
        assert_recorded(&world);
        assert_eq!(world.count(|event| matches!(event, Event::Reset(_))), 0);
    }
}

#[test]
fn a_restart_goes_on_near_where_it_was() {
    let Some(recorded) = Recorded::open("all-forks-calldata") else {
        return;
    };
    let mut world = World::new(&recorded);
    let mut derived = 0;
    for count in (20..recorded.l1.len()).step_by(20) {
        world.set_l1(recorded.l1[..count].to_vec());
        world.run().unwrap();
        let before = world.heads();
        world.restart();
        world.run().unwrap();
        let after = world.heads();
        assert_eq!(after.safe, before.safe, "derivation comes to the same head");
        assert_eq!(after.unsafe_head, before.unsafe_head);
        // what the engine has is not built again
        let built = world.count(|event| matches!(event, Event::Derived(_)));
        assert_eq!(
            built - derived,
            usize::try_from(before.pending_safe.number).unwrap() - derived
        );
        derived = built;
    }
    world.set_l1(recorded.l1.clone());
    world.run().unwrap();
    assert_recorded(&world);
}

/// Another L1 from a block on: empty blocks of other hashes.
fn other_l1(blocks: &[L1Block], from: usize, count: usize) -> Vec<L1Block> {
    let mut l1 = blocks[..from].to_vec();
    for (index, block) in blocks[from..from + count].iter().enumerate() {
        let mut other = block.clone();
        other.inbox.clear();
        for receipt in &mut other.receipts {
            receipt.logs.clear();
        }
        other.header.hash = B256::repeat_byte(0xa0 + u8::try_from(index % 64).unwrap());
        other.header.parent_hash = l1.last().unwrap().header.hash;
        l1.push(other);
    }
    l1
}

#[test]
fn a_reorganised_l1_is_followed_at_every_depth() {
    for (name, depths) in [
        ("calldata-singular-zlib", &[1, 16, 40][..]),
        ("blobs-span-brotli-jovian", &[7][..]),
    ] {
        let Some(recorded) = Recorded::open(name) else {
            return;
        };
        for depth in depths {
            let from = recorded.l1.len() / 2;
            let mut world = World::new(&recorded);
            world.set_l1(recorded.l1[..from].to_vec());
            world.run().unwrap();
            world.set_l1(other_l1(&recorded.l1, from, *depth));
            world.run().unwrap();
            // and the real one again
            world.set_l1(recorded.l1.clone());
            world.run().unwrap();
            assert_recorded(&world);
            let resets = world.count(|event| matches!(event, Event::Reset(_)));
            assert!(resets >= 1, "{name} {depth}");
        }
    }
}

#[test]
fn what_l1_finalizes_becomes_final_and_stays_so() {
    let Some(recorded) = Recorded::open("calldata-singular-zlib") else {
        return;
    };
    let mut world = World::new(&recorded);
    world.set_l1(recorded.l1.clone());
    world.run().unwrap();
    let mut last = 0;
    for index in [20, 60, 100, recorded.l1.len() - 1] {
        let block = recorded.l1[index].header.block_ref();
        world.driver.l1_finalized(block).unwrap();
        world.run().unwrap();
        let finalized = world.heads().finalized;
        let expected = recorded.chain.safe_head(block.number).unwrap();
        assert!(finalized.number <= expected.number);
        assert!(finalized.number >= last);
        last = finalized.number;
        assert_eq!(world.labels().finalized, finalized.hash);
    }
    assert_eq!(last, world.heads().safe.number, "all of L1 is final");
    let old = recorded.l1[10].header.block_ref();
    world.driver.l1_finalized(old).unwrap_err();
}

#[test]
fn a_block_from_outside_that_is_invalid_is_dropped() {
    let Some(recorded) = Recorded::open("calldata-singular-zlib") else {
        return;
    };
    let mut world = World::new(&recorded);
    world.tell_l1();
    world.run().unwrap();
    let mut lie = (*recorded.l2(1).unwrap()).clone();
    lie.header.state_root = B256::repeat_byte(1);
    lie.hash = lie.header.hash_slow();
    let hash = lie.hash;
    world.driver.unsafe_block(Arc::new(lie)).unwrap();
    world.run().unwrap();
    assert_eq!(world.heads().unsafe_head.number, 0);
    let refused =
        |event: &Event| matches!(event, Event::InvalidUnsafe { block, .. } if block.hash == hash);
    assert_eq!(world.count(refused), 1);
    world.driver.unsafe_block(recorded.l2(1).unwrap()).unwrap();
    world.run().unwrap();
    assert_eq!(world.heads().unsafe_head.number, 1);
    // what is safe already need not come
    world.set_l1(recorded.l1.clone());
    world.run().unwrap();
    let old = world.driver.unsafe_block(recorded.l2(1).unwrap());
    assert_eq!(old, Err(Refused::Old(1)));
}

#[test]
fn an_engine_of_another_chain_stops_the_driver() {
    let Some(recorded) = Recorded::open("calldata-singular-zlib") else {
        return;
    };
    let Some(other) = Recorded::open("all-forks-calldata") else {
        return;
    };
    let mixed = Recorded {
        genesis: other.genesis,
        ..recorded
    };
    let mut world = World::new(&mixed);
    world.tell_l1();
    let error = world.run().unwrap_err();
    assert!(matches!(error, DriverError::SyncStart(_)), "{error}");
}
