//! Accounts of staff, made by whoever holds an administrator's key: with the secret that sets each up, once.

use super::auth::Caller;
use super::json::{Json, Moment};
use crate::problem::{Fault, Problem};
use crate::state::Web;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use charge::Refusal;
use charge::partner::Scopes;
use people::staff::{Change, Declined, Member, Role};
use people::staff_trail::{Actor, Deed};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Somebody of staff.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StaffAnswer {
    /// The name to sign in with.
    pub name: String,
    /// support, finance or admin.
    pub role: String,
    /// False: switched off.
    pub active: bool,
    /// The account is set up.
    pub ready: bool,
    /// Since when.
    pub created_at: Moment,
}

/// Somebody to add.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewStaff {
    /// 2 to 32 small letters, digits, dots and hyphens.
    pub name: String,
    /// support, finance or admin.
    pub role: String,
}

/// What changes. Every sign-in of the account ends.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StaffChange {
    /// support, finance or admin.
    #[serde(default)]
    pub role: Option<String>,
    /// Off or on.
    #[serde(default)]
    pub active: Option<bool>,
    /// True: password and second factor are gone, and a new link sets the account up.
    #[serde(default)]
    pub invite: bool,
}

/// What sets an account up.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct StaffInvitation {
    /// The name to sign in with.
    pub name: String,
    /// Where to choose a password: works once, for a day. Empty when nothing is to be set up.
    pub link: String,
}

/// Add somebody of staff
#[utoipa::path(post, path = "/v1/staff", tag = "staff", request_body = NewStaff,
    responses((status = 201, body = StaffInvitation)))]
pub async fn add(
    State(web): State<Web>,
    caller: Caller,
    Json(new): Json<NewStaff>,
) -> Result<(StatusCode, Json<StaffInvitation>), Problem> {
    let by = administrator(&caller)?;
    let role = role_of(&new.role)?;
    let (name, now) = (new.name.clone(), web.now());
    let made = web
        .people(move |people| people.staff_add(&by, &name, role, now))
        .await?;
    let secret = made.map_err(refusal)?;
    let invitation = invitation(&web, new.name, Some(&secret));
    Ok((StatusCode::CREATED, Json(invitation)))
}

/// List everybody of staff
#[utoipa::path(get, path = "/v1/staff", tag = "staff", responses((status = 200, body = [StaffAnswer])))]
pub async fn list(State(web): State<Web>, caller: Caller) -> Result<Json<Vec<StaffAnswer>>, Problem> {
    administrator(&caller)?;
    let found = web.people(people::People::staff).await?;
    let answer = |member: &Member| StaffAnswer {
        name: member.name.clone(),
        role: member.role.name().to_owned(),
        active: member.active,
        ready: member.ready,
        created_at: Moment(member.created_at),
    };
    Ok(Json(found.iter().map(answer).collect()))
}

/// Change somebody of staff
#[utoipa::path(post, path = "/v1/staff/{name}", tag = "staff", request_body = StaffChange,
    params(("name" = String, Path, description = "The name")), responses((status = 200, body = StaffInvitation)))]
pub async fn change(
    State(web): State<Web>,
    caller: Caller,
    Path(name): Path<String>,
    Json(asked): Json<StaffChange>,
) -> Result<Json<StaffInvitation>, Problem> {
    let by = administrator(&caller)?;
    let role = asked.role.as_deref().map(role_of).transpose()?.map(Change::Role);
    let changes: Vec<Change> = [
        role,
        asked.active.map(Change::Active),
        asked.invite.then_some(Change::Invite),
    ]
    .into_iter()
    .flatten()
    .collect();
    if changes.is_empty() {
        return Err(Problem::field(Fault::BadField, "role"));
    }
    let mut secret = None;
    for change in changes {
        let (by, name, now) = (by.clone(), name.clone(), web.now());
        let done = web.people(move |people| people.staff_change(&by, &name, change, now));
        secret = done.await?.map_err(refusal)?.or(secret);
    }
    Ok(Json(invitation(&web, name, secret.as_deref())))
}

/// Staff is of all operators: a caller of some of them has no business here.
pub(super) fn administrator(caller: &Caller) -> Result<Actor, Problem> {
    caller.require(Scopes::ADMIN)?;
    if !caller.partner.operators.is_empty() {
        return Err(Refusal::OperatorNotAllowed.into());
    }
    Ok(Actor::outside(&format!("key of {}", caller.partner.code)))
}

/// What a key of the API does with people's matters stands in the trail of staff too, before it is done.
pub(super) async fn note(
    web: &Web,
    caller: &Caller,
    deed: Deed,
    about: &str,
    detail: &str,
) -> Result<(), Problem> {
    let by = Actor::outside(&format!("key of {}", caller.partner.code));
    let (about, detail, now) = (about.to_owned(), detail.to_owned(), web.now());
    web.people(move |people| people.staff_note(&by, deed, &about, &detail, now))
        .await
}

fn role_of(name: &str) -> Result<Role, Problem> {
    Role::parse(name).ok_or(Problem::field(Fault::BadField, "role"))
}

fn invitation(web: &Web, name: String, secret: Option<&str>) -> StaffInvitation {
    let base = web
        .parts
        .origin
        .as_deref()
        .unwrap_or(&web.parts.receipts.public_url);
    StaffInvitation {
        name,
        link: secret.map_or_else(String::new, |secret| {
            format!("{}/staff/set-up/{secret}", base.trim_end_matches('/'))
        }),
    }
}

fn refusal(declined: Declined) -> Problem {
    match declined {
        Declined::BadName => {
            Problem::field(Fault::BadField, "name").hint("2 to 32 small letters, digits, dots and hyphens")
        }
        Declined::Taken => Problem::field(Fault::BadField, "name").hint("somebody has this name"),
        Declined::Unknown => Fault::NotFound.into(),
        Declined::LastAdmin => Problem::from(Refusal::BadTransition).hint("this is the last administrator"),
    }
}
