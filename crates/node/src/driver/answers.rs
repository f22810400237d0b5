//! What the engine's answers do to the driver.

use super::{
    Driver, DriverError, Event, Phase, Purpose,
    job::{Job, Source, Stage},
};
use crate::{
    engine::{EngineAnswer, EngineCall, EngineError, EngineStatus},
    sequencer::{Millis, RETRY, SYNCING_RETRY},
};
use doppio_derive::{Difference, FindResetPoint, Outcome, differences};
use doppio_protocol::{
    block::BlockId,
    config::{ChainConfig, Fork},
    deposit::DEPOSIT_TX_TYPE,
    l2::L2Block,
};
use std::sync::Arc;

impl Driver {
    /// The answer to [`Next::Engine`](super::Next::Engine).
    // spec: opstack 4.1, opstack-2026-09 4.1 *3
    pub fn engine(&mut self, answer: EngineAnswer) -> Result<(), DriverError> {
        let Some((purpose, call)) = self.call.take() else {
            // nothing waits for it any more
            return Ok(());
        };
        if matches!(call, EngineCall::ForkChoice { .. }) {
            let is_valid = matches!(
                answer,
                EngineAnswer::ForkChoice {
                    status: EngineStatus::Valid,
                    ..
                }
            );
            self.acknowledged = is_valid.then(|| call.without_attributes());
        }
        match purpose {
            Purpose::Tell | Purpose::Heads => {
                self.heads_answer(answer);
                Ok(())
            }
            Purpose::Restore => self.restore_answer(answer),
            Purpose::Job | Purpose::Sequenced => self.job_answer(purpose, answer),
        }
    }

    /// The answer to a fork choice that tells the heads, and nothing else.
    // spec: opstack-2026-09 4.1 *3
    fn heads_answer(&mut self, answer: EngineAnswer) {
        match (answer, &self.phase) {
            (
                EngineAnswer::ForkChoice {
                    status: EngineStatus::Valid,
                    ..
                },
                Phase::Tell(heads),
            ) => {
                let heads = *heads;
                let search = FindResetPoint::new(Arc::clone(&self.chain), heads.safe);
                self.phase = Phase::Point(heads, search);
            }
            (
                EngineAnswer::ForkChoice {
                    status: EngineStatus::Valid,
                    ..
                },
                _,
            ) => {}
            // an engine that does not have what it had has lost it
            (EngineAnswer::ForkChoice { status, .. }, _) => {
                self.reset(format!("the engine says of its head: {status:?}"));
            }
            (EngineAnswer::Error(error @ EngineError::InvalidForkChoice(_)), _) => {
                self.reset(error.to_string());
            }
            // asked again
            _ => {}
        }
    }

    /// The answer to the fork choice that goes back to the chain of before.
    // spec: opstack 3.8
    fn restore_answer(&mut self, answer: EngineAnswer) -> Result<(), DriverError> {
        let (running, heads) = self.running()?;
        match answer {
            EngineAnswer::ForkChoice { status, .. } => {
                running.is_restoring = false;
                // whatever it says: it is tried once
                if let Some(backup) = running.backup.take()
                    && status == EngineStatus::Valid
                {
                    heads.unsafe_head = backup;
                    self.events.push_back(Event::Restored(backup));
                }
            }
            EngineAnswer::Error(error @ EngineError::InvalidForkChoice(_)) => {
                self.reset(error.to_string());
            }
            // asked again
            _ => {}
        }
        Ok(())
    }

