//! The selling chain: places, stock, sales, people and devices of outlets, days.
//!
//! A key with the scope `admin` acts for the operator, one with `sellers` for its own partner: on itself and everybody below.
//!
//! # Layout
//!
//! * here: sellers and their settings. [`stock`]: movements. [`sales`]: sales and days. [`people`]: staff, PINs, devices.
//!   [`kiosks`]: what kiosks hold and owe.

pub mod kiosks;
pub mod people;
pub mod sales;
pub mod stock;

use super::auth::{Caller, new_key};
use super::json::{Decimal, Json, Moment, Query, page_lines, short_text};
use super::partners::NewKey;
use crate::chain;
use crate::limits;
use crate::number;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use charge::catalog::Language;
use charge::command::OpenPartner;
use charge::partner::{Partner, Scopes};
use charge::seller::{ChainCommand, Limits, OpenSeller, Seller, SellerChange};
use charge::{Code, Command, Money, Msisdn, OperatorId, PartnerId, Refusal};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// For whom a caller acts: `None` for the operator's staff.
///
/// # Errors
/// [`Fault::ScopeMissing`].
pub fn actor(caller: &Caller) -> Result<Option<PartnerId>, Problem> {
    if caller.require(Scopes::ADMIN).is_ok() {
        return Ok(None);
    }
    caller.require(Scopes::SELLERS)?;
    Ok(Some(caller.partner.id))
}

/// A seller that a caller may look at.
///
/// # Errors
/// [`Refusal::NoSuchSeller`], [`Refusal::NotBelow`], [`Fault::ScopeMissing`].
pub async fn seen(web: &Web, caller: &Caller, id: &str) -> Result<(Box<Seller>, Option<PartnerId>), Problem> {
    let by = actor(caller)?;
    let id = match id {
        "me" => caller.partner.id,
        id => PartnerId(id.parse().map_err(|_| Refusal::NoSuchSeller)?),
    };
    let seller = chain::existing(web, id).await?;
    chain::may_see(&seller, by)?;
    Ok((seller, by))
}

/// A new seller.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSeller {
    /// A partner that is there already; left out: a new one is made with `name` and `code`.
    #[serde(default)]
    pub partner: Option<u32>,
    /// Name for people, of a new partner.
    #[serde(default)]
    pub name: Option<String>,
    /// Code used as channel on receipts, of a new partner; at most 23 bytes.
    #[serde(default)]
    pub code: Option<String>,
    /// Codes of the operators that a new partner may serve; empty: all.
    #[serde(default)]
    pub operators: Vec<String>,
    /// Its grade: see the chain's rules.
    pub grade: String,
    /// Who is directly above; left out for a root.
    #[serde(default)]
    pub parent: Option<u32>,
    /// Reference of its outlet.
    #[serde(default)]
    pub outlet: Option<String>,
    /// The number that it sells by, and that notices go to.
    #[serde(default)]
    pub number: Option<String>,
    /// Language of notices: en, ur, zh.
    #[serde(default)]
    pub language: Option<String>,
    /// Make an API key for it, with the scopes topup and sellers.
    #[serde(default)]
    pub key: bool,
}

/// Limits of a seller. Left out or "0": no bound.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitsBody {
    /// Smallest sale.
    #[serde(default)]
    pub minimum: Option<Decimal>,
    /// Largest sale.
    #[serde(default)]
    pub maximum: Option<Decimal>,
    /// Sold on one local day.
    #[serde(default)]
    pub day_amount: Option<Decimal>,
    /// Sales on one local day.
    #[serde(default)]
    pub day_count: Option<u32>,
    /// Sold in one local month.
    #[serde(default)]
    pub month_amount: Option<Decimal>,
    /// Sales in one local month.
    #[serde(default)]
    pub month_count: Option<u32>,
    /// Largest movement of stock out of its float.
    #[serde(default)]
    pub move_maximum: Option<Decimal>,
    /// Moved out of its float on one local day.
    #[serde(default)]
    pub move_day: Option<Decimal>,
    /// Sales by staff above this need the PIN with the sale; "0": every one.
    #[serde(default)]
    pub pin_above: Option<Decimal>,
}

impl LimitsBody {
    fn of(limits: &Limits) -> LimitsBody {
        let amount = |amount: Money| amount.is_positive().then_some(Decimal(amount));
        let count = |count: u32| (count > 0).then_some(count);
        LimitsBody {
            minimum: amount(limits.minimum),
            maximum: amount(limits.maximum),
            day_amount: amount(limits.day_amount),
            day_count: count(limits.day_count),
            month_amount: amount(limits.month_amount),
            month_count: count(limits.month_count),
            move_maximum: amount(limits.move_maximum),
            move_day: amount(limits.move_day),
            pin_above: Some(Decimal(limits.pin_above)),
        }
    }

