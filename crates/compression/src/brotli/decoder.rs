//! The brotli decoder proper.
//!
//! It decodes until there is something that decides which output becomes visible when: a full
//! window, a piece of the input used up, the end, an error. See [`Event`].

use super::command::COMMANDS;
use super::context::LOOKUPS;
use super::dictionary::{self, Word};
use super::header::{self, Announced, Blocks, Header, Kind, ROOT};
use super::pieces::Pieces;
use super::ring::Ring;
use crate::error::BrotliError;

/// Distances within this many bytes of the window size are not allowed.
const WINDOW_GAP: usize = 16;

/// What op-node's decoder takes for a distance that can not be.
const IMPOSSIBLE_DISTANCE: usize = 0x7fff_ffff;

/// Why the decoder paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// The window is full. [`Decoder::window_written`] must be called before going on.
    WindowFull,
    /// A piece of the input has been used up.
    PieceUsed,
    /// The stream is complete.
    Done,
    /// The stream is broken; what is still pending is lost.
    Failed(BrotliError),
}

#[derive(Debug, Clone, Copy)]
enum State {
    WindowBits,
    MetaBlock,
    /// Bytes of an uncompressed meta-block.
    Uncompressed,
    UncompressedFull,
    /// Start of a command.
    Command,
    /// This many literals of the command are left, at least one.
    Literals(usize),
    /// The window is full; this many literals are left.
    LiteralsFull(usize),
    /// The distance of the command is next.
    Distance,
    /// A copy is being made: distance, and bytes that are left.
    Copy(usize, usize),
    /// The window is full in a copy.
    CopyFull(usize, usize),
    /// The window is full after a dictionary word.
    WordFull,
    MetaBlockDone,
    Done,
    Failed(BrotliError),
}

/// The decoder.
#[derive(Debug)]
pub(super) struct Decoder {
    pieces: Pieces,
    pub(super) ring: Ring,
    state: State,
    /// 2 to the power of the window bits.
    window: usize,
    header: Header,
    announced: Announced,
    /// Bytes the meta-block has left. Below zero if a command wrote too much.
    left: isize,
    /// The last four distances, the next one goes to `recent_at` modulo 4.
    recent: [usize; 4],
    recent_at: usize,
    /// Of the command at hand.
    copy_length: usize,
    uses_last_distance: bool,
    distance_context: usize,
}

/// The next element is not wholly in the current piece.
struct PieceEnds;

impl Decoder {
    pub(super) fn new(start: usize) -> Self {
        Self {
            pieces: Pieces::new(start),
            ring: Ring::default(),
            state: State::WindowBits,
            window: 0,
            header: Header::default(),
            announced: Announced {
                kind: Kind::Empty,
                is_last: false,
                length: 0,
            },
            left: 0,
            recent: [16, 15, 11, 4],
            recent_at: 0,
            copy_length: 0,
            uses_last_distance: false,
            distance_context: 0,
        }
    }

    /// Whether there is input left in the current piece. Only when done.
    pub(super) const fn has_excess(&self) -> bool {
        self.pieces.byte() < self.pieces.end()
    }

    /// Gets another piece of input, if there is one.
    pub(super) fn next_piece(&mut self, input: &[u8]) -> bool {
        self.pieces.cross(input).is_ok()
    }

    /// The window is as large as it will ever be.
    pub(super) const fn window_is_complete(&self) -> bool {
        self.ring.size == self.window
    }

    /// A command has written more than its meta-block may hold.
    pub(super) const fn is_overfull(&self) -> bool {
        self.left < 0
    }

    /// Goes on after the output of a full window has been written.
    pub(super) fn window_written(&mut self) {
        if self.window_is_complete() {
            self.ring.wrap();
        }
        self.state = match self.state {
            State::UncompressedFull => State::Uncompressed,
            State::LiteralsFull(0) => self.after_literals(),
            State::LiteralsFull(left) => State::Literals(left),
            State::CopyFull(distance, left) => State::Copy(distance, left),
            State::WordFull => self.after_copy(),
            state => state,
        };
    }

