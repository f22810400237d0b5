//! Programs of others in the place of ours.

use crate::{
    net::{Devnet, can_run, peer},
    process::{Folder, say},
};

/// Our nodes follow what op-batcher posts: calldata and blobs, with transactions of all kinds.
#[tokio::test(flavor = "multi_thread")]
async fn our_nodes_follow_op_batcher_in_the_place_of_ours() {
    let test = "op-batcher in the devnet";
    let Some(batcher) = peer("op-batcher", test).filter(|_| can_run(test)) else {
        return;
    };
    let folder = Folder::new("devnet-op-batcher");
    for da in ["calldata", "blobs"] {
        let flags = [
            format!("--da={da}"),
            format!("--program=batcher={}", batcher.display()),
            "--arg=batcher=--txmgr.receipt-query-interval=500ms".to_owned(),
        ];
        let mut devnet = Devnet::start(&folder, da, &flags);
        let command = devnet.command_of("batcher");
        assert_eq!(command[0], batcher.to_str().unwrap());
        devnet.traffic("8", "6s");
        let height = devnet.transact(0).await;
        devnet.assert_same(height).await;
        say(&format!("{da}: both nodes have the same {height} blocks"));
        assert!(devnet.stop().success(), "{}", devnet.screen());
    }
}
