//! Carries requests over real sockets: for the clients of `rails` in tests and load, and for the sandboxes' callbacks.

use super::desk::Callback;
use rails::http::Later;
use rails::{HttpAnswer, HttpRequest, Method, Transport, TransportError};
use std::time::Duration;

/// A transport for loopback. It follows no redirect, as a transport must.
#[derive(Clone)]
pub struct Loopback {
    client: reqwest::Client,
    headers: Vec<(String, String)>,
    longest: Duration,
}

impl Loopback {
    /// A transport that waits as long as each request says.
    ///
    /// # Errors
    /// The client cannot be set up.
    pub fn new() -> Result<Loopback, reqwest::Error> {
        Ok(Loopback {
            client: client()?,
            headers: Vec::new(),
            longest: Duration::MAX,
        })
    }

    /// Adds a header to every request, such as [`super::OUTCOME_HEADER`].
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Loopback {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Waits no longer than this, whatever requests say.
    #[must_use]
    pub fn with_longest(mut self, longest: Duration) -> Loopback {
        self.longest = longest;
        self
    }

    async fn carry(&self, request: HttpRequest) -> Result<HttpAnswer, TransportError> {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
        };
        let timeout = Duration::from_millis(u64::from(request.timeout_ms)).min(self.longest);
        let mut call = self.client.request(method, &request.url).timeout(timeout);
        for (name, value) in request.headers.iter().chain(&self.headers) {
            call = call.header(name, value);
        }
        let answer = call.body(request.body).send().await.map_err(|error| {
            if error.is_connect() || error.is_builder() {
                TransportError::NotSent
            } else {
                TransportError::Unknown
            }
        })?;
        let status = answer.status().as_u16();
        let headers = headers_of(&answer);
        let body = answer.bytes().await.map_err(|_| TransportError::Unknown)?;
        if body.len() > rails::limits::BODY_BYTES_MAX {
            return Err(TransportError::Unknown);
        }
        Ok(HttpAnswer {
            status,
            headers,
            body: body.to_vec(),
        })
    }
}

impl Transport for Loopback {
    fn send(&self, request: HttpRequest) -> Later<'_, Result<HttpAnswer, TransportError>> {
        Box::pin(self.carry(request))
    }
}

/// Sends a callback to the merchant; a merchant that is away is tried three times, as the rails do.
pub(super) async fn deliver(client: &reqwest::Client, merchant: &str, callback: Callback) {
    let url = format!("{merchant}{}", callback.path);
    for pause_ms in [50, 500, 5_000] {
        let mut call = match callback.method {
            "GET" => client.get(&url),
            _ => client.post(&url).body(callback.body.clone()),
        };
        for (name, value) in &callback.headers {
            call = call.header(name, value);
        }
        let sent = call.timeout(Duration::from_secs(10)).send().await;
        if sent.is_ok_and(|answer| answer.status().is_success()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
    }
    tracing::info!("a sandbox gave up on a callback");
}

/// A client without redirects and proxies.
pub(super) fn client() -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(Duration::from_secs(5))
        .build()
}

pub(super) fn headers_of(answer: &reqwest::Response) -> Vec<(String, String)> {
    answer
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect()
}
