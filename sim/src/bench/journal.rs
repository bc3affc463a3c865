//! The engine on its store, in process: one driver thread keeps operations on their way.

use super::Plan;
use super::report::{Latencies, Report, report, rss_bytes};
use super::workload::{Operation, Workload};
use charge::command::OpenAccount;
use charge::ids::{AccountId, EntityKey, Imsi, Msisdn};
use charge::{Command, OperatorId, Reply};
use engine::{CompletionSink, Engine, EngineError, SinkId};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Directory claims on their way at once while accounts are made.
const CLAIMS_OUTSTANDING: usize = 8_192;
/// Raw appends replayed for the limit.
const LIMIT_COMMITS_MAX: u64 = 4_000;
/// Pause after being turned away.
const BUSY_PAUSE: Duration = Duration::from_millis(20);
/// Longest wait for an answer before the run is given up.
const STUCK: Duration = Duration::from_secs(60);

/// What became of an operation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Good,
    /// Turned away for now.
    Busy,
    Bad,
}

/// Answers on their way to the driver.
#[derive(Default)]
struct Answers {
    arrived: Mutex<Vec<(u64, Outcome)>>,
    bell: Condvar,
}

impl CompletionSink for Answers {
    fn complete(&self, results: &mut Vec<(u64, Result<Reply, EngineError>)>) {
        let mut arrived = self.arrived.lock();
        let outcome = |result: &Result<Reply, EngineError>| match result {
            Ok(Reply::Charge(reply)) if reply.result != charge::reply::ChargeResult::Success => Outcome::Bad,
            Ok(_) => Outcome::Good,
            Err(EngineError::Busy) => Outcome::Busy,
            Err(_) => Outcome::Bad,
        };
        arrived.extend(
            results
                .drain(..)
                .map(|(ticket, result)| (ticket, outcome(&result))),
        );
        self.bell.notify_one();
    }
}

impl Answers {
    /// Moves what has arrived to `into`; waits for something until `until`.
    fn take(&self, into: &mut Vec<(u64, Outcome)>, until: Instant) {
        let mut arrived = self.arrived.lock();
        if arrived.is_empty() {
            self.bell.wait_until(&mut arrived, until);
        }
        into.append(&mut arrived);
    }
}

/// Accounts made by [`populate`].
#[derive(Clone, Copy, Debug)]
pub struct Population {
    /// Id of the first; the others follow.
    pub first: AccountId,
    /// How many.
    pub count: u64,
    /// Number of the first; the others follow.
    pub msisdn: u64,
}

/// Makes accounts with consecutive ids and numbers through the engine. `progress` hears how many are done.
///
/// # Errors
/// A sentence when the engine refuses or does not answer.
pub fn populate(
    engine: &Engine,
    operator: OperatorId,
    count: u64,
    mut progress: impl FnMut(u64),
) -> Result<Population, String> {
    let answers = Arc::new(Answers::default());
    let sink = engine.add_sink(answers.clone());
    let first = engine.new_account_id();
    let msisdn = 923_000_000_000;
    let (mut next, mut done, mut outstanding) = (0, 0, 0);
    let (mut commands, mut arrived) = (Vec::new(), Vec::new());
    // Turned away because memory is full of what the snapshots do not have yet: asked again a little later.
    let mut again: Vec<u64> = Vec::new();
    while done < count {
        while outstanding < CLAIMS_OUTSTANDING {
            let index = match again.pop() {
                Some(index) => index,
                None if next < count => {
                    if next > 0 {
                        engine.new_account_id();
                    }
                    next += 1;
                    next - 1
                }
                None => break,
            };
            let open = OpenAccount {
                account: AccountId(first.0 + index),
                msisdn: Msisdn::new(msisdn + index).map_err(|error| error.to_string())?,
                imsi: Imsi::parse(&format!("41001{index:010}")).ok(),
                ..super::core::open_account(index, operator)
            };
            commands.push((index, Command::OpenAccount(open)));
            outstanding += 1;
        }
        engine.submit_many(sink, &mut commands);
        outstanding -= commands.len();
        again.extend(commands.drain(..).map(|(index, _)| index));
        answers.take(&mut arrived, Instant::now() + STUCK);
        if arrived.is_empty() {
            return Err("the engine does not answer".to_owned());
        }
        outstanding -= arrived.len();
        let turned_away = again.len();
        for (index, outcome) in arrived.drain(..) {
            match outcome {
                Outcome::Good => done += 1,
                Outcome::Busy => again.push(index),
                Outcome::Bad => return Err(format!("account {index} could not be made")),
            }
        }
        if again.len() > turned_away {
            std::thread::sleep(BUSY_PAUSE);
        }
        progress(done);
    }
    engine.remove_sink(sink);
    let population = Population { first, count, msisdn };
    wait_for_accounts(engine, population)?;
    Ok(population)
}

