//! `doppio record` as its users run it, on a recorded chain behind sockets.

use doppio_test_chain::{Chain, Fake, Role, Rules};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
};

/// A chain and its nodes.
struct World {
    chain: Arc<Chain>,
    l1: Arc<Fake>,
    rollup: Arc<Fake>,
    l2: Arc<Fake>,
    da: Arc<Fake>,
}

impl World {
    fn open(name: &str) -> Option<Self> {
        let chain = Chain::open(name)?;
        let start = |role| Fake::start_as(role, &chain, Rules::default());
        Some(Self {
            l1: start(Role::L1),
            rollup: start(Role::Rollup),
            l2: start(Role::L2),
            da: start(Role::Da),
            chain,
        })
    }

    fn record(&self, folder: &Folder, more: &[&str]) -> Output {
        let l1_chain_config = folder.0.with_extension("l1.json");
        fs::write(&l1_chain_config, self.chain.l1_chain_config()).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_doppio"))
            .args(["record", "--patience", "1s"])
            .args(["--l1", &self.l1.url, "--l1.beacon", &self.l1.url])
            .args(["--rollup-rpc", &self.rollup.url, "--l2", &self.l2.url])
            .args(["--altda.da-server", &self.da.url])
            .arg("--rollup.l1-chain-config")
            .arg(&l1_chain_config)
            .args(more)
            .arg(&folder.0)
            .output()
            .unwrap();
        fs::remove_file(l1_chain_config).unwrap();
        output
    }
}

/// A folder that is gone with its guard.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&folder);
        Self(folder)
    }

    fn replay(&self) -> Value {
        let output = Command::new(env!("CARGO_BIN_EXE_doppio"))
            .args(["replay", "--json"])
            .arg(&self.0)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", error(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.0.join(name)).unwrap()).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn error(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", error(output));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn what_is_recorded_mid_chain_replays() {
    let Some(world) = World::open("altda-span-brotli") else {
        return;
    };
    let folder = Folder::new("record_mid_chain");
    let range = ["--json", "--from", "100", "--to", "160"];
    let summary = json(&world.record(&folder, &range));
    assert_eq!(summary["l2_blocks"], 61);
    assert_eq!(summary["derived"], json!({"matched": 60, "mismatched": 0}));
    assert!(summary["payloads"].as_u64().unwrap() > 0);
    assert_eq!(summary["notes"], json!([]));
    assert_eq!(folder.json("rollup.json"), *world.chain.rollup_json());
    assert_eq!(folder.json("start.json")["safe_head"]["number"], 100);
    assert_eq!(folder.replay()["matched"], 60);
}

#[test]
fn people_are_told_what_was_recorded() {
    let Some(world) = World::open("calldata-singular-zlib") else {
        return;
    };
    let folder = Folder::new("record_for_people");
    let output = world.record(&folder, &["--from", "100", "--to", "140"]);
    assert!(output.status.success(), "{}", error(&output));
    assert_eq!(error(&output), "");
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "L2 blocks    41, and 0 before them that derivation looks up",
        "derived      40 equal, 0 different",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}:\n{text}");
    }
    // what is there is not overwritten
    let again = world.record(&folder, &["--from", "100", "--to", "140"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(
        error(&again).contains("is there already"),
        "{}",
        error(&again)
    );
}

/// The folder says by itself under which rules it was recorded.
#[test]
fn what_flags_say_of_the_chain_is_in_the_folder() {
    let Some(world) = World::open("calldata-singular-zlib") else {
        return;
    };
    let folder = Folder::new("record_with_rules");
    let flags = [
        "--json",
        "--from",
        "10",
        "--to",
        "20",
        "--profile",
        "celo",
        "--batch-auth",
        "inbox-contract",
        "--auth-from",
        "7",
        "--override.karst",
        "4000000000",
    ];
    let output = world.record(&folder, &flags);
    json(&output);
    assert!(
        error(&output).contains("karst_time is overridden"),
        "{}",
        error(&output)
    );
    assert_eq!(folder.json("rollup.json")["karst_time"], 4_000_000_000_u64);
    let profile = folder.json("profile.json");
    assert_eq!(profile["name"], "celo");
    assert_eq!(
        profile["batch_auth"],
        json!({"rule": "inbox-contract", "from": 7})
    );
    assert_eq!(folder.replay()["matched"], 10);
}

/// Keys that op-node does not print are kept.
#[test]
fn espressos_keys_are_in_the_folder() {
    let Some(world) = World::open("espresso-gen2-calldata") else {
        return;
    };
    let folder = Folder::new("record_espresso");
    json(&world.record(&folder, &["--json", "--from", "200", "--to", "240"]));
    let rollup = folder.json("rollup.json");
    assert!(rollup["espresso_enforcement_time"].is_number());
    assert_eq!(folder.replay()["matched"], 40);
}

#[test]
fn a_rollup_node_that_serves_another_configuration_than_is_given_is_told() {
    let Some(world) = World::open("calldata-singular-zlib") else {
        return;
    };
    let folder = Folder::new("record_given");
    let mut other = world.chain.rollup_json().clone();
    other["seq_window_size"] = json!(3601);
    let file = folder.0.with_extension("rollup.json");
    fs::write(&file, other.to_string()).unwrap();
    let flags = [
        "--from",
        "10",
        "--to",
        "20",
        "--rollup.config",
        file.to_str().unwrap(),
    ];
    let output = world.record(&folder, &flags);
    fs::remove_file(&file).unwrap();
    assert!(output.status.success(), "{}", error(&output));
    assert!(
        error(&output).contains("seq_window_size"),
        "{}",
        error(&output)
    );
    assert_eq!(folder.json("rollup.json")["seq_window_size"], 3601);
}

#[test]
fn failures_give_exit_status_1_and_leave_no_folder() {
    let Some(world) = World::open("calldata-singular-zlib") else {
        return;
    };
    let folder = Folder::new("record_failure");
    let output = world.record(&folder, &["--from", "20", "--to", "10"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        error(&output).contains("--from 20 must be before --to 10"),
        "{}",
        error(&output)
    );
    assert!(!folder.0.exists());
    world.rollup.rules.lock().unwrap().refused =
        [("optimism_rollupConfig", (-32000, "starting"))].into();
    let output = world.record(&folder, &["--from", "10"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(error(&output).contains("starting"), "{}", error(&output));
    assert_eq!(world.record(&folder, &[]).status.code(), Some(2));
}
