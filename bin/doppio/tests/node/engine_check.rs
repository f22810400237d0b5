//! `--check` of the engine, and of what a node has on this machine: each wrong thing is named with its
//! remedy, and the exit status says whether all holds.

use crate::{
    process::{Process, free_ports},
    recorded::Recorded,
};
use doppio_test_chain::{Fake, Rules};
use std::{fs, net::TcpListener, process::Command};

/// `doppio engine --check` with some flags: whether all holds, and what is printed.
fn check(recorded: &Recorded, data: &str, flags: &[&str]) -> (bool, String) {
    let mut command = engine(recorded, data);
    command.args(["--check", "--authrpc.port", "0"]).args(flags);
    let output = recorded.run(command);
    assert!(
        output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.success(), text)
}

fn engine(recorded: &Recorded, data: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doppio"));
    command
        .args(["engine", "--log", "warn", "--genesis"])
        .arg(recorded.path("genesis.json"))
        .arg("--genesis.alloc")
        .arg(recorded.path("alloc.json"))
        .arg("--datadir")
        .arg(recorded.path(data))
        .args(["--db.cache", "64"]);
    command
}

/// Exactly one check fails, and says this.
fn assert_fails(name: &str, (is_good, text): (bool, String), says: [&str; 2]) {
    assert!(!is_good, "{name}: {text}");
    let lines: Vec<&str> = text.lines().collect();
    let failed: Vec<usize> = (0..lines.len())
        .filter(|index| lines[*index].starts_with("FAILED"))
        .collect();
    assert_eq!(failed.len(), 1, "{name}: {text}");
    let (found, remedy) = (lines[failed[0]], lines.get(failed[0] + 1).unwrap_or(&""));
    assert!(found.contains(says[0]), "{name}: {text}");
    assert!(remedy.contains(says[1]), "{name}: {text}");
}

#[test]
fn the_engines_checks_name_what_is_wrong_and_change_nothing() {
    let Some(recorded) = Recorded::open("calldata-singular-zlib", "engine-check") else {
        return;
    };
    let (is_good, text) = check(&recorded, "new", &["--http", "--http.port=0"]);
    assert!(is_good, "{text}");
    for line in [
        "genesis: chain 901, first block 0x",
        "database: ",
        "JWT secret: ",
        "HTTP: ",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!recorded.path("new").exists(), "a check makes nothing");

    let missing = recorded.path("nothing.json");
    let flags = ["--genesis.alloc", missing.to_str().unwrap()];
    let found = check_instead(&recorded, &flags);
    assert_fails(
        "no accounts",
        found,
        ["nothing.json: No such file", "--genesis.alloc"],
    );

    let file = recorded.folder.write("file", "");
    let found = check(&recorded, "file", &[]);
    // neither data nor a secret can be there
    assert!(!found.0 && found.1.contains("is no folder"), "{}", found.1);
    assert!(found.1.contains("--datadir"), "{}", found.1);
    drop(file);

    let secret = recorded.folder.write("secret", "0x1234");
    let flags = ["--authrpc.jwtsecret", secret.to_str().unwrap()];
    let found = check(&recorded, "new", &flags);
    assert_fails(
        "a short secret",
        found,
        ["64 hex digits", "--authrpc.jwtsecret"],
    );

    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port().to_string();
    let flags = ["--http", "--http.port", &port];
    let found = check(&recorded, "new", &flags);
    assert_fails("a port in use", found, ["HTTP: 127.0.0.1", "--http.port"]);
    let [port] = free_ports();
    let port = port.to_string();
    let flags = ["--http", "--http.port", &port, "--ws", "--ws.port", &port];
    let found = check(&recorded, "new", &flags);
    assert_fails("a port twice", found, ["WebSocket: 127.0.0.1", "--ws.port"]);

    let flags = ["--http", "--http.port=0", "--http.api=eth,personal"];
    let (is_good, text) = check(&recorded, "new", &flags);
    assert!(
        is_good && text.contains("warning HTTP namespaces: there is no personal"),
        "{text}"
    );
}

/// With the last of a flag's values given twice: the file of accounts.
fn check_instead(recorded: &Recorded, flags: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doppio"));
    command
        .args([
            "engine",
            "--log",
            "warn",
            "--check",
            "--authrpc.port",
            "0",
            "--genesis",
        ])
        .arg(recorded.path("genesis.json"))
        .arg("--datadir")
        .arg(recorded.path("new"))
        .args(flags);
    let output = recorded.run(command);
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.success(), text)
}

#[test]
fn a_database_in_use_damaged_or_of_another_chain_is_told_apart() {
    let Some(recorded) = Recorded::open("calldata-singular-zlib", "engine-check-data") else {
        return;
    };
    let [port] = free_ports();
    let mut command = engine(&recorded, "data");
    command.args(["--authrpc.port", &port.to_string()]);
    let mut running = Process::start("engine", command, &recorded.folder);
    recorded.deadline.wait("the engine listens", || {
        running.assert_running();
        std::net::TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())
    });
    let found = check(&recorded, "data", &[]);
    assert_fails("in use", found, ["is in use", "Stop the other engine"]);
    drop(running);
    let (is_good, text) = check(&recorded, "data", &[]);
    assert!(is_good, "{text}");

    let genesis = fs::read_to_string(recorded.path("genesis.json")).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&genesis).unwrap();
    json["nonce"] = serde_json::json!("0x7");
    recorded.folder.write("genesis.json", &json.to_string());
    let found = check(&recorded, "data", &[]);
    assert_fails(
        "another chain",
        found,
        ["holds the chain that begins with", "--genesis"],
    );
    recorded.folder.write("genesis.json", &genesis);

    fs::write(recorded.path("data/engine.redb"), vec![7; 10_000]).unwrap();
    let (is_good, text) = check(&recorded, "data", &[]);
    assert!(!is_good && text.contains("or it is damaged"), "{text}");
    assert!(text.contains("Restore a copy, or delete it"), "{text}");
}

/// The node's checks are of its own files and addresses too.
#[test]
fn the_nodes_checks_are_of_its_engine_its_files_and_its_addresses_too() {
    let Some(recorded) = Recorded::open("calldata-singular-zlib", "node-check") else {
        return;
    };
    let l1 = Fake::start(&recorded.chain, Rules::default());
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port().to_string();
    let state = recorded.folder.write("state.json", "nothing");
    let safe_db = recorded.folder.write("safe-db", "");
    let mut command = recorded.command("data", &[&l1.url], &[]);
    command
        .args(["--check", "--rpc.port", &port, "--rpc.admin-state"])
        .arg(state)
        .arg("--safedb.path")
        .arg(safe_db);
    let output = recorded.run(command);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success(), "{text}");
    let lines = |mark: &str| text.lines().filter(|line| line.starts_with(mark)).count();
    assert_eq!(lines("FAILED"), 3, "{text}");
    for remedy in ["--rpc.port", "--rpc.admin-state", "--safedb.path"] {
        assert!(text.contains(remedy), "{remedy}: {text}");
    }
    // what L1 and the engine say is there as well
    assert!(text.contains("ok      L1 genesis: "), "{text}");
    assert!(text.contains("ok      L2 genesis: "), "{text}");
}
