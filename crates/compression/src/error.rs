//! What can be wrong with a channel.

use thiserror::Error;

/// Why a channel can not be read at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OpenError {
    /// There is no first byte.
    #[error("the channel is empty")]
    Empty,
    /// The first byte stands for no compression.
    #[error("the first byte {0:#04x} names no known compression")]
    UnknownCompression(u8),
    /// The channel is compressed with brotli, which is not allowed yet.
    #[error("brotli is not allowed before Fjord")]
    BrotliBeforeFjord,
    /// The zlib header is not acceptable.
    #[error("zlib header: {0}")]
    ZlibHeader(#[from] ZlibHeaderError),
}

/// What is wrong with a zlib header (RFC 1950).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ZlibHeaderError {
    /// The channel ends within the header.
    #[error("cut off")]
    Truncated,
    /// The compression method is not 8 (deflate).
    #[error("method {0} is not deflate")]
    Method(u8),
    /// The window is larger than 32 KiB.
    #[error("window size code {0} is above 7")]
    WindowSize(u8),
    /// The header is not a multiple of 31.
    #[error("check bits do not fit")]
    Check,
    /// A preset dictionary is asked for, and it is not the empty one.
    #[error("unknown preset dictionary {0:#010x}")]
    Dictionary(u32),
}

/// Why the rest of a channel is abandoned. The strings read before stay valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("string at byte {offset} of the decompressed channel: {kind}")]
pub struct ReadError {
    /// Where the string that could not be read starts (its RLP header) in the decompressed stream.
    pub offset: u64,
    /// What is wrong.
    pub kind: ReadErrorKind,
}

/// What is wrong with the string that could not be read, or with the stream that carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReadErrorKind {
    /// A list stands where a byte string has to be.
    #[error("a list instead of a byte string")]
    List,
    /// The size is not encoded in the shortest way.
    #[error("the size is not encoded canonically")]
    NonCanonicalSize,
    /// The item claims to be larger than what may still be read of the channel.
    #[error("{claimed} bytes claimed, but only {remaining} may still be read")]
    OverBudget {
        /// Size of the string, list, or size field.
        claimed: u64,
        /// What may still be read.
        remaining: u64,
    },
    /// The decompressed stream ends, properly, within the string.
    #[error("the decompressed stream ends within the string")]
    EndsWithin,
    /// The compressed stream is broken.
    #[error(transparent)]
    Stream(#[from] StreamError),
}

/// What is wrong with a compressed stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum StreamError {
    /// The deflate stream is broken.
    #[error("deflate: {0}")]
    Deflate(#[from] DeflateError),
    /// The checksum after the deflate stream is missing or incomplete.
    #[error("zlib: the checksum is cut off")]
    ChecksumTruncated,
    /// The checksum after the deflate stream is wrong.
    #[error("zlib: wrong checksum")]
    Checksum,
    /// The brotli stream is broken.
    #[error("brotli: {0}")]
    Brotli(#[from] BrotliError),
}

impl StreamError {
    /// The compressed stream ends too early; what there is of it is in order.
    pub const fn is_truncation(self) -> bool {
        matches!(
            self,
            Self::ChecksumTruncated
                | Self::Deflate(DeflateError::Truncated)
                | Self::Brotli(BrotliError::Truncated)
        )
    }
}

/// What is wrong with a deflate stream (RFC 1951).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DeflateError {
    /// The stream ends before its final block does.
    #[error("cut off")]
    Truncated,
    /// Block type 3.
    #[error("reserved block type")]
    BlockType,
    /// The two copies of a stored block's length differ.
    #[error("length of a stored block does not match its complement")]
    StoredLength,
    /// More than 286 literal/length or 30 distance codes.
    #[error("too many codes")]
    TooManyCodes,
    /// A repeated code length, and there is none to repeat or too many follow.
    #[error("bad repetition of code lengths")]
    Repeat,
    /// The code lengths of a prefix code leave a gap or overlap.
    #[error("incomplete or oversubscribed prefix code")]
    Code,
    /// Bits that are no codeword, or the codeword of a symbol that must not be used.
    #[error("unused code")]
    UnusedCode,
    /// A distance reaches back before the start of the stream.
    #[error("distance too far back")]
    Distance,
}

/// What is wrong with a brotli stream (RFC 7932).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BrotliError {
    /// The stream ends before its last meta-block does.
    #[error("cut off")]
    Truncated,
    /// There are bytes after the stream.
    #[error("bytes after the end of the stream")]
    ExcessiveInput,
    /// The reserved window size, which stands for large windows.
    #[error("window size")]
    WindowBits,
    /// The length of a meta-block has a superfluous zero nibble.
    #[error("superfluous nibble in the length of a meta-block")]
    ExuberantNibble,
    /// The length of a metadata block has a superfluous zero byte.
    #[error("superfluous byte in the length of a metadata block")]
    ExuberantMetaNibble,
    /// The reserved bit of a metadata block is set.
    #[error("reserved bit")]
    Reserved,
    /// Padding bits before a byte boundary are not zero, within the stream.
    #[error("padding before an uncompressed or metadata block")]
    Padding1,
    /// Padding bits before a byte boundary are not zero, at the end.
    #[error("padding at the end of the stream")]
    Padding2,
    /// A simple prefix code names a symbol outside of the alphabet.
    #[error("symbol of a simple prefix code is outside of its alphabet")]
    SimplePrefixAlphabet,
    /// A simple prefix code names a symbol twice.
    #[error("simple prefix code with a repeated symbol")]
    SimplePrefixSame,
    /// The code for code lengths is incomplete or oversubscribed.
    #[error("incomplete or oversubscribed code of code lengths")]
    CodeLengthSpace,
    /// A prefix code is incomplete or oversubscribed.
    #[error("incomplete or oversubscribed prefix code")]
    PrefixSpace,
    /// A run of zeros leaves the context map.
    #[error("run of zeros leaves the context map")]
    ContextMapRepeat,
    /// A command writes more than its meta-block holds, noticed when the window was full.
    #[error("more data than the meta-block announced (full window)")]
    BlockLength1,
    /// A command writes more than its meta-block holds, noticed at the end of it.
    #[error("more data than the meta-block announced")]
    BlockLength2,
    /// A dictionary reference names a transform that does not exist.
    #[error("unknown transform of a dictionary word")]
    Transform,
    /// A distance past the window, with a length that no dictionary word has.
    #[error("no dictionary word has this length")]
    Dictionary,
    /// A distance that no stream can hold.
    #[error("impossible distance")]
    Distance,
    /// The meta-block goes on after 2^24 block elements of its only block type.
    #[error("endless block")]
    EndlessBlock,
}
