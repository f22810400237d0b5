//! The tree of all HotShot blocks: each header commits to those before it.
//!
//! Append-only, with three children to a node, 32 levels and SHA3-256.
// spec: espresso 3.5

use crate::tagged::{BlockHash, FieldBytes, MerkleCommitment};
use serde::{Deserialize, Serialize};
use sha3::{Digest, Sha3_256};
use thiserror::Error;

/// Levels above the leaves.
pub const HEIGHT: usize = 32;
const ARITY: u64 = 3;
const EMPTY: [u8; 32] = [0; 32];

type Hash = [u8; 32];

fn hash_leaf(block: &BlockHash) -> Hash {
    Sha3_256::digest(block.0).into()
}

fn hash_node(children: &[Hash; 3]) -> Hash {
    Sha3_256::digest(children.as_flattened()).into()
}

/// Why a path does not show that a block is in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PathError {
    /// The block is not below the tree's.
    #[error("the tree has {leaves} blocks, so block {height} is not in it")]
    NotInTree {
        /// Height of the block.
        height: u64,
        /// Blocks in the tree.
        leaves: u64,
    },
    /// The tree is not of 32 levels.
    #[error("the tree has {0} levels, not {HEIGHT}")]
    Height(u64),
    /// The path leads to another root.
    #[error("the path of block {0} leads to another root")]
    Root(u64),
    /// Not a leaf and 32 branches of three children with hashes of 32 bytes.
    #[error("element {0} of the path is not what stands there")]
    Shape(usize),
    /// The path's leaf is another block, or at another place.
    #[error("the path is that of another block")]
    OtherBlock,
}

/// The siblings of a block, from the bottom: two on each level, in the children's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockPath(pub [[Hash; 2]; HEIGHT]);

impl BlockPath {
    /// The root to which the path leads for a block at this height.
    pub fn root(&self, height: u64, block: &BlockHash) -> Hash {
        let mut at = height;
        self.0
            .iter()
            .fold(hash_leaf(block), |current, [first, second]| {
                let children = match at % ARITY {
                    0 => [current, *first, *second],
                    1 => [*first, current, *second],
                    _ => [*first, *second, current],
                };
                at /= ARITY;
                hash_node(&children)
            })
    }

    /// Checks that the block at this height is in the tree.
    ///
    /// # Errors
    ///
    /// If it is not, or the path does not show it.
    pub fn verify(
        &self,
        height: u64,
        block: &BlockHash,
        tree: &MerkleCommitment,
    ) -> Result<(), PathError> {
        if tree.height() != HEIGHT as u64 {
            return Err(PathError::Height(tree.height()));
        }
        let leaves = tree.leaves();
        if height >= leaves {
            return Err(PathError::NotInTree { height, leaves });
        }
        if self.root(height, block) == tree.root() {
            Ok(())
        } else {
            Err(PathError::Root(height))
        }
    }
}

/// The tree as far as it is needed to append blocks: on each level, the full nodes that have no
/// parent yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockTree {
    leaves: u64,
    levels: Vec<Vec<Hash>>,
}

impl BlockTree {
    /// The tree of these blocks, from genesis on.
    pub fn new(blocks: &[BlockHash]) -> Self {
        let mut tree = Self::default();
        for block in blocks {
            tree.append(block);
        }
        tree
    }

    /// Appends the next block.
    pub fn append(&mut self, block: &BlockHash) {
        self.leaves += 1;
        let mut node = hash_leaf(block);
        let mut level = 0;
        loop {
            if self.levels.len() <= level {
                self.levels.push(Vec::new());
            }
            let Some(nodes) = self.levels.get_mut(level) else {
                return;
            };
            nodes.push(node);
            let Some(children) = nodes.first_chunk::<3>() else {
                return;
            };
            node = hash_node(children);
            nodes.clear();
            level += 1;
        }
    }

    /// What the header after the last block commits to.
    pub fn commitment(&self) -> MerkleCommitment {
        if self.leaves == 0 {
            return MerkleCommitment::new(EMPTY, HEIGHT as u64, 0);
        }
        // the nodes that are not full are put together from the bottom
        let mut partial: Option<Hash> = None;
        for level in 0..HEIGHT {
            let full = self.levels.get(level).map_or(&[][..], Vec::as_slice);
            let mut nodes = full.iter().copied().chain(partial);
            let children = [(); 3].map(|()| nodes.next());
            partial = children[0].map(|_| hash_node(&children.map(|node| node.unwrap_or(EMPTY))));
        }
        // a tree of 3^32 blocks is full on its last level
        let last = self.levels.get(HEIGHT).and_then(|nodes| nodes.first());
        let root = partial.or(last.copied()).unwrap_or(EMPTY);
        MerkleCommitment::new(root, HEIGHT as u64, self.leaves)
    }

