//! The sequencer: when a block is begun, from what, and when it is sealed.
//!
//! Only its own decisions are here; the block then takes the driver's way into the engine.

use crate::{
    origin::{OriginError, OriginInput, select_origin},
    window::Window,
};
use alloy_primitives::B256;
use doppio_derive::{Epoch, EpochUpdates, PipelineError, build_attributes};
use doppio_protocol::{
    L1BlockRef, L2BlockRef,
    attributes::PayloadAttributes,
    config::{ChainConfig, Fork},
    l1::L1Block,
    system_config::SystemConfig,
};
use thiserror::Error;

/// Milliseconds since the Unix epoch.
pub type Millis = u64;

/// Until it is tried again, in milliseconds.
pub(crate) const RETRY: Millis = 1_000;
/// Until an engine that syncs is asked again, in milliseconds.
pub(crate) const SYNCING_RETRY: Millis = 30_000;

/// How long derivation goes first between two blocks of a sequencer that is behind its time, at most,
/// in milliseconds. Otherwise an engine that is slow would never get to what makes blocks safe.
pub(crate) const TURN: Millis = 50;

/// What an operator chooses about sequencing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequencerOptions {
    /// How long before a block's time it is fetched, in milliseconds.
    pub sealing_duration: Millis,
    /// Blocks by which the unsafe head may be ahead of the safe one; 0 for any.
    /// (`--sequencer.max-safe-lag`.)
    pub max_safe_lag: u64,
    /// Whether blocks hold no transactions of users, and have the L1 origins that derivation would
    /// choose: with as little delay as L1's own. (`--sequencer.recover`; recovery after an expired
    /// sequencing window does not need it.)
    pub recover: bool,
    /// L1 blocks that it may take to bring a block's data to L1. A block whose sequencing window ends
    /// sooner is made as derivation will make it: without users' transactions, which would be lost.
    ///
    /// A quarter of the window if none. Such blocks are of the past and made at once, so that a large
    /// margin costs users next to nothing; and there is time to repair a batcher within it. What it
    /// leaves of the window must be more than the safe head is ever behind L1.
    pub posting_margin: Option<u64>,
}

impl Default for SequencerOptions {
    fn default() -> Self {
        Self {
            sealing_duration: 50,
            max_safe_lag: 0,
            recover: false,
            posting_margin: None,
        }
    }
}

/// What the sequencer lacks for the next block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SequencerNeed {
    /// The L1 origin of the head, and the L1 block after it as far as the sequencer may see.
    Origins(L2BlockRef),
    /// The system configuration as of the head, and an L1 block.
    Epoch {
        /// Hash of the head.
        head: B256,
        /// Hash of the L1 block.
        origin: B256,
    },
}

/// What it is given.
#[derive(Clone, Debug)]
pub enum SequencerAnswer {
    /// For [`SequencerNeed::Origins`].
    Origins {
        /// The L1 origin of the head; none if L1 has no such block.
        current: Option<L1BlockRef>,
        /// The L1 block after it; none if there is none yet.
        next: Option<L1BlockRef>,
    },
    /// For [`SequencerNeed::Epoch`].
    Epoch {
        /// System configuration as of the head.
        config: Box<SystemConfig>,
        /// The L1 block.
        block: Box<L1Block>,
    },
}

/// Why sequencing does not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StartError {
    /// It goes already.
    #[error("sequencer already running")]
    Running,
    /// The heads are not found yet, or a block is about to become the head.
    #[error("the node does not know its head yet")]
    NotReady,
    /// The head is another one.
    #[error("block hash does not match: head {head}, received {asked}")]
    OtherHead {
        /// The unsafe head.
        head: B256,
        /// Asked for.
        asked: B256,
    },
    /// No block would ever hold users' transactions.
    #[error(
        "a posting margin of {margin} L1 blocks is not less than the sequencing window, {window}"
    )]
    PostingMargin {
        /// Asked for.
        margin: u64,
        /// Of the chain.
        window: u64,
    },
}

/// How far the preparation of the next block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Preparation {
    Origins,
    Epoch(L1BlockRef),
}

