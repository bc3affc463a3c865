//! Reconciliation with rails: a settlement file against the books, and the exceptions that people settle.

use super::auth::Caller;
use super::json::{Decimal, Json, Moment, Query, short_text};
use super::{lookup, partner_files};
use crate::bind::Reader;
use crate::limits;
use crate::payments::PaymentDesk;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use axum::body::to_bytes;
use axum::extract::{Path, Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use charge::command::Unmatched;
use charge::partner::Scopes;
use charge::payment::{
    Currency, Payment, PaymentAction, PaymentFault, PaymentId, PaymentState, Price, RefundReason, Remedy,
    Statement,
};
use charge::time::{DAY, SECOND};
use charge::{Code, Command, Entity, Timestamp};
use rails::reconcile::{Booked, Difference, Found, Kind, Question, compare, owner};
use rails::{RailError, SettlementKind, SettlementLine};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::StoreError;
use store::exceptions::{Closed, Exception, Exceptions};
use store::reads::PaymentRow;
use utoipa::{IntoParams, ToSchema};

/// Rails here write days of Pakistan: five hours before UTC.
const DAY_OFFSET_S: i64 = 5 * 3600;
/// Rows of one question.
const PAGE: usize = 500;

/// Which file it is.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct FileOf {
    /// The rail.
    rail: String,
    /// The day that it settles, `2026-11-21`, in Pakistan.
    day: String,
    /// The highest fee by contract, in parts of ten thousand; left out: not checked.
    #[serde(default)]
    fee_max_bp: Option<u32>,
}

/// What a comparison found.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Reconciled {
    /// The rail.
    pub rail: String,
    /// The day.
    pub day: String,
    /// Lines in the file.
    pub lines: u64,
    /// Lines that agree with the books.
    pub matched: u64,
    /// Paid, of those that agree, in the rail's currency.
    pub paid: Decimal,
    /// Given back, of those that agree.
    pub refunded: Decimal,
    /// Fees of all lines.
    pub fees: Decimal,
    /// Differences that were not known before.
    pub new: u64,
    /// Every difference of this file, known or new.
    pub exceptions: Vec<ExceptionAnswer>,
}

/// A difference that waits for people, or did.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExceptionAnswer {
    /// The same difference always has the same id.
    pub id: String,
    /// The rail.
    pub rail: String,
    /// The day of the file.
    pub day: String,
    /// missing-in-file, extra-in-file, amount-differs, fee, refund-mismatch, not-credited, paid-twice or chargeback.
    pub kind: String,
    /// The payment.
    pub payment: Option<String>,
    /// The rail's reference.
    pub reference: String,
    /// Line in the file; 0: none.
    pub line: u32,
    /// What the file says.
    pub file: Option<Decimal>,
    /// What the books say.
    pub books: Option<Decimal>,
    /// In which currency.
    pub currency: String,
    /// When it was first found.
    pub found_at: Moment,
    /// Seconds since then.
    pub age_s: i64,
    /// Whose work it is; empty: nobody's yet.
    pub owner: String,
    /// What can be done about it.
    pub remedies: Vec<String>,
    /// When it was closed.
    pub closed_at: Option<Moment>,
    /// The partner whose key closed it; empty: a later comparison did.
    pub closed_by: String,
    /// How it was closed.
    pub remedy: String,
}

