//! Ways to reach somebody beside SMS, on the profile: a proven e-mail address, and browsers that take push messages.

use super::frame::{Frame, Visitor, page, status_of};
use super::profile::{is_address, tell};
use super::security::{Ask, member_does, to_sign_in};
use super::signin::BareForm;
use crate::number;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use crate::text::{self, Html};
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Form, Json};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use people::addresses::{PushId, Subscription};
use people::sessions::Session;
use people::throttle::Throttled;
use serde::Deserialize;
use serde_json::json;

/// What the profile shows of it.
pub struct Reachable {
    /// E-mail can be sent from here.
    pub mail: bool,
    /// The proven address.
    pub address: Option<Html>,
    /// The key that browsers subscribe with; none: no push from here.
    pub push_key: Option<String>,
    /// Browsers that take push messages: which, and the device.
    pub browsers: Vec<(i64, Html)>,
}

impl Reachable {
    /// Of a signed-in person.
    ///
    /// # Errors
    /// [`Fault::Internal`] when the file of people does not answer.
    pub async fn of(web: &Web, session: &Session) -> Result<Reachable, Problem> {
        let person = session.person;
        let known = web.people(move |people| Ok((people.email_of(person)?, people.push_of(person)?)));
        let (email, browsers) = known.await?;
        Ok(Reachable {
            mail: web.parts.ways.mail.is_some(),
            address: email.map(|email| Html::bdi(&email.address)),
            push_key: web.parts.ways.push_key.clone(),
            browsers: browsers
                .iter()
                .map(|browser| {
                    let device = if browser.device.is_empty() {
                        "?"
                    } else {
                        &browser.device
                    };
                    (browser.id.0, Html::bdi(device))
                })
                .collect(),
        })
    }
}

#[derive(Template)]
#[template(path = "email.html")]
struct EmailCode {
    page: Frame,
    sent: Html,
    error: Option<Html>,
}

/// An address to prove, or the code that was sent to it.
#[derive(Deserialize)]
pub struct EmailForm {
    #[serde(default)]
    email: String,
    #[serde(default)]
    code: String,
    form: String,
}

/// Sends a code to an address. The page does not wait for it.
pub async fn email_code(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<EmailForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    let Some(session) = visitor.fresh(web.now()) else {
        return Ok(to_sign_in("/profile"));
    };
    let mailer = web.parts.ways.mail.clone().ok_or(Fault::NotFound)?;
    let address = form.email.trim().to_owned();
    if !is_address(&address) {
        let error = visitor.speech().h("profile-email-wrong");
        return super::profile::show_with(&web, &visitor, false, Some(error)).await;
    }
    let (to, now) = (address.clone(), web.now());
    let made = web
        .people(move |people| people.new_mail_code(session.person, &to, now))
        .await?;
    let code = made.map_err(|Throttled(wait)| Problem::rate_limited(wait))?;
    let language = visitor.language;
    let subject = text::plain(language, "email-code-subject", &[]).replace(text::ISOLATES, "");
    let body = text::plain(language, "email-code-text", &[("code", code.into())]);
    tokio::spawn(async move {
        if let Err(error) = mailer.send_code(address, subject, body).await {
            tracing::warn!(%error, "a code by e-mail was not sent");
        }
    });
    Ok(code_page(&web, &visitor, None))
}

fn code_page(web: &Web, visitor: &Visitor, error: Option<Html>) -> Response {
    let t = visitor.speech();
    let status = status_of(error.as_ref());
    let template = EmailCode {
        page: visitor.frame(web, t.p("email-title")),
        sent: t.h("email-sent"),
        error,
    };
    page(status, &template)
}

/// Proves the address with the code that was sent to it.
pub async fn email_prove(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<EmailForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    let Some(session) = visitor.fresh(web.now()) else {
        return Ok(to_sign_in("/profile"));
    };
    let digits = number::code_digits(&form.code);
    let (place, now) = (visitor.place.clone(), web.now());
    let proven = web
        .people(move |people| people.prove_email(session.person, &digits, &place, now))
        .await?;
    match proven {
        Err(Throttled(wait)) => Err(Problem::rate_limited(wait)),
        Ok(false) => {
            let error = visitor.speech().h("error-code");
            Ok(code_page(&web, &visitor, Some(error)))
        }
        Ok(true) => {
            tell(&web).await;
            Ok(Redirect::to("/profile?done=1").into_response())
        }
    }
}

/// Takes the address off.
pub async fn email_remove(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<BareForm>,
) -> Result<Response, Problem> {
    let ask = Ask::fresh(&form.form, "/profile?done=1");
    member_does(&web, &visitor, ask, move |people, who, place, now| {
        people.remove_email(who.person, place, now)
    })
    .await
}

/// What a browser says when it takes push messages.
#[derive(Deserialize)]
pub struct PushForm {
    form: String,
    endpoint: String,
    p256dh: String,
    auth: String,
}

/// Takes in this browser.
pub async fn push_add(
    State(web): State<Web>,
    visitor: Visitor,
    Json(said): Json<PushForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &said.form)?;
    let session = visitor.member().ok_or(Fault::Unauthorized)?;
    if web.parts.ways.push_key.is_none() {
        return Err(Fault::NotFound.into());
    }
    // A stranger chose the address of the push service: the same rules as for callbacks.
    let target = web.parts.ways.push_reach.target(&said.endpoint, false);
    target.map_err(|reason| Problem::field(Fault::BadField, "endpoint").hint(reason))?;
    let bytes = |text: &str| {
        let decoded = URL_SAFE_NO_PAD.decode(text.trim_end_matches('='));
        decoded.map_err(|_| Problem::from(Fault::BadRequest))
    };
    let subscription = Subscription {
        key: bytes(&said.p256dh)?,
        auth: bytes(&said.auth)?,
        endpoint: said.endpoint,
    };
    let (place, now) = (visitor.place.clone(), web.now());
    let added = web
        .people(move |people| people.add_push(session.person, &subscription, &place, now))
        .await?;
    if !added {
        return Err(Fault::BadRequest.into());
    }
    Ok(Json(json!({"to": "/profile?done=1"})).into_response())
}

/// Which browser.
#[derive(Deserialize)]
pub struct BrowserForm {
    which: i64,
    form: String,
}

/// Takes a browser off.
pub async fn push_remove(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<BrowserForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    let Some(session) = visitor.member() else {
        return Ok(to_sign_in("/profile"));
    };
    let (place, now) = (visitor.place.clone(), web.now());
    let removed = web
        .people(move |people| people.remove_push(session.person, PushId(form.which), &place, now))
        .await?;
    if removed {
        Ok(Redirect::to("/profile?done=1").into_response())
    } else {
        Err(Fault::NotFound.into())
    }
}
