//! Recharging a number with money from outside: one's own, or anybody's, without an account. Every step is a page of its
//! own that works without script.

use super::away;
use super::frame::{Frame, Visitor, page};
use super::ticket::{Ticket, payer_of};
use crate::api::lookup::{Recipient, find};
use crate::number;
use crate::payments::{PaymentDesk, Priced, RailInfo, Start, StartError};
use crate::problem::{Fault, Problem};
use crate::state::Web;
use crate::text::{self, Html};
use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use charge::catalog::Catalog;
use charge::decide::{Quote, Terms, quote_for};
use charge::payment::{Destination, PaymentId};
use charge::promotion::ChannelClass;
use charge::tax::RegionCode;
use charge::{AccountId, Code, Entity, EntityKey, Money, Msisdn, Refusal};
use people::recipients::Sender;
use rails::rail::Need;
use rails::{Begun, Payer};
use serde::Deserialize;
use std::sync::Arc;

/// From this amount on a number that is not one's own must be typed a second time.
const RETYPE_FROM: Money = Money::from_units(500);
/// Amounts to choose from.
const AMOUNTS: [i64; 6] = [100, 200, 300, 500, 1000, 1500];

/// What the address says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    number: String,
    amount: String,
    offer: String,
    campaign: String,
    lost: String,
}

#[derive(Template)]
#[template(path = "recharge.html")]
struct RechargePage {
    page: Frame,
    typed: String,
    own: bool,
    cards: bool,
    error: Option<Html>,
    lost: bool,
    known: Option<Known>,
}

/// A number that was found.
struct Known {
    shown: Html,
    typed: String,
    operator: Html,
    ported: bool,
    before: Option<Html>,
    amounts: Vec<(String, Html)>,
    amount: String,
    campaign: String,
    limits: Html,
    error: Option<Html>,
    review: Option<Review>,
}

