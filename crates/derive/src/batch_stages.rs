//! From batches to the next singular batch: the queue before Holocene, the stage from then on.

use crate::{
    batch_check::{Context, Validity},
    drops::{DropReason, Reporter},
    l1_window::L1Window,
    pull::{Pull, Stop, bug},
    safe_blocks::SafeBlocks,
    span_buffer::{Next, SpanBuffer},
};
use doppio_protocol::{
    L1BlockRef, L2BlockRef,
    batch::{SingularBatch, SpanCursor},
    config::ChainConfig,
};
use std::collections::VecDeque;

/// A decoded batch; a span's transactions have been checked.
#[derive(Clone, Debug)]
pub(crate) enum DecodedBatch {
    Singular(SingularBatch),
    Span(SpanCursor),
}

/// What the stages read and report to.
#[derive(Debug)]
pub(crate) struct Env<'a> {
    pub(crate) chain: &'a ChainConfig,
    pub(crate) safe_blocks: &'a SafeBlocks,
    pub(crate) parent: &'a L2BlockRef,
    pub(crate) report: Reporter<'a>,
}

/// A batch that waits for its turn, and the L1 block that completed its channel.
#[derive(Clone, Debug)]
struct QueuedBatch {
    included_in: L1BlockRef,
    batch: DecodedBatch,
}

/// The batch queue: batches arrive in any order and wait.
// spec: opstack 3.6
#[derive(Clone, Debug)]
pub(crate) struct BatchQueue {
    pub(crate) window: L1Window,
    pub(crate) span: SpanBuffer,
    batches: VecDeque<QueuedBatch>,
}

/// The batch stage: batches arrive in order, or are dropped.
// spec: opstack 3.6
#[derive(Clone, Debug)]
pub(crate) struct BatchStage {
    pub(crate) window: L1Window,
    pub(crate) span: SpanBuffer,
}

/// A singular batch, and whether the block it makes becomes safe at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NextBatch {
    pub(crate) batch: SingularBatch,
    pub(crate) concluding: bool,
}

impl BatchQueue {
    pub(crate) fn new(base: L1BlockRef) -> Self {
        Self {
            window: L1Window::new(base),
            span: SpanBuffer::default(),
            batches: VecDeque::new(),
        }
    }

    /// The next block of an accepted span.
    pub(crate) fn next_of_span(&mut self, env: &mut Env<'_>) -> Pull<Option<NextBatch>> {
        match self.span.next(env.chain, &self.window, env.parent)? {
            Next::Block { batch, last } => Ok(Some(NextBatch {
                batch,
                concluding: last,
            })),
            Next::Discarded => {
                env.report.drop(DropReason::SpanRest);
                Ok(None)
            }
            Next::Empty => Ok(None),
        }
    }

    /// Takes a batch that the L1 block being read completed, unless it is invalid already.
    // spec: opstack 3.6
    pub(crate) fn push(&mut self, env: &mut Env<'_>, batch: &DecodedBatch) -> Pull<()> {
        let included_in = *self.window.origin();
        match self.check(env, batch, &included_in)? {
            Validity::Drop(broken) => env.report.drop(DropReason::Batch(broken)),
            _ => self.batches.push_back(QueuedBatch {
                included_in,
                batch: batch.clone(),
            }),
        }
        Ok(())
    }

    fn check(
        &self,
        env: &Env<'_>,
        batch: &DecodedBatch,
        included_in: &L1BlockRef,
    ) -> Pull<Validity> {
        let context = Context {
            chain: env.chain,
            l1_blocks: self.window.blocks(),
            safe_head: env.parent,
            included_in,
        };
        match batch {
            DecodedBatch::Singular(batch) => Ok(context.check_singular(batch)),
            DecodedBatch::Span(span) => context.check_span(span, env.safe_blocks),
        }
    }

    /// The next batch on the parent: the first valid one in order of inclusion, or an empty one if
    /// the sequencing window has passed.
    // spec: opstack 3.6
    pub(crate) fn next(&mut self, env: &mut Env<'_>, out_of_data: bool) -> Pull<NextBatch> {
        self.window.check_epoch(env.parent)?;
        let mut position = 0;
        while let Some(queued) = self.batches.get(position) {
            match self.check(env, &queued.batch, &queued.included_in)? {
                Validity::Future => position += 1,
                Validity::Drop(broken) => {
                    env.report.drop(DropReason::Batch(broken));
                    self.batches.remove(position);
                }
                Validity::Undecided(_) => return Err(nothing(out_of_data)),
                Validity::Accept => {
                    let Some(queued) = self.batches.remove(position) else {
                        break;
                    };
                    return self.accept(env, queued.batch);
                }
                Validity::Past => return Err(bug("a batch is past before Holocene")),
            }
        }
        match self
            .window
            .next_empty_batch(env.chain, out_of_data, env.parent)
        {
            Some(batch) => Ok(NextBatch {
                batch,
                concluding: true,
            }),
            None => Err(nothing(out_of_data)),
        }
    }

