//! Diameter base protocol and credit control (RFC 6733, RFC 8506, TS 32.299): codec, typed messages and peer machine.
//!
//! # Layout
//!
//! * [`limits`]: every limit in one place
//! * [`Framer`] cuts a stream into frames, [`Message`] and [`Header`] read one, [`avp`] walks it, [`Writer`] writes one
//! * [`dictionary`]: the AVPs we know; [`Violation`]: what is wrong with a message and how to answer it
//! * [`credit`]: CCR and CCA
//! * [`base`]: CER, DWR, DPR, RAR, ASR, their answers and error answers
//! * [`peer`]: one connection, either side, without sockets or clock
//! * [`fuzz`]: entries for fuzz targets

pub mod avp;
pub mod base;
pub mod credit;
pub mod dictionary;
mod error;
mod framer;
pub mod fuzz;
mod header;
pub mod limits;
mod message;
pub mod peer;
mod writer;

#[cfg(test)]
mod tests;

pub use base::{AnswerMessage, Identity};
pub use error::{ResultCode, Violation, ViolationResult};
pub use framer::{Framer, FramingError};
pub use fuzz::{fuzz_framer, fuzz_message, fuzz_peer};
pub use header::{
    APPLICATION_BASE, APPLICATION_CREDIT_CONTROL, APPLICATION_RELAY, CommandCode, CommandFlags,
    HEADER_OCTETS, Header, MessageId,
};
pub use message::Message;
pub use writer::Writer;
