//! The 20-octet Diameter header (RFC 6733 section 3).

use super::error::{ResultCode, Violation, ViolationResult};

/// Octets of a header.
pub const HEADER_OCTETS: usize = 20;

/// Application identifier of the base protocol (RFC 6733 section 2.4).
pub const APPLICATION_BASE: u32 = 0;
/// Application identifier of credit control (RFC 8506 section 1.3).
pub const APPLICATION_CREDIT_CONTROL: u32 = 4;
/// Application identifier with which relays advertise themselves (RFC 6733 section 2.4).
pub const APPLICATION_RELAY: u32 = 0xffff_ffff;

/// A command code (RFC 6733 section 3.1, RFC 8506 section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandCode(pub u32);

impl CommandCode {
    /// CER and CEA.
    pub const CAPABILITIES_EXCHANGE: Self = Self(257);
    /// RAR and RAA.
    pub const RE_AUTH: Self = Self(258);
    /// CCR and CCA.
    pub const CREDIT_CONTROL: Self = Self(272);
    /// ASR and ASA.
    pub const ABORT_SESSION: Self = Self(274);
    /// DWR and DWA.
    pub const DEVICE_WATCHDOG: Self = Self(280);
    /// DPR and DPA.
    pub const DISCONNECT_PEER: Self = Self(282);
}

/// The command flags: R, P, E and T (RFC 6733 section 3). Reserved bits are ignored on receipt, as the RFC asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CommandFlags(pub u8);

impl CommandFlags {
    /// R: this is a request.
    pub const REQUEST: u8 = 0x80;
    /// P: the message may be proxied.
    pub const PROXIABLE: u8 = 0x40;
    /// E: the answer reports a protocol error and follows the error grammar.
    pub const ERROR: u8 = 0x20;
    /// T: the request may be a retransmission after a link failover.
    pub const RETRANSMITTED: u8 = 0x10;

    /// True for a request.
    #[must_use]
    pub fn is_request(self) -> bool {
        self.0 & Self::REQUEST != 0
    }
    /// True when the P bit is set.
    #[must_use]
    pub fn is_proxiable(self) -> bool {
        self.0 & Self::PROXIABLE != 0
    }
    /// True when the E bit is set.
    #[must_use]
    pub fn is_error(self) -> bool {
        self.0 & Self::ERROR != 0
    }
    /// True when the T bit is set.
    #[must_use]
    pub fn is_retransmitted(self) -> bool {
        self.0 & Self::RETRANSMITTED != 0
    }
}

/// The two identifiers that tie an answer to its request (RFC 6733 section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct MessageId {
    /// Matches the answer to the request on one connection.
    pub hop_by_hop: u32,
    /// Set by the originator; together with Origin-Host it detects duplicates.
    pub end_to_end: u32,
}

/// A parsed header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Octets of the whole message, header included.
    pub length: u32,
    /// Command flags.
    pub flags: CommandFlags,
    /// Command code, 24 bits.
    pub command: CommandCode,
    /// Application identifier.
    pub application: u32,
    /// Hop-by-hop and end-to-end identifiers.
    pub id: MessageId,
}

impl Header {
    /// Reads the header of a framed message. Errors: 5011 for another version, 3008 for R with E, 5015 for a length that
    /// is not that of the frame.
    pub fn parse(frame: &[u8]) -> ViolationResult<Self> {
        let header = Self::read(frame).ok_or_else(|| {
            Violation::new(
                ResultCode::INVALID_MESSAGE_LENGTH,
                "message shorter than its header",
            )
        })?;
        if frame[0] != 1 {
            return Err(Violation::new(
                ResultCode::UNSUPPORTED_VERSION,
                "diameter version is not 1",
            ));
        }
        if header.length as usize != frame.len() || !frame.len().is_multiple_of(4) {
            return Err(Violation::new(
                ResultCode::INVALID_MESSAGE_LENGTH,
                "message length does not fit the frame",
            ));
        }
        if header.flags.is_request() && header.flags.is_error() {
            return Err(Violation::new(
                ResultCode::INVALID_HDR_BITS,
                "request with the error bit",
            ));
        }
        Ok(header)
    }

    /// Reads the fields without judging them; `None` when there are fewer than 20 octets.
    #[inline]
    #[must_use]
    pub fn read(octets: &[u8]) -> Option<Self> {
        let octets: &[u8; HEADER_OCTETS] = octets.get(..HEADER_OCTETS)?.try_into().ok()?;
        let word =
            |at: usize| u32::from_be_bytes([octets[at], octets[at + 1], octets[at + 2], octets[at + 3]]);
        Some(Self {
            length: word(0) & 0x00ff_ffff,
            flags: CommandFlags(octets[4]),
            command: CommandCode(word(4) & 0x00ff_ffff),
            application: word(8),
            id: MessageId {
                hop_by_hop: word(12),
                end_to_end: word(16),
            },
        })
    }
}
