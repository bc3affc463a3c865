//! Complaints: made from a payment, a receipt or a line of the statement, with their state, deadline and messages. Only
//! their owner sees them: a person, or the browser that paid without an account.

use super::account::signed_in;
use super::format::Speech;
use super::frame::{Frame, Visitor, page};
use super::guest_complaints;
use super::pay::{may_act, payment_of};
use super::recharge::payer;
use crate::number;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use crate::text::Html;
use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use charge::payment::{Payment, PaymentState, RefundReason};
use charge::reply::Receipt;
use charge::time::Zone;
use charge::{AccountId, Msisdn};
use people::complaints::{
    Category, Complaint, ComplaintId, Declined, Message, NewComplaint, Owner, State as At,
};
use people::limits::COMPLAINT_CHARACTERS_MAX;
use serde::Deserialize;
use store::EventPlace;
use store::reads::LineKind;

/// Complaints in the list.
const LIST_MAX: i64 = 50;

#[derive(Template)]
#[template(path = "complaints.html")]
struct List {
    page: Frame,
    complaints: Vec<Item>,
}

/// A complaint in the list.
struct Item {
    id: String,
    number: Html,
    category: Html,
    state: Html,
    class: &'static str,
    opened: Html,
}

/// The complaints of who looks.
pub async fn list(State(web): State<Web>, visitor: Visitor) -> Result<Response, Problem> {
    let t = visitor.speech();
    let owner = owner(&web, &visitor);
    let found = web
        .people(move |people| people.complaints_of(owner, LIST_MAX))
        .await?;
    let item = |complaint: &Complaint| Item {
        id: complaint.id.to_string(),
        number: Html::bdi(&complaint.id.to_string()),
        category: category_name(complaint.category, t),
        state: t.h(&format!("complaint-{}", complaint.state.name())),
        class: pill(complaint.state),
        opened: Html::bdi(&t.date(complaint.opened_at, zone(&web, complaint.number))),
    };
    let template = List {
        page: visitor.frame(&web, t.p("place-complaints")),
        complaints: found.iter().map(item).collect(),
    };
    Ok(page(StatusCode::OK, &template))
}

