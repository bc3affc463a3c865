//! Partners, their keys and floats.

use super::auth::{Caller, new_key};
use super::json::{Decimal, Json, Moment, short_text};
use super::once::idempotency_key;
use crate::core::CoreError;
use crate::limits;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use charge::command::OpenPartner;
use charge::partner::{ApiKey, Partner, Scopes};
use charge::{Code, Command, Money, OperatorId, PartnerId, Refusal, SourceId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A new partner.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPartner {
    /// Its id; made by us when it is left out.
    #[serde(default)]
    pub id: Option<u32>,
    /// Name for people.
    pub name: String,
    /// Code used as channel on receipts, at most 23 bytes.
    pub code: String,
    /// Codes of the operators it may serve; empty: all.
    #[serde(default)]
    pub operators: Vec<String>,
    /// Smallest top-up; left out: the operator's.
    #[serde(default)]
    pub minimum: Option<Decimal>,
    /// Largest top-up; left out: the operator's.
    #[serde(default)]
    pub maximum: Option<Decimal>,
    /// Most it may sell on one day (UTC); left out: no limit.
    #[serde(default)]
    pub per_day: Option<Decimal>,
    /// What its first key may do: topup, read, purchase, subscribers, admin, sellers; empty: no key yet.
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// A partner.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PartnerAnswer {
    /// Its id.
    pub id: u32,
    /// Name for people.
    pub name: String,
    /// Channel on receipts.
    pub code: String,
    /// Codes of the operators it may serve; empty: all.
    pub operators: Vec<String>,
    /// Money it can sell from.
    pub float: Decimal,
    /// Sold, not yet confirmed by the subscriber's account.
    pub in_transit: Decimal,
    /// False when it is barred.
    pub active: bool,
    /// Its keys, without their secrets.
    pub keys: Vec<KeyAnswer>,
}

/// An API key without its secret.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct KeyAnswer {
    /// Its public part.
    pub id: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// A key of the sandbox.
    #[serde(default)]
    pub test: bool,
    /// When it was made.
    pub created_at: Moment,
    /// When it stopped working.
    pub revoked_at: Option<Moment>,
}

/// A new key. The secret is shown this once.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewKey {
    /// Its public part.
    pub id: String,
    /// The whole key: `rsd_...`. We keep only its hash.
    pub key: String,
}

/// A new partner with its first key, if one was asked for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewPartnerAnswer {
    /// The partner.
    pub partner: PartnerAnswer,
    /// Its first key.
    pub key: Option<NewKey>,
}

impl PartnerAnswer {
    fn of(partner: &Partner, web: &Web) -> PartnerAnswer {
        let code = |operator: &OperatorId| web.catalog(*operator).map(|catalog| catalog.code.to_string());
        PartnerAnswer {
            id: partner.id.0,
            name: partner.name.clone(),
            code: partner.code.to_string(),
            operators: partner.operators.iter().filter_map(code).collect(),
            float: Decimal(partner.float),
            in_transit: Decimal(partner.in_transit),
            active: partner.active,
            keys: partner.keys.iter().map(KeyAnswer::of).collect(),
        }
    }
}

impl KeyAnswer {
    fn of(key: &ApiKey) -> KeyAnswer {
        let scopes = Scopes::NAMES
            .iter()
            .filter(|(_, scope)| key.scopes.allows(*scope));
        KeyAnswer {
            id: key.id.to_string(),
            scopes: scopes.map(|(name, _)| (*name).to_owned()).collect(),
            test: key.scopes.allows(Scopes::TEST),
            created_at: Moment(key.created_at),
            revoked_at: key.revoked_at.map(Moment),
        }
    }
}

/// Create a partner
#[utoipa::path(post, path = "/v1/partners", tag = "partners", request_body = NewPartner,
    responses((status = 201, body = NewPartnerAnswer)))]
