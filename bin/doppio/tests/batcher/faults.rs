//! L1 is reorganised, fees rise, the batcher is killed: nothing is lost and nothing is out of order.

use crate::{
    net::{Net, Plan},
    poster::Poster,
    process::say,
};
use doppio_devnet::{DevL1Options, Reorg};
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn killed_reorganised_and_priced_out_the_batcher_loses_nothing() {
    let plan = Plan {
        l1: DevL1Options {
            behind: 20,
            slots_per_epoch: 40,
            ..DevL1Options::default()
        },
        ..Plan::default()
    };
    let Some(net) = Net::start("batcher-faults", plan).await else {
        return;
    };
    let flags = [
        "--data-availability-type=blobs",
        "--batch-type=1",
        "--max-channel-duration=1",
        "--max-pending-tx=4",
    ];
    let mut batcher = Poster::start(&net, &flags);
    net.a_transaction_becomes_safe(0).await;
    // kills at moments that a fixed seed gives
    let mut seed = 0x5eed_u64;
    for round in 0..5 {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        tokio::time::sleep(Duration::from_millis(300 + (seed >> 33) % 2_500)).await;
        batcher.process.kill_and_restart();
        say(&format!("killed {}", round + 1));
    }
    net.a_transaction_becomes_safe(1).await;
    for (depth, content) in [(1, Reorg::Empty), (3, Reorg::Same), (6, Reorg::Empty)] {
        let head = net.l1.reorg(depth, content).await.unwrap();
        say(&format!("reorganised {depth} blocks; the head is {head}"));
        net.a_transaction_becomes_safe(2).await;
    }
    // the base fee is a thousand times what it was, and stays for some blocks
    for _ in 0..3 {
        let fee = json!([format!("{:#x}", 2_000_000_000_000_u64)]);
        let set = "anvil_setNextBlockBaseFeePerGas";
        net.l1.rpc().call(set, fee).await.unwrap();
        let head = net.l1.head().await.unwrap().number;
        net.l1.wait_for_block(head + 1).await.unwrap();
    }
    net.a_transaction_becomes_safe(3).await;
    batcher.process.assert_running();
}
