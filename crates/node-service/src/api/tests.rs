//! What the node's RPC says to bad arguments, and of what it does not have: op-node's words and codes.

use super::*;
use crate::status::NodeStatus;
use doppio_l2::L2Client;
use doppio_protocol::config::{ChainConfig, Network, Overrides};
use doppio_rpc::{CallError, Caller, Calling};
use tokio::{
    runtime::{Builder, Runtime},
    sync::{mpsc, watch},
    task::spawn_blocking,
};

/// An engine that has no block; or one that is away.
#[derive(Debug)]
struct Engine {
    is_away: bool,
}

impl Caller for Engine {
    fn name(&self) -> &str {
        "the engine"
    }

    fn call<'a>(&'a self, method: &'a str, _: Vec<Value>) -> Calling<'a> {
        Box::pin(async move {
            if self.is_away {
                return Err(CallError::NoAnswer {
                    server: "the engine".to_owned(),
                    method: method.to_owned(),
                    reason: "connection refused".to_owned(),
                });
            }
            Ok(Value::Null)
        })
    }
}

struct Setting {
    runtime: Runtime,
    node: NodeHandle,
    // dropped: the node has stopped
    commands: Option<mpsc::Receiver<crate::command::Command>>,
    _status: watch::Sender<NodeStatus>,
}

impl Setting {
    fn new() -> Self {
        Self::with(Engine { is_away: false })
    }

    fn with(engine: Engine) -> Self {
        let rollup = Network::find("op-mainnet").unwrap().rollup_config();
        let chain = ChainConfig::new(rollup.unwrap(), Overrides::default()).unwrap();
        let chain = Arc::new(chain);
        let (commands, received) = mpsc::channel(4);
        let (sender, status) = watch::channel(NodeStatus::default());
        Self {
            runtime: Builder::new_multi_thread()
                .worker_threads(1)
                .build()
                .unwrap(),
            node: NodeHandle {
                l2: Arc::new(L2Client::new(Arc::clone(&chain), Arc::new(engine))),
                chain,
                safe_db: None,
                status,
                commands,
            },
            commands: Some(received),
            _status: sender,
        }
    }

    fn call(&self, method: &'static str, params: Value) -> Result<Value, RpcError> {
        let Value::Array(params) = params else {
            panic!("{params}");
        };
        let node = self.node.clone();
        let set_log: Arc<SetLog> = Arc::new(|level| match level {
            "INFO" => Ok(()),
            _ => Err(format!("invalid level: {level}")),
        });
        self.runtime.block_on(async move {
            let call = move || {
                let sets: [Box<dyn MethodSet>; 2] = [
                    Box::new(NodeApi::new(node.clone(), "v0")),
                    Box::new(AdminApi::new(node, set_log)),
                ];
                let set = sets.iter().find(|set| set.names().contains(&method));
                set.expect(method).call(method, params)
            };
            spawn_blocking(call).await.unwrap()
        })
    }

    fn refusal(&self, method: &'static str, params: Value) -> (i64, String) {
        let error = self.call(method, params.clone());
        let error = error.expect_err(&format!("{method} takes {params}"));
        (error.code, error.message)
    }
}

/// The preimage is written out as the sheet has it.
#[test]
fn the_super_root_of_one_chain_is_over_version_time_chain_and_output() {
    let output = B256::repeat_byte(0xab);
    let mut preimage = "01".to_owned() + "0000000065000000";
    preimage += &format!("{:064x}", 901);
    preimage += &"ab".repeat(32);
    let preimage = alloy_primitives::hex::decode(preimage).unwrap();
    assert_eq!(super_root(0x6500_0000, 901, output), keccak256(preimage));
}

/// As geth's server, which op-node has, words them.
#[test]
fn bad_arguments_have_geths_code_and_words() {
    let setting = Setting::new();
    let long = format!("0x1{}", "0".repeat(16));
    for method in [
        "optimism_outputAtBlock",
        "optimism_safeHeadAtL1Block",
        "superroot_atTimestamp",
    ] {
        for (params, words) in [
            (json!([]), "missing value for required argument 0"),
            (json!([null]), "missing value for required argument 0"),
            (json!(["0x1", "0x2"]), "too many arguments, want at most 1"),
            (json!(["1"]), "invalid argument 0: "),
            (json!(["1"]), "hex string without 0x prefix"),
            (json!(["0x"]), "hex string \"0x\""),
            (json!(["0x01"]), "hex number with leading zero digits"),
            (json!([long]), "hex number > 64 bits"),
            (json!(["0xg"]), "invalid hex string"),
            (json!(["latest"]), "invalid argument 0: "),
            (json!([1]), "invalid argument 0: "),
            (json!([-1]), "invalid argument 0: "),
            (json!([{}]), "invalid argument 0: "),
            (json!([true]), "invalid argument 0: "),
        ] {
            let (code, message) = setting.refusal(method, params.clone());
            assert_eq!(code, -32602, "{method}{params}: {message}");
            assert!(message.contains(words), "{method}{params}: {message}");
        }
    }
    for (method, params) in [
        ("admin_startSequencer", json!([])),
        ("admin_startSequencer", json!(["0x12"])),
        (
            "admin_startSequencer",
            json!([format!("0x{}", "zz".repeat(32))]),
        ),
        (
            "admin_startSequencer",
            json!([format!("0x{}", "11".repeat(33))]),
        ),
        ("admin_setRecoverMode", json!(["yes"])),
        ("admin_setLogLevel", json!([3])),
        ("admin_postUnsafePayload", json!([])),
        ("admin_postUnsafePayload", json!(["0x"])),
        (
            "admin_postUnsafePayload",
            json!([{ "executionPayload": {} }]),
        ),
        ("optimism_syncStatus", json!(["0x1", "0x1"])),
    ] {
        let (code, message) = setting.refusal(method, params.clone());
        assert_eq!(code, -32602, "{method}{params}: {message}");
    }
}

