//! Everything a brotli stream says before the data of a meta-block (RFC 7932, 3 and 7 to 9.2).
//!
//! The order of the checks matters: whether an error is found before or after a piece of the input
//! is used up decides whether the output so far becomes visible.

use super::command::{BLOCK_COUNT_SYMBOLS, BLOCK_COUNTS, Command, SYMBOLS as COMMAND_SYMBOLS};
use super::context::LOOKUPS;
use super::distance::RECENT_SYMBOLS;
use super::literals::LiteralBlock;
use super::pieces::Pieces;
use crate::bits::low_byte;
use crate::error::BrotliError;
use crate::prefix::{self, code_space, room, value};

/// Root bits of the tables.
pub(super) mod root {
    pub(in super::super) const LITERALS: u32 = 9;
    pub(in super::super) const COMMANDS: u32 = 8;
    pub(in super::super) const DISTANCES: u32 = 8;
    /// Of the codes in the header, of block types, and of block counts.
    pub(in super::super) const OTHER: u32 = 8;
}

/// Most symbols a code can have. Distances have at most 16 + 120 + (48 << 3) of them.
const MAX_SYMBOLS: usize = COMMAND_SYMBOLS;

/// Reads the window bits.
pub(super) fn window_bits(pieces: &mut Pieces, input: &[u8]) -> Result<u32, BrotliError> {
    if pieces.take(input, 1)? == 0 {
        return Ok(16);
    }
    let bits = pieces.take(input, 3)?;
    if bits != 0 {
        return Ok(17 + bits);
    }
    match pieces.take(input, 3)? {
        0 => Ok(17),
        1 => Err(BrotliError::WindowBits),
        bits => Ok(8 + bits),
    }
}

/// What kind of meta-block follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing; only possible at the end.
    Empty,
    Metadata,
    Uncompressed,
    Compressed,
}

/// First part of the header of a meta-block.
#[derive(Debug, Clone, Copy)]
pub(super) struct Announced {
    pub(super) kind: Kind,
    pub(super) is_last: bool,
    /// Bytes of data or metadata.
    pub(super) length: usize,
}

pub(super) fn announced(pieces: &mut Pieces, input: &[u8]) -> Result<Announced, BrotliError> {
    let is_last = pieces.take(input, 1)? == 1;
    if is_last && pieces.take(input, 1)? == 1 {
        return Ok(Announced {
            kind: Kind::Empty,
            is_last,
            length: 0,
        });
    }
    let nibbles = pieces.take(input, 2)? + 4;
    let mut length = 0;
    if nibbles == 7 {
        if pieces.take(input, 1)? == 1 {
            return Err(BrotliError::Reserved);
        }
        let bytes = pieces.take(input, 2)?;
        for at in 0..bytes {
            let byte = pieces.take(input, 8)?;
            if at + 1 == bytes && bytes > 1 && byte == 0 {
                return Err(BrotliError::ExuberantMetaNibble);
            }
            length |= (byte as usize) << (at * 8);
        }
        if bytes > 0 {
            length += 1;
        }
        if !pieces.align(input) {
            return Err(BrotliError::Padding1);
        }
        return Ok(Announced {
            kind: Kind::Metadata,
            is_last,
            length,
        });
    }
    for at in 0..nibbles {
        let nibble = pieces.take(input, 4)?;
        if at + 1 == nibbles && nibbles > 4 && nibble == 0 {
            return Err(BrotliError::ExuberantNibble);
        }
        length |= (nibble as usize) << (at * 4);
    }
    length += 1;
    if !is_last && pieces.take(input, 1)? == 1 {
        if !pieces.align(input) {
            return Err(BrotliError::Padding1);
        }
        return Ok(Announced {
            kind: Kind::Uncompressed,
            is_last,
            length,
        });
    }
    Ok(Announced {
        kind: Kind::Compressed,
        is_last,
        length,
    })
}

/// The count of a block that is the only one of its category: it lasts for the whole meta-block.
const ENDLESS: usize = 1 << 24;

/// The blocks of one category: literals, commands, or distances.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// Number of block types.
    pub(super) types: usize,
    type_code: Vec<u32>,
    count_code: Vec<u32>,
    /// How much of the current block is left.
    pub(super) left: usize,
    /// Current block type.
    pub(super) current: usize,
    /// Block type before it.
    previous: usize,
}

