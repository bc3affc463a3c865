//! Reconciliation with rails: a settlement file against the books, and the exceptions that people settle.

use super::auth::Caller;
use super::json::{Decimal, Json, Moment, Query, short_text};
use super::{lookup, partner_files};
use crate::limits;
use crate::payments::PaymentDesk;
use crate::problem::{Fault, Problem};
use crate::reconcile::{self, DayFile, blocking};
use crate::state::Web;
use axum::body::to_bytes;
use axum::extract::{Path, Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use charge::command::Unmatched;
use charge::partner::Scopes;
use charge::payment::{
    Payment, PaymentAction, PaymentFault, PaymentId, PaymentState, RefundReason, Remedy, Statement,
};
use charge::time::SECOND;
use charge::{Code, Command, Entity, Timestamp};
use people::staff_trail::Deed;
use rails::reconcile::Kind;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use store::exceptions::{Closed, Exception, Exceptions};
use store::runs::Run;
use utoipa::{IntoParams, ToSchema};

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
    /// The three sides of the day.
    pub figures: Option<RunAnswer>,
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
    /// missing-in-file, extra-in-file, amount-differs, fee, refund-mismatch, not-credited, paid-twice, chargeback,
    /// missing-file, unreadable-file, not-taken-back or bundle-not-bought.
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
    let rail = Code::new(&asked.rail).ok_or_else(|| Problem::field(Fault::BadField, "rail"))?;
    let day = day_number(&asked.day).ok_or_else(|| Problem::field(Fault::BadField, "day"))?;
    let body = to_bytes(request.into_body(), limits::SETTLEMENT_BYTES_MAX);
    let body = body.await.map_err(|_| Fault::BodyTooLarge)?;
    let of = DayFile {
        rail,
        day,
        fee_max_bp: asked.fee_max_bp,
        source: caller.partner.code.to_string(),
    };
    let done = reconcile::compare_day(&web, of, body.to_vec()).await?;
    let now = web.now();
    Ok(Json(Reconciled {
        figures: Some(RunAnswer::of(&done.run)),
        lines: done.run.lines,
        matched: done.run.matched,
        paid: Decimal(done.paid),
        refunded: Decimal(done.run.refunded),
        fees: Decimal(done.run.fees),
        rail: asked.rail,
        day: day_text(day),
        new: done.new as u64,
        exceptions: done
            .exceptions
            .iter()
            .map(|one| ExceptionAnswer::of(one, now))
            .collect(),
    }))
}

impl ExceptionAnswer {
    pub(crate) fn of(one: &Exception, now: Timestamp) -> ExceptionAnswer {
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
pub(crate) fn remedies(rail: Code, kind: Kind) -> &'static [&'static str] {
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
        Kind::NoFile | Kind::BadFile | Kind::NotTakenBack | Kind::NotBought => &["dismiss"],
    }
}

/// A rail's day as it was compared last. Amounts are in the rail's currency.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RunAnswer {
    /// The rail.
    pub rail: String,
    /// The day.
    pub day: String,
    /// `daily`, or who asked for it.
    pub source: String,
    /// Lines in the file.
    pub lines: u64,
    /// Lines that agree.
    pub matched: u64,
    /// Payments, as the rail's file has them.
    pub file: Decimal,
    /// Payments, as the ledger has them.
    pub ledger: Decimal,
    /// Payments that the operator credited, or that lie or go elsewhere on purpose.
    pub credited: Decimal,
    /// Given back.
    pub refunded: Decimal,
    /// Fees.
    pub fees: Decimal,
    /// In which currency.
    pub currency: String,
    /// Differences that were found.
    pub differences: u64,
    /// When.
    pub ran_at: Moment,
    /// How often this day was compared.
    pub times: u32,
}

impl RunAnswer {
    pub(crate) fn of(run: &Run) -> RunAnswer {
        RunAnswer {
            rail: run.rail.to_string(),
            day: day_text(run.day),
            source: run.source.clone(),
            lines: run.lines,
            matched: run.matched,
            file: Decimal(run.file),
            ledger: Decimal(run.ledger),
            credited: Decimal(run.credited),
            refunded: Decimal(run.refunded),
            fees: Decimal(run.fees),
            currency: run.currency.clone(),
            differences: run.differences,
            ran_at: Moment(run.ran_at),
            times: run.times,
        }
    }
}

/// Days that were compared.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RunList {
    /// The latest day first.
    pub reconciliations: Vec<RunAnswer>,
}

/// In which form.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// `json` (as when it is left out) or `csv`.
    #[serde(default)]
    format: Option<String>,
}

/// List the days that were compared, with their figures
#[utoipa::path(get, path = "/v1/reconciliations", tag = "books", params(Form),
    responses((status = 200, body = RunList)))]
