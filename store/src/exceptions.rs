//! Exceptions: differences of a reconciliation that wait for people, in a file of their own.
//!
//! Not in the journal: what an exception says can be found again from the same settlement file, and every remedy that moves
//! money is a command of its own there. What this file adds is whose work it is, and what was decided about it.

use crate::runs::{self, Run};
use crate::traits::StoreError;
use charge::payment::{Currency, PaymentId, Price};
use charge::{Code, Money, Timestamp};
use parking_lot::Mutex;
use rusqlite::types::FromSqlError;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The name of the file in the data directory.
pub const FILE: &str = "exceptions.db";
const WHAT: &str = "exceptions";
/// Rows of one list.
pub const ROWS_MAX: usize = 10_000;

const SCHEMA: &str = "
create table if not exists exception (
    id text not null primary key, rail text not null, day bigint not null, kind text not null, payment bytea,
    reference text not null, line bigint not null, file_amount bigint, file_currency text, books_amount bigint,
    books_currency text, found_at bigint not null, owner text not null, closed_at bigint, closed_by text not null,
    remedy text not null
);
create index if not exists exception_open on exception (closed_at, found_at);
create table if not exists settled (payment bytea not null, kind bigint not null, primary key (payment, kind));
";
const COLUMNS: &str =
    "id, rail, day, kind, payment, reference, line, file_amount, file_currency, books_amount, books_currency,
    found_at, owner, closed_at, closed_by, remedy";

/// A difference that waits for people, or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The same difference always has the same id.
    pub id: String,
    /// The rail.
    pub rail: Code,
    /// The day of the file: days since 1970-01-01.
    pub day: i32,
    /// Kind, by its name.
    pub kind: String,
    /// The payment, when it is one of ours.
    pub payment: Option<PaymentId>,
    /// The rail's reference.
    pub reference: String,
    /// Line in the file; 0: none.
    pub line: u32,
    /// What the file says.
    pub file: Option<Price>,
    /// What the books say.
    pub books: Option<Price>,
    /// When it was first found: its age.
    pub found_at: Timestamp,
    /// Whose work it is; empty: nobody's yet.
    pub owner: String,
    /// Closed: when, by whom, how.
    pub closed: Option<Closed>,
}

/// The end of an exception.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// The remedy, by its name; `settled` when a later comparison no longer found it.
    pub remedy: String,
}

/// The exceptions of a data directory. Cheap to clone; every call may wait for the disk.
#[derive(Clone)]
pub struct Exceptions(pub(crate) Arc<Mutex<Connection>>);

impl Exceptions {
    /// Opens the file in a data directory, or makes it.
    ///
    /// # Errors
    /// [`StoreError`], as all of these.
    pub fn open(directory: &Path) -> Result<Exceptions, StoreError> {
        Exceptions::of(Connection::open(directory.join(FILE)).map_err(|e| failed("open", e))?)
    }

    /// Gone when it is dropped, for tests.
    pub fn in_memory() -> Result<Exceptions, StoreError> {
        Exceptions::of(Connection::open_in_memory().map_err(|e| failed("open", e))?)
    }

    fn of(db: Connection) -> Result<Exceptions, StoreError> {
        let prepare = || {
            db.busy_timeout(Duration::from_secs(10))?;
            db.pragma_update(None, "journal_mode", "wal")?;
            db.pragma_update(None, "synchronous", "full")?;
            db.execute_batch(SCHEMA)?;
            db.execute_batch(runs::SCHEMA)
        };
        prepare().map_err(|e| failed("prepare", e))?;
        Ok(Exceptions(Arc::new(Mutex::new(db))))
    }

    /// What files have had lines for: payment and a number of the caller for the kind of line.
    pub fn settled(&self, payments: &[PaymentId]) -> Result<BTreeSet<(PaymentId, u8)>, StoreError> {
        let db = self.0.lock();
        let query = || -> rusqlite::Result<_> {
            let mut all = BTreeSet::new();
            let mut statement = db.prepare_cached("select kind from settled where payment = ?1")?;
            for id in payments {
                for kind in statement.query_map([id.bits().to_be_bytes()], |row| row.get(0))? {
                    all.insert((*id, kind?));
                }
            }
            Ok(all)
        };
        query().map_err(|e| failed("read", e))
    }

