//! The pool: transactions that wait for a block.
//!
//! A transaction comes in when it could be executed on the newest block's state, now or once the
//! transactions before it are there, and when its sender can pay for all of them: gas, value, L1 and
//! operator. It leaves when it is in a block, when it cannot be executed any more, when another of
//! the same nonce pays more, or when the pool is full and it is the one least worth keeping.
//!
//! There is no clock here and no lock; whoever holds the pool says what the newest block is.

mod best;
mod queue;
mod transaction;

pub use best::BestTransactions;
pub use transaction::{MAX_TRANSACTION_BYTES, PooledTransaction, SLOT_BYTES};

use crate::{
    chain_spec::ChainSpec,
    header::{HeaderError, next_base_fee},
    state::{StateAt, StateError, StateSource},
};
use alloy_consensus::Header;
use alloy_primitives::{
    Address, B256, U256,
    map::{HashMap, HashSet},
};
use op_revm::{L1BlockInfo, OpSpecId};
use queue::{Queue, Worth};
use revm::{bytecode::Bytecode, database::WrapDatabaseRef};
use std::{
    collections::{BTreeSet, hash_map::Entry},
    sync::Arc,
};
use thiserror::Error;

/// What the pool bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolLimits {
    /// Most transactions.
    pub transactions: usize,
    /// Most bytes of all transactions' encodings.
    pub bytes: usize,
    /// Most slots of an account; a transaction takes one for each 32 KiB.
    pub account_slots: usize,
    /// How much more a replacement must offer, in percent.
    pub price_bump: u32,
    /// Least priority fee, in wei.
    pub min_tip: u128,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self {
            transactions: 10_000,
            bytes: 64 << 20,
            account_slots: 16,
            price_bump: 10,
            min_tip: 1,
        }
    }
}

/// Why a transaction does not come into the pool. The words are geth's where it has some.
#[derive(Debug, Error)]
pub enum PoolError {
    /// No transaction.
    #[error("malformed transaction: {0}")]
    Malformed(String),
    /// A type that users cannot send, or not yet.
    #[error("transaction type not supported")]
    Type,
    /// Too many bytes.
    #[error("oversized data: transaction size {0}, limit {MAX_TRANSACTION_BYTES}")]
    Oversized(usize),
    /// Signed for any chain.
    #[error("only replay-protected (EIP-155) transactions allowed over RPC")]
    Unprotected,
    /// Signed by nobody, or for another chain.
    #[error("invalid sender: {0}")]
    Sender(String),
    /// Init code above the limit, in bytes.
    #[error("max initcode size exceeded: code size {0}")]
    InitCode(usize),
    /// More gas than a transaction may use.
    #[error("transaction gas limit too high (cap: 16777216, tx: {0})")]
    GasAboveCap(u64),
    /// More gas than a block has.
    #[error("exceeds block gas limit")]
    GasAboveBlock,
    /// It offers the sequencer more than all.
    #[error("max priority fee per gas higher than max fee per gas")]
    TipAboveFee,
    /// No account can have a nonce after it.
    #[error("nonce has max value")]
    NonceMax,
    /// Less gas than it takes to begin.
    #[error("intrinsic gas too low: gas {0}, minimum needed {1}")]
    IntrinsicGas(u64, u64),
    /// Less gas than its data costs.
    #[error("insufficient gas for floor data gas cost: gas {0}, minimum needed {1}")]
    FloorGas(u64, u64),
    /// Too small a priority fee.
    #[error("transaction underpriced: gas tip cap {0}, minimum needed {1}")]
    Underpriced(u128, u128),
    /// Set-code transaction that sets none.
    #[error("set code tx must have at least one authorization tuple")]
    NoAuthorization,
    /// It is there.
    #[error("already known")]
    AlreadyKnown,
    /// The account is past it.
    #[error("nonce too low: next nonce {0}, tx nonce {1}")]
    NonceTooLow(u64, u64),
    /// The sender cannot pay for it and for what it sent before.
    #[error(
        "insufficient funds for gas * price + value: balance {balance}, queued cost {queued}, tx cost {cost}"
    )]
    Funds {
        /// Of the account, in wei.
        balance: U256,
        /// Of its other transactions in the pool, in wei.
        queued: U256,
        /// Of this one, in wei.
        cost: U256,
    },
    /// The sender is a contract.
    #[error("sender not an eoa: address {0}")]
    SenderNotEoa(Address),
    /// An account with delegated code may have one transaction in the pool, the next one.
    #[error("in-flight transaction limit reached for delegated accounts")]
    Delegated,
    /// An account that is about to delegate may have one transaction in the pool.
    #[error("authority already reserved: {0} has other transactions in the pool")]
    Authority(Address),
    /// One of the same nonce is there, and this does not pay enough more.
    #[error("replacement transaction underpriced")]
    ReplacementUnderpriced,
    /// The account has as much in the pool as it may.
    #[error("account limit exceeded: {0} slots of the sender would be in the pool, limit {1}")]
    AccountLimit(usize, usize),
    /// All others are worth more.
    #[error("txpool is full: all other transactions pay more")]
    Full,
    /// The state cannot be read. Not the transaction's fault.
    #[error(transparent)]
    State(#[from] StateError),
}

