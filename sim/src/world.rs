//! The deterministic simulator: the engine's partitions on a faulty store, under a clock that the seed moves.
//!
//! One seed decides everything: commands, their order, sealing, commits, message delivery and loss, snapshots, eviction,
//! jumps in time, failing appends, full and read-only disks, crashes, a second owner. After the faults the world calms down,
//! everything open is asked again, and then the journal must hold every acknowledged effect once and nothing twice.
//!
//! # Layout
//! - [`commands`]: what the population asks.
//! - [`facts`]: what the journal says has happened.

pub mod commands;
pub mod facts;

use charge::catalog::Catalogs;
use charge::codec::Codec;
use charge::reply::ChargeResult;
use charge::{Command, Entity, EntityKey, Reply, Timestamp};
use commands::Population;
use engine::commit::Committer;
use engine::partition::channels::{Acknowledgement, Delivery};
use engine::partition::{Collected, Partition, PartitionId, RoundStart, SealedBatch, write_round};
use engine::{Context, EngineError, Outbox, Settings, Ticket};
use facts::{Claim, Facts};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use store::{Fault, Journal, JournalReader, MemoryStore, SnapshotReader, SnapshotWriter, Store};

/// What a run may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Steps before the world calms down.
    pub steps: u32,
    /// Whether anything fails at all.
    pub faults: bool,
}

/// What a run did, to see that it did something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Commands asked, repetitions included.
    pub asked: u64,
    /// Carried out.
    pub acknowledged: u64,
    /// Refused.
    pub refused: u64,
    /// Answered "busy" or "unavailable".
    pub failed: u64,
    /// Crashes survived.
    pub crashes: u64,
    /// Partitions brought back after a failed append.
    pub recoveries: u64,
    /// Appends refused because another owner was faster.
    pub fenced: u64,
    /// Messages lost on their way.
    pub messages_lost: u64,
    /// Entities evicted.
    pub evicted: u64,
    /// Snapshot rounds completed.
    pub rounds: u64,
    /// Batches in the journal at the end.
    pub batches: u64,
    /// Digest of the whole journal: two runs of a seed must agree.
    pub journal: u128,
}

/// How long commands may be repeated: the duplicate memory of the catalogs lasts an hour.
const REPEAT_WITHIN_US: i64 = 20 * 60 * 1_000_000;
/// Open questions that are asked again; older ones are given up, as a client would.
const OPEN_MAX: usize = 8;
/// Answered questions that are repeated now and then.
const ANSWERED_MAX: usize = 8;

struct Question {
    command: Command,
    asked_at: Timestamp,
    answer: Option<Result<Reply, EngineError>>,
}

/// A snapshot round that is written step by step.
struct Round {
    start: RoundStart,
    written: Vec<Collected>,
}

/// The world.
pub struct World {
    random: StdRng,
    options: Options,
    settings: Settings,
    catalogs: Arc<Catalogs>,
    store: MemoryStore,
    journal: Box<dyn Journal>,
    journal_reader: Box<dyn JournalReader>,
    reader: Box<dyn SnapshotReader>,
    snapshots: Box<dyn SnapshotWriter>,
    committer: Committer,
    partitions: Vec<Partition>,
    rounds: BTreeMap<PartitionId, Round>,
    sealed: Vec<SealedBatch>,
    deliveries: Vec<Delivery>,
    acknowledgements: Vec<Acknowledgement>,
    population: Population,
    open: BTreeMap<u64, Question>,
    again: VecDeque<Command>,
    answered: VecDeque<Question>,
    claims: Vec<Claim>,
    /// A repetition that was answered differently.
    contradiction: Option<String>,
    next_ticket: u64,
    now: Timestamp,
    summary: Summary,
}

/// Runs a seed to its end.
///
/// # Errors
/// What was found wrong, with the seed that shows it.
pub fn run(seed: u64, options: Options, catalogs: &Arc<Catalogs>) -> Result<Summary, String> {
    let mut world = World::new(seed, options, catalogs);
    let result = world.live().and_then(|()| world.check());
    result.map(|()| world.summary.clone()).map_err(|problem| {
        format!(
            "{problem}\nseed {seed}: run it again with world::run({seed}, {options:?}, ..)\n{:?}",
            world.summary
        )
    })
}

