//! The pipeline: every stage in data order, and the one call that drives them.

mod flow;

use crate::{
    authorization::AuthWindow,
    batch_stages::{BatchQueue, BatchStage, DecodedBatch, NextBatch},
    challenges::{Challenges, Settled},
    channel_assembler::ChannelAssembler,
    channel_bank::ChannelBank,
    drops::{DropLog, DropReason, Reporter},
    epochs::Epochs,
    frame_queue::FrameQueue,
    pull::Stop,
    retrieval::Retrieval,
    safe_blocks::{SafeBlock, SafeBlocks},
    step::{
        CriticalReason, DerivedAttributes, Outcome, PayloadRequest, PipelineError, ResetPoint,
        ResetReason, Response, Step, SupplyError,
    },
};
use doppio_compression::ChannelReader;
use doppio_protocol::{
    L1BlockRef, L2BlockRef,
    batch::SpanParams,
    config::{ChainConfig, Fork},
    l1::L1Block,
    l1_info::L1BlockInfo,
    l2::L2Block,
    system_config::{RefusedUpdate, SystemConfig},
};
use std::sync::Arc;

/// The derivation pipeline: L1 blocks in, attributes of L2 blocks out.
///
/// It is a pure state machine. [`Pipeline::step`] says what is needed or derived next;
/// [`Pipeline::supply`] brings what was needed; [`Pipeline::executed`] tells what became of
/// attributes. What fails or comes late changes nothing.
// spec: opstack 3.1
#[derive(Debug)]
pub struct Pipeline {
    chain: Arc<ChainConfig>,
    span_params: SpanParams,
    l1: Traversal,
    retrieval: Retrieval,
    frames: FrameQueue,
    channels: Channels,
    reader: Option<ChannelReader>,
    /// A batch that the reader gave and that no stage has decided about.
    decoded: Option<DecodedBatch>,
    batches: Batches,
    /// Set while the batch queue waits for an L2 block: whether the L1 block was out of data.
    waiting_queue: Option<bool>,
    /// A valid batch whose attributes have not been built.
    next_batch: Option<NextBatch>,
    in_flight: Option<InFlight>,
    /// The head that the next block is derived on.
    pending_safe: Head,
    /// The head that is safe: behind the pending one within a span, before Holocene.
    safe: Head,
    epochs: Epochs,
    auth: AuthWindow,
    challenges: Challenges,
    safe_blocks: SafeBlocks,
    drops: DropLog,
    refused_updates: Vec<RefusedUpdate>,
    failure: Option<PipelineError>,
}

/// Where on L1 the pipeline is.
// spec: opstack 3.2, opstack-2026-09 3.1 *1
#[derive(Clone, Copy, Debug)]
#[expect(clippy::large_enum_variant, reason = "a pipeline has one")]
enum Traversal {
    /// Before the first block.
    Start(ResetPoint),
    /// At a block; the configuration is as of it.
    At {
        block: L1BlockRef,
        config: SystemConfig,
        exhausted: bool,
    },
}

/// How frames become channels.
// spec: opstack 3.1
#[derive(Debug)]
enum Channels {
    Bank(ChannelBank),
    Assembler(ChannelAssembler),
}

/// How batches become blocks.
// spec: opstack 3.1
#[derive(Debug)]
enum Batches {
    /// Before the first L1 block.
    None,
    Queue(BatchQueue),
    Stage(BatchStage),
}

/// A head and the system configuration as of it.
#[derive(Clone, Copy, Debug)]
struct Head {
    block: L2BlockRef,
    config: SystemConfig,
}

/// Attributes that were given out.
#[derive(Clone, Debug)]
struct InFlight {
    derived: Arc<DerivedAttributes>,
    info: L1BlockInfo,
}

impl Pipeline {
    /// A pipeline that starts at `point`.
    pub fn new(chain: Arc<ChainConfig>, point: ResetPoint) -> Self {
        let head = Head {
            block: point.safe_head,
            config: point.safe_config,
        };
        Self {
            span_params: SpanParams::of_chain(&chain),
            l1: Traversal::Start(point),
            retrieval: Retrieval::Done,
            frames: FrameQueue::default(),
            channels: Channels::Bank(ChannelBank::default()),
            reader: None,
            decoded: None,
            batches: Batches::None,
            waiting_queue: None,
            next_batch: None,
            in_flight: None,
            pending_safe: head,
            safe: head,
            epochs: Epochs::default(),
            auth: AuthWindow::default(),
            challenges: Challenges::default(),
            safe_blocks: SafeBlocks::default(),
            drops: DropLog::default(),
            refused_updates: Vec::new(),
            failure: None,
            chain,
        }
    }

