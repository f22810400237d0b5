//! `debug_trace*`: what happened inside a transaction, instruction by instruction or call by call.
//!
//! Blocks are executed again exactly as they were ([`BlockExecution`]), and [`Hooks`] listen while
//! the transactions run that are asked about. Tracers, their options and their answers are
//! op-geth's.

mod calls;
mod fault;
mod hooks;
mod precompile;
mod prestate;
mod state;
mod struct_logs;
mod tracer;

pub(super) use self::{
    hooks::{Bounds, Hooks},
    state::{Settled, StateView},
    tracer::{Exit, Start, Step, Tracer},
};
use super::{
    call::{CallArgs, Trial, refused},
    chain::{BlockHeader, Chain, StoredBlock},
    methods::{Method, method},
    overrides::{BlockOverrides, StateOverrides},
};
use crate::{
    block::input_of,
    execute::{BlockExecution, ExecuteError},
    state::StateAt,
    store::BranchOf,
    transaction::{BlockTransaction, decode_transactions},
};
use alloy_consensus::Transaction;
use alloy_eips::{BlockId, BlockNumberOrTag, Encodable2718};
use alloy_evm::Evm;
use alloy_primitives::{B256, Bytes};
use doppio_protocol::{config::Fork, duration::parse_duration, l2::L2Block};
use doppio_rpc::{Params, Quantity64, RpcError};
use revm::{
    DatabaseCommit,
    context_interface::{Transaction as _, transaction::AuthorizationTr},
    database::BundleState,
};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const METHODS: &[Method] = &[
    method("debug_traceTransaction", 2, trace_transaction),
    method("debug_traceBlockByNumber", 2, trace_block_by_number),
    method("debug_traceBlockByHash", 2, trace_block_by_hash),
    method("debug_traceBlock", 2, trace_raw_block),
    method("debug_traceCall", 3, trace_call),
];

/// How to trace.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Config {
    /// None for struct logs.
    tracer: Option<String>,
    tracer_config: Option<Value>,
    timeout: Option<String>,
    /// How many blocks may be executed again to get at a state; here every state is kept.
    #[serde(rename = "reexec")]
    _reexec: Option<u64>,
    #[serde(flatten)]
    struct_logs: struct_logs::Options,
}

/// How to trace a call.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CallConfig {
    #[serde(flatten)]
    config: Config,
    state_overrides: Option<StateOverrides>,
    block_overrides: Option<BlockOverrides>,
    /// Trace the call before this transaction of the block, not after them all.
    tx_index: Option<Quantity64>,
}

type Tracers = Vec<(String, Box<dyn Tracer>)>;

impl Config {
    fn tracers(&self) -> Result<Tracers, RpcError> {
        let Some(name) = &self.tracer else {
            let logs = struct_logs::StructLogs::new(self.struct_logs);
            return Ok(vec![(String::new(), Box::new(logs))]);
        };
        let config = self.tracer_config.clone().unwrap_or_default();
        if name != "muxTracer" {
            return Ok(vec![(name.clone(), tracer(name, config)?)]);
        }
        let configs: serde_json::Map<String, Value> = options(config)?;
        let tracers = configs.into_iter();
        tracers
            .map(|(name, config)| {
                let tracer = tracer(&name, config)?;
                Ok((name, tracer))
            })
            .collect()
    }

    /// What the answers of the tracers come to.
    fn answer(&self, mut answers: Vec<(String, Value)>) -> Value {
        if self.tracer.as_deref() == Some("muxTracer") {
            return Value::Object(answers.into_iter().collect());
        }
        answers.pop().map_or(Value::Null, |(_, answer)| answer)
    }

    fn bounds(&self, chain: &Chain<'_>) -> Result<Bounds, RpcError> {
        let most = chain.settings.trace_timeout;
        let time = match &self.timeout {
            None => most,
            Some(text) => parse_duration(text)
                .map_err(|_| RpcError::failed(format!("time: invalid duration {text:?}")))?
                .min(most),
        };
        Ok(Bounds {
            time,
            bytes: chain.settings.max_trace_bytes,
        })
    }
}

/// A tracer by its name.
fn tracer(name: &str, config: Value) -> Result<Box<dyn Tracer>, RpcError> {
    Ok(match name {
        "callTracer" => Box::new(calls::Calls::new(options(config)?)),
        "4byteTracer" => Box::<calls::Selectors>::default(),
        "prestateTracer" => Box::new(prestate::Prestate::new(options(config)?)?),
        "noopTracer" => Box::new(calls::Nothing),
        _ => {
            return Err(RpcError::failed(format!(
                "unknown tracer {name:?}: there are callTracer, prestateTracer, 4byteTracer, \
                 noopTracer, muxTracer, and struct logs if none is named"
            )));
        }
    })
}

