//! Top-ups: a partner sells a recharge from its float.

use super::auth::Caller;
use super::json::{Decimal, Json, Moment, Query, short_text};
use super::lookup::{Recipient, find};
use super::once::{Noted, idempotency_key};
use super::quotes::{self, Occasion, Price};
use super::reversals::ReversalAnswer;
use crate::core::CoreError;
use crate::limits;
use crate::partner_callback::checked_url;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use charge::catalog::Catalog;
use charge::command::{Funding, Recharge, TopUpRequest};
use charge::ids::digest128;
use charge::partner::{Scopes, TopUp, TopUpState};
use charge::promotion::ChannelClass;
use charge::reversal::Afterwards;
use charge::seller::{Again, SoldBy};
use charge::tax::RegionCode;
use charge::terms::CommissionKind;
use charge::time::SECOND;
use charge::{AccountId, Command, Entity, EntityKey, Money, Msisdn, OperatorId, PartnerId, Refusal, Reply};
use charge::{Code, SourceId};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TopUpBody {
    /// The number to recharge.
    pub msisdn: String,
    /// What the payer pays.
    pub amount: Decimal,
    /// The partner's own reference, unique for ever; at most 64 bytes.
    pub external_id: String,
    /// Campaign code that the payer typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// Kind of channel, as in a quote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Id of a quote: the top-up is refused if the price is not the quoted one any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
    /// True: yes, a second identical recharge within two minutes is meant.
    #[serde(default)]
    pub again: bool,
    /// Where the end of this top-up, and a reversal after it, are told; left out: where the partner's settings say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<String>,
}

/// A top-up.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TopUpAnswer {
    /// Its id.
    pub id: String,
    /// The partner's reference.
    pub external_id: String,
    /// CREATED, SUBMITTED, COMPLETED, DECLINED or REVERSED. Decide on this alone.
    pub state: String,
    /// True when the state will not change by itself any more.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// The number.
    pub msisdn: String,
    /// Its operator.
    pub operator: String,
    /// What the payer pays.
    pub amount: Decimal,
    /// ISO 4217.
    pub currency: String,
    /// Accepted.
    pub created_at: Moment,
    /// Last change.
    pub updated_at: Moment,
    /// What it did, once completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// The balance is valid until then, once completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Moment>,
    /// Number of the receipt, once completed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// Why it was declined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What the partner earns with it, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commission: Option<Commission>,
    /// Its reversal, if somebody asked for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reversal: Option<ReversalAnswer>,
    /// The reference of the other operator that credited it, for numbers that are not served here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered: Option<String>,
    /// True for the sandbox: nothing moved.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub test: bool,
}

/// What a partner earns with a sale.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Commission {
    /// How much.
    pub amount: Decimal,
    /// `upfront`: the float paid so much less. `on-sale`: the float gets it when the top-up completes.
    pub kind: String,
}

impl Commission {
    /// `None` for nothing.
    pub fn of(amount: Money, kind: CommissionKind) -> Option<Commission> {
        amount.is_positive().then(|| Commission {
            amount: Decimal(amount),
            kind: kind.name().to_owned(),
        })
    }
}

/// Why a top-up was declined.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// Stable code, the same as in problem documents.
    pub code: u32,
    /// Name of the kind of problem.
    pub name: String,
}

impl Reason {
    /// Of a refusal's code.
    pub fn of(code: u32) -> Reason {
        let name = Refusal::from_code(code).map_or("internal", |refusal| Fault::Refused(refusal).spec().2);
        Reason {
            code,
            name: name.to_owned(),
        }
    }
}

impl TopUpAnswer {
    /// From the durable state. Everything in it comes from there, so that a repetition gives the same bytes.
    pub fn of(top_up: &TopUp, catalog: Option<&Catalog>) -> TopUpAnswer {
        let (outcome, details) = (top_up.outcome.as_ref(), &top_up.details);
        let price = outcome.zip(catalog);
        let price = price.map(|(outcome, catalog)| Price::of_outcome(catalog, outcome));
        TopUpAnswer {
            id: Uuid::from_u128(top_up.id).to_string(),
            external_id: top_up.external_id.clone(),
            state: top_up.state.name().to_owned(),
            is_final: top_up.state.is_final(),
            msisdn: top_up.msisdn.to_string(),
            operator: catalog.map(|c| c.code.to_string()).unwrap_or_default(),
            amount: Decimal(top_up.gross),
            currency: catalog.map(|c| c.currency.clone()).unwrap_or_default(),
            created_at: Moment(top_up.created_at),
            updated_at: Moment(top_up.updated_at),
            price,
            valid_until: outcome.map(|outcome| Moment(outcome.valid_until)),
            receipt: outcome
                .filter(|_| !details.test)
                .map(|outcome| outcome.receipt.to_string()),
            reason: top_up.reason.map(Reason::of),
            commission: Commission::of(details.commission, details.commission_kind),
            reversal: top_up.after.reversal.as_ref().map(ReversalAnswer::of),
            delivered: (!top_up.after.delivered.is_empty()).then(|| top_up.after.delivered.clone()),
            test: details.test,
        }
    }