    fn after_literals(&self) -> State {
        if self.left <= 0 {
            State::MetaBlockDone
        } else {
            State::Distance
        }
    }

    fn after_copy(&self) -> State {
        if self.left <= 0 {
            State::MetaBlockDone
        } else {
            State::Command
        }
    }

    /// Decodes up to the next event. An event that is final is repeated.
    pub(super) fn run(&mut self, input: &[u8]) -> Event {
        loop {
            let outcome = match self.state {
                State::Done => return Event::Done,
                State::Failed(error) => return Event::Failed(error),
                State::UncompressedFull
                | State::LiteralsFull(_)
                | State::CopyFull(..)
                | State::WordFull => return Event::WindowFull,
                State::WindowBits => self.window_bits(input),
                State::MetaBlock => self.meta_block(input),
                State::Uncompressed => self.uncompressed(input),
                State::Command => self.command(input),
                State::Literals(left) => self.literals(input, left),
                State::Distance => self.distance(input),
                State::Copy(distance, left) => {
                    self.copy(distance, left);
                    Ok(())
                }
                State::MetaBlockDone => self.meta_block_done(input),
            };
            if let Err(error) = outcome {
                self.state = State::Failed(error);
            }
            // The output up to here becomes visible also if an error was found since then.
            if self.pieces.take_crossed() {
                return Event::PieceUsed;
            }
        }
    }

    fn window_bits(&mut self, input: &[u8]) -> Result<(), BrotliError> {
        self.window = 1 << header::window_bits(&mut self.pieces, input)?;
        self.state = State::MetaBlock;
        Ok(())
    }

    fn meta_block(&mut self, input: &[u8]) -> Result<(), BrotliError> {
        self.announced = header::announced(&mut self.pieces, input)?;
        let length = self.announced.length;
        self.left = 0;
        self.state = match self.announced.kind {
            Kind::Empty => State::MetaBlockDone,
            Kind::Metadata => {
                self.pieces.skip(input, length)?;
                State::MetaBlockDone
            }
            Kind::Uncompressed | Kind::Compressed => {
                self.left = length as isize;
                let size = self.ring.wanted(self.window, length);
                if self.announced.kind == Kind::Compressed {
                    self.header.read(&mut self.pieces, input)?;
                    self.ring.grow(size);
                    State::Command
                } else {
                    self.ring.grow(size);
                    State::Uncompressed
                }
            }
        };
        Ok(())
    }

    fn uncompressed(&mut self, input: &[u8]) -> Result<(), BrotliError> {
        let from = self.pieces.byte();
        let count = (self.pieces.end() - from)
            .min(self.left.unsigned_abs())
            .min(self.ring.size - self.ring.at);
        self.ring.bytes[self.ring.at..self.ring.at + count]
            .copy_from_slice(&input[from..from + count]);
        self.ring.at += count;
        self.left -= count as isize;
        self.pieces.jump(from + count);
        if self.ring.at == self.window {
            self.state = State::UncompressedFull;
        } else if self.left == 0 {
            self.state = State::MetaBlockDone;
        } else {
            self.pieces.cross(input)?;
        }
        Ok(())
    }

    fn meta_block_done(&mut self, input: &[u8]) -> Result<(), BrotliError> {
        if self.left < 0 {
            return Err(BrotliError::BlockLength2);
        }
        self.state = State::MetaBlock;
        if self.announced.is_last {
            if !self.pieces.align(input) {
                return Err(BrotliError::Padding2);
            }
            self.state = State::Done;
        }
        Ok(())
    }

