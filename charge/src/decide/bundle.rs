//! Bundles: buying, renewing, switching renewal on and off.

use super::promotion::{self, Till};
use super::recharge::bucket_lot;
use super::{
    Decision, LOTS_MAX, RENEWALS_MAX, View, account_event, account_of, catalog_of, forgets, repeated,
};
use crate::account::{Account, Origin};
use crate::catalog::{Catalog, Catalogs, Offer};
use crate::command::{Buy, Mixer};
use crate::event::{Bought, EventBody};
use crate::ids::{AccountId, Code, LotId, SourceId};
use crate::money::Money;
use crate::promotion::Discounted;
use crate::rating::Purse;
use crate::reply::{BoughtReply, Refusal, Reply};
use crate::tax::TaxedPrice;
use crate::time::Timestamp;

/// Buys a bundle from the main balance.
pub(super) fn buy(
    view: &impl View,
    catalogs: &Catalogs,
    buy: &Buy,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let account = account_of(view, buy.account)?;
    let catalog = catalog_of(catalogs, account.operator)?;
    let mut digest = Mixer::new();
    digest.add_text(buy.offer.as_str());
    digest.add(u64::from(buy.renew));
    let body = digest.finish();
    if let Some(answer) = repeated(account, buy.source, body)? {
        return Ok(answer);
    }
    let offer = catalog
        .offer(buy.offer.as_str())
        .filter(|offer| offer.for_sale)
        .ok_or(Refusal::NoSuchOffer)?;
    if buy.renew && !offer.renewable {
        return Err(Refusal::NotRenewable);
    }
    let mut till = Till::open(view, account.operator);
    let discount = promotion::discount_for(account, catalog, (offer.code, offer.price), now);
    let budget = |code| catalog.promotion(code).map_or(Money::ZERO, |known| known.budget);
    let discount = discount.filter(|found| till.spend_or_ask(found, budget(found.promotion)));
    let bought = purchase(
        account,
        catalog,
        (offer, discount),
        (buy.source, body),
        (false, buy.renew),
        now,
    )?;
    if buy.at_most.is_some_and(|most| bought.gross > most) {
        return Err(Refusal::PriceChanged);
    }
    let reply = Reply::Bought(reply_to(&bought));
    let event = account_event(account, now, EventBody::Bought(Box::new(bought)));
    let mut decision = Decision::event(event, reply);
    till.close(&mut decision, now);
    Ok(decision)
}

/// What a bundle costs somebody now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundlePrice {
    /// Taken from the balance, tax included.
    pub gross: Money,
    /// Without a promotion.
    pub list: Money,
    /// The promotion that makes the difference, while its funds last.
    pub discount: Option<Discounted>,
}

/// The price of a bundle for an account, with the discount of this moment: to be shown, and handed to
/// [`Buy::at_most`] so that nobody pays more than was shown.
pub fn price_for(account: &Account, catalog: &Catalog, offer: &Offer, now: Timestamp) -> BundlePrice {
    let discount = promotion::discount_for(account, catalog, (offer.code, offer.price), now);
    let less = discount.as_ref().map_or(Money::ZERO, |discount| discount.amount);
    BundlePrice {
        gross: taxed(account, catalog, offer, less).gross,
        list: taxed(account, catalog, offer, Money::ZERO).gross,
        discount,
    }
}

/// The tax is on what is paid.
fn taxed(account: &Account, catalog: &Catalog, offer: &Offer, less: Money) -> TaxedPrice {
    let region = if account.region.is_empty() {
        catalog.tax.default_region
    } else {
        account.region
    };
    let rate = catalog.tax.region(region).usage;
    TaxedPrice::of(offer.price - less, offer.tax, rate, catalog.tax.usage_rounding)
}

/// Buys a bundle again when it runs out; what prevents that switches the renewal off.
pub(super) fn renew(account: &Account, catalog: &Catalog, code: Code, now: Timestamp) -> Decision {
    let source = SourceId::of_reference("renewal", &format!("{}/{code}/{}", account.id.0, account.version));
    let bought = match catalog.offer(code.as_str()).filter(|offer| offer.renewable) {
        Some(offer) => purchase(account, catalog, (offer, None), (source, 0), (true, true), now),
        None => Err(Refusal::NoSuchOffer),
    };
    let body = match bought {
        Ok(bought) => EventBody::Bought(Box::new(bought)),
        Err(reason) => EventBody::RenewalFailed { offer: code, reason },
    };
    Decision::event(account_event(account, now, body), Reply::Done)
}

