//! Calls, estimates and logs on a recorded chain.

use crate::rpc::{Node, number};
use alloy_primitives::{U256, address};
use doppio_engine::decode_transaction;
use doppio_protocol::l1_info::{L1BlockInfo, L1InfoLayout};
use serde_json::{Value, json};
use std::sync::LazyLock;

/// Isthmus, and Jovian from block 151 on.
static NODE: LazyLock<Option<Node>> =
    LazyLock::new(|| Node::start("all-forks-calldata", "calls", usize::MAX));

const L1_BLOCK: &str = "0x4200000000000000000000000000000000000015";
const WETH: &str = "0x4200000000000000000000000000000000000006";
const NOBODY: &str = "0x9999999999999999999999999999999999999999";

fn word(value: &Value) -> U256 {
    value.as_str().unwrap().parse().unwrap()
}

#[test]
fn a_call_sees_the_state_of_its_block() {
    let Some(node) = &*NODE else { return };
    for block in node.chain.blocks.iter().step_by(20) {
        let deposit = decode_transaction(0, &block.transactions[0]).unwrap();
        let deposit = deposit.value().inner().as_deposit().unwrap();
        let layout = L1InfoLayout::ALL
            .into_iter()
            .find(|layout| deposit.input.starts_with(&layout.selector()))
            .unwrap();
        let info = L1BlockInfo::decode(layout, &deposit.input).unwrap();
        let ask = |selector: &str| {
            let call = json!([{ "to": L1_BLOCK, "data": selector }, { "blockHash": block.hash }]);
            word(&node.call("eth_call", call))
        };
        assert_eq!(ask("0x8381f58a"), U256::from(info.number));
        assert_eq!(ask("0xb80777ea"), U256::from(info.time));
        assert_eq!(ask("0x5cf24969"), info.base_fee);
        assert_eq!(ask("0x09bd5a60"), U256::from_be_bytes(info.block_hash.0));
    }
}

#[test]
fn a_call_runs_in_the_surroundings_of_its_block() {
    let Some(node) = &*NODE else { return };
    let block = &node.chain.blocks[199];
    let header = &block.header;
    // puts one value on the stack and returns it
    let ask = |code: &str, extra: Value| {
        let mut call = json!({ "data": format!("0x{code}5f5260205ff3") });
        for (name, value) in extra.as_object().unwrap() {
            call[name] = value.clone();
        }
        word(&node.call("eth_call", json!([call, "0xc8"])))
    };
    let plain = |code| ask(code, json!({}));
    assert_eq!(plain("43"), U256::from(200)); // NUMBER
    assert_eq!(plain("42"), U256::from(header.timestamp));
    assert_eq!(plain("45"), U256::from(header.gas_limit));
    assert_eq!(plain("44"), U256::from_be_bytes(header.mix_hash.0));
    assert_eq!(plain("46"), U256::from(901)); // CHAINID
    assert_eq!(
        plain("41"),
        U256::from_be_slice(header.beneficiary.as_slice())
    );
    // the hash of the parent
    assert_eq!(
        plain("6001430340"),
        U256::from_be_bytes(header.parent_hash.0)
    );
    // who offers nothing sees no base fee
    assert_eq!(plain("48"), U256::ZERO);
    let rich = node.chain.blocks[199].transactions.last().unwrap();
    let rich = decode_transaction(0, rich).unwrap().value().signer();
    let offer = json!({ "from": rich, "gas": "0x186a0", "gasPrice": "0x77359400" });
    assert_eq!(
        ask("48", offer.clone()),
        U256::from(header.base_fee_per_gas.unwrap())
    );
    assert_eq!(ask("3a", offer), U256::from(2_000_000_000)); // GASPRICE
}

