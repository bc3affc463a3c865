//! Quotes: what a recharge would do, before anybody pays.
//!
//! A quote is not stored. Its id carries its expiry and a keyed digest of the request and the price; a top-up that refers
//! to it computes the price again and compares. Every node with the same secret can do that, also after a restart.

use super::auth::{Caller, same_bytes};
use super::json::{Decimal, Json, Moment};
use super::lookup::{OperatorName, Recipient, find};
use super::topups::Commission;
use crate::limits;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use charge::catalog::{Catalog, Language};
use charge::decide::{self, Quote, Terms};
use charge::partner::Scopes;
use charge::promotion::{ChannelClass, Earned, EarnedLot, campaign_code};
use charge::reply::RechargeOutcome;
use charge::tax::RegionCode;
use charge::time::SECOND;
use charge::{AccountId, Code, Entity, EntityKey, Money, Msisdn, PartnerId, Refusal, Timestamp};
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
    /// What the payer pays; or `bundle`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Decimal>,
    /// Code of a bundle: the amount is then what must be paid so that the credit buys it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
    /// Campaign code that the payer typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<String>,
    /// Kind of channel: shop, kiosk, atm, web, app, wallet, bank, card, ussd, sms or voucher.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
}

/// A promotion of a recharge.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PromotionLine {
    /// Its code.
    pub code: String,
    /// `offered` (while funds last), `given`, `pending` (on its way) or `not-funded` (the funds are used up).
    pub status: String,
    /// What it brings.
    pub lots: Vec<PromotionLot>,
}

/// A lot that a promotion brings.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PromotionLot {
    /// money, octets, seconds or messages.
    pub unit: String,
    /// How much; money in millionths of the currency's unit.
    pub amount: i64,
    /// When it ends.
    pub expires_at: Option<Moment>,
}

impl PromotionLine {
    /// What was earned.
    pub fn of(earned: &Earned) -> PromotionLine {
        let lot = |lot: &EarnedLot| PromotionLot {
            unit: lot.unit.name().to_owned(),
            amount: lot.amount.0,
            expires_at: Moment::unless_never(lot.expires_at),
        };
        PromotionLine {
            code: earned.promotion.to_string(),
            status: earned.status.name().to_owned(),
            lots: earned.lots.iter().map(lot).collect(),
        }
    }
}

/// What promotions ask of a sale beside its amount.
#[derive(Clone, Copy, Debug, Default)]
pub struct Occasion {
    /// The partner's channel code.
    pub channel: Code,
    /// Its kind.
    pub class: ChannelClass,
    /// The campaign code that was typed; empty: none.
    pub campaign: Code,
}

impl Occasion {
    /// Reads what a client sent.
    ///
    /// # Errors
    /// [`Fault::BadField`] for a code or a channel that cannot be one.
    pub fn read(channel: Code, campaign: Option<&str>, class: Option<&str>) -> Result<Occasion, Problem> {
        let campaign = match campaign.map(str::trim).filter(|typed| !typed.is_empty()) {
            Some(typed) => campaign_code(typed).ok_or_else(|| Problem::field(Fault::BadField, "campaign"))?,
            None => Code::EMPTY,
        };
        let class = match class {
            Some(name) => {
                ChannelClass::from_name(name).ok_or_else(|| Problem::field(Fault::BadField, "channel"))?
            }
            None => ChannelClass::Unknown,
        };
        Ok(Occasion {
            channel,
            class,
            campaign,
        })
    }
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
    /// First promotion that it earns.
    pub promotion: Option<String>,
    /// Every promotion that it earns, with what it brings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub promotions: Vec<PromotionLine>,
}

impl Price {
    /// Of a recharge that was made.
    pub fn of_outcome(catalog: &Catalog, outcome: &RechargeOutcome) -> Price {
        Price::of(
            catalog,
            (outcome.gross, outcome.fee, outcome.credited),
            (outcome.tax, outcome.tax_rate),
            None,
            (outcome.promotion, &outcome.earned),
        )
    }

    /// From what the core computed.
    pub fn of(
        catalog: &Catalog,
        (gross, fee, credited): (Money, Money, Money),
        (tax, rate): (Money, charge::tax::Rate),
        region: Option<RegionCode>,
        (promotion, earned): (Code, &[Earned]),
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
            promotions: earned.iter().map(PromotionLine::of).collect(),
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
    /// The balance would be valid until then; left out when another operator decides it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Moment>,
    /// True: another operator credits the number. It is handed `net_credit`, and takes its own tax and fee from that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub elsewhere: bool,
    /// What the partner would earn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commission: Option<Commission>,
}

/// For whom a price is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payee {
    /// An account.
    Account(AccountId),
    /// A number that another operator credits.
    Elsewhere,
    /// Nobody: a rehearsal.
    Rehearsal,
}

