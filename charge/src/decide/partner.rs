//! Partners: floats, keys, and top-ups sold from the float.

use super::chain;
use super::terms::{after, callback, terms_of};
use super::{Decision, KEYS_MAX, MONEY_MAX, View, catalog_of};
use crate::catalog::Catalogs;
use crate::command::{Funding, Message, OpenPartner, Recharge, TopUpRequest};
use crate::event::{Event, EventBody, PartnerOpened};
use crate::ids::{Code, Entity, EntityKey, LotId, OperatorId, PartnerId, SourceId};
use crate::money::Money;
use crate::partner::{ApiKey, Partner, TopUp, TopUpState};
use crate::reply::{RechargeOutcome, Refusal, Reply};
use crate::reversal::Afterwards;
use crate::tax::RegionCode;
use crate::terms::{CALLBACK_URL_BYTES_MAX, CommissionKind, CommissionRule, TopUpDetails};
use crate::time::Timestamp;

/// Sells a recharge: the float is debited into transit, the credit is sent to the subscriber's partition.
pub(super) fn top_up(
    view: &impl View,
    catalogs: &Catalogs,
    request: &TopUpRequest,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let body = request.body();
    let known = view.get(request.key()).and_then(Entity::top_up);
    if let Some(Entity::Idempotency(external)) = view.get(request.idempotency())
        && (*external != request.external_digest() || known.is_some_and(|top_up| top_up.body != body))
    {
        return Err(Refusal::Conflict);
    }
    if let Some(top_up) = known {
        let same = top_up.body == body;
        return if same {
            Ok(Decision::answer(Reply::TopUpAccepted { id: top_up.id }))
        } else {
            Err(Refusal::ExternalIdUsed)
        };
    }
    let partner = active(view, request.partner)?;
    let mut details = details_of(view, request, now)?;
    let selling = chain::prepare(view, catalogs, (request, partner), &mut details, now)?;
    let drawn = selling.as_ref().map_or(Money::ZERO, |selling| selling.drawn);
    check_limits((partner, drawn), catalogs, request, &details, now)?;
    let top_up = TopUp {
        id: request.id,
        partner: partner.id,
        external_id: request.external_id.clone(),
        body,
        msisdn: request.msisdn,
        account: request.account,
        operator: request.operator,
        gross: request.gross,
        state: TopUpState::Submitted,
        created_at: now,
        updated_at: now,
        outcome: None,
        reason: None,
        details,
        after: Afterwards {
            connector: request.connector,
            ..Afterwards::default()
        },
    };
    let event = |key, body| Event {
        key,
        operator: request.operator,
        at: now,
        body,
    };
    if request.test {
        return Ok(rehearsal(request, top_up, event));
    }
    let upfront = commission(&top_up, CommissionKind::Upfront, partner.code);
    let debited = EventBody::FloatDebited {
        amount: request.gross,
        top_up: request.id,
        day: utc_day(now),
    };
    let mut decision = Decision::event(
        event(EntityKey::Partner(partner.id), debited),
        Reply::TopUpAccepted { id: request.id },
    );
    // Before the debit, so that the float covers it at every step.
    if let Some(upfront) = upfront {
        decision
            .events
            .insert(0, event(EntityKey::Partner(partner.id), upfront));
    }
    decision
        .events
        .push(event(request.key(), EventBody::TopUpCreated(Box::new(top_up))));
    let kept = EventBody::IdempotencyKept {
        external: request.external_digest(),
    };
    decision.events.push(event(request.idempotency(), kept));
    if let Some(selling) = selling {
        decision.events.insert_many(0, selling.before);
        decision.events.extend(selling.after);
    }
    if !request.connector.is_empty() {
        return Ok(decision);
    }
    decision.messages.push(credit(request, partner));
    Ok(decision)
}

/// What the subscriber's partition is asked for.
fn credit(request: &TopUpRequest, partner: &Partner) -> Message {
    Message::Credit {
        external: request.external_digest(),
        recharge: Recharge {
            account: request.account,
            source: SourceId(request.id),
            reference: format!("{:032x}", request.id),
            funding: Funding::InTransit {
                partner: partner.id,
                channel: partner.code,
            },
            gross: request.gross,
            region: RegionCode::EMPTY,
            campaign: request.campaign,
            class: request.class,
        },
    }
}

/// What the partner's terms say about a sale.
fn details_of(view: &impl View, request: &TopUpRequest, now: Timestamp) -> Result<TopUpDetails, Refusal> {
    let terms = terms_of(view, request.partner, request.test);
    if request.callback_url.len() > CALLBACK_URL_BYTES_MAX {
        return Err(Refusal::TooMany);
    }
    if !request.callback_url.is_empty() && terms.is_none_or(|terms| terms.secrets.is_empty()) {
        return Err(Refusal::NoCallbackSecret);
    }
    let rule = terms.map_or(CommissionRule::NONE, |terms| terms.commission_at(now));
    Ok(TopUpDetails {
        callback_url: request.callback_url.clone(),
        commission: rule.on(request.gross),
        commission_kind: rule.kind,
        test: request.test,
    })
}

