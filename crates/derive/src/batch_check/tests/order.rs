//! The order of the rows: random batches, and opstack 3.7 written down once more.
//!
//! The transcription here lists *every* row that a batch breaks, in the order of the table, so
//! that it is also known which two rows were met at once: each row must have been met together
//! with one after it, or a change of their order would go unseen.

use super::{BatchDrop::*, Undecided::*, Validity::*, *};
use crate::{l1_window::L1Window, span_buffer::SpanBuffer};

/// Random numbers, the same in every run (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.roll(100) < chance
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.roll(length as u64)).unwrap()
    }

    fn of<T: Clone>(&mut self, options: &[T]) -> T {
        options[self.index(options.len())].clone()
    }
}

/// A case and the whole L1 chain, of which the case sees a part.
struct World {
    l1: Vec<L1BlockRef>,
    case: Case,
    /// The safe chain with its transactions, from genesis to the safe head.
    safe_chain: Vec<(L2BlockRef, Vec<Bytes>)>,
}

fn l1_chain(dice: &mut Dice) -> Vec<L1BlockRef> {
    let mut timestamp = T;
    (0u8..16)
        .map(|n| {
            let block = l1(0x40 + n, 1000 + u64::from(n), timestamp);
            timestamp += dice.of(&[1, 2, 7, 7, 12]);
            block
        })
        .collect()
}

/// A part of the L1 chain.
fn window(dice: &mut Dice, l1: &[L1BlockRef], start: usize) -> VecDeque<L1BlockRef> {
    let length = dice.of(&[0, 1, 1, 2, 2, 3, 3, 3, 4, 5]);
    l1[start..start + length].iter().copied().collect()
}

fn random_forks(dice: &mut Dice, chain: &mut ChainConfig, around: u64) {
    for fork in &Fork::ALL[2..] {
        let times = [None, None, Some(0), Some(0), Some(around)];
        let nearby = [Some(around - 1), Some(around + 1)];
        let time = if dice.percent(20) {
            dice.of(&nearby)
        } else {
            dice.of(&times)
        };
        chain.rollup.forks.set(*fork, time);
    }
    if dice.percent(30) {
        chain.rules = RuleSet::Celo.rules();
    }
}

/// A wrong value now and then.
fn hash_or_wrong(dice: &mut Dice, hash: B256) -> B256 {
    if dice.percent(12) {
        B256::repeat_byte(0xee)
    } else {
        hash
    }
}

fn random_singular(dice: &mut Dice) -> World {
    let l1 = l1_chain(dice);
    let start = 1 + dice.index(2);
    let l1_blocks = window(dice, &l1, start);
    let origin = l1[start - usize::from(dice.percent(15))];
    let lead = dice.of(&[0, 1, 2, 4, 6, 8, 1800]);
    let safe_head = l2(0x20, 100, 0x1f, origin.timestamp + lead, origin);
    let included_in = l1[start + dice.index(7)];
    let timestamp = safe_head.timestamp + dice.of(&[2, 2, 2, 2, 2, 2, 2, 2, 3, 4, 0, 1]);
    let epoch = match dice.roll(10) {
        0 => start - 1,
        1 => start + 2,
        2..6 => start + 1,
        _ => start,
    };
    let pool: [&[u8]; 6] = [&[2, 1], &[4, 1], &[], &[0x7e], &[0x7d, 0xc0], &[0x7b]];
    let tx_count = dice.of(&[0, 0, 0, 0, 1, 1, 2, 3]);
    let txs: Vec<_> = (0..tx_count).map(|_| dice.of(&pool)).collect();
    let batch = SingularBatch {
        parent_hash: hash_or_wrong(dice, safe_head.hash),
        epoch_num: l1[epoch].number,
        epoch_hash: hash_or_wrong(dice, l1[epoch].hash),
        timestamp,
        transactions: txs.iter().collect(),
    };
    let mut case = Case::new(&[], safe_head, included_in, Subject::Singular(batch));
    case.l1_blocks = l1_blocks;
    random_forks(dice, &mut case.chain, safe_head.timestamp + 2);
    if dice.percent(30) {
        let time = dice.of(&[included_in.timestamp, included_in.timestamp + 1]);
        case = case.fork(Fork::Holocene, time);
    }
    World {
        l1,
        case,
        safe_chain: Vec::new(),
    }
}

