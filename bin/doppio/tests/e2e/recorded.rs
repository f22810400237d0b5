//! The recorded chains, served over HTTP as an L1, a beacon node and a DA server: the node follows them
//! to the end, and has op-geth's blocks and op-node's safe heads.

use crate::{
    process::{Deadline, Folder, say},
    recorded_node::{RecordedNode, Served},
};
use doppio_test_chain::{Chain, Fake, Rules};
use doppio_test_vectors::Vectors;
use serde_json::json;
use std::{process::Command, time::Duration};

const LIMIT: Duration = Duration::from_secs(150);

/// Follows a chain; how many L2 blocks and safe heads were compared.
async fn follow(name: &str) -> (usize, usize) {
    let chain = Chain::open(name).unwrap();
    let served = Served::start(&chain, Duration::ZERO);
    let folder = Folder::new(&format!("e2e-recorded-{name}"));
    let deadline = Deadline::after(LIMIT);
    let mut node = RecordedNode::start(&(&served).into(), &folder, &["--db.cache=64"], deadline);
    node.derived(served.head()).await;
    let compared = node.compare(&chain).await;
    // it was all L1's, and not the word of a cache or of a neighbour
    let l1_blocks = served.chain.blocks.len() - 1;
    assert!(
        served.l1.asked("eth_getBlockReceipts") >= l1_blocks,
        "{name}"
    );
    let payloads = served.da.requests() > 0;
    assert_eq!(payloads, name.starts_with("altda"), "{name}");
    let blobs = served.beacon.asked("/eth/v1/beacon/blobs") > 0;
    assert_eq!(blobs, name.starts_with("blobs"), "{name}");
    compared
}

/// Every chain at once: each is a process of its own.
#[tokio::test(flavor = "multi_thread")]
async fn recorded_chains_over_http_give_every_recorded_block_and_safe_head() {
    let Some(vectors) = Vectors::find("recorded") else {
        return;
    };
    let mut chains = tokio::task::JoinSet::new();
    for name in vectors.list("") {
        if vectors.path(&name).join("rollup.json").exists() {
            chains.spawn(async move {
                let compared = follow(&name).await;
                (name, compared)
            });
        }
    }
    let mut count = 0;
    while let Some(done) = chains.join_next().await {
        let (name, (blocks, safe_heads)) = done.unwrap();
        say(&format!(
            "{name}: {blocks} L2 blocks, {safe_heads} safe heads"
        ));
        assert!(blocks > 200 && safe_heads > 100, "{name}");
        count += 1;
    }
    assert!(count >= 8);
}

