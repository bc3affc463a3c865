//! `/verify`: whoever has a receipt's text, link, QR code or short code learns whether it is genuine.
//!
//! It shows what is signed and nothing else, so it needs no sign-in.

use super::signed::{self, Flaw, Proof};
use super::{capability, find};
use crate::limits;
use crate::page::format::Speech;
use crate::page::frame::{Frame, Visitor, page};
use crate::problem::Problem;
use crate::rate::caller_of;
use crate::router::PeerAddress;
use crate::state::Web;
use crate::text::Html;
use askama::Template;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use charge::time::Zone;
use serde::Deserialize;

/// What somebody wants to know about.
#[derive(Default, Deserialize)]
pub struct Question {
    r: Option<String>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// We signed it.
    Genuine(Proof),
    /// It proves nothing.
    False(Flaw),
    /// The short code is not the one of this receipt.
    WrongCode,
}

#[derive(Template)]
#[template(path = "verify.html")]
struct VerifyPage {
    page: Frame,
    asked: String,
    verdict: Option<Shown>,
}

/// A verdict in words.
struct Shown {
    genuine: bool,
    heading: Html,
    meaning: Html,
    rows: Vec<(Html, Html)>,
}

/// The page, with the verdict when something was asked.
pub async fn show(
    State(web): State<Web>,
    visitor: Visitor,
    Extension(peer): Extension<PeerAddress>,
    Query(question): Query<Question>,
) -> Result<Response, Problem> {
    let t = visitor.speech();
    let asked = question.r.unwrap_or_default();
    let asked = asked.trim();
    let verdict = if asked.is_empty() {
        None
    } else {
        Some(shown(&judge(&web, peer, asked).await?, &web, t))
    };
    let template = VerifyPage {
        page: visitor.frame(&web, t.p("verify-title")),
        asked: asked.chars().take(limits::SIGNED_TEXT_BYTES_MAX).collect(),
        verdict,
    };
    Ok(page(StatusCode::OK, &template))
}

/// The short link of a message.
pub async fn short_link(Path(coded): Path<String>) -> Redirect {
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let coded: String = coded.chars().filter(plain).take(64).collect();
    Redirect::to(&format!("/verify?r={coded}"))
}

/// The keys that verify, for everybody.
pub async fn published_keys(State(web): State<Web>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, web.parts.receipts.keys.public().to_json()).into_response()
}

/// Judges what somebody pasted: a signed text, its link, a whole message, or a number with its short code.
///
/// # Errors
/// When somebody tries too many codes, or the read models cannot be read.
pub async fn judge(web: &Web, peer: PeerAddress, pasted: &str) -> Result<Verdict, Problem> {
    if pasted.len() > limits::PASTED_BYTES_MAX {
        return Ok(Verdict::False(Flaw::Malformed));
    }
    if let Some(text) = signed::find(pasted) {
        let keys = web.parts.receipts.keys.public();
        return Ok(match Proof::verify(text, &keys) {
            Ok(proof) => Verdict::Genuine(proof),
            Err(flaw) => Verdict::False(flaw),
        });
    }
    let Some((number, code)) = capability::find(pasted) else {
        return Ok(Verdict::False(Flaw::Malformed));
    };
    if !capability::code_fits(&web.parts.secret, number, &code) {
        web.bad_key_rate
            .check(caller_of(peer.0))
            .map_err(Problem::rate_limited)?;
        return Ok(Verdict::WrongCode);
    }
    Ok(match find(web, number, true).await? {
        Some((view, catalog)) => Verdict::Genuine(view.proof(catalog)),
        None => Verdict::WrongCode,
    })
}

fn shown(verdict: &Verdict, web: &Web, t: Speech) -> Shown {
    let (heading, meaning) = match verdict {
        Verdict::Genuine(_) => ("verify-genuine", "verify-genuine-meaning"),
        Verdict::False(Flaw::Malformed) => ("verify-unknown", "verify-unknown-meaning"),
        Verdict::False(Flaw::RevokedKey) => ("verify-false", "verify-revoked-meaning"),
        Verdict::False(Flaw::UnknownKey | Flaw::BadSignature) => ("verify-false", "verify-false-meaning"),
        Verdict::WrongCode => ("verify-false", "verify-code-meaning"),
    };
    let rows = match verdict {
        Verdict::Genuine(proof) => rows(proof, web, t),
        Verdict::False(_) | Verdict::WrongCode => Vec::new(),
    };
    Shown {
        genuine: !rows.is_empty(),
        heading: Html::isolated(&t.p(heading)),
        meaning: Html::isolated(&t.p(meaning)),
        rows,
    }
}

fn rows(proof: &Proof, web: &Web, t: Speech) -> Vec<(Html, Html)> {
    let catalog = web.catalogs().by_code(&proof.operator);
    let utc = Zone::UTC;
    let zone = catalog.map_or(&utc, |catalog| &catalog.zone);
    let operator = catalog.map_or(proof.operator.as_str(), |catalog| catalog.name.get(t.language));
    let money = |money| Html::bdi(&t.money(money, &proof.currency));
    let mut rows = vec![
        (t.h("slip-paid"), money(proof.gross)),
        (t.h("slip-for"), Html::bdi(&format!("+{}", proof.msisdn))),
        (t.h("slip-time"), Html::isolated(&t.moment(proof.at, zone))),
        (t.h("slip-operator"), Html::isolated(operator)),
        (t.h("slip-number"), Html::bdi(&proof.number.to_string())),
        (t.h("slip-channel"), Html::bdi(&proof.channel)),
        (t.h("slip-tax"), money(-proof.tax)),
    ];
    if proof.fee != charge::Money::ZERO {
        rows.push((t.h("slip-fee"), money(-proof.fee)));
    }
    rows.push((t.h("slip-credited"), money(proof.credited)));
    rows
}
