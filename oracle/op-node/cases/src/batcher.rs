//! The batcher: batches → channels → frames → data items → L1 transactions, each step with a
//! chance that something is wrong.

use crate::{
    l1::{INBOX, Key, L1, L1Tx},
    random::Random,
    sequencer::{Made, Sequencer},
};
use alloy_primitives::{B256, Bytes, TxKind};
use doppio_protocol::{
    batch::{SingularBatch, SpanBatchWriter, SpanParams, TransactionList},
    blob::{BLOB_SIZE, encode_blob},
    config::{ChainConfig, Fork},
    frame::{ChannelId, Frame, split_channel},
    rlp,
};
use std::{collections::VecDeque, io::Write, sync::Arc};

/// What a batcher has at hand.
#[derive(Clone, Debug)]
pub(crate) struct Batcher {
    chain: Arc<ChainConfig>,
    hostility: u64,
    /// Frames that are still to be posted.
    frames: VecDeque<Frame>,
    /// Frames that are held back, and the L1 block that they wait for.
    late: Vec<(u64, Frame)>,
    /// Frames that were posted.
    posted: Vec<Frame>,
    /// Ids of channels so far.
    ids: Vec<ChannelId>,
    pub(crate) key: Key,
}

impl Batcher {
    pub(crate) fn new(chain: &Arc<ChainConfig>, hostility: u64, key: Key) -> Self {
        Self {
            chain: Arc::clone(chain),
            hostility,
            frames: VecDeque::new(),
            late: Vec::new(),
            posted: Vec::new(),
            ids: Vec::new(),
            key,
        }
    }

    fn wrong(&self, random: &mut Random) -> bool {
        random.percent(self.hostility)
    }

    /// What is posted in the next L1 block.
    pub(crate) fn post(
        &mut self,
        random: &mut Random,
        sequencer: &mut Sequencer,
        l1: &mut L1,
    ) -> Vec<L1Tx> {
        let time = l1.head().header.timestamp;
        for _ in 0..random.weighted(&[2, 8, 2, 1]) {
            let channel = self.channel(random, sequencer, time);
            self.cut(random, channel.into());
        }
        self.disturb_frames(random);
        self.hold_back(random, l1.head().header.number);
        let mut count = match random.below(4) {
            0 => random.below(self.frames.len() + 1),
            _ => self.frames.len(),
        };
        let mut transactions = Vec::new();
        while count > 0 {
            let mut items = Vec::new();
            for _ in 0..=random.weighted(&[6, 2, 1]) {
                let some = random.range(1, 3).min(count as u64) as usize;
                let frames: Vec<_> = self.frames.drain(..some).collect();
                count -= some;
                items.push(self.item(random, &frames));
                self.posted.extend(frames);
                if count == 0 {
                    break;
                }
            }
            self.transactions(random, l1, time, items, &mut transactions);
        }
        while self.wrong(random) {
            let junk = self.junk(random);
            self.transactions(random, l1, time, vec![junk], &mut transactions);
        }
        transactions
    }

    /// The bytes of a new channel.
    fn channel(&self, random: &mut Random, sequencer: &mut Sequencer, time: u64) -> Vec<u8> {
        let again = random.percent(20);
        let from = match again {
            // some once more, as far as they follow each other
            true => {
                let least = sequencer.taken.saturating_sub(random.below(12));
                let follows = |index: &usize| {
                    let pair = index.checked_sub(1).map(|before| &sequencer.made[before..]);
                    matches!(pair, Some([before, after, ..])
                        if before.block.hash == after.batch.parent_hash)
                };
                let mut from = sequencer.taken;
                while from > least && (from == sequencer.made.len() || follows(&from)) {
                    from -= 1;
                }
                from
            }
            false => sequencer.taken,
        };
        let until = match random.below(5) {
            0 => from + random.below(sequencer.made.len() - from + 1),
            _ => sequencer.made.len(),
        };
        let mut made = sequencer.made[from..until].to_vec();
        sequencer.taken = sequencer.taken.max(until);
        let mut plain = Vec::new();
        let batches = match self.span(random, &made) {
            // a span that overlaps what is safe, and may differ from it
            Some(span) if again && random.percent(80) && self.wrong_in_span(random, &mut made) => {
                vec![self.span(random, &made).unwrap_or(span)]
            }
            Some(span) if again && random.percent(50) => vec![span],
            _ => self.batches(random, made, time),
        };
        for mut bytes in batches {
            if self.wrong(random) {
                random.damage(&mut bytes);
            }
            rlp::put_string(&bytes, &mut plain);
        }
        if self.hostility > 0 && random.permille(1) {
            // more than a channel may hold, or just not
            let length = random.pick(&[9_990_000, 10_000_000, 10_100_000]);
            let fjord = self.chain.active(Fork::Fjord, time);
            let length = if fjord && random.percent(20) {
                10 * length
            } else {
                length
            };
            let at = random.pick(&[0, plain.len()]);
            let mut string = Vec::new();
            rlp::put_string(&vec![0; length], &mut string);
            plain.splice(at..at, string);
        }
        if self.wrong(random) {
            match random.below(3) {
                0 => random.damage(&mut plain),
                1 => rlp::put_string(&[], &mut plain),
                _ => plain.extend([0xc1, 0x05]),
            }
        }
        let mut channel = self.compress(random, &plain, time);
        if self.wrong(random) {
            random.damage(&mut channel);
        }
        channel
    }

