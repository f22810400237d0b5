//! `kill -9` of a sequencer with its embedded engine, at moments that follow from a seed. The other node
//! is never killed: what it derives from L1 is the chain of a node that did not die.

use crate::{
    net::{Net, Node, Plan},
    process::say,
};
use alloy_primitives::{B256, keccak256};
use doppio_devnet::{ChainOptions, DevL1Options, testing::BatchOptions};
use std::time::Duration;
use tokio::time::sleep;

/// Milliseconds that follow from a seed.
fn pause(seed: &str, round: u64) -> Duration {
    let hash = keccak256(format!("{seed} {round}"));
    Duration::from_millis(u64::from(hash[0]) * 8)
}

/// Heads that a node told: the unsafe one with its hash, and the final one.
async fn told(node: &Node) -> Result<(u64, B256, u64), String> {
    let status = node.status().await?;
    let number = |head: &str| {
        let time = status[head]["timestamp"].as_u64().unwrap_or_default();
        let number = status[head]["number"].as_u64().filter(|_| time > 0);
        number.ok_or_else(|| status.to_string())
    };
    let hash = serde_json::from_value(status["unsafe_l2"]["hash"].clone());
    let hash = hash.map_err(|error| error.to_string())?;
    let finalized = status["finalized_l2"]["number"].as_u64();
    Ok((number("unsafe_l2")?, hash, finalized.unwrap_or_default()))
}

/// Kills the sequencer and starts it again: it still has every block that it told of, and what was final
/// is final.
async fn kill(net: &mut Net) {
    let (number, hash, finalized) = told(&net.sequencer).await.unwrap();
    net.sequencer.process.kill_and_restart();
    let sequencer = &net.sequencer;
    let (head, _, final_again) = net
        .until("the sequencer has heads again", async || {
            told(sequencer).await
        })
        .await;
    assert!(
        head >= number,
        "block {number} was told of, and the head is {head}"
    );
    assert!(final_again >= finalized, "{final_again} after {finalized}");
    let found = sequencer.hash(number).await;
    assert_eq!(found, Some(hash), "block {number} is another one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sequencer_that_is_killed_again_and_again_makes_one_chain() {
    let plan = Plan {
        l1: DevL1Options {
            behind: 30,
            ..DevL1Options::default()
        },
        ..Plan::default()
    };
    let Some(mut net) = Net::start("kills-sequencing", plan).await else {
        return;
    };
    let options = BatchOptions::default();
    let user = net.user(6, &net.sequencer);
    for round in 0..12 {
        sleep(pause("sequencing", round)).await;
        kill(&mut net).await;
        if round % 3 == 2 {
            net.transact(&user).await;
            let height = net.sequencer.head("unsafe_l2").await.unwrap();
            net.make_safe(height, &options).await;
        }
    }
    let height = net.sequencer.head("unsafe_l2").await.unwrap() + 3;
    net.make_safe(height, &options).await;
    net.assert_same(height).await;
    say(&format!("12 deaths, one chain up to block {height}"));
}

/// The sequencing window is over, nobody posts: the sequencer makes what derivation will make, and
/// dies meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_sequencer_that_is_killed_while_it_recovers_recovers_all_the_same() {
    let plan = Plan {
        l1: DevL1Options {
            behind: 80,
            ..DevL1Options::default()
        },
        chain: ChainOptions {
            seq_window_size: 10,
            ..ChainOptions::default()
        },
        ..Plan::default()
    };
    let Some(mut net) = Net::start("kills-recovering", plan).await else {
        return;
    };
    for round in 0..6 {
        sleep(pause("recovering", round)).await;
        kill(&mut net).await;
    }
    net.reach(&net.verifier, "safe_l2", 20).await;
    let log = net.sequencer.process.log();
    let words = "blocks without users' transactions are made";
    assert!(log.contains(words), "it was recovering when it died");
    let user = net.user(7, &net.sequencer);
    let options = BatchOptions::default();
    let number = tokio::select! {
        number = net.transact(&user) => number,
        _ = net.keep_posting(&options) => unreachable!(),
    };
    kill(&mut net).await;
    net.make_safe(number, &options).await;
    net.assert_same(number).await;
}
