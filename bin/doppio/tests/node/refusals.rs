//! Configurations on which the node must not start: each is refused with the key that is wrong and what
//! to do about it, and nothing runs.

use crate::{
    process::{Process, free_ports},
    recorded::Recorded,
};
use doppio_test_chain::{Fake, Proxy, Rules, changed};
use serde_json::{Value, json};
use std::process::{Command, Output};

/// rollup.json of a case, changed, and what the refusal must say: the key, and the remedy.
struct Case {
    name: &'static str,
    change: fn(&mut Value),
    says: [&'static str; 2],
}

/// Changes the value at a pointer in its last digit.
fn other(rollup: &mut Value, pointer: &str) {
    let place = rollup.pointer_mut(pointer).unwrap();
    *place = changed(place).unwrap();
}

fn alt_da(rollup: &mut Value, kind: &str) {
    rollup["alt_da"] = json!({
        "da_challenge_contract_address": format!("0x{:040x}", if kind == "KeccakCommitment" { 7 } else { 0 }),
        "da_commitment_type": kind,
        "da_challenge_window": 10,
        "da_resolve_window": 10,
    });
}

const CASES: [Case; 9] = [
    Case {
        name: "another L1 genesis",
        change: |rollup| other(rollup, "/genesis/l1/hash"),
        says: ["L1 genesis: genesis.l1 is", "check --l1 and rollup.json"],
    },
    Case {
        name: "another L2 chain id",
        change: |rollup| rollup["l2_chain_id"] = json!(902),
        says: [
            "l2_chain_id is 902, but the engine is of chain 901",
            "Point --l2 to the right engine",
        ],
    },
    Case {
        name: "another L2 genesis",
        change: |rollup| other(rollup, "/genesis/l2/hash"),
        says: ["L2 genesis: genesis.l2 is", "make its database anew"],
    },
    Case {
        name: "alt_da without a source",
        change: |rollup| alt_da(rollup, "GenericCommitment"),
        says: ["rollup.json has alt_da", "--altda.da-server"],
    },
    Case {
        name: "alt_da with Keccak commitments",
        change: |rollup| alt_da(rollup, "KeccakCommitment"),
        says: ["da_commitment_type is KeccakCommitment", "op-node"],
    },
    Case {
        name: "Espresso keys without authenticator",
        change: |rollup| {
            rollup["espresso_enforcement_time"] = json!(1_795_252_090);
            rollup["batch_auth_lookback_window"] = json!(10);
        },
        says: [
            "batch_authenticator_address is missing",
            "batches are authenticated by it",
        ],
    },
    Case {
        name: "a key that nobody knows",
        change: |rollup| rollup["fast_mode"] = json!(true),
        says: ["fast_mode", "--rollup.ignore-unknown-keys"],
    },
    Case {
        name: "forks in a wrong order",
        change: |rollup| rollup["granite_time"] = json!(99_999_999_999_u64),
        says: ["Holocene", "Granite"],
    },
    Case {
        name: "no block time",
        change: |rollup| rollup["block_time"] = json!(0),
        says: ["block_time", "0"],
    },
];

fn assert_refused(name: &str, output: &Output, says: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{name}: {text}");
    let errors: Vec<_> = text
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    assert_eq!(errors.len(), 1, "{name}: {text}");
    for said in says {
        assert!(
            errors[0].contains(said),
            "{name} does not say {said:?}: {text}"
        );
    }
    assert!(!text.contains("the heads are found"), "{name}: {text}");
}

#[test]
fn a_configuration_that_cannot_be_right_is_refused_with_the_key_and_the_remedy() {
    let Some(recorded) = Recorded::open("calldata-singular-zlib", "refusals") else {
        return;
    };
    let l1 = Fake::start(&recorded.chain, Rules::default());
    for case in &CASES {
        let mut rollup = recorded.chain.rollup_json().clone();
        (case.change)(&mut rollup);
        recorded.folder.write("rollup.json", &rollup.to_string());
        let output = recorded.run(recorded.command("data", &[&l1.url], &[]));
        assert_refused(case.name, &output, &case.says);
    }
    // several at once: a check shows them all, with what is well
    let mut rollup = recorded.chain.rollup_json().clone();
    for case in [&CASES[0], &CASES[2], &CASES[3]] {
        (case.change)(&mut rollup);
    }
    recorded.folder.write("rollup.json", &rollup.to_string());
    let mut command = recorded.command("data", &[&l1.url], &[]);
    command.args(["--check", "--rpc.port", "0"]);
    let output = recorded.run(command);
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stdout);
    let marked = |mark: &str| text.lines().filter(|line| line.starts_with(mark)).count();
    assert_eq!(marked("FAILED"), 3, "{text}");
    assert!(marked("ok") > 5, "{text}");
}

