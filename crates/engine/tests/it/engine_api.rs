//! The Engine API as op-node uses it: JSON in, JSON out.

use crate::chain::{Chain, RecordedBlock};
use alloy_primitives::{B256, Bytes, hex};
use doppio_engine::{Engine, EngineApi, EngineSettings, Store};
use doppio_protocol::config::Fork;
use doppio_rpc::RpcError;
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

/// An engine of a test, and its database; gone when dropped.
struct Node {
    chain: Chain,
    api: EngineApi,
    path: PathBuf,
}

impl Node {
    /// An engine at the genesis of a chain that goes through all forks up to Jovian.
    fn new(test: &str) -> Option<Self> {
        let chain = Chain::open("all-forks-calldata")?;
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("api_{test}.redb"));
        let _ = fs::remove_file(&path);
        let store = Store::open(&path, &chain.genesis, 16 << 20).unwrap();
        let engine = Engine::new(chain.genesis.clone(), store, &EngineSettings::default()).unwrap();
        let api = EngineApi::new(Arc::new(Mutex::new(engine)));
        Some(Self { chain, api, path })
    }

    fn call(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        let Value::Array(params) = params else {
            panic!("parameters are a list");
        };
        self.api.call(&format!("engine_{method}"), params)
    }

    fn active(&self, fork: Fork, block: &RecordedBlock) -> bool {
        self.chain.genesis.spec.active(fork, block.header.timestamp)
    }

    /// The versions of `forkchoiceUpdated`, `getPayload` and `newPayload` that op-node calls.
    fn versions(&self, block: &RecordedBlock) -> [u8; 3] {
        if self.active(Fork::Isthmus, block) {
            [3, 4, 4]
        } else if self.active(Fork::Ecotone, block) {
            [3, 3, 3]
        } else if self.active(Fork::Canyon, block) {
            [2, 2, 2]
        } else {
            [1, 2, 2]
        }
    }

    /// The attributes that op-node derives for a block.
    fn attributes(&self, block: &RecordedBlock) -> Value {
        let header = &block.header;
        let mut attributes = json!({
            "timestamp": format!("{:#x}", header.timestamp),
            "prevRandao": header.mix_hash,
            "suggestedFeeRecipient": header.beneficiary,
            "transactions": block.transactions,
            "noTxPool": true,
            "gasLimit": format!("{:#x}", header.gas_limit),
        });
        if self.active(Fork::Canyon, block) {
            attributes["withdrawals"] = json!([]);
        }
        if self.active(Fork::Ecotone, block) {
            attributes["parentBeaconBlockRoot"] = json!(header.parent_beacon_block_root);
        }
        if self.active(Fork::Holocene, block) {
            attributes["eip1559Params"] = json!(hex::encode_prefixed(&header.extra_data[1..9]));
        }
        if self.active(Fork::Jovian, block) {
            let fee = u64::from_be_bytes(header.extra_data[9..17].try_into().unwrap());
            attributes["minBaseFee"] = json!(fee);
        }
        attributes
    }

    /// Makes a block from its attributes, as a sequencer's op-node does; returns the payload.
    fn build(&self, block: &RecordedBlock) -> Value {
        let [choose, get, _] = self.versions(block);
        let parent = block.header.parent_hash;
        let state = fork_choice(parent);
        let answer = self
            .call(
                &format!("forkchoiceUpdatedV{choose}"),
                json!([state, self.attributes(block)]),
            )
            .unwrap();
        assert_eq!(answer["payloadStatus"]["status"], "VALID");
        assert_eq!(answer["payloadStatus"]["latestValidHash"], json!(parent));
        let id = answer["payloadId"].as_str().unwrap();
        self.call(&format!("getPayloadV{get}"), json!([id]))
            .unwrap()
    }

    /// The parameters of `newPayload` for a payload.
    fn payload_params(&self, block: &RecordedBlock, payload: &Value) -> Value {
        let [_, _, version] = self.versions(block);
        let root = json!(block.header.parent_beacon_block_root);
        match version {
            2 => json!([payload]),
            3 => json!([payload, [], root]),
            _ => json!([payload, [], root, []]),
        }
    }

    fn insert(&self, block: &RecordedBlock, payload: &Value) -> Value {
        let [choose, _, new] = self.versions(block);
        let params = self.payload_params(block, payload);
        let status = self.call(&format!("newPayloadV{new}"), params).unwrap();
        if status["status"] == "VALID" {
            // without attributes op-node always calls version 3
            let _ = choose;
            let answer = self
                .call(
                    "forkchoiceUpdatedV3",
                    json!([fork_choice(block.hash), null]),
                )
                .unwrap();
            assert_eq!(answer["payloadStatus"]["status"], "VALID");
            assert_eq!(answer["payloadId"], Value::Null);
        }
        status
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn fork_choice(head: B256) -> Value {
    json!({
        "headBlockHash": head,
        "safeBlockHash": B256::ZERO,
        "finalizedBlockHash": B256::ZERO,
    })
}

#[test]
fn every_block_of_all_forks_is_built_and_inserted_by_the_versions_that_op_node_calls() {
    let Some(node) = Node::new("all_forks") else {
        return;
    };
    for block in &node.chain.blocks {
        let envelope = node.build(block);
        let payload = &envelope["executionPayload"];
        assert_eq!(payload["blockHash"], json!(block.hash));
        assert_eq!(payload["transactions"], json!(block.transactions));
        let ecotone = node.active(Fork::Ecotone, block);
        let isthmus = node.active(Fork::Isthmus, block);
        assert_eq!(
            payload.get("withdrawals").is_some(),
            node.active(Fork::Canyon, block)
        );
        assert_eq!(payload.get("excessBlobGas").is_some(), ecotone);
        assert_eq!(payload.get("withdrawalsRoot").is_some(), isthmus);
        assert_eq!(envelope.get("parentBeaconBlockRoot").is_some(), ecotone);
        assert_eq!(envelope.get("executionRequests").is_some(), isthmus);
        let status = node.insert(block, payload);
        assert_eq!(status["status"], "VALID", "{status}");
        assert_eq!(status["latestValidHash"], json!(block.hash));
    }
}

#[test]
fn a_call_of_another_versions_time_is_refused() {
    let Some(node) = Node::new("versions") else {
        return;
    };
    for block in &node.chain.blocks {
        let envelope = node.build(block);
        let id = {
            let [choose, _, _] = node.versions(block);
            let parent = block.header.parent_hash;
            let params = json!([fork_choice(parent), node.attributes(block)]);
            let answer = node
                .call(&format!("forkchoiceUpdatedV{choose}"), params)
                .unwrap();
            answer["payloadId"].clone()
        };
        let [choose, get, new] = node.versions(block);
        for version in [2, 3, 4, 5].into_iter().filter(|version| *version != get) {
            let error = node
                .call(&format!("getPayloadV{version}"), json!([id]))
                .unwrap_err();
            assert_eq!(error.code, -38005, "{error}");
        }
        let payload = &envelope["executionPayload"];
        for version in [2u8, 3, 4].into_iter().filter(|version| *version != new) {
            let params = json!([payload, [], block.header.parent_beacon_block_root, []]);
            let Value::Array(mut params) = params else {
                unreachable!()
            };
            params.truncate([0, 0, 1, 3, 4][usize::from(version)]);
            let error = node
                .call(&format!("newPayloadV{version}"), Value::Array(params))
                .unwrap_err();
            assert!([-38005, -32602].contains(&error.code), "{error}");
        }
        for version in [1, 2, 3].into_iter().filter(|version| *version != choose) {
            if (choose, version) == (2, 1) || (choose, version) == (1, 2) {
                continue;
            }
            let params = json!([
                fork_choice(block.header.parent_hash),
                node.attributes(block)
            ]);
            let error = node
                .call(&format!("forkchoiceUpdatedV{version}"), params)
                .unwrap_err();
            assert!([-38005, -38003, -32602].contains(&error.code), "{error}");
        }
        node.insert(block, payload);
    }
}

#[test]
fn a_payload_that_lies_is_invalid_and_says_why() {
    let Some(node) = Node::new("lies") else {
        return;
    };
    let block = &node.chain.blocks[0];
    let payload = node.build(block)["executionPayload"].clone();
    for (field, value) in [
        ("stateRoot", json!(B256::repeat_byte(1))),
        ("gasUsed", json!("0x1")),
        ("timestamp", json!("0x1")),
        ("baseFeePerGas", json!("0x7")),
        ("transactions", json!([])),
        ("extraData", json!("0x00")),
        ("parentHash", json!(B256::repeat_byte(3))),
    ] {
        let mut lie = payload.clone();
        lie[field] = value;
        let status = node.insert(block, &lie);
        assert_eq!(status["status"], "INVALID", "{field}");
        assert_eq!(status["latestValidHash"], Value::Null);
        let reason = status["validationError"].as_str().unwrap();
        assert!(reason.contains("blockhash mismatch"), "{reason}");
    }
    assert_eq!(node.insert(block, &payload)["status"], "VALID");
}

#[test]
fn attributes_that_are_not_those_of_an_l2_block_are_refused() {
    let Some(node) = Node::new("attributes") else {
        return;
    };
    // up to the first block of Jovian, which has all that there is
    let jovian = node
        .chain
        .blocks
        .iter()
        .position(|block| node.active(Fork::Jovian, block))
        .unwrap();
    for block in &node.chain.blocks[..jovian] {
        let payload = node.build(block)["executionPayload"].clone();
        node.insert(block, &payload);
    }
    let block = &node.chain.blocks[jovian];
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut attributes = node.attributes(block);
        change(&mut attributes);
        let params = json!([fork_choice(block.header.parent_hash), attributes]);
        node.call("forkchoiceUpdatedV3", params).unwrap_err()
    };
    /// What the error names, and the change that brings it about.
    type Change<'a> = (&'a str, &'a dyn Fn(&mut Value));
    let changes: [Change<'_>; 10] = [
        ("gasLimit", &|json| json["gasLimit"] = Value::Null),
        ("eip1559Params", &|json| json["eip1559Params"] = Value::Null),
        ("eip1559Params", &|json| {
            json["eip1559Params"] = json!("0x00")
        }),
        ("denominator", &|json| {
            json["eip1559Params"] = json!("0x0000000000000001");
        }),
        ("minBaseFee", &|json| json["minBaseFee"] = Value::Null),
        ("withdrawals", &|json| json["withdrawals"] = Value::Null),
        ("withdrawals", &|json| json["withdrawals"] = json!([{}])),
        ("beacon root", &|json| {
            json["parentBeaconBlockRoot"] = Value::Null;
        }),
        ("timestamp", &|json| {
            json["timestamp"] = json!(format!("{:#x}", block.header.timestamp - 1));
            json["minBaseFee"] = Value::Null;
        }),
        ("transaction 1", &|json| {
            let junk = json!(Bytes::from_static(&[2, 0xc0]));
            json["transactions"].as_array_mut().unwrap()[1] = junk;
        }),
    ];
    for (what, change) in changes {
        let error = refused(change);
        assert_eq!(error.code, -38003, "{what}: {error}");
        assert!(error.message.contains(what), "{what}: {error}");
    }
}

