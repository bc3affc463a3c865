//! The simulated world: gateways, call servers, message centres, faults, clock, load generator.
//!
//! # Layout
//! - [`bench`]: the load generator and its reports.
//! - [`world`]: the deterministic simulator of the engine, its disk and its clock.
//! - [`smsc`]: a message centre that speaks SMPP, and handset inboxes.
//! - [`diameter`]: a Diameter client that the simulated network shares.
//! - [`gateway`]: a packet gateway on Gy.
//! - [`callserver`]: a call server and a message centre on Ro.
//! - [`rails`]: sandboxes of payment rails.
//! - [`banks`]: banks that sell top-ups.
//! - [`kiosk`]: the devices of a kiosk.
//! - [`post`]: a mail server and a push service.

pub mod banks;
pub mod bench;
pub mod callserver;
pub mod diameter;
pub mod gateway;
pub mod kiosk;
pub mod post;
pub mod rails;
pub mod smsc;
pub mod world;

/// The time on the wall, for those who play a part in it.
pub fn now() -> charge::Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    charge::Timestamp(since.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX)))
}
