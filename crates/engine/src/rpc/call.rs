//! `eth_call` and `eth_estimateGas`: transactions that never happen.
//!
//! They run in the state that a block left and in that block's own surroundings. Neither nonce nor
//! the sender's code is checked, L1 costs nothing, and the gas is capped.

use super::{
    chain::{BlockHeader, Chain},
    clock::Clock,
    methods::{Method, method},
    overrides::{BlockOverrides, StateOverrides},
};
use crate::{chain_spec::ChainSpec, execute::limit_pairing, state::StateAt, store::BranchOf};
use alloy_eips::{BlockId, eip2930::AccessList, eip7702::SignedAuthorization};
use alloy_evm::{Evm, EvmEnv, EvmFactory, precompiles::PrecompilesMap};
use alloy_op_evm::{OpEvm, OpEvmContext, OpEvmFactory, OpTx, OpTxError, env::evm_env_for_op_block};
use alloy_primitives::{Address, Bytes, TxKind, U256, hex};
use doppio_protocol::config::Fork;
use doppio_rpc::{Params, Quantity, Quantity64, RpcError, code, quantity};
use op_revm::{L1BlockInfo, OpHaltReason, OpSpecId, OpTransaction, OpTransactionError};
use revm::{
    Inspector,
    context::{
        TxEnv,
        result::{EVMError, ExecutionResult, HaltReason, InvalidTransaction, ResultAndState},
    },
    database::{BundleState, CacheDB},
};
use serde::Deserialize;
use serde_json::{Value, json};

pub(super) const METHODS: &[Method] = &[
    method("eth_call", 4, call),
    method("eth_estimateGas", 4, estimate_gas),
];

/// What a plain transfer costs.
const TRANSFER_GAS: u64 = 21_000;
/// Most gas of a transaction from Osaka on (EIP-7825).
const OSAKA_GAS_CAP: u64 = 1 << 24;
/// How far an estimate may be above the least gas that does; as geth's.
const ESTIMATE_RATIO: f64 = 0.015;
/// Gas that a call with value hands on for free, which an estimate must have in hand.
const CALL_STIPEND: u64 = 2_300;

/// The transaction that is asked about.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CallArgs {
    from: Address,
    to: Option<Address>,
    gas: Option<Quantity64>,
    gas_price: Option<Quantity>,
    max_fee_per_gas: Option<Quantity>,
    max_priority_fee_per_gas: Option<Quantity>,
    value: Option<Quantity>,
    nonce: Option<Quantity64>,
    data: Option<Bytes>,
    input: Option<Bytes>,
    access_list: Option<AccessList>,
    chain_id: Option<Quantity>,
    authorization_list: Option<Vec<SignedAuthorization>>,
    blob_versioned_hashes: Option<Value>,
}

fn number(quantity: Option<Quantity>) -> Option<U256> {
    quantity.map(|Quantity(value)| value)
}

fn price(what: &str, value: U256) -> Result<u128, RpcError> {
    u128::try_from(value)
        .map_err(|_| RpcError::failed(format!("{what} is above 2^128 - 1: {value}")))
}

impl CallArgs {
    /// The nonce, if it is given.
    pub(super) fn nonce(&self) -> Option<u64> {
        self.nonce.map(|Quantity64(nonce)| nonce)
    }

    /// Offers what a wallet would, if no price is given. `suggest` gives the priority fee.
    pub(super) fn set_fee_defaults(
        &mut self,
        base_fee: u64,
        suggest: impl FnOnce() -> Result<u128, RpcError>,
    ) -> Result<(), RpcError> {
        let (max, tip) = (self.max_fee_per_gas, self.max_priority_fee_per_gas);
        if let Some(Quantity(price)) = self.gas_price {
            return if max.is_none() && tip.is_none() && price.is_zero() {
                Err(RpcError::failed(
                    "gasPrice must be non-zero after london fork",
                ))
            } else {
                Ok(())
            };
        }
        if let (Some(Quantity(max)), Some(_)) = (max, tip)
            && max.is_zero()
        {
            return Err(RpcError::failed("maxFeePerGas must be non-zero"));
        }
        let tip = match tip {
            Some(Quantity(tip)) => tip,
            None => U256::from(suggest()?),
        };
        let max =
            number(max).unwrap_or_else(|| tip.saturating_add(U256::from(base_fee) * U256::from(2)));
        if max < tip {
            return Err(RpcError::failed(format!(
                "maxFeePerGas ({max:#x}) < maxPriorityFeePerGas ({tip:#x})"
            )));
        }
        self.max_fee_per_gas = Some(Quantity(max));
        self.max_priority_fee_per_gas = Some(Quantity(tip));
        Ok(())
    }

