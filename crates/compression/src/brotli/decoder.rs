//! The brotli decoder proper.
//!
//! It decodes until there is something that decides which output becomes visible when: a full
//! window, a piece of the input used up, the end, an error. See [`Event`].
//!
//! A command, a distance, and each literal is decoded as a whole or not at all before a piece of
//! the input ends. That takes a look at where they end. Far from the end of the piece, nearly
//! everything is decoded without looking, by [`Decoder::fast_commands`] and
//! [`Decoder::fast_literals`].

use super::command::{COMMANDS, Command};
use super::dictionary::{self, Word};
use super::distance::{IMPOSSIBLE, RECENT_SYMBOLS, Recent};
use super::header::{self, Announced, Blocks, Header, Kind, root};
use super::literals;
use super::pieces::{Pieces, Used};
use super::ring::Ring;
use crate::bits::{Register, low_byte};
use crate::error::BrotliError;
use crate::prefix::{SUBTABLE, code_bits, value};

/// Distances within this many bytes of the window size are not allowed.
const WINDOW_GAP: usize = 16;

/// With this many bytes of input left, a command with [`FEW`] literals can be decoded without a
/// look at where the input ends: 8 bytes for its lengths, 2 for each literal, 5 for its distance,
/// and 48 that are still left then, so that op-node's decoder does not notice the end either.
const COMMAND_INPUT: usize = 88;
/// How many literals are few.
const FEW: usize = 12;

/// Why the decoder paused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// The window is full. [`Decoder::window_written`] must be called before going on.
    WindowFull,
    /// The first bytes of a piece have been used up, see [`Pieces`].
    StartUsed,
    /// A piece of the input has been used up.
    PieceUsed,
    /// The stream is complete.
    Done,
    /// The stream is broken; what is still pending is lost.
    Failed(BrotliError),
}

/// What comes next. Counts of bytes or literals that are left are in parentheses.
#[derive(Debug, Clone, Copy)]
enum State {
    WindowBits,
    MetaBlock,
    /// The bytes of an uncompressed meta-block.
    Uncompressed,
    /// The same, after the full window has been written.
    UncompressedFull,
    Command,
    Literals(usize),
    LiteralsFull(usize),
    /// The distance of the command.
    Distance,
    /// A copy from this distance.
    Copy(usize, usize),
    CopyFull(usize, usize),
    /// The full window has to be written after a dictionary word.
    WordFull,
    MetaBlockDone,
    Done,
    Failed(BrotliError),
}

/// How much a meta-block may still write.
#[derive(Debug, Clone, Copy, Default)]
struct Quota {
    left: usize,
    is_exceeded: bool,
}

impl Quota {
    #[inline(always)]
    const fn spend(&mut self, count: usize) {
        match self.left.checked_sub(count) {
            Some(left) => self.left = left,
            None => {
                *self = Self {
                    left: 0,
                    is_exceeded: true,
                }
            }
        }
    }

    /// Whether a command that writes `count` bytes, or that many and a dictionary word, may be the
    /// last one of its meta-block. What was loaded must be known exactly at the end of that.
    #[inline(always)]
    const fn ends_within(&self, count: usize) -> bool {
        self.left <= count + dictionary::LONGEST_TRANSFORMED
    }
}

