//! What pages, the API and the command line ask the read models.

use super::rows::{
    Cursor, DayTotal, EventPlace, LineKind, PartnerRow, RechargeLine, StatementEntry, StatementLine,
    Subscriber, TopUpCredit, TopUpRow, UsageRecord, of_code, places,
};
use super::tail::{Pending, bucket_of};
use super::write::{UsageChange, step_of};
use super::{ReadPosition, WHAT, positions};
use crate::sql::{reads as statements, sqlite};
use crate::sqlite::sql_error;
use crate::traits::{Head, StoreError};
use charge::catalog::Called;
use charge::codec::Codec;
use charge::ids::{SessionKey, digest128};
use charge::reply::Receipt;
use charge::tax::Rate;
use charge::unit::Amount;
use charge::{AccountId, Code, Imsi, Money, Msisdn, OperatorId, PartnerId, Timestamp, Unit};
use rusqlite::types::FromSqlError;
use rusqlite::{Connection, OptionalExtension, Params, Row, Transaction, params};
use std::cmp::Reverse;

/// Longest page that one query gives.
pub const PAGE_ROWS_MAX: usize = 1000;

/// Reads the read models.
pub struct ReadsReader {
    db: Connection,
}

impl ReadsReader {
    pub(super) fn new(db: Connection) -> Self {
        Self { db }
    }

    /// How far the tables have come, by partition.
    pub fn positions(&mut self) -> Result<Vec<ReadPosition>, StoreError> {
        positions(&self.db).map_err(|e| sql_error(WHAT, "read the positions", e))
    }

    /// Batches that are in the journal and not yet in the tables.
    pub fn lag(&mut self, heads: &[Head]) -> Result<u64, StoreError> {
        let positions = self.positions()?;
        let seen = |head: &Head| {
            positions
                .iter()
                .find(|position| position.partition == head.partition)
                .map_or(0, |position| position.seq)
        };
        Ok(heads.iter().map(|head| head.seq.saturating_sub(seen(head))).sum())
    }

    /// The subscriber of an account.
    pub fn subscriber(&mut self, account: AccountId) -> Result<Option<Subscriber>, StoreError> {
        self.one(
            &statements::subscriber("account = $1"),
            [account.0.cast_signed()],
            subscriber,
        )
    }

    /// The subscriber who has the number now: the newest account opened with it.
    pub fn subscriber_by_number(&mut self, msisdn: Msisdn) -> Result<Option<Subscriber>, StoreError> {
        let by = "msisdn = $1 order by opened_at desc, account desc limit 1";
        self.one(
            &statements::subscriber(by),
            [msisdn.number().cast_signed()],
            subscriber,
        )
    }

    /// Subscribers of an operator in account order, behind `after`.
    pub fn subscribers(
        &mut self,
        operator: OperatorId,
        after: Option<AccountId>,
        limit: usize,
    ) -> Result<Vec<Subscriber>, StoreError> {
        let by = "operator = $1 and account > $2 order by account limit $3";
        let after = after.map_or(-1, |account| account.0.cast_signed());
        self.many(
            &statements::subscriber(by),
            params![operator.0, after, page(limit)],
            subscriber,
        )
    }

    /// A page of a statement, the newest first: use and everything else together. Start with [`Cursor::NEWEST`], go on
    /// with the [`StatementEntry::cursor`] of the last entry.
    pub fn statement(
        &mut self,
        account: AccountId,
        before: Cursor,
        limit: usize,
    ) -> Result<Vec<StatementEntry>, StoreError> {
        let lines = self.lines(account, before, limit)?;
        let usage = self.usage(account, before, limit)?;
        let mut lines = lines.into_iter().peekable();
        let mut usage = usage.into_iter().peekable();
        let mut merged = Vec::with_capacity(limit.min(PAGE_ROWS_MAX));
        while merged.len() < limit.min(PAGE_ROWS_MAX) {
            let line_first = match (lines.peek(), usage.peek()) {
                (Some(line), Some(record)) => line.at >= record.opened_at,
                (line, _) => line.is_some(),
            };
            let entry = if line_first {
                lines.next().map(|line| StatementEntry::Line(Box::new(line)))
            } else {
                usage.next().map(|record| StatementEntry::Usage(Box::new(record)))
            };
            match entry {
                Some(entry) => merged.push(entry),
                None => break,
            }
        }
        Ok(merged)
    }

