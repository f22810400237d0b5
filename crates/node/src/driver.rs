//! The driver: one machine over the heads.
//!
//! After a start or a reset it finds the heads that can be trusted ([`SyncStart`]), tells them to the
//! engine, and finds where derivation begins for them ([`FindResetPoint`]). Then it runs: derived
//! attributes are compared with the block that the engine has at their height, or built; gossiped
//! blocks extend the unsafe head; L1's finality makes blocks final.

mod answers;
mod job;
mod running;
mod vocabulary;

pub use vocabulary::{DriverError, DriverOptions, Event, Next, NotAsked};

use crate::{
    engine::EngineCall,
    heads::{Heads, L1Heads},
    sequencer::{Millis, Sequencer, SequencerOptions, StartError},
    unsafe_blocks::{Refused, UnsafeBlocks},
    window::{Window, WindowState},
};
use alloy_primitives::B256;
use doppio_derive::{
    Finality, FindResetPoint, Found, OldSignal, Pipeline, ResetPointError, Response, Search,
    SyncStart,
};
use doppio_protocol::{L1BlockRef, L2BlockRef, config::ChainConfig, l2::L2Block};
use job::Job;
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
    /// The L1 head up to which derivation has read everything.
    read_up_to: Option<B256>,
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
    /// Of the oldest block that is not safe, when derivation had last read all of L1.
    window: WindowState,
    events: VecDeque<Event>,
    /// The time at the last step.
    now: Millis,
    /// What the engine was asked last.
    asked: Asked,
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
            window: WindowState::default(),
            events: VecDeque::new(),
            now: 0,
            asked: Asked::Nothing,
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
        self.sequencer = Some(Sequencer::new(options, Window::of(&self.chain))?);
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

    /// Whether it makes blocks.
    pub const fn is_sequencing(&self) -> bool {
        self.sequencer.is_some()
    }

    /// Whether it makes blocks without users' transactions, because a sequencing window has expired:
    /// see [`Event::Recovery`].
    pub fn is_recovering(&self) -> bool {
        self.sequencer
            .as_ref()
            .is_some_and(Sequencer::is_recovering)
    }

    /// Where the sequencing window of the oldest block that is not safe is: see [`Event::Window`].
    pub const fn window(&self) -> WindowState {
        self.window
    }

    /// What is needed next. Asked again without an answer, it says the same, unless time has passed.
    pub fn step(&mut self, now: Millis) -> Result<Next, DriverError> {
        self.now = now;
        self.asked = Asked::Nothing;
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
                        read_up_to: None,
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
}
