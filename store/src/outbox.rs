//! The outbox: notifications that are to be sent, sent at least once and, as far as the other side allows, only once.
//!
//! It is fed from the journal like a read model, with positions of its own, but it is not rebuilt with them: that something
//! was sent is a fact that the journal does not hold. So `outbox.sqlite` syncs every commit; callers mark many
//! messages at once.

use crate::batch::Record;
use crate::letters::{self, LetterId, NewLetter};
use crate::project::{Step, decode, parse, read_on};
use crate::reads::EventPlace;
use crate::sql::{letters as letter_statements, outbox as statements, sqlite};
use crate::sqlite::{Shared, connect, create_tables, sql_error};
use crate::traits::{Head, JournalReader, JournalRow, Micros, Partition, Seq, StoreError};
use charge::auto::{AutoEvent, AutoOutcome, AutoState};
use charge::codec::Codec;
use charge::seller::ChainEvent;
use charge::{AccountId, EntityKey, Event, EventBody, OperatorId, Timestamp};
use rusqlite::{Connection, Row, Transaction, params};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) const WHAT: &str = "outbox.sqlite";
const PAGE_BYTES: u32 = 4096;

/// Why a subscriber gets a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NotificationKind {
    /// A recharge was credited.
    Recharged,
    /// The balance fell below the notice threshold.
    LowBalance,
    /// A bundle was bought or renewed.
    Bought,
    /// A bundle could not be renewed.
    RenewalFailed,
    /// A credit was taken back: its payer said that it was meant for another number, or its payment was returned.
    TakenBack,
    /// Something about an auto-recharge that its owner must know.
    Auto,
    /// A mark of the month's budget is reached.
    Budget,
    /// The float of a seller fell below its mark. Its [`Notification::account`] is the number of the seller.
    LowStock,
    /// A session has ended, and the operator tells what is left.
    SessionEnded,
}

impl NotificationKind {
    const ALL: [(NotificationKind, i64); 9] = [
        (NotificationKind::Recharged, 1),
        (NotificationKind::LowBalance, 2),
        (NotificationKind::Bought, 3),
        (NotificationKind::RenewalFailed, 4),
        (NotificationKind::TakenBack, 5),
        (NotificationKind::Auto, 40),
        (NotificationKind::Budget, 41),
        (NotificationKind::LowStock, 70),
        (NotificationKind::SessionEnded, 170),
    ];

    /// What an event has to tell, if anything.
    pub fn of(body: &EventBody) -> Option<Self> {
        match body {
            EventBody::Recharged(_) => Some(NotificationKind::Recharged),
            EventBody::Charged(charged) if charged.low_balance_crossed => Some(NotificationKind::LowBalance),
            EventBody::Bought(_) => Some(NotificationKind::Bought),
            EventBody::RenewalFailed { .. } => Some(NotificationKind::RenewalFailed),
            EventBody::CreditTakenBack(_) => Some(NotificationKind::TakenBack),
            EventBody::Auto(event) => tells(event).then_some(NotificationKind::Auto),
            EventBody::BudgetReached { .. } => Some(NotificationKind::Budget),
            EventBody::SessionEnded(_) => Some(NotificationKind::SessionEnded),
            EventBody::Chain(happened) => match happened.as_ref() {
                ChainEvent::Sold(sold) if sold.low_crossed => Some(NotificationKind::LowStock),
                ChainEvent::Gave(gave) if gave.low_crossed => Some(NotificationKind::LowStock),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Whether somebody must know: a recharge that was paid has a message of its own, and who pauses it knows.
fn tells(event: &AutoEvent) -> bool {
    match event {
        AutoEvent::Set { .. } | AutoEvent::Announced { .. } | AutoEvent::Held { .. } => true,
        AutoEvent::Ended { outcome, .. } => *outcome != AutoOutcome::Paid,
        AutoEvent::StateSet { state, .. } => matches!(state, AutoState::Refused | AutoState::Stopped),
        AutoEvent::Planned(_) | AutoEvent::Tried { .. } => false,
    }
}

/// A message that waits to be sent. The event has all that its text needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Its id: the place of the event.
    pub id: EventPlace,
    /// Why.
    pub kind: NotificationKind,
    /// Tenant.
    pub operator: OperatorId,
    /// To whom.
    pub account: AccountId,
    /// When it happened.
    pub at: Timestamp,
    /// The event.
    pub event: Event,
    /// Attempts so far.
    pub attempts: u32,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The message centre took it under this id; a delivery receipt may follow.
    Sent {
        /// Unique among all message centres: put the name of the connection before the centre's own id.
        message_id: String,
    },
    /// Try again at this moment.
    Retry {
        /// Why it did not work.
        reason: String,
        /// When to try again.
        at: Micros,
    },
    /// It will never work.
    GiveUp {
        /// Why.
        reason: String,
    },
}

/// What the receipt of a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// As in [`Attempt::Sent`].
    pub message_id: String,
    /// Why it has not arrived, if so.
    pub problem: Option<String>,
}

/// What became of messages. Receipts of messages that nobody sent, or that came before, change nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Attempts at notifications.
    pub notifications: Vec<(EventPlace, Attempt)>,
    /// Attempts at letters.
    pub letters: Vec<(LetterId, Attempt)>,
    /// Receipts of notifications.
    pub receipts: Vec<Receipt>,
    /// Receipts of letters.
    pub letter_receipts: Vec<Receipt>,
}

/// Number of notifications by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxCounts {
    /// To be sent.
    pub pending: u64,
    /// Taken by the message centre.
    pub sent: u64,
    /// Confirmed by a delivery receipt.
    pub delivered: u64,
    /// Given up.
    pub failed: u64,
}

