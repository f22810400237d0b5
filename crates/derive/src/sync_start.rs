//! Which L2 blocks to trust after a restart, or after L1 was reorganised.
//!
//! The engine remembers three heads, but L1 may have changed since. The walk goes back from the
//! unsafe head until the L1 origins are canonical, and the safe head's data cannot have been
//! reorganised.

use crate::lookup::{Answers, Found, Halt, L2Label, Lookup, NotAsked, Search};
use doppio_protocol::{L1BlockRef, L2BlockRef, block::BlockId, config::ChainConfig};
use std::sync::Arc;
use thiserror::Error;

/// Sequencing windows of L1 blocks by which the unsafe head may be set back.
// spec: opstack 3.14
const MAX_REORG_SEQ_WINDOWS: u64 = 5;
/// Sequencing windows of L1 blocks after which a chain without a safe head is one whose labels
/// were lost.
// spec: opstack 3.14
const RECOVER_MIN_SEQ_WINDOWS: u64 = 14;

/// The heads of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// The newest block whose L1 origin is plausible.
    pub unsafe_head: L2BlockRef,
    /// The newest block whose data is on L1, canonical, and complete.
    pub safe: L2BlockRef,
    /// The newest block whose data is on finalized L1.
    pub finalized: L2BlockRef,
}

/// What an operator chooses about the walk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncStartOptions {
    /// From the first block whose L1 origin is canonical, go to the safe head at once.
    /// (`--l2.skip-sync-start-check`.)
    pub skip_check: bool,
    /// Seconds of L2 time by which safe and finalized head are set behind the unsafe head, where
    /// the labels were lost. (`--syncmode.offset-el-safe`.)
    pub offset_el_safe: u64,
}

/// Why there are no heads to start from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SyncStartError {
    /// The engine's chain has another genesis.
    #[error("wrong L2 chain: genesis is {expected}, the engine has {found}")]
    WrongL2 {
        /// Of the configuration.
        expected: BlockId,
        /// Of the engine.
        found: BlockId,
    },
    /// L1 has another block where the rollup starts.
    #[error("wrong L1 chain: the rollup starts at {expected}, L1 has {found}")]
    WrongL1 {
        /// Of the configuration.
        expected: BlockId,
        /// Of L1.
        found: BlockId,
    },
    /// The unsafe chain does not have the finalized block.
    #[error("finalized L2 block {finalized} would be reorganised to {found}")]
    ReorgFinalized {
        /// The finalized block.
        finalized: BlockId,
        /// The block at its height.
        found: BlockId,
    },
    /// L1 does not have the finalized block's origin.
    #[error("L1 origin {origin} of the finalized L2 block {finalized} is not canonical")]
    FinalizedOrigin {
        /// The finalized block.
        finalized: BlockId,
        /// Its origin.
        origin: BlockId,
    },
    /// The heads would be set back too far.
    #[error("L1 reorganisation is too deep: from L2 block {from} back to {to}")]
    TooDeep {
        /// The unsafe head.
        from: BlockId,
        /// What it would become.
        to: BlockId,
    },
    /// A block's L1 origin does not follow its parent's.
    #[error("L2 block {block} has L1 origin {origin}, its parent's is {parent_origin}")]
    Origin {
        /// The block.
        block: BlockId,
        /// Its origin.
        origin: BlockId,
        /// Of its parent.
        parent_origin: BlockId,
    },
    /// A block's sequence number does not follow its parent's.
    #[error("L2 block {block} has sequence number {sequence_number}, its parent has {parent}")]
    SequenceNumber {
        /// The block.
        block: BlockId,
        /// Its sequence number.
        sequence_number: u64,
        /// Its parent's.
        parent: u64,
    },
    /// A node does not have a block that it must have. If L1 was reorganised meanwhile, another
    /// search will do.
    #[error("{0:?} is not there")]
    Missing(Lookup),
}

/// The search for the heads to start from.
// spec: opstack 3.14
#[derive(Clone, Debug)]
pub struct SyncStart {
    chain: Arc<ChainConfig>,
    options: SyncStartOptions,
    walk: Option<Walk>,
    answers: Answers,
}

/// The walk from the unsafe head to the block that becomes the safe head.
#[derive(Clone, Copy, Debug)]
struct Walk {
    /// The heads that the engine remembers.
    previous: Heads,
    /// The candidate for the unsafe head.
    unsafe_head: Option<L2BlockRef>,
    /// The block that the walk is at.
    block: L2BlockRef,
    /// What L1 has at the height of the block's origin; none if L1 does not reach there.
    l1_block: Option<L1BlockRef>,
    /// The highest block from which on all L1 origins are canonical.
    canonical: Option<L2BlockRef>,
    /// Whether the walk has jumped to the safe head.
    jumped: bool,
}

