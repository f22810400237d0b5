//! `doppio replay` as its users run it.

use doppio_recorded::{OpenOptions, RecordedChain, Start};
use doppio_test_vectors::Vectors;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// A chain with verdicts, drops, and an authentication rule.
const CHAIN: &str = "espresso-gen2-calldata";

fn run(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_doppio"))
        .arg("replay")
        .args(args)
        .arg(folder)
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn error(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The one line that is printed.
fn json(output: &Output) -> Value {
    let text = text(output);
    assert_eq!(text.lines().count(), 1, "{text}{}", error(output));
    serde_json::from_str(&text).unwrap()
}

fn recorded() -> Option<PathBuf> {
    Some(Vectors::find("recorded")?.path(CHAIN))
}

/// A copy of the chain with another rollup.json; gone when dropped.
struct Copy(PathBuf);

impl Copy {
    fn new(chain: &Path, test: &str, change: impl FnOnce(&mut Value)) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        for file in fs::read_dir(chain).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), folder.join(file.file_name())).unwrap();
        }
        let rollup = folder.join("rollup.json");
        let mut config = serde_json::from_slice(&fs::read(&rollup).unwrap()).unwrap();
        change(&mut config);
        fs::write(&rollup, config.to_string()).unwrap();
        Self(folder)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn json_is_one_object_with_the_agreed_keys() {
    let Some(folder) = recorded() else { return };
    let output = run(&folder, &["--json"]);
    assert!(output.status.success(), "{}", error(&output));
    let json = json(&output);
    let keys: BTreeSet<&str> = json
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let agreed = [
        "l1_blocks",
        "derived",
        "matched",
        "mismatched",
        "replaced",
        "dropped",
        "seconds",
        "output_roots",
        "safe_heads",
        "verdicts",
    ];
    assert_eq!(keys, BTreeSet::from(agreed));
    assert_eq!(json["derived"], json["matched"]);
    assert_eq!(json["matched"], 290);
    assert_eq!(json["mismatched"], 0);
    assert_eq!(json["l1_blocks"], 287);
    assert_eq!(json["dropped"]["inbox_not_authenticated"], 17);
    assert!(json["seconds"].as_f64().unwrap() > 0.0);
    // no progress bar where nobody looks at it
    assert_eq!(error(&output), "");
}

#[test]
fn with_execute_the_blocks_are_executed_and_the_same_ones_replaced() {
    let Some(vectors) = Vectors::find("recorded") else {
        return;
    };
    let output = run(&vectors.path("hostile-inbox"), &["--json", "--execute"]);
    assert!(output.status.success(), "{}", error(&output));
    let json = json(&output);
    assert_eq!(json["matched"], 474);
    assert_eq!(json["replaced"], 2);
    assert_eq!(json["output_roots"]["matched"], 24);
    assert_eq!(json["output_roots"]["mismatched"], 0);
}

#[test]
fn a_genesis_that_is_not_the_chains_is_refused_before_anything_is_executed() {
    let Some(folder) = recorded() else { return };
    let copy = Copy::new(&folder, "other_genesis", |_| ());
    let genesis = copy.0.join("genesis.json");
    let mut json: Value = serde_json::from_slice(&fs::read(&genesis).unwrap()).unwrap();
    json["alloc"] = serde_json::json!({ "0x0000000000000000000000000000000000000001": {} });
    fs::write(&genesis, json.to_string()).unwrap();
    let output = run(&copy.0, &["--execute"]);
    assert_eq!(output.status.code(), Some(1));
    let text = error(&output);
    assert!(text.contains("but rollup.json says"), "{text}");
}

