//! Handing a transaction in.

use crate::{endpoint::Endpoint, failure::Failure, rpc::Call};
use alloy_primitives::Bytes;
use doppio_txmgr::Published;
use serde_json::json;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Which endpoints get a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PublishTo {
    /// All of them: it reaches more of L1, and sooner.
    #[default]
    All,
    /// The best one, and another only if that does not take it.
    One,
}

/// What an endpoint makes of a transaction: it took it, it refuses it, or nobody knows.
enum Answer {
    Accepted,
    Refused(String),
    Unknown(String),
}

async fn hand_in(endpoint: &Endpoint, raw: &Bytes) -> Answer {
    let call = Call::new("eth_sendRawTransaction", json!([raw]));
    match endpoint.call(call).await {
        Ok(_) => {
            endpoint.succeeded();
            Answer::Accepted
        }
        // The pool's word about this transaction says nothing about the endpoint.
        Err(Failure::Refused { message, .. }) => Answer::Refused(message),
        Err(Failure::NotFound(message) | Failure::AnswerRefused(message)) => {
            Answer::Refused(message)
        }
        Err(failure @ (Failure::Unsupported(_) | Failure::RateLimited { .. })) => {
            endpoint.failed(&failure);
            Answer::Refused(failure.to_string())
        }
        Err(failure) => {
            endpoint.failed(&failure);
            Answer::Unknown(format!("{}: {failure}", endpoint.name()))
        }
    }
}

/// Hands in a transaction. Answers as soon as one endpoint took it; the others get it all the same.
pub(crate) async fn publish(
    endpoints: Vec<Arc<Endpoint>>,
    best: Option<Arc<Endpoint>>,
    to: PublishTo,
    raw: Bytes,
) -> Published {
    let (mut refused, mut unknown) = (Vec::new(), Vec::new());
    match to {
        PublishTo::All => {
            let (answers, mut answered) = mpsc::unbounded_channel();
            for endpoint in endpoints {
                let (answers, raw) = (answers.clone(), raw.clone());
                tokio::spawn(async move {
                    let answer = hand_in(&endpoint, &raw).await;
                    // Nobody waits once another one took it.
                    let _ = answers.send(answer);
                });
            }
            drop(answers);
            while let Some(answer) = answered.recv().await {
                match answer {
                    Answer::Accepted => return Published::Accepted,
                    Answer::Refused(words) => refused.push(words),
                    Answer::Unknown(words) => unknown.push(words),
                }
            }
        }
        PublishTo::One => {
            let is_best = |endpoint: &&Arc<Endpoint>| {
                best.as_ref()
                    .is_some_and(|best| Arc::ptr_eq(best, endpoint))
            };
            let others = endpoints.iter().filter(|endpoint| !is_best(endpoint));
            for endpoint in best.iter().chain(others) {
                match hand_in(endpoint, &raw).await {
                    Answer::Accepted => return Published::Accepted,
                    Answer::Refused(words) => refused.push(words),
                    Answer::Unknown(words) => unknown.push(words),
                }
            }
        }
    }
    if unknown.is_empty() && !refused.is_empty() {
        return Published::Refused(refused);
    }
    refused.extend(unknown);
    Published::Unknown(refused)
}
