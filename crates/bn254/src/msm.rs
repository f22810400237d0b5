//! Sums of points times scalars.

use crate::{G1, Scalar};
use halo2curves::{
    CurveAffine,
    bn256::{Fr, G1Affine},
    group::{Curve, Group},
    msm::msm_best,
};

/// The sum of the products. Of lists that differ in length, the longer one's rest does not count.
pub fn msm(points: &[G1], scalars: &[Scalar]) -> G1 {
    let (points, scalars): (Vec<G1Affine>, Vec<Scalar>) = points
        .iter()
        .zip(scalars)
        // the engine refuses infinity, which adds nothing
        .filter(|(point, _)| !point.is_identity())
        .map(|(point, scalar)| (point.0, *scalar))
        .unzip();
    G1(sum(&points, &scalars).to_affine())
}

/// The sum of the products, of points of which none is at infinity.
pub(crate) fn sum<C: CurveAffine<ScalarExt = Fr>>(points: &[C], scalars: &[Scalar]) -> C::Curve {
    let length = points.len().min(scalars.len());
    match (points.get(..length), scalars.get(..length)) {
        (Some(points), Some(scalars)) if length > 0 => msm_best(scalars, points),
        _ => C::Curve::identity(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn the_sum_is_that_of_the_products(
            terms in proptest::collection::vec((any::<u8>(), any::<[u64; 4]>()), 0..80)
        ) {
            // few different points, so that equal and opposite ones meet, and infinity is among them
            let points: Vec<G1> = terms
                .iter()
                .map(|(n, _)| {
                    let point = G1::generator() * Scalar::from(u64::from(n % 5));
                    if n & 0x80 == 0 { point } else { -point }
                })
                .collect();
            let scalars: Vec<Scalar> = terms.iter().map(|(_, n)| Scalar::from_raw(*n)).collect();
            let expected: G1 = points.iter().zip(&scalars).map(|(p, s)| *p * *s).sum();
            prop_assert_eq!(msm(&points, &scalars), expected);
        }
    }

    #[test]
    fn a_sum_large_enough_for_the_batched_engine_is_right_too() {
        // 2^14 terms: sum of i * (2i+1) * G
        let count = 1u64 << 14;
        let mut points = Vec::new();
        let mut point = G1::generator();
        let step = G1::generator() + G1::generator();
        for i in 0..count {
            points.push(if i % 1000 == 0 { G1::identity() } else { point });
            point = point + step;
        }
        let scalars: Vec<Scalar> = (0..count).map(Scalar::from).collect();
        let expected: Scalar = (0..count)
            .filter(|i| i % 1000 != 0)
            .map(|i| Scalar::from(i) * Scalar::from(2 * i + 1))
            .sum();
        assert_eq!(msm(&points, &scalars), G1::generator() * expected);
    }
}