/// Compare a settlement file
///
/// The body is the rail's file as it came. Comparing it again reports nothing twice; what is no longer found is closed.
#[utoipa::path(post, path = "/v1/reconciliations", tag = "books", params(FileOf),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = Reconciled)))]
pub async fn reconcile(
    State(web): State<Web>,
    caller: Caller,
    Query(asked): Query<FileOf>,
    request: Request,
) -> Result<Json<Reconciled>, Problem> {
    caller.require(Scopes::ADMIN)?;
    let (desk, file) = desk_and_file(&web)?;
    let rail = Code::new(&asked.rail).ok_or_else(|| Problem::field(Fault::BadField, "rail"))?;
    let day = day_number(&asked.day).ok_or_else(|| Problem::field(Fault::BadField, "day"))?;
    let body = to_bytes(request.into_body(), limits::SETTLEMENT_BYTES_MAX);
    let body = body.await.map_err(|_| Fault::BodyTooLarge)?;
    let read = blocking(move || Ok(desk.settlement(rail, &body))).await?;
    let (lines, rails) = read.map_err(|error| match error {
        RailError::Unsupported => Problem::field(Fault::BadField, "rail"),
        error => Problem::from(Fault::BadRequest).hint(error.to_string()),
    })?;
    let books = Books { rail, rails, day };
    let both = web.parts.reads.ask(move |reader| {
        let known = books.read(reader, &lines)?;
        Ok((lines, known))
    });
    let (lines, (known, expected)) = both.await?;
    let now = web.now();
    let (found, answers, new) = blocking(move || {
        let ids: Vec<PaymentId> = known.keys().copied().collect();
        let settled = file.settled(&ids)?;
        let settled = settled
            .into_iter()
            .filter_map(|(id, kind)| Some((id, kind_of(kind)?)))
            .collect();
        let found = compare(&Question {
            rail,
            lines: &lines,
            known: &known,
            expected: &expected,
            settled: &settled,
            fee_max_bp: asked.fee_max_bp,
        });
        let rows: Vec<Exception> = found
            .differences
            .iter()
            .map(|one| row_of(one, rail, day, now))
            .collect();
        let settled = found
            .settled
            .iter()
            .map(|(id, kind)| (*id, *kind as u8))
            .collect();
        let (kept, new) = keep(&file, (rail, day), &rows, &settled, now)?;
        Ok((found, kept, new))
    })
    .await?;
    Ok(Json(reconciled(&found, &asked.rail, day, new, &answers, now)))
}

/// Keeps what a comparison found: every difference as it stands now, and how many are new.
pub(super) fn keep(
    file: &Exceptions,
    place: (Code, i32),
    rows: &[Exception],
    settled: &BTreeSet<(PaymentId, u8)>,
    now: Timestamp,
) -> Result<(Vec<Exception>, usize), StoreError> {
    let new = file.keep(place, rows, settled, now)?;
    let kept = rows.iter().filter_map(|row| file.get(&row.id).transpose());
    Ok((kept.collect::<Result<_, _>>()?, new))
}

fn reconciled(
    found: &Found,
    rail: &str,
    day: i32,
    new: usize,
    kept: &[Exception],
    now: Timestamp,
) -> Reconciled {
    Reconciled {
        rail: rail.to_owned(),
        day: day_text(day),
        lines: found.totals.lines,
        matched: found.totals.matched,
        paid: Decimal(found.totals.paid),
        refunded: Decimal(found.totals.refunded),
        fees: Decimal(found.totals.fees),
        new: new as u64,
        exceptions: kept.iter().map(|one| ExceptionAnswer::of(one, now)).collect(),
    }
}

/// Where the books are read.
struct Books {
    rail: Code,
    rails: Vec<Code>,
    day: i32,
}

type Read = (BTreeMap<PaymentId, Booked>, BTreeSet<(PaymentId, SettlementKind)>);

impl Books {
    fn read(&self, reader: &mut Reader, lines: &[SettlementLine]) -> Result<Read, StoreError> {
        let midnight = Timestamp(i64::from(self.day) * DAY - DAY_OFFSET_S * SECOND);
        let from = midnight.plus(-limits::SETTLEMENT_CUT_S * SECOND);
        let span = from..from.plus(DAY);
        let (mut known, mut expected) = (BTreeMap::new(), BTreeSet::new());
        for line in lines {
            for id in [
                owner(self.rail, line),
                PaymentId::of_suspense(self.rail, &line.reference),
            ] {
                let row = reader
                    .models
                    .payment(id)?
                    .filter(|row| self.rails.contains(&row.rail));
                known.extend(row.map(|row| (id, booked(&row))));
            }
        }
        for rail in &self.rails {
            let first = midnight.plus(-limits::SETTLEMENT_AGE_DAYS * DAY);
            let mut after = None;
            loop {
                let page = reader
                    .models
                    .payments_of_rail(*rail, (first, span.end), after, PAGE)?;
                for row in &page {
                    let (id, one) = (row.id, booked(row));
                    let refunded = row.state == PaymentState::Refunded && span.contains(&row.updated_at);
                    if row.paid_at.is_some_and(|at| span.contains(&at)) {
                        expected.insert((id, SettlementKind::Payment));
                    }
                    if refunded {
                        expected.insert((id, SettlementKind::Refund));
                    }
                    known.insert(id, one);
                }
                match page.last() {
                    Some(last) if page.len() == PAGE => after = Some((last.created_at, last.id)),
                    _ => break,
                }
            }
        }
        Ok((known, expected))
    }
}

