//! The driver: one machine over the heads.
//!
//! After a start or a reset it finds the heads that can be trusted ([`SyncStart`]), tells them to the
//! engine, and finds where derivation begins for them ([`FindResetPoint`]). Then it runs: derived
//! attributes are compared with the block that the engine has at their height, or built; gossiped
//! blocks extend the unsafe head; L1's finality makes blocks final.

mod answers;
mod backoff;
mod job;
mod running;
mod sequencing;
mod vocabulary;

pub use sequencing::Stop;
pub use vocabulary::{DriverError, DriverOptions, Event, Next, NotAsked};

use crate::{
    engine::EngineCall,
    heads::{Heads, L1Heads},
    sequencer::{Millis, Sequencer},
    unsafe_blocks::{Refused, UnsafeBlocks},
    window::WindowState,
};
use backoff::Backoff;
use doppio_derive::{
    DropLog, Finality, FindResetPoint, Found, Lookup, OldSignal, PayloadRequest, Pipeline,
    Response, Search, SyncStart, SyncStartError,
};
use doppio_protocol::{L1BlockRef, L2BlockRef, config::ChainConfig, l2::L2Block};
use running::Running;
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

/// What the engine is called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// To take the heads, after a start or a reset.
    Tell,
    /// To take the heads.
    Heads,
    /// To go back to the chain of before.
    Restore,
    /// For the block that is on its way.
    Job,
    /// For the block of our own.
    Sequenced,
}

/// What a lookup of a driver that goes is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seeker {
    Finality,
    /// How far alt-DA is settled.
    Settled,
    /// Whether what derivation reads is canonical.
    Canonical,
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
    /// L1 is final up to a block, and how far alt-DA is settled with it is not known yet.
    unsettled: Option<L1BlockRef>,
    unsafe_blocks: UnsafeBlocks,
    sequencer: Option<Sequencer>,
    /// The sequencer stops once its block is the head or is none.
    is_stopping: bool,
    /// Of the oldest block that is not safe, when derivation had last read all of L1.
    window: WindowState,
    events: VecDeque<Event>,
    /// The time at the last step.
    now: Millis,
    /// The call that the engine has not answered.
    call: Option<(Purpose, EngineCall)>,
    /// What was looked up last.
    seeker: Seeker,
    /// The fork choice that the engine has; none if that is not known.
    acknowledged: Option<EngineCall>,
    generation: u64,
    backoff: Backoff,
    /// The pipeline of before a reset: it may know which commitments have expired.
    before: Option<Pipeline>,
    /// When it goes on by itself, whatever else is waited for.
    timer: Option<Millis>,
}

