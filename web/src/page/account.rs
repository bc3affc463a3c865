//! What one has: balance, buckets, bundles to buy, the statement.

use super::format::{NBSP, Speech};
use super::frame::{Frame, Visitor, page};
use super::statement::{self, Lines};
use crate::api::bundles::{name_of, period_name, price_for};
use crate::api::subscribers::buckets;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use crate::text::{self, Html};
use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use charge::account::{LifeCycle, Lot};
use charge::catalog::{Catalog, Classes, DestinationClass, Offer, Period, Scope};
use charge::command::Buy;
use charge::unit::{Amount, Service};
use charge::{Account, AccountId, Code, Command, Entity, EntityKey, Refusal, SourceId, Timestamp, Unit};
use serde::Deserialize;
use store::reads::Cursor;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    page: Frame,
    operator: Html,
    balance: Html,
    symbol: String,
    held: Option<Html>,
    valid: Html,
    valid_left: Html,
    warning: Option<Html>,
    notice: Option<Html>,
    error: Option<Html>,
    bundles: Vec<Held>,
    offers: Vec<OfferGroup>,
    statement: Lines,
    as_of: Html,
}

/// A bundle or promotion that one holds.
struct Held {
    name: Html,
    ends: Html,
    left: Html,
    soon: bool,
    renews: bool,
    code: String,
    buckets: Vec<Bucket>,
}

/// A bar.
struct Bucket {
    what: Html,
    left: Html,
    label: String,
    value: i64,
    max: i64,
}

/// Bundles for sale of one period.
struct OfferGroup {
    name: Html,
    offers: Vec<OfferCard>,
}

struct OfferCard {
    code: String,
    name: Html,
    price: Html,
    tax: Html,
    life: Html,
    holds: Vec<(Html, Html)>,
    renewable: bool,
    affordable: bool,
    synthetic: bool,
    once: String,
}

/// What happened just before.
#[derive(Default, Deserialize)]
pub struct Before {
    notice: Option<String>,
    problem: Option<u32>,
}

/// The account.
pub async fn show(
    State(web): State<Web>,
    visitor: Visitor,
    Query(before): Query<Before>,
) -> Result<Response, Problem> {
    let Some(sign_in) = visitor.sign_in else {
        return Ok(Redirect::to("/").into_response());
    };
    let (account, catalog) = signed_in(&web, sign_in.account).await?;
    let t = visitor.speech();
    let now = web.now();
    let zone = &catalog.zone;
    let held = account.main_total(now) - account.main_balance(now);
    let shown = t.money(account.main_total(now), &catalog.currency);
    let (symbol, number) = shown.rsplit_once(NBSP).unwrap_or(("", &shown));
    let valid = t.with(
        "valid-until",
        &[("date", t.date(account.valid_until, zone).into())],
    );
    let as_of = catalog.as_of.split(';').next().unwrap_or("");
    let template = AccountPage {
        page: visitor.frame(&web, t.p("title-account")),
        operator: Html::bdi(catalog.name.get(t.language)),
        balance: Html::bdi(number),
        symbol: symbol.to_owned(),
        held: held.is_positive().then(|| {
            let amount = t.money(held, &catalog.currency);
            Html::isolated(&t.with("held", &[("amount", amount.into())]))
        }),
        valid: Html::isolated(&valid),
        valid_left: Html::isolated(&t.left(account.valid_until, now)),
        warning: warning_of(&account, catalog, t, now),
        notice: before
            .notice
            .filter(|name| name == "bought")
            .map(|_| t.h("notice-bought")),
        error: before.problem.and_then(|code| error_of(code, t)),
        bundles: held_bundles(&account, catalog, t, now),
        offers: offers(&account, catalog, t, now),
        statement: statement::read(&web, account.id, catalog, t, Cursor::NEWEST).await?,
        as_of: Html::isolated(&t.with("prices-as-of", &[("date", as_of.into())])),
    };
    Ok(page(StatusCode::OK, &template))
}

