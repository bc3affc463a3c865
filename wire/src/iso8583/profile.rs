//! TOPUP-87A: what the fields of a top-up, a reversal and a network message mean (reference payments 2.7).

use super::message::{Message, Mti};

/// Response codes (DE39).
pub mod code {
    /// Done.
    pub const APPROVED: &str = "00";
    /// Not now, and not for a reason that we tell.
    pub const DO_NOT_HONOUR: &str = "05";
    /// A kind of transaction that is not sold.
    pub const INVALID_TRANSACTION: &str = "12";
    /// Too small, too large, or not in this currency.
    pub const INVALID_AMOUNT: &str = "13";
    /// The number cannot be recharged here.
    pub const INVALID_NUMBER: &str = "14";
    /// Nothing could be taken back.
    pub const NOTHING_TAKEN: &str = "21";
    /// The message cannot be read, or holds what it must not.
    pub const FORMAT_ERROR: &str = "30";
    /// A part was taken back.
    pub const PARTLY_TAKEN: &str = "32";
    /// The bank's float does not suffice.
    pub const NOT_SUFFICIENT_FUNDS: &str = "51";
    /// Not allowed to this terminal.
    pub const NOT_PERMITTED: &str = "58";
    /// Over a limit.
    pub const EXCEEDS_LIMIT: &str = "61";
    /// The authentication code is wrong or missing.
    pub const SECURITY: &str = "63";
    /// Nobody can decide just now; ask again or reverse.
    pub const UNAVAILABLE: &str = "91";
    /// The same key was used for something else.
    pub const DUPLICATE: &str = "94";
    /// Our fault.
    pub const MALFUNCTION: &str = "96";
}

/// What identifies an exchange for ever: transmission time, STAN, institution, retrieval reference, terminal
/// (DE7 + DE11 + DE32 + DE37 + DE41).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    /// As text: at most 47 letters, digits and signs.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of(transmission: &str, stan: &str, institution: &str, reference: &str, terminal: &str) -> Key {
        // Leading zeros of the institution are padding: DE90 has eleven digits always.
        let institution = institution.trim_start_matches('0');
        Key([transmission, stan, institution, reference.trim(), terminal.trim()].join("."))
    }
}

/// A top-up or its repeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUp {
    /// Unique for ever.
    pub key: Key,
    /// DE4: hundredths of the currency unit.
    pub amount_minor: u64,
    /// DE49, ISO 4217 number.
    pub currency: u16,
    /// DE32: the bank.
    pub institution: String,
    /// DE41: the terminal, without padding.
    pub terminal: String,
    /// DE48: a bundle's code or `TOPUP`.
    pub product: String,
    /// DE48: the number as the payer typed it.
    pub msisdn: String,
    /// DE48: the bank's word for the receipt.
    pub reference: String,
}

/// A reversal: the original may have come, may come later, or never.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reversal {
    /// The original's key.
    pub original: Key,
    /// DE32.
    pub institution: String,
    /// DE4.
    pub amount_minor: u64,
}

/// DE70.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// 001.
    SignOn,
    /// 002.
    SignOff,
    /// 301.
    Echo,
}

/// A request of this profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// 0200, 0201.
    TopUp(TopUp),
    /// 0420, 0421.
    Reversal(Reversal),
    /// 0800.
    Network(Network),
}

/// The element that is missing or means nothing here; the answer's code follows from it ([`Missing::code`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("data element {0} is missing or means nothing in this profile")]
pub struct Missing(pub u8);

impl Missing {
    /// The response code that says so.
    pub fn code(self) -> &'static str {
        match self.0 {
            // The message type itself, and the processing code.
            0 | 3 | 70 => code::INVALID_TRANSACTION,
            4 | 49 => code::INVALID_AMOUNT,
            _ => code::FORMAT_ERROR,
        }
    }
}

/// The processing code of a top-up (DE3).
pub const PROCESSING_CODE: &str = "500000";
const TERMINAL_TYPE: &str = "6011";

/// The meaning of a message.
///
/// # Errors
/// [`Missing`]; 0 is the message type.
pub fn request_of(message: &Message) -> Result<Request, Missing> {
    match message.mti {
        Mti::REQUEST | Mti::REQUEST_REPEAT => top_up(message).map(Request::TopUp),
        Mti::REVERSAL | Mti::REVERSAL_REPEAT => reversal(message).map(Request::Reversal),
        Mti::NETWORK => {
            needed(message, 7)?;
            needed(message, 11)?;
            Ok(Request::Network(match needed(message, 70)? {
                "001" => Network::SignOn,
                "002" => Network::SignOff,
                "301" => Network::Echo,
                _ => return Err(Missing(70)),
            }))
        }
        _ => Err(Missing(0)),
    }
}

fn top_up(message: &Message) -> Result<TopUp, Missing> {
    if needed(message, 3)? != PROCESSING_CODE {
        return Err(Missing(3));
    }
    if message.get(18).is_some_and(|kind| kind != TERMINAL_TYPE) {
        return Err(Missing(18));
    }
    needed(message, 12)?;
    needed(message, 13)?;
    needed(message, 42)?;
    let private = needed(message, 48)?;
    let mut parts = private.split('|');
    let (Some(product), Some(msisdn), Some(reference), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Missing(48));
    };
    let (product, msisdn, reference) = (product.trim(), msisdn.trim(), reference.trim());
    if product.is_empty()
        || product.len() > 32
        || msisdn.is_empty()
        || msisdn.len() > 20
        || reference.len() > 40
    {
        return Err(Missing(48));
    }
    Ok(TopUp {
        key: key_of(message)?,
        amount_minor: amount(message)?,
        currency: needed(message, 49)?.parse().map_err(|_| Missing(49))?,
        institution: needed(message, 32)?.to_owned(),
        terminal: needed(message, 41)?.trim().to_owned(),
        product: product.to_owned(),
        msisdn: msisdn.to_owned(),
        reference: reference.to_owned(),
    })
}

/// DE90: type of the original (4), STAN (6), transmission time (10), institution (11), forwarding institution (11).
fn reversal(message: &Message) -> Result<Reversal, Missing> {
    let original = needed(message, 90)?;
    let part = |from: usize, length: usize| original.get(from..from + length).ok_or(Missing(90));
    if !matches!(part(0, 4)?, "0200" | "0201") {
        return Err(Missing(90));
    }
    let institution = part(20, 11)?;
    // The advice has a key of its own; that the same bank sends it is said twice.
    let sender = needed(message, 32)?;
    if sender.trim_start_matches('0') != institution.trim_start_matches('0') {
        return Err(Missing(90));
    }
    needed(message, 7)?;
    needed(message, 11)?;
    Ok(Reversal {
        original: Key::of(
            part(10, 10)?,
            part(4, 6)?,
            institution,
            needed(message, 37)?,
            needed(message, 41)?,
        ),
        institution: sender.to_owned(),
        amount_minor: amount(message)?,
    })
}

fn key_of(message: &Message) -> Result<Key, Missing> {
    Ok(Key::of(
        needed(message, 7)?,
        needed(message, 11)?,
        needed(message, 32)?,
        needed(message, 37)?,
        needed(message, 41)?,
    ))
}

fn amount(message: &Message) -> Result<u64, Missing> {
    let amount = needed(message, 4)?.parse().map_err(|_| Missing(4))?;
    if amount == 0 { Err(Missing(4)) } else { Ok(amount) }
}

fn needed(message: &Message, number: u8) -> Result<&str, Missing> {
    message.get(number).ok_or(Missing(number))
}
