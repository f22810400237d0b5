//! JSON-RPC: requests written, answers taken apart and sorted. Pure.

use crate::failure::Failure;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use std::time::Duration;

/// A call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: &'static str,
    pub(crate) params: Value,
}

impl Call {
    pub(crate) const fn new(method: &'static str, params: Value) -> Self {
        Self { method, params }
    }
}

/// A call's result as JSON text, or why there is none.
pub(crate) type Answered = Result<Box<RawValue>, Failure>;

/// Writes calls as the body of a request: one as an object, for endpoints without batches.
pub(crate) fn write(calls: &[Call]) -> Vec<u8> {
    let object = |(id, call): (usize, &Call)| json!({"jsonrpc": "2.0", "id": id, "method": call.method, "params": call.params});
    let mut objects: Vec<Value> = calls.iter().enumerate().map(object).collect();
    let body = match objects.len() {
        1 => objects.remove(0),
        _ => Value::Array(objects),
    };
    body.to_string().into_bytes()
}

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(default)]
    id: Option<usize>,
    #[serde(default, borrow)]
    result: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<ErrorJson>,
}

#[derive(Deserialize)]
struct ErrorJson {
    code: i64,
    #[serde(default)]
    message: String,
    #[serde(default)]
    data: Option<Value>,
}

/// Takes an answer apart: a result for each call, in the calls' order. `tell` is told of each call that
/// is answered: its method, and the code if it is an error.
///
/// # Errors
///
/// If the answer as a whole is none: not JSON-RPC, or one error for a whole batch.
pub(crate) fn read(
    calls: &[Call],
    body: &[u8],
    mut tell: impl FnMut(&'static str, Option<i64>),
) -> Result<Vec<Answered>, Failure> {
    let malformed = |reason: String| Failure::Malformed(reason);
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if first != Some(&b'[') {
        let reply: Reply<'_> =
            serde_json::from_slice(body).map_err(|error| malformed(error.to_string()))?;
        return match (calls, reply.error) {
            ([call], error) => {
                tell(call.method, error.as_ref().map(|error| error.code));
                Ok(vec![answered(call, reply.result, error)])
            }
            (_, Some(error)) => Err(match sort("a batch", error) {
                // What a whole batch is refused for is most often its length.
                Failure::Refused { message, .. } | Failure::Unsupported(message) => {
                    Failure::BatchRefused(message)
                }
                failure => failure,
            }),
            (_, None) => Err(malformed(
                "one answer to a batch, and it is no error".to_owned(),
            )),
        };
    }
    let replies: Vec<Reply<'_>> =
        serde_json::from_slice(body).map_err(|error| malformed(error.to_string()))?;
    let mut answers: Vec<Option<Answered>> = calls.iter().map(|_| None).collect();
    for reply in replies {
        let place = reply
            .id
            .and_then(|id| calls.get(id).zip(answers.get_mut(id)));
        let Some((call, slot)) = place else {
            return Err(match reply.error.map(|error| sort("a batch", error)) {
                // Some endpoints answer to a batch that is too long with a list of one error.
                Some(Failure::Refused { message, .. }) => Failure::BatchRefused(message),
                Some(failure) => failure,
                None => malformed("an answer to a call that was not made".to_owned()),
            });
        };
        if slot.is_some() {
            return Err(malformed("two answers to one call".to_owned()));
        }
        tell(call.method, reply.error.as_ref().map(|error| error.code));
        *slot = Some(answered(call, reply.result, reply.error));
    }
    answers
        .into_iter()
        .collect::<Option<_>>()
        .ok_or_else(|| malformed("a call of the batch has no answer".to_owned()))
}

fn answered(call: &Call, result: Option<&RawValue>, error: Option<ErrorJson>) -> Answered {
    match (result, error) {
        (_, Some(error)) => Err(sort(call.method, error)),
        (Some(result), None) => Ok(result.to_owned()),
        // serde takes `null` for nothing
        (None, None) => Ok(RawValue::NULL.to_owned()),
    }
}

/// What an error means. Endpoints agree neither on codes nor on words.
fn sort(method: &str, error: ErrorJson) -> Failure {
    let ErrorJson {
        code,
        message,
        data,
    } = error;
    let words = message.to_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
    let is_rate = matches!(code, -32005 | -32029 | 429)
        || says(&[
            "rate limit",
            "too many requests",
            "request limit",
            "capacity",
        ]);
    let is_size = code == -32008
        || says(&[
            "response too large",
            "response is too big",
            "response size",
            "exceeds the limit of",
        ]);
    if is_size {
        Failure::AnswerRefused(message)
    } else if is_rate {
        // Infura's way to say when to come back
        let seconds = data
            .as_ref()
            .and_then(|data| data.pointer("/rate/backoff_seconds")?.as_f64())
            .filter(|seconds| (0.0..=3600.0).contains(seconds));
        Failure::RateLimited {
            retry_after: seconds.map(Duration::from_secs_f64),
        }
    } else if says(&[
        "unknown block",
        "block not found",
        "header not found",
        "not found: block",
    ]) {
        Failure::NotFound(message)
    } else if matches!(code, -32601 | -32004)
        || says(&[
            "method not found",
            "not supported",
            "does not exist/is not available",
            "unsupported method",
            "is not available",
            "not whitelisted",
            "not allowed",
        ])
    {
        Failure::Unsupported(method.to_owned())
    } else {
        Failure::Refused {
            method: method.to_owned(),
            code,
            message: message.chars().take(200).collect(),
        }
    }
}
