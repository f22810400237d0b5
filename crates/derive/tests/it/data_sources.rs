//! Which inbox transactions bring data, and which data (opstack 11 I; opstack 2.2, 2.3).

use crate::support::*;
use alloy_consensus::{TxEip1559, TxLegacy};
use alloy_primitives::{Address, Bytes, TxKind, U256};
use doppio_derive::{BlobRef, DropReason, InboxRefusal, Request, Response, Step, SupplyError};
use doppio_protocol::{
    blob::{Blob, BlobError},
    config::Fork,
    l1::L1Transaction,
};

/// What counts is what the batch stage sees: an item that is no frame is dropped as such, so the
/// data of each accepted transaction shows up as one drop.
fn accepted(node: &Node) -> Vec<bool> {
    node.verdicts
        .iter()
        .map(|verdict| verdict.verdict.is_ok())
        .collect()
}

fn refusals(node: &Node) -> Vec<InboxRefusal> {
    node.verdicts
        .iter()
        .filter_map(|verdict| verdict.verdict.err())
        .collect()
}

fn run(fork: Fork, transactions: Vec<L1Tx>) -> Node {
    let mut l1 = L1::new(&chain(rollup(fork)));
    l1.add(transactions);
    let mut node = Node::new(&l1);
    node.run_to_end();
    node
}

/// Data that is no frame, told apart by its last byte.
fn data(n: u8) -> Bytes {
    Bytes::from(vec![0xee, n])
}

const ELSEWHERE: Address = Address::repeat_byte(0xbb);

// Calldata: simple; other inbox; other author; inbox is author; author is inbox; unrelated;
// contract creation; empty tx; value tx; empty block; mixed
#[test]
fn only_the_batchers_transactions_to_the_inbox_count() {
    let creation = BATCHER.sign(TxEip1559 {
        chain_id: L1_CHAIN_ID,
        to: TxKind::Create,
        input: data(1),
        ..TxEip1559::default()
    });
    let value = BATCHER.sign(TxEip1559 {
        chain_id: L1_CHAIN_ID,
        to: TxKind::Call(INBOX),
        value: U256::from(7),
        input: data(2),
        ..TxEip1559::default()
    });
    for fork in [Fork::Delta, Fork::Jovian] {
        let node = run(
            fork,
            vec![
                L1Tx::to(BATCHER, ELSEWHERE, data(0)),
                L1Tx::to(BATCHER, BATCHER.address(), data(0)),
                L1Tx::to(STRANGER, ELSEWHERE, data(0)),
                L1Tx::signed(creation.clone()),
                // from here on to the inbox
                L1Tx::inbox(data(3)),
                L1Tx::to(STRANGER, INBOX, data(4)),
                L1Tx::inbox(Bytes::new()),
                L1Tx::signed(value.clone()),
            ],
        );
        assert_eq!(accepted(&node), [true, false, true, true], "{fork}");
        let indices: Vec<_> = node.verdicts.iter().map(|verdict| verdict.index).collect();
        assert_eq!(indices, [4, 5, 6, 7]);
        assert_eq!(
            refusals(&node),
            [InboxRefusal::Sender {
                found: STRANGER.address(),
                batcher: BATCHER.address()
            }]
        );
        // three items, none of them frames; the empty one is none either
        assert_eq!(
            node.reason_names(),
            ["inbox_sender", "frames", "frames", "frames"]
        );
    }
}

#[test]
fn the_inbox_address_may_be_the_batchers_own() {
    let mut rollup = rollup(Fork::Jovian);
    rollup.batch_inbox_address = BATCHER.address();
    let mut l1 = L1::new(&chain(rollup));
    l1.add([
        L1Tx::to(BATCHER, BATCHER.address(), data(0)),
        L1Tx::to(STRANGER, BATCHER.address(), data(1)),
    ]);
    let mut node = Node::new(&l1);
    node.run_to_end();
    assert_eq!(accepted(&node), [true, false]);
}

// kona: legacy and 2930 accepted, wrong signer, eip7702 ignored
#[test]
fn every_transaction_type_up_to_blobs_counts_and_no_other() {
    let typed = |input: u8| {
        vec![
            L1Tx::legacy(BATCHER, INBOX, data(input), Some(L1_CHAIN_ID)),
            // before EIP-155
            L1Tx::legacy(BATCHER, INBOX, data(input), None),
            L1Tx::access_list(BATCHER, INBOX, data(input)),
            L1Tx::inbox(data(input)),
            L1Tx::set_code(BATCHER, INBOX, data(input)),
            L1Tx {
                transaction: L1Transaction::Unknown {
                    tx_type: 0x55,
                    to: Some(INBOX),
                },
                ..L1Tx::inbox(data(input))
            },
            // an L1 that is itself a rollup
            L1Tx {
                transaction: L1Transaction::Deposit {
                    from: BATCHER.address(),
                    to: Some(INBOX),
                    input: data(input),
                },
                ..L1Tx::inbox(data(input))
            },
        ]
    };
    let node = run(Fork::Jovian, typed(1));
    assert_eq!(
        accepted(&node),
        [true, true, true, true, false, false, true]
    );
    assert_eq!(
        refusals(&node),
        [InboxRefusal::Type(4), InboxRefusal::Type(0x55)]
    );
}

