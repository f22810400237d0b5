//! HTTP and WebSocket servers.

use crate::{
    error::{RpcError, code},
    gate::{GateLayer, Rules},
    ids::HexIds,
    jwt::JwtSecret,
    method_set::MethodSet,
    subscription,
};
use core::{future::Future, net::SocketAddr, time::Duration};
use http::{HeaderValue, Method, header::CONTENT_TYPE};
use jsonrpsee::{
    MethodResponse, RpcModule,
    core::{
        RegisterMethodError,
        middleware::{
            Batch, BatchEntry, BatchEntryErr, Notification, RpcServiceBuilder, RpcServiceT,
        },
    },
    server::{BatchRequestConfig, Methods, ServerConfig, ServerHandle},
    types::{ErrorObjectOwned, Id, Params, Request},
};
use serde_json::Value;
use std::{io, sync::Arc, time::Instant};
use thiserror::Error;
use tower::ServiceBuilder;
use tower_http::cors::{AllowOrigin, CorsLayer};

/// How a server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// HTTP only.
    Http,
    /// WebSocket only.
    WebSocket,
    /// Both, on one port.
    Both,
}

/// What a server bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest request, in bytes.
    pub request_bytes: u32,
    /// Largest response, in bytes: of a call, and of a batch.
    pub response_bytes: u32,
    /// Most calls of a batch.
    pub batch: u32,
    /// Most connections at once.
    pub connections: u32,
    /// Most subscriptions of a connection.
    pub subscriptions: u32,
}

impl Limits {
    /// Defaults for everybody's server.
    pub const PUBLIC: Self = Self {
        request_bytes: 5 << 20,
        response_bytes: 25_000_000,
        batch: 1000,
        connections: 1000,
        subscriptions: 128,
    };
    /// Defaults for the rollup node's server: a payload must fit.
    pub const ENGINE: Self = Self {
        request_bytes: 128 << 20,
        response_bytes: 250_000_000,
        batch: 2000,
        connections: 100,
        subscriptions: 128,
    };
}

/// Where and how a server listens.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Address and port; port 0 for a free one.
    pub address: SocketAddr,
    /// HTTP, WebSocket or both.
    pub transport: Transport,
    /// What it bears.
    pub limits: Limits,
    /// Host names that requests may be for, beside IP addresses; `*` for any.
    pub hosts: Vec<String>,
    /// Origins of the pages whose scripts may call; `*` for any.
    pub origins: Vec<String>,
    /// The secret that callers must have.
    pub secret: Option<JwtSecret>,
    /// What `GET /healthz` is answered with; none if there is no such page.
    pub health: Option<String>,
    /// Who is told of each call.
    pub meter: Meter,
}

impl Listen {
    /// Both transports on an address, for this machine's programs, without a secret.
    pub fn at(address: SocketAddr) -> Self {
        Self {
            address,
            transport: Transport::Both,
            limits: Limits::PUBLIC,
            hosts: vec!["localhost".to_owned()],
            origins: Vec::new(),
            secret: None,
            health: None,
            meter: |_, _, _| {},
        }
    }
}

/// Is told of each call: its method, whether it succeeded, and how long it took.
pub type Meter = fn(&'static str, bool, Duration);

/// Why a server does not start.
#[derive(Debug, Error)]
pub enum ServerError {
    /// The address.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// Address and port.
        address: SocketAddr,
        /// What went wrong.
        error: io::Error,
    },
    /// Two method sets have the same method.
    #[error("{0}")]
    Methods(#[from] RegisterMethodError),
    /// An origin that no header can have.
    #[error("{0:?} is no origin")]
    Origin(String),
}

/// A running server. It stops when this is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    handle: ServerHandle,
}

