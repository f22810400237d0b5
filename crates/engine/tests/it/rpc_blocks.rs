//! Blocks, transactions, receipts and proofs of recorded chains, as clients read them.

use crate::rpc::{Node, number};
use alloy_consensus::{BlockHeader, proofs::calculate_receipt_root};
use alloy_eips::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, U256, address, keccak256};
use alloy_rpc_types_eth::{Block, EIP1186AccountProofResponse};
use alloy_trie::{Nibbles, TrieAccount, proof::verify_proof};
use doppio_protocol::l2::L2Block;
use op_alloy_consensus::OpReceiptEnvelope;
use op_alloy_rpc_types::{OpTransactionReceipt, Transaction};
use serde_json::{Value, json};
use std::{collections::BTreeSet, sync::LazyLock};

/// Every fork from Regolith to Jovian.
static NODE: LazyLock<Option<Node>> =
    LazyLock::new(|| Node::start("all-forks-calldata", "blocks", usize::MAX));

const L1_FEE_VAULT: Address = address!("420000000000000000000000000000000000001a");
const OPERATOR_FEE_VAULT: Address = address!("420000000000000000000000000000000000001b");
const BASE_FEE_VAULT: Address = address!("4200000000000000000000000000000000000019");

fn parse<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap_or_else(|error| panic!("{error}: {value}"))
}

#[test]
fn every_block_hashes_to_its_hash_and_holds_its_transactions() {
    let Some(node) = &*NODE else { return };
    for block in &node.chain.blocks {
        let height = format!("{:#x}", block.header.number);
        let full = node.call("eth_getBlockByNumber", json!([height, true]));
        assert_eq!(
            node.call("eth_getBlockByHash", json!([block.hash, true])),
            full
        );
        let parsed: Block<Transaction> = parse(&full);
        assert_eq!(parsed.header.hash, block.hash);
        assert_eq!(parsed.header.inner, block.header);
        assert_eq!(parsed.header.inner.hash_slow(), block.hash);
        let transactions = parsed.transactions.into_transactions();
        let encoded: Vec<Bytes> = transactions
            .map(|transaction| transaction.inner.inner.encoded_2718().into())
            .collect();
        assert_eq!(encoded, block.transactions);
        let short = node.call("eth_getBlockByNumber", json!([height, false]));
        let hashes: Vec<_> = block.transactions.iter().map(keccak256).collect();
        assert_eq!(short["transactions"], json!(hashes));
        assert_eq!(short["size"], full["size"]);
        let raw: Bytes = parse(&node.call("debug_getRawBlock", json!([height])));
        assert_eq!(number(&full["size"]), raw.len() as u64);
        let raw = L2Block::decode(&raw).unwrap();
        assert_eq!(
            (raw.hash, &raw.transactions),
            (block.hash, &block.transactions)
        );
        let count = node.call("eth_getBlockTransactionCountByHash", json!([block.hash]));
        assert_eq!(number(&count), block.transactions.len() as u64);
        let raw: Bytes = parse(&node.call("debug_getRawHeader", json!([block.hash])));
        assert_eq!(keccak256(raw), block.hash);
    }
}

#[test]
fn receipts_have_the_root_of_their_block() {
    let Some(node) = &*NODE else { return };
    for block in &node.chain.blocks {
        let receipts = node.call("eth_getBlockReceipts", json!([block.hash]));
        let parsed: Vec<OpTransactionReceipt> = parse(&receipts);
        let canyon = block.header.withdrawals_root.is_some();
        let envelopes: Vec<OpReceiptEnvelope> = parsed
            .into_iter()
            .map(|receipt| {
                let mut envelope: OpReceiptEnvelope = receipt.into();
                // before Canyon the root leaves out the nonce
                if let OpReceiptEnvelope::Deposit(deposit) = &mut envelope
                    && !canyon
                {
                    deposit.receipt.deposit_nonce = None;
                }
                envelope
            })
            .collect();
        assert_eq!(
            calculate_receipt_root(&envelopes),
            block.header.receipts_root()
        );
        let raw: Vec<Bytes> = parse(&node.call("debug_getRawReceipts", json!([block.hash])));
        assert_eq!(raw.len(), envelopes.len());
    }
}