    fn limits(&self) -> Limits {
        let amount = |amount: Option<Decimal>| amount.map_or(Money::ZERO, |amount| amount.0);
        Limits {
            minimum: amount(self.minimum),
            maximum: amount(self.maximum),
            day_amount: amount(self.day_amount),
            day_count: self.day_count.unwrap_or(0),
            month_amount: amount(self.month_amount),
            month_count: self.month_count.unwrap_or(0),
            move_maximum: amount(self.move_maximum),
            move_day: amount(self.move_day),
            pin_above: amount(self.pin_above),
        }
    }
}

/// Somebody above.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Above {
    /// The seller.
    pub id: u32,
    /// Its grade.
    pub grade: String,
}

/// A seller.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SellerAnswer {
    /// Its id: that of the partner.
    pub id: u32,
    /// Name for people.
    pub name: String,
    /// Channel on receipts.
    pub code: String,
    /// Its grade.
    pub grade: String,
    /// Everybody above it, the root first.
    pub above: Vec<Above>,
    /// How many are directly below it.
    pub below: usize,
    /// Reference of its outlet; empty: none.
    pub outlet: String,
    /// The number that it sells by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// Language of notices.
    pub language: String,
    /// Money it can sell from.
    pub float: Decimal,
    /// Sold or moved, not confirmed yet.
    pub in_transit: Decimal,
    /// Most that it may owe.
    pub credit_line: Decimal,
    /// What it owes: drawn from the credit line.
    pub owed: Decimal,
    /// Below this its float is low; "0": never.
    pub low_mark: Decimal,
    /// It is low.
    pub low: bool,
    /// It is blocked itself.
    pub blocked: bool,
    /// It may sell: neither it nor anybody above is blocked.
    pub open: bool,
    /// Sells only from bound devices.
    pub bound: bool,
    /// Limits.
    pub limits: LimitsBody,
    /// Who works there.
    pub staff: Vec<people::StaffAnswer>,
    /// Its devices.
    pub devices: Vec<people::DeviceAnswer>,
}

impl SellerAnswer {
    fn of(web: &Web, seller: &Seller, partner: &Partner) -> SellerAnswer {
        let above = |(id, grade): &(PartnerId, Code)| Above {
            id: id.0,
            grade: grade.to_string(),
        };
        SellerAnswer {
            id: seller.place.id.0,
            name: partner.name.clone(),
            code: partner.code.to_string(),
            grade: seller.place.grade.to_string(),
            above: seller.place.above.iter().map(above).collect(),
            below: seller.children.len(),
            outlet: seller.outlet.clone(),
            number: seller.number.map(|number| number::shown(number, web.catalogs())),
            language: seller.language.tag().to_owned(),
            float: Decimal(partner.float),
            in_transit: Decimal(partner.in_transit),
            credit_line: Decimal(seller.credit_line),
            owed: Decimal(seller.owed),
            low_mark: Decimal(seller.low_mark),
            low: seller.low,
            blocked: seller.blocked,
            open: seller.check_open().is_ok(),
            bound: seller.bound,
            limits: LimitsBody::of(&seller.limits),
            staff: seller.staff.iter().map(people::StaffAnswer::of).collect(),
            devices: seller.devices.iter().map(people::DeviceAnswer::of).collect(),
        }
    }
}

/// A seller as it is now.
///
/// # Errors
/// What the core says.
pub async fn answer(web: &Web, id: PartnerId) -> Result<SellerAnswer, Problem> {
    let seller = chain::existing(web, id).await?;
    let partner = web.partner(id).await?.ok_or(Fault::NoSuchPartner)?;
    Ok(SellerAnswer::of(web, &seller, &partner))
}

/// A new seller and its key.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewSellerAnswer {
    /// The seller.
    #[serde(flatten)]
    pub seller: SellerAnswer,
    /// Its key, shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<NewKey>,
}

/// Give a partner its place in the selling chain
///
/// The partner is made when `partner` is left out. A seller opens others only below itself.
#[utoipa::path(post, path = "/v1/sellers", tag = "sellers", request_body = NewSeller,
    responses((status = 201, body = NewSellerAnswer)))]