/// What is still to be delivered, and what never was: read from indexes, so that asking often costs little.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// To be delivered.
    pub pending: u64,
    /// Given up.
    pub failed: u64,
}

impl Backlog {
    /// Of a row of two numbers.
    pub(crate) fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            pending: row.get::<_, i64>(0)?.cast_unsigned(),
            failed: row.get::<_, i64>(1)?.cast_unsigned(),
        })
    }
}

impl OutboxCounts {
    pub(crate) fn add(&mut self, state: i64, number: u64) {
        match state {
            0 => self.pending += number,
            1 => self.sent += number,
            2 => self.delivered += number,
            _ => self.failed += number,
        }
    }
}

/// The outbox of a data directory. There should be one; it may go to another thread.
pub struct Outbox {
    pub(crate) db: Connection,
    /// The number of the letter put last.
    pub(crate) next_letter: i64,
    positions: BTreeMap<Partition, Seq>,
    _shared: Option<Arc<Shared>>,
}

impl Outbox {
    pub(crate) fn of_store(shared: &Arc<Shared>) -> Result<Self, StoreError> {
        let db = connect(&shared.dir.join(WHAT), WHAT, PAGE_BYTES)?;
        Self::open(db, Some(Arc::clone(shared)))
    }

    /// An outbox that is gone when it is dropped, for simulation and tests.
    pub fn in_memory() -> Result<Self, StoreError> {
        let db = Connection::open_in_memory().map_err(|e| sql_error(WHAT, "open", e))?;
        Self::open(db, None)
    }

    fn open(mut db: Connection, shared: Option<Arc<Shared>>) -> Result<Self, StoreError> {
        db.pragma_update(None, "synchronous", "full")
            .map_err(|e| sql_error(WHAT, "prepare the outbox", e))?;
        let format = (statements::FORMAT_GET, statements::FORMAT_SET, statements::FORMAT);
        let schema = format!("{}{}", statements::SCHEMA, letter_statements::SCHEMA);
        create_tables(&mut db, WHAT, &schema, format)?;
        let next_letter = db
            .query_row(&sqlite(letter_statements::LAST), [], |row| row.get(0))
            .map_err(|e| sql_error(WHAT, "read the last letter", e))?;
        let positions = positions(&db).map_err(|e| sql_error(WHAT, "read the positions", e))?;
        Ok(Self {
            db,
            next_letter,
            positions,
            _shared: shared,
        })
    }

    /// Takes in at most about `max_bytes` of journal. Events before `not_before` are passed over: nobody wants to hear of
    /// them any more, and an outbox that was lost does not send the past again.
    pub fn feed(
        &mut self,
        journal: &mut dyn JournalReader,
        max_bytes: usize,
        not_before: Micros,
    ) -> Result<Step, StoreError> {
        self.feed_with(journal, max_bytes, not_before, &mut |_| Ok(Vec::new()))
    }

