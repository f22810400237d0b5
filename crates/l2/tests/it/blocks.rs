//! Blocks of a recorded chain, by each way in which an endpoint may have them.

use crate::endpoint::Endpoint;
use alloy_consensus::{TxEnvelope, transaction::Transaction as _};
use alloy_eips::eip2718::Decodable2718;
use alloy_primitives::{Bytes, keccak256};
use doppio_l2::{L2Client, L2Error};
use doppio_protocol::{deposit::DepositTx, l2::L2Block};
use doppio_recorded::{OpenOptions, RecordedChain};
use doppio_test_vectors::Vectors;
use doppio_verify::BlockAt;
use serde_json::{Value, json};
use std::sync::Arc;

pub(crate) fn chain() -> Option<RecordedChain> {
    let vectors = Vectors::find("recorded")?;
    let folder = vectors.path("calldata-singular-zlib");
    Some(RecordedChain::open(&folder, OpenOptions::default()).unwrap())
}

/// The first block with a deposit and a transaction of a user, raw and read.
fn block(chain: &RecordedChain) -> (Bytes, L2Block) {
    (1..)
        .map_while(|number| chain.l2_block(number))
        .map(|recorded| (recorded.raw.clone(), recorded.decode().unwrap()))
        .find(|(_, block)| block.transactions.len() > 1)
        .expect("a recorded chain has transactions")
}

/// As `eth_getBlockByNumber` has it, with whole transactions.
fn json_of(block: &L2Block) -> Value {
    let mut json = serde_json::to_value(&block.header).unwrap();
    json["hash"] = json!(block.hash);
    json["withdrawals"] = json!([]);
    let transactions = block.transactions.iter().map(|bytes| {
        if bytes[0] == 0x7e {
            let deposit = DepositTx::decode(bytes).unwrap();
            return json!({
                "type": "0x7e", "hash": keccak256(bytes), "sourceHash": deposit.source_hash,
                "from": deposit.from, "to": deposit.to, "mint": deposit.mint,
                "value": deposit.value, "gas": format!("{:#x}", deposit.gas),
                "isSystemTx": deposit.is_system, "input": deposit.data,
                "nonce": "0x1", "v": "0x0", "r": "0x0", "s": "0x0",
            });
        }
        let envelope = TxEnvelope::decode_2718(&mut bytes.as_ref()).unwrap();
        assert!(envelope.chain_id().is_some());
        serde_json::to_value(envelope).unwrap()
    });
    json["transactions"] = transactions.collect();
    json
}

async fn read(endpoint: &Arc<Endpoint>, chain: &RecordedChain) -> Result<L2Block, L2Error> {
    let number = block(chain).1.header.number;
    let client = L2Client::new(Arc::clone(&chain.chain), Arc::clone(endpoint) as _);
    let found = client.block(BlockAt::Number(number)).await?;
    Ok(Arc::unwrap_or_clone(found.expect("there is one")))
}

#[tokio::test]
async fn a_block_is_the_same_by_every_way_that_an_endpoint_has() {
    let Some(chain) = chain() else { return };
    let (raw, expected) = block(&chain);
    let json = json_of(&expected);
    let bodies = json!([{ "transactions": expected.transactions, "withdrawals": [] }]);
    let ways = [
        vec![("debug_getRawBlock", json!(raw))],
        vec![
            ("eth_getBlockByNumber", json.clone()),
            ("engine_getPayloadBodiesByHashV1", bodies),
        ],
        vec![("eth_getBlockByNumber", json)],
    ];
    for way in ways {
        let endpoint = Endpoint::new(way);
        let found = read(&endpoint, &chain).await.unwrap();
        assert_eq!(found, expected);
    }
}

#[tokio::test]
async fn a_way_that_is_lacking_is_not_tried_again() {
    let Some(chain) = chain() else { return };
    let (_, expected) = block(&chain);
    let endpoint = Endpoint::new([("eth_getBlockByNumber", json_of(&expected))]);
    let client = L2Client::new(Arc::clone(&chain.chain), Arc::clone(&endpoint) as _);
    let at = BlockAt::Number(expected.header.number);
    client.block(at).await.unwrap().unwrap();
    let asked = endpoint.take_asked();
    assert!(asked.contains(&"debug_getRawBlock".to_owned()), "{asked:?}");
    client.block(at).await.unwrap().unwrap();
    assert_eq!(endpoint.take_asked(), ["eth_getBlockByNumber"]);
}

#[tokio::test]
async fn a_transaction_of_an_unknown_type_is_carried_as_the_bytes_that_the_root_covers() {
    let Some(chain) = chain() else { return };
    let (_, expected) = block(&chain);
    let mut json = json_of(&expected);
    let last = expected.transactions.len() - 1;
    let bytes = expected.transactions[last].clone();
    // what an endpoint of a chain with types of its own says
    json["transactions"][last] = json!({ "type": "0x7b", "hash": keccak256(&bytes) });
    let endpoint = Endpoint::new([
        ("eth_getBlockByNumber", json),
        ("eth_getRawTransactionByHash", json!(bytes)),
    ]);
    assert_eq!(read(&endpoint, &chain).await.unwrap(), expected);
    // and other bytes are found out
    endpoint.answer("eth_getRawTransactionByHash", json!("0x7b01"));
    let error = read(&endpoint, &chain).await.unwrap_err();
    assert!(matches!(error, L2Error::Block { .. }), "{error}");
}

#[tokio::test]
async fn a_block_with_an_altered_transaction_is_no_block() {
    let Some(chain) = chain() else { return };
    let (_, expected) = block(&chain);
    for (field, value) in [
        ("value", json!("0x123")),
        ("input", json!("0xabcd")),
        ("sourceHash", json!(keccak256("other"))),
    ] {
        let mut json = json_of(&expected);
        json["transactions"][0][field] = value;
        let endpoint = Endpoint::new([("eth_getBlockByNumber", json)]);
        let error = read(&endpoint, &chain).await.unwrap_err();
        assert!(matches!(error, L2Error::Block { .. }), "{field}: {error}");
    }
}
