//! SMPP 3.4: PDUs, an ESME (client) machine and a message centre machine. Sans-I/O; time comes in as microseconds.
//!
//! # Layout
//! - [`esme`]: the client: bind, window, throttling, enquire_link, receipts. [`pacing`] is its rate and back-off.
//! - [`centre`]: the message centre's side of one connection, with misbehaviour on demand.
//! - [`receipt`]: delivery receipts, in text and in TLVs.
//! - [`pdu`]: our own PDU types; `rusmpp-core` does the octets and stays hidden behind them.
//! - [`frame`]: cutting the byte stream by command_length, so that one bad PDU costs one PDU.

pub mod centre;
pub mod esme;
pub mod frame;
pub mod pacing;
pub mod pdu;
pub mod receipt;

pub use centre::{
    Centre, CentreConfig, CentreEvent, MessageIdShape, Misbehaviour, ReceiptShape, ReceiptTiming,
};
pub use esme::{ClosedReason, Esme, EsmeConfig, EsmeEvent, SubmitRefused};
pub use pdu::{Address, Bind, BindMode, Body, Pdu, ShortMessage, Status, Tlvs};
pub use receipt::{DeliveryReceipt, DeliveryState};

/// Octets of a PDU header: command_length, command_id, command_status, sequence_number.
pub const HEADER_OCTETS: usize = 16;
/// The longest PDU that we decode: a full message_payload and everything around it.
pub const PDU_OCTETS_MAX: usize = 66 * 1_024;
/// A longer PDU is skipped up to this length; beyond it the stream is taken for lost.
pub const PDU_OCTETS_SKIP_MAX: usize = 1_024 * 1_024;
/// Octets of a text receipt that are looked at.
pub const RECEIPT_OCTETS_MAX: usize = 1_024;
/// Events that a machine keeps for its caller before it takes no more input from the peer.
pub const EVENTS_MAX: usize = 65_536;
/// Timed-out submits whose late answers are still recognised.
pub const LATE_RESPONSES_MAX: usize = 4_096;

#[cfg(test)]
mod tests;
