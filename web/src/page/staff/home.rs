//! What waits, by kind of work: how much, and how old the oldest is.

use super::Desk;
use super::parts::{List, Row};
use crate::problem::Problem;
use crate::reconcile::blocking;
use crate::state::Web;
use crate::text::Html;
use axum::extract::State;
use axum::response::Response;
use charge::Timestamp;
use charge::payment::PaymentState;
use people::staff::Duty;
use people::staff_wishes::WishState;

/// Most of a kind that are counted.
const COUNT_MAX: usize = 500;

/// The first page.
pub async fn show(State(web): State<Web>, desk: Desk) -> Result<Response, Problem> {
    let (t, now) = (desk.visitor.speech(), web.now());
    let mut list = List::of(&web, &desk, "home");
    list.heads = vec![t.h("staff-work"), t.h("staff-waiting"), t.h("staff-oldest")];
    let mut add = |desk: &Desk, duty: Duty, count: usize, oldest: Option<Timestamp>| {
        let shown = if count >= COUNT_MAX {
            format!("{COUNT_MAX}+")
        } else {
            count.to_string()
        };
        list.rows.push(Row {
            path: Some(format!("/staff/{}", duty.name())),
            cells: vec![
                t.h(&format!("staff-{}", duty.name())),
                Html::bdi(&shown),
                oldest.map_or(Html::bdi("\u{2013}"), |at| desk.age(at, now)),
            ],
        });
    };
    let may = |duty| desk.member.role.may(duty);
    let most = i64::try_from(COUNT_MAX).unwrap_or(i64::MAX);
    if may(Duty::Complaints) {
        let found = web
            .people(move |people| people.complaints_for_staff(None, most))
            .await?;
        let oldest = found.iter().map(|one| one.opened_at).min();
        add(&desk, Duty::Complaints, found.len(), oldest);
    }
    if may(Duty::Locks) {
        let found = web.people(move |people| people.support_notices(most)).await?;
        add(&desk, Duty::Locks, found.len(), found.first().map(|one| one.at));
    }
    if may(Duty::Exceptions)
        && let Some(file) = web.parts.exceptions.clone()
    {
        let found = blocking(move || file.list(true)).await?;
        let oldest = found.first().map(|one| one.found_at);
        add(&desk, Duty::Exceptions, found.len().min(COUNT_MAX), oldest);
    }
    if may(Duty::Suspense) {
        let found = web
            .parts
            .reads
            .ask(|reader| {
                reader
                    .models
                    .payments_in_state(PaymentState::InSuspense, None, COUNT_MAX)
            })
            .await?;
        let oldest = found.first().map(|one| one.created_at);
        add(&desk, Duty::Suspense, found.len(), oldest);
    }
    if may(Duty::Approvals) {
        let found = web.people(move |people| people.staff_wishes(most)).await?;
        let waiting = || found.iter().filter(|wish| wish.state == WishState::Waiting);
        let oldest = waiting().map(|wish| wish.asked_at).min();
        add(&desk, Duty::Approvals, waiting().count(), oldest);
    }
    Ok(list.answer())
}
