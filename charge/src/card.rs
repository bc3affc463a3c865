//! Scratch cards: batches, the shelves where their hashed PINs stand, and what is remembered of wrong tries.
//!
//! A card is not an entity. Each operator has a fixed number of shelves, spread over all partitions; a card stands on the
//! shelf of the first bits of its keyed PIN hash, so that finding one needs one shelf and no PIN can be there twice. What
//! may be done with a range of serial numbers is decided in the batch, and copied to every partition that has shelves: the
//! shelf's own partition decides a redemption alone (decision 0015).

mod batch;
mod codec;

pub use batch::{
    BatchEvent, CardBatch, CardChange, CardPart, CardRange, NewBatch, PendingChange, TRIED, TriedCard, homes,
};

use crate::ids::{AccountId, OperatorId, digest128};
use crate::money::Money;
use crate::reply::Refusal;
use crate::time::{HOUR, Timestamp};
use crate::{Code, EntityKey, SourceId};
use std::fmt;

/// Most cards of one batch.
pub const BATCH_CARDS_MAX: u32 = 1_000_000;
/// Most batches of one installation: their number has five digits in a serial number, and none looks like a payment card's.
pub const BATCHES_MAX: u32 = 29_999;
/// Most ranges of different state that a batch may fall into.
pub const RANGES_MAX: usize = 2_048;
/// Most ranges that one change may name or find.
pub const CHANGE_PARTS_MAX: usize = 256;
/// Most changes of a batch that wait for other partitions.
pub const PENDING_MAX: usize = 64;
/// Most cards that one command puts on shelves.
pub const SHELVED_AT_ONCE_MAX: usize = 8_192;
/// Bits of a hash that name its shelf.
pub const SHELF_BITS: u32 = 16;
/// Wrong tries in a row that lock a number.
pub const TRIES_MAX: u32 = 5;
/// How long a number is locked, hours: the first time, the second, and so on; the last one from then on.
pub const LOCK_HOURS: [i64; 5] = [1, 4, 24, 72, 168];
/// Without wrong tries for so long, the next lock is the first again, hours.
pub const FORGIVEN_AFTER_HOURS: i64 = 30 * 24;
/// Locks that are remembered for the view of staff.
pub const LOCKS_REMEMBERED: usize = 256;
/// Tries on cards of a batch that are remembered for the view of staff.
pub const TRIES_REMEMBERED: usize = 32;

/// The first 64 bits of the keyed hash of a PIN: all that is ever stored of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PinHash(pub u64);

impl PinHash {
    /// The number of its shelf.
    pub fn shelf(self) -> u16 {
        (self.0 >> (64 - SHELF_BITS)) as u16
    }

    /// The bits that tell cards of a shelf apart.
    pub fn rest(self) -> u64 {
        self.0 & (u64::MAX >> SHELF_BITS)
    }

    /// From both parts.
    pub fn of(shelf: u16, rest: u64) -> PinHash {
        PinHash(u64::from(shelf) << (64 - SHELF_BITS) | rest)
    }

    /// The shelf.
    pub fn key(self, operator: OperatorId) -> EntityKey {
        EntityKey::CardShelf(operator, self.shelf())
    }
}

/// A card by its batch and its place in it, from 0. Printed as five digits of the batch, seven of the place from 1, and a
/// check digit (Luhn, ISO/IEC 7812-1 annex B).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial {
    /// The batch.
    pub batch: u32,
    /// The place in it, from 0.
    pub place: u32,
}

impl Serial {
    /// Reads what is printed on a card; spaces and hyphens are let through. `None` when it is none or mistyped.
    pub fn parse(text: &str) -> Option<Serial> {
        let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        if digits.len() != 13 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let serial = Serial {
            batch: digits[..5].parse().ok()?,
            place: digits[5..12].parse::<u32>().ok()?.checked_sub(1)?,
        };
        (serial.to_string() == digits).then_some(serial)
    }

    /// The id under which the account remembers the credit: a card can be credited once, for ever.
    pub fn source(self) -> SourceId {
        SourceId(digest128(
            "card",
            &[&self.batch.to_be_bytes(), &self.place.to_be_bytes()],
        ))
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:05}{:07}", self.batch, self.place.saturating_add(1));
        write!(f, "{digits}{}", luhn(&digits))
    }
}

/// The digit that makes the Luhn sum of the whole divisible by ten.
fn luhn(digits: &str) -> u8 {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte - b'0') * if place % 2 == 0 { 2 } else { 1 };
            if digit > 9 { digit - 9 } else { digit }
        })
        .sum();
    ((10 - sum % 10) % 10) as u8
}

