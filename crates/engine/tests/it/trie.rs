//! Tries: beside another implementation, over random histories; and damaged ones.

use alloy_primitives::{B256, Bytes, keccak256};
use alloy_trie::{EMPTY_ROOT_HASH, HashBuilder, Nibbles, proof::verify_proof};
use doppio_engine::{
    Leaf, NEW, NewNode, Node, NodeSource, Root, SourceError, TrieError, decode_node, get, get_leaf,
    prove, update, update_leaves,
};
use proptest::{collection::vec, prelude::*, sample::Index};
use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

/// Nodes in memory, as bytes, so that they can be damaged.
#[derive(Default)]
struct Nodes(RefCell<HashMap<B256, Vec<u8>>>);

impl NodeSource for Nodes {
    fn node(&self, hash: &B256, _: u64) -> Result<Option<Arc<Node>>, SourceError> {
        let nodes = self.0.borrow();
        let Some(rlp) = nodes.get(hash) else {
            return Ok(None);
        };
        let node = decode_node(*hash, rlp).map_err(|error| SourceError(error.to_string()))?;
        Ok(Some(Arc::new(node)))
    }
}

type Change = (B256, Option<Vec<u8>>);
type Model = BTreeMap<B256, Vec<u8>>;

impl Nodes {
    fn update(&self, root: B256, changes: Vec<Change>) -> Result<B256, TrieError> {
        let updated = update(self, root, changes)?;
        let nodes = updated.nodes.into_iter().map(|node| (node.hash, node.rlp));
        self.0.borrow_mut().extend(nodes);
        Ok(updated.root)
    }
}

/// Nodes that are found by their places alone, as the database finds them.
#[derive(Default)]
struct Placed(RefCell<Vec<(B256, Node)>>);

impl NodeSource for Placed {
    fn node(&self, hash: &B256, place: u64) -> Result<Option<Arc<Node>>, SourceError> {
        let nodes = self.0.borrow();
        let index = usize::try_from(place - 1).unwrap();
        let (there, node) = &nodes[index];
        assert_eq!(there, hash, "what is at place {place}");
        Ok(Some(Arc::new(node.clone())))
    }
}

impl Placed {
    fn update(&self, root: Root, changes: Vec<Change>) -> Root {
        let leaf = |value| Leaf { value, place: 77 };
        let changes = changes
            .into_iter()
            .map(|(key, value)| (key, value.map(leaf)));
        let mut new = Vec::new();
        let root = update_leaves(self, root, changes, &mut new).unwrap();
        let mut nodes = self.0.borrow_mut();
        let first = nodes.len() as u64 + 1;
        let place = |place: u64| match place & NEW {
            0 => place,
            _ => first + (place ^ NEW),
        };
        for NewNode { hash, rlp, places } in new {
            assert_eq!(keccak256(&rlp), hash);
            let Node { node, .. } = decode_node(hash, &rlp).unwrap();
            let places = places.into_iter().map(place).collect();
            nodes.push((hash, Node { node, places }));
        }
        Root {
            hash: root.hash,
            place: place(root.place),
        }
    }
}

fn apply(model: &mut Model, changes: &[Change]) {
    for (key, value) in changes {
        match value {
            Some(value) => model.insert(*key, value.clone()),
            None => model.remove(key),
        };
    }
}

/// The root by another implementation, from scratch.
fn root_of(model: &Model) -> B256 {
    let mut builder = HashBuilder::default();
    for (key, value) in model {
        builder.add_leaf(Nibbles::unpack(key), value);
    }
    builder.root()
}

/// Keys of long common prefixes: deep tries, with nodes short enough to be inlined.
fn key() -> impl Strategy<Value = B256> {
    let byte = prop::sample::select(vec![0x00, 0x01, 0x10, 0x11, 0xff]);
    (byte.clone(), byte.clone(), byte.clone(), byte).prop_map(|(a, b, c, d)| {
        let mut key = B256::ZERO;
        (key[0], key[1], key[30], key[31]) = (a, b, c, d);
        key
    })
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![vec(1..=255_u8, 1..3), vec(any::<u8>(), 1..60)]
}

fn change() -> impl Strategy<Value = Change> {
    (key(), prop::option::weighted(0.7, value()))
}

/// Batches of changes, one after the other. In a batch no key comes twice.
fn history() -> impl Strategy<Value = Vec<Vec<Change>>> {
    let batch = vec(change(), 0..12).prop_map(|batch| {
        let mut seen = HashSet::new();
        let fresh = batch.into_iter().filter(|(key, _)| seen.insert(*key));
        fresh.collect()
    });
    vec(batch, 1..6)
}

