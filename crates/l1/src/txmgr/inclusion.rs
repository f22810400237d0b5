//! Whether a transaction is on the chain. A receipt says where to look; that it is there, and what
//! became of it, is read from the block and its receipts, whose hash and roots hold.

use super::ask::parse;
use crate::{
    endpoint::Endpoint,
    failure::Failure,
    fetch::whole_block,
    pool::Job,
    rpc::Call,
    verify::{BlockAt, CheckedBlock},
};
use alloy_consensus::Transaction;
use alloy_primitives::B256;
use doppio_protocol::{
    config::BlobSchedule,
    l1::{L1Receipt, L1Transaction},
};
use doppio_txmgr::Inclusion;
use serde::Deserialize;
use serde_json::json;
use std::fmt;

/// Which of some transactions is on the chain.
pub(crate) struct Find<'a> {
    pub(crate) hashes: &'a [B256],
    pub(crate) schedule: &'a BlobSchedule,
}

impl fmt::Display for Find<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hashes {
            [hash] => write!(f, "the receipt of {hash}"),
            hashes => write!(f, "the receipt of one of {} transactions", hashes.len()),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hint {
    #[serde(default)]
    block_hash: Option<B256>,
}

impl Job for Find<'_> {
    type Output = Inclusion;

    async fn run(&self, endpoint: &Endpoint) -> Result<Option<Inclusion>, Failure> {
        let call = |hash: &B256| Call::new("eth_getTransactionReceipt", json!([hash]));
        let calls: Vec<Call> = self.hashes.iter().map(call).collect();
        let answers = endpoint.calls(&calls).await?;
        for (hash, answer) in self.hashes.iter().zip(answers) {
            let hint = match answer {
                Ok(answer) => parse::<Option<Hint>>(&answer)?,
                Err(Failure::NotFound(_)) => None,
                Err(failure) => return Err(failure),
            };
            let Some(block) = hint.and_then(|hint| hint.block_hash) else {
                continue;
            };
            let Some((block, receipts)) = whole_block(endpoint, BlockAt::Hash(block)).await? else {
                continue;
            };
            // A receipt of a transaction that its block does not have is no receipt.
            if let Some(found) = in_block(&block, &receipts, *hash, self.schedule) {
                return Ok(Some(found));
            }
            return Err(Failure::Malformed(format!(
                "a receipt names a block without the transaction {hash}"
            )));
        }
        Ok(None)
    }
}

fn in_block(
    block: &CheckedBlock,
    receipts: &[(L1Receipt, u64)],
    hash: B256,
    schedule: &BlobSchedule,
) -> Option<Inclusion> {
    let index = block
        .transaction_hashes()
        .iter()
        .position(|other| *other == hash)?;
    let L1Transaction::Signed(tx) = block.transactions().get(index)? else {
        return None;
    };
    let (receipt, gas) = receipts.get(index)?;
    let before = match index.checked_sub(1) {
        Some(index) => receipts.get(index)?.1,
        None => 0,
    };
    let header = block.header().header();
    let blob_gas_used = tx.blob_gas_used().unwrap_or_default();
    let blob_gas_price = match (blob_gas_used, header.excess_blob_gas) {
        (1.., Some(excess)) => schedule.blob_base_fee(header.timestamp, excess).ok(),
        _ => None,
    };
    Some(Inclusion {
        tx_hash: hash,
        block: block.header().id(),
        block_time: header.timestamp,
        success: receipt.success,
        gas_used: gas.checked_sub(before)?,
        gas_price: tx.effective_gas_price(header.base_fee_per_gas),
        blob_gas_used,
        blob_gas_price: blob_gas_price.map_or(0, |price| price.saturating_to()),
    })
}
