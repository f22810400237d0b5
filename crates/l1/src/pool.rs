//! Several endpoints as one: whoever does best is asked first, and another where it fails.

use crate::{
    endpoint::Endpoint,
    failure::{EndpointFailure, Failure, L1Error},
};
use std::{
    fmt,
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

/// Something to be had from any endpoint.
pub(crate) trait Job: fmt::Display + Sync {
    /// What it gives.
    type Output: Send;

    /// Gets it from one endpoint, verified. None if the endpoint says that there is no such thing.
    fn run(
        &self,
        endpoint: &Endpoint,
    ) -> impl Future<Output = Result<Option<Self::Output>, Failure>> + Send;
}

#[derive(Debug)]
pub(crate) struct Pool {
    /// In the operator's order.
    endpoints: Vec<Arc<Endpoint>>,
    patience: Duration,
}

impl Pool {
    pub(crate) const fn new(endpoints: Vec<Arc<Endpoint>>, patience: Duration) -> Self {
        Self {
            endpoints,
            patience,
        }
    }

    pub(crate) fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }

    /// The endpoint that would be asked now.
    pub(crate) fn best(&self) -> Option<&Arc<Endpoint>> {
        let now = Instant::now();
        self.endpoints
            .iter()
            .min_by_key(|endpoint| endpoint.rank(now))
    }

    /// Does a job with the first endpoint that can. None if at least one says that there is no such
    /// thing, and none has it.
    pub(crate) async fn ask<J: Job>(&self, job: &J) -> Result<Option<J::Output>, L1Error> {
        let give_up = Instant::now() + self.patience;
        let mut untried: Vec<&Arc<Endpoint>> = self.endpoints.iter().collect();
        let mut failures = Vec::new();
        let mut is_absent = false;
        loop {
            let now = Instant::now();
            let next = untried
                .iter()
                .enumerate()
                .min_by_key(|(_, endpoint)| (endpoint.rank(now), endpoint.wait_until()))
                .map(|(index, _)| index);
            let Some(next) = next else {
                break;
            };
            let endpoint = untried[next];
            match endpoint.wait_until() {
                // Nobody waits for an endpoint if others had an answer, or for longer than agreed.
                Some(until) if until > now => {
                    if is_absent || until > give_up {
                        untried.remove(next);
                        if !is_absent {
                            let wait = until - now;
                            failures.push(EndpointFailure {
                                endpoint: endpoint.name().to_owned(),
                                failure: Failure::Waiting(wait),
                            });
                        }
                        continue;
                    }
                    tokio::time::sleep_until(until.into()).await;
                }
                _ => {}
            }
            let failure = match job.run(endpoint).await {
                Ok(Some(output)) => {
                    endpoint.succeeded();
                    return Ok(Some(output));
                }
                Ok(None) | Err(Failure::NotFound(_)) => {
                    endpoint.succeeded();
                    is_absent = true;
                    untried.remove(next);
                    continue;
                }
                Err(failure) => failure,
            };
            endpoint.failed(&failure);
            if matches!(failure, Failure::False(_)) {
                tracing::warn!(endpoint = endpoint.name(), asked = %job, "L1 endpoint's answer is false: {failure}");
            } else {
                tracing::debug!(endpoint = endpoint.name(), asked = %job, "L1 endpoint fails: {failure}");
            }
            // Whoever only asks to wait may be asked again.
            let may_retry = matches!(failure, Failure::RateLimited { .. });
            if !may_retry || Instant::now() >= give_up {
                untried.remove(next);
                failures.push(EndpointFailure {
                    endpoint: endpoint.name().to_owned(),
                    failure,
                });
            }
        }
        if is_absent {
            return Ok(None);
        }
        Err(L1Error::NoAnswer {
            what: job.to_string(),
            failures,
        })
    }
}
