//! KZG commitments, openings, and EigenDA's proof that a blob is no longer than it says.
//!
//! A blob of n symbols is a polynomial p of degree below n. Its commitment is p(τ) in G1; the length
//! commitment is p(τ) in G2; the length proof is τ^(N-n) p(τ) in G2 for the ceremony's N = 2^28 powers:
//! nobody can make it for a polynomial of degree n or more.
// spec: eigenda 2.3

use crate::{
    G1, G2, PointError, Scalar,
    domain::{MAX_LOG, horner},
    pairing_product_is_one,
    srs::{G1Srs, G2Srs},
};
use halo2curves::ff::Field;
use thiserror::Error;

/// Why a commitment or proof cannot be made, or does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KzgError {
    /// More powers are needed than there are.
    #[error("{needed} powers of the SRS are needed and {points} are there")]
    SrsTooShort {
        /// Powers needed.
        needed: usize,
        /// Powers there.
        points: usize,
    },
    /// A length that is zero, no power of two, or too large.
    #[error("a blob cannot have {0} symbols")]
    Length(usize),
    /// The commitments in G1 and G2 are not of the same polynomial.
    #[error("the length commitment is not of the polynomial that is committed to")]
    LengthCommitment,
    /// The polynomial is longer than it says, or the proof is of another.
    #[error("the length proof does not hold")]
    LengthProof,
    /// The polynomial has another value, or the proof is of another.
    #[error("the opening does not hold")]
    Opening,
}

/// The few points by which proofs are verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    /// Entry k: power 2^28 - 2^k in G1.
    g1_reverse: Vec<G1>,
    /// Entry k: power 2^k in G2.
    g2: Vec<G2>,
}

impl VerifierKey {
    /// The ceremony's key. It is part of the program.
    ///
    /// # Errors
    ///
    /// None: the files are tested.
    pub fn ceremony() -> Result<Self, PointError> {
        Self::from_compressed(
            include_bytes!("../data/g1_reverse_powers.point"),
            include_bytes!("../data/g2_powers.point"),
        )
    }

    /// Reads a key: compressed points of G1, power 2^28 - 2^k as entry k, and of G2, power 2^k as
    /// entry k.
    ///
    /// # Errors
    ///
    /// If something is no point of the group, or bytes are left over.
    pub fn from_compressed(g1_reverse: &[u8], g2: &[u8]) -> Result<Self, PointError> {
        Ok(Self {
            g1_reverse: g1_reverse
                .chunks(G1::COMPRESSED)
                .map(G1::from_compressed)
                .collect::<Result<_, _>>()?,
            g2: g2
                .chunks(G2::COMPRESSED)
                .map(G2::from_compressed)
                .collect::<Result<_, _>>()?,
        })
    }

    /// A key that was computed.
    pub(crate) const fn from_points(g1_reverse: Vec<G1>, g2: Vec<G2>) -> Self {
        Self { g1_reverse, g2 }
    }

    /// What [`Self::from_compressed`] reads: G1, and G2.
    pub fn to_compressed(&self) -> (Vec<u8>, Vec<u8>) {
        (
            self.g1_reverse.iter().flat_map(G1::to_compressed).collect(),
            self.g2.iter().flat_map(G2::to_compressed).collect(),
        )
    }

    /// Power 2^28 - `length` in G1, for a length that is a power of two.
    fn reverse_power(&self, length: usize) -> Result<G1, KzgError> {
        log_of(length)
            .and_then(|log| self.g1_reverse.get(log))
            .copied()
            .ok_or(KzgError::Length(length))
    }

    /// Power `exponent` in G2, for an exponent that is a power of two.
    pub(crate) fn g2_power(&self, exponent: usize) -> Result<G2, KzgError> {
        log_of(exponent)
            .and_then(|log| self.g2.get(log))
            .copied()
            .ok_or(KzgError::Length(exponent))
    }
}

