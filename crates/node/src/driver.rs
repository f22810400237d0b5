//! The driver: one machine over the heads.
//!
//! After a start or a reset it finds the heads that can be trusted ([`SyncStart`]), tells them to the
//! engine, and finds where derivation begins for them ([`FindResetPoint`]). Then it runs: derived
//! attributes are compared with the block that the engine has at their height, or built; gossiped
//! blocks extend the unsafe head; L1's finality makes blocks final.

mod job;

use crate::{
    engine::{EngineAnswer, EngineCall, EngineError, EngineStatus},
    heads::{Heads, L1Heads},
    unsafe_blocks::{Refused, UnsafeBlocks},
};
use doppio_derive::{
    DerivedAttributes, Difference, Finality, FinalityMismatch, FinalityOptions, FinalityStep,
    FindResetPoint, Found, Lookup, NotAsked as LookupNotAsked, OldSignal, Outcome, Pipeline,
    PipelineError, Request, ResetPointError, ResetReason, Response, Search, Step, SupplyError,
    SyncStart, SyncStartError, SyncStartOptions, differences,
};
use doppio_protocol::{
    L1BlockRef, L2BlockRef,
    block::BlockId,
    config::ChainConfig,
    l2::{L2Block, L2BlockError},
};
use job::{Job, Stage};
use std::{collections::VecDeque, sync::Arc};
use thiserror::Error;

/// What an operator chooses.
#[derive(Clone, Copy, Debug, Default)]
pub struct DriverOptions {
    /// How heads are found after a start.
    pub sync_start: SyncStartOptions,
    /// How blocks become final.
    pub finality: FinalityOptions,
}

/// What is needed next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// A block's place in its chain, or a system configuration: [`Driver::found`].
    Lookup(Lookup),
    /// What derivation lacks: [`Driver::supply`].
    Derivation(Request),
    /// The canonical L1 block of a height, for derivation: [`Driver::supply`] with
    /// [`Response::NextL1Block`].
    L1Block(u64),
    /// The engine's canonical block of a height, to compare it with what was derived:
    /// [`Driver::consolidate`].
    L2Block(u64),
    /// A call of the engine: [`Driver::engine`].
    Engine(EngineCall),
    /// Nothing, until there is news of L1 or a new block.
    Wait,
}

/// What happened, for logs, metrics and whoever follows the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The heads are found and told to the engine; derivation begins.
    Started(Box<Heads>),
    /// Everything begins again.
    Reset(String),
    /// The engine had the derived block.
    Consolidated(L2BlockRef),
    /// The engine had another block than the derived one, which takes its place. On a chain with one
    /// sequencer this is an incident.
    Replaced {
        /// What the engine had.
        block: BlockId,
        /// Where it differs.
        differences: Vec<Difference>,
    },
    /// The derived block was built.
    Derived(L2BlockRef),
    /// The engine refused derived attributes.
    Refused {
        /// The parent of the block that they were for.
        parent: BlockId,
        /// The engine's reason.
        reason: String,
    },
    /// The safe head moved: it is derived from L1 up to this block.
    Safe {
        /// The safe head.
        head: L2BlockRef,
        /// The L1 block.
        derived_from: L1BlockRef,
    },
    /// A block from outside became the unsafe head.
    Unsafe(L2BlockRef),
    /// A block from outside is invalid.
    InvalidUnsafe {
        /// The block.
        block: BlockId,
        /// Why.
        reason: String,
    },
    /// The finalized head moved.
    Finalized(L2BlockRef),
}

