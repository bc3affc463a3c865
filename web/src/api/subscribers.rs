//! Subscribers: balance, opening, changes.

use super::auth::Caller;
use super::json::{Decimal, Json, Moment};
use super::lookup::{OperatorName, find};
use crate::problem::{Fault, Problem};
use crate::state::Web;
use crate::{limits, number};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use charge::account::{Account, LifeCycle, Lot};
use charge::catalog::{Catalog, Language, Scope};
use charge::command::{OpenAccount, UpdateAccount};
use charge::partner::Scopes;
use charge::tax::{RegionCode, TaxClass};
use charge::unit::Service;
use charge::{Command, Entity, EntityKey, Imsi, Money, Refusal, Timestamp, Unit};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// What a subscriber has.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Balance {
    /// The number.
    pub msisdn: String,
    /// Its operator.
    pub operator: OperatorName,
    /// ISO 4217.
    pub currency: String,
    /// active, expired, suspended or closed.
    pub state: String,
    /// Language of messages: en, ur or zh.
    pub language: String,
    /// Tax class: standard, listed-non-filer or exempt.
    pub tax_class: String,
    /// The main balance.
    pub main: Decimal,
    /// The part of it that open sessions hold.
    pub reserved: Decimal,
    /// The main balance can be used until then.
    pub valid_until: Option<Moment>,
    /// The main balance by origin.
    pub lots: Vec<LotAnswer>,
    /// What bundles and promotions brought.
    pub buckets: Vec<BucketAnswer>,
    /// Open sessions.
    pub sessions: u32,
}

/// A part of the main balance.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LotAnswer {
    /// paid, bonus, advance or bundle.
    pub origin: String,
    /// What is left.
    pub amount: Decimal,
    /// The part of it that open sessions hold.
    pub reserved: Decimal,
    /// The channel or promotion that brought it.
    pub source: String,
    /// When it came.
    pub granted_at: Moment,
    /// When it ends.
    pub expires_at: Option<Moment>,
}

/// A bucket.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BucketAnswer {
    /// money (micro-units), octets, seconds or messages.
    pub unit: String,
    /// What is left.
    pub left: i64,
    /// What it held at first.
    pub initial: i64,
    /// The part of what is left that open sessions hold.
    pub reserved: i64,
    /// What it can be used for: `data`, `voice on-net` and so on.
    pub scope: String,
    /// paid, bonus, advance or bundle.
    pub origin: String,
    /// The bundle or promotion that brought it.
    pub source: String,
    /// When it ends.
    pub expires_at: Option<Moment>,
}

impl Balance {
    /// Of an account.
    pub fn of(account: &Account, catalog: &Catalog, now: Timestamp) -> Balance {
        let main = |lot: &&Lot| lot.is_main() && lot.expires_at > now;
        let main_lots = account.lots.iter().filter(main);
        let sessions = account.sessions.iter().filter(|session| !session.closed).count();
        Balance {
            msisdn: account.msisdn.to_string(),
            operator: OperatorName::of(catalog),
            currency: catalog.currency.clone(),
            state: account.state.name().to_owned(),
            language: account.language.tag().to_owned(),
            tax_class: account.tax_class.name().to_owned(),
            main: Decimal(account.main_total(now)),
            reserved: Decimal(account.main_total(now) - account.main_balance(now)),
            valid_until: Moment::unless_never(account.valid_until),
            lots: main_lots.map(LotAnswer::of).collect(),
            buckets: buckets(account, now).map(BucketAnswer::of).collect(),
            sessions: u32::try_from(sessions).unwrap_or(u32::MAX),
        }
    }
}

/// The buckets of an account that hold something, in the order in which they are used.
pub fn buckets(account: &Account, now: Timestamp) -> impl Iterator<Item = &Lot> {
    let mut lots: Vec<&Lot> = account
        .lots
        .iter()
        .filter(|lot| !lot.is_main() && lot.expires_at > now && lot.amount.is_positive())
        .collect();
    lots.sort_by_key(|lot| lot.order());
    lots.into_iter()
}

impl LotAnswer {
    fn of(lot: &Lot) -> LotAnswer {
        LotAnswer {
            origin: lot.origin.name().to_owned(),
            amount: Decimal(Money(lot.amount.0)),
            reserved: Decimal(Money(lot.reserved.0)),
            source: lot.source.to_string(),
            granted_at: Moment(lot.granted_at),
            expires_at: Moment::unless_never(lot.expires_at),
        }
    }
}

impl BucketAnswer {
    /// Of a lot.
    pub fn of(lot: &Lot) -> BucketAnswer {
        BucketAnswer {
            unit: lot.unit.name().to_owned(),
            left: lot.amount.0,
            initial: lot.initial.0,
            reserved: lot.reserved.0,
            scope: scope_words(&lot.scope, lot.unit),
            origin: lot.origin.name().to_owned(),
            source: lot.source.to_string(),
            expires_at: Moment::unless_never(lot.expires_at),
        }
    }
}