impl Blocks {
    fn read(
        &mut self,
        pieces: &mut Pieces,
        input: &[u8],
        scratch: &mut Lengths,
    ) -> Result<(), BrotliError> {
        self.current = 0;
        self.previous = 1;
        self.left = ENDLESS;
        self.types = variable_u8(pieces, input)? + 1;
        if self.types < 2 {
            return Ok(());
        }
        self.type_code.clear();
        scratch.read_code(
            pieces,
            input,
            self.types + 2,
            &mut self.type_code,
            root::OTHER,
        )?;
        self.count_code.clear();
        scratch.read_code(
            pieces,
            input,
            BLOCK_COUNT_SYMBOLS,
            &mut self.count_code,
            root::OTHER,
        )?;
        let symbol = pieces.symbol(input, &self.count_code, root::OTHER)?;
        let (base, extra) = BLOCK_COUNTS[symbol as usize];
        self.left = (base + pieces.take(input, extra)?) as usize;
        Ok(())
    }

    /// Begins the next block. Only if there are several types.
    ///
    /// Does nothing and returns `false` if what says so is not wholly in the current piece.
    pub(super) fn switch(&mut self, pieces: &mut Pieces, input: &[u8]) -> bool {
        let start = pieces.mark();
        let code = value(pieces.command_entry(input, &self.type_code, root::OTHER));
        if pieces.is_past_end() {
            pieces.back_to(start);
            return false;
        }
        let symbol = value(pieces.command_entry(input, &self.count_code, root::OTHER));
        let (base, extra) = BLOCK_COUNTS[symbol];
        let count = base + pieces.command_bits(input, extra);
        if pieces.is_past_end() {
            pieces.undo(start);
            return false;
        }
        self.left = count as usize;
        let mut next = match code {
            0 => self.previous,
            1 => self.current + 1,
            code => code - 2,
        };
        if next >= self.types {
            next -= self.types;
        }
        self.previous = self.current;
        self.current = next;
        true
    }
}

/// A number from 0 to 255 in 1 to 11 bits.
fn variable_u8(pieces: &mut Pieces, input: &[u8]) -> Result<usize, BrotliError> {
    if pieces.take(input, 1)? == 0 {
        return Ok(0);
    }
    let bits = pieces.take(input, 3)?;
    Ok((1 << bits) + pieces.take(input, bits)? as usize)
}

/// The codes of one category, one after another.
#[derive(Debug, Default)]
pub(super) struct Trees {
    pub(super) tables: Vec<u32>,
    /// Where each tree starts.
    pub(super) starts: Vec<u32>,
    /// For each tree the length of nearly all of its codewords, or zero if there is no such length.
    pub(super) strides: Vec<u32>,
}

/// What the codes of a category are for, and how their tables are made.
struct Alphabet<F> {
    /// How many symbols there are.
    symbols: usize,
    /// See [`root`].
    root: u32,
    /// What the table holds for a symbol.
    entry: F,
}

impl Trees {
    fn read(
        &mut self,
        pieces: &mut Pieces,
        input: &[u8],
        scratch: &mut Lengths,
        count: usize,
        alphabet: &Alphabet<impl Fn(u16) -> u32>,
    ) -> Result<(), BrotliError> {
        let &Alphabet {
            symbols,
            root,
            ref entry,
        } = alphabet;
        self.tables.clear();
        self.starts.clear();
        self.strides.clear();
        for _ in 0..count {
            let tables = &mut self.tables;
            let start = u32::try_from(tables.len());
            self.starts.push(start.expect("tables are small")); // cannot fail: 256 trees at most
            let stride = scratch.read_code_as(pieces, input, symbols, tables, root, entry)?;
            self.strides.push(stride);
        }
        Ok(())
    }

    #[inline(always)]
    pub(super) fn get(&self, tree: usize) -> &[u32] {
        &self.tables[self.starts[tree] as usize..]
    }
}

/// Rest of the header of a compressed meta-block.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) literal_blocks: Blocks,
    pub(super) command_blocks: Blocks,
    pub(super) distance_blocks: Blocks,
    pub(super) postfix_bits: u32,
    /// Distance codes below this one need no extra bits; includes the 16 for recent distances.
    pub(super) direct_codes: usize,
    /// Context mode of each literal block type.
    pub(super) modes: Vec<u8>,
    /// 64 tree numbers for each literal block type.
    pub(super) literal_map: Vec<u8>,
    /// Four tree numbers for each distance block type.
    pub(super) distance_map: Vec<u8>,
    pub(super) literals: Trees,
    pub(super) commands: Trees,
    pub(super) distances: Trees,
    /// The table entries of literals hold contexts.
    has_contexts: bool,
    /// How literals of the current block type are decoded.
    pub(super) literal_block: LiteralBlock,
    scratch: Lengths,
}

