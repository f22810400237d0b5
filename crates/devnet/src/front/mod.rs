//! The server in front of anvil: what nodes of L2 ask.
//!
//! It is a beacon node, which anvil is only in part, and passes JSON-RPC on. There it takes the blobs
//! out of transactions: anvil shows them, nodes of L1 do not, and op-node then computes another hash
//! of the transaction than the block has. In between stand the [`Faults`].

mod beacon;
mod faults;

pub use faults::Faults;

use crate::{DevnetError, rpc::Rpc, supersim::L1_CHAIN_ID};
use beacon::Beacon;
use doppio_rpc::{Http, Target};
use faults::{Fate, To};
use http::{Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::net::TcpListener;

/// Longest request: six blobs with their cell proofs in hexadecimal are 1.7 MB.
const MAX_REQUEST: usize = 16 << 20;
/// Longest answer of anvil that is passed on.
const MAX_ANSWER: usize = 256 << 20;
/// Longest time for anvil to answer.
const TIMEOUT: Duration = Duration::from_secs(60);
/// What anvil shows of a transaction with blobs, and nodes of L1 do not.
const SIDECAR_KEYS: [&str; 5] = ["blobs", "commitments", "proofs", "cellProofs", "sidecar"];

/// What is sent back.
pub(crate) struct Answer {
    status: u16,
    body: Bytes,
}

impl Answer {
    fn json(value: Value) -> Self {
        Self {
            status: 200,
            body: value.to_string().into(),
        }
    }
}

/// The chain's times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) genesis_time: u64,
    pub(crate) block_time: u64,
    pub(crate) slots_per_epoch: u64,
}

/// The server.
#[derive(Debug)]
pub(crate) struct Front {
    beacon: Beacon,
    http: Http,
    target: Target,
    faults: Faults,
}

impl Front {
    pub(crate) fn new(anvil: &str, times: Times, faults: Faults) -> Result<Self, DevnetError> {
        // Its connections belong to the thread that it runs on: nobody else shares them.
        let http = Http::new();
        let target = Target::parse(anvil)?;
        Ok(Self {
            beacon: Beacon {
                anvil: Rpc::with_http(http.clone(), anvil)?,
                http: http.clone(),
                target: target.clone(),
                genesis_time: times.genesis_time,
                block_time: times.block_time,
                slots_per_epoch: times.slots_per_epoch,
                chain_id: L1_CHAIN_ID,
            },
            http,
            target,
            faults,
        })
    }

    /// Serves for ever.
    pub(crate) async fn run(self: Arc<Self>, listener: TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // too many open files, perhaps
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let _ = stream.set_nodelay(true);
            let front = Arc::clone(&self);
            let service = service_fn(move |request| {
                let front = Arc::clone(&front);
                async move { Ok::<_, Infallible>(front.respond(request).await) }
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!("a connection to L1 broke: {error}");
                }
            });
        }
    }

    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let to = match *request.method() {
            Method::POST => To::Rpc,
            _ => To::Beacon,
        };
        let Fate { delay, is_refused } = self.faults.of_request(to);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let answer = if is_refused {
            Ok(refusal(503, "out of order, on purpose"))
        } else if to == To::Rpc {
            self.pass_on(request).await
        } else {
            let path = request.uri().path();
            let query = request.uri().query().unwrap_or_default();
            self.beacon.answer(path, query, &self.faults).await
        };
        let answer = answer.unwrap_or_else(|error| refusal(502, &error.to_string()));
        let mut response = Response::new(Full::new(answer.body));
        *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or_default();
        let json = http::HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
    }

    /// Passes a JSON-RPC request on to anvil, and its answer back.
    async fn pass_on(&self, request: Request<Incoming>) -> Result<Answer, DevnetError> {
        let body = match Limited::new(request.into_body(), MAX_REQUEST).collect().await {
            Ok(body) => body.to_bytes().to_vec(),
            Err(error) => return Ok(refusal(413, &error.to_string())),
        };
        let answer = self.http.post(&self.target, body, MAX_ANSWER, TIMEOUT).await;
        let answer = answer.map_err(|error| self.beacon.anvil.unexpected("POST", error))?;
        Ok(Answer {
            status: answer.status.as_u16(),
            body: without_sidecars(answer.body.0),
        })
    }
}

fn refusal(status: u16, message: &str) -> Answer {
    Answer {
        status,
        body: json!({"code": status, "message": message}).to_string().into(),
    }
}

/// An answer without the blobs of transactions. Most have none, and stay as they are.
fn without_sidecars(body: Bytes) -> Bytes {
    const MARK: &[u8] = b"\"blobVersionedHashes\"";
    if !body.windows(MARK.len()).any(|window| window == MARK) {
        return body;
    }
    match serde_json::from_slice::<Value>(&body) {
        Ok(mut value) => {
            strip(&mut value);
            value.to_string().into()
        }
        Err(_) => body,
    }
}

fn strip(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(strip),
        Value::Object(fields) => {
            if fields.contains_key("blobVersionedHashes") {
                fields.retain(|key, _| !SIDECAR_KEYS.contains(&key.as_str()));
            }
            fields.values_mut().for_each(strip);
        }
        _ => {}
    }
}
