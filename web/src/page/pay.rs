//! The page of one payment: where it stands, until when we know more, and what can be done about it. Whoever has the link
//! may look; only the browser that paid, or the owner of the number, may act.

use super::frame::{Frame, Visitor, page};
use super::recharge::{desk, payer};
use crate::core::CoreError;
use crate::number;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use crate::text::{self, Html};
use askama::Template;
use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use charge::catalog::Catalog;
use charge::payment::{Destination, Payment, PaymentAction, PaymentId, PaymentState, RefundReason};
use charge::{Entity, Refusal};
use serde::Deserialize;

#[derive(Template)]
#[template(path = "pay.html")]
struct PayPage {
    page: Frame,
    state: PayState,
}

/// The part of the page that is fetched again while the payment is open.
#[derive(Template)]
#[template(path = "pay_state.html")]
struct PayState {
    page: Frame,
    id: String,
    mood: &'static str,
    heading: Html,
    sentence: Html,
    steps: Vec<(Html, &'static str)>,
    facts: Vec<(Html, Html)>,
    receipt: Option<String>,
    open: bool,
    can_cancel: bool,
    can_undo: bool,
    can_claim: bool,
    retry: Option<String>,
    complain: Option<String>,
    error: Option<Html>,
}

/// The page.
pub async fn show(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    whole(&web, &visitor, &id, None).await
}

/// The part that changes.
pub async fn state(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let payment = payment_of(&web, &id).await?;
    if payment.state.needs_asking() || is_on_its_way(&payment) {
        desk(&web)?.look(payment.id());
    }
    let state = state_of(&web, &visitor, &payment, None)?;
    Ok(page(StatusCode::OK, &state))
}

async fn whole(web: &Web, visitor: &Visitor, id: &str, error: Option<Html>) -> Result<Response, Problem> {
    let payment = payment_of(web, id).await?;
    let status = if error.is_some() {
        StatusCode::CONFLICT
    } else {
        StatusCode::OK
    };
    let whole = PayPage {
        page: visitor.frame(web, visitor.speech().p("pay-title")),
        state: state_of(web, visitor, &payment, error)?,
    };
    Ok(page(status, &whole))
}

/// What the payer asks.
#[derive(Deserialize)]
pub struct Act {
    form: String,
    what: String,
}

/// Cancels, undoes, or claims a wrong number.
pub async fn act(
    State(web): State<Web>,
    visitor: Visitor,
    Path(id): Path<String>,
    Form(form): Form<Act>,
) -> Result<Response, Problem> {
    visitor.check_form(&web, &form.form)?;
    let payment = payment_of(&web, &id).await?;
    if !may_act(&web, &visitor, &payment) {
        return Err(Fault::NotFound.into());
    }
    let action = match form.what.as_str() {
        "cancel" => PaymentAction::Cancel,
        "undo" => PaymentAction::TakeBack(RefundReason::Undo),
        "claim" => PaymentAction::TakeBack(RefundReason::WrongNumber),
        _ => return Err(Fault::BadField.into()),
    };
    match desk(&web)?.act(payment.id(), action).await {
        Ok(_) => Ok(Redirect::to(&format!("/pay/{}", payment.id())).into_response()),
        Err(CoreError::Refused(refusal @ (Refusal::PaymentState | Refusal::NothingLeft))) => {
            let key = match refusal {
                Refusal::NothingLeft => "pay-nothing-left",
                _ => "pay-too-late",
            };
            whole(&web, &visitor, &id, Some(visitor.speech().h(key))).await
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn payment_of(web: &Web, id: &str) -> Result<Box<Payment>, Problem> {
    let id = PaymentId::parse(id).ok_or(Fault::NotFound)?;
    match web.parts.core.read(id.key()).await? {
        Some(Entity::Payment(payment)) => Ok(payment),
        _ => Err(Refusal::NoSuchPayment.into()),
    }
}

pub(super) fn may_act(web: &Web, visitor: &Visitor, payment: &Payment) -> bool {
    let owner = visitor
        .sign_in
        .is_some_and(|sign_in| Some(sign_in.account) == payment.account());
    owner || payment.asked.payer == payer(web, visitor)
}

fn state_of(
    web: &Web,
    visitor: &Visitor,
    payment: &Payment,
    error: Option<Html>,
) -> Result<PayState, Problem> {
    let t = visitor.speech();
    let now = web.now();
    let catalog = web
        .catalog(payment.asked.operator)
        .ok_or(Refusal::NoSuchOperator)?;
    let mine = may_act(web, visitor, payment);
    let open = payment.state.is_open();
    let name = key_of(payment);
    Ok(PayState {
        page: visitor.frame(web, t.p("pay-title")),
        id: payment.id().to_string(),
        mood: mood(payment),
        heading: t.h(&format!("pay-{name}")),
        sentence: sentence(visitor, catalog, payment, name),
        steps: steps(visitor, payment),
        facts: facts(web, visitor, catalog, payment, mine),
        receipt: payment
            .outcome
            .as_ref()
            .filter(|_| mine)
            .map(|outcome| crate::receipt::view::path_with_token(&web.parts.secret, outcome.receipt)),
        open: open || payment.state == PaymentState::RefundRequested || is_on_its_way(payment),
        can_cancel: mine && open && !payment.cancelled,
        can_undo: mine && payment.can_undo(now),
        can_claim: mine && payment.can_claim(now) && !payment.can_undo(now),
        retry: (mine && matches!(payment.state, PaymentState::Failed | PaymentState::Expired)).then(|| {
            let number = payment.asked.msisdn;
            format!("/recharge?number={number}&amount={}", payment.asked.gross.exact())
        }),
        complain: mine.then(|| format!("/complaints/new?about=payment:{}", payment.id())),
        error,
    })
}

/// Paid, and another operator has not said yet that it credited it.
fn is_on_its_way(payment: &Payment) -> bool {
    matches!(payment.asked.to, Destination::Connector(_))
        && payment.state == PaymentState::Succeeded
        && payment.delivered.is_none()
}

/// The sentence's key: the state, or what is special about it.
fn key_of(payment: &Payment) -> &'static str {
    match payment.state {
        _ if payment.fault.is_some() => "checked",
        PaymentState::InSuspense | PaymentState::Assigned => "checked",
        PaymentState::Succeeded if is_on_its_way(payment) => "delivering",
        PaymentState::Succeeded if payment.delivered.is_some() && payment.outcome.is_none() => "delivered",
        PaymentState::Failed => payment.failure.map_or("failed", |class| match class {
            charge::payment::FailureClass::Payer => "failed-payer",
            charge::payment::FailureClass::Funds => "failed-funds",
            charge::payment::FailureClass::Limit => "failed-limit",
            charge::payment::FailureClass::Cancelled => "failed-cancelled",
            charge::payment::FailureClass::Declined => "failed-declined",
            charge::payment::FailureClass::Cooling => "failed-cooling",
            charge::payment::FailureClass::Transient => "failed-transient",
            charge::payment::FailureClass::Configuration => "failed-configuration",
        }),
        state if state.is_open() && payment.cancelled => "cancelled",
        state => state.name(),
    }
}

fn mood(payment: &Payment) -> &'static str {
    match payment.state {
        _ if payment.fault.is_some() || is_on_its_way(payment) => "info",
        PaymentState::Succeeded | PaymentState::Refunded => "good",
        PaymentState::Failed
        | PaymentState::Expired
        | PaymentState::Reversed
        | PaymentState::RefundRefused => "bad",
        _ => "info",
    }
}

fn sentence(visitor: &Visitor, catalog: &Catalog, payment: &Payment, name: &str) -> Html {
    let t = visitor.speech();
    let refund = payment
        .refund
        .as_ref()
        .map_or(payment.asked.gross, |refund| refund.gross);
    let credited = payment
        .outcome
        .as_ref()
        .map_or(payment.asked.gross, |outcome| outcome.credited);
    let deadline = payment.asked.wanted_until;
    let values = [
        ("amount", t.money(payment.asked.gross, &catalog.currency).into()),
        ("credited", t.money(credited, &catalog.currency).into()),
        ("refund", t.money(refund, &catalog.currency).into()),
        ("until", t.moment(payment.asked.expires_at, &catalog.zone).into()),
        ("deadline", t.moment(deadline, &catalog.zone).into()),
    ];
    text::html(visitor.language, &format!("pay-{name}-text"), &values)
}

/// Begun, paid, credited: how far it has come.
fn steps(visitor: &Visitor, payment: &Payment) -> Vec<(Html, &'static str)> {
    let t = visitor.speech();
    let paid = payment.paid_at.is_some();
    let credited = payment.outcome.is_some() || payment.delivered.is_some();
    let dead = matches!(payment.state, PaymentState::Failed | PaymentState::Expired);
    let (second, third) = match (paid, credited, dead) {
        (true, true, _) => ("done", "done"),
        (true, false, _) if is_on_its_way(payment) => ("done", "now"),
        (true, false, _) => ("done", "failed"),
        (false, _, true) => ("failed", ""),
        (false, _, false) => ("now", ""),
    };
    vec![
        (t.h("pay-step-begun"), "done"),
        (t.h("pay-step-paid"), second),
        (t.h("pay-step-credited"), third),
    ]
}

fn facts(
    web: &Web,
    visitor: &Visitor,
    catalog: &Catalog,
    payment: &Payment,
    mine: bool,
) -> Vec<(Html, Html)> {
    let t = visitor.speech();
    let number = if mine {
        number::shown(payment.asked.msisdn, web.catalogs())
    } else {
        payment.asked.msisdn.masked()
    };
    let price = payment.asked.price;
    let mut facts = vec![
        (t.h("pay-number"), Html::bdi(&number)),
        (
            t.h("pay-amount"),
            Html::bdi(&t.money(payment.asked.gross, &catalog.currency)),
        ),
        (t.h("pay-rail"), t.h(&format!("rail-{}", payment.asked.rail))),
    ];
    if price.currency.as_str() != catalog.currency {
        let shown = t.money(price.amount, price.currency.as_str());
        facts.push((t.h("pay-price"), Html::bdi(&shown)));
    }
    facts.push((t.h("pay-reference"), Html::bdi(&payment.id().to_string())));
    let begun = t.moment(payment.created_at, &catalog.zone);
    facts.push((t.h("pay-begun"), Html::isolated(&begun)));
    let far = payment
        .delivered
        .as_ref()
        .filter(|_| matches!(payment.asked.to, Destination::Connector(_)));
    if let Some(reference) = far {
        facts.push((t.h("pay-far-reference"), Html::bdi(reference)));
    }
    if !payment.code.is_empty() && mine {
        facts.push((t.h("pay-code"), Html::bdi(&payment.code)));
    }
    facts
}