impl Payee {
    /// Of a sale.
    pub fn of(account: AccountId, connector: Code, test: bool) -> Payee {
        match (test, connector.is_empty()) {
            (true, _) => Payee::Rehearsal,
            (false, true) => Payee::Account(account),
            (false, false) => Payee::Elsewhere,
        }
    }
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
    let Recipient {
        account,
        catalog,
        connector,
    } = found.recipient(&web, caller.test)?;
    caller.may_see(catalog.operator)?;
    let now = web.now();
    let (campaign, class) = (request.campaign.as_deref(), request.channel.as_deref());
    let occasion = Occasion::read(caller.partner.code, campaign, class)?;
    let gross = match (request.amount, &request.bundle) {
        (Some(amount), None) => amount.0,
        (None, Some(bundle)) if connector.is_empty() && !caller.test => {
            let offer = Code::new(bundle).ok_or(Refusal::NoSuchOffer)?;
            crate::chain::sale::bundle_gross(&web, account, catalog, offer).await?
        }
        _ => return Err(Problem::field(Fault::BadField, "amount").hint("either amount or bundle")),
    };
    let sale = (gross, occasion);
    let payee = Payee::of(account, connector, caller.test);
    let quote = current(&web, payee, catalog, sale, now).await?;
    let rule = web.terms(caller.partner.id, caller.test).await?.commission;
    let expires_at = Timestamp(now.seconds() * SECOND).plus(limits::QUOTE_S * SECOND);
    let signed = Signed {
        partner: caller.partner.id,
        msisdn: found.msisdn,
        expires_at,
    };
    let mut price = Price::of(
        catalog,
        (quote.gross, quote.fee, quote.credited),
        (quote.tax, quote.tax_rate),
        Some(quote.region),
        (quote.promotion, &quote.earned),
    );
    let elsewhere = payee == Payee::Elsewhere;
    if elsewhere {
        price.tax.clear();
    }
    Ok(Json(QuoteAnswer {
        id: signed.id(&web.parts.secret, &quote),
        expires_at: Moment(expires_at),
        msisdn: found.msisdn.to_string(),
        operator: OperatorName::of(catalog),
        price,
        valid_until: (!elsewhere).then_some(Moment(quote.valid_until)),
        elsewhere,
        commission: Commission::of(rule.on(quote.gross), rule.kind),
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
    (payee, catalog): (Payee, &Catalog),
    sale: (Money, Occasion),
) -> Result<(), Problem> {
    let now = web.now();
    let expires_at = expiry_of(id).ok_or_else(|| Problem::field(Fault::QuoteInvalid, "quote"))?;
    if expires_at <= now || expires_at > now.plus((limits::QUOTE_S + 60) * SECOND) {
        return Err(Problem::field(Fault::QuoteInvalid, "quote"));
    }
    let quote = current(web, payee, catalog, sale, now).await?;
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
    payee: Payee,
    catalog: &Catalog,
    (gross, occasion): (Money, Occasion),
    now: Timestamp,
) -> Result<Quote, Problem> {
    let account = match payee {
        Payee::Account(account) => account,
        Payee::Rehearsal => return Ok(decide::quote_rehearsal(catalog, gross, now)?),
        Payee::Elsewhere => {
            return Ok(Quote {
                tax: Money::ZERO,
                credited: gross,
                ..decide::quote_rehearsal(catalog, gross, now)?
            });
        }
    };
    let entity = web.parts.core.read(EntityKey::Account(account)).await?;
    let account = entity
        .as_ref()
        .and_then(Entity::account)
        .ok_or(Fault::NoSubscriber)?;
    let terms = Terms {
        gross,
        region: RegionCode::EMPTY,
        channel: occasion.channel,
        class: occasion.class,
        campaign: occasion.campaign,
    };
    Ok(decide::quote_for(account, catalog, &terms, now)?)
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
        let earned = quote.earned.iter().map(|earned| earned.promotion);
        for code in [quote.region].into_iter().chain(earned) {
            mac.update(&[u8::try_from(code.as_str().len()).unwrap_or(0)]);
            mac.update(code.as_str().as_bytes());
        }
        // Not when they end: that moves with the time of the payment.
        for lot in quote.earned.iter().flat_map(|earned| &earned.lots) {
            mac.update(&[lot.unit as u8]);
            mac.update(&lot.amount.0.to_be_bytes());
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
