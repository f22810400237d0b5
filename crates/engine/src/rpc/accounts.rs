//! `eth_*`: accounts and their proofs, at any block.

use super::{
    chain::Chain,
    methods::{Method, method},
};
use crate::{state::StateAt, store::BranchOf};
use alloy_eips::BlockId;
use alloy_primitives::{Address, B256, U256, hex};
use alloy_trie::{KECCAK_EMPTY, TrieAccount};
use doppio_rpc::{Params, RpcError, quantity};
use serde_json::{Value, json};

pub(super) const METHODS: &[Method] = &[
    method("eth_getBalance", 2, balance),
    method("eth_getTransactionCount", 2, nonce),
    method("eth_getCode", 2, code),
    method("eth_getStorageAt", 3, storage),
    method("eth_getProof", 3, proof),
];

/// Reads an account of the state that the next argument names.
fn read(
    chain: &Chain<'_>,
    params: &mut Params,
    address: Address,
    make: impl FnOnce(&StateAt<BranchOf>, Option<TrieAccount>) -> Result<Value, RpcError>,
) -> Result<Value, RpcError> {
    let block = chain.state_of(params.required::<BlockId>()?)?;
    let state = chain.state(&block);
    let account = state.account(address)?;
    make(&state, account)
}

fn balance(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let address = params.required()?;
    read(&chain, params, address, |_, account| {
        Ok(quantity(
            account.map_or(U256::ZERO, |account| account.balance),
        ))
    })
}

fn nonce(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let address = params.required()?;
    if params.peek() == Some(&json!("pending"))
        && let Some(nonce) = chain.view.pool().next_nonce(address)
    {
        return Ok(quantity(nonce));
    }
    read(&chain, params, address, |_, account| {
        Ok(quantity(account.map_or(0, |account| account.nonce)))
    })
}

fn code(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let address = params.required()?;
    read(&chain, params, address, |state, account| {
        let hash = account.map_or(KECCAK_EMPTY, |account| account.code_hash);
        Ok(json!(state.code(hash)?))
    })
}

fn storage(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let address = params.required()?;
    let (slot, _) = slot(&params.required::<String>()?)?;
    read(&chain, params, address, |state, _| {
        let value = state.storage(address, slot)?;
        Ok(json!(B256::from(value)))
    })
}

/// A storage slot, which may be written as a number or as a word, and the bytes that it was written
/// with.
fn slot(text: &str) -> Result<(U256, usize), RpcError> {
    let wrong = |what| RpcError::invalid_params(format!("{what}: {text:?}"));
    let digits = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))
        .unwrap_or(text);
    if digits.len() > 64 {
        return Err(wrong("storage key too long (want at most 32 bytes)"));
    }
    let padded = format!("{digits:0>64}");
    let mut word = [0; 32];
    hex::decode_to_slice(&padded, &mut word).map_err(|_| wrong("invalid hex in storage key"))?;
    Ok((U256::from_be_bytes(word), digits.len().div_ceil(2)))
}

fn proof(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let address: Address = params.required()?;
    let keys: Vec<String> = params.required()?;
    let most = chain.settings.max_proof_keys;
    if keys.len() > most {
        return Err(RpcError::invalid_params(format!(
            "too many storage keys requested (max {most}, got {})",
            keys.len()
        )));
    }
    let slots = keys
        .iter()
        .map(|key| slot(key))
        .collect::<Result<Vec<_>, _>>()?;
    let block = chain.state_of(params.required::<BlockId>()?)?;
    let state = chain.state(&block);
    let account = state.account(address)?;
    let mut storage = Vec::with_capacity(slots.len());
    for (slot, length) in slots {
        // a key that was given as a word is given back as one
        let key = if length == 32 {
            json!(B256::from(slot))
        } else {
            quantity(slot)
        };
        storage.push(json!({
            "key": key,
            "value": quantity(state.storage(address, slot)?),
            "proof": state.prove_storage(address, slot)?,
        }));
    }
    // geth has zeros for an account that is not there
    let hash = |found: Option<B256>| json!(found.unwrap_or_default());
    Ok(json!({
        "address": address,
        "accountProof": state.prove_account(address)?,
        "balance": quantity(account.map_or(U256::ZERO, |account| account.balance)),
        "codeHash": hash(account.map(|account| account.code_hash)),
        "nonce": quantity(account.map_or(0, |account| account.nonce)),
        "storageHash": hash(account.map(|account| account.storage_root)),
        "storageProof": storage,
    }))
}
