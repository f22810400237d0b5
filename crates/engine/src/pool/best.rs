//! The order in which transactions enter a block.

use super::transaction::PooledTransaction;
use core::cmp::{Ordering, Reverse};
use std::{
    collections::{BinaryHeap, VecDeque},
    sync::Arc,
};

/// Transactions of many accounts, each account's by nonce, the best paid first. Of two that pay the
/// same the one that came first.
#[derive(Debug)]
pub struct BestTransactions {
    base_fee: u64,
    min_tip: u128,
    accounts: BinaryHeap<Next>,
}

/// The next transaction of an account, and those after it.
#[derive(Debug)]
struct Next {
    tip: u128,
    transaction: Arc<PooledTransaction>,
    later: VecDeque<Arc<PooledTransaction>>,
}

impl Next {
    fn key(&self) -> (u128, Reverse<u64>) {
        (self.tip, Reverse(self.transaction.arrival))
    }
}

impl PartialEq for Next {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Next {}

impl PartialOrd for Next {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Next {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl BestTransactions {
    pub(super) fn new<'a, I>(
        accounts: impl Iterator<Item = I>,
        base_fee: u64,
        min_tip: u128,
    ) -> Self
    where
        I: Iterator<Item = &'a Arc<PooledTransaction>>,
    {
        let mut best = Self {
            base_fee,
            min_tip,
            accounts: BinaryHeap::new(),
        };
        for transactions in accounts {
            best.push(transactions.cloned().collect());
        }
        best
    }

    /// Takes the best transaction, with those of the same account after it.
    pub(crate) fn pop(
        &mut self,
    ) -> Option<(Arc<PooledTransaction>, VecDeque<Arc<PooledTransaction>>)> {
        let next = self.accounts.pop()?;
        Some((next.transaction, next.later))
    }

    /// Puts an account's other transactions back. They are left out if the first offers too little.
    pub(crate) fn push(&mut self, mut transactions: VecDeque<Arc<PooledTransaction>>) {
        let Some(transaction) = transactions.pop_front() else {
            return;
        };
        match transaction.tip(self.base_fee) {
            Some(tip) if tip >= self.min_tip => self.accounts.push(Next {
                tip,
                transaction,
                later: transactions,
            }),
            _ => {}
        }
    }
}

impl Iterator for BestTransactions {
    type Item = Arc<PooledTransaction>;

    fn next(&mut self) -> Option<Self::Item> {
        let (transaction, later) = self.pop()?;
        self.push(later);
        Some(transaction)
    }
}
