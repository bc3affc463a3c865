//! What happens to sellers, their floats, their movements of stock and their sales.

use super::{BonusPaid, Calendar, ChainSale, GivenBack, Place, SellerChange, StockLot, StockMove};
use crate::catalog::Language;
use crate::codec::{Codec, CodecError, Reader, codec_struct};
use crate::ids::{Code, Msisdn, OperatorId, PartnerId};
use crate::ledger::LedgerAccount;
use crate::money::Money;
use crate::reply::Refusal;
use smallvec::SmallVec;

/// An event of the selling chain. Which entity it changes stands behind each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainEvent {
    /// Seller: it has its place.
    Placed(Box<Placed>),
    /// Seller: somebody was placed below it.
    ChildAdded(PartnerId),
    /// Seller: it may not sell any more, or may again.
    Blocked(bool),
    /// Seller: somebody above it was blocked or let go.
    AboveBlocked {
        /// Who.
        by: PartnerId,
        /// Blocked.
        on: bool,
    },
    /// Seller: what may be changed.
    Changed(SellerChange),
    /// Seller: it sold a recharge.
    Sold(Box<Sold>),
    /// Seller: a sale was credited, or refused by the account.
    SaleEnded {
        /// Its gross amount.
        gross: Money,
        /// The day and the month that it counts on.
        when: Calendar,
        /// Credited.
        credited: bool,
    },
    /// Seller: (a part of) a sale was reversed.
    SaleReversed {
        /// How much of its gross amount.
        gross: Money,
        /// The day and the month that the sale counts on.
        when: Calendar,
        /// Nothing of the sale is left.
        whole: bool,
    },
    /// Seller: stock left its float.
    Gave(Box<Gave>),
    /// Seller: stock came into its float.
    Received {
        /// What it was bought for and its commission; `None` for stock that came back from below.
        lot: Option<StockLot>,
        /// The float is low even so.
        low: bool,
    },
    /// Seller: stock that it had given is back.
    Undone {
        /// How much.
        amount: Money,
        /// Local day that it counted on.
        day: i32,
        /// Lots that it was of.
        lots: Vec<StockLot>,
    },
    /// Seller: it owes so much more, or less.
    Owed(Money),
    /// Seller: a target bonus was paid.
    BonusPaid(BonusPaid),
    /// Seller: a target bonus was taken back: the target is not reached any more.
    BonusTaken(BonusPaid),
    /// Seller: what those above earn with a sale of it is on its way to them; negative: it is taken back.
    OverrideSent {
        /// To whom and how much.
        to: Vec<(PartnerId, Money)>,
        /// The top-up.
        top_up: u128,
        /// The seller's channel code.
        channel: Code,
    },
    /// Partner: stock left the float.
    StockSent(Stock),
    /// Partner: stock came into the float.
    StockReceived(Stock),
    /// Partner: the receiver has the stock (`accepted`), or the float has it back.
    StockSettled {
        /// The stock.
        stock: Stock,
        /// It arrived.
        accepted: bool,
    },
    /// Partner: drawn from the credit line into the float; negative: paid back out of it.
    CreditMoved(Money),
    /// Partner: what a sale below brings (or brings no more, when negative).
    OverrideReceived {
        /// How much.
        amount: Money,
        /// Who sold.
        from: PartnerId,
        /// The top-up.
        top_up: u128,
    },
    /// Move: asked.
    MoveCreated(Box<StockMove>),
    /// Move: it came to its end; the commission that the receiver got.
    MoveSettled(Result<Money, Refusal>),
    /// Sale: what the chain knows of a top-up.
    SaleKept(Box<ChainSale>),
    /// Sale: (a part of) it was reversed.
    SaleTaken {
        /// How much of its gross amount.
        gross: Money,
        /// Taken back from those above, in the order of `overrides`.
        taken: Vec<Money>,
    },
}

/// A new seller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Its place.
    pub place: Place,
    /// Operator whose message centre sends notices.
    pub operator: OperatorId,
    /// Reference of its outlet; empty: none.
    pub outlet: String,
    /// Its number.
    pub number: Option<Msisdn>,
    /// Language of notices.
    pub language: Language,
    /// Who above it is blocked.
    pub above_blocked: Vec<PartnerId>,
}
codec_struct!(Placed {
    place,
    operator,
    outlet,
    number,
    language,
    above_blocked
});

