//! The journal in `journal.sqlite`: one writer that syncs every commit, any number of readers.
//!
//! Moving the WAL into the file (SQLite calls it a checkpoint) is kept away from the charges: a thread of its own moves
//! pages in PASSIVE mode, which lets the writer go on; the writer itself moves only what came in meanwhile, once
//! the thread has caught up, so that the WAL can start from its beginning and stays small.

use super::{JOURNAL_FILE, Shared, WriterSlot, append_error, connect, create_tables, sql_error};
use crate::batch::peek_hash;
use crate::sql::{journal as statements, sqlite};
use crate::traits::{AppendError, Head, Journal, JournalReader, JournalRow, Partition, Seq, StoreError};
use rusqlite::{Connection, ErrorCode, params};
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

const WHAT: &str = "journal.sqlite";
/// The mover is woken after so many bytes of WAL: little enough that its sync does not hold up the writer's.
const MOVE_BYTES: u64 = 4 << 20;

/// The writer of the journal; also tells how long its commits wait for the WAL to be moved.
pub struct SqliteJournal {
    db: Connection,
    append: String,
    mover: Option<Mover>,
    wal: WalGauge,
    _slot: WriterSlot,
}

/// What is known about the size of the WAL, bytes.
struct WalGauge {
    /// Written since the WAL last started anew.
    written: u64,
    /// Written since the mover was last woken.
    since_wake: u64,
    limit: u64,
    page_bytes: u64,
    /// Number of the move after which the writer moves the rest itself.
    finish_after: Option<u64>,
}

/// The thread that moves the WAL into the file.
struct Mover {
    wake: SyncSender<()>,
    /// Moves that have ended.
    moves: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl SqliteJournal {
    pub(super) fn open(shared: &Arc<Shared>) -> Result<Self, StoreError> {
        let slot = WriterSlot::journal(shared)?;
        let options = &shared.options;
        let db = connect(&shared.dir.join(JOURNAL_FILE), WHAT, options.journal_page_bytes)?;
        let page_bytes = (|| -> rusqlite::Result<u64> {
            db.pragma_update(None, "synchronous", "full")?;
            db.pragma_update(None, "wal_autocheckpoint", 0)?;
            db.pragma_update(None, "cache_size", -4096)?;
            if let Some(pages) = options.journal_pages_max {
                db.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
            }
            if options.journal_read_only {
                db.pragma_update(None, "query_only", true)?;
            }
            db.pragma_query_value(None, "page_size", |row| row.get(0).map(u32::into))
        })()
        .map_err(|e| sql_error(WHAT, "prepare the writer", e))?;
        let mover = Mover::start(shared)?;
        let wal = WalGauge {
            written: 0,
            since_wake: 0,
            limit: options.journal_wal_bytes,
            page_bytes,
            finish_after: None,
        };
        Ok(Self {
            db,
            append: sqlite(statements::APPEND),
            mover: Some(mover),
            wal,
            _slot: slot,
        })
    }

    /// After a sync that failed, nobody knows what of the file is on the disk, and a later sync may say nothing about it.
    /// So the WAL, which is on the disk, is not started anew any more; the next start moves all of it again.
    fn stop_moving(&mut self) {
        if let Some(Mover { wake, thread, .. }) = self.mover.take() {
            drop(wake);
            if thread.join().is_err() {
                tracing::error!("the thread that moves the journal's WAL has panicked");
            }
        }
    }

    /// Wakes the mover every [`MOVE_BYTES`]. When the WAL is large enough to start anew, waits for one more move, and then
    /// moves here what came in during that one: little, and so the stall is short.
    fn keep_wal_small(&mut self, rows: &[JournalRow]) {
        let page = self.wal.page_bytes;
        let bytes: u64 = rows
            .iter()
            .map(|row| (row.batch.len() as u64).div_ceil(page) * page + 2 * page)
            .sum();
        self.wal.written += bytes;
        self.wal.since_wake += bytes;
        let Some(mover) = &self.mover else { return };
        let moves = mover.moves.load(Ordering::Acquire);
        if self.wal.finish_after.is_some_and(|number| moves >= number) {
            self.wal.finish_after = None;
            match move_wal(&self.db) {
                Ok(()) => self.wal.written = 0,
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure) => {
                    tracing::error!(%error, "cannot move the journal's WAL; it is kept whole until the next start");
                    self.stop_moving();
                }
                // A full disk, for example: the next move tries again.
                Err(error) => tracing::warn!(%error, "cannot move the journal's WAL; it grows meanwhile"),
            }
        } else if self.wal.since_wake >= MOVE_BYTES {
            // A full channel means that the mover has been woken already.
            let woken = mover.wake.try_send(()).is_ok();
            self.wal.since_wake = 0;
            if woken && self.wal.written >= self.wal.limit && self.wal.finish_after.is_none() {
                self.wal.finish_after = Some(moves + 1);
            }
        }
    }
}

