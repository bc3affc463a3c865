//! The snapshots in `accounts.sqlite`.

use super::{ACCOUNTS_FILE, Shared, WriterSlot, connect, create_tables, sql_error};
use crate::batch::Hash;
use crate::sql::{snapshots as statements, sqlite};
use crate::traits::{
    Checkpoint, Due, Micros, Partition, Snapshot, SnapshotReader, SnapshotRow, SnapshotWriter, StoreError,
};
use rusqlite::types::FromSqlError;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::sync::Arc;

const WHAT: &str = "accounts.sqlite";
/// Small rows under random keys: small pages write less.
const PAGE_BYTES: u32 = 4096;
/// Pages in the WAL after which the writer moves them into the file; it runs apart from the charges.
const WAL_PAGES: u32 = 1024;

/// A reader of the snapshots.
pub(super) struct Reader {
    db: Connection,
    get: String,
    _shared: Arc<Shared>,
}

impl Reader {
    pub(super) fn open(shared: &Arc<Shared>) -> Result<Self, StoreError> {
        let db = open(shared)?;
        db.pragma_update(None, "query_only", true)
            .map_err(|e| sql_error(WHAT, "prepare a reader", e))?;
        Ok(Self {
            db,
            get: sqlite(statements::GET),
            _shared: Arc::clone(shared),
        })
    }
}

impl SnapshotReader for Reader {
    fn get(&mut self, partition: Partition, key: &[u8]) -> Result<Option<Snapshot>, StoreError> {
        let get = || {
            self.db
                .prepare_cached(&self.get)?
                .query_row(params![partition, key], |row| {
                    Ok(Snapshot {
                        key: key.to_vec(),
                        seq: row.get::<_, i64>(0)?.cast_unsigned(),
                        due: row.get(1)?,
                        bytes: row.get(2)?,
                    })
                })
                .optional()
        };
        get().map_err(|e| sql_error(WHAT, "read a snapshot", e))
    }

    fn due(
        &mut self,
        partition: Partition,
        after: Option<&Due>,
        until: Micros,
        limit: usize,
    ) -> Result<Vec<Due>, StoreError> {
        let (at, key) = after.map_or((Micros::MIN, &[][..]), |after| (after.at, &after.key));
        let read = || -> rusqlite::Result<Vec<Due>> {
            let mut statement = self.db.prepare_cached(&sqlite(statements::DUE))?;
            let values = params![partition, until, rows_limit(limit), at, key];
            let rows = statement.query_map(values, |row| {
                Ok(Due {
                    at: row.get(0)?,
                    key: row.get(1)?,
                })
            })?;
            rows.collect()
        };
        read().map_err(|e| sql_error(WHAT, "read what is due", e))
    }

    fn checkpoint(&mut self, partition: Partition) -> Result<Option<Checkpoint>, StoreError> {
        let read = || {
            self.db
                .prepare_cached(&sqlite(statements::CHECKPOINT_GET))?
                .query_row([partition], |row| {
                    Ok(Checkpoint {
                        partition,
                        seq: row.get::<_, i64>(0)?.cast_unsigned(),
                        hash: hash(row, 1)?,
                        meta: row.get(2)?,
                    })
                })
                .optional()
        };
        read().map_err(|e| sql_error(WHAT, "read a checkpoint", e))
    }

