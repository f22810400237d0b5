//! Decoding tables for canonical prefix codes.
//!
//! Deflate and brotli use the same kind of code: lengths of at most 15 bits, codewords handed out
//! in order of (length, symbol) and sent with their first bit lowest. One table builder serves
//! both.
//!
//! A table starts with `1 << root_bits` *root* entries, looked up by the next bits of the stream.
//! A codeword that is longer than `root_bits` is reached through a root entry that points to a
//! subtable further back in the same table.

/// Longest codeword of both formats.
pub(crate) const MAX_LENGTH: usize = 15;

/// How many codewords there are of each length; index 0 counts the unused symbols.
pub(crate) type LengthCounts = [u16; MAX_LENGTH + 1];

/// Bits 0..8 of an entry: bits to drop from the stream, codeword and extra bits together.
///
/// For an entry of a subtable these are the bits that follow the root bits.
pub(crate) const fn total_bits(entry: u32) -> u32 {
    entry & 0x3f
}

/// Bits 8..12 of an entry: bits of the codeword alone, or of a subtable's index.
pub(crate) const fn code_bits(entry: u32) -> u32 {
    (entry >> 8) & 0xf
}

/// Bits 16..31 of an entry: a symbol, a base value, or where a subtable starts.
pub(crate) const fn value(entry: u32) -> u32 {
    (entry >> 16) & 0x7fff
}

/// The entry points to a subtable.
pub(crate) const SUBTABLE: u32 = 1 << 14;

/// What a set of code lengths amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// No codeword at all.
    Empty,
    /// Every bit sequence starts with exactly one codeword.
    Complete,
    /// A single codeword, one bit long: half of the bit sequences mean nothing.
    OneBit,
    /// Codewords overlap, or some bit sequences start with none.
    Invalid,
}

/// Counts the lengths and tells what kind of code they describe.
pub(crate) fn shape(lengths: &[u8]) -> (LengthCounts, Shape) {
    let mut counts = LengthCounts::default();
    for &length in lengths {
        counts[usize::from(length & 15)] += 1;
    }
    let mut space = 0u32;
    for (length, &count) in counts.iter().enumerate().skip(1) {
        space += u32::from(count) << (MAX_LENGTH - length);
    }
    let shape = if space == 0 {
        Shape::Empty
    } else if space == 1 << MAX_LENGTH {
        Shape::Complete
    } else if counts[1] == 1 && space == 1 << (MAX_LENGTH - 1) {
        Shape::OneBit
    } else {
        Shape::Invalid
    };
    (counts, shape)
}

/// Appends the table of a complete code to `table`; its subtable pointers count from where the
/// table starts.
///
/// `entry` gives the part of a symbol's entry that does not depend on its codeword.
///
/// # Panics
///
/// If the code is not complete.
#[inline]
pub(crate) fn append_table(
    table: &mut Vec<u32>,
    lengths: &[u8],
    counts: &LengthCounts,
    root_bits: u32,
    entry: impl Fn(u16) -> u32,
) {
    let start = table.len();
    let root_size = 1usize << root_bits;
    table.resize(start + root_size, 0);

    // Symbols in codeword order.
    let mut sorted = [0u16; 1128];
    let mut next = [0usize; MAX_LENGTH + 2];
    for length in 1..=MAX_LENGTH {
        next[length + 1] = next[length] + usize::from(counts[length]);
    }
    let used = next[MAX_LENGTH + 1];
    for (symbol, &length) in (0u16..).zip(lengths) {
        if length != 0 {
            let place = &mut next[usize::from(length)];
            sorted[*place] = symbol;
            *place += 1;
        }
    }

    let mut code = Codeword::default();
    let mut symbols = sorted[..used].iter();
    let mut filled = 1usize;
    // Root entries. The first `filled` entries hold the codewords so far at the width of the
    // current length; one bit more doubles them.
    for length in 1..=root_bits {
        let root = &mut table[start..start + root_size];
        root.copy_within(..filled, filled);
        filled *= 2;
        let bits = length | length << 8;
        for &symbol in symbols.by_ref().take(usize::from(counts[length as usize])) {
            root[code.reversed] = entry(symbol) + bits;
            code.advance(filled);
        }
    }

    // Subtables, one for each value of the root bits that longer codewords start with.
    let mut subtable = start..start;
    let mut prefix = usize::MAX;
    for length in root_bits + 1..=MAX_LENGTH as u32 {
        let below = length - root_bits;
        let bits = below | below << 8;
        let mut left = u32::from(counts[length as usize]);
        filled <<= 1;
        while left > 0 {
            let symbol = *symbols.next().expect("as many symbols as counted");
            if code.reversed & (root_size - 1) != prefix {
                prefix = code.reversed & (root_size - 1);
                // As wide as needed for all codewords that share the root bits: the codewords
                // left at this length and the next ones fill it up in order.
                let mut index_bits = below;
                let mut space = left;
                while space < 1 << index_bits {
                    index_bits += 1;
                    space = 2 * space + u32::from(counts[(root_bits + index_bits) as usize]);
                }
                let begin = table.len();
                subtable = begin..begin + (1 << index_bits);
                table.resize(subtable.end, 0);
                let pointer = u32::try_from(begin - start).expect("a table is small");
                table[start + prefix] = pointer << 16 | SUBTABLE | index_bits << 8 | root_bits;
            }
            let value = entry(symbol) + bits;
            for place in table[subtable.clone()]
                .iter_mut()
                .skip(code.reversed >> root_bits)
                .step_by(1 << below)
            {
                *place = value;
            }
            code.advance(filled);
            left -= 1;
        }
    }
}

/// The next codeword to hand out, its first bit lowest.
#[derive(Default)]
struct Codeword {
    reversed: usize,
}

impl Codeword {
    /// Counts up by one, from the top bit of a codeword of `size.ilog2()` bits downwards.
    #[inline]
    fn advance(&mut self, size: usize) {
        let zeros = self.reversed ^ (size - 1);
        // After the last codeword (all ones) there is none to come.
        if zeros != 0 {
            let bit = 1usize << zeros.ilog2();
            self.reversed = self.reversed & (bit - 1) | bit;
        }
    }
}
