//! L1 blocks as a node has them in memory: whole and decoded, with nothing picked out of them yet.
//!
//! kona is given blocks like these, and finds the inbox transactions itself. So that both do the
//! same work when they are measured, Doppio's derivation starts from whole blocks here as well.

use alloy_consensus::TxEnvelope;
use doppio_protocol::{
    config::RollupConfig,
    l1::{L1Block, L1Header, L1Receipt, L1Transaction},
};
use doppio_recorded::RecordingError;
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
};

/// An L1 block.
#[derive(Clone, Debug)]
pub struct WholeBlock {
    /// The header.
    pub header: L1Header,
    /// All transactions.
    pub transactions: Vec<TxEnvelope>,
    /// All receipts.
    pub receipts: Vec<L1Receipt>,
}

impl WholeBlock {
    /// What derivation reads of the block.
    pub fn for_derivation(&self, rollup: &RollupConfig) -> L1Block {
        let transactions = self.transactions.iter().cloned().map(L1Transaction::Signed);
        L1Block::new(rollup, self.header, transactions, self.receipts.clone())
    }
}

#[derive(Deserialize)]
struct Line {
    block: BlockJson,
}

#[derive(Deserialize)]
struct BlockJson {
    transactions: Vec<TxEnvelope>,
}

/// Reads the transactions of blocks that were read and verified before.
pub(crate) fn read_whole_blocks(
    folder: &Path,
    verified: &[L1Block],
) -> Result<Vec<WholeBlock>, RecordingError> {
    let path: PathBuf = folder.join("l1.jsonl.gz");
    let io = |error| RecordingError::Io {
        path: path.clone(),
        error,
    };
    let mut transactions = Vec::new();
    let reader = BufReader::new(MultiGzDecoder::new(File::open(&path).map_err(io)?));
    for (line, text) in (1..).zip(reader.lines()) {
        let read: Line =
            serde_json::from_str(&text.map_err(io)?).map_err(|error| RecordingError::Json {
                path: path.clone(),
                line,
                error,
            })?;
        transactions.push(read.block.transactions);
    }
    // the blocks before the rollup's start were passed over
    let passed = transactions.len() - verified.len();
    Ok(verified
        .iter()
        .zip(transactions.into_iter().skip(passed))
        .map(|(block, transactions)| WholeBlock {
            header: block.header,
            transactions,
            receipts: block.receipts.clone(),
        })
        .collect())
}
