//! Places, people, devices and limits of sellers.

use super::super::{Decision, View, partner};
use super::{Events, seller_of};
use crate::catalog::chain::Chain;
use crate::command::Message;
use crate::event::{Event, EventBody};
use crate::ids::{Code, EntityKey, PartnerId};
use crate::money::Money;
use crate::reply::{Refusal, Reply};
use crate::seller::event::Placed;
use crate::seller::limits::{
    AMOUNT_MAX, CHILDREN_MAX, DEPTH_MAX, DEVICES_MAX, NAME_BYTES_MAX, PIN_BYTES_MAX, STAFF_MAX,
};
use crate::seller::{ChainEvent, ChainMessage, OpenSeller, Place, Seller, SellerChange};
use crate::time::Timestamp;

/// Gives a partner its place: decided by the one above, which knows who is above itself.
pub(super) fn open(
    view: &impl View,
    chain: &Chain,
    asked: &OpenSeller,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    if asked.outlet.len() > NAME_BYTES_MAX {
        return Err(Refusal::TooMany);
    }
    let placed = |place: Place, above_blocked: Vec<PartnerId>| Placed {
        place,
        operator: asked.operator,
        outlet: asked.outlet.clone(),
        number: asked.number,
        language: asked.language,
        above_blocked,
    };
    let Some(parent) = asked.parent else {
        if asked.by.is_some() {
            return Err(Refusal::NotBelow);
        }
        chain.may_stand(asked.grade, None)?;
        partner::active(view, asked.partner)?;
        if seller_of(view, asked.partner).is_ok() {
            return Err(Refusal::SellerExists);
        }
        let place = Place {
            id: asked.partner,
            grade: asked.grade,
            above: Vec::new(),
        };
        return Ok(place_event(placed(place, Vec::new()), now));
    };
    let above = seller_of(view, parent)?;
    may_act(above, asked.by, true)?;
    if asked.by.is_some() {
        above.check_open()?;
    }
    chain.may_stand(asked.grade, Some(above.place.grade))?;
    if above.children.contains(&asked.partner) || asked.partner == parent {
        return Err(Refusal::SellerExists);
    }
    if above.children.len() >= CHILDREN_MAX || above.place.above.len() + 1 >= DEPTH_MAX {
        return Err(Refusal::TooMany);
    }
    let mut blocked = above.above_blocked.clone();
    if above.blocked {
        blocked.push(parent);
    }
    let placed = placed(above.place.below(asked.partner, asked.grade), blocked);
    let mut events = Events::of(above, now);
    events.seller(ChainEvent::ChildAdded(asked.partner));
    let message = Message::Chain(ChainMessage::Place(Box::new(placed)));
    Ok(events.decision(vec![message], Reply::Done))
}

/// Takes the place that the one above gave, unless there is one already or nobody to take it.
pub(super) fn place(view: &impl View, placed: &Placed, now: Timestamp) -> Decision {
    let id = placed.place.id;
    let free = seller_of(view, id).is_err() && partner::active(view, id).is_ok();
    if free {
        place_event(placed.clone(), now)
    } else {
        Decision::answer(Reply::Done)
    }
}

fn place_event(placed: Placed, now: Timestamp) -> Decision {
    let event = Event {
        key: EntityKey::Seller(placed.place.id),
        operator: placed.operator,
        at: now,
        body: EventBody::Chain(Box::new(ChainEvent::Placed(Box::new(placed)))),
    };
    Decision::event(event, Reply::Done)
}

/// A seller acts only below itself; some things it may do to itself, too.
fn may_act(seller: &Seller, by: Option<PartnerId>, itself: bool) -> Result<(), Refusal> {
    let allowed = match by {
        None => true,
        Some(by) if by == seller.place.id => itself,
        Some(by) => seller.place.is_below(by),
    };
    if allowed { Ok(()) } else { Err(Refusal::NotBelow) }
}

/// Bars a seller and everybody below it, or lets it go.
pub(super) fn block(
    view: &impl View,
    (id, on, by): (PartnerId, bool, Option<PartnerId>),
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let seller = seller_of(view, id)?;
    may_act(seller, by, false)?;
    if seller.blocked == on {
        return Ok(Decision::answer(Reply::Done));
    }
    let mut events = Events::of(seller, now);
    events.seller(ChainEvent::Blocked(on));
    Ok(events.decision(tell_children(seller, id, on), Reply::Done))
}

