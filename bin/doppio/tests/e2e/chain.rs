//! A second node derives from L1 what the first one made.

use crate::{
    net::{Net, Plan, quantity},
    process::say,
};
use alloy_primitives::{Address, U256, keccak256};
use doppio_devnet::{
    Account, Call, ChainOptions, ConfigChange, Deposit, DevL1Options, ForkSchedule, SidecarForm,
    testing::{BatchForm, BatchOptions, BatchTarget},
};
use doppio_protocol::config::Fork;
use serde_json::{Value, json};
use std::time::Duration;

fn calldata() -> BatchOptions {
    BatchOptions {
        form: BatchForm::Singular,
        target: BatchTarget::Calldata,
        max_frame_size: 2_000,
        ..BatchOptions::default()
    }
}

/// `NormalBatcher`, `EIP4844 DA`, `multi-blob`, `switch calldata -> blob mid-chain`, deposits,
/// `GPOParamsChange`, `GasLimitChange`, `BatcherKeyRotation` of op-node's end-to-end tests, through
/// Jovian and Karst.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_node_derives_deposits_configuration_changes_and_transactions() {
    let forks = ForkSchedule::default().with(Fork::Karst, Some(40));
    let plan = Plan {
        l1: DevL1Options {
            behind: 30,
            ..DevL1Options::default()
        },
        chain: ChainOptions {
            forks,
            ..ChainOptions::default()
        },
        ..Plan::default()
    };
    let Some(mut net) = Net::start("chain", plan).await else {
        return;
    };
    let user = net.user(0, &net.sequencer);
    let mut with_transactions = Vec::new();
    with_transactions.push(net.transact(&user).await);
    net.make_safe(8, &calldata()).await;
    // a deposit to an account that has nothing
    let nobody = Address::repeat_byte(0x77);
    let deposit = Deposit {
        to: Some(nobody),
        mint: U256::from(5_000),
        value: U256::from(5_000),
        gas: 100_000,
        ..Deposit::default()
    };
    let depositor = Account::user(1).unwrap();
    net.chain
        .deposit(&net.l1, depositor, &deposit)
        .await
        .unwrap();
    let change = ConfigChange::GasLimit(45_000_000);
    net.chain.change_config(&net.l1, change).await.unwrap();
    let change = ConfigChange::FeeScalars {
        base_fee: 7_000,
        blob_base_fee: 900_000,
    };
    net.chain.change_config(&net.l1, change).await.unwrap();
    // both are there once the sequencer has taken the origin
    net.until("the deposit is on L2", async || {
        let balance = net.sequencer.l2.balance(nobody).await.unwrap();
        (balance == U256::from(5_000))
            .then_some(())
            .ok_or_else(|| balance.to_string())
    })
    .await;
    net.until("the gas limit is the new one", async || {
        let block = net
            .sequencer
            .l2
            .call("eth_getBlockByNumber", json!(["latest", false]))
            .await
            .map_err(|error| error.to_string())?;
        let limit = block["gasLimit"].to_string();
        limit
            .contains(&format!("{:x}", 45_000_000))
            .then_some(())
            .ok_or(limit)
    })
    .await;
    with_transactions.push(net.transact(&user).await);
    let blobs = BatchOptions {
        target: BatchTarget::Blobs(SidecarForm::Cells),
        max_frame_size: 900,
        frames_per_transaction: 3,
        ..BatchOptions::default()
    };
    let height = net.sequencer.head("unsafe_l2").await.unwrap();
    net.make_safe(height, &blobs).await;
    // another batcher: what the old one posts counts no more
    let other = Account::user(2).unwrap();
    let change = ConfigChange::Batcher(other.address);
    net.chain.change_config(&net.l1, change).await.unwrap();
    let wallet = net.l1.wallet(other);
    net.batcher = doppio_devnet::testing::TestBatcher::new(
        net.sequencer.l2.clone(),
        wallet,
        net.chain.config.clone(),
    );
    with_transactions.push(net.transact(&user).await);
    let height = net.sequencer.head("unsafe_l2").await.unwrap().max(60);
    net.make_safe(height, &BatchOptions::default()).await;
    net.assert_same(height).await;
    for number in with_transactions {
        let count = net
            .verifier
            .l2
            .call(
                "eth_getBlockTransactionCountByNumber",
                json!([quantity(number)]),
            )
            .await
            .unwrap();
        assert_ne!(count, "0x1", "block {number} has the user's transaction");
    }
    // what is final on L1 becomes final on L2, and never more than is safe
    net.reach(&net.verifier, "finalized_l2", 1).await;
    let status = net.verifier.status().await.unwrap();
    let height = |head: &str| status[head]["number"].as_u64().unwrap();
    assert!(height("finalized_l2") <= height("safe_l2"));
    assert!(height("safe_l2") <= height("unsafe_l2"));
    say(&format!("the same up to block {}", height("safe_l2")));
    // the safe-head database knows when
    let l1 = height("current_l1") - 1;
    let found = net
        .verifier
        .rpc
        .call("optimism_safeHeadAtL1Block", json!([quantity(l1)]))
        .await
        .unwrap();
    let safe = found["safeHead"]["number"].as_u64().unwrap();
    assert!(safe > 0 && safe <= height("safe_l2"), "{found}");
    let hash = net.verifier.hash(safe).await.unwrap();
    assert_eq!(found["safeHead"]["hash"], json!(hash));
    // and so a dispute about a time can be settled, but for times that are not safe
    let time = net.chain.rollup().genesis.l2_time + 5;
    let root = |time: u64| {
        net.verifier
            .rpc
            .call("superroot_atTimestamp", json!([quantity(time)]))
    };
    let found = root(time).await.unwrap();
    let output = net
        .verifier
        .rpc
        .call("optimism_outputAtBlock", json!([quantity(5)]));
    let output = output.await.unwrap();
    assert_eq!(
        found["data"]["super"]["chains"][0]["Output"],
        output["outputRoot"]
    );
    let required = found["data"]["verified_required_l1"]["number"]
        .as_u64()
        .unwrap();
    assert!(required > 0 && required <= l1, "{found}");
    let found = root(time + 100_000).await.unwrap();
    assert_eq!(found["data"], Value::Null, "{found}");
}

