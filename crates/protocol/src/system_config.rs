//! The SystemConfig: what the chain's owner may change on L1 while the chain runs.
//!
//! It lives in three places, none of which holds all of it: rollup.json at genesis, the log of
//! updates on L1, and every L2 block, in its L1 info and header. Derivation rebuilds it from the
//! parent L2 block each time, so what a block does not carry is forgotten, and the rebuilt values
//! are those the block had in effect, not those that were set.

use crate::{
    config::{ChainConfig, Fork},
    extra_data::{Eip1559Params, ExtraDataError, HeaderParams},
    l1::L1Block,
    l1_info::L1BlockInfo,
    upgrades,
};
use alloy_primitives::{Address, B64, B256, Log, U256, b256};
use serde::{Deserialize, Deserializer, Serialize, de};
use thiserror::Error;

/// The system configuration.
///
/// The JSON form is op-node's; kona's unpacked forms are read too.
// spec: opstack 1.1
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SystemConfig {
    /// Who may send batches, under the sender rule.
    #[serde(rename = "batcherAddr")]
    pub batcher: Address,
    /// Bedrock's fee overhead.
    pub overhead: B256,
    /// Fee scalars: Bedrock's one number, or from Ecotone `01 ‖ 0… ‖ blob u32 ‖ base u32`.
    pub scalar: B256,
    /// Gas limit of L2 blocks.
    pub gas_limit: u64,
    /// `denominator u32 ‖ elasticity u32`; 0 means the execution layer's constants.
    #[serde(rename = "eip1559Params")]
    pub eip1559_params: B64,
    /// Bytes 20 to 24: scalar u32, then constant u64.
    pub operator_fee_params: B256,
    /// Floor of the base fee, in wei.
    pub min_base_fee: u64,
    /// Gas per estimated byte of L1 data; 0 means 400.
    pub da_footprint_gas_scalar: u16,
}

/// Scalars of the L1 fee from Ecotone on, in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EcotoneScalars {
    /// Of the base fee.
    pub base_fee: u32,
    /// Of the blob base fee.
    pub blob_base_fee: u32,
}

/// The scalar of a SystemConfig has a version that Ecotone does not know.
///
/// An update to such a scalar is ignored, so only a wrong genesis can lead here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the SystemConfig's fee scalar {0} has an unknown version; its genesis value is wrong")]
pub struct ScalarError(pub B256);

/// What is wrong with a packed scalar.
enum ScalarDefect {
    BedrockPadding,
    Other,
}

fn check_ecotone_scalar(scalar: &B256) -> Result<(), ScalarDefect> {
    let zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
    match scalar[0] {
        0 if !zero(&scalar[1..28]) => Err(ScalarDefect::BedrockPadding),
        0 => Ok(()),
        1 if zero(&scalar[1..24]) => Ok(()),
        _ => Err(ScalarDefect::Other),
    }
}

fn be_u32(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .take(4)
        .fold(0, |n, byte| (n << 8) | u32::from(*byte))
}

fn be_u64(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .take(8)
        .fold(0, |n, byte| (n << 8) | u64::from(*byte))
}

impl SystemConfig {
    /// The scalars that Ecotone's L1 info carries.
    // spec: opstack 3.9
    pub fn ecotone_scalars(&self) -> Result<EcotoneScalars, ScalarError> {
        match check_ecotone_scalar(&self.scalar) {
            Ok(()) => Ok(EcotoneScalars {
                base_fee: be_u32(&self.scalar[28..]),
                blob_base_fee: if self.scalar[0] == 1 {
                    be_u32(&self.scalar[24..28])
                } else {
                    0
                },
            }),
            Err(ScalarDefect::BedrockPadding) => Ok(EcotoneScalars {
                base_fee: u32::MAX,
                blob_base_fee: 0,
            }),
            Err(ScalarDefect::Other) => Err(ScalarError(self.scalar)),
        }
    }

    /// Scalar and constant of the operator fee.
    pub fn operator_fee(&self) -> (u32, u64) {
        (
            be_u32(&self.operator_fee_params[20..24]),
            be_u64(&self.operator_fee_params[24..]),
        )
    }

    /// The EIP-1559 parameters as set.
    pub fn eip1559(&self) -> Eip1559Params {
        Eip1559Params::from_packed(self.eip1559_params)
    }

