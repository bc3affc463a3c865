//! The embedded store: SQLite files in one data directory, each with one writer and its own WAL.
//!
//! | file | durability | why |
//! |---|---|---|
//! | `journal.sqlite` | `synchronous=FULL`: every commit is synced | the only truth |
//! | `accounts.sqlite` | `synchronous=NORMAL`: synced when its WAL is moved into the file | derived: power loss takes back whole transactions, checkpoint rows included, and replay repeats them |
//! | `reads.sqlite` | `synchronous=NORMAL` | derived, with its positions inside |
//! | `callbacks.sqlite` | `synchronous=FULL` | knows what partners acknowledged, which the journal does not |
//! | `outbox.sqlite` | `synchronous=FULL` | knows what was sent, which the journal does not |
//!
//! All stay whole after power loss, because WAL frames carry checksums and a torn transaction is not replayed.

mod journal;
mod snapshots;

pub use journal::SqliteJournal;

use crate::callbacks::Callbacks;
use crate::outbox::Outbox;
use crate::reads::ReadModels;
use crate::sql;
use crate::traits::{AppendError, Journal, JournalReader, SnapshotReader, SnapshotWriter, Store, StoreError};
use rusqlite::{Connection, ErrorCode};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(crate) const JOURNAL_FILE: &str = "journal.sqlite";
pub(crate) const ACCOUNTS_FILE: &str = "accounts.sqlite";
const LOCK_FILE: &str = "lock";
/// How long a statement waits for another connection of this process before it gives up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Settings of the embedded store; the defaults were measured (docs/performance.md, `examples/append_timing.rs`).
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// Page size of a new journal file, bytes.
    pub journal_page_bytes: u32,
    /// WAL size of the journal above which it is moved into the file, bytes.
    pub journal_wal_bytes: u64,
    /// Page cache per snapshot connection, KiB.
    pub snapshot_cache_kib: u32,
    /// Upper bound of the journal file in pages (a quota; tests fill a disk with it).
    pub journal_pages_max: Option<u32>,
    /// Refuse every write to the journal as a read-only medium would.
    pub journal_read_only: bool,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            journal_page_bytes: 4096,
            journal_wal_bytes: 64 << 20,
            snapshot_cache_kib: 16 << 10,
            journal_pages_max: None,
            journal_read_only: false,
        }
    }
}

/// SQLite files in a data directory that this process owns.
#[derive(Clone)]
pub struct SqliteStore {
    shared: Arc<Shared>,
}

/// What the store and its handles share: dropping the last of them releases the directory.
pub(crate) struct Shared {
    pub(crate) dir: PathBuf,
    pub(crate) options: SqliteOptions,
    journal_writer: AtomicBool,
    snapshot_writer: AtomicBool,
    /// For syncing beside SQLite. Stays open as long as any connection: closing it would drop their POSIX locks.
    pub(crate) journal_file: File,
    _lock: DirectoryLock,
}

/// The lock of a directory. Given back by name: a child that this process is just starting holds a copy of the file until
/// it is another program, and closing ours would leave the directory locked for that moment.
struct DirectoryLock(File);

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // What cannot be unlocked is unlocked when the file is closed, right after this.
        let _ = self.0.unlock();
    }
}

impl SqliteStore {
    /// Opens or creates the files in `dir` and takes ownership of the directory.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process owns it, [`StoreError::Format`] if a newer version wrote it.
    pub fn open(dir: &Path, options: SqliteOptions) -> Result<Self, StoreError> {
        std::fs::create_dir_all(dir).map_err(|e| file_error("create the data directory", dir, e))?;
        let lock = take_lock(dir)?;
        let journal_path = dir.join(JOURNAL_FILE);
        let journal_file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&journal_path)
            .map_err(|e| file_error("open", &journal_path, e))?;
        let shared = Shared {
            dir: dir.to_owned(),
            options,
            journal_writer: AtomicBool::new(false),
            snapshot_writer: AtomicBool::new(false),
            journal_file,
            _lock: lock,
        };
        journal::create(&shared)?;
        snapshots::create(&shared)?;
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        &self.shared.dir
    }

    /// The read models of the directory (`reads.sqlite`).
    pub fn read_models(&self) -> Result<ReadModels, StoreError> {
        ReadModels::of_store(&self.shared)
    }

    /// The callbacks of the directory (`callbacks.sqlite`).
    pub fn callbacks(&self) -> Result<Callbacks, StoreError> {
        Callbacks::of_store(&self.shared)
    }

    /// The outbox of the directory (`outbox.sqlite`).
    pub fn outbox(&self) -> Result<Outbox, StoreError> {
        Outbox::of_store(&self.shared)
    }
}

impl Store for SqliteStore {
    fn journal(&self) -> Result<Box<dyn Journal>, StoreError> {
        Ok(Box::new(SqliteJournal::open(&self.shared)?))
    }

    fn journal_reader(&self) -> Result<Box<dyn JournalReader>, StoreError> {
        Ok(Box::new(journal::Reader::open(&self.shared)?))
    }

