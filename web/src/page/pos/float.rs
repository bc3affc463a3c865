//! What one can sell from: the float, asking the one above for stock, sending it to those below who asked.

use super::{Bar, Till, amount, latin, words, zone};
use crate::chain::{self, MoveAsked, pin};
use crate::page::frame::{Frame, page};
use crate::page::staff::parts::Told;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use crate::text::Html;
use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use charge::Money;
use charge::seller::MoveState;
use people::pos::{AskState, StockAsk};
use serde::Deserialize;
use std::time::Duration;
use uuid::Uuid;

const WAIT: Duration = Duration::from_secs(8);
/// Movements and asks that the page shows.
const LINES: usize = 10;

#[derive(Template)]
#[template(path = "pos/float.html")]
struct FloatPage {
    page: Frame,
    bar: Bar,
    told: Option<Told>,
    facts: Vec<(Html, Html)>,
    ask: Option<String>,
    asked: Vec<(Html, Html, &'static str, Html)>,
    below: Vec<(String, Html, Html)>,
    moves: Vec<(Html, Html, &'static str, Html)>,
}

/// What happened just before.
#[derive(Default, Deserialize)]
pub struct Before {
    done: Option<String>,
}

/// The float.
pub async fn show(
    State(web): State<Web>,
    till: Till,
    Query(before): Query<Before>,
) -> Result<Response, Problem> {
    let told = before.done.map(|done| {
        let key = if done == "asked" {
            "pos-ask-done"
        } else {
            "pos-ask-answered"
        };
        Told::good(till.visitor.speech().h(key))
    });
    view(&web, &till, told).await
}

async fn view(web: &Web, till: &Till, told: Option<Told>) -> Result<Response, Problem> {
    let t = till.visitor.speech();
    let seller = till.seller.place.id;
    let money = |money: Money| Html::bdi(&t.money(money, "PKR"));
    let manages = till.manages().is_ok();
    let (asked, below, moves) = if manages {
        let lines = i64::try_from(LINES).unwrap_or(10);
        let asked = web.people(move |people| people.asks_of(seller, lines)).await?;
        let below = web.people(move |people| people.asks_to(seller, lines)).await?;
        let moves = web
            .parts
            .reads
            .ask(move |reader| reader.models.stock_moves(seller, None, LINES))
            .await?;
        (asked, below, moves)
    } else {
        (Vec::new(), Vec::new(), Vec::new())
    };
    let mut names = Vec::new();
    for ask in &below {
        let partner = web.partner(ask.seller).await?;
        let name = partner.map_or_else(|| ask.seller.0.to_string(), |partner| partner.name);
        names.push((ask.id.clone(), Html::bdi(&name), money(ask.amount)));
    }
    let mut facts = vec![
        (t.h("pos-float"), money(till.partner.float)),
        (t.h("pos-in-transit"), money(till.partner.in_transit)),
    ];
    if till.seller.credit_line.is_positive() {
        facts.push((t.h("pos-owed"), money(till.seller.owed)));
        facts.push((t.h("pos-credit-line"), money(till.seller.credit_line)));
    }
    let bad = told.as_ref().is_some_and(|told| told.class == "bad");
    let template = FloatPage {
        page: till.frame(web, "pos-float"),
        bar: till.bar("float"),
        told,
        facts,
        ask: (manages && till.seller.place.parent().is_some()).then(|| Uuid::now_v7().to_string()),
        asked: asked
            .iter()
            .map(|ask| {
                let (class, name) = match ask.state {
                    AskState::Open => ("warn", "open"),
                    AskState::Sent => ("good", "sent"),
                    AskState::Denied => ("bad", "denied"),
                };
                let when = Html::isolated(&t.moment(ask.at, zone(web)));
                (when, money(ask.amount), class, t.h(&format!("pos-ask-{name}")))
            })
            .collect(),
        below: names,
        moves: moves
            .iter()
            .map(|row| {
                let class = match row.state {
                    MoveState::Completed => "good",
                    MoveState::Submitted => "warn",
                    MoveState::Declined => "bad",
                };
                let amount = if row.from == seller {
                    -row.amount
                } else {
                    row.amount - row.back + row.commission
                };
                let when = Html::isolated(&t.moment(row.created_at, zone(web)));
                let kind = t.h(&format!("pos-move-{}", row.kind.name()));
                (when, Html::bdi(&t.movement(amount, "PKR")), class, kind)
            })
            .collect(),
    };
    let status = if bad {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    Ok(page(status, &template))
}

/// Asking for stock, or answering one below.
#[derive(Deserialize)]
pub struct Wish {
    form: String,
    what: String,
    #[serde(rename = "ticket")]
    id: String,
    #[serde(default)]
    amount: String,
    #[serde(default)]
    pin: String,
}

/// Asks, sends, or says no; each once for its id.
pub async fn act(State(web): State<Web>, till: Till, Form(wish): Form<Wish>) -> Result<Response, Problem> {
    till.visitor.check_form(&web, &wish.form)?;
    till.manages()?;
    let done = match wish.what.as_str() {
        "ask" => ask(&web, &till, &wish).await,
        "send" | "deny" => answer(&web, &till, &wish).await,
        _ => Err(Fault::BadRequest.into()),
    };
    match done {
        Ok(None) => {
            let done = if wish.what == "ask" { "asked" } else { "answered" };
            Ok(Redirect::to(&format!("/pos/float?done={done}")).into_response())
        }
        Ok(Some(key)) => {
            let told = Told::bad(till.visitor.speech().h(key));
            view(&web, &till, Some(told)).await
        }
        Err(problem) if problem.fault.spec().1 >= 500 => Err(problem),
        Err(problem) => {
            let told = Told::bad(words(&problem, &till.visitor));
            view(&web, &till, Some(told)).await
        }
    }
}

async fn ask(web: &Web, till: &Till, wish: &Wish) -> Result<Option<&'static str>, Problem> {
    let id = Uuid::parse_str(&wish.id).map_err(|_| Fault::BadRequest)?;
    let parent = till.seller.place.parent().ok_or(Fault::BadRequest)?;
    let in_range = |amount: &Money| amount.is_positive() && amount.0 <= charge::seller::limits::AMOUNT_MAX;
    let Some(amount) = amount(&wish.amount).filter(in_range) else {
        return Ok(Some("pos-amount-bad"));
    };
    let ask = StockAsk {
        id: format!("{}/{id}", till.seller.place.id.0),
        seller: till.seller.place.id,
        parent,
        staff: till.staff.code.to_string(),
        amount,
        at: web.now(),
        state: AskState::Open,
    };
    let kept = web.people(move |people| people.ask_stock(&ask)).await?;
    Ok((!kept).then_some("pos-ask-many"))
}

async fn answer(web: &Web, till: &Till, wish: &Wish) -> Result<Option<&'static str>, Problem> {
    let seller = till.seller.place.id;
    let id = wish.id.clone();
    let found = web.people(move |people| people.stock_ask(&id)).await?;
    let ask = found.filter(|ask| ask.parent == seller).ok_or(Fault::NotFound)?;
    if ask.state != AskState::Open {
        return Ok(None);
    }
    let state = if wish.what == "send" {
        pin::login(web, seller, till.staff.code, &latin(&wish.pin, 16)).await?;
        let asked = MoveAsked {
            from: seller,
            to: ask.seller,
            amount: ask.amount,
            reference: &format!("ask-{}", ask.id),
            by: Some(seller),
        };
        let moved = chain::move_stock(web, asked, WAIT).await?;
        match moved.state {
            MoveState::Completed => AskState::Sent,
            // Not known yet: sending again asks about the same movement.
            MoveState::Submitted => return Ok(Some("pos-unknown")),
            MoveState::Declined => return Ok(Some("pos-move-declined")),
        }
    } else {
        AskState::Denied
    };
    let now = web.now();
    web.people(move |people| people.answer_ask(&ask.id, state, now))
        .await?;
    Ok(None)
}
