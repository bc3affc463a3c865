//! The simulated world: gateways, call servers, message centres, faults, clock, load generator.
//!
//! # Layout
//! - [`smsc`]: a message centre that speaks SMPP, and handset inboxes.

pub mod smsc;
