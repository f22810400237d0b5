//! Posts the blocks of recorded chains as op-batcher had posted them, and prints both side by side;
//! then how fast blocks become frames. `DOPPIO_VECTORS` names the folder of the vectors.

#![allow(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a table for people"
)]

use alloy_eips::eip4844::DATA_GAS_PER_BLOB;
use alloy_primitives::{B256, Bytes};
use doppio_batcher::{
    Action, BatchType, Batcher, BatcherOptions, CompressionAlgo, DaKind, DataAvailability, Event,
    L1Tip, LoadedBlock, Payload, Submission, SyncStatus, TxOutcome,
};
use doppio_protocol::{
    L1BlockRef, L2BlockRef,
    blob::decode_blob,
    block::BlockId,
    frame::{FRAME_OVERHEAD, parse_frames},
    l1::L1Block,
    l2::L2Block,
};
use doppio_recorded::{OpenOptions, RecordedChain};
use std::{collections::BTreeSet, error::Error, path::Path, sync::Arc, time::Instant};

type Anything<T> = Result<T, Box<dyn Error>>;

/// What stands on L1.
#[derive(Clone, Copy, Debug, Default)]
struct Posted {
    transactions: usize,
    channels: usize,
    /// Bytes of the channels.
    channel_bytes: usize,
    /// Bytes of calldata or of blobs' data.
    bytes: usize,
    gas: u64,
    blob_gas: u64,
}

/// Gas of a transaction with this calldata to an address without code (EIP-7623).
fn calldata_gas(data: &[u8]) -> u64 {
    let zeros = data.iter().filter(|byte| **byte == 0).count() as u64;
    let others = data.len() as u64 - zeros;
    21_000 + (4 * zeros + 16 * others).max(10 * zeros + 40 * others)
}

impl Posted {
    fn add(
        &mut self,
        channels: &mut BTreeSet<B256>,
        kind: DaKind,
        items: &[Bytes],
    ) -> Anything<()> {
        self.transactions += 1;
        match kind {
            DaKind::Calldata => {
                self.gas += items.iter().map(|data| calldata_gas(data)).sum::<u64>()
            }
            DaKind::Blobs => {
                self.gas += 21_000;
                self.blob_gas += DATA_GAS_PER_BLOB * items.len() as u64;
            }
        }
        for item in items {
            self.bytes += item.len();
            for frame in parse_frames(item, u32::MAX)? {
                let mut name = B256::ZERO;
                name[..16].copy_from_slice(frame.id.as_slice());
                channels.insert(name);
                self.channel_bytes += frame.data.len();
            }
        }
        self.channels = channels.len();
        Ok(())
    }
}

fn op_batchers(chain: &RecordedChain, l1: &[L1Block]) -> Anything<Posted> {
    let (mut posted, mut channels) = (Posted::default(), BTreeSet::new());
    for block in l1 {
        for inbox in &block.inbox {
            let hashes = inbox.transaction.blob_versioned_hashes();
            let (kind, items): (_, Vec<Bytes>) = if hashes.is_empty() {
                (DaKind::Calldata, vec![inbox.transaction.input()])
            } else {
                let blobs = hashes.iter().map(|hash| chain.blob(hash));
                let blobs = blobs
                    .collect::<Option<Vec<_>>>()
                    .ok_or("a blob is missing")?;
                let data = blobs.iter().map(|blob| decode_blob(blob).map(Bytes::from));
                (DaKind::Blobs, data.collect::<Result<_, _>>()?)
            };
            posted.add(&mut channels, kind, &items)?;
        }
    }
    Ok(posted)
}

/// The batcher with an L1 that takes everything at once.
struct Run<'a> {
    batcher: Batcher,
    blocks: &'a [L2Block],
    submissions: Vec<Submission>,
    encoding: f64,
}