    /// Makes a span a wrong one, mostly where it overlaps others; false if it cannot.
    fn wrong_in_span(&self, random: &mut Random, made: &mut [Made]) -> bool {
        if made.is_empty() || !random.percent(2 * self.hostility + 20) {
            return false;
        }
        let before = random.pick(&[made.len(), made.len().div_ceil(2)]);
        let full: Vec<_> = (0..before)
            .filter(|index| !made[*index].batch.transactions.is_empty())
            .collect();
        let at = match full.len() {
            0 => random.below(before),
            n => full[random.below(n)],
        };
        let other = random.below(made.len());
        let others = made[other].batch.transactions.clone();
        let mut transactions: Vec<_> = made[at].batch.transactions.iter().collect();
        let block_time = self.chain.rollup.block_time;
        match random.below(10) {
            0 => {
                transactions.pop();
            }
            1 => transactions.extend(transactions.first().cloned()),
            2 => transactions.reverse(),
            // an epoch that begins later
            3 => {
                let begin = (1..made.len()).find(|index| {
                    *index >= at / 2
                        && made[*index].batch.epoch_num > made[*index - 1].batch.epoch_num
                });
                if let Some(begin) = begin {
                    made[begin].batch.epoch_num = made[begin - 1].batch.epoch_num;
                }
            }
            // as many, but others
            4 | 5 => {
                let mut others = others.iter();
                for transaction in &mut transactions {
                    if let Some(other) = others.next() {
                        *transaction = other;
                    }
                }
            }
            6 => {
                let by = random.pick(&[1, block_time, 100]);
                for one in made.iter_mut() {
                    let time = &mut one.batch.timestamp;
                    *time = if other.is_multiple_of(2) {
                        time.wrapping_add(by)
                    } else {
                        time.wrapping_sub(by)
                    };
                }
            }
            7 | 8 => {
                let by = random.pick(&[1, 1, 2, 5]);
                for one in made[at..].iter_mut() {
                    let number = &mut one.batch.epoch_num;
                    *number = if other.is_multiple_of(2) {
                        number.wrapping_add(by)
                    } else {
                        number.wrapping_sub(by)
                    };
                }
            }
            _ => {
                if let Some(last) = made.last_mut() {
                    last.batch.epoch_hash = random.word();
                }
            }
        }
        made[at].batch.transactions = transactions.into_iter().collect();
        true
    }

    /// Batches of the blocks, encoded.
    fn batches(&self, random: &mut Random, mut made: Vec<Made>, time: u64) -> Vec<Vec<u8>> {
        for one in &mut made {
            if self.wrong(random) {
                self.spoil(random, &mut one.batch);
            }
        }
        if self.wrong(random) && made.len() > 1 {
            let (a, b) = (random.below(made.len()), random.below(made.len()));
            match random.below(3) {
                0 => made.swap(a, b),
                1 => {
                    made.remove(a);
                }
                _ => made.insert(a, made[b].clone()),
            }
        }
        let spans = if self.chain.active(Fork::Delta, time) {
            60
        } else {
            3
        };
        let mut encoded = Vec::new();
        let mut rest = made.as_slice();
        while !rest.is_empty() {
            let count = random.range(1, rest.len() as u64) as usize;
            let count = random.pick(&[count, rest.len()]);
            let (now, later) = rest.split_at(count);
            match self.span(random, now) {
                Some(span) if random.percent(spans) => encoded.push(span),
                _ => encoded.extend(now.iter().map(|one| one.batch.encode())),
            }
            // spans that overlap
            rest = if random.percent(10) && now.len() > 1 && later.len() < made.len() {
                let again = random.below(now.len());
                if random.percent(50) {
                    &rest[count - again..]
                } else {
                    later
                }
            } else {
                later
            };
        }
        encoded
    }

