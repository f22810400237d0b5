//! Answers of endpoints and signers, other than about the chain.

use super::{Question, TxManager};
use crate::{
    Action, CallId, FailReason, Millis, Notice, PublishFailure, Published, RequestId, SignFailure,
    Signed, Suggestion, classify,
    slot::{Does, Step, Version},
};

/// Attempts to have the first version of a transaction estimated and signed, before it is given up.
const CRAFT_ATTEMPTS: u64 = 30;
/// Milliseconds between two of them.
const CRAFT_INTERVAL: Millis = 2_000;

/// Which refusal counts if endpoints refuse for different reasons: the first of these.
const PRECEDENCE: [PublishFailure; 8] = [
    PublishFailure::AlreadyKnown,
    PublishFailure::NonceTooLow,
    PublishFailure::Underpriced,
    PublishFailure::AlreadyReserved,
    PublishFailure::NonceTooHigh,
    PublishFailure::InsufficientFunds,
    PublishFailure::Other,
    PublishFailure::Invalid,
];

impl TxManager {
    /// A question was not answered in time.
    pub(super) fn take_silence(&mut self, call: CallId) {
        let Some(question) = self.calls.get(&call).map(|asked| asked.question) else {
            return;
        };
        match question {
            Question::Account => self.take_account(call, None),
            Question::Tip => self.take_tip(call, None),
            Question::Pool => self.take_pool(call, Vec::new()),
            Question::BlockHash(_) => self.take_block_hash(call, None),
            Question::LookUp(_) => self.take_looked_up(call, Err("no answer".to_owned())),
            Question::WaitingGas(_) => self.take_gas(call, Err("no answer".to_owned())),
            Question::Slot(nonce) => match self.slot(nonce).map(|slot| slot.step) {
                Some(Step::Estimating(_)) => self.take_gas(call, Err("no answer".to_owned())),
                Some(Step::Signing(_)) => {
                    let failure = SignFailure::Unavailable("no answer".to_owned());
                    self.take_signed(call, Err(failure));
                }
                Some(Step::Publishing(..)) => {
                    let words = vec!["no answer".to_owned()];
                    self.take_published(call, Published::Unknown(words));
                }
                Some(Step::Idle) | None => {
                    self.calls.remove(&call);
                }
            },
        }
    }

    pub(super) fn take_tip(&mut self, call: CallId, suggestion: Option<Suggestion>) {
        if self.answered(call) != Some(Question::Tip) {
            return;
        }
        match suggestion {
            Some(suggestion) => self.suggestion = Some(suggestion),
            None => {
                let retry = self.now.saturating_add(self.options.retry_interval);
                self.tip_at = Some(self.tip_at.map_or(retry, |time| time.min(retry)));
            }
        }
    }

    pub(super) fn take_gas(&mut self, call: CallId, gas: Result<u64, String>) {
        match self.answered(call) {
            Some(Question::WaitingGas(id)) => self.take_waiting_gas(id, gas),
            Some(Question::Slot(nonce)) => {
                let now = self.now;
                let Some(slot) = self.slot(nonce) else {
                    return;
                };
                if slot.step != Step::Estimating(call) {
                    return;
                }
                slot.step = Step::Idle;
                match gas {
                    Ok(gas) => {
                        // What was thought to be needed once may be needed again.
                        let old = slot.content.gas_limit.unwrap_or_default();
                        slot.content.gas_limit = Some(old.max(gas));
                        slot.gas_is_fresh = true;
                    }
                    // It may just have been mined, so that it would revert now.
                    Err(_) => slot.keep_old_version(now),
                }
            }
            _ => {}
        }
    }

    fn take_waiting_gas(&mut self, id: RequestId, gas: Result<u64, String>) {
        let now = self.now;
        let Some(waiting) = self.queue.iter_mut().find(|waiting| waiting.id == id) else {
            return;
        };
        waiting.call = None;
        match gas {
            Ok(gas) => waiting.estimate = Some(gas),
            Err(words) => {
                waiting.failures += 1;
                waiting.retry_at = now.saturating_add(CRAFT_INTERVAL);
                if waiting.failures >= CRAFT_ATTEMPTS {
                    self.give_up(id, &FailReason::GasEstimation(words));
                }
            }
        }
    }

    pub(super) fn take_signed(&mut self, call: CallId, signed: Result<Signed, SignFailure>) {
        let Some(Question::Slot(nonce)) = self.answered(call) else {
            return;
        };
        let (now, mempool) = (self.now, self.mempool_deadline());
        let Some(slot) = self.slot(nonce) else {
            return;
        };
        if slot.step != Step::Signing(call) {
            return;
        }
        slot.step = Step::Idle;
        let Some(tx) = slot.making.take() else {
            return;
        };
        let (words, is_final) = match signed {
            Ok(signed) => {
                let does = slot.content.does;
                let is_bump = !slot.versions.is_empty();
                slot.versions.push(Version {
                    hash: signed.hash,
                    does,
                    kind: tx.kind(),
                    gas_limit: tx.gas_limit,
                    fees: tx.fees,
                    blob_hashes: slot.content.blob_hashes.clone(),
                    signed: Some(signed),
                    is_out: false,
                });
                slot.wants_version = false;
                slot.gas_is_fresh = false;
                slot.failures = 0;
                slot.publish_at = Some(now);
                if !is_bump && slot.is_wanted() {
                    slot.state.waits(mempool);
                }
                if does == Does::Nothing {
                    self.actions
                        .push_back(Action::Notice(Notice::Cancelling { nonce }));
                } else if is_bump {
                    let fees = tx.fees;
                    self.actions
                        .push_back(Action::Notice(Notice::Bumped { nonce, fees }));
                }
                return;
            }
            Err(SignFailure::Unavailable(words)) => (words, false),
            Err(SignFailure::Refused(words)) => (words, true),
        };
        slot.failures += 1;
        slot.last_words.clone_from(&words);
        if slot.current().is_some() {
            return slot.keep_old_version(now);
        }
        slot.retry_at = now.saturating_add(CRAFT_INTERVAL);
        let is_over = is_final || slot.failures >= CRAFT_ATTEMPTS;
        if let Some(id) = slot.id()
            && slot.is_wanted()
            && is_over
        {
            self.give_up(id, &FailReason::Sign(words));
        }
    }

