//! Headers, blocks, transactions and logs as op-geth prints them.

use super::chain::{BlockHeader, StoredBlock};
use crate::transaction::BlockTransaction;
use alloy_consensus::{Header, Transaction, Typed2718};
use alloy_primitives::{Address, B256, Log, Signature, U256};
use doppio_rpc::quantity;
use op_alloy_consensus::{OpReceiptEnvelope, OpTxEnvelope};
use serde_json::{Map, Value, json};

/// A header's fields.
pub(crate) fn header(block: &BlockHeader) -> Map<String, Value> {
    fields(block.hash, &block.header)
}

fn fields(hash: B256, header: &Header) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut put = |name: &str, value| fields.insert(name.to_owned(), value);
    put("number", quantity(header.number));
    put("hash", json!(hash));
    put("parentHash", json!(header.parent_hash));
    put("nonce", json!(header.nonce));
    put("mixHash", json!(header.mix_hash));
    put("sha3Uncles", json!(header.ommers_hash));
    put("logsBloom", json!(header.logs_bloom));
    put("stateRoot", json!(header.state_root));
    put("miner", json!(header.beneficiary));
    put("difficulty", quantity(header.difficulty));
    put("extraData", json!(header.extra_data));
    put("gasLimit", quantity(header.gas_limit));
    put("gasUsed", quantity(header.gas_used));
    put("timestamp", quantity(header.timestamp));
    put("transactionsRoot", json!(header.transactions_root));
    put("receiptsRoot", json!(header.receipts_root));
    for (name, value) in [
        ("baseFeePerGas", header.base_fee_per_gas),
        ("blobGasUsed", header.blob_gas_used),
        ("excessBlobGas", header.excess_blob_gas),
    ] {
        if let Some(value) = value {
            put(name, quantity(value));
        }
    }
    for (name, value) in [
        ("withdrawalsRoot", header.withdrawals_root),
        ("parentBeaconBlockRoot", header.parent_beacon_block_root),
        ("requestsHash", header.requests_hash),
    ] {
        if let Some(value) = value {
            put(name, json!(value));
        }
    }
    fields
}

/// A block with these transactions: their hashes, or they themselves.
pub(crate) fn block(block: &StoredBlock, transactions: Vec<Value>) -> Value {
    let mut fields = fields(block.hash, &block.header);
    fields.insert("size".to_owned(), quantity(block.rlp().len()));
    fields.insert("uncles".to_owned(), json!([]));
    fields.insert("transactions".to_owned(), Value::Array(transactions));
    if block.header.withdrawals_root.is_some() {
        fields.insert("withdrawals".to_owned(), json!([]));
    }
    Value::Object(fields)
}

/// What a transaction pays for a unit of gas, in wei.
pub(crate) fn effective_gas_price(transaction: &OpTxEnvelope, base_fee: Option<u64>) -> u128 {
    if transaction.is_deposit() {
        return 0;
    }
    transaction.effective_gas_price(base_fee)
}

/// A transaction of a block; `receipt` is looked at for a deposit's nonce.
pub(crate) fn transaction(
    block: &StoredBlock,
    index: usize,
    transaction: &BlockTransaction,
    receipt: Option<&OpReceiptEnvelope>,
) -> Value {
    let price = effective_gas_price(transaction.value().inner(), block.header.base_fee_per_gas);
    let mut fields = transaction_fields(transaction, price, receipt);
    for (name, value) in [
        ("blockHash", json!(block.hash)),
        ("blockNumber", quantity(block.header.number)),
        ("blockTimestamp", quantity(block.header.timestamp)),
        ("transactionIndex", quantity(index)),
    ] {
        fields.insert(name.to_owned(), value);
    }
    Value::Object(fields)
}

/// A transaction that is in no block yet.
pub(crate) fn pending(transaction: &BlockTransaction) -> Value {
    let price = transaction.value().max_fee_per_gas();
    let mut fields = transaction_fields(transaction, price, None);
    for name in [
        "blockHash",
        "blockNumber",
        "blockTimestamp",
        "transactionIndex",
    ] {
        fields.insert(name.to_owned(), Value::Null);
    }
    Value::Object(fields)
}

