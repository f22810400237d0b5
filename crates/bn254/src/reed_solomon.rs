//! Reed-Solomon frames: a blob is a polynomial, and each frame tells it on some points.
//!
//! There are N chunks of l symbols; w is the root of unity of order N·l. Chunk i covers the coset of
//! j, i with its bits reversed: the points w^(j + kN). On all of them X^l has one value, y_j = w^(j·l),
//! so with the polynomial written as Σ X^s · P_s(X^l) for s below l, the frame, which is the polynomial
//! modulo X^l - y_j, has the coefficients P_s(y_j). Encoding is therefore one transform of size N for
//! each s, and decoding finds each P_s from its values at the frames that are there.
// spec: eigenda 7.1

use crate::{
    Scalar,
    domain::{Domain, DomainError, powers, reverse_bits},
};
use halo2curves::ff::{BatchInverter, Field};
use rayon::prelude::*;
use thiserror::Error;

/// How a blob is cut into frames.
#[derive(Clone, Debug)]
pub struct FrameShape {
    chunks: Domain,
    chunk_length: usize,
    /// Root of unity of order N·l.
    root: Domain,
}

/// Why frames cannot be made or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Numbers that are no powers of two, or too large.
    #[error(transparent)]
    Domain(#[from] DomainError),
    /// The blob is longer than all frames together, or has a length that is no multiple of a
    /// frame's.
    #[error("a blob of {0} symbols does not fit these frames")]
    BlobLength(usize),
    /// There is no chunk of this number.
    #[error("there is no chunk {0}")]
    Index(usize),
    /// A chunk was given twice.
    #[error("chunk {0} was given twice")]
    Twice(usize),
    /// A frame of another length.
    #[error("chunk {index} has {found} symbols")]
    FrameLength {
        /// Number of the chunk.
        index: usize,
        /// Its symbols.
        found: usize,
    },
    /// Too few frames to know the blob.
    #[error("{found} chunks are there and {needed} are needed")]
    TooFew {
        /// Chunks needed.
        needed: usize,
        /// Chunks given.
        found: usize,
    },
    /// The frames are not of one polynomial that is short enough.
    #[error("the chunks are not of one blob")]
    Inconsistent,
}

impl FrameShape {
    /// `chunks` frames of `chunk_length` symbols.
    ///
    /// # Errors
    ///
    /// If one of them is no power of two, or their product is above 2^28.
    pub fn new(chunks: usize, chunk_length: usize) -> Result<Self, FrameError> {
        let symbols = chunks.saturating_mul(chunk_length);
        Domain::new(chunk_length)?;
        Ok(Self {
            chunks: Domain::new(chunks)?,
            chunk_length,
            root: Domain::new(symbols)?,
        })
    }

    /// Number of chunks.
    pub const fn chunks(&self) -> usize {
        self.chunks.size()
    }

    /// Symbols of a frame.
    pub const fn chunk_length(&self) -> usize {
        self.chunk_length
    }

    /// The coset that chunk `index` covers.
    pub const fn coset(&self, index: usize) -> usize {
        reverse_bits(index, self.chunks().ilog2())
    }

    /// The first point of the chunk's coset.
    pub fn shift(&self, index: usize) -> Scalar {
        self.root.element(self.coset(index))
    }

    /// The value of X^l on the chunk's coset.
    pub fn vanishing(&self, index: usize) -> Scalar {
        self.chunks.element(self.coset(index))
    }

    /// Chunks that are enough for a blob of `length` symbols.
    ///
    /// # Errors
    ///
    /// If such a blob does not fit these frames.
    pub fn needed(&self, length: usize) -> Result<usize, FrameError> {
        let needed = length / self.chunk_length;
        if length == 0 || !length.is_multiple_of(self.chunk_length) || needed > self.chunks() {
            return Err(FrameError::BlobLength(length));
        }
        Ok(needed)
    }

