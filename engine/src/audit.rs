//! The audit: replays a journal from nothing and proves that it is whole, that the books balance, and that the snapshots agree.
//!
//! One partition at a time is in memory. For each: every batch's checksum, hash, link and position; every event decoded and
//! applied; its postings sum to zero per unit; message numbers without gaps; every snapshot row equal to the replayed entity
//! at the row's position; the checkpoint's hash, numbers and completeness. At the end: what the ledger says subscribers and
//! floats hold is what the entities hold, and what is in transit is what the unconsumed messages carry.

mod books;

use crate::error::Unavailable;
use crate::key::key_of_bytes;
use crate::limits::{JOURNAL_READ_BYTES, SCAN_ROWS};
use crate::partition::channels::Channels;
use crate::partition::meta::Meta;
use crate::partition::{PartitionId, due_in_snapshot};
use books::Books;
use charge::codec::Codec;
use charge::command::Message;
use charge::{Entity, EntityKey, Event};
use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use store::batch::{Batch, Record};
use store::{Checkpoint, Hash, Head, JournalReader, JournalRow, Seq, SnapshotReader, Store, StoreError};

/// Most problems that a report lists; further ones are only counted.
pub const PROBLEMS_MAX: usize = 1000;

/// What an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditReport {
    /// What is wrong; empty when everything holds. At most [`PROBLEMS_MAX`].
    pub problems: Vec<String>,
    /// Number of problems, listed or not.
    pub problem_count: u64,
    /// Partitions with a journal.
    pub partitions: u64,
    /// Batches replayed.
    pub batches: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Events applied.
    pub events: u64,
    /// Events that moved value.
    pub events_with_postings: u64,
    /// Entities at the end.
    pub entities: u64,
    /// Snapshot rows compared.
    pub snapshots: u64,
    /// Messages sent between partitions.
    pub messages_sent: u64,
    /// Messages applied.
    pub messages_received: u64,
    /// Sum of all postings per unit, in [`charge::Unit::ALL`] order: zero.
    pub sums: [i128; 4],
    /// Balance per class of ledger account and unit.
    pub ledger: BTreeMap<String, [i128; 4]>,
    /// Money between floats and subscribers, in micro-units.
    pub in_transit: i128,
}

impl AuditReport {
    /// True when nothing is wrong.
    pub fn ok(&self) -> bool {
        self.problem_count == 0
    }

    fn problem(&mut self, problem: impl fmt::Display) {
        self.problem_count += 1;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem.to_string());
        }
    }
}

/// How far an audit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditProgress {
    /// Batches replayed.
    pub batches: u64,
    /// Batches in the journal when the audit began.
    pub of: u64,
    /// Events applied.
    pub events: u64,
}

/// Audits a store. `partitions` is the number that the data directory was made with; [`stored_partitions`] finds it.
///
/// # Errors
/// [`StoreError`] when the store cannot be read at all; whatever is wrong in what it holds is in the report.
pub fn audit(
    store: &dyn Store,
    partitions: u16,
    progress: &mut dyn FnMut(AuditProgress),
) -> Result<AuditReport, StoreError> {
    let mut journal = store.journal_reader()?;
    let mut snapshots = store.snapshot_reader()?;
    let mut report = AuditReport::default();
    let mut books = Books::default();
    // Rows first: a running engine may go on meanwhile, and rows are never ahead of the journal.
    let mut rows = Vec::with_capacity(usize::from(partitions));
    for partition in 0..partitions {
        rows.push((
            read_rows(&mut *snapshots, partition, &mut report)?,
            snapshots.checkpoint(partition)?,
        ));
    }
    let heads = journal.heads()?;
    report.partitions = heads.len() as u64;
    for head in heads.iter().filter(|head| head.partition >= partitions) {
        report.problem(format_args!(
            "there is a partition {}, but only {partitions} are configured",
            head.partition
        ));
    }
    let of = heads
        .iter()
        .map(|head| (head.seq + 1).saturating_sub(head.first))
        .sum();
    for (partition, (rows, checkpoint)) in (0..partitions).zip(rows) {
        let replay = Replay {
            partition,
            partitions,
            rows,
            checkpoint,
            entities: HashMap::new(),
            channels: Channels::default(),
            at: (0, Hash::NONE),
            report: &mut report,
            books: &mut books,
        };
        let head = heads.iter().find(|head| head.partition == partition);
        let channels = replay.run(head, &mut *journal, of, progress)?;
        books.close_partition(partition, channels);
    }
    books.finish(&mut report);
    Ok(report)
}

