//! How data flows through the stages: each asks the one before it.

use super::{Batches, Channels, Head, InFlight, Pipeline, Traversal};
use crate::{
    batch_stages::{Candidate, DecodedBatch, Env, NextBatch},
    build::{Built, Epoch, build_attributes, with_batch},
    channel_bank::BankRead,
    drops::{DropReason, Reporter},
    l1_window::L1Window,
    pull::{Pull, Stop, bug},
    step::{CriticalReason, DerivedAttributes, Request, ResetReason},
};
use alloy_primitives::Bytes;
use doppio_compression::{ChannelReader, Limits};
use doppio_protocol::{
    L1BlockRef,
    batch::{Batch, SpanBatch, SpanCursor},
    config::Fork,
    frame::{Frame, parse_frames},
};
use std::sync::Arc;

impl Pipeline {
    /// The next attributes.
    // spec: opstack 3.8
    pub(super) fn next_attributes(&mut self) -> Pull<InFlight> {
        if let Traversal::Start(point) = &self.l1 {
            return Err(Stop::Need(Request::L1Block(point.l1_start.hash)));
        }
        let parent = self.pending_safe.block;
        let l2_time = parent.timestamp + self.chain.rollup.block_time;
        if let Some(lagoon_time) = self.chain.rollup.forks.lagoon
            && l2_time >= lagoon_time
        {
            return Err(CriticalReason::Lagoon {
                lagoon_time,
                l2_time,
            }
            .into());
        }
        let next = match self.next_batch.take() {
            Some(next) => next,
            None => self.next_batch()?,
        };
        match self.build(&next) {
            Ok(in_flight) => Ok(in_flight),
            Err(stop) => {
                self.next_batch = Some(next);
                Err(stop)
            }
        }
    }

    fn build(&self, next: &NextBatch) -> Pull<InFlight> {
        let Head {
            block: parent,
            config,
        } = &self.pending_safe;
        let batch = &next.batch;
        let l2_time = parent.timestamp + self.chain.rollup.block_time;
        if batch.parent_hash != parent.hash || batch.timestamp != l2_time {
            return Err(ResetReason::BatchMismatch(parent.id()).into());
        }
        let l1_origin = batch.epoch();
        let header = *self
            .epochs
            .header(l1_origin)
            .ok_or(bug("a valid batch's epoch is not known"))?;
        let epoch = if l1_origin.number == parent.l1_origin.number {
            Epoch::Same(&header)
        } else {
            let body = self.epochs.body(l1_origin)?;
            Epoch::Next(
                &header,
                body.ok_or(bug("a valid batch's epoch is not known"))?,
            )
        };
        let mut built =
            build_attributes(&self.chain, parent, config, epoch).map_err(Stop::Failed)?;
        with_batch(&mut built, batch);
        let Built { attributes, info } = built;
        let derived_from = *self.origin().ok_or(bug("attributes without an L1 block"))?;
        let derived = DerivedAttributes {
            attributes,
            parent: *parent,
            l1_origin,
            sequence_number: info.sequence_number,
            derived_from,
            concluding: next.concluding,
        };
        Ok(InFlight {
            derived: Arc::new(derived),
            info,
        })
    }

    /// The next valid batch.
    // spec: opstack 3.6
    fn next_batch(&mut self) -> Pull<NextBatch> {
        let origin = *self
            .origin()
            .ok_or(bug("a batch is wanted before an L1 block was read"))?;
        match self.batches {
            Batches::Queue(_) => self.next_from_queue(&origin),
            Batches::Stage(_) => self.next_from_stage(&origin),
            Batches::None => Err(bug("a batch is wanted before an L1 block was read")),
        }
    }

    /// The batch stages, and what they read and report to.
    fn batches(&mut self, origin: &L1BlockRef) -> (&mut Batches, Env<'_>) {
        let Self {
            batches,
            chain,
            safe_blocks,
            pending_safe,
            drops,
            ..
        } = self;
        let report = Reporter::new(drops, origin.id());
        (
            batches,
            Env {
                chain,
                safe_blocks,
                parent: &pending_safe.block,
                report,
            },
        )
    }

