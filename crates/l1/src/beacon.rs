//! Blobs from beacon nodes and archivers.

use crate::{
    endpoint::EndpointStatus,
    failure::{EndpointFailure, Failure, L1Error, OptionsError, SlotError},
    fetch::blocking,
    health::Health,
    options::L1Options,
    verify::read_blobs,
};
use alloy_primitives::B256;
use doppio_protocol::{L1BlockRef, blob::Blob};
use doppio_rpc::{Http, Target};
use serde::{Deserialize, de::DeserializeOwned};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Most versioned hashes in one request's address.
const HASHES_OF_A_REQUEST: usize = 64;

/// Beacon nodes and archivers.
#[derive(Debug)]
pub(crate) struct Beacon {
    http: Http,
    nodes: Vec<Node>,
    slot_duration: Option<u64>,
    timeout: Duration,
    max_answer: usize,
}

#[derive(Debug)]
struct Node {
    target: Target,
    is_fallback: bool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    health: Health,
    /// Where blobs came from last.
    way: Way,
    /// The node's own; archivers may have none.
    clock: Option<Clock>,
    requests: u64,
}

/// The two endpoints of the beacon API that give blobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Way {
    /// `/eth/v1/beacon/blobs`, from Fusaka on.
    #[default]
    Blobs,
    /// `/eth/v1/beacon/blob_sidecars`, which nodes give up since.
    Sidecars,
}

/// How a time becomes a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Clock {
    genesis: u64,
    slot_duration: u64,
}

impl Clock {
    fn slot(self, time: u64) -> Result<u64, SlotError> {
        let genesis = self.genesis;
        let since = time
            .checked_sub(genesis)
            .ok_or(SlotError::BeforeGenesis { time, genesis })?;
        since
            .checked_div(self.slot_duration)
            .ok_or(SlotError::NoDuration)
    }
}

#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

#[derive(Deserialize)]
struct GenesisJson {
    genesis_time: Decimal,
}

#[derive(Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
struct SpecJson {
    #[serde(default)]
    seconds_per_slot: Option<Decimal>,
    /// What later forks have in its place.
    #[serde(default)]
    slot_duration_ms: Option<Decimal>,
}

/// A number in decimal, as the beacon API writes it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct Decimal(u64);

impl TryFrom<String> for Decimal {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

impl Node {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Beacon {
    pub(crate) fn new(http: Http, options: &L1Options) -> Result<Self, OptionsError> {
        let beacon = &options.beacon;
        let mut nodes = Vec::new();
        for (flag, urls, is_fallback) in [
            ("--l1.beacon", &beacon.endpoints, false),
            ("--l1.beacon-fallbacks", &beacon.fallbacks, true),
        ] {
            for url in urls {
                let target = Target::parse(url);
                let mut target = target.map_err(|error| OptionsError::Url { flag, error })?;
                if let Some(header) = beacon.header.as_ref().filter(|_| !is_fallback) {
                    let flag = "--l1.beacon-header";
                    let with_header = target.with_header(header);
                    target = with_header.map_err(|error| OptionsError::Url { flag, error })?;
                }
                nodes.push(Node {
                    target,
                    is_fallback,
                    state: Mutex::default(),
                });
            }
        }
        Ok(Self {
            http,
            nodes,
            slot_duration: beacon.slot_duration.filter(|seconds| *seconds != 0),
            timeout: options.timeout,
            max_answer: options.max_answer_bytes,
        })
    }

    pub(crate) fn status(&self) -> Vec<EndpointStatus> {
        let now = Instant::now();
        let status = |node: &Node| {
            let state = node.state();
            EndpointStatus {
                endpoint: node.target.name().to_owned(),
                score: state.health.score,
                is_waiting: !state.health.is_ready(now),
                is_distrusted: state.health.is_distrusted(now),
                requests: state.requests,
                calls: state.requests,
                falsehoods: state.health.falsehoods,
                batch_limit: 1,
            }
        };
        self.nodes.iter().map(status).collect()
    }