impl Header {
    pub(super) fn read(&mut self, pieces: &mut Pieces, input: &[u8]) -> Result<(), BrotliError> {
        let scratch = &mut self.scratch;
        self.literal_blocks.read(pieces, input, scratch)?;
        self.command_blocks.read(pieces, input, scratch)?;
        self.distance_blocks.read(pieces, input, scratch)?;
        let bits = pieces.take(input, 6)?;
        self.postfix_bits = bits & 3;
        self.direct_codes = RECENT_SYMBOLS + ((bits >> 2 << self.postfix_bits) as usize);
        self.modes.clear();
        for _ in 0..self.literal_blocks.types {
            self.modes.push(low_byte(pieces.take(input, 2)?));
        }
        let size = self.literal_blocks.types * 64;
        let literal_trees = context_map(pieces, input, scratch, size, &mut self.literal_map)?;
        let size = self.distance_blocks.types * 4;
        let distance_trees = context_map(pieces, input, scratch, size, &mut self.distance_map)?;
        // With a single context mode, a literal's table entry can hold its part of the context of
        // the next one.
        let lookup = &LOOKUPS[usize::from(self.modes[0])];
        self.has_contexts = self.modes.iter().all(|&mode| mode == self.modes[0]);
        let has_contexts = self.has_contexts;
        let literal = |symbol: u16| {
            let context = lookup.last[usize::from(symbol & 0xff)];
            symbol_entry(symbol)
                | if has_contexts {
                    u32::from(context) << 24
                } else {
                    0
                }
        };
        let literals = Alphabet {
            symbols: 256,
            root: root::LITERALS,
            entry: literal,
        };
        self.literals
            .read(pieces, input, scratch, literal_trees, &literals)?;
        let commands = Alphabet {
            symbols: COMMAND_SYMBOLS,
            root: root::COMMANDS,
            entry: symbol_entry,
        };
        let command_trees = self.command_blocks.types;
        self.commands
            .read(pieces, input, scratch, command_trees, &commands)?;
        let symbols = self.direct_codes + (48 << self.postfix_bits);
        let distances = Alphabet {
            symbols,
            root: root::DISTANCES,
            entry: symbol_entry,
        };
        self.distances
            .read(pieces, input, scratch, distance_trees, &distances)?;
        self.set_literal_block();
        Ok(())
    }

    /// The code for the next distance.
    #[inline(always)]
    pub(super) fn distance_tree(&self, command: Command) -> &[u32] {
        let context = usize::from(command.distance_context);
        let tree = self.distance_map[self.distance_blocks.current * 4 + context];
        self.distances.get(tree.into())
    }

    /// How many extra bits a distance symbol has.
    #[inline(always)]
    pub(super) const fn distance_extra_bits(&self, symbol: usize) -> u32 {
        match symbol.checked_sub(self.direct_codes) {
            Some(code) => extra_bits(code >> self.postfix_bits),
            None => 0,
        }
    }

    /// The distance that a symbol (not one of the 16 for recent distances) stands for.
    #[inline(always)]
    pub(super) const fn distance(&self, symbol: usize, bits: usize) -> usize {
        let Some(code) = symbol.checked_sub(self.direct_codes) else {
            return symbol - (RECENT_SYMBOLS - 1);
        };
        let postfix = code & ((1 << self.postfix_bits) - 1);
        let code = code >> self.postfix_bits;
        let base = ((2 + (code & 1)) << extra_bits(code)) - 4;
        ((base + bits) << self.postfix_bits) + postfix + self.direct_codes - (RECENT_SYMBOLS - 1)
    }

    /// How many bytes of memory it holds, more or less.
    pub(super) fn memory(&self) -> usize {
        let trees = [&self.literals, &self.commands, &self.distances];
        let tables: usize = trees.map(|trees| trees.tables.capacity()).iter().sum();
        let maps = self.literal_map.capacity() + self.distance_map.capacity();
        let code = MAX_SYMBOLS + room::BROTLI * size_of::<u32>();
        tables * size_of::<u32>() + maps + code
    }

    /// After the literal block type has changed.
    pub(super) fn set_literal_block(&mut self) {
        let block = self.literal_blocks.current;
        let map = &self.literal_map[block * 64..][..64];
        self.literal_block =
            LiteralBlock::new(self.modes[block], map, &self.literals, self.has_contexts);
    }
}

/// How many extra bits there are for a distance code, counted from the first one that has any and
/// without its postfix.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "there are 48 codes")]
const fn extra_bits(code: usize) -> u32 {
    (code >> 1) as u32 + 1
}