#[test]
fn a_call_that_fails_says_why_in_geths_words() {
    let Some(node) = &*NODE else { return };
    let error = |call: Value| {
        let reply = node.reply("eth_call", json!([call, "latest"]));
        reply["error"].clone()
    };
    // revert(Error("no"))
    let text = "08c379a0".to_owned() + &format!("{:064x}{:064x}{:0<64}", 32, 2, "6e6f");
    let copy = format!("0x6064600c60003960646000fd{text}");
    let reverted = error(json!({ "data": copy }));
    assert_eq!(reverted["code"], 3);
    assert_eq!(reverted["message"], "execution reverted: no");
    assert_eq!(reverted["data"], format!("0x{text}"));
    let empty = error(json!({ "data": "0x5f5ffd" }));
    assert_eq!((&empty["code"], &empty["data"]), (&json!(3), &json!("0x")));
    assert_eq!(empty["message"], "execution reverted");
    for (call, message) in [
        (json!({ "data": "0xfe" }), "invalid opcode"),
        (json!({ "data": "0x600056" }), "invalid jump destination"),
        (json!({ "data": "0x5b600056" }), "out of gas"),
        (
            json!({ "from": NOBODY, "to": L1_BLOCK, "value": "0x1" }),
            "err: insufficient funds for gas * price + value: address \
             0x9999999999999999999999999999999999999999 have 0 want 1 (supplied gas 50000000)",
        ),
        (
            json!({ "to": NOBODY, "gas": "0x5000" }),
            "err: intrinsic gas too low: have 20480, want 21000 (supplied gas 20480)",
        ),
        (
            json!({ "chainId": "0x1" }),
            "chainId does not match node's (have=1, want=901)",
        ),
        (
            json!({ "gasPrice": "0x1", "maxFeePerGas": "0x1" }),
            "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified",
        ),
    ] {
        let error = error(call.clone());
        assert_eq!(error["code"], -32000, "{call}");
        let found = error["message"].as_str().unwrap();
        assert!(found.starts_with(message), "{call}: {found}");
    }
}

#[test]
fn accounts_and_blocks_can_be_pretended() {
    let Some(node) = &*NODE else { return };
    let slot = format!("0x{:064x}", 3);
    let value = format!("0x{:064x}", 42);
    // returns the slot 3
    let code = "0x6003545f5260205ff3";
    let call = json!({ "to": NOBODY });
    let answer = node.call(
        "eth_call",
        json!([call, "latest", { NOBODY: { "code": code, "stateDiff": { slot: value } } }]),
    );
    assert_eq!(word(&answer), U256::from(42));
    // all of a proxy's storage: where it points to is gone
    let call = json!({ "to": L1_BLOCK, "data": "0x8381f58a" });
    let empty = json!({ L1_BLOCK: { "state": {} } });
    let (code, message) = node.refused("eth_call", json!([call, "latest", empty]));
    assert_eq!(code, 3);
    let expected = "execution reverted: Proxy: implementation not initialized";
    assert_eq!(message, expected);
    let answer = node.call(
        "eth_call",
        json!([{ "data": "0x435f5260205ff3" }, "latest", {}, { "number": "0x7" }]),
    );
    assert_eq!(word(&answer), U256::from(7));
    let deposit = json!({ "from": NOBODY, "to": WETH, "value": "0x5", "data": "0xd0e30db0" });
    let (code, _) = node.refused("eth_call", json!([deposit, "latest"]));
    assert_eq!(code, -32000);
    let rich = json!({ NOBODY: { "balance": "0x5" } });
    assert_eq!(
        node.call("eth_call", json!([deposit, "latest", rich])),
        "0x"
    );
    let (code, message) = node.refused(
        "eth_call",
        json!([deposit, "latest", { NOBODY: { "purse": 1 } }]),
    );
    assert_eq!(code, -32602);
    assert!(message.contains("purse"), "{message}");
}