    /// Statement lines other than use, the newest first.
    pub fn lines(
        &mut self,
        account: AccountId,
        before: Cursor,
        limit: usize,
    ) -> Result<Vec<StatementLine>, StoreError> {
        let limit = limit.min(PAGE_ROWS_MAX);
        let (_moment, tail) = self.tail_of(account)?;
        let values = params![account.0.cast_signed(), before.at.0, before.line, page(limit)];
        let mut found = self.many(&statements::line(statements::LINE_PAGE_WHERE), values, line)?;
        let end = (before.at, before.line);
        found.extend(
            tail.lines
                .into_iter()
                .filter(|line| (line.at, line.place.line()) < end),
        );
        found.sort_by_key(|line| Reverse((line.at, line.place.line())));
        found.truncate(limit);
        Ok(found)
    }

    /// The statement line of an event.
    pub fn line(
        &mut self,
        account: AccountId,
        place: EventPlace,
    ) -> Result<Option<StatementLine>, StoreError> {
        let (_moment, tail) = self.tail_of(account)?;
        if let Some(line) = tail
            .lines
            .into_iter()
            .find(|line| line.place.line() == place.line())
        {
            return Ok(Some(line));
        }
        let values = [account.0.cast_signed(), place.line()];
        self.one(&statements::line("account = $1 and line = $2"), values, line)
    }

    /// The recharge that a receipt proves.
    pub fn receipt(&mut self, receipt: Receipt) -> Result<Option<StatementLine>, StoreError> {
        let (_moment, tail) = self.tail_of(receipt.account)?;
        let proves = |line: &StatementLine| {
            line.recharge
                .as_ref()
                .is_some_and(|recharge| recharge.receipt == receipt)
        };
        if let Some(line) = tail.lines.into_iter().find(proves) {
            return Ok(Some(line));
        }
        let values = [receipt.account.0.cast_signed(), receipt.event.cast_signed()];
        self.one(&statements::line("account = $1 and receipt = $2"), values, line)
    }

    /// What was taken back of a credit: how much, and when. `reference` is that of the receipt.
    pub fn taken_back(
        &mut self,
        account: AccountId,
        reference: &str,
    ) -> Result<Option<StatementLine>, StoreError> {
        let (_moment, tail) = self.tail_of(account)?;
        let same = |line: &StatementLine| line.kind == LineKind::TakenBack && line.title == reference;
        if let Some(line) = tail.lines.into_iter().find(same) {
            return Ok(Some(line));
        }
        let values = params![account.0.cast_signed(), LineKind::TakenBack.code(), reference];
        let by = "account = $1 and kind = $2 and title = $3 order by line limit 1";
        self.one(&statements::line(by), values, line)
    }

    /// The recharges of an account, each with its receipt, the newest first.
    pub fn receipts(
        &mut self,
        account: AccountId,
        before: Cursor,
        limit: usize,
    ) -> Result<Vec<StatementLine>, StoreError> {
        let account = account.0.cast_signed();
        let values = params![account, before.at.0, before.line, page(limit)];
        self.many(&statements::line(statements::RECEIPT_PAGE_WHERE), values, line)
    }

    /// Usage records, the newest session first.
    pub fn usage(
        &mut self,
        account: AccountId,
        before: Cursor,
        limit: usize,
    ) -> Result<Vec<UsageRecord>, StoreError> {
        let limit = limit.min(PAGE_ROWS_MAX);
        let (_moment, tail) = self.tail_of(account)?;
        // Rows that the tail goes on with may stand in this page, so as many more are read.
        let rows = page(limit) + tail.usage.len() as i64;
        let values = params![
            account.0.cast_signed(),
            before.at.0,
            before.session.0.to_be_bytes(),
            rows
        ];
        let mut found = self.many(&statements::usage(statements::USAGE_PAGE_WHERE), values, usage)?;
        if !tail.usage.is_empty() {
            found.retain(|record| !tail.usage.contains_key(&(account, record.session)));
            for ((_, session), change) in &tail.usage {
                let row = self.usage_row(account, *session)?;
                let record = with_tail(row, account, *session, change)?;
                if (record.opened_at, *session) < (before.at, before.session) {
                    found.push(record);
                }
            }
            found.sort_by_key(|record| Reverse((record.opened_at, record.session)));
        }
        found.truncate(limit);
        Ok(found)
    }

