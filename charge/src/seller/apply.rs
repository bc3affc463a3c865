//! Events of the chain to state. Total and silent, like all of [`crate::apply`](mod@crate::apply).

use super::event::{ChainEvent, Gave, Placed, Sold};
use super::limits::{BONUSES_MAX, LOTS_MAX, RECENT_MAX};
use super::{MoveState, RecentSale, Seller, SellerChange, StockLot, StockMove};
use crate::ids::{Entity, SourceId};
use crate::money::Money;
use crate::partner::{FUNDINGS_REMEMBERED, Partner};
use crate::time::Timestamp;

/// Applies an event to its entity.
///
/// # Panics
/// When it does not belong to the entity: a broken journal must stop, not guess.
pub(crate) fn apply(slot: &mut Option<Entity>, event: &ChainEvent, at: Timestamp) {
    match (event, slot.as_mut()) {
        (ChainEvent::Placed(placed), None) => *slot = Some(Entity::Seller(Box::new(seller_of(placed)))),
        (ChainEvent::MoveCreated(asked), None) => *slot = Some(Entity::Move(asked.clone())),
        (ChainEvent::SaleKept(sale), None) => *slot = Some(Entity::Sale(sale.clone())),
        (_, Some(Entity::Seller(seller))) => apply_seller(seller, event, at),
        (_, Some(Entity::Partner(partner))) => apply_partner(partner, event),
        (ChainEvent::MoveSettled(result), Some(Entity::Move(asked))) => {
            asked.updated_at = at;
            settle(asked, result);
        }
        (ChainEvent::SaleTaken { gross, taken }, Some(Entity::Sale(sale))) => {
            sale.reversed += *gross;
            sale.taken.resize(sale.overrides.len(), Money::ZERO);
            for (sum, amount) in sale.taken.iter_mut().zip(taken) {
                *sum += *amount;
            }
        }
        _ => panic!("the event of the chain does not fit its entity"),
    }
}

fn settle(asked: &mut StockMove, result: &Result<Money, crate::reply::Refusal>) {
    match result {
        Ok(commission) => {
            asked.state = MoveState::Completed;
            asked.commission = *commission;
        }
        Err(refusal) => {
            asked.state = MoveState::Declined;
            asked.reason = Some(refusal.code());
        }
    }
    asked.lots.clear();
}

fn seller_of(placed: &Placed) -> Seller {
    Seller {
        outlet: placed.outlet.clone(),
        number: placed.number,
        language: placed.language,
        above_blocked: placed.above_blocked.clone(),
        version: 1,
        ..Seller::new(placed.place.clone(), placed.operator)
    }
}

fn apply_seller(seller: &mut Seller, event: &ChainEvent, at: Timestamp) {
    seller.version += 1;
    match event {
        ChainEvent::ChildAdded(child) => seller.children.push(*child),
        ChainEvent::Blocked(on) => seller.blocked = *on,
        ChainEvent::AboveBlocked { by, on } => {
            seller.above_blocked.retain(|other| other != by);
            if *on {
                seller.above_blocked.push(*by);
            }
        }
        ChainEvent::Changed(change) => apply_change(seller, change),
        ChainEvent::Sold(sold) => apply_sold(seller, sold, at),
        ChainEvent::SaleEnded {
            gross,
            when,
            credited,
        } => {
            let tallies = &mut seller.tallies;
            if *credited {
                tallies.done_day.add(when.day, *gross);
                tallies.done_month.add(when.month, *gross);
            } else {
                tallies.sold_day.undo(when.day, *gross, 1);
                tallies.sold_month.undo(when.month, *gross, 1);
            }
        }
        ChainEvent::SaleReversed { gross, when, whole } => {
            let (tallies, count) = (&mut seller.tallies, u32::from(*whole));
            for tally in [&mut tallies.sold_day, &mut tallies.done_day] {
                tally.undo(when.day, *gross, count);
            }
            for tally in [&mut tallies.sold_month, &mut tallies.done_month] {
                tally.undo(when.month, *gross, count);
            }
        }
        ChainEvent::Gave(gave) => apply_gave(seller, gave),
        ChainEvent::Received { lot, low } => {
            seller.low = *low;
            lot.iter().for_each(|lot| push_lot(seller, *lot));
        }
        ChainEvent::Undone { amount, day, lots } => {
            seller.tallies.moved_day.undo(*day, *amount, 1);
            lots.iter().for_each(|lot| push_lot(seller, *lot));
        }
        ChainEvent::Owed(amount) => seller.owed += *amount,
        ChainEvent::BonusPaid(bonus) => {
            seller.bonuses.retain(|other| other.plan != bonus.plan);
            if seller.bonuses.len() >= BONUSES_MAX {
                seller.bonuses.remove(0);
            }
            seller.bonuses.push(*bonus);
        }
        ChainEvent::BonusTaken(bonus) => seller.bonuses.retain(|other| other.plan != bonus.plan),
        ChainEvent::OverrideSent { .. } => {}
        _ => panic!("the event does not fit a seller"),
    }
}

