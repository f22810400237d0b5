//! What can be called, and what answers.

use super::{
    access_list, accounts, blocks, call,
    chain::Chain,
    feed::{Feed, What},
    fees,
    filters::{self, Filters},
    logs, node, pool,
    subscription::ChainSubscription,
    trace,
};
use crate::{
    engine_api::{CAPABILITIES, EngineApi},
    view::View,
};
use alloy_primitives::U256;
use core::time::Duration;
use doppio_rpc::{MethodSet, Params, RpcError, Subscription};
use serde_json::Value;
use std::sync::Arc;

impl MethodSet for EngineApi {
    fn names(&self) -> Vec<&'static str> {
        let mut names = CAPABILITIES.to_vec();
        names.push("engine_exchangeCapabilities");
        names
    }

    fn call(&self, method: &str, params: Vec<Value>) -> Result<Value, RpcError> {
        Self::call(self, method, params)
    }
}

/// What the readers of a chain are told, and how much they may ask for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `config` of genesis.json, for `debug_chainConfig`.
    pub chain_config: Value,
    /// Height of the chain's first block.
    pub first_block: u64,
    /// Least priority fee that is suggested, in wei.
    pub min_priority_fee: u128,
    /// Most priority fee that is suggested, in wei.
    pub max_priority_fee: u128,
    /// Most gas of a call or an estimate.
    pub gas_cap: u64,
    /// Longest time of a call or an estimate; none for as long as it takes.
    pub evm_timeout: Option<Duration>,
    /// Longest time for which a transaction is traced.
    pub trace_timeout: Duration,
    /// About how many bytes of traces a call may give at most.
    pub max_trace_bytes: usize,
    /// Most blocks that one query for logs may cover.
    pub max_log_blocks: u64,
    /// Most logs that one query may find.
    pub max_logs: usize,
    /// Most blocks of a fee history; more are not given.
    pub max_fee_history: u64,
    /// Most percentiles of a fee history.
    pub max_fee_percentiles: usize,
    /// Most storage slots that one call may ask proofs for.
    pub max_proof_keys: usize,
    /// Most filters at once.
    pub max_filters: usize,
    /// Most that a transaction that is sent may pay for its gas, in wei; 0 for any.
    pub tx_fee_cap: U256,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            chain_config: Value::Null,
            first_block: 0,
            min_priority_fee: 1_000_000,
            max_priority_fee: 500_000_000_000,
            gas_cap: 50_000_000,
            evm_timeout: Some(Duration::from_secs(5)),
            trace_timeout: Duration::from_secs(5),
            max_trace_bytes: 25_000_000,
            max_log_blocks: 100_000,
            max_logs: 20_000,
            max_fee_history: 1_024,
            max_fee_percentiles: 100,
            max_proof_keys: 1_024,
            max_filters: 10_000,
            tx_fee_cap: U256::from(1_000_000_000_000_000_000_u64),
        }
    }
}

/// A method of the chain's readers.
#[derive(Clone, Copy)]
pub(super) struct Method {
    pub(super) name: &'static str,
    /// Most arguments.
    pub(super) arguments: usize,
    pub(super) run: fn(Chain<'_>, &mut Params) -> Result<Value, RpcError>,
}

/// A method, by its name and the most arguments that it takes.
pub(super) const fn method(
    name: &'static str,
    arguments: usize,
    run: fn(Chain<'_>, &mut Params) -> Result<Value, RpcError>,
) -> Method {
    Method {
        name,
        arguments,
        run,
    }
}

const ALL: [&[Method]; 10] = [
    blocks::METHODS,
    accounts::METHODS,
    call::METHODS,
    access_list::METHODS,
    trace::METHODS,
    logs::METHODS,
    filters::METHODS,
    pool::METHODS,
    fees::METHODS,
    node::METHODS,
];

/// The methods that read a chain, and its pool: namespaces `eth`, `debug`, `miner`, `net`, `txpool`,
/// `web3`.
#[derive(Clone, Debug)]
pub struct ChainApi {
    view: Arc<View>,
    settings: Arc<Settings>,
    filters: Arc<Filters>,
    namespaces: Vec<String>,
}

impl ChainApi {
    /// The methods of some namespaces.
    pub fn new(view: Arc<View>, settings: Settings, namespaces: &[&str]) -> Self {
        Self {
            view,
            settings: Arc::new(settings),
            filters: Arc::default(),
            namespaces: namespaces.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    pub(super) fn chain(&self) -> Chain<'_> {
        Chain {
            view: &self.view,
            labels: self.view.labels(),
            settings: &self.settings,
            filters: &self.filters,
        }
    }

    pub(super) const fn view(&self) -> &Arc<View> {
        &self.view
    }

    fn methods(&self) -> impl Iterator<Item = &'static Method> {
        ALL.into_iter().flatten().filter(|method| {
            let (namespace, _) = method.name.split_once('_').unwrap_or_default();
            self.namespaces.iter().any(|name| name == namespace)
        })
    }
}

impl MethodSet for ChainApi {
    fn names(&self) -> Vec<&'static str> {
        self.methods().map(|method| method.name).collect()
    }

    fn call(&self, name: &str, params: Vec<Value>) -> Result<Value, RpcError> {
        let method = self
            .methods()
            .find(|method| method.name == name)
            .ok_or_else(|| RpcError::method_not_found(name))?;
        let mut params = Params::new(params, method.arguments)?;
        (method.run)(self.chain(), &mut params)
    }

    fn subscribes(&self) -> bool {
        self.namespaces.iter().any(|name| name == "eth")
    }

    fn subscribe(&self, params: Vec<Value>) -> Result<Box<dyn Subscription>, RpcError> {
        let mut params = Params::new(params, 2)?;
        let feed = Feed::new(&self.view, What::parse(&mut params)?);
        Ok(Box::new(ChainSubscription::new(self.clone(), feed)))
    }
}