impl Driver {
    /// A driver that has just been started.
    pub fn new(chain: Arc<ChainConfig>, options: DriverOptions) -> Self {
        Self {
            phase: Phase::Heads(SyncStart::new(Arc::clone(&chain), options.sync_start)),
            heads: None,
            l1: L1Heads::default(),
            finality: Finality::new(&chain.rollup, options.finality),
            unsettled: None,
            unsafe_blocks: UnsafeBlocks::default(),
            sequencer: None,
            is_stopping: false,
            window: WindowState::default(),
            events: VecDeque::new(),
            now: 0,
            call: None,
            seeker: Seeker::Finality,
            acknowledged: None,
            generation: 0,
            backoff: Backoff::default(),
            before: None,
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

    /// Where the sequencing window of the oldest block that is not safe is: see [`Event::Window`].
    pub const fn window(&self) -> WindowState {
        self.window
    }

    /// When it goes on by itself, whatever else is waited for, as of the last step; none if it waits
    /// for no time.
    pub const fn timer(&self) -> Option<Millis> {
        self.timer
    }

    /// The blocks that came before their turn.
    pub const fn unsafe_blocks(&self) -> &UnsafeBlocks {
        &self.unsafe_blocks
    }

    /// What derivation left out of the L1 block that it reads, and why; none before it begins. The
    /// details go when the next L1 block is supplied.
    pub const fn drops(&mut self) -> Option<&mut DropLog> {
        match &mut self.phase {
            Phase::Running(running) => Some(running.pipeline.drops()),
            _ => None,
        }
    }

    /// The alt-DA payloads that derivation will ask for in the L1 block that it reads. They may be
    /// supplied in any order, before it does.
    pub fn payload_requests(&self) -> Vec<PayloadRequest> {
        match &self.phase {
            Phase::Running(running) => running.pipeline.payload_requests().collect(),
            _ => Vec::new(),
        }
    }

    /// Grows with everything that makes earlier questions void: a reset, a sequencer that stops.
    ///
    /// An answer to what was asked in an earlier generation is not wanted any more, and must not be
    /// brought. What is under way to the engine then is best waited for all the same, before the next
    /// thing is done: the engine may still take it, and says afterwards where it is.
    pub const fn generation(&self) -> u64 {
        self.generation
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
        if self.chain.rollup.alt_da.is_some() {
            if let Some(last) = self.l1.finalized.filter(|last| block.number < last.number) {
                let (signal, last) = (block.id(), last.id());
                return Err(OldSignal { signal, last });
            }
            self.unsettled = Some(block);
        } else {
            self.finality.l1_finalized(block)?;
        }
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

    /// What derivation asks for is not there, says whoever should have it. It may still come; but if L1
    /// was reorganised it never will. L1 is asked which.
    pub fn unavailable(&mut self) {
        if let Phase::Running(running) = &mut self.phase {
            running.is_suspect = true;
        }
    }

    /// Begins again from what the engine and L1 say.
    // spec: opstack 3.14
    pub fn reset(&mut self, reason: impl Into<String>) {
        self.events.push_back(Event::Reset(reason.into()));
        let search = SyncStart::new(Arc::clone(&self.chain), self.options.sync_start);
        if let Phase::Running(running) = core::mem::replace(&mut self.phase, Phase::Heads(search)) {
            self.before = Some(running.pipeline);
        }
        self.finality.reset();
        self.call = None;
        self.acknowledged = None;
        self.generation += 1;
        let safe = self.heads.map_or(0, |heads| heads.safe.number);
        self.backoff.reset(safe, self.now);
    }

    /// What is needed next. Asked again without an answer, it says the same, unless time has passed.
    ///
    /// What fails is to be asked for again, after a pause of whoever asks.
    pub fn step(&mut self, now: Millis) -> Result<Next, DriverError> {
        self.now = now;
        self.timer = None;
        loop {
            if let Some((_, call)) = &self.call {
                return Ok(Next::Engine(call.clone()));
            }
            if let Some(next) = self.advance()? {
                return Ok(next);
            }
        }
    }

    /// Goes on by a little; none if there is more to do at once, or a call of the engine is due.
    fn advance(&mut self) -> Result<Option<Next>, DriverError> {
        match &mut self.phase {
            Phase::Heads(search) => {
                if let Some(until) = self.backoff.wait(self.now) {
                    let until = Some(until);
                    return Ok(Some(Next::Wait { until }));
                }
                match search.step() {
                    Ok(Search::Need(lookup)) => Ok(Some(Next::Lookup(lookup))),
                    Ok(Search::Found(found)) => {
                        self.phase = Phase::Tell(Heads {
                            unsafe_head: found.unsafe_head,
                            pending_safe: found.safe,
                            safe: found.safe,
                            finalized: found.finalized,
                        });
                        Ok(None)
                    }
                    Err(error) => self.not_found(error),
                }
            }
            Phase::Tell(heads) => {
                self.call = Some((Purpose::Tell, EngineCall::heads(heads)));
                Ok(None)
            }
            Phase::Point(heads, search) => match search.step() {
                Ok(Search::Need(lookup)) => Ok(Some(Next::Lookup(lookup))),
                Ok(Search::Found(point)) => {
                    let heads = *heads;
                    let pipeline = match self.before.take() {
                        Some(mut pipeline) => {
                            pipeline.reset(point);
                            pipeline
                        }
                        None => Pipeline::new(Arc::clone(&self.chain), point),
                    };
                    self.started(heads, pipeline);
                    Ok(None)
                }
                Err(error) => {
                    let reason = error.to_string();
                    self.reset(reason);
                    Ok(None)
                }
            },
            Phase::Running(_) => self.run(),
        }
    }

    /// There are no heads to start from.
    fn not_found(&mut self, error: SyncStartError) -> Result<Option<Next>, DriverError> {
        let genesis = Lookup::L2ByHash(self.chain.rollup.genesis.l2.hash);
        match error {
            // L1 or the engine changed meanwhile; but a chain has its first block
            SyncStartError::Missing(lookup) if lookup != genesis => {
                self.reset(error.to_string());
                Ok(None)
            }
            error => Err(error.into()),
        }
    }

    fn started(&mut self, heads: Heads, pipeline: Pipeline) {
        self.heads = Some(heads);
        self.finality.engine_finalized(heads.finalized);
        if self.chain.rollup.alt_da.is_some() {
            self.unsettled = self.l1.finalized;
        }
        self.phase = Phase::Running(Box::new(Running::new(pipeline, &heads, self.now)));
        if let Some(sequencer) = &mut self.sequencer
            && self.backoff.is_after_reset()
        {
            let block_time = self.chain.rollup.block_time.saturating_mul(1_000);
            sequencer.cool_down(self.now.saturating_add(block_time));
        }
        self.events.push_back(Event::Started(Box::new(heads)));
    }

    /// The answer to [`Next::Lookup`].
    pub fn found(&mut self, found: Found) -> Result<(), NotAsked> {
        match &mut self.phase {
            Phase::Heads(search) => search.supply(found)?,
            Phase::Point(_, search) => search.supply(found)?,
            Phase::Running(_) => match self.seeker {
                Seeker::Finality => self.finality.supply(found)?,
                Seeker::Settled => self.settled(found),
                Seeker::Canonical => self.canonical(found),
            },
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
}
