//! What the engine's answers do to the driver.

use super::{Asked, Driver, DriverError, Event, Phase, job::Stage};
use crate::{
    engine::{EngineAnswer, EngineError, EngineStatus},
    sequencer::{Millis, RETRY, SYNCING_RETRY},
};
use doppio_derive::{FindResetPoint, Outcome, differences};
use doppio_protocol::block::BlockId;
use std::sync::Arc;

impl Driver {
    /// The answer to [`Next::Engine`].
    // spec: opstack 4.1
    pub fn engine(&mut self, answer: EngineAnswer) -> Result<(), DriverError> {
        // what every call has in common
        match &answer {
            EngineAnswer::Error(EngineError::Temporary(_)) => {
                self.sequence_later(RETRY);
                return Ok(());
            }
            EngineAnswer::Error(
                error @ (EngineError::InvalidForkChoice(_) | EngineError::Input(_)),
            ) => {
                self.reset(error.to_string());
                return Ok(());
            }
            _ => {}
        }
        match (&mut self.phase, self.asked) {
            (Phase::Tell(heads), _) => {
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
            (Phase::Running(_), Asked::Job | Asked::Sequenced) => self.job_answer(answer),
            (Phase::Running(running), Asked::Heads) => {
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
        let asked = self.asked;
        let (running, heads) = self.running()?;
        let slot = match asked {
            Asked::Sequenced => &mut running.sequenced,
            _ => &mut running.job,
        };
        let Some(job) = slot else {
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
                *slot = None;
                if let Some(derived) = derived {
                    return self.accept(&derived, &block, true);
                }
                let block_ref = block.block_ref(&chain)?;
                heads.unsafe_head = block_ref;
                self.events.push_back(match asked {
                    Asked::Sequenced => Event::Sequenced(block),
                    _ => Event::Unsafe(block_ref),
                });
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
            (
                _,
                EngineAnswer::Status(EngineStatus::Syncing)
                | EngineAnswer::ForkChoice {
                    status: EngineStatus::Syncing,
                    ..
                },
            ) => self.sequence_later(SYNCING_RETRY),
            // no name where there should be one: later
            _ => self.sequence_later(RETRY),
        }
        Ok(())
    }

    /// Lets the sequencer pause, if it was its call that failed.
    fn sequence_later(&mut self, pause: Millis) {
        if self.asked == Asked::Sequenced
            && let Some(sequencer) = &mut self.sequencer
        {
            sequencer.wait_until(self.now + pause);
        }
    }

    /// The engine says that a block cannot be.
    fn job_invalid(&mut self, reason: String) -> Result<(), DriverError> {
        if self.asked == Asked::Sequenced {
            // what the pool offered will be offered again: not at once
            self.sequence_later(self.chain.rollup.block_time.saturating_mul(1_000));
            let (running, heads) = self.running()?;
            running.sequenced = None;
            let parent = heads.unsafe_head.hash;
            self.events
                .push_back(Event::SequencedInvalid { parent, reason });
            return Ok(());
        }
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