impl World {
    fn active(&self, fork: Fork, time: u64) -> bool {
        let activation = self.case.chain.rollup.forks.time(fork);
        activation.is_some_and(|activation| activation <= time)
    }

    fn holocene(&self) -> bool {
        self.active(Fork::Holocene, self.case.included_in.timestamp)
    }

    fn activates(&self, fork: Fork, time: u64) -> bool {
        self.active(fork, time) && !self.active(fork, time - 2)
    }

    fn celo(&self) -> bool {
        self.case.chain.rules == RuleSet::Celo.rules()
    }

    /// Any L1 block, whether the case sees it or not.
    fn l1_block(&self, number: u64) -> Option<&L1BlockRef> {
        self.l1.iter().find(|block| block.number == number)
    }

    fn in_window(&self, number: u64) -> Option<&L1BlockRef> {
        let mut window = self.case.l1_blocks.iter();
        window.find(|block| block.number == number)
    }

    fn expired(&self, epoch: u64) -> bool {
        epoch + 4 < self.case.included_in.number
    }

    fn beyond_drift(&self, origin: &L1BlockRef, timestamp: u64) -> bool {
        let fjord = self.active(Fork::Fjord, origin.timestamp);
        let drift = if fjord { 1800 } else { 6 };
        timestamp > origin.timestamp + drift
    }

    /// Rows 15 to 17, transaction by transaction.
    fn broken_by_transactions<'a>(
        &self,
        txs: impl Iterator<Item = &'a [u8]>,
        timestamp: u64,
        span_before_holocene: bool,
    ) -> Vec<Validity> {
        let lenient = self.celo() && span_before_holocene;
        let mut rows = Vec::new();
        for tx in txs {
            // opstack 3.7 #15
            if tx.is_empty() {
                rows.push(Drop(EmptyTransaction));
            // opstack 3.7 #16
            } else if tx[0] == 0x7e {
                rows.push(Drop(DepositTransaction));
            // opstack 3.7 #17
            } else if tx[0] == 0x04 && !self.active(Fork::Isthmus, timestamp) && !lenient {
                rows.push(Drop(SetCodeTransaction));
            // opstack-2026-09 3.7 *1
            } else if tx[0] == 0x7d && !self.active(Fork::Lagoon, timestamp) && !self.celo() {
                rows.push(Drop(PostExecTransaction));
            }
        }
        rows
    }

    /// Every row of the table for singular batches that the batch breaks, in order.
    fn broken_singular(&self) -> Vec<Validity> {
        let Subject::Singular(batch) = &self.case.subject else {
            panic!("not a singular batch");
        };
        let mut rows = Vec::new();
        let mut row = |broken: bool, validity| {
            if broken {
                rows.push(validity);
            }
        };
        let next = self.case.safe_head.timestamp + 2;
        let (time, holocene) = (batch.timestamp, self.holocene());
        // opstack 3.7 #1
        row(self.case.l1_blocks.is_empty(), Undecided(NoL1Blocks));
        let Some(epoch) = self.case.l1_blocks.front() else {
            return rows;
        };
        // opstack 3.7 #2
        let future = if holocene {
            Drop(BatchDrop::Future)
        } else {
            Validity::Future
        };
        row(time > next, future);
        // opstack 3.7 #3
        row(time < next, if holocene { Past } else { Drop(Old) });
        // opstack 3.7 #4
        let other_parent = batch.parent_hash != self.case.safe_head.hash;
        row(other_parent, Drop(ParentHash));
        // opstack 3.7 #5
        row(self.expired(batch.epoch_num), Drop(SequencingWindow));
        // opstack 3.7 #6
        row(batch.epoch_num < epoch.number, Drop(EpochTooOld));
        // opstack 3.7 #7
        let next_epoch = self.case.l1_blocks.get(1);
        let is_next = batch.epoch_num == epoch.number + 1;
        row(is_next && next_epoch.is_none(), Undecided(NextEpoch));
        // opstack 3.7 #8
        row(batch.epoch_num > epoch.number + 1, Drop(EpochTooNew));
        let origin = self.l1_block(batch.epoch_num).unwrap();
        // opstack 3.7 #9
        row(batch.epoch_hash != origin.hash, Drop(EpochHash));
        // opstack 3.7 #10
        row(time < origin.timestamp, Drop(BeforeOrigin));
        // opstack 3.7 #11
        let empty = batch.transactions.is_empty();
        let upgrades = [Fork::Jovian, Fork::Karst, Fork::Lagoon];
        let upgrade = upgrades.iter().any(|fork| self.activates(*fork, time));
        row(upgrade && !empty, Drop(ActivationBlock));
        let beyond = self.beyond_drift(origin, time);
        if beyond && empty && origin.number == epoch.number {
            // opstack 3.7 #12
            row(next_epoch.is_none(), Undecided(NextEpoch));
            // opstack 3.7 #13
            let late = next_epoch.is_some_and(|next| time >= next.timestamp);
            row(late, Drop(DriftWithoutAdvance));
        }
        // opstack 3.7 #14
        row(beyond && !empty, Drop(Drift));
        let txs = batch.transactions.iter_slices();
        rows.extend(self.broken_by_transactions(txs, time, false));
        rows
    }
}

