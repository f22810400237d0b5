//! The streamer: from HotShot blocks to the one sequence of L2 blocks that every reader agrees on.
//!
//! Blocks go in at any time and in any order, batches come out in theirs. What a reader lacks it names
//! ([`Step::Need`]); what it must wait for, too ([`Step::Wait`]). Nothing else decides than what stands
//! on Espresso and on finalized L1, so two readers differ at most in how far they are.
//!
//! A batch comes out if it is for the next number, builds on the last batch, is signed by who may, and
//! keeps the rules by which derivation will check it. Of several the first on Espresso counts: by height,
//! then by place in the namespace. What breaks a rule is dropped with the same reason everywhere, and
//! the next takes its place.
//!
//! Memory is bounded. What does not fit is forgotten, and read again once there is room.
// spec: espresso 1.4

mod buffer;
mod drops;
mod history;
mod limits;

pub use drops::{Drop, DropReason, MAX_DROPS};
pub use history::BatcherHistory;
pub use limits::Limits;

use crate::{
    batch::{ContentError, SignedBatch},
    header::Header,
    namespace::Transaction,
};
use alloy_primitives::{Address, B256, Bytes};
use buffer::{Buffer, Candidate, Inserted, Places};
use doppio_derive::{ConfirmedRefusal, check_confirmed_batch};
use doppio_protocol::{L1BlockRef, L2BlockRef, config::ChainConfig};
use drops::DropLog;
use std::collections::BTreeMap;
use thiserror::Error;

/// Where a transaction stands on Espresso. The order of places is the order of all batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Height of the HotShot block.
    pub height: u64,
    /// Number of the transaction in what was read of the block.
    pub index: usize,
}

/// Who may sign a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// The batcher at the batch's own L1 origin: streamers of version 1. A batcher that was replaced
    /// can still sign batches with old origins.
    // spec: espresso 1.3
    AtOrigin,
    /// The batcher at the L1 block that the HotShot block knew to be finalized: version 2.
    AtHotShot,
}

/// What never changes for a reader.
#[derive(Clone, Debug)]
pub struct StreamerConfig {
    /// The rollup.
    pub chain: ChainConfig,
    /// Its namespace.
    pub namespace: u64,
    /// Who may sign.
    pub authorization: Authorization,
    /// How much is kept.
    pub limits: Limits,
}

/// A point from which a reader may begin: all batches after the L2 block are at this height of HotShot
/// or above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The next HotShot block to read.
    pub hotshot_height: u64,
    /// The L2 block on which the next batch builds.
    pub tip: L2BlockRef,
}

/// What a HotShot block holds for the rollup, as it was proven or believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HotShotBlock {
    /// Height.
    pub height: u64,
    /// The L1 block that its header names as finalized, whose parent is not looked at. Version 1 does
    /// without.
    pub l1_finalized: Option<L1BlockRef>,
    /// The transactions of the namespace, in order.
    pub transactions: Vec<Transaction>,
}

impl HotShotBlock {
    /// A block by its header, and the transactions that were proven to be in it.
    pub fn new(header: &Header, namespace: u64, payloads: Vec<Bytes>) -> Self {
        let l1_finalized = header.fields().l1_finalized.map(|block| L1BlockRef {
            hash: block.hash,
            number: block.number,
            parent_hash: B256::ZERO,
            timestamp: block.timestamp.saturating_to(),
        });
        let transaction = |payload| Transaction { namespace, payload };
        Self {
            height: header.height(),
            l1_finalized,
            transactions: payloads.into_iter().map(transaction).collect(),
        }
    }
}

/// A batch that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// Where it stands on Espresso.
    pub place: Place,
    /// The L2 block.
    pub block: L2BlockRef,
    /// The batch.
    pub signed: SignedBatch,
}

