//! AvidM: shares are values of polynomials over BN254's scalars.

use super::{VidParams, tree};
use crate::rescue::scalar;
use alloy_primitives::Keccak256;
use doppio_bn254::Domain;
use halo2curves::ff::PrimeField;

/// Bytes in a coefficient.
const CHUNK: usize = 31;

/// The root of a namespace; none if no domain has so many elements.
// spec: espresso 3.6
pub(super) fn root(params: VidParams, bytes: &[u8]) -> Option<[u8; 32]> {
    let (k, n) = (params.k(), params.n());
    let domain = Domain::new(n.next_power_of_two()).ok()?;
    let polynomial = CHUNK * k;
    // a one ends the bytes, and zeros fill the last polynomial
    let mut padded = bytes.to_vec();
    padded.push(1);
    padded.resize(padded.len().next_multiple_of(polynomial), 0);
    let count = (padded.len() / polynomial) as u64;
    let mut shares: Vec<Keccak256> = vec![Keccak256::new(); n];
    for share in &mut shares {
        share.update(count.to_le_bytes());
    }
    for chunk in padded.chunks(polynomial) {
        let coefficients: Vec<_> = chunk.chunks(CHUNK).map(scalar).collect();
        let values = domain.evaluate(&coefficients).ok()?;
        for (share, value) in shares.iter_mut().zip(values) {
            share.update(value.to_repr());
        }
    }
    let digests: Vec<_> = shares.into_iter().map(|share| share.finalize().0).collect();
    Some(tree::KECCAK.root(&digests))
}
