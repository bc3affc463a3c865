//! What a kiosk and its devices say to each other: one JSON object on each line.
//!
//! A driver listens on a local socket and the kiosk connects to it; `docs/how-to/kiosk.md` is for those who write one. A
//! device that loses the connection takes no more notes by itself. It numbers its notes and keeps the number, the value
//! and the fate of the last one where a power cut cannot reach: that is what makes a crash harmless.

use crate::limits;
use charge::Money;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An amount as a decimal string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount(pub Money);

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.exact())
    }
}
impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
        let text = String::deserialize(deserializer)?;
        Money::parse(&text).map(Amount).map_err(serde::de::Error::custom)
    }
}

/// What a cash acceptor is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum AcceptorOrder {
    /// Take notes of these values, one at a time, and hold each in escrow.
    Enable {
        /// Values.
        notes: Vec<Amount>,
    },
    /// Take no more notes.
    Disable,
    /// Put the note in escrow into the box.
    Stack {
        /// Its number.
        note: u64,
    },
    /// Give the note in escrow back.
    Return {
        /// Its number.
        note: u64,
    },
    /// Say how you are, and what became of the last note.
    Status,
}

/// What became of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// In escrow: neither in the box nor given back.
    Held,
    /// In the box.
    Stacked,
    /// Given back.
    Returned,
    /// Nobody can say before somebody opens the device.
    Unclear,
}

/// The last note that a cash acceptor saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastNote {
    /// Its number.
    pub note: u64,
    /// Its value.
    pub value: Amount,
    /// What became of it.
    pub fate: Fate,
}

/// How a cash acceptor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AcceptorState {
    /// It can take notes.
    Ready,
    /// A note is stuck.
    Jammed,
    /// The box is full.
    Full,
    /// Something else is wrong.
    Fault,
}

/// What a cash acceptor says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum AcceptorReport {
    /// A note is in escrow.
    Escrowed {
        /// Its number: one more than the last, for ever.
        note: u64,
        /// Its value.
        value: Amount,
    },
    /// It is in the box.
    Stacked {
        /// Its number.
        note: u64,
    },
    /// It was given back.
    Returned {
        /// Its number.
        note: u64,
    },
    /// Something came that is no note, or none that is wanted, and was given back.
    Rejected,
    /// A note is stuck.
    Jammed {
        /// Its number, when it had been in escrow.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<u64>,
    },
    /// Answer to `status`; also said by itself when something changes.
    Status {
        /// How it is.
        state: AcceptorState,
        /// The last note; left out: it has never seen one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last: Option<LastNote>,
    },
}

/// What a card terminal is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum TerminalOrder {
    /// Take a payment. The same id again: say what became of it, and take nothing twice.
    Pay {
        /// The kiosk's reference, unique for ever.
        id: String,
        /// How much.
        amount: Amount,
        /// ISO 4217.
        currency: String,
    },
    /// Say what became of a payment.
    Inquire {
        /// The reference.
        id: String,
    },
    /// Stop waiting for a card. The answer says what became of the payment.
    Cancel {
        /// The reference.
        id: String,
    },
    /// Give an approved payment back. The same id again is done once.
    Reverse {
        /// The reference.
        id: String,
    },
}

/// What became of a card payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CardOutcome {
    /// The terminal waits for a card or for the bank.
    Waiting,
    /// Paid.
    Approved,
    /// Not paid, and it never will be.
    Declined,
    /// The terminal never heard of it, and never will under this id: not paid.
    Never,
    /// The bank's answer was lost; ask again.
    Unknown,
    /// Was paid, and has been given back.
    Reversed,
    /// Was paid and cannot be given back here.
    Irreversible,
}

/// What a card terminal says. No message carries a card number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum TerminalReport {
    /// What became of a payment.
    Payment {
        /// The reference.
        id: String,
        /// What became of it.
        outcome: CardOutcome,
        /// Approval code for the receipt, at most 12 characters.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        auth: String,
    },
}

/// Reads a line of a device.
///
/// # Errors
/// A sentence for the log; the line is left out.
pub fn read<T: serde::de::DeserializeOwned>(line: &str) -> Result<T, String> {
    if line.len() > limits::LINE_BYTES_MAX {
        return Err(format!("a line of {} bytes", line.len()));
    }
    serde_json::from_str(line).map_err(|error| error.to_string())
}

/// A line for a device, with its end.
pub fn line<T: Serialize>(message: &T) -> String {
    // Types of this module are always JSON.
    let mut text = serde_json::to_string(message).unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_the_how_to_says() {
        let note = AcceptorReport::Escrowed {
            note: 17,
            value: Amount(Money::from_units(100)),
        };
        assert_eq!(
            line(&note),
            "{\"is\":\"escrowed\",\"note\":17,\"value\":\"100.00\"}\n"
        );
        assert_eq!(read::<AcceptorReport>(line(&note).trim()), Ok(note));
        let status = r#"{"is":"status","state":"ready","last":{"note":17,"value":"100","fate":"stacked"}}"#;
        assert!(read::<AcceptorReport>(status).is_ok());
        let pay = TerminalOrder::Pay {
            id: "mall-1-7".to_owned(),
            amount: Amount(Money::from_units(100)),
            currency: "PKR".to_owned(),
        };
        assert_eq!(
            line(&pay),
            "{\"do\":\"pay\",\"id\":\"mall-1-7\",\"amount\":\"100.00\",\"currency\":\"PKR\"}\n"
        );
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"is":"escrowed","note":-1,"value":"1"}"#,
            r#"{"is":"paid"}"#,
        ] {
            assert!(read::<AcceptorReport>(bad).is_err(), "{bad}");
        }
        assert!(read::<AcceptorReport>(&"x".repeat(limits::LINE_BYTES_MAX + 1)).is_err());
    }
}
