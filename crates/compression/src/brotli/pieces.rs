//! The compressed bytes, in the pieces in which op-node's decoder gets them.

use crate::bits::BitReader;
use crate::error::BrotliError;
use crate::prefix::{SUBTABLE, code_bits, total_bits, value};

/// op-node looks at the first byte of a channel through a buffer of this size, so the first piece
/// is what that buffer holds.
const FIRST_END: usize = 4096;
/// All other pieces have this size, if there is that much left.
const PIECE: usize = 32768;

/// As long as op-node's decoder has this much of its input in front of it, it reads commands without
/// looking where the input ends.
const FAST_COMMANDS: usize = 28;
/// The same for code lengths.
const FAST_LENGTHS: usize = 4;
/// Before it reads a symbol, that decoder wants as many bits as the longest codeword has.
const SYMBOL_BITS: usize = 15;

/// What kind of input was used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Used {
    /// The first bytes of a piece, which were read together with what was left of the one before.
    Start,
    /// A piece.
    Piece,
}

/// A reader of bits that notices when it runs past the current piece.
///
/// The whole input is at hand, so nothing has to be interrupted there. But op-node's decoder, when
/// it has used a piece up, first hands out all output it has; so that moment has to be noticed.
///
/// It also hands output out shortly after. A command, distance, or block switch that is cut off by
/// the end of a piece is read again from its start. If whole bytes of it had not been loaded into
/// the register before, they are put into a small buffer, to which the next piece is added byte by
/// byte until the command is complete, and that buffer is used up like a piece. So it matters what
/// is in the register of that decoder, and [`Pieces`] keeps count of it.
#[derive(Debug)]
pub(super) struct Pieces {
    pub(super) reader: BitReader,
    /// End of the current piece, or of as much of it as was added to the small buffer.
    end: usize,
    /// End of the current piece.
    piece_end: usize,
    /// The first byte that is not in the register of op-node's decoder. During a run without looks
    /// at the end of the input it may be behind by whole words of four bytes.
    loaded: usize,
    /// That decoder now reads without looking at the end of the input.
    is_fast: bool,
    /// What was used up since this was last asked.
    used: Option<Used>,
}

/// Where something starts that is read as a whole or not at all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    reader: BitReader,
    loaded: usize,
}

impl Pieces {
    /// Nothing has been read but `start` bytes that are not part of the stream.
    pub(super) const fn new(start: usize) -> Self {
        Self {
            reader: BitReader::at(start),
            end: start,
            piece_end: start,
            loaded: start,
            is_fast: false,
            used: None,
        }
    }

    /// What was used up since the last call.
    pub(super) const fn take_used(&mut self) -> Option<Used> {
        self.used.take()
    }

    /// Whether the bits taken so far come from bytes past the current end.
    #[inline(always)]
    pub(super) const fn is_past_end(&self) -> bool {
        self.reader.position() > self.end * 8
    }

    /// Up to here the input may be read.
    #[inline(always)]
    pub(super) const fn end(&self) -> usize {
        self.end
    }

    /// Whether there are bytes left in the current piece. Only at a byte boundary.
    pub(super) const fn has_rest(&self) -> bool {
        self.byte() < self.piece_end
    }

    /// Goes on to the next piece, or to more of it.
    #[cold]
    pub(super) fn cross(&mut self, input: &[u8]) -> Result<(), BrotliError> {
        if self.end < self.piece_end {
            self.used = self.used.max(Some(Used::Start));
        } else {
            self.used = Some(Used::Piece);
            if self.end == input.len() {
                return Err(BrotliError::Truncated);
            }
            let next = if self.end < FIRST_END {
                FIRST_END
            } else {
                self.end + PIECE
            };
            self.piece_end = next.min(input.len());
        }
        self.end = if self.loaded < self.end {
            self.end + 1
        } else {
            self.piece_end
        };
        self.enter();
        Ok(())
    }

    /// Begins or resumes reading commands.
    pub(super) const fn enter(&mut self) {
        self.begin_run(FAST_COMMANDS);
    }

    /// Begins or resumes reading code lengths.
    pub(super) const fn enter_lengths(&mut self) {
        self.begin_run(0);
    }

    const fn begin_run(&mut self, wanted: usize) {
        self.is_fast = self.loaded + wanted <= self.end;
        // The register must not be empty.
        if self.is_fast && self.loaded < self.end && self.loaded * 8 == self.reader.position() {
            self.loaded += 1;
        }
    }