    /// The transaction, with at most `cap` gas.
    pub(super) fn transaction(self, chain_id: u64, cap: u64) -> Result<TxEnv, RpcError> {
        let tip_given = self.max_fee_per_gas.is_some() || self.max_priority_fee_per_gas.is_some();
        if self.gas_price.is_some() && tip_given {
            return Err(RpcError::failed(
                "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified",
            ));
        }
        if let Some(have) = number(self.chain_id)
            && have != U256::from(chain_id)
        {
            return Err(RpcError::failed(format!(
                "chainId does not match node's (have={have}, want={chain_id})"
            )));
        }
        if self.blob_versioned_hashes.is_some() {
            return Err(RpcError::failed("there are no blobs on an OP Stack chain"));
        }
        let fee = number(self.gas_price)
            .or(number(self.max_fee_per_gas))
            .unwrap_or_default();
        let tip = number(self.max_priority_fee_per_gas).unwrap_or_default();
        let mut transaction = TxEnv {
            caller: self.from,
            gas_limit: self.gas.map_or(cap, |Quantity64(gas)| gas.min(cap)),
            gas_price: price("maxFeePerGas", fee)?,
            gas_priority_fee: None,
            kind: self.to.map_or(TxKind::Create, TxKind::Call),
            value: number(self.value).unwrap_or_default(),
            data: self.input.or(self.data).unwrap_or_default(),
            nonce: self.nonce.unwrap_or_default().0,
            chain_id: Some(chain_id),
            access_list: self.access_list.unwrap_or_default(),
            ..TxEnv::default()
        };
        if tip_given {
            transaction.gas_priority_fee = Some(price("maxPriorityFeePerGas", tip)?);
        }
        if let Some(list) = self.authorization_list {
            transaction.set_signed_authorization(list);
            transaction.gas_priority_fee.get_or_insert(0);
        }
        transaction
            .derive_tx_type()
            .map_err(|error| RpcError::failed(format!("{error:?}")))?;
        Ok(transaction)
    }
}

/// Why there is no outcome.
#[derive(Debug)]
pub(super) enum Refused {
    /// Not for want of gas.
    Wrong(String),
    /// More gas would help, or less.
    Gas(String),
    /// The node's fault.
    Failed(RpcError),
}

/// A refusal as a call's failure; `text` puts what is wrong into words.
pub(super) fn refused(why: Refused, text: impl FnOnce(String) -> String) -> RpcError {
    match why {
        Refused::Wrong(what) | Refused::Gas(what) => RpcError::failed(text(what)),
        Refused::Failed(error) => error,
    }
}

type TrialDb<'a> = CacheDB<&'a StateAt<BranchOf>>;
type TrialEvm<'a, I> = OpEvm<TrialDb<'a>, I, PrecompilesMap, OpTx>;

/// Where transactions are tried.
pub(super) struct Trial<'a> {
    spec: &'a ChainSpec,
    state: &'a StateAt<BranchOf>,
    env: EvmEnv<OpSpecId>,
    /// Time of the block, which says what forks are active.
    time: u64,
    /// What happened since the state.
    changes: BundleState,
    overrides: StateOverrides,
    clock: Clock,
}

impl<'a> Trial<'a> {
    pub(super) fn new(
        chain: &Chain<'a>,
        block: &BlockHeader,
        state: &'a StateAt<BranchOf>,
        overrides: StateOverrides,
        block_overrides: BlockOverrides,
    ) -> Self {
        let spec = chain.view.spec();
        let mut env = evm_env_for_op_block(&block.header, spec.hardforks(), spec.chain_id);
        env.cfg_env.disable_nonce_check = true;
        env.cfg_env.disable_eip3607 = true;
        env.cfg_env.disable_block_gas_limit = true;
        env.cfg_env.tx_gas_limit_cap = Some(u64::MAX);
        block_overrides.apply(&mut env.block_env);
        Self {
            spec,
            state,
            time: block.header.timestamp,
            env,
            changes: BundleState::default(),
            overrides,
            clock: Clock::start(chain.settings.evm_timeout),
        }
    }

    /// Whether a fork is active.
    pub(super) fn active(&self, fork: Fork) -> bool {
        self.spec.active(fork, self.time)
    }

    /// Who gets the priority fees.
    pub(super) const fn fee_recipient(&self) -> Address {
        self.env.block_env.beneficiary
    }

