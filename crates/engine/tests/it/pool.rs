//! The pool: what it takes, what it refuses, what it drops, and in which order it gives.

use crate::small_chain::{SmallChain, User, call, forks_up_to, word};
use alloy_consensus::{SignableTransaction, TxEip1559, TxLegacy, crypto::secp256k1::sign_message};
use alloy_eips::Encodable2718;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, address, keccak256};
use doppio_engine::{
    MAX_TRANSACTION_BYTES, Pool, PoolError, PoolHead, PoolLimits, PooledTransaction, SLOT_BYTES,
};
use doppio_protocol::config::Fork;
use op_alloy_consensus::OpTxEnvelope;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

const TO: Address = address!("00000000000000000000000000000000000000bb");
const GWEI: u128 = 1_000_000_000;

/// A pool on the first block of a small chain.
struct Fixture {
    chain: SmallChain,
    pool: Pool,
}

impl Fixture {
    fn new(fork: Fork, limits: PoolLimits, alloc: Value) -> Self {
        let chain = SmallChain::new(forks_up_to(fork), alloc);
        let (header, hash) = chain.parent();
        let head = PoolHead::read(&chain.genesis.spec, header, hash, &chain.state()).unwrap();
        let pool = Pool::new(limits, head);
        Self { chain, pool }
    }

    fn jovian() -> Self {
        Self::new(Fork::Jovian, PoolLimits::default(), json!({}))
    }

    fn add(&mut self, bytes: Bytes) -> Result<Vec<B256>, PoolError> {
        let transaction = PooledTransaction::decode(bytes)?;
        self.pool.add(transaction, &self.chain.state())
    }

    /// What the pool says to a transaction that it refuses.
    #[track_caller]
    fn refusal(&mut self, bytes: Bytes) -> String {
        let before = (self.pool.len(), self.pool.bytes());
        let error = self.add(bytes).unwrap_err().to_string();
        assert_eq!((self.pool.len(), self.pool.bytes()), before);
        error
    }

    /// Nonces of an account: ready, and waiting.
    fn nonces(&self, user: User) -> (Vec<u64>, Vec<u64>) {
        let (ready, waiting) = self.pool.of(user.address());
        let nonces = |list: Vec<std::sync::Arc<PooledTransaction>>| {
            list.iter().map(|each| each.nonce()).collect()
        };
        (nonces(ready), nonces(waiting))
    }

    /// Senders and nonces in the order in which a block takes them.
    fn best(&self, base_fee: u64) -> Vec<(Address, u64)> {
        self.pool
            .best(base_fee, 0)
            .map(|each| (each.sender(), each.nonce()))
            .collect()
    }

    /// The head becomes a block in which users have these nonces.
    fn move_to(&mut self, nonces: &[(User, u64)], returned: &[Bytes]) -> Vec<B256> {
        let mut alloc = serde_json::Map::new();
        for (user, nonce) in nonces {
            alloc.insert(
                user.address().to_string(),
                json!({ "balance": "0xffffffffffffffffffffffff", "nonce": format!("{nonce:#x}") }),
            );
        }
        let next = SmallChain::with_accounts(self.chain.forks, alloc);
        let (header, hash) = next.parent();
        let head = PoolHead::read(&next.genesis.spec, header, hash, &next.state()).unwrap();
        let returned = returned
            .iter()
            .map(|bytes| PooledTransaction::decode(bytes.clone()).unwrap())
            .collect();
        let touched = nonces.iter().map(|(user, _)| user.address()).collect();
        let ready = self
            .pool
            .head_moved(head, &next.state(), Some(touched), returned)
            .unwrap();
        self.chain = next;
        ready
    }
}

fn transfer(nonce: u64, tip: u128) -> TxEip1559 {
    TxEip1559 {
        max_fee_per_gas: 100 * GWEI,
        max_priority_fee_per_gas: tip,
        ..call(nonce, TO, 21_000)
    }
}

fn hash(bytes: &Bytes) -> B256 {
    keccak256(bytes)
}