/// What a reader lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// HotShot blocks from this height on.
    HotShot {
        /// The first that is missing.
        from: u64,
    },
    /// The finalized L1 block of this height, by [`Streamer::l1_block`].
    L1Block(u64),
    /// The batchers up to this L1 block or a later one, by [`Streamer::history`].
    Batchers {
        /// The least L1 block.
        to: u64,
    },
}

/// What a reader waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Until this L1 block is finalized.
    Finality(u64),
}

/// What [`Streamer::step`] gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next batch.
    Batch(Box<Confirmed>),
    /// Something is missing.
    Need(Request),
    /// Something has not happened yet.
    Wait(Wait),
}

/// Why blocks are not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FeedError {
    /// Too far ahead to be kept.
    #[error("block {height} is too far ahead of {next}")]
    Ahead {
        /// The block.
        height: u64,
        /// The next to be read.
        next: u64,
    },
    /// Version 2 needs to know what L1 block was finalized.
    #[error("the header of block {0} names no finalized L1 block")]
    NoFinalized(u64),
    /// There is another block of this height already. One of them is a lie.
    #[error("two different blocks of height {0} were given")]
    Conflict(u64),
}

/// The streamer.
#[derive(Clone, Debug)]
pub struct Streamer {
    config: StreamerConfig,
    tip: L2BlockRef,
    /// The next HotShot block to be taken apart.
    next_height: u64,
    /// The highest place that was taken apart, ever: what is read again is not reported again.
    reported: u64,
    /// Blocks that were given before their turn.
    waiting: BTreeMap<u64, HotShotBlock>,
    waiting_bytes: usize,
    buffer: Buffer,
    /// Places up to here have been judged for the next number.
    judged: Option<Place>,
    /// For each number, the least height of a batch by somebody who was no batcher as far as was known,
    /// and may be one by the batch's L1 origin.
    unknown: Places,
    finalized: Option<u64>,
    history: BatcherHistory,
    l1_blocks: BTreeMap<u64, L1BlockRef>,
    drops: DropLog,
}

/// What comes of a candidate.
enum Judgement {
    Counts(L2BlockRef),
    Dropped(DropReason),
    Stop(Step),
}

impl Streamer {
    /// A reader that begins at a checkpoint.
    pub const fn new(config: StreamerConfig, from: Checkpoint) -> Self {
        Self {
            config,
            tip: from.tip,
            next_height: from.hotshot_height,
            reported: from.hotshot_height,
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
            buffer: Buffer::new(),
            judged: None,
            unknown: Places::new(),
            finalized: None,
            history: BatcherHistory::nothing(),
            l1_blocks: BTreeMap::new(),
            drops: DropLog::new(),
        }
    }

    /// Begins again elsewhere. What is known of L1 stays; all else is as in a new reader.
    pub fn reset(&mut self, to: Checkpoint) {
        let fresh = Self::new(self.config.clone(), to);
        let old = std::mem::replace(self, fresh);
        self.finalized = old.finalized;
        self.history = old.history;
        self.l1_blocks = old.l1_blocks;
        self.drops = old.drops;
    }

    /// From where a reader may go on that has all batches up to now.
    pub fn checkpoint(&self) -> Checkpoint {
        let next = self.next_height;
        let earlier = self
            .buffer
            .first_height()
            .into_iter()
            .chain(self.unknown.least());
        let hotshot_height = earlier.fold(next, u64::min);
        Checkpoint {
            hotshot_height,
            tip: self.tip,
        }
    }

    /// The L2 block on which the next batch builds.
    pub const fn tip(&self) -> &L2BlockRef {
        &self.tip
    }

    /// The next HotShot block that is needed.
    pub fn next_height(&self) -> u64 {
        let mut next = self.next_height;
        while self.waiting.contains_key(&next) {
            next += 1;
        }
        next
    }

    /// What was dropped since the last call, and how many drops were forgotten.
    pub fn take_drops(&mut self) -> (Vec<Drop>, u64) {
        self.drops.take()
    }

