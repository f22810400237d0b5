//! How late a sequencer's blocks are, at a block a second and 50 transactions a second.

use crate::{
    Failure, head, machine, number,
    process::{Deadline, Folder, Process, free_ports},
};
use alloy_primitives::U256;
use doppio_devnet::{
    Account, Call, Chain, ChainOptions, DevL1, DevL1Options, Rpc, Wallet,
    testing::{BatchOptions, TestBatcher},
};
use doppio_protocol::duration::parse_duration;
use serde_json::{Value, json};
use std::{
    process::Command,
    time::{Duration, Instant},
};
use tokio::time::{MissedTickBehavior, interval, sleep};

/// Transactions a second.
const RATE: u64 = 50;
/// Accounts that send them, in turn.
const SENDERS: u32 = 10;
/// How often what was made is posted to L1.
const POSTING: Duration = Duration::from_secs(6);

/// A sequencer with the engine in its process.
struct Sequencer {
    process: Process,
    rpc: Rpc,
    l2: Rpc,
}

impl Sequencer {
    fn start(l1: &DevL1, chain: &Chain, folder: &Folder) -> Result<Self, Failure> {
        let [rpc_port, l2_port] = free_ports();
        let mut command = Command::new(env!("CARGO_BIN_EXE_doppio"));
        command
            .arg("node")
            .args(["--l1", l1.rpc_url(), "--l1.beacon", l1.beacon_url()])
            .args(["--l1.http-poll-interval", "1s"])
            .args(["--l1.epoch-poll-interval", "4s"])
            .arg("--rollup.config")
            .arg(&chain.rollup_path)
            .arg("--rollup.l1-chain-config")
            .arg(&chain.l1_config_path)
            .arg("--genesis")
            .arg(&chain.genesis_path)
            .arg("--datadir")
            .arg(folder.path("data"))
            .arg("--safedb.path")
            .arg(folder.path("safedb"))
            .args(["--http", "--http.port", &l2_port.to_string()])
            .args(["--http.api", "eth,debug"])
            .args(["--rpc.addr", "127.0.0.1", "--rpc.port"])
            .arg(rpc_port.to_string())
            .args(["--sequencer.enabled", "--sequencer.l1-confs=0"])
            .args(["--log.format=json", "--p2p.disable"]);
        Ok(Self {
            process: Process::start("sequencer", command, folder),
            rpc: Rpc::new(&format!("http://127.0.0.1:{rpc_port}"))?,
            l2: Rpc::new(&format!("http://127.0.0.1:{l2_port}"))?,
        })
    }

    /// Height of a head.
    async fn head(&self, name: &str) -> Option<u64> {
        let status = self.rpc.call("optimism_syncStatus", json!([])).await.ok()?;
        status[name]["number"].as_u64()
    }
}

/// A block of the sequencer's, as its log tells of it.
struct Sealed {
    number: u64,
    late: Duration,
    transactions: u64,
}

fn sealed(log: &str) -> Vec<Sealed> {
    let lines = log.lines().filter_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        let fields = line.get("fields").unwrap_or(&line);
        if fields["message"] != "sequenced" {
            return None;
        }
        Some(Sealed {
            number: fields["number"].as_u64()?,
            late: parse_duration(fields["late"].as_str()?).ok()?,
            transactions: fields["transactions"].as_u64()?,
        })
    });
    lines.collect()
}

/// Sends transactions at the rate, without end. Whoever is late makes up for it.
async fn send(l2: Rpc, chain_id: u64) -> Result<(), Failure> {
    let wallets = (0..SENDERS).map(|index| {
        let account = Account::user(index)?;
        Ok(Wallet::new(l2.clone(), chain_id, account))
    });
    let wallets = wallets.collect::<Result<Vec<_>, Failure>>()?;
    let mut clock = interval(Duration::from_secs(1) / u32::try_from(RATE)?);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for nonce in 0.. {
        for wallet in &wallets {
            clock.tick().await;
            // half of them move ether, half leave data
            let to = wallet.account().address;
            let call = if nonce % 2 == 0 {
                Call::transfer(to, U256::from(1))
            } else {
                Call::data(to, vec![0x5a; 200].into())
            };
            let signed = wallet.sign(&call, nonce)?;
            wallet.rpc().send_raw(&signed.raw).await?;
        }
    }
    Ok(())
}

