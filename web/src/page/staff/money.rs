//! Money that is not where it belongs: exceptions of reconciliations, money in suspense, and the second pair of eyes that
//! large amounts need.

use super::Desk;
use super::parts::{Act, Field, Item, List, Row, Told};
use crate::api::lookup;
use crate::api::reconciliations::{By, RemedyRequest, day_text, remedies, settle};
use crate::problem::{Fault, Problem};
use crate::reconcile::blocking;
use crate::state::Web;
use crate::text::Html;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use charge::Code;
use charge::payment::{Currency, PaymentAction, PaymentId, PaymentState, Price, RefundReason};
use people::staff::{Duty, Member};
use people::staff_trail::Deed;
use people::staff_wishes::{NewWish, Undecided, Wish, WishState};
use rails::reconcile::Kind;
use serde::{Deserialize, Serialize};
use store::exceptions::Exception;
use store::reads::PaymentRow;

/// Rows in a list.
const LIST_MAX: usize = 200;

/// What is to be done with money, as a wish keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Decision {
    /// A remedy of an exception.
    Exception {
        id: String,
        remedy: String,
        msisdn: Option<String>,
    },
    /// Money in suspense: to a number, or back to who sent it.
    Suspense { id: String, msisdn: Option<String> },
}

impl Decision {
    fn kind(&self) -> &'static str {
        match self {
            Decision::Exception { .. } => "exception",
            Decision::Suspense { .. } => "suspense",
        }
    }

    fn target(&self) -> &str {
        match self {
            Decision::Exception { id, .. } | Decision::Suspense { id, .. } => id,
        }
    }

    fn duty(&self) -> Duty {
        match self {
            Decision::Exception { .. } => Duty::Exceptions,
            Decision::Suspense { .. } => Duty::Suspense,
        }
    }

    fn page(&self) -> String {
        match self {
            Decision::Exception { id, .. } => format!("/staff/exceptions/{id}"),
            Decision::Suspense { id, .. } => format!("/staff/suspense/{id}"),
        }
    }

    /// For the trail: numbers are masked.
    fn detail(&self, web: &Web) -> String {
        let (what, number) = match self {
            Decision::Exception { remedy, msisdn, .. } => (remedy.as_str(), msisdn),
            Decision::Suspense {
                msisdn: Some(number), ..
            } => ("assign", &Some(number.clone())),
            Decision::Suspense { msisdn: None, .. } => ("return", &None),
        };
        let masked = number
            .as_deref()
            .and_then(|typed| crate::number::parse(typed, web.catalogs()))
            .map(|number| format!(" {}", number.masked()));
        format!("{what}{}", masked.unwrap_or_default())
    }

    /// Moves the money. What was done before is not done again: the payment's state and the exception's say so.
    async fn carry_out(&self, web: &Web, member: &Member, first: Option<i64>) -> Result<bool, Problem> {
        match self {
            Decision::Exception { id, remedy, msisdn } => {
                let asked = RemedyRequest {
                    remedy: remedy.clone(),
                    msisdn: msisdn.clone(),
                    owner: Some(member.name.clone()),
                };
                let by = By {
                    name: &member.name,
                    key: key_of(member.id),
                    first: first.filter(|first| *first != member.id).map(key_of),
                };
                let after = settle(web, id, &asked, by).await?;
                Ok(after.closed.is_some() || remedy == "own")
            }
            Decision::Suspense { id, msisdn } => {
                let id = PaymentId::parse(id).ok_or(Fault::NotFound)?;
                let action = match msisdn {
                    Some(number) => PaymentAction::Assign(lookup::find(web, number).await?.subscriber()?.0),
                    None => PaymentAction::TakeBack(RefundReason::Unmatched),
                };
                let payments = web.parts.payments.clone().ok_or(Fault::NotFound)?;
                payments.act(id, action).await?;
                Ok(true)
            }
        }
    }
}

/// Somebody of staff where the core asks who wants something.
fn key_of(member: i64) -> Code {
    Code::new(&format!("s{member:x}")).unwrap_or_default()
}

