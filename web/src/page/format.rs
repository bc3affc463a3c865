//! Amounts, volumes and dates as people read them, with each value isolated. Integers only.

use crate::text::{self, Html, Value};
use charge::catalog::Language;
use charge::money::Rounding;
use charge::time::{DAY, HOUR, MINUTE, Zone};
use charge::unit::Amount;
use charge::{Money, Timestamp, Unit};

/// Keeps a number and its unit on one line.
pub const NBSP: char = '\u{a0}';

/// Sentences and values in one language: what templates call `t`.
#[derive(Clone, Copy, Debug)]
pub struct Speech {
    /// The language.
    pub language: Language,
}

impl Speech {
    /// A sentence as HTML.
    pub fn h(&self, key: &str) -> Html {
        text::html(self.language, key, &[])
    }

    /// A sentence as text, for attributes and titles.
    pub fn p(&self, key: &str) -> String {
        text::plain(self.language, key, &[])
    }

    /// A sentence with values. It may become a value itself: in Urdu it then keeps its direction, which a browser cannot
    /// find out when every word in it is isolated.
    pub fn with(&self, key: &str, values: &[(&str, Value)]) -> String {
        let sentence = text::text(self.language, key, values);
        match self.language {
            Language::Ur => format!("\u{2067}{sentence}\u{2069}"),
            Language::En | Language::Zh => sentence,
        }
    }

    /// `Rs 1,234.50`.
    pub fn money(&self, money: Money, currency: &str) -> String {
        let sign = if money.0 < 0 { "\u{2212}" } else { "" };
        format!(
            "{sign}{}{NBSP}{}",
            symbol(currency),
            grouped(&positive(money).shown())
        )
    }

    /// `+Rs 86.96`, `-Rs 2.40`.
    pub fn movement(&self, money: Money, currency: &str) -> String {
        let sign = if money.0 > 0 { "+" } else { "" };
        format!("{sign}{}", self.money(money, currency))
    }

    /// Any amount in the form that people use.
    pub fn amount(&self, unit: Unit, amount: Amount, currency: &str) -> String {
        match unit {
            Unit::Money => self.money(Money(amount.0), currency),
            Unit::Octets => octets(amount.0),
            Unit::Seconds if amount.0 % 60 == 0 => self.with("minutes", &[("count", (amount.0 / 60).into())]),
            Unit::Seconds => {
                let clock = format!("{}:{:02}", amount.0 / 60, amount.0 % 60);
                self.with("minutes-seconds", &[("clock", clock.into())])
            }
            Unit::Messages => self.with("messages", &[("count", amount.0.into())]),
        }
    }

    /// `21 November 2026`.
    pub fn date(&self, at: Timestamp, zone: &Zone) -> String {
        let civil = zone.civil(at);
        let month = self.p(&format!("month-{}", civil.month));
        let values = [
            ("day", civil.day.to_string().into()),
            ("month", month.into()),
            ("year", civil.year.to_string().into()),
        ];
        self.with("date", &values)
    }

    /// `November 2026`.
    pub fn month(&self, year: i32, month: u8) -> String {
        let name = self.p(&format!("month-{month}"));
        self.with(
            "month-year",
            &[("month", name.into()), ("year", year.to_string().into())],
        )
    }

    /// `17:05`.
    pub fn time(&self, at: Timestamp, zone: &Zone) -> String {
        let second = zone.second_of_day(at);
        format!("{:02}:{:02}", second / 3600, second / 60 % 60)
    }

    /// `21 November 2026, 17:05`.
    pub fn moment(&self, at: Timestamp, zone: &Zone) -> String {
        let values = [
            ("date", self.date(at, zone).into()),
            ("time", self.time(at, zone).into()),
        ];
        self.with("moment", &values)
    }

    /// How long to wait, for people: they do not read headers.
    pub fn wait(&self, seconds: u64) -> String {
        let minutes = i64::try_from(seconds.div_ceil(60).max(1)).unwrap_or(i64::MAX);
        self.with("wait-minutes", &[("count", minutes.into())])
    }

    /// `7 days left`, `3 hours left`, `5 minutes left`.
    pub fn left(&self, until: Timestamp, now: Timestamp) -> String {
        let left = until.0.saturating_sub(now.0).max(0);
        let (key, count) = if left >= 2 * DAY {
            ("days-left", left / DAY)
        } else if left >= 2 * HOUR {
            ("hours-left", left / HOUR)
        } else {
            ("minutes-left", left / MINUTE)
        };
        self.with(key, &[("count", count.into())])
    }
}

/// What people write before an amount.
pub fn symbol(currency: &str) -> &str {
    match currency {
        "PKR" => "Rs",
        other => other,
    }
}

fn positive(money: Money) -> Money {
    Money(money.0.saturating_abs())
}

/// `1234567.50` as `1,234,567.50`.
fn grouped(decimal: &str) -> String {
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    let mut out = String::with_capacity(decimal.len() + 4);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// Octets in binary units as operators print them, to two decimals.
fn octets(octets: i64) -> String {
    let (unit, size) = match octets {
        ..1_024 => return format!("{octets}{NBSP}B"),
        1_024..1_048_576 => ("KB", 1_i128 << 10),
        1_048_576..1_073_741_824 => ("MB", 1 << 20),
        _ => ("GB", 1 << 30),
    };
    let hundredths = Rounding::Down.divide(i128::from(octets) * 100, size);
    let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}{NBSP}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_people_read_them() {
        let en = Speech {
            language: Language::En,
        };
        let bare = |text: String| text.replace(text::ISOLATES, "").replace(NBSP, " ");
        assert_eq!(
            bare(en.money(Money::parse("1234567.5").unwrap(), "PKR")),
            "Rs 1,234,567.50"
        );
        assert_eq!(
            bare(en.money(Money::parse("-2.4").unwrap(), "PKR")),
            "\u{2212}Rs 2.40"
        );
        assert_eq!(
            bare(en.movement(Money::parse("86.956522").unwrap(), "PKR")),
            "+Rs 86.96"
        );
        assert_eq!(bare(en.movement(Money::ZERO, "USD")), "USD 0.00");
        assert_eq!(bare(octets(1 << 30)), "1 GB");
        assert_eq!(bare(octets((3 << 29) + 1)), "1.5 GB");
        assert_eq!(bare(octets(999)), "999 B");
        assert_eq!(bare(en.amount(Unit::Seconds, Amount(90), "PKR")), "1:30 min");
        assert_eq!(bare(en.amount(Unit::Seconds, Amount(60), "PKR")), "1 minute");
        assert_eq!(bare(en.amount(Unit::Messages, Amount(2), "PKR")), "2 SMS");
        let zone = Zone::fixed("Asia/Karachi", 18_000);
        let at = Timestamp::from_seconds(1_795_302_960);
        assert_eq!(bare(en.moment(at, &zone)), "22 November 2026, 04:16");
        assert_eq!(bare(en.left(at.plus(3 * DAY), at)), "3 days left");
        assert_eq!(bare(en.left(at.plus(DAY), at)), "24 hours left");
        assert_eq!(bare(en.left(at.plus(MINUTE), at)), "1 minute left");
        let ur = Speech {
            language: Language::Ur,
        };
        assert_eq!(bare(ur.date(at, &zone)), "22 نومبر 2026");
        let zh = Speech {
            language: Language::Zh,
        };
        assert_eq!(bare(zh.date(at, &zone)), "2026年11月22日");
    }
}
