//! Writes the seeds of the corpus: small good inputs, made by our own encoders.

use alloy_consensus::{
    EMPTY_ROOT_HASH, Header, Receipt, ReceiptEnvelope, ReceiptWithBloom, SignableTransaction,
    TxEip1559, crypto::secp256k1::sign_message, proofs::ordered_trie_root_encoded,
};
use alloy_eips::{Decodable2718, Encodable2718};
use alloy_primitives::{Address, B256, Bloom, Bytes, TxKind, U256};
use doppio_engine::Genesis;
use doppio_fuzz_targets::GENESIS;
use doppio_protocol::{
    batch::{SingularBatch, SpanBatchWriter, SpanParams, TransactionList},
    blob::encode_blob,
    commitment::Commitment,
    deposit::{DepositTx, encode_deposit_log},
    frame::{encode_frames, split_channel},
    l1_info::{L1BlockInfo, L1InfoLayout},
    rlp,
};
use doppio_rpc::JwtSecret;
use op_alloy_consensus::OpTxEnvelope;
use serde_json::json;
use std::{fs, io::Write, path::Path};

fn main() -> std::io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (target, name, bytes) in [seeds(), engine_seeds(), answer_seeds(), file_seeds()]
        .into_iter()
        .flatten()
    {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}

/// A signed transaction in RLP; nobody checks the signature.
fn transaction(tx_type: Option<u8>, fields: &[&[u8]]) -> Vec<u8> {
    let mut payload = Vec::new();
    for field in fields {
        rlp::put_string(field, &mut payload);
    }
    let mut bytes: Vec<u8> = tx_type.into_iter().collect();
    rlp::put_list_header(payload.len(), &mut bytes);
    bytes.extend_from_slice(&payload);
    bytes
}

fn transactions() -> TransactionList {
    let to = [7; 20];
    let (r, s) = ([8; 32], [9; 32]);
    let legacy = |v: &[u8]| {
        transaction(
            None,
            &[&[1], &[2], &[0x52, 0x08], &to, &[], &[1, 2, 3], v, &r, &s],
        )
    };
    // protected (chain id 10), unprotected
    [legacy(&[55]), legacy(&[28])]
        .into_iter()
        .map(Bytes::from)
        .collect()
}

fn batches() -> Vec<SingularBatch> {
    (0..3)
        .map(|n| SingularBatch {
            parent_hash: B256::repeat_byte(1),
            epoch_num: 100 + n / 2,
            epoch_hash: B256::repeat_byte(2),
            timestamp: 1_002 + 2 * n,
            transactions: if n == 0 {
                TransactionList::default()
            } else {
                transactions()
            },
        })
        .collect()
}

fn span() -> Vec<u8> {
    let mut writer = SpanBatchWriter::new(SpanParams {
        genesis_time: 1_000,
        block_time: 2,
        chain_id: 10,
        post_exec: true,
        celo_dynamic_fee_v2: false,
    });
    for batch in batches() {
        writer.push(&batch, 1).expect("consecutive");
    }
    writer.encode().expect("not empty")
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![1];
    let mut encoder = brotli::CompressorWriter::new(&mut out, 4096, 10, 22);
    encoder.write_all(bytes).expect("memory");
    drop(encoder);
    out
}

/// Topics as the targets read them: their number, they themselves, the data.
fn log(log: &alloy_primitives::Log) -> Vec<u8> {
    let topics = &log.topics()[1..];
    let mut bytes = vec![u8::try_from(topics.len()).expect("few")];
    bytes.extend(topics.iter().flatten());
    bytes.extend_from_slice(&log.data.data);
    bytes
}