fn options<T: Default + for<'de> Deserialize<'de>>(config: Value) -> Result<T, RpcError> {
    if config.is_null() {
        return Ok(T::default());
    }
    serde_json::from_value(config)
        .map_err(|error| RpcError::failed(format!("invalid tracerConfig: {error}")))
}

/// A block that is executed again.
struct Again<'a> {
    chain: &'a Chain<'a>,
    block: &'a StoredBlock,
    transactions: Vec<BlockTransaction>,
    execution: BlockExecution<'a, BranchOf, Hooks>,
}

fn failed(error: ExecuteError) -> RpcError {
    if error.is_invalid_block() {
        RpcError::failed(format!("tracing failed: {error}"))
    } else {
        RpcError::internal(error.to_string())
    }
}

impl<'a> Again<'a> {
    fn begin(chain: &'a Chain<'a>, block: &'a StoredBlock) -> Result<Self, RpcError> {
        let number = block.header.number;
        if number <= chain.settings.first_block {
            return Err(RpcError::failed("genesis is not traceable"));
        }
        let parent_hash = block.header.parent_hash;
        let parent = chain
            .by_hash(parent_hash)?
            .ok_or_else(|| RpcError::failed(format!("block {parent_hash} not found")))?;
        let transactions = decode_transactions(&block.transactions)
            .map_err(|error| RpcError::failed(format!("could not decode block: {error}")))?;
        let execution = BlockExecution::begin_inspected(
            chain.view.spec(),
            chain.state(&parent),
            (&parent.header, parent_hash),
            input_of(&block.header),
            Hooks::idle(),
        )
        .map_err(failed)?;
        Ok(Self {
            chain,
            block,
            transactions,
            execution,
        })
    }

    /// Executes transactions that are not asked about.
    fn skip(&mut self, count: usize) -> Result<(), RpcError> {
        for transaction in self.transactions.iter().take(count) {
            self.execution.execute(transaction).map_err(failed)?;
        }
        Ok(())
    }

    /// Executes the `index`-th transaction, whose turn it is, and traces it. Gives the answer and
    /// about how many bytes it has.
    fn trace(
        &mut self,
        index: usize,
        config: &Config,
        bounds: Bounds,
    ) -> Result<(Value, usize), RpcError> {
        let spec = self.chain.view.spec();
        let header = &self.block.header;
        let active = |fork| spec.active(fork, header.timestamp);
        let transaction = self
            .transactions
            .get(index)
            .ok_or_else(|| RpcError::failed("transaction not found"))?;
        let (from, inner) = (transaction.value().signer(), transaction.value().inner());
        let authorizations = inner.authorization_list().unwrap_or_default().iter();
        let start = Start {
            from,
            to: inner.to(),
            gas_limit: inner.gas_limit(),
            authorities: authorizations
                .filter_map(|authorization| authorization.recover_authority().ok())
                .collect(),
            fee_recipient: header.beneficiary,
            isthmus: active(Fork::Isthmus),
            ecotone: active(Fork::Ecotone),
        };
        let logs = self.execution.log_count();
        let mut hooks = Hooks::new(config.tracers()?, logs, bounds);
        let before = self.execution.gas_used();
        hooks.start(&start, &mut Settled(self.execution.database()))?;
        let mut hooks = self
            .execution
            .execute_inspected(transaction, hooks)
            .map_err(failed)?;
        if let Some(error) = hooks.stopped() {
            return Err(error);
        }
        let gas_used = self.execution.gas_used() - before;
        let size = hooks.size();
        let answers = hooks.finish(gas_used, &mut Settled(self.execution.database()))?;
        Ok((config.answer(answers), size))
    }
}

fn trace_transaction(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let hash: B256 = params.required()?;
    let config: Config = params.optional()?.unwrap_or_default();
    let bounds = config.bounds(&chain)?;
    let (block, index) = chain
        .transaction(hash)?
        .ok_or_else(|| RpcError::failed("transaction not found"))?;
    let mut again = Again::begin(&chain, &block)?;
    again.skip(index)?;
    again
        .trace(index, &config, bounds)
        .map(|(answer, _)| answer)
}

fn trace_block(
    chain: &Chain<'_>,
    block: &StoredBlock,
    params: &mut Params,
) -> Result<Value, RpcError> {
    let config: Config = params.optional()?.unwrap_or_default();
    let mut bounds = config.bounds(chain)?;
    let mut again = Again::begin(chain, block)?;
    let mut answers = Vec::new();
    for index in 0..again.transactions.len() {
        let hash = again.transactions[index].value().inner().trie_hash();
        let (answer, size) = again.trace(index, &config, bounds)?;
        bounds.bytes = bounds.bytes.saturating_sub(size);
        answers.push(json!({ "txHash": hash, "result": answer }));
    }
    Ok(Value::Array(answers))
}

/// A block that must be there.
fn stored(
    chain: &Chain<'_>,
    found: Option<BlockHeader>,
    name: impl FnOnce() -> String,
) -> Result<StoredBlock, RpcError> {
    let found = found.ok_or_else(|| RpcError::failed(format!("block {} not found", name())))?;
    chain.block(found)
}

