//! Receipts as op-geth prints them: what execution gave, and what L1 cost.

use super::{
    block_json::{self, LogPlace, created, effective_gas_price},
    chain::{BlockHeader, StoredBlock},
};
use crate::{chain_spec::ChainSpec, transaction::BlockTransaction};
use alloy_consensus::{Transaction, TxReceipt, Typed2718};
use alloy_primitives::{U256, keccak256};
use doppio_protocol::{
    config::Fork,
    deposit::DEPOSIT_TX_TYPE,
    l1_info::{L1BlockInfo, L1InfoLayout},
};
use doppio_rpc::{RpcError, quantity};
use op_alloy_consensus::OpReceiptEnvelope;
use op_revm::estimate_tx_compressed_size;
use serde_json::{Map, Value, json};

/// All receipts of a block.
pub(crate) fn receipts(
    spec: &ChainSpec,
    block: &StoredBlock,
    receipts: &[OpReceiptEnvelope],
) -> Result<Vec<Value>, RpcError> {
    let transactions = block.decode()?;
    if transactions.len() != receipts.len() {
        return Err(RpcError::internal(format!(
            "receipts length mismatch: {} vs {}",
            transactions.len(),
            receipts.len()
        )));
    }
    let header = BlockHeader {
        hash: block.hash,
        header: block.header.clone(),
    };
    let l1 = L1Costs::of(spec, block, &transactions)?;
    let (mut gas, mut logs) = (0, 0);
    let mut all = Vec::with_capacity(receipts.len());
    for (index, (transaction, receipt)) in transactions.iter().zip(receipts).enumerate() {
        let mut fields = fields(&header, index, transaction, receipt, logs);
        let used = receipt.cumulative_gas_used().saturating_sub(gas);
        fields.insert("gasUsed".to_owned(), quantity(used));
        if !transaction.value().is_deposit() {
            match &l1 {
                Some(l1) => l1.put(&mut fields, transaction.encoded_bytes()),
                None => {
                    for name in ["l1GasPrice", "l1GasUsed", "l1Fee"] {
                        fields.insert(name.to_owned(), Value::Null);
                    }
                }
            }
        }
        all.push(Value::Object(fields));
        gas = receipt.cumulative_gas_used();
        logs += receipt.logs().len();
    }
    Ok(all)
}

/// What does not come from L1's fees. `first_log` is the position in the block of its first log.
fn fields(
    block: &BlockHeader,
    index: usize,
    transaction: &BlockTransaction,
    receipt: &OpReceiptEnvelope,
    first_log: usize,
) -> Map<String, Value> {
    let recovered = transaction.value();
    let hash = keccak256(transaction.encoded_bytes());
    let place = |offset| LogPlace {
        block,
        transaction: hash,
        transaction_index: index,
        index: first_log + offset,
        removed: false,
    };
    let logs: Vec<_> = receipt
        .logs()
        .iter()
        .enumerate()
        .map(|(offset, log)| block_json::log(log, place(offset)))
        .collect();
    let price = effective_gas_price(recovered.inner(), block.header.base_fee_per_gas);
    let mut fields = Map::new();
    let mut put = |name: &str, value| fields.insert(name.to_owned(), value);
    put("blockHash", json!(block.hash));
    put("blockNumber", quantity(block.header.number));
    put("transactionHash", json!(hash));
    put("transactionIndex", quantity(index));
    put("from", json!(recovered.signer()));
    put("to", json!(recovered.to()));
    put("cumulativeGasUsed", quantity(receipt.cumulative_gas_used()));
    put("contractAddress", json!(created(transaction, receipt)));
    put("logs", Value::Array(logs));
    put("logsBloom", json!(receipt.bloom()));
    put("type", quantity(recovered.ty()));
    put("effectiveGasPrice", quantity(price));
    put("status", quantity(u8::from(receipt.status())));
    if let Some(nonce) = receipt.deposit_nonce() {
        put("depositNonce", quantity(nonce));
        if let Some(version) = receipt.deposit_receipt_version() {
            put("depositReceiptVersion", quantity(version));
        }
    }
    fields
}

/// What a block's transactions pay for L1, by the L1-info transaction of the block.
// spec: opstack 3.11
#[derive(Clone, Copy, Debug)]
struct L1Costs {
    info: L1BlockInfo,
    layout: L1InfoLayout,
    /// Before Regolith, the bytes of a signature were added.
    regolith: bool,
    /// From Fjord on, the size that counts is an estimate of the compressed one.
    fjord: bool,
    jovian: bool,
}

