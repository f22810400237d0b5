//! The configuration of Espresso's own chain, which each header carries or names.
// spec: espresso 3.2

use crate::{
    commit::Builder,
    number::{decimal, decimal_u64},
    tagged::ChainConfigHash,
};
use alloy_primitives::{Address, U256};
use serde::{Deserialize, Deserializer, Serialize};

/// What Espresso's nodes agree on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainConfig {
    /// Number of Espresso's chain.
    #[serde(with = "decimal")]
    pub chain_id: U256,
    /// Most bytes of a block's payload.
    #[serde(with = "decimal_u64")]
    pub max_block_size: u64,
    /// Fee of a byte, in wei.
    #[serde(with = "decimal")]
    pub base_fee: U256,
    /// The contract on L1 in which builders deposit fees.
    #[serde(default)]
    pub fee_contract: Option<Address>,
    /// Who gets the fees.
    pub fee_recipient: Address,
    /// The contract on L1 that keeps the stakes. The outer option says whether the key is there at
    /// all: headers before 0.3 do not have it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub stake_table_contract: Option<Option<Address>>,
}

fn present<'de, D>(from: D) -> Result<Option<Option<Address>>, D::Error>
where
    D: Deserializer<'de>,
{
    Option::deserialize(from).map(Some)
}

impl ChainConfig {
    /// The commitment, as a header of this minor version makes it.
    pub fn commit(&self, minor: u16) -> ChainConfigHash {
        let mut builder = Builder::new("CHAIN_CONFIG")
            .field("chain_id", &self.chain_id.to_le_bytes::<32>())
            .u64_field("max_block_size", self.max_block_size)
            .field("base_fee", &self.base_fee.to_le_bytes::<32>())
            .field("fee_recipient", self.fee_recipient.as_slice());
        builder = match &self.fee_contract {
            Some(contract) => builder
                .u64_field("fee_contract", 1)
                .fixed(contract.as_slice()),
            None => builder.u64_field("fee_contract", 0),
        };
        if minor >= 3
            && let Some(Some(contract)) = &self.stake_table_contract
        {
            builder = builder
                .u64_field("stake_table_contract", 1)
                .fixed(contract.as_slice());
        }
        ChainConfigHash(builder.finish())
    }
}

/// A configuration, or the commitment to one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EitherConfig {
    /// In full.
    Left(ChainConfig),
    /// By its commitment.
    Right(ChainConfigHash),
}

/// A configuration as headers wrap it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvableConfig {
    /// The configuration, or the commitment to it.
    pub chain_config: EitherConfig,
}

impl ResolvableConfig {
    /// The commitment, as a header of this minor version makes it.
    pub fn commit(&self, minor: u16) -> ChainConfigHash {
        match &self.chain_config {
            EitherConfig::Left(config) => config.commit(minor),
            EitherConfig::Right(hash) => *hash,
        }
    }
}