    /// Looks how near the end of the input is, before a command or literal.
    #[inline(always)]
    pub(super) const fn look_at_end(&mut self) {
        self.is_fast = self.is_fast && self.loaded + FAST_COMMANDS <= self.end;
    }

    /// There was no room for all output of a full window. Before it waits for more room, op-node's
    /// decoder gives back the whole bytes in its register.
    pub(super) const fn give_back(&mut self) {
        if self.end < self.piece_end {
            self.end = self.piece_end;
        } else {
            self.loaded = self.reader.position().div_ceil(8);
        }
    }

    /// Loads at least 33 bits, if the end of the input is not near.
    #[inline(always)]
    pub(super) const fn load_fast(&mut self) {
        if self.is_fast {
            while self.loaded * 8 <= self.reader.position() + 32 {
                self.loaded += 4;
            }
        }
    }

    /// Loads `count` bits, or all there are.
    #[inline(always)]
    fn load(&mut self, count: usize) {
        let needed = (self.reader.position() + count).div_ceil(8);
        self.loaded = self.loaded.max(needed.min(self.end));
    }

    /// Goes on to where the bits taken so far come from, of which `count` bits were taken last.
    #[inline(always)]
    fn catch_up(
        &mut self,
        input: &[u8],
        before: BitReader,
        count: usize,
    ) -> Result<(), BrotliError> {
        let after = std::mem::replace(&mut self.reader, before);
        self.load(count);
        while after.position() > self.end * 8 {
            self.cross(input)?;
            self.load(count);
        }
        self.reader = after;
        Ok(())
    }

    pub(super) const fn mark(&self) -> Mark {
        Mark {
            reader: self.reader,
            loaded: self.loaded,
        }
    }

    /// Takes nothing since `mark`, but what was loaded stays loaded.
    pub(super) const fn back_to(&mut self, mark: Mark) {
        self.reader = mark.reader;
    }