#[derive(Template)]
#[template(path = "complaint_new.html")]
struct New {
    page: Frame,
    about: String,
    facts: Vec<(Html, Html)>,
    categories: Vec<(&'static str, Html, bool)>,
    body: String,
    characters_max: usize,
    error: Option<Html>,
}

/// What a complaint is to be about.
#[derive(Default, Deserialize)]
pub struct AboutQuery {
    #[serde(default)]
    about: String,
}

/// What is known of the thing that a complaint is about.
struct Subject {
    number: Msisdn,
    /// As it is stored: read and written again by us.
    about: String,
    category: Category,
    facts: Vec<(Html, Html)>,
}

/// The form, filled in from the transaction.
pub async fn begin(
    State(web): State<Web>,
    visitor: Visitor,
    Query(query): Query<AboutQuery>,
) -> Result<Response, Problem> {
    // From a message one comes here not yet signed in; whether the payment is there is not said to strangers.
    match subject(&web, &visitor, &query.about).await {
        Err(problem) if visitor.sign_in.is_none() && problem.fault.spec().1 < 500 => {
            let plain = |c: char| c.is_ascii_alphanumeric() || ":-".contains(c);
            let about = &query.about;
            let next = if !about.is_empty() && about.chars().all(plain) {
                format!("/complaints/guest?about={about}")
            } else {
                "/complaints/guest".to_owned()
            };
            Ok(Redirect::to(&next).into_response())
        }
        subject => Ok(form(&web, &visitor, subject?, "", None)),
    }
}

fn form(
    web: &Web,
    visitor: &Visitor,
    subject: Subject,
    body: &str,
    error: Option<(StatusCode, &'static str)>,
) -> Response {
    let t = visitor.speech();
    let categories = Category::ALL.map(|category| {
        let chosen = category == subject.category;
        (category.name(), category_name(category, t), chosen)
    });
    let template = New {
        page: visitor.frame(web, t.p("complaint-new")),
        about: subject.about,
        facts: subject.facts,
        categories: categories.into(),
        body: body.to_owned(),
        characters_max: COMPLAINT_CHARACTERS_MAX,
        error: error.map(|(_, key)| t.h(key)),
    };
    page(error.map_or(StatusCode::OK, |(status, _)| status), &template)
}

/// A complaint as it is sent.
#[derive(Deserialize)]
pub struct Told {
    form: String,
    #[serde(default)]
    about: String,
    category: String,
    body: String,
}

/// Makes a complaint.
pub async fn make(
    State(web): State<Web>,
    visitor: Visitor,
    Form(told): Form<Told>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &told.form)?;
    let mut subject = subject(&web, &visitor, &told.about).await?;
    subject.category = Category::parse(&told.category).ok_or(Fault::BadField)?;
    let new = NewComplaint {
        owner: owner(&web, &visitor),
        number: subject.number,
        category: subject.category,
        about: subject.about.clone(),
        body: told.body.clone(),
    };
    let now = web.now();
    let made = web.people(move |people| people.complain(&new, now)).await?;
    Ok(match made {
        Ok(id) => Redirect::to(&format!("/complaints/{id}")).into_response(),
        Err(declined) => form(&web, &visitor, subject, &told.body, Some(refusal(declined)?)),
    })
}

#[derive(Template)]
#[template(path = "complaint.html")]
struct One {
    page: Frame,
    id: String,
    heading: Html,
    state: Html,
    class: &'static str,
    sentence: Html,
    facts: Vec<(Html, Html)>,
    link: Option<String>,
    messages: Vec<Said>,
    can_reply: bool,
    appeals: bool,
    can_settle: bool,
    characters_max: usize,
    error: Option<Html>,
}

/// A message as it is shown.
struct Said {
    from_us: bool,
    who: Html,
    when: Html,
    body: String,
}

/// What opens a complaint to whoever has its link.
#[derive(Default, Deserialize)]
pub struct Link {
    #[serde(default)]
    k: String,
}

/// One complaint.
pub async fn show(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(link): Query<Link>,
) -> Result<Response, Problem> {
    whole(&web, &visitor, (&id, &link.k), None).await
}

/// What its owner says to it.
#[derive(Deserialize)]
pub struct Act {
    form: String,
    what: String,
    #[serde(default)]
    body: String,
}

/// Its owner answers, or says that it is settled.
pub async fn act(
    State(web): State<Web>,
    visitor: Visitor,
    Path(typed): Path<String>,
    Query(link): Query<Link>,
    Form(act): Form<Act>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &act.form)?;
    let id = ComplaintId::parse(&typed).ok_or(Fault::NotFound)?;
    let found = web.people(move |people| people.complaint(id)).await?;
    let owner = match found {
        Some((complaint, _)) if guest_complaints::opens(&web, &visitor, id, &link.k)? => complaint.owner,
        _ => owner(&web, &visitor),
    };
    let now = web.now();
    let done = web
        .people(move |people| match act.what.as_str() {
            "settle" => people.settle_complaint(owner, id, now),
            "reply" => Ok(people.reply_to_complaint(owner, id, &act.body, now)?.map(|_| ())),
            _ => Ok(Err(Declined::Unknown)),
        })
        .await?;
    match done {
        Ok(()) => Ok(Redirect::to(&format!("/complaints/{id}{}", query_of(&link.k))).into_response()),
        Err(declined) => whole(&web, &visitor, (&typed, &link.k), Some(refusal(declined)?)).await,
    }
}

/// The link's part of an address of our own making.
fn query_of(key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    if key.is_empty() || !key.chars().all(plain) {
        String::new()
    } else {
        format!("?k={key}")
    }
}

