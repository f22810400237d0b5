//! `eth_createAccessList`: what a transaction would touch.

use super::{
    call::{CallArgs, Trial, refused},
    chain::Chain,
    clock::Clock,
    fees,
    methods::{Method, method},
    overrides::{BlockOverrides, StateOverrides},
    trace::{Bounds, Exit, Hooks, Settled, StateView, Step, Tracer},
};
use alloy_eips::{
    BlockId,
    eip2930::{AccessList, AccessListItem},
};
use alloy_evm::Evm;
use alloy_primitives::{Address, B256, TxKind, map::HashSet};
use doppio_rpc::{Params, RpcError, quantity};
use revm::{
    bytecode::opcode as op,
    context::TxEnv,
    context_interface::{Transaction, transaction::AuthorizationTr},
    inspector::NoOpInspector,
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const METHODS: &[Method] = &[method("eth_createAccessList", 3, create)];

/// Notes accounts and slots that are touched.
#[derive(Debug, Default)]
struct Watch {
    /// Accounts that need not be listed.
    excluded: HashSet<Address>,
    touched: BTreeMap<Address, BTreeSet<B256>>,
    error: Option<String>,
}

impl Watch {
    fn new(list: &AccessList, excluded: HashSet<Address>) -> Self {
        let mut watch = Self {
            excluded,
            ..Self::default()
        };
        for item in &list.0 {
            watch.touch(item.address);
            for slot in &item.storage_keys {
                watch.touched.entry(item.address).or_default().insert(*slot);
            }
        }
        watch
    }

    fn touch(&mut self, address: Address) {
        if !self.excluded.contains(&address) {
            self.touched.entry(address).or_default();
        }
    }

    fn list(&self) -> AccessList {
        let touched = self.touched.iter();
        let items = touched.map(|(address, slots)| AccessListItem {
            address: *address,
            storage_keys: slots.iter().copied().collect(),
        });
        AccessList(items.collect())
    }
}

impl Tracer for Watch {
    fn wants_steps(&self) -> bool {
        true
    }

    fn step(&mut self, step: &Step<'_>, _: &mut dyn StateView) -> Result<(), RpcError> {
        match step.op {
            op::SLOAD | op::SSTORE => {
                if let Some(slot) = step.word(0) {
                    let slots = self.touched.entry(step.address).or_default();
                    slots.insert(slot.into());
                }
            }
            op::EXTCODECOPY
            | op::EXTCODEHASH
            | op::EXTCODESIZE
            | op::BALANCE
            | op::SELFDESTRUCT => step.address(0).into_iter().for_each(|at| self.touch(at)),
            op::DELEGATECALL | op::CALL | op::STATICCALL | op::CALLCODE
                if step.stack.len() >= 5 =>
            {
                step.address(1).into_iter().for_each(|at| self.touch(at));
            }
            _ => {}
        }
        Ok(())
    }

    fn exit(&mut self, exit: &Exit) {
        if exit.depth == 0 {
            self.error.clone_from(&exit.error);
        }
    }

    fn finish(self: Box<Self>, gas_used: u64, _: &mut dyn StateView) -> Result<Value, RpcError> {
        let mut answer = Map::new();
        answer.insert("accessList".to_owned(), json!(self.list()));
        answer.insert("gasUsed".to_owned(), quantity(gas_used));
        if let Some(error) = self.error {
            answer.insert("error".to_owned(), json!(error));
        }
        Ok(Value::Object(answer))
    }
}

fn create(chain: Chain<'_>, params: &mut Params) -> Result<Value, RpcError> {
    let mut args: CallArgs = params.required()?;
    let block = chain.state_of(params.optional::<BlockId>()?.unwrap_or_default())?;
    let overrides: StateOverrides = params.optional()?.unwrap_or_default();
    args.set_fee_defaults(block.header.base_fee_per_gas.unwrap_or_default(), || {
        fees::suggest(&chain, &chain.head()?)
    })?;
    let state = chain.state(&block);
    let nonce = args.nonce();
    let mut transaction = args.transaction(chain.view.spec().chain_id, chain.settings.gas_cap)?;
    let trial = Trial::new(&chain, &block, &state, overrides, BlockOverrides::default());
    let excluded = excluded(&trial, &transaction, nonce)?;
    let mut list = Watch::new(&transaction.access_list, excluded.clone()).list();
    let clock = Clock::start(chain.settings.evm_timeout);
    // with what it touches in its list a transaction has another amount of gas, and may go another
    // way; so until nothing new is touched
    loop {
        transaction.access_list = list.clone();
        let watch = Watch::new(&list, excluded.clone());
        let bounds = Bounds {
            time: clock.left().map_err(RpcError::failed)?,
            bytes: usize::MAX,
        };
        let hooks = Hooks::new(vec![(String::new(), Box::new(watch))], 0, bounds);
        let mut evm = trial.evm(&transaction, trial.database()?, hooks);
        let outcome = trial.transact(&mut evm, &transaction);
        let (database, hooks, _) = evm.components_mut();
        clock.left().map_err(RpcError::failed)?;
        if let Some(error) = hooks.stopped() {
            return Err(error);
        }
        let outcome = outcome.map_err(|why| {
            refused(why, |text| {
                format!("failed to apply transaction: err: {text}")
            })
        })?;
        let hooks = core::mem::replace(hooks, Hooks::idle());
        let gas_used = outcome.result.tx_gas_used();
        let answers = hooks.finish(gas_used, &mut Settled(database))?;
        let answer = answers.into_iter().next().map(|(_, answer)| answer);
        let answer = answer.unwrap_or_default();
        if answer["accessList"] == json!(list) {
            return Ok(answer);
        }
        list = serde_json::from_value(answer["accessList"].clone())
            .map_err(|error| RpcError::internal(error.to_string()))?;
    }
}

/// The sender, the callee or the contract that is made, precompiles, and accounts that are
/// delegated by the transaction itself.
fn excluded(
    trial: &Trial<'_>,
    transaction: &TxEnv,
    nonce: Option<u64>,
) -> Result<HashSet<Address>, RpcError> {
    let from = transaction.caller;
    let mut database = trial.database()?;
    let to = match transaction.kind {
        TxKind::Call(to) => to,
        TxKind::Create => {
            let account = database.load_account(from)?.info().unwrap_or_default();
            from.create(nonce.unwrap_or(account.nonce))
        }
    };
    let evm = trial.evm(transaction, database, NoOpInspector);
    let precompiles = evm.precompiles().addresses().copied();
    let mut excluded: HashSet<_> = precompiles.chain([from, to]).collect();
    let authorizations = transaction.authorization_list();
    excluded.extend(authorizations.filter_map(|authorization| authorization.authority()));
    Ok(excluded)
}
