//! op-node's own verdicts.
//!
//! `data/op-node-verdicts.txt` was made with the Go code of op-node 1.19.6: each line is a kind of
//! input, the input in hexadecimal, and what op-node's decoder said of it. The inputs are valid
//! ones, valid ones with a few bytes changed, and nearly valid ones. The chain is the test chain
//! without Celo's transaction type.

use crate::common::{
    SYSTEM_CONFIG, address_of, bytes_of, chain_with, hash_of, log, number_of, span_params,
};
use alloy_primitives::{B256, Bytes, Keccak256, Log, hex, keccak256};
use doppio_protocol::{
    batch::{Batch, SingularBatch, SpanBatchWriter, SpanCursor, SpanParams},
    config::{Fork, ForkTimes},
    deposit::{DepositTx, decode_deposit_log},
    frame::parse_frames,
    l1_info::{L1BlockInfo, L1InfoLayout},
    system_config::SystemConfig,
};
use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

const VERDICTS: &str = include_str!("data/op-node-verdicts.txt");

const fn params() -> SpanParams {
    SpanParams {
        celo_dynamic_fee_v2: false,
        ..span_params()
    }
}

fn batch(bytes: &Bytes) -> String {
    match Batch::decode(bytes) {
        Err(_) => "malformed".to_owned(),
        Ok(Batch::Singular(batch)) => {
            let mut hasher = Keccak256::new();
            batch
                .transactions
                .iter_slices()
                .for_each(|tx| hasher.update(keccak256(tx)));
            format!(
                "singular {} {} {} {} {} {}",
                hex::encode(batch.parent_hash),
                batch.epoch_num,
                hex::encode(batch.epoch_hash),
                batch.timestamp,
                batch.transactions.len(),
                hex::encode(hasher.finalize())
            )
        }
        Ok(Batch::Span(span)) if span.check_transactions(&params()).is_err() => {
            "underivable".to_owned()
        }
        Ok(Batch::Span(span)) => {
            let (blocks, txs) = (span.block_count(), span.tx_count());
            let mut hasher = Keccak256::new();
            let mut cursor = SpanCursor::new(Arc::new(span), params());
            while let Some(block) = cursor.next_block() {
                let block = block.unwrap();
                hasher.update(format!("{} {}\n", block.timestamp, block.epoch_num));
                block
                    .transactions
                    .iter_slices()
                    .for_each(|tx| hasher.update(keccak256(tx)));
            }
            format!("span {blocks} {txs} {}", hex::encode(hasher.finalize()))
        }
    }
}

fn frames(bytes: &Bytes) -> String {
    let Ok(frames) = parse_frames(bytes, 1_000_000) else {
        return "refused".to_owned();
    };
    frames.iter().fold("frames".to_owned(), |mut out, frame| {
        let id = hex::encode(frame.id);
        let _ = write!(
            out,
            " {id}:{}:{}:{}",
            frame.number,
            frame.data.len(),
            frame.is_last
        );
        out
    })
}

/// A number of topics, the topics, the data.
fn read_log(bytes: &[u8]) -> Log {
    let (topics, data) = bytes[1..].split_at(32 * usize::from(bytes[0]));
    let topics = topics.chunks(32).map(B256::from_slice).collect();
    log(SYSTEM_CONFIG, topics, data.to_vec())
}

fn deposit_log(bytes: &[u8]) -> String {
    let mut block = B256::ZERO;
    block[0] = 1;
    decode_deposit_log(&read_log(bytes), block, 7).map_or_else(
        |_| "refused".to_owned(),
        |deposit| format!("deposit {}", hex::encode(keccak256(deposit.encode()))),
    )
}

fn update(bytes: &[u8], last: Option<Fork>) -> String {
    let chain = chain_with(|rollup| {
        rollup.forks = last.map(ForkTimes::all_until).unwrap_or_default();
    });
    let mut config = SystemConfig::default();
    match config.apply_log(&chain, &read_log(bytes), 5) {
        Ok(()) => serde_json::to_string(&config).unwrap(),
        Err(_) => "refused".to_owned(),
    }
}

fn info(bytes: &[u8]) -> String {
    let layout = L1InfoLayout::ALL[usize::from(bytes[0])];
    L1BlockInfo::decode(layout, &bytes[1..]).map_or_else(
        |_| "refused".to_owned(),
        |info| {
            format!(
                "{} {} {} {} {} {} {} {} {} {} {}",
                info.number,
                info.time,
                info.base_fee,
                hex::encode(info.block_hash),
                info.sequence_number,
                hex::encode(info.batcher),
                info.base_fee_scalar,
                info.blob_base_fee_scalar,
                info.operator_fee_scalar,
                info.operator_fee_constant,
                info.da_footprint_gas_scalar
            )
        },
    )
}

fn write_span(bytes: &[u8]) -> String {
    let blocks: Vec<serde_json::Value> = serde_json::from_slice(bytes).unwrap();
    let mut writer = SpanBatchWriter::new(params());
    for block in blocks {
        let batch = SingularBatch {
            parent_hash: hash_of(&block["Parent"]),
            epoch_num: number_of(&block["Epoch"]),
            epoch_hash: hash_of(&block["Hash"]),
            timestamp: number_of(&block["Time"]),
            transactions: block["Txs"]
                .as_array()
                .unwrap()
                .iter()
                .map(bytes_of)
                .collect(),
        };
        writer.push(&batch, number_of(&block["Seq"])).unwrap();
    }
    hex::encode(writer.encode().unwrap())
}

#[test]
fn our_verdict_is_op_nodes_on_every_recorded_input() {
    let mut counts = BTreeMap::new();
    for (line, text) in (1..).zip(VERDICTS.lines()) {
        let (input, theirs) = text.split_once('|').unwrap();
        let (kind, input) = input.split_once(' ').unwrap();
        let bytes = Bytes::from(hex::decode(input).unwrap());
        let ours = match kind {
            "batch" => batch(&bytes),
            "frames" => frames(&bytes),
            "deposit" => match DepositTx::decode(&bytes) {
                Ok(deposit) if deposit.encode() == bytes => "deposit".to_owned(),
                Ok(_) => "another encoding".to_owned(),
                Err(_) => "refused".to_owned(),
            },
            "depositlog" => deposit_log(&bytes),
            "update" => update(&bytes, None),
            "updateeco" => update(&bytes, Some(Fork::Ecotone)),
            "info" => info(&bytes),
            "write" => write_span(&bytes),
            other => panic!("line {line}: unknown kind {other}"),
        };
        assert_eq!(ours, theirs, "line {line}: {kind} {input}");
        *counts.entry(kind).or_insert(0) += 1;
    }
    let expected = [
        ("batch", 480),
        ("deposit", 80),
        ("depositlog", 80),
        ("frames", 80),
        ("info", 80),
        ("update", 80),
        ("updateeco", 80),
        ("write", 40),
    ];
    assert!(counts.into_iter().eq(expected));
}

/// The address that an update names is read from the update, not left as it was.
#[test]
fn the_recorded_updates_change_something() {
    let changed = VERDICTS
        .lines()
        .filter(|line| line.starts_with("update"))
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line.split_once('|')?.1).ok())
        .filter(|config| !address_of(&config["batcherAddr"]).is_zero())
        .count();
    assert!(changed > 3, "only {changed} updates set the batcher");
}
