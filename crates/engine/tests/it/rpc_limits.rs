//! What one call may ask for is what the operator allows.

use crate::small_chain::{SmallChain, forks_up_to};
use alloy_primitives::{Address, B256};
use doppio_engine::{
    Engine, EngineApi, EngineSettings, Store,
    rpc::{ChainApi, Settings},
};
use doppio_protocol::config::Fork;
use doppio_rpc::MethodSet;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// A chain of one block, in memory.
fn engine() -> Engine {
    let chain = SmallChain::new(forks_up_to(Fork::Jovian), json!({}));
    let store = Store::in_memory(&chain.genesis).unwrap();
    Engine::new(chain.genesis, store, &EngineSettings::default()).unwrap()
}

fn params(params: Value) -> Vec<Value> {
    let Value::Array(params) = params else {
        panic!("parameters are a list")
    };
    params
}

#[test]
fn readers_may_ask_for_as_much_as_the_settings_say() {
    let settings = Settings {
        max_fee_percentiles: 2,
        max_proof_keys: 3,
        max_filters: 1,
        ..Settings::default()
    };
    let api = ChainApi::new(Arc::clone(engine().view()), settings, &["eth"]);
    let call = |method, arguments| api.call(method, params(arguments));

    let keys = |count: usize| json!([Address::ZERO, vec![B256::ZERO; count], "latest"]);
    call("eth_getProof", keys(3)).unwrap();
    let error = call("eth_getProof", keys(4)).unwrap_err();
    assert_eq!(
        error.message,
        "too many storage keys requested (max 3, got 4)"
    );

    call("eth_feeHistory", json!([1, "latest", [10, 20]])).unwrap();
    let error = call("eth_feeHistory", json!([1, "latest", [10, 20, 30]])).unwrap_err();
    assert!(error.message.ends_with("over the query limit 2"), "{error}");

    call("eth_newBlockFilter", json!([])).unwrap();
    let error = call("eth_newBlockFilter", json!([])).unwrap_err();
    assert!(error.message.contains("no more are allowed"), "{error}");
}

#[test]
fn the_rollup_node_may_ask_for_as_many_bodies_as_it_is_let() {
    let api = EngineApi::new(Arc::new(Mutex::new(engine()))).with_max_bodies(2);
    for (method, allowed, refused) in [
        (
            "engine_getPayloadBodiesByHashV1",
            json!([vec![B256::ZERO; 2]]),
            json!([vec![B256::ZERO; 3]]),
        ),
        (
            "engine_getPayloadBodiesByRangeV1",
            json!(["0x1", "0x2"]),
            json!(["0x1", "0x3"]),
        ),
    ] {
        api.call(method, params(allowed)).unwrap();
        let error = api.call(method, params(refused)).unwrap_err();
        assert_eq!(
            (error.code, &*error.message),
            (-38004, "more than 2 bodies")
        );
    }
}
