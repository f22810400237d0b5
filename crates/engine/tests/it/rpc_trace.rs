//! Traces and access lists on a recorded chain. What must come out is op-geth's word, or follows by
//! hand from a few bytes of code.

use crate::rpc::{Node, number};
use alloy_primitives::keccak256;
use core::time::Duration;
use doppio_engine::rpc::{ChainApi, Settings};
use doppio_rpc::MethodSet;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    sync::{Arc, LazyLock},
    time::Instant,
};

/// All forks from Regolith to Jovian.
static NODE: LazyLock<Option<Node>> =
    LazyLock::new(|| Node::start("all-forks-calldata", "traces", usize::MAX));

const A: &str = "0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "0xbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const C: &str = "0xcccccccccccccccccccccccccccccccccccccccc";
const SENDER: &str = "0x8888888888888888888888888888888888888888";

/// Traces a call to `A`, whose code and that of others is made up.
fn trace(node: &Node, gas: u64, codes: &[(&str, &str)], options: Value) -> Value {
    let mut config = options;
    config["stateOverrides"] = codes
        .iter()
        .map(|(address, code)| ((*address).to_owned(), json!({ "code": code })))
        .collect();
    let call = json!({ "from": SENDER, "to": A, "gas": format!("{gas:#x}") });
    node.call("debug_traceCall", json!([call, "0xc8", config]))
}

/// What struct logs say of each instruction: place, name, gas, cost, depth.
fn steps(trace: &Value) -> Vec<(u64, &str, u64, u64, u64)> {
    let number = |log: &Value, name: &str| log[name].as_u64().unwrap();
    let logs = trace["structLogs"].as_array().unwrap();
    logs.iter()
        .map(|log| {
            (
                number(log, "pc"),
                log["op"].as_str().unwrap(),
                number(log, "gas"),
                number(log, "gasCost"),
                number(log, "depth"),
            )
        })
        .collect()
}

#[test]
fn struct_logs_show_every_instruction_with_its_gas_and_depth() {
    let Some(node) = &*NODE else { return };
    // A: 7 into slot 1; 0xb into memory; call B with nothing; stop. B: load slot 0; stop
    let a = "0x6007600155600b6000525f5f5f5f5f73bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb611388f100";
    let b = "0x5f5400";
    let trace = trace(
        node,
        100_000,
        &[(A, a), (B, b)],
        json!({ "enableMemory": true }),
    );
    let cold_call = 2_600 + 5_000;
    let mut expected = Vec::new();
    let mut gas = 79_000;
    for (pc, op, cost) in [
        (0, "PUSH1", 3),
        (2, "PUSH1", 3),
        (4, "SSTORE", 22_100),
        (5, "PUSH1", 3),
        (7, "PUSH1", 3),
        (9, "MSTORE", 6),
        (10, "PUSH0", 2),
        (11, "PUSH0", 2),
        (12, "PUSH0", 2),
        (13, "PUSH0", 2),
        (14, "PUSH0", 2),
        (15, "PUSH20", 3),
        (36, "PUSH2", 3),
        (39, "CALL", cold_call),
    ] {
        expected.push((pc, op, gas, cost, 1));
        gas -= cost;
    }
    let after_b = gas + 5_000 - 2 - 2_100;
    expected.extend([
        (0, "PUSH0", 5_000, 2, 2),
        (1, "SLOAD", 4_998, 2_100, 2),
        (2, "STOP", 2_898, 0, 2),
        (40, "STOP", after_b, 0, 1),
    ]);
    assert_eq!(steps(&trace), expected);
    let logs = &trace["structLogs"];
    assert_eq!(logs[2]["stack"], json!(["0x7", "0x1"]));
    let slot = |number: u64| format!("{number:064x}");
    assert_eq!(logs[2]["storage"], json!({ slot(1): slot(7) }));
    assert_eq!(logs[15]["storage"], json!({ slot(0): slot(0) }));
    assert_eq!(logs[5].get("memory"), None);
    assert_eq!(logs[6]["memory"], json!([slot(0xb)]));
    assert_eq!(logs[17]["stack"], json!(["0x1"]));
    assert_eq!(trace["gas"], json!(100_000 - after_b));
    assert_eq!(
        (&trace["failed"], &trace["returnValue"]),
        (&json!(false), &json!("0x"))
    );
}