#[test]
fn transactions_wait_for_the_nonces_before_them() {
    let mut fixture = Fixture::jovian();
    let user = User(1);
    let [zero, one, two] = [0, 1, 2].map(|nonce| user.sign(transfer(nonce, 5)));
    assert!(fixture.add(two.clone()).unwrap().is_empty());
    assert_eq!(fixture.nonces(user), (vec![], vec![2]));
    assert_eq!(fixture.pool.next_nonce(user.address()), Some(0));
    assert_eq!(fixture.add(zero.clone()).unwrap(), [hash(&zero)]);
    assert_eq!(fixture.nonces(user), (vec![0], vec![2]));
    // the gap closes: both can be executed now
    assert_eq!(fixture.add(one.clone()).unwrap(), [hash(&one), hash(&two)]);
    assert_eq!(fixture.nonces(user), (vec![0, 1, 2], vec![]));
    assert_eq!(fixture.pool.next_nonce(user.address()), Some(3));
    assert_eq!(fixture.pool.ready(), 3);
    assert_eq!(fixture.refusal(one), "already known");
}

#[test]
fn a_replacement_must_offer_a_tenth_more_of_both_fees() {
    let mut fixture = Fixture::jovian();
    let user = User(1);
    let priced = |fee: u128, tip: u128, to: u8| {
        user.sign(TxEip1559 {
            max_fee_per_gas: fee,
            max_priority_fee_per_gas: tip,
            to: TxKind::Call(Address::with_last_byte(to)),
            ..call(0, TO, 21_000)
        })
    };
    let old = priced(1_000, 100, 1);
    fixture.add(old.clone()).unwrap();
    for (fee, tip) in [
        (1_099, 110),
        (1_100, 109),
        (1_000, 200),
        (2_000, 100),
        (999, 99),
    ] {
        assert_eq!(
            fixture.refusal(priced(fee, tip, 2)),
            "replacement transaction underpriced",
            "{fee} {tip}"
        );
    }
    let new = priced(1_100, 110, 2);
    fixture.add(new.clone()).unwrap();
    assert_eq!(fixture.pool.len(), 1);
    assert_eq!(fixture.pool.bytes(), new.len());
    assert!(fixture.pool.get(hash(&old)).is_none());
    assert!(fixture.pool.get(hash(&new)).is_some());
}

#[test]
fn the_best_paid_go_first_but_each_account_in_its_order() {
    let mut fixture = Fixture::jovian();
    let [a, b, c] = [User(1), User(2), User(3)];
    for (user, nonce, tip) in [(a, 0, 10), (a, 1, 90), (b, 0, 50), (c, 0, 50), (b, 1, 40)] {
        fixture.add(user.sign(transfer(nonce, tip))).unwrap();
    }
    let [a, b, c] = [a, b, c].map(User::address);
    // of two that pay the same the one that came first
    assert_eq!(fixture.best(0), [(b, 0), (c, 0), (b, 1), (a, 0), (a, 1)]);
    // a base fee that leaves nobody more than 30 makes them all the same, but for those of less
    let base_fee = u64::try_from(100 * GWEI - 30).unwrap();
    assert_eq!(
        fixture.best(base_fee),
        [(b, 0), (c, 0), (b, 1), (a, 0), (a, 1)]
    );
    // nobody can pay this, so nobody is next
    assert_eq!(fixture.best(u64::try_from(100 * GWEI).unwrap() + 1), []);
    let above_thirty: Vec<_> = fixture.pool.best(0, 30).map(|each| each.nonce()).collect();
    assert_eq!(
        above_thirty,
        [0, 0, 1],
        "a's first pays 10, so its second has to wait too"
    );
}

