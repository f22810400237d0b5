//! Transactions from the handle to the chain.

use super::sim::{CHAIN_ID, Sim, source};
use crate::fake::RUNTIME;
use alloy_consensus::Transaction;
use alloy_primitives::{Address, Bytes};
use doppio_l1::txmgr::{
    LocalSigner, News, Outcomes, Outgoing, PublishTo, SendError, Signer, TxSender, TxmgrOptions,
    machine::{Notice, Outcome, RequestId, Settings},
    start,
};
use doppio_protocol::{
    blob::{BLOB_SIZE, Blob},
    config::{BlobSchedule, BlobScheduleStep, L1Fork},
};
use std::{sync::Arc, time::Duration};

/// The first of the accounts that everybody knows.
const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const INBOX: Address = Address::repeat_byte(0xff);

fn options(change: impl FnOnce(&mut TxmgrOptions)) -> TxmgrOptions {
    let mut options = TxmgrOptions::new(CHAIN_ID, "op_batcher_default");
    options.poll_interval = Duration::from_millis(20);
    let machine = &mut options.machine;
    machine.blob_schedule = BlobSchedule::new(vec![BlobScheduleStep {
        fork: L1Fork::Cancun,
        time: 0,
        update_fraction: 3_338_477,
    }]);
    machine.num_confirmations = 2;
    machine.max_pending = 0;
    machine.retry_interval = 50;
    machine.receipt_query_interval = 200;
    machine.settings.rebroadcast_interval = 500;
    change(&mut options);
    options
}

fn begin(urls: &[&str], change: impl FnOnce(&mut TxmgrOptions)) -> (TxSender, Outcomes) {
    let signer = Arc::new(LocalSigner::from_hex(KEY).unwrap());
    start(source(urls), signer, options(change)).unwrap()
}

fn blob(seed: u8) -> Arc<Blob> {
    let mut blob = [0; BLOB_SIZE];
    blob[1] = seed;
    Arc::new(blob)
}