/// What is about to be paid.
struct Review {
    ticket: String,
    lines: Vec<(Html, Html, &'static str)>,
    bundle: Option<Html>,
    retype: bool,
    rails: Vec<RailChoice>,
    wallet: bool,
    cnic: bool,
    email: bool,
    error: Option<Html>,
}

/// A rail to choose.
struct RailChoice {
    code: String,
    name: Html,
    hint: Html,
    price: Html,
    checked: bool,
}

/// The recharge page: number, amount, and what it will cost.
pub async fn show(State(web): State<Web>, visitor: Visitor, Query(asked): Query<Asked>) -> Response {
    match view(&web, &visitor, &asked, None).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn view(web: &Web, visitor: &Visitor, asked: &Asked, error: Option<Html>) -> Result<Response, Problem> {
    let t = visitor.speech();
    let mut form = RechargePage {
        page: visitor.frame(web, t.p("recharge-title")),
        typed: asked.number.chars().take(32).collect(),
        own: false,
        cards: web.parts.cards.is_some(),
        error: None,
        lost: !asked.lost.is_empty(),
        known: None,
    };
    if asked.number.is_empty() {
        if let Some(sign_in) = visitor.sign_in {
            form.typed = number::shown(sign_in.msisdn, web.catalogs());
            form.own = true;
        }
        return Ok(page(StatusCode::OK, &form));
    }
    let found = match find(web, &asked.number).await {
        Ok(found) => found,
        Err(problem) if problem.fault == Fault::BadNumber => {
            form.error = Some(t.h("error-number"));
            return Ok(page(StatusCode::UNPROCESSABLE_ENTITY, &form));
        }
        Err(problem) => return Err(problem),
    };
    let Ok(to) = found.recipient(web, false) else {
        let values = [("number", number::shown(found.msisdn, web.catalogs()).into())];
        form.error = Some(text::html(visitor.language, "recharge-not-here", &values));
        return Ok(page(StatusCode::UNPROCESSABLE_ENTITY, &form));
    };
    let catalog = to.catalog;
    let by_prefix = web.catalogs().operator_by_prefix(found.msisdn);
    let range = [catalog.recharge.minimum, catalog.recharge.maximum].map(|m| t.money(m, &catalog.currency));
    let [least, most] = range;
    let values = [("least", least.into()), ("most", most.into())];
    let mut known = Known {
        shown: Html::bdi(&number::shown(found.msisdn, web.catalogs())),
        typed: number::shown(found.msisdn, web.catalogs()),
        operator: Html::isolated(catalog.name.get(visitor.language)),
        ported: by_prefix.is_some_and(|other| other.operator != catalog.operator),
        before: sent_before(web, visitor, found.msisdn).await,
        amounts: amounts(visitor, catalog),
        amount: asked.amount.chars().take(12).collect(),
        campaign: asked.campaign.chars().take(Code::MAX).collect(),
        limits: text::html(visitor.language, "recharge-limits", &values),
        error: None,
        review: None,
    };
    if !asked.amount.is_empty() {
        let wanted = Wanted {
            msisdn: found.msisdn,
            to,
            amount: &asked.amount,
            offer: &asked.offer,
            campaign: &asked.campaign,
        };
        match review(web, visitor, &wanted).await {
            Ok(mut review) => {
                review.error = error;
                known.review = Some(review);
            }
            Err(problem) => {
                known.error = Some(Html::isolated(&problem.document(visitor.language, "").detail));
            }
        }
    }
    let status = match (&known.error, &known.review) {
        (Some(_), _) => StatusCode::UNPROCESSABLE_ENTITY,
        (None, Some(Review { error: Some(_), .. })) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::OK,
    };
    form.known = Some(known);
    Ok(page(status, &form))
}

fn amounts(visitor: &Visitor, catalog: &Catalog) -> Vec<(String, Html)> {
    let allowed = |money: &Money| (catalog.recharge.minimum..=catalog.recharge.maximum).contains(money);
    AMOUNTS
        .into_iter()
        .map(Money::from_units)
        .filter(allowed)
        .map(|money| {
            let shown = visitor.speech().money(money, &catalog.currency);
            ((money.0 / charge::money::MICROS).to_string(), Html::bdi(&shown))
        })
        .collect()
}

/// What is to be reviewed.
struct Wanted<'a> {
    msisdn: Msisdn,
    to: Recipient<'a>,
    amount: &'a str,
    offer: &'a str,
    campaign: &'a str,
}

async fn review(web: &Web, visitor: &Visitor, wanted: &Wanted<'_>) -> Result<Review, Problem> {
    let bad_amount = || Problem::field(Fault::BadAmount, "amount");
    let typed: String = wanted
        .amount
        .trim()
        .chars()
        .map(|c| number::latin_digit(c).unwrap_or(c))
        .collect();
    let gross = Money::parse(&typed).map_err(|_| bad_amount())?;
    if gross.0 % (charge::money::MICROS / 100) != 0 {
        return Err(bad_amount());
    }
    let Recipient {
        account,
        catalog,
        connector,
    } = wanted.to;
    let code = |text: &str| Code::new(text.trim()).ok_or(Fault::BadField);
    let offer = code(wanted.offer)?;
    let bundle = match offer.is_empty() {
        true => None,
        false => Some(catalog.offer(offer.as_str()).ok_or(Refusal::NoSuchOffer)?),
    };
    let now = web.now();
    let terms = Terms {
        gross,
        region: RegionCode::EMPTY,
        channel: Code::EMPTY,
        class: ChannelClass::Web,
        campaign: code(wanted.campaign)?,
    };
    let (lines, home) = if connector.is_empty() {
        let entity = web.parts.core.read(EntityKey::Account(account)).await?;
        let known = entity.as_ref().and_then(Entity::account);
        let quote = quote_for(known.ok_or(Fault::NoSubscriber)?, catalog, &terms, now)?;
        (lines(visitor, catalog, &quote), account.0)
    } else {
        (
            lines_elsewhere(visitor, catalog, gross, offer)?,
            wanted.msisdn.number(),
        )
    };
    let id = PaymentId::new(home, rand::random()).ok_or(Fault::Internal)?;
    let ticket = Ticket {
        id,
        msisdn: wanted.msisdn,
        account,
        operator: catalog.operator,
        gross,
        offer,
        campaign: code(wanted.campaign)?,
        prices: prices(desk(web)?, gross),
        shown_at: now,
    };
    let rails = choices(desk(web)?, visitor, gross);
    if rails.is_empty() {
        return Err(Fault::Busy.into());
    }
    let own = visitor
        .sign_in
        .is_some_and(|sign_in| sign_in.msisdn == wanted.msisdn);
    let infos = desk(web)?.rails();
    let needed = |need| infos.iter().any(|info| info.needs.contains(&need));
    Ok(Review {
        ticket: ticket.seal(&web.parts.secret, payer(web, visitor)),
        lines,
        bundle: bundle.map(|offer| Html::isolated(offer.name.get(visitor.language))),
        retype: !own && gross >= RETYPE_FROM,
        rails,
        wallet: needed(Need::WalletNumber),
        cnic: needed(Need::CnicLast6),
        email: needed(Need::Email),
        error: None,
    })
}

/// The price block: what is paid, what is taken, what is credited.
fn lines(visitor: &Visitor, catalog: &Catalog, quote: &Quote) -> Vec<(Html, Html, &'static str)> {
    let t = visitor.speech();
    let money = |money| Html::bdi(&t.money(money, &catalog.currency));
    let tax_name = [
        (
            "name",
            catalog.tax.recharge_name.get(visitor.language).to_owned().into(),
        ),
        ("rate", quote.tax_rate.percent().into()),
    ];
    let mut lines = vec![
        (t.h("recharge-gross"), money(quote.gross), ""),
        (
            text::html(visitor.language, "recharge-tax", &tax_name),
            money(-quote.tax),
            "",
        ),
    ];
    if quote.fee.is_positive() {
        lines.push((t.h("recharge-fee"), money(-quote.fee), ""));
    }
    lines.push((t.h("recharge-credited"), money(quote.credited), "total"));
    lines.push((
        t.h("recharge-valid"),
        Html::isolated(&t.date(quote.valid_until, &catalog.zone)),
        "",
    ));
    for earned in &quote.earned {
        let Some(promotion) = catalog.promotions.iter().find(|p| p.code == earned.promotion) else {
            continue;
        };
        let name = promotion.name.get(visitor.language);
        lines.push((t.h("recharge-promotion"), Html::isolated(name), "good"));
    }
    lines
}

/// The price block of a number that another operator credits: its tax and its validity are that operator's.
fn lines_elsewhere(
    visitor: &Visitor,
    catalog: &Catalog,
    gross: Money,
    offer: Code,
) -> Result<Vec<(Html, Html, &'static str)>, Problem> {
    if !offer.is_empty() {
        return Err(Refusal::NoSuchOffer.into());
    }
    if gross < catalog.recharge.minimum {
        return Err(Refusal::AmountTooSmall.into());
    }
    if gross > catalog.recharge.maximum {
        return Err(Refusal::AmountTooLarge.into());
    }
    let t = visitor.speech();
    Ok(vec![
        (
            t.h("recharge-gross"),
            Html::bdi(&t.money(gross, &catalog.currency)),
            "total",
        ),
        (
            t.h("recharge-credited-by"),
            Html::isolated(catalog.name.get(visitor.language)),
            "",
        ),
    ])
}

/// Digest of what every rail takes.
fn prices(desk: &Arc<dyn PaymentDesk>, gross: Money) -> u64 {
    let mut digest = charge::command::Mixer::new();
    for info in desk.rails() {
        if let Ok(priced) = desk.price(info.code, gross) {
            digest.add_text(info.code.as_str());
            digest.add_text(priced.price.currency.as_str());
            digest.add(priced.price.amount.0.cast_unsigned());
        }
    }
    digest.finish()
}

fn choices(desk: &Arc<dyn PaymentDesk>, visitor: &Visitor, gross: Money) -> Vec<RailChoice> {
    let t = visitor.speech();
    let choice = |info: &RailInfo| {
        let Priced { price, rate, .. } = desk.price(info.code, gross).ok()?;
        let amount = t.money(price.amount, price.currency.as_str());
        let shown = if rate.is_empty() {
            Html::bdi(&amount)
        } else {
            let values = [("amount", amount.into()), ("rate", rate.into())];
            text::html(visitor.language, "recharge-rate", &values)
        };
        Some(RailChoice {
            code: info.code.to_string(),
            name: t.h(&format!("rail-{}", info.code)),
            hint: t.h(&format!("rail-{}-hint", info.code)),
            price: shown,
            checked: false,
        })
    };
    let mut choices: Vec<RailChoice> = desk.rails().iter().filter_map(choice).collect();
    if let Some(first) = choices.first_mut() {
        first.checked = true;
    }
    choices
}

/// The confirmation.
#[derive(Deserialize)]
pub struct Confirmed {
    form: String,
    ticket: String,
    rail: String,
    #[serde(default)]
    confirm: String,
    #[serde(default)]
    again: String,
    #[serde(default)]
    wallet: String,
    #[serde(default)]
    cnic: String,
    #[serde(default)]
    email: String,
}

/// Never printed: it names the payer.
impl std::fmt::Debug for Confirmed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Confirmed")
    }
}

