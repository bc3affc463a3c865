//! Selling: the one function behind every channel.

use super::pin;
use crate::api::lookup::find;
use crate::api::topups::{self, Sale, settled};
use crate::limits;
use crate::problem::{Fault, Problem};
use crate::state::Web;
use charge::catalog::Catalog;
use charge::command::{Buy, TopUpRequest};
use charge::ids::digest128;
use charge::money::Rounding;
use charge::partner::{TopUp, TopUpState};
use charge::promotion::ChannelClass;
use charge::reply::BoughtReply;
use charge::seller::{Again, Device, Seller, SoldBy};
use charge::tax::RegionCode;
use charge::{Account, Code, Command, Entity, EntityKey, Money, PartnerId, Refusal, Reply, SourceId};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// What is sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goods {
    /// A recharge of this gross amount.
    Amount(Money),
    /// A bundle: the recharge that pays for it, and then the bundle.
    Bundle(Code),
    /// A recharge of what somebody has paid already, and then a bundle from it: the rest stays in the balance.
    PaidBundle(Money, Code),
}

impl Goods {
    /// The bundle; empty: none.
    pub fn bundle(self) -> Code {
        match self {
            Goods::Amount(_) => Code::EMPTY,
            Goods::Bundle(offer) | Goods::PaidBundle(_, offer) => offer,
        }
    }
}

/// A sale as a channel asks for it.
#[derive(Clone, Copy, Debug)]
pub struct SaleAsked<'a> {
    /// Kind of channel.
    pub class: ChannelClass,
    /// Who sells.
    pub seller: PartnerId,
    /// Who works there and sells; `None`: the seller's own API key.
    pub staff: Option<&'a str>,
    /// The PIN, when it comes with the sale.
    pub pin: Option<&'a str>,
    /// Secret (or IMEI) of the device that it comes from, when the channel knows one.
    pub device: Option<&'a str>,
    /// The number to recharge, as typed.
    pub number: &'a str,
    /// What.
    pub goods: Goods,
    /// Whether a sale like one of the last two minutes is meant.
    pub again: Again,
    /// The channel's reference, unique for ever for this seller: repeating it sells nothing twice. At most 64 bytes.
    pub reference: &'a str,
    /// How long to wait for the end.
    pub wait: Duration,
}

/// A sale that was accepted.
#[derive(Clone, Debug)]
pub struct Sold {
    /// The top-up, as far as it got while waiting.
    pub top_up: Box<TopUp>,
    /// It was made before under this reference.
    pub replayed: bool,
    /// The bundle that was bought with it, when one was asked and the money had arrived; or why it could not be bought: the
    /// money is in the balance then.
    pub bundle: Option<Result<BoughtReply, Refusal>>,
}

/// Digest of a device's secret or IMEI: what a seller keeps of it.
pub fn device_hash(secret: &str) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(b"raseed device");
    hasher.update(secret.as_bytes());
    hasher.finalize().into()
}

/// Sells. Guards, in this order: number, place and people, PIN, limits, repetition within two minutes, float.
///
/// # Errors
/// [`Problem`] with a stable code; nothing has moved, except that a wrong PIN was counted.
pub async fn sell(web: &Web, asked: &SaleAsked<'_>) -> Result<Sold, Problem> {
    let seller = super::existing(web, asked.seller).await?;
    let partner = web
        .partner(asked.seller)
        .await?
        .ok_or(Refusal::PartnerNotActive)?;
    seller.check_open()?;
    crate::api::json::short_text(asked.reference, "reference", limits::EXTERNAL_ID_BYTES_MAX)?;
    let found = find(web, asked.number).await?;
    let (account, catalog) = found.subscriber()?;
    let staff = match asked.staff {
        Some(text) => Code::new(text).ok_or(Refusal::NoSuchStaff)?,
        None => Code::EMPTY,
    };
    let gross = match asked.goods {
        Goods::Amount(gross) | Goods::PaidBundle(gross, _) => gross,
        Goods::Bundle(offer) => {
            // A repetition costs what it cost the first time.
            let key = EntityKey::TopUp(partner.id, TopUpRequest::digest_of(asked.reference, false));
            match web.parts.core.read(key).await? {
                Some(Entity::TopUp(known)) => known.gross,
                _ => bundle_gross(web, account, catalog, offer).await?,
            }
        }
    };
    let mut by = SoldBy {
        staff,
        pin: false,
        device: device_of(&seller, asked.device)?,
        again: asked.again,
        bundle: asked.goods.bundle(),
    };
    let sale = |by: SoldBy| Sale {
        partner: partner.id,
        channel: partner.code,
        external_id: asked.reference,
        idempotency_key: digest128("idempotency", &[asked.reference.as_bytes()]),
        msisdn: found.msisdn,
        account,
        operator: catalog.operator,
        gross,
        campaign: Code::EMPTY,
        class: asked.class,
        callback_url: "",
        test: false,
        connector: Code::EMPTY,
        by,
    };
    let _guard = web.in_flight.begin(partner.id, sale(by).idempotency_key)?;
    let (top_up, replayed) = match asked.pin.filter(|_| !staff.is_empty()) {
        Some(typed) => {
            let _turn = web.pins.enter(asked.seller, staff).await;
            pin::verify(web, asked.seller, staff, typed).await?;
            by.pin = true;
            let sold = topups::sell(web, &sale(by), None, asked.again).await;
            // A sale that was made with the PIN has forgotten the wrong tries itself.
            if !matches!(sold, Ok((_, false))) {
                pin::was_right(web, asked.seller, staff).await?;
            }
            sold?
        }
        None => topups::sell(web, &sale(by), None, asked.again).await?,
    };
    let end = settled(web, sale(by).key(), asked.wait).await?;
    let top_up = end.unwrap_or(top_up);
    let bundle = match asked.goods {
        Goods::Bundle(offer) | Goods::PaidBundle(_, offer) if top_up.state == TopUpState::Completed => {
            Some(buy(web, &top_up, offer).await?)
        }
        _ => None,
    };
    Ok(Sold {
        top_up,
        replayed,
        bundle,
    })
}