#[test]
fn an_instruction_that_cannot_be_paid_shows_what_it_costs() {
    let Some(node) = &*NODE else { return };
    let failing = |gas: u64, code| {
        let trace = trace(node, 21_000 + gas, &[(A, code)], json!({}));
        assert_eq!(trace["failed"], true);
        assert_eq!(trace["gas"], 21_000 + gas);
        let last = trace["structLogs"].as_array().unwrap().last().unwrap();
        (last["gasCost"].as_u64().unwrap(), last["error"].clone())
    };
    // memory of 4096 words is 3 * 4096 + 4096 * 4096 / 512
    assert_eq!(
        failing(1_000, "0x60016201ffe052"),
        (3 + 45_056, json!("out of gas"))
    );
    assert_eq!(failing(1_000, "0x5f54"), (2_100, json!("out of gas")));
    let sentry = "out of gas: not enough gas for reentrancy sentry";
    assert_eq!(failing(2_000, "0x5f5f55"), (0, json!(sentry)));
    assert_eq!(failing(2, "0x6000"), (3, json!("out of gas")));
    let few = json!("stack underflow (0 <=> 2)");
    assert_eq!(failing(100, "0x01"), (3, few));
    // these begin, and then fail
    assert_eq!(failing(100, "0x600356"), (8, Value::Null));
    assert_eq!(failing(100, "0xfe"), (0, Value::Null));
}

#[test]
fn the_call_tracer_gives_the_tree_of_calls() {
    let Some(node) = &*NODE else { return };
    // revert(Error("no")), copied from the end of the code
    let text = format!("08c379a0{:064x}{:064x}{:0<64}", 32, 2, "6e6f");
    let reverts = format!("0x5f5fa06064600f5f3960645ffd{text}").replace("600f", "600d");
    // A: log; call B with 5 wei, which logs and reverts; call the identity precompile with a word;
    // delegate to C, which stores; create a contract from nothing; log
    let calls = [
        "5f5fa0",
        &format!("5f5f5f5f6005{}61c350f1", push(B)),
        "5f5f60205f60045afa",
        &format!("5f5f5f5f{}61ea60f4", push(C)),
        "5f5f5ff0",
        "5f5fa000",
    ];
    let config = json!({
        "tracer": "callTracer",
        "tracerConfig": { "withLog": true },
        "stateOverrides": {
            A: { "code": format!("0x{}", calls.concat()), "balance": "0x5" },
            B: { "code": reverts },
            C: { "code": "0x60015f5500" },
        },
    });
    let call = json!({ "from": SENDER, "to": A, "gas": "0x493e0" });
    let trace = node.call("debug_traceCall", json!([call, "0xc8", config]));
    let calls = trace["calls"].as_array().unwrap();
    let frame = |call: &Value| {
        ["type", "from", "to", "value", "input", "error"].map(|name| call[name].clone())
    };
    let word = format!("0x{:064x}", 0);
    let made = alloy_primitives::Address::from_slice(&[0xaa; 20]).create(0);
    assert_eq!(
        frame(&trace),
        [
            json!("CALL"),
            json!(SENDER),
            json!(A),
            json!("0x0"),
            json!("0x"),
            Value::Null
        ]
    );
    assert_eq!(
        calls.iter().map(frame).collect::<Vec<_>>(),
        [
            [
                json!("CALL"),
                json!(A),
                json!(B),
                json!("0x5"),
                json!("0x"),
                json!("execution reverted")
            ],
            [
                json!("STATICCALL"),
                json!(A),
                json!("0x0000000000000000000000000000000000000004"),
                Value::Null,
                json!(word),
                Value::Null
            ],
            [
                json!("DELEGATECALL"),
                json!(A),
                json!(C),
                json!("0x0"),
                json!("0x"),
                Value::Null
            ],
            [
                json!("CREATE"),
                json!(A),
                json!(format!("{made:#x}")),
                json!("0x0"),
                json!("0x"),
                Value::Null
            ],
        ]
    );
    assert_eq!(calls[0]["revertReason"], "no");
    assert_eq!(calls[0]["output"], format!("0x{text}"));
    assert_eq!(calls[0]["gas"], "0xcc4c"); // 50000 and the stipend
    assert_eq!(calls[1]["output"], json!(word));
    // identity: 15 and 3 for the word; the store: 22100 and two pushes
    assert_eq!(number(&calls[1]["gasUsed"]), 18);
    assert_eq!(number(&calls[2]["gasUsed"]), 22_100 + 3 + 2);
    // logs of B never were, so they are not counted either
    let logs = trace["logs"].as_array().unwrap();
    let places = logs.iter().map(|log| (&log["index"], &log["position"]));
    assert_eq!(
        places.collect::<Vec<_>>(),
        [
            (&json!("0x0"), &json!("0x0")),
            (&json!("0x1"), &json!("0x4"))
        ]
    );
    assert_eq!(calls[0].get("logs"), None);
}

