//! The driver once it goes: what is done next, in which order.

use super::{
    Driver, DriverError, Event, Next, Phase, Purpose, Seeker,
    job::{Job, Stage},
};
use crate::{engine::EngineCall, heads::Heads, sequencer::Millis, window::Window};
use alloy_primitives::B256;
use doppio_derive::{
    DerivedAttributes, FinalityMismatch, FinalityStep, Found, Lookup, Outcome, Pipeline,
    PipelineError, Settled, Step, differences,
};
use doppio_protocol::{L1BlockRef, L2BlockRef, block::BlockId, l2::L2Block};
use std::sync::Arc;

/// What is there once it goes.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) pipeline: Pipeline,
    /// A block on its way into the engine.
    pub(super) job: Option<Job>,
    /// A block of our own, which may have to wait on its way.
    pub(super) sequenced: Option<Job>,
    /// The unsafe head of before a derived block replaced one below it.
    pub(super) backup: Option<L2BlockRef>,
    /// The backup shall be the head again.
    pub(super) is_restoring: bool,
    /// The L1 head up to which derivation has read everything.
    pub(super) read_up_to: Option<B256>,
    /// The L1 block that derivation had last nothing more from.
    exhausted: Option<B256>,
    /// Somebody does not have what derivation asks for.
    pub(super) is_suspect: bool,
    /// The unsafe head, and since when: what fills gaps waits for it to stand still.
    still: (B256, Millis),
    /// Whether derivation goes before the next block of our own, and until when; none if that is to be
    /// said. It ends when derivation has done something.
    pub(super) turn: Option<Option<Millis>>,
    /// Blocks from outside are not tried before.
    pub(super) outside_from: Millis,
    /// Derived blocks are not tried before.
    pub(super) derived_from: Millis,
}

impl Running {
    pub(super) const fn new(pipeline: Pipeline, heads: &Heads, now: Millis) -> Self {
        Self {
            pipeline,
            job: None,
            sequenced: None,
            backup: None,
            is_restoring: false,
            read_up_to: None,
            exhausted: None,
            is_suspect: false,
            still: (heads.unsafe_head.hash, now),
            turn: None,
            outside_from: 0,
            derived_from: 0,
        }
    }

    /// Whether a block of our own was fetched and is not the head yet, or may be.
    pub(super) fn has_sealed(&self) -> bool {
        self.sequenced
            .as_ref()
            .is_some_and(|job| matches!(job.stage, Stage::Insert(_) | Stage::Adopt(_)))
    }

    /// Whether the engine may have another head than we know of.
    pub(super) fn is_adopting(&self) -> bool {
        let adopts = |job: &Option<Job>| {
            job.as_ref()
                .is_some_and(|job| matches!(job.stage, Stage::Adopt(_)))
        };
        adopts(&self.job) || adopts(&self.sequenced)
    }
}

impl Driver {
    pub(super) fn running(&mut self) -> Result<(&mut Running, &mut Heads), DriverError> {
        match (&mut self.phase, &mut self.heads) {
            (Phase::Running(running), Some(heads)) => Ok((running, heads)),
            _ => Err(DriverError::Bug("it is not running")),
        }
    }

    /// One step of a driver that goes.
    pub(super) fn run(&mut self) -> Result<Option<Next>, DriverError> {
        let now = self.now;
        let (running, heads) = self.running()?;
        let heads = *heads;
        // spec: opstack-2026-09 4.1 *3
        if heads.unsafe_head.number < heads.finalized.number {
            return Err(DriverError::Bug(
                "the unsafe head is behind the finalized one",
            ));
        }
        if running.still.0 != heads.unsafe_head.hash {
            running.still = (heads.unsafe_head.hash, now);
        }
        if let Some(job) = &running.job {
            return Ok(match job.next(&heads) {
                Next::Engine(call) => self.ask(Purpose::Job, call),
                next => Some(next),
            });
        }
        if running.is_restoring
            && let Some(backup) = running.backup
        {
            let call = EngineCall::fork_choice(backup.hash, &heads);
            return Ok(self.ask(Purpose::Restore, call));
        }
        if self.sequencer.is_some() && !self.engine_has_head(&heads)? {
            return Ok(self.tell_heads(&heads));
        }
        if self.is_stopping && self.is_settled() {
            self.stopped(heads.unsafe_head.hash);
        }
        let sequencer_at = match self.make_block(&heads)? {
            Ok(next) => return Ok(next),
            Err(until) => until,
        };
        let outside_at = match self.outside(&heads)? {
            Ok(()) => return Ok(None),
            Err(until) => until,
        };
        self.timer = [sequencer_at, outside_at].into_iter().flatten().min();
        if let Some(next) = self.finality()? {
            return Ok(next);
        }
        self.derive(&heads, self.timer)
    }

