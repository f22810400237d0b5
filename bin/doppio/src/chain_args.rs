//! Arguments that complete a chain's configuration.

use crate::output::CommandError;
use clap::Args;
use doppio_protocol::config::{
    AuthProfile, AuthRule, ChainConfig, ChainProfile, Overrides, ProfileError,
};
use std::path::Path;

/// What rollup.json does not say.
#[derive(Debug, Args)]
pub(crate) struct ChainArgs {
    /// Accept keys of rollup.json that no supported node knows
    #[arg(
        long = "rollup.ignore-unknown-keys",
        env = "DOPPIO_CHAIN_IGNORE_UNKNOWN_KEYS"
    )]
    pub(crate) ignore_unknown_keys: bool,

    /// Chain profile: upstream, celo, or a file. Default: by chain; for a recorded chain, its
    /// folder's profile.json
    #[arg(long, env = "DOPPIO_CHAIN_PROFILE", value_name = "NAME|FILE")]
    profile: Option<String>,

    /// Who may post batches, instead of what rollup.json and the profile say: sender,
    /// inbox-contract, inbox-contract-inline, auth-event, auth-event-caller or
    /// auth-event-caller-delayed
    #[arg(long, env = "DOPPIO_CHAIN_BATCH_AUTH", value_name = "RULE")]
    batch_auth: Option<AuthRule>,

    /// L1 time, in seconds since the Unix epoch, from which that rule holds
    #[arg(long, env = "DOPPIO_CHAIN_AUTH_FROM", value_name = "L1 TIME")]
    auth_from: Option<u64>,
}

impl ChainArgs {
    /// The overrides that the arguments ask for.
    pub(crate) fn overrides(&self) -> Result<Overrides, CommandError> {
        let profile = match &self.profile {
            None => None,
            Some(name) => Some(read_profile(name)?),
        };
        Ok(Overrides {
            profile,
            batch_auth: self.batch_auth,
            auth_from: self.auth_from,
            l1_blob_schedule: None,
        })
    }
}

impl ChainArgs {
    /// The profile as a file has it, with the rule that the arguments name; none where it is what
    /// the chain calls for.
    pub(crate) fn profile_json(&self, config: &ChainConfig) -> Option<String> {
        if self.profile.is_none() && self.batch_auth.is_none() {
            return None;
        }
        let mut profile = config.profile.clone();
        if let Some(rule) = self.batch_auth {
            profile.batch_auth = Some(AuthProfile {
                rule,
                from: Some(config.batch_auth.from),
            });
        }
        serde_json::to_string_pretty(&profile).ok()
    }
}

/// A profile by its name, or else out of a file.
pub(crate) fn read_profile(name: &str) -> Result<ChainProfile, CommandError> {
    match ChainProfile::named(name) {
        Err(ProfileError::Unknown(_)) if Path::new(name).exists() => {
            Ok(ChainProfile::parse(&std::fs::read_to_string(name)?)?)
        }
        result => Ok(result?),
    }
}
