//! An engine thread: the owner of some partitions.

use super::completion::Answers;
use super::inbox::{Inbound, Note, SnapshotAnswer, SnapshotAsk, SnapshotStep};
use super::{OpenError, Shared};
use crate::limits::{ROOM_PERCENT, ROOM_WAIT_US};
use crate::partition::entities::SlotId;
use crate::partition::{Context, Outbox, Partition, PartitionId, SealedBatch};
use charge::Timestamp;
use charge::catalog::Catalogs;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use store::{JournalReader, SnapshotReader};

/// Longest sleep: a safety net, not a rhythm.
const SLEEP_MAX: Duration = Duration::from_millis(500);
/// How often memory is looked at while a command waits for room in it.
const ROOM_LOOK: Duration = Duration::from_millis(1);
/// A clock that jumps back further than this is believed.
const CLOCK_STEP_MAX_US: i64 = 60 * 1_000_000;

pub(crate) struct Worker {
    shared: Arc<Shared>,
    index: usize,
    owned: Vec<Owned>,
    reader: Box<dyn SnapshotReader>,
    journal: Box<dyn JournalReader>,
    catalogs: Arc<Catalogs>,
    catalogs_version: u64,
    now: Timestamp,
    out: Outbox,
    commands: VecDeque<Inbound>,
    /// Owned partitions and slots of the commands of this turn.
    found: Vec<(usize, SlotId)>,
    notes: Vec<Note>,
    sealed: Vec<SealedBatch>,
    answers: Answers,
    memory: (u64, u64),
    /// Memory is short, and the snapshot thread knows it.
    pressure: bool,
    /// Since when the next command has waited for room in memory.
    waiting_since: Option<Timestamp>,
}

/// A partition with what its thread remembers about it.
struct Owned {
    partition: Partition,
    ask: Option<Ask>,
    recover_at: Option<Timestamp>,
}

struct Ask {
    ask: SnapshotAsk,
    /// The rows have been collected and wait to become durable.
    collected: Option<u64>,
}

impl Worker {
    pub fn new(shared: &Arc<Shared>, index: usize, partitions: Vec<Partition>) -> Result<Worker, OpenError> {
        let owned = partitions.into_iter().map(|partition| Owned {
            partition,
            ask: None,
            recover_at: None,
        });
        Ok(Worker {
            shared: Arc::clone(shared),
            index,
            owned: owned.collect(),
            reader: shared.store.snapshot_reader()?,
            journal: shared.store.journal_reader()?,
            catalogs: Arc::clone(&shared.catalogs.read()),
            catalogs_version: 0,
            now: shared.clock.now(),
            out: Outbox::default(),
            commands: VecDeque::new(),
            found: Vec::new(),
            notes: Vec::new(),
            sealed: Vec::new(),
            answers: Vec::new(),
            memory: (0, 0),
            pressure: false,
            waiting_since: None,
        })
    }