/// What the sequencer sees of the chains.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sight<'a> {
    /// The unsafe head.
    pub(crate) head: &'a L2BlockRef,
    /// The safe head.
    pub(crate) safe: &'a L2BlockRef,
    /// Height of L1's head.
    pub(crate) l1_head: u64,
    /// Whether derivation has read L1 up to its head.
    pub(crate) caught_up: bool,
    /// The time.
    pub(crate) now: Millis,
}

/// A sequencer that goes.
#[derive(Debug)]
pub(crate) struct Sequencer {
    pub(crate) options: SequencerOptions,
    window: Window,
    /// The L1 blocks that posting may take.
    margin: u64,
    /// Whether it makes blocks without users' transactions until batches count again.
    recovering: bool,
    /// The head that the next block is for.
    head: Option<B256>,
    preparation: Preparation,
    /// Nothing is done on this head before.
    not_before: Millis,
    /// Nothing is done on any head before.
    cool_until: Millis,
}

/// What the sequencer decided.
pub(crate) enum Decision {
    /// It goes on.
    Nothing,
    /// It wants this block.
    Build(PayloadAttributes),
    /// L1 was reorganised.
    Reset(String),
}

impl Sequencer {
    pub(crate) fn new(options: SequencerOptions, window: Window) -> Result<Self, StartError> {
        let margin = options.posting_margin.unwrap_or(window.size() / 4);
        if margin >= window.size() {
            return Err(StartError::PostingMargin {
                margin,
                window: window.size(),
            });
        }
        Ok(Self {
            options,
            window,
            margin,
            recovering: false,
            head: None,
            preparation: Preparation::Origins,
            not_before: 0,
            cool_until: 0,
        })
    }

    /// Does nothing before a time, whatever the head: after a reset the engine has work to do, and
    /// resets that follow each other are no reason to hurry.
    // spec: opstack 4.3 #5
    pub(crate) const fn cool_down(&mut self, time: Millis) {
        self.cool_until = time;
    }

    /// Does nothing on this head before a time.
    // spec: opstack 4.3 #5
    pub(crate) fn wait_until(&mut self, time: Millis) {
        self.not_before = self.not_before.max(time);
        self.preparation = Preparation::Origins;
    }

    /// Whether what it prepares is for a head.
    fn is_for(&self, head: &L2BlockRef) -> bool {
        self.head == Some(head.hash)
    }

    pub(crate) const fn is_recovering(&self) -> bool {
        self.recovering
    }

    /// Whether no batch for a block with this L1 origin can come to L1 in time.
    const fn is_late(&self, origin: u64, l1_head: u64) -> bool {
        self.window.left(origin, l1_head) <= self.margin
    }

    /// Begins and ends recovery; says which, if anything.
    ///
    /// It begins where the next block's data would come too late: derivation will put a block without
    /// users' transactions there, and everything on top of another one would be lost. It ends once
    /// the *safe* head is back inside the window, for only then batches are known to come to L1 in
    /// time again: with a batcher that still fails, users' transactions would be lost with the next
    /// block that derivation forces. Until then blocks have the L1 origins that derivation would
    /// choose, so that they stay, whatever becomes of the batcher. At L1's head this means to wait for
    /// the L1 block after a block's origin.
    pub(crate) fn watch(&mut self, sight: &Sight<'_>) -> Option<bool> {
        let is_late = |head: &L2BlockRef| self.is_late(head.l1_origin.number, sight.l1_head);
        let change = if self.recovering {
            !is_late(sight.safe)
        } else {
            sight.caught_up && is_late(sight.head)
        };
        self.recovering ^= change;
        change.then_some(self.recovering)
    }

