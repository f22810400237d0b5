//! The engine: blocks come in, the fork choice moves, payloads are built.
//!
//! These are the calls of the Engine API without its HTTP, versions and JSON: what the embedded node
//! calls, and what `engine_api` wraps. Answers are those of op-geth.

use crate::{
    block::{Attributes, BlockError, ExecutedBlock, import_block},
    builder::{BuildSettings, Building},
    chain_spec::ChainSpec,
    genesis::Genesis,
    header::HeaderError,
    meters,
    news::HeadMoved,
    payload_id::PayloadId,
    pool::{Pool, PoolHead, PoolHeadError, PoolLimits, PooledTransaction},
    state::StateAt,
    store::{BranchOf, ChainUpdate, Labels, Store, StoreError},
    view::View,
};
use alloy_consensus::Header;
use alloy_primitives::{
    Address, B256, Bytes,
    map::{HashMap, HashSet},
};
use std::{collections::VecDeque, sync::Arc, time::Instant};
use thiserror::Error;

/// Payloads that are kept for `get_payload`; op-geth keeps as many.
const KEPT_PAYLOADS: usize = 10;
/// Invalid blocks that are remembered.
const KEPT_INVALID: usize = 512;
/// Blocks of which it is remembered which accounts they touched.
const KEPT_TOUCHED: usize = 64;

/// What the engine thinks of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is executed and stored.
    Valid,
    /// It can never be part of a chain.
    Invalid {
        /// Its newest ancestor that is valid; none if the block's form is wrong.
        latest_valid: Option<B256>,
        /// Why.
        reason: String,
    },
    /// An ancestor is missing: nothing can be said yet.
    Syncing,
}

/// Where the chain shall be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForkChoice {
    /// The newest block.
    pub head: B256,
    /// The newest safe block; zero for none.
    pub safe: B256,
    /// The newest finalized block; zero for none.
    pub finalized: B256,
}

/// What a payload is built from, beside the pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildRequest {
    /// Its name.
    pub id: PayloadId,
    /// The block's attributes.
    pub attributes: Attributes,
    /// Transactions that it must have, in order, before any other.
    pub transactions: Vec<Bytes>,
    /// Whether it must have no others.
    pub no_tx_pool: bool,
}

