//! What a hostile batcher can make the pipeline hold: at most 1.1 times what the protocol allows a
//! channel to be.
//!
//! One test, because memory is measured for the whole process.

#[path = "it/support.rs"]
#[allow(dead_code, reason = "shared with the program `it`")]
mod support;

use alloy_primitives::Bytes;
use doppio_protocol::{
    batch::SPAN_BATCH_TYPE,
    config::Fork,
    frame::{Frame, encode_frames, split_channel},
    rlp,
};
use flate2::Compression;
use peak_alloc::PeakAlloc;
use std::io::Write;
use support::{L1, L1Tx, Node, chain, id, rollup};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Most bytes that a channel may decompress to, and from Holocene on that its frames may add up
/// to, since Fjord (opstack 2.4).
const MAX_RLP_BYTES: usize = 100_000_000;
/// The same before Fjord, for what is decompressed.
const MAX_RLP_BYTES_BEFORE_FJORD: usize = 10_000_000;
/// Most bytes that the channel bank holds before Fjord (opstack 2.4).
const MAX_BANK_BYTES_BEFORE_FJORD: usize = 100_000_000;
/// Most elements of a span batch (opstack 2.6).
const MAX_SPAN_ELEMENTS: u64 = 10_000_000;
/// The largest window of brotli, which a decoder must keep.
const BROTLI_WINDOW: usize = 1 << 24;
/// Data of the largest frame.
const FRAME: usize = 999_000;

/// Bytes that no compressor makes smaller.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// A zlib channel of one byte string.
fn zlib(string: &[u8], level: Compression) -> Bytes {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
    let mut header = Vec::new();
    rlp::put_string_header(string.len(), &mut header);
    encoder.write_all(&header).unwrap();
    encoder.write_all(string).unwrap();
    encoder.finish().unwrap().into()
}

/// A brotli channel of one byte string, with the largest window.
fn brotli(string: &[u8]) -> Bytes {
    let mut channel = vec![1];
    let params = brotli::enc::BrotliEncoderParams {
        quality: 1,
        lgwin: 24,
        ..Default::default()
    };
    let mut writer = brotli::CompressorWriter::with_params(&mut channel, 1 << 16, &params);
    let mut header = Vec::new();
    rlp::put_string_header(string.len(), &mut header);
    writer.write_all(&header).unwrap();
    writer.write_all(string).unwrap();
    drop(writer);
    channel.into()
}

/// The start of a span batch: type, times, checks.
fn span_prefix() -> Vec<u8> {
    // an L1 origin and a time that no block will have, so that the batch is decoded and dropped
    let mut span = vec![SPAN_BATCH_TYPE, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x64];
    span.extend_from_slice(&[0; 40]);
    span
}

/// A number in LEB128.
fn put_uvarint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// A span batch of as many blocks as can be, all of them empty.
fn span_of_empty_blocks() -> Vec<u8> {
    let mut span = span_prefix();
    let count = usize::try_from(MAX_SPAN_ELEMENTS).unwrap();
    put_uvarint(MAX_SPAN_ELEMENTS, &mut span);
    span.resize(span.len() + count.div_ceil(8) + count, 0);
    span
}

/// A span batch of one block with as many of the smallest transactions as fit.
fn span_of_small_transactions(size: usize) -> Vec<u8> {
    // contract creation and y parity bits, signature, transaction, nonce, gas, protected bit
    let transaction = [0xc3, 0x80, 0x80, 0x80];
    let count = (size - 100) * 8 / (3 + 8 * (64 + transaction.len() + 2));
    let mut span = span_prefix();
    put_uvarint(1, &mut span);
    span.push(0);
    put_uvarint(count as u64, &mut span);
    let bits = count.div_ceil(8);
    let mut creations = vec![0xff; bits];
    if !count.is_multiple_of(8) {
        creations[0] = (1 << (count % 8)) - 1;
    }
    span.extend_from_slice(&creations);
    span.resize(span.len() + bits, 0);
    span.resize(span.len() + 64 * count, 1);
    for _ in 0..count {
        span.extend_from_slice(&transaction);
    }
    span.resize(span.len() + 2 * count + bits, 0);
    span
}

/// The calldata of a channel, frame by frame.
fn frames(letter: u8, channel: &Bytes) -> Vec<Bytes> {
    let frames = split_channel(id(letter), channel, FRAME).unwrap();
    frames.iter().map(|frame| encode_frames([frame])).collect()
}

