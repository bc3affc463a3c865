//! The binary form of events, entities and messages: compact, versioned, bounded.
//!
//! Integers are variable-length (LEB128, signed ones zigzag), text and lists carry their length. Every event has a tag;
//! a changed event gets a new tag and the old one stays readable. Decoding never panics and never allocates more than
//! the input justifies.

use crate::ids::{AccountId, Code, Imsi, LotId, Msisdn, OperatorId, PartnerId, SessionKey, SourceId};
use crate::money::{Money, Rounding};
use crate::tax::{Rate, TaxClass};
use crate::time::Timestamp;
use crate::unit::{Amount, Service, Unit};
use smallvec::SmallVec;
use std::collections::VecDeque;

/// Bytes that are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The input ends inside a value.
    #[error("the record ends too early")]
    Truncated,
    /// A value is outside its range.
    #[error("the record holds an invalid {0}")]
    Invalid(&'static str),
    /// Bytes are left after the last value.
    #[error("the record has bytes left over")]
    Trailing,
}

/// Stands where a [`Code`] begins, whose first byte is its length and at most 23: fields of a newer form come before it.
/// They are written only when they say something, so that a record without them keeps its old bytes, and a program that
/// does not know them refuses the record instead of misreading it.
pub const EXTENDED: u8 = 0xff;

/// Reads values from the front of a slice.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// [`CodecError::Truncated`].
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], CodecError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, CodecError> {
        let (first, rest) = self.rest.split_first().ok_or(CodecError::Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    /// A variable-length unsigned integer.
    ///
    /// # Errors
    /// [`CodecError`] when truncated or longer than 64 bits.
    pub fn varint(&mut self) -> Result<u64, CodecError> {
        let mut value: u64 = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(CodecError::Invalid("integer"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(CodecError::Invalid("integer"))
    }

    /// True when newer fields come next: see [`EXTENDED`]. The mark is taken.
    pub fn extended(&mut self) -> bool {
        let extended = self.rest.first() == Some(&EXTENDED);
        if extended {
            self.rest = &self.rest[1..];
        }
        extended
    }

    fn length(&mut self) -> Result<usize, CodecError> {
        let length = usize::try_from(self.varint()?).map_err(|_| CodecError::Truncated)?;
        // Every element takes at least one byte, so a longer list than the input cannot be honest.
        if length > self.rest.len() {
            Err(CodecError::Truncated)
        } else {
            Ok(length)
        }
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// [`CodecError::Trailing`] when bytes are left.
    pub fn finish(self) -> Result<(), CodecError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(CodecError::Trailing)
        }
    }
}

/// A value with a binary form.
pub trait Codec: Sized {
    /// Appends the value.
    fn encode(&self, out: &mut Vec<u8>);
    /// Reads a value.
    ///
    /// # Errors
    /// [`CodecError`] for bytes that [`Codec::encode`] cannot have written.
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError>;

    /// The value alone in a new buffer.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        self.encode(&mut out);
        out
    }

    /// Reads a value that fills the slice.
    ///
    /// # Errors
    /// [`CodecError`], also when bytes are left over.
    fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let value = Self::decode(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }
}

/// Appends a variable-length unsigned integer.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

macro_rules! unsigned {
    ($($type:ty),*) => {$(
        impl Codec for $type {
            fn encode(&self, out: &mut Vec<u8>) {
                put_varint(out, u64::from(*self));
            }
            fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
                <$type>::try_from(input.varint()?).map_err(|_| CodecError::Invalid("integer"))
            }
        }
    )*};
}
unsigned!(u8, u16, u32, u64);

impl Codec for i64 {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, ((self << 1) ^ (self >> 63)).cast_unsigned());
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let raw = input.varint()?;
        Ok((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }
}

impl Codec for u128 {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let bytes: [u8; 16] = input.take(16)?.try_into().map_err(|_| CodecError::Truncated)?;
        Ok(u128::from_be_bytes(bytes))
    }
}

impl Codec for [u8; 32] {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        input.take(32)?.try_into().map_err(|_| CodecError::Truncated)
    }
}

