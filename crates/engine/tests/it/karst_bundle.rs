//! The Karst upgrade: what its transactions make of the predeploys is what upstream says they make.

use crate::small_chain::{SmallChain, forks_activating};
use alloy_primitives::{Address, B256, Bytes, U64, U256, keccak256};
use alloy_trie::root::storage_root_unhashed;
use doppio_engine::{StateAt, build_block};
use doppio_protocol::{config::Fork, upgrades::Upgrade};
use doppio_test_vectors::Vectors;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Account {
    #[serde(default)]
    balance: U256,
    #[serde(default)]
    nonce: U64,
    #[serde(default)]
    code: Bytes,
    #[serde(default)]
    storage: BTreeMap<B256, B256>,
}

/// The predeploys, among them those that are not in use yet: in every chain's first block, the
/// whole range `0x4200…0000` to `0x4200…07ff` holds proxies. The given state leaves them out.
fn with_unused_predeploys(mut state: Value) -> Value {
    const ADMIN_SLOT: &str = "0xb53127684a568b3173ae13b9f8a6016e243e63b6e8ee1178d6a717850b5d6103";
    let proxy = state["0x4200000000000000000000000000000000000015"]["code"].clone();
    let admin = "0x0000000000000000000000004200000000000000000000000000000000000018";
    let accounts = state.as_object_mut().unwrap();
    for number in 0..0x800 {
        let address = format!("0x4200000000000000000000000000000000000{number:03x}");
        let unused = json!({ "code": proxy, "storage": { ADMIN_SLOT: admin } });
        accounts.entry(address).or_insert(unused);
    }
    state
}

#[test]
fn the_bundle_makes_karst_of_jovian() {
    let Some(vectors) = Vectors::find("opstack") else {
        return;
    };
    let bundle = vectors.text("upgrade/karst_nut_bundle.json.gz");
    let bundle = Upgrade::from_bundle("Karst", &bundle).unwrap();
    assert_eq!(bundle.transactions.len(), 31);
    let mut chain = SmallChain::new(
        forks_activating(Fork::Karst),
        with_unused_predeploys(vectors.json("upgrade/jovian_state.json.gz")),
    );
    let mut attributes = chain.attributes();
    attributes.gas_limit += bundle.gas;
    let (spec, parent) = (&chain.genesis.spec, chain.parent());
    let transactions = &bundle.transactions;
    let block = build_block(spec, &chain.store, parent, &attributes, transactions).unwrap();
    for (index, receipt) in block.executed.receipts.iter().enumerate() {
        assert!(receipt.status(), "transaction {index}");
    }
    chain.store.add(&block.executed.state).unwrap();
    let state = StateAt::new(&chain.store, block.header.state_root);
    let expected: BTreeMap<Address, Account> =
        serde_json::from_str(&vectors.text("upgrade/karst_state.json.gz")).unwrap();
    assert_eq!(expected.len(), 57);
    let mut slots = 0;
    for (address, expected) in &expected {
        let found = state.account(*address).unwrap();
        let found = found.unwrap_or_else(|| panic!("{address} is not there"));
        assert_eq!(found.balance, expected.balance, "{address}");
        assert_eq!(found.nonce, expected.nonce.to::<u64>(), "{address}");
        assert_eq!(found.code_hash, keccak256(&expected.code), "{address}");
        let code = state.code(found.code_hash).unwrap();
        assert_eq!(code, expected.code, "{address}");
        for (slot, value) in &expected.storage {
            let slot_value = state.storage(*address, (*slot).into()).unwrap();
            assert_eq!(slot_value, U256::from_be_bytes(value.0), "{address} {slot}");
            slots += 1;
        }
        // and no slot beside these
        let storage = expected.storage.iter();
        let storage = storage.map(|(slot, value)| (*slot, U256::from_be_bytes(value.0)));
        let storage = storage.filter(|(_, value)| !value.is_zero());
        assert_eq!(
            found.storage_root,
            storage_root_unhashed(storage),
            "{address}"
        );
    }
    assert_eq!(slots, 78);
}
