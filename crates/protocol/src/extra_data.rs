//! EIP-1559 parameters: in the SystemConfig, in attributes, and in an L2 header's extra data.
//!
//! `0, 0` in the SystemConfig and in attributes means the execution layer's constants; a header
//! always holds the values that were used.

use crate::config::{ChainConfig, Fork, ForkTimes, Rules};
use alloy_primitives::{B64, Bytes};
use thiserror::Error;

/// Base fee change denominator and elasticity multiplier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Eip1559Params {
    /// Base fee change denominator.
    pub denominator: u32,
    /// Elasticity multiplier.
    pub elasticity: u32,
}

/// Why parameters are not allowed where they stand.
// spec: opstack 3.9, opstack-2026-09 3.9 *1
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ExtraDataError {
    /// Extra data before Holocene.
    #[error("extra data has {0} bytes, but must be empty before Holocene")]
    BeforeHolocene(usize),
    /// Another length than the fork's.
    #[error("extra data has {found} bytes instead of {expected}")]
    Length {
        /// What the fork asks for.
        expected: usize,
        /// What was found.
        found: usize,
    },
    /// Another version than the fork's.
    #[error("extra data has version {0}")]
    Version(u8),
    /// A denominator of 0 that is not allowed.
    #[error("EIP-1559 denominator is 0")]
    ZeroDenominator,
    /// An elasticity of 0 that is not allowed.
    #[error("EIP-1559 elasticity is 0")]
    ZeroElasticity,
}

impl Eip1559Params {
    /// `denominator u32 ‖ elasticity u32`.
    pub const fn from_packed(packed: B64) -> Self {
        let [a, b, c, d, e, f, g, h] = packed.0;
        Self {
            denominator: u32::from_be_bytes([a, b, c, d]),
            elasticity: u32::from_be_bytes([e, f, g, h]),
        }
    }

    /// `denominator u32 ‖ elasticity u32`.
    pub const fn packed(self) -> B64 {
        let [a, b, c, d] = self.denominator.to_be_bytes();
        let [e, f, g, h] = self.elasticity.to_be_bytes();
        B64::new([a, b, c, d, e, f, g, h])
    }

    /// Whether the parameters mean the execution layer's constants.
    pub const fn is_zero(self) -> bool {
        self.denominator == 0 && self.elasticity == 0
    }

    /// Checks parameters of the SystemConfig or of attributes: both zero, or neither.
    // spec: opstack-2026-09 3.9 *1
    pub const fn check_settable(self, rules: &Rules) -> Result<(), ExtraDataError> {
        match (self.denominator, self.elasticity) {
            (0, 0) => Ok(()),
            (0, _) => Err(ExtraDataError::ZeroDenominator),
            (_, 0) if rules.zero_elasticity_refused => Err(ExtraDataError::ZeroElasticity),
            _ => Ok(()),
        }
    }

    /// Checks parameters of a header: neither is zero.
    // spec: opstack-2026-09 3.9 *1
    const fn check_header(self, rules: &Rules) -> Result<(), ExtraDataError> {
        if !rules.zero_elasticity_refused {
            return self.check_settable(rules);
        }
        match (self.denominator, self.elasticity) {
            (0, _) => Err(ExtraDataError::ZeroDenominator),
            (_, 0) => Err(ExtraDataError::ZeroElasticity),
            _ => Ok(()),
        }
    }
}

/// What an L2 header's extra data says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeaderParams {
    /// From Holocene on; before, zero.
    pub eip1559: Eip1559Params,
    /// From Jovian on, in wei; before, 0.
    pub min_base_fee: u64,
}

const HOLOCENE_VERSION: u8 = 0;
const JOVIAN_VERSION: u8 = 1;
const HOLOCENE_LENGTH: usize = 9;
const JOVIAN_LENGTH: usize = 17;

impl HeaderParams {
    /// Decodes the extra data of an L2 header at `time`.
    // spec: opstack 3.9
    pub fn decode(
        chain: &ChainConfig,
        time: u64,
        extra_data: &[u8],
    ) -> Result<Self, ExtraDataError> {
        Self::decode_for(&chain.rollup.forks, &chain.rules, time, extra_data)
    }

    /// The same, for a chain with these forks and rules.
    pub fn decode_for(
        forks: &ForkTimes,
        rules: &Rules,
        time: u64,
        extra_data: &[u8],
    ) -> Result<Self, ExtraDataError> {
        let jovian = forks.active(Fork::Jovian, time);
        if !jovian && !forks.active(Fork::Holocene, time) {
            return match extra_data.len() {
                0 => Ok(Self::default()),
                length => Err(ExtraDataError::BeforeHolocene(length)),
            };
        }
        let (expected, version) = if jovian {
            (JOVIAN_LENGTH, JOVIAN_VERSION)
        } else {
            (HOLOCENE_LENGTH, HOLOCENE_VERSION)
        };
        if extra_data.len() != expected {
            return Err(ExtraDataError::Length {
                expected,
                found: extra_data.len(),
            });
        }
        if extra_data[0] != version {
            return Err(ExtraDataError::Version(extra_data[0]));
        }
        let eip1559 = Eip1559Params::from_packed(B64::from_slice(&extra_data[1..9]));
        eip1559.check_header(rules)?;
        let min_base_fee = extra_data[9..]
            .iter()
            .fold(0, |n, byte| (n << 8) | u64::from(*byte));
        Ok(Self {
            eip1559,
            min_base_fee,
        })
    }

    /// Encodes the extra data of an L2 header at `time`.
    pub fn encode(&self, chain: &ChainConfig, time: u64) -> Bytes {
        self.encode_for(&chain.rollup.forks, time)
    }

    /// The same, for a chain with these forks.
    pub fn encode_for(&self, forks: &ForkTimes, time: u64) -> Bytes {
        let packed = self.eip1559.packed();
        if forks.active(Fork::Jovian, time) {
            [
                &[JOVIAN_VERSION],
                packed.as_slice(),
                &self.min_base_fee.to_be_bytes(),
            ]
            .concat()
            .into()
        } else if forks.active(Fork::Holocene, time) {
            [&[HOLOCENE_VERSION], packed.as_slice()].concat().into()
        } else {
            Bytes::new()
        }
    }
}
