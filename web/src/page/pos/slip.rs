//! One sale: where it stands, its receipt for a roll of 58 or 80 mm, taking it back; and the list of sales.

use super::sell::{id_of, key, reference};
use super::{Bar, Till, latin, sealed, words, zone};
use crate::api::auth::same_bytes;
use crate::api::reversals;
use crate::api::topups::read_top_up;
use crate::chain::pin;
use crate::limits;
use crate::number;
use crate::page::frame::{Frame, page};
use crate::page::staff::parts::Told;
use crate::problem::{Fault, Problem};
use crate::receipt;
use crate::receipt::qr::Qr;
use crate::receipt::view::{Evidence, View};
use crate::state::Web;
use crate::text::Html;
use askama::Template;
use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use charge::partner::{TopUp, TopUpState};
use charge::reversal::{ReversalState, SELLER_S};
use charge::seller::Role;
use charge::time::SECOND;
use charge::{Code, Entity, EntityKey, Money, Refusal};
use serde::Deserialize;
use std::time::Duration;
use uuid::Uuid;

/// A reversal is waited for so long.
const WAIT: Duration = Duration::from_secs(8);
/// How long after a sale its page goes on asking for the slip, seconds.
const SLIP_WITHIN_S: i64 = 60;
/// How a bundle went, sealed, so that nobody prints another one.
const NOTE_LABEL: &[u8] = b"raseed pos bundle 1";

#[derive(Template)]
#[template(path = "pos/sale.html")]
struct SalePage {
    page: Frame,
    bar: Bar,
    told: Option<Told>,
    id: String,
    class: &'static str,
    state: Html,
    detail: Html,
    asking: bool,
    slip: Option<Slip>,
    back: bool,
}

struct Slip {
    outlet: Html,
    staff: Html,
    operator: Html,
    receipt: Html,
    amount: Html,
    bundle: Option<Html>,
    rows: Vec<(Html, Html, bool)>,
    qr: String,
    verify_host: Html,
    coded: Html,
}

/// What an address says beside the sale.
#[derive(Default, Deserialize)]
pub struct Beside {
    asked: Option<String>,
    back: Option<String>,
    bundle: Option<String>,
    ok: Option<String>,
    seal: Option<String>,
}

/// How the bundle of a sale went, for the address of its page.
pub fn note(web: &Web, reference: &str, offer: Code, bought: bool) -> String {
    let ok = u8::from(bought);
    let seal = note_seal(web, reference, offer.as_str(), ok == 1);
    format!("?bundle={offer}&ok={ok}&seal={seal}")
}

fn note_seal(web: &Web, reference: &str, offer: &str, bought: bool) -> String {
    let body = format!("{reference}/{offer}/{bought}");
    URL_SAFE_NO_PAD.encode(sealed(&web.parts.secret, NOTE_LABEL, body.as_bytes()))
}

/// A sale of this outlet; of a cashier only the own ones.
async fn own(web: &Web, till: &Till, reference: &str) -> Result<Option<Box<TopUp>>, Problem> {
    let key = key(till.seller.place.id, reference);
    let Some(top_up) = read_top_up(web, key).await? else {
        return Ok(None);
    };
    if till.staff.role == Role::Cashier {
        let EntityKey::TopUp(partner, digest) = key else {
            return Err(Fault::Internal.into());
        };
        let entity = web.parts.core.read(EntityKey::Sale(partner, digest)).await?;
        let by = entity.as_ref().and_then(Entity::sale).map(|sale| sale.staff);
        if by != Some(till.staff.code) {
            return Err(Fault::NotFound.into());
        }
    }
    Ok(Some(top_up))
}

/// Where a sale stands.
pub async fn show(
    State(web): State<Web>,
    till: Till,
    Path(id): Path<String>,
    Query(beside): Query<Beside>,
) -> Result<Response, Problem> {
    one(&web, &till, &id, &beside, None).await
}

