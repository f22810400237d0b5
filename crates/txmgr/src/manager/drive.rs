//! Nonces for requests, and what is done for each: gas, fees, signature, handing in.

use super::{Canonical, Question, TxManager};
use crate::{
    Action, FailReason, Fees, LimitExceeded, Market, Millis, Notice, RequestId, SendState,
    SidecarVersion, TxKind, UnsignedTx,
    fees::{first_fees, replacement},
    send_state::Critical,
    slot::{Content, Does, Owner, Slot, Step},
};
use doppio_protocol::config::BlobFeeError;

/// Most versions of one transaction. It takes a fee of a hundred times the first to come here.
const MOST_VERSIONS: usize = 64;
/// Milliseconds before something that cannot be paid now is looked at again.
const PRICE_INTERVAL: Millis = 2_000;
/// Seconds after Osaka in which the proofs of before are still made: no pool takes those of cells
/// before it, and some may take the old ones after it.
const CELL_PROOF_DELAY: u64 = 12;

impl TxManager {
    // What L1 asks for

    fn blob_base_fee(&self) -> Option<Result<u128, BlobFeeError>> {
        let head = self.head?;
        let excess = head.excess_blob_gas?;
        let fee = self
            .options
            .blob_schedule
            .blob_base_fee(head.block.timestamp, excess);
        Some(fee.map(|fee| u128::try_from(fee).unwrap_or(u128::MAX)))
    }

    pub(super) fn read_market(&self) -> Option<Result<Market, LimitExceeded>> {
        let (head, suggestion) = (self.head?, self.suggestion?);
        let blob_base_fee = self.blob_base_fee().and_then(Result::ok);
        Some(Market::new(
            &suggestion,
            head.base_fee,
            blob_base_fee,
            &self.options,
        ))
    }

    /// What L1 asks for; if it is too much, the operator is told.
    fn allowed_market(&mut self) -> Option<Market> {
        match self.read_market()? {
            Ok(market) => Some(market),
            Err(limit) => {
                self.notice(Notice::FeesTooHigh(limit));
                None
            }
        }
    }

    fn tell_no_blob_fee(&mut self) {
        if let Some(Err(error)) = self.blob_base_fee() {
            self.notice(Notice::NoBlobFee(error));
        }
    }

    // Deadlines

    pub(super) fn check_deadlines(&mut self) {
        let now = self.now;
        let is_over = |deadline: Option<Millis>| deadline.is_some_and(|time| time <= now);
        let overdue = |slot: &&Slot| {
            let owner = slot.owner.as_ref();
            !slot.is_mined() && slot.is_wanted() && is_over(owner.and_then(|one| one.send_deadline))
        };
        let slot = self.slots.iter().find(overdue).and_then(Slot::id);
        let mut queue = self.queue.iter();
        let waiting = queue.find(|waiting| is_over(waiting.send_deadline));
        if let Some(id) = slot.or_else(|| waiting.map(|waiting| waiting.id)) {
            self.give_up(id, &FailReason::SendTimeout);
        }
    }

    // Nonces

    /// Gives nonces to requests, in order.
    pub(super) fn assign(&mut self) {
        while !self.is_barred() && self.has_room() {
            let Some(nonce) = self.next_nonce else {
                return;
            };
            let Some(waiting) = self.queue.front() else {
                return;
            };
            let estimates = waiting.request.gas_limit.is_none();
            let gas_limit = waiting.request.gas_limit.or(waiting.estimate);
            let Some(gas_limit) = gas_limit else {
                return self.estimate_first(nonce);
            };
            let Some(waiting) = self.queue.pop_front() else {
                return;
            };
            let mut content = Content::of(&waiting.request);
            content.gas_limit = Some(gas_limit);
            let owner = Owner {
                id: waiting.id,
                given_up: None,
                send_deadline: waiting.send_deadline,
                estimates,
            };
            // Its time in no pool begins when it is signed.
            let state = SendState::new(self.options.safe_abort_nonce_too_low_count, u64::MAX);
            self.slots
                .push_back(Slot::new(nonce, Some(owner), content, state));
            self.next_nonce = Some(nonce.saturating_add(1));
        }
    }

