//! The server in front of anvil: what nodes of L2 ask.
//!
//! It is a beacon node, which anvil is only in part, and passes JSON-RPC on. It listens twice: for
//! nodes, with the [`Faults`] in between, and for tests, without.

mod beacon;
mod control;
mod faults;
mod relay;

pub use faults::Faults;

use crate::{DevnetError, blobs::BlobStore, miner::Miner, rpc::Rpc, supersim::L1_CHAIN_ID};
use beacon::Beacon;
use doppio_rpc::{Http, Target};
use faults::{Fate, To};
use http::{HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
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
const MAX_REQUEST: usize = 64 << 20;
/// How long to wait when no connection can be taken.
const RECOVERY: Duration = Duration::from_millis(50);

/// What is sent back.
pub(crate) struct Answer {
    status: u16,
    body: Bytes,
}

impl Answer {
    fn json(value: &Value) -> Self {
        Self {
            status: 200,
            body: value.to_string().into(),
        }
    }

    /// An error as beacon nodes write it.
    fn failure(status: u16, message: &str) -> Self {
        Self {
            status,
            ..Self::json(&json!({"code": status, "message": message}))
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
    miner: Arc<Miner>,
    blobs: BlobStore,
    faults: Faults,
}

impl Front {
    pub(crate) fn new(
        anvil: &str,
        times: Times,
        miner: &Arc<Miner>,
        blobs: BlobStore,
        faults: Faults,
    ) -> Result<Self, DevnetError> {
        // Its connections belong to the thread that it runs on: nobody else shares them.
        let http = Http::new();
        Ok(Self {
            beacon: Beacon {
                anvil: Rpc::with_http(http.clone(), anvil)?,
                blobs: blobs.clone(),
                times,
                chain_id: L1_CHAIN_ID,
            },
            http,
            target: Target::parse(anvil)?,
            miner: Arc::clone(miner),
            blobs,
            faults,
        })
    }

    /// anvil, by the connections of this thread.
    pub(crate) const fn anvil(&self) -> &Rpc {
        &self.beacon.anvil
    }

    /// Serves for ever; `faults` says whether it is subject to them.
    pub(crate) async fn run(self: Arc<Self>, listener: std::net::TcpListener, has_faults: bool) {
        let listener = listener
            .set_nonblocking(true)
            .and_then(|()| TcpListener::from_std(listener));
        let listener = match listener {
            Ok(listener) => listener,
            Err(error) => return tracing::error!("L1's server cannot listen: {error}"),
        };
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // too many open files, perhaps
                tokio::time::sleep(RECOVERY).await;
                continue;
            };
            let _ = stream.set_nodelay(true);
            let front = Arc::clone(&self);
            let service = service_fn(move |request| {
                let front = Arc::clone(&front);
                async move { Ok::<_, Infallible>(front.respond(request, has_faults).await) }
            });
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!("a connection to L1 broke: {error}");
                }
            });
        }
    }

    async fn respond(&self, request: Request<Incoming>, has_faults: bool) -> Response<Full<Bytes>> {
        let to = match *request.method() {
            Method::POST => To::Rpc,
            _ => To::Beacon,
        };
        let fate = if has_faults {
            self.faults.of_request(to)
        } else {
            Fate::default()
        };
        if !fate.delay.is_zero() {
            tokio::time::sleep(fate.delay).await;
        }
        let answer = match to {
            _ if fate.is_refused => Ok(Answer::failure(503, "out of order, on purpose")),
            To::Rpc => match Limited::new(request.into_body(), MAX_REQUEST)
                .collect()
                .await
            {
                Ok(body) => self.relay(body.to_bytes().to_vec()).await,
                Err(error) => Ok(Answer::failure(413, &error.to_string())),
            },
            To::Beacon => {
                let path = request.uri().path();
                let query = request.uri().query().unwrap_or_default();
                self.beacon.answer(path, query, &self.faults).await
            }
        };
        let answer = answer.unwrap_or_else(|error| Answer::failure(502, &error.to_string()));
        let mut response = Response::new(Full::new(answer.body));
        *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or_default();
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
    }
}
