//! Merkle Patricia tries whose nodes live elsewhere, found by their hash or by their place.
//!
//! Nothing is ever changed in place: an update returns the new root and the nodes that are new.
//! Since old nodes stay, every root that was ever stored can still be read.
//!
//! A source may give each node a *place*, a number of its own choice. Where a node is referred to,
//! its place is kept beside its hash, so that it is found without a search: a database in which
//! nodes lie in the order of their hashes has to change as many pages as there are new nodes.

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
    /// The node with a hash, which is at a place, or at [`NO_PLACE`]; none if there is no such node.
    fn node(&self, hash: &B256, place: u64) -> Result<Option<Arc<Node>>, SourceError>;
}

impl<S: NodeSource + ?Sized> NodeSource for &S {
    fn node(&self, hash: &B256, place: u64) -> Result<Option<Arc<Node>>, SourceError> {
        (**self).node(hash, place)
    }
}

/// The place of what has none, or whose place is not known: it is found by its hash.
pub const NO_PLACE: u64 = 0;

/// Marks the place of a node that is not stored yet: its index among the new nodes.
pub const NEW: u64 = 1 << 63;

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The node itself.
    pub node: TrieNode,
    /// The places of what it refers to: of a branch's children in order, of an extension's child, of
    /// the root of an account's storage. Empty if none is known.
    pub places: Vec<u64>,
}

impl Node {
    fn place(&self, index: usize) -> u64 {
        self.places.get(index).copied().unwrap_or(NO_PLACE)
    }
}

/// A node that an update made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNode {
    /// Its hash.
    pub hash: B256,
    /// Its encoding.
    pub rlp: Vec<u8>,
    /// As [`Node::places`]; those of new nodes are marked [`NEW`].
    pub places: Vec<u64>,
}

/// The root of a trie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    /// Its hash.
    pub hash: B256,
    /// Its place.
    pub place: u64,
}

impl From<B256> for Root {
    fn from(hash: B256) -> Self {
        Self {
            hash,
            place: NO_PLACE,
        }
    }
}

/// What is stored at a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The value.
    pub value: Vec<u8>,
    /// Of an account, the place of the root of its storage.
    pub place: u64,
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

/// Decodes a node without places, as [`NodeSource`]s do it.
pub fn decode_node(hash: B256, mut rlp: &[u8]) -> Result<Node, TrieError> {
    let node = decode_prefix(hash, &mut rlp)?;
    if !rlp.is_empty() {
        return Err(malformed(hash, "trailing bytes"));
    }
    Ok(Node {
        node,
        places: Vec::new(),
    })
}

