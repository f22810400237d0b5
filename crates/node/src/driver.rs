//! The driver: one machine over the heads.
//!
//! After a start or a reset it finds the heads that can be trusted ([`SyncStart`]), tells them to the
//! engine, and finds where derivation begins for them ([`FindResetPoint`]). Then it runs: derived
//! attributes are compared with the block that the engine has at their height, or built; gossiped
//! blocks extend the unsafe head; L1's finality makes blocks final.

mod answers;
mod job;
mod vocabulary;

pub use vocabulary::{DriverError, DriverOptions, Event, Next, NotAsked};

use crate::{
    engine::EngineCall,
    heads::{Heads, L1Heads},
    sequencer::{Decision, Millis, Sequencer, SequencerAnswer, SequencerOptions, StartError},
    unsafe_blocks::{Refused, UnsafeBlocks},
};
use alloy_primitives::B256;
use doppio_derive::{
    DerivedAttributes, Finality, FinalityMismatch, FinalityStep, FindResetPoint, Found, OldSignal,
    Outcome, Pipeline, PipelineError, ResetPointError, ResetReason, Response, Search, Step,
    SyncStart, differences,
};
use doppio_protocol::{L1BlockRef, L2BlockRef, block::BlockId, config::ChainConfig, l2::L2Block};
use job::{Job, Source, Stage};
use std::{collections::VecDeque, sync::Arc};

/// How far a start is.
#[derive(Debug)]
enum Phase {
    /// Which heads to trust.
    Heads(SyncStart),
    /// The engine is told.
    Tell(Heads),
    /// Where derivation begins.
    Point(Heads, FindResetPoint),
    /// It goes.
    Running(Box<Running>),
}

/// What is there once it goes.
#[derive(Debug)]
struct Running {
    pipeline: Pipeline,
    /// A block on its way into the engine.
    job: Option<Job>,
    /// A block of our own, which may have to wait on its way.
    sequenced: Option<Job>,
    /// The engine does not know the heads yet.
    fork_choice_due: bool,
}

/// The driver of a rollup node.
#[derive(Debug)]
pub struct Driver {
    chain: Arc<ChainConfig>,
    options: DriverOptions,
    phase: Phase,
    heads: Option<Heads>,
    l1: L1Heads,
    finality: Finality,
    unsafe_blocks: UnsafeBlocks,
    sequencer: Option<Sequencer>,
    events: VecDeque<Event>,
    /// The time at the last step.
    now: Millis,
    /// What the engine was asked last.
    asked: Asked,
    /// When the sequencer goes on by itself.
    timer: Option<Millis>,
}

/// Whose call the engine was asked to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Nothing,
    /// To take the heads.
    Heads,
    /// For the block that is on its way.
    Job,
    /// For the block of our own.
    Sequenced,
}

impl Driver {
    /// A driver that has just been started.
    pub fn new(chain: Arc<ChainConfig>, options: DriverOptions) -> Self {
        Self {
            phase: Phase::Heads(SyncStart::new(Arc::clone(&chain), options.sync_start)),
            heads: None,
            l1: L1Heads::default(),
            finality: Finality::new(&chain.rollup, options.finality),
            unsafe_blocks: UnsafeBlocks::default(),
            sequencer: None,
            events: VecDeque::new(),
            now: 0,
            asked: Asked::Nothing,
            timer: None,
            options,
            chain,
        }
    }

    /// The heads of L2; none before they are found.
    pub const fn heads(&self) -> Option<&Heads> {
        self.heads.as_ref()
    }

    /// What is known of L1.
    pub const fn l1(&self) -> &L1Heads {
        &self.l1
    }

    /// The L1 block that derivation is at; none before it begins.
    pub const fn current_l1(&self) -> Option<&L1BlockRef> {
        match &self.phase {
            Phase::Running(running) => running.pipeline.origin(),
            _ => None,
        }
    }

