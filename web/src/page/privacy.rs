//! What one agreed to, and one's own data: to keep and to delete.

use super::frame::{Frame, Visitor, page};
use super::profile::zone;
use super::security::{Ask, member_does, to_sign_in};
use super::signin::BareForm;
use crate::problem::Problem;
use crate::state::Web;
use crate::text::Html;
use askama::Template;
use axum::Form;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use people::consents::{Channel, Notice};
use people::personal::KEPT_BY_LAW;
use serde::Deserialize;
use std::collections::HashMap;

#[derive(Template)]
#[template(path = "privacy.html")]
struct Privacy {
    page: Frame,
    done: bool,
    channels: Vec<Html>,
    notices: Vec<Row>,
    leaving: Option<Html>,
    kept: Vec<Html>,
}

/// A kind of notice with its boxes.
struct Row {
    name: Html,
    boxes: Vec<Tick>,
}

/// Yes or no for one channel.
struct Tick {
    field: String,
    label: String,
    agreed: bool,
    required: bool,
}

/// What happened just before.
#[derive(Default, Deserialize)]
pub struct Before {
    done: Option<String>,
}

/// Consents and personal data.
pub async fn show(
    State(web): State<Web>,
    visitor: Visitor,
    Query(before): Query<Before>,
) -> Result<Response, Problem> {
    let Some(session) = visitor.member() else {
        return Ok(to_sign_in("/privacy"));
    };
    let (t, id) = (visitor.speech(), session.person);
    let known = web.people(move |people| Ok((people.consents_of(id)?, people.person(id)?)));
    let (consents, person) = known.await?;
    let channel_name = |channel: Channel| t.p(&format!("channel-{}", channel.name()));
    let row = |notice: Notice| {
        let name = t.p(&format!("notice-{}", notice.name()));
        let boxes = consents.iter().filter(|consent| consent.notice == notice);
        Row {
            boxes: boxes
                .map(|consent| Tick {
                    field: format!("{}.{}", notice.name(), consent.channel.name()),
                    label: format!("{name}: {}", channel_name(consent.channel)),
                    agreed: consent.agreed,
                    required: notice.required(consent.channel),
                })
                .collect(),
            name: Html::isolated(&name),
        }
    };
    let leaving = person.and_then(|person| person.delete_at);
    let template = Privacy {
        page: visitor.frame(&web, t.p("privacy-title")),
        done: before.done.is_some(),
        channels: Channel::ALL
            .map(|channel| Html::isolated(&channel_name(channel)))
            .to_vec(),
        notices: Notice::ALL.map(row).into_iter().collect(),
        leaving: leaving.map(|at| {
            Html::isolated(&t.with("privacy-leaving", &[("moment", t.moment(at, &zone(&web)).into())]))
        }),
        kept: KEPT_BY_LAW.map(|name| t.h(&format!("kept-{name}"))).to_vec(),
    };
    Ok(page(StatusCode::OK, &template))
}

/// Says yes to what is ticked and no to the rest.
pub async fn consents(
    State(web): State<Web>,
    visitor: Visitor,
    Form(fields): Form<HashMap<String, String>>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, fields.get("form").map_or("", String::as_str))?;
    let Some(session) = visitor.member() else {
        return Ok(to_sign_in("/privacy"));
    };
    let (place, now) = (visitor.place.clone(), web.now());
    web.people(move |people| {
        for notice in Notice::ALL {
            for channel in Channel::ALL
                .into_iter()
                .filter(|channel| !notice.required(*channel))
            {
                let agreed = fields.contains_key(&format!("{}.{}", notice.name(), channel.name()));
                people.set_consent(session.person, (notice, channel), agreed, &place, now)?;
            }
        }
        Ok(())
    })
    .await?;
    Ok(Redirect::to("/privacy?done=1").into_response())
}

/// Everything about the person, as a file. After a fresh proof: it is what a thief would want.
pub async fn export(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<BareForm>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    let Some(session) = visitor.fresh(web.now()) else {
        return Ok(to_sign_in("/privacy"));
    };
    let (place, now) = (visitor.place.clone(), web.now());
    let export = web
        .people(move |people| people.export(session.person, &place, now))
        .await?;
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"raseed-my-data.json\"",
        ),
    ];
    Ok((headers, format!("{export:#}\n")).into_response())
}

/// Asks for deletion.
pub async fn delete(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<BareForm>,
) -> Result<Response, Problem> {
    let ask = Ask::fresh(&form.form, "/privacy");
    member_does(&web, &visitor, ask, move |people, who, place, now| {
        people.ask_deletion(who.person, place, now)
    })
    .await
}

/// Takes the wish for deletion back.
pub async fn keep(
    State(web): State<Web>,
    visitor: Visitor,
    Form(form): Form<BareForm>,
) -> Result<Response, Problem> {
    let ask = Ask::signed_in(&form.form, "/privacy");
    member_does(&web, &visitor, ask, move |people, who, place, now| {
        people.cancel_deletion(who.person, place, now)
    })
    .await
}
