//! Comma-separated files of rails and banks (RFC 4180), with limits. An error ends the reading: half a file is no file.

use crate::limits::{FIELD_BYTES_MAX, FIELDS_MAX, SETTLEMENT_BYTES_MAX};
use crate::rail::RailError;

/// Records with the line number on which each begins.
pub struct Reader<'a> {
    rest: std::str::Chars<'a>,
    separator: char,
    line: u32,
    failed: bool,
}

impl<'a> Reader<'a> {
    /// Reads UTF-8 text; a byte order mark is skipped.
    ///
    /// # Errors
    /// [`RailError::Malformed`] for a file that is too long or not text.
    pub fn new(file: &'a [u8], separator: u8) -> Result<Reader<'a>, RailError> {
        if file.len() > SETTLEMENT_BYTES_MAX {
            return Err(RailError::Malformed("file too long"));
        }
        let text = std::str::from_utf8(file).map_err(|_| RailError::Malformed("file is not text"))?;
        Ok(Reader {
            rest: text.trim_start_matches('\u{feff}').chars(),
            separator: char::from(separator),
            line: 1,
            failed: false,
        })
    }

    fn record(&mut self) -> Result<(u32, Vec<String>), RailError> {
        let first_line = self.line;
        let mut record = Vec::new();
        loop {
            let (field, end) = self.field()?;
            if record.len() == FIELDS_MAX {
                return Err(RailError::Malformed("too many columns"));
            }
            record.push(field);
            if end {
                return Ok((first_line, record));
            }
        }
    }

    /// One field, and whether the record ends with it.
    fn field(&mut self) -> Result<(String, bool), RailError> {
        let mut field = String::new();
        let mut quoted = false;
        let mut closed = false;
        loop {
            if field.len() > FIELD_BYTES_MAX {
                return Err(RailError::Malformed("field too long"));
            }
            match self.rest.next() {
                None if quoted && !closed => return Err(RailError::Malformed("a quoted field does not end")),
                None => return Ok((field, true)),
                Some('"') if quoted && !closed => {
                    if self.rest.as_str().starts_with('"') {
                        self.rest.next();
                        field.push('"');
                    } else {
                        closed = true;
                    }
                }
                Some(letter) if quoted && !closed => {
                    self.line += u32::from(letter == '\n');
                    field.push(letter);
                }
                Some('"') if field.is_empty() && !closed => quoted = true,
                Some(letter) if letter == self.separator => return Ok((field, false)),
                Some('\n') => {
                    self.line += 1;
                    return Ok((field, true));
                }
                Some('\r') if self.rest.as_str().starts_with('\n') => {}
                Some(_) if closed => return Err(RailError::Malformed("text behind a quoted field")),
                Some(letter) => field.push(letter),
            }
        }
    }
}

impl Iterator for Reader<'_> {
    type Item = Result<(u32, Vec<String>), RailError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.rest.as_str().is_empty() {
            return None;
        }
        let record = self.record();
        self.failed = record.is_err();
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Result<Vec<(u32, Vec<String>)>, RailError> {
        Reader::new(text.as_bytes(), b',')?.collect()
    }

    #[test]
    fn records() {
        let records = all("a,b\r\n\"c,\"\"d\"\"\n\",\"\"\n\nx,").unwrap();
        let expected: Vec<(u32, Vec<&str>)> = vec![
            (1, vec!["a", "b"]),
            (2, vec!["c,\"d\"\n", ""]),
            (4, vec![""]),
            (5, vec!["x", ""]),
        ];
        let expected: Vec<(u32, Vec<String>)> = expected
            .into_iter()
            .map(|(line, fields)| (line, fields.into_iter().map(str::to_owned).collect()))
            .collect();
        assert_eq!(records, expected);
    }

    #[test]
    fn what_is_refused() {
        for bad in [
            "\"a",
            "\"a\"b",
            &",".repeat(FIELDS_MAX + 1),
            &"x".repeat(FIELD_BYTES_MAX + 2),
        ] {
            assert!(all(bad).is_err(), "{bad}");
        }
        assert!(Reader::new(&[0xff], b',').is_err());
    }
}
