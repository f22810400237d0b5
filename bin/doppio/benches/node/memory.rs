//! The most memory that a node takes while it catches up over a long chain with large L1 blocks.

use crate::{
    Failure, head, machine,
    made::Made,
    made_server::MadeServer,
    number,
    process::{Deadline, Folder},
    recorded_node::{NodePlan, RecordedNode},
};
use doppio_test_vectors::Vectors;
use serde_json::json;
use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

const LIMIT: Duration = Duration::from_secs(1800);

pub(crate) async fn run() -> Result<(), Failure> {
    let Some(vectors) = Vectors::find("recorded") else {
        return Ok(());
    };
    let length = number("L1_BLOCKS", 1000);
    let made = Arc::new(Made::new(&vectors, length)?);
    let plan = |server: &MadeServer| NodePlan {
        rollup: made.rollup.to_string(),
        l1_chain_config: made.l1_chain_config.clone(),
        genesis: made.genesis.clone(),
        alloc: made.alloc.clone(),
        l1: server.url.clone(),
        beacon: server.url.clone(),
        da: None,
    };
    head(&[
        "flags",
        "L1 blocks",
        "L2 blocks",
        "MB from L1",
        "requests for blocks (fewest)",
        "for blobs (fewest)",
        "others",
        "s",
        "CPU s",
        "L1 blocks/s",
        "L2 blocks/s",
        "peak memory, MiB",
        "load",
    ]);
    for flags in [&[] as &[&str], &["--db.cache=1024"]] {
        let delay = Duration::from_millis(number("DELAY", 50));
        let server = MadeServer::start(Arc::clone(&made), delay)?;
        let folder = Folder::new("bench-memory");
        let begin = Instant::now();
        let deadline = Deadline::after(LIMIT);
        let mut node = RecordedNode::start(&plan(&server), &folder, flags, deadline);
        node.derived(length).await;
        let seconds = begin.elapsed().as_secs_f64();
        let peak = machine::peak_memory(node.process.id())?;
        let cpu = machine::cpu(node.process.id())?;
        let safe = node.rpc.call("optimism_syncStatus", json!([])).await?["safe_l2"].clone();
        if safe["hash"] != json!(made.safe.hash) {
            return Err(format!("the safe head is {safe}, and should be {:?}", made.safe).into());
        }
        let with_blobs = made.blocks.iter().filter(|block| !block.blobs.is_empty());
        println!(
            "| {} | {length} | {} | {:.0} | {} ({}) | {} ({}) | {} | {seconds:.0} | {cpu:.0} | {:.1} | {:.0} | {peak:.0} | {} |",
            if flags.is_empty() { "none" } else { flags[0] },
            made.safe.number,
            server.bytes.load(Ordering::SeqCst) as f64 / 1e6,
            server.block_requests.load(Ordering::SeqCst),
            length.div_ceil(10),
            server.beacon_requests.load(Ordering::SeqCst),
            with_blobs.count(),
            server.other_requests.load(Ordering::SeqCst),
            length as f64 / seconds,
            made.safe.number as f64 / seconds,
            machine::load(),
        );
    }
    Ok(())
}
