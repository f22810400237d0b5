//! Payloads as the Engine API names them.

use alloy_primitives::{Address, B64, B256, Bytes};
use doppio_engine::{Attributes, PayloadId};
use doppio_test_vectors::Vectors;
use serde::Deserialize;
use serde_json::Value;

fn vectors(file: &str) -> Option<Value> {
    Some(Vectors::find("opstack")?.json(format!("engine/{file}.json")))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttributesJson {
    timestamp: u64,
    prev_randao: B256,
    suggested_fee_recipient: Address,
    parent_beacon_block_root: Option<B256>,
    transactions: Vec<Bytes>,
    no_tx_pool: Option<bool>,
    gas_limit: u64,
    eip1559_params: Option<B64>,
    min_base_fee: Option<u64>,
}

impl AttributesJson {
    fn id(&self, version: u8, parent: B256) -> String {
        let attributes = Attributes {
            timestamp: self.timestamp,
            fee_recipient: self.suggested_fee_recipient,
            prev_randao: self.prev_randao,
            gas_limit: self.gas_limit,
            parent_beacon_block_root: self.parent_beacon_block_root,
            eip1559_params: self.eip1559_params,
            min_base_fee: self.min_base_fee,
        };
        let no_tx_pool = self.no_tx_pool.unwrap_or_default();
        PayloadId::new(version, parent, &attributes, &self.transactions, no_tx_pool).to_string()
    }
}

/// op-geth and op-reth give the same names.
#[test]
fn payload_ids_are_those_of_op_geth() {
    let Some(file) = vectors("attributes") else {
        return;
    };
    let mut tested = 0;
    for case in file["payload_id"].as_array().unwrap() {
        let version = u8::try_from(case["version"].as_u64().unwrap()).unwrap();
        let source = match case["same_as"].as_u64() {
            None => case,
            Some(index) => &file["payload_id"][usize::try_from(index).unwrap()],
        };
        let parent: B256 = source["parent"].as_str().unwrap().parse().unwrap();
        let mut attributes = AttributesJson::deserialize(&source["attributes"]).unwrap();
        if let Some(fee) = case["minBaseFee"].as_u64() {
            attributes.min_base_fee = Some(fee);
        }
        assert_eq!(case["expected"], attributes.id(version, parent), "{case}");
        tested += 1;
    }
    assert_eq!(tested, 2);
}
