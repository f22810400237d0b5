//! Which L1 block the sequencer's next block takes: the reference's list, by its names.

use crate::{
    engines::Model,
    l1::{self, GENESIS_TIME},
    world::World,
};
use alloy_primitives::{B256, U256};
use doppio_node::{
    Event, Next, OriginError, OriginInput, SequencerNeed, SequencerOptions, select_origin,
};
use doppio_protocol::{
    L1BlockRef, L2BlockRef,
    config::{ChainConfig, Fork},
    l1::L1Block,
};
use std::sync::Arc;

/// A block of L1, so many seconds after genesis; `parent` is the one before it.
fn block(number: u64, seconds: u64, parent: Option<&L1BlockRef>) -> L1BlockRef {
    L1BlockRef {
        hash: B256::from(U256::from(0x1000 + number)),
        number,
        parent_hash: parent.map_or(B256::repeat_byte(1), |parent| parent.hash),
        timestamp: GENESIS_TIME + seconds,
    }
}

fn head(origin: &L1BlockRef, seconds: u64) -> L2BlockRef {
    L2BlockRef {
        number: 50,
        timestamp: GENESIS_TIME + seconds,
        l1_origin: origin.id(),
        ..L2BlockRef::default()
    }
}

/// A chain of before Fjord, with blocks each 2 seconds.
fn chain(drift: u64) -> Arc<ChainConfig> {
    l1::chain(Fork::Ecotone, |rollup| rollup.max_sequencer_drift = drift)
}

fn select(
    chain: &ChainConfig,
    head: &L2BlockRef,
    current: Option<&L1BlockRef>,
    next: Option<&L1BlockRef>,
    recover: bool,
) -> Result<u64, OriginError> {
    let input = OriginInput {
        head,
        current,
        next,
        recover,
    };
    select_origin(chain, input).map(|origin| origin.number)
}

const fn required(current: &L1BlockRef) -> Result<u64, OriginError> {
    Err(OriginError::NextRequired {
        current: current.id(),
    })
}

const fn orphaned(head: &L2BlockRef) -> Result<u64, OriginError> {
    Err(OriginError::Orphaned {
        origin: head.l1_origin,
    })
}

/// A sequencer at work.
fn sequencing(options: SequencerOptions) -> (World<'static, Model>, Vec<L1Block>) {
    let plan = l1::l1(std::iter::repeat_n(12, 30));
    let mut world = World::model(&l1::chain(Fork::Karst, |_| {}), &plan);
    world.start_sequencing(options);
    let end = world.now + 31_000;
    world.run_until(end, &plan).unwrap();
    (world, plan)
}

const fn is_origins(next: &Next) -> bool {
    matches!(next, Next::Sequence(SequencerNeed::Origins(_)))
}

/// L1 does not answer: it is asked again, and nothing else happens to the block.
// opstack 11 K, OriginSelector FetchCurrentError
#[test]
fn fetch_current_error() {
    let (mut world, plan) = sequencing(SequencerOptions::default());
    let asked = world.until(is_origins);
    for _ in 0..5 {
        assert_eq!(world.driver.step(world.now).unwrap(), asked);
        world.now += 500;
    }
    let before = world.heads().unsafe_head.number;
    let now = world.now;
    world.run_until(now, &plan).unwrap();
    assert!(world.heads().unsafe_head.number > before);
    assert_eq!(world.resets(), 0);
}

// opstack 11 K, OriginSelector FetchNextError
#[test]
fn fetch_next_error() {
    let chain = chain(500);
    let a = block(10, 20, None);
    assert_eq!(select(&chain, &head(&a, 24), Some(&a), None, false), Ok(10));
}

// opstack 11 K, OriginSelector Advances [normal, recover_mode]
#[test]
fn advances() {
    let chain = chain(500);
    let a = block(10, 20, None);
    let b = block(11, 22, Some(&a));
    let c = block(12, 24, Some(&b));
    let d = block(13, 36, Some(&c));
    for recover in [false, true] {
        let of = |head: L2BlockRef, current, next| select(&chain, &head, current, next, recover);
        assert_eq!(of(head(&a, 24), Some(&a), Some(&b)), Ok(11));
        assert_eq!(of(head(&b, 26), Some(&b), Some(&c)), Ok(12));
        assert_eq!(of(head(&c, 40), Some(&c), Some(&d)), Ok(13));
        let unknown = of(head(&c, 40), Some(&c), None);
        assert_eq!(unknown, if recover { required(&c) } else { Ok(12) });
    }
}

