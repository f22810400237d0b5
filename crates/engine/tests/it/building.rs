//! Blocks that are built from the pool.

use crate::small_chain::{SmallChain, TIME, User, call, deposit, forks_activating, forks_up_to};
use alloy_consensus::TxEip1559;
use alloy_primitives::{Address, B256, Bytes, U256, address, keccak256};
use core::time::Duration;
use doppio_engine::{
    Attributes, BuildRequest, BuildSettings, Engine, EngineError, EngineSettings, ExecutedBlock,
    ForkChoice, PayloadId, PooledTransaction, Status, Store, build_block,
};
use doppio_protocol::config::{Fork, ForkTimes};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

const TO: Address = address!("00000000000000000000000000000000000000bb");

/// An engine on a small chain; its database is gone when it is dropped.
struct Fixture {
    chain: SmallChain,
    engine: Engine,
    file: PathBuf,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

impl Fixture {
    fn new(test: &str, forks: ForkTimes, alloc: Value) -> Self {
        let chain = SmallChain::new(forks, alloc);
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("building-{test}.redb"));
        let _ = fs::remove_file(&file);
        let store = Store::open(&file, &chain.genesis, 16 << 20).unwrap();
        let settings = EngineSettings::default();
        let engine = Engine::new(chain.genesis.clone(), store, &settings).unwrap();
        Self {
            chain,
            engine,
            file,
        }
    }

    fn jovian(test: &str) -> Self {
        Self::new(test, forks_up_to(Fork::Jovian), json!({}))
    }

    fn send(&self, bytes: &Bytes) {
        let transaction = PooledTransaction::decode(bytes.clone()).unwrap();
        self.engine.view().add_transaction(transaction).unwrap();
    }

    fn set(&self, change: impl FnOnce(&mut BuildSettings)) {
        change(&mut self.engine.view().building());
    }

    /// Asks for a block on a parent.
    fn begin(
        &mut self,
        parent: B256,
        attributes: Attributes,
        forced: &[Bytes],
        pool: bool,
    ) -> PayloadId {
        let id = PayloadId::new(3, parent, &attributes, forced, !pool);
        let request = BuildRequest {
            id,
            attributes,
            transactions: forced.to_vec(),
            no_tx_pool: !pool,
        };
        let status = self
            .engine
            .forkchoice_updated(&head(parent), Some(&request));
        assert_eq!(status.unwrap(), Status::Valid);
        id
    }

    /// The block after the first, from the pool.
    fn build(&mut self, forced: &[Bytes]) -> Arc<ExecutedBlock> {
        let (parent, attributes) = (self.chain.genesis.hash, self.chain.attributes());
        let id = self.begin(parent, attributes, forced, true);
        self.engine.get_payload(id).unwrap()
    }

    /// Makes a block the head.
    fn adopt(&mut self, block: &ExecutedBlock) {
        let status = self
            .engine
            .new_payload(block.hash, &block.header, &block.transactions);
        assert_eq!(status.unwrap(), Status::Valid);
        let status = self.engine.forkchoice_updated(&head(block.hash), None);
        assert_eq!(status.unwrap(), Status::Valid);
    }

    fn pool_len(&self) -> usize {
        self.engine.view().pool().len()
    }
}

fn head(hash: B256) -> ForkChoice {
    ForkChoice {
        head: hash,
        safe: B256::ZERO,
        finalized: B256::ZERO,
    }
}

fn transfer(nonce: u64, tip: u128) -> TxEip1559 {
    TxEip1559 {
        max_priority_fee_per_gas: tip,
        value: U256::from(1),
        ..call(nonce, TO, 21_000)
    }
}

fn forced() -> Bytes {
    deposit(TO, 100_000, Bytes::new()).encode()
}

#[test]
fn a_block_holds_what_is_forced_and_then_the_pool_best_paid_first() {
    let mut fixture = Fixture::jovian("order");
    let [low, high, later] = [
        User(1).sign(transfer(0, 10)),
        User(2).sign(transfer(0, 20)),
        User(2).sign(transfer(1, 5)),
    ];
    for bytes in [&low, &later, &high] {
        fixture.send(bytes);
    }
    let without = fixture.chain.attributes();
    let without = Attributes {
        timestamp: without.timestamp + 2,
        ..without
    };
    let id = fixture.begin(fixture.chain.genesis.hash, without, &[forced()], false);
    let alone = fixture.engine.get_payload(id).unwrap();
    assert_eq!(alone.transactions, [forced()], "noTxPool");

    let block = fixture.build(&[forced()]);
    let expected = [forced(), high, low, later];
    assert_eq!(block.transactions, expected);
    // the same block as if all had been forced
    let same = fixture.chain.build(&expected).unwrap();
    assert_eq!(block.hash, same.hash);
    assert_eq!(block.fees(), U256::from(21_000 * (10 + 20 + 5)));
    assert_eq!(alone.fees(), U256::ZERO);

    fixture.adopt(&block);
    assert_eq!(fixture.pool_len(), 0);
    assert_eq!(fixture.engine.labels().head, block.hash);
}

