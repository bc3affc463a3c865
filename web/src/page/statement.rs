//! The statement on the page, and the reason behind each line.

use super::format::Speech;
use super::frame::{Visitor, page};
use crate::api::bundles::name_of;
use crate::bind::Reader;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use crate::text::Html;
use crate::{number, why};
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use charge::catalog::{Called, Catalog};
use charge::ids::SessionKey;
use charge::unit::{Amount, Service};
use charge::{AccountId, Code, Money, Msisdn, Timestamp};
use serde::Deserialize;
use store::reads::{Cursor, LineKind, StatementEntry};
use store::{EventPlace, StoreError};

/// Lines of one page.
const LINES: usize = 12;

/// Lines of a statement with the way to more.
#[derive(Template)]
#[template(path = "lines.html")]
pub struct Lines {
    t: Speech,
    /// The days, the newest first.
    pub days: Vec<Day>,
    next: Option<String>,
}

/// Lines of one local day.
pub struct Day {
    date: Html,
    number: i32,
    lines: Vec<Line>,
}

/// One line.
pub struct Line {
    /// Chooses the sign before the line.
    sign: &'static str,
    kind: &'static str,
    title: Html,
    detail: Html,
    amount: Html,
    positive: bool,
    why: String,
}

/// Reads a page of a statement.
///
/// # Errors
/// When the read models do not answer.
pub async fn read(
    web: &Web,
    account: AccountId,
    catalog: &Catalog,
    t: Speech,
    before: Cursor,
) -> Result<Lines, Problem> {
    let ask = move |reader: &mut Reader| reader.models.statement(account, before, LINES);
    let entries = web.parts.reads.ask(ask).await?;
    let full = entries.len() == LINES;
    let next = entries
        .last()
        .filter(|_| full)
        .map(|entry| entry.cursor().to_string());
    let mut days: Vec<Day> = Vec::new();
    for entry in &entries {
        let line = line_of(entry, web, catalog, t);
        let number = catalog.zone.day_number(entry.at());
        match days.last_mut() {
            Some(day) if day.number == number => day.lines.push(line),
            _ => days.push(Day {
                date: Html::isolated(&t.date(entry.at(), &catalog.zone)),
                number,
                lines: vec![line],
            }),
        }
    }
    Ok(Lines { t, days, next })
}

fn line_of(entry: &StatementEntry, web: &Web, catalog: &Catalog, t: Speech) -> Line {
    match entry {
        StatementEntry::Line(line) => {
            let code = Code::new(&line.title).unwrap_or_default();
            let name = || name_of(code, catalog, t.language);
            let (sign, title) = match line.kind {
                LineKind::Opening => ("in", t.p("line-opening")),
                LineKind::Recharge => ("in", t.p("line-recharge")),
                LineKind::Refund => ("in", t.p("line-refund")),
                LineKind::TakenBack => ("out", t.p("line-taken-back")),
                LineKind::Bundle => ("bundle", name()),
                LineKind::RenewalFailed => {
                    ("note", t.with("line-renewal-failed", &[("name", name().into())]))
                }
                LineKind::Expiry => ("note", t.p("line-expiry")),
                LineKind::State => ("note", t.p(&format!("line-state-{}", line.title))),
            };
            let detail = match &line.recharge {
                Some(recharge) => {
                    let values = [
                        ("gross", t.money(recharge.gross, &catalog.currency).into()),
                        ("tax", t.money(line.tax, &catalog.currency).into()),
                    ];
                    t.with("line-recharge-detail", &values)
                }
                None => String::new(),
            };
            Line::new(
                (sign, line.kind.name()),
                (title, with_time(t, line.at, catalog, &detail)),
                (line.amount, catalog, t),
                format!("/me/why/line/{}", line.place),
            )
        }
        StatementEntry::Usage(usage) => {
            let service = usage.service;
            let title = match (service, usage.called) {
                (Service::Data, _) => t.p("line-data"),
                (_, Called::Incoming) => t.p("line-incoming"),
                (service, called) => {
                    let key = if service == Service::Voice {
                        "line-voice"
                    } else {
                        "line-sms"
                    };
                    t.with(key, &[("to", called_shown(called, web, t).into())])
                }
            };
            let mut detail = t.amount(service.unit(), usage.used, &catalog.currency);
            if usage.from_buckets > Amount::ZERO {
                let partly = usage.money.is_positive() || usage.uncovered.is_positive();
                let key = if partly {
                    "line-partly-from-buckets"
                } else {
                    "line-from-buckets"
                };
                detail = t.with(key, &[("used", detail.into())]);
            }
            Line::new(
                (service.name(), service.name()),
                (title, with_time(t, usage.opened_at, catalog, &detail)),
                (-usage.money, catalog, t),
                format!("/me/why/use/{:032x}", usage.session.0),
            )
        }
    }
}