fn seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let mut strings = Vec::new();
    for batch in batches() {
        rlp::put_string(&batch.encode(), &mut strings);
    }
    rlp::put_string(&span(), &mut strings);
    let channel = zlib(&strings);
    let id = Default::default();
    let frames = split_channel(id, &channel.clone().into(), 120).expect("room");
    let deposit = DepositTx {
        from: Address::repeat_byte(1),
        to: Some(Address::repeat_byte(2)),
        mint: U256::from(3),
        value: U256::from(4),
        gas: 100_000,
        data: Bytes::from_static(b"calldata"),
        ..DepositTx::default()
    };
    let info = L1BlockInfo {
        number: 100,
        time: 1_000,
        base_fee: U256::from(7),
        ..L1BlockInfo::default()
    };
    let word = |n: u64| U256::from(n).to_be_bytes::<32>();
    let update = |kind: u64, payload: &[u8]| {
        let words = [word(0), word(kind), word(32), word(payload.len() as u64)];
        [&[2], words.concat().as_slice(), payload].concat()
    };
    let commitment = Commitment::Keccak(B256::repeat_byte(7)).encode();
    let challenge = [
        vec![1],
        word(42).to_vec(),
        word(64).to_vec(),
        word(1).to_vec(),
        word(33).to_vec(),
        commitment.to_vec(),
        vec![0; 31],
    ]
    .concat();
    let call = [
        vec![0; 4],
        [word(42), word(96), word(192), word(33)].concat(),
        commitment.to_vec(),
        vec![0; 31],
        word(5).to_vec(),
        b"input".to_vec(),
        vec![0; 27],
    ]
    .concat();
    let item = encode_frames(&frames).to_vec();
    let chunk = |kind: u8, chunks: &[&[u8]]| {
        let mut bytes = vec![kind];
        for chunk in chunks {
            let length = u16::try_from(chunk.len()).expect("short");
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(chunk);
        }
        bytes
    };
    let whole =
        encode_frames(&split_channel(id, &zlib(&strings[..100]).into(), 250).expect("room"));
    let rollup = include_bytes!("../data/rollup.json").to_vec();
    vec![
        ("frames", "several", item.clone()),
        ("blob", "blob", encode_blob(&item).expect("short")[..2_048].to_vec()),
        ("blob", "data", item.clone()),
        ("commitment", "keccak", commitment.to_vec()),
        ("commitment", "eigenda", vec![1, 0, 3, 0xc0, 1]),
        ("channel", "zlib", channel.clone()),
        ("channel", "brotli", brotli(&strings)),
        ("singular_batch", "empty", batches()[0].encode()[1..].to_vec()),
        ("singular_batch", "transactions", batches()[1].encode()[1..].to_vec()),
        ("span_batch", "three-blocks", span()[1..].to_vec()),
        ("deposit_log", "call", log(&encode_deposit_log(Address::ZERO, &deposit))),
        ("deposit_tx", "call", deposit.encode().to_vec()),
        ("l1_info", "bedrock", info.encode(L1InfoLayout::Bedrock).to_vec()),
        ("l1_info", "ecotone", info.encode(L1InfoLayout::Ecotone).to_vec()),
        ("l1_info", "isthmus", info.encode(L1InfoLayout::Isthmus).to_vec()),
        ("l1_info", "jovian", info.encode(L1InfoLayout::Jovian).to_vec()),
        ("config_update", "batcher", update(0, &B256::with_last_byte(9).0)),
        ("config_update", "scalars", update(1, &[1; 64])),
        ("config_update", "gas-limit", update(2, &word(5))),
        ("challenge", "challenged", challenge),
        ("challenge", "resolve-call", call),
        ("extra_data", "holocene", vec![0, 0, 0, 0, 250, 0, 0, 0, 6]),
        ("extra_data", "jovian", [&[1, 0, 0, 0, 250, 0, 0, 0, 6][..], &[0; 8]].concat()),
        ("l2_block", "genesis", l2_block()),
        ("rollup_config", "small", rollup),
        (
            "chain_profile",
            "celo",
            br#"{"name":"x","rules":"celo","max_frame_len":16000000,"span_tx_types":["0x7b"]}"#.to_vec(),
        ),
        (
            "l1_chain_config",
            "small",
            br#"{"config":{"cancunTime":1,"pragueTime":2,"blobSchedule":{"cancun":{"baseFeeUpdateFraction":3338477},"prague":{"baseFeeUpdateFraction":5007716}}}}"#
                .to_vec(),
        ),
        ("da_answer", "dropped", [&[1, 162][..], br#"{"StatusCode":3,"Msg":"too old"}"#].concat()),
        ("inbox", "items", chunk(0, &[&whole, &[1, 0, 7], &[]])),
        ("inbox", "frames", chunk(1, &[&item[1..], &item[1..100]])),
        ("inbox", "strings", chunk(2, &[&batches()[0].encode(), &span()])),
        ("explain", "item", item),
        ("explain", "channel", channel),
        ("explain", "hex", b"0x01010003c0".to_vec()),
    ]
}

/// The RLP of a block with one deposit.
fn l2_block() -> Vec<u8> {
    let header = alloy_rlp::encode(alloy_consensus::Header::default());
    let mut transactions = Vec::new();
    rlp::put_string(&DepositTx::default().encode(), &mut transactions);
    let mut body = header;
    rlp::put_list_header(transactions.len(), &mut body);
    body.extend_from_slice(&transactions);
    rlp::put_list_header(0, &mut body);
    let mut block = Vec::new();
    rlp::put_list_header(body.len(), &mut block);
    block.extend_from_slice(&body);
    block
}

/// A transfer of the development account, signed.
fn transfer() -> Bytes {
    let key: B256 = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
        .parse()
        .expect("a key");
    let transaction = TxEip1559 {
        chain_id: 901,
        gas_limit: 50_000,
        max_fee_per_gas: 10_000_000_000,
        max_priority_fee_per_gas: 1_000_000,
        to: TxKind::Call(Address::with_last_byte(0xcc)),
        ..TxEip1559::default()
    };
    let signature = sign_message(key, transaction.signature_hash()).expect("a signature");
    OpTxEnvelope::from(transaction.into_signed(signature))
        .encoded_2718()
        .into()
}

/// What the engine is asked, and what it stores.
fn engine_seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let genesis = Genesis::parse(GENESIS, None).expect("our own genesis");
    let deposit = DepositTx {
        gas: 100_000,
        ..DepositTx::default()
    }
    .encode();
    let attributes = json!({
        "timestamp": "0xf4242",
        "prevRandao": B256::ZERO,
        "suggestedFeeRecipient": Address::ZERO,
        "withdrawals": [],
        "parentBeaconBlockRoot": B256::ZERO,
        "transactions": [deposit],
        "noTxPool": false,
        "gasLimit": "0x1c9c380",
        "eip1559Params": "0x0000000000000000",
        "minBaseFee": "0x0",
    });
    let state = json!({
        "headBlockHash": genesis.hash,
        "safeBlockHash": B256::ZERO,
        "finalizedBlockHash": B256::ZERO,
    });
    let payload = json!({
        "parentHash": genesis.hash,
        "feeRecipient": Address::ZERO,
        "stateRoot": genesis.header.state_root,
        "receiptsRoot": B256::ZERO,
        "logsBloom": alloy_primitives::Bloom::ZERO,
        "prevRandao": B256::ZERO,
        "blockNumber": "0x1",
        "gasLimit": "0x1c9c380",
        "gasUsed": "0x0",
        "timestamp": "0xf4242",
        "extraData": "0x01000000fa000000060000000000000000",
        "baseFeePerGas": "0x3b9aca00",
        "blockHash": B256::ZERO,
        "transactions": [deposit],
        "withdrawals": [],
        "blobGasUsed": "0x0",
        "excessBlobGas": "0x0",
        "withdrawalsRoot": B256::ZERO,
    });
    let call = |method: &str, params: serde_json::Value| format!("{method}\n{params}").into_bytes();
    let secret = JwtSecret::parse(&"5a".repeat(32)).expect("64 digits");
    let nodes = genesis.nodes.iter().rev().flat_map(|node| {
        let length = u8::try_from(node.rlp.len()).unwrap_or(u8::MAX);
        [&[length], &node.rlp[..]].concat()
    });
    vec![
        ("transaction", "eip1559", transfer().to_vec()),
        ("transaction", "deposit", deposit.to_vec()),
        ("trie", "genesis", nodes.collect()),
        ("genesis", "jovian", GENESIS.as_bytes().to_vec()),
        ("token", "good", secret.token(1_700_000_000).into_bytes()),
        (
            "engine_call",
            "forkchoice",
            call("engine_forkchoiceUpdatedV3", json!([state, attributes])),
        ),
        (
            "engine_call",
            "payload",
            call("engine_newPayloadV4", json!([payload, [], B256::ZERO, []])),
        ),
        (
            "engine_call",
            "bodies",
            call("engine_getPayloadBodiesByRangeV1", json!(["0x1", "0x2"])),
        ),
        (
            "rpc_call",
            "call",
            call(
                "eth_call",
                json!([call_json(), "latest", { Address::ZERO.to_string(): { "balance": "0x1" } }]),
            ),
        ),
        (
            "rpc_call",
            "estimate",
            call("eth_estimateGas", json!([call_json()])),
        ),
        (
            "rpc_call",
            "send",
            call("eth_sendRawTransaction", json!([transfer()])),
        ),
        (
            "rpc_call",
            "logs",
            call(
                "eth_getLogs",
                json!([{ "fromBlock": "0x0", "topics": [null, [B256::ZERO]] }]),
            ),
        ),
        (
            "rpc_call",
            "filter",
            call("eth_newFilter", json!([{ "address": Address::ZERO }])),
        ),
        (
            "rpc_call",
            "block",
            call("eth_getBlockByNumber", json!(["finalized", true])),
        ),
        (
            "rpc_call",
            "proof",
            call(
                "eth_getProof",
                json!([Address::with_last_byte(0xcc), ["0x1"], "latest"]),
            ),
        ),
        (
            "rpc_call",
            "fees",
            call("eth_feeHistory", json!(["0x4", "latest", [1.5, 99]])),
        ),
    ]
}

