//! What the touch screen shows: language, number, choice, payment, result. One visitor at a time, and no cookies: the
//! kiosk forgets everybody when the screen begins anew.
//!
//! # Layout
//!
//! * here: routes, and what is around every page. [`choose`]: number, amounts, bundles. [`pay`]: payment and result.

mod choose;
mod pay;

use crate::book::State as Stage;
use crate::limits;
use crate::operator::AskError;
use crate::shell::{Kiosk, Visit};
use askama::Template;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Form, Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html as Page, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use charge::catalog::Language;
use serde::Deserialize;
use std::sync::Arc;
use web::page::assets;
use web::page::format::Speech;
use web::text::{Html, Value};

/// No script, style or image but our own; forms go to ourselves.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const STYLE: &str = include_str!("../../static/kiosk.css");
const SCRIPT: &str = include_str!("../../static/kiosk.js");

/// The pages. They are for the browser of the kiosk alone: serve them on loopback.
pub fn router(kiosk: Arc<Kiosk>) -> Router {
    Router::new()
        .route("/", get(start))
        .route("/language", post(language))
        .route("/reset", post(reset))
        .route("/look", post(look))
        .route("/number", get(choose::number).post(choose::number_given))
        .route("/choose", get(choose::show).post(choose::chosen))
        .route("/amount", get(choose::amount))
        .route("/confirm", get(choose::confirm).post(pay::begin))
        .route("/pay", get(pay::show))
        .route("/pay/part", get(pay::part))
        .route("/pay/finish", post(pay::finish))
        .route("/done", get(pay::done))
        .route("/done/part", get(pay::done_part))
        .route("/kiosk/{file}", get(file))
        .route("/static/{file}", get(assets::file))
        .fallback(|| async { Redirect::to("/") })
        .layer(DefaultBodyLimit::max(limits::FORM_BYTES_MAX))
        .layer(middleware::from_fn(guard))
        .with_state(kiosk)
}

/// Only this machine's own browser, by a name of this machine, and from our own pages.
async fn guard(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let host = text(header::HOST).unwrap_or("");
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let ours = ["127.0.0.1", "localhost", "[::1]"].contains(&name);
    let origin = text(header::ORIGIN).is_none_or(|origin| origin.strip_prefix("http://") == Some(host));
    if !ours || (request.method() == Method::POST && !origin) {
        return StatusCode::FORBIDDEN.into_response();
    }
    let asset = request.uri().path().starts_with("/static/");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if !asset {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

async fn file(Path(name): Path<String>) -> Response {
    let found = match name.as_str() {
        "kiosk.css" => ("text/css; charset=utf-8", STYLE),
        "kiosk.js" => ("text/javascript; charset=utf-8", SCRIPT),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    ([(header::CONTENT_TYPE, found.0)], found.1).into_response()
}

/// What every page shares.
pub struct Frame {
    /// Sentences.
    pub t: Speech,
    /// Title of the window.
    pub title: String,
    /// Where we are, for forms that come back here.
    pub path: &'static str,
    /// The step: 1 number, 2 choice, 3 payment; 0: none.
    pub step: u8,
    /// Larger letters.
    pub large: bool,
    /// Stronger colours.
    pub contrast: bool,
    /// A sentence that is shown once.
    pub told: Option<String>,
    /// Name of the kiosk.
    pub name: String,
    /// Number for help.
    pub help: Html,
    /// There is a number for help.
    pub has_help: bool,
    /// Seconds after which it asks whether somebody is there; 0: it does not.
    pub idle_s: u32,
}

impl Frame {
    /// Of a page. What was to be told once is told.
    pub fn of(kiosk: &Kiosk, path: &'static str, step: u8, title: &str) -> Frame {
        let visit = kiosk.revisit(|visit| Visit {
            told: visit.told.take(),
            ..visit.clone()
        });
        let t = Speech {
            language: visit.language,
        };
        let look = kiosk.look();
        Frame {
            t,
            title: t.p(title),
            path,
            step,
            large: visit.large,
            contrast: visit.contrast,
            told: visit.told,
            name: kiosk.see(|till| till.settings().name.clone()),
            help: Html::bdi(&look.help),
            has_help: !look.help.is_empty(),
            idle_s: look.idle_s,
        }
    }

    /// BCP 47 tag.
    pub fn tag(&self) -> &'static str {
        self.t.language.tag()
    }

    /// Direction of writing.
    pub fn direction(&self) -> &'static str {
        match self.t.language {
            Language::Ur => "rtl",
            Language::En | Language::Zh => "ltr",
        }
    }

    /// The address of a static file of the house.
    pub fn asset(&self, name: &str) -> String {
        assets::address(name)
    }

    /// Where this step stands against another one: done, now or nothing.
    pub fn stage(&self, step: u8) -> &'static str {
        match step.cmp(&self.step) {
            std::cmp::Ordering::Less => "done",
            std::cmp::Ordering::Equal => "now",
            std::cmp::Ordering::Greater => "",
        }
    }
}