    fn snapshot_reader(&self) -> Result<Box<dyn SnapshotReader>, StoreError> {
        Ok(Box::new(snapshots::Reader::open(&self.shared)?))
    }

    fn snapshot_writer(&self) -> Result<Box<dyn SnapshotWriter>, StoreError> {
        Ok(Box::new(snapshots::Writer::open(&self.shared)?))
    }
}

/// The right to write one file; given back when dropped.
pub(crate) struct WriterSlot {
    shared: Arc<Shared>,
    slot: fn(&Shared) -> &AtomicBool,
}

impl WriterSlot {
    pub(crate) fn journal(shared: &Arc<Shared>) -> Result<Self, StoreError> {
        Self::take(shared, |shared| &shared.journal_writer, "journal")
    }

    pub(crate) fn snapshots(shared: &Arc<Shared>) -> Result<Self, StoreError> {
        Self::take(shared, |shared| &shared.snapshot_writer, "snapshots")
    }

    fn take(
        shared: &Arc<Shared>,
        slot: fn(&Shared) -> &AtomicBool,
        what: &'static str,
    ) -> Result<Self, StoreError> {
        if slot(shared).swap(true, Ordering::AcqRel) {
            return Err(StoreError::WriterTaken(what));
        }
        Ok(Self {
            shared: Arc::clone(shared),
            slot,
        })
    }
}

impl Drop for WriterSlot {
    fn drop(&mut self) {
        (self.slot)(&self.shared).store(false, Ordering::Release);
    }
}

fn take_lock(dir: &Path) -> Result<DirectoryLock, StoreError> {
    let path = dir.join(LOCK_FILE);
    let doing = "lock the data directory";
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .map_err(|e| file_error(doing, &path, e))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            // The number only makes the message kinder, so a failure to read it does not matter.
            let _ = file.take(32).read_to_string(&mut owner);
            return Err(StoreError::Locked {
                dir: dir.display().to_string(),
                pid: owner.trim().parse().ok(),
            });
        }
        Err(TryLockError::Error(e)) => return Err(file_error(doing, &path, e)),
    }
    write_pid(&mut file).map_err(|e| file_error(doing, &path, e))?;
    Ok(DirectoryLock(file))
}

fn write_pid(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

/// Opens a file in WAL mode with what all connections share.
pub(crate) fn connect(path: &Path, what: &'static str, page_bytes: u32) -> Result<Connection, StoreError> {
    let open = || -> rusqlite::Result<Connection> {
        let db = Connection::open(path)?;
        db.busy_timeout(BUSY_TIMEOUT)?;
        db.set_prepared_statement_cache_capacity(64);
        db.pragma_update(None, "page_size", page_bytes)?;
        db.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0))?;
        db.pragma_update(None, "temp_store", "memory")?;
        Ok(db)
    };
    open().map_err(|e| sql_error(what, "open", e))
}

/// Creates the tables of a new file, refuses a file of a newer format.
pub(crate) fn create_tables(
    db: &mut Connection,
    what: &'static str,
    schema: &str,
    (format_get, format_set, known): (&str, &str, i64),
) -> Result<(), StoreError> {
    let mut create = || -> rusqlite::Result<i64> {
        let tx = db.transaction()?;
        tx.execute_batch(&sql::sqlite(schema))?;
        let found: Option<i64> = tx.query_row(&sql::sqlite(format_get), [], |row| row.get(0))?;
        if found.is_none() {
            tx.execute(&sql::sqlite(format_set), [known])?;
        }
        tx.commit()?;
        Ok(found.unwrap_or(known))
    };
    let found = create().map_err(|e| sql_error(what, "create the tables", e))?;
    if found > known {
        return Err(StoreError::Format {
            file: what.to_owned(),
            found,
            known,
        });
    }
    Ok(())
}

/// Sorts SQLite's errors into ours.
pub(crate) fn sql_error(what: &'static str, doing: &str, error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full(what),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => StoreError::ReadOnly(what),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Corrupt {
            what: what.to_owned(),
            detail: error.to_string(),
        },
        _ => StoreError::Io {
            doing: format!("{doing} ({what})"),
            cause: Box::new(error),
        },
    }
}

/// The same for an append that failed before any row was refused.
pub(crate) fn append_error(error: rusqlite::Error) -> AppendError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => AppendError::Full,
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => AppendError::ReadOnly,
        _ => AppendError::Io(Box::new(error)),
    }
}

pub(crate) fn file_error(doing: &str, path: &Path, error: std::io::Error) -> StoreError {
    match error.kind() {
        std::io::ErrorKind::ReadOnlyFilesystem | std::io::ErrorKind::PermissionDenied => {
            StoreError::ReadOnly("the data directory")
        }
        std::io::ErrorKind::StorageFull => StoreError::Full("the data directory"),
        _ => StoreError::Io {
            doing: format!("{doing} {}", path.display()),
            cause: Box::new(error),
        },
    }
}
