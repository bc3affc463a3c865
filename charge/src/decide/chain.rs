//! The selling chain: places and people (`admin`), stock (`stock`), sales (`sale`).

mod admin;
mod sale;
mod stock;

pub use sale::reversed;
pub(super) use sale::{ended, prepare};

use super::{Decision, View};
use crate::catalog::Catalogs;
use crate::command::Message;
use crate::event::{Event, EventBody};
use crate::ids::{Entity, EntityKey, OperatorId, PartnerId};
use crate::money::Money;
use crate::partner::Partner;
use crate::reply::{Refusal, Reply};
use crate::seller::{ChainCommand, ChainEvent, ChainMessage, Seller};
use crate::time::Timestamp;

/// Carries a command of the chain out.
pub(super) fn decide(
    view: &impl View,
    catalogs: &Catalogs,
    command: &ChainCommand,
    now: Timestamp,
) -> Result<Decision, Refusal> {
    match command {
        ChainCommand::Open(asked) => admin::open(view, catalogs.chain(), asked, now),
        ChainCommand::Change { seller, change, by } => admin::change(view, (*seller, change, *by), now),
        ChainCommand::Block { seller, on, by } => admin::block(view, (*seller, *on, *by), now),
        ChainCommand::Move(asked) => stock::give(view, catalogs.chain(), asked, now),
    }
}

/// Takes a message of the chain.
pub(super) fn deliver(
    view: &impl View,
    catalogs: &Catalogs,
    message: &ChainMessage,
    now: Timestamp,
) -> Decision {
    match message {
        ChainMessage::Place(placed) => admin::place(view, placed, now),
        ChainMessage::AboveBlocked { seller, by, on } => admin::above_blocked(view, (*seller, *by, *on), now),
        ChainMessage::Stock(sent) => stock::take(view, catalogs.chain(), sent, now),
        ChainMessage::StockAnswered { from, digest, result } => {
            stock::answered(view, catalogs.chain(), (*from, *digest, result), now)
        }
        ChainMessage::Override {
            to,
            amount,
            from,
            top_up,
        } => sale::earn(view, *to, (*amount, *from, *top_up), now),
    }
}

/// What money put into a float does to its seller: what it owes is paid first, and it may be low no more.
pub(super) fn funded(view: &impl View, partner: &Partner, amount: Money, now: Timestamp) -> Vec<Event> {
    let Ok(seller) = seller_of(view, partner.id) else {
        return Vec::new();
    };
    let mut chain = Events::of(seller, now);
    let paid = chain.repay(seller, amount);
    let low = is_low(seller, partner.float + amount - paid);
    if low != seller.low {
        chain.seller(ChainEvent::Received { lot: None, low });
    }
    chain.out
}

fn seller_of(view: &impl View, id: PartnerId) -> Result<&Seller, Refusal> {
    view.get(EntityKey::Seller(id))
        .and_then(Entity::seller)
        .ok_or(Refusal::NoSuchSeller)
}

fn is_low(seller: &Seller, float: Money) -> bool {
    seller.low_mark.is_positive() && float < seller.low_mark
}

/// Events of one seller and its float.
struct Events {
    id: PartnerId,
    operator: OperatorId,
    at: Timestamp,
    out: Vec<Event>,
}

impl Events {
    fn of(seller: &Seller, at: Timestamp) -> Events {
        Events {
            id: seller.place.id,
            operator: seller.operator,
            at,
            out: Vec::new(),
        }
    }

    fn add(&mut self, key: EntityKey, operator: OperatorId, event: ChainEvent) {
        self.out.push(Event {
            key,
            operator,
            at: self.at,
            body: EventBody::Chain(Box::new(event)),
        });
    }

    /// Of the seller itself: in the name of the operator that sends its notices.
    fn seller(&mut self, event: ChainEvent) {
        self.add(EntityKey::Seller(self.id), self.operator, event);
    }

    /// Of its float: floats belong to no operator.
    fn float(&mut self, event: ChainEvent) {
        self.add(EntityKey::Partner(self.id), OperatorId(0), event);
    }

    /// Draws from the credit line into the float.
    fn draw(&mut self, amount: Money) {
        if amount != Money::ZERO {
            self.float(ChainEvent::CreditMoved(amount));
            self.seller(ChainEvent::Owed(amount));
        }
    }

    /// Pays what is owed out of what came in; answers how much.
    fn repay(&mut self, seller: &Seller, came: Money) -> Money {
        let paid = seller.owed.min(came).max(Money::ZERO);
        self.draw(-paid);
        paid
    }

    fn decision(self, messages: Vec<Message>, reply: Reply) -> Decision {
        Decision {
            events: self.out.into(),
            messages: messages.into(),
            reply,
        }
    }
}

/// What a float lacks for an amount, when the credit line covers it.
///
/// # Errors
/// [`Refusal::InsufficientFloat`].
fn shortfall(seller: &Seller, float: Money, amount: Money) -> Result<Money, Refusal> {
    let lacks = (amount - float).max(Money::ZERO);
    if lacks.is_positive() && seller.owed + lacks > seller.credit_line {
        Err(Refusal::InsufficientFloat)
    } else {
        Ok(lacks)
    }
}
