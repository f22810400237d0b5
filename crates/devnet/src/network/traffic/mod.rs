//! Load on a devnet that runs: transfers, tokens, storage, contracts, large calldata, deposits.
//!
//! The accounts are none of those that users are given: whoever else sends from an account may take
//! its nonces. So may a deposit: on L2 it uses up a nonce of the account that made it on L1 (deposits
//! specification, "Execution"). Each account has therefore another one beside it that deposits.

mod mix;
mod sender;

pub(crate) use mix::Kind;

use super::NetworkError;
use crate::{Account, Call, DevnetError, L1_CHAIN_ID, Rpc, Wallet};
use alloy_primitives::{Address, B256, Bytes, U256};
use mix::{Mix, STORE, WETH};
use sender::{Chains, Sender};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Number of the first account of traffic.
const FIRST_ACCOUNT: u32 = 1000;
/// Number of the first account that deposits.
const FIRST_DEPOSITOR: u32 = 2000;
/// Transactions a second that an account is given at most: pools keep a few of each.
const RATE_OF_AN_ACCOUNT: f64 = 4.0;
/// How many accounts there are at least and at most.
const ACCOUNTS: (u32, u32) = (4, 100);
/// The user whose ether the accounts get.
const FUNDER: u32 = super::description::USERS - 1;
/// What each account is given on each chain: 20 ether.
const FUNDS: u128 = 20_000_000_000_000_000_000;
/// Below this, 5 ether, an account is given more.
const LOW: u128 = 5_000_000_000_000_000_000;
/// What of it becomes tokens.
const TOKENS: u128 = 1_000_000_000_000_000_000;
/// How long the first transactions may take into a block.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many transactions are named that are missing.
const MAX_MISSING: usize = 20;
/// How often progress is told.
const PROGRESS: Duration = Duration::from_secs(1);

/// What load is asked for.
#[derive(Clone, Debug)]
pub struct TrafficOptions {
    /// Transactions a second.
    pub rate: f64,
    /// For how long; none for until it is stopped.
    pub duration: Option<Duration>,
    /// What the transactions follow from.
    pub seed: u64,
}

/// Transactions of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Handed in.
    pub(crate) sent: u64,
    /// In a block, and successful.
    pub(crate) included: u64,
    /// In a block, and not successful.
    pub(crate) failed: u64,
    /// Not taken by the pool.
    pub(crate) refused: u64,
}

/// What load there was.
#[derive(Clone, Debug, Default)]
pub struct TrafficSummary {
    kinds: BTreeMap<Kind, Tally>,
    /// Some of the transactions that were handed in and are in no block, or failed there.
    missing: Vec<(Kind, B256)>,
    /// From the first transaction to the last.
    took: Duration,
}

impl TrafficSummary {
    fn total(&self) -> Tally {
        self.kinds
            .values()
            .fold(Tally::default(), |sum, one| Tally {
                sent: sum.sent + one.sent,
                included: sum.included + one.included,
                failed: sum.failed + one.failed,
                refused: sum.refused + one.refused,
            })
    }

    /// Transactions that were handed in.
    pub fn sent(&self) -> u64 {
        self.total().sent
    }

    /// Transactions that are in blocks, and succeeded.
    pub fn included(&self) -> u64 {
        self.total().included
    }

    /// Transactions that the pool did not take.
    pub fn refused(&self) -> u64 {
        self.total().refused
    }

    /// An error if a transaction was handed in and is in no block, or failed there.
    ///
    /// # Errors
    ///
    /// [`NetworkError::Traffic`].
    pub fn check(&self) -> Result<(), NetworkError> {
        let Tally { sent, included, .. } = self.total();
        match sent.saturating_sub(included) {
            0 => Ok(()),
            missing => Err(NetworkError::Traffic { sent, missing }),
        }
    }

    /// Transactions a second that were handed in.
    pub fn rate(&self) -> f64 {
        let sent = u32::try_from(self.sent()).unwrap_or(u32::MAX);
        f64::from(sent) / self.took.as_secs_f64().max(0.001)
    }

    /// The same for programs.
    pub fn to_json(&self) -> Value {
        let object = |tally: &Tally| {
            json!({
                "sent": tally.sent,
                "included": tally.included,
                "failed": tally.failed,
                "refused": tally.refused,
            })
        };
        let mut value = object(&self.total());
        let kinds = self.kinds.iter();
        let kinds = kinds.map(|(kind, tally)| (kind.name().to_owned(), object(tally)));
        if let Some(fields) = value.as_object_mut() {
            fields.insert("seconds".to_owned(), json!(self.took.as_secs_f64()));
            fields.insert("rate".to_owned(), json!(self.rate()));
            fields.insert("kinds".to_owned(), Value::Object(kinds.collect()));
            let missing = self.missing.iter();
            let missing: Vec<_> = missing
                .map(|(kind, hash)| json!({"kind": kind.name(), "hash": hash}))
                .collect();
            fields.insert("missing".to_owned(), json!(missing));
        }
        value
    }

