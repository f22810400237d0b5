//! BN254 (alt_bn128) as EigenDA uses it.
//!
//! From the bottom up: [scalars](mod@scalar) and [points](mod@point) with gnark's encodings, where a
//! value of type [`G1`] or [`G2`] *is* on the curve and in the group of order r; [Fourier
//! transforms](Domain); the [structured reference strings](mod@srs) of the ceremony, known by their
//! digests; [KZG commitments](mod@kzg) with EigenDA's proof of a blob's length; [Reed-Solomon
//! frames](mod@reed_solomon) and [their proofs](mod@multiproof); [BLS signatures](mod@bls); and, for
//! networks that live on one machine, a [trapdoor](mod@trapdoor) that makes proofs cheap.
//!
//! Everything is a function of its arguments. Long sums run on all cores, and their result does
//! not depend on how the work is shared out. No randomness is drawn: where a batch needs weights,
//! they are hashed from all that is checked ([`transcript`]).

pub mod bls;
mod domain;
mod fk20;
pub mod kzg;
mod msm;
pub mod multiproof;
mod pairing;
pub mod point;
pub mod reed_solomon;
pub mod scalar;
pub mod srs;
pub mod transcript;
pub mod trapdoor;

pub use domain::{Domain, DomainError};
pub use fk20::Fk20;
pub use msm::msm;
pub use pairing::pairing_product_is_one;
pub use point::{G1, G2, PointError};
pub use scalar::Scalar;
