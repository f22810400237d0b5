//! Why a devnet does not start, or does not go on.

use super::{ports::Port, roles::Role};
use crate::{DevnetError, ProgramsError, SupersimError};
use doppio_protocol::config::Fork;
use std::{io, path::PathBuf, time::Duration};
use thiserror::Error;

/// Why a devnet does not start, or does not go on.
#[derive(Debug, Error)]
pub enum NetworkError {
    /// L1 or the chain cannot be made.
    #[error(transparent)]
    Devnet(#[from] DevnetError),
    /// anvil or supersim is missing, and npm does not bring it.
    #[error(transparent)]
    Programs(#[from] ProgramsError),
    /// npm is not there, or fails.
    #[error(
        "anvil and supersim are missing, and `{command}` in {} {reason}. Install Node.js (its npm \
         brings them), or set DOPPIO_PEERS to a folder that has anvil and supersim", folder.display()
    )]
    Npm {
        /// The command.
        command: String,
        /// Where it ran.
        folder: PathBuf,
        /// What happened.
        reason: String,
    },
    /// A devnet runs in this folder.
    #[error(
        "a devnet runs in {} already (process {process}): give this one a folder with --dir and \
         ports with --ports", folder.display()
    )]
    Locked {
        /// The folder.
        folder: PathBuf,
        /// Whose it is.
        process: String,
    },
    /// The folder has something else in it.
    #[error(
        "{} has files in it and no devnet: give --dir a folder that is empty or does not exist",
        .0.display()
    )]
    NotOurs(PathBuf),
    /// Half of a chain.
    #[error(
        "{} is missing, and the chain in {} began on it: remove the folder, and begin anew",
        missing.display(), folder.display()
    )]
    Lost {
        /// What is missing.
        missing: PathBuf,
        /// The devnet's folder.
        folder: PathBuf,
    },
    /// An option that the chain in the folder has settled.
    #[error(
        "{flag} cannot be changed: the chain in {} has begun. Leave it out, or begin another chain \
         in another --dir", folder.display()
    )]
    Settled {
        /// The flag.
        flag: &'static str,
        /// The devnet's folder.
        folder: PathBuf,
    },
    /// A port is in use.
    #[error(
        "port {number} ({what}) is taken: choose another with --port {port}={example}, or all with \
         --ports FIRST",
        what = port.what(), example = number.checked_add(1000).unwrap_or(20_000)
    )]
    PortTaken {
        /// What it is for.
        port: Port,
        /// Its number.
        number: u16,
    },
    /// No port is left.
    #[error("there are no free ports from {0} on: choose others with --ports FIRST")]
    NoPorts(u16),
    /// Forks out of order.
    #[error("--fork: {later} cannot come before {earlier}")]
    ForkOrder {
        /// The fork that must come first.
        earlier: Fork,
        /// The other one.
        later: Fork,
    },
    /// A fork that cannot be there from the first block.
    #[error(
        "--fork {0}=+0: the chain begins with the contracts of Isthmus, and only the block that \
         {0} begins with can upgrade them: take +1 or more"
    )]
    ForkAtGenesis(Fork),
    /// L1 cannot be somebody else's.
    #[error("--{flag} l1: L1 has the contracts and the accounts, and must be Doppio's own")]
    L1Replaced {
        /// Which option.
        flag: &'static str,
    },
    /// The chain's files and L1 do not belong together.
    #[error(
        "the chain in {} began on L1 block {expected}, and L1 has {found} there: remove the folder, \
         and begin anew", folder.display()
    )]
    OtherL1 {
        /// The devnet's folder.
        folder: PathBuf,
        /// By rollup.json.
        expected: String,
        /// What L1 has.
        found: String,
    },
    /// A role ended before the devnet was ready.
    #[error("{role} has ended ({status}) before it was ready. Its log, {}, ends with:\n{tail}", log.display())]
    Ended {
        /// The role.
        role: Role,
        /// How it ended.
        status: String,
        /// Its log.
        log: PathBuf,
        /// The end of its log.
        tail: String,
    },
    /// A role does not answer.
    #[error("{role} does not answer after {after:?}: {reason}. Its log is {}", log.display())]
    NotReady {
        /// The role.
        role: Role,
        /// How long was waited.
        after: Duration,
        /// What is missing.
        reason: String,
        /// Its log.
        log: PathBuf,
    },
    /// A role cannot be started.
    #[error("{role} cannot be started: {error}")]
    Spawn {
        /// The role.
        role: Role,
        /// What is wrong.
        error: io::Error,
    },
    /// The command of `--exec` cannot be started.
    #[error("`{command}` cannot be started: {error}")]
    Exec {
        /// The command.
        command: String,
        /// What is wrong.
        error: io::Error,
    },
    /// No devnet to send traffic to.
    #[error("{}: {reason}. Start one with `doppio devnet`, or name its folder with --dir", file.display())]
    NoDevnet {
        /// devnet.json.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Traffic that is not in blocks.
    #[error("{missing} of {sent} transactions are in no block, or failed")]
    Traffic {
        /// How many were sent.
        sent: u64,
        /// How many of them did not arrive.
        missing: u64,
    },
}

impl From<SupersimError> for NetworkError {
    fn from(error: SupersimError) -> Self {
        Self::Devnet(error.into())
    }
}
