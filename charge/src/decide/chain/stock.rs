//! Movements of stock: O2C, C2C, return, withdraw.
//!
//! The giver's partition debits the float into transit and sends the stock; the receiver's takes it once, or says why not;
//! the giver's closes. Both look at the matrix, because either may know more than the other.

use super::super::{Decision, MONEY_MAX, View, partner};
use super::{Events, is_low, seller_of, shortfall};
use crate::catalog::chain::Chain;
use crate::command::Message;
use crate::ids::{Entity, EntityKey, PartnerId, SourceId};
use crate::money::Money;
use crate::partner::Partner;
use crate::reply::{Refusal, Reply};
use crate::seller::command::StockSent;
use crate::seller::event::{Gave, Stock};
use crate::seller::limits::REFERENCE_BYTES_MAX;
use crate::seller::{
    ChainEvent, ChainMessage, GivenBack, MoveState, MoveStock, Relation, Seller, StockKind, StockLot,
    StockMove, give_back,
};
use crate::time::Timestamp;

/// Debits the giver.
pub(super) fn give(
    view: &impl View,
    chain: &Chain,
    asked: &MoveStock,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    if let Some(known) = view.get(asked.key()).and_then(Entity::stock_move) {
        return match known.body == asked.body() {
            true => Ok(Decision::answer(Reply::StockMoved { id: known.id })),
            false => Err(Refusal::Conflict),
        };
    }
    let seller = seller_of(view, asked.from)?;
    let partner = partner::active(view, asked.from)?;
    if !asked.amount.is_positive() {
        return Err(Refusal::AmountTooSmall);
    }
    if asked.amount.0 > MONEY_MAX {
        return Err(Refusal::AmountTooLarge);
    }
    if asked.reference.is_empty() || asked.reference.len() > REFERENCE_BYTES_MAX {
        return Err(Refusal::TooMany);
    }
    let kind = chain.may_move((&seller.place, &asked.to), asked.by, asked.amount)?;
    let day = chain.calendar(now).day;
    // What somebody above takes back is bound by nothing of the seller's own.
    if kind != StockKind::Withdraw {
        seller.check_open()?;
        check_limits(seller, asked.amount, day)?;
    }
    // Down it goes as it is; up and sideways its commission stays behind.
    let down = seller.place.relation(&asked.to).is_some_and(Relation::is_down);
    let back = match down {
        true => GivenBack::default(),
        false => give_back(&seller.lots, asked.amount),
    };
    if back.commission >= asked.amount {
        return Err(Refusal::AmountTooSmall);
    }
    let drawn = match down {
        true => shortfall(seller, partner.float, asked.amount)?,
        false if partner.float < asked.amount => return Err(Refusal::InsufficientFloat),
        false => Money::ZERO,
    };
    Ok(sent(seller, partner, asked, (kind, back, drawn, day), now))
}

fn check_limits(seller: &Seller, amount: Money, day: i32) -> Result<(), Refusal> {
    let limits = &seller.limits;
    if limits.move_maximum.is_positive() && amount > limits.move_maximum {
        return Err(Refusal::AmountTooLarge);
    }
    let moved = seller.tallies.moved_day.of(day).0;
    if limits.move_day.is_positive() && moved + amount > limits.move_day {
        return Err(Refusal::DailyLimit);
    }
    Ok(())
}

fn sent(
    seller: &Seller,
    partner: &Partner,
    asked: &MoveStock,
    (kind, back, drawn, day): (StockKind, GivenBack, Money, i32),
    now: Timestamp,
) -> Decision {
    let mut events = Events::of(seller, now);
    events.draw(drawn);
    let asked_for = StockMove {
        id: asked.id,
        kind,
        from: asked.from,
        to: asked.to.id,
        by: asked.by,
        reference: asked.reference.clone(),
        body: asked.body(),
        amount: asked.amount,
        back: back.commission,
        commission: Money::ZERO,
        state: MoveState::Submitted,
        reason: None,
        created_at: now,
        updated_at: now,
        lots: taken_lots(&seller.lots, &back),
    };
    let base = asked_for.base();
    events.float(ChainEvent::StockSent(Stock {
        id: asked.id,
        other: asked.to.id,
        amount: asked.amount,
        commission: back.commission,
        channel: partner.code,
    }));
    let float = partner.float + drawn - asked.amount;
    let low = is_low(seller, float);
    events.seller(ChainEvent::Gave(Box::new(Gave {
        amount: asked.amount,
        day,
        back,
        float,
        low,
        low_crossed: low && !seller.low,
    })));
    let operator = events.operator;
    events.add(
        asked.key(),
        operator,
        ChainEvent::MoveCreated(Box::new(asked_for)),
    );
    let message = ChainMessage::Stock(Box::new(StockSent {
        id: asked.id,
        kind,
        from: seller.place.clone(),
        to: asked.to.clone(),
        by: asked.by,
        digest: MoveStock::digest_of(&asked.reference),
        amount: base,
    }));
    events.decision(vec![Message::Chain(message)], Reply::StockMoved { id: asked.id })
}

