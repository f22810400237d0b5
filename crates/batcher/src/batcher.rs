//! The batcher.

use crate::{
    action::Action,
    event::{Event, Millis},
    options::{BatcherOptions, OptionsError, ThrottleController},
    status::Status,
};
use doppio_protocol::config::ChainConfig;
use std::{collections::VecDeque, sync::Arc};

/// The batcher: which L2 blocks go to L1, in which transactions, in which order.
///
/// It is a pure state machine. [`Batcher::handle`] tells it what happened; then
/// [`Batcher::next_action`] is called until it gives none, and each action is done. It needs to be
/// told of nothing but what [`Event`] names; a status of the node ([`Event::Sync`]) every few
/// seconds drives it.
#[derive(Debug)]
pub struct Batcher {
    chain: Arc<ChainConfig>,
    options: BatcherOptions,
    actions: VecDeque<Action>,
}

impl Batcher {
    /// A batcher that knows nothing of the chain but its rules. `now` decides which forks are
    /// active.
    ///
    /// # Errors
    ///
    /// If the options cannot work on the chain, with what to change.
    pub fn new(
        chain: Arc<ChainConfig>,
        options: BatcherOptions,
        now: Millis,
    ) -> Result<Self, OptionsError> {
        options.check(&chain, now / 1000)?;
        Ok(Self {
            chain,
            options,
            actions: VecDeque::new(),
        })
    }

    /// Takes in what happened.
    pub fn handle(&mut self, _now: Millis, _event: Event) {}

    /// What is to be done next; none until something happens again.
    pub fn next_action(&mut self, _now: Millis) -> Option<Action> {
        self.actions.pop_front()
    }

    /// What it holds. Costs nothing to speak of.
    pub fn status(&self) -> Status {
        Status::default()
    }

    /// What the operator decided.
    pub const fn options(&self) -> &BatcherOptions {
        &self.options
    }

    /// The rule by which block builders are throttled now.
    pub const fn throttle_controller(&self) -> ThrottleController {
        self.options.throttle.controller
    }

    /// The chain.
    pub const fn chain(&self) -> &Arc<ChainConfig> {
        &self.chain
    }
}