/// What came of a decision.
enum Came {
    /// It is done.
    Done,
    /// The rail did not agree; nothing has changed.
    NotDone,
    /// It waits for somebody else.
    Waits(i64),
    /// Something about it waits already.
    Taken,
}

/// Decides alone where the amount allows it, else asks for a second pair of eyes.
async fn decide_or_wish(
    web: &Web,
    desk: &Desk,
    decision: &Decision,
    price: Option<Price>,
) -> Result<Came, Problem> {
    let alone = match price {
        Some(price) => price.currency == Currency::PKR && price.amount <= web.parts.staff.four_eyes_above,
        None => true,
    };
    if alone {
        return carry_out(web, desk, decision, None).await;
    }
    let Some(price) = price else {
        return Err(Fault::Internal.into());
    };
    let new = NewWish {
        kind: decision.kind().to_owned(),
        target: decision.target().to_owned(),
        body: serde_json::to_string(decision).map_err(|_| Fault::Internal)?,
        detail: decision.detail(web),
        amount: price.amount,
        currency: price.currency.to_string(),
    };
    let (by, now) = (desk.actor(), web.now());
    let made = web
        .people(move |people| people.staff_wish(&by, &new, now))
        .await?;
    Ok(made.map_or(Came::Taken, Came::Waits))
}

/// Carries a decision out between two lines of the trail; `first` has asked for it where two had to agree.
async fn carry_out(web: &Web, desk: &Desk, decision: &Decision, first: Option<i64>) -> Result<Came, Problem> {
    let detail = decision.detail(web);
    desk.note(web, Deed::RemedyBegun, decision.target(), &detail)
        .await?;
    let done = decision.carry_out(web, &desk.member, first).await;
    let (deed, said) = match &done {
        Ok(true) => (Deed::RemedyDone, detail),
        Ok(false) => (Deed::RemedyFailed, detail),
        Err(problem) => (Deed::RemedyFailed, format!("{detail}: {}", problem.fault.key())),
    };
    desk.note(web, deed, decision.target(), &said).await?;
    Ok(if done? { Came::Done } else { Came::NotDone })
}

fn after(desk: &Desk, decision: &Decision, came: Result<Came, Problem>) -> Result<Response, Told> {
    let t = desk.visitor.speech();
    match came {
        Ok(Came::Done) => Ok(Redirect::to(&format!("{}?done=1", decision.page())).into_response()),
        Ok(Came::Waits(id)) => Ok(Redirect::to(&format!("/staff/approvals/{id}")).into_response()),
        Ok(Came::NotDone) => Err(Told::bad(t.h("staff-not-done"))),
        Ok(Came::Taken) => Err(Told::bad(t.h("staff-waits-already"))),
        Err(problem) => Err(Told::bad(t.h(&problem.fault.key()))),
    }
}

/// Which exceptions; what happened just before.
#[derive(Default, Deserialize)]
pub struct Which {
    #[serde(default)]
    state: String,
    done: Option<String>,
}

/// Exceptions, the oldest first.
pub async fn exceptions(
    State(web): State<Web>,
    desk: Desk,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    desk.may(&web, Duty::Exceptions).await?;
    let file = web.parts.exceptions.clone().ok_or(Fault::NotFound)?;
    let (t, now, all) = (desk.visitor.speech(), web.now(), which.state == "all");
    let found = blocking(move || file.list(!all)).await?;
    let mut list = List::of(&web, &desk, "exceptions");
    list.links = vec![("/staff/exceptions.csv".to_owned(), Html::bdi("CSV"))];
    list.filters = vec![
        ("/staff/exceptions".to_owned(), t.h("staff-all-open"), !all),
        ("/staff/exceptions?state=all".to_owned(), t.h("staff-all"), all),
    ];
    list.heads = [
        "staff-kind",
        "staff-rail",
        "staff-day",
        "staff-file",
        "staff-ledger",
        "staff-age",
        "staff-owner",
        "staff-state",
    ]
    .map(|key| t.h(key))
    .into();
    let row = |one: &Exception| Row {
        path: Some(format!("/staff/exceptions/{}", one.id)),
        cells: vec![
            t.h(&format!("staff-kind-{}", one.kind)),
            Html::bdi(one.rail.as_str()),
            Html::bdi(&day_text(one.day)),
            desk.price(one.file),
            desk.price(one.books),
            desk.age(one.found_at, now),
            Html::bdi(&one.owner),
            state_of(&desk, one).1,
        ],
    };
    // Of those that wait, the oldest; of all, the latest.
    let skipped = if all {
        found.len().saturating_sub(LIST_MAX)
    } else {
        0
    };
    list.rows = found.iter().skip(skipped).take(LIST_MAX).map(row).collect();
    Ok(list.answer())
}

