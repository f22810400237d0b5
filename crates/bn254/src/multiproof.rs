//! Proofs that frames are of the blob that is committed to.
//!
//! Frame i holds the polynomial I modulo X^l - y (see [`reed_solomon`](crate::reed_solomon)); its
//! proof is the commitment to (p - I) / (X^l - y). It holds if
//! e(C - [I(τ)], G2) = e(proof, [τ^l] - y·G2).
// spec: eigenda 7.2, eigenda 7.3

use crate::{
    G1, G2, Scalar,
    kzg::{KzgError, VerifierKey, commit},
    msm, pairing_product_is_one,
    reed_solomon::{FrameError, FrameShape},
    scalar,
    srs::G1Srs,
    transcript::Transcript,
};
use halo2curves::ff::Field;
use thiserror::Error;

/// Why a proof cannot be made, or does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProofError {
    /// Powers are lacking.
    #[error(transparent)]
    Kzg(#[from] KzgError),
    /// The frame is none of this shape.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The frame is not of the blob; of a batch, at least one is not.
    #[error("the frame's proof does not hold")]
    Proof,
}

/// What is said of one frame.
#[derive(Clone, Copy, Debug)]
pub struct FrameClaim<'a> {
    /// The commitment to the blob.
    pub commitment: G1,
    /// Number of the chunk.
    pub index: usize,
    /// Coefficients of the frame.
    pub frame: &'a [Scalar],
    /// The proof.
    pub proof: G1,
}

/// The proof of one frame, computed by division. For all frames at once there is
/// [`Fk20`](crate::Fk20).
///
/// # Errors
///
/// If there is no such chunk, or the polynomial has more coefficients than the SRS has powers.
pub fn prove(
    srs: &G1Srs,
    shape: &FrameShape,
    coefficients: &[Scalar],
    index: usize,
) -> Result<G1, ProofError> {
    if index >= shape.chunks() {
        return Err(FrameError::Index(index).into());
    }
    // q[i] = p[i + l] + y q[i + l], from the top
    let (length, y) = (shape.chunk_length(), shape.vanishing(index));
    let mut quotient = coefficients.get(length..).unwrap_or_default().to_vec();
    for place in (0..quotient.len().saturating_sub(length)).rev() {
        let above = quotient.get(place + length).copied();
        if let (Some(coefficient), Some(above)) = (quotient.get_mut(place), above) {
            *coefficient += above * y;
        }
    }
    Ok(commit(srs, &quotient)?)
}

fn check(shape: &FrameShape, claim: &FrameClaim<'_>) -> Result<(), FrameError> {
    if claim.index >= shape.chunks() {
        return Err(FrameError::Index(claim.index));
    }
    if claim.frame.len() != shape.chunk_length() {
        return Err(FrameError::FrameLength {
            index: claim.index,
            found: claim.frame.len(),
        });
    }
    Ok(())
}

/// Checks one frame. The SRS needs as many powers as a frame has symbols.
///
/// # Errors
///
/// If the frame is not of the blob that is committed to, or powers are lacking.
pub fn verify(
    key: &VerifierKey,
    srs: &G1Srs,
    shape: &FrameShape,
    claim: &FrameClaim<'_>,
) -> Result<(), ProofError> {
    check(shape, claim)?;
    // y·proof is brought to the left side, so that the second point of G2 is fixed
    let left =
        claim.commitment - commit(srs, claim.frame)? + claim.proof * shape.vanishing(claim.index);
    holds(key, shape, left, claim.proof)
}

fn holds(key: &VerifierKey, shape: &FrameShape, left: G1, proof: G1) -> Result<(), ProofError> {
    let power = key.g2_power(shape.chunk_length())?;
    if pairing_product_is_one(&[(left, G2::generator()), (-proof, power)]) {
        Ok(())
    } else {
        Err(ProofError::Proof)
    }
}

