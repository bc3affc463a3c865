//! The point of sale: a web app for a cheap phone and a thermal printer, for those who work at an outlet.
//!
//! A sign-in here is a sealed cookie: who, where, since when, and with which PIN. It is good while that person works there with
//! that PIN, for half a day at most, and on a bound device when the outlet sells from bound devices only. Every sale goes through
//! [`crate::chain::sell`]: here is no guard of its own.
//!
//! # Layout
//!
//! * here: who stands at the till, what every page shares. [`sign`]: signing in, devices, changing a PIN.
//! * [`sell`]: from a number to a sale. [`slip`]: one sale, its receipt, taking it back; the list of sales.
//! * [`day`]: the day and its cash. [`float`](mod@float): what one can sell from, and asking for more.

pub mod day;
pub mod float;
pub mod sell;
pub mod sign;
pub mod slip;

use super::frame::{Frame, Visitor, cookie};
use crate::api::auth::same_bytes;
use crate::chain::sale::device_hash;
use crate::number::latin_digit;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use crate::text::Html;
use axum::Router;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use charge::partner::Partner;
use charge::seller::{Role, Seller, Staff};
use charge::time::{HOUR, Zone};
use charge::{Code, Money, PartnerId, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Where one signs in.
const SIGN_IN: &str = "/pos/sign-in";
/// The first page; all others are below it.
const HOME: &str = "/pos";
/// A shift: a sign-in ends after it.
const SHIFT: i64 = 12 * HOUR;
const MAC_BYTES: usize = 16;
const PIN_MARK_BYTES: usize = 8;
/// Everything in a sign-in but the login.
const FIXED_BYTES: usize = 4 + 8 + PIN_MARK_BYTES;

/// The routes.
pub fn router() -> Router<Web> {
    Router::new()
        .route(HOME, get(sell::show))
        .route("/pos/check", get(sell::show).post(sell::check))
        .route("/pos/sell", get(sell::show).post(sell::sell))
        .route(SIGN_IN, get(sign::ask).post(sign::enter))
        .route("/pos/pin", get(sign::pin).post(sign::change_pin))
        .route("/pos/out", post(sign::out))
        .route("/pos/sales", get(slip::list))
        .route("/pos/sale/{id}", get(slip::show).post(slip::take_back))
        .route("/pos/day", get(day::show).post(day::close))
        .route("/pos/float", get(float::show).post(float::act))
}

/// Somebody who stands at the till.
pub struct Till {
    /// The outlet.
    pub seller: Box<Seller>,
    /// Its float and name.
    pub partner: Box<Partner>,
    /// Who.
    pub staff: Staff,
    /// What the device shows with each sale.
    pub device: Option<String>,
    /// Language, theme.
    pub visitor: Visitor,
}

impl FromRequestParts<Web> for Till {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Till, Response> {
        let visitor = Visitor::from_request_parts(parts, web)
            .await
            .map_err(IntoResponse::into_response)?;
        let found = found(web, &parts.headers)
            .await
            .map_err(IntoResponse::into_response)?;
        match found {
            Some((seller, partner, staff)) => Ok(Till {
                seller,
                partner,
                staff,
                device: device(web, &parts.headers),
                visitor,
            }),
            None => Err(Redirect::to(SIGN_IN).into_response()),
        }
    }
}

/// Who the cookies say, if they still may.
async fn found(
    web: &Web,
    headers: &HeaderMap,
) -> Result<Option<(Box<Seller>, Box<Partner>, Staff)>, Problem> {
    let text = cookie(headers, session_name(web));
    let Some(session) = text.and_then(|text| Session::open(text, &web.parts.secret, web.now())) else {
        return Ok(None);
    };
    let (Some(seller), Some(partner)) = (
        web.seller(session.seller).await?,
        web.partner(session.seller).await?,
    ) else {
        return Ok(None);
    };
    let known = seller.staff(session.staff).filter(|staff| {
        !staff.is_locked() && !staff.change && same_bytes(&pin_mark(&staff.pin), &session.pin_mark)
    });
    let Some(staff) = known.cloned() else {
        return Ok(None);
    };
    let at_home = !seller.bound || is_bound(&seller, device(web, headers).as_deref());
    Ok((at_home && seller.check_open().is_ok()).then_some((seller, partner, staff)))
}

/// Whether a device shows what a bound one does.
fn is_bound(seller: &Seller, secret: Option<&str>) -> bool {
    secret.is_some_and(|secret| {
        let hash = device_hash(secret);
        seller
            .devices
            .iter()
            .any(|device| same_bytes(&device.hash, &hash))
    })
}

/// A sign-in as the cookie holds it.
struct Session {
    seller: PartnerId,
    staff: Code,
    since: Timestamp,
    /// Another PIN ends it.
    pin_mark: [u8; PIN_MARK_BYTES],
}

impl Session {
    fn of(seller: &Seller, staff: &Staff, now: Timestamp) -> Session {
        Session {
            seller: seller.place.id,
            staff: staff.code,
            since: now,
            pin_mark: pin_mark(&staff.pin),
        }
    }

    fn seal(&self, secret: &[u8; 32]) -> String {
        let mut bytes = Vec::with_capacity(64);
        bytes.extend_from_slice(&self.seller.0.to_be_bytes());
        bytes.extend_from_slice(&self.since.0.to_be_bytes());
        bytes.extend_from_slice(&self.pin_mark);
        bytes.extend_from_slice(self.staff.as_str().as_bytes());
        let seal = sealed(secret, b"raseed pos session 1", &bytes);
        bytes.extend_from_slice(&seal);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn open(text: &str, secret: &[u8; 32], now: Timestamp) -> Option<Session> {
        if text.len() > 256 {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (body, seal) = bytes.split_at_checked(bytes.len().checked_sub(MAC_BYTES)?)?;
        if !same_bytes(&sealed(secret, b"raseed pos session 1", body), seal) {
            return None;
        }
        let (fixed, staff) = body.split_at_checked(FIXED_BYTES)?;
        let session = Session {
            seller: PartnerId(u32::from_be_bytes(fixed[..4].try_into().ok()?)),
            since: Timestamp(i64::from_be_bytes(fixed[4..12].try_into().ok()?)),
            pin_mark: fixed[12..].try_into().ok()?,
            staff: Code::new(std::str::from_utf8(staff).ok()?)?,
        };
        let age = now.0 - session.since.0;
        (0..SHIFT).contains(&age).then_some(session)
    }
}

fn sealed(secret: &[u8; 32], label: &[u8], body: &[u8]) -> [u8; MAC_BYTES] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(label);
    mac.update(body);
    let mut out = [0; MAC_BYTES];
    out.copy_from_slice(&mac.finalize().into_bytes()[..MAC_BYTES]);
    out
}

fn pin_mark(hash: &str) -> [u8; PIN_MARK_BYTES] {
    let digest = Sha256::digest(hash.as_bytes());
    let mut out = [0; PIN_MARK_BYTES];
    out.copy_from_slice(&digest[..PIN_MARK_BYTES]);
    out
}

fn session_name(web: &Web) -> &'static str {
    if web.parts.https {
        "__Host-raseed-pos"
    } else {
        "raseed_pos"
    }
}

fn device_name(web: &Web) -> &'static str {
    if web.parts.https {
        "__Host-raseed-pos-device"
    } else {
        "raseed_pos_device"
    }
}

