//! Leaving a card with the bank's page for auto-recharge: there and back. The card is typed there; what comes back is the
//! rail's name for it, and it is kept sealed.

use super::{means_of, own_number, rails_of};
use crate::page::away;
use crate::page::frame::Visitor;
use crate::page::recharge::desk;
use crate::page::security::to_sign_in;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use charge::Code;
use people::mandates::Mandate;
use people::numbers::Owned;
use rails::Payer;
use rails::rail::{Enrolment, Mandate as Way};
use serde::Deserialize;

/// Which number and which rail.
#[derive(Deserialize)]
pub struct CardForm {
    form: String,
    number: String,
    rail: String,
}

/// Sends somebody to the page where a card is left.
pub async fn leave(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<CardForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    let own = own_number(&web, &visitor, Some(&form.number)).await?.chosen;
    if visitor.sign_in.is_none_or(|sign_in| sign_in.locked) {
        return Err(Fault::Unauthorized.into());
    }
    if visitor.fresh(web.now()).is_none() {
        return Ok(to_sign_in("/auto"));
    }
    let rail = token_rail(&web, &form.rail)?;
    let id = hex(&rand::random::<[u8; 16]>());
    let seal = seal(&web, &own, rail, &id);
    let (desk, number) = (desk(&web)?, own.number);
    let enrolment = Enrolment {
        return_url: format!(
            "{}/auto/card?number={number}&rail={rail}&id={id}&seal={seal}",
            desk.site()
        ),
        id,
        language: visitor.language,
    };
    Ok(match desk.enrol(rail, enrolment).await {
        Ok(page) => away::to_address(&web, &visitor, page.url, format!("/auto?number={number}")),
        Err(_) => Redirect::to(&format!("/auto?number={number}&error=away")).into_response(),
    })
}

/// What the browser brings back.
#[derive(Deserialize)]
pub struct Back {
    number: String,
    rail: String,
    id: String,
    seal: String,
    #[serde(default)]
    went: String,
    #[serde(default)]
    session: String,
}

/// Keeps what was left. Only for who began, for the number and rail that they began with.
pub async fn back(
    State(web): State<Web>,
    visitor: Visitor,
    Query(back): Query<Back>,
) -> Result<Response, Problem> {
    if visitor.sign_in.is_none() {
        return Ok(to_sign_in("/auto"));
    }
    let own = own_number(&web, &visitor, Some(&back.number)).await?.chosen;
    let rail = token_rail(&web, &back.rail)?;
    let expected = seal(&web, &own, rail, &back.id);
    if !people::keys::same(expected.as_bytes(), back.seal.as_bytes()) {
        return Err(Fault::BadRequest.into());
    }
    let number = own.number;
    let to = |what: &str| Ok(Redirect::to(&format!("/auto?number={number}&{what}")).into_response());
    if back.went != "ok" {
        return to("error=card");
    }
    let left = match desk(&web)?.enrolled(rail, back.id, back.session).await {
        Ok(Some(left)) => left,
        Ok(None) => return to("error=card"),
        Err(_) => return to("error=away"),
    };
    let mandate = Mandate {
        account: own.account,
        person: own.person,
        number,
        rail: rail.to_string(),
        shown: left.shown,
        made_at: web.now(),
    };
    let means = means_of(&Payer {
        token: Some(left.token),
        ..Payer::default()
    });
    let place = visitor.place.clone();
    web.people(move |people| people.set_mandate(&mandate, &means, &place))
        .await?;
    to("done=card")
}

fn token_rail(web: &Web, name: &str) -> Result<Code, Problem> {
    let rails = rails_of(web)?;
    let found = rails
        .iter()
        .find(|rail| rail.code.as_str() == name && rail.way == Way::Token);
    Ok(found.map(|rail| rail.code).ok_or(Fault::BadField)?)
}

/// Who began what: nobody can bring another's session here.
fn seal(web: &Web, own: &Owned, rail: Code, id: &str) -> String {
    let parts: [&[u8]; 4] = [
        &own.person.0.to_be_bytes(),
        &own.account.0.to_be_bytes(),
        rail.as_str().as_bytes(),
        id.as_bytes(),
    ];
    hex(&web.parts.people.keys().digest("auto-card", &parts))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