fn transaction_fields(
    transaction: &BlockTransaction,
    gas_price: u128,
    receipt: Option<&OpReceiptEnvelope>,
) -> Map<String, Value> {
    let recovered = transaction.value();
    let envelope = recovered.inner();
    let mut fields = Map::new();
    let mut put = |name: &str, value| fields.insert(name.to_owned(), value);
    put("type", quantity(envelope.ty()));
    put("hash", json!(envelope.tx_hash()));
    put("from", json!(recovered.signer()));
    put("to", json!(envelope.to()));
    put("nonce", quantity(envelope.nonce()));
    put("gas", quantity(envelope.gas_limit()));
    put("value", quantity(envelope.value()));
    put("input", json!(envelope.input()));
    put("gasPrice", quantity(gas_price));
    if let OpTxEnvelope::Deposit(deposit) = envelope {
        put("sourceHash", json!(deposit.source_hash));
        put("mint", quantity(deposit.mint));
        if deposit.is_system_transaction {
            put("isSystemTx", json!(true));
        }
        for name in ["v", "r", "s"] {
            put(name, quantity(0));
        }
        if let Some(nonce) = receipt.and_then(OpReceiptEnvelope::deposit_nonce) {
            put("nonce", quantity(nonce));
            if let Some(version) = receipt.and_then(OpReceiptEnvelope::deposit_receipt_version) {
                put("depositReceiptVersion", quantity(version));
            }
        }
        return fields;
    }
    if let Some(chain_id) = envelope.chain_id() {
        put("chainId", quantity(chain_id));
    }
    if let Some(list) = envelope.access_list() {
        put("accessList", json!(list));
    }
    if let Some(list) = envelope.authorization_list() {
        put("authorizationList", json!(list));
    }
    if let Some(tip) = envelope.max_priority_fee_per_gas() {
        put("maxPriorityFeePerGas", quantity(tip));
        put("maxFeePerGas", quantity(envelope.max_fee_per_gas()));
    }
    if let Some(signature) = signature(envelope) {
        let parity = u64::from(signature.v());
        let v = match envelope {
            OpTxEnvelope::Legacy(_) => match envelope.chain_id() {
                Some(chain_id) => U256::from(chain_id) * U256::from(2) + U256::from(35 + parity),
                None => U256::from(27 + parity),
            },
            _ => {
                put("yParity", quantity(parity));
                U256::from(parity)
            }
        };
        put("v", quantity(v));
        put("r", quantity(signature.r()));
        put("s", quantity(signature.s()));
    }
    fields
}

const fn signature(transaction: &OpTxEnvelope) -> Option<&Signature> {
    match transaction {
        OpTxEnvelope::Legacy(signed) => Some(signed.signature()),
        OpTxEnvelope::Eip2930(signed) => Some(signed.signature()),
        OpTxEnvelope::Eip1559(signed) => Some(signed.signature()),
        OpTxEnvelope::Eip7702(signed) => Some(signed.signature()),
        OpTxEnvelope::Deposit(_) | OpTxEnvelope::PostExec(_) => None,
    }
}

/// Where a log is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogPlace<'a> {
    pub(crate) block: &'a BlockHeader,
    pub(crate) transaction: B256,
    pub(crate) transaction_index: usize,
    /// Position among all logs of the block.
    pub(crate) index: usize,
    /// Whether its block is canonical no more.
    pub(crate) removed: bool,
}

/// A log.
pub(crate) fn log(log: &Log, place: LogPlace<'_>) -> Value {
    json!({
        "address": log.address,
        "topics": log.topics(),
        "data": log.data.data,
        "blockNumber": quantity(place.block.header.number),
        "blockHash": place.block.hash,
        "blockTimestamp": quantity(place.block.header.timestamp),
        "transactionHash": place.transaction,
        "transactionIndex": quantity(place.transaction_index),
        "logIndex": quantity(place.index),
        "removed": place.removed,
    })
}

/// The contract that a transaction creates; none if it calls.
pub(crate) fn created(
    transaction: &BlockTransaction,
    receipt: &OpReceiptEnvelope,
) -> Option<Address> {
    let recovered = transaction.value();
    if recovered.to().is_some() {
        return None;
    }
    let nonce = receipt.deposit_nonce().unwrap_or_else(|| recovered.nonce());
    Some(recovered.signer().create(nonce))
}
