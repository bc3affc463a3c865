//! Subscribers: balance, changes.

use super::auth::Caller;
use super::json::{Decimal, Json, Moment};
use super::lookup::{OperatorName, find};
use crate::problem::{Fault, Problem};
use crate::state::Web;
use axum::extract::{Path, State};
use charge::account::{Account, Lot};
use charge::catalog::{Catalog, Scope};
use charge::partner::Scopes;
use charge::unit::Service;
use charge::{Entity, EntityKey, Money, Timestamp, Unit};
use serde::{Deserialize, Serialize};
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
    pub fn of(account: &Account, catalog: &Catalog, msisdn: String, now: Timestamp) -> Balance {
        let main = |lot: &&Lot| lot.is_main() && lot.expires_at > now;
        let main_lots = account.lots.iter().filter(main);
        let sessions = account.sessions.iter().filter(|session| !session.closed).count();
        Balance {
            msisdn,
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
    fn of(lot: &Lot) -> BucketAnswer {
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
/// [`Fault::BadNumber`], [`Fault::NoSubscriber`], or what the core says.
pub async fn account_at<'a>(web: &'a Web, typed: &str) -> Result<(Box<Account>, &'a Catalog), Problem> {
    let found = find(web, typed).await?;
    let (id, catalog) = found.subscriber()?;
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
    let (account, catalog) = account_at(&web, &typed).await?;
    let msisdn = account.msisdn.to_string();
    Ok(Json(Balance::of(&account, catalog, msisdn, web.now())))
}
