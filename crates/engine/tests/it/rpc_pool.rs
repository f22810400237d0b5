//! Sending transactions, looking into the pool, following the chain: over real sockets.

use crate::{
    chain::Chain,
    rpc::{Node, RUNTIME, SECRET, number, post, request},
};
use alloy_consensus::{SignableTransaction, TxEip1559, crypto::secp256k1::sign_message};
use alloy_eips::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, address, b256, keccak256};
use doppio_rpc::JwtSecret;
use jsonrpsee::{
    core::client::{ClientT, Subscription, SubscriptionClientT},
    rpc_params,
    ws_client::{WsClient, WsClientBuilder},
};
use op_alloy_consensus::OpTxEnvelope;
use serde_json::{Value, json};
use std::time::UNIX_EPOCH;

/// A chain whose genesis has the accounts that everybody's development chain has.
const CHAIN: &str = "blobs-span-brotli-jovian";
/// The first of these accounts, and its key.
const RICH: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
const KEY: B256 = b256!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
const TO: Address = address!("00000000000000000000000000000000000000bb");

fn sign(transaction: TxEip1559) -> Bytes {
    let signature = sign_message(KEY, transaction.signature_hash()).unwrap();
    OpTxEnvelope::from(transaction.into_signed(signature))
        .encoded_2718()
        .into()
}

fn transfer(nonce: u64) -> TxEip1559 {
    TxEip1559 {
        chain_id: 901,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 10_000_000_000,
        max_priority_fee_per_gas: 1_000_000,
        to: TxKind::Call(TO),
        value: U256::from(7),
        ..TxEip1559::default()
    }
}

fn nonce_of(node: &Node, label: &str) -> u64 {
    number(&node.call("eth_getTransactionCount", json!([RICH, label])))
}

/// A call of the engine's server.
fn authenticated(node: &Node, method: &str, params: Value) -> Value {
    let now = UNIX_EPOCH.elapsed().unwrap().as_secs();
    let token = JwtSecret::parse(SECRET).unwrap().token(now);
    let header = format!("Bearer {token}");
    let body = request(method, params).to_string();
    let (status, _, body) = post(
        node.authenticated.address(),
        &[("Authorization", &header)],
        body.as_bytes(),
    );
    assert_eq!(status, 200, "{body}");
    let reply: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(reply.get("error"), None, "{method}");
    reply["result"].clone()
}

/// The rollup node's part: a block is begun on the head with the attributes of the recorded block of
/// that height, fetched, and made the head. Its hash.
fn next_block(node: &Node, chain: &Chain, head: usize) -> B256 {
    let parent = node.call("eth_getBlockByNumber", json!(["latest", false]))["hash"].clone();
    let next = &chain.blocks[head];
    let header = &next.header;
    let info = &next.transactions[0];
    let state = json!({
        "headBlockHash": parent,
        "safeBlockHash": B256::ZERO,
        "finalizedBlockHash": B256::ZERO,
    });
    let attributes = json!({
        "timestamp": format!("{:#x}", header.timestamp),
        "prevRandao": header.mix_hash,
        "suggestedFeeRecipient": header.beneficiary,
        "withdrawals": [],
        "parentBeaconBlockRoot": header.parent_beacon_block_root,
        "transactions": [info],
        "noTxPool": false,
        "gasLimit": format!("{:#x}", header.gas_limit),
        "eip1559Params": Bytes::copy_from_slice(&header.extra_data[1..9]),
        "minBaseFee": (header.extra_data.len() > 9).then_some("0x0"),
    });
    let started = authenticated(
        node,
        "engine_forkchoiceUpdatedV3",
        json!([state, attributes]),
    );
    let envelope = authenticated(node, "engine_getPayloadV4", json!([started["payloadId"]]));
    let payload = &envelope["executionPayload"];
    let root = header.parent_beacon_block_root;
    let status = authenticated(node, "engine_newPayloadV4", json!([payload, [], root, []]));
    assert_eq!(status["status"], "VALID");
    let hash = payload["blockHash"].clone();
    let state = json!({
        "headBlockHash": hash,
        "safeBlockHash": B256::ZERO,
        "finalizedBlockHash": B256::ZERO,
    });
    let done = authenticated(node, "engine_forkchoiceUpdatedV3", json!([state, null]));
    assert_eq!(done["payloadStatus"]["status"], "VALID");
    serde_json::from_value(hash).unwrap()
}