/// Begins the payment and sends the payer to its rail.
pub async fn pay(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<Confirmed>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    let payer_digest = payer(&web, &visitor);
    let Some(ticket) = Ticket::open(&form.ticket, &web.parts.secret, payer_digest, web.now()) else {
        return Ok(Redirect::to("/recharge").into_response());
    };
    let asked = Asked {
        number: number::shown(ticket.msisdn, web.catalogs()),
        amount: ticket.gross.exact(),
        offer: ticket.offer.to_string(),
        campaign: ticket.campaign.to_string(),
        lost: String::new(),
    };
    let t = visitor.speech();
    let own = visitor
        .sign_in
        .is_some_and(|sign_in| sign_in.msisdn == ticket.msisdn);
    let retyped = number::parse(&form.again, web.catalogs());
    if !own && form.confirm.is_empty() {
        return view(&web, &visitor, &asked, Some(t.h("recharge-confirm-first"))).await;
    }
    if !own && ticket.gross >= RETYPE_FROM && retyped != Some(ticket.msisdn) {
        return view(&web, &visitor, &asked, Some(t.h("recharge-not-the-same"))).await;
    }
    let desk = desk(&web)?;
    if prices(desk, ticket.gross) != ticket.prices {
        return view(&web, &visitor, &asked, Some(t.h("recharge-price-changed"))).await;
    }
    let rail = Code::new(&form.rail).ok_or(Fault::BadField)?;
    let payer = match payer_details(&web, &form) {
        Ok(payer) => payer,
        Err(key) => return view(&web, &visitor, &asked, Some(t.h(key))).await,
    };
    let priced = match desk.price(rail, ticket.gross) {
        Ok(priced) => priced,
        Err(_) => return view(&web, &visitor, &asked, Some(t.h("recharge-rail-away"))).await,
    };
    let to = match ticket.account {
        AccountId(0) => Destination::Connector(web.connector(ticket.operator).ok_or(Fault::NoSubscriber)?),
        account => Destination::Account(account),
    };
    let start = Start {
        id: ticket.id,
        to,
        msisdn: ticket.msisdn,
        operator: ticket.operator,
        rail,
        gross: ticket.gross,
        price: priced.price,
        offer: ticket.offer,
        campaign: ticket.campaign,
        payer_digest,
        payer,
        language: visitor.language,
        shown_at: ticket.shown_at,
    };
    match desk.start(start).await {
        Ok(begun) => {
            let (sender, number, now) = (sender(&visitor), ticket.msisdn, web.now());
            // A hint for next time; without it nothing is wrong.
            let _ = web
                .people(move |people| people.sent_to(sender, number, now))
                .await;
            Ok(present(&web, &visitor, &ticket, begun))
        }
        Err(StartError::Refused(Refusal::Conflict)) => Ok(to_status(ticket.id)),
        Err(StartError::Refused(refusal)) => Err(refusal.into()),
        Err(StartError::Unavailable) => Err(Fault::Busy.into()),
        Err(StartError::NotTaken(_)) => view(&web, &visitor, &asked, Some(t.h("recharge-not-taken"))).await,
        Err(StartError::NoSuchRail | StartError::NoRate | StartError::Unreachable) => {
            view(&web, &visitor, &asked, Some(t.h("recharge-rail-away"))).await
        }
    }
}

