//! What a transaction pays beside its gas: L1's data fee in each of its forms, and the operator fee.
//!
//! The recorded chains pay all forms that a chain with Regolith meets, from Bedrock's formula to
//! the operator fee. The formulas are written out here once more, and two cases are added that no
//! recorded chain has: a chain without Regolith, and users in the block that activates Ecotone.

use crate::small_chain::{
    FEE_RECIPIENT, L1_BLOCK, SmallChain, User, call, forks_activating, forks_up_to, word,
};
use alloy_primitives::{Address, Bytes, U256, address};
use doppio_engine::StateAt;
use doppio_protocol::config::{Fork, ForkTimes};
use serde_json::{Value, json};

const L1_FEE_VAULT: Address = address!("420000000000000000000000000000000000001A");
const OPERATOR_FEE_VAULT: Address = address!("420000000000000000000000000000000000001B");

const L1_BASE_FEE: u64 = 31_000_000_007;
const BLOB_BASE_FEE: u64 = 5_000_003;
const OVERHEAD: u64 = 188;
const SCALAR: u64 = 684_000;
const BASE_FEE_SCALAR: u64 = 5_227;
const BLOB_BASE_FEE_SCALAR: u64 = 1_014_213;
const OPERATOR_SCALAR: u64 = 1_700_000;
const OPERATOR_CONSTANT: u64 = 12_345;

/// The contract with Bedrock's parameters, and with Ecotone's if `ecotone`.
fn l1_block(ecotone: bool) -> Value {
    let mut storage = json!({
        word(1): word(L1_BASE_FEE),
        word(5): word(OVERHEAD),
        word(6): word(SCALAR),
        word(8): word((U256::from(OPERATOR_SCALAR) << 64) | U256::from(OPERATOR_CONSTANT)),
    });
    if ecotone {
        let scalars = (BASE_FEE_SCALAR << 32) | BLOB_BASE_FEE_SCALAR;
        storage[word(3)] = json!(word(U256::from(scalars) << 64));
        storage[word(7)] = json!(word(BLOB_BASE_FEE));
    }
    json!({ L1_BLOCK: { "storage": storage } })
}

/// A transaction with data whose fee can be told from its length.
fn transaction() -> Bytes {
    let mut transaction = call(0, Address::repeat_byte(0x77), 50_000);
    transaction.input = Bytes::from_static(&[0, 0, 0, 1, 2, 3, 0, 9]);
    User(1).sign(transaction)
}

/// What the vaults got: L1's fee and the operator's; and the gas that was used.
fn paid(forks: ForkTimes, ecotone: bool) -> (U256, U256, u64) {
    let mut chain = SmallChain::new(forks, l1_block(ecotone));
    let sender = User(1).address();
    let before = chain.state().account(sender).unwrap().unwrap().balance;
    let block = chain.build(&[transaction()]).unwrap();
    chain.store.add(&block.executed.state).unwrap();
    let state = StateAt::new(&chain.store, block.header.state_root);
    let balance = |address| {
        let account = state.account(address).unwrap();
        account.map_or(U256::ZERO, |account| account.balance)
    };
    let (l1, operator) = (balance(L1_FEE_VAULT), balance(OPERATOR_FEE_VAULT));
    // the sender paid exactly this and the base fee
    let gas = block.header.gas_used;
    let base_fee = U256::from(gas) * U256::from(block.header.base_fee_per_gas.unwrap());
    assert_eq!(before - balance(sender), l1 + operator + base_fee);
    assert_eq!(balance(FEE_RECIPIENT), U256::ZERO);
    (l1, operator, gas)
}

fn calldata_gas(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .map(|byte| if *byte == 0 { 4 } else { 16 })
        .sum()
}

fn bedrock(calldata_gas: u64) -> U256 {
    U256::from(calldata_gas + OVERHEAD) * U256::from(L1_BASE_FEE) * U256::from(SCALAR)
        / U256::from(1_000_000)
}

fn weighted_fee() -> U256 {
    U256::from(16 * L1_BASE_FEE) * U256::from(BASE_FEE_SCALAR)
        + U256::from(BLOB_BASE_FEE) * U256::from(BLOB_BASE_FEE_SCALAR)
}

#[test]
fn before_regolith_a_signature_is_paid_for_as_well() {
    let (l1, operator, _) = paid(ForkTimes::default(), false);
    assert_eq!(l1, bedrock(calldata_gas(&transaction()) + 68 * 16));
    assert_eq!(operator, U256::ZERO);
}

#[test]
fn from_regolith_on_only_the_bytes_are_paid_for() {
    for fork in [Fork::Regolith, Fork::Canyon, Fork::Delta] {
        let (l1, operator, _) = paid(forks_up_to(fork), false);
        assert_eq!(l1, bedrock(calldata_gas(&transaction())), "{fork}");
        assert_eq!(operator, U256::ZERO);
    }
}

#[test]
fn from_ecotone_on_blobs_are_paid_for() {
    let (l1, _, _) = paid(forks_up_to(Fork::Ecotone), true);
    let gas = U256::from(calldata_gas(&transaction()));
    assert_eq!(l1, gas * weighted_fee() / U256::from(16_000_000));
}

/// The contract gets its new parameters in the block after the one that activates Ecotone.
#[test]
fn in_the_block_that_activates_ecotone_the_old_rule_holds() {
    let expected = bedrock(calldata_gas(&transaction()));
    let (l1, _, _) = paid(forks_activating(Fork::Ecotone), false);
    assert_eq!(l1, expected);
    // also if later forks come in the same block
    let mut forks = forks_activating(Fork::Ecotone);
    forks.fjord = forks.ecotone;
    forks.granite = forks.ecotone;
    let (l1, _, _) = paid(forks, false);
    assert_eq!(l1, expected);
}

#[test]
fn from_fjord_on_short_transactions_pay_for_a_hundred_bytes() {
    assert!(transaction().len() < 150);
    for fork in [Fork::Fjord, Fork::Granite, Fork::Holocene] {
        let (l1, operator, _) = paid(forks_up_to(fork), true);
        assert_eq!(l1, weighted_fee() * U256::from(100) / U256::from(1_000_000));
        assert_eq!(operator, U256::ZERO, "{fork}");
    }
}

#[test]
fn isthmus_divides_the_operator_fee() {
    let (_, operator, gas) = paid(forks_up_to(Fork::Isthmus), true);
    let expected = gas * OPERATOR_SCALAR / 1_000_000 + OPERATOR_CONSTANT;
    assert_eq!(operator, U256::from(expected));
}

#[test]
fn jovian_multiplies_the_operator_fee() {
    for fork in [Fork::Jovian, Fork::Karst] {
        let (_, operator, gas) = paid(forks_up_to(fork), true);
        let expected = gas * OPERATOR_SCALAR * 100 + OPERATOR_CONSTANT;
        assert_eq!(operator, U256::from(expected), "{fork}");
    }
}
