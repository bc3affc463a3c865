//! What can be asked of sellers, and what their partitions tell each other.

use super::event::Placed;
use super::{Device, Limits, Place, Staff, StockKind};
use crate::catalog::Language;
use crate::codec::{Codec, CodecError, Reader, codec_struct};
use crate::command::Mixer;
use crate::ids::{Code, EntityKey, Msisdn, OperatorId, PartnerId};
use crate::money::Money;
use crate::reply::Refusal;

/// A command of the selling chain. `by` is the seller that asks, `None` the operator's staff; a seller acts only below itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainCommand {
    /// Give a partner its place: below a parent, or as a root.
    Open(Box<OpenSeller>),
    /// Change what may be changed.
    Change {
        /// The seller.
        seller: PartnerId,
        /// What.
        change: SellerChange,
        /// Who asks.
        by: Option<PartnerId>,
    },
    /// Bar a seller and everybody below it, or let it go.
    Block {
        /// The seller.
        seller: PartnerId,
        /// Bar it.
        on: bool,
        /// Who asks.
        by: Option<PartnerId>,
    },
    /// Move stock.
    Move(Box<MoveStock>),
}

impl ChainCommand {
    /// The entity that decides where it runs.
    pub fn route(&self) -> EntityKey {
        EntityKey::Seller(match self {
            ChainCommand::Open(open) => open.parent.unwrap_or(open.partner),
            ChainCommand::Change { seller, .. } | ChainCommand::Block { seller, .. } => *seller,
            ChainCommand::Move(asked) => asked.from,
        })
    }

    /// What else it looks at.
    pub fn reads(&self, mut read: impl FnMut(EntityKey)) {
        match self {
            ChainCommand::Open(open) => read(EntityKey::Partner(open.parent.unwrap_or(open.partner))),
            ChainCommand::Move(asked) => {
                read(EntityKey::Partner(asked.from));
                read(asked.key());
            }
            ChainCommand::Change { .. } | ChainCommand::Block { .. } => {}
        }
    }
}

/// A partner becomes a seller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSeller {
    /// The partner; it exists and has no place yet.
    pub partner: PartnerId,
    /// Its grade.
    pub grade: Code,
    /// Who is directly above; `None` for a root.
    pub parent: Option<PartnerId>,
    /// Who asks: a seller may open one directly below itself or below somebody below itself.
    pub by: Option<PartnerId>,
    /// Operator whose message centre sends notices.
    pub operator: OperatorId,
    /// Reference of its outlet; empty: none.
    pub outlet: String,
    /// Its number.
    pub number: Option<Msisdn>,
    /// Language of notices.
    pub language: Language,
}

/// A movement of stock out of a float.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveStock {
    /// Id made by the front.
    pub id: u128,
    /// Who gives.
    pub from: PartnerId,
    /// Who receives, as the front knows its place; the receiver's partition checks it.
    pub to: Place,
    /// Who asks.
    pub by: Option<PartnerId>,
    /// Reference of the source, unique for ever for the giver.
    pub reference: String,
    /// How much leaves the giver's float.
    pub amount: Money,
}

impl MoveStock {
    /// Key of the movement.
    pub fn key(&self) -> EntityKey {
        EntityKey::Move(self.from, MoveStock::digest_of(&self.reference))
    }

    /// Digest of a reference.
    pub fn digest_of(reference: &str) -> u128 {
        crate::ids::digest128("stock", &[reference.as_bytes()])
    }

    /// Digest of what is asked.
    pub fn body(&self) -> u64 {
        let mut digest = Mixer::new();
        digest.add(u64::from(self.to.id.0));
        digest.add(self.by.map_or(0, |by| u64::from(by.0) + 1));
        digest.add(self.amount.0.cast_unsigned());
        digest.finish()
    }
}