/// Decodes the node that bytes begin with.
pub(crate) fn decode_prefix(hash: B256, rlp: &mut &[u8]) -> Result<TrieNode, TrieError> {
    let node = TrieNode::decode(rlp).map_err(|error| TrieError::Malformed { hash, error })?;
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

fn load(source: &impl NodeSource, hash: B256, place: u64) -> Result<Arc<Node>, TrieError> {
    source.node(&hash, place)?.ok_or(TrieError::Missing(hash))
}

/// The node behind a reference: stored under its hash, or inlined in node `holder`.
fn resolve(
    source: &impl NodeSource,
    holder: B256,
    reference: &RlpNode,
    place: u64,
) -> Result<Arc<Node>, TrieError> {
    match reference.as_hash() {
        Some(hash) => load(source, hash, place),
        None => Ok(Arc::new(decode_node(holder, reference)?)),
    }
}

/// The index of a branch's child among those that are there.
const fn child_index(mask: TrieMask, nibble: u8) -> Option<usize> {
    if !mask.is_bit_set(nibble) {
        return None;
    }
    let before = mask.get() & ((1 << nibble) - 1);
    Some(before.count_ones() as usize)
}

/// The value at a key.
pub fn get(
    source: &impl NodeSource,
    root: impl Into<Root>,
    key: &B256,
) -> Result<Option<Vec<u8>>, TrieError> {
    let leaf = get_leaf(source, root, key)?;
    Ok(leaf.map(|leaf| leaf.value))
}

/// What is at a key.
pub fn get_leaf(
    source: &impl NodeSource,
    root: impl Into<Root>,
    key: &B256,
) -> Result<Option<Leaf>, TrieError> {
    walk(source, root.into(), key, |_| ())
}

/// The proof of the value at a key, or that there is none: the nodes from the root down.
pub fn prove(
    source: &impl NodeSource,
    root: impl Into<Root>,
    key: &B256,
) -> Result<Vec<Bytes>, TrieError> {
    let mut proof = Vec::new();
    walk(source, root.into(), key, |node| {
        proof.push(alloy_rlp::encode(node).into());
    })?;
    Ok(proof)
}

/// Walks down to a key; `visit` sees each node that has a hash of its own.
fn walk(
    source: &impl NodeSource,
    root: Root,
    key: &B256,
    mut visit: impl FnMut(&TrieNode),
) -> Result<Option<Leaf>, TrieError> {
    if root.hash == EMPTY_ROOT_HASH {
        return Ok(None);
    }
    let path = Nibbles::unpack(key);
    let mut depth = 0;
    let mut hash = root.hash;
    let mut node = load(source, root.hash, root.place)?;
    visit(&node.node);
    loop {
        let (next, place) = match &node.node {
            TrieNode::EmptyRoot => return Ok(None),
            TrieNode::Leaf(leaf) => {
                let found = path.slice(depth..) == leaf.key;
                return Ok(found.then(|| Leaf {
                    value: leaf.value.clone(),
                    place: node.place(0),
                }));
            }
            TrieNode::Extension(extension) => {
                if !path.slice(depth..).starts_with(&extension.key) {
                    return Ok(None);
                }
                depth += extension.key.len();
                (extension.child.clone(), node.place(0))
            }
            TrieNode::Branch(branch) => {
                let Some(nibble) = path.get(depth) else {
                    return Ok(None);
                };
                let Some(index) = child_index(branch.state_mask, nibble) else {
                    return Ok(None);
                };
                let Some(next) = branch.stack.get(index) else {
                    return Ok(None);
                };
                depth += 1;
                (next.clone(), node.place(index))
            }
        };
        node = resolve(source, hash, &next, place)?;
        if let Some(next_hash) = next.as_hash() {
            hash = next_hash;
            visit(&node.node);
        }
    }
}

/// What an update made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Updated {
    /// The new root.
    pub root: B256,
    /// The nodes that are new. Some may have been there before under an older root.
    pub nodes: Vec<NewNode>,
}

/// A part of a trie in memory.
#[derive(Debug)]
enum Part {
    /// As it was, and where; not loaded.
    Clean(RlpNode, u64),
    Leaf(Nibbles, Leaf),
    Extension(Nibbles, Box<Self>),
    Branch(Box<[Option<Self>; 16]>),
}

/// Puts values at keys (`None` takes them away) and returns what is new. No key may come twice.
pub fn update(
    source: &impl NodeSource,
    root: impl Into<Root>,
    changes: impl IntoIterator<Item = (B256, Option<Vec<u8>>)>,
) -> Result<Updated, TrieError> {
    let leaf = |value| Leaf {
        value,
        place: NO_PLACE,
    };
    let changes = changes
        .into_iter()
        .map(|(key, value)| (key, value.map(leaf)));
    let mut nodes = Vec::new();
    let root = update_leaves(source, root, changes, &mut nodes)?;
    Ok(Updated {
        root: root.hash,
        nodes,
    })
}

/// The same with places. What is new is added to `nodes`.
pub fn update_leaves(
    source: &impl NodeSource,
    root: impl Into<Root>,
    changes: impl IntoIterator<Item = (B256, Option<Leaf>)>,
    nodes: &mut Vec<NewNode>,
) -> Result<Root, TrieError> {
    let Root { hash: root, place } = root.into();
    let mut part = (root != EMPTY_ROOT_HASH).then(|| Part::Clean(RlpNode::word_rlp(&root), place));
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
    let Some(part) = part else {
        return Ok(EMPTY_ROOT_HASH.into());
    };
    let (reference, place) = part.collapse(&mut Vec::new(), nodes);
    Ok(match reference.as_hash() {
        Some(hash) => Root { hash, place },
        // a root has a hash however short it is, and an inlined node may have become the root
        None => {
            let (hash, rlp) = (keccak256(&reference), reference.to_vec());
            let place = add(nodes, hash, rlp, Vec::new());
            Root { hash, place }
        }
    })
}

