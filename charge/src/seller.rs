//! Sellers: partners with a place in the selling chain, from the operator down to a device on a counter.
//!
//! A seller is an entity beside its [`crate::partner::Partner`], in the same partition: the partner has the float, the
//! seller has the place, the limits, the people and what it sold. Its place names everybody above it, so that one partition
//! alone can tell who may act.
//!
//! # Layout
//!
//! * here: the entities and their parts. [`event`]: what happens to them. `apply`: events to state.
//! * [`command`]: what can be asked of them, and what their partitions tell each other.

mod apply;
pub mod command;
pub mod event;
pub mod limits;

pub(crate) use apply::apply;
pub use command::{Again, ChainCommand, ChainMessage, MoveStock, OpenSeller, SellerChange, SoldBy};
pub use event::ChainEvent;

use crate::catalog::Language;
use crate::codec::{codec_enum, codec_struct};
use crate::ids::{Code, Msisdn, OperatorId, PartnerId};
use crate::money::{Money, Rounding};
use crate::reply::Refusal;
use crate::tax::Rate;
use crate::time::Timestamp;
use std::collections::VecDeque;

/// Where a seller stands: itself, its grade, and everybody above it. It never changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The seller.
    pub id: PartnerId,
    /// Its grade.
    pub grade: Code,
    /// Who is above it and of which grade: the root first, its parent last. At most [`limits::DEPTH_MAX`].
    pub above: Vec<(PartnerId, Code)>,
}
codec_struct!(Place { id, grade, above });

/// How somebody stands to a seller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// The one directly above.
    Parent,
    /// Further above.
    Above,
    /// Directly below.
    Child,
    /// Further below.
    Below,
    /// Under the same parent.
    Sibling,
}

impl Relation {
    /// True for the ones below.
    pub fn is_down(self) -> bool {
        matches!(self, Relation::Child | Relation::Below)
    }
}

impl Place {
    /// The one directly above; `None` for a root.
    pub fn parent(&self) -> Option<PartnerId> {
        self.above.last().map(|(id, _)| *id)
    }

    /// True when `other` is above it.
    pub fn is_below(&self, other: PartnerId) -> bool {
        self.above.iter().any(|(id, _)| *id == other)
    }

    /// How `other` stands to it; `None`: they have no business with each other.
    pub fn relation(&self, other: &Place) -> Option<Relation> {
        if self.parent() == Some(other.id) {
            Some(Relation::Parent)
        } else if self.is_below(other.id) {
            Some(Relation::Above)
        } else if other.parent() == Some(self.id) {
            Some(Relation::Child)
        } else if other.is_below(self.id) {
            Some(Relation::Below)
        } else if self.id != other.id && self.parent().is_some() && self.parent() == other.parent() {
            Some(Relation::Sibling)
        } else {
            None
        }
    }

    /// The place of a new one directly below.
    pub fn below(&self, id: PartnerId, grade: Code) -> Place {
        let mut above = self.above.clone();
        above.push((self.id, self.grade));
        Place { id, grade, above }
    }
}

/// How stock moves (the field's names: O2C, C2C, return, withdraw).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StockKind {
    /// O2C: the root issues stock to somebody below.
    Issue,
    /// C2C: a seller passes stock down or sideways.
    Transfer,
    /// A seller gives stock back to somebody above.
    Return,
    /// Somebody above, or the operator, takes stock back.
    Withdraw,
}
codec_enum!(StockKind { Issue = 0, Transfer = 1, Return = 2, Withdraw = 3 });

impl StockKind {
    /// Every kind.
    pub const ALL: [StockKind; 4] = [
        StockKind::Issue,
        StockKind::Transfer,
        StockKind::Return,
        StockKind::Withdraw,
    ];

