//! Bundles: for sale, owned, bought, renewed.

use super::auth::Caller;
use super::json::{Decimal, Json, Moment};
use super::lookup::OperatorName;
use super::once::idempotency_key;
use super::subscribers::{BucketAnswer, account_at, buckets, scope_words};
use crate::problem::{Fault, Problem};
use crate::router::Speaks;
use crate::state::Web;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use charge::catalog::{Catalog, Language, Offer, Period, Validity, Weight};
use charge::command::Buy;
use charge::ids::digest128;
use charge::partner::Scopes;
use charge::reply::BoughtReply;
use charge::tax::TaxedPrice;
use charge::{Account, Code, Command, Refusal, Reply, SourceId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An operator with its bundles for sale.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BundleList {
    /// The operator.
    pub operator: OperatorName,
    /// ISO 4217.
    pub currency: String,
    /// Of which day the prices are.
    pub as_of: String,
    /// The bundles.
    pub bundles: Vec<BundleAnswer>,
}

/// A bundle for sale.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BundleAnswer {
    /// Name in requests.
    pub code: String,
    /// Name for people, in the language of the request.
    pub name: String,
    /// Taken from the balance, tax included, in the operator's default region.
    pub price: Decimal,
    /// The tax in it.
    pub tax: Decimal,
    /// daily, weekly, monthly or one-off.
    pub period: String,
    /// light or heavy.
    pub weight: String,
    /// How long it lives: `P7D` calendar days including today, or `PT24H`.
    pub validity: String,
    /// What it holds.
    pub buckets: Vec<GrantAnswer>,
    /// Can be set to renew by itself; never does unless asked.
    pub renewable: bool,
    /// Times it may be bought on one day; none: no limit.
    pub per_day: Option<u8>,
    /// Code to dial.
    pub dial: Option<String>,
    /// Source and date.
    pub as_of: String,
    /// True when something in it is invented for the demonstration.
    pub synthetic: bool,
}

/// What a bundle holds.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct GrantAnswer {
    /// money (micro-units), octets, seconds or messages.
    pub unit: String,
    /// How much.
    pub amount: i64,
    /// What it can be used for.
    pub scope: String,
}

/// The price of an offer for an account, or for nobody in particular.
pub fn price_for(offer: &Offer, catalog: &Catalog, account: Option<&Account>) -> TaxedPrice {
    let region = account
        .map(|account| account.region)
        .filter(|region| !region.is_empty());
    let rate = catalog
        .tax
        .region(region.unwrap_or(catalog.tax.default_region))
        .usage;
    TaxedPrice::of(offer.price, offer.tax, rate, catalog.tax.usage_rounding)
}

/// Name of a period in API and sentences.
pub fn period_name(period: Period) -> &'static str {
    match period {
        Period::Daily => "daily",
        Period::Weekly => "weekly",
        Period::Monthly => "monthly",
        Period::OneOff => "one-off",
    }
}

impl BundleAnswer {
    fn of(offer: &Offer, catalog: &Catalog, language: Language) -> BundleAnswer {
        let price = price_for(offer, catalog, None);
        let grant = |grant: &charge::catalog::BucketGrant| GrantAnswer {
            unit: grant.unit.name().to_owned(),
            amount: grant.amount.0,
            scope: scope_words(&grant.scope, grant.unit),
        };
        BundleAnswer {
            code: offer.code.to_string(),
            name: offer.name.get(language).to_owned(),
            price: Decimal(price.gross),
            tax: Decimal(price.tax),
            period: period_name(offer.period).to_owned(),
            weight: match offer.weight {
                Weight::Light => "light",
                Weight::Heavy => "heavy",
            }
            .to_owned(),
            validity: match offer.validity {
                Validity::CalendarDays(days) => format!("P{days}D"),
                Validity::Hours(hours) => format!("PT{hours}H"),
            },
            buckets: offer.buckets.iter().map(grant).collect(),
            renewable: offer.renewable,
            per_day: (offer.per_day > 0).then_some(offer.per_day),
            dial: (!offer.dial.is_empty()).then(|| offer.dial.clone()),
            as_of: offer.as_of.clone(),
            synthetic: offer.synthetic,
        }
    }
}

/// See the bundles that an operator sells
#[utoipa::path(get, path = "/v1/operators/{code}/bundles", tag = "bundles",
    params(("code" = String, Path, description = "For example jazz")), responses((status = 200, body = BundleList)))]
pub async fn for_sale(
    State(web): State<Web>,
    _caller: Caller,
    Extension(Speaks(language)): Extension<Speaks>,
    Path(code): Path<String>,
) -> Result<Json<BundleList>, Problem> {
    let catalog = web.catalogs().by_code(&code).ok_or(Refusal::NoSuchOperator)?;
    let offers = catalog.offers.iter().filter(|offer| offer.for_sale);
    Ok(Json(BundleList {
        operator: OperatorName::of(catalog),
        currency: catalog.currency.clone(),
        as_of: catalog.as_of.clone(),
        bundles: offers
            .map(|offer| BundleAnswer::of(offer, catalog, language))
            .collect(),
    }))
}

/// Bundles that a subscriber holds.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OwnedBundles {
    /// The bundles.
    pub bundles: Vec<OwnedBundle>,
}

/// A bundle that a subscriber holds.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OwnedBundle {
    /// Its code.
    pub code: String,
    /// Name for people, in the language of the request.
    pub name: String,
    /// What is left of it.
    pub buckets: Vec<BucketAnswer>,
    /// It renews by itself at this moment; none: it does not.
    pub renews_at: Option<Moment>,
}

