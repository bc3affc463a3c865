//! Locked quotes: what a payer abroad is charged in a currency that the rail takes, for value in the operator's currency.
//!
//! Rates come from the operator's configuration, with the day they were set; nothing is fetched. The price of a quote is
//! charged and, if need be, refunded to the cent; what the exchange brings or costs us in between is the ledger's affair
//! (reference payments 2.3).

use crate::secret::{Secret, hex, same};
use charge::money::{MICROS, Rounding};
use charge::payment::{Currency, Price};
use charge::time::SECOND;
use charge::{Money, Timestamp};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Micro-units of the smallest coin: cents.
const CENT: i64 = MICROS / 100;
/// A spread above this is a slip of the pen.
const SPREAD_BP_MAX: i64 = 2_000;

/// Rates of the day.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// The operator's currency.
    pub local: String,
    /// When the rates were set, RFC 3339.
    pub set_at: String,
    /// After so many seconds they are too old to quote.
    pub valid_s: i64,
    /// Added to what the payer is charged, in hundredths of a percent.
    pub spread_bp: i64,
    /// How long a quote holds, in seconds.
    pub quote_s: i64,
    /// One unit of the foreign currency in local units, as a decimal: `USD = "281.50"`.
    pub rates: BTreeMap<String, String>,
}

/// A price that holds until it expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// What is bought, in the operator's currency.
    pub gross: Price,
    /// What the payer is charged.
    pub price: Price,
    /// Local units for one foreign unit: numerator and denominator.
    pub rate: (i64, i64),
    /// In hundredths of a percent, included in the price.
    pub spread_bp: i64,
    /// Not after this.
    pub expires_at: Timestamp,
}

/// Why there is no quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuoteError {
    /// No rate for that currency.
    #[error("there is no rate for this currency")]
    NoRate,
    /// The rates are too old.
    #[error("the rates are too old")]
    Stale,
    /// The rates in the configuration are not usable.
    #[error("the rates are not usable: {0}")]
    Bad(&'static str),
    /// The amount is zero, negative or too large.
    #[error("the amount cannot be quoted")]
    Amount,
    /// The quote is over.
    #[error("the quote has expired")]
    Expired,
    /// Not a quote of ours.
    #[error("this is not a quote of ours")]
    Altered,
}

impl Rates {
    /// Checks the configuration.
    ///
    /// # Errors
    /// [`QuoteError::Bad`] with what is wrong.
    pub fn check(&self) -> Result<(), QuoteError> {
        self.set_at()?;
        Currency::parse(&self.local).ok_or(QuoteError::Bad("local currency"))?;
        if !(0..=SPREAD_BP_MAX).contains(&self.spread_bp) {
            return Err(QuoteError::Bad("spread"));
        }
        if self.valid_s <= 0 || self.quote_s <= 0 {
            return Err(QuoteError::Bad("times must be positive"));
        }
        for (currency, rate) in &self.rates {
            Currency::parse(currency).ok_or(QuoteError::Bad("currency"))?;
            rate_of(rate)?;
        }
        Ok(())
    }

    /// A quote for value in the local currency. The payer is charged whole cents, rounded up.
    ///
    /// # Errors
    /// [`QuoteError`] when there is no usable rate or the amount is out of range.
    pub fn quote(&self, gross: Money, foreign: Currency, now: Timestamp) -> Result<Quote, QuoteError> {
        self.check()?;
        let set_at = self.set_at()?;
        if now > set_at.plus(self.valid_s * SECOND) {
            return Err(QuoteError::Stale);
        }
        let local = Currency::parse(&self.local).ok_or(QuoteError::Bad("local currency"))?;
        let rate = rate_of(self.rates.get(foreign.as_str()).ok_or(QuoteError::NoRate)?)?;
        if gross.0 <= 0 {
            return Err(QuoteError::Amount);
        }
        let numerator = i128::from(gross.0) * i128::from(rate.1) * i128::from(10_000 + self.spread_bp);
        let denominator = i128::from(rate.0) * 10_000 * i128::from(CENT);
        let cents = Rounding::Up.divide(numerator, denominator);
        let amount = i64::try_from(cents * i128::from(CENT)).map_err(|_| QuoteError::Amount)?;
        Ok(Quote {
            gross: Price {
                amount: gross,
                currency: local,
            },
            price: Price {
                amount: Money(amount),
                currency: foreign,
            },
            rate,
            spread_bp: self.spread_bp,
            expires_at: now.plus(self.quote_s * SECOND),
        })
    }

