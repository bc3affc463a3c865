//! Text of short messages: choosing an encoding, cutting into parts, and putting them together again.
//!
//! # Layout
//! - [`mod@encode`]: text to [`Part`]s (GSM 7-bit, Urdu shift tables, UCS-2; TS 23.038), never cutting a character.
//! - [`mod@reassemble`]: parts back to text, as a handset does.
//! - [`bidi`]: isolates around numbers in right-to-left text.
//! - [`udh`]: the user data header (TS 23.040 9.2.3.24).
//! - [`tables`]: the character tables.

pub mod bidi;
pub mod encode;
pub mod reassemble;
pub mod tables;
pub mod udh;

pub use bidi::{isolate, strip_isolates};
pub use encode::{
    Concatenation, Encoded, Encoding, Part, TextError, TextSettings, UrduTables, encode, prepare,
};
pub use reassemble::{Fragment, FragmentError, Reassembler, ReceivedText};
pub use udh::{ConcatenationReference, UserDataHeader};

/// Octets of user data in one short message on the radio side (TS 23.040 9.2.3.24).
pub const PART_OCTETS_MAX: usize = 140;
/// Parts that a concatenated message can have at most (one octet counts them).
pub const PARTS_LIMIT: u8 = 255;
/// Parts that we send by default before we refuse a text.
pub const PARTS_MAX_DEFAULT: u8 = 10;
/// Octets that a message_payload may hold (SMPP 3.4 5.3.2.32).
pub const PAYLOAD_OCTETS_MAX: usize = 65_535;
/// Half-received messages that a handset keeps; the oldest goes first.
pub const REASSEMBLY_PENDING_MAX: usize = 1_024;
/// How long a half-received message waits for its other parts, in microseconds.
pub const REASSEMBLY_WAIT_MICROS: u64 = 24 * 3_600 * 1_000_000;

#[cfg(test)]
mod tests;
