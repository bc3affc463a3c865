//! Recharges: tax taken from the amount, value credited in lots, validity extended, the promotion added.

use super::promotion::{self, Occasion, Till};
use super::{
    APART, Decision, LOTS_MAX, MAIN_LOTS_MAX, MONEY_MAX, View, YOUNG_LOTS_MAX, account_event, account_of,
    catalog_of, forgets, repeated,
};
use crate::account::{Account, LifeCycle, Lot, Origin};
use crate::catalog::{BucketGrant, Catalog, Catalogs, Scope, ValidityRule};
use crate::command::{Funding, Message, Recharge};
use crate::event::{EventBody, Recharged};
use crate::ids::{Code, LotId};
use crate::money::Money;
use crate::promotion::{ChannelClass, Earned};
use crate::reply::{Receipt, RechargeOutcome, Refusal, Reply};
use crate::tax::{Rate, RegionCode, TaxClass};
use crate::time::{DAY, Timestamp};
use crate::unit::{Amount, Unit};
use smallvec::SmallVec;

/// Priority of main balance: bundles and bonuses come first.
pub const MAIN_PRIORITY: u8 = 100;

/// What a recharge would do for somebody: the price block of a quote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The payer pays.
    pub gross: Money,
    /// Tax taken from it.
    pub tax: Money,
    /// Its rate.
    pub tax_rate: Rate,
    /// Region that decides it.
    pub region: RegionCode,
    /// Class that decides it.
    pub tax_class: TaxClass,
    /// Fee taken from it.
    pub fee: Money,
    /// Added to the main balance.
    pub credited: Money,
    /// Main balance valid until after it.
    pub valid_until: Timestamp,
    /// First promotion earned; empty: none.
    pub promotion: Code,
    /// Everything that would be earned, while funds last.
    pub earned: Vec<Earned>,
}

/// How a recharge is paid, as far as its price and its promotions care.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// What the payer pays.
    pub gross: Money,
    /// Where the sale takes place; empty: where the subscriber is.
    pub region: RegionCode,
    /// The channel's code on receipts; empty: not known yet.
    pub channel: Code,
    /// Its kind.
    pub class: ChannelClass,
    /// Campaign code that the payer typed; empty: none.
    pub campaign: Code,
}

/// Quotes a recharge for an account: the same function that the recharge itself uses.
///
/// # Errors
/// [`Refusal`] when the recharge would be refused.
pub fn quote(
    account: &Account,
    catalog: &Catalog,
    gross: Money,
    region: RegionCode,
    now: Timestamp,
) -> Result<Quote, Refusal> {
    let terms = Terms {
        gross,
        region,
        ..Terms::default()
    };
    quote_for(account, catalog, &terms, now)
}

/// Quotes a recharge with everything that promotions ask about.
///
/// # Errors
/// [`Refusal`] when the recharge would be refused.
pub fn quote_for(
    account: &Account,
    catalog: &Catalog,
    terms: &Terms,
    now: Timestamp,
) -> Result<Quote, Refusal> {
    let mut quote = price(account, catalog, terms, now)?;
    let awards = promotion::earned_by(
        account,
        catalog,
        &occasion(terms, &quote),
        receipt_of(account),
        now,
    );
    quote.promotion = awards.first().map_or(Code::EMPTY, |award| award.promotion);
    quote.earned = promotion::offered(&awards);
    Ok(quote)
}

fn occasion(terms: &Terms, quote: &Quote) -> Occasion {
    Occasion {
        gross: quote.gross,
        credited: quote.credited,
        channel: terms.channel,
        class: terms.class,
        campaign: terms.campaign,
    }
}

fn receipt_of(account: &Account) -> Receipt {
    Receipt {
        account: account.id,
        event: account.version + 1,
    }
}

/// The price alone, without promotions.
fn price(account: &Account, catalog: &Catalog, terms: &Terms, now: Timestamp) -> Result<Quote, Refusal> {
    let Terms { gross, region, .. } = *terms;
    if matches!(account.state, LifeCycle::Suspended | LifeCycle::Closed) {
        return Err(Refusal::AccountNotActive);
    }
    if gross < catalog.recharge.minimum || !gross.is_positive() {
        return Err(Refusal::AmountTooSmall);
    }
    if gross > catalog.recharge.maximum || gross.0 > MONEY_MAX {
        return Err(Refusal::AmountTooLarge);
    }
    let region = [region, account.region, catalog.tax.default_region]
        .into_iter()
        .find(|code| !code.is_empty())
        .unwrap_or_default();
    let tax_rate = catalog.tax.recharge_rate(account.tax_class, region);
    let tax = tax_rate.inside(gross, catalog.tax.recharge_rounding);
    Ok(Quote {
        gross,
        tax,
        tax_rate,
        region,
        tax_class: account.tax_class,
        fee: Money::ZERO,
        credited: gross - tax,
        valid_until: validity_after(account, catalog, gross, now),
        promotion: Code::EMPTY,
        earned: Vec::new(),
    })
}