#[test]
fn a_signature_for_another_chain_has_no_sender() {
    let other_chain = BATCHER.sign(TxLegacy {
        chain_id: Some(L1_CHAIN_ID + 1),
        to: TxKind::Call(INBOX),
        input: data(1),
        ..TxLegacy::default()
    });
    let node = run(Fork::Jovian, vec![L1Tx::signed(other_chain)]);
    assert_eq!(refusals(&node), [InboxRefusal::Signature]);
}

#[test]
fn a_reverted_transaction_counts_all_the_same() {
    let node = run(Fork::Jovian, vec![L1Tx::inbox(data(1)).reverted()]);
    assert_eq!(accepted(&node), [true]);
}

#[test]
fn a_new_batcher_counts_from_the_block_that_names_it() {
    use doppio_protocol::system_config::CONFIG_UPDATE;
    let name = |key: Key| {
        let mut update = vec![0; 96];
        update[31] = 32;
        update[63] = 32;
        update[76..].copy_from_slice(key.address().as_slice());
        let kind = alloy_primitives::B256::ZERO;
        L1Tx::with_logs(vec![log(
            SYSTEM_CONFIG,
            vec![CONFIG_UPDATE, kind, kind],
            update,
        )])
    };
    let mut l1 = L1::new(&chain(rollup(Fork::Jovian)));
    let both = || [L1Tx::inbox(data(1)), L1Tx::to(STRANGER, INBOX, data(2))];
    l1.add(both());
    // the log comes last in its block, and counts for all of it
    l1.add(both().into_iter().chain([name(STRANGER)]));
    l1.add(both());
    let mut node = Node::new(&l1);
    node.run_to_end();
    assert_eq!(accepted(&node), [true, false, false, true, false, true]);
}

/// A pipeline that waits for the blobs of a block with two blob transactions of the batcher and
/// one of a stranger.
fn waiting_for_blobs() -> (Node, Vec<(alloy_primitives::B256, Box<Blob>)>) {
    let mut l1 = L1::new(&chain(rollup(Fork::Jovian)));
    let blobs: Vec<_> = (0..6).map(|n| blob(&data(n))).collect();
    l1.add([
        L1Tx::blobs(STRANGER, ELSEWHERE, &blobs[..1]),
        L1Tx::blobs(BATCHER, INBOX, &blobs[1..3]),
        L1Tx::inbox(data(9)),
        L1Tx::blobs(STRANGER, INBOX, &blobs[3..4]),
        L1Tx::blobs(BATCHER, INBOX, &blobs[4..6]),
    ]);
    let mut node = Node::new(&l1);
    assert!(matches!(node.run(), End::Unanswered(Request::Blobs { .. })));
    (node, blobs)
}

// TestDataAndHashesFromTxs
#[test]
fn blob_indices_count_all_blobs_of_the_block() {
    let (node, blobs) = waiting_for_blobs();
    let Some(Request::Blobs { block, blobs: refs }) = node.requests.last().cloned() else {
        panic!("no blobs were asked for")
    };
    assert_eq!(block, node.l1.at(1));
    let expected: Vec<_> = [1, 2, 4, 5]
        .map(|index: usize| BlobRef {
            index: index as u64,
            versioned_hash: blobs[index].0,
        })
        .into();
    assert_eq!(refs, expected);
}

// TestFillBlobPointers
#[test]
fn too_few_or_too_many_blobs_change_nothing() {
    let (mut node, blobs) = waiting_for_blobs();
    let supply = |node: &mut Node, indices: &[usize]| {
        let blobs = indices
            .iter()
            .map(|index| blobs[*index].1.clone())
            .collect();
        node.pipeline.supply(Response::Blobs(blobs))
    };
    for wrong in [&[][..], &[1, 2, 4], &[1, 2, 4, 5, 5]] {
        let found = wrong.len();
        assert_eq!(
            supply(&mut node, wrong),
            Err(SupplyError::BlobCount { expected: 4, found })
        );
        assert!(matches!(
            node.pipeline.step(),
            Ok(Step::Need(Request::Blobs { .. }))
        ));
    }
    supply(&mut node, &[1, 2, 4, 5]).unwrap();
    node.run_to_end();
    // the stranger's transaction, and five items in order of the transactions
    assert_eq!(
        node.reason_names(),
        [
            "inbox_sender",
            "frames",
            "frames",
            "frames",
            "frames",
            "frames"
        ]
    );
    assert_eq!(
        supply(&mut node, &[1, 2, 4, 5]),
        Err(SupplyError::NotAsked("a blob"))
    );
}

