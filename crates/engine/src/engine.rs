//! The engine: blocks come in, the fork choice moves, payloads are built.
//!
//! These are the calls of the Engine API without its HTTP, versions and JSON: what the embedded node
//! calls, and what `engine_api` wraps. Answers are those of op-geth.

use crate::{
    block::{Attributes, BlockError, ExecutedBlock, build_block, import_block},
    chain_spec::ChainSpec,
    genesis::Genesis,
    header::HeaderError,
    payload_id::PayloadId,
    store::{BranchOf, ChainUpdate, Labels, Store, StoreError},
};
use alloy_consensus::Header;
use alloy_primitives::{B256, Bytes, map::HashMap};
use std::collections::VecDeque;
use thiserror::Error;

/// Payloads that are kept for `get_payload`; op-geth keeps as many.
const KEPT_PAYLOADS: usize = 10;
/// Invalid blocks that are remembered.
const KEPT_INVALID: usize = 512;

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
}

/// An execution engine over a database.
#[derive(Debug)]
pub struct Engine {
    spec: ChainSpec,
    store: Store,
    labels: Labels,
    /// Payloads that were built, newest last.
    payloads: VecDeque<(PayloadId, ExecutedBlock)>,
    invalid: InvalidBlocks,
}

impl Engine {
    /// An engine on a chain's database, which is at the chain's first block if it is new.
    pub fn new(genesis: Genesis, store: Store) -> Result<Self, EngineError> {
        let labels = store.labels()?;
        Ok(Self {
            spec: genesis.spec,
            store,
            labels,
            payloads: VecDeque::new(),
            invalid: InvalidBlocks::default(),
        })
    }

    /// The chain.
    pub const fn spec(&self) -> &ChainSpec {
        &self.spec
    }

    /// The database.
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// The labels.
    pub const fn labels(&self) -> &Labels {
        &self.labels
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
        if self.store.header(hash)?.is_some() {
            return Ok(Status::Valid);
        }
        if let Some(latest_valid) = self.invalid.latest_valid(&hash) {
            return Ok(known_invalid(latest_valid));
        }
        let Some(parent) = self.store.header(header.parent_hash)? else {
            return Ok(match self.invalid.latest_valid(&header.parent_hash) {
                Some(latest_valid) => {
                    self.invalid.insert(hash, latest_valid);
                    known_invalid(latest_valid)
                }
                None => Status::Syncing,
            });
        };
        let parent_hash = header.parent_hash;
        let branch = BranchOf::new(&self.store, (parent.number, parent_hash));
        let parent = (&parent, parent_hash);
        match import_block(&self.spec, &branch, parent, header, transactions) {
            Ok(block) => {
                self.store.add_block(&block)?;
                Ok(Status::Valid)
            }
            Err(error) if error.is_invalid_block() => {
                self.invalid.insert(hash, parent_hash);
                Ok(Status::Invalid {
                    latest_valid: Some(parent_hash),
                    reason: error.to_string(),
                })
            }
            Err(error) => Err(EngineError::Internal(error)),
        }
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
        let Some(head) = self.store.header(choice.head)? else {
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
        update.labels.safe = non_zero(choice.safe, self.labels.safe);
        update.labels.finalized = non_zero(choice.finalized, self.labels.finalized);
        if update.labels != self.labels {
            self.store.update_chain(&update)?;
            self.labels = update.labels;
        }
        if let Some(build) = build {
            self.build(build, &head, choice.head)?;
        }
        Ok(Status::Valid)
    }

    /// A payload that was built.
    pub fn get_payload(&self, id: PayloadId) -> Result<&ExecutedBlock, EngineError> {
        self.payloads
            .iter()
            .find(|(known, _)| *known == id)
            .map(|(_, block)| block)
            .ok_or(EngineError::UnknownPayload(id))
    }

    fn build(
        &mut self,
        request: &BuildRequest,
        head: &Header,
        head_hash: B256,
    ) -> Result<(), EngineError> {
        if self.payloads.iter().any(|(known, _)| *known == request.id) {
            return Ok(());
        }
        if request.attributes.timestamp <= head.timestamp {
            let error = HeaderError::Timestamp {
                found: request.attributes.timestamp,
                parent: head.timestamp,
            };
            return Err(EngineError::InvalidAttributes(error.to_string()));
        }
        let branch = BranchOf::new(&self.store, (head.number, head_hash));
        let block = build_block(
            &self.spec,
            &branch,
            (head, head_hash),
            &request.attributes,
            &request.transactions,
        );
        match block {
            Ok(block) => {
                if self.payloads.len() == KEPT_PAYLOADS {
                    self.payloads.pop_front();
                }
                self.payloads.push_back((request.id, block));
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
        while self.store.canonical(next.0)? != Some(next.1) {
            added.push((next.0, next.1));
            let parent = self
                .store
                .header(next.2)?
                .ok_or_else(|| StoreError::Malformed {
                    what: "parent of block",
                    key: next.1.to_string(),
                })?;
            next = (parent.number, next.2, parent.parent_hash);
        }
        added.reverse();
        let shared = next.0;
        let mut removed = Vec::new();
        let mut number = shared + 1;
        while let Some(old) = self.store.canonical(number)? {
            removed.push((number, old));
            number += 1;
        }
        let labels = Labels {
            head: hash,
            ..self.labels
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
        let Some(header) = self.store.header(hash)? else {
            return Err(wrong("not known"));
        };
        let number = header.number;
        let added = update.added.iter().find(|(height, _)| *height == number);
        let on_chain = match added {
            Some((_, there)) => Some(*there),
            None if number > head.number => None,
            None => self.store.canonical(number)?,
        };
        if on_chain == Some(hash) {
            Ok(())
        } else {
            Err(wrong("not on the head's chain"))
        }
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
