//! HTTP to servers: pooled connections, TLS, answers of bounded size, time-outs.

use alloy_primitives::Bytes;
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER},
    uri::Authority,
};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Body;
use hyper_util::{
    client::legacy::{
        Client,
        connect::{Connected, Connection, HttpConnector},
    },
    rt::{TokioExecutor, TokioIo},
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tower::Service;

/// Longest time to connect, of the whole request's.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Most idle connections that are kept to one host.
const IDLE_CONNECTIONS: usize = 32;

/// Why the address of an endpoint cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UrlError {
    /// Not a URL.
    #[error("{0} is not a URL")]
    Form(String),
    /// A WebSocket's.
    #[error(
        "{0} is the URL of a WebSocket, and those are not used: give the http:// or https:// URL of the same server"
    )]
    WebSocket(String),
    /// Neither `http` nor `https`.
    #[error("the URL of {0} begins with neither http:// nor https://")]
    Scheme(String),
    /// A header that is not `Name: value`.
    #[error("{0:?} is not a header: write it as \"Name: value\"")]
    Header(String),
}

/// Why a request brought no answer.
#[derive(Debug, Error)]
pub enum HttpError {
    /// Nothing came in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// It could not be sent, or the answer did not come through.
    #[error("no connection: {0}")]
    Connection(String),
    /// The answer is longer than what is read of one, in bytes.
    #[error("the answer is longer than {0} bytes")]
    TooLarge(usize),
}

/// Where requests go to.
#[derive(Clone, Debug)]
pub struct Target {
    uri: Uri,
    headers: HeaderMap,
    /// Scheme, host and port: what may be shown. Keys of providers are in paths.
    name: String,
}

impl Target {
    /// Reads a URL; a user and password in it become a header.
    ///
    /// # Errors
    ///
    /// If it is no URL of `http` or `https`.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        // An unreadable URL may hold a key as well, so its end is not shown.
        let shown = || url.chars().take(12).collect::<String>() + "…";
        let uri: Uri = url.parse().map_err(|_| UrlError::Form(shown()))?;
        let mut parts = uri.into_parts();
        let authority = parts
            .authority
            .take()
            .ok_or_else(|| UrlError::Form(shown()))?;
        let (login, place) = match authority.as_str().rsplit_once('@') {
            Some((login, place)) => (Some(login), place),
            None => (None, authority.as_str()),
        };
        let scheme = parts.scheme.as_ref().map_or("", |scheme| scheme.as_str());
        let name = format!("{scheme}://{place}");
        match scheme {
            "http" | "https" => {}
            "ws" | "wss" => return Err(UrlError::WebSocket(name)),
            _ => return Err(UrlError::Scheme(place.to_owned())),
        }
        let mut headers = HeaderMap::new();
        if let Some(login) = login {
            let mut value =
                HeaderValue::from_str(&format!("Basic {}", BASE64_STANDARD.encode(login)))
                    .map_err(|_| UrlError::Form(name.clone()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let place: Authority = place.parse().map_err(|_| UrlError::Form(name.clone()))?;
        parts.authority = Some(place);
        let uri = Uri::from_parts(parts).map_err(|_| UrlError::Form(name.clone()))?;
        Ok(Self { uri, headers, name })
    }

    /// Adds a header, written `Name: value`, to every request.
    ///
    /// # Errors
    ///
    /// If it is not so written.
    pub fn with_header(mut self, header: &str) -> Result<Self, UrlError> {
        let read = || {
            let (name, value) = header.split_once(':')?;
            let name: HeaderName = name.trim().parse().ok()?;
            let mut value: HeaderValue = value.trim().parse().ok()?;
            value.set_sensitive(true);
            Some((name, value))
        };
        // The value may be a secret, and all of it where there is no name.
        let shown = || {
            let name = header.split_once(':').map_or("…", |(name, _)| name);
            name.to_owned()
        };
        let (name, value) = read().ok_or_else(|| UrlError::Header(shown()))?;
        self.headers.insert(name, value);
        Ok(self)
    }

    /// Sends a token with every request.
    pub(crate) fn with_bearer(mut self, token: &str) -> Self {
        // a token has no character that a header may not have
        if let Ok(mut value) = HeaderValue::from_str(&format!("Bearer {token}")) {
            value.set_sensitive(true);
            self.headers.insert(AUTHORIZATION, value);
        }
        self
    }

    /// What may be shown of the URL.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// HTTP's status.
    pub status: StatusCode,
    /// What `Retry-After` says, in seconds.
    pub retry_after: Option<Duration>,
    /// All of the body.
    pub body: Bytes,
}

/// What a client shows, and whom it trusts, in PEM.
#[derive(Clone)]
pub struct ClientTls {
    /// Certificates of the authorities that servers' certificates are believed by.
    pub authorities: Vec<u8>,
    /// The client's certificate, and those between it and its authority.
    pub certificates: Vec<u8>,
    /// Its private key.
    pub key: Vec<u8>,
}

impl std::fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientTls").finish_non_exhaustive()
    }
}

