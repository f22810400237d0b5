//! A block's JSON, kept to be checked again.

use super::{
    BlockRead, CheckedBlock, ReceiptsAnswer, VerifyError,
    block::{check_header, read_body},
    read_receipts,
};
use alloy_primitives::Bytes;
use doppio_protocol::{config::RollupConfig, l1::L1Block};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// An L1 block with its receipts, as nodes give them. What a recording holds of a block.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BlockJson {
    /// `eth_getBlockByNumber` with whole transactions.
    pub block: Box<RawValue>,
    /// `eth_getBlockReceipts`; an empty list for a block without transactions. Encoded receipts, as
    /// `debug_getRawReceipts` gives them, are read as well.
    pub receipts: Box<RawValue>,
    /// Canonical bytes of the transactions whose types the release does not know that kept the
    /// block, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown_transactions: Vec<Bytes>,
}

impl BlockJson {
    /// Checks the block against its hash and roots, and takes from it what derivation reads.
    ///
    /// # Errors
    ///
    /// If the block is not what its hash says.
    pub fn read(&self, rollup: &RollupConfig) -> Result<L1Block, VerifyError> {
        let json = self.block.get();
        let block: CheckedBlock = match read_body(check_header(json)?, json)? {
            BlockRead::Whole(block) => block,
            BlockRead::NeedsBytes(pending) => {
                pending.complete(self.unknown_transactions.clone())?
            }
        };
        let receipts = self.receipts.get();
        let is_encoded = receipts
            .trim_start_matches(|c: char| c == '[' || c.is_ascii_whitespace())
            .starts_with('"');
        let answer = if is_encoded {
            ReceiptsAnswer::Raw(receipts)
        } else {
            ReceiptsAnswer::List(receipts)
        };
        let found = read_receipts(&block, answer)?;
        let receipts = found.ok_or(VerifyError::ReceiptCount {
            block: block.header().id(),
            transactions: block.transactions().len(),
            receipts: 0,
        })?;
        Ok(block.into_l1_block(rollup, receipts))
    }
}
