//! The changes of a projected stretch, gathered in memory and written in one transaction with their positions: few of them
//! straight into the tables, many into the tail (see [`super::tail`]).

use super::chain::{self, ChainChange, Earned};
use super::floats::{self, FloatChange, TopUpEnd};
use super::payments::{self, PaymentChange};
use super::rows::{EVENTS_BYTES_MAX, StatementLine, code_of};
use super::tail::{self, Pending};
use super::{ReadPosition, WHAT, positions};
use crate::sql::{reads as statements, sqlite};
use crate::sqlite::sql_error;
use crate::traits::{Micros, Partition, Seq, StoreError};
use charge::account::LifeCycle;
use charge::catalog::{Called, Language};
use charge::command::OpenAccount;
use charge::event::Opened;
use charge::ids::SessionKey;
use charge::ledger::LedgerAccount;
use charge::partner::TopUp;
use charge::reply::{RechargeOutcome, Refusal};
use charge::tax::{RegionCode, TaxClass};
use charge::unit::{Amount, Service};
use charge::{AccountId, Code, Money, OperatorId, PartnerId, Timestamp, Unit};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::collections::{BTreeMap, HashMap};

/// Pages in the WAL after which they are moved into the file: few, because a charge whose batch is synced meanwhile waits
/// until the disk has taken them.
const WAL_PAGES: u32 = 256;
/// Page cache of the writer, KiB.
const CACHE_KIB: i64 = 16 << 10;

/// What a projected stretch of the journal does to the tables.
#[derive(Debug, Default)]
pub struct Changes {
    /// Use per session: one row is written per entry, however many reports went into it.
    pub usage: HashMap<(AccountId, SessionKey), UsageChange>,
    /// New statement lines.
    pub lines: Vec<StatementLine>,
    /// Changes of subscribers, in order.
    pub subscribers: Vec<SubscriberChange>,
    /// Changes of top-ups, in order.
    pub top_ups: Vec<TopUpChange>,
    /// Changes of the selling chain, in order.
    pub chain: Vec<ChainChange>,
    /// What sellers earned, by local day.
    pub earned: BTreeMap<(PartnerId, i32, Earned), Money>,
    /// Changes of payments, in order.
    pub payments: Vec<PaymentChange>,
    /// New partners.
    pub partners: Vec<PartnerChange>,
    /// Movements of floats: float, in transit, moment of the last.
    pub floats: BTreeMap<PartnerId, (Money, Money, Timestamp)>,
    /// The same, movement by movement, in order.
    pub float_lines: Vec<FloatChange>,
    /// Sums of postings.
    pub totals: HashMap<TotalKey, i64>,
    /// Where the stretch ends in each partition: batch and its time.
    pub positions: BTreeMap<Partition, (Seq, Micros)>,
    /// Events that went in.
    pub events: u64,
}

/// Use of one session within a stretch.
#[derive(Debug)]
pub struct UsageChange {
    /// Tenant.
    pub operator: OperatorId,
    /// Partition of the account.
    pub partition: Partition,
    /// Kind of use.
    pub service: Service,
    /// Set if the stretch holds the opening.
    pub opened: Option<Box<Opened>>,
    /// The serving region changed to this.
    pub moved: Option<RegionCode>,
    /// First and last event.
    pub first_at: Timestamp,
    /// Last event.
    pub last_at: Timestamp,
    /// Ended.
    pub closed: bool,
    /// Events.
    pub reports: u32,
    /// Used.
    pub used: Amount,
    /// Taken from money.
    pub money: Money,
    /// Tax in it.
    pub tax: Money,
    /// Covered by buckets.
    pub from_buckets: Amount,
    /// Covered by nothing.
    pub uncovered: Money,
    /// Balance after the last.
    pub balance: Money,
    /// Places of the events, encoded.
    pub events: Vec<u8>,
}

impl UsageChange {
    /// Adds what happened later in the same session: together they say what one longer stretch would have said.
    pub(super) fn absorb(&mut self, later: &UsageChange) {
        let opened_in = later.opened.as_ref().map(|opened| opened.target.region);
        self.moved = later
            .moved
            .or(opened_in.filter(|region| !region.is_empty()))
            .or(self.moved);
        self.last_at = later.last_at;
        self.closed |= later.closed;
        self.reports = self.reports.saturating_add(later.reports);
        self.used.0 = self.used.0.saturating_add(later.used.0);
        self.money.0 = self.money.0.saturating_add(later.money.0);
        self.tax.0 = self.tax.0.saturating_add(later.tax.0);
        self.from_buckets.0 = self.from_buckets.0.saturating_add(later.from_buckets.0);
        self.uncovered.0 = self.uncovered.0.saturating_add(later.uncovered.0);
        self.balance = later.balance;
        self.events.extend_from_slice(&later.events);
        self.events.truncate(EVENTS_BYTES_MAX);
    }

