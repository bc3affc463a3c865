//! A subscriber's account: masked until somebody opens it with a reason, then open to that one for some minutes.

use super::Desk;
use super::parts::{Act, Field, Item, List, Part, REASON_MAX, Row, Told, is_reason};
use crate::number;
use crate::page::{account, statement};
use crate::problem::{Fault, Problem};
use crate::receipt::view::path_with_token;
use crate::state::Web;
use crate::text::Html;
use axum::Form;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use charge::{AccountId, Msisdn, Timestamp};
use people::staff::Duty;
use people::staff_trail::Deed;
use serde::Deserialize;
use store::reads::Cursor;

/// Entries of the statement that are shown.
const LINES: usize = 50;
/// Receipts and payments that are shown.
const RECEIPTS: usize = 20;

/// Asks for a number and a reason.
pub async fn ask(State(web): State<Web>, desk: Desk) -> Result<Response, Problem> {
    desk.may(&web, Duty::Subscribers).await?;
    Ok(search(&web, &desk, None))
}

fn search(web: &Web, desk: &Desk, told: Option<Told>) -> Response {
    let t = desk.visitor.speech();
    let mut list = List::of(web, desk, "subscribers");
    list.lead = Some(t.h("staff-subscribers-lead"));
    list.told = told;
    list.acts = vec![Act {
        path: "/staff/subscribers".to_owned(),
        what: "find",
        label: t.h("staff-open"),
        class: "primary",
        fields: vec![Field::number(desk), Field::reason(desk, "")],
    }];
    list.answer()
}

/// A number and why it is wanted.
#[derive(Deserialize)]
pub struct Wanted {
    form: String,
    #[serde(default)]
    number: String,
    reason: String,
}

/// Finds a number and opens its account.
pub async fn find(
    State(web): State<Web>,
    desk: Desk,
    Form(wanted): Form<Wanted>,
) -> Result<Response, Problem> {
    desk.check(&web, &wanted.form, Duty::Subscribers).await?;
    let t = desk.visitor.speech();
    let reason: String = wanted.reason.chars().take(REASON_MAX).collect();
    if !is_reason(&reason) {
        let told = Told::bad(t.h("staff-reason-wanted"));
        return Ok(search(&web, &desk, Some(told)));
    }
    match number::parse(&wanted.number, web.catalogs()) {
        Some(number) => open_number(&web, &desk, number, &reason).await,
        None => Ok(search(&web, &desk, Some(Told::bad(t.h("error-number"))))),
    }
}

/// Opens the account of a number, and goes there.
///
/// # Errors
/// When core or file of people do not answer.
pub async fn open_number(web: &Web, desk: &Desk, number: Msisdn, reason: &str) -> Result<Response, Problem> {
    desk.may(web, Duty::Subscribers).await?;
    let Some(account) = web.account_of(number).await? else {
        desk.note(web, Deed::Seen, &number.masked(), reason).await?;
        let told = Told::bad(desk.visitor.speech().h("staff-no-subscriber"));
        return Ok(search(web, desk, Some(told)));
    };
    let (by, id, reason, now) = (desk.actor(), account.id, reason.to_owned(), web.now());
    web.people(move |people| people.staff_open(&by, (id, number), &reason, now))
        .await?;
    Ok(Redirect::to(&format!("/staff/subscribers/{}", id.0)).into_response())
}

/// Why an account is opened again.
#[derive(Deserialize)]
pub struct Again {
    form: String,
    reason: String,
}

/// Opens an account whose page is there and masked.
pub async fn open(
    State(web): State<Web>,
    desk: Desk,
    Path(account): Path<u64>,
    Form(again): Form<Again>,
) -> Result<Response, Problem> {
    desk.check(&web, &again.form, Duty::Subscribers).await?;
    let (account, _) = account::signed_in(&web, AccountId(account))
        .await
        .map_err(|_| Fault::NotFound)?;
    let reason: String = again.reason.chars().take(REASON_MAX).collect();
    if !is_reason(&reason) {
        let told = Told::bad(desk.visitor.speech().h("staff-reason-wanted"));
        return Ok(masked(&web, &desk, account.id, account.msisdn, Some(told)));
    }
    open_number(&web, &desk, account.msisdn, &reason).await
}

