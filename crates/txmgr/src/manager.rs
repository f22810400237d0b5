//! The machine.

use crate::{Action, Event, Market, Millis, Options, OptionsError, Settings};

/// The transaction manager of one account on one L1.
#[derive(Debug)]
pub struct TxManager {
    options: Options,
}

impl TxManager {
    /// A manager that has just been started: it first asks which nonces are used.
    ///
    /// # Errors
    ///
    /// If the options cannot work.
    pub fn new(options: Options) -> Result<Self, OptionsError> {
        options.check()?;
        Ok(Self { options })
    }

    /// Takes in what happened at `now`. Times never go back; an answer that is not waited for, or no
    /// longer, does nothing.
    pub fn handle(&mut self, now: Millis, event: Event) {
        let _ = (now, event);
    }

    /// What is to be done next; none if there is nothing to do before the next event or timer.
    pub fn next_action(&mut self, now: Millis) -> Option<Action> {
        let _ = now;
        None
    }

    /// When [`TxManager::next_action`] is to be asked again at the latest.
    pub fn next_timer(&self) -> Option<Millis> {
        None
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
        None
    }

    /// Requests that have not ended.
    pub fn pending(&self) -> usize {
        0
    }

    /// The nonce that the next request gets; none if it is not known yet.
    pub fn next_nonce(&self) -> Option<u64> {
        None
    }

    /// Whether it was closed and all requests have ended.
    pub fn is_done(&self) -> bool {
        false
    }
}
