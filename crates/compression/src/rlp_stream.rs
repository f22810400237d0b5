//! RLP byte strings one after another, read as go-ethereum's `rlp.Stream` reads them.
// spec: opstack 2.5, opstack-2026-09 2 *8 *9

use crate::error::{ReadError, ReadErrorKind};
use crate::go_reader::{GoReader, Source, StreamEnd};

/// The strings of a decompressed channel.
#[derive(Debug)]
pub(crate) struct RlpStream<S> {
    reader: GoReader<S>,
    /// How many bytes may still be read, RLP headers included.
    remaining: u64,
    /// How many bytes have been asked for.
    offset: u64,
}

impl<S: Source> RlpStream<S> {
    pub(crate) fn new(source: S, budget: u64) -> Self {
        Self {
            reader: GoReader::new(source),
            remaining: budget,
            offset: 0,
        }
    }

    /// How many bytes of memory it holds.
    pub(crate) fn memory(&self) -> usize {
        self.reader.memory()
    }

    /// Bytes that the decompressor has delivered.
    pub(crate) const fn decompressed(&self) -> u64 {
        self.reader.total()
    }

    /// Reads the next string. `None` at the end of the stream, or when the budget is used up.
    ///
    /// A stream that is cut off right between two strings ends there like a complete one, as it
    /// does for op-node.
    pub(crate) fn next_string(&mut self, input: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        let offset = self.offset;
        self.string(input)
            .map_err(|kind| ReadError { offset, kind })
    }

    fn string(&mut self, input: &[u8]) -> Result<Option<Vec<u8>>, ReadErrorKind> {
        if self.spend(1).is_err() {
            return Ok(None);
        }
        let header = match self.reader.byte(input) {
            Ok(byte) => byte,
            Err(end) if is_end_of_data(end) => return Ok(None),
            Err(end) => return Err(failure(end)),
        };
        let (is_list, size) = match header {
            0..0x80 => return Ok(Some(vec![header])),
            0x80..0xb8 => (false, u64::from(header - 0x80)),
            0xb8..0xc0 => (false, self.long_size(input, usize::from(header - 0xb7))?),
            0xc0..0xf8 => (true, u64::from(header - 0xc0)),
            0xf8.. => (true, self.long_size(input, usize::from(header - 0xf7))?),
        };
        self.check_budget(size)?;
        if is_list {
            return Err(ReadErrorKind::List);
        }
        self.spend(size)?;
        let mut string = Vec::new();
        let count = usize::try_from(size).map_err(|_| ReadErrorKind::OverBudget {
            claimed: size,
            remaining: self.remaining,
        })?;
        self.reader
            .exactly(input, count, &mut string)
            .map_err(failure)?;
        // A single byte below 0x80 is its own encoding.
        if matches!(string[..], [0..0x80]) {
            return Err(ReadErrorKind::NonCanonicalSize);
        }
        Ok(Some(string))
    }

    /// Reads a size of `width` (1 to 8) bytes, most significant first.
    fn long_size(&mut self, input: &[u8], width: usize) -> Result<u64, ReadErrorKind> {
        self.spend(width as u64)?;
        let mut size = 0u64;
        if width == 1 {
            size = self.reader.byte(input).map_err(failure)?.into();
        } else {
            let mut bytes = Vec::with_capacity(8);
            self.reader
                .exactly(input, width, &mut bytes)
                .map_err(failure)?;
            if bytes[0] == 0 {
                return Err(ReadErrorKind::NonCanonicalSize);
            }
            for byte in bytes {
                size = size << 8 | u64::from(byte);
            }
        }
        // Shorter strings have no size field.
        if size < 56 {
            Err(ReadErrorKind::NonCanonicalSize)
        } else {
            Ok(size)
        }
    }

    fn check_budget(&self, size: u64) -> Result<(), ReadErrorKind> {
        if size > self.remaining {
            return Err(ReadErrorKind::OverBudget {
                claimed: size,
                remaining: self.remaining,
            });
        }
        Ok(())
    }

    /// Takes `size` bytes off the budget, before they are read.
    fn spend(&mut self, size: u64) -> Result<(), ReadErrorKind> {
        self.check_budget(size)?;
        self.remaining -= size;
        self.offset += size;
        Ok(())
    }
}

/// Whether op-node takes this end for the end of the data if it comes where a string would start.
fn is_end_of_data(end: StreamEnd) -> bool {
    match end {
        StreamEnd::Eof => true,
        StreamEnd::Failed(error) => error.is_truncation(),
    }
}

fn failure(end: StreamEnd) -> ReadErrorKind {
    match end {
        StreamEnd::Eof => ReadErrorKind::EndsWithin,
        StreamEnd::Failed(error) => error.into(),
    }
}
