//! Signing in at a till, binding its device, changing a PIN.
//!
//! Whatever is wrong, outlet, login or PIN, is answered alike. Three wrong PINs lock. Where only bound devices sell, a new one is
//! bound with the code that goes to the outlet's number, or with the secret that `raseed seller device` printed; asking for that
//! code uses a try of the PIN up that only the right code gives back, so that codes cannot be guessed.

use super::{
    HOME, SHIFT, SIGN_IN, Session, Till, device, device_name, is_bound, latin, put_cookie, sealed,
    session_name,
};
use crate::api::auth::same_bytes;
use crate::chain::{self, pin, sale::device_hash};
use crate::page::frame::{Frame, Visitor, page};
use crate::page::signin::BareForm;
use crate::page::staff::parts::Told;
use crate::problem::{Fault, Problem};
use crate::rate::caller_of;
use crate::router::PeerAddress;
use crate::state::Web;
use crate::text;
use askama::Template;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use charge::seller::{Device, Seller, SellerChange};
use charge::time::{MINUTE, SECOND};
use charge::{Code, PartnerId, Refusal};
use serde::Deserialize;

/// A code for a device is good for this long, and the one before it.
const CODE_LIFE: i64 = 10 * MINUTE;
/// A browser is a bound device for so long.
const DEVICE_S: i64 = 400 * 24 * 3_600;

#[derive(Template)]
#[template(path = "pos/sign.html")]
struct SignPage {
    page: Frame,
    told: Option<Told>,
    seller: String,
    staff: String,
    code: bool,
    change: bool,
}

/// What is typed.
#[derive(Default, Deserialize)]
pub struct Typed {
    form: String,
    seller: String,
    staff: String,
    pin: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    new: String,
}

/// Asks who it is.
pub async fn ask(State(web): State<Web>, visitor: Visitor) -> Response {
    form(&web, &visitor, &Typed::default(), None, false)
}

fn form(web: &Web, visitor: &Visitor, typed: &Typed, told: Option<Told>, code: bool) -> Response {
    shown(web, visitor, typed, told, (code, false))
}

fn shown(
    web: &Web,
    visitor: &Visitor,
    typed: &Typed,
    told: Option<Told>,
    (code, change): (bool, bool),
) -> Response {
    let bad = told.as_ref().is_some_and(|told| told.class == "bad");
    let status = if bad {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    let key = if change { "pos-pin-change" } else { "pos-sign-in" };
    let template = SignPage {
        page: visitor.nobody().frame(web, visitor.speech().p(key)),
        told,
        seller: typed.seller.chars().take(32).collect(),
        staff: typed.staff.chars().take(32).collect(),
        code,
        change,
    };
    page(status, &template)
}

/// Signs in.
pub async fn enter(
    State(web): State<Web>,
    visitor: Visitor,
    Extension(peer): Extension<PeerAddress>,
    headers: HeaderMap,
    Form(typed): Form<Typed>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &typed.form)?;
    let t = visitor.speech();
    let (id, staff, seller) = match proven(&web, &typed, &peer).await? {
        Ok(known) => known,
        Err(wrong) => return Ok(form(&web, &visitor, &typed, Some(wrong(&visitor)), false)),
    };
    let mut secret = device(&web, &headers);
    let mut bound_now = false;
    if seller.bound && !is_bound(&seller, secret.as_deref()) {
        let code = typed.code.trim();
        if code.is_empty() {
            send_code(&web, &visitor, &seller, staff);
            let told = Told::good(t.h("pos-device-code-sent"));
            return Ok(form(&web, &visitor, &typed, Some(told), true));
        }
        secret = match bind(&web, &seller, staff, code).await? {
            Some(secret) => Some(secret),
            None => {
                let told = Told::bad(t.h("pos-device-wrong"));
                return Ok(form(&web, &visitor, &typed, Some(told), true));
            }
        };
        bound_now = true;
    }
    pin::was_right(&web, id, staff).await?;
    let seller = chain::existing(&web, id).await?;
    let person = seller.staff(staff).ok_or(Refusal::NoSuchStaff)?;
    if person.change {
        let told = Told::good(t.h("pos-pin-first"));
        let mut response = shown(&web, &visitor, &typed, Some(told), (false, true));
        keep_device(&mut response, &web, secret.filter(|_| bound_now));
        return Ok(response);
    }
    let session = Session::of(&seller, person, web.now()).seal(&web.parts.secret);
    let mut response = Redirect::to(HOME).into_response();
    put_cookie(
        response.headers_mut(),
        &web,
        (session_name(&web), &session),
        SHIFT / SECOND,
    );
    keep_device(&mut response, &web, secret.filter(|_| bound_now));
    Ok(response)
}

fn keep_device(response: &mut Response, web: &Web, secret: Option<String>) {
    if let Some(secret) = secret {
        put_cookie(response.headers_mut(), web, (device_name(web), &secret), DEVICE_S);
    }
}

type Known = (PartnerId, Code, Box<Seller>);
type Wrong = fn(&Visitor) -> Told;

/// Who it is, the PIN verified and the try counted. Everything that is wrong looks and lasts the same.
async fn proven(web: &Web, typed: &Typed, peer: &PeerAddress) -> Result<Result<Known, Wrong>, Problem> {
    let wrong: Wrong = |visitor| Told::bad(visitor.speech().h("pos-wrong"));
    let pin = latin(&typed.pin, 16);
    let seller = named(web, &typed.seller).await?;
    let staff = Code::new(&typed.staff.trim().to_ascii_lowercase()).filter(|code| !code.is_empty());
    let known = seller.zip(staff).filter(|(seller, staff)| {
        seller.check_open().is_ok()
            && seller
                .staff(*staff)
                .is_some_and(|staff| !staff.pin.is_empty() && !staff.is_locked())
    });
    let Some((seller, staff)) = known else {
        // As long as a comparison takes.
        web.people_hashing(move |people| people.hash_pin(b"nobody", &pin))
            .await?;
        return slow(web, peer).map(|()| Err(wrong));
    };
    let id = seller.place.id;
    let _turn = web.pins.enter(id, staff).await;
    match pin::verify(web, id, staff, &pin).await {
        Ok(()) => Ok(Ok((id, staff, seller))),
        Err(problem) if is_guess(&problem) => slow(web, peer).map(|()| Err(wrong)),
        Err(problem) => Err(problem),
    }
}

