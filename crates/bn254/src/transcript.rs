//! Weights for batches, hashed from all that is checked (Fiat-Shamir).
//!
//! A batch of equations is replaced by one with weights. Whoever makes the claims must not know the
//! weights before the claims are fixed, so the weights are hashed from every claim, each part with
//! its length in front. Weights have 128 bits: a false claim passes with a chance of 2^-128 for each
//! try.

use crate::Scalar;
use sha2::{Digest, Sha256};

/// What is hashed.
#[derive(Clone, Debug)]
pub struct Transcript(Sha256);

impl Transcript {
    /// An empty transcript for one purpose.
    pub fn new(purpose: &str) -> Self {
        let mut transcript = Self(Sha256::new());
        transcript.append(purpose.as_bytes());
        transcript
    }

    /// Adds bytes, with their number in front.
    pub fn append(&mut self, bytes: &[u8]) {
        self.append_number(bytes.len());
        self.0.update(bytes);
    }

    /// Adds a number.
    pub fn append_number(&mut self, number: usize) {
        self.0.update((number as u64).to_be_bytes());
    }

    /// As many weights as asked for; each depends on all that was added.
    pub fn weights(self, count: usize) -> Vec<Scalar> {
        let seed: [u8; 32] = self.0.finalize().into();
        (0..count as u64)
            .map(|index| {
                let hash = Sha256::new()
                    .chain_update(seed)
                    .chain_update(index.to_be_bytes())
                    .finalize();
                let (halves, _) = hash.as_chunks::<8>();
                let mut limbs = [0; 4];
                for (limb, bytes) in limbs.iter_mut().zip(halves.iter().take(2)) {
                    *limb = u64::from_be_bytes(*bytes);
                }
                Scalar::from_raw(limbs)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn first(parts: &[&[u8]]) -> Scalar {
        let mut transcript = Transcript::new("test");
        for part in parts {
            transcript.append(part);
        }
        transcript.weights(1)[0]
    }

    #[test]
    fn every_byte_and_every_boundary_counts() {
        let weights = [
            first(&[]),
            first(&[b""]),
            first(&[b"ab"]),
            first(&[b"a", b"b"]),
            first(&[b"ac"]),
            Transcript::new("other").weights(1)[0],
        ];
        let different: HashSet<_> = weights.iter().map(crate::scalar::to_be).collect();
        assert_eq!(different.len(), weights.len());
        let many = Transcript::new("test").weights(100);
        let different: HashSet<_> = many.iter().map(crate::scalar::to_be).collect();
        assert_eq!(different.len(), 100);
        assert!(different.iter().all(|weight| weight[..16] == [0; 16]));
    }
}
