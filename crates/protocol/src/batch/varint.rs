//! Unsigned LEB128, as Go's `encoding/binary` reads it: encodings need not be minimal.

use thiserror::Error;

/// Why bytes are no uvarint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum VarintError {
    /// The input ends within the number.
    #[error("number is truncated")]
    Truncated,
    /// The number does not fit 64 bits, or is longer than 10 bytes.
    #[error("number does not fit 64 bits")]
    Overflow,
}

/// Takes a number off the front of `input`.
// spec: opstack 2.7, opstack-2026-09 2 *12
pub fn read_uvarint(input: &mut &[u8]) -> Result<u64, VarintError> {
    // most counts, nonces and gas limits are short
    if let [first @ 0..=0x7f, rest @ ..] = *input {
        *input = rest;
        return Ok(u64::from(*first));
    }
    let mut value = 0u64;
    for (index, byte) in input.iter().take(10).enumerate() {
        if index == 9 && *byte > 1 {
            return Err(VarintError::Overflow);
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            *input = &input[index + 1..];
            return Ok(value);
        }
    }
    Err(VarintError::Truncated)
}

/// Appends the minimal encoding of a number.
pub fn put_uvarint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(0x80 | (value & 0x7f) as u8);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> (Result<u64, VarintError>, usize) {
        let mut input = bytes;
        let result = read_uvarint(&mut input);
        (result, bytes.len() - input.len())
    }

    #[test]
    fn an_encoding_need_not_be_minimal() {
        assert_eq!(read(&[0x80, 0x00]), (Ok(0), 2));
        assert_eq!(read(&[0xff, 0x80, 0x80, 0x00]), (Ok(127), 4));
    }

    #[test]
    fn the_tenth_byte_holds_one_bit() {
        let mut bytes = [0xff; 10];
        bytes[9] = 1;
        assert_eq!(read(&bytes), (Ok(u64::MAX), 10));
        bytes[9] = 2;
        assert_eq!(read(&bytes).0, Err(VarintError::Overflow));
        assert_eq!(read(&[0x80; 11]).0, Err(VarintError::Overflow));
    }

    #[test]
    fn a_number_that_does_not_end_is_truncated() {
        assert_eq!(read(&[]).0, Err(VarintError::Truncated));
        assert_eq!(read(&[0x80]).0, Err(VarintError::Truncated));
        assert_eq!(read(&[0x80; 9]).0, Err(VarintError::Truncated));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in any::<u64>(), tail in any::<[u8; 3]>()) {
            let mut bytes = Vec::new();
            put_uvarint(value, &mut bytes);
            let length = bytes.len();
            bytes.extend(tail);
            prop_assert_eq!(read(&bytes), (Ok(value), length));
        }
    }
}
