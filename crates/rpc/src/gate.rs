//! Who may come in: the host that a request names, the page that it comes from, and its token.

use crate::jwt::JwtSecret;
use core::{
    future::{Future, ready},
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll},
};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, ORIGIN, UPGRADE},
};
use jsonrpsee::{
    core::BoxError,
    server::{HttpBody, HttpRequest, HttpResponse},
};
use std::sync::Arc;
use tower::{Layer, Service};

/// The rules of a server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    /// Host names that requests may be for, beside IP addresses; `*` for any.
    pub(crate) hosts: Vec<String>,
    /// Origins that may open a WebSocket; `*` for any. Programs that name none always may.
    pub(crate) origins: Vec<String>,
    /// The secret that tokens must be made with.
    pub(crate) secret: Option<JwtSecret>,
    /// What `GET /healthz` is answered with.
    pub(crate) health: Option<String>,
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn allows(list: &[String], name: &str) -> bool {
    let mut list = list.iter();
    list.any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(name))
}

impl Rules {
    /// Why a request is refused, if it is.
    fn refusal(&self, headers: &HeaderMap) -> Option<(StatusCode, String)> {
        let forbidden = |text: &str| Some((StatusCode::FORBIDDEN, text.to_owned()));
        // a page that has another name point here must not reach us
        if let Some(host) = text(headers, &HOST) {
            let name = host_name(host);
            if name.parse::<IpAddr>().is_err() && !allows(&self.hosts, name) {
                return forbidden("invalid host specified");
            }
        }
        if headers.contains_key(UPGRADE)
            && let Some(origin) = text(headers, &ORIGIN)
            && !allows(&self.origins, origin)
        {
            return forbidden("origin not allowed");
        }
        let secret = self.secret.as_ref()?;
        let refused = secret.check_header(text(headers, &AUTHORIZATION)).err()?;
        Some((StatusCode::UNAUTHORIZED, refused.to_string()))
    }
}

/// A host without its port and brackets.
fn host_name(host: &str) -> &str {
    if let Some((address, _)) = host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        return address;
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

/// Puts the rules before a service.
#[derive(Clone, Debug)]
pub(crate) struct GateLayer(pub(crate) Arc<Rules>);

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;

    fn layer(&self, service: S) -> Gate<S> {
        Gate {
            service,
            rules: Arc::clone(&self.0),
        }
    }
}

/// A service behind the rules.
#[derive(Clone, Debug)]
pub(crate) struct Gate<S> {
    service: S,
    rules: Arc<Rules>,
}

impl<S, B> Service<HttpRequest<B>> for Gate<S>
where
    S: Service<HttpRequest<B>, Response = HttpResponse, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = HttpResponse;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: HttpRequest<B>) -> Self::Future {
        // asked by whoever supervises the process, by any name and without a token
        if let Some(health) = &self.rules.health
            && request.method() == Method::GET
            && request.uri().path() == "/healthz"
        {
            let mut response = HttpResponse::new(HttpBody::from(health.clone()));
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, json);
            return Box::pin(ready(Ok(response)));
        }
        match self.rules.refusal(request.headers()) {
            None => Box::pin(self.service.call(request)),
            Some((status, text)) => {
                let mut response = HttpResponse::new(HttpBody::from(format!("{text}\n")));
                *response.status_mut() = status;
                let plain = HeaderValue::from_static("text/plain; charset=utf-8");
                response.headers_mut().insert(CONTENT_TYPE, plain);
                Box::pin(ready(Ok(response)))
            }
        }
    }
}
