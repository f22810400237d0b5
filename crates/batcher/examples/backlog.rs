//! A backlog of a gibibyte: what the batcher's process needs while L1 takes nothing, and until all of it
//! is on L1. `DOPPIO_VECTORS` names the folder of the vectors, `BACKLOG_MIB` another size.

#![allow(clippy::print_stdout, reason = "figures for people")]

use alloy_primitives::{B256, Bytes, keccak256};
use doppio_batcher::{
    Action, Batcher, BatcherOptions, CompressionAlgo, DaKind, DataAvailability, Event, L1Tip,
    LoadedBlock, Submission, SyncStatus, TxOutcome,
};
use doppio_protocol::{L1BlockRef, L2BlockRef, block::BlockId};
use doppio_recorded::{OpenOptions, RecordedChain};
use std::{error::Error, fs, path::Path, sync::Arc, time::Instant};

type Anything<T> = Result<T, Box<dyn Error>>;

const MIB: u64 = 1 << 20;

/// Blocks of about a mebibyte each that no compression makes smaller, made when they are asked for.
struct Backlog {
    first: L2BlockRef,
    block_time: u64,
    l1_info: Bytes,
}

impl Backlog {
    fn hash(&self, number: u64) -> B256 {
        match number == self.first.number {
            true => self.first.hash,
            false => keccak256(number.to_be_bytes()),
        }
    }

    fn at(&self, number: u64) -> L2BlockRef {
        L2BlockRef {
            hash: self.hash(number),
            number,
            parent_hash: self.hash(number.saturating_sub(1)),
            timestamp: self.first.timestamp + (number - self.first.number) * self.block_time,
            ..self.first
        }
    }

    fn block(&self, number: u64) -> LoadedBlock {
        let at = self.at(number);
        let mut state = u64::from_be_bytes(at.hash.0[..8].try_into().unwrap_or_default()) | 1;
        let mut transactions = vec![self.l1_info.clone()];
        for _ in 0..8 {
            // a type that is not known is carried as it is
            let mut bytes = vec![0x6a];
            while bytes.len() < 128 << 10 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                bytes.extend(state.to_be_bytes());
            }
            transactions.push(bytes.into());
        }
        LoadedBlock {
            number,
            hash: at.hash,
            parent_hash: at.parent_hash,
            timestamp: at.timestamp,
            transactions,
        }
    }
}

/// The most memory that this process had so far, in MiB.
fn peak() -> Anything<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.ok_or("no VmHWM")?.parse::<u64>()? / 1024)
}

/// Does all that the batcher wants, but no transaction of it gets into a block.
fn drive(batcher: &mut Batcher, backlog: &Backlog) -> Vec<Submission> {
    let mut open = Vec::new();
    while let Some(action) = batcher.next_action(0) {
        match action {
            Action::Load { request, from, to } => {
                for number in from..=to {
                    let block = backlog.block(number);
                    batcher.handle(0, Event::Block { request, block });
                }
            }
            Action::Encode(job) => batcher.handle(0, Event::Encoded(job.run())),
            Action::Submit(submission) => open.push(submission),
            Action::Abandon(_) | Action::Throttle(_) | Action::Report(_) => {}
        }
    }
    open
}

fn main() -> Anything<()> {
    let vectors = std::env::var_os("DOPPIO_VECTORS").ok_or("DOPPIO_VECTORS is not set")?;
    let size = match std::env::var("BACKLOG_MIB") {
        Ok(size) => size.parse()?,
        Err(_) => 1024,
    };
    let folder = Path::new(&vectors).join("recorded/blobs-span-brotli-jovian");
    let chain = RecordedChain::open(&folder, OpenOptions::default())?;
    let block = chain.l2_blocks.last().ok_or("no blocks")?.decode()?;
    let backlog = Backlog {
        first: block.block_ref(&chain.chain)?,
        block_time: chain.chain.rollup.block_time,
        l1_info: block.transactions.first().ok_or("no L1 info")?.clone(),
    };
    let options = BatcherOptions {
        compression_algo: CompressionAlgo::Brotli(5),
        target_num_frames: 6,
        data_availability: DataAvailability::Fixed(DaKind::Blobs),
        ..BatcherOptions::default()
    };
    let limit = options.max_loaded_bytes / MIB;
    let mut batcher = Batcher::new(Arc::clone(&chain.chain), options, u64::MAX)?;
    println!("{} MiB before the first block", peak()?);
    let last = backlog.at(backlog.first.number + size);
    let mut safe = backlog.first;
    let l1 = L1BlockRef {
        hash: last.l1_origin.hash,
        number: last.l1_origin.number,
        ..L1BlockRef::default()
    };
    let sync = |safe| {
        Event::Sync(SyncStatus {
            current_l1: l1,
            head_l1: l1,
            local_safe: safe,
            safe,
            unsafe_head: last,
            finalized: safe,
        })
    };
    batcher.handle(
        0,
        Event::L1Tip(L1Tip {
            number: l1.number,
            time: last.timestamp,
        }),
    );
    batcher.handle(0, sync(safe));
    let mut open = drive(&mut batcher, &backlog);
    println!(
        "{} MiB with {size} MiB unsafe and nothing on L1; limit of blocks and channels {limit} MiB, held {} MiB",
        peak()?,
        batcher.status().loaded_bytes / MIB,
    );
    let start = Instant::now();
    let (mut transactions, mut bytes) = (0_u64, 0_usize);
    while safe.number < last.number {
        if open.is_empty() {
            // what is left is too little for a channel
            batcher.handle(0, Event::Flush);
            open = drive(&mut batcher, &backlog);
            if open.is_empty() {
                return Err("the batcher does not go on".into());
            }
        }
        let mut reached = safe.number;
        for submission in open.drain(..) {
            transactions += 1;
            bytes += submission.payload.len();
            reached = reached.max(*submission.blocks.end());
            let outcome = TxOutcome::Included(BlockId::default());
            let id = submission.id;
            batcher.handle(0, Event::Transaction { id, outcome });
        }
        open = drive(&mut batcher, &backlog);
        // a channel is safe once its last frame is there
        if open.iter().all(|next| *next.blocks.start() > reached) {
            safe = backlog.at(reached);
            batcher.handle(0, sync(safe));
            open.extend(drive(&mut batcher, &backlog));
        }
    }
    println!(
        "{} MiB once all is on L1: {transactions} transactions, {bytes} bytes, {:.0} s",
        peak()?,
        start.elapsed().as_secs_f64(),
    );
    Ok(())
}
