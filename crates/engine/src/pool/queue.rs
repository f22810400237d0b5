//! The transactions of one account, by nonce.

use super::transaction::PooledTransaction;
use alloy_primitives::U256;
use core::cmp::Reverse;
use std::{collections::BTreeMap, sync::Arc};

/// How much a transaction is worth keeping when the pool is full: those that can be executed before
/// those that cannot, then those that pay more, then the older ones.
pub(super) type Worth = (bool, u128, Reverse<u64>);

/// The transactions of one account.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// The account's nonce in the state.
    pub(super) nonce: u64,
    /// The account's balance in the state, in wei.
    pub(super) balance: U256,
    pub(super) transactions: BTreeMap<u64, Arc<PooledTransaction>>,
}

impl Queue {
    /// The transactions that can be executed one after the other.
    pub(super) fn ready(&self) -> impl Iterator<Item = &Arc<PooledTransaction>> {
        let nonces = self.nonce..;
        self.transactions
            .range(self.nonce..)
            .zip(nonces)
            .take_while(|((nonce, _), expected)| **nonce == *expected)
            .map(|((_, transaction), _)| transaction)
    }

    /// The nonce after the last transaction that can be executed.
    pub(super) fn next_nonce(&self) -> u64 {
        self.nonce + self.ready().count() as u64
    }

    /// The transactions that wait for one before them.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Arc<PooledTransaction>> {
        let first = self.next_nonce();
        self.transactions
            .range(first..)
            .map(|(_, transaction)| transaction)
    }

    /// The worth of the transaction of the highest nonce, which goes first.
    pub(super) fn worth(&self) -> Option<Worth> {
        let (nonce, last) = self.transactions.last_key_value()?;
        let ready = *nonce < self.next_nonce();
        Some((ready, last.tip_cap(), Reverse(last.arrival)))
    }

    /// Slots of all transactions.
    pub(super) fn slots(&self) -> usize {
        self.transactions.values().map(|each| each.slots()).sum()
    }
}