impl Server {
    /// Starts a server that offers some methods. Must be called within a tokio runtime.
    pub async fn start(listen: &Listen, sets: &[Arc<dyn MethodSet>]) -> Result<Self, ServerError> {
        let methods = methods(sets, listen.meter)?;
        let failed = |error| ServerError::Listen {
            address: listen.address,
            error,
        };
        let rules = Rules {
            hosts: listen.hosts.clone(),
            origins: listen.origins.clone(),
            secret: listen.secret.clone(),
            health: listen.health.clone(),
        };
        let http = ServiceBuilder::new()
            .layer(cors(&listen.origins)?)
            .layer(GateLayer(Arc::new(rules)));
        let known = methods.clone();
        let rpc = RpcServiceBuilder::new().layer_fn(move |service| NamedMethods {
            service,
            known: known.clone(),
        });
        let server = jsonrpsee::server::Server::builder()
            .set_config(config(listen))
            .set_http_middleware(http)
            .set_rpc_middleware(rpc)
            .build(listen.address)
            .await
            .map_err(failed)?;
        let address = server.local_addr().map_err(failed)?;
        Ok(Self {
            address,
            handle: server.start(methods),
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it: calls that run are answered, then connections are closed.
    pub async fn stop(self) {
        // an error says that it has stopped before
        let _ = self.handle.stop();
        self.handle.stopped().await;
    }
}

fn config(listen: &Listen) -> ServerConfig {
    let limits = listen.limits;
    let config = ServerConfig::builder()
        .max_request_body_size(limits.request_bytes)
        .max_response_body_size(limits.response_bytes)
        .set_batch_request_config(BatchRequestConfig::Limit(limits.batch))
        .max_connections(limits.connections)
        .max_subscriptions_per_connection(limits.subscriptions)
        .set_id_provider(HexIds::default());
    match listen.transport {
        Transport::Http => config.http_only(),
        Transport::WebSocket => config.ws_only(),
        Transport::Both => config,
    }
    .build()
}

fn cors(origins: &[String]) -> Result<CorsLayer, ServerError> {
    if origins.is_empty() {
        return Ok(CorsLayer::new());
    }
    let allowed = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        let origins = origins.iter().map(|origin| {
            HeaderValue::from_str(origin).map_err(|_| ServerError::Origin(origin.clone()))
        });
        AllowOrigin::list(origins.collect::<Result<Vec<_>, _>>()?)
    };
    Ok(CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::POST, Method::GET])
        .allow_headers([CONTENT_TYPE]))
}

/// All methods, each on a thread of its own where it may take its time.
fn methods(sets: &[Arc<dyn MethodSet>], meter: Meter) -> Result<Methods, ServerError> {
    let mut methods = Methods::new();
    for set in sets {
        let mut module = RpcModule::new(Arc::clone(set));
        for name in set.names() {
            module.register_blocking_method(name, move |params, set, _| {
                let start = Instant::now();
                let result = positional(&params).and_then(|params| set.call(name, params));
                meter(name, result.is_ok(), start.elapsed());
                result.map_err(|error| {
                    if error.code == code::INTERNAL {
                        tracing::error!(method = name, %error, "a call failed");
                    }
                    error_object(error)
                })
            })?;
        }
        if set.subscribes() {
            subscription::register(&mut module)?;
        }
        methods.merge(module)?;
    }
    Ok(methods)
}

/// Arguments by position. None at all may be left out.
pub(crate) fn positional(params: &Params<'_>) -> Result<Vec<Value>, RpcError> {
    let value = match params.as_str() {
        None => return Ok(Vec::new()),
        Some(json) => serde_json::from_str(json)
            .map_err(|error| RpcError::invalid_params(format!("invalid arguments: {error}")))?,
    };
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(values) => Ok(values),
        _ => Err(RpcError::invalid_params("non-array args")),
    }
}

pub(crate) fn error_object(error: RpcError) -> ErrorObjectOwned {
    let code = i32::try_from(error.code).unwrap_or(-32603);
    ErrorObjectOwned::owned(code, error.message, error.data)
}

/// Says of an unknown method which one it is.
#[derive(Clone)]
struct NamedMethods<S> {
    service: S,
    known: Methods,
}

impl<S> NamedMethods<S> {
    fn unknown(&self, method: &str) -> Option<ErrorObjectOwned> {
        match self.known.method(method) {
            Some(_) => None,
            None => Some(error_object(RpcError::method_not_found(method))),
        }
    }
}

impl<S> RpcServiceT for NamedMethods<S>
where
    S: RpcServiceT<MethodResponse = MethodResponse, BatchResponse = MethodResponse>
        + Send
        + Sync
        + Clone
        + 'static,
{
    type MethodResponse = MethodResponse;
    type BatchResponse = MethodResponse;
    type NotificationResponse = S::NotificationResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let unknown = self.unknown(request.method_name());
        let service = self.service.clone();
        async move {
            match unknown {
                None => service.call(request).await,
                Some(error) => MethodResponse::error(request.id, error),
            }
        }
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let entries: Vec<_> = batch
            .into_iter()
            .map(|entry| match entry {
                Ok(BatchEntry::Call(request)) => match self.unknown(request.method_name()) {
                    None => Ok(BatchEntry::Call(request)),
                    Some(error) => Err(BatchEntryErr::new(Id::into_owned(request.id), error)),
                },
                entry => entry,
            })
            .collect();
        self.service.batch(Batch::from(entries))
    }

    fn notification<'a>(
        &self,
        notification: Notification<'a>,
    ) -> impl Future<Output = Self::NotificationResponse> + Send + 'a {
        self.service.notification(notification)
    }
}
