//! The statement on the page, and the reason behind each line.

use super::format::Speech;
use super::frame::{Frame, Visitor, page};
use super::spending::{self, Month};
use crate::api::bundles::name_of;
use crate::bind::Reader;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use crate::text::{self, Html};
use crate::{limits, number, why};
use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use charge::catalog::{Called, Catalog};
use charge::ids::SessionKey;
use charge::unit::{Amount, Service};
use charge::{AccountId, Code, Money, Msisdn, Timestamp};
use serde::Deserialize;
use store::reads::{Cursor, LineKind, StatementEntry};
use store::{EventPlace, StoreError};

/// Lines of one page.
const LINES: usize = 20;

/// Which lines of a statement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// All.
    #[default]
    All,
    /// What came in, and what was given back or taken back.
    In,
    /// Data.
    Data,
    /// Calls.
    Voice,
    /// Messages.
    Sms,
    /// Bundles and renewals.
    Bundles,
}

impl Kind {
    const ALL: [Kind; 6] = [
        Kind::All,
        Kind::In,
        Kind::Data,
        Kind::Voice,
        Kind::Sms,
        Kind::Bundles,
    ];

    fn name(self) -> &'static str {
        match self {
            Kind::All => "all",
            Kind::In => "in",
            Kind::Data => "data",
            Kind::Voice => "voice",
            Kind::Sms => "sms",
            Kind::Bundles => "bundles",
        }
    }

    fn parse(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    fn holds(self, entry: &StatementEntry) -> bool {
        match (self, entry) {
            (Kind::All, _) => true,
            (Kind::Data, StatementEntry::Usage(usage)) => usage.service == Service::Data,
            (Kind::Voice, StatementEntry::Usage(usage)) => usage.service == Service::Voice,
            (Kind::Sms, StatementEntry::Usage(usage)) => usage.service == Service::Sms,
            (Kind::In, StatementEntry::Line(line)) => matches!(
                line.kind,
                LineKind::Opening | LineKind::Recharge | LineKind::Refund | LineKind::TakenBack
            ),
            (Kind::Bundles, StatementEntry::Line(line)) => {
                matches!(line.kind, LineKind::Bundle | LineKind::RenewalFailed)
            }
            _ => false,
        }
    }
}

/// What is asked of the statement.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Asked {
    kind: Option<String>,
    month: Option<String>,
    before: Option<String>,
}

/// What is asked, understood. What makes no sense is as if it had not been asked.
#[derive(Clone, Copy)]
struct Choice {
    kind: Kind,
    month: Option<Month>,
}

impl Choice {
    fn of(asked: &Asked, today: i32) -> Choice {
        let now = Month::of_day(today);
        Choice {
            kind: asked.kind.as_deref().and_then(Kind::parse).unwrap_or_default(),
            month: asked.month.as_deref().and_then(|name| Month::parse(name, now)),
        }
    }

    /// The address of this choice below a path.
    fn address(self, path: &str) -> String {
        let mut address = format!("{path}?kind={}", self.kind.name());
        if let Some(month) = self.month {
            address.push_str("&month=");
            address.push_str(&month.name());
        }
        address
    }

    fn span(self, catalog: &Catalog) -> (Timestamp, Timestamp) {
        match self.month {
            Some(month) => month.span(&catalog.zone),
            None => (Timestamp(i64::MIN), Timestamp(i64::MAX)),
        }
    }
}

#[derive(Template)]
#[template(path = "statement.html")]
struct StatementPage {
    page: Frame,
    kind: &'static str,
    kinds: Vec<(String, Html, bool)>,
    months: Vec<(String, String, bool)>,
    file: String,
    lines: Lines,
}

/// The statement.
pub async fn show(
    State(web): State<Web>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let Some(sign_in) = visitor.sign_in else {
        return Ok(Redirect::to("/").into_response());
    };
    let (account, catalog) = super::account::signed_in(&web, sign_in.account).await?;
    let t = visitor.speech();
    let today = catalog.zone.day_number(web.now());
    let choice = Choice::of(&asked, today);
    let kinds = Kind::ALL.map(|kind| {
        let name = t.h(&format!("kind-{}", kind.name()));
        let there = Choice { kind, ..choice };
        (there.address("/statement"), name, kind == choice.kind)
    });
    let months = spending::months_back(Month::of_day(today))
        .into_iter()
        .map(|month| {
            let name = t.month(month.year, month.month).replace(text::ISOLATES, "");
            (month.name(), name, choice.month == Some(month))
        });
    let template = StatementPage {
        page: visitor.frame(&web, t.p("statement")),
        kind: choice.kind.name(),
        kinds: kinds.into(),
        months: months.collect(),
        file: choice.address("/statement.csv"),
        lines: read(
            &web,
            account.id,
            catalog,
            t,
            choice,
            before_of(&asked, choice, catalog),
        )
        .await?,
    };
    Ok(page(StatusCode::OK, &template))
}