/// See the bundles that a subscriber holds
#[utoipa::path(get, path = "/v1/subscribers/{msisdn}/bundles", tag = "bundles",
    params(("msisdn" = String, Path, description = "The number")), responses((status = 200, body = OwnedBundles)))]
pub async fn owned(
    State(web): State<Web>,
    caller: Caller,
    Extension(Speaks(language)): Extension<Speaks>,
    Path(typed): Path<String>,
) -> Result<Json<OwnedBundles>, Problem> {
    caller.require(Scopes::READ)?;
    let (account, catalog) = account_at(&web, &caller, &typed).await?;
    let mut bundles: Vec<OwnedBundle> = Vec::new();
    for lot in buckets(&account, web.now()) {
        let code = lot.source.to_string();
        let bucket = BucketAnswer::of(lot);
        if let Some(bundle) = bundles.iter_mut().find(|bundle| bundle.code == code) {
            bundle.buckets.push(bucket);
            continue;
        }
        let renewal = account
            .renewals
            .iter()
            .find(|renewal| renewal.offer == lot.source);
        bundles.push(OwnedBundle {
            name: name_of(lot.source, catalog, language),
            code,
            buckets: vec![bucket],
            renews_at: renewal.map(|renewal| Moment(renewal.due_at)),
        });
    }
    Ok(Json(OwnedBundles { bundles }))
}

/// Name for people of an offer or promotion; its code when the catalog does not know it any more.
pub fn name_of(code: Code, catalog: &Catalog, language: Language) -> String {
    let offer = catalog.offer(code.as_str()).map(|offer| &offer.name);
    let promotion = || {
        catalog
            .promotions
            .iter()
            .find(|p| p.code == code)
            .map(|p| &p.name)
    };
    offer
        .or_else(promotion)
        .map_or_else(|| code.to_string(), |name| name.get(language).to_owned())
}

/// What to buy.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Purchase {
    /// The bundle's code.
    pub bundle: String,
    /// True: renew it by itself when it ends.
    #[serde(default)]
    pub renew: bool,
}

/// What was bought.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Purchased {
    /// The bundle's code.
    pub bundle: String,
    /// Taken from the balance.
    pub price: Decimal,
    /// The tax in it.
    pub tax: Decimal,
    /// Ends then.
    pub expires_at: Moment,
    /// Main balance after it.
    pub balance: Decimal,
    /// What it brought.
    pub buckets: Vec<PurchasedBucket>,
}

/// A bucket that a purchase brought.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PurchasedBucket {
    /// money (micro-units), octets, seconds or messages.
    pub unit: String,
    /// How much.
    pub amount: i64,
}

impl Purchased {
    pub(super) fn of(bought: &BoughtReply) -> Purchased {
        let bucket = |(unit, amount): &(charge::Unit, charge::unit::Amount)| PurchasedBucket {
            unit: unit.name().to_owned(),
            amount: amount.0,
        };
        Purchased {
            bundle: bought.offer.to_string(),
            price: Decimal(bought.price),
            tax: Decimal(bought.tax),
            expires_at: Moment(bought.expires_at),
            balance: Decimal(bought.balance),
            buckets: bought.buckets.iter().map(bucket).collect(),
        }
    }
}

/// Buy a bundle for a subscriber
#[utoipa::path(post, path = "/v1/subscribers/{msisdn}/bundles", tag = "bundles", request_body = Purchase,
    params(("msisdn" = String, Path, description = "The number"),
        ("Idempotency-Key" = String, Header, description = "1 to 255 visible characters, new for each purchase")),
    responses((status = 201, body = Purchased)))]
pub async fn buy(
    State(web): State<Web>,
    caller: Caller,
    Path(typed): Path<String>,
    headers: HeaderMap,
    Json(purchase): Json<Purchase>,
) -> Result<(StatusCode, Json<Purchased>), Problem> {
    caller.require(Scopes::PURCHASE)?;
    let key = idempotency_key(&headers)?;
    let (account, _) = account_at(&web, &caller, &typed).await?;
    let _guard = web
        .in_flight
        .begin(caller.partner.id, digest128("purchase", &[key.as_bytes()]))?;
    let party = format!("partner/{}/purchase", caller.partner.id.0);
    let command = Command::Buy(Buy {
        account: account.id,
        offer: Code::new(&purchase.bundle).ok_or(Refusal::NoSuchOffer)?,
        source: SourceId::of_reference(&party, key),
        renew: purchase.renew,
        at_most: None,
    });
    match web.parts.core.call(command).await? {
        Reply::Bought(bought) => Ok((StatusCode::CREATED, Json(Purchased::of(&bought)))),
        _ => Err(Fault::Internal.into()),
    }
}

/// Renewal of a bundle.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewalChange {
    /// True: renew it by itself when it ends. False: stop that.
    pub renew: bool,
}

/// Turn the renewal of a bundle on or off
#[utoipa::path(patch, path = "/v1/subscribers/{msisdn}/bundles/{code}", tag = "bundles", request_body = RenewalChange,
    params(("msisdn" = String, Path, description = "The number"), ("code" = String, Path, description = "The bundle's code")),
    responses((status = 204)))]
pub async fn set_renewal(
    State(web): State<Web>,
    caller: Caller,
    Path((typed, code)): Path<(String, String)>,
    Json(change): Json<RenewalChange>,
) -> Result<StatusCode, Problem> {
    caller.require(Scopes::PURCHASE)?;
    let (account, _) = account_at(&web, &caller, &typed).await?;
    let command = Command::SetRenewal {
        account: account.id,
        offer: Code::new(&code).ok_or(Refusal::NoSuchOffer)?,
        on: change.renew,
    };
    web.parts.core.call(command).await?;
    Ok(StatusCode::NO_CONTENT)
}
