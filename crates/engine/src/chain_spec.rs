//! The execution layer's view of a chain: its id, its forks, and what its base fee follows.
//!
//! Read from the `config` of op-geth's genesis.json, or from rollup.json.

use alloy_eips::eip1559::BaseFeeParams;
use alloy_hardforks::ForkCondition;
use alloy_op_hardforks::{OpChainHardforks, OpHardfork};
use doppio_protocol::config::{ChainOpConfig, Fork, ForkTimes, RollupConfig};
use serde::Deserialize;
use thiserror::Error;

/// A chain that this engine does not execute, or a configuration that is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ChainSpecError {
    /// Celo's EVM differs.
    #[error(
        "chain {0} is a Celo chain: its EVM is not the OP Stack's, and the embedded engine does \
         not have it. Run Celo's own execution client, and point the node at its Engine API"
    )]
    Celo(u64),
    /// Not an OP Stack chain.
    #[error("genesis.json has no config.optimism: chain {0} is not an OP Stack chain")]
    NotOptimism(u64),
    /// rollup.json without the parameters of the base fee.
    #[error("rollup.json of chain {0} has no chain_op_config, which the base fee follows from")]
    NoBaseFeeParams(u64),
    /// The chain was not always Bedrock.
    #[error(
        "chain {chain_id} becomes Bedrock at block {bedrock}; block {block} comes before the \
         blocks that can be executed"
    )]
    BeforeBedrock {
        /// The chain.
        chain_id: u64,
        /// `bedrockBlock`.
        bedrock: u64,
        /// The block.
        block: u64,
    },
    /// A denominator or elasticity of zero.
    #[error("{0} is 0")]
    Zero(&'static str),
    /// A fork before one that it builds on.
    #[error("{later} is scheduled at {later_time}, before {earlier} ({earlier_time})")]
    Order {
        /// The fork that should come first.
        earlier: Fork,
        /// Its time, or never.
        earlier_time: String,
        /// The fork that builds on it.
        later: Fork,
        /// Its time.
        later_time: u64,
    },
    /// Lagoon, whose rules this release does not have.
    #[error("chain {0} schedules Lagoon (lagoonTime), which this release does not execute")]
    Lagoon(u64),
}

/// The public Celo chains: mainnet, Celo Sepolia, Alfajores, Baklava. Their configuration need not
/// show that they are Celo's.
const CELO_CHAINS: [u64; 4] = [42_220, 11_142_220, 44_787, 62_320];

/// `config` of genesis.json, as far as it matters to an OP Stack chain. Ethereum's own forks follow
/// from the OP Stack's.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConfigJson {
    chain_id: u64,
    bedrock_block: Option<u64>,
    regolith_time: Option<u64>,
    canyon_time: Option<u64>,
    delta_time: Option<u64>,
    ecotone_time: Option<u64>,
    fjord_time: Option<u64>,
    granite_time: Option<u64>,
    holocene_time: Option<u64>,
    isthmus_time: Option<u64>,
    jovian_time: Option<u64>,
    karst_time: Option<u64>,
    lagoon_time: Option<u64>,
    cel2_time: Option<u64>,
    optimism: Option<ChainOpConfig>,
}

/// What execution needs to know of a chain.
#[derive(Clone, Debug)]
pub struct ChainSpec {
    /// Chain id.
    pub chain_id: u64,
    /// When forks activate, by the time of the L2 block.
    pub forks: ForkTimes,
    /// The block that made a chain of an older form a Bedrock chain: it was made, not executed. 0
    /// if the chain was always one.
    bedrock_block: u64,
    /// EIP-1559 parameters before Canyon, and where headers do not say others.
    base_fee: BaseFeeParams,
    /// The same from Canyon on.
    base_fee_canyon: BaseFeeParams,
    hardforks: OpChainHardforks,
}

impl ChainSpec {
    /// A chain with these forks and EIP-1559 parameters that was always a Bedrock chain.
    pub fn new(
        chain_id: u64,
        forks: ForkTimes,
        params: &ChainOpConfig,
    ) -> Result<Self, ChainSpecError> {
        let denominator = params.eip1559_denominator;
        let canyon = params.eip1559_denominator_canyon.unwrap_or(denominator);
        for (name, value) in [
            ("eip1559Elasticity", params.eip1559_elasticity),
            ("eip1559Denominator", denominator),
            ("eip1559DenominatorCanyon", canyon),
        ] {
            if value == 0 {
                return Err(ChainSpecError::Zero(name));
            }
        }
        check_order(&forks)?;
        let elasticity = u128::from(params.eip1559_elasticity);
        Ok(Self {
            chain_id,
            forks,
            bedrock_block: 0,
            base_fee: BaseFeeParams::new(u128::from(denominator), elasticity),
            base_fee_canyon: BaseFeeParams::new(u128::from(canyon), elasticity),
            hardforks: hardforks(&forks),
        })
    }

    /// The same chain, which only became a Bedrock chain with this block.
    pub const fn with_bedrock_block(mut self, block: u64) -> Self {
        self.bedrock_block = block;
        self
    }

