//! Keywords of short messages: which word was meant. A slip of a finger in a question is forgiven; where something would be
//! bought, used, changed or sold it is only asked about, and no amount is ever guessed.

use crate::shop::{Order, Wrong, order_of_words};
use charge::Catalogs;
use charge::catalog::Catalog;

/// A keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Balance.
    Balance,
    /// What is left of bundles.
    Data,
    /// One's own number.
    Number,
    /// Bundles with their codes.
    List,
    /// All words.
    Help,
    /// Buy a bundle by its code.
    Buy,
    /// Redeem a scratch card.
    Card,
    /// Another language.
    Language,
    /// No more advertising.
    Stop,
    /// No more advertising, and no bundle renews by itself.
    Unsubscribe,
}

/// Each word as people write it; the first is told to them.
const WORDS: [(Word, &[&str]); 10] = [
    (Word::Balance, &["BAL", "BALANCE", "بیلنس", "余额"]),
    (Word::Data, &["DATA", "LEFT", "MB", "ڈیٹا", "流量"]),
    (Word::Number, &["NUM", "NUMBER", "نمبر", "号码"]),
    (
        Word::List,
        &["LIST", "BUNDLES", "BUNDLE", "PACKAGES", "پیکج", "套餐"],
    ),
    (Word::Help, &["HELP", "INFO", "MENU", "مدد", "帮助"]),
    (Word::Buy, &["BUY", "SUB", "خریدیں", "购买"]),
    (Word::Card, &["CARD", "RECHARGE", "کارڈ", "充值"]),
    (Word::Language, &["LANG", "LANGUAGE", "زبان", "语言"]),
    (Word::Stop, &["STOP", "بند", "停止"]),
    (Word::Unsubscribe, &["UNSUB", "UNSUBSCRIBE"]),
];
/// Words that sell for a shop: a slip near one of them is asked about too.
const SHOP: [&str; 5] = ["LOAD", "SEND", "STOCK", "LAST", "PIN"];

impl Word {
    /// As it is told to people.
    pub fn shown(self) -> &'static str {
        WORDS
            .iter()
            .find(|(word, _)| *word == self)
            .map_or("", |(_, spellings)| spellings[0])
    }

    /// Whether a slip is forgiven: nothing changes by it.
    fn is_harmless(self) -> bool {
        matches!(
            self,
            Word::Balance | Word::Data | Word::Number | Word::List | Word::Help
        )
    }
}

/// What a message asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked<'a> {
    /// A word, and what stands behind it.
    Word(Word, Vec<&'a str>),
    /// A shop's order, or what is wrong with it.
    Shop(Result<Order, Wrong>),
    /// Not clear: perhaps this word.
    Meant(&'static str),
    /// Nothing that we know.
    Unknown,
}

/// Reads a message.
pub fn read<'a>(text: &'a str, catalogs: &Catalogs) -> Asked<'a> {
    let words: Vec<&str> = text.split_whitespace().take(16).collect();
    let Some((first, rest)) = words.split_first() else {
        return Asked::Unknown;
    };
    if let Some(order) = order_of_words(&words, catalogs) {
        return Asked::Shop(order);
    }
    let first = first.trim_matches(|c: char| matches!(c, '.' | ',' | '!' | '?' | '"' | '\''));
    let first = first.to_uppercase();
    if let Some(word) = exact(&first) {
        return Asked::Word(word, rest.to_vec());
    }
    match nearest(&first) {
        Some(Near::Word(word)) if word.is_harmless() && rest.is_empty() => Asked::Word(word, Vec::new()),
        Some(Near::Word(word)) => Asked::Meant(word.shown()),
        Some(Near::Shop(word)) => Asked::Meant(word),
        None => Asked::Unknown,
    }
}

fn exact(first: &str) -> Option<Word> {
    WORDS
        .iter()
        .find(|(_, spellings)| spellings.contains(&first))
        .map(|(word, _)| *word)
}

