//! The machine.

mod answers;
mod chain;
mod drive;
mod giving_up;

use crate::{
    Account, Action, CallId, Event, FailReason, L1Head, LimitExceeded, Market, Millis, Notice,
    Options, OptionsError, Outcome, RequestId, Settings, Suggestion, TxRequest,
    budget::Budget,
    slot::{Slot, Step},
};
use alloy_primitives::B256;
use std::collections::{BTreeMap, VecDeque};

/// Most nonces that are taken for somebody else's at a time: an endpoint may say anything.
const MOST_FOREIGN: u64 = 1024;
/// Most blobs of one transaction (EIP-7594).
const MOST_BLOBS: usize = 6;
/// How long the same notice is not said again.
const NOTICE_INTERVAL: Millis = 60_000;

/// A request without a nonce.
#[derive(Debug)]
struct Waiting {
    id: RequestId,
    request: TxRequest,
    send_deadline: Option<Millis>,
    /// The call that estimates its gas.
    call: Option<CallId>,
    retry_at: Millis,
    failures: u64,
    /// What was estimated.
    estimate: Option<u64>,
}

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Account,
    Tip,
    Pool,
    /// The hash of the block of this height.
    BlockHash(u64),
    /// Gas of a request without a nonce.
    WaitingGas(RequestId),
    /// Of the slot with this nonce.
    Slot(u64),
    /// The versions of the slot with this nonce.
    LookUp(u64),
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    question: Question,
    /// When it counts as unanswered.
    deadline: Millis,
}

/// What of the chain has been looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Canonical {
    /// All blocks that transactions were found in are canonical.
    Known,
    /// It has to be asked.
    Unknown,
    /// It is being asked.
    Asked(CallId),
}

/// The transaction manager of one account on one L1.
#[derive(Debug)]
pub struct TxManager {
    options: Options,
    now: Millis,
    /// Requests without a nonce, in order.
    queue: VecDeque<Waiting>,
    /// Nonces in use, without a gap. Those that are mined come first.
    slots: VecDeque<Slot>,
    /// The nonce after the last slot's; none before the account was looked at.
    next_nonce: Option<u64>,
    head: Option<L1Head>,
    suggestion: Option<Suggestion>,
    account: Option<Account>,
    canonical: Canonical,
    /// When it is asked again.
    canonical_at: Millis,
    calls: BTreeMap<CallId, Asked>,
    next_call: u64,
    actions: VecDeque<Action>,
    /// When the account is looked at again at the latest.
    round_at: Millis,
    /// When the usual tip is asked for.
    tip_at: Option<Millis>,
    /// The nonces whose transactions are looked for in the pool.
    pool_wanted: Option<(u64, u64)>,
    /// Rounds in a row that found nonces below the first slot's to be free.
    gap_rounds: u64,
    budget: Budget,
    /// When notices of a kind were told last.
    told: BTreeMap<&'static str, Millis>,
    is_closed: bool,
}

impl TxManager {
    /// A manager that has just been started: it first asks which nonces are used.
    ///
    /// # Errors
    ///
    /// If the options cannot work.
    pub fn new(options: Options) -> Result<Self, OptionsError> {
        options.check()?;
        Ok(Self {
            options,
            now: 0,
            queue: VecDeque::new(),
            slots: VecDeque::new(),
            next_nonce: None,
            head: None,
            suggestion: None,
            account: None,
            canonical: Canonical::Known,
            canonical_at: 0,
            calls: BTreeMap::new(),
            next_call: 0,
            actions: VecDeque::new(),
            round_at: 0,
            tip_at: Some(0),
            pool_wanted: None,
            gap_rounds: 0,
            budget: Budget::default(),
            told: BTreeMap::new(),
            is_closed: false,
        })
    }

    /// Takes in what happened at `now`. Times never go back; an answer that is not waited for, or no
    /// longer, does nothing.
    pub fn handle(&mut self, now: Millis, event: Event) {
        self.now = self.now.max(now);
        match event {
            Event::Send { id, request } => self.take(id, request),
            Event::Cancel(id) => self.give_up(id, &FailReason::Cancelled),
            Event::Close => self.close(),
            Event::Set(settings) => self.options.settings = settings,
            Event::Head(head) => self.take_head(head),
            Event::Account(call, account) => self.take_account(call, account),
            Event::Tip(call, suggestion) => self.take_tip(call, suggestion),
            Event::Gas(call, gas) => self.take_gas(call, gas),
            Event::Signed(call, signed) => self.take_signed(call, signed),
            Event::Published(call, published) => self.take_published(call, published),
            Event::LookedUp(call, found) => self.take_looked_up(call, found),
            Event::BlockHash(call, hash) => self.take_block_hash(call, hash),
            Event::Pool(call, found) => self.take_pool(call, found),
        }
    }

