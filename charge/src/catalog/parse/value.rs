//! Values as people write them: `"3.50"`, `"1.5 GB"`, `"60 min"`, `"01:00-09:00"`, `"2024-09-02"`.

use super::limits::{BUDGET_UNITS_MAX, DAYS_MAX, PRICE_UNITS_MAX};
use super::reader::shorten;
use crate::catalog::{Classes, DestinationClass, Prefix, TimeWindow, Validity};
use crate::ids::Code;
use crate::money::{MICROS, Money, Rounding};
use crate::tax::{Rate, TaxMode};
use crate::time::civil_from_days;
use crate::unit::{Amount, Service, Unit};

/// Octets in one of each; binary, as operators count.
const DATA_UNITS: [(&str, i64); 5] = [
    ("B", 1),
    ("KB", 1 << 10),
    ("MB", 1 << 20),
    ("GB", 1 << 30),
    ("TB", 1 << 40),
];
/// Seconds in one of each.
const TIME_UNITS: [(&str, i64); 4] = [("s", 1), ("min", 60), ("h", 3_600), ("days", 86_400)];
/// Messages.
const MESSAGE_UNITS: [(&str, i64); 1] = [("SMS", 1)];

/// The largest quantity of anything, in octets, seconds or messages.
const QUANTITY_MAX: i64 = 1 << 50;

/// A price, fee or limit: not negative, not absurd.
pub(super) fn money(text: &str) -> Result<Money, String> {
    let money = Money::parse(text).map_err(|_| {
        format!(
            "\"{}\" is not an amount of money; write digits with at most six decimals, like \"3.50\"",
            shorten(text)
        )
    })?;
    if money < Money::ZERO {
        Err(format!("{text} is negative; an amount here is 0 or more"))
    } else if money > Money::from_units(PRICE_UNITS_MAX) {
        Err(format!(
            "{text} is absurdly high; the highest amount here is {PRICE_UNITS_MAX}"
        ))
    } else {
        Ok(money)
    }
}

/// A budget of a promotion: larger than any price, smaller than what the sums can hold.
pub(super) fn budget(text: &str) -> Result<Money, String> {
    let highest = Money::from_units(BUDGET_UNITS_MAX);
    match Money::parse(text) {
        Ok(money) if money.is_positive() && money <= highest => Ok(money),
        _ => Err(format!(
            "\"{}\" is not a budget; write an amount of money above 0 and up to {BUDGET_UNITS_MAX}",
            shorten(text)
        )),
    }
}

/// A percentage: `19.5`.
pub(super) fn percent(text: &str) -> Result<Rate, String> {
    let rate = Rate::parse_percent(text).filter(|rate| rate.0 <= MICROS as u32);
    rate.ok_or_else(|| {
        format!(
            "\"{}\" is not a percentage from 0 to 100; write it like \"19.5\", without the sign",
            shorten(text)
        )
    })
}

/// A quantity of a unit, above zero: octets as `1.5 GB`, seconds as `60 min`, messages as `500 SMS`, money as `50`.
pub(super) fn amount(unit: Unit, text: &str) -> Result<Amount, String> {
    let (units, example): (&[(&str, i64)], _) = match unit {
        Unit::Octets => (&DATA_UNITS, "512 KB"),
        Unit::Seconds => (&TIME_UNITS, "60 min"),
        Unit::Messages => (&MESSAGE_UNITS, "500 SMS"),
        Unit::Money => {
            let amount = Amount(money(text)?.micros());
            return if amount.is_positive() {
                Ok(amount)
            } else {
                Err(zero(text))
            };
        }
    };
    if text == "unlimited" {
        return Err(
            "unlimited is not an amount; write the fair-use amount and `synthetic = true`".to_owned(),
        );
    }
    let wrong = || {
        format!(
            "\"{}\" is not a quantity of {}; write it like \"{example}\"",
            shorten(text),
            unit.name()
        )
    };
    let (number, name) = text.split_once(' ').ok_or_else(wrong)?;
    let size = units
        .iter()
        .find(|(known, _)| *known == name)
        .ok_or_else(wrong)?
        .1;
    let number = Money::parse(number).map_err(|_| wrong())?;
    let scaled = i128::from(number.micros()) * i128::from(size);
    let micros = i128::from(MICROS);
    if scaled < 0 || scaled % micros != 0 {
        return Err(wrong());
    }
    match i64::try_from(scaled / micros) {
        Ok(0) => Err(zero(text)),
        Ok(quantity) if quantity <= QUANTITY_MAX => Ok(Amount(quantity)),
        _ => Err(format!("{} is absurdly much", shorten(text))),
    }
}

