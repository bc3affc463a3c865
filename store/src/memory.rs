//! The store in memory, with the faults that the simulator injects: failing, full, slow and torn appends, and crashes.

use crate::batch::{Hash, peek_hash};
use crate::traits::{
    AppendError, Checkpoint, Due, Head, Journal, JournalReader, JournalRow, Micros, Partition, Seq, Snapshot,
    SnapshotReader, SnapshotRow, SnapshotWriter, Store, StoreError,
};
use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

/// Snapshot transactions that a crash can take back at most.
pub const SNAPSHOT_TAIL_MAX: usize = 64;

/// What goes wrong, and when. Appends are counted from 1 over the whole life of the store.
#[derive(Clone, Debug, Default)]
pub struct FaultPlan {
    /// What happens to the append with this number.
    pub appends: BTreeMap<u64, Fault>,
    /// What happens to every append, unless its number says otherwise.
    pub every: Option<Fault>,
    /// Bytes that fit into the journal; an append that passes them is refused as full.
    pub journal_bytes_max: Option<usize>,
    /// Whether everything is refused as read-only.
    pub read_only: bool,
    /// Whether there is no space for snapshots.
    pub snapshots_full: bool,
}

/// What happens to one append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The device reports an error and nothing was written.
    Fail,
    /// The device reports an error, but the batch is there: the outcome that must not be guessed.
    FailButWritten,
    /// There is no space.
    Full,
    /// It takes this long ([`MemoryStore::waited`] adds it up; nobody sleeps).
    Slow(Duration),
    /// Power fails before the batch is durable; every handle is dead until [`MemoryStore::restart`].
    CrashBefore,
    /// Power fails after the batch is durable but before anyone is told.
    CrashAfter,
    /// Power fails in the middle: recovery finds half a transaction and drops it.
    Torn,
}

/// A journal and snapshots in memory. Clones share them.
#[derive(Clone, Default)]
pub struct MemoryStore {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    journal: BTreeMap<(Partition, Seq), Vec<u8>>,
    journal_bytes: usize,
    snapshots: BTreeMap<(Partition, Vec<u8>), Entity>,
    due: BTreeSet<(Partition, Micros, Vec<u8>)>,
    checkpoints: BTreeMap<Partition, Checkpoint>,
    snapshot_undo: VecDeque<Vec<Undo>>,
    plan: FaultPlan,
    appends: u64,
    waited: Duration,
    torn: u64,
    /// Handles of an older life than this are dead.
    life: u64,
    crashed: bool,
    journal_writer: bool,
    snapshot_writer: bool,
}

#[derive(Clone)]
struct Entity {
    seq: Seq,
    due: Option<Micros>,
    bytes: Vec<u8>,
}

enum Undo {
    Entity(Partition, Vec<u8>, Option<Entity>),
    Checkpoint(Partition, Option<Checkpoint>),
}

impl MemoryStore {
    /// An empty store that does what it is told.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store with a plan of faults.
    pub fn with_faults(plan: FaultPlan) -> Self {
        let store = Self::new();
        store.faults(|faults| *faults = plan);
        store
    }

    /// Changes the plan.
    pub fn faults(&self, change: impl FnOnce(&mut FaultPlan)) {
        change(&mut self.state.lock().plan);
    }

    /// Number of appends that were tried so far.
    pub fn appends(&self) -> u64 {
        self.state.lock().appends
    }

    /// Sum of the delays of slow appends so far; a simulator with its own clock takes the difference.
    pub fn waited(&self) -> Duration {
        self.state.lock().waited
    }

    /// Number of half-written transactions that recovery has dropped.
    pub fn torn(&self) -> u64 {
        self.state.lock().torn
    }

    /// Whether power has failed and nobody has restarted yet.
    pub fn crashed(&self) -> bool {
        self.state.lock().crashed
    }

    /// Power fails now: every handle given out so far is dead until [`MemoryStore::restart`].
    pub fn crash(&self) {
        self.state.lock().crashed = true;
    }

