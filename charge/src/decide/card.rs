//! Scratch cards: batches and their ranges, shelves, redemptions, and what is remembered of wrong tries.

use super::{Decision, MONEY_MAX, View, catalog_of};
use crate::card::{
    BATCH_CARDS_MAX, BATCHES_MAX, BatchEvent, CHANGE_PARTS_MAX, CardBatch, CardChange, CardCopy, CardGuard,
    CardLock, CardNote, CardPart, CardReply, CardShelf, CardState, CardTry, CopyEvent, NewBatch, PENDING_MAX,
    PinHash, RANGES_MAX, RedeemCard, RegisterEvent, SHELVED_AT_ONCE_MAX, Serial, SetCards, ShelfEvent,
    ShelveCards, TRIED, TriedCard, homes,
};
use crate::catalog::Catalogs;
use crate::command::{Command, Funding, Message, Recharge};
use crate::event::{Event, EventBody};
use crate::ids::{Code, Entity, EntityKey, OperatorId};
use crate::money::Money;
use crate::promotion::ChannelClass;
use crate::reply::{Receipt, Refusal, Reply};
use crate::tax::RegionCode;
use crate::time::Timestamp;

/// Longest label of a batch, bytes.
const LABEL_BYTES_MAX: usize = 64;

/// Opens a batch under the next number, and tells every partition with shelves.
pub(super) fn open(
    view: &impl View,
    catalogs: &Catalogs,
    new: &NewBatch,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let catalog = catalog_of(catalogs, new.operator)?;
    if !catalog.cards.denominations.contains(&new.face) || new.face.0 > MONEY_MAX {
        return Err(Refusal::NoSuchDenomination);
    }
    let last = match view.get(EntityKey::CardRegister) {
        Some(Entity::CardRegister(register)) => register.batches,
        _ => 0,
    };
    let too_many = new.count > BATCH_CARDS_MAX || new.label.len() > LABEL_BYTES_MAX || last >= BATCHES_MAX;
    if too_many || new.count == 0 {
        return Err(Refusal::TooMany);
    }
    if new.expires_at <= now {
        return Err(Refusal::CardExpired);
    }
    let id = last + 1;
    let numbered = Event {
        key: EntityKey::CardRegister,
        operator: new.operator,
        at: now,
        body: EventBody::CardRegister(RegisterEvent::Numbered(id)),
    };
    let mut decision = Decision::event(numbered, Reply::CardBatch(id));
    let opened = BatchEvent::Opened(Box::new(new.clone()));
    decision.events.push(batch_event((id, new.operator), now, opened));
    decision.messages.extend(homes(new.partitions).map(|home| {
        let event = CopyEvent::Opened {
            face: new.face,
            count: new.count,
            expires_at: new.expires_at,
            partitions: new.partitions,
        };
        Message::CardCopy {
            batch: id,
            home,
            operator: new.operator,
            event,
        }
    }));
    Ok(decision)
}

/// Puts hashes on their shelves. A hash that is there already belongs to another card: its place is answered as a clash.
pub(super) fn shelve(view: &impl View, asked: &ShelveCards, now: Timestamp) -> Result<Decision, Refusal> {
    let copy = copy_of(view, asked.batch).ok_or(Refusal::NoSuchCardBatch)?;
    if asked.cards.len() > SHELVED_AT_ONCE_MAX {
        return Err(Refusal::TooMany);
    }
    let mut cards = asked.cards.clone();
    cards.sort_unstable();
    let mut clashes = Vec::new();
    let mut decision = Decision::answer(Reply::Done);
    for group in cards.chunk_by(|a, b| a.0.shelf() == b.0.shelf()) {
        let Some((first, _)) = group.first() else { continue };
        let key = first.key(asked.operator);
        if key.partition(copy.partitions) != view.home() {
            return Err(Refusal::Conflict);
        }
        let shelf = view.get(key).and_then(shelf_in);
        let mut fresh: Vec<(u64, u32)> = Vec::with_capacity(group.len());
        for (hash, place) in group {
            let serial = Serial {
                batch: asked.batch,
                place: *place,
            };
            let known = shelf.and_then(|shelf| shelf.find(*hash)).map(|card| card.serial);
            let twice = fresh.last().is_some_and(|(rest, _)| *rest == hash.rest());
            if *place >= copy.count || twice || known.is_some_and(|known| known != serial) {
                clashes.push(*place);
            } else if known.is_none() {
                fresh.push((hash.rest(), *place));
            }
        }
        if !fresh.is_empty() {
            let shelved = ShelfEvent::Shelved {
                batch: asked.batch,
                cards: fresh,
            };
            decision
                .events
                .push(shelf_event(key, asked.operator, now, shelved));
        }
    }
    decision.reply = Reply::CardsShelved { clashes };
    Ok(decision)
}

