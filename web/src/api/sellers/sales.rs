//! Sales of sellers, and their days.

use super::super::auth::Caller;
use super::super::bundles::Purchased;
use super::super::json::{Decimal, Json, Moment, Query};
use super::super::once::idempotency_key;
use super::super::topups::{Reason, TopUpAnswer, Wait};
use super::seen;
use super::stock::Page;
use crate::chain::{self, Goods, SaleAsked};
use crate::problem::{Fault, Problem};
use crate::state::Web;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use charge::partner::{Scopes, TopUpState};
use charge::promotion::ChannelClass;
use charge::seller::Again;
use charge::{Code, Money, PartnerId, Refusal};
use serde::{Deserialize, Serialize};
use store::reads::{DayLine, Earned, SaleRow};
use utoipa::ToSchema;
use uuid::Uuid;

/// What is asked. The Idempotency-Key is the reference of the sale.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SaleBody {
    /// The number to recharge.
    pub msisdn: String,
    /// What the payer pays; may be left out with `bundle`.
    #[serde(default)]
    pub amount: Option<Decimal>,
    /// Code of a bundle: the recharge that pays for it, and then the bundle. With `amount`, that much has been paid: it is
    /// recharged, the bundle is bought from it, and what is left stays in the balance.
    #[serde(default)]
    pub bundle: Option<String>,
    /// Who sells: a login under the outlet. Left out: the seller's own key does.
    #[serde(default)]
    pub staff: Option<String>,
    /// The PIN of that person, when the sale needs it.
    #[serde(default)]
    pub pin: Option<String>,
    /// What the device shows, when the outlet sells from bound devices only.
    #[serde(default)]
    pub device: Option<String>,
    /// True: yes, a second identical sale within two minutes is meant.
    #[serde(default)]
    pub again: bool,
    /// Kind of channel, as in a quote; left out: shop.
    #[serde(default)]
    pub channel: Option<String>,
}

/// A sale that was accepted.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SaleAnswer {
    /// The recharge.
    #[serde(flatten)]
    pub top_up: TopUpAnswer,
    /// The bundle that was bought with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundle: Option<Purchased>,
    /// Why the bundle could not be bought: the money is in the balance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundle_reason: Option<Reason>,
}

/// Sell a recharge or a bundle from a seller's float
///
/// The guards are those of every channel: place, people, PIN, device, limits, a repetition within two minutes, float.
#[utoipa::path(post, path = "/v1/sellers/{id}/sales", tag = "sellers", request_body = SaleBody,
    params(("id" = String, Path, description = "The seller, or `me`"), Wait,
        ("Idempotency-Key" = String, Header, description = "1 to 64 visible characters, new for each sale")),
    responses((status = 201, body = SaleAnswer, description = "It has ended; see `state`"),
        (status = 202, body = SaleAnswer, description = "Accepted")))]
