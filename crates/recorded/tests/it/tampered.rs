//! A recording with something changed is found out.

use crate::support::{Copy, open, replay};
use doppio_protocol::config::{AuthRule, ChainProfile, Overrides};
use doppio_recorded::{Mismatch, RecordingError, Replay, ReplayError};
use doppio_test_vectors::Vectors;
use serde_json::{Value, json};

const CHAIN: &str = "espresso-gen2-calldata";

fn copy(chain: &str, test: &str) -> Option<Copy> {
    Some(Copy::new(&Vectors::find("recorded")?, chain, test))
}

/// What replaying a changed recording ends with.
fn run(copy: &Copy) -> Result<doppio_recorded::ReplayReport, ReplayError> {
    let chain = open(&copy.folder, Overrides::default())?;
    Replay::new(&chain).run(|_| {})
}

#[test]
fn an_unchanged_copy_matches() {
    let Some(copy) = copy(CHAIN, "unchanged") else {
        return;
    };
    copy.change_lines("l2", |_| ());
    copy.change_lines("safe", |_| ());
    assert!(run(&copy).unwrap().all_match());
}

#[test]
fn a_block_with_another_hash_than_its_content_is_refused() {
    let Some(copy) = copy(CHAIN, "l2_hash") else {
        return;
    };
    copy.change_lines("l2", |lines| {
        lines[7]["hash"] = lines[8]["hash"].clone();
    });
    let error = run(&copy).unwrap_err();
    let is_hash = matches!(
        error,
        ReplayError::Recording(RecordingError::L2Hash { number: 7, .. })
    );
    assert!(is_hash, "{error}");
}

#[test]
fn a_safe_head_that_differs_is_a_mismatch() {
    let Some(copy) = copy(CHAIN, "safe_head") else {
        return;
    };
    copy.change_lines("safe", |lines| {
        let changed = lines[32]["safe"].clone();
        assert_ne!(lines[31]["safe"], changed);
        lines[31]["safe"] = changed;
    });
    let report = run(&copy).unwrap();
    assert_eq!(report.safe_heads.1, 1);
    assert_eq!((report.mismatched, report.verdicts.1), (0, 0));
    assert!(matches!(report.mismatches[..], [Mismatch::SafeHead { .. }]));
    assert!(!report.all_match());
}

#[test]
fn a_verdict_that_differs_is_a_mismatch() {
    let Some(copy) = copy(CHAIN, "verdict") else {
        return;
    };
    copy.change_lines("verdicts", |lines| {
        lines[0]["node"] = "refused".into();
        // a transaction that is none
        let mut none = lines[0].clone();
        none["index"] = 99.into();
        none["node"] = "accepted".into();
        lines.push(none);
    });
    let report = run(&copy).unwrap();
    assert_eq!(report.verdicts.1, 2);
    assert!(!report.all_match());
}

#[test]
fn blocks_after_the_last_recorded_one_are_not_counted() {
    let Some(copy) = copy(CHAIN, "shorter") else {
        return;
    };
    copy.change_lines("l2", |lines| lines.truncate(101));
    let report = run(&copy).unwrap();
    assert_eq!((report.derived, report.matched), (100, 100));
    assert!(report.all_match());
}

#[test]
fn a_recording_without_blocks_does_not_match() {
    let Some(copy) = copy(CHAIN, "nothing") else {
        return;
    };
    copy.change_lines("l2", |lines| lines.truncate(1));
    assert!(!run(&copy).unwrap().all_match());
}

#[test]
fn a_block_that_was_derived_from_other_data_is_a_mismatch() {
    let Some(copy) = copy(CHAIN, "other_config") else {
        return;
    };
    copy.change_json("rollup.json", |rollup| {
        rollup["genesis"]["system_config"]["gasLimit"] = 29_999_999.into();
    });
    let report = run(&copy).unwrap();
    assert!(report.mismatched > 0);
    let Mismatch::Block { fields, .. } = &report.mismatches[0] else {
        panic!("{:?}", report.mismatches[0]);
    };
    assert_eq!(fields[0].0, "gas limit");
}