/// `PUSH20`.
fn push(address: &str) -> String {
    format!("73{}", &address[2..])
}

#[test]
fn traces_agree_with_receipts() {
    let Some(node) = &*NODE else { return };
    let (mut deposits, mut failed, mut all) = (0, 0, 0);
    for block in &node.chain.blocks {
        let receipts = node.call("eth_getBlockReceipts", json!([block.hash]));
        let config = json!({ "tracer": "callTracer", "tracerConfig": { "withLog": true } });
        let traces = node.call("debug_traceBlockByHash", json!([block.hash, config]));
        let logs = node.call(
            "debug_traceBlockByHash",
            json!([block.hash, { "disableStack": true, "disableStorage": true }]),
        );
        let receipts = receipts.as_array().unwrap();
        assert_eq!(receipts.len(), traces.as_array().unwrap().len());
        for (index, receipt) in receipts.iter().enumerate() {
            let (trace, logs) = (&traces[index]["result"], &logs[index]["result"]);
            assert_eq!(traces[index]["txHash"], receipt["transactionHash"]);
            assert_eq!(trace["gasUsed"], receipt["gasUsed"]);
            assert_eq!(logs["gas"], number(&receipt["gasUsed"]));
            assert_eq!(trace["from"], receipt["from"]);
            let succeeded = receipt["status"] == "0x1";
            assert_eq!(trace.get("error").is_none(), succeeded);
            assert_eq!(logs["failed"], json!(!succeeded));
            let mut indices = Vec::new();
            collect_logs(trace, &mut indices);
            indices.sort_unstable();
            let expected = receipt["logs"].as_array().unwrap().iter();
            let expected: Vec<_> = expected.map(|log| number(&log["logIndex"])).collect();
            assert_eq!(indices, expected);
            deposits += usize::from(receipt["type"] == "0x7e");
            failed += usize::from(!succeeded);
            all += 1;
        }
    }
    assert!(
        deposits > 250 && failed > 0 && all > 500,
        "{deposits} {failed} {all}"
    );
}

fn collect_logs(frame: &Value, indices: &mut Vec<u64>) {
    let all = |name: &str| frame[name].as_array().cloned().unwrap_or_default();
    indices.extend(all("logs").iter().map(|log| number(&log["index"])));
    for call in all("calls") {
        collect_logs(&call, indices);
    }
}