    /// Starts again at `point`. The state is that of a new pipeline, with one exception: after
    /// [`ResetReason::ChallengeExpired`] it still knows which commitments have expired, or it would
    /// use them again.
    // spec: opstack 3.14, opstack 3.15
    pub fn reset(&mut self, point: ResetPoint) {
        let challenges = core::mem::take(&mut self.challenges);
        let expired = matches!(
            self.failure,
            Some(PipelineError::Reset(ResetReason::ChallengeExpired { .. }))
        );
        *self = Self::new(Arc::clone(&self.chain), point);
        if expired {
            self.challenges = challenges.after_expiry();
        }
    }

    /// The configuration.
    pub const fn chain(&self) -> &Arc<ChainConfig> {
        &self.chain
    }

    /// The L1 block that is read; none before the first one was supplied.
    pub const fn origin(&self) -> Option<&L1BlockRef> {
        match &self.l1 {
            Traversal::Start(_) => None,
            Traversal::At { block, .. } => Some(block),
        }
    }

    /// The newest block that was derived and accepted.
    pub const fn pending_safe_head(&self) -> &L2BlockRef {
        &self.pending_safe.block
    }

    /// The newest block that is safe.
    pub const fn safe_head(&self) -> &L2BlockRef {
        &self.safe.block
    }

    /// System configuration as of [`Pipeline::pending_safe_head`].
    pub const fn system_config(&self) -> &SystemConfig {
        &self.pending_safe.config
    }

    /// What was left out, and why.
    pub const fn drops(&mut self) -> &mut DropLog {
        &mut self.drops
    }

    /// Updates of the system configuration in the L1 block being read that were malformed, and
    /// changed nothing.
    pub fn refused_updates(&self) -> &[RefusedUpdate] {
        &self.refused_updates
    }

    /// The alt-DA payloads of the L1 block being read that are not known yet. They may be supplied
    /// in any order, before the pipeline comes to them.
    pub fn payload_requests(&self) -> impl Iterator<Item = PayloadRequest> {
        self.retrieval
            .payload_requests(&self.chain, &self.challenges)
    }

    /// Takes that L1 is final up to a block; says up to where derivation's data is. Where data can
    /// be challenged, that is behind L1.
    // spec: opstack 3.15
    pub fn settle(&mut self, l1_finalized: &L1BlockRef) -> Settled {
        self.challenges.settle(&self.chain, l1_finalized)
    }

