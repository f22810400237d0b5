//! rollup.json: the rollup configuration file.
//!
//! Accepted are the keys that op-node, Celo's and Espresso's forks and kona know; any other is
//! refused by name, because a key that one node understands and another ignores is how chains
//! split. Printed are op-node's keys only, so that op-batcher and op-proposer can read what
//! `optimism_rollupConfig` serves.

use super::{Fork, ForkTimes};
use crate::{block::BlockId, system_config::SystemConfig};
use alloy_primitives::Address;
use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

/// Where the rollup starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Genesis {
    /// The L1 block *after which* the rollup starts: L1 origin of the L2 genesis block.
    pub l1: BlockId,
    /// The L2 genesis block. Its number need not be 0.
    pub l2: BlockId,
    /// Time of the L2 genesis block, in seconds since the Unix epoch.
    pub l2_time: u64,
    /// System configuration of the L2 genesis block, which has no transaction to carry it.
    pub system_config: SystemConfig,
}

/// How a commitment of the DA layer is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CommitmentType {
    /// keccak256 of the data; disputes go through a challenge contract.
    #[serde(rename = "KeccakCommitment")]
    Keccak,
    /// Opaque to derivation; the DA layer verifies it (EigenDA).
    #[serde(rename = "GenericCommitment")]
    Generic,
}

/// Alt-DA parameters.
// spec: opstack 1.1
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AltDaConfig {
    /// The DataAvailabilityChallenge contract on L1; zero for [`CommitmentType::Generic`].
    #[serde(
        default,
        alias = "da_challenge_address",
        deserialize_with = "null_is_default"
    )]
    pub da_challenge_contract_address: Address,
    /// Which commitments count.
    pub da_commitment_type: CommitmentType,
    /// Largest input behind a Keccak commitment, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub da_max_input_size: Option<u64>,
    /// L1 blocks in which a commitment may be challenged.
    #[serde(default, deserialize_with = "null_is_default")]
    pub da_challenge_window: u64,
    /// L1 blocks in which a challenge may be resolved.
    #[serde(default, deserialize_with = "null_is_default")]
    pub da_resolve_window: u64,
}

/// EIP-1559 parameters of the chain's execution layer.
///
/// A SystemConfig that leaves its parameters at 0 means these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainOpConfig {
    /// Elasticity multiplier.
    #[serde(rename = "eip1559Elasticity", alias = "eip1559_elasticity")]
    pub eip1559_elasticity: u64,
    /// Base fee change denominator before Canyon.
    #[serde(rename = "eip1559Denominator", alias = "eip1559_denominator")]
    pub eip1559_denominator: u64,
    /// Base fee change denominator from Canyon on.
    #[serde(
        rename = "eip1559DenominatorCanyon",
        alias = "eip1559_denominator_canyon",
        skip_serializing_if = "Option::is_none"
    )]
    pub eip1559_denominator_canyon: Option<u64>,
}

