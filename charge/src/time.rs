//! Time as microseconds since the Unix epoch, and the civil time of an operator's zone.

use std::fmt;

/// A moment: microseconds since 1970-01-01T00:00:00Z. Always an argument, never read from a clock here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds in a minute.
pub const MINUTE: i64 = 60 * SECOND;
/// Microseconds in an hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Microseconds in a day of 24 hours.
pub const DAY: i64 = 24 * HOUR;

impl Timestamp {
    /// Later than any real moment: "never".
    pub const NEVER: Timestamp = Timestamp(i64::MAX);

    /// A moment from whole seconds since the epoch.
    pub const fn from_seconds(seconds: i64) -> Timestamp {
        Timestamp(seconds * SECOND)
    }

    /// This moment plus microseconds; stays at the end of time when it would pass it.
    #[must_use]
    pub const fn plus(self, micros: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(micros))
    }

    /// Whole seconds from `earlier` to here, never negative.
    pub const fn seconds_since(self, earlier: Timestamp) -> i64 {
        let micros = self.0.saturating_sub(earlier.0);
        if micros < 0 { 0 } else { micros / SECOND }
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(SECOND)
    }
}

impl fmt::Display for Timestamp {
    /// ISO 8601 in UTC to the second.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Timestamp::NEVER {
            return f.write_str("never");
        }
        let civil = Zone::UTC.civil(*self);
        write!(f, "{civil}Z")
    }
}

/// A moment on a wall clock: proleptic Gregorian date and time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Civil {
    /// Year, for example 2026.
    pub year: i32,
    /// Month 1 to 12.
    pub month: u8,
    /// Day of the month 1 to 31.
    pub day: u8,
    /// Seconds since midnight, 0 to 86,399.
    pub second_of_day: u32,
}

impl fmt::Display for Civil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hour, minute, second) = (
            self.second_of_day / 3600,
            self.second_of_day / 60 % 60,
            self.second_of_day % 60,
        );
        write!(
            f,
            "{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}",
            self.year, self.month, self.day
        )
    }
}

/// The offsets from UTC that an operator's time zone has had and will have, resolved when the catalog is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// IANA name, for example `Asia/Karachi`.
    pub name: String,
    /// Offset in seconds east of UTC before the first change.
    pub offset_s: i32,
    /// Changes in order: from that moment on, the offset in seconds.
    pub changes: Vec<(Timestamp, i32)>,
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Zone = Zone {
        name: String::new(),
        offset_s: 0,
        changes: Vec::new(),
    };

    /// A zone that never changes its offset.
    pub fn fixed(name: &str, offset_s: i32) -> Zone {
        Zone {
            name: name.to_owned(),
            offset_s,
            changes: Vec::new(),
        }
    }

    /// Seconds east of UTC in force at a moment.
    pub fn offset_at(&self, at: Timestamp) -> i32 {
        let after = self.changes.partition_point(|(from, _)| *from <= at);
        if after == 0 {
            self.offset_s
        } else {
            self.changes[after - 1].1
        }
    }

    /// Days since 1970-01-01 on the local calendar. A day number, used for day totals and calendar validity.
    pub fn day_number(&self, at: Timestamp) -> i32 {
        let local = at.seconds().saturating_add(i64::from(self.offset_at(at)));
        i32::try_from(local.div_euclid(86_400)).unwrap_or(i32::MAX)
    }

    /// Seconds since local midnight.
    pub fn second_of_day(&self, at: Timestamp) -> u32 {
        let local = at.seconds().saturating_add(i64::from(self.offset_at(at)));
        u32::try_from(local.rem_euclid(86_400)).unwrap_or(0)
    }

    /// The local wall clock at a moment.
    pub fn civil(&self, at: Timestamp) -> Civil {
        let (year, month, day) = civil_from_days(i64::from(self.day_number(at)));
        Civil {
            year,
            month,
            day,
            second_of_day: self.second_of_day(at),
        }
    }

    /// The moment when the local calendar day of that number begins. Where a clock change skips or repeats midnight,
    /// the offset in force before it decides.
    pub fn day_start(&self, day_number: i32) -> Timestamp {
        let local = i64::from(day_number) * 86_400;
        let guess = Timestamp::from_seconds(local - i64::from(self.offset_s));
        let offset = self.offset_at(guess);
        Timestamp::from_seconds(local - i64::from(offset))
    }
}

/// Gregorian date of a day number (Hinnant's algorithm, exact for all of `i32`).
pub fn civil_from_days(days: i64) -> (i32, u8, u8) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let narrow = |v: i64| u8::try_from(v).unwrap_or(0);
    (i32::try_from(year).unwrap_or(0), narrow(month), narrow(day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn civil_time_in_karachi() {
        let zone = Zone::fixed("Asia/Karachi", 5 * 3600);
        let at = Timestamp::from_seconds(1_795_302_960);
        assert_eq!(at.to_string(), "2026-11-21T23:16:00Z");
        assert_eq!(zone.civil(at).to_string(), "2026-11-22T04:16:00");
        let start = zone.day_start(zone.day_number(at));
        assert_eq!(zone.civil(start).to_string(), "2026-11-22T00:00:00");
        assert_eq!(zone.second_of_day(at), 4 * 3600 + 16 * 60);
    }

    #[test]
    fn zone_with_a_change() {
        let change = Timestamp::from_seconds(1_000_000);
        let zone = Zone {
            name: "test".into(),
            offset_s: 3600,
            changes: vec![(change, 7200)],
        };
        assert_eq!(zone.offset_at(change.plus(-1)), 3600);
        assert_eq!(zone.offset_at(change), 7200);
    }
}
