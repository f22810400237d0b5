//! Prints what comes out of each channel of a file, one line each.
//!
//! The input on stdin is a row of records: the length of the channel (u32, little endian), the
//! limit on decompressed bytes (u64, little endian), whether brotli is allowed (one byte), and
//! the channel. A line has the number of strings, the sum of their lengths, a fingerprint of all
//! of them, and how it ended. With the argument `lens`, the length of each string follows.
#![allow(clippy::print_stdout, missing_docs)]

use doppio_compression::{
    BrotliError, ChannelReader, Limits, OpenError, ReadErrorKind, StreamError, ZlibHeaderError,
};
use std::io::{BufWriter, Read, Write, stdin, stdout};

fn fingerprint(mut hash: u64, bytes: &[u8]) -> u64 {
    const PRIME: u64 = 1_099_511_628_211;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        hash = (hash ^ u64::from_le_bytes(*word)).wrapping_mul(PRIME);
        hash ^= hash >> 29;
    }
    for &byte in rest {
        hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
    }
    hash ^ hash >> 32
}

fn open_name(error: OpenError) -> &'static str {
    match error {
        OpenError::Empty => "open:empty",
        OpenError::UnknownCompression(_) => "open:unknown",
        OpenError::BrotliBeforeFjord => "open:early",
        OpenError::ZlibHeader(ZlibHeaderError::Truncated) => "open:truncated",
        OpenError::ZlibHeader(ZlibHeaderError::Dictionary(_)) => "open:dictionary",
        OpenError::ZlibHeader(_) => "open:header",
    }
}

fn end_name(kind: ReadErrorKind) -> &'static str {
    match kind {
        ReadErrorKind::List => "list",
        ReadErrorKind::NonCanonicalSize => "canon",
        ReadErrorKind::OverBudget { .. } => "budget",
        ReadErrorKind::EndsWithin => "truncated",
        ReadErrorKind::Stream(error) if error.is_truncation() => "truncated",
        ReadErrorKind::Stream(StreamError::Checksum) => "checksum",
        ReadErrorKind::Stream(StreamError::Deflate(_)) => "corrupt",
        ReadErrorKind::Stream(StreamError::Brotli(error)) => match error {
            BrotliError::ExcessiveInput => "excessive",
            BrotliError::WindowBits => "br:WINDOW_BITS",
            BrotliError::ExuberantNibble => "br:EXUBERANT_NIBBLE",
            BrotliError::ExuberantMetaNibble => "br:EXUBERANT_META_NIBBLE",
            BrotliError::Reserved => "br:RESERVED",
            BrotliError::Padding1 => "br:PADDING_1",
            BrotliError::Padding2 => "br:PADDING_2",
            BrotliError::SimplePrefixAlphabet => "br:SIMPLE_HUFFMAN_ALPHABET",
            BrotliError::SimplePrefixSame => "br:SIMPLE_HUFFMAN_SAME",
            BrotliError::CodeLengthSpace => "br:CL_SPACE",
            BrotliError::PrefixSpace => "br:HUFFMAN_SPACE",
            BrotliError::ContextMapRepeat => "br:CONTEXT_MAP_REPEAT",
            BrotliError::BlockLength1 => "br:BLOCK_LENGTH_1",
            BrotliError::BlockLength2 => "br:BLOCK_LENGTH_2",
            BrotliError::Transform => "br:TRANSFORM",
            BrotliError::Dictionary => "br:DICTIONARY",
            BrotliError::Distance => "br:DISTANCE",
            BrotliError::EndlessBlock => "br:ENDLESS",
            BrotliError::Truncated => "truncated",
        },
        ReadErrorKind::Stream(StreamError::ChecksumTruncated) => "truncated",
    }
}

fn main() {
    let want_lens = std::env::args()
        .nth(1)
        .is_some_and(|argument| argument == "lens");
    let mut input = stdin().lock();
    let mut out = BufWriter::with_capacity(1 << 20, stdout().lock());
    let mut header = [0; 13];
    while input.read_exact(&mut header).is_ok() {
        let (length, limit, brotli) = (&header[..4], &header[4..12], header[12]);
        let length = u32::from_le_bytes(length.try_into().expect("four bytes"));
        let limit = u64::from_le_bytes(limit.try_into().expect("eight bytes"));
        let mut channel = vec![0; length as usize];
        input.read_exact(&mut channel).expect("a complete record");

        let (mut count, mut total, mut hash) = (0, 0, 14_695_981_039_346_656_037);
        let mut lens = vec![];
        let limits = Limits {
            max_rlp_bytes: limit,
            brotli: brotli != 0,
        };
        let end = match ChannelReader::open(channel, limits) {
            Err(error) => open_name(error),
            Ok(mut reader) => loop {
                match reader.next_string() {
                    Ok(Some(string)) => {
                        count += 1;
                        total += string.len();
                        hash = fingerprint(hash, &(string.len() as u64).to_le_bytes());
                        hash = fingerprint(hash, &string);
                        lens.push(string.len());
                    }
                    Ok(None) => break "end",
                    Err(error) => break end_name(error.kind),
                }
            },
        };
        if want_lens {
            let lens: Vec<String> = lens.iter().map(ToString::to_string).collect();
            writeln!(
                out,
                "{count} {total} {hash:016x} {end} [{}]",
                lens.join(" ")
            )
        } else {
            writeln!(out, "{count} {total} {hash:016x} {end}")
        }
        .expect("stdout");
    }
}