/// What was met in many random cases.
#[derive(Default)]
struct Met {
    /// For each verdict, the rows that the batch broke beside the one that decided.
    verdicts: Vec<(Validity, Vec<Validity>)>,
}

impl Met {
    fn add(&mut self, rows: &[Validity]) -> Validity {
        let verdict = rows.first().copied().unwrap_or(Accept);
        let position = self.verdicts.iter().position(|(met, _)| *met == verdict);
        let position = position.unwrap_or_else(|| {
            self.verdicts.push((verdict, Vec::new()));
            self.verdicts.len() - 1
        });
        let others = &mut self.verdicts[position].1;
        for row in rows.iter().skip(1) {
            if !others.contains(row) {
                others.push(*row);
            }
        }
        verdict
    }

    fn has(&self, verdict: Validity) -> bool {
        self.verdicts.iter().any(|(met, _)| *met == verdict)
    }

    /// Those pairs of rows of which no batch broke both in such a way that the first one decided.
    fn missing(&self, pairs: &[(Validity, Validity)]) -> Vec<(Validity, Validity)> {
        let not_met = |(first, second): &(Validity, Validity)| {
            let met = self.verdicts.iter().find(|(met, _)| met == first);
            met.is_none_or(|(_, others)| !others.contains(second))
        };
        pairs.iter().copied().filter(not_met).collect()
    }
}

#[test]
fn random_singular_batches_are_judged_by_the_first_row_that_they_break() {
    let mut dice = Dice(1);
    let mut met = Met::default();
    for _ in 0..30_000 {
        let world = random_singular(&mut dice);
        let expected = met.add(&world.broken_singular());
        assert_eq!(world.case.check(), expected, "{:#?}", world.case);
    }
    for verdict in [Accept, Undecided(NoL1Blocks), Drop(DriftWithoutAdvance)] {
        assert!(met.has(verdict), "{verdict:?}");
    }
    let pairs = [
        (Validity::Future, Drop(ParentHash)),
        (Drop(BatchDrop::Future), Drop(ParentHash)),
        (Past, Drop(ParentHash)),
        (Drop(Old), Drop(ParentHash)),
        (Drop(ParentHash), Drop(SequencingWindow)),
        (Drop(SequencingWindow), Drop(EpochTooOld)),
        (Drop(EpochTooOld), Drop(EpochHash)),
        (Undecided(NextEpoch), Drop(EpochHash)),
        (Drop(EpochTooNew), Drop(EpochHash)),
        (Drop(EpochHash), Drop(BeforeOrigin)),
        (Drop(EpochHash), Drop(ActivationBlock)),
        (Drop(BeforeOrigin), Drop(ActivationBlock)),
        (Drop(BeforeOrigin), Drop(EmptyTransaction)),
        (Drop(ActivationBlock), Drop(Drift)),
        (Drop(Drift), Drop(EmptyTransaction)),
        (Drop(Drift), Drop(DepositTransaction)),
        (Drop(Drift), Drop(SetCodeTransaction)),
        (Drop(Drift), Drop(PostExecTransaction)),
        (Drop(EmptyTransaction), Drop(DepositTransaction)),
        (Drop(DepositTransaction), Drop(EmptyTransaction)),
        (Drop(SetCodeTransaction), Drop(PostExecTransaction)),
        (Drop(PostExecTransaction), Drop(SetCodeTransaction)),
    ];
    assert_eq!(met.missing(&pairs), []);
}

