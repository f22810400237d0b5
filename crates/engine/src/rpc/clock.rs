//! A limit to the time that a call takes.

use core::time::Duration;
use revm::{
    Inspector,
    interpreter::{InstructionResult, Interpreter},
};
use std::time::Instant;

/// Instructions between two looks at the clock.
const STEPS_PER_LOOK: u32 = 1 << 12;

/// Stops the EVM when its time is over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    limit: Duration,
    /// None without a limit.
    deadline: Option<Instant>,
    steps: u32,
    late: bool,
}

impl Clock {
    /// A clock that starts now.
    pub(super) fn start(limit: Option<Duration>) -> Self {
        Self {
            limit: limit.unwrap_or_default(),
            deadline: limit.and_then(|limit| Instant::now().checked_add(limit)),
            steps: 0,
            late: false,
        }
    }

    /// Whether there is no limit.
    pub(super) const fn is_stopped(&self) -> bool {
        self.deadline.is_none()
    }

    /// The time that is left, or geth's words if there is none.
    pub(super) fn left(&self) -> Result<Duration, String> {
        let Some(end) = self.deadline else {
            return Ok(Duration::MAX);
        };
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            Err(self.words())
        } else {
            Ok(left)
        }
    }

    fn words(&self) -> String {
        let seconds = self.limit.as_secs_f64();
        format!("execution aborted (timeout = {seconds}s)")
    }

    /// Says, in geth's words, that the EVM was stopped, if it was.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.late { Err(self.words()) } else { Ok(()) }
    }
}

impl<C> Inspector<C> for Clock {
    fn step(&mut self, interpreter: &mut Interpreter, _: &mut C) {
        self.steps = self.steps.wrapping_add(1);
        if self.late || self.steps.is_multiple_of(STEPS_PER_LOOK) {
            self.late = self.late || self.deadline.is_some_and(|end| Instant::now() >= end);
            if self.late {
                interpreter.halt(InstructionResult::OutOfGas);
            }
        }
    }
}