impl World {
    fn new(seed: u64, options: Options, catalogs: &Arc<Catalogs>) -> World {
        let mut random = StdRng::seed_from_u64(seed);
        let settings = Settings {
            cache_bytes_max: random.random_range(2_000..60_000),
            tail_bytes_max: random.random_range(500..100_000),
            batch_bytes_max: random.random_range(300..20_000),
            outgoing_messages_max: random.random_range(4..200),
            snapshot_chunk_rows: random.random_range(1..6),
            ..Settings::for_tests(random.random_range(1..6))
        };
        let store = MemoryStore::new();
        let mut world = World {
            population: Population::new(&mut random),
            random,
            options,
            catalogs: Arc::clone(catalogs),
            journal: store.journal().expect("a new store has its writer free"),
            journal_reader: store.journal_reader().expect("memory can be read"),
            reader: store.snapshot_reader().expect("memory can be read"),
            snapshots: store.snapshot_writer().expect("a new store has its writer free"),
            store,
            committer: Committer::default(),
            partitions: Vec::new(),
            rounds: BTreeMap::new(),
            sealed: Vec::new(),
            deliveries: Vec::new(),
            acknowledgements: Vec::new(),
            open: BTreeMap::new(),
            again: VecDeque::new(),
            answered: VecDeque::new(),
            claims: Vec::new(),
            contradiction: None,
            next_ticket: 0,
            now: Timestamp::from_seconds(1_795_302_960),
            summary: Summary::default(),
            settings,
        };
        world
            .boot()
            .expect("an empty store has nothing to complain about");
        world
    }

    fn live(&mut self) -> Result<(), String> {
        for _ in 0..self.options.steps {
            self.step()?;
            self.check_memory()?;
        }
        self.calm()
    }

    fn step(&mut self) -> Result<(), String> {
        let dice = self.random.random_range(0..1000);
        match dice {
            0..450 => self.ask_something()?,
            450..490 => self.repeat_something()?,
            490..640 => {
                let index = self.some_partition();
                self.seal(index);
            }
            640..760 => self.commit()?,
            760..860 => self.transport(),
            860..910 => self.time_passes(),
            910..960 => self.snapshot_step()?,
            960..980 => {
                let index = self.some_partition();
                self.summary.evicted += self.partitions[index].evict() as u64;
            }
            980..988 if self.options.faults => self.break_something(),
            988..994 if self.options.faults => self.crash()?,
            994..999 if self.options.faults => self.intrude()?,
            _ => self.ask_something()?,
        }
        Ok(())
    }

    fn ask_something(&mut self) -> Result<(), String> {
        let command = self.population.ask(&mut self.random);
        self.ask(&command)
    }

    /// A lost answer or an impatient client: the same command once more.
    fn repeat_something(&mut self) -> Result<(), String> {
        if let Some(command) = self.again.pop_front() {
            return self.ask(&command);
        }
        let recent = |question: &Question| self.now.0 - question.asked_at.0 < REPEAT_WITHIN_US;
        self.answered.retain(recent);
        if !self.answered.is_empty() {
            let index = self.random.random_range(0..self.answered.len());
            let command = self.answered[index].command.clone();
            return self.ask(&command);
        }
        Ok(())
    }

    fn ask(&mut self, command: &Command) -> Result<(), String> {
        self.next_ticket += 1;
        let ticket = Ticket {
            id: self.next_ticket,
            ..Ticket::default()
        };
        self.summary.asked += 1;
        let index = usize::from(command.route().partition(self.settings.partitions));
        let question = Question {
            command: command.clone(),
            asked_at: self.now,
            answer: None,
        };
        self.open.insert(ticket.id, question);
        let mut refused = false;
        let mut changed = None;
        self.with(index, |partition, cx| {
            if partition.is_full() {
                return;
            }
            let look = |partition: &Partition| {
                let keys = command.reads().into_iter();
                keys.map(|key| partition.peek(key).map(Codec::to_bytes))
                    .collect::<Vec<_>>()
            };
            let (before, open) = (look(partition), partition.open_batch_bytes());
            partition.handle(command, ticket, cx);
            let answer = cx.out.completions.iter().find(|c| c.ticket == ticket);
            refused = answer.is_some_and(|c| matches!(c.result, Err(EngineError::Refused(_))));
            if partition.open_batch_bytes() == open && !partition.is_broken() {
                // Reading may bring an entity into memory; it must not change one that is there.
                let after = look(partition);
                let pairs = before.iter().zip(&after);
                changed = pairs
                    .filter(|(before, _)| before.is_some())
                    .find(|(before, after)| before != after)
                    .map(|_| command.route());
            } else if refused {
                changed = Some(command.route());
            }
        });
        match changed {
            Some(key) if refused => Err(format!("a refused command has changed something at {key:?}")),
            Some(key) => Err(format!("{key:?} has changed without a record")),
            None => Ok(()),
        }
    }

