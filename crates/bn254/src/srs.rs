//! Structured reference strings: the powers of a secret τ that nobody knows, in G1 and G2.
//!
//! An SRS counts by its digest and by nothing else: a file of another length or digest is refused
//! before its first point is read. The ceremony's digests are built in; which others count is a
//! matter of the chain's configuration.
//!
//! Reading compressed points takes a square root each. A *cache* holds the same points in raw form.
//! It needs no trust of its own: a raw point on the curve says what its compressed form is, so that the
//! cache, too, is held against the digest of the compressed file.
// spec: eigenda 2.6

use crate::{
    G1, G2, PointError, Scalar,
    kzg::KzgError,
    msm,
    point::{g1_on_curve, g2_on_curve},
};
use halo2curves::{
    bn256::{G1Affine, G2Affine},
    group::Curve,
};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::fmt;
use thiserror::Error;

/// Which SRS file is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SrsDigest {
    /// Number of points.
    pub points: usize,
    /// SHA-256 of the file of compressed points.
    pub sha256: [u8; 32],
}

/// The files of the ceremony (perpetual powers of tau, challenge 85) that EigenDA uses.
pub mod ceremony {
    use super::SrsDigest;

    /// A file, by the halves of its digest.
    const fn file(points: usize, high: u128, low: u128) -> SrsDigest {
        let halves = [high.to_be_bytes(), low.to_be_bytes()];
        match halves.as_flattened().first_chunk() {
            Some(sha256) => SrsDigest {
                points,
                sha256: *sha256,
            },
            // not reached: two halves are a whole
            None => SrsDigest {
                points: 0,
                sha256: [0; 32],
            },
        }
    }

    /// Powers 0 to 2^19 - 1 in G1: enough for blobs of 16 MiB.
    pub const G1: SrsDigest = file(
        524_288,
        0x8f18_b9c0_4ed4_bddc_db73_001f_b693_7031,
        0x9732_8cec_abdf_a902_5f64_7410_b0c5_0d7f,
    );
    /// The first 65,536 of them: enough for blobs of 2 MiB.
    pub const G1_65536: SrsDigest = file(
        65_536,
        0x1766_51f9_b6cc_95d4_ee02_e72c_8752_88ac,
        0x0743_056b_5082_7036_cabc_8457_5751_eb95,
    );
    /// Powers 0 to 2^19 - 1 in G2.
    pub const G2: SrsDigest = file(
        524_288,
        0xa694_2684_aa75_1b4e_c787_3e2e_db46_60ac,
        0x5c45_16ad_b3b3_1044_1802_cc0d_489f_645a,
    );
    /// Powers 2^28 - 2^19 to 2^28 - 1 in G2.
    pub const G2_TRAILING: SrsDigest = file(
        524_288,
        0x78fa_d17d_74d2_8cec_db7f_826f_dd72_dee0,
        0x8bdb_e1e8_ad66_f2b2_4fcf_2fc1_4017_6788,
    );
}

/// Why a file is not the SRS that is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SrsError {
    /// Another number of bytes.
    #[error("the SRS file has {found} bytes instead of {expected}")]
    Length {
        /// What the points take.
        expected: usize,
        /// What there is.
        found: usize,
    },
    /// Another content.
    #[error("the SRS file has another digest than the one asked for")]
    Digest,
    /// The content is the one asked for, and yet no SRS.
    #[error("point {index} of the SRS: {error}")]
    Point {
        /// Number of the point.
        index: usize,
        /// What is wrong with it.
        error: PointError,
    },
    /// A point at infinity: no power of any τ but zero.
    #[error("point {0} of the SRS is at infinity")]
    Infinity(usize),
}

fn check_length(bytes: &[u8], points: usize, point: usize) -> Result<(), SrsError> {
    let expected = points.saturating_mul(point);
    if bytes.len() == expected {
        Ok(())
    } else {
        Err(SrsError::Length {
            expected,
            found: bytes.len(),
        })
    }
}

/// Points are hashed in runs, so that a large file is not held twice.
const RUN: usize = 4096;

