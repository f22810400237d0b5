//! A block on its way into the engine.

use super::Next;
use crate::{engine::EngineCall, heads::Heads};
use alloy_primitives::B256;
use doppio_derive::DerivedAttributes;
use doppio_protocol::{attributes::PayloadAttributes, l2::L2Block};
use std::sync::Arc;

/// A block on its way into the engine.
#[derive(Debug)]
pub(super) struct Job {
    /// Where it comes from: derived, or from outside.
    derived: Option<(Arc<DerivedAttributes>, Arc<PayloadAttributes>)>,
    pub(super) stage: Stage,
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
            derived: Some((derived, Arc::new(attributes))),
            stage: if known { Stage::Compare } else { Stage::Begin },
        }
    }

    /// A block from outside.
    pub(super) const fn outside(block: Arc<L2Block>) -> Self {
        Self {
            derived: None,
            stage: Stage::Insert(block),
        }
    }

    /// The attributes that it comes from.
    pub(super) fn derived_attributes(&self) -> Option<&Arc<DerivedAttributes>> {
        self.derived.as_ref().map(|(derived, _)| derived)
    }

    /// The attributes that the engine's block is to be compared with.
    pub(super) fn to_compare(&self) -> Option<&Arc<DerivedAttributes>> {
        match self.stage {
            Stage::Compare => self.derived_attributes(),
            _ => None,
        }
    }

    /// The engine does not have it.
    pub(super) fn build(&mut self) {
        self.stage = Stage::Begin;
    }

    /// What it needs next.
    pub(super) fn next(&self, heads: &Heads) -> Next {
        let fork_choice = |head: B256, attributes| {
            Next::Engine(EngineCall::ForkChoice {
                head,
                safe: heads.safe.hash,
                finalized: heads.finalized.hash,
                attributes,
            })
        };
        match &self.stage {
            Stage::Compare => Next::L2Block(heads.pending_safe.number + 1),
            Stage::Begin => {
                let attributes = self.derived.as_ref().map(|(_, attributes)| attributes);
                fork_choice(heads.pending_safe.hash, attributes.cloned())
            }
            Stage::Get(id) => Next::Engine(EngineCall::GetPayload {
                id: *id,
                timestamp: self
                    .derived
                    .as_ref()
                    .map_or(0, |(derived, _)| derived.attributes.timestamp),
            }),
            Stage::Insert(block) => Next::Engine(EngineCall::NewPayload(Arc::clone(block))),
            Stage::Adopt(block) => fork_choice(block.hash, None),
        }
    }
}