    /// The path of a block among all blocks from genesis on; none if it is not among them.
    pub fn path(blocks: &[BlockHash], height: u64) -> Option<BlockPath> {
        let mut at = usize::try_from(height).ok()?;
        blocks.get(at)?;
        let mut nodes: Vec<Hash> = blocks.iter().map(hash_leaf).collect();
        let mut path = [[EMPTY; 2]; HEIGHT];
        for siblings in &mut path {
            let first = at - at % 3;
            let others = (first..first + 3).filter(|other| *other != at);
            for (to, other) in siblings.iter_mut().zip(others) {
                *to = nodes.get(other).copied().unwrap_or(EMPTY);
            }
            let parent = |chunk: &[Hash]| {
                let mut children = [EMPTY; 3];
                for (to, child) in children.iter_mut().zip(chunk) {
                    *to = *child;
                }
                hash_node(&children)
            };
            nodes = nodes.chunks(3).map(parent).collect();
            at /= 3;
        }
        Some(BlockPath(path))
    }
}

/// An element of a path, as services print it. The misspelling is theirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PathNode {
    /// The block.
    Leaf {
        /// Hash of the leaf.
        value: FieldBytes,
        /// The block's height.
        pos: FieldBytes,
        /// The block's hash.
        elem: FieldBytes,
    },
    /// A node above it.
    Branch {
        /// Unused.
        value: FieldBytes,
        /// The node's three children, that of the block among them.
        children: Vec<PathChild>,
    },
}

/// A child of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PathChild {
    /// Nothing is there.
    Empty,
    /// Only its hash is known.
    ForgettenSubtree {
        /// The hash.
        value: FieldBytes,
    },
}

/// Reads the path of a block from what `block-state` answers.
///
/// # Errors
///
/// If it is no path of 32 levels, or that of another block.
pub fn read_path(
    nodes: &[PathNode],
    height: u64,
    block: &BlockHash,
) -> Result<BlockPath, PathError> {
    let Some((PathNode::Leaf { pos, elem, .. }, branches)) = nodes.split_first() else {
        return Err(PathError::Shape(0));
    };
    if elem.0 != block.0 || pos.0 != height.to_le_bytes() {
        return Err(PathError::OtherBlock);
    }
    if branches.len() != HEIGHT {
        return Err(PathError::Shape(nodes.len()));
    }
    let mut path = [[EMPTY; 2]; HEIGHT];
    let mut at = height;
    for (level, (siblings, branch)) in path.iter_mut().zip(branches).enumerate() {
        let shape = PathError::Shape(level + 1);
        let PathNode::Branch { children, .. } = branch else {
            return Err(shape);
        };
        if children.len() != 3 {
            return Err(shape);
        }
        let own = at % ARITY;
        let others = (0..ARITY).zip(children).filter(|(child, _)| *child != own);
        for (to, (_, child)) in siblings.iter_mut().zip(others) {
            *to = match child {
                PathChild::Empty => EMPTY,
                PathChild::ForgettenSubtree { value } => {
                    value.0.as_slice().try_into().map_err(|_| shape)?
                }
            };
        }
        at /= ARITY;
    }
    Ok(BlockPath(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_path_leads_to_the_root_of_the_appended_tree(count in 1_u8..40, at: u64) {
            let blocks: Vec<BlockHash> = (1..=count).map(|n| BlockHash([n; 32])).collect();
            let count = u64::from(count);
            let tree = BlockTree::new(&blocks).commitment();
            let at = at % count;
            let path = BlockTree::path(&blocks, at).unwrap();
            let block = blocks[usize::try_from(at).unwrap()];
            prop_assert_eq!(path.verify(at, &block, &tree), Ok(()));
            prop_assert_eq!(path.verify(at, &BlockHash([99; 32]), &tree), Err(PathError::Root(at)));
            let not = PathError::NotInTree { height: count, leaves: count };
            prop_assert_eq!(path.verify(count, &block, &tree), Err(not));
            let mut other = path;
            other.0[31][0][0] ^= 1;
            prop_assert_eq!(other.verify(at, &block, &tree), Err(PathError::Root(at)));
        }
    }
}
