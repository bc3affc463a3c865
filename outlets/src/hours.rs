//! Opening hours: spans of each weekday, breaks in them (prayer), and dates that are different (holidays).
//!
//! As text: `mon-thu 09:00-21:00; fri 09:00-12:30 14:30-22:00; sat 18:00-02:00; sun closed`, breaks `fri 13:00-14:30`,
//! holidays `2026-12-25 closed; 2027-03-20 10:00-14:00`. A span that ends at or before its beginning ends on the next day.
//! A weekday that is not named is closed. Holidays take the place of the weekday with its breaks.

use crate::limits;
use crate::outlet::Mistake;
use charge::Timestamp;
use charge::time::{Zone, civil_from_days};

/// The names of weekdays, Monday first.
pub const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// Minutes of a day.
pub const DAY_MIN: i64 = 1_440;

/// From one minute to another, counted from local midnight; the end is not part of it and may lie on the next day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// Beginning, 0 to 1,439.
    pub from_min: i64,
    /// End, 1 to 2,879.
    pub to_min: i64,
}

/// When an outlet is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hours {
    /// Spans of each weekday, Monday first.
    pub week: [Vec<Span>; 7],
    /// Breaks of each weekday.
    pub breaks: [Vec<Span>; 7],
    /// Local day numbers that are different, in order.
    pub holidays: Vec<(i32, Vec<Span>)>,
}

/// Open or not at a moment. Moments are local: minutes since the local 1970-01-01T00:00.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Open; `None`: as far as one looks ahead.
    Open {
        /// When it closes.
        until: Option<i64>,
    },
    /// In a break: open again then.
    Break {
        /// When it opens again.
        until: i64,
    },
    /// Closed; `None`: as far as one looks ahead.
    Closed {
        /// When it opens.
        opens: Option<i64>,
    },
}

impl State {
    /// True when somebody can go in.
    pub fn is_open(self) -> bool {
        matches!(self, State::Open { .. })
    }
}

impl Hours {
    /// Reads the three texts.
    ///
    /// # Errors
    /// [`Mistake`] with the field.
    pub fn parse(week: &str, breaks: &str, holidays: &str) -> Result<Hours, Mistake> {
        Ok(Hours {
            week: week_of(week, "hours")?,
            breaks: week_of(breaks, "breaks")?,
            holidays: holidays_of(holidays)?,
        })
    }

    /// Open or not. The wall clock of the moment decides; a change of the clock before the next opening is not foreseen.
    pub fn at(&self, zone: &Zone, at: Timestamp) -> State {
        let today = zone.day_number(at);
        let now = i64::from(today) * DAY_MIN + i64::from(zone.second_of_day(at) / 60);
        let spans = self.around(today);
        if let Some(span) = spans
            .iter()
            .find(|span| span.from_min <= now && now < span.to_min)
        {
            let end_of_sight = i64::from(today + limits::DAYS_AHEAD) * DAY_MIN;
            return State::Open {
                until: (span.to_min < end_of_sight).then_some(span.to_min),
            };
        }
        let opens = spans.iter().map(|span| span.from_min).find(|from| *from > now);
        let minute = now - i64::from(today) * DAY_MIN;
        let resting = self
            .breaks_of(today)
            .iter()
            .any(|rest| rest.from_min <= minute && minute < rest.to_min);
        match opens {
            Some(until) if resting && until < i64::from(today + 1) * DAY_MIN => State::Break { until },
            _ => State::Closed { opens },
        }
    }

    /// Spans and breaks of a local day as they are written down, and whether the day is a holiday.
    pub fn of_day(&self, day: i32) -> (&[Span], &[Span], bool) {
        match self.holiday(day) {
            Some(spans) => (spans, &[], true),
            None => (&self.week[weekday(day)], &self.breaks[weekday(day)], false),
        }
    }

    /// All spans that touch the days from yesterday on, without the breaks, joined, in order.
    fn around(&self, today: i32) -> Vec<Span> {
        let mut all: Vec<Span> = Vec::new();
        for day in today - 1..=today + limits::DAYS_AHEAD {
            let (spans, breaks, _) = self.of_day(day);
            let start = i64::from(day) * DAY_MIN;
            for span in spans {
                for piece in without(*span, breaks) {
                    all.push(Span {
                        from_min: start + piece.from_min,
                        to_min: start + piece.to_min,
                    });
                }
            }
        }
        all.sort_unstable();
        let mut joined: Vec<Span> = Vec::new();
        for span in all {
            match joined.last_mut() {
                Some(last) if span.from_min <= last.to_min => last.to_min = last.to_min.max(span.to_min),
                _ => joined.push(span),
            }
        }
        joined
    }

    fn holiday(&self, day: i32) -> Option<&[Span]> {
        let found = self
            .holidays
            .binary_search_by_key(&day, |(known, _)| *known)
            .ok()?;
        Some(&self.holidays[found].1)
    }

    fn breaks_of(&self, day: i32) -> &[Span] {
        self.of_day(day).1
    }
}

/// The weekday of a day number, Monday 0: 1970-01-01 was a Thursday.
pub fn weekday(day: i32) -> usize {
    usize::try_from((i64::from(day) + 3).rem_euclid(7)).unwrap_or(0)
}