    fn seal(&mut self, index: usize) {
        if let Some(batch) = self.partitions[index].seal(self.now) {
            self.sealed.push(batch);
        }
        self.recover_broken(index);
    }

    /// The writer takes what has gathered, or the first part of it.
    fn commit(&mut self) -> Result<(), String> {
        let count = self.random.random_range(0..=self.sealed.len());
        let mut batches: Vec<SealedBatch> = self.sealed.drain(..count).collect();
        if batches.is_empty() {
            return Ok(());
        }
        let done = self.committer.commit(&mut *self.journal, &mut batches);
        if matches!(done.error, Some(store::AppendError::Fenced { .. })) {
            self.summary.fenced += 1;
        }
        if self.store.crashed() {
            return self.crash();
        }
        for row in done.appended {
            let seq = row.seq;
            self.with(usize::from(row.partition), |partition, cx| {
                partition.appended(seq, Some(row.batch), cx);
            });
        }
        for (partition, epoch) in done.lost {
            let index = usize::from(partition);
            if self.partitions[index].epoch() == epoch {
                self.recover(index)?;
            }
        }
        Ok(())
    }

    /// Messages arrive late, in any order, or never.
    fn transport(&mut self) {
        for _ in 0..self.random.random_range(1..6) {
            if !self.deliveries.is_empty() {
                let index = if self.random.random_bool(0.8) {
                    0
                } else {
                    self.random.random_range(0..self.deliveries.len())
                };
                let delivery = self.deliveries.remove(index);
                if self.options.faults && self.random.random_bool(0.05) {
                    self.summary.messages_lost += 1;
                    continue;
                }
                let Delivery {
                    from,
                    to,
                    number,
                    message,
                } = delivery;
                self.with(usize::from(to), |partition, cx| {
                    partition.deliver(from, number, message, cx);
                });
            }
            if !self.acknowledgements.is_empty() {
                let index = self.random.random_range(0..self.acknowledgements.len());
                let ack = self.acknowledgements.remove(index);
                if self.options.faults && self.random.random_bool(0.05) {
                    self.summary.messages_lost += 1;
                    continue;
                }
                self.with(usize::from(ack.sender), |partition, cx| {
                    partition.acknowledged(ack.receiver, ack.up_to, cx.out);
                });
            }
        }
    }

    fn time_passes(&mut self) {
        let us = match self.random.random_range(0..100) {
            0..70 => self.random.random_range(0..2_000_000),
            70..97 => self.random.random_range(0..600_000_000),
            _ => self.random.random_range(0..40 * 86_400_000_000),
        };
        self.now = self.now.plus(us);
        if us > REPEAT_WITHIN_US / 2 {
            // Nobody repeats a command after the duplicate memory has let go of it.
            self.again.clear();
            self.answered.clear();
        }
        for index in 0..self.partitions.len() {
            if self.partitions[index].poll_timeout() <= self.now {
                self.with(index, |partition, cx| {
                    partition.tick(cx);
                });
            }
            self.recover_broken(index);
        }
    }

