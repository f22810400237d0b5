//! The loop around the machine.

use crate::{
    dry_run::{DryRun, DryRunSummary, Sums},
    handle::{BatcherHandle, Command, CommandError, Reply, Told},
    inputs::{self, Fees, NodeSync},
    loader::Loader,
    meters,
    poster::{Live, Poster},
    reports, throttle,
};
use core::time::Duration;
use doppio_batcher::{
    Action, Batcher, BatcherOptions, DaLimits, EncodeJob, Event, Millis, OptionsError, Report,
};
use doppio_l1::{
    L1Source,
    txmgr::{Outcomes, TxSender},
};
use doppio_l2::ActiveSequencer;
use doppio_protocol::{L1BlockRef, config::ChainConfig};
use doppio_rpc::Caller;
use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use thiserror::Error;
use tokio::{
    sync::{mpsc, watch},
    task::{JoinHandle, JoinSet},
    time::{Instant, MissedTickBehavior, interval, sleep_until},
};
use tracing::{info, warn};

/// Events that wait for the machine at most; who brings more waits.
const INPUTS: usize = 64;
/// How often the machine looks at the time by itself.
const TICK: Duration = Duration::from_millis(500);

/// Who posts.
#[derive(Debug)]
pub enum Posting {
    /// The transaction manager.
    Live(TxSender, Outcomes),
    /// Nobody (`--dry-run`).
    Dry,
}

/// How the service goes about it.
#[derive(Debug)]
pub struct ServiceOptions {
    /// How often the rollup node and L1 are asked.
    pub poll_interval: Duration,
    /// What must have been read of L1 first.
    pub node_sync: NodeSync,
    /// Who builds blocks, and is throttled. Nobody if throttling is off.
    pub builders: Vec<Arc<dyn Caller>>,
    /// The least tip that is reckoned with, in wei.
    pub least_tip: u128,
    /// How long the end waits for what is under way.
    pub patience: Duration,
    /// What the batcher calls itself.
    pub version: &'static str,
}

/// Why the batcher ended.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// The machine's options.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// A thread of ours fell over.
    #[error("a bug: {0}")]
    Bug(String),
    /// The transaction manager is gone.
    #[error("the transaction manager has ended")]
    NoSender,
}

/// The batcher's loop.
#[derive(Debug)]
pub struct BatcherService {
    batcher: Batcher,
    poster: Poster,
    loader: Loader,
    limits: watch::Sender<Option<DaLimits>>,
    inputs: mpsc::Receiver<Event>,
    commands: mpsc::Receiver<Command>,
    told: watch::Sender<Told>,
    tip: watch::Receiver<Option<L1BlockRef>>,
    encoding: JoinSet<doppio_batcher::Encoded>,
    stopping: Vec<Reply<Result<(), CommandError>>>,
    /// Until when what is under way is waited for, once the process ends.
    end: Option<Instant>,
    patience: Duration,
    is_started: bool,
}

/// A batcher that runs.
#[derive(Debug)]
pub struct Running {
    handle: BatcherHandle,
    task: JoinHandle<Result<(), ServiceError>>,
    sums: Option<Sums>,
}

