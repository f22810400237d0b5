//! Everything a brotli stream says before the data of a meta-block (RFC 7932, 3 and 7 to 9.2).
//!
//! The order of the checks matters: whether an error is found before or after a piece of the input
//! is used up decides whether the output so far becomes visible.

use super::command::{BLOCK_COUNT_SYMBOLS, BLOCK_COUNTS, SYMBOLS as COMMAND_SYMBOLS};
use super::pieces::Pieces;
use crate::error::BrotliError;
use crate::prefix::{self, MAX_LENGTH};

/// Root bits of all prefix code tables.
pub(super) const ROOT: u32 = 8;

/// Most symbols a code can have: distances with three postfix bits and 120 direct codes.
const MAX_SYMBOLS: usize = 16 + 120 + (48 << 3);

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

/// A block count, for a block type with only one kind: it lasts for the whole meta-block.
const ENDLESS: u32 = 1 << 24;

/// The blocks of one category: literals, commands, or distances.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// Number of block types.
    pub(super) types: u32,
    type_code: Vec<u32>,
    count_code: Vec<u32>,
    /// How much of the current block is left.
    pub(super) left: u32,
    /// Current block type.
    pub(super) current: u32,
    /// Block type before it.
    previous: u32,
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
        scratch.read_code(pieces, input, self.types as usize + 2, &mut self.type_code)?;
        self.count_code.clear();
        scratch.read_code(pieces, input, BLOCK_COUNT_SYMBOLS, &mut self.count_code)?;
        let symbol = pieces.symbol(input, &self.count_code, ROOT)?;
        let (base, extra) = BLOCK_COUNTS[symbol as usize];
        self.left = base + pieces.take(input, extra)?;
        Ok(())
    }

    /// Begins the next block. Only if there are several types.
    ///
    /// Does not look whether the bits are past the piece; if they are, nothing has changed that
    /// matters after going back, except `left`, which must be zero before.
    pub(super) fn switch(&mut self, pieces: &mut Pieces, input: &[u8]) -> bool {
        let before = pieces.reader;
        let code = pieces.symbol_unchecked(input, &self.type_code, ROOT);
        let symbol = pieces.symbol_unchecked(input, &self.count_code, ROOT);
        let (base, extra) = BLOCK_COUNTS[symbol as usize];
        let count = base + pieces.take_unchecked(input, extra);
        if pieces.is_past_end() {
            pieces.reader = before;
            return false;
        }
        self.left = count;
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
fn variable_u8(pieces: &mut Pieces, input: &[u8]) -> Result<u32, BrotliError> {
    if pieces.take(input, 1)? == 0 {
        return Ok(0);
    }
    let bits = pieces.take(input, 3)?;
    Ok((1 << bits) + pieces.take(input, bits)?)
}

/// The codes of one category, one after another.
#[derive(Debug, Default)]
pub(super) struct Trees {
    pub(super) tables: Vec<u32>,
    /// Where each tree starts.
    pub(super) starts: Vec<u32>,
}

impl Trees {
    fn read(
        &mut self,
        pieces: &mut Pieces,
        input: &[u8],
        scratch: &mut Lengths,
        count: u32,
        symbols: usize,
    ) -> Result<(), BrotliError> {
        self.tables.clear();
        self.starts.clear();
        for _ in 0..count {
            self.starts
                .push(u32::try_from(self.tables.len()).expect("tables are small"));
            scratch.read_code(pieces, input, symbols, &mut self.tables)?;
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
    pub(super) direct_codes: u32,
    /// Context mode of each literal block type.
    pub(super) modes: Vec<u8>,
    /// 64 tree numbers for each literal block type.
    pub(super) literal_map: Vec<u8>,
    /// Four tree numbers for each distance block type.
    pub(super) distance_map: Vec<u8>,
    pub(super) literals: Trees,
    pub(super) commands: Trees,
    pub(super) distances: Trees,
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
        let direct = bits >> 2 << self.postfix_bits;
        self.direct_codes = 16 + direct;
        self.modes.clear();
        for _ in 0..self.literal_blocks.types {
            self.modes.push(byte_of(pieces.take(input, 2)?));
        }
        let size = self.literal_blocks.types as usize * 64;
        let literal_trees = context_map(pieces, input, scratch, size, &mut self.literal_map)?;
        let size = self.distance_blocks.types as usize * 4;
        let distance_trees = context_map(pieces, input, scratch, size, &mut self.distance_map)?;
        self.literals
            .read(pieces, input, scratch, literal_trees, 256)?;
        let command_trees = self.command_blocks.types;
        self.commands
            .read(pieces, input, scratch, command_trees, COMMAND_SYMBOLS)?;
        let symbols = (self.direct_codes + (48 << self.postfix_bits)) as usize;
        self.distances
            .read(pieces, input, scratch, distance_trees, symbols)
    }
}

/// Reads a context map of `size` entries and returns the number of trees it chooses from.
fn context_map(
    pieces: &mut Pieces,
    input: &[u8],
    scratch: &mut Lengths,
    size: usize,
    map: &mut Vec<u8>,
) -> Result<u32, BrotliError> {
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
    scratch.read_code(pieces, input, (trees + longest_run) as usize, &mut code)?;
    let mut at = 0;
    while at < size {
        let symbol = pieces.symbol(input, &code, ROOT)?;
        if symbol == 0 {
            at += 1;
        } else if symbol > longest_run {
            map[at] = byte_of(symbol - longest_run);
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
    let mut recent: [u8; 256] = std::array::from_fn(|at| byte_of(at as u32));
    for entry in map {
        let at = usize::from(*entry);
        *entry = recent[at];
        recent.copy_within(..at, 1);
        recent[0] = *entry;
    }
}

/// Code lengths that are being read.
struct Lengths([u8; MAX_SYMBOLS.next_power_of_two()]);

impl Default for Lengths {
    fn default() -> Self {
        Self([0; MAX_SYMBOLS.next_power_of_two()])
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
const LENGTH_LENGTHS: [(u8, u32); 16] = [
    (0, 2),
    (4, 2),
    (3, 2),
    (2, 3),
    (0, 2),
    (4, 2),
    (3, 2),
    (1, 4),
    (0, 2),
    (4, 2),
    (3, 2),
    (2, 3),
    (0, 2),
    (4, 2),
    (3, 2),
    (5, 4),
];

impl Lengths {
    /// Reads a prefix code for `symbols` symbols and appends its table to `table`.
    fn read_code(
        &mut self,
        pieces: &mut Pieces,
        input: &[u8],
        symbols: usize,
        table: &mut Vec<u32>,
    ) -> Result<(), BrotliError> {
        let lengths = &mut self.0[..symbols];
        let skip = pieces.take(input, 2)?;
        let single = if skip == 1 {
            simple_code(pieces, input, lengths)?
        } else {
            complex_code(pieces, input, skip as usize, lengths)?;
            None
        };
        if let Some(symbol) = single {
            // The only symbol takes no bits.
            table.extend([u32::from(symbol) << 16; 1 << ROOT]);
            return Ok(());
        }
        let (counts, _) = prefix::shape(lengths);
        prefix::append_table(table, lengths, &counts, ROOT, |symbol| {
            u32::from(symbol) << 16
        });
        Ok(())
    }
}

/// One to four symbols. Returns the symbol if there is but one.
fn simple_code(
    pieces: &mut Pieces,
    input: &[u8],
    lengths: &mut [u8],
) -> Result<Option<u16>, BrotliError> {
    let count = pieces.take(input, 2)? as usize + 1;
    let bits = usize::BITS - (lengths.len() - 1).leading_zeros();
    let mut symbols = [0usize; 4];
    for symbol in &mut symbols[..count] {
        *symbol = pieces.take(input, bits)? as usize;
        if *symbol >= lengths.len() {
            return Err(BrotliError::SimplePrefixAlphabet);
        }
    }
    let symbols = &symbols[..count];
    for (at, symbol) in symbols.iter().enumerate() {
        if symbols[..at].contains(symbol) {
            return Err(BrotliError::SimplePrefixSame);
        }
    }
    let code_lengths: &[u8] = match count {
        1 => return Ok(Some(u16::try_from(symbols[0]).expect("at most 11 bits"))),
        2 => &[1, 1],
        3 => &[1, 2, 2],
        _ if pieces.take(input, 1)? == 0 => &[2, 2, 2, 2],
        _ => &[1, 2, 3, 3],
    };
    lengths.fill(0);
    for (&symbol, &length) in symbols.iter().zip(code_lengths) {
        lengths[symbol] = length;
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
    let mut space = 1u32 << MAX_LENGTH;
    let mut last_length = 8;
    let mut repeated = 0u8;
    let mut repeat = 0usize;
    while at < lengths.len() && space > 0 {
        let symbol = byte_of(pieces.symbol(input, &table, LENGTH_ROOT)?);
        if symbol < 16 {
            repeat = 0;
            lengths[at] = symbol;
            at += 1;
            if symbol != 0 {
                last_length = symbol;
                space = space.wrapping_sub(1 << MAX_LENGTH >> symbol);
            }
            continue;
        }
        let (length, extra) = if symbol == 16 {
            (last_length, 2)
        } else {
            (0, 3)
        };
        let more = pieces.take(input, extra)? as usize + 3;
        if repeated != length {
            repeat = 0;
            repeated = length;
        }
        // A repetition right after another one of the same length makes that one longer.
        let before = repeat;
        if repeat > 0 {
            repeat = (repeat - 2) << extra;
        }
        repeat += more;
        let count = repeat - before;
        if count > lengths.len() - at {
            return Err(BrotliError::PrefixSpace);
        }
        lengths[at..at + count].fill(length);
        at += count;
        if length != 0 {
            let taken = u32::try_from(count).expect("at most the number of symbols");
            space = space.wrapping_sub(taken << (MAX_LENGTH as u32 - u32::from(length)));
        }
    }
    if space == 0 {
        Ok(())
    } else {
        Err(BrotliError::PrefixSpace)
    }
}

const LENGTH_ROOT: u32 = 5;

/// The code that code lengths are sent with.
fn length_code(pieces: &mut Pieces, input: &[u8], skip: usize) -> Result<Vec<u32>, BrotliError> {
    let mut lengths = [0u8; 18];
    let mut space = 32u32;
    let mut codes = 0;
    for &symbol in &LENGTH_CODE_ORDER[skip..] {
        let before = pieces.reader;
        let (length, bits) = LENGTH_LENGTHS[pieces.take_unchecked(input, 4) as usize];
        pieces.reader = before;
        pieces.take(input, bits)?;
        lengths[symbol] = length;
        if length != 0 {
            space = space.wrapping_sub(32 >> length);
            codes += 1;
            if space.wrapping_sub(1) >= 32 {
                break;
            }
        }
    }
    let mut table = Vec::new();
    if codes == 1 {
        let symbol = lengths
            .iter()
            .position(|&length| length != 0)
            .expect("there is one");
        table.resize(1 << LENGTH_ROOT, (symbol as u32) << 16);
        return Ok(table);
    }
    if space != 0 {
        return Err(BrotliError::CodeLengthSpace);
    }
    let (counts, _) = prefix::shape(&lengths);
    prefix::append_table(&mut table, &lengths, &counts, LENGTH_ROOT, |symbol| {
        u32::from(symbol) << 16
    });
    Ok(table)
}

/// The lowest byte.
#[expect(clippy::cast_possible_truncation, reason = "the lowest byte is wanted")]
const fn byte_of(value: u32) -> u8 {
    value as u8
}