#[test]
fn l1_operator_and_base_fees_are_what_the_vaults_got() {
    let Some(node) = &*NODE else { return };
    let balance = |vault, height: u64| -> U256 {
        parse(&node.call("eth_getBalance", json!([vault, format!("{height:#x}")])))
    };
    let big = |value: &Value| -> U256 { parse(value) };
    let (mut layouts, mut paid) = (BTreeSet::new(), 0);
    for block in &node.chain.blocks {
        let height = block.header.number;
        let receipts = node.call("eth_getBlockReceipts", json!([format!("{height:#x}")]));
        let (mut l1, mut operator, mut base) = (U256::ZERO, U256::ZERO, U256::ZERO);
        for receipt in receipts.as_array().unwrap() {
            if receipt["type"] == "0x7e" {
                continue;
            }
            paid += 1;
            let fields = receipt.as_object().unwrap().keys();
            layouts.insert(fields.map(|name| &**name).collect::<Vec<_>>().join(" "));
            let gas = big(&receipt["gasUsed"]);
            l1 += big(&receipt["l1Fee"]);
            base += gas * U256::from(block.header.base_fee_per_gas.unwrap());
            if let Some(scalar) = receipt.get("operatorFeeScalar") {
                let jovian = receipt.get("daFootprintGasScalar").is_some();
                let fee = gas * big(scalar);
                operator += if jovian {
                    fee * U256::from(100)
                } else {
                    fee / U256::from(1_000_000)
                };
                operator += big(&receipt["operatorFeeConstant"]);
            }
        }
        for (vault, expected) in [
            (L1_FEE_VAULT, l1),
            (OPERATOR_FEE_VAULT, operator),
            (BASE_FEE_VAULT, base),
        ] {
            let got = balance(vault, height) - balance(vault, height - 1);
            assert_eq!(got, expected, "block {height}, vault {vault}");
        }
        if receipts[1]["type"] != "0x7e" && receipts[1].get("daFootprintGasScalar").is_some() {
            let footprint: u64 = receipts
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|receipt| receipt.get("blobGasUsed"))
                .map(number)
                .sum();
            assert_eq!(
                Some(footprint),
                block.header.blob_gas_used,
                "block {height}"
            );
        }
    }
    assert!(paid > 100, "{paid}");
    // Bedrock, Ecotone, Isthmus with an operator fee, Jovian: the layouts that op-geth has
    assert!(layouts.len() >= 3, "{layouts:#?}");
}

#[test]
fn a_transaction_is_found_by_its_hash_and_its_place() {
    let Some(node) = &*NODE else { return };
    let block = node
        .chain
        .blocks
        .iter()
        .max_by_key(|block| block.transactions.len())
        .unwrap();
    let height = format!("{:#x}", block.header.number);
    let full = node.call("eth_getBlockByHash", json!([block.hash, true]));
    let receipts = node.call("eth_getBlockReceipts", json!([height]));
    for (index, bytes) in block.transactions.iter().enumerate() {
        let hash = keccak256(bytes);
        let expected = &full["transactions"][index];
        let place = format!("{index:#x}");
        let by_hash = node.call("eth_getTransactionByHash", json!([hash]));
        assert_eq!(&by_hash, expected);
        for (method, at) in [
            (
                "eth_getTransactionByBlockNumberAndIndex",
                json!([height, place]),
            ),
            (
                "eth_getTransactionByBlockHashAndIndex",
                json!([block.hash, place]),
            ),
        ] {
            assert_eq!(&node.call(method, at), expected);
        }
        let raw = node.call("debug_getRawTransaction", json!([hash]));
        assert_eq!(raw, json!(bytes));
        assert_eq!(node.call("eth_getRawTransactionByHash", json!([hash])), raw);
        let receipt = node.call("eth_getTransactionReceipt", json!([hash]));
        assert_eq!(receipt, receipts[index]);
    }
    let past = json!([height, format!("{:#x}", block.transactions.len())]);
    for (method, params) in [
        ("eth_getTransactionByBlockNumberAndIndex", past),
        ("eth_getTransactionByHash", json!([B256::repeat_byte(1)])),
        ("eth_getTransactionReceipt", json!([B256::repeat_byte(1)])),
        ("eth_getBlockByHash", json!([B256::repeat_byte(1), false])),
        ("eth_getBlockByNumber", json!(["0xffffff", false])),
        ("eth_getBlockReceipts", json!(["0xffffff"])),
    ] {
        assert_eq!(node.call(method, params), Value::Null, "{method}");
    }
    for (method, params) in [
        ("debug_getRawTransaction", json!([B256::repeat_byte(1)])),
        ("debug_getRawHeader", json!(["0xffffff"])),
        ("debug_getRawBlock", json!(["0xffffff"])),
    ] {
        assert_eq!(node.call(method, params), "0x", "{method}");
    }
}

#[test]
fn labels_name_blocks() {
    let Some(node) = &*NODE else { return };
    let height =
        |label| number(&node.call("eth_getBlockByNumber", json!([label, false]))["number"]);
    let head = node.chain.blocks.len() as u64;
    assert_eq!(number(&node.call("eth_blockNumber", json!([]))), head);
    for (label, expected) in [
        ("latest", head),
        ("pending", head),
        ("safe", 10),
        ("finalized", 5),
        ("earliest", 0),
    ] {
        assert_eq!(height(label), expected, "{label}");
    }
    let fresh = Node::start("all-forks-calldata", "labels", 0).unwrap();
    for label in ["safe", "finalized"] {
        let (code, message) = fresh.refused("eth_getBlockByNumber", json!([label, false]));
        assert_eq!(
            (code, message),
            (-32000, format!("{label} block not found"))
        );
    }
}

