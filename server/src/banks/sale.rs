//! A sale by a bank and its way back: once, whatever is repeated, late, lost or out of order.
//!
//! A bank's request has a key that is unique for ever. What became of it stays: a sale as its top-up, a refusal or a
//! reversal that came first as [`RefuseTopUp`], so that a copy which arrives late gets the first answer and moves nothing.

use charge::command::{Buy, TopUpRequest};
use charge::ids::digest128;
use charge::partner::{TopUp, TopUpState};
use charge::promotion::ChannelClass;
use charge::reversal::{RefuseTopUp, ReversalState, ReverseTopUp};
use charge::seller::{Again, SoldBy};
use charge::{Code, Command, Entity, EntityKey, Money, PartnerId, Refusal, Reply, SourceId};
use rails::reconcile::Kind;
use std::time::Duration;
use web::Web;
use web::api::lookup;
use web::api::reversals::ended;
use web::api::topups::{Sale, sell, settled};
use web::chain::sale::bundle_gross;
use web::core::CoreError;
use web::problem::{Fault, Problem};
use web::reconcile::sale_to_settle;

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
        Ok(again) => return end(web, asked, again, wait).await,
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
                Ok(Reply::TopUpAccepted { .. }) => end(web, asked, true, wait).await,
                _ => Told::Unknown,
            }
        }
    }
}

/// Checks the request and hands it in; says whether it was known.
async fn attempt(web: &Web, asked: &Asked<'_>) -> Result<bool, Problem> {
    let found = lookup::find(web, asked.msisdn).await?;
    let (account, catalog) = found.subscriber()?;
    if crate::sockets::charging::currency_number(&catalog.currency) != Some(u32::from(asked.currency)) {
        return Err(Fault::BadAmount.into());
    }
    if let Some(offer) = asked.offer {
        let sold = catalog.offer(offer).filter(|offer| offer.for_sale);
        let offer = sold.ok_or(Refusal::NoSuchOffer)?.code;
        if asked.gross < bundle_gross(web, account, catalog, offer).await? {
            return Err(Refusal::AmountTooSmall.into());
        }
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
            again: Again::Any,
            bundle: asked.offer.and_then(Code::new).unwrap_or_default(),
            ..SoldBy::default()
        },
    };
    // The bank's key says whether a second identical recharge is meant.
    let (_, again) = sell(web, &sale, None, Again::Any).await?;
    Ok(again)
}

/// Waits for the end, and buys the bundle.
async fn end(web: &Web, asked: &Asked<'_>, again: bool, wait: Duration) -> Told {
    let Ok(Some(top_up)) = settled(web, asked.request().top_up(), wait).await else {
        return Told::Unknown;
    };
    if !same_sale(web, &top_up, asked) {
        return Told::OtherBody;
    }
    let told = sold(top_up, again);
    match (&told, asked.offer) {
        (Told::Sold { top_up, .. }, Some(offer)) => match bundle(web, top_up, offer).await {
            Ok(()) => told,
            Err(instead) => instead,
        },
        _ => told,
    }
}

/// Buys the bundle of a sale, once. What cannot be bought any more is for staff to settle; the credit stays.
async fn bundle(web: &Web, top_up: &TopUp, offer: &str) -> Result<(), Told> {
    let offer = web
        .catalog(top_up.operator)
        .and_then(|catalog| catalog.offer(offer))
        .ok_or(Told::OtherBody)?;
    let buy = Command::Buy(Buy {
        account: top_up.account,
        offer: offer.code,
        source: SourceId::of_reference("bank/bundle", &name(top_up)),
        renew: false,
        at_most: None,
    });
    match web.parts.core.call(buy).await {
        Ok(_) => Ok(()),
        // The same sale with another bundle.
        Err(CoreError::Refused(Refusal::Conflict)) => Err(Told::OtherBody),
        Err(CoreError::Refused(refusal)) => {
            tracing::warn!(top_up = name(top_up), %refusal, "the bundle of a bank's sale could not be bought");
            // Nothing is answered that could not be kept.
            let kept = sale_to_settle(web, Kind::NotBought, top_up, Money::ZERO).await;
            kept.map_err(|_| Told::Unknown)
        }
        Err(_) => Err(Told::Unknown),
    }
}

/// Its id, for the log.
fn name(top_up: &TopUp) -> String {
    format!("{:032x}", top_up.id)
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

/// What became of a reversal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    /// Nothing of the sale is left: all of it was taken back, or it was never sold and never will be.
    Whole,
    /// A part was unused and is taken back; the rest is for staff and the bank to settle.
    Part,
    /// Nothing could be taken back.
    Nothing,
    /// The sale was of another amount; nothing has moved, and staff has it to settle.
    OtherAmount,
    /// Nobody knows yet: no answer, so that the bank asks again.
    Unknown,
}

/// Takes a sale back, what is unused of it; or remembers that it is not to be sold when it comes. Repeating it gives the
/// same answer. What is not taken back is an exception for staff before the bank hears of it. `gross`: what the bank says
/// that the sale was.
pub async fn take_back(web: &Web, key: Key<'_>, gross: Option<Money>, wait: Duration) -> Back {
    match web.parts.core.call(Command::RefuseTopUp(key.refuse(0))).await {
        Ok(Reply::Done) => return Back::Whole,
        Ok(_) => {}
        Err(_) => return Back::Unknown,
    }
    let Ok(Some(top_up)) = settled(web, key.top_up(), wait).await else {
        return Back::Unknown;
    };
    if top_up.state == TopUpState::Declined {
        return Back::Whole;
    }
    if gross != Some(top_up.gross) {
        tracing::warn!(top_up = name(&top_up), of = %top_up.gross, "a bank's reversal is of another amount");
        let kept = sale_to_settle(web, Kind::NotTakenBack, &top_up, Money::ZERO).await;
        return kept.map_or(Back::Unknown, |()| Back::OtherAmount);
    }
    let refused = |top_up: &TopUp| {
        let reversal = top_up.after.reversal.as_ref();
        reversal.is_some_and(|reversal| reversal.state == ReversalState::Refused)
    };
    let asked = ReverseTopUp {
        partner: key.partner,
        external: key.external(),
        by: Code::new("bank").unwrap_or_default(),
        // Store and forward: it may come hours later, and nobody can be asked.
        staff: true,
        two_from: Money::ZERO,
    };
    // A repeat of what was refused is not asked again: it gets the first answer.
    let taken = if refused(&top_up) {
        Money::ZERO
    } else {
        match web.parts.core.call(Command::ReverseTopUp(asked)).await {
            Ok(_) => match ended(web, key.top_up(), wait)
                .await
                .map(|it| it.after.reversal.clone())
            {
                Ok(Some(it)) if it.state == ReversalState::Done => it.taken.gross,
                Ok(Some(it)) if it.state == ReversalState::Refused => Money::ZERO,
                _ => return Back::Unknown,
            },
            // An operator elsewhere has it, or its credit cannot be told apart.
            Err(CoreError::Refused(_)) => Money::ZERO,
            Err(_) => return Back::Unknown,
        }
    };
    if taken >= top_up.gross {
        return Back::Whole;
    }
    tracing::warn!(top_up = name(&top_up), %taken, of = %top_up.gross, "a bank's reversal took less back");
    match sale_to_settle(web, Kind::NotTakenBack, &top_up, taken).await {
        Ok(()) if taken.is_positive() => Back::Part,
        Ok(()) => Back::Nothing,
        Err(_) => Back::Unknown,
    }
}