/// Checks many frames of one shape, of one blob or of many, in one equation: the sum of the
/// frames' equations, each with a weight that is hashed from all claims.
///
/// # Errors
///
/// If at least one frame is not of its blob, or powers are lacking.
pub fn verify_batch(
    key: &VerifierKey,
    srs: &G1Srs,
    shape: &FrameShape,
    claims: &[FrameClaim<'_>],
) -> Result<(), ProofError> {
    for claim in claims {
        check(shape, claim)?;
    }
    let weights = weights(shape, claims);
    let proofs: Vec<G1> = claims.iter().map(|claim| claim.proof).collect();
    let mut interpolation = vec![Scalar::ZERO; shape.chunk_length()];
    let mut points = proofs.clone();
    let mut factors = Vec::with_capacity(claims.len() + 1);
    // claims of one blob stand together as a rule, and their weights add up
    let mut blobs: Vec<(G1, Scalar)> = Vec::new();
    for (claim, weight) in claims.iter().zip(&weights) {
        factors.push(*weight * shape.vanishing(claim.index));
        match blobs.last_mut() {
            Some((commitment, sum)) if *commitment == claim.commitment => *sum += weight,
            _ => blobs.push((claim.commitment, *weight)),
        }
        for (sum, coefficient) in interpolation.iter_mut().zip(claim.frame) {
            *sum += *weight * coefficient;
        }
    }
    for (commitment, weight) in blobs {
        points.push(commitment);
        factors.push(weight);
    }
    let left = msm(&points, &factors) - commit(srs, &interpolation)?;
    holds(key, shape, left, msm(&proofs, &weights))
}

fn weights(shape: &FrameShape, claims: &[FrameClaim<'_>]) -> Vec<Scalar> {
    let mut transcript = Transcript::new("doppio: frames of blobs");
    transcript.append_number(shape.chunks());
    transcript.append_number(shape.chunk_length());
    transcript.append_number(claims.len());
    for claim in claims {
        transcript.append(&claim.commitment.to_raw());
        transcript.append_number(claim.index);
        transcript.append(&scalar::write_all(claim.frame));
        transcript.append(&claim.proof.to_raw());
    }
    transcript.weights(claims.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Fk20, trapdoor::Trapdoor};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn division_fk20_and_the_trapdoor_give_the_same_proofs_and_they_hold(
            log_chunks in 0u32..5, log_length in 0u32..4, log_needed in 0u32..5, seed in any::<[u64; 4]>()
        ) {
            let shape = FrameShape::new(1 << log_chunks, 1 << log_length).unwrap();
            let length = 1usize << (log_needed.min(log_chunks) + log_length);
            let blob: Vec<Scalar> = (0..length as u64)
                .map(|i| Scalar::from_raw(seed) * Scalar::from(i * i + 1))
                .collect();
            let trapdoor = Trapdoor::new(Scalar::from(123_456_789)).unwrap();
            let (srs, key) = (trapdoor.g1(length), trapdoor.verifier_key());
            let commitment = commit(&srs, &blob).unwrap();
            let frames = shape.encode(&blob).unwrap();
            let proofs = trapdoor.prove_frames(&shape, &blob, &frames);
            let table = Fk20::new(&srs, length, shape.chunk_length()).unwrap();
            prop_assert_eq!(&table.prove(&shape, &blob).unwrap(), &proofs);
            let claims: Vec<FrameClaim<'_>> = frames
                .iter()
                .zip(&proofs)
                .enumerate()
                .map(|(index, (frame, proof))| FrameClaim { commitment, index, frame, proof: *proof })
                .collect();
            for claim in &claims {
                prop_assert_eq!(prove(&srs, &shape, &blob, claim.index), Ok(claim.proof));
                prop_assert_eq!(verify(&key, &srs, &shape, claim), Ok(()));
            }
            prop_assert_eq!(verify_batch(&key, &srs, &shape, &claims), Ok(()));
        }
    }

    /// Two blobs and their claims: whatever is changed is noticed, alone and in the batch.
    #[test]
    fn each_change_of_a_claim_is_noticed_alone_and_in_a_batch() {
        let shape = FrameShape::new(8, 2).unwrap();
        let trapdoor = Trapdoor::new(Scalar::from(31337)).unwrap();
        let (srs, key) = (trapdoor.g1(8), trapdoor.verifier_key());
        let blobs: Vec<Vec<Scalar>> = [1u64, 2]
            .iter()
            .map(|seed| (0..8).map(|i| Scalar::from(seed * 100 + i)).collect())
            .collect();
        let frames: Vec<Vec<Vec<Scalar>>> = blobs
            .iter()
            .map(|blob| shape.encode(blob).unwrap())
            .collect();
        let mut claims = Vec::new();
        for (blob, frames) in blobs.iter().zip(&frames) {
            let proofs = trapdoor.prove_frames(&shape, blob, frames);
            let commitment = commit(&srs, blob).unwrap();
            claims.extend(
                frames
                    .iter()
                    .zip(proofs)
                    .enumerate()
                    .map(|(index, (frame, proof))| FrameClaim {
                        commitment,
                        index,
                        frame,
                        proof,
                    }),
            );
        }
        assert_eq!(verify_batch(&key, &srs, &shape, &claims), Ok(()));
        assert_eq!(verify_batch(&key, &srs, &shape, &[]), Ok(()));

        let mut other_frame = frames[0][3].clone();
        other_frame[1] += Scalar::ONE;
        let good = claims[3];
        let wrong = [
            FrameClaim {
                commitment: claims[9].commitment,
                ..good
            },
            FrameClaim { index: 4, ..good },
            FrameClaim {
                frame: &other_frame,
                ..good
            },
            FrameClaim {
                proof: claims[4].proof,
                ..good
            },
            FrameClaim {
                proof: G1::identity(),
                ..good
            },
        ];
        for claim in wrong {
            let alone = verify(&key, &srs, &shape, &claim);
            assert_eq!(alone, Err(ProofError::Proof));
            let mut batch = claims.clone();
            batch[3] = claim;
            let together = verify_batch(&key, &srs, &shape, &batch);
            assert_eq!(together, Err(ProofError::Proof));
        }

        // errors that cancel without weights: the proofs of two frames swapped with their frames' sum
        let mut batch = claims.clone();
        batch[3].proof = claims[3].proof + G1::generator();
        batch[4].proof = claims[4].proof - G1::generator();
        let together = verify_batch(&key, &srs, &shape, &batch);
        assert_eq!(together, Err(ProofError::Proof));

        let malformed = FrameClaim { index: 8, ..good };
        assert_eq!(
            verify_batch(&key, &srs, &shape, &[malformed]),
            Err(FrameError::Index(8).into())
        );
        let short = FrameClaim {
            frame: &good.frame[..1],
            ..good
        };
        assert_eq!(
            verify(&key, &srs, &shape, &short),
            Err(FrameError::FrameLength { index: 3, found: 1 }.into())
        );
    }
}