fn log_of(power: usize) -> Option<usize> {
    power.is_power_of_two().then(|| power.ilog2() as usize)
}

/// What is said of a blob: its commitment, and how long it is at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobCommitments {
    /// p(τ) in G1.
    pub commitment: G1,
    /// p(τ) in G2.
    pub length_commitment: G2,
    /// τ^(2^28 - length) p(τ) in G2.
    pub length_proof: G2,
    /// Symbols of the blob: a power of two.
    pub length: usize,
}

/// The commitment to a polynomial.
///
/// # Errors
///
/// If it has more coefficients than the SRS has powers.
pub fn commit(srs: &G1Srs, coefficients: &[Scalar]) -> Result<G1, KzgError> {
    srs.sum(0, coefficients)
}

/// All commitments to a blob. Its length is the next power of two of the number of coefficients.
///
/// # Errors
///
/// If there is no coefficient, or there are more than the SRS has powers.
pub fn commit_blob(
    g1: &G1Srs,
    g2: &G2Srs,
    g2_trailing: &G2Srs,
    coefficients: &[Scalar],
) -> Result<BlobCommitments, KzgError> {
    let length = padded_length(coefficients.len())?;
    let first = g2_trailing
        .len()
        .checked_sub(length)
        .ok_or(KzgError::SrsTooShort {
            needed: length,
            points: g2_trailing.len(),
        })?;
    Ok(BlobCommitments {
        commitment: commit(g1, coefficients)?,
        length_commitment: g2.sum(0, coefficients)?,
        length_proof: g2_trailing.sum(first, coefficients)?,
        length,
    })
}

/// The length of a blob with so many coefficients.
pub(crate) fn padded_length(coefficients: usize) -> Result<usize, KzgError> {
    match coefficients.checked_next_power_of_two() {
        Some(length) if coefficients > 0 && length.ilog2() < MAX_LOG => Ok(length),
        _ => Err(KzgError::Length(coefficients)),
    }
}

impl BlobCommitments {
    /// Checks that the polynomial behind the commitment has a degree below the length.
    ///
    /// # Errors
    ///
    /// If the length is impossible, or one of the two equations does not hold.
    pub fn verify(&self, key: &VerifierKey) -> Result<(), KzgError> {
        let reverse = key.reverse_power(self.length)?;
        let same = [
            (self.commitment, G2::generator()),
            (-G1::generator(), self.length_commitment),
        ];
        if !pairing_product_is_one(&same) {
            return Err(KzgError::LengthCommitment);
        }
        let shifted = [
            (reverse, self.length_commitment),
            (-G1::generator(), self.length_proof),
        ];
        if !pairing_product_is_one(&shifted) {
            return Err(KzgError::LengthProof);
        }
        Ok(())
    }
}

/// The value of a polynomial at `point`, and the proof of it.
///
/// # Errors
///
/// If it has more coefficients than the SRS has powers.
pub fn open(srs: &G1Srs, coefficients: &[Scalar], point: Scalar) -> Result<(Scalar, G1), KzgError> {
    // division by (X - point), from the top
    let mut quotient = vec![Scalar::ZERO; coefficients.len().saturating_sub(1)];
    let mut carry = Scalar::ZERO;
    let tail = coefficients.iter().skip(1).rev();
    for (place, coefficient) in quotient.iter_mut().rev().zip(tail) {
        carry = carry * point + coefficient;
        *place = carry;
    }
    Ok((horner(coefficients, point), commit(srs, &quotient)?))
}

