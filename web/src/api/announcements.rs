//! Announcements of promotions to those who agreed.

use super::auth::Caller;
use super::json::{Json, Moment};
use crate::problem::{Fault, Problem};
use crate::state::{Announcement, Web};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use charge::partner::Scopes;
use charge::{Code, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Most letters a second that may be asked for.
const PER_SECOND_MAX: u32 = 1_000;
/// Longest instruction how to stop, in characters.
const STOP_CHARACTERS_MAX: usize = 40;

/// A promotion to announce.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnnouncementOrder {
    /// The operator's code.
    pub operator: String,
    /// The promotion's code.
    pub promotion: String,
    /// Letters a second, at most 1000; left out: 50.
    #[serde(default)]
    pub per_second: Option<u32>,
    /// How to stop offers in one step, as a short message says it; left out: `STOP`.
    #[serde(default)]
    pub stop: Option<String>,
}

/// Where an announcement stands.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AnnouncementAnswer {
    /// The operator's code.
    pub operator: String,
    /// The promotion's code.
    pub promotion: String,
    /// When it was last started.
    pub started_at: Moment,
    /// Everybody who agreed was reached; letters may still wait.
    pub reached_all: bool,
    /// People told or to be told, in all runs; each of them once.
    pub told: u64,
    /// People left out in this run: they cannot earn it, or it ends before they could be told.
    pub left_out: u64,
    /// Letters that wait: for their turn, or for the end of the quiet hours.
    pub waiting: u64,
    /// Letters that were taken by message centre, push service or mail server.
    pub sent: u64,
    /// Letters given up.
    pub failed: u64,
}

impl AnnouncementAnswer {
    fn of(found: Announcement) -> AnnouncementAnswer {
        AnnouncementAnswer {
            operator: found.operator,
            promotion: found.promotion,
            started_at: Moment(found.started_at),
            reached_all: found.reached_all,
            told: found.told,
            left_out: found.left_out,
            waiting: found.waiting,
            sent: found.sent,
            failed: found.failed,
        }
    }
}

/// Announce a promotion
///
/// To those who agreed to offers, each person once however often it is asked for, outside of the quiet hours on the operator's
/// clock. Asking again adds those who agreed since. Durable when it is answered; it goes on after a restart.
#[utoipa::path(post, path = "/v1/announcements", tag = "offers", request_body = AnnouncementOrder,
    responses((status = 202, body = AnnouncementAnswer)))]
pub async fn announce(
    State(web): State<Web>,
    caller: Caller,
    Json(order): Json<AnnouncementOrder>,
) -> Result<(StatusCode, Json<AnnouncementAnswer>), Problem> {
    caller.require(Scopes::ADMIN)?;
    let (operator, promotion) = named(&web, &order.operator, &order.promotion)?;
    let per_second = order.per_second.unwrap_or(50);
    if !(1..=PER_SECOND_MAX).contains(&per_second) {
        return Err(Problem::field(Fault::BadField, "per_second").hint("1 to 1000"));
    }
    let stop = order.stop.unwrap_or_else(|| "STOP".to_owned());
    if stop.is_empty() || stop.chars().count() > STOP_CHARACTERS_MAX || stop.chars().any(char::is_control) {
        return Err(Problem::field(Fault::BadField, "stop").hint("1 to 40 characters"));
    }
    let board = web.parts.announcements.clone().ok_or(Fault::NotFound)?;
    let now: Timestamp = web.now();
    let started = blocking(move || {
        board.start(operator, promotion, (per_second, &stop), now)?;
        board.find(operator, promotion)
    });
    let found = started.await?.ok_or(Fault::Internal)?;
    Ok((StatusCode::ACCEPTED, Json(AnnouncementAnswer::of(found))))
}

/// See an announcement
#[utoipa::path(get, path = "/v1/announcements/{operator}/{promotion}", tag = "offers",
    params(("operator" = String, Path, description = "The operator's code"),
        ("promotion" = String, Path, description = "The promotion's code")),
    responses((status = 200, body = AnnouncementAnswer)))]
pub async fn see(
    State(web): State<Web>,
    caller: Caller,
    Path((operator, promotion)): Path<(String, String)>,
) -> Result<Json<AnnouncementAnswer>, Problem> {
    caller.require(Scopes::ADMIN)?;
    let (operator, promotion) = named(&web, &operator, &promotion)?;
    let board = web.parts.announcements.clone().ok_or(Fault::NotFound)?;
    let found = blocking(move || board.find(operator, promotion)).await?;
    let found = found.ok_or(Fault::NotFound)?;
    Ok(Json(AnnouncementAnswer::of(found)))
}

fn named(web: &Web, operator: &str, promotion: &str) -> Result<(charge::OperatorId, Code), Problem> {
    let catalog = web
        .catalogs()
        .by_code(operator)
        .ok_or_else(|| Problem::field(Fault::BadField, "operator"))?;
    let promotion = Code::new(promotion)
        .and_then(|code| catalog.promotion(code))
        .ok_or_else(|| Problem::field(Fault::BadField, "promotion"))?;
    if web.now() >= promotion.until {
        return Err(Problem::field(Fault::BadField, "promotion").hint("it is over"));
    }
    Ok((catalog.operator, promotion.code))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, store::StoreError> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            tracing::error!(%error, "the outbox does not answer");
            Err(Fault::Internal.into())
        }
        Err(error) => {
            tracing::error!(%error, "a question to the outbox panicked");
            Err(Fault::Internal.into())
        }
    }
}
