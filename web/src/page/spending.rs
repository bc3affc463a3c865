//! What somebody spent on the days of a month, by kind. Reading is bounded; the rest is pure.

use crate::bind::Reader;
use crate::limits;
use crate::problem::Problem;
use crate::state::Web;
use charge::time::{Zone, civil_from_days};
use charge::unit::Service;
use charge::{AccountId, Money, Timestamp};
use store::StoreError;
use store::reads::{Cursor, LineKind, StatementEntry};

/// Kinds of spending, in the order in which they are drawn.
pub const KINDS: [&str; 4] = ["data", "voice", "sms", "bundle"];

/// A month of a local calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    /// Year.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// Day number of its first day.
    pub first: i32,
    /// How many days it has.
    pub days: i32,
}

impl Month {
    /// The month that holds a day number.
    pub fn of_day(day: i32) -> Month {
        let (year, month, date) = civil_from_days(i64::from(day));
        let first = day - i32::from(date) + 1;
        let days = (28..=31)
            .find(|days| civil_from_days(i64::from(first + days)).1 != month)
            .unwrap_or(31);
        Month {
            year,
            month,
            first,
            days,
        }
    }

    /// The month before.
    #[must_use]
    pub fn before(self) -> Month {
        Month::of_day(self.first - 1)
    }

    /// `2026-11`.
    pub fn name(self) -> String {
        format!("{:04}-{:02}", self.year, self.month)
    }

    /// Reads `2026-11`, if it is one of the last months up to `now`.
    pub fn parse(text: &str, now: Month) -> Option<Month> {
        months_back(now).into_iter().find(|month| month.name() == text)
    }

    /// Its first moment, and the first moment after it.
    pub fn span(self, zone: &Zone) -> (Timestamp, Timestamp) {
        (zone.day_start(self.first), zone.day_start(self.first + self.days))
    }
}

/// The months that a statement offers, the newest first.
pub fn months_back(now: Month) -> Vec<Month> {
    std::iter::successors(Some(now), |month| Some(month.before()))
        .take(limits::STATEMENT_MONTHS)
        .collect()
}

/// What was spent on consecutive days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spending {
    /// Day number of the first.
    pub first: i32,
    /// Each day, by kind in the order of [`KINDS`].
    pub days: Vec<[Money; 4]>,
    /// False when there was more than we read.
    pub complete: bool,
}

impl Spending {
    /// Nothing on any day.
    pub fn empty(first: i32, days: i32) -> Spending {
        let days = usize::try_from(days).unwrap_or(0);
        Spending {
            first,
            days: vec![[Money::ZERO; 4]; days],
            complete: true,
        }
    }

    /// Adds an entry, if it is spending on one of the days.
    pub fn add(&mut self, entry: &StatementEntry, zone: &Zone) {
        let (kind, amount) = match entry {
            StatementEntry::Usage(usage) => match usage.service {
                Service::Data => (0, usage.money),
                Service::Voice => (1, usage.money),
                Service::Sms => (2, usage.money),
            },
            StatementEntry::Line(line) if line.kind == LineKind::Bundle => (3, -line.amount),
            StatementEntry::Line(_) => return,
        };
        let day = zone.day_number(entry.at()) - self.first;
        if let Some(day) = usize::try_from(day).ok().and_then(|day| self.days.get_mut(day)) {
            day[kind] += amount;
        }
    }

    /// All of a day.
    pub fn day(&self, index: usize) -> Money {
        self.days.get(index).map_or(Money::ZERO, total)
    }

    /// All of a kind.
    pub fn kind(&self, kind: usize) -> Money {
        self.days.iter().fold(Money::ZERO, |sum, day| sum + day[kind])
    }

    /// All.
    pub fn total(&self) -> Money {
        self.days.iter().fold(Money::ZERO, |sum, day| sum + total(day))
    }

    /// What a span of these days took, by index.
    pub fn span(&self, days: std::ops::Range<usize>) -> Money {
        days.fold(Money::ZERO, |sum, day| sum + self.day(day))
    }
}

fn total(day: &[Money; 4]) -> Money {
    day.iter().fold(Money::ZERO, |sum, amount| sum + *amount)
}

/// What an account spent from the day `first` on, for so many days.
///
/// # Errors
/// When the read models do not answer.
pub async fn read(
    web: &Web,
    account: AccountId,
    zone: &Zone,
    first: i32,
    days: i32,
) -> Result<Spending, Problem> {
    let from = zone.day_start(first);
    let until = zone.day_start(first + days);
    let zone = zone.clone();
    let ask = move |reader: &mut Reader| -> Result<Spending, StoreError> {
        let mut spending = Spending::empty(first, days);
        spending.complete = each(
            reader,
            account,
            (from, until),
            limits::SPENDING_LINES_MAX,
            |entry| {
                spending.add(entry, &zone);
            },
        )?;
        Ok(spending)
    };
    web.parts.reads.ask(ask).await
}

/// Goes through the entries of a span, the newest first, at most so many. True when these were all.
///
/// # Errors
/// [`StoreError`].
pub fn each(
    reader: &mut Reader,
    account: AccountId,
    (from, until): (Timestamp, Timestamp),
    max: usize,
    mut look: impl FnMut(&StatementEntry),
) -> Result<bool, StoreError> {
    let mut before = end_of(until);
    let mut seen = 0;
    loop {
        let entries = reader.models.statement(account, before, CHUNK)?;
        for entry in &entries {
            if entry.at() < from {
                return Ok(true);
            }
            if seen == max {
                return Ok(false);
            }
            seen += 1;
            look(entry);
        }
        match entries.last() {
            Some(last) if entries.len() == CHUNK => before = last.cursor(),
            _ => return Ok(true),
        }
    }
}

/// The cursor before everything that happened at a moment or later.
pub fn end_of(until: Timestamp) -> Cursor {
    Cursor {
        at: until,
        line: i64::MIN,
        session: charge::ids::SessionKey(0),
    }
}

/// Entries read at once.
const CHUNK: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_of_the_calendar() {
        let day = |at: i64| Zone::fixed("Asia/Karachi", 18_000).day_number(Timestamp::from_seconds(at));
        let november = Month::of_day(day(1_795_302_960));
        assert_eq!((november.name().as_str(), november.days), ("2026-11", 30));
        assert_eq!(november.before().name(), "2026-10");
        let lengths: Vec<i32> = std::iter::successors(Some(november), |month| Some(month.before()))
            .take(34)
            .map(|month| month.days)
            .collect();
        assert_eq!(
            &lengths[..12],
            [30, 31, 30, 31, 31, 30, 31, 30, 31, 28, 31, 31],
            "back to December"
        );
        assert_eq!(lengths[33], 29, "February 2024");
        assert_eq!(Month::parse("2026-09", november).unwrap().days, 30);
        for wrong in ["2026-12", "2020-01", "", "x"] {
            assert_eq!(Month::parse(wrong, november), None, "{wrong}");
        }
    }
}