    /// Power comes back: what was durable is there; the last `snapshots_lost` snapshot transactions (at most
    /// [`SNAPSHOT_TAIL_MAX`]), which nobody promised to keep, are gone.
    pub fn restart(&self, snapshots_lost: usize) {
        let mut state = self.state.lock();
        for _ in 0..snapshots_lost {
            state.undo_snapshots();
        }
        state.snapshot_undo.clear();
        state.life += 1;
        state.crashed = false;
        state.journal_writer = false;
        state.snapshot_writer = false;
    }

    /// Changes the stored bytes of a batch, as a bad disk or a forger would. Answers whether the batch exists.
    pub fn damage(&self, partition: Partition, seq: Seq, change: impl FnOnce(&mut Vec<u8>)) -> bool {
        self.state
            .lock()
            .journal
            .get_mut(&(partition, seq))
            .map(change)
            .is_some()
    }

    fn handle(&self) -> Handle {
        Handle {
            state: Arc::clone(&self.state),
            life: self.state.lock().life,
        }
    }
}

impl Store for MemoryStore {
    fn journal(&self) -> Result<Box<dyn Journal>, StoreError> {
        if std::mem::replace(&mut self.state.lock().journal_writer, true) {
            return Err(StoreError::WriterTaken("journal"));
        }
        Ok(Box::new(JournalWriter(self.handle())))
    }

    fn journal_reader(&self) -> Result<Box<dyn JournalReader>, StoreError> {
        Ok(Box::new(self.handle()))
    }

    fn snapshot_reader(&self) -> Result<Box<dyn SnapshotReader>, StoreError> {
        Ok(Box::new(self.handle()))
    }

    fn snapshot_writer(&self) -> Result<Box<dyn SnapshotWriter>, StoreError> {
        if std::mem::replace(&mut self.state.lock().snapshot_writer, true) {
            return Err(StoreError::WriterTaken("snapshots"));
        }
        Ok(Box::new(SnapshotsWriter(self.handle())))
    }
}

struct Handle {
    state: Arc<Mutex<State>>,
    life: u64,
}

struct JournalWriter(Handle);
struct SnapshotsWriter(Handle);

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Injected(&'static str);

impl Handle {
    fn alive<T>(
        &self,
        doing: &str,
        act: impl FnOnce(&mut State) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut state = self.state.lock();
        if state.crashed || state.life != self.life {
            let cause = Box::new(Injected("the power has failed"));
            return Err(StoreError::Io {
                doing: doing.to_owned(),
                cause,
            });
        }
        act(&mut state)
    }
}

impl Journal for JournalWriter {
    fn append(&mut self, rows: &[JournalRow]) -> Result<(), AppendError> {
        let mut state = self.0.state.lock();
        let failed = |why| Err(AppendError::Io(Box::new(Injected(why))));
        if state.crashed || state.life != self.0.life {
            return failed("the power has failed");
        }
        if rows.is_empty() {
            return Ok(());
        }
        state.appends += 1;
        let number = state.appends;
        let fault = state.plan.appends.remove(&number).or(state.plan.every);
        if state.plan.read_only {
            return Err(AppendError::ReadOnly);
        }
        match fault {
            None => state.write(rows),
            Some(Fault::Slow(delay)) => {
                state.waited += delay;
                state.write(rows)
            }
            Some(Fault::Full) => Err(AppendError::Full),
            Some(Fault::Fail) => failed("injected: the device reports an error"),
            Some(Fault::FailButWritten) => {
                state.write(rows)?;
                failed("injected: the device reports an error late")
            }
            Some(Fault::CrashBefore) => {
                state.crashed = true;
                failed("the power has failed")
            }
            Some(Fault::CrashAfter) => {
                let written = state.write(rows);
                state.crashed = true;
                written?;
                failed("the power has failed")
            }
            Some(Fault::Torn) => {
                state.crashed = true;
                state.torn += 1;
                failed("the power has failed")
            }
        }
    }
}

impl Drop for JournalWriter {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        if state.life == self.0.life {
            state.journal_writer = false;
        }
    }
}