/// Adds a new node, and gives its place.
fn add(nodes: &mut Vec<NewNode>, hash: B256, rlp: Vec<u8>, places: Vec<u64>) -> u64 {
    let place = NEW | nodes.len() as u64;
    nodes.push(NewNode { hash, rlp, places });
    place
}

impl Part {
    /// What is known of a stored node.
    fn of(stored: &Node) -> Option<Self> {
        Some(match &stored.node {
            TrieNode::EmptyRoot => return None,
            TrieNode::Leaf(leaf) => {
                let (value, place) = (leaf.value.clone(), stored.place(0));
                Self::Leaf(leaf.key, Leaf { value, place })
            }
            TrieNode::Extension(extension) => Self::Extension(
                extension.key,
                Box::new(Self::Clean(extension.child.clone(), stored.place(0))),
            ),
            TrieNode::Branch(branch) => {
                let mut children: [Option<Self>; 16] = Default::default();
                for (nibble, place) in (0..).zip(&mut children) {
                    *place = child_index(branch.state_mask, nibble).and_then(|index| {
                        let reference = branch.stack.get(index)?.clone();
                        Some(Self::Clean(reference, stored.place(index)))
                    });
                }
                Self::Branch(Box::new(children))
            }
        })
    }

    /// A copy of a part that is not loaded.
    fn unloaded(&self) -> Option<Self> {
        match self {
            Self::Clean(reference, place) => Some(Self::Clean(reference.clone(), *place)),
            _ => None,
        }
    }

    /// The part, loaded one level deep.
    fn load(self, source: &impl NodeSource, root: B256) -> Result<Option<Self>, TrieError> {
        match self {
            Self::Clean(reference, place) => {
                Ok(Self::of(&*resolve(source, root, &reference, place)?))
            }
            part => Ok(Some(part)),
        }
    }

    /// Turns the part into its reference and its place, and what is new in it into nodes.
    fn collapse(self, rlp: &mut Vec<u8>, nodes: &mut Vec<NewNode>) -> (RlpNode, u64) {
        let mut places = Vec::new();
        let reference = match self {
            Self::Clean(reference, place) => return (reference, place),
            Self::Leaf(key, leaf) => {
                if leaf.place != NO_PLACE {
                    places.push(leaf.place);
                }
                rlp.clear();
                LeafNodeRef::new(&key, &leaf.value).rlp(rlp)
            }
            Self::Extension(key, child) => {
                let (child, place) = child.collapse(rlp, nodes);
                places.push(place);
                rlp.clear();
                ExtensionNodeRef::new(&key, &child).rlp(rlp)
            }
            Self::Branch(children) => {
                let mut stack = Vec::with_capacity(16);
                places.reserve_exact(16);
                let mut mask = TrieMask::default();
                for (nibble, child) in (0..).zip(*children) {
                    if let Some(child) = child {
                        let (reference, place) = child.collapse(rlp, nodes);
                        stack.push(reference);
                        places.push(place);
                        mask.set_bit(nibble);
                    }
                }
                rlp.clear();
                BranchNodeRef::new(&stack, mask).rlp(rlp)
            }
        };
        let place = match reference.as_hash() {
            Some(hash) => add(nodes, hash, rlp.clone(), places),
            None => NO_PLACE,
        };
        (reference, place)
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
    value: Leaf,
) -> Result<Part, TrieError> {
    let part = match part {
        None => None,
        Some(part) => part.load(source, root)?,
    };
    Ok(match part {
        None | Some(Part::Clean(..)) => Part::Leaf(path, value),
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
    let unloaded = part.unloaded();
    // what turns out not to hold the key stays as it was
    let unchanged = |part| Ok(Some(unloaded.unwrap_or(part)));
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
    let unloaded = part.unloaded();
    let joined = |key: Nibbles| {
        if prefix.len() + key.len() > KEY_NIBBLES {
            return Err(malformed(root, "a path longer than a key"));
        }
        Ok(prefix.join(&key))
    };
    Ok(match part.load(source, root)? {
        Some(Part::Leaf(key, value)) => Part::Leaf(joined(key)?, value),
        Some(Part::Extension(key, child)) => Part::Extension(joined(key)?, child),
        Some(part) => behind(prefix, unloaded.unwrap_or(part)),
        None => return Err(TrieError::Missing(root)),
    })
}
