//! One account that sends: at its rate, with its own nonces, and after each transaction until it is in
//! a block.

use super::{Kind, Tallies, mix::Mix};
use crate::{DevnetError, Wallet};
use alloy_primitives::B256;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Most transactions that wait for a block, of one account.
const WAITING: usize = 12;
/// How long one may take into a block before it is looked for anew: blocks may have been replaced.
const LOST: Duration = Duration::from_secs(60);
/// How long all may take once no more are sent.
const DRAIN: Duration = Duration::from_secs(90);
/// Time between two looks whether one is in a block.
const POLL: Duration = Duration::from_millis(200);

/// The account on both chains.
#[derive(Clone, Debug)]
pub(super) struct Chains {
    pub(super) l1: Wallet,
    pub(super) l2: Wallet,
}

/// A transaction that is on its way.
#[derive(Debug)]
struct Waiting {
    kind: Kind,
    hash: B256,
    since: Instant,
}

/// The account's transactions on one chain.
#[derive(Debug)]
struct Lane {
    wallet: Wallet,
    /// Of the next transaction; none if the chain has to be asked.
    nonce: Option<u64>,
    waiting: VecDeque<Waiting>,
}

impl Lane {
    const fn new(wallet: Wallet) -> Self {
        Self {
            wallet,
            nonce: None,
            waiting: VecDeque::new(),
        }
    }

    /// Looks which of the oldest transactions are in blocks.
    async fn settle(&mut self, tallies: &Tallies) -> Result<(), DevnetError> {
        while let Some(oldest) = self.waiting.front() {
            match self.wallet.rpc().receipt(oldest.hash).await? {
                Some(receipt) if receipt.status == 1 => {
                    tallies.change(oldest.kind, |tally| tally.included += 1);
                }
                Some(_) => {
                    tallies.change(oldest.kind, |tally| tally.failed += 1);
                    tallies.miss(oldest.kind, oldest.hash);
                }
                None if oldest.since.elapsed() >= LOST => {
                    tallies.miss(oldest.kind, oldest.hash);
                    self.nonce = None;
                }
                None => return Ok(()),
            }
            self.waiting.pop_front();
        }
        Ok(())
    }

    async fn send(&mut self, kind: Kind, call: &crate::Call) -> Result<(), DevnetError> {
        let nonce = match self.nonce {
            Some(nonce) => nonce,
            None => self.wallet.next_nonce().await?,
        };
        // whatever goes wrong now: the chain knows
        self.nonce = None;
        let signed = self.wallet.sign(call, nonce)?;
        let hash = self.wallet.rpc().send_raw(&signed.raw).await?;
        self.nonce = Some(nonce + 1);
        self.waiting.push_back(Waiting {
            kind,
            hash,
            since: Instant::now(),
        });
        Ok(())
    }
}

/// An account that sends.
#[derive(Debug)]
pub(super) struct Sender {
    l1: Lane,
    l2: Lane,
    mix: Mix,
    tallies: Tallies,
}

impl Sender {
    pub(super) fn new(chains: Chains, mix: Mix, tallies: Tallies) -> Self {
        Self {
            l1: Lane::new(chains.l1),
            l2: Lane::new(chains.l2),
            mix,
            tallies,
        }
    }

    /// Sends until it is stopped, and then waits until all is in blocks.
    pub(super) async fn run(
        mut self,
        first: Duration,
        interval: Duration,
        mut stopped: watch::Receiver<bool>,
    ) {
        let start = tokio::time::Instant::now() + first;
        let mut ticks = tokio::time::interval_at(start, interval);
        // what was late is made up for, as far as the pool has room
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
        loop {
            // what it waits with must not be held while something is sent
            let stop = async {
                let _ = stopped.wait_for(|stopped| *stopped).await;
            };
            tokio::select! {
                () = stop => break,
                _ = ticks.tick() => self.send_next().await,
            }
        }
        let begin = Instant::now();
        while begin.elapsed() < DRAIN {
            self.settle().await;
            if self.l1.waiting.is_empty() && self.l2.waiting.is_empty() {
                break;
            }
            tokio::time::sleep(POLL).await;
        }
        for left in self.l1.waiting.iter().chain(&self.l2.waiting) {
            self.tallies.miss(left.kind, left.hash);
        }
    }

    async fn settle(&mut self) {
        for lane in [&mut self.l1, &mut self.l2] {
            if let Err(error) = lane.settle(&self.tallies).await {
                tracing::debug!("traffic: {error}");
            }
        }
    }

    async fn send_next(&mut self) {
        self.settle().await;
        let (kind, call) = self.mix.draw();
        let lane = match kind {
            Kind::Deposit => &mut self.l1,
            _ => &mut self.l2,
        };
        let is_full = lane.waiting.len() >= WAITING;
        let sent = match is_full {
            true => Ok(false),
            false => lane.send(kind, &call).await.map(|()| true),
        };
        self.tallies.change(kind, |tally| match sent {
            Ok(true) => tally.sent += 1,
            Ok(false) | Err(_) => tally.refused += 1,
        });
        if let Err(error) = sent {
            tracing::debug!("traffic: {} is refused: {error}", kind.name());
        }
    }
}