macro_rules! srs {
    ($(#[$doc:meta])* $name:ident, $point:ident, $affine:ident, $on_curve:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name {
            points: Vec<$affine>,
        }

        impl $name {
            /// Reads a file of compressed points.
            ///
            /// # Errors
            ///
            /// If it is not the file meant, or holds something that is no point of the group.
            pub fn from_compressed(bytes: &[u8], digest: &SrsDigest) -> Result<Self, SrsError> {
                const SIZE: usize = $point::COMPRESSED;
                check_length(bytes, digest.points, SIZE)?;
                if <[u8; 32]>::from(Sha256::digest(bytes)) != digest.sha256 {
                    return Err(SrsError::Digest);
                }
                let (points, _) = bytes.as_chunks::<SIZE>();
                Self::read(points, |bytes| $point::from_compressed(bytes))
            }

            /// Reads a cache: what [`Self::to_cache`] wrote.
            ///
            /// # Errors
            ///
            /// If it does not hold the points of the file meant.
            pub fn from_cache(bytes: &[u8], digest: &SrsDigest) -> Result<Self, SrsError> {
                const SIZE: usize = $point::RAW;
                check_length(bytes, digest.points, SIZE)?;
                let (points, _) = bytes.as_chunks::<SIZE>();
                // on the curve is enough: the digest says that they are the points of the file
                let srs = Self::read(points, |bytes| $on_curve(bytes))?;
                if srs.digest() == *digest {
                    Ok(srs)
                } else {
                    Err(SrsError::Digest)
                }
            }

            fn read<const N: usize>(
                bytes: &[[u8; N]],
                read: impl Fn(&[u8; N]) -> Result<$point, PointError> + Sync,
            ) -> Result<Self, SrsError> {
                let points: Vec<$affine> = bytes
                    .par_iter()
                    .enumerate()
                    .map(|(index, bytes)| match read(bytes) {
                        Ok(point) if point.is_identity() => Err(SrsError::Infinity(index)),
                        Ok(point) => Ok(point.0),
                        Err(error) => Err(SrsError::Point { index, error }),
                    })
                    .collect::<Result<_, _>>()?;
                Ok(Self { points })
            }

            /// Points that were computed, none of them at infinity.
            pub(crate) fn from_points(points: Vec<$affine>) -> Self {
                Self { points }
            }

            /// The points in raw form.
            pub fn to_cache(&self) -> Vec<u8> {
                self.points
                    .iter()
                    .flat_map(|point| $point(*point).to_raw())
                    .collect()
            }

            /// The file of compressed points.
            pub fn to_compressed(&self) -> Vec<u8> {
                let points: Vec<[u8; $point::COMPRESSED]> = self
                    .points
                    .par_iter()
                    .map(|point| $point(*point).to_compressed())
                    .collect();
                points.into_flattened()
            }

            /// The digest by which the SRS is known.
            pub fn digest(&self) -> SrsDigest {
                let mut hash = Sha256::new();
                for run in self.points.chunks(RUN) {
                    let points: Vec<[u8; $point::COMPRESSED]> = run
                        .par_iter()
                        .map(|point| $point(*point).to_compressed())
                        .collect();
                    hash.update(points.as_flattened());
                }
                SrsDigest {
                    points: self.points.len(),
                    sha256: hash.finalize().into(),
                }
            }

            /// Number of points.
            pub fn len(&self) -> usize {
                self.points.len()
            }

            /// Whether there is none.
            pub fn is_empty(&self) -> bool {
                self.points.is_empty()
            }

            /// Point `index`.
            pub fn point(&self, index: usize) -> Option<$point> {
                self.points.get(index).copied().map($point)
            }

            /// The sum of the products with the points from `first` on.
            ///
            /// # Errors
            ///
            /// If there are not as many points.
            pub fn sum(&self, first: usize, scalars: &[Scalar]) -> Result<$point, KzgError> {
                let points = first
                    .checked_add(scalars.len())
                    .and_then(|end| self.points.get(first..end))
                    .ok_or(KzgError::SrsTooShort {
                        needed: first.saturating_add(scalars.len()),
                        points: self.points.len(),
                    })?;
                Ok($point(msm::sum(points, scalars).to_affine()))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({} points)", stringify!($name), self.points.len())
            }
        }
    };
}

srs!(
    /// Powers of τ in G1, from the zeroth on.
    G1Srs,
    G1,
    G1Affine,
    g1_on_curve
);
srs!(
    /// Powers of τ in G2: from the zeroth on, or the last of the ceremony.
    G2Srs,
    G2,
    G2Affine,
    g2_on_curve
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trapdoor::Trapdoor;

    #[test]
    fn a_file_counts_by_length_and_digest_and_a_cache_by_the_same_digest() {
        let trapdoor = Trapdoor::new(Scalar::from(77)).unwrap();
        let srs = trapdoor.g1(9);
        let (file, cache, digest) = (srs.to_compressed(), srs.to_cache(), srs.digest());
        assert_eq!(digest.sha256, <[u8; 32]>::from(Sha256::digest(&file)));
        assert_eq!(G1Srs::from_compressed(&file, &digest).unwrap(), srs);
        assert_eq!(G1Srs::from_cache(&cache, &digest).unwrap(), srs);

        let length = SrsError::Length {
            expected: 9 * 32,
            found: 8 * 32,
        };
        assert_eq!(
            G1Srs::from_compressed(&file[..8 * 32], &digest).unwrap_err(),
            length
        );
        let other = Trapdoor::new(Scalar::from(78)).unwrap().g1(9);
        assert_eq!(
            G1Srs::from_compressed(&other.to_compressed(), &digest).unwrap_err(),
            SrsError::Digest
        );
        assert_eq!(
            G1Srs::from_cache(&other.to_cache(), &digest).unwrap_err(),
            SrsError::Digest
        );
        // each byte of the cache counts
        for place in 0..cache.len() {
            let mut changed = cache.clone();
            changed[place] ^= 1;
            assert!(G1Srs::from_cache(&changed, &digest).is_err(), "{place}");
        }

        let srs = trapdoor.g2(3);
        let (file, cache, digest) = (srs.to_compressed(), srs.to_cache(), srs.digest());
        assert_eq!(G2Srs::from_compressed(&file, &digest).unwrap(), srs);
        assert_eq!(G2Srs::from_cache(&cache, &digest).unwrap(), srs);
    }

    #[test]
    fn infinity_is_no_power() {
        let file = [G1::generator(), G1::identity()].map(|point| point.to_compressed());
        let digest = SrsDigest {
            points: 2,
            sha256: Sha256::digest(file.as_flattened()).into(),
        };
        assert_eq!(
            G1Srs::from_compressed(file.as_flattened(), &digest).unwrap_err(),
            SrsError::Infinity(1)
        );
    }
}
