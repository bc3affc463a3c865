//! Cutting a byte stream into PDUs by command_length alone.

use bytes::{Buf, Bytes, BytesMut};

use super::{HEADER_OCTETS, PDU_OCTETS_MAX, PDU_OCTETS_SKIP_MAX};

/// What the stream holds next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// One whole PDU, header included, undecoded.
    Whole(Bytes),
    /// A PDU over [`PDU_OCTETS_MAX`]; its body is being skipped. Answer generic_nack with this sequence number.
    TooLong {
        /// sequence_number of the skipped PDU.
        sequence: u32,
    },
    /// command_length makes no sense, so the next PDU cannot be found: close the connection.
    Lost {
        /// The command_length that was read.
        command_length: u32,
    },
}

/// Collects octets and gives frames. Holds at most one unfinished PDU and what was pushed behind it.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: BytesMut,
    skip: usize,
    lost: bool,
}

impl Framer {
    /// Takes octets from the peer.
    pub fn push(&mut self, octets: &[u8]) {
        if !self.lost {
            self.buffer.extend_from_slice(octets);
        }
    }

    /// The next frame, or `None` until more octets come.
    pub fn next_frame(&mut self) -> Option<Frame> {
        self.skip_octets();
        if self.lost || self.skip > 0 || self.buffer.len() < HEADER_OCTETS {
            return self.next_lost_length();
        }
        let command_length = self.word(0);
        let length = usize::try_from(command_length).unwrap_or(usize::MAX);
        if !(HEADER_OCTETS..=PDU_OCTETS_SKIP_MAX).contains(&length) {
            return Some(self.lose(command_length));
        }
        if length > PDU_OCTETS_MAX {
            let sequence = self.word(12);
            self.skip = length;
            self.skip_octets();
            return Some(Frame::TooLong { sequence });
        }
        (self.buffer.len() >= length).then(|| Frame::Whole(self.buffer.split_to(length).freeze()))
    }

    // A senseless length is known after four octets; waiting for a whole header might wait for ever.
    fn next_lost_length(&mut self) -> Option<Frame> {
        if self.lost || self.skip > 0 || self.buffer.len() < 4 {
            return None;
        }
        let command_length = self.word(0);
        let length = usize::try_from(command_length).unwrap_or(usize::MAX);
        (!(HEADER_OCTETS..=PDU_OCTETS_SKIP_MAX).contains(&length)).then(|| self.lose(command_length))
    }

    fn lose(&mut self, command_length: u32) -> Frame {
        self.lost = true;
        self.buffer.clear();
        Frame::Lost { command_length }
    }

    fn skip_octets(&mut self) {
        let skipped = self.skip.min(self.buffer.len());
        self.buffer.advance(skipped);
        self.skip -= skipped;
    }

    fn word(&self, at: usize) -> u32 {
        self.buffer
            .get(at..at + 4)
            .and_then(|word| word.try_into().ok())
            .map_or(0, u32::from_be_bytes)
    }
}
