//! What can go wrong with endpoints, and with what they say.

use crate::{UrlError, verify::VerifyError};
use alloy_primitives::B256;
use doppio_protocol::block::BlockId;
use std::{fmt, time::Duration};
use thiserror::Error;

/// Why one endpoint gave no usable answer.
#[derive(Debug, Error)]
pub enum Failure {
    /// The request did not come through.
    #[error("{0}")]
    Connection(String),
    /// An HTTP status that is no answer.
    #[error("HTTP status {0}")]
    Status(u16),
    /// The answer is longer than what is read of one.
    #[error("the answer is longer than {0} bytes")]
    TooLarge(usize),
    /// The endpoint will not give an answer as long as this.
    #[error("the endpoint refuses to give so long an answer: {0}")]
    AnswerRefused(String),
    /// The endpoint takes no batches, or none as long as this.
    #[error("the endpoint refuses the batch: {0}")]
    BatchRefused(String),
    /// Not JSON-RPC, or not the beacon API.
    #[error("a malformed answer: {0}")]
    Malformed(String),
    /// Too many requests.
    #[error("too many requests{}", retry_after.map_or_else(String::new, |time| format!("; to come back in {time:?}")))]
    RateLimited {
        /// When to come back, if it says so.
        retry_after: Option<Duration>,
    },
    /// The endpoint does not have the method.
    #[error("the endpoint has no {0}")]
    Unsupported(String),
    /// The endpoint says that it does not have what was asked for.
    #[error("not found: {0}")]
    NotFound(String),
    /// Any other error of the endpoint.
    #[error("{method} fails with {code}: {message}")]
    Refused {
        /// The method.
        method: String,
        /// JSON-RPC's code.
        code: i64,
        /// In the endpoint's words.
        message: String,
    },
    /// The answer is not what its hashes say.
    #[error("the answer is false: {0}")]
    False(#[from] VerifyError),
    /// It is left alone for so long.
    #[error("left alone for {0:?} more")]
    Waiting(Duration),
    /// The program ends.
    #[error("the program ends")]
    Ending,
}

/// An endpoint and its failure.
#[derive(Debug)]
pub struct EndpointFailure {
    /// Scheme, host and port.
    pub endpoint: String,
    /// What happened.
    pub failure: Failure,
}

impl fmt::Display for EndpointFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.endpoint, self.failure)
    }
}

/// Why L1 gives no answer now. Unless said otherwise, it may later.
#[derive(Debug, Error)]
pub enum L1Error {
    /// No endpoint gave a usable answer.
    #[error("no endpoint gives {what}: {}", list(failures))]
    NoAnswer {
        /// What was asked for.
        what: String,
        /// Each endpoint's failure.
        failures: Vec<EndpointFailure>,
    },
    /// Blobs that nobody has. A block that the beacon chain has keeps its blobs for weeks: older ones
    /// need an archiver.
    #[error(
        "no beacon endpoint has the blobs {missing:?} of L1 block {block}, slot {slot}{}",
        and_list(failures)
    )]
    BlobsMissing {
        /// The L1 block.
        block: BlockId,
        /// Its slot.
        slot: u64,
        /// Versioned hashes of the blobs.
        missing: Vec<B256>,
        /// Endpoints that failed otherwise than by not having them.
        failures: Vec<EndpointFailure>,
    },
    /// The block is no longer on the canonical chain, so what belongs to it may be gone for good.
    #[error("L1 block {0} is no longer canonical")]
    NotCanonical(BlockId),
    /// Blobs are needed, and no beacon endpoint is given.
    #[error("blobs are needed, and there is no beacon endpoint: give one with --l1.beacon")]
    NoBeacon,
    /// The beacon node's answers give no slot.
    #[error("{0}")]
    Slots(#[from] SlotError),
    /// L1 was reorganised deeper than the follower remembers: find the start again.
    #[error("L1 was reorganised to below block {oldest}, the oldest that is remembered")]
    ReorgTooDeep {
        /// The oldest block that is remembered.
        oldest: BlockId,
    },
    /// Endpoints do not agree on which blocks are canonical.
    #[error(
        "the endpoints do not agree: L1 block {next} does not extend {tip}, which is canonical all the same"
    )]
    Disagreement {
        /// The last block that was read.
        tip: BlockId,
        /// What came for the block after it.
        next: BlockId,
    },
}

/// Why a block's time gives no slot. It will not later, either: the configuration is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SlotError {
    /// The block is older than the beacon chain.
    #[error("L1 block time {time} is before the beacon chain's genesis time {genesis}")]
    BeforeGenesis {
        /// Of the block.
        time: u64,
        /// Of the beacon chain.
        genesis: u64,
    },
    /// A slot of no seconds.
    #[error(
        "the beacon node says that a slot has 0 seconds: give --l1.beacon.slot-duration-override"
    )]
    NoDuration,
}

/// Why options are refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OptionsError {
    /// An address, or a header for it, cannot be used.
    #[error("{flag}: {error}")]
    Url {
        /// The flag that gives it.
        flag: &'static str,
        /// What is wrong with it.
        error: UrlError,
    },
    /// No endpoint at all.
    #[error("no L1 endpoint is given: give one or more with --l1")]
    NoEndpoint,
    /// A limit of zero.
    #[error("{0} must not be 0")]
    Zero(&'static str),
}

fn list(failures: &[EndpointFailure]) -> String {
    if failures.is_empty() {
        return "all are backing off".to_owned();
    }
    let failures: Vec<String> = failures.iter().map(ToString::to_string).collect();
    failures.join("; ")
}

fn and_list(failures: &[EndpointFailure]) -> String {
    if failures.is_empty() {
        return String::new();
    }
    format!(" (and {})", list(failures))
}