/// A change of a seller: command and event alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SellerChange {
    /// Reference of its outlet.
    Outlet(String),
    /// Its number, the language of notices, and whose message centre sends them.
    Number(Option<Msisdn>, Language, OperatorId),
    /// Limits.
    Limits(Limits),
    /// Most that it may owe.
    CreditLine(Money),
    /// Below this the float is low.
    LowMark(Money),
    /// Sells only from a bound device.
    Bound(bool),
    /// Somebody works here, or has another name or role now; PIN and strikes of somebody known stay.
    Staff(Staff),
    /// Somebody works here no more.
    StaffRemoved(Code),
    /// Somebody has a new PIN: a salted hash.
    Pin {
        /// Who.
        staff: Code,
        /// The hash.
        pin: String,
        /// It must be changed at the first use.
        change: bool,
    },
    /// A PIN is about to be verified: counted before, so that many at once are not more than three.
    PinTried(Code),
    /// It was right.
    PinRight(Code),
    /// A device belongs to the outlet.
    Device(Device),
    /// It does not any more.
    DeviceRemoved(Code),
}

impl Codec for SellerChange {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            SellerChange::Outlet(outlet) => put(out, 0, outlet),
            SellerChange::Number(number, language, operator) => {
                put(out, 1, number);
                language.encode(out);
                operator.encode(out);
            }
            SellerChange::Limits(limits) => put(out, 2, limits),
            SellerChange::CreditLine(line) => put(out, 3, line),
            SellerChange::LowMark(mark) => put(out, 4, mark),
            SellerChange::Bound(on) => put(out, 5, on),
            SellerChange::Staff(staff) => put(out, 6, staff),
            SellerChange::StaffRemoved(code) => put(out, 7, code),
            SellerChange::Pin { staff, pin, change } => {
                put(out, 8, staff);
                pin.encode(out);
                change.encode(out);
            }
            SellerChange::PinTried(code) => put(out, 9, code),
            SellerChange::PinRight(code) => put(out, 10, code),
            SellerChange::Device(device) => put(out, 11, device),
            SellerChange::DeviceRemoved(code) => put(out, 12, code),
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<SellerChange, CodecError> {
        Ok(match input.take(1)?[0] {
            0 => SellerChange::Outlet(Codec::decode(input)?),
            1 => SellerChange::Number(
                Codec::decode(input)?,
                Codec::decode(input)?,
                Codec::decode(input)?,
            ),
            2 => SellerChange::Limits(Codec::decode(input)?),
            3 => SellerChange::CreditLine(Codec::decode(input)?),
            4 => SellerChange::LowMark(Codec::decode(input)?),
            5 => SellerChange::Bound(Codec::decode(input)?),
            6 => SellerChange::Staff(Codec::decode(input)?),
            7 => SellerChange::StaffRemoved(Codec::decode(input)?),
            8 => SellerChange::Pin {
                staff: Codec::decode(input)?,
                pin: Codec::decode(input)?,
                change: Codec::decode(input)?,
            },
            9 => SellerChange::PinTried(Codec::decode(input)?),
            10 => SellerChange::PinRight(Codec::decode(input)?),
            11 => SellerChange::Device(Codec::decode(input)?),
            12 => SellerChange::DeviceRemoved(Codec::decode(input)?),
            _ => return Err(CodecError::Invalid("change of a seller")),
        })
    }
}

/// Who sells, when a seller does: beside the [`crate::command::TopUpRequest`], outside of its digest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SoldBy {
    /// Staff; empty: the seller's own key.
    pub staff: Code,
    /// The PIN was verified for this sale.
    pub pin: bool,
    /// The bound device that it comes from, verified by the front; empty: none.
    pub device: Code,
    /// Whether a sale like one of the last two minutes is meant.
    pub again: Again,
    /// The bundle that is bought with it, a part of what is asked: the same request with another one is another request.
    pub bundle: Code,
}

/// What a sale says about those of the last two minutes with the same number and amount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Again {
    /// There must be none.
    #[default]
    No,
    /// It is the second, the third and so on: one that comes twice, because its answer was lost, is made once.
    Nth(u8),
    /// However many there are.
    Any,
}

impl Again {
    /// For a channel that says no more than yes or no.
    pub fn of(meant: bool) -> Again {
        if meant { Again::Any } else { Again::No }
    }

    /// Whether the sale may follow so many.
    pub fn may_follow(self, made: usize) -> bool {
        match self {
            Again::No => made == 0,
            Again::Nth(count) => made < usize::from(count),
            Again::Any => true,
        }
    }
}

