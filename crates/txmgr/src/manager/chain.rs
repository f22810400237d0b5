//! What is on the chain: rounds over the account, inclusion, reorganisations, confirmations.

use super::{Canonical, MOST_FOREIGN, Question, TxManager};
use crate::{
    Account, Action, CallId, FailReason, Inclusion, L1Head, Notice, Outcome, PoolTx,
    PublishFailure, SendState, TxKind,
    send_state::Critical,
    slot::{Content, Does, Mined, Slot, Version},
};
use alloy_primitives::B256;
use doppio_protocol::block::BlockId;

/// Rounds in a row that must find a used nonce to be free before it is believed: some endpoints are
/// behind others.
const ROUNDS_TO_BELIEVE: u64 = 3;

impl TxManager {
    pub(super) fn take_head(&mut self, head: L1Head) {
        let old = self.head.map(|head| head.block.hash);
        if old == Some(head.block.hash) {
            return;
        }
        // A block on top of the last one takes nothing back. Anything else may have.
        if old != Some(head.block.parent_hash) {
            self.doubt();
        }
        self.head = Some(head);
        self.round_at = self.now;
        self.tip_at = Some(self.now);
    }

    /// Which blocks are canonical has to be asked anew.
    fn doubt(&mut self) {
        for slot in &mut self.slots {
            slot.is_checked = false;
        }
        self.ask_again();
    }

    fn ask_again(&mut self) {
        if let Canonical::Asked(call) = self.canonical {
            self.calls.remove(&call);
        }
        self.canonical = Canonical::Unknown;
        self.canonical_at = self.now;
    }

    pub(super) fn ask_canonical(&mut self) {
        if self.canonical != Canonical::Unknown || self.canonical_at > self.now {
            return;
        }
        let unchecked = self.slots.iter().filter(|slot| !slot.is_checked);
        let heights = unchecked.filter_map(|slot| slot.block().map(|block| block.number));
        let Some(height) = heights.max() else {
            for slot in &mut self.slots {
                slot.was_checked = slot.is_checked;
            }
            self.canonical = Canonical::Known;
            return;
        };
        let call = self.ask(Question::BlockHash(height));
        self.canonical = Canonical::Asked(call);
        self.actions.push_back(Action::FetchBlockHash(call, height));
    }

    pub(super) fn take_block_hash(&mut self, call: CallId, hash: Option<B256>) {
        let Some(Question::BlockHash(height)) = self.answered(call) else {
            return;
        };
        let Some(hash) = hash else {
            return self.doubt_later();
        };
        self.ask_again();
        let mut gone = Vec::new();
        let mut is_old_chain = false;
        for slot in &mut self.slots {
            match slot.block() {
                Some(block) if block.number == height && block.hash == hash => {
                    slot.is_checked = true;
                    is_old_chain |= slot.was_checked;
                }
                Some(block) if block.number == height => gone.push(slot.nonce),
                _ => {}
            }
        }
        if is_old_chain {
            let below = |block: BlockId| block.number <= height;
            for slot in &mut self.slots {
                slot.is_checked |= slot.was_checked && slot.block().is_some_and(below);
            }
        }
        if !gone.is_empty() {
            self.round_at = self.now;
        }
        for nonce in gone {
            self.reorged_out(nonce);
        }
    }

    /// The question stays open.
    pub(super) fn doubt_later(&mut self) {
        self.canonical = Canonical::Unknown;
        self.canonical_at = self.now.saturating_add(self.options.retry_interval);
    }

    fn reorged_out(&mut self, nonce: u64) {
        let now = self.now;
        let mempool = now.saturating_add(self.options.not_in_mempool_timeout);
        let timeout = self.options.send_timeout;
        let Some(slot) = self.slot(nonce) else {
            return;
        };
        let was_told = slot.payload().is_some() || slot.has_ended;
        let Some(Mined::Version(_, inclusion)) = slot.mined.take() else {
            return;
        };
        slot.is_open_again(now);
        slot.state.waits(mempool);
        if let Some(owner) = &mut slot.owner {
            owner.send_deadline = (timeout > 0).then(|| now.saturating_add(timeout));
        }
        let id = slot.id();
        self.budget.take_back(nonce);
        if let Some(id) = id
            && was_told
        {
            self.tell(id, Outcome::ReorgedOut(inclusion.block));
        }
        if self.is_closed {
            self.let_go();
        }
    }

