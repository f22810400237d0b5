//! `eth_*`: blocks, transactions, receipts.

use super::{
    block_json,
    chain::{BlockHeader, Chain, StoredBlock},
    methods::{Method, method},
    receipt_json,
};
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{B256, Bytes, keccak256};
use doppio_rpc::{Params, Quantity64, RpcError, quantity};
use serde_json::{Value, json};

pub(super) const METHODS: &[Method] = &[
    method("eth_blockNumber", 0, block_number),
    method("eth_getBlockByNumber", 2, block_by_number),
    method("eth_getBlockByHash", 2, block_by_hash),
    method("eth_getHeaderByNumber", 1, header_by_number),
    method("eth_getHeaderByHash", 1, header_by_hash),
    method("eth_getBlockReceipts", 1, block_receipts),
    method("eth_getBlockTransactionCountByNumber", 1, count_by_number),
    method("eth_getBlockTransactionCountByHash", 1, count_by_hash),
    method("eth_getUncleCountByBlockNumber", 1, uncles_by_number),
    method("eth_getUncleCountByBlockHash", 1, uncles_by_hash),
    method("eth_getTransactionByHash", 1, transaction_by_hash),
    method(
        "eth_getTransactionByBlockNumberAndIndex",
        2,
        by_number_and_index,
    ),
    method(
        "eth_getTransactionByBlockHashAndIndex",
        2,
        by_hash_and_index,
    ),
    method("eth_getRawTransactionByHash", 1, raw_transaction_by_hash),
    method(
        "eth_getRawTransactionByBlockNumberAndIndex",
        2,
        raw_by_number_and_index,
    ),
    method(
        "eth_getRawTransactionByBlockHashAndIndex",
        2,
        raw_by_hash_and_index,
    ),
    method("eth_getTransactionReceipt", 1, transaction_receipt),
];

fn block_number(chain: Chain<'_>, _: &mut Params) -> Result<Value, RpcError> {
    Ok(quantity(chain.head()?.header.number))
}

/// The block that the first argument numbers.
fn numbered(chain: &Chain<'_>, params: &mut Params) -> Result<Option<BlockHeader>, RpcError> {
    chain.by_number(params.required::<BlockNumberOrTag>()?)
}

/// The block whose hash the first argument is.
fn hashed(chain: &Chain<'_>, params: &mut Params) -> Result<Option<BlockHeader>, RpcError> {
    chain.by_hash(params.required::<B256>()?)
}

/// What `make` makes of a block; null if there is no block.
fn or_null(
    chain: &Chain<'_>,
    found: Option<BlockHeader>,
    make: impl FnOnce(StoredBlock) -> Result<Value, RpcError>,
) -> Result<Value, RpcError> {
    match found {
        None => Ok(Value::Null),
        Some(found) => make(chain.block(found)?),
    }
}

fn block(
    chain: &Chain<'_>,
    found: Option<BlockHeader>,
    params: &mut Params,
) -> Result<Value, RpcError> {
    let full: bool = params.required()?;
    or_null(chain, found, |block| {
        let transactions = if full {
            let receipts = chain.receipts(block.hash)?;
            let transactions = block.decode()?.into_iter().enumerate();
            transactions
                .map(|(index, transaction)| {
                    block_json::transaction(&block, index, &transaction, receipts.get(index))
                })
                .collect()
        } else {
            let transactions = block.transactions.iter();
            transactions.map(|bytes| json!(keccak256(bytes))).collect()
        };
        Ok(block_json::block(&block, transactions))
    })
}

fn block_by_number(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let found = numbered(&chain, params)?;
    block(&chain, found, params)
}

fn block_by_hash(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let found = hashed(&chain, params)?;
    block(&chain, found, params)
}

fn header(found: Option<BlockHeader>) -> Value {
    found.map_or(Value::Null, |block| {
        Value::Object(block_json::header(&block))
    })
}

fn header_by_number(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    numbered(&chain, params).map(header)
}

fn header_by_hash(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    hashed(&chain, params).map(header)
}

