//! How channels come to L1.

use super::{Batcher, Phase};
use crate::{
    action::{Action, Report, Submission, TxId},
    event::TxOutcome,
    options::DaKind,
    posting::{Capacity, L1Rules},
    route,
};
use doppio_protocol::config::{CHANNEL_TIMEOUT_GRANITE, Fork};

impl Batcher {
    /// The rules at L1's head. Before it is known, the strictest ones.
    // spec: opstack 7.3
    pub(super) fn l1_rules(&self) -> L1Rules {
        let is_strict = self
            .tip
            .is_none_or(|tip| self.chain.active(Fork::Holocene, tip.time));
        // a channel may be read under the shorter limit that is to come
        let is_granite_set = self.chain.rollup.forks.time(Fork::Granite).is_some();
        let timeout = self.chain.rollup.channel_timeout;
        L1Rules {
            is_strict,
            channel_timeout: if is_granite_set {
                CHANNEL_TIMEOUT_GRANITE
            } else {
                timeout
            },
        }
    }

    /// Takes in what became of a transaction.
    pub(super) fn outcome(&mut self, id: TxId, outcome: TxOutcome) {
        let rules = self.l1_rules();
        let abandoned = self.posting.outcome(id, outcome, rules);
        self.abandon(abandoned);
        for report in self.posting.take_complete() {
            self.report(report);
        }
    }

    /// Sends what can be sent.
    // spec: opstack 7.1, opstack 7.3
    pub(super) fn send(&mut self) {
        if self.posting.is_settled() {
            let tip = self.tip.map(|tip| tip.number).unwrap_or_default();
            let rules = self.l1_rules();
            for report in self.posting.resolve(tip, rules) {
                self.report(report);
            }
        }
        let is_held_back = self.suspicion.is_some() || self.reset.is_some();
        if is_held_back || self.phase == Phase::Stopped {
            return;
        }
        let begun_only = self.phase == Phase::Stopping;
        while let Some(next) = self.posting.next(self.options.max_pending_tx, begun_only) {
            let (kind, switched) = match next.kind() {
                Some(kind) => (kind, None),
                None => self.chooser.choose(
                    &self.options,
                    self.fees.as_ref(),
                    self.throttle.is_active(),
                ),
            };
            let capacity = Capacity {
                kind,
                max_frame_size: self.options.max_frame_size(kind),
                frames: match kind {
                    DaKind::Calldata => 1,
                    DaKind::Blobs => self.options.target_num_frames,
                },
            };
            let sending = next.send(capacity);
            if let Some(switched) = switched {
                self.report(Report::DaSwitched {
                    to: switched.to,
                    prices: switched.prices,
                    is_throttled: switched.is_throttled,
                });
            }
            let Some(sending) = sending else {
                return self.bug("a channel with nothing to send was to be sent");
            };
            let cost = self.fees.map(|fees| route::cost(&fees, &sending.payload));
            self.actions.push_back(Action::Submit(Submission {
                id: sending.id,
                cost,
                payload: sending.payload,
                channel: sending.channel,
                frames: sending.frames,
                blocks: sending.blocks,
            }));
        }
    }
}