/// Every hash is on its shelf.
pub(super) fn ready(view: &impl View, id: u32, now: Timestamp) -> Result<Decision, Refusal> {
    let batch = batch_of(view, id)?;
    if batch.ready {
        return Ok(Decision::answer(Reply::Done));
    }
    if batch.version > 0 {
        return Err(Refusal::BadTransition);
    }
    let event = batch_event((id, batch.operator), now, BatchEvent::Ready);
    Ok(Decision::event(event, Reply::Done))
}

/// Gives the export out: once.
pub(super) fn export(view: &impl View, id: u32, now: Timestamp) -> Result<Decision, Refusal> {
    let batch = batch_of(view, id)?;
    if !batch.ready || batch.exported_at.is_some() {
        return Err(Refusal::BadTransition);
    }
    let exported = batch_event((id, batch.operator), now, BatchEvent::Exported);
    let mut decision = Decision::event(exported, Reply::Done);
    let printed = parts_for(batch, None, CardState::Printed, Code::EMPTY)?;
    if !printed.is_empty() {
        decision
            .events
            .push(changed(batch, (printed, CardState::Printed), Code::EMPTY, now).0);
    }
    Ok(decision)
}

/// Changes the state of ranges.
pub(super) fn set(view: &impl View, asked: &SetCards, now: Timestamp) -> Result<Decision, Refusal> {
    let batch = batch_of(view, asked.batch)?;
    let recall = asked.state == CardState::Recalled;
    let shipped_to_nobody = asked.state == CardState::Shipped && asked.dealer.is_empty();
    // An export prints, and time expires: nobody says so.
    let by_itself = matches!(
        asked.state,
        CardState::Generated | CardState::Printed | CardState::Expired
    );
    if by_itself || shipped_to_nobody || (!batch.ready && !recall) {
        return Err(Refusal::BadTransition);
    }
    if asked
        .part
        .is_some_and(|part| part.is_empty() || part.end > batch.count)
    {
        return Err(Refusal::NoSuchCard);
    }
    if asked.state == CardState::Active && (batch.expired || now >= batch.expires_at) {
        return Err(Refusal::CardExpired);
    }
    let parts = parts_for(batch, asked.part, asked.state, asked.dealer)?;
    let full = batch.ranges.len() + 2 * parts.len() > RANGES_MAX || batch.pending.len() >= PENDING_MAX;
    if parts.len() > CHANGE_PARTS_MAX || full {
        return Err(Refusal::TooMany);
    }
    if parts.is_empty() {
        return Ok(Decision::answer(Reply::CardsChanged { cards: 0 }));
    }
    let cards = parts.iter().map(|part| part.len()).sum();
    let mut decision = Decision::answer(Reply::CardsChanged { cards });
    let (event, messages) = changed(batch, (parts, asked.state), asked.dealer, now);
    decision.events.push(event);
    decision.messages.extend(messages);
    Ok(decision)
}

/// The time of a batch has come, or staff end it early: what is unused becomes breakage.
pub(super) fn expire(view: &impl View, id: u32, early: bool, now: Timestamp) -> Result<Decision, Refusal> {
    let batch = batch_of(view, id)?;
    if batch.expired || (now < batch.expires_at && !early) {
        return Ok(Decision::answer(Reply::CardsChanged { cards: 0 }));
    }
    let parts = parts_for(batch, None, CardState::Expired, Code::EMPTY)?;
    let cards = parts.iter().map(|part| part.len()).sum();
    let mut decision = Decision::answer(Reply::CardsChanged { cards });
    let (event, messages) = changed(batch, (parts, CardState::Expired), Code::EMPTY, now);
    decision.events.push(event);
    decision.messages.extend(messages);
    Ok(decision)
}

