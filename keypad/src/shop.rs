//! The grammar of sellers: `*500*03001234567*100*PIN#` and `LOAD 03001234567 100 PIN`. Nothing is guessed: what does not
//! fit exactly is refused, and nothing moves.

use crate::menu::Secret;
use crate::say::Say;
use charge::{Catalogs, Money, Msisdn};
use web::cards::CardChannel;

/// Shortest and longest PIN of a seller, in digits.
pub const PIN_DIGITS: std::ops::RangeInclusive<usize> = 4..=8;
/// Longest amount, in characters.
const AMOUNT_CHARACTERS_MAX: usize = 12;
/// Numbers have at least so many digits; shorter first parts choose what is asked.
const NUMBER_DIGITS_MIN: usize = 7;

/// What a seller asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Sell a recharge.
    Load {
        /// To whom.
        number: Msisdn,
        /// What is paid.
        amount: Money,
        /// The seller's PIN.
        pin: Secret,
        /// "Yes, I mean a second one like the last": the counter, from 2.
        again: Option<u8>,
    },
    /// Give stock to another seller.
    Send {
        /// To whom.
        number: Msisdn,
        /// How much.
        amount: Money,
        /// The seller's PIN.
        pin: Secret,
        /// As for a sale.
        again: Option<u8>,
    },
    /// What is left of the stock.
    Stock {
        /// The seller's PIN.
        pin: Secret,
    },
    /// The last sales.
    Last {
        /// The seller's PIN.
        pin: Secret,
    },
    /// Another PIN.
    ChangePin {
        /// The old one.
        old: Secret,
        /// The new one.
        new: Secret,
    },
}

/// How a seller's phone asks: what a repetition is called differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Dialled.
    Code,
    /// A message.
    Message,
}

impl By {
    /// What the receipt of a scratch card names.
    pub fn card_channel(self) -> CardChannel {
        match self {
            By::Code => CardChannel::Ussd,
            By::Message => CardChannel::Sms,
        }
    }

    /// What is put behind an order to mean the `count`-th one of its kind within two minutes; `None`: no counter says so many.
    pub fn counted(self, count: u8) -> Option<String> {
        match (self, count) {
            (_, 0 | 1 | 10..) => None,
            (By::Code, count) => Some(format!("*{count}")),
            (By::Message, 2) => Some(AGAIN.to_owned()),
            (By::Message, count) => Some(count.to_string()),
        }
    }
}

/// The second one, in a message.
const AGAIN: &str = "AGAIN";

/// What does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Too few or too many parts, or a word that is none.
    Shape,
    /// Not a phone number.
    Number,
    /// Not an amount.
    Amount,
    /// Not a PIN.
    Pin,
}

impl Wrong {
    /// In words.
    pub fn said(self, say: Say<'_>) -> String {
        say.p(match self {
            Wrong::Shape => "keypad-sell-how",
            Wrong::Number => "problem-bad-number",
            Wrong::Amount => "keypad-bad-amount",
            Wrong::Pin => "keypad-bad-pin",
        })
    }
}

/// Reads the parts of a code: `number*amount*PIN[*counter]`, `1*PIN` stock, `2*PIN` last sales, `3*old*new` another PIN,
/// `4*number*amount*PIN[*counter]` to another seller.
///
/// # Errors
/// [`Wrong`].
pub fn order_of_parts(parts: &[&str], catalogs: &Catalogs) -> Result<Order, Wrong> {
    match parts {
        ["1", pin] => Ok(Order::Stock { pin: secret(pin)? }),
        ["2", pin] => Ok(Order::Last { pin: secret(pin)? }),
        ["3", old, new] => Ok(Order::ChangePin {
            old: secret(old)?,
            new: secret(new)?,
        }),
        ["4", rest @ ..] => {
            let (number, amount, pin, again) = transfer(rest, catalogs)?;
            Ok(Order::Send {
                number,
                amount,
                pin,
                again,
            })
        }
        [first, ..] if first.len() >= NUMBER_DIGITS_MIN => {
            let (number, amount, pin, again) = transfer(parts, catalogs)?;
            Ok(Order::Load {
                number,
                amount,
                pin,
                again,
            })
        }
        _ => Err(Wrong::Shape),
    }
}

/// Reads a message whose first word is one of a seller's: `LOAD number amount PIN [AGAIN|counter]`,
/// `SEND number amount PIN [AGAIN|counter]`, `STOCK PIN`, `LAST PIN`, `PIN old new`. None when the first word is another.
pub fn order_of_words(words: &[&str], catalogs: &Catalogs) -> Option<Result<Order, Wrong>> {
    let (first, rest) = words.split_first()?;
    let pin = |rest: &[&str]| match rest {
        [pin] => secret(pin),
        _ => Err(Wrong::Shape),
    };
    Some(match first.to_ascii_uppercase().as_str() {
        "LOAD" | "لوڈ" => transfer(rest, catalogs).map(|(number, amount, pin, again)| Order::Load {
            number,
            amount,
            pin,
            again,
        }),
        "SEND" => transfer(rest, catalogs).map(|(number, amount, pin, again)| Order::Send {
            number,
            amount,
            pin,
            again,
        }),
        "STOCK" => pin(rest).map(|pin| Order::Stock { pin }),
        "LAST" => pin(rest).map(|pin| Order::Last { pin }),
        "PIN" => match rest {
            [old, new] => secret(old).and_then(|old| secret(new).map(|new| Order::ChangePin { old, new })),
            _ => Err(Wrong::Shape),
        },
        _ => return None,
    })
}

type Transfer = (Msisdn, Money, Secret, Option<u8>);

fn transfer(parts: &[&str], catalogs: &Catalogs) -> Result<Transfer, Wrong> {
    let (number, amount, pin, again) = match parts {
        [number, amount, pin] => (number, amount, pin, None),
        [number, amount, pin, again] => (number, amount, pin, Some(counter(again)?)),
        _ => return Err(Wrong::Shape),
    };
    let number = web::number::parse(number, catalogs).ok_or(Wrong::Number)?;
    Ok((number, exact_amount(amount)?, secret(pin)?, again))
}

/// Digits with at most two decimals, and nothing else: no thousands separators, no units, no signs.
pub fn exact_amount(text: &str) -> Result<Money, Wrong> {
    let latin: String = text
        .chars()
        .take(AMOUNT_CHARACTERS_MAX + 1)
        .map(|c| web::number::latin_digit(c).unwrap_or(c))
        .collect();
    let (whole, decimals) = latin.split_once('.').unwrap_or((&latin, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let plain = digits(whole)
        && digits(decimals)
        && decimals.len() <= 2
        && !(whole.len() > 1 && whole.starts_with('0'))
        && latin.len() <= AMOUNT_CHARACTERS_MAX;
    match Money::parse(&latin) {
        Ok(amount) if plain && amount.is_positive() => Ok(amount),
        _ => Err(Wrong::Amount),
    }
}

fn secret(text: &str) -> Result<Secret, Wrong> {
    let digits: String = text
        .chars()
        .take(PIN_DIGITS.end() + 1)
        .map(|c| web::number::latin_digit(c).unwrap_or(c))
        .collect();
    if PIN_DIGITS.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(Secret::new(&digits))
    } else {
        Err(Wrong::Pin)
    }
}

/// `AGAIN` or a counter from 2 to 9.
fn counter(text: &str) -> Result<u8, Wrong> {
    if text.eq_ignore_ascii_case(AGAIN) || text == "پھر" {
        return Ok(2);
    }
    match text.parse::<u8>() {
        Ok(count @ 2..=9) => Ok(count),
        _ => Err(Wrong::Shape),
    }
}
