//! Real channels, from compressed bytes to the transactions of L2 blocks.
//!
//! Decompression as the pipeline does it is crate `doppio-compression`'s business; here the bytes
//! are inflated whole by libraries, so that nothing but the formats is at work.

use crate::common::{hash_of, hex_file, number_of, vectors};
use alloy_consensus::{Transaction, TxEnvelope};
use alloy_eips::eip2718::Decodable2718;
use alloy_primitives::{B256, Bytes, hex, keccak256};
use doppio_protocol::{
    batch::{Batch, SingularBatch, SpanBatch, SpanBatchWriter, SpanCursor, SpanParams},
    frame::parse_frames,
    rlp,
};
use serde_json::Value;
use std::{io::Read, sync::Arc};

/// OP Mainnet.
const PARAMS: SpanParams = SpanParams {
    genesis_time: 1_686_068_903,
    block_time: 2,
    chain_id: 10,
    post_exec: true,
    celo_dynamic_fee_v2: false,
};
const GENESIS_NUMBER: u64 = 105_235_063;

/// A channel's data. The batcher of 2024 flushed its compressor and did not always close it, so
/// the stream may end without its checksum.
fn inflate(channel: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let read = flate2::read::ZlibDecoder::new(channel).read_to_end(&mut out);
    assert!(read.is_ok_and(|n| n == out.len()) || channel.ends_with(&[0, 0, 0xff, 0xff]));
    out
}

/// The one span of a decompressed channel.
fn one_span(decompressed: &[u8]) -> SpanBatch {
    let mut rest = decompressed;
    let string = rlp::next_item(&mut rest).unwrap().string().unwrap();
    assert!(rest.is_empty(), "one string");
    let Ok(Batch::Span(span)) = Batch::decode(&Bytes::copy_from_slice(string)) else {
        panic!("no span")
    };
    span
}

/// Checks a channel against what the vectors say of it.
fn check(decompressed: &[u8], expected: &Value, blocks: &Value, frame_of: &Value) {
    let first = &expected["first"];
    assert_eq!(
        decompressed.len() as u64,
        number_of(&expected["decompressed_len"])
    );
    assert_eq!(
        keccak256(decompressed),
        hash_of(&expected["keccak_decompressed"])
    );
    let span = one_span(decompressed);
    let length = span.encoded_len();
    assert_eq!(span.rel_timestamp(), number_of(&first["rel_timestamp"]));
    assert_eq!(span.last_epoch_num(), number_of(&first["l1_origin_num"]));
    assert_eq!(hex::encode(span.parent_check()), first["parent_check"]);
    assert_eq!(
        hex::encode(span.l1_origin_check()),
        first["l1_origin_check"]
    );
    assert_eq!(span.block_count() as u64, number_of(&first["block_count"]));
    assert_eq!(
        u64::from(span.first_origin_bit()),
        number_of(&first["origin_bit0"])
    );
    assert_eq!(span.tx_count() as u64, number_of(&first["total_txs"]));
    let times = [span.timestamp(0, &PARAMS), span.last_timestamp(&PARAMS)];
    let origins = [span.start_epoch_num(), span.last_epoch_num()];
    let both = |value: &Value| [number_of(&value[0]), number_of(&value[1])];
    assert_eq!(times, both(&frame_of["timestamps"]));
    assert_eq!(origins, both(&frame_of["l1_origins"]));
    span.check_transactions(&PARAMS).unwrap();

    let mut hashes = Vec::new();
    let mut bytes = 0;
    let mut writer = SpanBatchWriter::new(PARAMS);
    let span = Arc::new(span);
    let mut cursor = SpanCursor::new(Arc::clone(&span), PARAMS);
    let word = |check: &[u8; 20]| B256::right_padding_from(check);
    for expected in blocks.as_array().unwrap() {
        let block = cursor.next_block().unwrap().unwrap();
        assert_eq!(block.timestamp, number_of(&expected["timestamp"]));
        assert_eq!(block.epoch_num, number_of(&expected["l1_origin"]));
        let number = GENESIS_NUMBER + (block.timestamp - PARAMS.genesis_time) / PARAMS.block_time;
        assert_eq!(number, number_of(&expected["l2_number"]));
        let found: Vec<B256> = block.transactions.iter_slices().map(keccak256).collect();
        let theirs: Vec<B256> = expected["tx_hashes"]
            .as_array()
            .unwrap()
            .iter()
            .map(hash_of)
            .collect();
        assert_eq!(found, theirs, "block {number}");
        bytes += block
            .transactions
            .iter_slices()
            .map(<[u8]>::len)
            .sum::<usize>();
        for tx in block.transactions.iter_slices() {
            let envelope = TxEnvelope::decode_2718_exact(tx).unwrap();
            assert!(matches!(envelope.chain_id(), Some(10) | None));
        }
        hashes.extend(found);
        let singular = SingularBatch {
            parent_hash: word(span.parent_check()),
            epoch_num: block.epoch_num,
            epoch_hash: word(span.l1_origin_check()),
            timestamp: block.timestamp,
            transactions: block.transactions,
        };
        writer.push(&singular, 1).unwrap();
    }
    assert_eq!(cursor.next_block(), None);
    assert_eq!(bytes as u64, number_of(&first["sum_tx_bytes"]));
    let all: Vec<u8> = hashes.iter().flat_map(|hash| hash.0).collect();
    assert_eq!(
        keccak256(all),
        hash_of(&first["keccak_of_concat_tx_hashes"])
    );
    // and back: the batcher's own bytes
    let written = writer.encode().unwrap();
    assert_eq!(written.len(), 1 + length);
    assert_eq!(decompressed[decompressed.len() - written.len()..], written);
}

