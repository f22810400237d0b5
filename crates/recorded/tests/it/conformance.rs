//! Chains that op-node, op-batcher and op-geth made: every block, safe head and inbox verdict is
//! theirs.

use crate::support::replay;
use doppio_protocol::config::Overrides;
use doppio_recorded::ReplayReport;
use doppio_test_vectors::Vectors;
use serde_json::Value;

/// Derives a chain again, and compares its counts with those of its files.
#[track_caller]
fn assert_equal(vectors: &Vectors, chain: &str) -> ReplayReport {
    let report = replay(&vectors.path(chain), Overrides::default());
    assert!(report.all_match(), "{chain}: {:#?}", report.mismatches);
    let lines = |name: &str| {
        let name = format!("{chain}/{name}.jsonl.gz");
        if vectors.path(&name).exists() {
            vectors.text(name).lines().count() as u64
        } else {
            0
        }
    };
    // up to op-node's last safe head, and the span that it was in the middle of
    let safe = vectors.text(format!("{chain}/safe.jsonl.gz"));
    let last: Value = serde_json::from_str(safe.lines().last().unwrap()).unwrap();
    assert!(
        last["safe"]["number"].as_u64().unwrap() <= report.matched,
        "{chain}"
    );
    assert!(report.matched < lines("l2"), "{chain}");
    assert_eq!(report.verdicts.0, lines("verdicts"), "{chain}");
    // the blocks after the last one that was recorded are not compared
    assert!(report.l1_blocks <= lines("l1"), "{chain}");
    assert!(report.safe_heads.0 > 0, "{chain}");
    report
}

/// A test for each chain that is known here, so that they run side by side.
macro_rules! chains {
    ($($test:ident: $chain:literal $(, $check:expr)?;)*) => {
        /// What has a test of its own.
        const KNOWN: &[&str] = &[$($chain),*];

        $(
            #[test]
            fn $test() {
                let Some(vectors) = Vectors::find("recorded") else {
                    return;
                };
                let _report = assert_equal(&vectors, $chain);
                $(
                    let check: fn(&ReplayReport) = $check;
                    check(&_report);
                )?
            }
        )*
    };
}

chains! {
    calldata_singular_zlib: "calldata-singular-zlib";
    blobs_span_brotli_jovian: "blobs-span-brotli-jovian";
    altda_span_brotli: "altda-span-brotli";
    all_forks_calldata: "all-forks-calldata";
    expired_windows: "expired-windows";
    hostile_inbox: "hostile-inbox", |report| {
        // two blocks with a transaction that no engine accepts
        assert_eq!(report.replaced, 2);
        // senders, frames, channels, batches: something was wrong with each
        for reason in ["inbox_sender", "frames", "channel_open", "batch_decode"] {
            assert!(report.dropped.contains_key(reason), "{reason}");
        }
    };
    espresso_gen2_calldata: "espresso-gen2-calldata", |report| {
        assert_eq!(report.dropped["inbox_not_authenticated"], 17);
        assert_eq!(report.dropped["inbox_sender"], 2);
    };
    espresso_gen2_batcher: "espresso-gen2-batcher";
}

#[test]
fn every_other_recorded_chain() {
    let Some(vectors) = Vectors::find("recorded") else {
        return;
    };
    let chains = vectors.list("");
    let is_chain = |chain: &&String| vectors.path(chain).join("rollup.json").exists();
    for known in KNOWN {
        assert!(chains.iter().any(|chain| chain == known), "{known}");
    }
    for chain in chains.iter().filter(is_chain) {
        if !KNOWN.contains(&chain.as_str()) {
            assert_equal(&vectors, chain);
        }
    }
}