impl Journal for SqliteJournal {
    fn append(&mut self, rows: &[JournalRow]) -> Result<(), AppendError> {
        if rows.is_empty() {
            return Ok(());
        }
        let tx = self.db.unchecked_transaction().map_err(append_error)?;
        {
            let mut insert = tx.prepare_cached(&self.append).map_err(append_error)?;
            for row in rows {
                let done = insert.execute(params![row.partition, row.seq.cast_signed(), row.batch]);
                done.map_err(|error| match error.sqlite_error_code() {
                    Some(ErrorCode::ConstraintViolation) => AppendError::Fenced {
                        partition: row.partition,
                        seq: row.seq,
                    },
                    _ => append_error(error),
                })?;
            }
        }
        tx.commit().map_err(append_error)?;
        self.keep_wal_small(rows);
        Ok(())
    }
}

impl Drop for SqliteJournal {
    fn drop(&mut self) {
        self.stop_moving();
    }
}

impl Mover {
    fn start(shared: &Arc<Shared>) -> Result<Self, StoreError> {
        let db = connect(
            &shared.dir.join(JOURNAL_FILE),
            WHAT,
            shared.options.journal_page_bytes,
        )?;
        db.pragma_update(None, "synchronous", "full")
            .map_err(|e| sql_error(WHAT, "prepare the mover", e))?;
        let (wake, woken) = sync_channel(1);
        let moves = Arc::new(AtomicU64::new(0));
        let (done, shared) = (Arc::clone(&moves), Arc::clone(shared));
        let thread = std::thread::Builder::new()
            .name("journal-wal".to_owned())
            .spawn(move || Self::run(&db, &shared.journal_file, &woken, &done))
            .map_err(|e| StoreError::Io {
                doing: "start the WAL thread".to_owned(),
                cause: Box::new(e),
            })?;
        Ok(Self { wake, moves, thread })
    }

    fn run(db: &Connection, file: &File, woken: &Receiver<()>, moves: &AtomicU64) {
        while woken.recv().is_ok() {
            // SQLite syncs the file only in the move that reaches the end of the WAL, which is the writer's: syncing here
            // leaves it nothing to wait for.
            if let Err(error) = move_wal(db) {
                tracing::warn!(%error, "cannot move the journal's WAL; it grows meanwhile");
            } else if let Err(error) = file.sync_data() {
                // See `SqliteJournal::stop_moving`: without this thread the writer never starts the WAL anew.
                tracing::error!(%error, "cannot sync the journal; its WAL is kept whole until the next start");
                return;
            }
            moves.fetch_add(1, Ordering::Release);
        }
    }
}

/// Moves what can be moved without waiting for anybody.
fn move_wal(db: &Connection) -> rusqlite::Result<()> {
    db.prepare_cached("pragma wal_checkpoint(passive)")?
        .query_row([], |_| Ok(()))?;
    Ok(())
}

