//! Terms of partners, the callbacks that become due, and rehearsed top-ups.

use super::{Decision, MONEY_MAX, Quote, View, catalog_of};
use crate::catalog::{Catalog, Catalogs};
use crate::event::{Event, EventBody};
use crate::ids::{AccountId, Code, Entity, EntityKey, OperatorId, PartnerId};
use crate::money::Money;
use crate::partner::{TopUp, TopUpState};
use crate::reply::{Receipt, RechargeOutcome, Refusal, Reply};
use crate::sandbox;
use crate::tax::TaxClass;
use crate::terms::{
    CALLBACK_SECRETS_MAX, CALLBACK_URL_BYTES_MAX, CallbackDue, PLANNED_MAX, PartnerTerms, SEALED_BYTES_MAX,
    TermsChange,
};
use crate::time::{DAY, Timestamp};

/// Changes terms. Repeating a change answers the same and changes nothing.
pub(super) fn change(
    view: &impl View,
    (partner, test, change): (PartnerId, bool, &TermsChange),
    now: Timestamp,
) -> Result<Decision, Refusal> {
    super::partner::active(view, partner)?;
    let terms = terms_of(view, partner, test);
    let known = terms.cloned().unwrap_or_default();
    match change {
        TermsChange::CallbackUrl(url) if url.len() > CALLBACK_URL_BYTES_MAX => return Err(Refusal::TooMany),
        TermsChange::CallbackUrl(url) if *url == known.callback_url => {
            return Ok(Decision::answer(Reply::Done));
        }
        TermsChange::CallbackUrl(url) if !url.is_empty() && known.secrets.is_empty() => {
            return Err(Refusal::NoCallbackSecret);
        }
        TermsChange::SecretAdded(secret) => {
            if known.secrets.contains(secret) {
                return Ok(Decision::answer(Reply::Done));
            }
            if known.secrets.len() >= CALLBACK_SECRETS_MAX || secret.sealed.len() > SEALED_BYTES_MAX {
                return Err(Refusal::TooMany);
            }
            if secret.id.is_empty() || known.secrets.iter().any(|other| other.id == secret.id) {
                return Err(Refusal::BadKey);
            }
        }
        TermsChange::SecretRetired(id) => {
            if !known.secrets.iter().any(|secret| secret.id == *id) {
                return Err(Refusal::BadKey);
            }
            if known.secrets.len() == 1 {
                return Err(Refusal::NoCallbackSecret);
            }
        }
        TermsChange::Commission(rule) if !rule.is_valid() => return Err(Refusal::AmountTooLarge),
        TermsChange::Commission(rule) if *rule == known.commission_at(now) => {
            return Ok(Decision::answer(Reply::Done));
        }
        TermsChange::CommissionFrom(planned) if !planned.rule.is_valid() => {
            return Err(Refusal::AmountTooLarge);
        }
        TermsChange::CommissionFrom(planned) if planned.from <= now => return Err(Refusal::TooOld),
        TermsChange::CommissionFrom(planned) if known.planned.contains(planned) => {
            return Ok(Decision::answer(Reply::Done));
        }
        TermsChange::CommissionFrom(planned) => {
            let others = known
                .commission_after(now)
                .filter(|other| other.from != planned.from);
            if others.count() >= PLANNED_MAX {
                return Err(Refusal::TooMany);
            }
        }
        TermsChange::CallbackUrl(_) | TermsChange::Commission(_) => {}
    }
    let event = Event {
        key: EntityKey::Terms(partner, test),
        operator: OperatorId(0),
        at: now,
        body: EventBody::TermsChanged(Box::new(change.clone())),
    };
    Ok(Decision::event(event, Reply::Done))
}

/// The terms of a partner, if any were ever made.
pub(super) fn terms_of(view: &impl View, partner: PartnerId, test: bool) -> Option<&PartnerTerms> {
    view.get(EntityKey::Terms(partner, test)).and_then(Entity::terms)
}