/// The newest block, as far as the pool must know it.
#[derive(Clone, Debug)]
pub struct PoolHead {
    /// Its hash.
    pub hash: B256,
    /// Its height.
    pub number: u64,
    /// Root of the state that it left.
    pub state_root: B256,
    /// Base fee of the block after it, in wei.
    pub next_base_fee: u64,
    chain_id: u64,
    gas_limit: u64,
    fork: OpSpecId,
    l1: L1BlockInfo,
}

impl PoolHead {
    /// Reads what must be known of a block.
    pub fn read<S: StateSource>(
        spec: &ChainSpec,
        header: &Header,
        hash: B256,
        state: &StateAt<S>,
    ) -> Result<Self, PoolHeadError> {
        let fork =
            alloy_op_evm::spec_by_timestamp_after_bedrock(spec.hardforks(), header.timestamp);
        let l1 =
            L1BlockInfo::try_fetch(&mut WrapDatabaseRef(state), U256::from(header.number), fork)?;
        Ok(Self {
            hash,
            number: header.number,
            state_root: header.state_root,
            next_base_fee: next_base_fee(spec, header, header.timestamp + 1)?,
            chain_id: spec.chain_id,
            gas_limit: header.gas_limit,
            fork,
            l1,
        })
    }

    /// What L1 and the operator take of a transaction at most, in wei.
    // spec: opstack 3.11
    fn rollup_cost(&self, bytes: &[u8], gas_limit: u64) -> U256 {
        let mut l1 = self.l1.clone();
        l1.tx_cost(bytes, U256::from(gas_limit), self.fork)
    }
}

/// Why a block cannot be the pool's newest.
#[derive(Debug, Error)]
pub enum PoolHeadError {
    /// Its state cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// There is no block after it.
    #[error(transparent)]
    Header(#[from] HeaderError),
}

/// Transactions that wait for a block.
#[derive(Debug)]
pub struct Pool {
    limits: PoolLimits,
    head: PoolHead,
    accounts: HashMap<Address, Queue>,
    /// Sender and nonce by hash.
    hashes: HashMap<B256, (Address, u64)>,
    /// Accounts that authorizations in the pool are of, and how many.
    authorities: HashMap<Address, usize>,
    /// The last transaction of each account, the one least worth keeping first.
    last: BTreeSet<(Worth, Address)>,
    /// Accounts that must be read again when the head moves.
    suspects: HashSet<Address>,
    bytes: usize,
    arrivals: u64,
}

impl Pool {
    /// An empty pool on a block.
    pub fn new(limits: PoolLimits, head: PoolHead) -> Self {
        Self {
            limits,
            head,
            accounts: HashMap::default(),
            hashes: HashMap::default(),
            authorities: HashMap::default(),
            last: BTreeSet::new(),
            suspects: HashSet::default(),
            bytes: 0,
            arrivals: 0,
        }
    }

    /// The newest block.
    pub const fn head(&self) -> &PoolHead {
        &self.head
    }

    /// How many transactions there are.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Bytes of all transactions' encodings.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many transactions could be executed now.
    pub fn ready(&self) -> usize {
        self.accounts
            .values()
            .map(|each| each.ready().count())
            .sum()
    }

    /// A transaction.
    pub fn get(&self, hash: B256) -> Option<&Arc<PooledTransaction>> {
        let (sender, nonce) = self.hashes.get(&hash)?;
        self.accounts.get(sender)?.transactions.get(nonce)
    }

    /// The nonce that an account's next transaction should have; none if it has none in the pool.
    pub fn next_nonce(&self, account: Address) -> Option<u64> {
        self.accounts.get(&account).map(Queue::next_nonce)
    }

    /// The accounts that have transactions here.
    pub fn accounts(&self) -> impl Iterator<Item = Address> {
        self.accounts.keys().copied()
    }

    /// An account's transactions, by nonce: those that could be executed, and those that wait for
    /// one before them.
    pub fn of(
        &self,
        account: Address,
    ) -> (Vec<Arc<PooledTransaction>>, Vec<Arc<PooledTransaction>>) {
        self.accounts.get(&account).map_or_else(
            || (Vec::new(), Vec::new()),
            |queue| {
                (
                    queue.ready().cloned().collect(),
                    queue.waiting().cloned().collect(),
                )
            },
        )
    }

