//! Reads a decompressed stream the way Go's `bufio.Reader` does.
//!
//! op-node reads a channel through a `bufio.Reader` with 4096 bytes of buffer. A read from that
//! buffer delivers the data first and an error only afterwards; a read that wants at least 4096
//! bytes while the buffer is empty goes to the decompressor directly, which may deliver the last
//! bytes *together* with the error. What is read together with an error is lost, so it matters
//! for the outcome which of the two ways a read takes.

use crate::error::StreamError;

/// Size of the buffer of a `bufio.Reader`.
pub(crate) const BUFFER: usize = 4096;

/// Why a stream has no more data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamEnd {
    /// It ended properly.
    Eof,
    /// It is broken.
    Failed(StreamError),
}

/// What one read brought: a number of bytes, and possibly the end right with them.
pub(crate) type ReadOutcome = (usize, Option<StreamEnd>);

/// A decompressor that can be read from.
pub(crate) trait Source {
    /// Appends at most `room` (at least one) bytes of the stream to `out`, with the very outcome
    /// that a `Read` with that much room has in Go.
    fn read(&mut self, input: &[u8], room: usize, out: &mut Sink<'_>) -> ReadOutcome;

    /// How many bytes of memory it holds.
    fn memory(&self) -> usize;
}

/// Where decompressed bytes go.
#[derive(Debug)]
pub(crate) struct Sink<'a> {
    bytes: &'a mut Vec<u8>,
    /// The length that `bytes` is going to have if all goes well.
    goal: usize,
}

impl<'a> Sink<'a> {
    pub(crate) const fn new(bytes: &'a mut Vec<u8>, goal: usize) -> Self {
        Self { bytes, goal }
    }

    /// Appends `more`.
    ///
    /// The capacity follows the data that really arrives, because `goal` is only what a header
    /// claims: it doubles up to a sixteenth of the goal, and only when that much has arrived it
    /// becomes the whole goal. So at most sixteen times what arrived is ever reserved; and while
    /// the bytes move for the last time, their old and new place together take no more than the
    /// goal and a sixteenth.
    pub(crate) fn push(&mut self, more: &[u8]) {
        let len = self.bytes.len() + more.len();
        if len > self.bytes.capacity() {
            let modest = self.goal / 16;
            let capacity = if len > modest {
                self.goal.max(len)
            } else {
                (2 * len).max(BUFFER).min(modest)
            };
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
        self.bytes.extend_from_slice(more);
    }
}

/// The `bufio.Reader`.
#[derive(Debug)]
pub(crate) struct GoReader<S> {
    source: S,
    buffer: Vec<u8>,
    /// How much of the buffer has been read.
    read: usize,
    end: Option<StreamEnd>,
    /// Decompressed bytes taken from the source.
    total: u64,
}

impl<S: Source> GoReader<S> {
    pub(crate) fn new(source: S) -> Self {
        Self {
            source,
            buffer: Vec::with_capacity(BUFFER),
            read: 0,
            end: None,
            total: 0,
        }
    }

    /// How much the source has delivered.
    pub(crate) const fn total(&self) -> u64 {
        self.total
    }

    /// How many bytes of memory it holds.
    pub(crate) fn memory(&self) -> usize {
        size_of::<Self>() + self.buffer.capacity() + self.source.memory()
    }

    /// Reads one byte.
    pub(crate) fn byte(&mut self, input: &[u8]) -> Result<u8, StreamEnd> {
        while self.read == self.buffer.len() {
            if let Some(end) = self.end {
                return Err(end);
            }
            self.fill(input);
        }
        let byte = self.buffer[self.read];
        self.read += 1;
        Ok(byte)
    }

    /// Reads exactly `count` bytes and appends them to `out`.
    ///
    /// A proper end together with the last of the bytes is no failure; any other end is.
    pub(crate) fn exactly(
        &mut self,
        input: &[u8],
        count: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), StreamEnd> {
        let mut sink = Sink::new(out, out.len() + count);
        let mut left = count;
        while left > 0 {
            if self.read == self.buffer.len() {
                if let Some(end) = self.end {
                    return Err(end);
                }
                if left >= BUFFER {
                    let (got, end) = self.source.read(input, left, &mut sink);
                    self.total += got as u64;
                    left -= got;
                    self.end = end;
                    match end {
                        Some(StreamEnd::Eof) if left == 0 => return Ok(()),
                        Some(end) => return Err(end),
                        None => continue,
                    }
                }
                self.fill(input);
            }
            let ready = &self.buffer[self.read..];
            let ready = &ready[..ready.len().min(left)];
            sink.push(ready);
            self.read += ready.len();
            left -= ready.len();
        }
        Ok(())
    }

