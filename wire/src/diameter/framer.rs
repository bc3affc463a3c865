//! Cuts a byte stream into messages. Keeps one buffer; frames are lent, not copied.

use super::header::{HEADER_OCTETS, Header};
use super::limits::MESSAGE_OCTETS_MAX;

/// A length that cannot be believed: the stream has no next message, the connection must end (RFC 6733 section 7.1.5, 5015).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("message length {octets} is below 20, above the limit or not a multiple of 4")]
pub struct FramingError {
    /// The length in the header.
    pub octets: usize,
    /// The header that says so, for the answer.
    pub header: Header,
}

/// A receive buffer that yields whole messages.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    start: usize,
}

impl Framer {
    /// Adds received octets.
    pub fn push(&mut self, octets: &[u8]) {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        } else if self.start > self.buffer.len() / 2 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(octets);
    }

    /// Octets held and not yet taken.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// The next whole message, if it is there.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, FramingError> {
        let range = self.next_range()?;
        Ok(range.map(|range| self.lend(range)))
    }

    /// Like [`Framer::next_frame`], as a place in the buffer that stays valid until the next `push`.
    pub(super) fn next_range(&mut self) -> Result<Option<std::ops::Range<usize>>, FramingError> {
        let rest = &self.buffer[self.start..];
        let Some(header) = Header::read(rest) else {
            return Ok(None);
        };
        let octets = header.length as usize;
        if !(HEADER_OCTETS..=MESSAGE_OCTETS_MAX).contains(&octets) || !octets.is_multiple_of(4) {
            return Err(FramingError { octets, header });
        }
        if rest.len() < octets {
            return Ok(None);
        }
        let range = self.start..self.start + octets;
        self.start = range.end;
        Ok(Some(range))
    }

    pub(super) fn lend(&self, range: std::ops::Range<usize>) -> &[u8] {
        &self.buffer[range]
    }
}
