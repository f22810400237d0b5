//! Frames as relays and validators send them.
// spec: eigenda 7.4

use doppio_bn254::{
    G1, PointError, Scalar,
    scalar::{self, SCALAR_BYTES, ScalarError},
};
use thiserror::Error;

/// What says that a bundle holds frames of this format.
const FORMAT: u64 = 1;
/// Where the format stands in a bundle's header.
const FORMAT_SHIFT: u32 = 56;

/// One chunk of a blob, and the proof that it is of the blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The proof.
    pub proof: G1,
    /// Coefficients of the chunk's polynomial.
    pub coefficients: Vec<Scalar>,
}

/// Why bytes are no frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameBytesError {
    /// Another number of bytes than the frames have.
    #[error("{found} bytes are no frames of {chunk_length} symbols")]
    Length {
        /// Symbols that a frame must have.
        chunk_length: usize,
        /// Bytes there.
        found: usize,
    },
    /// A bundle in another format.
    #[error("bundle format {0} is unknown")]
    Format(u64),
    /// A bundle of frames of another length.
    #[error("the bundle has frames of {found} symbols instead of {expected}")]
    ChunkLength {
        /// Symbols that a frame must have.
        expected: usize,
        /// Symbols that the bundle claims.
        found: u64,
    },
    /// A proof that is no point.
    #[error("the proof is no point: {0}")]
    Proof(#[from] PointError),
    /// A coefficient that is not below the modulus.
    #[error(transparent)]
    Scalar(#[from] ScalarError),
}

const fn bytes_of(chunk_length: usize) -> usize {
    chunk_length
        .saturating_mul(SCALAR_BYTES)
        .saturating_add(G1::COMPRESSED)
}

impl Frame {
    /// Reads one frame of `chunk_length` symbols.
    ///
    /// # Errors
    ///
    /// If the length is another, or what should be a point or a field element is none.
    pub fn read(bytes: &[u8], chunk_length: usize) -> Result<Self, FrameBytesError> {
        if bytes.len() != bytes_of(chunk_length) {
            return Err(FrameBytesError::Length {
                chunk_length,
                found: bytes.len(),
            });
        }
        let (proof, coefficients) = bytes.split_at(G1::COMPRESSED);
        Ok(Self {
            coefficients: scalar::read_all(coefficients)?,
            proof: G1::from_compressed(proof)?,
        })
    }

    /// The bytes of the frame.
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = self.proof.to_compressed().to_vec();
        bytes.extend(scalar::write_all(&self.coefficients));
        bytes
    }
}

/// Reads a bundle of frames of `chunk_length` symbols.
///
/// # Errors
///
/// If the bundle is in another format, of other frames, or a frame is malformed.
pub fn read_bundle(bytes: &[u8], chunk_length: usize) -> Result<Vec<Frame>, FrameBytesError> {
    let length = FrameBytesError::Length {
        chunk_length,
        found: bytes.len(),
    };
    let (header, frames) = bytes.split_first_chunk::<8>().ok_or(length)?;
    let header = u64::from_le_bytes(*header);
    if header >> FORMAT_SHIFT != FORMAT {
        return Err(FrameBytesError::Format(header >> FORMAT_SHIFT));
    }
    let claimed = header & ((1 << FORMAT_SHIFT) - 1);
    if claimed != chunk_length as u64 {
        return Err(FrameBytesError::ChunkLength {
            expected: chunk_length,
            found: claimed,
        });
    }
    let frames = frames.chunks_exact(bytes_of(chunk_length));
    if !frames.remainder().is_empty() {
        return Err(length);
    }
    frames
        .map(|frame| Frame::read(frame, chunk_length))
        .collect()
}

/// The bundle of frames that all have `chunk_length` symbols.
pub fn write_bundle(frames: &[Frame], chunk_length: usize) -> Vec<u8> {
    let header = FORMAT << FORMAT_SHIFT | chunk_length as u64;
    let mut bytes = header.to_le_bytes().to_vec();
    for frame in frames {
        bytes.extend(frame.write());
    }
    bytes
}
