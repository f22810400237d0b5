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
    /// claims: it doubles until a tenth of the goal is there and only then becomes the whole
    /// goal. So at most ten times what arrived is ever reserved, and while the bytes move to
    /// their last place, old and new place together take at most 1.1 times the goal.
    pub(crate) fn push(&mut self, more: &[u8]) {
        let len = self.bytes.len() + more.len();
        if len > self.bytes.capacity() {
            let capacity = if len >= self.goal / 10 {
                self.goal.max(len)
            } else {
                (2 * len).max(BUFFER)
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

    pub(crate) const fn total(&self) -> u64 {
        self.total
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