/// A message of the selling chain between partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainMessage {
    /// Parent to child: this is your place.
    Place(Box<Placed>),
    /// Giver to receiver: stock.
    Stock(Box<StockSent>),
    /// Receiver to giver: taken, with this commission on top; or why not.
    StockAnswered {
        /// The giver.
        from: PartnerId,
        /// Digest of its reference.
        digest: u128,
        /// How it went.
        result: Result<Money, Refusal>,
    },
    /// Parent to child: somebody above is blocked, or not any more.
    AboveBlocked {
        /// The child.
        seller: PartnerId,
        /// Who is blocked.
        by: PartnerId,
        /// Blocked.
        on: bool,
    },
    /// Seller to somebody above: your share of a sale; negative: of one that was reversed.
    Override {
        /// Who earns.
        to: PartnerId,
        /// How much.
        amount: Money,
        /// Who sold.
        from: PartnerId,
        /// The top-up.
        top_up: u128,
    },
}

/// Stock on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockSent {
    /// The movement.
    pub id: u128,
    /// What it is.
    pub kind: StockKind,
    /// Place of the giver.
    pub from: Place,
    /// Place of the receiver, as the giver was told.
    pub to: Place,
    /// Who asked.
    pub by: Option<PartnerId>,
    /// Digest of the reference.
    pub digest: u128,
    /// What travels.
    pub amount: Money,
}
codec_struct!(StockSent {
    id,
    kind,
    from,
    to,
    by,
    digest,
    amount
});

impl ChainMessage {
    /// The entity it goes to.
    pub fn route(&self) -> EntityKey {
        EntityKey::Seller(match self {
            ChainMessage::Place(placed) => placed.place.id,
            ChainMessage::Stock(sent) => sent.to.id,
            ChainMessage::StockAnswered { from, .. } => *from,
            ChainMessage::AboveBlocked { seller, .. } => *seller,
            ChainMessage::Override { to, .. } => *to,
        })
    }

    /// What else it looks at.
    pub fn reads(&self, mut read: impl FnMut(EntityKey)) {
        match self {
            ChainMessage::Place(placed) => read(EntityKey::Partner(placed.place.id)),
            ChainMessage::Stock(sent) => read(EntityKey::Partner(sent.to.id)),
            ChainMessage::Override { to, .. } => read(EntityKey::Partner(*to)),
            ChainMessage::StockAnswered { from, digest, .. } => {
                read(EntityKey::Partner(*from));
                read(EntityKey::Move(*from, *digest));
            }
            ChainMessage::AboveBlocked { .. } => {}
        }
    }
}

impl Codec for ChainMessage {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            ChainMessage::Place(placed) => put(out, 0, placed),
            ChainMessage::Stock(sent) => put(out, 1, sent),
            ChainMessage::StockAnswered { from, digest, result } => {
                put(out, 2, from);
                digest.encode(out);
                result.encode(out);
            }
            ChainMessage::AboveBlocked { seller, by, on } => {
                put(out, 3, seller);
                by.encode(out);
                on.encode(out);
            }
            ChainMessage::Override {
                to,
                amount,
                from,
                top_up,
            } => {
                put(out, 4, to);
                amount.encode(out);
                from.encode(out);
                top_up.encode(out);
            }
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<ChainMessage, CodecError> {
        Ok(match input.take(1)?[0] {
            0 => ChainMessage::Place(Codec::decode(input)?),
            1 => ChainMessage::Stock(Codec::decode(input)?),
            2 => ChainMessage::StockAnswered {
                from: Codec::decode(input)?,
                digest: Codec::decode(input)?,
                result: Codec::decode(input)?,
            },
            3 => ChainMessage::AboveBlocked {
                seller: Codec::decode(input)?,
                by: Codec::decode(input)?,
                on: Codec::decode(input)?,
            },
            4 => ChainMessage::Override {
                to: Codec::decode(input)?,
                amount: Codec::decode(input)?,
                from: Codec::decode(input)?,
                top_up: Codec::decode(input)?,
            },
            _ => return Err(CodecError::Invalid("message of the selling chain")),
        })
    }
}

fn put(out: &mut Vec<u8>, tag: u8, first: &impl Codec) {
    out.push(tag);
    first.encode(out);
}