    /// The usage record of a session.
    pub fn usage_of_session(
        &mut self,
        account: AccountId,
        session: SessionKey,
    ) -> Result<Option<UsageRecord>, StoreError> {
        let (_moment, tail) = self.tail_of(account)?;
        let row = self.usage_row(account, session)?;
        match tail.usage.get(&(account, session)) {
            Some(change) => with_tail(row, account, session, change).map(Some),
            None => Ok(row),
        }
    }

    fn usage_row(&self, account: AccountId, session: SessionKey) -> Result<Option<UsageRecord>, StoreError> {
        let values = params![account.0.cast_signed(), session.0.to_be_bytes()];
        self.one(&statements::usage("account = $1 and session = $2"), values, usage)
    }

    /// What the tail has of an account, and the moment that it was looked at: rows read while that lives belong to it.
    fn tail_of(&self, account: AccountId) -> Result<(Transaction<'_>, Pending), StoreError> {
        let bucket = bucket_of(account);
        let read = || -> rusqlite::Result<(Transaction<'_>, Pending)> {
            let mut pending = Pending::default();
            let moment = self.db.unchecked_transaction()?;
            let one = |statement: &str| -> rusqlite::Result<Option<i64>> {
                let mut statement = self.db.prepare_cached(&sqlite(statement))?;
                statement.query_row([], |row| row.get(0))
            };
            if let (Some(first), Some(last)) = (one(statements::TAIL_FIRST)?, one(statements::TAIL_LAST)?) {
                let mut merged = self.db.prepare_cached(&sqlite(statements::MERGED_GET))?;
                let merged: Option<i64> = merged.query_row([bucket], |row| row.get(0)).optional()?;
                for step in first.max(merged.map_or(0, |step| step + 1))..=last {
                    if let Some(changes) = step_of(&self.db, step, bucket)? {
                        pending.add(bucket, &changes, Some(account)).map_err(invalid)?;
                    }
                }
            }
            Ok((moment, pending))
        };
        read().map_err(|e| sql_error(WHAT, "read the tail", e))
    }

    /// The top-up with this id.
    pub fn top_up(&mut self, id: u128) -> Result<Option<TopUpRow>, StoreError> {
        self.one(&statements::top_up("id = $1"), params![id.to_be_bytes()], top_up)
    }

    /// The top-up that a partner knows under this reference.
    pub fn top_up_by_reference(
        &mut self,
        partner: PartnerId,
        external_id: &str,
    ) -> Result<Option<TopUpRow>, StoreError> {
        let digest = digest128("external_id", &[external_id.as_bytes()]).to_be_bytes();
        self.one(
            &statements::top_up("partner = $1 and digest = $2"),
            params![partner.0, digest],
            top_up,
        )
    }

    /// A partner's top-ups, the newest first (ids are UUIDs of version 7), below `before`.
    pub fn top_ups(
        &mut self,
        partner: PartnerId,
        before: Option<u128>,
        limit: usize,
    ) -> Result<Vec<TopUpRow>, StoreError> {
        let by = "partner = $1 and id < $2 order by id desc limit $3";
        let values = params![partner.0, before.unwrap_or(u128::MAX).to_be_bytes(), page(limit)];
        self.many(&statements::top_up(by), values, top_up)
    }

    /// Partners with their floats.
    pub fn partners(&mut self) -> Result<Vec<PartnerRow>, StoreError> {
        self.many(statements::PARTNERS, [page(PAGE_ROWS_MAX)], |row| {
            Ok(PartnerRow {
                partner: PartnerId(row.get(0)?),
                name: row.get(1)?,
                code: row.get(2)?,
                float: Money(row.get(3)?),
                in_transit: Money(row.get(4)?),
                opened_at: Timestamp(row.get(5)?),
                updated_at: Timestamp(row.get(6)?),
            })
        })
    }

