//! What the driver says happened: told to the log, the metrics and the safe-head database.

use super::{NodeError, Service};
use crate::{
    meters::{self, Happened},
    safe_db::SafeHead,
};
use core::time::Duration;
use doppio_node::{Event, WindowState};
use doppio_protocol::{L1BlockRef, L2BlockRef, l2::L2Block};
use std::time::Instant;
use tracing::{debug, error, info, warn};

/// How often at most the progress of catching up is logged.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

impl Service {
    /// Tells the world what happened.
    pub(super) fn events(&mut self, now: Duration) -> Result<(), NodeError> {
        let events: Vec<Event> = self.driver.events().collect();
        for event in events {
            match event {
                Event::Reset(reason) => {
                    warn!("the heads are found again: {reason}");
                    meters::event(Happened::Reset, now);
                    if self.driver.is_sequencing() {
                        meters::event(Happened::SequencerReset, now);
                    }
                }
                Event::Started(heads) => {
                    info!(
                        unsafe_head = %heads.unsafe_head.id(), safe = %heads.safe.id(),
                        finalized = %heads.finalized.id(), "the heads are found"
                    );
                    if let Some(db) = &self.safe_db {
                        db.reset(&heads.safe)?;
                        let genesis = self.sources.chain.rollup.genesis;
                        if heads.safe.id() == genesis.l2 {
                            // all that becomes safe will be seen: nothing is earlier than the database
                            db.update(&SafeHead {
                                l1_block: genesis.l1,
                                safe_head: genesis.l2,
                            })?;
                        }
                    }
                    if let Some(settings) = self.options.sequencer
                        && self.wants_blocks
                        && !self.driver.is_sequencing()
                    {
                        let head = heads.unsafe_head.hash;
                        let started = self.driver.start_sequencing(settings.options, head);
                        match started {
                            Ok(()) => info!(%head, "sequencing"),
                            Err(error) => error!(%error, "sequencing does not start"),
                        }
                    }
                }
                Event::Consolidated(block) => {
                    debug!(block = %block.id(), "the derived block is the one that was there");
                    meters::event(Happened::DerivedBlock, now);
                }
                Event::Derived(block) => {
                    debug!(block = %block.id(), "a block was derived");
                    meters::event(Happened::DerivedBlock, now);
                }
                Event::Replaced { block, differences } => {
                    let differences: Vec<_> = differences.iter().map(ToString::to_string).collect();
                    warn!(
                        %block, differences = differences.join("; "),
                        "an unsafe block is not what L1 says, and is replaced: with one sequencer this is an incident"
                    );
                }
                Event::Refused { parent, reason } => {
                    warn!(%parent, reason, "the engine refuses derived attributes");
                    meters::event(Happened::DerivationError, now);
                }
                Event::Safe { head, derived_from } => {
                    if let Some(db) = &self.safe_db {
                        db.update(&SafeHead {
                            l1_block: derived_from.id(),
                            safe_head: head.id(),
                        })?;
                    }
                    self.log_progress(&derived_from);
                }
                Event::Unsafe(block) => {
                    info!(block = %block.id(), "a block from outside is the unsafe head");
                }
                Event::Restored(block) => {
                    warn!(block = %block.id(), "what had replaced it was invalid: the head of before is back");
                }
                Event::Sequenced(block) => self.sequenced(&block, now),
                Event::Stopped(head) => self.stopped(head),
                Event::Window { state, safe, left } => log_window(state, &safe, left),
                Event::Recovery { active: true, head } => error!(
                    head = %head.id(),
                    "the sequencing window is over, or will be before a batch can be posted: blocks without users' transactions are made until batches come to L1 in time again. Check the batcher"
                ),
                Event::Recovery {
                    active: false,
                    head,
                } => info!(
                    head = %head.id(), "recovered: users' transactions are taken again"
                ),
                Event::SequencedInvalid { parent, reason } => {
                    error!(%parent, reason, "the engine refuses a block of our own");
                    meters::event(Happened::SequencingError, now);
                }
                Event::InvalidUnsafe { block, reason } => {
                    warn!(%block, reason, "a block from outside is invalid");
                }
                Event::Finalized(block) => {
                    debug!(block = %block.id(), "final");
                    if let Some(db) = &self.safe_db {
                        db.sync()?;
                    }
                }
            }
        }
        Ok(())
    }

    fn sequenced(&mut self, block: &L2Block, now: Duration) {
        let time = Duration::from_secs(block.header.timestamp);
        let late = now.saturating_sub(time);
        meters::lateness(late);
        if let Some(began) = self.seal_began.take() {
            meters::sealed(began.elapsed());
        }
        let transactions = block.transactions.len();
        let is_deposit = |bytes: &&alloy_primitives::Bytes| bytes.first() == Some(&0x7e);
        let deposits = block.transactions.iter().filter(is_deposit).count();
        meters::sequenced(transactions, deposits);
        info!(
            number = block.header.number, hash = %block.hash, transactions,
            gas = block.header.gas_used, late = ?late, "sequenced"
        );
    }

    /// At L1's head each block is news; on the way there, one in a while is enough.
    fn log_progress(&mut self, at: &L1BlockRef) {
        let (Some(heads), Some(head)) = (self.driver.heads(), self.driver.l1().head) else {
            return;
        };
        let behind = head.number.saturating_sub(at.number);
        let is_due = self
            .progress
            .is_none_or(|last| last.elapsed() >= PROGRESS_INTERVAL);
        if behind > 2 && !is_due {
            return;
        }
        self.progress = Some(Instant::now());
        info!(safe = %heads.safe.id(), l1 = at.number, behind, "derived");
    }
}

/// Warns while there is time to do something.
fn log_window(state: WindowState, safe: &L2BlockRef, left: u64) {
    match state {
        WindowState::Open => info!(safe = %safe.id(), left, "batches come to L1 in time again"),
        WindowState::Closing => warn!(
            safe = %safe.id(), left,
            "no batch for the block after the safe head has come to L1; in so many L1 blocks the sequencing window is over, and users' transactions since then are lost. Check the batcher: its log, its balance, its fees"
        ),
        WindowState::Expired => error!(
            safe = %safe.id(),
            "the sequencing window is over: the chain goes on with deposits alone until batches come to L1 in time again"
        ),
    }
}