fn block_receipts(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let found = chain.find(params.required::<BlockId>()?)?;
    or_null(&chain, found, |block| {
        let receipts = chain.receipts(block.hash)?;
        receipt_json::receipts(chain.view.spec(), &block, &receipts).map(Value::Array)
    })
}

fn count(chain: &Chain<'_>, found: Option<BlockHeader>) -> Result<Value, RpcError> {
    or_null(chain, found, |block| Ok(quantity(block.transactions.len())))
}

fn count_by_number(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let found = numbered(&chain, params)?;
    count(&chain, found)
}

fn count_by_hash(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let found = hashed(&chain, params)?;
    count(&chain, found)
}

fn uncles(found: Option<BlockHeader>) -> Value {
    found.map_or(Value::Null, |_| quantity(0))
}

fn uncles_by_number(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    numbered(&chain, params).map(uncles)
}

fn uncles_by_hash(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    hashed(&chain, params).map(uncles)
}

/// A transaction of a block; null if the block has no such one.
fn transaction(chain: &Chain<'_>, block: &StoredBlock, index: usize) -> Result<Value, RpcError> {
    let receipts = chain.receipts(block.hash)?;
    Ok(block.decode()?.get(index).map_or(Value::Null, |found| {
        block_json::transaction(block, index, found, receipts.get(index))
    }))
}

fn transaction_by_hash(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let hash = params.required()?;
    if let Some((block, index)) = chain.transaction(hash)? {
        return transaction(&chain, &block, index);
    }
    let pool = chain.view.pool();
    Ok(pool.get(hash).map_or(Value::Null, |pooled| {
        block_json::pending(pooled.transaction())
    }))
}

/// Bytes that are not there; geth does not say null here.
pub(super) fn no_bytes() -> Value {
    json!("0x")
}

fn raw_transaction(block: &StoredBlock, index: usize) -> Value {
    block
        .transactions
        .get(index)
        .map_or_else(no_bytes, |bytes| json!(bytes))
}

/// The transaction of a hash, as it is encoded.
pub(super) fn raw_transaction_by_hash(
    chain: Chain<'_>,
    params: &mut Params,
) -> Result<Value, RpcError> {
    let hash = params.required()?;
    if let Some((block, index)) = chain.transaction(hash)? {
        return Ok(raw_transaction(&block, index));
    }
    let pool = chain.view.pool();
    Ok(pool
        .get(hash)
        .map_or_else(no_bytes, |transaction| json!(transaction.bytes())))
}

fn index(params: &mut Params) -> Result<usize, RpcError> {
    let Quantity64(index) = params.required()?;
    Ok(usize::try_from(index).unwrap_or(usize::MAX))
}

fn by_number_and_index(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let (found, index) = (numbered(&chain, params)?, index(params)?);
    or_null(&chain, found, |block| transaction(&chain, &block, index))
}

fn by_hash_and_index(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let (found, index) = (hashed(&chain, params)?, index(params)?);
    or_null(&chain, found, |block| transaction(&chain, &block, index))
}

fn raw_by_number_and_index(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let (found, index) = (numbered(&chain, params)?, index(params)?);
    match found {
        None => Ok(no_bytes()),
        Some(found) => Ok(raw_transaction(&chain.block(found)?, index)),
    }
}

fn raw_by_hash_and_index(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let (found, index) = (hashed(&chain, params)?, index(params)?);
    match found {
        None => Ok(no_bytes()),
        Some(found) => Ok(raw_transaction(&chain.block(found)?, index)),
    }
}

fn transaction_receipt(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let Some((block, index)) = chain.transaction(params.required()?)? else {
        return Ok(Value::Null);
    };
    let receipts = chain.receipts(block.hash)?;
    let mut receipts = receipt_json::receipts(chain.view.spec(), &block, &receipts)?;
    Ok(if index < receipts.len() {
        receipts.swap_remove(index)
    } else {
        Value::Null
    })
}

/// The RLP of a block that is asked for.
pub(super) fn raw_block(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let found = chain.find(params.required::<BlockId>()?)?;
    match found {
        None => Ok(no_bytes()),
        Some(found) => Ok(json!(Bytes::from(chain.block(found)?.rlp()))),
    }
}
