//! Callbacks of partners that are to be delivered: at least once, and only forgotten when they were.
//!
//! Fed from the journal like the outbox: a callback is an event of the same decision as the change that it tells of, so
//! neither a crash between commit and delivery nor the loss of this file loses one. `callbacks.sqlite` syncs every commit.

use crate::batch::Record;
use crate::outbox::Backlog;
use crate::project::{Step, decode, parse, read_on};
use crate::sql::{callbacks as statements, sqlite};
use crate::sqlite::{Shared, connect, create_tables, sql_error};
use crate::traits::{Head, JournalReader, JournalRow, Micros, Partition, Seq, StoreError};
use charge::terms::CallbackDue;
use charge::{EntityKey, EventBody, PartnerId};
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::BTreeMap;
use std::sync::Arc;

const WHAT: &str = "callbacks.sqlite";
const PAGE_BYTES: u32 = 4096;

/// Names a callback: partner, sandbox or not, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallbackId {
    /// The partner.
    pub partner: PartnerId,
    /// Of its sandbox.
    pub test: bool,
    /// Its number.
    pub sequence: u64,
}

/// Where a callback stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallbackState {
    /// Waits to be delivered.
    Pending,
    /// Acknowledged.
    Delivered,
    /// Tried for as long as it may be; waits for people.
    Parked,
}

impl CallbackState {
    /// Every state with its number in the table and its name in the API.
    pub const ALL: [(CallbackState, i64, &'static str); 3] = [
        (CallbackState::Pending, 0, "pending"),
        (CallbackState::Delivered, 1, "delivered"),
        (CallbackState::Parked, 2, "parked"),
    ];

    /// Name in the API.
    pub fn name(self) -> &'static str {
        CallbackState::ALL
            .iter()
            .find(|(state, ..)| *state == self)
            .map_or("", |(_, _, name)| name)
    }

    /// The state of a name.
    pub fn parse(name: &str) -> Option<CallbackState> {
        let found = CallbackState::ALL.iter().find(|(_, _, known)| *known == name);
        found.map(|(state, ..)| *state)
    }

    fn number(self) -> i64 {
        CallbackState::ALL
            .iter()
            .find(|(state, ..)| *state == self)
            .map_or(0, |(_, number, _)| *number)
    }
}

/// A callback with what became of it so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// Its name.
    pub id: CallbackId,
    /// Where to.
    pub url: String,
    /// What to tell.
    pub due: CallbackDue,
    /// When the change happened.
    pub at: Micros,
    /// Where it stands.
    pub state: CallbackState,
    /// When it is tried next, while it is pending.
    pub retry_at: Micros,
    /// Attempts since it was queued or replayed.
    pub attempts: u32,
    /// When it was queued or last replayed.
    pub since: Micros,
    /// HTTP status of the last attempt, if there was an answer.
    pub status: Option<u16>,
    /// What went wrong with the last attempt.
    pub reason: Option<String>,
    /// Last change.
    pub updated_at: Micros,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Acknowledged with this status.
    Acknowledged {
        /// 200 to 299.
        status: u16,
    },
    /// Not acknowledged: tried again at this moment.
    Retry {
        /// HTTP status, if there was an answer.
        status: Option<u16>,
        /// What went wrong.
        reason: String,
        /// When to try again.
        at: Micros,
    },
    /// Not acknowledged, and tried for long enough.
    Park {
        /// HTTP status, if there was an answer.
        status: Option<u16>,
        /// What went wrong.
        reason: String,
    },
}

/// The callbacks of a data directory. There should be one; it may go to another thread.
pub struct Callbacks {
    db: Connection,
    positions: BTreeMap<Partition, Seq>,
    _shared: Option<Arc<Shared>>,
}

impl Callbacks {
    pub(crate) fn of_store(shared: &Arc<Shared>) -> Result<Self, StoreError> {
        let db = connect(&shared.dir.join(WHAT), WHAT, PAGE_BYTES)?;
        Self::open(db, Some(Arc::clone(shared)))
    }

    /// Callbacks that are gone when they are dropped, for simulation and tests.
    pub fn in_memory() -> Result<Self, StoreError> {
        let db = Connection::open_in_memory().map_err(|e| sql_error(WHAT, "open", e))?;
        Self::open(db, None)
    }

