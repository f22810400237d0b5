//! The trees of shares and of namespaces: leaves hashed with their place, nodes with all children.

use alloy_primitives::keccak256;

pub(super) type Hash = [u8; 32];

const EMPTY: Hash = [0; 32];

/// A kind of tree.
#[derive(Debug)]
pub(super) struct Tree {
    arity: usize,
    hash: fn(&[u8]) -> Hash,
}

/// AvidM's.
pub(super) const KECCAK: Tree = Tree {
    arity: 3,
    hash: |bytes| keccak256(bytes).0,
};

/// AvidmGf2's.
pub(super) const BLAKE3: Tree = Tree {
    arity: 4,
    hash: |bytes| blake3::hash(bytes).into(),
};

impl Tree {
    /// Levels above this many leaves.
    pub(super) const fn height(&self, leaves: usize) -> usize {
        let (mut height, mut capacity) = (0, 1_usize);
        while capacity < leaves {
            height += 1;
            capacity = capacity.saturating_mul(self.arity);
        }
        height
    }

    /// Siblings of a node.
    pub(super) const fn siblings(&self) -> usize {
        self.arity - 1
    }

    fn leaf(&self, position: usize, value: &Hash) -> Hash {
        let mut bytes = [0; 41];
        let (first, rest) = bytes.split_at_mut(1);
        let (second, third) = rest.split_at_mut(8);
        first.copy_from_slice(b"1");
        second.copy_from_slice(&(position as u64).to_le_bytes());
        third.copy_from_slice(value);
        (self.hash)(&bytes)
    }

    fn node(&self, children: impl Iterator<Item = Hash>) -> Hash {
        let mut bytes = Vec::with_capacity(1 + 32 * self.arity);
        bytes.push(b'0');
        let padded = children.chain(std::iter::repeat(EMPTY));
        for child in padded.take(self.arity) {
            bytes.extend_from_slice(&child);
        }
        (self.hash)(&bytes)
    }

    fn above(&self, nodes: &[Hash]) -> Vec<Hash> {
        let chunks = nodes.chunks(self.arity);
        chunks
            .map(|chunk| self.node(chunk.iter().copied()))
            .collect()
    }

    fn leaves(&self, values: &[Hash]) -> Vec<Hash> {
        let leaf = |(at, value)| self.leaf(at, value);
        values.iter().enumerate().map(leaf).collect()
    }

    /// The root over these leaves; zeros if there is none.
    pub(super) fn root(&self, values: &[Hash]) -> Hash {
        let mut nodes = self.leaves(values);
        while nodes.len() > 1 {
            nodes = self.above(&nodes);
        }
        nodes.first().copied().unwrap_or(EMPTY)
    }

    /// The siblings of a leaf, level by level from the bottom.
    pub(super) fn path(&self, values: &[Hash], mut at: usize) -> Vec<Vec<Hash>> {
        let mut nodes = self.leaves(values);
        let mut path = Vec::new();
        while nodes.len() > 1 {
            let first = at - at % self.arity;
            let others = (first..first + self.arity).filter(|other| *other != at);
            let sibling = |other| nodes.get(other).copied().unwrap_or(EMPTY);
            path.push(others.map(sibling).collect());
            nodes = self.above(&nodes);
            at /= self.arity;
        }
        path
    }

    /// The root to which a path leads. Each level must have [`Self::siblings`] hashes.
    pub(super) fn fold(&self, position: usize, value: &Hash, path: &[Vec<Hash>]) -> Hash {
        let mut at = position;
        path.iter()
            .fold(self.leaf(position, value), |current, siblings| {
                let own = at % self.arity;
                at /= self.arity;
                let (before, after) = siblings.split_at_checked(own).unwrap_or((siblings, &[]));
                let children = before.iter().copied().chain([current]);
                self.node(children.chain(after.iter().copied()))
            })
    }
}
