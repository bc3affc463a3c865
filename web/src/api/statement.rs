//! Statements with the reason behind each line, usage, and ledger days.

use super::auth::Caller;
use super::json::{Decimal, Json, Moment, Query, page_lines};
use super::subscribers::account_at;
use crate::limits;
use crate::problem::{Fault, Problem};
use crate::router::Speaks;
use crate::state::Web;
use crate::why;
use axum::extract::{Extension, Path, State};
use charge::partner::Scopes;
use charge::unit::Service;
use charge::{AccountId, Money, Refusal, Unit};
use serde::{Deserialize, Serialize};
use store::reads::{Cursor, StatementEntry, UsageRecord};
use store::{EventPlace, StoreError};
use utoipa::{IntoParams, ToSchema};

/// Which part of a list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// `next` of the page before; none: the newest.
    pub before: Option<String>,
    /// Lines, 1 to 200; 20 unless told.
    pub limit: Option<u32>,
}

impl Page {
    /// Where to begin and how many.
    ///
    /// # Errors
    /// [`Fault::BadField`].
    pub fn read(&self) -> Result<(Cursor, usize), Problem> {
        let before = match &self.before {
            None => Cursor::NEWEST,
            Some(text) => Cursor::parse(text).ok_or_else(|| Problem::field(Fault::BadField, "before"))?,
        };
        Ok((before, page_lines(self.limit)? as usize))
    }
}

/// A page of a statement, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StatementPage {
    /// The lines.
    pub lines: Vec<StatementLineAnswer>,
    /// For `before` of the next page; none: this was the last.
    pub next: Option<String>,
}

/// One line of a statement.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StatementLineAnswer {
    /// When; of a session, its beginning.
    pub at: Moment,
    /// opening, recharge, bundle, expiry, refund, renewal-failed, state, data, voice or sms.
    pub kind: String,
    /// Change of the money in the account: credits are positive.
    pub amount: Decimal,
    /// Tax in it.
    pub tax: Decimal,
    /// Main balance after it, where it is known.
    pub balance: Option<Decimal>,
    /// Bundle, promotion or state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Whom it went to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub called: Option<String>,
    /// Used, in octets, seconds or messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used: Option<i64>,
    /// The part of `used` that buckets covered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_buckets: Option<i64>,
    /// False while the session is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<bool>,
    /// Number of the receipt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// The journal's events behind the line, for `/v1/explain`.
    pub events: Vec<String>,
    /// Why, in the language of the request.
    pub why: Vec<String>,
}

impl StatementLineAnswer {
    /// Of an entry, without its reasons.
    pub fn of(entry: &StatementEntry) -> StatementLineAnswer {
        match entry {
            StatementEntry::Line(line) => StatementLineAnswer {
                at: Moment(line.at),
                kind: line.kind.name().to_owned(),
                amount: Decimal(line.amount),
                tax: Decimal(line.tax),
                balance: line.balance.map(Decimal),
                title: (!line.title.is_empty()).then(|| line.title.clone()),
                called: None,
                used: None,
                from_buckets: None,
                ended: None,
                receipt: line
                    .recharge
                    .as_ref()
                    .map(|recharge| recharge.receipt.to_string()),
                events: vec![line.place.to_string()],
                why: Vec::new(),
            },
            StatementEntry::Usage(usage) => StatementLineAnswer {
                at: Moment(usage.opened_at),
                kind: usage.service.name().to_owned(),
                amount: Decimal(-usage.money),
                tax: Decimal(usage.tax),
                balance: Some(Decimal(usage.balance)),
                title: None,
                called: match usage.called.digits() {
                    0 => None,
                    digits => Some(digits.to_string()),
                },
                used: Some(usage.used.0),
                from_buckets: Some(usage.from_buckets.0),
                ended: Some(usage.closed),
                receipt: None,
                events: usage.events.iter().map(EventPlace::to_string).collect(),
                why: Vec::new(),
            },
        }
    }
}

/// See a statement
#[utoipa::path(get, path = "/v1/subscribers/{msisdn}/statement", tag = "subscribers",
    params(("msisdn" = String, Path, description = "The number"), Page), responses((status = 200, body = StatementPage)))]
