//! Which L1 block the sequencer's next block takes.

use crate::world::Recorded;
use alloy_primitives::B256;
use doppio_node::{OriginError, OriginInput, select_origin};
use doppio_protocol::{L1BlockRef, L2BlockRef, config::ChainConfig};
use std::sync::Arc;

fn chain() -> Option<Arc<ChainConfig>> {
    Some(Recorded::open("calldata-singular-zlib")?.chain.chain)
}

fn l1(number: u64, timestamp: u64) -> L1BlockRef {
    let hash = |number: u64| B256::from(alloy_primitives::U256::from(number + 1));
    L1BlockRef {
        hash: hash(number),
        number,
        parent_hash: hash(number.wrapping_sub(1)),
        timestamp,
    }
}

fn head(origin: &L1BlockRef, timestamp: u64) -> L2BlockRef {
    L2BlockRef {
        number: 50,
        timestamp,
        l1_origin: origin.id(),
        ..L2BlockRef::default()
    }
}

struct Case {
    chain: Arc<ChainConfig>,
    current: L1BlockRef,
    next: L1BlockRef,
}

fn case() -> Option<Case> {
    Some(Case {
        chain: chain()?,
        current: l1(100, 10_000),
        next: l1(101, 10_012),
    })
}

impl Case {
    fn select(
        &self,
        time: u64,
        current: Option<&L1BlockRef>,
        next: Option<&L1BlockRef>,
        recover: bool,
    ) -> Result<u64, OriginError> {
        let head = head(&self.current, time);
        let input = OriginInput {
            head: &head,
            current,
            next,
            recover,
        };
        select_origin(&self.chain, input).map(|origin| origin.number)
    }
}

#[test]
fn the_next_origin_is_taken_as_soon_as_the_block_is_not_older() {
    let Some(case) = case() else { return };
    let block_time = case.chain.rollup.block_time;
    let (current, next) = (Some(&case.current), Some(&case.next));
    let just = case.next.timestamp - block_time;
    assert_eq!(case.select(just - 1, current, next, false), Ok(100));
    assert_eq!(case.select(just, current, next, false), Ok(101));
}

#[test]
fn without_a_next_origin_the_current_one_lasts_as_long_as_the_drift() {
    let Some(case) = case() else { return };
    let block_time = case.chain.rollup.block_time;
    let current = Some(&case.current);
    let drift = case.chain.max_sequencer_drift(case.current.timestamp);
    let last = case.current.timestamp + drift - block_time;
    assert_eq!(case.select(last, current, None, false), Ok(100));
    let required = OriginError::NextRequired {
        current: case.current.id(),
    };
    assert_eq!(case.select(last + 1, current, None, false), Err(required));
}

#[test]
fn an_origin_that_l1_does_not_have_any_more_is_a_reset() {
    let Some(case) = case() else { return };
    let time = case.current.timestamp;
    let orphaned = Err(OriginError::Orphaned {
        origin: case.current.id(),
    });
    assert_eq!(case.select(time, None, Some(&case.next), false), orphaned);
    let other = L1BlockRef {
        hash: B256::repeat_byte(9),
        ..case.current
    };
    assert_eq!(case.select(time, Some(&other), None, false), orphaned);
    let next = L1BlockRef {
        parent_hash: B256::repeat_byte(9),
        ..case.next
    };
    assert_eq!(
        case.select(time, Some(&case.current), Some(&next), false),
        orphaned
    );
}

#[test]
fn a_chain_that_recovers_takes_the_origins_that_derivation_would_choose() {
    let Some(case) = case() else { return };
    let block_time = case.chain.rollup.block_time;
    let (current, next) = (Some(&case.current), Some(&case.next));
    let just = case.next.timestamp - block_time;
    assert_eq!(case.select(just, current, next, true), Ok(101));
    // an origin is never newer than its block
    assert_eq!(case.select(just - 1, current, next, true), Ok(100));
    let required = OriginError::NextRequired {
        current: case.current.id(),
    };
    assert_eq!(case.select(just, current, None, true), Err(required));
}
