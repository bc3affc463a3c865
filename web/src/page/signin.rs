//! Signing in: a number, then the code that was sent to it.

use super::frame::{Frame, Visitor, page};
use super::session::{Entrant, enter, line_of};
use crate::number;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use crate::text::{self, Html};
use askama::Template;
use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Redirect, Response};
use charge::Msisdn;
use people::codes::{Asker, Purpose};
use people::sessions::Method;
use serde::Deserialize;

#[derive(Template)]
#[template(path = "start.html")]
struct Start {
    page: Frame,
    typed: String,
    error: Option<Html>,
    numbers: Vec<(String, Html)>,
}

#[derive(Template)]
#[template(path = "code.html")]
struct CodeEntry {
    page: Frame,
    typed: String,
    sent: Html,
    error: Option<Html>,
}

/// The first page.
pub async fn start(State(web): State<Web>, visitor: Visitor) -> Response {
    start_page(&web, &visitor, String::new(), None)
}

fn start_page(web: &Web, visitor: &Visitor, typed: String, error: Option<Html>) -> Response {
    let status = if error.is_some() {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    let shown = |number: &Msisdn| {
        let shown = number::shown(*number, web.catalogs());
        (shown.clone(), Html::bdi(&shown))
    };
    let template = Start {
        page: visitor.frame(web, visitor.speech().p("title-start")),
        typed,
        error,
        numbers: web
            .demo()
            .map_or(Vec::new(), |demo| demo.numbers.iter().map(shown).collect()),
    };
    page(status, &template)
}

/// The form of the first page.
#[derive(Deserialize)]
pub struct NumberForm {
    number: String,
    form: String,
}

/// Sends a code. The answer is the same whether or not the number is one of ours.
pub async fn send_code(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<NumberForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    let t = visitor.speech();
    let Some(msisdn) = number::parse(&form.number, web.catalogs()) else {
        let typed: String = form.number.chars().take(32).collect();
        return Ok(start_page(&web, &visitor, typed, Some(t.h("error-number"))));
    };
    let now = web.now();
    let code = new_code(&web, &visitor, msisdn, Purpose::SignIn).await?;
    let values = [("code", code.into()), ("name", "Raseed".into())];
    let sentence = text::plain(visitor.language, "sms-code", &values);
    let sender = web.clone();
    // On its own, so that the time to answer does not tell whether the number is one of ours.
    tokio::spawn(async move {
        let known = sender.account_of(msisdn).await;
        if matches!(known, Ok(Some(_))) {
            let expires_at = now.plus(people::limits::CODE_LIFE);
            let sent = sender.parts.codes.send_code(msisdn, sentence, expires_at).await;
            if let Err(error) = sent {
                tracing::warn!(number = msisdn.masked(), %error, "a code was not sent");
            }
        }
    });
    Ok(code_page(&web, &visitor, msisdn, None))
}

fn code_page(web: &Web, visitor: &Visitor, msisdn: Msisdn, error: Option<Html>) -> Response {
    let t = visitor.speech();
    let status = if error.is_some() {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    let shown = number::shown(msisdn, web.catalogs());
    let sent = t.with("code-sent", &[("number", shown.clone().into())]);
    let template = CodeEntry {
        page: visitor.frame(web, t.p("title-code")),
        typed: shown,
        sent: Html::isolated(&sent),
        error,
    };
    page(status, &template)
}

/// The form of the second page.
#[derive(Deserialize)]
pub struct CodeForm {
    number: String,
    code: String,
    form: String,
}

/// Signs in with a code.
pub async fn sign_in(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<CodeForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    let msisdn = number::parse(&form.number, web.catalogs()).ok_or(Fault::BadNumber)?;
    let digits: String = form
        .code
        .chars()
        .take(32)
        .filter_map(number::latin_digit)
        .collect();
    let right = take_code(&web, &visitor, msisdn, &digits, Purpose::SignIn).await?;
    let line = if right { line_of(&web, msisdn).await? } else { None };
    let Some(line) = line else {
        let error = visitor.speech().h("error-code");
        return Ok(code_page(&web, &visitor, msisdn, Some(error)));
    };
    let (language, place, now) = (visitor.language, visitor.place.clone(), web.now());
    let proven = web
        .people(move |people| people.number_proven(line, language, &place, now))
        .await?;
    let entrant = Entrant {
        person: proven.person,
        number: Some(msisdn),
        method: Method::Code,
        next: None,
    };
    enter(&web, &visitor, entrant).await
}

/// A code for a browser and a number.
///
/// # Errors
/// [`Fault::RateLimited`].
pub async fn new_code(
    web: &Web,
    visitor: &Visitor,
    number: Msisdn,
    purpose: Purpose,
) -> Result<String, Problem> {
    let (browser, address, now) = (visitor.token.hash(), visitor.address, web.now());
    let made = web.people(move |people| {
        let asker = Asker {
            browser: &browser,
            address,
            number,
            purpose,
        };
        people.new_code(asker, now)
    });
    made.await?
        .map_err(|throttled| Problem::rate_limited(throttled.0))
}

/// Whether this is the code of a browser and a number.
///
/// # Errors
/// [`Fault::RateLimited`].
pub async fn take_code(
    web: &Web,
    visitor: &Visitor,
    number: Msisdn,
    code: &str,
    purpose: Purpose,
) -> Result<bool, Problem> {
    let (browser, address, now) = (visitor.token.hash(), visitor.address, web.now());
    let code = code.to_owned();
    let taken = web.people(move |people| {
        let asker = Asker {
            browser: &browser,
            address,
            number,
            purpose,
        };
        people.take_code(asker, &code, now)
    });
    taken
        .await?
        .map_err(|throttled| Problem::rate_limited(throttled.0))
}

/// A form with nothing but its token.
#[derive(Deserialize)]
pub struct BareForm {
    form: String,
}

/// Signs out.
pub async fn sign_out(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<BareForm>,
) -> Result<Redirect, Problem> {
    visitor.check_form(&web, &form.form)?;
    let token = visitor.token.clone();
    web.people(move |people| people.sign_out(&token)).await?;
    Ok(Redirect::to("/"))
}