    /// Name in the API and in catalog files.
    pub fn name(self) -> &'static str {
        match self {
            StockKind::Issue => "o2c",
            StockKind::Transfer => "c2c",
            StockKind::Return => "return",
            StockKind::Withdraw => "withdraw",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<StockKind> {
        StockKind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What a movement is, from the places of giver and receiver and who asked (`None`: the operator's staff).
    ///
    /// # Errors
    /// [`Refusal::NotBelow`] when whoever asked may not act for the giver, or the two have no business with each other.
    pub fn of(from: &Place, to: &Place, by: Option<PartnerId>) -> Result<StockKind, Refusal> {
        let relation = from.relation(to).ok_or(Refusal::NotBelow)?;
        let own = by == Some(from.id);
        if !own && by.is_some_and(|by| !from.is_below(by)) {
            return Err(Refusal::NotBelow);
        }
        match relation {
            Relation::Parent | Relation::Above if own => Ok(StockKind::Return),
            // It comes to whoever takes it, or the operator says to whom above.
            Relation::Parent | Relation::Above if by.is_none_or(|by| by == to.id) => Ok(StockKind::Withdraw),
            Relation::Child | Relation::Below if (own || by.is_none()) && from.above.is_empty() => {
                Ok(StockKind::Issue)
            }
            Relation::Child | Relation::Below | Relation::Sibling if own || by.is_none() => {
                Ok(StockKind::Transfer)
            }
            _ => Err(Refusal::NotBelow),
        }
    }
}

/// What a seller may sell and pass on. Zero: no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Smallest sale.
    pub minimum: Money,
    /// Largest sale.
    pub maximum: Money,
    /// Sold on one local day.
    pub day_amount: Money,
    /// Sales on one local day.
    pub day_count: u32,
    /// Sold in one local month.
    pub month_amount: Money,
    /// Sales in one local month.
    pub month_count: u32,
    /// Largest movement of stock out of its float.
    pub move_maximum: Money,
    /// Moved out of its float on one local day.
    pub move_day: Money,
    /// Sales by staff above this need the PIN with the sale; zero: every one.
    pub pin_above: Money,
}
codec_struct!(Limits {
    minimum,
    maximum,
    day_amount,
    day_count,
    month_amount,
    month_count,
    move_maximum,
    move_day,
    pin_above
});

impl Limits {
    /// True when the numbers make sense together.
    pub fn is_valid(&self) -> bool {
        let amounts = [
            self.minimum,
            self.maximum,
            self.day_amount,
            self.month_amount,
            self.move_maximum,
            self.move_day,
            self.pin_above,
        ];
        let in_range = |amount: &Money| (0..=limits::AMOUNT_MAX).contains(&amount.0);
        amounts.iter().all(in_range) && (self.maximum == Money::ZERO || self.minimum <= self.maximum)
    }
}

/// What somebody who works at an outlet may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// Sells, and sees its own sales.
    #[default]
    Cashier,
    /// Also moves stock, closes the day, reverses.
    Manager,
    /// Also changes staff and devices.
    Owner,
}
codec_enum!(Role { Cashier = 0, Manager = 1, Owner = 2 });

impl Role {
    /// Every role.
    pub const ALL: [Role; 3] = [Role::Cashier, Role::Manager, Role::Owner];

    /// Name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Role::Cashier => "cashier",
            Role::Manager => "manager",
            Role::Owner => "owner",
        }
    }

    /// The role of that name.
    pub fn from_name(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// Somebody who works at an outlet.
#[derive(Clone, PartialEq, Eq)]
pub struct Staff {
    /// Login under the outlet, and name on its receipts.
    pub code: Code,
    /// Name for people.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Salted hash of the PIN, made with a key that is not in the journal; empty: no PIN yet.
    pub pin: String,
    /// The PIN was given by somebody else and must be changed first.
    pub change: bool,
    /// Tries since the last right PIN; at [`limits::STRIKES_MAX`] it is locked.
    pub strikes: u8,
}
codec_struct!(Staff {
    code,
    name,
    role,
    pin,
    change,
    strikes
});

impl Staff {
    /// True when only somebody above can give a new PIN.
    pub fn is_locked(&self) -> bool {
        self.strikes >= limits::STRIKES_MAX
    }
}

impl std::fmt::Debug for Staff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Staff({} {} {})", self.code, self.role.name(), self.strikes)
    }
}

/// A device that belongs to an outlet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Name in lists.
    pub code: Code,
    /// SHA-256 of its secret, or digest of its IMEI.
    pub hash: [u8; 32],
    /// When it was bound.
    pub bound_at: Timestamp,
}
codec_struct!(Device { code, hash, bound_at });

/// Stock that was received and not given back: what it was bought for, and the commission that came with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StockLot {
    /// Bought for.
    pub base: Money,
    /// Commission on top, as long as the stock is not given back.
    pub commission: Money,
    /// Highest rate of commission in it: what is given back takes its commission along at this rate.
    pub rate: Rate,
}
codec_struct!(StockLot {
    base,
    commission,
    rate
});

impl StockLot {
    /// What can be given back of it.
    pub fn value(&self) -> Money {
        self.base + self.commission
    }
}

