//! Arbitrary bytes for every decoder: a value or a typed error, and never anything else.

use crate::common::{SYSTEM_CONFIG, chain_at, log, rollup_json, span_params};
use alloy_primitives::{B256, Bytes};
use doppio_protocol::{
    batch::{Batch, SpanCursor, TransactionList, read_uvarint},
    blob::{BLOB_SIZE, decode_blob},
    commitment::Commitment,
    config::{BlobSchedule, ChainProfile, Fork, RollupConfig},
    da_challenge::decode_challenge_log,
    deposit::{DepositTx, decode_deposit_log},
    extra_data::HeaderParams,
    frame::parse_frames,
    l1_info::{L1BlockInfo, L1InfoLayout},
    l2::L2Block,
    rlp,
    system_config::SystemConfig,
    upgrades::Upgrade,
};
use proptest::prelude::*;
use std::sync::Arc;

/// Gives the bytes to every decoder.
fn decode_everything(bytes: &[u8]) {
    let shared = Bytes::copy_from_slice(bytes);
    let chain = chain_at(Fork::Karst);
    let _ = parse_frames(&shared, 1_000_000);
    let _ = Commitment::decode(&shared);
    let _ = DepositTx::decode(&shared);
    let _ = TransactionList::from_rlp_payload(shared.clone());
    let _ = read_uvarint(&mut &*bytes);
    let _ = rlp::next_item(&mut &*bytes);
    let _ = HeaderParams::decode(&chain, 2_000, bytes);
    for layout in L1InfoLayout::ALL {
        let _ = L1BlockInfo::decode(layout, bytes);
    }
    for batch_type in [0, 1] {
        let typed = Bytes::from([&[batch_type], bytes].concat());
        if let Ok(Batch::Span(span)) = Batch::decode(&typed) {
            let checked = span.check_transactions(&span_params());
            let mut cursor = SpanCursor::new(Arc::new(span), span_params());
            let read = (0..1_000)
                .map_while(|_| cursor.next_block())
                .collect::<Result<Vec<_>, _>>();
            assert!(checked.is_err() || read.is_ok());
        }
    }
    if let Ok(block) = L2Block::decode(&shared) {
        let _ = block.system_config(&chain);
        let _ = block.block_ref(&chain);
    }
    let mut blob = Box::new([0; BLOB_SIZE]);
    let length = bytes.len().min(BLOB_SIZE);
    blob[..length].copy_from_slice(&bytes[..length]);
    let _ = decode_blob(&blob);
    let words = bytes.len() / 32;
    for topics in 0..=words.min(5) {
        let (topics, data) = bytes.split_at(32 * topics);
        let topics = topics.chunks(32).map(B256::from_slice).collect();
        let log = log(SYSTEM_CONFIG, topics, data.to_vec());
        let _ = decode_deposit_log(&log, B256::ZERO, 0);
        let _ = decode_challenge_log(&log);
        let _ = SystemConfig::default().apply_log(&chain, &log, 2_000);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        read_every_text(text);
    }
}

fn read_every_text(text: &str) {
    for ignore in [false, true] {
        if let Ok(parsed) = RollupConfig::parse(text, ignore) {
            let _ = parsed.config.check();
        }
    }
    let _ = ChainProfile::parse(text);
    let _ = BlobSchedule::from_l1_chain_config(text);
    let _ = Upgrade::from_bundle("Test", text);
}

proptest! {

    #[test]
    fn random_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        decode_everything(&bytes);
    }

    /// Mostly the bytes that mean something: small numbers, RLP headers, type bytes.
    #[test]
    fn bytes_that_mean_something(
        bytes in proptest::collection::vec(
            proptest::sample::select(vec![
                0u8, 0, 0, 1, 1, 2, 3, 4, 0x20, 0x7b, 0x7d, 0x7e, 0x80, 0x81, 0x82, 0x94, 0xa0,
                0xb8, 0xbf, 0xc0, 0xc1, 0xc2, 0xf8, 0xf9, 0xff,
            ]),
            0..300,
        ),
    ) {
        decode_everything(&bytes);
    }

    #[test]
    fn one_byte_repeated(byte in any::<u8>(), length in 0usize..2_000) {
        decode_everything(&vec![byte; length]);
    }

    #[test]
    fn damaged_json(place in any::<prop::sample::Index>(), with in "[ -~]{0,4}") {
        let json = rollup_json().to_string();
        let place = place.index(json.len());
        let damaged = format!("{}{with}{}", &json[..place], &json[place + 1..]);
        read_every_text(&damaged);
    }
}
