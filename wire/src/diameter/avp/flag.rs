//! AVP flag bits (RFC 6733 section 4.1).

/// V: a Vendor-Id follows.
pub const VENDOR: u8 = 0x80;
/// M: who does not know the AVP must refuse the message.
pub const MANDATORY: u8 = 0x40;
/// P: once reserved for end-to-end security, ignored.
pub const PROTECTED: u8 = 0x20;
/// Bits without a meaning; an AVP that sets one is refused with 3009.
pub const RESERVED: u8 = 0x1f;
