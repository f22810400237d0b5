//! What the node's status does to what is held: load, forget what is safe, begin anew.

use super::{Batcher, Load, Phase, Watermark};
use crate::{
    action::{Action, LoadId, Report, TxId},
    block::{Block, Blocks},
    event::{L1Tip, LoadedBlock, Millis, SyncStatus},
    sync::{self, OutOfSync, ResetReason, Verdict},
};
use doppio_protocol::block::BlockId;

/// Blocks of one request.
const LOAD_BLOCKS: u64 = 100;
/// How often the pause is doubled between two posts of what is not derived: up to 30 L1 blocks.
const MOST_DOUBLINGS: u32 = 5;

impl Batcher {
    /// Takes in the node's status.
    // spec: opstack 7.2
    pub(super) fn sync(&mut self, now: Millis, status: SyncStatus) {
        let out_of_sync = self.out_of_sync(now, &status);
        if let Some(reason) = out_of_sync.filter(|_| out_of_sync != self.out_of_sync) {
            self.report(Report::OutOfSync(reason));
        }
        self.out_of_sync = out_of_sync;
        if out_of_sync.is_some() {
            return;
        }
        self.status = Some(status);
        if self.phase == Phase::Stopped {
            return;
        }
        if let Some(reason) = self.reset.take() {
            return self.begin_anew(Some(reason), &status);
        }
        match sync::compare(&status, &self.blocks) {
            Verdict::Rebase => self.begin_anew(None, &status),
            Verdict::Unfit(reason) => self.unfit(now, reason, &status),
            Verdict::Fits => {
                self.suspicion = None;
                self.safe_moved(&status);
                self.look_at_front(&status);
                self.request_blocks();
            }
        }
    }

    /// Whether the status cannot be used. A node that reads L1 again, after a start or a reset of its
    /// own, is waited for until it is where it had been, or at L1's head.
    // spec: opstack 7.2, opstack-2026-09 7 *2
    fn out_of_sync(&mut self, now: Millis, status: &SyncStatus) -> Option<OutOfSync> {
        if sync::is_empty(status) {
            return Some(OutOfSync::Empty);
        }
        let (at, was) = (status.current_l1.number, self.watermark.number);
        if at < was && at < status.head_l1.number {
            let since = *self.watermark.behind.get_or_insert(now);
            if now.saturating_sub(since) < self.options.node_patience {
                return Some(OutOfSync::Behind { at, was });
            }
        }
        self.watermark = Watermark {
            number: at,
            behind: None,
        };
        None
    }

    /// Something is not of the safe head's chain. What was begun is not given up for a moment's
    /// disagreement; but nothing is added to it.
    // spec: opstack 7.10
    fn unfit(&mut self, now: Millis, reason: ResetReason, status: &SyncStatus) {
        let is_all_safe = matches!(reason, ResetReason::SafeAhead { .. });
        let patience = self.options.safe_reorg_patience;
        match self.suspicion {
            _ if is_all_safe || patience == 0 => self.begin_anew(Some(reason), status),
            Some(since) if now.saturating_sub(since) >= patience => {
                self.begin_anew(Some(reason), status);
            }
            Some(_) => {}
            None => {
                self.suspicion = Some(now);
                self.report(Report::Suspicion(reason));
            }
        }
    }

    /// Forgets everything and loads from the safe head on.
    // spec: opstack 7.2
    pub(super) fn begin_anew(&mut self, reason: Option<ResetReason>, status: &SyncStatus) {
        if let Some(reason) = reason {
            self.report(Report::Reset(reason));
            let abandoned = self.posting.clear();
            self.abandon(abandoned);
        }
        self.blocks = Blocks::new(status.local_safe.id());
        self.suspicion = None;
        self.reset = None;
        self.load = None;
        self.job = None;
        self.flush = None;
        self.is_open_said = false;
        (self.not_derived, self.hold_until) = (0, 0);
        self.safe = status.local_safe.number;
        self.last_origin = status.local_safe.l1_origin.number;
        self.request_blocks();
    }

    /// Everything begins anew with the next status.
    pub(super) fn reset_later(&mut self, reason: ResetReason) {
        if self.reset.is_none() {
            self.reset = Some(reason);
            self.load = None;
            self.job = None;
        }
    }

