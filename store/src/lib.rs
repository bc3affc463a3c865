//! The journal, snapshots and read models: memory and SQLite, one conformance suite.
//!
//! # Layout
//! * [`traits`]: what every store promises to the engine
//! * [`batch`]: the bytes of a journal batch

pub mod batch;
pub mod traits;

pub use batch::{Batch, BatchBuilder, BatchError, Hash, Record};
pub use traits::{
    AppendError, Checkpoint, Due, Head, Journal, JournalReader, JournalRow, Micros, Partition, Seq, Snapshot,
    SnapshotReader, SnapshotRow, SnapshotWriter, Store, StoreError,
};
