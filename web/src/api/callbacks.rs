//! Callbacks: where partners are told of their top-ups, with which secrets, and what became of each.

use super::auth::Caller;
use super::json::{Json, Moment, Query, page_lines};
use super::partners::existing;
use crate::partner_callback::{checked_url, name_of};
use crate::problem::{Fault, Problem};
use crate::state::Web;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use charge::partner::Scopes;
use charge::terms::{PartnerTerms, TermsChange};
use charge::{Code, Command, Entity, EntityKey, PartnerId, Refusal, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Callback, CallbackId, CallbackState};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Which terms are meant.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Mode {
    /// True: those of the sandbox. A test key means them anyway.
    #[serde(default)]
    pub test: bool,
}

/// Where and how a partner is called back.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CallbackSettings {
    /// Where top-ups without a `callback_url` of their own are told; none: nowhere.
    pub url: Option<String>,
    /// What signs callbacks, oldest first. With two, every callback carries two signatures.
    pub secrets: Vec<SecretAnswer>,
    /// Number of the last callback.
    pub sequence: u64,
    /// These are the sandbox's.
    pub test: bool,
    /// The secret that was made with this answer. It is shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_secret: Option<NewSecret>,
}

/// A secret without its text.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SecretAnswer {
    /// Its public part.
    pub id: String,
    /// When it was made.
    pub created_at: Moment,
}

/// A new secret. It is shown this once.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewSecret {
    /// Its public part.
    pub id: String,
    /// The secret: `whsec_...`.
    pub secret: String,
}

/// Where to call back.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallbackUrl {
    /// An https address; none: nowhere.
    pub url: Option<String>,
}

impl CallbackSettings {
    fn of(terms: &PartnerTerms, test: bool) -> CallbackSettings {
        let secret = |secret: &charge::terms::CallbackSecret| SecretAnswer {
            id: secret.id.to_string(),
            created_at: Moment(secret.created_at),
        };
        CallbackSettings {
            url: (!terms.callback_url.is_empty()).then(|| terms.callback_url.clone()),
            secrets: terms.secrets.iter().map(secret).collect(),
            sequence: terms.sequence,
            test,
            new_secret: None,
        }
    }
}

/// See where a partner is called back
///
/// `me` is the partner of the key. Others need the scope `admin`.
#[utoipa::path(get, path = "/v1/partners/{id}/callback", tag = "callbacks",
    params(("id" = String, Path, description = "Its id, or `me`"), Mode),
    responses((status = 200, body = CallbackSettings)))]
pub async fn settings(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<String>,
    Query(mode): Query<Mode>,
) -> Result<Json<CallbackSettings>, Problem> {
    let (partner, test) = meant(&web, &caller, &id, mode).await?;
    let terms = web.terms(partner, test).await?;
    Ok(Json(CallbackSettings::of(&terms, test)))
}

/// Set where a partner is called back
///
/// The first time a secret is made, and shown this once.
#[utoipa::path(put, path = "/v1/partners/{id}/callback", tag = "callbacks", request_body = CallbackUrl,
    params(("id" = String, Path, description = "Its id, or `me`"), Mode),
    responses((status = 200, body = CallbackSettings)))]
pub async fn set_url(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<String>,
    Query(mode): Query<Mode>,
    Json(body): Json<CallbackUrl>,
) -> Result<Json<CallbackSettings>, Problem> {
    let (partner, test) = meant(&web, &caller, &id, mode).await?;
    let url = body.url.unwrap_or_default();
    if !url.is_empty() {
        checked_url(web.parts.reach, &url, test, "url")?;
    }
    let mut new_secret = None;
    if !url.is_empty() && web.terms(partner, test).await?.secrets.is_empty() {
        new_secret = Some(make_secret(&web, partner, test).await?);
    }
    change(&web, partner, test, TermsChange::CallbackUrl(url)).await?;
    let terms = web.terms(partner, test).await?;
    Ok(Json(CallbackSettings {
        new_secret,
        ..CallbackSettings::of(&terms, test)
    }))
}

/// Make another secret
///
/// Both sign from now on. Change over, then retire the old one. There are at most two.
#[utoipa::path(post, path = "/v1/partners/{id}/callback/secrets", tag = "callbacks",
    params(("id" = String, Path, description = "Its id, or `me`"), Mode),
    responses((status = 201, body = NewSecret)))]
