//! HTTP as rails see it: whole requests and whole answers.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

/// Something that comes later.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The methods that rails use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
}

/// A whole request: to a rail, or from one.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// Method.
    pub method: Method,
    /// Absolute URL when we call; path and query when we are called.
    pub url: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: Vec<u8>,
    /// How long to wait for the whole answer, in milliseconds.
    pub timeout_ms: u32,
}

impl HttpRequest {
    /// The value of a header; names are compared in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// Without headers and body: they hold secrets.
impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.url.split('?').next().unwrap_or("");
        write!(f, "{:?} {path} ({} bytes)", self.method, self.body.len())
    }
}

/// A whole answer.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// Status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Body, at most [`crate::limits::BODY_BYTES_MAX`].
    pub body: Vec<u8>,
}

/// Without the body: it may hold what is nobody's business.
impl fmt::Debug for HttpAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.status, self.body.len())
    }
}

/// A call that brought no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// Nothing was sent: the call can be repeated.
    #[error("the rail cannot be reached; nothing was sent")]
    NotSent,
    /// It may have been sent: what became of it must be asked.
    #[error("the rail did not answer; what became of the request is not known")]
    Unknown,
}

/// Carries requests to a rail. Never follows redirects.
pub trait Transport: Send + Sync {
    /// Sends a request and reads the whole answer.
    fn send(&self, request: HttpRequest) -> Later<'_, Result<HttpAnswer, TransportError>>;
}