    // spec: opstack 3.6
    fn next_from_queue(&mut self, origin: &L1BlockRef) -> Pull<NextBatch> {
        let (Batches::Queue(queue), mut env) = self.batches(origin) else {
            return Err(bug("the batch queue is not active"));
        };
        if let Some(next) = queue.next_of_span(&mut env)? {
            return Ok(next);
        }
        queue.window.update(origin, env.parent);
        let behind = L1Window::is_behind(origin, env.parent);
        let out_of_data = match self.waiting_queue {
            Some(out_of_data) => out_of_data,
            None => self.fill_queue(origin, behind)?,
        };
        if behind {
            return Err(if out_of_data {
                Stop::OutOfData
            } else {
                Stop::Again
            });
        }
        let (Batches::Queue(queue), mut env) = self.batches(origin) else {
            return Err(bug("the batch queue is not active"));
        };
        let next = queue.next(&mut env, out_of_data);
        self.waiting_queue = matches!(next, Err(Stop::Need(_))).then_some(out_of_data);
        next
    }

    /// Moves one batch from its channel to the queue. True if there is none.
    fn fill_queue(&mut self, origin: &L1BlockRef, behind: bool) -> Pull<bool> {
        let batch = match self.next_decoded(origin) {
            Ok(batch) => batch,
            Err(Stop::OutOfData) => return Ok(true),
            Err(stop) => return Err(stop),
        };
        let (Batches::Queue(queue), mut env) = self.batches(origin) else {
            return Err(bug("the batch queue is not active"));
        };
        if behind {
            env.report.drop(DropReason::BatchBehindOrigin);
        } else if let Err(stop) = queue.push(&mut env, &batch) {
            self.decoded = Some(batch);
            return Err(stop);
        }
        Ok(false)
    }

    // spec: opstack 3.6
    fn next_from_stage(&mut self, origin: &L1BlockRef) -> Pull<NextBatch> {
        let (Batches::Stage(stage), mut env) = self.batches(origin) else {
            return Err(bug("the batch stage is not active"));
        };
        stage.window.update(origin, env.parent);
        if stage.only_past(origin, env.parent) {
            self.next_decoded(origin)?;
            self.drops
                .record(origin.id(), DropReason::BatchBehindOrigin);
            return Err(Stop::Again);
        }
        stage.check_ready(env.parent)?;
        let candidate = match stage.next_of_span(&mut env)? {
            Some(candidate) => candidate,
            None => match self.next_decoded(origin) {
                Ok(batch) => self.consider(origin, batch)?,
                Err(Stop::OutOfData) => return self.next_empty(origin),
                Err(stop) => return Err(stop),
            },
        };
        match candidate {
            Candidate::Accepted(next) => Ok(next),
            Candidate::Skipped => Err(Stop::Again),
            Candidate::Flush => {
                self.flush_channel();
                Err(Stop::Again)
            }
        }
    }

    fn consider(&mut self, origin: &L1BlockRef, batch: DecodedBatch) -> Pull<Candidate> {
        let (Batches::Stage(stage), mut env) = self.batches(origin) else {
            return Err(bug("the batch stage is not active"));
        };
        let candidate = stage.consider(&mut env, &batch);
        if candidate.is_err() {
            self.decoded = Some(batch);
        }
        candidate
    }

    fn next_empty(&mut self, origin: &L1BlockRef) -> Pull<NextBatch> {
        let (Batches::Stage(stage), env) = self.batches(origin) else {
            return Err(bug("the batch stage is not active"));
        };
        match stage.window.next_empty_batch(env.chain, true, env.parent) {
            Some(batch) => Ok(NextBatch {
                batch,
                concluding: true,
            }),
            None => Err(Stop::OutOfData),
        }
    }

