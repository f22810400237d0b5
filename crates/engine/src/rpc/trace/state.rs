//! The state as a tracer sees it: before, while and after a transaction runs.

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_trie::KECCAK_EMPTY;
use core::fmt::Display;
use doppio_rpc::RpcError;
use revm::{Database, context_interface::ContextTr, inspector::JournalExt, state::AccountInfo};

/// An account as it is at the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::rpc) struct Account {
    pub(in crate::rpc) balance: U256,
    pub(in crate::rpc) nonce: u64,
    pub(in crate::rpc) code: Bytes,
    /// None without code.
    pub(in crate::rpc) code_hash: Option<B256>,
}

impl Account {
    /// Whether it is as good as not there (EIP-161).
    pub(in crate::rpc) fn is_empty(&self) -> bool {
        self.balance.is_zero() && self.nonce == 0 && self.code_hash.is_none()
    }

    /// The account whose code is run in place of its own (EIP-7702).
    pub(in crate::rpc) fn delegate(&self) -> Option<Address> {
        let target = self.code.strip_prefix(&[0xef, 0x01, 0x00])?;
        (target.len() == 20).then(|| Address::from_slice(target))
    }
}

/// Reads accounts and storage.
pub(in crate::rpc) trait StateView {
    fn account(&mut self, address: Address) -> Result<Account, RpcError>;
    fn slot(&mut self, address: Address, slot: U256) -> Result<U256, RpcError>;
}

fn unread(error: impl Display) -> RpcError {
    RpcError::internal(error.to_string())
}

fn account<D: Database>(database: &mut D, info: AccountInfo) -> Result<Account, RpcError> {
    let hash = info.code_hash;
    let code_hash = (hash != KECCAK_EMPTY && !hash.is_zero()).then_some(hash);
    let code = match (code_hash, info.code) {
        (None, _) => Bytes::new(),
        (_, Some(code)) => code.original_bytes(),
        (Some(hash), None) => {
            let code = database.code_by_hash(hash).map_err(unread)?;
            code.original_bytes()
        }
    };
    Ok(Account {
        balance: info.balance,
        nonce: info.nonce,
        code,
        code_hash,
    })
}

/// Between transactions.
pub(in crate::rpc) struct Settled<'a, D>(pub(in crate::rpc) &'a mut D);

impl<D: Database> StateView for Settled<'_, D> {
    fn account(&mut self, address: Address) -> Result<Account, RpcError> {
        let info = self.0.basic(address).map_err(unread)?;
        account(self.0, info.unwrap_or_default())
    }

    fn slot(&mut self, address: Address, slot: U256) -> Result<U256, RpcError> {
        self.0.storage(address, slot).map_err(unread)
    }
}

/// While a transaction runs.
pub(in crate::rpc) struct Live<'a, C>(pub(in crate::rpc) &'a mut C);

impl<C: ContextTr<Journal: JournalExt>> StateView for Live<'_, C> {
    fn account(&mut self, address: Address) -> Result<Account, RpcError> {
        let loaded = self.0.journal_ref().evm_state().get(&address);
        match loaded.map(|loaded| loaded.info.clone()) {
            Some(info) => account(self.0.db_mut(), info),
            None => Settled(self.0.db_mut()).account(address),
        }
    }

    fn slot(&mut self, address: Address, slot: U256) -> Result<U256, RpcError> {
        if let Some(account) = self.0.journal_ref().evm_state().get(&address) {
            if let Some(loaded) = account.storage.get(&slot) {
                return Ok(loaded.present_value);
            }
            if account.is_created() {
                return Ok(U256::ZERO);
            }
        }
        Settled(self.0.db_mut()).slot(address, slot)
    }
}
