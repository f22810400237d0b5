//! A chain in memory: blocks are executed one on top of the other, and nothing else is kept.

use crate::{
    block::{Attributes, BlockError, ExecutedBlock, build_block},
    genesis::Genesis,
    memory::MemoryStore,
    state::StateError,
};
use alloy_consensus::Header;
use alloy_primitives::{B256, Bytes};
use alloy_trie::EMPTY_ROOT_HASH;
use doppio_protocol::{attributes::PayloadAttributes, output::OutputV0};

/// A chain that only grows.
#[derive(Debug)]
pub struct MemoryChain {
    genesis: Genesis,
    store: MemoryStore,
    head: (Header, B256),
}

impl MemoryChain {
    /// A chain at its first block.
    pub fn new(genesis: Genesis) -> Result<Self, StateError> {
        let store = MemoryStore::with_genesis(&genesis)?;
        let head = (genesis.header.clone(), genesis.hash);
        Ok(Self {
            genesis,
            store,
            head,
        })
    }

    /// The newest block.
    pub const fn head(&self) -> (&Header, B256) {
        (&self.head.0, self.head.1)
    }

    /// Makes the block of these attributes, which becomes the newest.
    pub fn execute(&mut self, attributes: &PayloadAttributes) -> Result<ExecutedBlock, BlockError> {
        let transactions: Vec<Bytes> = attributes
            .deposits
            .iter()
            .cloned()
            .chain(attributes.transactions.iter())
            .collect();
        let block = build_block(
            &self.genesis.spec,
            &self.store,
            self.head(),
            &Attributes::from(attributes),
            &transactions,
        )?;
        self.store.add(&block.executed.state)?;
        self.store.set_block_hash(block.header.number, block.hash);
        self.head = (block.header.clone(), block.hash);
        Ok(block)
    }
}

impl From<&PayloadAttributes> for Attributes {
    fn from(attributes: &PayloadAttributes) -> Self {
        Self {
            timestamp: attributes.timestamp,
            fee_recipient: attributes.suggested_fee_recipient,
            prev_randao: attributes.prev_randao,
            gas_limit: attributes.gas_limit,
            parent_beacon_block_root: attributes.parent_beacon_block_root,
            eip1559_params: attributes.eip1559.map(|params| params.packed()),
            min_base_fee: attributes.min_base_fee,
        }
    }
}

impl ExecutedBlock {
    /// The output root that commits to the block and its state.
    // spec: opstack 8.1
    pub fn output_root(&self) -> B256 {
        let state = &self.executed.state;
        OutputV0 {
            state_root: state.root,
            message_passer_storage_root: state.passer_root.unwrap_or(EMPTY_ROOT_HASH),
            block_hash: self.hash,
        }
        .root()
    }
}
