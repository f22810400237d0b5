//! Which L2 blocks an L1 finality signal makes final.
//!
//! An L2 block is final once all the L1 data that it was derived from is. So the L1 block that
//! completed each safe block is remembered, for as long as L1 takes to finalize. Before anything
//! is called final, L1 is asked whether both blocks, the finalized one and the remembered one, are
//! on its canonical chain.

use crate::lookup::{Answers, Found, Halt, Lookup, NotAsked};
use doppio_protocol::{L1BlockRef, L2BlockRef, block::BlockId, config::RollupConfig};
use std::collections::VecDeque;
use thiserror::Error;

/// L1 blocks that are remembered: four epochs, and one to make room.
// spec: opstack 3.15
const DEFAULT_LOOKBACK: u64 = 4 * 32 + 1;
/// L1 blocks between two attempts while derivation catches up.
// spec: opstack 3.15
const DEFAULT_DELAY: u64 = 64;

/// What an operator chooses about finality.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FinalityOptions {
    /// L1 blocks to remember. (`--finality.lookback`.)
    pub lookback: Option<u64>,
    /// L1 blocks between two attempts. (`--finality.delay`.)
    pub delay: Option<u64>,
}

/// The last L2 block that an L1 block completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    l1_block: BlockId,
    l2_block: L2BlockRef,
}

/// What follows from what is known about finality.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinalityStep {
    /// Nothing yet: wait for a later signal.
    Wait,
    /// It asks L1 for a block.
    Need(Lookup),
    /// The L2 block is final. [`Finality::engine_finalized`] says that the engine knows.
    Finalize(L2BlockRef),
}

/// L1 contradicts itself: derivation stands on a chain that is not the finalized one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{assumed} is not on the finalized L1 chain, which has {found} at its height")]
pub struct FinalityMismatch {
    /// What was derived from, or said to be final.
    pub assumed: BlockId,
    /// What L1 has there.
    pub found: BlockId,
}

/// A finality signal from before the last one. L1 does not take finality back: the provider is
/// wrong now, or was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("L1 block {signal} is signalled as finalized, but {last} was before; it is ignored")]
pub struct OldSignal {
    /// The signal.
    pub signal: BlockId,
    /// The last one.
    pub last: BlockId,
}

/// The bookkeeping of finality.
// spec: opstack 3.15
#[derive(Clone, Debug)]
pub struct Finality {
    lookback: u64,
    delay: u64,
    /// Oldest first; L1 numbers ascend.
    entries: VecDeque<Entry>,
    finalized_l1: Option<L1BlockRef>,
    finalized_l2: Option<L2BlockRef>,
    /// Where derivation was at the last attempt since the signal.
    tried_at: Option<u64>,
    /// Whether an attempt is due.
    due: bool,
    answers: Answers,
}

impl Finality {
    /// Bookkeeping for a chain.
    // spec: opstack 3.15
    pub fn new(rollup: &RollupConfig, options: FinalityOptions) -> Self {
        // A commitment challenged in the last block of its window is open until the answer's
        // window has passed too.
        let alt_da = rollup.alt_da.map_or(0, |alt_da| {
            alt_da
                .da_challenge_window
                .saturating_add(alt_da.da_resolve_window)
                .saturating_add(1)
        });
        let lookback = options.lookback.unwrap_or(DEFAULT_LOOKBACK.max(alt_da));
        Self {
            lookback: lookback.max(1),
            delay: options.delay.unwrap_or(DEFAULT_DELAY),
            entries: VecDeque::new(),
            finalized_l1: None,
            finalized_l2: None,
            tried_at: None,
            due: false,
            answers: Answers::default(),
        }
    }

    /// The L1 block up to which L1 is known to be final.
    pub const fn finalized_l1(&self) -> Option<&L1BlockRef> {
        self.finalized_l1.as_ref()
    }

