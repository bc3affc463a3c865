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

impl HttpAnswer {
    /// "Received", without a word.
    pub fn empty() -> HttpAnswer {
        HttpAnswer::of(Vec::new(), Vec::new())
    }

    /// "Received", in JSON.
    pub fn json(body: Vec<u8>) -> HttpAnswer {
        HttpAnswer::of(
            vec![("content-type".to_owned(), "application/json".to_owned())],
            body,
        )
    }

    /// Status 200 with these headers and this body.
    pub fn of(headers: Vec<(String, String)>, body: Vec<u8>) -> HttpAnswer {
        HttpAnswer {
            status: 200,
            headers,
            body,
        }
    }
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

/// The host of an `https` address without user, port or anything odd; `None` for all others.
pub fn https_host(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://")?;
    let host = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    let named = !host.is_empty() && !host.starts_with('.') && host.bytes().all(plain);
    (named && url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')).then_some(host)
}

/// True for `https` addresses (a port is allowed) and, for sandboxes, for plain HTTP to this very machine.
pub fn is_secure_or_loopback(url: &str) -> bool {
    let after = |prefix: &str| {
        let rest = url.strip_prefix(prefix)?;
        let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        (!host.is_empty() && !authority.contains('@') && url.bytes().all(|byte| byte.is_ascii_graphic()))
            .then_some(host)
    };
    after("https://").is_some()
        || after("http://").is_some_and(|host| matches!(host, "127.0.0.1" | "localhost" | "[::1]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_addresses() {
        assert_eq!(
            https_host("https://api.paypal.com/v1/x?y=z"),
            Some("api.paypal.com")
        );
        for bad in [
            "http://api.paypal.com/",
            "https://api.paypal.com:8443/",
            "https://api.paypal.com@evil.test/",
            "https://evil.test\\@api.paypal.com/",
            "https://",
            "https:///x",
            "https://API.PAYPAL.COM/",
            "https://api.paypal.com\n/",
            "//api.paypal.com/",
        ] {
            assert_eq!(https_host(bad), None, "{bad}");
        }
        for good in [
            "https://x.test:8443/a",
            "http://127.0.0.1:80/a",
            "http://[::1]:9/",
            "http://localhost",
        ] {
            assert!(is_secure_or_loopback(good), "{good}");
        }
        for bad in [
            "http://x.test/",
            "http://127.0.0.1.x.test/",
            "http://127.0.0.1@x.test/",
            "ftp://x",
            "https://",
        ] {
            assert!(!is_secure_or_loopback(bad), "{bad}");
        }
    }
}
