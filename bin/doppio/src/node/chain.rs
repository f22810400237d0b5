//! The flags that say which chain the node is of: op-node's, and what op-node cannot be told.

use crate::{chain_args::ChainArgs, output::CommandError};
use clap::Args;
use doppio_protocol::config::{
    BlobSchedule, ChainConfig, ChainConfigError, ForkTimes, L1ChainConfig, L1ConfigError, Network,
    NetworkError, ParseError, RollupConfig, RollupOverrides,
};
use serde_json::Value;
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};
use thiserror::Error;

/// Which chain.
#[derive(Debug, Args)]
#[command(next_help_heading = "Chain")]
pub(crate) struct NodeChainArgs {
    /// The chain's rollup.json
    #[arg(
        long = "rollup.config",
        env = "DOPPIO_NODE_ROLLUP_CONFIG",
        value_name = "FILE"
    )]
    rollup_config: Option<PathBuf>,

    /// A known chain, by op-node's name for it, for example op-mainnet, or by its chain id
    #[arg(long, env = "DOPPIO_NODE_NETWORK", value_name = "NAME|CHAIN ID")]
    network: Option<String>,

    /// The L1's chain configuration or genesis.json, as go-ethereum takes it. Needed where the L1
    /// is not a public one; where it is, what is known of it holds
    #[arg(
        long = "rollup.l1-chain-config",
        env = "DOPPIO_NODE_ROLLUP_L1_CHAIN_CONFIG",
        value_name = "FILE"
    )]
    l1_chain_config: Option<PathBuf>,

    #[command(flatten)]
    chain: ChainArgs,

    /// Start without the Pectra blob schedule that this chain probably needs
    #[arg(
        long = "ignore-missing-pectra-blob-schedule",
        env = "DOPPIO_NODE_IGNORE_MISSING_PECTRA_BLOB_SCHEDULE",
        hide = true
    )]
    ignore_missing_pectra_blob_schedule: bool,

    #[command(flatten)]
    overrides: OverrideArgs,
}

/// Values instead of the configuration's. A node with others than its peers leaves their chain.
#[derive(Debug, Args)]
#[command(next_help_heading = "Instead of what the rollup configuration says")]
struct OverrideArgs {
    /// Time of Canyon, in seconds since the Unix epoch
    #[arg(
        long = "override.canyon",
        env = "DOPPIO_NODE_OVERRIDE_CANYON",
        value_name = "L2 TIME",
        value_parser = parse_time
    )]
    canyon: Option<u64>,

    /// Time of Delta, in seconds since the Unix epoch
    #[arg(
        long = "override.delta",
        env = "DOPPIO_NODE_OVERRIDE_DELTA",
        value_name = "L2 TIME",
        value_parser = parse_time
    )]
    delta: Option<u64>,

    /// Time of Ecotone, in seconds since the Unix epoch
    #[arg(
        long = "override.ecotone",
        env = "DOPPIO_NODE_OVERRIDE_ECOTONE",
        value_name = "L2 TIME",
        value_parser = parse_time
    )]
    ecotone: Option<u64>,

    /// Time of Fjord, in seconds since the Unix epoch
    #[arg(
        long = "override.fjord",
        env = "DOPPIO_NODE_OVERRIDE_FJORD",
        value_name = "L2 TIME",
        value_parser = parse_time
    )]
    fjord: Option<u64>,

    /// Time of Granite, in seconds since the Unix epoch
    #[arg(
        long = "override.granite",
        env = "DOPPIO_NODE_OVERRIDE_GRANITE",
        value_name = "L2 TIME",
        value_parser = parse_time
    )]
    granite: Option<u64>,

    /// Time of Holocene, in seconds since the Unix epoch
    #[arg(
        long = "override.holocene",
        env = "DOPPIO_NODE_OVERRIDE_HOLOCENE",
        value_name = "L2 TIME",
        value_parser = parse_time
    )]
    holocene: Option<u64>,

    /// Time of Isthmus, in seconds since the Unix epoch
    #[arg(
        long = "override.isthmus",
        env = "DOPPIO_NODE_OVERRIDE_ISTHMUS",
        value_name = "L2 TIME",
        value_parser = parse_time
    )]
    isthmus: Option<u64>,

    /// Time of Jovian, in seconds since the Unix epoch
    #[arg(
        long = "override.jovian",
        env = "DOPPIO_NODE_OVERRIDE_JOVIAN",
        value_name = "L2 TIME",
        value_parser = parse_time
    )]
    jovian: Option<u64>,

    /// Time of Karst, in seconds since the Unix epoch
    #[arg(
        long = "override.karst",
        env = "DOPPIO_NODE_OVERRIDE_KARST",
        value_name = "L2 TIME",
        value_parser = parse_time
    )]
    karst: Option<u64>,

    /// Time of Lagoon, in seconds since the Unix epoch
    #[arg(
        long = "override.lagoon",
        env = "DOPPIO_NODE_OVERRIDE_LAGOON",
        value_name = "L2 TIME",
        value_parser = parse_time
    )]
    lagoon: Option<u64>,

    /// L1 time until which the blob base fee is computed as in Cancun, in seconds since the Unix
    /// epoch
    #[arg(
        long = "override.pectrablobschedule",
        env = "DOPPIO_NODE_OVERRIDE_PECTRABLOBSCHEDULE",
        value_name = "L1 TIME",
        value_parser = parse_time
    )]
    pectra_blob_schedule: Option<u64>,

    /// Whether the gas of the Karst upgrade stays in the gas limit of all later blocks
    #[arg(
        long = "override.keep-karst-upgrade-gas",
        env = "DOPPIO_NODE_OVERRIDE_KEEP_KARST_UPGRADE_GAS",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        value_parser = parse_bool
    )]
    keep_karst_upgrade_gas: Option<bool>,
}