fn is_guess(problem: &Problem) -> bool {
    matches!(
        problem.fault,
        Fault::Refused(Refusal::WrongPin | Refusal::PinLocked | Refusal::NoSuchStaff)
    )
}

/// Wrong tries of one address are limited.
fn slow(web: &Web, peer: &PeerAddress) -> Result<(), Problem> {
    web.bad_key_rate
        .check(caller_of(peer.0))
        .map_err(Problem::rate_limited)
}

/// The outlet of a seller's id or number.
async fn named(web: &Web, text: &str) -> Result<Option<Box<Seller>>, Problem> {
    let text = latin(text, 32);
    if let Some(seller) = match text.parse() {
        Ok(id) => web.seller(PartnerId(id)).await?,
        Err(_) => None,
    } {
        return Ok(Some(seller));
    }
    match crate::number::parse(&text, web.catalogs()) {
        Some(number) => web.seller_by_number(number).await,
        None => Ok(None),
    }
}

/// The code of a device for somebody in a stretch of time: nothing is stored.
fn code_of(web: &Web, seller: &Seller, staff: Code, stretch: i64) -> String {
    let body = format!("{}/{staff}/{stretch}/{}", seller.place.id.0, seller.devices.len());
    let seal = sealed(&web.parts.secret, b"raseed pos device code 1", body.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&seal[..8]);
    format!("{:06}", u64::from_be_bytes(first) % 1_000_000)
}

fn send_code(web: &Web, visitor: &Visitor, seller: &Seller, staff: Code) {
    let Some(number) = seller.number else { return };
    let now = web.now();
    let code = code_of(web, seller, staff, now.0 / CODE_LIFE);
    let values = [("code", code.into()), ("name", "Raseed".into())];
    let sentence = text::plain(visitor.language, "sms-code", &values);
    let sender = web.clone();
    tokio::spawn(async move {
        let sent = sender
            .parts
            .codes
            .send_code(number, sentence, now.plus(CODE_LIFE))
            .await;
        if let Err(error) = sent {
            tracing::warn!(number = number.masked(), %error, "a code for a device was not sent");
        }
    });
}

/// Binds this browser with a code, or recognises what `raseed seller device` printed. `None`: neither.
async fn bind(web: &Web, seller: &Seller, staff: Code, typed: &str) -> Result<Option<String>, Problem> {
    if typed.len() <= crate::limits::NAME_BYTES_MAX && is_bound(seller, Some(typed)) {
        let plain = typed
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        return Ok(plain.then(|| typed.to_owned()));
    }
    let stretch = web.now().0 / CODE_LIFE;
    let code = latin(typed, 12);
    let fits = [stretch, stretch - 1]
        .into_iter()
        .any(|stretch| same_bytes(code_of(web, seller, staff, stretch).as_bytes(), code.as_bytes()));
    if !fits || seller.number.is_none() {
        return Ok(None);
    }
    let secret = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let name = format!("pos-{:08x}", rand::random::<u32>());
    let bound = Device {
        code: Code::new(&name).ok_or(Fault::Internal)?,
        hash: device_hash(&secret),
        bound_at: web.now(),
    };
    chain::change(web, seller.place.id, SellerChange::Device(bound), None).await?;
    Ok(Some(secret))
}

/// Asks for another PIN.
pub async fn pin(State(web): State<Web>, visitor: Visitor) -> Response {
    shown(&web, &visitor, &Typed::default(), None, (false, true))
}

/// Changes the own PIN; afterwards one signs in with it.
pub async fn change_pin(
    State(web): State<Web>,
    visitor: Visitor,
    Extension(peer): Extension<PeerAddress>,
    Form(typed): Form<Typed>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &typed.form)?;
    let t = visitor.speech();
    let new = latin(&typed.new, 16);
    let told = if people::pins::is_good_pin(&new) {
        match proven(&web, &typed, &peer).await? {
            Err(wrong) => wrong(&visitor),
            Ok((id, staff, _)) => {
                pin::was_right(&web, id, staff).await?;
                let old = latin(&typed.pin, 16);
                match pin::change_own(&web, id, staff, (&old, &new)).await {
                    Ok(()) => {
                        let told = Told::good(t.h("pos-pin-changed"));
                        return Ok(form(&web, &visitor, &typed, Some(told), false));
                    }
                    Err(problem) if problem.fault == Fault::BadField => Told::bad(t.h("pos-pin-weak")),
                    Err(problem) => return Err(problem),
                }
            }
        }
    } else {
        Told::bad(t.h("pos-pin-weak"))
    };
    Ok(shown(&web, &visitor, &typed, Some(told), (false, true)))
}

/// Signs out. The device stays bound.
pub async fn out(
    State(web): State<Web>,
    till: Till,
    Form(bare): Form<BareForm>,
) -> Result<Response, Problem> {
    till.visitor.check_form(&web, &bare.form)?;
    let mut response = Redirect::to(SIGN_IN).into_response();
    put_cookie(response.headers_mut(), &web, (session_name(&web), ""), 0);
    Ok(response)
}