    fn fill(&mut self, input: &[u8]) {
        self.buffer.clear();
        self.read = 0;
        let mut sink = Sink::new(&mut self.buffer, BUFFER);
        let (got, end) = self.source.read(input, BUFFER, &mut sink);
        self.total += got as u64;
        self.end = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::DeflateError;

    const BROKEN: StreamEnd = StreamEnd::Failed(StreamError::Checksum);

    /// Delivers its data in one part, and the end together with the last byte of it.
    struct OnePart {
        data: Vec<u8>,
        at: usize,
        end: StreamEnd,
    }

    impl Source for OnePart {
        fn read(&mut self, _: &[u8], room: usize, out: &mut Sink<'_>) -> ReadOutcome {
            let count = room.min(self.data.len() - self.at);
            out.push(&self.data[self.at..self.at + count]);
            self.at += count;
            (count, (self.at == self.data.len()).then_some(self.end))
        }

        fn memory(&self) -> usize {
            0
        }
    }

    fn read(first: usize, second: usize, end: StreamEnd) -> Result<(), StreamEnd> {
        let source = OnePart {
            data: vec![1; first + second],
            at: 0,
            end,
        };
        let mut reader = GoReader::new(source);
        let mut out = Vec::new();
        reader.exactly(&[], first, &mut out).expect("data is left");
        reader.exactly(&[], second, &mut out)?;
        assert_eq!(out.len(), first + second);
        Ok(())
    }

    #[test]
    fn an_error_together_with_the_last_bytes_loses_them_in_a_direct_read_only() {
        // The first byte leaves 4095 in the buffer. What is wanted beyond them goes through the
        // buffer again if it is less than the buffer's size.
        assert_eq!(read(1, BUFFER - 1 + BUFFER - 1, BROKEN), Ok(()));
        assert_eq!(read(1, BUFFER - 1 + BUFFER, BROKEN), Err(BROKEN));
        assert_eq!(read(1, BUFFER - 1 + BUFFER + 1, BROKEN), Err(BROKEN));
        assert_eq!(read(1, BUFFER - 1, BROKEN), Ok(()));
    }

    #[test]
    fn a_proper_end_together_with_the_last_bytes_loses_nothing() {
        assert_eq!(read(1, BUFFER - 1 + BUFFER, StreamEnd::Eof), Ok(()));
        assert_eq!(read(1, 100, StreamEnd::Eof), Ok(()));
    }

    #[test]
    fn buffered_data_comes_before_the_error() {
        let end = StreamEnd::Failed(StreamError::Deflate(DeflateError::BlockType));
        let mut reader = GoReader::new(OnePart {
            data: vec![1, 2],
            at: 0,
            end,
        });
        assert_eq!(reader.byte(&[]), Ok(1));
        assert_eq!(reader.byte(&[]), Ok(2));
        assert_eq!(reader.byte(&[]), Err(end));
        assert_eq!(reader.byte(&[]), Err(end));
    }

    #[test]
    fn capacity_follows_what_arrives() {
        for goal in [1, 100, 5000, 1_000_000, 30_000_000] {
            let mut bytes = Vec::new();
            let mut sink = Sink::new(&mut bytes, goal);
            let chunk = [0; 4099];
            let mut left = goal;
            while left > 0 {
                let before = sink.bytes.capacity();
                let count = left.min(chunk.len());
                sink.push(&chunk[..count]);
                left -= count;
                let after = sink.bytes.capacity();
                assert!(after <= goal);
                assert!(after <= 16 * (goal - left) + BUFFER);
                if after != before {
                    assert!(before + after <= goal + goal / 16 + BUFFER);
                }
            }
            assert_eq!(bytes.len(), goal);
            assert_eq!(bytes.capacity(), goal);
        }
    }
}