fn zero(text: &str) -> String {
    format!("{text} is zero; an amount, pulse or step here must be above zero")
}

/// A length of time in whole seconds, at most a year; 0 where `zero_allowed`.
pub(super) fn seconds(text: &str, zero_allowed: bool) -> Result<u32, String> {
    if zero_allowed && text == "0 s" {
        return Ok(0);
    }
    let amount = amount(Unit::Seconds, text)?;
    let seconds = u32::try_from(amount.0)
        .ok()
        .filter(|seconds| *seconds <= 366 * 86_400);
    seconds.ok_or_else(|| format!("{text} is longer than a year"))
}

/// `7 calendar days` (including today) or `24 hours` (from the purchase on).
pub(super) fn validity(text: &str) -> Result<Validity, String> {
    let wrong = || {
        format!(
            "\"{}\" is not a life time; write \"7 calendar days\" (including today) or \"24 hours\"",
            shorten(text)
        )
    };
    let (number, unit) = text.split_once(' ').ok_or_else(wrong)?;
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u16 = number
        .parse()
        .ok()
        .filter(|n| digits && *n > 0)
        .ok_or_else(wrong)?;
    let (validity, days) = match unit {
        "calendar days" | "calendar day" => (Validity::CalendarDays(number), number),
        "hours" | "hour" => (Validity::Hours(number), number / 24),
        _ => return Err(wrong()),
    };
    if days > DAYS_MAX {
        Err(format!("{text} is longer than {DAYS_MAX} days"))
    } else {
        Ok(validity)
    }
}

/// A window of the local day: `01:00-09:00`; `23:00-08:00` passes midnight; `24:00` is its end.
pub(super) fn window(text: &str) -> Result<TimeWindow, String> {
    let ends = text
        .split_once('-')
        .and_then(|(from, to)| Some((clock(from)?, clock(to)?)));
    match ends {
        Some((from_s, to_s)) if from_s == to_s => {
            Err(format!("the window {text} is empty: it ends where it begins"))
        }
        Some((from_s, to_s)) if from_s < 86_400 => Ok(TimeWindow { from_s, to_s }),
        _ => Err(format!(
            "\"{}\" is not a time window; write hours and minutes, like \"01:00-09:00\"",
            shorten(text)
        )),
    }
}

fn clock(text: &str) -> Option<u32> {
    let bytes = text.as_bytes();
    let shape = bytes.len() == 5 && bytes[2] == b':';
    if !shape
        || [0, 1, 3, 4]
            .iter()
            .any(|place: &usize| !bytes[*place].is_ascii_digit())
    {
        return None;
    }
    let two = |place: usize| u32::from(bytes[place] - b'0') * 10 + u32::from(bytes[place + 1] - b'0');
    let (hour, minute) = (two(0), two(3));
    let valid = minute < 60 && (hour < 24 || (hour == 24 && minute == 0));
    valid.then_some(hour * 3_600 + minute * 60)
}

/// A date of ISO 8601 as a source gives it: `2024-09-02`, `2026-02` or `2026`.
pub(super) fn as_of(text: &str) -> Result<&str, String> {
    let whole = match text.len() {
        4 => format!("{text}-01-01"),
        7 => format!("{text}-01"),
        _ => text.to_owned(),
    };
    match date(&whole) {
        Ok(_) => Ok(text),
        Err(_) => Err(format!(
            "\"{}\" is not a date; write the day of the source, like \"2024-09-02\", \"2024-09\" or \"2024\"",
            shorten(text)
        )),
    }
}

/// A calendar day `2024-09-02` as a day number since 1970-01-01.
pub(super) fn date(text: &str) -> Result<i32, String> {
    let wrong = || {
        format!(
            "\"{}\" is not a date; write it like \"2024-09-02\"",
            shorten(text)
        )
    };
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return Err(wrong());
    }
    let number = |range: std::ops::Range<usize>| {
        let digits = text.get(range)?;
        let valid = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<i64>().ok().filter(|_| valid)
    };
    let (Some(year), Some(month), Some(day)) = (number(0..4), number(5..7), number(8..10)) else {
        return Err(wrong());
    };
    if !(1970..=2200).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return Err(wrong());
    }
    // Hinnant's days_from_civil; the way back shows days that the month does not have.
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (shifted / 400, shifted % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days =
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    let (_, found_month, found_day) = civil_from_days(days);
    if i64::from(found_month) != month || i64::from(found_day) != day {
        return Err(format!("{text} is not a day of the calendar"));
    }
    i32::try_from(days).map_err(|_| wrong())
}