/// Credits an account.
pub(super) fn decide(
    view: &impl View,
    catalogs: &Catalogs,
    recharge: &Recharge,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let account = account_of(view, recharge.account)?;
    let catalog = catalog_of(catalogs, account.operator)?;
    let body = recharge.body();
    if let Some(answer) = repeated(account, recharge.source, body)? {
        return Ok(answer);
    }
    let terms = Terms {
        gross: recharge.gross,
        region: recharge.region,
        channel: recharge.funding.channel(),
        class: recharge.class,
        campaign: recharge.campaign,
    };
    let quote = price(account, catalog, &terms, now)?;
    let mut lots: SmallVec<[Lot; 1]> = SmallVec::new();
    lots.push(main_lot(
        account,
        Origin::Paid,
        quote.credited,
        recharge.funding.channel(),
        now,
    ));
    let receipt = receipt_of(account);
    let awards = promotion::earned_by(account, catalog, &occasion(&terms, &quote), receipt, now);
    let mut till = Till::open(view, account.operator);
    let earned = till.give(account, catalog, awards, &mut lots);
    if account.lots.len() + lots.len() > LOTS_MAX {
        return Err(Refusal::TooMany);
    }
    let outcome = RechargeOutcome {
        gross: quote.gross,
        tax: quote.tax,
        tax_rate: quote.tax_rate,
        fee: quote.fee,
        credited: quote.credited,
        balance: account.main_total(now) + main_in(&lots),
        valid_until: quote.valid_until,
        promotion: earned.first().map_or(Code::EMPTY, |earned| earned.promotion),
        earned,
        receipt,
    };
    let recharged = Recharged {
        source: recharge.source,
        body,
        reference: recharge.reference.clone(),
        funding: recharge.funding,
        region: quote.region,
        tax_class: quote.tax_class,
        rounding: catalog.tax.recharge_rounding,
        outcome: outcome.clone(),
        lots,
        joined: joinable(account, now),
        revived: account.state == LifeCycle::Expired,
        forgets: forgets(account, catalog, now),
    };
    let event = account_event(account, now, EventBody::Recharged(Box::new(recharged)));
    let mut decision = Decision::event(event, Reply::Recharged(Box::new(outcome)));
    till.close(&mut decision, now);
    Ok(decision)
}

fn main_in(lots: &[Lot]) -> Money {
    let main = lots.iter().filter(|lot| lot.is_main());
    main.map(|lot| Money(lot.amount.0)).sum()
}

/// The second half of a top-up, or of an assignment of money in suspense: whatever happens, the sender is told.
pub(super) fn deliver(
    view: &impl View,
    catalogs: &Catalogs,
    external: u128,
    recharge: &Recharge,
    now: Timestamp,
) -> Decision {
    let decided = decide(view, catalogs, recharge, now);
    let (mut decision, outcome) = match decided {
        Ok(decision) => match decision.reply.clone() {
            Reply::Recharged(outcome) => (decision, Ok(*outcome)),
            _ => (Decision::answer(Reply::Done), Err(Refusal::Conflict)),
        },
        Err(refusal) => (Decision::answer(Reply::Done), Err(refusal)),
    };
    let lot = decision.events.iter().find_map(|event| match &event.body {
        EventBody::Recharged(recharged) => recharged.lots.first().map(|lot| lot.id),
        _ => None,
    });
    let answer = match recharge.funding {
        Funding::InTransit { partner, .. } => Message::Credited {
            partner,
            external,
            outcome,
            lot,
        },
        Funding::Suspense { payment, .. } => Message::SuspenseCredited { payment, outcome },
        Funding::Card { operator, hash, .. } => Message::CardCredited {
            operator,
            hash,
            face: recharge.gross,
            outcome: outcome.map(|outcome| outcome.receipt),
        },
        Funding::Rail(_) => return Decision::answer(Reply::Done),
    };
    decision.messages.push(answer);
    decision
}

/// Main balance of one origin.
pub(super) fn main_lot(
    account: &Account,
    origin: Origin,
    amount: Money,
    source: Code,
    now: Timestamp,
) -> Lot {
    Lot {
        id: LotId(account.next_lot),
        unit: Unit::Money,
        origin,
        priority: MAIN_PRIORITY,
        amount: Amount(amount.0),
        reserved: Amount::ZERO,
        initial: Amount(amount.0),
        granted_at: now,
        expires_at: Timestamp::NEVER,
        scope: Scope::ANY,
        step: Amount(1),
        waives_setup: false,
        source,
    }
}

/// A bucket of a bundle or promotion.
pub(super) fn bucket_lot(
    id: LotId,
    grant: &BucketGrant,
    (origin, source): (Origin, Code),
    now: Timestamp,
    expires_at: Timestamp,
) -> Lot {
    Lot {
        id,
        unit: grant.unit,
        origin,
        priority: grant.priority,
        amount: grant.amount,
        reserved: Amount::ZERO,
        initial: grant.amount,
        granted_at: now,
        expires_at,
        scope: grant.scope,
        step: grant.step,
        waives_setup: grant.waives_setup,
        source,
    }
}

fn validity_after(account: &Account, catalog: &Catalog, gross: Money, now: Timestamp) -> Timestamp {
    let days = catalog.recharge.days(gross);
    let base = match catalog.recharge.rule {
        ValidityRule::Later => now,
        ValidityRule::Add => account.valid_until.max(now),
    };
    let longest = now.plus(i64::from(catalog.recharge.maximum_days) * DAY);
    let extended = base.plus(i64::from(days) * DAY).min(longest);
    extended.max(account.valid_until)
}

/// The two oldest unreserved lots of paid main balance, when there are many: the newer joins the older. A joined credit cannot
/// be told apart any more, and so not be taken back: young ones wait.
fn joinable(account: &Account, now: Timestamp) -> Option<(LotId, LotId)> {
    let paid = |lot: &&Lot| lot.is_main() && lot.origin == Origin::Paid;
    let count = account.lots.iter().filter(paid).count();
    if count < MAIN_LOTS_MAX {
        return None;
    }
    let mut idle = account
        .lots
        .iter()
        .filter(paid)
        .filter(|lot| lot.reserved == Amount::ZERO);
    let (into, from) = (idle.next()?, idle.next()?);
    let young = into.granted_at.max(from.granted_at) > now.plus(-APART);
    (!young || count >= YOUNG_LOTS_MAX).then_some((from.id, into.id))
}
