//! The inner loop of deflate, for when the end of the input is far away.

use super::codes::{Codes, DISTANCE_ROOT, END_OF_BLOCK, EXCEPTION, LITERAL, LITERAL_ROOT, byte_of};
use super::window::Window;
use crate::bits::{BitReader, index, low_bits, word_at};
use crate::error::DeflateError;
use crate::prefix::{SUBTABLE, code_bits, value};

/// One round of the loop reads at most three words ahead, the last of them after it has dropped
/// at most 97 bits.
const MARGIN: usize = 3 * 8;

/// The register of a [`BitReader`], kept in local variables.
struct Register<'a> {
    input: &'a [u8],
    bits: u64,
    /// Only the lowest six bits are the count; the rest is what subtracting whole table entries
    /// leaves there.
    count: u32,
    next: usize,
}

impl Register<'_> {
    #[inline(always)]
    fn refill(&mut self) {
        // There always is a word, but the compiler would rather know than be told.
        if let Some(word) = word_at(self.input, self.next) {
            self.bits |= word << (self.count & 63);
            self.next += ((!self.count >> 3) & 7) as usize;
            self.count |= 56;
        }
    }

    /// Drops as many bits as the lowest byte of an entry says.
    #[inline(always)]
    fn drop(&mut self, entry: u32) {
        self.bits >>= entry & 63;
        self.count = self.count.wrapping_sub(entry);
    }

    /// Drops the bits of an entry with a range of values, and returns the value meant.
    #[inline(always)]
    fn ranged(&mut self, entry: u32) -> usize {
        let extra = low_bits(self.bits, entry & 63) >> code_bits(entry);
        self.drop(entry);
        (value(entry) + extra) as usize
    }
}

/// Decodes until the window is full, or the end of the input is near. Returns `true` if the block
/// ends before that.
pub(super) fn decode(
    input: &[u8],
    reader: &mut BitReader,
    codes: &Codes,
    window: &mut Window,
) -> Result<bool, DeflateError> {
    let (literals, distances) = codes.tables();
    let literal_root: &[u32; 1 << LITERAL_ROOT] = literals.first_chunk().expect("a whole table");
    let distance_root: &[u32; 1 << DISTANCE_ROOT] = distances.first_chunk().expect("a whole table");
    let Some(last) = input.len().checked_sub(MARGIN) else {
        return Ok(false);
    };

    let mut register = Register {
        input,
        bits: reader.bits,
        count: reader.count,
        next: reader.next,
    };
    let mut output = window.writer();
    let mut is_end = false;
    if register.next <= last {
        register.refill();
        let mut entry = literal_root[index(register.bits, LITERAL_ROOT)];
        let stride = codes.stride();
        let usual = LITERAL | stride;
        // At the top of each round there are at least 56 bits in the register.
        while output.has_room() && register.next <= last {
            if stride != 0 {
                let mut bits = register.bits;
                let mut row = [entry; 6];
                let mut unusual = entry ^ usual;
                for place in &mut row[1..] {
                    bits >>= stride;
                    *place = literal_root[index(bits, LITERAL_ROOT)];
                    unusual |= *place ^ usual;
                }
                if unusual & (LITERAL | 63) == 0 {
                    output.push_row(row.map(|entry| byte_of(entry >> 16)));
                    register.drop(6 * stride);
                    register.refill();
                    entry = literal_root[index(register.bits, LITERAL_ROOT)];
                    continue;
                }
            }
            if entry & LITERAL != 0 {
                register.drop(entry);
                output.push(byte_of(entry >> 16));
                entry = literal_root[index(register.bits, LITERAL_ROOT)];
                if entry & LITERAL != 0 {
                    register.drop(entry);
                    output.push(byte_of(entry >> 16));
                    entry = literal_root[index(register.bits, LITERAL_ROOT)];
                    if entry & LITERAL != 0 {
                        register.drop(entry);
                        output.push(byte_of(entry >> 16));
                        register.refill();
                        entry = literal_root[index(register.bits, LITERAL_ROOT)];
                        continue;
                    }
                }
            }
            // At least 34 bits are left, which is enough for a length.
            if entry & (EXCEPTION | SUBTABLE) != 0 {
                if entry & SUBTABLE != 0 {
                    register.drop(LITERAL_ROOT);
                    let at = value(entry) as usize + index(register.bits, code_bits(entry));
                    entry = literals[at];
                }
                if entry & LITERAL != 0 {
                    register.drop(entry);
                    output.push(byte_of(entry >> 16));
                    register.refill();
                    entry = literal_root[index(register.bits, LITERAL_ROOT)];
                    continue;
                }
                if entry & EXCEPTION != 0 {
                    if entry & END_OF_BLOCK == 0 {
                        output.finish();
                        return Err(DeflateError::UnusedCode);
                    }
                    register.drop(entry);
                    is_end = true;
                    break;
                }
            }
            let length = register.ranged(entry);
            register.refill();
            entry = distance_root[index(register.bits, DISTANCE_ROOT)];
            if entry & (EXCEPTION | SUBTABLE) != 0 {
                if entry & SUBTABLE != 0 {
                    register.drop(DISTANCE_ROOT);
                    let at = value(entry) as usize + index(register.bits, code_bits(entry));
                    entry = distances[at];
                }
                if entry & EXCEPTION != 0 {
                    output.finish();
                    return Err(DeflateError::UnusedCode);
                }
            }
            let distance = register.ranged(entry);
            // 28 bits are left at least; the entry is looked up before the copy to overlap them.
            entry = literal_root[index(register.bits, LITERAL_ROOT)];
            register.refill();
            if output.is_too_far(distance) {
                output.finish();
                return Err(DeflateError::Distance);
            }
            output.repeat(distance, length);
        }
    }
    output.finish();
    reader.bits = register.bits;
    reader.count = register.count & 63;
    reader.next = register.next;
    Ok(is_end)
}