/// An L1 block of one transaction in JSON, and its receipts.
fn l1_block() -> (serde_json::Value, serde_json::Value) {
    let transaction = transfer();
    let receipt = ReceiptWithBloom {
        receipt: Receipt {
            status: true.into(),
            cumulative_gas_used: 21_000,
            logs: Vec::<alloy_primitives::Log>::new(),
        },
        logs_bloom: Bloom::ZERO,
    };
    let receipt = ReceiptEnvelope::Eip1559(receipt).encoded_2718();
    let header = Header {
        number: 7,
        timestamp: 1_800_000_000,
        gas_limit: 30_000_000,
        gas_used: 21_000,
        base_fee_per_gas: Some(7),
        transactions_root: ordered_trie_root_encoded(&[transaction.to_vec()]),
        receipts_root: ordered_trie_root_encoded(&[receipt]),
        withdrawals_root: Some(EMPTY_ROOT_HASH),
        ..Header::default()
    };
    let envelope = OpTxEnvelope::decode_2718(&mut &transaction[..]).expect("our own transaction");
    let mut block = serde_json::to_value(&header).expect("JSON");
    block["hash"] = json!(header.hash_slow());
    block["transactions"] = json!([envelope]);
    block["withdrawals"] = json!([]);
    let receipts = json!([{
        "type": "0x2",
        "status": "0x1",
        "cumulativeGasUsed": "0x5208",
        "logsBloom": Bloom::ZERO,
        "logs": [],
    }]);
    (block, receipts)
}

