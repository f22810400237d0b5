//! A block on its way into the engine.

use super::Next;
use crate::{engine::EngineCall, heads::Heads, sequencer::Millis};
use alloy_primitives::B256;
use doppio_derive::{DerivedAttributes, Difference};
use doppio_protocol::{attributes::PayloadAttributes, block::BlockId, l2::L2Block};
use std::sync::Arc;

/// A block on its way into the engine.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) source: Source,
    pub(super) stage: Stage,
    /// The block in whose place it comes, and where that differs from it.
    pub(super) replaces: Option<(BlockId, Vec<Difference>)>,
}

/// Where a block comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// From L1, and what the engine is to build.
    Derived(Arc<DerivedAttributes>, Arc<PayloadAttributes>),
    /// From somebody else, who built it.
    Outside,
    /// From our own sequencer.
    Sequenced {
        /// The block that it is built on.
        parent: B256,
        attributes: Arc<PayloadAttributes>,
        /// It is fetched then, and not before.
        seal_at: Millis,
    },
}

/// How far it is.
#[derive(Debug)]
pub(super) enum Stage {
    /// The engine may have it already.
    Compare,
    /// It is to be begun.
    Begin,
    /// It was begun.
    Get([u8; 8]),
    /// It is to be executed.
    Insert(Arc<L2Block>),
    /// It is to be the head.
    Adopt(Arc<L2Block>),
}

impl Job {
    /// A derived block, which the engine may have already.
    pub(super) fn derived(derived: Arc<DerivedAttributes>, known: bool) -> Self {
        let mut attributes = derived.attributes.clone();
        // derived blocks hold what was derived, and nothing else
        attributes.no_tx_pool = true;
        Self {
            source: Source::Derived(derived, Arc::new(attributes)),
            stage: if known { Stage::Compare } else { Stage::Begin },
            replaces: None,
        }
    }

    /// A block from outside.
    pub(super) const fn outside(block: Arc<L2Block>) -> Self {
        Self {
            source: Source::Outside,
            stage: Stage::Insert(block),
            replaces: None,
        }
    }

    /// A block of our own.
    pub(super) fn sequenced(parent: B256, attributes: PayloadAttributes, seal_at: Millis) -> Self {
        Self {
            source: Source::Sequenced {
                parent,
                attributes: Arc::new(attributes),
                seal_at,
            },
            stage: Stage::Begin,
            replaces: None,
        }
    }

    /// The attributes that it was derived as.
    pub(super) const fn derived_attributes(&self) -> Option<&Arc<DerivedAttributes>> {
        match &self.source {
            Source::Derived(derived, _) => Some(derived),
            _ => None,
        }
    }

    /// The attributes that the engine's block is to be compared with.
    pub(super) const fn to_compare(&self) -> Option<&Arc<DerivedAttributes>> {
        match self.stage {
            Stage::Compare => self.derived_attributes(),
            _ => None,
        }
    }

    /// The engine does not have it, or has lost what it began.
    pub(super) fn build(&mut self) {
        self.stage = Stage::Begin;
    }

    /// The attributes that the engine builds it from.
    const fn attributes(&self) -> Option<&Arc<PayloadAttributes>> {
        match &self.source {
            Source::Derived(_, attributes) | Source::Sequenced { attributes, .. } => {
                Some(attributes)
            }
            Source::Outside => None,
        }
    }

    /// What it needs next.
    pub(super) fn next(&self, heads: &Heads) -> Next {
        match &self.stage {
            Stage::Compare => Next::L2Block(heads.pending_safe.number + 1),
            Stage::Begin => {
                let parent = match self.source {
                    Source::Sequenced { parent, .. } => parent,
                    _ => heads.pending_safe.hash,
                };
                Next::Engine(EngineCall::ForkChoice {
                    head: parent,
                    safe: heads.safe.hash,
                    finalized: heads.finalized.hash,
                    attributes: self.attributes().cloned(),
                })
            }
            Stage::Get(id) => Next::Engine(EngineCall::GetPayload {
                id: *id,
                timestamp: self
                    .attributes()
                    .map_or(0, |attributes| attributes.timestamp),
            }),
            Stage::Insert(block) => Next::Engine(EngineCall::NewPayload(Arc::clone(block))),
            Stage::Adopt(block) => Next::Engine(EngineCall::fork_choice(block.hash, heads)),
        }
    }
}