fn before_of(asked: &Asked, choice: Choice, catalog: &Catalog) -> Cursor {
    let end = spending::end_of(choice.span(catalog).1);
    match asked.before.as_deref().and_then(Cursor::parse) {
        Some(before) if before.at < end.at => before,
        _ => end,
    }
}

/// Lines of a statement with the way to more.
#[derive(Template)]
#[template(path = "lines.html")]
pub struct Lines {
    t: Speech,
    /// The days, the newest first.
    pub days: Vec<Day>,
    next: Option<String>,
    /// True on the statement's own page, where days are the headings below the title.
    alone: bool,
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
    /// The title as text, for files.
    words: String,
    detail: Html,
    amount: Html,
    positive: bool,
    why: String,
}

/// The newest lines of a statement, without a way to more.
///
/// # Errors
/// When the read models do not answer.
pub async fn latest(
    web: &Web,
    account: AccountId,
    catalog: &Catalog,
    t: Speech,
    count: usize,
) -> Result<Lines, Problem> {
    let ask = move |reader: &mut Reader| reader.models.statement(account, Cursor::NEWEST, count);
    let entries = web.parts.reads.ask(ask).await?;
    Ok(Lines {
        t,
        days: days_of(&entries, web, catalog, t),
        next: None,
        alone: false,
    })
}

async fn read(
    web: &Web,
    account: AccountId,
    catalog: &Catalog,
    t: Speech,
    choice: Choice,
    before: Cursor,
) -> Result<Lines, Problem> {
    let from = choice.span(catalog).0;
    let ask = move |reader: &mut Reader| gather(reader, account, choice.kind, from, before);
    let (entries, next) = web.parts.reads.ask(ask).await?;
    let next = next.map(|cursor| format!("{}&before={cursor}", choice.address("/statement/more")));
    Ok(Lines {
        t,
        days: days_of(&entries, web, catalog, t),
        next,
        alone: true,
    })
}

/// One page of matching entries, and where the next one begins. Of entries that do not match, a bounded number is
/// passed over; the next page goes on behind them.
fn gather(
    reader: &mut Reader,
    account: AccountId,
    kind: Kind,
    from: Timestamp,
    mut before: Cursor,
) -> Result<(Vec<StatementEntry>, Option<Cursor>), StoreError> {
    let mut found = Vec::with_capacity(LINES);
    let mut seen = 0;
    while seen < limits::FILTERED_LINES_MAX {
        let chunk = if kind == Kind::All { LINES } else { 10 * LINES };
        let entries = reader.models.statement(account, before, chunk)?;
        let last = entries.len() < chunk;
        for entry in entries {
            if entry.at() < from {
                return Ok((found, None));
            }
            seen += 1;
            before = entry.cursor();
            if kind.holds(&entry) {
                found.push(entry);
                if found.len() == LINES {
                    return Ok((found, Some(before)));
                }
            }
        }
        if last {
            return Ok((found, None));
        }
    }
    Ok((found, Some(before)))
}

/// Entries as rows of a table: when, what, more, how much.
pub fn rows(entries: &[StatementEntry], web: &Web, catalog: &Catalog, t: Speech) -> Vec<[Html; 4]> {
    let row = |entry: &StatementEntry| {
        let line = line_of(entry, web, catalog, t);
        let date = Html::bdi(&t.date(entry.at(), &catalog.zone));
        [date, line.title, line.detail, line.amount]
    };
    entries.iter().map(row).collect()
}