fn booked(row: &PaymentRow) -> Booked {
    let paid = row.paid_at.map(|_| match row.price.currency {
        Currency::PKR => Price::pkr(row.gross_paid),
        _ => row.price,
    });
    let refund = row.refund.as_ref();
    let placed =
        row.receipt.is_some() || row.delivered.is_some() || row.connector.is_some() || refund.is_some();
    Booked {
        id: row.id,
        state: row.state,
        paid,
        reference: row.reference.clone(),
        placed: placed
            || matches!(
                row.state,
                PaymentState::InSuspense | PaymentState::Assigned | PaymentState::Reversed
            ),
        refund: refund.map(|refund| Price {
            amount: refund.price,
            currency: row.price.currency,
        }),
    }
}

fn row_of(found: &Difference, rail: Code, day: i32, now: Timestamp) -> Exception {
    Exception {
        id: found.id(rail),
        rail,
        day,
        kind: found.kind.name().to_owned(),
        payment: found.payment,
        reference: found.reference.clone(),
        line: found.line,
        file: found.file,
        books: found.books,
        found_at: now,
        owner: String::new(),
        closed: None,
    }
}

impl ExceptionAnswer {
    /// Of an exception.
    pub(super) fn of(one: &Exception, now: Timestamp) -> ExceptionAnswer {
        let price = one.file.or(one.books);
        let kind = Kind::parse(&one.kind);
        ExceptionAnswer {
            id: one.id.clone(),
            rail: one.rail.to_string(),
            day: day_text(one.day),
            kind: one.kind.clone(),
            payment: one.payment.map(|id| id.to_string()),
            reference: one.reference.clone(),
            line: one.line,
            file: one.file.map(|price| Decimal(price.amount)),
            books: one.books.map(|price| Decimal(price.amount)),
            currency: price.map_or_else(String::new, |price| price.currency.to_string()),
            found_at: Moment(one.found_at),
            age_s: (now.0 - one.found_at.0) / SECOND,
            owner: one.owner.clone(),
            remedies: match &one.closed {
                None => kind
                    .map_or(&[][..], |kind| remedies(one.rail, kind))
                    .iter()
                    .map(|name| (*name).to_owned())
                    .collect(),
                Some(_) => Vec::new(),
            },
            closed_at: one.closed.as_ref().map(|closed| Moment(closed.at)),
            closed_by: one
                .closed
                .as_ref()
                .map_or_else(String::new, |closed| closed.by.clone()),
            remedy: one
                .closed
                .as_ref()
                .map_or_else(String::new, |closed| closed.remedy.clone()),
        }
    }
}

/// What can be done about a kind of difference.
fn remedies(rail: Code, kind: Kind) -> &'static [&'static str] {
    if partner_files::partner_of(rail).is_some() {
        return partner_files::remedies(kind);
    }
    match kind {
        Kind::Missing => &["ask", "refund", "dismiss"],
        Kind::Extra | Kind::Twice => &["return", "credit", "dismiss"],
        Kind::Amount | Kind::Fee => &["refund", "dismiss"],
        Kind::Refund => &["ask", "confirm", "refund", "dismiss"],
        Kind::NotCredited => &["ask", "credit", "refund", "dismiss"],
        Kind::Chargeback => &["confirm", "dismiss"],
    }
}

/// Which exceptions.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// `open` (as when it is left out) or `all`.
    #[serde(default)]
    state: Option<String>,
    /// `json` (as when it is left out) or `csv`.
    #[serde(default)]
    format: Option<String>,
}

/// Exceptions.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExceptionList {
    /// Oldest first.
    pub exceptions: Vec<ExceptionAnswer>,
}

/// List exceptions
#[utoipa::path(get, path = "/v1/exceptions", tag = "books", params(Which),
    responses((status = 200, body = ExceptionList)))]
pub async fn list(
    State(web): State<Web>,
    caller: Caller,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    caller.require(Scopes::ADMIN)?;
    let file = web.parts.exceptions.clone().ok_or(Fault::NotFound)?;
    let open_only = match which.state.as_deref() {
        None | Some("open") => true,
        Some("all") => false,
        Some(_) => return Err(Problem::field(Fault::BadField, "state")),
    };
    let rows = blocking(move || file.list(open_only)).await?;
    let now = web.now();
    let exceptions: Vec<ExceptionAnswer> = rows.iter().map(|one| ExceptionAnswer::of(one, now)).collect();
    match which.format.as_deref() {
        None | Some("json") => Ok(Json(ExceptionList { exceptions }).into_response()),
        Some("csv") => Ok((
            [(header::CONTENT_TYPE, "text/csv; charset=utf-8")],
            csv(&exceptions),
        )
            .into_response()),
        Some(_) => Err(Problem::field(Fault::BadField, "format")),
    }
}