/// A blob that several transactions carry, or one of them twice, is asked for and read as often.
// opstack-2026-09 2 *1
#[test]
fn a_blob_that_is_there_twice_counts_twice() {
    let mut l1 = L1::new(&chain(rollup(Fork::Jovian)));
    let blobs = [1, 2].map(|n| blob(&data(n)));
    let twice = [blobs[0].clone(), blobs[1].clone(), blobs[0].clone()];
    l1.add([
        L1Tx::blobs(BATCHER, INBOX, &twice),
        L1Tx::blobs(BATCHER, INBOX, &blobs[..1]),
    ]);
    let mut node = Node::new(&l1);
    let End::Unanswered(Request::Blobs { blobs: refs, .. }) = node.run() else {
        panic!("no blobs were asked for")
    };
    let hashes: Vec<_> = refs.iter().map(|blob| blob.versioned_hash).collect();
    assert_eq!(hashes, [0, 1, 0, 0].map(|index: usize| blobs[index].0));
    node.blobs = blobs.into();
    node.run_to_end();
    assert_eq!(node.reason_names(), ["frames"; 4]);
}

#[test]
fn blobs_and_calldata_keep_the_order_of_the_transactions() {
    let mut l1 = L1::new(&chain(rollup(Fork::Jovian)));
    let mut sequencer = Sequencer::new(&l1);
    let items: Vec<_> = (1..=4)
        .map(|n| singular_item(n, &[sequencer.block([l2_tx(u64::from(n))])]))
        .collect();
    let blobs = [blob(&items[0]), blob(&items[1]), blob(&items[3])];
    l1.add([
        L1Tx::blobs(BATCHER, INBOX, &blobs[..2]),
        L1Tx::inbox(items[2].clone()),
        L1Tx::blobs(BATCHER, INBOX, &blobs[2..]),
    ]);
    let mut node = Node::new(&l1);
    node.blobs = blobs.into();
    node.run_to_end();
    assert_eq!(node.reasons(), []);
    assert_eq!(node.pipeline.safe_head(), &sequencer.head);
}

// kona reads no calldata of blob transactions before Ecotone; op-node does
#[test]
fn before_ecotone_blob_transactions_are_read_as_calldata() {
    let blobs = [blob(&data(1))];
    let node = run(Fork::Delta, vec![L1Tx::blobs(BATCHER, INBOX, &blobs)]);
    assert_eq!(accepted(&node), [true]);
    // its calldata, a sentence, is an item that is no frame
    assert_eq!(node.reason_names(), ["frames"]);
    assert_eq!(node.requests.len(), 1);
}

// opstack 2.2
#[test]
fn a_blob_that_holds_no_data_is_dropped_and_the_others_count() {
    let mut l1 = L1::new(&chain(rollup(Fork::Jovian)));
    let mut sequencer = Sequencer::new(&l1);
    let item = singular_item(1, &[sequencer.block([])]);
    let good = blob(&item);
    let broken = |n: u8, byte: usize, value: u8| {
        let (mut hash, mut blob) = blob(&data(n));
        hash.0[31] = n;
        blob[byte] = value;
        (hash, blob)
    };
    let blobs = [
        broken(1, 1, 1),
        // a length beyond the blob
        broken(2, 2, 0xff),
        // the high bits of the second field element
        broken(3, 32, 0x80),
        // bytes behind the data
        broken(4, 100_000, 7),
        good,
    ];
    l1.add([L1Tx::blobs(BATCHER, INBOX, &blobs)]);
    let mut node = Node::new(&l1);
    node.blobs = blobs.into();
    node.run_to_end();
    assert!(
        node.reasons()
            .iter()
            .all(|reason| matches!(reason, DropReason::Blob(_)))
    );
    assert_eq!(node.reasons().len(), 4);
    assert!(matches!(
        node.reasons()[0],
        DropReason::Blob(BlobError::Version(1))
    ));
    assert_eq!(node.safe_number(), 1);
}

#[test]
fn a_block_whose_receipts_do_not_reach_its_inbox_transactions_is_not_taken() {
    let mut l1 = L1::new(&chain(rollup(Fork::Jovian)));
    l1.add([L1Tx::inbox(data(1)), L1Tx::inbox(data(2))]);
    let mut node = Node::new(&l1);
    node.l1.blocks.truncate(1);
    node.run_to_end();
    let mut block = l1.head().clone();
    block.receipts.pop();
    assert_eq!(
        node.pipeline.supply(Response::NextL1Block(block)),
        Err(SupplyError::Receipts {
            receipts: 1,
            index: 1
        })
    );
    assert!(matches!(node.pipeline.step(), Ok(Step::Exhausted(_))));
    node.l1 = l1;
    node.run_to_end();
    assert_eq!(accepted(&node), [true, true]);
}
