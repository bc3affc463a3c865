//! How crowded an outlet is at an hour of the week, guessed from what it sold in the same hours before. Nothing is said
//! when too little was sold to tell.

use crate::limits;
use charge::Timestamp;
use charge::time::{DAY, Zone};

/// Hours of a week.
pub const WEEK_HOURS: usize = 168;

/// A guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crowd {
    /// Less than half of an average hour.
    Quiet,
    /// As always.
    Usual,
    /// More than one and a half of an average hour.
    Busy,
}

impl Crowd {
    /// Its name in the API and in sentences.
    pub fn name(self) -> &'static str {
        match self {
            Crowd::Quiet => "quiet",
            Crowd::Usual => "usual",
            Crowd::Busy => "busy",
        }
    }
}

/// The hour of the local week, 0 is Monday 00:00 to 01:00.
pub fn hour_of_week(zone: &Zone, at: Timestamp) -> usize {
    let hour = usize::try_from(zone.second_of_day(at) / 3_600).unwrap_or(0);
    crate::hours::weekday(zone.day_number(at)) * 24 + hour
}

/// From when on sales are counted: whole weeks back from the beginning of today, so that every hour counts as often.
pub fn counted_from(zone: &Zone, now: Timestamp) -> (Timestamp, Timestamp) {
    let today = zone.day_start(zone.day_number(now));
    (today.plus(-limits::CROWD_WEEKS * 7 * DAY), today)
}

/// The guess for an hour of the week, from the sales of each. The average is over hours in which anything was sold.
pub fn guess(sales: &[u32], hour: usize) -> Option<Crowd> {
    let total: u64 = sales.iter().map(|count| u64::from(*count)).sum();
    let hours = sales.iter().filter(|count| **count > 0).count() as u64;
    let here = u64::from(*sales.get(hour)?);
    if total < limits::CROWD_SALES_MIN {
        return None;
    }
    Some(match here * hours * 2 {
        twice if twice < total => Crowd::Quiet,
        twice if twice > 3 * total => Crowd::Busy,
        _ => Crowd::Usual,
    })
}