pub async fn runs(
    State(web): State<Web>,
    caller: Caller,
    Query(form): Query<Form>,
) -> Result<Response, Problem> {
    caller.require(Scopes::ADMIN)?;
    let (_, file) = desk_and_file(&web)?;
    let runs = blocking(move || file.runs()).await?;
    match form.format.as_deref() {
        None | Some("json") => {
            let reconciliations = runs.iter().map(RunAnswer::of).collect();
            Ok(Json(RunList { reconciliations }).into_response())
        }
        Some("csv") => {
            let kind = [(header::CONTENT_TYPE, "text/csv; charset=utf-8")];
            Ok((kind, runs_csv(&runs)).into_response())
        }
        Some(_) => Err(Problem::field(Fault::BadField, "format")),
    }
}

pub(crate) fn runs_csv(runs: &[Run]) -> String {
    let mut text = "day,rail,source,lines,matched,file,ledger,credited,refunded,fees,currency,differences,ran_at,times\n"
        .to_owned();
    for run in runs {
        let cells = [
            day_text(run.day),
            run.rail.to_string(),
            run.source.clone(),
            run.lines.to_string(),
            run.matched.to_string(),
            run.file.exact(),
            run.ledger.exact(),
            run.credited.exact(),
            run.refunded.exact(),
            run.fees.exact(),
            run.currency.clone(),
            run.differences.to_string(),
            super::json::rfc3339(run.ran_at),
            run.times.to_string(),
        ];
        text.push_str(&cells.map(|cell| quoted(&cell)).join(","));
        text.push('\n');
    }
    text
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

pub(crate) fn csv(rows: &[ExceptionAnswer]) -> String {
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
pub(crate) fn quoted(cell: &str) -> String {
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
/// It is closed when the remedy worked; otherwise it stays open: the rail did not agree, or a partner's sale waits for a second
/// key that asks for the same.
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
    super::staff::note(&web, &caller, Deed::RemedyBegun, &id, &asked.remedy).await?;
    let by = By {
        name: caller.partner.code.as_str(),
        key: caller.key,
        first: None,
    };
    let after = settle(&web, &id, &asked, by).await?;
    Ok(Json(ExceptionAnswer::of(&after, web.now())))
}

/// Who carries a remedy out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct By<'a> {
    /// As the exception keeps it.
    pub name: &'a str,
    /// What tells one from another where two must agree: the id of a key, or of somebody of staff.
    pub key: Code,
    /// Who wanted it first, when two of staff have agreed to it already.
    pub first: Option<Code>,
}

/// Carries a remedy out for somebody, and closes the exception when it worked.
///
/// # Errors
/// [`Fault::NotFound`]; [`Fault::BadField`] for what does not fit; what the core refuses.
pub(crate) async fn settle(
    web: &Web,
    id: &str,
    asked: &RemedyRequest,
    by: By<'_>,
) -> Result<Exception, Problem> {
    let file = web.parts.exceptions.clone().ok_or(Fault::NotFound)?;
    let id = id.to_owned();
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
    } else if put_right(web, by, &one, kind, asked).await? {
        let closed = Closed {
            at: web.now(),
            by: by.name.to_owned(),
            remedy: asked.remedy.clone(),
        };
        let (file, id) = (file.clone(), id.clone());
        blocking(move || file.close(&id, &closed)).await?;
    }
    Ok(blocking(move || file.get(&id)).await?.ok_or(Fault::NotFound)?)
}

/// Carries a remedy out; true when the difference is put right.
async fn put_right(
    web: &Web,
    by: By<'_>,
    one: &Exception,
    kind: Kind,
    asked: &RemedyRequest,
) -> Result<bool, Problem> {
    if asked.remedy == "dismiss" {
        return Ok(true);
    }
    if partner_files::partner_of(one.rail).is_some() {
        return partner_files::put_right(web, by, one).await;
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

pub(crate) fn desk_and_file(web: &Web) -> Result<(Arc<dyn PaymentDesk>, Exceptions), Problem> {
    let parts = &web.parts;
    let both = parts.payments.clone().zip(parts.exceptions.clone());
    Ok(both.ok_or(Fault::NotFound)?)
}

pub(crate) fn day_number(text: &str) -> Option<i32> {
    let date: jiff::civil::Date = text.parse().ok()?;
    Some(
        date.since((jiff::Unit::Day, jiff::civil::date(1970, 1, 1)))
            .ok()?
            .get_days(),
    )
}

pub(crate) fn day_text(day: i32) -> String {
    let (year, month, day) = charge::time::civil_from_days(i64::from(day));
    format!("{year:04}-{month:02}-{day:02}")
}