    /// Asks the engine.
    pub(super) fn ask(&mut self, purpose: Purpose, call: EngineCall) -> Option<Next> {
        self.call = Some((purpose, call));
        None
    }

    /// Tells the engine the heads.
    fn tell_heads(&mut self, heads: &Heads) -> Option<Next> {
        self.ask(Purpose::Heads, EngineCall::heads(heads))
    }

    /// Whether the engine is at the unsafe head, or will be as soon as a block of our own is.
    fn engine_has_head(&mut self, heads: &Heads) -> Result<bool, DriverError> {
        let has_sealed = self.running()?.0.has_sealed();
        let head = self.acknowledged.as_ref().and_then(EngineCall::head);
        Ok(has_sealed || head == Some(heads.unsafe_head.hash))
    }

    /// Whether the engine knows the heads; it is not told again what it knows.
    // spec: opstack-2026-09 4.2 *2
    fn engine_has_heads(&mut self, heads: &Heads) -> Result<bool, DriverError> {
        let has_sealed = self.running()?.0.has_sealed();
        Ok(has_sealed || self.acknowledged == Some(EngineCall::heads(heads)))
    }

    /// Begins to bring a block from outside into the engine, if there is one; otherwise, when there will
    /// be something to do.
    // spec: opstack 4.2
    fn outside(&mut self, heads: &Heads) -> Result<Result<(), Option<Millis>>, DriverError> {
        let now = self.now;
        let interval = self.chain.rollup.block_time.saturating_mul(2_000);
        let next = self
            .unsafe_blocks
            .next_after(&heads.unsafe_head, &heads.safe);
        let gap = self.unsafe_blocks.first().map(Arc::clone);
        let (running, _) = self.running()?;
        let (block, from) = match (next, gap) {
            (Some(block), _) => (block, running.outside_from),
            // the engine may know how to get what is missing
            // spec: opstack-2026-09 4.5 *1
            (None, Some(block)) => {
                let at = running.still.1.saturating_add(interval);
                (block, running.outside_from.max(at))
            }
            (None, None) => return Ok(Err(None)),
        };
        if now < from {
            return Ok(Err(Some(from)));
        }
        running.still.1 = now;
        running.job = Some(Job::outside(block));
        Ok(Ok(()))
    }

    /// What follows from L1's finality, if anything.
    // spec: opstack 3.15
    fn finality(&mut self) -> Result<Option<Option<Next>>, DriverError> {
        if let Some(lookup) = self.settle()? {
            self.seeker = Seeker::Settled;
            return Ok(Some(Some(Next::Lookup(lookup))));
        }
        match self.finality.step() {
            Ok(FinalityStep::Wait) => Ok(None),
            Ok(FinalityStep::Need(lookup)) => {
                self.seeker = Seeker::Finality;
                Ok(Some(Some(Next::Lookup(lookup))))
            }
            Ok(FinalityStep::Finalize(block)) => {
                let (_, heads) = self.running()?;
                heads.finalized = block;
                self.finality.engine_finalized(block);
                self.events.push_back(Event::Finalized(block));
                Ok(Some(None))
            }
            Err(mismatch @ FinalityMismatch { .. }) => {
                self.reset(mismatch.to_string());
                Ok(Some(None))
            }
        }
    }