/// Which cards a change is for. A range that was named must fit as a whole; what is over already stays as it is.
fn parts_for(
    batch: &CardBatch,
    asked: Option<CardPart>,
    state: CardState,
    dealer: Code,
) -> Result<Vec<CardPart>, Refusal> {
    let whole = asked.unwrap_or(CardPart {
        start: 0,
        end: batch.count,
    });
    let mut parts = Vec::new();
    for (part, range) in batch.parts() {
        let part = CardPart {
            start: part.start.max(whole.start),
            end: part.end.min(whole.end),
        };
        if part.is_empty() || range.state == state {
            continue;
        }
        let of_others = state != CardState::Shipped && !dealer.is_empty() && range.dealer != dealer;
        if !of_others && range.state.may_become(state) {
            parts.push(part);
        } else if asked.is_some() && (of_others || !(state.is_over() && range.state.is_over())) {
            return Err(Refusal::BadTransition);
        }
    }
    Ok(parts)
}

/// The event of a change, and what partitions must be told.
fn changed(
    batch: &CardBatch,
    (parts, state): (Vec<CardPart>, CardState),
    dealer: Code,
    now: Timestamp,
) -> (Event, Vec<Message>) {
    let change = CardChange {
        version: batch.version + 1,
        parts,
        state,
    };
    let live = match state.is_over() {
        true => live_in(batch, &change.parts),
        false => Vec::new(),
    };
    let told = (state == CardState::Active || state.is_over()) && !change.parts.is_empty();
    let cards: i64 = change.parts.iter().map(|part| i64::from(part.len())).sum();
    let issued = match state {
        CardState::Active => Money(batch.face.0 * cards),
        _ => Money::ZERO,
    };
    let messages = homes(batch.partitions)
        .filter(|_| told)
        .map(|home| Message::CardCopy {
            batch: batch.id,
            home,
            operator: batch.operator,
            event: CopyEvent::Changed(change.clone()),
        });
    let messages = messages.collect();
    let event = BatchEvent::Changed {
        change,
        dealer: if state == CardState::Shipped {
            dealer
        } else {
            Code::EMPTY
        },
        live,
        told,
        issued,
        expires: state == CardState::Expired,
    };
    (batch_event((batch.id, batch.operator), now, event), messages)
}

/// What of some parts can be redeemed now.
fn live_in(batch: &CardBatch, parts: &[CardPart]) -> Vec<CardPart> {
    let mut live = Vec::new();
    for (part, _) in batch.parts().filter(|(_, range)| range.state.is_live()) {
        live.extend(parts.iter().filter_map(|other| {
            let both = CardPart {
                start: part.start.max(other.start),
                end: part.end.min(other.end),
            };
            (!both.is_empty()).then_some(both)
        }));
    }
    live
}

/// A partition gets what has become of a batch, and says so.
pub(super) fn copy(
    view: &impl View,
    (batch, home, operator): (u32, u16, OperatorId),
    event: &CopyEvent,
    now: Timestamp,
) -> Decision {
    let known = copy_of(view, batch).is_some();
    if known == matches!(event, CopyEvent::Opened { .. }) {
        return Decision::answer(Reply::Done);
    }
    let taken = Event {
        key: EntityKey::CardCopy(batch, home),
        operator,
        at: now,
        body: EventBody::CardCopy(Box::new(event.clone())),
    };
    let mut decision = Decision::event(taken, Reply::Done);
    if let CopyEvent::Changed(change) = event {
        decision.messages.push(Message::CardConfirmed {
            batch,
            home,
            version: change.version,
        });
    }
    decision
}

/// A partition has a change. Messages of two partitions stay in order: when all have it, every card of these ranges that
/// was taken before is known here, so that the rest can be counted.
pub(super) fn confirmed(view: &impl View, (id, home, version): (u32, u16, u32), now: Timestamp) -> Decision {
    let Ok(batch) = batch_of(view, id) else {
        return Decision::answer(Reply::Done);
    };
    let pending = batch.pending.iter().find(|pending| pending.version == version);
    let Some(pending) = pending.filter(|pending| pending.waiting.contains(&home)) else {
        return Decision::answer(Reply::Done);
    };
    let of = (id, batch.operator);
    let event = batch_event(of, now, BatchEvent::Confirmed { version, home });
    let mut decision = Decision::event(event, Reply::Done);
    if pending.waiting.len() == 1 && !pending.live.is_empty() {
        let unused = batch.unused_in(&pending.live);
        let lapsed = BatchEvent::Lapsed {
            version,
            unused,
            value: Money(batch.face.0 * i64::from(unused)),
            state: pending.state,
        };
        decision.events.push(batch_event(of, now, lapsed));
    }
    decision
}

