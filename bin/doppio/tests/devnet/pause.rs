//! A chain that nobody ran for an hour.

use crate::{
    net::{Devnet, can_run},
    process::{Folder, say},
};
use doppio_devnet::{ChainOptions, DevL1, DevL1Options, Mining};
use std::time::{SystemTime, UNIX_EPOCH};

const HOUR: u64 = 3_600;

/// L1's clock jumps over the hour, as if all slots had been missed; the sequencer catches up with
/// empty blocks, and the second node derives them.
#[tokio::test(flavor = "multi_thread")]
async fn after_an_hours_pause_the_sequencer_catches_up_and_the_second_node_follows() {
    if !can_run("a pause") {
        return;
    }
    let folder = Folder::new("devnet-pause");
    let path = folder.path("net");
    // what a devnet leaves that was stopped an hour ago, before its first L2 block
    let head = {
        let l1 = DevL1::start(DevL1Options {
            mining: Mining::OnDemand,
            behind: HOUR + 20,
            kept_in: Some(path.join("l1")),
            ..DevL1Options::default()
        })
        .await
        .unwrap();
        let options = ChainOptions {
            block_time: 4,
            ..ChainOptions::default()
        };
        l1.chain(&path.join("chain"), options).await.unwrap();
        let head = l1.mine(10).await.unwrap();
        l1.save().await.unwrap();
        head
    };
    let devnet = Devnet::start(&folder, "net", &[]);
    // there is no block in the hour
    let l1 = devnet.rpc("/l1/rpc");
    let next = devnet
        .until("L1 goes on", async || {
            let next = l1.block(head.number + 1).await;
            next.map_err(|error| error.to_string())
        })
        .await;
    assert_eq!(next.parent_hash, head.hash);
    assert!(next.timestamp >= head.timestamp + HOUR, "{next}");
    assert_eq!((next.timestamp - head.timestamp) % 2, 0, "it is in a slot");
    // until the newest block is as old as it should be
    let height = devnet
        .until("the sequencer has caught up", async || {
            let height = devnet.head("l2", "unsafe_l2").await?;
            let block = devnet.rpc("/l2/rpc").block(height).await;
            let block = block.map_err(|error| error.to_string())?;
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .as_secs();
            match now.saturating_sub(block.timestamp) {
                0..=8 => Ok(height),
                late => Err(format!("block {height} is {late} s late")),
            }
        })
        .await;
    assert!(height >= HOUR / 4, "{height}");
    let height = devnet.transact(0).await;
    devnet.assert_same(height).await;
    say(&format!(
        "both nodes have the same {height} blocks after the pause"
    ));
}