#[test]
fn a_recording_that_begins_mid_chain_is_derived_but_not_executed() {
    let Some(folder) = recorded() else { return };
    let copy = Copy::new(&folder, "mid_chain", |_| ());
    let chain = RecordedChain::open(&folder, OpenOptions::default()).unwrap();
    let block = chain.l2_block(1).unwrap().decode().unwrap();
    let genesis = &chain.chain.rollup.genesis;
    let start = Start {
        safe_head: block.block_ref(&chain.chain).unwrap(),
        system_config: block.system_config(&chain.chain).unwrap(),
        l1_start: genesis.l1,
        l1_start_config: genesis.system_config,
    };
    let start = serde_json::to_string(&start).unwrap();
    fs::write(copy.0.join("start.json"), start).unwrap();
    let output = run(&copy.0, &["--json"]);
    assert!(output.status.success(), "{}", error(&output));
    assert_eq!(json(&output)["matched"], 289);
    let output = run(&copy.0, &["--execute"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        error(&output).contains("begins at L2 block 1,"),
        "{}",
        error(&output)
    );
}

#[test]
fn people_are_told_what_was_compared_and_dropped() {
    let Some(folder) = recorded() else { return };
    let output = run(&folder, &[]);
    assert!(output.status.success());
    let text = text(&output);
    for line in [
        "L2 blocks    290 derived, 290 equal, 0 different, 0 replaced by their deposits",
        "safe heads   287 equal, 0 different",
        "verdicts     64 equal, 0 different",
        "dropped      17 x inbox_not_authenticated",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}:\n{text}");
    }
}

#[test]
fn anything_that_differs_gives_exit_status_1() {
    let Some(folder) = recorded() else { return };
    // with the sender alone deciding, others than the recorded transactions count
    let output = run(&folder, &["--json", "--batch-auth", "sender"]);
    assert_eq!(output.status.code(), Some(1));
    let json = json(&output);
    assert!(json["verdicts"]["mismatched"].as_u64().unwrap() > 0);
    let output = run(&folder, &["--batch-auth", "sender"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("transaction 0 of L1 block 75: accepted, recorded refused"));
}

#[test]
fn the_rule_and_its_time_may_be_given_beside_the_folder() {
    let Some(folder) = recorded() else { return };
    // what rollup.json says anyway
    let same = ["--batch-auth", "auth-event", "--auth-from", "1795252090"];
    assert!(run(&folder, &same).status.success());
    // one L1 block later, the first transaction under the rule still counts
    let later = ["--batch-auth", "auth-event", "--auth-from", "1795252092"];
    assert_eq!(run(&folder, &later).status.code(), Some(1));
    let output = run(&folder, &["--batch-auth", "anybody"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(error(&output).contains("known are sender, inbox-contract"));
}

#[test]
fn a_profile_is_a_name_or_a_file() {
    let Some(folder) = recorded() else { return };
    for name in ["upstream", "celo"] {
        assert!(
            run(&folder, &["--profile", name]).status.success(),
            "{name}"
        );
    }
    let output = run(&folder, &["--profile", "nobody"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(error(&output).contains("known are upstream and celo, or give a file"));
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("profile_of_small_frames.json");
    fs::write(&file, r#"{ "max_frame_len": 10 }"#).unwrap();
    let output = run(&folder, &["--json", "--profile", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(json(&output)["dropped"]["frames"].as_u64().unwrap() > 20);
}

#[test]
fn unknown_keys_are_refused_by_name_unless_they_are_to_be_ignored() {
    let Some(folder) = recorded() else { return };
    let copy = Copy::new(&folder, "unknown_key", |rollup| {
        rollup["espreso_time"] = 5.into();
    });
    let output = run(&copy.0, &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output), "");
    assert!(
        error(&output).contains("espreso_time"),
        "{}",
        error(&output)
    );
    let output = run(&copy.0, &["--json", "--rollup.ignore-unknown-keys"]);
    assert!(output.status.success());
    assert!(
        error(&output).contains("espreso_time"),
        "{}",
        error(&output)
    );
}

#[test]
fn a_folder_that_is_no_recorded_chain_is_an_error() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = run(folder, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(error(&output).contains("rollup.json"), "{}", error(&output));
}
