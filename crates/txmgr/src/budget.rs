//! What may be spent in an hour.

use crate::Millis;

/// The time that a budget is for.
const HOUR: Millis = 3_600_000;

/// What was spent of late.
#[derive(Clone, Debug, Default)]
pub(crate) struct Budget {
    /// When, for which nonce and how much.
    spent: Vec<(Millis, u64, u128)>,
}

impl Budget {
    /// A transaction was mined at this time, and is confirmed.
    pub(crate) fn spend(&mut self, time: Millis, nonce: u64, cost: u128) {
        // What a block took and another takes again after a reorganisation is paid once.
        self.take_back(nonce);
        self.spent.push((time, nonce, cost));
    }

    /// A transaction is no longer confirmed: what it offers counts again instead.
    pub(crate) fn take_back(&mut self, nonce: u64) {
        self.spent.retain(|(_, spent, _)| *spent != nonce);
    }

    /// What was spent in the last hour.
    pub(crate) fn spent(&mut self, now: Millis) -> u128 {
        self.spent
            .retain(|(time, ..)| time.saturating_add(HOUR) > now);
        self.spent
            .iter()
            .fold(0, |sum, (.., cost)| sum.saturating_add(*cost))
    }
}
