//! "This wasn't me": accounts whose owner locked them, and what they said.

use super::Desk;
use super::parts::{Act, Field, Item, List, Part, REASON_MAX, Row, Told, is_reason};
use crate::problem::{Fault, Problem};
use crate::state::Web;
use crate::text::Html;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use people::audit;
use people::staff::Duty;
use people::staff_trail::Deed;
use serde::Deserialize;

/// Locks in the list.
const LIST_MAX: i64 = 200;
/// Lines of the owner's own trail that are shown.
const AUDIT_LINES: i64 = 20;

/// What happened just before.
#[derive(Default, Deserialize)]
pub struct Before {
    done: Option<String>,
}

/// What support has not closed, the oldest first.
pub async fn list(
    State(web): State<Web>,
    desk: Desk,
    Query(before): Query<Before>,
) -> Result<Response, Problem> {
    desk.may(&web, Duty::Locks).await?;
    let (t, now) = (desk.visitor.speech(), web.now());
    let found = web.people(|people| people.support_notices(LIST_MAX)).await?;
    let mut list = List::of(&web, &desk, "locks");
    list.lead = Some(t.h("staff-locks-lead"));
    list.told = before.done.map(|_| Told::good(t.h("staff-done")));
    if web.parts.cards.is_some() {
        list.links = vec![("/staff/cards".to_owned(), t.h("staff-cards"))];
    }
    list.heads = vec![t.h("complaint-when"), t.h("staff-age"), t.h("staff-about")];
    list.rows = found
        .iter()
        .map(|one| Row {
            path: Some(format!("/staff/locks/{}", one.id)),
            cells: vec![
                desk.moment(&web, one.at),
                desk.age(one.at, now),
                Html::bdi(&one.detail),
            ],
        })
        .collect();
    Ok(list.answer())
}

/// One lock, with what was done to the account.
pub async fn show(State(web): State<Web>, desk: Desk, Path(id): Path<i64>) -> Result<Response, Problem> {
    desk.may(&web, Duty::Locks).await?;
    desk.note(&web, Deed::Seen, &format!("lock {id}"), "").await?;
    whole(&web, &desk, id, None).await
}

async fn whole(web: &Web, desk: &Desk, id: i64, told: Option<Told>) -> Result<Response, Problem> {
    let found = web
        .people(move |people| {
            let all = people.support_notices(i64::MAX)?;
            let Some(one) = all.into_iter().find(|one| one.id == id) else {
                return Ok(None);
            };
            let numbers = people.numbers_of(one.person)?;
            let person = people.person(one.person)?;
            let trail = people.audit_of(one.person, AUDIT_LINES)?;
            Ok(Some((one, numbers, person, trail)))
        })
        .await?;
    let (one, numbers, person, trail) = found.ok_or(Fault::NotFound)?;
    let t = desk.visitor.speech();
    let locked = person.is_some_and(|person| person.locked_at.is_some());
    let mut item = Item::of(web, desk, "locks", &one.person.to_string());
    item.told = told;
    item.state = Some(if locked {
        ("warn", t.h("staff-locked"))
    } else {
        ("good", t.h("staff-unlocked"))
    });
    let masked: Vec<String> = numbers.iter().map(|owned| owned.number.masked()).collect();
    item.facts = vec![
        (t.h("complaint-when"), desk.moment(web, one.at)),
        (t.h("staff-about"), Html::bdi(&one.detail)),
        (t.h("complaint-number"), Html::bdi(&masked.join(", "))),
    ];
    item.parts = vec![Part {
        heading: t.h("trail"),
        talk: Vec::new(),
        rows: trail
            .iter()
            .map(|line| {
                let deed = audit::Deed::ALL.into_iter().find(|deed| deed.name() == line.deed);
                Row {
                    path: None,
                    cells: vec![
                        desk.moment(web, line.at),
                        deed.map_or(Html::default(), |deed| t.h(&format!("deed-{}", deed.name()))),
                        Html::bdi(&format!("{} \u{b7} {}", line.place.device, line.place.address)),
                    ],
                }
            })
            .collect(),
    }];
    let act = |what, key: &str, class| Act {
        path: format!("/staff/locks/{id}"),
        what,
        label: t.h(key),
        class,
        fields: vec![Field::reason(desk, "")],
    };
    item.acts = vec![act("seen", "staff-lock-seen", "primary")];
    if locked {
        item.acts.push(act("unlock", "staff-unlock", "danger"));
    }
    Ok(item.answer())
}

/// What staff does about a lock.
#[derive(Deserialize)]
pub struct Work {
    form: String,
    what: String,
    reason: String,
}

/// Closes it, or takes the lock off: with a reason, which stands in the trail before it is done.
pub async fn act(
    State(web): State<Web>,
    desk: Desk,
    Path(id): Path<i64>,
    Form(work): Form<Work>,
) -> Result<Response, Problem> {
    desk.check(&web, &work.form, Duty::Locks).await?;
    let reason: String = work.reason.chars().take(REASON_MAX).collect();
    if !is_reason(&reason) {
        let told = Told::bad(desk.visitor.speech().h("staff-reason-wanted"));
        return whole(&web, &desk, id, Some(told)).await;
    }
    let deed = match work.what.as_str() {
        "seen" => Deed::LockSeen,
        "unlock" => Deed::Unlocked,
        _ => return Err(Fault::BadField.into()),
    };
    let all = web.people(|people| people.support_notices(i64::MAX)).await?;
    let one = all.into_iter().find(|one| one.id == id).ok_or(Fault::NotFound)?;
    desk.note(&web, deed, &format!("person {}", one.person), &reason)
        .await?;
    let (place, now) = (desk.visitor.place.clone(), web.now());
    web.people(move |people| {
        if deed == Deed::Unlocked {
            people.unlock(one.person, &place, now)?;
        }
        people.close_support_notice(id, now)
    })
    .await?;
    Ok(Redirect::to("/staff/locks?done=1").into_response())
}