#[test]
fn a_transaction_is_seen_from_the_pool_to_its_receipt() {
    let Some(node) = Node::start(CHAIN, "send", 3) else {
        return;
    };
    let first = nonce_of(&node, "latest");
    let [bytes, gapped] = [transfer(first), transfer(first + 2)].map(sign);
    let hash = keccak256(&bytes);
    assert_eq!(
        node.call("eth_sendRawTransaction", json!([bytes])),
        json!(hash)
    );
    node.call("eth_sendRawTransaction", json!([gapped]));
    // in the pool
    assert_eq!(nonce_of(&node, "pending"), first + 1);
    assert_eq!(nonce_of(&node, "latest"), first);
    let status = node.call("txpool_status", json!([]));
    assert_eq!(status, json!({ "pending": "0x1", "queued": "0x1" }));
    let found = node.call("eth_getTransactionByHash", json!([hash]));
    for (name, expected) in [
        ("hash", json!(hash)),
        ("from", json!(RICH)),
        ("blockHash", Value::Null),
        ("blockNumber", Value::Null),
        ("transactionIndex", Value::Null),
        ("value", json!("0x7")),
        ("gasPrice", json!("0x2540be400")),
        ("maxPriorityFeePerGas", json!("0xf4240")),
        ("type", json!("0x2")),
    ] {
        assert_eq!(found[name], expected, "{name}");
    }
    assert_eq!(
        node.call("eth_getRawTransactionByHash", json!([hash])),
        json!(bytes)
    );
    assert_eq!(
        node.call("eth_getTransactionReceipt", json!([hash])),
        Value::Null
    );
    let account = RICH.to_string();
    let content = node.call("txpool_content", json!([]));
    assert_eq!(content["pending"][&account][first.to_string()], found);
    assert_eq!(
        content["queued"][&account][(first + 2).to_string()]["value"],
        "0x7"
    );
    let from = node.call("txpool_contentFrom", json!([RICH]));
    assert_eq!(from["pending"], content["pending"][&account]);
    let inspected = node.call("txpool_inspect", json!([]));
    assert_eq!(
        inspected["pending"][&account][first.to_string()],
        format!("{TO}: 7 wei + 21000 gas × 10000000000 wei")
    );
    // in a block
    let block = next_block(&node, &node.chain, 3);
    let receipt = node.call("eth_getTransactionReceipt", json!([hash]));
    assert_eq!(receipt["status"], "0x1");
    assert_eq!(receipt["blockHash"], json!(block));
    assert_eq!(receipt["transactionIndex"], "0x1");
    assert_eq!(nonce_of(&node, "latest"), first + 1);
    let status = node.call("txpool_status", json!([]));
    assert_eq!(status, json!({ "pending": "0x0", "queued": "0x1" }));
}

#[test]
fn a_transaction_that_is_refused_says_why() {
    let Some(node) = Node::start(CHAIN, "send-refused", 3) else {
        return;
    };
    let nonce = nonce_of(&node, "latest");
    let bytes = sign(transfer(nonce));
    node.call("eth_sendRawTransaction", json!([bytes]));
    let refused = |bytes: &Bytes| node.refused("eth_sendRawTransaction", json!([bytes]));
    assert_eq!(refused(&bytes), (-32000, "already known".to_owned()));
    let dear = TxEip1559 {
        max_fee_per_gas: 1 << 60,
        ..transfer(nonce + 1)
    };
    let (code, message) = refused(&sign(dear));
    assert_eq!(code, -32000);
    assert!(
        message.contains("exceeds the configured cap (1000000000000000000 wei)"),
        "{message}"
    );
    let (code, message) = refused(&Bytes::from_static(b"junk"));
    assert_eq!(code, -32000);
    assert!(message.starts_with("malformed transaction"), "{message}");
    let (code, _) = node.refused("eth_sendRawTransaction", json!(["0xzz"]));
    assert_eq!(code, -32602);
}

#[test]
fn the_batcher_can_throttle_what_blocks_hold() {
    let Some(node) = Node::start(CHAIN, "throttle", 3) else {
        return;
    };
    let nonce = nonce_of(&node, "latest");
    for nonce in nonce..nonce + 3 {
        node.call("eth_sendRawTransaction", json!([sign(transfer(nonce))]));
    }
    // the smallest transaction counts 100 bytes
    let set = json!(["0x64", "0xc8"]);
    assert_eq!(authenticated(&node, "miner_setMaxDASize", set), json!(true));
    next_block(&node, &node.chain, 3);
    assert_eq!(nonce_of(&node, "latest"), nonce + 2);
    let set = json!(["0x1", "0x0"]);
    assert_eq!(authenticated(&node, "miner_setMaxDASize", set), json!(true));
    next_block(&node, &node.chain, 4);
    assert_eq!(nonce_of(&node, "latest"), nonce + 2);
    authenticated(&node, "miner_setMaxDASize", json!(["0x0", "0x0"]));
    next_block(&node, &node.chain, 5);
    assert_eq!(nonce_of(&node, "latest"), nonce + 3);
}