type Round<T> = Result<T, Halt<SyncStartError>>;

impl SyncStart {
    /// A search that begins with the heads that the engine remembers.
    pub fn new(chain: Arc<ChainConfig>, options: SyncStartOptions) -> Self {
        Self {
            chain,
            options,
            walk: None,
            answers: Answers::default(),
        }
    }

    /// Goes on as far as possible.
    pub fn step(&mut self) -> Result<Search<Heads>, SyncStartError> {
        loop {
            let round = match self.walk {
                None => self.begin(),
                Some(walk) => self.round(walk),
            };
            match round {
                Ok(Some(heads)) => return Ok(Search::Found(heads)),
                Ok(None) => self.answers.next_round(),
                Err(Halt::Need(lookup)) => return Ok(Search::Need(lookup)),
                Err(Halt::Failed(error)) => return Err(error),
            }
        }
    }

    /// Takes the answer to the lookup that [`SyncStart::step`] asked for.
    pub fn supply(&mut self, found: Found) -> Result<(), NotAsked> {
        self.answers.supply(found)
    }

    /// An L2 block that must be there.
    fn l2(&mut self, lookup: Lookup) -> Round<L2BlockRef> {
        let found = self.answers.l2(lookup)?;
        Ok(found.ok_or(SyncStartError::Missing(lookup))?)
    }

    /// Looks at the heads that the engine remembers.
    // spec: opstack 3.14
    fn begin(&mut self) -> Round<Option<Heads>> {
        let genesis = self.chain.rollup.genesis;
        let finalized = match self.answers.l2(Lookup::L2ByLabel(L2Label::Finalized))? {
            Some(finalized) => finalized,
            None => self.l2(Lookup::L2ByHash(genesis.l2.hash))?,
        };
        let safe = self.answers.l2(Lookup::L2ByLabel(L2Label::Safe))?;
        let safe = safe.unwrap_or(finalized);
        let unsafe_head = self.l2(Lookup::L2ByLabel(L2Label::Unsafe))?;
        let recover_from = genesis.l1.number.saturating_add(
            RECOVER_MIN_SEQ_WINDOWS.saturating_mul(self.chain.rollup.seq_window_size),
        );
        let labels_lost = finalized.hash == genesis.l2.hash
            && safe.hash == genesis.l2.hash
            && unsafe_head.number > genesis.l2.number
            && unsafe_head.l1_origin.number > recover_from;
        let rewound = unsafe_head.number < finalized.number || unsafe_head.number < safe.number;
        if labels_lost || rewound {
            return self.recover(unsafe_head).map(Some);
        }
        self.walk = Some(Walk {
            previous: Heads {
                unsafe_head,
                safe,
                finalized,
            },
            unsafe_head: Some(unsafe_head),
            block: unsafe_head,
            l1_block: None,
            canonical: None,
            jumped: false,
        });
        Ok(None)
    }

    /// Heads by the unsafe head alone: the engine knows no others, or none that are on its chain.
    // spec: opstack-2026-09 3.14 *1
    fn recover(&mut self, unsafe_head: L2BlockRef) -> Round<Heads> {
        let rollup = &self.chain.rollup;
        let first = rollup.genesis.l2.number;
        let blocks = self.options.offset_el_safe.div_ceil(rollup.block_time);
        let number = unsafe_head.number.saturating_sub(blocks).max(first);
        let safe = if number < unsafe_head.number {
            self.l2(Lookup::L2ByNumber(number))?
        } else {
            unsafe_head
        };
        Ok(Heads {
            unsafe_head,
            safe,
            finalized: safe,
        })
    }

    /// What L1 has at the height of a block's origin. As long as the walk follows one L1 chain,
    /// its blocks are asked for by hash, so that a reorganisation meanwhile cannot mix two.
    fn l1_at_origin(&mut self, walk: &Walk) -> Round<Option<L1BlockRef>> {
        let origin = walk.block.l1_origin;
        match walk.l1_block {
            Some(above) if above.parent_hash == origin.hash => {
                let lookup = Lookup::L1ByHash(origin.hash);
                let found = self.answers.l1(lookup)?;
                Ok(Some(found.ok_or(SyncStartError::Missing(lookup))?))
            }
            Some(same) if same.hash == origin.hash => Ok(Some(same)),
            _ => self.answers.l1(Lookup::L1ByNumber(origin.number)),
        }
    }