pub async fn create(
    State(web): State<Web>,
    caller: Caller,
    Json(new): Json<NewPartner>,
) -> Result<(StatusCode, Json<NewPartnerAnswer>), Problem> {
    caller.require(Scopes::ADMIN)?;
    short_text(&new.name, "name", limits::NAME_BYTES_MAX)?;
    short_text(&new.code, "code", Code::MAX)?;
    let operators = operators_of(&web, &new.operators)?;
    let scopes = scopes_of(&new.scopes)?;
    let id = PartnerId(
        new.id
            .unwrap_or_else(|| rand::random_range(100_000..u32::MAX / 2)),
    );
    let key = (scopes != Scopes::default()).then(|| new_key(id, scopes, web.now()));
    let amount = |amount: Option<Decimal>| amount.map_or(Money::ZERO, |amount| amount.0);
    let open = OpenPartner {
        operators,
        minimum: amount(new.minimum),
        maximum: amount(new.maximum),
        per_day: amount(new.per_day),
        key: key.as_ref().map(|(_, key)| key.clone()),
        ..OpenPartner::named(id, &new.name, Code::new(&new.code).unwrap_or_default())
    };
    web.parts.core.call(Command::OpenPartner(Box::new(open))).await?;
    let partner = web.partner(id).await?.ok_or(Fault::Internal)?;
    let answer = NewPartnerAnswer {
        partner: PartnerAnswer::of(&partner, &web),
        key: key.map(|(token, key)| NewKey {
            id: key.id.to_string(),
            key: token,
        }),
    };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Operators by their codes.
///
/// # Errors
/// [`Refusal::NoSuchOperator`].
pub fn operators_of(web: &Web, codes: &[String]) -> Result<Vec<OperatorId>, Problem> {
    let operator = |code: &String| {
        let catalog = web.catalogs().by_code(code);
        Ok(catalog.ok_or(Refusal::NoSuchOperator)?.operator)
    };
    codes.iter().map(operator).collect()
}

/// All partners.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PartnerList {
    /// The partners, by id; as of a moment ago.
    pub partners: Vec<PartnerSummary>,
}

/// A partner in a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PartnerSummary {
    /// Its id.
    pub id: u32,
    /// Name for people.
    pub name: String,
    /// Channel on receipts.
    pub code: String,
    /// Money it can sell from.
    pub float: Decimal,
    /// Sold, not yet confirmed by the subscriber's account.
    pub in_transit: Decimal,
}

/// See all partners
#[utoipa::path(get, path = "/v1/partners", tag = "partners", responses((status = 200, body = PartnerList)))]
pub async fn list(State(web): State<Web>, caller: Caller) -> Result<Json<PartnerList>, Problem> {
    caller.require(Scopes::ADMIN)?;
    let rows = web.parts.reads.ask(|reader| reader.models.partners()).await?;
    let summary = |row: store::reads::PartnerRow| PartnerSummary {
        id: row.partner.0,
        name: row.name,
        code: row.code,
        float: Decimal(row.float),
        in_transit: Decimal(row.in_transit),
    };
    let partners = rows.into_iter().map(summary).collect();
    Ok(Json(PartnerList { partners }))
}

/// See a partner
///
/// `me` is the partner of the key. Others need the scope `admin`.
#[utoipa::path(get, path = "/v1/partners/{id}", tag = "partners",
    params(("id" = String, Path, description = "Its id, or `me`")), responses((status = 200, body = PartnerAnswer)))]
pub async fn see(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<PartnerAnswer>, Problem> {
    if id == "me" {
        return Ok(Json(PartnerAnswer::of(&caller.partner, &web)));
    }
    caller.require(Scopes::ADMIN)?;
    let id = partner_id(&id)?;
    let partner = web.partner(id).await?.ok_or(Fault::NoSuchPartner)?;
    Ok(Json(PartnerAnswer::of(&partner, &web)))
}

/// What a key may do.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyRequest {
    /// topup, read, purchase, subscribers, admin, sellers.
    pub scopes: Vec<String>,
    /// A key of the sandbox: top-ups made with it move nothing. It may have the scope `topup` only.
    #[serde(default)]
    pub test: bool,
}

/// Add an API key
#[utoipa::path(post, path = "/v1/partners/{id}/keys", tag = "partners", request_body = KeyRequest,
    params(("id" = String, Path, description = "The partner's id")), responses((status = 201, body = NewKey)))]
