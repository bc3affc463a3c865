//! Money as an integer number of millionths of the currency unit, with explicit rounding.

use std::fmt;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

/// An amount of money in micro-units (millionths) of the operator's currency. Sums of many are made in `i128`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(pub i64);

/// Micro-units in one unit of currency.
pub const MICROS: i64 = 1_000_000;

impl Money {
    /// Nothing.
    pub const ZERO: Money = Money(0);

    /// Whole units of currency, for example rupees.
    pub const fn from_units(units: i64) -> Money {
        Money(units * MICROS)
    }

    /// The amount in micro-units.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Reads a plain decimal (`100`, `-3.5`, `86.956522`): at most six decimals, no exponent, no grouping.
    ///
    /// # Errors
    /// [`ParseMoneyError`] when the text is anything else or the amount does not fit.
    pub fn parse(text: &str) -> Result<Money, ParseMoneyError> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let has_point = digits.contains('.');
        let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        let malformed = whole.is_empty()
            || whole.len() > 13
            || fraction.len() > 6
            || (has_point && fraction.is_empty())
            || !all_digits(whole)
            || !all_digits(fraction);
        if malformed {
            return Err(ParseMoneyError);
        }
        let mut micros: i64 = 0;
        for digit in whole.bytes() {
            micros = micros
                .checked_mul(10)
                .and_then(|m| m.checked_add(i64::from(digit - b'0')))
                .ok_or(ParseMoneyError)?;
        }
        let mut fraction_micros: i64 = 0;
        for position in 0..6 {
            let digit = fraction
                .as_bytes()
                .get(position)
                .map_or(0, |b| i64::from(b - b'0'));
            fraction_micros = fraction_micros * 10 + digit;
        }
        let total = micros
            .checked_mul(MICROS)
            .and_then(|m| m.checked_add(fraction_micros))
            .ok_or(ParseMoneyError)?;
        Ok(Money(if negative { -total } else { total }))
    }

    /// The amount with all six decimals, trailing zeros cut to no fewer than two: `86.956522`, `100.00`.
    pub fn exact(self) -> String {
        let text = self.decimals(6);
        let keep = text.len() - 4;
        let trimmed = text.trim_end_matches('0').len();
        text[..trimmed.max(keep)].to_owned()
    }

    /// The amount as people see it: two decimals, half away from zero (`13.043478` is shown `13.04`).
    pub fn shown(self) -> String {
        let cents = Rounding::HalfUp.divide(i128::from(self.0), 10_000);
        let sign = if cents < 0 { "-" } else { "" };
        let cents = cents.unsigned_abs();
        format!("{sign}{}.{:02}", cents / 100, cents % 100)
    }

    fn decimals(self, places: usize) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        let scale = MICROS.unsigned_abs();
        format!("{sign}{}.{:0places$}", magnitude / scale, magnitude % scale)
    }

    /// `self * numerator / denominator`, rounded as told. Exact in `i128` on the way.
    ///
    /// # Panics
    /// When the result does not fit in `i64` or the denominator is not positive: amounts and rates are bounded where
    /// they enter, so this is a bug.
    pub fn mul_div(self, numerator: i64, denominator: i64, rounding: Rounding) -> Money {
        let product = i128::from(self.0) * i128::from(numerator);
        let quotient = rounding.divide(product, i128::from(denominator));
        Money(i64::try_from(quotient).expect("amounts are bounded where they enter"))
    }

    /// The smaller of two amounts.
    pub fn min(self, other: Money) -> Money {
        Money(self.0.min(other.0))
    }

    /// True for amounts above zero.
    pub fn is_positive(self) -> bool {
        self.0 > 0
    }
}

/// Text that is not an amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an amount: write digits with at most six decimals, like 100 or 86.956522")]
pub struct ParseMoneyError;

/// How a division that does not come out even is settled. Recorded in the event that used it (design rule 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rounding {
    /// To the nearest; a half goes away from zero. The default.
    #[default]
    HalfUp,
    /// Towards zero: the remainder stays with the payer of a tax.
    Down,
    /// Away from zero.
    Up,
    /// To the nearest; a half goes to the even neighbour.
    HalfEven,
}

