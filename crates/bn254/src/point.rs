//! Points of G1 and G2, and gnark's encodings of them.
//!
//! A value of these types is on the curve and in the group of order r: there is no other way to
//! make one. On G1 every point of the curve is in the group; on G2 most are not, so whatever is read
//! is checked.
//!
//! gnark's compressed form is the big-endian x with two flag bits on top: `10` for the smaller y,
//! `11` for the larger, `01` for the point at infinity. Its raw form is x and y with `00`. For G2 the
//! imaginary part of a coordinate stands first.
// spec: eigenda 2.4

use crate::scalar::Scalar;
use halo2curves::{
    CurveAffine,
    bn256::{Fq, Fq2, G1 as Curve1, G1Affine, G2 as Curve2, G2Affine},
    ff::{Field, PrimeField},
    group::{Curve, Group, prime::PrimeCurveAffine},
};
use std::{
    fmt,
    iter::Sum,
    ops::{Add, Mul, Neg, Sub},
};
use thiserror::Error;

/// Bytes of a coordinate.
const FIELD: usize = 32;
const FLAGS: u8 = 0xc0;
const INFINITY: u8 = 0x40;
const SMALLER: u8 = 0x80;
const LARGER: u8 = 0xc0;

/// Why bytes are no point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PointError {
    /// Another number of bytes than the encoding has.
    #[error("a point has {expected} bytes in this form, not {found}")]
    Length {
        /// What the encoding has.
        expected: usize,
        /// What there is.
        found: usize,
    },
    /// The flag bits are those of another form.
    #[error("the flags of the point are those of another form")]
    Flags,
    /// Infinity, and bits set behind the flag.
    #[error("the point at infinity is followed by something else than zeros")]
    Infinity,
    /// A coordinate that is not below p.
    #[error("a coordinate is not below the modulus")]
    NotCanonical,
    /// No point of the curve has these coordinates.
    #[error("the point is not on the curve")]
    NotOnCurve,
    /// On the curve of G2, but not in the group of order r.
    #[error("the point is not in the group of order r")]
    NotInGroup,
}

/// A point of G1.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct G1(pub(crate) G1Affine);

/// A point of G2.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct G2(pub(crate) G2Affine);

fn field(bytes: &[u8; FIELD]) -> Result<Fq, PointError> {
    let mut little = *bytes;
    little.reverse();
    Fq::from_repr(little.into())
        .into_option()
        .ok_or(PointError::NotCanonical)
}

fn field_bytes(element: &Fq) -> [u8; FIELD] {
    let mut bytes: [u8; FIELD] = element.to_repr().into();
    bytes.reverse();
    bytes
}

fn field2([imaginary, real]: [&[u8; FIELD]; 2]) -> Result<Fq2, PointError> {
    Ok(Fq2::new(field(real)?, field(imaginary)?))
}

/// Splits off the flags of the first byte, and says infinity as far as it is told by flags.
fn flags<const N: usize>(bytes: &[u8; N]) -> Result<(u8, [u8; N]), PointError> {
    let mut rest = *bytes;
    let first = rest.first_mut().ok_or(PointError::Flags)?;
    let flags = *first & FLAGS;
    *first &= !FLAGS;
    if flags == INFINITY && rest.iter().any(|byte| *byte != 0) {
        return Err(PointError::Infinity);
    }
    Ok((flags, rest))
}

fn exact<const N: usize>(bytes: &[u8]) -> Result<&[u8; N], PointError> {
    bytes.try_into().map_err(|_| PointError::Length {
        expected: N,
        found: bytes.len(),
    })
}

/// The one of `y` and `-y` that the flag asks for.
fn choose(flag: u8, y_is_larger: bool) -> Result<bool, PointError> {
    match flag {
        SMALLER => Ok(!y_is_larger),
        LARGER => Ok(y_is_larger),
        _ => Err(PointError::Flags),
    }
}

/// The point of a curve y² = x³ + b with this x, and of its two y the one that the flag asks for.
fn solve<F: Field, L: Into<bool>>(
    (x, b): (F, F),
    flag: u8,
    is_larger: impl Fn(&F) -> L,
) -> Result<(F, F), PointError> {
    let y = (x.square() * x + b).sqrt();
    let y = y.into_option().ok_or(PointError::NotOnCurve)?;
    let is_meant = choose(flag, is_larger(&y).into())?;
    Ok((x, if is_meant { y } else { -y }))
}

