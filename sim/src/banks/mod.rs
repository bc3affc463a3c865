//! Banks that sell top-ups: the other side of `server::banks`.
//!
//! # Layout
//! - [`atm`]: the host of a bank's cash machines, ISO 8583, with its store-and-forward file.

pub mod atm;