    /// As it was when it was accepted.
    fn accepted(top_up: &TopUp, catalog: Option<&Catalog>) -> TopUpAnswer {
        TopUpAnswer::of(
            &TopUp {
                state: TopUpState::Submitted,
                updated_at: top_up.created_at,
                outcome: None,
                reason: None,
                after: Afterwards::default(),
                ..top_up.clone()
            },
            catalog,
        )
    }
}

/// How long to wait for the end of a top-up.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wait {
    /// Seconds, at most 20. The answer is 201 when the top-up has ended, else 202.
    pub wait: Option<u32>,
}

impl Wait {
    /// As a time.
    ///
    /// # Errors
    /// [`Fault::BadField`] for more than a request may wait.
    pub fn seconds(self) -> Result<Duration, Problem> {
        let seconds = self.wait.unwrap_or(0);
        if seconds > limits::WAIT_S_MAX {
            let hint = format!("at most {}", limits::WAIT_S_MAX);
            return Err(Problem::field(Fault::BadField, "wait").hint(hint));
        }
        Ok(Duration::from_secs(u64::from(seconds)))
    }
}

/// Sell a recharge
///
/// Send it again with the same Idempotency-Key whenever the answer is lost: the answer is the same and nothing moves twice.
#[utoipa::path(post, path = "/v1/topups", tag = "recharge", request_body = TopUpBody,
    params(Wait, ("Idempotency-Key" = String, Header, description = "1 to 255 visible characters, new for each sale")),
    responses((status = 201, body = TopUpAnswer, description = "It has ended; see `state`"),
        (status = 202, body = TopUpAnswer, description = "Accepted")))]
