//! How one signs in and where one is signed in: password, passkeys, second factor, recovery codes, sign-ins, what was done,
//! and "this wasn't me".

use super::frame::{Frame, Visitor, page, status_of};
use super::passkey;
use super::profile::{tell, zone};
use super::session::safe_next;
use super::signin::BareForm;
use crate::number;
use crate::problem::Problem;
use crate::state::Web;
use crate::text::Html;
use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use charge::{Msisdn, Timestamp};
use people::People;
use people::audit::Deed;
use people::password::{self, WeakPassword};
use people::sessions::{Method, Place, Session};
use serde::Deserialize;

/// Where this page is: also for whoever finds that an account is locked.
pub const HERE: &str = "/security";
/// Lines of the trail that are shown.
const AUDIT_LINES: i64 = 20;
/// What can have happened just before, as `?done=`.
const DONE: [&str; 8] = [
    "password",
    "passkey",
    "removed",
    "totp",
    "totp-off",
    "ended",
    "unlocked",
    "cancelled",
];

impl Visitor {
    /// The complete sign-in, also without a number.
    pub fn member(&self) -> Option<Session> {
        self.session.clone().filter(|session| session.complete)
    }

    /// The same, when it was proved recently enough to change how one signs in.
    pub fn fresh(&self, now: Timestamp) -> Option<Session> {
        self.member().filter(|session| session.is_fresh(now))
    }
}

/// Sends somebody to sign in, and back.
pub fn to_sign_in(next: &str) -> Response {
    let next = safe_next(next).unwrap_or("/");
    Redirect::to(&format!("/sign-in?next={next}")).into_response()
}

/// How lately somebody must have proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    /// Any complete sign-in will do.
    SignedIn,
    /// Lately: it changes how one signs in, or it is what a thief would want.
    Fresh,
}

/// A form of a member.
pub struct Ask<'a> {
    /// The token of the form.
    form: &'a str,
    /// What must have been proved.
    proof: Proof,
    /// Where somebody comes back to who must sign in first.
    here: &'static str,
    /// Where one goes when it is done.
    next: &'static str,
}

impl<'a> Ask<'a> {
    /// Of anybody who is signed in, from the page to which it leads back.
    pub fn signed_in(form: &'a str, next: &'static str) -> Ask<'a> {
        Ask {
            form,
            proof: Proof::SignedIn,
            here: next.split('?').next().unwrap_or(next),
            next,
        }
    }

    /// The same, after a fresh proof.
    pub fn fresh(form: &'a str, next: &'static str) -> Ask<'a> {
        Ask {
            proof: Proof::Fresh,
            ..Ask::signed_in(form, next)
        }
    }
}

/// What a member asks for with a form: the form is ours, they are signed in, it is done, and the browser goes on.
///
/// # Errors
/// [`crate::problem::Fault::BadRequest`] for a form of somebody else; [`crate::problem::Fault::Internal`].
pub async fn member_does<T: Send + 'static>(
    web: &Web,
    visitor: &Visitor,
    ask: Ask<'_>,
    work: impl FnOnce(&People, &Session, &Place, Timestamp) -> people::db::Result<T> + Send + 'static,
) -> Result<Response, Problem> {
    visitor.check_form(web, ask.form)?;
    let now = web.now();
    let session = match ask.proof {
        Proof::SignedIn => visitor.member(),
        Proof::Fresh => visitor.fresh(now),
    };
    let Some(session) = session else {
        return Ok(to_sign_in(ask.here));
    };
    let place = visitor.place.clone();
    web.people(move |people| work(people, &session, &place, now))
        .await?;
    tell(web).await;
    Ok(Redirect::to(ask.next).into_response())
}

#[derive(Template)]
#[template(path = "security.html")]
struct Security {
    page: Frame,
    done: Option<Html>,
    error: Option<Html>,
    fresh: bool,
    locked: bool,
    waiting: Option<Html>,
    password: Option<Html>,
    passkeys_possible: bool,
    passkeys: Vec<(i64, Html, Html)>,
    totp: bool,
    codes_left: Html,
    sessions: Vec<Row>,
    trail: Vec<(Html, Html, Html)>,
}

/// A sign-in of the list.
struct Row {
    id: i64,
    device: Html,
    detail: Html,
    here: bool,
}

