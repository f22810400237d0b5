//! Catching up over the recorded chains from an L1 that answers after a while, and the same with one
//! request at a time.

use crate::{
    Failure, head, machine, number,
    process::{Deadline, Folder},
    recorded_node::{RecordedNode, Served},
};
use doppio_test_chain::{Chain, Fake};
use doppio_test_vectors::Vectors;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(600);
/// Blocks whose transactions and receipts fit into a batch of `--l1.rpc-max-batch-size`.
const BLOCKS_OF_A_BATCH: u64 = 10;
/// One request, one block, and no other on its way meanwhile.
const ONE_BY_ONE: [&str; 2] = ["--l1.max-concurrency=1", "--l1.rpc-max-batch-size=1"];

/// Requests of a run, and the time it took.
struct Run {
    time: Duration,
    cpu: f64,
    /// For blocks with their receipts.
    blocks: u64,
    /// For blobs and for what is behind commitments.
    data: u64,
    /// All others: chain id, heads, and what a start asks for.
    others: u64,
}

impl Run {
    const fn all(&self) -> u64 {
        self.blocks + self.data + self.others
    }
}

/// Follows a chain to its end.
async fn follow(chain: &str, served: &Served, flags: &[&str]) -> Result<Run, Failure> {
    let folder = Folder::new(&format!("bench-catch-up-{chain}"));
    let begin = Instant::now();
    let mut node = RecordedNode::start(&served.into(), &folder, flags, Deadline::after(LIMIT));
    node.derived(served.head()).await;
    let time = begin.elapsed();
    let cpu = machine::cpu(node.process.id())?;
    node.compare(&served.chain).await;
    let blocks = requests_with(&served.l1, "eth_getBlockReceipts");
    let data = requests_with(&served.beacon, "/eth/v1/beacon/blobs") + requests(&served.da);
    let all = [&served.l1, &served.beacon, &served.da].map(|fake| requests(fake));
    Ok(Run {
        time,
        cpu,
        blocks,
        data,
        others: all.iter().sum::<u64>() - blocks - data,
    })
}

fn requests(fake: &Fake) -> u64 {
    fake.requests() as u64
}

/// Requests with such a call, or to such a path.
fn requests_with(fake: &Fake, what: &str) -> u64 {
    fake.requests_with(what) as u64
}

/// The fewest requests for the data that derivation needs: full batches, each block's blobs at once,
/// each commitment on its own, as a DA server has it.
fn fewest(chain: &Chain) -> (u64, u64) {
    let rollup = &chain.recorded.chain.rollup;
    let blocks = chain.blocks.len() as u64 - 1 - rollup.genesis.l1.number;
    let with_blobs =
        (0..chain.blocks.len()).filter(|number| !chain.inbox_blobs(*number).is_empty());
    let commitments = chain.payloads();
    let data = with_blobs.count() + commitments;
    (blocks.div_ceil(BLOCKS_OF_A_BATCH), data as u64)
}

pub(crate) async fn run() -> Result<(), Failure> {
    let Some(vectors) = Vectors::find("recorded") else {
        return Ok(());
    };
    let wanted = std::env::var("CHAINS").unwrap_or_default();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.split(',').any(|chain| chain == name);
    let delay = Duration::from_millis(number("DELAY", 50));
    head(&[
        "chain",
        "L1 blocks",
        "L2 blocks",
        "requests for blocks (fewest)",
        "for blobs and payloads (fewest)",
        "others",
        "times the fewest",
        "s",
        "CPU s",
        "L1 blocks/s",
        "L2 blocks/s",
        "one by one: requests",
        "s",
        "ratio",
        "load",
    ]);
    for name in vectors.list("") {
        if !is_wanted(&name) || !vectors.path(&name).join("rollup.json").exists() {
            continue;
        }
        let Some(chain) = Chain::open(&name) else {
            continue;
        };
        let ours = follow(&name, &Served::start(&chain, delay), &[]).await?;
        let slow = follow(&name, &Served::start(&chain, delay), &ONE_BY_ONE).await?;
        let (blocks, data) = fewest(&chain);
        let least = blocks + data;
        let l1 = chain.blocks.len() as u64 - 1;
        let l2 = chain.recorded.l2_blocks.len() as u64 - 1;
        let seconds = ours.time.as_secs_f64();
        println!(
            "| {name} | {l1} | {l2} | {} ({blocks}) | {} ({data}) | {} | {:.2} | {seconds:.2} | {:.2} | {:.0} | {:.0} | {} | {:.2} | {:.1} | {} |",
            ours.blocks,
            ours.data,
            ours.others,
            (ours.blocks + ours.data) as f64 / least as f64,
            ours.cpu,
            l1 as f64 / seconds,
            l2 as f64 / seconds,
            slow.all(),
            slow.time.as_secs_f64(),
            slow.time.as_secs_f64() / seconds,
            machine::load(),
        );
    }
    Ok(())
}
