//! The demonstration's handset and shop. These pages exist only when the server hands in a [`Demo`].

use super::format::Speech;
use super::frame::{Frame, Visitor, page};
use crate::api::topups::{self, Sale};
use crate::core::{CoreError, Pending};
use crate::number;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use crate::text::Html;
use crate::{api::lookup, limits};
use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use charge::catalog::Catalog;
use charge::catalog::keypad::Function;
use charge::ids::digest128;
use charge::partner::{TopUp, TopUpState};
use charge::promotion::ChannelClass;
use charge::seller::Again;
use charge::{Code, Entity, Money, Msisdn, PartnerId, Refusal, Timestamp};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// What the demonstration shows: numbers with their handset, and a shop that sells to them.
pub struct Demo {
    /// The numbers, the first is shown first. Nobody else's messages can be seen.
    pub numbers: Vec<Msisdn>,
    /// Their messages.
    pub inbox: Arc<dyn Inbox>,
    /// The partner that sells.
    pub shop: PartnerId,
    /// What the handset dials with; `None`: it cannot dial.
    pub dialler: Option<Arc<dyn Dialler>>,
}

/// The way from the simulated handset to the keypad: a real gateway.
pub trait Dialler: Send + Sync {
    /// Sends a code, with everything typed since joined by `*`, as a gateway does.
    fn dial(&self, dialled: Dialled) -> Pending<Result<DialPage, CoreError>>;
}

/// What a handset has dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialled {
    /// The handset.
    pub number: Msisdn,
    /// The gateway's name for the session.
    pub session: String,
    /// The code.
    pub code: String,
    /// Everything typed since.
    pub text: String,
}

/// What comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialPage {
    /// The text.
    pub text: String,
    /// True when the session is over.
    pub last: bool,
}

