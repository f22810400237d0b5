//! The loop: events in, actions out. Nothing is decided here.

use super::{
    ask::{BlobTips, Gas, Nonces, Pooled, Tip},
    handle::{Command, News, Outcomes, Outgoing, Status, TxSender},
    inclusion::Find,
    meters::Meters,
    publish::{PublishTo, publish},
    sidecar::{Sidecar, SidecarError, with_sidecar},
    signer::Signer,
};
use crate::{L1Source, verify::BlockAt};
use alloy_primitives::{B256, Bytes};
use doppio_txmgr::{
    Action, CallId, Event, FailReason, L1Head, Millis, Options, OptionsError, Outcome, Published,
    RequestId, SidecarVersion, Signed, Suggestion, TxKind, TxManager, TxRequest, classify,
    percentile_tip,
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use thiserror::Error;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

/// How long the loop sleeps at most: the clock may be set.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);
/// Most blocks whose tips are read for one suggestion.
const MOST_TIP_BLOCKS: u64 = 128;

/// How a manager runs.
#[derive(Clone, Debug)]
pub struct TxmgrOptions {
    /// What decides. Its `address` is set to the signer's, and its `chain_id` is to be L1's.
    pub machine: Options,
    /// Which endpoints get transactions.
    pub publish_to: PublishTo,
    /// How often L1's head is asked for.
    pub poll_interval: Duration,
    /// What the names of metrics begin with: `op_batcher_default` or `op_proposer_default`.
    pub metrics_namespace: &'static str,
}

impl TxmgrOptions {
    /// Defaults for an L1.
    pub fn new(chain_id: u64, metrics_namespace: &'static str) -> Self {
        Self {
            machine: Options::new(chain_id, alloy_primitives::Address::ZERO),
            publish_to: PublishTo::default(),
            poll_interval: Duration::from_secs(3),
            metrics_namespace,
        }
    }
}

/// Why a manager does not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The options cannot work.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The blob of zeros has no sidecar.
    #[error(transparent)]
    Sidecar(#[from] SidecarError),
}

/// Milliseconds since the Unix epoch.
fn now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
    })
}

/// Starts a manager over L1's endpoints. It runs until it was closed, or all senders are gone, and
/// all requests have ended.
///
/// # Errors
///
/// If the options cannot work.
pub fn start(
    source: L1Source,
    signer: Arc<dyn Signer>,
    options: TxmgrOptions,
) -> Result<(TxSender, Outcomes), StartError> {
    let mut machine = options.machine.clone();
    machine.address = signer.address();
    let manager = TxManager::new(machine)?;
    let (commands, commanded) = mpsc::unbounded_channel();
    let (events, happened) = mpsc::unbounded_channel();
    let (news, told) = mpsc::unbounded_channel();
    let (status, shown) = watch::channel(status_of(&manager));
    let sender = TxSender {
        address: signer.address(),
        chain_id: options.machine.chain_id,
        commands,
        status: shown,
        next_id: Arc::new(AtomicU64::new(0)),
    };
    tokio::spawn(poll(source.clone(), options.poll_interval, events.clone()));
    let service = Service {
        meters: Meters::new(options.metrics_namespace),
        zeros: Arc::new(Mutex::new(Sidecar::of_zeros()?)),
        sidecars: HashMap::new(),
        tips: Arc::new(Mutex::new(BTreeMap::new())),
        manager,
        source,
        signer,
        options,
        events,
        news,
        status,
    };
    tokio::spawn(service.run(commanded, happened));
    Ok((sender, Outcomes { news: told }))
}

/// Asks for L1's head again and again.
async fn poll(source: L1Source, interval: Duration, events: mpsc::UnboundedSender<Event>) {
    let mut last = None;
    loop {
        match source.head().await {
            Ok(head) if last != Some(head.hash()) => {
                last = Some(head.hash());
                let header = head.header();
                let event = Event::Head(L1Head {
                    block: head.block_ref(),
                    base_fee: header.base_fee_per_gas.unwrap_or_default().into(),
                    excess_blob_gas: header.excess_blob_gas,
                });
                if events.send(event).is_err() {
                    return;
                }
            }
            Ok(_) => {}
            Err(error) => tracing::warn!("no L1 head: {error}"),
        }
        tokio::select! {
            () = events.closed() => return,
            () = tokio::time::sleep(interval) => {}
        }
    }
}

fn status_of(manager: &TxManager) -> Status {
    Status {
        settings: manager.settings().clone(),
        market: manager.market(),
        pending: manager.pending(),
        next_nonce: manager.next_nonce(),
    }
}

type SharedSidecar = Arc<Mutex<Sidecar>>;

struct Service {
    manager: TxManager,
    source: L1Source,
    signer: Arc<dyn Signer>,
    options: TxmgrOptions,
    /// Of requests with blobs.
    sidecars: HashMap<RequestId, SharedSidecar>,
    /// Of cancellations.
    zeros: SharedSidecar,
    /// What transactions with blobs gave, by height.
    tips: Arc<Mutex<BTreeMap<u64, Vec<u128>>>>,
    meters: Meters,
    events: mpsc::UnboundedSender<Event>,
    news: mpsc::UnboundedSender<News>,
    status: watch::Sender<Status>,
}