#[test]
fn malformed_calls_are_errors_that_name_what_is_wrong() {
    let Some(node) = Node::new("malformed") else {
        return;
    };
    let genesis = node.chain.genesis.hash;
    for (method, params, code, text) in [
        ("newPayloadV9", json!([]), -32601, "engine_newPayloadV9"),
        ("newPayloadV4", json!([]), -32602, "executionPayload"),
        ("newPayloadV3", json!([{}]), -32602, "parentHash"),
        ("getPayloadV3", json!(["0x01"]), -32602, "payloadId"),
        (
            "getPayloadV3",
            json!(["0x0000000000000009"]),
            -38001,
            "unknown payload",
        ),
        ("forkchoiceUpdatedV3", json!([5]), -32602, "forkchoiceState"),
        (
            "forkchoiceUpdatedV3",
            json!([fork_choice(genesis), null, 7]),
            -32602,
            "too many",
        ),
        (
            "forkchoiceUpdatedV3",
            json!([{
                "headBlockHash": genesis,
                "safeBlockHash": B256::repeat_byte(9),
                "finalizedBlockHash": B256::ZERO,
            }]),
            -38002,
            "safe block",
        ),
        (
            "getPayloadBodiesByRangeV1",
            json!(["0x0", "0x1"]),
            -32602,
            "at least 1",
        ),
        (
            "getPayloadBodiesByRangeV1",
            json!(["0x1", "0x401"]),
            -38004,
            "1024",
        ),
    ] {
        let error = node.call(method, params).unwrap_err();
        assert_eq!(error.code, code, "{method}: {error}");
        assert!(error.message.contains(text), "{method}: {error}");
    }
}

#[test]
fn capabilities_and_bodies() {
    let Some(node) = Node::new("bodies") else {
        return;
    };
    let capabilities = node.call("exchangeCapabilities", json!([[]])).unwrap();
    for method in ["engine_getPayloadV5", "engine_newPayloadV4"] {
        assert!(capabilities.as_array().unwrap().contains(&json!(method)));
    }
    for block in &node.chain.blocks[..30] {
        let payload = node.build(block)["executionPayload"].clone();
        node.insert(block, &payload);
    }
    let bodies = node
        .call("getPayloadBodiesByRangeV1", json!(["0x1c", "0x5"]))
        .unwrap();
    let bodies = bodies.as_array().unwrap();
    assert_eq!(bodies.len(), 3);
    assert_eq!(
        bodies[0]["transactions"],
        json!(node.chain.blocks[27].transactions)
    );
    let hashes = [node.chain.blocks[3].hash, B256::repeat_byte(1)];
    let bodies = node
        .call("getPayloadBodiesByHashV1", json!([hashes]))
        .unwrap();
    assert_eq!(
        bodies[0]["transactions"],
        json!(node.chain.blocks[3].transactions)
    );
    assert_eq!(bodies[1], Value::Null);
}