#[test]
fn what_could_never_be_executed_is_refused_with_its_rule() {
    let mut fixture = Fixture::jovian();
    let user = User(1);
    let base = || transfer(0, 5);
    let creation = |size: usize| TxEip1559 {
        to: TxKind::Create,
        gas_limit: 20_000_000,
        input: vec![0; size].into(),
        ..base()
    };
    for (transaction, rule) in [
        (
            TxEip1559 {
                chain_id: 10,
                ..base()
            },
            "invalid sender: invalid chain id for signer: have 10 want 901".to_owned(),
        ),
        (
            TxEip1559 {
                gas_limit: 20_999,
                ..base()
            },
            "intrinsic gas too low: gas 20999, minimum needed 21000".to_owned(),
        ),
        (
            // 1,000 bytes that are not zero: 21,000 + 16,000 to begin, 21,000 + 40,000 at least
            TxEip1559 {
                gas_limit: 60_999,
                input: vec![1; 1_000].into(),
                ..base()
            },
            "insufficient gas for floor data gas cost: gas 60999, minimum needed 61000".to_owned(),
        ),
        (
            TxEip1559 {
                gas_limit: 30_000_001,
                ..base()
            },
            "exceeds block gas limit".to_owned(),
        ),
        (
            TxEip1559 {
                max_fee_per_gas: 4,
                ..base()
            },
            "max priority fee per gas higher than max fee per gas".to_owned(),
        ),
        (
            transfer(0, 0),
            "transaction underpriced: gas tip cap 0, minimum needed 1".to_owned(),
        ),
        (transfer(u64::MAX, 5), "nonce has max value".to_owned()),
        (
            creation(49_153),
            "max initcode size exceeded: code size 49153".to_owned(),
        ),
    ] {
        assert_eq!(fixture.refusal(user.sign(transaction)), rule);
    }
    fixture.add(user.sign(creation(49_152))).unwrap();
    let oversized = user.sign(TxEip1559 {
        input: vec![0; MAX_TRANSACTION_BYTES].into(),
        ..base()
    });
    let size = oversized.len();
    assert_eq!(
        fixture.refusal(oversized),
        format!("oversized data: transaction size {size}, limit 131072")
    );
}

#[test]
fn types_that_users_cannot_send_are_refused() {
    let mut fixture = Fixture::jovian();
    let deposit = crate::small_chain::deposit(TO, 100_000, Bytes::new()).encode();
    assert_eq!(fixture.refusal(deposit), "transaction type not supported");
    for junk in [&b""[..], &[2], &[3, 0xc0], &[0x7d, 0xc0], &[0xff; 40]] {
        let error = fixture.refusal(Bytes::copy_from_slice(junk));
        assert!(error.starts_with("malformed transaction"), "{error}");
    }
    // signed for any chain
    let legacy = TxLegacy {
        chain_id: None,
        gas_limit: 21_000,
        gas_price: GWEI,
        to: TxKind::Call(TO),
        ..TxLegacy::default()
    };
    let signature = sign_message(B256::with_last_byte(1), legacy.signature_hash()).unwrap();
    let bytes = OpTxEnvelope::from(legacy.into_signed(signature)).encoded_2718();
    assert_eq!(
        fixture.refusal(bytes.into()),
        "only replay-protected (EIP-155) transactions allowed over RPC"
    );
}

#[test]
fn forks_change_what_is_taken() {
    // Karst: no transaction of more than 2^24 gas
    let large = |gas_limit| {
        User(1).sign(TxEip1559 {
            gas_limit,
            ..transfer(0, 5)
        })
    };
    let mut jovian = Fixture::jovian();
    jovian.add(large((1 << 24) + 1)).unwrap();
    let mut karst = Fixture::new(Fork::Karst, PoolLimits::default(), json!({}));
    assert_eq!(
        karst.refusal(large((1 << 24) + 1)),
        "transaction gas limit too high (cap: 16777216, tx: 16777217)"
    );
    karst.add(large(1 << 24)).unwrap();
    // before Canyon code of any size may be created
    let creation = User(1).sign(TxEip1559 {
        to: TxKind::Create,
        gas_limit: 20_000_000,
        input: vec![0; 60_000].into(),
        ..transfer(0, 5)
    });
    let mut regolith = Fixture::new(Fork::Regolith, PoolLimits::default(), json!({}));
    regolith.add(creation).unwrap();
}

