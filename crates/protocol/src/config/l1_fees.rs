//! The price of blobs on L1, as the L1-info transaction reports it.
//!
//! The fee follows from the excess blob gas in an L1 header and from the *update fraction* that
//! the L1's forks set. A node with an outdated schedule computes another fee than its peers and
//! leaves the chain (field I9), so an L1 whose schedule is not known is an error, never a guess.

use alloy_primitives::U256;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

/// Blob gas price below which no fee falls, in wei (EIP-4844).
pub const MIN_BLOB_BASE_FEE: U256 = U256::ONE;

/// Update fraction of Cancun (EIP-4844).
pub const CANCUN_UPDATE_FRACTION: u64 = 3_338_477;

/// One step of an L1's blob schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlobScheduleStep {
    /// The L1 fork that sets it, as go-ethereum's genesis file calls it (`cancun`, `bpo1`, ...).
    pub fork: L1Fork,
    /// First L1 block time it applies to, in seconds since the Unix epoch.
    pub time: u64,
    /// `baseFeeUpdateFraction`, in units of blob gas.
    pub update_fraction: u64,
}

/// L1 forks that change the price of blobs, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum L1Fork {
    Cancun,
    Prague,
    Osaka,
    Bpo1,
    Bpo2,
    Bpo3,
    Bpo4,
    Bpo5,
}

/// The blob schedule of an L1, oldest step first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlobSchedule(Vec<BlobScheduleStep>);

/// Why a blob base fee cannot be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BlobFeeError {
    /// The header has excess blob gas, the schedule no step for its time.
    #[error(
        "the L1 block at time {time} has blobs, but the L1 blob schedule starts later; \
         give the L1's own chain configuration"
    )]
    NoSchedule {
        /// Time of the L1 block.
        time: u64,
    },
    /// The fee does not fit 256 bits, which no real L1 can reach.
    #[error("the blob base fee for excess blob gas {excess} does not fit 256 bits")]
    TooLarge {
        /// Excess blob gas of the L1 block.
        excess: u64,
    },
}

/// Why an L1 chain configuration is refused.
#[derive(Debug, Error)]
pub enum L1ConfigError {
    /// Not the JSON of a go-ethereum chain configuration.
    #[error("the L1 chain configuration is not what go-ethereum writes: {0}")]
    Json(#[from] serde_json::Error),
    /// A fork has a time but no entry in `blobSchedule`.
    #[error("the L1 chain configuration sets a time for {0:?}, but no blobSchedule entry for it")]
    MissingSchedule(L1Fork),
    /// Of another chain than the one that the rollup is on.
    #[error(
        "the L1 chain configuration is of chain {found}, but l1_chain_id in rollup.json is \
         {expected}"
    )]
    ChainId {
        /// The rollup's L1.
        expected: u64,
        /// The configuration's chain.
        found: u64,
    },
}

/// What matters of an L1's own chain configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct L1ChainConfig {
    /// Its chain id, if it says one.
    pub chain_id: Option<u64>,
    /// What blobs cost.
    pub blob_schedule: BlobSchedule,
}

impl BlobSchedule {
    /// A schedule from its steps, in any order.
    pub fn new(mut steps: Vec<BlobScheduleStep>) -> Self {
        steps.sort_by_key(|step| step.fork);
        Self(steps)
    }

    /// The steps, by fork.
    pub fn steps(&self) -> &[BlobScheduleStep] {
        &self.0
    }

    /// The schedule of a public L1, by chain id.
    // spec: opstack-2026-09 3.11 *1
    pub fn of_public_l1(chain_id: u64) -> Option<Self> {
        const CANCUN: u64 = CANCUN_UPDATE_FRACTION;
        const PRAGUE: u64 = 5_007_716;
        const BPO1: u64 = 8_346_193;
        const BPO2: u64 = 11_684_671;
        let [cancun, prague, osaka, bpo1, bpo2] = match chain_id {
            // mainnet
            1 => [1710338135, 1746612311, 1764798551, 1765290071, 1767747671],
            // Sepolia
            11155111 => [1706655072, 1741159776, 1760427360, 1761017184, 1761607008],
            // Holesky
            17000 => [1707305664, 1740434112, 1759308480, 1759800000, 1760389824],
            // Hoodi
            560048 => [0, 1742999832, 1761677592, 1762365720, 1762955544],
            _ => return None,
        };
        let step = |fork, time, update_fraction| BlobScheduleStep {
            fork,
            time,
            update_fraction,
        };
        Some(Self(vec![
            step(L1Fork::Cancun, cancun, CANCUN),
            step(L1Fork::Prague, prague, PRAGUE),
            step(L1Fork::Osaka, osaka, PRAGUE),
            step(L1Fork::Bpo1, bpo1, BPO1),
            step(L1Fork::Bpo2, bpo2, BPO2),
        ]))
    }