/// What happened just before.
#[derive(Default, Deserialize)]
pub struct Before {
    done: Option<String>,
    wrong: Option<String>,
}

/// Everything about signing in.
pub async fn show(
    State(web): State<Web>,
    visitor: Visitor,
    headers: HeaderMap,
    Query(before): Query<Before>,
) -> Result<Response, Problem> {
    let Some(session) = visitor.member() else {
        return Ok(to_sign_in("/security"));
    };
    let (t, now, zone, person) = (visitor.speech(), web.now(), zone(&web), session.person);
    let known = web.people(move |people| {
        Ok((
            people.password_set_at(person)?,
            people.passkeys_of(person)?,
            people.has_totp(person)?,
            people.recovery_codes_left(person)?,
            people.sessions_of(person, now)?,
            people.audit_of(person, AUDIT_LINES)?,
            people.recovery_waiting(person, now)?,
        ))
    });
    let (set_at, passkeys, totp, codes_left, sessions, trail, waiting) = known.await?;
    let when =
        |key: &str, at: Timestamp| Html::isolated(&t.with(key, &[("moment", t.moment(at, &zone).into())]));
    let row = |known: &Session| Row {
        id: known.id,
        device: Html::bdi(if known.place.device.is_empty() {
            "?"
        } else {
            &known.place.device
        }),
        detail: Html::isolated(&t.with(
            "session-detail",
            &[
                ("moment", t.moment(known.seen_at, &zone).into()),
                ("place", known.place.address.clone().into()),
                ("method", t.p(&format!("method-{}", known.method.name())).into()),
            ],
        )),
        here: known.id == session.id,
    };
    let line = |line: &people::audit::AuditLine| {
        let deed = Deed::ALL.into_iter().find(|deed| deed.name() == line.deed);
        let place = format!("{} \u{b7} {}", line.place.device, line.place.address);
        (
            deed.map_or(Html::default(), |deed| t.h(&format!("deed-{}", deed.name()))),
            Html::bdi(&t.moment(line.at, &zone)),
            Html::bdi(&place),
        )
    };
    let template = Security {
        page: visitor.frame(&web, t.p("security-title")),
        done: before
            .done
            .filter(|name| DONE.contains(&name.as_str()))
            .map(|name| t.h(&format!("done-{name}"))),
        error: before
            .wrong
            .filter(|name| WRONG.contains(&name.as_str()))
            .map(|name| t.h(&format!("wrong-{name}"))),
        fresh: session.is_fresh(now),
        locked: session.locked,
        waiting: waiting.map(|waiting| when("security-waiting", waiting.ready_at)),
        password: set_at.map(|at| when("password-since", at)),
        passkeys_possible: passkey::site(&web, &headers).is_some(),
        passkeys: passkeys
            .iter()
            .map(|passkey| {
                let name = if passkey.name.is_empty() {
                    "?"
                } else {
                    &passkey.name
                };
                let made = when("passkey-made", passkey.created_at);
                (passkey.number, Html::bdi(name), made)
            })
            .collect(),
        totp,
        codes_left: Html::isolated(&t.with("codes-left", &[("count", codes_left.into())])),
        sessions: sessions.iter().map(row).collect(),
        trail: trail.iter().map(line).collect(),
    };
    Ok(page(StatusCode::OK, &template))
}

/// What can be wrong, as `?wrong=`.
const WRONG: [&str; 5] = ["short", "long", "common", "number", "code"];

/// A new password.
#[derive(Deserialize)]
pub struct PasswordForm {
    password: String,
    form: String,
}

/// Sets or changes the password. Every other sign-in ends.
pub async fn set_password(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<PasswordForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    let Some(session) = visitor.fresh(web.now()) else {
        return Ok(to_sign_in("/security"));
    };
    let person = session.person;
    let numbers = numbers_of(&web, &session).await?;
    if let Err(weak) = password::check_new(&form.password, &numbers) {
        let name = match weak {
            WeakPassword::Short => "short",
            WeakPassword::Long => "long",
            WeakPassword::Common => "common",
            WeakPassword::Number => "number",
        };
        return Ok(Redirect::to(&format!("/security?wrong={name}")).into_response());
    }
    let (place, now, password) = (visitor.place.clone(), web.now(), form.password);
    web.people_hashing(move |people| {
        let hash = people.hash_password(&password)?;
        people.set_password(person, &hash, &place, now)?;
        people.end_sessions(person, Some(session.id), &place, now)
    })
    .await?;
    tell(&web).await;
    Ok(done("password"))
}

