//! A batch of scratch cards: what was made, what state which range is in, who has used what.

use super::{CardState, Serial, TRIES_REMEMBERED};
use crate::Code;
use crate::ids::{AccountId, OperatorId};
use crate::money::Money;
use crate::reply::Refusal;
use crate::time::Timestamp;
use std::collections::VecDeque;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBatch {
    /// The operator.
    pub operator: OperatorId,
    /// Value of each card: one of the catalog's denominations.
    pub face: Money,
    /// How many.
    pub count: u32,
    /// From then on no card of it is good.
    pub expires_at: Timestamp,
    /// Who prints them: the name of a key in the configuration.
    pub printer: Code,
    /// For people; short.
    pub label: String,
    /// Partitions of this installation: all that have shelves get a copy of what becomes of the ranges.
    pub partitions: u16,
}

/// A batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardBatch {
    /// Its number.
    pub id: u32,
    /// The operator.
    pub operator: OperatorId,
    /// Value of each card.
    pub face: Money,
    /// Cards.
    pub count: u32,
    /// From then on no card is good.
    pub expires_at: Timestamp,
    /// Opened.
    pub created_at: Timestamp,
    /// Who prints.
    pub printer: Code,
    /// For people.
    pub label: String,
    /// Partitions of the installation when it was opened.
    pub partitions: u16,
    /// Every hash is on its shelf.
    pub ready: bool,
    /// When the export was given out.
    pub exported_at: Option<Timestamp>,
    /// The time has come, or staff said so: nothing of it is good any more.
    pub expired: bool,
    /// Changes so far.
    pub version: u32,
    /// States by place.
    pub ranges: Vec<CardRange>,
    /// One bit for each card: taken.
    pub used: Box<[u8]>,
    /// How many.
    pub used_count: u32,
    /// Face value of cards that can be redeemed and were not.
    pub owed: Money,
    /// Changes that not every partition has confirmed.
    pub pending: Vec<PendingChange>,
    /// Tries that were refused, in the order of [`TRIED`].
    pub tries: [u64; 5],
    /// The last of them, oldest first.
    pub tried: VecDeque<TriedCard>,
}

/// Kinds of refused tries that meet a card.
pub const TRIED: [Refusal; 5] = [
    Refusal::CardUsed,
    Refusal::CardNotActive,
    Refusal::CardRecalled,
    Refusal::CardStolen,
    Refusal::CardExpired,
];

/// A refused try on a card of the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TriedCard {
    /// Whose number.
    pub account: AccountId,
    /// Place in the batch.
    pub place: u32,
    /// Index in [`TRIED`].
    pub kind: u8,
    /// When.
    pub at: Timestamp,
}

/// Cards side by side that are in one state. Ranges are sorted, without gaps, and cover the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardRange {
    /// First place behind it.
    pub end: u32,
    /// Their state.
    pub state: CardState,
    /// Who has them; empty: nobody yet.
    pub dealer: Code,
}

/// Places from `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardPart {
    /// First place.
    pub start: u32,
    /// First place behind it.
    pub end: u32,
}

impl CardPart {
    /// How many cards.
    pub fn len(self) -> u32 {
        self.end.saturating_sub(self.start)
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// A change of ranges, as every partition gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardChange {
    /// Its number in the batch.
    pub version: u32,
    /// Which cards.
    pub parts: Vec<CardPart>,
    /// What they are now.
    pub state: CardState,
}

/// A change that is not in force everywhere yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingChange {
    /// Its number.
    pub version: u32,
    /// What cards become.
    pub state: CardState,
    /// Partitions that have not confirmed.
    pub waiting: Vec<u16>,
    /// Cards that could be redeemed before it: what of them is unused when all have confirmed is not owed any more.
    pub live: Vec<CardPart>,
}