fn payer_details(web: &Web, form: &Confirmed) -> Result<Payer, &'static str> {
    payer_of_texts(web, (&form.wallet, &form.cnic, &form.email))
}

/// What was typed about the payer: wallet, last digits of the identity card, e-mail address; or the sentence that says what is
/// wrong.
pub fn payer_of_texts(web: &Web, (wallet, cnic, email): (&str, &str, &str)) -> Result<Payer, &'static str> {
    let wallet = match wallet.trim() {
        "" => None,
        text => Some(number::parse(text, web.catalogs()).ok_or("recharge-bad-wallet")?),
    };
    let cnic_last6 = match cnic.trim() {
        "" => None,
        text if text.len() == 6 && text.bytes().all(|b| b.is_ascii_digit()) => Some(text.to_owned()),
        _ => return Err("recharge-bad-cnic"),
    };
    let email = match email.trim() {
        "" => None,
        text if text.len() <= 254 && text.contains('@') && !text.contains(char::is_whitespace) => {
            Some(text.to_owned())
        }
        _ => return Err("recharge-bad-email"),
    };
    Ok(Payer {
        wallet,
        email,
        cnic_last6,
        token: None,
    })
}

#[derive(Template)]
#[template(path = "present.html")]
struct PresentPage {
    page: Frame,
    lines: Vec<(Html, Html)>,
    qr: Option<String>,
    status: String,
}