enum Near {
    Word(Word),
    Shop(&'static str),
}

/// The one word within a slip of what was written; none when there is none or more than one.
fn nearest(first: &str) -> Option<Near> {
    if first.chars().count() > 16 {
        return None;
    }
    let mut found: Vec<(usize, Near)> = Vec::new();
    for (word, spellings) in WORDS {
        let distance = spellings
            .iter()
            .filter_map(|spelling| slip(first, spelling))
            .min();
        found.extend(distance.map(|distance| (distance, Near::Word(word))));
    }
    for word in SHOP {
        found.extend(slip(first, word).map(|distance| (distance, Near::Shop(word))));
    }
    let least = found.iter().map(|(distance, _)| *distance).min()?;
    let mut best = found.into_iter().filter(|(distance, _)| *distance == least);
    match (best.next(), best.next()) {
        (Some((_, near)), None) => Some(near),
        _ => None,
    }
}

/// Slips between two words when they are few: one in a word of three letters or more, two from seven on.
fn slip(written: &str, spelling: &str) -> Option<usize> {
    let length = spelling.chars().count();
    let allowed = match length {
        0..=2 => 0,
        3..=6 => 1,
        _ => 2,
    };
    let distance = distance(written, spelling);
    (distance <= allowed && distance > 0).then_some(distance)
}

/// Letters changed, left out, added or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![vec![0_usize; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (rows[i - 1][j] + 1)
                .min(rows[i][j - 1] + 1)
                .min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[a.len()][b.len()]
}

/// The bundle of a code as people write it: `weekly-sms`, `WEEKLY SMS`. Not a near one.
pub fn offer_of<'a>(words: &[&str], catalog: &'a Catalog) -> Option<&'a charge::catalog::Offer> {
    let code = words.join("-").to_ascii_lowercase().replace('_', "-");
    catalog
        .offers
        .iter()
        .find(|offer| offer.for_sale && offer.code.as_str() == code)
}

/// The code of the one bundle within a slip of what was written, to ask about.
pub fn offer_near<'a>(words: &[&str], catalog: &'a Catalog) -> Option<&'a str> {
    let code: String = words.join("-").to_ascii_lowercase().chars().take(40).collect();
    let mut near = catalog
        .offers
        .iter()
        .filter(|offer| offer.for_sale)
        .map(|offer| offer.code.as_str())
        .filter(|known| distance(&code, known) <= 2);
    match (near.next(), near.next()) {
        (Some(code), None) => Some(code),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_forgiven_in_questions_only() {
        let catalogs = Catalogs::default();
        for (text, asked) in [
            ("BAL", Asked::Word(Word::Balance, vec![])),
            ("bal", Asked::Word(Word::Balance, vec![])),
            ("Balance?", Asked::Word(Word::Balance, vec![])),
            ("balnace", Asked::Word(Word::Balance, vec![])),
            ("BALANC", Asked::Word(Word::Balance, vec![])),
            ("بیلنس", Asked::Word(Word::Balance, vec![])),
            ("余额", Asked::Word(Word::Balance, vec![])),
            ("hlep", Asked::Word(Word::Help, vec![])),
            ("DATTA", Asked::Word(Word::Data, vec![])),
            ("BUY weekly-sms", Asked::Word(Word::Buy, vec!["weekly-sms"])),
            ("BYU weekly-sms", Asked::Meant("BUY")),
            ("CARDD 123456789012", Asked::Meant("CARD")),
            ("STPO", Asked::Meant("STOP")),
            ("LAOD 03001234567 100 4711", Asked::Meant("LOAD")),
            ("BALL 100", Asked::Meant("BAL")),
            ("hello world", Asked::Unknown),
            ("", Asked::Unknown),
            ("100", Asked::Unknown),
            ("STOP", Asked::Word(Word::Stop, vec![])),
            ("unsub", Asked::Word(Word::Unsubscribe, vec![])),
            ("UNSBU", Asked::Meant("UNSUB")),
        ] {
            assert_eq!(read(text, &catalogs), asked, "{text}");
        }
        assert!(matches!(read("LOAD 1 2", &catalogs), Asked::Shop(Err(_))));
        assert_eq!(distance("balnace", "balance"), 1);
        assert_eq!(distance("", "abc"), 3);
    }
}
