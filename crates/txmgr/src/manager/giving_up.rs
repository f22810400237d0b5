//! What is given up, and how its nonces are used up.
//!
//! Whatever was never handed in ends at once, and its nonce is free again. For all else an empty
//! transaction takes its place, last nonce first: so nothing lands without what was before it, as far
//! as this can be helped. Until all of them are mined, nothing new is sent.

use super::{TxManager, Waiting, chain::end_of};
use crate::{
    FailReason, Outcome, RequestId, SendState, TxKind,
    slot::{Content, Slot, Step},
};

impl TxManager {
    /// Gives up a request that is not mined, and all after it.
    pub(super) fn give_up(&mut self, id: RequestId, reason: &FailReason) {
        let slot = self
            .slots
            .iter()
            .position(|slot| !slot.is_mined() && slot.is_wanted() && slot.id() == Some(id));
        let waiting = self.queue.iter().position(|waiting| waiting.id == id);
        match (slot, waiting) {
            (Some(place), _) => {
                self.give_up_slots(place, id, reason);
                self.end_queue(0, id, reason);
            }
            (None, Some(place)) => self.end_queue(place, id, reason),
            (None, None) => {}
        }
    }

    /// Gives up all requests after one that has just been lost.
    pub(super) fn give_up_after(&mut self, id: RequestId) {
        let reason = FailReason::Earlier(id);
        self.give_up_slots(0, id, &reason);
        self.end_queue(0, id, &reason);
    }

    fn end_queue(&mut self, from: usize, id: RequestId, reason: &FailReason) {
        for waiting in self.queue.split_off(from.min(self.queue.len())) {
            if let Some(call) = waiting.call {
                self.calls.remove(&call);
            }
            self.end(waiting.id, end_of(reason_for(waiting.id, id, reason)));
        }
    }

    fn give_up_slots(&mut self, from: usize, id: RequestId, reason: &FailReason) {
        let mut told = Vec::new();
        for place in (from..self.slots.len()).rev() {
            self.drop_step(place);
            let (address, is_last) = (self.options.address, place + 1 == self.slots.len());
            let Some(slot) = self.slots.get_mut(place) else {
                continue;
            };
            if slot.is_mined() || !slot.is_wanted() {
                continue;
            }
            let Some(owner) = &mut slot.owner else {
                continue;
            };
            let own = reason_for(owner.id, id, reason);
            let owner_id = owner.id;
            owner.given_up = Some(own.clone());
            if is_last && !slot.is_out() {
                self.slots.pop_back();
                self.next_nonce = self.next_nonce.map(|next| next.saturating_sub(1));
                told.push((owner_id, end_of(own)));
                continue;
            }
            let kind = slot.pool_kind().unwrap_or(TxKind::Plain);
            slot.content = Content::nothing(address, kind);
            slot.wants_version = true;
            slot.was_underpriced = false;
            slot.retry_at = 0;
            slot.publish_at = None;
            told.push((owner_id, Outcome::GivingUp(own)));
        }
        for (id, outcome) in told.into_iter().rev() {
            if outcome.is_final() {
                self.end(id, outcome);
            } else {
                self.tell(id, outcome);
            }
        }
    }

    /// Ends what was given up while it was being handed in, if in the end no pool took it.
    pub(super) fn trim(&mut self) {
        while let Some(slot) = self.slots.back()
            && !slot.is_mined()
            && !slot.is_out()
            && let Some(reason) = slot.given_up().cloned()
        {
            self.drop_step(self.slots.len() - 1);
            let Some(slot) = self.slots.pop_back() else {
                break;
            };
            self.next_nonce = Some(slot.nonce);
            if let Some(id) = slot.id() {
                self.end(id, end_of(reason));
            }
        }
    }