pub async fn create(
    State(web): State<Web>,
    caller: Caller,
    Query(wait): Query<Wait>,
    headers: HeaderMap,
    Json(body): Json<TopUpBody>,
) -> Result<Response, Problem> {
    caller.require(Scopes::TOP_UP)?;
    let key = idempotency_key(&headers)?;
    let wait = wait.seconds()?;
    short_text(&body.external_id, "external_id", limits::EXTERNAL_ID_BYTES_MAX)?;
    let callback_url = body.callback_url.as_deref().unwrap_or_default();
    if !callback_url.is_empty() {
        checked_url(web.parts.reach, callback_url, caller.test, "callback_url")?;
    }
    let found = find(&web, &body.msisdn).await?;
    let Recipient {
        account,
        catalog,
        connector,
    } = found.recipient(&web, caller.test)?;
    let (campaign, class) = (body.campaign.as_deref(), body.channel.as_deref());
    let occasion = Occasion::read(caller.partner.code, campaign, class)?;
    let sale = Sale {
        by: SoldBy::default(),
        partner: caller.partner.id,
        channel: caller.partner.code,
        external_id: &body.external_id,
        idempotency_key: digest128("idempotency", &[key.as_bytes()]),
        msisdn: found.msisdn,
        account,
        operator: catalog.operator,
        gross: body.amount.0,
        campaign: occasion.campaign,
        class: occasion.class,
        callback_url,
        test: caller.test,
        connector,
    };
    let _guard = web.in_flight.begin(sale.partner, sale.idempotency_key)?;
    let (accepted, replayed) = sell(&web, &sale, body.quote.as_deref(), Again::of(body.again)).await?;
    let end = settled(&web, sale.key(), wait).await?;
    let (status, answer) = match end {
        Some(end) => (StatusCode::CREATED, TopUpAnswer::of(&end, Some(catalog))),
        None => (
            StatusCode::ACCEPTED,
            TopUpAnswer::accepted(&accepted, Some(catalog)),
        ),
    };
    let location = format!("/v1/topups/{}", answer.id);
    let mut response = (status, Json(answer)).into_response();
    let headers = response.headers_mut();
    if let Ok(location) = HeaderValue::from_str(&location) {
        headers.insert(header::LOCATION, location);
    }
    if replayed {
        headers.insert("idempotency-replayed", HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// A sale, checked and resolved.
#[derive(Clone, Copy, Debug)]
pub struct Sale<'a> {
    /// Who sells.
    pub partner: PartnerId,
    /// Its channel code.
    pub channel: Code,
    /// Its reference.
    pub external_id: &'a str,
    /// Digest of the Idempotency-Key.
    pub idempotency_key: u128,
    /// The number.
    pub msisdn: Msisdn,
    /// Its account.
    pub account: AccountId,
    /// Its operator.
    pub operator: OperatorId,
    /// What the payer pays.
    pub gross: Money,
    /// Campaign code that was typed; empty: none.
    pub campaign: Code,
    /// Kind of channel.
    pub class: ChannelClass,
    /// Where its changes are told; empty: where the partner's terms say.
    pub callback_url: &'a str,
    /// A rehearsal.
    pub test: bool,
    /// The connector that hands it to another operator; empty: `account` is credited here.
    pub connector: Code,
    /// Who sells, when a seller of the chain does.
    pub by: SoldBy,
}

impl Sale<'_> {
    /// Key of the top-up.
    pub fn key(&self) -> EntityKey {
        self.request(0).key()
    }

    fn request(&self, id: u128) -> TopUpRequest {
        TopUpRequest {
            id,
            partner: self.partner,
            external_id: self.external_id.to_owned(),
            idempotency_key: self.idempotency_key,
            msisdn: self.msisdn,
            account: self.account,
            operator: self.operator,
            gross: self.gross,
            campaign: self.campaign,
            class: self.class,
            callback_url: self.callback_url.to_owned(),
            test: self.test,
            connector: self.connector,
            by: self.by,
        }
    }

    /// The body digest that the credit will have in the account's memory.
    fn credit_body(&self) -> u64 {
        Recharge {
            account: self.account,
            source: SourceId(0),
            reference: String::new(),
            funding: Funding::InTransit {
                partner: self.partner,
                channel: self.channel,
            },
            gross: self.gross,
            region: RegionCode::EMPTY,
            campaign: self.campaign,
            class: self.class,
        }
        .body()
    }
}

/// Hands a sale to the core. Returns the top-up and whether it was there before.
///
/// # Errors
/// What the core refuses, [`Fault::RecentlyRecharged`], or a quote that is not the price any more.
pub async fn sell(
    web: &Web,
    sale: &Sale<'_>,
    quote: Option<&str>,
    again: Again,
) -> Result<(Box<TopUp>, bool), Problem> {
    let mut request = sale.request(Uuid::now_v7().as_u128());
    request.by.again = again;
    let key = request.key();
    let known = web.parts.core.read(key).await?.is_some()
        || web.parts.core.read(request.idempotency()).await?.is_some();
    let recharge = (sale.partner, sale.msisdn, sale.gross);
    let mut noted = None;
    if !known {
        if let Some(id) = quote {
            let catalog = web.catalog(sale.operator).ok_or(Refusal::NoSuchOperator)?;
            let account = (
                quotes::Payee::of(sale.account, sale.connector, sale.test),
                catalog,
            );
            let occasion = Occasion {
                channel: sale.channel,
                class: sale.class,
                campaign: sale.campaign,
            };
            let number = (sale.partner, sale.msisdn);
            quotes::check(web, id, number, account, (sale.gross, occasion)).await?;
        }
        noted = web.in_flight.note_recharge(recharge, web.now());
        if again == Again::No && !sale.test && repeats(web, sale, noted.is_some()).await? {
            noted.into_iter().for_each(Noted::keep);
            return Err(Fault::RecentlyRecharged.into());
        }
    }
    let id = request.id;
    let reply = match web.parts.core.call(Command::TopUp(Box::new(request))).await {
        Ok(reply) => reply,
        Err(error) => {
            // Else nothing has happened: the same sale may be tried again at once.
            if error == CoreError::Unavailable {
                noted.into_iter().for_each(Noted::keep);
            }
            return Err(match error {
                // One code for one thing, whoever noticed it.
                CoreError::Refused(Refusal::RepeatedSale) => Fault::RecentlyRecharged.into(),
                error => error.into(),
            });
        }
    };
    noted.into_iter().for_each(Noted::keep);
    let Reply::TopUpAccepted { id: known_id } = reply else {
        return Err(Fault::Internal.into());
    };
    web.in_flight.note_top_up(known_id, key);
    let top_up = read_top_up(web, key).await?.ok_or(Fault::Internal)?;
    Ok((top_up, known_id != id))
}

/// Waits for a top-up to end, at most that long.
///
/// # Errors
/// What the core says.
pub async fn settled(web: &Web, key: EntityKey, wait: Duration) -> Result<Option<Box<TopUp>>, Problem> {
    if wait.is_zero() {
        return Ok(None);
    }
    let deadline = tokio::time::Instant::now() + wait;
    let mut pause = Duration::from_millis(2);
    loop {
        let top_up = read_top_up(web, key).await?;
        if let Some(top_up) = top_up.filter(|top_up| top_up.state.is_final()) {
            return Ok(Some(top_up));
        }
        if tokio::time::Instant::now() >= deadline {
            return Ok(None);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(100));
    }
}

/// Whether somebody may have sold the same by mistake a moment ago. Of a seller the core knows it itself, and looks at its
/// people first.
async fn repeats(web: &Web, sale: &Sale<'_>, noted: bool) -> Result<bool, Problem> {
    let twice = !noted || recently_credited(web, sale).await?;
    Ok(twice && web.seller(sale.partner).await?.is_none())
}

/// Whether the account remembers the same credit by this partner from a moment ago: also after a restart.
async fn recently_credited(web: &Web, sale: &Sale<'_>) -> Result<bool, Problem> {
    let entity = web.parts.core.read(EntityKey::Account(sale.account)).await?;
    let horizon = web.now().plus(-limits::RECENT_RECHARGE_S * SECOND);
    let body = sale.credit_body();
    let account = entity.as_ref().and_then(Entity::account);
    Ok(account.is_some_and(|account| {
        let mut recent = account.recent.iter().rev().take_while(|known| known.at > horizon);
        recent.any(|known| known.body == body)
    }))
}

/// A top-up by its key.
///
/// # Errors
/// What the core says.
pub async fn read_top_up(web: &Web, key: EntityKey) -> Result<Option<Box<TopUp>>, Problem> {
    match web.parts.core.read(key).await? {
        Some(Entity::TopUp(top_up)) => Ok(Some(top_up)),
        _ => Ok(None),
    }
}

/// The key of a top-up by its id.
///
/// # Errors
/// [`Fault::NoSuchTopUp`] when nobody knows it (yet).
pub async fn key_of(web: &Web, id: &str, test: bool) -> Result<EntityKey, Problem> {
    let id = Uuid::parse_str(id).map_err(|_| Fault::NoSuchTopUp)?.as_u128();
    if let Some(key) = web.in_flight.top_up(id) {
        return Ok(key);
    }
    let row = web
        .parts
        .reads
        .ask(move |reader| reader.models.top_up(id))
        .await?;
    let row = row.ok_or(Fault::NoSuchTopUp)?;
    let digest = TopUpRequest::digest_of(&row.external_id, test);
    Ok(EntityKey::TopUp(row.partner, digest))
}

/// See a top-up
#[utoipa::path(get, path = "/v1/topups/{id}", tag = "recharge", params(("id" = String, Path, description = "Its id"), Wait),
    responses((status = 200, body = TopUpAnswer)))]