impl Codec for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        match input.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(CodecError::Invalid("flag")),
        }
    }
}

impl Codec for String {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.len() as u64);
        out.extend_from_slice(self.as_bytes());
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let length = input.length()?;
        let text = std::str::from_utf8(input.take(length)?).map_err(|_| CodecError::Invalid("text"))?;
        Ok(text.to_owned())
    }
}

impl Codec for Box<str> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.len() as u64);
        out.extend_from_slice(self.as_bytes());
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        String::decode(input).map(String::into_boxed_str)
    }
}

impl Codec for Box<[u8]> {
    fn encode(&self, out: &mut Vec<u8>) {
        put_varint(out, self.len() as u64);
        out.extend_from_slice(self);
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let length = input.length()?;
        Ok(input.take(length)?.into())
    }
}

impl Codec for Code {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.as_bytes().len() as u8);
        out.extend_from_slice(self.as_bytes());
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        let length = usize::from(input.byte()?);
        let text = std::str::from_utf8(input.take(length)?).map_err(|_| CodecError::Invalid("code"))?;
        Code::new(text).ok_or(CodecError::Invalid("code"))
    }
}

impl<T: Codec> Codec for Option<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            None => out.push(0),
            Some(value) => {
                out.push(1);
                value.encode(out);
            }
        }
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        if bool::decode(input)? {
            T::decode(input).map(Some)
        } else {
            Ok(None)
        }
    }
}

impl<T: Codec> Codec for Box<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        (**self).encode(out);
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        T::decode(input).map(Box::new)
    }
}

macro_rules! list {
    ($($type:ty, [$($bound:tt)*];)*) => {$(
        impl<$($bound)*> Codec for $type {
            fn encode(&self, out: &mut Vec<u8>) {
                put_varint(out, self.len() as u64);
                for item in self.iter() {
                    item.encode(out);
                }
            }
            fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
                let length = input.length()?;
                let mut list = Self::new();
                for _ in 0..length {
                    list.extend([Codec::decode(input)?]);
                }
                Ok(list)
            }
        }
    )*};
}
list! {
    Vec<T>, [T: Codec];
    VecDeque<T>, [T: Codec];
    SmallVec<[T; N]>, [T: Codec, const N: usize];
}

impl<A: Codec, B: Codec> Codec for (A, B) {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
        self.1.encode(out);
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Ok((A::decode(input)?, B::decode(input)?))
    }
}

impl Codec for Msisdn {
    fn encode(&self, out: &mut Vec<u8>) {
        self.number().encode(out);
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        match u64::decode(input)? {
            0 => Ok(Msisdn::NOBODY),
            number => Msisdn::new(number).map_err(|_| CodecError::Invalid("number")),
        }
    }
}

impl Codec for Imsi {
    fn encode(&self, out: &mut Vec<u8>) {
        self.packed().encode(out);
    }
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        Imsi::from_packed(u64::decode(input)?).map_err(|_| CodecError::Invalid("IMSI"))
    }
}

/// True for a field that is not as in a record of before it existed.
pub(crate) fn says_something<T: Default + PartialEq>(value: &T) -> bool {
    *value != T::default()
}

