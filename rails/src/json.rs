//! JSON objects from rails: every name at most once, numbers as they were written, limits on everything.

use crate::http::{HttpRequest, Transport};
use crate::limits::{BODY_BYTES_MAX, FIELD_BYTES_MAX, FIELDS_MAX};
use crate::rail::RailError;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// An answer of a JSON API.
pub(crate) struct JsonAnswer {
    /// Status code.
    pub status: u16,
    /// Body; `Null` when it is no JSON.
    pub body: serde_json::Value,
}

impl JsonAnswer {
    /// What came back for a request.
    ///
    /// # Errors
    /// As the transport says; [`RailError::Malformed`] when it is too long.
    pub async fn to(io: &dyn Transport, request: HttpRequest) -> Result<JsonAnswer, RailError> {
        let answer = io.send(request).await?;
        if answer.body.len() > BODY_BYTES_MAX {
            return Err(RailError::Malformed("answer too long"));
        }
        Ok(JsonAnswer {
            status: answer.status,
            body: serde_json::from_slice(&answer.body).unwrap_or_default(),
        })
    }

    /// The same, unless our credentials are refused.
    ///
    /// # Errors
    /// [`RailError::Configuration`] with `refused`.
    pub fn let_in(self, refused: &str) -> Result<JsonAnswer, RailError> {
        match self.status {
            401 | 403 => Err(RailError::Configuration(refused.to_owned())),
            _ => Ok(self),
        }
    }
}

/// The members of one object, in order, values as the bytes that were sent.
pub struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Object<'a> {
    /// Reads an object.
    ///
    /// # Errors
    /// [`RailError::Malformed`] when it is not JSON, not an object, too large, or says a name twice.
    pub fn parse(body: &'a [u8]) -> Result<Object<'a>, RailError> {
        if body.len() > BODY_BYTES_MAX {
            return Err(RailError::Malformed("message too long"));
        }
        serde_json::from_slice(body).map_err(|_| RailError::Malformed("not a plain JSON object"))
    }

    /// The bytes of a member, as sent.
    pub fn raw(&self, name: &str) -> Option<&'a RawValue> {
        self.0
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, raw)| *raw)
    }

    /// The text of a member: a string without its quotes, a number or a truth value as written; `null` and a missing member
    /// are `None`.
    ///
    /// # Errors
    /// [`RailError::Malformed`] for lists, objects and text that is too long.
    pub fn text(&self, name: &str) -> Result<Option<String>, RailError> {
        self.raw(name).map_or(Ok(None), scalar)
    }

    /// As [`Object::text`], but only strings.
    ///
    /// # Errors
    /// As [`Object::text`], and for anything that is not a string.
    pub fn string(&self, name: &str) -> Result<Option<String>, RailError> {
        match self.raw(name) {
            Some(raw) if !raw.get().starts_with('"') && raw.get() != "null" => {
                Err(RailError::Malformed("not text"))
            }
            _ => self.text(name),
        }
    }

    /// Every member as text; `null` is empty.
    ///
    /// # Errors
    /// As [`Object::string`].
    pub fn strings(&self) -> Result<Vec<(String, String)>, RailError> {
        self.0
            .iter()
            .map(|(name, _)| Ok((name.clone(), self.string(name)?.unwrap_or_default())))
            .collect()
    }
}

fn scalar(raw: &RawValue) -> Result<Option<String>, RailError> {
    let text = raw.get();
    let value = match text.as_bytes().first() {
        Some(b'{' | b'[') | None => return Err(RailError::Malformed("a list where text is expected")),
        Some(b'n') => return Ok(None),
        Some(b'"') => serde_json::from_str(text).map_err(|_| RailError::Malformed("text"))?,
        Some(_) => text.to_owned(),
    };
    if value.len() > FIELD_BYTES_MAX {
        return Err(RailError::Malformed("field too long"));
    }
    Ok(Some(value))
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<'a>, D::Error> {
        struct Members<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Members<'a> {
            type Value = Object<'a>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Object<'a>, M::Error> {
                let mut members: Vec<(String, &'a RawValue)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &'a RawValue>()? {
                    if members.len() == FIELDS_MAX || members.iter().any(|(other, _)| *other == name) {
                        return Err(M::Error::custom("a name twice, or too many"));
                    }
                    members.push((name, value));
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members(std::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_as_they_were_written() {
        let object = Object::parse(br#"{"a":"x\u0041","b":3000.10,"c":null,"d":{"e":[1]}}"#).unwrap();
        assert_eq!(object.text("a").unwrap().as_deref(), Some("xA"));
        assert_eq!(object.text("b").unwrap().as_deref(), Some("3000.10"));
        assert_eq!(object.text("c").unwrap(), None);
        assert_eq!(object.text("z").unwrap(), None);
        assert_eq!(object.raw("d").unwrap().get(), r#"{"e":[1]}"#);
        assert!(object.text("d").is_err());
        assert!(object.string("b").is_err());
    }

    #[test]
    fn what_is_refused() {
        for bad in [
            &b"{\"a\":\"1\",\"a\":\"2\"}"[..],
            b"{\"a\":\"1\",\"\\u0061\":\"2\"}",
            b"[]",
            b"",
            b"{\"a\":\"\xff\"}",
            b"{} x",
            b"{\"a\":1",
        ] {
            assert!(Object::parse(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(Object::parse(deep.as_bytes()).is_ok_and(|object| object.text("a").is_err()));
        let many = (0..=FIELDS_MAX).map(|n| format!("\"{n}\":1")).collect::<Vec<_>>();
        assert!(Object::parse(format!("{{{}}}", many.join(",")).as_bytes()).is_err());
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(FIELD_BYTES_MAX + 1));
        assert!(Object::parse(long.as_bytes()).unwrap().text("a").is_err());
    }
}