    fn open(mut db: Connection, shared: Option<Arc<Shared>>) -> Result<Self, StoreError> {
        db.pragma_update(None, "synchronous", "full")
            .map_err(|e| sql_error(WHAT, "prepare the callbacks", e))?;
        let format = (statements::FORMAT_GET, statements::FORMAT_SET, statements::FORMAT);
        create_tables(&mut db, WHAT, statements::SCHEMA, format)?;
        let positions = positions(&db).map_err(|e| sql_error(WHAT, "read the positions", e))?;
        Ok(Self {
            db,
            positions,
            _shared: shared,
        })
    }

    /// Takes in at most about `max_bytes` of journal. What became due before `not_before` is passed over, so that a file that
    /// was lost does not tell the whole past again.
    pub fn feed(
        &mut self,
        journal: &mut dyn JournalReader,
        max_bytes: usize,
        not_before: Micros,
    ) -> Result<Step, StoreError> {
        let (mut found, mut positions, mut events) = (Vec::new(), BTreeMap::new(), 0);
        let read = read_on(journal, &self.positions, max_bytes, |row| {
            events += collect(row, not_before, &mut found)?;
            positions.insert(row.partition, row.seq);
            Ok(())
        })?;
        if read.batches > 0 {
            self.put(&found, &positions)
                .map_err(|e| sql_error(WHAT, "take in callbacks", e))?;
            self.positions.extend(positions);
        }
        Ok(Step {
            batches: read.batches,
            events,
            behind: read.behind,
        })
    }