    /// Reads a command.
    fn command(&mut self, input: &[u8]) -> Result<(), BrotliError> {
        let blocks = &mut self.header.command_blocks;
        if blocks.left == 0 {
            // Without other block types to go on with, op-node's decoder never comes back from
            // here. It takes a meta-block of 2^24 commands that write next to nothing.
            if blocks.types == 1 {
                return Err(BrotliError::EndlessBlock);
            }
            if !blocks.switch(&mut self.pieces, input) {
                return self.pieces.cross(input);
            }
        }
        let before = self.pieces.reader;
        let table = self
            .header
            .commands
            .get(self.header.command_blocks.current as usize);
        let symbol = self.pieces.symbol_unchecked(input, table, ROOT);
        let command = COMMANDS[symbol as usize];
        let insert = self
            .pieces
            .take_unchecked(input, command.insert_extra.into());
        let copy = self.pieces.take_unchecked(input, command.copy_extra.into());
        if self.pieces.is_past_end() {
            self.pieces.reader = before;
            return self.pieces.cross(input);
        }
        self.header.command_blocks.left -= 1;
        let insert = usize::from(command.insert_base) + insert as usize;
        self.copy_length = usize::from(command.copy_base) + copy as usize;
        self.uses_last_distance = command.last_distance;
        self.distance_context = command.distance_context.into();
        if insert == 0 {
            self.state = State::Distance;
        } else {
            self.left -= insert as isize;
            self.state = State::Literals(insert);
        }
        Ok(())
    }

    /// Reads the literals of a command.
    fn literals(&mut self, input: &[u8], count: usize) -> Result<(), BrotliError> {
        let mut count = count;
        let mut p1 = self.ring.byte_before(1);
        let mut p2 = self.ring.byte_before(2);
        loop {
            if self.header.literal_blocks.left == 0
                && !next_block(&mut self.header.literal_blocks, &mut self.pieces, input)
            {
                self.state = State::Literals(count);
                return self.pieces.cross(input);
            }
            let block = self.header.literal_blocks.current as usize;
            let lookup = &LOOKUPS[usize::from(self.header.modes[block])];
            let context = lookup.last[usize::from(p1)] | lookup.before[usize::from(p2)];
            let tree = self.header.literal_map[block * 64 + usize::from(context)];
            let table = self.header.literals.get(tree.into());
            let before = self.pieces.reader;
            let literal = self.pieces.symbol_unchecked(input, table, ROOT) as u8;
            if self.pieces.is_past_end() {
                self.pieces.reader = before;
                self.state = State::Literals(count);
                return self.pieces.cross(input);
            }
            self.header.literal_blocks.left -= 1;
            p2 = p1;
            p1 = literal;
            self.ring.push(literal);
            count -= 1;
            if self.ring.is_full() {
                self.state = State::LiteralsFull(count);
                return Ok(());
            }
            if count == 0 {
                self.state = self.after_literals();
                return Ok(());
            }
        }
    }

    /// Reads the distance of a command and starts its copy.
    fn distance(&mut self, input: &[u8]) -> Result<(), BrotliError> {
        // Whether the distance is the last one again.
        let mut is_last = true;
        let mut distance = self.recent[self.recent_at.wrapping_sub(1) & 3];
        if !self.uses_last_distance {
            if self.header.distance_blocks.left == 0
                && !next_block(&mut self.header.distance_blocks, &mut self.pieces, input)
            {
                return self.pieces.cross(input);
            }
            let before = self.pieces.reader;
            let code = self.distance_code(input);
            if self.pieces.is_past_end() {
                self.pieces.reader = before;
                return self.pieces.cross(input);
            }
            self.header.distance_blocks.left = self.header.distance_blocks.left.wrapping_sub(1);
            if let Some(code) = code {
                is_last = false;
                distance = code;
            }
        }
        let reach = if self.ring.has_wrapped() {
            self.window - WINDOW_GAP
        } else {
            self.ring.at.min(self.window - WINDOW_GAP)
        };
        if distance > reach {
            return self.dictionary_word(distance, distance - reach - 1);
        }
        if is_last {
            // op-node's decoder steps back and forth here, with the same result.
        } else {
            self.recent[self.recent_at & 3] = distance;
            self.recent_at = self.recent_at.wrapping_add(1);
        }
        self.left -= self.copy_length as isize;
        self.copy(distance, self.copy_length);
        Ok(())
    }

