//! What pools said of a transaction so far, and whether it is of any use to go on.
//!
//! The rules are op-service's `SendState`, so that an operator's `safe-abort-nonce-too-low-count` and
//! `txmgr.not-in-mempool-timeout` mean the same here.

use crate::{Millis, PublishFailure};

/// Why it is of no use to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Critical {
    /// The nonce is used up.
    NonceTooLow,
    /// No pool took it in time.
    NotInMempool,
    /// The pool has transactions of the account of the other kind.
    AlreadyReserved,
}

/// What is known of one transaction in all its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendState {
    safe_abort_nonce_too_low_count: u64,
    /// When it must be in a pool.
    deadline: Millis,
    accepted: u64,
    nonce_too_low: u64,
    already_reserved: bool,
    is_mined: bool,
}

impl SendState {
    /// Of a transaction that must be in a pool until `deadline`.
    pub const fn new(safe_abort_nonce_too_low_count: u64, deadline: Millis) -> Self {
        Self {
            safe_abort_nonce_too_low_count,
            deadline,
            accepted: 0,
            nonce_too_low: 0,
            already_reserved: false,
            is_mined: false,
        }
    }

    /// A pool has it.
    pub const fn accepted(&mut self) {
        self.accepted = self.accepted.saturating_add(1);
        self.already_reserved = false;
    }

    /// A pool refuses it.
    pub const fn refused(&mut self, failure: PublishFailure) {
        match failure {
            PublishFailure::AlreadyKnown => self.accepted(),
            PublishFailure::NonceTooLow => {
                self.nonce_too_low = self.nonce_too_low.saturating_add(1);
            }
            PublishFailure::AlreadyReserved => self.already_reserved = true,
            _ => {}
        }
    }

    /// One of its versions is in a block.
    pub const fn mined(&mut self) {
        self.is_mined = true;
    }

    /// None of its versions is in a block, or no longer.
    pub const fn not_mined(&mut self) {
        if self.is_mined {
            // What was heard while it was mined says nothing about the time after.
            self.nonce_too_low = 0;
        }
        self.is_mined = false;
    }

    /// The nonce is not used after all.
    pub const fn nonce_is_free(&mut self) {
        self.nonce_too_low = 0;
    }

    /// It waits for the transactions before it, so that its time in no pool does not count, nor does
    /// what it was refused for.
    pub const fn waits(&mut self, deadline: Millis) {
        self.deadline = deadline;
        self.already_reserved = false;
    }

    /// Whether it waits for confirmations.
    pub const fn is_mined(&self) -> bool {
        self.is_mined
    }

    /// Whether a pool ever had it.
    pub const fn was_accepted(&self) -> bool {
        self.accepted > 0
    }

    /// When it must be in a pool; none if it was.
    pub const fn deadline(&self) -> Option<Millis> {
        if self.was_accepted() || self.is_mined {
            None
        } else {
            Some(self.deadline)
        }
    }

    /// Whether, and why, it is of no use to go on.
    // spec: opstack 7.8
    pub const fn critical(&self, now: Millis) -> Option<Critical> {
        if self.is_mined {
            None
        } else if self.nonce_too_low >= self.safe_abort_nonce_too_low_count
            || (self.accepted == 0 && self.nonce_too_low > 0)
        {
            Some(Critical::NonceTooLow)
        } else if self.accepted == 0 && now > self.deadline {
            Some(Critical::NotInMempool)
        } else if self.already_reserved {
            Some(Critical::AlreadyReserved)
        } else {
            None
        }
    }

    /// Whether a pool said that it has transactions of the other kind, and none took this one since.
    pub(crate) const fn is_reserved(&self) -> bool {
        self.already_reserved && !self.is_mined
    }
}
