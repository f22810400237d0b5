//! Deflate (RFC 1951), with the output cut into the parts that Go's `compress/flate` hands out.
//!
//! Which bytes a reader gets to see of a stream that turns out to be broken depends on where
//! those parts end, see [`Part`]. Everything else follows RFC 1951, read as Go reads it; where the
//! two leave a choice the comments say `Go:`.

mod codes;
mod fast;
mod window;

use crate::bits::{BitReader, low_byte};
use crate::error::DeflateError;
use crate::prefix::{code_bits, total_bits, value};
use codes::{Codes, END_OF_BLOCK, EXCEPTION, LITERAL, Tables};
use std::ops::Range;
use window::Window;

/// Output that becomes visible at once.
///
/// Go: output is handed out when 32 KiB have been gathered (counted from the start of the
/// stream), at an empty stored block, and when the stream ends or breaks. In that last case, and
/// only then, the end is reported together with the last byte of the part.
#[derive(Debug)]
pub(crate) struct Part {
    /// Where the bytes are, for [`Inflate::bytes`].
    pub(crate) range: Range<usize>,
    /// Why there is no part after this one.
    pub(crate) end: Option<End>,
}

/// How a deflate stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// After its final block.
    Final,
    /// Broken.
    Failed(DeflateError),
}

#[derive(Debug)]
enum State {
    BlockHeader,
    /// In a stored block, this many bytes before its end.
    Stored(usize),
    /// In a block of literals and matches, whose codes are in `codes`.
    Codes,
    Ended(End),
}

/// A deflate decoder.
#[derive(Debug)]
pub(crate) struct Inflate {
    reader: BitReader,
    state: State,
    final_block: bool,
    codes: Codes,
    window: Window,
}

impl Inflate {
    /// A decoder for the deflate stream that starts at byte `start` of the input.
    pub(crate) fn new(start: usize) -> Self {
        Self {
            reader: BitReader::at(start),
            state: State::BlockHeader,
            final_block: false,
            codes: Codes::new(),
            window: Window::new(),
        }
    }