/// The decoder.
#[derive(Debug)]
pub(super) struct Decoder {
    pieces: Pieces,
    ring: Ring,
    state: State,
    /// 2 to the power of the window bits.
    window: usize,
    header: Header,
    announced: Announced,
    quota: Quota,
    recent: Recent,
    /// The command at hand, and its copy length.
    command: (Command, usize),
}

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
            quota: Quota::default(),
            recent: Recent::new(),
            command: (COMMANDS[0], 0),
        }
    }

    /// Output that has not been handed out.
    pub(super) fn pending(&self) -> &[u8] {
        self.ring.pending()
    }

    /// Marks output as handed out.
    pub(super) const fn hand_out(&mut self, count: usize) {
        self.ring.hand_out(count);
    }

    /// How many bytes of memory it holds.
    pub(super) fn memory(&self) -> usize {
        self.ring.memory() + self.header.memory()
    }

    /// Whether there is input left in the current piece. Only when done.
    pub(super) const fn has_excess(&self) -> bool {
        self.pieces.has_rest()
    }

    /// Gets another piece of input, if there is one.
    pub(super) fn next_piece(&mut self, input: &[u8]) -> bool {
        self.pieces.cross(input).is_ok()
    }

    /// The buffer is as large as the window, and will not grow any more.
    pub(super) const fn window_is_complete(&self) -> bool {
        self.ring.size() == self.window
    }

    /// A command has written more than its meta-block may hold.
    pub(super) const fn is_overfull(&self) -> bool {
        self.quota.is_exceeded
    }

    /// There was no room for all output of a full window.
    pub(super) const fn wait_for_room(&mut self) {
        self.pieces.give_back();
    }

    /// Goes on after the output of a full window has been written.
    pub(super) fn window_written(&mut self) {
        self.pieces.enter();
        if self.window_is_complete() {
            self.ring.wrap();
        }
        self.state = match self.state {
            State::UncompressedFull => State::Uncompressed,
            State::LiteralsFull(0) => self.after_literals(),
            State::LiteralsFull(left) => State::Literals(left),
            State::CopyFull(_, 0) | State::WordFull => self.after_copy(),
            State::CopyFull(distance, left) => State::Copy(distance, left),
            state => state,
        };
    }

    const fn after_literals(&self) -> State {
        if self.quota.left == 0 {
            State::MetaBlockDone
        } else {
            State::Distance
        }
    }

    const fn after_copy(&self) -> State {
        if self.quota.left == 0 {
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
            match self.pieces.take_used() {
                Some(Used::Start) => return Event::StartUsed,
                Some(Used::Piece) => return Event::PieceUsed,
                None => {}
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
        self.state = match self.announced.kind {
            Kind::Empty => State::MetaBlockDone,
            Kind::Metadata => {
                self.pieces.skip(input, length)?;
                State::MetaBlockDone
            }
            Kind::Uncompressed => {
                self.ring.grow(self.ring.wanted(self.window, length));
                self.quota.left = length;
                State::Uncompressed
            }
            Kind::Compressed => {
                self.header.read(&mut self.pieces, input)?;
                self.ring.grow(self.ring.wanted(self.window, length));
                self.quota.left = length;
                self.pieces.enter();
                State::Command
            }
        };
        Ok(())
    }

    fn uncompressed(&mut self, input: &[u8]) -> Result<(), BrotliError> {
        let from = self.pieces.byte();
        let count = (self.pieces.end() - from)
            .min(self.quota.left)
            .min(self.ring.room());
        self.ring.push(&input[from..from + count]);
        self.quota.spend(count);
        self.pieces.jump(from + count);
        if self.ring.at() == self.window {
            self.state = State::UncompressedFull;
        } else if self.quota.left == 0 {
            self.state = State::MetaBlockDone;
        } else {
            self.pieces.cross(input)?;
        }
        Ok(())
    }

    fn meta_block_done(&mut self, input: &[u8]) -> Result<(), BrotliError> {
        if self.quota.is_exceeded {
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
        self.fast_commands(input)?;
        if !matches!(self.state, State::Command) {
            return Ok(());
        }
        self.pieces.look_at_end();
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
            self.pieces.look_at_end();
        }
        let start = self.pieces.mark();
        let table = self.header.commands.get(blocks.current);
        let entry = self.pieces.command_entry(input, table, root::COMMANDS);
        if self.pieces.is_past_end() {
            self.pieces.back_to(start);
            return self.pieces.cross(input);
        }
        let command = COMMANDS[value(entry)];
        let insert = self.pieces.command_bits(input, command.insert_extra.into());
        let copy = self.pieces.command_bits(input, command.copy_extra.into());
        if self.pieces.is_past_end() {
            self.pieces.undo(start);
            return self.pieces.cross(input);
        }
        blocks.left -= 1;
        let insert = usize::from(command.insert_base) + insert as usize;
        let length = usize::from(command.copy_base) + copy as usize;
        self.command = (command, length);
        self.quota.spend(insert);
        self.state = if insert == 0 {
            State::Distance
        } else {
            State::Literals(insert)
        };
        Ok(())
    }

    /// Executes commands as long as there is nothing special about them: no block ends, the ends
    /// of the meta-block, the piece, and the window are not near, and there are only few literals.
    fn fast_commands(&mut self, input: &[u8]) -> Result<(), BrotliError> {
        let Some(last) = self.pieces.end().checked_sub(COMMAND_INPUT) else {
            return Ok(());
        };
        let header = &mut self.header;
        let commands = header.commands.get(header.command_blocks.current);
        let longest = self.window - WINDOW_GAP;
        let mut ring = self.ring.writer();
        let mut register = Register::new(self.pieces.reader, input);
        let mut quota = self.quota;
        let mut recent = self.recent;
        let mut special = None;
        while register.next <= last && header.command_blocks.left > 0 {
            let start = register;
            register.refill();
            let command = COMMANDS[symbol::<{ root::COMMANDS }>(&mut register, commands)];
            let insert = register.take(command.insert_extra.into());
            let insert = usize::from(command.insert_base) + insert as usize;
            register.refill();
            let length = register.take(command.copy_extra.into());
            let length = usize::from(command.copy_base) + length as usize;
            if quota.ends_within(insert + length) {
                register = start;
                break;
            }
            header.command_blocks.left -= 1;

            if insert > 0 {
                quota.spend(insert);
                if insert > FEW || insert > header.literal_blocks.left || !ring.has_room(insert) {
                    self.command = (command, length);
                    self.state = State::Literals(insert);
                    break;
                }
                header.literal_blocks.left -= insert;
                let tables = &header.literals.tables;
                header
                    .literal_block
                    .decode_few(&mut register, tables, insert, &mut ring);
            }

            let mut distance = recent.last();
            let mut is_last = true;
            if !command.last_distance {
                if header.distance_blocks.left == 0 {
                    self.command = (command, length);
                    self.state = State::Distance;
                    break;
                }
                header.distance_blocks.left -= 1;
                register.refill();
                let table = header.distance_tree(command);
                let symbol = symbol::<{ root::DISTANCES }>(&mut register, table);
                is_last = symbol == 0;
                distance = if symbol < RECENT_SYMBOLS {
                    recent.get(symbol)
                } else {
                    let bits = register.take(header.distance_extra_bits(symbol));
                    header.distance(symbol, bits as usize)
                };
            }
            let reach = ring.reach(longest);
            if distance > reach {
                let address = distance - reach - 1;
                match Word::look_up(address, length) {
                    Some(word) if ring.has_room(dictionary::LONGEST_TRANSFORMED) => {
                        ring.push_slice(word.bytes());
                        quota.spend(word.bytes().len());
                    }
                    _ => {
                        special = Some((distance, address, length));
                        break;
                    }
                }
            } else {
                if !is_last {
                    recent.push(distance);
                }
                quota.spend(length);
                if !ring.copy(distance, length) {
                    self.state = State::Copy(distance, length);
                    break;
                }
            }
        }
        ring.finish();
        self.pieces.reader = register.reader();
        self.pieces.load_fast();
        self.quota = quota;
        self.recent = recent;
        match special {
            Some((distance, address, length)) => self.dictionary_word(distance, address, length),
            None => Ok(()),
        }
    }

    /// Reads the literals of a command.
    fn literals(&mut self, input: &[u8], count: usize) -> Result<(), BrotliError> {
        let mut count = count;
        if self.header.literal_block.is_plain() {
            self.pieces.load_fast();
        }
        loop {
            count -= self.fast_literals(input, count);
            if self.ring.is_full() {
                self.state = State::LiteralsFull(count);
                return Ok(());
            }
            if count == 0 {
                self.state = self.after_literals();
                return Ok(());
            }
            // Near the end of a block or of a piece.
            self.state = State::Literals(count);
            self.pieces.look_at_end();
            let mut is_plain = self.header.literal_block.is_plain();
            if self.header.literal_blocks.left == 0 {
                if !next_block(&mut self.header.literal_blocks, &mut self.pieces, input) {
                    return self.pieces.cross(input);
                }
                self.header.set_literal_block();
                let was_plain = is_plain;
                is_plain = self.header.literal_block.is_plain();
                if is_plain || was_plain {
                    self.pieces.load_fast();
                }
                if is_plain != was_plain {
                    self.pieces.look_at_end();
                }
            }
            let (p1, p2) = self.ring.last_two();
            let start = self.header.literal_block.table_start(p1, p2);
            let table = &self.header.literals.tables[start..];
            let before = self.pieces.mark();
            let entry = self.pieces.command_entry(input, table, root::LITERALS);
            if self.pieces.is_past_end() {
                self.pieces.back_to(before);
                return self.pieces.cross(input);
            }
            if is_plain {
                // Where there is one tree only, op-node's decoder looks the next literal up at once.
                self.pieces.load_fast();
            }
            self.header.literal_blocks.left -= 1;
            self.ring.push(&[low_byte(entry >> 16)]);
            count -= 1;
        }
    }

    /// Decodes literals up to the end of their block, of the window, or nearly of the piece.
    /// Returns how many it were.
    fn fast_literals(&mut self, input: &[u8], count: usize) -> usize {
        let mut register = Register::new(self.pieces.reader, input);
        let blocks = &mut self.header.literal_blocks;
        let sure = literals::count_for(self.pieces.end().saturating_sub(register.next));
        let (_, length) = self.command;
        let wanted = if self.quota.ends_within(length) {
            count.saturating_sub(1)
        } else {
            count
        };
        let now = wanted.min(blocks.left).min(sure).min(self.ring.room());
        if now > 0 {
            blocks.left -= now;
            let before = self.ring.last_two();
            let tables = &self.header.literals.tables;
            self.ring.push_with(now, |out| {
                self.header
                    .literal_block
                    .decode(&mut register, tables, out, before);
            });
            self.pieces.reader = register.reader();
            self.pieces.load_fast();
        }
        now
    }

    /// Reads the distance of a command.
    fn distance(&mut self, input: &[u8]) -> Result<(), BrotliError> {
        let (command, length) = self.command;
        let mut distance = self.recent.last();
        // Using the last distance again does not make it one more recent distance.
        let mut is_last = true;
        if !command.last_distance {
            let blocks = &mut self.header.distance_blocks;
            if blocks.left == 0 && !next_block(blocks, &mut self.pieces, input) {
                return self.pieces.cross(input);
            }
            let start = self.pieces.mark();
            let table = self.header.distance_tree(command);
            let entry = self.pieces.command_entry(input, table, root::DISTANCES);
            if self.pieces.is_past_end() {
                self.pieces.back_to(start);
                return self.pieces.cross(input);
            }
            let symbol = value(entry);
            let bits = match self.header.distance_extra_bits(symbol) {
                0 => 0,
                extra => self.pieces.command_bits(input, extra),
            };
            if self.pieces.is_past_end() {
                self.pieces.undo(start);
                return self.pieces.cross(input);
            }
            self.header.distance_blocks.left -= 1;
            is_last = symbol == 0;
            distance = if symbol < RECENT_SYMBOLS {
                self.recent.get(symbol)
            } else {
                self.header.distance(symbol, bits as usize)
            };
        }
        let reach = self.ring.reach(self.window - WINDOW_GAP);
        if distance > reach {
            return self.dictionary_word(distance, distance - reach - 1, length);
        }
        if !is_last {
            self.recent.push(distance);
        }
        self.quota.spend(length);
        self.state = State::Copy(distance, length);
        Ok(())
    }

    /// A distance past the window names a word of the static dictionary.
    #[cold]
    fn dictionary_word(
        &mut self,
        distance: usize,
        address: usize,
        length: usize,
    ) -> Result<(), BrotliError> {
        if distance == IMPOSSIBLE {
            return Err(BrotliError::Distance);
        }
        let word = Word::look_up(address, length).ok_or(if dictionary::has_words(length) {
            BrotliError::Transform
        } else {
            BrotliError::Dictionary
        })?;
        self.ring.push(word.bytes());
        self.quota.spend(word.bytes().len());
        self.state = if self.ring.is_full() {
            State::WordFull
        } else {
            self.after_copy()
        };
        Ok(())
    }

    fn copy(&mut self, distance: usize, count: usize) {
        let left = self.ring.copy(distance, count);
        self.state = if self.ring.is_full() {
            State::CopyFull(distance, left)
        } else {
            self.after_copy()
        };
    }
}

/// Begins the next block of literals or distances.
fn next_block(blocks: &mut Blocks, pieces: &mut Pieces, input: &[u8]) -> bool {
    if blocks.types == 1 {
        // After 2^24 elements. There is nothing to begin, and op-node's decoder goes on.
        blocks.left = usize::MAX;
        return true;
    }
    blocks.switch(pieces, input)
}

/// Takes a symbol. There must be enough input left.
#[inline(always)]
fn symbol<const ROOT: u32>(register: &mut Register<'_>, table: &[u32]) -> usize {
    let mut entry = table[register.index(ROOT)];
    if entry & SUBTABLE != 0 {
        register.drop(ROOT);
        entry = table[value(entry) + register.index(code_bits(entry))];
    }
    register.drop(entry);
    value(entry)
}