    /// Puts requests back into the queue, in order, from this nonce on. Only if none of them was
    /// handed in.
    pub(super) fn requeue(&mut self, nonce: u64) -> bool {
        let Some(place) = self.place(nonce) else {
            return false;
        };
        let mut slots = self.slots.range(place..);
        if !slots.all(|slot| slot.is_wanted() && !slot.is_out() && !slot.is_mined()) {
            return false;
        }
        for place in (place..self.slots.len()).rev() {
            self.drop_step(place);
            let Some(slot) = self.slots.pop_back() else {
                break;
            };
            let Some(owner) = slot.owner else {
                continue;
            };
            self.queue.push_front(Waiting {
                id: owner.id,
                request: slot.content.to_request(owner.estimates),
                send_deadline: owner.send_deadline,
                call: None,
                retry_at: 0,
                failures: 0,
                estimate: slot.content.gas_limit.filter(|_| owner.estimates),
            });
        }
        self.next_nonce = Some(nonce);
        true
    }

    /// A pool has transactions of the account of the other kind. If they are none of ours, they are
    /// replaced by one that does nothing, of their kind, under the nonce that is next.
    // spec: opstack 7.1 *3
    pub(super) fn clear_pool(&mut self, nonce: u64) {
        let Some(place) = self.place(nonce) else {
            return;
        };
        let Some(slot) = self.slots.get(place) else {
            return;
        };
        let other = match slot.content.kind() {
            TxKind::Plain => TxKind::Blob,
            TxKind::Blob => TxKind::Plain,
        };
        let address = self.options.address;
        if !slot.is_wanted() {
            // It does nothing already, but is of the wrong kind for it.
            let retry_at = self.now.saturating_add(self.options.retry_interval);
            if let Some(slot) = self.slots.get_mut(place) {
                slot.content = Content::nothing(address, other);
                slot.wants_version = true;
                slot.retry_at = retry_at;
                slot.state.waits(u64::MAX);
            }
            return;
        }
        if let Some(id) = slot.id() {
            self.give_up(id, &FailReason::AlreadyReserved);
        }
        let is_free = self.next_nonce == Some(nonce);
        match self.slot(nonce) {
            // Some pool may have it after all, so it is cancelled as what it is.
            Some(slot) => slot.state.waits(u64::MAX),
            None if is_free => {
                let state = SendState::new(self.options.safe_abort_nonce_too_low_count, u64::MAX);
                let content = Content::nothing(address, other);
                let mut slot = Slot::new(nonce, None, content, state);
                slot.bars = true;
                self.slots.push_back(slot);
                self.next_nonce = Some(nonce.saturating_add(1));
            }
            None => {}
        }
    }

    /// No more requests.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
        self.let_go();
    }

    /// Ends all that is not mined. What was handed in stays in the pools: whoever starts next finds
    /// it there.
    pub(super) fn let_go(&mut self) {
        let mut ends = Vec::new();
        for place in (0..self.slots.len()).rev() {
            self.drop_step(place);
            let is_last = place + 1 == self.slots.len();
            let Some(slot) = self.slots.get_mut(place).filter(|slot| !slot.is_mined()) else {
                continue;
            };
            if let Step::Publishing(call, _) = slot.step {
                self.calls.remove(&call);
                slot.step = Step::Idle;
            }
            // What was taken for mined behind it keeps its place.
            let owner = slot.owner.take();
            ends.extend(owner.map(|owner| owner.id));
            if is_last {
                self.next_nonce = Some(slot.nonce);
                self.slots.pop_back();
            }
        }
        let queue = std::mem::take(&mut self.queue);
        let calls = queue.iter().filter_map(|waiting| waiting.call);
        for call in calls {
            self.calls.remove(&call);
        }
        ends.reverse();
        ends.extend(queue.iter().map(|waiting| waiting.id));
        for id in ends {
            self.end(id, Outcome::Failed(FailReason::Closed));
        }
    }
}

fn reason_for(id: RequestId, first: RequestId, reason: &FailReason) -> FailReason {
    if id == first {
        reason.clone()
    } else {
        FailReason::Earlier(first)
    }
}