fn apply_change(seller: &mut Seller, change: &SellerChange) {
    match change {
        SellerChange::Outlet(outlet) => seller.outlet.clone_from(outlet),
        SellerChange::Number(number, language, operator) => {
            (seller.number, seller.language, seller.operator) = (*number, *language, *operator);
        }
        SellerChange::Limits(limits) => seller.limits = *limits,
        SellerChange::CreditLine(line) => seller.credit_line = *line,
        SellerChange::LowMark(mark) => seller.low_mark = *mark,
        SellerChange::Bound(on) => seller.bound = *on,
        SellerChange::Staff(staff) => match seller.staff.iter_mut().find(|known| known.code == staff.code) {
            Some(known) => {
                known.name.clone_from(&staff.name);
                known.role = staff.role;
            }
            None => seller.staff.push(staff.clone()),
        },
        SellerChange::StaffRemoved(code) => seller.staff.retain(|staff| staff.code != *code),
        SellerChange::Pin { staff, pin, change } => {
            for known in seller.staff.iter_mut().filter(|known| known.code == *staff) {
                known.pin.clone_from(pin);
                (known.change, known.strikes) = (*change, 0);
            }
        }
        SellerChange::PinTried(code) => {
            for known in seller.staff.iter_mut().filter(|known| known.code == *code) {
                known.strikes = known.strikes.saturating_add(1);
            }
        }
        SellerChange::PinRight(code) => forgive(seller, *code),
        SellerChange::Device(device) => {
            seller.devices.retain(|known| known.code != device.code);
            seller.devices.push(device.clone());
        }
        SellerChange::DeviceRemoved(code) => seller.devices.retain(|device| device.code != *code),
    }
}

fn forgive(seller: &mut Seller, code: crate::ids::Code) {
    for known in seller.staff.iter_mut().filter(|known| known.code == code) {
        known.strikes = 0;
    }
}

fn apply_sold(seller: &mut Seller, sold: &Sold, at: Timestamp) {
    seller.tallies.sold_day.add(sold.when.day, sold.gross);
    seller.tallies.sold_month.add(sold.when.month, sold.gross);
    for _ in 0..sold.forgets {
        seller.recent.pop_front();
    }
    if seller.recent.len() >= RECENT_MAX {
        seller.recent.pop_front();
    }
    seller.recent.push_back(RecentSale {
        msisdn: sold.msisdn,
        gross: sold.gross,
        at,
    });
    seller.low = sold.low;
    if sold.pin {
        forgive(seller, sold.staff);
    }
}

fn apply_gave(seller: &mut Seller, gave: &Gave) {
    seller.tallies.moved_day.add(gave.day, gave.amount);
    let keep = seller.lots.len().saturating_sub(gave.back.lots as usize);
    seller.lots.truncate(keep);
    if let (Some(rest), Some(last)) = (gave.back.rest, seller.lots.last_mut()) {
        *last = rest;
    }
    seller.low = gave.low;
}

/// Keeps the lots few: the two oldest are joined, at the higher of their rates.
fn push_lot(seller: &mut Seller, lot: StockLot) {
    seller.lots.push(lot);
    if seller.lots.len() > LOTS_MAX {
        let oldest = seller.lots.remove(0);
        let into = &mut seller.lots[0];
        into.base += oldest.base;
        into.commission += oldest.commission;
        into.rate = into.rate.max(oldest.rate);
    }
}

fn apply_partner(partner: &mut Partner, event: &ChainEvent) {
    let (float, in_transit) = event.float_change();
    partner.float += float;
    partner.in_transit += in_transit;
    match event {
        ChainEvent::StockReceived(stock) => {
            partner
                .recent
                .push_back((SourceId(stock.id), stock.amount.0.cast_unsigned()));
            if partner.recent.len() > FUNDINGS_REMEMBERED {
                partner.recent.pop_front();
            }
        }
        ChainEvent::StockSent(_)
        | ChainEvent::StockSettled { .. }
        | ChainEvent::CreditMoved(_)
        | ChainEvent::OverrideReceived { .. } => {}
        _ => panic!("the event does not fit a partner"),
    }
}