/// Posts what the sequencer made, without end.
async fn post(sequencer: &Sequencer, batcher: &TestBatcher) -> Result<(), Failure> {
    let mut posted = 0;
    loop {
        sleep(POSTING).await;
        let head = sequencer.head("unsafe_l2").await.unwrap_or_default();
        if head > posted {
            batcher
                .post(posted + 1..=head, &BatchOptions::default())
                .await?;
            posted = head;
        }
    }
}

/// The smallest value that so many percent are not above.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
}

pub(crate) async fn run() -> Result<(), Failure> {
    let time = Duration::from_secs(60 * number("MINUTES", 5));
    let folder = Folder::new("bench-lateness");
    let l1 = DevL1::start(DevL1Options::default()).await?;
    let chain = l1
        .chain(&folder.path("chain"), ChainOptions::default())
        .await?;
    let mut sequencer = Sequencer::start(&l1, &chain, &folder)?;
    let deadline = Deadline::after(Duration::from_secs(60));
    while sequencer.head("unsafe_l2").await.unwrap_or_default() < 3 {
        sequencer.process.assert_running();
        deadline.check("the sequencer makes blocks", "not yet");
        sleep(Duration::from_millis(100)).await;
    }
    let batcher = TestBatcher::new(
        sequencer.l2.clone(),
        l1.wallet(chain.keys.batcher),
        chain.config.clone(),
    );
    let sending = tokio::spawn({
        let (l2, id) = (sequencer.l2.clone(), chain.rollup().l2_chain_id);
        async move { send(l2, id).await.map_err(|error| error.to_string()) }
    });
    // the first seconds are those of a start
    sleep(Duration::from_secs(5)).await;
    let first = sequencer.head("unsafe_l2").await.unwrap_or_default() + 1;
    let (begin, load, cpu) = (
        Instant::now(),
        machine::load(),
        machine::cpu(sequencer.process.id())?,
    );
    tokio::select! {
        failed = post(&sequencer, &batcher) => failed?,
        () = sleep(time) => {}
    }
    let elapsed = begin.elapsed().as_secs_f64();
    let cpu = machine::cpu(sequencer.process.id())? - cpu;
    if sending.is_finished() {
        sending.await??;
        return Err("no more transactions are sent".into());
    }
    sending.abort();
    let safe = sequencer.head("safe_l2").await.unwrap_or_default();
    let log = sequencer.process.log();
    let blocks: Vec<Sealed> = sealed(&log)
        .into_iter()
        .filter(|block| block.number >= first)
        .collect();
    let mut late: Vec<Duration> = blocks.iter().map(|block| block.late).collect();
    late.sort();
    // but for the deposit that each begins with
    let transactions: u64 = blocks.iter().map(|block| block.transactions - 1).sum();
    head(&[
        "blocks",
        "s",
        "transactions/s",
        "late p50, ms",
        "p90",
        "p99",
        "max",
        "node's CPU",
        "unsafe - safe, blocks",
        "load before",
        "after",
    ]);
    let ms = |late: Duration| late.as_secs_f64() * 1e3;
    println!(
        "| {} | {elapsed:.0} | {:.1} | {:.1} | {:.1} | {:.1} | {:.1} | {:.0}% | {} | {load} | {} |",
        blocks.len(),
        transactions as f64 / elapsed,
        ms(percentile(&late, 50)),
        ms(percentile(&late, 90)),
        ms(percentile(&late, 99)),
        ms(late.last().copied().unwrap_or_default()),
        100.0 * cpu / elapsed,
        blocks
            .last()
            .map_or(0, |block| block.number)
            .saturating_sub(safe),
        machine::load(),
    );
    Ok(())
}
