//! A partition: the single owner of its entities. Sans-I/O and deterministic: time, snapshots and catalogs are arguments.
//!
//! ```text
//! handle(command) ──► decide ──► events into the open batch, applied to memory at once; the reply waits
//! seal()          ──► the open batch leaves for the disk; the next one is already being filled
//! appended(seq)   ──► replies, answers and messages of that batch go out
//! failed()        ──► back to the last durable state; everyone who waits gets an error and may ask again
//! ```

pub mod channels;
pub(crate) mod entities;
pub(crate) mod meta;
mod recovery;
mod rounds;
mod timers;

use crate::error::{EngineError, Unavailable};
use crate::limits::{BATCHES_IN_FLIGHT_MAX, ROOM_PERCENT, Settings, TICK_PAUSE_US, TICKS_IN_A_ROW_MAX};
use crate::runtime::Observer;
use channels::{Acknowledgement, BatchNumbers, Channels, Delivery, MessageNumbers};
use charge::auto::AutoAction;
use charge::catalog::Catalogs;
use charge::codec::Codec;
use charge::command::Message;
use charge::decide::Decision;
use charge::seller::ChainCommand;
use charge::{Command, Entity, EntityKey, Event, EventBody, Reply, Timestamp};
use entities::{Entities, SlotId};
use hashbrown::HashMap;
use recovery::PendingEvents;
pub use recovery::{Recovered, RecoveryError};
use rounds::Round;
pub(crate) use rounds::due_in_snapshot;
pub use rounds::{Collected, RoundStart, write_round};
use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use store::batch::{BatchBuilder, BatchError, Record};
use store::{Due, Hash, Seq, SnapshotReader};
use timers::Timers;

pub use store::Partition as PartitionId;

/// Who waits for an answer: meaningful to the caller only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// Which completion sink.
    pub sink: crate::runtime::SinkId,
    /// The sink's own number for the request.
    pub id: u64,
}

/// An answer to a command.
#[derive(Debug)]
pub struct Completion {
    /// Who waits.
    pub ticket: Ticket,
    /// What to tell.
    pub result: Result<Reply, EngineError>,
}

/// Looks at an entity on its owner's thread; what it returns is called once what it saw is durable.
pub type Query = Box<dyn FnOnce(Result<Option<&Entity>, Unavailable>, Timestamp) -> Answer + Send>;
/// The second half of a [`Query`]; dropped instead of called when what it saw is lost.
pub type Answer = Box<dyn FnOnce() + Send>;

/// What a call needs from outside and where its effects go.
pub struct Context<'a> {
    /// The time of this turn; never decreases much (see the runtime).
    pub now: Timestamp,
    /// Snapshots of entities that are not in memory.
    pub reader: &'a mut dyn SnapshotReader,
    /// Tariffs, offers and taxes.
    pub catalogs: &'a Catalogs,
    /// Who wants to hear of events.
    pub observer: Option<&'a dyn Observer>,
    /// Effects.
    pub out: &'a mut Outbox,
}

/// Effects for the caller to carry out, in this order.
#[derive(Default)]
pub struct Outbox {
    /// Directory entries that changed durably: forget what is cached of them before anybody is told.
    pub directory: Vec<EntityKey>,
    /// Answers to commands.
    pub completions: Vec<Completion>,
    /// Answers to queries: call them.
    pub answers: Vec<Answer>,
    /// Messages to hand to their receivers.
    pub deliveries: Vec<Delivery>,
    /// Confirmations to hand to the senders.
    pub acknowledgements: Vec<Acknowledgement>,
    /// Durable events that the observer asked for.
    pub observed: Vec<(PartitionId, Seq, Vec<Event>)>,
}

/// A batch on its way to the journal.
#[derive(Debug)]
pub struct SealedBatch {
    /// Partition.
    pub partition: PartitionId,
    /// Life of the partition's memory: a batch of an older life must not be written.
    pub epoch: u64,
    /// Position.
    pub seq: Seq,
    /// Header and records.
    pub bytes: Vec<u8>,
    /// Commands with effects in it, for statistics.
    pub commands: usize,
}