    fn has_room(&self) -> bool {
        let is_open = |slot: &&Slot| slot.owner.is_some() && !slot.has_ended;
        let open = self.slots.iter().filter(is_open).count() as u64;
        self.options.max_pending == 0 || open < self.options.max_pending
    }

    pub(super) const fn mempool_deadline(&self) -> Millis {
        self.now.saturating_add(self.options.not_in_mempool_timeout)
    }

    /// Asks for the gas of the first request.
    fn estimate_first(&mut self, nonce: u64) {
        let Some(market) = self.allowed_market() else {
            return;
        };
        let (id, content) = match self.queue.front() {
            Some(waiting) if waiting.call.is_none() && waiting.retry_at <= self.now => {
                (waiting.id, Content::of(&waiting.request))
            }
            _ => return,
        };
        let min_blob_fee = self.options.settings.min_blob_fee;
        let Some(fees) = first_fees(&market, content.kind(), min_blob_fee) else {
            return self.tell_no_blob_fee();
        };
        let tx = self.unsigned(nonce, &content, 0, fees);
        let call = self.ask(Question::WaitingGas(id));
        if let Some(waiting) = self.queue.front_mut() {
            waiting.call = Some(call);
        }
        self.actions.push_back(Action::EstimateGas(call, tx));
    }

    fn unsigned(&self, nonce: u64, content: &Content, gas_limit: u64, fees: Fees) -> UnsignedTx {
        UnsignedTx {
            chain_id: self.options.chain_id,
            nonce,
            to: content.to,
            value: content.value,
            data: content.data.clone(),
            gas_limit,
            fees,
            blob_hashes: content.blob_hashes.to_vec(),
        }
    }

    // Slots

    /// Does for each nonce that is not mined what can be done now.
    pub(super) fn drive(&mut self) {
        let open = self.slots.iter().filter(|slot| !slot.is_mined());
        // What uses up nonces for nothing goes first, and the last nonce before the others.
        let (wanted, mut other): (Vec<(bool, u64)>, Vec<_>) = open
            .map(|slot| (slot.is_wanted(), slot.nonce))
            .partition(|(is_wanted, _)| *is_wanted);
        other.reverse();
        for (_, nonce) in other.into_iter().chain(wanted) {
            self.drive_slot(nonce);
        }
    }

    fn drive_slot(&mut self, nonce: u64) {
        let now = self.now;
        let Some(place) = self.place(nonce) else {
            return;
        };
        let is_lowest = self.lowest() == Some(place);
        let may_begin = self.may_begin(place);
        let (mempool, bump, later) = (
            self.mempool_deadline(),
            now.saturating_add(self.options.settings.resubmission_timeout),
            now.saturating_add(self.rebroadcast()),
        );
        let Some(slot) = self.slots.get_mut(place) else {
            return;
        };
        // Only the next one can be mined. To bump the others would cost, and help nothing.
        // (field I28)
        if is_lowest {
            let bump_at = *slot.bump_at.get_or_insert(bump);
            if bump_at <= now {
                slot.bump_at = Some(bump);
                slot.wants_version = true;
                slot.was_underpriced = false;
                slot.retry_at = 0;
            }
        } else {
            slot.bump_at = None;
        }
        if slot.step != Step::Idle || slot.retry_at > now {
            return;
        }
        let (is_new, wants_version) = (slot.current().is_none(), slot.wants_version);
        if !may_begin && !is_new && slot.is_wanted() && !slot.state.was_accepted() {
            slot.state.waits(mempool);
        }
        if slot.state.is_reserved() && may_begin {
            return self.clear_reserved(nonce, is_lowest);
        }
        // What is said of nonces is believed once the chain says so.
        if slot.is_wanted() && slot.state.critical(now) == Some(Critical::NotInMempool) {
            let reason = FailReason::NotInMempool(slot.last_words.clone());
            if let Some(id) = slot.id() {
                self.give_up(id, &reason);
            }
            return;
        }
        let may_make = if is_new {
            !self.has_unsigned_before(place)
        } else {
            is_lowest || !slot.state.was_accepted()
        };
        if wants_version && may_make {
            if self.make_version(nonce) {
                return;
            }
            let Some(slot) = self.slot(nonce) else {
                return;
            };
            if is_new {
                slot.retry_at = now.saturating_add(PRICE_INTERVAL);
                if slot.given_up().is_none() {
                    return;
                }
                // Rather than leave the nonce open, what was given up is let land. Those before it
                // need not wait for what cannot be paid.
                slot.cancel_was_tried = true;
                slot.publish_at.get_or_insert(later);
            } else {
                slot.keep_old_version(now);
            }
        }
        self.hand_in(nonce, may_begin);
    }