    /// The region seen last; empty: none.
    pub(super) fn region(&self) -> RegionCode {
        let target = self.opened.as_ref().map(|opened| opened.target.region);
        self.moved.or(target).unwrap_or(RegionCode::EMPTY)
    }
}

/// A change of a subscriber.
#[derive(Debug)]
pub enum SubscriberChange {
    /// New.
    Opened(Box<OpenAccount>, Timestamp),
    /// Something about it changed.
    Updated {
        /// Which.
        account: AccountId,
        /// New language.
        language: Option<Language>,
        /// New tax class.
        tax_class: Option<TaxClass>,
        /// New state.
        state: Option<LifeCycle>,
        /// When.
        at: Timestamp,
    },
}

/// A change of a top-up.
#[derive(Debug)]
pub enum TopUpChange {
    /// New; with the digest of its external_id.
    Created(Box<TopUp>, u128),
    /// Came to its end.
    Settled {
        /// Who sold it.
        partner: PartnerId,
        /// Digest of its external_id.
        digest: u128,
        /// How it ended.
        outcome: Result<Box<RechargeOutcome>, Refusal>,
        /// When.
        at: Timestamp,
    },
    /// Another operator credited it, or it was taken back.
    Ended {
        /// Who sold it.
        partner: PartnerId,
        /// Digest of its external_id.
        digest: u128,
        /// What.
        end: TopUpEnd,
        /// When.
        at: Timestamp,
    },
}

/// A new partner.
#[derive(Debug)]
pub struct PartnerChange {
    /// Id.
    pub partner: PartnerId,
    /// Name.
    pub name: String,
    /// Channel code.
    pub code: Code,
    /// When.
    pub at: Timestamp,
}

/// What day totals are kept by. Accounts of one class share a total, so subscribers are told apart by origin only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TotalKey {
    /// Tenant.
    pub operator: OperatorId,
    /// Local day number.
    pub day: i32,
    /// Ledger account, with account 0 for subscribers.
    pub account: LedgerAccount,
    /// Unit.
    pub unit: Unit,
}

/// Writes the read models.
pub struct ReadsWriter {
    db: Connection,
    /// Buckets with something in the tail: its first step there, and bytes.
    pending: BTreeMap<i64, (i64, u64)>,
    pending_bytes: u64,
    first_step: i64,
    next_step: i64,
    /// Bucket that was merged last; the next one follows.
    merged_last: i64,
}

impl ReadsWriter {
    pub(super) fn open(db: Connection) -> Result<Self, StoreError> {
        db.pragma_update(None, "synchronous", "normal")
            .and_then(|()| db.pragma_update(None, "wal_autocheckpoint", WAL_PAGES))
            .and_then(|()| db.pragma_update(None, "cache_size", -CACHE_KIB))
            .map_err(|e| sql_error(WHAT, "prepare the writer", e))?;
        let mut writer = Self {
            db,
            pending: BTreeMap::new(),
            pending_bytes: 0,
            first_step: 1,
            next_step: 1,
            merged_last: -1,
        };
        writer
            .find_tail()
            .map_err(|e| sql_error(WHAT, "read the tail", e))?;
        Ok(writer)
    }

    fn find_tail(&mut self) -> rusqlite::Result<()> {
        let db = &self.db;
        let mut statement = db.prepare(&sqlite(statements::MERGED))?;
        let merged = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let merged: HashMap<i64, i64> = merged.collect::<rusqlite::Result<_>>()?;
        let last = merged.values().copied().max().unwrap_or(0);
        let mut statement = db.prepare(&sqlite(statements::TAIL_KEYS))?;
        let mut keys = statement.query([])?;
        let (mut first_step, mut next_step) = (None, last + 1);
        while let Some(row) = keys.next()? {
            let (step, bucket): (i64, i64) = (row.get(0)?, row.get(1)?);
            first_step.get_or_insert(step);
            next_step = next_step.max(step + 1);
            if merged.get(&bucket).is_none_or(|done| *done < step) {
                let bytes = row.get::<_, i64>(2)?.cast_unsigned();
                self.pending.entry(bucket).or_insert((step, 0)).1 += bytes;
                self.pending_bytes += bytes;
            }
        }
        self.first_step = first_step.unwrap_or(next_step);
        self.next_step = next_step;
        Ok(())
    }

