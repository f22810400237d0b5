//! The ceremony's files on disk.
//!
//! [`bring`] downloads a file that is known by its digest. It asks for it in pieces and keeps them under
//! another name, so that a download that broke off goes on where it was; the file has its own name only
//! once its digest is the right one. [`g1`] and [`g2`] read such a file, and keep a cache beside it that
//! needs no square roots; the cache, too, counts by that digest alone (`doppio-bn254`).
//!
//! Nothing of a server is believed: whoever serves the file, a wrong byte in it ends the download.
// spec: eigenda 2.6

mod cache;
mod download;

pub use cache::{ReadError, g1, g2};
pub use download::{BringError, Patience, bring};

use doppio_bn254::{
    G1, G2,
    srs::{SrsDigest, ceremony},
};

/// Where EigenDA serves the files.
pub const UPSTREAM: &str = "https://srs-mainnet.s3.amazonaws.com/kzg";

/// A file of compressed points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SrsFile {
    /// Its name, on the server and on disk.
    pub name: &'static str,
    /// By what it counts.
    pub digest: SrsDigest,
    /// Bytes of a point.
    pub point: usize,
}

impl SrsFile {
    /// Bytes of the file.
    pub const fn bytes(&self) -> u64 {
        (self.digest.points as u64).saturating_mul(self.point as u64)
    }
}

/// The ceremony's powers in G1, for blobs of up to 16 MiB: whoever reads or verifies needs them.
pub const CEREMONY_G1: SrsFile = SrsFile {
    name: "g1.point",
    digest: ceremony::G1,
    point: G1::COMPRESSED,
};
/// The ceremony's first powers in G2: whoever disperses needs them.
pub const CEREMONY_G2: SrsFile = SrsFile {
    name: "g2.point",
    digest: ceremony::G2,
    point: G2::COMPRESSED,
};
/// The ceremony's last powers in G2: whoever disperses needs them.
pub const CEREMONY_G2_TRAILING: SrsFile = SrsFile {
    name: "g2.trailing.point",
    digest: ceremony::G2_TRAILING,
    point: G2::COMPRESSED,
};
