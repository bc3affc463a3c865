//! Complaints: those that are due first, taken, sorted, answered, decided.

use super::Desk;
use super::parts::{Act, Field, Item, Kind, List, Part, REASON_MAX, Row, Said, Told, is_reason};
use super::subscribers;
use crate::page::complaints::{category_name, pill};
use crate::problem::{Fault, Problem};
use crate::state::Web;
use crate::text::Html;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use people::complaints::{Category, Complaint, ComplaintId, Declined, Sort, State as At};
use people::limits::COMPLAINT_CHARACTERS_MAX;
use people::staff::Duty;
use people::staff_trail::Deed;
use serde::Deserialize;

/// Complaints in the list.
const LIST_MAX: i64 = 200;

/// Which complaints.
#[derive(Default, Deserialize)]
pub struct Which {
    #[serde(default)]
    state: String,
}

/// Complaints, those whose deadline is nearest first.
pub async fn list(
    State(web): State<Web>,
    desk: Desk,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    desk.may(&web, Duty::Complaints).await?;
    let (t, now) = (desk.visitor.speech(), web.now());
    let chosen = At::parse(&which.state);
    let found = web
        .people(move |people| people.complaints_for_staff(chosen, LIST_MAX))
        .await?;
    let mut list = List::of(&web, &desk, "complaints");
    list.filters = std::iter::once((
        "/staff/complaints".to_owned(),
        t.h("staff-all-open"),
        chosen.is_none(),
    ))
    .chain(At::ALL.into_iter().map(|state| {
        (
            format!("/staff/complaints?state={}", state.name()),
            t.h(&format!("complaint-{}", state.name())),
            chosen == Some(state),
        )
    }))
    .collect();
    list.heads = [
        "complaint",
        "complaint-category",
        "staff-state",
        "staff-age",
        "staff-due",
        "staff-owner",
    ]
    .map(|key| t.h(key))
    .into();
    let row = |one: &Complaint| Row {
        path: Some(format!("/staff/complaints/{}", one.id)),
        cells: vec![
            Html::bdi(&one.id.to_string()),
            category_name(one.category, t),
            t.h(&format!("complaint-{}", one.state.name())),
            desk.age(one.opened_at, now),
            due(&web, &desk, one),
            Html::bdi(&one.taken_by),
        ],
    };
    list.rows = found.iter().map(row).collect();
    Ok(list.answer())
}

fn due(web: &Web, desk: &Desk, one: &Complaint) -> Html {
    let t = desk.visitor.speech();
    if !one.state.awaits_us() {
        return Html::bdi("\u{2013}");
    }
    if one.due_at < web.now() {
        return t.h("staff-late");
    }
    Html::isolated(&t.left(one.due_at, web.now()))
}

/// What happened just before.
#[derive(Default, Deserialize)]
pub struct Before {
    done: Option<String>,
}

/// One complaint with all that was said and done. That it was seen stands in the trail.
pub async fn show(
    State(web): State<Web>,
    desk: Desk,
    Path(typed): Path<String>,
    Query(before): Query<Before>,
) -> Result<Response, Problem> {
    desk.may(&web, Duty::Complaints).await?;
    let t = desk.visitor.speech();
    let told = before.done.map(|_| Told::good(t.h("staff-done")));
    if told.is_none() {
        desk.note(&web, Deed::Seen, &typed, "").await?;
    }
    whole(&web, &desk, &typed, told).await
}

async fn whole(web: &Web, desk: &Desk, typed: &str, told: Option<Told>) -> Result<Response, Problem> {
    let id = ComplaintId::parse(typed).ok_or(Fault::NotFound)?;
    let found = web
        .people(move |people| {
            let Some((complaint, messages)) = people.complaint(id)? else {
                return Ok(None);
            };
            Ok(Some((complaint, messages, people.complaint_trail(id)?)))
        })
        .await?;
    let (one, messages, trail) = found.ok_or(Fault::NotFound)?;
    let t = desk.visitor.speech();
    let mut item = Item::of(web, desk, "complaints", &one.id.to_string());
    item.told = told;
    item.state = Some((pill(one.state), t.h(&format!("complaint-{}", one.state.name()))));
    item.facts = vec![
        (t.h("complaint-category"), category_name(one.category, t)),
        (t.h("complaint-number"), Desk::masked(one.number)),
        (t.h("complaint-opened"), desk.moment(web, one.opened_at)),
        (t.h("staff-due"), due(web, desk, &one)),
        (t.h("staff-owner"), Html::bdi(&one.taken_by)),
        (t.h("staff-about"), Html::bdi(&one.about)),
    ];
    item.parts = vec![
        Part {
            heading: t.h("complaint-messages"),
            talk: messages
                .into_iter()
                .map(|message| Said {
                    from_us: message.from_us,
                    who: t.h(if message.from_us {
                        "complaint-us"
                    } else {
                        "staff-them"
                    }),
                    when: desk.moment(web, message.at),
                    body: message.body,
                })
                .collect(),
            rows: Vec::new(),
        },
        Part {
            heading: t.h("staff-trail"),
            talk: Vec::new(),
            rows: trail
                .iter()
                .map(|line| Row {
                    path: None,
                    cells: vec![
                        desk.moment(web, line.at),
                        Html::bdi(&line.staff),
                        Html::bdi(&line.deed),
                    ],
                })
                .collect(),
        },
    ];
    item.acts = acts(desk, &one);
    Ok(item.answer())
}