    /// Where data is behind commitments, it is final when they cannot be challenged any more. Gives the
    /// lookup that this takes, if any.
    // spec: opstack 3.15
    fn settle(&mut self) -> Result<Option<Lookup>, DriverError> {
        let Some(l1_finalized) = self.unsettled else {
            return Ok(None);
        };
        let known = self.finality.finalized_l1().map(|block| block.number);
        let (running, _) = self.running()?;
        let settled = match running.pipeline.settle(&l1_finalized) {
            Settled::WithL1 => Some(l1_finalized),
            Settled::UpTo(block) => Some(block),
            Settled::UpToNumber(number) if known.is_none_or(|known| known < number) => {
                return Ok(Some(Lookup::L1ByNumber(number)));
            }
            Settled::UpToNumber(_) | Settled::Unknown => None,
        };
        self.settle_up_to(settled);
        Ok(None)
    }

    fn settle_up_to(&mut self, block: Option<L1BlockRef>) {
        self.unsettled = None;
        if let Some(block) = block {
            // what was settled before stays so, even if nothing is settled behind it now
            let _ = self.finality.l1_finalized(block);
        }
    }

    /// The L1 block up to which nothing can be challenged any more.
    pub(super) fn settled(&mut self, found: Found) {
        if let Found::L1(block) = found {
            self.settle_up_to(Some(block));
        }
    }

    /// What L1 has at the height of the block that derivation reads.
    pub(super) fn canonical(&mut self, found: Found) {
        let Phase::Running(running) = &mut self.phase else {
            return;
        };
        running.is_suspect = false;
        if let (Found::L1(canonical), Some(origin)) = (found, running.pipeline.origin())
            && canonical.number == origin.number
            && canonical.hash != origin.hash
        {
            let reason = format!(
                "what derivation needs of L1 block {} is not there, and L1 has {} at its height",
                origin.id(),
                canonical.id()
            );
            self.reset(reason);
        }
    }

    /// Lets derivation go on.
    fn derive(
        &mut self,
        heads: &Heads,
        until: Option<Millis>,
    ) -> Result<Option<Next>, DriverError> {
        let has_heads = self.engine_has_heads(heads)?;
        let has_head = self.engine_has_head(heads)?;
        let acknowledged = self.acknowledged.is_some();
        let now = self.now;
        let (running, _) = self.running()?;
        let is_known = acknowledged || running.has_sealed();
        match running.pipeline.step() {
            // what is derived without waiting for anything is told to the engine together
            // spec: opstack-2026-09 4.2 *2
            Ok(Step::Need(_) | Step::Exhausted(_)) if !has_heads => Ok(self.tell_heads(heads)),
            Ok(Step::Need(request)) => Ok(Some(match running.pipeline.origin() {
                Some(origin) if running.is_suspect => {
                    let lookup = Lookup::L1ByNumber(origin.number);
                    self.seeker = Seeker::Canonical;
                    Next::Lookup(lookup)
                }
                _ => Next::Derivation(request),
            })),
            Ok(Step::Exhausted(origin)) => Ok(self.exhausted(heads, &origin, until)?),
            Ok(Step::Attributes(derived)) => {
                if derived.parent.hash != heads.pending_safe.hash {
                    let parent = derived.parent.id();
                    let pending = heads.pending_safe.id();
                    self.reset(format!("derived a block on {parent}, not on {pending}"));
                    return Ok(None);
                }
                let is_there = heads.unsafe_head.number > heads.pending_safe.number;
                // a block that is built names its parent as the head
                if is_there && !has_head || !is_known {
                    return Ok(self.tell_heads(heads));
                }
                if now < running.derived_from {
                    let until = until.map_or(running.derived_from, |until| {
                        until.min(running.derived_from)
                    });
                    return Ok(Some(Next::Wait { until: Some(until) }));
                }
                running.job = Some(Job::derived(derived, is_there));
                Ok(None)
            }
            Err(PipelineError::Reset(reason)) => {
                self.reset(reason.to_string());
                Ok(None)
            }
            Err(error) => Err(DriverError::Pipeline(error)),
        }
    }

