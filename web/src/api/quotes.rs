//! Quotes: what a recharge would do, before anybody pays.
//!
//! A quote is not stored. Its id carries its expiry and a keyed digest of the request and the price; a top-up that refers
//! to it computes the price again and compares. Every node with the same secret can do that, also after a restart.

use super::auth::{Caller, same_bytes};
use super::json::{Decimal, Json, Moment};
use super::lookup::{OperatorName, find};
use crate::limits;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use charge::catalog::{Catalog, Language};
use charge::decide::{self, Quote};
use charge::partner::Scopes;
use charge::tax::RegionCode;
use charge::time::SECOND;
use charge::{Code, Entity, EntityKey, Money, Msisdn, PartnerId, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use utoipa::ToSchema;

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuoteRequest {
    /// The number to recharge.
    pub msisdn: String,
    /// What the payer pays.
    pub amount: Decimal,
}

/// A tax in a price.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TaxLine {
    /// Its name, in English.
    pub name: String,
    /// Its rate in percent.
    pub rate: String,
    /// How it is computed: `inclusive` is amount x rate / (100 + rate).
    pub calculation: String,
    /// How much.
    pub amount: Decimal,
    /// The region whose rate it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

/// The price of a recharge.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Price {
    /// The payer pays.
    pub gross: Decimal,
    /// Taxes taken from it.
    pub tax: Vec<TaxLine>,
    /// Fee taken from it.
    pub fee: Decimal,
    /// Added to the balance.
    pub net_credit: Decimal,
    /// ISO 4217.
    pub currency: String,
    /// Promotion that it earns.
    pub promotion: Option<String>,
}

impl Price {
    /// From what the core computed.
    pub fn of(
        catalog: &Catalog,
        (gross, fee, credited): (Money, Money, Money),
        (tax, rate): (Money, charge::tax::Rate),
        region: Option<RegionCode>,
        promotion: Code,
    ) -> Price {
        let name = catalog.tax.recharge_name.get(Language::En).to_owned();
        Price {
            gross: Decimal(gross),
            tax: vec![TaxLine {
                name,
                rate: rate.percent(),
                calculation: "inclusive".to_owned(),
                amount: Decimal(tax),
                region: region.map(|code| code.to_string()),
            }],
            fee: Decimal(fee),
            net_credit: Decimal(credited),
            currency: catalog.currency.clone(),
            promotion: (!promotion.is_empty()).then(|| promotion.to_string()),
        }
    }
}

/// A quote.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct QuoteAnswer {
    /// To refer to it in a top-up.
    pub id: String,
    /// It can be used until then.
    pub expires_at: Moment,
    /// The number.
    pub msisdn: String,
    /// Its operator.
    pub operator: OperatorName,
    /// The price.
    #[serde(flatten)]
    pub price: Price,
    /// The balance would be valid until then.
    pub valid_until: Moment,
}

/// Ask what a recharge would bring
#[utoipa::path(post, path = "/v1/quotes", tag = "recharge", request_body = QuoteRequest,
    responses((status = 200, body = QuoteAnswer)))]
pub async fn create(
    State(web): State<Web>,
    caller: Caller,
    Json(request): Json<QuoteRequest>,
) -> Result<Json<QuoteAnswer>, Problem> {
    caller.require(Scopes::TOP_UP)?;
    let found = find(&web, &request.msisdn).await?;
    let (account, catalog) = found.subscriber()?;
    caller.may_see(catalog.operator)?;
    let now = web.now();
    let quote = current(&web, EntityKey::Account(account), catalog, request.amount.0, now).await?;
    let expires_at = Timestamp(now.seconds() * SECOND).plus(limits::QUOTE_S * SECOND);
    let signed = Signed {
        partner: caller.partner.id,
        msisdn: found.msisdn,
        expires_at,
    };
    Ok(Json(QuoteAnswer {
        id: signed.id(&web.parts.secret, &quote),
        expires_at: Moment(expires_at),
        msisdn: found.msisdn.to_string(),
        operator: OperatorName::of(catalog),
        price: Price::of(
            catalog,
            (quote.gross, quote.fee, quote.credited),
            (quote.tax, quote.tax_rate),
            Some(quote.region),
            quote.promotion,
        ),
        valid_until: Moment(quote.valid_until),
    }))
}

/// Checks that a quote is ours, of this request, not too old, and still the price.
///
/// # Errors
/// [`Fault::QuoteInvalid`] or [`Fault::QuoteChanged`].
pub async fn check(
    web: &Web,
    id: &str,
    (partner, msisdn): (PartnerId, Msisdn),
    (account, catalog): (EntityKey, &Catalog),
    gross: Money,
) -> Result<(), Problem> {
    let now = web.now();
    let expires_at = expiry_of(id).ok_or_else(|| Problem::field(Fault::QuoteInvalid, "quote"))?;
    if expires_at <= now || expires_at > now.plus((limits::QUOTE_S + 60) * SECOND) {
        return Err(Problem::field(Fault::QuoteInvalid, "quote"));
    }
    let quote = current(web, account, catalog, gross, now).await?;
    let signed = Signed {
        partner,
        msisdn,
        expires_at,
    };
    if same_bytes(signed.id(&web.parts.secret, &quote).as_bytes(), id.as_bytes()) {
        Ok(())
    } else {
        Err(Problem::field(Fault::QuoteChanged, "quote"))
    }
}

async fn current(
    web: &Web,
    key: EntityKey,
    catalog: &Catalog,
    gross: Money,
    now: Timestamp,
) -> Result<Quote, Problem> {
    let entity = web.parts.core.read(key).await?;
    let account = entity
        .as_ref()
        .and_then(Entity::account)
        .ok_or(Fault::NoSubscriber)?;
    Ok(decide::quote(account, catalog, gross, RegionCode::EMPTY, now)?)
}

/// What a quote's id vouches for, beside the price.
struct Signed {
    partner: PartnerId,
    msisdn: Msisdn,
    expires_at: Timestamp,
}

/// Bytes of expiry and digest in an id.
const ID_BYTES: usize = 8 + 16;

impl Signed {
    fn id(&self, secret: &[u8; 32], quote: &Quote) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
        mac.update(b"raseed quote 1");
        let amounts = [quote.gross, quote.tax, quote.fee, quote.credited];
        for number in [i64::from(self.partner.0), self.expires_at.0]
            .into_iter()
            .chain(amounts.map(Money::micros))
        {
            mac.update(&number.to_be_bytes());
        }
        mac.update(&self.msisdn.number().to_be_bytes());
        for code in [quote.promotion, quote.region] {
            mac.update(&[u8::try_from(code.as_str().len()).unwrap_or(0)]);
            mac.update(code.as_str().as_bytes());
        }
        let mut bytes = [0; ID_BYTES];
        bytes[..8].copy_from_slice(&self.expires_at.0.to_be_bytes());
        bytes[8..].copy_from_slice(&mac.finalize().into_bytes()[..16]);
        format!("q_{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

fn expiry_of(id: &str) -> Option<Timestamp> {
    let bytes = URL_SAFE_NO_PAD.decode(id.strip_prefix("q_")?).ok()?;
    let bytes: [u8; ID_BYTES] = bytes.try_into().ok()?;
    let expiry = bytes.first_chunk::<8>()?;
    Some(Timestamp(i64::from_be_bytes(*expiry)))
}
