//! The loop around the driver: what it asks for is done beside it, what comes back is given to it.
//!
//! Questions of one kind never overlap, those of different kinds may: while a block of L1 is on its
//! way, the sequencer's block is sealed on time. An answer waits in its [`Lane`] until the driver asks
//! for exactly that; a reset empties all lanes.

mod events;

use crate::{
    command::{Command, CommandError, NodeHandle, Reply},
    da::DaSource,
    lane::{Answer, Done, KINDS, Kind, Lane},
    meters::{self, Happened},
    news::{News, measure_endpoints, poll_head, poll_labels},
    persistence::{AdminState, AdminStateError},
    requests::{Setback, Sources, Visible, next_l1_block},
    safe_db::{SafeDb, SafeDbError},
    status::{NodeStatus, sync_status},
};
use alloy_primitives::B256;
use core::time::Duration;
use doppio_l1::{Follower, FollowerOptions, L1Source};
use doppio_l2::L2Client;
use doppio_node::{
    Driver, DriverError, DriverOptions, EngineAnswer, EngineCall, Millis, Next, SequencerOptions,
    Stop,
};
use doppio_protocol::config::ChainConfig;
use std::{
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};
use thiserror::Error;
use tokio::{
    select,
    sync::{mpsc, watch},
    task::{AbortHandle, JoinHandle, JoinSet},
    time::sleep_until,
};
use tracing::{debug, error, info, warn};

/// Commands that may wait.
const COMMANDS: usize = 64;

/// What an operator chooses about sequencing.
#[derive(Clone, Copy, Debug)]
pub struct SequencerSettings {
    /// The sequencer's own options.
    pub options: SequencerOptions,
    /// How deep an L1 block must be to become an origin (`--sequencer.l1-confs`).
    pub l1_confs: u64,
    /// Only finalized L1 blocks become origins (`--sequencer.use-finalized`).
    pub use_finalized: bool,
    /// Waits for `admin_startSequencer` (`--sequencer.stopped`).
    pub stopped: bool,
}

/// How often L1 is asked for news.
#[derive(Clone, Copy, Debug)]
pub struct Polling {
    /// For its head (`--l1.http-poll-interval`).
    pub head: Duration,
    /// For its safe and finalized blocks (`--l1.epoch-poll-interval`).
    pub epoch: Duration,
}

impl Default for Polling {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(12),
            epoch: Duration::from_secs(12 * 32),
        }
    }
}

/// What an operator chooses.
#[derive(Clone, Debug, Default)]
pub struct NodeOptions {
    /// How heads are found and become final.
    pub driver: DriverOptions,
    /// How L1 is asked for news.
    pub polling: Polling,
    /// Makes blocks; none for a verifier.
    pub sequencer: Option<SequencerSettings>,
    /// Where it is kept whether blocks are made.
    pub admin_state: Option<AdminState>,
}

