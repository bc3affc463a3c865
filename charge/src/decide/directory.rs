//! Numbers, SIMs and the opening of accounts.

use super::recharge::main_lot;
use super::{Decision, MONEY_MAX, View, account_event, account_of, catalog_of};
use crate::account::{Account, LifeCycle, Origin};
use crate::catalog::Catalogs;
use crate::command::{Message, OpenAccount, UpdateAccount};
use crate::event::{Event, EventBody};
use crate::ids::{Code, Entity, EntityKey, Msisdn, OperatorId};
use crate::reply::{Refusal, Reply};
use crate::time::{DAY, Timestamp};

/// Claims a number and a SIM together and sends for the account to be opened.
pub(super) fn claim(
    view: &impl View,
    catalogs: &Catalogs,
    open: &OpenAccount,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    catalog_of(catalogs, open.operator)?;
    if open.opening_balance.0 < 0 || open.opening_balance.0 > MONEY_MAX {
        return Err(Refusal::AmountTooLarge);
    }
    let number = view.get(EntityKey::Number(open.msisdn)).and_then(Entity::number);
    if let Some(holder) = number.and_then(|record| record.account) {
        let repeated = holder == open.account;
        return if repeated {
            Ok(Decision::answer(Reply::Opened(holder)))
        } else {
            Err(Refusal::NumberTaken)
        };
    }
    if number.is_some_and(|record| record.operator != open.operator) {
        return Err(Refusal::NumberTaken);
    }
    if open
        .imsi
        .is_some_and(|imsi| view.get(EntityKey::Imsi(imsi)).is_some())
    {
        return Err(Refusal::ImsiTaken);
    }
    let bound = |key| Event {
        key,
        operator: open.operator,
        at: now,
        body: EventBody::NumberBound {
            operator: open.operator,
            account: Some(open.account),
        },
    };
    let mut decision = Decision::event(bound(EntityKey::Number(open.msisdn)), Reply::Opened(open.account));
    if let Some(imsi) = open.imsi {
        decision.events.push(bound(EntityKey::Imsi(imsi)));
    }
    decision.messages.push(Message::Open(Box::new(open.clone())));
    Ok(decision)
}

/// Opens the account that the directory has claimed a number for.
pub(super) fn open(view: &impl View, catalogs: &Catalogs, open: &OpenAccount, now: Timestamp) -> Decision {
    if view.get(EntityKey::Account(open.account)).is_some() {
        return Decision::answer(Reply::Done);
    }
    let Ok(catalog) = catalog_of(catalogs, open.operator) else {
        return Decision::answer(Reply::Done);
    };
    let account = Account::new(open, now);
    let balance = open.opening_balance;
    let days = catalog
        .recharge
        .days(balance.max(catalog.recharge.minimum))
        .max(1);
    let source = Code::new("opening-balance").unwrap_or_default();
    let lot = balance
        .is_positive()
        .then(|| main_lot(&account, Origin::Paid, balance, source, now));
    let body = EventBody::AccountOpened {
        open: Box::new(open.clone()),
        lot,
        valid_until: now.plus(i64::from(days) * DAY),
    };
    Decision::event(account_event(&account, now, body), Reply::Done)
}

/// Records which operator serves a number that has no account here (number portability).
pub(super) fn set_operator(
    view: &impl View,
    msisdn: Msisdn,
    operator: OperatorId,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let key = EntityKey::Number(msisdn);
    match view.get(key).and_then(Entity::number) {
        Some(record) if record.account.is_some() => Err(Refusal::NumberTaken),
        Some(record) if record.operator == operator => Ok(Decision::answer(Reply::Done)),
        _ => {
            let body = EventBody::NumberBound {
                operator,
                account: None,
            };
            Ok(Decision::event(
                Event {
                    key,
                    operator,
                    at: now,
                    body,
                },
                Reply::Done,
            ))
        }
    }
}

/// Journals a catalog when it differs from the one published last.
pub(super) fn publish(
    view: &impl View,
    operator: OperatorId,
    version: u32,
    text: &str,
    now: Timestamp,
) -> Decision {
    let key = EntityKey::Catalog(operator);
    if let Some(Entity::Catalog(known)) = view.get(key)
        && known.version == version
        && known.text == text
    {
        return Decision::answer(Reply::Done);
    }
    let body = EventBody::CatalogPublished {
        version,
        text: text.to_owned(),
    };
    Decision::event(
        Event {
            key,
            operator,
            at: now,
            body,
        },
        Reply::Done,
    )
}

/// Changes language, tax class or life-cycle state.
pub(super) fn update(view: &impl View, update: &UpdateAccount, now: Timestamp) -> Result<Decision, Refusal> {
    let account = account_of(view, update.account)?;
    let mut decision = Decision::answer(Reply::Done);
    let language = update.language.filter(|language| *language != account.language);
    let tax_class = update.tax_class.filter(|class| *class != account.tax_class);
    if language.is_some() || tax_class.is_some() {
        decision.events.push(account_event(
            account,
            now,
            EventBody::AccountUpdated { language, tax_class },
        ));
    }
    if let Some(to) = update.state.filter(|state| *state != account.state) {
        let from = account.state;
        let allowed = match (from, to) {
            (LifeCycle::Closed, _) | (_, LifeCycle::Expired) => false,
            (LifeCycle::Expired, LifeCycle::Active) => false,
            (_, LifeCycle::Closed) => account.sessions.iter().all(|session| session.closed),
            _ => true,
        };
        if !allowed {
            return Err(Refusal::BadTransition);
        }
        decision.events.push(account_event(
            account,
            now,
            EventBody::LifeCycleChanged { from, to },
        ));
    }
    Ok(decision)
}
