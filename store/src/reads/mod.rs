//! The read models: SQL tables that people and pages query, derived from the journal and rebuilt from it at any time.
//!
//! | module | job |
//! |---|---|
//! | `floats` | movements of floats; what was taken back of sales, what connectors hand over |
//! | `chain` | the selling chain: tree, movements, sales, days |
//! | `payments` | payments: rows, changes, questions |
//! | `rows` | the rows as plain data |
//! | `write` | the changes of one projected batch in one transaction, with the positions they stand for |
//! | `tail` | what is projected and not yet merged into its tables |
//! | `query` | what pages, the API and the command line ask |
//!
//! `reads.sqlite` syncs only when its WAL is moved into the file: after a power failure it is a little older, position
//! included, and the projection goes on from there.

mod chain;
mod floats;
mod payments;
mod query;
mod rows;
mod tail;
mod write;

pub use chain::{ChainChange, DayLine, Earned, MoveRow, SaleRow, SellerRow};
pub use floats::{FloatChange, FloatKind, FloatLine, FloatSum, OpenDelivery, TopUpEnd};
pub use payments::{FaultKind, PaymentChange, PaymentRow, RefundRow};
pub use query::ReadsReader;
pub(crate) use rows::put_place;
pub use rows::{
    Cursor, DayTotal, EVENTS_BYTES_MAX, EventPlace, LineKind, PartnerRow, RechargeLine, StatementEntry,
    StatementLine, Subscriber, TopUpCredit, TopUpRow, UsageRecord,
};
pub use write::{Changes, PartnerChange, ReadsWriter, SubscriberChange, TopUpChange, TotalKey, UsageChange};

use crate::sql::{reads as statements, sqlite};
use crate::sqlite::{Shared, connect, create_tables, sql_error};
use crate::traits::{Micros, Partition, Seq, StoreError};
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) const WHAT: &str = "reads.sqlite";
const PAGE_BYTES: u32 = 4096;

/// How far the read models have come in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadPosition {
    /// Partition.
    pub partition: Partition,
    /// Last projected batch.
    pub seq: Seq,
    /// Its time.
    pub at: Micros,
}

/// The read models of a data directory.
#[derive(Clone)]
pub struct ReadModels {
    path: PathBuf,
    /// Keeps the data directory locked; `None` for a scratch file that nobody else knows.
    _shared: Option<Arc<Shared>>,
}

impl ReadModels {
    pub(crate) fn of_store(shared: &Arc<Shared>) -> Result<Self, StoreError> {
        let models = Self {
            path: shared.dir.join(WHAT),
            _shared: Some(Arc::clone(shared)),
        };
        models.create()?;
        Ok(models)
    }

    /// Read models in a file of their own, for rebuilding beside the live ones, for audits and for tests.
    pub fn at_path(path: &Path) -> Result<Self, StoreError> {
        let models = Self {
            path: path.to_owned(),
            _shared: None,
        };
        models.create()?;
        Ok(models)
    }

    /// The one that writes; there should be one.
    pub fn writer(&self) -> Result<ReadsWriter, StoreError> {
        ReadsWriter::open(self.connect()?)
    }

    /// One that reads; any number may.
    pub fn reader(&self) -> Result<ReadsReader, StoreError> {
        let db = self.connect()?;
        db.pragma_update(None, "query_only", true)
            .map_err(|e| sql_error(WHAT, "prepare a reader", e))?;
        Ok(ReadsReader::new(db))
    }

    /// Compares with other read models row by row; one line per table that differs, empty when all is the same. Both must
    /// have their tails merged.
    pub fn differences(&self, other: &ReadModels) -> Result<Vec<String>, StoreError> {
        let compare = || -> rusqlite::Result<Vec<String>> {
            let db = Connection::open(&self.path)?;
            db.execute("attach database ?1 as other", [other.path.to_string_lossy()])?;
            let mut found = Vec::new();
            for place in ["main", "other"] {
                let last = format!("select count(*) from {place}.read_tail");
                let waiting: i64 = db.query_row(&last, [], |row| row.get(0))?;
                if waiting > 0 {
                    found.push(format!("read_tail: {waiting} rows of {place} wait to be merged"));
                }
            }
            for table in statements::TABLES {
                let (here, there): (i64, i64) =
                    db.query_row(&sqlite(&statements::differences(table)), [], |row| {
                        Ok((row.get(0)?, row.get(1)?))
                    })?;
                if (here, there) != (0, 0) {
                    found.push(format!("{table}: {here} rows only here, {there} rows only there"));
                }
            }
            Ok(found)
        };
        compare().map_err(|e| sql_error(WHAT, "compare the read models", e))
    }

    fn create(&self) -> Result<(), StoreError> {
        let mut db = self.connect()?;
        let format = (statements::FORMAT_GET, statements::FORMAT_SET, statements::FORMAT);
        let schema = [
            statements::SCHEMA,
            crate::sql::payments::SCHEMA,
            crate::sql::floats::SCHEMA,
            crate::sql::chain::SCHEMA,
        ]
        .concat();
        create_tables(&mut db, WHAT, &schema, format)
    }

    fn connect(&self) -> Result<Connection, StoreError> {
        connect(&self.path, WHAT, PAGE_BYTES)
    }
}

pub(crate) fn positions(db: &Connection) -> rusqlite::Result<Vec<ReadPosition>> {
    let mut statement = db.prepare_cached(&sqlite(statements::POSITIONS))?;
    let rows = statement.query_map([], |row| {
        Ok(ReadPosition {
            partition: row.get(0)?,
            seq: row.get::<_, i64>(1)?.cast_unsigned(),
            at: row.get(2)?,
        })
    })?;
    rows.collect()
}