/// The number of partitions that a data directory was made with; `None` when it has no checkpoint to tell.
///
/// # Errors
/// [`StoreError`] when the snapshots cannot be read or their first checkpoint is damaged.
pub fn stored_partitions(store: &dyn Store) -> Result<Option<u16>, StoreError> {
    let Some(checkpoint) = store.snapshot_reader()?.checkpoint(0)? else {
        return Ok(None);
    };
    let meta = Meta::from_bytes(&checkpoint.meta).map_err(|error| StoreError::Corrupt {
        what: "the checkpoint of partition 0".to_owned(),
        detail: error.to_string(),
    })?;
    Ok(Some(meta.partitions))
}

/// A snapshot row as remembered until the replay has come to its position.
struct Row {
    seq: Seq,
    digest: u128,
    due: Option<i64>,
    compared: bool,
}

/// An entity as replayed.
struct Replayed {
    entity: Option<Entity>,
    seq: Seq,
}

struct Replay<'a> {
    partition: PartitionId,
    partitions: u16,
    rows: HashMap<EntityKey, Row>,
    checkpoint: Option<Checkpoint>,
    entities: HashMap<EntityKey, Replayed>,
    channels: Channels,
    at: (Seq, Hash),
    report: &'a mut AuditReport,
    books: &'a mut Books,
}

