//! Sentences for a keypad: plain characters, short dates, no marks but the isolates that a right-to-left line needs.

use charge::catalog::{Catalog, Language};
use charge::unit::Amount;
use charge::{Money, Msisdn, Timestamp, Unit};
use web::page::account::what_of;
use web::page::format::{NBSP, Speech};
use web::text::{self, ISOLATES, Value};

/// Words in one language, for one operator.
#[derive(Clone, Copy)]
pub struct Say<'a> {
    /// The language.
    pub language: Language,
    /// The operator.
    pub catalog: &'a Catalog,
}

impl Say<'_> {
    /// A sentence without values.
    pub fn p(&self, key: &str) -> String {
        bare(&text::text(self.language, key, &[]))
    }

    /// A sentence with values.
    pub fn with(&self, key: &str, values: &[(&str, Value)]) -> String {
        bare(&text::text(self.language, key, values))
    }

    /// `Rs 1,234.50`.
    pub fn money(&self, money: Money) -> String {
        bare(&self.speech().money(money, &self.catalog.currency))
    }

    /// `2 GB`, `90 min`.
    pub fn amount(&self, unit: Unit, amount: Amount) -> String {
        match unit {
            Unit::Seconds => format!("{} min", amount.0 / 60),
            _ => bare(&self.speech().amount(unit, amount, &self.catalog.currency)),
        }
    }

    /// What a bucket is for.
    pub fn what(&self, scope: &charge::catalog::Scope, unit: Unit) -> String {
        bare(&what_of(scope, unit, self.speech())).replace('\u{b7}', "-")
    }

    /// `2026-11-28`; `-` for never.
    pub fn day(&self, at: Timestamp) -> String {
        day(self.catalog, at)
    }

    /// `0300 1234567`.
    pub fn number(&self, number: Msisdn, catalogs: &charge::Catalogs) -> String {
        bare(&web::number::shown(number, catalogs))
    }

    fn speech(&self) -> Speech {
        Speech {
            language: self.language,
        }
    }
}

/// The line that programs may read, the same in every language: currency, balance with two decimals, last day, each
/// separated by one space. `PKR 86.96 2026-12-31`; the day is `-` when there is no end.
pub fn balance_line(catalog: &Catalog, balance: Money, until: Timestamp) -> String {
    format!("{} {} {}", catalog.currency, balance.shown(), day(catalog, until))
}

/// `2026-11-28`; `-` for never.
fn day(catalog: &Catalog, at: Timestamp) -> String {
    if at == Timestamp::NEVER {
        return "-".to_owned();
    }
    let civil = catalog.zone.civil(at);
    format!("{:04}-{:02}-{:02}", civil.year, civil.month, civil.day)
}

/// Without isolates and with characters that every handset has.
fn bare(text: &str) -> String {
    text.replace(ISOLATES, "")
        .replace([NBSP, '\u{202f}'], " ")
        .replace('\u{2212}', "-")
        .replace(['\u{2018}', '\u{2019}'], "'")
        .replace('\u{2013}', "-")
}

/// The text as a handset shall show it: in lines with right-to-left letters every number is isolated.
pub fn isolated(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(wire::sms::isolate).collect();
    lines.join("\n")
}