fn state_of(desk: &Desk, one: &Exception) -> (&'static str, Html) {
    let t = desk.visitor.speech();
    match &one.closed {
        None => ("warn", t.h("complaint-open")),
        Some(closed) => ("good", t.h(&format!("staff-remedy-{}", closed.remedy))),
    }
}

/// One exception.
pub async fn exception(
    State(web): State<Web>,
    desk: Desk,
    Path(id): Path<String>,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    desk.may(&web, Duty::Exceptions).await?;
    let done = which
        .done
        .map(|_| Told::good(desk.visitor.speech().h("staff-done")));
    exception_page(&web, &desk, &id, done).await
}

async fn exception_of(web: &Web, id: &str) -> Result<Exception, Problem> {
    let file = web.parts.exceptions.clone().ok_or(Fault::NotFound)?;
    let id = id.to_owned();
    Ok(blocking(move || file.get(&id)).await?.ok_or(Fault::NotFound)?)
}

async fn exception_page(web: &Web, desk: &Desk, id: &str, told: Option<Told>) -> Result<Response, Problem> {
    let one = exception_of(web, id).await?;
    let t = desk.visitor.speech();
    let mut item = Item::of(web, desk, "exceptions", one.id.get(..8).unwrap_or(&one.id));
    item.told = told;
    item.state = Some(state_of(desk, &one));
    item.facts = vec![
        (t.h("staff-kind"), t.h(&format!("staff-kind-{}", one.kind))),
        (t.h("staff-rail"), Html::bdi(one.rail.as_str())),
        (t.h("staff-day"), Html::bdi(&day_text(one.day))),
        (t.h("staff-file"), desk.price(one.file)),
        (t.h("staff-ledger"), desk.price(one.books)),
        (t.h("staff-reference"), Html::bdi(&one.reference)),
        (t.h("staff-age"), desk.age(one.found_at, web.now())),
        (t.h("staff-owner"), Html::bdi(&one.owner)),
    ];
    if let Some(payment) = one.payment {
        item.facts
            .push((t.h("pay-reference"), Html::bdi(&payment.to_string())));
    }
    if let Some(closed) = &one.closed {
        item.facts.push((t.h("staff-closed-by"), Html::bdi(&closed.by)));
        item.facts
            .push((t.h("staff-closed-at"), desk.moment(web, closed.at)));
        return Ok(item.answer());
    }
    let act = |what: &'static str, class, fields| Act {
        path: format!("/staff/exceptions/{}", one.id),
        what,
        label: t.h(&format!("staff-remedy-{what}")),
        class,
        fields,
    };
    let kind = Kind::parse(&one.kind);
    for (index, remedy) in kind
        .map_or(&[][..], |kind| remedies(one.rail, kind))
        .iter()
        .enumerate()
    {
        let to_number = *remedy == "credit" && matches!(kind, Some(Kind::Extra | Kind::Twice));
        let fields = if to_number {
            vec![Field::number(desk)]
        } else {
            Vec::new()
        };
        let class = match *remedy {
            _ if index == 0 => "primary",
            "dismiss" => "danger",
            _ => "",
        };
        item.acts.push(act(remedy, class, fields));
    }
    if one.owner != desk.member.name {
        item.acts.push(act("own", "quiet", Vec::new()));
    }
    Ok(item.answer())
}