impl Drop for SnapshotsWriter {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        if state.life == self.0.life {
            state.snapshot_writer = false;
        }
    }
}

impl JournalReader for Handle {
    fn read(
        &mut self,
        partition: Partition,
        from: Seq,
        max_bytes: usize,
    ) -> Result<Vec<JournalRow>, StoreError> {
        self.alive("read the journal", |state| {
            let (mut rows, mut bytes) = (Vec::new(), 0);
            for ((_, seq), batch) in state.journal.range((partition, from)..=(partition, Seq::MAX)) {
                if bytes >= max_bytes && !rows.is_empty() {
                    break;
                }
                bytes += batch.len();
                rows.push(JournalRow {
                    partition,
                    seq: *seq,
                    batch: batch.clone(),
                });
            }
            Ok(rows)
        })
    }

    fn heads(&mut self) -> Result<Vec<Head>, StoreError> {
        self.alive("read the heads of the journal", |state| {
            let mut heads: Vec<Head> = Vec::new();
            for ((partition, seq), batch) in &state.journal {
                let hash = peek_hash(batch).unwrap_or(Hash::NONE);
                match heads.last_mut().filter(|head| head.partition == *partition) {
                    Some(head) => (head.seq, head.hash) = (*seq, hash),
                    None => heads.push(Head {
                        partition: *partition,
                        first: *seq,
                        seq: *seq,
                        hash,
                    }),
                }
            }
            Ok(heads)
        })
    }
}

impl SnapshotReader for Handle {
    fn get(&mut self, partition: Partition, key: &[u8]) -> Result<Option<Snapshot>, StoreError> {
        self.alive("read a snapshot", |state| {
            let key = (partition, key.to_vec());
            Ok(state.snapshots.get(&key).map(|entity| entity.to_snapshot(&key.1)))
        })
    }

    fn due(
        &mut self,
        partition: Partition,
        after: Option<&Due>,
        until: Micros,
        limit: usize,
    ) -> Result<Vec<Due>, StoreError> {
        self.alive("read what is due", |state| {
            let from = after.map_or((partition, Micros::MIN, Vec::new()), |after| {
                // The smallest key that is greater.
                (partition, after.at, [&after.key[..], &[0]].concat())
            });
            Ok(state
                .due
                .range(from..)
                .take_while(|(owner, at, _)| *owner == partition && *at <= until)
                .take(limit)
                .map(|(_, at, key)| Due {
                    at: *at,
                    key: key.clone(),
                })
                .collect())
        })
    }

    fn checkpoint(&mut self, partition: Partition) -> Result<Option<Checkpoint>, StoreError> {
        self.alive("read a checkpoint", |state| {
            Ok(state.checkpoints.get(&partition).cloned())
        })
    }

    fn scan(
        &mut self,
        partition: Partition,
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Snapshot>, StoreError> {
        self.alive("scan the snapshots", |state| {
            let from = match after {
                Some(after) => Bound::Excluded((partition, after.to_vec())),
                None => Bound::Included((partition, Vec::new())),
            };
            Ok(state
                .snapshots
                .range((from, Bound::Unbounded))
                .take_while(|((owner, _), _)| *owner == partition)
                .take(limit)
                .map(|((_, key), entity)| entity.to_snapshot(key))
                .collect())
        })
    }

    fn count(&mut self, partition: Partition) -> Result<u64, StoreError> {
        self.alive("count the snapshots", |state| {
            let from = (partition, Vec::new());
            Ok(state
                .snapshots
                .range(from..)
                .take_while(|((owner, _), _)| *owner == partition)
                .count() as u64)
        })
    }
}

impl SnapshotWriter for SnapshotsWriter {
    fn put(&mut self, rows: &[SnapshotRow], checkpoints: &[Checkpoint]) -> Result<(), StoreError> {
        self.0.alive("write snapshots", |state| {
            if state.plan.read_only {
                return Err(StoreError::ReadOnly("snapshots"));
            }
            if state.plan.snapshots_full {
                return Err(StoreError::Full("snapshots"));
            }
            let mut undo = Vec::with_capacity(rows.len() + checkpoints.len());
            for row in rows {
                let new = row.bytes.clone().map(|bytes| Entity {
                    seq: row.seq,
                    due: row.due,
                    bytes,
                });
                let old = state.set_entity(row.partition, &row.key, new);
                undo.push(Undo::Entity(row.partition, row.key.clone(), old));
            }
            for point in checkpoints {
                let old = state.checkpoints.insert(point.partition, point.clone());
                undo.push(Undo::Checkpoint(point.partition, old));
            }
            state.remember(undo);
            Ok(())
        })
    }

