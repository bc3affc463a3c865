//! Calls to rails over the network: TLS, no redirects, a limit on time and on bytes.

use rails::http::{HttpAnswer, HttpRequest, Later, Method, Transport, TransportError};
use rails::limits::BODY_BYTES_MAX;
use std::time::Duration;

/// HTTP/1.1 and HTTP/2 with the system's roots of trust.
pub struct Network {
    client: reqwest::Client,
}

impl Network {
    /// A client of its own; connections are kept and shared between calls.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new() -> anyhow::Result<Network> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(5))
            .pool_idle_timeout(Duration::from_secs(30))
            .build()?;
        Ok(Network { client })
    }

    async fn call(&self, request: HttpRequest) -> Result<HttpAnswer, TransportError> {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
        };
        let mut call = self
            .client
            .request(method, &request.url)
            .timeout(Duration::from_millis(u64::from(request.timeout_ms)))
            .body(request.body);
        for (name, value) in &request.headers {
            call = call.header(name, value);
        }
        let unanswered = |error: reqwest::Error| {
            if error.is_connect() || error.is_builder() {
                TransportError::NotSent
            } else {
                TransportError::Unknown
            }
        };
        let mut answer = call.send().await.map_err(unanswered)?;
        let status = answer.status().as_u16();
        let headers = answer
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|_| TransportError::Unknown)? {
            if body.len() + piece.len() > BODY_BYTES_MAX {
                return Err(TransportError::Unknown);
            }
            body.extend_from_slice(&piece);
        }
        Ok(HttpAnswer {
            status,
            headers,
            body,
        })
    }
}

impl Transport for Network {
    fn send(&self, request: HttpRequest) -> Later<'_, Result<HttpAnswer, TransportError>> {
        Box::pin(self.call(request))
    }
}
