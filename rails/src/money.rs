//! Amounts as rails write them.

use charge::Money;
use charge::money::MICROS;

/// Micro-units of the smallest coin: paisa, cents.
const COIN: i64 = MICROS / 100;

/// A positive amount in minor units (paisa, cents); `None` when it is not whole.
pub fn minor(amount: Money) -> Option<i64> {
    (amount.is_positive() && amount.0 % COIN == 0).then_some(amount.0 / COIN)
}

/// An amount from minor units; `None` when it is not positive or does not fit.
pub fn of_minor(minor: i64) -> Option<Money> {
    let micros = minor.checked_mul(COIN)?;
    (micros > 0).then_some(Money(micros))
}

/// A positive amount with exactly two decimals: `100.00`; `None` when it is not whole cents.
pub fn cents_text(amount: Money) -> Option<String> {
    let minor = minor(amount)?;
    Some(format!("{}.{:02}", minor / 100, minor % 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_coins_only() {
        assert_eq!(cents_text(Money::from_units(100)).as_deref(), Some("100.00"));
        assert_eq!(cents_text(Money(3_650_000)).as_deref(), Some("3.65"));
        assert_eq!(cents_text(Money(3_655_000)), None);
        assert_eq!(cents_text(Money(0)), None);
        assert_eq!(cents_text(Money(-10_000)), None);
        assert_eq!(of_minor(1), Some(Money(10_000)));
        assert_eq!(of_minor(i64::MAX), None);
        assert_eq!(of_minor(0), None);
    }
}
