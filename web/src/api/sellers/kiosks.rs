//! What kiosks say of the money in them: their own books, so that those who answer for it see what is owed without going there.

use super::super::auth::Caller;
use super::super::json::{Decimal, Json, Moment};
use super::seen;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use axum::extract::{Path, State};
use people::pos::KioskReport;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longest name of a kiosk.
const NAME_BYTES_MAX: usize = 32;

/// What a kiosk says.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KioskBody {
    /// Notes in its box.
    pub in_box: Decimal,
    /// Taken, and not sold at the server yet: while the line is down, or while the server refuses for now.
    pub waiting: Decimal,
    /// What customers get back for a slip.
    pub owed: Decimal,
    /// Notes of which nobody knows whether they are in the box.
    pub stuck: Decimal,
}

/// A kiosk as it said last.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct KioskAnswer {
    /// Its name.
    pub name: String,
    /// Notes in its box.
    pub in_box: Decimal,
    /// Taken, and not sold at the server yet: while the line is down, or while the server refuses for now.
    pub waiting: Decimal,
    /// What customers get back for a slip.
    pub owed: Decimal,
    /// Notes of which nobody knows whether they are in the box.
    pub stuck: Decimal,
    /// When it said so.
    pub at: Moment,
}

/// The kiosks of a seller.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct KioskList {
    /// By name.
    pub kiosks: Vec<KioskAnswer>,
}

impl KioskAnswer {
    fn of(report: KioskReport) -> KioskAnswer {
        KioskAnswer {
            name: report.name,
            in_box: Decimal(report.in_box),
            waiting: Decimal(report.waiting),
            owed: Decimal(report.owed),
            stuck: Decimal(report.stuck),
            at: Moment(report.at),
        }
    }
}

/// Say what a kiosk holds and owes
///
/// For kiosks themselves: with the key of the seller that they sell for. The last word counts; nothing moves.
#[utoipa::path(put, path = "/v1/sellers/{id}/kiosks/{name}", tag = "sellers", request_body = KioskBody,
    params(("id" = String, Path, description = "The seller, or `me`"), ("name" = String, Path, description = "The kiosk's name")),
    responses((status = 200, body = KioskAnswer)))]
pub async fn put(
    State(web): State<Web>,
    caller: Caller,
    Path((id, name)): Path<(String, String)>,
    Json(body): Json<KioskBody>,
) -> Result<Json<KioskAnswer>, Problem> {
    let (seller, _) = seen(&web, &caller, &id).await?;
    if seller.place.id != caller.partner.id {
        return Err(Problem::from(Fault::ScopeMissing).hint("a kiosk speaks for itself"));
    }
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(plain) {
        return Err(
            Problem::field(Fault::BadField, "name").hint("1 to 32 lower case letters, digits and hyphens")
        );
    }
    for (field, amount) in [
        ("in_box", body.in_box),
        ("waiting", body.waiting),
        ("owed", body.owed),
        ("stuck", body.stuck),
    ] {
        if amount.0.0 < 0 {
            return Err(Problem::field(Fault::BadAmount, field));
        }
    }
    let report = KioskReport {
        seller: seller.place.id,
        name,
        in_box: body.in_box.0,
        waiting: body.waiting.0,
        owed: body.owed.0,
        stuck: body.stuck.0,
        at: web.now(),
    };
    let kept = report.clone();
    if !web.people(move |people| people.keep_kiosk(&kept)).await? {
        return Err(Problem::field(Fault::BadField, "name").hint("this seller has too many kiosks"));
    }
    Ok(Json(KioskAnswer::of(report)))
}

/// What the kiosks of a seller hold and owe
///
/// As each of them said last. What is owed is on slips in the hands of customers; the kiosk's own book names each of them.
#[utoipa::path(get, path = "/v1/sellers/{id}/kiosks", tag = "sellers",
    params(("id" = String, Path, description = "The seller, or `me`")),
    responses((status = 200, body = KioskList)))]
pub async fn list(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<KioskList>, Problem> {
    let (seller, _) = seen(&web, &caller, &id).await?;
    let id = seller.place.id;
    let kiosks = web.people(move |people| people.kiosks_of(id)).await?;
    Ok(Json(KioskList {
        kiosks: kiosks.into_iter().map(KioskAnswer::of).collect(),
    }))
}
