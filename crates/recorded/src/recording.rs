//! The folder of a recorded chain.

use crate::{
    files::{Lines, read_compressed_text, read_text},
    start::{L1Check, Start, StartError},
};
use alloy_consensus::proofs::ordered_trie_root_encoded;
use alloy_primitives::{B256, Bytes};
use doppio_derive::{PayloadAnswer, ResetPoint};
use doppio_protocol::{
    blob::{BLOB_SIZE, Blob},
    block::BlockId,
    config::{
        BlobSchedule, ChainConfig, ChainConfigError, ChainProfile, L1ConfigError, Overrides,
        ParseError, ProfileError, RollupConfig,
    },
    l1::L1Block,
    l2::{L2Block, L2BlockError},
};
use doppio_verify::{BlockJson, VerifyError};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use thiserror::Error;

/// Why a recording cannot be read, or is not believed.
#[derive(Debug, Error)]
pub enum RecordingError {
    /// A file cannot be read.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: io::Error,
    },
    /// A line is not what its file holds.
    #[error("{}, line {line}: {error}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// A file is missing.
    #[error("the recording has no {0}")]
    Missing(&'static str),
    /// rollup.json is refused.
    #[error("rollup.json: {0}")]
    Rollup(#[from] ParseError),
    /// The parts of the configuration do not fit.
    #[error(transparent)]
    Chain(#[from] ChainConfigError),
    /// profile.json is refused.
    #[error("profile.json: {0}")]
    Profile(#[from] ProfileError),
    /// l1-chain-config.json is refused.
    #[error("l1-chain-config.json: {0}")]
    L1Config(#[from] L1ConfigError),
    /// An L1 block is not what it claims to be.
    #[error(transparent)]
    L1(#[from] VerifyError),
    /// An L2 block is not what it claims to be.
    #[error("recorded L2 block {number}: {error}")]
    L2 {
        /// Height of the block.
        number: u64,
        /// What is wrong.
        error: L2BlockError,
    },
    /// An L2 block does not hash to its hash.
    #[error("recorded L2 block {number} hashes to {found}, not to {expected}")]
    L2Hash {
        /// Height of the block.
        number: u64,
        /// Recorded.
        expected: B256,
        /// Computed.
        found: B256,
    },
    /// An L2 block with other transactions than its header says.
    #[error("the transactions of recorded L2 block {number} have root {found}, not {expected}")]
    L2Transactions {
        /// Height of the block.
        number: u64,
        /// Of the header.
        expected: B256,
        /// Computed.
        found: B256,
    },
    /// A blob of another size.
    #[error("the recorded blob {0} has not {BLOB_SIZE} bytes")]
    BlobSize(B256),
    /// The recording does not hold the L1 block at which derivation starts.
    #[error("the recording does not hold L1 block {0}, where derivation starts")]
    NoStart(BlockId),
    /// start.json is no start.
    #[error("start.json: {0}")]
    StartJson(serde_json::Error),
    /// start.json contradicts the blocks.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Two L2 blocks of one height.
    #[error("L2 block {0} is recorded twice")]
    L2Twice(u64),
}

/// A block as it was recorded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecordedL2Block {
    /// Height.
    pub number: u64,
    /// Hash.
    pub hash: B256,
    /// RLP of the whole block.
    pub raw: Bytes,
    /// Output root, on some lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_root: Option<B256>,
    /// The L1 block whose information the block carries, on those lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub l1origin: Option<BlockId>,
    /// Storage root of the message passer, on those lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawal_storage_root: Option<B256>,
}

impl RecordedL2Block {
    /// Decodes the block, and checks its hash and its transactions.
    pub fn decode(&self) -> Result<L2Block, RecordingError> {
        let number = self.number;
        let block =
            L2Block::decode(&self.raw).map_err(|error| RecordingError::L2 { number, error })?;
        if block.hash != self.hash {
            let (expected, found) = (self.hash, block.hash);
            return Err(RecordingError::L2Hash {
                number,
                expected,
                found,
            });
        }
        let expected = block.header.transactions_root;
        let found = ordered_trie_root_encoded(&block.transactions);
        if found != expected {
            return Err(RecordingError::L2Transactions {
                number,
                expected,
                found,
            });
        }
        Ok(block)
    }
}

#[derive(Deserialize)]
struct BlobLine {
    versioned_hash: B256,
    blob: Bytes,
}

#[derive(Deserialize)]
struct PayloadLine {
    commitment: Bytes,
    #[serde(flatten)]
    answer: RecordedPayload,
}

/// What is behind an alt-DA commitment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordedPayload {
    /// These bytes.
    Payload(Bytes),
    /// Nothing, by a rule that every node applies alike; the DA server's reason.
    Dropped(String),
}

#[derive(Deserialize)]
struct SafeLine {
    l1: u64,
    safe: BlockId,
}

#[derive(Deserialize)]
struct VerdictLine {
    l1: u64,
    index: u32,
    node: String,
}

/// What an operator sets beside the folder.
#[derive(Debug, Default)]
pub struct OpenOptions {
    /// Accept rollup.json with unknown keys.
    pub ignore_unknown_keys: bool,
    /// What overrides the folder's files.
    pub overrides: Overrides,
}

/// A recorded chain.
pub struct RecordedChain {
    folder: PathBuf,
    /// The chain's configuration.
    pub chain: Arc<ChainConfig>,
    /// What was noticed in rollup.json.
    pub warnings: Vec<String>,
    /// L2 blocks from the safe head on that derivation starts with, and before it those that
    /// derivation looks up.
    pub l2_blocks: Vec<RecordedL2Block>,
    start: Option<Start>,
    blobs: HashMap<B256, Box<Blob>>,
    payloads: HashMap<Bytes, RecordedPayload>,
    safe_heads: HashMap<u64, BlockId>,
    verdicts: HashMap<u64, BTreeMap<u32, bool>>,
}

impl core::fmt::Debug for RecordedChain {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("RecordedChain")
            .field("folder", &self.folder)
            .field("l2_blocks", &self.l2_blocks.len())
            .finish_non_exhaustive()
    }
}

impl RecordedChain {
    /// Opens a folder. L1 blocks are not read yet.
    pub fn open(folder: &Path, options: OpenOptions) -> Result<Self, RecordingError> {
        let (chain, warnings) = Self::read_config(folder, options)?;
        let mut l2_blocks = Lines::<RecordedL2Block>::open(folder, "l2")?
            .ok_or(RecordingError::Missing("l2.jsonl.gz"))?
            .collect::<Result<Vec<_>, _>>()?;
        // those that derivation looks up stand where it asked for them
        l2_blocks.sort_by_key(|block| block.number);
        if let Some(pair) = l2_blocks
            .windows(2)
            .find(|pair| pair[0].number == pair[1].number)
        {
            return Err(RecordingError::L2Twice(pair[1].number));
        }
        let start: Option<Start> = read_text(folder, "start.json")?
            .map(|json| serde_json::from_str(&json).map_err(RecordingError::StartJson))
            .transpose()?;
        if let Some(start) = &start {
            start.check_l2(&chain, &l2_blocks)?;
        }
        let mut recorded = Self {
            folder: folder.to_owned(),
            chain: Arc::new(chain),
            warnings,
            l2_blocks,
            start,
            blobs: HashMap::new(),
            payloads: HashMap::new(),
            safe_heads: HashMap::new(),
            verdicts: HashMap::new(),
        };
        recorded.read_data()?;
        Ok(recorded)
    }

    fn read_config(
        folder: &Path,
        options: OpenOptions,
    ) -> Result<(ChainConfig, Vec<String>), RecordingError> {
        let rollup =
            read_text(folder, "rollup.json")?.ok_or(RecordingError::Missing("rollup.json"))?;
        let parsed = RollupConfig::parse(&rollup, options.ignore_unknown_keys)?;
        let mut overrides = options.overrides;
        if overrides.profile.is_none()
            && let Some(json) = read_text(folder, "profile.json")?
        {
            overrides.profile = Some(ChainProfile::parse(&json)?);
        }
        if overrides.l1_blob_schedule.is_none()
            && let Some(json) = read_text(folder, "l1-chain-config.json")?
        {
            overrides.l1_blob_schedule = Some(BlobSchedule::from_l1_chain_config(&json)?);
        }
        Ok((ChainConfig::new(parsed.config, overrides)?, parsed.warnings))
    }

    fn read_data(&mut self) -> Result<(), RecordingError> {
        for line in Lines::<BlobLine>::open(&self.folder, "blobs")?
            .into_iter()
            .flatten()
        {
            let line = line?;
            let blob: Box<[u8]> = line.blob.to_vec().into();
            let blob = Box::<Blob>::try_from(blob)
                .map_err(|_| RecordingError::BlobSize(line.versioned_hash))?;
            self.blobs.insert(line.versioned_hash, blob);
        }
        for line in Lines::<PayloadLine>::open(&self.folder, "payloads")?
            .into_iter()
            .flatten()
        {
            let line = line?;
            self.payloads.insert(line.commitment, line.answer);
        }
        for line in Lines::<SafeLine>::open(&self.folder, "safe")?
            .into_iter()
            .flatten()
        {
            let line = line?;
            self.safe_heads.insert(line.l1, line.safe);
        }
        for line in Lines::<VerdictLine>::open(&self.folder, "verdicts")?
            .into_iter()
            .flatten()
        {
            let line = line?;
            self.verdicts
                .entry(line.l1)
                .or_default()
                .insert(line.index, line.node == "accepted");
        }
        Ok(())
    }

    /// The L1 blocks, verified one by one as they are read: from the one after which the rollup
    /// starts, or all that there are if derivation starts later.
    pub fn l1_blocks(
        &self,
    ) -> Result<impl Iterator<Item = Result<L1Block, RecordingError>> + use<>, RecordingError> {
        let lines = Lines::<BlockJson>::open(&self.folder, "l1")?
            .ok_or(RecordingError::Missing("l1.jsonl.gz"))?;
        let chain = Arc::clone(&self.chain);
        let first = match self.start {
            None => self.chain.rollup.genesis.l1.number,
            Some(_) => 0,
        };
        let mut check = self
            .start
            .map(|start| L1Check::new(Arc::clone(&chain), start));
        Ok(lines
            .map(move |line| {
                let block = line?.read(&chain.rollup)?;
                if let Some(check) = &mut check {
                    check.check(&block)?;
                }
                Ok(block)
            })
            .skip_while(move |block| matches!(block, Ok(block) if block.header.number < first)))
    }

    /// The text of the L2 genesis.json, and of the accounts that belong to it if they are in a file
    /// of their own: `alloc.json` in the folder, or `alloc-CHAIN_ID.json` beside it, compressed or
    /// not.
    pub fn genesis(&self) -> Result<(String, Option<String>), RecordingError> {
        let genesis = read_text(&self.folder, "genesis.json")?
            .ok_or(RecordingError::Missing("genesis.json"))?;
        let beside = format!("../alloc-{}.json", self.chain.rollup.l2_chain_id);
        for name in ["alloc.json", &beside] {
            if let Some(alloc) = read_compressed_text(&self.folder, name)? {
                return Ok((genesis, Some(alloc)));
            }
        }
        Ok((genesis, None))
    }

    /// Where derivation of the chain starts: at genesis, unless start.json says otherwise.
    pub fn start(&self) -> ResetPoint {
        match &self.start {
            None => ResetPoint::genesis(&self.chain.rollup),
            Some(start) => start.reset_point(),
        }
    }

    /// Whether derivation starts at genesis.
    pub fn is_whole(&self) -> bool {
        self.start().safe_head.id() == self.chain.rollup.genesis.l2
    }

    /// A copy of a blob, by its versioned hash.
    pub fn blob(&self, versioned_hash: &B256) -> Option<Box<Blob>> {
        self.blobs.get(versioned_hash).cloned()
    }

    /// The payload of an alt-DA commitment: type byte and content.
    pub fn payload(&self, commitment: &Bytes) -> Option<&Bytes> {
        match self.payloads.get(commitment)? {
            RecordedPayload::Payload(bytes) => Some(bytes),
            RecordedPayload::Dropped(_) => None,
        }
    }

    /// What is behind an alt-DA commitment, or that it is nothing.
    pub fn payload_answer(&self, commitment: &Bytes) -> Option<PayloadAnswer> {
        Some(match self.payloads.get(commitment)?.clone() {
            RecordedPayload::Payload(bytes) => PayloadAnswer::Payload(bytes),
            RecordedPayload::Dropped(reason) => PayloadAnswer::Dropped(reason),
        })
    }

    /// The safe head once an L1 block had been derived.
    pub fn safe_head(&self, l1_number: u64) -> Option<BlockId> {
        self.safe_heads.get(&l1_number).copied()
    }

    /// The recorded verdicts of an L1 block: positions of transactions, and whether they counted.
    pub fn verdicts(&self, l1_number: u64) -> impl Iterator<Item = (u32, bool)> + '_ {
        let of_block = self.verdicts.get(&l1_number).into_iter().flatten();
        of_block.map(|(index, accepted)| (*index, *accepted))
    }

    /// Number of recorded verdicts.
    pub fn verdict_count(&self) -> usize {
        self.verdicts.values().map(BTreeMap::len).sum()
    }

    /// An L2 block by number.
    pub fn l2_block(&self, number: u64) -> Option<&RecordedL2Block> {
        let at = self
            .l2_blocks
            .binary_search_by_key(&number, |block| block.number);
        self.l2_blocks.get(at.ok()?)
    }
}
