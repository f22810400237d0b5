//! BLS signatures and keys as HotShot's validators have them: signatures in G1, keys in G2.
// spec: espresso 4.2

use crate::tagged::{BlsKeyBytes, BlsSignatureBytes};
use alloy_primitives::{B256, keccak256};
use doppio_bn254::{G1, G2, PointError, Scalar, bls::wide_hash_to_point, pairing_product_is_one};
use halo2curves::ff::Field;
use thiserror::Error;

/// What is signed ends with this.
const SUFFIX: &[u8] = b"BLS_SIG_BN254G1_XMD:KECCAK_NCTH_NUL_";

const LARGER: u8 = 0x80;
const INFINITY: u8 = 0x40;

/// Why bytes are no signature or key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BlsError {
    /// No point, or one of another group.
    #[error(transparent)]
    Point(#[from] PointError),
    /// The flags say other than the coordinates, or the point is the one at infinity.
    #[error("the flags are not those of the coordinates")]
    Flags,
}

/// Reverses each number of 32 bytes, and takes the flags out of the last.
fn numbers<const N: usize>(bytes: &[u8]) -> ([[u8; 32]; N], u8) {
    let mut numbers = [[0; 32]; N];
    for (number, chunk) in numbers.iter_mut().zip(bytes.chunks(32)) {
        for (to, from) in number.iter_mut().zip(chunk.iter().rev()) {
            *to = *from;
        }
    }
    let mut flags = 0;
    if let Some([first, ..]) = numbers.last_mut() {
        flags = *first & (LARGER | INFINITY);
        *first &= !(LARGER | INFINITY);
    }
    (numbers, flags)
}

const fn flags(is_larger: bool) -> u8 {
    if is_larger { LARGER } else { 0 }
}

fn signature_flags(point: &G1) -> u8 {
    flags(point.coordinates()[1] > (-*point).coordinates()[1])
}

fn key_flags(point: &G2) -> u8 {
    // imaginary parts stand first, and count first
    flags(point.coordinates()[1] > (-*point).coordinates()[1])
}

/// Reads a signature.
///
/// # Errors
///
/// If it is not a point of G1 other than infinity, in its one encoding.
pub fn read_signature(bytes: &BlsSignatureBytes) -> Result<G1, BlsError> {
    let ([x, y], flags) = numbers(&bytes.0);
    let point = G1::from_coordinates(&x, &y)?;
    if point.is_identity() || flags != signature_flags(&point) {
        return Err(BlsError::Flags);
    }
    Ok(point)
}

/// Reads a key.
///
/// # Errors
///
/// If it is not a point of G2 other than infinity, in its one encoding.
pub fn read_key(bytes: &BlsKeyBytes) -> Result<G2, BlsError> {
    let ([x0, x1, y0, y1], flags) = numbers(&bytes.0);
    let point = G2::from_coordinates([&x1, &x0], [&y1, &y0])?;
    if point.is_identity() || flags != key_flags(&point) {
        return Err(BlsError::Flags);
    }
    Ok(point)
}

fn write<const N: usize>(numbers: &[[u8; 32]], flags: u8) -> [u8; N] {
    let mut bytes = [0; N];
    for (chunk, number) in bytes.chunks_mut(32).zip(numbers) {
        for (to, from) in chunk.iter_mut().zip(number.iter().rev()) {
            *to = *from;
        }
    }
    if let Some(last) = bytes.last_mut() {
        *last |= flags;
    }
    bytes
}

/// Writes a signature.
pub fn write_signature(point: &G1) -> BlsSignatureBytes {
    BlsSignatureBytes(write(&point.coordinates(), signature_flags(point)))
}

/// Writes a key.
pub fn write_key(point: &G2) -> BlsKeyBytes {
    let [[x1, x0], [y1, y0]] = point.coordinates();
    BlsKeyBytes(write(&[x0, x1, y0, y1], key_flags(point)))
}

/// The 48 bytes into which a message is hashed. Where the standard has zeros of the hash's block,
/// arkworks has 48.
fn expand(message: &[u8]) -> [u8; 48] {
    const ZEROS: [u8; 48] = [0; 48];
    const LENGTH: [u8; 2] = [0, 48];
    const DST: [u8; 2] = [1, 1];
    let first = keccak256([&ZEROS[..], message, SUFFIX, &LENGTH, &[0], &DST].concat());
    let second = keccak256([first.as_slice(), &[1], &DST].concat());
    let mixed: B256 = first ^ second;
    let third = keccak256([mixed.as_slice(), &[2], &DST].concat());
    let mut out = [0; 48];
    for (to, from) in out.iter_mut().zip(second.iter().chain(third.iter())) {
        *to = *from;
    }
    out
}

/// The point that stands for a message.
pub fn hash_to_point(message: &[u8]) -> G1 {
    wide_hash_to_point(&expand(message))
}

/// Whether a signature of a message is that of the key, or the sum of signatures that of the sum of
/// keys.
pub fn verify(key: &G2, message: &[u8], signature: &G1) -> bool {
    !key.is_identity()
        && pairing_product_is_one(&[
            (*signature, -G2::generator()),
            (hash_to_point(message), *key),
        ])
}

/// A secret key, for networks that are made for tests and for development.
#[derive(Clone)]
pub struct SecretKey(Scalar);

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey")
    }
}

impl SecretKey {
    /// The key with this secret; none for zero, under which anybody can sign.
    pub fn new(secret: Scalar) -> Option<Self> {
        (!bool::from(secret.is_zero())).then_some(Self(secret))
    }

    /// The public key.
    pub fn public(&self) -> G2 {
        G2::generator() * self.0
    }

    /// Signs a message.
    pub fn sign(&self, message: &[u8]) -> G1 {
        hash_to_point(message) * self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_have_one_encoding() {
        let key = SecretKey::new(Scalar::from(7)).unwrap();
        let signature = key.sign(b"message");
        let bytes = write_signature(&signature);
        assert_eq!(read_signature(&bytes), Ok(signature));
        let public = write_key(&key.public());
        assert_eq!(read_key(&public), Ok(key.public()));
        for flag in [LARGER, INFINITY] {
            let mut other = bytes;
            other.0[63] ^= flag;
            assert_eq!(read_signature(&other), Err(BlsError::Flags));
            let mut other = public;
            other.0[127] ^= flag;
            assert_eq!(read_key(&other), Err(BlsError::Flags));
        }
        let zeros = BlsSignatureBytes([0; 64]);
        assert_eq!(read_signature(&zeros), Err(BlsError::Flags));
        let mut other = public;
        other.0[0] ^= 1;
        assert_eq!(
            read_key(&other),
            Err(BlsError::Point(PointError::NotOnCurve))
        );
    }

    #[test]
    fn a_signature_is_of_one_message_and_one_key() {
        let [one, two] = [3, 4].map(|n| SecretKey::new(Scalar::from(n)).unwrap());
        let signature = one.sign(b"a");
        assert!(verify(&one.public(), b"a", &signature));
        assert!(!verify(&one.public(), b"b", &signature));
        assert!(!verify(&two.public(), b"a", &signature));
        assert!(!verify(&G2::identity(), b"a", &G1::identity()));
    }
}
