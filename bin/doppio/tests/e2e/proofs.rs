//! What the node has proven from L1's state: that there is a contract where one must decide.

use crate::net::{Net, Plan};
use doppio_test_chain::{Asked, Proxy, all_nodes, changed};
use serde_json::{Value, json};
use std::{
    process::{Command, Output},
    sync::{Arc, Mutex},
};

/// `doppio node --check` of the net's chain with another rollup.json.
fn check(net: &Net, rollup: &Value, l1: &[&str], flags: &[&str]) -> Output {
    let path = net.folder.write("other-rollup.json", &rollup.to_string());
    let mut command = Command::new(env!("CARGO_BIN_EXE_doppio"));
    command
        .args(["node", "--check", "--log.level=warn", "--p2p.disable"])
        .args(["--l1", &l1.join(","), "--l1.beacon.ignore", "--rpc.port=0"])
        .arg("--rollup.config")
        .arg(path)
        .arg("--rollup.l1-chain-config")
        .arg(&net.chain.l1_config_path)
        .arg("--genesis")
        .arg(&net.chain.genesis_path)
        .arg("--datadir")
        .arg(net.folder.path("check"))
        .args(flags);
    command.output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// An inbox contract without code is refused; and of an answer that proves that there is code, each
/// field is checked: whoever changes one is found out, and another endpoint is asked.
#[tokio::test(flavor = "multi_thread")]
async fn a_contract_that_must_decide_is_proven_to_be_there_whoever_lies_about_it() {
    let Some(net) = Net::start("proofs", Plan::default()).await else {
        return;
    };
    let rollup = std::fs::read_to_string(&net.chain.rollup_path).unwrap();
    let mut rollup: Value = serde_json::from_str(&rollup).unwrap();
    let flags = ["--batch-auth=inbox-contract", "--auth-from=1"];
    let output = check(&net, &rollup, &[net.l1.rpc_url()], &flags);
    let found = text(&output);
    assert!(!output.status.success(), "{found}");
    assert!(
        found.contains("FAILED  inbox: the inbox contract should be at"),
        "{found}"
    );
    assert!(found.contains("where L1 has no code"), "{found}");
    assert!(
        found.contains("Check the address in rollup.json"),
        "{found}"
    );

    // any contract will do
    rollup["batch_authenticator_address"] = rollup["l1_system_config_address"].clone();
    let flags = ["--batch-auth=auth-event-caller", "--auth-from=1"];
    let answer: Arc<Mutex<Value>> = Arc::default();
    let seen = Arc::clone(&answer);
    let watched = Proxy::start(
        net.l1.rpc_url(),
        Box::new(move |asked: Asked<'_>, result: &mut Value| {
            if asked.method == "eth_getProof" {
                *seen.lock().unwrap() = result.clone();
            }
        }),
    );
    let output = check(&net, &rollup, &[&watched.url], &flags);
    let found = text(&output);
    assert!(output.status.success(), "{found}");
    assert!(
        found.contains("ok      inbox: the batch authenticator is at"),
        "{found}"
    );

    let answer = answer.lock().unwrap().clone();
    let fields: Vec<String> = all_nodes(&answer)
        .into_iter()
        .filter(|pointer| answer.pointer(pointer).and_then(changed).is_some())
        .collect();
    assert!(fields.len() > 6, "{fields:?}");
    let liars: Vec<Arc<Proxy>> = fields
        .iter()
        .map(|pointer| {
            let pointer = pointer.clone();
            Proxy::start(
                net.l1.rpc_url(),
                Box::new(move |asked, result| {
                    if asked.method == "eth_getProof"
                        && let Some(place) = result.pointer_mut(&pointer)
                    {
                        *place = changed(place).unwrap_or(json!("0x"));
                    }
                }),
            )
        })
        .collect();
    let mut l1: Vec<&str> = liars.iter().map(|liar| &*liar.url).collect();
    l1.push(net.l1.rpc_url());
    let output = check(&net, &rollup, &l1, &flags);
    let found = text(&output);
    assert!(output.status.success(), "{found}");
    let log = String::from_utf8_lossy(&output.stderr);
    for (liar, field) in liars.iter().zip(&fields) {
        let name = format!("\"{}\"", liar.url);
        let line = log.lines().find(|line| line.contains(&name));
        let line = line.unwrap_or_else(|| panic!("{field} was not noticed: {log}"));
        assert!(line.contains("answer is false"), "{field}: {line}");
    }
}
