//! The day: what the till should hold, what was counted, and the difference.

use super::{Bar, Till, amount, zone};
use crate::api::sellers::sales::{DayAnswer, day_of};
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
use charge::seller::Role;
use people::pos::DayClose;
use serde::Deserialize;
use uuid::Uuid;

/// Closes that the page shows.
const CLOSES_SHOWN: i64 = 10;

#[derive(Template)]
#[template(path = "pos/day.html")]
struct DayPage {
    page: Frame,
    bar: Bar,
    told: Option<Told>,
    day: Html,
    facts: Vec<(Html, Html)>,
    open: bool,
    close: Option<String>,
    closes: Vec<CloseLine>,
}

struct CloseLine {
    when: Html,
    who: Html,
    expected: Html,
    counted: Html,
    class: &'static str,
    difference: Html,
}

/// What happened just before.
#[derive(Default, Deserialize)]
pub struct Before {
    closed: Option<String>,
}

/// The day so far.
pub async fn show(
    State(web): State<Web>,
    till: Till,
    Query(before): Query<Before>,
) -> Result<Response, Problem> {
    let told = before
        .closed
        .map(|_| Told::good(till.visitor.speech().h("pos-day-closed")));
    view(&web, &till, told).await
}

async fn view(web: &Web, till: &Till, told: Option<Told>) -> Result<Response, Problem> {
    let t = till.visitor.speech();
    let seller = till.seller.place.id;
    let day = day_of(web, seller, "today").await?;
    let money = |money: Money| Html::bdi(&t.money(money, "PKR"));
    let cashier = till.staff.role == Role::Cashier;
    let mut facts = Vec::new();
    if !cashier {
        facts.push((t.h("pos-day-count"), Html::bdi(&day.count.to_string())));
        facts.push((t.h("pos-day-reversed"), money(day.reversed.0)));
        facts.push((t.h("pos-day-expected"), money(day.amount.0)));
    }
    for one in day
        .staff
        .iter()
        .filter(|one| !cashier || one.staff == till.staff.code.as_str())
    {
        let who = if one.staff.is_empty() { "API" } else { &one.staff };
        let key = format!("\u{2068}{who}\u{2069} \u{b7} \u{2068}{}\u{2069}", one.count);
        facts.push((Html::isolated(&key), money(one.amount.0)));
    }
    if !cashier {
        let earned = day.commission.0 + day.stock_commission.0;
        facts.push((t.h("pos-day-commission"), money(earned)));
    }
    let closes = match cashier {
        true => Vec::new(),
        false => {
            web.people(move |people| people.day_closes(seller, CLOSES_SHOWN))
                .await?
        }
    };
    let bad = told.as_ref().is_some_and(|told| told.class == "bad");
    let template = DayPage {
        page: till.frame(web, "pos-day"),
        bar: till.bar("day"),
        told,
        day: Html::bdi(&day.day),
        facts,
        open: day.open > 0,
        close: till.manages().is_ok().then(|| Uuid::now_v7().to_string()),
        closes: closes.iter().map(|close| line(web, till, close)).collect(),
    };
    let status = if bad {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    Ok(page(status, &template))
}

fn line(web: &Web, till: &Till, close: &DayClose) -> CloseLine {
    let t = till.visitor.speech();
    let difference = close.counted - close.expected;
    CloseLine {
        when: Html::isolated(&t.moment(close.at, zone(web))),
        who: Html::bdi(&close.staff),
        expected: Html::bdi(&t.money(close.expected, "PKR")),
        counted: Html::bdi(&t.money(close.counted, "PKR")),
        class: if difference == Money::ZERO { "good" } else { "warn" },
        difference: Html::bdi(&t.movement(difference, "PKR")),
    }
}

/// What was counted.
#[derive(Deserialize)]
pub struct Counted {
    form: String,
    #[serde(rename = "ticket")]
    id: String,
    counted: String,
}

/// Keeps what was counted beside what the sales say, once for each form.
pub async fn close(
    State(web): State<Web>,
    till: Till,
    Form(typed): Form<Counted>,
) -> Result<Response, Problem> {
    till.visitor.check_form(&web, &typed.form)?;
    till.manages()?;
    let id = Uuid::parse_str(&typed.id).map_err(|_| Fault::BadRequest)?;
    let Some(counted) = amount(&typed.counted) else {
        let told = Told::bad(till.visitor.speech().h("pos-amount-bad"));
        return view(&web, &till, Some(told)).await;
    };
    let day: DayAnswer = day_of(&web, till.seller.place.id, "today").await?;
    let close = DayClose {
        // Another outlet's form cannot take this one's id.
        id: format!("{}/{id}", till.seller.place.id.0),
        seller: till.seller.place.id,
        day: day.day,
        staff: till.staff.code.to_string(),
        sales: day.count,
        expected: day.amount.0,
        counted,
        at: web.now(),
    };
    web.people(move |people| people.close_day(&close)).await?;
    Ok(Redirect::to("/pos/day?closed=1").into_response())
}