pub async fn add_key(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<String>,
    Json(request): Json<KeyRequest>,
) -> Result<(StatusCode, Json<NewKey>), Problem> {
    caller.require(Scopes::ADMIN)?;
    let partner = existing(&web, &id).await?;
    let scopes = scopes_of(&request.scopes)?;
    if scopes == Scopes::default() {
        return Err(Problem::field(Fault::BadField, "scopes"));
    }
    let scopes = match request.test {
        true if scopes != Scopes::TOP_UP => {
            return Err(Problem::field(Fault::BadField, "scopes").hint("a test key has the scope topup only"));
        }
        true => scopes.with(Scopes::TEST),
        false => scopes,
    };
    let (token, key) = new_key(partner, scopes, web.now());
    let id = key.id.to_string();
    web.parts.core.call(Command::AddKey { partner, key }).await?;
    Ok((StatusCode::CREATED, Json(NewKey { id, key: token })))
}

/// Stop an API key
#[utoipa::path(delete, path = "/v1/partners/{id}/keys/{key}", tag = "partners",
    params(("id" = String, Path, description = "The partner's id"), ("key" = String, Path, description = "The key's id")),
    responses((status = 204)))]
pub async fn revoke_key(
    State(web): State<Web>,
    caller: Caller,
    Path((id, key)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    caller.require(Scopes::ADMIN)?;
    let partner = existing(&web, &id).await?;
    let key = Code::new(&key).ok_or(Refusal::BadKey)?;
    web.parts.core.call(Command::RevokeKey { partner, key }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Money for a float.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FloatChange {
    /// How much; negative takes it out.
    pub amount: Decimal,
    /// Reference for people: the bank's, the invoice's.
    pub reference: String,
}

/// Put money into a float, or take it out
#[utoipa::path(post, path = "/v1/partners/{id}/float", tag = "partners", request_body = FloatChange,
    params(("id" = String, Path, description = "The partner's id"),
        ("Idempotency-Key" = String, Header, description = "1 to 255 visible characters, new for each movement")),
    responses((status = 200, body = PartnerAnswer)))]
pub async fn fund(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(change): Json<FloatChange>,
) -> Result<Json<PartnerAnswer>, Problem> {
    caller.require(Scopes::ADMIN)?;
    let key = idempotency_key(&headers)?;
    short_text(&change.reference, "reference", limits::NAME_BYTES_MAX)?;
    let partner = existing(&web, &id).await?;
    if change.amount.0 == Money::ZERO {
        return Err(Problem::field(Fault::BadField, "amount"));
    }
    let command = Command::FundFloat {
        partner,
        amount: change.amount.0,
        source: SourceId::of_reference(&format!("float/{}", partner.0), key),
        reference: change.reference,
    };
    web.parts.core.call(command).await?;
    let partner = web.partner(partner).await?.ok_or(CoreError::Unavailable)?;
    Ok(Json(PartnerAnswer::of(&partner, &web)))
}

/// The partner of an id in a path.
///
/// # Errors
/// [`Fault::NoSuchPartner`].
pub async fn existing(web: &Web, id: &str) -> Result<PartnerId, Problem> {
    let id = partner_id(id)?;
    match web.partner(id).await? {
        Some(_) => Ok(id),
        None => Err(Fault::NoSuchPartner.into()),
    }
}

fn partner_id(text: &str) -> Result<PartnerId, Problem> {
    text.parse()
        .map(PartnerId)
        .map_err(|_| Fault::NoSuchPartner.into())
}

/// The set of named scopes.
///
/// # Errors
/// [`Fault::BadField`] for an unknown name.
pub fn scopes_of(names: &[String]) -> Result<Scopes, Problem> {
    let mut scopes = Scopes::default();
    for name in names {
        let known = Scopes::NAMES.iter().find(|(known, _)| known == name);
        let (_, scope) = known.ok_or_else(|| {
            Problem::field(Fault::BadField, "scopes")
                .hint("topup, read, purchase, subscribers, admin or sellers")
        })?;
        scopes = scopes.with(*scope);
    }
    Ok(scopes)
}
