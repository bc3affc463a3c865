//! Scratch cards: whose numbers guess, and on which batches. Numbers are masked here; an account is opened with a reason.

use super::Desk;
use super::parts::{Act, Field, Item, List, Part, Row, Told};
use crate::api::cards::desk as cards_of;
use crate::api::lookup::find as find_number;
use crate::cards::watch::Tries;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use crate::text::Html;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use charge::card::{CardBatch, TRIED};
use charge::{Msisdn, Refusal};
use people::staff::Duty;
use people::staff_trail::Deed;
use serde::Deserialize;

/// Batches on a page.
const BATCHES: usize = 50;

/// The numbers that were locked lately.
pub async fn show(State(web): State<Web>, desk: Desk) -> Result<Response, Problem> {
    desk.may(&web, Duty::Locks).await?;
    let tries = cards_of(&web)?.locked_lately().await?;
    numbers(&web, &desk, &tries, None)
}

/// A number that is looked for.
#[derive(Deserialize)]
pub struct Wanted {
    form: String,
    #[serde(default)]
    number: String,
}

/// What is remembered of one number: the look stands in the trail.
pub async fn find(
    State(web): State<Web>,
    desk: Desk,
    Form(wanted): Form<Wanted>,
) -> Result<Response, Problem> {
    desk.check(&web, &wanted.form, Duty::Locks).await?;
    let t = desk.visitor.speech();
    let found = find_number(&web, &wanted.number).await;
    let subscriber = found.as_ref().map_err(|problem| problem.fault).and_then(|found| {
        let (account, _) = found.subscriber().map_err(|problem| problem.fault)?;
        Ok((account, found.msisdn))
    });
    let (account, number) = match subscriber {
        Ok(subscriber) => subscriber,
        Err(Fault::BadNumber) => {
            return numbers(&web, &desk, &[], Some(Told::bad(t.h("error-number"))));
        }
        Err(fault) if fault.spec().1 < 500 => {
            return numbers(&web, &desk, &[], Some(Told::bad(t.h("staff-no-subscriber"))));
        }
        Err(fault) => return Err(fault.into()),
    };
    desk.note(&web, Deed::Seen, &format!("cards of {}", number.masked()), "")
        .await?;
    let tries = cards_of(&web)?.tries_for(account, number).await?;
    numbers(&web, &desk, &tries, None)
}

fn numbers(web: &Web, desk: &Desk, tries: &[Tries], told: Option<Told>) -> Result<Response, Problem> {
    let t = desk.visitor.speech();
    let left = cards_of(web)?.wrong_tries_left();
    let mut list = List::below(web, desk, ("locks", "staff-cards"));
    list.lead = Some(Html::isolated(
        &t.with("staff-cards-lead", &[("count", i64::from(left).into())]),
    ));
    list.told = told;
    list.links = vec![
        ("/staff/cards/batches".to_owned(), t.h("staff-batches")),
        ("/staff/cards".to_owned(), t.h("staff-cards-locked")),
    ];
    list.acts = vec![Act {
        path: "/staff/cards".to_owned(),
        what: "find",
        label: t.h("staff-cards-find"),
        class: "primary",
        fields: vec![Field::number(desk)],
    }];
    list.heads = [
        "complaint-number",
        "staff-cards-who",
        "staff-cards-wrong",
        "staff-cards-last",
        "staff-cards-until",
    ]
    .map(|key| t.h(key))
    .into();
    let row = |tries: &Tries| {
        let who = if tries.own {
            "staff-cards-own"
        } else {
            "staff-cards-strangers"
        };
        let until = tries.locked_until;
        Row {
            // Support goes on to the account: masked, until it is opened with a reason.
            path: Some(format!("/staff/subscribers/{}", tries.account.0)),
            cells: vec![
                masked(tries.number),
                t.h(who),
                Html::bdi(&tries.wrong.to_string()),
                desk.moment(web, tries.at),
                until.map_or_else(dash, |until| desk.moment(web, until)),
            ],
        }
    };
    list.rows = tries.iter().map(row).collect();
    Ok(list.answer())
}

fn dash() -> Html {
    Html::bdi("\u{2013}")
}

fn masked(number: Option<Msisdn>) -> Html {
    number.map_or_else(dash, Desk::masked)
}

/// Where a list begins.
#[derive(Default, Deserialize)]
pub struct Before {
    before: Option<u32>,
}