/// What other nodes answer.
fn answer_seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let (block, receipts) = l1_block();
    let absent = json!({
        "address": Address::ZERO,
        "accountProof": ["0x80"],
        "balance": "0x0",
        "codeHash": B256::ZERO,
        "nonce": "0x0",
        "storageHash": B256::ZERO,
        "storageProof": [],
    });
    let sidecar = json!({ "blob": "0x00", "kzg_commitment": format!("0x{}", "c0".repeat(48)) });
    let valid =
        json!({ "status": "VALID", "latestValidHash": B256::ZERO, "validationError": null });
    let fork_choice = json!({ "payloadStatus": valid, "payloadId": "0x0100000000000000" });
    let after =
        |kind: u8, json: &serde_json::Value| [&[kind], json.to_string().as_bytes()].concat();
    let raw = json!(Bytes::from(l2_block()));
    let header = {
        let mut header = block.clone();
        header["transactions"] = json!([]);
        header
    };
    vec![
        (
            "l1_block",
            "one-transaction",
            format!("{block}\n{receipts}").into_bytes(),
        ),
        ("l1_proof", "absent", absent.to_string().into_bytes()),
        ("beacon_blobs", "none", br#"{"data":[]}"#.to_vec()),
        (
            "beacon_blobs",
            "sidecar",
            json!({ "data": [sidecar] }).to_string().into_bytes(),
        ),
        ("engine_answer", "fork-choice", after(0, &fork_choice)),
        (
            "engine_answer",
            "error",
            after(1, &json!({ "code": -38001, "message": "unknown" })),
        ),
        ("engine_answer", "status", after(2, &valid)),
        ("l2_answer", "raw-block", after(6, &json!([raw]))),
        ("l2_answer", "header", after(2, &json!([header]))),
        (
            "l2_answer",
            "in-parts",
            after(
                3,
                &json!([
                    { "error": { "code": -32601, "message": "no such method" } },
                    header,
                    [{ "transactions": [transfer()] }],
                ]),
            ),
        ),
        ("l2_answer", "proof", after(7, &json!([header, absent]))),
        ("l2_answer", "chain-id", after(5, &json!(["0x385"]))),
    ]
}

