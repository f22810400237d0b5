//! Calls to one server.

use crate::{
    error::RpcError,
    http::{Http, HttpError, Target},
    jwt::JwtSecret,
};
use core::time::Duration;
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;

/// Bounds of a client's calls.
#[derive(Clone, Copy, Debug)]
pub struct ClientOptions {
    /// Longest time for a call.
    pub timeout: Duration,
    /// Longest answer that is read, in bytes.
    pub max_answer_bytes: usize,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            max_answer_bytes: 128 << 20,
        }
    }
}

/// Why a call has no result.
#[derive(Debug, Error)]
pub enum CallError {
    /// The server answered with an error.
    #[error("{method} of {server} fails: {error}")]
    Rpc {
        /// Scheme, host and port.
        server: String,
        /// The method.
        method: String,
        /// What the server says.
        error: RpcError,
    },
    /// There is no answer: the call may have been made or not.
    #[error("{method} of {server}: {reason}")]
    NoAnswer {
        /// Scheme, host and port.
        server: String,
        /// The method.
        method: String,
        /// What happened.
        reason: String,
    },
}

#[derive(Deserialize)]
struct Reply {
    #[serde(default)]
    result: Option<Value>,
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

/// A client of one JSON-RPC server over HTTP. Clones share connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: Http,
    target: Target,
    secret: Option<JwtSecret>,
    options: ClientOptions,
}

impl Client {
    /// A client. Nothing is asked yet.
    pub const fn new(http: Http, target: Target, options: ClientOptions) -> Self {
        Self {
            http,
            target,
            secret: None,
            options,
        }
    }

    /// Sends a fresh token of this secret with each call.
    pub fn with_secret(mut self, secret: JwtSecret) -> Self {
        self.secret = Some(secret);
        self
    }

    /// What may be shown of the server's URL.
    pub fn name(&self) -> &str {
        self.target.name()
    }

    /// Makes a call.
    ///
    /// # Errors
    ///
    /// [`CallError::Rpc`] is the server's word; with [`CallError::NoAnswer`] it is not known whether
    /// the call was made.
    pub async fn call(&self, method: &str, params: Vec<Value>) -> Result<Value, CallError> {
        let no_answer = |reason: String| CallError::NoAnswer {
            server: self.name().to_owned(),
            method: method.to_owned(),
            reason,
        };
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let answer = self
            .post(body.to_string().into_bytes())
            .await
            .map_err(|error| no_answer(error.to_string()))?;
        let reply: Reply = serde_json::from_slice(&answer.body).map_err(|error| {
            if answer.status.is_success() {
                no_answer(format!("the answer is no JSON-RPC: {error}"))
            } else {
                no_answer(format!(
                    "HTTP status {}{}",
                    answer.status.as_u16(),
                    hint(answer.status.as_u16())
                ))
            }
        })?;
        match reply.error {
            None => Ok(reply.result.unwrap_or_default()),
            Some(ErrorJson {
                code,
                message,
                data,
            }) => Err(CallError::Rpc {
                server: self.name().to_owned(),
                method: method.to_owned(),
                error: RpcError {
                    code,
                    message,
                    data,
                },
            }),
        }
    }

    async fn post(&self, body: Vec<u8>) -> Result<crate::http::Answer, HttpError> {
        let ClientOptions {
            timeout,
            max_answer_bytes,
        } = self.options;
        match &self.secret {
            None => {
                self.http
                    .post(&self.target, body, max_answer_bytes, timeout)
                    .await
            }
            Some(secret) => {
                let target = self.target.clone().with_bearer(&secret.token_now());
                self.http
                    .post(&target, body, max_answer_bytes, timeout)
                    .await
            }
        }
    }
}

/// What an operator may do about a status.
const fn hint(status: u16) -> &'static str {
    match status {
        401 => ": the JWT secret is not the server's, or the clocks differ by more than a minute",
        403 => ": the server does not let this host in",
        _ => "",
    }
}
