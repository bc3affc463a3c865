//! Recharging with a scratch card: for one's own number or anybody's, without an account.

use super::frame::{Frame, Visitor, page};
use crate::cards::{CardChannel, NotRedeemed, Redeem, Redeemed};
use crate::number;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use crate::text::Html;
use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use charge::Refusal;
use serde::Deserialize;

/// What the address says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    number: String,
}

/// What was typed.
#[derive(Debug, Deserialize)]
pub struct CardForm {
    form: String,
    number: String,
    pin: String,
}

#[derive(Template)]
#[template(path = "card.html")]
struct CardPage {
    page: Frame,
    number: String,
    own: bool,
    digits: u8,
    wrong_number: Option<Html>,
    wrong: Option<Html>,
    done: Option<Done>,
}

/// A card that was redeemed.
struct Done {
    title: Html,
    lines: Vec<(Html, Html, &'static str)>,
    receipt: Option<String>,
}

/// The form.
pub async fn show(
    State(web): State<Web>,
    visitor: Visitor,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    if web.parts.cards.is_none() {
        return Err(Fault::NotFound.into());
    }
    let mut form = empty(&web, &visitor, &asked.number);
    if asked.number.is_empty()
        && let Some(sign_in) = visitor.sign_in
    {
        form.number = number::shown(sign_in.msisdn, web.catalogs());
        form.own = true;
    }
    Ok(page(StatusCode::OK, &form))
}

/// Redeems what was typed. The number that was typed is kept, the PIN never comes back to the browser.
pub async fn redeem(
    State(web): State<Web>,
    visitor: Visitor,
    Form(typed): Form<CardForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &typed.form)?;
    let desk = web.parts.cards.as_ref().ok_or(Fault::NotFound)?;
    let t = visitor.speech();
    let mut form = empty(&web, &visitor, &typed.number);
    let Some(msisdn) = number::parse(&typed.number, web.catalogs()) else {
        form.wrong_number = Some(t.h("error-number"));
        return Ok(page(StatusCode::UNPROCESSABLE_ENTITY, &form));
    };
    let own = visitor.sign_in.is_some_and(|sign_in| sign_in.msisdn == msisdn);
    let asked = Redeem {
        channel: CardChannel::Web,
        number: msisdn,
        pin: &typed.pin,
        own,
        caller: Some(visitor.address),
    };
    match desk.redeem(asked).await {
        Ok(done) => {
            form.done = Some(shown(&web, &visitor, own, &done));
            Ok(page(StatusCode::OK, &form))
        }
        Err(error) => {
            let problem = error.problem(web.now());
            let told = problem.document(visitor.language, "");
            let status = StatusCode::from_u16(told.status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
            let detail = match problem.retry_after_s().filter(|_| told.status == 429) {
                Some(seconds) => t.wait(seconds),
                None => told.detail.clone(),
            };
            let sentence = format!("{} {detail}", stop(&told.title));
            let message = Some(Html::isolated(&sentence));
            match error {
                NotRedeemed::NoSubscriber | NotRedeemed::Refused(Refusal::AccountNotActive) => {
                    form.wrong_number = message;
                }
                _ => form.wrong = message,
            }
            let mut response = page(status, &form);
            if let Some(wait) = problem.retry_after_s() {
                response.headers_mut().insert("retry-after", wait.into());
            }
            Ok(response)
        }
    }
}

/// A title as a sentence.
fn stop(title: &str) -> String {
    let end = if title.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)) {
        "。"
    } else if title.chars().any(|c| ('\u{600}'..='\u{6ff}').contains(&c)) {
        "۔"
    } else {
        "."
    };
    format!("{title}{end}")
}

fn empty(web: &Web, visitor: &Visitor, number: &str) -> CardPage {
    let digits = web
        .catalogs()
        .iter()
        .map(|catalog| catalog.cards.pin_digits)
        .max();
    CardPage {
        page: visitor.frame(web, visitor.speech().p("card-title")),
        number: number.chars().take(32).collect(),
        own: false,
        digits: digits.unwrap_or(14),
        wrong_number: None,
        wrong: None,
        done: None,
    }
}

fn shown(web: &Web, visitor: &Visitor, own: bool, done: &Redeemed) -> Done {
    let t = visitor.speech();
    let mut lines = Vec::new();
    if let Some(catalog) = web.catalog(done.operator) {
        let money = |money| Html::bdi(&t.money(money, &catalog.currency));
        lines.push((t.h("card-value"), money(done.face), ""));
        if let Some(outcome) = &done.outcome {
            lines.push((t.h("card-tax"), money(-outcome.tax), ""));
            lines.push((t.h("recharge-credited"), money(outcome.credited), "total"));
            // A stranger is not told what somebody has.
            if own {
                lines.push((t.h("card-balance"), money(outcome.balance), ""));
                let until = Html::isolated(&t.date(outcome.valid_until, &catalog.zone));
                lines.push((t.h("recharge-valid"), until, ""));
            }
        }
    }
    lines.push((t.h("card-serial"), Html::bdi(&done.serial.to_string()), ""));
    lines.push((t.h("card-receipt"), Html::bdi(&done.receipt.to_string()), ""));
    let title = if done.repeated {
        "card-done-before"
    } else {
        "card-done"
    };
    Done {
        title: t.h(title),
        lines,
        receipt: own.then(|| format!("/receipts/{}", done.receipt)),
    }
}
