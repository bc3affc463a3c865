//! Signing in with name, password and code at once, so that nobody learns which was wrong; setting an account up.

use super::parts::Told;
use super::{Desk, HOME, set_cookie};
use crate::number::code_digits;
use crate::page::frame::{Frame, Visitor, page};
use crate::page::session::safe_next;
use crate::page::signin::BareForm;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use crate::text::Html;
use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use people::Token;
use people::password;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "staff/signin.html")]
struct SignIn {
    page: Frame,
    told: Option<Told>,
    next: String,
}

#[derive(Template)]
#[template(path = "staff/setup.html")]
struct SetUp {
    page: Frame,
    told: Option<Told>,
    lead: Html,
    name: String,
    secret: Html,
    link: String,
    path: String,
}

/// Where to go afterwards, and what happened just before.
#[derive(Default, Deserialize)]
pub struct Before {
    #[serde(default)]
    next: String,
    ready: Option<String>,
}

/// Asks for everything.
pub async fn ask(State(web): State<Web>, visitor: Visitor, Query(before): Query<Before>) -> Response {
    let t = visitor.speech();
    let told = before.ready.map(|_| Told::good(t.h("staff-set-up-done")));
    form(&web, &visitor, &before.next, told)
}

fn form(web: &Web, visitor: &Visitor, next: &str, told: Option<Told>) -> Response {
    let bad = told.as_ref().is_some_and(|told| told.class == "bad");
    let template = SignIn {
        page: visitor.nobody().frame(web, visitor.speech().p("staff-sign-in")),
        told,
        next: ours(next).to_owned(),
    };
    let status = if bad {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    page(status, &template)
}

/// Only pages of staff.
fn ours(next: &str) -> &str {
    safe_next(next)
        .filter(|next| *next == HOME || next.starts_with("/staff/"))
        .unwrap_or(HOME)
}

/// Name, password, code.
#[derive(Deserialize)]
pub struct Proofs {
    form: String,
    #[serde(default)]
    next: String,
    name: String,
    password: String,
    code: String,
}

/// Signs in.
pub async fn enter(
    State(web): State<Web>,
    visitor: Visitor,
    Form(proofs): Form<Proofs>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &proofs.form)?;
    let (address, place, now) = (visitor.address, visitor.place.clone(), web.now());
    let token = Token::random();
    let (new, name) = (token.clone(), proofs.name.trim().to_ascii_lowercase());
    let (secret, code) = (proofs.password, code_digits(&proofs.code));
    let entered = web
        .people_hashing(move |people| {
            let attempt = match people.staff_try(&name, address, now)? {
                Ok(attempt) => attempt,
                Err(throttled) => return Ok(Err(throttled)),
            };
            let right = people.staff_verify(&attempt, &secret);
            Ok(Ok(people.staff_enter(
                &attempt,
                (right, &code),
                (&new, &place, address),
                now,
            )?))
        })
        .await?;
    match entered {
        Err(throttled) => Err(Problem::rate_limited(throttled.0)),
        Ok(false) => {
            let told = Told::bad(visitor.speech().h("staff-wrong"));
            Ok(form(&web, &visitor, &proofs.next, Some(told)))
        }
        Ok(true) => {
            let mut response = Redirect::to(ours(&proofs.next)).into_response();
            set_cookie(response.headers_mut(), &web, Some(&token));
            Ok(response)
        }
    }
}

/// Shows whom a link invites. Looking uses nothing up.
pub async fn invited(
    State(web): State<Web>,
    visitor: Visitor,
    Path(secret): Path<String>,
) -> Result<Response, Problem> {
    set_up_page(&web, &visitor, secret, None).await
}

async fn set_up_page(
    web: &Web,
    visitor: &Visitor,
    secret: String,
    wrong: Option<&'static str>,
) -> Result<Response, Problem> {
    let (given, now) = (secret.clone(), web.now());
    let found = web
        .people(move |people| people.staff_invited(&given, now))
        .await?;
    let Some(invited) = found else {
        web.bad_key_rate
            .check(visitor.address)
            .map_err(Problem::rate_limited)?;
        return Err(Fault::NotFound.into());
    };
    let t = visitor.speech();
    let groups: Vec<&str> = invited
        .totp
        .as_bytes()
        .chunks(4)
        .filter_map(|four| std::str::from_utf8(four).ok())
        .collect();
    let template = SetUp {
        page: visitor.nobody().frame(web, t.p("staff-set-up")),
        told: wrong.map(|key| Told::bad(t.h(key))),
        lead: Html::isolated(&t.with("staff-set-up-lead", &[("name", invited.name.clone().into())])),
        secret: Html::bdi(&groups.join(" ")),
        link: format!(
            "otpauth://totp/Raseed%20staff:{}?secret={}&issuer=Raseed%20staff",
            invited.name, invited.totp
        ),
        path: format!("/staff/set-up/{secret}"),
        name: invited.name,
    };
    let status = if wrong.is_some() {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    Ok(page(status, &template))
}

/// A password and a code.
#[derive(Deserialize)]
pub struct Chosen {
    form: String,
    password: String,
    code: String,
}

/// Sets the account up; the link is worthless from then on.
pub async fn set_up(
    State(web): State<Web>,
    visitor: Visitor,
    Path(secret): Path<String>,
    Form(chosen): Form<Chosen>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &chosen.form)?;
    if password::check_new(&chosen.password, &[]).is_err() {
        return set_up_page(&web, &visitor, secret, Some("staff-weak")).await;
    }
    let (given, place, now) = (secret.clone(), visitor.place.clone(), web.now());
    let code = code_digits(&chosen.code);
    let done = web
        .people_hashing(move |people| {
            if people.staff_invited(&given, now)?.is_none() {
                return Ok(Ok(false));
            }
            let hash = people.hash_password(&chosen.password)?;
            people.staff_set_up(&given, (&hash, &code), &place, now)
        })
        .await?;
    match done {
        Err(throttled) => Err(Problem::rate_limited(throttled.0)),
        Ok(false) => set_up_page(&web, &visitor, secret, Some("error-code")).await,
        Ok(true) => Ok(Redirect::to("/staff/sign-in?ready=1").into_response()),
    }
}

/// Signs out.
pub async fn out(
    State(web): State<Web>,
    desk: Desk,
    Form(bare): Form<BareForm>,
) -> Result<Response, Problem> {
    if !super::owns_form(&desk.token, &web.parts.secret, &bare.form) {
        return Err(Fault::BadRequest.into());
    }
    let (by, token, now) = (desk.actor(), desk.token.clone(), web.now());
    web.people(move |people| people.staff_out(&by, &token, now))
        .await?;
    let mut response = Redirect::to(super::SIGN_IN).into_response();
    set_cookie(response.headers_mut(), &web, None);
    Ok(response)
}