/// The callback that a change of a top-up makes due; `None` when nobody wants one.
pub(super) fn callback(view: &impl View, top_up: TopUp) -> Option<Event> {
    let (partner, test) = (top_up.partner, top_up.details.test);
    let terms = terms_of(view, partner, test)?;
    let url = match top_up.details.callback_url.as_str() {
        "" => &terms.callback_url,
        own => own,
    };
    if url.is_empty() {
        return None;
    }
    Some(Event {
        key: EntityKey::Terms(partner, test),
        operator: top_up.operator,
        at: top_up.updated_at,
        body: EventBody::CallbackDue(Box::new(CallbackDue {
            sequence: terms.sequence + 1,
            url: url.to_owned(),
            top_up,
        })),
    })
}

/// The next part of a rehearsed top-up, when its time has come.
pub(super) fn rehearse(
    view: &impl View,
    catalogs: &Catalogs,
    key: EntityKey,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let top_up = view.get(key).and_then(Entity::top_up);
    let due = top_up.and_then(|top_up| Some((top_up, sandbox::next_due(top_up)?)));
    let Some((top_up, _)) = due.filter(|(_, due)| *due <= now) else {
        return Ok(Decision::answer(Reply::Done));
    };
    let script = sandbox::script_of(top_up.msisdn);
    let body = match top_up.state {
        TopUpState::Completed => EventBody::TopUpReversed { gross: top_up.gross },
        _ => {
            let catalog = catalog_of(catalogs, top_up.operator)?;
            let outcome = script
                .end
                .map(|()| outcome_of(&rehearsed(catalog, top_up.gross, now)));
            EventBody::TopUpSettled { outcome, lot: None }
        }
    };
    let event = Event {
        key,
        operator: top_up.operator,
        at: now,
        body,
    };
    let callback = callback(view, after(top_up, &event));
    let mut decision = Decision::event(event, Reply::Done);
    decision.events.extend(callback);
    Ok(decision)
}

/// A top-up as an event leaves it.
pub(super) fn after(top_up: &TopUp, event: &Event) -> TopUp {
    let mut after = top_up.clone();
    after.apply(event);
    after
}

/// What a real recharge of a standard account would bring, without a promotion.
fn rehearsed(catalog: &Catalog, gross: Money, now: Timestamp) -> Quote {
    let tax_rate = catalog
        .tax
        .recharge_rate(TaxClass::Standard, catalog.tax.default_region);
    let tax = tax_rate.inside(gross, catalog.tax.recharge_rounding);
    Quote {
        gross,
        tax,
        tax_rate,
        region: catalog.tax.default_region,
        tax_class: TaxClass::Standard,
        fee: Money::ZERO,
        credited: gross - tax,
        valid_until: now.plus(i64::from(catalog.recharge.days(gross)) * DAY),
        promotion: Code::EMPTY,
        earned: Vec::new(),
    }
}

fn outcome_of(quote: &Quote) -> RechargeOutcome {
    RechargeOutcome {
        gross: quote.gross,
        tax: quote.tax,
        tax_rate: quote.tax_rate,
        fee: quote.fee,
        credited: quote.credited,
        balance: quote.credited,
        valid_until: quote.valid_until,
        promotion: quote.promotion,
        earned: Vec::new(),
        receipt: Receipt {
            account: AccountId(0),
            event: 0,
        },
    }
}

/// Quotes a rehearsed recharge.
///
/// # Errors
/// [`Refusal`] when the amount is outside of what the operator takes.
pub fn quote_rehearsal(catalog: &Catalog, gross: Money, now: Timestamp) -> Result<Quote, Refusal> {
    if gross < catalog.recharge.minimum || !gross.is_positive() {
        return Err(Refusal::AmountTooSmall);
    }
    if gross > catalog.recharge.maximum || gross.0 > MONEY_MAX {
        return Err(Refusal::AmountTooLarge);
    }
    Ok(rehearsed(catalog, gross, now))
}