/// Batches with the tries on them, newest first.
pub async fn batches(
    State(web): State<Web>,
    desk: Desk,
    Query(before): Query<Before>,
) -> Result<Response, Problem> {
    desk.may(&web, Duty::Locks).await?;
    let (t, cards) = (desk.visitor.speech(), cards_of(&web)?);
    let newest = cards.newest_batch(before.before).await?;
    let mut list = List::below(&web, &desk, ("locks", "staff-batches"));
    list.lead = Some(t.h("staff-batches-lead"));
    list.links = vec![("/staff/cards".to_owned(), t.h("staff-cards"))];
    list.heads = [
        "staff-batch",
        "staff-operator",
        "card-value",
        "staff-batch-cards",
        "staff-batch-used",
        "staff-batch-tries",
        "staff-cards-last",
    ]
    .map(|key| t.h(key))
    .into();
    for id in (1..=newest).rev().take(BATCHES) {
        let Some(batch) = cards.batch(id).await? else {
            continue;
        };
        let last = batch.tried.back().map(|tried| tried.at);
        let mut cells = vec![Html::bdi(&id.to_string())];
        cells.extend(kind_of(&web, &desk, &batch));
        cells.extend([
            Html::bdi(&batch.count.to_string()),
            Html::bdi(&batch.used_count.to_string()),
            Html::bdi(&batch.tries.iter().sum::<u64>().to_string()),
            last.map_or_else(dash, |at| desk.moment(&web, at)),
        ]);
        list.rows.push(Row {
            path: Some(format!("/staff/cards/batches/{id}")),
            cells,
        });
    }
    let oldest = newest.saturating_sub(u32::try_from(BATCHES).unwrap_or(u32::MAX));
    list.next = (oldest > 0).then(|| format!("/staff/cards/batches?before={}", oldest + 1));
    Ok(list.answer())
}

/// Operator and value of the cards of a batch.
fn kind_of(web: &Web, desk: &Desk, batch: &CardBatch) -> [Html; 2] {
    let t = desk.visitor.speech();
    match web.catalog(batch.operator) {
        Some(catalog) => [
            Html::isolated(catalog.name.get(t.language)),
            Html::bdi(&t.money(batch.face, &catalog.currency)),
        ],
        None => [dash(), dash()],
    }
}

/// One batch: which cards were tried in vain, why, and for whose numbers.
pub async fn batch(State(web): State<Web>, desk: Desk, Path(id): Path<u32>) -> Result<Response, Problem> {
    desk.may(&web, Duty::Locks).await?;
    let (t, cards) = (desk.visitor.speech(), cards_of(&web)?);
    let batch = cards.batch(id).await?.ok_or(Fault::NotFound)?;
    let why = |kind: usize| {
        let refusal = TRIED.get(kind).copied().unwrap_or(Refusal::NoSuchCard);
        t.h(&Fault::Refused(refusal).key())
    };
    let mut item = Item::of(&web, &desk, "batch", &id.to_string());
    item.heading = Html::isolated(&format!("{} \u{2068}{id}\u{2069}", t.p("staff-batch")));
    let [operator, value] = kind_of(&web, &desk, &batch);
    let serial = |place| Html::bdi(&batch.serial(place).to_string());
    item.facts = vec![
        (t.h("staff-operator"), operator),
        (t.h("card-value"), value),
        (t.h("staff-batch-cards"), Html::bdi(&batch.count.to_string())),
        (t.h("staff-batch-used"), Html::bdi(&batch.used_count.to_string())),
        (t.h("staff-batch-first"), serial(0)),
        (t.h("staff-batch-last"), serial(batch.count.saturating_sub(1))),
    ];
    item.links = vec![("/staff/cards/batches".to_owned(), t.h("staff-batches"))];
    let counted = batch.tries.iter().enumerate().filter(|(_, count)| **count > 0);
    let kinds = counted.map(|(kind, count)| Row {
        path: None,
        cells: vec![why(kind), Html::bdi(&count.to_string())],
    });
    let mut part = |heading: &str, rows: Vec<Row>| {
        item.parts.push(Part {
            heading: t.h(heading),
            talk: Vec::new(),
            rows,
        });
    };
    part("staff-batch-tries", kinds.collect());
    let mut recent = Vec::new();
    for tried in batch.tried.iter().rev() {
        recent.push(Row {
            path: None,
            cells: vec![
                serial(tried.place),
                masked(cards.number_of(tried.account).await?),
                why(usize::from(tried.kind)),
                desk.moment(&web, tried.at),
            ],
        });
    }
    part("staff-batch-recent", recent);
    Ok(item.answer())
}
