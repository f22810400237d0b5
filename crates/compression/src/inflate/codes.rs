//! The prefix codes of a deflate block (RFC 1951, 3.2.5 to 3.2.7).

use crate::bits::index;
use crate::error::DeflateError;
use crate::prefix::{self, SUBTABLE, Shape, code_bits, code_space, room, value};

/// Literal/length symbols a block may define a code for.
pub(super) const MAX_LITERALS: usize = 286;
/// Distance symbols a block may define a code for.
pub(super) const MAX_DISTANCES: usize = 30;

/// Root bits of the two tables.
pub(super) const LITERAL_ROOT: u32 = 11;
pub(super) const DISTANCE_ROOT: u32 = 8;

/// The entry is for a literal byte.
pub(super) const LITERAL: u32 = 1 << 31;
/// The entry is for none of literal, length, and distance.
pub(super) const EXCEPTION: u32 = 1 << 15;
/// The entry is for the end of the block; set with [`EXCEPTION`].
pub(super) const END_OF_BLOCK: u32 = 1 << 13;

/// Entry for bits that start no codeword. It takes no bits.
const UNUSED: u32 = EXCEPTION;

/// The order in which the lengths of the length code are sent.
pub(super) const LENGTH_CODE_ORDER: [usize; 19] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];

/// The decoding tables of a block.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) literals: [u32; room::DEFLATE_LITERALS],
    pub(super) distances: [u32; room::DEFLATE_DISTANCES],
}

/// The two codes of a block.
#[derive(Debug)]
pub(super) struct Codes {
    pub(super) tables: Box<Tables>,
    /// Bits that must be left in the stream to decode a literal/length symbol.
    pub(super) shortest_literal: u32,
    /// Bits that must be left in the stream to decode a distance symbol.
    pub(super) shortest_distance: u32,
    /// The length of nearly all codewords of literals, or zero if there is no such length.
    pub(super) stride: u32,
    is_fixed: bool,
}

impl Codes {
    pub(super) fn new() -> Self {
        let tables = Tables {
            literals: [UNUSED; room::DEFLATE_LITERALS],
            distances: [UNUSED; room::DEFLATE_DISTANCES],
        };
        Self {
            tables: Box::new(tables),
            shortest_literal: 0,
            shortest_distance: 0,
            stride: 0,
            is_fixed: false,
        }
    }

    /// Takes the codes that a block of type 1 has.
    pub(super) fn set_fixed(&mut self) -> Result<(), DeflateError> {
        if self.is_fixed {
            return Ok(());
        }
        let mut lengths = [8; 288];
        lengths[144..256].fill(9);
        lengths[256..280].fill(7);
        self.set(&lengths, &[5; 32])?;
        self.is_fixed = true;
        Ok(())
    }

    /// Builds the tables for these code lengths.
    pub(super) fn set(&mut self, literals: &[u8], distances: &[u8]) -> Result<(), DeflateError> {
        self.is_fixed = false;
        self.stride = stride(&literals[..256]);
        let Tables {
            literals: table,
            distances: distance_table,
        } = &mut *self.tables;
        let shortest = fill(table, literals, LITERAL_ROOT, literal_entry)?;
        // Go: every block ends with this symbol, so that many bits can be asked for at once.
        self.shortest_literal = shortest.max(u32::from(literals[256]));
        self.shortest_distance = fill(distance_table, distances, DISTANCE_ROOT, distance_entry)?;
        Ok(())
    }

    pub(super) fn look_up_literal(&self, bits: u64) -> u32 {
        look_up(&self.tables.literals, LITERAL_ROOT, bits)
    }

    pub(super) fn look_up_distance(&self, bits: u64) -> u32 {
        look_up(&self.tables.distances, DISTANCE_ROOT, bits)
    }
}

/// See [`Codes::stride`]. Measured in code space: how often a code is used is what its length
/// was made from.
fn stride(literals: &[u8]) -> u32 {
    let mut counts = [0u32; 16];
    for &length in literals {
        counts[usize::from(length)] += 1;
    }
    (7..=9)
        .find(|&length| counts[length as usize] * code_space(length) >= code_space(0) / 16 * 15)
        .unwrap_or(0)
}

