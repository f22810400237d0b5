//! The state at a root: what the EVM reads, and what a block's changes make of it.

use crate::trie::{self, Leaf, NO_PLACE, NewNode, NodeSource, Root, SourceError, TrieError};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256, map::HashMap};
use alloy_rlp::Decodable;
use alloy_trie::{EMPTY_ROOT_HASH, KECCAK_EMPTY, TrieAccount};
use core::{cell::RefCell, fmt};
use doppio_protocol::output::L2_TO_L1_MESSAGE_PASSER;
use revm::{
    DatabaseRef,
    bytecode::Bytecode,
    database::{BundleAccount, BundleState},
    database_interface::DBErrorMarker,
    state::AccountInfo,
};
use thiserror::Error;

/// Where tries, code and block hashes come from.
pub trait StateSource: NodeSource {
    /// Code by its hash; none if it is not there.
    fn code(&self, hash: &B256) -> Result<Option<Bytes>, SourceError>;

    /// The hash of the block `number`, an ancestor of the block that is executed or its parent;
    /// none if it is not known.
    fn block_hash(&self, number: u64) -> Result<Option<B256>, SourceError>;

    /// Whether this is a witness: only what one block's execution reads. Of any other source, what
    /// is missing is damage.
    fn is_witness(&self) -> bool {
        false
    }
}

impl<S: StateSource + ?Sized> StateSource for &S {
    fn code(&self, hash: &B256) -> Result<Option<Bytes>, SourceError> {
        (**self).code(hash)
    }

    fn block_hash(&self, number: u64) -> Result<Option<B256>, SourceError> {
        (**self).block_hash(number)
    }

    fn is_witness(&self) -> bool {
        (**self).is_witness()
    }
}

/// The state cannot be read. Never a block's fault.
#[derive(Clone, Debug, Error)]
pub enum StateError {
    /// A trie.
    #[error(transparent)]
    Trie(#[from] TrieError),
    /// An account that is none.
    #[error("account {address} is malformed: {error}")]
    Account {
        /// The account.
        address: Address,
        /// What is wrong.
        error: alloy_rlp::Error,
    },
    /// A storage slot that is none.
    #[error("slot {slot} of {address} is malformed: {error}")]
    Slot {
        /// The account.
        address: Address,
        /// The slot.
        slot: U256,
        /// What is wrong.
        error: alloy_rlp::Error,
    },
    /// Code that is not there.
    #[error("code {0} is missing")]
    Code(B256),
    /// Code that no EVM takes.
    #[error("code {hash} is malformed: {error}")]
    MalformedCode {
        /// Its hash.
        hash: B256,
        /// What is wrong.
        error: String,
    },
    /// The hash of a recent block is not there.
    #[error("the hash of block {0} is missing")]
    BlockHash(u64),
}

impl From<SourceError> for StateError {
    fn from(error: SourceError) -> Self {
        Self::Trie(error.into())
    }
}

impl DBErrorMarker for StateError {}

/// An account, and where the root of its storage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct PlacedAccount {
    account: TrieAccount,
    place: u64,
}

impl PlacedAccount {
    const fn storage_root(&self) -> Root {
        Root {
            hash: self.account.storage_root,
            place: self.place,
        }
    }
}

/// The state at a root.
pub struct StateAt<S> {
    source: S,
    root: B256,
    /// Accounts that were read: their storage is looked for under their storage root.
    accounts: RefCell<HashMap<Address, Option<PlacedAccount>>>,
}

impl<S> fmt::Debug for StateAt<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateAt")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

impl<S: StateSource> StateAt<S> {
    /// The state at `root`.
    pub fn new(source: S, root: B256) -> Self {
        Self {
            source,
            root,
            accounts: RefCell::default(),
        }
    }

    /// An account; none if there is no such account.
    pub fn account(&self, address: Address) -> Result<Option<TrieAccount>, StateError> {
        let account = self.placed_account(address)?;
        Ok(account.map(|placed| placed.account))
    }

    fn placed_account(&self, address: Address) -> Result<Option<PlacedAccount>, StateError> {
        if let Some(account) = self.accounts.borrow().get(&address) {
            return Ok(*account);
        }
        let account = match trie::get_leaf(&self.source, self.root, &keccak256(address))? {
            None => None,
            Some(Leaf { value, place }) => Some(PlacedAccount {
                account: TrieAccount::decode(&mut &value[..])
                    .map_err(|error| StateError::Account { address, error })?,
                place,
            }),
        };
        self.accounts.borrow_mut().insert(address, account);
        Ok(account)
    }

    /// A storage slot's value; zero if it was never set.
    pub fn storage(&self, address: Address, slot: U256) -> Result<U256, StateError> {
        let Some(account) = self.placed_account(address)? else {
            return Ok(U256::ZERO);
        };
        let key = keccak256(slot.to_be_bytes::<32>());
        match trie::get(&self.source, account.storage_root(), &key)? {
            None => Ok(U256::ZERO),
            Some(rlp) => U256::decode(&mut &rlp[..]).map_err(|error| StateError::Slot {
                address,
                slot,
                error,
            }),
        }
    }

