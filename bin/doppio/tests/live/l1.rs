//! L1: anvil with the genuine contracts of the OP Stack, mined by the test at exact times.
//!
//! Block `n` has the time `genesis + 2n`; those that lie in the past are mined at once. Users deposit
//! now and then.

use crate::{
    peers::Peers,
    process::{Deadline, Folder, Process, free_ports},
    rpc::{Rpc, quantity},
};
use serde_json::{Value, json};
use std::{
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Chain id of supersim's L1.
pub(crate) const CHAIN_ID: u64 = 900;
/// Seconds from block to block.
pub(crate) const BLOCK_TIME: u64 = 2;
/// The portal of L2 chain 901: where deposits are made.
pub(crate) const PORTAL: &str = "0x75ceb25776d0402972b736f6e13fd0616be98f22";
/// Who deposits: the first of anvil's accounts, which signs for it.
const DEPOSITOR: &str = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";
/// Init code of a contract that stores what it is called with in the slot of the block's
/// number, and logs.
pub(crate) const CREATION: &str = "6a600035435560006000a000600052600b6015f3";
/// Deposits come with every so many L1 blocks.
const DEPOSIT_EVERY: u64 = 4;

/// L1 while it runs.
pub(crate) struct L1 {
    pub(crate) rpc: Rpc,
    process: Process,
    stop: Arc<AtomicBool>,
    miner: Option<JoinHandle<()>>,
}

impl L1 {
    /// Starts L1 with a genesis in the past, and goes on mining.
    pub(crate) fn start(
        peers: &Peers,
        folder: &Folder,
        genesis: &Value,
        genesis_time: u64,
        deadline: Deadline,
    ) -> Self {
        let file = folder.write("l1-genesis.json", &genesis.to_string());
        let [port] = free_ports();
        let rpc = Rpc { port };
        let mut command = Command::new(peers.path("anvil"));
        command
            .arg("--init")
            .arg(file)
            .args(["--port", &port.to_string()])
            .args(["--chain-id", &CHAIN_ID.to_string()])
            .args(["--hardfork", "prague", "--slots-in-an-epoch", "4"])
            .arg("--no-mining");
        let process = Process::start("anvil", command, folder);
        deadline.wait("anvil answers", || rpc.try_call("eth_chainId", json!([])));
        let stop = Arc::new(AtomicBool::new(false));
        let miner = {
            let stop = Arc::clone(&stop);
            move || mine(rpc, genesis_time, &stop)
        };
        Self {
            rpc,
            process,
            stop,
            miner: Some(thread::spawn(miner)),
        }
    }

    /// The hash of the first block. Only anvil knows it: it leaves out the state's root.
    pub(crate) fn genesis_hash(&self) -> Value {
        let block = self.rpc.call("eth_getBlockByNumber", json!(["0x0", false]));
        block["hash"].clone()
    }

    pub(crate) fn assert_running(&mut self) {
        self.process.assert_running();
        let mines = self.miner.as_ref().is_some_and(|it| !it.is_finished());
        assert!(mines, "nobody mines L1 any more");
    }
}

impl Drop for L1 {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(miner) = self.miner.take() {
            let _ = miner.join();
        }
    }
}

/// Seconds since the Unix epoch.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// Mines each block once its time has come, until told to stop.
fn mine(rpc: Rpc, genesis_time: u64, stop: &AtomicBool) {
    let mut number = 1;
    while !stop.load(Ordering::Relaxed) {
        let time = genesis_time + number * BLOCK_TIME;
        if time > now() {
            thread::sleep(Duration::from_millis(50));
            continue;
        }
        if number % DEPOSIT_EVERY == 0 {
            rpc.call("eth_sendTransaction", deposit(number / DEPOSIT_EVERY));
        }
        rpc.call("evm_setNextBlockTimestamp", json!([time]));
        rpc.call("evm_mine", json!([]));
        number += 1;
    }
}

/// A call of `depositTransaction`: each time one of five kinds.
fn deposit(index: u64) -> Value {
    const MESSAGE_PASSER: &str = "4200000000000000000000000000000000000016";
    const WETH: &str = "4200000000000000000000000000000000000006";
    let nobody = format!("{:040x}", 0x7700_0000 + index);
    // initiateWithdrawal(nobody, 100000, "") and withdraw(2^64)
    let withdrawal = format!("c2b3e5ac{nobody:0>64}{:064x}{:064x}{:064x}", 100_000, 96, 0);
    let too_much = format!("2e1a7d4d{:064x}", 1_u128 << 64);
    // (to, minted, sent, whether it creates a contract, data)
    let (to, minted, sent, creates, data) = match index % 5 {
        0 => (&*nobody, 1_000_000_u128, 1_000_000_u128, false, ""),
        1 => ("0", 0, 0, true, CREATION),
        2 => (MESSAGE_PASSER, 5, 5, false, &*withdrawal),
        // two that fail: the contract reverts; the sender has not as much
        3 => (WETH, 7, 0, false, &*too_much),
        _ => (&*nobody, 0, 1 << 100, false, ""),
    };
    let length = data.len() / 2;
    let padded = length.next_multiple_of(32) * 2;
    let call = format!(
        "0xe9e05c42{to:0>64}{sent:064x}{:064x}{:064x}{:064x}{length:064x}{data:0<padded$}",
        300_000,
        u8::from(creates),
        160,
    );
    json!([{
        "from": DEPOSITOR,
        "to": PORTAL,
        "gas": "0x1e8480",
        "value": format!("{minted:#x}"),
        "data": call,
    }])
}

/// supersim's L1 genesis, at another time, with Ethereum's forks up to Prague.
pub(crate) fn genesis(peers: &Peers, time: u64) -> Value {
    let mut genesis = peers.genesis(CHAIN_ID);
    genesis["timestamp"] = json!(quantity(time));
    genesis["config"]["pragueTime"] = json!(0);
    genesis
}