/// Reads a context map of `size` entries and returns the number of trees it chooses from.
fn context_map(
    pieces: &mut Pieces,
    input: &[u8],
    scratch: &mut Lengths,
    size: usize,
    map: &mut Vec<u8>,
) -> Result<usize, BrotliError> {
    let trees = variable_u8(pieces, input)? + 1;
    map.clear();
    map.resize(size, 0);
    if trees == 1 {
        return Ok(1);
    }
    let bits = pieces.look_ahead(input, 5)?;
    let longest_run = if bits & 1 == 1 {
        pieces.take(input, 5)?;
        (bits >> 1) + 1
    } else {
        pieces.take(input, 1)?;
        0
    };
    let mut code = Vec::new();
    let symbols = trees + longest_run as usize;
    scratch.read_code(pieces, input, symbols, &mut code, root::OTHER)?;
    let mut at = 0;
    while at < size {
        let symbol = pieces.symbol(input, &code, root::OTHER)?;
        if symbol == 0 {
            at += 1;
        } else if symbol > longest_run {
            map[at] = low_byte(symbol - longest_run);
            at += 1;
        } else {
            let run = (1 << symbol) + pieces.take(input, symbol)? as usize;
            if run > size - at {
                return Err(BrotliError::ContextMapRepeat);
            }
            at += run;
        }
    }
    if pieces.take(input, 1)? == 1 {
        undo_move_to_front(map);
    }
    Ok(trees)
}

fn undo_move_to_front(map: &mut [u8]) {
    let mut recent = [0; 256];
    for (place, value) in recent.iter_mut().zip(0..=255) {
        *place = value;
    }
    for entry in map {
        let at = usize::from(*entry);
        *entry = recent[at];
        recent.copy_within(..at, 1);
        recent[0] = *entry;
    }
}

/// A code that is being read.
struct Lengths {
    lengths: Box<[u8; MAX_SYMBOLS]>,
    table: Box<[u32; room::BROTLI]>,
}

impl Default for Lengths {
    fn default() -> Self {
        Self {
            lengths: Box::new([0; MAX_SYMBOLS]),
            table: Box::new([0; room::BROTLI]),
        }
    }
}

impl std::fmt::Debug for Lengths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lengths").finish_non_exhaustive()
    }
}