pub async fn create(
    State(web): State<Web>,
    caller: Caller,
    Json(new): Json<NewSeller>,
) -> Result<(StatusCode, Json<NewSellerAnswer>), Problem> {
    let by = actor(&caller)?;
    let grade = Code::new(&new.grade).ok_or(Refusal::BadGrade)?;
    let parent = new.parent.map(PartnerId);
    // Seen before a partner is made for nothing; the core looks again.
    let chain_rules = web.catalogs().chain();
    match parent {
        Some(id) => {
            let above = chain::existing(&web, id).await?;
            chain::may_see(&above, by)?;
            chain_rules.may_stand(grade, Some(above.place.grade))?;
        }
        None if by.is_some() => return Err(Refusal::NotBelow.into()),
        None => chain_rules.may_stand(grade, None)?,
    }
    let (number, operator) = contact(&web, new.number.as_deref()).await?;
    let language = language(new.language.as_deref())?;
    let outlet = new.outlet.clone().unwrap_or_default();
    if !outlet.is_empty() {
        short_text(&outlet, "outlet", limits::NAME_BYTES_MAX)?;
    }
    let (partner, key) = partner_of(&web, &new, by).await?;
    let open = OpenSeller {
        partner,
        grade,
        parent,
        by,
        operator,
        outlet,
        number,
        language,
    };
    web.parts
        .core
        .call(Command::Chain(ChainCommand::Open(Box::new(open))))
        .await?;
    let seller = answer(&web, partner).await?;
    Ok((StatusCode::CREATED, Json(NewSellerAnswer { seller, key })))
}

/// The partner that becomes a seller: a known one without a place, or a new one.
async fn partner_of(
    web: &Web,
    new: &NewSeller,
    by: Option<PartnerId>,
) -> Result<(PartnerId, Option<NewKey>), Problem> {
    if let Some(id) = new.partner {
        // Somebody else's partner is nobody's to place.
        if by.is_some() || new.key {
            return Err(
                Problem::field(Fault::BadField, "partner").hint("only the operator places known partners")
            );
        }
        let id = PartnerId(id);
        web.partner(id).await?.ok_or(Fault::NoSuchPartner)?;
        return match web.seller(id).await? {
            Some(_) => Err(Refusal::SellerExists.into()),
            None => Ok((id, None)),
        };
    }
    let (name, code) = (
        new.name.as_deref().unwrap_or(""),
        new.code.as_deref().unwrap_or(""),
    );
    short_text(name, "name", limits::NAME_BYTES_MAX)?;
    let code = Code::new(code)
        .filter(|code| !code.is_empty())
        .ok_or_else(|| Problem::field(Fault::BadField, "code").hint("1 to 23 bytes"))?;
    let operators = super::partners::operators_of(web, &new.operators)?;
    let id = PartnerId(rand::random_range(100_000..u32::MAX / 2));
    let key = new
        .key
        .then(|| new_key(id, Scopes::TOP_UP.with(Scopes::SELLERS), web.now()));
    let open = OpenPartner {
        operators,
        key: key.as_ref().map(|(_, key)| key.clone()),
        ..OpenPartner::named(id, name, code)
    };
    web.parts.core.call(Command::OpenPartner(Box::new(open))).await?;
    let key = key.map(|(token, key)| NewKey {
        id: key.id.to_string(),
        key: token,
    });
    Ok((id, key))
}

/// A seller's number and whose message centre sends its notices: its own operator's, or the first there is.
async fn contact(web: &Web, typed: Option<&str>) -> Result<(Option<Msisdn>, OperatorId), Problem> {
    let first = web.catalogs().iter().next().map(|catalog| catalog.operator);
    let Some(typed) = typed.filter(|typed| !typed.is_empty()) else {
        return Ok((None, first.unwrap_or_default()));
    };
    let found = super::lookup::find(web, typed).await?;
    let operator = found.operator.map(|catalog| catalog.operator).or(first);
    Ok((Some(found.msisdn), operator.unwrap_or_default()))
}

fn language(tag: Option<&str>) -> Result<Language, Problem> {
    match tag {
        Some(tag) => Language::from_tag(tag)
            .ok_or_else(|| Problem::field(Fault::BadField, "language").hint("en, ur or zh")),
        None => Ok(Language::default()),
    }
}

/// See a seller
///
/// `me` is the partner of the key.
#[utoipa::path(get, path = "/v1/sellers/{id}", tag = "sellers",
    params(("id" = String, Path, description = "Its id, or `me`")), responses((status = 200, body = SellerAnswer)))]
pub async fn see(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<SellerAnswer>, Problem> {
    let (seller, _) = seen(&web, &caller, &id).await?;
    Ok(Json(answer(&web, seller.place.id).await?))
}

/// What may be changed. What is left out stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SellerPatch {
    /// All limits together.
    #[serde(default)]
    pub limits: Option<LimitsBody>,
    /// Most that it may owe; for the operator's staff only.
    #[serde(default)]
    pub credit_line: Option<Decimal>,
    /// Below this its float is low: its number gets one message each time; "0": never.
    #[serde(default)]
    pub low_mark: Option<Decimal>,
    /// Reference of its outlet; empty: none.
    #[serde(default)]
    pub outlet: Option<String>,
    /// The number that it sells by; empty: none.
    #[serde(default)]
    pub number: Option<String>,
    /// Language of notices.
    #[serde(default)]
    pub language: Option<String>,
    /// Sells only from bound devices.
    #[serde(default)]
    pub bound: Option<bool>,
    /// Bar it and everybody below, or let it go; for those above only.
    #[serde(default)]
    pub blocked: Option<bool>,
}