    fn set_at(&self) -> Result<Timestamp, QuoteError> {
        crate::time::parse_rfc3339(&self.set_at).ok_or(QuoteError::Bad("set_at"))
    }
}

impl Quote {
    /// Names the quote: whoever changes a number gets another name.
    pub fn id(&self) -> String {
        format!(
            "{:032x}",
            charge::ids::digest128("fx quote", &[self.body().as_bytes()])
        )
    }

    /// The quote as a token that the payer's browser may keep. It cannot be changed without the key.
    pub fn seal(&self, key: &Secret) -> String {
        let body = self.body();
        format!("{body}.{}", hex(&key.hmac(body.as_bytes())))
    }

    /// Reads a token.
    ///
    /// # Errors
    /// [`QuoteError::Altered`] when it is not ours, [`QuoteError::Expired`] when it is over.
    pub fn open(token: &str, key: &Secret, now: Timestamp) -> Result<Quote, QuoteError> {
        let (body, tag) = token.rsplit_once('.').ok_or(QuoteError::Altered)?;
        if token.len() > 256 || !same(hex(&key.hmac(body.as_bytes())).as_bytes(), tag.as_bytes()) {
            return Err(QuoteError::Altered);
        }
        let quote = Quote::of_body(body).ok_or(QuoteError::Altered)?;
        if now > quote.expires_at {
            return Err(QuoteError::Expired);
        }
        Ok(quote)
    }

    fn body(&self) -> String {
        format!(
            "{}:{}:{}:{}:{}:{}:{}:{}",
            self.gross.currency,
            self.gross.amount.0,
            self.price.currency,
            self.price.amount.0,
            self.rate.0,
            self.rate.1,
            self.spread_bp,
            self.expires_at.0
        )
    }

    fn of_body(body: &str) -> Option<Quote> {
        let parts: Vec<&str> = body.split(':').collect();
        let [
            local,
            gross,
            foreign,
            price,
            numerator,
            denominator,
            spread,
            expires,
        ] = parts.as_slice()
        else {
            return None;
        };
        Some(Quote {
            gross: Price {
                amount: Money(gross.parse().ok()?),
                currency: Currency::parse(local)?,
            },
            price: Price {
                amount: Money(price.parse().ok()?),
                currency: Currency::parse(foreign)?,
            },
            rate: (numerator.parse().ok()?, denominator.parse().ok()?),
            spread_bp: spread.parse().ok()?,
            expires_at: Timestamp(expires.parse().ok()?),
        })
    }
}

