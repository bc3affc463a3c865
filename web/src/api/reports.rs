//! Reports for partners: the settlement file of a day, and sums by day, operator and state.

use super::auth::Caller;
use super::json::{Decimal, Json, Query};
use super::partners::existing;
use super::reconciliations::{day_number, day_text};
use crate::limits;
use crate::problem::{Fault, Problem};
use crate::settlement_file::{DAY_OFFSET_US, Writer, span};
use crate::state::Web;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use charge::partner::Scopes;
use charge::{PartnerId, Timestamp};
use http_body_util::channel::{Channel, Sender};
use serde::{Deserialize, Serialize};
use store::reads::FloatLine;
use utoipa::{IntoParams, ToSchema};

/// Movements that are read at once.
const PAGE: usize = 1_000;

/// Which file.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FileOf {
    /// The day, `2026-11-21`, in Pakistan.
    day: String,
    /// True: also of a day that is not over. Its last line then begins with `partial`.
    #[serde(default)]
    partial: bool,
}

/// Download a settlement file
///
/// Every movement of the float on that day, and a trailer with their number, their total and the SHA-256 of the lines before
/// it. The file of a day that is over is the same bytes whenever it is asked for. `me` is the partner of the key; others need
/// the scope `admin`.
#[utoipa::path(get, path = "/v1/reports/partners/{id}/settlement", tag = "reports",
    params(("id" = String, Path, description = "Its id, or `me`"), FileOf),
    responses((status = 200, body = String, content_type = "text/csv")))]
pub async fn settlement(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<String>,
    Query(asked): Query<FileOf>,
) -> Result<Response, Problem> {
    let partner = meant(&web, &caller, &id).await?;
    let day = day_number(&asked.day).ok_or_else(|| Problem::field(Fault::BadField, "day"))?;
    let times = span(i64::from(day));
    let whole = is_over(&web, partner, times).await?;
    if !whole && !asked.partial {
        return Err(Fault::DayNotOver.into());
    }
    let (writer, head) = Writer::new(partner.0);
    let (mut sender, body) = Channel::<Bytes>::new(4);
    tokio::spawn(async move {
        // Who has hung up wants no more of it; a broken-off file has no trailer.
        let _ = stream(&web, &mut sender, (partner, times), (writer, head), whole).await;
    });
    let name = format!(
        "attachment; filename=\"settlement-{}-{}.csv\"",
        partner.0, asked.day
    );
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, Body::new(body)).into_response())
}

async fn stream(
    web: &Web,
    sender: &mut Sender<Bytes>,
    (partner, times): (PartnerId, (Timestamp, Timestamp)),
    (mut writer, head): (Writer, String),
    whole: bool,
) -> Option<()> {
    sender.send_data(head.into()).await.ok()?;
    let mut after = None;
    loop {
        let page = page(web, partner, times, after).await.ok()?;
        let text = writer.lines(&page);
        sender.send_data(text.into()).await.ok()?;
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.seq),
            _ => break,
        }
    }
    sender.send_data(writer.end(whole).into()).await.ok()
}

/// Movements of a span of time behind a number, at most [`PAGE`].
async fn page(
    web: &Web,
    partner: PartnerId,
    times: (Timestamp, Timestamp),
    after: Option<u64>,
) -> Result<Vec<FloatLine>, Problem> {
    let question = web
        .parts
        .reads
        .ask(move |reader| reader.models.float_lines(partner, times, after, PAGE));
    question.await
}

/// Every movement of a span of time.
///
/// # Errors
/// [`Fault::BodyTooLarge`] for more than a comparison takes.
pub async fn movements(
    web: &Web,
    partner: PartnerId,
    times: (Timestamp, Timestamp),
) -> Result<Vec<FloatLine>, Problem> {
    let mut all: Vec<FloatLine> = Vec::new();
    loop {
        let after = all.last().map(|line| line.seq);
        let page = page(web, partner, times, after).await?;
        let last = page.len() < PAGE;
        all.extend(page);
        if all.len() > limits::REPORT_LINES_MAX {
            return Err(Fault::BodyTooLarge.into());
        }
        if last {
            return Ok(all);
        }
    }
}