/// What is wrong is not in rollup.json, but in the flags.
#[test]
fn flags_that_cannot_be_right_are_refused_with_the_flag_and_the_remedy() {
    let Some(recorded) = Recorded::open("calldata-singular-zlib", "refusals-flags") else {
        return;
    };
    let l1 = Fake::start(&recorded.chain, Rules::default());
    let rollup = recorded.path("rollup.json");
    let bare = || recorded.bare(&rollup, &[&l1.url], &[]);
    let with_l1 = || {
        let mut command = bare();
        command
            .arg("--rollup.l1-chain-config")
            .arg(recorded.path("l1.json"));
        command
    };
    let node = |flags: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doppio"));
        command.arg("node").args(flags);
        command
    };
    let adding = |mut command: Command, flags: &[&str]| {
        command.args(flags);
        command
    };
    let jwt = recorded.folder.write("jwt", &"5a".repeat(32));
    let jwt = jwt.to_str().unwrap();
    let nobody = ["--l2", "http://127.0.0.1:1", "--l2.jwt-secret", jwt];
    let ignoring = recorded.command("data", &[&l1.url], &[]);
    let mut without_beacon = Command::new(ignoring.get_program());
    let flags = ignoring.get_args();
    without_beacon.args(flags.filter(|flag| *flag != "--l1.beacon.ignore"));
    let cases = [
        (
            "an L1 that nobody knows",
            bare(),
            ["blob schedule of L1 chain 900", "--rollup.l1-chain-config"],
        ),
        ("no engine", with_l1(), ["--l2 URL", "--genesis FILE"]),
        (
            "an engine without its secret",
            adding(with_l1(), &["--l2", "http://127.0.0.1:1"]),
            ["--l2", "--l2.jwt-secret FILE"],
        ),
        (
            "an engine that is not there",
            adding(with_l1(), &nobody),
            ["L2 chain id", "that the engine runs"],
        ),
        (
            "no beacon node",
            without_beacon,
            ["--l1.beacon URL", "--l1.beacon.ignore"],
        ),
        (
            "no Pectra blob schedule",
            node(&["--network", "camp-sepolia"]),
            ["pectra_blob_schedule_time", "--override.pectrablobschedule"],
        ),
        ("no chain", node(&[]), ["--rollup.config", "--network"]),
        (
            "a chain that nobody knows",
            node(&["--network", "base-mainnet"]),
            ["base-mainnet", "--rollup.config"],
        ),
        (
            "P2P",
            adding(with_l1(), &["--p2p.listen.tcp=9222"]),
            ["--p2p.listen.tcp", "Leave the flag out"],
        ),
        (
            "op-conductor",
            adding(with_l1(), &["--conductor.enabled"]),
            ["--conductor.enabled", "op-conductor"],
        ),
        (
            "syncing by the execution layer",
            adding(with_l1(), &["--syncmode=execution-layer"]),
            ["--syncmode execution-layer", "consensus-layer"],
        ),
    ];
    for (name, command, says) in cases {
        let output = recorded.run(command);
        assert_refused(name, &output, &says);
    }
}

/// The fork that comes next needs calls that this engine does not have: said before it is too late.
#[test]
fn an_engine_that_lacks_a_method_of_the_next_fork_is_refused() {
    let Some(recorded) = Recorded::open("calldata-singular-zlib", "refusals-engine") else {
        return;
    };
    let l1 = Fake::start(&recorded.chain, Rules::default());
    let mut rollup = recorded.chain.rollup_json().clone();
    rollup["jovian_time"] = json!(4_000_000_000_u64);
    rollup["karst_time"] = json!(4_100_000_000_u64);
    recorded.folder.write("rollup.json", &rollup.to_string());
    let [port] = free_ports();
    let mut command = Command::new(env!("CARGO_BIN_EXE_doppio"));
    command
        .arg("engine")
        .arg("--genesis")
        .arg(recorded.path("genesis.json"))
        .arg("--genesis.alloc")
        .arg(recorded.path("alloc.json"))
        .arg("--datadir")
        .arg(recorded.path("data"))
        .args(["--db.cache", "64", "--authrpc.port", &port.to_string()]);
    let mut engine = Process::start("engine", command, &recorded.folder);
    recorded.deadline.wait("the engine listens", || {
        engine.assert_running();
        std::net::TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())
    });
    let lacking = Proxy::start(
        &format!("http://127.0.0.1:{port}"),
        Box::new(|asked, answer| {
            if asked.method == "engine_exchangeCapabilities" {
                let methods = answer.as_array_mut().unwrap();
                methods.retain(|method| method != "engine_getPayloadV5");
            }
        }),
    );
    let node = |l2: &str| {
        let mut command = recorded.bare(&recorded.path("rollup.json"), &[&l1.url], &[]);
        command
            .arg("--rollup.l1-chain-config")
            .arg(recorded.path("l1.json"))
            .args(["--l2", l2, "--l2.jwt-secret"])
            .arg(recorded.path("data/jwtsecret"))
            .args(["--check", "--rpc.port", "0"]);
        recorded.run(command)
    };
    let output = node(&lacking.url);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success(), "{text}");
    let said =
        "FAILED  engine: it lacks engine_getPayloadV5, which Karst (time 4100000000) will need";
    assert!(text.contains(said), "{text}");
    assert!(text.contains("Update the engine"), "{text}");
    let output = node(&format!("http://127.0.0.1:{port}"));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
}