/// An HTTP client. Clones share connections.
#[derive(Clone, Debug)]
pub struct Http {
    client: Client<Connector, Full<hyper::body::Bytes>>,
}

impl Default for Http {
    fn default() -> Self {
        Self::new()
    }
}

impl Http {
    /// A client that trusts the system's certificates.
    pub fn new() -> Self {
        // The system's certificates: an operator's own authority counts as well. Where there are
        // none, `https` says so when it fails; `http` to a node beside us goes on.
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self::with_roots(roots)
    }

    /// A client that shows a certificate of its own, and trusts those authorities only that are
    /// named.
    ///
    /// # Errors
    ///
    /// If certificates or key are none, or do not belong together.
    pub fn with_client_tls(tls: &ClientTls) -> Result<Self, String> {
        let read = |pem: &[u8], what: &str| {
            let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
                .collect::<Result<_, _>>()
                .map_err(|error| format!("{what}: {error}"))?;
            if certificates.is_empty() {
                return Err(format!("{what}: there is no certificate in it"));
            }
            Ok(certificates)
        };
        let mut roots = RootCertStore::empty();
        for certificate in read(&tls.authorities, "authorities")? {
            roots.add(certificate).map_err(|error| error.to_string())?;
        }
        let certificates = read(&tls.certificates, "certificate")?;
        let key =
            PrivateKeyDer::from_pem_slice(&tls.key).map_err(|error| format!("key: {error}"))?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(rustls::DEFAULT_VERSIONS)
            .and_then(|builder| {
                builder
                    .with_root_certificates(roots)
                    .with_client_auth_cert(certificates, key)
            })
            .map_err(|error| error.to_string())?;
        Ok(Self::with_connector(Connector::new(Ok(config))))
    }

    fn with_roots(roots: RootCertStore) -> Self {
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(rustls::DEFAULT_VERSIONS)
            .map(|builder| builder.with_root_certificates(roots).with_no_client_auth())
            .map_err(|error| error.to_string());
        Self::with_connector(Connector::new(config))
    }

    fn with_connector(connector: Connector) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .build(connector);
        Self { client }
    }

    /// Posts JSON, and reads at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// If no answer comes through in time, or it is too long.
    pub async fn post(
        &self,
        target: &Target,
        body: Vec<u8>,
        limit: usize,
        timeout: Duration,
    ) -> Result<Answer, HttpError> {
        let uri = target.uri.clone();
        self.request(target, Method::POST, uri, body, limit, timeout)
            .await
    }

    /// Gets what is behind a path and query, which follow the target's own path. Reads
    /// at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// If no answer comes through in time, or it is too long.
    pub async fn get(
        &self,
        target: &Target,
        path: &str,
        limit: usize,
        timeout: Duration,
    ) -> Result<Answer, HttpError> {
        let base = target.uri.path().trim_end_matches('/');
        let mut parts = target.uri.clone().into_parts();
        // some providers take their key as a query
        let query = target.uri.query().map_or_else(String::new, |query| {
            format!("{}{query}", if path.contains('?') { '&' } else { '?' })
        });
        let path = format!("{base}{path}{query}");
        parts.path_and_query = path.parse().ok();
        let uri =
            Uri::from_parts(parts).map_err(|error| HttpError::Connection(error.to_string()))?;
        self.request(target, Method::GET, uri, Vec::new(), limit, timeout)
            .await
    }

    async fn request(
        &self,
        target: &Target,
        method: Method,
        uri: Uri,
        body: Vec<u8>,
        limit: usize,
        timeout: Duration,
    ) -> Result<Answer, HttpError> {
        let mut request = Request::new(Full::new(body.into()));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = target.headers.clone();
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json.clone());
        request.headers_mut().insert(ACCEPT, json);
        let exchange = async {
            let response = self
                .client
                .request(request)
                .await
                .map_err(|error| HttpError::Connection(causes(&error)))?;
            let status = response.status();
            let retry_after = response
                .headers()
                .get(RETRY_AFTER)
                .and_then(|value| value.to_str().ok()?.trim().parse().ok())
                .map(Duration::from_secs);
            // A longer one that says so is refused before anything of it is read.
            if response.body().size_hint().lower() > limit as u64 {
                return Err(HttpError::TooLarge(limit));
            }
            let body = Limited::new(response.into_body(), limit)
                .collect()
                .await
                .map_err(|error| {
                    if error.is::<LengthLimitError>() {
                        HttpError::TooLarge(limit)
                    } else {
                        HttpError::Connection(causes(&*error))
                    }
                })?
                .to_bytes();
            Ok(Answer {
                status,
                retry_after,
                body: body.into(),
            })
        };
        tokio::time::timeout(timeout, exchange)
            .await
            .unwrap_or(Err(HttpError::Timeout(timeout)))
    }
}