    /// The chain of a rollup.json.
    pub fn from_rollup(rollup: &RollupConfig) -> Result<Self, ChainSpecError> {
        let chain_id = rollup.l2_chain_id;
        refuse_celo(chain_id, rollup.cel2_time)?;
        let params = rollup
            .chain_op_config
            .as_ref()
            .ok_or(ChainSpecError::NoBaseFeeParams(chain_id))?;
        let spec = Self::new(chain_id, rollup.forks, params)?;
        Ok(spec.with_bedrock_block(rollup.genesis.l2.number))
    }

    pub(crate) fn from_json(json: &ConfigJson) -> Result<Self, ChainSpecError> {
        let chain_id = json.chain_id;
        refuse_celo(chain_id, json.cel2_time)?;
        let params = json
            .optimism
            .as_ref()
            .ok_or(ChainSpecError::NotOptimism(chain_id))?;
        let forks = ForkTimes {
            regolith: json.regolith_time,
            canyon: json.canyon_time,
            delta: json.delta_time,
            ecotone: json.ecotone_time,
            fjord: json.fjord_time,
            granite: json.granite_time,
            holocene: json.holocene_time,
            isthmus: json.isthmus_time,
            jovian: json.jovian_time,
            karst: json.karst_time,
            lagoon: json.lagoon_time,
        };
        let spec = Self::new(chain_id, forks, params)?;
        Ok(spec.with_bedrock_block(json.bedrock_block.unwrap_or_default()))
    }

    /// Refuses a chain of which this engine cannot execute the block after `number`, or ever comes
    /// to a fork that it does not have.
    pub(crate) fn check_executable(&self, number: u64) -> Result<(), ChainSpecError> {
        if self.forks.lagoon.is_some() {
            return Err(ChainSpecError::Lagoon(self.chain_id));
        }
        if number < self.bedrock_block {
            return Err(ChainSpecError::BeforeBedrock {
                chain_id: self.chain_id,
                bedrock: self.bedrock_block,
                block: number.saturating_add(1),
            });
        }
        Ok(())
    }

    /// Whether blocks had a base fee at genesis.
    pub(crate) const fn begins_with_bedrock(&self) -> bool {
        self.bedrock_block == 0
    }

    /// Whether a fork is active in an L2 block of this time.
    pub const fn active(&self, fork: Fork, time: u64) -> bool {
        self.forks.active(fork, time)
    }

    /// Whether a fork activates in the block at `time`, whose parent is at `parent_time`.
    pub const fn activates(&self, fork: Fork, parent_time: u64, time: u64) -> bool {
        !self.active(fork, parent_time) && self.active(fork, time)
    }

    /// The chain's own EIP-1559 parameters for a block at `time`.
    pub const fn base_fee_params(&self, time: u64) -> BaseFeeParams {
        if self.active(Fork::Canyon, time) {
            self.base_fee_canyon
        } else {
            self.base_fee
        }
    }

    /// The same forks, as the EVM crates take them.
    pub(crate) const fn hardforks(&self) -> &OpChainHardforks {
        &self.hardforks
    }
}

fn refuse_celo(chain_id: u64, cel2_time: Option<u64>) -> Result<(), ChainSpecError> {
    if cel2_time.is_some() || CELO_CHAINS.contains(&chain_id) {
        return Err(ChainSpecError::Celo(chain_id));
    }
    Ok(())
}

/// Execution forks must come in order; Delta alone changes nothing here.
fn check_order(forks: &ForkTimes) -> Result<(), ChainSpecError> {
    let mut earlier = Fork::Regolith;
    for later in Fork::ALL.into_iter().skip(1) {
        if matches!(later, Fork::Delta | Fork::Lagoon) {
            continue;
        }
        if let Some(later_time) = forks.time(later) {
            let time = forks.time(earlier);
            if time.is_none_or(|time| time > later_time) {
                return Err(ChainSpecError::Order {
                    earlier,
                    earlier_time: time.map_or_else(|| "never".to_owned(), |time| time.to_string()),
                    later,
                    later_time,
                });
            }
        }
        earlier = later;
    }
    Ok(())
}

fn hardforks(forks: &ForkTimes) -> OpChainHardforks {
    let at = |fork| match forks.time(fork) {
        Some(time) => ForkCondition::Timestamp(time),
        None => ForkCondition::Never,
    };
    // every fork of the list must be there, for the list is indexed by the fork
    OpChainHardforks::new(OpHardfork::VARIANTS.iter().map(|fork| {
        let condition = match fork {
            OpHardfork::Bedrock => ForkCondition::Block(0),
            OpHardfork::Regolith => at(Fork::Regolith),
            OpHardfork::Canyon => at(Fork::Canyon),
            OpHardfork::Ecotone => at(Fork::Ecotone),
            OpHardfork::Fjord => at(Fork::Fjord),
            OpHardfork::Granite => at(Fork::Granite),
            OpHardfork::Holocene => at(Fork::Holocene),
            OpHardfork::Isthmus => at(Fork::Isthmus),
            OpHardfork::Jovian => at(Fork::Jovian),
            OpHardfork::Karst => at(Fork::Karst),
            _ => ForkCondition::Never,
        };
        (*fork, condition)
    }))
}