#[test]
fn filters_give_what_is_new_since_they_were_asked() {
    let Some(node) = Node::start(CHAIN, "filters", 3) else {
        return;
    };
    let blocks = node.call("eth_newBlockFilter", json!([]));
    let pending = node.call("eth_newPendingTransactionFilter", json!([]));
    let whole = node.call("eth_newPendingTransactionFilter", json!([true]));
    let changes = |id: &Value| node.call("eth_getFilterChanges", json!([id]));
    assert_eq!(changes(&blocks), json!([]));
    let bytes = sign(transfer(nonce_of(&node, "latest")));
    node.call("eth_sendRawTransaction", json!([bytes]));
    assert_eq!(changes(&pending), json!([keccak256(&bytes)]));
    assert_eq!(changes(&pending), json!([]));
    assert_eq!(changes(&whole)[0]["hash"], json!(keccak256(&bytes)));
    let first = next_block(&node, &node.chain, 3);
    let second = next_block(&node, &node.chain, 4);
    assert_eq!(changes(&blocks), json!([first, second]));
    assert_eq!(changes(&blocks), json!([]));
    assert_eq!(
        node.call("eth_uninstallFilter", json!([blocks])),
        json!(true)
    );
    assert_eq!(
        node.call("eth_uninstallFilter", json!([blocks])),
        json!(false)
    );
    let gone = node.refused("eth_getFilterChanges", json!([blocks]));
    assert_eq!(gone, (-32000, "filter not found".to_owned()));
    let no_logs = node.refused("eth_getFilterLogs", json!([pending]));
    assert_eq!(no_logs, (-32000, "filter not found".to_owned()));
}

/// A contract that logs one word: PUSH1 42, PUSH0, MSTORE; PUSH1 7 (topic), PUSH1 32, PUSH0, LOG1.
/// Made by a transaction that runs this as init code: it logs, and leaves no code.
fn logging(nonce: u64) -> Bytes {
    sign(TxEip1559 {
        to: TxKind::Create,
        gas_limit: 100_000,
        value: U256::ZERO,
        input: Bytes::from_static(&[0x60, 42, 0x5f, 0x52, 0x60, 7, 0x60, 32, 0x5f, 0xa1]),
        ..transfer(nonce)
    })
}

#[test]
fn logs_are_followed_and_undone_by_a_reorg() {
    let Some(node) = Node::start(CHAIN, "follow-logs", 3) else {
        return;
    };
    let topic = B256::with_last_byte(7);
    let wanted = node.call("eth_newFilter", json!([{ "topics": [topic] }]));
    let other = node.call("eth_newFilter", json!([{ "topics": [B256::ZERO] }]));
    let later = node.call(
        "eth_newFilter",
        json!([{ "topics": [topic], "fromBlock": "0x5" }]),
    );
    let parent = node.call("eth_getBlockByNumber", json!(["latest", false]))["hash"].clone();
    let bytes = logging(nonce_of(&node, "latest"));
    node.call("eth_sendRawTransaction", json!([bytes]));
    let block = next_block(&node, &node.chain, 3);
    let found = node.call("eth_getFilterChanges", json!([wanted]));
    let log = &found[0];
    assert_eq!(found.as_array().map(Vec::len), Some(1));
    assert_eq!(log["blockHash"], json!(block));
    assert_eq!(log["blockNumber"], "0x4");
    assert_eq!(log["data"], json!(B256::with_last_byte(42)));
    assert_eq!(log["transactionHash"], json!(keccak256(&bytes)));
    assert_eq!(log["removed"], false);
    assert_eq!(
        node.call("eth_getFilterLogs", json!([wanted])),
        json!([log])
    );
    for id in [other, later] {
        assert_eq!(node.call("eth_getFilterChanges", json!([id])), json!([]));
    }
    // the head goes back
    let state = json!({
        "headBlockHash": parent,
        "safeBlockHash": B256::ZERO,
        "finalizedBlockHash": B256::ZERO,
    });
    authenticated(&node, "engine_forkchoiceUpdatedV3", json!([state, null]));
    let undone = node.call("eth_getFilterChanges", json!([wanted]));
    assert_eq!(undone[0]["removed"], true);
    assert_eq!(undone[0]["transactionHash"], json!(keccak256(&bytes)));
    // its transaction waits again
    assert_eq!(node.call("txpool_status", json!([]))["pending"], "0x1");
}

