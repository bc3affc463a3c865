//! A sale by a bank and its way back: once, whatever is repeated, late, lost or out of order.
//!
//! A bank's request has a key that is unique for ever. What became of it stays: a sale as its top-up, a refusal or a
//! reversal that came first as [`RefuseTopUp`], so that a copy which arrives late gets the first answer and moves nothing.

use charge::catalog::Catalog;
use charge::command::{Buy, TopUpRequest};
use charge::ids::digest128;
use charge::partner::{TopUp, TopUpState};
use charge::promotion::ChannelClass;
use charge::reversal::{RefuseTopUp, ReversalState, ReverseTopUp};
use charge::seller::SoldBy;
use charge::{Code, Command, Entity, EntityKey, Money, PartnerId, Refusal, Reply, SourceId};
use std::time::Duration;
use web::Web;
use web::api::lookup;
use web::api::topups::{Sale, read_top_up, sell, settled};
use web::core::CoreError;
use web::problem::{Fault, Problem};

/// A sale as a bank asks for it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Whose float.
    pub partner: PartnerId,
    /// Its key on its channel, unique for ever; with the channel's name before it.
    pub key: &'a str,
    /// The number as the payer typed it.
    pub msisdn: &'a str,
    /// What the payer pays.
    pub gross: Money,
    /// Which currency the amount is in, ISO 4217 number.
    pub currency: u16,
    /// Bundle to be bought with it.
    pub offer: Option<&'a str>,
    /// Kind of channel.
    pub class: ChannelClass,
}

impl Asked<'_> {
    fn request(&self) -> Key<'_> {
        Key {
            partner: self.partner,
            key: self.key,
        }
    }
}

/// The name of a sale.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    /// Whose float.
    pub partner: PartnerId,
    /// As [`Asked::key`].
    pub key: &'a str,
}

impl Key<'_> {
    fn external(&self) -> u128 {
        TopUpRequest::digest_of(self.key, false)
    }

    fn idempotency(&self) -> u128 {
        digest128("idempotency/bank", &[self.key.as_bytes()])
    }

    fn top_up(&self) -> EntityKey {
        EntityKey::TopUp(self.partner, self.external())
    }

    fn refuse(&self, reason: u32) -> RefuseTopUp {
        RefuseTopUp {
            partner: self.partner,
            external: self.external(),
            idempotency_key: self.idempotency(),
            reason,
        }
    }
}

/// What became of a sale.
#[derive(Clone, Debug)]
pub enum Told {
    /// Credited.
    Sold {
        /// What was.
        top_up: Box<TopUp>,
        /// It was sold before: this was a repeat.
        again: bool,
    },
    /// Refused for ever, with the stable code of the reason.
    Refused(u32),
    /// It was taken back, before it came or after.
    Reversed,
    /// The key belongs to another request.
    OtherBody,
    /// Nobody knows yet: no answer, so that the bank repeats it or takes it back.
    Unknown,
}

/// Sells. Repeating it gives the same answer.
pub async fn sell_once(web: &Web, asked: &Asked<'_>, wait: Duration) -> Told {
    let key = asked.request();
    let problem = match attempt(web, asked).await {
        Ok((catalog, again)) => return end(web, asked, (catalog, again), wait).await,
        Err(problem) => problem,
    };
    match problem.fault {
        Fault::Refused(Refusal::Conflict | Refusal::ExternalIdUsed) => known(web, key).await,
        // Nothing is said that could turn out wrong.
        Fault::Busy | Fault::OutcomeUnknown | Fault::Internal => Told::Unknown,
        fault => {
            let command = key.refuse(fault.spec().0);
            match web.parts.core.call(Command::RefuseTopUp(command)).await {
                Ok(Reply::Done) => known(web, key).await,
                // A copy of it was sold meanwhile, or before.
                Ok(Reply::TopUpAccepted { .. }) => match settled(web, key.top_up(), wait).await {
                    Ok(Some(top_up)) if same_sale(web, &top_up, asked) => sold(top_up, true),
                    Ok(Some(_)) => Told::OtherBody,
                    _ => Told::Unknown,
                },
                _ => Told::Unknown,
            }
        }
    }
}