/// Languages with their own names.
fn languages() -> [(&'static str, &'static str); 3] {
    [("en", "English"), ("ur", "اردو"), ("zh", "中文")]
}

/// A template as an answer.
fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => Page(html).into_response(),
        Err(error) => {
            tracing::error!(%error, "a page cannot be made");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Back to a page, with a sentence.
fn back(kiosk: &Kiosk, path: &str, key: &str, values: &[(&str, Value)]) -> Response {
    kiosk.revisit(|visit| {
        let t = Speech {
            language: visit.language,
        };
        visit.told = Some(t.with(key, values));
    });
    Redirect::to(path).into_response()
}

/// The server's no, in words.
fn refused(kiosk: &Kiosk, path: &str, error: AskError) -> Response {
    match error {
        AskError::NoLine => back(kiosk, path, "kiosk-no-line", &[]),
        AskError::Refused(refusal) => match refusal.name.as_str() {
            "no-subscriber" | "no-such-account" => back(kiosk, path, "kiosk-not-ours", &[]),
            "amount-too-small" | "amount-too-large" => back(kiosk, path, "kiosk-bad-amount", &[]),
            "no-such-bundle" => back(kiosk, path, "kiosk-no-bundle", &[]),
            _ if refusal.told.is_empty() => back(kiosk, path, "kiosk-refused", &[]),
            // The server says it in the language that it was asked in.
            _ => {
                kiosk.revisit(|visit| visit.told = Some(refusal.told));
                Redirect::to(path).into_response()
            }
        },
    }
}

#[derive(Template)]
#[template(path = "start.html")]
struct Start {
    page: Frame,
    open: bool,
    cash: bool,
    cards: bool,
    line: bool,
    languages: [(&'static str, &'static str); 3],
}

/// The beginning.
async fn start(State(kiosk): State<Arc<Kiosk>>) -> Response {
    // The browser was started again: whoever pays sees it, and whoever had a power cut sees the end.
    let on = kiosk.see(|till| {
        let order = till
            .active()
            .and_then(|seq| till.book().order(seq).ok().flatten());
        match order {
            Some(order) if order.state == Stage::Paying && !till.is_closing(order.seq) => Some("/pay"),
            Some(_) if till.unseen().is_some() => Some("/done"),
            _ => None,
        }
    });
    if let Some(path) = on {
        return Redirect::to(path).into_response();
    }
    kiosk.revisit(|visit| *visit = Visit::default());
    let page_ = Frame::of(&kiosk, "/", 0, "kiosk-title");
    let (open, cash, cards, line) =
        kiosk.see(|till| (till.is_open(), till.takes_cash(), till.takes_cards(), till.line()));
    page(&Start {
        page: Frame { idle_s: 0, ..page_ },
        open,
        cash,
        cards,
        line,
        languages: languages(),
    })
}

/// Somebody goes: what was put in is sold, and the visitor is forgotten.
fn leave(kiosk: &Kiosk) {
    let done = kiosk.with(|till, now| {
        let actions = match till.active() {
            Some(seq) => till.finish(seq, now)?,
            None => Vec::new(),
        };
        till.left();
        Ok(((), actions))
    });
    if let Err(error) = done {
        tracing::error!(%error, "the kiosk's book");
    }
    kiosk.revisit(|visit| *visit = Visit::default());
}

async fn reset(State(kiosk): State<Arc<Kiosk>>) -> Redirect {
    leave(&kiosk);
    Redirect::to("/")
}

#[derive(Deserialize)]
struct LanguageForm {
    language: String,
    #[serde(default)]
    back: String,
}

async fn language(State(kiosk): State<Arc<Kiosk>>, Form(form): Form<LanguageForm>) -> Redirect {
    kiosk.revisit(|visit| visit.language = Language::from_tag(&form.language).unwrap_or_default());
    kiosk.with(|till, now| Ok((till.touched(now), Vec::new()))).ok();
    Redirect::to(known(&form.back).unwrap_or("/number"))
}

#[derive(Deserialize)]
struct LookForm {
    what: String,
    #[serde(default)]
    back: String,
}

/// Larger letters, stronger colours.
async fn look(State(kiosk): State<Arc<Kiosk>>, Form(form): Form<LookForm>) -> Redirect {
    kiosk.revisit(|visit| match form.what.as_str() {
        "large" => visit.large = !visit.large,
        "contrast" => visit.contrast = !visit.contrast,
        _ => {}
    });
    Redirect::to(known(&form.back).unwrap_or("/number"))
}

/// A page of ours that a form may lead back to.
fn known(path: &str) -> Option<&'static str> {
    ["/number", "/choose", "/amount", "/confirm", "/pay", "/done"]
        .into_iter()
        .find(|known| *known == path)
}

/// Times and amounts of an order, and its languages, for pages.
fn money(t: Speech, amount: charge::Money, currency: &str) -> Html {
    Html::bdi(&t.money(amount, currency))
}

/// True when a browser asks for a piece of a page.
fn accepts_part(headers: &HeaderMap) -> bool {
    headers.get("kiosk-part").is_some()
}
