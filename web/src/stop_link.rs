//! `/stop/{token}`: ends a kind of notice for a person without sign-in, for links in e-mail and push (RFC 8058). Looking at the
//! address only asks: programs follow links. Posting to it stops, once and for all channels.

use crate::page::frame::{Frame, Visitor, page};
use crate::problem::{Fault, Problem};
use crate::state::Web;
use crate::text::Html;
use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use people::PersonId;
use people::consents::Notice;
use people::keys::same;
use people::sessions::Place;
use sha2::Sha256;

/// Bytes of the keyed hash in a token.
const SEAL_BYTES: usize = 16;

/// The path that stops a kind of notice for a person. Good until the installation's secret changes.
pub fn path(secret: &[u8; 32], person: PersonId, notice: Notice) -> String {
    let mut token = named(person, notice);
    token.extend_from_slice(&seal(secret, &token));
    format!("/stop/{}", URL_SAFE_NO_PAD.encode(token))
}

fn read(secret: &[u8; 32], token: &str) -> Option<(PersonId, Notice)> {
    if token.len() > 64 {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (name, given) = bytes.split_at_checked(bytes.len().checked_sub(SEAL_BYTES)?)?;
    if !same(&seal(secret, name), given) {
        return None;
    }
    let (person, notice) = name.split_first_chunk::<8>()?;
    let notice = Notice::parse(std::str::from_utf8(notice).ok()?)?;
    Some((PersonId(i64::from_be_bytes(*person)), notice))
}

fn named(person: PersonId, notice: Notice) -> Vec<u8> {
    [&person.0.to_be_bytes()[..], notice.name().as_bytes()].concat()
}

fn seal(secret: &[u8; 32], name: &[u8]) -> [u8; SEAL_BYTES] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(b"stop link\0");
    mac.update(name);
    let mut short = [0; SEAL_BYTES];
    short.copy_from_slice(&mac.finalize().into_bytes()[..SEAL_BYTES]);
    short
}

/// The routes.
pub fn pages() -> Router<Web> {
    Router::new().route("/stop/{token}", get(ask).post(stop))
}

#[derive(Template)]
#[template(path = "stop.html")]
struct StopPage {
    page: Frame,
    notice: Html,
    action: Option<String>,
}

/// Asks whether to stop.
pub async fn ask(
    State(web): State<Web>,
    visitor: Visitor,
    Path(token): Path<String>,
) -> Result<Response, Problem> {
    let (_, notice) = read(&web.parts.secret, &token).ok_or(Fault::NotFound)?;
    Ok(shown(&web, &visitor, notice, Some(format!("/stop/{token}"))))
}

/// Stops. Safe to repeat.
pub async fn stop(
    State(web): State<Web>,
    visitor: Visitor,
    Path(token): Path<String>,
) -> Result<Response, Problem> {
    let (person, notice) = read(&web.parts.secret, &token).ok_or(Fault::NotFound)?;
    let now = web.now();
    let place = Place {
        device: "link".to_owned(),
        ..visitor.place.clone()
    };
    web.people(move |people| people.stop_person(person, notice, &place, now))
        .await?;
    Ok(shown(&web, &visitor, notice, None))
}

fn shown(web: &Web, visitor: &Visitor, notice: Notice, action: Option<String>) -> Response {
    let t = visitor.speech();
    let template = StopPage {
        page: visitor.frame(web, t.p("stop-title")),
        notice: t.h(&format!("notice-{}", notice.name())),
        action,
    };
    page(StatusCode::OK, &template).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_for_one_person_and_one_notice_and_cannot_be_made_up() {
        let secret = [7; 32];
        let person = PersonId(123_456_789);
        let path = path(&secret, person, Notice::Offers);
        let token = path.strip_prefix("/stop/").unwrap();
        assert_eq!(read(&secret, token), Some((person, Notice::Offers)));
        assert_eq!(read(&[8; 32], token), None);
        let bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert_eq!(
                read(&secret, &URL_SAFE_NO_PAD.encode(changed)),
                None,
                "byte {place}"
            );
        }
        for broken in ["", "x", "AAAA", &"A".repeat(200)] {
            assert_eq!(read(&secret, broken), None);
        }
    }
}
