//! `debug_*`, `net_*`, `web3_*`: raw data, and what this node is.

use super::{
    blocks::{no_bytes, raw_block, raw_transaction_by_hash},
    chain::Chain,
    methods::{Method, method},
};
use crate::block::encode_receipt;
use alloy_eips::BlockId;
use alloy_primitives::{Bytes, keccak256};
use doppio_rpc::{Params, RpcError, quantity};
use serde_json::{Value, json};

pub(super) const METHODS: &[Method] = &[
    method("eth_chainId", 0, chain_id),
    method("eth_syncing", 0, syncing),
    method("eth_accounts", 0, accounts),
    method("debug_getRawHeader", 1, raw_header),
    method("debug_getRawBlock", 1, raw_block),
    method("debug_getRawReceipts", 1, raw_receipts),
    method("debug_getRawTransaction", 1, raw_transaction_by_hash),
    method("debug_chainConfig", 0, chain_config),
    method("net_version", 0, net_version),
    method("net_listening", 0, net_listening),
    method("net_peerCount", 0, net_peer_count),
    method("web3_clientVersion", 0, client_version),
    method("web3_sha3", 1, sha3),
];

fn chain_id(chain: Chain<'_>, _: &mut Params) -> Result<Value, RpcError> {
    Ok(quantity(chain.view.spec().chain_id))
}

/// Blocks come from the rollup node alone: the engine itself never catches up with anybody.
fn syncing(_: Chain<'_>, _: &mut Params) -> Result<Value, RpcError> {
    Ok(json!(false))
}

fn accounts(_: Chain<'_>, _: &mut Params) -> Result<Value, RpcError> {
    Ok(json!([]))
}

fn raw_header(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let found = chain.find(params.required::<BlockId>()?)?;
    Ok(found.map_or_else(no_bytes, |block| {
        json!(Bytes::from(alloy_rlp::encode(&block.header)))
    }))
}

fn raw_receipts(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let Some(block) = chain.find(params.required::<BlockId>()?)? else {
        return Ok(Value::Null);
    };
    let receipts = chain.receipts(block.hash)?;
    Ok(receipts
        .iter()
        .map(encode_receipt)
        .collect::<Vec<_>>()
        .into_iter()
        .map(|bytes| json!(bytes))
        .collect())
}

fn chain_config(chain: Chain<'_>, _: &mut Params) -> Result<Value, RpcError> {
    Ok(chain.settings.chain_config.clone())
}

fn net_version(chain: Chain<'_>, _: &mut Params) -> Result<Value, RpcError> {
    Ok(json!(chain.view.spec().chain_id.to_string()))
}

fn net_listening(_: Chain<'_>, _: &mut Params) -> Result<Value, RpcError> {
    Ok(json!(true))
}

fn net_peer_count(_: Chain<'_>, _: &mut Params) -> Result<Value, RpcError> {
    Ok(quantity(0))
}

fn client_version(_: Chain<'_>, _: &mut Params) -> Result<Value, RpcError> {
    let version = env!("CARGO_PKG_VERSION");
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    Ok(json!(format!("doppio/v{version}/{os}-{arch}")))
}

fn sha3(_: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    Ok(json!(keccak256(params.required::<Bytes>()?)))
}