/// A number as geth names a block that is not there.
fn number_of(number: BlockNumberOrTag) -> String {
    number
        .as_number()
        .map_or_else(|| number.to_string(), |number| format!("#{number}"))
}

fn trace_block_by_number(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let number: BlockNumberOrTag = params.required()?;
    let block = stored(&chain, chain.by_number(number)?, || number_of(number))?;
    trace_block(&chain, &block, params)
}

fn trace_block_by_hash(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let hash: B256 = params.required()?;
    let block = stored(&chain, chain.by_hash(hash)?, || hash.to_string())?;
    trace_block(&chain, &block, params)
}

/// A block that need not be known; its parent must be.
fn trace_raw_block(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let raw: Bytes = params.required()?;
    let block = L2Block::decode(&raw)
        .map_err(|error| RpcError::failed(format!("could not decode block: {error}")))?;
    let block = StoredBlock {
        hash: block.hash,
        header: block.header,
        transactions: block.transactions,
    };
    trace_block(&chain, &block, params)
}

/// What the first transactions of a block change.
fn changes(chain: &Chain<'_>, block: &StoredBlock, count: usize) -> Result<BundleState, RpcError> {
    let mut again = Again::begin(chain, block)?;
    let have = again.transactions.len();
    if count > have || (count == have && count > 0) {
        let hash = block.hash;
        return Err(RpcError::failed(format!(
            "transaction index {count} out of range for block {hash}"
        )));
    }
    again.skip(count)?;
    Ok(again.execution.into_changes())
}

/// The state in which a call is traced, before any overrides.
fn state_of_call(
    chain: &Chain<'_>,
    found: &BlockHeader,
    index: Option<Quantity64>,
) -> Result<(StateAt<BranchOf>, Option<BundleState>), RpcError> {
    let Some(Quantity64(index)) = index else {
        return Ok((chain.state(found), None));
    };
    if found.header.number <= chain.settings.first_block {
        return Err(RpcError::failed("no transaction in genesis"));
    }
    let count = usize::try_from(index).unwrap_or(usize::MAX);
    let block = chain.block(found.clone())?;
    let changes = changes(chain, &block, count)?;
    let parent = chain.by_hash(found.header.parent_hash)?;
    let parent = parent.ok_or_else(|| RpcError::failed("header not found"))?;
    Ok((chain.state(&parent), Some(changes)))
}

fn trace_call(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let args: CallArgs = params.required()?;
    let id: BlockId = params.required()?;
    let CallConfig {
        config,
        state_overrides,
        block_overrides,
        tx_index,
    } = params.optional()?.unwrap_or_default();
    if id == BlockId::Number(BlockNumberOrTag::Pending) {
        return Err(RpcError::failed(
            "tracing on top of pending is not supported",
        ));
    }
    let found = chain.find(id)?.ok_or_else(|| {
        let name = match id {
            BlockId::Number(number) => number_of(number),
            BlockId::Hash(hash) => hash.block_hash.to_string(),
        };
        RpcError::failed(format!("block {name} not found"))
    })?;
    let bounds = config.bounds(&chain)?;
    let (state, changes) = state_of_call(&chain, &found, tx_index)?;
    let transaction = args.transaction(chain.view.spec().chain_id, chain.settings.gas_cap)?;
    let mut trial = Trial::new(
        &chain,
        &found,
        &state,
        state_overrides.unwrap_or_default(),
        block_overrides.unwrap_or_default(),
    );
    if let Some(changes) = changes {
        trial.set_changes(changes);
    }
    let start = Start {
        from: transaction.caller,
        to: transaction.kind.to().copied(),
        gas_limit: transaction.gas_limit,
        authorities: transaction
            .authorization_list()
            .filter_map(|authorization| authorization.authority())
            .collect(),
        fee_recipient: trial.fee_recipient(),
        isthmus: trial.active(Fork::Isthmus),
        ecotone: trial.active(Fork::Ecotone),
    };
    let mut hooks = Hooks::new(config.tracers()?, 0, bounds);
    let mut database = trial.database()?;
    hooks.start(&start, &mut Settled(&mut database))?;
    let mut evm = trial.evm(&transaction, database, hooks);
    let outcome = trial.transact(&mut evm, &transaction);
    let (database, hooks, _) = evm.components_mut();
    if let Some(error) = hooks.stopped() {
        return Err(error);
    }
    let outcome = outcome.map_err(|why| refused(why, |text| format!("tracing failed: {text}")))?;
    database.commit(outcome.state);
    let hooks = core::mem::replace(hooks, Hooks::idle());
    let gas_used = outcome.result.tx_gas_used();
    let answers = hooks.finish(gas_used, &mut Settled(database))?;
    Ok(config.answer(answers))
}