/// The owner of some entities, the journal position and the messages of one partition.
pub struct Partition {
    pub(crate) id: PartitionId,
    pub(crate) settings: Settings,
    pub(crate) entities: Entities,
    pub(crate) pending: PendingEvents,
    pub(crate) channels: Channels,
    timers: Timers,
    builder: BatchBuilder,
    spare: Vec<Vec<u8>>,
    open: Waiting,
    in_flight: VecDeque<InFlight>,
    /// Replies that wait for the receiver of a message.
    awaiting: BTreeMap<(PartitionId, u64), Completion>,
    pub(crate) sealed: (Seq, Hash),
    pub(crate) durable: (Seq, Hash),
    epoch: u64,
    broken: bool,
    /// Changed entities since the last round began.
    pub(crate) dirty: Vec<SlotId>,
    pub(crate) round: Option<Round>,
    /// Highest account id in the directory (kept by partition 0).
    pub(crate) account_max: u64,
    next_sweep: Timestamp,
    /// Where the last sweep stopped, when it did not come to the end.
    swept: Option<Due>,
    next_resend: Timestamp,
    closed_until: Timestamp,
    /// Memory for entities.
    cache_bytes: usize,
    scratch: Vec<u8>,
    /// Entities looked for in the snapshots, and those not there, since somebody asked.
    pub(crate) looked: (u64, u64),
}

/// What leaves when a batch is durable.
#[derive(Default)]
struct Waiting {
    completions: Vec<Completion>,
    awaited: Vec<(PartitionId, u64, Completion)>,
    answers: Vec<Answer>,
    directory: Vec<EntityKey>,
    observed: Vec<Event>,
    numbers: BatchNumbers,
    commands: usize,
}

struct InFlight {
    seq: Seq,
    hash: Hash,
    waiting: Waiting,
}

impl Partition {
    /// An empty partition; call [`Partition::recover`] before anything else.
    pub fn new(id: PartitionId, settings: &Settings) -> Partition {
        Partition {
            id,
            settings: settings.clone(),
            entities: Entities::of(id),
            pending: PendingEvents::default(),
            channels: Channels::default(),
            timers: Timers::default(),
            builder: BatchBuilder::new(),
            spare: Vec::new(),
            open: Waiting::default(),
            in_flight: VecDeque::new(),
            awaiting: BTreeMap::new(),
            sealed: (0, Hash::NONE),
            durable: (0, Hash::NONE),
            epoch: 0,
            broken: false,
            dirty: Vec::new(),
            round: None,
            account_max: 0,
            next_sweep: Timestamp(i64::MIN),
            swept: None,
            next_resend: Timestamp(i64::MIN),
            closed_until: Timestamp(i64::MIN),
            cache_bytes: settings.cache_bytes_of_one(),
            scratch: Vec::new(),
            looked: (0, 0),
        }
    }

    /// Decides a command and applies it to memory. The answer leaves through the outbox, never before what it tells is
    /// durable.
    pub fn handle(&mut self, command: &Command, ticket: Ticket, cx: &mut Context<'_>) {
        if let Err(error) = self.admit(cx.now) {
            return self.complete_now(ticket, Err(error), cx.out);
        }
        let seen = match self.load_for(command, cx) {
            Ok(seen) => seen,
            Err(error) => return self.complete_now(ticket, Err(error), cx.out),
        };
        match self.decide(command, cx) {
            Ok(Ok(decision)) if decision.events.is_empty() && decision.messages.is_empty() => {
                self.complete_when(seen, ticket, Ok(decision.reply), cx.out);
            }
            Ok(Ok(decision)) => {
                if !self.carry_out(decision, Some((ticket, command)), cx) {
                    self.complete_now(ticket, Err(Unavailable::Internal.into()), cx.out);
                }
            }
            Ok(Err(refusal)) => self.complete_when(seen, ticket, Err(refusal.into()), cx.out),
            Err(why) => self.complete_now(ticket, Err(why.into()), cx.out),
        }
    }

