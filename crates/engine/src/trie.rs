//! Merkle Patricia tries whose nodes live elsewhere, found by their hash.
//!
//! Nothing is ever changed in place: an update returns the new root and the nodes that are new.
//! Since old nodes stay, every root that was ever stored can still be read.

use alloy_primitives::{B256, Bytes, keccak256};
use alloy_rlp::Decodable;
use alloy_trie::{
    EMPTY_ROOT_HASH, Nibbles, TrieMask,
    nodes::{BranchNodeRef, ExtensionNodeRef, LeafNodeRef, RlpNode, TrieNode},
};
use std::sync::Arc;
use thiserror::Error;

/// Where the nodes are.
pub trait NodeSource {
    /// The node with a hash; none if there is no such node.
    fn node(&self, hash: &B256) -> Result<Option<Arc<TrieNode>>, SourceError>;
}

impl<S: NodeSource + ?Sized> NodeSource for &S {
    fn node(&self, hash: &B256) -> Result<Option<Arc<TrieNode>>, SourceError> {
        (**self).node(hash)
    }
}

/// The place where the nodes are cannot be read.
#[derive(Clone, Debug, Error)]
#[error("trie nodes cannot be read: {0}")]
pub struct SourceError(pub String);

/// Why a trie cannot be read.
#[derive(Clone, Debug, Error)]
pub enum TrieError {
    /// A node is not there.
    #[error("trie node {0} is missing")]
    Missing(B256),
    /// A node is not one.
    #[error("trie node {hash} is malformed: {error}")]
    Malformed {
        /// The node's hash; that of the node that holds it, if it is inlined.
        hash: B256,
        /// What is wrong.
        error: alloy_rlp::Error,
    },
    /// The source of nodes.
    #[error(transparent)]
    Source(#[from] SourceError),
}

/// Decodes a node, as [`NodeSource`]s do it.
pub fn decode_node(hash: B256, mut rlp: &[u8]) -> Result<TrieNode, TrieError> {
    let node = TrieNode::decode(&mut rlp).map_err(|error| TrieError::Malformed { hash, error })?;
    if !rlp.is_empty() {
        return Err(malformed(hash, "trailing bytes"));
    }
    match &node {
        // each node on a path must take at least a nibble of it, or paths might never end
        TrieNode::Extension(extension) if extension.key.is_empty() => {
            Err(malformed(hash, "extension of nothing"))
        }
        TrieNode::EmptyRoot => Err(malformed(hash, "empty node")),
        _ => Ok(node),
    }
}

/// Nibbles of a key.
const KEY_NIBBLES: usize = 64;

const fn malformed(hash: B256, error: &'static str) -> TrieError {
    TrieError::Malformed {
        hash,
        error: alloy_rlp::Error::Custom(error),
    }
}

/// A nibble of a path below `root`, which every path of a well-made trie has.
fn nibble(root: B256, path: &Nibbles, at: usize) -> Result<u8, TrieError> {
    path.get(at)
        .ok_or_else(|| malformed(root, "paths of different lengths"))
}

fn load(source: &impl NodeSource, hash: B256) -> Result<Arc<TrieNode>, TrieError> {
    source.node(&hash)?.ok_or(TrieError::Missing(hash))
}

/// The node behind a reference: stored under its hash, or inlined in node `holder`.
fn resolve(
    source: &impl NodeSource,
    holder: B256,
    reference: &RlpNode,
) -> Result<Arc<TrieNode>, TrieError> {
    match reference.as_hash() {
        Some(hash) => load(source, hash),
        None => Ok(Arc::new(decode_node(holder, reference)?)),
    }
}

/// The reference to the child of a branch.
fn child(stack: &[RlpNode], mask: TrieMask, nibble: u8) -> Option<&RlpNode> {
    if !mask.is_bit_set(nibble) {
        return None;
    }
    let before = mask.get() & ((1 << nibble) - 1);
    stack.get(before.count_ones() as usize)
}

/// The value at a key.
pub fn get(source: &impl NodeSource, root: B256, key: &B256) -> Result<Option<Vec<u8>>, TrieError> {
    walk(source, root, key, |_| ())
}

/// The proof of the value at a key, or that there is none: the nodes from the root down.
pub fn prove(source: &impl NodeSource, root: B256, key: &B256) -> Result<Vec<Bytes>, TrieError> {
    let mut proof = Vec::new();
    walk(source, root, key, |node| {
        proof.push(alloy_rlp::encode(node).into());
    })?;
    Ok(proof)
}

/// Walks down to a key; `visit` sees each node that has a hash of its own.
fn walk(
    source: &impl NodeSource,
    root: B256,
    key: &B256,
    mut visit: impl FnMut(&TrieNode),
) -> Result<Option<Vec<u8>>, TrieError> {
    if root == EMPTY_ROOT_HASH {
        return Ok(None);
    }
    let path = Nibbles::unpack(key);
    let mut depth = 0;
    let mut hash = root;
    let mut node = load(source, root)?;
    visit(&node);
    loop {
        let next = match &*node {
            TrieNode::EmptyRoot => return Ok(None),
            TrieNode::Leaf(leaf) => {
                let found = path.slice(depth..) == leaf.key;
                return Ok(found.then(|| leaf.value.clone()));
            }
            TrieNode::Extension(extension) => {
                if !path.slice(depth..).starts_with(&extension.key) {
                    return Ok(None);
                }
                depth += extension.key.len();
                extension.child.clone()
            }
            TrieNode::Branch(branch) => {
                let Some(nibble) = path.get(depth) else {
                    return Ok(None);
                };
                let Some(next) = child(&branch.stack, branch.state_mask, nibble) else {
                    return Ok(None);
                };
                depth += 1;
                next.clone()
            }
        };
        node = resolve(source, hash, &next)?;
        if let Some(next_hash) = next.as_hash() {
            hash = next_hash;
            visit(&node);
        }
    }
}

/// What an update made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Updated {
    /// The new root.
    pub root: B256,
    /// The nodes that are new, by hash. Some may have been there before under an older root.
    pub nodes: Vec<(B256, Vec<u8>)>,
}

