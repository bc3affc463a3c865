//! Where letters go: a mail server and a push service, with faults that can be ordered.
//!
//! # Layout
//! - [`smtp`]: a mail server that takes submissions. [`push`]: a push service with browsers that decrypt.

pub mod push;
pub mod smtp;
