//! Amounts, dates and names in words, isolated where the text runs right to left.

use super::sentences::sentence;
use crate::account::{LifeCycle, Origin};
use crate::catalog::Language;
use crate::money::{Money, Rounding};
use crate::reply::Refusal;
use crate::tax::TaxClass;
use crate::time::{Timestamp, Zone};
use crate::unit::{Amount, Unit};

/// Left-to-right isolate: numbers, codes, references.
const LRI: char = '\u{2066}';
/// First-strong isolate: phrases that bring their own direction.
const FSI: char = '\u{2068}';
/// Ends either.
const PDI: char = '\u{2069}';

/// A language and the zone of its dates.
#[derive(Clone, Copy)]
pub(super) struct Voice<'a> {
    pub language: Language,
    pub zone: &'a Zone,
}

impl Voice<'_> {
    /// A sentence with its variables filled in.
    pub fn say(self, key: &'static str, variables: &[(&str, String)]) -> String {
        fill(sentence(key, self.language), variables)
    }

    /// A number, code or reference: never reordered by the text around it.
    pub fn code(self, text: &str) -> String {
        match self.language {
            Language::Ur => format!("{LRI}{text}{PDI}"),
            _ => text.to_owned(),
        }
    }

    /// Text by somebody else, in a direction that we do not know.
    pub fn foreign(self, text: &str) -> String {
        match self.language {
            Language::Ur => format!("{FSI}{text}{PDI}"),
            _ => text.to_owned(),
        }
    }

    /// Money as shown, and exactly where the two differ.
    pub fn money(self, money: Money) -> String {
        let shown = self.shown(money);
        if Money::parse(&money.shown()) == Ok(money) {
            return shown;
        }
        let exact = self.code(&money.exact());
        self.say("word.exactly", &[("shown", shown), ("exact", exact)])
    }

    /// Money as shown, to two decimals.
    pub fn shown(self, money: Money) -> String {
        self.say("word.money", &[("n", self.code(&money.shown()))])
    }

    /// Any amount in the form that people use.
    pub fn amount(self, unit: Unit, amount: Amount) -> String {
        match unit {
            Unit::Money => self.money(Money(amount.0)),
            Unit::Octets => self.code(&octets(amount.0)),
            Unit::Seconds => self.duration(amount.0),
            Unit::Messages => self.say("word.messages", &[("n", self.code(&amount.to_string()))]),
        }
    }

    fn duration(self, seconds: i64) -> String {
        let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let mut words = Vec::new();
        for (key, count) in [
            ("word.hours", hours),
            ("word.minutes", minutes),
            ("word.seconds", rest),
        ] {
            let last = key == "word.seconds" && words.is_empty();
            if count != 0 || last {
                words.push(self.say(key, &[("n", self.code(&count.to_string()))]));
            }
        }
        words.join(" ")
    }

    /// Local date and time to the minute.
    pub fn time(self, at: Timestamp) -> String {
        if at == Timestamp::NEVER {
            return sentence("word.never", self.language).to_owned();
        }
        let civil = self.zone.civil(at);
        let (hour, minute) = (civil.second_of_day / 3600, civil.second_of_day / 60 % 60);
        self.code(&format!(
            "{:04}-{:02}-{:02} {hour:02}:{minute:02}",
            civil.year, civil.month, civil.day
        ))
    }

    pub fn origin(self, origin: Origin) -> String {
        let key = match origin {
            Origin::Paid => "origin.paid",
            Origin::Bonus => "origin.bonus",
            Origin::Advance => "origin.advance",
            Origin::Bundle => "origin.bundle",
        };
        sentence(key, self.language).to_owned()
    }

    pub fn state(self, state: LifeCycle) -> String {
        let key = match state {
            LifeCycle::Active => "state.active",
            LifeCycle::Expired => "state.expired",
            LifeCycle::Suspended => "state.suspended",
            LifeCycle::Closed => "state.closed",
        };
        sentence(key, self.language).to_owned()
    }

    pub fn rounding(self, rounding: Rounding) -> String {
        let key = match rounding {
            Rounding::HalfUp => "rounding.half-up",
            Rounding::Down => "rounding.down",
            Rounding::Up => "rounding.up",
            Rounding::HalfEven => "rounding.half-even",
        };
        sentence(key, self.language).to_owned()
    }

    pub fn tax_class(self, class: TaxClass) -> String {
        let key = match class {
            TaxClass::Standard => "class.standard",
            TaxClass::ListedNonFiler => "class.listed-non-filer",
            TaxClass::Exempt => "class.exempt",
        };
        sentence(key, self.language).to_owned()
    }

    pub fn language_name(self, language: Language) -> String {
        let key = match language {
            Language::En => "language.en",
            Language::Ur => "language.ur",
            Language::Zh => "language.zh",
        };
        sentence(key, self.language).to_owned()
    }

    pub fn reason(self, refusal: Refusal) -> String {
        let key = match refusal {
            Refusal::InsufficientBalance | Refusal::InsufficientFloat => "reason.balance",
            Refusal::AccountNotActive | Refusal::NoSuchAccount => "reason.inactive",
            Refusal::NoSuchOffer | Refusal::NotRenewable => "reason.offer",
            Refusal::OfferLimit
            | Refusal::TooMany
            | Refusal::DailyLimit
            | Refusal::MonthlyLimit
            | Refusal::CountLimit => "reason.limit",
            Refusal::AmountTooSmall | Refusal::AmountTooLarge => "reason.amount",
            Refusal::FundsUsedUp => "reason.funds",
            Refusal::NothingLeft => "reason.taken-back",
            _ => "reason.other",
        };
        self.say(key, &[("code", self.code(&refusal.code().to_string()))])
    }
}