impl Replay<'_> {
    fn run(
        mut self,
        head: Option<&Head>,
        journal: &mut dyn JournalReader,
        of: u64,
        progress: &mut dyn FnMut(AuditProgress),
    ) -> Result<Channels, StoreError> {
        if let Some(head) = head
            && head.first > 1
        {
            self.problem(format_args!(
                "begins at batch {}; older ones are needed to replay from nothing",
                head.first
            ));
            return Ok(self.channels);
        }
        self.pass_checkpoint();
        let last = head.map_or(0, |head| head.seq);
        while self.at.0 < last {
            let rows = journal.read(self.partition, self.at.0 + 1, JOURNAL_READ_BYTES)?;
            if rows.is_empty() {
                let at = self.at.0;
                self.problem(format_args!("ends at batch {at}, its head says {last}"));
                break;
            }
            for row in rows.iter().filter(|row| row.seq <= last) {
                if !self.batch(row) {
                    return Ok(self.channels);
                }
            }
            progress(AuditProgress {
                batches: self.report.batches,
                of,
                events: self.report.events,
            });
        }
        self.close();
        Ok(self.channels)
    }

    /// One batch; false when replaying further makes no sense.
    fn batch(&mut self, row: &JournalRow) -> bool {
        let (seq, expected) = (row.seq, self.at.0 + 1);
        if seq != expected {
            self.problem(format_args!("batch {expected} is missing"));
            return false;
        }
        let batch = match Batch::parse(&row.batch) {
            Ok(batch) => batch,
            Err(error) => {
                self.problem(format_args!("batch {seq}: {error}"));
                return false;
            }
        };
        if let Err(error) = batch.verify(self.partition, seq, &self.at.1) {
            self.problem(format_args!("batch {seq}: {error}"));
            return false;
        }
        for record in batch.records() {
            if let Err(problem) = self.record(seq, record) {
                self.problem(format_args!("batch {seq}: {problem}"));
                return false;
            }
        }
        self.report.batches += 1;
        self.report.bytes += row.batch.len() as u64;
        self.at = (seq, batch.hash());
        self.pass_checkpoint();
        true
    }

    fn record(&mut self, seq: Seq, record: Record<'_>) -> Result<(), String> {
        match record {
            Record::Event(bytes) => {
                let event = Event::from_bytes(bytes).map_err(|error| format!("an event: {error}"))?;
                self.event(seq, &event)
            }
            Record::Sent { to, number, message } => {
                let message = Message::from_bytes(message).map_err(|error| format!("a message: {error}"))?;
                let expected = self.channels.next_number(to);
                if number != expected {
                    return Err(format!(
                        "message {number} to partition {to} where {expected} is expected"
                    ));
                }
                if message.route().partition(self.partitions) != to {
                    return Err(format!("message {number} to partition {to} is for somebody else"));
                }
                self.channels.push(to, message);
                self.report.messages_sent += 1;
                Ok(())
            }
            Record::Received { from, number } => {
                let expected = self.channels.received(from) + 1;
                if number != expected {
                    return Err(format!(
                        "message {number} from partition {from} where {expected} is expected"
                    ));
                }
                self.channels.receive(from, number);
                self.report.messages_received += 1;
                Ok(())
            }
            Record::Acknowledged { to, up_to } => {
                self.channels.replay_acknowledged(to, up_to);
                Ok(())
            }
        }
    }

    fn event(&mut self, seq: Seq, event: &Event) -> Result<(), String> {
        let key = event.key;
        if key.partition(self.partitions) != self.partition {
            return Err(format!("an event of {key:?} belongs to another partition"));
        }
        let sums = self.books.post(event);
        if sums != [0; 4] {
            self.problem(format_args!(
                "batch {seq}: the postings of an event of {key:?} sum to {sums:?}"
            ));
        }
        self.report.events += 1;
        let known = self
            .entities
            .entry(key)
            .or_insert(Replayed { entity: None, seq: 0 });
        let mut wrong = None;
        if let Some(row) = self.rows.get_mut(&key)
            && !row.compared
            && row.seq < seq
        {
            row.compared = true;
            wrong = compare(row, known);
        }
        let applied = catch_unwind(AssertUnwindSafe(|| charge::apply(&mut known.entity, event)));
        known.seq = seq;
        if let Some(wrong) = wrong {
            self.problem(format_args!("the snapshot of {key:?} {wrong}"));
        }
        applied.map_err(|_| format!("an event of {key:?} cannot be applied"))
    }

    /// At the checkpoint's position: the same hash, the same message numbers, and a row for everything that has changed.
    fn pass_checkpoint(&mut self) {
        let Some(point) = self.checkpoint.take_if(|point| point.seq == self.at.0) else {
            return;
        };
        if point.hash != self.at.1 {
            self.problem(format_args!(
                "the checkpoint at batch {} has the hash of another batch",
                point.seq
            ));
        }
        match Meta::from_bytes(&point.meta) {
            Err(error) => self.problem(format_args!("the checkpoint: {error}")),
            Ok(meta) => {
                if meta.channels.numbers() != self.channels.numbers() {
                    self.problem("the checkpoint has other message numbers than the journal");
                }
                if meta.partitions != self.partitions {
                    self.problem(format_args!(
                        "the checkpoint was made with {} partitions",
                        meta.partitions
                    ));
                }
            }
        }
        let missing = |(key, replayed): (&EntityKey, &Replayed)| {
            let row = self.rows.get(key);
            row.is_none_or(|row| row.seq < replayed.seq).then_some(*key)
        };
        let missing: Vec<EntityKey> = self.entities.iter().filter_map(missing).collect();
        for key in missing {
            self.problem(format_args!(
                "the checkpoint promises a newer snapshot of {key:?}"
            ));
        }
    }

    fn close(&mut self) {
        if let Some(point) = &self.checkpoint {
            let (seq, at) = (point.seq, self.at.0);
            self.problem(format_args!(
                "the checkpoint is at batch {seq}, the journal ends at {at}"
            ));
        }
        let mut wrong = Vec::new();
        for (key, row) in self.rows.iter_mut().filter(|(_, row)| !row.compared) {
            row.compared = true;
            match self.entities.get(key) {
                None => wrong.push((*key, "is of an entity that the journal does not know")),
                Some(known) => wrong.extend(compare(row, known).map(|problem| (*key, problem))),
            }
        }
        for (key, problem) in wrong {
            self.problem(format_args!("the snapshot of {key:?} {problem}"));
        }
        self.report.entities += self.entities.len() as u64;
        let mut below = Vec::new();
        for (key, replayed) in &self.entities {
            match &replayed.entity {
                None => below.push((*key, "does not exist after its events")),
                Some(entity) => below.extend(self.books.hold(*key, entity).map(|problem| (*key, problem))),
            }
        }
        for (key, problem) in below {
            self.problem(format_args!("{key:?} {problem}"));
        }
    }

    fn problem(&mut self, problem: impl fmt::Display) {
        let partition = self.partition;
        self.report
            .problem(format_args!("partition {partition}: {problem}"));
    }
}