/// A sale as the seller counts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sold {
    /// The number.
    pub msisdn: Msisdn,
    /// What was paid.
    pub gross: Money,
    /// The day and the month that it counts on.
    pub when: Calendar,
    /// Who sold; empty: the seller's own key.
    pub staff: Code,
    /// The right PIN came with it: earlier wrong ones are forgotten.
    pub pin: bool,
    /// Float after it.
    pub float: Money,
    /// The float is low after it.
    pub low: bool,
    /// It just became so: a notice goes out.
    pub low_crossed: bool,
    /// How many remembered sales are too old to matter.
    pub forgets: u32,
}
codec_struct!(Sold {
    msisdn,
    gross,
    when,
    staff,
    pin,
    float,
    low,
    low_crossed,
    forgets
});

/// Stock that left a float.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gave {
    /// How much.
    pub amount: Money,
    /// Local day that it counts on.
    pub day: i32,
    /// What it does to the lots; nothing for stock that goes down.
    pub back: GivenBack,
    /// Float after it.
    pub float: Money,
    /// The float is low after it.
    pub low: bool,
    /// It just became so: a notice goes out.
    pub low_crossed: bool,
}
codec_struct!(Gave {
    amount,
    day,
    back,
    float,
    low,
    low_crossed
});

/// Stock on its way out of or into a float.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stock {
    /// The movement.
    pub id: u128,
    /// Whom it comes from or goes to.
    pub other: PartnerId,
    /// Leaves the float, or comes in without commission.
    pub amount: Money,
    /// Leaving: the part that goes back to the commission account. Coming in: commission on top.
    pub commission: Money,
    /// Channel code of the partner whose float it is.
    pub channel: Code,
}
codec_struct!(Stock {
    id,
    other,
    amount,
    commission,
    channel
});

/// Postings in money, before they get their unit.
pub(crate) type Moves = SmallVec<[(LedgerAccount, Money); 4]>;

impl ChainEvent {
    /// What moves; `owner` is the partner of the entity.
    pub(crate) fn moves(&self, owner: PartnerId) -> Moves {
        use LedgerAccount::{Commission, Float, InTransit, Owed};
        let mut moves = Moves::new();
        let mut post = |account, amount: Money| moves.push((account, amount));
        match self {
            ChainEvent::StockSent(stock) => {
                post(Float(owner), -stock.amount);
                post(InTransit, stock.amount - stock.commission);
                post(Commission(stock.channel), stock.commission);
            }
            ChainEvent::StockSettled {
                stock,
                accepted: false,
            } => {
                post(Commission(stock.channel), -stock.commission);
                post(InTransit, stock.commission - stock.amount);
                post(Float(owner), stock.amount);
            }
            ChainEvent::StockReceived(stock) => {
                post(InTransit, -stock.amount);
                post(Commission(stock.channel), -stock.commission);
                post(Float(owner), stock.amount + stock.commission);
            }
            ChainEvent::CreditMoved(amount) => {
                post(Float(owner), *amount);
                post(Owed(owner), -*amount);
            }
            ChainEvent::OverrideSent { to, channel, .. } => {
                let sum: Money = to.iter().map(|(_, amount)| *amount).sum();
                post(Commission(*channel), -sum);
                post(InTransit, sum);
            }
            ChainEvent::OverrideReceived { amount, .. } => {
                post(InTransit, -*amount);
                post(Float(owner), *amount);
            }
            _ => {}
        }
        moves
    }

    /// The float of a partner after this event, as seen from before it: what leaves and comes.
    pub fn float_change(&self) -> (Money, Money) {
        match self {
            ChainEvent::StockSent(stock) => (-stock.amount, stock.amount - stock.commission),
            ChainEvent::StockSettled { stock, accepted } => {
                let back = if *accepted { Money::ZERO } else { stock.amount };
                (back, stock.commission - stock.amount)
            }
            ChainEvent::StockReceived(stock) => (stock.amount + stock.commission, Money::ZERO),
            ChainEvent::CreditMoved(amount) | ChainEvent::OverrideReceived { amount, .. } => {
                (*amount, Money::ZERO)
            }
            _ => (Money::ZERO, Money::ZERO),
        }
    }
}

