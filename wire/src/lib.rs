//! Pure codecs and protocol machines: Diameter, SMPP, SMS text. No sockets, no clock.
//!
//! # Layout
//! - [`diameter`]: Diameter base protocol and credit control: codec, typed messages, peer machine.
//! - [`smpp`]: SMPP 3.4: client and message centre machines.
//! - [`sms`]: text of short messages: alphabets, parts, isolates.

pub mod diameter;
pub mod smpp;
pub mod sms;