/// What may be done with a range of cards. That a card was used stands on its shelf.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CardState {
    /// The hashes are on the shelves.
    #[default]
    Generated,
    /// The export was given out.
    Printed,
    /// Given to a dealer.
    Shipped,
    /// Can be redeemed.
    Active,
    /// Sold to a person, as far as a dealer told. Can be redeemed.
    Sold,
    /// Too old.
    Expired,
    /// Taken back by the operator.
    Recalled,
    /// Reported stolen.
    Stolen,
}

impl CardState {
    /// Every state with its name in the API and on the command line.
    pub const NAMES: [(&'static str, CardState); 8] = [
        ("generated", CardState::Generated),
        ("printed", CardState::Printed),
        ("shipped", CardState::Shipped),
        ("active", CardState::Active),
        ("sold", CardState::Sold),
        ("expired", CardState::Expired),
        ("recalled", CardState::Recalled),
        ("stolen", CardState::Stolen),
    ];

    /// The state of a name.
    pub fn from_name(name: &str) -> Option<CardState> {
        CardState::NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, state)| *state)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        CardState::NAMES[self as usize].0
    }

    /// Whether a card in it can be redeemed; its face value is owed then.
    pub fn is_live(self) -> bool {
        matches!(self, CardState::Active | CardState::Sold)
    }

    /// Whether nothing comes after it.
    pub fn is_over(self) -> bool {
        matches!(self, CardState::Expired | CardState::Recalled | CardState::Stolen)
    }

    /// Whether cards may go from this state into another.
    pub fn may_become(self, next: CardState) -> bool {
        match next {
            CardState::Generated => false,
            CardState::Printed => self == CardState::Generated,
            CardState::Shipped => self == CardState::Printed,
            CardState::Active => self == CardState::Shipped,
            CardState::Sold => self == CardState::Active,
            CardState::Expired | CardState::Recalled => !self.is_over(),
            // What was not printed cannot be stolen.
            CardState::Stolen => !self.is_over() && self != CardState::Generated,
        }
    }

    /// Why a card in it cannot be redeemed.
    pub fn refusal(self) -> Option<Refusal> {
        match self {
            CardState::Active | CardState::Sold => None,
            CardState::Expired => Some(Refusal::CardExpired),
            CardState::Recalled => Some(Refusal::CardRecalled),
            CardState::Stolen => Some(Refusal::CardStolen),
            _ => Some(Refusal::CardNotActive),
        }
    }
}

/// Cards side by side: sorted by the rest of their hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CardShelf {
    /// All of them.
    pub cards: Vec<Card>,
    /// Those that were redeemed or are being redeemed, sorted in the same way.
    pub taken: Vec<TakenCard>,
}

/// A card on its shelf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Card {
    /// The hash without the number of the shelf.
    pub rest: u64,
    /// Which card.
    pub serial: Serial,
}

/// Who has a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TakenCard {
    /// The hash without the number of the shelf.
    pub rest: u64,
    /// Who redeemed it.
    pub account: AccountId,
    /// When.
    pub at: Timestamp,
    /// The event of the account that credited it; `None` while that is on its way.
    pub receipt: Option<u64>,
}

impl CardShelf {
    /// The card of a hash.
    pub fn find(&self, hash: PinHash) -> Option<&Card> {
        let found = self.cards.binary_search_by_key(&hash.rest(), |card| card.rest);
        found.ok().map(|index| &self.cards[index])
    }

    /// Who has the card of a hash.
    pub fn taken(&self, hash: PinHash) -> Option<&TakenCard> {
        let found = self.taken.binary_search_by_key(&hash.rest(), |taken| taken.rest);
        found.ok().map(|index| &self.taken[index])
    }

    pub(crate) fn apply(&mut self, event: &ShelfEvent, at: Timestamp) {
        match event {
            ShelfEvent::Shelved { batch, cards } => {
                self.cards.reserve_exact(cards.len());
                self.cards.extend(cards.iter().map(|(rest, place)| Card {
                    rest: *rest,
                    serial: Serial {
                        batch: *batch,
                        place: *place,
                    },
                }));
                self.cards.sort_unstable_by_key(|card| card.rest);
            }
            ShelfEvent::Taken { rest, account, .. } => {
                if let Err(place) = self.taken.binary_search_by_key(rest, |taken| taken.rest) {
                    let taken = TakenCard {
                        rest: *rest,
                        account: *account,
                        at,
                        receipt: None,
                    };
                    self.taken.insert(place, taken);
                }
            }
            ShelfEvent::Returned { rest, .. } => self.taken.retain(|taken| taken.rest != *rest),
            ShelfEvent::Settled { rest, receipt } => {
                for taken in self.taken.iter_mut().filter(|taken| taken.rest == *rest) {
                    taken.receipt = Some(*receipt);
                }
            }
        }
    }

