//! What batchers post.

use crate::MAX_RLP_BYTES;
use alloy_primitives::Bytes;
use doppio_compression::{ChannelReader, Limits};
use doppio_protocol::{
    batch::{Batch, SingularBatch, SpanBatch, SpanCursor, SpanParams},
    blob::{BLOB_SIZE, decode_blob, encode_blob},
    commitment::Commitment,
    frame::{encode_frames, parse_frames, split_channel},
};
use std::sync::Arc;

pub(crate) fn frames(data: &[u8]) {
    let item = Bytes::copy_from_slice(data);
    for limit in [10, 1_000_000] {
        let Ok(frames) = parse_frames(&item, limit) else {
            continue;
        };
        assert!(!frames.is_empty());
        assert!(
            frames
                .iter()
                .all(|frame| frame.data.len() <= limit as usize)
        );
        assert_eq!(encode_frames(&frames), item, "frames are canonical");
    }
    // any bytes are a channel that can be cut
    let id = Default::default();
    let frames = split_channel(id, &item, 40).unwrap_or_default();
    let joined: Vec<u8> = frames
        .iter()
        .flat_map(|frame| frame.data.to_vec())
        .collect();
    assert!(frames.is_empty() || joined == data);
}

/// The bytes, repeated to a blob's length; and as a blob's data.
pub(crate) fn blob(data: &[u8]) {
    let mut blob: Vec<u8> = data.iter().copied().take(BLOB_SIZE).collect();
    blob.resize(BLOB_SIZE, 0);
    if let Ok(blob) = blob.try_into()
        && let Ok(content) = decode_blob(&blob)
    {
        // the high bits of the very first byte are the only ones that no decoder looks at
        let mut canonical = blob;
        canonical[0] &= 0x3f;
        let encoded = encode_blob(&content).expect("what a blob held fits a blob");
        assert!(encoded.as_slice() == canonical.as_slice());
    }
    if let Ok(blob) = encode_blob(data) {
        assert_eq!(decode_blob(&blob).as_deref(), Ok(data));
    }
}

pub(crate) fn commitment(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(commitment) = Commitment::decode(&bytes) {
        assert_eq!(commitment.encode(), bytes);
        assert_eq!(commitment.inbox_data()[1..], bytes);
    }
}

/// A compressed channel, with the strings in it read as batches.
pub(crate) fn channel(data: &[u8]) {
    for brotli in [false, true] {
        let limits = Limits {
            max_rlp_bytes: MAX_RLP_BYTES as u64,
            brotli,
        };
        let Ok(mut reader) = ChannelReader::open(data.to_vec(), limits) else {
            continue;
        };
        let mut total = 0;
        while let Ok(Some(string)) = reader.next_string() {
            total += string.len();
            assert!(total <= MAX_RLP_BYTES, "the limit is kept");
            let _ = Batch::decode(&Bytes::from(string));
        }
        // an ended channel stays ended
        assert!(matches!(reader.next_string(), Ok(None)));
    }
}

pub(crate) fn singular_batch(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(batch) = SingularBatch::decode(&bytes) {
        let encoded = batch.encode();
        // bytes behind the list are not looked at
        assert_eq!(encoded[1..], data[..encoded.len() - 1]);
        assert_eq!(
            SingularBatch::decode(&Bytes::from(encoded).slice(1..)),
            Ok(batch)
        );
    }
}

pub(crate) fn span_batch(data: &[u8]) {
    let Ok(batch) = SpanBatch::decode(Bytes::copy_from_slice(data)) else {
        return;
    };
    assert!(batch.block_count() > 0);
    let batch = Arc::new(batch);
    for celo in [false, true] {
        let params = SpanParams {
            genesis_time: 1_000,
            block_time: 2,
            chain_id: 10,
            post_exec: true,
            celo_dynamic_fee_v2: celo,
        };
        if batch.check_transactions(&params).is_err() {
            continue;
        }
        let mut cursor = SpanCursor::new(Arc::clone(&batch), params);
        let (mut blocks, mut transactions) = (0, 0);
        while let Some(block) = cursor.next_block() {
            // blocks without transactions cost the span a bit, so a cap keeps targets quick
            if blocks == 4_096 {
                return;
            }
            let block = block.expect("checked transactions read");
            blocks += 1;
            transactions += block.transactions.len();
        }
        assert_eq!(blocks, batch.block_count());
        assert_eq!(transactions, batch.tx_count());
    }
}
