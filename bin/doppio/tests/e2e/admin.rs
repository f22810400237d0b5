//! What operators do: hand over sequencing, post blocks by hand, compare, look at metrics.

use crate::{
    net::{Net, Node, Plan, quantity},
    process::Deadline,
};
use doppio_devnet::{DevL1Options, testing::BatchOptions};
use serde_json::{Value, json};
use std::time::Duration;

async fn call(node: &Node, method: &str, params: Value) -> Result<Value, String> {
    let answer = node.rpc.call(method, params).await;
    answer.map_err(|error| error.to_string())
}

/// `StartStop`: with exact heads, one sequencer takes over from another without a fork.
#[tokio::test(flavor = "multi_thread")]
async fn sequencing_is_handed_from_one_node_to_another_at_exactly_one_head() {
    let plan = Plan {
        l1: DevL1Options {
            behind: 20,
            ..DevL1Options::default()
        },
        verifier: [
            "--sequencer.enabled",
            "--sequencer.stopped",
            "--sequencer.l1-confs=0",
        ]
        .map(str::to_owned)
        .into(),
        ..Plan::default()
    };
    let Some(mut net) = Net::start("hand-over", plan).await else {
        return;
    };
    net.reach(&net.sequencer, "unsafe_l2", 25).await;
    let active = call(&net.sequencer, "admin_sequencerActive", json!([])).await;
    assert_eq!(active.unwrap(), true);
    let running = call(
        &net.sequencer,
        "admin_startSequencer",
        json!([format!("0x{}", "11".repeat(32))]),
    )
    .await;
    assert!(running.unwrap_err().contains("sequencer already running"));
    let head = call(&net.sequencer, "admin_stopSequencer", json!([]))
        .await
        .unwrap();
    let stopped_at = net.sequencer.head("unsafe_l2").await.unwrap();
    assert_eq!(head, json!(net.sequencer.hash(stopped_at).await));
    let again = call(&net.sequencer, "admin_stopSequencer", json!([])).await;
    assert!(again.unwrap_err().contains("not running"));
    // the other one does not have that head yet
    let early = call(&net.verifier, "admin_startSequencer", json!([head])).await;
    assert!(early.unwrap_err().contains("block hash does not match"));
    // blocks go over by hand, as op-conductor does it
    for number in 1..=stopped_at {
        let raw = net
            .sequencer
            .l2
            .call("debug_getRawBlock", json!([quantity(number)]));
        let envelope = envelope(&raw.await.unwrap());
        call(&net.verifier, "admin_postUnsafePayload", json!([envelope]))
            .await
            .unwrap();
    }
    net.reach(&net.verifier, "unsafe_l2", stopped_at).await;
    call(&net.verifier, "admin_startSequencer", json!([head]))
        .await
        .unwrap();
    net.reach(&net.verifier, "unsafe_l2", stopped_at + 3).await;
    assert_eq!(net.sequencer.head("unsafe_l2").await.unwrap(), stopped_at);
    std::mem::swap(&mut net.sequencer, &mut net.verifier);
    let wallet = net.l1.wallet(net.chain.keys.batcher);
    net.batcher = doppio_devnet::testing::TestBatcher::new(
        net.sequencer.l2.clone(),
        wallet,
        net.chain.config.clone(),
    );
    net.make_safe(stopped_at + 3, &BatchOptions::default())
        .await;
    net.assert_same(stopped_at + 3).await;
}

/// A block as `admin_postUnsafePayload` takes it.
fn envelope(raw: &Value) -> Value {
    let raw: alloy_primitives::Bytes = serde_json::from_value(raw.clone()).unwrap();
    let block = doppio_protocol::l2::L2Block::decode(&raw).unwrap();
    let payload = doppio_protocol::payload::ExecutionPayload::new(
        block.hash,
        &block.header,
        block.transactions.clone(),
    );
    json!({
        "executionPayload": payload,
        "parentBeaconBlockRoot": block.header.parent_beacon_block_root,
    })
}

/// An operator tries a node beside another one: it agrees, and says so in its metrics.
#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_with_another_node_finds_no_difference_and_metrics_show_the_heads() {
    let [port] = crate::process::free_ports();
    let mut plan = Plan {
        l1: DevL1Options {
            behind: 30,
            ..DevL1Options::default()
        },
        ..Plan::default()
    };
    plan.verifier = vec![
        "--metrics.enabled".to_owned(),
        "--metrics.addr=127.0.0.1".to_owned(),
        format!("--metrics.port={port}"),
    ];
    let Some(mut net) = Net::start("compare", plan).await else {
        return;
    };
    // the sequencer's address is known only now
    let url = net.sequencer.rpc.url().to_owned();
    net.verifier.process.add_arguments(&[
        "--compare",
        &url,
        "--compare.interval=300ms",
        "--compare.halt",
    ]);
    net.verifier.process.kill_and_restart();
    net.make_safe(30, &BatchOptions::default()).await;
    net.until("30 blocks are compared", async || {
        let metrics = metrics(port)?;
        let found = |name: &str| {
            let line = metrics.lines().find(|line| line.starts_with(name))?;
            line.rsplit(' ').next()?.parse::<f64>().ok()
        };
        let compared = found("doppio_node_compared_height{what=\"safe\"}");
        if compared.is_none_or(|height| height < 30.0) {
            return Err(metrics);
        }
        assert_eq!(found("doppio_node_compare_differences_total"), None);
        for kind in ["l2_unsafe", "l2_safe", "l2_finalized"] {
            let name = format!("op_node_default_refs_number{{layer=\"l2\",type=\"{kind}\"}}");
            assert!(found(&name).is_some(), "{name}: {metrics}");
        }
        Ok(())
    })
    .await;
    net.verifier.process.assert_running();
}

fn metrics(port: u16) -> Result<String, String> {
    use std::io::{Read, Write};
    let failed = |error: std::io::Error| error.to_string();
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).map_err(failed)?;
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request).map_err(failed)?;
    let mut text = String::new();
    stream.read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// `--check` names what is wrong and what to do, and ends.
#[tokio::test(flavor = "multi_thread")]
async fn checks_name_what_is_wrong_and_what_to_do() {
    let Some(net) = Net::start("check", Plan::default()).await else {
        return;
    };
    let deadline = Deadline::after(Duration::from_secs(30));
    let check = |l1: &str, flags: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_doppio"));
        command
            .args(["node", "--check", "--log.level=error", "--rpc.port=0"])
            .args(["--l1", l1, "--p2p.disable"])
            .arg("--rollup.config")
            .arg(&net.chain.rollup_path)
            .arg("--rollup.l1-chain-config")
            .arg(&net.chain.l1_config_path)
            .arg("--genesis")
            .arg(&net.chain.genesis_path)
            .arg("--datadir")
            .arg(net.folder.path("check"))
            .args(flags);
        let output = command.output().unwrap();
        deadline.check("checks", "");
        (
            output.status.success(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (is_good, text) = check(net.l1.rpc_url(), &["--l1.beacon", net.l1.beacon_url()]);
    assert!(is_good, "{text}");
    for line in [
        "L1 chain id: 900",
        "L2 chain id: 901",
        "L1 genesis",
        "L2 genesis",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let (is_good, text) = check(net.l1.rpc_url(), &[]);
    assert!(!is_good && text.contains("--l1.beacon"), "{text}");
    let (is_good, text) = check(net.sequencer.l2.url(), &["--l1.beacon.ignore"]);
    assert!(!is_good, "{text}");
    assert!(text.contains("l1_chain_id is 900"), "{text}");
}
