//! An engine that executes nothing: it takes every block, but for those with a transaction that it
//! was told to refuse. A block's hash is a hash of its attributes; the Go program has the same.

use alloy_primitives::{B256, Bytes, keccak256};
use doppio_derive::{DerivedAttributes, Outcome};
use doppio_protocol::{
    L2BlockRef,
    attributes::PayloadAttributes,
    config::ChainConfig,
    extra_data::{Eip1559Params, HeaderParams},
    l2::L2Block,
    system_config::SystemConfig,
};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

/// What an engine uses where the SystemConfig sets nothing.
const DEFAULT_EIP1559: Eip1559Params = Eip1559Params {
    denominator: 250,
    elasticity: 6,
};

/// Hash of the block of these attributes.
pub(crate) fn block_hash(parent: &L2BlockRef, attributes: &PayloadAttributes) -> B256 {
    let mut bytes = parent.hash.to_vec();
    let optional = |field: Option<&[u8]>, bytes: &mut Vec<u8>| {
        bytes.push(u8::from(field.is_some()));
        bytes.extend_from_slice(field.unwrap_or_default());
    };
    bytes.extend_from_slice(&(parent.number + 1).to_be_bytes());
    bytes.extend_from_slice(&attributes.timestamp.to_be_bytes());
    bytes.extend_from_slice(attributes.suggested_fee_recipient.as_slice());
    bytes.extend_from_slice(attributes.prev_randao.as_slice());
    let root = attributes.parent_beacon_block_root;
    optional(root.as_ref().map(|root| root.as_slice()), &mut bytes);
    bytes.push(u8::from(attributes.has_withdrawals));
    bytes.extend_from_slice(&attributes.gas_limit.to_be_bytes());
    let params = attributes.eip1559.map(Eip1559Params::packed);
    optional(params.as_ref().map(|params| params.as_slice()), &mut bytes);
    let fee = attributes.min_base_fee.map(u64::to_be_bytes);
    optional(fee.as_ref().map(|fee| fee.as_slice()), &mut bytes);
    bytes.push(u8::from(attributes.no_tx_pool));
    for transaction in attributes.all_transactions() {
        bytes.extend_from_slice(&(transaction.len() as u32).to_be_bytes());
        bytes.extend_from_slice(transaction);
    }
    keccak256(bytes)
}

/// The block of these attributes.
pub(crate) fn build(
    chain: &ChainConfig,
    parent: &L2BlockRef,
    attributes: &PayloadAttributes,
) -> L2Block {
    let params = attributes.eip1559.unwrap_or_default();
    let extra_data = HeaderParams {
        eip1559: if params.is_zero() {
            DEFAULT_EIP1559
        } else {
            params
        },
        min_base_fee: attributes.min_base_fee.unwrap_or_default(),
    }
    .encode(chain, attributes.timestamp);
    let mut block = L2Block {
        hash: block_hash(parent, attributes),
        transactions: attributes
            .all_transactions()
            .map(Bytes::copy_from_slice)
            .collect(),
        ..L2Block::default()
    };
    block.header.number = parent.number + 1;
    block.header.parent_hash = parent.hash;
    block.header.timestamp = attributes.timestamp;
    block.header.gas_limit = attributes.gas_limit;
    block.header.extra_data = extra_data;
    block
}

/// The engine of a node.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    chain: Arc<ChainConfig>,
    blocks: HashMap<B256, L2Block>,
    /// Hashes of the canonical chain by number; the last one is the unsafe head.
    canonical: BTreeMap<u64, B256>,
    /// Transactions that make a block invalid.
    pub(crate) refused: Arc<HashSet<Bytes>>,
}

impl Engine {
    pub(crate) fn new(chain: &Arc<ChainConfig>, refused: Arc<HashSet<Bytes>>) -> Self {
        let genesis = &chain.rollup.genesis;
        let mut block = L2Block {
            hash: genesis.l2.hash,
            ..L2Block::default()
        };
        block.header.number = genesis.l2.number;
        block.header.timestamp = genesis.l2_time;
        block.header.gas_limit = genesis.system_config.gas_limit;
        Self {
            chain: Arc::clone(chain),
            canonical: BTreeMap::from([(genesis.l2.number, block.hash)]),
            blocks: HashMap::from([(block.hash, block)]),
            refused,
        }
    }

    pub(crate) fn execute(&mut self, derived: &DerivedAttributes) -> Outcome {
        let attributes = &derived.attributes;
        if attributes
            .transactions
            .iter_slices()
            .any(|transaction| self.refused.contains(transaction))
        {
            return Outcome::Invalid;
        }
        let block = build(&self.chain, &derived.parent, attributes);
        let number = block.header.number;
        let outcome = Outcome::Accepted {
            hash: block.hash,
            extra_data: block.header.extra_data.clone(),
        };
        if self.canonical.get(&number) != Some(&block.hash) {
            self.cut_above(number);
            self.canonical.insert(number, block.hash);
        }
        self.blocks.insert(block.hash, block);
        outcome
    }

    /// Makes a block the unsafe head.
    pub(crate) fn cut_above(&mut self, number: u64) {
        self.canonical.split_off(&(number + 1));
    }

    pub(crate) fn by_hash(&self, hash: &B256) -> Option<&L2Block> {
        self.blocks.get(hash)
    }

    pub(crate) fn by_number(&self, number: u64) -> Option<&L2Block> {
        self.blocks.get(self.canonical.get(&number)?)
    }

    pub(crate) fn reference(&self, block: &L2Block) -> Option<L2BlockRef> {
        block.block_ref(&self.chain).ok()
    }

    /// The unsafe head.
    pub(crate) fn head(&self) -> Option<L2BlockRef> {
        let (_, hash) = self.canonical.last_key_value()?;
        self.reference(self.by_hash(hash)?)
    }

    pub(crate) fn config(&self, hash: &B256) -> Option<SystemConfig> {
        self.by_hash(hash)?.system_config(&self.chain).ok()
    }
}