impl Run<'_> {
    fn tell(&mut self, event: Event) {
        self.batcher.handle(0, event);
        while let Some(action) = self.batcher.next_action(0) {
            match action {
                Action::Load { request, from, to } => {
                    for number in from..=to {
                        let index = usize::try_from(number - self.blocks[0].header.number);
                        let block = self.blocks[index.unwrap_or(usize::MAX)].clone();
                        let block = LoadedBlock::from(block);
                        self.batcher.handle(0, Event::Block { request, block });
                    }
                }
                Action::Encode(job) => {
                    let start = Instant::now();
                    let encoded = job.run();
                    self.encoding += start.elapsed().as_secs_f64();
                    self.batcher.handle(0, Event::Encoded(encoded));
                }
                Action::Submit(submission) => {
                    let id = submission.id;
                    self.submissions.push(submission);
                    let outcome = TxOutcome::Included(BlockId::default());
                    self.batcher.handle(0, Event::Transaction { id, outcome });
                }
                Action::Abandon(_) | Action::Throttle(_) | Action::Report(_) => {}
            }
        }
    }

    fn posted(&self) -> Anything<Posted> {
        let (mut posted, mut channels) = (Posted::default(), BTreeSet::new());
        for submission in &self.submissions {
            match &submission.payload {
                Payload::Calldata(data) => {
                    posted.add(&mut channels, DaKind::Calldata, core::slice::from_ref(data))?
                }
                Payload::Blobs(blobs) => posted.add(&mut channels, DaKind::Blobs, blobs)?,
            }
        }
        Ok(posted)
    }
}

fn head(chain: &RecordedChain, block: &L2Block) -> Anything<L2BlockRef> {
    Ok(block.block_ref(&chain.chain)?)
}

/// Posts the chain as its L1 and L2 had grown.
fn ours(
    chain: &RecordedChain,
    l1: &[L1Block],
    blocks: &[L2Block],
    options: BatcherOptions,
) -> Anything<Posted> {
    let batcher = Batcher::new(Arc::clone(&chain.chain), options, u64::MAX)?;
    let mut run = Run {
        batcher,
        blocks,
        submissions: Vec::new(),
        encoding: 0.0,
    };
    let safe = head(chain, &blocks[0])?;
    for block in l1 {
        let time = block.header.timestamp;
        let newest = blocks.partition_point(|block| block.header.timestamp <= time);
        let origin = block.header.block_ref();
        run.tell(Event::Sync(SyncStatus {
            current_l1: safe_origin(&safe),
            head_l1: origin,
            local_safe: safe,
            safe,
            unsafe_head: head(chain, &blocks[newest.max(1) - 1])?,
            finalized: safe,
        }));
        run.tell(Event::L1Tip(L1Tip {
            number: origin.number,
            time,
        }));
    }
    run.tell(Event::Flush);
    run.posted()
}

fn safe_origin(safe: &L2BlockRef) -> L1BlockRef {
    L1BlockRef {
        hash: safe.l1_origin.hash,
        number: safe.l1_origin.number,
        ..L1BlockRef::default()
    }
}

/// The user transactions of a chain: how many, and their bytes.
#[derive(Clone, Copy, Debug)]
struct Users {
    count: usize,
    bytes: usize,
}

fn line(name: &str, posted: Posted, users: Users) {
    let mib = users.bytes as f64 / f64::from(1 << 20);
    println!(
        "{name:<12} {:>5} {:>8} {:>13} {:>9} {:>15.1} {:>13.0} {:>18.0}",
        posted.transactions,
        posted.channels,
        posted.channel_bytes,
        posted.bytes,
        posted.bytes as f64 / users.count as f64,
        posted.gas as f64 / mib,
        posted.blob_gas as f64 / mib,
    );
}

fn compare(folder: &Path, name: &str, options: BatcherOptions) -> Anything<RecordedChain> {
    let chain = RecordedChain::open(&folder.join(name), OpenOptions::default())?;
    let l1 = chain.l1_blocks()?.collect::<Result<Vec<_>, _>>()?;
    let blocks = chain.l2_blocks.iter().map(|block| block.decode());
    let blocks = blocks.collect::<Result<Vec<_>, _>>()?;
    let txs = blocks.iter().flat_map(|block| &block.transactions);
    let users: Vec<usize> = txs
        .filter(|tx| tx.first() != Some(&0x7e))
        .map(|tx| tx.len())
        .collect();
    let users = Users {
        count: users.len(),
        bytes: users.iter().sum(),
    };
    let theirs = op_batchers(&chain, &l1)?;
    // about as many channels in the same time
    let (mut nearest, mut duration) = (usize::MAX, 1);
    for max_channel_duration in 1..40 {
        let options = BatcherOptions {
            max_channel_duration,
            compression_algo: CompressionAlgo::Zlib,
            ..options.clone()
        };
        let away = ours(&chain, &l1, &blocks, options)?
            .channels
            .abs_diff(theirs.channels);
        if away < nearest {
            (nearest, duration) = (away, max_channel_duration);
        }
    }
    let options = BatcherOptions {
        max_channel_duration: duration,
        ..options
    };
    println!(
        "\n{name}: {} L2 blocks, {} transactions of users with {} bytes",
        blocks.len(),
        users.count,
        users.bytes,
    );
    println!(
        "               txs channels channel bytes     bytes bytes per L2 tx   gas per MiB   blob gas per MiB"
    );
    line("op-batcher", theirs, users);
    line("ours", ours(&chain, &l1, &blocks, options)?, users);
    Ok(chain)
}