    /// What is to be done next; none if there is nothing to do before the next event or timer.
    pub fn next_action(&mut self, now: Millis) -> Option<Action> {
        self.now = self.now.max(now);
        if self.actions.is_empty() {
            self.advance();
        }
        self.actions.pop_front()
    }

    /// When [`TxManager::next_action`] is to be asked again at the latest.
    pub fn next_timer(&self) -> Option<Millis> {
        let calls = self.calls.values().map(|asked| asked.deadline);
        let queue = self
            .queue
            .iter()
            .flat_map(|waiting| [waiting.send_deadline, Some(waiting.retry_at)])
            .flatten();
        let slots = self
            .slots
            .iter()
            .filter(|slot| !slot.is_mined())
            .flat_map(|slot| {
                [
                    slot.publish_at,
                    slot.bump_at,
                    Some(slot.retry_at),
                    slot.state.deadline().map(|time| time.saturating_add(1)),
                    slot.owner.as_ref().and_then(|owner| owner.send_deadline),
                ]
            })
            .flatten();
        // What is due already waits for an event, and not for time.
        calls
            .chain(queue)
            .chain(slots)
            .chain([self.round_at])
            .chain(self.tip_at)
            .chain((self.canonical == Canonical::Unknown).then_some(self.canonical_at))
            .filter(|time| *time > self.now)
            .min()
    }

    /// What it was started with, and what was changed since.
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// What can be changed while it runs.
    pub const fn settings(&self) -> &Settings {
        &self.options.settings
    }

    /// What L1 asks for now; none if that is not known yet, or is more than is allowed.
    pub fn market(&self) -> Option<Market> {
        self.read_market()?.ok()
    }

    /// Requests that have not ended.
    pub fn pending(&self) -> usize {
        let slots = self.slots.iter();
        let open = slots.filter(|slot| slot.owner.is_some() && !slot.has_ended);
        self.queue.len() + open.count()
    }

    /// The nonce that the next request gets; none if it is not known yet.
    pub const fn next_nonce(&self) -> Option<u64> {
        self.next_nonce
    }

    /// Whether it was closed and all requests have ended.
    pub fn is_done(&self) -> bool {
        self.is_closed && self.pending() == 0 && self.actions.is_empty()
    }

    fn take(&mut self, id: RequestId, request: TxRequest) {
        let malformed = if request.blob_hashes.len() > MOST_BLOBS {
            Some("more than 6 blobs")
        } else if request.to.is_none() && !request.blob_hashes.is_empty() {
            Some("a transaction with blobs cannot create a contract")
        } else {
            None
        };
        if let Some(reason) = malformed {
            return self.end(id, Outcome::Failed(FailReason::Malformed(reason)));
        }
        if self.is_closed {
            return self.end(id, Outcome::Failed(FailReason::Closed));
        }
        let timeout = self.options.send_timeout;
        self.queue.push_back(Waiting {
            id,
            request,
            send_deadline: (timeout > 0).then(|| self.now.saturating_add(timeout)),
            call: None,
            retry_at: 0,
            failures: 0,
            estimate: None,
        });
    }

    /// Does whatever can be done now.
    fn advance(&mut self) {
        self.expire_calls();
        self.check_deadlines();
        self.settle();
        self.forget();
        self.ask_around();
        if !self.is_closed {
            self.trim();
            self.assign();
            self.drive();
        }
    }

    // Questions

    fn ask(&mut self, question: Question) -> CallId {
        let call = CallId(self.next_call);
        self.next_call += 1;
        let deadline = self.now.saturating_add(self.options.answer_timeout);
        self.calls.insert(call, Asked { question, deadline });
        call
    }

    /// The question that an answer belongs to; none if it is not waited for.
    fn answered(&mut self, call: CallId) -> Option<Question> {
        self.calls.remove(&call).map(|asked| asked.question)
    }

    fn is_asked(&self, question: Question) -> bool {
        self.calls.values().any(|asked| asked.question == question)
    }

    /// Takes questions for unanswered whose time is over.
    fn expire_calls(&mut self) {
        let now = self.now;
        let overdue: Vec<CallId> = self
            .calls
            .iter()
            .filter(|(_, asked)| asked.deadline <= now)
            .map(|(call, _)| *call)
            .collect();
        for call in overdue {
            self.take_silence(call);
        }
    }