#[test]
fn what_comes_before_the_block_is_fetched_is_in_it() {
    let mut fixture = Fixture::jovian("top-up");
    let transactions = [0, 1, 2].map(|nonce| User(1).sign(transfer(nonce, 5)));
    fixture.send(&transactions[0]);
    let (parent, attributes) = (fixture.chain.genesis.hash, fixture.chain.attributes());
    let id = fixture.begin(parent, attributes, &[forced()], true);
    fixture.send(&transactions[1]);
    fixture.engine.top_up().unwrap();
    fixture.send(&transactions[2]);
    let block = fixture.engine.get_payload(id).unwrap();
    let [zero, one, two] = transactions;
    let expected = [forced(), zero, one, two];
    assert_eq!(block.transactions, expected);
    assert_eq!(block.hash, fixture.chain.build(&expected).unwrap().hash);
    // it was fetched: it stays as it is
    fixture.send(&User(2).sign(transfer(0, 5)));
    fixture.engine.top_up().unwrap();
    assert_eq!(fixture.engine.get_payload(id).unwrap().hash, block.hash);
}

#[test]
fn data_limits_hold_for_the_pool_and_not_for_what_is_forced() {
    let rich = json!({ User(4).address().to_string(): { "balance": "0xffffffffffffffffffff" } });
    let mut fixture = Fixture::new("da", forks_up_to(Fork::Jovian), rich);
    // bytes without repetition: its estimate is about its size
    let noise: Bytes = (0..32_u8).flat_map(|byte| keccak256([byte]).0).collect();
    let large = |user: User, tip| {
        user.sign(TxEip1559 {
            gas_limit: 200_000,
            input: noise.clone(),
            ..transfer(0, tip)
        })
    };
    let big = PooledTransaction::decode(large(User(1), 90)).unwrap();
    assert!(big.da_size() > 800, "{}", big.da_size());
    fixture.send(&large(User(1), 90));
    for user in [User(2), User(3)] {
        fixture.send(&user.sign(transfer(0, 5)));
    }
    let size_of = |block: &ExecutedBlock| block.transactions.len();
    let attributes = fixture.chain.attributes();
    let parent = fixture.chain.genesis.hash;
    let forced = [large(User(4), 0)];
    let mut build = |timestamp, transaction, block| {
        fixture.set(|settings| {
            settings.max_da_transaction = transaction;
            settings.max_da_block = block;
        });
        let attributes = Attributes {
            timestamp,
            ..attributes.clone()
        };
        let id = fixture.begin(parent, attributes, &forced, true);
        size_of(&fixture.engine.get_payload(id).unwrap())
    };
    // a transfer counts 100, as the smallest does
    assert_eq!(build(TIME, 0, 0), 4);
    assert_eq!(build(TIME + 1, 500, 0), 3, "one is too large by itself");
    assert_eq!(build(TIME + 2, 0, 250), 3, "it is too large for the block");
    assert_eq!(build(TIME + 3, 0, 199), 2);
    assert_eq!(build(TIME + 4, 0, 99), 1);
    assert_eq!(
        build(TIME + 5, big.da_size(), big.da_size() + 200),
        4,
        "limits are inclusive"
    );
}

#[test]
fn what_does_not_fit_gives_way_to_what_does() {
    let mut fixture = Fixture::jovian("gas");
    let hungry = User(1).sign(TxEip1559 {
        gas_limit: 1_000_000,
        ..transfer(0, 90)
    });
    let after = User(1).sign(transfer(1, 90));
    let small = User(2).sign(transfer(0, 5));
    for bytes in [&hungry, &after, &small] {
        fixture.send(bytes);
    }
    fixture.set(|settings| settings.gas_ceiling = 500_000);
    let block = fixture.build(&[]);
    assert_eq!(
        block.transactions,
        [small],
        "an account waits for its first transaction"
    );
    assert_eq!(
        block.header.gas_limit, 60_000_000,
        "the header has the attributes' limit"
    );
}

#[test]
fn the_first_block_of_a_fork_takes_nothing_from_the_pool() {
    for fork in [Fork::Jovian, Fork::Karst] {
        let test = format!("activation-{fork}");
        let mut fixture = Fixture::new(&test, forks_activating(fork), json!({}));
        fixture.send(&User(1).sign(transfer(0, 5)));
        let block = fixture.build(&[forced()]);
        assert_eq!(block.transactions, [forced()], "{fork}");
        fixture.adopt(&block);
        assert_eq!(fixture.pool_len(), 1, "it is for the next block");
        let attributes = fixture.chain.attributes();
        let attributes = Attributes {
            timestamp: TIME + 2,
            eip1559_params: Some(Default::default()),
            min_base_fee: Some(0),
            ..attributes
        };
        let id = fixture.begin(block.hash, attributes, &[forced()], true);
        assert_eq!(
            fixture.engine.get_payload(id).unwrap().transactions.len(),
            2,
            "{fork}"
        );
    }
}