    // The account

    pub(super) fn take_account(&mut self, call: CallId, account: Option<Account>) {
        if self.answered(call) != Some(Question::Account) {
            return;
        }
        let Some(account) = account else {
            self.round_at = self.now.saturating_add(self.options.retry_interval);
            return;
        };
        self.round_at = self.now.saturating_add(self.options.receipt_query_interval);
        self.account = Some(account);
        let used = account.pending.max(account.latest);
        match self.next_nonce {
            None => {
                self.next_nonce = Some(account.latest);
                self.add_foreign(used);
                if !self.slots.is_empty() {
                    self.actions.push_back(Action::Notice(Notice::Leftovers {
                        from: account.latest,
                        until: used,
                    }));
                }
            }
            Some(next) => {
                self.find_gap(account.latest, next);
                self.find_unmined(account.latest);
                self.find_mined(account.latest);
                // What was mined may have been requeued, so the next nonce is read again. Once closed,
                // what is in the pools is left to whoever starts next.
                if let Some(next) = self.next_nonce
                    && used > next
                    && !self.is_closed
                {
                    self.actions
                        .push_back(Action::Notice(Notice::AccountShared { nonce: next }));
                    self.add_foreign(used);
                }
            }
        }
    }

    /// A slot for a nonce that others used.
    fn foreign(&self, nonce: u64) -> Slot {
        // Pools have one kind of transaction for an account. Most often it is the one without blobs.
        let content = Content::nothing(self.options.address, TxKind::Plain);
        let state = SendState::new(self.options.safe_abort_nonce_too_low_count, u64::MAX);
        let mut slot = Slot::new(nonce, None, content, state);
        slot.wants_version = false;
        slot
    }

    /// Takes the nonces from the next one on to before this one for somebody else's.
    fn add_foreign(&mut self, until: u64) {
        let Some(next) = self.next_nonce else {
            return;
        };
        let until = until.min(next.saturating_add(MOST_FOREIGN));
        if until <= next {
            return;
        }
        for nonce in next..until {
            let slot = self.foreign(nonce);
            self.slots.push_back(slot);
        }
        self.next_nonce = Some(until);
        self.pool_wanted = Some((next, until));
    }

    /// Looks whether nonces before the first that is remembered are free again. They must be used up
    /// before anything else can be mined.
    fn find_gap(&mut self, latest: u64, next: u64) {
        let first = self.slots.front().map_or(next, |slot| slot.nonce);
        if latest >= first {
            self.gap_rounds = 0;
            return;
        }
        self.gap_rounds += 1;
        if self.gap_rounds < ROUNDS_TO_BELIEVE {
            return;
        }
        self.gap_rounds = 0;
        let from = latest.max(first.saturating_sub(MOST_FOREIGN));
        for nonce in (from..first).rev() {
            let slot = self.foreign(nonce);
            self.slots.push_front(slot);
        }
        self.pool_wanted = Some((from, first));
    }

    /// Nonces that somebody used and that are free again.
    fn find_unmined(&mut self, latest: u64) {
        for slot in &mut self.slots {
            if !matches!(slot.mined, Some(Mined::Unknown(_))) {
                continue;
            }
            if latest > slot.nonce {
                slot.free_rounds = 0;
                continue;
            }
            slot.free_rounds += 1;
            if slot.free_rounds < ROUNDS_TO_BELIEVE {
                continue;
            }
            let was_told = slot.has_ended;
            slot.free_rounds = 0;
            slot.is_open_again(self.now);
            if was_told {
                // Its end was told. What is left is a nonce to be used up.
                slot.owner = None;
                slot.wants_version = true;
                slot.content = Content::nothing(self.options.address, slot.content.kind());
            }
        }
    }

