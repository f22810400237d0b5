//! The command beside others: two devnets, a folder and ports that are taken, and `--exec`.

use crate::{
    net::{Devnet, assert_all_end, can_run, descendants, doppio},
    process::{Deadline, Folder},
};
use serde_json::json;
use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    time::Duration,
};

#[tokio::test(flavor = "multi_thread")]
async fn two_run_side_by_side_and_a_commands_status_is_passed_on_with_nothing_left() {
    if !can_run("two devnets") {
        return;
    }
    let folder = Folder::new("devnet-exec");
    let (go, variables) = (folder.path("go"), folder.path("variables"));
    // it leaves a process in the background, too
    let script = format!(
        "sleep 600 & env > {v}.part; mv {v}.part {v}; while [ ! -e {go} ]; do sleep 0.1; done; exit 7",
        v = variables.display(),
        go = go.display()
    );
    let without = "--without=batcher".to_owned();
    let exec = [without.clone(), format!("--exec={script}")];
    let mut first = Devnet::begin(&folder, "first", &exec);
    let mut second = Devnet::start(&folder, "second", &[without]);
    first.wait_until_ready();
    // two chains: what one is sent is not in the other
    let height = first.transact(3).await;
    second.reach("l2", "unsafe_l2", height).await;
    let [one, other] = [&first, &second].map(|devnet| devnet.block("l2", height));
    assert_ne!(one.await["hash"], other.await["hash"]);

    let set = Deadline::after(Duration::from_secs(20)).wait("the command runs", || {
        fs::read_to_string(&variables).map_err(|error| error.to_string())
    });
    for (name, pointer) in [
        ("L1_RPC_URL", "/l1/rpc"),
        ("L2_RPC_URL", "/l2/rpc"),
        ("ROLLUP_RPC_URL", "/l2/rollup_rpc"),
        ("VERIFIER_L2_RPC_URL", "/verifier/rpc"),
        ("PRIVATE_KEY", "/users/0/key"),
    ] {
        let line = format!("{name}={}", first.text(pointer));
        assert!(set.lines().any(|found| found == line), "{line} in {set}");
    }
    let all = descendants(first.id());
    fs::write(&go, "").unwrap();
    assert_eq!(first.wait().code(), Some(7));
    assert_all_end(&all);
    // the other one does not mind
    let height = second.head("l2", "unsafe_l2").await.unwrap();
    second.reach("l2", "unsafe_l2", height + 2).await;

    // its folder is its own
    let refused = doppio()
        .args(["devnet", "--ports", "free", "--dir"])
        .arg(&second.path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        text.contains("--dir") && text.contains(&second.id().to_string()),
        "{text}"
    );
    assert!(second.stop().success());
    // what the chain has settled
    let refused = doppio()
        .args(["devnet", "--ports", "free", "--block-time", "5", "--dir"])
        .arg(&second.path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(
        !refused.status.success() && text.contains("--block-time"),
        "{text}"
    );
}

#[test]
fn what_cannot_be_is_refused_with_what_to_change() {
    let folder = Folder::new("devnet-refusals");
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let l1_port = format!("l1={port}");
    let foreign = folder.path("foreign");
    fs::create_dir_all(&foreign).unwrap();
    fs::write(foreign.join("thesis.tex"), "").unwrap();
    let foreign = foreign.to_str().unwrap();
    for (flags, words) in [
        (vec!["--port", &l1_port], vec![&*port, "--port l1="]),
        (vec!["--fork", "karst=+5"], vec!["Karst", "Jovian"]),
        (vec!["--fork", "jovian=+0"], vec!["+1 or more"]),
        (vec!["--fork", "london=+0"], vec!["london", "karst"]),
        (vec!["--without", "l1"], vec!["--without l1"]),
        (
            vec!["--program", "sequencer=/bin/true"],
            vec!["verifier-engine"],
        ),
        (vec!["--dir", foreign], vec!["empty"]),
    ] {
        let output = doppio()
            .args(["devnet", "--ports", "free"])
            .args(&flags)
            .env("DOPPIO_HOME", folder.path("home"))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{flags:?}");
        for word in words {
            assert!(text.contains(word), "{word} in {text}");
        }
    }
    // a program that is not there is named, and nothing stays
    let output = doppio()
        .args(["devnet", "--ports", "free", "--without", "batcher"])
        .args(["--program", "engine=/nowhere/engine"])
        .env("DOPPIO_HOME", folder.path("home"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        text.contains("engine cannot be started: there is no program /nowhere/engine"),
        "{text}"
    );
    let description = fs::read_to_string(folder.path("home/devnet/devnet.json")).unwrap();
    let description: serde_json::Value = serde_json::from_str(&description).unwrap();
    assert_ne!(description["ready"], json!(true));
}