/// The account that is signed in, with its catalog.
///
/// # Errors
/// [`Fault::Unauthorized`] when it has gone.
pub async fn signed_in(web: &Web, id: AccountId) -> Result<(Box<Account>, &Catalog), Problem> {
    match web.parts.core.read(EntityKey::Account(id)).await? {
        Some(Entity::Account(account)) => {
            let catalog = web.catalog(account.operator).ok_or(Fault::Internal)?;
            Ok((account, catalog))
        }
        _ => Err(Fault::Unauthorized.into()),
    }
}

fn warning_of(account: &Account, catalog: &Catalog, t: Speech, now: Timestamp) -> Option<Html> {
    match account.state {
        LifeCycle::Expired => Some(t.h("warning-expired")),
        LifeCycle::Suspended => Some(t.h("warning-suspended")),
        LifeCycle::Closed => Some(t.h("warning-closed")),
        LifeCycle::Active if account.main_total(now) < catalog.policy.low_balance => Some(t.h("warning-low")),
        LifeCycle::Active => None,
    }
}

/// The sentence of a problem's code: only what the core can have answered is shown.
fn error_of(code: u32, t: Speech) -> Option<Html> {
    let fault = Refusal::from_code(code).map(Fault::Refused).or_else(|| {
        let own = [Fault::Busy, Fault::OutcomeUnknown];
        own.into_iter().find(|fault| fault.spec().0 == code)
    })?;
    Some(t.h(&fault.key()))
}

fn held_bundles(account: &Account, catalog: &Catalog, t: Speech, now: Timestamp) -> Vec<Held> {
    let mut held: Vec<(Code, Timestamp, Held)> = Vec::new();
    for lot in buckets(account, now) {
        let bucket = bucket_of(lot, catalog, t);
        let same =
            |(code, ends, _): &&mut (Code, Timestamp, Held)| *code == lot.source && *ends == lot.expires_at;
        if let Some((_, _, bundle)) = held.iter_mut().find(same) {
            bundle.buckets.push(bucket);
            continue;
        }
        let ends = t.with(
            "ends",
            &[("moment", t.moment(lot.expires_at, &catalog.zone).into())],
        );
        let bundle = Held {
            name: Html::isolated(&name_of(lot.source, catalog, t.language)),
            ends: Html::isolated(&ends),
            left: Html::isolated(&t.left(lot.expires_at, now)),
            soon: lot.expires_at < now.plus(charge::time::DAY),
            renews: account.renewals.iter().any(|renewal| renewal.offer == lot.source),
            code: lot.source.to_string(),
            buckets: vec![bucket],
        };
        held.push((lot.source, lot.expires_at, bundle));
    }
    held.into_iter().map(|(_, _, bundle)| bundle).collect()
}

fn bucket_of(lot: &Lot, catalog: &Catalog, t: Speech) -> Bucket {
    let amount = |amount: Amount| t.amount(lot.unit, amount, &catalog.currency);
    let values = [
        ("left", amount(lot.amount).into()),
        ("initial", amount(lot.initial).into()),
    ];
    let left = t.with("left-of", &values);
    let what = what_of(&lot.scope, lot.unit, t);
    Bucket {
        label: format!("{what}: {left}").replace(text::ISOLATES, ""),
        what: Html::isolated(&what),
        left: Html::isolated(&left),
        value: lot.amount.0,
        max: lot.initial.0.max(1),
    }
}

/// Every network of the country.
const NATIONAL: Classes = Classes(DestinationClass::OnNet as u8 | DestinationClass::OffNet as u8);