fn days_of(entries: &[StatementEntry], web: &Web, catalog: &Catalog, t: Speech) -> Vec<Day> {
    let mut days: Vec<Day> = Vec::new();
    for entry in entries {
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
    days
}

fn line_of(entry: &StatementEntry, web: &Web, catalog: &Catalog, t: Speech) -> Line {
    match entry {
        StatementEntry::Line(line) => {
            let code = Code::new(&line.title).unwrap_or_default();
            let name = || name_of(code, catalog, t.language);
            let (sign, title) = match line.kind {
                LineKind::Opening => ("plus", t.p("line-opening")),
                LineKind::Recharge => ("plus", t.p("line-recharge")),
                LineKind::Refund => ("plus", t.p("line-refund")),
                LineKind::TakenBack => ("note", t.p("line-taken-back")),
                LineKind::Bundle => ("bundles", name()),
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
                format!("/statement/why/line/{}", line.place),
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
                format!("/statement/why/use/{:032x}", usage.session.0),
            )
        }
    }
}

impl Lines {
    fn icons(&self) -> String {
        super::assets::address("icons.svg")
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
            words: title,
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

/// More lines, to be put behind those that are there.
pub async fn more(
    State(web): State<Web>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let sign_in = visitor.sign_in.ok_or(Fault::Unauthorized)?;
    let (_, catalog) = super::account::signed_in(&web, sign_in.account).await?;
    let before = asked.before.as_deref().and_then(Cursor::parse);
    let before = before.ok_or(Fault::BadRequest)?;
    let choice = Choice::of(&asked, catalog.zone.day_number(web.now()));
    let lines = read(&web, sign_in.account, catalog, visitor.speech(), choice, before).await?;
    Ok(page(StatusCode::OK, &lines))
}

/// The chosen lines as a file for spreadsheets (RFC 4180, UTF-8 with a mark so that they see it).
pub async fn file(
    State(web): State<Web>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let sign_in = visitor.sign_in.ok_or(Fault::Unauthorized)?;
    let (account, catalog) = super::account::signed_in(&web, sign_in.account).await?;
    let t = visitor.speech();
    let choice = Choice::of(&asked, catalog.zone.day_number(web.now()));
    let (id, span) = (account.id, choice.span(catalog));
    let ask = move |reader: &mut Reader| -> Result<Vec<StatementEntry>, StoreError> {
        let mut entries = Vec::new();
        spending::each(reader, id, span, limits::CSV_LINES_MAX, |entry| {
            if choice.kind.holds(entry) {
                entries.push(entry.clone());
            }
        })?;
        Ok(entries)
    };
    let entries = web.parts.reads.ask(ask).await?;
    let mut csv = String::from("\u{feff}time,kind,what,used,unit,amount,tax,balance,currency,reason\r\n");
    for entry in &entries {
        csv.push_str(&csv_line(entry, &web, catalog, t));
        csv.push_str("\r\n");
    }
    let name = choice.month.map_or("all".to_owned(), Month::name);
    let disposition = format!("attachment; filename=\"raseed-statement-{name}.csv\"");
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, csv).into_response())
}

fn csv_line(entry: &StatementEntry, web: &Web, catalog: &Catalog, t: Speech) -> String {
    let shown = line_of(entry, web, catalog, t);
    let time = catalog.zone.civil(entry.at()).to_string();
    let (used, unit, amount, tax, balance, reason) = match entry {
        StatementEntry::Usage(usage) => (
            usage.used.to_string(),
            usage.service.unit().name(),
            -usage.money,
            usage.tax,
            Some(usage.balance),
            usage.session_id.clone().unwrap_or_default(),
        ),
        StatementEntry::Line(line) => (
            String::new(),
            "",
            line.amount,
            line.tax,
            line.balance,
            line.place.to_string(),
        ),
    };
    let balance = balance.map(Money::exact).unwrap_or_default();
    let texts = [
        time,
        shown.kind.to_owned(),
        plain_text(&shown.words),
        used,
        unit.to_owned(),
        amount.exact(),
        tax.exact(),
        balance,
        catalog.currency.clone(),
        reason,
    ];
    let fields = texts.iter().enumerate().map(|(column, text)| {
        let is_number = matches!(column, 3 | 5 | 6 | 7);
        csv_field(text, is_number)
    });
    fields.collect::<Vec<String>>().join(",")
}

fn plain_text(text: &str) -> String {
    text.replace(text::ISOLATES, "").replace('\u{a0}', " ")
}

/// A field in quotes. Text that a spreadsheet would take for a formula gets a mark in front.
fn csv_field(text: &str, is_number: bool) -> String {
    let text = text.replace('"', "\"\"");
    let guard = !is_number && text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    format!("\"{}{text}\"", if guard { "'" } else { "" })
}

#[derive(Template)]
#[template(path = "why.html")]
struct Why {
    sentences: Vec<Html>,
    /// Title of what follows, when there is more than one report.
    each: Html,
    reports: Vec<(Html, Vec<Html>)>,
    /// Where one says that something is wrong with a line.
    complain: Option<(String, Html)>,
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
    let complain = (kind == "line").then(|| format!("/complaints/new?about=event:{id}"));
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
        complain: complain.map(|path| (path, t.h("complaint-report"))),
    };
    Ok(page(StatusCode::OK, &template))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_hold_no_formulas() {
        for (text, number, field) in [
            ("=1+1", false, "\"'=1+1\""),
            ("@x", false, "\"'@x\""),
            ("say \"hi\"", false, "\"say \"\"hi\"\"\""),
            ("-2.40", true, "\"-2.40\""),
        ] {
            assert_eq!(csv_field(text, number), field);
        }
    }
}
