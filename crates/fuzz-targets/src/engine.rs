//! What callers of the engine send, and what its database might hold.

use alloy_primitives::{B256, Bytes, keccak256, map::HashMap};
use doppio_engine::{
    BuildSettings, Engine, EngineApi, EngineSettings, Genesis, MemoryStore, NewNode,
    PooledTransaction, Store, decode_transaction, get, prove,
    rpc::{ChainApi, Settings},
    update,
};
use doppio_rpc::{JwtSecret, MethodSet};
use serde_json::Value;
use std::sync::{Arc, LazyLock, Mutex};

/// A chain of one block with all forks up to Jovian, on which the first development account is rich.
pub const GENESIS: &str = include_str!("../data/genesis.json");

pub(crate) fn transaction(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(transaction) = decode_transaction(0, &bytes) {
        assert_eq!(transaction.encoded_bytes(), &bytes);
    }
    if let Ok(pooled) = PooledTransaction::decode(bytes.clone()) {
        assert_eq!(pooled.bytes(), &bytes);
        assert_eq!(pooled.hash(), keccak256(&bytes));
        let tip = pooled.tip(0).expect("a base fee of 0 is always paid");
        assert!(tip <= pooled.fee_cap());
    }
}

/// Nodes, each after a byte with its length; the first is the root.
pub(crate) fn trie(data: &[u8]) {
    let mut nodes: HashMap<B256, Vec<u8>> = HashMap::default();
    let mut root = None;
    let mut rest = data;
    while let Some((length, tail)) = rest.split_first() {
        let (node, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        rest = tail;
        let hash = keccak256(node);
        root.get_or_insert(hash);
        nodes.insert(hash, node.to_vec());
    }
    let mut store = MemoryStore::default();
    for (hash, node) in nodes {
        // a store refuses what is no node
        let _ = store.add_nodes(&[NewNode {
            hash,
            rlp: node,
            places: Vec::new(),
        }]);
    }
    let root = root.unwrap_or_default();
    for key in [B256::ZERO, keccak256([1])] {
        let found = get(&store, root, &key);
        assert_eq!(found.is_ok(), prove(&store, root, &key).is_ok());
        let Ok(updated) = update(&store, root, [(key, Some(vec![1, 2, 3]))]) else {
            continue;
        };
        assert!(store.add_nodes(&updated.nodes).is_ok());
        let stored = get(&store, updated.root, &key);
        assert_eq!(stored.ok().flatten().as_deref(), Some(&[1, 2, 3][..]));
        let _ = update(&store, updated.root, [(key, None)]);
    }
}

pub(crate) fn genesis(data: &[u8]) {
    if let Ok(json) = core::str::from_utf8(data)
        && let Ok(genesis) = Genesis::parse(json, None)
    {
        assert_eq!(genesis.header.hash_slow(), genesis.hash);
    }
}

pub(crate) fn token(data: &[u8]) {
    let secret = JwtSecret::parse(&"5a".repeat(32)).expect("64 digits");
    if let Ok(token) = core::str::from_utf8(data)
        && secret.check(token, 1_700_000_000).is_ok()
    {
        assert!(secret.check(token, 1_700_001_000).is_err(), "it is stale");
    }
}

/// An engine in memory, and those who answer for it.
static ENGINE: LazyLock<(EngineApi, ChainApi)> = LazyLock::new(|| {
    let genesis = Genesis::parse(GENESIS, None).expect("our own genesis");
    let store = Store::in_memory(&genesis).expect("memory");
    let settings = EngineSettings {
        building: BuildSettings {
            max_time: None,
            ..BuildSettings::default()
        },
        ..EngineSettings::default()
    };
    let engine = Engine::new(genesis, store, &settings).expect("a new chain");
    let view = Arc::clone(engine.view());
    let settings = Settings {
        gas_cap: 300_000,
        max_filters: 100,
        ..Settings::default()
    };
    let namespaces = ["eth", "debug", "net", "web3", "txpool"];
    (
        EngineApi::new(Arc::new(Mutex::new(engine))),
        ChainApi::new(view, settings, &namespaces),
    )
});

/// A method's name, a line break, its arguments in JSON.
fn call(methods: &dyn MethodSet, data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else {
        return;
    };
    let (method, params) = text.split_once('\n').unwrap_or((text, "[]"));
    let Ok(params) = serde_json::from_str::<Vec<Value>>(params) else {
        return;
    };
    if let Err(error) = methods.call(method, params) {
        assert!(!error.message.is_empty());
        assert_ne!(error.code, -32603, "our own failure: {error}");
    }
}

pub(crate) fn engine_call(data: &[u8]) {
    call(&ENGINE.0, data);
}

pub(crate) fn rpc_call(data: &[u8]) {
    call(&ENGINE.1, data);
}