    /// What is due, at most `limit` of each partner and in the order of its numbers. A later change of a top-up is not
    /// due before the earlier one was acknowledged or parked. They stay due until told otherwise.
    pub fn due(&mut self, now: Micros, limit: usize) -> Result<Vec<Callback>, StoreError> {
        let query = || -> rusqlite::Result<Vec<Callback>> {
            let mut statement = self.db.prepare_cached(&sqlite(statements::STREAMS))?;
            let streams: Vec<(u32, bool)> = statement
                .query_map([now], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<rusqlite::Result<_>>()?;
            let mut statement = self.db.prepare_cached(&sqlite(statements::DUE))?;
            let mut due = Vec::new();
            for (partner, test) in streams {
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                for row in statement.query_map(params![partner, test, now, limit], callback)? {
                    due.push(row?);
                }
            }
            Ok(due)
        };
        query().map_err(|e| sql_error(WHAT, "read what is due", e))
    }

    /// When the next callback is due, if any is pending.
    pub fn next_due(&mut self) -> Result<Option<Micros>, StoreError> {
        self.db
            .query_row(&sqlite(statements::NEXT_RETRY), [], |row| row.get(0))
            .map_err(|e| sql_error(WHAT, "read what is due next", e))
    }

    /// Records what became of attempts, in one durable transaction.
    pub fn attempted(
        &mut self,
        deliveries: &[(CallbackId, Delivery)],
        now: Micros,
    ) -> Result<(), StoreError> {
        let mut write = || -> rusqlite::Result<()> {
            let tx = self.db.transaction()?;
            for (id, delivery) in deliveries {
                let (partner, sequence) = (id.partner.0, id.sequence.cast_signed());
                match delivery {
                    Delivery::Acknowledged { status } => {
                        tx.prepare_cached(&sqlite(statements::DELIVERED))?
                            .execute(params![partner, id.test, sequence, status, now])?
                    }
                    Delivery::Retry { status, reason, at } => tx
                        .prepare_cached(&sqlite(statements::RETRY))?
                        .execute(params![partner, id.test, sequence, status, reason, at, now])?,
                    Delivery::Park { status, reason } => tx
                        .prepare_cached(&sqlite(statements::PARK))?
                        .execute(params![partner, id.test, sequence, status, reason, now])?,
                };
            }
            tx.commit()
        };
        write().map_err(|e| sql_error(WHAT, "record attempts", e))
    }

    /// Callbacks of a partner after a number, in order; of one state, or of all.
    pub fn list(
        &mut self,
        (partner, test): (PartnerId, bool),
        state: Option<CallbackState>,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Callback>, StoreError> {
        let query = || -> rusqlite::Result<Vec<Callback>> {
            let mut statement = self.db.prepare_cached(&sqlite(statements::LIST))?;
            let state = state.map_or(-1, CallbackState::number);
            let after = i64::try_from(after).unwrap_or(i64::MAX);
            let rows = statement.query_map(params![partner.0, test, after, state, limit], callback)?;
            rows.collect()
        };
        query().map_err(|e| sql_error(WHAT, "list callbacks", e))
    }

    /// One callback.
    pub fn one(&mut self, id: CallbackId) -> Result<Option<Callback>, StoreError> {
        let Ok(sequence) = i64::try_from(id.sequence) else {
            return Ok(None);
        };
        self.db
            .prepare_cached(&sqlite(statements::ONE))
            .and_then(|mut statement| {
                statement
                    .query_row(params![id.partner.0, id.test, sequence], callback)
                    .optional()
            })
            .map_err(|e| sql_error(WHAT, "read a callback", e))
    }

    /// Delivers a callback again, whatever became of it. Answers whether it is there.
    pub fn replay(&mut self, id: CallbackId, now: Micros) -> Result<bool, StoreError> {
        let Ok(sequence) = i64::try_from(id.sequence) else {
            return Ok(false);
        };
        self.db
            .execute(
                &sqlite(statements::REPLAY),
                params![id.partner.0, id.test, sequence, now],
            )
            .map(|rows| rows > 0)
            .map_err(|e| sql_error(WHAT, "replay a callback", e))
    }

    /// Delivers everything again that was parked. Answers how many.
    pub fn replay_parked(
        &mut self,
        (partner, test): (PartnerId, bool),
        now: Micros,
    ) -> Result<usize, StoreError> {
        self.db
            .execute(&sqlite(statements::REPLAY_PARKED), params![partner.0, test, now])
            .map_err(|e| sql_error(WHAT, "replay callbacks", e))
    }

    /// Batches that are in the journal and not yet taken in.
    pub fn lag(&self, heads: &[Head]) -> u64 {
        let done = |head: &Head| self.positions.get(&head.partition).copied().unwrap_or(0);
        heads.iter().map(|head| head.seq.saturating_sub(done(head))).sum()
    }

    /// What waits, and what is parked for people.
    pub fn backlog(&mut self) -> Result<Backlog, StoreError> {
        self.db
            .query_row(&sqlite(statements::BACKLOG), [], Backlog::of)
            .map_err(|e| sql_error(WHAT, "count callbacks", e))
    }

    /// Forgets what was acknowledged before `before`.
    pub fn purge(&mut self, before: Micros) -> Result<usize, StoreError> {
        self.db
            .execute(&sqlite(statements::PURGE), [before])
            .map_err(|e| sql_error(WHAT, "purge", e))
    }

    fn put(&mut self, found: &[Found], positions: &BTreeMap<Partition, Seq>) -> rusqlite::Result<()> {
        let tx = self.db.transaction()?;
        {
            let mut put = tx.prepare_cached(&sqlite(statements::PUT))?;
            for (id, at, due) in found {
                put.execute(params![
                    id.partner.0,
                    id.test,
                    id.sequence.cast_signed(),
                    due.top_up.id.to_be_bytes(),
                    due.url,
                    due.to_row(),
                    at,
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

type Found = (CallbackId, Micros, CallbackDue);

/// Adds the callbacks of a batch; answers the number of its events.
fn collect(row: &JournalRow, not_before: Micros, found: &mut Vec<Found>) -> Result<u64, StoreError> {
    let batch = parse(row)?;
    let mut events = 0;
    for record in batch.records() {
        let Record::Event(bytes) = record else { continue };
        events += 1;
        let event = decode(row, bytes)?;
        if event.at.0 < not_before {
            continue;
        }
        if let (EntityKey::Terms(partner, test), EventBody::CallbackDue(due)) = (event.key, event.body) {
            let id = CallbackId {
                partner,
                test,
                sequence: due.sequence,
            };
            found.push((id, event.at.0, *due));
        }
    }
    Ok(events)
}

fn positions(db: &Connection) -> rusqlite::Result<BTreeMap<Partition, Seq>> {
    let mut statement = db.prepare(&sqlite(statements::POSITIONS))?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())))?;
    rows.collect()
}

fn callback(row: &Row<'_>) -> rusqlite::Result<Callback> {
    use rusqlite::types::FromSqlError;
    let number: i64 = row.get(6)?;
    Ok(Callback {
        id: CallbackId {
            partner: PartnerId(row.get(0)?),
            test: row.get(1)?,
            sequence: row.get::<_, i64>(2)?.cast_unsigned(),
        },
        url: row.get(3)?,
        due: CallbackDue::from_row(row.get_ref(4)?.as_blob()?)
            .map_err(|e| FromSqlError::Other(Box::new(e)))?,
        at: row.get(5)?,
        state: CallbackState::ALL
            .iter()
            .find(|(_, known, _)| *known == number)
            .map(|(state, ..)| *state)
            .ok_or(FromSqlError::OutOfRange(number))?,
        retry_at: row.get(7)?,
        attempts: row.get(8)?,
        since: row.get(9)?,
        status: row.get(10)?,
        reason: row.get(11)?,
        updated_at: row.get(12)?,
    })
}
