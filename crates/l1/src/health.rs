//! How well an endpoint does, and when to ask it again. Pure: time comes in as a value.

use crate::failure::Failure;
use std::time::{Duration, Instant};

/// The best score.
const FULL: u32 = 100;
/// What a failure costs, what an error in answer to a call costs, and what a success gives back.
const COST: u32 = 20;
const COST_OF_REFUSAL: u32 = 5;
const GAIN: u32 = 2;
/// First wait after a failure; doubled for each further one in a row.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Longest wait after failures.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Wait after a rate limit that does not say for how long.
const RATE_WAIT: Duration = Duration::from_secs(1);
/// Longest wait that an endpoint may ask for.
const LONGEST_RATE_WAIT: Duration = Duration::from_secs(300);
/// Shortest wait after a rate limit, whatever it says.
const SHORTEST_RATE_WAIT: Duration = Duration::from_millis(50);
/// How long all others are asked before an endpoint that gave a false answer.
const DISTRUST: Duration = Duration::from_secs(600);

/// An endpoint's record.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    pub(crate) score: u32,
    /// Failures in a row.
    failures: u32,
    /// Not to be asked before then.
    pub(crate) wait_until: Option<Instant>,
    /// To be asked after all others until then. What it says is checked, so it may be asked.
    distrusted_until: Option<Instant>,
    /// Answers that were false.
    pub(crate) falsehoods: u64,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            score: FULL,
            failures: 0,
            wait_until: None,
            distrusted_until: None,
            falsehoods: 0,
        }
    }
}

impl Health {
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
        self.score = (self.score + GAIN).min(FULL);
    }

    pub(crate) fn failed(&mut self, failure: &Failure, now: Instant) {
        let wait = match failure {
            // It did nothing wrong: what was asked for is not there, or must be asked otherwise.
            Failure::NotFound(_)
            | Failure::Unsupported(_)
            | Failure::BatchRefused(_)
            | Failure::AnswerRefused(_)
            | Failure::Waiting(_)
            | Failure::Ending => return,
            // It is there and answers. Perhaps it can do everything else.
            Failure::Refused { .. } => {
                self.score = self.score.saturating_sub(COST_OF_REFUSAL);
                return;
            }
            Failure::RateLimited { retry_after } => retry_after
                .unwrap_or(RATE_WAIT)
                .clamp(SHORTEST_RATE_WAIT, LONGEST_RATE_WAIT),
            Failure::False(_) => {
                self.falsehoods += 1;
                self.score = 0;
                self.distrusted_until = now.checked_add(DISTRUST);
                self.longer_wait()
            }
            Failure::Connection(_)
            | Failure::Status(_)
            | Failure::TooLarge(_)
            | Failure::Malformed(_) => {
                self.score = self.score.saturating_sub(COST);
                self.longer_wait()
            }
        };
        let until = now.checked_add(wait);
        self.wait_until = self.wait_until.max(until);
    }

    fn longer_wait(&mut self) -> Duration {
        let wait = FIRST_WAIT.saturating_mul(1 << self.failures.min(16));
        self.failures += 1;
        wait.min(LONGEST_WAIT)
    }

    /// Whether it gave a false answer of late.
    pub(crate) fn is_distrusted(&self, now: Instant) -> bool {
        self.distrusted_until.is_some_and(|until| until > now)
    }

    /// How long it is still to be left alone; none if it may be asked now.
    pub(crate) fn wait(&self, now: Instant) -> Option<Duration> {
        let wait = self.wait_until?.checked_duration_since(now)?;
        (!wait.is_zero()).then_some(wait)
    }

    /// Whether it may be asked now.
    pub(crate) fn is_ready(&self, now: Instant) -> bool {
        self.wait(now).is_none()
    }

    /// In which order to ask: who is trusted and may be asked first, then by score. Small differences of
    /// score do not count, so that the operator's order holds among those that work.
    pub(crate) fn rank(&self, now: Instant) -> (bool, bool, u32) {
        (
            self.is_distrusted(now),
            !self.is_ready(now),
            (FULL - self.score) / COST,
        )
    }
}