async fn whole(
    web: &Web,
    visitor: &Visitor,
    (typed, link_key): (&str, &str),
    error: Option<(StatusCode, &'static str)>,
) -> Result<Response, Problem> {
    let id = ComplaintId::parse(typed).ok_or(Fault::NotFound)?;
    let found = web.people(move |people| people.complaint(id)).await?;
    let holds = guest_complaints::opens(web, visitor, id, link_key)?;
    let mine = found.filter(|(complaint, _)| holds || complaint.owner == owner(web, visitor));
    let (complaint, messages) = mine.ok_or(Fault::NotFound)?;
    let t = visitor.speech();
    let zone = zone(web, complaint.number);
    let due = [("due", t.moment(complaint.due_at, zone).into())];
    let state = complaint.state.name();
    let late = complaint.state.awaits_us() && complaint.due_at < web.now();
    let key = if late {
        "complaint-late".to_owned()
    } else {
        format!("complaint-{state}-text")
    };
    let number = number::shown(complaint.number, web.catalogs());
    let said = |message: &Message| Said {
        from_us: message.from_us,
        who: t.h(if message.from_us {
            "complaint-us"
        } else {
            "complaint-you"
        }),
        when: Html::bdi(&t.moment(message.at, zone)),
        body: message.body.clone(),
    };
    let window = people::limits::COMPLAINT_APPEAL_TIME;
    let appeals = complaint.state == At::Resolved && complaint.changed_at.plus(window) > web.now();
    let template = One {
        page: visitor.frame(web, format!("{} {id}", t.p("complaint"))),
        id: format!("{id}{}", query_of(link_key)),
        heading: Html::bdi(&id.to_string()),
        state: t.h(&format!("complaint-{state}")),
        class: pill(complaint.state),
        sentence: Html::isolated(&t.with(&key, &due)),
        facts: vec![
            (t.h("complaint-category"), category_name(complaint.category, t)),
            (t.h("complaint-number"), Html::bdi(&number)),
            (
                t.h("complaint-opened"),
                Html::bdi(&t.moment(complaint.opened_at, zone)),
            ),
        ],
        link: link_of(&complaint.about),
        messages: messages.iter().map(said).collect(),
        can_reply: complaint.state.is_open() || appeals,
        appeals,
        can_settle: complaint.state != At::Closed,
        characters_max: COMPLAINT_CHARACTERS_MAX,
        error: error.map(|(_, key)| t.h(key)),
    };
    Ok(page(
        error.map_or(StatusCode::OK, |(status, _)| status),
        &template,
    ))
}

fn owner(web: &Web, visitor: &Visitor) -> Owner {
    match visitor.sign_in {
        Some(sign_in) => Owner::Person(sign_in.person),
        None => Owner::Payer(payer(web, visitor)),
    }
}

/// What a complaint may be about: only what who looks has to do with.
async fn subject(web: &Web, visitor: &Visitor, about: &str) -> Result<Subject, Problem> {
    let t = visitor.speech();
    if let Some(id) = about.strip_prefix("payment:") {
        let payment = payment_of(web, id).await?;
        if !may_act(web, visitor, &payment) {
            return Err(Fault::NotFound.into());
        }
        let asked = &payment.asked;
        let currency = web
            .catalog(asked.operator)
            .map_or("", |catalog| &catalog.currency);
        return Ok(Subject {
            number: asked.msisdn,
            about: format!("payment:{}", payment.id()),
            category: match payment.state {
                _ if taken_from(visitor, &payment) => Category::Appeal,
                PaymentState::Succeeded => Category::Billing,
                _ => Category::NotCredited,
            },
            facts: vec![
                (t.h("pay-reference"), Html::bdi(&payment.id().to_string())),
                (t.h("pay-amount"), Html::bdi(&t.money(asked.gross, currency))),
                (
                    t.h("pay-number"),
                    Html::bdi(&number::shown(asked.msisdn, web.catalogs())),
                ),
                (t.h("pay-rail"), t.h(&format!("rail-{}", asked.rail))),
            ],
        });
    }
    let sign_in = visitor.sign_in.ok_or(Fault::Unauthorized)?;
    let mut subject = Subject {
        number: sign_in.msisdn,
        about: String::new(),
        category: Category::Other,
        facts: Vec::new(),
    };
    if let Some(id) = about.strip_prefix("topup:") {
        // From the message that says that credit was taken back.
        let receipt = sold(web, id).await?;
        let receipt = receipt.filter(|receipt| receipt.account == sign_in.account);
        let receipt = receipt.ok_or(Fault::NoSuchReceipt)?;
        subject.about = format!("receipt:{receipt}");
        subject.category = Category::Appeal;
        subject.facts = vec![(t.h("receipt"), Html::bdi(&receipt.to_string()))];
    } else if let Some(name) = about.strip_prefix("receipt:") {
        let receipt = Receipt::parse(name).filter(|receipt| receipt.account == sign_in.account);
        let receipt = receipt.ok_or(Fault::NoSuchReceipt)?;
        subject.about = format!("receipt:{receipt}");
        subject.category = Category::Billing;
        subject.facts = vec![(t.h("receipt"), Html::bdi(&receipt.to_string()))];
    } else if let Some(name) = about.strip_prefix("event:") {
        let place = EventPlace::parse(name).ok_or(Fault::NoSuchEvent)?;
        (subject.category, subject.facts) = movement(web, t, sign_in.account, place).await?;
        subject.about = format!("event:{place}");
    } else if !about.is_empty() {
        return Err(Fault::BadField.into());
    }
    Ok(subject)
}

/// The receipt of a partner's sale.
async fn sold(web: &Web, id: &str) -> Result<Option<Receipt>, Problem> {
    let id = u128::from_str_radix(id, 16).map_err(|_| Fault::NoSuchReceipt)?;
    let row = web
        .parts
        .reads
        .ask(move |reader| reader.models.top_up(id))
        .await?;
    Ok(row.and_then(|row| row.credit).map(|credit| credit.receipt))
}

/// A line of the statement: the kind of complaint that is most likely, and what is shown of the line.
async fn movement(
    web: &Web,
    t: Speech,
    account: AccountId,
    place: EventPlace,
) -> Result<(Category, Vec<(Html, Html)>), Problem> {
    let (_, catalog) = signed_in(web, account).await?;
    let line = web
        .parts
        .reads
        .ask(move |reader| reader.models.line(account, place))
        .await?
        .ok_or(Fault::NoSuchEvent)?;
    let category = match line.kind {
        LineKind::TakenBack => Category::Appeal,
        LineKind::Bundle | LineKind::RenewalFailed => Category::Bundle,
        _ => Category::Billing,
    };
    let facts = vec![
        (
            t.h("complaint-when"),
            Html::bdi(&t.moment(line.at, &catalog.zone)),
        ),
        (
            t.h("complaint-amount"),
            Html::bdi(&t.movement(line.amount, &catalog.currency)),
        ),
    ];
    Ok((category, facts))
}

/// Whether credit of the number that looks went back to somebody who paid for it.
fn taken_from(visitor: &Visitor, payment: &Payment) -> bool {
    let owner = visitor
        .sign_in
        .is_some_and(|sign_in| Some(sign_in.account) == payment.account());
    let claimed = payment
        .refund
        .as_ref()
        .is_some_and(|refund| matches!(refund.reason, RefundReason::Undo | RefundReason::WrongNumber));
    owner && (claimed || payment.state == PaymentState::Reversed)
}

fn link_of(about: &str) -> Option<String> {
    match about.split_once(':')? {
        ("payment", id) => Some(format!("/pay/{id}")),
        ("receipt", number) => Some(format!("/receipts/{number}")),
        ("event", _) => Some("/statement".to_owned()),
        _ => None,
    }
}

/// Status and sentence of what was not done.
pub(super) fn refusal(declined: Declined) -> Result<(StatusCode, &'static str), Problem> {
    match declined {
        Declined::Empty => Ok((StatusCode::UNPROCESSABLE_ENTITY, "complaint-empty")),
        Declined::TooMany => Ok((StatusCode::TOO_MANY_REQUESTS, "complaint-too-many")),
        Declined::State => Ok((StatusCode::CONFLICT, "complaint-is-closed")),
        Declined::Unknown => Err(Fault::NotFound.into()),
    }
}

pub(super) fn category_name(category: Category, t: Speech) -> Html {
    t.h(&format!("complaint-about-{}", category.name()))
}

pub(super) fn pill(state: At) -> &'static str {
    match state {
        At::Open | At::WaitingForUs => "accent",
        At::WaitingForYou | At::Appealed => "warn",
        At::Resolved | At::Closed => "good",
    }
}

/// The time of the number's operator.
fn zone(web: &Web, number: Msisdn) -> &Zone {
    static UTC: Zone = Zone::UTC;
    let catalog = web.catalogs().operator_by_prefix(number);
    catalog.map_or(&UTC, |catalog| &catalog.zone)
}