    /// Says what happened since the state.
    pub(super) fn set_changes(&mut self, changes: BundleState) {
        self.changes = changes;
    }

    /// The state, with what it is overridden with.
    pub(super) fn database(&self) -> Result<TrialDb<'a>, RpcError> {
        let mut database = CacheDB::new(self.state);
        for (address, changed) in &self.changes.state {
            let mut info = changed.info.clone().unwrap_or_default();
            if info.code.is_none() {
                info.code = self.changes.contracts.get(&info.code_hash).cloned();
            }
            database.insert_account_info(*address, info);
            let slots = changed.storage.iter();
            let slots = slots.map(|(slot, value)| (*slot, value.present_value));
            if changed.status.was_destroyed() {
                database.replace_account_storage(*address, slots.collect())?;
            } else {
                for (slot, value) in slots {
                    database.insert_account_storage(*address, slot, value)?;
                }
            }
        }
        self.overrides.apply(&mut database)?;
        Ok(database)
    }

    /// An EVM for a transaction, which an inspector watches.
    pub(super) fn evm<I: Inspector<OpEvmContext<TrialDb<'a>>>>(
        &self,
        transaction: &TxEnv,
        database: TrialDb<'a>,
        inspector: I,
    ) -> TrialEvm<'a, I> {
        let mut env = self.env.clone();
        // who offers nothing pays nothing
        if transaction.gas_price == 0 {
            env.block_env.basefee = 0;
        }
        let factory = OpEvmFactory::<OpTx>::default();
        let number = env.block_env.number;
        let mut evm = factory.create_evm_with_inspector(database, env, inspector);
        if transaction.gas_price == 0 {
            // or the operator's fee, which was not paid, would be given back
            evm.ctx_mut().chain = L1BlockInfo {
                l2_block: Some(number),
                operator_fee_scalar: Some(U256::ZERO),
                operator_fee_constant: Some(U256::ZERO),
                ..L1BlockInfo::default()
            };
        }
        if self.active(Fork::Karst) {
            limit_pairing(evm.components_mut().2);
        }
        evm
    }

    /// Runs a transaction in its EVM.
    pub(super) fn transact<I: Inspector<OpEvmContext<TrialDb<'a>>>>(
        &self,
        evm: &mut TrialEvm<'a, I>,
        transaction: &TxEnv,
    ) -> Result<ResultAndState<OpHaltReason>, Refused> {
        // no bytes: L1 and the operator cost nothing
        let call = OpTx(OpTransaction {
            base: transaction.clone(),
            enveloped_tx: Some(Bytes::new()),
            deposit: Default::default(),
        });
        match evm.transact_raw(call) {
            Ok(done) => Ok(done),
            Err(EVMError::Transaction(OpTxError(OpTransactionError::Base(error)))) => {
                Err(refusal(error, transaction, evm.block().basefee))
            }
            Err(EVMError::Transaction(error)) => Err(Refused::Wrong(error.to_string())),
            Err(error) => Err(Refused::Failed(RpcError::internal(error.to_string()))),
        }
    }

    fn run(&self, transaction: &TxEnv) -> Result<ExecutionResult<OpHaltReason>, Refused> {
        let database = self.database().map_err(Refused::Failed)?;
        let mut evm = self.evm(transaction, database, self.clock);
        if self.clock.is_stopped() {
            evm.disable_inspector();
        }
        let outcome = self.transact(&mut evm, transaction);
        evm.components()
            .1
            .check()
            .map_err(|error| Refused::Failed(RpcError::failed(error)))?;
        outcome.map(|done| done.result)
    }
}

/// A refusal in geth's words.
fn refusal(error: InvalidTransaction, transaction: &TxEnv, base_fee: u64) -> Refused {
    let TxEnv {
        caller, gas_price, ..
    } = transaction;
    match error {
        InvalidTransaction::CallGasCostMoreThanGasLimit {
            initial_gas,
            gas_limit,
        } => Refused::Gas(format!(
            "intrinsic gas too low: have {gas_limit}, want {initial_gas}"
        )),
        InvalidTransaction::GasFloorMoreThanGasLimit {
            gas_floor,
            gas_limit,
        } => Refused::Gas(format!(
            "insufficient gas for floor data gas cost: have {gas_limit}, want {gas_floor}"
        )),
        InvalidTransaction::LackOfFundForMaxFee { fee, balance } => Refused::Wrong(format!(
            "insufficient funds for gas * price + value: address {caller} have {balance} want {fee}"
        )),
        InvalidTransaction::GasPriceLessThanBasefee => Refused::Wrong(format!(
            "max fee per gas less than block base fee: address {caller}, maxFeePerGas: \
             {gas_price}, baseFee: {base_fee}"
        )),
        InvalidTransaction::PriorityFeeGreaterThanMaxFee => Refused::Wrong(format!(
            "max priority fee per gas higher than max fee per gas: address {caller}, \
             maxPriorityFeePerGas: {}, maxFeePerGas: {gas_price}",
            transaction.gas_priority_fee.unwrap_or_default()
        )),
        InvalidTransaction::CreateInitCodeSizeLimit => {
            Refused::Wrong("max initcode size exceeded".to_owned())
        }
        error => Refused::Wrong(error.to_string()),
    }
}