    /// Keeps the outcome of one comparison of a rail's day: new differences are added, known ones stay as they are, and open
    /// ones of that day that are not found any more are closed. Answers how many are new.
    pub fn keep(
        &self,
        (rail, day): (Code, i32),
        found: &[Exception],
        settled: &BTreeSet<(PaymentId, u8)>,
        run: Option<&Run>,
        now: Timestamp,
    ) -> Result<usize, StoreError> {
        let mut db = self.0.lock();
        let mut write = || -> rusqlite::Result<usize> {
            let tx = db.transaction()?;
            let mut new = 0;
            for one in found {
                new += put(&tx, one)?;
            }
            for (payment, kind) in settled {
                tx.prepare_cached("insert into settled values (?1, ?2) on conflict do nothing")?
                    .execute(params![payment.bits().to_be_bytes(), kind])?;
            }
            let ids: BTreeSet<&str> = found.iter().map(|one| one.id.as_str()).collect();
            let sql = "select id from exception where rail = ?1 and day = ?2 and closed_at is null";
            let open: Vec<String> = tx
                .prepare_cached(sql)?
                .query_map(params![rail.as_str(), day], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            for id in open.iter().filter(|id| !ids.contains(id.as_str())) {
                let sql =
                    "update exception set closed_at = ?2, closed_by = '', remedy = 'settled' where id = ?1";
                tx.prepare_cached(sql)?.execute(params![id, now.0])?;
            }
            if let Some(run) = run {
                runs::put_run(&tx, run)?;
            }
            tx.commit()?;
            Ok(new)
        };
        write().map_err(|e| failed("write", e))
    }

    /// One exception.
    pub fn get(&self, id: &str) -> Result<Option<Exception>, StoreError> {
        let db = self.0.lock();
        let sql = format!("select {COLUMNS} from exception where id = ?1");
        let found = db.query_row(&sql, [id], exception).optional();
        found.map_err(|e| failed("read", e))
    }

    /// Exceptions, oldest first: those that wait, or all.
    pub fn list(&self, open_only: bool) -> Result<Vec<Exception>, StoreError> {
        let db = self.0.lock();
        let sql = format!(
            "select {COLUMNS} from exception where closed_at is null or not ?1 order by found_at, id limit {ROWS_MAX}"
        );
        let query = || -> rusqlite::Result<Vec<Exception>> {
            db.prepare_cached(&sql)?
                .query_map([open_only], exception)?
                .collect()
        };
        query().map_err(|e| failed("read", e))
    }

    /// Makes it somebody's work. False when there is no such open exception.
    pub fn assign(&self, id: &str, owner: &str) -> Result<bool, StoreError> {
        let db = self.0.lock();
        let sql = "update exception set owner = ?2 where id = ?1 and closed_at is null";
        let changed = db.execute(sql, params![id, owner]);
        changed.map(|rows| rows == 1).map_err(|e| failed("write", e))
    }

    /// Closes it. False when there is no such open exception.
    pub fn close(&self, id: &str, closed: &Closed) -> Result<bool, StoreError> {
        let db = self.0.lock();
        let sql = "update exception set closed_at = ?2, closed_by = ?3, remedy = ?4 where id = ?1 and closed_at is null";
        let changed = db.execute(sql, params![id, closed.at.0, closed.by, closed.remedy]);
        changed.map(|rows| rows == 1).map_err(|e| failed("write", e))
    }
}

pub(crate) fn put(tx: &rusqlite::Transaction<'_>, one: &Exception) -> rusqlite::Result<usize> {
    let sql =
        "insert into exception values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, null, '', '')
        on conflict do nothing";
    tx.prepare_cached(sql)?.execute(params![
        one.id,
        one.rail.as_str(),
        one.day,
        one.kind,
        one.payment.map(|id| id.bits().to_be_bytes()),
        one.reference,
        one.line,
        one.file.map(|price| price.amount.0),
        one.file.as_ref().map(|price| price.currency.as_str()),
        one.books.map(|price| price.amount.0),
        one.books.as_ref().map(|price| price.currency.as_str()),
        one.found_at.0,
        one.owner,
    ])
}

fn exception(row: &Row<'_>) -> rusqlite::Result<Exception> {
    let price = |amount: usize| -> rusqlite::Result<Option<Price>> {
        let letters: Option<String> = row.get(amount + 1)?;
        let micros: Option<i64> = row.get(amount)?;
        Ok(micros
            .zip(letters.as_deref().and_then(Currency::parse))
            .map(|(micros, currency)| Price {
                amount: Money(micros),
                currency,
            }))
    };
    let payment: Option<[u8; 16]> = row.get(4)?;
    let closed_at: Option<i64> = row.get(13)?;
    let closed = match closed_at {
        None => None,
        Some(at) => Some(Closed {
            at: Timestamp(at),
            by: row.get(14)?,
            remedy: row.get(15)?,
        }),
    };
    Ok(Exception {
        id: row.get(0)?,
        rail: Code::new(&row.get::<_, String>(1)?).ok_or(FromSqlError::InvalidType)?,
        day: row.get(2)?,
        kind: row.get(3)?,
        payment: payment.and_then(|bits| PaymentId::from_bits(u128::from_be_bytes(bits))),
        reference: row.get(5)?,
        line: row.get(6)?,
        file: price(7)?,
        books: price(9)?,
        found_at: Timestamp(row.get(11)?),
        owner: row.get(12)?,
        closed,
    })
}

pub(crate) fn failed(what: &'static str, error: rusqlite::Error) -> StoreError {
    crate::sqlite::sql_error(WHAT, what, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_once_owned_closed_and_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let one = |id: &str| Exception {
            id: id.to_owned(),
            rail: Code::new("bank").unwrap(),
            day: 20_000,
            kind: "extra-in-file".to_owned(),
            payment: PaymentId::new(1, 2),
            reference: "R".to_owned(),
            line: 7,
            file: Some(Price::pkr(Money::from_units(5))),
            books: None,
            found_at: Timestamp(1),
            owner: String::new(),
            closed: None,
        };
        let place = (Code::new("bank").unwrap(), 20_000);
        let settled = BTreeSet::from([(PaymentId::new(1, 2).unwrap(), 0)]);
        let all = [one("a"), one("b"), one("c")];
        {
            let file = Exceptions::open(folder.path()).unwrap();
            assert_eq!(file.keep(place, &all, &settled, None, Timestamp(1)).unwrap(), 3);
            assert_eq!(
                file.keep(place, &all, &settled, None, Timestamp(2)).unwrap(),
                0,
                "twice is once"
            );
            assert!(file.assign("a", "sana").unwrap());
            let closed = Closed {
                at: Timestamp(3),
                by: "sana".into(),
                remedy: "dismiss".into(),
            };
            assert!(file.close("a", &closed).unwrap());
            assert!(!file.close("a", &closed).unwrap(), "closed is closed");
            assert!(!file.assign("z", "sana").unwrap());
        }
        let file = Exceptions::open(folder.path()).unwrap();
        assert_eq!(file.list(true).unwrap(), [one("b"), one("c")]);
        assert_eq!(file.list(false).unwrap().len(), 3);
        assert_eq!(file.settled(&[PaymentId::new(1, 2).unwrap()]).unwrap(), settled);
        assert_eq!(
            file.keep(place, &all[..2], &settled, None, Timestamp(4)).unwrap(),
            0
        );
        let gone = file.get("c").unwrap().unwrap();
        assert_eq!(
            gone.closed.map(|closed| closed.remedy),
            Some("settled".to_owned())
        );
        let kept = file.get("a").unwrap().unwrap();
        assert_eq!(
            (kept.owner.as_str(), kept.closed.map(|closed| closed.remedy)),
            ("sana", Some("dismiss".into()))
        );
    }
}