/// Why the driver stops for good.
#[derive(Debug, Error)]
pub enum DriverError {
    /// There are no heads to start from.
    #[error("no heads to start from: {0}")]
    SyncStart(#[from] SyncStartError),
    /// Derivation.
    #[error(transparent)]
    Pipeline(PipelineError),
    /// The engine built another block than it was asked for.
    #[error("the engine built {block}, which is not what it was asked for: {difference}")]
    EngineDeviates {
        /// The block.
        block: BlockId,
        /// The first field in which it differs.
        difference: Difference,
    },
    /// A block of the engine that no L2 block can be.
    #[error("a block of the engine: {0}")]
    Block(#[from] L2BlockError),
    /// A bug of this program.
    #[error("a bug in the driver: {0}")]
    Bug(&'static str),
}

/// What was supplied was not asked for; nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotAsked {
    /// An answer to a lookup.
    #[error(transparent)]
    Lookup(#[from] LookupNotAsked),
    /// An answer for derivation.
    #[error(transparent)]
    Supply(#[from] SupplyError),
    /// Anything else.
    #[error("{0} was not asked for")]
    Other(&'static str),
}

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
    events: VecDeque<Event>,
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
            events: VecDeque::new(),
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
    }

    /// What is needed next. Asked again without an answer, it says the same.
    pub fn step(&mut self) -> Result<Next, DriverError> {
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
            Phase::Tell(heads) => Ok(Some(Next::Engine(EngineCall::heads(heads)))),
            Phase::Point(heads, search) => match search.step() {
                Ok(Search::Need(lookup)) => Ok(Some(Next::Lookup(lookup))),
                Ok(Search::Found(point)) => {
                    let heads = *heads;
                    self.heads = Some(heads);
                    self.finality.engine_finalized(heads.finalized);
                    self.phase = Phase::Running(Box::new(Running {
                        pipeline: Pipeline::new(Arc::clone(&self.chain), point),
                        job: None,
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
            return Ok(Some(job.next(&heads)));
        }
        if running.fork_choice_due {
            return Ok(Some(Next::Engine(EngineCall::heads(&heads))));
        }
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
        self.derive(&heads)
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
    fn derive(&mut self, heads: &Heads) -> Result<Option<Next>, DriverError> {
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
                    _ => Ok(Some(Next::Wait)),
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

    /// The answer to [`Next::Engine`].
    // spec: opstack 4.1
    pub fn engine(&mut self, answer: EngineAnswer) -> Result<(), DriverError> {
        // what every call has in common
        match &answer {
            EngineAnswer::Error(EngineError::Temporary(_)) => return Ok(()),
            EngineAnswer::Error(
                error @ (EngineError::InvalidForkChoice(_) | EngineError::Input(_)),
            ) => {
                self.reset(error.to_string());
                return Ok(());
            }
            _ => {}
        }
        match &mut self.phase {
            Phase::Tell(heads) => {
                let heads = *heads;
                match answer {
                    EngineAnswer::ForkChoice {
                        status: EngineStatus::Valid,
                        ..
                    } => {
                        let search = FindResetPoint::new(Arc::clone(&self.chain), heads.safe);
                        self.phase = Phase::Point(heads, search);
                    }
                    EngineAnswer::ForkChoice {
                        status: EngineStatus::Invalid(reason),
                        ..
                    } => self.reset(reason),
                    // not yet
                    _ => {}
                }
                Ok(())
            }
            Phase::Running(running) if running.job.is_some() => self.job_answer(answer),
            Phase::Running(running) if running.fork_choice_due => {
                match answer {
                    EngineAnswer::ForkChoice {
                        status: EngineStatus::Valid,
                        ..
                    } => running.fork_choice_due = false,
                    EngineAnswer::ForkChoice {
                        status: EngineStatus::Invalid(reason),
                        ..
                    } => self.reset(reason),
                    _ => {}
                }
                Ok(())
            }
            _ => Err(DriverError::Bug("no call was asked for")),
        }
    }

    /// The answer to a call that brings a block into the engine.
    // spec: opstack 4.1
    fn job_answer(&mut self, answer: EngineAnswer) -> Result<(), DriverError> {
        let chain = Arc::clone(&self.chain);
        let (running, heads) = self.running()?;
        let Some(job) = &mut running.job else {
            return Err(DriverError::Bug("no block is on its way"));
        };
        match (&job.stage, answer) {
            (
                Stage::Begin,
                EngineAnswer::ForkChoice {
                    status: EngineStatus::Valid,
                    payload: Some(id),
                },
            ) => job.stage = Stage::Get(id),
            // what was begun is lost: begin again
            (Stage::Get(_), EngineAnswer::Error(EngineError::UnknownPayload(_))) => {
                job.stage = Stage::Begin;
            }
            (Stage::Get(_), EngineAnswer::Payload(block)) => {
                if let Some(derived) = job.derived_attributes() {
                    let found =
                        differences(&chain, derived.parent.hash, &derived.attributes, &block);
                    if let Some(difference) = found.into_iter().next() {
                        return Err(DriverError::EngineDeviates {
                            block: BlockId {
                                hash: block.hash,
                                number: block.header.number,
                            },
                            difference,
                        });
                    }
                }
                job.stage = Stage::Insert(block);
            }
            (Stage::Insert(block), EngineAnswer::Status(EngineStatus::Valid)) => {
                job.stage = Stage::Adopt(Arc::clone(block));
            }
            (
                Stage::Adopt(block),
                EngineAnswer::ForkChoice {
                    status: EngineStatus::Valid,
                    ..
                },
            ) => {
                let block = Arc::clone(block);
                let derived = job.derived_attributes().cloned();
                running.job = None;
                match derived {
                    Some(derived) => return self.accept(&derived, &block, true),
                    None => {
                        let block_ref = block.block_ref(&chain)?;
                        heads.unsafe_head = block_ref;
                        self.events.push_back(Event::Unsafe(block_ref));
                    }
                }
            }
            (_, EngineAnswer::Error(EngineError::InvalidAttributes(reason)))
            | (
                _,
                EngineAnswer::Status(EngineStatus::Invalid(reason))
                | EngineAnswer::ForkChoice {
                    status: EngineStatus::Invalid(reason),
                    ..
                },
            ) => return self.job_invalid(reason),
            // syncing, or no name where there should be one: later
            _ => {}
        }
        Ok(())
    }

    /// The engine says that a block cannot be.
    fn job_invalid(&mut self, reason: String) -> Result<(), DriverError> {
        let (running, _) = self.running()?;
        let Some(job) = running.job.take() else {
            return Err(DriverError::Bug("no block is on its way"));
        };
        match job.derived_attributes() {
            Some(derived) => {
                let parent = derived.parent.id();
                running
                    .pipeline
                    .executed(Outcome::Invalid)
                    .map_err(|_| DriverError::Bug("derivation did not wait for a block"))?;
                self.events.push_back(Event::Refused { parent, reason });
            }
            None => {
                let Some(block) = self.unsafe_blocks.pop() else {
                    return Err(DriverError::Bug("the block from outside is gone"));
                };
                let block = BlockId {
                    hash: block.hash,
                    number: block.header.number,
                };
                self.events
                    .push_back(Event::InvalidUnsafe { block, reason });
            }
        }
        Ok(())
    }
}
