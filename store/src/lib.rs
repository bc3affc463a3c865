//! The journal, snapshots and read models: memory and SQLite, one conformance suite.
//!
//! # Layout
//! * [`traits`]: what every store promises to the engine
//! * [`batch`]: the bytes of a journal batch
//! * [`memory`]: the store of the simulator, with faults
//! * [`sqlite`]: the embedded store
//! * [`limit`]: the same bytes without a database, to compare with
//! * [`project`]: events to read models; [`reads`]: the tables and their queries; [`outbox`]: what is to be sent;
//!   [`letters`]: of it, what goes by e-mail, push and campaigns; [`callbacks`]: what partners are to be told
//! * [`exceptions`]: differences of reconciliations that wait for people; [`runs`]: which days were compared
//! * [`background`]: threads that can wait
//! * [`conformance()`]: what a store must do, as tests
//! * `sql`: the statements, in the subset that all databases share

pub mod background;
pub mod batch;
pub mod callbacks;
mod conformance;
pub mod exceptions;
pub mod letters;
pub mod limit;
pub mod memory;
pub mod outbox;
pub mod project;
pub mod reads;
pub mod runs;
mod sql;
pub mod sqlite;
pub mod traits;

pub use batch::{Batch, BatchBuilder, BatchError, Hash, Record};
pub use callbacks::{Callback, CallbackId, CallbackState, Callbacks, Delivery};
pub use conformance::{conformance, sample_row};
pub use exceptions::Exceptions;
pub use letters::{Campaign, CampaignStep, Letter, LetterId, LetterWay, NewLetter};
pub use limit::{OpenLoop, RawAppend, raw_append_limit, raw_open_loop};
pub use memory::{Fault, FaultPlan, MemoryStore};
pub use outbox::{Attempt, Backlog, Notification, NotificationKind, Outbox, OutboxCounts, Receipt, Settled};
pub use project::{Pace, Projector, Step, event_at};
pub use reads::{EventPlace, ReadModels, ReadsReader};
pub use sqlite::{SqliteOptions, SqliteStore};
pub use traits::{
    AppendError, Checkpoint, Due, Head, Journal, JournalReader, JournalRow, Micros, Partition, Seq, Snapshot,
    SnapshotReader, SnapshotRow, SnapshotWriter, Store, StoreError,
};
