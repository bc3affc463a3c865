//! Selling: a number, its operator, an amount or a bundle, one confirmation, one sale.
//!
//! The id of a sale is made when the confirmation is shown. However often that form arrives, it is one sale, and an answer that
//! got lost is asked for by sending the same form again.

use super::{Bar, Till, amount, latin, words};
use crate::api::lookup::{LookupSource, find};
use crate::api::topups::read_top_up;
use crate::chain::{self, Goods, SaleAsked, sale};
use crate::limits;
use crate::number;
use crate::page::frame::{Frame, page};
use crate::page::staff::parts::Told;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use crate::text::Html;
use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use charge::command::TopUpRequest;
use charge::decide::{price_for, quote};
use charge::promotion::ChannelClass;
use charge::seller::Again;
use charge::tax::RegionCode;
use charge::{Code, Entity, EntityKey, Money, PartnerId, Refusal};
use serde::Deserialize;
use std::time::Duration;
use uuid::Uuid;

/// A sale is waited for so long; then the page asks on.
const WAIT: Duration = Duration::from_secs(8);
/// What the reference of a sale at a till begins with.
const REFERENCE: &str = "pos-";

#[derive(Template)]
#[template(path = "pos/sell.html")]
struct SellPage {
    page: Frame,
    bar: Bar,
    told: Option<Told>,
    number: String,
    amount: String,
    amounts: [u32; 6],
}

#[derive(Template)]
#[template(path = "pos/bundles.html")]
struct BundlesPage {
    page: Frame,
    bar: Bar,
    number: Html,
    typed: String,
    operator: Html,
    offers: Vec<(String, Html, Html)>,
}

#[derive(Template)]
#[template(path = "pos/confirm.html")]
struct ConfirmPage {
    page: Frame,
    bar: Bar,
    told: Option<Told>,
    id: String,
    number: Html,
    typed: String,
    operator: Html,
    ported: bool,
    bundle: Option<Html>,
    amount: String,
    offer: String,
    collect: Html,
    credited: Html,
    pin: bool,
    again: bool,
}

/// What is typed; the confirmation brings all of it.
#[derive(Clone, Default, Deserialize)]
pub struct Typed {
    #[serde(default)]
    form: String,
    // Named like what is ours on other forms: it is never looked at for card numbers.
    #[serde(default, rename = "ticket")]
    id: String,
    #[serde(default)]
    number: String,
    #[serde(default)]
    amount: String,
    #[serde(default)]
    offer: String,
    #[serde(default)]
    pin: String,
    #[serde(default)]
    what: String,
    #[serde(default)]
    again: String,
}

/// The first page: a number and an amount.
pub async fn show(State(web): State<Web>, till: Till) -> Response {
    first(&web, &till, &Typed::default(), None)
}