    /// The pool has transactions of the other kind.
    fn clear_reserved(&mut self, nonce: u64, is_lowest: bool) {
        let retry = self.now.saturating_add(self.options.retry_interval);
        if is_lowest {
            self.clear_pool(nonce);
        } else if let Some(slot) = self.slot(nonce) {
            // Those before it are the reason, or will be found to be so when it is its turn.
            slot.state.waits(u64::MAX);
            slot.retry_at = retry;
        }
    }

    /// Whether one before it was not signed yet. What the later one may cost would be missing for it.
    fn has_unsigned_before(&self, place: usize) -> bool {
        let mut before = self.slots.range(..place).filter(|one| !one.is_mined());
        before.any(|one| one.is_wanted() && one.versions.is_empty() && one.making.is_none())
    }

    /// Whether what is before it is in the pools, and of the same kind, so that a transaction may be
    /// handed in for the first time.
    fn may_begin(&self, place: usize) -> bool {
        let Some(slot) = self.slots.get(place) else {
            return false;
        };
        if !slot.is_wanted() {
            // The cancellations of all later nonces come first, but those of the other kind, which
            // wait for this one.
            let kind = slot.content.kind();
            let mut later = self.slots.range(place + 1..);
            return slot.owner.is_none()
                || later.all(|one| {
                    one.given_up().is_none() || one.cancel_was_tried || one.content.kind() != kind
                });
        }
        let mut before = self.slots.range(..place).filter(|one| !one.is_mined());
        before.all(|one| one.owner.is_none() || one.state.was_accepted()) && !self.conflicts(place)
    }

    /// Whether something before it is of the other kind, so that pools cannot have both. While it is
    /// not known which blocks are canonical, what is mined may have to go to a pool again.
    fn conflicts(&self, place: usize) -> bool {
        let Some(slot) = self.slots.get(place) else {
            return false;
        };
        let kind = slot.content.kind();
        let is_known = self.canonical == Canonical::Known;
        let mut before = self
            .slots
            .range(..place)
            .filter(|one| !one.is_mined() || !is_known);
        before.any(|one| one.pool_kind().is_some_and(|other| other != kind))
    }

    /// Has a version of a slot signed, or its gas estimated before that. False if this cannot be
    /// now.
    fn make_version(&mut self, nonce: u64) -> bool {
        let Some(market) = self.allowed_market() else {
            return false;
        };
        let Some(slot) = self.slot(nonce) else {
            return false;
        };
        if slot.versions.len() >= MOST_VERSIONS {
            return false;
        }
        let content = slot.content.clone();
        let needs_estimate = !slot.gas_is_fresh
            && content.does == Does::Payload
            && slot.owner.as_ref().is_some_and(|owner| owner.estimates);
        let Some(fees) = self.price(nonce, &market) else {
            return false;
        };
        let gas_limit = content.gas_limit.unwrap_or_default();
        if !self.is_within_budget(nonce, &fees, gas_limit, content.blob_hashes.len()) {
            return false;
        }
        let tx = self.unsigned(nonce, &content, gas_limit, fees);
        let call = self.ask(Question::Slot(nonce));
        if let Some(slot) = self.slot(nonce) {
            if needs_estimate {
                slot.step = Step::Estimating(call);
            } else {
                slot.step = Step::Signing(call);
                slot.making = Some(tx.clone());
            }
        }
        self.actions.push_back(if needs_estimate {
            Action::EstimateGas(call, tx)
        } else {
            Action::Sign(call, tx)
        });
        true
    }

