//! Scratch cards: redeeming for partners and voice menus; batches and what became of them for staff.

use super::auth::Caller;
use super::json::{Decimal, Json, Moment, Query, short_text};
use super::lookup::find;
use super::quotes::Price;
use crate::cards::watch::Tries;
use crate::cards::{CardChannel, CardDesk, Redeem, Redeemed};
use crate::problem::{Fault, Problem};
use crate::state::Web;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use charge::card::{CardBatch, CardPart, CardState, NewBatch, Serial, SetCards, TRIED};
use charge::partner::Scopes;
use charge::{Code, Command, Msisdn, Refusal, Reply};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A card that somebody typed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RedeemBody {
    /// The number that gets the value.
    pub msisdn: String,
    /// The PIN as it was typed: digits of any script, with or without spaces.
    pub pin: String,
    /// Where it was typed: api (the default), ivr, ussd, sms or web. For ivr, ussd and sms the network has said that the caller
    /// is that number: wrong tries lock the number, and not only strangers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
}

/// A card that was redeemed.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RedeemAnswer {
    /// The card's serial number.
    pub serial: String,
    /// The number.
    pub msisdn: String,
    /// Its operator.
    pub operator: String,
    /// The card's value.
    pub amount: Decimal,
    /// ISO 4217.
    pub currency: String,
    /// Number of the receipt.
    pub receipt: String,
    /// When.
    pub redeemed_at: Moment,
    /// True: this number had redeemed it before, and nothing moved now.
    pub repeated: bool,
    /// What it did; left out when that was long ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// The main balance after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance: Option<Decimal>,
    /// The balance is valid until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Moment>,
}

impl RedeemAnswer {
    fn of(web: &Web, msisdn: &str, done: &Redeemed) -> RedeemAnswer {
        let catalog = web.catalog(done.operator);
        let outcome = done.outcome.as_ref();
        let price = outcome.zip(catalog);
        let price = price.map(|(outcome, catalog)| Price::of_outcome(catalog, outcome));
        RedeemAnswer {
            serial: done.serial.to_string(),
            msisdn: msisdn.to_owned(),
            operator: catalog.map(|c| c.code.to_string()).unwrap_or_default(),
            amount: Decimal(done.face),
            currency: catalog.map(|c| c.currency.clone()).unwrap_or_default(),
            receipt: done.receipt.to_string(),
            redeemed_at: Moment(done.at),
            repeated: done.repeated,
            price,
            balance: outcome.map(|outcome| Decimal(outcome.balance)),
            valid_until: outcome.map(|outcome| Moment(outcome.valid_until)),
        }
    }
}

/// Redeem a scratch card
///
/// For partner channels and as the hook of a voice menu. Safe to repeat: the same PIN for the same number gets the same
/// answer, and nothing moves twice. Wrong tries lock the number for hours, and longer each time.
#[utoipa::path(post, path = "/v1/vouchers/redeem", tag = "cards", request_body = RedeemBody,
    responses((status = 200, body = RedeemAnswer)))]
pub async fn redeem(
    State(web): State<Web>,
    caller: Caller,
    Json(body): Json<RedeemBody>,
) -> Result<Json<RedeemAnswer>, Problem> {
    caller.require(Scopes::REDEEM)?;
    let desk = desk(&web)?;
    let channel = match body.channel.as_deref() {
        Some(name) => {
            CardChannel::from_name(name).ok_or_else(|| Problem::field(Fault::BadField, "channel"))?
        }
        None => CardChannel::Api,
    };
    let found = find(&web, &body.msisdn).await?;
    let (_, catalog) = found.subscriber()?;
    caller.may_see(catalog.operator)?;
    let asked = Redeem {
        channel,
        number: found.msisdn,
        pin: &body.pin,
        own: channel.proves_number(),
        caller: None,
    };
    let done = desk
        .redeem(asked)
        .await
        .map_err(|error| error.problem(web.now()))?;
    Ok(Json(RedeemAnswer::of(&web, &found.msisdn.to_string(), &done)))
}

/// What is to be made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchBody {
    /// The operator's code.
    pub operator: String,
    /// Value of each card: one of the operator's denominations.
    pub denomination: Decimal,
    /// How many; at most a million.
    pub count: u32,
    /// From then on no card of it is good.
    pub expires_at: Moment,
    /// Who prints: the name of a key in the configuration.
    pub printer: String,
    /// For people, at most 64 bytes.
    pub label: String,
}