    /// Nonces that are used: by what?
    fn find_mined(&mut self, latest: u64) {
        let lowest = self.lowest();
        let nonces: Vec<(u64, bool, bool)> = self
            .slots
            .iter()
            .enumerate()
            .filter(|(place, slot)| {
                !slot.is_mined() && (slot.nonce < latest || Some(*place) == lowest)
            })
            .map(|(_, slot)| (slot.nonce, slot.versions.is_empty(), slot.nonce < latest))
            .collect();
        for (nonce, is_unsigned, is_used) in nonces {
            if !is_unsigned {
                if let Some(slot) = self.slot(nonce) {
                    slot.wants_look_up = true;
                }
            } else if is_used {
                self.taken(nonce);
            }
        }
    }

    /// What of the account is in the pool, from before the start or from somebody else.
    pub(super) fn take_pool(&mut self, call: CallId, found: Vec<PoolTx>) {
        if self.answered(call) != Some(Question::Pool) {
            return;
        }
        let address = self.options.address;
        for tx in found {
            let Some(slot) = self.slot(tx.nonce) else {
                continue;
            };
            let is_known = slot.versions.iter().any(|one| one.hash == tx.hash);
            if slot.owner.is_some() || is_known || !slot.versions.is_empty() {
                continue;
            }
            slot.content = Content::nothing(address, tx.kind);
            slot.versions.push(Version {
                hash: tx.hash,
                signed: None,
                does: Does::Foreign,
                kind: tx.kind,
                gas_limit: 0,
                fees: tx.fees,
                blob_hashes: [].into(),
                is_out: true,
            });
        }
    }

    // Inclusion

    pub(super) fn take_looked_up(
        &mut self,
        call: CallId,
        found: Result<Option<Inclusion>, String>,
    ) {
        let Some(Question::LookUp(nonce)) = self.answered(call) else {
            return;
        };
        let Some(slot) = self.slot(nonce) else {
            return;
        };
        if slot.look_up != Some(call) {
            return;
        }
        slot.look_up = None;
        if slot.is_mined() {
            return;
        }
        match found {
            Err(_) => {}
            Ok(None) => self.missing(nonce),
            Ok(Some(inclusion)) => {
                let version = slot
                    .versions
                    .iter()
                    .position(|one| one.hash == inclusion.tx_hash);
                if let Some(version) = version {
                    self.mine(nonce, version, inclusion);
                }
            }
        }
    }

    fn mine(&mut self, nonce: u64, version: usize, inclusion: Inclusion) {
        let now = self.now;
        if let Some(place) = self.place(nonce) {
            self.drop_step(place);
        }
        let Some(slot) = self.slot(nonce) else {
            return;
        };
        slot.state.mined();
        slot.missing_since = None;
        slot.wants_version = false;
        slot.publish_at = None;
        slot.bump_at = None;
        slot.mined = Some(Mined::Version(version, inclusion.clone()));
        slot.mined_at = now;
        (slot.is_checked, slot.was_checked) = (false, false);
        let told = slot.id().filter(|_| slot.payload().is_some());
        if let Some(id) = told {
            self.tell(id, Outcome::Included(inclusion));
        }
        // The block holds it, but whether the block is canonical was only the endpoint's word.
        self.ask_again();
        self.round_at = self.now;
    }

    /// None of the versions of a slot is on the chain.
    fn missing(&mut self, nonce: u64) {
        let (now, wait) = (self.now, self.options.receipt_query_interval);
        let is_used = self.account.is_some_and(|account| account.latest > nonce);
        let Some(slot) = self.slot(nonce) else {
            return;
        };
        if !is_used {
            slot.missing_since = None;
            slot.state.nonce_is_free();
            return;
        }
        slot.state.refused(PublishFailure::NonceTooLow);
        let since = *slot.missing_since.get_or_insert(now);
        let is_believed = slot.state.critical(now) == Some(Critical::NonceTooLow);
        // Receipts may come later than nonces, and from another endpoint.
        let is_over = !slot.is_out() || now.saturating_sub(since) >= wait.saturating_mul(2);
        let has_ours = slot.versions.iter().any(|one| one.signed.is_some());
        if !has_ours || (is_believed && is_over) {
            self.taken(nonce);
        }
    }

