//! The API as the command line uses it: a running server, or a stopped data directory that this process serves to itself.

use crate::cli::Target;
use crate::failure::{Failure, Kind};
use crate::here::Here;
use anyhow::Context as _;
use serde_json::Value;
use std::time::Duration;
use ureq::Agent;
use ureq::http::Response;

/// Longest wait for an answer; imports take as long as they take.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// Longest file that is fetched, bytes.
const FILE_BYTES_MAX: u64 = 1 << 30;
/// Longest wait for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Someone who answers the API.
pub struct Client {
    agent: Agent,
    base: String,
    key: Option<String>,
    here: Option<Here>,
}

/// One request; made with [`Client::get`] and its sisters.
pub struct Call<'a> {
    client: &'a Client,
    method: &'static str,
    path: String,
    query: Vec<(&'static str, String)>,
    language: Option<&'static str>,
    once: Option<String>,
    body: Option<Value>,
    lines: Option<(&'static str, String)>,
}

impl Client {
    /// The server that the arguments name, or the data directory.
    pub fn connect(target: &Target) -> anyhow::Result<Client> {
        match &target.data {
            Some(data) => {
                let config = crate::commands::existing(data, target.config.as_ref())?;
                let here = Here::open(&config)?;
                let client = Client::to(&format!("http://{}", here.address()), here.key());
                Ok(Client {
                    here: Some(here),
                    ..client
                })
            }
            None => Ok(Client::at(&target.server, target.key.clone())),
        }
    }

    /// A server at an address.
    pub fn to(server: &str, key: &str) -> Client {
        Client::at(server, Some(key.to_owned()))
    }

    fn at(server: &str, key: Option<String>) -> Client {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_MAX))
            .timeout_global(Some(ANSWER_MAX))
            .build()
            .new_agent();
        Client {
            agent,
            base: server.trim_end_matches('/').to_owned(),
            key,
            here: None,
        }
    }

    /// Closes what [`Client::connect`] opened. To be called also after errors: a data directory is left tidy.
    pub fn close(self) {
        if let Some(here) = self.here {
            here.close();
        }
    }

    /// `GET path`.
    pub fn get(&self, path: impl Into<String>) -> Call<'_> {
        self.call("GET", path.into())
    }

    /// Imports lines of a media type; answers what became of each, and the total.
    pub fn import(&self, kind: &'static str, lines: String) -> anyhow::Result<Vec<Value>> {
        let call = Call {
            lines: Some((kind, lines)),
            ..self.call("POST", "/v1/subscribers/import".to_owned())
        };
        let mut response = call.response()?;
        if response.status().as_u16() >= 400 {
            return answer(response).map(|value| vec![value]);
        }
        let text = response
            .body_mut()
            .read_to_string()
            .context("read the answers of the import")?;
        text.lines()
            .map(|line| serde_json::from_str(line).context("read an answer of the import"))
            .collect()
    }

    /// `POST path`.
    pub fn post(&self, path: impl Into<String>, body: Value) -> Call<'_> {
        Call {
            body: Some(body),
            ..self.call("POST", path.into())
        }
    }

    /// `POST path` with a file of a media type as its body.
    pub fn post_file(&self, path: &str, kind: &'static str, text: String) -> Call<'_> {
        Call {
            lines: Some((kind, text)),
            ..self.call("POST", path.to_owned())
        }
    }

    /// `PUT path`.
    pub fn put(&self, path: impl Into<String>, body: Value) -> Call<'_> {
        Call {
            body: Some(body),
            ..self.call("PUT", path.into())
        }
    }

    /// `PATCH path`.
    pub fn patch(&self, path: impl Into<String>, body: Value) -> Call<'_> {
        Call {
            body: Some(body),
            ..self.call("PATCH", path.into())
        }
    }

    /// `DELETE path`.
    pub fn delete(&self, path: impl Into<String>) -> Call<'_> {
        self.call("DELETE", path.into())
    }

    fn call(&self, method: &'static str, path: String) -> Call<'_> {
        Call {
            client: self,
            method,
            path,
            query: Vec::new(),
            language: None,
            once: None,
            body: None,
            lines: None,
        }
    }

    fn unreachable(&self, error: &ureq::Error) -> anyhow::Error {
        Failure::unavailable(format!("reach the server at {}: {error}", self.base))
            .hint("Is it running? Name it with --server URL, or a stopped server's data with --data DIR.")
            .into()
    }
}