    /// What the next version of a slot pays; none if it may not pay that much, or the price of blobs
    /// is not known.
    fn price(&mut self, nonce: u64, market: &Market) -> Option<Fees> {
        let slot = self.slot(nonce)?;
        let kind = slot.content.kind();
        // Versions of the other kind are in another pool, or in none.
        let same = slot.versions.iter().filter(|one| one.kind == kind);
        let ours = same.clone().filter(|one| one.signed.is_some());
        let ours = ours.map(|one| one.fees).reduce(Fees::max);
        let all = same.map(|one| one.fees).reduce(Fees::max);
        let priced = self.price_after(all, market, kind);
        // To replace a stranger's may be too dear, but the pools may have lost it, and we cannot hand
        // it in again.
        let priced = match priced {
            Some(Err(_)) if ours != all => self.price_after(ours, market, kind),
            priced => priced,
        };
        match priced {
            None => {
                self.tell_no_blob_fee();
                None
            }
            Some(Err(limit)) => {
                self.notice(Notice::FeesTooHigh(limit));
                None
            }
            Some(Ok(fees)) => Some(fees),
        }
    }

    /// What replaces a version with these fees, or is the first.
    fn price_after(
        &self,
        before: Option<Fees>,
        market: &Market,
        kind: TxKind,
    ) -> Option<Result<Fees, LimitExceeded>> {
        match before {
            None => first_fees(market, kind, self.options.settings.min_blob_fee).map(Ok),
            Some(before) => replacement(&before, market, kind, &self.options),
        }
    }

    /// Whether all that was spent within an hour, and all that is on its way, stays within the
    /// budget, with this. What has not its confirmations yet counts as what it costs at most: a
    /// reorganisation may give it back to the pools.
    fn is_within_budget(&mut self, nonce: u64, fees: &Fees, gas_limit: u64, blobs: usize) -> bool {
        let Some(budget) = self.options.max_fee_per_hour else {
            return true;
        };
        let spent = self.budget.spent(self.now);
        let others = self
            .slots
            .iter()
            .filter(|slot| !slot.has_ended && slot.nonce != nonce)
            .map(Slot::worst_cost);
        let on_its_way = others.fold(0u128, u128::saturating_add);
        let used = spent.saturating_add(on_its_way);
        let is_within = used.saturating_add(fees.worst_cost(gas_limit, blobs)) <= budget;
        if !is_within {
            self.notice(Notice::BudgetUsedUp { budget, used });
        }
        is_within
    }

    /// Hands in the newest version, if it is time for that.
    fn hand_in(&mut self, nonce: u64, may_begin: bool) {
        let (now, sidecar) = (self.now, self.sidecar());
        let conflicts = self.place(nonce).is_some_and(|place| self.conflicts(place));
        let Some(slot) = self.slot(nonce) else {
            return;
        };
        let fallback = || slot.newest().filter(|_| slot.given_up().is_some());
        let Some((index, version)) = slot.current().or_else(fallback) else {
            return;
        };
        let is_due = slot.publish_at.is_some_and(|time| time <= now);
        // After a reorganisation the one before it has to get into the pool first. What uses up a nonce
        // for nothing replaces what is in a pool, or shows that it is not there.
        let conflicts = conflicts && slot.is_wanted();
        let waits = conflicts || (!may_begin && !version.is_out);
        let Some(tx) = version.signed.clone() else {
            return;
        };
        if !is_due || waits {
            return;
        }
        let blob_hashes = version.blob_hashes.to_vec();
        let id: Option<RequestId> = slot.id().filter(|_| version.does == Does::Payload);
        slot.publish_at = None;
        let call = self.ask(Question::Slot(nonce));
        if let Some(slot) = self.slot(nonce) {
            slot.step = Step::Publishing(call, index);
        }
        self.actions.push_back(Action::Publish {
            call,
            id,
            tx,
            blob_hashes,
            sidecar,
        });
    }

    // spec: opstack-2026-09 7 *7
    fn sidecar(&self) -> SidecarVersion {
        let seconds = self.now / 1000;
        let is_time = self
            .options
            .cell_proof_time
            .is_some_and(|time| time < seconds.saturating_sub(CELL_PROOF_DELAY));
        if is_time {
            SidecarVersion::Cells
        } else {
            SidecarVersion::Blob
        }
    }
}