/// An error with what caused it: hyper's own words alone say nothing.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}

/// Makes connections, with TLS where the scheme is `https`.
#[derive(Clone)]
struct Connector {
    tcp: HttpConnector,
    /// Fails only if the cryptography lacks what TLS needs.
    tls: Result<Arc<ClientConfig>, String>,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").finish_non_exhaustive()
    }
}

impl Connector {
    fn new(tls: Result<ClientConfig, String>) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let tls = tls.map(Arc::new);
        Self { tcp, tls }
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let is_tls = uri.scheme_str() == Some("https");
        let host = uri
            .host()
            .unwrap_or_default()
            .trim_matches(['[', ']'])
            .to_owned();
        let tcp = self.tcp.call(uri);
        let tls = self.tls.clone();
        Box::pin(async move {
            let tcp = tcp.await?.into_inner();
            let stream: Box<dyn Io> = if is_tls {
                let host = ServerName::try_from(host)?;
                Box::new(TlsConnector::from(tls?).connect(host, tcp).await?)
            } else {
                Box::new(tcp)
            };
            Ok(TokioIo::new(Stream(stream)))
        })
    }
}

trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection, with TLS or without.
struct Stream(Box<dyn Io>);

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::ServerConfig;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };
    use tokio_rustls::TlsAcceptor;

    /// Of `localhost`, signed by itself, until 2126.
    const CERTIFICATE: &[u8] = include_bytes!("../tests/data/localhost.der");
    const KEY: &[u8] = include_bytes!("../tests/data/localhost-key.der");

    /// A server with TLS that answers once, and the URL of it by a name.
    async fn serve(name: &str) -> Target {
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(rustls::DEFAULT_VERSIONS)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from(CERTIFICATE)],
                PrivateKeyDer::try_from(KEY).unwrap(),
            );
        let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (tcp, _) = listener.accept().await.unwrap();
            let Ok(mut tls) = acceptor.accept(tcp).await else {
                return;
            };
            let mut request = [0; 1024];
            let length = tls.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..length]).to_lowercase();
            let has_login = request.contains("authorization: basic dxnlcjpwyxnz");
            let path = request.split(' ').nth(1).unwrap();
            let body = format!("{path} {has_login}");
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            tls.write_all(answer.as_bytes()).await.unwrap();
        });
        Target::parse(&format!("https://user:pass@{name}:{port}/v1/?key=k")).unwrap()
    }

    async fn get(http: &Http, name: &str) -> Result<String, String> {
        let target = serve(name).await;
        let answer = http.get(&target, "/eth?a=b", 1000, Duration::from_secs(5));
        let answer = answer.await.map_err(|error| error.to_string())?;
        Ok(String::from_utf8(answer.body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn https_works_where_the_certificate_is_trusted_and_is_the_hosts() {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(CERTIFICATE)).unwrap();
        let trusting = Http::with_roots(roots);
        let answer = get(&trusting, "localhost").await;
        assert_eq!(answer.as_deref(), Ok("/v1/eth?a=b&key=k true"));
        // Another name for the same address.
        let error = get(&trusting, "127.0.0.1").await.unwrap_err();
        assert!(error.contains("certificate"), "{error}");
        let distrusting = Http::with_roots(RootCertStore::empty());
        let error = get(&distrusting, "localhost").await.unwrap_err();
        assert!(error.contains("certificate"), "{error}");
    }
}