    /// Asks for what has to be known of L1.
    fn ask_around(&mut self) {
        let is_idle = self.next_nonce.is_some() && self.queue.is_empty() && self.slots.is_empty();
        if self.round_at <= self.now
            && !(is_idle && self.is_closed)
            && !self.is_asked(Question::Account)
        {
            let call = self.ask(Question::Account);
            self.actions.push_back(Action::FetchAccount(call));
        }
        if self.tip_at.is_some_and(|time| time <= self.now) && !self.is_asked(Question::Tip) {
            self.tip_at = None;
            let call = self.ask(Question::Tip);
            let settings = &self.options.settings;
            let blob_blocks = settings
                .blob_tip_cap_dynamic
                .then_some(self.options.blob_tip_cap_range);
            self.actions
                .push_back(Action::FetchTip { call, blob_blocks });
        }
        if let Some((from, until)) = self.pool_wanted.take() {
            let call = self.ask(Question::Pool);
            self.actions
                .push_back(Action::LookUpPool(call, from, until));
        }
        self.ask_canonical();
        for index in 0..self.slots.len() {
            self.look_up(index);
        }
    }

    /// Looks for the versions of a slot on the chain.
    fn look_up(&mut self, index: usize) {
        let Some(slot) = self.slots.get(index) else {
            return;
        };
        if !slot.wants_look_up || slot.look_up.is_some() || slot.is_mined() {
            return;
        }
        let hashes: Vec<B256> = slot.versions.iter().map(|one| one.hash).collect();
        let nonce = slot.nonce;
        let call = self.ask(Question::LookUp(nonce));
        if let Some(slot) = self.slots.get_mut(index) {
            slot.wants_look_up = false;
            slot.look_up = Some(call);
        }
        self.actions.push_back(Action::LookUp(call, hashes));
    }

    // Slots

    /// The place of the slot with this nonce.
    fn place(&self, nonce: u64) -> Option<usize> {
        let first = self.slots.front()?.nonce;
        let place = usize::try_from(nonce.checked_sub(first)?).ok()?;
        (place < self.slots.len()).then_some(place)
    }

    fn slot(&mut self, nonce: u64) -> Option<&mut Slot> {
        let place = self.place(nonce)?;
        self.slots.get_mut(place)
    }

    /// The first slot that is not mined: the only one that can be mined next.
    fn lowest(&self) -> Option<usize> {
        self.slots.iter().position(|slot| !slot.is_mined())
    }

    /// Whether a nonce that was given up is still open, so that nothing new may be sent.
    fn is_barred(&self) -> bool {
        let mut open = self.slots.iter().filter(|slot| !slot.is_mined());
        open.any(|slot| slot.bars || slot.given_up().is_some())
    }

    /// Drops the answer that a slot waits for.
    fn drop_step(&mut self, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        if let Step::Estimating(call) | Step::Signing(call) = slot.step {
            self.calls.remove(&call);
            slot.step = Step::Idle;
            slot.making = None;
        }
    }

    // News

    fn tell(&mut self, id: RequestId, outcome: Outcome) {
        self.actions.push_back(Action::Outcome { id, outcome });
    }

    /// Tells the end of a request of which nothing is remembered.
    fn end(&mut self, id: RequestId, outcome: Outcome) {
        self.tell(id, outcome);
        self.actions.push_back(Action::Forget(id));
    }

    /// Says something to the operator, but not the same kind of thing again and again.
    fn notice(&mut self, notice: Notice) {
        let kind = match &notice {
            Notice::FeesTooHigh(LimitExceeded::Multiple { .. }) => "multiple",
            Notice::FeesTooHigh(_) => "fees",
            Notice::BudgetUsedUp { .. } => "budget",
            Notice::NoBlobFee(_) => "blob fee",
            Notice::Refused { .. } => "refused",
            Notice::Leftovers { .. }
            | Notice::AccountShared { .. }
            | Notice::Bumped { .. }
            | Notice::Cancelling { .. } => {
                return self.actions.push_back(Action::Notice(notice));
            }
        };
        let told = self.told.get(kind).copied();
        if told.is_none_or(|time| time.saturating_add(NOTICE_INTERVAL) <= self.now) {
            self.told.insert(kind, self.now);
            self.actions.push_back(Action::Notice(notice));
        }
    }
}
