//! Which L2 blocks an L1 finality signal makes final (opstack 11 J, Finality; opstack 3.15).

use crate::support::{GENERIC_DA, KECCAK_DA, rollup};
use alloy_primitives::B256;
use doppio_derive::{Finality, FinalityOptions, FinalityStep, Found, Lookup};
use doppio_protocol::{L1BlockRef, L2BlockRef, config::Fork};
use proptest::prelude::*;

fn l1(number: u64) -> L1BlockRef {
    fork(number, 0)
}

/// An L1 block of a fork.
fn fork(number: u64, salt: u8) -> L1BlockRef {
    let mut hash = B256::from(alloy_primitives::U256::from(number));
    hash.0[0] = salt;
    L1BlockRef {
        hash,
        number,
        ..L1BlockRef::default()
    }
}

fn l2(number: u64) -> L2BlockRef {
    L2BlockRef {
        hash: B256::from(alloy_primitives::U256::from(1000 + number)),
        number,
        ..L2BlockRef::default()
    }
}

fn finality() -> Finality {
    Finality::new(&rollup(Fork::Jovian), FinalityOptions::default())
}

/// Goes on with L1 as it is; returns what becomes final and which heights were asked for.
fn run(finality: &mut Finality) -> (Option<u64>, Vec<u64>) {
    let mut asked = Vec::new();
    loop {
        match finality.step().unwrap() {
            FinalityStep::Wait => return (None, asked),
            FinalityStep::Finalize(block) => return (Some(block.number), asked),
            FinalityStep::Need(Lookup::L1ByNumber(number)) => {
                asked.push(number);
                finality.supply(Found::L1(l1(number))).unwrap();
            }
            FinalityStep::Need(lookup) => panic!("{lookup:?}"),
        }
    }
}

#[test]
fn basic() {
    let mut finality = finality();
    finality.derived(l2(5), l1(13).id());
    finality.exhausted(l1(13).id());
    finality.derived(l2(6), l1(14).id());
    finality.exhausted(l1(14).id());
    assert_eq!(run(&mut finality), (None, vec![]));
    finality.l1_finalized(l1(13)).unwrap();
    // 5 was completed by 13; 6 was not. L1 is asked for both the signal and what was derived from
    assert_eq!(run(&mut finality), (Some(5), vec![13]));
}

#[test]
fn retry() {
    let mut finality = finality();
    finality.derived(l2(5), l1(13).id());
    finality.l1_finalized(l1(13)).unwrap();
    let need = FinalityStep::Need(Lookup::L1ByNumber(13));
    assert_eq!(finality.step(), Ok(need));
    // a node that does not have the block yet is asked again
    finality.supply(Found::Nothing).unwrap();
    assert_eq!(finality.step(), Ok(need));
    assert!(finality.supply(Found::L1(l1(14))).is_err());
    assert_eq!(run(&mut finality), (Some(5), vec![13]));
}

#[test]
fn repeat() {
    let mut finality = finality();
    finality.derived(l2(5), l1(13).id());
    finality.derived(l2(6), l1(14).id());
    finality.l1_finalized(l1(13)).unwrap();
    assert_eq!(run(&mut finality).0, Some(5));
    finality.engine_finalized(l2(5));
    finality.l1_finalized(l1(14)).unwrap();
    assert_eq!(run(&mut finality).0, Some(6));
    finality.engine_finalized(l2(6));
    for number in 7..=11 {
        finality.derived(l2(number), l1(17).id());
    }
    // nothing new is finalized, so nothing is asked
    finality.l1_finalized(l1(14)).unwrap();
    assert_eq!(run(&mut finality), (None, vec![]));
    finality.l1_finalized(l1(17)).unwrap();
    assert_eq!(run(&mut finality), (Some(11), vec![17]));
}

#[test]
fn older_data() {
    let mut finality = finality();
    finality.derived(l2(3), l1(12).id());
    finality.derived(l2(4), l1(14).id());
    finality.l1_finalized(l1(13)).unwrap();
    assert_eq!(run(&mut finality), (Some(3), vec![13, 12]));
}