    pub(super) fn take_published(&mut self, call: CallId, published: Published) {
        let Some(Question::Slot(nonce)) = self.answered(call) else {
            return;
        };
        let (now, rebroadcast) = (self.now, self.rebroadcast());
        let retry = now.saturating_add(self.options.retry_interval);
        let Some(slot) = self.slot(nonce) else {
            return;
        };
        let Step::Publishing(asked, index) = slot.step else {
            return;
        };
        if asked != call {
            return;
        }
        slot.step = Step::Idle;
        if slot
            .versions
            .get(index)
            .is_some_and(|one| one.does == Does::Nothing)
        {
            slot.cancel_was_tried = true;
        }
        let is_unknown = matches!(published, Published::Unknown(_));
        let words = match published {
            Published::Accepted => {
                slot.accept(index);
                slot.hand_in_at(now.saturating_add(rebroadcast));
                return;
            }
            Published::Unknown(words) => {
                slot.is_out_now(index);
                words
            }
            Published::Refused(words) => words,
        };
        let said = words.join("; ");
        slot.last_words.clone_from(&said);
        let failures: Vec<PublishFailure> = words
            .iter()
            .map(|words| classify(words, &self.options.already_published))
            .collect();
        let failure = PRECEDENCE
            .into_iter()
            .find(|failure| failures.contains(failure))
            .unwrap_or(PublishFailure::Other);
        // What some refuse for good, one that gave no answer may have taken.
        let failure = match failure {
            PublishFailure::Invalid if is_unknown => PublishFailure::Other,
            failure => failure,
        };
        self.take_refusal(nonce, index, failure, said, retry);
    }

    fn take_refusal(
        &mut self,
        nonce: u64,
        index: usize,
        failure: PublishFailure,
        words: String,
        retry: Millis,
    ) {
        let (now, later) = (self.now, self.now.saturating_add(self.rebroadcast()));
        let max_retries = self.options.max_retries;
        let Some(slot) = self.slot(nonce) else {
            return;
        };
        if slot.is_mined() {
            return;
        }
        slot.state.refused(failure);
        if failure != PublishFailure::NonceTooHigh {
            slot.nonce_too_high = 0;
        }
        let mut give_up = None;
        match failure {
            PublishFailure::AlreadyKnown => {
                slot.accept(index);
                slot.hand_in_at(later);
                return;
            }
            PublishFailure::NonceTooLow => {
                slot.hand_in_at(retry);
                self.round_at = now;
            }
            PublishFailure::Underpriced => {
                slot.hand_in_at(later);
                // At once, but if that does not help either, not before the next timer.
                slot.wants_version = true;
                if slot.was_underpriced {
                    slot.retry_at = later;
                }
                slot.was_underpriced = !slot.was_underpriced;
            }
            PublishFailure::AlreadyReserved => slot.hand_in_at(later),
            PublishFailure::NonceTooHigh => {
                slot.nonce_too_high += 1;
                slot.hand_in_at(retry);
                if slot.nonce_too_high > max_retries && !slot.state.was_accepted() {
                    give_up = slot.id();
                }
                self.hand_in_below(nonce);
                self.round_at = now;
            }
            PublishFailure::Invalid => {
                slot.hand_in_at(later);
                if !slot.state.was_accepted() {
                    give_up = slot.id();
                }
            }
            PublishFailure::InsufficientFunds | PublishFailure::Other => slot.hand_in_at(later),
        }
        if failure != PublishFailure::NonceTooLow {
            self.notice(Notice::Refused {
                nonce,
                failure,
                words: words.clone(),
            });
        }
        if let Some(id) = give_up {
            self.give_up(id, &FailReason::Refused(words));
        }
    }

    /// Hands in again what has to be in a pool before this nonce.
    fn hand_in_below(&mut self, nonce: u64) {
        let now = self.now;
        for slot in &mut self.slots {
            if slot.nonce < nonce && !slot.is_mined() && slot.step == Step::Idle {
                slot.publish_at = Some(now);
            }
        }
    }

    /// Milliseconds before the same is handed in again.
    pub(super) const fn rebroadcast(&self) -> Millis {
        match self.options.settings.rebroadcast_interval {
            0 => self.options.settings.resubmission_timeout,
            interval => interval,
        }
    }
}