/// Puts the flags of a compressed point in front of its x.
fn put_flags(bytes: &mut [u8], is_identity: bool, y_is_larger: bool) {
    let flag = match (is_identity, y_is_larger) {
        (true, _) => INFINITY,
        (false, true) => LARGER,
        (false, false) => SMALLER,
    };
    if let Some(first) = bytes.first_mut() {
        *first |= flag;
    }
}

fn halves<const N: usize>(bytes: &[u8; N]) -> Vec<&[u8; FIELD]> {
    bytes.as_chunks::<FIELD>().0.iter().collect()
}

impl G1 {
    /// Bytes of the compressed form.
    pub const COMPRESSED: usize = FIELD;
    /// Bytes of the raw form.
    pub const RAW: usize = 2 * FIELD;

    /// The generator, (1, 2).
    pub fn generator() -> Self {
        Self(G1Affine::generator())
    }

    /// The point at infinity.
    pub fn identity() -> Self {
        Self(G1Affine::identity())
    }

    /// Whether it is the point at infinity.
    pub fn is_identity(&self) -> bool {
        self.0.is_identity().into()
    }

    /// Reads the compressed form.
    ///
    /// # Errors
    ///
    /// If the length or the flags are those of another form, the coordinate is not below p, or no
    /// point has it.
    pub fn from_compressed(bytes: &[u8]) -> Result<Self, PointError> {
        let (flags, x) = flags(exact::<{ Self::COMPRESSED }>(bytes)?)?;
        if flags == INFINITY {
            return Ok(Self::identity());
        }
        let (x, y) = solve(
            (field(&x)?, G1Affine::b()),
            flags,
            Fq::lexicographically_largest,
        )?;
        Ok(Self(G1Affine { x, y }))
    }

    /// The compressed form.
    pub fn to_compressed(&self) -> [u8; Self::COMPRESSED] {
        let mut bytes = field_bytes(&self.0.x);
        let y_is_larger = self.0.y.lexicographically_largest().into();
        put_flags(&mut bytes, self.is_identity(), y_is_larger);
        bytes
    }

    /// Reads the raw form: x and y; zeros are the point at infinity.
    ///
    /// # Errors
    ///
    /// If the length is another, a coordinate is not below p, or the point is not on the curve.
    pub fn from_raw(bytes: &[u8]) -> Result<Self, PointError> {
        match *halves(exact::<{ Self::RAW }>(bytes)?) {
            [x, y] => Self::from_coordinates(x, y),
            _ => Err(PointError::Flags),
        }
    }

    /// The raw form.
    pub fn to_raw(&self) -> [u8; Self::RAW] {
        let mut bytes = [0; Self::RAW];
        let (x, y) = bytes.split_at_mut(FIELD);
        x.copy_from_slice(&field_bytes(&self.0.x));
        y.copy_from_slice(&field_bytes(&self.0.y));
        bytes
    }

    /// The point with these big-endian coordinates. (0, 0) is the point at infinity, as it is for
    /// the EVM's precompiles.
    ///
    /// # Errors
    ///
    /// If a coordinate is not below p, or the point is not on the curve.
    pub fn from_coordinates(x: &[u8; 32], y: &[u8; 32]) -> Result<Self, PointError> {
        let (x, y) = (field(x)?, field(y)?);
        G1Affine::from_xy(x, y)
            .into_option()
            .map(Self)
            .ok_or(PointError::NotOnCurve)
    }

    /// The big-endian coordinates x and y; zeros for the point at infinity.
    pub fn coordinates(&self) -> [[u8; 32]; 2] {
        [field_bytes(&self.0.x), field_bytes(&self.0.y)]
    }
}