    /// Buckets that wait to be merged into their tables, and bytes of the tail that they have.
    pub(crate) fn pending(&self) -> (usize, u64) {
        (self.pending.len(), self.pending_bytes)
    }

    /// How far the tables have come, by partition.
    pub fn positions(&mut self) -> Result<Vec<ReadPosition>, StoreError> {
        positions(&self.db).map_err(|e| sql_error(WHAT, "read the positions", e))
    }

    /// Writes the changes and the positions they lead to, in one transaction. At most `direct_rows_max` rows of use and
    /// statement lines go straight into their tables, if nothing older waits in the tail; more go into the tail.
    pub fn write(&mut self, changes: &Changes, direct_rows_max: usize) -> Result<(), StoreError> {
        let rows = changes.usage.len() + changes.lines.len();
        let direct = rows == 0 || (self.pending.is_empty() && rows <= direct_rows_max);
        let buckets = if direct {
            BTreeMap::new()
        } else {
            tail::encode(changes)
        };
        let write = || -> rusqlite::Result<()> {
            let tx = self.db.unchecked_transaction()?;
            write_subscribers(&tx, &changes.subscribers)?;
            if direct {
                // In key order, so that rows of one page are written together.
                let mut sorted: Vec<_> = changes.usage.iter().collect();
                sorted.sort_unstable_by_key(|(key, _)| **key);
                write_usage(&tx, sorted)?;
                write_lines(&tx, &changes.lines)?;
            }
            let mut put = tx.prepare_cached(&sqlite(statements::TAIL_PUT))?;
            for (bucket, bytes) in &buckets {
                put.execute(params![self.next_step, bucket, bytes])?;
            }
            drop(put);
            write_top_ups(&tx, &changes.top_ups)?;
            payments::write(&tx, &changes.payments)?;
            write_partners(&tx, changes)?;
            floats::write(&tx, &changes.float_lines)?;
            chain::write(&tx, &changes.chain)?;
            chain::write_earned(&tx, &changes.earned)?;
            write_totals(&tx, &changes.totals)?;
            let mut put = tx.prepare_cached(&sqlite(statements::POSITION_PUT))?;
            for (partition, (seq, at)) in &changes.positions {
                put.execute(params![partition, seq.cast_signed(), at])?;
            }
            drop(put);
            tx.commit()
        };
        write().map_err(|e| sql_error(WHAT, "write the read models", e))?;
        if !direct {
            for (bucket, bytes) in &buckets {
                let bytes = bytes.len() as u64;
                self.pending.entry(*bucket).or_insert((self.next_step, 0)).1 += bytes;
                self.pending_bytes += bytes;
            }
            self.next_step += 1;
        }
        Ok(())
    }

    /// Merges the next bucket into its tables; false when there is none. A crash repeats all of it or nothing.
    pub(crate) fn merge_next(&mut self) -> Result<bool, StoreError> {
        let mut after = self.pending.range(self.merged_last + 1..);
        let Some((&bucket, &(first, bytes))) = after.next().or_else(|| self.pending.iter().next()) else {
            return Ok(false);
        };
        let error = |e| sql_error(WHAT, "merge the tail", e);
        let mut pending = Pending::default();
        for step in first..self.next_step {
            let found = step_of(&self.db, step, bucket).map_err(error)?;
            let added = found.map_or(Ok(()), |changes| pending.add(bucket, &changes, None));
            added.map_err(|cause| StoreError::Corrupt {
                what: WHAT.to_owned(),
                detail: format!("step {step} of bucket {bucket}: {cause}; rebuild it"),
            })?;
        }
        let write = || -> rusqlite::Result<()> {
            let tx = self.db.unchecked_transaction()?;
            write_usage(&tx, &pending.usage)?;
            write_lines(&tx, &pending.lines)?;
            tx.prepare_cached(&sqlite(statements::MERGED_PUT))?
                .execute([bucket, self.next_step - 1])?;
            tx.commit()
        };
        write().map_err(error)?;
        self.pending.remove(&bucket);
        self.pending_bytes = self.pending_bytes.saturating_sub(bytes);
        self.merged_last = bucket;
        Ok(true)
    }

