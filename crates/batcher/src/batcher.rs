//! The batcher: blocks, channels and transactions stay where they are, and cursors move over them.
//!
//! `batcher/following.rs` is what the node's status does to what is held, `batcher/planning.rs` how
//! blocks become channels, `batcher/sending.rs` how channels come to L1.

mod following;
mod planning;
mod sending;

use crate::{
    action::{Action, LoadId, Report},
    block::Blocks,
    event::{Event, FeeSample, L1Tip, Millis, SyncStatus},
    options::{BatcherOptions, OptionsError, ThrottleController},
    posting::Posting,
    route::Chooser,
    status::Status,
    sync::{OutOfSync, ResetReason},
    throttle::Throttle,
    window,
};
use doppio_protocol::{batch::SpanParams, config::ChainConfig};
use planning::Job;
use std::{collections::VecDeque, sync::Arc};

/// Whether it posts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Stopped,
    /// What L1 has a part of is finished.
    Stopping,
    Running,
}

/// A request for blocks that has not been answered in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Load {
    id: LoadId,
    /// The last block of it.
    to: u64,
}

/// How far the node had been, which is now behind that.
#[derive(Clone, Copy, Debug, Default)]
struct Watermark {
    /// The highest L1 block that the node has read.
    number: u64,
    /// Since when it is behind.
    behind: Option<Millis>,
}

/// The batcher: which L2 blocks go to L1, in which transactions, in which order.
///
/// It is a pure state machine. [`Batcher::handle`] tells it what happened; then
/// [`Batcher::next_action`] is called until it gives none, and each action is done. It needs to be
/// told of nothing but what [`Event`] names; a status of the node ([`Event::Sync`]) every few
/// seconds drives it.
#[derive(Debug)]
pub struct Batcher {
    chain: Arc<ChainConfig>,
    options: BatcherOptions,
    span_params: SpanParams,
    phase: Phase,
    actions: VecDeque<Action>,

    /// The newest status that could be used.
    status: Option<SyncStatus>,
    out_of_sync: Option<OutOfSync>,
    watermark: Watermark,
    /// Something does not fit the safe head, and since when.
    suspicion: Option<Millis>,
    /// Everything begins anew with the next status.
    reset: Option<ResetReason>,
    tip: Option<L1Tip>,
    fees: Option<FeeSample>,

    blocks: Blocks,
    load: Option<Load>,
    next_load: u64,

    job: Option<Job>,
    next_job: u64,
    /// Compressed size of a channel by the size of what went in, in millionths.
    ratio: u64,
    /// L1 origin of the newest block that is in a channel, or of the safe head.
    last_origin: u64,
    /// Blocks up to this one go into a channel now.
    flush: Option<u64>,
    /// Whether it was told that a channel is open.
    is_open_said: bool,
    /// How often a channel was not derived since the safe head moved.
    not_derived: u32,
    /// No channel is closed before L1 is so high.
    hold_until: u64,
    /// The newest safe head.
    safe: u64,
    window_said: WindowSaid,

    posting: Posting,
    chooser: Chooser,
    throttle: Throttle,
}

/// What was said of the sequencing window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct WindowSaid {
    /// The block that was warned of.
    warned: Option<u64>,
    /// The last block that was said to be expired.
    expired: Option<u64>,
}

impl Batcher {
    /// A batcher that knows nothing of the chain but its rules. `now` decides which forks are
    /// active.
    ///
    /// # Errors
    ///
    /// If the options cannot work on the chain, with what to change.
    pub fn new(
        chain: Arc<ChainConfig>,
        options: BatcherOptions,
        now: Millis,
    ) -> Result<Self, OptionsError> {
        options.check(&chain, now / 1000)?;
        Ok(Self {
            span_params: SpanParams::of_chain(&chain),
            phase: if options.stopped {
                Phase::Stopped
            } else {
                Phase::Running
            },
            actions: VecDeque::new(),
            status: None,
            out_of_sync: None,
            watermark: Watermark::default(),
            suspicion: None,
            reset: None,
            tip: None,
            fees: None,
            blocks: Blocks::default(),
            load: None,
            next_load: 0,
            job: None,
            next_job: 0,
            ratio: planning::approximate_ratio(&options),
            last_origin: 0,
            flush: None,
            is_open_said: false,
            not_derived: 0,
            hold_until: 0,
            safe: 0,
            window_said: WindowSaid::default(),
            posting: Posting::new(options.seed),
            chooser: Chooser::default(),
            throttle: Throttle::new(options.throttle),
            chain,
            options,
        })
    }