/// The rollup configuration.
// spec: opstack 1.1
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollupConfig {
    /// Where the rollup starts.
    pub genesis: Genesis,
    /// Seconds between L2 blocks.
    pub block_time: u64,
    /// Seconds that L2 time may run ahead of its L1 origin, before Fjord.
    #[serde(default, skip_serializing_if = "is_default")]
    pub max_sequencer_drift: u64,
    /// L1 blocks, counted from a batch's L1 origin, within which the batch must be included.
    pub seq_window_size: u64,
    /// L1 blocks within which a channel must be completed, before Granite.
    pub channel_timeout: u64,
    /// EIP-155 chain id of L1.
    pub l1_chain_id: u64,
    /// EIP-155 chain id of L2.
    pub l2_chain_id: u64,
    /// When forks activate.
    #[serde(flatten)]
    pub forks: ForkTimes,
    /// Keep the gas that the Karst upgrade needed in the gas limit, as some chains did by mistake.
    #[serde(default, skip_serializing_if = "is_default")]
    pub keep_karst_upgrade_gas: bool,
    /// Where on L1 batches are sent.
    pub batch_inbox_address: Address,
    /// The OptimismPortal, whose logs are deposits.
    pub deposit_contract_address: Address,
    /// The SystemConfig contract, whose logs are configuration updates.
    #[serde(default)]
    pub l1_system_config_address: Address,
    /// EIP-1559 parameters of the execution layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_op_config: Option<ChainOpConfig>,
    /// Alt-DA parameters; present iff the chain uses alt-DA.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alt_da: Option<AltDaConfig>,
    /// L1 time until which the blob base fee is computed with Cancun's fraction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pectra_blob_schedule_time: Option<u64>,

    /// Celo: when the chain became an L2.
    #[serde(default, skip_serializing)]
    pub cel2_time: Option<u64>,
    /// Espresso generation 2: L1 time from which batches need an authentication event.
    #[serde(default, skip_serializing)]
    pub espresso_enforcement_time: Option<u64>,
    /// Espresso generations 3 and 4: L1 time of the fork.
    #[serde(default, skip_serializing)]
    pub espresso_time: Option<u64>,
    /// Espresso: the BatchAuthenticator contract on L1.
    #[serde(default, skip_serializing)]
    pub batch_authenticator_address: Option<Address>,
    /// Espresso generation 2: L1 blocks that are searched for an authentication event.
    #[serde(default, skip_serializing)]
    pub batch_auth_lookback_window: Option<u64>,
    /// Celo's kona: the sequencer drift from Fjord on, which op-node has as a constant. Must be the
    /// chain profile's.
    #[serde(default, skip_serializing)]
    pub fjord_max_sequencer_drift: Option<u64>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// kona writes what is not set as null, where op-node writes the zero value.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A configuration and what was noticed while it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The configuration.
    pub config: RollupConfig,
    /// What an operator should know, one sentence each.
    pub warnings: Vec<String>,
}

/// Why a rollup.json is refused.
#[derive(Debug, Error)]
pub enum ParseError {
    /// The file is not JSON, or a known key has a value of another type.
    #[error("rollup.json cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// The file has keys that no supported node knows.
    #[error(
        "rollup.json has unknown keys: {}. Other nodes of the chain may act on them; \
         remove them, or pass --rollup.ignore-unknown-keys if you know that they change nothing",
        .0.join(", ")
    )]
    UnknownKeys(Vec<String>),
    /// kona's override of a constant that op-node does not know.
    #[error(
        "granite_channel_timeout is {0}, but op-node always uses {CHANNEL_TIMEOUT}: \
         with another value kona and op-node derive different chains"
    )]
    GraniteChannelTimeout(u64),
}

const CHANNEL_TIMEOUT: u64 = super::CHANNEL_TIMEOUT_GRANITE;

/// Every key that some supported node knows, by the object it stands in.
// spec: opstack 1.1
const KNOWN_KEYS: [(&str, &[&str]); 8] = [
    (
        "",
        &[
            "genesis",
            "block_time",
            "max_sequencer_drift",
            "seq_window_size",
            "channel_timeout",
            "l1_chain_id",
            "l2_chain_id",
            "regolith_time",
            "canyon_time",
            "delta_time",
            "ecotone_time",
            "fjord_time",
            "granite_time",
            "holocene_time",
            "isthmus_time",
            "jovian_time",
            "karst_time",
            "lagoon_time",
            "interop_time",
            "pectra_blob_schedule_time",
            "keep_karst_upgrade_gas",
            "batch_inbox_address",
            "deposit_contract_address",
            "l1_system_config_address",
            "protocol_versions_address",
            "chain_op_config",
            "alt_da",
            // Celo and Espresso
            "cel2_time",
            "espresso_time",
            "espresso_enforcement_time",
            "batch_authenticator_address",
            "batch_auth_lookback_window",
            "caff_node_config",
            // kona
            "granite_channel_timeout",
            "fjord_max_sequencer_drift",
            "superchain_config_address",
            "blobs_data",
            "da_challenge_address",
            "interop_message_expiry_window",
        ],
    ),
    ("genesis", &["l1", "l2", "l2_time", "system_config"]),
    ("genesis.l1", &["hash", "number"]),
    ("genesis.l2", &["hash", "number"]),
    (
        "genesis.system_config",
        &[
            "batcherAddr",
            "batcherAddress",
            "overhead",
            "scalar",
            "gasLimit",
            // kona's, derived from nothing and used for nothing: the scalar holds both
            "baseFeeScalar",
            "blobBaseFeeScalar",
            "eip1559Params",
            "eip1559Denominator",
            "eip1559Elasticity",
            "operatorFeeParams",
            "operatorFeeScalar",
            "operatorFeeConstant",
            "minBaseFee",
            "daFootprintGasScalar",
        ],
    ),
    (
        "chain_op_config",
        &[
            "eip1559Elasticity",
            "eip1559Denominator",
            "eip1559DenominatorCanyon",
            "eip1559_elasticity",
            "eip1559_denominator",
            "eip1559_denominator_canyon",
        ],
    ),
    (
        "alt_da",
        &[
            "da_challenge_contract_address",
            "da_challenge_address",
            "da_commitment_type",
            "da_max_input_size",
            "da_challenge_window",
            "da_resolve_window",
        ],
    ),
    // read by Espresso's own nodes only; whatever it holds changes nothing in derivation from L1
    ("caff_node_config", &[]),
];

