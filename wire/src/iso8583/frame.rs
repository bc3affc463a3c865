//! Messages in a stream: each one behind its length.

use super::MESSAGE_BYTES_MAX;

/// How the length is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prefix {
    /// Two octets, the higher first.
    #[default]
    Binary,
    /// Four ASCII digits.
    Digits,
}

impl Prefix {
    fn octets(self) -> usize {
        match self {
            Prefix::Binary => 2,
            Prefix::Digits => 4,
        }
    }
}

/// A stream that cannot be followed any more: the connection must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// More than [`MESSAGE_BYTES_MAX`].
    #[error("a message of {0} octets is too long")]
    TooLong(usize),
    /// The length is no number.
    #[error("the length of a message is not a number")]
    NotANumber,
}

/// Cuts a stream into messages. A length of zero is a sign of life and no message.
#[derive(Clone, Debug, Default)]
pub struct Framer {
    prefix: Prefix,
    buffer: Vec<u8>,
    start: usize,
}

impl Framer {
    /// A framer for one kind of length.
    pub fn new(prefix: Prefix) -> Framer {
        Framer {
            prefix,
            ..Framer::default()
        }
    }

    /// Takes what came in. What is held is at most what was pushed since the last message plus one message.
    pub fn push(&mut self, octets: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(octets);
    }

    /// True when nothing waits: no message has begun.
    pub fn is_empty(&self) -> bool {
        self.start == self.buffer.len()
    }

    /// The next whole message, if it is there.
    ///
    /// # Errors
    /// [`FrameError`]; the stream is lost then.
    pub fn next_message(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        loop {
            let rest = &self.buffer[self.start..];
            let octets = self.prefix.octets();
            let Some((head, behind)) = rest.split_at_checked(octets) else {
                return Ok(None);
            };
            let length = length_of(self.prefix, head)?;
            if length > MESSAGE_BYTES_MAX {
                return Err(FrameError::TooLong(length));
            }
            let Some(message) = behind.get(..length) else {
                return Ok(None);
            };
            self.start += octets + length;
            if length > 0 {
                return Ok(Some(message.to_vec()));
            }
        }
    }
}

fn length_of(prefix: Prefix, head: &[u8]) -> Result<usize, FrameError> {
    match prefix {
        Prefix::Binary => Ok(head.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet))),
        Prefix::Digits if head.iter().all(u8::is_ascii_digit) => Ok(head
            .iter()
            .fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'))),
        Prefix::Digits => Err(FrameError::NotANumber),
    }
}

/// A message behind its length.
pub fn framed(prefix: Prefix, message: &[u8]) -> Vec<u8> {
    let length = message.len().min(MESSAGE_BYTES_MAX);
    let mut out = match prefix {
        Prefix::Binary => u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes().to_vec(),
        Prefix::Digits => format!("{length:04}").into_bytes(),
    };
    out.extend_from_slice(&message[..length]);
    out
}
