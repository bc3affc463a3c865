//! A framed message with its header read: what the peer machine hands out and the typed views take.

use super::avp::AvpIter;
use super::error::ViolationResult;
use super::header::{HEADER_OCTETS, Header};

/// Header and octets of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// The parsed header.
    pub header: Header,
    /// The whole message, header included.
    pub frame: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads the header of one frame. Errors as [`Header::parse`].
    pub fn parse(frame: &'a [u8]) -> ViolationResult<Self> {
        Header::parse(frame).map(|header| Self { header, frame })
    }

    /// The AVPs at the top level.
    #[inline]
    #[must_use]
    pub fn avps(&self) -> AvpIter<'a> {
        AvpIter::new(self.frame.get(HEADER_OCTETS..).unwrap_or_default())
    }
}