/// What staff does with money.
#[derive(Deserialize)]
pub struct Work {
    form: String,
    what: String,
    #[serde(default)]
    number: String,
}

/// Carries a remedy out, or asks for a second pair of eyes.
pub async fn act_on_exception(
    State(web): State<Web>,
    desk: Desk,
    Path(id): Path<String>,
    Form(work): Form<Work>,
) -> Result<Response, Problem> {
    desk.check(&web, &work.form, Duty::Exceptions).await?;
    let one = exception_of(&web, &id).await?;
    let decision = Decision::Exception {
        id: one.id.clone(),
        remedy: work.what.chars().take(20).collect(),
        msisdn: (!work.number.is_empty()).then_some(work.number),
    };
    // Whose work it is, and what a rail says, moves nothing by itself.
    let price = match work.what.as_str() {
        "own" | "ask" => None,
        _ => one.file.or(one.books),
    };
    let came = decide_or_wish(&web, &desk, &decision, price).await;
    match after(&desk, &decision, came) {
        Ok(response) => Ok(response),
        Err(told) => exception_page(&web, &desk, &id, Some(told)).await,
    }
}

/// Money that named no payment, the oldest first.
pub async fn suspense(State(web): State<Web>, desk: Desk) -> Result<Response, Problem> {
    desk.may(&web, Duty::Suspense).await?;
    let (t, now) = (desk.visitor.speech(), web.now());
    let found = web
        .parts
        .reads
        .ask(|reader| {
            reader
                .models
                .payments_in_state(PaymentState::InSuspense, None, LIST_MAX)
        })
        .await?;
    let mut list = List::of(&web, &desk, "suspense");
    list.lead = Some(t.h("staff-suspense-lead"));
    list.heads = ["staff-reference", "staff-rail", "pay-amount", "staff-age"]
        .map(|key| t.h(key))
        .into();
    list.rows = found
        .iter()
        .map(|row| Row {
            path: Some(format!("/staff/suspense/{}", row.id)),
            cells: vec![
                Html::bdi(&row.reference),
                Html::bdi(row.rail.as_str()),
                desk.price(Some(row.price)),
                desk.age(row.created_at, now),
            ],
        })
        .collect();
    Ok(list.answer())
}

async fn suspended_row(web: &Web, typed: &str) -> Result<PaymentRow, Problem> {
    let id = PaymentId::parse(typed).ok_or(Fault::NotFound)?;
    let found = web
        .parts
        .reads
        .ask(move |reader| reader.models.payment(id))
        .await?;
    // Only money that came without a payment: others have their exceptions.
    Ok(found
        .filter(|row| row.id == PaymentId::of_suspense(row.rail, &row.reference))
        .ok_or(Fault::NotFound)?)
}

/// One amount in suspense.
pub async fn suspended(
    State(web): State<Web>,
    desk: Desk,
    Path(id): Path<String>,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    desk.may(&web, Duty::Suspense).await?;
    let done = which
        .done
        .map(|_| Told::good(desk.visitor.speech().h("staff-done")));
    suspended_page(&web, &desk, &id, done).await
}

async fn suspended_page(web: &Web, desk: &Desk, id: &str, told: Option<Told>) -> Result<Response, Problem> {
    let row = suspended_row(web, id).await?;
    let t = desk.visitor.speech();
    let mut item = Item::of(web, desk, "suspense", &row.reference);
    item.told = told;
    let waits = row.state == PaymentState::InSuspense;
    item.state = Some((
        if waits { "warn" } else { "good" },
        t.h(&format!("staff-money-{}", row.state.name())),
    ));
    item.facts = vec![
        (t.h("staff-rail"), Html::bdi(row.rail.as_str())),
        (t.h("pay-amount"), desk.price(Some(row.price))),
        (t.h("staff-reference"), Html::bdi(&row.reference)),
        (t.h("complaint-when"), desk.moment(web, row.created_at)),
        (t.h("staff-age"), desk.age(row.created_at, web.now())),
    ];
    if waits {
        let act = |what, key: &str, class, fields| Act {
            path: format!("/staff/suspense/{id}"),
            what,
            label: t.h(key),
            class,
            fields,
        };
        item.acts = vec![
            act("assign", "staff-assign", "primary", vec![Field::number(desk)]),
            act("return", "staff-remedy-return", "danger", Vec::new()),
        ];
    }
    Ok(item.answer())
}

