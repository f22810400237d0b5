//! What a call may pretend: other accounts, another block.

use crate::state::StateError;
use alloy_primitives::{Address, B256, Bytes, U256, map::HashMap};
use doppio_rpc::{Quantity, Quantity64};
use revm::{DatabaseRef, bytecode::Bytecode, context::BlockEnv, database::CacheDB};
use serde::Deserialize;

type Slots = HashMap<B256, B256>;

/// Accounts as the call sees them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct StateOverrides(HashMap<Address, AccountOverride>);

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AccountOverride {
    nonce: Option<Quantity64>,
    code: Option<Bytes>,
    balance: Option<Quantity>,
    /// All of its storage.
    state: Option<Slots>,
    /// Some of its storage.
    state_diff: Option<Slots>,
}

fn words(slots: &Slots) -> impl Iterator<Item = (U256, U256)> {
    let word = |word: &B256| U256::from_be_bytes(word.0);
    slots
        .iter()
        .map(move |(slot, value)| (word(slot), word(value)))
}

impl StateOverrides {
    /// Puts them into a state.
    pub(super) fn apply<D: DatabaseRef<Error = StateError>>(
        &self,
        database: &mut CacheDB<D>,
    ) -> Result<(), StateError> {
        for (address, change) in &self.0 {
            let mut info = database.load_account(*address)?.info().unwrap_or_default();
            if let Some(Quantity64(nonce)) = change.nonce {
                info.nonce = nonce;
            }
            if let Some(Quantity(balance)) = change.balance {
                info.balance = balance;
            }
            if let Some(code) = &change.code {
                let code = Bytecode::new_raw_checked(code.clone());
                let code = code.unwrap_or_else(|_| Bytecode::new());
                info.code_hash = code.hash_slow();
                info.code = Some(code);
            }
            database.insert_account_info(*address, info);
            if let Some(state) = &change.state {
                database.replace_account_storage(*address, words(state).collect())?;
            }
            for (slot, value) in change.state_diff.iter().flat_map(words) {
                database.insert_account_storage(*address, slot, value)?;
            }
        }
        Ok(())
    }
}

/// The block as the call sees it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct BlockOverrides {
    number: Option<Quantity>,
    difficulty: Option<Quantity>,
    time: Option<Quantity>,
    gas_limit: Option<Quantity64>,
    fee_recipient: Option<Address>,
    prev_randao: Option<B256>,
    base_fee_per_gas: Option<Quantity64>,
}

impl BlockOverrides {
    /// Puts them into a block.
    pub(super) fn apply(self, block: &mut BlockEnv) {
        let set = |place: &mut U256, value: Option<Quantity>| {
            if let Some(Quantity(value)) = value {
                *place = value;
            }
        };
        set(&mut block.number, self.number);
        set(&mut block.difficulty, self.difficulty);
        set(&mut block.timestamp, self.time);
        if let Some(Quantity64(limit)) = self.gas_limit {
            block.gas_limit = limit;
        }
        if let Some(recipient) = self.fee_recipient {
            block.beneficiary = recipient;
        }
        if let Some(randao) = self.prev_randao {
            block.prevrandao = Some(randao);
        }
        if let Some(Quantity64(fee)) = self.base_fee_per_gas {
            block.basefee = fee;
        }
    }
}