/// The value of a metric: the first line with this name and all of these labels.
fn metric(metrics: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let mut lines = metrics.lines().filter(|line| {
        let named = line.strip_prefix(name);
        named.is_some_and(|rest| rest.starts_with(['{', ' ']))
    });
    let line = lines.find(|line| labels.iter().all(|label| line.contains(label)))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// Three endpoints: one lies, one lacks a method, and the last one does everything. Each is seen in the
/// metrics for what it is.
#[tokio::test(flavor = "multi_thread")]
async fn metrics_tell_of_each_endpoint_of_calls_and_of_the_cache_and_of_no_key() {
    let Some(chain) = Chain::open("blobs-span-brotli-jovian") else {
        return;
    };
    let mut served = Served::start(&chain, Duration::ZERO);
    let liar = Fake::start(
        &chain,
        Rules {
            // every block's, and none of its header's hash
            alter: Some(Box::new(|method, result| {
                if method == "eth_getBlockByNumber" {
                    result["gasUsed"] = json!("0x1234");
                }
            })),
            ..Rules::default()
        },
    );
    let refusing = Fake::start(
        &chain,
        Rules {
            refused: [("eth_getBlockByNumber", (-32000, "no"))].into(),
            ..Rules::default()
        },
    );
    let secret = |fake: &Fake| {
        let place = fake.url.strip_prefix("http://").unwrap();
        format!("http://operator:hunter2@{place}/v3/0123456789abcdef?key=fedcba987654")
    };
    served.l1_urls = [&liar, &refusing, &served.l1]
        .map(|fake| secret(fake))
        .join(",");
    let folder = Folder::new("e2e-metrics");
    let deadline = Deadline::after(LIMIT);
    let mut node = RecordedNode::start(&(&served).into(), &folder, &["--db.cache=64"], deadline);
    node.derived(served.head()).await;
    let metrics = loop {
        let metrics = node.metrics().unwrap();
        let asked = served.l1.requests() as f64;
        let name = "doppio_node_l1_endpoint_requests_total";
        // they are brought up to date every two seconds
        if metric(&metrics, name, &["position=\"2\"", "kind=\"rpc\""]) >= Some(asked) {
            break metrics;
        }
        deadline.check("the endpoints' metrics are up to date", &metrics);
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let found = |name: &str, labels: &[&str]| {
        metric(&metrics, name, labels).unwrap_or_else(|| panic!("{name} {labels:?}: {metrics}"))
    };
    let endpoint = |name: &str, position: &str| {
        let name = format!("doppio_node_l1_endpoint_{name}");
        let position = format!("position=\"{position}\"");
        found(&name, &["kind=\"rpc\"", &position])
    };
    let shown = format!("endpoint=\"{}\"", liar.url);
    let falsehoods = "doppio_node_l1_endpoint_falsehoods_total";
    assert!(found(falsehoods, &[&shown, "position=\"0\""]) >= 1.0);
    assert_eq!(endpoint("score", "0"), 0.0);
    assert_eq!(endpoint("distrusted", "0"), 1.0);
    assert_eq!(endpoint("falsehoods_total", "1"), 0.0);
    assert!(endpoint("score", "1") < 100.0);
    assert_eq!(endpoint("falsehoods_total", "2"), 0.0);
    assert_eq!(endpoint("score", "2"), 100.0);
    assert_eq!(endpoint("waiting", "2"), 0.0);
    assert_eq!(endpoint("batch_limit", "2"), 20.0);
    assert!(endpoint("calls_total", "2") > endpoint("requests_total", "2"));
    let beacon = ["kind=\"beacon\"", "position=\"0\""];
    assert_eq!(found("doppio_node_l1_endpoint_score", &beacon), 100.0);
    // op-node's, of calls
    let rpc =
        |name: &str, labels: &[&str]| found(&format!("op_node_default_rpc_client_{name}"), labels);
    let blocks = (chain.blocks.len() - 1) as f64;
    let receipts = ["rpc=\"l1\"", "method=\"eth_getBlockReceipts\""];
    let asked =
        [&liar, &refusing, &served.l1].map(|fake| fake.asked("eth_getBlockReceipts") as f64);
    // a request that is given up may be counted and never sent
    let total = rpc("requests_total", &receipts);
    assert!(total >= asked.iter().sum::<f64>(), "{total}");
    let [l1, method] = receipts;
    let good = rpc("responses_total", &[l1, method, "error=\"<nil>\""]);
    assert!((blocks..=total).contains(&good), "{good}");
    let done = rpc("request_duration_seconds_count", &receipts);
    assert!((good..=total).contains(&done), "{done}");
    let refused = [
        l1,
        "method=\"eth_getBlockByNumber\"",
        "error=\"rpc_-32000\"",
    ];
    let refused = rpc("responses_total", &refused);
    let asked = refusing.asked("eth_getBlockByNumber") as f64;
    assert!((1.0..=asked).contains(&refused), "{refused}");
    let engine = ["rpc=\"engine-api\"", "method=\"engine_newPayloadV4\""];
    let imported = chain.recorded.l2_blocks.len() as f64;
    assert!(rpc("responses_total", &engine) >= imported / 2.0);
    // op-node's, of the cache and of requests
    let cached = ["type=\"blocks\""];
    assert!(found("op_node_default_l1_source_cache_size", &cached) >= blocks);
    let added = ["type=\"blocks\"", "evicted=\"false\""];
    assert!(found("op_node_default_l1_source_cache_add", &added) >= blocks);
    let missed = ["type=\"blocks\"", "hit=\"false\""];
    assert!(found("op_node_default_l1_source_cache_get", &missed) >= 1.0);
    let count = "op_node_default_l1_request_seconds_count";
    assert!(found(count, &["request=\"next_block\""]) >= blocks);
    assert!(found(count, &["request=\"blobs\""]) >= 1.0);
    for key in ["operator", "hunter2", "0123456789abcdef", "fedcba987654"] {
        assert!(!metrics.contains(key), "{key}: {metrics}");
        assert!(!node.process.log().contains(key), "{key}");
    }
}

/// A WebSocket is refused at the start, with what to give instead; its key is not shown.
#[test]
fn an_l1_endpoint_that_is_a_websocket_is_refused_by_name() {
    let Some(vectors) = Vectors::find("recorded") else {
        return;
    };
    let folder = vectors.path("hostile-inbox");
    let output = Command::new(env!("CARGO_BIN_EXE_doppio"))
        .args(["node", "--p2p.disable", "--l1.beacon.ignore"])
        .args(["--l1", "http://127.0.0.1:1,ws://l1.example:8546/v1/secret"])
        .arg("--rollup.config")
        .arg(folder.join("rollup.json"))
        .arg("--rollup.l1-chain-config")
        .arg(folder.join("l1-chain-config.json"))
        .args(["--l2", "http://127.0.0.1:1", "--l2.jwt-secret", "unused"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let error = String::from_utf8(output.stderr).unwrap();
    let refusal = "--l1: ws://l1.example:8546 is the URL of a WebSocket";
    assert!(error.contains(refusal), "{error}");
    assert!(
        error.contains("give the http:// or https:// URL"),
        "{error}"
    );
    assert!(!error.contains("secret"), "{error}");
}
