//! A strict reader for one flat element of text fields, which is all that PreTUPS sends.
//!
//! No attributes, no comments, no document types, no entities but the five of XML: what is not understood is refused.

use crate::rail::RailError;

/// Most fields of a message.
pub const FIELDS_MAX: usize = 64;
/// Longest text of a field, in bytes.
pub const TEXT_BYTES_MAX: usize = 1024;
/// Longest message, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 16 * 1024;

/// Names and texts of a message, in order.
#[derive(Clone, PartialEq, Eq)]
pub struct Message(Vec<(String, String)>);

/// Without the texts: PINs are among them.
impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

impl Message {
    /// Reads `<COMMAND><NAME>text</NAME>...</COMMAND>`; a name may come once.
    ///
    /// # Errors
    /// [`RailError::Malformed`] for anything else.
    pub fn parse(bytes: &[u8]) -> Result<Message, RailError> {
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(RailError::Malformed("a message that is too long"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| RailError::Malformed("bytes that are not text"))?;
        let mut rest = text.trim_start_matches('\u{feff}').trim();
        if let Some(declared) = rest.strip_prefix("<?xml ") {
            let end = declared
                .find("?>")
                .ok_or(RailError::Malformed("an open declaration"))?;
            rest = declared[end + 2..].trim_start();
        }
        let mut rest = rest
            .strip_prefix("<COMMAND>")
            .and_then(|rest| rest.strip_suffix("</COMMAND>"))
            .ok_or(RailError::Malformed("no COMMAND"))?
            .trim();
        let mut fields: Vec<(String, String)> = Vec::new();
        while !rest.is_empty() {
            if fields.len() >= FIELDS_MAX {
                return Err(RailError::Malformed("too many fields"));
            }
            let (field, after) = field(rest)?;
            if fields.iter().any(|(name, _)| *name == field.0) {
                return Err(RailError::Malformed("a field that comes twice"));
            }
            fields.push(field);
            rest = after.trim_start();
        }
        Ok(Message(fields))
    }

    /// The text of a field; `None` when it is missing or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found
            .map(|(_, text)| text.as_str())
            .filter(|text| !text.is_empty())
    }
}

fn field(rest: &str) -> Result<((String, String), &str), RailError> {
    let inner = rest
        .strip_prefix('<')
        .ok_or(RailError::Malformed("text between fields"))?;
    let end = inner.find('>').ok_or(RailError::Malformed("an open tag"))?;
    let (tag, after) = (&inner[..end], &inner[end + 1..]);
    let (name, empty) = match tag.strip_suffix('/') {
        Some(name) => (name, true),
        None => (tag, false),
    };
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if name.is_empty() || name.len() > 32 || !name.bytes().all(plain) {
        return Err(RailError::Malformed("a name that is none"));
    }
    if empty {
        return Ok(((name.to_owned(), String::new()), after));
    }
    let end = after.find('<').ok_or(RailError::Malformed("an open field"))?;
    let closed = after[end..]
        .strip_prefix("</")
        .and_then(|rest| rest.strip_prefix(name))
        .and_then(|rest| rest.strip_prefix('>'))
        .ok_or(RailError::Malformed("a field inside a field"))?;
    Ok(((name.to_owned(), unescape(&after[..end])?), closed))
}

fn unescape(text: &str) -> Result<String, RailError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(RailError::Malformed("a field that is too long"));
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let known = [
            ("&amp;", '&'),
            ("&lt;", '<'),
            ("&gt;", '>'),
            ("&quot;", '"'),
            ("&apos;", '\''),
        ];
        let found = known.iter().find(|(entity, _)| rest[at..].starts_with(entity));
        let (entity, letter) = found.ok_or(RailError::Malformed("an entity that is none"))?;
        out.push(*letter);
        rest = &rest[at + entity.len()..];
    }
    out.push_str(rest);
    Ok(out.trim().to_owned())
}

/// Writes a message; texts are escaped, control characters left out.
pub fn write(fields: &[(&str, &str)]) -> String {
    let mut out = String::from("<?xml version=\"1.0\"?><COMMAND>");
    for (name, text) in fields {
        out.push('<');
        out.push_str(name);
        out.push('>');
        for letter in text.chars().filter(|letter| !letter.is_control()) {
            match letter {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&apos;"),
                other => out.push(other),
            }
        }
        out.push_str("</");
        out.push_str(name);
        out.push('>');
    }
    out.push_str("</COMMAND>");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let text = write(&[("TYPE", "EXRCTRFREQ"), ("PIN", "<1&2'\">"), ("LANGUAGE1", "")]);
        let message = Message::parse(text.as_bytes()).unwrap();
        assert_eq!(message.get("PIN"), Some("<1&2'\">"));
        assert_eq!(message.get("LANGUAGE1"), None);
        assert!(!format!("{message:?}").contains("1&2"), "texts do not show");
        let spaced = b"<?xml version=\"1.0\"?>\n<COMMAND>\n <TYPE>A</TYPE>\n <DATE/>\n</COMMAND>\n";
        assert_eq!(Message::parse(spaced).unwrap().get("TYPE"), Some("A"));
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            "<COMMAND>",
            "<command></command>",
            "<COMMAND>x</COMMAND>",
            "<COMMAND><A>1</COMMAND>",
            "<COMMAND><A>1</B></COMMAND>",
            "<COMMAND><A><B>1</B></A></COMMAND>",
            "<COMMAND><A x=\"1\">1</A></COMMAND>",
            "<COMMAND><A>1</A><A>2</A></COMMAND>",
            "<COMMAND><A>&x;</A></COMMAND>",
            "<COMMAND><A>&#49;</A></COMMAND>",
            "<COMMAND><!-- --></COMMAND>",
            "<COMMAND><A><![CDATA[1]]></A></COMMAND>",
            "<!DOCTYPE a [<!ENTITY b \"c\">]><COMMAND><A>&b;</A></COMMAND>",
            "<COMMAND><A>1</A></COMMAND><COMMAND></COMMAND>",
            "<COMMAND></COMMAND>x",
        ] {
            assert!(Message::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        let long = format!("<COMMAND><A>{}</A></COMMAND>", "x".repeat(TEXT_BYTES_MAX + 1));
        assert!(Message::parse(long.as_bytes()).is_err());
        let many: String = (0..=FIELDS_MAX).map(|n| format!("<A{n}>1</A{n}>")).collect();
        assert!(Message::parse(format!("<COMMAND>{many}</COMMAND>").as_bytes()).is_err());
        assert!(Message::parse(&[0xff; 20]).is_err());
        assert!(Message::parse(&vec![b' '; MESSAGE_BYTES_MAX + 1]).is_err());
    }

    #[test]
    fn any_cut_and_any_flip_is_read_or_refused() {
        let whole = write(&[("TYPE", "EXRCTRFRESP"), ("TXNSTATUS", "200"), ("TXNID", "R1.2.3")]).into_bytes();
        for at in 0..whole.len() {
            assert!(Message::parse(&whole[..at]).is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut changed = whole.clone();
                changed[at] ^= 1 << bit;
                // Either is fine; a panic is not.
                let _ = Message::parse(&changed);
            }
        }
    }
}
