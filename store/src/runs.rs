//! Runs of the reconciliation: which file of which rail and day was compared, with what figures; and files that did not come.
//! In the file of the exceptions, in one transaction with them: a run and what it found are there together or not at all.

use crate::exceptions::{Exception, Exceptions, failed};
use crate::traits::StoreError;
use charge::{Code, Money, Timestamp};
use rusqlite::types::FromSqlError;
use rusqlite::{OptionalExtension as _, Row, params};

pub(crate) const SCHEMA: &str = "
create table if not exists run (
    rail text not null, day bigint not null, digest text not null, source text not null, lines bigint not null,
    matched bigint not null, file bigint not null, ledger bigint not null, credited bigint not null,
    refunded bigint not null, fees bigint not null, currency text not null, differences bigint not null,
    ran_at bigint not null, times bigint not null, primary key (rail, day)
);
create table if not exists run_since (rail text not null primary key, day bigint not null);
";
const COLUMNS: &str = "rail, day, digest, source, lines, matched, file, ledger, credited, refunded, fees, currency, \
    differences, ran_at, times";
/// Rows of one list.
pub const RUNS_MAX: i64 = 2_000;

/// A comparison of a rail's day. Amounts are in the rail's currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The rail.
    pub rail: Code,
    /// The day: days since 1970-01-01.
    pub day: i32,
    /// SHA-256 of the file, hexadecimal: the same file is compared once by itself.
    pub digest: String,
    /// Who began it: `daily`, or the name of somebody.
    pub source: String,
    /// Lines in the file.
    pub lines: u64,
    /// Lines that agree.
    pub matched: u64,
    /// Payments, as the rail's file has them.
    pub file: Money,
    /// Payments, as the ledger has them.
    pub ledger: Money,
    /// Payments that the operator credited, or that are somewhere else on purpose: in suspense, on their way back.
    pub credited: Money,
    /// Given back, of the lines that agree.
    pub refunded: Money,
    /// Fees of all lines.
    pub fees: Money,
    /// The currency; empty: the file had no line.
    pub currency: String,
    /// Differences.
    pub differences: u64,
    /// When.
    pub ran_at: Timestamp,
    /// How often this day was compared.
    pub times: u32,
}

impl Exceptions {
    /// The run of a rail's day.
    ///
    /// # Errors
    /// [`StoreError`], as all of these.
    pub fn run_of(&self, rail: Code, day: i32) -> Result<Option<Run>, StoreError> {
        let db = self.0.lock();
        let sql = format!("select {COLUMNS} from run where rail = ?1 and day = ?2");
        let found = db.query_row(&sql, params![rail.as_str(), day], run).optional();
        found.map_err(|e| failed("read", e))
    }

    /// Runs, the latest day first.
    pub fn runs(&self) -> Result<Vec<Run>, StoreError> {
        let db = self.0.lock();
        let sql = format!("select {COLUMNS} from run order by day desc, rail limit {RUNS_MAX}");
        let query =
            || -> rusqlite::Result<Vec<Run>> { db.prepare_cached(&sql)?.query_map([], run)?.collect() };
        query().map_err(|e| failed("read", e))
    }

    /// The first day whose file is missed when it does not come: that of the first question, for good.
    pub fn files_expected_since(&self, rail: Code, day: i32) -> Result<i32, StoreError> {
        let db = self.0.lock();
        let ask = || -> rusqlite::Result<i32> {
            db.execute(
                "insert into run_since (rail, day) values (?1, ?2) on conflict do nothing",
                params![rail.as_str(), day],
            )?;
            db.query_row(
                "select day from run_since where rail = ?1",
                [rail.as_str()],
                |row| row.get(0),
            )
        };
        ask().map_err(|e| failed("write", e))
    }