    /// The next batch of a channel, whatever it is worth.
    // spec: opstack 2.5, opstack-2026-09 2 *8
    fn next_decoded(&mut self, origin: &L1BlockRef) -> Pull<DecodedBatch> {
        if let Some(batch) = self.decoded.take() {
            return Ok(batch);
        }
        if self.reader.is_none() {
            let channel = self.next_channel(origin)?;
            self.open_channel(channel, origin)?;
        }
        let Some(reader) = &mut self.reader else {
            return Err(Stop::Again);
        };
        let reason = match reader.next_string() {
            Ok(Some(string)) => match Batch::decode(&Bytes::from(string)) {
                Ok(Batch::Singular(batch)) => return Ok(DecodedBatch::Singular(batch)),
                Ok(Batch::Span(span)) => return self.check_span(span, origin),
                Err(error) => Some(DropReason::BatchDecode(error)),
            },
            Ok(None) => None,
            Err(error) => Some(DropReason::ChannelRead(error)),
        };
        self.reader = None;
        if let Some(reason) = reason {
            self.drops.record(origin.id(), reason);
        }
        Err(Stop::Again)
    }

    // spec: opstack 2.5, opstack-2026-09 2 *5
    fn open_channel(&mut self, channel: Vec<u8>, origin: &L1BlockRef) -> Pull<()> {
        let limits = Limits {
            max_rlp_bytes: self.chain.max_rlp_bytes_per_channel(origin.timestamp),
            brotli: self.chain.active(Fork::Fjord, origin.timestamp),
        };
        match ChannelReader::open(channel, limits) {
            Ok(reader) => {
                self.reader = Some(reader);
                Ok(())
            }
            Err(error) => {
                self.drops
                    .record(origin.id(), DropReason::ChannelOpen(error));
                Err(Stop::Again)
            }
        }
    }

    /// Looks at a span's transactions. A span that cannot be is lost; its channel goes on.
    // spec: opstack-2026-09 2 *6 *7
    fn check_span(&mut self, span: SpanBatch, origin: &L1BlockRef) -> Pull<DecodedBatch> {
        let reason = if !self.chain.active(Fork::Delta, origin.timestamp) {
            DropReason::SpanBeforeDelta
        } else if let Err(error) = span.check_transactions(&self.span_params) {
            DropReason::SpanTransactions(error)
        } else {
            return Ok(DecodedBatch::Span(SpanCursor::new(
                Arc::new(span),
                self.span_params,
            )));
        };
        self.drops.record(origin.id(), reason);
        Err(Stop::Again)
    }

    /// The next complete channel's bytes.
    // spec: opstack 3.4, opstack 3.5
    fn next_channel(&mut self, origin: &L1BlockRef) -> Pull<Vec<u8>> {
        let report = &mut Reporter::new(&mut self.drops, origin.id());
        match &mut self.channels {
            Channels::Assembler(assembler) => {
                assembler.check_timeout(&self.chain, origin, report);
            }
            Channels::Bank(bank) => match bank.read(&self.chain, origin, report) {
                BankRead::Channel(data) => return Ok(data),
                BankRead::TimedOut => return Err(Stop::Again),
                BankRead::Nothing => {}
            },
        }
        loop {
            let frame = self.next_frame(origin)?;
            let report = &mut Reporter::new(&mut self.drops, origin.id());
            match &mut self.channels {
                Channels::Assembler(assembler) => {
                    if let Some(data) = assembler.push(&self.chain, origin, &frame, report) {
                        return Ok(data);
                    }
                }
                // the bank is read before it takes another frame
                Channels::Bank(bank) => {
                    bank.ingest(&self.chain, origin, frame, report);
                    return Err(Stop::Again);
                }
            }
        }
    }

    /// The next frame.
    // spec: opstack 3.3
    fn next_frame(&mut self, origin: &L1BlockRef) -> Pull<Frame> {
        if self.frames.is_empty() {
            let item = self.retrieval.next(
                &self.chain,
                &self.auth,
                &mut self.challenges,
                &mut self.drops,
            )?;
            let report = &mut Reporter::new(&mut self.drops, origin.id());
            match parse_frames(&item, self.chain.profile.max_frame_len) {
                Ok(frames) => {
                    let holocene = self.chain.active(Fork::Holocene, origin.timestamp);
                    self.frames.push(frames, holocene, report);
                }
                Err(error) => report.drop(DropReason::Frames(error)),
            }
        }
        self.frames.pop().ok_or(Stop::Again)
    }
}