/// The directory has answered for all; the last accounts of each partition are still being opened.
fn wait_for_accounts(engine: &Engine, population: Population) -> Result<(), String> {
    let last = population.first.0 + population.count;
    let partitions = u64::from(engine.partitions());
    for id in last.saturating_sub(partitions.min(population.count))..last {
        let deadline = Instant::now() + STUCK;
        let key = EntityKey::Account(AccountId(id));
        while !engine
            .read(key, |entity, _| entity.is_some())
            .map_err(|error| error.to_string())?
        {
            if Instant::now() > deadline {
                return Err(format!("account {id} does not open"));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    Ok(())
}

/// Runs the workload against an engine that holds `population`. `dir` is on the disk whose limit is measured.
///
/// # Errors
/// A sentence when the engine stops answering.
pub fn run(
    engine: &Engine,
    plan: &Plan,
    population: Population,
    dir: &std::path::Path,
) -> Result<Report, String> {
    let idle = rss_bytes();
    let answers = Arc::new(Answers::default());
    let sink = engine.add_sink(answers.clone());
    let accounts = plan.hot.unwrap_or(population.count).clamp(1, population.count);
    let run = u64::try_from(engine.now().0).unwrap_or(1);
    let mut driver = Driver {
        engine,
        sink,
        answers: &answers,
        workload: Workload::new(accounts, plan.seed, run),
        first: population.first,
        starts: vec![Instant::now(); plan.outstanding],
        free: (0..plan.outstanding).collect(),
        latencies: Latencies::default(),
        commands: Vec::new(),
        arrived: Vec::new(),
    };
    let closed = Plan { rate: None, ..*plan };
    driver.drive(&closed, plan.warm_up())?;
    driver.settle(plan.outstanding)?;
    driver.latencies = Latencies::default();
    let before = engine.stats();
    let began = Instant::now();
    driver.drive(plan, plan.measure)?;
    let elapsed = began.elapsed();
    let after = engine.stats();
    driver.settle(plan.outstanding)?;
    engine.remove_sink(sink);
    let mut report = report("journal", plan, &driver.latencies, elapsed);
    report.rss_idle_bytes = Some(idle);
    report.durable = true;
    let commits = (after.commits - before.commits).max(1);
    let bytes = after.batch_bytes - before.batch_bytes;
    let operations = (after.commands - before.commands).max(1);
    report.commits = Some(commits);
    report.bytes_per_op = Some(bytes / operations);
    add_limit(&mut report, dir, (commits, bytes, operations))?;
    Ok(report)
}

/// What the disk allows for the same bytes in the same number of syncs.
pub fn add_limit(
    report: &mut Report,
    dir: &std::path::Path,
    measured: (u64, u64, u64),
) -> Result<(), String> {
    let (commits, bytes, operations) = measured;
    let size = usize::try_from(bytes / commits).unwrap_or(usize::MAX).max(1);
    let replayed = commits.min(LIMIT_COMMITS_MAX);
    let sizes = vec![size; usize::try_from(replayed).unwrap_or(1)];
    let limit = store::raw_append_limit(dir, &sizes).map_err(|error| error.to_string())?;
    report.limit_p99_us = u64::try_from(limit.p99.as_micros()).ok();
    let replayed_operations = u128::from(operations) * u128::from(replayed) / u128::from(commits);
    let per_second = replayed_operations * 1_000_000_000 / limit.elapsed.as_nanos().max(1);
    let per_second = u64::try_from(per_second).unwrap_or(u64::MAX).max(1);
    report.limit_ops_per_s = Some(per_second);
    let hundredths = report.ops_per_s.saturating_mul(100) / per_second;
    report.limit_ratio = Some(f64::from(u32::try_from(hundredths).unwrap_or(u32::MAX)) / 100.0);
    Ok(())
}

struct Driver<'a> {
    engine: &'a Engine,
    sink: SinkId,
    answers: &'a Answers,
    workload: Workload,
    first: AccountId,
    starts: Vec<Instant>,
    free: Vec<usize>,
    latencies: Latencies,
    commands: Vec<(u64, Command)>,
    arrived: Vec<(u64, Outcome)>,
}

impl Driver<'_> {
    fn drive(&mut self, plan: &Plan, length: Duration) -> Result<(), String> {
        let began = Instant::now();
        let mut issued: u64 = 0;
        loop {
            let now = Instant::now();
            let elapsed = now.duration_since(began);
            if elapsed >= length && (self.workload.unopened() == 0 || plan.rate.is_some()) {
                return Ok(());
            }
            match plan.rate {
                None => {
                    while let Some(slot) = self.free.pop() {
                        self.issue(slot, now);
                    }
                }
                Some(rate) => {
                    let due =
                        u64::try_from(elapsed.as_nanos() * u128::from(rate) / 1_000_000_000).unwrap_or(0);
                    while issued < due {
                        let Some(slot) = self.free.pop() else { break };
                        let planned = u128::from(issued) * 1_000_000_000 / u128::from(rate.max(1));
                        self.issue(
                            slot,
                            began + Duration::from_nanos(u64::try_from(planned).unwrap_or(0)),
                        );
                        issued += 1;
                    }
                }
            }
            self.engine.submit_many(self.sink, &mut self.commands);
            // What was turned away counts as an error and frees its place.
            let turned_away: Vec<u64> = self.commands.drain(..).map(|(ticket, _)| ticket).collect();
            for ticket in turned_away {
                self.latencies.errors += 1;
                self.free.push(usize::try_from(ticket).unwrap_or(0));
            }
            let patience = if plan.rate.is_some() {
                Duration::from_micros(200)
            } else {
                STUCK
            };
            self.collect(now + patience)?;
            if plan.rate.is_none() && self.free.is_empty() {
                return Err("the engine does not answer".to_owned());
            }
        }
    }

    fn issue(&mut self, slot: usize, planned: Instant) {
        let operation = self.workload.draw();
        let (Operation::Report { index, .. } | Operation::Credit { index, .. }) = operation;
        let command = self.workload.command(operation, AccountId(self.first.0 + index));
        self.starts[slot] = planned;
        self.commands.push((slot as u64, command));
    }

    fn collect(&mut self, until: Instant) -> Result<(), String> {
        self.answers.take(&mut self.arrived, until);
        let now = Instant::now();
        for (ticket, outcome) in self.arrived.drain(..) {
            let slot = usize::try_from(ticket).map_err(|error| error.to_string())?;
            let micros = now.duration_since(self.starts[slot]).as_micros();
            self.latencies.record(u64::try_from(micros).unwrap_or(u64::MAX));
            self.latencies.errors += u64::from(outcome != Outcome::Good);
            self.free.push(slot);
        }
        Ok(())
    }

    /// Waits for what is still on its way.
    fn settle(&mut self, outstanding: usize) -> Result<(), String> {
        let deadline = Instant::now() + STUCK;
        while self.free.len() < outstanding && Instant::now() < deadline {
            let latencies = self.latencies.clone();
            self.collect(Instant::now() + Duration::from_millis(100))?;
            self.latencies = latencies;
        }
        if self.free.len() < outstanding {
            Err("some operations were never answered".to_owned())
        } else {
            Ok(())
        }
    }
}
