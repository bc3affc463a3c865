//! What looks like a card number. Card numbers never reach Raseed: inputs that hold one are refused and not logged.
//!
//! A number counts as one when it has 14 to 19 digits, begins with the range of a card scheme at that length, and passes the
//! Luhn check. Phone numbers written with `+`, IBANs and our own references are let through.

use charge::payment::PaymentId;
use serde_json::Value;

/// Deepest JSON that is looked into; what is deeper counts as holding a card number, because nobody looked.
const DEPTH_MAX: usize = 32;
/// Most digit groups of one number: 19 digits in groups of four, with the last one shorter.
const GROUPS_MAX: usize = 5;

/// True when some part of the text looks like a card number. Digits of all scripts count, groups may be divided by one
/// space, hyphen or dot each.
pub fn in_text(text: &str) -> bool {
    let groups = groups(text);
    (0..groups.len()).any(|first| {
        let mut digits = String::new();
        for (place, group) in groups[first..].iter().take(GROUPS_MAX).enumerate() {
            let joins = place == 0 || (group.joined && group.digits.len() >= 2);
            if !joins || digits.len() + group.digits.len() > 19 {
                return false;
            }
            // 4-4-4-4, 4-6-5, 6-10 and the like; lists of amounts and small numbers are not card numbers.
            if place > 0 && groups[first + place - 1].digits.len() < 4 {
                return false;
            }
            digits.push_str(&group.digits);
            let phone = groups[first].plus && digits.len() <= 15;
            if !phone && !group.named && !groups[first].named && is_card_number(&digits) {
                return true;
            }
        }
        false
    })
}

/// True when a name or a value of a form, or two neighbouring values together, looks like a card number.
pub fn in_form<N: AsRef<str>, V: AsRef<str>>(fields: &[(N, V)]) -> bool {
    fields
        .iter()
        .any(|(name, value)| in_text(name.as_ref()) || in_text(value.as_ref()))
        || is_split(fields)
}

/// Four boxes of four digits are a card number too.
fn is_split<N: AsRef<str>, V: AsRef<str>>(fields: &[(N, V)]) -> bool {
    let all_digits = |text: &str| text.len() >= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    fields.windows(4).any(|four| {
        four.iter()
            .all(|(_, value)| value.as_ref().len() == 4 && all_digits(value.as_ref()))
            && is_card_number(&four.iter().map(|(_, value)| value.as_ref()).collect::<String>())
    })
}

/// True when a name, string or number in a JSON value looks like a card number.
pub fn in_json(value: &Value) -> bool {
    in_json_at(value, 0)
}

fn in_json_at(value: &Value, depth: usize) -> bool {
    if depth > DEPTH_MAX {
        return true;
    }
    match value {
        Value::Null | Value::Bool(_) => false,
        Value::Number(number) => in_text(&number.to_string()),
        Value::String(text) => in_text(text),
        Value::Array(values) => values.iter().any(|value| in_json_at(value, depth + 1)),
        Value::Object(members) => members
            .iter()
            .any(|(name, value)| in_text(name) || in_json_at(value, depth + 1)),
    }
}

/// True for 14 to 19 ASCII digits in the range of a scheme that pass the Luhn check.
pub fn is_card_number(digits: &str) -> bool {
    digits.bytes().all(|byte| byte.is_ascii_digit()) && has_scheme(digits) && passes_luhn(digits)
}

/// A digit string that stands for itself.
#[derive(Default)]
struct Group {
    digits: String,
    /// One separator, and nothing else, stands between it and the group before.
    joined: bool,
    /// A plus sign stands before it.
    plus: bool,
    /// It is part of an IBAN or of a reference of ours.
    named: bool,
}

