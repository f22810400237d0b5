//! Which heads are trusted after a restart (opstack 11 J, FindSyncStart), and where the pipeline
//! starts for them.

use crate::support::{GENESIS_TIME, chain, rollup};
use alloy_primitives::B256;
use doppio_derive::{
    FindResetPoint, Found, Heads, L2Label, Lookup, ResetPointError, Search, SyncStart,
    SyncStartError, SyncStartOptions,
};
use doppio_protocol::{
    BlockId, L1BlockRef, L2BlockRef,
    config::{ChainConfig, Fork},
    system_config::SystemConfig,
};
use std::sync::Arc;

/// Chains whose blocks are letters: the hash of a block is its letter.
#[derive(Clone, Debug)]
struct Letters {
    /// L1 as it is now, from height 0 on.
    l1: Vec<L1BlockRef>,
    /// The engine's chain.
    l2: Vec<L2BlockRef>,
    finalized: Option<L2BlockRef>,
    safe: Option<L2BlockRef>,
}

fn letter(letter: char) -> B256 {
    B256::with_last_byte(u8::try_from(letter).unwrap())
}

fn l1_chain(letters: &str) -> Vec<L1BlockRef> {
    let mut parent_hash = B256::ZERO;
    (0u64..)
        .zip(letters.chars())
        .map(|(number, c)| {
            let hash = letter(c);
            let block = L1BlockRef {
                hash,
                number,
                parent_hash,
                timestamp: GENESIS_TIME + 12 * number,
            };
            parent_hash = hash;
            block
        })
        .collect()
}

/// One L2 block for each L1 block of `l1` from `offset` on.
fn l2_chain(letters: &str, l1: &[L1BlockRef], offset: usize) -> Vec<L2BlockRef> {
    let mut parent_hash = B256::ZERO;
    (0u64..)
        .zip(letters.chars())
        .zip(&l1[offset..])
        .map(|((number, c), origin)| {
            let hash = letter(c);
            let block = L2BlockRef {
                hash,
                number,
                parent_hash,
                timestamp: GENESIS_TIME + 2 * number,
                l1_origin: origin.id(),
                sequence_number: 0,
            };
            parent_hash = hash;
            block
        })
        .collect()
}

impl Letters {
    fn l2_by_letter(&self, c: char) -> L2BlockRef {
        let found = self.l2.iter().find(|block| block.hash == letter(c));
        *found.unwrap()
    }

    fn answer(&self, lookup: Lookup) -> Found {
        let l1 =
            |found: Option<&L1BlockRef>| found.map_or(Found::Nothing, |block| Found::L1(*block));
        let l2 =
            |found: Option<&L2BlockRef>| found.map_or(Found::Nothing, |block| Found::L2(*block));
        match lookup {
            Lookup::L1ByHash(hash) => l1(self.l1.iter().find(|block| block.hash == hash)),
            Lookup::L1ByNumber(number) => l1(self.l1.iter().find(|block| block.number == number)),
            Lookup::L2ByHash(hash) => l2(self.l2.iter().find(|block| block.hash == hash)),
            Lookup::L2ByNumber(number) => l2(self.l2.iter().find(|block| block.number == number)),
            Lookup::L2ByLabel(L2Label::Finalized) => l2(self.finalized.as_ref()),
            Lookup::L2ByLabel(L2Label::Safe) => l2(self.safe.as_ref()),
            Lookup::L2ByLabel(L2Label::Unsafe) => l2(self.l2.last()),
            Lookup::SystemConfig(hash) => {
                Found::SystemConfig(config_of(self.l2.iter().find(|block| block.hash == hash)))
            }
        }
    }

    fn heads(
        &self,
        chain: &Arc<ChainConfig>,
        options: SyncStartOptions,
    ) -> Result<Heads, SyncStartError> {
        let mut search = SyncStart::new(Arc::clone(chain), options);
        for _ in 0..10_000 {
            match search.step()? {
                Search::Found(heads) => return Ok(heads),
                Search::Need(lookup) => search.supply(self.answer(lookup)).unwrap(),
            }
        }
        panic!("the search does not end");
    }
}

/// A configuration that tells of which block it is.
fn config_of(block: Option<&L2BlockRef>) -> SystemConfig {
    SystemConfig {
        gas_limit: block.unwrap().number,
        ..rollup(Fork::Jovian).genesis.system_config
    }
}