/// A scope in words for programs and developers: services, then what narrows them.
pub fn scope_words(scope: &Scope, unit: Unit) -> String {
    let mut words: Vec<String> = Vec::new();
    if scope.services == Scope::ANY.services {
        words.push("any".to_owned());
    } else {
        let services = Service::ALL.into_iter().filter(|service| {
            scope.services & (1 << *service as u8) != 0 && (unit == Unit::Money || service.unit() == unit)
        });
        words.extend(services.map(|service| service.name().to_owned()));
    }
    let classes = [
        (1, "on-net"),
        (2, "off-net"),
        (4, "international"),
        (8, "special"),
    ];
    if scope.classes != Scope::ANY.classes {
        let named = classes.iter().filter(|(bit, _)| scope.classes.0 & bit != 0);
        words.extend(named.map(|(_, name)| (*name).to_owned()));
    }
    if scope.prefix.digits > 0 {
        words.push(format!("to {}", scope.prefix.value));
    }
    let groups: Vec<String> = scope.rating_groups.iter().flatten().map(u32::to_string).collect();
    if !groups.is_empty() {
        words.push(format!("rating group {}", groups.join(", ")));
    }
    if let Some((from, to)) = scope.window {
        words.push(format!(
            "{:02}:{:02}-{:02}:{:02}",
            from / 60,
            from % 60,
            to / 60,
            to % 60
        ));
    }
    if scope.roaming && *scope != Scope::ANY {
        words.push("roaming too".to_owned());
    }
    words.join(" ")
}

/// The account of a number with its catalog.
///
/// # Errors
/// [`Fault::BadNumber`], [`Fault::NoSubscriber`], an operator that is not the caller's, or what the core says.
pub async fn account_at<'a>(
    web: &'a Web,
    caller: &Caller,
    typed: &str,
) -> Result<(Box<Account>, &'a Catalog), Problem> {
    let found = find(web, typed).await?;
    let (id, catalog) = found.subscriber()?;
    caller.may_see(catalog.operator)?;
    match web.parts.core.read(EntityKey::Account(id)).await? {
        Some(Entity::Account(account)) => Ok((account, catalog)),
        _ => Err(Fault::NoSubscriber.into()),
    }
}

/// See a balance
#[utoipa::path(get, path = "/v1/subscribers/{msisdn}/balance", tag = "subscribers",
    params(("msisdn" = String, Path, description = "The number")),
    responses((status = 200, body = Balance)))]
pub async fn balance(
    State(web): State<Web>,
    caller: Caller,
    Path(typed): Path<String>,
) -> Result<Json<Balance>, Problem> {
    caller.require(Scopes::READ)?;
    let (account, catalog) = account_at(&web, &caller, &typed).await?;
    Ok(Json(Balance::of(&account, catalog, web.now())))
}

/// A new subscriber.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSubscriber {
    /// The number.
    pub msisdn: String,
    /// The operator's code; left out: by the number range.
    #[serde(default)]
    pub operator: Option<String>,
    /// The SIM, 6 to 15 digits.
    #[serde(default)]
    pub imsi: Option<String>,
    /// Language of messages: en, ur or zh; left out: en.
    #[serde(default)]
    pub language: Option<String>,
    /// Tax class: standard, listed-non-filer or exempt; left out: standard.
    #[serde(default)]
    pub tax_class: Option<String>,
    /// Home region, for example PK-PB; left out: the operator's default.
    #[serde(default)]
    pub region: Option<String>,
    /// Money brought along from another system; no tax, no promotion.
    #[serde(default)]
    pub balance: Option<Decimal>,
}

impl NewSubscriber {
    /// The command that opens the account.
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub fn command(&self, web: &Web, caller: &Caller) -> Result<OpenAccount, Problem> {
        let bad = |field| Problem::field(Fault::BadField, field);
        let msisdn = number::parse(&self.msisdn, web.catalogs());
        let msisdn = msisdn.ok_or_else(|| Problem::field(Fault::BadNumber, "msisdn"))?;
        let catalog = match &self.operator {
            Some(code) => web.catalogs().by_code(code),
            None => web.catalogs().operator_by_prefix(msisdn),
        };
        let catalog = catalog.ok_or(Refusal::NoSuchOperator)?;
        caller.may_see(catalog.operator)?;
        let region = match &self.region {
            None => RegionCode::EMPTY,
            Some(code) => {
                let known = catalog
                    .tax
                    .regions
                    .iter()
                    .find(|region| region.code.as_str() == code);
                known.ok_or_else(|| bad("region"))?.code
            }
        };
        Ok(OpenAccount {
            account: web.parts.core.new_account(),
            operator: catalog.operator,
            msisdn,
            imsi: match &self.imsi {
                Some(imsi) => Some(Imsi::parse(imsi).map_err(|_| bad("imsi"))?),
                None => None,
            },
            language: match &self.language {
                Some(tag) => language_of(tag)?,
                None => Language::En,
            },
            tax_class: match &self.tax_class {
                Some(name) => TaxClass::from_name(name).ok_or_else(|| bad("tax_class"))?,
                None => TaxClass::Standard,
            },
            region,
            opening_balance: self.balance.map_or(Money::ZERO, |balance| balance.0),
        })
    }
}