impl Codec for ChainEvent {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            ChainEvent::Placed(placed) => put(out, 0, placed),
            ChainEvent::ChildAdded(child) => put(out, 1, child),
            ChainEvent::Blocked(on) => put(out, 2, on),
            ChainEvent::AboveBlocked { by, on } => {
                put(out, 3, by);
                on.encode(out);
            }
            ChainEvent::Changed(change) => put(out, 4, change),
            ChainEvent::Sold(sold) => put(out, 5, sold),
            ChainEvent::SaleEnded {
                gross,
                when,
                credited,
            } => {
                put(out, 6, gross);
                when.encode(out);
                credited.encode(out);
            }
            ChainEvent::SaleReversed { gross, when, whole } => {
                put(out, 7, gross);
                when.encode(out);
                whole.encode(out);
            }
            ChainEvent::Gave(gave) => put(out, 8, gave),
            ChainEvent::Received { lot, low } => {
                put(out, 9, lot);
                low.encode(out);
            }
            ChainEvent::Undone { amount, day, lots } => {
                put(out, 10, amount);
                day.encode(out);
                lots.encode(out);
            }
            ChainEvent::Owed(amount) => put(out, 11, amount),
            ChainEvent::BonusPaid(bonus) => put(out, 12, bonus),
            ChainEvent::BonusTaken(bonus) => put(out, 13, bonus),
            ChainEvent::OverrideSent { to, top_up, channel } => {
                put(out, 14, to);
                top_up.encode(out);
                channel.encode(out);
            }
            ChainEvent::StockSent(stock) => put(out, 20, stock),
            ChainEvent::StockReceived(stock) => put(out, 21, stock),
            ChainEvent::StockSettled { stock, accepted } => {
                put(out, 22, stock);
                accepted.encode(out);
            }
            ChainEvent::CreditMoved(amount) => put(out, 23, amount),
            ChainEvent::OverrideReceived { amount, from, top_up } => {
                put(out, 24, amount);
                from.encode(out);
                top_up.encode(out);
            }
            ChainEvent::MoveCreated(asked) => put(out, 30, asked),
            ChainEvent::MoveSettled(result) => put(out, 31, result),
            ChainEvent::SaleKept(sale) => put(out, 40, sale),
            ChainEvent::SaleTaken { gross, taken } => {
                put(out, 41, gross);
                taken.encode(out);
            }
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<ChainEvent, CodecError> {
        Ok(match input.take(1)?[0] {
            0 => ChainEvent::Placed(Codec::decode(input)?),
            1 => ChainEvent::ChildAdded(Codec::decode(input)?),
            2 => ChainEvent::Blocked(Codec::decode(input)?),
            3 => ChainEvent::AboveBlocked {
                by: Codec::decode(input)?,
                on: Codec::decode(input)?,
            },
            4 => ChainEvent::Changed(Codec::decode(input)?),
            5 => ChainEvent::Sold(Codec::decode(input)?),
            6 => ChainEvent::SaleEnded {
                gross: Codec::decode(input)?,
                when: Codec::decode(input)?,
                credited: Codec::decode(input)?,
            },
            7 => ChainEvent::SaleReversed {
                gross: Codec::decode(input)?,
                when: Codec::decode(input)?,
                whole: Codec::decode(input)?,
            },
            8 => ChainEvent::Gave(Codec::decode(input)?),
            9 => ChainEvent::Received {
                lot: Codec::decode(input)?,
                low: Codec::decode(input)?,
            },
            10 => ChainEvent::Undone {
                amount: Codec::decode(input)?,
                day: Codec::decode(input)?,
                lots: Codec::decode(input)?,
            },
            11 => ChainEvent::Owed(Codec::decode(input)?),
            12 => ChainEvent::BonusPaid(Codec::decode(input)?),
            13 => ChainEvent::BonusTaken(Codec::decode(input)?),
            14 => ChainEvent::OverrideSent {
                to: Codec::decode(input)?,
                top_up: Codec::decode(input)?,
                channel: Codec::decode(input)?,
            },
            20 => ChainEvent::StockSent(Codec::decode(input)?),
            21 => ChainEvent::StockReceived(Codec::decode(input)?),
            22 => ChainEvent::StockSettled {
                stock: Codec::decode(input)?,
                accepted: Codec::decode(input)?,
            },
            23 => ChainEvent::CreditMoved(Codec::decode(input)?),
            24 => ChainEvent::OverrideReceived {
                amount: Codec::decode(input)?,
                from: Codec::decode(input)?,
                top_up: Codec::decode(input)?,
            },
            30 => ChainEvent::MoveCreated(Codec::decode(input)?),
            31 => ChainEvent::MoveSettled(Codec::decode(input)?),
            40 => ChainEvent::SaleKept(Codec::decode(input)?),
            41 => ChainEvent::SaleTaken {
                gross: Codec::decode(input)?,
                taken: Codec::decode(input)?,
            },
            _ => return Err(CodecError::Invalid("event of the selling chain")),
        })
    }
}

fn put(out: &mut Vec<u8>, tag: u8, first: &impl Codec) {
    out.push(tag);
    first.encode(out);
}