    /// All frames of a polynomial, by chunk number: the coefficients of each.
    ///
    /// # Errors
    ///
    /// If the polynomial is longer than all frames together.
    pub fn encode(&self, coefficients: &[Scalar]) -> Result<Vec<Vec<Scalar>>, FrameError> {
        if coefficients.len() > self.root.size() {
            return Err(FrameError::BlobLength(coefficients.len()));
        }
        let columns: Vec<Vec<Scalar>> = (0..self.chunk_length)
            .into_par_iter()
            .map(|s| {
                let part: Vec<Scalar> = coefficients
                    .iter()
                    .skip(s)
                    .step_by(self.chunk_length)
                    .copied()
                    .collect();
                self.chunks.evaluate(&part)
            })
            .collect::<Result<_, _>>()?;
        Ok((0..self.chunks())
            .into_par_iter()
            .map(|index| {
                let coset = self.coset(index);
                columns
                    .iter()
                    .filter_map(|column| column.get(coset).copied())
                    .collect()
            })
            .collect())
    }

    /// The coefficients of a blob of `length` symbols, from any of its frames that are enough. More
    /// than enough must agree.
    ///
    /// # Errors
    ///
    /// If frames are too few, malformed, or not of one blob of this length.
    // spec: eigenda 7.5
    pub fn decode(
        &self,
        length: usize,
        frames: &[(usize, &[Scalar])],
    ) -> Result<Vec<Scalar>, FrameError> {
        let needed = self.needed(length)?;
        let by_coset = self.by_coset(frames)?;
        if frames.len() < needed {
            return Err(FrameError::TooFew {
                needed,
                found: frames.len(),
            });
        }
        let erasures = Erasures::new(&self.chunks, &by_coset)?;
        let parts: Vec<Vec<Scalar>> = (0..self.chunk_length)
            .into_par_iter()
            .map(|s| {
                let values: Vec<Scalar> = by_coset
                    .iter()
                    .map(|frame| {
                        let value = frame.and_then(|frame| frame.get(s));
                        value.copied().unwrap_or(Scalar::ZERO)
                    })
                    .collect();
                let mut part = erasures.recover(&self.chunks, values)?;
                if part.split_off(needed).iter().any(|c| *c != Scalar::ZERO) {
                    return Err(FrameError::Inconsistent);
                }
                Ok(part)
            })
            .collect::<Result<_, _>>()?;
        let mut coefficients = Vec::with_capacity(length);
        for place in 0..needed {
            coefficients.extend(parts.iter().filter_map(|part| part.get(place).copied()));
        }
        Ok(coefficients)
    }

    fn by_coset<'a>(
        &self,
        frames: &[(usize, &'a [Scalar])],
    ) -> Result<Vec<Option<&'a [Scalar]>>, FrameError> {
        let mut by_coset = vec![None; self.chunks()];
        for (index, frame) in frames {
            if frame.len() != self.chunk_length {
                return Err(FrameError::FrameLength {
                    index: *index,
                    found: frame.len(),
                });
            }
            if *index >= self.chunks() {
                return Err(FrameError::Index(*index));
            }
            let place = by_coset
                .get_mut(self.coset(*index))
                .ok_or(FrameError::Index(*index))?;
            if place.replace(*frame).is_some() {
                return Err(FrameError::Twice(*index));
            }
        }
        Ok(by_coset)
    }
}

/// What decoding needs to know of the frames that are missing: the polynomial Z that is zero at
/// their places. Values times Z are known everywhere, and Z is divided out again on points where it
/// is not zero.
struct Erasures {
    /// Z on the domain; none if nothing is missing.
    zeros: Option<Zeros>,
}

struct Zeros {
    on_domain: Vec<Scalar>,
    /// 1 / Z on the domain, shifted by [`SHIFT`].
    shifted_inverses: Vec<Scalar>,
    /// Powers of the shift, and of its inverse.
    shifts: Vec<Scalar>,
    unshifts: Vec<Scalar>,
}

/// No element of any domain: it is no square modulo r.
const SHIFT: Scalar = Scalar::from_raw([5, 0, 0, 0]);