    /// Reads the schedule out of a go-ethereum chain configuration; see [`L1ChainConfig::parse`].
    pub fn from_l1_chain_config(json: &str) -> Result<Self, L1ConfigError> {
        Ok(L1ChainConfig::parse(json)?.blob_schedule)
    }

    /// The same schedule without Osaka and everything after it.
    ///
    /// Celo's chains followed this one until Jovian (opstack 0.2).
    pub fn until_prague(&self) -> Self {
        Self(
            self.0
                .iter()
                .filter(|step| step.fork <= L1Fork::Prague)
                .copied()
                .collect(),
        )
    }

    /// Blob base fee of the L1 block at `time` with `excess` blob gas, in wei.
    // spec: opstack 3.11
    pub fn blob_base_fee(&self, time: u64, excess: u64) -> Result<U256, BlobFeeError> {
        let step = self
            .0
            .iter()
            .rev()
            .find(|step| step.time <= time)
            .ok_or(BlobFeeError::NoSchedule { time })?;
        blob_base_fee(excess, step.update_fraction)
    }
}

impl L1ChainConfig {
    /// Reads a go-ethereum chain configuration: the `config` object of a genesis file, or the whole
    /// genesis file.
    pub fn parse(json: &str) -> Result<Self, L1ConfigError> {
        let mut config: ChainConfigJson = serde_json::from_str(json)?;
        if let Some(inner) = config.config.take() {
            config = *inner;
        }
        let chain_id = config.chain_id;
        if config.optimism.is_some() {
            // itself a chain of the OP Stack: it has no blobs, and its headers say an excess of 0
            let step = BlobScheduleStep {
                fork: L1Fork::Cancun,
                time: 0,
                update_fraction: CANCUN_UPDATE_FRACTION,
            };
            return Ok(Self {
                chain_id,
                blob_schedule: BlobSchedule(vec![step]),
            });
        }
        let times = [
            (L1Fork::Cancun, "cancun", config.cancun_time),
            (L1Fork::Prague, "prague", config.prague_time),
            (L1Fork::Osaka, "osaka", config.osaka_time),
            (L1Fork::Bpo1, "bpo1", config.bpo1_time),
            (L1Fork::Bpo2, "bpo2", config.bpo2_time),
            (L1Fork::Bpo3, "bpo3", config.bpo3_time),
            (L1Fork::Bpo4, "bpo4", config.bpo4_time),
            (L1Fork::Bpo5, "bpo5", config.bpo5_time),
        ];
        let mut steps = Vec::new();
        for (fork, name, time) in times {
            let Some(time) = time else { continue };
            let entry = config
                .blob_schedule
                .get(name)
                .ok_or(L1ConfigError::MissingSchedule(fork))?;
            steps.push(BlobScheduleStep {
                fork,
                time,
                update_fraction: entry.base_fee_update_fraction,
            });
        }
        Ok(Self {
            chain_id,
            blob_schedule: BlobSchedule(steps),
        })
    }

