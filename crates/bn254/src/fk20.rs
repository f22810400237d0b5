//! All frames' proofs of one blob at once (Feist and Khovratovich, 2020).
//!
//! With the blob's polynomial as Σ X^s P_s(X^l), T = length / l coefficients in each P_s, and y_j the
//! value of X^l on a chunk's coset, a chunk's proof is Σ y_j^i H_i: a transform of the points H. Each
//! H_i is a sum over s of products of a Toeplitz matrix of the blob's coefficients with powers of τ,
//! and such a product is one of transforms of size 2T. The transforms of the powers depend on
//! the SRS alone; they are the table.
// spec: eigenda 7.2

use crate::{
    G1, Scalar,
    domain::{Domain, DomainError},
    kzg::KzgError,
    msm,
    multiproof::ProofError,
    reed_solomon::{FrameError, FrameShape},
    srs::G1Srs,
};
use halo2curves::{
    bn256::{G1 as Curve1, G1Affine},
    ff::Field,
    group::{Curve, Group, prime::PrimeCurveAffine},
};
use rayon::prelude::*;

/// The table for blobs of one length and frames of one length.
#[derive(Clone)]
pub struct Fk20 {
    /// T: coefficients of each P_s.
    rows: usize,
    /// l: symbols of a frame.
    chunk_length: usize,
    /// Size 2T.
    domain: Domain,
    /// For each s, the transform of 2T points.
    table: Vec<Vec<G1Affine>>,
}

impl std::fmt::Debug for Fk20 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fk20({} x {})", self.chunk_length, self.rows)
    }
}

fn affine(points: &[Curve1]) -> Vec<G1Affine> {
    let mut affine = vec![G1Affine::identity(); points.len()];
    Curve1::batch_normalize(points, &mut affine);
    affine
}

impl Fk20 {
    /// Computes the table for blobs of `length` symbols.
    ///
    /// # Errors
    ///
    /// If the lengths are no powers of two, a frame is longer than the blob, or powers are lacking.
    pub fn new(srs: &G1Srs, length: usize, chunk_length: usize) -> Result<Self, ProofError> {
        if !length.is_power_of_two() || !chunk_length.is_power_of_two() || chunk_length > length {
            return Err(FrameError::BlobLength(length).into());
        }
        if srs.len() < length {
            return Err(KzgError::SrsTooShort {
                needed: length,
                points: srs.len(),
            }
            .into());
        }
        let rows = length / chunk_length;
        let domain = Domain::new(2 * rows).map_err(FrameError::from)?;
        let table = (0..chunk_length)
            .into_par_iter()
            .map(|s| {
                // entry i is power (length - 1) - l - s - i l, as long as there is one
                let mut powers: Vec<Curve1> = (0..rows)
                    .map_while(|i| {
                        let below = chunk_length.checked_mul(i + 1)?.checked_add(s)?;
                        let exponent = (length - 1).checked_sub(below)?;
                        srs.point(exponent).map(|point| point.0.to_curve())
                    })
                    .collect();
                domain.evaluate_points(&mut powers, Curve1::identity());
                affine(&powers)
            })
            .collect();
        Ok(Self {
            rows,
            chunk_length,
            domain,
            table,
        })
    }

    /// Row `s` of the table, as the reference keeps it in files.
    pub fn row(&self, s: usize) -> Option<Vec<G1>> {
        let row = self.table.get(s)?;
        Some(row.iter().map(|point| G1(*point)).collect())
    }

    /// The proofs of all frames of a blob, in the frames' order.
    ///
    /// # Errors
    ///
    /// If the blob or the frames are not of the lengths that the table is for.
    pub fn prove(
        &self,
        shape: &FrameShape,
        coefficients: &[Scalar],
    ) -> Result<Vec<G1>, ProofError> {
        let length = self.rows * self.chunk_length;
        if coefficients.len() > length
            || shape.chunk_length() != self.chunk_length
            || shape.chunks() < self.rows
        {
            return Err(FrameError::BlobLength(coefficients.len()).into());
        }
        let coefficient = |index: usize| coefficients.get(index).copied().unwrap_or(Scalar::ZERO);
        let columns: Vec<Vec<Scalar>> = (0..self.chunk_length)
            .into_par_iter()
            .map(|s| {
                // entry i is coefficient (length - 1) - s - i l; then all but the first are turned round,
                // over the whole domain, and so stand for negative places
                let mut column = vec![Scalar::ZERO; self.domain.size()];
                for i in 0..self.rows {
                    let exponent = (length - 1).checked_sub(s + i * self.chunk_length);
                    let place = (self.domain.size() - i) % self.domain.size();
                    if let (Some(exponent), Some(entry)) = (exponent, column.get_mut(place)) {
                        *entry = coefficient(exponent);
                    }
                }
                self.domain.evaluate(&column)
            })
            .collect::<Result<_, DomainError>>()
            .map_err(FrameError::from)?;
        let mut sums: Vec<Curve1> = (0..self.domain.size())
            .into_par_iter()
            .map(|i| {
                let (points, scalars): (Vec<G1Affine>, Vec<Scalar>) = self
                    .table
                    .iter()
                    .zip(&columns)
                    .filter_map(|(row, column)| Some((*row.get(i)?, *column.get(i)?)))
                    .filter(|(point, _)| !bool::from(point.is_identity()))
                    .unzip();
                msm::sum(&points, &scalars)
            })
            .collect();
        self.domain
            .interpolate_points(&mut sums, Curve1::identity());
        sums.truncate(self.rows);
        let chunks = Domain::new(shape.chunks()).map_err(FrameError::from)?;
        chunks.evaluate_points(&mut sums, Curve1::identity());
        let by_coset = affine(&sums);
        Ok((0..shape.chunks())
            .filter_map(|index| by_coset.get(shape.coset(index)).copied().map(G1))
            .collect())
    }
}
