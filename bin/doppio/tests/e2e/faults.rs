//! What must only ever delay a node: a beacon node or L1 that is away, blobs that nobody has, a crash.

use crate::net::{Net, Plan};
use alloy_primitives::keccak256;
use doppio_devnet::{DevL1Options, testing::BatchOptions};
use std::time::Duration;
use tokio::time::sleep;

fn plan() -> Plan {
    Plan {
        l1: DevL1Options {
            behind: 40,
            ..DevL1Options::default()
        },
        ..Plan::default()
    }
}

/// Incidents I10 and I11: a missing blob is asked for again, and never skipped.
#[tokio::test(flavor = "multi_thread")]
async fn missing_and_false_blobs_and_outages_delay_the_safe_head_and_change_nothing() {
    let Some(net) = Net::start("faults", plan()).await else {
        return;
    };
    let options = BatchOptions::default();
    net.make_safe(5, &options).await;
    let faults = net.l1.faults();
    for fault in ["lost blob", "false blob", "beacon outage", "L1 outage"] {
        let stands_at = net.settle(&options).await;
        let height = stands_at + 3;
        net.reach(&net.sequencer, "unsafe_l2", height).await;
        let blocks = stands_at + 1..=height;
        let frames = net.batcher.frames(blocks, &options).await.unwrap();
        match fault {
            "beacon outage" => faults.beacon_down(true),
            "L1 outage" => faults.rpc_down(true),
            _ => {}
        }
        let hashes = net.batcher.post_frames(&frames, &options).await.unwrap();
        for hash in net.blob_hashes(&hashes).await {
            match fault {
                "lost blob" => faults.lose_blob(hash),
                "false blob" => faults.alter_blob(hash),
                _ => {}
            }
        }
        net.l1.include(&hashes).await.unwrap();
        sleep(Duration::from_secs(4)).await;
        let safe = net.verifier.head("safe_l2").await.unwrap();
        assert_eq!(safe, stands_at, "{fault}: nothing is skipped");
        faults.restore_blobs();
        faults.beacon_down(false);
        faults.rpc_down(false);
        net.reach(&net.verifier, "safe_l2", height).await;
        net.assert_same(height).await;
    }
}

/// `RestartOpGeth`, and `kill -9` of the node: at points that follow from a seed.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_and_engines_that_are_killed_go_on_where_they_were() {
    let plan = Plan {
        separate_engine: true,
        ..plan()
    };
    let Some(mut net) = Net::start("kills", plan).await else {
        return;
    };
    let options = BatchOptions::default();
    for round in 0_u64..9 {
        let pause = keccak256(round.to_be_bytes())[0];
        sleep(Duration::from_millis(u64::from(pause) * 6)).await;
        let final_before = net.verifier.head("finalized_l2").await.unwrap_or_default();
        match round % 3 {
            0 => net.verifier.process.kill_and_restart(),
            1 => net.sequencer.process.kill_and_restart(),
            _ => net.verifier.engine.as_mut().unwrap().kill_and_restart(),
        }
        for node in [&net.sequencer, &net.verifier] {
            net.until(&format!("the {} has heads again", node.name), async || {
                let status = node.status().await?;
                match status["unsafe_l2"]["timestamp"].as_u64() {
                    Some(time) if time > 0 => Ok(()),
                    _ => Err(status.to_string()),
                }
            })
            .await;
        }
        let height = net.sequencer.head("unsafe_l2").await.unwrap();
        net.make_safe(height, &options).await;
        let final_after = net.verifier.head("finalized_l2").await.unwrap();
        assert!(final_after >= final_before, "what is final stays final");
    }
    let height = net.verifier.head("safe_l2").await.unwrap();
    net.assert_same(height).await;
}