/// The Frobenius endomorphism, carried over to the twist: x is conjugated and multiplied with the
/// first number, y with the second.
fn frobenius(point: Curve2) -> Curve2 {
    const X: Fq2 = Fq2::new(
        Fq::from_raw([
            0x99e3_9557_176f_553d,
            0xb78c_c310_c2c3_330c,
            0x4c0b_ec3c_f559_b143,
            0x2fb3_4798_4f79_11f7,
        ]),
        Fq::from_raw([
            0x1665_d51c_640f_cba2,
            0x32ae_2a1d_0b7c_9dce,
            0x4ba4_cc8b_d75a_0794,
            0x16c9_e550_61eb_ae20,
        ]),
    );
    const Y: Fq2 = Fq2::new(
        Fq::from_raw([
            0xdc54_0146_71a0_135a,
            0xdbaa_e0ed_a9c9_5998,
            0xdc5e_c698_b6e2_f9b9,
            0x063c_f305_489a_f5dc,
        ]),
        Fq::from_raw([
            0x82d3_7f63_2623_b0e3,
            0x2180_7dc9_8fa2_5bd2,
            0x0704_b5a7_ec79_6f2b,
            0x07c0_3cbc_ac41_049a,
        ]),
    );
    let mut image = point;
    image.x.conjugate();
    image.y.conjugate();
    image.z.conjugate();
    image.x *= X;
    image.y *= Y;
    image
}

/// Whether a point of the twist is in the group of order r.
///
/// With u the curve's seed and f the Frobenius endomorphism, the points of the group are those with
/// (u+1)Q + f(uQ) + f²(uQ) = f³(2uQ). (halo2curves has the same test, but prints while it runs.)
fn is_in_group(point: &G2Affine) -> bool {
    const SEED: u64 = halo2curves::bn256::BN_X;
    let whole = point.to_curve();
    let mut multiple = Curve2::identity();
    for bit in (0..64).rev() {
        multiple = multiple.double();
        if SEED >> bit & 1 == 1 {
            multiple += point;
        }
    }
    let first = frobenius(multiple);
    let second = frobenius(first);
    let third = frobenius(second);
    whole + multiple + first + second == third.double()
}

impl G2 {
    /// Bytes of the compressed form.
    pub const COMPRESSED: usize = 2 * FIELD;
    /// Bytes of the raw form.
    pub const RAW: usize = 4 * FIELD;

    /// The generator.
    pub fn generator() -> Self {
        Self(G2Affine::generator())
    }

    /// The point at infinity.
    pub fn identity() -> Self {
        Self(G2Affine::identity())
    }

    /// Whether it is the point at infinity.
    pub fn is_identity(&self) -> bool {
        self.0.is_identity().into()
    }

    /// Reads the compressed form.
    ///
    /// # Errors
    ///
    /// If the length or the flags are those of another form, a coordinate is not below p, no point
    /// has it, or the point is not in the group of order r.
    pub fn from_compressed(bytes: &[u8]) -> Result<Self, PointError> {
        let (flags, x) = flags(exact::<{ Self::COMPRESSED }>(bytes)?)?;
        if flags == INFINITY {
            return Ok(Self::identity());
        }
        let x = match *halves(&x) {
            [imaginary, real] => field2([imaginary, real])?,
            _ => return Err(PointError::Flags),
        };
        let (x, y) = solve((x, G2Affine::b()), flags, Fq2::lexicographically_largest)?;
        Self::in_group(G2Affine { x, y })
    }

    /// The compressed form.
    pub fn to_compressed(&self) -> [u8; Self::COMPRESSED] {
        let mut bytes = [0; Self::COMPRESSED];
        let (imaginary, real) = bytes.split_at_mut(FIELD);
        imaginary.copy_from_slice(&field_bytes(self.0.x.c1()));
        real.copy_from_slice(&field_bytes(self.0.x.c0()));
        let y_is_larger = self.0.y.lexicographically_largest().into();
        put_flags(&mut bytes, self.is_identity(), y_is_larger);
        bytes
    }

    /// Reads the raw form: imaginary and real part of x, then of y; zeros are the point at infinity.
    ///
    /// # Errors
    ///
    /// If the length is another, a coordinate is not below p, the point is not on the curve or not in
    /// the group of order r.
    pub fn from_raw(bytes: &[u8]) -> Result<Self, PointError> {
        match *halves(exact::<{ Self::RAW }>(bytes)?) {
            [x1, x0, y1, y0] => Self::from_coordinates([x1, x0], [y1, y0]),
            _ => Err(PointError::Flags),
        }
    }