#[test]
fn proofs_hold_against_the_state_root_at_every_kind_of_block_id() {
    let Some(node) = &*NODE else { return };
    let l1_block = address!("4200000000000000000000000000000000000015");
    let nobody = Address::repeat_byte(0x77);
    let (first, middle) = (&node.chain.blocks[0], &node.chain.blocks[100]);
    let head = node.chain.blocks.last().unwrap();
    let ids = [
        (json!("0x1"), first),
        (json!(middle.hash), middle),
        (json!({ "blockHash": middle.hash }), middle),
        (
            json!({ "blockHash": middle.hash, "requireCanonical": true }),
            middle,
        ),
        (json!({ "blockNumber": "0x1" }), first),
        (json!("latest"), head),
    ];
    let keys = ["0x0", "0x1", "0x2", &format!("0x{}", "77".repeat(32))];
    for (id, block) in &ids {
        for account in [
            l1_block,
            nobody,
            L1_FEE_VAULT,
            address!("0000000000000000000000000000000000000004"),
        ] {
            let proof = node.call("eth_getProof", json!([account, keys, id]));
            let parsed: EIP1186AccountProofResponse = parse(&proof);
            let exists = parsed.storage_hash != B256::ZERO;
            let value = exists.then(|| {
                alloy_rlp::encode(TrieAccount::new(
                    parsed.nonce,
                    parsed.balance,
                    parsed.storage_hash,
                    parsed.code_hash,
                ))
            });
            let path = Nibbles::unpack(keccak256(account));
            verify_proof(block.header.state_root, path, value, &parsed.account_proof).unwrap();
            if account == l1_block || account == nobody {
                assert_eq!(exists, account == l1_block);
            }
            for (key, slot) in keys.iter().zip(&parsed.storage_proof) {
                let word: B256 = slot.key.as_b256();
                let value = (!slot.value.is_zero()).then(|| alloy_rlp::encode(slot.value));
                if exists {
                    let path = Nibbles::unpack(keccak256(word));
                    verify_proof(parsed.storage_hash, path, value, &slot.proof).unwrap();
                }
                let stored = node.call("eth_getStorageAt", json!([account, key, id]));
                assert_eq!(stored, json!(B256::from(slot.value)));
            }
            let at = json!([account, id]);
            let balance: U256 = parse(&node.call("eth_getBalance", at.clone()));
            assert_eq!(balance, parsed.balance);
            let nonce = node.call("eth_getTransactionCount", at.clone());
            assert_eq!(number(&nonce), parsed.nonce);
            let code: Bytes = parse(&node.call("eth_getCode", at));
            assert!(!exists || keccak256(code) == parsed.code_hash);
        }
    }
    let unknown = json!([nobody, { "blockHash": B256::repeat_byte(9) }]);
    let (code, message) = node.refused("eth_getBalance", unknown);
    assert_eq!((code, &*message), (-32000, "header not found"));
    let many = vec!["0x0"; 1025];
    let (_, message) = node.refused("eth_getProof", json!([nobody, many, "latest"]));
    assert_eq!(
        message,
        "too many storage keys requested (max 1024, got 1025)"
    );
}

#[test]
fn the_fee_history_repeats_the_headers() {
    let Some(node) = &*NODE else { return };
    let blocks = &node.chain.blocks;
    let history = node.call("eth_feeHistory", json!(["0x14", "0x1e", [0, 50, 100]]));
    assert_eq!(number(&history["oldestBlock"]), 11);
    let fees = history["baseFeePerGas"].as_array().unwrap();
    assert_eq!(fees.len(), 21);
    // the last is the fee of the block after the newest
    for (fee, block) in fees.iter().zip(&blocks[10..31]) {
        assert_eq!(Some(number(fee)), block.header.base_fee_per_gas);
    }
    let ratios = history["gasUsedRatio"].as_array().unwrap();
    for (ratio, block) in ratios.iter().zip(&blocks[10..30]) {
        let expected = block.header.gas_used as f64 / block.header.gas_limit as f64;
        assert_eq!(ratio.as_f64(), Some(expected));
    }
    assert_eq!(history["reward"].as_array().unwrap().len(), 20);
    assert_eq!(history["reward"][0].as_array().unwrap().len(), 3);
    let head = blocks.last().unwrap().header.base_fee_per_gas.unwrap();
    let tip = number(&node.call("eth_maxPriorityFeePerGas", json!([])));
    assert_eq!(tip, 1_000_000);
    assert_eq!(number(&node.call("eth_gasPrice", json!([]))), head + tip);
    for (params, expected) in [
        (
            json!(["0x1", "latest", [50, 20]]),
            "invalid reward percentile: #0:50.000000 >= #1:20.000000",
        ),
        (
            json!(["0x1", "latest", [101]]),
            "invalid reward percentile: 101.000000",
        ),
        (json!(["0x1", "0xfffff", []]), "request beyond head block"),
    ] {
        let (code, message) = node.refused("eth_feeHistory", params);
        assert_eq!(code, -32000);
        assert!(message.starts_with(expected), "{message}");
    }
    let all = node.call("eth_feeHistory", json!([1024, "0x3", []]));
    assert_eq!(number(&all["oldestBlock"]), 0);
    assert_eq!(all.get("reward"), None);
}