    pub(crate) fn weight(&self) -> usize {
        48 + self.cards.capacity() * size_of::<Card>() + self.taken.capacity() * size_of::<TakenCard>()
    }
}

/// What happens on a shelf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ShelfEvent {
    /// Cards of a batch were put there: rest of the hash, place in the batch.
    Shelved {
        /// The batch.
        batch: u32,
        /// Them.
        cards: Vec<(u64, u32)>,
    },
    /// A card was taken for an account; its value is in transit.
    Taken {
        /// The card.
        rest: u64,
        /// The account.
        account: AccountId,
        /// Its value.
        face: Money,
    },
    /// The account could not be credited: the card is as before.
    Returned {
        /// The card.
        rest: u64,
        /// Its value.
        face: Money,
    },
    /// The account was credited.
    Settled {
        /// The card.
        rest: u64,
        /// The event of the account.
        receipt: u64,
    },
}

/// What a partition knows of a batch: enough to decide whether one of its cards may be redeemed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardCopy {
    /// Value of each card.
    pub face: Money,
    /// Cards.
    pub count: u32,
    /// From then on no card is good.
    pub expires_at: Timestamp,
    /// Partitions of the installation.
    pub partitions: u16,
    /// Last change of the batch that it has.
    pub version: u32,
    /// States by place.
    pub ranges: Vec<CardRange>,
}

impl CardCopy {
    /// Applies an event; `None` before the first.
    pub(crate) fn after(before: Option<CardCopy>, event: &CopyEvent) -> CardCopy {
        match (event, before) {
            (CopyEvent::Changed(change), Some(mut copy)) => {
                copy.set(change);
                copy
            }
            (
                CopyEvent::Opened {
                    face,
                    count,
                    expires_at,
                    partitions,
                },
                _,
            ) => CardCopy {
                face: *face,
                count: *count,
                expires_at: *expires_at,
                partitions: *partitions,
                version: 0,
                ranges: vec![CardRange {
                    end: *count,
                    state: CardState::Generated,
                    dealer: Code::EMPTY,
                }],
            },
            (CopyEvent::Changed(_), None) => panic!("a batch changes that was not opened"),
        }
    }

    /// Why a card cannot be redeemed now, if so.
    pub fn refusal(&self, place: u32, now: Timestamp) -> Option<Refusal> {
        let state = batch::range_at(&self.ranges, place).map_or(CardState::Generated, |range| range.state);
        let old = now >= self.expires_at && !state.is_over();
        if old {
            Some(Refusal::CardExpired)
        } else {
            state.refusal()
        }
    }

    fn set(&mut self, change: &CardChange) {
        self.version = change.version;
        for part in &change.parts {
            batch::set_range(&mut self.ranges, *part, change.state, Code::EMPTY);
        }
    }
}

/// What happens to a partition's copy of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyEvent {
    /// The batch was opened.
    Opened {
        /// Value of each card.
        face: Money,
        /// Cards.
        count: u32,
        /// From then on no card is good.
        expires_at: Timestamp,
        /// Partitions of the installation.
        partitions: u16,
    },
    /// Ranges changed.
    Changed(CardChange),
}

/// Wrong tries of one number: those from its own phone or sign-in, or those of strangers who named it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CardGuard {
    /// Wrong tries since the last good one or the last lock.
    pub wrong: u32,
    /// Locks in a row.
    pub level: u8,
    /// Locked until.
    pub locked_until: Timestamp,
    /// Last try.
    pub last_at: Timestamp,
    /// Wrong tries, all.
    pub wrong_total: u64,
}

impl CardGuard {
    /// What a wrong try leads to.
    #[must_use]
    pub fn after_wrong(mut self, now: Timestamp) -> CardGuard {
        if now.0.saturating_sub(self.last_at.0) > FORGIVEN_AFTER_HOURS * HOUR {
            (self.level, self.wrong) = (0, 0);
        }
        self.wrong += 1;
        self.wrong_total += 1;
        self.last_at = now;
        if self.wrong >= TRIES_MAX {
            let hours = LOCK_HOURS[usize::from(self.level).min(LOCK_HOURS.len() - 1)];
            self.locked_until = now.plus(hours * HOUR);
            self.level = self.level.saturating_add(1);
            self.wrong = 0;
        }
        self
    }

    /// What a good try leads to: the row ends, the growth of locks does not.
    #[must_use]
    pub fn after_good(mut self, now: Timestamp) -> CardGuard {
        self.wrong = 0;
        self.last_at = now;
        self
    }
}