/// What leaves when a seller gives stock back: the newest comes first, with the commission that it had brought, so that
/// sending stock to and fro earns nothing, whatever the rates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GivenBack {
    /// Goes back to the commission account.
    pub commission: Money,
    /// Newest lots that are gone.
    pub lots: u32,
    /// What is left of the newest one that stays, when it was touched.
    pub rest: Option<StockLot>,
}
codec_struct!(GivenBack {
    commission,
    lots,
    rest
});

/// What happens to the lots when `amount` is given back.
pub fn give_back(lots: &[StockLot], amount: Money) -> GivenBack {
    let mut back = GivenBack::default();
    let mut left = amount;
    for lot in lots.iter().rev() {
        if !left.is_positive() {
            break;
        }
        if lot.value() <= left {
            left -= lot.value();
            back.commission += lot.commission;
            back.lots += 1;
            continue;
        }
        let share = lot.rate.inside(left, Rounding::Up).min(lot.commission);
        // Never more base than there is: the rest is commission then.
        let commission = share.max(left - lot.base);
        back.commission += commission;
        back.rest = Some(StockLot {
            base: lot.base - (left - commission),
            commission: lot.commission - commission,
            rate: lot.rate,
        });
        left = Money::ZERO;
    }
    back
}

/// Amount and number of something in a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Day or month number.
    pub period: i32,
    /// How much.
    pub amount: Money,
    /// How often.
    pub count: u32,
}
codec_struct!(Tally {
    period,
    amount,
    count
});

impl crate::codec::Codec for i32 {
    fn encode(&self, out: &mut Vec<u8>) {
        i64::from(*self).encode(out);
    }
    fn decode(input: &mut crate::codec::Reader<'_>) -> Result<i32, crate::codec::CodecError> {
        i32::try_from(i64::decode(input)?).map_err(|_| crate::codec::CodecError::Invalid("integer"))
    }
}

impl Tally {
    /// What it holds of a period: nothing of another one.
    pub fn of(&self, period: i32) -> (Money, u32) {
        if self.period == period {
            (self.amount, self.count)
        } else {
            (Money::ZERO, 0)
        }
    }

    /// A period that is over counts no more: what ends late must not begin the running one anew.
    pub(crate) fn add(&mut self, period: i32, amount: Money) {
        if self.period > period {
            return;
        }
        if self.period != period {
            *self = Tally {
                period,
                ..Tally::default()
            };
        }
        self.amount += amount;
        self.count += 1;
    }

    /// Takes something out again; nothing happens when another period has begun.
    pub(crate) fn undo(&mut self, period: i32, amount: Money, count: u32) {
        if self.period == period {
            self.amount = (self.amount - amount).max(Money::ZERO);
            self.count = self.count.saturating_sub(count);
        }
    }
}

/// What the chain counts of a seller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tallies {
    /// Sold today, refused sales left out.
    pub sold_day: Tally,
    /// Sold this month.
    pub sold_month: Tally,
    /// Credited today.
    pub done_day: Tally,
    /// Credited this month.
    pub done_month: Tally,
    /// Moved out of the float today.
    pub moved_day: Tally,
}
codec_struct!(Tallies {
    sold_day,
    sold_month,
    done_day,
    done_month,
    moved_day
});

/// A day and a month on the chain's calendar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    /// Local day number.
    pub day: i32,
    /// Months since year 0.
    pub month: i32,
}
codec_struct!(Calendar { day, month });

/// A sale that was just made: a second one like it is refused for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecentSale {
    /// The number.
    pub msisdn: Msisdn,
    /// What was paid.
    pub gross: Money,
    /// When.
    pub at: Timestamp,
}
codec_struct!(RecentSale { msisdn, gross, at });

/// A target bonus that was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BonusPaid {
    /// The plan.
    pub plan: Code,
    /// Day or month number.
    pub period: i32,
    /// How much.
    pub amount: Money,
}
codec_struct!(BonusPaid { plan, period, amount });