fn rate_of(text: &str) -> Result<(i64, i64), QuoteError> {
    match Money::parse(text) {
        Ok(rate) if rate.is_positive() => Ok((rate.0, MICROS)),
        _ => Err(QuoteError::Bad("a rate must be a positive decimal")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use charge::time::DAY;

    fn rates() -> Rates {
        Rates {
            local: "PKR".to_owned(),
            set_at: "2026-11-20T00:00:00Z".to_owned(),
            valid_s: 3 * 86_400,
            spread_bp: 250,
            quote_s: 900,
            rates: BTreeMap::from([("USD".to_owned(), "281.50".to_owned())]),
        }
    }

    fn now() -> Timestamp {
        crate::time::parse_rfc3339("2026-11-22T00:00:00Z").unwrap()
    }

    #[test]
    fn the_payer_pays_whole_cents_rounded_up() {
        // 1000 / 281.5 * 1.025 = 3.6412..., 281.5 / 281.5 * 1.025 = 1.025
        for (rupees, dollars) in [(1000, "3.65"), (100, "0.37"), (1, "0.01"), (50_000, "182.07")] {
            let quote = rates()
                .quote(Money::from_units(rupees), Currency::USD, now())
                .unwrap();
            assert_eq!(quote.price.amount.exact(), dollars, "{rupees}");
        }
        let mut even = rates();
        even.spread_bp = 0;
        let quote = even.quote(Money::from_units(563), Currency::USD, now()).unwrap();
        assert_eq!(
            quote.price.amount,
            Money::from_units(2),
            "no rounding where it comes out even"
        );
    }

    #[test]
    fn the_payer_never_pays_less_than_the_rate() {
        for gross in (1..5_000_000_000i64).step_by(49_999_999) {
            let quote = rates().quote(Money(gross), Currency::USD, now()).unwrap();
            let paid = i128::from(quote.price.amount.0) * i128::from(quote.rate.0) * 10_000;
            let asked = i128::from(gross) * i128::from(quote.rate.1) * 10_250;
            let cent = i128::from(CENT) * i128::from(quote.rate.0) * 10_000;
            assert!(paid >= asked && paid - asked < cent, "{gross}");
        }
    }

    #[test]
    fn old_rates_and_old_quotes_are_refused() {
        let quote = |at| rates().quote(Money::from_units(100), Currency::USD, at);
        assert!(quote(now().plus(DAY)).is_ok());
        assert_eq!(quote(now().plus(DAY + 1)), Err(QuoteError::Stale));
        assert_eq!(
            rates().quote(Money::from_units(100), Currency::parse("EUR").unwrap(), now()),
            Err(QuoteError::NoRate)
        );
        assert_eq!(
            rates().quote(Money(0), Currency::USD, now()),
            Err(QuoteError::Amount)
        );
        assert_eq!(
            rates()
                .quote(Money(i64::MAX), Currency::USD, now())
                .map(|quote| quote.price.amount.0 > 0),
            Ok(true)
        );
        let key = Secret::new("key").unwrap();
        let token = quote(now()).unwrap().seal(&key);
        assert_eq!(Quote::open(&token, &key, now().plus(900 * SECOND)), quote(now()));
        assert_eq!(
            Quote::open(&token, &key, now().plus(900 * SECOND + 1)),
            Err(QuoteError::Expired)
        );
    }

    #[test]
    fn a_changed_quote_is_not_ours() {
        let key = Secret::new("key").unwrap();
        let quote = rates()
            .quote(Money::from_units(100), Currency::USD, now())
            .unwrap();
        let token = quote.seal(&key);
        for place in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[place] = if changed[place] == b'7' { b'8' } else { b'7' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(
                Quote::open(&changed, &key, now()),
                Err(QuoteError::Altered),
                "{place}"
            );
        }
        let other = Secret::new("kez").unwrap();
        assert_eq!(Quote::open(&token, &other, now()), Err(QuoteError::Altered));
        assert_ne!(
            quote.id(),
            Quote {
                spread_bp: 0,
                ..quote.clone()
            }
            .id()
        );
    }

    #[test]
    fn slips_of_the_pen_are_found() {
        for change in [
            |rates: &mut Rates| rates.spread_bp = -1,
            |rates: &mut Rates| rates.spread_bp = 20_000,
            |rates: &mut Rates| rates.set_at = "yesterday".to_owned(),
            |rates: &mut Rates| drop(rates.rates.insert("USD".to_owned(), "-1".to_owned())),
            |rates: &mut Rates| drop(rates.rates.insert("usd".to_owned(), "1".to_owned())),
            |rates: &mut Rates| rates.quote_s = 0,
        ] {
            let mut wrong = rates();
            change(&mut wrong);
            assert!(matches!(wrong.check(), Err(QuoteError::Bad(_))), "{wrong:?}");
        }
    }
}