fn present(web: &Web, visitor: &Visitor, ticket: &Ticket, begun: Begun) -> Response {
    let t = visitor.speech();
    let status = format!("/pay/{}", ticket.id);
    match begun {
        Begun::Said(_) => to_status(ticket.id),
        Begun::Redirect { url, .. } => away::to_address(web, visitor, url, status),
        Begun::Form { url, fields, .. } => away::with_form(web, visitor, (url, fields), status),
        Begun::Show { lines, qr, .. } => {
            let present = PresentPage {
                page: visitor.frame(web, t.p("present-title")),
                lines: lines
                    .into_iter()
                    .map(|(key, value)| (t.h(key), Html::bdi(&value)))
                    .collect(),
                qr: qr.and_then(|text| Some(crate::receipt::qr::Qr::of(&text)?.svg(&t.p("present-qr")))),
                status,
            };
            page(StatusCode::OK, &present)
        }
    }
}

fn to_status(id: PaymentId) -> Response {
    Redirect::to(&format!("/pay/{id}")).into_response()
}

/// Who sends, as far as the memory of recipients knows.
fn sender(visitor: &Visitor) -> Sender {
    match visitor.sign_in {
        Some(sign_in) => Sender::Person(sign_in.person),
        None => Sender::Browser(visitor.token.hash()),
    }
}

/// Whether this payer has sent to the number before: a hint against wrong numbers.
async fn sent_before(web: &Web, visitor: &Visitor, number: Msisdn) -> Option<Html> {
    let sender = sender(visitor);
    let known = web
        .people(move |people| people.sent_before(sender, number))
        .await
        .ok()??;
    let values = [("count", known.times.into())];
    Some(text::html(visitor.language, "recharge-sent-before", &values))
}

/// The digest of this browser as a payer.
pub fn payer(web: &Web, visitor: &Visitor) -> u128 {
    payer_of(&super::session::form_token(&visitor.token, &web.parts.secret))
}

/// The desk, where payments are set up.
///
/// # Errors
/// [`Fault::NotFound`] where they are not.
pub fn desk(web: &Web) -> Result<&Arc<dyn PaymentDesk>, Problem> {
    Ok(web.parts.payments.as_ref().ok_or(Fault::NotFound)?)
}