/// Puts variables into a sentence in one pass, so that a value with braces in it stays what it is.
fn fill(sentence: &str, variables: &[(&str, String)]) -> String {
    let mut out = String::with_capacity(sentence.len() + 32);
    let mut rest = sentence;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            break;
        };
        if let Some((_, value)) = variables.iter().find(|(known, _)| *known == name) {
            out.push_str(value);
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// Octets in binary units as operators print them, to two decimals: `1.50 MB` is written `1.5 MB`.
fn octets(octets: i64) -> String {
    let magnitude = i128::from(octets);
    let (unit, size) = match octets.unsigned_abs() {
        0..1_024 => return format!("{octets} B"),
        1_024..1_048_576 => ("KB", 1i128 << 10),
        1_048_576..1_073_741_824 => ("MB", 1 << 20),
        1_073_741_824..1_099_511_627_776 => ("GB", 1 << 30),
        _ => ("TB", 1 << 40),
    };
    let hundredths = Rounding::HalfUp.divide(magnitude * 100, size);
    let sign = if hundredths < 0 { "-" } else { "" };
    let hundredths = hundredths.unsigned_abs();
    let text = format!("{sign}{}.{:02}", hundredths / 100, hundredths % 100);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_in_words() {
        let zone = Zone::fixed("Asia/Karachi", 5 * 3600);
        let voice = |language| Voice {
            language,
            zone: &zone,
        };
        let english = voice(Language::En);
        for (unit, amount, text) in [
            (Unit::Octets, 0, "0 B"),
            (Unit::Octets, 1_023, "1023 B"),
            (Unit::Octets, 1_572_864, "1.5 MB"),
            (Unit::Octets, 1 << 30, "1 GB"),
            (Unit::Octets, i64::MAX, "8388608 TB"),
            (Unit::Octets, i64::MIN, "-8388608 TB"),
            (Unit::Seconds, 0, "0 s"),
            (Unit::Seconds, 125, "2 min 5 s"),
            (Unit::Seconds, 3_600, "1 h"),
            (Unit::Messages, 3, "3 SMS"),
            (Unit::Money, 13_043_478, "Rs 13.04 (exactly 13.043478)"),
            (Unit::Money, 100_000_000, "Rs 100.00"),
        ] {
            assert_eq!(english.amount(unit, Amount(amount)), text);
        }
        let urdu = voice(Language::Ur);
        assert_eq!(
            urdu.amount(Unit::Seconds, Amount(125)),
            "\u{2066}2\u{2069} منٹ \u{2066}5\u{2069} سیکنڈ"
        );
        assert_eq!(
            urdu.time(Timestamp::from_seconds(1_795_302_960)),
            "\u{2066}2026-11-22 04:16\u{2069}"
        );
    }

    #[test]
    fn values_with_braces_stay_what_they_are() {
        let text = fill("{a} and {b}", &[("a", "{b}".into()), ("b", "x".into())]);
        assert_eq!(text, "{b} and x");
    }
}