impl Rounding {
    /// Divides with this rounding. `denominator` must be positive.
    ///
    /// # Panics
    /// When `denominator` is not positive.
    pub fn divide(self, numerator: i128, denominator: i128) -> i128 {
        assert!(denominator > 0, "a division needs a positive denominator");
        // Nearly every division fits in 64 bits, where the processor divides; in 128 bits a library does, ten times slower.
        let (quotient, remainder) = match (i64::try_from(numerator), i64::try_from(denominator)) {
            (Ok(n), Ok(d)) => (i128::from(n / d), i128::from((n % d).abs())),
            _ => (numerator / denominator, (numerator % denominator).abs()),
        };
        if remainder == 0 {
            return quotient;
        }
        let away = if numerator < 0 { quotient - 1 } else { quotient + 1 };
        match self {
            Rounding::Down => quotient,
            Rounding::Up => away,
            Rounding::HalfUp if remainder * 2 >= denominator => away,
            Rounding::HalfUp => quotient,
            Rounding::HalfEven => match (remainder * 2).cmp(&denominator) {
                std::cmp::Ordering::Less => quotient,
                std::cmp::Ordering::Greater => away,
                std::cmp::Ordering::Equal if quotient % 2 == 0 => quotient,
                std::cmp::Ordering::Equal => away,
            },
        }
    }

    /// The name used in catalog files and events.
    pub fn name(self) -> &'static str {
        match self {
            Rounding::HalfUp => "half-up",
            Rounding::Down => "down",
            Rounding::Up => "up",
            Rounding::HalfEven => "half-even",
        }
    }

    /// The rounding of that name.
    pub fn from_name(name: &str) -> Option<Rounding> {
        [Rounding::HalfUp, Rounding::Down, Rounding::Up, Rounding::HalfEven]
            .into_iter()
            .find(|r| r.name() == name)
    }
}

impl Add for Money {
    type Output = Money;
    fn add(self, other: Money) -> Money {
        Money(self.0 + other.0)
    }
}
impl Sub for Money {
    type Output = Money;
    fn sub(self, other: Money) -> Money {
        Money(self.0 - other.0)
    }
}
impl Neg for Money {
    type Output = Money;
    fn neg(self) -> Money {
        Money(-self.0)
    }
}
impl AddAssign for Money {
    fn add_assign(&mut self, other: Money) {
        *self = *self + other;
    }
}
impl SubAssign for Money {
    fn sub_assign(&mut self, other: Money) {
        *self = *self - other;
    }
}
impl std::iter::Sum for Money {
    fn sum<I: Iterator<Item = Money>>(amounts: I) -> Money {
        amounts.fold(Money::ZERO, Add::add)
    }
}
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.exact())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        for (text, micros, exact, shown) in [
            ("100", 100_000_000, "100.00", "100.00"),
            ("86.956522", 86_956_522, "86.956522", "86.96"),
            ("13.043478", 13_043_478, "13.043478", "13.04"),
            ("-0.5", -500_000, "-0.50", "-0.50"),
            ("0.005", 5_000, "0.005", "0.01"),
            ("0", 0, "0.00", "0.00"),
        ] {
            let money = Money::parse(text).unwrap();
            assert_eq!(money.0, micros, "{text}");
            assert_eq!(money.exact(), exact);
            assert_eq!(money.shown(), shown);
            assert_eq!(Money::parse(&money.exact()).unwrap(), money);
        }
        for bad in [
            "",
            "-",
            ".5",
            "1.",
            "1,5",
            "1e3",
            "0.1234567",
            "99999999999999",
            "+1",
            " 1",
            "٣",
        ] {
            assert!(Money::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rounding_is_what_it_says() {
        use Rounding::{Down, HalfEven, HalfUp, Up};
        for (rounding, numerator, denominator, expected) in [
            (HalfUp, 5, 2, 3),
            (HalfUp, -5, 2, -3),
            (HalfUp, 7, 3, 2),
            (Down, 8, 3, 2),
            (Down, -8, 3, -2),
            (Up, 7, 3, 3),
            (Up, -7, 3, -3),
            (Up, 6, 3, 2),
            (HalfEven, 5, 2, 2),
            (HalfEven, 7, 2, 4),
        ] {
            assert_eq!(
                rounding.divide(numerator, denominator),
                expected,
                "{rounding:?} {numerator}/{denominator}"
            );
        }
    }
}
