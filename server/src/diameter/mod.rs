//! The Diameter front: peers over TCP or TLS, credit control into commands, answers back.
//!
//! # Layout
//! * `front`: accepts connections, knows by which connection a host is reached
//! * `connection`: one connection, from octets to octets
//! * `pending`: requests that wait for the directory
//! * [`translate`]: requests into commands, replies into answers
//! * [`profile`]: kinds of peers, by observation

mod connection;
mod front;
mod pending;
pub mod profile;
#[cfg(test)]
mod tests;
pub mod translate;

pub use front::{Front, Limits};