fn compare(row: &Row, known: &Replayed) -> Option<&'static str> {
    let Some(entity) = &known.entity else {
        return Some("is of an entity that the journal does not know yet");
    };
    if row.seq < known.seq {
        return Some("is older than its position says");
    }
    if digest(&entity.to_bytes()) != row.digest {
        return Some("differs from the replayed entity");
    }
    // Earlier versions wrote the exact moment.
    let exact = entity.next_due().map(|due| due.0);
    (row.due != due_in_snapshot(entity) && row.due != exact).then_some("has another due time than the entity")
}

fn digest(bytes: &[u8]) -> u128 {
    charge::ids::digest128("snapshot", &[bytes])
}

fn read_rows(
    snapshots: &mut dyn SnapshotReader,
    partition: PartitionId,
    report: &mut AuditReport,
) -> Result<HashMap<EntityKey, Row>, StoreError> {
    let mut rows = HashMap::new();
    let mut after: Option<Vec<u8>> = None;
    loop {
        let found = snapshots.scan(partition, after.as_deref(), SCAN_ROWS)?;
        let Some(last) = found.last() else { return Ok(rows) };
        after = Some(last.key.clone());
        for snapshot in found {
            report.snapshots += 1;
            let Some(key) = key_of_bytes(&snapshot.key) else {
                report.problem(format_args!(
                    "partition {partition}: a snapshot has a key that nobody made"
                ));
                continue;
            };
            let row = Row {
                seq: snapshot.seq,
                digest: digest(&snapshot.bytes),
                due: snapshot.due,
                compared: false,
            };
            rows.insert(key, row);
        }
    }
}

/// The replayed entity of one key, for tools that explain a single account ("why was I charged"): reads the journal only.
///
/// # Errors
/// [`StoreError`] when the journal cannot be read; [`Unavailable::Internal`] inside when it is damaged.
pub fn replay_entity(
    store: &dyn Store,
    partitions: u16,
    key: EntityKey,
    mut event: impl FnMut(Seq, &Event),
) -> Result<Result<Option<Entity>, Unavailable>, StoreError> {
    let mut journal = store.journal_reader()?;
    let partition = key.partition(partitions);
    let (mut entity, mut from) = (None, 1);
    loop {
        let rows = journal.read(partition, from, JOURNAL_READ_BYTES)?;
        let Some(last) = rows.last() else {
            return Ok(Ok(entity));
        };
        from = last.seq + 1;
        for row in &rows {
            let Ok(batch) = Batch::parse(&row.batch) else {
                return Ok(Err(Unavailable::Internal));
            };
            for record in batch.records() {
                let Record::Event(bytes) = record else { continue };
                let Ok(found) = Event::from_bytes(bytes) else {
                    return Ok(Err(Unavailable::Internal));
                };
                if found.key == key {
                    event(row.seq, &found);
                    let apply = AssertUnwindSafe(|| charge::apply(&mut entity, &found));
                    if catch_unwind(apply).is_err() {
                        return Ok(Err(Unavailable::Internal));
                    }
                }
            }
        }
    }
}
