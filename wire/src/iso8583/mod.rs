//! ISO 8583:1987 as ASCII with a hexadecimal bitmap, and TOPUP-87A, the profile in which ATM hosts sell top-ups (reference
//! payments 2.7).
//!
//! Framing first ([`Framer`]), then fields ([`decode`]), then meaning ([`profile`]). A message with card data is never given
//! out: [`Reason::CardData`] comes with what may be answered and nothing of the card.

mod field;
mod frame;
mod message;
pub mod profile;
#[cfg(test)]
mod tests;

pub use frame::{FrameError, Framer, Prefix, framed};
pub use message::{Message, Mti, Read, Reason, Refused, decode};

/// Longest message: every field that a top-up may have, twice over.
pub const MESSAGE_BYTES_MAX: usize = 2_048;
