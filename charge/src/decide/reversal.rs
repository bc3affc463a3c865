//! Reversals of top-ups: asked for in the seller's partition, decided by the account, settled in the float.

use super::payment::unused_of;
use super::promotion::recalled;
use super::terms::{after, callback};
use super::{Decision, View, account_event, account_of};
use crate::catalog::Catalogs;
use crate::command::Message;
use crate::event::{Event, EventBody};
use crate::ids::{Entity, EntityKey, OperatorId, PartnerId};
use crate::money::Money;
use crate::partner::{TopUp, TopUpState};
use crate::reply::{Refusal, Reply};
use crate::reversal::{CreditOf, RefuseTopUp, ReversalEvent, ReversalState, ReverseTopUp, TakeBack, Taken};
use crate::time::Timestamp;

/// Asks for a top-up back. Asking again while it is under way, or when it is done, changes nothing.
pub(super) fn ask(view: &impl View, asked: &ReverseTopUp, now: Timestamp) -> Result<Decision, Refusal> {
    let top_up = view
        .get(asked.key())
        .and_then(Entity::top_up)
        .ok_or(Refusal::NotReversible)?;
    let reply = Reply::TopUpAccepted { id: top_up.id };
    let known = top_up.after.reversal.as_ref();
    match known.map(|reversal| reversal.state) {
        Some(ReversalState::Asked | ReversalState::Done) => return Ok(Decision::answer(reply)),
        Some(ReversalState::Proposed) | Some(ReversalState::Refused) | None => {}
    }
    if top_up.state != TopUpState::Completed || !top_up.after.connector.is_empty() {
        return Err(Refusal::NotReversible);
    }
    let event = |body| Event {
        key: asked.key(),
        operator: top_up.operator,
        at: now,
        body: EventBody::TopUpReversal(Box::new(body)),
    };
    let proposed = known.filter(|reversal| reversal.state == ReversalState::Proposed);
    if let Some(first) = proposed {
        if first.by == asked.by {
            return Ok(Decision::answer(reply));
        }
        if !asked.staff {
            return Err(Refusal::SecondPerson);
        }
    } else {
        if !asked.staff && now > top_up.seller_until() {
            return Err(Refusal::NotReversible);
        }
        if asked.two_from.is_positive() && top_up.gross >= asked.two_from {
            let proposed = event(ReversalEvent::Proposed { by: asked.by });
            return Ok(Decision::event(proposed, reply));
        }
    }
    let asking = event(ReversalEvent::Asked { by: asked.by });
    if top_up.details.test {
        return Ok(rehearsed(view, top_up, asking, reply));
    }
    let outcome = top_up.outcome.as_ref().ok_or(Refusal::NotReversible)?;
    let credit = top_up.after.lot.ok_or(Refusal::NothingLeft)?;
    let gifts = outcome.earned.iter().flat_map(|earned| &earned.lots);
    let message = TakeBack {
        partner: asked.partner,
        external: asked.external,
        account: outcome.receipt.account,
        top_up: top_up.id,
        lots: std::iter::once(credit).chain(gifts.map(|lot| lot.lot)).collect(),
        gross: outcome.gross,
        credited: outcome.credited,
        promotion: outcome.promotion,
    };
    let mut decision = Decision::event(asking, reply);
    decision.messages.push(Message::TakeBack(Box::new(message)));
    Ok(decision)
}

/// Remembers that a top-up is not to be sold. One that was sold is told, and nothing changes; so it is when it was refused
/// before, whatever the reason was.
pub(super) fn refuse(view: &impl View, asked: &RefuseTopUp, now: Timestamp) -> Decision {
    if let Some(top_up) = view.get(asked.key()).and_then(Entity::top_up) {
        return Decision::answer(Reply::TopUpAccepted { id: top_up.id });
    }
    if view.get(asked.idempotency()).is_some() {
        return Decision::answer(Reply::Done);
    }
    let kept = Event {
        key: asked.idempotency(),
        operator: OperatorId(0),
        at: now,
        body: EventBody::IdempotencyKept {
            external: u128::from(asked.reason),
        },
    };
    Decision::event(kept, Reply::Done)
}