/// A seller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seller {
    /// Where it stands.
    pub place: Place,
    /// Reference of its outlet in the directory of outlets; empty: none.
    pub outlet: String,
    /// The number that it sells by, and that notices go to.
    pub number: Option<Msisdn>,
    /// Language of notices.
    pub language: Language,
    /// Operator whose message centre sends notices.
    pub operator: OperatorId,
    /// What it may do.
    pub limits: Limits,
    /// Most that it may owe.
    pub credit_line: Money,
    /// What it owes: drawn from the credit line and not paid yet.
    pub owed: Money,
    /// Below this the float is low; zero: never.
    pub low_mark: Money,
    /// The float is low and was told so.
    pub low: bool,
    /// It may not sell or move stock.
    pub blocked: bool,
    /// Who above it is blocked.
    pub above_blocked: Vec<PartnerId>,
    /// Sells only from a bound device.
    pub bound: bool,
    /// Who works here. At most [`limits::STAFF_MAX`].
    pub staff: Vec<Staff>,
    /// Its devices. At most [`limits::DEVICES_MAX`].
    pub devices: Vec<Device>,
    /// Who is directly below. At most [`limits::CHILDREN_MAX`].
    pub children: Vec<PartnerId>,
    /// Stock that it holds commission on, oldest first. At most [`limits::LOTS_MAX`].
    pub lots: Vec<StockLot>,
    /// What it sold and moved.
    pub tallies: Tallies,
    /// Bonuses of the running periods.
    pub bonuses: Vec<BonusPaid>,
    /// Sales of the last two minutes.
    pub recent: VecDeque<RecentSale>,
    /// Events so far.
    pub version: u64,
}
codec_struct!(Seller {
    place,
    outlet,
    number,
    language,
    operator,
    limits,
    credit_line,
    owed,
    low_mark,
    low,
    blocked,
    above_blocked,
    bound,
    staff,
    devices,
    children,
    lots,
    tallies,
    bonuses,
    recent,
    version
});

impl Seller {
    /// A new one.
    pub(crate) fn new(place: Place, operator: OperatorId) -> Seller {
        Seller {
            place,
            outlet: String::new(),
            number: None,
            language: Language::default(),
            operator,
            limits: Limits::default(),
            credit_line: Money::ZERO,
            owed: Money::ZERO,
            low_mark: Money::ZERO,
            low: false,
            blocked: false,
            above_blocked: Vec::new(),
            bound: false,
            staff: Vec::new(),
            devices: Vec::new(),
            children: Vec::new(),
            lots: Vec::new(),
            tallies: Tallies::default(),
            bonuses: Vec::new(),
            recent: VecDeque::new(),
            version: 0,
        }
    }

    /// How many sales of this amount to this number it made in the last two minutes.
    pub fn made(&self, msisdn: Msisdn, gross: Money, now: Timestamp) -> usize {
        let horizon = now.plus(-limits::REPEAT_WINDOW);
        let same = |sale: &&RecentSale| sale.at > horizon && (sale.msisdn, sale.gross) == (msisdn, gross);
        self.recent.iter().filter(same).count()
    }

    /// Somebody who works here.
    pub fn staff(&self, code: Code) -> Option<&Staff> {
        self.staff.iter().find(|staff| staff.code == code)
    }

    /// A bound device.
    pub fn device(&self, code: Code) -> Option<&Device> {
        self.devices.iter().find(|device| device.code == code)
    }

    /// # Errors
    /// [`Refusal::SellerBlocked`] when it or somebody above is.
    pub fn check_open(&self) -> Result<(), Refusal> {
        if self.blocked || !self.above_blocked.is_empty() {
            Err(Refusal::SellerBlocked)
        } else {
            Ok(())
        }
    }

    /// Rough bytes held in memory.
    pub fn weight(&self) -> usize {
        size_of::<Seller>()
            + self.place.above.len() * 32
            + self.outlet.len()
            + self.staff.len() * 240
            + self.devices.len() * 72
            + self.children.len() * 4
            + self.lots.len() * 24
            + self.recent.len() * 24
    }
}

/// State of a movement of stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MoveState {
    /// Debited and on its way.
    Submitted,
    /// The receiver has it.
    Completed,
    /// The receiver may not have it; the giver has it back.
    Declined,
}
codec_enum!(MoveState { Submitted = 0, Completed = 1, Declined = 2 });

impl MoveState {
    /// Name in the API.
    pub fn name(self) -> &'static str {
        match self {
            MoveState::Submitted => "SUBMITTED",
            MoveState::Completed => "COMPLETED",
            MoveState::Declined => "DECLINED",
        }
    }
}

/// A movement of stock, remembered for ever by its giver and reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockMove {
    /// Id that strangers see (UUID v7 as a number), made by the front.
    pub id: u128,
    /// What it is.
    pub kind: StockKind,
    /// Who gives.
    pub from: PartnerId,
    /// Who receives.
    pub to: PartnerId,
    /// Who asked; `None`: the operator's staff.
    pub by: Option<PartnerId>,
    /// Reference for people and of the source.
    pub reference: String,
    /// Digest of what was asked.
    pub body: u64,
    /// Leaves the giver's float.
    pub amount: Money,
    /// The part of it that goes back to the commission account.
    pub back: Money,
    /// Commission that the receiver got on top, once completed.
    pub commission: Money,
    /// State.
    pub state: MoveState,
    /// Why it was declined, as a stable code.
    pub reason: Option<u32>,
    /// Accepted.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// What leaves the giver's lots; put back when it is declined.
    pub lots: Vec<StockLot>,
}
codec_struct!(StockMove {
    id,
    kind,
    from,
    to,
    by,
    reference,
    body,
    amount,
    back,
    commission,
    state,
    reason,
    created_at,
    updated_at,
    lots
});