/// Transactions that spans carry, made once: signatures cost time.
struct Pool {
    ordinary: [Bytes; 2],
    of_forks: [Bytes; 2],
}

impl Pool {
    fn new() -> Self {
        Self {
            ordinary: [0, 1].map(ordinary_tx),
            of_forks: [set_code_tx(), post_exec_tx()],
        }
    }

    fn txs(&self, dice: &mut Dice, celo: bool) -> Vec<Bytes> {
        let count = dice.of(&[0, 0, 0, 1, 1, 2]);
        let tx = |dice: &mut Dice| {
            if !dice.percent(20) {
                return dice.of(&self.ordinary);
            }
            // Celo's lineage does not decode spans with the other one
            dice.of(&self.of_forks[..2 - usize::from(celo)])
        };
        (0..count).map(|_| tx(dice)).collect()
    }
}

fn random_span(dice: &mut Dice, pool: &Pool) -> World {
    let l1 = l1_chain(dice);
    let mut case = Case::new(&[], A0, A, Subject::Span(Vec::new()));
    let genesis = &mut case.chain.rollup.genesis;
    (genesis.l2_time, genesis.l2.number) = (T, 100);
    let safe_blocks = 1 + dice.index(8);
    random_forks(dice, &mut case.chain, T + 2 * safe_blocks as u64);
    if dice.percent(85) {
        case.chain.rollup.forks.delta = Some(0);
    }
    let celo = case.chain.rules == RuleSet::Celo.rules();
    let mut safe_chain = Vec::new();
    let mut origin = 0;
    for n in 0..safe_blocks {
        let timestamp = T + 2 * n as u64;
        origin += usize::from(timestamp >= l1[origin + 1].timestamp && dice.percent(70));
        let n = u8::try_from(n).unwrap();
        let block = l2(
            0x20 + n,
            100 + u64::from(n),
            0x1f + n,
            timestamp,
            l1[origin],
        );
        let txs = pool.txs(dice, celo);
        let block_ref = (!dice.percent(8)).then_some(block);
        case.safe_blocks
            .insert(block.number, safe_block(block_ref, &txs));
        safe_chain.push((block, txs));
    }
    case.safe_head = safe_chain[safe_blocks - 1].0;
    let start = origin + usize::from(dice.percent(15));
    case.l1_blocks = window(dice, &l1, start);
    case.included_in = l1[start + dice.index(6)];
    let delta = case.chain.rollup.forks.delta;
    if delta.is_some_and(|delta| delta > 0) && dice.percent(50) {
        case.chain.rollup.forks.delta = Some(l1[start + 1].timestamp);
    }
    case.first_origin_bit = dice.percent(50);
    let next = case.safe_head.timestamp + 2;
    let first =
        next - dice.of(&[0, 0, 0, 2, 2, 4, 6, 1, 3]) + dice.of(&[0, 0, 0, 0, 0, 0, 0, 1, 2]);
    let batches = random_blocks(dice, pool, &l1, &safe_chain, first.max(T), celo);
    case.subject = Subject::Span(batches);
    World {
        l1,
        case,
        safe_chain,
    }
}

/// Blocks of a span: as the safe chain has them, and as one could go on from it.
fn random_blocks(
    dice: &mut Dice,
    pool: &Pool,
    l1: &[L1BlockRef],
    safe_chain: &[(L2BlockRef, Vec<Bytes>)],
    first: u64,
    celo: bool,
) -> Vec<SingularBatch> {
    let shift = dice.of(&[1, 1, 1, 1, 1, 0, 0, 2, 3]);
    let before = safe_chain
        .iter()
        .rfind(|(block, _)| block.timestamp < first);
    let mut epoch = before.map_or(1000, |(block, _)| block.l1_origin.number);
    let parent_hash = before.map_or(B256::ZERO, |(block, _)| block.hash);
    let count = 1 + dice.roll(6);
    let mut batches: Vec<_> = (0..count)
        .map(|n| {
            let timestamp = first + 2 * n;
            let safe = safe_chain
                .iter()
                .find(|(block, _)| block.timestamp == timestamp);
            let txs = match safe {
                Some((block, txs)) => {
                    epoch = block.l1_origin.number;
                    match dice.roll(6) {
                        0 => pool.txs(dice, celo),
                        1 => txs.iter().map(|_| dice.of(&pool.ordinary)).collect(),
                        _ => txs.clone(),
                    }
                }
                None => {
                    epoch += u64::from(dice.percent(40));
                    pool.txs(dice, celo)
                }
            };
            SingularBatch {
                parent_hash: B256::ZERO,
                epoch_num: epoch + shift - 1,
                epoch_hash: B256::ZERO,
                timestamp,
                transactions: txs.iter().collect(),
            }
        })
        .collect();
    batches[0].parent_hash = hash_or_wrong(dice, parent_hash);
    let last = batches.last_mut().unwrap();
    let origin = l1.iter().find(|block| block.number == last.epoch_num);
    let origin_hash = origin.map_or(B256::ZERO, |block| block.hash);
    last.epoch_hash = hash_or_wrong(dice, origin_hash);
    batches
}