/// With `--sequencer.recover` the sequencer goes on at L1's head, where there is no next block.
// opstack 11 K, OriginSelector Advances [recover_mode]
#[test]
fn advances_in_recover_mode_at_the_head_of_l1() {
    let options = SequencerOptions {
        recover: true,
        ..SequencerOptions::default()
    };
    let (world, _) = sequencing(options);
    let heads = world.heads();
    assert!((heads.unsafe_head.timestamp + 2) * 1_000 > world.now);
    for block in world.sequenced() {
        assert_eq!(block.transactions.len(), 1, "no users' transactions");
    }
    assert!(!world.driver.is_recovering());
}

/// What was answered before a reset does not count.
// opstack 11 K, OriginSelector HandlesReset
#[test]
fn handles_reset() {
    let (mut world, plan) = sequencing(SequencerOptions::default());
    let next = world.until(is_origins);
    world.answer_next(next).unwrap();
    let next = world.driver.step(world.now).unwrap();
    assert!(matches!(next, Next::Sequence(SequencerNeed::Epoch { .. })));
    world.driver.reset("an operator wants it");
    // the answer to the other question comes all the same
    world.answer_next(next).unwrap();
    world.until(is_origins);
    let end = world.now + 10_000;
    world.run_until(end, &plan).unwrap();
    assert!((world.heads().unsafe_head.timestamp + 2) * 1_000 > world.now);
}

// opstack 11 K, OriginSelector FetchesNextOrigin
#[test]
fn fetches_next_origin() {
    let chain = chain(500);
    let a = block(10, 20, None);
    let b = block(11, 25, Some(&a));
    let l2 = head(&a, 24);
    assert_eq!(select(&chain, &l2, Some(&a), None, false), Ok(10));
    assert_eq!(select(&chain, &l2, Some(&a), Some(&b), false), Ok(11));
}

// opstack 11 K, OriginSelector HandlesReorg
#[test]
fn handles_reorg() {
    let chain = chain(500);
    let a = block(10, 20, None);
    let b = block(11, 22, Some(&a));
    let c = block(12, 24, None);
    let l2 = head(&b, 26);
    for recover in [false, true] {
        assert_eq!(
            select(&chain, &l2, Some(&b), Some(&c), recover),
            orphaned(&l2)
        );
    }
}

/// The sequencer then begins again from what L1 says.
// opstack 11 K, OriginSelector HandlesReorg
#[test]
fn handles_reorg_with_a_reset() {
    let (mut world, plan) = sequencing(SequencerOptions::default());
    let kept = world.l1.len() - 1;
    let mut other = plan[..kept].to_vec();
    l1::extend(&mut other, 1, std::iter::repeat_n(12, 20));
    world.set_l1(other[..kept + 2].to_vec());
    let end = world.now + 40_000;
    world.run_until(end, &other).unwrap();
    assert!(world.count(|event| matches!(event, Event::Reset(_))) >= 1);
    let head = world.heads().unsafe_head;
    let origin = world.l1_block(head.l1_origin.number).unwrap();
    assert_eq!(origin.header.hash, head.l1_origin.hash);
    assert!((head.timestamp + 2) * 1_000 > world.now);
}

// opstack 11 K, OriginSelector RespectsOriginTiming
#[test]
fn respects_origin_timing() {
    let chain = chain(500);
    let a = block(10, 20, None);
    let b = block(11, 25, Some(&a));
    for recover in [false, true] {
        assert_eq!(
            select(&chain, &head(&a, 22), Some(&a), Some(&b), recover),
            Ok(10)
        );
        // the first block that is not older
        assert_eq!(
            select(&chain, &head(&a, 23), Some(&a), Some(&b), recover),
            Ok(11)
        );
    }
}

// opstack 11 K, OriginSelector RespectsSeqDrift
#[test]
fn respects_seq_drift() {
    let chain = chain(8);
    let a = block(10, 20, None);
    let b = block(11, 25, Some(&a));
    assert_eq!(
        select(&chain, &head(&a, 27), Some(&a), Some(&b), false),
        Ok(11)
    );
    // the last block of the drift, and the one after it
    assert_eq!(select(&chain, &head(&a, 26), Some(&a), None, false), Ok(10));
    assert_eq!(
        select(&chain, &head(&a, 27), Some(&a), None, false),
        required(&a)
    );
}

