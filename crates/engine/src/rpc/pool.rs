//! `eth_sendRawTransaction`, `txpool_*`, `miner_*`.

use super::{
    block_json,
    chain::Chain,
    methods::{Method, method},
};
use crate::pool::{PoolError, PooledTransaction};
use alloy_consensus::Transaction;
use alloy_primitives::{Address, Bytes, U256};
use doppio_rpc::{Params, Quantity, Quantity64, RpcError, quantity};
use serde_json::{Map, Value, json};
use std::sync::Arc;

pub(super) const METHODS: &[Method] = &[
    method("eth_sendRawTransaction", 1, send),
    method("txpool_content", 0, content),
    method("txpool_contentFrom", 1, content_from),
    method("txpool_inspect", 0, inspect),
    method("txpool_status", 0, status),
    method("miner_setMaxDASize", 2, set_max_da_size),
    method("miner_setGasLimit", 1, set_gas_limit),
    method("miner_setGasPrice", 1, set_gas_price),
];

impl From<PoolError> for RpcError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::State(error) => error.into(),
            error => Self::failed(error.to_string()),
        }
    }
}

/// Whoever sets absurd fees is kept from losing them.
fn check_fee(chain: &Chain<'_>, transaction: &PooledTransaction) -> Result<(), RpcError> {
    let fee = U256::from(transaction.fee_cap()).saturating_mul(U256::from(transaction.gas_limit()));
    let cap = chain.settings.tx_fee_cap;
    if !cap.is_zero() && fee > cap {
        return Err(RpcError::failed(format!(
            "tx fee ({fee} wei) exceeds the configured cap ({cap} wei)"
        )));
    }
    Ok(())
}

fn send(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let bytes: Bytes = params.required()?;
    let transaction = PooledTransaction::decode(bytes)?;
    check_fee(&chain, &transaction)?;
    let hash = chain.view.add_transaction(transaction)?;
    Ok(json!(hash))
}

/// The pool by account and nonce, each transaction as `show` prints it.
fn listing(chain: &Chain<'_>, show: impl Fn(&PooledTransaction) -> Value + Copy) -> Value {
    let (mut pending, mut queued) = (Map::new(), Map::new());
    let pool = chain.view.pool();
    for account in pool.accounts() {
        let (ready, waiting) = pool.of(account);
        for (list, transactions) in [(&mut pending, ready), (&mut queued, waiting)] {
            if !transactions.is_empty() {
                list.insert(account.to_string(), by_nonce(&transactions, show));
            }
        }
    }
    json!({ "pending": pending, "queued": queued })
}

fn by_nonce(
    transactions: &[Arc<PooledTransaction>],
    show: impl Fn(&PooledTransaction) -> Value,
) -> Value {
    transactions
        .iter()
        .map(|transaction| (transaction.nonce().to_string(), show(transaction)))
        .collect()
}

fn whole(transaction: &PooledTransaction) -> Value {
    block_json::pending(transaction.transaction())
}

fn content(chain: Chain<'_>, _: &mut Params) -> Result<Value, RpcError> {
    Ok(listing(&chain, whole))
}

fn content_from(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let account: Address = params.required()?;
    let (ready, waiting) = chain.view.pool().of(account);
    Ok(json!({
        "pending": by_nonce(&ready, whole),
        "queued": by_nonce(&waiting, whole),
    }))
}

fn inspect(chain: Chain<'_>, _: &mut Params) -> Result<Value, RpcError> {
    Ok(listing(&chain, |transaction| {
        let fields = transaction.transaction().value();
        let to = fields
            .to()
            .map_or_else(|| "contract creation".to_owned(), |to| to.to_string());
        json!(format!(
            "{to}: {} wei + {} gas × {} wei",
            fields.value(),
            transaction.gas_limit(),
            transaction.fee_cap()
        ))
    }))
}

fn status(chain: Chain<'_>, _: &mut Params) -> Result<Value, RpcError> {
    let pool = chain.view.pool();
    let ready = pool.ready();
    Ok(json!({
        "pending": quantity(ready),
        "queued": quantity(pool.len() - ready),
    }))
}

fn limit(Quantity(value): Quantity) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

// spec: opstack 4.7
fn set_max_da_size(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let transaction = limit(params.required()?);
    let block = limit(params.required()?);
    let mut building = chain.view.building();
    building.max_da_transaction = transaction;
    building.max_da_block = block;
    Ok(json!(true))
}

fn set_gas_limit(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let Quantity64(gas) = params.required()?;
    chain.view.building().gas_ceiling = gas;
    Ok(json!(true))
}

fn set_gas_price(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let Quantity(tip) = params.required()?;
    chain.view.building().min_tip = u128::try_from(tip).unwrap_or(u128::MAX);
    Ok(json!(true))
}
