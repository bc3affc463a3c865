//! What people and client programs see over HTTP: the API under `/v1` and the page under `/`.
//!
//! This crate opens no socket, reads no clock and keeps no money: it turns requests into commands of [`charge`], hands
//! them to a [`core::Core`], and says what came of them, in the caller's language.
//!
//! # Layout
//!
//! * [`state`]: what the server hands in: core, read models, catalogs, clock, sender of codes, demo.
//! * [`core`]: the small trait behind which the engine stands; [`bind`] puts it there, and the read models beside it.
//! * [`payments`]: the trait behind which the payment desk stands. [`callbacks`]: where rails reach us.
//! * [`chain`]: the one way to sell for every channel of the selling chain.
//! * [`api`]: the JSON API, its keys, and the OpenAPI document. [`problem`]: its errors.
//! * [`cards`]: scratch cards are made and redeemed.
//! * [`partner_callback`]: what partners are told, how it is signed, where it may go.
//! * [`receipt`]: receipts, signed, as page, PDF, JSON and message, and the page that checks them.
//! * [`page`]: sign-in by code, the account, bundles, and the demo's handset.
//! * [`outlets`]: which of them somebody looks for, for the API and the page alike.
//! * [`text`]: sentences in English, Urdu and Chinese. [`number`]: phone numbers as people type them.
//! * [`meter`]: counters and latencies. [`rate`]: rate limits. [`limits`]: every limit of this crate, in one file.

pub mod api;
pub mod bind;
pub mod callbacks;
pub mod cards;
pub mod chain;
pub mod core;
pub mod limits;
pub mod meter;
pub mod number;
pub mod outlets;
pub mod page;
pub mod partner_callback;
pub mod payments;
pub mod problem;
pub mod rate;
pub mod receipt;
pub mod reconcile;
pub mod router;
pub mod settlement_file;
pub mod state;
pub mod stop_link;
pub mod text;
mod why;

pub use api::openapi_json;
pub use router::router;
pub use state::{Web, WebParts};

#[cfg(test)]
#[path = "../tests/common/catalogs.rs"]
mod testing;
