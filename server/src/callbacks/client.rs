//! One POST to an address that strangers chose (a partner's callback, a browser's push service): resolved here, checked,
//! connected to exactly what was checked, no redirects, no proxies, and a limit on time and bytes.

use anyhow::Context as _;
use axum::body::{Body, Bytes};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use web::partner_callback::{Reach, Target};

/// Time to resolve and connect.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// Time for the whole attempt.
const ATTEMPT_TIME_MAX: Duration = Duration::from_secs(15);
/// Bytes of an answer that are read; a longer one counts as not acknowledged.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Addresses of a name that are tried.
const ADDRESSES_MAX: usize = 4;

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// When the other side wants to be asked again, if it says so in seconds (RFC 9110 section 10.2.3).
    pub retry_after: Option<Duration>,
}

/// Calls strangers.
pub struct Client {
    reach: Reach,
    tls: TlsConnector,
}

impl Client {
    /// With the certificate authorities of the machine.
    pub fn new(reach: Reach) -> anyhow::Result<Client> {
        let mut roots = rustls::RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        let (_, unusable) = roots.add_parsable_certificates(found.certs);
        if unusable > 0 || !found.errors.is_empty() {
            tracing::warn!(
                unusable,
                errors = found.errors.len(),
                "some certificate authorities cannot be used"
            );
        }
        Client::with_roots(reach, roots)
    }

    /// With other authorities.
    pub fn with_roots(reach: Reach, roots: rustls::RootCertStore) -> anyhow::Result<Client> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .context("set up TLS for callbacks")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Client {
            reach,
            tls: TlsConnector::from(Arc::new(config)),
        })
    }

    /// Posts a body with these headers; what came back, or why nothing did.
    pub async fn post(
        &self,
        target: &Target,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer, String> {
        match tokio::time::timeout(ATTEMPT_TIME_MAX, self.post_untimed(target, headers, body)).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no answer within {} s", ATTEMPT_TIME_MAX.as_secs())),
        }
    }

    async fn post_untimed(
        &self,
        target: &Target,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<Answer, String> {
        let request = hyper::Request::post(&target.path)
            .header("host", &target.authority)
            .header("user-agent", "Raseed-Callback/1")
            .header("connection", "close");
        let request = headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value))
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| error.to_string())?;
        let connected = tokio::time::timeout(CONNECT_TIME_MAX, self.connect(target)).await;
        let stream = connected.map_err(|_| "no connection in time".to_owned())??;
        if !target.tls {
            return exchange(stream, request).await;
        }
        let server = ServerName::try_from(target.host.clone()).map_err(|error| error.to_string())?;
        let stream = self.tls.connect(server, stream).await;
        exchange(stream.map_err(|error| format!("TLS: {error}"))?, request).await
    }

    /// Connects to one of the checked addresses. Every address of the name must be allowed: one that points at us as
    /// well as at the world is not called at all.
    async fn connect(&self, target: &Target) -> Result<TcpStream, String> {
        let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await;
        let addresses: Vec<SocketAddr> = found
            .map_err(|_| "the name does not resolve".to_owned())?
            .collect();
        if addresses.iter().any(|address| !self.reach.allows(address.ip())) {
            return Err("the name resolves to an address that may not be called".to_owned());
        }
        let mut reason = "the name has no address".to_owned();
        for address in addresses.into_iter().take(ADDRESSES_MAX) {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => reason = format!("connect: {}", error.kind()),
            }
        }
        Err(reason)
    }
}

async fn exchange<S>(stream: S, request: hyper::Request<Full<Bytes>>) -> Result<Answer, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| error.to_string())?;
    let exchange = async {
        let answer = sender
            .send_request(request)
            .await
            .map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let retry_after = answer
            .headers()
            .get("retry-after")
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        // Read to the end, so that the receiver is not cut off while it answers; what it says does not matter.
        let body = Limited::new(Body::new(answer.into_body()), ANSWER_BYTES_MAX);
        body.collect()
            .await
            .map_err(|error| format!("the answer: {error}"))?;
        Ok(Answer { status, retry_after })
    };
    tokio::pin!(exchange);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        answer = &mut exchange => answer,
        ended = &mut connection => match ended {
            // The last bytes of the answer may have come with the end of the connection.
            Ok(()) => exchange.await,
            Err(error) => Err(error.to_string()),
        },
    }
}
