//! Why a precompile fails, in geth's words.
//!
//! The EVM here only says that it failed. What can be told from the input is told; which of several
//! points is not on its curve is not looked at again.

use alloy_primitives::{Address, U256, uint};
use sha2::{Digest, Sha256};

/// Modulus of the field that the points of bn254 are over.
const BN254: U256 = uint!(0x30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47_U256);
/// Bytes of a pair of points of bn254.
const BN254_PAIR: usize = 192;
/// Bytes that `BLAKE2F` takes.
const BLAKE2F: usize = 213;
/// Bytes that the check of a blob's point takes.
const POINT_EVALUATION: usize = 192;
/// Bytes of an element of the field that BLS12-381 is over; the first 16 are zero.
const BLS_ELEMENT: usize = 64;

/// Why the precompile at `address` does not take an input.
pub(super) fn error(address: Address, input: &[u8]) -> &'static str {
    let number: U256 = address.into_word().into();
    match u64::try_from(number) {
        Ok(0x05) => "one or more of base/exponent/modulus length exceeded 1024 bytes",
        Ok(0x06) => bn254(&padded(input, 128)),
        Ok(0x07) => bn254(&padded(input, 64)),
        Ok(0x08) if !input.len().is_multiple_of(BN254_PAIR) => "bad elliptic curve pairing size",
        Ok(0x08) => match bn254(input) {
            // points that are all right in form may still be too many
            "point is not on curve" if input.len() > 57_600 => {
                "bad elliptic curve pairing input size"
            }
            error => error,
        },
        Ok(0x09) if input.len() != BLAKE2F => "invalid input length",
        Ok(0x09) => "invalid final flag",
        Ok(0x0a) => point_evaluation(input),
        Ok(0x0b..=0x11) => bls(address.0[19], input),
        _ => "precompile failed",
    }
}

/// The first bytes of an input, and zeros for those that are missing.
fn padded(input: &[u8], length: usize) -> Vec<u8> {
    let mut padded = input.get(..length).unwrap_or(input).to_vec();
    padded.resize(length, 0);
    padded
}

fn bn254(points: &[u8]) -> &'static str {
    let mut elements = points.chunks(32).map(U256::from_be_slice);
    if elements.any(|element| element >= BN254) {
        "invalid fp.Element encoding"
    } else {
        "point is not on curve"
    }
}

fn point_evaluation(input: &[u8]) -> &'static str {
    if input.len() != POINT_EVALUATION {
        return "invalid input length";
    }
    let mut hash = Sha256::digest(&input[96..144]);
    hash[0] = 1;
    if hash[..] == input[..32] {
        "error verifying kzg proof"
    } else {
        "mismatched versioned hash"
    }
}

fn bls(number: u8, input: &[u8]) -> &'static str {
    // elements of the field before each scalar, and all in all
    let (elements, item) = match number {
        0x0b => (2, 128),
        0x0c => (2, 160),
        0x0d => (4, 256),
        0x0e => (4, 288),
        0x0f => (6, 384),
        0x10 => (1, 64),
        _ => (2, 128),
    };
    let single = matches!(number, 0x0b | 0x0d | 0x10 | 0x11);
    let count = if matches!(number, 0x0b | 0x0d) { 2 } else { 1 };
    let fits = if single {
        input.len() == item * count
    } else {
        !input.is_empty() && input.len().is_multiple_of(item)
    };
    if !fits {
        return "invalid input length";
    }
    let mut tops = input.chunks(item).flat_map(|item| {
        let elements = item.chunks(BLS_ELEMENT).take(elements);
        elements.map(|element| element.iter().take(16).all(|byte| *byte == 0))
    });
    if tops.all(|zero| zero) {
        "invalid point: not on curve"
    } else {
        "invalid field element top bytes"
    }
}
