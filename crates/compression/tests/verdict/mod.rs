//! What comes out of a channel, in the words of `tests/vectors`.

use doppio_compression::{
    BrotliError, ChannelReader, Limits, OpenError, ReadErrorKind, StreamError, ZlibHeaderError,
};

/// What came out of a channel.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// How many strings.
    pub(crate) strings: usize,
    /// The sum of their lengths.
    pub(crate) bytes: usize,
    /// Their fingerprint.
    pub(crate) hash: String,
    /// How it ended. What op-node takes for the end of the channel is `end`.
    pub(crate) end: String,
}

/// Fingerprint of strings: each one is its length (eight bytes, little endian), and then its
/// bytes. Eight bytes (little endian) at a time, and then the remaining ones, are mixed in like in
/// FNV-1a.
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

const FINGERPRINT_START: u64 = 14_695_981_039_346_656_037;

/// Reads a channel. Returns the lengths of the strings, too.
pub(crate) fn read(channel: Vec<u8>, limits: Limits) -> (Verdict, Vec<usize>) {
    let mut hash = FINGERPRINT_START;
    let mut lens = Vec::new();
    let end = match ChannelReader::open(channel, limits) {
        Err(error) => open_name(error),
        Ok(mut reader) => loop {
            match reader.next_string() {
                Ok(Some(string)) => {
                    hash = fingerprint(hash, &(string.len() as u64).to_le_bytes());
                    hash = fingerprint(hash, &string);
                    lens.push(string.len());
                }
                Ok(None) => break "end",
                Err(error) => {
                    assert_eq!(reader.next_string(), Ok(None), "an error is reported once");
                    break end_name(error.kind);
                }
            }
        },
    };
    let verdict = Verdict {
        strings: lens.len(),
        bytes: lens.iter().sum(),
        hash: format!("{hash:016x}"),
        end: end.to_owned(),
    };
    (verdict, lens)
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
        ReadErrorKind::Stream(StreamError::ChecksumTruncated) => "truncated",
        ReadErrorKind::Stream(StreamError::Deflate(_)) => "corrupt",
        ReadErrorKind::Stream(StreamError::Brotli(error)) => match error {
            BrotliError::Truncated => "truncated",
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
            BrotliError::EndlessBlock => "no verdict",
        },
    }
}
