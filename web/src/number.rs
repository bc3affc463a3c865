//! Phone numbers as people type them.

use charge::{Catalogs, Msisdn};

/// Longest text that is looked at.
const TEXT_BYTES_MAX: usize = 64;

/// Reads `0300 1234567`, `+92 300-1234567`, `0092...`, `92...`, with Latin, Arabic or Persian digits. A trunk prefix is
/// replaced by the country code of the first operator whose numbering uses it.
pub fn parse(text: &str, catalogs: &Catalogs) -> Option<Msisdn> {
    if text.len() > TEXT_BYTES_MAX {
        return None;
    }
    let mut plus = false;
    let mut digits = String::with_capacity(16);
    for (index, character) in text.trim().chars().enumerate() {
        match character {
            '+' if index == 0 => plus = true,
            ' ' | '-' | '(' | ')' | '.' | '\u{a0}' | '\u{200e}' | '\u{200f}' | '\u{2066}'..='\u{2069}' => {}
            _ => digits.push(latin_digit(character)?),
        }
    }
    if plus {
        return Msisdn::parse(&digits).ok();
    }
    if let Some(rest) = digits.strip_prefix("00") {
        return Msisdn::parse(rest).ok();
    }
    national(&digits, catalogs).or_else(|| Msisdn::parse(&digits).ok())
}

/// The number as it is dialled at home, grouped for people: `0300 1234567`.
pub fn shown(number: Msisdn, catalogs: &Catalogs) -> String {
    let digits = number.to_string();
    let home = catalogs.iter().map(|catalog| &catalog.numbering).find(|n| {
        let total = usize::from(n.country.digits) + usize::from(n.national_digits);
        n.country.matches(number.number()) && digits.len() == total
    });
    match home {
        Some(numbering) => {
            let rest = &digits[usize::from(numbering.country.digits)..];
            let (area, line) = rest.split_at(3.min(rest.len()));
            format!("{}{area} {line}", numbering.trunk)
        }
        None => format!("+{digits}"),
    }
}

fn national(digits: &str, catalogs: &Catalogs) -> Option<Msisdn> {
    catalogs.iter().map(|catalog| &catalog.numbering).find_map(|n| {
        let rest = digits.strip_prefix(n.trunk.as_str())?;
        let fits = !n.trunk.is_empty() && rest.len() == usize::from(n.national_digits);
        fits.then(|| Msisdn::parse(&format!("{}{rest}", n.country.value)).ok())?
    })
}

/// The ASCII digit of a Latin, Arabic-Indic, Persian or full-width digit.
pub fn latin_digit(character: char) -> Option<char> {
    let zero = match character {
        '0'..='9' => '0',
        '\u{660}'..='\u{669}' => '\u{660}',
        '\u{6f0}'..='\u{6f9}' => '\u{6f0}',
        '\u{ff10}'..='\u{ff19}' => '\u{ff10}',
        _ => return None,
    };
    char::from_digit(u32::from(character) - u32::from(zero), 10)
}

/// The digits of a code as somebody typed it; what is far too long is cut off.
pub fn code_digits(typed: &str) -> String {
    typed.chars().take(32).filter_map(latin_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use charge::catalog::{Catalogs, Prefix};

    #[test]
    fn numbers_as_people_type_them() {
        let catalogs = crate::testing::catalogs();
        for (typed, number) in [
            ("0300 1234567", "923001234567"),
            ("03001234567", "923001234567"),
            ("+92 300-1234567", "923001234567"),
            ("0092 300 1234567", "923001234567"),
            ("92 (300) 123 4567", "923001234567"),
            ("۰۳۰۰۱۲۳۴۵۶۷", "923001234567"),
            ("٠٣٠٠١٢٣٤٥٦٧", "923001234567"),
            ("+447700900123", "447700900123"),
        ] {
            assert_eq!(
                parse(typed, &catalogs).map(|n| n.to_string()).as_deref(),
                Some(number),
                "{typed}"
            );
        }
        for bad in [
            "",
            "+",
            "0300",
            "hello",
            "0300 123456x",
            "++92300",
            "1 + 2",
            &"1".repeat(99),
        ] {
            assert_eq!(parse(bad, &catalogs), None, "{bad}");
        }
        let number = Msisdn::parse("923001234567").unwrap();
        assert_eq!(shown(number, &catalogs), "0300 1234567");
        assert_eq!(
            shown(Msisdn::parse("447700900123").unwrap(), &catalogs),
            "+447700900123"
        );
        assert_eq!(parse(&shown(number, &catalogs), &Catalogs::default()), None);
        assert!(Prefix::parse("92").is_some());
    }
}