fn first(web: &Web, till: &Till, typed: &Typed, told: Option<Told>) -> Response {
    let status = match told {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    let template = SellPage {
        page: till.frame(web, "pos-sell"),
        bar: till.bar("sell"),
        told,
        number: typed.number.chars().take(32).collect(),
        amount: typed.amount.chars().take(16).collect(),
        amounts: [100, 200, 300, 500, 1_000, 2_000],
    };
    page(status, &template)
}

/// Shows whose number it is and what it takes; nothing moves.
pub async fn check(
    State(web): State<Web>,
    till: Till,
    Form(mut typed): Form<Typed>,
) -> Result<Response, Problem> {
    till.visitor.check_form(&web, &typed.form)?;
    if typed.what == "bundle" && typed.offer.is_empty() {
        return match bundles(&web, &till, &typed).await {
            Ok(response) => Ok(response),
            Err(problem) => said(&web, &till, &typed, problem),
        };
    }
    typed.id = Uuid::now_v7().to_string();
    match confirm(&web, &till, &typed, (None, false)).await {
        Ok(response) => Ok(response),
        Err(problem) => said(&web, &till, &typed, problem),
    }
}

/// What is the seller's to mend stands on the page; what is ours is an error.
fn said(web: &Web, till: &Till, typed: &Typed, problem: Problem) -> Result<Response, Problem> {
    if problem.fault.spec().1 >= 500 {
        return Err(problem);
    }
    let told = Told::bad(words(&problem, &till.visitor));
    Ok(first(web, till, typed, Some(told)))
}

async fn bundles(web: &Web, till: &Till, typed: &Typed) -> Result<Response, Problem> {
    let found = find(web, &typed.number).await?;
    let (account, catalog) = found.subscriber()?;
    let entity = web.parts.core.read(EntityKey::Account(account)).await?;
    let account = entity
        .as_ref()
        .and_then(Entity::account)
        .ok_or(Fault::NoSubscriber)?;
    let t = till.visitor.speech();
    let now = web.now();
    let mut offers: Vec<(Money, _)> = catalog
        .offers
        .iter()
        .filter(|offer| offer.for_sale)
        .map(|offer| (price_for(account, catalog, offer, now).gross, offer))
        .collect();
    offers.sort_by_key(|(price, _)| *price);
    let template = BundlesPage {
        page: till.frame(web, "pos-bundles"),
        bar: till.bar("sell"),
        number: Html::bdi(&number::shown(found.msisdn, web.catalogs())),
        typed: number::shown(found.msisdn, web.catalogs()),
        operator: Html::isolated(catalog.name.get(t.language)),
        offers: offers
            .into_iter()
            .map(|(price, offer)| {
                (
                    offer.code.to_string(),
                    Html::isolated(offer.name.get(t.language)),
                    Html::bdi(&t.money(price, &catalog.currency)),
                )
            })
            .collect(),
    };
    Ok(page(StatusCode::OK, &template))
}

/// The confirmation: with `told` when the sale was refused, and whether an intended second one can be said.
async fn confirm(
    web: &Web,
    till: &Till,
    typed: &Typed,
    (told, again): (Option<(StatusCode, Told)>, bool),
) -> Result<Response, Problem> {
    let found = find(web, &typed.number).await?;
    let (account, catalog) = found.subscriber()?;
    let t = till.visitor.speech();
    let offer = offer_of(typed)?;
    let (gross, bundle) = match offer {
        None => {
            let gross = amount(&typed.amount).filter(|gross| gross.is_positive());
            (gross.ok_or(Problem::field(Fault::BadAmount, "amount"))?, None)
        }
        Some(code) => {
            let offer = catalog
                .offer(code.as_str())
                .filter(|offer| offer.for_sale)
                .ok_or(Refusal::NoSuchOffer)?;
            let gross = sale::bundle_gross(web, account, catalog, code).await?;
            (gross, Some(Html::isolated(offer.name.get(t.language))))
        }
    };
    let entity = web.parts.core.read(EntityKey::Account(account)).await?;
    let account = entity
        .as_ref()
        .and_then(Entity::account)
        .ok_or(Fault::NoSubscriber)?;
    let quoted = quote(account, catalog, gross, RegionCode::EMPTY, web.now())?;
    let above = till.seller.limits.pin_above;
    let money = |money| Html::bdi(&t.money(money, &catalog.currency));
    let (status, told) = told.map_or((StatusCode::OK, None), |(status, told)| (status, Some(told)));
    let template = ConfirmPage {
        page: till.frame(web, "pos-confirm"),
        bar: till.bar("sell"),
        told,
        id: typed.id.clone(),
        number: Html::bdi(&number::shown(found.msisdn, web.catalogs())),
        typed: number::shown(found.msisdn, web.catalogs()),
        operator: Html::isolated(catalog.name.get(t.language)),
        ported: matches!(found.source, Some(LookupSource::Directory))
            && web
                .catalogs()
                .operator_by_prefix(found.msisdn)
                .is_some_and(|by_prefix| by_prefix.operator != catalog.operator),
        bundle,
        amount: if offer.is_some() {
            String::new()
        } else {
            latin(&typed.amount, 16)
        },
        offer: offer.map_or(String::new(), |code| code.to_string()),
        collect: money(gross),
        credited: money(quoted.credited),
        pin: gross > above || !above.is_positive(),
        again,
    };
    Ok(page(status, &template))
}

fn offer_of(typed: &Typed) -> Result<Option<Code>, Problem> {
    let code = Code::new(typed.offer.trim()).ok_or(Refusal::NoSuchOffer)?;
    Ok((!code.is_empty()).then_some(code))
}

/// The reference of a sale by the id that its form was given.
pub fn reference(id: &str) -> Option<String> {
    let id = Uuid::parse_str(id).ok()?;
    Some(format!("{REFERENCE}{id}"))
}

/// The id of a sale at a till by its reference.
pub fn id_of(reference: &str) -> Option<&str> {
    reference.strip_prefix(REFERENCE)
}

/// The key of a sale of a seller.
pub fn key(seller: PartnerId, reference: &str) -> EntityKey {
    EntityKey::TopUp(seller, TopUpRequest::digest_of(reference, false))
}

/// Sells, once for each id.
pub async fn sell(State(web): State<Web>, till: Till, Form(typed): Form<Typed>) -> Result<Response, Problem> {
    till.visitor.check_form(&web, &typed.form)?;
    let reference = reference(&typed.id).ok_or(Fault::BadRequest)?;
    debug_assert!(reference.len() <= limits::EXTERNAL_ID_BYTES_MAX);
    let goods = match offer_of(&typed)? {
        Some(code) => Goods::Bundle(code),
        None => Goods::Amount(amount(&typed.amount).ok_or(Problem::field(Fault::BadAmount, "amount"))?),
    };
    let pin = latin(&typed.pin, 16);
    let asked = SaleAsked {
        class: ChannelClass::Shop,
        seller: till.seller.place.id,
        staff: Some(till.staff.code.as_str()),
        pin: Some(pin.as_str()).filter(|pin| !pin.is_empty()),
        device: till.device.as_deref().filter(|_| till.seller.bound),
        number: &typed.number,
        goods,
        again: Again::of(typed.again == "1"),
        reference: &reference,
        wait: WAIT,
    };
    let to = |query: &str| Redirect::to(&format!("/pos/sale/{}{query}", typed.id.trim())).into_response();
    let problem = match chain::sell(&web, &asked).await {
        Ok(sold) => {
            let query = match (goods, &sold.bundle) {
                (Goods::Bundle(code), Some(bought)) => {
                    super::slip::note(&web, &reference, code, bought.is_ok())
                }
                _ => String::new(),
            };
            return Ok(to(&query));
        }
        Err(problem) => problem,
    };
    // Whatever went wrong after the sale was accepted: its page says where it stands.
    let accepted = read_top_up(&web, key(till.seller.place.id, &reference)).await;
    let doubtful = problem.fault.spec().1 >= 500 || problem.fault == Fault::InFlight;
    let other = problem.fault == Fault::Refused(Refusal::Conflict);
    if (matches!(accepted, Ok(Some(_))) && !other) || problem.fault == Fault::InFlight {
        return Ok(to("?asked=1"));
    }
    let repeated = matches!(
        problem.fault,
        Fault::RecentlyRecharged | Fault::Refused(Refusal::RepeatedSale)
    );
    let told = match doubtful {
        true => Told::bad(till.visitor.speech().h("pos-unknown")),
        false => Told::bad(words(&problem, &till.visitor)),
    };
    let status = StatusCode::from_u16(problem.fault.spec().1).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
    match confirm(&web, &till, &typed, (Some((status, told)), repeated)).await {
        Ok(response) => Ok(response),
        Err(_) => said(&web, &till, &typed, problem),
    }
}