#[test]
fn l1_blocks_are_checked_against_their_hashes_and_roots() {
    /// A change of an L1 block, and its name.
    type Change = (&'static str, fn(&mut Value));
    let changes: [Change; 5] = [
        ("header", |line| {
            line["block"]["timestamp"] = json!("0x1");
        }),
        ("transaction", |line| {
            let input = &mut line["block"]["transactions"][0]["input"];
            *input = json!(format!("{}00", input.as_str().unwrap()));
        }),
        ("transactions", |line| {
            line["block"]["transactions"] = json!([]);
        }),
        ("receipt", |line| {
            line["receipts"][0]["status"] = json!("0x0");
        }),
        ("receipts", |line| {
            line["receipts"] = json!([]);
        }),
    ];
    for (name, change) in changes {
        let Some(copy) = copy(CHAIN, name) else {
            return;
        };
        copy.change_lines("l1", |lines| {
            let is_data = |line: &&mut Value| {
                let block = &line["block"];
                block["transactions"] != json!([]) && line["receipts"][0]["status"] == "0x1"
            };
            change(lines.iter_mut().find(is_data).unwrap());
        });
        let error = run(&copy).unwrap_err();
        let is_l1 = matches!(error, ReplayError::Recording(RecordingError::L1(_)));
        assert!(is_l1, "{name}: {error}");
    }
}

#[test]
fn an_l1_block_that_is_left_out_is_refused() {
    let Some(copy) = copy(CHAIN, "gap") else {
        return;
    };
    copy.change_lines("l1", |lines| {
        lines.remove(20);
    });
    assert!(matches!(run(&copy).unwrap_err(), ReplayError::Supply(_)));
}

#[test]
fn data_that_was_not_recorded_is_an_error_and_no_drop() {
    for (chain, file) in [
        ("altda-span-brotli", "payloads"),
        ("blobs-span-brotli-jovian", "blobs"),
    ] {
        let Some(copy) = copy(chain, file) else {
            return;
        };
        copy.change_lines(file, |lines| {
            lines.remove(3);
        });
        let error = run(&copy).unwrap_err();
        assert!(matches!(error, ReplayError::Unanswered(_)), "{error}");
    }
}

#[test]
fn a_payload_that_was_refused_for_good_is_a_drop() {
    let Some(copy) = copy("altda-span-brotli", "refused_payload") else {
        return;
    };
    copy.change_lines("payloads", |lines| {
        let line = lines[3].as_object_mut().unwrap();
        line.remove("payload").unwrap();
        line.insert("dropped".to_owned(), json!("certificate is too old"));
    });
    let report = run(&copy).unwrap();
    assert_eq!(report.dropped["payload"], 1);
    assert!(!report.all_match());
}

#[test]
fn the_profile_of_the_folder_says_who_may_post() {
    let Some(copy) = copy("calldata-singular-zlib", "profile") else {
        return;
    };
    let config_id = |overrides| open(&copy.folder, overrides).unwrap().chain.config_id();
    let by_chain = config_id(Overrides::default());
    // transactions to an account: no receipt of a contract call, but of status 1
    copy.write(
        "profile.json",
        &json!({ "batch_auth": { "rule": "inbox-contract", "from": 0 } }).to_string(),
    );
    assert!(replay(&copy.folder, Overrides::default()).all_match());
    let by_file = config_id(Overrides::default());
    assert_ne!(by_file, by_chain);
    // in the inline form the last 65 bytes are a signature: no frame is whole any more
    copy.write(
        "profile.json",
        &json!({ "batch_auth": { "rule": "inbox-contract-inline", "from": 0 } }).to_string(),
    );
    let report = run(&copy).unwrap();
    assert!(!report.all_match());
    assert!(report.dropped["frames"] > 0);
    // what is given beside the folder counts more than its file
    let overridden = || Overrides {
        batch_auth: Some(AuthRule::InboxContract),
        ..Overrides::default()
    };
    assert!(replay(&copy.folder, overridden()).all_match());
    assert_eq!(config_id(overridden()), by_file);
    let profile = Overrides {
        profile: Some(ChainProfile::upstream()),
        ..Overrides::default()
    };
    assert_eq!(config_id(profile), by_chain);
}

#[test]
fn a_rule_holds_from_its_time_on() {
    let Some(vectors) = Vectors::find("recorded") else {
        return;
    };
    let chain = vectors.path("calldata-singular-zlib");
    let inline_from = |from| Overrides {
        batch_auth: Some(AuthRule::InboxContractInline),
        auth_from: Some(from),
        ..Overrides::default()
    };
    assert!(replay(&chain, inline_from(u64::MAX)).all_match());
    assert!(!replay(&chain, inline_from(0)).all_match());
}
