//! Opening a channel and reading its strings.
// spec: opstack 2.5

use crate::brotli::BrotliSource;
use crate::error::{OpenError, ReadError};
use crate::rlp_stream::RlpStream;
use crate::zlib::ZlibSource;
use std::fmt;

/// First byte of a channel that is compressed with brotli.
pub(crate) const BROTLI_VERSION: u8 = 1;

/// How a channel is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// zlib (RFC 1950).
    Zlib,
    /// brotli (RFC 7932), after a version byte.
    Brotli,
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zlib => "zlib",
            Self::Brotli => "brotli",
        })
    }
}

/// What the protocol allows in a channel. Decided by the time of the L1 origin that the derivation
/// pipeline is at when it starts to read the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many decompressed bytes may be read, RLP headers included.
    pub max_rlp_bytes: u64,
    /// Whether brotli is allowed.
    pub brotli: bool,
}

// spec: opstack 2.5, opstack 2.8 |1, opstack-2026-09 2 *9
impl Limits {
    /// Before Fjord.
    pub const BEDROCK: Self = Self {
        max_rlp_bytes: 10_000_000,
        brotli: false,
    };
    /// From Fjord on.
    pub const FJORD: Self = Self {
        max_rlp_bytes: 100_000_000,
        brotli: true,
    };
}

#[derive(Debug)]
enum Stream {
    Zlib(Box<RlpStream<ZlibSource>>),
    Brotli(Box<RlpStream<BrotliSource>>),
}

/// Reads the strings of one channel.
///
/// Only as much is decompressed as the strings that are asked for take.
#[derive(Debug)]
pub struct ChannelReader {
    compressed: Vec<u8>,
    stream: Stream,
    strings: u64,
    has_ended: bool,
}

impl ChannelReader {
    /// Starts to read a channel, given all of its bytes.
    ///
    /// # Errors
    ///
    /// If the first byte (for zlib: the header) says that the channel can not be read.
    // spec: opstack-2026-09 2 *5
    pub fn open(compressed: Vec<u8>, limits: Limits) -> Result<Self, OpenError> {
        let &first = compressed.first().ok_or(OpenError::Empty)?;
        // A low nibble of 15 is taken for zlib here, and then refused with the zlib header.
        let stream = if matches!(first & 0xf, 8 | 15) {
            let source = ZlibSource::open(&compressed)?;
            Stream::Zlib(Box::new(RlpStream::new(source, limits.max_rlp_bytes)))
        } else if first != BROTLI_VERSION {
            return Err(OpenError::UnknownCompression(first));
        } else if limits.brotli {
            let source = BrotliSource::new(1);
            Stream::Brotli(Box::new(RlpStream::new(source, limits.max_rlp_bytes)))
        } else {
            return Err(OpenError::BrotliBeforeFjord);
        };
        Ok(Self {
            compressed,
            stream,
            strings: 0,
            has_ended: false,
        })
    }

    /// How the channel is compressed.
    pub const fn algorithm(&self) -> Algorithm {
        match self.stream {
            Stream::Zlib(_) => Algorithm::Zlib,
            Stream::Brotli(_) => Algorithm::Brotli,
        }
    }

    /// Reads the next string.
    ///
    /// Returns `None` at the end of the channel; also if the limit is reached, or a stream that was
    /// cut off stops, right where the next string would start. op-node sees no difference there
    /// either. After the end or an error there is always `None`.
    ///
    /// # Errors
    ///
    /// If there is no next string, but not for one of these reasons. The rest of the channel is
    /// lost then; the strings read before stay valid.
    // spec: opstack-2026-09 2 *8 *9
    pub fn next_string(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        if self.has_ended {
            return Ok(None);
        }
        let result = match &mut self.stream {
            Stream::Zlib(stream) => stream.next_string(&self.compressed),
            Stream::Brotli(stream) => stream.next_string(&self.compressed),
        };
        if matches!(result, Ok(Some(_))) {
            self.strings += 1;
        } else {
            self.has_ended = true;
        }
        result
    }

    /// Size of the compressed channel.
    pub const fn compressed_bytes(&self) -> usize {
        self.compressed.len()
    }

    /// How much the decompressor has delivered so far. That may be up to 4 KiB more than what the
    /// strings read so far consist of.
    pub const fn decompressed_bytes(&self) -> u64 {
        match &self.stream {
            Stream::Zlib(stream) => stream.decompressed(),
            Stream::Brotli(stream) => stream.decompressed(),
        }
    }

    /// How many strings have been read.
    pub const fn strings(&self) -> u64 {
        self.strings
    }

    /// How much memory is held for reading: the compressed channel, the window, and buffers and
    /// tables, some 30 KiB for each channel and more for a brotli stream with many prefix codes.
    pub fn memory(&self) -> usize {
        let stream = match &self.stream {
            Stream::Zlib(stream) => stream.memory(),
            Stream::Brotli(stream) => stream.memory(),
        };
        self.compressed.capacity() + stream
    }
}
