//! The L1 state that a verdict rests on: which storage slots, and where their values are kept.
//!
//! Values come from storage proofs against a state root, and are believed here. Nearly everything read
//! is history that is only ever appended to, and is read by the certificate's reference block; so a
//! value from any canonical block at or after the inclusion block gives the same verdict. What has no
//! history is read [at the inclusion block](At::Inclusion).
//!
//! | contract | slot | what | why any later block does |
//! |---|---:|---|---|
//! | router | 101, 102 | verifiers, and the blocks from which they hold | a new entry's block lies ahead of the block that adds it, so it never holds for an older reference block |
//! | verifier | 0, 1, 2 | thresholds, required quorums, off-chain rules | set once, when it is created |
//! | threshold registry | 3, 4 | number and parameters of blob versions | parameters are never changed; since when a version counts is configured |
//! | registry coordinator | 150 | number of quorums | only grows, and a new quorum's history begins after the reference block |
//! | registry coordinator | 152 | quorums of an operator | history |
//! | key registry | 4 | keys of a quorum | history |
//! | stake registry | 1, 2 | total stakes, operators' stakes | history |
//! | registry coordinator | 155 | block of a quorum's last update | no history: read at the inclusion block |
//! | service manager | 201 | whether stale stakes are forbidden | no history: read at the inclusion block |
//! | delegation manager | 157 | delay of withdrawals | no history: read at the inclusion block |
//!
//! An entry of a history tells from which block it holds, and from which on the next one does. If the
//! next one comes after the proof's block its place is zero, and if it came in between its block is
//! later than the reference block: in both cases the entry holds at the reference block.
// spec: eigenda 5.1

use alloy_primitives::{Address, B256, U256, keccak256};
use std::collections::{BTreeMap, BTreeSet};

/// In whose state a slot must be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum At {
    /// Of any canonical block from the inclusion block on.
    AnyLater,
    /// Of the inclusion block.
    Inclusion,
}

/// A storage slot that is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Query {
    /// In whose state.
    pub at: At,
    /// The contract.
    pub address: Address,
    /// The slot.
    pub slot: B256,
}

/// The values that are known for one certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownState(BTreeMap<Query, U256>);

impl KnownState {
    /// Adds a value that was proven.
    pub fn insert(&mut self, query: Query, value: U256) {
        self.0.insert(query, value);
    }

    /// The value of a slot, if it is known.
    pub fn get(&self, query: &Query) -> Option<U256> {
        self.0.get(query).copied()
    }
}

/// Reads slots, and notes those that are not known.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    state: &'a KnownState,
    missing: BTreeSet<Query>,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(state: &'a KnownState) -> Self {
        Self {
            state,
            missing: BTreeSet::new(),
        }
    }

    /// The value of a slot. Zero if it is not known: then it is noted, and whoever reads must not
    /// conclude anything before it asked for what is [missing](Self::missing).
    pub(crate) fn read(&mut self, at: At, address: Address, slot: B256) -> U256 {
        let query = Query { at, address, slot };
        self.state.get(&query).unwrap_or_else(|| {
            self.missing.insert(query);
            U256::ZERO
        })
    }

    /// What was read and is not known.
    pub(crate) fn missing(&self) -> Option<Vec<Query>> {
        (!self.missing.is_empty()).then(|| self.missing.iter().copied().collect())
    }

    /// An entry of a history, and whether there is one at that place.
    pub(crate) fn entry(&mut self, address: Address, array: B256, index: u32) -> Entry {
        let length = self.read(At::AnyLater, address, array);
        let word = self.read(At::AnyLater, address, element(array, index.into()));
        Entry {
            is_there: U256::from(index) < length,
            word,
        }
    }
}

/// An entry of a history on L1, as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    is_there: bool,
    word: U256,
}

impl Entry {
    /// The value of a stake or a bitmap, if the entry holds at `block`: behind the two blocks.
    pub(crate) fn value_at(&self, block: u32) -> Option<U256> {
        self.holds(self.bits(0), self.bits(32), block)
            .then_some(self.word >> 64)
    }

    /// The 24 bytes of a key's hash, if the entry holds at `block`: in front of the two blocks.
    pub(crate) fn key_hash_at(&self, block: u32) -> Option<[u8; 24]> {
        if !self.holds(self.bits(192), self.bits(224), block) {
            return None;
        }
        let bytes = self.word.to_be_bytes::<32>();
        bytes.last_chunk::<24>().copied()
    }

    fn bits(&self, shift: usize) -> u32 {
        // 32 bits are left, so nothing is cut off
        u32::try_from(self.word >> shift & U256::from(u32::MAX)).unwrap_or(u32::MAX)
    }

    const fn holds(&self, from: u32, until: u32, block: u32) -> bool {
        self.is_there && from <= block && (until == 0 || block < until)
    }
}

/// The slot of a variable that stands for itself.
pub fn variable(slot: u64) -> B256 {
    B256::from(U256::from(slot))
}

/// The slot of a mapping's value.
pub fn mapped(key: B256, mapping: B256) -> B256 {
    keccak256([key.0, mapping.0].concat())
}

/// The slot of element `index` of an array of whole words.
pub fn element(array: B256, index: u64) -> B256 {
    let first = U256::from_be_bytes(keccak256(array).0);
    B256::from(first.wrapping_add(U256::from(index)))
}

/// A number as the key of a mapping.
pub fn key(number: impl Into<u64>) -> B256 {
    B256::from(U256::from(number.into()))
}