/// A name in commands and events: lower case letters, digits and hyphens.
pub(super) fn code(text: &str) -> Result<Code, String> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if text.len() > Code::MAX {
        return Err(format!(
            "the code \"{}\" has {} bytes; at most {} fit",
            shorten(text),
            text.len(),
            Code::MAX
        ));
    }
    let valid = !text.is_empty() && text.bytes().all(allowed);
    Code::new(text).filter(|_| valid).ok_or_else(|| {
        format!(
            "\"{}\" is not a code; use lower case letters, digits and hyphens",
            shorten(text)
        )
    })
}

/// A region code such as `PK-PB`.
pub(super) fn region_code(text: &str) -> Result<Code, String> {
    let allowed = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-';
    let valid = !text.is_empty() && text.bytes().all(allowed);
    Code::new(text).filter(|_| valid).ok_or_else(|| {
        format!(
            "\"{}\" is not a region code; write one like \"PK-PB\"",
            shorten(text)
        )
    })
}

/// Digits of a number prefix.
pub(super) fn prefix(text: &str) -> Result<Prefix, String> {
    let parsed = Prefix::parse(text).filter(|_| !text.starts_with('0'));
    parsed.ok_or_else(|| {
        format!(
            "\"{}\" is not a number prefix; write 1 to 15 digits, not beginning with 0",
            shorten(text)
        )
    })
}

/// A range of cell area codes: `1000-1999`, or one: `1000`.
pub(super) fn area_range(text: &str) -> Result<(u32, u32), String> {
    let number = |digits: &str| {
        let valid =
            !digits.is_empty() && digits.len() <= 8 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<u32>().ok().filter(|area| valid && *area < 1 << 24)
    };
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    match (number(from), number(to)) {
        (Some(from), Some(to)) if from <= to => Ok((from, to)),
        _ => Err(format!(
            "\"{}\" is not a range of area codes; write it like \"1000-1999\", below 16777216",
            shorten(text)
        )),
    }
}

/// A kind of use by its name.
pub(super) fn service(text: &str) -> Result<Service, String> {
    let found = Service::ALL.into_iter().find(|service| service.name() == text);
    found.ok_or_else(|| {
        format!(
            "\"{}\" is not a service; write \"data\", \"voice\" or \"sms\"",
            shorten(text)
        )
    })
}

/// A destination class by its name.
pub(super) fn class(text: &str) -> Result<DestinationClass, String> {
    match text {
        "on-net" => Ok(DestinationClass::OnNet),
        "off-net" => Ok(DestinationClass::OffNet),
        "international" => Ok(DestinationClass::International),
        "special" => Ok(DestinationClass::Special),
        "incoming" => Ok(DestinationClass::Incoming),
        _ => Err(format!(
            "\"{}\" is not a destination; write \"on-net\", \"off-net\", \"international\", \"special\" or \"incoming\"",
            shorten(text)
        )),
    }
}

/// The name of a class in files and messages.
pub(super) fn class_name(class: DestinationClass) -> &'static str {
    match class {
        DestinationClass::OnNet => "on-net",
        DestinationClass::OffNet => "off-net",
        DestinationClass::International => "international",
        DestinationClass::Special => "special",
        DestinationClass::Incoming => "incoming",
    }
}

/// The union of classes; none means all.
pub(super) fn classes(all: &[DestinationClass]) -> Classes {
    let set = all.iter().fold(0, |set, class| set | *class as u8);
    if set == 0 { Classes::ANY } else { Classes(set) }
}

/// Whether a price holds the tax.
pub(super) fn tax_mode(text: &str) -> Result<TaxMode, String> {
    match text {
        "exclusive" => Ok(TaxMode::Exclusive),
        "inclusive" => Ok(TaxMode::Inclusive),
        "untaxed" => Ok(TaxMode::Untaxed),
        _ => Err(format!(
            "\"{}\" does not say where the tax is; write \"exclusive\", \"inclusive\" or \"untaxed\"",
            shorten(text)
        )),
    }
}

/// A rounding by its name.
pub(super) fn rounding(text: &str) -> Result<Rounding, String> {
    Rounding::from_name(text).ok_or_else(|| {
        format!(
            "\"{}\" is not a rounding; write \"half-up\", \"half-even\", \"down\" or \"up\"",
            shorten(text)
        )
    })
}