/// Switches a renewal on (due when the bundle that is held runs out) or off.
pub(super) fn set_renewal(
    view: &impl View,
    catalogs: &Catalogs,
    (id, code, on): (AccountId, Code, bool),
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let account = account_of(view, id)?;
    let catalog = catalog_of(catalogs, account.operator)?;
    let current = account.renewals.iter().find(|renewal| renewal.offer == code);
    let due_at = if on {
        let offer = catalog.offer(code.as_str()).ok_or(Refusal::NoSuchOffer)?;
        if !offer.renewable {
            return Err(Refusal::NotRenewable);
        }
        let held = account
            .lots
            .iter()
            .filter(|lot| lot.source == code && lot.expires_at > now);
        Some(held.map(|lot| lot.expires_at).max().ok_or(Refusal::NoSuchOffer)?)
    } else {
        None
    };
    if current.map(|renewal| renewal.due_at) == due_at {
        return Ok(Decision::answer(Reply::Done));
    }
    if current.is_none() && account.renewals.len() >= RENEWALS_MAX {
        return Err(Refusal::TooMany);
    }
    let body = EventBody::RenewalSet { offer: code, due_at };
    Ok(Decision::event(account_event(account, now, body), Reply::Done))
}

fn purchase(
    account: &Account,
    catalog: &Catalog,
    (offer, discount): (&Offer, Option<Discounted>),
    (source, body): (SourceId, u64),
    (renewal, renew): (bool, bool),
    now: Timestamp,
) -> Result<Bought, Refusal> {
    if !account.may_use() || account.valid_until <= now {
        return Err(Refusal::AccountNotActive);
    }
    let day = i64::from(catalog.zone.day_number(now));
    let today = account
        .purchases
        .iter()
        .find(|purchase| purchase.offer == offer.code && purchase.day == day);
    let count = today.map_or(0, |purchase| purchase.count).saturating_add(1);
    if offer.per_day > 0 && count > offer.per_day {
        return Err(Refusal::OfferLimit);
    }
    let new_renewal = renew && account.renewals.iter().all(|known| known.offer != offer.code);
    if account.lots.len() + offer.buckets.len() > LOTS_MAX
        || (new_renewal && account.renewals.len() >= RENEWALS_MAX)
    {
        return Err(Refusal::TooMany);
    }
    let less = discount.as_ref().map_or(Money::ZERO, |discount| discount.amount);
    let price = taxed(account, catalog, offer, less);
    let draws = Purse::of(account, now)
        .pay(price.gross)
        .ok_or(Refusal::InsufficientBalance)?;
    let expires_at = offer.validity.end(now, &catalog.zone);
    let numbered = offer.buckets.iter().zip(account.next_lot..);
    let lots = numbered
        .map(|(grant, id)| bucket_lot(LotId(id), grant, (Origin::Bundle, offer.code), now, expires_at))
        .collect();
    Ok(Bought {
        source,
        body,
        offer: offer.code,
        version: catalog.version,
        discount: discount.map(Box::new),
        gross: price.gross,
        tax: price.tax,
        rate: price.rate,
        rounding: price.rounding,
        draws,
        lots,
        expires_at,
        day,
        count,
        renewal,
        renews_at: renew.then_some(expires_at),
        balance: account.main_total(now) - price.gross,
        forgets: forgets(account, catalog, now),
    })
}

/// The answer that a purchase gives: also for its repetitions.
pub(crate) fn reply_to(bought: &Bought) -> BoughtReply {
    BoughtReply {
        offer: bought.offer,
        price: bought.gross,
        tax: bought.tax,
        expires_at: bought.expires_at,
        balance: bought.balance,
        buckets: bought.lots.iter().map(|lot| (lot.unit, lot.initial)).collect(),
    }
}
