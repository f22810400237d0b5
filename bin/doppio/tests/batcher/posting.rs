//! What is posted is derived.

use crate::{
    net::{Net, Plan},
    poster::Poster,
};
use alloy_primitives::{Bytes, keccak256};
use doppio_devnet::{Call, ChainOptions, DevL1Options, ForkSchedule};
use doppio_protocol::config::Fork;
use serde_json::{Value, json};

/// Everything that went to the inbox, by kind: calldata and blobs.
async fn posted(net: &Net) -> (usize, usize) {
    let inbox = json!(net.chain.rollup().batch_inbox_address).to_string();
    let inbox = inbox.trim_matches('"').to_lowercase();
    let head = net.l1.head().await.unwrap().number;
    let (mut calldata, mut blobs) = (0, 0);
    for number in 1..=head {
        let params = json!([format!("{number:#x}"), true]);
        let block = net.l1.rpc().call("eth_getBlockByNumber", params).await;
        for transaction in block.unwrap()["transactions"].as_array().unwrap() {
            let to = transaction["to"].as_str().unwrap_or_default();
            if to.to_lowercase() == inbox {
                match &transaction["blobVersionedHashes"] {
                    Value::Array(hashes) if !hashes.is_empty() => blobs += hashes.len(),
                    _ => calldata += 1,
                }
            }
        }
    }
    (calldata, blobs)
}

/// Data that does not compress.
fn noise(seed: u8, length: usize) -> Bytes {
    let mut hash = keccak256([seed]);
    let mut data = Vec::with_capacity(length + 32);
    while data.len() < length {
        hash = keccak256(hash);
        data.extend_from_slice(hash.as_slice());
    }
    data.into()
}

/// Singular batches in calldata, spans in blobs, several frames a transaction, and whichever is
/// cheaper: one after the other, as an operator changes flags, through Jovian and Karst.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_posted_as_calldata_or_blobs_is_derived_by_a_second_node() {
    let plan = Plan {
        l1: DevL1Options {
            behind: 30,
            ..DevL1Options::default()
        },
        chain: ChainOptions {
            forks: ForkSchedule::default().with(Fork::Karst, Some(40)),
            ..ChainOptions::default()
        },
        ..Plan::default()
    };
    let Some(net) = Net::start("batcher-kinds", plan).await else {
        return;
    };
    let kinds: [&[&str]; 4] = [
        &[
            "--data-availability-type=calldata",
            "--max-l1-tx-size-bytes=9000",
        ],
        &[
            "--data-availability-type=blobs",
            "--batch-type=1",
            "--compression-algo=brotli-10",
        ],
        &[
            "--data-availability-type=blobs",
            "--batch-type=span",
            "--target-num-frames=3",
            "--max-pending-tx=3",
        ],
        &[
            "--data-availability-type=auto",
            "--batch-type=1",
            "--compression-algo=adaptive",
        ],
    ];
    let mut before = posted(&net).await;
    for (index, flags) in (0u8..).zip(kinds) {
        let batcher = Poster::start(&net, flags);
        let user = net.user(u32::from(index), &net.sequencer);
        // more than a frame of calldata, and nothing that compresses
        let call = Call::data(user.account().address, noise(index, 20_000));
        let hash = user.send(&call).await.unwrap();
        let receipt = user
            .rpc()
            .wait_for(hash, std::time::Duration::from_secs(30));
        let number = receipt.await.unwrap().succeeded().unwrap().block_number;
        net.safe(number).await;
        net.assert_same(number).await;
        drop(batcher);
        // what the one before had on its way may have come later
        let after = posted(&net).await;
        match index {
            0 => assert!(after.0 >= before.0 + 3 && after.1 == before.1, "{after:?}"),
            1 | 2 => assert!(after.1 > before.1, "{after:?}"),
            _ => assert!(after != before, "{after:?}"),
        }
        before = after;
    }
    // crossed on the way
    let time = net.chain.rollup().genesis.l2_time;
    let status = net.sequencer.status().await.unwrap();
    assert!(status["safe_l2"]["timestamp"].as_u64().unwrap() > time + 40);
}