    /// The answer to a call that brings a block into the engine.
    // spec: opstack 4.1, opstack-2026-09 4.1 *3 *4
    fn job_answer(&mut self, purpose: Purpose, answer: EngineAnswer) -> Result<(), DriverError> {
        let chain = Arc::clone(&self.chain);
        let now = self.now;
        let (running, heads) = self.running()?;
        let slot = match purpose {
            Purpose::Sequenced => &mut running.sequenced,
            _ => &mut running.job,
        };
        let Some(job) = slot else {
            return Err(DriverError::Bug("no block is on its way"));
        };
        let is_error = matches!(answer, EngineAnswer::Error(_));
        match (&job.stage, answer) {
            (
                Stage::Begin,
                EngineAnswer::ForkChoice {
                    status: EngineStatus::Valid,
                    payload: Some(id),
                },
            ) => job.stage = Stage::Get(id),
            (
                Stage::Begin,
                EngineAnswer::Error(
                    error @ (EngineError::InvalidForkChoice(_) | EngineError::Input(_)),
                ),
            ) => self.reset(error.to_string()),
            (Stage::Begin, EngineAnswer::Error(EngineError::InvalidAttributes(reason))) => {
                return self.job_invalid(purpose, reason);
            }
            (Stage::Get(_), EngineAnswer::Payload(block)) => match deviation(&chain, job, &block) {
                None => job.stage = Stage::Insert(block),
                Some(difference) if purpose == Purpose::Sequenced => {
                    return self.job_invalid(purpose, difference.to_string());
                }
                Some(difference) => {
                    return Err(DriverError::EngineDeviates {
                        block: id_of(&block),
                        difference,
                    });
                }
            },
            // what was begun is lost: begin again
            (Stage::Get(_), EngineAnswer::Error(_)) => {
                job.build();
                self.sequence_later(purpose, self.block_time());
            }
            (Stage::Insert(block), EngineAnswer::Status(EngineStatus::Valid)) => {
                let block = Arc::clone(block);
                match job.derived_attributes().cloned() {
                    // the engine is told of it with the block after it, or when there is none
                    Some(derived) => {
                        let replaces = job.replaces.take();
                        running.job = None;
                        if let Some((block, differences)) = replaces {
                            self.events
                                .push_back(Event::Replaced { block, differences });
                        }
                        return self.accept(&derived, &block, true);
                    }
                    None => job.stage = Stage::Adopt(block),
                }
            }
            // the fork choice lets the engine get what it lacks
            (Stage::Insert(block), EngineAnswer::Status(EngineStatus::Syncing))
                if matches!(job.source, Source::Outside) =>
            {
                job.stage = Stage::Adopt(Arc::clone(block));
            }
            (Stage::Insert(_), EngineAnswer::Status(EngineStatus::Syncing)) => {
                self.acknowledged = None;
                self.later(purpose, SYNCING_RETRY)?;
            }
            (
                Stage::Adopt(block),
                EngineAnswer::ForkChoice {
                    status: EngineStatus::Valid,
                    ..
                },
            ) => {
                let block = Arc::clone(block);
                *slot = None;
                let block_ref = block.block_ref(&chain)?;
                heads.unsafe_head = block_ref;
                // the time of the block after it has passed
                let next = block_ref.timestamp.saturating_add(chain.rollup.block_time);
                let is_behind = next.saturating_mul(1_000) <= now;
                running.turn = (is_behind && purpose == Purpose::Sequenced).then_some(None);
                self.events.push_back(match purpose {
                    Purpose::Sequenced => Event::Sequenced(block),
                    _ => Event::Unsafe(block_ref),
                });
            }
            (Stage::Adopt(_), EngineAnswer::Error(error @ EngineError::InvalidForkChoice(_))) => {
                self.reset(error.to_string())
            }
            (
                _,
                EngineAnswer::Status(EngineStatus::Invalid(reason))
                | EngineAnswer::ForkChoice {
                    status: EngineStatus::Invalid(reason),
                    ..
                },
            ) => return self.job_invalid(purpose, reason),
            (
                _,
                EngineAnswer::ForkChoice {
                    status: EngineStatus::Syncing | EngineStatus::Accepted,
                    ..
                },
            ) => self.later(purpose, SYNCING_RETRY)?,
            // whoever asks waits a while, and asks again
            _ if is_error => self.sequence_later(purpose, RETRY),
            _ => self.later(purpose, RETRY)?,
        }
        Ok(())
    }