    /// What it needs on a head, or the time at which it will.
    // spec: opstack 4.3 #1 #6
    pub(crate) fn next(&mut self, sight: &Sight<'_>) -> Result<SequencerNeed, Option<Millis>> {
        let head = sight.head;
        if self.head != Some(head.hash) {
            // the block after it is begun a block time before its own time: at the head's
            self.head = Some(head.hash);
            self.preparation = Preparation::Origins;
            self.not_before = head.timestamp.saturating_mul(1_000);
        }
        let lag = self.options.max_safe_lag;
        if lag > 0 && sight.safe.number.saturating_add(lag) <= head.number {
            return Err(None);
        }
        // what is on L1 already comes before what derivation will make for want of it
        if self.is_late(head.l1_origin.number, sight.l1_head) && !sight.caught_up {
            return Err(None);
        }
        let from = self.not_before.max(self.cool_until);
        if sight.now < from {
            return Err(Some(from));
        }
        Ok(match self.preparation {
            Preparation::Origins => SequencerNeed::Origins(*head),
            Preparation::Epoch(origin) => SequencerNeed::Epoch {
                head: head.hash,
                origin: origin.hash,
            },
        })
    }

    /// Takes the L1 blocks that the next one may have as its origin.
    // spec: opstack 4.3 #2, opstack 4.4
    pub(crate) fn origins(
        &mut self,
        chain: &ChainConfig,
        sight: &Sight<'_>,
        current: Option<&L1BlockRef>,
        next: Option<&L1BlockRef>,
    ) -> Decision {
        let origin = sight.head.l1_origin;
        if current.is_some_and(|current| current.hash != origin.hash) {
            // asked for on another head
            return Decision::Nothing;
        }
        let select = |recover| {
            let head = sight.head;
            let input = OriginInput {
                head,
                current,
                next,
                recover,
            };
            select_origin(chain, input)
        };
        let mut origin = select(self.recovering || self.options.recover);
        if !self.recovering && matches!(origin, Err(OriginError::NextRequired { .. })) {
            // with `--sequencer.recover` blocks go on at L1's head, where there is no next one
            origin = select(false);
        }
        match origin {
            Ok(origin) => {
                self.preparation = Preparation::Epoch(origin);
                Decision::Nothing
            }
            Err(OriginError::NextRequired { .. }) => {
                self.wait_until(sight.now + RETRY);
                Decision::Nothing
            }
            Err(error @ OriginError::Orphaned { .. }) => Decision::Reset(error.to_string()),
        }
    }

    /// Makes the attributes of the next block.
    // spec: opstack 4.3 #2
    pub(crate) fn epoch(
        &mut self,
        chain: &ChainConfig,
        head: &L2BlockRef,
        config: &SystemConfig,
        block: &L1Block,
    ) -> Result<Decision, PipelineError> {
        let Preparation::Epoch(origin) = self.preparation else {
            return Ok(Decision::Nothing);
        };
        if block.header.hash != origin.hash || !self.is_for(head) {
            return Ok(Decision::Nothing);
        }
        self.preparation = Preparation::Origins;
        let updates = EpochUpdates::of_block(chain, block);
        let epoch = if origin.hash == head.l1_origin.hash {
            Epoch::Same(&block.header)
        } else {
            Epoch::Next(&block.header, &updates)
        };
        match build_attributes(chain, head, config, epoch) {
            Ok(built) => {
                let mut attributes = built.attributes;
                attributes.no_tx_pool = self.bars_users(chain, &origin, attributes.timestamp);
                Ok(Decision::Build(attributes))
            }
            Err(PipelineError::Reset(reason)) => Ok(Decision::Reset(reason.to_string())),
            Err(error) => Err(error),
        }
    }

    /// Whether a block has no place for users' transactions.
    // spec: opstack 4.3 #2
    fn bars_users(&self, chain: &ChainConfig, origin: &L1BlockRef, time: u64) -> bool {
        let drift = chain.max_sequencer_drift(origin.timestamp);
        let activates = [
            Fork::Ecotone,
            Fork::Fjord,
            Fork::Isthmus,
            Fork::Jovian,
            Fork::Karst,
        ];
        self.recovering
            || self.options.recover
            || time > origin.timestamp.saturating_add(drift)
            || activates
                .into_iter()
                .any(|fork| chain.is_activation_block(fork, time))
    }

    /// When a block of a time is fetched, if it is begun now.
    // spec: opstack 4.3 #3
    pub(crate) const fn seal_at(&self, timestamp: u64, now: Millis) -> Millis {
        let time = timestamp.saturating_mul(1_000);
        let at = time.saturating_sub(self.options.sealing_duration);
        if at > now { at } else { now }
    }
}
