//! Who is looking: the browser's token, the sign-in behind it, tokens of forms, where people go next.

use super::frame;
use crate::api::auth::same_bytes;
use crate::number;
use crate::problem::{Fault, Problem};
use crate::rate::caller_of;
use crate::state::Web;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use charge::{AccountId, Msisdn, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use people::numbers::Line;
use people::sessions::{Method, NewSession, Place, Session};
use people::{People, PersonId};
use sha2::Sha256;
use std::net::IpAddr;

pub use people::Token;

/// Where a sign-in leads when nothing else was asked for.
pub const HOME: &str = "/me";
/// Where a second factor is asked for.
pub const SECOND: &str = "/sign-in/second";
/// Longest `next`, in bytes.
const NEXT_BYTES_MAX: usize = 200;
/// What the cookie of a sign-in begins with: browsers without one cost no look into the file.
const SIGNED: &str = "s.";

/// A sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// The account.
    pub account: AccountId,
    /// Its number.
    pub msisdn: Msisdn,
    /// Whose it is.
    pub person: PersonId,
    /// "This wasn't me" was pressed: no value may leave from the app.
    pub locked: bool,
    /// It ends then.
    pub expires_at: Timestamp,
}

/// What a request says about who looks.
pub struct Seen {
    /// The browser.
    pub token: Token,
    /// It has no token yet.
    pub is_new: bool,
    /// Its sign-in, complete or not.
    pub session: Option<Session>,
    /// From where.
    pub place: Place,
    /// What counts as one address.
    pub address: u64,
}

impl Seen {
    /// The complete sign-in with a number.
    pub fn sign_in(&self) -> Option<SignIn> {
        let session = self.session.as_ref().filter(|session| session.complete)?;
        let (msisdn, account) = session.number?;
        Some(SignIn {
            account,
            msisdn,
            person: session.person,
            locked: session.locked,
            expires_at: session.expires_at,
        })
    }
}

/// Finds out who looks. Once a minute of use it is written that the sign-in is used, and the SIM is looked at.
///
/// # Errors
/// [`Fault::Internal`] when the file of people does not answer.
pub async fn look(web: &Web, cookie: Option<&str>, agent: &str, address: IpAddr) -> Result<Seen, Problem> {
    let place = Place {
        device: device_of(agent),
        address: network_of(address),
    };
    let (signed, text) = match cookie.and_then(|text| text.strip_prefix(SIGNED)) {
        Some(text) => (true, Some(text)),
        None => (false, cookie),
    };
    let known = text.and_then(Token::parse);
    let mut seen = Seen {
        is_new: known.is_none(),
        token: known.unwrap_or_else(Token::random),
        session: None,
        place,
        address: caller_of(address),
    };
    if !signed || seen.is_new {
        return Ok(seen);
    }
    let (token, now) = (seen.token.clone(), web.now());
    let session = web.people(move |people| people.session(&token, now)).await?;
    match session {
        Some(session) => seen.session = still_theirs(web, session, &seen.place, now).await?,
        None => {
            seen.token = Token::random();
            seen.is_new = true;
        }
    }
    Ok(seen)
}

async fn still_theirs(
    web: &Web,
    session: Session,
    place: &Place,
    now: Timestamp,
) -> Result<Option<Session>, Problem> {
    if now.0 - session.seen_at.0 < people::limits::SEEN_INTERVAL {
        return Ok(Some(session));
    }
    let line = match session.number {
        Some((msisdn, _)) => Some((msisdn, line_of(web, msisdn).await?)),
        None => None,
    };
    let place = place.clone();
    web.people(move |people| {
        if let Some((msisdn, line)) = line
            && people.check_number(msisdn, line, &place, now)?.is_some()
        {
            return Ok(None);
        }
        people.session_seen(session.id, now)?;
        Ok(Some(session))
    })
    .await
}

/// What stands behind a number, when it is one of ours.
///
/// # Errors
/// When the core cannot say.
pub async fn line_of(web: &Web, number: Msisdn) -> Result<Option<Line>, Problem> {
    let account = web.account_of(number).await?;
    Ok(account.map(|account| Line {
        number,
        account: account.id,
        imsi: account.imsi,
    }))
}

