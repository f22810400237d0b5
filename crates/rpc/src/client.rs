//! Calls to one server.

use crate::{
    error::RpcError,
    http::{Http, HttpError, Target},
    jwt::JwtSecret,
};
use core::time::Duration;
use serde::{Deserialize, Deserializer};
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
    /// None if the key is missing; null is a result.
    #[serde(default, deserialize_with = "present")]
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

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
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
        let status = answer.status.as_u16();
        let no_rpc = |reason: String| {
            no_answer(if answer.status.is_success() {
                format!("the answer is no JSON-RPC: {reason}")
            } else {
                format!("HTTP status {status}{}", hint(status))
            })
        };
        let reply: Reply =
            serde_json::from_slice(&answer.body).map_err(|error| no_rpc(error.to_string()))?;
        match (reply.error, reply.result) {
            (None, Some(result)) if answer.status.is_success() => Ok(result),
            (None, _) => Err(no_rpc("neither result nor error".to_owned())),
            (
                Some(ErrorJson {
                    code,
                    message,
                    data,
                }),
                _,
            ) => Err(CallError::Rpc {
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    /// What a client makes of an answer.
    async fn answered(status: &str, body: &str) -> Result<Value, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        };
        let target = Target::parse(&url).unwrap();
        let client = Client::new(Http::new(), target, ClientOptions::default());
        let (result, ()) = tokio::join!(client.call("eth_test", Vec::new()), server);
        result.map_err(|error| error.to_string().replace(&url, "it"))
    }

    #[tokio::test]
    async fn only_what_a_server_gives_as_a_result_is_one() {
        let null = answered("200 OK", r#"{"jsonrpc":"2.0","id":1,"result":null}"#).await;
        assert_eq!(null, Ok(Value::Null));
        // as gateways answer in a server's place
        let gateway = answered("503 Service Unavailable", r#"{"code":503}"#).await;
        assert_eq!(gateway, Err("eth_test of it: HTTP status 503".to_owned()));
        let other = answered("200 OK", r#"{"code":503}"#).await;
        let expected = "eth_test of it: the answer is no JSON-RPC: neither result nor error";
        assert_eq!(other, Err(expected.to_owned()));
        // some servers give their errors a status
        let error = r#"{"error":{"code":-32601,"message":"no such method"}}"#;
        let error = answered("404 Not Found", error).await.unwrap_err();
        assert!(error.contains("no such method"), "{error}");
    }
}
