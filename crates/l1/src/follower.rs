//! The canonical chain of L1, block by block, read ahead and watched for reorganisations.

use crate::{
    failure::L1Error,
    fetch::Fetched,
    source::L1Source,
    verify::{BlockAt, CheckedHeader},
};
use doppio_protocol::{block::BlockId, l1::L1Block};
use std::{collections::VecDeque, pin::Pin, sync::Arc};
use tokio::task::JoinHandle;

/// How large a block is taken to be before the first came: about one of Ethereum's mainnet, in JSON.
const FIRST_GUESS: usize = 1 << 20;
/// Headers that are looked at first for where a reorganisation begins: most are shallow.
const FIRST_LOOK: usize = 8;

/// How to follow L1.
#[derive(Clone, Copy, Debug)]
pub struct FollowerOptions {
    /// How far to stay behind the head, in blocks (`--verifier.l1-confs`).
    pub confirmations: u64,
    /// How many blocks are remembered, to find where a reorganisation begins.
    pub remembered: usize,
}

impl Default for FollowerOptions {
    fn default() -> Self {
        Self {
            confirmations: 0,
            remembered: 8192,
        }
    }
}

/// What comes next.
#[derive(Clone, Debug)]
pub enum L1Event {
    /// The block after the last one.
    Block(Arc<L1Block>),
    /// What was read last is no longer canonical. The follower goes on behind the common block.
    Reorg(Reorg),
    /// There is no further block yet.
    AtHead,
}

/// A reorganisation of L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reorg {
    /// The last block that was read.
    pub old: BlockId,
    /// The last block that was read and is still canonical.
    pub common: BlockId,
}

impl Reorg {
    /// How many blocks are undone.
    pub const fn depth(&self) -> u64 {
        self.old.number.saturating_sub(self.common.number)
    }
}

/// Reads L1 onwards from a block.
///
/// While it is behind, it asks for many blocks at once: as many requests at a time as it takes until
/// its user, and not the network, is what is waited for, within the bytes of
/// [`L1Options::prefetch_bytes`](crate::L1Options::prefetch_bytes).
#[derive(Debug)]
pub struct Follower {
    source: L1Source,
    options: FollowerOptions,
    /// What was read, the newest last. Never empty.
    read: VecDeque<BlockId>,
    /// The newest block that may be read, as far as it is known.
    head: Option<u64>,
    /// Fetched and not yet read.
    ready: VecDeque<Fetched>,
    flights: VecDeque<Flight>,
    /// Most requests at a time, now.
    window: usize,
    /// About how many bytes a block has.
    block_bytes: usize,
    /// Whether blocks that did not fit were already fetched once more.
    is_retried: bool,
}

