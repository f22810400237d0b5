//! Recordings that begin mid-chain: cut out of whole ones, they give what the whole gives from
//! there on; and start.json is checked against their blocks.

use crate::support::{Copy, open, replay};
use alloy_primitives::Address;
use doppio_derive::{FindResetPoint, Found, Lookup, Search};
use doppio_protocol::{
    block::{L1BlockRef, L2BlockRef},
    config::Overrides,
    l2::L2Block,
};
use doppio_recorded::{RecordedChain, RecordingError, Replay, ReplayError, Start, StartError};
use doppio_test_vectors::Vectors;
use serde_json::{Value, json};
use std::{collections::HashMap, sync::LazyLock};

/// A whole recording, to cut others out of.
struct Whole {
    vectors: Vectors,
    name: &'static str,
    chain: RecordedChain,
    l1: HashMap<u64, L1BlockRef>,
    l2: HashMap<u64, L2Block>,
    /// The newest block that the whole derives.
    last: u64,
}

impl Whole {
    fn open(name: &'static str) -> Option<Self> {
        let vectors = Vectors::find("recorded")?;
        let chain = open(&vectors.path(name), Overrides::default()).unwrap();
        let l1 = chain.l1_blocks().unwrap().map(|block| {
            let block = block.unwrap().header.block_ref();
            (block.number, block)
        });
        let l2 = chain
            .l2_blocks
            .iter()
            .map(|block| (block.number, block.decode().unwrap()));
        Some(Self {
            l1: l1.collect(),
            l2: l2.collect(),
            last: replay(&vectors.path(name), Overrides::default()).matched,
            vectors,
            name,
            chain,
        })
    }

    fn l2_ref(&self, number: u64) -> L2BlockRef {
        self.l2[&number].block_ref(&self.chain.chain).unwrap()
    }

    /// Where op-node would go on if a block were its safe head.
    fn start(&self, safe_head: u64) -> Start {
        let mut find = FindResetPoint::new(self.chain.chain.clone(), self.l2_ref(safe_head));
        loop {
            let by_hash = |hash| self.l2.values().find(move |block| block.hash == hash);
            let found = match find.step().unwrap() {
                Search::Found(point) => {
                    return Start {
                        safe_head: point.safe_head,
                        system_config: point.safe_config,
                        l1_start: point.l1_start,
                        l1_start_config: point.l1_start_config,
                    };
                }
                Search::Need(Lookup::L1ByHash(hash)) => {
                    Found::L1(*self.l1.values().find(|block| block.hash == hash).unwrap())
                }
                Search::Need(Lookup::L2ByHash(hash)) => {
                    Found::L2(self.l2_ref(by_hash(hash).unwrap().header.number))
                }
                Search::Need(Lookup::SystemConfig(hash)) => {
                    let block = by_hash(hash).unwrap();
                    Found::SystemConfig(block.system_config(&self.chain.chain).unwrap())
                }
                Search::Need(other) => panic!("{other:?}"),
            };
            find.supply(found).unwrap();
        }
    }

    /// The recording from a safe head on: no L1 block, and no L2 block, that is not needed.
    fn cut(&self, safe_head: u64, test: &str) -> Copy {
        let copy = Copy::new(&self.vectors, self.name, test);
        let start = self.start(safe_head);
        copy.write("start.json", &serde_json::to_string(&start).unwrap());
        let lookback = self.chain.chain.batch_auth.lookback();
        let first = start.l1_start.number.saturating_sub(lookback);
        // both files begin with block 0, and have no gaps
        copy.keep_lines("l1", |number| number >= first);
        let origin = |number| self.l2_ref(number).l1_origin.number;
        copy.keep_lines("l2", |number| origin(number) >= start.l1_start.number);
        copy
    }