/// The bound device of a secret; empty when none was shown.
fn device_of(seller: &Seller, secret: Option<&str>) -> Result<Code, Problem> {
    let Some(secret) = secret else {
        return Ok(Code::EMPTY);
    };
    let hash = device_hash(secret);
    let same = |device: &&Device| crate::api::auth::same_bytes(&device.hash, &hash);
    let found = seller.devices.iter().find(same);
    Ok(found.map(|device| device.code).ok_or(Refusal::DeviceUnknown)?)
}

/// What must be paid so that the credit buys a bundle: its price with the tax of the recharge on top, rounded up to a
/// hundredth, and at least what the operator takes.
///
/// # Errors
/// [`Refusal::NoSuchOffer`], and what the quote refuses.
pub async fn bundle_gross(
    web: &Web,
    account: charge::AccountId,
    catalog: &Catalog,
    offer: Code,
) -> Result<Money, Problem> {
    let offer = catalog.offer(offer.as_str()).ok_or(Refusal::NoSuchOffer)?;
    let account = account_of(web, account).await?;
    let now = web.now();
    let price = charge::decide::price_for(&account, catalog, offer, now).gross;
    let mut gross = price.max(catalog.recharge.minimum);
    // The tax depends on the amount, and the amount on the tax: a few steps meet.
    for _ in 0..BUNDLE_STEPS_MAX {
        let quote = charge::decide::quote(&account, catalog, gross, RegionCode::EMPTY, now)?;
        if quote.credited >= price {
            return Ok(gross);
        }
        let missing = (price - quote.credited).max(Money(CENT));
        let cents = Rounding::Up.divide(i128::from((gross + missing).0), i128::from(CENT));
        gross = Money(i64::try_from(cents).unwrap_or(0).saturating_mul(CENT));
    }
    Err(Refusal::AmountTooLarge.into())
}

/// A hundredth of the currency's unit.
const CENT: i64 = charge::money::MICROS / 100;
/// Steps to the gross amount of a bundle: each leaves the tax's share of what was missing.
const BUNDLE_STEPS_MAX: usize = 64;

async fn account_of(web: &Web, id: charge::AccountId) -> Result<Box<Account>, Problem> {
    match web.parts.core.read(EntityKey::Account(id)).await? {
        Some(Entity::Account(account)) => Ok(account),
        _ => Err(Fault::NoSubscriber.into()),
    }
}

/// Buys the bundle of a sale, once: its id is that of the top-up.
async fn buy(web: &Web, top_up: &TopUp, offer: Code) -> Result<Result<BoughtReply, Refusal>, Problem> {
    let command = Command::Buy(Buy {
        account: top_up.account,
        offer,
        source: SourceId::of_reference("seller/bundle", &format!("{:032x}", top_up.id)),
        renew: false,
        at_most: None,
    });
    match web.parts.core.call(command).await {
        Ok(Reply::Bought(bought)) => Ok(Ok(bought)),
        Ok(_) => Err(Fault::Internal.into()),
        Err(crate::core::CoreError::Refused(refusal)) => Ok(Err(refusal)),
        Err(error) => Err(error.into()),
    }
}
