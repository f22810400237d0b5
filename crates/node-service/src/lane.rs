//! Lanes: questions of one kind, of which one at a time is on its way.

use crate::requests::Setback;
use core::time::Duration;
use doppio_derive::{Found, Response};
use doppio_l1::Follower;
use doppio_node::{EngineAnswer, Next, SequencerAnswer};
use doppio_protocol::l2::L2Block;
use std::{sync::Arc, time::Instant};
use tokio::task::AbortHandle;

/// Longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Kinds of questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Lookup,
    Derivation,
    L1Block,
    L2Block,
    Engine,
    Sequence,
}

pub(crate) const KINDS: [Kind; 6] = [
    Kind::Lookup,
    Kind::Derivation,
    Kind::L1Block,
    Kind::L2Block,
    Kind::Engine,
    Kind::Sequence,
];

impl Kind {
    /// None if nothing is asked.
    pub(crate) const fn of(next: &Next) -> Option<Self> {
        Some(match next {
            Next::Lookup(_) => Self::Lookup,
            Next::Derivation(_) => Self::Derivation,
            Next::L1Block(_) => Self::L1Block,
            Next::L2Block(_) => Self::L2Block,
            Next::Engine(_) => Self::Engine,
            Next::Sequence(_) => Self::Sequence,
            Next::Wait { .. } => return None,
        })
    }

    /// What is asked is done to its end, whether or not anybody wants it still: the engine does what
    /// it was told in any case, and the follower must come back.
    pub(crate) const fn runs_to_its_end(self) -> bool {
        matches!(self, Self::Engine | Self::L1Block)
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) enum Answer {
    Found(Found),
    Response(Box<Response>),
    L2Block(Option<Arc<L2Block>>),
    Engine(EngineAnswer),
    Sequence(Box<SequencerAnswer>),
}

/// A question that was done.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) kind: Kind,
    pub(crate) result: Result<Answer, Setback>,
    pub(crate) follower: Option<Follower>,
}

/// Questions of one kind.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    /// On its way, and how to give it up.
    pub(crate) asked: Option<(Next, AbortHandle)>,
    /// Its answer is of no use any more.
    pub(crate) is_obsolete: bool,
    /// Here, until it is asked for.
    pub(crate) ready: Option<(Next, Answer)>,
    /// Failures in a row.
    pub(crate) failures: u32,
    /// Not to be asked before then.
    pub(crate) not_before: Option<Instant>,
}

impl Lane {
    /// Forgets everything, but for what must run to its end.
    pub(crate) fn clear(&mut self, kind: Kind) {
        self.ready = None;
        self.not_before = None;
        if kind.runs_to_its_end() {
            self.is_obsolete = self.asked.is_some();
        } else if let Some((_, task)) = self.asked.take() {
            task.abort();
        }
    }

    /// A pause that grows with each failure.
    // spec: opstack 4.5
    pub(crate) fn pause(&mut self) {
        let pause = Duration::from_millis(250)
            .saturating_mul(1 << self.failures.min(8))
            .min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        self.not_before = Instant::now().checked_add(pause);
    }
}
