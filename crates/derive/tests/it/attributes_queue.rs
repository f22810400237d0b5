//! From batches to attributes, over whole pipelines (opstack 3.8; opstack 11 G and K). What
//! attributes hold is in `attributes`.
//!
//! Two cases of the reference cannot be made: a valid batch with another parent or another time than
//! the head. A batch is checked against the very head that its attributes are built on.

use crate::{support::*, world::*};
use alloy_primitives::{Address, B256, Bytes, U256};
use doppio_derive::{DropReason, Outcome, Response, Step, SupplyError};
use doppio_protocol::{
    config::Fork,
    deposit::{DEPOSIT_TX_TYPE, DepositTx, encode_deposit_log},
    frame::encode_frames,
};

/// Steps until attributes are given.
fn to_attributes(node: &mut Node) -> std::sync::Arc<doppio_derive::DerivedAttributes> {
    loop {
        match node.pipeline.step().unwrap() {
            Step::Attributes(derived) => return derived,
            Step::Need(request) => {
                let answer = node.answer(&request).unwrap();
                node.pipeline.supply(answer).unwrap();
            }
            Step::Exhausted(origin) => {
                let next = node.l1.by_number(origin.number + 1).unwrap().clone();
                node.pipeline.supply(Response::NextL1Block(next)).unwrap();
            }
        }
    }
}

fn deposit_log(n: u8) -> alloy_primitives::Log {
    let deposit = DepositTx {
        from: Address::repeat_byte(n),
        to: Some(Address::repeat_byte(9)),
        value: U256::from(n),
        gas: 100_000,
        ..DepositTx::default()
    };
    encode_deposit_log(PORTAL, &deposit)
}

// TestAttributesQueue
#[test]
fn a_batch_becomes_attributes() {
    for fork in FORKS {
        let chain = chain(rollup(fork));
        let mut l1 = timeline(&chain, &[6, 12, 18]);
        put(
            &mut l1,
            1,
            [L1Tx::with_logs(vec![deposit_log(1), deposit_log(2)])],
        );
        let mut sequencer = Sequencer::new(&l1);
        let txs = |n: u64| [l2_tx(2 * n), l2_tx(2 * n + 1)];
        let batches: Vec<_> = (0..5).map(|n| sequencer.block(txs(n))).collect();
        let strings = strings_of(&chain, BatchForm::Singular, &batches, &[]);
        put(&mut l1, 3, [L1Tx::inbox(item(1, &strings))]);
        let node = derive(&l1);
        assert_eq!(node.derived.len(), 5, "{fork}");
        for ((n, derived), batch) in (0u64..).zip(&node.derived).zip(&batches) {
            let attributes = &derived.attributes;
            // L1 information and, in the first block of an epoch, its deposits; then the batch
            let deposits = if n == 2 { 3 } else { 1 };
            assert_eq!(attributes.deposits.len(), deposits, "{fork}, {n}");
            assert!(
                attributes
                    .deposits
                    .iter()
                    .all(|deposit| deposit[0] == DEPOSIT_TX_TYPE)
            );
            let found: Vec<_> = attributes.transactions.iter().collect();
            assert_eq!(found, txs(n), "{fork}");
            assert!(attributes.no_tx_pool, "{fork}");
            assert_eq!(attributes.timestamp, batch.timestamp, "{fork}");
            assert_eq!(derived.parent.hash, batch.parent_hash, "{fork}");
            assert_eq!(derived.l1_origin, batch.epoch(), "{fork}");
            assert_eq!(derived.derived_from, l1.at(3), "{fork}");
        }
        // they count from the first block of an epoch, which genesis is
        let numbers = node.derived.iter();
        let numbers: Vec<_> = numbers.map(|derived| derived.sequence_number).collect();
        assert_eq!(numbers, [1, 2, 0, 1, 2], "{fork}");
    }
}

/// Asked again, the pipeline gives the same attributes; only the engine's word makes it go on.
#[test]
fn attributes_stay_until_the_engine_has_spoken() {
    let world = World::at(Fork::Karst);
    let node = world.read([zlib(&plain(&world.strings(2)))]);
    let mut again = Node::new(&node.l1);
    assert_eq!(
        again.pipeline.executed(Outcome::Invalid),
        Err(SupplyError::NotAsked("an outcome"))
    );
    let first = to_attributes(&mut again);
    assert_eq!(to_attributes(&mut again), first);
    let outcome = again.engine.execute(&first);
    again.pipeline.executed(outcome.clone()).unwrap();
    assert_eq!(
        again.pipeline.executed(outcome),
        Err(SupplyError::NotAsked("an outcome"))
    );
    assert_eq!(to_attributes(&mut again), node.derived[1]);
}

/// The engine's block is not one that we can go on from: nothing has changed.
#[test]
fn an_outcome_that_cannot_be_is_refused() {
    let world = World::at(Fork::Karst);
    let node = world.read([zlib(&plain(&world.strings(1)))]);
    let mut again = Node::new(&node.l1);
    let first = to_attributes(&mut again);
    let outcome = Outcome::Accepted {
        hash: B256::repeat_byte(1),
        extra_data: Bytes::from_static(b"too short"),
    };
    let refused = again.pipeline.executed(outcome);
    assert!(matches!(refused, Err(SupplyError::ExtraData(_))));
    assert_eq!(to_attributes(&mut again), first);
}