    /// One step of a snapshot round of one partition, so that commands come in between.
    fn snapshot_step(&mut self) -> Result<(), String> {
        let index = self.some_partition();
        let id = index as PartitionId;
        if !self.partitions[index].may_collect() {
            self.seal(index);
        }
        if !self.partitions[index].may_collect() {
            return Ok(());
        }
        let chunk_rows = self.settings.snapshot_chunk_rows;
        let partition = &mut self.partitions[index];
        let Some(mut round) = self.rounds.remove(&id) else {
            let mut start = partition.begin_round();
            start.keys.sort_unstable_by(|a, b| b.cmp(a));
            self.rounds.insert(
                id,
                Round {
                    start,
                    written: Vec::new(),
                },
            );
            return Ok(());
        };
        let epoch = round.start.epoch;
        let rest = round.start.keys.len().saturating_sub(chunk_rows);
        let mut keys = round.start.keys.split_off(rest);
        keys.reverse();
        if !keys.is_empty() && !partition.collect(epoch, &keys, &mut *self.reader) {
            partition.abandon_round();
            return Ok(());
        }
        while let Some(collected) = partition.poll_collected() {
            if self.snapshots.put(&collected.rows, &[]).is_err() {
                partition.abandon_round();
                return Ok(());
            }
            round.written.push(collected);
        }
        // The news that rows are written comes late, or never if the partition went back meanwhile.
        if self.random.random_bool(0.7) {
            round
                .written
                .drain(..)
                .for_each(|collected| partition.written(epoch, &collected));
        }
        if !round.start.keys.is_empty() || !round.written.is_empty() {
            self.rounds.insert(id, round);
            return Ok(());
        }
        match partition.end_round(epoch) {
            Some(checkpoint) => {
                self.summary.rounds += 1;
                // A failing disk costs only a longer tail.
                let _ = self.snapshots.put(&[], &[checkpoint]);
            }
            None if partition.epoch() == epoch => {
                self.rounds.insert(id, round);
            }
            None => {}
        }
        Ok(())
    }

    fn break_something(&mut self) {
        let next = self.store.appends() + self.random.random_range(1..4);
        let fault = match self.random.random_range(0..9) {
            0 => Fault::Fail,
            1 => Fault::FailButWritten,
            2 => Fault::Full,
            3 => Fault::Slow(Duration::from_millis(50)),
            4 => Fault::CrashBefore,
            5 => Fault::CrashAfter,
            6 => Fault::Torn,
            7 => return self.store.faults(|plan| plan.read_only = !plan.read_only),
            _ => {
                let full = self.random.random_bool(0.5).then_some(1);
                return self.store.faults(|plan| plan.journal_bytes_max = full);
            }
        };
        self.store.faults(|plan| {
            plan.appends.insert(next, fault);
        });
    }

    fn crash(&mut self) -> Result<(), String> {
        self.summary.crashes += 1;
        self.store.crash();
        let lost = self.random.random_range(0..4);
        self.store.restart(lost);
        self.store
            .faults(|plan| (plan.read_only, plan.journal_bytes_max) = (false, None));
        self.sealed.clear();
        self.deliveries.clear();
        self.acknowledgements.clear();
        self.rounds.clear();
        let unknown: Vec<u64> = self.open.keys().copied().collect();
        for ticket in unknown {
            if let Some(question) = self.open.remove(&ticket) {
                self.ask_again_later(question);
            }
        }
        self.journal = self.store.journal().map_err(|e| e.to_string())?;
        self.snapshots = self.store.snapshot_writer().map_err(|e| e.to_string())?;
        self.reader = self.store.snapshot_reader().map_err(|e| e.to_string())?;
        self.journal_reader = self.store.journal_reader().map_err(|e| e.to_string())?;
        self.committer = Committer::default();
        self.boot()
    }

    fn boot(&mut self) -> Result<(), String> {
        self.partitions.clear();
        for id in 0..self.settings.partitions {
            self.partitions.push(Partition::new(id, &self.settings));
            self.recover(usize::from(id))?;
            if self.partitions[usize::from(id)].durable_seq() == 0 {
                let first = self.partitions[usize::from(id)].first_checkpoint();
                self.snapshots.put(&[], &[first]).map_err(|e| e.to_string())?;
            }
        }
        Ok(())
    }

    /// Another node believes that it owns a partition too, and is faster.
    fn intrude(&mut self) -> Result<(), String> {
        let index = self.some_partition();
        let mut intruder = Partition::new(index as PartitionId, &self.settings);
        let mut out = Outbox::default();
        intruder
            .recover(&mut *self.reader, &mut *self.journal_reader, &mut out)
            .map_err(|error| format!("the second owner: {error}"))?;
        let command = self.population.ask(&mut self.random);
        if usize::from(command.route().partition(self.settings.partitions)) != index {
            return Ok(());
        }
        let mut cx = Context {
            now: self.now,
            reader: &mut *self.reader,
            catalogs: &self.catalogs,
            observer: None,
            out: &mut out,
        };
        intruder.handle(&command, Ticket::default(), &mut cx);
        if let Some(batch) = intruder.seal(self.now) {
            let mut batches = vec![batch];
            Committer::default().commit(&mut *self.journal, &mut batches);
        }
        if self.store.crashed() {
            return self.crash();
        }
        Ok(())
    }

