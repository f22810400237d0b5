//! What is seen of an engine while it works: the chain, the pool, the news.
//!
//! The engine itself is held by whoever drives it. Readers hold this, and never wait for a block
//! that is being executed.

use crate::{
    builder::BuildSettings,
    chain_spec::ChainSpec,
    meters,
    news::News,
    pool::{Pool, PoolError, PooledTransaction},
    state::StateAt,
    store::{BranchOf, Labels, Store},
};
use alloy_primitives::B256;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is seen of an engine.
#[derive(Debug)]
pub struct View {
    spec: ChainSpec,
    store: Arc<Store>,
    pool: Mutex<Pool>,
    building: Mutex<BuildSettings>,
    news: News,
}

impl View {
    pub(crate) fn new(
        spec: ChainSpec,
        store: Arc<Store>,
        pool: Pool,
        building: BuildSettings,
    ) -> Self {
        Self {
            spec,
            store,
            pool: Mutex::new(pool),
            building: Mutex::new(building),
            news: News::default(),
        }
    }

    /// The chain.
    pub const fn spec(&self) -> &ChainSpec {
        &self.spec
    }

    /// The database.
    pub const fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The labels.
    pub fn labels(&self) -> Labels {
        self.store.labels()
    }

    /// What happened lately.
    pub const fn news(&self) -> &News {
        &self.news
    }

    /// The pool. Held by nobody for long.
    pub fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How blocks are built from the pool; may be changed.
    pub fn building(&self) -> MutexGuard<'_, BuildSettings> {
        self.building.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a transaction into the pool, and gives its hash.
    pub fn add_transaction(&self, transaction: PooledTransaction) -> Result<B256, PoolError> {
        let hash = transaction.hash();
        let mut pool = self.pool();
        let head = pool.head();
        let branch = BranchOf::new(Arc::clone(&self.store), (head.number, head.hash));
        let state = StateAt::new(branch, head.state_root);
        let added = pool.add(transaction, &state);
        drop(pool);
        meters::transaction(added.is_ok());
        let ready = added?;
        self.news.pending.add(ready);
        Ok(hash)
    }
}
