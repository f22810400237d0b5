//! One chain through all that may happen to it.

use crate::{
    net::{Devnet, LIMIT, can_run, kill, runs},
    process::{Deadline, Folder, Process, say},
};
use alloy_primitives::{Address, U256};
use doppio_devnet::Deposit;
use serde_json::json;
use std::process::Command;

/// A deposit on L1 by a user; it goes to an account that has nothing.
async fn deposit(devnet: &Devnet, to: Address) {
    let portal: Address =
        serde_json::from_value(devnet.description["l1"]["contracts"]["OptimismPortal"].clone())
            .unwrap();
    let wei = U256::from(5_000);
    let deposit = Deposit {
        to: Some(to),
        mint: wei,
        value: wei,
        gas: 100_000,
        ..Deposit::default()
    };
    let user = devnet.user("l1", 1);
    let hash = user.send(&deposit.call_portal(portal)).await.unwrap();
    let receipt = user.rpc().wait_for(hash, LIMIT).await.unwrap();
    receipt.succeeded().unwrap();
    let l2 = devnet.rpc("/l2/rpc");
    devnet
        .until("the deposit is on L2", async || {
            match l2.balance(to).await {
                Ok(found) if found == wei => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
        .await;
}

/// A role is ended as `kill -9` does, which is said with its command, and started again by hand with
/// that command.
fn restart(devnet: &Devnet, role: &'static str, folder: &Folder) -> Process {
    let id = devnet.process_of(role);
    kill("KILL", id);
    let deadline = Deadline::after(LIMIT);
    let told = format!("{role} has ended (signal: 9 (SIGKILL))");
    deadline.wait("its end is told", || {
        let screen = devnet.screen();
        screen.contains(&told).then_some(()).ok_or(screen)
    });
    assert!(!runs(id));
    let words = devnet.command_of(role);
    let (program, arguments) = words.split_first().unwrap();
    let printed = devnet.screen();
    let again = printed.rsplit("To start it again:\n").next().unwrap();
    for word in &words {
        assert!(again.contains(word.trim_matches('\'')), "{word} in {again}");
    }
    let mut command = Command::new(program);
    command.args(arguments);
    Process::start(role, command, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_goes_through_forks_a_reorg_and_ends_of_any_kind_and_both_nodes_have_the_same() {
    if !can_run("a chain by one command") {
        return;
    }
    let folder = Folder::new("devnet-chain");
    let mut devnet = Devnet::start(&folder, "net", &["--fork=karst=+40".to_owned()]);
    for (line, pointer) in [("L2 RPC", "/l2/rpc"), ("L1 RPC", "/l1/rpc")] {
        let line = format!("\n{line} {}\n", devnet.text(pointer));
        devnet
            .until("the screen shows where to send", async || {
                let screen = devnet.screen();
                screen.contains(&line).then_some(()).ok_or(screen)
            })
            .await;
    }
    devnet.transact(0).await;
    let nobody = Address::repeat_byte(0x77);
    deposit(&devnet, nobody).await;
    let summary = devnet.traffic("8", "6s");
    assert!(summary["sent"].as_u64() >= Some(20), "{summary}");

    // the sequencer's node, and then the second node's engine
    let node = restart(&devnet, "node", &folder);
    let height = devnet.transact(0).await;
    devnet.reach("verifier", "safe_l2", height).await;
    let engine = restart(&devnet, "verifier-engine", &folder);
    let l1 = devnet.rpc("/l1/rpc");
    let before = l1.block_number().await.unwrap();
    let old = l1.block(before).await.unwrap();
    let head = l1.call("devnet_reorg", json!([5, "same"])).await.unwrap();
    assert_eq!(head["number"], before, "{head}");
    assert_ne!(l1.block(before).await.unwrap().hash, old.hash);
    devnet.transact(0).await;
    // beyond Karst
    let forks = &devnet.description["l2"]["forks"];
    let genesis = devnet.description["l2"]["genesis_time"].as_u64().unwrap();
    assert_eq!(forks["jovian"], genesis + 20);
    assert_eq!(forks["karst"], genesis + 40);
    devnet.assert_same(50).await;
    drop((node, engine));
    assert!(devnet.stop().success(), "{}", devnet.screen());

    // it goes on where it was: with calldata, which is for the batcher to choose
    let flags = ["--da=calldata".to_owned()];
    let mut devnet = Devnet::start(&folder, "net", &flags);
    assert_eq!(
        devnet.rpc("/l2/rpc").balance(nobody).await.unwrap(),
        U256::from(5_000)
    );
    let known = devnet.block("l2", 50).await["hash"].clone();
    let height = devnet.transact(0).await;
    assert!(height > 50);
    devnet.reach("l2", "finalized_l2", 50).await;
    let last_final = devnet.head("l2", "finalized_l2").await.unwrap();
    let final_hash = devnet.block("l2", last_final).await["hash"].clone();
    // and after the end of everything at once
    devnet.kill_all();
    let mut devnet = Devnet::start(&folder, "net", &flags);
    let height = devnet.transact(0).await;
    assert_eq!(devnet.block("l2", 50).await["hash"], known);
    assert_eq!(
        devnet.block("l2", last_final).await["hash"],
        final_hash,
        "what is final stays"
    );
    devnet.assert_same(height).await;
    say(&format!("both nodes have the same {height} blocks"));
    assert!(devnet.stop().success());
}
