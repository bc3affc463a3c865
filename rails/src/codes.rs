//! Answer codes of rails as data: a versioned text table, and what an unknown code means (nothing: it is pending).

use charge::payment::FailureClass;
use std::collections::BTreeMap;

/// What a code says about a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Paid.
    Paid,
    /// Cash is awaited.
    Cash,
    /// Not known yet: ask.
    Pending,
    /// Not paid, for this reason.
    Failed(FailureClass),
    /// No longer payable.
    Expired,
    /// Taken back from us.
    Reversed,
    /// Given back to the payer.
    Refunded,
    /// Cannot be given back.
    RefundRefused,
}

impl Meaning {
    /// The word in tables and in configuration.
    pub fn parse(word: &str) -> Option<Meaning> {
        Some(match word {
            "paid" => Meaning::Paid,
            "cash" => Meaning::Cash,
            "pending" => Meaning::Pending,
            "payer" => Meaning::Failed(FailureClass::Payer),
            "funds" => Meaning::Failed(FailureClass::Funds),
            "limit" => Meaning::Failed(FailureClass::Limit),
            "cancelled" => Meaning::Failed(FailureClass::Cancelled),
            "declined" => Meaning::Failed(FailureClass::Declined),
            "cooling" => Meaning::Failed(FailureClass::Cooling),
            "transient" => Meaning::Failed(FailureClass::Transient),
            "configuration" => Meaning::Failed(FailureClass::Configuration),
            "expired" => Meaning::Expired,
            "reversed" => Meaning::Reversed,
            "refunded" => Meaning::Refunded,
            "refund-refused" => Meaning::RefundRefused,
            _ => return None,
        })
    }
}

/// The codes of one rail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Codes {
    version: String,
    meanings: BTreeMap<String, Meaning>,
}

/// A table that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodesError {
    /// A line of the table.
    #[error("line {0} of the code table is not `code meaning`")]
    Line(usize),
    /// A word in the configuration.
    #[error("code {0} has no known meaning in the configuration")]
    Word(String),
}

impl Codes {
    /// Reads a table: the first line is `version NAME`, every other `CODE MEANING [words for people]`; `#` begins a comment.
    /// `more` adds codes or changes them, for an operator who learned of one before we did.
    ///
    /// # Errors
    /// [`CodesError`] naming the line or the code. A code may occur once.
    pub fn new(table: &str, more: &BTreeMap<String, String>) -> Result<Codes, CodesError> {
        let mut codes = Codes {
            version: String::new(),
            meanings: BTreeMap::new(),
        };
        for (index, line) in table.lines().enumerate() {
            let mut words = line.split('#').next().unwrap_or("").split_whitespace();
            let Some(code) = words.next() else { continue };
            let meaning = words.next().ok_or(CodesError::Line(index + 1))?;
            if code == "version" {
                meaning.clone_into(&mut codes.version);
                continue;
            }
            let meaning = Meaning::parse(meaning).ok_or(CodesError::Line(index + 1))?;
            if codes.meanings.insert(code.to_owned(), meaning).is_some() {
                return Err(CodesError::Line(index + 1));
            }
        }
        for (code, word) in more {
            let meaning = Meaning::parse(word).ok_or_else(|| CodesError::Word(code.clone()))?;
            codes.meanings.insert(code.clone(), meaning);
        }
        Ok(codes)
    }

    /// Which state of the rail's documentation the table is from.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What a code means; [`Meaning::Pending`] when it is not known.
    pub fn meaning(&self, code: &str) -> Meaning {
        self.meanings.get(code).copied().unwrap_or(Meaning::Pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_and_can_be_amended() {
        let table = "version 2026-11 # when\n000 paid success\n\n004 funds # low balance\n";
        let codes = Codes::new(table, &BTreeMap::new()).unwrap();
        assert_eq!(codes.version(), "2026-11");
        assert_eq!(codes.meaning("000"), Meaning::Paid);
        assert_eq!(codes.meaning("004"), Meaning::Failed(FailureClass::Funds));
        assert_eq!(codes.meaning("777"), Meaning::Pending);
        let more = BTreeMap::from([("777".to_owned(), "declined".to_owned())]);
        let codes = Codes::new(table, &more).unwrap();
        assert_eq!(codes.meaning("777"), Meaning::Failed(FailureClass::Declined));
    }

    #[test]
    fn a_bad_table_is_refused() {
        let none = BTreeMap::new();
        assert_eq!(Codes::new("000", &none), Err(CodesError::Line(1)));
        assert_eq!(Codes::new("000 perhaps", &none), Err(CodesError::Line(1)));
        assert_eq!(Codes::new("000 paid\n000 funds", &none), Err(CodesError::Line(2)));
        let more = BTreeMap::from([("1".to_owned(), "good".to_owned())]);
        assert_eq!(Codes::new("", &more), Err(CodesError::Word("1".to_owned())));
    }
}