/// Assigns money to a number, or sends it back.
pub async fn act_on_suspense(
    State(web): State<Web>,
    desk: Desk,
    Path(id): Path<String>,
    Form(work): Form<Work>,
) -> Result<Response, Problem> {
    desk.check(&web, &work.form, Duty::Suspense).await?;
    let row = suspended_row(&web, &id).await?;
    let number = match work.what.as_str() {
        "assign" if crate::number::parse(&work.number, web.catalogs()).is_some() => Some(work.number),
        "assign" => {
            let told = Told::bad(desk.visitor.speech().h("error-number"));
            return suspended_page(&web, &desk, &id, Some(told)).await;
        }
        "return" => None,
        _ => return Err(Fault::BadField.into()),
    };
    let decision = Decision::Suspense {
        id: row.id.to_string(),
        msisdn: number,
    };
    let came = decide_or_wish(&web, &desk, &decision, Some(row.price)).await;
    match after(&desk, &decision, came) {
        Ok(response) => Ok(response),
        Err(told) => suspended_page(&web, &desk, &id, Some(told)).await,
    }
}

/// What waits for a second pair of eyes, then what was decided lately.
pub async fn wishes(State(web): State<Web>, desk: Desk) -> Result<Response, Problem> {
    desk.may(&web, Duty::Approvals).await?;
    let (t, now) = (desk.visitor.speech(), web.now());
    let most = i64::try_from(LIST_MAX).unwrap_or(i64::MAX);
    let found = web.people(move |people| people.staff_wishes(most)).await?;
    let mut list = List::of(&web, &desk, "approvals");
    list.lead = Some(t.h("staff-approvals-lead"));
    list.heads = [
        "staff-what",
        "pay-amount",
        "staff-asked-by",
        "staff-age",
        "staff-state",
    ]
    .map(|key| t.h(key))
    .into();
    list.rows = found
        .iter()
        .map(|wish| Row {
            path: Some(format!("/staff/approvals/{}", wish.id)),
            cells: vec![
                Html::bdi(&wish.what.detail),
                Html::bdi(&t.money(wish.what.amount, &wish.what.currency)),
                Html::bdi(&wish.asked_name),
                desk.age(wish.asked_at, now),
                t.h(&format!("staff-wish-{}", wish.state.name())),
            ],
        })
        .collect();
    Ok(list.answer())
}

async fn wish_of(web: &Web, id: i64) -> Result<(Wish, Decision), Problem> {
    let found = web.people(move |people| people.staff_wish_of(id)).await?;
    let wish = found.ok_or(Fault::NotFound)?;
    let decision = serde_json::from_str(&wish.what.body).map_err(|_| Fault::Internal)?;
    Ok((wish, decision))
}

/// One wish.
pub async fn wish(
    State(web): State<Web>,
    desk: Desk,
    Path(id): Path<i64>,
    Query(which): Query<Which>,
) -> Result<Response, Problem> {
    desk.may(&web, Duty::Approvals).await?;
    let done = which
        .done
        .map(|_| Told::good(desk.visitor.speech().h("staff-done")));
    wish_page(&web, &desk, id, done).await
}