    /// The transactions that could be executed, the best paid first, at a base fee and for at least
    /// some priority fee, both in wei.
    pub fn best(&self, base_fee: u64, min_tip: u128) -> BestTransactions {
        let queues = self.accounts.values().map(Queue::ready);
        BestTransactions::new(queues, base_fee, min_tip)
    }

    /// Says that a transaction of an account could not be executed, although it seemed so.
    pub fn suspect(&mut self, account: Address) {
        self.suspects.insert(account);
    }

    /// Takes a transaction. `state` is that of the newest block. Gives the hashes of the transactions
    /// that can be executed now and could not before.
    pub fn add<S: StateSource>(
        &mut self,
        transaction: PooledTransaction,
        state: &StateAt<S>,
    ) -> Result<Vec<B256>, PoolError> {
        if self.hashes.contains_key(&transaction.hash()) {
            return Err(PoolError::AlreadyKnown);
        }
        transaction.check(&self.head, self.limits.min_tip)?;
        let sender = transaction.sender();
        let account = state.account(sender)?.unwrap_or_default();
        if account.nonce > transaction.nonce() {
            return Err(PoolError::NonceTooLow(account.nonce, transaction.nonce()));
        }
        let code = state.code(account.code_hash)?;
        let delegated = Bytecode::new_raw_checked(code.clone()).is_ok_and(|code| code.is_eip7702());
        if !code.is_empty() && !delegated {
            return Err(PoolError::SenderNotEoa(sender));
        }
        self.check_delegation(&transaction, account.nonce, delegated)?;
        self.check_account(&transaction, account.balance)?;
        self.make_room(&transaction, account.nonce)?;
        Ok(self.insert(transaction, account.nonce, account.balance))
    }

    /// What other accounts' authorizations do to an account cannot be foreseen, so little may depend
    /// on it.
    fn check_delegation(
        &self,
        transaction: &PooledTransaction,
        nonce: u64,
        delegated: bool,
    ) -> Result<(), PoolError> {
        let sender = transaction.sender();
        if delegated || self.authorities.contains_key(&sender) {
            let others = self.accounts.get(&sender).is_some_and(|queue| {
                queue
                    .transactions
                    .keys()
                    .any(|other| *other != transaction.nonce())
            });
            if others || transaction.nonce() != nonce {
                return Err(PoolError::Delegated);
            }
        }
        for authority in transaction.authorities() {
            let count = self
                .accounts
                .get(authority)
                .map_or(0, |queue| queue.transactions.len());
            if count > 1 {
                return Err(PoolError::Authority(*authority));
            }
        }
        Ok(())
    }

    /// Checks a transaction beside its sender's others.
    fn check_account(
        &self,
        transaction: &PooledTransaction,
        balance: U256,
    ) -> Result<(), PoolError> {
        let cost = transaction.cost(&self.head);
        let mut queued = U256::ZERO;
        let mut slots = transaction.slots();
        if let Some(queue) = self.accounts.get(&transaction.sender()) {
            let old = queue.transactions.get(&transaction.nonce());
            if let Some(old) = old
                && !transaction.replaces(old, self.limits.price_bump)
            {
                return Err(PoolError::ReplacementUnderpriced);
            }
            slots += queue.slots() - old.map_or(0, |old| old.slots());
            if slots > self.limits.account_slots {
                return Err(PoolError::AccountLimit(slots, self.limits.account_slots));
            }
            queued = queue
                .transactions
                .values()
                .filter(|other| other.nonce() != transaction.nonce())
                .fold(queued, |sum, other| {
                    sum.saturating_add(other.cost(&self.head))
                });
        }
        if queued.saturating_add(cost) > balance {
            return Err(PoolError::Funds {
                balance,
                queued,
                cost,
            });
        }
        Ok(())
    }

    /// Drops what is worth less than a transaction, until that fits.
    fn make_room(&mut self, transaction: &PooledTransaction, nonce: u64) -> Result<(), PoolError> {
        let sender = transaction.sender();
        let (mut count, mut bytes) = (self.len() + 1, self.bytes + transaction.bytes().len());
        let queue = self.accounts.get(&sender);
        if let Some(old) = queue.and_then(|queue| queue.transactions.get(&transaction.nonce())) {
            count -= 1;
            bytes -= old.bytes().len();
        }
        let next = queue.map_or(nonce, Queue::next_nonce);
        let worth = (transaction.nonce() <= next, transaction.tip_cap());
        let mut dropped = Vec::new();
        // all or nothing: what makes room goes only if that is enough
        let mut last = self.last.iter().filter(|(_, account)| *account != sender);
        while count > self.limits.transactions || bytes > self.limits.bytes {
            let Some(((ready, tip, _), account)) = last.next() else {
                return Err(PoolError::Full);
            };
            if (*ready, *tip) >= worth {
                return Err(PoolError::Full);
            }
            let queue = self.accounts.get(account);
            let Some((_, least)) = queue.and_then(|queue| queue.transactions.last_key_value())
            else {
                continue;
            };
            count -= 1;
            bytes -= least.bytes().len();
            dropped.push((*account, least.nonce()));
        }
        for (account, nonce) in dropped {
            self.change(account, |pool, queue| pool.take(queue, nonce));
        }
        Ok(())
    }

