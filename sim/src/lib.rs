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