#[test]
fn what_cannot_be_traced_is_refused_in_words() {
    let Some(node) = &*NODE else { return };
    let block = &node.chain.blocks[9];
    let hash = json!(keccak256(&block.transactions[0]));
    for (method, params, message) in [
        (
            "debug_traceTransaction",
            json!([NOTHING]),
            "transaction not found",
        ),
        (
            "debug_traceBlockByNumber",
            json!(["0x0"]),
            "genesis is not traceable",
        ),
        (
            "debug_traceBlockByNumber",
            json!(["0xffffff"]),
            "block #16777215 not found",
        ),
        (
            "debug_traceBlockByHash",
            json!([NOTHING]),
            &format!("block {NOTHING} not found"),
        ),
        (
            "debug_traceBlock",
            json!(["0x1234"]),
            "could not decode block: ",
        ),
        (
            "debug_traceTransaction",
            json!([hash, { "tracer": "foo" }]),
            "unknown tracer \"foo\": there are callTracer, ",
        ),
        (
            "debug_traceTransaction",
            json!([hash, { "timeout": "soon" }]),
            "time: invalid duration \"soon\"",
        ),
        (
            "debug_traceTransaction",
            json!([hash, { "tracer": "callTracer", "tracerConfig": { "withLog": 3 } }]),
            "invalid tracerConfig: ",
        ),
        (
            "debug_traceTransaction",
            json!([hash, {
                "tracer": "prestateTracer",
                "tracerConfig": { "diffMode": true, "includeEmpty": true },
            }]),
            "cannot use diffMode with includeEmpty",
        ),
        (
            "debug_traceCall",
            json!([{}, "pending"]),
            "tracing on top of pending is not supported",
        ),
        (
            "debug_traceCall",
            json!([{}, "0x5", { "txIndex": "0x63" }]),
            "transaction index 99 out of range for block 0x",
        ),
        (
            "debug_traceCall",
            json!([{ "to": A, "gas": "0x1" }, "latest"]),
            "tracing failed: intrinsic gas too low: have 1, want 21000",
        ),
    ] {
        let (code, text) = node.refused(method, params.clone());
        assert_eq!(code, -32000, "{params}: {text}");
        assert!(text.starts_with(message), "{params}: {text}");
    }
    for params in [
        json!([]),
        json!(["0x12"]),
        json!([hash, 7]),
        json!([hash, { "limit": "x" }]),
        json!([hash, {}, 1]),
    ] {
        let (code, text) = node.refused("debug_traceTransaction", params.clone());
        assert_eq!(code, -32602, "{params}: {text}");
    }
}

/// A hash of nothing.
const NOTHING: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";

/// The methods of a node with other settings.
fn with(node: &Node, settings: Settings) -> ChainApi {
    ChainApi::new(Arc::clone(&node.view), settings, &["eth", "debug"])
}

/// A call to code that loops for ever.
fn endless() -> Vec<Value> {
    let call = json!({ "to": A });
    let code = json!({ A: { "code": "0x5b5f56" } });
    vec![call, json!("latest"), code]
}

#[test]
fn calls_end_when_their_time_is_over() {
    let Some(node) = &*NODE else { return };
    let settings = Settings {
        gas_cap: u64::MAX / 2,
        evm_timeout: Some(Duration::from_secs(1)),
        trace_timeout: Duration::from_secs(1),
        ..Settings::default()
    };
    let api = with(node, settings);
    let begun = Instant::now();
    for (method, params) in [
        ("eth_call", endless()),
        (
            "eth_estimateGas",
            vec![
                json!({ "to": A, "gas": "0xffffffffffff" }),
                json!("latest"),
                json!({ A: { "code": "0x5b5f56" } }),
            ],
        ),
    ] {
        let error = api.call(method, params).unwrap_err();
        let text = "execution aborted (timeout = 1s)";
        assert_eq!((error.code, &*error.message), (-32000, text));
    }
    let mut params = endless();
    let code = params.pop().unwrap();
    for timeout in ["1h", "10ms"] {
        let config = json!({ "tracer": "noopTracer", "timeout": timeout, "stateOverrides": code });
        let params = vec![params[0].clone(), params[1].clone(), config];
        let error = api.call("debug_traceCall", params).unwrap_err();
        assert_eq!(
            (error.code, &*error.message),
            (-32000, "execution timeout"),
            "{timeout}"
        );
    }
    let taken = begun.elapsed().as_secs_f64();
    assert!((3.0..8.0).contains(&taken), "{taken}");
}

