//! Payment rails: how JazzCash, Easypaisa, PayPal, card pages, bank transfers and QR codes are spoken to.
//!
//! A rail is one file that implements [`Rail`]: it builds requests, reads answers and verifies callbacks, and says what
//! they mean as [`charge::payment::Statement`]s. It opens no socket and reads no clock: HTTP goes through a [`Transport`],
//! the time is an argument. It keeps no payments: everything about one comes in as an [`Order`].
//!
//! Two rules hold for every rail. Success is said only by a message whose signature (or credentialled, rail-initiated
//! channel) was verified and which names amount and currency. Whatever is not understood is
//! [`Statement::Pending`](charge::payment::Statement::Pending), never a failure.
//!
//! # Layout
//!
//! * [`rail`]: the trait, what it takes and what it gives. [`http`]: requests, answers, the transport.
//! * [`form`], [`csv`]: forms, queries and files. [`secret`]: keys, HMAC, constant-time comparison.
//! * [`pan`]: what looks like a card number.
//! * [`fx`]: locked quotes for rails that do not take the operator's currency.
//! * [`reference`]: what payers type into bank transfers. [`time`], [`money`]: times and amounts as rails write them.
//! * [`reconcile`]: books, file and credits side by side. [`base`]: where a rail is. [`codes`]: answer codes as data.
//! * [`json`]: strict JSON. [`settlement`]: settlement files.
//! * [`pkr`]: what the Pakistani rails have in common. [`jazzcash`], [`easypaisa`], [`paypal`], [`card`], [`bank`] with
//!   [`raast_qr`]: the rails.
//! * [`connector`]: operators whose core is elsewhere.
//! * [`limits`]: every limit of this crate.

pub mod bank;
pub mod base;
pub mod card;
pub mod codes;
pub mod connector;
pub mod csv;
pub mod easypaisa;
pub mod form;
pub mod fx;
pub mod http;
pub mod jazzcash;
pub mod json;
pub mod limits;
pub mod money;
pub mod pan;
pub mod paypal;
pub mod pkr;
pub mod raast_qr;
pub mod rail;
pub mod reconcile;
pub mod reference;
pub mod secret;
pub mod settlement;
pub mod time;

pub use http::{HttpAnswer, HttpRequest, Method, Transport, TransportError};
pub use rail::{Begun, Heard, Mandate, Order, Payer, Rail, RailError, SettlementKind, SettlementLine, Told};
pub use secret::Secret;
