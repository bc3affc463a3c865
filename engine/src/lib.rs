//! Partitions, batching, timers and cross-partition messages; sans-I/O, with a thread runtime around it.
//!
//! A [`Partition`] owns entities and turns commands into journal batches. It opens no file, starts no thread and reads no
//! clock, so that a simulator drives the very code that serves subscribers. [`Engine`] puts threads around partitions:
//! some that own partitions, one that commits what has gathered, one that writes snapshots.
//!
//! # Layout
//!
//! * [`limits`]: every limit and interval, in one file.
//! * [`partition`]: decide, apply, batch; [`partition::channels`]: messages; `recovery`: snapshot and journal tail;
//!   `rounds`: snapshots; `entities`: the bounded cache.
//! * [`commit`]: what the writer does with a group of batches.
//! * [`runtime`]: [`Engine`], its threads, completion sinks, observers and counters.
//! * [`directory`]: numbers and SIMs to accounts, bounded and concurrent.
//! * [`audit`](mod@audit): replays a journal from nothing and proves that it is whole and balances.

pub mod audit;
pub mod commit;
pub mod directory;
mod error;
mod key;
pub mod limits;
pub mod partition;
pub mod runtime;

pub use audit::{AuditProgress, AuditReport, audit, stored_partitions};
pub use error::{EngineError, Unavailable};
pub use key::key_of_bytes;
pub use limits::Settings;
pub use partition::{Context, Outbox, Partition, Ticket};
pub use runtime::{Clock, CompletionSink, Engine, Observer, OpenError, SinkId, StatsSnapshot};
