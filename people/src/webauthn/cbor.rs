//! A small strict CBOR decoder (RFC 8949) for what passkeys send: CTAP2 canonical form only. Definite lengths, shortest
//! integers, no repeated keys, limits on size, depth and entries.

use crate::limits::{CBOR_BYTES_MAX, CBOR_DEPTH_MAX, CBOR_ENTRIES_MAX};

/// A value; text and bytes are borrowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A whole number.
    Integer(i64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Text.
    Text(&'a str),
    /// A list.
    Array(Vec<Value<'a>>),
    /// Keys and values, in the order they came.
    Map(Vec<(Value<'a>, Value<'a>)>),
    /// true or false.
    Bool(bool),
    /// null.
    Null,
}

/// It is not CBOR as we take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed CBOR")]
pub struct Malformed;

impl<'a> Value<'a> {
    /// The value of a whole-number key of a map.
    pub fn at(&self, key: i64) -> Option<&Value<'a>> {
        self.find(&Value::Integer(key))
    }

    /// The value of a text key of a map.
    pub fn named(&self, key: &str) -> Option<&Value<'a>> {
        self.find(&Value::Text(key))
    }

    fn find(&self, key: &Value) -> Option<&Value<'a>> {
        match self {
            Value::Map(entries) => entries
                .iter()
                .find(|(known, _)| known == key)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// A whole number.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// Bytes.
    pub fn bytes(&self) -> Option<&'a [u8]> {
        match self {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Text.
    pub fn text(&self) -> Option<&'a str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Reads one value that fills all of the bytes.
///
/// # Errors
/// [`Malformed`].
pub fn decode(bytes: &[u8]) -> Result<Value<'_>, Malformed> {
    let (value, rest) = decode_first(bytes)?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(Malformed)
    }
}

/// Reads the first value; gives what follows it.
///
/// # Errors
/// [`Malformed`].
pub fn decode_first(bytes: &[u8]) -> Result<(Value<'_>, &[u8]), Malformed> {
    if bytes.len() > CBOR_BYTES_MAX {
        return Err(Malformed);
    }
    let mut reader = Reader { rest: bytes };
    let value = reader.value(0)?;
    Ok((value, reader.rest))
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], Malformed> {
        let count = usize::try_from(count).map_err(|_| Malformed)?;
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Major type, additional information, argument.
    fn head(&mut self) -> Result<(u8, u8, u64), Malformed> {
        let first = self.take(1)?[0];
        let (major, info) = (first >> 5, first & 31);
        let width = match info {
            0..=23 => return Ok((major, info, u64::from(info))),
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => return Err(Malformed),
        };
        let argument = self
            .take(width)?
            .iter()
            .fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
        let least = match width {
            1 => 24,
            2 => 1 << 8,
            4 => 1 << 16,
            _ => 1 << 32,
        };
        if major != 7 && argument < least {
            return Err(Malformed);
        }
        Ok((major, info, argument))
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, Malformed> {
        if depth > CBOR_DEPTH_MAX {
            return Err(Malformed);
        }
        let (major, info, argument) = self.head()?;
        match major {
            0 => i64::try_from(argument).map(Value::Integer).map_err(|_| Malformed),
            1 => i64::try_from(argument)
                .map(|number| Value::Integer(-1 - number))
                .map_err(|_| Malformed),
            2 => self.take(argument).map(Value::Bytes),
            3 => {
                let text = std::str::from_utf8(self.take(argument)?).map_err(|_| Malformed)?;
                Ok(Value::Text(text))
            }
            4 => {
                let count = entries(argument)?;
                let list: Result<_, _> = (0..count).map(|_| self.value(depth + 1)).collect();
                list.map(Value::Array)
            }
            5 => {
                let mut map: Vec<(Value, Value)> = Vec::new();
                for _ in 0..entries(argument)? {
                    let key = self.value(depth + 1)?;
                    if !matches!(key, Value::Integer(_) | Value::Text(_))
                        || map.iter().any(|(known, _)| *known == key)
                    {
                        return Err(Malformed);
                    }
                    let value = self.value(depth + 1)?;
                    map.push((key, value));
                }
                Ok(Value::Map(map))
            }
            7 if info == 20 || info == 21 => Ok(Value::Bool(info == 21)),
            7 if info == 22 => Ok(Value::Null),
            _ => Err(Malformed),
        }
    }
}

fn entries(count: u64) -> Result<u64, Malformed> {
    if count > CBOR_ENTRIES_MAX {
        Err(Malformed)
    } else {
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_of_the_standard() {
        // RFC 8949 appendix A.
        for (bytes, value) in [
            (&[0x00][..], Value::Integer(0)),
            (&[0x18, 0x18], Value::Integer(24)),
            (&[0x19, 0x03, 0xe8], Value::Integer(1000)),
            (&[0x20], Value::Integer(-1)),
            (&[0x39, 0x03, 0xe7], Value::Integer(-1000)),
            (&[0xf4], Value::Bool(false)),
            (&[0xf6], Value::Null),
            (&[0x44, 1, 2, 3, 4], Value::Bytes(&[1, 2, 3, 4])),
            (&[0x62, 0xc3, 0xbc][..2], Value::Null),
            (&[0x64, b'I', b'E', b'T', b'F'], Value::Text("IETF")),
            (
                &[0x82, 1, 2],
                Value::Array(vec![Value::Integer(1), Value::Integer(2)]),
            ),
            (
                &[0xa1, 1, 2],
                Value::Map(vec![(Value::Integer(1), Value::Integer(2))]),
            ),
        ] {
            if bytes.len() == 2 && bytes[0] == 0x62 {
                assert_eq!(decode(bytes), Err(Malformed), "cut off");
            } else {
                assert_eq!(decode(bytes), Ok(value), "{bytes:02x?}");
            }
        }
    }

    #[test]
    fn what_is_not_canonical_is_refused() {
        for bytes in [
            &[][..],
            &[0x18, 0x17],
            &[0x19, 0x00, 0xff],
            &[0x1b, 0, 0, 0, 0, 0, 0, 0, 1],
            &[0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x5f, 0xff],
            &[0x9f, 0xff],
            &[0xbf, 0xff],
            &[0xa2, 1, 1, 1, 2],
            &[0xa1, 0x80, 1],
            &[0xc0, 0x00],
            &[0xf9, 0, 0],
            &[0xf8, 20],
            &[0x00, 0x00],
            &[0x41],
            &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            &[0x9b, 0, 0, 0, 1, 0, 0, 0, 0],
            &[0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x81, 0x00],
            &[0x62, 0xff, 0xff],
            &[0x1c],
        ] {
            assert_eq!(decode(bytes), Err(Malformed), "{bytes:02x?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
        }
    }
}