#[test]
fn what_cannot_be_paid_any_more_is_left_out_and_leaves_the_pool() {
    // the contract takes all that the poor user has: it is delegated to, and sends its balance on
    // PUSH0 x4, SELFBALANCE, PUSH20 to, GAS, CALL
    let poor = User(9);
    let drain = format!("0x5f5f5f5f4773{TO:x}5af100");
    let code = "0x00000000000000000000000000000000000000cc";
    let alloc = json!({
        code: { "balance": "0x0", "code": drain },
        poor.address().to_string(): {
            "balance": format!("{:#x}", 30_000_000_000_000_000_u64),
            "code": format!("0xef0100{}", &code[2..]),
        },
    });
    let mut fixture = Fixture::new("drained", forks_up_to(Fork::Jovian), alloc);
    let payment = poor.sign(TxEip1559 {
        max_fee_per_gas: 1_000_000_000_000,
        ..transfer(0, 5)
    });
    fixture.send(&payment);
    let draining = User(1).sign(TxEip1559 {
        to: poor.address().into(),
        gas_limit: 100_000,
        value: U256::ZERO,
        ..transfer(0, 90)
    });
    fixture.send(&draining);
    let block = fixture.build(&[]);
    assert_eq!(block.transactions, [draining]);
    assert_eq!(fixture.pool_len(), 2);
    fixture.adopt(&block);
    assert_eq!(fixture.pool_len(), 0);
}

#[test]
fn a_block_is_sealed_in_the_time_given_with_what_is_forced() {
    let mut fixture = Fixture::jovian("time");
    fixture.send(&User(1).sign(transfer(0, 5)));
    fixture.set(|settings| settings.max_time = Some(Duration::ZERO));
    let block = fixture.build(&[forced()]);
    assert_eq!(block.transactions, [forced()]);
}

#[test]
fn the_time_for_a_block_is_for_all_its_fillings_together() {
    // JUMPDEST, PUSH0, JUMP: until the gas is gone
    let endless = address!("00000000000000000000000000000000000000ee");
    let alloc = json!({ endless.to_string(): { "balance": "0x0", "code": "0x5b5f56" } });
    let mut fixture = Fixture::new("time-in-all", forks_up_to(Fork::Jovian), alloc);
    fixture.set(|settings| settings.max_time = None);
    let long = User(1).sign(TxEip1559 {
        to: endless.into(),
        gas_limit: 25_000_000,
        ..transfer(0, 5)
    });
    fixture.send(&long);
    let (parent, attributes) = (fixture.chain.genesis.hash, fixture.chain.attributes());
    let id = fixture.begin(parent, attributes, &[forced()], true);
    // no machine burns so much gas in so little time: nothing is left of it
    fixture.set(|settings| settings.max_time = Some(Duration::from_millis(2)));
    fixture.send(&User(2).sign(transfer(0, 5)));
    let block = fixture.engine.get_payload(id).unwrap();
    assert_eq!(block.transactions, [forced(), long]);
}

#[test]
fn a_reorg_gives_transactions_back_to_the_pool() {
    let mut fixture = Fixture::jovian("reorg");
    let bytes = User(1).sign(transfer(0, 5));
    fixture.send(&bytes);
    let mut heads = fixture.engine.view().news().heads.end();
    let block = fixture.build(&[forced()]);
    fixture.adopt(&block);
    assert_eq!(fixture.pool_len(), 0);
    let (spec, store) = (&fixture.chain.genesis.spec, &fixture.chain.store);
    let other = Attributes {
        timestamp: TIME + 2,
        ..fixture.chain.attributes()
    };
    let other = build_block(spec, store, fixture.chain.parent(), &other, &[forced()]).unwrap();
    fixture.adopt(&other);
    assert!(
        fixture
            .engine
            .view()
            .pool()
            .get(keccak256(&bytes))
            .is_some()
    );
    assert_eq!(fixture.engine.view().pool().ready(), 1);
    // and it was told
    let (moves, end) = fixture.engine.view().news().heads.since(heads).unwrap();
    heads += 2;
    assert_eq!(end, heads);
    assert_eq!(
        (&moves[0].removed[..], &moves[0].added[..]),
        (&[][..], &[(1, block.hash)][..])
    );
    assert_eq!(moves[1].removed, [(1, block.hash)]);
    assert_eq!(moves[1].added, [(1, other.hash)]);
}

#[test]
fn attributes_with_a_forced_transaction_that_fails_are_refused_as_a_whole() {
    let mut fixture = Fixture::jovian("forced");
    fixture.send(&User(1).sign(transfer(0, 5)));
    let attributes = fixture.chain.attributes();
    let request = BuildRequest {
        id: PayloadId([1; 8]),
        attributes,
        transactions: vec![forced(), User(2).sign(transfer(7, 5))],
        no_tx_pool: false,
    };
    let choice = head(fixture.chain.genesis.hash);
    let error = fixture
        .engine
        .forkchoice_updated(&choice, Some(&request))
        .unwrap_err();
    assert!(
        matches!(error, EngineError::InvalidAttributes(_)),
        "{error}"
    );
    assert!(fixture.engine.get_payload(request.id).is_err());
    // deposits only, as the rollup node then asks
    assert_eq!(fixture.build(&[forced()]).transactions.len(), 2);
}