    fn recover_broken(&mut self, index: usize) {
        let partition = &self.partitions[index];
        if partition.is_broken() && partition.batches_in_flight() == 0 {
            // A store that cannot be read now can be read later.
            let _ = self.recover(index);
        }
    }

    fn recover(&mut self, index: usize) -> Result<(), String> {
        let mut out = Outbox::default();
        let partition = &mut self.partitions[index];
        let result = partition.recover(&mut *self.reader, &mut *self.journal_reader, &mut out);
        self.rounds.remove(&(index as PartitionId));
        self.summary.recoveries += 1;
        self.take(out);
        result.map(drop).map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            format!("partition {index} does not come back: {error} ({cause:?})")
        })
    }

    fn with(&mut self, index: usize, act: impl FnOnce(&mut Partition, &mut Context<'_>)) {
        let mut out = Outbox::default();
        let mut cx = Context {
            now: self.now,
            reader: &mut *self.reader,
            catalogs: &self.catalogs,
            observer: None,
            out: &mut out,
        };
        act(&mut self.partitions[index], &mut cx);
        self.take(out);
    }

    fn take(&mut self, out: Outbox) {
        self.deliveries.extend(out.deliveries);
        self.acknowledgements.extend(out.acknowledgements);
        for completion in out.completions {
            let Some(mut question) = self.open.remove(&completion.ticket.id) else {
                continue;
            };
            match &completion.result {
                Ok(_) => {
                    let same = |earlier: &&Question| earlier.command == question.command;
                    let earlier = self
                        .answered
                        .iter()
                        .find(same)
                        .and_then(|earlier| earlier.answer.as_ref());
                    if earlier.is_some_and(|earlier| is_remembered(earlier) && *earlier != completion.result)
                    {
                        let answers = format!(
                            "{:?} was answered {earlier:?}, then {:?}",
                            question.command, completion.result
                        );
                        self.contradiction.get_or_insert(answers);
                    }
                    self.summary.acknowledged += 1;
                    self.claims.extend(Claim::of(&question.command, true));
                }
                Err(EngineError::Refused(_)) => self.summary.refused += 1,
                Err(_) => {
                    self.summary.failed += 1;
                    self.ask_again_later(question);
                    continue;
                }
            }
            question.answer = Some(completion.result);
            self.answered.push_back(question);
            if self.answered.len() > ANSWERED_MAX {
                self.answered.pop_front();
            }
        }
    }

    fn ask_again_later(&mut self, question: Question) {
        self.claims.extend(Claim::of(&question.command, false));
        if self.now.0 - question.asked_at.0 < REPEAT_WITHIN_US / 2 {
            self.again.push_back(question.command);
        }
        if self.again.len() > OPEN_MAX {
            self.again.pop_front();
        }
    }

    fn some_partition(&mut self) -> usize {
        self.random.random_range(0..self.partitions.len())
    }

    /// No faults any more: everything on its way arrives, everything open is asked until it is answered.
    fn calm(&mut self) -> Result<(), String> {
        self.options.faults = false;
        self.store.faults(|plan| *plan = store::FaultPlan::default());
        for _ in 0..2_000 {
            self.now = self.now.plus(200_000);
            for index in 0..self.partitions.len() {
                self.with(index, |partition, cx| {
                    partition.tick(cx);
                });
                self.seal(index);
                self.partitions[index].evict();
            }
            while !self.sealed.is_empty() {
                self.commit()?;
            }
            while !self.deliveries.is_empty() || !self.acknowledgements.is_empty() {
                self.transport();
            }
            if let Some(command) = self.again.pop_front() {
                self.ask(&command)?;
            }
            let waiting = self.partitions.iter().any(Partition::has_open_batch);
            let quiet = self.deliveries.is_empty() && self.sealed.is_empty() && self.again.is_empty();
            // A command that found a full batch was never taken; the client gives up.
            self.open
                .retain(|_, question| self.now.0 - question.asked_at.0 < 10_000_000);
            if quiet && !waiting && self.open.is_empty() && self.messages_settled() {
                return Ok(());
            }
            for index in 0..self.partitions.len() {
                if self.partitions[index].under_pressure() && self.partitions[index].may_collect() {
                    let chunk = self.settings.snapshot_chunk_rows;
                    let partition = &mut self.partitions[index];
                    let written = write_round(partition, chunk, &mut *self.reader, &mut *self.snapshots);
                    written.map_err(|error| format!("a round without faults fails: {error}"))?;
                }
            }
        }
        Err(format!(
            "the world does not calm down: {} open, {} to repeat",
            self.open.len(),
            self.again.len()
        ))
    }

    /// Whether every message sent has been applied.
    fn messages_settled(&self) -> bool {
        let numbers: Vec<_> = self.partitions.iter().map(Partition::message_numbers).collect();
        numbers.iter().enumerate().all(|(from, sender)| {
            sender.sent.iter().all(|(to, last)| {
                let received = &numbers[usize::from(*to)].received;
                received
                    .iter()
                    .any(|(other, number)| usize::from(*other) == from && number == last)
                    || *last == 0
            })
        })
    }

    /// Floors hold at every moment, also in state that is not durable yet.
    fn check_memory(&self) -> Result<(), String> {
        if let Some(contradiction) = &self.contradiction {
            return Err(contradiction.clone());
        }
        for key in self.population.keys() {
            let partition = &self.partitions[usize::from(key.partition(self.settings.partitions))];
            let below = match partition.peek(key) {
                Some(Entity::Account(account)) => account
                    .lots
                    .iter()
                    .any(|lot| lot.amount.0 < 0 || lot.reserved.0 < 0 || lot.reserved > lot.amount),
                Some(Entity::Partner(partner)) => partner.float.0 < 0 || partner.in_transit.0 < 0,
                _ => false,
            };
            if below {
                return Err(format!("{key:?} is below its floor: {:?}", partition.peek(key)));
            }
        }
        Ok(())
    }

    /// The books, the claims, and live state against replay.
    fn check(&mut self) -> Result<(), String> {
        for index in 0..self.partitions.len() {
            let partition = &mut self.partitions[index];
            let chunk = self.settings.snapshot_chunk_rows;
            let written = write_round(partition, chunk, &mut *self.reader, &mut *self.snapshots);
            written
                .map_err(|error| format!("the last round fails: {error}"))?
                .ok_or("the last round was given up")?;
        }
        let report =
            engine::audit(&self.store, self.settings.partitions, &mut |_| {}).map_err(|e| e.to_string())?;
        if !report.ok() {
            return Err(format!(
                "the audit finds {} problems: {:#?}",
                report.problem_count, report.problems
            ));
        }
        if report.in_transit != 0 || report.entities != report.snapshots {
            return Err(format!(
                "{} in transit, {} entities, {} snapshots",
                report.in_transit, report.entities, report.snapshots
            ));
        }
        self.summary.batches = report.batches;
        let facts = Facts::read(&mut *self.journal_reader, self.settings.partitions)?;
        self.summary.journal = facts.digest;
        facts.check(&self.claims)?;
        for key in self.population.keys() {
            self.check_replay(key)?;
        }
        Ok(())
    }

    fn check_replay(&mut self, key: EntityKey) -> Result<(), String> {
        let partitions = self.settings.partitions;
        let replayed = engine::audit::replay_entity(&self.store, partitions, key, |_, _| {})
            .map_err(|error| error.to_string())?
            .map_err(|error| format!("{key:?}: {error}"))?;
        let live = self.partitions[usize::from(key.partition(partitions))].peek(key);
        match live {
            Some(live) if Some(live) != replayed.as_ref() => Err(format!(
                "{key:?} differs from its replay:\n{live:?}\n{replayed:?}"
            )),
            // Encoding is what snapshots rely on: equal entities, equal bytes.
            Some(live) if replayed.as_ref().map(Codec::to_bytes) != Some(live.to_bytes()) => {
                Err(format!("{key:?} encodes differently after replay"))
            }
            _ => Ok(()),
        }
    }
}

/// An answer that came from an effect. A request that found nobody to charge leaves no trace, and may be answered otherwise
/// when somebody is there.
fn is_remembered(answer: &Result<Reply, EngineError>) -> bool {
    match answer {
        Ok(Reply::Charge(reply)) => reply.result == ChargeResult::Success,
        answer => answer.is_ok(),
    }
}