/// A number as Go's programs read it from a flag: decimal, or hexadecimal with 0x.
fn parse_time(text: &str) -> Result<u64, core::num::ParseIntError> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    }
}

/// Yes or no as Go's programs read it from a flag.
pub(crate) fn parse_bool(text: &str) -> Result<bool, &'static str> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err("neither true nor false"),
    }
}

impl OverrideArgs {
    fn overrides(&self) -> RollupOverrides {
        RollupOverrides {
            forks: ForkTimes {
                regolith: None,
                canyon: self.canyon,
                delta: self.delta,
                ecotone: self.ecotone,
                fjord: self.fjord,
                granite: self.granite,
                holocene: self.holocene,
                isthmus: self.isthmus,
                jovian: self.jovian,
                karst: self.karst,
                lagoon: self.lagoon,
            },
            pectra_blob_schedule_time: self.pectra_blob_schedule,
            keep_karst_upgrade_gas: self.keep_karst_upgrade_gas,
        }
    }
}

/// A chain's configuration, and what an operator should know of it.
#[derive(Debug)]
pub(crate) struct NodeChain {
    pub(crate) config: Arc<ChainConfig>,
    /// rollup.json as it was given, with the keys that are not op-node's; overrides are in it.
    pub(crate) rollup_json: Value,
    /// One sentence each.
    pub(crate) warnings: Vec<String>,
}

/// A rollup configuration before overrides.
struct Source {
    rollup: RollupConfig,
    json: Value,
    warnings: Vec<String>,
}

/// Why the node does not start on such a chain.
#[derive(Debug, Error)]
pub(crate) enum NodeChainError {
    #[error("which chain? Give its rollup.json (--rollup.config), or its name (--network)")]
    NotGiven,
    #[error(
        "--rollup.config and --network are both given, and may be of two chains: give one \
         (op-node ignores the first)"
    )]
    BothGiven,
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("{}: {error}", path.display())]
    Rollup { path: PathBuf, error: ParseError },
    #[error("--network: {0}")]
    Network(#[from] NetworkError),
    #[error("{}: {error}", path.display())]
    L1Config { path: PathBuf, error: L1ConfigError },
    #[error(transparent)]
    Profile(CommandError),
    #[error(transparent)]
    Chain(#[from] ChainConfigError),
    #[error(
        "pectra_blob_schedule_time is missing, and chains of this age on this L1 need it: ask the \
         chain's operator for the time, and give it in rollup.json or by \
         --override.pectrablobschedule; or, if the chain is known not to need it, \
         --ignore-missing-pectra-blob-schedule"
    )]
    PectraBlobScheduleMissing,
}

impl NodeChainArgs {
    /// The configuration of the chain that the flags name.
    pub(crate) fn read(&self) -> Result<NodeChain, NodeChainError> {
        self.complete(self.given()?.ok_or(NodeChainError::NotGiven)?)
    }