pub async fn add_secret(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<String>,
    Query(mode): Query<Mode>,
) -> Result<(StatusCode, Json<NewSecret>), Problem> {
    let (partner, test) = meant(&web, &caller, &id, mode).await?;
    Ok((StatusCode::CREATED, Json(make_secret(&web, partner, test).await?)))
}

/// Retire a secret
///
/// It signs no more, at once. The last one cannot be retired.
#[utoipa::path(delete, path = "/v1/partners/{id}/callback/secrets/{secret}", tag = "callbacks",
    params(("id" = String, Path, description = "The partner's id, or `me`"),
        ("secret" = String, Path, description = "The secret's id"), Mode),
    responses((status = 204)))]
pub async fn retire_secret(
    State(web): State<Web>,
    caller: Caller,
    Path((id, secret)): Path<(String, String)>,
    Query(mode): Query<Mode>,
) -> Result<StatusCode, Problem> {
    let (partner, test) = meant(&web, &caller, &id, mode).await?;
    let secret = Code::new(&secret).ok_or(Refusal::BadKey)?;
    change(&web, partner, test, TermsChange::SecretRetired(secret)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn make_secret(web: &Web, partner: PartnerId, test: bool) -> Result<NewSecret, Problem> {
    let made = web.sealer.make(partner, test, web.now());
    let (secret, stored) = made.ok_or(Fault::Internal)?;
    let id = stored.id.to_string();
    change(web, partner, test, TermsChange::SecretAdded(stored)).await?;
    Ok(NewSecret { id, secret })
}

async fn change(web: &Web, partner: PartnerId, test: bool, change: TermsChange) -> Result<(), Problem> {
    let change = Box::new(change);
    let command = Command::ChangeTerms {
        partner,
        test,
        change,
    };
    web.parts.core.call(command).await?;
    Ok(())
}

/// Whose terms are meant: one's own by a key that sells, anybody's by a key that manages.
async fn meant(web: &Web, caller: &Caller, id: &str, mode: Mode) -> Result<(PartnerId, bool), Problem> {
    if id == "me" {
        caller.require(Scopes::TOP_UP)?;
        return Ok((caller.partner.id, caller.test || mode.test));
    }
    caller.require(Scopes::ADMIN)?;
    Ok((existing(web, id).await?, mode.test))
}

/// Which callbacks.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Another partner's; needs the scope `admin`.
    pub partner: Option<u32>,
    /// True: those of the sandbox. A test key means them anyway.
    #[serde(default)]
    pub test: bool,
    /// pending, delivered or parked; left out: all.
    pub state: Option<String>,
    /// Those after this number.
    #[serde(default)]
    pub after: u64,
    /// How many, at most 200.
    pub limit: Option<u32>,
}

/// Callbacks with what became of them.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CallbackList {
    /// In the order of their numbers.
    pub callbacks: Vec<CallbackAnswer>,
}

/// A callback with what became of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CallbackAnswer {
    /// Its name, as in its body.
    pub id: String,
    /// Its number.
    pub sequence: u64,
    /// pending, delivered or parked.
    pub state: String,
    /// Where it goes.
    pub url: String,
    /// The top-up.
    pub topup: String,
    /// The partner's reference of it.
    pub external_id: String,
    /// The state that it tells.
    pub topup_state: String,
    /// When that happened.
    pub created_at: Moment,
    /// Attempts since it was queued or replayed.
    pub attempts: u32,
    /// When it is tried next, while it is pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_attempt_at: Option<Moment>,
    /// HTTP status of the last attempt, if there was an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What went wrong with the last attempt, in English.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Last change.
    pub updated_at: Moment,
}

impl CallbackAnswer {
    fn of(callback: Callback) -> CallbackAnswer {
        let id = callback.id;
        let pending = callback.state == CallbackState::Pending;
        let top_up = callback.due.top_up;
        CallbackAnswer {
            id: name_of(id.partner, id.test, id.sequence),
            sequence: id.sequence,
            state: callback.state.name().to_owned(),
            url: callback.url,
            topup: Uuid::from_u128(top_up.id).to_string(),
            external_id: top_up.external_id,
            topup_state: top_up.state.name().to_owned(),
            created_at: Moment(Timestamp(callback.at)),
            attempts: callback.attempts,
            next_attempt_at: pending.then_some(Moment(Timestamp(callback.retry_at))),
            status: callback.status,
            reason: callback.reason,
            updated_at: Moment(Timestamp(callback.updated_at)),
        }
    }
}