#[test]
fn a_sender_must_be_able_to_pay_for_all_that_it_has_in_the_pool() {
    let poor = User(9);
    // enough for two transfers at 100 gwei of fee cap, and one wei too little for a third
    let cost = 21_000 * 100 * GWEI;
    let alloc =
        json!({ poor.address().to_string(): { "balance": format!("{:#x}", 3 * cost - 1) } });
    let mut fixture = Fixture::new(Fork::Jovian, PoolLimits::default(), alloc);
    for nonce in 0..2 {
        fixture.add(poor.sign(transfer(nonce, 5))).unwrap();
    }
    let error = fixture.refusal(poor.sign(transfer(2, 5)));
    let balance = 3 * cost - 1;
    assert_eq!(
        error,
        format!(
            "insufficient funds for gas * price + value: balance {balance}, queued cost {}, tx cost {cost}",
            2 * cost
        )
    );
    // in the place of another it is counted once
    let dearer = TxEip1559 {
        max_fee_per_gas: 110 * GWEI,
        ..transfer(1, 6)
    };
    fixture.add(poor.sign(dearer)).unwrap();
    // value counts
    let all = TxEip1559 {
        value: U256::from(balance),
        ..transfer(0, 500)
    };
    assert!(fixture.refusal(poor.sign(all)).starts_with("replacement"));
}

#[test]
fn l1_and_the_operator_must_be_affordable_too() {
    // L1Block: base fee 1 gwei (slot 1), Ecotone scalars (slot 3), blob base fee 1 (slot 7),
    // operator fee: scalar 0, constant 77 (slot 8)
    let l1_block = "0x4200000000000000000000000000000000000015";
    let scalars = {
        let mut slot = [0; 32];
        slot[16..20].copy_from_slice(&1_000_000_u32.to_be_bytes()); // base fee scalar
        B256::from(slot).to_string()
    };
    let user = User(9);
    let transaction = user.sign(transfer(0, 5));
    // spec: opstack 3.11: max(100, ..) bytes, of which each costs 16 gas at the base fee times scalar
    let size = 100_u128;
    let l1_cost = size * 16 * GWEI;
    let operator = 77;
    let gas = 21_000 * 100 * GWEI;
    let needed = gas + l1_cost + operator;
    for (balance, enough) in [(needed, true), (needed - 1, false)] {
        let alloc = json!({
            l1_block: { "balance": "0x0", "code": "0x00", "storage": {
                word(U256::from(1)): word(U256::from(GWEI)),
                word(U256::from(3)): scalars,
                word(U256::from(7)): word(U256::from(1)),
                word(U256::from(8)): word(U256::from(77)),
            } },
            user.address().to_string(): { "balance": format!("{balance:#x}") },
        });
        let mut fixture = Fixture::new(Fork::Isthmus, PoolLimits::default(), alloc);
        let outcome = fixture.add(transaction.clone());
        assert_eq!(outcome.is_ok(), enough, "{outcome:?}");
    }
}

#[test]
fn contracts_send_nothing_and_delegated_accounts_one_at_a_time() {
    let (contract, delegated) = (User(7), User(8));
    let balance = "0xffffffffffffffffffff";
    let alloc = json!({
        contract.address().to_string(): { "balance": balance, "code": "0x6000" },
        delegated.address().to_string(): {
            "balance": balance,
            "code": format!("0xef0100{}", "11".repeat(20)),
        },
    });
    let mut fixture = Fixture::new(Fork::Jovian, PoolLimits::default(), alloc);
    let error = fixture.refusal(contract.sign(transfer(0, 5)));
    assert_eq!(
        error,
        format!("sender not an eoa: address {}", contract.address())
    );
    let limit = "in-flight transaction limit reached for delegated accounts";
    assert_eq!(fixture.refusal(delegated.sign(transfer(1, 5))), limit);
    fixture.add(delegated.sign(transfer(0, 5))).unwrap();
    assert_eq!(fixture.refusal(delegated.sign(transfer(1, 5))), limit);
    let dearer = TxEip1559 {
        max_fee_per_gas: 110 * GWEI,
        ..transfer(0, 6)
    };
    fixture.add(delegated.sign(dearer)).unwrap();
}