/// How many batches there are, and who was locked lately.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CardRegister {
    /// Number of the last batch; they begin with 1.
    pub batches: u32,
    /// Locks, oldest first.
    pub locks: std::collections::VecDeque<CardLock>,
}

/// A number was locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardLock {
    /// Whose.
    pub account: AccountId,
    /// True: by its own tries. False: by those of strangers.
    pub own: bool,
    /// When.
    pub at: Timestamp,
    /// Until.
    pub until: Timestamp,
    /// Wrong tries, all.
    pub wrong_total: u64,
}

/// What happens to the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisterEvent {
    /// A batch got its number.
    Numbered(u32),
    /// A number was locked.
    Locked(CardLock),
}

impl CardRegister {
    pub(crate) fn apply(&mut self, event: &RegisterEvent) {
        match event {
            RegisterEvent::Numbered(batch) => self.batches = *batch,
            RegisterEvent::Locked(lock) => {
                self.locks.push_back(*lock);
                if self.locks.len() > LOCKS_REMEMBERED {
                    self.locks.pop_front();
                }
            }
        }
    }
}

/// The answer to a redemption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardReply {
    /// Which card.
    pub serial: Serial,
    /// Its value.
    pub face: Money,
    /// When it was taken.
    pub at: Timestamp,
    /// True: this very account had it before; nothing moved.
    pub repeated: bool,
    /// The event of the account that credited it, when that is known.
    pub receipt: Option<u64>,
}

/// A redemption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedeemCard {
    /// The account's operator: cards of others are not found.
    pub operator: OperatorId,
    /// The keyed hash of what was typed.
    pub hash: PinHash,
    /// Who gets the value.
    pub account: AccountId,
    /// The channel named on receipts.
    pub channel: Code,
}

/// A try that was answered: for the locks and for the view of staff.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardTry {
    /// The number that was to get the value.
    pub account: AccountId,
    /// From its own phone or sign-in, or by a stranger.
    pub own: bool,
    /// `None`: it was good.
    pub wrong: Option<Refusal>,
    /// The card that it met, if any.
    pub card: Option<Serial>,
}

/// What a batch is told of one of its cards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardNote {
    /// It was taken.
    Used,
    /// It came back.
    CameBack,
    /// A try on it was refused.
    Tried(TriedCard),
}

/// A change of ranges that staff ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetCards {
    /// The batch.
    pub batch: u32,
    /// Which cards; `None`: all that can go into that state, of the dealer if one is named.
    pub part: Option<CardPart>,
    /// The new state.
    pub state: CardState,
    /// To whom they are shipped; for other states: whose they must be. Empty: anybody's.
    pub dealer: Code,
}

/// Cards of one batch for shelves of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShelveCards {
    /// The operator.
    pub operator: OperatorId,
    /// The batch.
    pub batch: u32,
    /// Hash and place; at least one and at most [`SHELVED_AT_ONCE_MAX`].
    pub cards: Vec<(PinHash, u32)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_number_finds_a_mistyped_digit() {
        let serial = Serial {
            batch: 12,
            place: 345,
        };
        let text = serial.to_string();
        assert_eq!(text.len(), 13);
        assert_eq!(Serial::parse(&text), Some(serial));
        assert_eq!(
            Serial::parse(&format!("{} {}-{}", &text[..5], &text[5..12], &text[12..])),
            Some(serial)
        );
        for place in 0..13 {
            for digit in b'0'..=b'9' {
                let mut wrong = text.clone().into_bytes();
                if wrong[place] != digit {
                    wrong[place] = digit;
                    let wrong = String::from_utf8(wrong).expect("digits");
                    assert_eq!(Serial::parse(&wrong), None, "{wrong}");
                }
            }
        }
        assert_eq!(Serial::parse("000010000000"), None);
        assert_eq!(Serial::parse(""), None);
    }

    #[test]
    fn locks_grow_and_are_forgiven() {
        let mut guard = CardGuard::default();
        let mut now = Timestamp(1_000 * HOUR);
        let mut hours = Vec::new();
        for _ in 0..6 {
            for _ in 0..TRIES_MAX {
                guard = guard.after_wrong(now);
            }
            hours.push((guard.locked_until.0 - now.0) / HOUR);
            now = guard.locked_until;
        }
        assert_eq!(hours, [1, 4, 24, 72, 168, 168]);
        now = now.plus((FORGIVEN_AFTER_HOURS + 1) * HOUR);
        for _ in 0..TRIES_MAX {
            guard = guard.after_wrong(now);
        }
        assert_eq!((guard.locked_until.0 - now.0) / HOUR, 1);
        assert_eq!(guard.wrong_total, 35);
    }
}
