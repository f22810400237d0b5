//! One JSON-RPC endpoint: its limits, what it can do, how it fares.

use crate::{
    failure::Failure,
    health::Health,
    meter::{Measured, Meter},
    options::L1Options,
    receipts_method::ReceiptsMethod,
    rpc::{self, Answered, Call},
};
use doppio_rpc::{Http, HttpError, Target};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// Full batches in a row that went well, before a longer one is tried again.
const GROW_AFTER: u32 = 32;
/// How long a method that the endpoint lacks is not tried again.
const METHODS_KEPT: Duration = Duration::from_secs(600);

/// An endpoint's record, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointStatus {
    /// Scheme, host and port.
    pub endpoint: String,
    /// From 0, bad, to 100.
    pub score: u32,
    /// Whether it is left alone: it failed, or asked for a pause.
    pub is_waiting: bool,
    /// Whether it gave a false answer of late, so that all others are asked first.
    pub is_distrusted: bool,
    /// HTTP requests so far.
    pub requests: u64,
    /// Calls in them.
    pub calls: u64,
    /// Answers that were not what their hashes say.
    pub falsehoods: u64,
    /// Most calls of a batch, as far as it is known.
    pub batch_limit: usize,
}

#[derive(Debug)]
pub(crate) struct Endpoint {
    http: Http,
    target: Target,
    timeout: Duration,
    max_answer: usize,
    /// Calls a second; none for no limit.
    rate: Option<f64>,
    permits: Semaphore,
    meter: Meter,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    health: Health,
    batch: BatchSize,
    methods: Vec<ReceiptsMethod>,
    all_methods: Vec<ReceiptsMethod>,
    methods_since: Instant,
    /// When the next call may be made, where their rate is limited.
    next_call: Instant,
    requests: u64,
    calls: u64,
}

/// How many calls to put into a batch.
#[derive(Debug)]
struct BatchSize {
    limit: usize,
    /// What the endpoint takes at most.
    ceiling: usize,
    successes: u32,
}

impl BatchSize {
    const fn new(most: usize) -> Self {
        Self {
            limit: most,
            ceiling: most,
            successes: 0,
        }
    }

    /// A batch of this length was answered.
    fn succeeded(&mut self, length: usize) {
        if length < self.limit || self.limit == self.ceiling {
            return;
        }
        self.successes += 1;
        if self.successes >= GROW_AFTER {
            self.successes = 0;
            self.limit = (self.limit + self.limit / 2 + 1).min(self.ceiling);
        }
    }

    /// A batch of this length is too long.
    fn refused(&mut self, length: usize) {
        self.ceiling = self.ceiling.min((length / 2).max(1));
        self.limit = self.limit.min(self.ceiling);
    }

    /// The answer to a batch of this length is too long.
    fn too_large(&mut self, length: usize) {
        self.successes = 0;
        self.limit = self.limit.min((length / 2).max(1));
    }
}

impl Endpoint {
    pub(crate) fn new(http: Http, target: Target, options: &L1Options) -> Self {
        let methods = options.rpc_kind.receipts_methods().to_vec();
        let now = Instant::now();
        Self {
            http,
            target,
            timeout: options.timeout,
            max_answer: options.max_answer_bytes,
            rate: options.rate_limit.filter(|rate| *rate > 0.0),
            permits: Semaphore::new(options.max_concurrency),
            meter: options.meter,
            state: Mutex::new(State {
                health: Health::default(),
                batch: BatchSize::new(options.max_batch),
                all_methods: methods.clone(),
                methods,
                methods_since: now,
                next_call: now,
                requests: 0,
                calls: 0,
            }),
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.target.name()
    }

    /// The state stays true if a thread panics while it holds it: each change is a single one.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn status(&self) -> EndpointStatus {
        let now = Instant::now();
        let state = self.state();
        EndpointStatus {
            endpoint: self.name().to_owned(),
            score: state.health.score,
            is_waiting: !state.health.is_ready(now),
            is_distrusted: state.health.is_distrusted(now),
            requests: state.requests,
            calls: state.calls,
            falsehoods: state.health.falsehoods,
            batch_limit: state.batch.limit,
        }
    }

    pub(crate) fn rank(&self, now: Instant) -> (bool, bool, u32) {
        self.state().health.rank(now)
    }

    pub(crate) fn wait_until(&self) -> Option<Instant> {
        self.state().health.wait_until
    }

    pub(crate) fn succeeded(&self) {
        self.state().health.succeeded();
    }

    pub(crate) fn failed(&self, failure: &Failure) {
        self.state().health.failed(failure, Instant::now());
    }

    pub(crate) fn batch_limit(&self) -> usize {
        self.state().batch.limit
    }

