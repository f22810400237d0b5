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
pub(crate) const MAX_LENGTH: u32 = 15;

/// Most symbols that a code of either format has.
const MAX_SYMBOLS: usize = 704;

/// How many codewords there are of each length; index 0 counts the unused symbols.
pub(crate) type LengthCounts = [u16; MAX_LENGTH as usize + 1];

/// Where an entry has its number of bits to drop; higher bits of that byte are zero.
pub(crate) const TOTAL_BITS: u32 = 0x3f;

/// Bits 0..8 of an entry: bits to drop from the stream, codeword and extra bits together.
///
/// For an entry of a subtable these are the bits that follow the root bits.
#[inline(always)]
pub(crate) const fn total_bits(entry: u32) -> u32 {
    entry & TOTAL_BITS
}

/// Bits 8..12 of an entry: bits of the codeword alone, or of a subtable's index.
#[inline(always)]
pub(crate) const fn code_bits(entry: u32) -> u32 {
    (entry >> 8) & 0xf
}

/// Bits 16..31 of an entry: a symbol, a base value, or where a subtable starts.
#[inline(always)]
pub(crate) const fn value(entry: u32) -> usize {
    ((entry >> 16) & 0x7fff) as usize
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

/// How much of all bit sequences start with a codeword of this length, in units of the longest
/// codeword.
pub(crate) const fn code_space(length: u32) -> u32 {
    1 << (MAX_LENGTH - length)
}

/// Counts the lengths and tells what kind of code they describe.
pub(crate) fn shape(lengths: &[u8]) -> (LengthCounts, Shape) {
    let mut counts = LengthCounts::default();
    for &length in lengths {
        counts[usize::from(length & 15)] += 1;
    }
    let mut space = 0;
    for (length, &count) in (0..).zip(&counts).skip(1) {
        space += code_space(length) * u32::from(count);
    }
    let shape = if space == 0 {
        Shape::Empty
    } else if space == code_space(0) {
        Shape::Complete
    } else if counts[1] == 1 && space == code_space(1) {
        Shape::OneBit
    } else {
        Shape::Invalid
    };
    (counts, shape)
}

/// Room that the table of any complete code within these bounds needs. That is known from trying
/// all of them, as zlib's `enough` program does.
pub(crate) mod room {
    /// 288 symbols, 11 root bits.
    pub(crate) const DEFLATE_LITERALS: usize = 2342;
    /// 32 symbols, 8 root bits.
    pub(crate) const DEFLATE_DISTANCES: usize = 402;
    /// 704 symbols, 8 root bits. With 9 root bits, 286 symbols need only 852.
    pub(crate) const BROTLI: usize = 1080;
}

/// Writes the table of a complete code to the start of `table`, and returns its size.
///
/// `entry` gives the part of a symbol's entry that does not depend on its codeword.
///
/// # Panics
///
/// If the code is not complete, or the table has not enough room for it.
#[inline]
pub(crate) fn build_table(
    table: &mut [u32],
    lengths: &[u8],
    counts: &LengthCounts,
    root_bits: u32,
    entry: impl Fn(u16) -> u32,
) -> usize {
    let root_size = 1usize << root_bits;

    // Symbols in codeword order.
    let mut sorted = [0u16; MAX_SYMBOLS];
    let mut next = [0usize; MAX_LENGTH as usize + 1];
    let mut used = 0;
    for (next, &count) in next.iter_mut().zip(counts).skip(1) {
        *next = used;
        used += usize::from(count);
    }
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
        let root = &mut table[..root_size];
        root.copy_within(..filled, filled);
        filled *= 2;
        let bits = length | length << 8;
        for &symbol in symbols.by_ref().take(usize::from(counts[length as usize])) {
            root[code.reversed] = entry(symbol) + bits;
            code.advance(filled);
        }
    }

    // Subtables, one for each value of the root bits that longer codewords start with.
    let mut end = 1u32 << root_bits;
    let mut subtable = 0..0;
    let mut prefix = usize::MAX;
    for length in root_bits + 1..=MAX_LENGTH {
        let below = length - root_bits;
        let bits = below | below << 8;
        let mut left = u32::from(counts[length as usize]);
        filled <<= 1;
        while left > 0 {
            let Some(&symbol) = symbols.next() else {
                break;
            };
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
                table[prefix] = end << 16 | SUBTABLE | index_bits << 8 | root_bits;
                let start = end as usize;
                end += 1 << index_bits;
                subtable = start..end as usize;
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
    end as usize
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A complete code for `count` symbols: splits codewords until there are enough of them.
    fn complete_code(count: usize, longest: u8, choices: &[usize]) -> Vec<u8> {
        let mut lengths = vec![1u8, 1];
        for &choice in choices.iter().cycle().take(10 * count) {
            if lengths.len() == count {
                break;
            }
            let at = choice % lengths.len();
            if lengths[at] < longest {
                lengths[at] += 1;
                lengths.push(lengths[at]);
            }
        }
        lengths
    }

    /// Codewords by symbol, first bit lowest, handed out as RFC 1951 (3.2.2) describes it.
    fn codewords(lengths: &[u8]) -> Vec<u64> {
        let mut words = vec![0; lengths.len()];
        let mut next = 0u64;
        for length in 1..=MAX_LENGTH {
            next <<= 1;
            for (word, _) in words
                .iter_mut()
                .zip(lengths)
                .filter(|&(_, &l)| u32::from(l) == length)
            {
                *word = next.reverse_bits() >> (64 - length);
                next += 1;
            }
        }
        words
    }

    proptest! {
        #[test]
        fn each_codeword_leads_to_its_symbol_whatever_follows_it(
            count in 2usize..=286,
            root_bits in 5u32..=11,
            choices in prop::collection::vec(any::<usize>(), 1..300),
            noise in any::<u64>(),
        ) {
            let lengths = complete_code(count, 15, &choices);
            let (counts, shape) = shape(&lengths);
            prop_assert_eq!(shape, Shape::Complete);
            let mut table = vec![0; 1 << 15];
            let size = build_table(&mut table, &lengths, &counts, root_bits, |symbol| {
                u32::from(symbol) << 16
            });
            for (symbol, (&length, word)) in lengths.iter().zip(codewords(&lengths)).enumerate() {
                let mut bits = noise << length | word;
                let mut taken = 0;
                let mut entry = table[..size][crate::bits::index(bits, root_bits)];
                if entry & SUBTABLE != 0 {
                    taken += total_bits(entry);
                    bits >>= total_bits(entry);
                    entry = table[..size][value(entry) + crate::bits::index(bits, code_bits(entry))];
                }
                prop_assert_eq!(value(entry), symbol);
                prop_assert_eq!(taken + total_bits(entry), u32::from(length));
            }
        }
    }

    proptest! {
        #[test]
        fn tables_never_need_more_room_than_said(
            choices in prop::collection::vec(any::<usize>(), 1..300),
            skew in 1usize..400,
        ) {
            // Splitting mostly the last codewords makes long ones, and so many subtables.
            let choices: Vec<usize> = choices.iter().map(|c| usize::MAX - c % skew).collect();
            for (count, root_bits, room) in [
                (286, 11, room::DEFLATE_LITERALS),
                (30, 8, room::DEFLATE_DISTANCES),
                (256, 9, room::BROTLI),
                (704, 8, room::BROTLI),
                (520, 8, room::BROTLI),
            ] {
                let lengths = complete_code(count, 15, &choices);
                let (counts, shape) = shape(&lengths);
                prop_assert_eq!(shape, Shape::Complete);
                let mut table = vec![0; 1 << 15];
                let size = build_table(&mut table, &lengths, &counts, root_bits, |_| 0);
                prop_assert!(size <= room);
            }
        }
    }

    #[test]
    fn only_complete_one_bit_and_empty_codes_are_valid() {
        assert_eq!(shape(&[0, 0]).1, Shape::Empty);
        assert_eq!(shape(&[0, 1, 0]).1, Shape::OneBit);
        assert_eq!(shape(&[1, 1]).1, Shape::Complete);
        assert_eq!(shape(&[2, 1, 2]).1, Shape::Complete);
        assert_eq!(shape(&[2]).1, Shape::Invalid);
        assert_eq!(shape(&[1, 2]).1, Shape::Invalid);
        assert_eq!(shape(&[1, 1, 1]).1, Shape::Invalid);
        assert_eq!(shape(&[15; 4]).1, Shape::Invalid);
    }
}