async fn one(
    web: &Web,
    till: &Till,
    id: &str,
    beside: &Beside,
    told: Option<Told>,
) -> Result<Response, Problem> {
    let reference = reference(id).ok_or(Fault::NotFound)?;
    let top_up = own(web, till, &reference).await?;
    let t = till.visitor.speech();
    let state = top_up.as_deref().map(|top_up| top_up.state);
    let (class, name) = match state {
        Some(TopUpState::Completed) => ("good", "done"),
        Some(TopUpState::Declined) => ("bad", "refused"),
        Some(TopUpState::Reversed) => ("warn", "reversed"),
        Some(_) => ("warn", "asking"),
        None => ("warn", "unknown"),
    };
    let reason = top_up.as_deref().and_then(|top_up| top_up.reason);
    let detail = match reason.and_then(Refusal::from_code) {
        Some(refusal) => words(&refusal.into(), &till.visitor),
        None => t.h(&format!("pos-state-{name}-detail")),
    };
    let bad = told.as_ref().is_some_and(|told| told.class == "bad");
    let told = told.or_else(|| beside.back.as_ref().map(|_| Told::good(t.h("pos-back-done"))));
    let back = top_up
        .as_deref()
        .is_some_and(|top_up| can_go_back(web, till, top_up));
    let slip = match top_up.as_deref() {
        Some(top_up) => {
            slip(
                web,
                till,
                top_up,
                bundle_of(web, till, &reference, beside, top_up),
            )
            .await?
        }
        None => None,
    };
    let asking = match top_up.as_deref() {
        None => beside.asked.is_some(),
        // Done, and the slip is still to come.
        Some(top_up) if top_up.state == TopUpState::Completed => {
            slip.is_none() && web.now().0 - top_up.after.completed_at.0 < SLIP_WITHIN_S * SECOND
        }
        Some(top_up) => !top_up.state.is_final(),
    };
    let template = SalePage {
        page: till.frame(web, "pos-sale"),
        bar: till.bar("sales"),
        told,
        id: id.trim().chars().take(64).collect(),
        class,
        state: t.h(&format!("pos-state-{name}")),
        detail,
        asking,
        slip,
        back,
    };
    let status = if bad {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    Ok(page(status, &template))
}

fn bundle_of(web: &Web, till: &Till, reference: &str, beside: &Beside, top_up: &TopUp) -> Option<Html> {
    let (offer, ok, seal) = (
        beside.bundle.as_deref()?,
        beside.ok.as_deref()? == "1",
        beside.seal.as_deref()?,
    );
    if !same_bytes(note_seal(web, reference, offer, ok).as_bytes(), seal.as_bytes()) {
        return None;
    }
    let t = till.visitor.speech();
    let catalog = web.catalog(top_up.operator)?;
    let name = catalog.offer(offer)?.name.get(t.language).to_owned();
    let key = if ok { "pos-bundle-bought" } else { "pos-bundle-not" };
    Some(Html::isolated(&t.with(key, &[("name", name.into())])))
}

/// Whether the outlet can still ask for it back.
fn can_go_back(web: &Web, till: &Till, top_up: &TopUp) -> bool {
    let done = top_up.after.completed_at.max(top_up.created_at);
    top_up.state == TopUpState::Completed
        && till.manages().is_ok()
        && web.now().0 - done.0 <= SELLER_S * SECOND
        && top_up
            .after
            .reversal
            .as_ref()
            .is_none_or(|reversal| reversal.state == ReversalState::Refused)
}

/// The receipt, without what is only the owner's to know.
async fn slip(web: &Web, till: &Till, top_up: &TopUp, bundle: Option<Html>) -> Result<Option<Slip>, Problem> {
    let Some(outcome) = &top_up.outcome else {
        return Ok(None);
    };
    let Some((view, catalog)) = receipt::find(web, outcome.receipt, true).await? else {
        return Ok(None);
    };
    let view = View {
        balance: None,
        ..view
    };
    let t = till.visitor.speech();
    let evidence = Evidence::of(&view, web, catalog);
    let rows = view.rows(web, catalog, t).into_iter().map(|row| {
        let value = if row.words {
            Html::isolated(&row.value)
        } else {
            Html::bdi(&row.value)
        };
        (Html::isolated(&row.name), value, row.strong)
    });
    Ok(Some(Slip {
        outlet: Html::bdi(&till.partner.name),
        staff: Html::bdi(&till.staff.name),
        operator: Html::isolated(catalog.name.get(t.language)),
        receipt: Html::bdi(&view.number.to_string()),
        amount: Html::bdi(&t.money(view.gross, &catalog.currency)),
        bundle,
        rows: rows.collect(),
        qr: Qr::of(&evidence.verify_url).map_or_else(String::new, |qr| qr.svg(&t.p("slip-qr"))),
        verify_host: Html::bdi(&receipt::page::verify_host(web)),
        coded: Html::bdi(&evidence.coded),
    }))
}

/// A wrong number: the PIN again.
#[derive(Deserialize)]
pub struct Back {
    form: String,
    #[serde(default)]
    pin: String,
}

/// Takes back what is unused of a sale, within the seller's time.
pub async fn take_back(
    State(web): State<Web>,
    till: Till,
    Path(id): Path<String>,
    Form(back): Form<Back>,
) -> Result<Response, Problem> {
    till.visitor.check_form(&web, &back.form)?;
    till.manages()?;
    let reference = reference(&id).ok_or(Fault::NotFound)?;
    own(&web, &till, &reference).await?.ok_or(Fault::NotFound)?;
    let done = match pin::login(&web, till.seller.place.id, till.staff.code, &latin(&back.pin, 16)).await {
        Ok(_) => {
            let key = key(till.seller.place.id, &reference);
            reversals::take_back(&web, key, (till.staff.code, false), WAIT).await
        }
        Err(problem) => Err(problem),
    };
    match done {
        Ok(_) => Ok(Redirect::to(&format!("/pos/sale/{}?back=1", id.trim())).into_response()),
        Err(problem) if problem.fault.spec().1 >= 500 => Err(problem),
        Err(problem) => {
            let told = Told::bad(words(&problem, &till.visitor));
            one(&web, &till, &id, &Beside::default(), Some(told)).await
        }
    }
}

#[derive(Template)]
#[template(path = "pos/sales.html")]
struct SalesPage {
    page: Frame,
    bar: Bar,
    sales: Vec<SaleLine>,
    next: Option<String>,
}

struct SaleLine {
    path: Option<String>,
    number: Html,
    amount: Html,
    when: Html,
    staff: Html,
    class: &'static str,
    state: Html,
}

/// Where the list goes on.
#[derive(Default, Deserialize)]
pub struct Onward {
    before: Option<String>,
}

/// Sales, the newest first: a cashier sees the own ones.
pub async fn list(
    State(web): State<Web>,
    till: Till,
    Query(onward): Query<Onward>,
) -> Result<Response, Problem> {
    let (seller, before) = (
        till.seller.place.id,
        onward
            .before
            .as_deref()
            .and_then(|id| Uuid::parse_str(id).ok())
            .map(|id| id.as_u128()),
    );
    let count = usize::try_from(limits::PAGE_LINES).unwrap_or(20);
    let rows = web
        .parts
        .reads
        .ask(move |reader| reader.models.seller_sales(seller, before, count))
        .await?;
    let t = till.visitor.speech();
    let next = rows
        .last()
        .filter(|_| rows.len() >= count)
        .map(|row| format!("/pos/sales?before={}", Uuid::from_u128(row.id)));
    let mine = |staff: &str| till.staff.role != Role::Cashier || staff == till.staff.code.as_str();
    let lines = rows.into_iter().filter(|row| mine(&row.staff)).map(|row| {
        let (class, name) = match row.state {
            TopUpState::Completed if row.reversed > Money::ZERO => ("warn", "reversed"),
            TopUpState::Completed => ("good", "done"),
            TopUpState::Declined => ("bad", "refused"),
            TopUpState::Reversed => ("warn", "reversed"),
            _ => ("warn", "asking"),
        };
        SaleLine {
            path: id_of(&row.reference).map(|id| format!("/pos/sale/{id}")),
            number: Html::bdi(&number::shown(row.msisdn, web.catalogs())),
            amount: Html::bdi(&t.money(row.gross, "PKR")),
            when: Html::isolated(&t.moment(row.created_at, zone(&web))),
            staff: Html::bdi(&row.staff),
            class,
            state: t.h(&format!("pos-state-{name}")),
        }
    });
    let template = SalesPage {
        sales: lines.collect(),
        page: till.frame(&web, "pos-sales"),
        bar: till.bar("sales"),
        next,
    };
    Ok(page(StatusCode::OK, &template))
}