/// A trie with this history: its nodes, its root, and what it should hold.
fn grown(history: &[Vec<Change>]) -> (Nodes, B256, Model) {
    let (nodes, mut root, mut model) = (Nodes::default(), EMPTY_ROOT_HASH, Model::new());
    for batch in history {
        root = nodes.update(root, batch.clone()).unwrap();
        apply(&mut model, batch);
    }
    (nodes, root, model)
}

fn keys(history: &[Vec<Change>]) -> Vec<B256> {
    history.iter().flatten().map(|(key, _)| *key).collect()
}

proptest! {
    #[test]
    fn the_root_is_that_of_the_content(history in history()) {
        let (nodes, mut root, mut model) = (Nodes::default(), EMPTY_ROOT_HASH, Model::new());
        for batch in history {
            apply(&mut model, &batch);
            root = nodes.update(root, batch).unwrap();
            prop_assert_eq!(root, root_of(&model));
        }
        for (key, value) in &model {
            prop_assert_eq!(get(&nodes, root, key).unwrap(), Some(value.clone()));
        }
    }

    #[test]
    fn nodes_are_found_by_their_places(history in history()) {
        let (nodes, mut model) = (Placed::default(), Model::new());
        let mut root = Root::from(EMPTY_ROOT_HASH);
        for batch in history {
            apply(&mut model, &batch);
            root = nodes.update(root, batch);
            prop_assert_eq!(root.hash, root_of(&model));
            for (key, value) in &model {
                let leaf = get_leaf(&nodes, root, key).unwrap().unwrap();
                prop_assert_eq!(&leaf.value, value);
            }
        }
    }

    #[test]
    fn the_order_of_changes_does_not_matter(
        history in history(),
        content in prop::collection::btree_map(key(), prop::option::of(value()), 1..12),
        seed in any::<u8>(),
    ) {
        let (nodes, root, _) = grown(&history);
        let sorted: Vec<Change> = content.into_iter().collect();
        let mut mixed = sorted.clone();
        mixed.sort_by_key(|(key, _)| keccak256([key.0, [seed; 32]].concat()));
        prop_assert_eq!(nodes.update(root, sorted).unwrap(), nodes.update(root, mixed).unwrap());
    }

    #[test]
    fn what_is_put_and_taken_away_leaves_no_trace(
        history in history(),
        more in prop::collection::btree_map(key(), value(), 1..12),
    ) {
        let (nodes, root, model) = grown(&history);
        let added: Vec<Change> = more.clone().into_iter().map(|(k, v)| (k, Some(v))).collect();
        let with = nodes.update(root, added).unwrap();
        let former = more.keys().map(|key| (*key, model.get(key).cloned())).collect();
        prop_assert_eq!(nodes.update(with, former).unwrap(), root);
        // nothing is left when everything is taken away
        let none = model.keys().map(|key| (*key, None)).collect();
        prop_assert_eq!(nodes.update(root, none).unwrap(), EMPTY_ROOT_HASH);
    }

    #[test]
    fn older_roots_can_still_be_read(history in history()) {
        let (nodes, mut root, mut model) = (Nodes::default(), EMPTY_ROOT_HASH, Model::new());
        let mut past = Vec::new();
        for batch in history {
            past.push((root, model.clone()));
            apply(&mut model, &batch);
            root = nodes.update(root, batch).unwrap();
        }
        for (root, model) in past {
            for (key, value) in &model {
                prop_assert_eq!(get(&nodes, root, key).unwrap(), Some(value.clone()));
            }
        }
    }

    #[test]
    fn proofs_of_presence_and_absence_hold(history in history(), other in key()) {
        let (nodes, root, model) = grown(&history);
        for key in keys(&history).into_iter().chain([other]) {
            let proof: Vec<Bytes> = prove(&nodes, root, &key).unwrap();
            let value = model.get(&key).cloned();
            verify_proof(root, Nibbles::unpack(key), value.clone(), &proof)
                .map_err(|error| TestCaseError::fail(format!("{key}: {error}")))?;
            // and no other
            let lie = value.map_or_else(|| Some(vec![1]), |_| None);
            prop_assert!(verify_proof(root, Nibbles::unpack(key), lie, &proof).is_err());
        }
    }

    #[test]
    fn a_missing_node_is_named(history in history(), which in any::<Index>(), key in key()) {
        let (nodes, root, model) = grown(&history);
        prop_assume!(root != EMPTY_ROOT_HASH);
        let gone = *which.get(&nodes.0.borrow().keys().copied().collect::<Vec<_>>());
        nodes.0.borrow_mut().remove(&gone);
        match get(&nodes, root, &key) {
            Ok(value) => prop_assert_eq!(value.as_ref(), model.get(&key)),
            Err(TrieError::Missing(hash)) => prop_assert_eq!(hash, gone),
            Err(error) => prop_assert!(false, "{}", error),
        }
        for value in [None, Some(vec![1])] {
            match update(&nodes, root, [(key, value.clone())]) {
                Ok(updated) => {
                    let mut model = model.clone();
                    apply(&mut model, &[(key, value)]);
                    prop_assert_eq!(updated.root, root_of(&model));
                }
                Err(TrieError::Missing(hash)) => prop_assert_eq!(hash, gone),
                Err(error) => prop_assert!(false, "{}", error),
            }
        }
    }

    /// Whatever is wrong with the nodes, the calls end, with a value or an error.
    #[test]
    fn damaged_nodes_do_no_harm(
        history in history(),
        damage in vec((any::<Index>(), any::<Index>(), any::<u8>()), 1..8),
        key in key(),
    ) {
        let (nodes, root, _) = grown(&history);
        prop_assume!(root != EMPTY_ROOT_HASH);
        let hashes: Vec<B256> = nodes.0.borrow().keys().copied().collect();
        for (node, at, byte) in damage {
            let mut nodes = nodes.0.borrow_mut();
            let rlp = nodes.get_mut(node.get(&hashes)).unwrap();
            *at.get_mut(rlp) = byte;
        }
        let _ = get(&nodes, root, &key);
        let _ = prove(&nodes, root, &key);
        let _ = update(&nodes, root, [(key, None)]);
        let _ = update(&nodes, root, [(key, Some(vec![1]))]);
    }

    /// Nodes that are well-made, but swapped: paths become too long or too short.
    #[test]
    fn nodes_in_each_others_places_do_no_harm(
        history in history(),
        swaps in vec((any::<Index>(), any::<Index>()), 1..8),
        key in key(),
    ) {
        let (nodes, root, _) = grown(&history);
        prop_assume!(root != EMPTY_ROOT_HASH);
        let hashes: Vec<B256> = nodes.0.borrow().keys().copied().collect();
        for (a, b) in swaps {
            let mut nodes = nodes.0.borrow_mut();
            let taken = nodes[b.get(&hashes)].clone();
            nodes.insert(*a.get(&hashes), taken);
        }
        let _ = get(&nodes, root, &key);
        let _ = prove(&nodes, root, &key);
        let _ = update(&nodes, root, [(key, None)]);
        let _ = update(&nodes, root, [(key, Some(vec![1]))]);
    }

    #[test]
    fn any_bytes_are_a_node_or_an_error(bytes in vec(any::<u8>(), 0..100)) {
        let _ = decode_node(B256::ZERO, &bytes);
    }
}