pub async fn statement(
    State(web): State<Web>,
    caller: Caller,
    Extension(Speaks(language)): Extension<Speaks>,
    Path(typed): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<StatementPage>, Problem> {
    caller.require(Scopes::READ)?;
    let (account, catalog) = account_at(&web, &caller, &typed).await?;
    let (before, limit) = page.read()?;
    let catalogs = web.parts.catalogs.clone();
    let operator = catalog.operator;
    let id = account.id;
    let page = web.parts.reads.ask(move |reader| {
        let entries = reader.models.statement(id, before, limit)?;
        let mut lines = Vec::with_capacity(entries.len());
        for entry in &entries {
            let mut line = StatementLineAnswer::of(entry);
            if let Some(catalog) = catalogs.get(operator) {
                let reasons = why::entry(reader, entry, catalog, language)?;
                line.why = why::plain(reasons.sentences, language);
            }
            lines.push(line);
        }
        let full = entries.len() == limit;
        let next = entries
            .last()
            .filter(|_| full)
            .map(|entry| entry.cursor().to_string());
        Ok(StatementPage { lines, next })
    });
    Ok(Json(page.await?))
}

/// An event with its reasons.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// The event.
    pub event: String,
    /// When it was decided.
    pub at: Moment,
    /// Why, in the language of the request.
    pub why: Vec<String>,
}

/// Explain an event
///
/// From the event alone: what was used, on which tariff row, in which pulses, from which lots, with which tax and rounding.
#[utoipa::path(get, path = "/v1/explain/{event}", tag = "subscribers",
    params(("event" = String, Path, description = "As in `events` of a statement line, for example E3-1042-7")),
    responses((status = 200, body = Explanation)))]
pub async fn explain(
    State(web): State<Web>,
    caller: Caller,
    Extension(Speaks(language)): Extension<Speaks>,
    Path(place): Path<String>,
) -> Result<Json<Explanation>, Problem> {
    caller.require(Scopes::READ)?;
    let place = EventPlace::parse(&place).ok_or(Fault::NoSuchEvent)?;
    let event = web.parts.reads.ask(move |reader| reader.event(place)).await?;
    let event = event.ok_or(Fault::NoSuchEvent)?;
    caller.may_see(event.operator).map_err(|_| Fault::NoSuchEvent)?;
    let about_people = matches!(event.key, charge::EntityKey::Account(_));
    if !about_people {
        caller.require(Scopes::ADMIN)?;
    }
    Ok(Json(Explanation {
        event: place.to_string(),
        at: Moment(event.at),
        why: why::event(&event, web.catalog(event.operator), language),
    }))
}

/// Whose usage, and which part.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UsageQuestion {
    /// The number.
    pub msisdn: String,
    /// `next` of the page before; none: the newest.
    pub before: Option<String>,
    /// Records, 1 to 200; 20 unless told.
    pub limit: Option<u32>,
}

/// A page of usage records, the newest session first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UsagePage {
    /// The records.
    pub records: Vec<UsageAnswer>,
    /// For `before` of the next page; none: this was the last.
    pub next: Option<String>,
}

/// The use of one session and service.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UsageAnswer {
    /// data, voice or sms.
    pub service: String,
    /// octets, seconds or messages.
    pub unit: String,
    /// Session-Id on the wire.
    pub session: Option<String>,
    /// Whom it went to.
    pub called: Option<String>,
    /// Visited network as MCC-MNC digits.
    pub plmn: Option<String>,
    /// Tax region last seen.
    pub region: Option<String>,
    /// First request.
    pub opened_at: Moment,
    /// Last request.
    pub last_at: Moment,
    /// Whether it has ended.
    pub ended: bool,
    /// Requests.
    pub reports: u64,
    /// Used.
    pub used: i64,
    /// The part that buckets covered.
    pub from_buckets: i64,
    /// Taken from money, tax included.
    pub cost: Decimal,
    /// The tax in it.
    pub tax: Decimal,
    /// Price of what nothing covered.
    pub uncovered: Decimal,
}

impl UsageAnswer {
    fn of(record: &UsageRecord) -> UsageAnswer {
        UsageAnswer {
            service: record.service.name().to_owned(),
            unit: record.service.unit().name().to_owned(),
            session: record.session_id.clone(),
            called: (record.called.digits() > 0).then(|| record.called.digits().to_string()),
            plmn: (record.plmn > 0).then(|| record.plmn.to_string()),
            region: (!record.region.is_empty()).then(|| record.region.to_string()),
            opened_at: Moment(record.opened_at),
            last_at: Moment(record.last_at),
            ended: record.closed,
            reports: record.reports,
            used: record.used.0,
            from_buckets: record.from_buckets.0,
            cost: Decimal(record.money),
            tax: Decimal(record.tax),
            uncovered: Decimal(record.uncovered),
        }
    }
}