/// Change a seller
#[utoipa::path(patch, path = "/v1/sellers/{id}", tag = "sellers", request_body = SellerPatch,
    params(("id" = String, Path, description = "Its id")), responses((status = 200, body = SellerAnswer)))]
pub async fn change(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<String>,
    Json(patch): Json<SellerPatch>,
) -> Result<Json<SellerAnswer>, Problem> {
    let (seller, by) = seen(&web, &caller, &id).await?;
    let id = seller.place.id;
    let mut changes = Vec::new();
    changes.extend(patch.limits.map(|limits| SellerChange::Limits(limits.limits())));
    changes.extend(patch.credit_line.map(|line| SellerChange::CreditLine(line.0)));
    changes.extend(patch.low_mark.map(|mark| SellerChange::LowMark(mark.0)));
    changes.extend(patch.bound.map(SellerChange::Bound));
    if let Some(outlet) = patch.outlet {
        if !outlet.is_empty() {
            short_text(&outlet, "outlet", limits::NAME_BYTES_MAX)?;
        }
        changes.push(SellerChange::Outlet(outlet));
    }
    if patch.number.is_some() || patch.language.is_some() {
        let (number, operator) = match &patch.number {
            Some(typed) => contact(&web, Some(typed)).await?,
            None => (seller.number, seller.operator),
        };
        let language = match &patch.language {
            Some(tag) => language(Some(tag))?,
            None => seller.language,
        };
        changes.push(SellerChange::Number(number, language, operator));
    }
    for one in changes {
        chain::change(&web, id, one, by).await?;
    }
    if let Some(on) = patch.blocked {
        let command = ChainCommand::Block { seller: id, on, by };
        web.parts.core.call(Command::Chain(command)).await?;
    }
    Ok(Json(answer(&web, id).await?))
}

/// Which sellers.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SellerFilter {
    /// Those directly below this one; left out: the roots, or those below the caller.
    pub parent: Option<u32>,
    /// Behind this id.
    pub after: Option<u32>,
    /// At most so many, 1 to 200.
    pub limit: Option<u32>,
}

/// Sellers of a list; as of a moment ago.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SellerList {
    /// The sellers, by id.
    pub sellers: Vec<SellerSummary>,
}

/// A seller in a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SellerSummary {
    /// Its id.
    pub id: u32,
    /// Name for people.
    pub name: String,
    /// Channel on receipts.
    pub code: String,
    /// Its grade.
    pub grade: String,
    /// Who is directly above.
    pub parent: Option<u32>,
    /// Reference of its outlet; empty: none.
    pub outlet: String,
    /// Money it can sell from.
    pub float: Decimal,
    /// What it owes.
    pub owed: Decimal,
    /// Its float is low.
    pub low: bool,
    /// Neither it nor anybody above is blocked.
    pub open: bool,
    /// Since when.
    pub opened_at: Moment,
}

/// See the tree of sellers, one level at a time
#[utoipa::path(get, path = "/v1/sellers", tag = "sellers", params(SellerFilter),
    responses((status = 200, body = SellerList)))]
pub async fn list(
    State(web): State<Web>,
    caller: Caller,
    Query(filter): Query<SellerFilter>,
) -> Result<Json<SellerList>, Problem> {
    let by = actor(&caller)?;
    let parent = filter.parent.map(PartnerId).or(by);
    if let Some(id) = parent {
        chain::may_see(&*chain::existing(&web, id).await?, by)?;
    }
    let limit = page_lines(filter.limit)? as usize;
    let after = filter.after.map(PartnerId);
    let rows = web
        .parts
        .reads
        .ask(move |reader| reader.models.sellers_below(parent, after, limit))
        .await?;
    let summary = |row: store::reads::SellerRow| SellerSummary {
        id: row.partner.0,
        name: row.name,
        code: row.code,
        grade: row.grade,
        parent: row.parent.map(|parent| parent.0),
        outlet: row.outlet,
        float: Decimal(row.float),
        owed: Decimal(row.owed),
        low: row.low,
        open: !row.blocked && row.above_blocked == 0,
        opened_at: Moment(row.opened_at),
    };
    Ok(Json(SellerList {
        sellers: rows.into_iter().map(summary).collect(),
    }))
}