/// A part of a trie in memory.
#[derive(Debug)]
enum Part {
    /// As it was; not loaded.
    Clean(RlpNode),
    Leaf(Nibbles, Vec<u8>),
    Extension(Nibbles, Box<Self>),
    Branch(Box<[Option<Self>; 16]>),
}

/// Puts values at keys (`None` takes them away) and returns what is new. No key may come twice.
pub fn update(
    source: &impl NodeSource,
    root: B256,
    changes: impl IntoIterator<Item = (B256, Option<Vec<u8>>)>,
) -> Result<Updated, TrieError> {
    let mut part = (root != EMPTY_ROOT_HASH).then(|| Part::Clean(RlpNode::word_rlp(&root)));
    let mut removed = Vec::new();
    for (key, value) in changes {
        let path = Nibbles::unpack(key);
        match value {
            Some(value) => part = Some(insert(source, root, part, path, value)?),
            None => removed.push(path),
        }
    }
    // Only now: a branch that loses a child to a removal and gets another one stays a branch. The
    // other way round, the child that is left would be read for nothing, and of a chain's public
    // witnesses it is no part.
    for path in removed {
        part = remove(source, root, part, &path)?;
    }
    let mut nodes = Vec::new();
    let Some(part) = part else {
        return Ok(Updated {
            root: EMPTY_ROOT_HASH,
            nodes,
        });
    };
    let root = match part {
        Part::Clean(reference) if reference.is_hash() => reference,
        // an inlined node that became the root
        Part::Clean(reference) => store_root(reference.to_vec(), &mut nodes),
        part => {
            let mut rlp = Vec::new();
            let reference = part.collapse(&mut rlp, &mut nodes);
            if reference.is_hash() {
                reference
            } else {
                store_root(reference.to_vec(), &mut nodes)
            }
        }
    };
    Ok(Updated {
        root: root.as_hash().unwrap_or(EMPTY_ROOT_HASH),
        nodes,
    })
}

