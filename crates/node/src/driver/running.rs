//! The driver once it goes: what is done next, in which order.

use super::{
    Asked, Driver, DriverError, Event, Next, Phase, Running,
    job::{Job, Source, Stage},
};
use crate::{
    engine::EngineCall,
    heads::Heads,
    sequencer::{Decision, Millis, SequencerAnswer, Sight},
    window::Window,
};
use doppio_derive::{
    DerivedAttributes, FinalityMismatch, FinalityStep, Outcome, PipelineError, Step, differences,
};
use doppio_protocol::{block::BlockId, l2::L2Block};
use std::sync::Arc;

impl Driver {
    pub(super) fn running(&mut self) -> Result<(&mut Running, &mut Heads), DriverError> {
        match (&mut self.phase, &mut self.heads) {
            (Phase::Running(running), Some(heads)) => Ok((running, heads)),
            _ => Err(DriverError::Bug("it is not running")),
        }
    }

    /// One step of a driver that goes.
    pub(super) fn run(&mut self) -> Result<Option<Next>, DriverError> {
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
    fn make_block(&mut self, heads: &Heads) -> Result<Result<Next, Option<Millis>>, DriverError> {
        let now = self.now;
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
        let confirmations = self.options.l1_confirmations;
        let (running, _) = self.running()?;
        match running.pipeline.step() {
            Ok(Step::Need(request)) => Ok(Some(Next::Derivation(request))),
            Ok(Step::Exhausted(origin)) => {
                self.finality.exhausted(origin.id());
                let Some(head) = l1_head else {
                    return Ok(Some(Next::Wait { until }));
                };
                if head.number.saturating_sub(confirmations) > origin.number {
                    return Ok(Some(Next::L1Block(origin.number + 1)));
                }
                let (running, _) = self.running()?;
                if running.read_up_to != Some(head.hash) {
                    running.read_up_to = Some(head.hash);
                    self.watch_window(heads, head.number);
                    // the sequencer may have waited for it
                    return Ok(None);
                }
                Ok(Some(Next::Wait { until }))
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
                self.reset(reason.to_string());
                Ok(None)
            }
            Err(error) => Err(DriverError::Pipeline(error)),
        }
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

    /// The answer to [`Next::Sequence`].
    // spec: opstack 4.3
    pub fn sequence(&mut self, answer: &SequencerAnswer) -> Result<(), DriverError> {
        let chain = Arc::clone(&self.chain);
        let now = self.now;
        let Some(heads) = self.heads else {
            return Err(DriverError::Bug("nothing is sequenced"));
        };
        let head = heads.unsafe_head;
        let sight = self.sight(&heads);
        let (Some(sight), Some(sequencer)) = (sight, &mut self.sequencer) else {
            return Err(DriverError::Bug("nothing is sequenced"));
        };
        let decision = match answer {
            SequencerAnswer::Origins { current, next } => {
                sequencer.origins(&chain, &sight, current.as_ref(), next.as_ref())
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
