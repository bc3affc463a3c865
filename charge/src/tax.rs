//! Taxes: rates in parts per million, taken inclusively at recharge and on top of (or inside) a price at use.
//!
//! Facts: `docs/how-to/taxes.md` and the catalog files name the sources.

use crate::ids::Code;
use crate::money::{Money, Rounding};

/// A tax rate in parts per million: 19.5 % is 195,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(pub u32);

/// Parts in one.
const ONE: i64 = 1_000_000;

impl Rate {
    /// No tax.
    pub const ZERO: Rate = Rate(0);

    /// Reads a percentage with at most four decimals, 0 to 1000.
    pub fn parse_percent(text: &str) -> Option<Rate> {
        let money = Money::parse(text).ok()?;
        let in_range = (0..=1_000 * ONE).contains(&money.0) && money.0 % 100 == 0;
        if in_range {
            u32::try_from(money.0 / 100).ok().map(Rate)
        } else {
            None
        }
    }

    /// As a percentage: `19.5`.
    pub fn percent(self) -> String {
        let whole = self.0 / 10_000;
        let fraction = format!("{:04}", self.0 % 10_000);
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() {
            whole.to_string()
        } else {
            format!("{whole}.{fraction}")
        }
    }

    /// The tax inside a gross amount: `gross * r / (100 + r)`. Rs 100 at 15 % holds 13.043478.
    pub fn inside(self, gross: Money, rounding: Rounding) -> Money {
        gross.mul_div(i64::from(self.0), ONE + i64::from(self.0), rounding)
    }

    /// The tax on top of a net price: `net * r / 100`. Rs 167 at 19.5 % adds 32.565.
    pub fn on_top(self, net: Money, rounding: Rounding) -> Money {
        net.mul_div(i64::from(self.0), ONE, rounding)
    }
}

/// Whether a price contains the tax at use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaxMode {
    /// The tax comes on top of the price.
    Exclusive,
    /// The price contains the tax.
    Inclusive,
    /// No tax applies.
    Untaxed,
}

/// A price for one pulse or one bundle, with its tax settled to the micro-unit once, so that any number of pulses costs
/// exactly that many times this and no slicing of a session can change a total.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TaxedPrice {
    /// Taken from the balance.
    pub gross: Money,
    /// The part of it that is tax.
    pub tax: Money,
    /// The rate used.
    pub rate: Rate,
    /// The rounding used.
    pub rounding: Rounding,
}

impl TaxedPrice {
    /// Settles a price.
    pub fn of(price: Money, mode: TaxMode, rate: Rate, rounding: Rounding) -> TaxedPrice {
        match mode {
            TaxMode::Untaxed => TaxedPrice {
                gross: price,
                tax: Money::ZERO,
                rate: Rate::ZERO,
                rounding,
            },
            TaxMode::Inclusive => TaxedPrice {
                gross: price,
                tax: rate.inside(price, rounding),
                rate,
                rounding,
            },
            TaxMode::Exclusive => {
                let tax = rate.on_top(price, rounding);
                TaxedPrice {
                    gross: price + tax,
                    tax,
                    rate,
                    rounding,
                }
            }
        }
    }

    /// The price without tax.
    pub fn net(&self) -> Money {
        self.gross - self.tax
    }
}

/// Which advance income tax a subscriber owes at recharge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TaxClass {
    /// The rate of the region.
    #[default]
    Standard = 0,
    /// Named in an Income Tax General Order as a non-filer.
    ListedNonFiler = 1,
    /// Holds an exemption certificate.
    Exempt = 2,
}

impl TaxClass {
    /// Name in catalogs, API and imports.
    pub fn name(self) -> &'static str {
        match self {
            TaxClass::Standard => "standard",
            TaxClass::ListedNonFiler => "listed-non-filer",
            TaxClass::Exempt => "exempt",
        }
    }

    /// The class of that name.
    pub fn from_name(name: &str) -> Option<TaxClass> {
        [TaxClass::Standard, TaxClass::ListedNonFiler, TaxClass::Exempt]
            .into_iter()
            .find(|c| c.name() == name)
    }
}

/// A tax region: where the serving cell stands decides the rates. ISO 3166-2 code where there is one (`PK-PB`).
pub type RegionCode = Code;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worked_cases() {
        let rs = |text| Money::parse(text).unwrap();
        let up = Rounding::HalfUp;
        for (gross, percent, tax) in [
            ("100", "15", "13.043478"),
            ("200", "12.5", "22.222222"),
            ("86.956522", "19.5", "14.189558"),
            ("100", "75", "42.857143"),
            ("100", "0", "0"),
        ] {
            let rate = Rate::parse_percent(percent).unwrap();
            assert_eq!(rate.inside(rs(gross), up), rs(tax), "{gross} at {percent}");
            assert_eq!(rate.percent(), percent);
        }
        let price = TaxedPrice::of(rs("167"), TaxMode::Exclusive, Rate(195_000), up);
        assert_eq!(price.gross, rs("199.565"));
        assert_eq!(price.net(), rs("167"));
        assert_eq!(
            TaxedPrice::of(rs("5"), TaxMode::Untaxed, Rate(195_000), up).tax,
            Money::ZERO
        );
        assert!(Rate::parse_percent("-1").is_none());
        assert!(Rate::parse_percent("1000.1").is_none());
    }
}
