//! What time alone does to an account: expiry, end of validity, silent sessions, renewals (design rule 8).

use super::{Decision, View, account_event, account_of, bundle, catalog_of, charge};
use crate::account::LifeCycle;
use crate::catalog::Catalogs;
use crate::event::EventBody;
use crate::ids::AccountId;
use crate::reply::{Refusal, Reply};
use crate::session::Draw;
use crate::time::Timestamp;

/// Does the earliest thing that is due; the caller ticks again while [`crate::Account::next_due`] is not in the future.
pub(super) fn decide(
    view: &impl View,
    catalogs: &Catalogs,
    id: AccountId,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let account = account_of(view, id)?;
    let catalog = catalog_of(catalogs, account.operator)?;
    let due = |at: Timestamp| at <= now;
    if let Some(session) = account
        .sessions
        .iter()
        .find(|session| !session.closed && due(session.expires_at))
    {
        return Ok(charge::supervise(account, catalog, session, now));
    }
    let lapsed = account
        .lots
        .iter()
        .filter(|lot| due(lot.expires_at) && lot.amount > lot.reserved);
    let lots: Vec<Draw> = lapsed
        .map(|lot| Draw {
            lot: lot.id,
            origin: lot.origin,
            unit: lot.unit,
            amount: lot.amount - lot.reserved,
        })
        .collect();
    if !lots.is_empty() {
        let event = account_event(account, now, EventBody::Expired { lots });
        return Ok(Decision::event(event, Reply::Done));
    }
    if let Some(renewal) = account.renewals.iter().find(|renewal| due(renewal.due_at)) {
        return Ok(bundle::renew(account, catalog, renewal.offer, now));
    }
    if account.state == LifeCycle::Active && due(account.valid_until) {
        let body = EventBody::LifeCycleChanged {
            from: LifeCycle::Active,
            to: LifeCycle::Expired,
        };
        return Ok(Decision::event(account_event(account, now, body), Reply::Done));
    }
    Ok(Decision::answer(Reply::Done))
}