/// What lies in folders.
fn file_seeds() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let (block, receipts) = l1_block();
    let l1 = json!({ "block": block, "receipts": receipts });
    let l2 = json!({ "number": 0, "hash": B256::ZERO, "raw": Bytes::from(l2_block()) });
    let id = json!({ "hash": B256::ZERO, "number": 0 });
    let config = json!({ "batcherAddr": Address::ZERO, "overhead": B256::ZERO, "scalar": B256::ZERO, "gasLimit": 1 });
    let head = json!({
        "hash": B256::ZERO, "number": 0, "parentHash": B256::ZERO, "timestamp": 0,
        "l1origin": id, "sequenceNumber": 0,
    });
    let start = json!({
        "safe_head": head, "system_config": config, "l1_start": id, "l1_start_config": config,
    });
    let recording = [
        ("l1.jsonl", l1),
        ("l2.jsonl", l2),
        ("start.json", start),
        (
            "payloads.jsonl",
            json!({ "commitment": "0x01", "payload": "0x02" }),
        ),
        ("safe.jsonl", json!({ "l1": 1, "safe": id })),
        (
            "verdicts.jsonl",
            json!({ "l1": 1, "index": 0, "node": "accepted" }),
        ),
    ];
    let text = |without: &str| -> Vec<u8> {
        let parts = recording.iter().filter(|(name, _)| *name != without);
        let parts: Vec<String> = parts
            .map(|(name, json)| format!("#{name}\n{json}"))
            .collect();
        parts.join("\n").into_bytes()
    };
    vec![
        ("recording", "whole", text("start.json")),
        ("recording", "mid-chain", text("")),
        (
            "admin_state",
            "started",
            br#"{"sequencerStarted":true}"#.to_vec(),
        ),
    ]
}

fn call_json() -> serde_json::Value {
    json!({
        "from": "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266",
        "to": Address::with_last_byte(0xcc),
        "gas": "0x10000",
        "maxFeePerGas": "0x77359400",
        "value": "0x1",
        "data": "0x01",
        "accessList": [{ "address": Address::ZERO, "storageKeys": [B256::ZERO] }],
    })
}
