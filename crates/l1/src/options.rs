//! What an operator can set.

use crate::{
    failure::OptionsError,
    meter::{self, Meter},
    receipts_method::RpcKind,
};
use std::time::Duration;

/// How to reach L1. The defaults are op-node's where it has such a setting.
#[derive(Clone, Debug)]
pub struct L1Options {
    /// URLs of JSON-RPC endpoints, the preferred first (`--l1`).
    pub endpoints: Vec<String>,
    /// Kind of the endpoints (`--l1.rpckind`).
    pub rpc_kind: RpcKind,
    /// Most requests at a time to one endpoint (`--l1.max-concurrency`).
    pub max_concurrency: usize,
    /// Most calls a second to one endpoint; none for no limit (`--l1.rpc-rate-limit`).
    pub rate_limit: Option<f64>,
    /// Most calls in a batch (`--l1.rpc-max-batch-size`).
    pub max_batch: usize,
    /// Most blocks that are kept (`--l1.cache-size`).
    pub cache_blocks: usize,
    /// Most bytes of blocks that are kept.
    pub cache_bytes: usize,
    /// Most bytes of blocks that are fetched ahead.
    pub prefetch_bytes: usize,
    /// Longest answer that is read, in bytes.
    pub max_answer_bytes: usize,
    /// Longest time for a request.
    pub timeout: Duration,
    /// Longest time to wait for endpoints that ask to be left alone, before an error is given.
    pub patience: Duration,
    /// Where blobs come from.
    pub beacon: BeaconOptions,
    /// Who is told of calls and of the cache.
    pub meter: Meter,
}

/// How to reach beacon nodes.
#[derive(Clone, Debug, Default)]
pub struct BeaconOptions {
    /// URLs of beacon nodes, the preferred first (`--l1.beacon`).
    pub endpoints: Vec<String>,
    /// URLs to ask for blobs that those do not have (`--l1.beacon-fallbacks`).
    pub fallbacks: Vec<String>,
    /// A header for each request to the beacon nodes, but not to the fallbacks, written
    /// `Name: value` (`--l1.beacon-header`).
    pub header: Option<String>,
    /// Seconds of a slot, where `/eth/v1/config/spec` is not to be asked
    /// (`--l1.beacon.slot-duration-override`).
    pub slot_duration: Option<u64>,
}

impl Default for L1Options {
    fn default() -> Self {
        Self {
            endpoints: Vec::new(),
            rpc_kind: RpcKind::Standard,
            max_concurrency: 10,
            rate_limit: None,
            max_batch: 20,
            cache_blocks: 900,
            cache_bytes: 64 << 20,
            prefetch_bytes: 64 << 20,
            max_answer_bytes: 32 << 20,
            timeout: Duration::from_secs(10),
            patience: Duration::from_secs(10),
            beacon: BeaconOptions::default(),
            meter: meter::ignore,
        }
    }
}

impl L1Options {
    /// Checks what does not need the endpoints.
    pub(crate) fn check(&self) -> Result<(), OptionsError> {
        if self.endpoints.is_empty() {
            return Err(OptionsError::NoEndpoint);
        }
        for (name, value) in [
            ("--l1.max-concurrency", self.max_concurrency),
            ("--l1.rpc-max-batch-size", self.max_batch),
        ] {
            if value == 0 {
                return Err(OptionsError::Zero(name));
            }
        }
        Ok(())
    }
}