    /// Rebuilds the configuration from an L2 block that is not genesis.
    // spec: opstack 3.9
    pub fn from_l2_block(
        chain: &ChainConfig,
        time: u64,
        gas_limit: u64,
        extra_data: &[u8],
        info: &L1BlockInfo,
    ) -> Result<Self, L2ConfigError> {
        let mut scalar = info.l1_fee_scalar;
        if chain.active_after_activation_block(Fork::Ecotone, time) {
            // whether the scalar was set in version 0 or 1 is lost, and makes no difference
            scalar[0] = 1;
            scalar[24..28].copy_from_slice(&info.blob_base_fee_scalar.to_be_bytes());
            scalar[28..].copy_from_slice(&info.base_fee_scalar.to_be_bytes());
        }
        // spec: opstack 0.3 *6, opstack-2026-09 0 *6
        let strip = upgrades::gas_to_strip(chain, time);
        let gas_limit =
            gas_limit
                .checked_sub(strip)
                .ok_or(L2ConfigError::GasLimitBelowUpgrade {
                    gas_limit,
                    upgrade: strip,
                })?;
        let header = HeaderParams::decode(chain, time, extra_data)?;
        let mut config = Self {
            batcher: info.batcher,
            overhead: info.l1_fee_overhead,
            scalar,
            gas_limit,
            eip1559_params: header.eip1559.packed(),
            ..Self::default()
        };
        if chain.active(Fork::Isthmus, time) {
            config.operator_fee_params[20..24]
                .copy_from_slice(&info.operator_fee_scalar.to_be_bytes());
            config.operator_fee_params[24..]
                .copy_from_slice(&info.operator_fee_constant.to_be_bytes());
        }
        if chain.active(Fork::Jovian, time) {
            config.min_base_fee = header.min_base_fee;
            config.da_footprint_gas_scalar = info.da_footprint_gas_scalar;
        }
        Ok(config)
    }

    /// Applies the updates in an L1 block's logs, each by itself; those that are malformed change
    /// nothing and are returned.
    // spec: opstack 3.9, opstack 3.2
    pub fn apply_l1_block(&mut self, chain: &ChainConfig, block: &L1Block) -> Vec<RefusedUpdate> {
        let mut refused = Vec::new();
        for (log_index, log) in block.logs() {
            if log.address != chain.rollup.l1_system_config_address
                || log.topics().first() != Some(&CONFIG_UPDATE)
            {
                continue;
            }
            if let Err(error) = self.apply_log(chain, log, block.header.timestamp) {
                refused.push(RefusedUpdate { log_index, error });
            }
        }
        refused
    }

    /// Applies one `ConfigUpdate` log of an L1 block at `l1_time`. On an error nothing changes.
    // spec: opstack 3.9
    pub fn apply_log(
        &mut self,
        chain: &ChainConfig,
        log: &Log,
        l1_time: u64,
    ) -> Result<(), ConfigUpdateError> {
        let update = ConfigUpdate::decode(chain, log)?;
        match update {
            ConfigUpdate::Batcher(batcher) => self.batcher = batcher,
            // spec: opstack 3.9 |2, opstack-2026-09 3.9 *2
            ConfigUpdate::FeeScalars { overhead, scalar } => {
                if !chain.active(Fork::Ecotone, l1_time) {
                    self.overhead = overhead;
                    self.scalar = scalar;
                } else if check_ecotone_scalar(&scalar).is_ok() {
                    self.overhead = B256::ZERO;
                    self.scalar = scalar;
                }
            }
            ConfigUpdate::GasLimit(gas_limit) => self.gas_limit = gas_limit,
            ConfigUpdate::UnsafeBlockSigner => {}
            ConfigUpdate::Eip1559Params(params) => self.eip1559_params = params.packed(),
            ConfigUpdate::OperatorFee(params) => self.operator_fee_params = params,
            ConfigUpdate::MinBaseFee(fee) => self.min_base_fee = fee,
            ConfigUpdate::DaFootprintGasScalar(scalar) => self.da_footprint_gas_scalar = scalar,
        }
        Ok(())
    }
}

