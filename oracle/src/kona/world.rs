//! A recording in kona's types.

use crate::{ours::Chain, reach::Reach};
use alloy_primitives::{Address, B256, Bytes, Log, LogData, U64};
use alloy_rlp::Decodable;
use flate2::read::MultiGzDecoder;
use kona_alloy_consensus::{Eip658Value, Header, Receipt, TxEnvelope};
use kona_alloy_eips::eip4844::Blob;
use kona_genesis::{RollupConfig, SystemConfig};
use kona_protocol::{
    BlockInfo, FromBlockError, L2BlockInfo, OpBlockConversionError, to_system_config,
};
use op_alloy_consensus::OpBlock;
use serde::Deserialize;
use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead, BufReader},
    sync::Arc,
};
use thiserror::Error;

/// A recorded chain, as kona sees it.
#[derive(Debug)]
pub struct World {
    pub(super) config: Arc<RollupConfig>,
    pub(super) l1: Vec<L1>,
    pub(super) l1_by_hash: HashMap<B256, usize>,
    pub(super) l2: Vec<L2>,
    pub(super) blobs: HashMap<B256, Box<Blob>>,
}

/// An L1 block.
#[derive(Debug)]
pub(super) struct L1 {
    pub(super) info: BlockInfo,
    pub(super) header: Header,
    pub(super) transactions: Vec<TxEnvelope>,
    pub(super) receipts: Vec<Receipt>,
}

/// An L2 block and what kona reads out of it.
#[derive(Debug)]
pub(super) struct L2 {
    pub(super) info: L2BlockInfo,
    pub(super) config: SystemConfig,
    pub(super) block: OpBlock,
}