/// A next block that is not deep enough is none. (Whoever answers [`SequencerNeed::Origins`] sees to
/// it.)
// opstack 11 K, OriginSelector RespectsConfDepth
#[test]
fn respects_conf_depth() {
    let chain = chain(500);
    let a = block(10, 20, None);
    assert_eq!(select(&chain, &head(&a, 27), Some(&a), None, false), Ok(10));
    // through the driver: the origin stays so far behind, and is taken as soon as it may be
    let plan = l1::l1(std::iter::repeat_n(12, 40));
    let mut world = World::model(&l1::chain(Fork::Karst, |_| {}), &plan);
    world.sequencer_confirmations = 4;
    world.start_sequencing(SequencerOptions::default());
    let end = plan[15].header.timestamp * 1_000;
    world
        .run_until_each(end, &plan, |world| {
            let head = world.heads().unsafe_head;
            let l1_head = world.l1.last().unwrap().header.number;
            let is_first = l1_head < l1::GENESIS_L1 + 4;
            assert!(is_first || head.l1_origin.number + 4 <= l1_head);
            Ok(())
        })
        .unwrap();
    let head = world.heads().unsafe_head;
    // the newest one that may be was not seen when the block was begun
    assert_eq!(head.l1_origin.number, l1::GENESIS_L1 + 15 - 5);
}

// opstack 11 K, OriginSelector StrictConfDepth
#[test]
fn strict_conf_depth() {
    let chain = chain(8);
    let a = block(10, 20, None);
    assert_eq!(
        select(&chain, &head(&a, 27), Some(&a), None, false),
        required(&a)
    );
}

// opstack 11 K, OriginSelector FjordSeqDrift
#[test]
fn fjord_seq_drift() {
    let chain = l1::chain(Fork::Ecotone, |rollup| {
        rollup.max_sequencer_drift = 8;
        rollup.forks.fjord = Some(GENESIS_TIME + 20);
    });
    let a = block(10, 20, None);
    assert_eq!(select(&chain, &head(&a, 27), Some(&a), None, false), Ok(10));
    // up to half an hour
    assert_eq!(
        select(&chain, &head(&a, 1_818), Some(&a), None, false),
        Ok(10)
    );
    assert_eq!(
        select(&chain, &head(&a, 1_819), Some(&a), None, false),
        required(&a)
    );
}

// opstack 11 K, OriginSelector SeqDriftRespectsNextOriginTime, SeqDriftRespectsNextOriginTimeNoCache
#[test]
fn seq_drift_respects_next_origin_time() {
    let chain = chain(8);
    let a = block(10, 20, None);
    let b = block(11, 100, Some(&a));
    for recover in [false, true] {
        assert_eq!(
            select(&chain, &head(&a, 27), Some(&a), Some(&b), recover),
            Ok(10)
        );
    }
}

// opstack 11 K, OriginSelector HandlesLateL1Blocks
#[test]
fn handles_late_l1_blocks() {
    let chain = chain(8);
    let a = block(10, 20, None);
    let b = block(11, 100, Some(&a));
    // two blocks behind the head: b is seen when d is there
    for l1_head in [11, 12, 13] {
        let next = (11 + 2 <= l1_head).then_some(&b);
        let expected = if l1_head == 13 { Ok(10) } else { required(&a) };
        assert_eq!(
            select(&chain, &head(&a, 27), Some(&a), next, false),
            expected
        );
    }
}

// opstack 11 K, OriginSelector FindL1OriginOfNextL2Block
#[test]
fn find_l1_origin_of_next_l2_block() {
    let chain = l1::chain(Fork::Karst, |_| {});
    let a100 = block(100, 1_200, None);
    let a101 = block(101, 1_212, Some(&a100));
    let c101 = block(101, 1_212, None);
    let b1000 = head(&a100, 1_220);
    let other = head(&c101, 1_220);
    let rows = [
        ("normal progress", b1000, Some(&a101), false, Ok(101)),
        ("recover progress", b1000, Some(&a101), true, Ok(101)),
        ("no need to progress", b1000, None, false, Ok(100)),
        (
            "recover, need but can't",
            b1000,
            None,
            true,
            required(&a100),
        ),
        ("L1 reorg", b1000, Some(&c101), false, orphaned(&b1000)),
        (
            "invalid L1 origin",
            other,
            Some(&a101),
            false,
            orphaned(&other),
        ),
        (
            "drift at maximum, next available",
            head(&a100, 3_000),
            Some(&a101),
            false,
            Ok(101),
        ),
        (
            "drift at maximum, next unavailable",
            head(&a100, 3_000),
            None,
            false,
            required(&a100),
        ),
        (
            "negative drift",
            head(&a100, 1_200),
            Some(&a101),
            false,
            Ok(100),
        ),
        (
            "negative drift in recover mode",
            head(&a100, 1_200),
            Some(&a101),
            true,
            Ok(100),
        ),
    ];
    for (name, head, next, recover, expected) in rows {
        let found = select(&chain, &head, Some(&a100), next, recover);
        assert_eq!(found, expected, "{name}");
    }
    let gone = select(&chain, &b1000, None, Some(&a101), false);
    assert_eq!(gone, orphaned(&b1000), "an origin that L1 does not have");
}
