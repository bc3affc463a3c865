//! Complaints for staff: what is due first, answers, states. What staff does stands in the complaint's trail.

use super::auth::Caller;
use super::json::{Json, Moment, Query, page_lines, short_text};
use crate::limits;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use axum::extract::{Path, State};
use charge::Refusal;
use charge::partner::Scopes;
use people::complaints::{Complaint, ComplaintId, Declined, State as At};
use people::staff_trail::Deed;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A complaint.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ComplaintAnswer {
    /// As people know it: C-2026-000123.
    pub id: String,
    /// The number that it is about.
    pub msisdn: String,
    /// not-credited, charged-twice, wrong-number, billing, bundle, quality, unauthorised, appeal or other.
    pub category: String,
    /// open, waiting-for-you (for its owner), waiting-for-us, resolved, closed or appealed.
    pub state: String,
    /// What it is linked to: `payment:..`, `receipt:..`, `event:..`; empty: nothing.
    pub about: String,
    /// When it was made.
    pub opened_at: Moment,
    /// Its last change.
    pub changed_at: Moment,
    /// Answered by then.
    pub due_at: Moment,
    /// True when it waits for us and the deadline has passed.
    pub late: bool,
}

/// A complaint with all that was said and done.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ComplaintFile {
    /// The complaint.
    pub complaint: ComplaintAnswer,
    /// What both sides said.
    pub messages: Vec<ComplaintMessage>,
    /// What staff did.
    pub trail: Vec<ComplaintDeed>,
}

/// What somebody said.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ComplaintMessage {
    /// True: staff.
    pub from_us: bool,
    /// When.
    pub at: Moment,
    /// What.
    pub body: String,
}

/// What staff did.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ComplaintDeed {
    /// When.
    pub at: Moment,
    /// Who: the partner's code and the name that was given.
    pub staff: String,
    /// What, with the state before and after it.
    pub deed: String,
}

/// Which complaints.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// In this state; left out: all that are not settled.
    pub state: Option<String>,
    /// So many at most.
    pub limit: Option<u32>,
}

/// What staff does: answers, changes the state, or both.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ComplaintWork {
    /// Who does it, a name for the trail.
    pub by: String,
    /// An answer to its owner.
    #[serde(default)]
    pub answer: Option<String>,
    /// waiting-for-you, waiting-for-us, resolved or closed.
    #[serde(default)]
    pub state: Option<String>,
}

/// Complaints, those whose deadline is nearest first
#[utoipa::path(get, path = "/v1/complaints", tag = "complaints", params(Which),
    responses((status = 200, body = [ComplaintAnswer])))]
pub async fn list(
    State(web): State<Web>,
    caller: Caller,
    Query(which): Query<Which>,
) -> Result<Json<Vec<ComplaintAnswer>>, Problem> {
    may_work(&caller)?;
    let state = which.state.as_deref().map(state_of).transpose()?;
    let lines = i64::from(page_lines(which.limit)?);
    let found = web
        .people(move |people| people.complaints_for_staff(state, lines))
        .await?;
    let answers = found.iter().map(|complaint| ComplaintAnswer::of(complaint, &web));
    Ok(Json(answers.collect()))
}

/// See a complaint with its messages and trail
#[utoipa::path(get, path = "/v1/complaints/{id}", tag = "complaints",
    params(("id" = String, Path, description = "C-2026-000123")), responses((status = 200, body = ComplaintFile)))]
pub async fn see(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<ComplaintFile>, Problem> {
    may_work(&caller)?;
    file_of(&web, ComplaintId::parse(&id).ok_or(Fault::NotFound)?).await
}

/// Answer a complaint or change its state
#[utoipa::path(post, path = "/v1/complaints/{id}", tag = "complaints", request_body = ComplaintWork,
    params(("id" = String, Path, description = "C-2026-000123")), responses((status = 200, body = ComplaintFile)))]
pub async fn work(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<String>,
    Json(work): Json<ComplaintWork>,
) -> Result<Json<ComplaintFile>, Problem> {
    may_work(&caller)?;
    let id = ComplaintId::parse(&id).ok_or(Fault::NotFound)?;
    short_text(&work.by, "by", limits::NAME_BYTES_MAX)?;
    let state = work.state.as_deref().map(state_of).transpose()?;
    let staff = format!("{}: {}", caller.partner.code, work.by);
    let about = id.to_string();
    super::staff::note(&web, &caller, Deed::ComplaintAnswered, &about, &work.by).await?;
    let (answer, now) = (work.answer, web.now());
    let done = web
        .people(move |people| people.work_on_complaint(id, &staff, (answer.as_deref(), state), now))
        .await?;
    match done {
        Ok(_) => file_of(&web, id).await,
        Err(Declined::Empty) => Err(Problem::field(Fault::BadField, "answer")),
        Err(Declined::TooMany) => Err(Refusal::TooMany.into()),
        Err(Declined::State) => Err(Refusal::BadTransition.into()),
        Err(Declined::Unknown) => Err(Fault::NotFound.into()),
    }
}

/// Complaints are of all operators: a caller of some of them may not see them.
fn may_work(caller: &Caller) -> Result<(), Problem> {
    caller.require(Scopes::ADMIN)?;
    if caller.partner.operators.is_empty() {
        Ok(())
    } else {
        Err(Refusal::OperatorNotAllowed.into())
    }
}

fn state_of(name: &str) -> Result<At, Problem> {
    At::parse(name).ok_or(Problem::field(Fault::BadField, "state"))
}

async fn file_of(web: &Web, id: ComplaintId) -> Result<Json<ComplaintFile>, Problem> {
    let found = web
        .people(move |people| {
            let Some((complaint, messages)) = people.complaint(id)? else {
                return Ok(None);
            };
            Ok(Some((complaint, messages, people.complaint_trail(id)?)))
        })
        .await?;
    let (complaint, messages, trail) = found.ok_or(Fault::NotFound)?;
    Ok(Json(ComplaintFile {
        complaint: ComplaintAnswer::of(&complaint, web),
        messages: messages
            .into_iter()
            .map(|message| ComplaintMessage {
                from_us: message.from_us,
                at: Moment(message.at),
                body: message.body,
            })
            .collect(),
        trail: trail
            .into_iter()
            .map(|line| ComplaintDeed {
                at: Moment(line.at),
                staff: line.staff,
                deed: line.deed,
            })
            .collect(),
    }))
}

impl ComplaintAnswer {
    fn of(complaint: &Complaint, web: &Web) -> ComplaintAnswer {
        ComplaintAnswer {
            id: complaint.id.to_string(),
            msisdn: complaint.number.to_string(),
            category: complaint.category.name().to_owned(),
            state: complaint.state.name().to_owned(),
            about: complaint.about.clone(),
            opened_at: Moment(complaint.opened_at),
            changed_at: Moment(complaint.changed_at),
            due_at: Moment(complaint.due_at),
            late: complaint.state.awaits_us() && complaint.due_at < web.now(),
        }
    }
}