/// Checks the request and hands it in; says whether it was known.
async fn attempt<'a>(web: &'a Web, asked: &Asked<'_>) -> Result<(&'a Catalog, bool), Problem> {
    let found = lookup::find(web, asked.msisdn).await?;
    let (account, catalog) = found.subscriber()?;
    if crate::sockets::charging::currency_number(&catalog.currency) != Some(u32::from(asked.currency)) {
        return Err(Fault::BadAmount.into());
    }
    if let Some(offer) = asked.offer
        && catalog.offer(offer).is_none_or(|offer| !offer.for_sale)
    {
        return Err(Refusal::NoSuchOffer.into());
    }
    let partner = web
        .partner(asked.partner)
        .await?
        .ok_or(Refusal::PartnerNotActive)?;
    let key = asked.request();
    let sale = Sale {
        partner: asked.partner,
        channel: partner.code,
        external_id: asked.key,
        idempotency_key: key.idempotency(),
        msisdn: found.msisdn,
        account,
        operator: catalog.operator,
        gross: asked.gross,
        campaign: Code::EMPTY,
        class: asked.class,
        callback_url: "",
        test: false,
        connector: Code::EMPTY,
        by: SoldBy {
            again: true,
            ..SoldBy::default()
        },
    };
    // The bank's key says whether a second identical recharge is meant.
    let (_, again) = sell(web, &sale, None, true).await?;
    Ok((catalog, again))
}

/// Waits for the end, and buys the bundle.
async fn end(web: &Web, asked: &Asked<'_>, (catalog, again): (&Catalog, bool), wait: Duration) -> Told {
    let Ok(Some(top_up)) = settled(web, asked.request().top_up(), wait).await else {
        return Told::Unknown;
    };
    if let Some(offer) = asked.offer.and_then(|offer| catalog.offer(offer))
        && top_up.state == TopUpState::Completed
    {
        let buy = Command::Buy(Buy {
            account: top_up.account,
            offer: offer.code,
            source: SourceId::of_reference("bank/bundle", &format!("{:032x}", top_up.id)),
            renew: false,
            at_most: None,
        });
        match web.parts.core.call(buy).await {
            Ok(_) => {}
            // The credit stays; it can be bought by hand.
            Err(CoreError::Refused(refusal)) => {
                tracing::info!(top_up = format!("{:032x}", top_up.id), %refusal, "the bundle of a bank's sale");
            }
            Err(_) => return Told::Unknown,
        }
    }
    sold(top_up, again)
}

fn sold(top_up: Box<TopUp>, again: bool) -> Told {
    let reversal = top_up.after.reversal.as_ref().map(|reversal| reversal.state);
    if matches!(reversal, Some(ReversalState::Asked | ReversalState::Done)) {
        return Told::Reversed;
    }
    match (top_up.state, top_up.reason) {
        (TopUpState::Declined, reason) => Told::Refused(reason.unwrap_or(Refusal::Declined.code())),
        _ => Told::Sold { top_up, again },
    }
}

fn same_sale(web: &Web, top_up: &TopUp, asked: &Asked<'_>) -> bool {
    let number = web::number::parse(asked.msisdn, web.catalogs());
    top_up.gross == asked.gross && number == Some(top_up.msisdn)
}

/// Why a key cannot be sold.
async fn known(web: &Web, key: Key<'_>) -> Told {
    match web
        .parts
        .core
        .read(EntityKey::Idempotency(key.partner, key.idempotency()))
        .await
    {
        Ok(Some(Entity::Idempotency(kept))) => match RefuseTopUp::kept(kept) {
            Some(0) => Told::Reversed,
            Some(reason) => Told::Refused(reason),
            None => Told::OtherBody,
        },
        Ok(_) => Told::OtherBody,
        Err(_) => Told::Unknown,
    }
}

/// Takes a sale back, what is unused of it; or remembers that it is not to be sold when it comes.
/// `true`: durable, the bank need not ask again. `false`: not yet.
pub async fn take_back(web: &Web, key: Key<'_>, wait: Duration) -> bool {
    match web.parts.core.call(Command::RefuseTopUp(key.refuse(0))).await {
        Ok(Reply::Done) => return true,
        Ok(_) => {}
        Err(_) => return false,
    }
    let Ok(Some(_)) = settled(web, key.top_up(), wait).await else {
        return false;
    };
    let Ok(Some(top_up)) = read_top_up(web, key.top_up()).await else {
        return false;
    };
    if top_up.state != TopUpState::Completed {
        return true;
    }
    let asked = ReverseTopUp {
        partner: key.partner,
        external: key.external(),
        by: Code::new("bank").unwrap_or_default(),
        // Store and forward: it may come hours later, and nobody can be asked.
        staff: true,
        two_from: Money::ZERO,
    };
    match web.parts.core.call(Command::ReverseTopUp(asked)).await {
        Ok(_) => true,
        Err(CoreError::Refused(refusal)) => {
            tracing::warn!(top_up = format!("{:032x}", top_up.id), %refusal, "a bank's reversal took nothing back");
            true
        }
        Err(_) => false,
    }
}