/// Somebody to sign in.
pub struct Entrant {
    /// Who.
    pub person: PersonId,
    /// The number to show; none: their first.
    pub number: Option<Msisdn>,
    /// With what.
    pub method: Method,
    /// Where they wanted to go.
    pub next: Option<String>,
}

/// Signs somebody in, up to the second factor if they have one, and sends them on. The browser gets a new token, so that
/// one planted before is worthless.
///
/// # Errors
/// [`Fault::Internal`] when the file of people does not answer.
pub async fn enter(web: &Web, visitor: &frame::Visitor, entrant: Entrant) -> Result<Response, Problem> {
    let (now, place, old) = (web.now(), visitor.place.clone(), visitor.token.clone());
    let token = Token::random();
    let new = token.clone();
    let (method, person, asked) = (entrant.method, entrant.person, entrant.number);
    let complete = web
        .people(move |people: &People| {
            let number = match asked {
                Some(number) => Some(number),
                None => people.numbers_of(person)?.first().map(|owned| owned.number),
            };
            let two_in_one = matches!(method, Method::Passkey | Method::Recovery);
            let complete = two_in_one || !people.has_totp(person)?;
            people.sign_out(&old)?;
            people.sign_in(
                &NewSession {
                    token: &new,
                    person,
                    number,
                    complete,
                    method,
                    place: &place,
                },
                now,
            )?;
            Ok(complete)
        })
        .await?;
    let next = entrant.next.as_deref().and_then(safe_next);
    let to = match (complete, next) {
        (true, next) => next.unwrap_or(HOME).to_owned(),
        (false, Some(next)) => format!("{SECOND}?next={}", query(next)),
        (false, None) => SECOND.to_owned(),
    };
    let mut response = Redirect::to(&to).into_response();
    set_sign_in_cookie(response.headers_mut(), web, &token);
    if complete {
        let device = came_in(web, visitor, person).await?;
        set_device_cookie(response.headers_mut(), web, &device);
    }
    Ok(response)
}

/// Somebody is in: their browser is known from now on, by what this gives, and if it was not they are told.
///
/// # Errors
/// [`Fault::Internal`] when the file of people does not answer.
pub async fn came_in(web: &Web, visitor: &frame::Visitor, person: PersonId) -> Result<Token, Problem> {
    let (shown, place, now) = (visitor.device.clone(), visitor.place.clone(), web.now());
    let device = Token::random();
    let new = device.clone();
    let is_news = web
        .people(move |people| people.browser_signed_in(person, shown.as_ref(), &new, &place, now))
        .await?;
    if is_news {
        super::profile::tell(web).await;
    }
    Ok(device)
}

/// Gives the browser what it is known by when it signs in the next time. Nobody comes in with it.
pub fn set_device_cookie(headers: &mut HeaderMap, web: &Web, device: &Token) {
    let secure = if web.parts.https { "; Secure" } else { "" };
    let text = format!(
        "{}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age={}{secure}",
        frame::device_cookie(web),
        device.cookie(),
        people::limits::KNOWN_BROWSER_LIFE / charge::time::SECOND,
    );
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.append(header::SET_COOKIE, value);
    }
}

/// Gives the browser the token of a sign-in.
pub fn set_sign_in_cookie(headers: &mut HeaderMap, web: &Web, token: &Token) {
    let secure = if web.parts.https { "; Secure" } else { "" };
    let text = format!(
        "{}={SIGNED}{}; Path=/; HttpOnly; SameSite=Lax; Max-Age={}{secure}",
        frame::session_cookie(web),
        token.cookie(),
        people::limits::SESSION_LIFE / charge::time::SECOND,
    );
    if let Ok(value) = HeaderValue::from_str(&text) {
        headers.insert(header::SET_COOKIE, value);
    }
}

/// The token of a browser's forms.
pub fn form_token(token: &Token, secret: &[u8; 32]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(b"form\0");
    mac.update(&token.hash());
    URL_SAFE_NO_PAD.encode(&mac.finalize().into_bytes()[..16])
}

/// Whether a form comes from a page that we gave to this browser.
pub fn owns_form(token: &Token, secret: &[u8; 32], given: &str) -> bool {
    same_bytes(form_token(token, secret).as_bytes(), given.as_bytes())
}