    /// Adds an exception about a file itself. True when it is new.
    pub fn add(&self, one: &Exception) -> Result<bool, StoreError> {
        let mut db = self.0.lock();
        let mut write = || -> rusqlite::Result<usize> {
            let tx = db.transaction()?;
            let new = crate::exceptions::put(&tx, one)?;
            tx.commit()?;
            Ok(new)
        };
        write().map(|new| new == 1).map_err(|e| failed("write", e))
    }
}

pub(crate) fn put_run(tx: &rusqlite::Transaction<'_>, run: &Run) -> rusqlite::Result<()> {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let sql = "insert into run values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, 1)
        on conflict (rail, day) do update set digest = excluded.digest, source = excluded.source,
            lines = excluded.lines, matched = excluded.matched, file = excluded.file, ledger = excluded.ledger,
            credited = excluded.credited, refunded = excluded.refunded, fees = excluded.fees,
            currency = excluded.currency, differences = excluded.differences, ran_at = excluded.ran_at,
            times = run.times + 1";
    tx.prepare_cached(sql)?.execute(params![
        run.rail.as_str(),
        run.day,
        run.digest,
        run.source,
        number(run.lines),
        number(run.matched),
        run.file.0,
        run.ledger.0,
        run.credited.0,
        run.refunded.0,
        run.fees.0,
        run.currency,
        number(run.differences),
        run.ran_at.0,
    ])?;
    Ok(())
}

fn run(row: &Row<'_>) -> rusqlite::Result<Run> {
    let count = |column: usize| -> rusqlite::Result<u64> { Ok(row.get::<_, i64>(column)?.unsigned_abs()) };
    Ok(Run {
        rail: Code::new(&row.get::<_, String>(0)?).ok_or(FromSqlError::InvalidType)?,
        day: row.get(1)?,
        digest: row.get(2)?,
        source: row.get(3)?,
        lines: count(4)?,
        matched: count(5)?,
        file: Money(row.get(6)?),
        ledger: Money(row.get(7)?),
        credited: Money(row.get(8)?),
        refunded: Money(row.get(9)?),
        fees: Money(row.get(10)?),
        currency: row.get(11)?,
        differences: count(12)?,
        ran_at: Timestamp(row.get(13)?),
        times: row.get(14)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_run_and_what_it_found_are_there_together_and_a_missing_file_closes_when_it_comes() {
        let file = Exceptions::in_memory().unwrap();
        let rail = Code::new("bank").unwrap();
        assert_eq!(file.files_expected_since(rail, 20_000).unwrap(), 20_000);
        assert_eq!(
            file.files_expected_since(rail, 20_009).unwrap(),
            20_000,
            "for good"
        );
        let missing = Exception {
            id: "m".to_owned(),
            rail,
            day: 20_000,
            kind: "missing-file".to_owned(),
            payment: None,
            reference: "2024-10-04.csv".to_owned(),
            line: 0,
            file: None,
            books: None,
            found_at: Timestamp(1),
            owner: String::new(),
            closed: None,
        };
        assert!(file.add(&missing).unwrap());
        assert!(!file.add(&missing).unwrap(), "once, with its age");
        let run = Run {
            rail,
            day: 20_000,
            digest: "d".to_owned(),
            source: "daily".to_owned(),
            lines: 3,
            matched: 2,
            file: Money::from_units(300),
            ledger: Money::from_units(200),
            credited: Money::from_units(200),
            refunded: Money::ZERO,
            fees: Money::ZERO,
            currency: "PKR".to_owned(),
            differences: 1,
            ran_at: Timestamp(5),
            times: 1,
        };
        let place = (rail, 20_000);
        file.keep(place, &[], &BTreeSet::new(), Some(&run), Timestamp(5))
            .unwrap();
        assert_eq!(file.run_of(rail, 20_000).unwrap(), Some(run.clone()));
        assert_eq!(file.list(true).unwrap(), []);
        file.keep(place, &[], &BTreeSet::new(), Some(&run), Timestamp(6))
            .unwrap();
        assert_eq!(file.runs().unwrap()[0].times, 2);
    }
}