    /// A newer L1 block is final. An older one than is known changes nothing.
    pub fn finalized(&mut self, number: u64) {
        self.finalized = self.finalized.max(Some(number));
    }

    /// The batchers as they are known now; what is known less far changes nothing.
    pub fn history(&mut self, history: BatcherHistory) {
        if history.known_to() < self.history.known_to() {
            return;
        }
        // only the contract's owner can bring about that blocks are read again
        if !history.batchers().eq(self.history.batchers()) {
            let unknown = std::mem::replace(&mut self.unknown, Places::new());
            self.buffer.forget(unknown, &self.config.limits);
        }
        self.history = history;
    }

    /// A finalized L1 block.
    pub fn l1_block(&mut self, block: L1BlockRef) {
        self.l1_blocks.insert(block.number, block);
        // only the origin of the tip and the block after it are looked at
        self.l1_blocks = self.l1_blocks.split_off(&self.tip.l1_origin.number);
        while self.l1_blocks.len() > self.config.limits.l1_blocks.max(2) {
            self.l1_blocks.pop_last();
        }
    }

    /// Takes a HotShot block, in any order. One that was read already changes nothing.
    ///
    /// # Errors
    ///
    /// If it is too far ahead, contradicts another, or names no finalized L1 block where it must.
    pub fn feed(&mut self, block: HotShotBlock) -> Result<(), FeedError> {
        let (height, next) = (block.height, self.next_height);
        if block.l1_finalized.is_none() && self.config.authorization == Authorization::AtHotShot {
            return Err(FeedError::NoFinalized(height));
        }
        if height < next {
            return Ok(());
        }
        if let Some(known) = self.waiting.get(&height) {
            return if *known == block {
                Ok(())
            } else {
                Err(FeedError::Conflict(height))
            };
        }
        let bytes = block_size(&block);
        let limits = &self.config.limits;
        let is_full = self.waiting_bytes.saturating_add(bytes) > limits.waiting_bytes;
        // the block whose turn it is has room, whatever waits
        if height != next && (is_full || height - next >= limits.waiting_blocks) {
            return Err(FeedError::Ahead { height, next });
        }
        self.waiting_bytes = self.waiting_bytes.saturating_add(bytes);
        self.waiting.insert(height, block);
        Ok(())
    }

    /// The next batch, or what is missing for it.
    pub fn step(&mut self) -> Step {
        loop {
            let next = self.tip.number.saturating_add(1);
            // a batch for the next number that did not fit is read again, now that there is room
            if let Some(height) = self.buffer.take_forgotten(next) {
                self.next_height = self.next_height.min(height);
            }
            // nothing is judged before all that stands before it is read
            let first = self.buffer.first(next);
            if first.is_some_and(|first| first.place.height < self.next_height) {
                if let Some(step) = self.judge_first(next) {
                    return step;
                }
            } else if let Err(step) = self.read_block() {
                return step;
            }
        }
    }

    /// Takes the next block apart.
    fn read_block(&mut self) -> Result<(), Step> {
        let height = self.next_height;
        let Some(block) = self.waiting.get(&height) else {
            return Err(Step::Need(Request::HotShot { from: height }));
        };
        let at = match (self.config.authorization, block.l1_finalized) {
            (Authorization::AtHotShot, Some(finalized)) => Some(finalized.number),
            _ => None,
        };
        match at {
            Some(to) => self.known_to(to)?,
            None if self.history.known_to().is_none() => {
                let to = self.finalized.ok_or(Step::Wait(Wait::Finality(0)))?;
                return Err(Step::Need(Request::Batchers { to }));
            }
            None => {}
        }
        if let Some(block) = self.waiting.remove(&height) {
            self.waiting_bytes = self.waiting_bytes.saturating_sub(block_size(&block));
            let is_new = height >= self.reported;
            let finalized = block.l1_finalized;
            for (index, transaction) in block.transactions.into_iter().enumerate() {
                let place = Place { height, index };
                if let Err(reason) = self.buffer_batch(place, finalized, &transaction)
                    && is_new
                {
                    self.drops.push(Drop { place, reason });
                }
            }
        }
        self.next_height = height.saturating_add(1);
        self.reported = self.reported.max(self.next_height);
        Ok(())
    }

