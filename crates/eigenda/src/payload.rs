//! A payload, and how it becomes field elements.
//!
//! An encoded payload is a header of 32 bytes and then the payload, 31 bytes to each field element of
//! 32, filled up with zeros until the number of elements is a power of two. The first byte of every
//! element is zero, so every element is below the modulus. A payload has exactly one encoding, and
//! whatever is not an encoding is refused.
// spec: eigenda 2.1

use thiserror::Error;

/// Bytes of a field element.
pub const ELEMENT: usize = 32;
/// Bytes of payload in a field element.
pub const USED: usize = 31;
/// The largest blob, in bytes.
// spec: eigenda 2.5
pub const MAX_BLOB: usize = 16 << 20;
/// The largest payload, in bytes.
pub const MAX_PAYLOAD: usize = (MAX_BLOB / ELEMENT - 1) * USED;

const VERSION: u8 = 0;

/// Why bytes are no encoded payload, or no payload can be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PayloadError {
    /// Longer than any blob.
    #[error("{0} bytes do not fit the largest blob")]
    TooLong(usize),
    /// No whole number of elements, or not a power of two of them.
    #[error("{0} bytes are no power of two of field elements")]
    Length(usize),
    /// An element does not begin with a zero byte.
    #[error("field element {0} does not begin with a zero byte")]
    FirstByte(usize),
    /// A version that nobody knows.
    #[error("encoding version {0} is unknown")]
    Version(u8),
    /// Something behind the length in the header.
    #[error("the header is not filled up with zeros")]
    Header,
    /// A length that goes beyond the elements.
    #[error("a payload of {claimed} bytes is claimed and there is room for {room}")]
    Claim {
        /// Length in the header.
        claimed: usize,
        /// What the elements can hold.
        room: usize,
    },
    /// Something behind the payload.
    #[error("the payload is not filled up with zeros")]
    Padding,
    /// More elements than the payload needs: another encoding is the payload's.
    #[error("{found} field elements hold a payload that needs {needed}")]
    Overlong {
        /// Elements that the payload needs.
        needed: usize,
        /// Elements that are there.
        found: usize,
    },
}

/// Elements of an encoded payload of so many bytes.
const fn elements(payload: usize) -> usize {
    (1 + payload.div_ceil(USED)).next_power_of_two()
}

/// Encodes a payload.
///
/// # Errors
///
/// If it does not fit the largest blob.
pub fn encode(payload: &[u8]) -> Result<Vec<u8>, PayloadError> {
    let length = match u32::try_from(payload.len()) {
        Ok(length) if payload.len() <= MAX_PAYLOAD => length,
        _ => return Err(PayloadError::TooLong(payload.len())),
    };
    // an empty payload needs the header only
    let mut encoded = vec![0; elements(payload.len()) * ELEMENT];
    let (all, _) = encoded.as_chunks_mut::<ELEMENT>();
    let Some((header, body)) = all.split_first_mut() else {
        return Err(PayloadError::TooLong(payload.len()));
    };
    let [_, version, a, b, c, d, ..] = header;
    *version = VERSION;
    [*a, *b, *c, *d] = length.to_be_bytes();
    let (whole, rest) = payload.as_chunks::<USED>();
    for (element, bytes) in body.iter_mut().zip(whole) {
        let [_, used @ ..] = element;
        *used = *bytes;
    }
    if let Some([_, used @ ..]) = body.get_mut(whole.len()) {
        for (to, from) in used.iter_mut().zip(rest) {
            *to = *from;
        }
    }
    Ok(encoded)
}

