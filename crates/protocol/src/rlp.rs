//! RLP read strictly, in place.
//!
//! Consensus depends on which RLP is accepted, so the rules are written out here and are those of
//! the reference implementation: every header minimal, every single byte below 0x80 encoded as
//! itself, integers without leading zeros. Nothing is copied: an [`Item`] borrows from the input,
//! and because only one encoding of a value is accepted, its `raw` bytes may be reused as they are.

use thiserror::Error;

/// Why bytes are not the RLP that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RlpError {
    /// The input ends before the item does.
    #[error("RLP item is longer than its input")]
    Truncated,
    /// A header is longer than it needs to be, or a small byte has one.
    #[error("RLP item has a non-minimal header")]
    NonMinimalHeader,
    /// An integer starts with a zero byte.
    #[error("RLP integer has leading zeros")]
    LeadingZeros,
    /// An integer or fixed-size string has another length than its type allows.
    #[error("RLP string of {0} bytes does not fit its type")]
    WrongLength(usize),
    /// A list stands where a string must.
    #[error("RLP list where a string is expected")]
    UnexpectedList,
    /// A string stands where a list must.
    #[error("RLP string where a list is expected")]
    UnexpectedString,
    /// A list holds more or fewer elements than its type has, or bytes follow the last item.
    #[error("RLP list has the wrong number of elements")]
    WrongElementCount,
}

/// One RLP item, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// Whether the item is a list.
    pub is_list: bool,
    /// Content without header; for a list the concatenation of its elements.
    pub payload: &'a [u8],
    /// Header and content.
    pub raw: &'a [u8],
}

impl<'a> Item<'a> {
    /// The content of a string item.
    pub const fn string(&self) -> Result<&'a [u8], RlpError> {
        if self.is_list {
            Err(RlpError::UnexpectedList)
        } else {
            Ok(self.payload)
        }
    }

    /// The content of a list item: its elements, one after the other.
    pub const fn list(&self) -> Result<&'a [u8], RlpError> {
        if self.is_list {
            Ok(self.payload)
        } else {
            Err(RlpError::UnexpectedString)
        }
    }

    /// The content of a string item of exactly `N` bytes.
    pub fn fixed<const N: usize>(&self) -> Result<&'a [u8; N], RlpError> {
        let payload = self.string()?;
        payload
            .try_into()
            .map_err(|_| RlpError::WrongLength(payload.len()))
    }

    /// Checks that the item is an integer of at most `max_bytes` bytes.
    pub fn uint(&self, max_bytes: usize) -> Result<&'a [u8], RlpError> {
        let payload = self.string()?;
        if payload.len() > max_bytes {
            return Err(RlpError::WrongLength(payload.len()));
        }
        if payload.first() == Some(&0) {
            return Err(RlpError::LeadingZeros);
        }
        Ok(payload)
    }

    /// The item as a 64-bit integer.
    pub fn u64(&self) -> Result<u64, RlpError> {
        Ok(self
            .uint(8)?
            .iter()
            .fold(0, |n, byte| (n << 8) | u64::from(*byte)))
    }
}

/// Takes the next item off the front of `input`.
///
/// On an error `input` is left where it was.
pub fn next_item<'a>(input: &mut &'a [u8]) -> Result<Item<'a>, RlpError> {
    let (header, is_list, length) = split_header(input)?;
    let rest = &input[header..];
    if length > rest.len() as u64 {
        return Err(RlpError::Truncated);
    }
    // the comparison above makes the cast exact
    #[expect(
        clippy::cast_possible_truncation,
        reason = "not longer than a slice in memory"
    )]
    let end = header + length as usize;
    let (raw, tail) = input.split_at(end);
    let payload = &raw[header..];
    if !is_list && header == 1 && length == 1 && payload[0] < 0x80 {
        return Err(RlpError::NonMinimalHeader);
    }
    *input = tail;
    Ok(Item {
        is_list,
        payload,
        raw,
    })
}

/// Takes the next item off the front of `input`; `None` at the end.
pub fn next_element<'a>(input: &mut &'a [u8]) -> Result<Option<Item<'a>>, RlpError> {
    if input.is_empty() {
        Ok(None)
    } else {
        next_item(input).map(Some)
    }
}

/// Reads the header at the front of `input`: its length (0 for a byte that stands for itself),
/// whether it announces a list, and how many bytes of content it announces.
///
/// The content itself need not be there: a caller may check the announced length first.
pub fn split_header(input: &[u8]) -> Result<(usize, bool, u64), RlpError> {
    let first = *input.first().ok_or(RlpError::Truncated)?;
    match first {
        0x00..=0x7f => Ok((0, false, 1)),
        0x80..=0xb7 => Ok((1, false, u64::from(first - 0x80))),
        0xb8..=0xbf => long_header(input, first - 0xb7).map(|(header, n)| (header, false, n)),
        0xc0..=0xf7 => Ok((1, true, u64::from(first - 0xc0))),
        0xf8..=0xff => long_header(input, first - 0xf7).map(|(header, n)| (header, true, n)),
    }
}

fn long_header(input: &[u8], size_bytes: u8) -> Result<(usize, u64), RlpError> {
    let header = 1 + usize::from(size_bytes);
    let bytes = input.get(1..header).ok_or(RlpError::Truncated)?;
    let length = bytes
        .iter()
        .fold(0u64, |n, byte| (n << 8) | u64::from(*byte));
    if bytes[0] == 0 || length < 56 {
        return Err(RlpError::NonMinimalHeader);
    }
    Ok((header, length))
}