#[test]
fn an_account_has_so_many_slots() {
    let mut fixture = Fixture::jovian();
    let user = User(1);
    for nonce in 0..14 {
        fixture.add(user.sign(transfer(nonce, 5))).unwrap();
    }
    let large = |nonce, size: usize| {
        user.sign(TxEip1559 {
            gas_limit: 10_000_000,
            input: vec![0; size].into(),
            ..transfer(nonce, 5)
        })
    };
    // three slots do not fit any more, two do
    assert_eq!(
        fixture.refusal(large(14, 2 * SLOT_BYTES)),
        "account limit exceeded: 17 slots of the sender would be in the pool, limit 16"
    );
    fixture.add(large(14, SLOT_BYTES)).unwrap();
    assert_eq!(
        fixture.refusal(user.sign(transfer(15, 5))),
        "account limit exceeded: 17 slots of the sender would be in the pool, limit 16"
    );
    // others are not concerned
    fixture.add(User(2).sign(transfer(0, 5))).unwrap();
}

#[test]
fn a_full_pool_keeps_what_pays_most() {
    let limits = PoolLimits {
        transactions: 4,
        ..PoolLimits::default()
    };
    let mut fixture = Fixture::new(Fork::Jovian, limits, json!({}));
    let [a, b, c] = [User(1), User(2), User(3)];
    for (user, nonce, tip) in [(a, 0, 10), (a, 1, 30), (b, 0, 20), (b, 5, 99)] {
        fixture.add(user.sign(transfer(nonce, tip))).unwrap();
    }
    let full = "txpool is full: all other transactions pay more";
    // what waits for others goes before what can be executed, whatever it pays
    fixture.add(c.sign(transfer(0, 11))).unwrap();
    assert_eq!(fixture.nonces(b), (vec![0], vec![]));
    // the last of each account counts: a's second keeps its first
    assert_eq!(fixture.refusal(b.sign(transfer(1, 11))), full);
    assert_eq!(fixture.refusal(c.sign(transfer(9, 500))), full);
    fixture.add(b.sign(transfer(1, 12))).unwrap();
    assert_eq!(fixture.nonces(c), (vec![], vec![]), "11 was the least");
    // one that takes another's place needs no room
    let dearer = TxEip1559 {
        max_fee_per_gas: 200 * GWEI,
        ..transfer(0, 40)
    };
    fixture.add(a.sign(dearer)).unwrap();
    assert_eq!(fixture.pool.len(), 4);
    assert_eq!(fixture.nonces(a), (vec![0, 1], vec![]));
}

#[test]
fn a_full_pool_counts_bytes_as_well() {
    let user = User(1);
    let large = |user: User, nonce, tip| {
        user.sign(TxEip1559 {
            gas_limit: 10_000_000,
            input: vec![0; 1_000].into(),
            ..transfer(nonce, tip)
        })
    };
    let size = large(user, 0, 5).len();
    let limits = PoolLimits {
        bytes: 2 * size,
        ..PoolLimits::default()
    };
    let mut fixture = Fixture::new(Fork::Jovian, limits, json!({}));
    fixture.add(large(user, 0, 5)).unwrap();
    fixture.add(large(user, 1, 5)).unwrap();
    assert!(
        fixture
            .refusal(large(User(2), 0, 5))
            .starts_with("txpool is full")
    );
    fixture.add(large(User(2), 0, 6)).unwrap();
    assert_eq!(fixture.pool.bytes(), 2 * size);
    assert_eq!(fixture.nonces(user), (vec![0], vec![]));
}

#[test]
fn what_is_in_a_block_leaves_and_comes_back_with_a_reorg() {
    let mut fixture = Fixture::jovian();
    let (user, other) = (User(1), User(2));
    let transactions = [0, 1, 2].map(|nonce| user.sign(transfer(nonce, 5)));
    for bytes in &transactions {
        fixture.add(bytes.clone()).unwrap();
    }
    fixture.add(other.sign(transfer(3, 5))).unwrap();
    assert_eq!(
        fixture.move_to(&[(user, 2), (other, 3)], &[]),
        [hash(&other.sign(transfer(3, 5)))]
    );
    assert_eq!(fixture.nonces(user), (vec![2], vec![]));
    assert_eq!(
        fixture.nonces(other),
        (vec![3], vec![]),
        "what it waited for happened"
    );
    // the block is undone
    let back = fixture.move_to(&[(user, 1)], &transactions[..2]);
    assert_eq!(fixture.nonces(user), (vec![1, 2], vec![]));
    assert!(back.contains(&hash(&transactions[1])));
    assert!(
        fixture.pool.get(hash(&transactions[0])).is_none(),
        "another block has it"
    );
}