    /// Applies a message of another partition once; a repetition is confirmed again, a gap is ignored (the sender
    /// repeats from the first unconfirmed one).
    pub fn deliver(&mut self, from: PartitionId, number: u64, message: Message, cx: &mut Context<'_>) {
        let last = self.channels.received(from);
        if number <= last {
            let in_batches = |waiting: &Waiting| waiting.numbers.received.iter().any(|(p, _)| *p == from);
            let durable =
                !in_batches(&self.open) && !self.in_flight.iter().any(|batch| in_batches(&batch.waiting));
            if durable {
                cx.out.acknowledgements.push(Acknowledgement {
                    sender: from,
                    receiver: self.id,
                    up_to: last,
                });
            }
            return;
        }
        if number != last + 1 || self.broken || cx.now < self.closed_until {
            return;
        }
        let command = Command::Deliver(message);
        if self.load_for(&command, cx).is_err() {
            return;
        }
        let decision = match self.decide(&command, cx) {
            Ok(Ok(decision)) => Some(decision),
            Ok(Err(refusal)) => {
                tracing::error!(partition = self.id, from, number, %refusal, "a message was refused; it is consumed");
                None
            }
            Err(_) => {
                tracing::error!(
                    partition = self.id,
                    from,
                    number,
                    "a message cannot be applied; it is consumed"
                );
                None
            }
        };
        if let Err(error) = self.builder.push(Record::Received { from, number }) {
            self.overflow(error);
            return;
        }
        self.channels.receive(from, number);
        BatchNumbers::raise(&mut self.open.numbers.received, from, number);
        if let Some(decision) = decision {
            self.carry_out(decision, None, cx);
        }
    }

    /// A receiver confirmed our messages up to a number.
    pub fn acknowledged(&mut self, to: PartitionId, up_to: u64, out: &mut Outbox) {
        self.channels.acknowledge(self.id, to, up_to, out);
        while let Some(entry) = self.awaiting.range((to, 0)..=(to, up_to)).next() {
            let key = *entry.0;
            out.completions.extend(self.awaiting.remove(&key));
        }
    }

    /// Looks at an entity; the answer waits until what was seen is durable.
    pub fn read(&mut self, key: EntityKey, query: Query, cx: &mut Context<'_>) {
        let seen = match self.load(key, cx.reader) {
            Ok(id) => id,
            Err(why) => return cx.out.answers.push(query(Err(why), cx.now)),
        };
        let slot = seen.map(|id| self.entities.slot(id));
        let seq = slot.map_or(0, |slot| slot.seq);
        let answer = query(Ok(slot.and_then(|slot| slot.entity.as_ref())), cx.now);
        match self.waiting_for(seq) {
            None => cx.out.answers.push(answer),
            Some(waiting) => waiting.answers.push(answer),
        }
    }

    /// Handles what is due; answers how many entities were ticked.
    pub fn tick(&mut self, cx: &mut Context<'_>) -> usize {
        if self.broken || cx.now < self.closed_until {
            return 0;
        }
        if cx.now >= self.next_resend {
            self.next_resend = cx.now.plus(self.settings.resend_after_us);
            self.channels.resend(self.id, cx.out);
        }
        if cx.now >= self.next_sweep {
            self.next_sweep = cx.now.plus(self.settings.sweep_interval_us);
            self.sweep(cx);
        }
        let mut ticked = 0;
        while ticked < self.settings.ticks_per_turn_max && !self.is_full() {
            let Some(id) = self.timers.pop(&mut self.entities, cx.now) else {
                break;
            };
            self.tick_one(id, cx);
            ticked += 1;
        }
        ticked
    }