/// How fast all blocks of the chain, again and again, become frames in blobs.
fn speed(chain: &RecordedChain) -> Anything<()> {
    let blocks = chain.l2_blocks.iter().map(|block| block.decode());
    let blocks = blocks.collect::<Result<Vec<_>, _>>()?;
    let input: usize = blocks
        .iter()
        .flat_map(|block| &block.transactions)
        .filter(|tx| tx.first() != Some(&0x7e))
        .map(|tx| tx.len())
        .sum();
    println!(
        "\nblocks to frames in blobs, {:.1} MB of transactions",
        input as f64 / 1e6
    );
    println!("form      algorithm   frames   frames/s    MB/s  bytes of channels  other work, s");
    for batch_type in [BatchType::Singular, BatchType::Span] {
        for algo in [
            CompressionAlgo::Zlib,
            CompressionAlgo::Brotli(5),
            CompressionAlgo::Brotli(9),
            CompressionAlgo::Brotli(10),
        ] {
            let options = BatcherOptions {
                batch_type,
                compression_algo: algo,
                target_num_frames: 6,
                data_availability: DataAvailability::Fixed(DaKind::Blobs),
                max_pending_tx: 0,
                ..BatcherOptions::default()
            };
            let mut run = Run {
                batcher: Batcher::new(Arc::clone(&chain.chain), options, u64::MAX)?,
                blocks: &blocks,
                submissions: Vec::new(),
                encoding: 0.0,
            };
            let safe = head(chain, &blocks[0])?;
            let newest = head(chain, blocks.last().ok_or("no blocks")?)?;
            let start = Instant::now();
            run.tell(Event::L1Tip(L1Tip {
                number: newest.l1_origin.number,
                time: newest.timestamp,
            }));
            let l1 = L1BlockRef {
                hash: newest.l1_origin.hash,
                number: newest.l1_origin.number,
                ..L1BlockRef::default()
            };
            run.tell(Event::Sync(SyncStatus {
                current_l1: l1,
                head_l1: l1,
                local_safe: safe,
                safe,
                unsafe_head: newest,
                finalized: safe,
            }));
            run.tell(Event::Flush);
            let seconds = start.elapsed().as_secs_f64();
            let posted = run.posted()?;
            let frames: usize = run
                .submissions
                .iter()
                .map(|tx| tx.frames.clone().count())
                .sum();
            println!(
                "{:<9} {:<10} {frames:>7} {:>10.1} {:>7.2} {:>18} {:>14.2}",
                format!("{batch_type:?}"),
                format!("{algo:?}").replace(['(', ')'], " "),
                frames as f64 / seconds,
                input as f64 / 1e6 / seconds,
                posted.bytes - frames * (FRAME_OVERHEAD + 1),
                seconds - run.encoding,
            );
        }
    }
    Ok(())
}

fn main() -> Anything<()> {
    let vectors = std::env::var_os("DOPPIO_VECTORS").ok_or("DOPPIO_VECTORS is not set")?;
    let folder = Path::new(&vectors).join("recorded");
    let calldata = BatcherOptions {
        max_pending_tx: 0,
        ..BatcherOptions::default()
    };
    compare(&folder, "calldata-singular-zlib", calldata)?;
    let blobs = BatcherOptions {
        batch_type: BatchType::Span,
        compression_algo: CompressionAlgo::Brotli(10),
        data_availability: DataAvailability::Fixed(DaKind::Blobs),
        target_num_frames: 6,
        max_pending_tx: 0,
        ..BatcherOptions::default()
    };
    let chain = compare(&folder, "blobs-span-brotli-jovian", blobs)?;
    speed(&chain)
}
