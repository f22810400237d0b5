//! L1: anvil with the genuine contracts of the OP Stack, mined by the test at exact times.
//!
//! Blocks that lie in the past are made at once. Users deposit now and then.

use alloy_primitives::{Address, B256, Bytes, U256, address, hex};
use doppio_devnet::{Account, Chain, ChainOptions, Deposit, DevL1, DevL1Options, Mining};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::runtime::Runtime;

/// Init code of a contract that stores what it is called with in the slot of the block's
/// number, and logs.
pub(crate) const CREATION: &str = "6a600035435560006000a000600052600b6015f3";
/// Deposits come with every so many L1 blocks.
const DEPOSIT_EVERY: u64 = 4;
const MESSAGE_PASSER: Address = address!("4200000000000000000000000000000000000016");
const WETH: Address = address!("4200000000000000000000000000000000000006");

/// L1 while it runs, and the L2 chain on it.
pub(crate) struct L1 {
    pub(crate) chain: Chain,
    l1: Arc<DevL1>,
    stop: Arc<AtomicBool>,
    miner: Option<JoinHandle<()>>,
}

impl L1 {
    /// Starts L1 with a first block so many seconds ago, writes the chain's files into a folder, and
    /// goes on mining.
    pub(crate) fn start(folder: &Path, behind: u64, options: ChainOptions) -> Self {
        let runtime = Runtime::new().unwrap();
        let (l1, chain) = runtime.block_on(async {
            let l1 = DevL1::start(DevL1Options {
                behind,
                mining: Mining::OnDemand,
                ..DevL1Options::default()
            });
            let l1 = l1.await.unwrap_or_else(|error| panic!("{error}"));
            let chain = l1.chain(folder, options).await.unwrap();
            (Arc::new(l1), chain)
        });
        let stop = Arc::new(AtomicBool::new(false));
        let miner = {
            let (l1, chain, stop) = (Arc::clone(&l1), chain.clone(), Arc::clone(&stop));
            move || runtime.block_on(mine(&l1, &chain, &stop))
        };
        Self {
            chain,
            l1,
            stop,
            miner: Some(thread::spawn(miner)),
        }
    }

    /// Where JSON-RPC and the beacon node are.
    pub(crate) fn url(&self) -> &str {
        self.l1.rpc_url()
    }

    pub(crate) fn assert_running(&self) {
        self.l1.check().unwrap_or_else(|error| panic!("{error}"));
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
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// Mines each block once its time has come, until told to stop.
async fn mine(l1: &DevL1, chain: &Chain, stop: &AtomicBool) {
    let depositor = l1.wallet(Account::user(0).unwrap());
    while !stop.load(Ordering::Relaxed) {
        let head = l1.head().await.unwrap();
        if head.timestamp + l1.options().block_time > now() {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        }
        let number = head.number + 1;
        if number.is_multiple_of(DEPOSIT_EVERY) {
            let deposit = deposit(number / DEPOSIT_EVERY).call(&chain.contracts);
            depositor.send(&deposit).await.unwrap();
        }
        l1.mine(1).await.unwrap();
    }
}

/// A deposit: each time one of five kinds.
fn deposit(index: u64) -> Deposit {
    let nobody = Address::from_word(B256::from(U256::from(0x7700_0000 + index)));
    let word = |value: u128| B256::from(U256::from(value));
    let call = |selector: [u8; 4], words: &[B256]| -> Bytes {
        [selector.as_slice(), words.concat().as_slice()]
            .concat()
            .into()
    };
    let (to, mint, value, data) = match index % 5 {
        0 => (Some(nobody), 1_000_000, 1_000_000_u128, Bytes::new()),
        1 => (None, 0, 0, hex::decode(CREATION).unwrap().into()),
        // initiateWithdrawal(nobody, 100000, "")
        2 => {
            let words = [nobody.into_word(), word(100_000), word(96), word(0)];
            let data = call([0xc2, 0xb3, 0xe5, 0xac], &words);
            (Some(MESSAGE_PASSER), 5, 5, data)
        }
        // two that fail: withdraw(2^64), which nobody has; the sender has not as much
        3 => {
            let data = call([0x2e, 0x1a, 0x7d, 0x4d], &[word(1 << 64)]);
            (Some(WETH), 7, 0, data)
        }
        _ => (Some(nobody), 0, 1 << 100, Bytes::new()),
    };
    Deposit {
        to,
        mint: U256::from(mint),
        value: U256::from(value),
        gas: 300_000,
        data,
    }
}