/// What happens to a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchEvent {
    /// It was opened.
    Opened(Box<NewBatch>),
    /// Every hash is on its shelf.
    Ready,
    /// The export was given out, once.
    Exported,
    /// Ranges got a new state.
    Changed {
        /// As sent to the partitions.
        change: CardChange,
        /// Who has them now; empty: as before.
        dealer: Code,
        /// Cards of it that could be redeemed before, for changes that end this.
        live: Vec<CardPart>,
        /// Whether partitions must confirm it.
        told: bool,
        /// Face value that is owed from now on: activation.
        issued: Money,
        /// Nothing of the batch is good any more.
        expires: bool,
    },
    /// A partition has a change.
    Confirmed {
        /// The change.
        version: u32,
        /// The partition.
        home: u16,
    },
    /// Every partition has a change that ended redemption: face value that is not owed any more.
    Lapsed {
        /// The change.
        version: u32,
        /// How many cards.
        unused: u32,
        /// Their value.
        value: Money,
        /// What they became: it says where the value goes.
        state: CardState,
    },
    /// A card was taken for an account.
    Used {
        /// Its place.
        place: u32,
    },
    /// A card came back because the account could not be credited.
    CameBack {
        /// Its place.
        place: u32,
        /// Its range has lapsed meanwhile: so does it.
        lapsed: Option<CardState>,
        /// Its value.
        value: Money,
    },
    /// A try on one of its cards was refused.
    Tried(TriedCard),
}

impl CardBatch {
    pub(crate) fn new(id: u32, new: &NewBatch, at: Timestamp) -> CardBatch {
        CardBatch {
            id,
            operator: new.operator,
            face: new.face,
            count: new.count,
            expires_at: new.expires_at,
            created_at: at,
            printer: new.printer,
            label: new.label.clone(),
            partitions: new.partitions,
            ready: false,
            exported_at: None,
            expired: false,
            version: 0,
            ranges: vec![CardRange {
                end: new.count,
                state: CardState::Generated,
                dealer: Code::EMPTY,
            }],
            used: vec![0; new.count.div_ceil(8) as usize].into(),
            used_count: 0,
            owed: Money::ZERO,
            pending: Vec::new(),
            tries: [0; 5],
            tried: VecDeque::new(),
        }
    }

    pub(crate) fn apply(&mut self, event: &BatchEvent, at: Timestamp) {
        match event {
            BatchEvent::Opened(_) => {}
            BatchEvent::Ready => self.ready = true,
            BatchEvent::Exported => self.exported_at = Some(at),
            BatchEvent::Changed {
                change,
                dealer,
                live,
                told,
                issued,
                expires,
            } => {
                self.version = change.version;
                for part in &change.parts {
                    set_range(&mut self.ranges, *part, change.state, *dealer);
                }
                if *told {
                    self.pending.push(PendingChange {
                        version: change.version,
                        state: change.state,
                        waiting: homes(self.partitions).collect(),
                        live: live.clone(),
                    });
                }
                self.owed += *issued;
                self.expired |= *expires;
            }
            BatchEvent::Confirmed { version, home } => {
                for pending in self.pending.iter_mut().filter(|one| one.version == *version) {
                    pending.waiting.retain(|waiting| waiting != home);
                }
                self.pending
                    .retain(|one| !(one.waiting.is_empty() && one.live.is_empty()));
            }
            BatchEvent::Lapsed { version, value, .. } => {
                self.pending.retain(|one| one.version != *version);
                self.owed -= *value;
            }
            BatchEvent::Used { place } => {
                if self.mark(*place, true) {
                    self.used_count += 1;
                    self.owed -= self.face;
                }
            }
            BatchEvent::CameBack { place, lapsed, .. } => {
                if self.mark(*place, false) {
                    self.used_count -= 1;
                    if lapsed.is_none() {
                        self.owed += self.face;
                    }
                }
            }
            BatchEvent::Tried(tried) => {
                if let Some(count) = self.tries.get_mut(usize::from(tried.kind)) {
                    *count += 1;
                }
                self.tried.push_back(*tried);
                if self.tried.len() > TRIES_REMEMBERED {
                    self.tried.pop_front();
                }
            }
        }
    }

    /// Whether a card was taken.
    pub fn is_used(&self, place: u32) -> bool {
        let byte = self.used.get((place / 8) as usize).copied().unwrap_or(0);
        byte & (1 << (place % 8)) != 0
    }

    /// Sets the bit of a card; true when it changed.
    fn mark(&mut self, place: u32, used: bool) -> bool {
        let changes = place < self.count && self.is_used(place) != used;
        if changes && let Some(byte) = self.used.get_mut((place / 8) as usize) {
            *byte ^= 1 << (place % 8);
        }
        changes
    }

    /// Cards of some parts that were not taken.
    pub fn unused_in(&self, parts: &[CardPart]) -> u32 {
        let places = parts.iter().flat_map(|part| part.start..part.end);
        u32::try_from(places.filter(|place| !self.is_used(*place)).count()).unwrap_or(u32::MAX)
    }