    /// What happened since this was called last.
    pub fn events(&mut self) -> impl Iterator<Item = Event> + '_ {
        self.events.drain(..)
    }

    /// L1 has a new head.
    pub const fn l1_head(&mut self, block: L1BlockRef) {
        self.l1.head = Some(block);
    }

    /// L1 has a new safe block.
    pub const fn l1_safe(&mut self, block: L1BlockRef) {
        self.l1.safe = Some(block);
    }

    /// L1 has a new finalized block.
    // spec: opstack 3.15
    pub fn l1_finalized(&mut self, block: L1BlockRef) -> Result<(), OldSignal> {
        self.finality.l1_finalized(block)?;
        self.l1.finalized = Some(block);
        Ok(())
    }

    /// A block came from outside.
    // spec: opstack 4.2
    pub fn unsafe_block(&mut self, block: Arc<L2Block>) -> Result<(), Refused> {
        let safe = self
            .heads
            .map_or_else(L2BlockRef::default, |heads| heads.safe);
        self.unsafe_blocks.push(block, &safe)
    }

    /// Begins again from what the engine and L1 say.
    // spec: opstack 3.14
    pub fn reset(&mut self, reason: impl Into<String>) {
        self.events.push_back(Event::Reset(reason.into()));
        let search = SyncStart::new(Arc::clone(&self.chain), self.options.sync_start);
        self.phase = Phase::Heads(search);
        self.finality.reset();
        if let Some(sequencer) = &mut self.sequencer {
            let block_time = self.chain.rollup.block_time.saturating_mul(1_000);
            sequencer.wait_until(self.now.saturating_add(block_time));
        }
    }

    /// Begins to make blocks, on exactly this head.
    pub fn start_sequencing(
        &mut self,
        options: SequencerOptions,
        head: B256,
    ) -> Result<(), StartError> {
        if self.sequencer.is_some() {
            return Err(StartError::Running);
        }
        let heads = self.heads.ok_or(StartError::NotReady)?;
        if heads.unsafe_head.hash != head {
            return Err(StartError::OtherHead {
                head: heads.unsafe_head.hash,
                asked: head,
            });
        }
        self.sequencer = Some(Sequencer::new(options));
        Ok(())
    }

    /// Makes no more blocks; one that is not the head yet is given up. The head from which another
    /// sequencer goes on; none if it was not running.
    pub fn stop_sequencing(&mut self) -> Option<B256> {
        self.sequencer.take()?;
        if let Phase::Running(running) = &mut self.phase {
            running.sequenced = None;
        }
        self.heads.map(|heads| heads.unsafe_head.hash)
    }

    /// The sequencer's blocks take the next L1 origin each, and no users' transactions, or no longer.
    pub const fn set_recover(&mut self, recover: bool) {
        if let Some(sequencer) = &mut self.sequencer {
            sequencer.options.recover = recover;
        }
    }

    /// When the sequencer goes on by itself, whatever else is being waited for; none if it does not
    /// wait for a time.
    pub const fn timer(&self) -> Option<Millis> {
        self.timer
    }

    /// How many blocks from outside wait for their turn, and their bytes.
    pub fn unsafe_blocks(&self) -> (usize, usize) {
        (self.unsafe_blocks.len(), self.unsafe_blocks.bytes())
    }

    /// Whether it makes blocks.
    pub const fn is_sequencing(&self) -> bool {
        self.sequencer.is_some()
    }

    /// What is needed next. Asked again without an answer, it says the same, unless time has passed.
    pub fn step(&mut self, now: Millis) -> Result<Next, DriverError> {
        self.now = now;
        self.asked = Asked::Nothing;
        self.timer = None;
        loop {
            if let Some(next) = self.advance()? {
                return Ok(next);
            }
        }
    }

    /// Goes on by a little; none if there is more to do at once.
    fn advance(&mut self) -> Result<Option<Next>, DriverError> {
        match &mut self.phase {
            Phase::Heads(search) => match search.step()? {
                Search::Need(lookup) => Ok(Some(Next::Lookup(lookup))),
                Search::Found(found) => {
                    let heads = Heads {
                        unsafe_head: found.unsafe_head,
                        pending_safe: found.safe,
                        safe: found.safe,
                        finalized: found.finalized,
                    };
                    self.phase = Phase::Tell(heads);
                    Ok(None)
                }
            },
            Phase::Tell(heads) => {
                self.asked = Asked::Heads;
                Ok(Some(Next::Engine(EngineCall::heads(heads))))
            }
            Phase::Point(heads, search) => match search.step() {
                Ok(Search::Need(lookup)) => Ok(Some(Next::Lookup(lookup))),
                Ok(Search::Found(point)) => {
                    let heads = *heads;
                    self.heads = Some(heads);
                    self.finality.engine_finalized(heads.finalized);
                    self.phase = Phase::Running(Box::new(Running {
                        pipeline: Pipeline::new(Arc::clone(&self.chain), point),
                        job: None,
                        sequenced: None,
                        fork_choice_due: false,
                    }));
                    self.events.push_back(Event::Started(Box::new(heads)));
                    Ok(None)
                }
                Err(error) => {
                    self.restart(&error);
                    Ok(None)
                }
            },
            Phase::Running(_) => self.run(),
        }
    }

    fn restart(&mut self, error: &ResetPointError) {
        self.reset(error.to_string());
    }

    fn running(&mut self) -> Result<(&mut Running, &mut Heads), DriverError> {
        match (&mut self.phase, &mut self.heads) {
            (Phase::Running(running), Some(heads)) => Ok((running, heads)),
            _ => Err(DriverError::Bug("it is not running")),
        }
    }

    /// One step of a driver that goes.
    fn run(&mut self) -> Result<Option<Next>, DriverError> {
        let (running, heads) = self.running()?;
        let heads = *heads;
        if let Some(job) = &running.job {
            let next = job.next(&heads);
            self.asked = Asked::Job;
            return Ok(Some(next));
        }
        if running.fork_choice_due {
            self.asked = Asked::Heads;
            return Ok(Some(Next::Engine(EngineCall::heads(&heads))));
        }
        let until = match self.make_block(&heads)? {
            Ok(next) => return Ok(Some(next)),
            Err(until) => until,
        };
        self.timer = until;
        if let Some(block) = self
            .unsafe_blocks
            .next_after(&heads.unsafe_head, &heads.safe)
        {
            let (running, _) = self.running()?;
            running.job = Some(Job::outside(block));
            return Ok(None);
        }
        if let Some(next) = self.finality()? {
            return Ok(next);
        }
        self.derive(&heads, until)
    }

    /// What the sequencer needs now, or the time at which it will need something.
    // spec: opstack 4.3
    fn make_block(&mut self, heads: &Heads) -> Result<Result<Next, Option<Millis>>, DriverError> {
        let now = self.now;
        let Some(sequencer) = &mut self.sequencer else {
            return Ok(Err(None));
        };
        let need = sequencer.next(&heads.unsafe_head, &heads.safe, now);
        let (running, _) = self.running()?;
        let Some(job) = &running.sequenced else {
            return Ok(need.map(Next::Sequence));
        };
        let Source::Sequenced {
            parent, seal_at, ..
        } = job.source
        else {
            return Err(DriverError::Bug("a block of our own that is not"));
        };
        if parent != heads.unsafe_head.hash {
            // the head is another one: what was begun is worth nothing
            running.sequenced = None;
            return Ok(need.map(Next::Sequence));
        }
        if let Err(until) = need {
            // something failed, and is tried again then
            return Ok(Err(until));
        }
        if matches!(job.stage, Stage::Get(_)) && now < seal_at {
            return Ok(Err(Some(seal_at)));
        }
        let next = job.next(heads);
        self.asked = Asked::Sequenced;
        Ok(Ok(next))
    }

    /// What follows from L1's finality, if anything.
    // spec: opstack 3.15
    fn finality(&mut self) -> Result<Option<Option<Next>>, DriverError> {
        match self.finality.step() {
            Ok(FinalityStep::Wait) => Ok(None),
            Ok(FinalityStep::Need(lookup)) => Ok(Some(Some(Next::Lookup(lookup)))),
            Ok(FinalityStep::Finalize(block)) => {
                let (running, heads) = self.running()?;
                heads.finalized = block;
                running.fork_choice_due = true;
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

    /// Lets derivation go on.
    fn derive(
        &mut self,
        heads: &Heads,
        until: Option<Millis>,
    ) -> Result<Option<Next>, DriverError> {
        let l1_head = self.l1.head;
        let (running, _) = self.running()?;
        match running.pipeline.step() {
            Ok(Step::Need(request)) => Ok(Some(Next::Derivation(request))),
            Ok(Step::Exhausted(origin)) => {
                self.finality.exhausted(origin.id());
                match l1_head {
                    Some(head) if head.number > origin.number => {
                        Ok(Some(Next::L1Block(origin.number + 1)))
                    }
                    _ => Ok(Some(Next::Wait { until })),
                }
            }
            Ok(Step::Attributes(derived)) => {
                if derived.parent.hash != heads.pending_safe.hash {
                    return Err(DriverError::Bug("derivation is on another head"));
                }
                let known = heads.unsafe_head.number > heads.pending_safe.number;
                running.job = Some(Job::derived(derived, known));
                Ok(None)
            }
            Err(PipelineError::Reset(reason)) => {
                self.derivation_reset(&reason);
                Ok(None)
            }
            Err(error) => Err(DriverError::Pipeline(error)),
        }
    }

    fn derivation_reset(&mut self, reason: &ResetReason) {
        self.reset(reason.to_string());
    }

    /// The answer to [`Next::Lookup`].
    pub fn found(&mut self, found: Found) -> Result<(), NotAsked> {
        match &mut self.phase {
            Phase::Heads(search) => search.supply(found)?,
            Phase::Point(_, search) => search.supply(found)?,
            Phase::Running(_) => self.finality.supply(found)?,
            Phase::Tell(_) => return Err(NotAsked::Other("a lookup")),
        }
        Ok(())
    }

    /// The answer to [`Next::Derivation`] and [`Next::L1Block`]. Payloads that derivation will ask for
    /// may come before it does.
    pub fn supply(&mut self, response: Response) -> Result<(), NotAsked> {
        match &mut self.phase {
            Phase::Running(running) => Ok(running.pipeline.supply(response)?),
            _ => Err(NotAsked::Other("data for derivation")),
        }
    }

    /// The answer to [`Next::Sequence`].
    // spec: opstack 4.3
    pub fn sequence(&mut self, answer: &SequencerAnswer) -> Result<(), DriverError> {
        let chain = Arc::clone(&self.chain);
        let now = self.now;
        let (Some(heads), Some(sequencer)) = (self.heads, &mut self.sequencer) else {
            return Err(DriverError::Bug("nothing is sequenced"));
        };
        let head = heads.unsafe_head;
        let decision = match answer {
            SequencerAnswer::Origins { current, next } => {
                sequencer.origins(&chain, &head, current.as_ref(), next.as_ref(), now)
            }
            SequencerAnswer::Epoch { config, block } => sequencer
                .epoch(&chain, &head, config, block)
                .map_err(DriverError::Pipeline)?,
        };
        match decision {
            Decision::Nothing => {}
            Decision::Reset(reason) => self.reset(reason),
            Decision::Build(attributes) => {
                let seal_at = sequencer.seal_at(attributes.timestamp, now);
                let (running, _) = self.running()?;
                running.sequenced = Some(Job::sequenced(head.hash, attributes, seal_at));
            }
        }
        Ok(())
    }

    /// The answer to [`Next::L2Block`]: none if the engine has no such block.
    // spec: opstack 4.2
    pub fn consolidate(&mut self, block: Option<&L2Block>) -> Result<(), DriverError> {
        let chain = Arc::clone(&self.chain);
        let (running, _) = self.running()?;
        let Some(job) = &mut running.job else {
            return Err(DriverError::Bug("nothing to compare"));
        };
        let Some(derived) = job.to_compare() else {
            return Err(DriverError::Bug("nothing to compare"));
        };
        let Some(block) = block else {
            job.build();
            return Ok(());
        };
        let found = differences(&chain, derived.parent.hash, &derived.attributes, block);
        if found.is_empty() {
            let derived = Arc::clone(derived);
            running.job = None;
            return self.accept(&derived, block, false);
        }
        job.build();
        self.events.push_back(Event::Replaced {
            block: BlockId {
                hash: block.hash,
                number: block.header.number,
            },
            differences: found,
        });
        Ok(())
    }

    /// A block equals derived attributes, and the engine has it.
    fn accept(
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
        heads.pending_safe = block_ref;
        if built {
            heads.unsafe_head = block_ref;
        }
        let safe = *running.pipeline.safe_head();
        let moved = safe.hash != heads.safe.hash;
        if moved {
            heads.safe = safe;
            running.fork_choice_due = true;
        }
        self.events.push_back(if built {
            Event::Derived(block_ref)
        } else {
            Event::Consolidated(block_ref)
        });
        if moved {
            let derived_from = derived.derived_from;
            self.finality.derived(safe, derived_from.id());
            let head = safe;
            self.events.push_back(Event::Safe { head, derived_from });
        }
        Ok(())
    }
}