    fn clear(&mut self, partition: Partition) -> Result<(), StoreError> {
        self.0.alive("clear the snapshots", |state| {
            let from = (partition, Vec::new());
            let keys: Vec<Vec<u8>> = state
                .snapshots
                .range(from..)
                .take_while(|((owner, _), _)| *owner == partition)
                .map(|((_, key), _)| key.clone())
                .collect();
            let mut undo = Vec::with_capacity(keys.len() + 1);
            for key in keys {
                let old = state.set_entity(partition, &key, None);
                undo.push(Undo::Entity(partition, key, old));
            }
            undo.push(Undo::Checkpoint(partition, state.checkpoints.remove(&partition)));
            state.remember(undo);
            Ok(())
        })
    }
}

impl State {
    fn write(&mut self, rows: &[JournalRow]) -> Result<(), AppendError> {
        let bytes: usize = rows.iter().map(|row| row.batch.len()).sum();
        for (index, row) in rows.iter().enumerate() {
            let at = |other: &JournalRow| (other.partition, other.seq) == (row.partition, row.seq);
            if self.journal.contains_key(&(row.partition, row.seq)) || rows[..index].iter().any(at) {
                return Err(AppendError::Fenced {
                    partition: row.partition,
                    seq: row.seq,
                });
            }
        }
        if self
            .plan
            .journal_bytes_max
            .is_some_and(|max| self.journal_bytes + bytes > max)
        {
            return Err(AppendError::Full);
        }
        self.journal_bytes += bytes;
        for row in rows {
            self.journal.insert((row.partition, row.seq), row.batch.clone());
        }
        Ok(())
    }

    /// Puts, replaces or removes an entity and keeps the index of due times; answers what was there.
    fn set_entity(&mut self, partition: Partition, key: &[u8], new: Option<Entity>) -> Option<Entity> {
        if let Some(at) = new.as_ref().and_then(|entity| entity.due) {
            self.due.insert((partition, at, key.to_vec()));
        }
        let new_due = new.as_ref().and_then(|entity| entity.due);
        let at = (partition, key.to_vec());
        let old = match new {
            Some(entity) => self.snapshots.insert(at, entity),
            None => self.snapshots.remove(&at),
        };
        if let Some(due) = old
            .as_ref()
            .and_then(|entity| entity.due)
            .filter(|due| Some(*due) != new_due)
        {
            self.due.remove(&(partition, due, key.to_vec()));
        }
        old
    }

    fn remember(&mut self, undo: Vec<Undo>) {
        if self.snapshot_undo.len() == SNAPSHOT_TAIL_MAX {
            self.snapshot_undo.pop_front();
        }
        self.snapshot_undo.push_back(undo);
    }

    fn undo_snapshots(&mut self) {
        for step in self
            .snapshot_undo
            .pop_back()
            .unwrap_or_default()
            .into_iter()
            .rev()
        {
            match step {
                Undo::Entity(partition, key, old) => {
                    self.set_entity(partition, &key, old);
                }
                Undo::Checkpoint(partition, Some(old)) => {
                    self.checkpoints.insert(partition, old);
                }
                Undo::Checkpoint(partition, None) => {
                    self.checkpoints.remove(&partition);
                }
            }
        }
    }
}

impl Entity {
    fn to_snapshot(&self, key: &[u8]) -> Snapshot {
        Snapshot {
            key: key.to_vec(),
            seq: self.seq,
            due: self.due,
            bytes: self.bytes.clone(),
        }
    }
}
