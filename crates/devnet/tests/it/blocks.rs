//! Blocks: when they are made, replaced, taken away.

use crate::support::{block, chain, folder, on_demand, source, start};
use alloy_primitives::{Address, U256};
use doppio_devnet::{
    Account, Call, DevL1Options, DevnetError, L1_CHAIN_ID, Mining, ROLLUP_START, Reorg, Rpc,
    SidecarForm,
};
use doppio_l1::{Follower, FollowerOptions, L1Event, verify::BlockAt};
use doppio_protocol::blob::encode_blob;
use serde_json::json;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

fn one_wei() -> Call {
    Call::transfer(Address::repeat_byte(0xee), U256::ONE)
}

#[tokio::test]
async fn the_clock_makes_up_for_the_past_and_keeps_to_slots() {
    let began = now();
    let l1 = start(DevL1Options {
        block_time: 1,
        behind: 30,
        ..DevL1Options::default()
    })
    .await;
    l1.wait_for_block(33).await.unwrap();
    assert!(now() < began + 30, "the past was not made up for");
    for number in 0..=33 {
        let block = l1.rpc().block(number).await.unwrap();
        assert_eq!(block.timestamp, l1.genesis_time() + number);
    }
    // not before its time
    assert!(l1.head().await.unwrap().timestamp <= now());

    // while it stands still, slots are missed
    l1.pause().await;
    let before = l1.head().await.unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(l1.head().await.unwrap(), before);
    l1.resume().await.unwrap();
    let after = loop {
        let head = l1.head().await.unwrap();
        if head != before {
            break l1.rpc().block(before.number + 1).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(after.timestamp >= before.timestamp + 3, "{after:?}");
}

#[tokio::test]
async fn blocks_on_demand_are_a_slot_each_whatever_the_time() {
    let l1 = on_demand().await;
    let head = l1.head().await.unwrap();
    assert_eq!((head.number, head.timestamp), (1, l1.genesis_time() + 2));
    let head = l1.mine(250).await.unwrap();
    assert_eq!(
        (head.number, head.timestamp),
        (251, l1.genesis_time() + 502)
    );
    l1.skip_slots(3).await;
    let head = l1.mine(2).await.unwrap();
    assert_eq!(
        (head.number, head.timestamp),
        (253, l1.genesis_time() + 512)
    );
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(l1.head().await.unwrap(), head);
    // 4 slots in an epoch
    for (label, number) in [("safe", 249), ("finalized", 245)] {
        assert_eq!(l1.rpc().block_at(label).await.unwrap().number, number);
    }
}

#[tokio::test]
async fn mixed_mining_has_a_block_at_once_for_each_transaction() {
    let l1 = start(DevL1Options {
        block_time: 12,
        mining: Mining::Mixed,
        ..DevL1Options::default()
    })
    .await;
    let user = Account::user(1).unwrap();
    for number in 2..5 {
        let receipt = l1.execute(user, &one_wei()).await.unwrap();
        assert_eq!(receipt.block_number, number);
        let block = l1.rpc().block(number).await.unwrap();
        assert_eq!(block.timestamp, l1.genesis_time() + 12 * number);
    }
}

#[tokio::test]
async fn a_follower_sees_reorganisations_even_of_empty_blocks() {
    let l1 = on_demand().await;
    let chain = chain(&l1, "reorg").await;
    let source = source(&l1, chain.rollup());
    // until the base fee is at its floor: from then on only the number and the time differ
    let head = l1.mine(200).await.unwrap();
    let begin = chain.rollup().genesis.l1;
    let mut follower = Follower::new(source.clone(), begin, FollowerOptions::default());
    for _ in 0..200 {
        assert!(matches!(follower.next().await.unwrap(), L1Event::Block(_)));
    }
    assert_eq!(follower.tip(), head.id());
    let mut old = head;
    for depth in [1, 2, 64] {
        let new = l1.reorg(depth, Reorg::Empty).await.unwrap();
        assert_eq!((new.number, new.timestamp), (old.number, old.timestamp));
        let event = follower.next().await.unwrap();
        let L1Event::Reorg(reorg) = event else {
            panic!("{event:?}");
        };
        assert_eq!((reorg.old, reorg.depth()), (old.id(), depth));
        for _ in 0..depth {
            assert!(matches!(follower.next().await.unwrap(), L1Event::Block(_)));
        }
        assert_eq!(follower.tip(), new.id());
        old = new;
    }
    assert_eq!(source.endpoints()[0].falsehoods, 0);
}

#[tokio::test]
async fn a_reorganisation_loses_keeps_or_brings_transactions() {
    let l1 = on_demand().await;
    let [plain, blobs] = [0, 1].map(|index| l1.wallet(Account::user(index).unwrap()));
    let transfer = plain.send(&one_wei()).await.unwrap();
    l1.mine(2).await.unwrap();
    let blob = encode_blob(&[7; 100]).unwrap();
    let inbox = Address::repeat_byte(0x11);
    let with_blob = blobs
        .send_blobs(inbox, vec![blob], SidecarForm::Blob)
        .await
        .unwrap();
    let old = l1.mine(1).await.unwrap();
    let places = async || {
        let mut places = Vec::new();
        for hash in [transfer, with_blob] {
            let receipt = l1.rpc().receipt(hash).await.unwrap();
            places.push(receipt.map(|receipt| receipt.block_number));
        }
        places
    };
    assert_eq!(places().await, [Some(2), Some(4)]);

    let new = l1.reorg(3, Reorg::Same).await.unwrap();
    assert_eq!(new.number, old.number);
    assert_ne!(new.hash, old.hash);
    assert_eq!(places().await, [Some(2), Some(4)]);

    l1.reorg(1, Reorg::Empty).await.unwrap();
    assert_eq!(places().await, [Some(2), None]);

    let other = plain.sign(&one_wei(), 1).unwrap();
    let with = Reorg::With(vec![(1, other.raw)]);
    l1.reorg(2, with).await.unwrap();
    let receipt = l1.rpc().receipt(other.hash).await.unwrap().unwrap();
    assert_eq!(receipt.block_number, 4);

    let head = l1.rollback(2).await.unwrap();
    assert_eq!(head.number, 2);
    assert_eq!(l1.rpc().receipt(other.hash).await.unwrap(), None);
    // the transfer's block stays, and the one that the rollup begins after
    let error = l1.rollback(2).await.unwrap_err();
    assert!(
        matches!(error, DevnetError::TooDeep { depth: 2, head: 2 }),
        "{error}"
    );
    let error = l1.reorg(9, Reorg::Empty).await.unwrap_err();
    assert!(matches!(error, DevnetError::TooDeep { .. }), "{error}");
    assert_eq!(l1.rollback(1).await.unwrap().number, ROLLUP_START);
}

/// Why rollups begin at block 1.
#[tokio::test]
async fn block_1_proves_the_contracts_and_block_0_nothing() {
    let l1 = on_demand().await;
    let chain = chain(&l1, "proofs").await;
    let source = source(&l1, chain.rollup());
    assert_eq!(source.chain_id().await.unwrap(), L1_CHAIN_ID);
    let contract = chain.contracts.system_config;
    let header = source
        .header(BlockAt::Number(ROLLUP_START))
        .await
        .unwrap()
        .unwrap();
    let proof = source.proof(&header, contract, &[]).await.unwrap().unwrap();
    assert!(proof.account.unwrap().has_code());
    let header = source.header(BlockAt::Number(0)).await.unwrap().unwrap();
    let proof = source.proof(&header, contract, &[]).await;
    assert!(proof.is_err(), "{proof:?}");
}

#[tokio::test]
async fn a_chain_goes_on_from_its_file() {
    let folder = folder("state");
    let file = folder.join("state.json");
    let blob = encode_blob(&[9; 1000]).unwrap();
    let hash = doppio_devnet::versioned_hash(&blob).unwrap();
    let (genesis_time, head, rollup) = {
        let l1 = on_demand().await;
        let rollup = chain(&l1, "state-chain").await.rollup().clone();
        let wallet = l1.wallet(Account::user(0).unwrap());
        let sent = wallet.send_blobs(Address::ZERO, vec![blob.clone()], SidecarForm::Cells);
        let sent = sent.await.unwrap();
        l1.include(&[sent]).await.unwrap();
        let head = l1.mine(1).await.unwrap();
        l1.dump_state(&file).await.unwrap();
        (l1.genesis_time(), head, rollup)
    };
    let l1 = start(DevL1Options {
        mining: Mining::OnDemand,
        state: Some(file),
        ..DevL1Options::default()
    })
    .await;
    assert_eq!(
        (l1.genesis_time(), l1.head().await.unwrap()),
        (genesis_time, head)
    );
    // its time goes on too, and the beacon node knows the old slots
    let next = l1.mine(1).await.unwrap();
    assert_eq!(
        (next.parent_hash, next.timestamp),
        (head.hash, head.timestamp + 2)
    );
    let source = source(&l1, &rollup);
    let old = block(&source, l1.rpc().block(2).await.unwrap().hash).await;
    let found = source
        .blobs(&old.header.block_ref(), &[hash])
        .await
        .unwrap();
    assert_eq!(found, [blob]);
    assert_eq!(l1.reorg(3, Reorg::Empty).await.unwrap().number, next.number);
}

#[tokio::test]
async fn a_kept_chain_goes_on_and_what_is_not_kept_was_never_final() {
    let folder = folder("kept");
    let options = || DevL1Options {
        mining: Mining::OnDemand,
        slots_per_epoch: 1,
        kept_in: Some(folder.clone()),
        ..DevL1Options::default()
    };
    let blob = encode_blob(&[7; 1000]).unwrap();
    let (kept, rollup) = {
        let l1 = start(options()).await;
        let rollup = chain(&l1, "kept-chain").await.rollup().clone();
        let wallet = l1.wallet(Account::user(0).unwrap());
        let sent = wallet.send_blobs(Address::ZERO, vec![blob.clone()], SidecarForm::Cells);
        let sent = sent.await.unwrap();
        l1.include(&[sent]).await.unwrap();
        let kept = l1.mine(8).await.unwrap();
        l1.save().await.unwrap();
        let head = l1.mine(6).await.unwrap();
        // as nodes ask
        let rpc = Rpc::new(l1.rpc_url()).unwrap();
        let finalized = async || rpc.block_at("finalized").await.unwrap();
        assert_eq!((finalized().await, head.number), (kept, kept.number + 6));
        // by the method that others call
        let params = json!([8, "empty"]);
        let answer = rpc.call("devnet_reorg", params).await.unwrap();
        assert_eq!(answer["number"], head.number);
        assert_eq!(finalized().await.number, kept.number - 2);
        assert!(rpc.call("devnet_reorg", json!(["x"])).await.is_err());
        assert!(rpc.call("devnet_fork", json!([])).await.is_err());
        let answer = rpc.call("devnet_mine", json!([1])).await.unwrap();
        assert_eq!(answer["number"], head.number + 1);
        (kept, rollup)
    };
    let l1 = start(options()).await;
    assert_eq!(l1.head().await.unwrap(), kept);
    let next = l1.mine(1).await.unwrap();
    assert_eq!(next.parent_hash, kept.hash);
    let hash = doppio_devnet::versioned_hash(&blob).unwrap();
    let source = source(&l1, &rollup);
    let old = block(&source, l1.rpc().block(2).await.unwrap().hash).await;
    let found = source.blobs(&old.header.block_ref(), &[hash]).await;
    assert_eq!(found.unwrap(), [blob]);
}