    /// A nonce is used, and not by us.
    fn taken(&mut self, nonce: u64) {
        if self.requeue(nonce) {
            let used = self.account.map_or(0, |account| account.latest);
            self.actions
                .push_back(Action::Notice(Notice::AccountShared { nonce }));
            return self.add_foreign(used.max(nonce.saturating_add(1)));
        }
        let height = self.head.map_or(0, |head| head.block.number);
        if let Some(place) = self.place(nonce) {
            self.drop_step(place);
        }
        let Some(slot) = self.slot(nonce) else {
            return;
        };
        slot.state.mined();
        slot.mined = Some(Mined::Unknown(height));
        slot.wants_version = false;
        slot.publish_at = None;
        slot.bump_at = None;
        let Some(owner) = &mut slot.owner else {
            return;
        };
        let id = owner.id;
        if owner.given_up.is_none() {
            let reason = FailReason::NonceTaken(nonce);
            owner.given_up = Some(reason.clone());
            self.tell(id, Outcome::GivingUp(reason));
            self.give_up_after(id);
        }
        self.actions
            .push_back(Action::Notice(Notice::AccountShared { nonce }));
    }

    // Ends

    /// Tells the ends of what has its confirmations.
    pub(super) fn settle(&mut self) {
        let Some(head) = self.head.map(|head| head.block.number) else {
            return;
        };
        let confirmations = self.options.num_confirmations;
        let is_known = self.canonical == Canonical::Known;
        // Whether the account was looked at on this head.
        let is_read = self.round_at > self.now && !self.is_asked(Question::Account);
        let mut ends = Vec::new();
        for slot in &mut self.slots {
            let Some(mined) = &slot.mined else {
                continue;
            };
            let is_checked = match mined {
                Mined::Version(..) => is_known,
                Mined::Unknown(_) => is_read && slot.free_rounds == 0,
            };
            let is_deep = mined.height().saturating_add(confirmations) <= head.saturating_add(1);
            if slot.has_ended || !is_checked || !is_deep {
                continue;
            }
            if let Some(cost) = slot.cost() {
                self.budget.spend(slot.mined_at, slot.nonce, cost);
            }
            let payload = slot.payload().cloned();
            slot.has_ended = true;
            let Some(owner) = &slot.owner else {
                continue;
            };
            let outcome = match (payload, &owner.given_up) {
                (Some(inclusion), _) if inclusion.success => Outcome::Confirmed(inclusion),
                (Some(inclusion), _) => Outcome::Reverted(inclusion),
                (None, Some(reason)) => end_of(reason.clone()),
                (None, None) => Outcome::Failed(FailReason::NonceTaken(slot.nonce)),
            };
            ends.push((owner.id, outcome));
        }
        for (id, outcome) in ends {
            self.tell(id, outcome);
        }
    }

    /// Forgets what is buried so deep that no reorganisation brings it back. After one that must be
    /// known first: what it took back is no longer buried.
    pub(super) fn forget(&mut self) {
        if self.canonical != Canonical::Known {
            return;
        }
        let Some(head) = self.head.map(|head| head.block.number) else {
            return;
        };
        let depth = self
            .options
            .num_confirmations
            .saturating_add(self.options.remembered_blocks);
        while let Some(slot) = self.slots.front()
            && slot.has_ended
            && let Some(mined) = &slot.mined
            && mined.height().saturating_add(depth) <= head
        {
            if let Some(id) = slot.id() {
                self.actions.push_back(Action::Forget(id));
            }
            self.slots.pop_front();
        }
    }
}

/// The end of what is given up, and was not mined.
pub(super) fn end_of(reason: FailReason) -> Outcome {
    match reason {
        FailReason::Cancelled => Outcome::Cancelled,
        reason => Outcome::Failed(reason),
    }
}
