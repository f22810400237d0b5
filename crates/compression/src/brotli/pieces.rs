//! The compressed bytes, in the pieces in which op-node's decoder gets them.

use crate::bits::BitReader;
use crate::error::BrotliError;
use crate::prefix::{SUBTABLE, code_bits, total_bits, value};

/// op-node looks at the first byte of a channel through a buffer of this size, so the first piece
/// is what that buffer holds.
const FIRST_END: usize = 4096;
/// All other pieces have this size, if there is that much left.
const PIECE: usize = 32768;

/// Bit positions of a register are in bytes times eight.
const BITS: usize = 8;

/// A reader of bits that notices when it runs past the current piece.
///
/// The whole input is at hand, so nothing has to be interrupted there. But op-node's decoder, when
/// it has used a piece up, first hands out all output it has; so that moment has to be noticed.
#[derive(Debug)]
pub(super) struct Pieces {
    pub(super) reader: BitReader,
    /// End of the current piece.
    end: usize,
    /// A piece was used up since this was last asked.
    crossed: bool,
}

impl Pieces {
    /// Nothing has been read but `start` bytes that are not part of the stream.
    pub(super) const fn new(start: usize) -> Self {
        Self {
            reader: BitReader::at(start),
            end: start,
            crossed: false,
        }
    }

    /// Whether a piece was used up since the last call.
    pub(super) const fn take_crossed(&mut self) -> bool {
        std::mem::replace(&mut self.crossed, false)
    }

    /// Whether the bits taken so far come from bytes past the current piece.
    #[inline(always)]
    pub(super) const fn is_past_end(&self) -> bool {
        self.reader.position() > self.end * BITS
    }

    /// End of the current piece.
    #[inline(always)]
    pub(super) const fn end(&self) -> usize {
        self.end
    }

    /// Goes on to the next piece.
    #[cold]
    pub(super) fn cross(&mut self, input: &[u8]) -> Result<(), BrotliError> {
        self.crossed = true;
        if self.end == input.len() {
            return Err(BrotliError::Truncated);
        }
        let next = if self.end < FIRST_END {
            FIRST_END
        } else {
            self.end + PIECE
        };
        self.end = next.min(input.len());
        Ok(())
    }

    /// Goes on to the piece that the bits taken so far come from.
    fn catch_up(&mut self, input: &[u8]) -> Result<(), BrotliError> {
        while self.is_past_end() {
            self.cross(input)?;
        }
        Ok(())
    }

    /// At least 32 bits in the register, with zeros past the end of the input.
    #[inline(always)]
    pub(super) fn refill(&mut self, input: &[u8]) {
        if self.reader.count < 32 {
            self.reader.refill(input);
            if self.reader.count < 32 {
                self.pad();
            }
        }
    }

    /// Pretends that zeros follow the input. They are past the end of the last piece, so whoever
    /// takes them will notice.
    #[cold]
    fn pad(&mut self) {
        while self.reader.count < 56 {
            self.reader.count += 8;
            self.reader.next += 1;
        }
    }

    /// Takes `count` bits (at most 32) without looking whether they are past the piece.
    #[inline(always)]
    pub(super) fn take_unchecked(&mut self, input: &[u8], count: u32) -> u32 {
        self.refill(input);
        let bits = self.reader.peek(count);
        self.reader.drop(count);
        bits
    }

    /// Takes a symbol without looking whether it is past the piece.
    #[inline(always)]
    pub(super) fn symbol_unchecked(&mut self, input: &[u8], table: &[u32], root_bits: u32) -> u32 {
        self.refill(input);
        let mut entry = table[self.reader.peek(root_bits) as usize];
        if entry & SUBTABLE != 0 {
            self.reader.drop(root_bits);
            let at = value(entry) + self.reader.peek(code_bits(entry));
            entry = table[at as usize];
        }
        self.reader.drop(total_bits(entry));
        value(entry)
    }

    /// Takes `count` bits (at most 32).
    #[inline(always)]
    pub(super) fn take(&mut self, input: &[u8], count: u32) -> Result<u32, BrotliError> {
        let bits = self.take_unchecked(input, count);
        self.catch_up(input)?;
        Ok(bits)
    }

    /// Looks `count` bits (at most 32) ahead; they must all be there.
    pub(super) fn look_ahead(&mut self, input: &[u8], count: u32) -> Result<u32, BrotliError> {
        let before = self.reader;
        let bits = self.take(input, count)?;
        self.reader = before;
        Ok(bits)
    }

    /// Takes a symbol.
    #[inline(always)]
    pub(super) fn symbol(
        &mut self,
        input: &[u8],
        table: &[u32],
        root_bits: u32,
    ) -> Result<u32, BrotliError> {
        let symbol = self.symbol_unchecked(input, table, root_bits);
        self.catch_up(input)?;
        Ok(symbol)
    }

    /// Goes on to the next byte boundary. Returns whether the bits before it are zero.
    pub(super) fn align(&mut self, input: &[u8]) -> bool {
        self.refill(input);
        let padding = self.reader.count % 8;
        let bits = self.reader.peek(padding);
        self.reader.drop(padding);
        bits == 0
    }

    /// Position in bytes. Only at a byte boundary.
    pub(super) const fn byte(&self) -> usize {
        self.reader.next_whole_byte()
    }

    /// Goes to another byte of the current piece.
    pub(super) const fn jump(&mut self, byte: usize) {
        self.reader = BitReader::at(byte);
    }

    /// Passes over `count` bytes. Only at a byte boundary.
    pub(super) fn skip(&mut self, input: &[u8], count: usize) -> Result<(), BrotliError> {
        let to = self.byte() + count;
        self.jump(to.min(input.len()));
        self.catch_up(input)?;
        while to > self.end {
            self.cross(input)?;
        }
        Ok(())
    }
}