impl StockMove {
    /// What travels: the amount without what goes back to the commission account.
    pub fn base(&self) -> Money {
        self.amount - self.back
    }
}

/// What a top-up of a seller has beside what every top-up has: who sold it, and what it brings those above.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChainSale {
    /// Who sold; empty: the seller's own key.
    pub staff: Code,
    /// On which device; empty: none.
    pub device: Code,
    /// Day and month that it counts on.
    pub when: Calendar,
    /// What those above earn.
    pub overrides: Vec<(PartnerId, Money)>,
    /// Gross amount reversed so far.
    pub reversed: Money,
    /// Of `overrides`, what was taken back so far, in the same order.
    pub taken: Vec<Money>,
}
codec_struct!(ChainSale {
    staff,
    device,
    when,
    overrides,
    reversed,
    taken
});

#[cfg(test)]
mod tests {
    use super::*;

    fn lot(base: i64, commission: i64, rate: u32) -> StockLot {
        StockLot {
            base: Money(base),
            commission: Money(commission),
            rate: Rate(rate),
        }
    }

    #[test]
    fn the_newest_stock_goes_back_first_with_its_commission() {
        let lots = [lot(1_000, 0, 0), lot(100, 5, 50_000), lot(200, 5, 25_000)];
        for (amount, commission, gone, rest) in [
            (0, 0, 0, None),
            (205, 5, 1, None),
            (41, 1, 0, Some(lot(160, 4, 25_000))),
            (310, 10, 2, None),
            // Rounded against whoever gives back.
            (226, 6, 1, Some(lot(80, 4, 50_000))),
            (1_310, 10, 3, None),
            // What never was stock goes as it is.
            (2_000, 10, 3, None),
        ] {
            let back = give_back(&lots, Money(amount));
            assert_eq!(back.commission, Money(commission), "{amount}");
            assert_eq!((back.lots, back.rest), (gone, rest), "{amount}");
        }
    }

    #[test]
    fn kinds_follow_from_places() {
        let code = |text| Code::new(text).unwrap();
        let root = Place {
            id: PartnerId(1),
            grade: code("operator"),
            above: Vec::new(),
        };
        let left = root.below(PartnerId(2), code("distributor"));
        let right = root.below(PartnerId(3), code("distributor"));
        let shop = left.below(PartnerId(4), code("retailer"));
        let stranger = Place {
            id: PartnerId(9),
            grade: code("operator"),
            above: Vec::new(),
        };
        let id = |place: &Place| Some(place.id);
        for (from, to, by, expected) in [
            (&root, &left, id(&root), Ok(StockKind::Issue)),
            (&root, &shop, None, Ok(StockKind::Issue)),
            (&left, &shop, id(&left), Ok(StockKind::Transfer)),
            (&left, &right, id(&left), Ok(StockKind::Transfer)),
            (&shop, &left, id(&shop), Ok(StockKind::Return)),
            (&shop, &root, id(&shop), Ok(StockKind::Return)),
            (&shop, &left, id(&left), Ok(StockKind::Withdraw)),
            (&shop, &left, None, Ok(StockKind::Withdraw)),
            (&shop, &root, id(&root), Ok(StockKind::Withdraw)),
            // The root takes for itself only, and nobody acts for the one beside or above it.
            (&shop, &left, id(&root), Err(Refusal::NotBelow)),
            (&shop, &left, id(&right), Err(Refusal::NotBelow)),
            (&root, &left, id(&left), Err(Refusal::NotBelow)),
            (&left, &right, id(&right), Err(Refusal::NotBelow)),
            (&shop, &right, id(&shop), Err(Refusal::NotBelow)),
            (&shop, &shop, id(&shop), Err(Refusal::NotBelow)),
            (&root, &stranger, None, Err(Refusal::NotBelow)),
        ] {
            assert_eq!(
                StockKind::of(from, to, by),
                expected,
                "{from:?} to {to:?} by {by:?}"
            );
        }
    }
}
