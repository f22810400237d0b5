//! What is refused of a genesis.json, and of a chain's configuration.

use crate::small_chain::{PARAMS, forks_up_to};
use alloy_primitives::{B256, b256};
use doppio_engine::{ChainSpec, ChainSpecError, Genesis, GenesisError};
use doppio_protocol::config::{ChainOpConfig, Fork, ForkTimes};
use serde_json::{Value, json};

/// A genesis.json of a chain in which everything up to Karst is active.
fn well_made() -> Value {
    json!({
        "config": {
            "chainId": 901,
            "bedrockBlock": 0,
            "regolithTime": 0,
            "canyonTime": 0,
            "ecotoneTime": 0,
            "fjordTime": 0,
            "graniteTime": 0,
            "holoceneTime": 0,
            "isthmusTime": 0,
            "jovianTime": 0,
            "karstTime": 0,
            "optimism": {
                "eip1559Elasticity": 6,
                "eip1559Denominator": 50,
                "eip1559DenominatorCanyon": 250,
            },
        },
        "gasLimit": "0x1c9c380",
        "difficulty": "0x0",
        "alloc": {},
    })
}

fn parse(json: &Value) -> Result<Genesis, GenesisError> {
    Genesis::parse(&json.to_string(), None)
}

#[track_caller]
fn assert_refused(change: impl FnOnce(&mut Value), reason: &str) {
    let mut json = well_made();
    change(&mut json);
    let error = parse(&json).unwrap_err().to_string();
    assert!(error.contains(reason), "{error}");
}

#[test]
fn what_is_wrong_with_a_genesis_is_said() {
    parse(&well_made()).unwrap();
    assert_refused(|json| json["config"] = Value::Null, "no config");
    assert_refused(
        |json| json["alloc"] = Value::Null,
        "neither alloc nor stateHash",
    );
    assert_refused(|json| json["alloc"] = json!({ "0x12": {} }), "0x12");
    let word = B256::repeat_byte(1);
    let both = |json: &mut Value| {
        json["alloc"] = json!({ "0x4200000000000000000000000000000000000015": {} });
        json["stateHash"] = json!(word);
    };
    assert_refused(both, "both");
    let long = format!("0x{}", "11".repeat(33));
    let slot =
        json!({ "0x4200000000000000000000000000000000000015": { "storage": { long: word } } });
    assert_refused(|json| json["alloc"] = slot, "longer than 32 bytes");
    assert_refused(
        |json| json["config"]["optimism"] = Value::Null,
        "not an OP Stack chain",
    );
    assert_refused(|json| json["config"]["cel2Time"] = json!(0), "Celo");
    assert_refused(|json| json["config"]["chainId"] = json!(42_220), "Celo");
    assert_refused(|json| json["config"]["lagoonTime"] = json!(9), "Lagoon");
    assert_refused(
        |json| json["config"]["bedrockBlock"] = json!(5),
        "becomes Bedrock at block 5",
    );
    assert_refused(
        |json| json["config"]["optimism"]["eip1559Denominator"] = json!(0),
        "eip1559Denominator is 0",
    );
    assert_refused(
        |json| json["config"]["fjordTime"] = Value::Null,
        "Granite is scheduled at 0, before Fjord (never)",
    );
}

#[test]
fn forks_come_in_order() {
    let new = |forks: ForkTimes| ChainSpec::new(901, forks, &PARAMS);
    for fork in Fork::ALL {
        new(forks_up_to(fork)).unwrap();
    }
    let forks = ForkTimes {
        isthmus: Some(10),
        jovian: Some(9),
        ..forks_up_to(Fork::Jovian)
    };
    let error = new(forks).unwrap_err();
    let named = matches!(
        error,
        ChainSpecError::Order {
            earlier: Fork::Isthmus,
            later: Fork::Jovian,
            later_time: 9,
            ..
        }
    );
    assert!(named, "{error}");
    // Delta is nothing to an execution layer
    let without_delta = ForkTimes {
        delta: None,
        ..forks_up_to(Fork::Ecotone)
    };
    new(without_delta).unwrap();
    let zero = ChainOpConfig {
        eip1559_elasticity: 0,
        ..PARAMS
    };
    let error = ChainSpec::new(901, ForkTimes::default(), &zero).unwrap_err();
    assert_eq!(error, ChainSpecError::Zero("eip1559Elasticity"));
}

/// Where op-geth fills in what a genesis.json leaves out.
#[test]
fn defaults_are_those_of_op_geth() {
    let mut json = well_made();
    json["gasLimit"] = json!("0x0");
    let header = parse(&json).unwrap().header;
    assert_eq!(header.gas_limit, 4_712_388);
    assert_eq!(header.base_fee_per_gas, Some(1_000_000_000));
    assert_eq!(header.blob_gas_used, Some(0));
    assert_eq!(header.excess_blob_gas, Some(0));
    assert_eq!(header.parent_beacon_block_root, Some(B256::ZERO));
    // no message passer, no root of its storage
    assert_eq!(header.withdrawals_root, Some(B256::ZERO));
    // SHA-256 of nothing
    let nothing = b256!("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(header.requests_hash, Some(nothing));
}
