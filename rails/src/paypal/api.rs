//! Calls to PayPal: the access token and one kind of request.

use super::Config;
use crate::base::Base;
use crate::form::escaped;
use crate::http::{HttpRequest, Method, Transport};
use crate::json::JsonAnswer;
use crate::limits::CALL_MS;
use crate::rail::RailError;
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use charge::Timestamp;
use charge::time::SECOND;
use serde_json::Value;
use std::sync::{Mutex, PoisonError};

/// A token is not used in the last minute of its life.
const TOKEN_SPARE_S: i64 = 60;
/// Longest token that is kept.
const TOKEN_BYTES_MAX: usize = 4096;

/// The REST API with its access token.
pub(super) struct Api {
    base: Base,
    client_id: String,
    client_secret: Secret,
    token: Mutex<Option<Token>>,
}

#[derive(Clone)]
struct Token {
    text: String,
    until: Timestamp,
}

impl Api {
    pub fn new(config: &Config) -> Api {
        Api {
            base: config.host.clone(),
            client_id: config.client_id.clone(),
            client_secret: config.client_secret.clone(),
            token: Mutex::new(None),
        }
    }

    pub async fn get(&self, io: &dyn Transport, path: &str, now: Timestamp) -> Result<JsonAnswer, RailError> {
        self.call(io, Method::Get, path, None, now).await
    }

    pub async fn post(
        &self,
        io: &dyn Transport,
        path: &str,
        request_id: &str,
        body: &Value,
        now: Timestamp,
    ) -> Result<JsonAnswer, RailError> {
        self.call(io, Method::Post, path, Some((request_id, body)), now)
            .await
    }

    /// Calls once, and once more with a new token when the old one is refused: nothing was done then.
    async fn call(
        &self,
        io: &dyn Transport,
        method: Method,
        path: &str,
        body: Option<(&str, &Value)>,
        now: Timestamp,
    ) -> Result<JsonAnswer, RailError> {
        let token = self.token(io, now).await?;
        let answer = self.send(io, method, path, body, &token).await?;
        if answer.status != 401 {
            return Ok(answer);
        }
        self.forget(&token);
        let token = self.token(io, now).await?;
        let answer = self.send(io, method, path, body, &token).await?;
        if answer.status == 401 {
            self.forget(&token);
            return Err(RailError::Configuration(
                "paypal: the token is refused".to_owned(),
            ));
        }
        Ok(answer)
    }

    async fn send(
        &self,
        io: &dyn Transport,
        method: Method,
        path: &str,
        body: Option<(&str, &Value)>,
        token: &str,
    ) -> Result<JsonAnswer, RailError> {
        let mut headers = vec![
            ("authorization".to_owned(), format!("Bearer {token}")),
            ("accept".to_owned(), "application/json".to_owned()),
        ];
        if let Some((request_id, _)) = body {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
            headers.push(("paypal-request-id".to_owned(), request_id.to_owned()));
            headers.push(("prefer".to_owned(), "return=representation".to_owned()));
        }
        let request = HttpRequest {
            method,
            url: self.base.url(path),
            headers,
            body: body.map_or_else(Vec::new, |(_, body)| body.to_string().into_bytes()),
            timeout_ms: CALL_MS,
        };
        JsonAnswer::to(io, request).await
    }

    async fn token(&self, io: &dyn Transport, now: Timestamp) -> Result<String, RailError> {
        let kept = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(token) = kept.filter(|token| now < token.until) {
            return Ok(token.text);
        }
        let credentials = format!("{}:{}", self.client_id, self.client_secret.expose());
        let request = HttpRequest {
            method: Method::Post,
            url: self.base.url("/v1/oauth2/token"),
            headers: vec![
                (
                    "authorization".to_owned(),
                    format!("Basic {}", STANDARD.encode(credentials)),
                ),
                (
                    "content-type".to_owned(),
                    "application/x-www-form-urlencoded".to_owned(),
                ),
                ("accept".to_owned(), "application/json".to_owned()),
            ],
            body: b"grant_type=client_credentials".to_vec(),
            timeout_ms: CALL_MS,
        };
        let answer = io.send(request).await?;
        match answer.status {
            200 => {}
            400 | 401 | 403 => {
                return Err(RailError::Configuration(
                    "paypal: the client credentials are refused".to_owned(),
                ));
            }
            _ => return Err(crate::TransportError::NotSent.into()),
        }
        let body: Value = serde_json::from_slice(&answer.body).map_err(|_| RailError::Malformed("token"))?;
        let text = body["access_token"].as_str().unwrap_or_default();
        let lives_s = body["expires_in"].as_i64().unwrap_or_default();
        if text.is_empty()
            || text.len() > TOKEN_BYTES_MAX
            || text.bytes().any(|byte| !byte.is_ascii_graphic())
        {
            return Err(RailError::Malformed("token"));
        }
        let token = Token {
            text: text.to_owned(),
            until: now.plus((lives_s.clamp(0, 86_400) - TOKEN_SPARE_S).max(0) * SECOND),
        };
        let text = token.text.clone();
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
        Ok(text)
    }

    fn forget(&self, refused: &str) {
        let mut kept = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.as_ref().is_some_and(|token| token.text == refused) {
            *kept = None;
        }
    }
}

/// An id of PayPal's as part of a path.
pub(super) fn segment(id: &str) -> Result<String, RailError> {
    if id.is_empty() || id.len() > 64 {
        return Err(RailError::Malformed("id"));
    }
    Ok(escaped(id).replace('.', "%2E"))
}