    /// Whether the batchers are known up to an L1 block, or what to do about it.
    const fn known_to(&self, to: u64) -> Result<(), Step> {
        match (self.history.known_to(), self.finalized) {
            (Some(known), _) if known >= to => Ok(()),
            (_, Some(finalized)) if finalized >= to => Err(Step::Need(Request::Batchers { to })),
            _ => Err(Step::Wait(Wait::Finality(to))),
        }
    }

    /// Keeps a batch if its signer may sign it.
    fn buffer_batch(
        &mut self,
        place: Place,
        l1_finalized: Option<L1BlockRef>,
        transaction: &Transaction,
    ) -> Result<(), DropReason> {
        if transaction.namespace != self.config.namespace {
            return Err(DropReason::Namespace(transaction.namespace));
        }
        let signed = SignedBatch::decode(&transaction.payload)?;
        let signer = signed.signer;
        match (self.config.authorization, l1_finalized) {
            (Authorization::AtHotShot, Some(finalized)) => {
                may_sign(signer, self.history.at(finalized.number))?;
            }
            // who it must be is known when its origin is final; that it is none of them is known now
            _ if !self.history.contains(signer) => {
                self.may_be_appointed(place, &signed);
                return Err(DropReason::Signer {
                    signer,
                    batcher: None,
                });
            }
            _ => {}
        }
        let number = signed.batch.number();
        if self.scheduled(number) != Some(signed.batch.batch.timestamp) {
            return Err(DropReason::Time(number));
        }
        if number <= self.tip.number {
            return Err(DropReason::Past(number));
        }
        if self.tip.number.checked_add(1) == Some(number)
            && self.judged.is_some_and(|to| place <= to)
        {
            return Err(DropReason::Duplicate);
        }
        let candidate = Candidate {
            place,
            l1_finalized,
            signed,
        };
        match self
            .buffer
            .insert(candidate, self.tip.number, &self.config.limits)
        {
            // what does not fit is read again when it is needed
            Inserted::Kept | Inserted::NoRoom => Ok(()),
            Inserted::Duplicate => Err(DropReason::Duplicate),
        }
    }

    /// The time of an L2 block, which its number decides.
    fn scheduled(&self, number: u64) -> Option<u64> {
        let rollup = &self.config.chain.rollup;
        let blocks = number.checked_sub(rollup.genesis.l2.number)?;
        let passed = blocks.checked_mul(rollup.block_time)?;
        rollup.genesis.l2_time.checked_add(passed)
    }

    /// Remembers a stranger's batch, if he may be the batcher once L1 is final as far as its origin.
    fn may_be_appointed(&mut self, place: Place, signed: &SignedBatch) {
        let (number, origin) = (signed.batch.number(), signed.batch.l1_origin().number);
        let ahead = number.saturating_sub(self.tip.number);
        // each block adopts one L1 block at most
        let is_reachable = origin <= self.tip.l1_origin.number.saturating_add(ahead);
        if ahead == 0 || !is_reachable || self.history.known_to() >= Some(origin) {
            return;
        }
        self.unknown.add(number, place, self.config.limits.ahead);
    }

    /// Judges the first batch for the next number. None if it is dropped.
    fn judge_first(&mut self, number: u64) -> Option<Step> {
        let candidate = self.buffer.first(number)?;
        match self.judge(candidate) {
            Judgement::Stop(step) => Some(step),
            Judgement::Dropped(reason) => {
                let place = candidate.place;
                self.buffer.remove_first(number);
                self.drops.push(Drop { place, reason });
                self.judged = self.judged.max(Some(place));
                None
            }
            Judgement::Counts(block) => {
                let candidate = self.buffer.remove_first(number)?;
                for place in self.buffer.remove_number(number) {
                    self.drops.push(Drop {
                        place,
                        reason: DropReason::Superseded(number),
                    });
                }
                self.tip = block;
                self.unknown.passed(number);
                self.buffer.passed(number);
                self.judged = None;
                let Candidate { place, signed, .. } = candidate;
                Some(Step::Batch(Box::new(Confirmed {
                    place,
                    block,
                    signed,
                })))
            }
        }
    }