/// Gives a struct of named fields the binary form "each field in this order".
macro_rules! codec_struct {
    ($type:ident { $($field:ident),* $(,)? }) => {
        impl $crate::codec::Codec for $type {
            fn encode(&self, out: &mut Vec<u8>) {
                $($crate::codec::Codec::encode(&self.$field, out);)*
            }
            fn decode(input: &mut $crate::codec::Reader<'_>) -> Result<Self, $crate::codec::CodecError> {
                $(let $field = $crate::codec::Codec::decode(input)?;)*
                Ok($type { $($field),* })
            }
        }
    };
    // `then` begins with a code; `newer` are fields that older records do not have.
    ($type:ident { $($field:ident),* $(,)? } newer { $($new:ident),* } then { $($rest:ident),* $(,)? }) => {
        impl $crate::codec::Codec for $type {
            fn encode(&self, out: &mut Vec<u8>) {
                $($crate::codec::Codec::encode(&self.$field, out);)*
                if false $(|| $crate::codec::says_something(&self.$new))* {
                    out.push($crate::codec::EXTENDED);
                    $($crate::codec::Codec::encode(&self.$new, out);)*
                }
                $($crate::codec::Codec::encode(&self.$rest, out);)*
            }
            fn decode(input: &mut $crate::codec::Reader<'_>) -> Result<Self, $crate::codec::CodecError> {
                $(let $field = $crate::codec::Codec::decode(input)?;)*
                let ($($new,)*) = if input.extended() {
                    $(let $new = $crate::codec::Codec::decode(input)?;)*
                    ($($new,)*)
                } else {
                    Default::default()
                };
                $(let $rest = $crate::codec::Codec::decode(input)?;)*
                Ok($type { $($field,)* $($new,)* $($rest),* })
            }
        }
    };
}
pub(crate) use codec_struct;

/// Gives an enum without fields the binary form of one byte.
macro_rules! codec_enum {
    ($type:ident { $($variant:ident = $tag:literal),* $(,)? }) => {
        impl $crate::codec::Codec for $type {
            fn encode(&self, out: &mut Vec<u8>) {
                out.push(match self { $($type::$variant => $tag),* });
            }
            fn decode(input: &mut $crate::codec::Reader<'_>) -> Result<Self, $crate::codec::CodecError> {
                match input.take(1)?[0] {
                    $($tag => Ok($type::$variant),)*
                    _ => Err($crate::codec::CodecError::Invalid(stringify!($type))),
                }
            }
        }
    };
}
pub(crate) use codec_enum;

/// Gives a tuple struct of one field the binary form of that field.
macro_rules! codec_newtype {
    ($($type:ident),*) => {$(
        impl $crate::codec::Codec for $type {
            fn encode(&self, out: &mut Vec<u8>) {
                $crate::codec::Codec::encode(&self.0, out);
            }
            fn decode(input: &mut $crate::codec::Reader<'_>) -> Result<Self, $crate::codec::CodecError> {
                $crate::codec::Codec::decode(input).map($type)
            }
        }
    )*};
}
pub(crate) use codec_newtype;

codec_newtype!(
    Money, Amount, AccountId, PartnerId, OperatorId, LotId, SessionKey, SourceId, Rate, Timestamp
);
codec_enum!(Unit { Money = 0, Octets = 1, Seconds = 2, Messages = 3 });
codec_enum!(Service { Data = 0, Voice = 1, Sms = 2 });
codec_enum!(Rounding { HalfUp = 0, Down = 1, Up = 2, HalfEven = 3 });
codec_enum!(TaxClass { Standard = 0, ListedNonFiler = 1, Exempt = 2 });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_round_trip_at_the_edges() {
        for value in [0, 1, -1, 63, 64, -64, -65, i64::MAX, i64::MIN] {
            assert_eq!(i64::from_bytes(&value.to_bytes()), Ok(value));
        }
        for value in [0, 127, 128, u64::MAX] {
            assert_eq!(u64::from_bytes(&value.to_bytes()), Ok(value));
        }
        assert_eq!(u64::from_bytes(&[0xff; 10]), Err(CodecError::Invalid("integer")));
        assert_eq!(
            u8::from_bytes(&300u64.to_bytes()),
            Err(CodecError::Invalid("integer"))
        );
    }

    #[test]
    fn hostile_lengths_are_refused() {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, u64::MAX);
        assert_eq!(Vec::<u64>::from_bytes(&bytes), Err(CodecError::Truncated));
        assert_eq!(String::from_bytes(&bytes), Err(CodecError::Truncated));
        assert_eq!(Code::from_bytes(&[24; 25]), Err(CodecError::Invalid("code")));
        assert_eq!(bool::from_bytes(&[2]), Err(CodecError::Invalid("flag")));
        assert_eq!(u8::from_bytes(&[1, 1]), Err(CodecError::Trailing));
    }
}