    /// Derives from a safe head on, and compares with what the whole gives from there.
    fn check(&self, safe_head: u64) {
        let cut = self.cut(safe_head, &format!("{}_{safe_head}", self.name));
        let report = replay(&cut.folder, Overrides::default());
        if AHEAD.contains(&(self.name, safe_head)) {
            assert!(!report.all_match());
            return;
        }
        let at = format!("{} from {safe_head}: {:#?}", self.name, report.mismatches);
        assert!(report.all_match(), "{at}");
        assert_eq!(report.matched, self.last - safe_head, "{at}");
        let l1_start = self.start(safe_head).l1_start.number;
        let l1_end = l1_start + report.l1_blocks;
        let lines = |name: &str| {
            let path = self.vectors.path(format!("{}/{name}.jsonl.gz", self.name));
            let text = path.exists().then(|| Vectors::read(&path));
            let text = String::from_utf8(text.unwrap_or_default()).unwrap();
            let lines = text
                .lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap());
            lines
                .filter(|line| (l1_start..l1_end).contains(&number(&line["l1"])))
                .collect::<Vec<_>>()
        };
        assert_eq!(report.verdicts.0, lines("verdicts").len() as u64, "{at}");
        let safe = lines("safe");
        let compared = safe
            .iter()
            .filter(|line| number(&line["safe"]["number"]) >= safe_head);
        // the block that the recording does not hold any more ends it within an L1 block
        let compared = compared.count() as u64;
        assert!(
            (compared - 1..=compared).contains(&report.safe_heads.0),
            "{at}"
        );
    }

    /// Cuts at several places.
    fn check_some(&self) {
        for part in [1, 4, 7] {
            self.check(self.last * part / 8);
        }
    }
}

/// Where derivation that begins anew is not the one that went on: the inbox holds a batch for the
/// next block that came before its time. Holocene drops it then for good, but who begins at the
/// block before it finds it fitting. op-node does the same after a restart.
const AHEAD: &[(&str, u64)] = &[("hostile-inbox", 79)];

/// A number in JSON, or in hexadecimal.
fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| {
        let digits = value.as_str().unwrap().trim_start_matches("0x");
        u64::from_str_radix(digits, 16).unwrap()
    })
}

/// What opening and deriving a recording fails with.
fn refusal(copy: &Copy) -> RecordingError {
    let chain = match open(&copy.folder, Overrides::default()) {
        Err(error) => return error,
        Ok(chain) => chain,
    };
    match Replay::new(&chain).run(|_| {}).unwrap_err() {
        ReplayError::Recording(error) => error,
        other => panic!("{other}"),
    }
}

/// A cut whose start.json is changed afterwards.
fn changed(whole: &Whole, test: &str, change: impl FnOnce(&mut Value)) -> Copy {
    let copy = whole.cut(whole.last / 2, test);
    copy.change_json("start.json", change);
    copy
}

/// The chain of the tests whose subject is start.json.
fn simple() -> Option<&'static Whole> {
    static WHOLE: LazyLock<Option<Whole>> = LazyLock::new(|| Whole::open(CHAIN));
    WHOLE.as_ref()
}

const CHAIN: &str = "calldata-singular-zlib";

#[test]
fn every_value_of_start_json_that_the_blocks_contradict_is_refused_by_name() {
    let Some(whole) = simple() else {
        return;
    };
    let other_hash = json!(whole.l2[&1].hash);
    let paths = [
        ("/safe_head/hash", "safe_head.hash", other_hash.clone()),
        (
            "/safe_head/parentHash",
            "safe_head.parentHash",
            other_hash.clone(),
        ),
        ("/safe_head/timestamp", "safe_head.timestamp", json!(1)),
        (
            "/safe_head/l1origin/hash",
            "safe_head.l1origin",
            other_hash.clone(),
        ),
        ("/safe_head/l1origin/number", "safe_head.l1origin", json!(1)),
        (
            "/safe_head/sequenceNumber",
            "safe_head.sequenceNumber",
            json!(99),
        ),
        ("/system_config/gasLimit", "system_config", json!(1)),
        (
            "/system_config/batcherAddr",
            "system_config",
            json!(Address::repeat_byte(1)),
        ),
        ("/l1_start/hash", "l1_start.hash", other_hash),
        (
            "/l1_start_config/batcherAddr",
            "l1_start_config.batcherAddr",
            json!(Address::repeat_byte(1)),
        ),
    ];
    for (path, expected, value) in paths {
        let test = path.replace('/', "_");
        let copy = changed(whole, &test, |start| {
            *start.pointer_mut(path).unwrap() = value
        });
        let error = refusal(&copy);
        let RecordingError::Start(StartError::Differs { name, .. }) = &error else {
            panic!("{path}: {error}");
        };
        assert_eq!(*name, expected, "{path}: {error}");
    }
}