/// Why a call fails. Whoever called is to blame, but for [`EngineError::Store`] and
/// [`EngineError::Internal`].
#[derive(Debug, Error)]
pub enum EngineError {
    /// Safe or finalized block unknown, or not on the head's chain.
    #[error("{label} block {hash} is {problem}")]
    InvalidForkChoice {
        /// `safe` or `finalized`.
        label: &'static str,
        /// The block.
        hash: B256,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Attributes that no block can have.
    #[error("invalid payload attributes: {0}")]
    InvalidAttributes(String),
    /// There is no such payload.
    #[error("unknown payload {0}")]
    UnknownPayload(PayloadId),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine failed; the block is not to blame.
    #[error("execution failed: {0}")]
    Internal(BlockError),
    /// The state of the newest block cannot be read for the pool.
    #[error("the pool cannot follow the chain: {0}")]
    Pool(#[from] PoolHeadError),
}

/// How an engine works.
#[derive(Clone, Copy, Debug, Default)]
pub struct EngineSettings {
    /// What the pool bears.
    pub pool: PoolLimits,
    /// How blocks are built from the pool.
    pub building: BuildSettings,
}

/// A payload that was asked for.
#[derive(Debug)]
enum Payload {
    /// Transactions may still come in.
    Open(Box<Building<BranchOf>>),
    Sealed(Arc<ExecutedBlock>),
}

/// An execution engine over a database.
#[derive(Debug)]
pub struct Engine {
    view: Arc<View>,
    /// Payloads that were asked for, newest last.
    payloads: VecDeque<(PayloadId, Payload)>,
    invalid: InvalidBlocks,
    /// The accounts that the newest blocks touched.
    touched: VecDeque<(B256, Vec<Address>)>,
}

impl Engine {
    /// An engine on a chain's database, which is at the chain's first block if it is new.
    pub fn new(
        genesis: Genesis,
        store: Store,
        settings: &EngineSettings,
    ) -> Result<Self, EngineError> {
        let spec = genesis.spec;
        let store = Arc::new(store);
        let hash = store.labels().head;
        let header = store.header(hash)?.ok_or_else(|| missing(hash))?;
        let (head, _) = pool_head(&spec, &store, &header, hash)?;
        let pool = Pool::new(settings.pool, head);
        meters::head(&header);
        meters::pool(&pool);
        Ok(Self {
            view: Arc::new(View::new(spec, store, pool, settings.building)),
            payloads: VecDeque::new(),
            invalid: InvalidBlocks::default(),
            touched: VecDeque::new(),
        })
    }

    /// What is seen of this engine while it works.
    pub const fn view(&self) -> &Arc<View> {
        &self.view
    }

    /// The chain.
    pub fn spec(&self) -> &ChainSpec {
        self.view.spec()
    }

    /// The database.
    pub fn store(&self) -> &Arc<Store> {
        self.view.store()
    }

    /// The labels.
    pub fn labels(&self) -> Labels {
        self.view.labels()
    }

    /// Takes a block: checks, executes and stores it. The chain does not move.
    pub fn new_payload(
        &mut self,
        hash: B256,
        header: &Header,
        transactions: &[Bytes],
    ) -> Result<Status, EngineError> {
        let found = header.hash_slow();
        if found != hash {
            return Ok(Status::Invalid {
                latest_valid: None,
                reason: format!("blockhash mismatch: the payload's content hashes to {found}"),
            });
        }
        if self.store().header(hash)?.is_some() {
            return Ok(Status::Valid);
        }
        if let Some(block) = self.sealed(hash, transactions) {
            self.add_block(&block)?;
            return Ok(Status::Valid);
        }
        if let Some(latest_valid) = self.invalid.latest_valid(&hash) {
            return Ok(known_invalid(latest_valid));
        }
        let Some(parent) = self.store().header(header.parent_hash)? else {
            return Ok(match self.invalid.latest_valid(&header.parent_hash) {
                Some(latest_valid) => {
                    self.invalid.insert(hash, latest_valid);
                    known_invalid(latest_valid)
                }
                None => Status::Syncing,
            });
        };
        let parent_hash = header.parent_hash;
        let branch = BranchOf::new(Arc::clone(self.store()), (parent.number, parent_hash));
        let parent = (&parent, parent_hash);
        let start = Instant::now();
        match import_block(self.spec(), branch, parent, header, transactions) {
            Ok(block) => {
                self.add_block(&block)?;
                meters::imported(&block.header, start.elapsed());
                Ok(Status::Valid)
            }
            Err(error) if error.is_invalid_block() => {
                meters::refused();
                self.invalid.insert(hash, parent_hash);
                Ok(Status::Invalid {
                    latest_valid: Some(parent_hash),
                    reason: error.to_string(),
                })
            }
            Err(error) => Err(EngineError::Internal(error)),
        }
    }

    /// A block that was built here, so that it need not be executed again.
    fn sealed(&self, hash: B256, transactions: &[Bytes]) -> Option<Arc<ExecutedBlock>> {
        self.payloads.iter().find_map(|(_, payload)| match payload {
            Payload::Sealed(block) if block.hash == hash && block.transactions == transactions => {
                Some(Arc::clone(block))
            }
            _ => None,
        })
    }

    fn add_block(&mut self, block: &ExecutedBlock) -> Result<(), StoreError> {
        self.store().add_block(block)?;
        if self.touched.len() == KEPT_TOUCHED {
            self.touched.pop_front();
        }
        let touched = block.executed.state.touched.clone();
        self.touched.push_back((block.hash, touched));
        Ok(())
    }

    /// Moves the chain to a head, and begins to build a block on it.
    pub fn forkchoice_updated(
        &mut self,
        choice: &ForkChoice,
        build: Option<&BuildRequest>,
    ) -> Result<Status, EngineError> {
        if choice.head.is_zero() {
            return Ok(Status::Invalid {
                latest_valid: None,
                reason: "the head is the zero hash".to_owned(),
            });
        }
        let Some(head) = self.store().header(choice.head)? else {
            return Ok(match self.invalid.latest_valid(&choice.head) {
                Some(latest_valid) => known_invalid(latest_valid),
                None => Status::Syncing,
            });
        };
        let mut update = self.path_to(choice.head, &head)?;
        for (label, hash) in [("finalized", choice.finalized), ("safe", choice.safe)] {
            self.check_label(label, hash, &head, &update)?;
        }
        // a label that is not given stays
        let old = self.labels();
        update.labels.safe = non_zero(choice.safe, old.safe);
        update.labels.finalized = non_zero(choice.finalized, old.finalized);
        if update.labels != old {
            self.store().update_chain(&update)?;
            let height = |hash| Ok::<_, StoreError>(self.store().header(hash)?.map(|h| h.number));
            meters::labels(
                height(update.labels.safe)?,
                height(update.labels.finalized)?,
            );
        }
        if choice.head != old.head {
            self.head_moved(update, &head, choice.head)?;
        }
        if let Some(build) = build {
            self.build(build, &head, choice.head)?;
        }
        Ok(Status::Valid)
    }

    /// Tells the pool and the readers that the chain changed.
    fn head_moved(
        &self,
        update: ChainUpdate,
        head: &Header,
        hash: B256,
    ) -> Result<(), EngineError> {
        let ChainUpdate { removed, added, .. } = update;
        let mut returned = Vec::new();
        for (_, block) in &removed {
            let transactions = self.store().transactions(*block)?;
            // a deposit, or what is larger than the pool allows, cannot come back
            let pooled = |bytes| PooledTransaction::decode(bytes).ok();
            returned.extend(transactions.into_iter().flatten().filter_map(pooled));
        }
        let (pool_head, state) = pool_head(self.spec(), self.store(), head, hash)?;
        let touched = self.touched_by(removed.iter().chain(&added));
        let mut pool = self.view.pool();
        let ready = pool
            .head_moved(pool_head, &state, touched, returned)
            .map_err(PoolHeadError::from)?;
        meters::pool(&pool);
        drop(pool);
        meters::head(head);
        meters::reorg(removed.len(), added.len());
        let news = self.view.news();
        news.heads.add([Arc::new(HeadMoved { removed, added })]);
        news.pending.add(ready);
        Ok(())
    }

    /// The accounts that blocks touched; none if that is not known of all of them.
    fn touched_by<'a>(
        &self,
        blocks: impl Iterator<Item = &'a (u64, B256)>,
    ) -> Option<HashSet<Address>> {
        let mut all = HashSet::default();
        for (_, block) in blocks {
            let (_, accounts) = self.touched.iter().find(|(known, _)| known == block)?;
            all.extend(accounts);
        }
        Some(all)
    }

    /// A payload that was asked for: what the pool has is added, and it is sealed.
    pub fn get_payload(&mut self, id: PayloadId) -> Result<Arc<ExecutedBlock>, EngineError> {
        let unknown = EngineError::UnknownPayload(id);
        let at = self.payload(id).ok_or(unknown)?;
        let Some((_, payload)) = self.payloads.remove(at) else {
            return Err(EngineError::UnknownPayload(id));
        };
        let block = match payload {
            Payload::Sealed(block) => block,
            Payload::Open(building) => {
                let start = Instant::now();
                let building = self.fill(*building)?;
                let block = building.seal(self.spec()).map_err(EngineError::Internal)?;
                meters::sealed(&block.header, block.transactions.len(), start.elapsed());
                Arc::new(block)
            }
        };
        let sealed = Payload::Sealed(Arc::clone(&block));
        self.payloads.insert(at, (id, sealed));
        Ok(block)
    }

    /// Adds what the pool has to the newest payload, if that is open.
    pub fn top_up(&mut self) -> Result<(), EngineError> {
        match self.payloads.pop_back() {
            Some((id, Payload::Open(building))) => {
                let building = self.fill(*building)?;
                self.payloads
                    .push_back((id, Payload::Open(Box::new(building))));
            }
            Some(sealed) => self.payloads.push_back(sealed),
            None => {}
        }
        Ok(())
    }

    fn payload(&self, id: PayloadId) -> Option<usize> {
        self.payloads.iter().position(|(known, _)| *known == id)
    }

    fn fill(&self, building: Building<BranchOf>) -> Result<Building<BranchOf>, EngineError> {
        if !building.takes_pool() {
            return Ok(building);
        }
        let settings = *self.view.building();
        let best = self.view.pool().best(building.base_fee(), settings.min_tip);
        let (building, refused) = building
            .fill(self.spec(), best, &settings)
            .map_err(EngineError::Internal)?;
        let mut pool = self.view.pool();
        for account in refused {
            pool.suspect(account);
        }
        drop(pool);
        Ok(building)
    }

    fn build(
        &mut self,
        request: &BuildRequest,
        head: &Header,
        head_hash: B256,
    ) -> Result<(), EngineError> {
        if self.payload(request.id).is_some() {
            return Ok(());
        }
        if request.attributes.timestamp <= head.timestamp {
            let error = HeaderError::Timestamp {
                found: request.attributes.timestamp,
                parent: head.timestamp,
            };
            return Err(EngineError::InvalidAttributes(error.to_string()));
        }
        let building = Building::begin(
            self.spec(),
            BranchOf::new(Arc::clone(self.store()), (head.number, head_hash)),
            (head, head_hash),
            &request.attributes,
            &request.transactions,
            !request.no_tx_pool,
        );
        match building {
            Ok(building) => {
                let building = self.fill(building)?;
                if self.payloads.len() == KEPT_PAYLOADS {
                    self.payloads.pop_front();
                }
                self.payloads
                    .push_back((request.id, Payload::Open(Box::new(building))));
                Ok(())
            }
            Err(error) if error.is_invalid_block() => {
                Err(EngineError::InvalidAttributes(error.to_string()))
            }
            Err(error) => Err(EngineError::Internal(error)),
        }
    }

    /// What has to change so that a block becomes the head.
    fn path_to(&self, hash: B256, head: &Header) -> Result<ChainUpdate, EngineError> {
        let mut added = Vec::new();
        let mut next = (head.number, hash, head.parent_hash);
        let store = self.store();
        while store.canonical(next.0)? != Some(next.1) {
            added.push((next.0, next.1));
            let parent = store.header(next.2)?.ok_or_else(|| missing(next.2))?;
            next = (parent.number, next.2, parent.parent_hash);
        }
        added.reverse();
        let shared = next.0;
        let mut removed = Vec::new();
        let mut number = shared + 1;
        while let Some(old) = store.canonical(number)? {
            removed.push((number, old));
            number += 1;
        }
        let labels = Labels {
            head: hash,
            ..self.labels()
        };
        Ok(ChainUpdate {
            removed,
            added,
            labels,
        })
    }

    /// A labelled block must be on the chain that `update` leads to.
    fn check_label(
        &self,
        label: &'static str,
        hash: B256,
        head: &Header,
        update: &ChainUpdate,
    ) -> Result<(), EngineError> {
        if hash.is_zero() {
            return Ok(());
        }
        let wrong = |problem| EngineError::InvalidForkChoice {
            label,
            hash,
            problem,
        };
        let Some(header) = self.store().header(hash)? else {
            return Err(wrong("not known"));
        };
        let number = header.number;
        let added = update.added.iter().find(|(height, _)| *height == number);
        let on_chain = match added {
            Some((_, there)) => Some(*there),
            None if number > head.number => None,
            None => self.store().canonical(number)?,
        };
        if on_chain == Some(hash) {
            Ok(())
        } else {
            Err(wrong("not on the head's chain"))
        }
    }
}

/// What the pool must know of a block, and the state that the block left.
fn pool_head(
    spec: &ChainSpec,
    store: &Arc<Store>,
    header: &Header,
    hash: B256,
) -> Result<(PoolHead, StateAt<BranchOf>), PoolHeadError> {
    let branch = BranchOf::new(Arc::clone(store), (header.number, hash));
    let state = StateAt::new(branch, header.state_root);
    let head = PoolHead::read(spec, header, hash, &state)?;
    Ok((head, state))
}

fn missing(hash: B256) -> StoreError {
    StoreError::Malformed {
        what: "header of block",
        key: hash.to_string(),
    }
}

fn non_zero(new: B256, old: B256) -> B256 {
    if new.is_zero() { old } else { new }
}

fn known_invalid(latest_valid: B256) -> Status {
    Status::Invalid {
        latest_valid: Some(latest_valid),
        reason: "the block or an ancestor of it was refused before".to_owned(),
    }
}

/// Blocks that were refused, with their newest valid ancestor. The oldest are forgotten: they are
/// only refused again, after being executed again.
#[derive(Debug, Default)]
struct InvalidBlocks {
    latest_valid: HashMap<B256, B256>,
    order: VecDeque<B256>,
}

impl InvalidBlocks {
    fn insert(&mut self, hash: B256, latest_valid: B256) {
        if self.latest_valid.insert(hash, latest_valid).is_none() {
            self.order.push_back(hash);
        }
        if self.order.len() > KEPT_INVALID
            && let Some(oldest) = self.order.pop_front()
        {
            self.latest_valid.remove(&oldest);
        }
    }

    fn latest_valid(&self, hash: &B256) -> Option<B256> {
        self.latest_valid.get(hash).copied()
    }
}