async fn wish_page(web: &Web, desk: &Desk, id: i64, told: Option<Told>) -> Result<Response, Problem> {
    let (wish, decision) = wish_of(web, id).await?;
    let t = desk.visitor.speech();
    let mut item = Item::of(web, desk, "approvals", &wish.what.detail);
    item.told = told;
    let class = match wish.state {
        WishState::Waiting => "warn",
        WishState::Approved => "good",
        WishState::Denied => "bad",
    };
    item.state = Some((class, t.h(&format!("staff-wish-{}", wish.state.name()))));
    item.facts = vec![
        (
            t.h("pay-amount"),
            Html::bdi(&t.money(wish.what.amount, &wish.what.currency)),
        ),
        (t.h("staff-asked-by"), Html::bdi(&wish.asked_name)),
        (t.h("complaint-when"), desk.moment(web, wish.asked_at)),
        (t.h("staff-decided-by"), Html::bdi(&wish.decided_name)),
        (t.h("staff-outcome"), Html::bdi(&wish.outcome)),
    ];
    item.links = vec![(decision.page(), t.h("complaint-link"))];
    let act = |what: &'static str, key: &str, class| Act {
        path: format!("/staff/approvals/{id}"),
        what,
        label: t.h(key),
        class,
        fields: Vec::new(),
    };
    if wish.state == WishState::Waiting {
        if wish.asked_by == desk.member.id {
            item.acts.push(act("deny", "staff-take-back", "quiet"));
        } else {
            item.acts.push(act("approve", "staff-approve", "primary"));
            item.acts.push(act("deny", "staff-deny", "danger"));
        }
    } else if wish.state == WishState::Approved && wish.outcome.is_empty() {
        item.acts.push(act("again", "staff-again", "primary"));
    }
    Ok(item.answer())
}

/// Decides about somebody else's wish; what is agreed to is done at once.
pub async fn decide(
    State(web): State<Web>,
    desk: Desk,
    Path(id): Path<i64>,
    Form(work): Form<Work>,
) -> Result<Response, Problem> {
    desk.check(&web, &work.form, Duty::Approvals).await?;
    let t = desk.visitor.speech();
    let (before, decision) = wish_of(&web, id).await?;
    desk.may(&web, decision.duty()).await?;
    let agree = match work.what.as_str() {
        "approve" => true,
        "deny" => false,
        // It was agreed to, and the process ended before it was done.
        "again" if before.state == WishState::Approved && before.outcome.is_empty() => {
            return finish(&web, &desk, &before, &decision).await;
        }
        _ => return Err(Fault::BadField.into()),
    };
    let (by, now) = (desk.actor(), web.now());
    let decided = web
        .people(move |people| people.staff_decide(&by, id, agree, now))
        .await?;
    match decided {
        Err(Undecided::Unknown) => wish_page(&web, &desk, id, Some(Told::bad(t.h("staff-decided")))).await,
        Err(Undecided::Own) => wish_page(&web, &desk, id, Some(Told::bad(t.h("staff-own-wish")))).await,
        Ok(_) if !agree => Ok(Redirect::to(&format!("/staff/approvals/{id}?done=1")).into_response()),
        Ok(_) => finish(&web, &desk, &before, &decision).await,
    }
}

async fn finish(web: &Web, desk: &Desk, wish: &Wish, decision: &Decision) -> Result<Response, Problem> {
    let (t, id) = (desk.visitor.speech(), wish.id);
    let came = carry_out(web, desk, decision, Some(wish.asked_by)).await;
    let (outcome, told) = match &came {
        Ok(Came::Done) => ("done".to_owned(), None),
        Ok(_) => ("not-done".to_owned(), Some(Told::bad(t.h("staff-not-done")))),
        Err(problem) => {
            let key = problem.fault.key();
            // Whether it was done is not known: it can be asked for again.
            let known = problem.fault.spec().1 < 500;
            let outcome = if known { key.clone() } else { String::new() };
            (outcome, Some(Told::bad(t.h(&key))))
        }
    };
    web.people(move |people| people.staff_wish_ended(id, &outcome))
        .await?;
    match told {
        None => Ok(Redirect::to(&format!("/staff/approvals/{id}?done=1")).into_response()),
        Some(told) => wish_page(web, desk, id, Some(told)).await,
    }
}