    /// The raw form.
    pub fn to_raw(&self) -> [u8; Self::RAW] {
        let mut bytes = [0; Self::RAW];
        let (parts, _) = bytes.as_chunks_mut::<FIELD>();
        for (part, coordinate) in parts.iter_mut().zip(self.coordinates().as_flattened()) {
            *part = *coordinate;
        }
        bytes
    }

    /// The point with these big-endian coordinates, imaginary parts first. Zeros are the point at
    /// infinity, as they are for the EVM's precompiles.
    ///
    /// # Errors
    ///
    /// If a coordinate is not below p, the point is not on the curve or not in the group of order r.
    pub fn from_coordinates(x: [&[u8; 32]; 2], y: [&[u8; 32]; 2]) -> Result<Self, PointError> {
        Self::on_twist(x, y).and_then(Self::in_group)
    }

    fn on_twist(x: [&[u8; 32]; 2], y: [&[u8; 32]; 2]) -> Result<G2Affine, PointError> {
        G2Affine::from_xy(field2(x)?, field2(y)?)
            .into_option()
            .ok_or(PointError::NotOnCurve)
    }

    /// The big-endian coordinates x and y, imaginary parts first; zeros for the point at infinity.
    pub fn coordinates(&self) -> [[[u8; 32]; 2]; 2] {
        [self.0.x, self.0.y].map(|c| [field_bytes(c.c1()), field_bytes(c.c0())])
    }

    fn in_group(point: G2Affine) -> Result<Self, PointError> {
        if is_in_group(&point) {
            Ok(Self(point))
        } else {
            Err(PointError::NotInGroup)
        }
    }
}

/// Reads a raw point of G1 for a cache.
pub(crate) fn g1_on_curve(bytes: &[u8; G1::RAW]) -> Result<G1, PointError> {
    G1::from_raw(bytes)
}

/// Reads a raw point of the twist, of which the caller knows that it is in the group.
pub(crate) fn g2_on_curve(bytes: &[u8; G2::RAW]) -> Result<G2, PointError> {
    match *halves(bytes) {
        [x1, x0, y1, y0] => G2::on_twist([x1, x0], [y1, y0]).map(G2),
        _ => Err(PointError::Flags),
    }
}

macro_rules! group_operations {
    ($point:ident, $curve:ident) => {
        impl Add for $point {
            type Output = Self;

            fn add(self, other: Self) -> Self {
                Self((self.0 + other.0).to_affine())
            }
        }

        impl Sub for $point {
            type Output = Self;

            fn sub(self, other: Self) -> Self {
                Self((self.0 - other.0).to_affine())
            }
        }

        impl Neg for $point {
            type Output = Self;

            fn neg(self) -> Self {
                Self(-self.0)
            }
        }

        impl Mul<Scalar> for $point {
            type Output = Self;

            fn mul(self, scalar: Scalar) -> Self {
                Self((self.0 * scalar).to_affine())
            }
        }

        impl Sum for $point {
            fn sum<I: Iterator<Item = Self>>(points: I) -> Self {
                let sum = points.fold($curve::identity(), |sum, point| sum + point.0);
                Self(sum.to_affine())
            }
        }

        impl fmt::Debug for $point {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($point), "("))?;
                for byte in self.to_compressed() {
                    write!(f, "{byte:02x}")?;
                }
                f.write_str(")")
            }
        }
    };
}

