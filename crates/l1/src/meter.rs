//! What is told of each call and each look into the cache, for whoever keeps metrics.

use std::time::Duration;

/// Something that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// A call goes to an endpoint, perhaps as one of a batch.
    Called {
        /// The method.
        method: &'static str,
    },
    /// A call is over, with an answer or without.
    Done {
        /// The method.
        method: &'static str,
        /// Of its request, from the first byte sent to the last one read.
        took: Duration,
    },
    /// A call was answered.
    Answered {
        /// The method.
        method: &'static str,
        /// JSON-RPC's code, if the answer is an error.
        error: Option<i64>,
    },
    /// Something was looked for in a cache.
    CacheGet {
        /// What the cache holds.
        cache: CacheKind,
        /// Whether it was there.
        hit: bool,
    },
    /// Something was put into a cache.
    CacheAdd {
        /// What the cache holds.
        cache: CacheKind,
        /// Whether something had to go for it.
        evicted: bool,
        /// How many things are in it now.
        size: usize,
    },
}

/// What a cache holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheKind {
    /// Blocks with their receipts.
    Blocks,
    /// Headers.
    Headers,
}

/// Takes what is measured. It is called often, and must not wait for anything.
pub type Meter = fn(Measured);

/// Keeps nothing.
pub(crate) const fn ignore(_: Measured) {}