    fn judge(&self, candidate: &Candidate) -> Judgement {
        let batch = &candidate.signed.batch;
        if batch.header.parent_hash != self.tip.hash {
            return Judgement::Dropped(DropReason::Parent(batch.header.parent_hash));
        }
        match self.check(candidate) {
            Ok(block) => Judgement::Counts(block),
            Err(Ok(reason)) => Judgement::Dropped(reason),
            Err(Err(step)) => Judgement::Stop(step),
        }
    }

    /// Checks a batch on the tip. What speaks against it is a reason to drop it, or to wait.
    fn check(&self, candidate: &Candidate) -> Result<L2BlockRef, Result<DropReason, Step>> {
        let drop = |reason| Err(Ok(reason));
        let batch = &candidate.signed.batch;
        let content = |error: ContentError| Ok(DropReason::Content(error));
        let block = batch.check_content(&self.config.chain).map_err(content)?;
        let origin = block.l1_origin.number;
        let epoch = self.tip.l1_origin;
        // beyond the next epoch nothing is looked up: an origin far ahead would pin the stream
        if origin == epoch.number || Some(origin) == epoch.number.checked_add(1) {
            if self.finalized.is_none_or(|finalized| finalized < origin) {
                return Err(Err(Step::Wait(Wait::Finality(origin))));
            }
            if self.config.authorization == Authorization::AtOrigin {
                self.known_to(origin).map_err(Err)?;
                let signer = candidate.signed.signer;
                may_sign(signer, self.history.at(origin)).map_err(Ok)?;
            }
        }
        let first = self.finalized_block(epoch.number).map_err(Err)?;
        let next = match epoch.number.checked_add(1) {
            Some(next) if self.finalized.is_some_and(|finalized| finalized >= next) => {
                Some(self.finalized_block(next).map_err(Err)?)
            }
            _ => None,
        };
        let included_in = candidate.l1_finalized.unwrap_or(first);
        let chain = &self.config.chain;
        match check_confirmed_batch(chain, &self.tip, first, next, &included_in, &batch.batch) {
            Ok(()) => {}
            Err(ConfirmedRefusal::Drop(broken)) => return drop(DropReason::Rule(broken)),
            Err(ConfirmedRefusal::Undecided(_)) => {
                let next = epoch.number.saturating_add(1);
                return Err(Err(Step::Wait(Wait::Finality(next))));
            }
        }
        let expected = if origin == epoch.number {
            self.tip.sequence_number.saturating_add(1)
        } else {
            0
        };
        let found = block.sequence_number;
        if expected != found {
            return drop(DropReason::SequenceNumber { expected, found });
        }
        Ok(block)
    }

    fn finalized_block(&self, number: u64) -> Result<L1BlockRef, Step> {
        if let Some(block) = self.l1_blocks.get(&number) {
            return Ok(*block);
        }
        Err(match self.finalized {
            Some(finalized) if finalized >= number => Step::Need(Request::L1Block(number)),
            _ => Step::Wait(Wait::Finality(number)),
        })
    }
}

fn block_size(block: &HotShotBlock) -> usize {
    let size = |transaction: &Transaction| transaction.payload.len().saturating_add(64);
    block
        .transactions
        .iter()
        .map(size)
        .fold(256, usize::saturating_add)
}

fn may_sign(signer: Address, batcher: Option<Address>) -> Result<(), DropReason> {
    if batcher == Some(signer) {
        Ok(())
    } else {
        Err(DropReason::Signer { signer, batcher })
    }
}