pub async fn create(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<String>,
    Query(wait): Query<Wait>,
    headers: HeaderMap,
    Json(body): Json<SaleBody>,
) -> Result<(StatusCode, Json<SaleAnswer>), Problem> {
    caller.require(Scopes::TOP_UP)?;
    // Only a seller itself sells from its float.
    let seller = match id.as_str() {
        "me" => caller.partner.id,
        id => PartnerId(id.parse().map_err(|_| Refusal::NoSuchSeller)?),
    };
    if seller != caller.partner.id {
        return Err(Refusal::NotBelow.into());
    }
    let goods = match (body.amount, &body.bundle) {
        (Some(amount), None) => Goods::Amount(amount.0),
        (None, Some(bundle)) => Goods::Bundle(Code::new(bundle).ok_or(Refusal::NoSuchOffer)?),
        (Some(amount), Some(bundle)) => {
            let bundle = Code::new(bundle).ok_or(Refusal::NoSuchOffer)?;
            Goods::PaidBundle(amount.0, bundle)
        }
        (None, None) => return Err(Problem::field(Fault::BadField, "amount").hint("amount, bundle or both")),
    };
    let class = match &body.channel {
        Some(name) => {
            ChannelClass::from_name(name).ok_or_else(|| Problem::field(Fault::BadField, "channel"))?
        }
        None => ChannelClass::Shop,
    };
    let asked = SaleAsked {
        class,
        seller,
        staff: body.staff.as_deref(),
        pin: body.pin.as_deref(),
        device: body.device.as_deref(),
        number: &body.msisdn,
        goods,
        again: Again::of(body.again),
        reference: idempotency_key(&headers)?,
        wait: wait.seconds()?,
    };
    let sold = chain::sell(&web, &asked).await?;
    let catalog = web.catalog(sold.top_up.operator);
    let status = match sold.top_up.state.is_final() {
        true => StatusCode::CREATED,
        false => StatusCode::ACCEPTED,
    };
    let (bundle, bundle_reason) = match &sold.bundle {
        Some(Ok(bought)) => (Some(Purchased::of(bought)), None),
        Some(Err(refusal)) => (None, Some(reason(refusal.code()))),
        None => (None, None),
    };
    let answer = SaleAnswer {
        top_up: TopUpAnswer::of(&sold.top_up, catalog),
        bundle,
        bundle_reason,
    };
    Ok((status, Json(answer)))
}

fn reason(code: u32) -> Reason {
    Reason {
        code,
        name: Refusal::from_code(code)
            .map_or("internal", |refusal| Fault::Refused(refusal).spec().2)
            .to_owned(),
    }
}

/// A sale in a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SaleSummary {
    /// Id of the top-up.
    pub id: String,
    /// The channel's reference.
    pub reference: String,
    /// The number.
    pub msisdn: String,
    /// Its operator.
    pub operator: String,
    /// What was paid.
    pub amount: Decimal,
    /// State of the top-up.
    pub state: String,
    /// Accepted.
    pub created_at: Moment,
    /// Number of the receipt, once credited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// Why it was declined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Who sold; left out: the seller's own key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub staff: Option<String>,
    /// On which device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Reversed so far.
    pub reversed: Decimal,
}

impl SaleSummary {
    fn of(web: &Web, row: SaleRow) -> SaleSummary {
        let named = |text: String| (!text.is_empty()).then_some(text);
        SaleSummary {
            id: Uuid::from_u128(row.id).to_string(),
            reference: row.reference,
            msisdn: row.msisdn.to_string(),
            operator: web
                .catalog(row.operator)
                .map(|catalog| catalog.code.to_string())
                .unwrap_or_default(),
            amount: Decimal(row.gross),
            state: row.state.name().to_owned(),
            created_at: Moment(row.created_at),
            receipt: row.receipt.map(|receipt| receipt.to_string()),
            reason: row.reason.map(reason),
            staff: named(row.staff),
            device: named(row.device),
            reversed: Decimal(row.reversed),
        }
    }
}

/// Sales of a seller; as of a moment ago.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SaleList {
    /// The newest first.
    pub sales: Vec<SaleSummary>,
}

/// See what a seller sold
#[utoipa::path(get, path = "/v1/sellers/{id}/sales", tag = "sellers",
    params(("id" = String, Path, description = "Its id, or `me`"), Page), responses((status = 200, body = SaleList)))]
pub async fn list(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<SaleList>, Problem> {
    let (seller, _) = seen(&web, &caller, &id).await?;
    let (before, limit) = page.read()?;
    let id = seller.place.id;
    let rows = web
        .parts
        .reads
        .ask(move |reader| reader.models.seller_sales(id, before, limit))
        .await?;
    Ok(Json(SaleList {
        sales: rows.into_iter().map(|row| SaleSummary::of(&web, row)).collect(),
    }))
}

/// Sales and commission of one local day; as of a moment ago.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DayAnswer {
    /// The day.
    pub day: String,
    /// Credited sales.
    pub count: u64,
    /// What was paid for them, reversed parts taken off: what the till should hold.
    pub amount: Decimal,
    /// Reversed parts.
    pub reversed: Decimal,
    /// Sales that are on their way.
    pub open: u64,
    /// Sales that were refused; nobody paid.
    pub declined: u64,
    /// The same by who sold.
    pub staff: Vec<StaffDay>,
    /// Commission on its own sales, and target bonuses.
    pub commission: Decimal,
    /// Commission on top of stock.
    pub stock_commission: Decimal,
    /// Shares of sales below.
    pub overrides: Decimal,
}

