//! IPA frames: length (2 octets), protocol, payload; and the identity dialogue of its control protocol (CCM).

use super::FRAME_OCTETS_MAX;

/// Protocol octet of the control protocol.
pub const CCM: u8 = 0xfe;
/// Protocol octet of Osmocom extensions; the first octet of the payload says which.
pub const OSMO: u8 = 0xee;
/// Osmocom extension: GSUP.
pub const OSMO_GSUP: u8 = 0x05;
/// CCM: are you there?
pub const PING: u8 = 0x00;
/// CCM: yes.
pub const PONG: u8 = 0x01;
/// CCM: who are you?
pub const IDENTITY_REQUEST: u8 = 0x04;
/// CCM: this is me.
pub const IDENTITY_RESPONSE: u8 = 0x05;
/// CCM: understood.
pub const IDENTITY_ACK: u8 = 0x06;
/// Identity: serial number.
pub const TAG_SERIAL: u8 = 0x00;
/// Identity: unit id, which an HLR insists on and does not look at.
pub const TAG_UNIT: u8 = 0x08;
/// Identity: unit name.
pub const TAG_NAME: u8 = 0x01;

/// The stream cannot be cut into frames any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an IPA frame of {0} octets is too long")]
pub struct TooLong(pub usize);

/// Collects octets and gives frames; holds at most one unfinished frame and what was pushed behind it.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
}

impl Framer {
    /// Takes octets from the peer.
    pub fn push(&mut self, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
    }

    /// Protocol and payload of the next frame, or `None` until more octets come.
    ///
    /// # Errors
    /// [`TooLong`]: close the connection.
    pub fn next_frame(&mut self) -> Result<Option<(u8, Vec<u8>)>, TooLong> {
        let [high, low, protocol, ..] = self.buffer[..] else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > FRAME_OCTETS_MAX {
            return Err(TooLong(length));
        }
        if self.buffer.len() < 3 + length {
            return Ok(None);
        }
        let rest = self.buffer.split_off(3 + length);
        let frame = std::mem::replace(&mut self.buffer, rest);
        Ok(Some((protocol, frame[3..].to_vec())))
    }
}

/// A frame. Payloads of ours are far below the limit of 65,535.
#[must_use]
pub fn frame(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
    let mut octets = length.to_be_bytes().to_vec();
    octets.push(protocol);
    octets.extend_from_slice(payload);
    octets
}

/// The identity response of a unit with that name: each element is length, tag, text and a zero. osmo-hlr wants all three
/// and routes by the serial number.
#[must_use]
pub fn identity(name: &str) -> Vec<u8> {
    let mut payload = vec![IDENTITY_RESPONSE];
    for (tag, text) in [(TAG_NAME, name), (TAG_SERIAL, name), (TAG_UNIT, "0/0/0")] {
        let length = u16::try_from(text.len() + 2).unwrap_or(u16::MAX);
        payload.extend(length.to_be_bytes());
        payload.push(tag);
        payload.extend_from_slice(text.as_bytes());
        payload.push(0);
    }
    frame(CCM, &payload)
}