    /// Goes on as far as possible.
    ///
    /// Asked again without anything having changed, it answers the same. After an error it
    /// repeats the error until [`Pipeline::reset`].
    pub fn step(&mut self) -> Result<Step, PipelineError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        if let Some(in_flight) = &self.in_flight {
            return Ok(Step::Attributes(Arc::clone(&in_flight.derived)));
        }
        if let Traversal::At {
            block,
            exhausted: true,
            ..
        } = &self.l1
        {
            return Ok(Step::Exhausted(*block));
        }
        loop {
            match self.next_attributes() {
                Ok(in_flight) => {
                    let derived = Arc::clone(&in_flight.derived);
                    self.in_flight = Some(in_flight);
                    return Ok(Step::Attributes(derived));
                }
                Err(Stop::Again) => {}
                Err(Stop::Need(request)) => return Ok(Step::Need(request)),
                Err(Stop::OutOfData) => {
                    let Traversal::At {
                        block, exhausted, ..
                    } = &mut self.l1
                    else {
                        return self.fail(CriticalReason::Bug("no L1 block to exhaust").into());
                    };
                    *exhausted = true;
                    return Ok(Step::Exhausted(*block));
                }
                Err(Stop::Failed(error)) => return self.fail(error),
            }
        }
    }

    fn fail(&mut self, error: PipelineError) -> Result<Step, PipelineError> {
        self.failure = Some(error.clone());
        Err(error)
    }

    /// Takes what was asked for. On an error nothing has changed.
    pub fn supply(&mut self, response: Response) -> Result<(), SupplyError> {
        match response {
            Response::NextL1Block(block) => self.supply_next_l1_block(block),
            Response::L1Block(block) => self.supply_l1_block(block),
            Response::Blobs(blobs) => {
                self.retrieval
                    .supply_blobs(&self.chain, blobs, &mut self.drops)
            }
            Response::Payload { id, answer } => {
                self.retrieval.supply_payload(id, answer, &self.challenges)
            }
            Response::L2Block(block) => self.supply_l2_block(&block),
        }
    }

    // spec: opstack 3.2
    fn supply_next_l1_block(&mut self, block: L1Block) -> Result<(), SupplyError> {
        let Traversal::At {
            block: current,
            config,
            exhausted: true,
        } = self.l1
        else {
            return Err(SupplyError::NotAsked("the next L1 block"));
        };
        let next = block.header.block_ref();
        if next.number != current.number + 1 {
            let expected = format!("number {}", current.number + 1);
            return Err(SupplyError::OtherL1Block {
                expected,
                found: next.id(),
            });
        }
        check_receipts(&block)?;
        if next.parent_hash != current.hash {
            let reason = ResetReason::L1Reorg {
                current: current.id(),
                next: next.id(),
            };
            self.failure.get_or_insert(reason.into());
            return Ok(());
        }
        self.advance(block, config, &current);
        Ok(())
    }

    /// Moves to the next L1 block.
    // spec: opstack 3.2, opstack 3.1
    fn advance(&mut self, block: L1Block, mut config: SystemConfig, current: &L1BlockRef) {
        self.drops.next_l1_block();
        self.refused_updates = config.apply_l1_block(&self.chain, &block);
        let next = block.header.block_ref();
        let activates = |fork| {
            self.chain.active(fork, next.timestamp) && !self.chain.active(fork, current.timestamp)
        };
        if activates(Fork::Holocene) {
            self.transform_to_holocene(&next);
        }
        self.enter(block, config);
    }

    fn enter(&mut self, block: L1Block, config: SystemConfig) {
        let report = &mut Reporter::new(&mut self.drops, block.header.id());
        if let Err(reason) = self.challenges.enter(&self.chain, &block, report) {
            self.failure.get_or_insert(reason.into());
        }
        self.epochs.push(&self.chain, &block);
        self.auth.push(&self.chain, &block);
        self.l1 = Traversal::At {
            block: block.header.block_ref(),
            config,
            exhausted: false,
        };
        self.retrieval = Retrieval::new(block, config.batcher);
    }

    /// Replaces the stages whose rules Holocene changes. What they hold is lost, but for the L1
    /// blocks: the first batches of Holocene are for blocks from before it.
    // spec: opstack 3.1
    fn transform_to_holocene(&mut self, next: &L1BlockRef) {
        let report = &mut Reporter::new(&mut self.drops, next.id());
        let mut lost = self.frames.clear();
        if let Channels::Bank(bank) = &self.channels {
            lost += bank.len();
            self.channels = Channels::Assembler(ChannelAssembler::default());
        }
        for _ in 0..lost {
            report.drop(DropReason::HoloceneTransition);
        }
        self.batches = match core::mem::replace(&mut self.batches, Batches::None) {
            Batches::Queue(queue) => Batches::Stage(queue.into_stage(report)),
            other => other,
        };
    }

    fn supply_l1_block(&mut self, block: L1Block) -> Result<(), SupplyError> {
        if let Traversal::Start(point) = self.l1 {
            if block.header.hash != point.l1_start.hash {
                let expected = point.l1_start.to_string();
                return Err(SupplyError::OtherL1Block {
                    expected,
                    found: block.header.id(),
                });
            }
            check_receipts(&block)?;
            self.start(block, &point);
            return Ok(());
        }
        if self.epochs.restore(&self.chain, &block) || self.auth.extend_back(&self.chain, &block) {
            return Ok(());
        }
        let report = &mut Reporter::new(&mut self.drops, block.header.id());
        match self.challenges.look_ahead(&self.chain, &block, report) {
            Ok(true) => Ok(()),
            Ok(false) => Err(SupplyError::NotAsked("the L1 block")),
            Err(reason) => {
                self.failure.get_or_insert(reason.into());
                Ok(())
            }
        }
    }

    /// Enters the first L1 block, with the stages that its time calls for. The configuration of
    /// the reset point is as of the block already.
    // spec: opstack 3.14
    fn start(&mut self, block: L1Block, point: &ResetPoint) {
        let base = block.header.block_ref();
        if self.chain.active(Fork::Holocene, base.timestamp) {
            self.channels = Channels::Assembler(ChannelAssembler::default());
            self.batches = Batches::Stage(BatchStage::new(base));
        } else {
            self.batches = Batches::Queue(BatchQueue::new(base));
        }
        self.enter(block, point.l1_start_config);
    }

    fn supply_l2_block(&mut self, block: &L2Block) -> Result<(), SupplyError> {
        // which block is wanted, the check that wants it says again
        let number = block.header.number;
        if number > self.pending_safe.block.number {
            return Err(SupplyError::NotAsked("the L2 block"));
        }
        self.safe_blocks
            .insert(number, SafeBlock::new(&self.chain, block));
        Ok(())
    }

    /// Takes the engine's word on the attributes that [`Pipeline::step`] gave.
    // spec: opstack 3.8
    pub fn executed(&mut self, outcome: Outcome) -> Result<(), SupplyError> {
        let Some(in_flight) = &self.in_flight else {
            return Err(SupplyError::NotAsked("an outcome"));
        };
        match outcome {
            Outcome::Accepted { hash, extra_data } => {
                let derived = Arc::clone(&in_flight.derived);
                let attributes = &derived.attributes;
                // spec: opstack 3.8 #1
                let config = SystemConfig::from_l2_block(
                    &self.chain,
                    attributes.timestamp,
                    attributes.gas_limit,
                    &extra_data,
                    &in_flight.info,
                )?;
                let block = L2BlockRef {
                    hash,
                    number: derived.parent.number + 1,
                    parent_hash: derived.parent.hash,
                    timestamp: attributes.timestamp,
                    l1_origin: derived.l1_origin,
                    sequence_number: derived.sequence_number,
                };
                self.in_flight = None;
                self.accepted(Head { block, config }, derived.concluding);
            }
            Outcome::Invalid => self.refused(),
        }
        Ok(())
    }

    fn accepted(&mut self, head: Head, concluding: bool) {
        self.pending_safe = head;
        self.safe_blocks.clear();
        if concluding {
            self.safe = head;
            self.epochs.advance_to(head.block.l1_origin.number);
        }
    }

    /// Replaces refused attributes by their deposits alone (from Holocene on), or goes back to the
    /// safe head and tries the next batch (before).
    // spec: opstack 3.8
    fn refused(&mut self) {
        let Some(in_flight) = self.in_flight.take() else {
            return;
        };
        let derived = &in_flight.derived;
        if derived.attributes.is_deposits_only() {
            let reason = CriticalReason::DepositsOnlyInvalid(derived.parent.id());
            self.failure = Some(reason.into());
            return;
        }
        if !self
            .chain
            .active(Fork::Holocene, derived.derived_from.timestamp)
        {
            self.pending_safe = self.safe;
            self.safe_blocks.clear();
            return;
        }
        self.flush_channel();
        let deposits_only = DerivedAttributes {
            attributes: derived.attributes.deposits_only(),
            ..**derived
        };
        self.in_flight = Some(InFlight {
            derived: Arc::new(deposits_only),
            ..in_flight
        });
    }

    /// Forgets the channel that an invalid batch or block came from, in every stage.
    // spec: opstack 3.6, opstack 3.8
    fn flush_channel(&mut self) {
        let mut flushed = self.reader.take().is_some();
        flushed |= self.decoded.take().is_some();
        if let Batches::Stage(stage) = &mut self.batches {
            flushed |= stage.span.clear();
        }
        if let Channels::Assembler(assembler) = &mut self.channels {
            flushed |= assembler.flush();
        }
        if flushed && let Some(origin) = self.origin().copied() {
            self.drops.record(origin.id(), DropReason::ChannelFlushed);
        }
    }
}

/// Inbox transactions are judged by their receipts, so the receipts must cover them.
fn check_receipts(block: &L1Block) -> Result<(), SupplyError> {
    match block.inbox.last() {
        Some(last) if last.index as usize >= block.receipts.len() => Err(SupplyError::Receipts {
            receipts: block.receipts.len(),
            index: last.index,
        }),
        _ => Ok(()),
    }
}