#[test]
fn an_estimate_does_and_little_less_does_not() {
    let Some(node) = &*NODE else { return };
    let transfer = json!([{ "to": NOBODY }, "latest"]);
    assert_eq!(number(&node.call("eth_estimateGas", transfer)), 21_000);
    // 200 storage writes; the storage of a contract that is being made
    let mut code = String::from("0x");
    for slot in 0..200 {
        code += &format!("600160{slot:02x}55");
    }
    let estimate = number(&node.call("eth_estimateGas", json!([{ "data": code }, "latest"])));
    let with = |gas: u64| {
        let call = json!([{ "data": code, "gas": format!("{gas:#x}") }, "latest"]);
        node.reply("eth_call", call).get("error").is_none()
    };
    assert!(with(estimate));
    assert!(!with(estimate * 97 / 100));
    assert!(estimate > 200 * 22_100, "{estimate}");
    let (code, message) = node.refused("eth_estimateGas", json!([{ "data": "0x5f5ffd" }]));
    assert_eq!((code, &*message), (3, "execution reverted"));
    let (_, message) = node.refused("eth_estimateGas", json!([{ "data": "0x5b600056" }]));
    assert!(
        message.starts_with("gas required exceeds allowance"),
        "{message}"
    );
}

#[test]
fn logs_are_those_of_the_receipts() {
    let Some(node) = &*NODE else { return };
    let mut all = Vec::new();
    for block in &node.chain.blocks {
        let receipts = node.call("eth_getBlockReceipts", json!([block.hash]));
        for receipt in receipts.as_array().unwrap() {
            all.extend(receipt["logs"].as_array().unwrap().iter().cloned());
        }
    }
    assert!(all.len() > 20, "{}", all.len());
    let ask = |filter: Value| node.call("eth_getLogs", json!([filter]));
    let range = |extra: Value| {
        let mut filter = json!({ "fromBlock": "0x0", "toBlock": "latest" });
        for (name, value) in extra.as_object().unwrap() {
            filter[name] = value.clone();
        }
        ask(filter)
    };
    assert_eq!(range(json!({})), json!(all));
    let only = |wanted: &dyn Fn(&Value) -> bool| -> Value {
        all.iter().filter(|log| wanted(log)).cloned().collect()
    };
    for log in [&all[0], &all[all.len() / 2], &all[all.len() - 1]] {
        let (place, topic) = (&log["address"], &log["topics"][0]);
        let by_address = only(&|log| log["address"] == *place);
        assert_eq!(range(json!({ "address": place })), by_address);
        let by_topic = only(&|log| log["topics"][0] == *topic);
        assert_eq!(range(json!({ "topics": [topic] })), by_topic);
        assert_eq!(range(json!({ "topics": [[topic, NOTHING]] })), by_topic);
        let second = only(&|log| log["topics"].as_array().unwrap().len() > 1);
        assert_eq!(range(json!({ "topics": [null, []] })), second);
        let block = &log["blockHash"];
        let of_block = only(&|log| log["blockHash"] == *block);
        assert_eq!(ask(json!({ "blockHash": block })), of_block);
    }
    let nobody = address!("9999999999999999999999999999999999999999");
    assert_eq!(range(json!({ "address": [nobody] })), json!([]));
    for (filter, code, message) in [
        (
            json!({ "fromBlock": "0x9", "toBlock": "0x5" }),
            -32602,
            "invalid block range params",
        ),
        (json!({ "blockHash": NOTHING }), -32000, "unknown block"),
        (
            json!({ "blockHash": NOTHING, "toBlock": "0x1" }),
            -32602,
            "invalid argument 0: cannot specify both",
        ),
        (
            json!({ "fromBlock": "0x1", "toBlock": "0xffffff" }),
            -32602,
            "block range extends beyond current head block",
        ),
        (
            json!({ "address": "0x1" }),
            -32602,
            "invalid argument 0: neither a value of the right length nor an array of such",
        ),
        (
            json!({ "fromBlock": "pending" }),
            -32602,
            "pending logs are not supported",
        ),
        (
            json!({ "topics": [null, null, null, null, null] }),
            -32602,
            "invalid argument 0: exceed max topics",
        ),
    ] {
        let (found, text) = node.refused("eth_getLogs", json!([filter]));
        assert_eq!(found, code, "{filter}: {text}");
        assert!(text.starts_with(message), "{filter}: {text}");
    }
}

/// A hash of nothing.
const NOTHING: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";
