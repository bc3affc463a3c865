//! The trail of staff, and who is staff.

use super::Desk;
use super::parts::{Act, Field, Kind, List, Row, Told};
use crate::problem::{Fault, Problem};
use crate::state::Web;
use crate::text::Html;
use axum::Form;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use people::staff::{Change, Duty, Member};
use people::staff_trail::{Deed, TrailQuery};
use serde::Deserialize;

/// Lines on one page.
const LINES: usize = 100;

/// Which lines.
#[derive(Default, Deserialize)]
pub struct Which {
    #[serde(default)]
    name: String,
    #[serde(default)]
    about: String,
    #[serde(default)]
    before: i64,
}

/// The trail, the newest first, and whether it is whole.
pub async fn show(
    State(web): State<Web>,
    desk: Desk,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    desk.may(&web, Duty::Trail).await?;
    desk.note(&web, Deed::Seen, "trail", &which.name).await?;
    let t = desk.visitor.speech();
    let query = TrailQuery {
        name: which.name.chars().take(100).collect(),
        about: which.about.chars().take(100).collect(),
        before: which.before,
    };
    let asked = query.clone();
    let (lines, broken) = web
        .people(move |people| {
            let most = i64::try_from(LINES).unwrap_or(i64::MAX);
            Ok((people.staff_trail(&asked, most)?, people.staff_trail_broken_at()?))
        })
        .await?;
    let mut list = List::of(&web, &desk, "trail");
    list.told = Some(match broken {
        None => Told {
            class: "info",
            role: "status",
            text: t.h("staff-trail-whole"),
        },
        Some(line) => Told::bad(Html::isolated(
            &t.with("staff-trail-broken", &[("line", line.to_string().into())]),
        )),
    });
    list.heads = [
        "complaint-when",
        "staff-who",
        "staff-what",
        "staff-about",
        "staff-more",
        "staff-where",
    ]
    .map(|key| t.h(key))
    .into();
    list.rows = lines
        .iter()
        .map(|line| {
            let deed = Deed::parse(&line.deed);
            let place = &line.by.place;
            Row {
                path: None,
                cells: vec![
                    desk.moment(&web, line.at),
                    Html::bdi(&line.by.name),
                    deed.map_or_else(
                        || Html::bdi(&line.deed),
                        |deed| t.h(&format!("staff-deed-{}", deed.name())),
                    ),
                    Html::bdi(&line.about),
                    Html::bdi(&line.detail),
                    Html::bdi(&format!("{} {}", place.device, place.address)),
                ],
            }
        })
        .collect();
    if lines.len() == LINES && query.name.is_empty() && query.about.is_empty() {
        let last = lines.last().map_or(0, |line| line.line);
        list.next = Some(format!("/staff/trail?before={last}"));
    }
    Ok(list.answer())
}

/// What happened just before.
#[derive(Default, Deserialize)]
pub struct Before {
    done: Option<String>,
}

/// Who is staff.
pub async fn team(
    State(web): State<Web>,
    desk: Desk,
    Query(before): Query<Before>,
) -> Result<Response, Problem> {
    desk.may(&web, Duty::Team).await?;
    let done = before.done.is_some();
    team_page(
        &web,
        &desk,
        done.then(|| Told::good(desk.visitor.speech().h("staff-done"))),
    )
    .await
}

async fn team_page(web: &Web, desk: &Desk, told: Option<Told>) -> Result<Response, Problem> {
    let t = desk.visitor.speech();
    let found = web.people(people::People::staff).await?;
    let mut list = List::of(web, desk, "team");
    list.lead = Some(t.h("staff-team-lead"));
    list.told = told;
    list.heads = vec![t.h("staff-name"), t.h("staff-role"), t.h("staff-state")];
    let state = |member: &Member| match (member.active, member.ready) {
        (false, _) => "staff-off",
        (true, false) => "staff-invited",
        (true, true) => "staff-on",
    };
    list.rows = found
        .iter()
        .map(|member| Row {
            path: None,
            cells: vec![
                Html::bdi(&member.name),
                t.h(&format!("staff-role-{}", member.role.name())),
                t.h(state(member)),
            ],
        })
        .collect();
    let others = found.iter().filter(|member| member.id != desk.member.id);
    let names: Vec<(String, Html, bool)> = others
        .map(|member| (member.name.clone(), Html::bdi(&member.name), false))
        .collect();
    if !names.is_empty() {
        let deeds = ["off", "on"].map(|what| (what.to_owned(), t.h(&format!("staff-switch-{what}")), false));
        let choice = |name, key: &str, options| Field {
            name,
            label: t.h(key),
            kind: Kind::Choice(options),
            value: String::new(),
            max: 0,
        };
        list.acts = vec![Act {
            path: "/staff/team".to_owned(),
            what: "switch",
            label: t.h("staff-do"),
            class: "danger",
            fields: vec![
                choice("name", "staff-name", names),
                choice("to", "staff-what", deeds.into()),
            ],
        }];
    }
    Ok(list.answer())
}

/// Whom to switch.
#[derive(Deserialize)]
pub struct Switch {
    form: String,
    name: String,
    to: String,
}

/// Switches an account off or on. New ones come from the command line: the secret is for one pair of eyes.
pub async fn change(
    State(web): State<Web>,
    desk: Desk,
    Form(switch): Form<Switch>,
) -> Result<Response, Problem> {
    desk.check(&web, &switch.form, Duty::Team).await?;
    let active = match switch.to.as_str() {
        "on" => true,
        "off" => false,
        _ => return Err(Fault::BadField.into()),
    };
    let (by, now) = (desk.actor(), web.now());
    let done = web.people(move |people| people.staff_change(&by, &switch.name, Change::Active(active), now));
    match done.await? {
        Ok(_) => Ok(Redirect::to("/staff/team?done=1").into_response()),
        Err(_) => Err(Fault::BadField.into()),
    }
}
