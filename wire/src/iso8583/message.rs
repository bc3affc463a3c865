//! Messages as fields: type, bitmap, data elements.

use super::MESSAGE_BYTES_MAX;
use super::field::{Alphabet, CARD, Length, Spec, spec};
use std::collections::BTreeMap;
use std::fmt;

/// Message type: four digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mti(pub u16);

impl Mti {
    /// Financial request.
    pub const REQUEST: Mti = Mti(200);
    /// Repeat of a financial request.
    pub const REQUEST_REPEAT: Mti = Mti(201);
    /// Reversal advice.
    pub const REVERSAL: Mti = Mti(420);
    /// Repeat of a reversal advice.
    pub const REVERSAL_REPEAT: Mti = Mti(421);
    /// Network management: sign-on, sign-off, echo.
    pub const NETWORK: Mti = Mti(800);

    /// The type of the answer: the request's without its repeat mark, plus ten.
    #[must_use]
    pub fn answer(self) -> Mti {
        Mti(self.0 / 10 * 10 + 10)
    }
}

impl fmt::Display for Mti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.0)
    }
}

/// A message: its type and its data elements by number. It never holds card data.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Type.
    pub mti: Mti,
    fields: BTreeMap<u8, String>,
}

/// Which fields, not what is in them: they hold people's numbers.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} with {:?}",
            self.mti,
            self.fields.keys().collect::<Vec<_>>()
        )
    }
}

impl Message {
    /// A message without fields.
    pub fn new(mti: Mti) -> Message {
        Message {
            mti,
            fields: BTreeMap::new(),
        }
    }

    /// A data element.
    pub fn get(&self, number: u8) -> Option<&str> {
        self.fields.get(&number).map(String::as_str)
    }

    /// Puts a data element in. False, and nothing is put in, when the element cannot hold it or belongs to a card.
    pub fn set(&mut self, number: u8, value: &str) -> bool {
        let fits = spec(number).is_some_and(|spec| !CARD.contains(&number) && holds(spec, value));
        if fits {
            self.fields.insert(number, value.to_owned());
        }
        fits
    }

    /// The answer to this message with a response code (DE39): what identifies the exchange comes back as it came.
    #[must_use]
    pub fn answered(&self, code: &str) -> Message {
        const BACK: [u8; 14] = [3, 4, 7, 11, 12, 13, 18, 32, 37, 41, 42, 49, 70, 90];
        let mut answer = Message::new(self.mti.answer());
        for number in BACK {
            if let Some(value) = self.get(number) {
                answer.fields.insert(number, value.to_owned());
            }
        }
        answer.set(39, code);
        answer
    }

    /// The message as octets, without a message authentication code.
    pub fn encode(&self) -> Vec<u8> {
        self.encode_with(|_| None)
    }

    /// The message as octets. `mac` is given all octets before the code and makes its sixteen hexadecimal digits;
    /// `None`: no code.
    pub fn encode_with(&self, mac: impl FnOnce(&[u8]) -> Option<String>) -> Vec<u8> {
        let without = self.octets(false);
        let with = self.octets(true);
        match mac(&with) {
            Some(code) if code.len() == 16 => [with, code.into_bytes()].concat(),
            _ => without,
        }
    }

    /// The code is the last element of a message: DE64, or DE128 where there is a second bitmap.
    fn octets(&self, mac: bool) -> Vec<u8> {
        let mut bits = 0u128;
        for number in self.fields.keys().copied().filter(|number| !is_mac(*number)) {
            bits |= 1 << (128 - u32::from(number));
        }
        let second = bits & u128::from(u64::MAX) != 0;
        if second {
            bits |= 1 << 127;
        }
        if mac {
            bits |= if second { 1 } else { 1 << 64 };
        }
        let mut out = format!("{}{:016X}", self.mti, bits >> 64);
        if second {
            out += &format!("{:016X}", bits & u128::from(u64::MAX));
        }
        for (number, value) in self.fields.iter().filter(|(number, _)| !is_mac(**number)) {
            match spec(*number).map(|spec| spec.length) {
                Some(Length::Two(_)) => out += &format!("{:02}", value.len()),
                Some(Length::Three(_)) => out += &format!("{:03}", value.len()),
                _ => {}
            }
            out += value;
        }
        out.into_bytes()
    }
}

fn is_mac(number: u8) -> bool {
    number == 64 || number == 128
}

fn holds(spec: Spec, value: &str) -> bool {
    let fits = match spec.length {
        Length::Fixed(length) => value.len() == length,
        Length::Two(max) | Length::Three(max) => value.len() <= max,
    };
    fits && value.bytes().all(|byte| spec.alphabet.has(byte))
}