    fn accept(&mut self, env: &mut Env<'_>, batch: DecodedBatch) -> Pull<NextBatch> {
        match batch {
            DecodedBatch::Singular(batch) => Ok(NextBatch {
                batch,
                concluding: true,
            }),
            DecodedBatch::Span(cursor) => {
                self.span
                    .fill(cursor, &self.window, env.parent)
                    .map_err(|_| bug("a fully checked span has unknown epochs"))?;
                self.next_of_span(env)?
                    .ok_or(bug("a fully checked span has no next block"))
            }
        }
    }

    /// What takes the queue's place at Holocene: the L1 blocks stay, everything else goes.
    // spec: opstack 3.1
    pub(crate) fn into_stage(self, report: &mut Reporter<'_>) -> BatchStage {
        let mut span = self.span;
        for _ in 0..self.batches.len() + usize::from(span.clear()) {
            report.drop(DropReason::HoloceneTransition);
        }
        BatchStage {
            window: self.window,
            span,
        }
    }
}

const fn nothing(out_of_data: bool) -> Stop {
    if out_of_data {
        Stop::OutOfData
    } else {
        Stop::Again
    }
}

/// What a batch gives the batch stage.
pub(crate) enum Candidate {
    /// The next batch.
    Accepted(NextBatch),
    /// Nothing, and nothing more happens.
    Skipped,
    /// Nothing, and the channel it came from must be flushed.
    Flush,
}

impl BatchStage {
    pub(crate) fn new(base: L1BlockRef) -> Self {
        Self {
            window: L1Window::new(base),
            span: SpanBuffer::default(),
        }
    }

    /// Whether the L1 block that is read can hold nothing but batches of the past.
    // spec: opstack 3.6
    pub(crate) const fn only_past(&self, origin: &L1BlockRef, parent: &L2BlockRef) -> bool {
        L1Window::is_behind(origin, parent) || parent.l1_origin.number == origin.number
    }

    /// Checks that the stage may look for a batch.
    // spec: opstack 3.6
    pub(crate) fn check_ready(&self, parent: &L2BlockRef) -> Pull<()> {
        if self.window.blocks().len() < 2 {
            return Err(bug("derivation did not start at a safe head"));
        }
        self.window.check_epoch(parent)?;
        Ok(())
    }

    /// The next block of an accepted span, checked.
    pub(crate) fn next_of_span(&mut self, env: &mut Env<'_>) -> Pull<Option<Candidate>> {
        match self.span.next(env.chain, &self.window, env.parent)? {
            Next::Block { batch, .. } => self.judge(env, batch).map(Some),
            Next::Discarded => {
                env.report.drop(DropReason::SpanRest);
                Ok(None)
            }
            Next::Empty => Ok(None),
        }
    }

    /// Checks a batch from the channel.
    // spec: opstack 3.6
    pub(crate) fn consider(&mut self, env: &mut Env<'_>, batch: &DecodedBatch) -> Pull<Candidate> {
        match batch {
            DecodedBatch::Singular(batch) => self.judge(env, batch.clone()),
            DecodedBatch::Span(cursor) => self.consider_span(env, cursor),
        }
    }

    fn consider_span(&mut self, env: &mut Env<'_>, cursor: &SpanCursor) -> Pull<Candidate> {
        let context = Context {
            chain: env.chain,
            l1_blocks: self.window.blocks(),
            safe_head: env.parent,
            included_in: self.window.origin(),
        };
        match context.check_span_holocene(cursor, env.safe_blocks)? {
            Validity::Accept => {}
            other => return Self::rejected(env, other),
        }
        // spec: opstack-2026-09 3.7 *5
        if let Err(broken) = self.span.fill(cursor.clone(), &self.window, env.parent) {
            env.report.drop(DropReason::Batch(broken));
            return Ok(Candidate::Flush);
        }
        self.next_of_span(env)?
            .ok_or(bug("a checked span has no next block"))
    }

    fn judge(&self, env: &mut Env<'_>, batch: SingularBatch) -> Pull<Candidate> {
        let context = Context {
            chain: env.chain,
            l1_blocks: self.window.blocks(),
            safe_head: env.parent,
            included_in: self.window.origin(),
        };
        match context.check_singular(&batch) {
            // under Holocene every valid block is safe at once
            Validity::Accept => Ok(Candidate::Accepted(NextBatch {
                batch,
                concluding: true,
            })),
            other => Self::rejected(env, other),
        }
    }

    // spec: opstack 3.6
    fn rejected(env: &mut Env<'_>, validity: Validity) -> Pull<Candidate> {
        match validity {
            Validity::Past => {
                env.report.drop(DropReason::BatchPast);
                Ok(Candidate::Skipped)
            }
            Validity::Drop(broken) => {
                env.report.drop(DropReason::Batch(broken));
                Ok(Candidate::Flush)
            }
            // The reference has taken the batch from its channel by now and does not put it back.
            // spec: opstack 3.7, opstack-2026-09 3.7 *7
            Validity::Undecided(missing) => {
                env.report.drop(DropReason::BatchUndecided(missing));
                Ok(Candidate::Skipped)
            }
            Validity::Future => Err(bug("a batch is of the future under Holocene")),
            Validity::Accept => Err(bug("an accepted batch is rejected")),
        }
    }
}
