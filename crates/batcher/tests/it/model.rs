//! A world for the batcher: an L1 with a pool of transactions, a sequencer, a node that derives with
//! the real pipeline, and the shell that a batcher needs.

use crate::support::{Engine, L1, L1Tx, Node, Sequencer, blob, l2_tx};
use alloy_primitives::{B256, keccak256};
use doppio_batcher::{
    Action, Batcher, BatcherOptions, Event, FeeSample, L1Tip, LoadedBlock, Millis, Payload, Report,
    Submission, SyncStatus, TxId, TxOutcome,
};
use doppio_protocol::{
    L1BlockRef, L2BlockRef,
    block::BlockId,
    config::{ChainConfig, RollupConfig},
};
use std::{collections::VecDeque, sync::Arc};

/// A transaction that is in the pool or in a block.
#[derive(Clone, Debug)]
struct PoolTx {
    /// Which start of the batcher sent it.
    life: u32,
    submission: Submission,
    /// The batcher does not want it any more.
    is_abandoned: bool,
}

/// A world.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) chain: Arc<ChainConfig>,
    options: BatcherOptions,
    pub(crate) batcher: Batcher,
    life: u32,
    pub(crate) l1: L1,
    /// The batcher's transactions in each L1 block after genesis.
    included: Vec<Vec<PoolTx>>,
    /// In the order of their nonces.
    pool: VecDeque<PoolTx>,
    /// What the batcher has not been told.
    outcomes: Vec<(u32, TxId, TxOutcome)>,
    node: Node,
    pub(crate) sequencer: Sequencer,
    nonce: u64,
    now: Millis,
    /// How often the node derived another block than the sequencer had.
    pub(crate) adopted: u32,
    pub(crate) reports: Vec<Report>,
    /// Every transaction that was submitted.
    pub(crate) submissions: Vec<Submission>,
    pub(crate) loads: Vec<(u64, u64)>,
    pub(crate) throttles: Vec<doppio_batcher::DaLimits>,
    pub(crate) abandoned: Vec<TxId>,
    /// Whether the engine serves blocks.
    pub(crate) serves_blocks: bool,
    /// Whether outcomes are brought by themselves.
    pub(crate) tells_outcomes: bool,
}

impl World {
    pub(crate) fn new(rollup: RollupConfig, options: BatcherOptions) -> Self {
        let chain = crate::support::chain(rollup);
        let l1 = L1::new(&chain);
        let now = l1.head().header.timestamp * 1000;
        let mut world = Self {
            batcher: Batcher::new(Arc::clone(&chain), options.clone(), now).unwrap(),
            options,
            life: 0,
            node: Node::new(&l1),
            sequencer: Sequencer::new(&l1),
            chain,
            l1,
            included: Vec::new(),
            pool: VecDeque::new(),
            outcomes: Vec::new(),
            nonce: 0,
            now,
            adopted: 0,
            reports: Vec::new(),
            submissions: Vec::new(),
            loads: Vec::new(),
            throttles: Vec::new(),
            abandoned: Vec::new(),
            serves_blocks: true,
            tells_outcomes: false,
        };
        world.l1_block(0);
        world.derive();
        world
    }

    /// Tells the batcher, and does what it wants.
    pub(crate) fn tell(&mut self, event: Event) {
        self.batcher.handle(self.now, event);
        while let Some(action) = self.batcher.next_action(self.now) {
            self.act(action);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Load { request, from, to } => {
                self.loads.push((from, to));
                for number in from..=to {
                    let block = self.sequencer.engine.blocks.get(&number);
                    let is_there = number <= self.sequencer.head.number && self.serves_blocks;
                    let event = match block.filter(|_| is_there) {
                        Some(block) => Event::Block {
                            request,
                            block: LoadedBlock::from(block.clone()),
                        },
                        None => Event::BlockUnavailable { request, number },
                    };
                    self.batcher.handle(self.now, event);
                }
            }
            Action::Encode(job) => self.batcher.handle(self.now, Event::Encoded(job.run())),
            Action::Submit(submission) => {
                self.submissions.push(submission.clone());
                self.pool.push_back(PoolTx {
                    life: self.life,
                    submission,
                    is_abandoned: false,
                });
            }
            Action::Abandon(ids) => {
                for tx in &mut self.pool {
                    if tx.life == self.life && ids.contains(&tx.submission.id) {
                        tx.is_abandoned = true;
                    }
                }
                self.abandoned.extend(ids);
            }
            Action::Throttle(limits) => self.throttles.push(limits),
            Action::Report(report) => {
                assert!(!matches!(report, Report::Bug(_)), "{report:?}");
                self.reports.push(report);
            }
        }
    }

