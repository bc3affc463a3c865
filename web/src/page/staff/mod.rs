//! The side of those who work here: complaints, exceptions, suspense, subscribers, locks, and the trail of all of it.
//!
//! Staff have accounts, cookies and form tokens of their own: nothing that a subscriber holds opens a page here. What is done
//! stands in the trail before it is done.
//!
//! # Layout
//!
//! * here: who is signed in, what they may do, what every page shares. [`parts`]: lists, items and forms.
//! * [`sign`]: signing in, setting up. [`home`]: what waits.
//! * [`complaints`], [`subscribers`], [`locks`]: people. [`cards`]: who guesses scratch cards.
//! * [`money`]: exceptions, suspense, four eyes. [`figures`]: days compared.
//! * [`trail`]: the trail, and who is staff.

pub mod cards;
pub mod complaints;
pub mod figures;
pub mod home;
pub mod locks;
pub mod money;
pub mod parts;
pub mod sign;
pub mod subscribers;
pub mod trail;

use super::frame::{Frame, Visitor, cookie};
use super::session::{form_token, owns_form, safe_next};
use crate::problem::{Fault, Problem};
use crate::state::Web;
use crate::text::Html;
use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use people::Token;
use people::staff::{Duty, Member};
use people::staff_trail::{Actor, Deed};

/// Where one signs in.
const SIGN_IN: &str = "/staff/sign-in";
/// The first page; all others are below it.
const HOME: &str = "/staff";

/// The routes.
pub fn router() -> Router<Web> {
    Router::new()
        .route(HOME, get(home::show))
        .route(SIGN_IN, get(sign::ask).post(sign::enter))
        .route("/staff/set-up/{secret}", get(sign::invited).post(sign::set_up))
        .route("/staff/out", post(sign::out))
        .route("/staff/complaints", get(complaints::list))
        .route(
            "/staff/complaints/{id}",
            get(complaints::show).post(complaints::act),
        )
        .route(
            "/staff/subscribers",
            get(subscribers::ask).post(subscribers::find),
        )
        .route(
            "/staff/subscribers/{account}",
            get(subscribers::show).post(subscribers::open),
        )
        .route("/staff/locks", get(locks::list))
        .route("/staff/locks/{id}", get(locks::show).post(locks::act))
        .route("/staff/cards", get(cards::show).post(cards::find))
        .route("/staff/cards/batches", get(cards::batches))
        .route("/staff/cards/batches/{id}", get(cards::batch))
        .route("/staff/exceptions", get(money::exceptions))
        .route("/staff/exceptions.csv", get(figures::exceptions_csv))
        .route(
            "/staff/exceptions/{id}",
            get(money::exception).post(money::act_on_exception),
        )
        .route("/staff/suspense", get(money::suspense))
        .route(
            "/staff/suspense/{id}",
            get(money::suspended).post(money::act_on_suspense),
        )
        .route("/staff/approvals", get(money::wishes))
        .route("/staff/approvals/{id}", get(money::wish).post(money::decide))
        .route("/staff/figures", get(figures::show))
        .route("/staff/figures.csv", get(figures::csv))
        .route("/staff/figures.json", get(figures::json))
        .route("/staff/trail", get(trail::show))
        .route("/staff/team", get(trail::team).post(trail::change))
}

/// The name of the cookie: another one than subscribers have.
fn cookie_name(web: &Web) -> &'static str {
    if web.parts.https {
        "__Host-raseed-staff"
    } else {
        "raseed_staff"
    }
}

/// Gives the browser a sign-in of staff, or takes it away. It ends with the browser, and comes from no other site.
fn set_cookie(headers: &mut HeaderMap, web: &Web, token: Option<&Token>) {
    let secure = if web.parts.https { "; Secure" } else { "" };
    let (value, age) = token.map_or((String::new(), "; Max-Age=0"), |token| (token.cookie(), ""));
    let text = format!(
        "{}={value}; Path=/; HttpOnly; SameSite=Strict{age}{secure}",
        cookie_name(web)
    );
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.append(header::SET_COOKIE, value);
    }
}

/// Somebody of staff who is signed in.
pub struct Desk {
    /// Who.
    pub member: Member,
    /// Their browser's token.
    pub token: Token,
    /// Language, theme, place.
    pub visitor: Visitor,
}