pub async fn get(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<String>,
    Query(wait): Query<Wait>,
) -> Result<Json<TopUpAnswer>, Problem> {
    caller.require(Scopes::TOP_UP)?;
    let key = key_of(&web, &id, caller.test).await?;
    if !matches!(key, EntityKey::TopUp(partner, _) if partner == caller.partner.id) {
        return Err(Fault::NoSuchTopUp.into());
    }
    let wait_s = wait.seconds()?;
    let mut top_up = read_top_up(&web, key).await?.ok_or(Fault::NoSuchTopUp)?;
    if top_up.details.test != caller.test {
        return Err(Fault::NoSuchTopUp.into());
    }
    if let Some(end) = settled(&web, key, wait_s).await? {
        top_up = end;
    }
    Ok(Json(TopUpAnswer::of(&top_up, web.catalog(top_up.operator))))
}

/// Which top-up.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ByExternalId {
    /// The partner's reference.
    pub external_id: String,
}

/// Find a top-up by the partner's reference
///
/// The way back after a lost answer: 404 means that it was never accepted.
#[utoipa::path(get, path = "/v1/topups", tag = "recharge", params(ByExternalId),
    responses((status = 200, body = TopUpAnswer)))]
pub async fn find_by_external_id(
    State(web): State<Web>,
    caller: Caller,
    Query(query): Query<ByExternalId>,
) -> Result<Json<TopUpAnswer>, Problem> {
    caller.require(Scopes::TOP_UP)?;
    let digest = TopUpRequest::digest_of(&query.external_id, caller.test);
    let key = EntityKey::TopUp(caller.partner.id, digest);
    let top_up = read_top_up(&web, key).await?.ok_or(Fault::NoSuchTopUp)?;
    Ok(Json(TopUpAnswer::of(&top_up, web.catalog(top_up.operator))))
}
