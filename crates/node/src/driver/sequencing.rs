//! The driver's part in sequencing: starting and stopping, and a block of our own on its way.

use super::{
    Driver, DriverError, Event, Next, Phase, Purpose,
    job::{Job, Source, Stage},
};
use crate::{
    heads::Heads,
    sequencer::{
        Decision, Millis, Sequencer, SequencerAnswer, SequencerOptions, Sight, StartError, TURN,
    },
    window::Window,
};
use alloy_primitives::B256;
use std::sync::Arc;

/// What became of stopping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It was not running.
    NotRunning,
    /// It has stopped. Another sequencer goes on from this head.
    Stopped(B256),
    /// A block was fetched and is not the head yet, or where the engine is is not known: the block is
    /// brought in first, and no other begun. [`Event::Stopped`] tells the head; asking again does, too.
    Pending,
}

impl Driver {
    /// Begins to make blocks, on exactly this head.
    // spec: opstack 4.3
    pub fn start_sequencing(
        &mut self,
        options: SequencerOptions,
        head: B256,
    ) -> Result<(), StartError> {
        if self.sequencer.is_some() {
            return Err(StartError::Running);
        }
        let heads = self
            .heads
            .filter(|_| self.is_settled())
            .ok_or(StartError::NotReady)?;
        if heads.unsafe_head.hash != head {
            return Err(StartError::OtherHead {
                head: heads.unsafe_head.hash,
                asked: head,
            });
        }
        self.sequencer = Some(Sequencer::new(options, Window::of(&self.chain))?);
        Ok(())
    }

    /// Makes no more blocks. One that was begun is given up; one that was fetched becomes the head
    /// first.
    // spec: opstack 4.3
    pub fn stop_sequencing(&mut self) -> Stop {
        if self.sequencer.is_none() {
            return Stop::NotRunning;
        }
        if !self.is_stopping {
            self.is_stopping = true;
            if let Phase::Running(running) = &mut self.phase
                && !running.has_sealed()
            {
                running.sequenced = None;
                if matches!(self.call, Some((Purpose::Sequenced, _))) {
                    self.call = None;
                    self.generation += 1;
                }
            }
        }
        match self.heads {
            Some(heads) if self.is_settled() => {
                self.stopped(heads.unsafe_head.hash);
                Stop::Stopped(heads.unsafe_head.hash)
            }
            _ => Stop::Pending,
        }
    }

    pub(super) fn stopped(&mut self, head: B256) {
        self.sequencer = None;
        self.is_stopping = false;
        self.events.push_back(Event::Stopped(head));
    }

    /// Whether the engine's head is ours, and stays it if no new block is begun.
    pub(super) fn is_settled(&self) -> bool {
        let (Phase::Running(running), Some(heads)) = (&self.phase, &self.heads) else {
            return false;
        };
        let head = self.acknowledged.as_ref().and_then(|call| call.head());
        !running.has_sealed()
            && !running.is_adopting()
            && !running.is_restoring
            && head == Some(heads.unsafe_head.hash)
    }

    /// Every block takes the next L1 origin as soon as it may, and no users' transactions; or no longer.
    pub const fn set_recover(&mut self, recover: bool) {
        if let Some(sequencer) = &mut self.sequencer {
            sequencer.options.recover = recover;
        }
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

    /// What the sequencer sees; none before L1's head is known: it could not tell whether a block's
    /// data will come to L1 in time.
    fn sight<'a>(&self, heads: &'a Heads) -> Option<Sight<'a>> {
        let l1_head = self.l1.head?;
        let read_up_to = match &self.phase {
            Phase::Running(running) => running.read_up_to,
            _ => None,
        };
        Some(Sight {
            head: &heads.unsafe_head,
            safe: &heads.safe,
            l1_head: l1_head.number,
            caught_up: read_up_to == Some(l1_head.hash),
            now: self.now,
        })
    }

    /// What the sequencer needs now, or the time at which it will need something.
    // spec: opstack 4.3
    pub(super) fn make_block(
        &mut self,
        heads: &Heads,
    ) -> Result<Result<Option<Next>, Option<Millis>>, DriverError> {
        let now = self.now;
        let is_stopping = self.is_stopping;
        let Some(sight) = self.sight(heads) else {
            return Ok(Err(None));
        };
        let Some(sequencer) = &mut self.sequencer else {
            return Ok(Err(None));
        };
        if let Some(active) = sequencer.watch(&sight) {
            let head = heads.unsafe_head;
            self.events.push_back(Event::Recovery { active, head });
        }
        let need = sequencer.next(&sight);
        let (running, _) = self.running()?;
        if let Some(job) = &running.sequenced {
            let Source::Sequenced {
                parent, seal_at, ..
            } = job.source
            else {
                return Err(DriverError::Bug("a block of our own that is not"));
            };
            if parent == heads.unsafe_head.hash {
                return Ok(match need {
                    // something failed, and is tried again then
                    Err(until) => Err(until),
                    Ok(_) if matches!(job.stage, Stage::Get(_)) && now < seal_at => {
                        Err(Some(seal_at))
                    }
                    Ok(_) => match job.next(heads) {
                        Next::Engine(call) => Ok(self.ask(Purpose::Sequenced, call)),
                        next => Ok(Some(next)),
                    },
                });
            }
            // the head is another one: what was begun is worth nothing
            running.sequenced = None;
        }
        if is_stopping {
            return Ok(Err(None));
        }
        if let Some(until) = &mut running.turn {
            let until = *until.get_or_insert(now.saturating_add(TURN));
            if now < until {
                return Ok(Err(Some(until)));
            }
        }
        Ok(need.map(|need| Some(Next::Sequence(need))))
    }

    /// The answer to [`Next::Sequence`].
    // spec: opstack 4.3
    pub fn sequence(&mut self, answer: &SequencerAnswer) -> Result<(), DriverError> {
        let chain = Arc::clone(&self.chain);
        let now = self.now;
        let Some(heads) = self.heads else {
            return Ok(());
        };
        let is_wanted = !self.is_stopping && matches!(self.phase, Phase::Running(_));
        let Some(sight) = self.sight(&heads).filter(|_| is_wanted) else {
            // nothing waits for it any more
            return Ok(());
        };
        let Some(sequencer) = &mut self.sequencer else {
            return Ok(());
        };
        let decision = match answer {
            SequencerAnswer::Origins { current, next } => {
                sequencer.origins(&chain, &sight, current.as_ref(), next.as_ref())
            }
            SequencerAnswer::Epoch { config, block } => sequencer
                .epoch(&chain, &heads.unsafe_head, config, block)
                .map_err(DriverError::Pipeline)?,
        };
        match decision {
            Decision::Nothing => {}
            Decision::Reset(reason) => self.reset(reason),
            Decision::Build(attributes) => {
                let seal_at = sequencer.seal_at(attributes.timestamp, now);
                let (running, heads) = self.running()?;
                let parent = heads.unsafe_head.hash;
                running.sequenced = Some(Job::sequenced(parent, attributes, seal_at));
            }
        }
        Ok(())
    }
}