    /// The sequencer makes blocks, each with some transactions.
    pub(crate) fn l2_blocks(&mut self, count: u64, transactions: u64) {
        for _ in 0..count {
            let nonces = self.nonce..self.nonce + transactions;
            self.nonce = nonces.end;
            self.sequencer.block(nonces.map(l2_tx));
        }
    }

    /// The sequencer makes blocks up to L1's time.
    pub(crate) fn l2_until_l1(&mut self, transactions: u64) {
        let time = self.l1.head().header.timestamp;
        while self.sequencer.head.timestamp + self.chain.rollup.block_time <= time {
            self.l2_blocks(1, transactions);
        }
    }

    /// A block of L1, with up to `most` of the transactions of the pool.
    pub(crate) fn l1_block(&mut self, most: usize) {
        let count = most.min(self.pool.len());
        let txs: Vec<PoolTx> = self.pool.drain(..count).collect();
        let l1_txs: Vec<L1Tx> = txs.iter().map(|tx| self.l1_tx(&tx.submission)).collect();
        let block = self.l1.add(l1_txs).id();
        for tx in &txs {
            self.outcomes
                .push((tx.life, tx.submission.id, TxOutcome::Included(block)));
        }
        self.included.push(txs);
        self.now = self.l1.head().header.timestamp * 1000;
        self.sequencer.sees(&self.l1);
        self.tell_tip();
        if self.tells_outcomes {
            self.tell_outcomes(|_| true, 0);
        }
    }

    pub(crate) fn tell_tip(&mut self) {
        let header = self.l1.head().header;
        self.tell(Event::L1Tip(L1Tip {
            number: header.number,
            time: header.timestamp,
        }));
    }

    fn l1_tx(&mut self, submission: &Submission) -> L1Tx {
        match &submission.payload {
            Payload::Calldata(data) => L1Tx::inbox(data.clone()),
            Payload::Blobs(data) => {
                let blobs: Vec<_> = data.iter().map(|data| blob(data)).collect();
                self.node.blobs.extend(blobs.iter().cloned());
                L1Tx::blobs(crate::support::BATCHER, crate::support::INBOX, &blobs)
            }
        }
    }

    /// Brings outcomes that the batcher does not know, in an order that follows from `order`.
    pub(crate) fn tell_outcomes(&mut self, wanted: impl Fn(u64) -> bool, order: u64) {
        let mut told = Vec::new();
        let life = self.life;
        self.outcomes.retain(|(of, id, outcome)| {
            let is_told = wanted(id.0);
            if is_told && *of == life {
                told.push((*id, outcome.clone()));
            }
            !is_told
        });
        // what is said of one transaction keeps its order
        told.sort_by_key(|(id, _)| keccak256([order.to_be_bytes(), id.0.to_be_bytes()].concat()));
        if order == 0 {
            told.sort_by_key(|(id, _)| *id);
        }
        for (id, outcome) in told {
            self.tell(Event::Transaction { id, outcome });
        }
    }

    /// A transaction of the pool fails.
    pub(crate) fn fail(&mut self, which: usize) {
        if self.pool.is_empty() {
            return;
        }
        let Some(tx) = self.pool.remove(which % self.pool.len()) else {
            return;
        };
        let outcome = if tx.is_abandoned {
            TxOutcome::Cancelled
        } else {
            TxOutcome::Failed("refused".to_owned())
        };
        self.outcomes.push((tx.life, tx.submission.id, outcome));
    }

    /// Abandoned transactions of the pool are cancelled, every one or every other one.
    pub(crate) fn cancel(&mut self, every: usize) {
        let mut index = 0;
        let outcomes = &mut self.outcomes;
        self.pool.retain(|tx| {
            index += 1;
            let is_cancelled = tx.is_abandoned && index % every == 0;
            if is_cancelled {
                outcomes.push((tx.life, tx.submission.id, TxOutcome::Cancelled));
            }
            !is_cancelled
        });
    }

    /// The last blocks of L1 are replaced by as many others, without transactions, and one more.
    pub(crate) fn l1_reorg(&mut self, depth: usize) {
        let depth = depth.min(self.included.len() - 1);
        if depth == 0 {
            return;
        }
        let shared = self.included.len() - depth;
        let out: Vec<PoolTx> = self.included.drain(shared..).flatten().collect();
        for tx in &out {
            self.outcomes
                .push((tx.life, tx.submission.id, TxOutcome::ReorgedOut));
        }
        for tx in out.into_iter().rev() {
            self.pool.push_front(tx);
        }
        self.l1 = self.l1.reorganised(shared);
        let blobs = core::mem::take(&mut self.node.blobs);
        self.node = Node::new(&self.l1);
        self.node.blobs = blobs;
        for _ in 0..=depth {
            self.l1_block(0);
        }
        let head = self.sequencer.head.number;
        let fork = (0..=head)
            .rev()
            .find(|number| {
                let origin = self.sequencer.engine.at(*number).l1_origin;
                self.l1.by_hash(origin.hash).is_some()
            })
            .unwrap();
        self.sequencer_at(fork);
    }