#[test]
fn ten_thousand_pieces_of_junk_leave_nothing_behind() {
    let mut fixture = Fixture::jovian();
    let good = User(1).sign(transfer(0, 5));
    fixture.add(good.clone()).unwrap();
    let bytes = fixture.pool.bytes();
    for seed in 0..10_000_u64 {
        let noise = keccak256(seed.to_be_bytes());
        let junk: Bytes = if seed % 2 == 0 {
            noise.to_vec().into()
        } else {
            // a transaction that was signed, and then changed: another sender, who has nothing
            let mut changed = good.to_vec();
            let at = usize::from(noise[0]) % changed.len();
            changed[at] ^= noise[1] | 1;
            changed.into()
        };
        if junk != good {
            fixture.add(junk).unwrap_err();
        }
    }
    assert_eq!((fixture.pool.len(), fixture.pool.bytes()), (1, bytes));
}

/// What is done to a pool.
#[derive(Clone, Debug)]
enum Step {
    Add {
        user: u8,
        nonce: u64,
        tip: u128,
        size: usize,
    },
    Block {
        user: u8,
        nonce: u64,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let add = (
        1..4_u8,
        0..8_u64,
        1..40_u128,
        prop_oneof![Just(0_usize), Just(900)],
    )
        .prop_map(|(user, nonce, tip, size)| Step::Add {
            user,
            nonce,
            tip,
            size,
        });
    let block = (1..4_u8, 0..8_u64).prop_map(|(user, nonce)| Step::Block { user, nonce });
    proptest::collection::vec(prop_oneof![9 => add, 1 => block], 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever happens, the pool is within its limits, its sums are those of its contents, and what
    /// it gives for a block is in order.
    #[test]
    fn the_pool_stays_consistent(steps in steps()) {
        let limits = PoolLimits { transactions: 6, bytes: 3_000, ..PoolLimits::default() };
        let mut fixture = Fixture::new(Fork::Jovian, limits, json!({}));
        let mut nonces: HashMap<u8, u64> = HashMap::new();
        for step in steps {
            match step {
                Step::Add { user, nonce, tip, size } => {
                    let _ = fixture.add(User(user).sign(TxEip1559 {
                        gas_limit: 100_000,
                        input: vec![0; size].into(),
                        ..transfer(nonce, tip)
                    }));
                }
                Step::Block { user, nonce } => {
                    nonces.insert(user, nonce);
                    let all: Vec<_> = (1..4)
                        .map(|user| (User(user), nonces.get(&user).copied().unwrap_or_default()))
                        .collect();
                    fixture.move_to(&all, &[]);
                }
            }
            let pool = &fixture.pool;
            prop_assert!(pool.len() <= limits.transactions && pool.bytes() <= limits.bytes);
            let all: Vec<_> = pool
                .accounts()
                .flat_map(|account| {
                    let (ready, waiting) = pool.of(account);
                    ready.into_iter().chain(waiting)
                })
                .collect();
            prop_assert_eq!(all.len(), pool.len());
            prop_assert_eq!(all.iter().map(|each| each.bytes().len()).sum::<usize>(), pool.bytes());
            for each in &all {
                prop_assert!(pool.get(each.hash()).is_some());
            }
            let mut next = BTreeMap::new();
            for each in pool.best(0, 0) {
                let known = *next.entry(each.sender()).or_insert(each.nonce());
                prop_assert_eq!(known, each.nonce());
                next.insert(each.sender(), known + 1);
            }
            prop_assert_eq!(pool.best(0, 0).count(), pool.ready());
        }
    }
}