/// Checks that the polynomial behind a commitment has this value at `point`.
///
/// # Errors
///
/// If it has not, or the key has no power 1.
pub fn verify_opening(
    key: &VerifierKey,
    commitment: &G1,
    point: Scalar,
    value: Scalar,
    proof: &G1,
) -> Result<(), KzgError> {
    // e(C - [y], G2) = e(proof, [τ] - [z]), with the second point of G2 freed of z
    let left = *commitment - G1::generator() * value + *proof * point;
    if pairing_product_is_one(&[(left, G2::generator()), (-*proof, key.g2_power(1)?)]) {
        Ok(())
    } else {
        Err(KzgError::Opening)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trapdoor::Trapdoor;
    use proptest::prelude::*;

    fn scalars(numbers: &[u64]) -> Vec<Scalar> {
        numbers.iter().copied().map(Scalar::from).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn openings_hold_for_their_value_only(
            numbers in proptest::collection::vec(any::<u64>(), 0..12), point in any::<u64>()
        ) {
            let trapdoor = Trapdoor::new(Scalar::from(991)).unwrap();
            let (srs, key) = (trapdoor.g1(12), trapdoor.verifier_key());
            let coefficients = scalars(&numbers);
            let commitment = commit(&srs, &coefficients).unwrap();
            prop_assert_eq!(commitment, trapdoor.commit(&coefficients));
            let point = Scalar::from(point);
            let (value, proof) = open(&srs, &coefficients, point).unwrap();
            prop_assert_eq!(verify_opening(&key, &commitment, point, value, &proof), Ok(()));
            for wrong in [
                verify_opening(&key, &commitment, point, value + Scalar::ONE, &proof),
                verify_opening(&key, &(commitment + G1::generator()), point, value, &proof),
                verify_opening(&key, &commitment, point, value, &(proof + G1::generator())),
            ] {
                prop_assert_eq!(wrong, Err(KzgError::Opening));
            }
        }
    }

    #[test]
    fn a_blob_is_as_long_as_it_says() {
        let trapdoor = Trapdoor::new(Scalar::from(4711)).unwrap();
        let (g1, g2, trailing) = (trapdoor.g1(8), trapdoor.g2(8), trapdoor.g2_trailing(8));
        let key = trapdoor.verifier_key();
        let coefficients = scalars(&[3, 1, 4, 1, 5]);
        let good = commit_blob(&g1, &g2, &trailing, &coefficients).unwrap();
        assert_eq!(good.length, 8);
        assert_eq!(good.verify(&key), Ok(()));
        assert_eq!(Ok(good), trapdoor.commit_blob(&coefficients));

        let shorter = BlobCommitments { length: 4, ..good };
        assert_eq!(shorter.verify(&key), Err(KzgError::LengthProof));
        let other = BlobCommitments {
            length_commitment: good.length_commitment + G2::generator(),
            ..good
        };
        assert_eq!(other.verify(&key), Err(KzgError::LengthCommitment));
        let other = BlobCommitments {
            commitment: -good.commitment,
            ..good
        };
        assert_eq!(other.verify(&key), Err(KzgError::LengthCommitment));
        let other = BlobCommitments {
            length_proof: -good.length_proof,
            ..good
        };
        assert_eq!(other.verify(&key), Err(KzgError::LengthProof));
        for length in [0, 3, 1 << 28, 1 << 40] {
            let other = BlobCommitments { length, ..good };
            assert_eq!(other.verify(&key), Err(KzgError::Length(length)));
        }
    }

    #[test]
    fn what_does_not_fit_the_srs_is_refused() {
        let trapdoor = Trapdoor::new(Scalar::from(2)).unwrap();
        let (g1, g2, trailing) = (trapdoor.g1(4), trapdoor.g2(4), trapdoor.g2_trailing(4));
        let coefficients = scalars(&[1, 2, 3, 4, 5]);
        assert_eq!(
            commit(&g1, &coefficients),
            Err(KzgError::SrsTooShort {
                needed: 5,
                points: 4
            })
        );
        assert_eq!(
            commit_blob(&g1, &g2, &trailing, &coefficients),
            Err(KzgError::SrsTooShort {
                needed: 8,
                points: 4
            })
        );
        assert_eq!(
            commit_blob(&g1, &g2, &trailing, &[]),
            Err(KzgError::Length(0))
        );
    }
}