    fn span(&self, random: &mut Random, made: &[Made]) -> Option<Vec<u8>> {
        let rollup = &self.chain.rollup;
        let mut writer = SpanBatchWriter::new(SpanParams {
            genesis_time: rollup.genesis.l2_time,
            block_time: rollup.block_time,
            chain_id: rollup.l2_chain_id,
            post_exec: self.chain.rules.post_exec_known,
            celo_dynamic_fee_v2: self.chain.profile.celo_dynamic_fee_v2(),
        });
        for one in made {
            let first = one.first_of_epoch != self.wrong(random);
            writer.push(&one.batch, u64::from(!first)).ok()?;
        }
        writer.encode().ok()
    }

    /// Makes one field wrong.
    fn spoil(&self, random: &mut Random, batch: &mut SingularBatch) {
        match random.below(9) {
            0 => batch.parent_hash = random.word(),
            1 => batch.epoch_hash = random.word(),
            2 => batch.epoch_num += 1,
            3 => batch.epoch_num = batch.epoch_num.saturating_sub(1),
            4 => {
                let by = random.pick(&[1, self.chain.rollup.block_time, 100]);
                batch.timestamp = batch.timestamp.wrapping_add(by);
            }
            5 => {
                let by = random.pick(&[1, self.chain.rollup.block_time, 100]);
                batch.timestamp = batch.timestamp.wrapping_sub(by);
            }
            6 => batch.timestamp = random.next(),
            7 => batch.epoch_num = random.next(),
            _ => {
                let length = random.below(4);
                let mut bytes = random.bytes(length);
                if let Some(first) = bytes.first_mut() {
                    *first = random.pick(&[0x7e, 0x7d, 0x04, 0x02, 0x99, 0xc0]);
                }
                batch.transactions = batch.transactions.iter().chain([bytes.into()]).collect();
            }
        }
    }

    fn compress(&self, random: &mut Random, plain: &[u8], time: u64) -> Vec<u8> {
        let fjord = self.chain.active(Fork::Fjord, time);
        let brotli = if fjord { 40 } else { 4 };
        if random.percent(brotli) {
            let mut out = vec![1];
            let mut reader = plain;
            let params = brotli::enc::BrotliEncoderParams {
                quality: random.pick(&[1, 5, 9]),
                lgwin: 16,
                ..Default::default()
            };
            brotli::BrotliCompress(&mut reader, &mut out, &params).expect("memory to memory");
            return out;
        }
        let level = if plain.len() > 1_000_000 {
            9
        } else {
            random.pick(&[0, 1, 6, 9])
        };
        let level = flate2::Compression::new(level);
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
        encoder.write_all(plain).expect("memory to memory");
        let mut out = encoder.finish().expect("memory to memory");
        if self.wrong(random) {
            out[0] = random.next() as u8;
        }
        out
    }

    /// Cuts a channel into frames.
    fn cut(&mut self, random: &mut Random, channel: Bytes) {
        let id = match self.ids.len() {
            n if n > 0 && self.wrong(random) => self.ids[random.below(n)],
            _ => ChannelId::from_slice(&random.bytes(16)),
        };
        self.ids.push(id);
        let count = random.pick(&[1, 1, 1, 2, 3, 6]);
        let size = channel.len().div_ceil(count).max(1) + 23;
        let Ok(frames) = split_channel(id, &channel, size) else {
            return;
        };
        // after what is waiting, or mixed with it
        if random.percent(15) {
            for frame in frames {
                let at = random.below(self.frames.len() + 1);
                self.frames.insert(at, frame);
            }
        } else {
            self.frames.extend(frames);
        }
    }

    fn hold_back(&mut self, random: &mut Random, l1_number: u64) {
        if random.percent(self.hostility / 2) && !self.frames.is_empty() {
            let at = random.below(self.frames.len());
            let blocks = random.pick(&[3, 12, 60]);
            let until = l1_number + random.range(1, blocks);
            self.late
                .extend(self.frames.remove(at).map(|frame| (until, frame)));
        }
        let due = self.late.extract_if(.., |(until, _)| *until <= l1_number);
        self.frames.extend(due.map(|(_, frame)| frame));
    }

    fn disturb_frames(&mut self, random: &mut Random) {
        while self.wrong(random) && !self.frames.is_empty() {
            let count = self.frames.len();
            let (a, b) = (random.below(count), random.below(count));
            match random.below(9) {
                0 => self.frames.swap(a, b),
                1 => {
                    self.frames.remove(a);
                }
                2 => {
                    let again = self.frames[b].clone();
                    self.frames.insert(a, again);
                }
                3 => self.frames[a].is_last ^= true,
                4 => {
                    let number = &mut self.frames[a].number;
                    *number = number.wrapping_add(random.pick(&[1, 2, u16::MAX]));
                }
                5 => self.frames[a].id = self.frames[b].id,
                6 => {
                    let mut data = self.frames[a].data.to_vec();
                    random.damage(&mut data);
                    self.frames[a].data = data.into();
                }
                7 => self.frames[a].data = Bytes::new(),
                _ if self.posted.is_empty() => {}
                _ => {
                    let again = self.posted[random.below(self.posted.len())].clone();
                    self.frames.insert(a, again);
                }
            }
        }
    }

