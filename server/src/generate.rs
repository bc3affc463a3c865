//! Many synthetic accounts at once, straight into the engine: for load tests.

use crate::failure::{Failure, Kind};
use charge::catalog::Language;
use charge::command::OpenAccount;
use charge::tax::{RegionCode, TaxClass};
use charge::{Command, Money, Msisdn, OperatorId, Refusal, Reply};
use engine::{CompletionSink, Engine, EngineError};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;

/// Commands under way at once: enough to fill batches, few enough for the queues.
const WINDOW: usize = 8_192;
/// Commands handed in together.
const CHUNK: usize = 1_024;
/// Most accounts made by one call.
pub const ACCOUNTS_MAX: u64 = 100_000_000;

/// What to make.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The tenant.
    pub operator: OperatorId,
    /// The first number.
    pub from: u64,
    /// How many, without gaps.
    pub count: u64,
    /// Opening balance of each.
    pub balance: Money,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// New accounts.
    pub opened: u64,
    /// Numbers that had one.
    pub there_before: u64,
}

/// Opens the accounts of a plan; `progress` hears how many are done. Numbers that have an account are left alone, so that
/// an interrupted run can be repeated.
pub fn run(engine: &Engine, plan: &Plan, progress: &mut dyn FnMut(u64)) -> anyhow::Result<Made> {
    let last = plan
        .count
        .checked_sub(1)
        .and_then(|more| plan.from.checked_add(more));
    let in_range = last.is_some_and(|last| Msisdn::new(plan.from).is_ok() && Msisdn::new(last).is_ok());
    if !in_range || plan.count > ACCOUNTS_MAX {
        let message = format!(
            "{} numbers from {} are not all valid numbers",
            plan.count, plan.from
        );
        return Err(Failure::usage(message)
            .hint(format!(
                "Numbers have 4 to 15 digits, and at most {ACCOUNTS_MAX} accounts are made at once."
            ))
            .into());
    }
    let tally = Arc::new(Tally::default());
    let sink = engine.add_sink(Arc::clone(&tally) as Arc<dyn CompletionSink>);
    let made = feed(engine, sink, plan, &tally, progress);
    engine.remove_sink(sink);
    made
}

fn feed(
    engine: &Engine,
    sink: engine::SinkId,
    plan: &Plan,
    tally: &Tally,
    progress: &mut dyn FnMut(u64),
) -> anyhow::Result<Made> {
    let mut next = 0;
    let mut commands: Vec<(u64, Command)> = Vec::with_capacity(CHUNK);
    loop {
        let (state, again) = tally.wait_below(WINDOW - CHUNK, next == plan.count && commands.is_empty());
        if let Some(error) = state.failure {
            return Err(describe(error, plan));
        }
        progress(state.made.opened + state.made.there_before);
        for index in again {
            commands.push((index, open(engine, plan, index)?));
        }
        while commands.len() < CHUNK && next < plan.count {
            commands.push((next, open(engine, plan, next)?));
            next += 1;
        }
        if commands.is_empty() && state.under_way == 0 {
            return Ok(state.made);
        }
        let offered = commands.len();
        tally.state.lock().under_way += offered;
        engine.submit_many(sink, &mut commands);
        // What did not fit is offered again with the next chunk.
        tally.state.lock().under_way -= commands.len();
        if commands.len() == offered && offered > 0 {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
}

fn open(engine: &Engine, plan: &Plan, index: u64) -> anyhow::Result<Command> {
    Ok(Command::OpenAccount(OpenAccount {
        account: engine.new_account_id(),
        operator: plan.operator,
        msisdn: Msisdn::new(plan.from + index)?,
        imsi: None,
        language: Language::default(),
        tax_class: TaxClass::default(),
        region: RegionCode::default(),
        opening_balance: plan.balance,
    }))
}

fn describe(error: EngineError, plan: &Plan) -> anyhow::Error {
    let kind = match error {
        EngineError::Refused(_) => Kind::Refused,
        EngineError::Busy => Kind::Unavailable,
        EngineError::Unavailable(_) => Kind::Failed,
    };
    Failure::new(kind, format!("open accounts from {}: {error}", plan.from))
        .hint("What was made stays; the same command goes on where it stopped.")
        .into()
}

#[derive(Default)]
struct Tally {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    under_way: usize,
    made: Made,
    again: Vec<u64>,
    failure: Option<EngineError>,
}

#[derive(Clone, Copy)]
struct Seen {
    under_way: usize,
    made: Made,
    failure: Option<EngineError>,
}

impl Tally {
    /// Waits until at most `most` commands are under way (none, when `all` is told) or something must be offered again.
    fn wait_below(&self, most: usize, all: bool) -> (Seen, Vec<u64>) {
        let mut state = self.state.lock();
        let most = if all { 0 } else { most };
        while state.under_way > most && state.failure.is_none() && (state.again.is_empty() || !all) {
            self.changed.wait(&mut state);
        }
        let seen = Seen {
            under_way: state.under_way,
            made: state.made,
            failure: state.failure,
        };
        (seen, std::mem::take(&mut state.again))
    }
}

impl CompletionSink for Tally {
    fn complete(&self, results: &mut Vec<(u64, Result<Reply, EngineError>)>) {
        let mut state = self.state.lock();
        for (index, result) in results.drain(..) {
            state.under_way = state.under_way.saturating_sub(1);
            match result {
                Ok(_) => state.made.opened += 1,
                Err(EngineError::Refused(Refusal::NumberTaken)) => state.made.there_before += 1,
                Err(EngineError::Busy) => state.again.push(index),
                Err(error) => state.failure = Some(error),
            }
        }
        drop(state);
        self.changed.notify_one();
    }
}