/// A root has a hash however short it is.
fn store_root(rlp: Vec<u8>, nodes: &mut Vec<(B256, Vec<u8>)>) -> RlpNode {
    let hash = keccak256(&rlp);
    nodes.push((hash, rlp));
    RlpNode::word_rlp(&hash)
}

impl Part {
    /// What is known of a stored node.
    fn of(node: &TrieNode) -> Option<Self> {
        Some(match node {
            TrieNode::EmptyRoot => return None,
            TrieNode::Leaf(leaf) => Self::Leaf(leaf.key, leaf.value.clone()),
            TrieNode::Extension(extension) => Self::Extension(
                extension.key,
                Box::new(Self::Clean(extension.child.clone())),
            ),
            TrieNode::Branch(branch) => {
                let mut children: [Option<Self>; 16] = Default::default();
                for (nibble, place) in (0..).zip(&mut children) {
                    *place = child(&branch.stack, branch.state_mask, nibble)
                        .map(|reference| Self::Clean(reference.clone()));
                }
                Self::Branch(Box::new(children))
            }
        })
    }

    /// The part, loaded one level deep.
    fn load(self, source: &impl NodeSource, root: B256) -> Result<Option<Self>, TrieError> {
        match self {
            Self::Clean(reference) => Ok(Self::of(&*resolve(source, root, &reference)?)),
            part => Ok(Some(part)),
        }
    }

    /// Turns the part into its reference, and what is new in it into nodes.
    fn collapse(self, rlp: &mut Vec<u8>, nodes: &mut Vec<(B256, Vec<u8>)>) -> RlpNode {
        let reference = match self {
            Self::Clean(reference) => return reference,
            Self::Leaf(key, value) => {
                rlp.clear();
                LeafNodeRef::new(&key, &value).rlp(rlp)
            }
            Self::Extension(key, child) => {
                let child = child.collapse(rlp, nodes);
                rlp.clear();
                ExtensionNodeRef::new(&key, &child).rlp(rlp)
            }
            Self::Branch(children) => {
                let mut stack = Vec::with_capacity(16);
                let mut mask = TrieMask::default();
                for (nibble, child) in (0..).zip(*children) {
                    if let Some(child) = child {
                        stack.push(child.collapse(rlp, nodes));
                        mask.set_bit(nibble);
                    }
                }
                rlp.clear();
                BranchNodeRef::new(&stack, mask).rlp(rlp)
            }
        };
        if let Some(hash) = reference.as_hash() {
            nodes.push((hash, rlp.clone()));
        }
        reference
    }
}

/// A branch with children at two different nibbles.
fn branch(children: [(u8, Part); 2]) -> Part {
    let mut places: [Option<Part>; 16] = Default::default();
    for (nibble, child) in children {
        places[usize::from(nibble)] = Some(child);
    }
    Part::Branch(Box::new(places))
}

/// `part` behind `prefix`.
fn behind(prefix: Nibbles, part: Part) -> Part {
    if prefix.is_empty() {
        part
    } else {
        Part::Extension(prefix, Box::new(part))
    }
}

