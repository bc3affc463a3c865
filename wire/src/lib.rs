//! Pure codecs and protocol machines: Diameter, SMPP, SMS text. No sockets, no clock.
//!
//! # Layout
//! - [`smpp`]: SMPP 3.4: client and message centre machines.
//! - [`sms`]: text of short messages: alphabets, parts, isolates.

pub mod smpp;
pub mod sms;
