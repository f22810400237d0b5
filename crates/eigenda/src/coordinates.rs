//! Points as certificates carry them: numbers, which may or may not be the coordinates of a point.

use alloy_primitives::U256;
use doppio_bn254::{G1, G2, PointError};

/// What should be a point of G1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct G1Coordinates {
    /// x.
    pub x: U256,
    /// y.
    pub y: U256,
}

/// What should be a point of G2. The imaginary part of a coordinate stands first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct G2Coordinates {
    /// x.
    pub x: [U256; 2],
    /// y.
    pub y: [U256; 2],
}

impl G1Coordinates {
    /// The point. (0, 0) is the point at infinity.
    ///
    /// # Errors
    ///
    /// If a number is not below the modulus, or no point has these coordinates.
    pub fn point(&self) -> Result<G1, PointError> {
        G1::from_coordinates(&self.x.to_be_bytes(), &self.y.to_be_bytes())
    }

    /// The coordinates of a point.
    pub fn of(point: &G1) -> Self {
        let [x, y] = point.coordinates().map(U256::from_be_bytes);
        Self { x, y }
    }
}

impl G2Coordinates {
    /// The point. Zeros are the point at infinity.
    ///
    /// # Errors
    ///
    /// If a number is not below the modulus, no point has these coordinates, or it is not in the
    /// group of order r.
    pub fn point(&self) -> Result<G2, PointError> {
        let [x, y] = [self.x, self.y].map(|c| c.map(|part| part.to_be_bytes::<32>()));
        let ([x1, x0], [y1, y0]) = (&x, &y);
        G2::from_coordinates([x1, x0], [y1, y0])
    }

    /// The coordinates of a point.
    pub fn of(point: &G2) -> Self {
        let [x, y] = point.coordinates().map(|c| c.map(U256::from_be_bytes));
        Self { x, y }
    }
}
