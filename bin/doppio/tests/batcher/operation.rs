//! What operators do with it.

use crate::{
    net::{Net, Plan},
    poster::{Poster, command, key},
    process::{Process, free_ports},
};
use doppio_devnet::{Account, DevL1Options};
use serde_json::{Value, json};

fn plan() -> Plan {
    Plan {
        l1: DevL1Options {
            behind: 10,
            ..DevL1Options::default()
        },
        ..Plan::default()
    }
}

/// `admin_*` and `txmgr_*` as op-batcher has them; a dry run beside it.
#[tokio::test(flavor = "multi_thread")]
async fn it_starts_stops_and_flushes_when_told_and_a_dry_run_says_what_it_would_cost() {
    let Some(net) = Net::start("batcher-admin", plan()).await else {
        return;
    };
    // nothing is posted before it is asked for, and then only when it is flushed
    let flags = [
        "--stopped",
        "--max-channel-duration=1000",
        "--data-availability-type=calldata",
    ];
    let batcher = Poster::start(&net, &flags);
    let dry = Poster::of(
        &net,
        &net.folder,
        "dry-run",
        &[
            "--dry-run",
            "--data-availability-type=blobs",
            "--max-channel-duration=1",
        ],
    );
    batcher.ready(&net).await;
    let call = async |method: &str, params: Value| batcher.call(method, params).await;
    let error = call("admin_stopBatcher", json!([])).await.unwrap_err();
    assert!(error.contains("batcher is not running"), "{error}");
    call("admin_startBatcher", json!([])).await.unwrap();
    let error = call("admin_startBatcher", json!([])).await.unwrap_err();
    assert!(error.contains("batcher is already running"), "{error}");
    let user = net.user(0, &net.sequencer);
    let number = net.transact(&user).await;
    let before = net.sequencer.head("safe_l2").await.unwrap();
    assert!(before < number, "the channel is open");
    net.until("what is flushed is safe", async || {
        call("admin_flushBatcher", json!([])).await?;
        match net.verifier.head("safe_l2").await? {
            found if found >= number => Ok(()),
            found => Err(format!("{found} of {number}")),
        }
    })
    .await;
    net.assert_same(number).await;
    call("admin_stopBatcher", json!([])).await.unwrap();
    let stopped_at = net.batcher_nonce().await;
    let number = net.transact(&user).await;
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert_eq!(net.batcher_nonce().await, stopped_at, "it posts no more");
    // throttling
    let info = call("admin_getThrottleController", json!([]))
        .await
        .unwrap();
    assert_eq!(info["type"], "quadratic");
    assert_eq!(info["lower_threshold"], 3_200_000);
    call("admin_setThrottleController", json!(["linear"]))
        .await
        .unwrap();
    let error = call("admin_setThrottleController", json!(["pid"])).await;
    assert!(error.unwrap_err().contains("without configuration"));
    let error = call("admin_setThrottleController", json!(["cubic"])).await;
    assert!(error.unwrap_err().contains("must be one of"));
    let info = call("admin_getThrottleController", json!([]))
        .await
        .unwrap();
    assert_eq!(info["type"], "linear");
    call("admin_resetThrottleController", json!([]))
        .await
        .unwrap();
    let info = call("admin_getThrottleController", json!([]))
        .await
        .unwrap();
    assert_eq!(info["type"], "quadratic");
    // fees
    call("txmgr_setMinPriorityFee", json!([2_000_000_000_u64]))
        .await
        .unwrap();
    net.until("the setting is the new one", async || {
        let fee = call("txmgr_getMinPriorityFee", json!([])).await?;
        (fee == json!(2_000_000_000_u64))
            .then_some(())
            .ok_or_else(|| fee.to_string())
    })
    .await;
    call("admin_startBatcher", json!([])).await.unwrap();
    net.until("it posts again", async || {
        call("admin_flushBatcher", json!([])).await?;
        match net.verifier.head("safe_l2").await? {
            found if found >= number => Ok(()),
            found => Err(format!("{found} of {number}")),
        }
    })
    .await;
    // the dry run has seen both sides, and has posted nothing
    let log = dry.process.log();
    assert!(log.contains("would be posted now"), "{log}");
    assert!(log.contains("was posted by the other batcher"), "{log}");
}

impl Net {
    /// Transactions that the batcher's account has on L1.
    async fn batcher_nonce(&self) -> Value {
        let params = json!([self.chain.keys.batcher.address, "latest"]);
        let nonce = self.l1.rpc().call("eth_getTransactionCount", params);
        nonce.await.unwrap()
    }
}

/// Each with what to change.
#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_cannot_work_is_refused_with_what_to_change() {
    let Some(net) = Net::start("batcher-refusals", plan()).await else {
        return;
    };
    let right = key(net.chain.keys.batcher);
    let wrong = key(Account::user(5).unwrap());
    let poor = "--private-key=0101010101010101010101010101010101010101010101010101010101010101";
    let l2 = net.sequencer.l2.url();
    let l2_as_l1 = format!("--l1-eth-rpc={l2}");
    let two = format!("--rollup-rpc={0},{0}", net.sequencer.rpc.url());
    let cases: [(&[&str], &str); 9] = [
        (&[&right, "--check"], "ok"),
        (&[&wrong], "SystemConfig"),
        (&[poor], "no ether"),
        (&[], "exactly one of --private-key"),
        (
            &[
                &right,
                "--target-num-frames=7",
                "--data-availability-type=blobs",
            ],
            "at most 6",
        ),
        (
            &[&right, "--max-channel-duration=100000000"],
            "seq_window_size",
        ),
        (&[&right, "--batch-type=2"], "--batch-type 2: take one of"),
        (
            &[&right, &two],
            "each rollup node needs its execution engine",
        ),
        (&[&right, &l2_as_l1], "--l1-eth-rpc is chain"),
    ];
    for (flags, expected) in cases {
        let [port] = free_ports();
        let port = format!("--rpc.port={port}");
        let mut all = vec![port.as_str()];
        all.extend(flags);
        let command = command(&net.l1, &net.sequencer, &net, &all);
        let mut process = Process::start("refused", command, &net.folder);
        let status = net
            .until(&format!("it ends, started with {flags:?}"), async || {
                process.ended().ok_or_else(|| process.log())
            })
            .await;
        let log = process.log();
        assert_eq!(
            status.success(),
            flags.contains(&"--check"),
            "{flags:?}: {log}"
        );
        assert!(log.contains(expected), "{flags:?}: {log}");
        std::fs::remove_file(net.folder.path("refused.log")).unwrap();
    }
}
