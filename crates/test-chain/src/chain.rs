//! A chain that was recorded.

use alloy_primitives::B256;
use doppio_protocol::{config::RollupConfig, l1::L1Block, l2::L2Block};
use doppio_recorded::{OpenOptions, RecordedChain};
use doppio_test_vectors::Vectors;
use serde_json::Value;
use std::{collections::HashMap, sync::Arc};

/// A recorded chain.
#[derive(Debug)]
pub struct Chain {
    /// The recording.
    pub recorded: RecordedChain,
    /// `{"block", "receipts"}`, by height.
    pub blocks: Vec<Value>,
    /// Blobs in hexadecimal, by versioned hash.
    pub blobs: HashMap<String, String>,
    rollup_json: Value,
    l1_chain_config: String,
    safe: Vec<Value>,
    payloads: usize,
}

impl Chain {
    /// Opens a chain of the vectors; none, and said loudly, without them.
    pub fn open(name: &str) -> Option<Arc<Self>> {
        let vectors = Vectors::find("recorded")?;
        let recorded = RecordedChain::open(&vectors.path(name), OpenOptions::default()).unwrap();
        let lines = |file: &str| -> Vec<Value> {
            let text = vectors.text(format!("{name}/{file}.jsonl.gz"));
            text.lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect()
        };
        let blobs = if vectors.path(format!("{name}/blobs.jsonl.gz")).exists() {
            lines("blobs")
        } else {
            Vec::new()
        };
        let payloads = vectors.path(format!("{name}/payloads.jsonl.gz"));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Some(Arc::new(Self {
            recorded,
            rollup_json: vectors.json(format!("{name}/rollup.json")),
            l1_chain_config: vectors.text(format!("{name}/l1-chain-config.json")),
            safe: lines("safe"),
            payloads: if payloads.exists() {
                lines("payloads").len()
            } else {
                0
            },
            blocks: lines("l1"),
            blobs: blobs
                .iter()
                .map(|line| (text(&line["versioned_hash"]), text(&line["blob"])))
                .collect(),
        }))
    }

    /// rollup.json.
    pub const fn rollup_json(&self) -> &Value {
        &self.rollup_json
    }

    /// The L1's chain configuration.
    pub fn l1_chain_config(&self) -> &str {
        &self.l1_chain_config
    }

    /// The recorded safe heads, `{"l1", "safe"}`, in the order of L1.
    pub fn safe(&self) -> &[Value] {
        &self.safe
    }

    /// How many payloads of commitments are recorded.
    pub const fn payloads(&self) -> usize {
        self.payloads
    }

    /// The rollup configuration.
    pub fn rollup(&self) -> Arc<RollupConfig> {
        Arc::new(self.recorded.chain.rollup.clone())
    }

    /// What `doppio-recorded` reads, by height. The recording begins where the rollup does.
    pub fn expected(&self) -> Vec<L1Block> {
        self.recorded
            .l1_blocks()
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap()
    }

    /// Hash of an L1 block.
    pub fn hash(&self, number: usize) -> B256 {
        self.blocks[number]["block"]["hash"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap()
    }

    /// Versioned hashes of the blobs of a block's slot. No recorded block has more than one, so that
    /// of the next block with a blob is put into the slot as well, as if of one more transaction.
    pub fn slot_blobs(&self, number: usize) -> Vec<B256> {
        let mut hashes = self.inbox_blobs(number);
        if !hashes.is_empty() {
            let next = (number + 1..self.blocks.len()).map(|number| self.inbox_blobs(number));
            hashes.extend(next.flatten().find(|hash| !hashes.contains(hash)));
        }
        hashes
    }

    /// Versioned hashes of a block's blobs that are recorded: those of transactions to the inbox.
    pub fn inbox_blobs(&self, number: usize) -> Vec<B256> {
        let transactions = self.blocks[number]["block"]["transactions"].as_array();
        let hashes = transactions
            .into_iter()
            .flatten()
            .flat_map(|tx| tx["blobVersionedHashes"].as_array().into_iter().flatten());
        hashes
            .map(|hash| hash.as_str().unwrap())
            .filter(|hash| self.blobs.contains_key(*hash))
            .map(|hash| hash.parse().unwrap())
            .collect()
    }

    /// An L2 block.
    pub(crate) fn l2(&self, number: u64) -> Option<L2Block> {
        Some(self.recorded.l2_block(number)?.decode().unwrap())
    }
}