    /// Derivation has nothing more from an L1 block.
    fn exhausted(
        &mut self,
        heads: &Heads,
        origin: &L1BlockRef,
        until: Option<Millis>,
    ) -> Result<Option<Next>, DriverError> {
        let (running, _) = self.running()?;
        if running.exhausted != Some(origin.hash) {
            // what it completed may be final: that comes first
            running.exhausted = Some(origin.hash);
            self.finality.exhausted(origin.id());
            return Ok(None);
        }
        let Some(head) = self.l1.head else {
            return Ok(Some(Next::Wait { until }));
        };
        let last = head.number.saturating_sub(self.options.l1_confirmations);
        if last > origin.number {
            return Ok(Some(Next::L1Block(origin.number + 1)));
        }
        self.backoff.idle();
        let (running, _) = self.running()?;
        if running.turn.take().is_some() {
            return Ok(None);
        }
        if running.read_up_to != Some(head.hash) {
            running.read_up_to = Some(head.hash);
            // what is settled may have grown with what was read
            if self.chain.rollup.alt_da.is_some() {
                self.unsettled = self.l1.finalized;
            }
            self.watch_window(heads, head.number);
            // the sequencer may have waited for it
            return Ok(None);
        }
        Ok(Some(Next::Wait { until }))
    }

    /// Tells when the window of the oldest block that is not safe closes, expires or is open again.
    fn watch_window(&mut self, heads: &Heads, l1_head: u64) {
        let window = Window::of(&self.chain);
        let warning = self.options.window_warning.unwrap_or(window.size() / 2);
        let safe = heads.safe;
        let origin = safe.l1_origin.number;
        let state = window.state(origin, l1_head, warning);
        if state != self.window {
            self.window = state;
            let left = window.left(origin, l1_head);
            self.events.push_back(Event::Window { state, safe, left });
        }
    }

    /// The answer to [`Next::L2Block`]: none if the engine has no such block.
    // spec: opstack 4.2
    pub fn consolidate(&mut self, block: Option<&L2Block>) -> Result<(), DriverError> {
        let chain = Arc::clone(&self.chain);
        let Phase::Running(running) = &mut self.phase else {
            // nothing waits for it any more
            return Ok(());
        };
        let Some(derived) = running.job.as_ref().and_then(Job::to_compare) else {
            return Ok(());
        };
        let number = derived.parent.number + 1;
        let Some(block) = block else {
            self.reset(format!("the engine has lost its block {number}"));
            return Ok(());
        };
        if block.header.number != number {
            return Ok(());
        }
        let found = differences(&chain, derived.parent.hash, &derived.attributes, block);
        if found.is_empty() {
            let derived = Arc::clone(derived);
            running.job = None;
            return self.accept(&derived, block, false);
        }
        let block = BlockId {
            hash: block.hash,
            number,
        };
        if let Some(job) = &mut running.job {
            job.replaces = Some((block, found));
            job.build();
        }
        Ok(())
    }

    /// A block equals derived attributes, and the engine has it.
    pub(super) fn accept(
        &mut self,
        derived: &DerivedAttributes,
        block: &L2Block,
        built: bool,
    ) -> Result<(), DriverError> {
        let block_ref = block.block_ref(&self.chain)?;
        let (running, heads) = self.running()?;
        let outcome = Outcome::Accepted {
            hash: block.hash,
            extra_data: block.header.extra_data.clone(),
        };
        running
            .pipeline
            .executed(outcome)
            .map_err(|_| DriverError::Bug("derivation did not wait for a block"))?;
        running.turn = None;
        heads.pending_safe = block_ref;
        if built {
            // spec: opstack 4.2
            if heads.unsafe_head.number >= block_ref.number {
                running.backup = Some(heads.unsafe_head);
            }
            heads.unsafe_head = block_ref;
        }
        let safe = *running.pipeline.safe_head();
        let moved = safe.hash != heads.safe.hash;
        if moved {
            heads.safe = safe;
            // the chain of before is not the safe one
            running.backup = None;
        }
        self.events.push_back(if built {
            Event::Derived(block_ref)
        } else {
            Event::Consolidated(block_ref)
        });
        if moved {
            let derived_from = derived.derived_from;
            self.finality.derived(safe, derived_from.id());
            self.backoff.safe(safe.number);
            let head = safe;
            self.events.push_back(Event::Safe { head, derived_from });
        }
        Ok(())
    }
}
