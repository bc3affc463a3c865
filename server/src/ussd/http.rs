//! Gateways that call us over HTTP: everything typed so far joined by `*`, or one input at a time in JSON or XML.

use super::config::{HttpGateway, Shape};
use super::tls::{self, TlsListener};
use crate::sockets::bind;
use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use charge::Msisdn;
use charge::ids::digest128;
use keypad::joined::Joined;
use keypad::{Answer, Keypad, Who};
use rails::connector::xml::Message;
use rails::form::Fields;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use wire::ussd::PageSize;

/// Longest request.
const BODY_BYTES_MAX: usize = 8 * 1024;
/// Longest name of a session.
const SESSION_BYTES_MAX: usize = 128;

/// A gateway at work.
struct Gateway {
    name: String,
    shape: Shape,
    /// Digest of the secret, so that comparing takes the same time whatever is sent.
    secret: Option<u128>,
    keypad: Keypad,
}

/// Binds and serves; gives the address.
pub async fn serve(
    name: &str,
    config: &HttpGateway,
    keypad: Keypad,
    mut stopped: watch::Receiver<bool>,
) -> anyhow::Result<(SocketAddr, JoinHandle<()>)> {
    let gateway = Arc::new(Gateway {
        name: name.to_owned(),
        shape: config.shape,
        secret: config.secret.as_deref().map(digest),
        keypad,
    });
    let router = Router::new()
        .route("/", post(answer))
        .route("/ussd", post(answer))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(gateway);
    let listener = bind(config.listen, &format!("ussd.http.{name}.listen")).await?;
    let address = listener
        .local_addr()
        .context("ask for the address of the socket")?;
    let stop = async move {
        // An error means that the sender is gone: stop as well.
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    let task = match tls::acceptor(name, config)? {
        Some(acceptor) => {
            let listener = TlsListener::start(listener, acceptor, config.connections_max)
                .context("ask for the address of the socket")?;
            let serve = axum::serve(listener, router).with_graceful_shutdown(stop);
            tokio::spawn(async move { ended(serve.await) })
        }
        None => {
            let listener = crate::sockets::listener::BoundedListener::of(listener, config.connections_max);
            let serve = axum::serve(listener, router).with_graceful_shutdown(stop);
            tokio::spawn(async move { ended(serve.await) })
        }
    };
    Ok((address, task))
}

fn ended(result: std::io::Result<()>) {
    if let Err(error) = result {
        tracing::warn!(%error, "a USSD listener ended");
    }
}

fn digest(secret: &str) -> u128 {
    digest128("ussd/secret", &[secret.as_bytes()])
}

async fn answer(State(gateway): State<Arc<Gateway>>, headers: HeaderMap, body: Bytes) -> Response {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let token = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    let known = gateway
        .secret
        .is_none_or(|secret| token.is_some_and(|token| digest(token) == secret));
    let kind = text(header::CONTENT_TYPE).unwrap_or("");
    let format = match gateway.shape {
        Shape::Joined => Format::Plain,
        Shape::Steps if kind.contains("xml") => Format::Xml,
        Shape::Steps => Format::Json,
    };
    if !known {
        return format.failed(
            StatusCode::UNAUTHORIZED,
            "",
            &gateway.keypad.strange("keypad-not-allowed"),
        );
    }
    let asked = match format {
        Format::Plain => Asked::of_joined(kind, &body),
        Format::Json => serde_json::from_slice(&body).ok(),
        Format::Xml => Asked::of_xml(&body),
    };
    let Some(asked) = asked.filter(Asked::is_sound) else {
        return format.failed(
            StatusCode::BAD_REQUEST,
            "",
            &gateway.keypad.strange("keypad-bad-request"),
        );
    };
    let keypad = &gateway.keypad;
    let Some(number) = web::number::parse(&asked.msisdn, keypad.web().catalogs()) else {
        let text = keypad.strange("problem-bad-number");
        return format.failed(StatusCode::UNPROCESSABLE_ENTITY, &asked.session, &text);
    };
    let answer = match gateway.shape {
        Shape::Joined => gateway.joined(number, &asked).await,
        Shape::Steps => gateway.step(number, &asked).await,
    };
    format.said(&asked.session, &answer)
}

impl Gateway {
    async fn joined(&self, number: Msisdn, asked: &Asked) -> Answer {
        let joined = Joined {
            key: Keypad::key(&self.name, &asked.session),
            nonce: &format!("{}/{number}/{}", self.name, asked.session),
            who: Who::Number(number),
            code: &asked.code,
            text: &asked.input,
        };
        self.keypad.joined(joined).await
    }

    async fn step(&self, number: Msisdn, asked: &Asked) -> Answer {
        // The number belongs to the name: a session cannot be taken over from another phone.
        let key = Keypad::key(&self.name, &format!("{number}/{}", asked.session));
        match asked.stage {
            Stage::Begin => {
                self.keypad
                    .begin(key, Who::Number(number), &asked.input, PageSize::FULL)
                    .await
            }
            Stage::Continue => self.keypad.typed(key, &asked.input, asked.step).await,
            Stage::End => {
                self.keypad.ended(key);
                Answer::last(String::new())
            }
        }
    }
}

/// Where a session stands, as the gateway says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Stage {
    /// The phone dialled.
    #[default]
    Begin,
    /// It answered a page.
    Continue,
    /// It hung up.
    End,
}

