//! Scalars: the field in which blobs are polynomials, of order r.
//!
//! On the wire a scalar has 32 bytes, big-endian, and is below r. Anything else is refused, never
//! reduced: a blob would have two encodings otherwise.

use halo2curves::ff::PrimeField;
use rayon::prelude::*;
use thiserror::Error;

pub use halo2curves::bn256::Fr as Scalar;

/// Bytes of a scalar.
pub const SCALAR_BYTES: usize = 32;

/// Why bytes are no scalars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ScalarError {
    /// The length is no multiple of 32.
    #[error("{0} bytes are no whole number of field elements")]
    Length(usize),
    /// An element is not below r.
    #[error("field element {0} is not below the modulus")]
    NotCanonical(usize),
}

/// Reads 32 big-endian bytes; none if the number is not below r.
pub fn from_be(bytes: &[u8; SCALAR_BYTES]) -> Option<Scalar> {
    let mut little = *bytes;
    little.reverse();
    Scalar::from_repr(little.into()).into_option()
}

/// Reads 32 big-endian bytes and takes what remains after division by r, as the verifier's contract
/// does with a hash.
pub fn from_be_reduced(bytes: &[u8; SCALAR_BYTES]) -> Scalar {
    use halo2curves::ff::FromUniformBytes;
    let mut little = [0; 64];
    for (to, from) in little.iter_mut().zip(bytes.iter().rev()) {
        *to = *from;
    }
    Scalar::from_uniform_bytes(&little)
}

/// The 32 big-endian bytes of a scalar.
pub fn to_be(scalar: &Scalar) -> [u8; SCALAR_BYTES] {
    let mut bytes: [u8; SCALAR_BYTES] = scalar.to_repr().into();
    bytes.reverse();
    bytes
}

/// Reads scalars that stand one after the other.
///
/// # Errors
///
/// If a number is not below r, or bytes are left over; the first such number is named.
pub fn read_all(bytes: &[u8]) -> Result<Vec<Scalar>, ScalarError> {
    let (elements, rest) = bytes.as_chunks::<SCALAR_BYTES>();
    if !rest.is_empty() {
        return Err(ScalarError::Length(bytes.len()));
    }
    let read: Option<Vec<Scalar>> = elements.par_iter().map(from_be).collect();
    read.ok_or_else(|| {
        let first = elements.iter().position(|bytes| from_be(bytes).is_none());
        ScalarError::NotCanonical(first.unwrap_or_default())
    })
}

/// Writes scalars one after the other.
pub fn write_all(scalars: &[Scalar]) -> Vec<u8> {
    let mut bytes = vec![0; scalars.len() * SCALAR_BYTES];
    let (elements, _) = bytes.as_chunks_mut::<SCALAR_BYTES>();
    elements
        .par_iter_mut()
        .zip(scalars)
        .for_each(|(bytes, scalar)| *bytes = to_be(scalar));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use halo2curves::ff::Field;
    use proptest::prelude::*;

    /// r, of the specification sheet.
    const MODULUS: &str = "30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001";

    fn hex(text: &str) -> [u8; 32] {
        std::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
    }

    #[test]
    fn the_modulus_and_what_is_above_are_refused_and_what_is_below_is_not() {
        let mut bytes = hex(MODULUS);
        assert_eq!(from_be(&bytes), None);
        bytes[31] -= 1;
        assert_eq!(from_be(&bytes), Some(-Scalar::ONE));
        bytes[31] += 2;
        assert_eq!(from_be(&bytes), None);
        assert_eq!(from_be_reduced(&bytes), Scalar::ONE);
        assert_eq!(from_be(&[0xff; 32]), None);
    }

    #[test]
    fn the_first_element_that_is_too_large_is_named() {
        let mut bytes = vec![0; 96];
        bytes[32..64].fill(0xff);
        assert_eq!(read_all(&bytes), Err(ScalarError::NotCanonical(1)));
        assert_eq!(read_all(&bytes[..95]), Err(ScalarError::Length(95)));
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_back(bytes in proptest::collection::vec(any::<[u8; 32]>(), 0..20)) {
            let bytes: Vec<u8> = bytes.into_iter().flat_map(|mut element| {
                element[0] &= 0x1f;
                element
            }).collect();
            prop_assert_eq!(write_all(&read_all(&bytes).unwrap()), bytes);
        }
    }
}