/// Why the node stops by itself.
#[derive(Debug, Error)]
pub enum NodeError {
    /// The driver cannot go on.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// The safe-head database.
    #[error(transparent)]
    SafeDb(#[from] SafeDbError),
    /// The state file.
    #[error(transparent)]
    AdminState(#[from] AdminStateError),
}

/// A node that runs.
#[derive(Debug)]
pub struct Node {
    handle: NodeHandle,
    task: JoinHandle<Result<(), NodeError>>,
}

impl Node {
    /// Starts a node. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// If the state file cannot be read.
    pub fn start(
        chain: Arc<ChainConfig>,
        l1: L1Source,
        l2: Arc<L2Client>,
        da: Option<DaSource>,
        safe_db: Option<Arc<SafeDb>>,
        options: NodeOptions,
    ) -> Result<Self, NodeError> {
        let kept = match &options.admin_state {
            Some(state) => state.is_sequencing()?,
            None => None,
        };
        let wants_blocks = options.sequencer.is_some_and(|settings| {
            if kept.is_some_and(|kept| kept == settings.stopped) {
                warn!(
                    sequencing = !settings.stopped,
                    kept, "the state file counts, not --sequencer.stopped"
                );
            }
            kept.unwrap_or(!settings.stopped)
        });
        let (commands, received) = mpsc::channel(COMMANDS);
        let (status, watched) = watch::channel(NodeStatus::default());
        let handle = NodeHandle {
            chain: Arc::clone(&chain),
            l2: Arc::clone(&l2),
            safe_db: safe_db.clone(),
            status: watched,
            commands,
        };
        let sources = Sources {
            chain: Arc::clone(&chain),
            l1,
            l2,
            da,
        };
        let service = Service {
            driver: Driver::new(chain, options.driver),
            sources,
            options,
            wants_blocks,
            follower: None,
            lanes: Default::default(),
            tasks: JoinSet::new(),
            status,
            safe_db,
            generation: 0,
            stopping: Vec::new(),
            seal_began: None,
            progress: None,
        };
        let task = tokio::spawn(service.run(received));
        Ok(Self { handle, task })
    }

    /// How everybody else reaches it.
    pub const fn handle(&self) -> &NodeHandle {
        &self.handle
    }

    /// Waits until it ends: by [`NodeHandle::stop`], or because it cannot go on.
    ///
    /// # Errors
    ///
    /// Why it cannot go on.
    pub async fn ended(&mut self) -> Result<(), NodeError> {
        match (&mut self.task).await {
            Ok(result) => result,
            Err(error) => {
                if error.is_panic() {
                    error!(%error, "the node's loop panicked: this is a bug");
                }
                Err(DriverError::Bug("the node's loop ended").into())
            }
        }
    }
}

struct Service {
    driver: Driver,
    sources: Sources,
    options: NodeOptions,
    /// Whether it makes blocks as soon as it can.
    wants_blocks: bool,
    /// None before derivation begins, and while it is asked.
    follower: Option<Follower>,
    lanes: [Lane; KINDS.len()],
    tasks: JoinSet<Done>,
    status: watch::Sender<NodeStatus>,
    safe_db: Option<Arc<SafeDb>>,
    /// The driver's generation that the lanes are of.
    generation: u64,
    /// Who waits for the sequencer to stop.
    stopping: Vec<Reply<Result<B256, CommandError>>>,
    /// When a block of our own was fetched.
    seal_began: Option<Instant>,
    /// When progress was logged last.
    progress: Option<Instant>,
}

/// Time since the Unix epoch.
fn unix() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

fn millis(time: Duration) -> Millis {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Service {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) -> Result<(), NodeError> {
        meters::up(env!("CARGO_PKG_VERSION"));
        let (sender, mut news) = mpsc::channel(16);
        let l1 = self.sources.l1.clone();
        let polling = self.options.polling;
        let heads = tokio::spawn(poll_head(l1.clone(), polling.head, sender.clone()));
        let labels = tokio::spawn(poll_labels(l1.clone(), polling.epoch, sender));
        let endpoints = tokio::spawn(measure_endpoints(l1));
        let result = loop {
            let wake = match self.go_on() {
                Ok(wake) => wake,
                Err(error) => break Err(error),
            };
            let timer = async {
                match wake {
                    Some(at) => sleep_until(at.into()).await,
                    None => core::future::pending().await,
                }
            };
            select! {
                Some(done) = self.tasks.join_next() => match done {
                    Ok(done) => self.done(done),
                    Err(error) if error.is_cancelled() => {}
                    Err(error) => {
                        error!(%error, "a request panicked: this is a bug");
                        break Err(DriverError::Bug("a request panicked").into());
                    }
                },
                Some(news) = news.recv() => self.news(news),
                command = commands.recv() => match command {
                    Some(Command::Stop(reply)) => {
                        // an error says that nobody waits for it
                        let _ = reply.send(());
                        break Ok(());
                    }
                    Some(command) => self.command(command),
                    None => break Ok(()),
                },
                () = timer => {}
            }
        };
        heads.abort();
        labels.abort();
        endpoints.abort();
        if let Err(error) = &result {
            error!(%error, "the node stops");
        }
        result
    }

    /// Lets the driver go on as far as it can, and asks for what it needs then. Gives the time at
    /// which it is to go on by itself.
    fn go_on(&mut self) -> Result<Option<Instant>, NodeError> {
        loop {
            let now = unix();
            let next = self.driver.step(millis(now))?;
            if self.driver.generation() != self.generation {
                self.generation = self.driver.generation();
                for kind in KINDS {
                    self.lanes[kind as usize].clear(kind);
                }
            }
            self.events(now)?;
            let Some(kind) = Kind::of(&next) else {
                self.publish(now);
                meters::idle(true);
                return Ok(self.wake(&next, now));
            };
            let lane = &mut self.lanes[kind as usize];
            if let Some((_, answer)) = lane.ready.take_if(|(asked, _)| *asked == next) {
                self.deliver(answer)?;
                continue;
            }
            lane.ready = None;
            self.publish(now);
            meters::idle(false);
            self.ask(kind, &next);
            return Ok(self.wake(&next, now));
        }
    }

    /// When to go on by itself.
    fn wake(&self, next: &Next, now: Duration) -> Option<Instant> {
        let until = match next {
            Next::Wait { until } => *until,
            _ => self.driver.timer(),
        };
        let timer = until.and_then(|until| {
            let left = Duration::from_millis(until.saturating_sub(millis(now)));
            Instant::now().checked_add(left)
        });
        let lane = Kind::of(next).map(|kind| &self.lanes[kind as usize]);
        let retry = lane.and_then(|lane| lane.not_before.filter(|_| lane.asked.is_none()));
        timer.into_iter().chain(retry).min()
    }

    /// Begins to do what the driver asks for, unless it is being done or it is too early.
    fn ask(&mut self, kind: Kind, next: &Next) {
        let lane = &mut self.lanes[kind as usize];
        if let Some((asked, task)) = &lane.asked {
            if asked == next || kind.runs_to_its_end() {
                return;
            }
            task.abort();
            lane.asked = None;
        }
        if lane.not_before.is_some_and(|at| at > Instant::now()) {
            return;
        }
        lane.not_before = None;
        lane.is_obsolete = false;
        let sources = self.sources.clone();
        let task = match next.clone() {
            Next::Lookup(lookup) => self.spawn(kind, async move {
                sources.lookup(lookup).await.map(Answer::Found)
            }),
            Next::Derivation(request) => self.spawn(kind, async move {
                let response = sources.derivation(&request).await?;
                Ok(Answer::Response(Box::new(response)))
            }),
            Next::L1Block(_) => self.spawn_follower(),
            Next::L2Block(number) => self.spawn(kind, async move {
                let at = doppio_l1::verify::BlockAt::Number(number);
                Ok(Answer::L2Block(sources.l2.block(at).await?))
            }),
            Next::Engine(call) => {
                if matches!(call, EngineCall::GetPayload { .. }) {
                    self.seal_began = Some(Instant::now());
                }
                self.spawn(kind, async move {
                    Ok(Answer::Engine(sources.l2.call(&call).await?))
                })
            }
            Next::Sequence(need) => {
                let Some(settings) = self.options.sequencer else {
                    return;
                };
                let l1 = self.driver.l1();
                let visible = Visible::new(l1.head.as_ref(), l1.finalized.as_ref(), settings);
                self.spawn(kind, async move {
                    let answer = sources.sequence(&need, visible).await?;
                    Ok(Answer::Sequence(Box::new(answer)))
                })
            }
            Next::Wait { .. } => return,
        };
        self.lanes[kind as usize].asked = task.map(|task| (next.clone(), task));
    }

    fn spawn(
        &mut self,
        kind: Kind,
        work: impl Future<Output = Result<Answer, Setback>> + Send + 'static,
    ) -> Option<AbortHandle> {
        Some(self.tasks.spawn(async move {
            Done {
                kind,
                result: work.await,
                follower: None,
            }
        }))
    }

    /// Asks the follower for the block after the one that derivation is at.
    fn spawn_follower(&mut self) -> Option<AbortHandle> {
        let from = self.driver.current_l1()?.id();
        let mut follower = self.follower.take().unwrap_or_else(|| {
            // the driver itself stays behind L1's head, where it must
            let options = FollowerOptions::default();
            Follower::new(self.sources.l1.clone(), from, options)
        });
        Some(self.tasks.spawn(async move {
            let result = next_l1_block(&mut follower, from).await;
            Done {
                kind: Kind::L1Block,
                result: result.map(|response| Answer::Response(Box::new(response))),
                follower: Some(follower),
            }
        }))
    }

    /// A question was done.
    fn done(&mut self, done: Done) {
        let Done {
            kind,
            result,
            follower,
        } = done;
        if follower.is_some() {
            self.follower = follower;
        }
        let lane = &mut self.lanes[kind as usize];
        let Some((next, _)) = lane.asked.take() else {
            return;
        };
        if std::mem::take(&mut lane.is_obsolete) {
            return;
        }
        match result {
            Ok(answer) => {
                lane.failures = 0;
                lane.ready = Some((next, answer));
            }
            Err(Setback::Nothing) => {
                lane.failures = 0;
                // news of L1 ends the wait
                lane.not_before = Instant::now().checked_add(self.options.polling.head);
            }
            Err(Setback::Later(reason)) => {
                lane.pause();
                let attempt = lane.failures;
                if kind == Kind::Derivation {
                    // late, or gone with a part of L1: the driver finds out which
                    self.driver.unavailable();
                }
                warn!(asked = ?kind, attempt, "not now, will be asked again: {reason}");
                let happened = match kind {
                    Kind::Sequence => Happened::SequencingError,
                    _ => Happened::DerivationError,
                };
                meters::event(happened, unix());
            }
            Err(Setback::Reorg(reorg)) => {
                meters::l1_reorg(reorg.depth());
                self.driver.reset(Setback::Reorg(reorg).to_string());
            }
            Err(Setback::Gone(reason)) => {
                lane.pause();
                self.driver.reset(reason);
            }
        }
    }

    /// Gives the driver what it asks for.
    fn deliver(&mut self, answer: Answer) -> Result<(), NodeError> {
        // It was asked for in this very step: an answer of another kind would be a bug here.
        let bug = |_| DriverError::Bug("an answer that was not asked for");
        match answer {
            Answer::Found(found) => self.driver.found(found).map_err(bug)?,
            Answer::Response(response) => self.driver.supply(*response).map_err(bug)?,
            Answer::L2Block(block) => self.driver.consolidate(block.as_deref())?,
            Answer::Engine(answer) => {
                if let EngineAnswer::Error(error) = &answer {
                    warn!(%error, "the engine answers with an error");
                    // what is temporary is asked again: not at once
                    self.lanes[Kind::Engine as usize].pause();
                }
                self.driver.engine(answer)?;
            }
            Answer::Sequence(answer) => self.driver.sequence(&answer)?,
        }
        Ok(())
    }

    /// There is news of L1.
    fn news(&mut self, news: News) {
        match news {
            News::Head(head) => {
                for lane in self.lanes.iter_mut().filter(|lane| lane.failures == 0) {
                    lane.not_before = None;
                }
                let current = self.driver.current_l1().copied();
                if current.is_some_and(|at| at.number == head.number && at.hash != head.hash) {
                    let at = current.unwrap_or_default();
                    meters::l1_reorg(1);
                    self.driver.reset(format!(
                        "L1 was reorganised: block {head} takes the place of {at}"
                    ));
                }
                self.driver.l1_head(head);
            }
            News::Safe(block) => self.driver.l1_safe(block),
            News::Finalized(block) => {
                if let Err(error) = self.driver.l1_finalized(block) {
                    debug!(%error, "an old finalized block of L1");
                }
            }
        }
    }

    fn command(&mut self, command: Command) {
        // Errors of sending say that nobody waits for the answer any more.
        match command {
            Command::Reset(reply) => {
                self.driver.reset("an operator asked for it");
                let _ = reply.send(());
            }
            Command::StartSequencing(head, reply) => {
                let _ = reply.send(self.start_sequencing(head));
            }
            Command::StopSequencing(reply) => match self.driver.stop_sequencing() {
                Stop::NotRunning => {
                    let _ = reply.send(Err(CommandError::NotSequencing));
                }
                // the driver tells when it has stopped, and at which head
                Stop::Stopped(_) | Stop::Pending => self.stopping.push(reply),
            },
            Command::SetRecover(recover, reply) => {
                let set = match &mut self.options.sequencer {
                    None => Err(CommandError::NotSequencer),
                    Some(settings) => {
                        settings.options.recover = recover;
                        self.driver.set_recover(recover);
                        info!(recover, "recover mode");
                        Ok(())
                    }
                };
                let _ = reply.send(set);
            }
            Command::UnsafeBlock(block, reply) => {
                meters::event(Happened::UnsafePayload, unix());
                let taken = self.driver.unsafe_block(block);
                let _ = reply.send(taken.map_err(CommandError::from));
            }
            // handled by the loop
            Command::Stop(_) => {}
        }
    }

    fn start_sequencing(&mut self, head: B256) -> Result<(), CommandError> {
        let settings = self.options.sequencer.ok_or(CommandError::NotSequencer)?;
        self.driver.start_sequencing(settings.options, head)?;
        info!(%head, "sequencing");
        self.wants_blocks = true;
        self.keep_state(true)
    }

    /// The sequencer has stopped: whoever asked for it is told the head.
    fn stopped(&mut self, head: B256) {
        info!(%head, "sequencing is stopped");
        self.wants_blocks = false;
        let kept = self.keep_state(false).map_err(|error| error.to_string());
        for reply in self.stopping.drain(..) {
            let answer = kept.clone().map_err(CommandError::Persistence);
            // an error says that nobody waits for it any more
            let _ = reply.send(answer.map(|()| head));
        }
    }

    fn keep_state(&self, is_sequencing: bool) -> Result<(), CommandError> {
        let Some(state) = &self.options.admin_state else {
            return Ok(());
        };
        state
            .set_sequencing(is_sequencing)
            .map_err(|error| CommandError::Persistence(error.to_string()))
    }

    fn publish(&self, now: Duration) {
        let new = NodeStatus {
            sync: sync_status(
                self.driver.heads(),
                self.driver.l1(),
                self.driver.current_l1(),
            ),
            is_sequencing: self.driver.is_sequencing(),
        };
        self.status.send_if_modified(|old| {
            if *old == new {
                return false;
            }
            meters::status(&new, old, now);
            *old = new;
            true
        });
        let waiting = self.driver.unsafe_blocks();
        meters::unsafe_blocks(waiting.len(), waiting.bytes());
        meters::recovering(self.driver.is_recovering());
    }
}
