//! Complaints of people without an account: a number, the code that was sent to it, what happened. From then on the link of the
//! complaint shows its state, wherever it is opened.
//!
//! Nothing here tells whether a number, a payment or a complaint exists: the answers are the same until a code is right.

use super::complaints::{category_name, refusal};
use super::frame::{Frame, Visitor, page};
use super::session::line_of;
use super::signin::{new_code, send, take_code};
use crate::api::auth::same_bytes;
use crate::number;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use crate::text::{self, Html};
use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use charge::Msisdn;
use charge::payment::PaymentId;
use charge::reply::Receipt;
use charge::time::DAY;
use hmac::{Hmac, KeyInit, Mac};
use people::codes::Purpose;
use people::complaints::{Category, ComplaintId, NewComplaint};
use people::limits::COMPLAINT_CHARACTERS_MAX;
use serde::Deserialize;
use sha2::Sha256;

#[derive(Template)]
#[template(path = "complaint_guest.html")]
struct Guest {
    page: Frame,
    about: String,
    shown: Option<Html>,
    number: String,
    sent: Option<Html>,
    categories: Vec<(&'static str, Html, bool)>,
    body: String,
    characters_max: usize,
    error: Option<Html>,
}

/// What a complaint is to be about.
#[derive(Default, Deserialize)]
pub struct AboutQuery {
    #[serde(default)]
    about: String,
}

/// Asks for the number.
pub async fn begin(State(web): State<Web>, visitor: Visitor, Query(query): Query<AboutQuery>) -> Response {
    let step = Step {
        about: about_of(&query.about),
        ..Step::default()
    };
    step.page(&web, &visitor)
}

/// How far somebody has come.
#[derive(Default)]
struct Step {
    about: String,
    number: Option<Msisdn>,
    typed: String,
    category: Option<Category>,
    body: String,
    error: Option<(StatusCode, &'static str)>,
}

impl Step {
    fn page(self, web: &Web, visitor: &Visitor) -> Response {
        let t = visitor.speech();
        let shown = self.number.map(|number| number::shown(number, web.catalogs()));
        let sent = shown
            .as_ref()
            .map(|number| Html::isolated(&t.with("code-sent", &[("number", number.clone().into())])));
        let usual = if self.about.is_empty() {
            Category::Other
        } else {
            Category::NotCredited
        };
        let chosen = self.category.unwrap_or(usual);
        let template = Guest {
            page: visitor.frame(web, t.p("complaint-new")),
            shown: self.about.split_once(':').map(|(_, name)| Html::bdi(name)),
            about: self.about,
            number: shown.unwrap_or(self.typed),
            sent,
            categories: Category::ALL
                .map(|category| (category.name(), category_name(category, t), category == chosen))
                .into(),
            body: self.body,
            characters_max: COMPLAINT_CHARACTERS_MAX,
            error: self.error.map(|(_, key)| t.h(key)),
        };
        page(self.error.map_or(StatusCode::OK, |(status, _)| status), &template)
    }
}

/// The number to prove.
#[derive(Deserialize)]
pub struct NumberForm {
    form: String,
    number: String,
    #[serde(default)]
    about: String,
}

/// Sends a code. The answer is the same whether or not the number is one of ours.
pub async fn send_code(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<NumberForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    let mut step = Step {
        about: about_of(&form.about),
        ..Step::default()
    };
    let Some(msisdn) = number::parse(&form.number, web.catalogs()) else {
        step.typed = form.number.chars().take(32).collect();
        step.error = Some((StatusCode::UNPROCESSABLE_ENTITY, "error-number"));
        return Ok(step.page(&web, &visitor));
    };
    let code = new_code(&web, &visitor, msisdn, Purpose::Complain).await?;
    send(&web, msisdn, visitor.language, code);
    step.number = Some(msisdn);
    Ok(step.page(&web, &visitor))
}

/// A complaint with the code.
#[derive(Deserialize)]
pub struct Told {
    form: String,
    number: String,
    code: String,
    #[serde(default)]
    about: String,
    category: String,
    body: String,
}

/// Makes the complaint when the code is right, and shows it under its link; the link goes to the number as well.
pub async fn make(
    State(web): State<Web>,
    visitor: Visitor,
    Form(told): Form<Told>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &told.form)?;
    let number = number::parse(&told.number, web.catalogs()).ok_or(Fault::BadNumber)?;
    let category = Category::parse(&told.category).ok_or(Fault::BadField)?;
    let step = |error| Step {
        about: about_of(&told.about),
        number: Some(number),
        category: Some(category),
        body: told.body.chars().take(COMPLAINT_CHARACTERS_MAX).collect(),
        error: Some(error),
        ..Step::default()
    };
    if told.body.trim().is_empty() {
        // Before the code is used up.
        let empty = (StatusCode::UNPROCESSABLE_ENTITY, "complaint-empty");
        return Ok(step(empty).page(&web, &visitor));
    }
    let digits = number::code_digits(&told.code);
    let right = take_code(&web, &visitor, number, &digits, Purpose::Complain).await?;
    if !right || line_of(&web, number).await?.is_none() {
        let wrong = (StatusCode::UNPROCESSABLE_ENTITY, "error-code");
        return Ok(step(wrong).page(&web, &visitor));
    }
    let (about, body, now) = (about_of(&told.about), told.body.clone(), web.now());
    let made = web
        .people(move |people| {
            let new = NewComplaint {
                owner: people.guest_of(number),
                number,
                category,
                about,
                body,
            };
            people.complain(&new, now)
        })
        .await?;
    match made {
        Ok(id) => {
            let path = path_of(&web, id);
            tell(&web, &visitor, number, id, &path);
            Ok(Redirect::to(&path).into_response())
        }
        Err(declined) => Ok(step(refusal(declined)?).page(&web, &visitor)),
    }
}

/// Sends the link to the number that was proved.
fn tell(web: &Web, visitor: &Visitor, number: Msisdn, id: ComplaintId, path: &str) {
    let base = web
        .parts
        .origin
        .as_deref()
        .unwrap_or(&web.parts.receipts.public_url);
    let link = format!("{}{path}", base.trim_end_matches('/'));
    let values = [("id", id.to_string().into()), ("link", link.into())];
    let sentence = text::plain(visitor.language, "complaint-sms", &values);
    let (web, until) = (web.clone(), web.now().plus(DAY));
    tokio::spawn(async move {
        if let Err(error) = web.parts.codes.send_code(number, sentence, until).await {
            tracing::warn!(number = number.masked(), %error, "the link of a complaint was not sent");
        }
    });
}

/// The address of a complaint with what opens it.
fn path_of(web: &Web, id: ComplaintId) -> String {
    format!("/complaints/{id}?k={}", key_of(&web.parts.secret, id))
}

/// What opens one complaint to whoever holds its link: 128 bits, a keyed hash of its id.
fn key_of(secret: &[u8; 32], id: ComplaintId) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(b"complaint-link\0");
    mac.update(id.to_string().as_bytes());
    URL_SAFE_NO_PAD.encode(&mac.finalize().into_bytes()[..16])
}

/// Whether a link opens a complaint. Wrong ones are counted by address.
///
/// # Errors
/// [`Fault::RateLimited`].
pub fn opens(web: &Web, visitor: &Visitor, id: ComplaintId, key: &str) -> Result<bool, Problem> {
    if key.is_empty() {
        return Ok(false);
    }
    if same_bytes(key_of(&web.parts.secret, id).as_bytes(), key.as_bytes()) {
        return Ok(true);
    }
    web.bad_key_rate
        .check(visitor.address)
        .map_err(Problem::rate_limited)?;
    Ok(false)
}

/// What somebody says it is about, as far as it has the form of a payment or a receipt. Whether that is there is not looked up:
/// staff does.
fn about_of(text: &str) -> String {
    match text.split_once(':') {
        Some(("payment", id)) => PaymentId::parse(id).map(|id| format!("payment:{id}")),
        Some(("receipt", name)) => Receipt::parse(name).map(|receipt| format!("receipt:{receipt}")),
        _ => None,
    }
    .unwrap_or_default()
}