async fn numbers_of(web: &Web, session: &Session) -> Result<Vec<Msisdn>, Problem> {
    let person = session.person;
    let owned = web.people(move |people| people.numbers_of(person)).await?;
    Ok(owned.iter().map(|owned| owned.number).collect())
}

fn done(what: &str) -> Response {
    Redirect::to(&format!("/security?done={what}")).into_response()
}

/// Which of a list.
#[derive(Deserialize)]
pub struct WhichForm {
    which: i64,
    form: String,
}

/// Takes the password away.
pub async fn remove_password(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<BareForm>,
) -> Result<Response, Problem> {
    let ask = Ask::fresh(&form.form, "/security?done=removed");
    member_does(&web, &visitor, ask, move |people, who, place, now| {
        people.remove_password(who.person, place, now)
    })
    .await
}

/// Takes a passkey away.
pub async fn remove_passkey(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<WhichForm>,
) -> Result<Response, Problem> {
    let ask = Ask::fresh(&form.form, "/security?done=removed");
    member_does(&web, &visitor, ask, move |people, who, place, now| {
        people.remove_passkey(who.person, form.which, place, now)
    })
    .await
}

#[derive(Template)]
#[template(path = "totp.html")]
struct Totp {
    page: Frame,
    secret: Html,
    link: String,
    error: Option<Html>,
}

/// Shows a new secret for an authenticator app.
pub async fn totp_begin(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<BareForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    let Some(session) = visitor.fresh(web.now()) else {
        return Ok(to_sign_in("/security"));
    };
    let person = session.person;
    let secret = web
        .people(move |people| {
            if people.has_totp(person)? {
                Ok(None)
            } else {
                people.totp_begin(person).map(Some)
            }
        })
        .await?;
    Ok(match secret {
        Some(secret) => totp_page(&web, &visitor, &secret, None),
        None => done("totp"),
    })
}

fn totp_page(web: &Web, visitor: &Visitor, secret: &str, error: Option<Html>) -> Response {
    let status = status_of(error.as_ref());
    let groups: Vec<String> = secret
        .as_bytes()
        .chunks(4)
        .map(|four| String::from_utf8_lossy(four).into_owned())
        .collect();
    let template = Totp {
        page: visitor.frame(web, visitor.speech().p("totp-title")),
        secret: Html::bdi(&groups.join(" ")),
        link: format!("otpauth://totp/Raseed?secret={secret}&issuer=Raseed"),
        error,
    };
    page(status, &template)
}

/// A code that shows that the app has the secret.
#[derive(Deserialize)]
pub struct CodeForm {
    code: String,
    form: String,
}

/// Puts the second factor in force, and gives recovery codes.
pub async fn totp_confirm(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<CodeForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    let Some(session) = visitor.fresh(web.now()) else {
        return Ok(to_sign_in("/security"));
    };
    let digits = number::code_digits(&form.code);
    let (place, now, person) = (visitor.place.clone(), web.now(), session.person);
    let confirmed = web
        .people(move |people| people.totp_confirm(person, &digits, &place, now))
        .await?
        .map_err(|throttled| Problem::rate_limited(throttled.0))?;
    if confirmed {
        tell(&web).await;
        return codes_page(&web, &visitor, &session).await;
    }
    let secret = web.people(move |people| people.totp_pending(person)).await?;
    let error = visitor.speech().h("second-wrong");
    Ok(match secret {
        Some(secret) => totp_page(&web, &visitor, &secret, Some(error)),
        None => done("totp"),
    })
}

/// Takes the second factor away.
pub async fn totp_off(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<BareForm>,
) -> Result<Response, Problem> {
    let ask = Ask::fresh(&form.form, "/security?done=totp-off");
    member_does(&web, &visitor, ask, move |people, who, place, now| {
        people.totp_off(who.person, place, now)
    })
    .await
}

#[derive(Template)]
#[template(path = "codes.html")]
struct Codes {
    page: Frame,
    codes: Vec<Html>,
}