/// A sale of the sandbox: remembered like a real one, and nothing moves.
fn rehearsal(
    request: &TopUpRequest,
    top_up: TopUp,
    event: impl Fn(EntityKey, EventBody) -> Event,
) -> Decision {
    let created = event(request.key(), EventBody::TopUpCreated(Box::new(top_up)));
    let mut decision = Decision::event(created, Reply::TopUpAccepted { id: request.id });
    let kept = EventBody::IdempotencyKept {
        external: request.external_digest(),
    };
    decision.events.push(event(request.idempotency(), kept));
    decision
}

/// The commission of a top-up as an event, when it is of this kind and not nothing.
fn commission(top_up: &TopUp, kind: CommissionKind, channel: Code) -> Option<EventBody> {
    let details = &top_up.details;
    (details.commission_kind == kind && details.commission.is_positive()).then_some(
        EventBody::CommissionPaid {
            amount: details.commission,
            top_up: top_up.id,
            channel,
        },
    )
}

fn check_limits(
    (partner, drawn): (&Partner, Money),
    catalogs: &Catalogs,
    request: &TopUpRequest,
    details: &TopUpDetails,
    now: Timestamp,
) -> Result<(), Refusal> {
    let catalog = catalog_of(catalogs, request.operator)?;
    if !partner.operators.is_empty() && !partner.operators.contains(&request.operator) {
        return Err(Refusal::OperatorNotAllowed);
    }
    if request.gross < partner.minimum.max(catalog.recharge.minimum) || !request.gross.is_positive() {
        return Err(Refusal::AmountTooSmall);
    }
    let own_maximum = if partner.maximum.is_positive() {
        partner.maximum
    } else {
        Money(MONEY_MAX)
    };
    if request.gross > own_maximum.min(catalog.recharge.maximum) {
        return Err(Refusal::AmountTooLarge);
    }
    if request.test {
        return Ok(());
    }
    let sold = if partner.day == utc_day(now) {
        partner.sold_today
    } else {
        Money::ZERO
    };
    if partner.per_day.is_positive() && sold + request.gross > partner.per_day {
        return Err(Refusal::DailyLimit);
    }
    let upfront = match details.commission_kind {
        CommissionKind::Upfront => details.commission,
        CommissionKind::OnSale => Money::ZERO,
    };
    if partner.float + upfront + drawn < request.gross {
        Err(Refusal::InsufficientFloat)
    } else {
        Ok(())
    }
}

/// Ends a top-up with what the subscriber's partition said.
pub(super) fn settle(
    view: &impl View,
    catalogs: &Catalogs,
    (partner, external): (PartnerId, u128),
    (outcome, lot): (&Result<RechargeOutcome, Refusal>, Option<LotId>),
    now: Timestamp,
) -> Decision {
    let key = EntityKey::TopUp(partner, external);
    let open = view
        .get(key)
        .and_then(Entity::top_up)
        .filter(|top_up| !top_up.state.is_final());
    let Some(top_up) = open else {
        return Decision::answer(Reply::Done);
    };
    let event = |key, body| Event {
        key,
        operator: top_up.operator,
        at: now,
        body,
    };
    let settled = EventBody::FloatSettled {
        amount: top_up.gross,
        top_up: top_up.id,
        credited: outcome.is_ok(),
    };
    let mut decision = Decision::event(event(EntityKey::Partner(partner), settled), Reply::Done);
    decision
        .events
        .extend(earned(view, top_up, outcome.is_ok()).map(|body| event(EntityKey::Partner(partner), body)));
    let ended = event(
        key,
        EventBody::TopUpSettled {
            outcome: outcome.clone(),
            lot,
        },
    );
    let told = callback(view, after(top_up, &ended));
    decision.events.push(ended);
    decision.events.extend(told);
    let (events, messages) = chain::ended(view, catalogs, (top_up, external), outcome.is_ok(), now);
    decision.events.extend(events);
    decision.messages.extend(messages);
    decision
}

/// What the end of a sale does to its commission: given when it is earned with the sale, given back when it was paid for
/// nothing.
fn earned(view: &impl View, top_up: &TopUp, credited: bool) -> Option<EventBody> {
    let channel = channel_of(view, top_up.partner);
    if credited {
        return commission(top_up, CommissionKind::OnSale, channel);
    }
    match commission(top_up, CommissionKind::Upfront, channel) {
        Some(EventBody::CommissionPaid {
            amount,
            top_up,
            channel,
        }) => Some(EventBody::CommissionPaid {
            amount: -amount,
            top_up,
            channel,
        }),
        other => other,
    }
}

/// The code of a partner.
pub(super) fn channel_of(view: &impl View, partner: PartnerId) -> Code {
    let found = view.get(EntityKey::Partner(partner)).and_then(Entity::partner);
    found.map_or(Code::EMPTY, |partner| partner.code)
}

