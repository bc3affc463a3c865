//! Signing in: a number, then the code that was sent to it.

use super::frame::{Frame, Visitor, page, status_of};
use super::passkey;
use super::profile::tell;
use super::session::{self, Entrant, Token, enter, line_of, safe_next};
use crate::number;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use crate::text::{self, Html};
use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use charge::Msisdn;
use charge::catalog::Language;
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
#[template(path = "signin.html")]
struct SignInPage {
    page: Frame,
    typed: String,
    next: String,
    error: Option<Html>,
    passkeys: bool,
}

#[derive(Template)]
#[template(path = "second.html")]
struct Second {
    page: Frame,
    next: String,
    error: Option<Html>,
    waiting: Option<Html>,
    ready: bool,
    can_wait: bool,
}

#[derive(Template)]
#[template(path = "code.html")]
struct CodeEntry {
    page: Frame,
    typed: String,
    next: String,
    sent: Html,
    error: Option<Html>,
}

/// The first page.
pub async fn start(State(web): State<Web>, visitor: Visitor) -> Response {
    start_page(&web, &visitor, String::new(), None)
}

fn start_page(web: &Web, visitor: &Visitor, typed: String, error: Option<Html>) -> Response {
    let status = status_of(error.as_ref());
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
    #[serde(default)]
    next: String,
    form: String,
}

/// Sends a code. The answer is the same whether or not the number is one of ours.
pub async fn send_code(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<NumberForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    let Some(msisdn) = number::parse(&form.number, web.catalogs()) else {
        let typed: String = form.number.chars().take(32).collect();
        return Ok(start_page(
            &web,
            &visitor,
            typed,
            Some(visitor.speech().h("error-number")),
        ));
    };
    let code = new_code(&web, &visitor, msisdn, Purpose::SignIn).await?;
    send(&web, msisdn, visitor.language, code);
    Ok(code_page(&web, &visitor, (msisdn, &form.next), None))
}

/// Sends a code, if the number is one of ours. On its own, so that the time to answer does not tell whether it is.
pub fn send(web: &Web, msisdn: Msisdn, language: Language, code: String) {
    let values = [("code", code.into()), ("name", "Raseed".into())];
    let sentence = text::plain(language, "sms-code", &values);
    let (sender, expires_at) = (web.clone(), web.now().plus(people::limits::CODE_LIFE));
    tokio::spawn(async move {
        let known = sender.account_of(msisdn).await;
        if matches!(known, Ok(Some(_))) {
            let sent = sender.parts.codes.send_code(msisdn, sentence, expires_at).await;
            if let Err(error) = sent {
                tracing::warn!(number = msisdn.masked(), %error, "a code was not sent");
            }
        }
    });
}

fn code_page(web: &Web, visitor: &Visitor, (msisdn, next): (Msisdn, &str), error: Option<Html>) -> Response {
    let t = visitor.speech();
    let status = status_of(error.as_ref());
    let shown = number::shown(msisdn, web.catalogs());
    let sent = t.with("code-sent", &[("number", shown.clone().into())]);
    let template = CodeEntry {
        page: visitor.frame(web, t.p("title-code")),
        typed: shown,
        next: kept_next(next),
        sent: Html::isolated(&sent),
        error,
    };
    page(status, &template)
}