fn csv(rows: &[ExceptionAnswer]) -> String {
    let mut text =
        "id,rail,day,kind,payment,reference,line,file,books,currency,age_s,owner,remedy\n".to_owned();
    for row in rows {
        let amount = |amount: &Option<Decimal>| amount.map_or_else(String::new, |amount| amount.0.exact());
        let cells = [
            row.id.clone(),
            row.rail.clone(),
            row.day.clone(),
            row.kind.clone(),
            row.payment.clone().unwrap_or_default(),
            row.reference.clone(),
            row.line.to_string(),
            amount(&row.file),
            amount(&row.books),
            row.currency.clone(),
            row.age_s.to_string(),
            row.owner.clone(),
            row.remedy.clone(),
        ];
        text.push_str(&cells.map(|cell| quoted(&cell)).join(","));
        text.push('\n');
    }
    text
}

/// A cell that no spreadsheet takes for a formula: references come from outside.
fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let mark = if formula { "'" } else { "" };
    if formula || cell.contains([',', '"', '\n', '\r']) {
        format!("\"{mark}{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

/// What is to be done about an exception.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemedyRequest {
    /// One of the exception's `remedies`, or `own`: make it the work of `owner`.
    pub remedy: String,
    /// The number that money in suspense is for, for `credit`.
    #[serde(default)]
    pub msisdn: Option<String>,
    /// Whose work it is, for `own`.
    #[serde(default)]
    pub owner: Option<String>,
}

/// Settle an exception
///
/// It is closed when the remedy worked; otherwise it stays open, and the answer says what the rail said.
#[utoipa::path(post, path = "/v1/exceptions/{id}", tag = "books",
    params(("id" = String, Path, description = "The exception")),
    request_body = RemedyRequest,
    responses((status = 200, body = ExceptionAnswer)))]
pub async fn remedy(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<String>,
    Json(asked): Json<RemedyRequest>,
) -> Result<Json<ExceptionAnswer>, Problem> {
    caller.require(Scopes::ADMIN)?;
    let file = web.parts.exceptions.clone().ok_or(Fault::NotFound)?;
    let one = {
        let (file, id) = (file.clone(), id.clone());
        blocking(move || file.get(&id)).await?.ok_or(Fault::NotFound)?
    };
    let kind = Kind::parse(&one.kind).ok_or(Fault::Internal)?;
    let known = remedies(one.rail, kind).contains(&asked.remedy.as_str()) || asked.remedy == "own";
    if !known || one.closed.is_some() {
        return Err(Problem::field(Fault::BadField, "remedy"));
    }
    if asked.remedy == "own" {
        let name = asked.owner.clone().unwrap_or_default();
        short_text(&name, "owner", 64)?;
        let (file, id) = (file.clone(), id.clone());
        blocking(move || file.assign(&id, &name)).await?;
    } else if put_right(&web, &caller, &one, kind, &asked).await? {
        let closed = Closed {
            at: web.now(),
            by: caller.partner.code.to_string(),
            remedy: asked.remedy.clone(),
        };
        let (file, id) = (file.clone(), id.clone());
        blocking(move || file.close(&id, &closed)).await?;
    }
    let after = blocking(move || file.get(&id)).await?.ok_or(Fault::NotFound)?;
    Ok(Json(ExceptionAnswer::of(&after, web.now())))
}

