//! What a reader believes, as a file: the stake tables and, if there are, what L1 was seen to say.

use super::Trust;
use crate::{
    epochs::Epochs,
    light_client::LightClientState,
    stake_table::{StakeTable, StakeTableError},
};
use alloy_primitives::{Address, B256, U256};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use thiserror::Error;

/// Why a file does not say what to believe.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TrustError {
    /// Not its JSON.
    #[error("the file does not say what to believe: {0}")]
    Json(String),
    /// A key of the tables is no epoch.
    #[error("{0} is no epoch")]
    Epoch(String),
    /// A stake table is none.
    #[error("epoch {epoch}: {error}")]
    Table {
        /// The epoch.
        epoch: u64,
        /// What is wrong.
        error: StakeTableError,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// The rollup's chain id.
    namespace: u64,
    /// Blocks of an epoch.
    epoch_height: u64,
    /// How many blocks before an epoch's end a table is fixed.
    #[serde(default = "root_offset")]
    epoch_root_offset: u64,
    /// For each epoch a table, in any form in which services give it.
    stake_tables: BTreeMap<String, Value>,
    #[serde(default)]
    authenticator: Option<Address>,
    #[serde(default)]
    l1_blocks: Vec<B256>,
    #[serde(default)]
    light_client: Option<StateJson>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StateJson {
    view: u64,
    height: u64,
    root: U256,
}

const fn root_offset() -> u64 {
    5
}

impl Trust {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// If it is not one. An unknown key is refused: what is misspelt would not be believed.
    pub fn from_json(json: &str) -> Result<Self, TrustError> {
        let file: File =
            serde_json::from_str(json).map_err(|error| TrustError::Json(error.to_string()))?;
        let mut epochs = Epochs::new(file.epoch_height, file.epoch_root_offset);
        for (epoch, table) in file.stake_tables {
            let number: u64 = epoch.parse().map_err(|_| TrustError::Epoch(epoch))?;
            let table = StakeTable::from_json(&table.to_string());
            let table = table.map_err(|error| TrustError::Table {
                epoch: number,
                error,
            })?;
            epochs = epochs.with(number, table);
        }
        let state = |StateJson { view, height, root }| LightClientState { view, height, root };
        Ok(Self {
            epochs,
            light_client: file.light_client.map(state),
            l1_blocks: file.l1_blocks,
            namespace: file.namespace,
            authenticator: file.authenticator,
        })
    }
}