/// The form of the second page.
#[derive(Deserialize)]
pub struct CodeForm {
    number: String,
    #[serde(default)]
    next: String,
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
    let digits = number::code_digits(&form.code);
    let right = take_code(&web, &visitor, msisdn, &digits, Purpose::SignIn).await?;
    let line = if right { line_of(&web, msisdn).await? } else { None };
    let Some(line) = line else {
        let error = visitor.speech().h("error-code");
        return Ok(code_page(&web, &visitor, (msisdn, &form.next), Some(error)));
    };
    let (language, place, now) = (visitor.language, visitor.place.clone(), web.now());
    let proven = web
        .people(move |people| people.number_proven(line, language, &place, now))
        .await?;
    let entrant = Entrant {
        person: proven.person,
        number: Some(msisdn),
        method: Method::Code,
        next: Some(form.next),
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

/// Where to go afterwards.
#[derive(Default, Deserialize)]
pub struct Next {
    #[serde(default)]
    next: String,
}

fn kept_next(next: &str) -> String {
    safe_next(next).unwrap_or_default().to_owned()
}

/// All ways to sign in. Also for those who are signed in and must prove it again.
pub async fn ways(
    State(web): State<Web>,
    visitor: Visitor,
    Query(next): Query<Next>,
    headers: HeaderMap,
) -> Response {
    ways_page(&web, &visitor, (String::new(), &next.next), &headers, None)
}

fn ways_page(
    web: &Web,
    visitor: &Visitor,
    (typed, next): (String, &str),
    headers: &HeaderMap,
    error: Option<Html>,
) -> Response {
    let status = status_of(error.as_ref());
    let template = SignInPage {
        page: visitor.frame(web, visitor.speech().p("title-start")),
        typed,
        next: kept_next(next),
        error,
        passkeys: passkey::site(web, headers).is_some(),
    };
    page(status, &template)
}

/// A number and its password.
#[derive(Deserialize)]
pub struct PasswordForm {
    number: String,
    password: String,
    #[serde(default)]
    next: String,
    form: String,
}

/// Signs in with a password. The answer, and the time it takes, are the same for numbers that nobody has here.
pub async fn password(
    State(web): State<Web>,
    visitor: Visitor,
    headers: HeaderMap,
    Form(form): Form<PasswordForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    let typed: String = form.number.chars().take(32).collect();
    let Some(msisdn) = number::parse(&form.number, web.catalogs()) else {
        let error = visitor.speech().h("error-number");
        return Ok(ways_page(
            &web,
            &visitor,
            (typed, &form.next),
            &headers,
            Some(error),
        ));
    };
    let (address, now) = (visitor.address, web.now());
    let attempt = web.people(move |people| people.password_try(msisdn, address, now));
    let attempt = attempt
        .await?
        .map_err(|throttled| Problem::rate_limited(throttled.0))?;
    let password = form.password;
    let person = web
        .people_hashing(move |people| Ok(people.verify_password(&attempt, &password)))
        .await?;
    let Some(person) = person else {
        let error = visitor.speech().h("signin-password-wrong");
        return Ok(ways_page(
            &web,
            &visitor,
            (typed, &form.next),
            &headers,
            Some(error),
        ));
    };
    let number = web
        .people(move |people| {
            people.password_was_right(msisdn, address)?;
            let owner = people.owner_of(msisdn)?;
            Ok(owner.filter(|owned| owned.person == person).map(|_| msisdn))
        })
        .await?;
    let entrant = Entrant {
        person,
        number,
        method: Method::Password,
        next: Some(form.next),
    };
    enter(&web, &visitor, entrant).await
}

/// Asks for the second factor.
pub async fn second(
    State(web): State<Web>,
    visitor: Visitor,
    Query(next): Query<Next>,
) -> Result<Response, Problem> {
    second_page(&web, &visitor, &next.next, None).await
}

async fn second_page(
    web: &Web,
    visitor: &Visitor,
    next: &str,
    error: Option<Html>,
) -> Result<Response, Problem> {
    let Some(half) = visitor.session.clone().filter(|session| !session.complete) else {
        return Ok(Redirect::to("/sign-in").into_response());
    };
    let (t, now) = (visitor.speech(), web.now());
    let waiting = web
        .people(move |people| people.recovery_waiting(half.person, now))
        .await?;
    let status = status_of(error.as_ref());
    let moment = |at| t.moment(at, &super::profile::zone(web));
    let template = Second {
        page: visitor.frame(web, t.p("second-title")),
        next: kept_next(next),
        error,
        ready: waiting.is_some_and(|waiting| waiting.ready_at <= now),
        waiting: waiting.map(|waiting| {
            Html::isolated(&t.with("second-waiting", &[("moment", moment(waiting.ready_at).into())]))
        }),
        can_wait: half.method == Method::Code,
    };
    Ok(page(status, &template))
}

/// A code from an app, or a recovery code.
#[derive(Deserialize)]
pub struct SecondForm {
    code: String,
    #[serde(default)]
    next: String,
    form: String,
}

/// Takes the second factor.
pub async fn second_given(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<SecondForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    let Some(half) = visitor.session.clone().filter(|session| !session.complete) else {
        return Ok(Redirect::to("/sign-in").into_response());
    };
    let typed: String = form.code.chars().take(64).collect();
    let digits: String = typed.chars().filter_map(number::latin_digit).collect();
    let is_app = digits.len() == 6 && !typed.chars().any(|c| c.is_ascii_alphabetic());
    let (place, now, old, new) = (
        visitor.place.clone(),
        web.now(),
        visitor.token.clone(),
        Token::random(),
    );
    let token = new.clone();
    let proved = web
        .people(move |people| {
            let taken = if is_app {
                people.totp_take(half.person, &digits, now)?
            } else {
                people.take_recovery_code(half.person, &typed, &place, now)?
            };
            match taken {
                Ok(true) => Ok(Ok(people.session_proved(&old, &new, now)?)),
                other => Ok(other),
            }
        })
        .await?
        .map_err(|throttled| Problem::rate_limited(throttled.0))?;
    if !proved {
        let error = visitor.speech().h("second-wrong");
        return second_page(&web, &visitor, &form.next, Some(error)).await;
    }
    let device = session::came_in(&web, &visitor, half.person).await?;
    tell(&web).await;
    let to = safe_next(&form.next).unwrap_or(session::HOME);
    let mut response = Redirect::to(to).into_response();
    session::set_sign_in_cookie(response.headers_mut(), &web, &token);
    session::set_device_cookie(response.headers_mut(), &web, &device);
    Ok(response)
}

/// The second factor is lost: waits, and after the wait removes it. Only after a code to the number, never after a
/// password: what somebody knows is not enough.
pub async fn recover(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<BareForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    let half = visitor.session.clone();
    let Some(half) = half.filter(|session| !session.complete && session.method == Method::Code) else {
        return Err(Fault::Unauthorized.into());
    };
    let (place, now, person) = (visitor.place.clone(), web.now(), half.person);
    let finished = web
        .people(move |people| {
            let finished = people.finish_recovery(person, &place, now)?;
            if !finished {
                people.ask_recovery(person, &place, now)?;
            }
            Ok(finished)
        })
        .await?;
    tell(&web).await;
    let to = if finished { "/sign-in" } else { session::SECOND };
    Ok(Redirect::to(to).into_response())
}

/// A form with nothing but its token.
#[derive(Deserialize)]
pub struct BareForm {
    /// Its token.
    pub form: String,
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
