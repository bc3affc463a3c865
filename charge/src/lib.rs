//! The pure core of Raseed: accounts, rating, reservations, recharge, tax, bundles and the ledger.
//!
//! Everything here is plain data and plain functions. There is no I/O, no clock and no randomness: the time is an
//! argument, ids are made by the caller. The same command on the same state at the same time always gives the same events.
//!
//! ```text
//! decide(&view, &catalogs, &command, now) -> Result<Decision { events, messages, reply }, Refusal>
//! apply(&mut entity, &event)
//! postings(&event) -> entries that sum to zero per unit
//! explain(&event, language) -> lines that a person can read
//! ```
//!
//! # Layout
//!
//! * [`money`], [`time`], [`ids`], [`unit`], [`tax`]: integers in newtypes.
//! * [`catalog`]: operators, tariffs, bundles, taxes and policies, read from files by [`catalog::parse`].
//! * [`account`], [`session`], [`partner`]: the entities, each owned by one partition.
//! * [`announce`]: whom to tell of an offer, and when. [`auto`]: standing orders to recharge.
//! * [`promotion`]: budgets, what partitions hold of them, what people earned.
//! * [`seller`]: partners with a place in the selling chain.
//! * [`card`]: scratch cards. [`reversal`]: top-ups taken back.
//! * [`terms`]: commission and callbacks of partners. [`sandbox`]: what test numbers play.
//! * [`command`], [`event`], [`reply`]: what goes in, what is journalled, what comes out.
//! * [`decide`]: the rules. [`rating`]: units to money. [`apply`](mod@apply): events to state.
//! * [`left`]: what is told after a session.
//! * [`ledger`]: double entry. [`explain`](mod@explain): sentences.
//! * [`codec`]: the binary form of entities, events and messages.
#![deny(clippy::float_arithmetic)]

pub mod account;
pub mod announce;
pub mod apply;
pub mod auto;
pub mod card;
pub mod catalog;
pub mod codec;
pub mod command;
pub mod decide;
pub mod event;
pub mod explain;
pub mod ids;
pub mod ledger;
pub mod left;
pub mod money;
pub mod partner;
pub mod payment;
pub mod promotion;
pub mod rating;
pub mod reply;
pub mod reversal;
pub mod sandbox;
pub mod seller;
pub mod session;
pub mod tax;
pub mod terms;
pub mod time;
pub mod unit;

pub use account::{Account, LifeCycle, Lot};

pub use apply::apply;
pub use catalog::{Catalog, Catalogs};
pub use command::Command;

pub use decide::{Decision, View, decide};
pub use event::{Event, EventBody};
pub use explain::explain;

pub use ids::{AccountId, Code, Entity, EntityKey, Imsi, Msisdn, OperatorId, PartnerId, SourceId};

pub use ledger::postings;
pub use money::Money;
pub use reply::{Refusal, Reply};
pub use time::Timestamp;
pub use unit::Unit;