    /// The blobs of a block with these versioned hashes, in their order. Each node is asked for what
    /// is still lacking, the fallbacks last.
    pub(crate) async fn blobs(
        &self,
        block: &L1BlockRef,
        hashes: &[B256],
    ) -> Result<Vec<Box<Blob>>, L1Error> {
        if hashes.is_empty() {
            return Ok(Vec::new());
        }
        if self.nodes.is_empty() {
            return Err(L1Error::NoBeacon);
        }
        let mut found: Vec<Option<Box<Blob>>> = vec![None; hashes.len()];
        let mut failures = Vec::new();
        let mut slot_error = None;
        let mut last_slot = 0;
        let now = Instant::now();
        let mut nodes: Vec<&Node> = self.nodes.iter().collect();
        nodes.sort_by_key(|node| {
            let (is_distrusted, _, score) = node.state().health.rank(now);
            (is_distrusted, node.is_fallback, score)
        });
        for node in nodes {
            let lacking: Vec<usize> = (0..hashes.len())
                .filter(|&index| found[index].is_none())
                .collect();
            if lacking.is_empty() {
                break;
            }
            if let Some(wait) = node.state().health.wait(now) {
                failures.push(EndpointFailure {
                    endpoint: node.target.name().to_owned(),
                    failure: Failure::Waiting(wait),
                });
                continue;
            }
            let wanted: Vec<B256> = lacking.iter().map(|&index| hashes[index]).collect();
            let result = match self.clock(node).await {
                Ok(clock) => match clock.slot(block.timestamp) {
                    Ok(slot) => {
                        last_slot = slot;
                        self.ask(node, slot, &wanted).await
                    }
                    Err(error) => {
                        node.state().clock = None;
                        slot_error = Some(error);
                        continue;
                    }
                },
                Err(failure) => Err(failure),
            };
            match result {
                Ok(blobs) => {
                    node.state().health.succeeded();
                    if blobs.iter().any(Option::is_none) {
                        // perhaps it was looked for in a wrong slot: nothing proves what it said of
                        // slots, so it is asked again
                        node.state().clock = None;
                    }
                    for (index, blob) in lacking.into_iter().zip(blobs) {
                        found[index] = blob;
                    }
                }
                Err(failure) => {
                    if matches!(failure, Failure::False(_)) {
                        tracing::warn!(endpoint = node.target.name(), block = %block.number, "beacon endpoint's answer is false: {failure}");
                    }
                    node.state().health.failed(&failure, Instant::now());
                    failures.push(EndpointFailure {
                        endpoint: node.target.name().to_owned(),
                        failure,
                    });
                }
            }
        }
        let missing: Vec<B256> = (hashes.iter().zip(&found))
            .filter(|(_, blob)| blob.is_none())
            .map(|(hash, _)| *hash)
            .collect();
        match slot_error {
            _ if missing.is_empty() => Ok(found.into_iter().flatten().collect()),
            Some(error) if failures.is_empty() => Err(error.into()),
            _ => Err(L1Error::BlobsMissing {
                block: doppio_protocol::block::BlockId {
                    hash: block.hash,
                    number: block.number,
                },
                slot: last_slot,
                missing,
                failures,
            }),
        }
    }

    /// How the node counts slots: by its own word, so that a false one does harm to it alone; by
    /// another's where it has none, as archivers do.
    async fn clock(&self, node: &Node) -> Result<Clock, Failure> {
        let own = self.own_clock(node).await;
        if own.is_ok() || !node.is_fallback {
            return own;
        }
        for other in self.nodes.iter().filter(|node| !node.is_fallback) {
            if let Ok(clock) = self.own_clock(other).await {
                return Ok(clock);
            }
        }
        own
    }