    pub fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let inbox = &shared.inboxes[self.index];
        inbox.own();
        loop {
            self.refresh();
            let mut busy = self.take_notes();
            busy |= self.take_commands();
            busy |= self.tick();
            busy |= self.seal();
            busy |= self.snapshots();
            self.flush();
            self.keep_memory();
            let held = self.waiting_since.is_some() && !busy;
            if busy || (!self.commands.is_empty() && !held) {
                continue;
            }
            if inbox.is_stopped() && inbox.depth() == 0 && !inbox.has_notes() && self.is_settled() {
                return;
            }
            let timeout = if held { ROOM_LOOK } else { self.timeout() };
            let (writer, index) = (&shared.writer, self.index);
            let waiting = self.owned.iter().any(|owned| owned.partition.may_seal());
            inbox.park(timeout, || !waiting || writer.want(index));
        }
    }

    fn refresh(&mut self) {
        let now = self.shared.clock.now();
        // A clock that is set back a little must not make time run backwards within an account.
        if now >= self.now || self.now.0 - now.0 > CLOCK_STEP_MAX_US {
            self.now = now;
        }
        let version = self.shared.catalogs_version.load(Ordering::Acquire);
        if version != self.catalogs_version {
            self.catalogs_version = version;
            self.catalogs = Arc::clone(&self.shared.catalogs.read());
        }
    }

    fn take_notes(&mut self) -> bool {
        let shared = Arc::clone(&self.shared);
        if !shared.inboxes[self.index].has_notes() {
            return false;
        }
        let mut notes = std::mem::take(&mut self.notes);
        shared.inboxes[self.index].take_notes(&mut notes);
        for note in notes.drain(..) {
            match note {
                Note::Appended(batches) => {
                    for (partition, seq, buffer) in batches {
                        self.with(partition, |partition, cx| {
                            partition.appended(seq, Some(buffer), cx);
                        });
                    }
                    // Answers should not wait for what else is in the queue.
                    self.flush();
                }
                Note::Failed(lost) => {
                    for (partition, epoch) in lost {
                        let local = self.local(partition);
                        if self.owned[local].partition.epoch() == epoch {
                            self.recover(local);
                        }
                    }
                }
                Note::Message(delivery) => self.with(delivery.to, |partition, cx| {
                    partition.deliver(delivery.from, delivery.number, delivery.message, cx);
                }),
                Note::Acknowledgement(ack) => self.with(ack.sender, |partition, cx| {
                    partition.acknowledged(ack.receiver, ack.up_to, cx.out);
                }),
                Note::Written {
                    partition,
                    epoch,
                    collected,
                } => self.with(partition, |partition, _| partition.written(epoch, &collected)),
                Note::Abandon(partition) => self.with(partition, |partition, _| partition.abandon_round()),
                Note::Snapshot(ask) => {
                    let local = self.local(ask.partition);
                    self.owned[local].ask = Some(Ask { ask, collected: None });
                }
            }
        }
        self.notes = notes;
        true
    }

    fn take_commands(&mut self) -> bool {
        let shared = Arc::clone(&self.shared);
        let inbox = &shared.inboxes[self.index];
        inbox.take_commands(&mut self.commands);
        self.warm(shared.settings.commands_per_turn);
        let mut handled = 0;
        while handled < shared.settings.commands_per_turn {
            if self.must_wait_for_room() {
                break;
            }
            let Some(inbound) = self.commands.pop_front() else {
                break;
            };
            let (Inbound::Command { partition, .. } | Inbound::Read { partition, .. }) = &inbound;
            let local = self.local(*partition);
            if self.owned[local].partition.is_full() {
                self.commands.push_front(inbound);
                break;
            }
            handled += 1;
            match inbound {
                Inbound::Command {
                    partition,
                    ticket,
                    command,
                } => self.with(partition, |partition, cx| partition.handle(&command, ticket, cx)),
                Inbound::Read {
                    partition,
                    key,
                    query,
                } => self.with(partition, |partition, cx| partition.read(key, query, cx)),
            }
        }
        inbox.handled(handled);
        handled > 0
    }

    /// Whether the next command should wait until the snapshots have made room in memory. Those behind it wait with it:
    /// order within an account is kept.
    fn must_wait_for_room(&mut self) -> bool {
        let lacks_room = match self.commands.front() {
            Some(Inbound::Command {
                partition, command, ..
            }) => {
                let local = self.local(*partition);
                self.owned[local].partition.lacks_room_for(command)
            }
            _ => false,
        };
        if !lacks_room {
            self.waiting_since = None;
            return false;
        }
        let since = *self.waiting_since.get_or_insert(self.now);
        self.now.0 - since.0 < ROOM_WAIT_US
    }

    /// Looks at the entities of the next commands before the first is decided, so that the memory fetches them side by
    /// side: with a million accounts most of the time of a decision is waiting for memory.
    fn warm(&mut self, count: usize) {
        self.found.clear();
        for inbound in self.commands.iter().take(count) {
            if let Inbound::Command {
                partition, command, ..
            } = inbound
            {
                let local = usize::from(*partition) / self.shared.inboxes.len();
                let slot = self.owned[local].partition.find(command.route());
                self.found.extend(slot.map(|slot| (local, slot)));
            }
        }
        let warm = |(local, slot): &(usize, SlotId)| self.owned[*local].partition.warm(*slot);
        let parts = |(local, slot): &(usize, SlotId)| self.owned[*local].partition.warm_parts(*slot);
        // What was read is of no interest, only that it was.
        std::hint::black_box(self.found.iter().map(warm).sum::<usize>());
        std::hint::black_box(self.found.iter().map(parts).sum::<usize>());
    }

    fn tick(&mut self) -> bool {
        let mut ticked = 0;
        for local in 0..self.owned.len() {
            if self.owned[local].recover_at.is_some_and(|at| at <= self.now) {
                self.recover(local);
            }
            let partition = &self.owned[local].partition;
            if partition.is_broken() {
                // What is on its way to the journal must have arrived or failed before anything is read back.
                if partition.batches_in_flight() == 0 && self.owned[local].recover_at.is_none() {
                    self.recover(local);
                }
            } else if partition.poll_timeout() <= self.now {
                let id = partition.id;
                self.with(id, |partition, cx| ticked += partition.tick(cx));
            }
        }
        self.shared.stats.ticked(ticked);
        ticked > 0
    }

    fn seal(&mut self) -> bool {
        if !self.shared.writer.is_hungry(self.index) {
            return false;
        }
        for owned in &mut self.owned {
            self.sealed.extend(owned.partition.seal(self.now));
        }
        let any = !self.sealed.is_empty();
        self.shared.writer.give(self.index, &mut self.sealed);
        any
    }

    fn snapshots(&mut self) -> bool {
        let mut answered = false;
        for owned in &mut self.owned {
            let Some(Ask { ask, collected }) = owned.ask.take() else {
                continue;
            };
            let partition = &mut owned.partition;
            match answer(partition, ask, collected, &mut *self.reader) {
                Ok(()) => answered = true,
                Err(ask) => owned.ask = Some(ask),
            }
        }
        answered
    }

    /// Carries the outbox out.
    fn flush(&mut self) {
        let shared = Arc::clone(&self.shared);
        let out = &mut self.out;
        if !out.directory.is_empty() {
            // An id that somebody chose himself must not be given out again.
            let highest = self.owned.iter().map(|owned| owned.partition.account_max()).max();
            let next = highest.unwrap_or(0).saturating_add(1);
            shared.account_next.fetch_max(next, Ordering::Relaxed);
            out.directory
                .drain(..)
                .for_each(|key| shared.directory.forget(key));
        }
        if let Some(observer) = &shared.observer {
            for (partition, seq, events) in out.observed.drain(..) {
                observer.committed(partition, seq, &events);
            }
        }
        shared.sinks.deliver(&mut out.completions, &mut self.answers);
        out.answers.drain(..).for_each(|answer| answer());
        for delivery in out.deliveries.drain(..) {
            shared.inbox_of(delivery.to).note(Note::Message(delivery));
        }
        for ack in out.acknowledgements.drain(..) {
            shared.inbox_of(ack.sender).note(Note::Acknowledgement(ack));
        }
    }

    fn keep_memory(&mut self) {
        let (mut evicted, mut memory, mut pressure) = (0, (0, 0), false);
        let mut looked = (0, 0);
        let (all, max) = (
            self.shared.stats.entity_bytes(),
            self.shared.settings.cache_bytes_max / 100 * ROOM_PERCENT,
        );
        for owned in &mut self.owned {
            // While there is room, any partition may take it; beyond, all give in proportion.
            let (_, own) = owned.partition.memory();
            let share = if all <= max {
                own + (max - all)
            } else {
                (own as u128 * max as u128 / all as u128) as usize
            };
            owned.partition.set_cache_bytes(share);
            if owned.partition.under_pressure() {
                evicted += owned.partition.evict();
                pressure |= owned.partition.under_pressure();
            }
            let (reads, absent) = std::mem::take(&mut owned.partition.looked);
            looked = (looked.0 + reads, looked.1 + absent);
            let (entities, bytes) = owned.partition.memory();
            memory = (memory.0 + entities as u64, memory.1 + bytes as u64);
        }
        if pressure != self.pressure {
            self.pressure = pressure;
            self.shared.snapshots.hurry(self.index, pressure);
        }
        self.shared.stats.evicted(evicted);
        self.shared.stats.looked(looked);
        self.shared.stats.memory(self.memory, memory);
        self.memory = memory;
    }

    fn recover(&mut self, local: usize) {
        let shared = Arc::clone(&self.shared);
        let owned = &mut self.owned[local];
        let retry = self.now.plus(shared.settings.retry_after_failure_us);
        let result = owned
            .partition
            .recover(&mut *self.reader, &mut *self.journal, &mut self.out);
        shared.stats.recovered();
        owned.recover_at = None;
        match result {
            Ok(found) => {
                tracing::warn!(
                    partition = owned.partition.id,
                    ?found,
                    "back at the last durable state"
                );
                owned.partition.close_until(retry);
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(
                    partition = owned.partition.id,
                    error,
                    "cannot go back to the durable state; trying again"
                );
                owned.recover_at = Some(retry);
            }
        }
    }

    fn timeout(&self) -> Duration {
        let due = self.owned.iter().map(|owned| {
            let timeout = if owned.partition.is_broken() {
                Timestamp::NEVER
            } else {
                owned.partition.poll_timeout()
            };
            timeout.min(owned.recover_at.unwrap_or(Timestamp::NEVER))
        });
        let due = due.min().unwrap_or(Timestamp::NEVER);
        let wait = due.0.saturating_sub(self.now.0).max(0);
        Duration::from_micros(wait.cast_unsigned()).min(SLEEP_MAX)
    }

    /// Nothing is open, on its way, or broken without hope.
    fn is_settled(&self) -> bool {
        self.owned.iter().all(|owned| {
            let partition = &owned.partition;
            partition.batches_in_flight() == 0 && (partition.is_broken() || !partition.has_open_batch())
        })
    }

    fn local(&self, partition: PartitionId) -> usize {
        usize::from(partition) / self.shared.inboxes.len()
    }

    fn with(&mut self, partition: PartitionId, act: impl FnOnce(&mut Partition, &mut Context<'_>)) {
        let local = self.local(partition);
        let mut cx = Context {
            now: self.now,
            reader: &mut *self.reader,
            catalogs: &self.catalogs,
            observer: self.shared.observer.as_deref(),
            out: &mut self.out,
        };
        act(&mut self.owned[local].partition, &mut cx);
    }
}

