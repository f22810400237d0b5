//! The zlib format (RFC 1950): a header, a deflate stream, a checksum.
// spec: opstack 2.5, opstack-2026-09 2 *5 *9

use crate::error::{StreamError, ZlibHeaderError};
use crate::go_reader::{ReadOutcome, Sink, Source, StreamEnd};
use crate::inflate::{End, Inflate};
use simd_adler32::Adler32;
use std::fmt;
use std::ops::Range;

/// Checks the header and returns where the deflate stream starts.
fn header(input: &[u8]) -> Result<usize, ZlibHeaderError> {
    let &[method, flags] = input.first_chunk().ok_or(ZlibHeaderError::Truncated)?;
    if method & 0xf != 8 {
        return Err(ZlibHeaderError::Method(method & 0xf));
    }
    if method >> 4 > 7 {
        return Err(ZlibHeaderError::WindowSize(method >> 4));
    }
    if u16::from_be_bytes([method, flags]) % 31 != 0 {
        return Err(ZlibHeaderError::Check);
    }
    if flags & 0x20 == 0 {
        return Ok(2);
    }
    // A preset dictionary, named by its checksum. op-node has none to offer, which Go takes to be
    // the empty one, so a stream that asks for just that can be read.
    match *input[2..].first_chunk().ok_or(ZlibHeaderError::Truncated)? {
        [0, 0, 0, 1] => Ok(6),
        other => Err(ZlibHeaderError::Dictionary(u32::from_be_bytes(other))),
    }
}

/// A zlib stream that can be read from.
pub(crate) struct ZlibSource {
    inflate: Inflate,
    checksum: Adler32,
    /// What is left of the decoder's last part, and the end that comes with its last byte.
    part: Range<usize>,
    end: Option<StreamEnd>,
}

impl fmt::Debug for ZlibSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZlibSource")
            .field("inflate", &self.inflate)
            .field("part", &self.part)
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

impl ZlibSource {
    pub(crate) fn open(input: &[u8]) -> Result<Self, ZlibHeaderError> {
        let start = header(input)?;
        Ok(Self {
            inflate: Inflate::new(start),
            checksum: Adler32::new(),
            part: 0..0,
            end: None,
        })
    }

    /// Compares the checksum after the deflate stream. What follows it is ignored.
    fn check(&self, input: &[u8]) -> StreamEnd {
        let rest = &input[self.inflate.next_byte()..];
        match rest.first_chunk() {
            None => StreamEnd::Failed(StreamError::ChecksumTruncated),
            Some(&stored) if u32::from_be_bytes(stored) == self.checksum.finish() => StreamEnd::Eof,
            Some(_) => StreamEnd::Failed(StreamError::Checksum),
        }
    }
}

impl Source for ZlibSource {
    fn read(&mut self, input: &[u8], room: usize, out: &mut Sink<'_>) -> ReadOutcome {
        while self.part.is_empty() {
            if self.end.is_some() {
                return (0, self.end);
            }
            let part = self.inflate.next_part(input);
            self.checksum.write(self.inflate.bytes(part.range.clone()));
            self.part = part.range;
            self.end = part.end.map(|end| match end {
                End::Final => self.check(input),
                End::Failed(error) => StreamEnd::Failed(error.into()),
            });
        }
        let count = room.min(self.part.len());
        let (now, later) = (self.part.start, self.part.start + count);
        out.push(self.inflate.bytes(now..later));
        self.part.start = later;
        (count, if self.part.is_empty() { self.end } else { None })
    }

    fn memory(&self) -> usize {
        self.inflate.memory()
    }
}