#[test]
fn reorg_safe() {
    let mut finality = finality();
    finality.derived(l2(3), l1(12).id());
    // a short-lived fork of L1
    finality.derived(l2(4), fork(13, 1).id());
    finality.derived(l2(5), fork(14, 1).id());
    finality.l1_finalized(l1(15)).unwrap();
    let supply = |finality: &mut Finality, number| {
        let need = FinalityStep::Need(Lookup::L1ByNumber(number));
        assert_eq!(finality.step(), Ok(need));
        finality.supply(Found::L1(l1(number))).unwrap();
    };
    supply(&mut finality, 15);
    supply(&mut finality, 14);
    let error = finality.step().unwrap_err();
    assert_eq!(
        (error.assumed, error.found),
        (fork(14, 1).id(), l1(14).id())
    );
    // derivation starts again, on the finalized chain; the signal is not forgotten
    finality.reset();
    finality.derived(l2(4), l1(15).id());
    finality.exhausted(l1(15).id());
    assert_eq!(run(&mut finality), (Some(4), vec![15]));
}

#[test]
fn a_signal_that_is_not_canonical_is_an_error() {
    let mut finality = finality();
    finality.derived(l2(3), l1(12).id());
    finality.l1_finalized(fork(13, 1)).unwrap();
    assert_eq!(
        finality.step(),
        Ok(FinalityStep::Need(Lookup::L1ByNumber(13)))
    );
    finality.supply(Found::L1(l1(13))).unwrap();
    assert_eq!(finality.step().unwrap_err().assumed, fork(13, 1).id());
}

#[test]
fn an_older_signal_is_refused_and_changes_nothing() {
    let mut finality = finality();
    finality.l1_finalized(l1(13)).unwrap();
    let error = finality.l1_finalized(l1(12)).unwrap_err();
    assert_eq!((error.signal, error.last), (l1(12).id(), l1(13).id()));
    assert_eq!(finality.finalized_l1(), Some(&l1(13)));
}

/// How far L1 must be derived after an attempt until the next one without a new signal.
fn attempts(options: FinalityOptions) -> Vec<u64> {
    let mut finality = Finality::new(&rollup(Fork::Jovian), options);
    finality.l1_finalized(l1(1_000)).unwrap();
    run(&mut finality);
    (1..=200)
        .filter(|number| {
            finality.derived(l2(*number), l1(*number).id());
            finality.exhausted(l1(*number).id());
            run(&mut finality).0.is_some()
        })
        .collect()
}

#[test]
fn while_catching_up_attempts_are_64_blocks_apart() {
    assert_eq!(attempts(FinalityOptions::default()), [1, 66, 131, 196]);
    let options = FinalityOptions {
        delay: Some(100),
        ..FinalityOptions::default()
    };
    assert_eq!(attempts(options), [1, 102]);
}

/// How many L1 blocks are remembered.
fn lookback(alt_da: Option<doppio_protocol::config::AltDaConfig>, option: Option<u64>) -> u64 {
    let mut rollup = rollup(Fork::Jovian);
    rollup.alt_da = alt_da;
    let options = FinalityOptions {
        lookback: option,
        delay: None,
    };
    let mut finality = Finality::new(&rollup, options);
    for number in 1..=1_000 {
        finality.derived(l2(number), l1(number).id());
    }
    // the oldest signal that still finds something
    (1..=1_000)
        .find(|number| {
            let mut finality = finality.clone();
            finality.l1_finalized(l1(*number)).unwrap();
            run(&mut finality).0.is_some()
        })
        .map_or(0, |oldest| 1_001 - oldest)
}

#[test]
fn the_lookback_is_four_epochs_or_what_challenges_take() {
    assert_eq!(lookback(None, None), 129);
    assert_eq!(lookback(Some(GENERIC_DA), None), 129);
    let mut long = KECCAK_DA;
    (long.da_challenge_window, long.da_resolve_window) = (100, 100);
    assert_eq!(lookback(Some(long), None), 201);
    assert_eq!(lookback(Some(long), Some(7)), 7);
    // nothing at all could never become final
    assert_eq!(lookback(None, Some(0)), 1);
}

proptest! {
    /// Whatever the order of events: what becomes final was completed by finalized L1 blocks, and
    /// is the newest that was.
    #[test]
    fn final_is_the_newest_block_whose_data_is(
        steps in proptest::collection::vec((0u64..3, 0u64..4), 1..60),
        signal in 0u64..80,
    ) {
        let mut finality = finality();
        let mut derived = Vec::new();
        let (mut number, mut from) = (0, 1);
        for (blocks, l1_blocks) in steps {
            from += l1_blocks;
            for _ in 0..blocks {
                number += 1;
                finality.derived(l2(number), l1(from).id());
                derived.push((number, from));
            }
        }
        finality.l1_finalized(l1(signal)).unwrap();
        let expected = derived
            .iter()
            .filter(|(_, from)| *from <= signal)
            .map(|(number, _)| *number)
            .max();
        prop_assert_eq!(run(&mut finality).0, expected);
    }
}
