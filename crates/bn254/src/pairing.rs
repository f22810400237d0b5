//! The pairing, as far as anything here needs it: whether a product of pairings is one.

use crate::{G1, G2};
use halo2curves::{
    bn256::{Bn256, G1Affine, G2Affine},
    group::Group,
    pairing::{MillerLoopResult, MultiMillerLoop},
};

/// Whether the product of e(P, Q) over all pairs is one. A pair with a point at infinity counts
/// nothing, as for the EVM's precompile.
pub fn pairing_product_is_one(pairs: &[(G1, G2)]) -> bool {
    let terms: Vec<(&G1Affine, &G2Affine)> = pairs.iter().map(|(p, q)| (&p.0, &q.0)).collect();
    Bn256::multi_miller_loop(&terms)
        .final_exponentiation()
        .is_identity()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scalar;

    #[test]
    fn a_product_is_one_if_the_exponents_cancel() {
        let p = |n: u64| G1::generator() * Scalar::from(n);
        let q = |n: u64| G2::generator() * Scalar::from(n);
        assert!(pairing_product_is_one(&[(p(6), q(5)), (-p(10), q(3))]));
        assert!(!pairing_product_is_one(&[(p(6), q(5)), (-p(10), q(4))]));
        assert!(pairing_product_is_one(&[]));
        assert!(pairing_product_is_one(&[
            (G1::identity(), q(3)),
            (p(2), G2::identity())
        ]));
    }
}