/// Derives from L1 blocks of these data items, one block for each inner list. Returns the most
/// memory that derivation held, without the L1 blocks themselves, and what was dropped.
fn peak(fork: Fork, blocks: &[Vec<Bytes>]) -> (usize, Vec<&'static str>) {
    let mut l1 = L1::new(&chain(rollup(fork)));
    for items in blocks {
        l1.add(items.iter().map(|item| L1Tx::inbox(item.clone())));
    }
    let mut node = Node::new(&l1);
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    node.run_to_end();
    let peak = MEMORY.peak_usage() - before;
    (peak, node.reason_names())
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures are worth knowing")]
fn a_hostile_channel_holds_at_most_a_tenth_more_than_the_protocol_allows() {
    let largest = MAX_RLP_BYTES - 5;
    let zeros = vec![0; largest];
    let random = noise(largest);
    // what a channel takes on L1 counts as well, and its frames count for 200 bytes more each
    let most_compressed = MAX_RLP_BYTES - 250 * MAX_RLP_BYTES.div_ceil(FRAME) - 20_000;
    let incompressible = zlib(&random[..most_compressed - 20_000], Compression::none());
    assert!(incompressible.len() <= most_compressed);
    let mut cases = Vec::new();
    // a channel counts with its bytes on L1 and with what it may decompress to
    let mut case = |name, fork, decompressed: usize, channel: Bytes, end: &'static str| {
        let cap = channel.len() + decompressed;
        cases.push((name, fork, cap, vec![frames(1, &channel)], end));
    };
    let fast = Compression::fast();
    case(
        "zlib, one string of zeros",
        Fork::Karst,
        MAX_RLP_BYTES,
        zlib(&zeros, fast),
        "batch_decode",
    );
    case(
        "zlib, a span of empty blocks",
        Fork::Karst,
        MAX_RLP_BYTES,
        zlib(&span_of_empty_blocks(), fast),
        "span_future",
    );
    let transactions = span_of_small_transactions(largest);
    case(
        "zlib, a span of small transactions",
        Fork::Karst,
        MAX_RLP_BYTES,
        zlib(&transactions, fast),
        "span_future",
    );
    case(
        "brotli, one string of zeros",
        Fork::Karst,
        MAX_RLP_BYTES + BROTLI_WINDOW,
        brotli(&zeros),
        "batch_decode",
    );
    drop((zeros, transactions));
    case(
        "zlib, incompressible",
        Fork::Karst,
        MAX_RLP_BYTES,
        incompressible,
        "batch_decode",
    );
    let small = MAX_RLP_BYTES_BEFORE_FJORD;
    case(
        "before Fjord, zlib, one string of zeros",
        Fork::Delta,
        small,
        zlib(&vec![0; small - 4], fast),
        "batch_decode",
    );
    // more frames of open channels than the bank takes: large ones, and those that hold one byte
    let open = |letter: u8, number: u16, data: &[u8]| Frame {
        id: id(letter),
        number,
        data: Bytes::copy_from_slice(data),
        is_last: false,
    };
    let large = (0..120_u8)
        .map(|n| encode_frames([&open(n % 7, n.into(), &random[..FRAME])]))
        .collect();
    cases.push((
        "a bank of large frames",
        Fork::Delta,
        MAX_BANK_BYTES_BEFORE_FJORD,
        vec![large],
        "channel_pruned",
    ));
    let small = (0..10_u8)
        .map(|letter| {
            let frames: Vec<_> = (0..u16::MAX)
                .map(|number| open(letter, number, &[letter]))
                .collect();
            encode_frames(&frames)
        })
        .collect();
    cases.push((
        "a bank of frames that hold a byte",
        Fork::Delta,
        MAX_BANK_BYTES_BEFORE_FJORD,
        vec![small],
        "channel_pruned",
    ));
    drop(random);
    for (name, fork, cap, blocks, end) in &cases {
        let (peak, dropped) = peak(*fork, blocks);
        println!("{name}: {peak} bytes where {cap} are allowed");
        // it was read, and not refused for its size
        assert_eq!(dropped.first(), Some(end), "{name}");
        assert!(
            peak <= cap + cap / 10,
            "{name}: {peak} bytes where {cap} are allowed"
        );
    }
}