/// A request for blocks on its way.
#[derive(Debug)]
struct Flight {
    first: u64,
    count: usize,
    task: JoinHandle<Result<Vec<Fetched>, L1Error>>,
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Follower {
    /// Follows L1 from the block after `start`.
    pub fn new(source: L1Source, start: BlockId, options: FollowerOptions) -> Self {
        Self {
            source,
            options,
            read: VecDeque::from([start]),
            head: None,
            ready: VecDeque::new(),
            flights: VecDeque::new(),
            window: 1,
            block_bytes: FIRST_GUESS,
            is_retried: false,
        }
    }

    /// The last block that was read.
    pub fn tip(&self) -> BlockId {
        self.read.back().copied().unwrap_or_default()
    }

    /// Goes on from the block after another one: the pipeline was reset.
    pub fn reset(&mut self, start: BlockId) {
        self.clear();
        match self.read.iter().position(|read| *read == start) {
            Some(index) => self.read.truncate(index + 1),
            None => self.read = VecDeque::from([start]),
        }
    }

    /// What comes next. To be called again in a while after [`L1Event::AtHead`] and after an error.
    /// Nothing is lost if the future is dropped.
    ///
    /// # Errors
    ///
    /// If no endpoint gives what is needed, or a reorganisation goes deeper than what is remembered.
    pub async fn next(&mut self) -> Result<L1Event, L1Error> {
        loop {
            if let Some(next) = self.ready.front() {
                let header = &next.block.header;
                if header.parent_hash != self.tip().hash {
                    let next = header.id();
                    match self.find_reorg(next).await? {
                        Some(reorg) => return Ok(L1Event::Reorg(reorg)),
                        None => continue,
                    }
                }
                if let Some(next) = self.ready.pop_front() {
                    self.advance(&next.block);
                    self.fill();
                    return Ok(L1Event::Block(next.block));
                }
            }
            if self.flights.is_empty() && self.head.is_none_or(|head| head <= self.tip().number) {
                let head = self.source.head().await?;
                if !self.extends(&head) {
                    match self.find_reorg(head.id()).await? {
                        Some(reorg) => return Ok(L1Event::Reorg(reorg)),
                        None => return Ok(L1Event::AtHead),
                    }
                }
                let head = head.id().number.saturating_sub(self.options.confirmations);
                self.head = Some(head);
                if head <= self.tip().number {
                    return Ok(L1Event::AtHead);
                }
            }
            self.fill();
            let Some(flight) = self.flights.front_mut() else {
                return Ok(L1Event::AtHead);
            };
            if !flight.task.is_finished() {
                // The network is what is waited for.
                self.window = (self.window * 2).min(self.source.options().max_concurrency);
            }
            let landed = Pin::new(&mut flight.task).await;
            let count = flight.count;
            self.flights.pop_front();
            match landed {
                Ok(Ok(blocks)) => {
                    let is_short = blocks.len() < count;
                    let is_empty = blocks.is_empty();
                    for block in blocks {
                        self.source.foresee_blobs(&block.block);
                        self.block_bytes = (7 * self.block_bytes + block.bytes) / 8;
                        self.ready.push_back(block);
                    }
                    if is_short {
                        // What was there when the head was asked for is gone, or not yet
                        // everywhere.
                        self.flights.clear();
                        self.head = None;
                    }
                    if is_empty {
                        return Ok(L1Event::AtHead);
                    }
                }
                Ok(Err(error)) => {
                    self.flights.clear();
                    self.window = (self.window / 2).max(1);
                    return Err(error);
                }
                // It panicked or the program ends: as if it had never been asked for.
                Err(_) => {
                    self.flights.clear();
                    return Ok(L1Event::AtHead);
                }
            }
        }
    }

    fn advance(&mut self, block: &L1Block) {
        self.is_retried = false;
        self.read.push_back(block.header.id());
        while self.read.len() > self.options.remembered.max(1) {
            self.read.pop_front();
        }
    }

    /// Sends requests for the blocks that come next, within the window and the bytes.
    fn fill(&mut self) {
        let Some(head) = self.head else {
            return;
        };
        let options = self.source.options();
        let block_bytes = self.block_bytes.max(1);
        // Two calls for each block, and an answer that is not refused for its length.
        let by_calls = self.source.batch_limit() / 2;
        let by_bytes = options.max_answer_bytes / 2 / block_bytes;
        let most = by_calls.min(by_bytes).max(1);
        let ready: usize = self.ready.iter().map(|block| block.bytes).sum();
        let flying: usize = self.flights.iter().map(|flight| flight.count).sum();
        let mut bytes = ready.saturating_add(flying.saturating_mul(block_bytes));
        let mut first = match (self.flights.back(), self.ready.back()) {
            (Some(flight), _) => flight.first.saturating_add(flight.count as u64),
            (None, Some(block)) => block.block.header.number.saturating_add(1),
            (None, None) => self.tip().number.saturating_add(1),
        };
        while first <= head && self.flights.len() < self.window {
            let left = usize::try_from(head - first).unwrap_or(usize::MAX);
            let count = left.saturating_add(1).min(most);
            bytes = bytes.saturating_add(count.saturating_mul(block_bytes));
            let is_first = self.flights.is_empty() && self.ready.is_empty();
            if bytes > options.prefetch_bytes && !is_first {
                break;
            }
            let end = first.saturating_add(count as u64);
            let at: Vec<BlockAt> = (first..end).map(BlockAt::Number).collect();
            let source = self.source.clone();
            let task = tokio::spawn(async move { source.fetch(&at).await });
            self.flights.push_back(Flight { first, count, task });
            first = end;
        }
    }

    /// Whether a head can be that of the chain which was read.
    fn extends(&self, head: &CheckedHeader) -> bool {
        let (tip, head) = (self.tip(), head.id());
        let behind = tip.number.checked_sub(head.number);
        let same_height = behind
            .and_then(|behind| usize::try_from(behind).ok())
            .and_then(|behind| self.read.len().checked_sub(behind + 1))
            .and_then(|index| self.read.get(index));
        // A lower head on the same chain is that of an endpoint that lags.
        same_height.is_none_or(|read| *read == head)
    }

    /// Looks for the newest block that was read and is still canonical. None if it is the tip: what
    /// did not fit is to be fetched again.
    async fn find_reorg(&mut self, next: BlockId) -> Result<Option<Reorg>, L1Error> {
        let old = self.tip();
        let mut end = self.read.len();
        let mut look = FIRST_LOOK;
        while end > 0 {
            let start = end.saturating_sub(look);
            let candidates: Vec<BlockId> = self.read.range(start..end).rev().copied().collect();
            let at: Vec<BlockAt> = candidates
                .iter()
                .map(|block| BlockAt::Number(block.number))
                .collect();
            let headers = self.source.headers(&at).await?;
            let common = candidates
                .iter()
                .zip(&headers)
                .position(|(read, header)| header.as_ref().map(CheckedHeader::id) == Some(*read));
            if let Some(position) = common {
                return self.rewind(old, next, end - position);
            }
            end = start;
            look = self.source.batch_limit().max(FIRST_LOOK);
        }
        self.clear();
        Err(L1Error::ReorgTooDeep {
            oldest: self.read.front().copied().unwrap_or_default(),
        })
    }

    /// Keeps so many of the blocks that were read.
    fn rewind(
        &mut self,
        old: BlockId,
        next: BlockId,
        kept: usize,
    ) -> Result<Option<Reorg>, L1Error> {
        self.clear();
        self.read.truncate(kept);
        let common = self.tip();
        if common != old {
            self.is_retried = false;
            return Ok(Some(Reorg { old, common }));
        }
        if std::mem::replace(&mut self.is_retried, true) {
            self.is_retried = false;
            return Err(L1Error::Disagreement { tip: old, next });
        }
        Ok(None)
    }

    /// Forgets what was fetched and not read.
    fn clear(&mut self) {
        self.flights.clear();
        self.ready.clear();
        self.head = None;
    }
}
