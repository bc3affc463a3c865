//! Sandboxes of payment rails: servers on loopback that speak the wire formats of the real ones and misbehave when told to.
//!
//! They share no code with the clients in `rails`: what both sides got wrong the same way would not be seen.
//!
//! # Layout
//! - [`misbehaviour`]: what can go wrong, and the ways to ask for it.
//! - [`Desk`]: what all sandboxes share: orders to misbehave, the book of what was really taken, callbacks on their way.
//! - [`jazzcash`], [`easypaisa`], [`paypal`], [`card`], [`bank`]: the rails.
//! - [`pretups`]: an operator's core, for connectors.
//! - [`page`]: hosted pages. [`browser`]: a payer's browser for tests without a real one.
//! - [`transport`]: carries the requests of the clients, in tests.

pub mod bank;
pub mod browser;
pub mod card;
pub mod desk;
pub mod easypaisa;
pub mod jazzcash;
pub mod misbehaviour;
pub mod page;
pub mod paypal;
pub mod pretups;
pub mod transport;

pub use desk::{Callback, Desk, Direction, Movement, Served, dropped, serve};
pub use misbehaviour::{Misbehaviour, OUTCOME_HEADER, Outcome};