    /// Removes the steps that all buckets have left behind.
    pub(crate) fn trim_tail(&mut self) -> Result<(), StoreError> {
        let first = self.pending.values().map(|(first, _)| *first).min();
        let keep = first.unwrap_or(self.next_step);
        if keep <= self.first_step {
            return Ok(());
        }
        let trim = || -> rusqlite::Result<()> {
            let tx = self.db.unchecked_transaction()?;
            tx.prepare_cached(&sqlite(statements::TAIL_REMOVE))?
                .execute([keep])?;
            if first.is_none() {
                tx.execute(&sqlite(&statements::clear("read_merged")), [])?;
            }
            tx.commit()
        };
        trim().map_err(|e| sql_error(WHAT, "trim the tail", e))?;
        if first.is_none() {
            self.next_step = 1;
        }
        self.first_step = first.unwrap_or(self.next_step);
        Ok(())
    }

    /// Empties all tables and positions, so that the projection starts from the first batch.
    pub fn clear(&mut self) -> Result<(), StoreError> {
        let mut clear = || -> rusqlite::Result<()> {
            let tx = self.db.transaction()?;
            for table in statements::TABLES.into_iter().chain(statements::TAIL_TABLES) {
                tx.execute(&sqlite(&statements::clear(table)), [])?;
            }
            tx.commit()
        };
        clear().map_err(|e| sql_error(WHAT, "clear the read models", e))?;
        self.pending.clear();
        (self.pending_bytes, self.first_step, self.next_step) = (0, 1, 1);
        Ok(())
    }
}

/// The entries of a step for a bucket.
pub(super) fn step_of(db: &Connection, step: i64, bucket: i64) -> rusqlite::Result<Option<Vec<u8>>> {
    db.prepare_cached(&sqlite(statements::TAIL_GET))?
        .query_row([step, bucket], |row| row.get(0))
        .optional()
}

fn write_subscribers(tx: &Transaction<'_>, changes: &[SubscriberChange]) -> rusqlite::Result<()> {
    let mut put = tx.prepare_cached(&sqlite(statements::SUBSCRIBER_PUT))?;
    let mut update = tx.prepare_cached(&sqlite(statements::SUBSCRIBER_UPDATE))?;
    for change in changes {
        match change {
            SubscriberChange::Opened(open, at) => put.execute(params![
                open.account.0.cast_signed(),
                open.operator.0,
                open.msisdn.number().cast_signed(),
                open.imsi.map(|imsi| imsi.packed().cast_signed()),
                code_of(&open.language),
                code_of(&open.tax_class),
                code_of(&LifeCycle::Active),
                at.0,
            ])?,
            SubscriberChange::Updated {
                account,
                language,
                tax_class,
                state,
                at,
            } => update.execute(params![
                account.0.cast_signed(),
                language.as_ref().map(code_of),
                tax_class.as_ref().map(code_of),
                state.as_ref().map(code_of),
                at.0,
            ])?,
        };
    }
    Ok(())
}

fn write_usage<'a>(
    tx: &Transaction<'_>,
    sorted: impl IntoIterator<Item = (&'a (AccountId, SessionKey), &'a UsageChange)>,
) -> rusqlite::Result<()> {
    let mut put = tx.prepare_cached(&sqlite(statements::USAGE_PUT))?;
    for ((account, session), change) in sorted {
        let target = change.opened.as_ref().map(|opened| opened.target);
        let (called_kind, called) = match target.map(|target| target.called) {
            None | Some(Called::Nobody) => (0, 0),
            Some(Called::Number(number)) => (1, number.number().cast_signed()),
            Some(Called::Short(code)) => (2, code.cast_signed()),
            Some(Called::Incoming) => (3, 0),
        };
        put.execute(params![
            account.0.cast_signed(),
            session.0.to_be_bytes(),
            change.operator.0,
            code_of(&change.service),
            change.opened.as_ref().map(|opened| &*opened.id),
            called_kind,
            called,
            target.map_or(0, |target| code_of(&target.class)),
            target.map_or(0, |target| code_of(&target.place)),
            target.map_or(0, |target| target.plmn),
            change.region().as_str(),
            change.first_at.0,
            change.last_at.0,
            change.closed,
            change.reports,
            change.used.0,
            change.money.0,
            change.tax.0,
            change.from_buckets.0,
            change.uncovered.0,
            change.balance.0,
            change.partition,
            change.events,
            EVENTS_BYTES_MAX as i64,
        ])?;
    }
    Ok(())
}