    /// The blob schedule, if the configuration is that of the chain `l1_chain_id`.
    pub fn of_chain(self, l1_chain_id: u64) -> Result<BlobSchedule, L1ConfigError> {
        match self.chain_id {
            Some(found) if found != l1_chain_id => Err(L1ConfigError::ChainId {
                expected: l1_chain_id,
                found,
            }),
            _ => Ok(self.blob_schedule),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChainConfigJson {
    config: Option<Box<Self>>,
    chain_id: Option<u64>,
    optimism: Option<serde::de::IgnoredAny>,
    cancun_time: Option<u64>,
    prague_time: Option<u64>,
    osaka_time: Option<u64>,
    bpo1_time: Option<u64>,
    bpo2_time: Option<u64>,
    bpo3_time: Option<u64>,
    bpo4_time: Option<u64>,
    bpo5_time: Option<u64>,
    #[serde(default)]
    blob_schedule: BTreeMap<String, BlobScheduleEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlobScheduleEntry {
    base_fee_update_fraction: u64,
}

/// EIP-4844's `fake_exponential` with factor 1: an approximation of `e^(excess / fraction)`.
pub fn blob_base_fee(excess: u64, update_fraction: u64) -> Result<U256, BlobFeeError> {
    let too_large = BlobFeeError::TooLarge { excess };
    let excess = U256::from(excess);
    let denominator = U256::from(update_fraction.max(1));
    let mut sum = U256::ZERO;
    let mut term = denominator;
    let mut i = U256::ONE;
    while !term.is_zero() {
        sum = sum.checked_add(term).ok_or(too_large)?;
        term = term.checked_mul(excess).ok_or(too_large)? / (denominator * i);
        i += U256::ONE;
    }
    Ok(sum / denominator)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fee_follows_the_fork_of_the_block_itself() {
        let mainnet = BlobSchedule::of_public_l1(1).unwrap();
        let excess = 100_000_000;
        let fees: Vec<_> = [1746612310, 1746612311, 1764798551, 1765290071, 1767747671]
            .map(|time| mainnet.blob_base_fee(time, excess).unwrap())
            .into();
        assert!(fees[0] > fees[1]);
        assert_eq!(fees[1], fees[2]);
        assert!(fees[2] > fees[3] && fees[3] > fees[4]);
    }

    #[test]
    fn an_unknown_schedule_is_an_error_not_a_guess() {
        assert_eq!(BlobSchedule::of_public_l1(900), None);
        assert_eq!(
            BlobSchedule::default().blob_base_fee(5, 0),
            Err(BlobFeeError::NoSchedule { time: 5 })
        );
    }

    #[test]
    fn no_excess_gives_the_minimum_and_absurd_excess_an_error() {
        assert_eq!(
            blob_base_fee(0, CANCUN_UPDATE_FRACTION),
            Ok(MIN_BLOB_BASE_FEE)
        );
        let excess = u64::MAX;
        assert_eq!(
            blob_base_fee(excess, CANCUN_UPDATE_FRACTION),
            Err(BlobFeeError::TooLarge { excess })
        );
    }

    /// Expected values of EIP-4844's own test of `fake_exponential` are for other factors; these
    /// were computed by go-ethereum.
    #[test]
    fn fees_equal_go_ethereums() {
        for (excess, fee) in [
            (0u64, 1u64),
            (2314057, 1),
            (2314058, 2),
            (10 * 1024 * 1024, 23),
        ] {
            assert_eq!(
                blob_base_fee(excess, CANCUN_UPDATE_FRACTION),
                Ok(U256::from(fee))
            );
        }
    }

    #[test]
    fn a_geth_chain_configuration_gives_its_schedule() {
        let json = r#"{"chainId":900,"cancunTime":0,"pragueTime":50,"blobSchedule":{
            "cancun":{"target":3,"max":6,"baseFeeUpdateFraction":3338477},
            "prague":{"target":6,"max":9,"baseFeeUpdateFraction":5007716},
            "osaka":{"target":6,"max":9,"baseFeeUpdateFraction":5007716}}}"#;
        let schedule = BlobSchedule::from_l1_chain_config(json).unwrap();
        let forks: Vec<_> = schedule
            .steps()
            .iter()
            .map(|step| (step.fork, step.time))
            .collect();
        assert_eq!(forks, [(L1Fork::Cancun, 0), (L1Fork::Prague, 50)]);
        let genesis = format!(r#"{{"config":{json},"alloc":{{}}}}"#);
        assert_eq!(
            BlobSchedule::from_l1_chain_config(&genesis).unwrap(),
            schedule
        );
        let config = L1ChainConfig::parse(&genesis).unwrap();
        assert_eq!(config.clone().of_chain(900).unwrap(), schedule);
        assert!(matches!(
            config.of_chain(901),
            Err(L1ConfigError::ChainId {
                expected: 901,
                found: 900
            })
        ));
        let missing = r#"{"cancunTime":0}"#;
        assert!(matches!(
            BlobSchedule::from_l1_chain_config(missing),
            Err(L1ConfigError::MissingSchedule(L1Fork::Cancun))
        ));
    }

    #[test]
    fn an_l1_of_the_op_stack_needs_no_schedule() {
        let json = r#"{"chainId":10,"cancunTime":5,"optimism":{"eip1559Elasticity":6}}"#;
        let config = L1ChainConfig::parse(json).unwrap();
        assert_eq!(config.chain_id, Some(10));
        assert_eq!(
            config.blob_schedule.blob_base_fee(1, 0),
            Ok(MIN_BLOB_BASE_FEE)
        );
    }
}