/// Messages that arrived at the simulated handsets.
pub trait Inbox: Send + Sync {
    /// Messages to a number, the newest first, at most that many.
    fn messages(&self, to: Msisdn, limit: usize) -> Vec<InboxMessage>;
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboxMessage {
    /// Who sent it.
    pub from: String,
    /// What it says.
    pub text: String,
    /// When it arrived.
    pub at: Timestamp,
}

#[derive(Template)]
#[template(path = "demo.html")]
struct DemoPage {
    page: Frame,
    numbers: Vec<(String, Html, bool)>,
    number: String,
    inbox: InboxPart,
    receipt: Option<Receipt>,
    error: Option<Html>,
    once: String,
    dial: Option<Dial>,
}

/// The dialler as it stands.
struct Dial {
    /// The page, line by line; none before the first.
    screen: Vec<Html>,
    /// True when the page waits for an answer.
    open: bool,
    session: String,
    code: String,
    text: String,
    /// What stands in the field.
    suggested: String,
}

#[derive(Template)]
#[template(path = "inbox.html")]
struct InboxPart {
    t: Speech,
    number: String,
    messages: Vec<(Html, Html, Html)>,
}

/// What the shop hands over.
struct Receipt {
    rows: Vec<(Html, Html)>,
    number: Html,
}

/// Which handset, and what happened just before.
#[derive(Default, Deserialize)]
pub struct Asked {
    number: Option<String>,
    sold: Option<String>,
    problem: Option<u32>,
}

/// The handset and the shop.
pub async fn show(
    State(web): State<Web>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let demo = web.demo().ok_or(Fault::NotFound)?;
    let chosen = chosen(&web, demo, asked.number.as_deref())?;
    let dial = demo.dialler.as_ref().map(|_| Dial::ready(&web, chosen));
    whole(&web, &visitor, demo, (chosen, &asked), dial).await
}

async fn whole(
    web: &Web,
    visitor: &Visitor,
    demo: &Demo,
    (chosen, asked): (Msisdn, &Asked),
    dial: Option<Dial>,
) -> Result<Response, Problem> {
    let t = visitor.speech();
    let receipt = match asked.sold.as_deref().and_then(|id| Uuid::parse_str(id).ok()) {
        Some(id) => sold(web, demo, id.as_u128(), t).await?,
        None => None,
    };
    let error = asked
        .problem
        .and_then(Refusal::from_code)
        .map(|refusal| t.h(&Fault::Refused(refusal).key()));
    let numbers = demo.numbers.iter().map(|number| {
        let shown = number::shown(*number, web.catalogs());
        (number.to_string(), Html::bdi(&shown), *number == chosen)
    });
    let template = DemoPage {
        page: visitor.frame(web, t.p("title-demo")),
        numbers: numbers.collect(),
        number: chosen.to_string(),
        inbox: inbox_part(web, demo, chosen, t),
        receipt,
        error,
        once: Uuid::now_v7().to_string(),
        dial,
    };
    Ok(page(StatusCode::OK, &template))
}

/// The messages alone.
pub async fn inbox(
    State(web): State<Web>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let demo = web.demo().ok_or(Fault::NotFound)?;
    let chosen = chosen(&web, demo, asked.number.as_deref())?;
    Ok(page(
        StatusCode::OK,
        &inbox_part(&web, demo, chosen, visitor.speech()),
    ))
}

fn chosen(web: &Web, demo: &Demo, typed: Option<&str>) -> Result<Msisdn, Problem> {
    let first = demo.numbers.first().copied();
    let asked = match typed {
        Some(typed) => number::parse(typed, web.catalogs()),
        None => first,
    };
    let ours = asked.filter(|number| demo.numbers.contains(number));
    ours.ok_or_else(|| Fault::NotFound.into())
}

fn inbox_part(web: &Web, demo: &Demo, number: Msisdn, t: Speech) -> InboxPart {
    let utc = charge::time::Zone::UTC;
    let catalog = web.catalogs().operator_by_prefix(number);
    let zone = catalog.map_or(&utc, |catalog| &catalog.zone);
    let messages = demo.inbox.messages(number, limits::INBOX_MESSAGES_MAX);
    let shown = |message: InboxMessage| {
        let time = t.time(message.at, zone);
        (
            Html::bdi(&message.from),
            Html::isolated(&message.text),
            Html::bdi(&time),
        )
    };
    InboxPart {
        t,
        number: number.to_string(),
        messages: messages.into_iter().map(shown).collect(),
    }
}

impl Dial {
    /// Nothing dialled yet; the field holds the code of the operator's menu.
    fn ready(web: &Web, number: Msisdn) -> Dial {
        let catalog = web.catalogs().operator_by_prefix(number);
        let code = catalog.and_then(|catalog| {
            let menu = catalog.keypad.code(Function::Menu);
            menu.or(Some(catalog.contact.balance_dial.as_str()))
        });
        Dial {
            screen: Vec::new(),
            open: false,
            session: String::new(),
            code: String::new(),
            text: String::new(),
            suggested: code.unwrap_or_default().to_owned(),
        }
    }
}

/// The form of the dialler: a session that is open says where it stands.
#[derive(Deserialize)]
pub struct DialForm {
    number: String,
    #[serde(default)]
    session: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    text: String,
    input: String,
    form: String,
}

/// Dials, or answers a page.
pub async fn dial(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<DialForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    let demo = web.demo().ok_or(Fault::NotFound)?;
    let dialler = demo.dialler.as_ref().ok_or(Fault::NotFound)?;
    let number = chosen(&web, demo, Some(&form.number))?;
    let input = form.input.trim();
    let lengths = [&form.session, &form.code, &form.text, &form.input];
    if lengths.iter().any(|text| text.len() > limits::DIALLED_BYTES_MAX) {
        return Err(Fault::BadRequest.into());
    }
    let dialled = if form.session.is_empty() {
        Dialled {
            number,
            session: Uuid::now_v7().to_string(),
            code: input.to_owned(),
            text: String::new(),
        }
    } else {
        let text = match form.text.as_str() {
            "" => input.to_owned(),
            before => format!("{before}*{input}"),
        };
        Dialled {
            number,
            session: form.session,
            code: form.code,
            text,
        }
    };
    let page = dialler.dial(dialled.clone()).await?;
    let shown = Dial {
        screen: page.text.lines().map(Html::isolated).collect(),
        open: !page.last,
        suggested: String::new(),
        session: dialled.session,
        code: dialled.code,
        text: dialled.text,
    };
    let shown = match page.last {
        true => Dial {
            screen: shown.screen,
            ..Dial::ready(&web, number)
        },
        false => shown,
    };
    whole(&web, &visitor, demo, (number, &Asked::default()), Some(shown)).await
}

/// The form of the shop.
#[derive(Deserialize)]
pub struct ShopForm {
    number: String,
    amount: String,
    once: String,
    form: String,
}

/// Sells a recharge, as a shop would over the API.
pub async fn recharge(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<ShopForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    let demo = web.demo().ok_or(Fault::NotFound)?;
    let number = chosen(&web, demo, Some(&form.number))?;
    let once = Uuid::parse_str(&form.once)
        .map_err(|_| Fault::BadRequest)?
        .to_string();
    let digits: String = form
        .amount
        .chars()
        .take(32)
        .map(|c| number::latin_digit(c).unwrap_or(c))
        .collect();
    let sold = match Money::parse(digits.trim()) {
        Ok(gross) => sell(&web, demo, number, gross, &once).await,
        Err(_) => Err(Refusal::AmountTooSmall.into()),
    };
    let to = match sold {
        Ok(top_up) => {
            let reason = top_up
                .reason
                .map(|code| format!("&problem={code}"))
                .unwrap_or_default();
            format!(
                "/demo?number={number}&sold={}{reason}",
                Uuid::from_u128(top_up.id)
            )
        }
        Err(problem) => match problem.fault {
            Fault::Refused(refusal) => format!("/demo?number={number}&problem={}", refusal.code()),
            _ => return Err(problem),
        },
    };
    Ok(Redirect::to(&to).into_response())
}

async fn sell(
    web: &Web,
    demo: &Demo,
    number: Msisdn,
    gross: Money,
    once: &str,
) -> Result<Box<TopUp>, Problem> {
    let found = lookup::find(web, &number.to_string()).await?;
    let (account, catalog) = found.subscriber()?;
    let shop = web.partner(demo.shop).await?.ok_or(Refusal::PartnerNotActive)?;
    let sale = Sale {
        by: charge::seller::SoldBy::default(),
        partner: shop.id,
        channel: shop.code,
        external_id: once,
        idempotency_key: digest128("idempotency", &[once.as_bytes()]),
        msisdn: number,
        account,
        operator: catalog.operator,
        gross,
        campaign: Code::EMPTY,
        class: ChannelClass::Web,
        callback_url: "",
        test: false,
        connector: Code::EMPTY,
    };
    let (top_up, _) = topups::sell(web, &sale, None, Again::Any).await?;
    let end = topups::settled(web, sale.key(), Duration::from_secs(5)).await?;
    Ok(end.unwrap_or(top_up))
}

async fn sold(web: &Web, demo: &Demo, id: u128, t: Speech) -> Result<Option<Receipt>, Problem> {
    let Some(key) = web.in_flight.top_up(id) else {
        return Ok(None);
    };
    let entity = web.parts.core.read(key).await?;
    let top_up = entity
        .as_ref()
        .and_then(Entity::top_up)
        .filter(|top_up| top_up.partner == demo.shop);
    let Some(top_up) = top_up else {
        return Ok(None);
    };
    Ok(web
        .catalog(top_up.operator)
        .and_then(|catalog| receipt_of(top_up, catalog, t, web)))
}

fn receipt_of(top_up: &TopUp, catalog: &Catalog, t: Speech, web: &Web) -> Option<Receipt> {
    let outcome = top_up
        .outcome
        .as_ref()
        .filter(|_| top_up.state == TopUpState::Completed)?;
    let money = |money: Money| Html::bdi(&t.money(money, &catalog.currency));
    let rate = format!("{} %", outcome.tax_rate.percent());
    let name = catalog.tax.recharge_name.get(t.language);
    let tax = t.with("receipt-tax", &[("name", name.into()), ("rate", rate.into())]);
    let mut rows = vec![
        (
            t.h("receipt-number"),
            Html::bdi(&number::shown(top_up.msisdn, web.catalogs())),
        ),
        (t.h("receipt-paid"), money(outcome.gross)),
        (Html::isolated(&tax), money(-outcome.tax)),
        (t.h("receipt-credited"), money(outcome.credited)),
        (
            t.h("receipt-valid"),
            Html::isolated(&t.date(outcome.valid_until, &catalog.zone)),
        ),
    ];
    if !outcome.promotion.is_empty() {
        let name = crate::api::bundles::name_of(outcome.promotion, catalog, t.language);
        rows.push((t.h("receipt-promotion"), Html::isolated(&name)));
    }
    Some(Receipt {
        rows,
        number: Html::bdi(&outcome.receipt.to_string()),
    })
}