    /// State and dealer of a card.
    pub fn range_of(&self, place: u32) -> Option<CardRange> {
        range_at(&self.ranges, place)
    }

    /// The ranges with their first places.
    pub fn parts(&self) -> impl Iterator<Item = (CardPart, CardRange)> + '_ {
        let mut start = 0;
        self.ranges.iter().map(move |range| {
            let part = CardPart {
                start,
                end: range.end,
            };
            start = range.end;
            (part, *range)
        })
    }

    /// A card of it.
    pub fn serial(&self, place: u32) -> Serial {
        Serial {
            batch: self.id,
            place,
        }
    }

    /// When its timer is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        (!self.expired).then_some(self.expires_at)
    }

    pub(crate) fn weight(&self) -> usize {
        400 + self.used.len() + self.ranges.len() * size_of::<CardRange>() + self.label.len()
    }
}

/// Partitions that have shelves (see [`crate::EntityKey::partition`]).
pub fn homes(partitions: u16) -> impl Iterator<Item = u16> {
    let first = u16::from(partitions > 1);
    first..partitions.max(1)
}

/// The range that a place is in.
pub(super) fn range_at(ranges: &[CardRange], place: u32) -> Option<CardRange> {
    let index = ranges.partition_point(|range| range.end <= place);
    ranges.get(index).copied()
}

/// Gives a part a state, and a dealer unless that is empty; neighbours that became equal are joined.
pub(super) fn set_range(ranges: &mut Vec<CardRange>, part: CardPart, state: CardState, dealer: Code) {
    let mut out: Vec<CardRange> = Vec::with_capacity(ranges.len() + 2);
    let mut push = |range: CardRange, start: u32| {
        if start >= range.end {
            return;
        }
        match out.last_mut() {
            Some(last) if last.state == range.state && last.dealer == range.dealer => last.end = range.end,
            _ => out.push(range),
        }
    };
    let mut start = 0;
    for range in ranges.iter() {
        let before = CardRange {
            end: range.end.min(part.start),
            ..*range
        };
        push(before, start);
        let inside = CardRange {
            end: range.end.min(part.end),
            state,
            dealer: if dealer.is_empty() { range.dealer } else { dealer },
        };
        push(inside, start.max(part.start));
        push(*range, start.max(part.end));
        start = range.end;
    }
    *ranges = out;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(end: u32, state: CardState) -> CardRange {
        CardRange {
            end,
            state,
            dealer: Code::EMPTY,
        }
    }

    #[test]
    fn ranges_split_and_join() {
        use CardState::{Active, Generated, Recalled};
        let mut ranges = vec![range(100, Generated)];
        let mut set = |start, end, state| {
            set_range(&mut ranges, CardPart { start, end }, state, Code::EMPTY);
            ranges.clone()
        };
        assert_eq!(
            set(10, 20, Active),
            [range(10, Generated), range(20, Active), range(100, Generated)]
        );
        assert_eq!(set(20, 30, Active).len(), 3);
        assert_eq!(
            set(15, 25, Recalled),
            [
                range(10, Generated),
                range(15, Active),
                range(25, Recalled),
                range(30, Active),
                range(100, Generated)
            ]
        );
        assert_eq!(set(0, 100, Recalled), [range(100, Recalled)]);
        assert_eq!(set(99, 100, Active).last(), Some(&range(100, Active)));
    }

    #[test]
    fn every_place_has_the_state_that_was_set_last() {
        // A model: one state for each card.
        let mut model = [CardState::Generated; 64];
        let mut ranges = vec![range(64, CardState::Generated)];
        let mut seed = 7_u32;
        let mut random = |below: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) % below
        };
        for _ in 0..2_000 {
            let start = random(64);
            let end = start + 1 + random(64 - start);
            let state = CardState::NAMES[random(8) as usize].1;
            set_range(&mut ranges, CardPart { start, end }, state, Code::EMPTY);
            model[start as usize..end as usize].fill(state);
            for (place, state) in (0u32..).zip(model) {
                assert_eq!(range_at(&ranges, place).map(|range| range.state), Some(state));
            }
            assert!(
                ranges
                    .windows(2)
                    .all(|two| two[0].end < two[1].end && two[0].state != two[1].state)
            );
        }
        assert_eq!(range_at(&ranges, 64), None);
    }
}