    fn scan(
        &mut self,
        partition: Partition,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Snapshot>, StoreError> {
        let read = || -> rusqlite::Result<Vec<Snapshot>> {
            let limit = rows_limit(limit);
            let statement = if after.is_some() {
                statements::SCAN
            } else {
                statements::SCAN_ALL
            };
            let mut statement = self.db.prepare_cached(&sqlite(statement))?;
            let rows = match after {
                Some(after) => statement.query_map(params![partition, after, limit], snapshot)?,
                None => statement.query_map(params![partition, limit], snapshot)?,
            };
            rows.collect()
        };
        read().map_err(|e| sql_error(WHAT, "scan the snapshots", e))
    }

    fn count(&mut self, partition: Partition) -> Result<u64, StoreError> {
        let read = || {
            self.db
                .prepare_cached(&sqlite(statements::COUNT))?
                .query_row([partition], |row| row.get::<_, i64>(0))
        };
        read()
            .map(i64::cast_unsigned)
            .map_err(|e| sql_error(WHAT, "count the snapshots", e))
    }
}

/// The writer of the snapshots.
pub(super) struct Writer {
    db: Connection,
    put: String,
    remove: String,
    _slot: WriterSlot,
}

impl Writer {
    pub(super) fn open(shared: &Arc<Shared>) -> Result<Self, StoreError> {
        let slot = WriterSlot::snapshots(shared)?;
        let db = open(shared)?;
        db.pragma_update(None, "synchronous", "normal")
            .and_then(|()| db.pragma_update(None, "wal_autocheckpoint", WAL_PAGES))
            .map_err(|e| sql_error(WHAT, "prepare the writer", e))?;
        Ok(Self {
            db,
            put: sqlite(statements::PUT),
            remove: sqlite(statements::REMOVE),
            _slot: slot,
        })
    }
}

impl SnapshotWriter for Writer {
    fn put(&mut self, rows: &[SnapshotRow], checkpoints: &[Checkpoint]) -> Result<(), StoreError> {
        let mut write = || -> rusqlite::Result<()> {
            let tx = self.db.transaction()?;
            {
                let mut put = tx.prepare_cached(&self.put)?;
                let mut remove = tx.prepare_cached(&self.remove)?;
                for row in rows {
                    match &row.bytes {
                        Some(bytes) => put.execute(params![
                            row.partition,
                            row.key,
                            row.seq.cast_signed(),
                            row.due,
                            bytes
                        ])?,
                        None => remove.execute(params![row.partition, row.key])?,
                    };
                }
                let mut put = tx.prepare_cached(&sqlite(statements::CHECKPOINT_PUT))?;
                for point in checkpoints {
                    put.execute(params![
                        point.partition,
                        point.seq.cast_signed(),
                        point.hash.0,
                        point.meta
                    ])?;
                }
            }
            tx.commit()
        };
        write().map_err(|e| sql_error(WHAT, "write snapshots", e))
    }

    fn clear(&mut self, partition: Partition) -> Result<(), StoreError> {
        let mut clear = || -> rusqlite::Result<()> {
            let tx = self.db.transaction()?;
            tx.execute(&sqlite(statements::CLEAR), [partition])?;
            tx.execute(&sqlite(statements::CHECKPOINT_CLEAR), [partition])?;
            tx.commit()
        };
        clear().map_err(|e| sql_error(WHAT, "clear the snapshots", e))
    }
}

/// Creates the file and its tables.
pub(super) fn create(shared: &Shared) -> Result<(), StoreError> {
    let mut db = open(shared)?;
    let format = (statements::FORMAT_GET, statements::FORMAT_SET, statements::FORMAT);
    create_tables(&mut db, WHAT, statements::SCHEMA, format)
}

fn open(shared: &Shared) -> Result<Connection, StoreError> {
    let db = connect(&shared.dir.join(ACCOUNTS_FILE), WHAT, PAGE_BYTES)?;
    db.pragma_update(None, "cache_size", -i64::from(shared.options.snapshot_cache_kib))
        .map_err(|e| sql_error(WHAT, "set the cache", e))?;
    Ok(db)
}

fn snapshot(row: &Row<'_>) -> rusqlite::Result<Snapshot> {
    Ok(Snapshot {
        key: row.get(0)?,
        seq: row.get::<_, i64>(1)?.cast_unsigned(),
        due: row.get(2)?,
        bytes: row.get(3)?,
    })
}

fn hash(row: &Row<'_>, column: usize) -> rusqlite::Result<Hash> {
    let bytes = row.get_ref(column)?.as_blob()?;
    let hash = bytes.try_into().map_err(|_| FromSqlError::InvalidBlobSize {
        expected_size: 32,
        blob_size: bytes.len(),
    })?;
    Ok(Hash(hash))
}

fn rows_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
