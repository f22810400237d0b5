//! Data of real chains, with numbers that others have worked out.

use crate::support::*;
use alloy_primitives::{Address, B256, Bytes, FixedBytes, address, b256, keccak256};
use doppio_explain::{
    Chain, Compression, Content, Explanation, Form, Options, TxFields, explain, parse_input,
};
use doppio_protocol::config::RollupConfig;
use doppio_test_vectors::Vectors;
use serde_json::Value;

fn op_mainnet(vectors: &Vectors) -> Options {
    let json = vectors.text("configs/op-mainnet.rollup.json");
    let config = RollupConfig::parse(&json, false).unwrap().config;
    Options {
        chain: Chain::of(&config),
        ..Options::default()
    }
}

/// Compares the blocks of a span with the blocks that are in the chain.
fn assert_blocks(explanation: &Explanation, expected: &Value) {
    let batches = batches(explanation);
    assert_eq!(batches.len(), 1);
    let blocks = blocks(batches[0]);
    let expected = expected.as_array().unwrap();
    assert_eq!(blocks.len(), expected.len());
    for ((time, origin, transactions), expected) in blocks.into_iter().zip(expected) {
        assert_eq!(time, Some(number(&expected["timestamp"])));
        assert_eq!(origin, number(&expected["l1_origin"]));
        let expected: Vec<B256> = expected["tx_hashes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|hash| B256::from_slice(&hex(hash)))
            .collect();
        assert_eq!(hashes(transactions), expected);
        for transaction in transactions {
            let fields = transaction.fields.as_ref().unwrap();
            assert!(fields.from.is_some());
            assert!(matches!(fields.chain_id, Some(10)));
        }
    }
}

/// Compares a span with its recomputed numbers.
fn assert_span(explanation: &Explanation, expected: &Value) {
    let batch = batches(explanation)[0];
    let span = span(batch);
    assert_eq!(span.rel_timestamp, number(&expected["rel_timestamp"]));
    assert_eq!(span.l1_origin_number, number(&expected["l1_origin_num"]));
    let check = |name: &str| FixedBytes::from_slice(&hex(&expected[name]));
    assert_eq!(span.parent_check, check("parent_check"));
    assert_eq!(span.l1_origin_check, check("l1_origin_check"));
    assert_eq!(span.blocks.count, number(&expected["block_count"]));
    assert_eq!(span.origin_changes, number(&expected["origin_bits_set"]));
    assert_eq!(
        u64::from(span.first_origin_bit),
        number(&expected["origin_bit0"])
    );
    assert_eq!(span.transaction_count, number(&expected["total_txs"]));
    assert_eq!(batch.trailing, number(&expected["trailing_bytes"]));
    // the type byte is not counted in the expectation
    assert_eq!(batch.length, number(&expected["consumed"]) + 1);
    let transactions = || {
        span.blocks
            .items
            .iter()
            .flat_map(|block| &block.transactions.items)
    };
    for (tx_type, count) in expected["tx_types"].as_object().unwrap() {
        let found = transactions()
            .filter(|transaction| transaction.tx_type == tx_type.parse().ok())
            .count();
        assert_eq!(found as u64, number(count), "type {tx_type}");
    }
    let creations = transactions()
        .filter_map(|transaction| transaction.fields.as_ref())
        .filter(|fields| fields.to.is_none());
    assert_eq!(
        creations.count() as u64,
        number(&expected["contract_creations"])
    );
}

#[test]
fn a_real_batcher_transaction_is_told_down_to_the_l2_transactions() {
    let Some(vectors) = Vectors::find("opstack") else {
        return;
    };
    let expected = &vectors.json("channels/expected.json")["raw_batcher_tx.bin"];
    let data = parse_input(&vectors.bytes("channels/raw_batcher_tx.bin"));
    let explanation = explain(&data, &op_mainnet(&vectors));
    assert_eq!(explanation.form, Some(Form::Transaction));
    // the transaction is for L1, not for chain 10; its own fields do not depend on the rollup
    assert!(explanation.sound, "{explanation}");
    let Some(Content::Transaction(transaction)) = &explanation.content else {
        panic!("{explanation}");
    };
    let hash = B256::from_slice(&hex(&expected["tx_hash"]));
    assert_eq!(transaction.hash, Some(hash));
    let fields = transaction.fields.as_ref().unwrap();
    let batcher = address!("6887246668a3b87F54DeB3b94Ba47a6f63F32985");
    assert_eq!(fields.from, Some(batcher));
    assert_eq!(fields.chain_id, Some(number(&expected["chain_id"])));
    assert_eq!(fields.nonce, number(&expected["nonce"]));
    assert_eq!(fields.gas, number(&expected["gas"]));
    assert_eq!(fields.to, Some(Address::from_slice(&hex(&expected["to"]))));
    assert_eq!(fields.data_length, number(&expected["input_len"]));

    let frame = &inbox(&explanation).items.items[0].frames.items[0];
    let expected_frame = &expected["frames"][0];
    assert_eq!(frame.channel.as_slice(), hex(&expected_frame["channel_id"]));
    assert_eq!(frame.length, number(&expected_frame["data_len"]));
    assert!(frame.is_last && frame.number == 0 && frame.offset == 1);

    let channel = channel(&explanation);
    let expected_channel = &expected["channel"];
    assert_eq!(channel.length, number(&expected_channel["compressed_len"]));
    assert_eq!(channel.compression, Some(Compression::Zlib));
    let decompressed = number(&expected_channel["decompressed_len"]);
    assert_eq!(channel.decompressed, decompressed);
    assert_span(&explanation, &expected_channel["first"]);
    let blocks = vectors.json("channels/raw_batcher_tx.blocks.json");
    assert_blocks(&explanation, &blocks);
}

#[test]
fn a_real_channel_as_hexadecimal_text_is_told_down_to_the_l2_transactions() {
    let Some(vectors) = Vectors::find("opstack") else {
        return;
    };
    let expected = &vectors.json("channels/expected.json")["zlib_channel.hex"];
    let data = parse_input(&vectors.bytes("channels/zlib_channel.hex"));
    let explanation = explain(&data, &op_mainnet(&vectors));
    assert_eq!(explanation.form, Some(Form::Channel));
    assert!(explanation.sound, "{explanation}");
    let channel = channel(&explanation);
    assert_eq!(channel.length, number(&expected["compressed_len"]));
    let decompressed = number(&expected["decompressed_len"]);
    assert_eq!(channel.decompressed, decompressed);
    assert_span(&explanation, &expected["first"]);
    let blocks = vectors.json("channels/zlib_channel.blocks.json.gz");
    assert_blocks(&explanation, &blocks);
}

/// The fields of a transaction of unknown chain are right; what depends on the chain is left out.
#[test]
fn without_the_chain_id_a_span_tells_everything_but_hashes_and_senders() {
    let Some(vectors) = Vectors::find("opstack") else {
        return;
    };
    let data = parse_input(&vectors.bytes("channels/zlib_channel.hex"));
    let known = explain(&data, &op_mainnet(&vectors));
    let unknown = explain(&data, &Options::default());
    assert!(unknown.sound);
    assert!(span(batches(&known)[0]).rebuilt && !span(batches(&unknown)[0]).rebuilt);
    let transactions = |explanation: &Explanation| {
        blocks(batches(explanation)[0])
            .into_iter()
            .flat_map(|(_, _, transactions)| transactions.to_vec())
            .collect::<Vec<_>>()
    };
    let (known, unknown) = (transactions(&known), transactions(&unknown));
    assert_eq!(known.len(), unknown.len());
    for (known, unknown) in known.into_iter().zip(unknown) {
        assert_eq!(unknown.hash, None);
        let expected = TxFields {
            chain_id: None,
            from: None,
            ..known.fields.unwrap()
        };
        assert_eq!(unknown.fields, Some(expected));
    }
}

#[test]
fn a_random_span_of_op_node_is_told_with_its_numbers() {
    let Some(vectors) = Vectors::find("opstack") else {
        return;
    };
    let expected = &vectors.json("channels/expected.json")["raw_span_batch.bin"];
    // the file lacks the type byte
    let batch = [vec![1], vectors.bytes("channels/raw_span_batch.bin")].concat();
    let explanation = explain_one(batch);
    assert_eq!(explanation.form, Some(Form::Batch));
    assert!(explanation.sound, "{explanation}");
    assert_span(&explanation, expected);
    // 20 legacy transactions, half of them protected: the others name no chain, so that they are
    // whole even without knowing it
    let whole = blocks(batches(&explanation)[0])
        .into_iter()
        .flat_map(|(_, _, transactions)| transactions)
        .filter(|transaction| transaction.hash.is_some())
        .count() as u64;
    let unprotected = number(&expected["tx_types"]["0"]) - number(&expected["protected_legacy"]);
    assert_eq!(whole, unprotected);
}

#[test]
fn a_brotli_channel_is_told_as_one() {
    let Some(vectors) = Vectors::find("opstack") else {
        return;
    };
    let json = vectors.json("brotli/brotli_channel.json");
    // the file lacks the version byte
    let data = [vec![1], hex(&json["compressed"])].concat();
    let explanation = explain_as(Form::Channel, data.clone());
    let whole = channel(&explanation);
    assert_eq!(whole.compression, Some(Compression::Brotli));
    assert_eq!(whole.length, data.len() as u64);
    let decompressed = hex(&json["decompressed"]);
    assert_eq!(whole.decompressed, decompressed.len() as u64);
    // what is in it says the same when it is given decompressed
    let plain = explain_as(Form::Decompressed, decompressed);
    let plain = channel(&plain);
    assert_eq!(plain.compression, Some(Compression::None));
    assert_eq!(plain.batches, whole.batches);
}

/// A blob whose data is no inbox data: derivation does not look at it, but it is told.
#[test]
fn a_blob_with_a_bare_zlib_stream_says_so() {
    let Some(vectors) = Vectors::find("opstack") else {
        return;
    };
    let expected = &vectors.json("blobs/expected.json")["op_blob_sample.bin"];
    let explanation = explain_one(vectors.bytes("blobs/op_blob_sample.bin"));
    assert_eq!(explanation.form, Some(Form::Blob));
    let Some(Content::Blob(blob)) = &explanation.content else {
        panic!("{explanation}");
    };
    assert_eq!(blob.length, number(&expected["data_len"]));
    assert_eq!(blob.form, Some(Form::Channel));
    let broken = explanation.broken(blob.broken).unwrap();
    assert_eq!(broken.reason, Some("frames"));
    assert_eq!(broken.path, "data.items[0]");
    let Some(Content::Channel(channel)) = blob.data.as_deref() else {
        panic!("{explanation}");
    };
    assert_eq!(channel.compression, Some(Compression::Zlib));
}

/// Expectation computed from the block's bytes by an independent implementation of keccak, RLP and
/// secp256k1.
#[test]
fn a_real_celo_transaction_is_told_with_sender_and_fee_currency() {
    let Some(vectors) = Vectors::find("opstack") else {
        return;
    };
    let block = vectors.json("celo-executor/block-celo-53619115.json.gz");
    let transaction = &block["fixture"]["executing_payload"]["transactions"][26];
    let explanation = explain_one(hex(transaction));
    assert!(explanation.sound, "{explanation}");
    let Some(Content::Transaction(transaction)) = &explanation.content else {
        panic!("{explanation}");
    };
    assert_eq!(transaction.tx_type, Some(0x7b));
    assert_eq!(
        transaction.hash,
        Some(b256!(
            "b9e1c83fac69763877db511c0a6aaa40c8fdd0db5cb75bef9bf1128168abea97"
        ))
    );
    let fields = transaction.fields.as_ref().unwrap();
    let sender = address!("f047738c8958644fe549d14eb5348e27dadee315");
    assert_eq!(fields.from, Some(sender));
    let recipient = address!("48065fbbe25f71c9282ddf5e1cd6d6a887483d5e");
    assert_eq!(fields.to, Some(recipient));
    let currency = address!("0e2a3e05bc9a16f5292a6170456a710cb89c6f72");
    assert_eq!(fields.fee_currency, Some(currency));
    assert_eq!((fields.nonce, fields.gas), (60, 107_370));
    assert_eq!(fields.max_fee.map(|fee| fee.to()), Some(5_786_838_795_u64));
    assert_eq!(fields.chain_id, Some(42220));
}

/// Every transaction of real blocks, of whichever type, can be told.
#[test]
fn real_blocks_of_celo_hold_no_transaction_that_cannot_be_told() {
    let Some(vectors) = Vectors::find("opstack") else {
        return;
    };
    let mut types = std::collections::BTreeMap::<u8, u64>::new();
    for name in vectors.list("celo-executor") {
        if !name.starts_with("block-") {
            continue;
        }
        let block = vectors.json(format!("celo-executor/{name}"));
        let transactions = &block["fixture"]["executing_payload"]["transactions"];
        for transaction in transactions.as_array().into_iter().flatten() {
            let bytes = Bytes::from(hex(transaction));
            let explanation = explain_as(Form::Transaction, bytes.clone());
            assert!(explanation.sound, "{explanation}");
            let Some(Content::Transaction(transaction)) = &explanation.content else {
                panic!("{explanation}");
            };
            assert_eq!(transaction.hash, Some(keccak256(&bytes)));
            assert!(transaction.fields.as_ref().unwrap().from.is_some());
            *types.entry(transaction.tx_type.unwrap()).or_default() += 1;
        }
    }
    for tx_type in [0, 2, 0x7b, 0x7e] {
        assert!(types.contains_key(&tx_type), "{types:?}");
    }
}
