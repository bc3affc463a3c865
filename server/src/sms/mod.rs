//! SMS to subscribers: a durable outbox and a fast lane for one-time codes, over one SMPP session that is kept alive.
//!
//! # Layout
//! - [`config`]: the message centre and how text goes to it.
//! - [`sender`]: the task: connection, clock, outbox.
//! - [`courier`]: which message is where, without I/O: parts, resending, outcomes.
//! - [`receipts`]: which delivery receipt belongs to which message.
//! - [`outbox`]: what the task needs from the store; [`durable`] is the store's outbox behind it.

pub mod config;
pub mod courier;
pub mod durable;
pub mod outbox;
pub mod receipts;
pub mod sender;

#[cfg(test)]
mod peer_tests;
#[cfg(test)]
mod tests;

pub use config::SmsConfig;
pub use courier::InstantOutcome;
pub use durable::{Addressed, DurableOutbox};
pub use outbox::{EventPlace, Outbox, OutboxMessage, Outcome, Page};
#[cfg(test)]
pub use sender::SmsStatus;
pub use sender::{Heard, IncomingSms, SmsSender};
#[cfg(test)]
pub use tests::PATIENCE;

/// Outbox messages that are in hand at the same time.
pub const IN_HAND_MAX: usize = 2_048;
/// One-time codes that may wait; more are refused at once.
pub const INSTANT_MAX: usize = 1_024;
/// Messages from handsets that wait to be taken.
pub const INCOMING_MAX: usize = 1_024;
/// Message ids that are remembered for receipts.
pub const RECEIPTS_REMEMBERED_MAX: usize = 20_000;