/// Why a recording cannot be put into kona's types.
#[derive(Debug, Error)]
pub enum WorldError {
    /// A file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A file is not what it should be.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// An L1 header does not hash to its hash.
    #[error("L1 block {0} does not hash to its hash")]
    Hash(u64),
    /// An L2 block is not the RLP of a block.
    #[error("L2 block {number}: {error}")]
    Rlp {
        /// Height of the block.
        number: u64,
        /// What is wrong.
        error: alloy_rlp::Error,
    },
    /// An L2 block that kona cannot place.
    #[error(transparent)]
    L2(#[from] FromBlockError),
    /// An L2 block without a system configuration.
    #[error(transparent)]
    SystemConfig(#[from] OpBlockConversionError),
    /// The recording has no blocks.
    #[error("the recording is empty")]
    Empty,
}

/// Keys of rollup.json that kona's strict parser does not know. Within kona's reach of a chain
/// none of them means anything.
const UNKNOWN_TO_KONA: [&str; 3] = [
    "espresso_enforcement_time",
    "batch_authenticator_address",
    "batch_auth_lookback_window",
];

/// Keys of the genesis system configuration that kona does not know: they are Jovian's.
const UNKNOWN_TO_KONA_SYSTEM_CONFIG: [&str; 2] = ["minBaseFee", "daFootprintGasScalar"];

impl World {
    /// Reads a recording, as far as kona can follow.
    pub fn open(chain: &Chain, reach: Reach) -> Result<Arc<Self>, WorldError> {
        let config = read_config(chain)?;
        let l1 = read_l1(chain, &config, reach)?;
        let l1_by_hash = (0..)
            .zip(&l1)
            .map(|(index, block)| (block.info.hash, index))
            .collect();
        let l2 = read_l2(chain, &config, reach)?;
        if l1.is_empty() || l2.is_empty() {
            return Err(WorldError::Empty);
        }
        let blobs = l1
            .iter()
            .flat_map(|block| &block.transactions)
            .filter_map(TxEnvelope::as_eip4844)
            .flat_map(|signed| signed.tx().tx().blob_versioned_hashes.clone())
            .filter_map(|hash| Some((hash, Box::new(Blob::from(*chain.recorded.blob(&hash)?)))))
            .collect();
        Ok(Arc::new(Self {
            config: Arc::new(config),
            l1,
            l1_by_hash,
            l2,
            blobs,
        }))
    }

    /// kona's configuration of the chain.
    pub fn config(&self) -> &RollupConfig {
        &self.config
    }

    pub(super) fn l1_by_number(&self, number: u64) -> Option<&L1> {
        let first = self.l1.first()?.info.number;
        self.l1
            .get(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    pub(super) fn l1_by_hash(&self, hash: &B256) -> Option<&L1> {
        self.l1.get(*self.l1_by_hash.get(hash)?)
    }

    pub(super) fn l2_by_number(&self, number: u64) -> Option<&L2> {
        let first = self.l2.first()?.info.block_info.number;
        self.l2
            .get(usize::try_from(number.checked_sub(first)?).ok()?)
    }
}

/// kona's configuration of a chain.
pub fn read_config(chain: &Chain) -> Result<RollupConfig, WorldError> {
    let text = std::fs::read_to_string(chain.folder.join("rollup.json"))?;
    let mut json: serde_json::Value = serde_json::from_str(&text)?;
    if let Some(keys) = json.as_object_mut() {
        keys.retain(|key, _| !UNKNOWN_TO_KONA.contains(&key.as_str()));
    }
    if let Some(keys) = json["genesis"]["system_config"].as_object_mut() {
        keys.retain(|key, _| !UNKNOWN_TO_KONA_SYSTEM_CONFIG.contains(&key.as_str()));
    }
    Ok(serde_json::from_value(json)?)
}

#[derive(Deserialize)]
struct L1Json {
    block: BlockJson,
    receipts: Vec<ReceiptJson>,
}

#[derive(Deserialize)]
struct BlockJson {
    hash: B256,
    #[serde(flatten)]
    header: Header,
    transactions: Vec<TxEnvelope>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReceiptJson {
    status: U64,
    cumulative_gas_used: U64,
    logs: Vec<LogJson>,
}

#[derive(Deserialize)]
struct LogJson {
    address: Address,
    topics: Vec<B256>,
    data: Bytes,
}

fn read_l1(chain: &Chain, config: &RollupConfig, reach: Reach) -> Result<Vec<L1>, WorldError> {
    let file = File::open(chain.folder.join("l1.jsonl.gz"))?;
    let mut blocks = Vec::new();
    for line in BufReader::new(MultiGzDecoder::new(file)).lines() {
        let L1Json { block, receipts } = serde_json::from_str(&line?)?;
        let number = block.header.number;
        if block.header.hash_slow() != block.hash {
            return Err(WorldError::Hash(number));
        }
        if number < config.genesis.l1.number || block.header.timestamp >= reach.l1_time {
            continue;
        }
        blocks.push(L1 {
            info: BlockInfo {
                hash: block.hash,
                number,
                parent_hash: block.header.parent_hash,
                timestamp: block.header.timestamp,
            },
            header: block.header,
            transactions: block.transactions,
            receipts: receipts.into_iter().map(receipt).collect(),
        });
    }
    Ok(blocks)
}

fn receipt(json: ReceiptJson) -> Receipt {
    Receipt {
        status: Eip658Value::Eip658(json.status == U64::from(1)),
        cumulative_gas_used: json.cumulative_gas_used.to(),
        logs: json
            .logs
            .into_iter()
            .map(|log| Log {
                address: log.address,
                data: LogData::new_unchecked(log.topics, log.data),
            })
            .collect(),
    }
}

/// The L2 blocks that kona can read: those before Jovian.
fn read_l2(chain: &Chain, config: &RollupConfig, reach: Reach) -> Result<Vec<L2>, WorldError> {
    let mut blocks = Vec::new();
    for recorded in &chain.recorded.l2_blocks {
        let number = recorded.number;
        let block = OpBlock::decode(&mut recorded.raw.as_ref())
            .map_err(|error| WorldError::Rlp { number, error })?;
        if block.header.timestamp >= reach.l2_time {
            break;
        }
        blocks.push(L2 {
            info: L2BlockInfo::from_block_and_genesis(&block, &config.genesis)?,
            config: to_system_config(&block, config)?,
            block,
        });
    }
    Ok(blocks)
}