/// A place of our own to go to: a path, never another site. Browsers read `//`, `/\` and control characters their own way.
pub fn safe_next(next: &str) -> Option<&str> {
    let rest = next.strip_prefix('/')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "/?=&-._~%+,:".contains(c);
    let safe = next.len() <= NEXT_BYTES_MAX && !rest.starts_with('/') && rest.chars().all(plain);
    safe.then_some(next)
}

/// A value for a query string.
fn query(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let quoted = value.bytes().map(|byte| {
        if plain(byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    });
    quoted.collect()
}

impl Web {
    /// Asks or changes the file of people, on a thread that may wait.
    ///
    /// # Errors
    /// [`Fault::Internal`]; the cause is logged.
    pub async fn people<T: Send + 'static>(
        &self,
        work: impl FnOnce(&People) -> people::db::Result<T> + Send + 'static,
    ) -> Result<T, Problem> {
        let people = self.parts.people.clone();
        match tokio::task::spawn_blocking(move || work(&people)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                tracing::error!(%error, "the file of people does not answer");
                Err(Fault::Internal.into())
            }
            Err(error) => {
                tracing::error!(%error, "a question to the file of people panicked");
                Err(Fault::Internal.into())
            }
        }
    }

    /// The same for what hashes passwords: only a few at a time, because each takes memory and a core for a while.
    ///
    /// # Errors
    /// [`Fault::Busy`] when too many wait; [`Fault::Internal`].
    pub async fn people_hashing<T: Send + 'static>(
        &self,
        work: impl FnOnce(&People) -> people::db::Result<T> + Send + 'static,
    ) -> Result<T, Problem> {
        let waiting = self.hashing.acquire();
        let slot = tokio::time::timeout(crate::limits::HASHING_WAIT_MAX, waiting).await;
        let _slot = slot.map_err(|_| Fault::Busy)?.map_err(|_| Fault::Internal)?;
        self.people(work).await
    }

    /// The number as people write it.
    pub fn number_shown(&self, msisdn: Msisdn) -> String {
        number::shown(msisdn, self.catalogs())
    }
}

/// A device as people name it, from what browsers say about themselves.
pub fn device_of(agent: &str) -> String {
    let named = |names: &[(&str, &'static str)]| {
        let found = names.iter().find(|(mark, _)| agent.contains(mark));
        found.map(|(_, name)| *name)
    };
    let browser = named(&[
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser", "Samsung Internet"),
        ("Firefox", "Firefox"),
        ("FxiOS", "Firefox"),
        ("CriOS", "Chrome"),
        ("Chrom", "Chrome"),
        ("Safari", "Safari"),
    ]);
    let system = named(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "Mac"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ]);
    let words: Vec<&str> = [browser, system].into_iter().flatten().collect();
    words.join(", ")
}

/// The network of an address, without the part that names one customer.
fn network_of(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}::/48")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn next_stays_here() {
        for good in [
            "/",
            "/me",
            "/recharge?number=0300&amount=100",
            "/receipts/A-1.pdf",
        ] {
            assert_eq!(safe_next(good), Some(good));
        }
        for bad in [
            "",
            "me",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/\n/evil.example",
            "/a\r\nSet-Cookie: x",
            "/a b",
            "/<script>",
            "/é",
            "/@evil.example",
            &format!("/{}", "a".repeat(300)),
        ] {
            assert_eq!(safe_next(bad), None, "{bad}");
        }
    }

    #[test]
    fn forms_belong_to_their_browser_and_tell_nothing_about_its_token() {
        let (token, secret) = (Token::random(), [1; 32]);
        let form = form_token(&token, &secret);
        assert!(owns_form(&token, &secret, &form));
        assert!(!owns_form(&Token::random(), &secret, &form));
        assert!(!owns_form(&token, &[2; 32], &form));
        assert!(!owns_form(&token, &secret, ""));
    }

    #[test]
    fn devices_and_networks_have_names() {
        let phone = "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 \
            Mobile Safari/537.36";
        assert_eq!(device_of(phone), "Chrome, Android");
        assert_eq!(device_of("<script>alert(1)</script>"), "");
        assert_eq!(network_of("203.0.113.7".parse().unwrap()), "203.0.113.0/24");
        assert_eq!(network_of("2001:db8:1:2::3".parse().unwrap()), "2001:db8:1::/48");
    }
}
