//! Reversals of top-ups: by their seller within half an hour, by staff later (reference payments 5.4).

use super::auth::Caller;
use super::json::{Decimal, Json, Moment, Query};
use super::topups::{Reason, TopUpAnswer, Wait, key_of, read_top_up};
use crate::problem::{Fault, Problem};
use crate::state::Web;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use charge::partner::{Scopes, TopUp};
use charge::reversal::{Reversal, ReversalState, ReverseTopUp};
use charge::{Code, Command, EntityKey, Money, Refusal};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// The reversal of a top-up.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReversalAnswer {
    /// awaiting-approval, pending, done or refused.
    pub state: String,
    /// Last change.
    pub at: Moment,
    /// What went back into the float, before commission; once done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<Decimal>,
    /// Balance that was unused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unused: Option<Decimal>,
    /// The tax of that part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tax: Option<Decimal>,
    /// Of the commission, given back with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commission: Option<Decimal>,
    /// Why nothing was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

impl ReversalAnswer {
    /// Of a reversal.
    pub fn of(reversal: &Reversal) -> ReversalAnswer {
        let done = |amount: Money| (reversal.state == ReversalState::Done).then_some(Decimal(amount));
        ReversalAnswer {
            state: reversal.state.name().to_owned(),
            at: Moment(reversal.at),
            amount: done(reversal.taken.gross),
            unused: done(reversal.taken.unused),
            tax: done(reversal.taken.tax),
            commission: done(reversal.commission),
            reason: reversal.reason.map(Reason::of),
        }
    }
}

/// Take a top-up back
///
/// What is unused of that very credit goes back into the float, with its tax and less its commission; the owner of the number
/// is told. The seller can ask for 30 minutes after the sale, the scope `admin` later. From an amount on that the operator has
/// set two must want it: the first call answers `awaiting-approval`, and another key with the scope `admin` calls again.
/// Calling again moves nothing twice.
#[utoipa::path(post, path = "/v1/topups/{id}/reversal", tag = "recharge",
    params(("id" = String, Path, description = "Its id"), Wait),
    responses((status = 200, body = TopUpAnswer, description = "It has ended"),
        (status = 202, body = TopUpAnswer, description = "It is under way, or waits for somebody else; see `reversal`")))]
pub async fn reverse(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<String>,
    Query(wait): Query<Wait>,
) -> Result<Response, Problem> {
    let staff = !caller.test && caller.scopes.allows(Scopes::ADMIN);
    if !staff {
        caller.require(Scopes::TOP_UP)?;
    }
    let (key, wait) = (key_of(&web, &id, caller.test).await?, wait.seconds()?);
    let EntityKey::TopUp(partner, _) = key else {
        return Err(Fault::NoSuchTopUp.into());
    };
    if !staff && partner != caller.partner.id {
        return Err(Fault::NoSuchTopUp.into());
    }
    let top_up = read_top_up(&web, key).await?.ok_or(Fault::NoSuchTopUp)?;
    if top_up.details.test != caller.test {
        return Err(Fault::NoSuchTopUp.into());
    }
    let top_up = take_back(&web, key, (caller.key, staff), wait).await?;
    let reversal = top_up.after.reversal.as_ref().ok_or(Fault::Internal)?;
    let status = match reversal.state {
        ReversalState::Done => StatusCode::OK,
        _ => StatusCode::ACCEPTED,
    };
    let answer = TopUpAnswer::of(&top_up, web.catalog(top_up.operator));
    Ok((status, Json(answer)).into_response())
}

/// Takes a top-up back, and waits at most that long; `by` is who asks, and whether that is the operator's staff.
///
/// # Errors
/// What the core or the account refuses.
pub async fn take_back(
    web: &Web,
    key: EntityKey,
    (by, staff): (Code, bool),
    wait: Duration,
) -> Result<Box<TopUp>, Problem> {
    let EntityKey::TopUp(partner, external) = key else {
        return Err(Fault::NoSuchTopUp.into());
    };
    let command = Command::ReverseTopUp(ReverseTopUp {
        partner,
        external,
        by,
        staff,
        two_from: web.parts.reversal_two_from,
    });
    web.parts.core.call(command).await?;
    let top_up = ended(web, key, wait).await?;
    let reversal = top_up.after.reversal.as_ref().ok_or(Fault::Internal)?;
    match reversal.reason {
        Some(code) => Err(Refusal::from_code(code).unwrap_or(Refusal::NotReversible).into()),
        None => Ok(top_up),
    }
}

/// Waits for the account's answer, at most that long.
///
/// # Errors
/// [`Fault::NoSuchTopUp`], and what the core says.
pub async fn ended(web: &Web, key: EntityKey, wait: Duration) -> Result<Box<TopUp>, Problem> {
    let deadline = tokio::time::Instant::now() + wait;
    let mut pause = Duration::from_millis(2);
    loop {
        let top_up = read_top_up(web, key).await?.ok_or(Fault::NoSuchTopUp)?;
        let state = top_up.after.reversal.as_ref().map(|reversal| reversal.state);
        if state != Some(ReversalState::Asked) || tokio::time::Instant::now() >= deadline {
            return Ok(top_up);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}