    /// As [`Outbox::feed`]; `further` says which letters go out beside notifications. They become durable with them.
    /// When it cannot say so, what came before is taken in all the same; the error is told once nothing is.
    pub fn feed_with(
        &mut self,
        journal: &mut dyn JournalReader,
        max_bytes: usize,
        not_before: Micros,
        further: &mut Further<'_>,
    ) -> Result<Step, StoreError> {
        let (mut found, mut rows) = (Vec::new(), Vec::new());
        let read = read_on(journal, &self.positions, max_bytes, |row| {
            let events = collect(row, not_before, &mut found)?;
            rows.push((row.partition, row.seq, events, found.len()));
            Ok(())
        })?;
        let (mut letters, mut taken, mut whole) = (Vec::new(), 0, 0);
        for (.., end) in &rows {
            let of_row: Result<Vec<_>, _> = found[taken..*end].iter().map(Found::notification).collect();
            match further(&of_row?) {
                Ok(more) => letters.extend(more),
                Err(error) if whole == 0 => return Err(error),
                Err(_) => break,
            }
            (taken, whole) = (*end, whole + 1);
        }
        let late = rows.len() - whole;
        rows.truncate(whole);
        let positions: BTreeMap<_, _> = rows.iter().map(|(at, seq, ..)| (*at, *seq)).collect();
        if whole > 0 {
            self.put(&found[..taken], &letters, &positions)
                .map_err(|e| sql_error(WHAT, "take in notifications", e))?;
            self.positions.extend(positions);
        }
        Ok(Step {
            batches: whole as u64,
            events: rows.iter().map(|(_, _, events, _)| events).sum(),
            behind: read.behind + late as u64,
        })
    }

    /// Up to `limit` notifications that are due, the longest waiting first. They stay due until told otherwise.
    pub fn pending(&mut self, now: Micros, limit: usize) -> Result<Vec<Notification>, StoreError> {
        let query = || -> rusqlite::Result<Vec<Notification>> {
            let mut statement = self.db.prepare_cached(&sqlite(statements::PENDING))?;
            let rows = statement.query_map(
                params![now, i64::try_from(limit).unwrap_or(i64::MAX)],
                notification,
            )?;
            rows.collect()
        };
        query().map_err(|e| sql_error(WHAT, "read what is pending", e))
    }

    /// As [`Outbox::pending`], of some operators only: one that cannot send does not hold up the others.
    pub fn pending_of(
        &mut self,
        operators: &[OperatorId],
        now: Micros,
        limit: usize,
    ) -> Result<Vec<Notification>, StoreError> {
        let query = || -> rusqlite::Result<Vec<Notification>> {
            let mut statement = self.db.prepare_cached(&sqlite(statements::PENDING_OF))?;
            let mut found = Vec::new();
            for operator in operators {
                let room = i64::try_from(limit.saturating_sub(found.len())).unwrap_or(i64::MAX);
                let rows = statement.query_map(params![operator.0, now, room], notification)?;
                for row in rows {
                    found.push(row?);
                }
            }
            Ok(found)
        };
        query().map_err(|e| sql_error(WHAT, "read what is pending", e))
    }

    /// When the next notification is due, if any is pending.
    pub fn next_due(&mut self) -> Result<Option<Micros>, StoreError> {
        self.db
            .query_row(&sqlite(statements::NEXT_RETRY), [], |row| row.get(0))
            .map_err(|e| sql_error(WHAT, "read what is due next", e))
    }