    async fn own_clock(&self, node: &Node) -> Result<Clock, Failure> {
        if let Some(clock) = node.state().clock {
            return Ok(clock);
        }
        let genesis: GenesisJson = self.get_data(node, "/eth/v1/beacon/genesis").await?;
        let slot_duration = match self.slot_duration {
            Some(seconds) => seconds,
            None => {
                let spec: SpecJson =
                    self.get_data(node, "/eth/v1/config/spec")
                        .await
                        .map_err(|failure| match failure {
                            Failure::NotFound(_) => Failure::Unsupported(
                                "/eth/v1/config/spec: give --l1.beacon.slot-duration-override"
                                    .to_owned(),
                            ),
                            failure => failure,
                        })?;
                let from_milliseconds = spec.slot_duration_ms.map(|time| time.0 / 1000);
                let seconds = spec.seconds_per_slot.map(|time| time.0);
                seconds.or(from_milliseconds).unwrap_or(0)
            }
        };
        let clock = Clock {
            genesis: genesis.genesis_time.0,
            slot_duration,
        };
        node.state().clock = Some(clock);
        Ok(clock)
    }

    async fn get_data<T: DeserializeOwned>(&self, node: &Node, path: &str) -> Result<T, Failure> {
        let body = self.get(node, path).await?;
        let answer: Data<T> =
            serde_json::from_slice(&body).map_err(|error| Failure::Malformed(error.to_string()))?;
        Ok(answer.data)
    }

    /// The blobs that a node has, by whichever way it has.
    // spec: opstack-2026-09 2 *2
    async fn ask(
        &self,
        node: &Node,
        slot: u64,
        hashes: &[B256],
    ) -> Result<Vec<Option<Box<Blob>>>, Failure> {
        let first = node.state().way;
        let ways = match first {
            Way::Blobs => [Way::Blobs, Way::Sidecars],
            Way::Sidecars => [Way::Sidecars, Way::Blobs],
        };
        let mut found = Vec::with_capacity(hashes.len());
        for hashes in hashes.chunks(HASHES_OF_A_REQUEST) {
            let mut part = vec![None; hashes.len()];
            for way in ways {
                let path = match way {
                    Way::Blobs => {
                        let query: Vec<String> = hashes
                            .iter()
                            .map(|hash| format!("versioned_hashes={hash}"))
                            .collect();
                        format!("/eth/v1/beacon/blobs/{slot}?{}", query.join("&"))
                    }
                    Way::Sidecars => format!("/eth/v1/beacon/blob_sidecars/{slot}"),
                };
                match self.get(node, &path).await {
                    Ok(body) => {
                        let hashes = hashes.to_vec();
                        part = blocking(move || {
                            let json = std::str::from_utf8(&body).unwrap_or_default();
                            read_blobs(&hashes, json)
                        })
                        .await?;
                        node.state().way = way;
                        break;
                    }
                    // No such way, or no such blobs: the other way tells.
                    Err(Failure::NotFound(_) | Failure::Unsupported(_)) => {}
                    Err(failure) => return Err(failure),
                }
            }
            found.append(&mut part);
        }
        Ok(found)
    }

    async fn get(&self, node: &Node, path: &str) -> Result<alloy_primitives::Bytes, Failure> {
        node.state().requests += 1;
        let answer = self
            .http
            .get(&node.target, path, self.max_answer, self.timeout)
            .await?;
        let shown = || path.split('?').next().unwrap_or_default().to_owned();
        match answer.status.as_u16() {
            200..=299 => Ok(answer.body),
            404 => Err(Failure::NotFound(shown())),
            400 | 405 | 410 | 501 => Err(Failure::Unsupported(shown())),
            429 => Err(Failure::RateLimited {
                retry_after: answer.retry_after,
            }),
            status => Err(Failure::Status(status)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_the_whole_durations_since_genesis() {
        // Ethereum's mainnet: slot 9,000,000 was at 1,714,824,023
        let clock = Clock {
            genesis: 1_606_824_023,
            slot_duration: 12,
        };
        assert_eq!(clock.slot(1_714_824_023), Ok(9_000_000));
        assert_eq!(clock.slot(1_714_824_034), Ok(9_000_000));
        assert_eq!(
            clock.slot(1_606_824_022),
            Err(SlotError::BeforeGenesis {
                time: 1_606_824_022,
                genesis: 1_606_824_023
            })
        );
        let stopped = Clock {
            genesis: 0,
            slot_duration: 0,
        };
        assert_eq!(stopped.slot(1), Err(SlotError::NoDuration));
    }
}