impl World {
    fn blocks(&self) -> &[SingularBatch] {
        match &self.case.subject {
            Subject::Span(batches) => batches,
            Subject::Singular(_) => panic!("not a span"),
        }
    }

    /// The block that the span builds on, if its times fit and there is one.
    fn parent(&self, first: u64) -> Option<&L2BlockRef> {
        let safe = &self.case.safe_head;
        if first >= safe.timestamp + 2 {
            return Some(safe);
        }
        let found = self
            .safe_chain
            .iter()
            .find(|(block, _)| block.timestamp + 2 == first);
        let (block, _) = found?;
        let known = self.case.safe_blocks.get(block.number).unwrap();
        known.block_ref.is_some().then_some(block)
    }

    /// Every row of the table for spans that the span breaks, in order.
    fn broken_prefix(&self) -> Vec<Validity> {
        let mut rows = Vec::new();
        let mut row = |broken: bool, validity| {
            if broken {
                rows.push(validity);
            }
        };
        let (blocks, holocene) = (self.blocks(), self.holocene());
        let (start, end) = (&blocks[0], &blocks[blocks.len() - 1]);
        let safe = &self.case.safe_head;
        let next = safe.timestamp + 2;
        // opstack 3.7 span #1
        row(self.case.l1_blocks.is_empty(), Undecided(NoL1Blocks));
        let Some(epoch) = self.case.l1_blocks.front() else {
            return rows;
        };
        // opstack 3.7 span #2
        let next_epoch = self.case.l1_blocks.get(1);
        let starts_next = start.epoch_num == epoch.number + 1;
        row(starts_next && next_epoch.is_none(), Undecided(NextEpoch));
        // opstack 3.7 span #3
        let origin = epoch.number + u64::from(starts_next);
        let origin = self.l1_block(origin).unwrap();
        let delta = self.active(Fork::Delta, origin.timestamp);
        row(!delta, Drop(SpanBeforeDelta));
        // opstack 3.7 span #4
        let future = if holocene {
            Drop(SpanFuture)
        } else {
            Validity::Future
        };
        row(start.timestamp > next, future);
        // opstack 3.7 span #5
        let old = if holocene { Past } else { Drop(SpanOld) };
        row(end.timestamp < next, old);
        // opstack 3.7 span #6
        let overlaps = start.timestamp < next;
        let aligned = start.timestamp % 2 == next % 2;
        row(overlaps && !aligned, Drop(SpanMisaligned));
        // opstack 3.7 span #7
        let parent = self.parent(start.timestamp);
        row(aligned && parent.is_none(), Undecided(NoParent));
        // opstack 3.7 span #8
        let fits = parent.is_none_or(|parent| parent.hash[..20] == start.parent_hash[..20]);
        row(!fits, Drop(SpanParentHash));
        // opstack 3.7 span #9
        row(self.expired(start.epoch_num), Drop(SpanSequencingWindow));
        // opstack 3.7 span #10
        let too_new = parent.is_some_and(|parent| start.epoch_num > parent.l1_origin.number + 1);
        row(too_new, Drop(SpanEpochTooNew));
        // opstack 3.7 span #11
        let last = self.in_window(end.epoch_num);
        let other_origin = last.is_some_and(|last| last.hash[..20] != end.epoch_hash[..20]);
        row(other_origin, Drop(SpanOriginHash));
        // opstack 3.7 span #12
        row(last.is_none(), Undecided(LastOrigin));
        // opstack 3.7 span #13
        let too_old = parent.is_some_and(|parent| start.epoch_num < parent.l1_origin.number);
        row(too_old, Drop(SpanEpochTooOld));
        rows
    }