fn acts(desk: &Desk, one: &Complaint) -> Vec<Act> {
    let t = desk.visitor.speech();
    let act = |what, key: &str, class, fields| Act {
        path: format!("/staff/complaints/{}", one.id),
        what,
        label: t.h(key),
        class,
        fields,
    };
    let open = act(
        "open",
        "staff-open-subscriber",
        "quiet",
        vec![Field::reason(desk, &one.id.to_string())],
    );
    if one.state == At::Closed {
        return vec![open];
    }
    let states = [At::WaitingForYou, At::WaitingForUs, At::Resolved, At::Closed].map(|state| {
        let name = t.h(&format!("complaint-{}", state.name()));
        (state.name().to_owned(), name, state == At::WaitingForUs)
    });
    let answer = vec![
        Field {
            name: "body",
            label: t.h("staff-answer"),
            kind: Kind::Area,
            value: String::new(),
            max: COMPLAINT_CHARACTERS_MAX,
        },
        Field {
            name: "state",
            label: t.h("staff-then"),
            kind: Kind::Choice(states.into()),
            value: String::new(),
            max: 0,
        },
    ];
    let categories = Category::ALL.map(|category| {
        let chosen = category == one.category;
        (category.name().to_owned(), category_name(category, t), chosen)
    });
    let sort = vec![Field {
        name: "category",
        label: t.h("complaint-category"),
        kind: Kind::Choice(categories.into()),
        value: String::new(),
        max: 0,
    }];
    let mut acts = vec![act("answer", "complaint-send", "primary", answer)];
    if one.taken_by != desk.member.name {
        acts.push(act("take", "staff-take", "", Vec::new()));
    }
    acts.push(act("sort", "staff-sort", "quiet", sort));
    acts.push(open);
    acts
}

/// What staff does.
#[derive(Deserialize)]
pub struct Work {
    form: String,
    what: String,
    #[serde(default)]
    body: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    category: String,
    #[serde(default)]
    reason: String,
}

/// Does it; the trail has it before.
pub async fn act(
    State(web): State<Web>,
    desk: Desk,
    Path(typed): Path<String>,
    Form(work): Form<Work>,
) -> Result<Response, Problem> {
    desk.check(&web, &work.form, Duty::Complaints).await?;
    let id = ComplaintId::parse(&typed).ok_or(Fault::NotFound)?;
    let (name, now) = (desk.member.name.clone(), web.now());
    let about = id.to_string();
    let done = match work.what.as_str() {
        "take" => {
            desk.note(&web, Deed::ComplaintTaken, &about, "").await?;
            web.people(move |people| people.sort_complaint(id, &name, Sort::Take, now))
                .await?
        }
        "sort" => {
            let category = Category::parse(&work.category).ok_or(Fault::BadField)?;
            desk.note(&web, Deed::ComplaintSorted, &about, category.name())
                .await?;
            web.people(move |people| people.sort_complaint(id, &name, Sort::Category(category), now))
                .await?
        }
        "answer" => {
            let to = At::parse(&work.state).ok_or(Fault::BadField)?;
            desk.note(&web, Deed::ComplaintAnswered, &about, to.name())
                .await?;
            let done = web
                .people(move |people| people.work_on_complaint(id, &name, (Some(&work.body), Some(to)), now));
            done.await?.map(|_| ())
        }
        "open" => {
            let found = web.people(move |people| people.complaint(id)).await?;
            let (one, _) = found.ok_or(Fault::NotFound)?;
            let reason: String = work.reason.chars().take(REASON_MAX).collect();
            if !is_reason(&reason) {
                let told = Told::bad(desk.visitor.speech().h("staff-reason-wanted"));
                return whole(&web, &desk, &typed, Some(told)).await;
            }
            return subscribers::open_number(&web, &desk, one.number, &reason).await;
        }
        _ => return Err(Fault::BadField.into()),
    };
    let key = match done {
        Ok(()) => return Ok(Redirect::to(&format!("/staff/complaints/{id}?done=1")).into_response()),
        Err(Declined::Empty) => "complaint-empty",
        Err(Declined::TooMany) => "complaint-too-many",
        Err(Declined::State) => "complaint-is-closed",
        Err(Declined::Unknown) => return Err(Fault::NotFound.into()),
    };
    let told = Told::bad(desk.visitor.speech().h(key));
    whole(&web, &desk, &typed, Some(told)).await
}
