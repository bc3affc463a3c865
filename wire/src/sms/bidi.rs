//! Isolates (Unicode UAX #9, U+2066 to U+2069): without them `+92 300 1234567` reads backwards in an Urdu sentence.

const LEFT_TO_RIGHT_ISOLATE: char = '\u{2066}';
const FIRST_STRONG_ISOLATE: char = '\u{2068}';
const POP_ISOLATE: char = '\u{2069}';

/// Puts U+2066 and U+2069 around every number, amount, date and code of a text that has right-to-left letters.
/// Other texts, and numbers that are isolated already, stay as they are.
#[must_use]
pub fn isolate(text: &str) -> String {
    if !text.chars().any(is_right_to_left) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut depth = 0usize;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let run = if depth == 0 { run_length(rest) } else { 0 };
        if run > 0 {
            out.push(LEFT_TO_RIGHT_ISOLATE);
            out.push_str(&rest[..run]);
            out.push(POP_ISOLATE);
            rest = &rest[run..];
            continue;
        }
        match c {
            LEFT_TO_RIGHT_ISOLATE..=FIRST_STRONG_ISOLATE => depth += 1,
            POP_ISOLATE => depth = depth.saturating_sub(1),
            _ => {}
        }
        out.push(c);
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// The text without isolates, for alphabets that have no place for them.
#[must_use]
pub fn strip_isolates(text: &str) -> String {
    text.chars()
        .filter(|c| !(LEFT_TO_RIGHT_ISOLATE..=POP_ISOLATE).contains(c))
        .collect()
}

/// Octets of the number that begins here: from a sign, `*`, `#` or digit to the last digit or closing `#`, with
/// single separators (`. , : / - ` and space) between digits. Zero when no number begins here.
fn run_length(text: &str) -> usize {
    let mut end = 0;
    let mut digits = false;
    let mut gap = false;
    for (at, c) in text.char_indices() {
        if is_digit(c) {
            (digits, gap) = (true, false);
            end = at + c.len_utf8();
        } else if matches!(c, '*' | '#' | '%') {
            gap = false;
            end = if digits || end > 0 || at == 0 {
                at + c.len_utf8()
            } else {
                end
            };
        } else if at == 0 && matches!(c, '+' | '-') {
            gap = false;
        } else if digits && !gap && is_separator(c) {
            gap = true;
        } else {
            break;
        }
    }
    if digits { end } else { 0 }
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || ('\u{6f0}'..='\u{6f9}').contains(&c) || ('\u{660}'..='\u{669}').contains(&c)
}

fn is_separator(c: char) -> bool {
    matches!(c, '.' | ',' | ':' | '/' | '-' | ' ' | '\u{66b}' | '\u{66c}')
}

fn is_right_to_left(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}') && !is_digit(c)
}

#[cfg(test)]
mod tests {
    use super::{isolate, strip_isolates};

    fn check(text: &str, expected: &str) {
        let shown = isolate(text).replace('\u{2066}', "<").replace('\u{2069}', ">");
        assert_eq!(shown, expected, "isolate({text:?})");
        assert_eq!(
            isolate(&isolate(text)),
            isolate(text),
            "a second time changes nothing: {text:?}"
        );
        assert_eq!(strip_isolates(&isolate(text)), text);
    }

    #[test]
    fn numbers_amounts_dates_and_codes_are_isolated_in_urdu_only() {
        check("Your balance is Rs 86.96", "Your balance is Rs 86.96");
        check("余额 86.96 卢比", "余额 86.96 卢比");
        check("آپ کا بیلنس 86.96 روپے ہے", "آپ کا بیلنس <86.96> روپے ہے");
        check("نمبر +92 300 1234567 پر", "نمبر <+92 300 1234567> پر");
        check("تاریخ 2026-11-21 23:59 تک", "تاریخ <2026-11-21 23:59> تک");
        check("مزید کے لیے *111# ملائیں", "مزید کے لیے <*111#> ملائیں");
        check("کوڈ 482913۔", "کوڈ <482913>۔");
        check("ٹیکس 15%, باقی", "ٹیکس <15%>, باقی");
        check("پیکج - نیا", "پیکج - نیا");
        check("۱۲۳ روپے", "<۱۲۳> روپے");
    }
}