    /// The configuration of the chain that the flags name, or that a rollup node serves.
    pub(crate) fn read_or_served(
        &self,
        server: &str,
        served: &Value,
    ) -> Result<NodeChain, NodeChainError> {
        let served = self.parse(Path::new(server), &served.to_string())?;
        let Some(mut given) = self.given()? else {
            return self.complete(served);
        };
        let differences = changes(&served.rollup.to_json(), &given.rollup.to_json());
        let differences = differences
            .into_iter()
            .map(|change| format!("{server}: {change}"));
        given.warnings.extend(differences);
        self.complete(given)
    }

    /// The rollup configuration that the flags name.
    fn given(&self) -> Result<Option<Source>, NodeChainError> {
        match (&self.rollup_config, &self.network) {
            (Some(_), Some(_)) => Err(NodeChainError::BothGiven),
            (None, None) => Ok(None),
            (Some(path), None) => Ok(Some(self.parse(path, &read(path)?)?)),
            (None, Some(name)) => {
                let rollup = Network::find(name)?.rollup_config()?;
                Ok(Some(Source {
                    json: rollup.to_json(),
                    rollup,
                    warnings: Vec::new(),
                }))
            }
        }
    }

    fn parse(&self, path: &Path, text: &str) -> Result<Source, NodeChainError> {
        let failed = |error| NodeChainError::Rollup {
            path: path.to_owned(),
            error,
        };
        let parsed = RollupConfig::parse(text, self.chain.ignore_unknown_keys).map_err(failed)?;
        Ok(Source {
            rollup: parsed.config,
            json: serde_json::from_str(text).map_err(|error| failed(error.into()))?,
            warnings: parsed.warnings,
        })
    }

    /// The files that say of the chain what rollup.json does not, for a folder of its own: names and
    /// texts.
    pub(crate) fn files(
        &self,
        config: &ChainConfig,
    ) -> Result<Vec<(&'static str, String)>, NodeChainError> {
        let mut files = Vec::new();
        if let Some(profile) = self.chain.profile_json(config) {
            files.push(("profile.json", profile));
        }
        if let Some(path) = &self.l1_chain_config
            && BlobSchedule::of_public_l1(config.rollup.l1_chain_id).is_none()
        {
            files.push(("l1-chain-config.json", read(path)?));
        }
        Ok(files)
    }

    /// Joins a rollup configuration with what the other flags say.
    fn complete(&self, source: Source) -> Result<NodeChain, NodeChainError> {
        let Source {
            rollup,
            mut json,
            mut warnings,
        } = source;
        let before = rollup.to_json();
        let rollup = self.overrides.overrides().apply(rollup);
        let after = rollup.to_json();
        warnings.extend(changes(&before, &after));
        for (key, value) in after.as_object().into_iter().flatten() {
            if before.get(key) != Some(value) {
                json[key] = value.clone();
            }
        }
        if rollup.lacks_pectra_blob_schedule() && !self.ignore_missing_pectra_blob_schedule {
            return Err(NodeChainError::PectraBlobScheduleMissing);
        }
        let mut overrides = self.chain.overrides().map_err(NodeChainError::Profile)?;
        if let Some(path) = &self.l1_chain_config {
            let error = |error| NodeChainError::L1Config {
                path: path.clone(),
                error,
            };
            let l1_chain_id = rollup.l1_chain_id;
            let config = L1ChainConfig::parse(&read(path)?).map_err(error)?;
            let given = config.of_chain(l1_chain_id).map_err(error)?;
            match BlobSchedule::of_public_l1(l1_chain_id) {
                None => overrides.l1_blob_schedule = Some(given),
                Some(known) if known == given => {}
                Some(_) => warnings.push(format!(
                    "{} is not used, as it is not in op-node: the blob schedule of L1 chain \
                     {l1_chain_id} is known, and is another one",
                    path.display()
                )),
            }
        }
        Ok(NodeChain {
            config: Arc::new(ChainConfig::new(rollup, overrides)?),
            rollup_json: json,
            warnings,
        })
    }
}

fn read(path: &Path) -> Result<String, NodeChainError> {
    fs::read_to_string(path).map_err(|error| NodeChainError::File {
        path: path.to_owned(),
        error,
    })
}

/// The keys of rollup.json that overrides have changed, one sentence each.
fn changes(before: &Value, after: &Value) -> Vec<String> {
    let keys = after.as_object().into_iter().flatten();
    keys.filter(|(key, value)| before.get(key.as_str()) != Some(value))
        .map(|(key, value)| match before.get(key.as_str()) {
            None => format!("{key} is overridden: {value} instead of nothing"),
            Some(before) => format!("{key} is overridden: {value} instead of {before}"),
        })
        .collect()
}

#[cfg(test)]
mod tests;