fn groups(text: &str) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut current = Group::default();
    let mut word = String::new();
    let mut first_of_word = 0;
    // What stood since the last digit: nothing, one separator, or more.
    let mut between = String::new();
    for letter in text.chars().chain(['\0']) {
        let digit = digit_of(letter);
        if let Some(digit) = digit {
            if current.digits.is_empty() {
                current.joined = !groups.is_empty() && is_joint(&between);
                current.plus = between.ends_with('+');
            }
            current.digits.push(digit);
            between.clear();
        } else {
            if !current.digits.is_empty() {
                groups.push(std::mem::take(&mut current));
            }
            between.push(letter);
        }
        if letter.is_ascii_alphanumeric() {
            word.push(letter);
        } else if digit.is_none() {
            if is_ours_or_iban(&word) {
                groups[first_of_word..]
                    .iter_mut()
                    .for_each(|group| group.named = true);
            }
            word.clear();
            first_of_word = groups.len();
        }
    }
    groups
}

fn is_joint(between: &str) -> bool {
    let visible: Vec<char> = between.chars().filter(|letter| !is_invisible(*letter)).collect();
    match visible.as_slice() {
        [] => true,
        [one] => matches!(
            one,
            ' ' | '-' | '.' | '_' | '\u{a0}' | '\u{2010}'..='\u{2013}' | '\u{2009}' | '\u{202f}'
        ),
        _ => false,
    }
}

fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{ad}')
}

/// A digit of the scripts that our people type.
fn digit_of(letter: char) -> Option<char> {
    let zero = match letter {
        '0'..='9' => '0',
        '\u{660}'..='\u{669}' => '\u{660}',
        '\u{6f0}'..='\u{6f9}' => '\u{6f0}',
        '\u{966}'..='\u{96f}' => '\u{966}',
        '\u{ff10}'..='\u{ff19}' => '\u{ff10}',
        _ => return None,
    };
    char::from_digit(u32::from(letter) - u32::from(zero), 10)
}

fn is_ours_or_iban(word: &str) -> bool {
    let has_letter = word.bytes().any(|byte| byte.is_ascii_alphabetic());
    has_letter
        && (PaymentId::parse(word).is_some() || crate::reference::parse(word).is_some() || is_iban(word))
}

/// ISO 13616: two letters, two check digits, 11 to 30 letters and digits; modulo 97 it is 1.
pub fn is_iban(word: &str) -> bool {
    let bytes = word.as_bytes();
    let shaped = (15..=34).contains(&bytes.len())
        && bytes[..2].iter().all(u8::is_ascii_alphabetic)
        && bytes[2..4].iter().all(u8::is_ascii_digit)
        && bytes.iter().all(u8::is_ascii_alphanumeric);
    if !shaped {
        return false;
    }
    let rest =
        bytes[4..]
            .iter()
            .chain(&bytes[..4])
            .fold(0u32, |rest, byte| match char::from(*byte).to_digit(36) {
                Some(value) if value < 10 => (rest * 10 + value) % 97,
                Some(value) => (rest * 100 + value) % 97,
                None => rest,
            });
    rest == 1
}

fn has_scheme(digits: &str) -> bool {
    let length = digits.len();
    let prefix = |places: usize| {
        digits
            .get(..places)
            .and_then(|text| text.parse::<u32>().ok())
            .unwrap_or(0)
    };
    if !(14..=19).contains(&length) {
        return false;
    }
    let visa = prefix(1) == 4 && matches!(length, 16 | 19);
    let mastercard = length == 16 && ((51..=55).contains(&prefix(2)) || (2221..=2720).contains(&prefix(4)));
    let amex = length == 15 && matches!(prefix(2), 34 | 37);
    let diners = (14..=19).contains(&length)
        && (matches!(prefix(2), 36 | 38 | 39) || (300..=305).contains(&prefix(3)) || prefix(4) == 3095);
    let discover = (16..=19).contains(&length)
        && (prefix(4) == 6011 || prefix(2) == 65 || (644..=649).contains(&prefix(3)));
    let union_pay = (16..=19).contains(&length) && matches!(prefix(2), 62 | 81);
    let jcb = (16..=19).contains(&length) && (3528..=3589).contains(&prefix(4));
    let maestro = matches!(
        prefix(4),
        5018 | 5020 | 5038 | 5612 | 5893 | 6304 | 6759 | 6761..=6763
    );
    // Domestic schemes: Mir and PayPak (2200 to 2205), RuPay (60, 82, 508), Troy (9792).
    let domestic = length == 16
        && ((2200..=2205).contains(&prefix(4))
            || matches!(prefix(2), 60 | 82)
            || prefix(3) == 508
            || prefix(4) == 9792);
    visa || mastercard || amex || diners || discover || union_pay || jcb || maestro || domestic
}