async fn subscribe(
    client: &WsClient,
    params: impl jsonrpsee::core::traits::ToRpcParams + Send,
) -> Subscription<Value> {
    client
        .subscribe("eth_subscribe", params, "eth_unsubscribe")
        .await
        .unwrap()
}

#[test]
fn subscribers_are_told_of_heads_logs_and_transactions() {
    let Some(node) = Node::start(CHAIN, "subscribe", 3) else {
        return;
    };
    let bytes = logging(nonce_of(&node, "latest"));
    let url = format!("ws://{}", node.public.address());
    let client = RUNTIME.block_on(async { WsClientBuilder::default().build(url).await.unwrap() });
    let (mut heads, mut logs, mut hashes, mut whole) = RUNTIME.block_on(async {
        (
            subscribe(&client, rpc_params!["newHeads"]).await,
            subscribe(&client, rpc_params!["logs", json!({})]).await,
            subscribe(&client, rpc_params!["newPendingTransactions"]).await,
            subscribe(&client, rpc_params!["newPendingTransactions", true]).await,
        )
    });
    node.call("eth_sendRawTransaction", json!([bytes]));
    let next = |subscription: &mut Subscription<Value>| {
        RUNTIME.block_on(async { subscription.next().await.unwrap().unwrap() })
    };
    assert_eq!(next(&mut hashes), json!(keccak256(&bytes)));
    assert_eq!(next(&mut whole)["hash"], json!(keccak256(&bytes)));
    for head in 3..6 {
        let block = next_block(&node, &node.chain, head);
        let told = next(&mut heads);
        assert_eq!(told["hash"], json!(block));
        let header = node.call("eth_getHeaderByHash", json!([block]));
        assert_eq!(told, header);
    }
    let log = next(&mut logs);
    assert_eq!(log["transactionHash"], json!(keccak256(&bytes)));
    assert_eq!(log["blockNumber"], "0x4");
    RUNTIME.block_on(async {
        heads.unsubscribe().await.unwrap();
        let refused: Result<Subscription<Value>, _> = client
            .subscribe("eth_subscribe", rpc_params!["nothing"], "eth_unsubscribe")
            .await;
        refused.unwrap_err();
        let number: Value = client
            .request("eth_blockNumber", rpc_params![])
            .await
            .unwrap();
        assert_eq!(number, "0x6");
    });
}

#[test]
fn ten_thousand_junk_transactions_leave_a_node_that_lives() {
    let Some(node) = Node::start(CHAIN, "junk", 3) else {
        return;
    };
    let good = sign(transfer(nonce_of(&node, "latest")));
    for round in 0..500_u64 {
        let calls = (0..20_u64).map(|index| {
            let noise = keccak256((round * 20 + index).to_be_bytes());
            let mut junk = good.to_vec();
            match index % 3 {
                0 => junk = noise.to_vec(),
                1 => junk.truncate(usize::from(noise[0]) % good.len()),
                // another sender, who has nothing
                _ => junk[60 + usize::from(noise[0]) % 40] ^= noise[1] | 1,
            }
            request("eth_sendRawTransaction", json!([Bytes::from(junk)]))
        });
        let batch = Value::Array(calls.collect()).to_string();
        let (status, _, body) = post(node.public.address(), &[], batch.as_bytes());
        assert_eq!(status, 200);
        let replies: Vec<Value> = serde_json::from_str(&body).unwrap();
        assert_eq!(replies.len(), 20);
        for reply in replies {
            assert_eq!(reply["error"]["code"], -32000, "{reply}");
            assert_ne!(reply["error"]["message"], "");
        }
    }
    assert_eq!(
        node.call("txpool_status", json!([])),
        json!({ "pending": "0x0", "queued": "0x0" })
    );
    node.call("eth_sendRawTransaction", json!([good]));
    next_block(&node, &node.chain, 3);
    assert_eq!(
        node.call("eth_getTransactionReceipt", json!([keccak256(&good)]))["status"],
        "0x1"
    );
}