/// Does what the snapshot thread asks, or gives the question back to be asked again later.
fn answer(
    partition: &mut Partition,
    ask: SnapshotAsk,
    collected: Option<u64>,
    reader: &mut dyn SnapshotReader,
) -> Result<(), Ask> {
    let later = |ask| Err(Ask { ask, collected });
    let reply = match (&ask.step, collected) {
        (SnapshotStep::Begin, _) if !partition.wants_round() || partition.is_broken() => {
            SnapshotAnswer::Nothing
        }
        (SnapshotStep::Begin, _) if !partition.may_collect() => return later(ask),
        (SnapshotStep::Begin, _) => SnapshotAnswer::Began(partition.begin_round()),
        (SnapshotStep::Collect { epoch, .. }, Some(_)) if *epoch == partition.epoch() => {
            match partition.poll_collected() {
                Some(collected) => SnapshotAnswer::Collected(collected),
                None => return later(ask),
            }
        }
        (SnapshotStep::Collect { .. }, Some(_)) => SnapshotAnswer::Abandoned,
        (SnapshotStep::Collect { .. }, None) if !partition.may_collect() && !partition.is_broken() => {
            return later(ask);
        }
        (SnapshotStep::Collect { epoch, keys }, None) => {
            if partition.collect(*epoch, keys, reader) {
                let collected = Some(*epoch);
                return answer(partition, ask, collected, reader);
            }
            SnapshotAnswer::Abandoned
        }
        (SnapshotStep::End { epoch }, _) if *epoch == partition.epoch() => {
            match partition.end_round(*epoch) {
                Some(checkpoint) => SnapshotAnswer::Ended(checkpoint),
                None => return later(ask),
            }
        }
        (SnapshotStep::End { .. }, _) => SnapshotAnswer::Abandoned,
    };
    // The snapshot thread may have gone; then nobody is interested.
    let _ = ask.answer.send(reply);
    Ok(())
}
