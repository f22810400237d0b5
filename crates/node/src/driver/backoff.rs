//! Pauses between resets that lead nowhere.

use crate::sequencer::Millis;

/// Longest pause, in milliseconds.
// spec: opstack 4.5
const MOST: Millis = 10_000;

/// Pauses between resets. The first one after progress is at once; then a pause is twice as long as
/// the one before it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backoff {
    /// Since the last progress.
    resets: u32,
    /// Height of the safe head at the first of them.
    safe: u64,
    not_before: Millis,
}

impl Backoff {
    /// A reset, with the safe head at a height.
    // spec: opstack 4.5
    pub(super) fn reset(&mut self, safe: u64, now: Millis) {
        if self.resets == 0 {
            self.safe = safe;
        }
        let pause = match self.resets {
            0 => 0,
            resets => 1_000_u64
                .checked_shl(resets)
                .filter(|pause| *pause <= MOST)
                .unwrap_or(MOST),
        };
        self.resets = self.resets.saturating_add(1);
        self.not_before = now.saturating_add(pause);
    }

    /// Until when nothing is done, if that is later.
    pub(super) const fn wait(&self, now: Millis) -> Option<Millis> {
        if now < self.not_before {
            Some(self.not_before)
        } else {
            None
        }
    }

    /// Derivation has nothing to do.
    pub(super) const fn idle(&mut self) {
        self.resets = 0;
    }

    /// A block is safe.
    pub(super) const fn safe(&mut self, number: u64) {
        if number > self.safe {
            self.resets = 0;
        }
    }

    /// Whether there was a reset, and no progress since.
    pub(super) const fn is_after_reset(&self) -> bool {
        self.resets > 0
    }
}
