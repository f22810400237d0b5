//! L1 and its beacon node.

use crate::server::{Fake, Rules};
use alloy_consensus::ReceiptEnvelope;
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::Bytes;
use serde_json::{Value, json};

/// Seconds of a slot of the recorded L1.
const SLOT: u64 = 2;

impl Fake {
    pub(crate) fn l1_result(&self, rules: &Rules, method: &str, params: &Value) -> Value {
        let param = params[0].as_str().unwrap_or_default();
        let head = rules.head.unwrap_or(self.chain.blocks.len() - 1);
        let entry = |number: usize| {
            (number <= head)
                .then(|| {
                    rules
                        .fork
                        .get(&number)
                        .or_else(|| self.chain.blocks.get(number))
                })
                .flatten()
        };
        let find = |param: &str| -> Option<&Value> {
            match param {
                "latest" => entry(head),
                "safe" => entry(head.saturating_sub(4)),
                "finalized" => entry(head.saturating_sub(8)),
                hash if hash.len() == 66 => (0..=head)
                    .filter_map(&entry)
                    .find(|entry| entry["block"]["hash"] == hash),
                number => {
                    let digits = number.strip_prefix("0x").unwrap();
                    entry(usize::from_str_radix(digits, 16).unwrap())
                }
            }
        };
        let receipts = |param: &str| find(param).map_or(Value::Null, |e| e["receipts"].clone());
        match method {
            "eth_chainId" => json!("0x384"),
            "eth_getBlockByNumber" | "eth_getBlockByHash" => {
                find(param).map_or(Value::Null, |entry| {
                    let mut block = entry["block"].clone();
                    if params[1] == false {
                        for tx in block["transactions"].as_array_mut().unwrap() {
                            *tx = tx["hash"].clone();
                        }
                    }
                    block
                })
            }
            "eth_getBlockReceipts" | "parity_getBlockReceipts" => receipts(param),
            "erigon_getBlockReceiptsByBlockHash" => receipts(param),
            "alchemy_getTransactionReceipts" => {
                let object = &params[0];
                let key = object.get("blockHash").or(object.get("blockNumber"));
                json!({ "receipts": receipts(key.unwrap().as_str().unwrap()) })
            }
            "debug_getRawReceipts" => match receipts(param) {
                Value::Array(receipts) => receipts.into_iter().map(raw_receipt).collect(),
                other => other,
            },
            "eth_getTransactionReceipt" => (0..=head)
                .filter_map(&entry)
                .flat_map(|entry| entry["receipts"].as_array().unwrap())
                .find(|receipt| receipt["transactionHash"] == param)
                .cloned()
                .unwrap_or(Value::Null),
            _ => panic!("{method}"),
        }
    }

    pub(crate) fn beacon(&self, path: &str) -> (u16, String) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut rules = self.rules.lock().unwrap();
        if rules
            .missing
            .iter()
            .any(|missing| path.starts_with(missing))
        {
            return (404, r#"{"code":404,"message":"not found"}"#.to_owned());
        }
        let time = |number: usize| {
            let time = self.chain.blocks[number]["block"]["timestamp"]
                .as_str()
                .unwrap();
            u64::from_str_radix(time.strip_prefix("0x").unwrap(), 16).unwrap()
        };
        let genesis = time(0);
        let (path, mut data) = match path.rsplit_once('/') {
            Some(("/eth/v1/beacon", "genesis")) => {
                ("genesis", json!({ "genesis_time": genesis.to_string() }))
            }
            Some(("/eth/v1/config", "spec")) => (
                "spec",
                json!({ "SECONDS_PER_SLOT": SLOT.to_string(), "BLOB_SCHEDULE": [] }),
            ),
            Some((kind, slot)) => {
                let slot: u64 = slot.parse().unwrap();
                let Some(number) = (0..self.chain.blocks.len())
                    .find(|number| (time(*number) - genesis) / SLOT == slot)
                else {
                    return (404, r#"{"code":404,"message":"no such slot"}"#.to_owned());
                };
                let blobs = self.chain.slot_blobs(number);
                let is_sidecars = kind.ends_with("blob_sidecars");
                let blobs: Vec<Value> = blobs
                    .iter()
                    .map(ToString::to_string)
                    .filter(|hash| !rules.missing_blobs.contains(hash))
                    .filter(|hash| is_sidecars || query.contains(hash))
                    .map(|hash| {
                        let blob = &self.chain.blobs[&hash];
                        if is_sidecars {
                            json!({"index": "0", "blob": blob, "kzg_commitment": commitment(blob), "kzg_proof": "0x"})
                        } else {
                            json!(blob)
                        }
                    })
                    .collect();
                (if is_sidecars { "sidecars" } else { "blobs" }, json!(blobs))
            }
            None => return (404, String::new()),
        };
        if let Some(alter) = &mut rules.alter {
            alter(path, &mut data);
        }
        (200, json!({ "data": data }).to_string())
    }
}

/// The KZG commitment of a blob, both in hexadecimal.
pub fn commitment(blob: &str) -> String {
    let blob = c_kzg::Blob::from_hex(blob).unwrap();
    let settings = c_kzg::ethereum_kzg_settings(0);
    let commitment = settings.blob_to_kzg_commitment(&blob).unwrap();
    format!("0x{}", commitment.as_hex_string())
}

fn raw_receipt(json: Value) -> Value {
    let receipt: ReceiptEnvelope = serde_json::from_value(json).unwrap();
    json!(Bytes::from(receipt.encoded_2718()))
}