impl Call<'_> {
    /// Adds a parameter.
    #[must_use]
    pub fn query(mut self, name: &'static str, value: &dyn std::fmt::Display) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// Asks for sentences in a language.
    #[must_use]
    pub fn language(mut self, tag: &'static str) -> Self {
        self.language = Some(tag);
        self
    }

    /// Sends it under an Idempotency-Key.
    #[must_use]
    pub fn once(mut self, key: &str) -> Self {
        self.once = Some(key.to_owned());
        self
    }

    /// Sends it; the answer's JSON, `null` when there is none.
    pub fn send(self) -> anyhow::Result<Value> {
        let response = self.response()?;
        answer(response)
    }

    /// Sends it and writes the answer's body as it comes.
    pub fn save(self, out: &mut dyn std::io::Write) -> anyhow::Result<()> {
        let mut response = self.response()?;
        if response.status().as_u16() >= 400 {
            return answer(response).map(|_| ());
        }
        let mut body = response.body_mut().as_reader();
        std::io::copy(&mut body, out).context("save the answer")?;
        Ok(())
    }

    /// Sends it; the answer as it is: a file.
    pub fn text(self) -> anyhow::Result<String> {
        let mut response = self.response()?;
        if response.status().as_u16() >= 400 {
            return answer(response).map(|value| value.to_string());
        }
        response.body_mut().read_to_string().context("read the answer")
    }

    /// Sends it; the bytes of the answer.
    pub fn bytes(self) -> anyhow::Result<Vec<u8>> {
        let mut response = self.response()?;
        if response.status().as_u16() >= 400 {
            return answer(response).map(|_| Vec::new());
        }
        let body = response.body_mut().with_config().limit(FILE_BYTES_MAX);
        body.read_to_vec().context("read the answer")
    }

    fn response(&self) -> anyhow::Result<Response<ureq::Body>> {
        let client = self.client;
        let mut request = ureq::http::Request::builder()
            .method(self.method)
            .uri(self.address());
        if let Some(key) = &client.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        if let Some(language) = self.language {
            request = request.header("accept-language", language);
        }
        if let Some(key) = &self.once {
            request = request.header("idempotency-key", key);
        }
        let body = match (&self.body, &self.lines) {
            (Some(body), _) => {
                request = request.header("content-type", "application/json");
                body.to_string()
            }
            (None, Some((kind, lines))) => {
                request = request.header("content-type", *kind);
                lines.clone()
            }
            (None, None) => String::new(),
        };
        let request = request.body(body).map_err(|error| {
            Failure::usage(format!(
                "`{}` is not the address of a server: {error}",
                client.base
            ))
            .hint("Write it like http://127.0.0.1:8080.")
        })?;
        client
            .agent
            .run(request)
            .map_err(|error| client.unreachable(&error))
    }

    fn address(&self) -> String {
        let mut address = format!("{}{}", self.client.base, self.path);
        for (index, (name, value)) in self.query.iter().enumerate() {
            address.push(if index == 0 { '?' } else { '&' });
            address.push_str(name);
            address.push('=');
            address.push_str(&escaped(value));
        }
        address
    }
}

/// Percent-encoding for one part of a path or a query.
pub fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// The JSON of an answer; a problem document becomes a failure.
fn answer(mut response: Response<ureq::Body>) -> anyhow::Result<Value> {
    let status = response.status().as_u16();
    let text = response.body_mut().read_to_string().context("read the answer")?;
    let value: Value = if text.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&text).unwrap_or(Value::Null)
    };
    if status < 400 {
        return Ok(value);
    }
    let kind = match status {
        408 | 429 | 502..=504 => Kind::Unavailable,
        500..=599 => Kind::Failed,
        _ => Kind::Refused,
    };
    let told = |name: &str| value[name].as_str().filter(|text| !text.is_empty());
    let title = told("title").map_or_else(|| format!("the server answered {status}"), str::to_owned);
    let field = told("field").map_or_else(String::new, |field| format!(" ({field})"));
    let mut failure = Failure::new(kind, format!("{title}{field}"));
    let hints: Vec<&str> = [told("detail"), told("hint")].into_iter().flatten().collect();
    if !hints.is_empty() {
        failure.hint = Some(hints.join(" "));
    }
    if status == 401 {
        failure.hint = Some(
            "Give the API key with --key KEY or in RASEED_KEY; the first `raseed serve` prints one."
                .to_owned(),
        );
    }
    failure.code = value["code"].as_u64().map(|code| code.to_string());
    Err(failure.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_addresses_are_escaped() {
        assert_eq!(escaped("+92 300/1"), "%2B92%20300%2F1");
        assert_eq!(escaped("E3-1042-7"), "E3-1042-7");
    }
}