    /// When [`Partition::tick`] wants to be called next.
    pub fn poll_timeout(&self) -> Timestamp {
        let resend = if self.channels.waiting() {
            self.next_resend
        } else {
            Timestamp::NEVER
        };
        let timer = self.timers.next().unwrap_or(Timestamp::NEVER);
        let next = self.next_sweep.min(resend).min(timer);
        next.max(self.closed_until)
    }

    /// Whether there is something to seal.
    pub fn has_open_batch(&self) -> bool {
        !self.builder.is_empty()
    }

    /// Bytes of the open batch: they grow with everything that is recorded.
    pub fn open_batch_bytes(&self) -> usize {
        self.builder.len()
    }

    /// Whether the open batch must leave before more is decided.
    pub fn is_full(&self) -> bool {
        self.builder.len() >= self.settings.batch_bytes_max
    }

    /// Whether another batch may be on its way.
    pub fn may_seal(&self) -> bool {
        !self.builder.is_empty() && !self.broken && self.in_flight.len() < BATCHES_IN_FLIGHT_MAX
    }

    /// Whether a defect or an overflow asks for [`Partition::recover`].
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Ends the open batch and hands it out for the journal.
    pub fn seal(&mut self, now: Timestamp) -> Option<SealedBatch> {
        if !self.may_seal() {
            return None;
        }
        let builder = &mut self.builder;
        // A confirmation that does not fit is only forgotten: the message is sent once more after a restart.
        self.channels.take_acknowledged(|to, up_to| {
            let _ = builder.push(Record::Acknowledged { to, up_to });
        });
        let seq = self.sealed.0 + 1;
        let spare = self.spare.pop().unwrap_or_default();
        let (bytes, hash) = self.builder.finish(self.id, seq, now.0, &self.sealed.1, spare);
        self.sealed = (seq, hash);
        let waiting = std::mem::take(&mut self.open);
        let commands = waiting.commands;
        self.in_flight.push_back(InFlight { seq, hash, waiting });
        Some(SealedBatch {
            partition: self.id,
            epoch: self.epoch,
            seq,
            bytes,
            commands,
        })
    }

    /// Every batch up to `seq` is durable: what waited for it leaves.
    pub fn appended(&mut self, seq: Seq, buffer: Option<Vec<u8>>, cx: &mut Context<'_>) {
        if let Some(buffer) = buffer
            && self.spare.len() < BATCHES_IN_FLIGHT_MAX
        {
            self.spare.push(buffer);
        }
        while self.in_flight.front().is_some_and(|batch| batch.seq <= seq) {
            let Some(InFlight { seq, hash, waiting }) = self.in_flight.pop_front() else {
                break;
            };
            self.durable = (seq, hash);
            let out = &mut *cx.out;
            out.directory.extend(waiting.directory);
            out.completions.extend(waiting.completions);
            out.answers.extend(waiting.answers);
            for (to, number, completion) in waiting.awaited {
                self.awaiting.insert((to, number), completion);
            }
            for (to, number) in waiting.numbers.sent {
                self.channels.durable(self.id, to, number, out);
            }
            for (sender, up_to) in waiting.numbers.received {
                out.acknowledgements.push(Acknowledgement {
                    sender,
                    receiver: self.id,
                    up_to,
                });
            }
            if !waiting.observed.is_empty() {
                out.observed.push((self.id, seq, waiting.observed));
            }
        }
    }

    /// The slot of an entity in memory.
    pub(crate) fn find(&self, key: EntityKey) -> Option<SlotId> {
        self.entities.find(key)
    }

    /// Reads a little of an entity itself: see [`Entity::touch`].
    pub(crate) fn warm(&self, slot: SlotId) -> usize {
        self.entities.slot(slot).entity.as_ref().map_or(0, Entity::touch)
    }