/// A batch of cards.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BatchAnswer {
    /// Its number.
    pub batch: u32,
    /// The operator's code.
    pub operator: String,
    /// Value of each card.
    pub denomination: Decimal,
    /// ISO 4217.
    pub currency: String,
    /// Cards.
    pub count: u32,
    /// Cards that are made; less than `count` while it is being made.
    pub made: u32,
    /// True when all are made: the export can be fetched.
    pub ready: bool,
    /// When the export was given out; it is given once.
    pub exported_at: Option<Moment>,
    /// Opened.
    pub created_at: Moment,
    /// From then on no card of it is good.
    pub expires_at: Moment,
    /// Who prints.
    pub printer: String,
    /// For people.
    pub label: String,
    /// First serial number.
    pub first: String,
    /// Last serial number.
    pub last: String,
    /// Redeemed.
    pub used: u32,
    /// Face value of cards that can be redeemed and were not.
    pub owed: Decimal,
    /// Changes that are not in force in every partition yet.
    pub pending: u32,
    /// Ranges of cards in one state.
    pub ranges: Vec<RangeAnswer>,
    /// Refused tries on its cards.
    pub tries: Vec<TriesAnswer>,
    /// The last of them, newest first.
    pub recent_tries: Vec<TriedAnswer>,
}

/// Cards side by side in one state.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RangeAnswer {
    /// First serial number.
    pub first: String,
    /// Last serial number.
    pub last: String,
    /// How many.
    pub cards: u32,
    /// How many of them were redeemed.
    pub used: u32,
    /// generated, printed, shipped, active, sold, expired, recalled or stolen.
    pub state: String,
    /// Who has them; empty: nobody yet.
    pub dealer: String,
}

/// Refused tries of one kind.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TriesAnswer {
    /// Name of the problem that was answered.
    pub kind: String,
    /// How many.
    pub count: u64,
}

/// A refused try on a card.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TriedAnswer {
    /// The card.
    pub serial: String,
    /// The number that was to get its value.
    pub msisdn: String,
    /// Name of the problem that was answered.
    pub kind: String,
    /// When.
    pub at: Moment,
}

fn kind_name(index: usize) -> String {
    let refusal = TRIED.get(index).copied().unwrap_or(Refusal::NoSuchCard);
    Fault::Refused(refusal).spec().2.to_owned()
}

impl BatchAnswer {
    async fn of(web: &Web, desk: &CardDesk, batch: &CardBatch) -> Result<BatchAnswer, Problem> {
        let catalog = web.catalog(batch.operator);
        let ranges = batch.parts().map(|(part, range)| RangeAnswer {
            first: batch.serial(part.start).to_string(),
            last: batch.serial(part.end.saturating_sub(1)).to_string(),
            cards: part.len(),
            used: part.len().saturating_sub(batch.unused_in(&[part])),
            state: range.state.name().to_owned(),
            dealer: range.dealer.to_string(),
        });
        let tries = batch.tries.iter().enumerate().filter(|(_, count)| **count > 0);
        let mut recent = Vec::new();
        for tried in batch.tried.iter().rev() {
            recent.push(TriedAnswer {
                serial: batch.serial(tried.place).to_string(),
                msisdn: shown(desk.number_of(tried.account).await?),
                kind: kind_name(usize::from(tried.kind)),
                at: Moment(tried.at),
            });
        }
        let made = if batch.ready { Some(batch.count) } else { None };
        Ok(BatchAnswer {
            batch: batch.id,
            operator: catalog.map(|c| c.code.to_string()).unwrap_or_default(),
            denomination: Decimal(batch.face),
            currency: catalog.map(|c| c.currency.clone()).unwrap_or_default(),
            count: batch.count,
            made: made.or_else(|| desk.progress(batch.id)).unwrap_or(0),
            ready: batch.ready,
            exported_at: batch.exported_at.map(Moment),
            created_at: Moment(batch.created_at),
            expires_at: Moment(batch.expires_at),
            printer: batch.printer.to_string(),
            label: batch.label.clone(),
            first: batch.serial(0).to_string(),
            last: batch.serial(batch.count.saturating_sub(1)).to_string(),
            used: batch.used_count,
            owed: Decimal(batch.owed),
            pending: u32::try_from(batch.pending.len()).unwrap_or(u32::MAX),
            ranges: ranges.collect(),
            tries: tries
                .map(|(kind, count)| TriesAnswer {
                    kind: kind_name(kind),
                    count: *count,
                })
                .collect(),
            recent_tries: recent,
        })
    }
}