/// What a bucket is for: the service, then what narrows it.
fn what_of(scope: &Scope, unit: Unit, t: Speech) -> String {
    let services = Service::ALL.into_iter().filter(|service| {
        scope.services & (1 << *service as u8) != 0 && (unit == Unit::Money || service.unit() == unit)
    });
    let mut words: Vec<String> = if *scope == Scope::ANY {
        vec![t.p("scope-any")]
    } else {
        let names: Vec<String> = services
            .map(|service| t.p(&format!("scope-{}", service.name())))
            .collect();
        vec![names.join(&t.p("list-separator"))]
    };
    let classes = [
        (1, "on-net"),
        (2, "off-net"),
        (4, "international"),
        (8, "special"),
    ];
    if scope.classes == NATIONAL {
        words.push(t.p("scope-national"));
    } else if scope.classes != Scope::ANY.classes {
        let named = classes.iter().filter(|(bit, _)| scope.classes.0 & bit != 0);
        let names: Vec<String> = named.map(|(_, name)| t.p(&format!("scope-{name}"))).collect();
        words.push(names.join(&t.p("list-separator")));
    }
    if let Some((from, to)) = scope.window {
        let hours = format!("{:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60);
        words.push(format!("\u{2068}{hours}\u{2069}"));
    }
    words.join(" \u{b7} ")
}

fn offers(account: &Account, catalog: &Catalog, t: Speech, now: Timestamp) -> Vec<OfferGroup> {
    let card = |offer: &Offer| {
        let price = price_for(offer, catalog, Some(account));
        let ends = offer.validity.end(now, &catalog.zone);
        let holds = offer.buckets.iter().map(|grant| {
            let amount = t.amount(grant.unit, grant.amount, &catalog.currency);
            let what = what_of(&grant.scope, grant.unit, t);
            (Html::isolated(&what), Html::bdi(&amount))
        });
        let tax = t.money(price.tax, &catalog.currency);
        OfferCard {
            code: offer.code.to_string(),
            name: Html::isolated(offer.name.get(t.language)),
            price: Html::bdi(&t.money(price.gross, &catalog.currency)),
            tax: Html::isolated(&t.with("tax-inside", &[("amount", tax.into())])),
            life: Html::isolated(&t.with("ends", &[("moment", t.moment(ends, &catalog.zone).into())])),
            holds: holds.collect(),
            renewable: offer.renewable,
            affordable: account.main_balance(now) >= price.gross,
            synthetic: offer.synthetic,
            once: Uuid::now_v7().to_string(),
        }
    };
    let periods = [Period::Daily, Period::Weekly, Period::Monthly, Period::OneOff];
    let group = |period: Period| {
        let offers = catalog
            .offers
            .iter()
            .filter(|offer| offer.for_sale && offer.period == period);
        OfferGroup {
            name: t.h(&format!("period-{}", period_name(period))),
            offers: offers.map(card).collect(),
        }
    };
    periods
        .map(group)
        .into_iter()
        .filter(|group| !group.offers.is_empty())
        .collect()
}

/// The form that buys a bundle.
#[derive(Deserialize)]
pub struct BuyForm {
    offer: String,
    #[serde(default)]
    renew: Option<String>,
    once: String,
    form: String,
}

/// Buys a bundle; pressing twice buys once.
pub async fn buy(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<BuyForm>,
) -> Result<Redirect, Problem> {
    visitor.check_form(&web, &form.form)?;
    let sign_in = visitor.sign_in.ok_or(Fault::Unauthorized)?;
    let once = Uuid::parse_str(&form.once).map_err(|_| Fault::BadRequest)?;
    let command = Command::Buy(Buy {
        account: sign_in.account,
        offer: Code::new(&form.offer).ok_or(Refusal::NoSuchOffer)?,
        source: SourceId::of_reference(&format!("page/{}", sign_in.account.0), &once.to_string()),
        renew: form.renew.is_some(),
    });
    let to = match web.parts.core.call(command).await {
        Ok(_) => "/me?notice=bought".to_owned(),
        Err(error) => format!("/me?problem={}", Problem::from(error).fault.spec().0),
    };
    Ok(Redirect::to(&to))
}

/// The form that stops a renewal.
#[derive(Deserialize)]
pub struct RenewalForm {
    offer: String,
    form: String,
}

/// Stops the renewal of a bundle: one press.
pub async fn renewal(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<RenewalForm>,
) -> Result<Redirect, Problem> {
    visitor.check_form(&web, &form.form)?;
    let sign_in = visitor.sign_in.ok_or(Fault::Unauthorized)?;
    let command = Command::SetRenewal {
        account: sign_in.account,
        offer: Code::new(&form.offer).ok_or(Refusal::NoSuchOffer)?,
        on: false,
    };
    let to = match web.parts.core.call(command).await {
        Ok(_) => "/me".to_owned(),
        Err(error) => format!("/me?problem={}", Problem::from(error).fault.spec().0),
    };
    Ok(Redirect::to(&to))
}