    /// Reads a little of what hangs on an entity: see [`Entity::touch_parts`].
    pub(crate) fn warm_parts(&self, slot: SlotId) -> usize {
        let entity = self.entities.slot(slot).entity.as_ref();
        entity.map_or(0, Entity::touch_parts)
    }

    /// Lets entities go that memory has no room for.
    pub fn evict(&mut self) -> usize {
        self.entities.evict(self.cache_bytes, self.durable.0)
    }

    /// Changes the share of memory: partitions that need more get what others leave.
    pub fn set_cache_bytes(&mut self, bytes: usize) {
        self.cache_bytes = bytes;
    }

    /// True when memory is used beyond its share, so that snapshots should hurry.
    pub fn under_pressure(&self) -> bool {
        self.entities.bytes() > self.cache_bytes
    }

    /// True when a command needs an entity that is not in memory, and there is no room until the snapshots have more of
    /// what is there. Entities in memory are served even then.
    pub fn lacks_room_for(&self, command: &Command) -> bool {
        let full = self.entities.bytes() > self.cache_bytes / ROOM_PERCENT * 100;
        full && command
            .reads()
            .into_iter()
            .any(|key| self.entities.find(key).is_none())
    }

    /// Number of entities in memory and their bytes.
    pub fn memory(&self) -> (usize, usize) {
        (self.entities.len(), self.entities.bytes())
    }

    /// Last durable batch.
    pub fn durable_seq(&self) -> Seq {
        self.durable.0
    }

    /// Batches sealed and not yet durable.
    pub fn batches_in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Life of the memory; batches of an older one must not be written.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Highest account id that the directory has given out (partition 0).
    pub fn account_max(&self) -> u64 {
        self.account_max
    }

    /// The entity if it is in memory, as it is now, durable or not. For checks by simulators.
    pub fn peek(&self, key: EntityKey) -> Option<&Entity> {
        charge::decide::View::get(&self.entities, key)
    }

    /// Last message numbers per receiver and per sender. For checks by simulators.
    pub fn message_numbers(&self) -> MessageNumbers {
        self.channels.numbers()
    }

    fn admit(&self, now: Timestamp) -> Result<(), EngineError> {
        if self.broken || now < self.closed_until {
            return Err(Unavailable::NotStored.into());
        }
        if self.channels.held() >= self.settings.outgoing_messages_max {
            return Err(EngineError::Busy);
        }
        Ok(())
    }

    /// Loads what the command looks at; answers the newest batch that changed any of it.
    fn load_for(&mut self, command: &Command, cx: &mut Context<'_>) -> Result<Seq, EngineError> {
        let mut seen = 0;
        if self.lacks_room_for(command) {
            return Err(EngineError::Busy);
        }
        for key in command.reads() {
            if let Some(id) = self.load(key, cx.reader)? {
                seen = seen.max(self.entities.slot(id).seq);
            }
        }
        // What the partition may spend of promotions is known only when the account is.
        for key in charge::decide::also_reads(&self.entities, cx.catalogs, command) {
            if let Some(id) = self.load(key, cx.reader)? {
                seen = seen.max(self.entities.slot(id).seq);
            }
        }
        Ok(seen)
    }

    /// A defect in the rules must cost one command and not the partition: deciding changes nothing, so it can be left.
    fn decide(
        &self,
        command: &Command,
        cx: &Context<'_>,
    ) -> Result<Result<Decision, charge::Refusal>, Unavailable> {
        let decide = || charge::decide(&self.entities, cx.catalogs, command, cx.now);
        catch_unwind(AssertUnwindSafe(decide)).map_err(|_| {
            tracing::error!(partition = self.id, key = ?command.route(), "the rules panicked on a command");
            Unavailable::Internal
        })
    }

