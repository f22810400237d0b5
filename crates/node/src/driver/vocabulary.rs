//! The driver's vocabulary: what it asks for, what it tells, why it stops.

use crate::{
    engine::EngineCall,
    heads::Heads,
    sequencer::{Millis, SequencerNeed},
    window::WindowState,
};
use alloy_primitives::B256;
use doppio_derive::{
    Difference, FinalityOptions, Lookup, NotAsked as LookupNotAsked, PipelineError, Request,
    SupplyError, SyncStartError, SyncStartOptions,
};
use doppio_protocol::{
    L1BlockRef, L2BlockRef,
    block::BlockId,
    l2::{L2Block, L2BlockError},
};
use std::sync::Arc;
use thiserror::Error;

/// What an operator chooses.
#[derive(Clone, Copy, Debug, Default)]
pub struct DriverOptions {
    /// How heads are found after a start.
    pub sync_start: SyncStartOptions,
    /// How blocks become final.
    pub finality: FinalityOptions,
    /// L1 blocks by which derivation stays behind L1's head. (`--verifier.l1-confs`.)
    pub l1_confirmations: u64,
    /// L1 blocks before the end of a sequencing window at which [`Event::Window`] says that it closes.
    /// Half of the window if none: batchers let a channel be open for less than that, so a chain
    /// whose batches come never sees it, and half a window is left to find out why they do not.
    pub window_warning: Option<u64>,
}

/// What is needed next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// A block's place in its chain, or a system configuration: [`Driver::found`].
    Lookup(Lookup),
    /// What derivation lacks: [`Driver::supply`].
    Derivation(Request),
    /// The canonical L1 block of a height, for derivation: [`Driver::supply`] with
    /// [`Response::NextL1Block`].
    L1Block(u64),
    /// The engine's canonical block of a height, to compare it with what was derived:
    /// [`Driver::consolidate`].
    L2Block(u64),
    /// A call of the engine: [`Driver::engine`].
    Engine(EngineCall),
    /// What the sequencer lacks for its next block: [`Driver::sequence`].
    Sequence(SequencerNeed),
    /// Nothing, until there is news of L1 or a new block, or until a time.
    Wait {
        /// The time, if there is one to wait for.
        until: Option<Millis>,
    },
}

/// What happened, for logs, metrics and whoever follows the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The heads are found and told to the engine; derivation begins.
    Started(Box<Heads>),
    /// Everything begins again.
    Reset(String),
    /// The engine had the derived block.
    Consolidated(L2BlockRef),
    /// The engine had another block than the derived one, which takes its place; [`Event::Derived`]
    /// follows. On a chain with one sequencer this is an incident.
    Replaced {
        /// What the engine had.
        block: BlockId,
        /// Where it differs.
        differences: Vec<Difference>,
    },
    /// The derived block was built.
    Derived(L2BlockRef),
    /// The engine refused derived attributes.
    Refused {
        /// The parent of the block that they were for.
        parent: BlockId,
        /// The engine's reason.
        reason: String,
    },
    /// The safe head moved: it is derived from L1 up to this block.
    Safe {
        /// The safe head.
        head: L2BlockRef,
        /// The L1 block.
        derived_from: L1BlockRef,
    },
    /// A block from outside became the unsafe head.
    Unsafe(L2BlockRef),
    /// What had replaced a chain turned out to be invalid: the head is the one of before again.
    Restored(L2BlockRef),
    /// A block of our own became the unsafe head.
    Sequenced(Arc<L2Block>),
    /// The engine refused a block of our own, or what it was to be made from.
    SequencedInvalid {
        /// Hash of its parent.
        parent: B256,
        /// The engine's reason.
        reason: String,
    },
    /// The sequencer has stopped. Another one goes on from this head.
    Stopped(B256),
    /// A block from outside is invalid.
    InvalidUnsafe {
        /// The block.
        block: BlockId,
        /// Why.
        reason: String,
    },
    /// The finalized head moved.
    Finalized(L2BlockRef),
    /// The state of the sequencing window changed, as of all of L1.
    Window {
        /// What it is now.
        state: WindowState,
        /// The safe head. The batch for the block after it is what L1 waits for.
        safe: L2BlockRef,
        /// L1 blocks that are left of the window.
        left: u64,
    },
    /// The sequencer begins or ends to make blocks without users' transactions: no batch with them
    /// could come to L1 before the sequencing window expires. It ends by itself, once batches come to
    /// L1 in time again.
    Recovery {
        /// Whether it begins.
        active: bool,
        /// The unsafe head.
        head: L2BlockRef,
    },
}

/// Why the driver stops for good.
#[derive(Debug, Error)]
pub enum DriverError {
    /// There are no heads to start from.
    #[error("no heads to start from: {0}")]
    SyncStart(#[from] SyncStartError),
    /// Derivation.
    #[error(transparent)]
    Pipeline(PipelineError),
    /// The engine built another block than it was asked for.
    #[error("the engine built {block}, which is not what it was asked for: {difference}")]
    EngineDeviates {
        /// The block.
        block: BlockId,
        /// The first field in which it differs.
        difference: Difference,
    },
    /// A block of the engine that no L2 block can be.
    #[error("a block of the engine: {0}")]
    Block(#[from] L2BlockError),
    /// A bug of this program.
    #[error("a bug in the driver: {0}")]
    Bug(&'static str),
}

/// What was supplied was not asked for; nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NotAsked {
    /// An answer to a lookup.
    #[error(transparent)]
    Lookup(#[from] LookupNotAsked),
    /// An answer for derivation.
    #[error(transparent)]
    Supply(#[from] SupplyError),
    /// Anything else.
    #[error("{0} was not asked for")]
    Other(&'static str),
}