fn write_lines(tx: &Transaction<'_>, lines: &[StatementLine]) -> rusqlite::Result<()> {
    let mut put = tx.prepare_cached(&sqlite(statements::LINE_PUT))?;
    let mut sorted: Vec<_> = lines.iter().collect();
    sorted.sort_unstable_by_key(|line| (line.account, line.place.line()));
    for line in sorted {
        let recharge = line.recharge.as_ref();
        put.execute(params![
            line.account.0.cast_signed(),
            line.place.line(),
            line.place.partition,
            line.operator.0,
            line.at.0,
            line.kind.code(),
            line.amount.0,
            line.balance.map(|balance| balance.0),
            line.tax.0,
            line.title,
            recharge.map(|recharge| recharge.receipt.event.cast_signed()),
            recharge.map(|recharge| recharge.gross.0),
            recharge.map(|recharge| recharge.tax_rate.0),
            recharge.map(|recharge| recharge.fee.0),
            recharge.map(|recharge| recharge.valid_until.0),
            recharge.map(|recharge| &recharge.channel),
            recharge.map(|recharge| &recharge.reference),
        ])?;
    }
    Ok(())
}

fn write_top_ups(tx: &Transaction<'_>, changes: &[TopUpChange]) -> rusqlite::Result<()> {
    use charge::partner::TopUpState::{Completed, Declined};
    let mut put = tx.prepare_cached(&sqlite(statements::TOP_UP_PUT))?;
    let mut settle = tx.prepare_cached(&sqlite(statements::TOP_UP_SETTLE))?;
    let mut outside = tx.prepare_cached(&sqlite(crate::sql::floats::OUTSIDE_PUT))?;
    let mut end = tx.prepare_cached(&sqlite(crate::sql::floats::OUTSIDE_END))?;
    for change in changes {
        match change {
            TopUpChange::Ended {
                partner,
                digest,
                end,
                at,
            } => floats::write_end(tx, (*partner, *digest), end, *at)?,
            TopUpChange::Created(top_up, digest) => {
                put.execute(params![
                    top_up.id.to_be_bytes(),
                    top_up.partner.0,
                    digest.to_be_bytes(),
                    top_up.external_id,
                    top_up.msisdn.number().cast_signed(),
                    top_up.account.0.cast_signed(),
                    top_up.operator.0,
                    top_up.gross.0,
                    code_of(&top_up.state),
                    top_up.created_at.0,
                    top_up.updated_at.0,
                ])?;
                let connector = top_up.after.connector;
                if !connector.is_empty() {
                    outside.execute(params![
                        top_up.id.to_be_bytes(),
                        top_up.partner.0,
                        digest.to_be_bytes(),
                        connector.as_str(),
                        top_up.created_at.0,
                    ])?;
                }
            }
            TopUpChange::Settled {
                partner,
                digest,
                outcome,
                at,
            } => {
                let credit = outcome.as_ref().ok();
                settle.execute(params![
                    partner.0,
                    digest.to_be_bytes(),
                    code_of(if credit.is_some() { &Completed } else { &Declined }),
                    at.0,
                    credit.map(|credit| credit.tax.0),
                    credit.map(|credit| credit.fee.0),
                    credit.map(|credit| credit.credited.0),
                    credit.map(|credit| credit.promotion.as_str()),
                    credit.map(|credit| credit.receipt.event.cast_signed()),
                    outcome.as_ref().err().map(|refusal| refusal.code()),
                ])?;
                if credit.is_none() {
                    end.execute(params![partner.0, digest.to_be_bytes(), ""])?;
                }
            }
        };
    }
    Ok(())
}

fn write_partners(tx: &Transaction<'_>, changes: &Changes) -> rusqlite::Result<()> {
    let mut put = tx.prepare_cached(&sqlite(statements::PARTNER_PUT))?;
    for change in &changes.partners {
        put.execute(params![
            change.partner.0,
            change.name,
            change.code.as_str(),
            change.at.0
        ])?;
    }
    let mut move_float = tx.prepare_cached(&sqlite(statements::PARTNER_MOVE))?;
    for (partner, (float, in_transit, at)) in &changes.floats {
        move_float.execute(params![partner.0, float.0, in_transit.0, at.0])?;
    }
    Ok(())
}

fn write_totals(tx: &Transaction<'_>, totals: &HashMap<TotalKey, i64>) -> rusqlite::Result<()> {
    let mut add = tx.prepare_cached(&sqlite(statements::TOTAL_ADD))?;
    for (key, amount) in totals {
        add.execute(params![
            key.operator.0,
            key.day,
            key.account.class(),
            code_of(&key.unit),
            amount
        ])?;
    }
    Ok(())
}