    /// Answers false when the partition is broken by it; the caller then tells who asked.
    fn carry_out(
        &mut self,
        decision: Decision,
        asked: Option<(Ticket, &Command)>,
        cx: &mut Context<'_>,
    ) -> bool {
        let seq = self.sealed.0 + 1;
        self.open.commands += 1;
        for event in &decision.events {
            let key = event.key;
            if let Err(error) = self.builder.event_with(|buffer| event.encode(buffer)) {
                return self.overflow(error);
            }
            let id = match self.entities.find(key) {
                Some(id) => id,
                None => self.entities.insert(key, None, seq),
            };
            let slot = self.entities.slot_mut(id);
            let applied = catch_unwind(AssertUnwindSafe(|| charge::apply(&mut slot.entity, event)));
            if applied.is_err() || slot.entity.is_none() {
                tracing::error!(
                    partition = self.id,
                    ?key,
                    "an event cannot be applied; going back to the durable state"
                );
                self.broken = true;
                return false;
            }
            slot.seq = seq;
            if !slot.dirty {
                slot.dirty = true;
                self.dirty.push(id);
            }
            self.timers.update(&mut self.entities, id);
            match key {
                EntityKey::Number(_) | EntityKey::Imsi(_) => {
                    self.open.directory.push(key);
                    self.account_max = self.account_max.max(account_of(event));
                }
                _ => {}
            }
            if cx.observer.is_some_and(|observer| observer.wants(event)) {
                self.open.observed.push(event.clone());
            }
        }
        let mut awaited = None;
        for message in decision.messages {
            let to = message.route().partition(self.settings.partitions);
            let number = self.channels.next_number(to);
            self.scratch.clear();
            message.encode(&mut self.scratch);
            let sent = Record::Sent {
                to,
                number,
                message: &self.scratch,
            };
            if let Err(error) = self.builder.push(sent) {
                return self.overflow(error);
            }
            self.channels.push(to, message);
            BatchNumbers::raise(&mut self.open.numbers.sent, to, number);
            awaited = Some((to, number));
        }
        if let Some((ticket, command)) = asked {
            let completion = Completion {
                ticket,
                result: Ok(decision.reply),
            };
            match awaited.filter(|_| waits_for_receiver(command)) {
                Some((to, number)) => self.open.awaited.push((to, number, completion)),
                None => self.open.completions.push(completion),
            }
        }
        true
    }

    fn tick_one(&mut self, id: SlotId, cx: &mut Context<'_>) {
        let key = self.entities.slot(id).key;
        let command = match key {
            EntityKey::Account(account) => Command::Tick(account),
            EntityKey::TopUp(partner, digest) => Command::Rehearse(partner, digest),
            EntityKey::Auto(account) => Command::Auto {
                account,
                action: AutoAction::Look,
            },
            EntityKey::CardBatch(batch) => Command::ExpireCards { batch, early: false },
            _ => return,
        };
        for _ in 0..TICKS_IN_A_ROW_MAX {
            let entity = self.entities.slot(id).entity.as_ref();
            match entity.and_then(Entity::next_due) {
                None => return,
                Some(due) if due > cx.now => return self.timers.update(&mut self.entities, id),
                Some(_) => {}
            }
            // An account has all that its tick needs; this looks at more.
            if matches!(key, EntityKey::Auto(_)) && self.load_for(&command, cx).is_err() {
                break;
            }
            match self.decide(&command, cx) {
                Ok(Ok(decision)) if !decision.events.is_empty() => {
                    self.carry_out(decision, None, cx);
                }
                Ok(Err(refusal)) => {
                    tracing::error!(partition = self.id, ?key, %refusal, "a tick was refused");
                    break;
                }
                _ => break,
            }
            if self.broken {
                return;
            }
        }
        tracing::warn!(
            partition = self.id,
            ?key,
            "the entity is due and does not settle; trying later"
        );
        self.timers
            .queue(&mut self.entities, id, cx.now.plus(TICK_PAUSE_US));
    }

