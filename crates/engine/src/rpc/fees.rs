//! `eth_*`: what a transaction should offer.

use super::{
    block_json::effective_gas_price,
    chain::{BlockHeader, Chain},
    methods::{Method, method},
};
use crate::{header, transaction::BlockTransaction};
use alloy_eips::BlockNumberOrTag;
use doppio_rpc::{Params, Quantity64, RpcError, quantity};
use op_alloy_consensus::OpReceiptEnvelope;
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub(super) const METHODS: &[Method] = &[
    method("eth_gasPrice", 0, gas_price),
    method("eth_maxPriorityFeePerGas", 0, max_priority_fee),
    method("eth_blobBaseFee", 0, blob_base_fee),
    method("eth_feeHistory", 3, fee_history),
];

fn gas_price(chain: Chain<'_>, _: &mut Params) -> Result<Value, RpcError> {
    let head = chain.head()?;
    let base_fee = head.header.base_fee_per_gas.unwrap_or_default();
    let tip = suggest(&chain, &head)?;
    Ok(quantity(tip.saturating_add(u128::from(base_fee))))
}

fn max_priority_fee(chain: Chain<'_>, _: &mut Params) -> Result<Value, RpcError> {
    let head = chain.head()?;
    suggest(&chain, &head).map(quantity)
}

/// Blobs cost nothing more than the least: there are none.
fn blob_base_fee(_: Chain<'_>, _: &mut Params) -> Result<Value, RpcError> {
    Ok(quantity(1))
}

/// What a transaction paid the sequencer for a unit of gas; 0 for a deposit.
fn tip(transaction: &BlockTransaction, base_fee: u64) -> u128 {
    let price = effective_gas_price(transaction.value().inner(), Some(base_fee));
    price.saturating_sub(u128::from(base_fee))
}

/// The least priority fee, while blocks have room; a tenth more than the middle one of the newest
/// block, if it had none.
pub(super) fn suggest(chain: &Chain<'_>, head: &BlockHeader) -> Result<u128, RpcError> {
    let settings = chain.settings;
    let receipts = chain.receipts(head.hash)?;
    let most = gas_used(&receipts).max().unwrap_or_default();
    let mut suggestion = settings.min_priority_fee;
    if head.header.gas_used.saturating_add(most) > head.header.gas_limit {
        let base_fee = head.header.base_fee_per_gas.unwrap_or_default();
        let transactions = chain.block(head.clone())?.decode()?;
        let mut tips: Vec<_> = transactions
            .iter()
            .map(|transaction| tip(transaction, base_fee))
            .collect();
        tips.sort_unstable();
        let median = tips.get(tips.len() / 2).copied().unwrap_or_default();
        suggestion = suggestion.max(median.saturating_add(median / 10));
    }
    Ok(suggestion.min(settings.max_priority_fee))
}

/// Gas of each transaction.
fn gas_used(receipts: &[OpReceiptEnvelope]) -> impl Iterator<Item = u64> {
    let mut before = 0;
    receipts.iter().map(move |receipt| {
        let used = receipt.cumulative_gas_used().saturating_sub(before);
        before = receipt.cumulative_gas_used();
        used
    })
}