/// Credited sales of one person on a day.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StaffDay {
    /// The login; empty: the seller's own key.
    pub staff: String,
    /// How many.
    pub count: u64,
    /// What was paid, reversed parts taken off.
    pub amount: Decimal,
}

impl DayAnswer {
    fn of(day: String, lines: &[DayLine], earned: &[(Earned, Money)]) -> DayAnswer {
        let credited = |line: &&DayLine| matches!(line.state, TopUpState::Completed | TopUpState::Reversed);
        let count = |state: fn(&DayLine) -> bool| -> u64 {
            lines
                .iter()
                .filter(|line| state(line))
                .map(|line| line.count)
                .sum()
        };
        let mut staff: Vec<StaffDay> = Vec::new();
        for line in lines.iter().filter(credited) {
            if staff.last().is_none_or(|last| last.staff != line.staff) {
                staff.push(StaffDay {
                    staff: line.staff.clone(),
                    count: 0,
                    amount: Decimal(Money::ZERO),
                });
            }
            if let Some(last) = staff.last_mut() {
                last.count += line.count;
                last.amount.0 += line.gross - line.reversed;
            }
        }
        let of = |what: Earned| {
            let found = earned.iter().find(|(known, _)| *known == what);
            Decimal(found.map_or(Money::ZERO, |(_, amount)| *amount))
        };
        DayAnswer {
            day,
            count: staff.iter().map(|one| one.count).sum(),
            amount: Decimal(staff.iter().map(|one| one.amount.0).sum()),
            reversed: Decimal(lines.iter().map(|line| line.reversed).sum()),
            open: count(|line| !line.state.is_final()),
            declined: count(|line| line.state == TopUpState::Declined),
            staff,
            commission: of(Earned::Commission),
            stock_commission: of(Earned::Stock),
            overrides: of(Earned::Override),
        }
    }
}

/// The totals of a seller's day.
///
/// # Errors
/// [`Fault::BadField`] for a day that is none; [`Fault::Internal`].
pub async fn day_of(web: &Web, seller: PartnerId, day: &str) -> Result<DayAnswer, Problem> {
    let zone = &web.catalogs().chain().zone;
    let bad = || Problem::field(Fault::BadField, "day").hint("today, or like 2026-11-22");
    let number = match day {
        "today" => zone.day_number(web.now()),
        text => {
            let date: jiff::civil::Date = text.parse().map_err(|_| bad())?;
            let epoch = jiff::civil::date(1970, 1, 1);
            epoch.until(date).map_err(|_| bad())?.get_days()
        }
    };
    let (lines, earned) = web
        .parts
        .reads
        .ask(move |reader| {
            Ok((
                reader.models.seller_day(seller, number)?,
                reader.models.seller_earned(seller, number)?,
            ))
        })
        .await?;
    let civil = zone.civil(zone.day_start(number));
    let name = format!("{:04}-{:02}-{:02}", civil.year, civil.month, civil.day);
    Ok(DayAnswer::of(name, &lines, &earned))
}

/// See a day of a seller
#[utoipa::path(get, path = "/v1/sellers/{id}/days/{day}", tag = "sellers",
    params(("id" = String, Path, description = "Its id, or `me`"), ("day" = String, Path, description = "`today` or a local date")),
    responses((status = 200, body = DayAnswer)))]
pub async fn day(
    State(web): State<Web>,
    caller: Caller,
    Path((id, day)): Path<(String, String)>,
) -> Result<Json<DayAnswer>, Problem> {
    let (seller, _) = seen(&web, &caller, &id).await?;
    Ok(Json(day_of(&web, seller.place.id, &day).await?))
}