/// A case of the reference's test: chains before and after, heads before and after.
struct Case {
    l1: &'static str,
    l2: &'static str,
    new_l1: &'static str,
    finalized: char,
    safe: char,
    genesis: (char, char, u64),
    window: u64,
    expected: Result<(char, char), Error>,
}

#[derive(Debug, PartialEq, Eq)]
enum Error {
    WrongL1,
    WrongL2,
    TooDeep,
}

fn chain_from(genesis: (char, char, u64), window: u64) -> Arc<ChainConfig> {
    let (l1, l2, number) = genesis;
    let mut rollup = rollup(Fork::Jovian);
    rollup.seq_window_size = window.max(2);
    rollup.genesis.l1 = BlockId {
        hash: letter(l1),
        number,
    };
    rollup.genesis.l2.hash = letter(l2);
    let mut chain = Arc::unwrap_or_clone(chain(rollup));
    // smaller than any real chain's, which the configuration refuses
    chain.rollup.seq_window_size = window;
    Arc::new(chain)
}

impl Case {
    #[track_caller]
    fn run(&self) {
        let chain = chain_from(self.genesis, self.window);
        let offset = usize::try_from(self.genesis.2).unwrap();
        let mut letters = Letters {
            l1: l1_chain(self.new_l1),
            l2: l2_chain(self.l2, &l1_chain(self.l1), offset),
            finalized: None,
            safe: None,
        };
        letters.finalized = Some(letters.l2_by_letter(self.finalized));
        letters.safe = Some(letters.l2_by_letter(self.safe));
        let heads = letters.heads(&chain, SyncStartOptions::default());
        let expected = self
            .expected
            .as_ref()
            .map(|(unsafe_head, safe)| (letter(*unsafe_head), letter(*safe)));
        let found = heads.map(|heads| (heads.unsafe_head.hash, heads.safe.hash));
        match (&found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(*found, expected),
            (Err(SyncStartError::WrongL1 { .. }), Err(Error::WrongL1))
            | (Err(SyncStartError::WrongL2 { .. }), Err(Error::WrongL2))
            | (Err(SyncStartError::TooDeep { .. }), Err(Error::TooDeep)) => {}
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }
}

macro_rules! cases {
    ($($name:ident: $l1:literal $l2:literal now $new_l1:literal,
       finalized $finalized:literal safe $safe:literal,
       genesis $genesis:expr, window $window:literal => $expected:expr;)*) => {$(
        #[test]
        fn $name() {
            Case {
                l1: $l1,
                l2: $l2,
                new_l1: $new_l1,
                finalized: $finalized,
                safe: $safe,
                genesis: $genesis,
                window: $window,
                expected: $expected,
            }
            .run();
        }
    )*};
}

// by the reference's names
cases! {
    already_synced: "ab" "AB" now "ab", finalized 'A' safe 'A',
        genesis ('a', 'A', 0), window 2 => Ok(('B', 'A'));
    already_synced_with_safe_head_after_genesis: "abcdefghijkl" "ABCDEFGHIJKL" now "abcdefghijkl",
        finalized 'B' safe 'D', genesis ('a', 'A', 0), window 2 => Ok(('L', 'C'));
    small_reorg_long_chain: "abcdefgh" "ABCDEFGH" now "abcdefgx", finalized 'B' safe 'H',
        genesis ('a', 'A', 0), window 2 => Ok(('G', 'C'));
    l1_chain_ahead: "abcdef" "ABCDE" now "abcdef", finalized 'A' safe 'D',
        genesis ('a', 'A', 0), window 2 => Ok(('E', 'A'));
    l2_chain_ahead_after_reorg: "abcxyz" "ABCXYZ" now "abcx", finalized 'B' safe 'X',
        genesis ('a', 'A', 0), window 2 => Ok(('Z', 'B'));
    genesis: "a" "A" now "a", finalized 'A' safe 'A',
        genesis ('a', 'A', 0), window 2 => Ok(('A', 'A'));
    reorg_one_step_back: "abcdefg" "ABCDEFG" now "abcdefx", finalized 'A' safe 'E',
        genesis ('a', 'A', 0), window 3 => Ok(('F', 'A'));
    reorg_two_steps_back_clip_genesis_and_finalized: "abc" "ABC" now "axy",
        finalized 'A' safe 'B', genesis ('a', 'A', 0), window 2 => Ok(('A', 'A'));
    reorg_three_steps_back: "abcdefgh" "ABCDEFGH" now "abcdexyz", finalized 'A' safe 'D',
        genesis ('a', 'A', 0), window 2 => Ok(('E', 'A'));
    unexpected_l1_chain: "abcdef" "ABCDEF" now "xyzwio", finalized 'A' safe 'B',
        genesis ('a', 'A', 0), window 2 => Err(Error::WrongL1);
    unexpected_l2_chain: "abcdef" "ABCDEF" now "xyzwio", finalized 'A' safe 'B',
        genesis ('a', 'X', 0), window 2 => Err(Error::WrongL2);
    offset_l2_genesis: "abcdefghi" "DEFGHI" now "abcdefghi", finalized 'E' safe 'H',
        genesis ('d', 'D', 3), window 2 => Ok(('I', 'E'));
    offset_l2_genesis_reorg: "abcdefgh" "DEFGH" now "abcdxyzw", finalized 'D' safe 'D',
        genesis ('d', 'D', 3), window 2 => Ok(('D', 'D'));
    reorg_past_offset_genesis: "abcdefgh" "DEFGH" now "abxyzwio", finalized 'D' safe 'D',
        genesis ('d', 'D', 3), window 2 => Err(Error::WrongL1);
    long_traverse_to_safe_head: "abcdefgh" "ABCDEFGH" now "abcdefgx", finalized 'B' safe 'B',
        genesis ('a', 'A', 0), window 1 => Ok(('G', 'B'));
    reorg_too_deep: "abcdefgh" "ABCDEFGH" now "abijklmn", finalized 'B' safe 'B',
        genesis ('a', 'A', 0), window 1 => Err(Error::TooDeep);
}

const GENESIS: (char, char, u64) = ('a', 'A', 0);

fn synced(l1: &str, l2: &str) -> Letters {
    let l1 = l1_chain(l1);
    Letters {
        l2: l2_chain(l2, &l1, 0),
        l1,
        finalized: None,
        safe: None,
    }
}

#[test]
fn without_labels_the_walk_ends_at_genesis() {
    let letters = synced("abcde", "ABCDE");
    let heads = letters
        .heads(&chain_from(GENESIS, 2), SyncStartOptions::default())
        .unwrap();
    assert_eq!(heads.finalized, letters.l2_by_letter('A'));
    assert_eq!(heads.safe, letters.l2_by_letter('A'));
    assert_eq!(heads.unsafe_head, letters.l2_by_letter('E'));
}

#[test]
fn a_missing_safe_label_means_the_finalized_block() {
    let mut letters = synced("abcdefgh", "ABCDEFGH");
    letters.finalized = Some(letters.l2_by_letter('C'));
    let heads = letters
        .heads(&chain_from(GENESIS, 2), SyncStartOptions::default())
        .unwrap();
    assert_eq!(heads.safe, letters.l2_by_letter('C'));
}

/// A long chain: letters are numbers here.
fn long(blocks: u64) -> (Letters, Arc<ChainConfig>) {
    let block = |number: u64, salt: u8| {
        let mut hash = B256::from(alloy_primitives::U256::from(number));
        hash.0[0] = salt;
        hash
    };
    let l1: Vec<_> = (0..blocks)
        .map(|number| L1BlockRef {
            hash: block(number, 1),
            number,
            parent_hash: block(number.wrapping_sub(1), 1),
            timestamp: GENESIS_TIME + 12 * number,
        })
        .collect();
    let l2: Vec<_> = l1
        .iter()
        .map(|origin| L2BlockRef {
            hash: block(origin.number, 2),
            number: origin.number,
            parent_hash: block(origin.number.wrapping_sub(1), 2),
            timestamp: GENESIS_TIME + 2 * origin.number,
            l1_origin: origin.id(),
            sequence_number: 0,
        })
        .collect();
    let mut rollup = rollup(Fork::Jovian);
    rollup.seq_window_size = 2;
    rollup.genesis.l1 = l1[0].id();
    rollup.genesis.l2 = l2[0].id();
    let (finalized, safe) = (Some(l2[0]), Some(l2[0]));
    let letters = Letters {
        l1,
        l2,
        finalized,
        safe,
    };
    (letters, chain(rollup))
}

// opstack-2026-09 3.14 *1
#[test]
fn lost_labels_are_set_behind_the_tip_by_the_offset() {
    // (offset in seconds, number of the safe head); blocks take 2 s, the tip is 29
    for (offset, safe) in [(0, 29), (1, 28), (2, 28), (3, 27), (16, 21), (600, 0)] {
        let (letters, chain) = long(30);
        let options = SyncStartOptions {
            offset_el_safe: offset,
            ..SyncStartOptions::default()
        };
        let heads = letters.heads(&chain, options).unwrap();
        assert_eq!(heads.unsafe_head.number, 29);
        assert_eq!(heads.safe.number, safe, "{offset}");
        assert_eq!(heads.finalized.number, safe, "{offset}");
    }
}

#[test]
fn labels_are_lost_only_beyond_14_windows() {
    // 14 windows of 2 blocks: an origin at 28 is not beyond them, one at 29 is
    for (blocks, safe) in [(29, 0), (30, 29)] {
        let (letters, chain) = long(blocks);
        let heads = letters.heads(&chain, SyncStartOptions::default()).unwrap();
        assert_eq!(heads.safe.number, safe, "{blocks}");
    }
}

#[test]
fn an_unsafe_head_behind_the_safe_one_takes_all_heads_with_it() {
    let mut letters = synced("abcdefgh", "ABCDEFGH");
    letters.finalized = Some(letters.l2_by_letter('B'));
    letters.safe = Some(letters.l2_by_letter('F'));
    letters.l2.truncate(4);
    let heads = letters
        .heads(&chain_from(GENESIS, 2), SyncStartOptions::default())
        .unwrap();
    let tip = letters.l2_by_letter('D');
    assert_eq!(
        (heads.unsafe_head, heads.safe, heads.finalized),
        (tip, tip, tip)
    );
}

#[test]
fn a_block_that_recovery_needs_must_be_there() {
    let (mut letters, chain) = long(30);
    letters.l2.retain(|block| block.number != 28);
    let options = SyncStartOptions {
        offset_el_safe: 2,
        ..SyncStartOptions::default()
    };
    assert_eq!(
        letters.heads(&chain, options),
        Err(SyncStartError::Missing(Lookup::L2ByNumber(28)))
    );
}

#[test]
fn another_block_at_the_finalized_height_is_refused() {
    let mut letters = synced("abcdefgh", "ABCDEFGH");
    letters.finalized = Some(L2BlockRef {
        hash: letter('?'),
        ..letters.l2_by_letter('C')
    });
    letters.safe = Some(letters.l2_by_letter('D'));
    assert!(matches!(
        letters.heads(&chain_from(GENESIS, 2), SyncStartOptions::default()),
        Err(SyncStartError::ReorgFinalized { .. })
    ));
}

#[test]
fn a_finalized_block_on_another_l1_is_refused() {
    let mut letters = synced("abcdefgh", "ABCDEFGH");
    letters.finalized = Some(letters.l2_by_letter('F'));
    letters.safe = letters.finalized;
    letters.l1 = l1_chain("abcdxyzw");
    assert!(matches!(
        letters.heads(&chain_from(GENESIS, 2), SyncStartOptions::default()),
        Err(SyncStartError::FinalizedOrigin { .. })
    ));
}

#[test]
fn incoherent_l2_chains_are_refused() {
    let chain = chain_from(GENESIS, 2);
    let refused = |change: fn(&mut Vec<L2BlockRef>)| {
        let mut letters = synced("abcdefgh", "ABCDEFGH");
        change(&mut letters.l2);
        letters
            .heads(&chain, SyncStartOptions::default())
            .unwrap_err()
    };
    let origin = |error| matches!(error, SyncStartError::Origin { .. });
    let sequence = |error| matches!(error, SyncStartError::SequenceNumber { .. });
    // the origin skips a block
    assert!(origin(refused(|l2| l2[6].l1_origin = l2[5].l1_origin)));
    // the origin changes, but the sequence number does not start again
    assert!(sequence(refused(|l2| l2[6].sequence_number = 1)));
    // the same origin, and the sequence number does not grow
    assert!(sequence(refused(|l2| {
        l2[7].l1_origin = l2[6].l1_origin;
        l2[7].sequence_number = 2;
    })));
    // the parent's origin is none of the canonical chain, although the child's is
    assert!(origin(refused(|l2| l2[5].l1_origin.hash = letter('?'))));
}

#[test]
fn skipping_the_check_jumps_to_the_safe_head_and_ends() {
    let options = SyncStartOptions {
        skip_check: true,
        ..SyncStartOptions::default()
    };
    let (mut letters, chain) = long(400);
    let at = |letters: &Letters, number: usize| Some(letters.l2[number]);
    letters.finalized = at(&letters, 2);
    letters.safe = at(&letters, 10);
    // what lies between is not looked at
    letters.l2[200].parent_hash = letter('?');
    let heads = letters.heads(&chain, options).unwrap();
    assert_eq!((heads.unsafe_head.number, heads.safe.number), (399, 9));
    // the reference never ends where the first canonical block is the safe head
    let (mut letters, chain) = long(400);
    letters.finalized = at(&letters, 2);
    letters.safe = at(&letters, 399);
    let heads = letters.heads(&chain, options).unwrap();
    assert_eq!((heads.unsafe_head.number, heads.safe.number), (399, 395));
}

#[test]
fn a_wrong_or_late_answer_leaves_the_search_where_it_is() {
    let letters = synced("abcdefgh", "ABCDEFGH");
    let chain = chain_from(GENESIS, 2);
    let mut search = SyncStart::new(chain, SyncStartOptions::default());
    let mut rounds = 0;
    loop {
        let step = search.step().unwrap();
        assert_eq!(search.step().unwrap(), step);
        let Search::Need(lookup) = step else { break };
        let wrong = match lookup {
            Lookup::L1ByHash(_) | Lookup::L1ByNumber(_) => Found::L2(letters.l2[0]),
            _ => Found::L1(letters.l1[0]),
        };
        assert!(search.supply(wrong).is_err());
        assert_eq!(search.step().unwrap(), step);
        search.supply(letters.answer(lookup)).unwrap();
        assert!(search.supply(letters.answer(lookup)).is_err());
        rounds += 1;
    }
    assert!(rounds > 10);
}

fn reset_point(
    letters: &Letters,
    chain: &Arc<ChainConfig>,
    safe: L2BlockRef,
) -> Result<doppio_derive::ResetPoint, ResetPointError> {
    let mut search = FindResetPoint::new(Arc::clone(chain), safe);
    loop {
        match search.step()? {
            Search::Found(point) => return Ok(point),
            Search::Need(lookup) => search.supply(letters.answer(lookup)).unwrap(),
        }
    }
}

// opstack 3.14
#[test]
fn the_pipeline_starts_a_channel_timeout_before_the_safe_head() {
    let (letters, chain) = long(200);
    assert_eq!(chain.channel_timeout(GENESIS_TIME), 50);
    let point = reset_point(&letters, &chain, letters.l2[120]).unwrap();
    assert_eq!(point.safe_head, letters.l2[120]);
    assert_eq!(point.safe_config.gas_limit, 120);
    assert_eq!(point.l1_start, letters.l1[70].id());
    assert_eq!(point.l1_start_config.gas_limit, 70);
}

#[test]
fn before_granite_the_configured_timeout_counts() {
    let (letters, chain) = long(200);
    let mut rollup = chain.rollup.clone();
    rollup.forks = doppio_protocol::config::ForkTimes::all_until(Fork::Fjord);
    rollup.channel_timeout = 10;
    let chain = crate::support::chain(rollup);
    let point = reset_point(&letters, &chain, letters.l2[120]).unwrap();
    assert_eq!(point.l1_start.number, 110);
}

#[test]
fn the_pipeline_never_starts_before_the_rollup() {
    let (letters, chain) = long(200);
    for safe in [0, 1, 49, 50] {
        let point = reset_point(&letters, &chain, letters.l2[safe]).unwrap();
        assert_eq!(point.l1_start, letters.l1[0].id());
    }
    let point = reset_point(&letters, &chain, letters.l2[51]).unwrap();
    assert_eq!(point.l1_start, letters.l1[1].id());
}

#[test]
fn a_chain_that_changes_meanwhile_has_no_reset_point() {
    let (letters, chain) = long(200);
    let safe = letters.l2[120];
    let mut without_parent = letters.clone();
    without_parent.l2.retain(|block| block.number != 100);
    assert!(matches!(
        reset_point(&without_parent, &chain, safe),
        Err(ResetPointError::L2Parent { child, .. }) if child.number == 101
    ));
    let mut without_origin = letters;
    without_origin.l1.retain(|block| block.number != 100);
    assert!(matches!(
        reset_point(&without_origin, &chain, safe),
        Err(ResetPointError::L1Origin { block, .. }) if block.number == 100
    ));
}
