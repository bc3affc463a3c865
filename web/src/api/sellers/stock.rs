//! Movements of stock: O2C, C2C, return, withdraw.

use super::super::auth::Caller;
use super::super::json::{Decimal, Json, Moment, Query, page_lines};
use super::super::once::idempotency_key;
use super::super::topups::{Reason, Wait};
use super::seen;
use crate::chain::{MoveAsked, move_stock};
use crate::problem::{Fault, Problem};
use crate::state::Web;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use charge::seller::{MoveState, StockKind, StockMove};
use charge::{Money, PartnerId, Refusal, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MoveBody {
    /// Who receives.
    pub to: u32,
    /// How much leaves the giver's float.
    pub amount: Decimal,
}

/// A movement of stock.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MoveAnswer {
    /// Its id.
    pub id: String,
    /// o2c, c2c, return or withdraw.
    pub kind: String,
    /// Who gives.
    pub from: u32,
    /// Who receives.
    pub to: u32,
    /// Who asked; left out: the operator's staff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<u32>,
    /// The Idempotency-Key of the request.
    pub reference: String,
    /// SUBMITTED, COMPLETED or DECLINED.
    pub state: String,
    /// True when the state will not change any more.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// Left the giver's float.
    pub amount: Decimal,
    /// The part of it that went back to the commission account.
    pub back: Decimal,
    /// Commission on top for the receiver, once completed.
    pub commission: Decimal,
    /// Came into the receiver's float, once completed.
    pub received: Decimal,
    /// Why it was declined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Accepted.
    pub created_at: Moment,
    /// Last change.
    pub updated_at: Moment,
}

/// What a movement is made of, wherever it is read.
#[derive(Clone, Copy)]
struct Parts<'a> {
    id: u128,
    kind: StockKind,
    between: (PartnerId, PartnerId, Option<PartnerId>),
    reference: &'a str,
    state: MoveState,
    amounts: (Money, Money, Money),
    reason: Option<u32>,
    times: (Timestamp, Timestamp),
}

impl MoveAnswer {
    fn from(parts: Parts<'_>) -> MoveAnswer {
        let (from, to, by) = parts.between;
        let (amount, back, commission) = parts.amounts;
        let received = match parts.state {
            MoveState::Completed => amount - back + commission,
            _ => Money::ZERO,
        };
        MoveAnswer {
            id: Uuid::from_u128(parts.id).to_string(),
            kind: parts.kind.name().to_owned(),
            from: from.0,
            to: to.0,
            by: by.map(|by| by.0),
            reference: parts.reference.to_owned(),
            state: parts.state.name().to_owned(),
            is_final: parts.state != MoveState::Submitted,
            amount: Decimal(amount),
            back: Decimal(back),
            commission: Decimal(commission),
            received: Decimal(received),
            reason: parts.reason.map(|code| Reason {
                code,
                name: Refusal::from_code(code)
                    .map_or("internal", |refusal| Fault::Refused(refusal).spec().2)
                    .to_owned(),
            }),
            created_at: Moment(parts.times.0),
            updated_at: Moment(parts.times.1),
        }
    }

    /// From the durable state.
    pub fn of(asked: &StockMove) -> MoveAnswer {
        MoveAnswer::from(Parts {
            id: asked.id,
            kind: asked.kind,
            between: (asked.from, asked.to, asked.by),
            reference: &asked.reference,
            state: asked.state,
            amounts: (asked.amount, asked.back, asked.commission),
            reason: asked.reason,
            times: (asked.created_at, asked.updated_at),
        })
    }

    fn of_row(row: &store::reads::MoveRow) -> MoveAnswer {
        MoveAnswer::from(Parts {
            id: row.id,
            kind: row.kind,
            between: (row.from, row.to, row.by),
            reference: &row.reference,
            state: row.state,
            amounts: (row.amount, row.back, row.commission),
            reason: row.reason,
            times: (row.created_at, row.updated_at),
        })
    }
}

/// Move stock out of a seller's float
///
/// What it is follows from who stands where and who asks: the root to somebody below is O2C, down or sideways is C2C, up is
/// a return, and what somebody above takes is a withdrawal. Send it again with the same Idempotency-Key whenever the answer
/// is lost: nothing moves twice.
#[utoipa::path(post, path = "/v1/sellers/{id}/moves", tag = "sellers", request_body = MoveBody,
    params(("id" = String, Path, description = "Who gives, or `me`"), Wait,
        ("Idempotency-Key" = String, Header, description = "1 to 128 visible characters, new for each movement")),
    responses((status = 201, body = MoveAnswer, description = "It has ended; see `state`"),
        (status = 202, body = MoveAnswer, description = "Accepted")))]
pub async fn create(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<String>,
    Query(wait): Query<Wait>,
    headers: HeaderMap,
    Json(body): Json<MoveBody>,
) -> Result<(StatusCode, Json<MoveAnswer>), Problem> {
    let (from, by) = seen(&web, &caller, &id).await?;
    let reference = idempotency_key(&headers)?;
    if reference.len() > charge::seller::limits::REFERENCE_BYTES_MAX {
        return Err(Fault::BadIdempotencyKey.into());
    }
    let asked = MoveAsked {
        from: from.place.id,
        to: PartnerId(body.to),
        amount: body.amount.0,
        reference,
        by,
    };
    let known = move_stock(&web, asked, wait.seconds()?).await?;
    let status = match known.state {
        MoveState::Submitted => StatusCode::ACCEPTED,
        _ => StatusCode::CREATED,
    };
    Ok((status, Json(MoveAnswer::of(&known))))
}

/// Which part of a list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Older than the one with this id.
    pub before: Option<String>,
    /// At most so many, 1 to 200.
    pub limit: Option<u32>,
}

impl Page {
    /// The id and the number of lines.
    ///
    /// # Errors
    /// [`Fault::BadField`].
    pub fn read(&self) -> Result<(Option<u128>, usize), Problem> {
        let before = self.before.as_deref().map(Uuid::parse_str).transpose();
        let before = before.map_err(|_| Problem::field(Fault::BadField, "before"))?;
        Ok((before.map(|id| id.as_u128()), page_lines(self.limit)? as usize))
    }
}

/// Movements of a seller; as of a moment ago.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MoveList {
    /// Given and received, the newest first.
    pub moves: Vec<MoveAnswer>,
}

/// See what a seller gave and received
#[utoipa::path(get, path = "/v1/sellers/{id}/moves", tag = "sellers",
    params(("id" = String, Path, description = "Its id, or `me`"), Page), responses((status = 200, body = MoveList)))]
pub async fn list(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<MoveList>, Problem> {
    let (seller, _) = seen(&web, &caller, &id).await?;
    let (before, limit) = page.read()?;
    let id = seller.place.id;
    let rows = web
        .parts
        .reads
        .ask(move |reader| reader.models.stock_moves(id, before, limit))
        .await?;
    Ok(Json(MoveList {
        moves: rows.iter().map(MoveAnswer::of_row).collect(),
    }))
}