/// Redeems a card: its shelf decides alone, by what it holds and by the copy of the batch beside it.
pub(super) fn redeem(view: &impl View, asked: &RedeemCard, now: Timestamp) -> Result<Decision, Refusal> {
    let key = asked.hash.key(asked.operator);
    let shelf = view.get(key).and_then(shelf_in).ok_or(Refusal::NoSuchCard)?;
    let card = shelf.find(asked.hash).ok_or(Refusal::NoSuchCard)?;
    let copy = copy_of(view, card.serial.batch).ok_or(Refusal::NoSuchCard)?;
    let mut reply = CardReply {
        serial: card.serial,
        face: copy.face,
        at: now,
        repeated: false,
        receipt: None,
    };
    if let Some(taken) = shelf.taken(asked.hash) {
        if taken.account != asked.account {
            return Err(Refusal::CardUsed);
        }
        reply = CardReply {
            at: taken.at,
            repeated: true,
            receipt: taken.receipt,
            ..reply
        };
        return Ok(Decision::answer(Reply::Card(reply)));
    }
    if let Some(refusal) = copy.refusal(card.serial.place, now) {
        return Err(refusal);
    }
    let taken = ShelfEvent::Taken {
        rest: asked.hash.rest(),
        account: asked.account,
        face: copy.face,
    };
    let mut decision = Decision::event(shelf_event(key, asked.operator, now, taken), Reply::Card(reply));
    decision.messages.push(Message::CardNoted {
        serial: card.serial,
        face: copy.face,
        note: CardNote::Used,
    });
    // The last one: whoever asked is answered when it has arrived.
    decision.messages.push(Message::Credit {
        external: u128::from(asked.hash.0),
        recharge: Recharge {
            account: asked.account,
            source: card.serial.source(),
            reference: card.serial.to_string(),
            funding: Funding::Card {
                operator: asked.operator,
                hash: asked.hash,
                channel: asked.channel,
            },
            gross: copy.face,
            region: RegionCode::EMPTY,
            campaign: Code::EMPTY,
            class: ChannelClass::Voucher,
        },
    });
    Ok(decision)
}

/// The account has said how the credit went.
pub(super) fn credited(
    view: &impl View,
    (operator, hash, face): (OperatorId, PinHash, Money),
    outcome: Result<Receipt, Refusal>,
    now: Timestamp,
) -> Decision {
    let key = hash.key(operator);
    let found = view.get(key).and_then(shelf_in).and_then(|shelf| {
        let open = shelf.taken(hash)?;
        shelf.find(hash).filter(|_| open.receipt.is_none())
    });
    let Some(card) = found else {
        return Decision::answer(Reply::Done);
    };
    let rest = hash.rest();
    match outcome {
        Ok(receipt) => {
            let settled = ShelfEvent::Settled {
                rest,
                receipt: receipt.event,
            };
            Decision::event(shelf_event(key, operator, now, settled), Reply::Done)
        }
        Err(_) => {
            let returned = ShelfEvent::Returned { rest, face };
            let mut decision = Decision::event(shelf_event(key, operator, now, returned), Reply::Done);
            decision.messages.push(Message::CardNoted {
                serial: card.serial,
                face,
                note: CardNote::CameBack,
            });
            decision
        }
    }
}

/// A batch hears of one of its cards.
pub(super) fn noted(view: &impl View, (serial, note): (Serial, CardNote), now: Timestamp) -> Decision {
    let Ok(batch) = batch_of(view, serial.batch) else {
        return Decision::answer(Reply::Done);
    };
    let place = serial.place;
    let event = match note {
        CardNote::Used => BatchEvent::Used { place },
        CardNote::CameBack => {
            // As long as the change is not settled, it will be counted there.
            let counted = batch.pending.iter().any(|pending| {
                let mut parts = pending.live.iter();
                parts.any(|part| (part.start..part.end).contains(&place))
            });
            let state = batch.range_of(place).map(|range| range.state);
            BatchEvent::CameBack {
                place,
                lapsed: state.filter(|state| state.is_over() && !counted),
                value: batch.face,
            }
        }
        CardNote::Tried(tried) => BatchEvent::Tried(tried),
    };
    Decision::event(batch_event((batch.id, batch.operator), now, event), Reply::Done)
}