/// Decodes an encoded payload.
///
/// # Errors
///
/// If the bytes are not the encoding of a payload.
pub fn decode(encoded: &[u8]) -> Result<Vec<u8>, PayloadError> {
    if encoded.len() > MAX_BLOB {
        return Err(PayloadError::TooLong(encoded.len()));
    }
    let (all, rest) = encoded.as_chunks::<ELEMENT>();
    let (header, body) = match all.split_first() {
        Some(split) if rest.is_empty() && all.len().is_power_of_two() => split,
        _ => return Err(PayloadError::Length(encoded.len())),
    };
    let [first, version, a, b, c, d, zeros @ ..] = *header;
    if first != 0 {
        return Err(PayloadError::FirstByte(0));
    }
    if version != VERSION {
        return Err(PayloadError::Version(version));
    }
    if zeros.iter().any(|byte| *byte != 0) {
        return Err(PayloadError::Header);
    }
    let claimed = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    let room = body.len() * USED;
    if claimed > room {
        return Err(PayloadError::Claim { claimed, room });
    }
    let mut payload = Vec::with_capacity(room);
    for (index, [first, used @ ..]) in body.iter().enumerate() {
        if *first != 0 {
            return Err(PayloadError::FirstByte(index + 1));
        }
        payload.extend_from_slice(used);
    }
    if payload.iter().skip(claimed).any(|byte| *byte != 0) {
        return Err(PayloadError::Padding);
    }
    payload.truncate(claimed);
    Ok(payload)
}

/// Whether the encoding is the shortest: what [`encode`] gives. The reference accepts longer ones, so
/// this is no condition for a certificate's payload.
///
/// # Errors
///
/// If the bytes are no encoding, or a longer one than needed.
pub fn decode_shortest(encoded: &[u8]) -> Result<Vec<u8>, PayloadError> {
    let payload = decode(encoded)?;
    let (needed, found) = (elements(payload.len()), encoded.len() / ELEMENT);
    if needed == found {
        Ok(payload)
    } else {
        Err(PayloadError::Overlong { needed, found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_payload_is_read_back_and_every_other_byte_is_refused_or_read(
            payload in proptest::collection::vec(any::<u8>(), 0..400), place in any::<prop::sample::Index>(), bit in 0u8..8
        ) {
            let encoded = encode(&payload).unwrap();
            prop_assert!((encoded.len() / 32).is_power_of_two());
            prop_assert_eq!(decode_shortest(&encoded), Ok(payload.clone()));
            // one flipped bit: another payload, or none; never the same
            let mut changed = encoded.clone();
            changed[place.index(encoded.len())] ^= 1u8 << bit;
            if let Ok(other) = decode_shortest(&changed) {
                prop_assert_ne!(&other, &payload);
                prop_assert_eq!(encode(&other).unwrap(), changed);
            }
        }

        #[test]
        fn what_is_accepted_is_an_encoding(mut bytes in proptest::collection::vec(any::<u8>(), 0..256), zeros in any::<bool>()) {
            if zeros {
                for (place, byte) in bytes.iter_mut().enumerate() {
                    if place % 32 == 0 || (place < 32 && place != 5) { *byte = 0; }
                }
            }
            if let Ok(payload) = decode_shortest(&bytes) {
                prop_assert_eq!(encode(&payload).unwrap(), bytes);
            }
        }
    }

    #[test]
    fn the_largest_payload_fits_and_one_byte_more_does_not() {
        let largest = vec![7; MAX_PAYLOAD];
        let encoded = encode(&largest).unwrap();
        assert_eq!(encoded.len(), MAX_BLOB);
        assert_eq!(decode(&encoded).unwrap(), largest);
        let more = vec![7; MAX_PAYLOAD + 1];
        assert_eq!(encode(&more), Err(PayloadError::TooLong(MAX_PAYLOAD + 1)));
        // the sheet's figure for 1 MiB
        assert_eq!(encode(&vec![1; 1_015_777]).unwrap().len(), 1 << 20);
        assert_eq!(encode(&vec![1; 1_015_778]).unwrap().len(), 2 << 20);
    }

    #[test]
    fn a_longer_encoding_is_read_and_is_not_the_shortest() {
        let mut encoded = encode(&[1]).unwrap();
        encoded.resize(128, 0);
        assert_eq!(decode(&encoded), Ok(vec![1]));
        assert_eq!(
            decode_shortest(&encoded),
            Err(PayloadError::Overlong {
                needed: 2,
                found: 4
            })
        );
    }
}