    /// Movements of the general ledger from one local day to another, both included.
    pub fn day_totals(
        &mut self,
        operator: OperatorId,
        first: i32,
        last: i32,
    ) -> Result<Vec<DayTotal>, StoreError> {
        self.many(statements::TOTALS, params![operator.0, first, last], |row| {
            Ok(DayTotal {
                operator: OperatorId(row.get(0)?),
                day: row.get(1)?,
                account: row.get(2)?,
                unit: code(row, 3)?,
                amount: Amount(row.get(4)?),
            })
        })
    }

    /// The sum of the whole general ledger per unit, in [`Unit::ALL`] order: all zero, or the books are wrong.
    pub fn ledger_sums(&mut self) -> Result<[i128; 4], StoreError> {
        let rows = self.many(statements::TOTALS_SUM, [], |row| {
            Ok((code::<Unit>(row, 0)?, i128::from(row.get::<_, i64>(1)?)))
        })?;
        let mut sums = [0; 4];
        for (unit, amount) in rows {
            sums[unit as usize] += amount;
        }
        Ok(sums)
    }

    /// Number of rows per table; walks them.
    pub fn counts(&mut self) -> Result<Vec<(&'static str, u64)>, StoreError> {
        let count = |table: &'static str| -> rusqlite::Result<(&'static str, u64)> {
            let rows = self
                .db
                .query_row(&sqlite(&statements::count(table)), [], |row| row.get::<_, i64>(0))?;
            Ok((table, rows.cast_unsigned()))
        };
        let counts: rusqlite::Result<Vec<_>> = statements::TABLES.into_iter().skip(1).map(count).collect();
        counts.map_err(|e| sql_error(WHAT, "count rows", e))
    }

    /// Whether all that was projected stands in its tables, and nothing in the tail.
    pub fn is_merged(&mut self) -> Result<bool, StoreError> {
        let last = self.many(statements::TAIL_LAST, [], |row| row.get::<_, Option<i64>>(0))?;
        Ok(last.into_iter().flatten().next().is_none())
    }

    pub(super) fn many<T>(
        &self,
        statement: &str,
        values: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let query = || -> rusqlite::Result<Vec<T>> {
            self.db
                .prepare_cached(&sqlite(statement))?
                .query_map(values, read)?
                .collect()
        };
        query().map_err(|e| sql_error(WHAT, "query the read models", e))
    }

    pub(super) fn one<T>(
        &self,
        statement: &str,
        values: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.many(statement, values, read)?.pop())
    }
}

/// A usage record with what the tail adds to its row.
fn with_tail(
    row: Option<UsageRecord>,
    account: AccountId,
    session: SessionKey,
    change: &UsageChange,
) -> Result<UsageRecord, StoreError> {
    let added = row
        .map_or_else(|| UsageRecord::opened_by(account, session, change), Ok)
        .and_then(|mut record| record.add(change).map(|()| record));
    added.map_err(|error| sql_error(WHAT, "read the tail", invalid(error)))
}

fn subscriber(row: &Row<'_>) -> rusqlite::Result<Subscriber> {
    Ok(Subscriber {
        account: AccountId(unsigned(row, 0)?),
        operator: OperatorId(row.get(1)?),
        msisdn: number(row, 2)?,
        imsi: match row.get::<_, Option<i64>>(3)? {
            Some(packed) => Some(Imsi::from_packed(packed.cast_unsigned()).map_err(invalid)?),
            None => None,
        },
        language: code(row, 4)?,
        tax_class: code(row, 5)?,
        state: code(row, 6)?,
        opened_at: Timestamp(row.get(7)?),
        updated_at: Timestamp(row.get(8)?),
    })
}