/// The order in which the lengths of the code for code lengths are sent.
const LENGTH_CODE_ORDER: [usize; 18] =
    [1, 2, 3, 4, 0, 5, 17, 6, 16, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// Those lengths, and how many bits each takes, by the next four bits.
#[rustfmt::skip]
const LENGTH_LENGTHS: [(u8, u32); 16] = [
    (0, 2), (4, 2), (3, 2), (2, 3), (0, 2), (4, 2), (3, 2), (1, 4),
    (0, 2), (4, 2), (3, 2), (2, 3), (0, 2), (4, 2), (3, 2), (5, 4),
];

impl Lengths {
    /// Reads a prefix code for `symbols` symbols and appends its table to `table`.
    fn read_code(
        &mut self,
        pieces: &mut Pieces,
        input: &[u8],
        symbols: usize,
        table: &mut Vec<u32>,
        root: u32,
    ) -> Result<(), BrotliError> {
        self.read_code_as(pieces, input, symbols, table, root, symbol_entry)?;
        Ok(())
    }

    /// The same, with these table entries for the symbols. Returns the stride of the code, see
    /// [`Trees::strides`].
    fn read_code_as(
        &mut self,
        pieces: &mut Pieces,
        input: &[u8],
        symbols: usize,
        table: &mut Vec<u32>,
        root: u32,
        entry: impl Fn(u16) -> u32,
    ) -> Result<u32, BrotliError> {
        let lengths = &mut self.lengths[..symbols];
        let skip = pieces.take(input, 2)?;
        let single = if skip == 1 {
            simple_code(pieces, input, lengths)?
        } else {
            complex_code(pieces, input, skip as usize, lengths)?;
            None
        };
        if let Some(symbol) = single {
            // The only symbol takes no bits.
            table.extend(std::iter::repeat_n(entry(symbol), 1 << root));
            return Ok(0);
        }
        let (counts, _) = prefix::shape(lengths);
        let size = prefix::build_table(&mut *self.table, lengths, &counts, root, entry);
        table.extend_from_slice(&self.table[..size]);
        let stride = (7..=root.min(8)).find(|&length| {
            u32::from(counts[length as usize]) * code_space(length) >= code_space(0) / 16 * 15
        });
        Ok(stride.unwrap_or(0))
    }
}

/// The table entry of a symbol.
fn symbol_entry(symbol: u16) -> u32 {
    u32::from(symbol) << 16
}

/// One to four symbols. Returns the symbol if there is but one.
fn simple_code(
    pieces: &mut Pieces,
    input: &[u8],
    lengths: &mut [u8],
) -> Result<Option<u16>, BrotliError> {
    let count = pieces.take(input, 2)? as usize + 1;
    let bits = usize::BITS - (lengths.len() - 1).leading_zeros();
    let mut symbols = [0u16; 4];
    for place in &mut symbols[..count] {
        let symbol = u16::try_from(pieces.take(input, bits)?).ok();
        *place = symbol
            .filter(|&symbol| usize::from(symbol) < lengths.len())
            .ok_or(BrotliError::SimplePrefixAlphabet)?;
    }
    let symbols = &symbols[..count];
    for (at, symbol) in symbols.iter().enumerate() {
        if symbols[..at].contains(symbol) {
            return Err(BrotliError::SimplePrefixSame);
        }
    }
    let code_lengths: &[u8] = match count {
        1 => return Ok(Some(symbols[0])),
        2 => &[1, 1],
        3 => &[1, 2, 2],
        _ if pieces.take(input, 1)? == 0 => &[2, 2, 2, 2],
        _ => &[1, 2, 3, 3],
    };
    lengths.fill(0);
    for (&symbol, &length) in symbols.iter().zip(code_lengths) {
        lengths[usize::from(symbol)] = length;
    }
    Ok(None)
}

/// Any number of symbols; their code lengths are sent with a code of their own.
fn complex_code(
    pieces: &mut Pieces,
    input: &[u8],
    skip: usize,
    lengths: &mut [u8],
) -> Result<(), BrotliError> {
    let table = length_code(pieces, input, skip)?;
    lengths.fill(0);
    let mut at = 0;
    // In units of the longest codeword. Wraps below zero if the code is oversubscribed; then it
    // does not come back to zero.
    let mut space = code_space(0);
    let mut last_length = 8;
    let mut repeated = 0u8;
    let mut repeat = 0;
    pieces.enter_lengths();
    while at < lengths.len() && space > 0 {
        let (symbol, more) = pieces.length_symbol(input, &table, LENGTH_ROOT, repeat_bits)?;
        if symbol < 16 {
            let symbol = low_byte(symbol);
            repeat = 0;
            lengths[at] = symbol;
            at += 1;
            if symbol != 0 {
                last_length = symbol;
                space = space.wrapping_sub(code_space(symbol.into()));
            }
            continue;
        }
        let length = if symbol == 16 { last_length } else { 0 };
        if repeated != length {
            repeat = 0;
            repeated = length;
        }
        // A repetition right after another one of the same length makes that one longer.
        let before = repeat;
        if repeat > 0 {
            repeat = (repeat - 2) << repeat_bits(symbol);
        }
        repeat += more + 3;
        let count = repeat - before;
        let end = at + count as usize;
        let run = lengths.get_mut(at..end).ok_or(BrotliError::PrefixSpace)?;
        run.fill(length);
        at = end;
        if length != 0 {
            space = space.wrapping_sub(count * code_space(length.into()));
        }
    }
    if space == 0 {
        Ok(())
    } else {
        Err(BrotliError::PrefixSpace)
    }
}

const LENGTH_ROOT: u32 = 5;

/// How many extra bits a code length symbol has, which tell how often it repeats a length.
const fn repeat_bits(symbol: u32) -> u32 {
    match symbol {
        0..16 => 0,
        16 => 2,
        _ => 3,
    }
}

/// The code that code lengths are sent with.
fn length_code(
    pieces: &mut Pieces,
    input: &[u8],
    skip: usize,
) -> Result<[u32; 1 << LENGTH_ROOT], BrotliError> {
    let mut lengths = [0u8; 18];
    let mut space = 32u32;
    let mut codes = 0;
    for &symbol in &LENGTH_CODE_ORDER[skip..] {
        let length = pieces.short_code(input, &LENGTH_LENGTHS)?;
        lengths[symbol] = length;
        if length != 0 {
            space = space.wrapping_sub(32 >> length);
            codes += 1;
            if space.wrapping_sub(1) >= 32 {
                break;
            }
        }
    }
    let mut table = [0; 1 << LENGTH_ROOT];
    if codes == 1
        && let Some((symbol, _)) = (0u32..).zip(&lengths).find(|&(_, &length)| length != 0)
    {
        table.fill(symbol << 16);
        return Ok(table);
    }
    if space != 0 {
        return Err(BrotliError::CodeLengthSpace);
    }
    let (counts, _) = prefix::shape(&lengths);
    prefix::build_table(&mut table, &lengths, &counts, LENGTH_ROOT, |symbol| {
        u32::from(symbol) << 16
    });
    Ok(table)
}