    /// The checks of each new block before Holocene.
    fn broken_blocks(&self) -> Vec<Validity> {
        let mut rows = Vec::new();
        let blocks = self.blocks();
        let safe = &self.case.safe_head;
        for (index, block) in blocks.iter().enumerate() {
            let time = block.timestamp;
            if time <= safe.timestamp {
                continue;
            }
            if block.epoch_num < safe.l1_origin.number {
                rows.push(Drop(SpanBlockEpochTooOld));
            }
            if self.in_window(block.epoch_num).is_none() {
                rows.push(Drop(SpanBlockOriginUnknown));
            }
            let Some(origin) = self.l1_block(block.epoch_num) else {
                continue;
            };
            if time < origin.timestamp {
                rows.push(Drop(BeforeOrigin));
            }
            let advances = match index.checked_sub(1) {
                Some(before) => block.epoch_num > blocks[before].epoch_num,
                None => self
                    .parent(time)
                    .is_some_and(|parent| block.epoch_num == parent.l1_origin.number + 1),
            };
            let (empty, beyond) = (
                block.transactions.is_empty(),
                self.beyond_drift(origin, time),
            );
            if beyond && empty && !advances {
                match self.in_window(block.epoch_num + 1) {
                    None => rows.push(Undecided(NextEpoch)),
                    Some(next) if time >= next.timestamp => {
                        rows.push(Drop(DriftWithoutAdvance));
                    }
                    Some(_) => {}
                }
            }
            if beyond && !empty {
                rows.push(Drop(Drift));
            }
            let txs = block.transactions.iter_slices();
            rows.extend(self.broken_by_transactions(txs, time, true));
        }
        rows
    }

    /// The comparison with the safe chain.
    fn broken_overlap(&self) -> Vec<Validity> {
        let mut rows = Vec::new();
        for block in self.blocks() {
            let safe = self
                .safe_chain
                .iter()
                .find(|(safe, _)| safe.timestamp == block.timestamp);
            let Some((safe, safe_txs)) = safe else {
                continue;
            };
            let txs: Vec<_> = block.transactions.iter().collect();
            if txs.len() != safe_txs.len() {
                rows.push(Drop(OverlapCount));
            } else if txs != *safe_txs {
                rows.push(Drop(OverlapTransactions));
            }
            let known = self.case.safe_blocks.get(safe.number).unwrap();
            if known.block_ref.is_none() {
                rows.push(Drop(OverlapL1Info));
            } else if safe.l1_origin.number != block.epoch_num {
                rows.push(Drop(OverlapOrigin));
            }
        }
        rows
    }

    /// What is found only when the blocks of an accepted span are taken out of it.
    fn broken_extraction(&self) -> Vec<BatchDrop> {
        let safe = &self.case.safe_head;
        let new = self
            .blocks()
            .iter()
            .filter(|block| block.timestamp > safe.timestamp);
        let mut rows = Vec::new();
        for block in new {
            if block.epoch_num < safe.l1_origin.number {
                rows.push(SpanBlockEpochTooOld);
            } else if self.in_window(block.epoch_num).is_none() {
                rows.push(SpanBlockOriginUnknown);
            }
        }
        rows
    }

    fn broken_span(&self) -> Vec<Validity> {
        let mut rows = self.broken_prefix();
        if !self.holocene() {
            rows.extend(self.broken_blocks());
            rows.extend(self.broken_overlap());
        } else if !self.celo() {
            rows.extend(self.broken_overlap());
        }
        rows
    }

    /// What the code says when it takes an accepted span apart.
    fn extract(&self) -> Result<(), BatchDrop> {
        let mut blocks = self.case.l1_blocks.iter();
        let mut window = L1Window::new(*blocks.next().unwrap());
        for block in blocks {
            window.update(block, &L2BlockRef::default());
        }
        let cursor = self.case.span(self.blocks());
        SpanBuffer::default().fill(cursor, &window, &self.case.safe_head)
    }
}