    fn insert(
        &mut self,
        mut transaction: PooledTransaction,
        account_nonce: u64,
        balance: U256,
    ) -> Vec<B256> {
        let (sender, nonce) = (transaction.sender(), transaction.nonce());
        transaction.arrival = self.arrivals;
        self.arrivals += 1;
        let transaction = Arc::new(transaction);
        self.change(sender, |pool, queue| {
            pool.take(queue, nonce);
            queue.nonce = account_nonce;
            queue.balance = balance;
            let before = queue.next_nonce();
            pool.hashes.insert(transaction.hash(), (sender, nonce));
            pool.bytes += transaction.bytes().len();
            for authority in transaction.authorities() {
                *pool.authorities.entry(*authority).or_default() += 1;
            }
            queue.transactions.insert(nonce, Arc::clone(&transaction));
            if nonce > before {
                return Vec::new();
            }
            let ready = queue.ready().filter(|each| each.nonce() >= before);
            ready.map(|each| each.hash()).collect()
        })
    }

    /// Takes a transaction out of a queue that is being changed.
    fn take(&mut self, queue: &mut Queue, nonce: u64) {
        let Some(old) = queue.transactions.remove(&nonce) else {
            return;
        };
        self.hashes.remove(&old.hash());
        self.bytes -= old.bytes().len();
        for authority in old.authorities() {
            if let Entry::Occupied(mut count) = self.authorities.entry(*authority) {
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                }
            }
        }
    }

    /// Changes an account's queue. An empty one goes.
    fn change<T>(
        &mut self,
        account: Address,
        action: impl FnOnce(&mut Self, &mut Queue) -> T,
    ) -> T {
        let mut queue = self.accounts.remove(&account).unwrap_or_default();
        if let Some(worth) = queue.worth() {
            self.last.remove(&(worth, account));
        }
        let result = action(self, &mut queue);
        if let Some(worth) = queue.worth() {
            self.last.insert((worth, account));
            self.accounts.insert(account, queue);
        }
        result
    }

    /// The newest block is another one. `state` is its state; `touched` are the accounts whose nonce
    /// or balance may have fallen, all if none are given; `returned` are transactions of blocks that
    /// are canonical no more. Gives the hashes of the transactions that can be executed now and could
    /// not before.
    pub fn head_moved<S: StateSource>(
        &mut self,
        head: PoolHead,
        state: &StateAt<S>,
        touched: Option<HashSet<Address>>,
        returned: Vec<PooledTransaction>,
    ) -> Result<Vec<B256>, StateError> {
        self.head = head;
        let suspects = core::mem::take(&mut self.suspects);
        let accounts: Vec<_> = match touched {
            None => self.accounts().collect(),
            Some(touched) => touched.union(&suspects).copied().collect(),
        };
        let mut ready = Vec::new();
        for account in accounts {
            if self.accounts.contains_key(&account) {
                ready.extend(self.refresh(account, state)?);
            }
        }
        for transaction in returned {
            match self.add(transaction, state) {
                Ok(more) => ready.extend(more),
                Err(PoolError::State(error)) => return Err(error),
                // another block has it, or it is not possible any more
                Err(_) => {}
            }
        }
        Ok(ready)
    }

    /// Reads an account again, and drops what it is past or cannot pay.
    fn refresh<S: StateSource>(
        &mut self,
        account: Address,
        state: &StateAt<S>,
    ) -> Result<Vec<B256>, StateError> {
        let found = state.account(account)?.unwrap_or_default();
        Ok(self.change(account, |pool, queue| {
            let before = queue.next_nonce();
            queue.nonce = found.nonce;
            queue.balance = found.balance;
            let mut left = found.balance;
            let mut dropped = Vec::new();
            for (nonce, transaction) in &queue.transactions {
                let cost = transaction.cost(&pool.head);
                let gas_fits = transaction.gas_limit() <= pool.head.gas_limit;
                match left.checked_sub(cost) {
                    Some(rest) if *nonce >= found.nonce && gas_fits => left = rest,
                    _ => dropped.push(*nonce),
                }
            }
            for nonce in dropped {
                pool.take(queue, nonce);
            }
            let ready = queue.ready().filter(|each| each.nonce() >= before);
            ready.map(|each| each.hash()).collect()
        }))
    }
}