group_operations!(G1, Curve1);
group_operations!(G2, Curve2);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A point of the twist, in the group or (nearly always) not.
    fn twist_point(mut seed: u64) -> G2Affine {
        loop {
            let x = Fq2::new(Fq::from(seed), Fq::from(seed ^ 0x5555));
            if let Some(y) = (x.square() * x + G2Affine::b()).sqrt().into_option() {
                return G2Affine { x, y };
            }
            seed += 1;
        }
    }

    /// r times the point, by doubling and adding.
    fn times_order(point: G2Affine) -> Curve2 {
        let minus_one = -Scalar::ONE;
        point * minus_one + point
    }

    proptest! {
        #[test]
        fn the_group_test_agrees_with_multiplication_by_r(seed in 1u64..1 << 40, scalar in any::<u64>()) {
            let outside = twist_point(seed);
            let by_order: bool = times_order(outside).is_identity().into();
            prop_assert_eq!(is_in_group(&outside), by_order);
            let inside = G2::generator() * Scalar::from(scalar);
            prop_assert!(is_in_group(&inside.0));
        }

        #[test]
        fn a_point_outside_the_group_is_refused_in_every_form(seed in 1u64..1 << 40) {
            let outside = G2(twist_point(seed));
            prop_assume!(!is_in_group(&outside.0));
            prop_assert_eq!(G2::from_compressed(&outside.to_compressed()), Err(PointError::NotInGroup));
            prop_assert_eq!(G2::from_raw(&outside.to_raw()), Err(PointError::NotInGroup));
        }

        #[test]
        fn points_are_read_back_from_every_form(scalar in any::<u64>()) {
            let (p, q) = (G1::generator() * Scalar::from(scalar), G2::generator() * Scalar::from(scalar));
            prop_assert_eq!(G1::from_compressed(&p.to_compressed()), Ok(p));
            prop_assert_eq!(G1::from_raw(&p.to_raw()), Ok(p));
            prop_assert_eq!(G2::from_compressed(&q.to_compressed()), Ok(q));
            prop_assert_eq!(G2::from_raw(&q.to_raw()), Ok(q));
            prop_assert_eq!(G1::from_compressed(&(-p).to_compressed()), Ok(-p));
            prop_assert_eq!(G2::from_compressed(&(-q).to_compressed()), Ok(-q));
        }

        #[test]
        fn what_is_accepted_is_written_back_unchanged(bytes in any::<[u8; 64]>()) {
            let (first, _) = bytes.split_at(32);
            if let Ok(point) = G1::from_compressed(first) {
                prop_assert_eq!(&point.to_compressed()[..], first);
            }
            if let Ok(point) = G1::from_raw(&bytes) {
                prop_assert_eq!(point.to_raw(), bytes);
            }
            if let Ok(point) = G2::from_compressed(&bytes) {
                prop_assert_eq!(point.to_compressed(), bytes);
            }
        }
    }

    #[test]
    fn infinity_has_one_encoding() {
        let mut bytes = [0; 32];
        bytes[0] = 0x40;
        assert_eq!(G1::identity().to_compressed(), bytes);
        assert_eq!(G1::from_compressed(&bytes), Ok(G1::identity()));
        bytes[31] = 1;
        assert_eq!(G1::from_compressed(&bytes), Err(PointError::Infinity));
        assert_eq!(G1::from_raw(&[0; 64]), Ok(G1::identity()));
        assert_eq!(G2::from_raw(&[0; 128]), Ok(G2::identity()));
        // a raw form cannot carry the flag
        let mut raw = [0; 64];
        raw[0] = 0x40;
        assert_eq!(G1::from_raw(&raw), Err(PointError::NotCanonical));
    }

    #[test]
    fn other_lengths_flags_coordinates_and_points_off_the_curve_are_refused() {
        let generator = G1::generator().to_compressed();
        assert_eq!(
            G1::from_compressed(&generator[..31]),
            Err(PointError::Length {
                expected: 32,
                found: 31
            })
        );
        let mut uncompressed_flag = generator;
        uncompressed_flag[0] &= 0x3f;
        assert_eq!(
            G1::from_compressed(&uncompressed_flag),
            Err(PointError::Flags)
        );
        let mut too_large = [0xff; 32];
        too_large[0] = 0xbf;
        assert_eq!(
            G1::from_compressed(&too_large),
            Err(PointError::NotCanonical)
        );
        // x = 0 has y² = 3, and 3 is no square modulo p
        let mut no_root = [0; 32];
        no_root[0] = 0x80;
        assert_eq!(G1::from_compressed(&no_root), Err(PointError::NotOnCurve));
        let mut off = G1::generator().to_raw();
        off[63] = 3;
        assert_eq!(G1::from_raw(&off), Err(PointError::NotOnCurve));
        let mut off = G2::generator().to_raw();
        off[127] ^= 1;
        assert_eq!(G2::from_raw(&off), Err(PointError::NotOnCurve));
    }
}