    /// The best way to receipts that the endpoint is not known to lack.
    pub(crate) fn receipts_method(&self) -> ReceiptsMethod {
        let mut state = self.state();
        if state.methods.len() < state.all_methods.len()
            && state.methods_since.elapsed() > METHODS_KEPT
        {
            state.methods = state.all_methods.clone();
        }
        let method = state.methods.first().copied();
        method.unwrap_or(ReceiptsMethod::EachTransaction)
    }

    /// Notes that the endpoint lacks a way to receipts. False if there is no other way left.
    pub(crate) fn lacks(&self, method: ReceiptsMethod) -> bool {
        let mut state = self.state();
        let others: Vec<_> = state
            .methods
            .iter()
            .copied()
            .filter(|other| *other != method)
            .collect();
        if others.is_empty() {
            return false;
        }
        if others.len() < state.methods.len() {
            tracing::info!(endpoint = self.name(), lacks = %method, next = %others[0], "L1 endpoint lacks a way to receipts");
            state.methods = others;
            state.methods_since = Instant::now();
        }
        true
    }

    /// One call.
    pub(crate) async fn call(&self, call: Call) -> Answered {
        let mut answers = self.calls(&[call]).await?;
        answers
            .pop()
            .unwrap_or_else(|| Err(Failure::Malformed("no answer".to_owned())))
    }

    /// Calls, in as few requests as the endpoint takes. Answers are in the calls' order.
    pub(crate) async fn calls(&self, calls: &[Call]) -> Result<Vec<Answered>, Failure> {
        let mut answers = Vec::with_capacity(calls.len());
        while answers.len() < calls.len() {
            let rest = &calls[answers.len()..];
            let length = self.batch_limit().clamp(1, rest.len());
            match self.exchange(&rest[..length]).await {
                Ok(mut batch) => {
                    let refused = batch
                        .iter()
                        .position(|answer| matches!(answer, Err(Failure::AnswerRefused(_))));
                    match refused {
                        // Geth answers until the answers are too long, and refuses the rest.
                        Some(count) if length > 1 => {
                            self.state().batch.too_large(length);
                            batch.truncate(count);
                        }
                        _ => self.state().batch.succeeded(length),
                    }
                    answers.append(&mut batch);
                }
                Err(Failure::BatchRefused(_)) if length > 1 => {
                    self.state().batch.refused(length);
                }
                Err(Failure::TooLarge(_) | Failure::AnswerRefused(_)) if length > 1 => {
                    self.state().batch.too_large(length);
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(answers)
    }

    async fn exchange(&self, calls: &[Call]) -> Result<Vec<Answered>, Failure> {
        let _permit = self.permits.acquire().await.map_err(|_| Failure::Ending)?;
        self.pace(calls.len()).await;
        {
            let mut state = self.state();
            state.requests += 1;
            state.calls += calls.len() as u64;
        }
        for Call { method, .. } in calls {
            (self.meter)(Measured::Called { method });
        }
        let body = rpc::write(calls);
        let begin = Instant::now();
        let answer = self
            .http
            .post(&self.target, body, self.max_answer, self.timeout)
            .await;
        let took = begin.elapsed();
        for Call { method, .. } in calls {
            (self.meter)(Measured::Done { method, took });
        }
        let answer = answer?;
        let read = || {
            rpc::read(calls, &answer.body, |method, error| {
                (self.meter)(Measured::Answered { method, error });
            })
        };
        match answer.status.as_u16() {
            200..=299 => read(),
            429 => Err(Failure::RateLimited {
                retry_after: answer.retry_after,
            }),
            503 if answer.retry_after.is_some() => Err(Failure::RateLimited {
                retry_after: answer.retry_after,
            }),
            413 => Err(Failure::BatchRefused(answer.status.to_string())),
            // Some endpoints give errors of JSON-RPC with a status of their own.
            status => match read() {
                Ok(answers) if answers.iter().all(Result::is_err) => Ok(answers),
                Err(failure) if !matches!(failure, Failure::Malformed(_)) => Err(failure),
                _ => Err(Failure::Status(status)),
            },
        }
    }

    /// Waits until calls may be made, where the operator limits their rate.
    async fn pace(&self, calls: usize) {
        let Some(rate) = self.rate else {
            return;
        };
        let calls = u32::try_from(calls).map_or(f64::from(u32::MAX), f64::from);
        let time = Duration::try_from_secs_f64(calls / rate).unwrap_or(Duration::MAX);
        let start = {
            let mut state = self.state();
            let start = state.next_call.max(Instant::now());
            state.next_call = start.checked_add(time).unwrap_or(start);
            start
        };
        tokio::time::sleep_until(start.into()).await;
    }
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::TooLarge(limit) => Self::TooLarge(limit),
            error => Self::Connection(error.to_string()),
        }
    }
}
