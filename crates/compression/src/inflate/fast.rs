//! The inner loop of deflate, for when the end of the input is far away.
//!
//! Each codeword has to be looked up before it is known where the next one begins, and that wait
//! is what decoding consists of when the data can not be compressed: signatures, hashes, amounts.
//! But then nearly all literals have codewords of eight bits, and it can be guessed where the next
//! few begin. They are looked up in a row, all at once, and dropped again if a guess was wrong.

use super::codes::{Codes, DISTANCE_ROOT, END_OF_BLOCK, EXCEPTION, LITERAL, LITERAL_ROOT, Tables};
use super::window::Window;
use crate::bits::{BitReader, Register, index, low_byte};
use crate::error::DeflateError;
use crate::prefix::{SUBTABLE, TOTAL_BITS, code_bits, total_bits, value};

/// One round of the loop refills the register at most twice, each time by at most seven bytes and
/// with a look at eight.
const MARGIN: usize = 3 * 8;

/// Drops the bits of an entry with a range of values, and returns the value meant.
#[inline(always)]
fn ranged(register: &mut Register<'_>, entry: u32) -> usize {
    let extra = index(register.bits, total_bits(entry)) >> code_bits(entry);
    register.drop(entry);
    value(entry) + extra
}

/// Decodes until the window is full, or the end of the input is near. Returns `true` if the block
/// ends before that.
pub(super) fn decode(
    input: &[u8],
    reader: &mut BitReader,
    codes: &Codes,
    window: &mut Window,
) -> Result<bool, DeflateError> {
    let Tables {
        literals,
        distances,
    } = &*codes.tables;
    let Some(last) = input.len().checked_sub(MARGIN) else {
        return Ok(false);
    };

    let mut register = Register::new(*reader, input);
    let mut output = window.writer();
    let mut is_end = false;
    if register.next <= last {
        register.refill();
        let mut entry = literals[register.index(LITERAL_ROOT)];
        let stride = codes.stride;
        let usual = LITERAL | stride;
        // At the top of each round there are at least 56 bits in the register.
        while output.has_room() && register.next <= last {
            if stride != 0 {
                // The last look-up of the row needs bits up to 5 * 9 + 11 = 56.
                let mut bits = register.bits;
                let mut row = [entry; 6];
                let mut unusual = entry ^ usual;
                for place in &mut row[1..] {
                    bits >>= stride;
                    *place = literals[index(bits, LITERAL_ROOT)];
                    unusual |= *place ^ usual;
                }
                if unusual & (LITERAL | TOTAL_BITS) == 0 {
                    output.push_row(row.map(|entry| low_byte(entry >> 16)));
                    register.drop(6 * stride);
                    register.refill();
                    entry = literals[register.index(LITERAL_ROOT)];
                    continue;
                }
            }
            if entry & LITERAL != 0 {
                register.drop(entry);
                output.push(low_byte(entry >> 16));
                entry = literals[register.index(LITERAL_ROOT)];
                if entry & LITERAL != 0 {
                    register.drop(entry);
                    output.push(low_byte(entry >> 16));
                    entry = literals[register.index(LITERAL_ROOT)];
                    if entry & LITERAL != 0 {
                        register.drop(entry);
                        output.push(low_byte(entry >> 16));
                        register.refill();
                        entry = literals[register.index(LITERAL_ROOT)];
                        continue;
                    }
                }
            }
            // At least 34 bits are left, which is enough for a length.
            if entry & (EXCEPTION | SUBTABLE) != 0 {
                if entry & SUBTABLE != 0 {
                    register.drop(LITERAL_ROOT);
                    let at = value(entry) + register.index(code_bits(entry));
                    entry = literals[at];
                }
                if entry & LITERAL != 0 {
                    register.drop(entry);
                    output.push(low_byte(entry >> 16));
                    register.refill();
                    entry = literals[register.index(LITERAL_ROOT)];
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
            let length = ranged(&mut register, entry);
            register.refill();
            entry = distances[register.index(DISTANCE_ROOT)];
            if entry & (EXCEPTION | SUBTABLE) != 0 {
                if entry & SUBTABLE != 0 {
                    register.drop(DISTANCE_ROOT);
                    let at = value(entry) + register.index(code_bits(entry));
                    entry = distances[at];
                }
                if entry & EXCEPTION != 0 {
                    output.finish();
                    return Err(DeflateError::UnusedCode);
                }
            }
            let distance = ranged(&mut register, entry);
            // 28 bits are left at least; the entry is looked up before the copy to overlap them.
            entry = literals[register.index(LITERAL_ROOT)];
            register.refill();
            if output.is_too_far(distance) {
                output.finish();
                return Err(DeflateError::Distance);
            }
            output.repeat(distance, length);
        }
    }
    output.finish();
    *reader = register.reader();
    Ok(is_end)
}