#[test]
fn traces_that_are_too_long_are_given_up() {
    let Some(node) = &*NODE else { return };
    let settings = Settings {
        max_trace_bytes: 100_000,
        ..Settings::default()
    };
    let api = with(node, settings);
    let call = json!({ "to": A, "gas": "0x2faf080" });
    // one loops, one logs a kilobyte for ever, one calls the identity precompile for ever
    for (tracer, code) in [
        (Value::Null, "0x5b5f56"),
        (json!("callTracer"), "0x5b6104005fa05f56"),
        (json!("callTracer"), "0x5b5f5f6104005f60045afa505f56"),
        // reads slot after slot
        (json!("prestateTracer"), "0x5f5b60010180545060015600"),
    ] {
        let config = json!({
            "tracer": tracer,
            "tracerConfig": if tracer == "callTracer" {
                json!({ "withLog": true })
            } else {
                Value::Null
            },
            "stateOverrides": { A: { "code": code } },
        });
        let params = vec![call.clone(), json!("latest"), config];
        let error = api.call("debug_traceCall", params).unwrap_err();
        assert_eq!(
            error.message, "the trace is too long: more than 100000 bytes",
            "{code}"
        );
        assert_eq!(error.code, -32000);
    }
    // the bound is for all transactions of a block together
    let traced = |api: &ChainApi, block: u64| {
        let params = vec![json!(format!("{block:#x}"))];
        api.call("debug_traceBlockByNumber", params)
    };
    let small = Settings {
        max_trace_bytes: 25_000_000,
        ..Settings::default()
    };
    let whole = traced(&with(node, small), 200).unwrap();
    let sizes = whole.as_array().unwrap().iter();
    let sizes: Vec<_> = sizes.map(|trace| trace.to_string().len()).collect();
    let (all, largest) = (sizes.iter().sum::<usize>(), *sizes.iter().max().unwrap());
    assert!(all > largest + 10_000, "{sizes:?}");
    let between = Settings {
        max_trace_bytes: largest + 5_000,
        ..Settings::default()
    };
    let error = traced(&with(node, between), 200).unwrap_err();
    assert!(
        error.message.starts_with("the trace is too long"),
        "{error}"
    );
}

#[test]
fn an_access_list_names_what_is_touched() {
    let Some(node) = &*NODE else { return };
    // A: loads slots 1 and 2, asks for the code of B, calls the identity precompile and itself's
    // caller's balance, calls C; C stores into slot 3
    let a = format!(
        "0x60015450600254507{}3b505f5f5f5f60045afa503331505f5f5f5f5f{}5af100",
        &push(B)[1..],
        push(C)
    );
    let overrides = json!({
        A: { "code": a },
        C: { "code": "0x600160035500" },
        SENDER: { "balance": "0xffffffffffffffffffff" },
    });
    let call = json!({ "from": SENDER, "to": A, "gas": "0x186a0" });
    let answer = node.call("eth_createAccessList", json!([call, "0xc8", overrides]));
    let slot = |number: u64| format!("0x{number:064x}");
    assert_eq!(
        answer["accessList"],
        json!([
            { "address": A, "storageKeys": [slot(1), slot(2)] },
            { "address": B, "storageKeys": [] },
            { "address": C, "storageKeys": [slot(3)] },
        ])
    );
    assert_eq!(answer.get("error"), None);
    // what is used with the list: 21000, three addresses and three slots of it; then all is warm
    let list = 3 * 2_400 + 3 * 1_900;
    let loads = 2 * (3 + 100 + 2);
    let code_size = 3 + 100 + 2;
    let identity = 4 * 2 + 3 + 2 + 100 + 15 + 2;
    let balance = 2 + 100 + 2;
    let calls = 5 * 2 + 3 + 2 + 100 + (3 + 3 + 20_000);
    let gas = 21_000 + list + loads + code_size + identity + balance + calls;
    assert_eq!(number(&answer["gasUsed"]), gas);
    // a transaction with the list uses as much
    let mut listed = call;
    listed["accessList"] = answer["accessList"].clone();
    let again = node.call("eth_createAccessList", json!([listed, "0xc8", overrides]));
    assert_eq!(again, answer);
    let poor = json!([{ "from": C, "to": A }, "latest"]);
    let (code, text) = node.refused("eth_createAccessList", poor);
    assert_eq!(code, -32000);
    assert!(
        text.contains("insufficient funds for gas * price + value"),
        "{text}"
    );
    let reverts = json!([{ "from": SENDER, "to": A, "gas": "0x186a0" }, "latest", {
        A: { "code": "0x5f545f5ffd" },
        SENDER: { "balance": "0xffffffffffffffffffff" },
    }]);
    let answer = node.call("eth_createAccessList", reverts);
    assert_eq!(answer["error"], "execution reverted");
    assert_eq!(answer["accessList"][0]["storageKeys"], json!([slot(0)]));
}