impl Erasures {
    fn new(chunks: &Domain, by_coset: &[Option<&[Scalar]>]) -> Result<Self, FrameError> {
        let missing: Vec<Scalar> = chunks
            .elements()
            .into_iter()
            .zip(by_coset)
            .filter_map(|(element, frame)| frame.is_none().then_some(element))
            .collect();
        if missing.is_empty() {
            return Ok(Self { zeros: None });
        }
        // as many zeros as the domain has elements: Z = X^N - 1; nothing is there then
        if missing.len() >= chunks.size() {
            return Err(FrameError::TooFew {
                needed: 1,
                found: 0,
            });
        }
        let zero_polynomial = with_roots(&missing)?;
        let shifts: Vec<Scalar> = powers(SHIFT).take(chunks.size()).collect();
        let inverse = SHIFT.invert().unwrap_or(Scalar::ONE);
        let unshifts: Vec<Scalar> = powers(inverse).take(chunks.size()).collect();
        let mut shifted = zero_polynomial.clone();
        multiply_each(&mut shifted, &shifts);
        let mut shifted_inverses = chunks.evaluate(&shifted)?;
        let mut scratch = vec![Scalar::ZERO; shifted_inverses.len()];
        BatchInverter::invert_with_external_scratch(&mut shifted_inverses, &mut scratch);
        Ok(Self {
            zeros: Some(Zeros {
                on_domain: chunks.evaluate(&zero_polynomial)?,
                shifted_inverses,
                shifts,
                unshifts,
            }),
        })
    }

    /// The polynomial with these values where they are known.
    fn recover(&self, chunks: &Domain, mut values: Vec<Scalar>) -> Result<Vec<Scalar>, FrameError> {
        let Some(zeros) = &self.zeros else {
            return Ok(chunks.interpolate(&values)?);
        };
        multiply_each(&mut values, &zeros.on_domain);
        let mut product = chunks.interpolate(&values)?;
        multiply_each(&mut product, &zeros.shifts);
        let mut shifted = chunks.evaluate(&product)?;
        multiply_each(&mut shifted, &zeros.shifted_inverses);
        let mut polynomial = chunks.interpolate(&shifted)?;
        multiply_each(&mut polynomial, &zeros.unshifts);
        Ok(polynomial)
    }
}

fn multiply_each(values: &mut [Scalar], factors: &[Scalar]) {
    for (value, factor) in values.iter_mut().zip(factors) {
        *value *= factor;
    }
}