/// Why an L2 block does not give a system configuration.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum L2ConfigError {
    /// The header's extra data breaks its fork's rule.
    #[error(transparent)]
    ExtraData(#[from] ExtraDataError),
    /// An activation block without the gas that its upgrade needs.
    #[error("the activation block's gas limit {gas_limit} is below its upgrade gas {upgrade}")]
    GasLimitBelowUpgrade {
        /// The header's gas limit.
        gas_limit: u64,
        /// Gas of the fork's upgrade transactions.
        upgrade: u64,
    },
}

/// Topic 0 of `ConfigUpdate(uint256,uint8,bytes)`.
// spec: opstack 3.9
pub const CONFIG_UPDATE: B256 =
    b256!("1d2b0bda21d56b8bd12d4f94ebacffdfb35f5e226f84b461103bb8beab6353be");

/// A malformed update and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusedUpdate {
    /// Index of the log among all logs of the L1 block.
    pub log_index: u64,
    /// What is wrong with it.
    pub error: ConfigUpdateError,
}

/// An update of the system configuration.
// spec: opstack 3.9 |1 |2 |3 |4 |5 |6 |7 |8
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigUpdate {
    /// Type 0.
    Batcher(Address),
    /// Type 1.
    FeeScalars {
        /// Bedrock's overhead.
        overhead: B256,
        /// The scalar, packed.
        scalar: B256,
    },
    /// Type 2.
    GasLimit(u64),
    /// Type 3: concerns gossip, not derivation.
    UnsafeBlockSigner,
    /// Type 4.
    Eip1559Params(Eip1559Params),
    /// Type 5: packed as in [`SystemConfig::operator_fee_params`].
    OperatorFee(B256),
    /// Type 6.
    MinBaseFee(u64),
    /// Type 7.
    DaFootprintGasScalar(u16),
}