/// A count of blocks: a number, or one in hexadecimal or decimal.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
enum BlockCount {
    Number(u64),
    Text(Quantity64),
    Decimal(#[serde(deserialize_with = "decimal")] u64),
}

fn decimal<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

fn fee_history(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let count = match params.required()? {
        BlockCount::Number(count)
        | BlockCount::Text(Quantity64(count))
        | BlockCount::Decimal(count) => count.min(chain.settings.max_fee_history),
    };
    let newest: BlockNumberOrTag = params.required()?;
    let percentiles: Vec<f64> = params.required()?;
    check_percentiles(&percentiles, chain.settings.max_fee_percentiles)?;
    let nothing = json!({ "oldestBlock": "0x0", "gasUsedRatio": null });
    if count == 0 {
        return Ok(nothing);
    }
    let head = chain.head()?.header.number;
    if let BlockNumberOrTag::Number(number) = newest
        && number > head
    {
        return Err(RpcError::failed(format!(
            "request beyond head block: requested {number}, head {head}"
        )));
    }
    let Some(newest) = chain.by_number(newest)? else {
        return Ok(nothing);
    };
    let newest = newest.header.number;
    let available = (newest - chain.settings.first_block.min(newest)).saturating_add(1);
    let count = count.min(available);
    let oldest = newest + 1 - count;
    let mut history = History::default();
    for number in oldest..=newest {
        let block = chain
            .by_number(number.into())?
            .ok_or_else(|| RpcError::internal(format!("block {number} is missing")))?;
        history.add(&chain, block, &percentiles)?;
    }
    Ok(history.into_json(oldest, !percentiles.is_empty()))
}

fn check_percentiles(percentiles: &[f64], most: usize) -> Result<(), RpcError> {
    let invalid = |text: String| {
        Err(RpcError::failed(format!(
            "invalid reward percentile: {text}"
        )))
    };
    if percentiles.len() > most {
        return invalid(format!("over the query limit {most}"));
    }
    for (index, percentile) in percentiles.iter().enumerate() {
        if !(0.0..=100.0).contains(percentile) {
            return invalid(format!("{percentile:.6}"));
        }
        if let Some(before) = index
            .checked_sub(1)
            .and_then(|index| percentiles.get(index))
            && percentile <= before
        {
            let last = index - 1;
            return invalid(format!("#{last}:{before:.6} >= #{index}:{percentile:.6}"));
        }
    }
    Ok(())
}

#[derive(Debug, Default)]
struct History {
    /// One more than blocks: the last is that of the block after the newest.
    base_fees: Vec<Value>,
    blob_base_fees: Vec<Value>,
    gas_used: Vec<Value>,
    rewards: Vec<Value>,
}

impl History {
    fn add(
        &mut self,
        chain: &Chain<'_>,
        block: BlockHeader,
        percentiles: &[f64],
    ) -> Result<(), RpcError> {
        let header = &block.header;
        let next = header::next_base_fee(chain.view.spec(), header, header.timestamp + 1)
            .map_err(|error| RpcError::internal(error.to_string()))?;
        // without blobs their fee is the least, once there is one
        let blob_base_fee = quantity(u8::from(header.excess_blob_gas.is_some()));
        self.base_fees.pop();
        self.blob_base_fees.pop();
        let base_fee = header.base_fee_per_gas.unwrap_or_default();
        self.base_fees.extend([quantity(base_fee), quantity(next)]);
        self.blob_base_fees
            .extend([blob_base_fee.clone(), blob_base_fee]);
        let ratio = header.gas_used as f64 / header.gas_limit.max(1) as f64;
        self.gas_used.push(json!(ratio));
        if !percentiles.is_empty() {
            self.rewards.push(rewards(chain, block, percentiles)?);
        }
        Ok(())
    }

    fn into_json(self, oldest: u64, with_rewards: bool) -> Value {
        let mut fields = Map::new();
        let blobs = vec![json!(0.0); self.gas_used.len()];
        fields.insert("oldestBlock".to_owned(), quantity(oldest));
        fields.insert("baseFeePerGas".to_owned(), Value::Array(self.base_fees));
        fields.insert("gasUsedRatio".to_owned(), Value::Array(self.gas_used));
        fields.insert(
            "baseFeePerBlobGas".to_owned(),
            Value::Array(self.blob_base_fees),
        );
        fields.insert("blobGasUsedRatio".to_owned(), Value::Array(blobs));
        if with_rewards {
            fields.insert("reward".to_owned(), Value::Array(self.rewards));
        }
        Value::Object(fields)
    }
}

/// The tips of a block at percentiles of its gas.
fn rewards(chain: &Chain<'_>, block: BlockHeader, percentiles: &[f64]) -> Result<Value, RpcError> {
    let receipts = chain.receipts(block.hash)?;
    let (block_gas, base_fee) = (
        block.header.gas_used,
        block.header.base_fee_per_gas.unwrap_or_default(),
    );
    let transactions = chain.block(block)?.decode()?;
    let mut tips: Vec<_> = transactions
        .iter()
        .map(|transaction| tip(transaction, base_fee))
        .zip(gas_used(&receipts))
        .collect();
    tips.sort_by_key(|(tip, _)| *tip);
    let mut left = tips.into_iter().peekable();
    let (mut tip, mut gas) = left.next().unwrap_or_default();
    let mut rewards = Vec::with_capacity(percentiles.len());
    for percentile in percentiles {
        let threshold = block_gas as f64 * percentile / 100.0;
        while (gas as f64) < threshold.floor()
            && let Some((next, used)) = left.next()
        {
            tip = next;
            gas += used;
        }
        rewards.push(quantity(tip));
    }
    Ok(Value::Array(rewards))
}
