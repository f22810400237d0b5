//! A store without a disk.

use crate::{
    genesis::Genesis,
    state::{StateError, StateSource, StateUpdate},
    trie::{NewNode, Node, NodeSource, SourceError, decode_node},
};
use alloy_primitives::{B256, Bytes, map::HashMap};
use std::sync::Arc;

/// Tries, code and block hashes in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    nodes: HashMap<B256, Arc<Node>>,
    codes: HashMap<B256, Bytes>,
    block_hashes: HashMap<u64, B256>,
}

impl MemoryStore {
    /// A store with the state of a chain's first block.
    pub fn with_genesis(genesis: &Genesis) -> Result<Self, StateError> {
        let mut store = Self::default();
        store.add_nodes(&genesis.nodes)?;
        store.add_codes(&genesis.codes);
        store.set_block_hash(genesis.header.number, genesis.hash);
        Ok(store)
    }

    /// Keeps what a block made.
    pub fn add(&mut self, update: &StateUpdate) -> Result<(), StateError> {
        self.add_nodes(&update.nodes)?;
        self.add_codes(&update.codes);
        Ok(())
    }

    /// Keeps trie nodes.
    pub fn add_nodes(&mut self, nodes: &[NewNode]) -> Result<(), StateError> {
        for node in nodes {
            let decoded = decode_node(node.hash, &node.rlp)?;
            self.nodes.insert(node.hash, Arc::new(decoded));
        }
        Ok(())
    }

    /// Keeps code.
    pub fn add_codes(&mut self, codes: &[(B256, Bytes)]) {
        self.codes.extend(codes.iter().cloned());
    }

    /// Says which block of a height the chain has.
    pub fn set_block_hash(&mut self, number: u64, hash: B256) {
        self.block_hashes.insert(number, hash);
    }
}

impl NodeSource for MemoryStore {
    fn node(&self, hash: &B256, _: u64) -> Result<Option<Arc<Node>>, SourceError> {
        Ok(self.nodes.get(hash).cloned())
    }
}

impl StateSource for MemoryStore {
    fn code(&self, hash: &B256) -> Result<Option<Bytes>, SourceError> {
        Ok(self.codes.get(hash).cloned())
    }

    fn block_hash(&self, number: u64) -> Result<Option<B256>, SourceError> {
        Ok(self.block_hashes.get(&number).copied())
    }
}
