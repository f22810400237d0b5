//! What the tests share: the recording, and an order of its blocks by a seed.

use alloy_primitives::{Address, B256, Bytes};
use doppio_espresso::{
    namespace::Transaction,
    streamer::{Authorization, Checkpoint, HotShotBlock, Limits, Place, Streamer, StreamerConfig},
};
use doppio_protocol::{
    L1BlockRef, L2BlockRef,
    config::{BlobSchedule, ChainConfig, Overrides, RollupConfig},
};
use doppio_test_vectors::Vectors;
use serde_json::Value;
use std::collections::BTreeMap;

/// The recorded chain.
pub(crate) struct Recording {
    pub(crate) hotshot: BTreeMap<u64, HotShotBlock>,
    /// All transactions with the hash that the batcher computed, and what the hostile ones are.
    pub(crate) transactions: Vec<(Transaction, String, Option<String>)>,
    pub(crate) injected: Vec<(Place, String)>,
    pub(crate) l1: BTreeMap<u64, L1BlockRef>,
    pub(crate) l2: BTreeMap<u64, B256>,
    pub(crate) batcher: Address,
    pub(crate) authentications: Vec<(B256, Vec<u8>)>,
    rollup: String,
    l1_config: String,
}

fn lines(vectors: &Vectors, name: &str) -> Vec<Value> {
    let text = vectors.text(name);
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn number(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

fn parse<T: std::str::FromStr>(value: &Value) -> T
where
    T::Err: std::fmt::Debug,
{
    value.as_str().unwrap().parse().unwrap()
}

/// `authenticateBatchInfo(bytes32,bytes)`.
const AUTHENTICATE: [u8; 4] = [0xfc, 0x61, 0x9e, 0x41];

impl Recording {
    pub(crate) fn find() -> Option<Self> {
        let vectors = Vectors::find("recorded/espresso-gen2-batcher")?;
        let rollup = vectors.text("rollup.json");
        let json: Value = serde_json::from_str(&rollup).unwrap();
        let mut recording = Self {
            hotshot: BTreeMap::new(),
            transactions: Vec::new(),
            injected: Vec::new(),
            l1: BTreeMap::new(),
            l2: BTreeMap::new(),
            batcher: parse(&json["genesis"]["system_config"]["batcherAddr"]),
            authentications: Vec::new(),
            rollup,
            l1_config: vectors.text("l1-chain-config.json"),
        };
        for line in lines(&vectors, "hotshot.jsonl.gz") {
            recording.add_block(&line);
        }
        for line in lines(&vectors, "l1.jsonl.gz") {
            recording.add_l1(&line["block"]);
        }
        for line in lines(&vectors, "l2.jsonl.gz") {
            recording
                .l2
                .insert(line["number"].as_u64().unwrap(), parse(&line["hash"]));
        }
        Some(recording)
    }

    fn add_block(&mut self, line: &Value) {
        let height = line["height"].as_u64().unwrap();
        let mut transactions = Vec::new();
        for (index, entry) in line["transactions"].as_array().unwrap().iter().enumerate() {
            let transaction: Transaction = serde_json::from_value(entry.clone()).unwrap();
            transactions.push(transaction.clone());
            let injected = entry["injected"].as_str().map(str::to_owned);
            if let Some(what) = &injected {
                self.injected.push((Place { height, index }, what.clone()));
            }
            let hash = entry["hash"].as_str().unwrap().to_owned();
            self.transactions.push((transaction, hash, injected));
        }
        let block = HotShotBlock {
            height,
            l1_finalized: None,
            transactions,
        };
        self.hotshot.insert(height, block);
    }

    fn add_l1(&mut self, block: &Value) {
        let block_ref = L1BlockRef {
            hash: parse(&block["hash"]),
            number: number(&block["number"]),
            parent_hash: parse(&block["parentHash"]),
            timestamp: number(&block["timestamp"]),
        };
        self.l1.insert(block_ref.number, block_ref);
        for transaction in block["transactions"].as_array().unwrap() {
            let input: Bytes = parse(&transaction["input"]);
            if let Some(arguments) = input.strip_prefix(&AUTHENTICATE) {
                let signature = arguments[96..161].to_vec();
                self.authentications
                    .push((B256::from_slice(&arguments[..32]), signature));
            }
        }
    }

    pub(crate) fn start(&self) -> Checkpoint {
        let genesis = self.config(Limits::default()).chain.rollup.genesis;
        let json: Value = serde_json::from_str(&self.rollup).unwrap();
        Checkpoint {
            hotshot_height: *self.hotshot.keys().next().unwrap(),
            tip: L2BlockRef {
                hash: genesis.l2.hash,
                number: genesis.l2.number,
                timestamp: json["genesis"]["l2_time"].as_u64().unwrap(),
                l1_origin: genesis.l1,
                ..L2BlockRef::default()
            },
        }
    }

    pub(crate) fn config(&self, limits: Limits) -> StreamerConfig {
        let schedule = BlobSchedule::from_l1_chain_config(&self.l1_config).unwrap();
        let overrides = Overrides {
            l1_blob_schedule: Some(schedule),
            ..Overrides::default()
        };
        let parsed = RollupConfig::parse(&self.rollup, true).unwrap();
        StreamerConfig {
            chain: ChainConfig::new(parsed.config, overrides).unwrap(),
            namespace: 901,
            authorization: Authorization::AtOrigin,
            limits,
        }
    }

    pub(crate) fn streamer(&self, limits: Limits) -> Streamer {
        Streamer::new(self.config(limits), self.start())
    }
}

/// The same in another order.
pub(crate) fn shuffled<T: Clone>(list: &[T], seed: u64) -> Vec<T> {
    let mut list = list.to_vec();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for end in (1..list.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        list.swap(end, (state % (end as u64 + 1)) as usize);
    }
    list
}

/// The usual bounds.
pub(crate) fn limits() -> Limits {
    Limits::default()
}