impl Line {
    fn new(
        (sign, kind): (&'static str, &'static str),
        (title, detail): (String, String),
        (amount, catalog, t): (Money, &Catalog, Speech),
        why: String,
    ) -> Line {
        let shown = match kind {
            "state" | "renewal-failed" => String::new(),
            _ => t.movement(amount, &catalog.currency),
        };
        Line {
            sign,
            kind,
            title: Html::isolated(&title),
            detail: Html::isolated(&detail),
            amount: if shown.is_empty() {
                Html::default()
            } else {
                Html::bdi(&shown)
            },
            positive: amount.is_positive(),
            why,
        }
    }
}

fn with_time(t: Speech, at: Timestamp, catalog: &Catalog, detail: &str) -> String {
    let time = t.time(at, &catalog.zone);
    if detail.is_empty() {
        format!("\u{2068}{time}\u{2069}")
    } else {
        format!("\u{2068}{time}\u{2069} \u{b7} \u{2068}{detail}\u{2069}")
    }
}

fn called_shown(called: Called, web: &Web, t: Speech) -> String {
    match called {
        Called::Nobody | Called::Incoming => t.p("line-unknown-number"),
        Called::Number(number) => number_shown(number, web),
        Called::Short(code) => code.to_string(),
    }
}

fn number_shown(number: Msisdn, web: &Web) -> String {
    number::shown(number, web.catalogs()).replace(' ', "\u{a0}")
}

/// Which lines.
#[derive(Deserialize)]
pub struct More {
    before: String,
}

/// More lines, to be put behind those that are there.
pub async fn more(
    State(web): State<Web>,
    visitor: Visitor,
    Query(more): Query<More>,
) -> Result<Response, Problem> {
    let sign_in = visitor.sign_in.ok_or(Fault::Unauthorized)?;
    let (_, catalog) = super::account::signed_in(&web, sign_in.account).await?;
    let before = Cursor::parse(&more.before).ok_or(Fault::BadRequest)?;
    let lines = read(&web, sign_in.account, catalog, visitor.speech(), before).await?;
    Ok(page(StatusCode::OK, &lines))
}

#[derive(Template)]
#[template(path = "why.html")]
struct Why {
    sentences: Vec<Html>,
    /// Title of what follows, when there is more than one report.
    each: Html,
    reports: Vec<(Html, Vec<Html>)>,
}

/// The reason behind a line of one's own statement.
pub async fn why(
    State(web): State<Web>,
    visitor: Visitor,
    Path((kind, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let sign_in = visitor.sign_in.ok_or(Fault::Unauthorized)?;
    let (_, catalog) = super::account::signed_in(&web, sign_in.account).await?;
    let (account, language, operator) = (sign_in.account, visitor.language, catalog.operator);
    let catalogs = web.parts.catalogs.clone();
    let ask = move |reader: &mut Reader| -> Result<Option<why::Reasons>, StoreError> {
        let entry = match kind.as_str() {
            "line" => match EventPlace::parse(&id) {
                Some(place) => {
                    let line = reader.models.line(account, place)?;
                    line.map(|line| StatementEntry::Line(Box::new(line)))
                }
                None => None,
            },
            "use" => match u128::from_str_radix(&id, 16) {
                Ok(session) => {
                    let usage = reader.models.usage_of_session(account, SessionKey(session))?;
                    usage.map(|usage| StatementEntry::Usage(Box::new(usage)))
                }
                Err(_) => None,
            },
            _ => None,
        };
        match entry {
            Some(entry) => match catalogs.get(operator) {
                Some(catalog) => why::entry(reader, &entry, catalog, language).map(Some),
                None => Ok(None),
            },
            None => Ok(None),
        }
    };
    let reasons = web.parts.reads.ask(ask).await?.ok_or(Fault::NotFound)?;
    let t = visitor.speech();
    let html = |sentences: &[String]| {
        sentences
            .iter()
            .map(|sentence| Html::isolated(sentence))
            .collect()
    };
    let report = |report: &why::Report| {
        (
            Html::bdi(&t.time(report.at, &catalog.zone)),
            html(&report.sentences),
        )
    };
    let count = i64::try_from(reasons.reports.len()).unwrap_or(i64::MAX);
    let template = Why {
        sentences: html(&reasons.sentences),
        each: Html::isolated(&t.with("why-each", &[("count", count.into())])),
        reports: reasons.reports.iter().map(report).collect(),
    };
    Ok(page(StatusCode::OK, &template))
}