/// Whether nothing of a span of time can change any more: it is past, all of it is in the read models, and every sale of it
/// has ended.
///
/// # Errors
/// When the read models cannot be read.
pub async fn is_over(web: &Web, partner: PartnerId, times: (Timestamp, Timestamp)) -> Result<bool, Problem> {
    if web.now() < times.1.plus(limits::DAY_GRACE_US) {
        return Ok(false);
    }
    let question = web.parts.reads.ask(move |reader| {
        let heads = reader.journal.heads()?;
        let known = reader.models.positions()?;
        let late = heads.iter().any(|head| {
            let position = known.iter().find(|position| position.partition == head.partition);
            position.is_none_or(|position| position.seq < head.seq && position.at < times.1.0)
        });
        Ok(!late && reader.models.undecided_sales(partner, times)? == 0)
    });
    question.await
}

/// Which days.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Days {
    /// The first day, `2026-11-01`, in Pakistan.
    from: String,
    /// The last day; left out: the first.
    #[serde(default)]
    to: Option<String>,
}

/// Sums of a partner's float.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Summary {
    /// The partner.
    pub partner: u32,
    /// By day, operator, type and state.
    pub rows: Vec<SummaryRow>,
    /// What all of them did to the float.
    pub change: Decimal,
}

/// Movements that have day, operator, type and state in common.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SummaryRow {
    /// The day.
    pub day: String,
    /// The operator; empty for fundings.
    pub operator: String,
    /// funding, withdrawal, sale, declined, commission or reversal.
    #[serde(rename = "type")]
    pub kind: String,
    /// The state that the top-ups have now; none: they are about none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// How many.
    pub count: u64,
    /// Amounts.
    pub gross: Decimal,
    /// Tax in them.
    pub tax: Decimal,
    /// Credited, or taken back.
    pub net: Decimal,
    /// Commission that came; negative: went.
    pub commission: Decimal,
    /// What they did to the float.
    pub change: Decimal,
}

/// See sums by day, operator and state
#[utoipa::path(get, path = "/v1/reports/partners/{id}/summary", tag = "reports",
    params(("id" = String, Path, description = "Its id, or `me`"), Days),
    responses((status = 200, body = Summary)))]
pub async fn summary(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<String>,
    Query(days): Query<Days>,
) -> Result<Json<Summary>, Problem> {
    let partner = meant(&web, &caller, &id).await?;
    let read = |text: &str, field| day_number(text).ok_or_else(|| Problem::field(Fault::BadField, field));
    let first = read(&days.from, "from")?;
    let last = days.to.as_deref().map_or(Ok(first), |text| read(text, "to"))?;
    if !(0..limits::LEDGER_DAYS_MAX).contains(&(last.saturating_sub(first))) {
        return Err(Problem::field(Fault::BadField, "to"));
    }
    let times = (span(i64::from(first)).0, span(i64::from(last)).1);
    let sums = web
        .parts
        .reads
        .ask(move |reader| reader.models.float_sums(partner, times, DAY_OFFSET_US))
        .await?;
    let operator = |id| {
        web.catalog(id)
            .map_or_else(String::new, |catalog| catalog.code.to_string())
    };
    let change = sums.iter().map(|sum| sum.delta).sum();
    let rows = sums.iter().map(|sum| SummaryRow {
        day: day_text(i32::try_from(sum.day).unwrap_or(i32::MAX)),
        operator: operator(sum.operator),
        kind: sum.kind.name().to_owned(),
        state: sum.state.map(|state| state.name().to_owned()),
        count: sum.count,
        gross: Decimal(sum.gross),
        tax: Decimal(sum.tax),
        net: Decimal(sum.net),
        commission: Decimal(sum.commission),
        change: Decimal(sum.delta),
    });
    Ok(Json(Summary {
        partner: partner.0,
        rows: rows.collect(),
        change: Decimal(change),
    }))
}

/// Whose reports are meant: one's own by a key that sells, anybody's by a key that manages.
///
/// # Errors
/// [`Fault::ScopeMissing`], [`Fault::NoSuchPartner`].
pub async fn meant(web: &Web, caller: &Caller, id: &str) -> Result<PartnerId, Problem> {
    if caller.test {
        // The sandbox has no float.
        return Err(Problem::from(Fault::ScopeMissing).hint("a test key has no reports: nothing moved"));
    }
    if id == "me" || id == caller.partner.id.0.to_string() {
        caller.require(Scopes::TOP_UP)?;
        return Ok(caller.partner.id);
    }
    caller.require(Scopes::ADMIN)?;
    existing(web, id).await
}