impl Service {
    async fn run(
        mut self,
        mut commands: mpsc::UnboundedReceiver<Command>,
        mut events: mpsc::UnboundedReceiver<Event>,
    ) {
        let mut has_senders = true;
        loop {
            while let Some(action) = self.manager.next_action(now()) {
                self.perform(action);
            }
            self.show();
            if self.manager.is_done() {
                return;
            }
            let wait = self.manager.next_timer().map_or(LONGEST_SLEEP, |time| {
                Duration::from_millis(time.saturating_sub(now())).min(LONGEST_SLEEP)
            });
            tokio::select! {
                command = commands.recv(), if has_senders => match command {
                    Some(command) => self.command(command).await,
                    None => {
                        has_senders = false;
                        self.manager.handle(now(), Event::Close);
                    }
                },
                event = events.recv() => if let Some(event) = event {
                    self.meter(&event);
                    self.manager.handle(now(), event);
                },
                () = sleep_until(Instant::now() + wait) => {}
            }
        }
    }

    fn show(&self) {
        let status = status_of(&self.manager);
        self.meters.pending(status.pending, status.next_nonce);
        if let Some(market) = &status.market {
            self.meters.market(market);
        }
        self.status.send_replace(status);
    }

    async fn command(&mut self, command: Command) {
        let event = match command {
            Command::Send(id, tx) => match self.prepare(id, tx).await {
                Some(request) => Event::Send { id, request },
                None => {
                    let reason = FailReason::Malformed("a blob has a field element that is none");
                    return self.tell(id, Outcome::Failed(reason));
                }
            },
            Command::Cancel(id) => Event::Cancel(id),
            Command::Set(settings) => Event::Set(settings),
            Command::Close => Event::Close,
        };
        self.manager.handle(now(), event);
    }

    /// Commits to the blobs of a request. In the loop, so that requests keep their order.
    async fn prepare(&mut self, id: RequestId, tx: Outgoing) -> Option<TxRequest> {
        let mut blob_hashes = Vec::new();
        if !tx.blobs.is_empty() {
            let blobs = tx.blobs;
            let sidecar = tokio::task::spawn_blocking(move || Sidecar::new(blobs));
            let sidecar = sidecar.await.ok()?.ok()?;
            blob_hashes = sidecar.hashes().to_vec();
            self.sidecars.insert(id, Arc::new(Mutex::new(sidecar)));
        }
        Some(TxRequest {
            to: tx.to,
            value: tx.value,
            data: tx.data,
            blob_hashes,
            gas_limit: tx.gas_limit,
        })
    }

    fn tell(&self, id: RequestId, outcome: Outcome) {
        // Whoever does not listen does not want to know.
        let _ = self.news.send(News::Outcome(id, outcome));
    }

    /// Answers a question, when it is answered.
    fn answer(&self, answer: impl Future<Output = Event> + Send + 'static) {
        let events = self.events.clone();
        tokio::spawn(async move {
            // A loop that has ended waits for no answer.
            let _ = events.send(answer.await);
        });
    }

    fn perform(&mut self, action: Action) {
        let source = self.source.clone();
        let address = self.signer.address();
        match action {
            Action::FetchAccount(call) => self.answer(async move {
                let account = source.pool().ask(&Nonces(address)).await;
                Event::Account(call, heard(account))
            }),
            Action::FetchTip { call, blob_blocks } => self.fetch_tip(call, blob_blocks),
            Action::EstimateGas(call, tx) => self.answer(async move {
                let job = Gas {
                    from: address,
                    tx: &tx,
                };
                let gas = match source.pool().ask(&job).await {
                    Ok(Some(gas)) => gas,
                    Ok(None) => Err("no answer".to_owned()),
                    Err(error) => Err(error.to_string()),
                };
                Event::Gas(call, gas)
            }),
            Action::Sign(call, tx) => {
                let signer = Arc::clone(&self.signer);
                self.answer(async move { Event::Signed(call, signer.sign(tx).await) });
            }
            Action::Publish {
                call,
                id,
                tx,
                blob_hashes,
                sidecar,
            } => self.publish(call, id, tx, &blob_hashes, sidecar),
            Action::LookUp(call, hashes) => {
                let schedule = self.manager.options().blob_schedule.clone();
                self.answer(async move {
                    let job = Find {
                        hashes: &hashes,
                        schedule: &schedule,
                    };
                    let found = source.pool().ask(&job).await;
                    Event::LookedUp(call, found.map_err(|error| error.to_string()))
                });
            }
            Action::FetchBlockHash(call, height) => self.answer(async move {
                let header = source.header(BlockAt::Number(height)).await;
                Event::BlockHash(call, heard(header).map(|header| header.hash()))
            }),
            Action::LookUpPool(call, from, until) => self.answer(async move {
                let job = Pooled {
                    address,
                    from,
                    until,
                };
                let found = source.pool().ask(&job).await;
                Event::Pool(call, heard(found).unwrap_or_default())
            }),
            Action::Outcome { id, outcome } => {
                if let Outcome::Confirmed(inclusion) | Outcome::Reverted(inclusion) = &outcome {
                    self.meters.confirmed(id, inclusion, now());
                }
                tracing::debug!(%id, ?outcome, "transaction");
                // Whoever hears of it finds it in the status, too.
                self.show();
                self.tell(id, outcome);
            }
            Action::Forget(id) => {
                self.sidecars.remove(&id);
                self.meters.forget(id);
            }
            Action::Notice(notice) => {
                tracing::warn!(account = %address, "{notice}");
                let _ = self.news.send(News::Notice(notice));
            }
        }
    }

