//! L1 blocks as an RPC gives them: headers against their hashes, and what derivation reads.
//!
//! Transactions and receipts against their roots are checked where blocks are read; the roots are
//! computed here with alloy, over what our types keep.

use crate::common::{hash_of, vectors};
use alloy_consensus::{Header, TxEnvelope, proofs::ordered_trie_root_encoded};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, U256};
use doppio_protocol::l1::{L1Block, L1Header, L1Transaction};
use doppio_test_vectors::Vectors;
use serde_json::Value;

/// What is wrong with a block, as op-node's checks would say it.
fn verify(json: &Value) -> Result<L1Header, &'static str> {
    let header: Header = serde_json::from_value(json.clone()).map_err(|_| "unreadable")?;
    let hash = header.hash_slow();
    if hash != hash_of(&json["hash"]) {
        return Err("failed to verify block hash");
    }
    let Some(transactions) = json["transactions"].as_array() else {
        return Ok(L1Header::from_consensus(hash, &header));
    };
    let mut encoded = Vec::new();
    for transaction in transactions {
        if transaction.is_null() {
            return Err("block tx 0 is nil");
        }
        if transaction.is_string() {
            // headers come with hashes only
            return Ok(L1Header::from_consensus(hash, &header));
        }
        let transaction: TxEnvelope =
            serde_json::from_value(transaction.clone()).map_err(|_| "unreadable")?;
        encoded.push(transaction.encoded_2718());
    }
    if ordered_trie_root_encoded(&encoded) != header.transactions_root {
        return Err("failed to verify transactions list");
    }
    Ok(L1Header::from_consensus(hash, &header))
}

fn cases(vectors: &Vectors, folder: &str) -> Vec<(String, Value, Value)> {
    let names = vectors.list(folder);
    let data = names.iter().filter(|name| name.contains("_data.json"));
    data.map(|name| {
        let metadata = name.replace("_data", "_metadata");
        let name = name.split('_').next().unwrap().to_owned();
        let read = |file: &str| vectors.json(format!("{folder}/{file}"));
        let data = read(
            names
                .iter()
                .find(|file| file.starts_with(&format!("{name}_data")))
                .unwrap(),
        );
        (name, data, read(&metadata))
    })
    .collect()
}

#[test]
fn good_blocks_verify_and_corrupted_ones_do_not() {
    let Some(vectors) = vectors() else { return };
    let mut seen = 0;
    for (name, data, metadata) in cases(&vectors, "l1blocks/blocks") {
        // derivation reads no withdrawals: the header's root covers them
        if name.contains("bad-withdrawals") && !name.contains("hash") {
            continue;
        }
        let verified = verify(&data);
        match metadata.get("reason") {
            Some(reason) => assert_eq!(verified.err(), reason.as_str(), "{name}"),
            None => assert!(verified.is_ok(), "{name}: {verified:?}"),
        }
        seen += 1;
    }
    assert_eq!(seen, 10);
}

#[test]
fn good_headers_verify_and_corrupted_ones_do_not() {
    let Some(vectors) = vectors() else { return };
    let mut seen = 0;
    for (name, data, metadata) in cases(&vectors, "l1blocks/headers") {
        let fails = metadata["fail"].as_bool().unwrap_or_default();
        assert_eq!(verify(&data).is_err(), fails, "{name}");
        seen += 1;
    }
    assert_eq!(seen, 7);
}

#[test]
fn a_real_blocks_fields_are_kept_and_its_senders_recovered() {
    let Some(vectors) = vectors() else { return };
    let json = vectors.json("l1blocks/blocks/post-shanghai-success_data.json.gz");
    let header = verify(&json).unwrap();
    let quantity = |name: &str| json[name].as_str().unwrap().parse::<U256>().unwrap();
    assert_eq!(U256::from(header.number), quantity("number"));
    assert_eq!(U256::from(header.timestamp), quantity("timestamp"));
    assert_eq!(header.base_fee, quantity("baseFeePerGas"));
    assert_eq!(header.mix_hash, hash_of(&json["mixHash"]));
    assert_eq!(header.parent_hash, hash_of(&json["parentHash"]));
    assert_eq!(
        (header.excess_blob_gas, header.parent_beacon_block_root),
        (None, None)
    );
    let reference = header.block_ref();
    assert_eq!(reference.id(), header.id());
    assert_eq!(
        (reference.parent_hash, reference.timestamp),
        (header.parent_hash, header.timestamp)
    );

    let mut recipients = Vec::new();
    let mut transactions = Vec::new();
    for json in json["transactions"].as_array().unwrap() {
        let transaction: TxEnvelope = serde_json::from_value(json.clone()).unwrap();
        let transaction = L1Transaction::Signed(transaction);
        let sender: Address = json["from"].as_str().unwrap().parse().unwrap();
        let chain_id = json["chainId"]
            .as_str()
            .map(|id| id.parse::<U256>().unwrap().to::<u64>());
        let of_chain = chain_id.unwrap_or(5);
        assert_eq!(transaction.sender(of_chain), Some(sender));
        if chain_id.is_some() {
            assert_eq!(transaction.sender(of_chain + 1), None);
        }
        recipients.extend(transaction.to());
        transactions.push(transaction);
    }
    // the inbox is the most frequent recipient, for the sake of the test
    let inbox = *recipients
        .iter()
        .max_by_key(|to| recipients.iter().filter(|other| other == to).count())
        .unwrap();
    let mut rollup = crate::common::rollup();
    rollup.batch_inbox_address = inbox;
    let expected: Vec<u32> = (0u32..)
        .zip(&transactions)
        .filter(|(_, tx)| tx.to() == Some(inbox))
        .map(|(index, _)| index)
        .collect();
    let block = L1Block::new(&rollup, header, transactions, Vec::new());
    let found: Vec<u32> = block.inbox.iter().map(|tx| tx.index).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_transaction_of_an_unknown_type_has_no_sender_and_no_data() {
    let unknown = L1Transaction::Unknown {
        tx_type: 0x65,
        to: Some(Address::ZERO),
    };
    assert_eq!(
        (unknown.tx_type(), unknown.to()),
        (0x65, Some(Address::ZERO))
    );
    assert_eq!(unknown.sender(1), None);
    assert!(unknown.input().is_empty() && unknown.blob_versioned_hashes().is_empty());
    let deposit = L1Transaction::Deposit {
        from: Address::repeat_byte(1),
        to: None,
        input: B256::ZERO.to_vec().into(),
    };
    assert_eq!(deposit.tx_type(), 0x7e);
    assert_eq!(deposit.sender(1), Some(Address::repeat_byte(1)));
}