/// The polynomial with these roots: by halves, which are multiplied by transforms once they are
/// long.
fn with_roots(roots: &[Scalar]) -> Result<Vec<Scalar>, DomainError> {
    const SHORT: usize = 32;
    if roots.len() <= SHORT {
        let mut polynomial = vec![Scalar::ONE];
        for root in roots {
            polynomial.push(Scalar::ZERO);
            for place in (0..polynomial.len()).rev() {
                let below = place
                    .checked_sub(1)
                    .and_then(|i| polynomial.get(i).copied());
                if let Some(coefficient) = polynomial.get_mut(place) {
                    *coefficient = below.unwrap_or(Scalar::ZERO) - *coefficient * root;
                }
            }
        }
        return Ok(polynomial);
    }
    let (left, right) = roots.split_at(roots.len() / 2);
    let (left, right) = rayon::join(|| with_roots(left), || with_roots(right));
    let domain = Domain::new((roots.len() + 1).next_power_of_two())?;
    let mut product = domain.evaluate(&left?)?;
    multiply_each(&mut product, &domain.evaluate(&right?)?);
    let mut polynomial = domain.interpolate(&product)?;
    polynomial.truncate(roots.len() + 1);
    Ok(polynomial)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::horner;
    use proptest::prelude::*;

    fn blob(length: usize, seed: u64) -> Vec<Scalar> {
        (0..length as u64)
            .map(|i| Scalar::from_raw([i ^ seed, seed, i.wrapping_mul(seed), 1]))
            .collect()
    }

    #[test]
    fn a_frame_has_the_blobs_values_on_its_coset() {
        let shape = FrameShape::new(16, 4).unwrap();
        let blob = blob(16, 7);
        let all = Domain::new(64).unwrap();
        for (index, frame) in shape.encode(&blob).unwrap().iter().enumerate() {
            for k in 0..4 {
                let point = all.element(shape.coset(index) + k * 16);
                assert_eq!(horner(frame, point), horner(&blob, point));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn any_frames_that_are_enough_give_the_blob(
            log_chunks in 0u32..8, log_length in 0u32..4, log_needed in 0u32..8,
            order in proptest::collection::vec(any::<u16>(), 256), extra in 0usize..5, seed in any::<u64>()
        ) {
            let log_needed = log_needed.min(log_chunks);
            let shape = FrameShape::new(1 << log_chunks, 1 << log_length).unwrap();
            let needed = 1usize << log_needed;
            let length = needed << log_length;
            let blob = blob(length, seed);
            let frames = shape.encode(&blob).unwrap();
            let mut chosen: Vec<usize> = (0..frames.len()).collect();
            chosen.sort_by_key(|index| order[*index]);
            chosen.truncate(needed + extra);
            let mut given: Vec<(usize, &[Scalar])> =
                chosen.iter().map(|index| (*index, frames[*index].as_slice())).collect();
            prop_assert_eq!(shape.decode(length, &given).unwrap(), blob);

            // a wrong symbol is noticed as soon as there is one frame more than needed
            let mut wrong = given[0].1.to_vec();
            wrong[0] += Scalar::ONE;
            given[0].1 = &wrong;
            if given.len() > needed {
                prop_assert_eq!(shape.decode(length, &given), Err(FrameError::Inconsistent));
            }
            given.truncate(needed - 1);
            prop_assert_eq!(
                shape.decode(length, &given),
                Err(FrameError::TooFew { needed, found: needed - 1 })
            );
        }

        #[test]
        fn a_polynomial_has_its_roots(numbers in proptest::collection::vec(any::<u64>(), 0..200)) {
            let roots: Vec<Scalar> = numbers.into_iter().map(Scalar::from).collect();
            let polynomial = with_roots(&roots).unwrap();
            prop_assert_eq!(polynomial.len(), roots.len() + 1);
            prop_assert_eq!(polynomial.last(), Some(&Scalar::ONE));
            for root in roots {
                prop_assert_eq!(horner(&polynomial, root), Scalar::ZERO);
            }
        }
    }

    #[test]
    fn malformed_frames_are_refused() {
        let shape = FrameShape::new(8, 2).unwrap();
        let blob = blob(4, 3);
        let frames = shape.encode(&blob).unwrap();
        let frame = |index: usize| (index, frames[index].as_slice());
        assert_eq!(
            shape.decode(4, &[frame(0), frame(0)]),
            Err(FrameError::Twice(0))
        );
        assert_eq!(
            shape.decode(4, &[frame(0), (8, &frames[0])]),
            Err(FrameError::Index(8))
        );
        assert_eq!(
            shape.decode(4, &[frame(0), (usize::MAX, &frames[0])]),
            Err(FrameError::Index(usize::MAX))
        );
        assert_eq!(
            shape.decode(4, &[(1, &frames[1][..1])]),
            Err(FrameError::FrameLength { index: 1, found: 1 })
        );
        for length in [0, 3, 32] {
            assert_eq!(
                shape.decode(length, &[]),
                Err(FrameError::BlobLength(length))
            );
        }
        assert!(FrameShape::new(3, 1).is_err());
        assert!(FrameShape::new(1 << 20, 1 << 20).is_err());
        assert!(FrameShape::new(1 << 40, 1 << 40).is_err());
        assert!(shape.encode(&[Scalar::ONE; 17]).is_err());
    }

    #[test]
    fn the_shift_is_in_no_domain() {
        let order = 1u64 << 28;
        assert_ne!(SHIFT.pow_vartime([order]), Scalar::ONE);
    }
}