/// Length of the header in front of `payload_length` bytes of a list, or of a string that is not
/// a single byte below 0x80.
pub const fn header_length(payload_length: usize) -> usize {
    if payload_length < 56 {
        1
    } else {
        1 + minimal_length(payload_length as u64)
    }
}

/// Bytes of `n` without leading zeros.
pub const fn minimal_length(n: u64) -> usize {
    8 - n.leading_zeros() as usize / 8
}

/// Writes the header of a list.
pub fn put_list_header(payload_length: usize, out: &mut Vec<u8>) {
    put_header(0xc0, payload_length, out);
}

/// Writes the header of a byte string that is not a single byte below 0x80.
pub fn put_string_header(length: usize, out: &mut Vec<u8>) {
    put_header(0x80, length, out);
}

/// Writes a byte string.
pub fn put_string(bytes: &[u8], out: &mut Vec<u8>) {
    if !matches!(bytes, [0x00..=0x7f]) {
        put_header(0x80, bytes.len(), out);
    }
    out.extend_from_slice(bytes);
}

/// Writes an integer given by its big-endian bytes, with or without leading zeros.
pub fn put_uint(big_endian: &[u8], out: &mut Vec<u8>) {
    let zeros = big_endian.iter().take_while(|byte| **byte == 0).count();
    put_string(&big_endian[zeros..], out);
}

/// Writes an integer.
pub fn put_u64(n: u64, out: &mut Vec<u8>) {
    put_uint(&n.to_be_bytes(), out);
}

/// Encoded length of an integer given by its big-endian bytes.
pub fn uint_length(big_endian: &[u8]) -> usize {
    let zeros = big_endian.iter().take_while(|byte| **byte == 0).count();
    match &big_endian[zeros..] {
        [0x00..=0x7f] => 1,
        minimal => 1 + minimal.len(),
    }
}

/// Encoded length of an integer.
pub const fn u64_length(n: u64) -> usize {
    if n < 0x80 { 1 } else { 1 + minimal_length(n) }
}

fn put_header(short: u8, length: usize, out: &mut Vec<u8>) {
    match u8::try_from(length) {
        Ok(length) if length < 56 => out.push(short + length),
        _ => {
            let bytes = (length as u64).to_be_bytes();
            let size = minimal_length(length as u64);
            #[expect(clippy::cast_possible_truncation, reason = "at most 8")]
            out.push(short + 55 + size as u8);
            out.extend_from_slice(&bytes[8 - size..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_rlp::Encodable;
    use proptest::prelude::*;

    fn decode_one(mut input: &[u8]) -> Result<Item<'_>, RlpError> {
        let item = next_item(&mut input)?;
        if input.is_empty() {
            Ok(item)
        } else {
            Err(RlpError::WrongElementCount)
        }
    }

    #[test]
    fn a_small_byte_with_a_header_is_refused() {
        assert_eq!(decode_one(&[0x81, 0x7f]), Err(RlpError::NonMinimalHeader));
        assert_eq!(decode_one(&[0x81, 0x80]).unwrap().payload, [0x80]);
        assert_eq!(decode_one(&[0x7f]).unwrap().payload, [0x7f]);
    }

    #[test]
    fn a_long_header_for_a_short_content_is_refused() {
        let mut short = vec![0xb8, 55];
        short.extend([1; 55]);
        assert_eq!(decode_one(&short), Err(RlpError::NonMinimalHeader));
        let mut zero_padded = vec![0xb9, 0, 56];
        zero_padded.extend([1; 56]);
        assert_eq!(decode_one(&zero_padded), Err(RlpError::NonMinimalHeader));
    }

    #[test]
    fn a_header_that_claims_more_than_there_is_allocates_nothing_and_fails() {
        assert_eq!(decode_one(&[0xbf; 9]), Err(RlpError::Truncated));
        assert_eq!(decode_one(&[0xff; 9]), Err(RlpError::Truncated));
        assert_eq!(decode_one(&[0xb8]), Err(RlpError::Truncated));
        assert_eq!(decode_one(&[]), Err(RlpError::Truncated));
    }

    #[test]
    fn zero_is_the_empty_string_and_never_a_zero_byte() {
        assert_eq!(decode_one(&[0x80]).unwrap().u64(), Ok(0));
        assert_eq!(
            decode_one(&[0x00]).unwrap().u64(),
            Err(RlpError::LeadingZeros)
        );
        assert_eq!(
            decode_one(&[0x82, 0, 1]).unwrap().u64(),
            Err(RlpError::LeadingZeros)
        );
    }

    proptest! {
        #[test]
        fn integers_and_strings_are_written_as_alloy_writes_them(
            n in any::<u64>(), bytes in proptest::collection::vec(any::<u8>(), 0..300)
        ) {
            let mut ours = Vec::new();
            put_u64(n, &mut ours);
            put_string(&bytes, &mut ours);
            put_list_header(bytes.len(), &mut ours);
            let mut theirs = Vec::new();
            n.encode(&mut theirs);
            prop_assert_eq!(theirs.len(), u64_length(n));
            prop_assert_eq!(theirs.len(), uint_length(&n.to_be_bytes()));
            bytes.as_slice().encode(&mut theirs);
            alloy_rlp::Header { list: true, payload_length: bytes.len() }.encode(&mut theirs);
            prop_assert_eq!(ours, theirs);
        }

        #[test]
        fn what_is_accepted_is_written_back_unchanged(input in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(item) = decode_one(&input) {
                let mut out = Vec::new();
                if item.is_list {
                    put_list_header(item.payload.len(), &mut out);
                    out.extend_from_slice(item.payload);
                } else {
                    put_string(item.payload, &mut out);
                }
                prop_assert_eq!(out, input);
            }
        }
    }
}