#[test]
fn a_start_that_channels_reach_back_behind_is_refused() {
    let Some(whole) = simple() else {
        return;
    };
    let start = whole.start(whole.last / 2);
    assert!(start.l1_start.number > 0);
    let later = whole.l1[&(start.l1_start.number + 1)];
    let copy = changed(whole, "too_late", |start| {
        start["l1_start"] = json!(later.id());
    });
    let error = refusal(&copy);
    let is_too_late = matches!(
        error,
        RecordingError::Start(StartError::TooLate { l1_start, .. }) if l1_start == later.number
    );
    assert!(is_too_late, "{error}");
    // earlier than it must be is allowed
    let earlier = whole.l1[&(start.l1_start.number - 1)];
    let copy = changed(whole, "early", |start| {
        start["l1_start"] = json!(earlier.id())
    });
    assert!(matches!(refusal(&copy), RecordingError::NoStart(id) if id == earlier.id()));
    copy.restore(&whole.vectors, CHAIN, "l1.jsonl.gz");
    assert!(replay(&copy.folder, Overrides::default()).all_match());
}

#[test]
fn blocks_that_a_start_needs_and_that_are_missing_are_named() {
    let Some(whole) = simple() else {
        return;
    };
    let half = whole.last / 2;
    let without = |test: &str, missing: u64| {
        let copy = whole.cut(half, test);
        copy.change_lines("l2", |lines| {
            lines.retain(|line| number(&line["number"]) != missing)
        });
        refusal(&copy)
    };
    let error = without("no_safe_head", half);
    assert!(matches!(
        error,
        RecordingError::Start(StartError::NoSafeHead(id)) if id.number == half
    ));
    let error = without("l2_gap", half + 3);
    assert!(matches!(error, RecordingError::Start(StartError::Gap(at)) if at == half + 3));
    let copy = whole.cut(half, "l2_twice");
    copy.change_lines("l2", |lines| {
        let again = lines[5].clone();
        lines.push(again);
    });
    assert!(matches!(refusal(&copy), RecordingError::L2Twice(_)));
    let copy = whole.cut(half, "l2_order");
    copy.change_lines("l2", |lines| lines.swap(4, 5));
    assert!(replay(&copy.folder, Overrides::default()).all_match());
    let copy = changed(whole, "not_a_start", |start| start["safe_hed"] = json!(1));
    assert!(refusal(&copy).to_string().contains("safe_hed"));
}

#[test]
fn a_start_at_genesis_is_the_whole() {
    let Some(whole) = simple() else {
        return;
    };
    let copy = whole.cut(0, "from_genesis");
    let report = replay(&copy.folder, Overrides::default());
    let expected = replay(&whole.vectors.path(CHAIN), Overrides::default());
    assert_eq!(
        (report.matched, report.safe_heads, report.l1_blocks),
        (expected.matched, expected.safe_heads, expected.l1_blocks)
    );
    assert!(open(&copy.folder, Overrides::default()).unwrap().is_whole());
}

#[test]
fn only_what_begins_at_genesis_is_whole() {
    let Some(whole) = simple() else {
        return;
    };
    assert!(whole.chain.is_whole());
    let copy = whole.cut(1, "from_block_1");
    assert!(!open(&copy.folder, Overrides::default()).unwrap().is_whole());
}

#[test]
fn the_first_and_the_last_block_and_one_before_a_batch_that_came_early() {
    let Some(whole) = Whole::open("hostile-inbox") else {
        return;
    };
    whole.check(1);
    whole.check(whole.last - 1);
    whole.check(AHEAD[0].1);
}

macro_rules! chains {
    ($($test:ident: $chain:literal;)*) => {
        $(
            #[test]
            fn $test() {
                let Some(whole) = Whole::open($chain) else { return };
                whole.check_some();
            }
        )*

        #[test]
        #[ignore = "takes minutes"]
        fn every_cut_of_every_chain() {
            let mut failed = Vec::new();
            for chain in [$($chain),*] {
                let Some(whole) = Whole::open(chain) else { return };
                for safe_head in 0..whole.last {
                    let check = std::panic::AssertUnwindSafe(|| whole.check(safe_head));
                    if std::panic::catch_unwind(check).is_err() {
                        failed.push((chain, safe_head));
                    }
                }
            }
            assert_eq!(failed, []);
        }
    };
}

chains! {
    calldata_singular_zlib_in_parts: "calldata-singular-zlib";
    blobs_span_brotli_jovian_in_parts: "blobs-span-brotli-jovian";
    altda_span_brotli_in_parts: "altda-span-brotli";
    all_forks_calldata_in_parts: "all-forks-calldata";
    expired_windows_in_parts: "expired-windows";
    hostile_inbox_in_parts: "hostile-inbox";
    espresso_gen2_calldata_in_parts: "espresso-gen2-calldata";
    espresso_gen2_batcher_in_parts: "espresso-gen2-batcher";
}