    /// Takes in what happened.
    pub fn handle(&mut self, now: Millis, event: Event) {
        match event {
            Event::Sync(status) => self.sync(now, status),
            Event::L1Tip(tip) => self.l1_tip(tip),
            Event::Block { request, block } => self.block(request, block),
            Event::BlockUnavailable { request, .. } => {
                if self.load.is_some_and(|load| load.id == request) {
                    self.load = None;
                }
            }
            Event::Fees(fees) => self.fees = Some(fees),
            Event::Transaction { id, outcome } => self.outcome(id, outcome),
            Event::Encoded(encoded) => self.encoded(encoded),
            Event::Start => self.start(),
            Event::Stop => self.stop(),
            Event::Flush => self.flush = self.blocks.newest().map(|block| block.number),
            Event::Throttle(controller) => self.throttle.set_controller(controller),
        }
        self.plan();
        self.send();
        self.finish_stopping();
        self.update_throttle(now);
    }

    /// What is to be done next; none until something happens again.
    pub fn next_action(&mut self, _now: Millis) -> Option<Action> {
        self.actions.pop_front()
    }

    fn start(&mut self) {
        if self.phase == Phase::Running {
            return;
        }
        self.phase = Phase::Running;
        self.reset = Some(ResetReason::Restarted);
        self.report(Report::Started);
    }

    fn stop(&mut self) {
        if self.phase == Phase::Running {
            self.phase = Phase::Stopping;
            self.load = None;
            self.job = None;
            self.flush = None;
        }
    }

    /// Once L1 has everything of the channels that were begun, nothing is held any more.
    fn finish_stopping(&mut self) {
        if self.phase != Phase::Stopping || self.posting.has_begun() {
            return;
        }
        self.phase = Phase::Stopped;
        self.posting.clear();
        self.blocks = Blocks::default();
        self.suspicion = None;
        self.is_open_said = false;
        self.report(Report::Stopped);
    }

    fn update_throttle(&mut self, now: Millis) {
        let load = self.unsafe_da_bytes();
        if let Some(limits) = self.throttle.update(now, load) {
            self.actions.push_back(Action::Throttle(limits));
            self.report(Report::Throttle {
                intensity: self.throttle.intensity(),
                unsafe_da_bytes: load,
                limits,
            });
        }
    }

    /// Estimated bytes on L1 of everything that is not safe.
    // spec: opstack 7.3
    fn unsafe_da_bytes(&self) -> u64 {
        self.blocks.pending_da_size() + self.posting.bytes()
    }

    fn loaded_bytes(&self) -> u64 {
        self.blocks.held_size() + self.posting.bytes()
    }

    fn report(&mut self, report: Report) {
        self.actions.push_back(Action::Report(report));
    }

    /// What it holds. Costs nothing to speak of.
    pub fn status(&self) -> Status {
        let pending_blocks = self.blocks.pending_len() as u64;
        let newest = self.blocks.newest().map(|block| block.number);
        Status {
            is_started: self.phase == Phase::Running,
            is_settling: self.posting.is_settling(),
            pending_blocks,
            pending_bytes: self.blocks.pending_size(),
            loaded_blocks: self.blocks.len() as u64,
            loaded_bytes: self.loaded_bytes(),
            newest_loaded: newest.filter(|_| !self.blocks.is_empty()),
            newest_in_channel: self
                .posting
                .channels()
                .back()
                .map(|channel| *channel.blocks.end()),
            unsafe_da_bytes: self.unsafe_da_bytes(),
            pending_da_bytes: self.blocks.pending_da_size(),
            channels: self.posting.channels().len() as u64,
            in_flight: self.posting.in_flight() as u64,
            throttle_intensity: self.throttle.intensity(),
            throttle_limits: self.throttle.limits(),
            window_left: self.window_left().map(|(_, left)| left),
        }
    }

    /// The oldest block that is not safe, and the L1 blocks in which it still counts.
    fn window_left(&self) -> Option<(u64, u64)> {
        let oldest = self.blocks.oldest()?;
        let closes = window::closes(oldest.origin.number, self.chain.rollup.seq_window_size);
        let next = self.tip?.number.saturating_add(1);
        Some((oldest.id.number, closes.saturating_sub(next)))
    }

    /// What the operator decided.
    pub const fn options(&self) -> &BatcherOptions {
        &self.options
    }

    /// The rule by which block builders are throttled now.
    pub const fn throttle_controller(&self) -> ThrottleController {
        self.throttle.controller()
    }

    /// The chain.
    pub const fn chain(&self) -> &Arc<ChainConfig> {
        &self.chain
    }
}
