//! What people dial for what, and the short codes that take keywords.

use super::Catalog;
use crate::ids::Code;

/// Something that has a code on the keypad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Function {
    /// The list of everything.
    Menu,
    /// Balance and until when.
    Balance,
    /// What is left of bundles.
    Data,
    /// One's own number.
    Number,
    /// Bundles for sale.
    Bundles,
    /// A scratch card: `*123*PIN#`.
    Recharge,
    /// What is on offer now.
    Offers,
    /// Stop renewals and advertising.
    Stop,
    /// Language of messages and menus.
    Language,
    /// Giving balance to somebody: `*100*number*amount#`.
    Share,
    /// Credit in advance.
    Advance,
    /// A shop sells a recharge: `*500*number*amount*PIN#`.
    Sell,
}

impl Function {
    /// Every one with its name in files.
    pub const ALL: [(Function, &'static str); 12] = [
        (Function::Menu, "menu"),
        (Function::Balance, "balance"),
        (Function::Data, "data"),
        (Function::Number, "number"),
        (Function::Bundles, "bundles"),
        (Function::Recharge, "recharge"),
        (Function::Offers, "offers"),
        (Function::Stop, "stop"),
        (Function::Language, "language"),
        (Function::Share, "share"),
        (Function::Advance, "advance"),
        (Function::Sell, "sell"),
    ];

    /// The name in files.
    pub fn name(self) -> &'static str {
        Function::ALL
            .iter()
            .find(|(function, _)| *function == self)
            .map_or("", |(_, name)| name)
    }
}

/// The keypad of an operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keypad {
    /// Codes as they are dialled (`*111*2#`), with what they are for.
    pub codes: Vec<(Function, String)>,
    /// Short codes that take keywords by message, the first is told to people.
    pub sms: Vec<String>,
}

impl Keypad {
    /// The code to tell people, if there is one.
    pub fn code(&self, wanted: Function) -> Option<&str> {
        self.codes
            .iter()
            .find(|(function, _)| *function == wanted)
            .map(|(_, code)| code.as_str())
    }
}

/// What somebody dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dialled<'a> {
    /// A function, and what stands between its code and the `#`.
    Function(Function, Vec<&'a str>),
    /// The code of a bundle.
    Offer(Code),
    /// Nothing of this operator.
    Unknown,
}

/// Parts of a code at most.
pub const PARTS_MAX: usize = 8;

/// The parts of `*111*2#`; none when it is not dialled like this.
pub fn parts(text: &str) -> Option<Vec<&str>> {
    let inner = text.strip_prefix(['*', '#'])?.strip_suffix('#')?;
    let parts: Vec<&str> = inner.split('*').collect();
    let sound = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (parts.len() <= PARTS_MAX && parts.iter().all(|part| sound(part))).then_some(parts)
}

impl Catalog {
    /// What was dialled: the longest code that it begins with. A bundle's code takes nothing behind it.
    pub fn dialled<'a>(&self, text: &'a str) -> Dialled<'a> {
        let Some(typed) = parts(text) else {
            return Dialled::Unknown;
        };
        let balance = (Function::Balance, self.contact.balance_dial.as_str());
        let codes = self
            .keypad
            .codes
            .iter()
            .map(|(function, code)| (*function, code.as_str()));
        let longest = std::iter::once(balance)
            .chain(codes)
            .filter_map(|(function, code)| {
                let code = parts(code)?;
                typed.starts_with(&code).then_some((code.len(), function))
            })
            .max_by_key(|(length, _)| *length);
        let offer = self
            .offers
            .iter()
            .find(|offer| offer.for_sale && parts(&offer.dial).as_deref() == Some(typed.as_slice()));
        match (longest, offer) {
            (Some((length, function)), _) if length == typed.len() => Dialled::Function(function, Vec::new()),
            (_, Some(offer)) => Dialled::Offer(offer.code),
            (Some((length, function)), None) => Dialled::Function(function, typed[length..].to_vec()),
            (None, None) => Dialled::Unknown,
        }
    }
}
