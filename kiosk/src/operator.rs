//! What a kiosk asks of the operator's server, behind a trait: the server crate has the sockets.

use crate::book::Order;
use crate::device::Amount;
use charge::catalog::Language;
use charge::{Money, Msisdn};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

/// An answer that comes later.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AskError {
    /// The line is down, or the server is.
    NoLine,
    /// The server says no.
    Refused(Refusal),
}

/// The server's no.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Stable code.
    pub code: u32,
    /// Stable name: `no-subscriber`.
    pub name: String,
    /// Sentence in the language of the request.
    pub told: String,
}

impl Refusal {
    /// True when the same sale may be taken later: something about the seller is in the way, not about the sale.
    pub fn is_for_now(&self) -> bool {
        const SELLER: [&str; 9] = [
            "insufficient-float",
            "daily-limit",
            "monthly-limit",
            "count-limit",
            "seller-blocked",
            "partner-not-active",
            "device-unknown",
            "no-such-seller",
            "in-flight",
        ];
        matches!(self.status, 401 | 408 | 425 | 429 | 500..) || SELLER.contains(&self.name.as_str())
    }
}

/// An operator as a kiosk keeps it for times without a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorBrief {
    /// Short name.
    pub code: String,
    /// Name for people, by language.
    pub name: BTreeMap<String, String>,
    /// ISO 4217.
    pub currency: String,
    /// Country code.
    pub country: String,
    /// What is dialled at home in place of it.
    pub trunk: String,
    /// Digits after the country code.
    pub national_digits: u8,
    /// Number ranges with the country code.
    pub prefixes: Vec<String>,
    /// Smallest recharge.
    pub minimum: Amount,
    /// Largest recharge.
    pub maximum: Amount,
}

impl OperatorBrief {
    /// Its name in a language.
    pub fn name_in(&self, language: Language) -> &str {
        self.name.get(language.tag()).map_or(&self.code, |name| name)
    }
}

/// What the server says of the kiosk as a seller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What its float holds.
    pub float: Money,
    /// It may sell.
    pub open: bool,
    /// Smallest and largest sale of the seller; zero: no bound.
    pub bounds: (Money, Money),
    /// Operators that it may recharge.
    pub operators: Vec<OperatorBrief>,
}

/// What is known of a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Code of its operator; empty: nobody knows it.
    pub operator: String,
    /// It can be recharged here.
    pub rechargeable: bool,
}

/// A bundle for sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// Its code.
    pub code: String,
    /// Name for people.
    pub name: String,
    /// What it takes from the balance.
    pub price: Money,
    /// How long it lives: `P7D`, `PT24H`.
    pub validity: String,
    /// Unit and amount of what it holds.
    pub buckets: Vec<(charge::Unit, i64)>,
}

/// The price of a recharge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// What is paid.
    pub gross: Money,
    /// Tax in it.
    pub tax: Money,
    /// What the balance gets.
    pub credited: Money,
    /// Another operator credits it: not sold at kiosks.
    pub elsewhere: bool,
}

/// What is asked a price for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goods {
    /// A recharge of this amount.
    Amount(Money),
    /// A bundle.
    Bundle(String),
}

/// What became of a sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SaleOutcome {
    /// Credited.
    Credited(Credited),
    /// Taken, not credited yet: ask again.
    Pending,
    /// The server's no.
    Refused(Refusal),
    /// No answer: ask again, with the same reference.
    NoLine,
}

/// What a sale brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credited {
    /// Number of the receipt.
    pub receipt: String,
    /// Address that checks it; empty: not known.
    pub verify: String,
    /// Tax.
    pub tax: Money,
    /// What the balance got.
    pub credited: Money,
    /// The bundle was bought; `false`: the money is in the balance. `None`: none was asked.
    pub bundle: Option<bool>,
}

/// What a kiosk says of the money in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Notes in the box.
    pub in_box: Money,
    /// Taken, and not sold at the server yet.
    pub waiting: Money,
    /// What customers get back for a slip.
    pub owed: Money,
    /// Notes of which nobody knows whether they are in the box.
    pub stuck: Money,
}

/// The operator's server.
pub trait Operator: Send + Sync {
    /// Sells; the order's reference makes it safe to ask again.
    fn sell<'a>(&'a self, order: &'a Order) -> Later<'a, SaleOutcome>;
    /// Float, state and operators.
    fn standing(&self) -> Later<'_, Result<Standing, AskError>>;
    /// Tells those who answer for this kiosk what it holds and owes; whether that was heard.
    fn report(&self, report: Report) -> Later<'_, bool>;
    /// Whose number it is.
    fn look_up(&self, number: Msisdn, language: Language) -> Later<'_, Result<Known, AskError>>;
    /// What an operator sells.
    fn bundles<'a>(
        &'a self,
        operator: &'a str,
        language: Language,
    ) -> Later<'a, Result<Vec<Bundle>, AskError>>;
    /// What something costs.
    fn quote<'a>(
        &'a self,
        number: Msisdn,
        goods: &'a Goods,
        language: Language,
    ) -> Later<'a, Result<Quote, AskError>>;
}

