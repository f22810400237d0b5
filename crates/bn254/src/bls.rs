//! BLS signatures as EigenDA's operators make them: a signature is a point of G1, a key has a point
//! in both groups.
// spec: eigenda 3.7

use crate::{G1, G2, Scalar, pairing_product_is_one};
use halo2curves::{
    CurveAffine,
    bn256::{Fq, G1Affine},
    ff::{Field, FromUniformBytes},
};

/// A secret key.
#[derive(Clone)]
pub struct SecretKey(Scalar);

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey")
    }
}

/// A public key, in both groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// The generator of G1 times the secret.
    pub g1: G1,
    /// The generator of G2 times the secret.
    pub g2: G2,
}

impl SecretKey {
    /// The key with this secret; none for zero, under which anybody can sign.
    pub fn new(secret: Scalar) -> Option<Self> {
        (!bool::from(secret.is_zero())).then_some(Self(secret))
    }

    /// The public key.
    pub fn public(&self) -> PublicKey {
        PublicKey {
            g1: G1::generator() * self.0,
            g2: G2::generator() * self.0,
        }
    }

    /// Signs a hash.
    pub fn sign(&self, hash: &[u8; 32]) -> G1 {
        hash_to_point(hash) * self.0
    }
}

/// The point of G1 that stands for a hash: the first x from the hash modulo p upwards that a point
/// has, and of its two y the one that is a power of the square.
pub fn hash_to_point(hash: &[u8; 32]) -> G1 {
    G1(first_point(hash))
}

/// The point of G1 that stands for 48 hashed bytes, as jellyfish has it: the first x from the number
/// modulo p upwards that a point has, and of its two y the smaller.
// spec: espresso 4.2
pub fn wide_hash_to_point(hash: &[u8; 48]) -> G1 {
    let point = first_point(hash);
    if point.y.lexicographically_largest().into() {
        G1(-point)
    } else {
        G1(point)
    }
}

/// The first point from the big-endian number modulo p upwards.
fn first_point(number: &[u8]) -> G1Affine {
    let mut little = [0; 64];
    for (to, from) in little.iter_mut().zip(number.iter().rev()) {
        *to = *from;
    }
    let mut x = Fq::from_uniform_bytes(&little);
    loop {
        // half of all x have a point, so this ends soon
        if let Some(y) = (x.square() * x + G1Affine::b()).sqrt().into_option() {
            return G1Affine { x, y };
        }
        x += Fq::ONE;
    }
}

/// Whether a signature of a hash is that of the key. The point at infinity is nobody's key.
pub fn verify(key: &G2, hash: &[u8; 32], signature: &G1) -> bool {
    !key.is_identity()
        && pairing_product_is_one(&[(*signature, -G2::generator()), (hash_to_point(hash), *key)])
}

/// Whether a signature is that of the key, and the key's two points have the same secret; both in
/// one equation, whose weight must be hashed from all points and the hash. Points at infinity count
/// as they do for the EVM's precompile: this is the verifier contract's equation.
// spec: eigenda 5.1
pub fn verify_with_both(key: &PublicKey, hash: &[u8; 32], signature: &G1, weight: Scalar) -> bool {
    pairing_product_is_one(&[
        (*signature + key.g1 * weight, -G2::generator()),
        (hash_to_point(hash) + G1::generator() * weight, key.g2),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: u64) -> SecretKey {
        SecretKey::new(Scalar::from(secret)).unwrap()
    }

    #[test]
    fn a_signature_is_good_for_its_hash_and_key_only() {
        let hash = [7; 32];
        let signature = key(5).sign(&hash);
        assert!(verify(&key(5).public().g2, &hash, &signature));
        assert!(!verify(&key(6).public().g2, &hash, &signature));
        assert!(!verify(&key(5).public().g2, &[8; 32], &signature));
        assert!(!verify(&key(5).public().g2, &hash, &-signature));
        assert!(!verify(&key(5).public().g2, &hash, &G1::identity()));
    }

    #[test]
    fn signatures_and_keys_add_up() {
        let hash = [9; 32];
        let keys = [key(3), key(4), key(11)];
        let signature: G1 = keys.iter().map(|key| key.sign(&hash)).sum();
        let sum = PublicKey {
            g1: keys.iter().map(|key| key.public().g1).sum(),
            g2: keys.iter().map(|key| key.public().g2).sum(),
        };
        let weight = Scalar::from(12345);
        assert!(verify(&sum.g2, &hash, &signature));
        assert!(verify_with_both(&sum, &hash, &signature, weight));
        let other = PublicKey {
            g1: sum.g1 + G1::generator(),
            ..sum
        };
        assert!(!verify_with_both(&other, &hash, &signature, weight));
    }

    #[test]
    fn nobody_has_the_key_zero() {
        assert!(SecretKey::new(Scalar::ZERO).is_none());
        assert!(!verify(&G2::identity(), &[1; 32], &G1::identity()));
    }
}