    /// Takes and loads nothing since `mark`.
    pub(super) const fn undo(&mut self, mark: Mark) {
        self.reader = mark.reader;
        self.loaded = mark.loaded;
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

    /// Takes `count` bits (at most 32) without looking whether they are past the end.
    #[inline(always)]
    fn take_unchecked(&mut self, input: &[u8], count: u32) -> u32 {
        self.refill(input);
        let bits = self.reader.peek(count);
        self.reader.drop(count);
        bits
    }

    /// Takes a symbol without looking whether it is past the end, and returns its table entry.
    #[inline(always)]
    fn entry_unchecked(&mut self, input: &[u8], table: &[u32], root_bits: u32) -> u32 {
        self.refill(input);
        let mut entry = table[self.reader.peek(root_bits) as usize];
        if entry & SUBTABLE != 0 {
            self.reader.drop(root_bits);
            entry = table[value(entry) + self.reader.peek(code_bits(entry)) as usize];
        }
        self.reader.drop(total_bits(entry));
        entry
    }

    /// Takes `count` bits (at most 32) of a command, without looking whether they are past the end.
    #[inline(always)]
    pub(super) fn command_bits(&mut self, input: &[u8], count: u32) -> u32 {
        self.load_fast();
        if !self.is_fast && count > 0 {
            self.load(count as usize);
        }
        self.take_unchecked(input, count)
    }

    /// Takes a symbol of a command, without looking whether it is past the end, and returns its
    /// table entry.
    #[inline(always)]
    pub(super) fn command_entry(&mut self, input: &[u8], table: &[u32], root_bits: u32) -> u32 {
        self.load_fast();
        if !self.is_fast {
            self.load(SYMBOL_BITS);
        }
        self.entry_unchecked(input, table, root_bits)
    }

    /// Takes `count` bits (at most 32).
    #[inline(always)]
    pub(super) fn take(&mut self, input: &[u8], count: u32) -> Result<u32, BrotliError> {
        let before = self.reader;
        let bits = self.take_unchecked(input, count);
        self.catch_up(input, before, count as usize)?;
        Ok(bits)
    }

    /// Looks `count` bits (at most 32) ahead; they must all be there.
    pub(super) fn look_ahead(&mut self, input: &[u8], count: u32) -> Result<u32, BrotliError> {
        let before = self.reader;
        let bits = self.take(input, count)?;
        self.reader = before;
        Ok(bits)
    }

    /// Takes a number that has a codeword of at most four bits. `code` has the number and the
    /// length of its codeword by the next four bits.
    pub(super) fn short_code(
        &mut self,
        input: &[u8],
        code: &[(u8, u32); 16],
    ) -> Result<u8, BrotliError> {
        self.refill(input);
        let before = self.reader;
        let (number, length) = code[self.reader.peek(4) as usize];
        self.reader.drop(length);
        self.catch_up(input, before, 4)?;
        Ok(number)
    }

    /// Takes a symbol of a code whose table entries hold nothing but symbols.
    #[inline(always)]
    pub(super) fn symbol(
        &mut self,
        input: &[u8],
        table: &[u32],
        root_bits: u32,
    ) -> Result<u32, BrotliError> {
        let before = self.reader;
        let entry = self.entry_unchecked(input, table, root_bits);
        self.catch_up(input, before, SYMBOL_BITS)?;
        Ok(entry >> 16)
    }

    /// Takes a code length symbol and the extra bits that `extra` says it has. Only after
    /// [`Pieces::enter_lengths`].
    #[inline(always)]
    pub(super) fn length_symbol(
        &mut self,
        input: &[u8],
        table: &[u32],
        root_bits: u32,
        extra: impl Fn(u32) -> u32,
    ) -> Result<(u32, u32), BrotliError> {
        let before = self.reader;
        let symbol = self.entry_unchecked(input, table, root_bits) >> 16;
        let bits = self.take_unchecked(input, extra(symbol));
        let after = std::mem::replace(&mut self.reader, before);
        loop {
            self.is_fast = self.is_fast && self.loaded + FAST_LENGTHS <= self.end;
            self.load_fast();
            if !self.is_fast {
                self.load(after.position() - before.position());
            }
            if after.position() <= self.end * 8 {
                break;
            }
            self.cross(input)?;
            self.enter_lengths();
        }
        self.reader = after;
        Ok((symbol, bits))
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

    /// Goes forward to another byte that is not past the end.
    pub(super) fn jump(&mut self, byte: usize) {
        self.reader = BitReader::at(byte);
        self.loaded = self.loaded.max(byte);
    }

    /// Passes over `count` bytes. Only at a byte boundary.
    pub(super) fn skip(&mut self, input: &[u8], count: usize) -> Result<(), BrotliError> {
        let to = self.byte() + count;
        while to > self.end {
            self.jump(self.end);
            self.cross(input)?;
        }
        self.jump(to);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At `bits` bits before the end of the first piece, of which the last bytes are not yet in the
    /// register of op-node's decoder.
    fn near_end(input: &[u8], bits: u32, not_loaded: usize) -> Pieces {
        let mut pieces = Pieces::new(1);
        pieces.take(input, 8).expect("there is a first piece");
        pieces.jump(FIRST_END - 8);
        pieces
            .take(input, 32 - bits / 2)
            .and_then(|_| pieces.take(input, 32 - bits + bits / 2))
            .expect("it is within the piece");
        pieces.loaded = FIRST_END - not_loaded;
        pieces.enter();
        pieces.take_used();
        pieces
    }

    #[test]
    fn a_cut_off_command_makes_the_next_piece_begin_byte_by_byte() {
        let input = vec![0xa5; 2 * PIECE];
        let mut pieces = near_end(&input, 14, 1);
        let start = pieces.mark();
        // It has 24 bits, so two bytes have to be added.
        for added in [0, 1] {
            assert_eq!(pieces.end(), FIRST_END + added);
            pieces.command_bits(&input, 14);
            pieces.command_bits(&input, 10);
            assert!(pieces.is_past_end());
            pieces.undo(start);
            pieces.cross(&input).expect("there is more");
            let used = if added == 0 { Used::Piece } else { Used::Start };
            assert_eq!(pieces.take_used(), Some(used));
        }
        pieces.command_bits(&input, 24);
        assert!(!pieces.is_past_end());
        // Then the rest of the piece comes, and what was there before has been used up.
        pieces.command_bits(&input, 7);
        assert!(pieces.is_past_end());
        pieces.cross(&input).expect("there is more");
        assert_eq!(pieces.take_used(), Some(Used::Start));
        assert_eq!(pieces.end(), FIRST_END + PIECE);
    }

    #[test]
    fn a_cut_off_command_of_which_all_was_loaded_is_continued_in_the_next_piece() {
        let input = vec![0xa5; 2 * PIECE];
        let mut pieces = near_end(&input, 14, 0);
        let start = pieces.mark();
        pieces.command_bits(&input, 24);
        assert!(pieces.is_past_end());
        pieces.undo(start);
        pieces.cross(&input).expect("there is more");
        assert_eq!(pieces.take_used(), Some(Used::Piece));
        assert_eq!(pieces.end(), FIRST_END + PIECE);
    }
}