    /// Records what became of messages, in one durable transaction: a centre may bring hundreds of receipts a second.
    pub fn settle(&mut self, settled: &Settled, now: Micros) -> Result<(), StoreError> {
        let mut write = || -> rusqlite::Result<()> {
            let tx = self.db.transaction()?;
            for (id, attempt) in &settled.notifications {
                let (partition, seq) = (id.partition, id.seq.cast_signed());
                match attempt {
                    Attempt::Sent { message_id } => tx
                        .prepare_cached(&sqlite(statements::SENT))?
                        .execute(params![partition, seq, id.index, message_id, now])?,
                    Attempt::Retry { reason, at } => tx
                        .prepare_cached(&sqlite(statements::RETRY))?
                        .execute(params![partition, seq, id.index, reason, at, now])?,
                    Attempt::GiveUp { reason } => tx
                        .prepare_cached(&sqlite(statements::GIVE_UP))?
                        .execute(params![partition, seq, id.index, reason, now])?,
                };
            }
            letters::attempted(&tx, &settled.letters, now)?;
            let of_notifications = (statements::DELIVERED, statements::UNDELIVERED);
            received(&tx, of_notifications, &settled.receipts, now)?;
            let of_letters = (letter_statements::DELIVERED, letter_statements::UNDELIVERED);
            received(&tx, of_letters, &settled.letter_receipts, now)?;
            tx.commit()
        };
        write().map_err(|e| sql_error(WHAT, "record what became of messages", e))
    }

    /// Records what became of attempts, in one durable transaction.
    pub fn attempted(&mut self, attempts: &[(EventPlace, Attempt)], now: Micros) -> Result<(), StoreError> {
        let settled = Settled {
            notifications: attempts.to_vec(),
            ..Settled::default()
        };
        self.settle(&settled, now)
    }

    /// A notification was taken by the message centre.
    pub fn sent(&mut self, id: EventPlace, message_id: &str, now: Micros) -> Result<(), StoreError> {
        self.attempted(
            &[(
                id,
                Attempt::Sent {
                    message_id: message_id.to_owned(),
                },
            )],
            now,
        )
    }

    /// An attempt did not work; tried again at `retry_at`, or given up when that is `None`.
    pub fn failed(
        &mut self,
        id: EventPlace,
        reason: &str,
        retry_at: Option<Micros>,
        now: Micros,
    ) -> Result<(), StoreError> {
        let reason = reason.to_owned();
        let attempt = match retry_at {
            Some(at) => Attempt::Retry { reason, at },
            None => Attempt::GiveUp { reason },
        };
        self.attempted(&[(id, attempt)], now)
    }

    /// Batches that are in the journal and not yet taken in.
    pub fn lag(&self, heads: &[Head]) -> u64 {
        let done = |head: &Head| self.positions.get(&head.partition).copied().unwrap_or(0);
        heads.iter().map(|head| head.seq.saturating_sub(done(head))).sum()
    }

    /// What waits and what was given up.
    pub fn backlog(&mut self) -> Result<Backlog, StoreError> {
        self.db
            .query_row(&sqlite(statements::BACKLOG), [], Backlog::of)
            .map_err(|e| sql_error(WHAT, "count what waits", e))
    }

    /// How many notifications are in which state. Walks all of them: for tests and for looking into a file.
    pub fn counts(&mut self) -> Result<OutboxCounts, StoreError> {
        let query = || -> rusqlite::Result<OutboxCounts> {
            let mut counts = OutboxCounts::default();
            let mut statement = self.db.prepare_cached(&sqlite(statements::COUNTS))?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                counts.add(row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned());
            }
            Ok(counts)
        };
        query().map_err(|e| sql_error(WHAT, "count notifications", e))
    }

    /// Forgets what was done before `before`, the oldest first and at most so many: delivered, given up, and sent without ever
    /// a delivery receipt. Answers how many.
    pub fn purge(&mut self, before: Micros, limit: u32) -> Result<usize, StoreError> {
        self.db
            .execute(&sqlite(statements::PURGE), params![before, limit])
            .map_err(|e| sql_error(WHAT, "purge", e))
    }

    fn put(
        &mut self,
        found: &[Found],
        letters: &[NewLetter],
        positions: &BTreeMap<Partition, Seq>,
    ) -> rusqlite::Result<()> {
        let tx = self.db.transaction()?;
        letters::put(&tx, letters, &mut self.next_letter)?;
        {
            let mut put = tx.prepare_cached(&sqlite(statements::PUT))?;
            for one in found {
                let kind = NotificationKind::ALL
                    .iter()
                    .find(|(kind, _)| *kind == one.kind)
                    .map_or(0, |(_, code)| *code);
                put.execute(params![
                    one.id.partition,
                    one.id.seq.cast_signed(),
                    one.id.index,
                    kind,
                    one.operator.0,
                    one.account.0.cast_signed(),
                    one.at.0,
                    one.event,
                ])?;
            }
            let mut put = tx.prepare_cached(&sqlite(statements::POSITION_PUT))?;
            for (partition, seq) in positions {
                put.execute(params![partition, seq.cast_signed()])?;
            }
        }
        tx.commit()
    }
}