/// The failure of a call that ran, in geth's words.
fn failure(result: &ExecutionResult<OpHaltReason>) -> Option<RpcError> {
    match result {
        ExecutionResult::Success { .. } => None,
        ExecutionResult::Revert { output, .. } => Some(reverted(output)),
        ExecutionResult::Halt { reason, .. } => Some(RpcError::failed(halted(reason))),
    }
}

fn halted(reason: &OpHaltReason) -> String {
    let reason = match reason {
        OpHaltReason::Base(reason) => reason,
        OpHaltReason::FailedDeposit => return "failed deposit".to_owned(),
    };
    match reason {
        HaltReason::OutOfGas(_) => "out of gas",
        HaltReason::InvalidFEOpcode => "invalid opcode: INVALID",
        HaltReason::OpcodeNotFound | HaltReason::NotActivated => "invalid opcode",
        HaltReason::InvalidJump => "invalid jump destination",
        HaltReason::StackUnderflow => "stack underflow",
        HaltReason::StackOverflow => "stack limit reached",
        HaltReason::OutOfOffset => "return data out of bounds",
        HaltReason::CreateCollision => "contract address collision",
        HaltReason::NonceOverflow => "nonce uint64 overflow",
        HaltReason::CreateContractSizeLimit => "max code size exceeded",
        HaltReason::CreateContractStartingWithEF => "invalid code: must not begin with 0xef",
        HaltReason::CreateInitCodeSizeLimit => "max initcode size exceeded",
        HaltReason::StateChangeDuringStaticCall | HaltReason::CallNotAllowedInsideStatic => {
            "write protection"
        }
        HaltReason::OutOfFunds => "insufficient balance for transfer",
        HaltReason::CallTooDeep => "max call depth exceeded",
        other => return format!("{other:?}"),
    }
    .to_owned()
}

/// A revert, with the reason that Solidity gives.
fn reverted(output: &Bytes) -> RpcError {
    let message = match reason(output) {
        Some(reason) => format!("execution reverted: {reason}"),
        None => "execution reverted".to_owned(),
    };
    RpcError {
        code: code::REVERTED,
        message,
        data: Some(json!(hex::encode_prefixed(output))),
    }
}

/// The text in `Error(string)` or what the number in `Panic(uint256)` says.
pub(super) fn reason(output: &[u8]) -> Option<String> {
    let word = |at: usize| {
        let bytes = output.get(at..at.checked_add(32)?)?;
        Some(U256::from_be_slice(bytes))
    };
    let (selector, _) = output.split_at_checked(4)?;
    match selector {
        [0x08, 0xc3, 0x79, 0xa0] => {
            let offset = usize::try_from(word(4)?).ok()?.checked_add(4)?;
            let length = usize::try_from(word(offset)?).ok()?;
            let start = offset.checked_add(32)?;
            let text = output.get(start..start.checked_add(length)?)?;
            Some(String::from_utf8_lossy(text).into_owned())
        }
        [0x4e, 0x48, 0x7b, 0x71] => {
            let number = word(4)?;
            let text = match u64::try_from(number) {
                Ok(0x00) => "generic panic",
                Ok(0x01) => "assert(false)",
                Ok(0x11) => "arithmetic underflow or overflow",
                Ok(0x12) => "division or modulo by zero",
                Ok(0x21) => "enum overflow",
                Ok(0x22) => "invalid encoded storage byte array accessed",
                Ok(0x31) => "out-of-bounds array access; popping on an empty array",
                Ok(0x32) => "out-of-bounds access of an array or bytesN",
                Ok(0x41) => "out of memory",
                Ok(0x51) => "uninitialized function",
                _ => return Some(format!("unknown panic code: {number:#x}")),
            };
            Some(text.to_owned())
        }
        _ => None,
    }
}

