//! Whether the node makes blocks after a restart (`--rpc.admin-state`).

use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::{self, ErrorKind, Write},
    path::PathBuf,
};
use thiserror::Error;

/// Why the state cannot be kept.
#[derive(Debug, Error)]
pub enum AdminStateError {
    /// The file.
    #[error("the state file {path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        error: io::Error,
    },
    /// Not what this program or op-node writes.
    #[error("the state file {path} cannot be read: {error}")]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: serde_json::Error,
    },
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StateJson {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sequencer_started: Option<bool>,
}

/// The file, in op-node's format.
#[derive(Clone, Debug)]
pub struct AdminState {
    path: PathBuf,
}

impl AdminState {
    /// A file, which need not exist yet.
    pub const fn new(path: PathBuf) -> Self {
        Self { path }
    }

    fn failed(&self, error: io::Error) -> AdminStateError {
        AdminStateError::File {
            path: self.path.clone(),
            error,
        }
    }

    /// Whether the sequencer was started or stopped last; none if neither.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn is_sequencing(&self) -> Result<Option<bool>, AdminStateError> {
        let json = match fs::read(&self.path) {
            Ok(json) => json,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed(error)),
        };
        let state: StateJson =
            serde_json::from_slice(&json).map_err(|error| AdminStateError::Json {
                path: self.path.clone(),
                error,
            })?;
        Ok(state.sequencer_started)
    }

    /// Writes it down, so that a crash leaves the old state or the new one.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn set_sequencing(&self, is_sequencing: bool) -> Result<(), AdminStateError> {
        let state = StateJson {
            sequencer_started: Some(is_sequencing),
        };
        let json = serde_json::to_vec(&state).map_err(|error| AdminStateError::Json {
            path: self.path.clone(),
            error,
        })?;
        let mut name = self.path.clone().into_os_string();
        name.push(".new");
        let new = PathBuf::from(name);
        File::create(&new)
            .and_then(|mut file| {
                file.write_all(&json)?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&new, &self.path))
            .map_err(|error| self.failed(error))
    }
}
