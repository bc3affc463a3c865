//! Passkeys over HTTP: what `passkey.js` asks for and sends.

use super::frame::Visitor;
use super::session::{self, Entrant, enter, safe_next};
use crate::problem::{Fault, Problem};
use crate::router::header_text;
use crate::state::Web;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use people::passkeys::{Ceremony, Registration, user_handle};
use people::sessions::Method;
use people::webauthn::{Assertion, PasskeyFault, RelyingParty};
use serde::Deserialize;
use serde_json::json;

/// The site that passkeys belong to: as configured, or as the browser calls it. None when browsers would refuse.
pub fn site(web: &Web, headers: &HeaderMap) -> Option<RelyingParty> {
    match &web.parts.origin {
        Some(origin) => RelyingParty::of_origin(origin),
        None => {
            let host = header_text(headers, &header::HOST)?;
            let scheme = if web.parts.https { "https" } else { "http" };
            RelyingParty::of_origin(&format!("{scheme}://{host}"))
        }
    }
}

/// Asks for a challenge.
#[derive(Deserialize)]
pub struct Begin {
    form: String,
}

/// A challenge for making a passkey, with what the browser must know.
pub async fn register_begin(
    State(web): State<Web>,
    visitor: Visitor,
    headers: HeaderMap,
    Json(begin): Json<Begin>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &begin.form)?;
    let session = visitor.fresh(web.now()).ok_or(Fault::Unauthorized)?;
    let site = site(&web, &headers).ok_or(Fault::BadRequest)?;
    let (browser, now, person) = (visitor.token.hash(), web.now(), session.person);
    let (challenge, ids) = web
        .people(move |people| {
            let challenge = people.passkey_challenge(&browser, Ceremony::Register, now)?;
            Ok((challenge, people.passkey_ids(person)?))
        })
        .await?;
    let name = session
        .number
        .map_or("Raseed".to_owned(), |(number, _)| web.number_shown(number));
    let exclude: Vec<String> = ids.iter().map(|id| URL_SAFE_NO_PAD.encode(id)).collect();
    let answer = json!({
        "challenge": URL_SAFE_NO_PAD.encode(challenge),
        "site": site.id,
        "user": URL_SAFE_NO_PAD.encode(user_handle(person)),
        "name": name,
        "exclude": exclude,
    });
    Ok(Json(answer).into_response())
}

/// A new passkey.
#[derive(Deserialize)]
pub struct Made {
    form: String,
    client_data: String,
    attestation: String,
}

/// Takes in a new passkey.
pub async fn register(
    State(web): State<Web>,
    visitor: Visitor,
    headers: HeaderMap,
    Json(made): Json<Made>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &made.form)?;
    let session = visitor.fresh(web.now()).ok_or(Fault::Unauthorized)?;
    let site = site(&web, &headers).ok_or(Fault::BadRequest)?;
    let (client, attestation) = (bytes(&made.client_data)?, bytes(&made.attestation)?);
    let (browser, place, now) = (visitor.token.hash(), visitor.place.clone(), web.now());
    let registered = web
        .people(move |people| {
            let registration = Registration {
                client_data: &client,
                attestation_object: &attestation,
                name: &place.device,
            };
            people.register_passkey((&browser, session.person), &site, &registration, &place, now)
        })
        .await?;
    super::profile::tell(&web).await;
    answer(registered.map(|()| "/security?done=passkey"))
}

/// A challenge for signing in: the same whoever asks.
pub async fn sign_in_begin(
    State(web): State<Web>,
    visitor: Visitor,
    headers: HeaderMap,
    Json(begin): Json<Begin>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &begin.form)?;
    let site = site(&web, &headers).ok_or(Fault::BadRequest)?;
    let (browser, now) = (visitor.token.hash(), web.now());
    let challenge = web
        .people(move |people| people.passkey_challenge(&browser, Ceremony::SignIn, now))
        .await?;
    let answer = json!({"challenge": URL_SAFE_NO_PAD.encode(challenge), "site": site.id});
    Ok(Json(answer).into_response())
}

/// A passkey that is used.
#[derive(Deserialize)]
pub struct Used {
    form: String,
    #[serde(default)]
    next: String,
    id: String,
    client_data: String,
    authenticator_data: String,
    signature: String,
    user: String,
}

/// Signs in with a passkey.
pub async fn sign_in(
    State(web): State<Web>,
    visitor: Visitor,
    headers: HeaderMap,
    Json(used): Json<Used>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &used.form)?;
    let site = site(&web, &headers).ok_or(Fault::BadRequest)?;
    let (id, client) = (bytes(&used.id)?, bytes(&used.client_data)?);
    let (data, signature) = (bytes(&used.authenticator_data)?, bytes(&used.signature)?);
    let user = bytes(&used.user)?;
    let (browser, now) = (visitor.token.hash(), web.now());
    let person = web
        .people(move |people| {
            let assertion = Assertion {
                id: &id,
                client_data: &client,
                authenticator_data: &data,
                signature: &signature,
                user: &user,
            };
            people.use_passkey(&browser, &site, &assertion, now)
        })
        .await?;
    let person = match person {
        Ok(person) => person,
        Err(fault) => return answer(Err(fault)),
    };
    let entrant = Entrant {
        person,
        number: None,
        method: Method::Passkey,
        next: None,
    };
    let entered = enter(&web, &visitor, entrant).await?;
    let to = safe_next(&used.next).unwrap_or(session::HOME);
    let mut response = answer(Ok(to))?;
    for cookie in entered.headers().get_all(header::SET_COOKIE) {
        response.headers_mut().append(header::SET_COOKIE, cookie.clone());
    }
    Ok(response)
}

fn answer(outcome: Result<&str, PasskeyFault>) -> Result<Response, Problem> {
    match outcome {
        Ok(to) => Ok(Json(json!({"to": to})).into_response()),
        Err(fault) => {
            tracing::info!(%fault, "a passkey was refused");
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Json(json!({"refused": true}))).into_response())
        }
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, Problem> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Fault::BadRequest.into())
}