    fn fetch_tip(&self, call: CallId, blob_blocks: Option<u64>) {
        let source = self.source.clone();
        let tips = Arc::clone(&self.tips);
        let percentile = self.options.machine.blob_tip_cap_percentile;
        self.answer(async move {
            let Some(tip) = heard(source.pool().ask(&Tip).await) else {
                return Event::Tip(call, None);
            };
            let blob_tip = match blob_blocks {
                Some(blocks) => blob_tip(&source, &tips, blocks, percentile).await,
                None => None,
            };
            Event::Tip(call, Some(Suggestion { tip, blob_tip }))
        });
    }

    fn publish(
        &mut self,
        call: CallId,
        id: Option<RequestId>,
        tx: Signed,
        blob_hashes: &[B256],
        version: SidecarVersion,
    ) {
        let has_blobs = !blob_hashes.is_empty();
        let sidecar = match id {
            _ if !has_blobs => None,
            None => Some(Arc::clone(&self.zeros)),
            Some(id) => self.sidecars.get(&id).map(Arc::clone),
        };
        if let Some(id) = id {
            let kind = if has_blobs {
                TxKind::Blob
            } else {
                TxKind::Plain
            };
            self.meters.publishing(id, tx.hash, kind, now());
        }
        let endpoints = self.source.pool().endpoints().to_vec();
        let best = self.source.pool().best().map(Arc::clone);
        let to = self.options.publish_to;
        self.answer(async move {
            let raw = match (has_blobs, sidecar) {
                (false, _) => Ok(tx.raw),
                (true, Some(sidecar)) => encode(tx.raw, sidecar, version).await,
                (true, None) => Err("its blobs are forgotten".to_owned()),
            };
            let published = match raw {
                Ok(raw) => publish(endpoints, best, to, raw).await,
                Err(words) => Published::Refused(vec![words]),
            };
            Event::Published(call, published)
        });
    }

    fn meter(&self, event: &Event) {
        match event {
            Event::Published(_, Published::Accepted) => self.meters.published(now()),
            Event::Published(_, Published::Refused(words) | Published::Unknown(words)) => {
                for words in words {
                    let own = &self.options.machine.already_published;
                    self.meters.not_published(classify(words, own).name());
                }
            }
            Event::Account(_, None) | Event::Tip(_, None) | Event::LookedUp(_, Err(_)) => {
                self.meters.rpc_error();
            }
            _ => {}
        }
    }
}

/// An answer; what is no answer is in the log.
fn heard<T>(answer: Result<Option<T>, crate::L1Error>) -> Option<T> {
    match answer {
        Ok(answer) => answer,
        Err(error) => {
            tracing::debug!("{error}");
            None
        }
    }
}

/// A transaction with its blobs, as it is handed in.
async fn encode(
    raw: Bytes,
    sidecar: SharedSidecar,
    version: SidecarVersion,
) -> Result<Bytes, String> {
    let made = tokio::task::spawn_blocking(move || {
        let sidecar = sidecar
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .form(version)?;
        with_sidecar(&raw, &sidecar)
    });
    match made.await {
        Ok(made) => made.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// What transactions with blobs gave in the newest blocks.
// spec: opstack-2026-09 7 *8
async fn blob_tip(
    source: &L1Source,
    tips: &Mutex<BTreeMap<u64, Vec<u128>>>,
    blocks: u64,
    percentile: u8,
) -> Option<u128> {
    let head = heard(source.head().await.map(Some))?.id().number;
    let first = head.saturating_sub(blocks.clamp(1, MOST_TIP_BLOCKS) - 1);
    let known = |tips: &BTreeMap<u64, Vec<u128>>, height| tips.contains_key(&height);
    for height in first..=head {
        if known(&tips.lock().unwrap_or_else(PoisonError::into_inner), height) {
            continue;
        }
        if let Some(found) = heard(source.pool().ask(&BlobTips(height)).await) {
            let mut tips = tips.lock().unwrap_or_else(PoisonError::into_inner);
            tips.insert(height, found);
        }
    }
    let mut tips = tips.lock().unwrap_or_else(PoisonError::into_inner);
    *tips = tips.split_off(&first);
    percentile_tip(tips.values().flatten().copied().collect(), percentile)
}