#[test]
fn malformed_nodes_are_named() {
    let hash = B256::repeat_byte(3);
    for (bytes, error) in [
        (&[0xc2, 0x20, 0x01, 0x00][..], "trailing bytes"),
        (&[0x80], "empty node"),
        (&[0xc2, 0x00, 0xc0], "extension of nothing"),
        (&[0xc3, 0x20, 0x01, 0x01], "invalid number of items"),
        (&[], "too short"),
    ] {
        let found = decode_node(hash, bytes).unwrap_err();
        let said = found.to_string();
        assert!(said.contains(&hash.to_string()), "{said}");
        assert!(said.contains(error), "{said}");
    }
}

/// A branch that loses a child and gets another one in the same update does not read the third: a
/// witness need not have it.
#[test]
fn what_stays_as_it_is_is_not_read() {
    let nodes = Nodes::default();
    let key = |first| {
        let mut key = B256::ZERO;
        key[0] = first;
        key
    };
    let value = |byte| Some(vec![byte; 40]);
    let both = vec![(key(0x10), value(1)), (key(0x20), value(2))];
    let root = nodes.update(EMPTY_ROOT_HASH, both).unwrap();
    let kept = Model::from([(key(0x20), vec![2; 40]), (key(0x30), vec![3; 40])]);
    let third: Vec<B256> = {
        let nodes = nodes.0.borrow();
        let is_third = |rlp: &Vec<u8>| rlp.ends_with(&[2; 40]);
        let found = nodes.iter().filter(|(_, rlp)| is_third(rlp));
        found.map(|(hash, _)| *hash).collect()
    };
    assert_eq!(third.len(), 1);
    nodes.0.borrow_mut().remove(&third[0]);
    for changes in [
        vec![(key(0x10), None), (key(0x30), value(3))],
        vec![(key(0x30), value(3)), (key(0x10), None)],
    ] {
        assert_eq!(nodes.update(root, changes).unwrap(), root_of(&kept));
    }
    // without the other one it is needed, to be joined with what is above it
    let alone = nodes.update(root, vec![(key(0x10), None)]);
    assert!(matches!(alone, Err(TrieError::Missing(hash)) if hash == third[0]));
}
