//! What goes wrong on purpose.

use alloy_primitives::B256;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Switches between an L1 and whoever asks it. All are off at first. Clones are the same switches.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    rpc: Endpoint,
    beacon: Endpoint,
    lost: BTreeSet<B256>,
    altered: BTreeSet<B256>,
    is_before_fusaka: bool,
}

/// What befalls all requests of a kind.
#[derive(Clone, Copy, Debug, Default)]
struct Endpoint {
    is_down: bool,
    delay: Duration,
    requests: u64,
}

/// Whom a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    Rpc,
    Beacon,
}

/// What is to happen to a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fate {
    /// Answered after this time.
    pub(super) delay: Duration,
    /// Answered with status 503 and nothing else.
    pub(super) is_refused: bool,
}

impl Faults {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// JSON-RPC answers every request with HTTP status 503.
    pub fn rpc_down(&self, is_down: bool) {
        self.state().rpc.is_down = is_down;
    }

    /// The beacon node answers every request with HTTP status 503.
    pub fn beacon_down(&self, is_down: bool) {
        self.state().beacon.is_down = is_down;
    }

    /// JSON-RPC answers so much later.
    pub fn rpc_delay(&self, delay: Duration) {
        self.state().rpc.delay = delay;
    }

    /// The beacon node answers so much later.
    pub fn beacon_delay(&self, delay: Duration) {
        self.state().beacon.delay = delay;
    }

    /// The beacon node does not have the blob with this versioned hash.
    pub fn lose_blob(&self, hash: B256) {
        self.state().lost.insert(hash);
    }

    /// The beacon node gives another blob in the place of this one.
    pub fn alter_blob(&self, hash: B256) {
        self.state().altered.insert(hash);
    }

    /// The beacon node has all blobs again, unaltered.
    pub fn restore_blobs(&self) {
        let mut state = self.state();
        state.lost.clear();
        state.altered.clear();
    }

    /// The beacon node has no `/eth/v1/beacon/blobs`: only `/eth/v1/beacon/blob_sidecars`, as nodes
    /// had before Fusaka.
    pub fn only_sidecars(&self, is_so: bool) {
        self.state().is_before_fusaka = is_so;
    }

    /// HTTP requests to JSON-RPC so far.
    pub fn rpc_requests(&self) -> u64 {
        self.state().rpc.requests
    }

    /// Requests to the beacon node so far.
    pub fn beacon_requests(&self) -> u64 {
        self.state().beacon.requests
    }

    /// Counts a request; what is to happen to it.
    pub(super) fn of_request(&self, to: To) -> Fate {
        let mut state = self.state();
        let endpoint = match to {
            To::Rpc => &mut state.rpc,
            To::Beacon => &mut state.beacon,
        };
        endpoint.requests += 1;
        Fate {
            delay: endpoint.delay,
            is_refused: endpoint.is_down,
        }
    }

    pub(super) fn has_only_sidecars(&self) -> bool {
        self.state().is_before_fusaka
    }

    pub(super) fn is_lost(&self, hash: &B256) -> bool {
        self.state().lost.contains(hash)
    }

    pub(super) fn is_altered(&self, hash: &B256) -> bool {
        self.state().altered.contains(hash)
    }
}
