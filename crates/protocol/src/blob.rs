//! Data in blobs: encoding version 0.
//!
//! A blob is 4096 field elements of 32 bytes whose top two bits must stay clear. The encoding puts
//! 31 bytes of data below each element's first byte, and spreads three further bytes over the low
//! six bits of the first bytes of four elements: 127 bytes of data in 128.

use thiserror::Error;

/// Bytes of a blob.
pub const BLOB_SIZE: usize = 4096 * 32;
/// Largest data of one blob, in bytes.
// spec: opstack 2.2
pub const MAX_BLOB_DATA_SIZE: usize = ROUNDS * ROUND - HEADER;

const ROUNDS: usize = 1024;
/// Bytes of the stream in each 128 bytes of the blob.
const ROUND: usize = 127;
/// Bytes of version and length, before the data.
const HEADER: usize = 4;
const VERSION: u8 = 0;

/// A blob's bytes.
pub type Blob = [u8; BLOB_SIZE];

/// Why a blob holds no data.
// spec: opstack 2.2
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BlobError {
    /// Not encoding version 0.
    #[error("blob has encoding version {0} instead of 0")]
    Version(u8),
    /// A length beyond what a blob can hold.
    #[error("blob claims {0} bytes of data, more than the {MAX_BLOB_DATA_SIZE} that fit")]
    Length(usize),
    /// One of the top two bits of an element is set.
    #[error("blob's field element at byte {0} has a high bit set")]
    FieldElement(usize),
    /// Something beyond the data is not zero.
    #[error("blob has bytes behind its data that are not zero")]
    Padding,
    /// Too much data to encode.
    #[error("{0} bytes do not fit into a blob of {MAX_BLOB_DATA_SIZE}")]
    TooLarge(usize),
}

/// Reads the data out of a blob.
// spec: opstack 2.2
pub fn decode_blob(blob: &Blob) -> Result<Vec<u8>, BlobError> {
    if blob[1] != VERSION {
        return Err(BlobError::Version(blob[1]));
    }
    let length = usize::from(blob[2]) << 16 | usize::from(blob[3]) << 8 | usize::from(blob[4]);
    if length > MAX_BLOB_DATA_SIZE {
        return Err(BlobError::Length(length));
    }
    // The stream of 127-byte rounds begins with version and length.
    let rounds = (HEADER + length).div_ceil(ROUND);
    let mut data = Vec::with_capacity(rounds * ROUND);
    for (round, input) in blob.chunks_exact(128).take(rounds).enumerate() {
        let output = decode_round(round, input)?;
        data.extend_from_slice(if round == 0 {
            &output[HEADER..]
        } else {
            &output
        });
    }
    if !is_zero(&data[length..]) || !is_zero(&blob[rounds * 128..]) {
        return Err(BlobError::Padding);
    }
    data.truncate(length);
    Ok(data)
}

/// Without an early exit, so that it compiles to wide instructions.
fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().fold(0, |seen, byte| seen | byte) == 0
}

fn decode_round(round: usize, input: &[u8]) -> Result<[u8; ROUND], BlobError> {
    let mut output = [0; ROUND];
    let mut high = [0; 4];
    for (element, bytes) in input.chunks_exact(32).enumerate() {
        // The reference does not look at the high bits of the very first element, so neither may
        // we: a blob that it reads is read.
        if bytes[0] & 0b1100_0000 != 0 && (round, element) != (0, 0) {
            return Err(BlobError::FieldElement(round * 128 + element * 32));
        }
        high[element] = bytes[0];
        output[element * 32..element * 32 + 31].copy_from_slice(&bytes[1..]);
    }
    output[31] = (high[0] & 0x3f) | ((high[1] & 0x30) << 2);
    output[63] = (high[1] & 0x0f) | ((high[3] & 0x0f) << 4);
    output[95] = (high[2] & 0x3f) | ((high[3] & 0x30) << 2);
    Ok(output)
}

/// Writes data into a blob.
// spec: opstack 2.2
pub fn encode_blob(data: &[u8]) -> Result<Box<Blob>, BlobError> {
    if data.len() > MAX_BLOB_DATA_SIZE {
        return Err(BlobError::TooLarge(data.len()));
    }
    let mut blob = Box::new([0; BLOB_SIZE]);
    if data.is_empty() {
        return Ok(blob);
    }
    let mut stream = Vec::with_capacity((data.len() + HEADER).next_multiple_of(ROUND));
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes();
    stream.extend_from_slice(&[VERSION, length[1], length[2], length[3]]);
    stream.extend_from_slice(data);
    stream.resize(stream.len().next_multiple_of(ROUND), 0);
    for (output, input) in blob.chunks_exact_mut(128).zip(stream.chunks_exact(ROUND)) {
        for element in 0..4 {
            output[element * 32 + 1..element * 32 + 32]
                .copy_from_slice(&input[element * 32..element * 32 + 31]);
        }
        let [x, y, z] = [input[31], input[63], input[95]];
        output[0] = x & 0x3f;
        output[32] = (y & 0x0f) | ((x & 0xc0) >> 2);
        output[64] = z & 0x3f;
        output[96] = ((z & 0xc0) >> 2) | ((y & 0xf0) >> 4);
    }
    Ok(blob)
}
