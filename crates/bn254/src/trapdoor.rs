//! A network that knows its own τ.
//!
//! On the ceremony's SRS a disperser needs a minute of a machine for the proofs of a large blob. A
//! network that lives on one machine makes its own SRS and keeps τ: then a commitment is one
//! multiplication, and the results are the very points that an honest prover would have computed.
//! Whoever knows τ can prove anything, so such an SRS is for development only; the public networks'
//! digest is never its own.
// spec: eigenda 10

use crate::{
    G1, G2, Scalar,
    domain::{MAX_LOG, horner, powers},
    kzg::{BlobCommitments, KzgError, VerifierKey, padded_length},
    reed_solomon::FrameShape,
    srs::{G1Srs, G2Srs},
};
use halo2curves::{
    CurveAffine,
    bn256::{Fr, G1Affine, G2Affine},
    ff::{BatchInverter, Field, PrimeField},
    group::{Curve, Group},
};
use rayon::prelude::*;
use std::fmt;

/// The secret τ.
#[derive(Clone)]
pub struct Trapdoor {
    tau: Scalar,
}

impl fmt::Debug for Trapdoor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trapdoor")
    }
}

/// Multiples of one point, for many multiplications with it: 255 for each byte of a scalar.
struct FixedBase<C> {
    windows: Vec<Vec<C>>,
}

impl<C: CurveAffine<ScalarExt = Fr>> FixedBase<C> {
    fn new(base: C) -> Self {
        let mut base: C::Curve = base.to_curve();
        let windows = (0..Fr::NUM_BITS.div_ceil(8))
            .map(|_| {
                let multiples: Vec<C::Curve> =
                    std::iter::successors(Some(base), |multiple| Some(*multiple + base))
                        .take(255)
                        .collect();
                base = multiples.last().map_or(base, |last| *last + base);
                affine(&multiples)
            })
            .collect();
        Self { windows }
    }

    fn multiply(&self, scalar: &Scalar) -> C::Curve {
        let bytes: [u8; 32] = scalar.to_repr().into();
        let mut sum = C::Curve::identity();
        for (byte, window) in bytes.iter().zip(&self.windows) {
            if let Some(multiple) = usize::from(*byte)
                .checked_sub(1)
                .and_then(|i| window.get(i))
            {
                sum += *multiple;
            }
        }
        sum
    }

    fn multiply_all(&self, scalars: &[Scalar]) -> Vec<C> {
        scalars
            .par_chunks(1024)
            .flat_map(|run| {
                let products: Vec<C::Curve> =
                    run.iter().map(|scalar| self.multiply(scalar)).collect();
                affine(&products)
            })
            .collect()
    }
}

fn affine<C: CurveAffine>(points: &[C::Curve]) -> Vec<C> {
    let mut affine = vec![C::identity(); points.len()];
    C::Curve::batch_normalize(points, &mut affine);
    affine
}

impl Trapdoor {
    /// The trapdoor with this secret; none for zero, whose powers are no SRS.
    pub fn new(tau: Scalar) -> Option<Self> {
        (!bool::from(tau.is_zero())).then_some(Self { tau })
    }

    /// The first powers in G1.
    pub fn g1(&self, count: usize) -> G1Srs {
        let exponents: Vec<Scalar> = powers(self.tau).take(count).collect();
        G1Srs::from_points(FixedBase::<G1Affine>::new(G1::generator().0).multiply_all(&exponents))
    }

    /// The first powers in G2.
    pub fn g2(&self, count: usize) -> G2Srs {
        let exponents: Vec<Scalar> = powers(self.tau).take(count).collect();
        G2Srs::from_points(FixedBase::<G2Affine>::new(G2::generator().0).multiply_all(&exponents))
    }

    /// The last powers below 2^28 in G2, for proofs of length.
    pub fn g2_trailing(&self, count: usize) -> G2Srs {
        let last = (1u64 << MAX_LOG).saturating_sub(count as u64);
        let first = self.tau.pow_vartime([last]);
        let exponents: Vec<Scalar> = powers(self.tau).take(count).map(|p| p * first).collect();
        G2Srs::from_points(FixedBase::<G2Affine>::new(G2::generator().0).multiply_all(&exponents))
    }

    /// The key by which proofs are verified.
    pub fn verifier_key(&self) -> VerifierKey {
        let power = |exponent: u64| self.tau.pow_vartime([exponent]);
        VerifierKey::from_points(
            (0..MAX_LOG)
                .map(|log| G1::generator() * power((1 << MAX_LOG) - (1 << log)))
                .collect(),
            (0..MAX_LOG)
                .map(|log| G2::generator() * power(1 << log))
                .collect(),
        )
    }

    /// The commitment to a polynomial.
    pub fn commit(&self, coefficients: &[Scalar]) -> G1 {
        G1::generator() * horner(coefficients, self.tau)
    }

    /// All commitments to a blob.
    ///
    /// # Errors
    ///
    /// If there is no coefficient, or there are too many for any blob.
    pub fn commit_blob(&self, coefficients: &[Scalar]) -> Result<BlobCommitments, KzgError> {
        let length = padded_length(coefficients.len())?;
        let value = horner(coefficients, self.tau);
        let shift = self.tau.pow_vartime([(1u64 << MAX_LOG) - length as u64]);
        Ok(BlobCommitments {
            commitment: G1::generator() * value,
            length_commitment: G2::generator() * value,
            length_proof: G2::generator() * (value * shift),
            length,
        })
    }

    /// The proofs of all frames of a polynomial, in the frames' order. `frames` are what
    /// [`FrameShape::encode`] gave.
    pub fn prove_frames(
        &self,
        shape: &FrameShape,
        coefficients: &[Scalar],
        frames: &[Vec<Scalar>],
    ) -> Vec<G1> {
        let value = horner(coefficients, self.tau);
        let shifted = self.tau.pow_vartime([shape.chunk_length() as u64]);
        let mut divisors: Vec<Scalar> = (0..frames.len())
            .map(|index| shifted - shape.vanishing(index))
            .collect();
        let mut scratch = vec![Scalar::ZERO; divisors.len()];
        BatchInverter::invert_with_external_scratch(&mut divisors, &mut scratch);
        let quotients: Vec<Scalar> = frames
            .par_iter()
            .zip(divisors)
            .map(|(frame, inverse)| (value - horner(frame, self.tau)) * inverse)
            .collect();
        FixedBase::<G1Affine>::new(G1::generator().0)
            .multiply_all(&quotients)
            .into_iter()
            .map(G1)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_those_of_the_secret() {
        let secret = Scalar::from(3);
        let trapdoor = Trapdoor::new(secret).unwrap();
        let srs = trapdoor.g1(2000);
        assert_eq!(srs.point(0), Some(G1::generator()));
        assert_eq!(srs.point(4), Some(G1::generator() * Scalar::from(81)));
        let last = secret.pow_vartime([1999u64]);
        assert_eq!(srs.point(1999), Some(G1::generator() * last));
        assert_eq!(srs.point(2000), None);
        let trailing = trapdoor.g2_trailing(3);
        let power = secret.pow_vartime([(1u64 << 28) - 2]);
        assert_eq!(trailing.point(1), Some(G2::generator() * power));
        assert!(Trapdoor::new(Scalar::ZERO).is_none());
    }
}
