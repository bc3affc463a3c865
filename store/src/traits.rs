//! What a store must do: the contract that memory, SQLite and every later database fulfil.
//!
//! The journal is the truth; snapshots are derived from it and may be thrown away. A reply may leave only after
//! [`Journal::append`] returned `Ok` for its batch.

use crate::batch::Hash;
use std::fmt;

/// Number of a partition: accounts are spread over a fixed number of them, one owner each.
pub type Partition = u16;
/// Position of a batch in its partition's journal; the first batch has number 1, 0 means "nothing yet".
pub type Seq = u64;
/// Microseconds since 1970-01-01T00:00:00Z.
pub type Micros = i64;

/// One database with a journal and snapshots. Handles that it gives out live on their own and may go to other threads.
pub trait Store: Send + Sync {
    /// The single writer of the journal. A second one is an error while the first lives.
    fn journal(&self) -> Result<Box<dyn Journal>, StoreError>;
    /// A reader of the journal; several may work at once in different threads.
    fn journal_reader(&self) -> Result<Box<dyn JournalReader>, StoreError>;
    /// A reader of the snapshots; several may work at once in different threads.
    fn snapshot_reader(&self) -> Result<Box<dyn SnapshotReader>, StoreError>;
    /// The single writer of the snapshots. A second one is an error while the first lives.
    fn snapshot_writer(&self) -> Result<Box<dyn SnapshotWriter>, StoreError>;
}

/// A batch at its place in the journal; `batch` is what [`crate::batch::BatchBuilder`] made.
#[derive(Clone, PartialEq, Eq)]
pub struct JournalRow {
    /// Partition that the batch belongs to.
    pub partition: Partition,
    /// Position in the partition, from 1, without gaps.
    pub seq: Seq,
    /// The encoded batch: header, then records.
    pub batch: Vec<u8>,
}

/// The end of one partition's journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Partition.
    pub partition: Partition,
    /// Oldest batch that is still in the journal (older ones may be archived).
    pub first: Seq,
    /// Newest batch.
    pub seq: Seq,
    /// Hash of the newest batch: the next one carries it as its previous hash.
    pub hash: Hash,
}

/// The writing end of the journal.
pub trait Journal: Send {
    /// Appends all rows, of any partitions, in one durable transaction: after `Ok` they survive `kill -9` and power loss.
    ///
    /// After [`AppendError::Fenced`], [`AppendError::Full`] and [`AppendError::ReadOnly`] nothing was written. After
    /// [`AppendError::Io`] the outcome is unknown until the heads are read again. The writer stays usable.
    fn append(&mut self, rows: &[JournalRow]) -> Result<(), AppendError>;
}

/// The reading end of the journal.
pub trait JournalReader: Send {
    /// Batches of a partition from `from` upwards, in order, until their sizes pass `max_bytes`; at least one if there is
    /// one, so that a large batch cannot stop a reader. Empty at the end of the journal. Bytes are as stored: the
    /// caller checks them with [`crate::batch::Batch::parse`].
    fn read(
        &mut self,
        partition: Partition,
        from: Seq,
        max_bytes: usize,
    ) -> Result<Vec<JournalRow>, StoreError>;
    /// The end of every partition that has at least one batch, by partition.
    fn heads(&mut self) -> Result<Vec<Head>, StoreError>;
}

/// The state of one entity (an account, a reference, a directory entry) as of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotRow {
    /// Partition that owns the entity.
    pub partition: Partition,
    /// Key, chosen by the engine; rows are kept and scanned in the order of its bytes.
    pub key: Vec<u8>,
    /// The entity includes every event up to and including this batch.
    pub seq: Seq,
    /// Moment at which the entity next wants attention (expiry, renewal, time-out), if there is one.
    pub due: Option<Micros>,
    /// The encoded entity; `None` removes the row.
    pub bytes: Option<Vec<u8>>,
}

/// Says that every entity of the partition is current in the snapshots at least up to `seq`: replay may start behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Partition.
    pub partition: Partition,
    /// Last batch that every entity row includes.
    pub seq: Seq,
    /// Hash of that batch, so that replay can check that it continues the same journal.
    pub hash: Hash,
    /// What the engine keeps per partition and not per entity (message counters, catalog version, sums).
    pub meta: Vec<u8>,
}