    /// The bytes of the last part.
    pub(crate) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.window.bytes(range)
    }

    /// How many bytes of memory it holds.
    pub(crate) const fn memory(&self) -> usize {
        size_of::<Tables>() + Window::SIZE
    }

    /// First byte after the final block.
    pub(crate) const fn next_byte(&self) -> usize {
        self.reader.next_whole_byte()
    }

    /// Decodes the next part. May be empty, in particular at the end; after the end there are
    /// only empty parts.
    pub(crate) fn next_part(&mut self, input: &[u8]) -> Part {
        self.window.make_room();
        loop {
            // A full window comes first, also when decoding has got further than that: the end
            // of the block or of the stream is then only seen when the next part is asked for.
            if self.window.is_full() {
                return Part {
                    range: self.window.hand_out(),
                    end: None,
                };
            }
            let outcome = match self.state {
                State::Ended(end) => {
                    return Part {
                        range: self.window.hand_out(),
                        end: Some(end),
                    };
                }
                State::BlockHeader => match self.block_header(input) {
                    Ok(Header::EmptyStored) => {
                        self.end_block();
                        if matches!(self.state, State::BlockHeader) {
                            return Part {
                                range: self.window.hand_out(),
                                end: None,
                            };
                        }
                        Ok(())
                    }
                    Ok(Header::Other) => Ok(()),
                    Err(error) => Err(error),
                },
                State::Stored(left) => self.stored(input, left),
                State::Codes => self.fast(input).and_then(|()| {
                    if matches!(self.state, State::Codes) && !self.window.is_full() {
                        self.careful(input)
                    } else {
                        Ok(())
                    }
                }),
            };
            if let Err(error) = outcome {
                self.state = State::Ended(End::Failed(error));
            }
        }
    }

    fn end_block(&mut self) {
        self.state = if self.final_block {
            State::Ended(End::Final)
        } else {
            State::BlockHeader
        };
    }

    /// Takes `count` bits (at most 32), which must be left in the stream.
    #[inline]
    fn take(&mut self, input: &[u8], count: u32) -> Result<u32, DeflateError> {
        if self.reader.count < count {
            self.reader.refill(input);
            if self.reader.count < count {
                return Err(DeflateError::Truncated);
            }
        }
        let bits = self.reader.peek(count);
        self.reader.drop(count);
        Ok(bits)
    }

    fn block_header(&mut self, input: &[u8]) -> Result<Header, DeflateError> {
        let header = self.take(input, 3)?;
        self.final_block = header & 1 == 1;
        match header >> 1 {
            0 => {
                self.reader = BitReader::at(self.reader.next_whole_byte());
                let lengths = self.take(input, 32)?;
                let length = lengths & 0xffff;
                if length ^ 0xffff != lengths >> 16 {
                    return Err(DeflateError::StoredLength);
                }
                // The four bytes were all that was dropped since the last byte boundary.
                self.reader = BitReader::at(self.reader.next_whole_byte());
                if length == 0 {
                    return Ok(Header::EmptyStored);
                }
                self.state = State::Stored(length as usize);
            }
            1 => {
                self.codes.set_fixed()?;
                self.state = State::Codes;
            }
            2 => {
                self.dynamic_header(input)?;
                self.state = State::Codes;
            }
            _ => return Err(DeflateError::BlockType),
        }
        Ok(Header::Other)
    }

    /// Copies what fits of a stored block. Whatever is left of a truncated stream is copied too.
    fn stored(&mut self, input: &[u8], left: usize) -> Result<(), DeflateError> {
        let rest = &input[self.reader.next..];
        let wanted = left.min(self.window.room());
        let count = wanted.min(rest.len());
        self.window.push_slice(&rest[..count]);
        self.reader.next += count;
        if count < wanted {
            return Err(DeflateError::Truncated);
        }
        if count == left {
            self.end_block();
        } else {
            self.state = State::Stored(left - count);
        }
        Ok(())
    }

    /// Reads the code lengths of a dynamic block and builds its tables.
    fn dynamic_header(&mut self, input: &[u8]) -> Result<(), DeflateError> {
        let sizes = self.take(input, 14)?;
        let literals = (sizes & 0x1f) as usize + 257;
        let distances = (sizes >> 5 & 0x1f) as usize + 1;
        if literals > codes::MAX_LITERALS || distances > codes::MAX_DISTANCES {
            return Err(DeflateError::TooManyCodes);
        }
        let mut lengths = [0u8; 19];
        for &symbol in codes::LENGTH_CODE_ORDER
            .iter()
            .take((sizes >> 10) as usize + 4)
        {
            lengths[symbol] = low_byte(self.take(input, 3)?);
        }
        let length_code = codes::LengthCode::new(&lengths)?;

        let mut lengths = [0u8; codes::MAX_LITERALS + codes::MAX_DISTANCES];
        let all = &mut lengths[..literals + distances];
        let mut at = 0;
        while at < all.len() {
            self.reader.refill(input);
            let entry = length_code.look_up(self.reader.bits);
            let least = length_code.shortest.max(code_bits(entry));
            if self.reader.count < least {
                return Err(DeflateError::Truncated);
            }
            if entry & EXCEPTION != 0 {
                return Err(DeflateError::UnusedCode);
            }
            self.reader.drop(code_bits(entry));
            let symbol = low_byte(entry >> 16);
            let (length, extra, base) = match symbol {
                0..16 => {
                    all[at] = symbol;
                    at += 1;
                    continue;
                }
                // Repeats the length before; there must be one.
                16 => (*all[..at].last().ok_or(DeflateError::Repeat)?, 2, 3),
                17 => (0, 3, 3),
                _ => (0, 7, 11),
            };
            let count = (self.take(input, extra)? + base) as usize;
            all.get_mut(at..at + count)
                .ok_or(DeflateError::Repeat)?
                .fill(length);
            at += count;
        }
        let (literals, distances) = all.split_at(literals);
        self.codes.set(literals, distances)
    }

    /// Decodes one symbol at a time and counts the bits that are left, near the end of the input.
    ///
    /// Go: before it looks a symbol up, it wants as many bits to be left as the shortest codeword
    /// has (for literals: as the end-of-block codeword has, if that is longer). So a stream that
    /// is cut off loses symbols that could still be told.
    fn careful(&mut self, input: &[u8]) -> Result<(), DeflateError> {
        while !self.window.is_full() {
            self.reader.refill(input);
            let entry = self.codes.look_up_literal(self.reader.bits);
            self.drop_code(entry, self.codes.shortest_literal)?;
            if entry & LITERAL != 0 {
                let mut output = self.window.writer();
                output.push(low_byte(entry >> 16));
                output.finish();
                continue;
            }
            if entry & EXCEPTION != 0 {
                if entry & END_OF_BLOCK != 0 {
                    self.end_block();
                    return Ok(());
                }
                return Err(DeflateError::UnusedCode);
            }
            let length = self.ranged(input, entry)?;
            self.reader.refill(input);
            let entry = self.codes.look_up_distance(self.reader.bits);
            self.drop_code(entry, self.codes.shortest_distance)?;
            if entry & EXCEPTION != 0 {
                return Err(DeflateError::UnusedCode);
            }
            let distance = self.ranged(input, entry)?;
            let mut output = self.window.writer();
            if output.is_too_far(distance) {
                return Err(DeflateError::Distance);
            }
            output.repeat(distance, length);
            output.finish();
        }
        Ok(())
    }

    /// The value meant by an entry, whose codeword has been dropped, and its extra bits.
    fn ranged(&mut self, input: &[u8], entry: u32) -> Result<usize, DeflateError> {
        let extra = self.take(input, total_bits(entry) - code_bits(entry))?;
        Ok(value(entry) + extra as usize)
    }

    fn drop_code(&mut self, entry: u32, shortest: u32) -> Result<(), DeflateError> {
        if self.reader.count < shortest.max(code_bits(entry)) {
            return Err(DeflateError::Truncated);
        }
        self.reader.drop(code_bits(entry));
        Ok(())
    }

    /// Decodes until the window is full, the block ends, or the end of the input is near.
    fn fast(&mut self, input: &[u8]) -> Result<(), DeflateError> {
        if fast::decode(input, &mut self.reader, &self.codes, &mut self.window)? {
            self.end_block();
        }
        Ok(())
    }
}

enum Header {
    EmptyStored,
    Other,
}