/// `BigL2Txs` of op-node's end-to-end tests: transactions as large as the pool takes, which do not
/// compress, so that a channel has many frames: in several blobs of several transactions, and in calldata.
#[tokio::test(flavor = "multi_thread")]
async fn the_largest_transactions_that_do_not_compress_are_derived() {
    let plan = Plan {
        l1: DevL1Options {
            behind: 20,
            ..DevL1Options::default()
        },
        ..Plan::default()
    };
    let Some(net) = Net::start("big", plan).await else {
        return;
    };
    let calldata = BatchOptions {
        target: BatchTarget::Calldata,
        max_frame_size: 100_000,
        frames_per_transaction: 1,
        ..BatchOptions::default()
    };
    for (options, index) in [(BatchOptions::default(), 8), (calldata, 9)] {
        net.settle(&options).await;
        let user = net.user(index, &net.sequencer);
        let mut hash = keccak256([u8::try_from(index).unwrap()]);
        let mut last = 0;
        for _ in 0..6 {
            let mut data = Vec::with_capacity(120_000);
            while data.len() < 120_000 {
                hash = keccak256(hash);
                data.extend_from_slice(hash.as_slice());
            }
            let call = Call::data(user.account().address, data.into());
            let sent = user.send(&call).await.unwrap();
            let receipt = user.rpc().wait_for(sent, Duration::from_secs(30)).await;
            last = receipt.unwrap().succeeded().unwrap().block_number;
        }
        let frames = net.batcher.frames(1..=last, &options).await.unwrap();
        assert!(frames.len() >= 6, "{} frames", frames.len());
        net.make_safe(last, &options).await;
        net.assert_same(last).await;
    }
}

/// `SequenceWindow`, `ExtendedTimeWithoutL1Batches`: without batches, empty blocks.
#[tokio::test(flavor = "multi_thread")]
async fn without_batches_the_chain_goes_on_with_deposits_alone_and_the_sequencer_recovers() {
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
    let Some(net) = Net::start("window", plan).await else {
        return;
    };
    // nobody posts: the window of the first blocks is over
    net.reach(&net.verifier, "safe_l2", 20).await;
    let user = net.user(3, &net.sequencer);
    // Once batches come again, the sequencer, which is on the same chain, takes transactions again;
    // op-node's would stay behind for ever.
    let options = BatchOptions::default();
    let number = tokio::select! {
        number = net.transact(&user) => number,
        _ = net.keep_posting(&options) => unreachable!(),
    };
    net.make_safe(number, &options).await;
    net.assert_same(number).await;
}