#[test]
fn random_span_batches_are_judged_by_the_first_row_that_they_break() {
    let mut dice = Dice(2);
    let pool = Pool::new();
    let mut before_holocene = Met::default();
    let mut holocene = Met::default();
    let mut extracted = Vec::new();
    for _ in 0..60_000 {
        let world = random_span(&mut dice, &pool);
        let rows = world.broken_span();
        let met = if world.holocene() {
            &mut holocene
        } else {
            &mut before_holocene
        };
        let expected = met.add(&rows);
        assert_eq!(world.case.check(), expected, "{:#?}", world.case);
        if expected == Accept {
            let broken = world.broken_extraction();
            let expected = broken.first().map_or(Ok(()), |broken| Err(*broken));
            assert_eq!(world.extract(), expected, "{:#?}", world.case);
            if !extracted.contains(&expected) {
                extracted.push(expected);
            }
        }
    }
    extracted.sort_by_key(|result| format!("{result:?}"));
    let expected = [
        Err(SpanBlockEpochTooOld),
        Err(SpanBlockOriginUnknown),
        Ok(()),
    ];
    assert_eq!(extracted, expected);
    let prefix = [
        (Undecided(NextEpoch), Drop(SpanBeforeDelta)),
        (Undecided(NextEpoch), Drop(SpanParentHash)),
        (Drop(SpanBeforeDelta), Drop(SpanMisaligned)),
        (Drop(SpanMisaligned), Drop(SpanSequencingWindow)),
        (Undecided(NoParent), Drop(SpanSequencingWindow)),
        (Drop(SpanParentHash), Drop(SpanSequencingWindow)),
        (Drop(SpanSequencingWindow), Drop(SpanEpochTooNew)),
        (Drop(SpanSequencingWindow), Drop(SpanOriginHash)),
        (Drop(SpanEpochTooNew), Drop(SpanOriginHash)),
        (Drop(SpanEpochTooNew), Undecided(LastOrigin)),
        (Drop(SpanOriginHash), Drop(SpanEpochTooOld)),
        (Undecided(LastOrigin), Drop(SpanEpochTooOld)),
        (Drop(OverlapCount), Drop(OverlapOrigin)),
        (Drop(OverlapCount), Drop(OverlapL1Info)),
        (Drop(OverlapTransactions), Drop(OverlapOrigin)),
        (Drop(OverlapTransactions), Drop(OverlapL1Info)),
        (Drop(OverlapOrigin), Drop(OverlapCount)),
    ];
    for met in [&before_holocene, &holocene] {
        assert!(met.has(Accept) && met.has(Undecided(NoL1Blocks)));
        assert_eq!(met.missing(&prefix), []);
    }
    let under_holocene = [
        (Drop(SpanBeforeDelta), Drop(SpanFuture)),
        (Drop(SpanBeforeDelta), Past),
        (Drop(SpanFuture), Drop(SpanParentHash)),
        (Past, Drop(SpanMisaligned)),
        (Drop(SpanEpochTooOld), Drop(OverlapOrigin)),
    ];
    assert_eq!(holocene.missing(&under_holocene), []);
    let whole_spans = [
        (Drop(SpanBeforeDelta), Validity::Future),
        (Drop(SpanBeforeDelta), Drop(SpanOld)),
        (Validity::Future, Drop(SpanParentHash)),
        (Drop(SpanOld), Drop(SpanMisaligned)),
        (Drop(SpanEpochTooOld), Drop(SpanBlockEpochTooOld)),
        (Drop(SpanBlockEpochTooOld), Drop(SpanBlockOriginUnknown)),
        (Drop(SpanBlockOriginUnknown), Drop(Drift)),
        (Drop(BeforeOrigin), Drop(SetCodeTransaction)),
        (Drop(Drift), Drop(SetCodeTransaction)),
        (Drop(Drift), Drop(OverlapCount)),
        (Drop(DriftWithoutAdvance), Drop(OverlapCount)),
        (Undecided(NextEpoch), Drop(OverlapCount)),
        (Drop(SetCodeTransaction), Drop(PostExecTransaction)),
        (Drop(PostExecTransaction), Drop(SetCodeTransaction)),
        (Drop(PostExecTransaction), Drop(OverlapCount)),
        (Drop(SetCodeTransaction), Drop(OverlapOrigin)),
    ];
    assert_eq!(before_holocene.missing(&whole_spans), []);
}