/// op-geth 1.101702.3's answers to `debug_traceBlockByNumber` of every block of the chain, 29 blocks
/// at a time: the first eight bytes of the SHA-256 of the JSON, without white space and with the
/// names of each object in order.
const OP_GETH: [(&str, [&str; 8]); 7] = [
    (
        r#"{"enableMemory":true,"enableReturnData":true}"#,
        [
            "d19d8a69803213dc",
            "6c06a1ad0371ce6e",
            "884b39bb52a085a3",
            "02f334b6307d57f5",
            "869ff60b52e54098",
            "e0cf68bc826c7cb4",
            "e6682d7919e56be2",
            "1e5b1d1feee39c82",
        ],
    ),
    (
        r#"{"limit":3000}"#,
        [
            "168e5d2263568dba",
            "cbfc4f99f4861bc3",
            "1a3155ea8c5cae77",
            "ac03ccb6c7018c51",
            "ec2af480476339f7",
            "5447d4a1a16d2753",
            "7994a5020f53e75c",
            "49559a3c788a3a93",
        ],
    ),
    (
        r#"{"tracer":"callTracer","tracerConfig":{"withLog":true}}"#,
        [
            "93c12c22b1ef4b7b",
            "29b6406138d95416",
            "47f8782d135bc9db",
            "c5a0bc065934655a",
            "21d1de0e9613e13b",
            "62a37f8bcf04c1e7",
            "ab546d86e994d568",
            "bd07b448214089d2",
        ],
    ),
    (
        r#"{"tracer":"callTracer","tracerConfig":{"onlyTopCall":true}}"#,
        [
            "c48dd562438a1bad",
            "52c8d3ffbd61772b",
            "984b288a3c56a119",
            "71a4b3297e229cd1",
            "e59d022efd5bc72f",
            "4d17f11a0e1b8644",
            "6cd4a4311bf0af49",
            "93e9b6594cca3032",
        ],
    ),
    (
        r#"{"tracer":"prestateTracer","tracerConfig":{"includeEmpty":true}}"#,
        [
            "2880577b0cf4a837",
            "30c3db5353fccce0",
            "f87ad4590f082c35",
            "f4fc44af807c4265",
            "ab20ab400a7d9e84",
            "9f3f9167297b375b",
            "e47fc991566b56b4",
            "1fa4d47085b16250",
        ],
    ),
    (
        r#"{"tracer":"prestateTracer","tracerConfig":{"diffMode":true}}"#,
        [
            "cfc16fe95211b818",
            "3ead25cfd0c1b8de",
            "1dafe3fd45f05eea",
            "9b3f45c428a2856e",
            "0b570c91077603f0",
            "9b4f6710c4ec3d8b",
            "3fe8c4f44d48e69c",
            "6bf77c45cad4b085",
        ],
    ),
    (
        r#"{"tracer":"4byteTracer"}"#,
        [
            "15a78cfea7e09110",
            "9a6a14de76ba7037",
            "a7aff57da37eb957",
            "edd9abbef0e15138",
            "a377df56f33acc1e",
            "a8f6117735b5989f",
            "a1a5eb51f7384429",
            "0ac5a8485227cbdf",
        ],
    ),
];

#[test]
fn traces_of_all_blocks_are_op_geths() {
    let Some(node) = &*NODE else { return };
    let api = with(node, Settings::default());
    for (config, expected) in OP_GETH {
        let options: Value = serde_json::from_str(config).unwrap();
        let mut found = Vec::new();
        for first in (1..=node.chain.blocks.len()).step_by(29) {
            let mut hash = Sha256::new();
            for block in first..=node.chain.blocks.len().min(first + 28) {
                let params = vec![json!(format!("{block:#x}")), options.clone()];
                let traces = api.call("debug_traceBlockByNumber", params).unwrap();
                hash.update(traces.to_string());
            }
            found.push(alloy_primitives::hex::encode(&hash.finalize()[..8]));
        }
        assert_eq!(found, expected, "{config}");
    }
}