/// Reads what somebody typed or a scanner read: a number, `tel:`, or an address with a number in it.
pub fn number_of(text: &str, operators: &[OperatorBrief]) -> Option<Msisdn> {
    if text.len() > crate::limits::SCAN_BYTES_MAX {
        return None;
    }
    let text = text.trim();
    let text = text
        .strip_prefix("tel:")
        .or_else(|| text.strip_prefix("TEL:"))
        .unwrap_or(text);
    // A QR code of ours: an address whose query names the number.
    let text = match text.split_once("number=") {
        Some((before, rest)) if before.contains("://") => rest.split('&').next().unwrap_or(""),
        _ => text,
    };
    let text = text.replace("%2B", "+").replace("%2b", "+");
    let mut digits = String::with_capacity(16);
    let mut plus = false;
    for (index, character) in text.chars().enumerate() {
        match character {
            '+' if index == 0 => plus = true,
            ' ' | '-' | '(' | ')' | '.' | '\u{a0}' | '\u{200e}' | '\u{200f}' | '\u{2066}'..='\u{2069}' => {}
            other => digits.push(web::number::latin_digit(other)?),
        }
    }
    let full = |digits: &str| {
        let number = Msisdn::parse(digits).ok()?;
        // Only numbers whose length some operator has: a digit too many is a mistake, not a number abroad.
        let fits = |operator: &OperatorBrief| {
            digits.starts_with(&operator.country)
                && digits.len() == operator.country.len() + usize::from(operator.national_digits)
        };
        operators.iter().any(fits).then_some(number)
    };
    if plus {
        return full(&digits);
    }
    if let Some(rest) = digits.strip_prefix("00") {
        return full(rest);
    }
    let national = operators.iter().find_map(|operator| {
        let rest = digits
            .strip_prefix(operator.trunk.as_str())
            .filter(|_| !operator.trunk.is_empty())?;
        full(&format!("{}{rest}", operator.country))
    });
    national.or_else(|| full(&digits))
}

/// The number as it is dialled at home: `0300 1234567`.
pub fn shown(number: Msisdn, operators: &[OperatorBrief]) -> String {
    let digits = number.to_string();
    for operator in operators {
        if let Some(rest) = digits.strip_prefix(&operator.country)
            && rest.len() == usize::from(operator.national_digits)
        {
            let (area, line) = rest.split_at(3.min(rest.len()));
            return format!("{}{area} {line}", operator.trunk);
        }
    }
    format!("+{digits}")
}

/// The operator whose range holds the number: what is believed without a line.
pub fn by_prefix(number: Msisdn, operators: &[OperatorBrief]) -> Option<&OperatorBrief> {
    let digits = number.to_string();
    let longest = |operator: &OperatorBrief| {
        let fits = operator
            .prefixes
            .iter()
            .filter(|prefix| digits.starts_with(prefix.as_str()));
        fits.map(String::len).max()
    };
    operators
        .iter()
        .filter_map(|operator| Some((longest(operator)?, operator)))
        .max_by_key(|(length, _)| *length)
        .map(|(_, operator)| operator)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub fn brief() -> Vec<OperatorBrief> {
        let operator = |code: &str, prefix: &str| OperatorBrief {
            code: code.to_owned(),
            name: BTreeMap::new(),
            currency: "PKR".to_owned(),
            country: "92".to_owned(),
            trunk: "0".to_owned(),
            national_digits: 10,
            prefixes: vec![prefix.to_owned()],
            minimum: Amount(Money::from_units(20)),
            maximum: Amount(Money::from_units(10_000)),
        };
        vec![operator("jazz", "9230"), operator("ufone", "9233")]
    }

    #[test]
    fn numbers_are_read_as_people_and_codes_write_them() {
        let operators = brief();
        for (text, number) in [
            ("03001234567", Some("923001234567")),
            ("+92 300 1234567", Some("923001234567")),
            ("00923001234567", Some("923001234567")),
            ("923001234567", Some("923001234567")),
            ("tel:+923001234567", Some("923001234567")),
            (
                "https://x.example/recharge?number=%2B923001234567&a=1",
                Some("923001234567"),
            ),
            ("۰۳۰۰۱۲۳۴۵۶۷", Some("923001234567")),
            ("0300123456", None),
            ("030012345678", None),
            ("4111111111111111", None),
            ("hello", None),
            ("", None),
        ] {
            let read = number_of(text, &operators).map(|number| number.to_string());
            assert_eq!(read.as_deref(), number, "{text}");
        }
        let number = Msisdn::parse("923331234567").unwrap();
        assert_eq!(by_prefix(number, &operators).unwrap().code, "ufone");
        assert_eq!(shown(number, &operators), "0333 1234567");
    }
}