/// The lots, and the part of a lot, that leave.
fn taken_lots(lots: &[StockLot], back: &GivenBack) -> Vec<StockLot> {
    let keep = lots.len().saturating_sub(back.lots as usize);
    let mut taken = Vec::new();
    if let (Some(rest), Some(touched)) = (back.rest, lots[..keep].last()) {
        taken.push(StockLot {
            base: touched.base - rest.base,
            commission: touched.commission - rest.commission,
            rate: touched.rate,
        });
    }
    taken.extend_from_slice(&lots[keep..]);
    taken
}

/// Credits the receiver, or says why not.
pub(super) fn take(view: &impl View, chain: &Chain, sent: &StockSent, now: Timestamp) -> Decision {
    let answer = |result| {
        Message::Chain(ChainMessage::StockAnswered {
            from: sent.from.id,
            digest: sent.digest,
            result,
        })
    };
    let (seller, partner) = match receiver(view, chain, sent) {
        Ok(found) => found,
        Err(refusal) => {
            let mut decision = Decision::answer(Reply::Done);
            decision.messages.push(answer(Err(refusal)));
            return decision;
        }
    };
    if partner.recent.iter().any(|(id, _)| *id == SourceId(sent.id)) {
        return Decision::answer(Reply::Done);
    }
    let bought = matches!(sent.kind, StockKind::Issue | StockKind::Transfer);
    let (commission, rate) = match bought {
        true => chain.on_stock(seller, sent.amount, now),
        false => Default::default(),
    };
    let mut events = Events::of(seller, now);
    events.float(ChainEvent::StockReceived(Stock {
        id: sent.id,
        other: sent.from.id,
        amount: sent.amount,
        commission,
        channel: partner.code,
    }));
    let came = sent.amount + commission;
    let paid = events.repay(seller, came);
    events.seller(ChainEvent::Received {
        lot: bought.then_some(StockLot {
            base: sent.amount,
            commission,
            rate,
        }),
        low: is_low(seller, partner.float + came - paid),
    });
    events.decision(vec![answer(Ok(commission))], Reply::Done)
}

fn receiver<'v>(
    view: &'v impl View,
    chain: &Chain,
    sent: &StockSent,
) -> Result<(&'v Seller, &'v Partner), Refusal> {
    let seller = seller_of(view, sent.to.id)?;
    let partner = partner::active(view, sent.to.id)?;
    if seller.place != sent.to
        || chain.may_move((&sent.from, &sent.to), sent.by, sent.amount) == Err(Refusal::NotBelow)
    {
        return Err(Refusal::NotBelow);
    }
    if matches!(sent.kind, StockKind::Issue | StockKind::Transfer) {
        seller.check_open()?;
    }
    if partner.float.0.saturating_add(sent.amount.0) > MONEY_MAX.saturating_mul(1_000) {
        return Err(Refusal::AmountTooLarge);
    }
    Ok((seller, partner))
}

/// Closes a movement with what the receiver said.
pub(super) fn answered(
    view: &impl View,
    chain: &Chain,
    (from, digest, result): (PartnerId, u128, &Result<Money, Refusal>),
    now: Timestamp,
) -> Decision {
    let key = EntityKey::Move(from, digest);
    let open = view.get(key).and_then(Entity::stock_move);
    let open = open.filter(|asked| asked.state == MoveState::Submitted);
    let (Some(asked), Ok(seller)) = (open, seller_of(view, from)) else {
        return Decision::answer(Reply::Done);
    };
    let partner = view.get(EntityKey::Partner(from)).and_then(Entity::partner);
    let mut events = Events::of(seller, now);
    events.float(ChainEvent::StockSettled {
        stock: Stock {
            id: asked.id,
            other: asked.to,
            amount: asked.amount,
            commission: asked.back,
            channel: partner.map(|partner| partner.code).unwrap_or_default(),
        },
        accepted: result.is_ok(),
    });
    if result.is_err() {
        events.seller(ChainEvent::Undone {
            amount: asked.amount,
            day: chain.calendar(asked.created_at).day,
            lots: asked.lots.clone(),
        });
    }
    let operator = events.operator;
    events.add(key, operator, ChainEvent::MoveSettled(*result));
    events.decision(Vec::new(), Reply::Done)
}