#[test]
fn a_real_batcher_transaction_gives_27_blocks_of_op_mainnet() {
    let Some(vectors) = vectors() else { return };
    let raw = vectors.bytes("channels/raw_batcher_tx.bin");
    let expected = &vectors.json("channels/expected.json")["raw_batcher_tx.bin"];
    let envelope = TxEnvelope::decode_2718(&mut raw.as_slice()).unwrap();
    let frames = parse_frames(envelope.input(), 1_000_000).unwrap();
    let blocks = vectors.json("channels/raw_batcher_tx.blocks.json");
    check(
        &inflate(&frames[0].data),
        &expected["channel"],
        &blocks,
        expected,
    );
}

/// kona `test_batch_reader` ends at byte 1,409,463 of this channel.
#[test]
fn a_real_channel_gives_143_blocks_of_op_mainnet() {
    let Some(vectors) = vectors() else { return };
    let channel = hex_file(&vectors, "channels/zlib_channel.hex");
    let expected = &vectors.json("channels/expected.json")["zlib_channel.hex"];
    assert_eq!(channel.len() as u64, number_of(&expected["compressed_len"]));
    let decompressed = inflate(&channel);
    assert_eq!(decompressed.len(), 1_409_463);
    let blocks = vectors.json("channels/zlib_channel.blocks.json.gz");
    check(&decompressed, expected, &blocks, expected);
}

#[test]
fn the_brotli_vector_decompresses_to_its_own_bytes() {
    let Some(vectors) = vectors() else { return };
    let vector = vectors.json("brotli/brotli_channel.json");
    let bytes = |name: &str| hex::decode(vector[name].as_str().unwrap()).unwrap();
    let mut out = Vec::new();
    let compressed = bytes("compressed");
    brotli_decompressor::BrotliDecompress(&mut compressed.as_slice(), &mut out).unwrap();
    assert_eq!((compressed.len(), out.len()), (12_479, 12_506));
    assert_eq!(out, bytes("decompressed"));
}

// opstack 11 E: decode_encode_raw_span_batch, on the vector; the chain id is not known, and any
// gives the bytes back

#[test]
fn decode_encode_raw_span_batch() {
    let Some(vectors) = vectors() else {
        return;
    };
    let bytes = Bytes::from(vectors.bytes("channels/raw_span_batch.bin"));
    let expected = &vectors.json("channels/expected.json")["raw_span_batch.bin"];
    let batch = SpanBatch::decode(bytes.clone()).unwrap();
    assert_eq!(
        batch.rel_timestamp(),
        expected["rel_timestamp"].as_u64().unwrap()
    );
    assert_eq!(
        batch.last_epoch_num(),
        expected["l1_origin_num"].as_u64().unwrap()
    );
    assert_eq!(batch.block_count(), 4);
    assert_eq!(batch.tx_count(), 39);
    for chain_id in [1, 10, 28, u64::MAX / 2] {
        let params = SpanParams {
            chain_id,
            genesis_time: 0,
            ..PARAMS
        };
        batch.check_transactions(&params).unwrap();
        let word = |check: &[u8; 20]| {
            let mut word = B256::ZERO;
            word[..20].copy_from_slice(check);
            word
        };
        let mut writer = SpanBatchWriter::new(params);
        let mut cursor = SpanCursor::new(Arc::new(batch.clone()), params);
        while let Some(block) = cursor.next_block() {
            let block = block.unwrap();
            let singular = SingularBatch {
                parent_hash: word(batch.parent_check()),
                epoch_num: block.epoch_num,
                epoch_hash: word(batch.l1_origin_check()),
                timestamp: block.timestamp,
                transactions: block.transactions,
            };
            writer
                .push(&singular, u64::from(!batch.first_origin_bit()))
                .unwrap();
        }
        assert_eq!(writer.encode().unwrap()[1..], bytes[..]);
    }
}

// opstack 11 D: two batches in one channel, as strings one after the other

#[test]
fn two_batches_of_two_kinds_stand_one_after_the_other() {
    use crate::{span_raw, span_raw::sample};
    let span = span_raw::write(&sample()).unwrap();
    let singular = SingularBatch {
        timestamp: 5,
        ..SingularBatch::default()
    };
    let mut channel = Vec::new();
    rlp::put_string(&singular.encode(), &mut channel);
    rlp::put_string(&span, &mut channel);
    let mut rest = channel.as_slice();
    let mut next = || {
        let string = rlp::next_item(&mut rest).unwrap().string().unwrap();
        Batch::decode(&Bytes::copy_from_slice(string)).unwrap()
    };
    assert_eq!(next(), Batch::Singular(singular));
    assert!(matches!(next(), Batch::Span(span) if span.block_count() == 4));
    assert!(rest.is_empty());
}
