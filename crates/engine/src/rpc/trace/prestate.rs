//! `prestateTracer`: what of the state a transaction needs, or what it changes.

use super::{
    state::{Account, StateView},
    tracer::{Start, Step, StepEnd, Tracer},
};
use doppio_rpc::{RpcError, quantity};

use alloy_primitives::{Address, B256, U256, address, keccak256, map::HashSet};
use revm::bytecode::opcode as op;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Who gets the base fees.
const BASE_FEE_VAULT: Address = address!("4200000000000000000000000000000000000019");

/// What the answer holds.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Options {
    diff_mode: bool,
    disable_code: bool,
    disable_storage: bool,
    include_empty: bool,
}

/// An account before the transaction, with the slots that it reads.
#[derive(Debug)]
struct Before {
    account: Account,
    storage: BTreeMap<B256, B256>,
}

/// What the instruction that is running will have touched if it begins.
#[derive(Debug, Default)]
struct Touched {
    accounts: Vec<(Address, Account)>,
    slot: Option<(Address, U256, U256)>,
    created: Option<Address>,
    deleted: Option<Address>,
}

#[derive(Debug, Default)]
pub(super) struct Prestate {
    options: Options,
    isthmus: bool,
    ecotone: bool,
    before: BTreeMap<Address, Before>,
    created: HashSet<Address>,
    deleted: HashSet<Address>,
    open: Touched,
    size: usize,
}

impl Prestate {
    pub(super) fn new(options: Options) -> Result<Self, RpcError> {
        if options.diff_mode && options.include_empty {
            return Err(RpcError::failed("cannot use diffMode with includeEmpty"));
        }
        Ok(Self {
            options,
            ..Self::default()
        })
    }

    fn add(&mut self, address: Address, account: Account) {
        if !self.before.contains_key(&address) {
            self.size += 200 + 2 * account.code.len();
            let storage = BTreeMap::new();
            self.before.insert(address, Before { account, storage });
        }
    }

    /// An account, with the one whose code it runs.
    fn read(
        &self,
        address: Address,
        state: &mut dyn StateView,
    ) -> Result<Vec<(Address, Account)>, RpcError> {
        let account = state.account(address)?;
        let delegate = account.delegate().filter(|_| self.isthmus);
        let mut read = vec![(address, account)];
        if let Some(delegate) = delegate {
            read.push((delegate, state.account(delegate)?));
        }
        Ok(read)
    }

    fn json(&self, before: &Before) -> Value {
        let Before { account, storage } = before;
        let mut json = Map::new();
        json.insert("balance".to_owned(), quantity(account.balance));
        if account.nonce > 0 {
            json.insert("nonce".to_owned(), json!(account.nonce));
        }
        if let Some(hash) = account.code_hash {
            json.insert("codeHash".to_owned(), json!(hash));
            if !self.options.disable_code {
                json.insert("code".to_owned(), json!(account.code));
            }
        }
        if !storage.is_empty() {
            json.insert("storage".to_owned(), json!(storage));
        }
        Value::Object(json)
    }

    /// What became of an account; none if it is as it was. Slots that did not change are dropped.
    fn change(
        &self,
        address: Address,
        before: &mut Before,
        state: &mut dyn StateView,
    ) -> Result<Option<Value>, RpcError> {
        let mut json = Map::new();
        let mut set = |name: &str, value: Value| json.insert(name.to_owned(), value);
        let (old, new) = (&before.account, state.account(address)?);
        let mut changed = false;
        if new.balance != old.balance {
            changed = true;
            set("balance", quantity(new.balance));
        }
        if new.nonce != old.nonce {
            changed = true;
            if new.nonce > 0 {
                set("nonce", json!(new.nonce));
            }
        }
        if new.code_hash != old.code_hash {
            changed = true;
            set("codeHash", json!(new.code_hash.unwrap_or_default()));
            if !self.options.disable_code && !new.code.is_empty() {
                set("code", json!(new.code));
            }
        }
        let mut storage = BTreeMap::new();
        let mut kept = BTreeMap::new();
        for (slot, value) in &before.storage {
            let now = B256::from(state.slot(address, U256::from_be_bytes(slot.0))?);
            if now == *value {
                continue;
            }
            changed = true;
            if !value.is_zero() {
                kept.insert(*slot, *value);
            }
            if !now.is_zero() {
                storage.insert(*slot, now);
            }
        }
        before.storage = kept;
        if !storage.is_empty() {
            set("storage", json!(storage));
        }
        Ok(changed.then_some(Value::Object(json)))
    }
}

impl Tracer for Prestate {
    fn wants_steps(&self) -> bool {
        true
    }

