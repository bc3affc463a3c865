//! Forms and queries: `application/x-www-form-urlencoded`, with limits.

use crate::limits::{BODY_BYTES_MAX, FIELD_BYTES_MAX, FIELDS_MAX};
use crate::rail::RailError;

/// Fields in order; names may repeat, see [`Fields::one`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads a form body or the part of a URL behind `?`.
    ///
    /// # Errors
    /// [`RailError::Malformed`] for bad escapes, bytes that are not UTF-8 and anything over the limits.
    pub fn parse(body: &[u8]) -> Result<Fields, RailError> {
        if body.len() > BODY_BYTES_MAX {
            return Err(RailError::Malformed("form too long"));
        }
        let text = std::str::from_utf8(body).map_err(|_| RailError::Malformed("form is not text"))?;
        let mut fields = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            if fields.len() == FIELDS_MAX {
                return Err(RailError::Malformed("too many fields"));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            fields.push((decoded(name)?, decoded(value)?));
        }
        Ok(Fields(fields))
    }

    /// Reads the query of a URL or path.
    ///
    /// # Errors
    /// As [`Fields::parse`].
    pub fn of_url(url: &str) -> Result<Fields, RailError> {
        let query = url.split_once('?').map_or("", |(_, query)| query);
        let query = query.split('#').next().unwrap_or("");
        Fields::parse(query.as_bytes())
    }

    /// The value of a name that occurs exactly once. A name that occurs twice is believed in neither place.
    pub fn one(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(other, _)| other == name);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }

    /// All of them.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
}

/// A form body of these fields.
pub fn encode<N: AsRef<str>, V: AsRef<str>>(fields: &[(N, V)]) -> String {
    fields
        .iter()
        .map(|(name, value)| format!("{}={}", escaped(name.as_ref()), escaped(value.as_ref())))
        .collect::<Vec<_>>()
        .join("&")
}

/// A URL with more fields in its query.
pub fn with_query(url: &str, fields: &[(&str, &str)]) -> String {
    let joint = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joint}{}", encode(fields))
}

/// Percent-encodes everything but the unreserved letters of RFC 3986.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn decoded(text: &str) -> Result<String, RailError> {
    const BAD: RailError = RailError::Malformed("form escape");
    if text.len() > FIELD_BYTES_MAX * 3 {
        return Err(RailError::Malformed("field too long"));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let mut nibble = || {
                    let digit = bytes.next().and_then(|byte| char::from(byte).to_digit(16));
                    digit.and_then(|digit| u8::try_from(digit).ok()).ok_or(BAD)
                };
                let high = nibble()?;
                out.push(high << 4 | nibble()?);
            }
            byte => out.push(byte),
        }
    }
    if out.len() > FIELD_BYTES_MAX {
        return Err(RailError::Malformed("field too long"));
    }
    String::from_utf8(out).map_err(|_| RailError::Malformed("field is not text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        let fields = [("a", "1 & 2=3"), ("نام", "روپے+%")];
        let text = encode(&fields);
        let read = Fields::parse(text.as_bytes()).unwrap();
        assert_eq!(read.one("a"), Some("1 & 2=3"));
        assert_eq!(read.one("نام"), Some("روپے+%"));
        assert_eq!(
            Fields::of_url("/x/return?token=T&a=b+c#d").unwrap().one("a"),
            Some("b c")
        );
        assert_eq!(
            with_query("https://x.test/?a=b", &[("c", "d")]),
            "https://x.test/?a=b&c=d"
        );
    }

    #[test]
    fn what_is_refused() {
        for bad in ["a=%", "a=%4", "a=%zz", "a=%ff"] {
            assert!(Fields::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Fields::parse("a&".repeat(FIELDS_MAX + 1).as_bytes()).is_err());
        assert!(Fields::parse(format!("a={}", "x".repeat(FIELD_BYTES_MAX + 1)).as_bytes()).is_err());
        assert_eq!(Fields::parse(b"a=1&a=2").unwrap().one("a"), None);
    }
}