/// Ends a top-up with what another operator said. Its word counts once.
pub(super) fn delivered(
    view: &impl View,
    catalogs: &Catalogs,
    (partner, external): (PartnerId, u128),
    result: &Result<String, Refusal>,
    now: Timestamp,
) -> Decision {
    let key = EntityKey::TopUp(partner, external);
    let open = view
        .get(key)
        .and_then(Entity::top_up)
        .filter(|top_up| !top_up.state.is_final() && !top_up.after.connector.is_empty());
    let Some(top_up) = open else {
        return Decision::answer(Reply::Done);
    };
    let reference = match result {
        Ok(reference) => super::payment::short(reference),
        Err(refusal) => {
            let ended = (&Err(*refusal), None);
            return settle(view, catalogs, (partner, external), ended, now);
        }
    };
    let event = |key, body| Event {
        key,
        operator: top_up.operator,
        at: now,
        body,
    };
    let paid = EventBody::FloatDelivered {
        amount: top_up.gross,
        top_up: top_up.id,
        connector: top_up.after.connector,
    };
    let mut decision = Decision::event(event(EntityKey::Partner(partner), paid), Reply::Done);
    decision
        .events
        .extend(earned(view, top_up, true).map(|body| event(EntityKey::Partner(partner), body)));
    let ended = event(key, EventBody::TopUpDelivered { reference });
    let told = callback(view, after(top_up, &ended));
    decision.events.push(ended);
    decision.events.extend(told);
    let (events, messages) = chain::ended(view, catalogs, (top_up, external), true, now);
    decision.events.extend(events);
    decision.messages.extend(messages);
    decision
}

/// Creates a partner.
pub(super) fn open(view: &impl View, open: &OpenPartner, now: Timestamp) -> Result<Decision, Refusal> {
    if view.get(EntityKey::Partner(open.partner)).is_some() {
        return Err(Refusal::PartnerExists);
    }
    let amounts = [open.minimum, open.maximum, open.per_day];
    if amounts.iter().any(|amount| !(0..=MONEY_MAX).contains(&amount.0)) {
        return Err(Refusal::AmountTooLarge);
    }
    let opened = PartnerOpened {
        partner: open.partner,
        name: open.name.clone(),
        code: open.code,
        operators: open.operators.clone(),
        minimum: open.minimum,
        maximum: open.maximum,
        per_day: open.per_day,
        key: open.key.clone(),
    };
    Ok(done(
        open.partner,
        now,
        EventBody::PartnerOpened(Box::new(opened)),
    ))
}

/// Adds an API key.
pub(super) fn add_key(
    view: &impl View,
    id: PartnerId,
    key: &ApiKey,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let partner = active(view, id)?;
    if partner.keys.len() >= KEYS_MAX {
        return Err(Refusal::TooMany);
    }
    if partner.keys.iter().any(|other| other.id == key.id) {
        return Err(Refusal::BadKey);
    }
    Ok(done(id, now, EventBody::KeyAdded(key.clone())))
}

/// Stops an API key.
pub(super) fn revoke_key(
    view: &impl View,
    id: PartnerId,
    key: Code,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let partner = active(view, id)?;
    match partner.keys.iter().find(|other| other.id == key) {
        None => Err(Refusal::BadKey),
        Some(known) if known.revoked_at.is_some() => Ok(Decision::answer(Reply::Done)),
        Some(_) => Ok(done(id, now, EventBody::KeyRevoked(key))),
    }
}

/// Puts money into a float or takes it out; never below zero.
pub(super) fn fund(
    view: &impl View,
    (id, amount, source, reference): (PartnerId, Money, SourceId, &String),
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let partner = active(view, id)?;
    if let Some((_, known)) = partner.recent.iter().find(|(known, _)| *known == source) {
        let same = *known == amount.0.cast_unsigned();
        return if same {
            Ok(Decision::answer(Reply::Done))
        } else {
            Err(Refusal::Conflict)
        };
    }
    if amount.0.unsigned_abs() > MONEY_MAX.unsigned_abs()
        || partner.float.0.saturating_add(amount.0) > MONEY_MAX.saturating_mul(1000)
    {
        return Err(Refusal::AmountTooLarge);
    }
    if (partner.float + amount).0 < 0 {
        return Err(Refusal::InsufficientFloat);
    }
    let mut decision = done(
        id,
        now,
        EventBody::FloatFunded {
            amount,
            source,
            reference: reference.clone(),
        },
    );
    decision.events.extend(chain::funded(view, partner, amount, now));
    Ok(decision)
}

pub(super) fn active(view: &impl View, id: PartnerId) -> Result<&Partner, Refusal> {
    let partner = view.get(EntityKey::Partner(id)).and_then(Entity::partner);
    partner
        .filter(|partner| partner.active)
        .ok_or(Refusal::PartnerNotActive)
}

fn done(id: PartnerId, now: Timestamp, body: EventBody) -> Decision {
    Decision::event(
        Event {
            key: EntityKey::Partner(id),
            operator: OperatorId(0),
            at: now,
            body,
        },
        Reply::Done,
    )
}

fn utc_day(now: Timestamp) -> i64 {
    now.0.div_euclid(crate::time::DAY)
}