/// The keys of `value` that are not in [`KNOWN_KEYS`], with the path to each.
fn unknown_keys(value: &serde_json::Value) -> Vec<String> {
    let mut unknown = Vec::new();
    for (path, known) in KNOWN_KEYS {
        let object = path
            .split('.')
            .filter(|name| !name.is_empty())
            .try_fold(value, |value, name| value.get(name))
            .and_then(|value| value.as_object());
        let (Some(object), false) = (object, known.is_empty()) else {
            continue;
        };
        for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
            unknown.push(if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            });
        }
    }
    unknown
}

impl RollupConfig {
    /// The contract on L1 where alt-DA commitments can be challenged; none where they cannot.
    // spec: opstack 3.15
    pub const fn da_challenge_contract(&self) -> Option<Address> {
        match self.alt_da {
            Some(AltDaConfig {
                da_commitment_type: CommitmentType::Keccak,
                da_challenge_contract_address,
                ..
            }) => Some(da_challenge_contract_address),
            _ => None,
        }
    }

    /// L1 blocks to walk back until the safe chain cannot depend on what came later: a sequencing
    /// window, or as long as an alt-DA commitment may still expire.
    // spec: opstack 3.14
    pub fn sync_lookback(&self) -> u64 {
        let challenge = self.alt_da.map_or(0, |alt_da| {
            alt_da
                .da_challenge_window
                .saturating_add(alt_da.da_resolve_window)
        });
        self.seq_window_size.max(challenge)
    }

    /// Reads rollup.json. Exactly one JSON value is read; what follows it is ignored, as op-node
    /// does.
    ///
    /// Unknown keys are an error unless `ignore_unknown_keys`, in which case they are warnings.
    /// The values are not checked here: see [`RollupConfig::check`].
    // spec: opstack 1.1, opstack-2026-09 1 *1 *2
    pub fn parse(json: &str, ignore_unknown_keys: bool) -> Result<Parsed, ParseError> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let value = serde_json::Value::deserialize(&mut deserializer)?;
        let mut warnings = Vec::new();
        let unknown = unknown_keys(&value);
        if !unknown.is_empty() {
            if !ignore_unknown_keys {
                return Err(ParseError::UnknownKeys(unknown));
            }
            warnings.push(format!(
                "unknown keys of rollup.json are ignored: {}",
                unknown.join(", ")
            ));
        }
        match value
            .get("granite_channel_timeout")
            .and_then(serde_json::Value::as_u64)
        {
            None | Some(CHANNEL_TIMEOUT) => {}
            Some(other) => return Err(ParseError::GraniteChannelTimeout(other)),
        }
        if value
            .get("interop_time")
            .is_some_and(|time| !time.is_null())
        {
            warnings.push(
                "interop_time is no longer a key of any node and is ignored; \
                 the fork is called Lagoon and its key is lagoon_time"
                    .to_owned(),
            );
        }
        Ok(Parsed {
            config: serde_json::from_value(value)?,
            warnings,
        })
    }

    /// rollup.json with op-node's keys only: what `optimism_rollupConfig` serves.
    pub fn to_json(&self) -> serde_json::Value {
        // derived serialisation of plain data has no way to fail
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Whether `fork` is active at `time`.
    pub const fn active(&self, fork: Fork, time: u64) -> bool {
        self.forks.active(fork, time)
    }

    /// Whether the L2 block at `l2_time` is the first one under `fork`. A fork that is active at
    /// genesis has no such block.
    // spec: opstack 3.8 #4
    pub const fn is_activation_block(&self, fork: Fork, l2_time: u64) -> bool {
        match l2_time.checked_sub(self.block_time) {
            Some(before) => self.active(fork, l2_time) && !self.active(fork, before),
            None => false,
        }
    }
}