/// What this browser shows as a device.
fn device(web: &Web, headers: &HeaderMap) -> Option<String> {
    cookie(headers, device_name(web))
        .filter(|secret| secret.len() <= crate::limits::NAME_BYTES_MAX)
        .map(str::to_owned)
}

/// Sets a cookie that comes from no other site and that no script reads; an empty one goes.
fn put_cookie(headers: &mut HeaderMap, web: &Web, (name, value): (&str, &str), age_s: i64) {
    let secure = if web.parts.https { "; Secure" } else { "" };
    let age_s = if value.is_empty() { 0 } else { age_s };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age_s}{secure}");
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.append(header::SET_COOKIE, value);
    }
}

impl Till {
    /// May this role do it? A cashier sells; a manager moves stock, closes days and takes sales back.
    ///
    /// # Errors
    /// [`Fault::NotYourRole`].
    pub fn manages(&self) -> Result<(), Problem> {
        match self.staff.role {
            Role::Cashier => Err(Fault::NotYourRole.into()),
            Role::Manager | Role::Owner => Ok(()),
        }
    }

    /// What every page shares.
    pub fn frame(&self, web: &Web, key: &str) -> Frame {
        self.visitor.nobody().frame(web, self.visitor.speech().p(key))
    }

    /// Where one is, and what there is to sell from.
    pub fn bar(&self, here: &str) -> Bar {
        let t = self.visitor.speech();
        let places = [
            (HOME, "sell"),
            ("/pos/sales", "sales"),
            ("/pos/day", "day"),
            ("/pos/float", "float"),
        ];
        let float = t.money(self.partner.float, "PKR");
        let low = self.seller.low
            || (self.seller.low_mark.is_positive() && self.partner.float < self.seller.low_mark);
        Bar {
            home: HOME,
            who: Html::isolated(&format!(
                "\u{2068}{}\u{2069} \u{b7} \u{2068}{}\u{2069}",
                self.partner.name, self.staff.name
            )),
            low: low.then(|| Html::isolated(&t.with("pos-low", &[("amount", float.clone().into())]))),
            float: Html::bdi(&float),
            places: places
                .into_iter()
                .map(|(path, name)| (path, t.h(&format!("pos-{name}")), name == here))
                .collect(),
        }
    }
}