/// New recovery codes.
pub async fn recovery_codes(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<BareForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    match visitor.fresh(web.now()) {
        Some(session) => codes_page(&web, &visitor, &session).await,
        None => Ok(to_sign_in("/security")),
    }
}

async fn codes_page(web: &Web, visitor: &Visitor, session: &Session) -> Result<Response, Problem> {
    let (place, now, person) = (visitor.place.clone(), web.now(), session.person);
    let codes = web
        .people(move |people| people.make_recovery_codes(person, &place, now))
        .await?;
    let template = Codes {
        page: visitor.frame(web, visitor.speech().p("codes-title")),
        codes: codes.iter().map(|code| Html::bdi(code)).collect(),
    };
    Ok(page(StatusCode::OK, &template))
}

/// Ends one sign-in.
pub async fn end_session(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<WhichForm>,
) -> Result<Response, Problem> {
    let ask = Ask::signed_in(&form.form, "/security?done=ended");
    member_does(&web, &visitor, ask, move |people, who, place, now| {
        people.end_session(who.person, form.which, place, now)
    })
    .await
}

/// Signs out everywhere, here as well.
pub async fn end_sessions(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<BareForm>,
) -> Result<Response, Problem> {
    let ask = Ask {
        next: "/",
        ..Ask::signed_in(&form.form, "/security")
    };
    member_does(&web, &visitor, ask, move |people, who, place, now| {
        people.end_sessions(who.person, None, place, now)
    })
    .await
}

/// The owner is there: no recovery.
pub async fn cancel_recovery(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<BareForm>,
) -> Result<Response, Problem> {
    let ask = Ask::signed_in(&form.form, "/security?done=cancelled");
    member_does(&web, &visitor, ask, move |people, who, place, now| {
        people.cancel_recovery(who.person, place, now)
    })
    .await
}

#[derive(Template)]
#[template(path = "notme.html")]
struct NotMe {
    page: Frame,
    about: String,
}

/// What it is about: a sign-in, a movement.
#[derive(Default, Deserialize)]
pub struct About {
    #[serde(default)]
    about: String,
}

/// Asks before it locks.
pub async fn not_me(State(web): State<Web>, visitor: Visitor, Query(about): Query<About>) -> Response {
    if visitor.member().is_none() {
        return to_sign_in("/not-me");
    }
    let template = NotMe {
        page: visitor.frame(&web, visitor.speech().p("notme-title")),
        about: about.about.chars().take(100).collect(),
    };
    page(StatusCode::OK, &template)
}

/// What it is about, and yes.
#[derive(Deserialize)]
pub struct NotMeForm {
    #[serde(default)]
    about: String,
    form: String,
}

#[derive(Template)]
#[template(path = "locked.html")]
struct Locked {
    page: Frame,
}

/// Ends every sign-in, stops value from leaving, tells support and the numbers.
pub async fn lock(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<NotMeForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    let Some(session) = visitor.member() else {
        return Ok(to_sign_in("/not-me"));
    };
    let (place, now, person) = (visitor.place.clone(), web.now(), session.person);
    web.people(move |people| people.lock(person, &form.about, &place, now))
        .await?;
    tracing::warn!(%person, "somebody said that it was not them: the account is locked");
    tell(&web).await;
    let template = Locked {
        page: visitor.nobody().frame(&web, visitor.speech().p("locked-title")),
    };
    Ok(page(StatusCode::OK, &template))
}

/// Takes the lock off, after a fresh proof that is more than the number alone where there is one.
pub async fn unlock(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<BareForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    let Some(session) = visitor.fresh(web.now()) else {
        return Ok(to_sign_in("/security"));
    };
    let (place, now, person, method) = (visitor.place.clone(), web.now(), session.person, session.method);
    let unlocked = web
        .people(move |people| {
            let more = people.password_set_at(person)?.is_some() || !people.passkeys_of(person)?.is_empty();
            // With a second factor, every way of signing in has shown more than the number.
            let enough = method != Method::Code || !more || people.has_totp(person)?;
            if enough {
                people.unlock(person, &place, now)?;
            }
            Ok(enough)
        })
        .await?;
    if !unlocked {
        return Ok(to_sign_in("/security"));
    }
    tell(&web).await;
    Ok(done("unlocked"))
}
