//! What the Pakistani rails have in common: whole paisa, rupees as decimals, national numbers, Pakistan time.

use crate::rail::RailError;
use crate::time::local;
use charge::money::MICROS;
use charge::payment::{Currency, Price};
use charge::{Money, Msisdn, Timestamp};

/// Seconds east of UTC; Pakistan has no summer time.
pub const PKT_OFFSET_S: i32 = 5 * 3600;
/// Micro-units in one paisa.
const PAISA: i64 = MICROS / 100;

/// A price in whole paisa.
///
/// # Errors
/// [`RailError::NotTaken`] for other currencies, for nothing, and for fractions of a paisa.
pub fn paisa(price: Price) -> Result<i64, RailError> {
    if price.currency != Currency::PKR {
        return Err(RailError::NotTaken("only rupees"));
    }
    let micros = price.amount.micros();
    if micros <= 0 || micros % PAISA != 0 {
        return Err(RailError::NotTaken("not a positive number of whole paisa"));
    }
    Ok(micros / PAISA)
}

/// The price of digits that count paisa: `10000` is Rs 100. `None` for anything else, also for nothing.
pub fn from_paisa(digits: &str) -> Option<Price> {
    if digits.is_empty() || digits.len() > 12 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let paisa: i64 = digits.parse().ok()?;
    (paisa > 0).then(|| Price::pkr(Money(paisa * PAISA)))
}

/// Rupees with at least one and at most two decimals, as Easypaisa writes them: `10.0`, `1250.5`, `10.25`.
///
/// # Errors
/// As [`paisa`].
pub fn rupees(price: Price) -> Result<String, RailError> {
    let paisa = paisa(price)?;
    let (whole, part) = (paisa / 100, paisa % 100);
    Ok(if part % 10 == 0 {
        format!("{whole}.{}", part / 10)
    } else {
        format!("{whole}.{part:02}")
    })
}

/// The price of a decimal number of rupees: `3000`, `10.0`, `10.25`. `None` for signs, exponents, fractions of a paisa, nothing.
pub fn from_rupees(text: &str) -> Option<Price> {
    let amount = Money::parse(text).ok()?;
    let price = Price::pkr(amount);
    paisa(price).is_ok().then_some(price)
}

/// A number as people in Pakistan dial it: `03001234567`.
///
/// # Errors
/// [`RailError::NotTaken`] for numbers of other countries and those that are no mobile numbers.
pub fn national(number: Msisdn) -> Result<String, RailError> {
    let digits = number.to_string();
    match digits.strip_prefix("92") {
        Some(rest) if rest.len() == 10 && rest.starts_with('3') => Ok(format!("0{rest}")),
        _ => Err(RailError::NotTaken("not a mobile number of Pakistan")),
    }
}

/// Pakistan time in a `strftime` format.
pub fn pkt(format: &str, at: Timestamp) -> String {
    local(format, at, PKT_OFFSET_S)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::parse_rfc3339;

    fn price(text: &str) -> Price {
        Price::pkr(Money::parse(text).unwrap())
    }

    #[test]
    fn amounts_as_the_rails_write_them() {
        for (rupees_text, written, in_paisa) in [
            ("10", "10.0", 1_000),
            ("1250.5", "1250.5", 125_050),
            ("10.25", "10.25", 1_025),
            ("10.05", "10.05", 1_005),
            ("0.01", "0.01", 1),
        ] {
            assert_eq!(rupees(price(rupees_text)).unwrap(), written);
            assert_eq!(paisa(price(rupees_text)).unwrap(), in_paisa);
            assert_eq!(from_rupees(written), Some(price(rupees_text)));
            assert_eq!(from_paisa(&in_paisa.to_string()), Some(price(rupees_text)));
        }
    }

    #[test]
    fn what_is_no_amount() {
        for bad in ["0", "-1", "0.001", "10.255"] {
            assert!(paisa(price(bad)).is_err(), "{bad}");
            assert_eq!(from_rupees(bad), None, "{bad}");
        }
        for bad in ["1e3", "1,000", "", " 1", "NaN", "0x10", "10.", "99999999999999"] {
            assert_eq!(from_rupees(bad), None, "{bad}");
        }
        for bad in ["", "0", "-5", "+5", "10.0", "1e3", "9999999999999"] {
            assert_eq!(from_paisa(bad), None, "{bad}");
        }
        let dollars = Price {
            amount: Money::from_units(1),
            currency: Currency::USD,
        };
        assert!(paisa(dollars).is_err());
    }

    #[test]
    fn numbers_and_times() {
        assert_eq!(
            national(Msisdn::new(923_001_234_567).unwrap()).unwrap(),
            "03001234567"
        );
        for other in [922_112_345_678, 14_155_550_100, 92_300_123_456, 923_001] {
            assert!(national(Msisdn::new(other).unwrap()).is_err(), "{other}");
        }
        let midnight = parse_rfc3339("2026-09-01T00:00:00Z").unwrap();
        assert_eq!(pkt("%Y%m%d %H%M%S", midnight), "20260901 050000");
    }
}