/// op-node's errors have the code of anything that has none, and these words.
#[test]
fn what_is_not_there_is_said_in_op_nodes_words() {
    let setting = Setting::new();
    let most = json!([format!("{:#x}", u64::MAX)]);
    for number in [json!(["0x0"]), json!(["0x7"]), most.clone()] {
        let (code, message) = setting.refusal("optimism_outputAtBlock", number.clone());
        assert_eq!(code, -32000, "{message}");
        assert!(
            message.starts_with("failed to get L2 block ref with sync status: "),
            "{message}"
        );
        assert!(message.ends_with("not found"), "{message}");
        let (code, message) = setting.refusal("optimism_safeHeadAtL1Block", number.clone());
        let number = number[0].as_str().unwrap();
        let words = "safe head database not enabled";
        assert_eq!(code, -32000);
        assert_eq!(
            message,
            format!("failed to get safe head at l1 block {number}: {words}")
        );
    }
    assert_eq!(
        setting.refusal("optimism_dependencySet", json!([])),
        (-32000, "not found".to_owned())
    );
    let genesis = setting.node.chain.rollup.genesis.l2_time;
    let before = format!("{:#x}", genesis - 1);
    assert_eq!(
        setting.refusal("superroot_atTimestamp", json!([before])),
        (
            -32000,
            format!(
                "target block number for timestamp {}: did not reach genesis time ({genesis}) yet",
                genesis - 1
            )
        )
    );
    // beyond the head, as far as numbers go: the chain is left out
    let answer = setting.call("superroot_atTimestamp", most).unwrap();
    assert_eq!(answer["optimistic_at_timestamp"], json!({}));
    assert_eq!(answer["chain_ids"], json!(["10"]));
    assert_eq!(answer.get("data"), None);
}

/// An engine that does not answer is not one that has no block.
#[test]
fn an_engine_that_is_away_is_no_missing_block() {
    let setting = Setting::with(Engine { is_away: true });
    let (code, message) = setting.refusal("optimism_outputAtBlock", json!(["0x1"]));
    assert_eq!(code, -32000);
    assert!(message.contains("connection refused"), "{message}");
    assert!(!message.contains("not found"), "{message}");
    let time = setting.node.chain.rollup.genesis.l2_time + 2;
    let (_, message) = setting.refusal("superroot_atTimestamp", json!([format!("{time:#x}")]));
    assert!(message.contains("connection refused"), "{message}");
}

#[test]
fn a_payload_that_is_not_the_block_that_it_says_is_refused_as_by_op_node() {
    let setting = Setting::new();
    let payload = json!({
        "parentHash": B256::ZERO,
        "feeRecipient": alloy_primitives::Address::ZERO,
        "stateRoot": B256::ZERO,
        "receiptsRoot": B256::ZERO,
        "logsBloom": alloy_primitives::Bloom::ZERO,
        "prevRandao": B256::ZERO,
        "blockNumber": "0x1",
        "gasLimit": "0x1",
        "gasUsed": "0x0",
        "timestamp": "0x1",
        "extraData": "0x",
        "baseFeePerGas": "0x1",
        "blockHash": B256::repeat_byte(7),
        "transactions": [],
    });
    let envelope = json!([{ "executionPayload": payload }]);
    let (code, message) = setting.refusal("admin_postUnsafePayload", envelope);
    assert_eq!(code, -32000);
    assert!(
        message.contains(&B256::repeat_byte(7).to_string()),
        "{message}"
    );
}

#[test]
fn a_node_that_has_stopped_says_so_and_levels_of_logs_are_checked() {
    let mut setting = Setting::new();
    setting.commands = None;
    for (method, params) in [
        ("admin_resetDerivationPipeline", json!([])),
        ("admin_stopSequencer", json!([])),
        ("admin_startSequencer", json!([B256::ZERO])),
        ("admin_setRecoverMode", json!([true])),
    ] {
        let refusal = setting.refusal(method, params);
        assert_eq!(
            refusal,
            (-32000, "the node has stopped".to_owned()),
            "{method}"
        );
    }
    assert_eq!(
        setting.call("admin_setLogLevel", json!(["INFO"])),
        Ok(Value::Null)
    );
    let (code, message) = setting.refusal("admin_setLogLevel", json!(["loud"]));
    assert_eq!((code, &*message), (-32000, "invalid level: loud"));
    assert_eq!(
        setting.call("admin_conductorEnabled", json!([])),
        Ok(json!(false))
    );
    assert_eq!(
        setting.call("admin_sequencerActive", json!([])),
        Ok(json!(false))
    );
}