/// Which letters go out beside the notifications of a batch. An error stops the feed before it; the next one begins there.
pub type Further<'a> = dyn FnMut(&[Notification]) -> Result<Vec<NewLetter>, StoreError> + 'a;

struct Found {
    id: EventPlace,
    kind: NotificationKind,
    operator: OperatorId,
    account: AccountId,
    at: Timestamp,
    event: Vec<u8>,
}

impl Found {
    fn notification(&self) -> Result<Notification, StoreError> {
        let event = Event::from_bytes(&self.event).map_err(|error| StoreError::Corrupt {
            what: WHAT.to_owned(),
            detail: error.to_string(),
        })?;
        Ok(Notification {
            id: self.id,
            kind: self.kind,
            operator: self.operator,
            account: self.account,
            at: self.at,
            event,
            attempts: 0,
        })
    }
}

/// Adds the notifications of a batch; answers the number of its events.
fn collect(row: &JournalRow, not_before: Micros, found: &mut Vec<Found>) -> Result<u64, StoreError> {
    let batch = parse(row)?;
    let mut events = 0;
    for (index, record) in batch.records().enumerate() {
        let Record::Event(bytes) = record else { continue };
        events += 1;
        let event = decode(row, bytes)?;
        let account = match event.key {
            EntityKey::Account(account) | EntityKey::Auto(account) | EntityKey::BudgetTold(account) => {
                account
            }
            EntityKey::Seller(seller) => AccountId(u64::from(seller.0)),
            _ => continue,
        };
        let Some(kind) = NotificationKind::of(&event.body).filter(|_| event.at.0 >= not_before) else {
            continue;
        };
        let id = EventPlace {
            partition: row.partition,
            seq: row.seq,
            index: index as u32,
        };
        found.push(Found {
            id,
            kind,
            operator: event.operator,
            account,
            at: event.at,
            event: bytes.to_vec(),
        });
    }
    Ok(events)
}

/// Receipts of one table; the statements are for what has arrived and for what has not.
fn received(
    tx: &Transaction<'_>,
    (arrived, lost): (&str, &str),
    receipts: &[Receipt],
    now: Micros,
) -> rusqlite::Result<()> {
    for Receipt { message_id, problem } in receipts {
        match problem {
            None => tx
                .prepare_cached(&sqlite(arrived))?
                .execute(params![message_id, now])?,
            Some(reason) => tx
                .prepare_cached(&sqlite(lost))?
                .execute(params![message_id, reason, now])?,
        };
    }
    Ok(())
}

fn positions(db: &Connection) -> rusqlite::Result<BTreeMap<Partition, Seq>> {
    let mut statement = db.prepare(&sqlite(statements::POSITIONS))?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())))?;
    rows.collect()
}

fn notification(row: &Row<'_>) -> rusqlite::Result<Notification> {
    use rusqlite::types::FromSqlError;
    let kind: i64 = row.get(3)?;
    Ok(Notification {
        id: EventPlace {
            partition: row.get(0)?,
            seq: row.get::<_, i64>(1)?.cast_unsigned(),
            index: row.get(2)?,
        },
        kind: NotificationKind::ALL
            .iter()
            .find(|(_, code)| *code == kind)
            .map(|(kind, _)| *kind)
            .ok_or(FromSqlError::OutOfRange(kind))?,
        operator: OperatorId(row.get(4)?),
        account: AccountId(row.get::<_, i64>(5)?.cast_unsigned()),
        at: Timestamp(row.get(6)?),
        event: Event::from_bytes(row.get_ref(7)?.as_blob()?).map_err(|e| FromSqlError::Other(Box::new(e)))?,
        attempts: row.get(8)?,
    })
}