    /// Takes that an L2 block has become safe, and which L1 block completed it.
    // spec: opstack 3.15
    pub fn derived(&mut self, l2_block: L2BlockRef, derived_from: BlockId) {
        match self.entries.back_mut() {
            Some(last) if last.l1_block.number >= derived_from.number => last.l2_block = l2_block,
            _ => {
                if self.entries.len() as u64 >= self.lookback {
                    self.entries.pop_front();
                }
                self.entries.push_back(Entry {
                    l1_block: derived_from,
                    l2_block,
                });
            }
        }
    }

    /// Takes a signal that L1 is final up to a block. On a chain with alt-DA, signal what
    /// [`Pipeline::settle`](crate::Pipeline::settle) makes of it.
    // spec: opstack 3.15
    pub fn l1_finalized(&mut self, block: L1BlockRef) -> Result<(), OldSignal> {
        if let Some(last) = self.finalized_l1.filter(|last| block.number < last.number) {
            return Err(OldSignal {
                signal: block.id(),
                last: last.id(),
            });
        }
        if self.finalized_l1 != Some(block) {
            self.tried_at = None;
            self.finalized_l1 = Some(block);
        }
        self.attempt();
        Ok(())
    }

    /// Takes that derivation has exhausted an L1 block. All that is derived from one becomes final
    /// together, so this is the time to try.
    // spec: opstack 3.15
    pub fn exhausted(&mut self, origin: BlockId) {
        let recently = self
            .tried_at
            .is_some_and(|tried| origin.number <= tried.saturating_add(self.delay));
        if self.finalized_l1.is_some() && !recently {
            self.tried_at = Some(origin.number);
            self.attempt();
        }
    }

    /// Takes what the engine holds for final.
    pub const fn engine_finalized(&mut self, block: L2BlockRef) {
        self.finalized_l2 = Some(block);
    }

    /// Forgets what was derived: it may be reorganised. What L1 finalized stays so.
    // spec: opstack 3.15
    pub fn reset(&mut self) {
        self.entries.clear();
        self.tried_at = None;
        self.due = false;
        self.answers.next_round();
    }

    fn attempt(&mut self) {
        self.due = true;
        self.answers.next_round();
    }

    /// What follows.
    ///
    /// On an error derivation must start again from a [`SyncStart`](crate::SyncStart).
    pub fn step(&mut self) -> Result<FinalityStep, FinalityMismatch> {
        match self.round() {
            Ok(step) => {
                self.due = false;
                Ok(step)
            }
            Err(Halt::Need(lookup)) => Ok(FinalityStep::Need(lookup)),
            Err(Halt::Failed(error)) => {
                self.due = false;
                Err(error)
            }
        }
    }

    /// Takes the answer to the lookup that [`Finality::step`] asked for.
    pub fn supply(&mut self, found: Found) -> Result<(), NotAsked> {
        // that L1 has no such block may be true for a moment only: ask again
        match found {
            Found::Nothing => Ok(()),
            found => self.answers.supply(found),
        }
    }

    // spec: opstack 3.15, opstack-2026-09 3.15 *1
    fn round(&mut self) -> Result<FinalityStep, Halt<FinalityMismatch>> {
        let Some(finalized_l1) = self.finalized_l1.filter(|_| self.due) else {
            return Ok(FinalityStep::Wait);
        };
        let known = self.finalized_l2.map_or(0, |block| block.number);
        let newest = self.entries.iter().rev().find(|entry| {
            entry.l1_block.number <= finalized_l1.number && entry.l2_block.number > known
        });
        let Some(Entry { l1_block, l2_block }) = newest.copied() else {
            return Ok(FinalityStep::Wait);
        };
        for assumed in [finalized_l1.id(), l1_block] {
            match self.answers.l1(Lookup::L1ByNumber(assumed.number))? {
                Some(found) if found.hash == assumed.hash => {}
                Some(found) => {
                    let found = found.id();
                    return Err(Halt::Failed(FinalityMismatch { assumed, found }));
                }
                None => return Ok(FinalityStep::Wait),
            }
        }
        Ok(FinalityStep::Finalize(l2_block))
    }
}
