//! Filters: feeds that clients fetch from time to time.

use super::{
    chain::Chain,
    feed::{Feed, What},
    logs::{self, Filter},
    methods::{Method, method},
};
use alloy_primitives::{B128, map::HashMap};
use core::time::Duration;
use doppio_rpc::{HexIds, Params, RpcError};
use serde_json::{Value, json};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

pub(super) const METHODS: &[Method] = &[
    method("eth_newFilter", 1, new_filter),
    method("eth_newBlockFilter", 0, new_block_filter),
    method("eth_newPendingTransactionFilter", 1, new_pending_filter),
    method("eth_getFilterChanges", 1, changes),
    method("eth_getFilterLogs", 1, filter_logs),
    method("eth_uninstallFilter", 1, uninstall),
];

/// How long a filter lives that nobody asks; as geth's.
const LIFETIME: Duration = Duration::from_secs(5 * 60);

/// The filters of a chain's readers.
#[derive(Debug, Default)]
pub(super) struct Filters {
    ids: HexIds,
    known: Mutex<HashMap<B128, (Feed, Instant)>>,
}

impl Filters {
    fn known(&self) -> MutexGuard<'_, HashMap<B128, (Feed, Instant)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a filter. Those that nobody has asked for long go.
fn install(chain: &Chain<'_>, what: What) -> Result<Value, RpcError> {
    let id = chain.filters.ids.next();
    let mut known = chain.filters.known();
    known.retain(|_, (_, asked)| asked.elapsed() < LIFETIME);
    if known.len() >= chain.settings.max_filters {
        return Err(RpcError::failed(format!(
            "there are {} filters, and no more are allowed",
            known.len()
        )));
    }
    known.insert(id, (Feed::new(chain.view, what), Instant::now()));
    Ok(json!(id))
}

fn new_filter(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let filter: Filter = params.required()?;
    install(&chain, What::Logs(filter))
}

fn new_block_filter(chain: Chain<'_>, _: &mut Params) -> Result<Value, RpcError> {
    install(&chain, What::Blocks)
}

fn new_pending_filter(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let full = params.optional()?.unwrap_or_default();
    install(&chain, What::Pending { full })
}

fn unknown() -> RpcError {
    RpcError::failed("filter not found")
}

fn changes(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let id: B128 = params.required()?;
    // not held while blocks are read: two who ask at once may both be told the same
    let (mut feed, _) = chain
        .filters
        .known()
        .get(&id)
        .cloned()
        .ok_or_else(unknown)?;
    let found = feed.next(&chain);
    let mut known = chain.filters.known();
    if let Some(filter) = known.get_mut(&id) {
        match &found {
            Ok(_) => *filter = (feed, Instant::now()),
            // it can never catch up
            Err(_) => {
                known.remove(&id);
            }
        }
    }
    found.map(Value::Array)
}

fn filter_logs(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let id: B128 = params.required()?;
    let (feed, _) = chain
        .filters
        .known()
        .get(&id)
        .cloned()
        .ok_or_else(unknown)?;
    match feed.what {
        What::Logs(filter) => logs::find(&chain, &filter),
        _ => Err(unknown()),
    }
}

fn uninstall(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let id: B128 = params.required()?;
    Ok(json!(chain.filters.known().remove(&id).is_some()))
}