/// Why a log is no update. It changes nothing.
// spec: opstack 3.9
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ConfigUpdateError {
    /// Not three topics.
    #[error("ConfigUpdate log has {0} topics instead of 3")]
    Topics(usize),
    /// Another event.
    #[error("log is not ConfigUpdate")]
    Event,
    /// A version that is not 0.
    #[error("ConfigUpdate log has an unknown version")]
    Version,
    /// A type that is not 0 to 7.
    #[error("ConfigUpdate log has an unknown type {0}")]
    Type(B256),
    /// The data is not `abi.encode(bytes)` of the type's length, and nothing more.
    #[error("ConfigUpdate log has {0} that does not fit its type")]
    Data(&'static str),
    /// EIP-1559 parameters that no chain may have.
    #[error("ConfigUpdate log sets EIP-1559 parameters that are not allowed: {0}")]
    Eip1559(#[from] ExtraDataError),
}

impl ConfigUpdate {
    /// Decodes a `ConfigUpdate` log.
    // spec: opstack 3.9 |1 |2 |3 |4 |5 |6 |7 |8 |9, opstack-2026-09 3.9 *1
    pub fn decode(chain: &ChainConfig, log: &Log) -> Result<Self, ConfigUpdateError> {
        let [event, version, update_type] = log.topics() else {
            return Err(ConfigUpdateError::Topics(log.topics().len()));
        };
        if *event != CONFIG_UPDATE {
            return Err(ConfigUpdateError::Event);
        }
        if !version.is_zero() {
            return Err(ConfigUpdateError::Version);
        }
        let data = &log.data.data;
        match u64::try_from(U256::from_be_bytes(update_type.0)) {
            Ok(0) => Ok(Self::Batcher(address(&word(data)?)?)),
            Ok(1) => {
                let [overhead, scalar] = words(data)?;
                Ok(Self::FeeScalars { overhead, scalar })
            }
            Ok(2) => Ok(Self::GasLimit(number(&word(data)?, "a gas limit")?)),
            Ok(3) => Ok(Self::UnsafeBlockSigner),
            Ok(4) => {
                let params = Eip1559Params::from_packed(B64::from_slice(&word(data)?[24..]));
                params.check_settable(&chain.rules)?;
                Ok(Self::Eip1559Params(params))
            }
            Ok(5) => Ok(Self::OperatorFee(word(data)?)),
            Ok(6) => Ok(Self::MinBaseFee(number(
                &word(data)?,
                "a minimum base fee",
            )?)),
            Ok(7) => Ok(Self::DaFootprintGasScalar(number(
                &word(data)?,
                "a DA footprint gas scalar",
            )?)),
            _ => Err(ConfigUpdateError::Type(*update_type)),
        }
    }
}

/// The `N` words inside `abi.encode(bytes)`; no other bytes may follow.
fn words<const N: usize>(data: &[u8]) -> Result<[B256; N], ConfigUpdateError> {
    let (words, []) = data.as_chunks::<32>() else {
        return Err(ConfigUpdateError::Data("a data length"));
    };
    let [pointer, length, payload @ ..] = words else {
        return Err(ConfigUpdateError::Data("a data length"));
    };
    if U256::from_be_bytes(*pointer) != U256::from(32) {
        return Err(ConfigUpdateError::Data("a pointer"));
    }
    if U256::from_be_bytes(*length) != U256::from(32 * N) {
        return Err(ConfigUpdateError::Data("a length"));
    }
    let payload = <&[[u8; 32]; N]>::try_from(payload)
        .map_err(|_| ConfigUpdateError::Data("a data length"))?;
    Ok(payload.map(B256::from))
}

fn word(data: &[u8]) -> Result<B256, ConfigUpdateError> {
    words::<1>(data).map(|[word]| word)
}

fn number<T: TryFrom<U256>>(word: &B256, name: &'static str) -> Result<T, ConfigUpdateError> {
    T::try_from(U256::from_be_bytes(word.0)).map_err(|_| ConfigUpdateError::Data(name))
}

fn address(word: &B256) -> Result<Address, ConfigUpdateError> {
    if word[..12] != [0; 12] {
        return Err(ConfigUpdateError::Data("an address"));
    }
    Ok(Address::from_word(*word))
}

impl<'de> Deserialize<'de> for SystemConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Json {
            #[serde(alias = "batcherAddr")]
            batcher_address: Address,
            #[serde(default)]
            overhead: Word,
            #[serde(default)]
            scalar: Word,
            gas_limit: u64,
            #[serde(rename = "eip1559Params")]
            eip1559_params: Option<B64>,
            #[serde(rename = "eip1559Denominator")]
            eip1559_denominator: Option<u32>,
            #[serde(rename = "eip1559Elasticity")]
            eip1559_elasticity: Option<u32>,
            operator_fee_params: Option<B256>,
            operator_fee_scalar: Option<u32>,
            operator_fee_constant: Option<u64>,
            min_base_fee: Option<u64>,
            da_footprint_gas_scalar: Option<u16>,
        }
        /// A word in hexadecimal, with or without leading zeros.
        #[derive(Default, Deserialize)]
        #[serde(transparent)]
        struct Word(U256);

        let json = Json::deserialize(deserializer)?;
        let unpacked_1559 = json
            .eip1559_denominator
            .or(json.eip1559_elasticity)
            .is_some();
        let eip1559_params = match json.eip1559_params {
            Some(_) if unpacked_1559 => {
                return Err(de::Error::custom("EIP-1559 parameters are given twice"));
            }
            Some(params) => params,
            None => Eip1559Params {
                denominator: json.eip1559_denominator.unwrap_or_default(),
                elasticity: json.eip1559_elasticity.unwrap_or_default(),
            }
            .packed(),
        };
        let mut operator_fee_params = B256::ZERO;
        operator_fee_params[20..24]
            .copy_from_slice(&json.operator_fee_scalar.unwrap_or_default().to_be_bytes());
        operator_fee_params[24..]
            .copy_from_slice(&json.operator_fee_constant.unwrap_or_default().to_be_bytes());
        match json.operator_fee_params {
            Some(_) if !operator_fee_params.is_zero() => {
                return Err(de::Error::custom("operator fee parameters are given twice"));
            }
            Some(params) => operator_fee_params = params,
            None => {}
        }
        Ok(Self {
            batcher: json.batcher_address,
            overhead: B256::from(json.overhead.0),
            scalar: B256::from(json.scalar.0),
            gas_limit: json.gas_limit,
            eip1559_params,
            operator_fee_params,
            min_base_fee: json.min_base_fee.unwrap_or_default(),
            da_footprint_gas_scalar: json.da_footprint_gas_scalar.unwrap_or_default(),
        })
    }
}