fn passes_luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte - b'0');
            match (place % 2, digit * 2) {
                (0, _) => digit,
                (_, doubled) if doubled > 9 => doubled - 9,
                (_, doubled) => doubled,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use charge::payment::PaymentId;
    use serde_json::json;

    #[test]
    fn card_numbers_in_every_disguise() {
        for text in [
            "4242424242424242",
            "5123450000000008",
            "2223000000000007",
            "378282246310005",
            "30569309025904",
            "6011111111111117",
            "3530111333300000",
            "6205500000000000004",
            "4242 4242 4242 4242",
            "4242-4242-4242-4242",
            "4242.4242.4242.4242",
            "4242\u{a0}4242\u{a0}4242\u{a0}4242",
            "4242\u{200b}4242\u{200b}4242\u{200b}4242",
            "3782 822463 10005",
            "my card is 4242 4242 4242 4242, exp 12/28, cvv 123",
            "4242 4242 4242 4242 12 28 123",
            "card4242424242424242x",
            "\u{6f4}\u{6f2}\u{6f4}\u{6f2}\u{6f4}\u{6f2}\u{6f4}\u{6f2}\u{6f4}\u{6f2}\u{6f4}\u{6f2}\u{6f4}\u{6f2}\u{6f4}\u{6f2}",
            "\u{ff14}\u{ff12}\u{ff14}\u{ff12} 4242 4242 4242",
            "pan=4242424242424242&amount=100",
        ] {
            assert!(in_text(text), "{text}");
        }
        assert!(in_json(&json!({"a": [{"number": "4242 4242 4242 4242"}]})));
        assert!(in_json(&json!({"a": 4_242_424_242_424_242u64})));
        assert!(in_json(&json!({"4242424242424242": 1})));
        assert!(in_form(&[
            ("a", "4242"),
            ("b", "4242"),
            ("c", "4242"),
            ("d", "4242")
        ]));
    }

    #[test]
    fn what_is_not_one() {
        for text in [
            "",
            "4242424242424243",
            "03001234567",
            "923001234567",
            "+92 300 1234567",
            "00923001234567",
            "+4915112345678901",
            "+447951731337",
            "100.00",
            "1000 2000 3000 4000",
            "20261122024447",
            "1700000000000000",
            "211002644299",
            "PK36SCBL0000001123456702",
            "2026-11-22T02:44:47Z",
            "35202-1234567-1",
            "410117 0005 5132",
            "192.168.100.200",
        ] {
            assert!(!in_text(text), "{text}");
        }
    }

    #[test]
    fn our_references_are_never_refused() {
        let mut random = 0x9E37_79B9_7F4A_7C15u64;
        for round in 0..200_000u64 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(round | 1);
            let home = if round % 2 == 0 {
                923_000_000_000 + random % 1_000_000_000
            } else {
                round
            };
            let id = PaymentId::new(home, random).unwrap();
            assert!(!in_text(&id.to_string()), "{id}");
            assert!(!in_text(&format!("Recharge {id} thanks")), "{id}");
            assert!(!in_text(&(923_000_000_000 + random % 1_000_000_000).to_string()));
        }
    }

    #[test]
    fn deep_json_is_not_trusted() {
        let mut value = json!("x");
        for _ in 0..40 {
            value = json!([value]);
        }
        assert!(in_json(&value));
    }
}