    /// The same for people, a line each.
    pub fn lines(&self) -> Vec<String> {
        let line = |name: &str, tally: &Tally| {
            format!(
                "{name:<9} {:>8} sent {:>8} in blocks {:>6} failed {:>6} refused",
                tally.sent, tally.included, tally.failed, tally.refused
            )
        };
        let kinds = self.kinds.iter();
        let mut lines: Vec<_> = kinds
            .map(|(kind, tally)| line(kind.name(), tally))
            .collect();
        lines.push(line("all", &self.total()));
        let missing = self.missing.iter();
        lines.extend(
            missing.map(|(kind, hash)| format!("missing or failed: {} {hash}", kind.name())),
        );
        lines.push(format!(
            "{:.1} a second over {:.1} s",
            self.rate(),
            self.took.as_secs_f64()
        ));
        lines
    }
}

/// What has been done so far, by all accounts. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tallies(Arc<Mutex<TrafficSummary>>);

impl Tallies {
    fn so_far(&self) -> MutexGuard<'_, TrafficSummary> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn change(&self, kind: Kind, change: impl FnOnce(&mut Tally)) {
        change(self.so_far().kinds.entry(kind).or_default());
    }

    /// A transaction is in no block, or failed there.
    pub(crate) fn miss(&self, kind: Kind, hash: B256) {
        let missing = &mut self.so_far().missing;
        if missing.len() < MAX_MISSING {
            missing.push((kind, hash));
        }
    }

    fn summary(&self, took: Duration) -> TrafficSummary {
        let mut summary = self.so_far().clone();
        summary.took = took;
        summary
    }
}

/// Sends load to the devnet in `folder` until `stop` is there, and waits until all of it is in blocks.
///
/// # Errors
///
/// If no devnet runs there, or does not answer. What became of the transactions, the summary says.
pub async fn traffic(
    folder: &Path,
    options: &TrafficOptions,
    stop: impl Future<Output = ()>,
    mut progress: impl FnMut(&TrafficSummary),
) -> Result<TrafficSummary, NetworkError> {
    let target = Target::read(folder)?;
    let accounts = accounts(options.rate)?;
    target.fund(&accounts).await?;
    let mut stores = Vec::new();
    for users in &accounts {
        stores.push(target.prepare(*users).await?);
    }
    let tallies = Tallies::default();
    let (stop_all, stopped) = watch::channel(false);
    let mut tasks = tokio::task::JoinSet::new();
    let count = u32::try_from(accounts.len()).unwrap_or(1);
    let interval = Duration::from_secs_f64(f64::from(count) / options.rate.clamp(0.001, 1e6));
    for (place, (users, store)) in accounts.into_iter().zip(stores).enumerate() {
        let (store, deployed) = store;
        target.l2.wait_for(deployed, PATIENCE).await?.succeeded()?;
        let mix = Mix::new(options.seed, users.l2, target.portal, store);
        let sender = Sender::new(target.chains(users), mix, tallies.clone());
        // evenly over the interval, not all at once
        let first = interval.mul_f64(place as f64 / f64::from(count));
        tasks.spawn(sender.run(first, interval, stopped.clone()));
    }
    let begin = Instant::now();
    let end = async {
        match options.duration {
            Some(duration) => tokio::select! {
                () = stop => {}
                () = tokio::time::sleep(duration) => {}
            },
            None => stop.await,
        }
    };
    tokio::pin!(end);
    let mut told = tokio::time::interval(PROGRESS);
    loop {
        tokio::select! {
            () = &mut end => break,
            _ = told.tick() => progress(&tallies.summary(begin.elapsed())),
        }
    }
    let took = begin.elapsed();
    let _ = stop_all.send(true);
    while tasks.join_next().await.is_some() {}
    Ok(tallies.summary(took))
}

/// Who sends on L2, and who deposits for it on L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Users {
    l1: Account,
    l2: Account,
}

fn accounts(rate: f64) -> Result<Vec<Users>, DevnetError> {
    let mut count = ACCOUNTS.0;
    while count < ACCOUNTS.1 && f64::from(count) * RATE_OF_AN_ACCOUNT < rate {
        count += 1;
    }
    let users = |place| {
        Ok(Users {
            l1: Account::user(FIRST_DEPOSITOR + place)?,
            l2: Account::user(FIRST_ACCOUNT + place)?,
        })
    };
    (0..count).map(users).collect()
}

/// The devnet, as its devnet.json says.
#[derive(Debug)]
struct Target {
    l1: Rpc,
    l2: Rpc,
    l2_chain_id: u64,
    portal: Address,
}