/// In the sandbox nothing was used, and nothing moves.
fn rehearsed(view: &impl View, top_up: &TopUp, asking: Event, reply: Reply) -> Decision {
    let taken = Taken {
        gross: top_up.gross,
        unused: top_up
            .outcome
            .as_ref()
            .map_or(Money::ZERO, |outcome| outcome.credited),
        tax: top_up.outcome.as_ref().map_or(Money::ZERO, |outcome| outcome.tax),
    };
    let ended = Event {
        body: EventBody::TopUpReversal(Box::new(ReversalEvent::Ended {
            result: Ok(taken),
            commission: top_up.details.commission,
        })),
        ..asking.clone()
    };
    let told = callback(view, after(&after(top_up, &asking), &ended));
    let mut decision = Decision::event(asking, reply);
    decision.events.push(ended);
    decision.events.extend(told);
    decision
}

/// The account's part: what is unused leaves it, and the seller's partition is told.
pub(super) fn take_back(view: &impl View, asked: &TakeBack, now: Timestamp) -> Decision {
    let credit = (asked.gross, asked.credited, asked.promotion);
    let of = CreditOf::TopUp(asked.top_up);
    let taken = account_of(view, asked.account).and_then(|account| {
        let taken = unused_of(account, of, credit, &asked.lots, now).ok_or(Refusal::NothingLeft)?;
        Ok((account, taken))
    });
    let (mut decision, result) = match taken {
        Ok((account, taken)) => {
            let result = Ok(Taken {
                gross: taken.gross,
                unused: taken.unused,
                tax: taken.tax,
            });
            let event = account_event(account, now, EventBody::CreditTakenBack(Box::new(taken)));
            let mut decision = Decision::event(event, Reply::Done);
            decision.events.extend(recalled(view, account, &asked.lots, now));
            (decision, result)
        }
        Err(refusal) => (Decision::answer(Reply::Done), Err(refusal)),
    };
    decision.messages.push(Message::TakenBack {
        partner: asked.partner,
        external: asked.external,
        result,
    });
    decision
}

/// The float's part: it gets what the account gave, less the commission of that part.
pub(super) fn ended(
    view: &impl View,
    catalogs: &Catalogs,
    (partner, external): (PartnerId, u128),
    result: Result<Taken, Refusal>,
    now: Timestamp,
) -> Decision {
    let key = EntityKey::TopUp(partner, external);
    let open = view.get(key).and_then(Entity::top_up).filter(|top_up| {
        let reversal = top_up.after.reversal.as_ref();
        reversal.is_some_and(|reversal| reversal.state == ReversalState::Asked)
    });
    let Some(top_up) = open else {
        return Decision::answer(Reply::Done);
    };
    let event = |key, body| Event {
        key,
        operator: top_up.operator,
        at: now,
        body,
    };
    let mut decision = Decision::answer(Reply::Done);
    let mut commission = Money::ZERO;
    if let Ok(taken) = &result {
        commission = top_up.commission_of(taken.gross);
        let returned = EventBody::FloatReturned {
            amount: taken.gross,
            top_up: top_up.id,
        };
        // Before the commission, so that the float covers that at every step.
        decision.events.push(event(EntityKey::Partner(partner), returned));
        if commission.is_positive() {
            let channel = super::partner::channel_of(view, partner);
            let body = EventBody::CommissionPaid {
                amount: -commission,
                top_up: top_up.id,
                channel,
            };
            decision.events.push(event(EntityKey::Partner(partner), body));
        }
    }
    let (events, messages) = match &result {
        Ok(taken) => {
            let float = view.get(EntityKey::Partner(partner)).and_then(Entity::partner);
            let float = float.map_or(Money::ZERO, |partner| partner.float) + taken.gross - commission;
            super::chain::reversed(view, catalogs, (top_up, external), (taken.gross, float), now)
        }
        Err(_) => Default::default(),
    };
    let done = result.is_ok();
    let body = ReversalEvent::Ended { result, commission };
    let ended = event(key, EventBody::TopUpReversal(Box::new(body)));
    let told = done.then(|| callback(view, after(top_up, &ended))).flatten();
    decision.events.push(ended);
    decision.events.extend(told);
    decision.events.extend(events);
    decision.messages.extend(messages);
    decision
}