    /// Queues due entities that are not in memory, and those that will be soon: see [`DUE_GRAIN_US`]. A row that is out
    /// of date is marked for the next snapshot round.
    ///
    /// [`DUE_GRAIN_US`]: crate::limits::DUE_GRAIN_US
    fn sweep(&mut self, cx: &mut Context<'_>) {
        let (after, limit) = (self.swept.take(), self.settings.sweep_rows_max);
        let due = match cx.reader.due(self.id, after.as_ref(), cx.now.0, limit) {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(partition = self.id, %error, "cannot read what is due; trying later");
                return;
            }
        };
        if due.len() == limit {
            // The next sweep goes on behind these, whose rows stay until a snapshot round has written them again.
            self.next_sweep = cx.now.plus(self.settings.sweep_interval_us / 16);
            self.swept = due.last().cloned();
        }
        for row in due {
            let Some(key) = crate::key::key_of_bytes(&row.key) else {
                tracing::error!(partition = self.id, "a snapshot row has a key that nobody made");
                continue;
            };
            let Ok(Some(id)) = self.load(key, cx.reader) else {
                continue;
            };
            let slot = self.entities.slot_mut(id);
            let moment = slot.entity.as_ref().and_then(due_in_snapshot);
            if moment.is_none_or(|moment| moment > row.at) && !slot.dirty && !slot.collected {
                slot.dirty = true;
                self.dirty.push(id);
            }
            self.timers.update(&mut self.entities, id);
        }
    }

    /// Where to wait for a batch: `None` when it is durable already.
    fn waiting_for(&mut self, seq: Seq) -> Option<&mut Waiting> {
        if seq <= self.durable.0 {
            return None;
        }
        if seq > self.sealed.0 {
            return Some(&mut self.open);
        }
        let batch = self.in_flight.iter_mut().find(|batch| batch.seq >= seq);
        batch.map(|batch| &mut batch.waiting)
    }

    fn complete_when(
        &mut self,
        seen: Seq,
        ticket: Ticket,
        result: Result<Reply, EngineError>,
        out: &mut Outbox,
    ) {
        let completion = Completion { ticket, result };
        match self.waiting_for(seen) {
            None => out.completions.push(completion),
            Some(waiting) => waiting.completions.push(completion),
        }
    }

    fn complete_now(&self, ticket: Ticket, result: Result<Reply, EngineError>, out: &mut Outbox) {
        out.completions.push(Completion { ticket, result });
    }

    fn overflow(&mut self, error: BatchError) -> bool {
        tracing::error!(partition = self.id, %error, "a command does not fit into a batch; going back to the durable state");
        self.broken = true;
        false
    }

    /// Everyone who waits is told that nothing is certain; asking again is safe.
    fn disappoint(&mut self, out: &mut Outbox) {
        let open = std::mem::take(&mut self.open);
        let batches = self.in_flight.drain(..).map(|batch| batch.waiting);
        let mut tickets: Vec<Ticket> = Vec::new();
        for waiting in batches.chain([open]) {
            tickets.extend(waiting.completions.iter().map(|completion| completion.ticket));
            tickets.extend(waiting.awaited.iter().map(|(.., completion)| completion.ticket));
        }
        tickets.extend(std::mem::take(&mut self.awaiting).values().map(|c| c.ticket));
        out.completions
            .extend(tickets.into_iter().map(|ticket| Completion {
                ticket,
                result: Err(Unavailable::NotStored.into()),
            }));
    }
}

/// Whether the answer to a command says that the receiver of its message has done its part.
fn waits_for_receiver(command: &Command) -> bool {
    matches!(
        command,
        Command::OpenAccount(_) | Command::RedeemCard(_) | Command::Chain(ChainCommand::Open(_))
    )
}

/// The account that a directory event names.
fn account_of(event: &Event) -> u64 {
    match &event.body {
        EventBody::NumberBound {
            account: Some(account),
            ..
        } => account.0,
        _ => 0,
    }
}

type KeyMap<T> = HashMap<EntityKey, T>;