fn insert(
    source: &impl NodeSource,
    root: B256,
    part: Option<Part>,
    path: Nibbles,
    value: Vec<u8>,
) -> Result<Part, TrieError> {
    let part = match part {
        None => None,
        Some(part) => part.load(source, root)?,
    };
    Ok(match part {
        None | Some(Part::Clean(_)) => Part::Leaf(path, value),
        Some(Part::Leaf(key, _)) if key == path => Part::Leaf(path, value),
        Some(Part::Leaf(key, old)) => {
            // keys of one trie are equally long, so neither is a prefix of the other
            let shared = key.common_prefix_length(&path);
            let split = branch([
                (
                    nibble(root, &key, shared)?,
                    Part::Leaf(key.slice(shared + 1..), old),
                ),
                (
                    nibble(root, &path, shared)?,
                    Part::Leaf(path.slice(shared + 1..), value),
                ),
            ]);
            behind(path.slice(..shared), split)
        }
        Some(Part::Extension(key, child)) => {
            let shared = key.common_prefix_length(&path);
            if shared == key.len() {
                let child = insert(source, root, Some(*child), path.slice(shared..), value)?;
                return Ok(Part::Extension(key, Box::new(child)));
            }
            let split = branch([
                (
                    nibble(root, &key, shared)?,
                    behind(key.slice(shared + 1..), *child),
                ),
                (
                    nibble(root, &path, shared)?,
                    Part::Leaf(path.slice(shared + 1..), value),
                ),
            ]);
            behind(path.slice(..shared), split)
        }
        Some(Part::Branch(mut children)) => {
            let place = &mut children[usize::from(nibble(root, &path, 0)?)];
            *place = Some(insert(source, root, place.take(), path.slice(1..), value)?);
            Part::Branch(children)
        }
    })
}

fn remove(
    source: &impl NodeSource,
    root: B256,
    part: Option<Part>,
    path: &Nibbles,
) -> Result<Option<Part>, TrieError> {
    let Some(part) = part else { return Ok(None) };
    let unloaded = match &part {
        Part::Clean(reference) => Some(reference.clone()),
        _ => None,
    };
    // what turns out not to hold the key stays as it was
    let unchanged = |part: Part| Ok(Some(unloaded.clone().map_or(part, Part::Clean)));
    match part.load(source, root)? {
        None => Ok(None),
        Some(Part::Leaf(key, _)) if key == *path => Ok(None),
        Some(Part::Extension(key, child)) if path.starts_with(&key) => {
            let child = remove(source, root, Some(*child), &path.slice(key.len()..))?;
            match child {
                None => Ok(None),
                Some(child) => join(source, root, key, child).map(Some),
            }
        }
        Some(Part::Branch(mut children)) => {
            let place = &mut children[usize::from(nibble(root, path, 0)?)];
            if place.is_none() {
                return unchanged(Part::Branch(children));
            }
            *place = remove(source, root, place.take(), &path.slice(1..))?;
            let mut left = (0..)
                .zip(children.iter_mut())
                .filter(|(_, child)| child.is_some());
            match (left.next(), left.next()) {
                (None, _) => Ok(None),
                (Some((nibble, only)), None) => {
                    let key = Nibbles::from_nibbles([nibble]);
                    match only.take() {
                        None => Ok(None),
                        Some(only) => join(source, root, key, only).map(Some),
                    }
                }
                _ => Ok(Some(Part::Branch(children))),
            }
        }
        Some(part) => unchanged(part),
    }
}

/// `part` behind `prefix`, where two extensions or an extension and a leaf become one.
fn join(
    source: &impl NodeSource,
    root: B256,
    prefix: Nibbles,
    part: Part,
) -> Result<Part, TrieError> {
    // a clean part is loaded to see what it is, but stays clean if it is a branch
    let reference = match &part {
        Part::Clean(reference) => Some(reference.clone()),
        _ => None,
    };
    let joined = |key: Nibbles| {
        if prefix.len() + key.len() > KEY_NIBBLES {
            return Err(malformed(root, "a path longer than a key"));
        }
        Ok(prefix.join(&key))
    };
    Ok(match part.load(source, root)? {
        Some(Part::Leaf(key, value)) => Part::Leaf(joined(key)?, value),
        Some(Part::Extension(key, child)) => Part::Extension(joined(key)?, child),
        Some(part) => behind(prefix, reference.map_or(part, Part::Clean)),
        None => return Err(TrieError::Missing(root)),
    })
}
