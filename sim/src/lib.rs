//! The simulated world: gateways, call servers, message centres, faults, clock, load generator.
//!
//! # Layout
//! - [`bench`]: the load generator and its reports.
//! - [`smsc`]: a message centre that speaks SMPP, and handset inboxes.

pub mod bench;
pub mod smsc;
