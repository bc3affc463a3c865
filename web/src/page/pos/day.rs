//! The day: what the till should hold, what was counted, and the difference.

use super::{Bar, Till, amount, latin, zone};
use crate::api::sellers::sales::{DayAnswer, day_of};
use crate::page::format::NBSP;
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
use std::collections::BTreeMap;
use uuid::Uuid;

/// Notes that are counted one by one, in rupees.
const NOTES: [u32; 7] = [5_000, 1_000, 500, 100, 50, 20, 10];
/// Most notes of a kind that somebody counts.
const NOTES_MAX: u32 = 100_000;
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
    notes: Vec<(u32, Html)>,
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
        notes: NOTES.map(|note| (note, note_name(note))).to_vec(),
        closes: closes.iter().map(|close| line(web, till, close)).collect(),
    };
    let status = if bad {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    Ok(page(status, &template))
}

/// `Rs 5,000 ×`.
fn note_name(note: u32) -> Html {
    let rupees = if note < 1_000 {
        note.to_string()
    } else {
        format!("{},{:03}", note / 1_000, note % 1_000)
    };
    Html::bdi(&format!("Rs{NBSP}{rupees}{NBSP}\u{d7}"))
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
    /// Coins, or everything.
    #[serde(default)]
    counted: String,
    /// How many notes of each kind: `n500`.
    #[serde(flatten)]
    notes: BTreeMap<String, String>,
}

impl Counted {
    /// Everything together; `None` when nothing or nonsense is typed.
    fn sum(&self) -> Option<Money> {
        let mut sum = match self.counted.trim() {
            "" => None,
            typed => Some(amount(typed)?),
        };
        for note in NOTES {
            let typed = self
                .notes
                .get(&format!("n{note}"))
                .map_or("", |typed| typed.trim());
            if typed.is_empty() {
                continue;
            }
            let count: u32 = latin(typed, 8).parse().ok().filter(|count| *count <= NOTES_MAX)?;
            let of_kind = Money::from_units(i64::from(note) * i64::from(count));
            sum = Some(sum.unwrap_or(Money::ZERO) + of_kind);
        }
        sum.filter(|sum| sum.0 <= charge::seller::limits::AMOUNT_MAX)
    }
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
    let Some(counted) = typed.sum() else {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_and_coins_add_up() {
        for (form, expected) in [
            ("counted=95", Some(95)),
            ("n5000=2&n100=3&counted=45", Some(10_345)),
            ("n500=\u{6f2}&counted=", Some(1_000)),
            ("n10=0", Some(0)),
            ("counted=", None),
            ("n500=x", None),
            ("n500=-1", None),
            ("n500=100001", None),
            ("counted=-5&n500=1", None),
        ] {
            let pairs = form.split('&').filter_map(|pair| pair.split_once('='));
            let mut typed = Counted {
                form: String::new(),
                id: String::new(),
                counted: String::new(),
                notes: BTreeMap::new(),
            };
            for (name, value) in pairs {
                match name {
                    "counted" => value.clone_into(&mut typed.counted),
                    name => drop(typed.notes.insert(name.to_owned(), value.to_owned())),
                }
            }
            assert_eq!(typed.sum(), expected.map(Money::from_units), "{form}");
        }
    }
}