impl Target {
    fn read(folder: &Path) -> Result<Self, NetworkError> {
        let file = folder.join("devnet.json");
        let wrong = |reason: String| NetworkError::NoDevnet {
            file: file.clone(),
            reason,
        };
        let text = fs::read_to_string(&file).map_err(|error| wrong(error.to_string()))?;
        let value: Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let get = |pointer: &str| {
            let found = value
                .pointer(pointer)
                .cloned()
                .filter(|found| !found.is_null());
            found.ok_or_else(|| wrong(format!("there is no {pointer}")))
        };
        get("/process").map_err(|_| wrong("no devnet runs there".to_owned()))?;
        let url = |pointer: &str| -> Result<Rpc, NetworkError> {
            Ok(Rpc::new(get(pointer)?.as_str().unwrap_or_default())?)
        };
        let portal = serde_json::from_value(get("/l1/contracts/OptimismPortal")?);
        Ok(Self {
            l1: url("/l1/rpc")?,
            l2: url("/l2/rpc")?,
            l2_chain_id: get("/l2/chain_id")?.as_u64().unwrap_or_default(),
            portal: portal.map_err(|error| wrong(error.to_string()))?,
        })
    }

    fn chains(&self, users: Users) -> Chains {
        Chains {
            l1: Wallet::new(self.l1.clone(), L1_CHAIN_ID, users.l1),
            l2: Wallet::new(self.l2.clone(), self.l2_chain_id, users.l2),
        }
    }

    /// Gives accounts ether on their chain, where they lack it.
    async fn fund(&self, accounts: &[Users]) -> Result<(), NetworkError> {
        let funder = Account::user(FUNDER)?;
        let funder = self.chains(Users {
            l1: funder,
            l2: funder,
        });
        let on_l1: Vec<_> = accounts.iter().map(|users| users.l1).collect();
        let on_l2: Vec<_> = accounts.iter().map(|users| users.l2).collect();
        for (wallet, accounts) in [(funder.l1, on_l1), (funder.l2, on_l2)] {
            let rpc = wallet.rpc();
            let mut nonce = wallet.next_nonce().await?;
            let mut last = None;
            for account in accounts {
                if rpc.balance(account.address).await? < U256::from(LOW) {
                    let call = Call::transfer(account.address, U256::from(FUNDS));
                    let signed = wallet.sign(&call, nonce)?;
                    last = Some(send_patiently(rpc, &signed.raw).await?);
                    nonce += 1;
                }
            }
            if let Some(hash) = last {
                rpc.wait_for(hash, PATIENCE).await?.succeeded()?;
            }
        }
        Ok(())
    }

    /// Gives an account tokens and a contract; the contract, and the transaction that makes it.
    async fn prepare(&self, users: Users) -> Result<(Address, B256), NetworkError> {
        let wallet = self.chains(users).l2;
        let nonce = wallet.next_nonce().await?;
        let wrap = Call::contract(WETH, crate::contracts::abi("deposit()", &[], None));
        let wrap = wrap.with_value(U256::from(TOKENS)).with_gas(120_000);
        let signed = wallet.sign(&wrap, nonce)?;
        wallet.rpc().send_raw(&signed.raw).await?;
        let create = Call::creation(STORE.to_vec().into());
        let signed = wallet.sign(&create, nonce + 1)?;
        let hash = wallet.rpc().send_raw(&signed.raw).await?;
        Ok((users.l2.address.create(nonce + 1), hash))
    }
}

/// Hands a transaction in, again and again while the pool has no room for the account.
async fn send_patiently(rpc: &Rpc, raw: &Bytes) -> Result<B256, NetworkError> {
    let begin = Instant::now();
    loop {
        match rpc.send_raw(raw).await {
            Ok(hash) => return Ok(hash),
            Err(error) if begin.elapsed() >= PATIENCE => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(250)).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn more_load_has_more_accounts_and_a_summary_adds_up() {
        assert_eq!(accounts(1.0).unwrap().len(), 4);
        assert_eq!(accounts(50.0).unwrap().len(), 13);
        let all = accounts(1e9).unwrap();
        assert_eq!(all.len(), 100);
        let addresses: BTreeSet<_> = all
            .iter()
            .flat_map(|one| [one.l1, one.l2])
            .map(|one| one.address)
            .collect();
        assert_eq!(addresses.len(), 200, "who deposits sends nothing on L2");
        let tallies = Tallies::default();
        tallies.change(Kind::Transfer, |tally| tally.sent += 3);
        tallies.change(Kind::Transfer, |tally| tally.included += 2);
        tallies.change(Kind::Deposit, |tally| tally.sent += 1);
        let summary = tallies.summary(Duration::from_secs(2));
        let value = summary.to_json();
        assert_eq!(
            (value["sent"].as_u64(), value["rate"].as_f64()),
            (Some(4), Some(2.0))
        );
        assert_eq!(value["kinds"]["transfer"]["included"], 2);
        assert_eq!(summary.lines().len(), 4);
        let error = summary.check().unwrap_err().to_string();
        assert!(error.starts_with("2 of 4 transactions"), "{error}");
    }

    #[tokio::test]
    async fn where_no_devnet_runs_that_is_said() {
        let options = TrafficOptions {
            rate: 1.0,
            duration: None,
            seed: 0,
        };
        let error = traffic(Path::new("/nowhere"), &options, async {}, |_| {}).await;
        let text = error.unwrap_err().to_string();
        assert!(
            text.contains("/nowhere/devnet.json") && text.contains("doppio devnet"),
            "{text}"
        );
    }
}