fn call(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let args: CallArgs = params.required()?;
    let block = chain.state_of(params.optional::<BlockId>()?.unwrap_or_default())?;
    let (overrides, block_overrides) = overrides(params)?;
    let state = chain.state(&block);
    let cap = chain.settings.gas_cap;
    let transaction = args.transaction(chain.view.spec().chain_id, cap)?;
    let trial = Trial::new(&chain, &block, &state, overrides, block_overrides);
    let result = trial.run(&transaction).map_err(|why| {
        let gas = transaction.gas_limit;
        refused(why, |text| format!("err: {text} (supplied gas {gas})"))
    })?;
    match failure(&result) {
        Some(error) => Err(error),
        None => Ok(json!(result.into_output().unwrap_or_default())),
    }
}

fn overrides(params: &mut Params) -> Result<(StateOverrides, BlockOverrides), RpcError> {
    let state = params.optional()?.unwrap_or_default();
    Ok((state, params.optional()?.unwrap_or_default()))
}

fn estimate_gas(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let args: CallArgs = params.required()?;
    let block = chain.state_of(params.optional::<BlockId>()?.unwrap_or_default())?;
    let (overrides, block_overrides) = overrides(params)?;
    let state = chain.state(&block);
    let spec = chain.view.spec();
    let asked = args.gas.unwrap_or_default().0;
    let cap = chain.settings.gas_cap;
    let mut transaction = args.transaction(spec.chain_id, cap)?;
    let trial = Trial::new(&chain, &block, &state, overrides, block_overrides);
    let mut high = if asked >= TRANSFER_GAS {
        asked
    } else {
        block.header.gas_limit
    };
    if trial.active(Fork::Karst) {
        high = high.min(OSAKA_GAS_CAP);
    }
    if transaction.gas_price > 0 {
        high = high.min(affordable(&trial, &transaction)?);
    }
    estimate(&trial, &mut transaction, high.min(cap)).map(quantity)
}

/// The gas that the sender can pay.
fn affordable(trial: &Trial<'_>, transaction: &TxEnv) -> Result<u64, RpcError> {
    let balance = trial
        .database()?
        .load_account(transaction.caller)?
        .info()
        .map_or(U256::ZERO, |info| info.balance);
    let left = balance
        .checked_sub(transaction.value)
        .filter(|left| !left.is_zero())
        .ok_or_else(|| RpcError::failed("insufficient funds for transfer"))?;
    Ok((left / U256::from(transaction.gas_price)).saturating_to())
}

/// The least gas, nearly, with which a transaction succeeds, found by halving.
fn estimate(trial: &Trial<'_>, transaction: &mut TxEnv, mut high: u64) -> Result<u64, RpcError> {
    let mut with = |gas| {
        transaction.gas_limit = gas;
        match trial.run(transaction) {
            Ok(result) => Ok(Some(result)),
            Err(Refused::Gas(_)) => Ok(None),
            Err(Refused::Wrong(text)) => {
                Err(RpcError::failed(format!("failed with {gas} gas: {text}")))
            }
            Err(Refused::Failed(error)) => Err(error),
        }
    };
    let succeeded = |result: Option<ExecutionResult<OpHaltReason>>| {
        result.is_some_and(|result| result.is_success())
    };
    let too_low = |high| RpcError::failed(format!("gas required exceeds allowance ({high})"));
    // a plain transfer needs no search
    if high >= TRANSFER_GAS
        && let Ok(result @ Some(_)) = with(TRANSFER_GAS)
        && succeeded(result)
    {
        return Ok(TRANSFER_GAS);
    }
    let result = with(high)?.ok_or_else(|| too_low(high))?;
    match &result {
        ExecutionResult::Halt {
            reason: OpHaltReason::Base(HaltReason::OutOfGas(_)),
            ..
        } => return Err(too_low(high)),
        result => {
            if let Some(error) = failure(result) {
                return Err(error);
            }
        }
    }
    let gas = result.gas();
    let mut low = gas.tx_gas_used().saturating_sub(1);
    // a 64th stays behind in each frame
    let most = gas.total_gas_spent().max(gas.floor_gas());
    let hopeful = most.saturating_add(CALL_STIPEND);
    let hopeful = hopeful.saturating_mul(64) / 63;
    if hopeful < high {
        if succeeded(with(hopeful)?) {
            high = hopeful;
        } else {
            low = hopeful;
        }
    }
    while low + 1 < high {
        if (high - low) as f64 / (high as f64) < ESTIMATE_RATIO {
            break;
        }
        // the least gas is seldom far above what was used
        let middle = (low + (high - low) / 2).min(low.saturating_mul(2));
        if succeeded(with(middle)?) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Ok(high)
}
