//! L1 is reorganised.

use crate::{
    net::{Net, Plan},
    process::say,
};
use doppio_devnet::{DevL1Options, Reorg, testing::BatchOptions};
use serde_json::Value;

/// Whether a node's safe and unsafe heads stand on L1 as it is now.
async fn assert_on_l1(net: &Net, status: &Value) {
    for head in ["safe_l2", "unsafe_l2"] {
        let origin = &status[head]["l1origin"];
        let number = origin["number"].as_u64().unwrap();
        let block = net.l1.rpc().block(number).await.unwrap();
        assert_eq!(
            origin["hash"],
            serde_json::json!(block.hash),
            "{head} has an L1 origin that is not canonical"
        );
    }
}

/// `ReorgOrphanBlock`, `ReorgFlipFlop`, `DeepReorg`, `SyncAfterReorg`,
/// `batch_in_orphaned_l1_block_is_not_derived`; depths 1 to 64.
#[tokio::test(flavor = "multi_thread")]
async fn after_reorganisations_of_any_depth_both_nodes_have_one_chain_on_canonical_l1() {
    let plan = Plan {
        l1: DevL1Options {
            behind: 150,
            // so that nothing of it is final
            slots_per_epoch: 40,
            ..DevL1Options::default()
        },
        ..Plan::default()
    };
    let Some(net) = Net::start("reorgs", plan).await else {
        return;
    };
    let options = BatchOptions::default();
    let user = net.user(4, &net.sequencer);
    net.make_safe(20, &options).await;
    for (round, depth) in [1_u64, 2, 3, 7, 16, 33, 64].into_iter().enumerate() {
        let before = net.verifier.head("safe_l2").await.unwrap();
        let content = if round % 2 == 0 {
            Reorg::Empty
        } else {
            Reorg::Same
        };
        let head = net.l1.reorg(depth, content).await.unwrap();
        say(&format!("reorganised {depth} blocks; the head is {head}"));
        for node in [&net.sequencer, &net.verifier] {
            net.until(&format!("the {} is on the new L1", node.name), async || {
                let status = node.status().await?;
                let number = status["current_l1"]["number"].as_u64().unwrap_or_default();
                if number < head.number {
                    return Err(status.to_string());
                }
                for name in ["unsafe_l2", "safe_l2"] {
                    let origin = &status[name]["l1origin"];
                    let height = origin["number"].as_u64().unwrap_or_default();
                    let block = net.l1.rpc().block(height).await;
                    let block = block.map_err(|error| error.to_string())?;
                    if origin["hash"] != serde_json::json!(block.hash) {
                        return Err(status.to_string());
                    }
                }
                Ok(())
            })
            .await;
        }
        let number = net.transact(&user).await;
        let height = number.max(before);
        net.make_safe(height, &options).await;
        net.assert_same(height).await;
        let status = net.verifier.status().await.unwrap();
        assert_on_l1(&net, &status).await;
    }
}
