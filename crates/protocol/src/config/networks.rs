//! Known chains: rollup configurations as data, for `--network`.
//!
//! The data is `networks.txt` beside this file, which says where it is from; a test compares it
//! with its sources, and writes it anew from them.

use super::{ParseError, RollupConfig};
use thiserror::Error;

/// One line a chain: its chain id, its names, its rollup.json.
const DATA: &str = include_str!("networks.txt");

/// A chain whose rollup configuration is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Chain id of the L2.
    pub chain_id: u64,
    names: &'static str,
    rollup: &'static str,
}

/// Why a known chain's configuration cannot be had.
#[derive(Debug, Error)]
pub enum NetworkError {
    /// Nothing is known of such a chain.
    #[error(
        "no chain {chain:?} is known; give its rollup.json (--rollup.config), or one of: {known}",
        chain = .0,
        known = known_names()
    )]
    Unknown(String),
    /// The data cannot be read, which a test rules out.
    #[error("the rollup configuration of {name} cannot be read: {error}")]
    Data {
        /// Which chain's.
        name: &'static str,
        /// What is wrong.
        error: ParseError,
    },
}

fn known_names() -> String {
    let names: Vec<_> = Network::all().map(|network| network.name()).collect();
    names.join(", ")
}

impl Network {
    /// All known chains, sorted by name.
    pub fn all() -> impl Iterator<Item = Self> {
        DATA.lines().filter_map(Self::read)
    }

    fn read(line: &'static str) -> Option<Self> {
        let (words, rollup) = line.split_at_checked(line.find('{')?)?;
        let (chain_id, names) = words.trim_end().split_once(' ')?;
        Some(Self {
            chain_id: chain_id.parse().ok()?,
            names,
            rollup,
        })
    }

    /// The chain of a name or of a chain id in decimal digits. Names are op-node's, in upper or
    /// lower case.
    pub fn find(name: &str) -> Result<Self, NetworkError> {
        let chain_id: Option<u64> = name.parse().ok();
        Self::all()
            .find(|network| {
                chain_id == Some(network.chain_id)
                    || network
                        .names()
                        .any(|known| known.eq_ignore_ascii_case(name))
            })
            .ok_or_else(|| NetworkError::Unknown(name.to_owned()))
    }

    /// The chain of a chain id.
    pub fn of_chain(chain_id: u64) -> Result<Self, NetworkError> {
        Self::find(&chain_id.to_string())
    }

    /// The chain's name, as op-node's `--network` takes it.
    pub fn name(&self) -> &'static str {
        self.names().next().unwrap_or_default()
    }

    /// All names of the chain, the first of which is [`Self::name`].
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.names.split(' ')
    }

    /// The chain's rollup configuration.
    pub fn rollup_config(&self) -> Result<RollupConfig, NetworkError> {
        match RollupConfig::parse(self.rollup, false) {
            Ok(parsed) => Ok(parsed.config),
            Err(error) => Err(NetworkError::Data {
                name: self.name(),
                error,
            }),
        }
    }
}