/// Remembers a try. Tries that come while the number is locked change nothing: they were under way before.
pub(super) fn tried(view: &impl View, tried: &CardTry, now: Timestamp) -> Decision {
    let key = EntityKey::CardGuard(tried.account, tried.own);
    let guard = match view.get(key) {
        Some(Entity::CardGuard(guard)) => **guard,
        _ => CardGuard::default(),
    };
    let locked = now < guard.locked_until;
    let Some(refusal) = tried.wrong else {
        if guard.wrong == 0 || locked {
            return Decision::answer(Reply::Done);
        }
        return Decision::event(guard_event(key, guard.after_good(now), now), Reply::Done);
    };
    if locked {
        return Decision::answer(Reply::Done);
    }
    let after = guard.after_wrong(now);
    let mut decision = Decision::event(guard_event(key, after, now), Reply::Done);
    if after.locked_until > guard.locked_until {
        decision.messages.push(Message::CardLocked(CardLock {
            account: tried.account,
            own: tried.own,
            at: now,
            until: after.locked_until,
            wrong_total: after.wrong_total,
        }));
    }
    let kind = TRIED.iter().position(|known| *known == refusal);
    if let Some((serial, kind)) = tried.card.zip(kind) {
        let note = TriedCard {
            account: tried.account,
            place: serial.place,
            kind: u8::try_from(kind).unwrap_or(0),
            at: now,
        };
        decision.messages.push(Message::CardNoted {
            serial,
            face: Money::ZERO,
            note: CardNote::Tried(note),
        });
    }
    decision
}

/// A number was locked: for the view of staff.
pub(super) fn locked(lock: CardLock, now: Timestamp) -> Decision {
    let event = Event {
        key: EntityKey::CardRegister,
        operator: OperatorId(0),
        at: now,
        body: EventBody::CardRegister(RegisterEvent::Locked(lock)),
    };
    Decision::event(event, Reply::Done)
}

fn batch_of(view: &impl View, id: u32) -> Result<&CardBatch, Refusal> {
    match view.get(EntityKey::CardBatch(id)) {
        Some(Entity::CardBatch(batch)) => Ok(batch),
        _ => Err(Refusal::NoSuchCardBatch),
    }
}

/// This partition's copy of a batch.
fn copy_of(view: &impl View, batch: u32) -> Option<&CardCopy> {
    match view.get(EntityKey::CardCopy(batch, view.home())) {
        Some(Entity::CardCopy(copy)) => Some(copy),
        _ => None,
    }
}

fn shelf_in(entity: &Entity) -> Option<&CardShelf> {
    match entity {
        Entity::CardShelf(shelf) => Some(shelf),
        _ => None,
    }
}

/// The copy of a batch that a command needs: of which batch a card is, is known only when its shelf is there.
pub(super) fn also_reads(view: &impl View, command: &Command) -> Option<EntityKey> {
    let batch = match command {
        Command::RedeemCard(asked) => {
            let shelf = view.get(asked.hash.key(asked.operator)).and_then(shelf_in);
            shelf?.find(asked.hash)?.serial.batch
        }
        Command::ShelveCards(asked) => asked.batch,
        _ => return None,
    };
    Some(EntityKey::CardCopy(batch, view.home()))
}

fn batch_event((id, operator): (u32, OperatorId), at: Timestamp, event: BatchEvent) -> Event {
    Event {
        key: EntityKey::CardBatch(id),
        operator,
        at,
        body: EventBody::CardBatch(Box::new(event)),
    }
}

fn shelf_event(key: EntityKey, operator: OperatorId, at: Timestamp, event: ShelfEvent) -> Event {
    Event {
        key,
        operator,
        at,
        body: EventBody::CardShelf(Box::new(event)),
    }
}

fn guard_event(key: EntityKey, guard: CardGuard, at: Timestamp) -> Event {
    Event {
        key,
        operator: OperatorId(0),
        at,
        body: EventBody::CardGuard(Box::new(guard)),
    }
}