/// The head of every page.
pub struct Bar {
    /// Where all its pages are.
    pub home: &'static str,
    /// Outlet and name.
    pub who: Html,
    /// What there is to sell from.
    pub float: Html,
    /// That it is little.
    pub low: Option<Html>,
    /// Address, name, and whether it is here.
    pub places: Vec<(&'static str, Html, bool)>,
}

/// What a problem says to people: title and what to do.
fn words(problem: &Problem, visitor: &Visitor) -> Html {
    let document = problem.document(visitor.language, "");
    Html::isolated(&format!(
        "{}. {}",
        document.title.trim_end_matches('.'),
        document.detail
    ))
}

/// Digits as people type them, in Latin ones.
fn latin(text: &str, max: usize) -> String {
    text.trim()
        .chars()
        .take(max)
        .map(|c| latin_digit(c).unwrap_or(c))
        .collect()
}

/// An amount as people type it, in whole hundredths.
fn amount(text: &str) -> Option<Money> {
    let gross = Money::parse(&latin(text, 20).replace(',', "")).ok()?;
    (gross.0 % (charge::money::MICROS / 100) == 0 && gross.0 >= 0).then_some(gross)
}

/// The calendar of the chain.
fn zone(web: &Web) -> &Zone {
    &web.catalogs().chain().zone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_cannot_be_made_up_and_ends() {
        let session = Session {
            seller: PartnerId(7),
            staff: Code::new("ali").unwrap(),
            since: Timestamp(HOUR),
            pin_mark: pin_mark("hash"),
        };
        let text = session.seal(&[7; 32]);
        let at = |hours: i64| Session::open(&text, &[7; 32], Timestamp(hours * HOUR));
        let known = at(2).unwrap();
        assert_eq!((known.seller, known.staff), (PartnerId(7), session.staff));
        assert!(at(13).is_none() && at(0).is_none());
        assert!(Session::open(&text, &[8; 32], Timestamp(2 * HOUR)).is_none());
        for index in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[index] = if other[index] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            assert!(
                Session::open(&other, &[7; 32], Timestamp(2 * HOUR)).is_none(),
                "byte {index}"
            );
        }
        assert!(Session::open("", &[7; 32], Timestamp(0)).is_none());
    }

    #[test]
    fn amounts_as_people_type_them() {
        for (text, expected) in [
            ("100", Some(100)),
            ("1,000", Some(1000)),
            ("\u{6f1}\u{6f0}\u{6f0}", Some(100)),
            ("", None),
            ("-5", None),
            ("1.001", None),
            ("x", None),
        ] {
            assert_eq!(amount(text), expected.map(Money::from_units), "{text}");
        }
    }
}