    /// Reads a distance code. `None` is the last distance.
    fn distance_code(&mut self, input: &[u8]) -> Option<usize> {
        let block = self.header.distance_blocks.current as usize;
        let tree = self.header.distance_map[block * 4 + self.distance_context];
        let table = self.header.distances.get(tree.into());
        let code = self.pieces.symbol_unchecked(input, table, ROOT);
        if code < 16 {
            return self.recent_distance(code);
        }
        let direct = self.header.direct_codes;
        let Some(code) = code.checked_sub(direct) else {
            return Some(code as usize - 15);
        };
        let postfix_bits = self.header.postfix_bits;
        let postfix = code & ((1 << postfix_bits) - 1);
        let code = code >> postfix_bits;
        let extra = (code >> 1) + 1;
        let base = ((2 + (code & 1)) << extra) - 4;
        let bits = self.pieces.take_unchecked(input, extra);
        let distance = ((base + bits) << postfix_bits) + postfix + direct - 15;
        Some(distance as usize)
    }

    fn recent_distance(&self, code: u32) -> Option<usize> {
        // Which of the recent distances (1 is the last one), and what to add to it.
        let (back, change) = match code {
            0 => return None,
            1..4 => (code as usize + 1, 0),
            4..10 => (1, code as isize - 4),
            _ => (2, code as isize - 10),
        };
        // -1, 1, -2, 2, -3, 3
        let change = match (change, code) {
            (_, 1..4) => 0,
            (at, _) if at % 2 == 0 => -(at / 2 + 1),
            (at, _) => at / 2 + 1,
        };
        let distance = self.recent[self.recent_at.wrapping_sub(back) & 3] as isize + change;
        Some(if distance <= 0 {
            IMPOSSIBLE_DISTANCE
        } else {
            distance as usize
        })
    }

    /// A distance past the window names a word of the static dictionary.
    fn dictionary_word(&mut self, distance: usize, address: usize) -> Result<(), BrotliError> {
        if distance == IMPOSSIBLE_DISTANCE {
            return Err(BrotliError::Distance);
        }
        if !(dictionary::SHORTEST..=dictionary::LONGEST).contains(&self.copy_length) {
            return Err(BrotliError::Dictionary);
        }
        let word = Word::look_up(address, self.copy_length).ok_or(BrotliError::Transform)?;
        let bytes = word.bytes();
        self.ring.bytes[self.ring.at..self.ring.at + bytes.len()].copy_from_slice(bytes);
        self.ring.at += bytes.len();
        self.left -= bytes.len() as isize;
        self.state = if self.ring.is_full() {
            State::WordFull
        } else {
            self.after_copy()
        };
        Ok(())
    }

    /// Copies `count` bytes, or up to the end of the window.
    fn copy(&mut self, distance: usize, count: usize) {
        let mask = self.ring.size - 1;
        for done in 0..count {
            let byte = self.ring.bytes[self.ring.at.wrapping_sub(distance) & mask];
            self.ring.push(byte);
            if self.ring.is_full() {
                self.state = State::CopyFull(distance, count - done - 1);
                return;
            }
        }
        self.state = self.after_copy();
    }
}

/// Begins the next block of literals or distances.
fn next_block(blocks: &mut Blocks, pieces: &mut Pieces, input: &[u8]) -> bool {
    if blocks.types == 1 {
        // After 2^24 elements. There is nothing to begin, and op-node's decoder goes on.
        blocks.left = u32::MAX;
        return true;
    }
    blocks.switch(pieces, input)
}
