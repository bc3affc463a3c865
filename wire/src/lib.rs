//! Pure codecs and protocol machines: Diameter, SMPP, SMS text, USSD, ISO 8583. No sockets, no clock.
//!
//! # Layout
//! - [`diameter`]: Diameter base protocol and credit control: codec, typed messages, peer machine.
//! - [`iso8583`]: messages of ATM hosts, and the profile in which they sell top-ups.
//! - [`smpp`]: SMPP 3.4: client and message centre machines.
//! - [`sms`]: text of short messages: alphabets, parts, isolates.
//! - [`ussd`]: USSD pages, and Osmocom GSUP for an external USSD entity.

pub mod diameter;
pub mod iso8583;
pub mod smpp;
pub mod sms;
pub mod ussd;
