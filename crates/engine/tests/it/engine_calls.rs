//! The engine over a database: what each call answers, and what is there after a restart.

use crate::chain::{Chain, RecordedBlock};
use alloy_primitives::{B256, Bytes};
use doppio_engine::{
    Attributes, BuildRequest, Engine, EngineError, EngineSettings, ForkChoice, PayloadId, Status,
    Store, StoreError,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

const CHAIN: &str = "hostile-inbox";
const CACHE: usize = 16 << 20;

/// A database file of a test; gone when dropped.
struct Database(PathBuf);

impl Database {
    fn new(test: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}.redb"));
        let _ = fs::remove_file(&path);
        Self(path)
    }

    fn open(&self, chain: &Chain) -> Engine {
        let store = Store::open(&self.0, &chain.genesis, CACHE).unwrap();
        Engine::new(chain.genesis.clone(), store, &EngineSettings::default()).unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn chain() -> Option<Chain> {
    Chain::open(CHAIN)
}

fn payload(engine: &mut Engine, block: &RecordedBlock) -> Status {
    engine
        .new_payload(block.hash, &block.header, &block.transactions)
        .unwrap()
}

const fn head(hash: B256) -> ForkChoice {
    ForkChoice {
        head: hash,
        safe: B256::ZERO,
        finalized: B256::ZERO,
    }
}

/// Imports the first `count` blocks, each of which becomes the head.
fn import(engine: &mut Engine, chain: &Chain, count: usize) {
    for block in &chain.blocks[..count] {
        assert_eq!(payload(engine, block), Status::Valid);
        let status = engine.forkchoice_updated(&head(block.hash), None).unwrap();
        assert_eq!(status, Status::Valid);
    }
}

/// The request for a block that was recorded.
fn request(block: &RecordedBlock, parent: B256) -> BuildRequest {
    let header = &block.header;
    let attributes = Attributes {
        timestamp: header.timestamp,
        fee_recipient: header.beneficiary,
        prev_randao: header.mix_hash,
        gas_limit: header.gas_limit,
        parent_beacon_block_root: header.parent_beacon_block_root,
        eip1559_params: header
            .extra_data
            .get(1..9)
            .map(alloy_primitives::B64::from_slice),
        min_base_fee: None,
    };
    let transactions = block.transactions.clone();
    BuildRequest {
        id: PayloadId::new(3, parent, &attributes, &transactions, true),
        attributes,
        transactions,
        no_tx_pool: true,
    }
}

#[test]
fn a_chain_is_there_again_after_a_restart_and_goes_on() {
    let Some(chain) = chain() else { return };
    let database = Database::new("restart");
    let mut engine = database.open(&chain);
    import(&mut engine, &chain, 100);
    let labels = engine.labels();
    assert_eq!(labels.head, chain.blocks[99].hash);
    drop(engine);
    let mut engine = database.open(&chain);
    assert_eq!(engine.labels(), labels);
    for (number, block) in (1..).zip(&chain.blocks[..100]) {
        let store = engine.store();
        assert_eq!(store.canonical(number).unwrap(), Some(block.hash));
        assert_eq!(store.header(block.hash).unwrap().unwrap(), block.header);
        let transactions = store.transactions(block.hash).unwrap().unwrap();
        assert_eq!(transactions, block.transactions);
        let receipts = store.receipts(block.hash).unwrap().unwrap();
        assert_eq!(receipts.len(), transactions.len());
        for (index, transaction) in (0..).zip(&transactions) {
            let hash = alloy_primitives::keccak256(transaction);
            let place = store.transaction(hash).unwrap().unwrap();
            assert_eq!((place.block, place.index), (number, index));
        }
    }
    for block in &chain.blocks[100..150] {
        assert_eq!(payload(&mut engine, block), Status::Valid);
    }
}

#[test]
fn a_block_that_is_known_is_valid_and_one_without_its_parent_is_syncing() {
    let Some(chain) = chain() else { return };
    let database = Database::new("known");
    let mut engine = database.open(&chain);
    import(&mut engine, &chain, 3);
    assert_eq!(payload(&mut engine, &chain.blocks[1]), Status::Valid);
    assert_eq!(payload(&mut engine, &chain.blocks[7]), Status::Syncing);
    let unknown = engine
        .forkchoice_updated(&head(chain.blocks[7].hash), None)
        .unwrap();
    assert_eq!(unknown, Status::Syncing);
    let zero = engine.forkchoice_updated(&head(B256::ZERO), None).unwrap();
    assert!(matches!(
        zero,
        Status::Invalid {
            latest_valid: None,
            ..
        }
    ));
    assert_eq!(engine.labels().head, chain.blocks[2].hash);
}

#[test]
fn a_hash_that_lies_is_invalid_without_a_valid_ancestor() {
    let Some(chain) = chain() else { return };
    let database = Database::new("lie");
    let mut engine = database.open(&chain);
    let block = &chain.blocks[0];
    let status = engine
        .new_payload(B256::repeat_byte(1), &block.header, &block.transactions)
        .unwrap();
    let Status::Invalid {
        latest_valid: None,
        reason,
    } = status
    else {
        panic!("{status:?}");
    };
    assert!(reason.contains("blockhash mismatch"), "{reason}");
}

#[test]
fn an_invalid_block_and_its_children_have_their_last_valid_ancestor() {
    let Some(chain) = chain() else { return };
    let database = Database::new("invalid");
    let mut engine = database.open(&chain);
    import(&mut engine, &chain, 5);
    let parent = chain.blocks[4].hash;
    let mut header = chain.blocks[5].header.clone();
    header.state_root = B256::repeat_byte(7);
    let bad = header.hash_slow();
    let is_invalid = |status: Status| matches!(&status, Status::Invalid { latest_valid, .. } if *latest_valid == Some(parent));
    let status = engine
        .new_payload(bad, &header, &chain.blocks[5].transactions)
        .unwrap();
    let Status::Invalid { reason, .. } = &status else {
        panic!("{status:?}");
    };
    assert!(reason.starts_with("stateRoot is"), "{reason}");
    assert!(is_invalid(status));
    // again, without being executed again; and its child
    let again = engine.new_payload(bad, &header, &[]).unwrap();
    assert!(is_invalid(again));
    let mut child = chain.blocks[6].header.clone();
    child.parent_hash = bad;
    let status = engine.new_payload(child.hash_slow(), &child, &[]).unwrap();
    assert!(is_invalid(status));
    let status = engine.forkchoice_updated(&head(bad), None).unwrap();
    assert!(is_invalid(status));
    // the right one is taken all the same
    assert_eq!(payload(&mut engine, &chain.blocks[5]), Status::Valid);
}

#[test]
fn labels_must_be_on_the_heads_chain() {
    let Some(chain) = chain() else { return };
    let database = Database::new("labels");
    let mut engine = database.open(&chain);
    import(&mut engine, &chain, 10);
    let hash = |index: usize| chain.blocks[index].hash;
    let mut choose = |head, safe, finalized| {
        let choice = ForkChoice {
            head,
            safe,
            finalized,
        };
        engine.forkchoice_updated(&choice, None)
    };
    assert_eq!(choose(hash(9), hash(5), hash(2)).unwrap(), Status::Valid);
    for (head, safe, finalized, label) in [
        (hash(9), B256::repeat_byte(1), hash(2), "safe"),
        (hash(9), hash(5), B256::repeat_byte(1), "finalized"),
        (hash(4), hash(5), hash(2), "safe"),
    ] {
        let error = choose(head, safe, finalized).unwrap_err();
        let is_label = matches!(&error, EngineError::InvalidForkChoice { label: found, .. } if *found == label);
        assert!(is_label, "{error}");
    }
    // what is refused changes nothing, and a label that is left out stays
    assert_eq!(engine.labels().head, hash(9));
    let choice = head(hash(8));
    assert_eq!(
        engine.forkchoice_updated(&choice, None).unwrap(),
        Status::Valid
    );
    assert_eq!(engine.labels().safe, hash(5));
    assert_eq!(engine.labels().finalized, hash(2));
}

#[test]
fn the_chain_goes_back_and_forth_between_forks() {
    let Some(chain) = chain() else { return };
    let database = Database::new("reorg");
    let mut engine = database.open(&chain);
    import(&mut engine, &chain, 20);
    // another chain from block 10 on: blocks of their first transaction alone
    let fork_point = &chain.blocks[9];
    let (mut parent, mut fork) = (fork_point.hash, Vec::new());
    engine
        .forkchoice_updated(&head(fork_point.hash), None)
        .unwrap();
    for block in &chain.blocks[10..14] {
        let mut request = request(block, parent);
        request.transactions.truncate(1);
        request.id = PayloadId::new(3, parent, &request.attributes, &request.transactions, true);
        engine
            .forkchoice_updated(&head(parent), Some(&request))
            .unwrap();
        let built = engine.get_payload(request.id).unwrap();
        let (hash, header) = (built.hash, built.header.clone());
        let status = engine
            .new_payload(hash, &header, &request.transactions)
            .unwrap();
        assert_eq!(status, Status::Valid);
        fork.push(hash);
        parent = hash;
    }
    engine.forkchoice_updated(&head(parent), None).unwrap();
    for (number, hash) in (11..).zip(&fork) {
        assert_eq!(engine.store().canonical(number).unwrap(), Some(*hash));
    }
    assert_eq!(engine.store().canonical(15).unwrap(), None);
    let lost = alloy_primitives::keccak256(chain.blocks[19].transactions.last().unwrap());
    assert_eq!(engine.store().transaction(lost).unwrap(), None);
    // and back
    engine
        .forkchoice_updated(&head(chain.blocks[19].hash), None)
        .unwrap();
    for (number, block) in (1..).zip(&chain.blocks[..20]) {
        assert_eq!(engine.store().canonical(number).unwrap(), Some(block.hash));
    }
    assert!(engine.store().transaction(lost).unwrap().is_some());
    import(&mut engine, &chain, 40);
}

#[test]
fn a_payload_is_the_block_that_its_attributes_give() {
    let Some(chain) = chain() else { return };
    let database = Database::new("build");
    let mut engine = database.open(&chain);
    let mut parent = chain.genesis.hash;
    for block in &chain.blocks[..30] {
        let request = request(block, parent);
        let status = engine
            .forkchoice_updated(&head(parent), Some(&request))
            .unwrap();
        assert_eq!(status, Status::Valid);
        assert_eq!(engine.get_payload(request.id).unwrap().hash, block.hash);
        assert_eq!(payload(&mut engine, block), Status::Valid);
        parent = block.hash;
    }
    let old = request(&chain.blocks[0], chain.genesis.hash).id;
    let error = engine.get_payload(old).unwrap_err();
    assert!(matches!(error, EngineError::UnknownPayload(id) if id == old));
}

#[test]
fn attributes_that_no_block_can_have_are_refused_but_the_head_moves() {
    let Some(chain) = chain() else { return };
    let database = Database::new("attributes");
    let mut engine = database.open(&chain);
    import(&mut engine, &chain, 3);
    engine
        .forkchoice_updated(&head(chain.blocks[1].hash), None)
        .unwrap();
    let parent = chain.blocks[2].hash;
    let mut late = request(&chain.blocks[3], parent);
    late.attributes.timestamp = chain.blocks[2].header.timestamp;
    let mut junk = request(&chain.blocks[3], parent);
    junk.transactions.push(Bytes::from_static(&[2, 0xc0]));
    for (request, reason) in [(late, "timestamp"), (junk, "transaction")] {
        let error = engine
            .forkchoice_updated(&head(parent), Some(&request))
            .unwrap_err();
        let EngineError::InvalidAttributes(text) = error else {
            panic!("{error}");
        };
        assert!(text.contains(reason), "{text}");
    }
    assert_eq!(engine.labels().head, parent);
}

#[test]
fn a_database_that_is_foreign_damaged_or_in_use_is_a_clear_error() {
    let Some(chain) = chain() else { return };
    let Some(other) = Chain::open("all-forks-calldata") else {
        return;
    };
    let database = Database::new("foreign");
    let store = Store::open(&database.0, &chain.genesis, CACHE).unwrap();
    let in_use = Store::open(&database.0, &chain.genesis, CACHE).unwrap_err();
    assert!(matches!(in_use, StoreError::InUse(_)), "{in_use}");
    drop(store);
    let foreign = Store::open(&database.0, &other.genesis, CACHE).unwrap_err();
    assert!(matches!(foreign, StoreError::Genesis { .. }), "{foreign}");
    fs::write(&database.0, vec![7; 100_000]).unwrap();
    let damaged = Store::open(&database.0, &chain.genesis, CACHE).unwrap_err();
    assert!(matches!(damaged, StoreError::Open { .. }), "{damaged}");
}