/// The code that the code lengths of a dynamic block are sent with.
pub(super) struct LengthCode {
    table: [u32; 1 << Self::ROOT],
    pub(super) shortest: u32,
}

impl LengthCode {
    const ROOT: u32 = 7;

    pub(super) fn new(lengths: &[u8; 19]) -> Result<Self, DeflateError> {
        let mut table = [UNUSED; 1 << Self::ROOT];
        let shortest = fill(&mut table, lengths, Self::ROOT, |symbol| {
            u32::from(symbol) << 16
        })?;
        Ok(Self { table, shortest })
    }

    pub(super) fn look_up(&self, bits: u64) -> u32 {
        self.table[index(bits, Self::ROOT)]
    }
}

/// Looks the next codeword up; the entry's bit counts cover the whole of it.
fn look_up(table: &[u32], root_bits: u32, bits: u64) -> u32 {
    let entry = table[index(bits, root_bits)];
    if entry & SUBTABLE == 0 {
        return entry;
    }
    let at = value(entry) + index(bits >> root_bits, code_bits(entry));
    table[at] + (root_bits | root_bits << 8)
}

/// Replaces `table` by that of the code with these lengths. Returns the shortest length.
///
/// Go: an incomplete code is refused, unless it is a single codeword of one bit; having no
/// codewords is fine as long as none is looked up.
fn fill(
    table: &mut [u32],
    lengths: &[u8],
    root_bits: u32,
    entry: impl Fn(u16) -> u32,
) -> Result<u32, DeflateError> {
    let (counts, shape) = prefix::shape(lengths);
    match shape {
        Shape::Complete => {
            prefix::build_table(table, lengths, &counts, root_bits, entry);
        }
        Shape::Empty => table.fill(UNUSED),
        Shape::OneBit => {
            table.fill(UNUSED);
            if let Some((symbol, _)) = (0..).zip(lengths).find(|&(_, &length)| length != 0) {
                for place in table.iter_mut().step_by(2) {
                    *place = entry(symbol) + (1 | 1 << 8);
                }
            }
        }
        Shape::Invalid => return Err(DeflateError::Code),
    }
    let shortest = (1u32..).zip(&counts[1..]).find(|&(_, &count)| count != 0);
    Ok(shortest.map_or(0, |(length, _)| length))
}

/// Base value and number of extra bits of each match length symbol, from symbol 257.
#[rustfmt::skip]
const LENGTHS: [(u16, u8); 29] = [
    (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0), (10, 0),
    (11, 1), (13, 1), (15, 1), (17, 1), (19, 2), (23, 2), (27, 2), (31, 2),
    (35, 3), (43, 3), (51, 3), (59, 3), (67, 4), (83, 4), (99, 4), (115, 4),
    (131, 5), (163, 5), (195, 5), (227, 5), (258, 0),
];

/// Base value and number of extra bits of each distance symbol.
#[rustfmt::skip]
const DISTANCES: [(u16, u8); 30] = [
    (1, 0), (2, 0), (3, 0), (4, 0), (5, 1), (7, 1), (9, 2), (13, 2),
    (17, 3), (25, 3), (33, 4), (49, 4), (65, 5), (97, 5), (129, 6), (193, 6),
    (257, 7), (385, 7), (513, 8), (769, 8), (1025, 9), (1537, 9), (2049, 10), (3073, 10),
    (4097, 11), (6145, 11), (8193, 12), (12289, 12), (16385, 13), (24577, 13),
];

fn literal_entry(symbol: u16) -> u32 {
    match symbol {
        0..256 => LITERAL | u32::from(symbol) << 16,
        256 => EXCEPTION | END_OF_BLOCK,
        _ => ranged_entry(&LENGTHS, symbol - 257),
    }
}

fn distance_entry(symbol: u16) -> u32 {
    ranged_entry(&DISTANCES, symbol)
}

fn ranged_entry(ranges: &[(u16, u8)], symbol: u16) -> u32 {
    // Symbols past the ends of the tables have codewords in the fixed codes only.
    ranges
        .get(usize::from(symbol))
        .map_or(UNUSED, |&(base, extra)| {
            u32::from(base) << 16 | u32::from(extra)
        })
}
