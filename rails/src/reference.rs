//! What a payer types into a bank transfer: our payment id with two check letters.
//!
//! Twenty letters and digits of the id, then two that make any two wrong or swapped letters visible. The alphabet is that of
//! [`PaymentId`] (Crockford's base 32): `O` is read as zero, `I` and `L` as one, in either case, whatever spaces or hyphens stand
//! between.

use charge::payment::PaymentId;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Letters of a reference.
pub const LETTERS: usize = 22;
/// Longest note that is read; bank notes are 140 at most.
const NOTE_BYTES_MAX: usize = 512;

/// What is shown and printed: five groups of four and the check letters, `0004-8AW2-....-XY`.
pub fn shown(id: PaymentId) -> String {
    let text = compact(id);
    let groups = text.as_bytes().chunks(4).map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join("-")
}

/// The same without hyphens, for QR codes and for banks that take letters and digits only.
pub fn compact(id: PaymentId) -> String {
    let id = id.to_string();
    let [first, second] = check(id.bytes().filter_map(value_of));
    format!(
        "{id}{}{}",
        char::from(ALPHABET[usize::from(first)]),
        char::from(ALPHABET[usize::from(second)])
    )
}

/// Reads exactly one reference, without anything around it.
pub fn parse(text: &str) -> Option<PaymentId> {
    let values: Vec<u8> = text
        .bytes()
        .filter(|byte| !is_gap(*byte))
        .map(value_of)
        .collect::<Option<_>>()?;
    let [id @ .., first, second] = values.as_slice() else {
        return None;
    };
    if values.len() != LETTERS || check(id.iter().copied()) != [*first, *second] {
        return None;
    }
    let letters: String = id
        .iter()
        .map(|value| char::from(ALPHABET[usize::from(*value)]))
        .collect();
    PaymentId::parse(&letters)
}

/// The one payment that a note names; `None` when it names none or more than one. A reference may be broken into words, but
/// begins and ends with a word.
pub fn find(note: &str) -> Option<PaymentId> {
    if note.len() > NOTE_BYTES_MAX {
        return None;
    }
    let words: Vec<&str> = note
        .split(|letter: char| !letter.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    let mut found = None;
    for first in 0..words.len() {
        let mut joined = String::new();
        for word in &words[first..] {
            joined.push_str(word);
            if joined.len() >= LETTERS {
                break;
            }
        }
        match (parse(&joined), found) {
            (Some(id), Some(other)) if id != other => return None,
            (Some(id), _) => found = Some(id),
            (None, _) => {}
        }
    }
    found
}

fn is_gap(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b'.' | b'/' | b'_')
}

fn value_of(byte: u8) -> Option<u8> {
    let letter = match byte.to_ascii_uppercase() {
        b'O' => b'0',
        b'I' | b'L' => b'1',
        other => other,
    };
    ALPHABET
        .iter()
        .position(|known| *known == letter)
        .and_then(|place| u8::try_from(place).ok())
}

/// The two check symbols of a Reed-Solomon code over GF(32), so that two codewords differ in three places or more.
fn check(values: impl Iterator<Item = u8>) -> [u8; 2] {
    // Division by (x + 1)(x + a) = x^2 + 3x + 2, with a = 2.
    values.fold([0, 0], |[high, low], value| {
        let feedback = value ^ high;
        [low ^ times(feedback, 3), times(feedback, 2)]
    })
}

/// Multiplication in GF(32) modulo x^5 + x^2 + 1.
fn times(a: u8, b: u8) -> u8 {
    (0..5u8).rev().fold(0u8, |sum, place| {
        let doubled = sum << 1;
        let reduced = if doubled & 32 == 0 {
            doubled
        } else {
            doubled ^ 0b10_0101
        };
        reduced ^ if b >> place & 1 == 1 { a } else { 0 }
    }) & 31
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> PaymentId {
        PaymentId::new(923_001_234_567, 0x0123_4567_89AB_CDEF).unwrap()
    }

    #[test]
    fn payers_may_write_it_as_they_like() {
        let id = some();
        let shown = shown(id);
        for text in [
            shown.clone(),
            shown.to_lowercase(),
            shown.replace('-', " "),
            shown.replace('-', ""),
            shown.replace('0', "O").replace('1', "l"),
            shown.replace('0', "o").replace('1', "I"),
            format!("IBFT from Ali Khan ref {shown} thank you"),
            format!("recharge/{}", compact(id)),
        ] {
            assert_eq!(find(&text), Some(id), "{text}");
        }
        assert_eq!(find(""), None);
        assert_eq!(find("load 500 please"), None);
        assert_eq!(
            find(&id.to_string()),
            None,
            "without its check letters it is not believed"
        );
        assert_eq!(find(&format!("{shown} {shown}")), Some(id));
        let other = PaymentId::new(7, 7).unwrap();
        assert_eq!(
            find(&format!("{shown} or {}", super::shown(other))),
            None,
            "two are none"
        );
    }

    #[test]
    fn two_wrong_letters_never_pass() {
        let text = compact(some()).into_bytes();
        for first in 0..LETTERS {
            for second in first..LETTERS {
                for change in 1..32u8 {
                    let mut wrong = text.clone();
                    let turn = |byte: u8, by: u8| ALPHABET[usize::from(value_of(byte).unwrap() ^ by)];
                    wrong[first] = turn(text[first], change);
                    if second != first {
                        wrong[second] = turn(text[second], change % 31 + 1);
                    }
                    assert_eq!(parse(std::str::from_utf8(&wrong).unwrap()), None);
                }
                let mut swapped = text.clone();
                swapped.swap(first, second);
                if swapped != text {
                    assert_eq!(parse(std::str::from_utf8(&swapped).unwrap()), None);
                }
            }
        }
    }

    #[test]
    fn any_note_is_safe() {
        for note in [
            "\u{6f4}",
            "é".repeat(400).as_str(),
            "-".repeat(4000).as_str(),
            "\0",
        ] {
            assert_eq!(find(note), None);
        }
    }
}