/// Make a batch of cards
///
/// The cards are made in the background; `made` counts. The PINs are sealed to the printer's key and are nowhere else.
#[utoipa::path(post, path = "/v1/card-batches", tag = "cards", request_body = BatchBody,
    responses((status = 201, body = BatchAnswer)))]
pub async fn create(
    State(web): State<Web>,
    caller: Caller,
    Json(body): Json<BatchBody>,
) -> Result<Response, Problem> {
    caller.require(Scopes::ADMIN)?;
    let desk = desk(&web)?;
    let catalog = web
        .catalogs()
        .by_code(&body.operator)
        .ok_or_else(|| Problem::field(Fault::Refused(Refusal::NoSuchOperator), "operator"))?;
    caller.may_see(catalog.operator)?;
    short_text(&body.label, "label", 64)?;
    let known = desk.parts().vault.printers();
    let printer = Code::new(&body.printer).filter(|name| known.iter().any(|known| known == name.as_str()));
    let printer = printer.ok_or_else(|| {
        let hint = format!(
            "known: {}; see cards.printers in the configuration",
            known.join(", ")
        );
        Problem::field(Fault::BadField, "printer").hint(hint)
    })?;
    let new = NewBatch {
        operator: catalog.operator,
        face: body.denomination.0,
        count: body.count,
        expires_at: body.expires_at.0,
        printer,
        label: body.label,
        partitions: desk.parts().partitions,
    };
    let batch = desk.generate(new).await?;
    tracing::info!(
        batch,
        by = caller.partner.id.0,
        count = body.count,
        "a batch of cards is being made"
    );
    let answer = BatchAnswer::of(&web, desk, &*batch_of(&web, &caller, batch).await?).await?;
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

/// Batches, newest first
#[utoipa::path(get, path = "/v1/card-batches", tag = "cards", params(Before),
    responses((status = 200, body = [BatchAnswer])))]
pub async fn list(
    State(web): State<Web>,
    caller: Caller,
    Query(before): Query<Before>,
) -> Result<Json<Vec<BatchAnswer>>, Problem> {
    caller.require(Scopes::ADMIN)?;
    let desk = desk(&web)?;
    let top = desk.newest_batch(before.before).await?;
    let mut answers = Vec::new();
    for id in (1..=top).rev() {
        if answers.len() >= crate::limits::CARD_BATCHES_LISTED {
            break;
        }
        if let Ok(batch) = batch_of(&web, &caller, id).await {
            answers.push(BatchAnswer::of(&web, desk, &batch).await?);
        }
    }
    Ok(Json(answers))
}

/// Where a list begins.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Before {
    /// Only batches with lower numbers.
    pub before: Option<u32>,
}

/// See a batch
#[utoipa::path(get, path = "/v1/card-batches/{batch}", tag = "cards",
    params(("batch" = u32, Path, description = "Its number")), responses((status = 200, body = BatchAnswer)))]
pub async fn see(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<u32>,
) -> Result<Json<BatchAnswer>, Problem> {
    caller.require(Scopes::ADMIN)?;
    let batch = batch_of(&web, &caller, id).await?;
    Ok(Json(BatchAnswer::of(&web, desk(&web)?, &batch).await?))
}

/// Fetch the export of a batch: once
///
/// The file is sealed to the printer's key; `raseed cards open` reads it there. It cannot be fetched again: if it is lost,
/// recall the batch and make another.
#[utoipa::path(post, path = "/v1/card-batches/{batch}/export", tag = "cards",
    params(("batch" = u32, Path, description = "Its number")),
    responses((status = 200, content_type = "application/octet-stream", description = "The sealed cards")))]