fn now() -> Millis {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(now.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

impl Running {
    /// For whoever asks it something.
    pub const fn handle(&self) -> &BatcherHandle {
        &self.handle
    }

    /// What a dry run has counted; none if it is none.
    pub fn dry_run(&self) -> Option<DryRunSummary> {
        self.sums.as_ref().map(Sums::read)
    }

    /// Waits for the end.
    ///
    /// # Errors
    ///
    /// If it ended for another reason than that it was told to.
    pub async fn ended(&mut self) -> Result<(), ServiceError> {
        match (&mut self.task).await {
            Ok(ended) => ended,
            Err(error) => Err(ServiceError::Bug(error.to_string())),
        }
    }
}

impl BatcherService {
    /// Begins. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// If the options cannot work on this chain.
    pub fn start(
        chain: Arc<ChainConfig>,
        l1: L1Source,
        sequencers: Arc<ActiveSequencer>,
        posting: Posting,
        batcher: BatcherOptions,
        options: ServiceOptions,
    ) -> Result<Running, ServiceError> {
        let is_started = !batcher.stopped;
        let batcher = Batcher::new(Arc::clone(&chain), batcher, now())?;
        let (inputs, received) = mpsc::channel(INPUTS);
        let (commands, commanded) = mpsc::channel(INPUTS);
        let (tip, tip_known) = watch::channel(None);
        let (safe, safe_known) = watch::channel(0);
        let throttle = batcher.options().throttle;
        let (told, known) = watch::channel(Told {
            status: batcher.status(),
            throttle,
        });
        let (poster, sums) = match posting {
            Posting::Live(sender, outcomes) => {
                let inbox = chain.rollup.batch_inbox_address;
                let live = Live::new(sender, outcomes, inbox);
                (Poster::Live(Box::new(live)), None)
            }
            Posting::Dry => {
                let dry = DryRun::start(
                    Arc::clone(&chain),
                    l1.clone(),
                    safe_known,
                    tip_known.clone(),
                );
                let sums = dry.sums();
                (Poster::Dry(Box::new(dry)), Some(sums))
            }
        };
        let sender = match &poster {
            Poster::Live(live) => Some(live.sender().clone()),
            Poster::Dry(_) => None,
        };
        let fees = Fees {
            chain,
            sender,
            least_tip: options.least_tip,
        };
        let every = options.poll_interval;
        tokio::spawn(inputs::follow_node(
            Arc::clone(&sequencers),
            every,
            options.node_sync,
            inputs.clone(),
            safe,
        ));
        tokio::spawn(inputs::follow_l1(l1, fees, every, inputs.clone(), tip));
        meters::up(options.version);
        meters::throttle_controller(throttle.controller);
        let service = Self {
            batcher,
            poster,
            loader: Loader::new(sequencers, inputs),
            limits: throttle::start(options.builders),
            inputs: received,
            commands: commanded,
            told,
            tip: tip_known,
            encoding: JoinSet::new(),
            stopping: Vec::new(),
            end: None,
            patience: options.patience,
            is_started,
        };
        Ok(Running {
            handle: BatcherHandle {
                told: known,
                commands,
            },
            task: tokio::spawn(service.run()),
            sums,
        })
    }

    async fn run(mut self) -> Result<(), ServiceError> {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            while let Some(action) = self.batcher.next_action(now()) {
                self.act(action);
            }
            self.tell();
            if self.end.is_some() && !self.is_started {
                return Ok(());
            }
            let end = self.end;
            let event = tokio::select! {
                event = self.inputs.recv() => match event {
                    Some(event) => event,
                    None => return Err(ServiceError::Bug("nobody asks the nodes".to_owned())),
                },
                became = self.poster.next() => match became {
                    Some((id, outcome)) => Event::Transaction { id, outcome },
                    None if self.end.is_some() => return Ok(()),
                    None => return Err(ServiceError::NoSender),
                },
                Some(encoded) = self.encoding.join_next() => match encoded {
                    Ok(encoded) => Event::Encoded(encoded),
                    Err(error) => return Err(ServiceError::Bug(error.to_string())),
                },
                Some(command) = self.commands.recv() => match self.command(command) {
                    Some(event) => event,
                    None => continue,
                },
                // a batcher that nobody can reach any more goes on
                _ = ticks.tick() => continue,
                () = sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => {
                    warn!("what is under way on L1 has not ended in time; it may yet be mined");
                    return Ok(());
                }
            };
            self.batcher.handle(now(), event);
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Load { request, from, to } => self.loader.load(request, from..=to),
            Action::Encode(job) => {
                self.encoding.spawn_blocking(|| EncodeJob::run(job));
            }
            Action::Submit(submission) => self.poster.submit(submission),
            Action::Abandon(ids) => self.poster.abandon(&ids),
            Action::Throttle(limits) => {
                self.limits.send_replace(Some(limits));
            }
            Action::Report(report) => {
                reports::tell(&report, &self.throttle());
                match report {
                    Report::Started => self.is_started = true,
                    Report::Stopped => {
                        self.is_started = false;
                        for reply in self.stopping.drain(..) {
                            // who asked may be gone
                            let _ = reply.send(Ok(()));
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    fn throttle(&self) -> doppio_batcher::ThrottleOptions {
        doppio_batcher::ThrottleOptions {
            controller: self.batcher.throttle_controller(),
            ..self.batcher.options().throttle
        }
    }

    fn tell(&self) {
        let status = self.batcher.status();
        meters::status(&status);
        if let Some(tip) = *self.tip.borrow() {
            meters::l1_head(&tip);
        }
        self.told.send_replace(Told {
            status,
            throttle: self.throttle(),
        });
    }

    /// What a command is to the machine; none if it is nothing.
    fn command(&mut self, command: Command) -> Option<Event> {
        match command {
            Command::Start(reply) => {
                let is_ready = !self.is_started && self.stopping.is_empty();
                let answer = if is_ready {
                    self.is_started = true;
                    Ok(())
                } else {
                    Err(CommandError::Running)
                };
                let _ = reply.send(answer);
                answer.is_ok().then_some(Event::Start)
            }
            Command::Stop(reply) if self.is_started => {
                self.stopping.push(reply);
                Some(Event::Stop)
            }
            Command::Flush(reply) if self.is_started => {
                let _ = reply.send(Ok(()));
                Some(Event::Flush)
            }
            Command::Stop(reply) | Command::Flush(reply) => {
                let _ = reply.send(Err(CommandError::NotRunning));
                None
            }
            Command::Throttle(controller, reply) => {
                meters::throttle_controller(controller);
                let _ = reply.send(());
                Some(Event::Throttle(controller))
            }
            Command::End => {
                self.end = Some(Instant::now() + self.patience);
                info!("ending once what is under way is on L1");
                self.is_started.then_some(Event::Stop)
            }
        }
    }
}