    /// Looks at one block, and goes back to its parent.
    // spec: opstack 3.14
    fn round(&mut self, mut walk: Walk) -> Round<Option<Heads>> {
        let block = walk.block;
        let lookback = self.chain.rollup.sync_lookback();
        walk.l1_block = self.l1_at_origin(&walk)?;
        self.check_genesis(&walk)?;
        let Heads {
            unsafe_head: previous,
            safe,
            finalized,
        } = walk.previous;
        check_finalized(&finalized, &block)?;
        let unsafe_head = match walk.unsafe_head {
            Some(unsafe_head) => unsafe_head,
            None => {
                let deepest = MAX_REORG_SEQ_WINDOWS.saturating_mul(lookback);
                if block.l1_origin.number.saturating_add(deepest) < previous.l1_origin.number {
                    let (from, to) = (previous.id(), block.id());
                    return Err(SyncStartError::TooDeep { from, to }.into());
                }
                block
            }
        };
        walk.unsafe_head = Some(unsafe_head);
        match walk.l1_block {
            // ahead of L1 as it is known: neither canonical nor refuted
            None => walk.canonical = None,
            Some(l1_block) if l1_block.hash == block.l1_origin.hash => {
                walk.canonical = walk.canonical.or(Some(block));
            }
            Some(_) => {
                walk.unsafe_head = None;
                walk.canonical = None;
            }
        }
        let seen = walk.canonical.map_or(0, |block| block.l1_origin.number);
        let ready = block.number <= safe.number
            && block.l1_origin.number.saturating_add(lookback) < seen
            && block.sequence_number == 0;
        if block.number == finalized.number {
            // op-node goes on without an unsafe head here
            if walk.unsafe_head.is_none() {
                return Err(SyncStartError::FinalizedOrigin {
                    finalized: finalized.id(),
                    origin: finalized.l1_origin,
                }
                .into());
            }
            let safe = block;
            return Ok(Some(Heads {
                unsafe_head,
                safe,
                finalized,
            }));
        }
        // op-node jumps again and again where it lands on the block that it jumped from
        if self.options.skip_check && !walk.jumped && walk.canonical == Some(block) {
            walk.jumped = true;
            if safe != block {
                walk.block = safe;
                self.walk = Some(walk);
                return Ok(None);
            }
        }
        let parent = self.l2(Lookup::L2ByHash(block.parent_hash))?;
        check_parent(&walk, &parent)?;
        if ready {
            check_finalized(&finalized, &parent)?;
            let safe = parent;
            return Ok(Some(Heads {
                unsafe_head,
                safe,
                finalized,
            }));
        }
        walk.block = parent;
        self.walk = Some(walk);
        Ok(None)
    }

    // spec: opstack 3.14
    fn check_genesis(&self, walk: &Walk) -> Result<(), SyncStartError> {
        let genesis = &self.chain.rollup.genesis;
        if walk.block.number != genesis.l2.number {
            return Ok(());
        }
        if walk.block.hash != genesis.l2.hash {
            return Err(SyncStartError::WrongL2 {
                expected: genesis.l2,
                found: walk.block.id(),
            });
        }
        match walk.l1_block {
            Some(found) if found.hash != genesis.l1.hash => Err(SyncStartError::WrongL1 {
                expected: genesis.l1,
                found: found.id(),
            }),
            _ => Ok(()),
        }
    }
}

/// Checks that the chain has the finalized block.
// spec: opstack 3.14
fn check_finalized(finalized: &L2BlockRef, block: &L2BlockRef) -> Result<(), SyncStartError> {
    if block.number == finalized.number && block.hash != finalized.hash {
        return Err(SyncStartError::ReorgFinalized {
            finalized: finalized.id(),
            found: block.id(),
        });
    }
    Ok(())
}

/// Checks that a block's L1 origin and sequence number follow its parent's.
// spec: opstack 3.14
fn check_parent(walk: &Walk, parent: &L2BlockRef) -> Result<(), SyncStartError> {
    let block = &walk.block;
    let origin_error = SyncStartError::Origin {
        block: block.id(),
        origin: block.l1_origin,
        parent_origin: parent.l1_origin,
    };
    let sequence_error = SyncStartError::SequenceNumber {
        block: block.id(),
        sequence_number: block.sequence_number,
        parent: parent.sequence_number,
    };
    if parent.l1_origin == block.l1_origin {
        return if parent.sequence_number.checked_add(1) == Some(block.sequence_number) {
            Ok(())
        } else {
            Err(sequence_error)
        };
    }
    if parent.l1_origin.number.checked_add(1) != Some(block.l1_origin.number) {
        return Err(origin_error);
    }
    if block.sequence_number != 0 {
        return Err(sequence_error);
    }
    match walk.l1_block {
        // the block's origin is canonical, so its parent's must be the L1 block before
        Some(l1_block)
            if l1_block.hash == block.l1_origin.hash
                && l1_block.parent_hash != parent.l1_origin.hash =>
        {
            Err(origin_error)
        }
        _ => Ok(()),
    }
}