/// Why a message is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Too short or too long for any message.
    #[error("no message is so long")]
    Length,
    /// The type is not four digits.
    #[error("the message type is not four digits")]
    Type,
    /// The bitmap is not hexadecimal.
    #[error("the bitmap is not hexadecimal")]
    Bitmap,
    /// An element that this profile does not have.
    #[error("data element {0} is not part of the profile")]
    Unknown(u8),
    /// An element that ends too early, is too long or holds what it may not.
    #[error("data element {0} cannot be read")]
    Element(u8),
    /// Something follows the last element.
    #[error("the message goes on behind its last element")]
    Trailing,
    /// An element that belongs to a card. Nothing of it is kept.
    #[error("the message holds card data")]
    CardData,
}

/// A message that is refused, and what an answer may repeat of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub reason: Reason,
    /// What could be read, without anything of a card; `None` when not even the type could.
    pub echo: Option<Message>,
}

/// A message that was read, and where its authentication code begins.
#[derive(Debug)]
pub struct Read {
    /// The message, its code (DE64 or DE128) among its fields.
    pub message: Message,
    /// So many octets are covered by the code; all of them when there is none.
    pub covered: usize,
}

/// Reads one message.
///
/// # Errors
/// [`Refused`]; card data in a message ([`Reason::CardData`]) outweighs every other reason.
pub fn decode(octets: &[u8]) -> Result<Read, Refused> {
    let nothing = |reason| Refused { reason, echo: None };
    if octets.len() > MESSAGE_BYTES_MAX {
        return Err(nothing(Reason::Length));
    }
    let (head, mut rest) = octets.split_at_checked(20).ok_or(nothing(Reason::Length))?;
    let (mti, first) = head.split_at(4);
    if !mti.iter().all(u8::is_ascii_digit) {
        return Err(nothing(Reason::Type));
    }
    let mti = mti
        .iter()
        .fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    let mut message = Message::new(Mti(mti));
    let mut bits = u128::from(hexadecimal(first).ok_or(nothing(Reason::Bitmap))?) << 64;
    if bits >> 127 == 1 {
        let (second, behind) = rest.split_at_checked(16).ok_or(nothing(Reason::Bitmap))?;
        bits |= u128::from(hexadecimal(second).ok_or(nothing(Reason::Bitmap))?);
        rest = behind;
    }
    let has = |number: u8| bits >> (128 - u32::from(number)) & 1 == 1;
    let card = CARD.into_iter().any(has);
    let mut covered = octets.len();
    // A code that does not cover what follows it proves nothing about it.
    let mut wrong = (has(64) && (65..=128).any(has)).then_some(Reason::Element(64));
    for number in (2..=128).filter(|number| has(*number)) {
        let before = rest.len();
        match element(number, &mut rest) {
            Ok(_) if CARD.contains(&number) => {}
            Ok(value) => {
                if is_mac(number) {
                    covered = octets.len() - before;
                }
                message.fields.insert(number, value);
            }
            Err(reason) => {
                wrong = wrong.or(Some(reason));
                break;
            }
        }
    }
    if wrong.is_none() && !rest.is_empty() {
        wrong = Some(Reason::Trailing);
    }
    match if card { Some(Reason::CardData) } else { wrong } {
        None => Ok(Read { message, covered }),
        Some(reason) => Err(Refused {
            reason,
            echo: Some(message),
        }),
    }
}

fn element(number: u8, rest: &mut &[u8]) -> Result<String, Reason> {
    let Spec { length, alphabet } = spec(number).ok_or(Reason::Unknown(number))?;
    let bad = Reason::Element(number);
    let length = match length {
        Length::Fixed(length) => length,
        Length::Two(max) => told(rest, 2).filter(|length| *length <= max).ok_or(bad)?,
        Length::Three(max) => told(rest, 3).filter(|length| *length <= max).ok_or(bad)?,
    };
    let (value, behind) = rest.split_at_checked(length).ok_or(bad)?;
    if !value.iter().all(|byte| alphabet.has(*byte)) {
        return Err(bad);
    }
    *rest = behind;
    let text = String::from_utf8(value.to_vec()).map_err(|_| bad)?;
    Ok(match alphabet {
        Alphabet::B => text.to_ascii_uppercase(),
        _ => text,
    })
}

fn told(rest: &mut &[u8], digits: usize) -> Option<usize> {
    let (head, behind) = rest.split_at_checked(digits)?;
    if !head.iter().all(u8::is_ascii_digit) {
        return None;
    }
    *rest = behind;
    Some(
        head.iter()
            .fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0')),
    )
}

fn hexadecimal(digits: &[u8]) -> Option<u64> {
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