/// List callbacks
///
/// Those that were acknowledged stay in the list for 30 days.
#[utoipa::path(get, path = "/v1/callbacks", tag = "callbacks", params(Which),
    responses((status = 200, body = CallbackList)))]
pub async fn list(
    State(web): State<Web>,
    caller: Caller,
    Query(which): Query<Which>,
) -> Result<Json<CallbackList>, Problem> {
    let stream = which.stream(&caller)?;
    let limit = page_lines(which.limit)?;
    let state =
        match which.state.as_deref() {
            None => None,
            Some(name) => Some(CallbackState::parse(name).ok_or_else(|| {
                Problem::field(Fault::BadField, "state").hint("pending, delivered or parked")
            })?),
        };
    let after = which.after;
    let rows = web
        .parts
        .callbacks
        .ask(move |callbacks| callbacks.list(stream, state, after, limit))
        .await?;
    let callbacks = rows.into_iter().map(CallbackAnswer::of).collect();
    Ok(Json(CallbackList { callbacks }))
}

/// Deliver a callback again
///
/// Whatever became of it. Its body is the same, its signature is new.
#[utoipa::path(post, path = "/v1/callbacks/{sequence}/replay", tag = "callbacks",
    params(("sequence" = u64, Path, description = "Its number"), Which),
    responses((status = 202, body = CallbackAnswer)))]
pub async fn replay(
    State(web): State<Web>,
    caller: Caller,
    Path(sequence): Path<String>,
    Query(which): Query<Which>,
) -> Result<(StatusCode, Json<CallbackAnswer>), Problem> {
    let (partner, test) = which.stream(&caller)?;
    let sequence = sequence.parse().map_err(|_| Fault::NoSuchCallback)?;
    let id = CallbackId {
        partner,
        test,
        sequence,
    };
    let now = web.now().0;
    let row = web
        .parts
        .callbacks
        .ask(move |callbacks| match callbacks.replay(id, now)? {
            true => callbacks.one(id),
            false => Ok(None),
        })
        .await?
        .ok_or(Fault::NoSuchCallback)?;
    web.parts.callbacks.wake();
    Ok((StatusCode::ACCEPTED, Json(CallbackAnswer::of(row))))
}

/// How many callbacks are delivered again.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Replayed {
    /// So many.
    pub replayed: u64,
}

/// Deliver all parked callbacks again
#[utoipa::path(post, path = "/v1/callbacks/replay", tag = "callbacks", params(Which),
    responses((status = 202, body = Replayed)))]
pub async fn replay_parked(
    State(web): State<Web>,
    caller: Caller,
    Query(which): Query<Which>,
) -> Result<(StatusCode, Json<Replayed>), Problem> {
    let stream = which.stream(&caller)?;
    let now = web.now().0;
    let replayed = web
        .parts
        .callbacks
        .ask(move |callbacks| callbacks.replay_parked(stream, now))
        .await?;
    web.parts.callbacks.wake();
    let replayed = replayed as u64;
    Ok((StatusCode::ACCEPTED, Json(Replayed { replayed })))
}

impl Which {
    fn stream(&self, caller: &Caller) -> Result<(PartnerId, bool), Problem> {
        match self.partner {
            Some(partner) if PartnerId(partner) != caller.partner.id => {
                caller.require(Scopes::ADMIN)?;
                Ok((PartnerId(partner), self.test))
            }
            _ => {
                caller.require(Scopes::TOP_UP)?;
                Ok((caller.partner.id, caller.test || self.test))
            }
        }
    }
}

impl Web {
    /// The terms of a partner; those of one without any are empty.
    ///
    /// # Errors
    /// What the core says.
    pub async fn terms(&self, partner: PartnerId, test: bool) -> Result<Box<PartnerTerms>, Problem> {
        match self.parts.core.read(EntityKey::Terms(partner, test)).await? {
            Some(Entity::Terms(terms)) => Ok(terms),
            _ => Ok(Box::default()),
        }
    }
}