pub async fn export(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<u32>,
) -> Result<Response, Problem> {
    caller.require(Scopes::ADMIN)?;
    let desk = desk(&web)?;
    batch_of(&web, &caller, id).await?;
    web.parts.core.call(Command::ExportCards(id)).await?;
    tracing::info!(
        batch = id,
        by = caller.partner.id.0,
        "the export of a batch of cards is given out"
    );
    let vault = desk.parts().vault.clone();
    let taken = tokio::task::spawn_blocking(move || vault.take(id)).await;
    match taken {
        Ok(Ok(Some(sealed))) => {
            let kind = [(header::CONTENT_TYPE, "application/octet-stream")];
            Ok((kind, sealed).into_response())
        }
        Ok(Ok(None)) => Err(Fault::NotFound.into()),
        Ok(Err(why)) => {
            tracing::error!(batch = id, %why, "the export of a batch cannot be read");
            Err(Fault::Internal.into())
        }
        Err(_) => Err(Fault::Internal.into()),
    }
}

/// A change of the state of cards.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeBody {
    /// shipped, active, sold, recalled or stolen.
    pub state: String,
    /// First serial number; left out: every card of the batch that can go there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// Last serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// For shipped: to whom. Else: only cards of this dealer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dealer: Option<String>,
}

/// What a change did.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ChangeAnswer {
    /// Cards that changed; 0 when they were in that state before.
    pub cards: u32,
    /// The batch after it. While `pending` is not 0, some partition does not have the change yet.
    pub batch: BatchAnswer,
}

/// Ship, activate, mark as sold, recall, or report as stolen
///
/// A named range changes as a whole or not at all.
#[utoipa::path(post, path = "/v1/card-batches/{batch}/cards", tag = "cards", request_body = ChangeBody,
    params(("batch" = u32, Path, description = "Its number")), responses((status = 200, body = ChangeAnswer)))]
pub async fn change(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<u32>,
    Json(body): Json<ChangeBody>,
) -> Result<Json<ChangeAnswer>, Problem> {
    caller.require(Scopes::ADMIN)?;
    batch_of(&web, &caller, id).await?;
    let state = CardState::from_name(&body.state).ok_or_else(|| Problem::field(Fault::BadField, "state"))?;
    let place = |text: &Option<String>, field| match text {
        None => Ok(None),
        Some(text) => {
            let serial = Serial::parse(text).filter(|serial| serial.batch == id);
            let hint = "a serial number of this batch, with its check digit";
            serial
                .map(|serial| Some(serial.place))
                .ok_or_else(|| Problem::field(Fault::BadField, field).hint(hint))
        }
    };
    let (first, last) = (place(&body.first, "first")?, place(&body.last, "last")?);
    let part = match (first, last) {
        (None, None) => None,
        (Some(start), last) => Some(CardPart {
            start,
            end: last.unwrap_or(start) + 1,
        }),
        (None, Some(_)) => return Err(Problem::field(Fault::BadField, "first")),
    };
    let dealer = match body.dealer.as_deref() {
        None | Some("") => Code::EMPTY,
        Some(name) => Code::new(name).ok_or_else(|| Problem::field(Fault::BadField, "dealer"))?,
    };
    if state == CardState::Shipped && dealer.is_empty() {
        return Err(Problem::field(Fault::BadField, "dealer").hint("to whom they are shipped"));
    }
    let command = Command::SetCards(SetCards {
        batch: id,
        part,
        state,
        dealer,
    });
    changed(&web, &caller, (id, state.name()), command).await
}

/// End a batch before its time
///
/// What is unused is not owed any more.
#[utoipa::path(post, path = "/v1/card-batches/{batch}/expire", tag = "cards",
    params(("batch" = u32, Path, description = "Its number")), responses((status = 200, body = ChangeAnswer)))]
pub async fn expire(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<u32>,
) -> Result<Json<ChangeAnswer>, Problem> {
    caller.require(Scopes::ADMIN)?;
    batch_of(&web, &caller, id).await?;
    let command = Command::ExpireCards {
        batch: id,
        early: true,
    };
    changed(&web, &caller, (id, "expired"), command).await
}

async fn changed(
    web: &Web,
    caller: &Caller,
    (id, state): (u32, &str),
    command: Command,
) -> Result<Json<ChangeAnswer>, Problem> {
    let Reply::CardsChanged { cards } = web.parts.core.call(command).await? else {
        return Err(Fault::Internal.into());
    };
    tracing::info!(
        batch = id,
        by = caller.partner.id.0,
        cards,
        state,
        "cards have changed"
    );
    let batch = batch_of(web, caller, id).await?;
    let batch = BatchAnswer::of(web, desk(web)?, &batch).await?;
    Ok(Json(ChangeAnswer { cards, batch }))
}