    fn item(&self, random: &mut Random, frames: &[Frame]) -> Vec<u8> {
        let mut item = vec![0];
        frames.iter().for_each(|frame| frame.encode(&mut item));
        if self.wrong(random) {
            random.damage(&mut item);
        }
        item
    }

    /// A data item that has nothing to do with the chain.
    fn junk(&self, random: &mut Random) -> Vec<u8> {
        let length = random.below(120);
        let mut bytes = random.bytes(length);
        match random.below(3) {
            // batches of any bytes, in good frames
            0 => {
                let mut plain = Vec::new();
                for _ in 0..=random.below(2) {
                    bytes.insert(0, random.pick(&[0, 1, 2]));
                    rlp::put_string(&bytes, &mut plain);
                }
                let channel = self.compress(random, &plain, 0);
                let id = ChannelId::from_slice(&random.bytes(16));
                let frames = split_channel(id, &channel.into(), 10_000).unwrap_or_default();
                self.item(random, &frames)
            }
            1 => [&[random.pick(&[0, 1, 2])], bytes.as_slice()].concat(),
            _ => bytes,
        }
    }

    /// Transactions for data items: calldata, blobs, or somebody else's.
    fn transactions(
        &self,
        random: &mut Random,
        l1: &mut L1,
        time: u64,
        items: Vec<Vec<u8>>,
        transactions: &mut Vec<L1Tx>,
    ) {
        let key = if self.wrong(random) {
            Key(random.range(1, 3) as u8)
        } else {
            self.key
        };
        let to = if random.percent(self.hostility / 2) {
            random.address()
        } else {
            INBOX
        };
        let blobs = if self.chain.active(Fork::Ecotone, time) {
            40
        } else {
            1
        };
        let first = transactions.len();
        if random.percent(blobs) {
            let hashes = items
                .into_iter()
                .map(|item| self.blob(random, l1, &item))
                .collect();
            transactions.push(L1Tx::blobs(random, key, to, hashes));
        } else {
            for item in items {
                let to = if random.percent(self.hostility / 5) {
                    TxKind::Create
                } else {
                    TxKind::Call(to)
                };
                transactions.push(L1Tx::call(random, key, to, item.into()));
            }
        }
        for transaction in &mut transactions[first..] {
            transaction.success = !random.percent(5);
        }
    }

    fn blob(&self, random: &mut Random, l1: &mut L1, item: &[u8]) -> B256 {
        let mut blob = encode_blob(item).unwrap_or_else(|_| Box::new([0; BLOB_SIZE]));
        if self.wrong(random) {
            let used = (item.len() + item.len() / 127 + 40).min(BLOB_SIZE);
            let at = match random.below(4) {
                0 => random.below(5),
                1 => random.below(BLOB_SIZE),
                2 => 32 * random.below(used / 32),
                _ => random.below(used),
            };
            blob[at] = random.next() as u8;
        }
        l1.keep_blob(blob)
    }
}

/// What L2 transactions are taken from: signing is what takes time.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pool {
    pub(crate) transactions: Vec<Bytes>,
    /// Set-code transactions, which no batch may hold before Isthmus.
    pub(crate) set_code: Vec<Bytes>,
    /// Transactions that make a block invalid.
    pub(crate) refused: Vec<Bytes>,
}

impl Pool {
    /// Some transactions of an L2 block.
    pub(crate) fn draw(
        &self,
        random: &mut Random,
        isthmus: bool,
        hostility: u64,
        refusals: u64,
    ) -> TransactionList {
        let one = |random: &mut Random, from: &[Bytes]| from[random.below(from.len())].clone();
        let mut transactions = Vec::new();
        for _ in 0..random.weighted(&[5, 3, 1, 1]) {
            transactions.push(one(random, &self.transactions));
        }
        if random.permille(if isthmus { 100 } else { hostility }) {
            transactions.push(one(random, &self.set_code));
        }
        if random.percent(refusals) {
            transactions.push(one(random, &self.refused));
        }
        if random.permille(hostility * 2) {
            let length = random.below(50);
            transactions.push(random.bytes(length).into());
        }
        transactions.into_iter().collect()
    }
}