    fn safe_moved(&mut self, status: &SyncStatus) {
        let safe = status.local_safe.number;
        if safe > self.safe {
            (self.not_derived, self.hold_until) = (0, 0);
        }
        self.safe = safe;
        self.posting.prune(safe);
        self.blocks.prune(safe);
    }

    /// L1 has all of the first channel, the node has read it, and the blocks are not safe: whatever
    /// the reason is, they go into new channels.
    // spec: opstack 7.2
    fn look_at_front(&mut self, status: &SyncStatus) {
        let Some(channel) = self.posting.not_derived(status.current_l1.number) else {
            return;
        };
        let (channel, blocks) = (channel.id, channel.blocks.clone());
        self.not_derived = self.not_derived.saturating_add(1);
        self.report(Report::NotDerived {
            channel,
            blocks,
            times: self.not_derived,
        });
        // what L1 is paid for again and again in vain is paid for ever more seldom
        let pause = (1 << self.not_derived.min(MOST_DOUBLINGS)) - 2;
        let tip = self.tip.map(|tip| tip.number).unwrap_or_default();
        self.hold_until = tip.saturating_add(pause);
        self.rebatch();
    }

    /// Puts all blocks that are held into new channels.
    pub(super) fn rebatch(&mut self) {
        let abandoned = self.posting.clear();
        self.abandon(abandoned);
        self.job = None;
        if let Some(first) = self.blocks.oldest().map(|block| block.id.number) {
            self.blocks.set_cursor(first);
        }
    }

    pub(super) fn abandon(&mut self, transactions: Vec<TxId>) {
        if !transactions.is_empty() {
            self.actions.push_back(Action::Abandon(transactions));
        }
    }

    /// Asks for the blocks that follow, if none are on their way.
    // spec: opstack 7.1, opstack 7.2
    pub(super) fn request_blocks(&mut self) {
        let is_ready = self.phase == Phase::Running
            && self.load.is_none()
            && self.reset.is_none()
            && self.suspicion.is_none()
            && !self.is_memory_full();
        let (Some(newest), Some(status), true) = (self.blocks.newest(), self.status, is_ready)
        else {
            return;
        };
        let (from, head) = (newest.number.saturating_add(1), status.unsafe_head.number);
        if from > head {
            return;
        }
        let id = LoadId(self.next_load);
        self.next_load += 1;
        let to = head.min(newest.number.saturating_add(LOAD_BLOCKS));
        self.load = Some(Load { id, to });
        self.actions.push_back(Action::Load {
            request: id,
            from,
            to,
        });
    }

    /// Whether no more blocks may come in. Those in no channel will need room as a channel, too.
    pub(super) fn is_memory_full(&self) -> bool {
        let room = self.blocks.pending_size();
        self.loaded_bytes().saturating_add(room) >= self.options.max_loaded_bytes
    }

    /// Takes in a block that was asked for.
    // spec: opstack 7.2, opstack 7.3
    pub(super) fn block(&mut self, request: LoadId, block: LoadedBlock) {
        let Some(load) = self.load.filter(|load| load.id == request) else {
            return;
        };
        let Some(before) = self.blocks.newest() else {
            return;
        };
        if block.number != before.number.saturating_add(1) {
            return;
        }
        let id = BlockId {
            hash: block.hash,
            number: block.number,
        };
        if block.parent_hash != before.hash {
            let reason = ResetReason::ParentMismatch { block: id, before };
            return self.reset_later(reason);
        }
        match Block::new(&self.chain, block) {
            Ok(block) => {
                let bytes = block.size;
                self.blocks.push(block);
                self.report(Report::BlocksLoaded {
                    blocks: id.number..=id.number,
                    bytes,
                });
            }
            Err(error) => {
                self.load = None;
                return self.report(Report::BlockRefused {
                    block: id,
                    error: error.to_string(),
                });
            }
        }
        if id.number >= load.to || self.is_memory_full() {
            self.load = None;
            self.request_blocks();
        }
    }

    /// Takes in L1's head.
    pub(super) fn l1_tip(&mut self, tip: L1Tip) {
        self.tip = Some(tip);
        let abandoned = self.posting.advance(tip.number, self.l1_rules());
        self.abandon(abandoned);
    }
}
