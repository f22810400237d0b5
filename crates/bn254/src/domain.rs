//! Fourier transforms over the roots of unity that EigenDA uses.
//!
//! Natural order in, natural order out: value `i` belongs to `w^i`.

use crate::Scalar;
use halo2curves::{
    ff::{Field, PrimeField},
    fft::best_fft,
};
use thiserror::Error;

/// Logarithm of the largest domain: r - 1 has 28 factors 2.
pub(crate) const MAX_LOG: u32 = 28;

/// A root of unity of order 2^28. It is the one of gnark and arkworks; halo2curves has another.
// spec: eigenda 2.2
const ROOT: Scalar = Scalar::from_raw([
    0x9bd6_1b6e_725b_19f0,
    0x402d_111e_4111_2ed4,
    0x00e0_a7eb_8ef6_2abc,
    0x2a3c_09f0_a58a_7e85,
]);

/// Why a transform is impossible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DomainError {
    /// The size is no power of two, or above 2^28.
    #[error("a domain cannot have {0} elements")]
    Size(usize),
    /// There are more values than the domain has elements.
    #[error("{values} values do not fit a domain of {size} elements")]
    TooMany {
        /// Values given.
        values: usize,
        /// Elements of the domain.
        size: usize,
    },
}

/// The powers of a root of unity.
#[derive(Clone, Debug)]
pub struct Domain {
    log_size: u32,
    root: Scalar,
    root_inverse: Scalar,
    size_inverse: Scalar,
}

impl Domain {
    /// The domain of `size` elements.
    ///
    /// # Errors
    ///
    /// If the size is no power of two, or above 2^28.
    pub fn new(size: usize) -> Result<Self, DomainError> {
        if !size.is_power_of_two() || size.ilog2() > MAX_LOG {
            return Err(DomainError::Size(size));
        }
        let log_size = size.ilog2();
        let root = (log_size..MAX_LOG).fold(ROOT, |root, _| root.square());
        // neither is zero: a root of unity, and a power of two
        let root_inverse = root.invert().unwrap_or(Scalar::ONE);
        let size_inverse = Scalar::TWO_INV.pow_vartime([u64::from(log_size)]);
        Ok(Self {
            log_size,
            root,
            root_inverse,
            size_inverse,
        })
    }

    /// Number of elements.
    pub const fn size(&self) -> usize {
        1 << self.log_size
    }

    /// Element `index`: the root of unity to that power.
    pub fn element(&self, index: usize) -> Scalar {
        self.root.pow_vartime([index as u64])
    }

    /// All elements, in order.
    pub fn elements(&self) -> Vec<Scalar> {
        powers(self.root).take(self.size()).collect()
    }

    /// The values of the polynomial with these coefficients at the domain's elements. Coefficients
    /// that are not there are zero.
    ///
    /// # Errors
    ///
    /// If there are more coefficients than elements.
    pub fn evaluate(&self, coefficients: &[Scalar]) -> Result<Vec<Scalar>, DomainError> {
        let mut values = self.padded(coefficients)?;
        best_fft(&mut values, self.root, self.log_size);
        Ok(values)
    }

    /// The coefficients of the polynomial with these values at the domain's elements. Values that
    /// are not there are zero.
    ///
    /// # Errors
    ///
    /// If there are more values than elements.
    pub fn interpolate(&self, values: &[Scalar]) -> Result<Vec<Scalar>, DomainError> {
        let mut coefficients = self.padded(values)?;
        best_fft(&mut coefficients, self.root_inverse, self.log_size);
        for coefficient in &mut coefficients {
            *coefficient *= self.size_inverse;
        }
        Ok(coefficients)
    }

    /// Like [`Self::evaluate`], of points in place of scalars.
    pub(crate) fn evaluate_points<P>(&self, points: &mut Vec<P>, zero: P)
    where
        P: halo2curves::fft::FftGroup<Scalar>,
    {
        points.resize(self.size(), zero);
        best_fft(points, self.root, self.log_size);
    }

    /// Like [`Self::interpolate`], of points in place of scalars.
    pub(crate) fn interpolate_points<P>(&self, points: &mut Vec<P>, zero: P)
    where
        P: halo2curves::fft::FftGroup<Scalar>,
    {
        points.resize(self.size(), zero);
        best_fft(points, self.root_inverse, self.log_size);
        for point in points {
            *point *= &self.size_inverse;
        }
    }

    fn padded(&self, values: &[Scalar]) -> Result<Vec<Scalar>, DomainError> {
        if values.len() > self.size() {
            return Err(DomainError::TooMany {
                values: values.len(),
                size: self.size(),
            });
        }
        let mut padded = Vec::with_capacity(self.size());
        padded.extend_from_slice(values);
        padded.resize(self.size(), Scalar::ZERO);
        Ok(padded)
    }
}

/// 1, x, x², and so on.
pub(crate) fn powers(x: Scalar) -> impl Iterator<Item = Scalar> {
    std::iter::successors(Some(Scalar::ONE), move |power| Some(*power * x))
}

/// The value of a polynomial at `x`.
pub(crate) fn horner(coefficients: &[Scalar], x: Scalar) -> Scalar {
    coefficients
        .iter()
        .rev()
        .fold(Scalar::ZERO, |value, coefficient| value * x + coefficient)
}

/// Swaps the order of the low `bits` bits.
pub(crate) const fn reverse_bits(index: usize, bits: u32) -> usize {
    if bits == 0 {
        return 0;
    }
    index.reverse_bits() >> (usize::BITS - bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn values_are_those_of_the_polynomial_and_give_it_back(
            log in 0u32..8, seed in proptest::collection::vec(any::<u64>(), 0..200)
        ) {
            let domain = Domain::new(1 << log).unwrap();
            let coefficients: Vec<Scalar> =
                seed.into_iter().take(domain.size()).map(Scalar::from).collect();
            let values = domain.evaluate(&coefficients).unwrap();
            for (element, value) in domain.elements().into_iter().zip(&values) {
                prop_assert_eq!(horner(&coefficients, element), *value);
            }
            let mut padded = coefficients;
            padded.resize(domain.size(), Scalar::ZERO);
            prop_assert_eq!(domain.interpolate(&values).unwrap(), padded);
        }
    }

    #[test]
    fn sizes_that_are_no_powers_of_two_or_too_large_are_refused() {
        for size in [0, 3, 12, (1 << 28) + 1, 1 << 29, usize::MAX] {
            assert_eq!(Domain::new(size).unwrap_err(), DomainError::Size(size));
        }
        let domain = Domain::new(1 << 28).unwrap();
        assert_eq!(domain.element(1 << 27), -Scalar::ONE);
        assert_eq!(
            Domain::new(2).unwrap().evaluate(&[Scalar::ONE; 3]),
            Err(DomainError::TooMany { values: 3, size: 2 })
        );
    }

    #[test]
    fn bits_are_reversed_within_their_number() {
        assert_eq!(reverse_bits(0b0011, 4), 0b1100);
        assert_eq!(reverse_bits(1, 13), 4096);
        assert_eq!(reverse_bits(0, 0), 0);
    }
}