/// A card.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CardAnswer {
    /// Its serial number.
    pub serial: String,
    /// Its batch.
    pub batch: u32,
    /// The operator's code.
    pub operator: String,
    /// Its value.
    pub denomination: Decimal,
    /// generated, printed, shipped, active, sold, used, expired, recalled or stolen.
    pub state: String,
    /// Who had it last; empty: nobody yet.
    pub dealer: String,
    /// No longer good from then on.
    pub expires_at: Moment,
}

/// See a card by its serial number
#[utoipa::path(get, path = "/v1/cards/{serial}", tag = "cards",
    params(("serial" = String, Path, description = "13 digits")), responses((status = 200, body = CardAnswer)))]
pub async fn card(
    State(web): State<Web>,
    caller: Caller,
    Path(serial): Path<String>,
) -> Result<Json<CardAnswer>, Problem> {
    caller.require(Scopes::ADMIN)?;
    let serial = Serial::parse(&serial).ok_or_else(|| Problem::field(Fault::BadField, "serial"))?;
    let batch = batch_of(&web, &caller, serial.batch).await?;
    let range = batch.range_of(serial.place).ok_or(Refusal::NoSuchCard)?;
    let state = if batch.is_used(serial.place) {
        "used"
    } else {
        range.state.name()
    };
    Ok(Json(CardAnswer {
        serial: serial.to_string(),
        batch: batch.id,
        operator: web
            .catalog(batch.operator)
            .map(|c| c.code.to_string())
            .unwrap_or_default(),
        denomination: Decimal(batch.face),
        state: state.to_owned(),
        dealer: range.dealer.to_string(),
        expires_at: Moment(batch.expires_at),
    }))
}

/// Whose tries.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WhoseTries {
    /// A number; left out: the numbers that were locked lately.
    pub msisdn: Option<String>,
}

/// Wrong tries.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AttemptsAnswer {
    /// The number.
    pub msisdn: String,
    /// True: from its own phone or sign-in. False: by strangers who named it.
    pub own: bool,
    /// Wrong tries, all.
    pub wrong: u64,
    /// When the last try was, or the lock.
    pub at: Moment,
    /// Locked until then, if it was ever locked.
    pub locked_until: Option<Moment>,
}

/// What is known of guessing.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AttemptsList {
    /// Wrong tries over all numbers that are let through now; 0 while the brake holds.
    pub wrong_tries_left: u32,
    /// Numbers, newest first.
    pub numbers: Vec<AttemptsAnswer>,
}

/// Wrong tries with cards: of a number, or the latest locks of all
#[utoipa::path(get, path = "/v1/card-attempts", tag = "cards", params(WhoseTries),
    responses((status = 200, body = AttemptsList)))]
pub async fn attempts(
    State(web): State<Web>,
    caller: Caller,
    Query(whose): Query<WhoseTries>,
) -> Result<Json<AttemptsList>, Problem> {
    caller.require(Scopes::ADMIN)?;
    let desk = desk(&web)?;
    let tries = match &whose.msisdn {
        Some(typed) => {
            let found = find(&web, typed).await?;
            let (account, catalog) = found.subscriber()?;
            caller.may_see(catalog.operator)?;
            desk.tries_for(account, found.msisdn).await?
        }
        None => desk.locked_lately().await?,
    };
    let answer = |tries: &Tries| AttemptsAnswer {
        msisdn: shown(tries.number),
        own: tries.own,
        wrong: tries.wrong,
        at: Moment(tries.at),
        locked_until: tries.locked_until.map(Moment),
    };
    Ok(Json(AttemptsList {
        wrong_tries_left: desk.wrong_tries_left(),
        numbers: tries.iter().map(answer).collect(),
    }))
}

fn shown(number: Option<Msisdn>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

async fn batch_of(web: &Web, caller: &Caller, id: u32) -> Result<Box<CardBatch>, Problem> {
    let batch = desk(web)?.batch(id).await?.ok_or(Refusal::NoSuchCardBatch)?;
    caller.may_see(batch.operator)?;
    Ok(batch)
}

/// The desk of cards.
///
/// # Errors
/// [`Fault::NotFound`] where none are sold.
pub(crate) fn desk(web: &Web) -> Result<&CardDesk, Problem> {
    web.parts.cards.as_ref().ok_or_else(|| Fault::NotFound.into())
}
