//! Pure codecs and protocol machines: Diameter, SMPP, SMS text. No sockets, no clock.
//!
//! # Layout
//! - [`sms`]: text of short messages: alphabets, parts, isolates.

pub mod sms;
