//! Single transactions on OP Mainnet rules, from the OP Stack's own state-transition fixtures.

use crate::small_chain::genesis;
use alloy_consensus::{SignableTransaction, TxEip1559, TxReceipt, proofs::calculate_receipt_root};
use alloy_eips::Encodable2718;
use alloy_primitives::{
    Address, B256, Bloom, Bytes, Signature, TxKind, U64, U128, U256, keccak256,
};
use doppio_engine::{
    BlockExecution, BlockInput, ChainSpec, MemoryStore, StateAt, decode_transactions,
};
use doppio_protocol::config::RollupConfig;
use doppio_test_vectors::Vectors;
use op_alloy_consensus::OpTxEnvelope;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Transaction {
    chain_id: U64,
    nonce: U64,
    gas_limit: U64,
    max_fee_per_gas: U128,
    max_priority_fee_per_gas: U128,
    to: Address,
    value: U256,
    input: Bytes,
    r: U256,
    s: U256,
    y_parity: U64,
    hash: B256,
}

impl Transaction {
    fn encode(&self) -> Bytes {
        let signature = Signature::new(self.r, self.s, !self.y_parity.is_zero());
        let transaction = TxEip1559 {
            chain_id: self.chain_id.to(),
            nonce: self.nonce.to(),
            gas_limit: self.gas_limit.to(),
            max_fee_per_gas: self.max_fee_per_gas.to(),
            max_priority_fee_per_gas: self.max_priority_fee_per_gas.to(),
            to: TxKind::Call(self.to),
            value: self.value,
            input: self.input.clone(),
            ..TxEip1559::default()
        };
        let encoded = OpTxEnvelope::from(transaction.into_signed(signature)).encoded_2718();
        assert_eq!(keccak256(&encoded), self.hash);
        encoded.into()
    }
}

#[derive(Deserialize)]
struct After {
    balance: Option<U256>,
    nonce: Option<u64>,
    #[serde(default)]
    storage: BTreeMap<B256, B256>,
}

fn number<T: for<'a> Deserialize<'a>>(json: &Value) -> T {
    T::deserialize(json).unwrap()
}

/// Executes a fixture; `missing` is what it reads beside the accounts that it names.
#[track_caller]
fn assert_executed(vectors: &Vectors, name: &str, missing: Map<String, Value>) {
    let fixture = vectors.json(format!("tests-repo/exec_{name}.json"));
    let rollup = vectors.text("configs/op-mainnet.rollup.json");
    let rollup: RollupConfig = serde_json::from_str(&rollup).unwrap();
    let spec = ChainSpec::from_rollup(&rollup).unwrap();
    let env = &fixture["env"];
    let transaction: Transaction = number(&fixture["txs"][0]["EIP1559"]);
    let result = &fixture["result"];
    let gas_used: U64 = number(&result["receipts"][0]["gasUsed"]);

    let mut alloc = missing;
    for (address, account) in fixture["alloc"].as_object().unwrap() {
        let mut account = account.clone();
        if let Some(nonce) = account["nonce"].as_u64() {
            account["nonce"] = json!(format!("{nonce:#x}"));
        }
        alloc.insert(address.clone(), account);
    }
    let before: BTreeMap<Address, After> = number(&fixture["alloc"]);
    let after: BTreeMap<Address, After> = number(&fixture["outAlloc"]);

    // The fixture does not say the base fee. What the sender paid for a unit of gas says it.
    let sender = *after
        .keys()
        .find(|address| after[*address].nonce == Some(1))
        .unwrap();
    let balance = |state: &BTreeMap<Address, After>| state[&sender].balance.unwrap();
    let paid = balance(&before) - balance(&after) - transaction.value;
    let price: u128 = (paid / U256::from(gas_used)).to();
    let base_fee = price - transaction.max_priority_fee_per_gas.to::<u128>();

    let mut parent = genesis(spec.clone(), alloc);
    parent.header.number = number::<U64>(&env["currentNumber"]).to::<u64>() - 1;
    let mut store = MemoryStore::with_genesis(&parent).unwrap();
    let state = StateAt::new(&store, parent.header.state_root);
    let input = BlockInput {
        timestamp: number::<U64>(&env["currentTimestamp"]).to(),
        fee_recipient: number(&env["currentCoinbase"]),
        prev_randao: B256::ZERO,
        gas_limit: number::<U64>(&env["currentGasLimit"]).to(),
        base_fee: u64::try_from(base_fee).unwrap(),
        parent_beacon_block_root: Some(B256::ZERO),
        extra_data: Bytes::new(),
    };
    let parent = (&parent.header, parent.hash);
    let mut block = BlockExecution::begin(&spec, state, parent, input).unwrap();
    for transaction in decode_transactions(&[transaction.encode()]).unwrap() {
        block.execute(&transaction).unwrap();
    }
    let executed = block.finish().unwrap();

    assert_eq!(executed.gas_used, gas_used.to::<u64>(), "{name}");
    let root: B256 = number(&result["receiptRoot"]);
    assert_eq!(calculate_receipt_root(&executed.receipts), root, "{name}");
    let bloom: Bloom = number(&result["logsBloom"]);
    assert_eq!(executed.receipts[0].bloom(), bloom, "{name}");
    store.add(&executed.state).unwrap();
    let state = StateAt::new(&store, executed.state.root);
    for (address, after) in &after {
        let found = state.account(*address).unwrap().unwrap();
        assert_eq!(Some(found.balance), after.balance.or(Some(found.balance)));
        assert_eq!(Some(found.nonce), after.nonce.or(Some(found.nonce)));
        for (slot, value) in &after.storage {
            let found = state.storage(*address, (*slot).into()).unwrap();
            assert_eq!(
                found,
                U256::from_be_bytes(value.0),
                "{name}: {address} {slot}"
            );
        }
    }
}

#[test]
fn an_approval_of_the_governance_token() {
    if let Some(vectors) = Vectors::find("opstack") {
        assert_executed(&vectors, "GovernanceTokenPrecompile", Map::new());
    }
}

#[test]
fn a_deposit_of_wrapped_ether() {
    if let Some(vectors) = Vectors::find("opstack") {
        assert_executed(&vectors, "Weth9Precompile", Map::new());
    }
}

/// This fixture leaves out the contracts that are called: the token's code is in the other one, and
/// its name is known.
#[test]
fn two_calls_through_multicall3() {
    let Some(vectors) = Vectors::find("opstack") else {
        return;
    };
    let token = "0x4200000000000000000000000000000000000042";
    let multicall = "0xca11bde05977b3631167028862be2a173976ca11";
    let other = vectors.json("tests-repo/exec_GovernanceTokenPrecompile.json");
    let predeploys = vectors.json("upgrade/jovian_state.json.gz");
    // a short string: its bytes, and twice its length in the last byte
    let mut name = B256::right_padding_from(b"Optimism");
    name[31] = 16;
    let storage = json!({ "0x03": name });
    let token_code = &other["alloc"][token]["code"];
    let mut missing = Map::new();
    missing.insert(
        token.to_owned(),
        json!({ "code": token_code, "storage": storage }),
    );
    let code = &predeploys[multicall]["code"];
    missing.insert(multicall.to_owned(), json!({ "code": code }));
    assert_executed(&vectors, "Multicall3Preinstall", missing);
}