/// See usage records
#[utoipa::path(get, path = "/v1/usage", tag = "subscribers", params(UsageQuestion),
    responses((status = 200, body = UsagePage)))]
pub async fn usage(
    State(web): State<Web>,
    caller: Caller,
    Query(question): Query<UsageQuestion>,
) -> Result<Json<UsagePage>, Problem> {
    caller.require(Scopes::READ)?;
    let (account, _) = account_at(&web, &caller, &question.msisdn).await?;
    let page = Page {
        before: question.before,
        limit: question.limit,
    };
    let (before, limit) = page.read()?;
    let id: AccountId = account.id;
    let records = web
        .parts
        .reads
        .ask(move |reader| reader.models.usage(id, before, limit))
        .await?;
    let next = (records.len() == limit).then(|| {
        records
            .last()
            .map(|last| StatementEntry::Usage(Box::new(last.clone())).cursor().to_string())
    });
    Ok(Json(UsagePage {
        records: records.iter().map(UsageAnswer::of).collect(),
        next: next.flatten(),
    }))
}

/// Which days of whose ledger.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LedgerQuestion {
    /// The operator's code.
    pub operator: String,
    /// First local day, `2026-11-21`.
    pub from: String,
    /// Last local day, included.
    pub to: String,
}

/// Movements of the general ledger.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LedgerDays {
    /// The operator's code.
    pub operator: String,
    /// Totals by day, account and unit. They sum to zero per day and unit.
    pub totals: Vec<LedgerTotal>,
}

/// One total.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LedgerTotal {
    /// Local day.
    pub day: String,
    /// Ledger account.
    pub account: String,
    /// money, octets, seconds or messages.
    pub unit: String,
    /// Movement: a decimal amount for money, an integer for the others.
    pub amount: String,
}

/// See the general ledger by day
#[utoipa::path(get, path = "/v1/ledger/days", tag = "books", params(LedgerQuestion),
    responses((status = 200, body = LedgerDays)))]
pub async fn ledger_days(
    State(web): State<Web>,
    caller: Caller,
    Query(question): Query<LedgerQuestion>,
) -> Result<Json<LedgerDays>, Problem> {
    caller.require(Scopes::ADMIN)?;
    let catalog = web
        .catalogs()
        .by_code(&question.operator)
        .ok_or(Refusal::NoSuchOperator)?;
    caller.may_see(catalog.operator)?;
    let first = day_number(&question.from).ok_or_else(|| Problem::field(Fault::BadField, "from"))?;
    let last = day_number(&question.to).ok_or_else(|| Problem::field(Fault::BadField, "to"))?;
    if last < first || last - first >= limits::LEDGER_DAYS_MAX {
        let hint = format!("at most {} days", limits::LEDGER_DAYS_MAX);
        return Err(Problem::field(Fault::BadField, "to").hint(hint));
    }
    let operator = catalog.operator;
    let ask = move |reader: &mut crate::bind::Reader| -> Result<_, StoreError> {
        reader.models.day_totals(operator, first, last)
    };
    let totals = web.parts.reads.ask(ask).await?;
    let total = |total: store::reads::DayTotal| LedgerTotal {
        day: day_text(total.day),
        account: total.account,
        unit: total.unit.name().to_owned(),
        amount: match total.unit {
            Unit::Money => Money(total.amount.0).exact(),
            _ => total.amount.0.to_string(),
        },
    };
    Ok(Json(LedgerDays {
        operator: question.operator,
        totals: totals.into_iter().map(total).collect(),
    }))
}

fn day_number(text: &str) -> Option<i32> {
    let date: jiff::civil::Date = text.parse().ok()?;
    let epoch = jiff::civil::date(1970, 1, 1);
    Some(date.since((jiff::Unit::Day, epoch)).ok()?.get_days())
}

fn day_text(day: i32) -> String {
    let (year, month, day) = charge::time::civil_from_days(i64::from(day));
    format!("{year:04}-{month:02}-{day:02}")
}

/// The service that a kind of line belongs to, if it is use.
pub fn service_of(kind: &str) -> Option<Service> {
    Service::ALL.into_iter().find(|service| service.name() == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_1970() {
        assert_eq!(day_number("1970-01-02"), Some(1));
        assert_eq!(
            day_number("2026-11-21").map(day_text).as_deref(),
            Some("2026-11-21")
        );
        assert_eq!(day_number("yesterday"), None);
    }
}