/// The day number of a date `2026-12-25`.
pub fn day_of(text: &str) -> Option<i32> {
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 10
        && bytes.iter().enumerate().all(|(index, byte)| match index {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if !shaped {
        return None;
    }
    let (year, month, day) = (
        text[..4].parse().ok()?,
        text[5..7].parse().ok()?,
        text[8..].parse().ok()?,
    );
    // A guess that is at most some days off, and then the calendar itself.
    let guess = (i64::from(year) - 1970) * 365 + (i64::from(year) - 1969) / 4 + i64::from(month) * 30;
    let found = (guess - 70..guess + 70).find(|days| civil_from_days(*days) == (year, month, day))?;
    i32::try_from(found)
        .ok()
        .filter(|_| (1970..=2199).contains(&year))
}

fn without(span: Span, breaks: &[Span]) -> Vec<Span> {
    let mut pieces = vec![span];
    for rest in breaks {
        let cut = |piece: Span| {
            let before = Span {
                from_min: piece.from_min,
                to_min: piece.to_min.min(rest.from_min),
            };
            let after = Span {
                from_min: piece.from_min.max(rest.to_min),
                to_min: piece.to_min,
            };
            [before, after]
                .into_iter()
                .filter(|part| part.from_min < part.to_min)
        };
        pieces = pieces.into_iter().flat_map(cut).collect();
    }
    pieces
}

fn week_of(text: &str, field: &'static str) -> Result<[Vec<Span>; 7], Mistake> {
    let mut week: [Vec<Span>; 7] = Default::default();
    let mut named = [false; 7];
    for part in parts(text, field)? {
        let (days, spans) = part.split_once(char::is_whitespace).ok_or_else(|| {
            Mistake::new(
                field,
                format!("`{part}`: a day and its hours, like `mon-thu 09:00-21:00`"),
            )
        })?;
        let (first, last) = days.split_once('-').unwrap_or((days, days));
        let index = |name: &str| DAYS.iter().position(|day| day.eq_ignore_ascii_case(name));
        let (Some(first), Some(last)) = (index(first), index(last)) else {
            return Err(Mistake::new(
                field,
                format!("`{days}`: days are {}", DAYS.join(", ")),
            ));
        };
        if last < first {
            return Err(Mistake::new(
                field,
                format!("`{days}`: from an earlier day to a later one"),
            ));
        }
        let spans = spans_of(spans, field)?;
        for day in first..=last {
            if std::mem::replace(&mut named[day], true) {
                return Err(Mistake::new(field, format!("{} stands there twice", DAYS[day])));
            }
            week[day].clone_from(&spans);
        }
    }
    Ok(week)
}

fn holidays_of(text: &str) -> Result<Vec<(i32, Vec<Span>)>, Mistake> {
    let field = "holidays";
    let mut all = Vec::new();
    for part in parts(text, field)? {
        let (date, spans) = part.split_once(char::is_whitespace).unwrap_or((part, "closed"));
        let day =
            day_of(date).ok_or_else(|| Mistake::new(field, format!("`{date}`: a date is 2026-12-25")))?;
        all.push((day, spans_of(spans, field)?));
    }
    if all.len() > limits::HOLIDAYS_MAX {
        return Err(Mistake::new(field, format!("at most {}", limits::HOLIDAYS_MAX)));
    }
    all.sort_unstable_by_key(|(day, _)| *day);
    match all.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        true => Err(Mistake::new(field, "a date stands there twice".to_owned())),
        false => Ok(all),
    }
}

fn parts<'a>(text: &'a str, field: &'static str) -> Result<impl Iterator<Item = &'a str>, Mistake> {
    if text.len() > limits::HOURS_BYTES_MAX {
        return Err(Mistake::new(
            field,
            format!("at most {} bytes", limits::HOURS_BYTES_MAX),
        ));
    }
    Ok(text.split(';').map(str::trim).filter(|part| !part.is_empty()))
}

fn spans_of(text: &str, field: &'static str) -> Result<Vec<Span>, Mistake> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("closed") {
        return Ok(Vec::new());
    }
    let mut spans = Vec::new();
    for part in text.split([' ', ',']).filter(|part| !part.is_empty()) {
        let span = part.split_once('-').and_then(|(from, to)| span_of(from, to));
        spans.push(
            span.ok_or_else(|| Mistake::new(field, format!("`{part}`: hours are 09:00-21:00, or `closed`")))?,
        );
    }
    spans.sort_unstable();
    if spans.len() > limits::SPANS_MAX {
        return Err(Mistake::new(
            field,
            format!("at most {} spans a day", limits::SPANS_MAX),
        ));
    }
    if spans.windows(2).any(|pair| pair[1].from_min < pair[0].to_min) {
        return Err(Mistake::new(field, format!("`{text}`: the spans overlap")));
    }
    Ok(spans)
}

fn span_of(from: &str, to: &str) -> Option<Span> {
    let (from_min, to_min) = (minute_of(from)?, minute_of(to)?);
    if from_min >= DAY_MIN {
        return None;
    }
    Some(Span {
        from_min,
        to_min: if to_min <= from_min {
            to_min + DAY_MIN
        } else {
            to_min
        },
    })
}

/// Minutes of `09:30`; `24:00` is the end of the day.
fn minute_of(text: &str) -> Option<i64> {
    let (hour, minute) = text.split_once(':')?;
    let two = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    if !two(hour) || !two(minute) {
        return None;
    }
    let (hour, minute): (i64, i64) = (hour.parse().ok()?, minute.parse().ok()?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= DAY_MIN).then_some(total)
}