fn language_of(tag: &str) -> Result<Language, Problem> {
    let exact = Language::ALL.into_iter().find(|language| language.tag() == tag);
    exact.ok_or_else(|| Problem::field(Fault::BadField, "language"))
}

/// Open an account
#[utoipa::path(post, path = "/v1/subscribers", tag = "subscribers", request_body = NewSubscriber,
    responses((status = 201, body = Balance)))]
pub async fn create(
    State(web): State<Web>,
    caller: Caller,
    Json(new): Json<NewSubscriber>,
) -> Result<(StatusCode, Json<Balance>), Problem> {
    caller.require(Scopes::SUBSCRIBERS)?;
    let open = new.command(&web, &caller)?;
    let (key, operator) = (EntityKey::Account(open.account), open.operator);
    web.parts.core.call(Command::OpenAccount(open)).await?;
    let catalog = web.catalog(operator).ok_or(Refusal::NoSuchOperator)?;
    let deadline = tokio::time::Instant::now() + limits::OPEN_TIME_MAX;
    loop {
        if let Some(Entity::Account(account)) = web.parts.core.read(key).await? {
            return Ok((
                StatusCode::CREATED,
                Json(Balance::of(&account, catalog, web.now())),
            ));
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(Fault::OutcomeUnknown.into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What to change; what is left out stays.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubscriberChange {
    /// Language of messages: en, ur or zh.
    #[serde(default)]
    pub language: Option<String>,
    /// Tax class: standard, listed-non-filer or exempt.
    #[serde(default)]
    pub tax_class: Option<String>,
    /// active, suspended or closed.
    #[serde(default)]
    pub state: Option<String>,
}

/// Change a subscriber
#[utoipa::path(patch, path = "/v1/subscribers/{msisdn}", tag = "subscribers", request_body = SubscriberChange,
    params(("msisdn" = String, Path, description = "The number")), responses((status = 200, body = Balance)))]
pub async fn change(
    State(web): State<Web>,
    caller: Caller,
    Path(typed): Path<String>,
    Json(change): Json<SubscriberChange>,
) -> Result<Json<Balance>, Problem> {
    caller.require(Scopes::SUBSCRIBERS)?;
    let (account, catalog) = account_at(&web, &caller, &typed).await?;
    let states = [LifeCycle::Active, LifeCycle::Suspended, LifeCycle::Closed];
    let update = UpdateAccount {
        account: account.id,
        language: change.language.as_deref().map(language_of).transpose()?,
        tax_class: match &change.tax_class {
            Some(name) => {
                let class = TaxClass::from_name(name);
                Some(class.ok_or_else(|| Problem::field(Fault::BadField, "tax_class"))?)
            }
            None => None,
        },
        state: match &change.state {
            Some(name) => {
                let state = states.into_iter().find(|state| state.name() == name);
                Some(state.ok_or_else(|| Problem::field(Fault::BadField, "state"))?)
            }
            None => None,
        },
    };
    web.parts.core.call(Command::UpdateAccount(update)).await?;
    let (account, _) = account_at(&web, &caller, &typed).await?;
    Ok(Json(Balance::of(&account, catalog, web.now())))
}

/// Which operator serves a number.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NumberOperator {
    /// The operator's code.
    pub operator: String,
}

/// Record that a number is served by another operator
///
/// Number portability: overrides the number range. A number with an account here stays where it is.
#[utoipa::path(put, path = "/v1/numbers/{msisdn}/operator", tag = "subscribers", request_body = NumberOperator,
    params(("msisdn" = String, Path, description = "The number")), responses((status = 204)))]
pub async fn set_operator(
    State(web): State<Web>,
    caller: Caller,
    Path(typed): Path<String>,
    Json(to): Json<NumberOperator>,
) -> Result<StatusCode, Problem> {
    caller.require(Scopes::SUBSCRIBERS)?;
    let msisdn = number::parse(&typed, web.catalogs());
    let msisdn = msisdn.ok_or_else(|| Problem::field(Fault::BadNumber, "msisdn"))?;
    let catalog = web
        .catalogs()
        .by_code(&to.operator)
        .ok_or(Refusal::NoSuchOperator)?;
    let operator = catalog.operator;
    web.parts
        .core
        .call(Command::SetNumberOperator { msisdn, operator })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
