//! Blobs: encoded payloads as polynomials, and the check that bytes are the blob of a certificate.
//!
//! A blob's bytes are the coefficients of a polynomial. On most chains the encoded payload's
//! elements are the polynomial's *values* at the roots of unity, on some they are the coefficients
//! themselves; which of the two belongs to the chain.
// spec: eigenda 2.2

use crate::payload::{self, ELEMENT, PayloadError};
use doppio_bn254::{
    Domain, DomainError, G1, Scalar,
    kzg::{KzgError, commit},
    scalar::{self, ScalarError},
    srs::G1Srs,
};
use thiserror::Error;

/// What an encoded payload's elements are to the polynomial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PolynomialForm {
    /// Its values at the roots of unity.
    #[default]
    Values,
    /// Its coefficients.
    Coefficients,
}

/// Why bytes are not the blob of a certificate, or no payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BlobError {
    /// More bytes than the blob has.
    #[error("{found} bytes are more than a blob of {length} symbols has")]
    TooLong {
        /// Symbols of the blob.
        length: usize,
        /// Bytes there.
        found: usize,
    },
    /// A length that no blob has.
    #[error(transparent)]
    Domain(#[from] DomainError),
    /// A symbol that is not below the modulus, or half a symbol.
    #[error(transparent)]
    Scalar(#[from] ScalarError),
    /// The SRS is too short for the blob.
    #[error(transparent)]
    Kzg(#[from] KzgError),
    /// The blob of another certificate.
    #[error("the bytes are not those that the certificate commits to")]
    Commitment,
    /// Not a payload.
    #[error(transparent)]
    Payload(#[from] PayloadError),
}

impl PolynomialForm {
    /// The coefficients of the polynomial of an encoded payload.
    ///
    /// # Errors
    ///
    /// If the bytes are no field elements, or not a power of two of them.
    pub fn coefficients(self, encoded: &[u8]) -> Result<Vec<Scalar>, BlobError> {
        let elements = scalar::read_all(encoded)?;
        let domain = Domain::new(elements.len())?;
        Ok(match self {
            Self::Values => domain.interpolate(&elements)?,
            Self::Coefficients => elements,
        })
    }

    /// The encoded payload of a polynomial.
    ///
    /// # Errors
    ///
    /// If the number of coefficients is no power of two.
    pub fn encoded_payload(self, coefficients: &[Scalar]) -> Result<Vec<u8>, BlobError> {
        let domain = Domain::new(coefficients.len())?;
        Ok(match self {
            Self::Values => scalar::write_all(&domain.evaluate(coefficients)?),
            Self::Coefficients => scalar::write_all(coefficients),
        })
    }

    /// The payload in a blob.
    ///
    /// # Errors
    ///
    /// If the blob holds no payload: then it counts for nothing, on every node.
    pub fn payload(self, coefficients: &[Scalar]) -> Result<Vec<u8>, BlobError> {
        Ok(payload::decode(&self.encoded_payload(coefficients)?)?)
    }
}

/// Reads a blob of `length` symbols. Zeros at its end may have been left out on the way.
///
/// # Errors
///
/// If there are more bytes than symbols, or a symbol is not below the modulus.
// spec: eigenda 6 #1
pub fn read(bytes: &[u8], length: usize) -> Result<Vec<Scalar>, BlobError> {
    Domain::new(length)?;
    if bytes.len() > length.saturating_mul(ELEMENT) {
        return Err(BlobError::TooLong {
            length,
            found: bytes.len(),
        });
    }
    let (whole, rest) = bytes.as_chunks::<ELEMENT>();
    let mut coefficients = scalar::read_all(whole.as_flattened())?;
    if !rest.is_empty() {
        let mut last = [0; ELEMENT];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        let last = scalar::from_be(&last).ok_or(ScalarError::NotCanonical(whole.len()))?;
        coefficients.push(last);
    }
    coefficients.resize(length, Scalar::zero());
    Ok(coefficients)
}

/// Reads a blob and checks that it is the one committed to.
///
/// # Errors
///
/// If it is not; whoever sent it is to blame, and the blob must be had from somebody else.
// spec: eigenda 6 #1
pub fn verify(
    srs: &G1Srs,
    bytes: &[u8],
    length: usize,
    commitment: &G1,
) -> Result<Vec<Scalar>, BlobError> {
    let coefficients = read(bytes, length)?;
    if commit(srs, &coefficients)? == *commitment {
        Ok(coefficients)
    } else {
        Err(BlobError::Commitment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use doppio_bn254::trapdoor::Trapdoor;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_payload_comes_back_from_its_blob_in_either_form(
            payload in proptest::collection::vec(any::<u8>(), 0..600), values in any::<bool>()
        ) {
            let form = if values { PolynomialForm::Values } else { PolynomialForm::Coefficients };
            let encoded = payload::encode(&payload).unwrap();
            let coefficients = form.coefficients(&encoded).unwrap();
            prop_assert_eq!(form.encoded_payload(&coefficients).unwrap(), encoded);
            let bytes = scalar::write_all(&coefficients);
            let length = coefficients.len();
            let cut = bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count();
            for bytes in [bytes.as_slice(), &bytes[..cut]] {
                prop_assert_eq!(form.payload(&read(bytes, length).unwrap()).unwrap(), payload.clone());
            }
        }
    }

    #[test]
    fn only_the_blob_committed_to_is_accepted() {
        let srs = Trapdoor::new(Scalar::from(5)).unwrap().g1(4);
        let encoded = payload::encode(&[1, 2, 3]).unwrap();
        let coefficients = PolynomialForm::Values.coefficients(&encoded).unwrap();
        let commitment = commit(&srs, &coefficients).unwrap();
        let bytes = scalar::write_all(&coefficients);
        assert_eq!(verify(&srs, &bytes, 2, &commitment), Ok(coefficients));
        let mut other = bytes.clone();
        other[63] ^= 1;
        assert_eq!(
            verify(&srs, &other, 2, &commitment),
            Err(BlobError::Commitment)
        );
        let mut longer = bytes.clone();
        longer.push(0);
        assert_eq!(
            verify(&srs, &longer, 2, &commitment),
            Err(BlobError::TooLong {
                length: 2,
                found: 65
            })
        );
        assert_eq!(
            verify(&srs, &[0xff; 64], 2, &commitment),
            Err(ScalarError::NotCanonical(0).into())
        );
        assert!(matches!(
            verify(&srs, &bytes, 8, &commitment),
            Err(BlobError::Kzg(KzgError::SrsTooShort { .. }))
        ));
        assert!(matches!(read(&[], 3), Err(BlobError::Domain(_))));
        assert!(matches!(read(&[], 0), Err(BlobError::Domain(_))));
    }
}
