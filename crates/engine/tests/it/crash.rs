//! An engine that is killed, again and again, while it imports.
//!
//! The test runs itself as the process that is killed: with [`DATABASE`] in its environment, the
//! test below imports blocks until it is.

use crate::chain::Chain;
use alloy_primitives::{B256, Bytes, keccak256};
use alloy_rlp::Decodable;
use alloy_trie::nodes::{RlpNode, TrieNode};
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};
use core::time::Duration;
use doppio_engine::{
    Engine, EngineSettings, ForkChoice, Labels, NO_PLACE, Node, NodeSource, Root, Status, Store,
    decode_node,
};
use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

const CHAIN: &str = "hostile-inbox";
const CACHE: usize = 16 << 20;
/// Names the database, for the process that is to be killed.
const DATABASE: &str = "DOPPIO_CRASH_DATABASE";
const KILLS: u64 = 50;

/// Random numbers, the same each time.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 += 1;
        let hash = keccak256(self.0.to_be_bytes());
        u64::from_be_bytes(hash[..8].try_into().unwrap()) % limit
    }
}

/// Imports the chain from where the database is, and says so after each block.
fn import(chain: &Chain, database: &Path) {
    let store = Store::open(database, &chain.genesis, CACHE).unwrap();
    let mut engine = Engine::new(chain.genesis.clone(), store, &EngineSettings::default()).unwrap();
    let head = engine
        .store()
        .header(engine.labels().head)
        .unwrap()
        .unwrap();
    let done = usize::try_from(head.number).unwrap();
    let mut out = std::io::stdout();
    writeln!(out, "\nhead {done}").unwrap();
    for block in &chain.blocks[done..] {
        let status = engine.new_payload(block.hash, &block.header, &block.transactions);
        assert_eq!(status.unwrap(), Status::Valid);
        let choice = ForkChoice {
            head: block.hash,
            safe: block.header.parent_hash,
            finalized: B256::ZERO,
        };
        assert_eq!(
            engine.forkchoice_updated(&choice, None).unwrap(),
            Status::Valid
        );
        writeln!(out, "head {}", block.header.number).unwrap();
    }
}

/// Kills the process when it is dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the import in a process of its own and kills it so long after it has begun. The last block
/// that it reported, and whether it was killed before it was through.
fn run_and_kill(database: &Path, after: Duration) -> (u64, bool) {
    let process = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("crash::an_engine_killed_at_any_moment_resumes_at_a_consistent_head")
        .env(DATABASE, database)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut process = Killed(process);
    let mut lines = BufReader::new(process.0.stdout.take().unwrap()).lines();
    let height = |line: &str| {
        line.strip_prefix("head ")
            .and_then(|text| text.parse().ok())
    };
    let mut reported = lines
        .by_ref()
        .find_map(|line| height(&line.unwrap()))
        .expect("the import begins");
    thread::sleep(after);
    let through = process.0.try_wait().unwrap().is_some();
    drop(process);
    // what it wrote before it died; the last line may be torn
    for line in lines.map_while(Result::ok) {
        reported = height(&line).unwrap_or(reported);
    }
    (reported, !through)
}

/// Reads every node of a trie; `leaf` sees the values, and where the nodes of their tries are.
fn walk(store: &Store, root: Root, leaf: &mut dyn FnMut(&[u8], u64)) {
    if root.hash == EMPTY_ROOT_HASH {
        return;
    }
    let node = store
        .node(&root.hash, root.place)
        .unwrap()
        .expect("a node of the head's state is missing");
    assert_eq!(keccak256(alloy_rlp::encode(&node.node)), root.hash);
    visit(store, &node, leaf);
}

fn visit(store: &Store, node: &Node, leaf: &mut dyn FnMut(&[u8], u64)) {
    let mut places = node.places.iter().copied();
    let mut place = || places.next().unwrap_or(NO_PLACE);
    let mut child = |pointer: &RlpNode| {
        let place = place();
        match pointer.as_hash() {
            Some(hash) => walk(store, Root { hash, place }, leaf),
            None => visit(store, &decode_node(B256::ZERO, pointer).unwrap(), leaf),
        }
    };
    match &node.node {
        TrieNode::EmptyRoot => {}
        TrieNode::Leaf(node) => leaf(&node.value, place()),
        TrieNode::Extension(node) => child(&node.child),
        TrieNode::Branch(node) => node.stack.iter().for_each(child),
    }
}

/// Checks all that must be there for a head.
fn check(chain: &Chain, store: &Store) -> u64 {
    let Labels { head, safe, .. } = store.labels();
    let header = store.header(head).unwrap().expect("the head's header");
    let number = header.number;
    assert_eq!(store.canonical(number).unwrap(), Some(head));
    assert_eq!(store.canonical(number + 1).unwrap(), None);
    let blocks = &chain.blocks[..usize::try_from(number).unwrap()];
    for block in blocks {
        assert_eq!(
            store.canonical(block.header.number).unwrap(),
            Some(block.hash)
        );
        let body: Option<Vec<Bytes>> = store.transactions(block.hash).unwrap();
        assert_eq!(body.as_ref(), Some(&block.transactions));
        assert!(store.receipts(block.hash).unwrap().is_some());
        for transaction in &block.transactions {
            let place = store.transaction(keccak256(transaction)).unwrap().unwrap();
            assert_eq!(place.block, block.header.number);
        }
    }
    if let Some(block) = blocks.last() {
        assert_eq!((head, safe), (block.hash, block.header.parent_hash));
    }
    let mut storage = Vec::new();
    walk(store, header.state_root.into(), &mut |value, place| {
        let hash = TrieAccount::decode(&mut &value[..]).unwrap().storage_root;
        storage.push(Root { hash, place });
    });
    assert!(!storage.is_empty());
    for root in storage {
        walk(store, root, &mut |_, _| {});
    }
    number
}

#[test]
fn an_engine_killed_at_any_moment_resumes_at_a_consistent_head() {
    let Some(chain) = Chain::open(CHAIN) else {
        return;
    };
    if let Some(database) = env::var_os(DATABASE) {
        import(&chain, Path::new(&database));
        return;
    }
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("crash.redb");
    let _ = fs::remove_file(&file);
    let mut random = Random(0);
    let mut kills = 0;
    while kills < KILLS {
        let after = Duration::from_micros(random.below(60_000));
        let (reported, killed) = run_and_kill(&file, after);
        kills += u64::from(killed);
        let store = Store::open(&file, &chain.genesis, CACHE).unwrap();
        let head = check(&chain, &store);
        assert!(
            head >= reported,
            "block {reported} was the head, and is lost: {head}"
        );
        drop(store);
        if head == chain.blocks.len() as u64 {
            // to the same hashes, as `check` has seen; once more from the beginning
            fs::remove_file(&file).unwrap();
        }
    }
    // whatever is left goes on to the end
    import(&chain, &file);
    let store = Store::open(&file, &chain.genesis, CACHE).unwrap();
    assert_eq!(check(&chain, &store), chain.blocks.len() as u64);
    drop(store);
    fs::remove_file(&file).unwrap();
}
