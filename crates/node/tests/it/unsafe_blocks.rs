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

// opstack 11 K, payload queue: by number; UnsafeSync, out of order
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

// opstack 11 K, payload queue: capacity
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

/// 800 bytes for a block, and 24 for each transaction beside its own.
// opstack 11 K, payload queue: mem size
#[test]
fn a_block_is_counted_with_its_transactions_and_what_holds_them() {
    let safe = at(5, 0);
    for (sizes, expected) in [
        (&[][..], 800),
        (&[10], 800 + 34),
        (&[10, 20], 800 + 34 + 44),
        (&[0, 0, 0], 800 + 3 * 24),
        (&[150_000], 800 + 150_024),
    ] {
        let mut block = (*block(6, 0, 0, 0)).clone();
        block.transactions = sizes.iter().map(|size| vec![0; *size].into()).collect();
        let mut blocks = UnsafeBlocks::default();
        blocks.push(Arc::new(block), &safe).unwrap();
        assert_eq!(blocks.bytes(), expected);
        blocks.pop().unwrap();
        assert_eq!(blocks.bytes(), 0);
    }
}

// opstack 11 K, payload queue: re-add after pop
#[test]
fn a_block_that_was_taken_away_may_come_again() {
    let safe = at(5, 0);
    let mut blocks = UnsafeBlocks::default();
    let one = block(6, 0, 0, 10);
    for _ in 0..3 {
        blocks.push(Arc::clone(&one), &safe).unwrap();
        assert_eq!(blocks.push(Arc::clone(&one), &safe), Err(Refused::Known));
        assert_eq!(blocks.pop().unwrap().hash, one.hash);
        blocks.push(Arc::clone(&one), &safe).unwrap();
        assert!(blocks.remove(&one));
        assert!(!blocks.remove(&one));
    }
    assert!(blocks.is_empty());
}

/// A block that has no place goes at once, and whoever brought it is told.
// opstack 11 K, payload queue: capacity (Pop_SameElementFullQueue)
#[test]
fn the_lowest_block_has_no_place_when_all_is_full() {
    let safe = at(5, 0);
    let mut blocks = UnsafeBlocks::new(2_000);
    blocks.push(block(8, 0, 0, 100), &safe).unwrap();
    blocks.push(block(9, 0, 0, 100), &safe).unwrap();
    assert_eq!(
        blocks.push(block(7, 0, 0, 300), &safe),
        Err(Refused::Full(7))
    );
    assert_eq!(
        (blocks.len(), blocks.first().unwrap().header.number),
        (2, 8)
    );
    // a higher one takes the place of the lowest
    blocks.push(block(10, 0, 0, 100), &safe).unwrap();
    assert_eq!(
        (blocks.len(), blocks.first().unwrap().header.number),
        (2, 9)
    );
}

/// What is left of blocks for heads, and what comes next. The safe head is 5, the unsafe head 8.
// opstack 11 K, payload queue: DropInapplicable, by the names of its cases
#[test]
fn drop_inapplicable() {
    let (head, safe) = (at(8, 0), at(5, 0));
    let of = |queue: &[(u64, u8, u8)]| {
        let mut blocks = UnsafeBlocks::default();
        for (number, branch, parent) in queue {
            // as they came before the safe head was there
            blocks
                .push(block(*number, *branch, *parent, 10), &at(0, 0))
                .unwrap();
        }
        let next = blocks.next_after(&head, &safe).map(|block| block.hash);
        let first = blocks.first().map(|block| block.header.number);
        (next, blocks.len(), first)
    };
    type Queue = &'static [(u64, u8, u8)];
    let cases: [(&str, Queue, _); 7] = [
        (
            "PopsMultipleInapplicable",
            &[(4, 0, 0), (6, 1, 0), (9, 1, 1)],
            (None, 0, None),
        ),
        ("RemovesAlreadyProcessed", &[(8, 0, 0)], (None, 0, None)),
        (
            "DropOlderThanSafe",
            &[(5, 0, 0), (12, 0, 0)],
            (None, 1, Some(12)),
        ),
        (
            "DropOlderThanUnsafe",
            &[(7, 3, 0), (12, 0, 0)],
            (None, 1, Some(12)),
        ),
        ("DropNextHeightMismatch", &[(9, 0, 1)], (None, 0, None)),
        (
            "NonAdjacentMismatchReturns",
            &[(10, 0, 1)],
            (None, 1, Some(10)),
        ),
        (
            "ApplicablePayloadKept",
            &[(9, 0, 0)],
            (Some(hash(9, 0)), 1, Some(9)),
        ),
    ];
    for (name, queue, expected) in cases {
        assert_eq!(of(queue), expected, "{name}");
    }
}