/// An account: everything when it is open, next to nothing when it is not.
pub async fn show(State(web): State<Web>, desk: Desk, Path(account): Path<u64>) -> Result<Response, Problem> {
    desk.may(&web, Duty::Subscribers).await?;
    let (account, catalog) = account::signed_in(&web, AccountId(account))
        .await
        .map_err(|_| Fault::NotFound)?;
    let (t, now, id) = (desk.visitor.speech(), web.now(), account.id);
    let staff = desk.member.id;
    let opened = web
        .people(move |people| people.staff_opened(staff, id, now))
        .await?;
    if opened.is_none() {
        return Ok(masked(&web, &desk, id, account.msisdn, None));
    }
    let all = web.parts.reads.ask(move |reader| {
        Ok((
            reader.models.statement(id, Cursor::NEWEST, LINES)?,
            reader.models.receipts(id, Cursor::NEWEST, RECEIPTS)?,
            reader
                .models
                .payments_of_account(id, Timestamp(i64::MAX), RECEIPTS)?,
        ))
    });
    let (entries, receipts, payments) = all.await?;
    let shown = number::shown(account.msisdn, web.catalogs());
    let mut item = Item::of(&web, &desk, "subscribers", &shown);
    item.facts = vec![
        (t.h("complaint-number"), Html::bdi(&shown)),
        (t.h("staff-operator"), Html::bdi(catalog.name.get(t.language))),
        (
            t.h("staff-balance"),
            Html::bdi(&t.money(account.main_total(now), &catalog.currency)),
        ),
    ];
    if let Some(warning) = account::warning_of(&account, catalog, t, now) {
        item.facts.push((t.h("staff-state"), warning));
    }
    let rows = |cells: Vec<[Html; 4]>| {
        cells.into_iter().map(|cells| Row {
            path: None,
            cells: cells.into(),
        })
    };
    let part = |key: &str, rows: Vec<Row>| Part {
        heading: t.h(key),
        talk: Vec::new(),
        rows,
    };
    let receipts = receipts.iter().filter_map(|line| {
        let number = line.recharge.as_ref()?.receipt;
        Some(Row {
            path: Some(path_with_token(&web.parts.secret, number)),
            cells: vec![
                Html::bdi(&number.to_string()),
                Html::bdi(&t.date(line.at, &catalog.zone)),
                Html::bdi(&t.movement(line.amount, &catalog.currency)),
            ],
        })
    });
    let payments = payments.iter().map(|row| Row {
        path: None,
        cells: vec![
            Html::bdi(&row.id.to_string()),
            Html::bdi(&t.date(row.created_at, &catalog.zone)),
            Html::bdi(row.rail.as_str()),
            Html::bdi(&t.money(row.gross, &catalog.currency)),
            Html::bdi(row.state.name()),
        ],
    });
    item.parts = vec![
        part(
            "staff-statement",
            rows(statement::rows(&entries, &web, catalog, t)).collect(),
        ),
        part("staff-receipts", receipts.collect()),
        part("staff-payments", payments.collect()),
    ];
    Ok(item.answer())
}

fn masked(web: &Web, desk: &Desk, id: AccountId, number: Msisdn, told: Option<Told>) -> Response {
    let t = desk.visitor.speech();
    let mut item = Item::of(web, desk, "subscribers", &number.masked());
    item.told = told;
    item.facts = vec![(t.h("complaint-number"), Desk::masked(number))];
    item.acts = vec![Act {
        path: format!("/staff/subscribers/{}", id.0),
        what: "open",
        label: t.h("staff-open"),
        class: "primary",
        fields: vec![Field::reason(desk, "")],
    }];
    item.answer()
}
