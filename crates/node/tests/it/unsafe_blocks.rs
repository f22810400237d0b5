//! Blocks that came before their turn.

use alloy_primitives::{B256, U256};
use doppio_node::{Refused, UnsafeBlocks};
use doppio_protocol::{L2BlockRef, l2::L2Block};
use std::sync::Arc;

fn hash(number: u64, branch: u8) -> B256 {
    let mut hash = B256::from(U256::from(number));
    hash[0] = branch;
    hash
}

/// A block of a branch on a parent of another.
fn block(number: u64, branch: u8, parent: u8, size: usize) -> Arc<L2Block> {
    let mut block = L2Block {
        hash: hash(number, branch),
        transactions: vec![vec![0; size].into()],
        ..L2Block::default()
    };
    block.header.number = number;
    block.header.parent_hash = hash(number - 1, parent);
    Arc::new(block)
}

fn at(number: u64, branch: u8) -> L2BlockRef {
    L2BlockRef {
        number,
        hash: hash(number, branch),
        ..L2BlockRef::default()
    }
}

#[test]
fn blocks_come_out_by_height_once_their_parent_is_the_head() {
    let mut blocks = UnsafeBlocks::default();
    let safe = at(5, 0);
    for number in [9, 7, 8] {
        blocks.push(block(number, 0, 0, 10), &safe).unwrap();
    }
    assert!(
        blocks.next_after(&at(5, 0), &safe).is_none(),
        "6 is missing"
    );
    assert_eq!(blocks.len(), 3);
    for number in [7, 8, 9] {
        let next = blocks.next_after(&at(number - 1, 0), &safe).unwrap();
        assert_eq!(next.header.number, number);
    }
    assert!(blocks.next_after(&at(9, 0), &safe).is_none());
    assert!(blocks.is_empty(), "what became the head is gone");
    assert_eq!(blocks.bytes(), 0);
}

#[test]
fn a_block_on_another_parent_gives_way() {
    let mut blocks = UnsafeBlocks::default();
    let safe = at(5, 0);
    blocks.push(block(7, 1, 9, 10), &safe).unwrap();
    blocks.push(block(7, 2, 0, 10), &safe).unwrap();
    let next = blocks.next_after(&at(6, 0), &safe).unwrap();
    assert_eq!(next.hash, hash(7, 2));
    assert_eq!(blocks.len(), 1);
}

#[test]
fn what_is_known_old_or_too_large_is_refused() {
    let mut blocks = UnsafeBlocks::new(10_000);
    let safe = at(5, 0);
    assert_eq!(blocks.push(block(5, 0, 0, 10), &safe), Err(Refused::Old(5)));
    blocks.push(block(6, 0, 0, 10), &safe).unwrap();
    assert_eq!(blocks.push(block(6, 0, 0, 10), &safe), Err(Refused::Known));
    let large = blocks.push(block(7, 0, 0, 10_000), &safe);
    assert!(matches!(large, Err(Refused::TooLarge(_))));
    assert_eq!(blocks.len(), 1);
}

#[test]
fn there_are_never_more_bytes_than_allowed_and_the_lowest_go() {
    let mut blocks = UnsafeBlocks::new(10_000);
    let safe = at(5, 0);
    for number in (6..40).rev() {
        let _ = blocks.push(block(number, 0, 0, 2_000), &safe);
        assert!(blocks.bytes() <= 10_000);
    }
    assert_eq!(blocks.len(), 3);
    assert_eq!(blocks.first().unwrap().header.number, 37);
}
