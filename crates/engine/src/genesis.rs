//! The first block, from op-geth's genesis.json.

use crate::{
    chain_spec::{ChainSpec, ChainSpecError, ConfigJson},
    trie::{self, Leaf, NO_PLACE, NewNode, Node, NodeSource, Root, SourceError, TrieError},
};
use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header};
use alloy_eips::{eip1559::INITIAL_BASE_FEE, eip7685::EMPTY_REQUESTS_HASH};
use alloy_primitives::{Address, B64, B256, Bytes, U64, U256, keccak256};
use alloy_trie::{EMPTY_ROOT_HASH, KECCAK_EMPTY, TrieAccount};
use doppio_protocol::{config::Fork, output::L2_TO_L1_MESSAGE_PASSER};
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc};
use thiserror::Error;

/// Why a genesis.json is refused.
#[derive(Debug, Error)]
pub enum GenesisError {
    /// Not a genesis.json.
    #[error("genesis.json cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// Not a chain that can be executed.
    #[error(transparent)]
    Chain(#[from] ChainSpecError),
    /// No configuration of the chain.
    #[error("genesis.json has no config")]
    NoConfig,
    /// Neither accounts nor the root of a state.
    #[error("genesis.json has neither alloc nor stateHash")]
    NoState,
    /// Accounts and the root of a state.
    #[error("genesis.json has both accounts in alloc and a stateHash")]
    TwoStates,
    /// An account's key is no address.
    #[error("genesis.json: {0} in alloc is no address")]
    Account(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GenesisJson {
    config: Option<ConfigJson>,
    #[serde(default)]
    nonce: U64,
    #[serde(default)]
    timestamp: U64,
    #[serde(default)]
    extra_data: Bytes,
    gas_limit: U64,
    #[serde(default)]
    difficulty: U256,
    #[serde(default)]
    mix_hash: B256,
    #[serde(default)]
    coinbase: Address,
    #[serde(default)]
    number: U64,
    #[serde(default)]
    gas_used: U64,
    #[serde(default)]
    parent_hash: B256,
    base_fee_per_gas: Option<U256>,
    excess_blob_gas: Option<U64>,
    blob_gas_used: Option<U64>,
    alloc: Option<BTreeMap<String, AccountJson>>,
    state_hash: Option<B256>,
}

/// An account of `alloc`.
#[derive(Clone, Debug, Default, Deserialize)]
struct AccountJson {
    #[serde(default)]
    balance: U256,
    #[serde(default)]
    nonce: U64,
    #[serde(default)]
    code: Bytes,
    #[serde(default)]
    storage: BTreeMap<Word, Word>,
}

/// A slot or its value. Leading zero bytes may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "Bytes")]
struct Word(B256);

impl TryFrom<Bytes> for Word {
    type Error = String;

    fn try_from(bytes: Bytes) -> Result<Self, String> {
        if bytes.len() > 32 {
            return Err(format!("{bytes} is longer than 32 bytes"));
        }
        Ok(Self(B256::left_padding_from(&bytes)))
    }
}

/// Gas limit of a genesis.json that says 0.
const DEFAULT_GAS_LIMIT: u64 = 4_712_388;

/// A chain's first block and state.
#[derive(Clone, Debug)]
pub struct Genesis {
    /// The chain.
    pub spec: ChainSpec,
    /// Hash of the block.
    pub hash: B256,
    /// The block's header. It has no transactions.
    pub header: Header,
    /// The nodes of its state and storage tries. Empty if only the root is known.
    pub nodes: Vec<NewNode>,
    /// The code of its contracts, by hash.
    pub codes: Vec<(B256, Bytes)>,
}

/// No node yet.
struct Nothing;

impl NodeSource for Nothing {
    fn node(&self, _: &B256, _: u64) -> Result<Option<Arc<Node>>, SourceError> {
        Ok(None)
    }
}

impl Genesis {
    /// Reads a genesis.json of a chain that is to be executed from there on. `alloc` is where its
    /// accounts are, if they are not in it: the JSON object that would stand under that key.
    pub fn parse(json: &str, alloc: Option<&str>) -> Result<Self, GenesisError> {
        let genesis: GenesisJson = serde_json::from_str(json)?;
        let config = genesis.config.as_ref().ok_or(GenesisError::NoConfig)?;
        let spec = ChainSpec::from_json(config)?;
        spec.check_executable(genesis.number.to())?;
        Self::new(genesis, alloc, spec)
    }

    /// Reads a genesis.json, but for its `config`: the chain is `spec`. It need not be one that can
    /// be executed.
    pub fn parse_with(
        json: &str,
        alloc: Option<&str>,
        spec: ChainSpec,
    ) -> Result<Self, GenesisError> {
        Self::new(serde_json::from_str(json)?, alloc, spec)
    }

    fn new(
        mut genesis: GenesisJson,
        alloc: Option<&str>,
        spec: ChainSpec,
    ) -> Result<Self, GenesisError> {
        if genesis.alloc.is_none()
            && let Some(alloc) = alloc
        {
            genesis.alloc = Some(serde_json::from_str(alloc)?);
        }
        let mut state = GenesisState::default();
        match (genesis.alloc.take(), genesis.state_hash) {
            (Some(alloc), Some(_)) if !alloc.is_empty() => return Err(GenesisError::TwoStates),
            (_, Some(root)) => state.root = root,
            (Some(alloc), None) => state.fill(alloc)?,
            (None, None) => return Err(GenesisError::NoState),
        }
        let header = header(&spec, genesis, &state);
        Ok(Self {
            hash: header.hash_slow(),
            spec,
            header,
            nodes: state.nodes,
            codes: state.codes,
        })
    }
}

struct GenesisState {
    root: B256,
    /// Storage root of the message passer; zero if there is no such account.
    passer_root: B256,
    nodes: Vec<NewNode>,
    codes: Vec<(B256, Bytes)>,
}

impl Default for GenesisState {
    fn default() -> Self {
        Self {
            root: EMPTY_ROOT_HASH,
            passer_root: B256::ZERO,
            nodes: Vec::new(),
            codes: Vec::new(),
        }
    }
}

impl GenesisState {
    fn fill(&mut self, alloc: BTreeMap<String, AccountJson>) -> Result<(), GenesisError> {
        let mut accounts = Vec::with_capacity(alloc.len());
        for (key, account) in alloc {
            let address: Address = key.parse().map_err(|_| GenesisError::Account(key))?;
            let storage_root = self.storage(&account);
            if address == L2_TO_L1_MESSAGE_PASSER {
                self.passer_root = storage_root.hash;
            }
            let code_hash = if account.code.is_empty() {
                KECCAK_EMPTY
            } else {
                let hash = keccak256(&account.code);
                self.codes.push((hash, account.code.clone()));
                hash
            };
            let (nonce, balance) = (account.nonce.to(), account.balance);
            let account = TrieAccount::new(nonce, balance, storage_root.hash, code_hash);
            let leaf = Leaf {
                value: alloy_rlp::encode(account),
                place: storage_root.place,
            };
            accounts.push((keccak256(address), Some(leaf)));
        }
        self.root = self.add(accounts).hash;
        Ok(())
    }

    fn storage(&mut self, account: &AccountJson) -> Root {
        let slots = account
            .storage
            .iter()
            .filter(|(_, value)| !value.0.is_zero())
            .map(|(slot, value)| {
                let value = U256::from_be_bytes(value.0.0);
                let leaf = Leaf {
                    value: alloy_rlp::encode(value),
                    place: NO_PLACE,
                };
                (keccak256(slot.0), Some(leaf))
            })
            .collect();
        self.add(slots)
    }

    /// Builds a trie and keeps its nodes.
    fn add(&mut self, mut entries: Vec<(B256, Option<Leaf>)>) -> Root {
        entries.sort_unstable_by_key(|(key, _)| *key);
        match trie::update_leaves(&Nothing, EMPTY_ROOT_HASH, entries, &mut self.nodes) {
            Ok(root) => root,
            // an empty trie has nothing that could be missing
            Err(TrieError::Missing(_) | TrieError::Malformed { .. } | TrieError::Source(_)) => {
                EMPTY_ROOT_HASH.into()
            }
        }
    }
}

/// The header as op-geth makes it: what a fork adds is there if the fork is active at genesis.
// spec: opstack 1.2
fn header(spec: &ChainSpec, json: GenesisJson, state: &GenesisState) -> Header {
    let time = json.timestamp.to();
    let shanghai = spec.active(Fork::Canyon, time);
    let cancun = spec.active(Fork::Ecotone, time);
    let prague = spec.active(Fork::Isthmus, time);
    let blob_gas = |value: Option<U64>| cancun.then(|| value.unwrap_or_default().to());
    Header {
        parent_hash: json.parent_hash,
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        beneficiary: json.coinbase,
        state_root: state.root,
        transactions_root: EMPTY_ROOT_HASH,
        receipts_root: EMPTY_ROOT_HASH,
        difficulty: json.difficulty,
        number: json.number.to(),
        gas_limit: match json.gas_limit.to() {
            0 => DEFAULT_GAS_LIMIT,
            limit => limit,
        },
        gas_used: json.gas_used.to(),
        timestamp: time,
        extra_data: json.extra_data,
        mix_hash: json.mix_hash,
        nonce: B64::from(json.nonce.to::<u64>()),
        base_fee_per_gas: json
            .base_fee_per_gas
            .map(|fee| fee.saturating_to())
            .or_else(|| spec.begins_with_bedrock().then_some(INITIAL_BASE_FEE)),
        withdrawals_root: if prague {
            Some(state.passer_root)
        } else {
            shanghai.then_some(EMPTY_ROOT_HASH)
        },
        blob_gas_used: blob_gas(json.blob_gas_used),
        excess_blob_gas: blob_gas(json.excess_blob_gas),
        parent_beacon_block_root: cancun.then_some(B256::ZERO),
        requests_hash: prague.then_some(EMPTY_REQUESTS_HASH),
        ..Header::default()
    }
}