/// The next outcome; notices are passed.
async fn outcome(outcomes: &mut Outcomes) -> Option<(RequestId, Outcome)> {
    let next = async {
        loop {
            match outcomes.next().await? {
                News::Outcome(id, outcome) => return Some((id, outcome)),
                News::Notice(_) => {}
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), next)
        .await
        .expect("no outcome")
}

/// Mines until this many requests have ended; the ends.
async fn ends(sim: &Sim, outcomes: &mut Outcomes, count: usize) -> Vec<(RequestId, Outcome)> {
    let mut ends = Vec::new();
    let collect = async {
        while ends.len() < count {
            let (id, outcome) = outcome(outcomes).await.unwrap();
            if outcome.is_final() {
                ends.push((id, outcome));
            }
        }
    };
    tokio::select! {
        () = collect => {}
        () = async {
            loop {
                sim.state().mine();
                tokio::time::sleep(Duration::from_millis(60)).await;
            }
        } => {}
    }
    ends
}

#[test]
fn calldata_blobs_and_calls_land_in_order_and_are_confirmed() {
    RUNTIME.block_on(async {
        let sim = Sim::new();
        let (_server, url) = sim.serve().await;
        let (sender, mut outcomes) = begin(&[&url], |_| {});
        let ids = [
            sender
                .send(Outgoing::calldata(INBOX, Bytes::from_static(b"one")))
                .unwrap(),
            sender
                .send(Outgoing::blobs(INBOX, vec![blob(1), blob(2)]))
                .unwrap(),
            sender.send(Outgoing::blobs(INBOX, vec![blob(3)])).unwrap(),
            sender
                .send(Outgoing::call(INBOX, Bytes::from_static(b"call")))
                .unwrap(),
        ];
        let ends = ends(&sim, &mut outcomes, 4).await;
        for (id, (ended, outcome)) in ids.iter().zip(&ends) {
            assert_eq!(id, ended);
            let Outcome::Confirmed(inclusion) = outcome else {
                panic!("{outcome:?}");
            };
            assert_eq!(inclusion.gas_used, 21_000);
            // what the block's base fee and the tip make
            assert_eq!(inclusion.gas_price, 2_000_000_000);
            let blob_gas = [0, 2, 1, 0][usize::try_from(id.0).unwrap()] * 131_072;
            assert_eq!(inclusion.blob_gas_used, blob_gas);
        }
        let landed = sim.state().landed();
        let data: Vec<&[u8]> = landed.iter().map(|tx| &tx.input()[..]).collect();
        assert_eq!(data, [b"one" as &[u8], b"", b"", b"call"]);
        assert_eq!(
            sim.senders().into_iter().collect::<Vec<_>>(),
            [sender.address()]
        );
        // An L1 whose Osaka time is not known gets the old proofs.
        assert_eq!(sim.state().cells, [false, false]);
        assert_eq!((sender.pending(), sender.next_nonce()), (0, Some(4)));
        assert_eq!(sender.market().unwrap().base_fee, 1_000_000_000);
        sender.close();
        assert_eq!(outcomes.next().await, None);
        let late = sender.send(Outgoing::calldata(INBOX, Bytes::new()));
        assert_eq!(late, Err(SendError::Closed));
    });
}

#[test]
fn from_osaka_on_blobs_have_the_proofs_of_their_cells() {
    RUNTIME.block_on(async {
        let sim = Sim::new();
        let (_server, url) = sim.serve().await;
        let (sender, mut outcomes) = begin(&[&url], |options| {
            options.machine.cell_proof_time = Some(1_700_000_000);
        });
        sender.send(Outgoing::blobs(INBOX, vec![blob(1)])).unwrap();
        let ends = ends(&sim, &mut outcomes, 1).await;
        assert!(matches!(ends[0].1, Outcome::Confirmed(_)));
        assert_eq!(sim.state().cells, [true]);
    });
}

#[test]
fn a_receipt_that_its_block_does_not_bear_out_includes_nothing() {
    RUNTIME.block_on(async {
        let sim = Sim::new();
        let (_server, url) = sim.serve().await;
        let (sender, mut outcomes) = begin(&[&url], |_| {});
        sim.state().receipts_lie = true;
        sender
            .send(Outgoing::calldata(INBOX, Bytes::from_static(b"data")))
            .unwrap();
        let told = tokio::time::timeout(Duration::from_secs(1), outcome(&mut outcomes)).await;
        assert!(told.is_err(), "{told:?}");
        sim.state().receipts_lie = false;
        let ends = ends(&sim, &mut outcomes, 1).await;
        assert!(matches!(ends[0].1, Outcome::Confirmed(_)));
    });
}

#[test]
fn a_reorganisation_is_told_and_outlived() {
    RUNTIME.block_on(async {
        let sim = Sim::new();
        let (_server, url) = sim.serve().await;
        let (sender, mut outcomes) = begin(&[&url], |options| {
            options.machine.num_confirmations = 5;
        });
        let id = sender
            .send(Outgoing::calldata(INBOX, Bytes::from_static(b"data")))
            .unwrap();
        sim.mine_until(|| sim.state().nonce() == 1).await;
        let (_, first) = outcome(&mut outcomes).await.unwrap();
        assert!(matches!(first, Outcome::Included(_)), "{first:?}");
        sim.state().reorg(1, 7);
        let (_, second) = outcome(&mut outcomes).await.unwrap();
        assert!(matches!(second, Outcome::ReorgedOut(_)), "{second:?}");
        let ends = ends(&sim, &mut outcomes, 1).await;
        assert!(matches!(&ends[0], (ended, Outcome::Confirmed(_)) if *ended == id));
        assert_eq!(sim.state().landed().len(), 1);
    });
}

#[test]
fn transactions_go_to_all_endpoints_or_to_the_next_that_takes_them() {
    RUNTIME.block_on(async {
        for to in [PublishTo::All, PublishTo::One] {
            let (first, second) = (Sim::new(), Sim::new());
            let (_servers, urls): (Vec<_>, Vec<_>) = [first.serve().await, second.serve().await]
                .into_iter()
                .unzip();
            let dead = "http://127.0.0.1:9";
            first.state().refuses = Some("txpool is full");
            let (sender, mut outcomes) = begin(&[&urls[0], dead, &urls[1]], |options| {
                options.publish_to = to;
            });
            sender
                .send(Outgoing::calldata(INBOX, Bytes::from_static(b"data")))
                .unwrap();
            for _ in 0..200 {
                if second.state().pool.len() == 1 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            assert_eq!(second.state().pool.len(), 1, "{to:?}");
            assert!(first.state().sent >= 1);
            // Both are the same chain to whoever asks: the block is made on both.
            let tx = second.state().pool[&0].clone();
            first.state().pool.insert(0, tx);
            for _ in 0..4 {
                first.state().mine();
                second.state().mine();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            loop {
                let (_, outcome) = outcome(&mut outcomes).await.unwrap();
                if outcome.is_final() {
                    assert!(matches!(outcome, Outcome::Confirmed(_)), "{outcome:?}");
                    break;
                }
            }
        }
    });
}

#[test]
fn what_is_in_the_pool_at_the_start_is_found() {
    RUNTIME.block_on(async {
        let sim = Sim::new();
        let (_server, url) = sim.serve().await;
        let (sender, _outcomes) = begin(&[&url], |_| {});
        sender
            .send(Outgoing::calldata(INBOX, Bytes::from_static(b"before")))
            .unwrap();
        while sim.state().pool.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // The program is gone, and comes again.
        sender.close();
        let (sender, mut outcomes) = begin(&[&url], |_| {});
        let notice = outcomes.next().await;
        let leftovers = Notice::Leftovers { from: 0, until: 1 };
        assert_eq!(notice, Some(News::Notice(leftovers)));
        let id = sender
            .send(Outgoing::calldata(INBOX, Bytes::from_static(b"after")))
            .unwrap();
        let ends = ends(&sim, &mut outcomes, 1).await;
        assert!(matches!(&ends[0], (ended, Outcome::Confirmed(_)) if *ended == id));
        let landed = sim.state().landed();
        let data: Vec<&[u8]> = landed.iter().map(|tx| &tx.input()[..]).collect();
        assert_eq!(data, [b"before" as &[u8], b"after"]);
        assert!(sim.state().asked.contains("txpool_contentFrom"));
    });
}

#[test]
fn txmgr_rpc_settings_are_changed_while_it_runs() {
    RUNTIME.block_on(async {
        let sim = Sim::new();
        let (_server, url) = sim.serve().await;
        let (sender, mut outcomes) = begin(&[&url], |_| {});
        let settings = Settings {
            min_tip_cap: 5_000_000_000,
            ..sender.settings()
        };
        sender.set(settings.clone());
        let id = sender
            .send(Outgoing::calldata(INBOX, Bytes::new()))
            .unwrap();
        let ends = ends(&sim, &mut outcomes, 1).await;
        assert!(matches!(&ends[0], (ended, Outcome::Confirmed(_)) if *ended == id));
        assert_eq!(sender.settings(), settings);
        let landed = sim.state().landed();
        assert_eq!(landed[0].max_priority_fee_per_gas(), Some(5_000_000_000));
    });
}

#[test]
fn a_key_is_not_shown() {
    let signer = LocalSigner::from_hex(KEY).unwrap();
    let shown = format!("{signer:?}").to_lowercase();
    assert!(
        shown.contains("f39fd6e51aad88f6f4ce6ab8827279cfffb92266"),
        "{shown}"
    );
    assert!(!shown.contains("ac0974"), "{shown}");
    assert_eq!(
        signer.address().to_string(),
        "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    );
}

#[test]
fn blob_tips_are_read_from_the_newest_blocks_only() {
    const GWEI: u128 = 1_000_000_000;
    RUNTIME.block_on(async {
        let sim = Sim::new();
        let (_server, url) = sim.serve().await;
        let (sender, _outcomes) = begin(&[&url], |options| {
            options.machine.settings.blob_tip_cap_dynamic = true;
            options.machine.settings.min_tip_cap = 5 * GWEI;
            options.machine.blob_tip_cap_range = 2;
        });
        sender.send(Outgoing::blobs(INBOX, vec![blob(1)])).unwrap();
        sim.mine_until(|| sim.state().nonce() == 1).await;
        // From now on others give more, and so would we.
        sender.set(Settings {
            min_tip_cap: 9 * GWEI,
            ..sender.settings()
        });
        let blob_tip_is = async |tip: u128| {
            for _ in 0..200 {
                if sender.market().is_some_and(|market| market.blob_tip == tip) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            panic!("{:?}", sender.market());
        };
        // of the one in the newest block, and of the one in the block before that
        blob_tip_is(5 * GWEI).await;
        sim.state().mine();
        tokio::time::sleep(Duration::from_millis(200)).await;
        blob_tip_is(5 * GWEI).await;
        sim.state().mine();
        blob_tip_is(9 * GWEI).await;
    });
}