    fn start(&mut self, start: &Start, state: &mut dyn StateView) -> Result<(), RpcError> {
        (self.isthmus, self.ecotone) = (start.isthmus, start.ecotone);
        let sender = state.account(start.from)?;
        let to = match start.to {
            Some(to) => to,
            None => {
                let to = start.from.create(sender.nonce);
                self.created.insert(to);
                to
            }
        };
        self.add(start.from, sender);
        for (address, account) in self.read(to, state)? {
            self.add(address, account);
        }
        let others = start.authorities.iter().copied();
        for address in others.chain([start.fee_recipient, BASE_FEE_VAULT]) {
            let account = state.account(address)?;
            self.add(address, account);
        }
        Ok(())
    }

    fn step(&mut self, step: &Step<'_>, state: &mut dyn StateView) -> Result<(), RpcError> {
        let mut open = Touched::default();
        let here = step.address;
        match (step.op, step.stack.len()) {
            (op::SLOAD | op::SSTORE, 1..) => {
                let slot = step.word(0).unwrap_or_default();
                let known = self.before.get(&here);
                let known =
                    known.is_some_and(|known| known.storage.contains_key(&B256::from(slot)));
                if !self.options.disable_storage && !known {
                    open.slot = Some((here, slot, state.slot(here, slot)?));
                }
            }
            (
                op::EXTCODECOPY
                | op::EXTCODEHASH
                | op::EXTCODESIZE
                | op::BALANCE
                | op::SELFDESTRUCT,
                1..,
            ) => {
                let address = step.address(0).unwrap_or_default();
                open.accounts.push((address, state.account(address)?));
                let deletes = !self.ecotone || self.created.contains(&here);
                open.deleted = (step.op == op::SELFDESTRUCT && deletes).then_some(here);
            }
            (op::DELEGATECALL | op::CALL | op::STATICCALL | op::CALLCODE, 5..) => {
                open.accounts = self.read(step.address(1).unwrap_or_default(), state)?;
            }
            (op::CREATE, _) => open.created = Some(here.create(state.account(here)?.nonce)),
            (op::CREATE2, 4..) => open.created = created(step),
            _ => {}
        }
        if let Some(address) = open.created {
            open.accounts.push((address, state.account(address)?));
        }
        self.open = open;
        Ok(())
    }

    fn step_end(&mut self, end: &StepEnd<'_>) {
        let open = core::mem::take(&mut self.open);
        if end.error.is_some() {
            return;
        }
        for (address, account) in open.accounts {
            self.add(address, account);
        }
        if let Some((address, slot, value)) = open.slot
            && let Some(before) = self.before.get_mut(&address)
        {
            self.size += 140;
            before.storage.insert(slot.into(), value.into());
        }
        self.created.extend(open.created);
        self.deleted.extend(open.deleted);
    }

    fn size(&self) -> usize {
        self.size
    }

    fn finish(mut self: Box<Self>, _: u64, state: &mut dyn StateView) -> Result<Value, RpcError> {
        let mut before = core::mem::take(&mut self.before);
        let mut after = Map::new();
        // an account with slots that are read is there in any case, as geth takes it
        let was_empty = |before: &Before| before.account.is_empty();
        if self.options.diff_mode {
            let mut kept = BTreeMap::new();
            for (address, mut account) in before {
                if !self.deleted.contains(&address) {
                    let Some(change) = self.change(address, &mut account, state)? else {
                        continue;
                    };
                    after.insert(address_key(address), change);
                }
                kept.insert(address, account);
            }
            before = kept;
        }
        let before: Map<_, _> = before
            .iter()
            .filter(|(_, account)| self.options.include_empty || !was_empty(account))
            .map(|(address, account)| (address_key(*address), self.json(account)))
            .collect();
        Ok(if self.options.diff_mode {
            json!({ "pre": before, "post": after })
        } else {
            Value::Object(before)
        })
    }
}

/// An address as the name of a JSON field, which geth writes without capitals.
fn address_key(address: Address) -> String {
    format!("{address:#x}")
}

/// The address of the contract that `CREATE2` is about to make; none if its code cannot be.
fn created(step: &Step<'_>) -> Option<Address> {
    let (offset, size, salt) = (step.word(1)?, step.word(2)?, step.word(3)?);
    let (offset, size) = (usize::try_from(offset).ok()?, usize::try_from(size).ok()?);
    let length = step.memory.len();
    let end = offset.checked_add(size)?;
    if end.saturating_sub(length) > MAX_PADDING {
        return None;
    }
    let there = step.memory.get(offset..end.min(length));
    let mut code = there.unwrap_or_default().to_vec();
    code.resize(size, 0);
    Some(step.address.create2(B256::from(salt), keccak256(code)))
}

/// Most memory that is taken for zero because it is not there yet; geth's limit.
const MAX_PADDING: usize = 1 << 20;