/// A reader of the journal.
pub(super) struct Reader {
    db: Connection,
    read: String,
    _shared: Arc<Shared>,
}

impl Reader {
    pub(super) fn open(shared: &Arc<Shared>) -> Result<Self, StoreError> {
        let db = connect(
            &shared.dir.join(JOURNAL_FILE),
            WHAT,
            shared.options.journal_page_bytes,
        )?;
        db.pragma_update(None, "query_only", true)
            .map_err(|e| sql_error(WHAT, "prepare a reader", e))?;
        Ok(Self {
            db,
            read: sqlite(statements::READ),
            _shared: Arc::clone(shared),
        })
    }

    fn head(&self, partition: Partition) -> rusqlite::Result<(Seq, Seq, Vec<u8>)> {
        let first: i64 = self
            .db
            .prepare_cached(&sqlite(statements::PARTITION_FIRST))?
            .query_row([partition], |row| row.get(0))?;
        let (last, header): (i64, Vec<u8>) = self
            .db
            .prepare_cached(&sqlite(statements::PARTITION_LAST))?
            .query_row([partition], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok((first.cast_unsigned(), last.cast_unsigned(), header))
    }
}

impl JournalReader for Reader {
    fn read(
        &mut self,
        partition: Partition,
        from: Seq,
        max_bytes: usize,
    ) -> Result<Vec<JournalRow>, StoreError> {
        let read = || -> rusqlite::Result<Vec<JournalRow>> {
            let mut statement = self.db.prepare_cached(&self.read)?;
            let mut found = statement.query(params![partition, i64::try_from(from).unwrap_or(i64::MAX)])?;
            let (mut rows, mut bytes) = (Vec::new(), 0usize);
            while bytes < max_bytes || rows.is_empty() {
                let Some(row) = found.next()? else { break };
                let batch: Vec<u8> = row.get(1)?;
                bytes += batch.len();
                rows.push(JournalRow {
                    partition,
                    seq: row.get::<_, i64>(0)?.cast_unsigned(),
                    batch,
                });
            }
            Ok(rows)
        };
        read().map_err(|e| sql_error(WHAT, "read the journal", e))
    }

    fn heads(&mut self) -> Result<Vec<Head>, StoreError> {
        let next = |after: i64| -> rusqlite::Result<Option<i64>> {
            self.db
                .prepare_cached(&sqlite(statements::PARTITION_NEXT))?
                .query_row([after], |row| row.get::<_, Option<i64>>(0))
        };
        let error = |e| sql_error(WHAT, "read the heads of the journal", e);
        // One moment for all: what a partition answers is not seen before what another asked it.
        let moment = self.db.unchecked_transaction().map_err(error)?;
        // One look-up per partition: grouping would walk the whole index.
        let (mut heads, mut after) = (Vec::new(), -1);
        while let Some(number) = next(after).map_err(error)? {
            after = number;
            let damaged = |detail: String| StoreError::Corrupt {
                what: WHAT.to_owned(),
                detail,
            };
            let partition = Partition::try_from(number)
                .map_err(|_| damaged(format!("there is no partition {number}")))?;
            let (first, seq, header) = self.head(partition).map_err(error)?;
            let hash = peek_hash(&header)
                .ok_or_else(|| damaged(format!("batch {seq} of partition {partition} has no header")))?;
            heads.push(Head {
                partition,
                first,
                seq,
                hash,
            });
        }
        moment.finish().map_err(error)?;
        Ok(heads)
    }
}

/// Creates the file and its tables.
pub(super) fn create(shared: &Shared) -> Result<(), StoreError> {
    let mut db = connect(
        &shared.dir.join(JOURNAL_FILE),
        WHAT,
        shared.options.journal_page_bytes,
    )?;
    let format = (statements::FORMAT_GET, statements::FORMAT_SET, statements::FORMAT);
    create_tables(&mut db, WHAT, statements::SCHEMA, format)
}