impl FromRequestParts<Web> for Desk {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Desk, Response> {
        let visitor = Visitor::from_request_parts(parts, web)
            .await
            .map_err(IntoResponse::into_response)?;
        let away = || {
            let next = safe_next(parts.uri.path()).unwrap_or(HOME);
            Redirect::to(&format!("{SIGN_IN}?next={next}")).into_response()
        };
        let token = cookie(&parts.headers, cookie_name(web)).and_then(Token::parse);
        let Some(token) = token else {
            return Err(away());
        };
        let (known, place, now) = (token.clone(), visitor.place.clone(), web.now());
        let session = web
            .people(move |people| people.staff_session(&known, &place, now))
            .await
            .map_err(IntoResponse::into_response)?;
        match session {
            Some(session) => Ok(Desk {
                member: session.member,
                token,
                visitor,
            }),
            None => Err(away()),
        }
    }
}

impl Desk {
    /// Who acts, for the trail.
    pub fn actor(&self) -> Actor {
        Actor::of(&self.member, &self.visitor.place)
    }

    /// Whether this is their work. Who tries something else stands in the trail.
    ///
    /// # Errors
    /// [`Fault::NotYourRole`].
    pub async fn may(&self, web: &Web, duty: Duty) -> Result<(), Problem> {
        if self.member.role.may(duty) {
            return Ok(());
        }
        self.note(web, Deed::NotAllowed, duty.name(), "").await?;
        Err(Fault::NotYourRole.into())
    }

    /// Writes a line of the trail.
    ///
    /// # Errors
    /// [`Fault::Internal`]: what cannot be written is not done.
    pub async fn note(&self, web: &Web, deed: Deed, about: &str, detail: &str) -> Result<(), Problem> {
        let (by, about, detail, now) = (self.actor(), about.to_owned(), detail.to_owned(), web.now());
        web.people(move |people| people.staff_note(&by, deed, &about, &detail, now))
            .await
    }

    /// Before anything is done: the form is ours and theirs, and the work is theirs.
    ///
    /// # Errors
    /// [`Fault::BadRequest`] for a form of somebody else, [`Fault::NotYourRole`].
    pub async fn check(&self, web: &Web, form: &str, duty: Duty) -> Result<(), Problem> {
        if !owns_form(&self.token, &web.parts.secret, form) {
            return Err(Fault::BadRequest.into());
        }
        self.may(web, duty).await
    }

    /// What every page of staff shares.
    pub fn frame(&self, web: &Web, title: String) -> Frame {
        let mut frame = self.visitor.nobody().frame(web, title);
        frame.form_token = form_token(&self.token, &web.parts.secret);
        frame
    }

    /// Name, role and places.
    pub fn bar(&self, here: &str) -> Bar {
        let t = self.visitor.speech();
        let role = t.p(&format!("staff-role-{}", self.member.role.name()));
        let places = [
            (HOME, "home", None),
            ("/staff/complaints", "complaints", Some(Duty::Complaints)),
            ("/staff/subscribers", "subscribers", Some(Duty::Subscribers)),
            ("/staff/locks", "locks", Some(Duty::Locks)),
            ("/staff/exceptions", "exceptions", Some(Duty::Exceptions)),
            ("/staff/suspense", "suspense", Some(Duty::Suspense)),
            ("/staff/approvals", "approvals", Some(Duty::Approvals)),
            ("/staff/figures", "figures", Some(Duty::Figures)),
            ("/staff/trail", "trail", Some(Duty::Trail)),
            ("/staff/team", "team", Some(Duty::Team)),
        ];
        let mine = places
            .into_iter()
            .filter(|(_, _, duty)| duty.is_none_or(|duty| self.member.role.may(duty)));
        Bar {
            home: HOME,
            who: Html::isolated(&format!("\u{2068}{}\u{2069} \u{b7} {role}", self.member.name)),
            places: mine
                .map(|(path, name, _)| (path, t.h(&format!("staff-{name}")), name == here))
                .collect(),
        }
    }
}

/// The head of every page of staff.
pub struct Bar {
    /// Where all its pages are.
    pub home: &'static str,
    /// Name and role.
    pub who: Html,
    /// Address, name, and whether it is here.
    pub places: Vec<(&'static str, Html, bool)>,
}
