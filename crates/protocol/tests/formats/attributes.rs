//! Payload attributes: their JSON, and the deposits-only form. Which fields a block has is
//! decided by crate `doppio-derive`.

use crate::common::{address_of, bytes_of, hash_of, number_of, vectors};
use alloy_primitives::{Address, B64, B256, Bytes, address};
use doppio_protocol::{
    attributes::{PayloadAttributes, SEQUENCER_FEE_VAULT},
    extra_data::Eip1559Params,
};
use serde_json::{Value, json};

fn params(value: &Value) -> Option<Eip1559Params> {
    value
        .as_str()
        .map(|params| Eip1559Params::from_packed(params.parse().unwrap()))
}

/// Reads attributes in the form that engines take, deposits apart from the rest.
fn read(json: &Value) -> PayloadAttributes {
    let transactions: Vec<Bytes> = json["transactions"]
        .as_array()
        .unwrap()
        .iter()
        .map(bytes_of)
        .collect();
    let (deposits, others) = transactions
        .into_iter()
        .partition(|tx| tx.first() == Some(&0x7e));
    let others: Vec<Bytes> = others;
    PayloadAttributes {
        timestamp: number_of(&json["timestamp"]),
        prev_randao: hash_of(&json["prevRandao"]),
        suggested_fee_recipient: address_of(&json["suggestedFeeRecipient"]),
        has_withdrawals: json["withdrawals"].is_array(),
        parent_beacon_block_root: json["parentBeaconBlockRoot"]
            .as_str()
            .map(|r| r.parse().unwrap()),
        deposits,
        transactions: others.iter().collect(),
        no_tx_pool: true,
        gas_limit: json.get("gasLimit").map_or(0, number_of),
        eip1559: params(&json["eip1559Params"]),
        min_base_fee: json["minBaseFee"].as_u64(),
    }
}

#[test]
fn attributes_are_written_as_engines_take_them() {
    let Some(vectors) = vectors() else { return };
    let file = vectors.json("engine/attributes.json");
    let sent = &file["attributes_json"];
    let mut expected = sent.clone();
    expected["noTxPool"] = json!(true);
    expected["gasLimit"] = json!("0x0");
    assert_eq!(serde_json::to_value(read(sent)).unwrap(), expected);
    // and with what Jovian adds: a number, not a quantity
    let mut jovian = file["payload_id"][0]["attributes"].clone();
    jovian["minBaseFee"] = file["payload_id"][1]["minBaseFee"].clone();
    let written = serde_json::to_value(read(&jovian)).unwrap();
    assert_eq!(written["minBaseFee"], json!(100));
    assert_eq!(written["gasLimit"], json!("0x1c9c380"));
    assert_eq!(written["timestamp"], json!("0x670d6db5"));
    assert_eq!(written.get("eip1559Params"), None);
}

#[test]
fn attributes_of_real_blocks_are_written_back() {
    let Some(vectors) = vectors() else { return };
    let mut seen = 0;
    for folder in ["kona-executor", "celo-executor"] {
        for name in vectors
            .list(folder)
            .iter()
            .filter(|name| name.ends_with(".gz"))
        {
            let fixture = vectors.json(format!("{folder}/{name}"));
            let mut expected = fixture["fixture"]["executing_payload"].clone();
            let attributes = read(&expected);
            expected["noTxPool"] = json!(true);
            assert_eq!(
                serde_json::to_value(&attributes).unwrap(),
                expected,
                "{name}"
            );
            assert_eq!(attributes.suggested_fee_recipient, SEQUENCER_FEE_VAULT);
            seen += 1;
        }
    }
    assert_eq!(seen, 27);
}

#[test]
fn fields_that_a_fork_does_not_have_are_not_written() {
    let bedrock = PayloadAttributes {
        timestamp: 5,
        ..PayloadAttributes::default()
    };
    let keys = |attributes: &PayloadAttributes| -> Vec<String> {
        serde_json::to_value(attributes)
            .unwrap()
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    };
    let always = [
        "gasLimit",
        "noTxPool",
        "prevRandao",
        "suggestedFeeRecipient",
        "timestamp",
        "transactions",
    ];
    assert_eq!(keys(&bedrock), always);
    let all = PayloadAttributes {
        has_withdrawals: true,
        parent_beacon_block_root: Some(B256::ZERO),
        eip1559: Some(Eip1559Params::default()),
        min_base_fee: Some(0),
        ..bedrock
    };
    let written = serde_json::to_value(&all).unwrap();
    assert_eq!(written["withdrawals"], json!([]));
    assert_eq!(written["parentBeaconBlockRoot"], json!(B256::ZERO));
    assert_eq!(written["eip1559Params"], json!(B64::ZERO));
    assert_eq!(written["minBaseFee"], json!(0));
    assert_eq!(keys(&all).len(), always.len() + 4);
    assert_eq!(
        SEQUENCER_FEE_VAULT,
        address!("4200000000000000000000000000000000000011")
    );
}

// opstack 11 G: kona as_deposits_{multi, none, only, no_txs}

#[test]
fn deposits_only_keeps_deposits_and_everything_else() {
    for (deposits, others) in [(2, 3), (0, 3), (2, 0), (0, 0)] {
        let attributes = PayloadAttributes {
            timestamp: 9,
            suggested_fee_recipient: Address::repeat_byte(1),
            deposits: vec![Bytes::from_static(&[0x7e, 1]); deposits],
            transactions: vec![[2u8, 3].as_slice(); others].into_iter().collect(),
            gas_limit: 77,
            min_base_fee: Some(3),
            ..PayloadAttributes::default()
        };
        assert_eq!(attributes.transaction_count(), deposits + others);
        assert_eq!(attributes.is_deposits_only(), others == 0);
        let all: Vec<&[u8]> = attributes.all_transactions().collect();
        let expected = [vec![[0x7e, 1].as_slice(); deposits], vec![&[2, 3]; others]].concat();
        assert_eq!(all, expected, "deposits first");
        let only = attributes.deposits_only();
        assert!(only.is_deposits_only());
        assert_eq!(only.deposits, attributes.deposits);
        let again = PayloadAttributes {
            transactions: attributes.transactions.clone(),
            ..only
        };
        assert_eq!(again, attributes, "nothing else changes");
    }
}