/// Carries a remedy out; true when the difference is put right.
async fn put_right(
    web: &Web,
    caller: &Caller,
    one: &Exception,
    kind: Kind,
    asked: &RemedyRequest,
) -> Result<bool, Problem> {
    if asked.remedy == "dismiss" {
        return Ok(true);
    }
    if partner_files::partner_of(one.rail).is_some() {
        partner_files::put_right(web, caller, one).await?;
        return Ok(true);
    }
    let desk = web.parts.payments.as_ref().ok_or(Fault::NotFound)?;
    if let (Kind::Extra | Kind::Twice, Some(paid)) = (kind, one.file) {
        let action = match &asked.msisdn {
            Some(number) if asked.remedy == "credit" => {
                PaymentAction::Assign(lookup::find(web, number).await?.subscriber()?.0)
            }
            None if asked.remedy == "return" => PaymentAction::TakeBack(RefundReason::Unmatched),
            _ => return Err(Problem::field(Fault::BadField, "msisdn")),
        };
        let came = Unmatched {
            rail: one.rail,
            reference: one.reference.clone(),
            paid,
        };
        let id = came.id();
        web.parts.core.call(Command::Suspend(Box::new(came))).await?;
        desk.act(id, action).await?;
        return Ok(true);
    }
    let id = one
        .payment
        .ok_or_else(|| Problem::field(Fault::BadField, "remedy"))?;
    if asked.remedy == "ask" {
        let said = desk.ask(id).await;
        let payment = payment(web, id).await?;
        return Ok(match kind {
            Kind::NotCredited => payment.paid_at.is_some(),
            Kind::Refund => payment.state == PaymentState::Refunded,
            _ => matches!(said, Some(Statement::Succeeded { .. })),
        });
    }
    let payment = payment(web, id).await?;
    let action = action_of(&payment, one, kind, &asked.remedy);
    desk.act(
        id,
        action.ok_or_else(|| Problem::field(Fault::BadField, "remedy"))?,
    )
    .await?;
    Ok(true)
}

/// The command behind a remedy; `None` when it does not fit this payment.
fn action_of(payment: &Payment, one: &Exception, kind: Kind, remedy: &str) -> Option<PaymentAction> {
    let mismatch = matches!(payment.fault, Some(PaymentFault::Mismatch { .. }));
    Some(match (kind, remedy) {
        (Kind::NotCredited, "credit") if mismatch => PaymentAction::Resolve(Remedy::Credit),
        (Kind::NotCredited, "refund") if mismatch => PaymentAction::Resolve(Remedy::Refund),
        // On the word of the rail's own file.
        (Kind::NotCredited, "credit") => PaymentAction::State(Statement::Succeeded {
            paid: one.file?,
            reference: one.reference.clone(),
        }),
        (Kind::Refund, "refund") => PaymentAction::RetryRefund,
        (Kind::Refund, "confirm") => PaymentAction::State(Statement::Refunded {
            reference: one.reference.clone(),
        }),
        (Kind::Chargeback, "confirm") => PaymentAction::State(Statement::Reversed {
            code: "settlement-file".to_owned(),
        }),
        (Kind::Missing | Kind::Amount | Kind::Fee, "refund") => PaymentAction::TakeBack(RefundReason::Staff),
        _ => return None,
    })
}

async fn payment(web: &Web, id: PaymentId) -> Result<Box<Payment>, Problem> {
    match web.parts.core.read(id.key()).await? {
        Some(Entity::Payment(payment)) => Ok(payment),
        _ => Err(charge::Refusal::NoSuchPayment.into()),
    }
}

fn desk_and_file(web: &Web) -> Result<(Arc<dyn PaymentDesk>, Exceptions), Problem> {
    let parts = &web.parts;
    let both = parts.payments.clone().zip(parts.exceptions.clone());
    Ok(both.ok_or(Fault::NotFound)?)
}

/// Work on the file of exceptions, on a thread that may wait.
///
/// # Errors
/// [`Fault::Internal`] when the file does not answer.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => {
            tracing::error!(%error, "the file of exceptions does not answer");
            Err(Fault::Internal.into())
        }
        Err(_) => Err(Fault::Internal.into()),
    }
}

fn kind_of(number: u8) -> Option<SettlementKind> {
    let all = [
        SettlementKind::Payment,
        SettlementKind::Refund,
        SettlementKind::Chargeback,
    ];
    all.into_iter().find(|kind| *kind as u8 == number)
}

/// The number of a day that is written `2026-11-21`.
pub(super) fn day_number(text: &str) -> Option<i32> {
    let date: jiff::civil::Date = text.parse().ok()?;
    Some(
        date.since((jiff::Unit::Day, jiff::civil::date(1970, 1, 1)))
            .ok()?
            .get_days(),
    )
}

/// A day as it is written.
pub(super) fn day_text(day: i32) -> String {
    let (year, month, day) = charge::time::civil_from_days(i64::from(day));
    format!("{year:04}-{month:02}-{day:02}")
}