/// An entity as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Key.
    pub key: Vec<u8>,
    /// The entity includes every event up to and including this batch.
    pub seq: Seq,
    /// Moment at which it next wants attention.
    pub due: Option<Micros>,
    /// The encoded entity.
    pub bytes: Vec<u8>,
}

/// Reads entities that are not in memory.
pub trait SnapshotReader: Send {
    /// The entity under `key`, if it was ever written.
    fn get(&mut self, partition: Partition, key: &[u8]) -> Result<Option<Snapshot>, StoreError>;
    /// Up to `limit` entities whose due time is at or before `until`, the earliest first, behind `after`.
    fn due(
        &mut self,
        partition: Partition,
        after: Option<&Due>,
        until: Micros,
        limit: usize,
    ) -> Result<Vec<Due>, StoreError>;
    /// The partition's checkpoint, if one was ever written.
    fn checkpoint(&mut self, partition: Partition) -> Result<Option<Checkpoint>, StoreError>;
    /// Up to `limit` entities with a key greater than `after` (all keys if `None`), in key order.
    fn scan(
        &mut self,
        partition: Partition,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Snapshot>, StoreError>;
    /// Number of entities in the partition; walks them.
    fn count(&mut self, partition: Partition) -> Result<u64, StoreError>;
}

/// An entity that wants attention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// When.
    pub at: Micros,
    /// Which.
    pub key: Vec<u8>,
}

/// Writes entities and checkpoints.
pub trait SnapshotWriter: Send {
    /// Writes rows (best in key order: neighbours share pages) and checkpoints in one transaction. A key may appear
    /// once per call. Atomic, but durable only sooner or later: snapshots are derived, and losing the last of them
    /// only means a longer replay. Rows must not be ahead of the durable journal.
    fn put(&mut self, rows: &[SnapshotRow], checkpoints: &[Checkpoint]) -> Result<(), StoreError>;
    /// Removes all rows and the checkpoint of a partition (before a rebuild).
    fn clear(&mut self, partition: Partition) -> Result<(), StoreError>;
}

/// Why a batch was not appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Another owner wrote this position first: drop the partition's state and load it again.
    #[error("batch {seq} of partition {partition} exists already: another owner has written it")]
    Fenced {
        /// Partition of the refused row.
        partition: Partition,
        /// Position that was taken.
        seq: Seq,
    },
    /// No space left; nothing was written. Works again when there is space.
    #[error("no space left for the journal; free some disk space, charging goes on by itself")]
    Full,
    /// The medium or the file may not be written.
    #[error("the journal is read-only; check the permissions of the data directory and the mount")]
    ReadOnly,
    /// Anything else; whether the batch is durable is unknown until the heads are read again.
    #[error("cannot append to the journal")]
    Io(#[source] Cause),
}

/// Why a store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process owns the data directory.
    #[error("the data directory {dir} is in use by another process{}", pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    Locked {
        /// The directory.
        dir: String,
        /// Who holds it, when it said so.
        pid: Option<u32>,
    },
    /// A second writer was asked for while the first lives.
    #[error("the {0} already has a writer in this process")]
    WriterTaken(&'static str),
    /// The file was written by a newer or unknown version.
    #[error("{file} has format {found}; this version reads {known}")]
    Format {
        /// File or table.
        file: String,
        /// Format found.
        found: i64,
        /// Newest format that this version reads.
        known: i64,
    },
    /// What is stored cannot be read as what it should be.
    #[error("{what} is damaged: {detail}")]
    Corrupt {
        /// File, table or batch.
        what: String,
        /// What was expected and found.
        detail: String,
    },
    /// No space left; nothing was changed.
    #[error("no space left while writing {0}")]
    Full(&'static str),
    /// The medium or the file may not be written.
    #[error("{0} is read-only; check the permissions of the data directory and the mount")]
    ReadOnly(&'static str),
    /// Somebody who has to be asked has no time. Nothing was changed; ask again a little later.
    #[error("cannot {doing} just now: too busy")]
    Busy {
        /// What was attempted.
        doing: &'static str,
    },
    /// Anything else.
    #[error("cannot {doing}")]
    Io {
        /// What was attempted.
        doing: String,
        /// Why it failed.
        #[source]
        cause: Cause,
    },
}

/// The underlying error of a database or file.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

impl fmt::Debug for JournalRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "JournalRow({}/{}, {} bytes)",
            self.partition,
            self.seq,
            self.batch.len()
        )
    }
}
