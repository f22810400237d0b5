//! The tree of a batch: which blobs are in it.
//!
//! A leaf is the hash of a certificate's hash; a node is the hash of its two children. Where leaves are
//! lacking for a power of two, zeros stand, not hashed.
// spec: eigenda 3.6, eigenda 5.1

use alloy_primitives::{B256, keccak256};

fn node(left: &B256, right: &B256) -> B256 {
    keccak256([left.0, right.0].concat())
}

/// The root to which a proof leads from a leaf; none if the proof is no whole number of siblings.
///
/// Each bit of `index` says on which side the node stands, from below. Bits for which there is no
/// sibling do not count, as they do not for the contract.
pub fn root_of(leaf: B256, index: u32, proof: &[u8]) -> Option<B256> {
    let (siblings, rest) = proof.as_chunks::<32>();
    if !rest.is_empty() {
        return None;
    }
    let mut root = leaf;
    let mut index = index;
    for sibling in siblings {
        let sibling = B256::from(*sibling);
        root = if index & 1 == 0 {
            node(&root, &sibling)
        } else {
            node(&sibling, &root)
        };
        index >>= 1;
    }
    Some(root)
}

/// The tree of a batch.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Rows from the leaves up.
    rows: Vec<Vec<B256>>,
}

impl Tree {
    /// The tree of blob certificates with these hashes; none if there is none.
    pub fn new(certificate_hashes: &[B256]) -> Option<Self> {
        let mut row: Vec<B256> = certificate_hashes.iter().map(keccak256).collect();
        if row.is_empty() {
            return None;
        }
        row.resize(row.len().checked_next_power_of_two()?, B256::ZERO);
        let mut rows = Vec::new();
        while row.len() > 1 {
            let (pairs, _) = row.as_chunks::<2>();
            let above = pairs.iter().map(|[left, right]| node(left, right));
            let above = above.collect();
            rows.push(row);
            row = above;
        }
        rows.push(row);
        Some(Self { rows })
    }

    /// The root.
    pub fn root(&self) -> B256 {
        let top = self.rows.last().and_then(|row| row.first());
        top.copied().unwrap_or_default()
    }

    /// The siblings on the way from a leaf to the root; none if there is no such leaf.
    pub fn proof(&self, index: u32) -> Option<Vec<u8>> {
        let mut place = usize::try_from(index).ok()?;
        let mut proof = Vec::new();
        for row in &self.rows {
            if row.len() == 1 {
                return (place == 0).then_some(proof);
            }
            proof.extend_from_slice(row.get(place ^ 1)?.as_slice());
            place >>= 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_leaf_has_a_proof_and_no_other_leaf_or_place_has_it(count in 1u32..40, changed in 0usize..2000) {
            let hashes: Vec<B256> = (0..count).map(|n| keccak256(n.to_be_bytes())).collect();
            let tree = Tree::new(&hashes).unwrap();
            for (index, hash) in (0..).zip(&hashes) {
                let mut proof = tree.proof(index).unwrap();
                let leaf = keccak256(hash);
                prop_assert_eq!(root_of(leaf, index, &proof), Some(tree.root()));
                prop_assert_ne!(root_of(*hash, index, &proof), Some(tree.root()));
                if !proof.is_empty() {
                    prop_assert_ne!(root_of(leaf, index ^ 1, &proof), Some(tree.root()));
                    let length = proof.len();
                    proof[changed % length] ^= 1;
                    prop_assert_ne!(root_of(leaf, index, &proof), Some(tree.root()));
                }
                prop_assert_eq!(root_of(leaf, index, &[0; 33]), None);
            }
            prop_assert_eq!(tree.proof(count.next_power_of_two()), None);
        }
    }
}