    /// The proof of an account, or that there is none.
    pub fn prove_account(&self, address: Address) -> Result<Vec<Bytes>, StateError> {
        Ok(trie::prove(&self.source, self.root, &keccak256(address))?)
    }

    /// The proof of a storage slot, or that it was never set.
    pub fn prove_storage(&self, address: Address, slot: U256) -> Result<Vec<Bytes>, StateError> {
        let Some(account) = self.placed_account(address)? else {
            return Ok(Vec::new());
        };
        let key = keccak256(slot.to_be_bytes::<32>());
        Ok(trie::prove(&self.source, account.storage_root(), &key)?)
    }

    /// Code by its hash.
    pub fn code(&self, hash: B256) -> Result<Bytes, StateError> {
        if hash == KECCAK_EMPTY {
            return Ok(Bytes::new());
        }
        self.source.code(&hash)?.ok_or(StateError::Code(hash))
    }

    /// The state that a block's changes make of this one.
    pub fn apply(&self, bundle: &BundleState) -> Result<StateUpdate, StateError> {
        let mut update = StateUpdate {
            touched: bundle.state.keys().copied().collect(),
            ..StateUpdate::default()
        };
        let mut accounts = Vec::with_capacity(bundle.state.len());
        for (address, changed) in &bundle.state {
            if let Some(value) = self.apply_account(*address, changed, &mut update)? {
                accounts.push((keccak256(address), value));
            }
        }
        accounts.sort_unstable_by_key(|(key, _)| *key);
        update.root =
            trie::update_leaves(&self.source, self.root, accounts, &mut update.nodes)?.hash;
        for (hash, code) in &bundle.contracts {
            update.codes.push((*hash, code.original_bytes()));
        }
        if update.passer_root.is_none() {
            // execution reads it from Isthmus on, when it is in the header
            update.passer_root = match self.account(L2_TO_L1_MESSAGE_PASSER) {
                Ok(passer) => passer.map(|account| account.storage_root),
                Err(StateError::Trie(TrieError::Missing(_))) if self.source.is_witness() => None,
                Err(error) => return Err(error),
            };
        }
        Ok(update)
    }

    /// What becomes of an account in the state trie; none if nothing does.
    fn apply_account(
        &self,
        address: Address,
        changed: &BundleAccount,
        update: &mut StateUpdate,
    ) -> Result<Option<Option<Leaf>>, StateError> {
        let old = self.placed_account(address)?;
        let Some(info) = &changed.info else {
            return Ok(old.is_some().then_some(None));
        };
        let old_root = match old {
            Some(account) if !changed.status.was_destroyed() => account.storage_root(),
            _ => EMPTY_ROOT_HASH.into(),
        };
        let mut slots: Vec<_> = changed
            .storage
            .iter()
            .filter(|(_, slot)| changed.status.was_destroyed() || slot.is_changed())
            .map(|(slot, value)| {
                let value = value.present_value;
                let leaf = (!value.is_zero()).then(|| Leaf {
                    value: alloy_rlp::encode(value),
                    place: NO_PLACE,
                });
                (keccak256(slot.to_be_bytes::<32>()), leaf)
            })
            .collect();
        slots.sort_unstable_by_key(|(key, _)| *key);
        let storage_root = if slots.is_empty() {
            old_root
        } else {
            trie::update_leaves(&self.source, old_root, slots, &mut update.nodes)?
        };
        if address == L2_TO_L1_MESSAGE_PASSER {
            update.passer_root = Some(storage_root.hash);
        }
        let new = TrieAccount::new(info.nonce, info.balance, storage_root.hash, info.code_hash);
        if old.is_some_and(|old| old.account == new) {
            return Ok(None);
        }
        Ok(Some(Some(Leaf {
            value: alloy_rlp::encode(new),
            place: storage_root.place,
        })))
    }
}

/// What a block's changes made.
#[derive(Clone, Debug, Default)]
pub struct StateUpdate {
    /// Root of the state.
    pub root: B256,
    /// Root of the message passer's storage; none if there is no such account, or if it is not in
    /// the witness of a block before Isthmus.
    pub passer_root: Option<B256>,
    /// New trie nodes: each after those that it refers to.
    pub nodes: Vec<NewNode>,
    /// New code by hash.
    pub codes: Vec<(B256, Bytes)>,
    /// Accounts that were read for a change, whether they changed or not.
    pub touched: Vec<Address>,
}

impl<S: StateSource> DatabaseRef for StateAt<S> {
    type Error = StateError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, StateError> {
        Ok(self.account(address)?.map(|account| AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            code: None,
            account_id: None,
        }))
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, StateError> {
        Bytecode::new_raw_checked(self.code(hash)?).map_err(|error| StateError::MalformedCode {
            hash,
            error: error.to_string(),
        })
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, StateError> {
        self.storage(address, slot)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, StateError> {
        self.source
            .block_hash(number)?
            .ok_or(StateError::BlockHash(number))
    }
}