    /// The sequencer goes back to a block.
    pub(crate) fn sequencer_at(&mut self, number: u64) {
        self.sequencer.head = self.sequencer.engine.at(number);
        self.sequencer.config = self.sequencer.engine.blocks[&number]
            .system_config(&self.chain)
            .unwrap();
    }

    /// The sequencer forgets its newest blocks, and makes another one.
    pub(crate) fn l2_reorg(&mut self, depth: u64) {
        let safe = self.node.safe_number();
        let head = self.sequencer.head.number;
        self.sequencer_at(head.saturating_sub(depth).max(safe));
        self.l2_blocks(1, 3);
    }

    /// The node derives, and the sequencer follows what it finds.
    pub(crate) fn derive(&mut self) {
        self.node.l1 = self.l1.clone();
        let before = self.node.derived.len();
        self.node.run_to_end();
        let derived = self.node.derived[before..].iter();
        let numbers: Vec<u64> = derived.map(|derived| derived.parent.number + 1).collect();
        for number in numbers {
            let ours = self.node.engine.blocks[&number].clone();
            let is_same = number <= self.sequencer.head.number
                && self.sequencer.engine.blocks[&number].hash == ours.hash;
            if !is_same {
                self.adopted += 1;
                self.sequencer.engine.blocks.insert(number, ours);
                self.sequencer_at(number);
            }
        }
    }

    pub(crate) fn status(&self) -> SyncStatus {
        let safe = *self.node.pipeline.safe_head();
        SyncStatus {
            current_l1: self.node.pipeline.origin().copied().unwrap_or_default(),
            head_l1: self.l1.head().header.block_ref(),
            local_safe: safe,
            safe,
            unsafe_head: self.sequencer.head,
            finalized: L2BlockRef::default(),
        }
    }

    /// The batcher asks the node.
    pub(crate) fn poll(&mut self) {
        self.now += 2000;
        self.tell(Event::Sync(self.status()));
    }

    /// What L1 costs changes.
    pub(crate) fn fees(&mut self, base_fee: u128, blob_base_fee: u128) {
        self.tell(Event::Fees(FeeSample {
            base_fee,
            tip: 1,
            blob_base_fee,
        }));
    }

    /// Another process takes the batcher's place. What is in the pool stays there.
    pub(crate) fn restart(&mut self) {
        self.life += 1;
        let options = BatcherOptions {
            seed: B256::repeat_byte(u8::try_from(self.life % 256).unwrap()),
            ..self.options.clone()
        };
        self.batcher = Batcher::new(Arc::clone(&self.chain), options, self.now).unwrap();
        self.tell_tip();
    }

    pub(crate) fn safe(&self) -> BlockId {
        self.node.pipeline.safe_head().id()
    }

    /// Nothing goes wrong any more, until everything that the sequencer made is safe. Gives the L1
    /// blocks that it took; none if it does not come to that.
    pub(crate) fn settle(&mut self, most: usize) -> Option<usize> {
        for count in 0..most {
            if self.safe() == self.sequencer.head.id() {
                return Some(count);
            }
            self.l1_block(usize::MAX);
            self.tell_outcomes(|_| true, 0);
            self.derive();
            self.poll();
            self.poll();
        }
        None
    }

    /// Everything that the node derived, as it is now.
    #[track_caller]
    pub(crate) fn assert_derived(&self) {
        assert_eq!(self.safe(), self.sequencer.head.id());
        for number in 1..=self.sequencer.head.number {
            let derived = &self.node.engine.blocks[&number];
            let made = &self.sequencer.engine.blocks[&number];
            assert_eq!(derived.hash, made.hash, "block {number}");
            assert_eq!(derived.transactions, made.transactions, "block {number}");
        }
    }

    /// The L1 blocks that hold the batcher's data.
    pub(crate) fn l1_height(&self) -> L1BlockRef {
        self.l1.head().header.block_ref()
    }

    /// The L2 blocks as the engine has them.
    pub(crate) fn engine(&self) -> &Engine {
        &self.sequencer.engine
    }

    /// Transactions in the pool.
    pub(crate) fn pool_len(&self) -> usize {
        self.pool.len()
    }

    pub(crate) fn pass(&mut self, time: Millis) {
        self.now += time;
    }
}

/// Options under which nothing is closed by time: tests flush.
pub(crate) fn plain() -> BatcherOptions {
    BatcherOptions {
        max_pending_tx: 0,
        sub_safety_margin: 2,
        seed: B256::repeat_byte(0x5e),
        ..BatcherOptions::default()
    }
}