/// Hears that somebody above is blocked, or not any more, and says so further down.
pub(super) fn above_blocked(
    view: &impl View,
    (id, by, on): (PartnerId, PartnerId, bool),
    now: Timestamp,
) -> Decision {
    let changes = |seller: &&Seller| seller.place.is_below(by) && seller.above_blocked.contains(&by) != on;
    let Some(seller) = seller_of(view, id).ok().filter(changes) else {
        return Decision::answer(Reply::Done);
    };
    let mut events = Events::of(seller, now);
    events.seller(ChainEvent::AboveBlocked { by, on });
    events.decision(tell_children(seller, by, on), Reply::Done)
}

fn tell_children(seller: &Seller, by: PartnerId, on: bool) -> Vec<Message> {
    let tell = |child: &PartnerId| {
        Message::Chain(ChainMessage::AboveBlocked {
            seller: *child,
            by,
            on,
        })
    };
    seller.children.iter().map(tell).collect()
}

/// Changes what may be changed. Repeating a change answers the same and changes nothing.
pub(super) fn change(
    view: &impl View,
    (id, change, by): (PartnerId, &SellerChange, Option<PartnerId>),
    now: Timestamp,
) -> Result<Decision, Refusal> {
    let seller = seller_of(view, id)?;
    match change {
        // It is the operator whom the seller owes.
        SellerChange::CreditLine(_) if by.is_some() => return Err(Refusal::NotBelow),
        SellerChange::Limits(_) => may_act(seller, by, false)?,
        _ => may_act(seller, by, true)?,
    }
    if check(seller, change)? {
        let mut events = Events::of(seller, now);
        events.seller(ChainEvent::Changed(change.clone()));
        Ok(events.decision(Vec::new(), Reply::Done))
    } else {
        Ok(Decision::answer(Reply::Done))
    }
}

/// Whether a change may be made; false when it is so already.
fn check(seller: &Seller, change: &SellerChange) -> Result<bool, Refusal> {
    let amount = |amount: Money| match (0..=AMOUNT_MAX).contains(&amount.0) {
        true => Ok(()),
        false => Err(Refusal::AmountTooLarge),
    };
    let staff = |code: Code| seller.staff(code).ok_or(Refusal::NoSuchStaff);
    Ok(match change {
        SellerChange::Outlet(outlet) if outlet.len() > NAME_BYTES_MAX => return Err(Refusal::TooMany),
        SellerChange::Outlet(outlet) => *outlet != seller.outlet,
        SellerChange::Number(number, language, operator) => {
            (*number, *language, *operator) != (seller.number, seller.language, seller.operator)
        }
        SellerChange::Limits(limits) if !limits.is_valid() => return Err(Refusal::AmountTooLarge),
        SellerChange::Limits(limits) => *limits != seller.limits,
        SellerChange::CreditLine(line) => {
            amount(*line)?;
            *line != seller.credit_line
        }
        SellerChange::LowMark(mark) => {
            amount(*mark)?;
            *mark != seller.low_mark
        }
        SellerChange::Bound(on) => *on != seller.bound,
        SellerChange::Staff(new) => {
            let known = seller.staff(new.code);
            if new.code.is_empty() || new.name.len() > NAME_BYTES_MAX || new.pin.len() > PIN_BYTES_MAX {
                return Err(Refusal::TooMany);
            }
            if known.is_none() && seller.staff.len() >= STAFF_MAX {
                return Err(Refusal::TooMany);
            }
            known.is_none_or(|known| (&known.name, known.role) != (&new.name, new.role))
        }
        SellerChange::StaffRemoved(code) => staff(*code).map(|_| true)?,
        SellerChange::Pin { staff: code, pin, .. } => {
            staff(*code)?;
            if pin.is_empty() || pin.len() > PIN_BYTES_MAX {
                return Err(Refusal::TooMany);
            }
            true
        }
        SellerChange::PinTried(code) => {
            if staff(*code)?.is_locked() {
                return Err(Refusal::PinLocked);
            }
            true
        }
        SellerChange::PinRight(code) => staff(*code)?.strikes > 0,
        SellerChange::Device(device) => {
            let known = seller.device(device.code).is_some();
            if device.code.is_empty() || (!known && seller.devices.len() >= DEVICES_MAX) {
                return Err(Refusal::TooMany);
            }
            true
        }
        SellerChange::DeviceRemoved(code) => {
            seller.device(*code).map(|_| true).ok_or(Refusal::DeviceUnknown)?
        }
    })
}