fn usage(row: &Row<'_>) -> rusqlite::Result<UsageRecord> {
    let called: i64 = row.get(6)?;
    let known = row.get::<_, i64>(7)? != 0;
    Ok(UsageRecord {
        account: AccountId(unsigned(row, 0)?),
        session: SessionKey(id(row, 1)?),
        operator: OperatorId(row.get(2)?),
        service: code(row, 3)?,
        session_id: row.get(4)?,
        called: match row.get::<_, i64>(5)? {
            1 => Called::Number(Msisdn::new(called.cast_unsigned()).map_err(invalid)?),
            2 => Called::Short(called.cast_unsigned()),
            3 => Called::Incoming,
            _ => Called::Nobody,
        },
        class: if known {
            code(row, 7)?
        } else {
            charge::catalog::DestinationClass::Special
        },
        place: code(row, 8)?,
        plmn: row.get(9)?,
        region: Code::new(row.get_ref(10)?.as_str()?).unwrap_or_default(),
        opened_at: Timestamp(row.get(11)?),
        last_at: Timestamp(row.get(12)?),
        closed: row.get(13)?,
        reports: unsigned(row, 14)?,
        used: Amount(row.get(15)?),
        money: Money(row.get(16)?),
        tax: Money(row.get(17)?),
        from_buckets: Amount(row.get(18)?),
        uncovered: Money(row.get(19)?),
        balance: Money(row.get(20)?),
        events: places(row.get(21)?, row.get_ref(22)?.as_blob()?).map_err(invalid)?,
    })
}

fn line(row: &Row<'_>) -> rusqlite::Result<StatementLine> {
    let account = AccountId(unsigned(row, 0)?);
    let kind: i64 = row.get(5)?;
    let recharge = match row.get::<_, Option<i64>>(10)? {
        None => None,
        Some(event) => Some(RechargeLine {
            receipt: Receipt {
                account,
                event: event.cast_unsigned(),
            },
            gross: Money(row.get(11)?),
            tax_rate: Rate(row.get(12)?),
            fee: Money(row.get(13)?),
            valid_until: Timestamp(row.get(14)?),
            channel: row.get(15)?,
            reference: row.get(16)?,
        }),
    };
    Ok(StatementLine {
        account,
        place: EventPlace::of_line(row.get(2)?, row.get(1)?),
        operator: OperatorId(row.get(3)?),
        at: Timestamp(row.get(4)?),
        kind: LineKind::of_code(kind).ok_or(FromSqlError::OutOfRange(kind))?,
        amount: Money(row.get(6)?),
        balance: row.get::<_, Option<i64>>(7)?.map(Money),
        tax: Money(row.get(8)?),
        title: row.get(9)?,
        recharge,
    })
}

fn top_up(row: &Row<'_>) -> rusqlite::Result<TopUpRow> {
    let account = AccountId(unsigned(row, 4)?);
    let credit = match row.get::<_, Option<i64>>(14)? {
        None => None,
        Some(event) => Some(TopUpCredit {
            tax: Money(row.get(10)?),
            fee: Money(row.get(11)?),
            credited: Money(row.get(12)?),
            promotion: row.get(13)?,
            receipt: Receipt {
                account,
                event: event.cast_unsigned(),
            },
        }),
    };
    Ok(TopUpRow {
        id: id(row, 0)?,
        partner: PartnerId(row.get(1)?),
        external_id: row.get(2)?,
        msisdn: number(row, 3)?,
        account,
        operator: OperatorId(row.get(5)?),
        gross: Money(row.get(6)?),
        state: code(row, 7)?,
        created_at: Timestamp(row.get(8)?),
        updated_at: Timestamp(row.get(9)?),
        credit,
        reason: row.get(15)?,
    })
}

pub(super) fn page(limit: usize) -> i64 {
    limit.min(PAGE_ROWS_MAX) as i64
}

fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(column)?.cast_unsigned())
}

pub(super) fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<Msisdn> {
    Msisdn::new(unsigned(row, column)?).map_err(invalid)
}

pub(super) fn id(row: &Row<'_>, column: usize) -> rusqlite::Result<u128> {
    let bytes = row.get_ref(column)?.as_blob()?;
    let size = FromSqlError::InvalidBlobSize {
        expected_size: 16,
        blob_size: bytes.len(),
    };
    Ok(u128::from_be_bytes(bytes.try_into().map_err(|_| size)?))
}

pub(super) fn code<T: Codec>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    of_code(row.get(column)?).map_err(invalid)
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> rusqlite::Error {
    FromSqlError::Other(Box::new(error)).into()
}
