//! Opening a channel and reading its strings.

use crate::brotli::BrotliSource;
use crate::error::{OpenError, ReadError};
use crate::rlp_stream::RlpStream;
use crate::zlib::ZlibSource;

/// How a channel is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// zlib (RFC 1950).
    Zlib,
    /// brotli (RFC 7932), after a version byte.
    Brotli,
}

/// What the protocol allows at the L1 origin a channel is read at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many decompressed bytes may be read, RLP headers included.
    pub max_rlp_bytes: u64,
    /// Whether brotli is allowed (from Fjord).
    pub brotli: bool,
}

#[derive(Debug)]
enum Stream {
    Zlib(RlpStream<ZlibSource>),
    Brotli(RlpStream<BrotliSource>),
}

/// Reads the strings of one channel.
#[derive(Debug)]
pub struct ChannelReader {
    compressed: Vec<u8>,
    stream: Stream,
    ended: bool,
}

impl ChannelReader {
    /// Looks at the first bytes of a channel.
    pub fn open(compressed: Vec<u8>, limits: Limits) -> Result<Self, OpenError> {
        let &first = compressed.first().ok_or(OpenError::Empty)?;
        let stream = match (first, first & 0xf) {
            (_, 8 | 15) => {
                let source = ZlibSource::open(&compressed)?;
                Stream::Zlib(RlpStream::new(source, limits.max_rlp_bytes))
            }
            (1, _) if !limits.brotli => return Err(OpenError::BrotliBeforeFjord),
            (1, _) => Stream::Brotli(RlpStream::new(BrotliSource::new(1), limits.max_rlp_bytes)),
            _ => return Err(OpenError::UnknownCompression(first)),
        };
        Ok(Self {
            compressed,
            stream,
            ended: false,
        })
    }

    /// Next string.
    pub fn next_string(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        if self.ended {
            return Ok(None);
        }
        let result = match &mut self.stream {
            Stream::Zlib(stream) => stream.next_string(&self.compressed),
            Stream::Brotli(stream) => stream.next_string(&self.compressed),
        };
        self.ended = !matches!(result, Ok(Some(_)));
        result
    }

    /// Total.
    pub fn decompressed(&self) -> u64 {
        match &self.stream {
            Stream::Zlib(stream) => stream.decompressed(),
            Stream::Brotli(stream) => stream.decompressed(),
        }
    }
}