/// A request.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Asked {
    session: String,
    msisdn: String,
    stage: Stage,
    input: String,
    /// Counts the inputs of a session, so that one that is sent twice is known.
    step: Option<u32>,
    /// The code, where the input does not hold it.
    #[serde(skip)]
    code: String,
}

impl Asked {
    fn is_sound(&self) -> bool {
        let name = &self.session;
        (1..=SESSION_BYTES_MAX).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_graphic())
    }

    /// `sessionId`, `phoneNumber`, `serviceCode`, `text`, as a form or as JSON.
    fn of_joined(kind: &str, body: &[u8]) -> Option<Asked> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Joined {
            session_id: String,
            phone_number: String,
            service_code: String,
            #[serde(default)]
            text: String,
        }
        let joined = if kind.contains("json") {
            serde_json::from_slice(body).ok()?
        } else {
            let fields = Fields::parse(body).ok()?;
            let get = |name: &str| {
                let found = fields.pairs().iter().find(|(known, _)| known == name);
                found.map(|(_, value)| value.clone())
            };
            Joined {
                session_id: get("sessionId")?,
                phone_number: get("phoneNumber")?,
                service_code: get("serviceCode")?,
                text: get("text").unwrap_or_default(),
            }
        };
        Some(Asked {
            session: joined.session_id,
            msisdn: joined.phone_number,
            input: joined.text,
            code: joined.service_code,
            ..Asked::default()
        })
    }

    fn of_xml(body: &[u8]) -> Option<Asked> {
        let message = Message::parse(body).ok()?;
        let get = |name| message.get(name).map(str::to_owned);
        Some(Asked {
            session: get("SESSION")?,
            msisdn: get("MSISDN")?,
            stage: match get("STAGE")?.as_str() {
                "begin" => Stage::Begin,
                "continue" => Stage::Continue,
                "end" => Stage::End,
                _ => return None,
            },
            input: get("INPUT").unwrap_or_default(),
            step: match get("STEP") {
                Some(step) => Some(step.parse().ok()?),
                None => None,
            },
            code: String::new(),
        })
    }
}

/// How answers are written.
#[derive(Clone, Copy)]
enum Format {
    Plain,
    Json,
    Xml,
}

impl Format {
    fn said(self, session: &str, answer: &Answer) -> Response {
        self.write(StatusCode::OK, session, answer.last, &answer.text)
    }

    fn failed(self, status: StatusCode, session: &str, text: &str) -> Response {
        self.write(status, session, true, text)
    }

    fn write(self, status: StatusCode, session: &str, last: bool, text: &str) -> Response {
        let (kind, body) = match self {
            Format::Plain => (
                "text/plain; charset=utf-8",
                format!("{} {text}", if last { "END" } else { "CON" }),
            ),
            Format::Json => (
                "application/json",
                serde_json::json!({"session": session, "stage": stage_name(last), "text": text}).to_string(),
            ),
            Format::Xml => (
                "application/xml; charset=utf-8",
                format!(
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><COMMAND><SESSION>{}</SESSION><STAGE>{}</STAGE><TEXT>{}</TEXT></COMMAND>",
                    escaped(session),
                    stage_name(last),
                    escaped(text)
                ),
            ),
        };
        (status, [(header::CONTENT_TYPE, kind)], body).into_response()
    }
}

fn stage_name(last: bool) -> &'static str {
    if last { "end" } else { "continue" }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\n' => out.push('\n'),
            other if other.is_control() => {}
            other => out.push(other),
        }
    }
    out
}