// as_deposits_multi, as_deposits_none, as_deposits_only, as_deposits_no_txs
#[test]
fn deposits_only_attributes_keep_what_is_a_deposit() {
    let world = World::at(Fork::Karst);
    let node = world.read([zlib(&plain(&world.strings(2)))]);
    let attributes = &node.derived[0].attributes;
    assert!(!attributes.is_deposits_only());
    let deposits_only = attributes.deposits_only();
    assert!(deposits_only.is_deposits_only());
    assert_eq!(deposits_only.deposits, attributes.deposits);
    assert_eq!(deposits_only.transactions.len(), 0);
    // all else stays
    let mut expected = attributes.clone();
    expected.transactions = Default::default();
    assert_eq!(deposits_only, expected);
    assert_eq!(deposits_only.deposits_only(), expected);
}

/// A refused block flushes its channel in every stage: the rest of the span, of the channel and of
/// the channel that is being put together.
// opstack 3.8, deposits-only replacement; flush clears batch
#[test]
fn a_refused_block_flushes_every_stage_but_the_frames() {
    let world = World::at(Fork::Holocene);
    // A span of three, whose second block is refused, and the fourth block in its channel.
    let strings = [world.span(0..3), world.batches[3].encode()];
    let other = frames(2, &Bytes::from(zlib(&plain(&world.strings(4)))), 2);
    let mut l1 = world.l1;
    l1.add([
        L1Tx::inbox(item(1, &strings)),
        // behind it a channel that begins anew
        L1Tx::inbox(encode_frames(&other[..1])),
        L1Tx::inbox(encode_frames(&other[1..])),
    ]);
    let mut node = Node::new(&l1);
    node.engine.refuses = Some(l2_tx(1));
    node.run_to_end();
    let transactions = node.derived_transactions();
    assert_eq!(
        transactions,
        [vec![l2_tx(0)], vec![l2_tx(1)], vec![]],
        "the second block is replaced, and nothing is built on the refused one"
    );
    assert_eq!(
        node.derived[2].attributes,
        node.derived[1].attributes.deposits_only()
    );
    assert!(node.derived[2].concluding);
    assert_eq!(node.safe_number(), 2);
    // The other channel is read whole: two batches of the past, and one on another parent. It is
    // at its end by then, but who reads it cannot know.
    assert_eq!(
        node.reason_names(),
        [
            "channel_flushed",
            "batch_past",
            "batch_past",
            "batch_parent_hash",
            "channel_flushed"
        ]
    );
}

/// A channel that is half there when a block is refused cannot be completed.
#[test]
fn a_refused_block_flushes_the_channel_that_is_being_put_together() {
    // The refused block's channel is complete before the other begins, so the other can only be
    // open if the block was accepted in an L1 block before: in a span that went on.
    let chain = chain(rollup(Fork::Holocene));
    let mut l1 = timeline(&chain, &[6, 12, 18]);
    let mut sequencer = Sequencer::new(&l1);
    let batches: Vec<_> = (0..5).map(|n| sequencer.block([l2_tx(n)])).collect();
    let last = sequencer.block([l2_tx(5)]);
    let other = frames(2, &channel(&[last.encode()]), 2);
    // The span's third block has this L1 block as its origin, so that the rest of it waits; the
    // block is drained, and the other channel is begun.
    put(
        &mut l1,
        1,
        [
            L1Tx::inbox(item(1, &[span(&chain, 100, &batches)])),
            L1Tx::inbox(encode_frames(&other[..1])),
        ],
    );
    put(&mut l1, 2, [L1Tx::inbox(encode_frames(&other[1..]))]);
    let mut node = Node::new(&l1);
    node.run_to_end();
    assert_eq!(node.safe_number(), 6);
    assert_eq!(node.reasons(), []);
    let mut node = Node::new(&l1);
    node.engine.refuses = Some(l2_tx(3));
    node.run_to_end();
    assert_eq!(node.safe_number(), 4);
    assert_eq!(
        node.reasons(),
        [DropReason::ChannelFlushed, DropReason::FrameWithoutChannel]
    );
}

/// What counts is the L1 block that the block is derived from, not the block's own time.
#[test]
fn replacement_begins_with_an_l1_block_of_holocene() {
    for (holocene, replaced) in [(4, true), (5, false)] {
        let mut rollup = rollup(Fork::Granite);
        rollup.forks.holocene = Some(GENESIS_TIME + holocene * L1_BLOCK_TIME);
        let world = World::new(chain(rollup));
        let mut l1 = world.l1.clone();
        l1.add([L1Tx::inbox(item(1, &world.strings(1)))]);
        let mut node = Node::new(&l1);
        node.engine.refuses = Some(l2_tx(0));
        node.run_to_end();
        let expected: &[Vec<Bytes>] = if replaced {
            &[vec![l2_tx(0)], vec![]]
        } else {
            &[vec![l2_tx(0)]]
        };
        assert_eq!(node.derived_transactions(), expected);
        assert_eq!(node.safe_number(), u64::from(replaced));
    }
}

/// A block that replaces another is safe, and the chain goes on from it.
#[test]
fn the_chain_goes_on_from_a_replacement() {
    let chain = chain(rollup(Fork::Karst));
    let mut l1 = L1::new(&chain);
    l1.add_empty(3);
    // what the sequencer says once it has seen the replacement
    let mut sequencer = Sequencer::new(&l1);
    let refused = Sequencer::new(&l1).block([l2_tx(0)]);
    sequencer.block([]);
    let next: Vec<_> = (1..3).map(|n| sequencer.block([l2_tx(n)])).collect();
    l1.add([L1Tx::inbox(singular_item(1, &[refused]))]);
    l1.add([L1Tx::inbox(singular_item(2, &next))]);
    let mut node = Node::new(&l1);
    node.engine.refuses = Some(l2_tx(0));
    node.run_to_end();
    assert_eq!(node.pipeline.safe_head(), &sequencer.head);
    // nothing was left of the channel
    assert_eq!(node.reason_names(), ["channel_flushed"]);
}