impl L1Costs {
    /// None if the block has no transactions of users.
    fn of(
        spec: &ChainSpec,
        block: &StoredBlock,
        transactions: &[BlockTransaction],
    ) -> Result<Option<Self>, RpcError> {
        let is_user = |transaction: &BlockTransaction| transaction.value().ty() != DEPOSIT_TX_TYPE;
        let (Some(first), Some(last)) = (transactions.first(), transactions.last()) else {
            return Ok(None);
        };
        if !is_user(last) || is_user(first) {
            return Ok(None);
        }
        // in the block that activates a fork, the layout is still that of the fork before
        let input = first.value().input();
        let layout = L1InfoLayout::ALL
            .into_iter()
            .find(|layout| input.starts_with(&layout.selector()))
            .ok_or_else(|| RpcError::internal("the first transaction is not the L1 info"))?;
        let info = L1BlockInfo::decode(layout, input)
            .map_err(|error| RpcError::internal(error.to_string()))?;
        let active = |fork| spec.active(fork, block.header.timestamp);
        Ok(Some(Self {
            info,
            layout,
            regolith: active(Fork::Regolith),
            fjord: active(Fork::Fjord),
            jovian: active(Fork::Jovian),
        }))
    }

    /// Gas of a transaction's data on L1, as calldata.
    fn calldata_gas(&self, transaction: &[u8]) -> U256 {
        let zeros = transaction.iter().filter(|byte| **byte == 0).count();
        let mut others = transaction.len() - zeros;
        if !self.regolith {
            others += 68;
        }
        U256::from(zeros) * U256::from(4) + U256::from(others) * U256::from(16)
    }

    /// The fee in wei, and the gas on L1 that it is for.
    fn fee(&self, transaction: &[u8]) -> (U256, U256) {
        let info = &self.info;
        if self.layout == L1InfoLayout::Bedrock {
            let overhead = U256::from_be_bytes(info.l1_fee_overhead.0);
            let scalar = U256::from_be_bytes(info.l1_fee_scalar.0);
            let gas = self.calldata_gas(transaction).saturating_add(overhead);
            let fee = gas.saturating_mul(info.base_fee).saturating_mul(scalar);
            return (fee / U256::from(1_000_000), gas);
        }
        let calldata = info.base_fee.saturating_mul(U256::from(16));
        let calldata = calldata.saturating_mul(U256::from(info.base_fee_scalar));
        let blobs = info
            .blob_base_fee
            .saturating_mul(U256::from(info.blob_base_fee_scalar));
        let per_byte = calldata.saturating_add(blobs);
        if self.fjord {
            let size = U256::from(estimate_tx_compressed_size(transaction));
            let fee = size.saturating_mul(per_byte) / U256::from(1_000_000_000_000_u64);
            return (fee, size * U256::from(16) / U256::from(1_000_000));
        }
        let gas = self.calldata_gas(transaction);
        (gas.saturating_mul(per_byte) / U256::from(16_000_000), gas)
    }

    fn put(&self, fields: &mut Map<String, Value>, transaction: &[u8]) {
        let info = &self.info;
        let mut put = |name: &str, value| fields.insert(name.to_owned(), value);
        let (fee, gas) = self.fee(transaction);
        put("l1Fee", quantity(fee));
        put("l1GasUsed", quantity(gas));
        put("l1GasPrice", quantity(info.base_fee));
        if self.layout == L1InfoLayout::Bedrock {
            let scalar = U256::from_be_bytes(info.l1_fee_scalar.0);
            put("l1FeeScalar", json!(millionths(scalar)));
            return;
        }
        put("l1BlobBaseFee", quantity(info.blob_base_fee));
        put("l1BaseFeeScalar", quantity(info.base_fee_scalar));
        put("l1BlobBaseFeeScalar", quantity(info.blob_base_fee_scalar));
        if (info.operator_fee_scalar, info.operator_fee_constant) != (0, 0) {
            put("operatorFeeScalar", quantity(info.operator_fee_scalar));
            put("operatorFeeConstant", quantity(info.operator_fee_constant));
        }
        if self.jovian {
            let scalar = u64::from(info.da_footprint_gas_scalar);
            let size = estimate_tx_compressed_size(transaction) / 1_000_000;
            put("daFootprintGasScalar", quantity(scalar));
            put("blobGasUsed", quantity(scalar.saturating_mul(size)));
        }
    }
}

/// A number of millionths in decimal, as Go prints a big float: ten significant digits at most, and
/// an exponent for what is below a ten thousandth or has more than ten digits before the point.
fn millionths(value: U256) -> String {
    let value = f64::from(value) / 1e6;
    let scientific = format!("{value:.9e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..10).contains(&exponent) {
        let decimals = usize::try_from(9 - exponent).unwrap_or_default();
        return without_zeros(&format!("{value:.decimals$}")).to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    let mantissa = without_zeros(mantissa);
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

/// A decimal without the zeros that end its fraction.
fn without_zeros(decimal: &str) -> &str {
    if decimal.contains('.') {
        decimal.trim_end_matches('0').trim_end_matches('.')
    } else {
        decimal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_printed_as_go_prints_big_floats() {
        // (&big.Float).String() of n / 1e6
        for (scalar, expected) in [
            (0_u64, "0"),
            (1, "1e-06"),
            (100, "0.0001"),
            (684_000, "0.684"),
            (1_000_000, "1"),
            (1_500_000, "1.5"),
            (1_234_567_891_234, "1234567.891"),
            (1_000_000_000_000, "1000000"),
            (12_345_678_901_234_567, "1.23456789e+10"),
        ] {
            assert_eq!(millionths(U256::from(scalar)), expected);
        }
    }
}