    /// The engine cannot say yet: our own block waits, and what was derived or came from outside is
    /// begun anew after a second.
    // spec: opstack-2026-09 4.1 *3
    fn later(&mut self, purpose: Purpose, pause: Millis) -> Result<(), DriverError> {
        self.sequence_later(purpose, pause);
        let again = self.now.saturating_add(RETRY);
        if purpose == Purpose::Job {
            let (running, _) = self.running()?;
            match running.job.take() {
                Some(job) if job.derived_attributes().is_some() => running.derived_from = again,
                _ => running.outside_from = again,
            }
        }
        Ok(())
    }

    fn block_time(&self) -> Millis {
        self.chain.rollup.block_time.saturating_mul(1_000)
    }

    /// Lets the sequencer pause, if it was its call that failed.
    fn sequence_later(&mut self, purpose: Purpose, pause: Millis) {
        if purpose == Purpose::Sequenced
            && let Some(sequencer) = &mut self.sequencer
        {
            sequencer.wait_until(self.now.saturating_add(pause));
        }
    }

    /// The engine says that a block cannot be.
    fn job_invalid(&mut self, purpose: Purpose, reason: String) -> Result<(), DriverError> {
        if purpose == Purpose::Sequenced {
            // what the pool offered will be offered again: not at once
            self.sequence_later(purpose, self.block_time());
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
        if let Some(derived) = job.derived_attributes() {
            let is_replaced = self
                .chain
                .active(Fork::Holocene, derived.derived_from.timestamp);
            let parent = derived.parent.id();
            let (running, heads) = self.running()?;
            running
                .pipeline
                .executed(Outcome::Invalid)
                .map_err(|_| DriverError::Bug("derivation did not wait for a block"))?;
            // before Holocene what was derived of the span is worth nothing
            // spec: opstack 3.8
            heads.pending_safe = *running.pipeline.pending_safe_head();
            running.is_restoring = !is_replaced && running.backup.is_some();
            self.events.push_back(Event::Refused { parent, reason });
        } else if let Stage::Insert(block) | Stage::Adopt(block) = job.stage {
            self.unsafe_blocks.remove(&block);
            let block = id_of(&block);
            self.events
                .push_back(Event::InvalidUnsafe { block, reason });
        }
        Ok(())
    }
}

fn id_of(block: &L2Block) -> BlockId {
    BlockId {
        hash: block.hash,
        number: block.header.number,
    }
}

/// How a block that the engine built differs from what it was asked for. Where users' transactions may
/// be in it, they are no deposits, and come after those that were asked for.
// spec: opstack 4.1
fn deviation(chain: &ChainConfig, job: &Job, block: &L2Block) -> Option<Difference> {
    let (parent, attributes) = match &job.source {
        Source::Derived(derived, _) => (derived.parent.hash, &derived.attributes),
        Source::Sequenced {
            parent, attributes, ..
        } => (*parent, &**attributes),
        Source::Outside => return None,
    };
    if attributes.no_tx_pool || job.derived_attributes().is_some() {
        return differences(chain, parent, attributes, block)
            .into_iter()
            .next();
    }
    let count = attributes.transaction_count().min(block.transactions.len());
    let (asked_for, users) = block.transactions.split_at(count);
    if let Some(deposit) = users
        .iter()
        .find(|transaction| transaction.first() == Some(&DEPOSIT_TX_TYPE))
    {
        return Some(Difference {
            field: "transaction",
            attributes: "no further deposit".to_owned(),
            block: deposit.to_string(),
        });
    }
    let without_users = L2Block {
        transactions: asked_for.to_vec(),
        ..block.clone()
    };
    differences(chain, parent, attributes, &without_users)
        .into_iter()
        .next()
}
